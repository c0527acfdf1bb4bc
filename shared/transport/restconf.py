"""RESTCONF (RFC 8040), as a client that only reads: login, one resource at a time, and what errors mean.

The providers of controllers with a standard YANG model (tapi, ietf_l2vpn) are this and their paths.

JSON is RFC 7951's: a member of another module than its parent's has the module's name before it, and a
64-bit number is text. Controllers differ in both, and some answer an object where a list has one entry:
``member``, ``entries`` and ``whole`` take either.

A list or container without content need not exist: 404, in RESTCONF's words. That it is the controller
that says so, and that it has the model at all, is proved by what else there is, or by its YANG library.
Some controllers wrap a list in the containers that it is in, and some answer 405 to a list, and only give the
container (RFC 8040, 3.5.3 leaves it to them whether a GET of a whole list works).

Access control (NACM, RFC 8341) leaves out what a user may not read, without a sign of it.
"""

import base64
import dataclasses
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Optional
from urllib.parse import urlsplit

import requests

from shared.engine.errors import (
    ConnectorError,
    InsufficientPermission,
    InvalidCredentials,
    InvalidEvent,
    Throttled,
    UnexpectedResponse,
    Unreachable,
)
from shared.engine.event import flag_credential, needed_credential, text_credential
from shared.records.fields import field
from shared.transport import http

ROOT = "/restconf"  # as in RFC 8040's examples; it may be any (OpenDaylight: /rests)
LIBRARIES = ("ietf-yang-library:yang-library", "ietf-yang-library:modules-state")  # RFC 8525, 7895
MOST_DIGITS = 20  # of an unsigned 64-bit number


# --- the account ----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Credentials:
    """The event's credentials; ``root`` is the API's, without a slash at its end."""

    root: str
    username: Optional[str]
    password: Optional[str] = dataclasses.field(repr=False)
    token: Optional[str] = dataclasses.field(repr=False)
    cacert: Optional[str]
    verify: bool


def credentials(raw: Mapping[str, Any], ambient: bool) -> Credentials:
    """The credentials of an event; see the README. There are no ambient ones.

    Either ``username`` and ``password`` (basic authentication) or ``token`` (a bearer's, RFC 6750).
    """
    root = _root(needed_credential(raw, "url"))
    username, token = text_credential(raw, "username"), text_credential(raw, "token")
    password = None
    if token and (username or text_credential(raw, "password")):
        raise InvalidEvent("credentials have both a token and a user: leave one of them out")
    if token and not re.fullmatch(r"[!-~]+", token):  # a word before it would escape the masking
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
    """The API's root: the URL as it is where it has a path, else the host's /restconf."""
    parts = http.checked_url(text, "url", "a controller or its RESTCONF root")
    path = parts.path.rstrip("/")
    if path.endswith("/data"):
        path = path[: -len("/data")].rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path or ROOT}"


class NotReadable(UnexpectedResponse):
    """The controller has the resource, and no GET of it (405); what it is in may be readable."""


# --- the session ----------------------------------------------------------------------------------


class Session:
    """What one poll asks of one controller."""

    def __init__(self, credentials: Credentials, poll: Any):
        self.root = credentials.root
        tls = http.trust(credentials.cacert, credentials.verify)
        self._web = http.session(poll.network, poll.traffic, verify=credentials.verify, tls=tls)
        self._web.headers["Authorization"] = _authorization(credentials)
        self._web.headers["Accept"] = "application/yang-data+json, application/json;q=0.9"
        self._web.headers["User-Agent"] = "cmp-connectors"

    @property
    def name(self) -> str:
        """The controller's host, and its port if it is told."""
        return urlsplit(self.root).netloc

    def read(self, path: str) -> Optional[dict[str, Any]]:
        """The resource at a path below ``/data/``; None where the controller says that it is not there."""
        url = f"{self.root}/data/{path}"
        response = self._web.get(url)
        if response.status_code == 204:
            return None
        if response.status_code == 200:
            answer = http.json_of(response)
            if isinstance(answer, dict):
                return answer
            raise UnexpectedResponse(f"{url} did not answer with a JSON object")
        error = _said(http.json_or_none(response))
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
    """All that is called ``name`` in the document."""
    if isinstance(value, list):
        return set().union(*map(_names, value))
    if not isinstance(value, dict):
        return set()
    own = {value["name"]} if isinstance(value.get("name"), str) else set()
    return own.union(*map(_names, value.values()))


@dataclasses.dataclass(frozen=True)
class _Error:
    """The first error of an answer, in RESTCONF's words (RFC 8040, 7.1)."""

    tag: str
    message: str


def _said(answer: Any) -> Optional[_Error]:
    errors = answer.get("ietf-restconf:errors") if isinstance(answer, dict) else None
    listed = errors.get("error") if isinstance(errors, dict) else None
    if isinstance(listed, dict):
        listed = [listed]
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, dict):
            tag = str(each.get("error-tag", ""))
            return _Error(tag, f"{tag} {each.get('error-message', '')}")
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
    """One controller: what its user may read."""

    name: str
    session: Session = dataclasses.field(repr=False, compare=False)


def login(credentials: Credentials, poll: Any) -> Session:
    """A session; calls nobody, for each call carries the credentials."""
    if not credentials.verify:
        poll.log.warn("TLS not verified", why="the account says verify: false")
    return Session(credentials, poll)


def scopes(session: Session) -> list[Scope]:
    return [Scope(session.name, session)]


def least_rights(permissions: Iterable[str]) -> dict[str, Any]:
    """Rules of NACM (RFC 8341) that let a group read just these paths.

    What a user may not read is left out of the answers, so that a poll can't tell it from nothing.
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
    """What a requests exception means; None for what is not requests'."""
    return http.classify(error, "the controller")


# --- reading an answer ------------------------------------------------------------------------------


def lists(
    session: Session, module: str, *asked: tuple[str, tuple[str, ...]]
) -> list[list[dict[str, Any]]]:
    """The entries of some lists, each by its path and the names of the members that lead to it from the top.

    Where none of them is there, the controller must have the module that they are of: else it is
    another one, or its URL is wrong (UnexpectedResponse).
    """
    found, there = [], False
    for path, members in asked:
        answer = _read(session, path)
        there = there or bool(answer)
        found.append(_entries(answer, f"{session.root}/data/{path}", members) if answer else [])
    if not there and not session.has_model(module):
        paths = " and ".join(path for path, _ in asked)
        raise UnexpectedResponse(
            f"{session.root}/data has neither {paths}, nor a YANG library that names {module}; "
            "is it a controller of this model?"
        )
    return found


def _read(session: Session, path: str) -> Optional[dict[str, Any]]:
    """The answer at the path, or where that can't be read, at the nearest container above it."""
    steps = path.split("/")
    refused = []
    for length in range(len(steps), 0, -1):
        try:
            return session.read("/".join(steps[:length]))
        except NotReadable as error:
            refused.append(error)
    raise UnexpectedResponse(refused[0].message)


def _entries(answer: dict[str, Any], url: str, members: tuple[str, ...]) -> list[dict[str, Any]]:
    """The list that ``members`` lead to; the answer begins with any of them, as a rule the last."""
    found = [(n, member(answer, name)) for n, name in enumerate(members)]
    depth, key = next((each for each in reversed(found) if each[1]), (0, None))
    if key is None:
        expected = " or ".join(repr(name) for name in reversed(members))
        raise UnexpectedResponse(f"{url}: the answer has no field {expected}")
    value = answer[key]
    for name in members[depth + 1 :]:
        container = field({key: value}, key, dict) or {}
        key = member(container, name) or name
        value = container.get(key)
    return entries(value, members[-1])


def member(record: Mapping[str, Any], name: str) -> Optional[str]:
    """The name as the record has it, with its module's before it or without; None where it has none."""
    return next((key for key in record if key.rpartition(":")[2] == name), None)


def entries(value: Any, name: str) -> list[dict[str, Any]]:
    """The entries of a list; one that is alone may stand for itself."""
    found = [value] if isinstance(value, dict) else value
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise UnexpectedResponse(f"field {name!r} should be a list of objects")
    return found


def within(record: Mapping[str, Any], *names: str) -> list[dict[str, Any]]:
    """The entries of a list in a record, in the containers of these names; empty where one is absent."""
    value: Any = record
    for name in names[:-1]:
        value = field(value, name, dict) or {}
    if not isinstance(value, Mapping):
        raise UnexpectedResponse(f"expected an object with {names[-1]!r}")
    return entries(value.get(names[-1]), names[-1])


def whole(record: Mapping[str, Any], name: str) -> Optional[int]:
    """A number of the model's; as text too, as RFC 7951 has it from 64 bits on."""
    value = record.get(name)
    if isinstance(value, str):
        if not re.fullmatch(rf"[0-9]{{1,{MOST_DIGITS}}}", value):
            raise UnexpectedResponse(f"field {name!r} should be a whole number")
        return int(value)
    return field(record, name, int)


def decimal(record: Mapping[str, Any], name: str) -> Optional[Decimal]:
    """A number of the model's that may have a fraction; as text, as RFC 7951 has a decimal64, or as a number."""
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
    """The name of an identity (RFC 7951, 6.8), without its module's before it."""
    value = field(record, name, str)
    return value.rpartition(":")[2] or None if value else None
