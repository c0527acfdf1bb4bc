"""NetBox 3.7 to 4.6: a token, one scope, and listings that are paged by id.

https://netboxlabs.com/docs/netbox/integrations/rest-api/

Each page of a listing begins after the last id (``ordering=id&id__gt=...``), not at an offset: if an object
were deleted between two pages, the others would move and one would be skipped. ``count`` is then the number of
objects that are left, which identifies the last page without another request, however small the server makes
its pages. The cursor ``start`` of 4.6 does the same, but older releases silently ignore it and send the first
page for ever.

Links in responses (``next``, ``url``) are never followed: NetBox builds them from the request's Host, and
behind a proxy they may have another host, or http. The token is only sent to the account's own URL.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional, Union

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
from shared.engine.workers import Workers
from shared.providers.netbox.records import device_kinds
from shared.records.fields import field, needed, objects
from shared.transport import http, sessions

PAGE_SIZE = (
    1000  # the default of MAX_PAGE_SIZE; servers that allow less silently send smaller pages
)
EMPTY_PAGES = 3  # pages without objects that announce more, before the listing is given up
ROOM_FOR_IDS = 3400  # bytes; gunicorn refuses a request line of more than 4,094

# The listings that cells request, and the type of their objects; the permission is APP.view_MODEL.
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
# NetBox never sends 401: its message tells what a 403 means (4.6.8, 4.1.11 and 3.7.8).
_NO_PERMISSION = "You do not have permission to perform this action"
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


class NotOffered(Exception):
    """404 with an HTML page instead of JSON: this release has no such listing, or the base path is wrong.

    For cells; a poll raises UnexpectedResponse (``classify``).
    """


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
    """The event's credentials; ``url`` without ``/api`` and without a trailing slash."""

    url: str
    token: str = dataclasses.field(repr=False)
    cacert: Optional[str]
    verify: bool


def credentials(raw: Mapping[str, Any], ambient: bool) -> Credentials:
    """The credentials of an event; the host never supplies any. Raises InvalidEvent."""
    refuse_unknown_keys("credentials", raw, CREDENTIAL_KEYS)
    url = _base_url(needed_credential(raw, "url"))
    token = needed_credential(raw, "token")
    if not re.fullmatch(
        r"[!-~]+", token
    ):  # with a word before it, masking would not find the token
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
    """One poll's session with one NetBox."""

    def __init__(self, credentials: Credentials, poll: Poll):
        self.url = credentials.url
        self.workers: Workers = poll.workers
        self.device_kinds = device_kinds(poll.request.options.get("device_kinds"))
        tls = http.trust(credentials.cacert, credentials.verify)
        self._web = sessions.session(poll.network, poll.traffic, verify=credentials.verify, tls=tls)
        # v2 tokens (from 4.5) begin with nbt_; 3.7 and 4.1 refuse a v1 token after the word Bearer
        word = "Bearer" if credentials.token.startswith("nbt_") else "Token"
        self._web.headers["Authorization"] = f"{word} {credentials.token}"
        self._web.headers["Accept"] = "application/json"
        self._web.headers["User-Agent"] = "cmp-connectors"
        self._version: Optional[tuple[int, int]] = None

    @property
    def version(self) -> tuple[int, int]:
        """The release, as (4, 6). Newer releases send it with each response; for others it takes one call."""
        if self._version is None:
            self._version = _version(needed(self.status(), "netbox-version", str))
        return self._version

    def status(self) -> dict[str, Any]:
        """NetBox's status, with its release (one call, which also checks the token)."""
        return self.get("status")

    def get(
        self,
        path: str,
        params: Optional[Mapping[str, Any]] = None,
        permission: Optional[str] = None,
    ) -> dict[str, Any]:
        """The JSON object at a path below ``/api/``. ``permission``: what it needs, for messages."""
        url = f"{self.url}/api/{path}/"
        response = self._web.get(url, params=params)
        version = response.headers.get("API-Version")
        if version and self._version is None:
            self._version = _version(version)
        if response.status_code != 200:
            raise self._refusal(url, response, sessions.json_or_none(response), permission)
        answer = sessions.json_of(response)
        if not isinstance(answer, dict):
            raise UnexpectedResponse(f"{url} did not answer with a JSON object")
        return answer

    def _refusal(
        self, url: str, response: requests.Response, answer: Any, permission: Optional[str]
    ) -> Union[ConnectorError, NotOffered]:
        status, message = response.status_code, _message(answer)
        about = f"{url} answered {status}: {message or response.reason}"
        if status == 401:
            return InvalidCredentials(about)
        if status == 403:
            if message is None:
                kind = response.headers.get("Content-Type", "no content type")
                return UnexpectedResponse(
                    f"{url} answered 403, but not in NetBox's words ({kind}): something in front of "
                    "it refuses the request"
                )
            bad_token = message.startswith(_BAD_TOKEN)
            if not bad_token and not message.startswith(_NO_PERMISSION):  # perhaps not in English
                bad_token = permission is None or not self._accepts_token()
            if bad_token:
                return InvalidCredentials(about)
            return InsufficientPermission(
                f"the token's user lacks the permission {permission or 'for this request'}: {about}"
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
    match = re.match(r"v?(\d+)\.(\d+)", text)
    if not match:
        raise UnexpectedResponse("field 'netbox-version' should be a release such as 4.6.8")
    return int(match[1]), int(match[2])


def _message(answer: Any) -> Optional[str]:
    """NetBox's own message: ``detail``, or for a bad parameter its name and what is wrong with it."""
    if not isinstance(answer, dict):
        return None
    detail = answer.get("detail")
    if isinstance(detail, str):
        return detail
    return "; ".join(f"{name}: {value}" for name, value in answer.items())


@dataclasses.dataclass(frozen=True)
class Scope:
    """The whole NetBox, as far as the token's user may see it."""

    name: str
    session: Session = dataclasses.field(repr=False, compare=False)

    @property
    def url(self) -> str:
        return self.session.url

    @property
    def workers(self) -> Workers:
        return self.session.workers

    @property
    def device_kinds(self) -> Mapping[str, str]:
        """The account's option of that name: slug of a role or of a device type -> kind."""
        return self.session.device_kinds

    @property
    def version(self) -> tuple[int, int]:
        return self.session.version


def login(credentials: Credentials, poll: Poll) -> Session:
    """A session. Makes no call: every later one carries the token."""
    if not credentials.verify:
        poll.log.warn("TLS not verified", why="the account says verify: false")
    return Session(credentials, poll)


def scopes(session: Session) -> list[Scope]:
    """One scope: listings have the objects of all sites, so that sites are not polled separately."""
    return [Scope(_name(session), session)]


def account(session: Session) -> str:
    """The host and its release (one call, which also checks the token)."""
    release = needed(session.status(), "netbox-version", str)
    return f"{_name(session)} (NetBox {release})"


def _name(session: Session) -> str:
    return session.url.partition("://")[2]


def pages(
    scope: Scope, listing: str, names: Iterable[str] = (), **query: Any
) -> Iterator[list[dict[str, Any]]]:
    """The pages of a listing, sorted by id. Each record gets its ``object_type``, such as "dcim.device".

    ``names`` are the fields that are requested. NetBox 3.7 sends all fields nevertheless, and all releases
    ignore names that they do not know.
    """
    kind = LISTINGS[listing]
    query = {**query, "ordering": "id", "limit": PAGE_SIZE}
    if names:
        query["fields"] = ",".join(names)
    last, empty = 0, 0
    while True:
        if last:
            query["id__gt"] = last
        answer = scope.session.get(listing, query, _permission(kind))
        page, left = _checked_page(answer, listing, last)
        ids = [record["id"] for record in page]
        for record in page:
            record["object_type"] = kind
        yield page
        if left == len(ids) or not (ids or left):
            return
        empty = 0 if ids else empty + 1
        if empty == EMPTY_PAGES:
            raise UnexpectedResponse(f"/api/{listing}/ says there are {left} more, but shows none")
        last = ids[-1] if ids else last


def _checked_page(
    answer: dict[str, Any], listing: str, last: int
) -> tuple[list[dict[str, Any]], Optional[int]]:
    """The records of a page after the id ``last``, and how many are left with them."""
    for name in ("count", "results"):
        if name not in answer:
            raise UnexpectedResponse(f"the answer of /api/{listing}/ has no field {name!r}")
    page, left = objects(answer, "results"), field(answer, "count", int)
    ids = [needed(record, "id", int) for record in page]
    if any(number <= last for number in ids) or len(set(ids)) < len(ids):
        raise UnexpectedResponse(f"/api/{listing}/ pages in a loop (after id {last})")
    if left != len(ids) and ids != sorted(ids):
        raise UnexpectedResponse(f"/api/{listing}/ does not list by id, as it was asked to")
    return page, left


def listed(
    scope: Scope, listing: str, names: Iterable[str] = (), **query: Any
) -> dict[int, dict[str, Any]]:
    """A whole listing, by id."""
    return {
        record["id"]: record for page in pages(scope, listing, names, **query) for record in page
    }


def listed_by_ids(
    scope: Scope, listing: str, ids: Iterable[int], names: Iterable[str] = ()
) -> dict[int, dict[str, Any]]:
    """The existing objects with these ids, some 400 a call."""
    batches: list[list[int]] = []
    room = 0
    for number in sorted(ids):
        room -= len(f"&id={number}")
        if room < 0:
            batches.append([])
            room = ROOM_FOR_IDS - len(f"&id={number}")
        batches[-1].append(number)
    records: dict[int, dict[str, Any]] = {}
    for found in scope.workers.map(lambda batch: listed(scope, listing, names, id=batch), batches):
        records.update(found)
    return records


def _permission(kind: str) -> str:
    app, _, model = kind.partition(".")
    return f"{app}.view_{model}"


def least_permissions(permissions: Iterable[str]) -> dict[str, Any]:
    """The object permission to give the token's user: view, without constraints.

    A constraint silently shortens lists, which a poll can't tell from an inventory that shrank. In a release
    that lacks one of the object types (virtual circuits before 4.2), leave it out.
    """
    return {
        "name": "CMP inventory",
        "object_types": sorted({name.replace(".view_", ".") for name in permissions}),
        "actions": ["view"],
        "constraints": None,
    }


def classify(error: Exception) -> Optional[ConnectorError]:
    """The error that an exception of requests, or NotOffered, means; None for any other exception."""
    if isinstance(error, NotOffered):
        return UnexpectedResponse(str(error))
    return sessions.classify(error, "NetBox")
