"""Juju: a small client of the controller's API over its WebSocket; it only reads.

A poll logs in to the controller, lists the models, and of each model reads what ``juju status`` shows,
on a connection of that model's own. There are no watchers and nothing reconnects by itself: each poll
is fresh. Juju 2.5 to 4.0: facade versions are those that both sides know.

The controller has a CA of its own, and a certificate without its address but always with the name
juju-apiserver: with the account's ``ca_cert`` that name is what is checked.
"""

import base64
import binascii
import contextlib
import dataclasses
import hashlib
import re
import ssl
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Callable, Optional, TypeVar

from shared import vca
from shared.engine.deadline import Deadline
from shared.engine.errors import (
    Absent,
    ConnectorError,
    InsufficientPermission,
    InvalidCredentials,
    InvalidEvent,
    Throttled,
    UnexpectedResponse,
    Unreachable,
)
from shared.engine.event import flag_credential, needed_credential, text_credential
from shared.records.fields import field, items, needed, objects
from shared.transport import http, websocket
from shared.transport.websocket import Failed

T = TypeVar("T")

CONTROLLER = "/api"
# The versions whose parameters and answers are as this file takes them to be.
VERSIONS = {"Admin": {3}, "Client": set(range(1, 9)), "ModelManager": set(range(4, 12))}

_ENDPOINT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+):(\d{1,5})")
# A tag that is none is throttled as if an agent had sent it, so it is not sent.
_USER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.+-]*[A-Za-z0-9])?(?:@[A-Za-z0-9.-]+)?")
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
# OpenSSL's numbers of "self-signed", "issuer not known" and, since each controller gives its CA the same
# name, "not signed by the CA of that name"
_FOREIGN = (7, 18, 19, 20, 21)
_PASSING = {
    "deadline exceeded",
    "excessive contention",
    "model migration in progress",
    "not yet available; try again later",
    "try again",
    "upgrade in progress",
}
_REJECTED = {
    "login expired",
    "macaroon discharge required",
    "no credentials provided",
    "session token invalid",
}


@dataclasses.dataclass(frozen=True)
class Place:
    """A controller: where it is, and how it proves to be it."""

    endpoints: tuple[str, ...]
    tls: ssl.SSLContext = dataclasses.field(repr=False, compare=False)
    server_name: Optional[str]  # None: the endpoint's own name
    trusts: str  # for messages


@dataclasses.dataclass(frozen=True)
class Credentials:
    """The event's credentials, checked."""

    place: Place
    username: str
    password: str = dataclasses.field(repr=False)
    models: tuple[str, ...]
    verify: bool
    follow_redirect: bool


def credentials(raw: Mapping[str, Any], ambient: bool) -> Credentials:
    """The credentials of an event; see the README. None are taken from the host."""
    endpoints = _texts(raw, "endpoint")
    for endpoint in endpoints:
        found = _ENDPOINT.fullmatch(endpoint)
        if not found or not http.usable_host(found[1]) or not 0 < int(found[2]) < 65536:
            raise InvalidEvent("credentials.endpoint should be host:port, or a list of such")
    if not endpoints:
        raise InvalidEvent("credentials.endpoint is missing or empty; expected host:port")
    username = needed_credential(raw, "username")
    if not _USER.fullmatch(username):
        raise InvalidEvent("credentials.username should be the name of a Juju user")
    verify = flag_credential(raw, "verify", True)
    server_name = text_credential(raw, "tls_server_name")
    if server_name and not http.usable_host(server_name):
        raise InvalidEvent("credentials.tls_server_name should be a host's name")
    return Credentials(
        place=_place(endpoints, text_credential(raw, "ca_cert"), verify, server_name),
        username=username,
        password=needed_credential(raw, "password"),
        models=_texts(raw, "models"),
        verify=verify,
        follow_redirect=flag_credential(raw, "follow_redirect", False),
    )


def _texts(raw: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = raw.get(name) or []
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise InvalidEvent(f"credentials.{name} should be text or a list of texts")
    return tuple(each.strip() for each in given if each.strip())


def _place(
    endpoints: tuple[str, ...], ca_cert: Optional[str], verify: bool, server_name: Optional[str]
) -> Place:
    certificates = _certificates(ca_cert) if ca_cert else []
    try:
        tls = ssl.create_default_context(cadata=b"".join(certificates) or None)
    except (ssl.SSLError, ValueError):
        raise InvalidEvent("credentials.ca_cert holds no usable certificate") from None
    # Python 3.13 asks more of a CA than Go does, with which Juju makes its own
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    if not ca_cert:
        return Place(endpoints, tls, server_name, "the system's CAs; credentials.ca_cert is empty")
    digests = ", ".join(hashlib.sha256(each).hexdigest()[:16] for each in certificates)
    trusts = f"the CA whose SHA-256 fingerprint begins with {digests}"
    return Place(endpoints, tls, server_name or "juju-apiserver", trusts)


def _certificates(given: str) -> list[bytes]:
    """The certificates in PEM or in base64 of PEM, each in DER.

    OSM hands over base64, of a PEM whose line breaks may be the two characters backslash and n; some
    consoles make blanks of them. Anything else in the text (a private key) is not looked at.
    """
    try:
        text = given.replace("\\n", "\n")
        if "-----BEGIN" not in text:
            packed = "".join(text.split()).rstrip("=")
            packed += "=" * (-len(packed) % 4)
            text = base64.b64decode(packed, validate=True).decode("ascii").replace("\\n", "\n")
        found = _CERTIFICATE.findall(text)
        certificates = [base64.b64decode("".join(each.split()), validate=True) for each in found]
    except (binascii.Error, ValueError):
        certificates = []
    if not certificates:
        raise InvalidEvent(
            "credentials.ca_cert should be the controller's CA certificate, as PEM or as base64 of PEM"
        )
    return certificates


# --- calls ----------------------------------------------------------------------------------------


class Refused(Exception):
    """The controller answered a call with an error of its own."""

    def __init__(self, call: str, answer: Mapping[str, Any], right: str):
        self.call = call
        self.right = right  # what the call needs, for messages
        self.message = str(answer.get("error")).strip()
        self.code = str(answer.get("error-code") or self.message)
        self.info = answer.get("error-info")
        super().__init__(f"{call}: {self.message}")

    @property
    def passes(self) -> bool:
        said = self.message
        return self.code in _PASSING or said in _PASSING or "maintenance in progress" in said

    @property
    def model_is_gone(self) -> bool:
        # only of the model: "not found" may also be of a machine that was removed meanwhile
        return self.code == "model not found" or self.message.startswith("unknown model")


class Connection:
    """A WebSocket to the controller or to one of its models."""

    def __init__(self, opened: websocket.Wire, session: "Session", path: str, retry: bool):
        self._wire = opened
        self._session = session
        self._path = path
        self._retry = retry
        self._number = 0
        self._facades: dict[str, set[Any]] = {"Admin": {3}}
        self.login: dict[str, Any] = {}

    def log_in(self) -> None:
        given = self._session.credentials
        asked = {"auth-tag": f"user-{given.username}", "credentials": given.password}
        answer = self.call("Admin", "Login", asked)
        if answer.get("discharge-required") or answer.get("bakery-discharge-required"):
            raise InvalidCredentials(
                "the controller wants a macaroon: only users with a password of their own are "
                "supported, none of an external identity provider"
            )
        for facade in objects(answer, "facades"):
            self._facades[needed(facade, "name", str)] = set(items(facade, "versions", int))
        self.login = answer

    def call(self, facade: str, request: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one request, at the highest version of the facade that both sides know."""
        called = f"{facade}.{request}"
        theirs = self._facades.get(facade, set())
        versions = VERSIONS[facade] & theirs
        if not versions:
            raise UnexpectedResponse(
                f"the controller offers {facade} in versions {_listed(theirs)}, "
                f"and this connector knows {_listed(VERSIONS[facade])}"
            )
        self._number += 1
        self._session.traffic.count(retry=self._retry)
        self._wire.send(
            {
                "request-id": self._number,
                "type": facade,
                "version": max(versions),
                "request": request,
                "params": params,
            }
        )
        answer = self._wire.receive()
        while answer.get("request-id") != self._number:
            answer = self._wire.receive()
        if answer.get("error"):
            raise Refused(called, answer, _right(self._session.credentials, self._path))
        response = answer.get("response")
        if not isinstance(response, dict):
            raise UnexpectedResponse(f"the answer of {called} has no 'response'")
        return response

    def close(self) -> None:
        self._wire.close()


class Session:
    """One poll's account; ``controller`` is the answer to the login, ``models`` are what is polled."""

    def __init__(self, credentials: Credentials, poll: Any):
        self.credentials = credentials
        self.deadline: Deadline = poll.deadline
        self.network = poll.network
        self.traffic = poll.traffic
        self.log = poll.log
        self.models: dict[str, Scope] = {}  # by name
        self._answered: Optional[str] = None  # the endpoint that did last; it is tried first
        self._kept: Optional[Connection] = None
        opened = self._retrying(lambda retry: self._open(CONTROLLER, retry))
        self.controller = opened.login
        self._kept = opened

    def call(self, path: str, facade: str, request: str, params: Mapping[str, Any]) -> Any:
        """The answer of one call; one to the controller goes over the login's connection first."""

        def once(retry: bool) -> dict[str, Any]:
            connection = self._take() if path == CONTROLLER else None
            with contextlib.closing(connection or self._open(path, retry)) as opened:
                return opened.call(facade, request, params)

        return self._retrying(once)

    def close(self) -> None:
        """Close the login's connection: a controller has but so many."""
        kept = self._take()
        if kept:
            kept.close()

    def _take(self) -> Optional[Connection]:
        kept, self._kept = self._kept, None
        return kept

    def _retrying(self, action: Callable[[bool], T]) -> T:
        attempt = 0
        while True:
            self.deadline.check("the controller")
            attempt += 1
            try:
                return action(attempt > 1)
            except (Failed, Refused) as error:
                delay = http.delay_before_retry(attempt, self.deadline) if error.passes else None
                if delay is None:
                    raise
            self.network.pause(delay)

    def _open(self, path: str, retry: bool) -> Connection:
        try:
            return self._open_at(self.credentials.place, path, retry)
        except Refused as refused:
            if refused.code != "redirection required":
                raise
            moved = self._moved_to(refused)
        try:
            return self._open_at(moved, path, retry)
        except Refused as refused:
            if refused.code != "redirection required":
                raise
            raise UnexpectedResponse(
                f"{', '.join(moved.endpoints)} redirects too, to {', '.join(_addresses(refused.info))}"
            ) from None

    def _open_at(self, place: Place, path: str, retry: bool) -> Connection:
        """A connection that is logged in, to the first endpoint that can be had."""
        failures: list[Failed] = []
        for endpoint in sorted(place.endpoints, key=lambda each: each != self._answered):
            try:
                connection = self._log_in_at(place, endpoint, path, retry)
            except Failed as failure:
                failures.append(failure)
            else:
                self._answered = endpoint
                return connection
        kinds = {type(each.error) for each in failures}
        kind = kinds.pop() if len(kinds) == 1 else Unreachable
        about = "; ".join(each.error.message for each in failures)
        raise Failed(kind(about), any(each.passes for each in failures))

    def _log_in_at(self, place: Place, endpoint: str, path: str, retry: bool) -> Connection:
        try:
            opened = websocket.connect(endpoint, path, place.tls, place.server_name, self.network)
        except ssl.SSLCertVerificationError as error:
            raise Failed(_mistrusted(place, endpoint, error), False) from None
        connection = Connection(opened, self, path, retry)
        try:
            try:
                connection.log_in()
            except Refused as refused:
                if refused.code == "redirection required" and not _addresses(refused.info):
                    refused.info = connection.call("Admin", "RedirectInfo", {})  # JAAS, as it was
                raise
        except BaseException:
            connection.close()
            raise
        return connection

    def _moved_to(self, refused: Refused) -> Place:
        """The other controller that has the model now; the password goes there only if it may."""
        info = refused.info if isinstance(refused.info, dict) else {}
        endpoints = _addresses(info)
        if not endpoints:
            raise UnexpectedResponse("a redirect to another controller does not say where to")
        if not self.credentials.follow_redirect:
            alias = field(info, "controller-alias", str)
            raise InvalidEvent(
                f"this has moved to another controller{f' ({alias})' if alias else ''}: "
                f"{', '.join(endpoints)}; poll it there, or set credentials.follow_redirect"
            )
        ca_cert = field(info, "ca-cert", str)
        if not ca_cert:
            return dataclasses.replace(self.credentials.place, endpoints=endpoints)
        try:
            return _place(endpoints, ca_cert, self.credentials.verify, None)
        except InvalidEvent:
            raise UnexpectedResponse("a redirect's 'ca-cert' is no certificate") from None


def _mistrusted(place: Place, endpoint: str, error: ssl.SSLCertVerificationError) -> ConnectorError:
    about = f"TLS with {endpoint} failed: {error.verify_message}"
    if error.verify_code in _FOREIGN:
        return InvalidCredentials(
            f"{about}; its certificate is not signed by what the account trusts: {place.trusts}"
        )
    return Unreachable(f"{about} (expected name: {place.server_name or 'that of the endpoint'})")


def _addresses(info: Any) -> tuple[str, ...]:
    """The endpoints in a redirect, public ones first, none that only the controller itself reaches."""
    found = []
    for server in (info.get("servers") if isinstance(info, dict) else None) or []:
        for address in server if isinstance(server, list) else []:
            scope = field(address, "scope", str) or ""
            if scope not in ("local-machine", "link-local"):
                host, port = needed(address, "value", str), needed(address, "port", int)
                if not http.usable_host(host) or not 0 < port < 65536:
                    raise UnexpectedResponse("a redirect names an address that is none")
                host = f"[{host}]" if ":" in host else host
                found.append((scope != "public", f"{host}:{port}"))
    return tuple(dict.fromkeys(endpoint for _, endpoint in sorted(found, key=lambda e: e[0])))


# --- what the engine calls --------------------------------------------------------------------------


class _Reading:
    """What was read of a model already, since another one asked what it offers."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.unused: Optional[dict[str, Any]] = None  # a status that nobody took yet
        self.offers: Optional[dict[str, Any]] = None


@dataclasses.dataclass(frozen=True)
class Scope:
    """A model; ``name`` is owner/model (Juju 4: qualifier/model), ``summary`` its row of the list."""

    name: str
    uuid: str
    summary: Mapping[str, Any] = dataclasses.field(repr=False, compare=False)
    session: Session = dataclasses.field(repr=False, compare=False)
    _reading: _Reading = dataclasses.field(default_factory=_Reading, repr=False, compare=False)

    def status(self) -> dict[str, Any]:
        """All that ``juju status`` shows, in one call. ``Absent`` where the model is gone by now."""
        reading = self._reading
        with reading.lock:
            answer, reading.unused = reading.unused, None
            if answer is None:
                answer = self._ask()
            return answer

    def offers(self) -> dict[str, Any]:
        """The model's ``offers``, for a scope that takes one of them; still one call a model."""
        reading = self._reading
        with reading.lock:
            if reading.offers is None:
                reading.unused = self._ask()
            return reading.offers or {}

    def _ask(self) -> dict[str, Any]:
        everything: dict[str, Any] = {"patterns": []}
        path = f"/model/{self.uuid}/api"
        try:
            answer = self.session.call(path, "Client", "FullStatus", everything)
        except Refused as refused:
            if refused.model_is_gone:
                raise Absent("the model was destroyed after it was listed") from None
            raise
        needed(answer, "model", dict)
        for each in vca.unreadable(answer):
            raise UnexpectedResponse(f"Client.FullStatus: {each}")
        self._reading.offers = field(answer, "offers", dict) or {}
        return answer


def login(credentials: Credentials, poll: Any) -> Session:
    """A session with a connection that is logged in to the controller."""
    if not credentials.verify:
        poll.log.warn("TLS not verified", why="the account says verify: false")
    return Session(credentials, poll)


def scopes(session: Session) -> list[Scope]:
    """The models that the user may see, or those of the account's ``models``, sorted by name.

    A superuser may see all and has to ask for that; others would be refused.
    """
    user = needed(session.controller, "user-info", dict)
    _has(user, "controller-access", "Admin.Login")
    everybodys = field(user, "controller-access", str) == "superuser"
    name = session.credentials.username
    asked = {"user-tag": f"user-{name}", "all": everybodys}
    try:
        answer = session.call(CONTROLLER, "ModelManager", "ListModelSummaries", asked)
    finally:
        session.close()
    _has(answer, "results", "ModelManager.ListModelSummaries")  # null where there is no model
    found = []
    for row in objects(answer, "results"):
        error = field(row, "error", dict) or {}
        if error.get("message"):
            as_answer = {"error": error.get("message"), "error-code": error.get("code")}
            right = (
                f"user {session.credentials.username} needs read access to one of the models listed"
            )
            refused = Refused("ModelManager.ListModelSummaries", as_answer, right)
            if refused.model_is_gone:
                continue
            raise refused
        found.append(_scope(needed(row, "result", dict), session))
    found.sort(key=lambda scope: scope.name)
    wanted = _wanted(found, session.credentials)
    session.models = {scope.name: scope for scope in wanted}
    return wanted


def _has(answer: Mapping[str, Any], name: str, call: str) -> None:
    """Refuse an answer without a field that Juju writes in any case, if only as null or empty."""
    if name not in answer:
        raise UnexpectedResponse(f"{call}: field {name!r} is missing")


def _scope(summary: Mapping[str, Any], session: Session) -> Scope:
    owner = field(summary, "qualifier", str)  # Juju 4
    if not owner:
        owner = needed(summary, "owner-tag", str)
        owner = owner[len("user-") :] if owner.startswith("user-") else owner
        owner = owner[: -len("@local")] if owner.endswith("@local") else owner  # Juju 2
    name = f"{owner}/{needed(summary, 'name', str)}"
    return Scope(name, needed(summary, "uuid", str), summary, session)


def _wanted(found: list[Scope], credentials: Credentials) -> list[Scope]:
    if not credentials.models:
        return found
    wanted = set()
    for model in credentials.models:
        named = [s for s in found if model in (s.uuid, s.name, s.name.rpartition("/")[2])]
        if not named:
            raise InvalidEvent(
                f"credentials.models names {model!r}, which is not among the models that user "
                f"{credentials.username} may see ({', '.join(s.name for s in found) or 'none'})"
            )
        if len(named) > 1:
            raise InvalidEvent(
                f"credentials.models names {model!r}, which may be "
                f"{' or '.join(s.name for s in named)}: give it with its owner"
            )
        wanted.add(named[0].uuid)
    return [scope for scope in found if scope.uuid in wanted]


def account(session: Session) -> str:
    """The controller's id and the user."""
    session.close()
    tag = field(session.controller, "controller-tag", str) or "a controller"
    return f"{tag} ({session.credentials.username})"


def least_rights(permissions: Iterable[str]) -> dict[str, Any]:
    """What to grant a user of its own. (``offers`` are only shown to who has admin on the model.)"""
    levels = dict(each.split(" ", 1) for each in permissions)
    return {
        "controller": levels.get("controller", "login"),
        "each model": levels.get("model", "read"),
        "commands": [
            "juju add-user USER",
            f"juju grant USER {levels.get('model', 'read')} MODEL [MODEL ...]",
        ],
    }


def classify(error: Exception) -> Optional[ConnectorError]:
    """What the controller's refusal means; None for what is not ours."""
    if isinstance(error, Failed):
        return error.error
    if not isinstance(error, Refused):
        return None
    about = f"{error.call}: {error.message}"
    if error.code == "unauthorized access" and "entity name or password" in error.message:
        return InvalidCredentials(about)
    if error.code in _REJECTED or error.message.startswith("no credentials provided"):
        return InvalidCredentials(about)
    if error.code in ("unauthorized access", "access required", "forbidden"):
        return InsufficientPermission(f"{about}; {error.right}")
    if error.code == "try again":
        return Throttled(about)
    if error.passes:
        return Unreachable(about)
    code = f" ({error.code})" if error.code != error.message else ""
    return UnexpectedResponse(about + code)


def _right(credentials: Credentials, path: str) -> str:
    access = "login to the controller" if path == CONTROLLER else "read access to the model"
    return f"user {credentials.username} needs {access}"


def _listed(versions: Iterable[Any]) -> str:
    return ", ".join(map(str, sorted(versions))) or "none"
