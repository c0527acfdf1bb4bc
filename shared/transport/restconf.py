"""A read-only RESTCONF client (RFC 8040): login, reading of resources, and the meaning of errors.

The providers of controllers with a standard YANG model (tapi, ietf_l2vpn) add only their paths.

The JSON is that of RFC 7951: a member defined by another module than its parent is prefixed with the module's
name, and 64-bit numbers are text. Controllers differ in both, and some send an object instead of a list with
one entry: ``member``, ``entries`` and ``whole`` accept either form.

A list or container without content need not exist; RESTCONF then answers 404 with an error document. Whether
the controller has the model at all is proved by the other lists, or by its YANG library. Some controllers
send a list within its containers, and some refuse a list with 405 and only send the container (RFC 8040,
3.5.3 lets them choose whether a GET of a whole list works).

Access control (NACM, RFC 8341) silently leaves out what the user may not read.
"""

import base64
import dataclasses
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Optional
from urllib.parse import urlsplit

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
from shared.records.fields import field
from shared.transport import http, sessions

ROOT = "/restconf"  # as in the examples of RFC 8040; controllers may choose another (OpenDaylight: /rests)
LIBRARIES = ("ietf-yang-library:yang-library", "ietf-yang-library:modules-state")  # RFC 8525, 7895
MOST_DIGITS = 20  # of an unsigned 64-bit number


# --- the account ----------------------------------------------------------------------------------


CREDENTIAL_KEYS = frozenset(
    {
        "url",
        "username",
        "password",
        "token",
        "cacert",
        "verify",
    }
)


@dataclasses.dataclass(frozen=True)
class Credentials:
    """The event's credentials. ``root`` is the API's root without a trailing slash."""

    root: str
    username: Optional[str]
    password: Optional[str] = dataclasses.field(repr=False)
    token: Optional[str] = dataclasses.field(repr=False)
    cacert: Optional[str]
    verify: bool


def credentials(raw: Mapping[str, Any], ambient: bool) -> Credentials:
    """The credentials of an event; the host never supplies any. Raises InvalidEvent.

    Either ``username`` and ``password`` (basic authentication) or ``token`` (a bearer token, RFC 6750).
    """
    refuse_unknown_keys("credentials", raw, CREDENTIAL_KEYS)
    root = _root(needed_credential(raw, "url"))
    username, token = text_credential(raw, "username"), text_credential(raw, "token")
    password = None
    if token and (username or text_credential(raw, "password")):
        raise InvalidEvent("credentials have both a token and a user: leave one of them out")
    if token and not re.fullmatch(
        r"[!-~]+", token
    ):  # with "Bearer" before it, masking would not find the token
        raise InvalidEvent(
            "credentials.token should be the token alone, without 'Bearer' before it"
        )
    if not token:
        if not username:
            raise InvalidEvent("credentials.username (or token) is missing or empty")
        if ":" in username:
            raise InvalidEvent("credentials.username may have no colon (RFC 7617)")
        password = needed_credential(raw, "password")
    cacert = text_credential(raw, "cacert")
    verify = flag_credential(raw, "verify", True)
    http.trust(cacert, verify)
    return Credentials(root, username, password, token, cacert, verify)


def _root(text: str) -> str:
    """The API's root: the URL itself if it has a path, else /restconf of its host."""
    parts = http.checked_url(text, "url", "a controller or its RESTCONF root")
    path = parts.path.rstrip("/")
    if path.endswith("/data"):
        path = path[: -len("/data")].rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path or ROOT}"


class NotReadable(UnexpectedResponse):
    """The controller has the resource but allows no GET of it (405); its container may be readable."""


# --- the session ----------------------------------------------------------------------------------


class Session:
    """The connection of one poll to one controller."""

    def __init__(self, credentials: Credentials, poll: Poll):
        self.root = credentials.root
        tls = http.trust(credentials.cacert, credentials.verify)
        self._web = sessions.session(poll.network, poll.traffic, verify=credentials.verify, tls=tls)
        self._web.headers["Authorization"] = _authorization(credentials)
        self._web.headers["Accept"] = "application/yang-data+json, application/json;q=0.9"
        self._web.headers["User-Agent"] = "cmp-connectors"

    @property
    def name(self) -> str:
        """The controller's host, with the port if the URL names one."""
        return urlsplit(self.root).netloc

    def read(self, path: str) -> Optional[dict[str, Any]]:
        """The resource at a path below ``/data/``; None if the controller answers that there is none."""
        url = f"{self.root}/data/{path}"
        response = self._web.get(url)
        if response.status_code == 204:
            return None
        if response.status_code == 200:
            answer = sessions.json_of(response)
            if isinstance(answer, dict):
                return answer
            raise UnexpectedResponse(f"{url} did not answer with a JSON object")
        error = _first_error(sessions.json_or_none(response))
        if error and (response.status_code == 404 or error.tag == "data-missing"):
            return None
        raise _refusal(url, path, response, error)

    def has_model(self, module: str) -> bool:
        """Whether the controller's YANG library names the module (one or two calls)."""
        for path in LIBRARIES:
            try:
                library = self.read(path)
            except UnexpectedResponse:  # a controller without a library
                continue
            if library is not None:
                return module in _names(library)
        return False


def _authorization(credentials: Credentials) -> str:
    if credentials.token:
        return f"Bearer {credentials.token}"
    pair = f"{credentials.username}:{credentials.password}".encode()
    return f"Basic {base64.b64encode(pair).decode('ascii')}"


def _names(value: Any) -> set[str]:
    """The values of all members ``name`` in the document."""
    if isinstance(value, list):
        return set().union(*map(_names, value))
    if not isinstance(value, dict):
        return set()
    own = {value["name"]} if isinstance(value.get("name"), str) else set()
    return own.union(*map(_names, value.values()))


@dataclasses.dataclass(frozen=True)
class _Error:
    """The first error in an error document (RFC 8040, 7.1)."""

    tag: str
    message: str


def _first_error(answer: Any) -> Optional[_Error]:
    errors = answer.get("ietf-restconf:errors") if isinstance(answer, dict) else None
    listed = errors.get("error") if isinstance(errors, dict) else None
    if isinstance(listed, dict):
        listed = [listed]
    for error in listed if isinstance(listed, list) else []:
        if isinstance(error, dict):
            tag = str(error.get("error-tag", ""))
            return _Error(tag, f"{tag} {error.get('error-message', '')}")
    return None


def _refusal(
    url: str, path: str, response: requests.Response, error: Optional[_Error]
) -> ConnectorError:
    status = response.status_code
    about = f"{url} answered {status}: {error.message if error else response.reason}"
    if status == 401:
        return InvalidCredentials(about)
    if status == 403:
        return InsufficientPermission(f"the user may not read {path}: {about}")
    if status == 404:
        return UnexpectedResponse(
            f"{url} is not there (404, not in RESTCONF's words); is credentials.url the controller's?"
        )
    if status == 405:
        return NotReadable(about)
    if status in http.THROTTLED:
        return Throttled(about)
    if status >= 500 or status in http.TRANSIENT:
        return Unreachable(about)
    return UnexpectedResponse(about)


# --- the provider's functions -----------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Scope:
    """One controller, as far as its user may read it."""

    name: str
    session: Session = dataclasses.field(repr=False, compare=False)


def login(credentials: Credentials, poll: Poll) -> Session:
    """A session. Makes no call: every later one carries the credentials."""
    if not credentials.verify:
        poll.log.warn("TLS not verified", why="the account says verify: false")
    return Session(credentials, poll)


def scopes(session: Session) -> list[Scope]:
    return [Scope(session.name, session)]


def least_permissions(permissions: Iterable[str]) -> dict[str, Any]:
    """Rules of NACM (RFC 8341) that let a group read just these paths.

    What the user may not read is missing from responses, so a poll can't tell it from what does not exist.
    """
    rules = [
        {
            "name": f"read-{number}",
            "module-name": path.rpartition(":")[0].rpartition("/")[2],
            "path": path,
            "access-operations": "read",
            "action": "permit",
        }
        for number, path in enumerate(sorted(permissions), 1)
    ]
    name = "cmp-inventory"
    return {"ietf-netconf-acm:rule-list": [{"name": name, "group": [name], "rule": rules}]}


def classify(error: Exception) -> Optional[ConnectorError]:
    """The error that an exception of requests means; None for any other exception."""
    return sessions.classify(error, "the controller")


# --- reading a response -----------------------------------------------------------------------------


def lists(
    session: Session, module: str, *wanted: tuple[str, tuple[str, ...]]
) -> list[list[dict[str, Any]]]:
    """The entries of each wanted list: its path, and the names of the members that lead to it from the top.

    If none of the lists exists, the controller must at least have the YANG module that defines them. Otherwise
    it is another kind of controller or its URL is wrong: UnexpectedResponse.
    """
    results, any_exists = [], False
    for path, members in wanted:
        response = _read(session, path)
        any_exists = any_exists or bool(response)
        url = f"{session.root}/data/{path}"
        results.append(_entries(response, url, members) if response else [])
    if not any_exists and not session.has_model(module):
        paths = " and ".join(path for path, _ in wanted)
        raise UnexpectedResponse(
            f"{session.root}/data has neither {paths}, nor a YANG library that names {module}; "
            "is it a controller of this model?"
        )
    return results


def _read(session: Session, path: str) -> Optional[dict[str, Any]]:
    """The resource at the path or, if that can't be read, the nearest container above it that can."""
    steps = path.split("/")
    refused = []
    for length in range(len(steps), 0, -1):
        try:
            return session.read("/".join(steps[:length]))
        except NotReadable as error:
            refused.append(error)
    raise UnexpectedResponse(refused[0].message)


def _entries(document: dict[str, Any], url: str, members: tuple[str, ...]) -> list[dict[str, Any]]:
    """The list that ``members`` lead to. The document may begin with any of them; usually it is the last."""
    keys = [(depth, member(document, name)) for depth, name in enumerate(members)]
    depth, key = next(((depth, key) for depth, key in reversed(keys) if key), (0, None))
    if key is None:
        expected = " or ".join(repr(name) for name in reversed(members))
        raise UnexpectedResponse(f"{url}: the answer has no field {expected}")
    value = document[key]
    for name in members[depth + 1 :]:
        container = field({key: value}, key, dict) or {}
        key = member(container, name) or name
        value = container.get(key)
    return entries(value, members[-1])


def member(record: Mapping[str, Any], name: str) -> Optional[str]:
    """The record's key for this name, with a module's prefix or without; None if it has no such member."""
    return next((key for key in record if key.rpartition(":")[2] == name), None)


def entries(value: Any, name: str) -> list[dict[str, Any]]:
    """The entries of a list; an object stands for a list with one entry."""
    listed = [value] if isinstance(value, dict) else value
    if listed is None:
        return []
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise UnexpectedResponse(f"field {name!r} should be a list of objects")
    return listed


def within(record: Mapping[str, Any], *names: str) -> list[dict[str, Any]]:
    """The entries of a list in a record: the containers' names, then the list's. Empty if any is absent."""
    value: Any = record
    for name in names[:-1]:
        value = field(value, name, dict) or {}
    if not isinstance(value, Mapping):
        raise UnexpectedResponse(f"expected an object with {names[-1]!r}")
    return entries(value.get(names[-1]), names[-1])


def whole(record: Mapping[str, Any], name: str) -> Optional[int]:
    """A whole number, or its text: RFC 7951 writes 64-bit numbers as text."""
    value = record.get(name)
    if isinstance(value, str):
        if not re.fullmatch(rf"[0-9]{{1,{MOST_DIGITS}}}", value):
            raise UnexpectedResponse(f"field {name!r} should be a whole number")
        return int(value)
    return field(record, name, int)


def decimal(record: Mapping[str, Any], name: str) -> Optional[Decimal]:
    """A number that may have a fraction, or its text: RFC 7951 writes decimal64 as text."""
    value = record.get(name)
    if isinstance(value, str):
        if not re.fullmatch(rf"[0-9]{{1,{MOST_DIGITS}}}(\.[0-9]{{1,{MOST_DIGITS}}})?", value):
            raise UnexpectedResponse(f"field {name!r} should be a number")
        return Decimal(value)
    number = field(record, name, float)
    if number is not None and not 0 <= number < 10**MOST_DIGITS:
        raise UnexpectedResponse(f"field {name!r} should be a number")
    return None if number is None else Decimal(str(value))


def identity(record: Mapping[str, Any], name: str) -> Optional[str]:
    """The name of an identity (RFC 7951, 6.8), without a module's prefix."""
    value = field(record, name, str)
    return value.rpartition(":")[2] or None if value else None
