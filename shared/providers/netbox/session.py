"""NetBox 3.7 to 4.6: a token, one scope, and listings that are walked by id.

https://netboxlabs.com/docs/netbox/integrations/rest-api/

A listing goes on from the last id that came (``ordering=id&id__gt=...``), not by offset: an object that
is deleted between two pages would shift the rest, and one would be skipped. ``count`` is then how many
are left, so the last page is known for one without another request, however small the server makes its
pages. The cursor ``start`` of 4.6 does the same, but older releases ignore it without a word and answer
page one for ever.

No link of an answer is followed (``next``, ``url``): NetBox builds them from the request's Host, and
behind a proxy they may name another host, or http. The token goes to the account's own URL alone.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

import requests

from shared.engine.contracts import Poll
from shared.engine.errors import (
    ConnectorError,
    InsufficientPermission,
    InvalidCredentials,
    InvalidEvent,
    Throttled,
    UnexpectedResponse,
    Unreachable,
)
from shared.engine.event import (
    flag_credential,
    needed_credential,
    refuse_unknown_keys,
    text_credential,
)
from shared.providers.netbox.records import device_kinds
from shared.records.fields import field, needed, objects
from shared.transport import http

PAGE_SIZE = 1000  # MAX_PAGE_SIZE as shipped; a server that allows less cuts it without a word
EMPTY_PAGES = 3  # that say there is more, before the walk is given up
ROOM_FOR_IDS = 3400  # bytes; gunicorn refuses a request line of more than 4,094

# The listings that cells ask for, and what each holds: its right is APP.view_MODEL.
LISTINGS = {
    "circuits/circuit-terminations": "circuits.circuittermination",
    "circuits/circuits": "circuits.circuit",
    "circuits/provider-networks": "circuits.providernetwork",
    "circuits/virtual-circuit-terminations": "circuits.virtualcircuittermination",
    "circuits/virtual-circuits": "circuits.virtualcircuit",
    "dcim/devices": "dcim.device",
    "dcim/locations": "dcim.location",
    "dcim/sites": "dcim.site",
    "ipam/prefixes": "ipam.prefix",
    "ipam/vlans": "ipam.vlan",
    "virtualization/virtual-disks": "virtualization.virtualdisk",
    "virtualization/virtual-machines": "virtualization.virtualmachine",
    "vpn/l2vpn-terminations": "vpn.l2vpntermination",
    "vpn/l2vpns": "vpn.l2vpn",
    "vpn/tunnel-terminations": "vpn.tunneltermination",
    "vpn/tunnels": "vpn.tunnel",
}
# NetBox has no 401: what a 403 means is in its words (4.6.8, 4.1.11 and 3.7.8).
_NO_RIGHT = "You do not have permission to perform this action"
_BAD_TOKEN = (
    "Authentication credentials were not provided",
    "Invalid authorization header",
    "Invalid token",
    "Invalid v1 token",
    "Invalid v2 token",
    "Source IP",
    "Token disabled",
    "Token expired",
    "User inactive",
)


class NotOffered(UnexpectedResponse):
    """404 with a page instead of JSON: this release has no such listing, or the base path is wrong."""


CREDENTIAL_KEYS = frozenset(
    {
        "url",
        "token",
        "cacert",
        "verify",
    }
)


@dataclasses.dataclass(frozen=True)
class Credentials:
    """The event's credentials; ``url`` without ``/api`` and without a slash at its end."""

    url: str
    token: str = dataclasses.field(repr=False)
    cacert: Optional[str]
    verify: bool


def credentials(raw: Mapping[str, Any], ambient: bool) -> Credentials:
    """The credentials of an event; see the README. There are no ambient ones."""
    refuse_unknown_keys("credentials", raw, CREDENTIAL_KEYS)
    url = _base_url(needed_credential(raw, "url"))
    token = needed_credential(raw, "token")
    if not re.fullmatch(r"[!-~]+", token):  # a word pasted before it would escape the log's masking
        raise InvalidEvent(
            "credentials.token should be the token alone, without 'Token' or 'Bearer' before it"
        )
    cacert = text_credential(raw, "cacert")
    verify = flag_credential(raw, "verify", True)
    http.trust(cacert, verify)
    return Credentials(url, token, cacert, verify)


def _base_url(text: str) -> str:
    parts = http.checked_url(text, "url", "a NetBox")
    path = parts.path.rstrip("/")
    if path.endswith("/api"):
        path = path[: -len("/api")].rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}"


class Session:
    """What one poll asks of one NetBox."""

    def __init__(self, credentials: Credentials, poll: Poll):
        self.url = credentials.url
        self.device_kinds = device_kinds(poll.request.options.get("device_kinds"))
        tls = http.trust(credentials.cacert, credentials.verify)
        self._web = http.session(poll.network, poll.traffic, verify=credentials.verify, tls=tls)
        # v2 tokens (from 4.5) begin with nbt_; 3.7 and 4.1 refuse a v1 token after the word Bearer
        word = "Bearer" if credentials.token.startswith("nbt_") else "Token"
        self._web.headers["Authorization"] = f"{word} {credentials.token}"
        self._web.headers["Accept"] = "application/json"
        self._web.headers["User-Agent"] = "cmp-connectors"
        self._version: Optional[tuple[int, int]] = None

    @property
    def version(self) -> tuple[int, int]:
        """The release, as (4, 6): newer ones say it with each answer, others are asked (one call)."""
        if self._version is None:
            self._version = _version(needed(self.status(), "netbox-version", str))
        return self._version

    def status(self) -> dict[str, Any]:
        """What NetBox says of itself; it accepts the token or says what is wrong with it (one call)."""
        return self.get("status")

    def get(
        self, path: str, params: Optional[Mapping[str, Any]] = None, right: Optional[str] = None
    ) -> dict[str, Any]:
        """The JSON object at a path below ``/api/``; ``right`` is what a refusal then names."""
        url = f"{self.url}/api/{path}/"
        response = self._web.get(url, params=params)
        told = response.headers.get("API-Version")
        if told and self._version is None:
            self._version = _version(told)
        if response.status_code != 200:
            raise self._refusal(url, response, http.json_or_none(response), right)
        answer = http.json_of(response)
        if not isinstance(answer, dict):
            raise UnexpectedResponse(f"{url} did not answer with a JSON object")
        return answer

    def _refusal(
        self, url: str, response: requests.Response, answer: Any, right: Optional[str]
    ) -> ConnectorError:
        status, said = response.status_code, _said(answer)
        about = f"{url} answered {status}: {said or response.reason}"
        if status == 401:
            return InvalidCredentials(about)
        if status == 403:
            if said is None:
                kind = response.headers.get("Content-Type", "no content type")
                return UnexpectedResponse(
                    f"{url} answered 403, but not in NetBox's words ({kind}): something in front of "
                    "it refuses the request"
                )
            bad_token = said.startswith(_BAD_TOKEN)
            if not bad_token and not said.startswith(_NO_RIGHT):  # in another language, perhaps
                bad_token = right is None or not self._accepts_token()
            if bad_token:
                return InvalidCredentials(about)
            return InsufficientPermission(
                f"the token's user lacks the right {right or 'to ask for this'}: {about}"
            )
        if status == 404 and answer is None:
            return NotOffered(f"{url} is not there (404); is credentials.url that of a NetBox?")
        if status in http.THROTTLED:
            return Throttled(about)
        if status >= 500 or status in http.TRANSIENT:
            return Unreachable(about)
        return UnexpectedResponse(about)

    def _accepts_token(self) -> bool:
        return self._web.get(f"{self.url}/api/status/").status_code == 200


def _version(text: str) -> tuple[int, int]:
    found = re.match(r"v?(\d+)\.(\d+)", text)
    if not found:
        raise UnexpectedResponse("field 'netbox-version' should be a release such as 4.6.8")
    return int(found[1]), int(found[2])


def _said(answer: Any) -> Optional[str]:
    """NetBox's own words: ``detail``, or for a bad parameter its name and what is wrong with it."""
    if not isinstance(answer, dict):
        return None
    detail = answer.get("detail")
    if isinstance(detail, str):
        return detail
    return "; ".join(f"{name}: {value}" for name, value in answer.items())


@dataclasses.dataclass(frozen=True)
class Scope:
    """The whole NetBox: what its token may see."""

    name: str
    session: Session = dataclasses.field(repr=False, compare=False)

    @property
    def url(self) -> str:
        return self.session.url

    @property
    def device_kinds(self) -> Mapping[str, str]:
        """The account's own words for what its devices are."""
        return self.session.device_kinds

    @property
    def version(self) -> tuple[int, int]:
        return self.session.version


def login(credentials: Credentials, poll: Poll) -> Session:
    """A session; calls nobody, for each call carries the token."""
    if not credentials.verify:
        poll.log.warn("TLS not verified", why="the account says verify: false")
    return Session(credentials, poll)


def scopes(session: Session) -> list[Scope]:
    """One: NetBox's sites are no regions of it, and one listing has them all."""
    return [Scope(_name(session), session)]


def account(session: Session) -> str:
    """The host, and which release it runs (one call, which the token is checked by)."""
    release = needed(session.status(), "netbox-version", str)
    return f"{_name(session)} (NetBox {release})"


def _name(session: Session) -> str:
    return session.url.partition("://")[2]


def pages(
    scope: Scope, listing: str, names: Iterable[str] = (), **asked: Any
) -> Iterator[list[dict[str, Any]]]:
    """A listing page by page, by rising id; each record gets its ``object_type``, as "dcim.device".

    ``names`` are the fields that NetBox should answer with (4.0 and newer; 3.7 sends all that it has,
    and every release leaves out what it does not know).
    """
    kind = LISTINGS[listing]
    asked = {**asked, "ordering": "id", "limit": PAGE_SIZE}
    if names:
        asked["fields"] = ",".join(names)
    last, empty = 0, 0
    while True:
        if last:
            asked["id__gt"] = last
        answer = scope.session.get(listing, asked, _right(kind))
        for name in ("count", "results"):
            if name not in answer:
                raise UnexpectedResponse(f"the answer of /api/{listing}/ has no field {name!r}")
        page, left = objects(answer, "results"), field(answer, "count", int)
        ids = [needed(record, "id", int) for record in page]
        if any(each <= last for each in ids) or len(set(ids)) < len(ids):
            raise UnexpectedResponse(f"/api/{listing}/ pages in a loop (after id {last})")
        if left != len(ids) and ids != sorted(ids):
            raise UnexpectedResponse(f"/api/{listing}/ does not list by id, as it was asked to")
        for record in page:
            record["object_type"] = kind
        yield page
        if left == len(ids) or not (ids or left):
            return
        empty = 0 if ids else empty + 1
        if empty == EMPTY_PAGES:
            raise UnexpectedResponse(f"/api/{listing}/ says there are {left} more, but shows none")
        last = ids[-1] if ids else last


def listed(
    scope: Scope, listing: str, names: Iterable[str] = (), **asked: Any
) -> dict[int, dict[str, Any]]:
    """A whole listing, by id."""
    return {
        record["id"]: record for page in pages(scope, listing, names, **asked) for record in page
    }


def listed_by_ids(
    scope: Scope, listing: str, ids: Iterable[int], names: Iterable[str] = ()
) -> dict[int, dict[str, Any]]:
    """Those of these ids that are there: some 400 of them a call."""
    found: dict[int, dict[str, Any]] = {}
    batch: list[int] = []
    room = ROOM_FOR_IDS
    for each in sorted(ids):
        room -= len(f"&id={each}")
        if room < 0:
            found.update(listed(scope, listing, names, id=batch))
            batch, room = [], ROOM_FOR_IDS - len(f"&id={each}")
        batch.append(each)
    if batch:
        found.update(listed(scope, listing, names, id=batch))
    return found


def _right(kind: str) -> str:
    app, _, model = kind.partition(".")
    return f"{app}.view_{model}"


def least_permissions(permissions: Iterable[str]) -> dict[str, Any]:
    """The object permission to give the token's user: view, and no constraints.

    A constraint makes a list shorter without a sign of it: a poll can't tell that from an inventory
    that shrank. A release without a model (virtual circuits before 4.2) is given the others.
    """
    return {
        "name": "CMP inventory",
        "object_types": sorted({each.replace(".view_", ".") for each in permissions}),
        "actions": ["view"],
        "constraints": None,
    }


def classify(error: Exception) -> Optional[ConnectorError]:
    """What a requests exception means; None for what is not requests'."""
    return http.classify(error, "NetBox")
