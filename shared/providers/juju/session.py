"""A session with a controller: logged-in connections, retries, redirects, and the full status of each model."""

import contextlib
import dataclasses
import ssl
import threading
from collections.abc import Mapping
from typing import Any, Callable, Optional, TypeVar

from shared import vca
from shared.engine.contracts import Poll
from shared.engine.deadline import Deadline
from shared.engine.errors import (
    Absent,
    ConnectorError,
    InvalidCredentials,
    InvalidEvent,
    UnexpectedResponse,
    Unreachable,
)
from shared.providers.juju.connection import CONTROLLER, Connection, Refused
from shared.providers.juju.controller import Controller, Credentials, controller_at
from shared.records.fields import field, needed
from shared.transport import http, websocket
from shared.transport.websocket import ConnectionFailed

T = TypeVar("T")

# OpenSSL's codes for "self-signed", for "unknown issuer" and, since every controller gives its CA the same
# name, for "not signed by the CA of that name".
_WRONG_CA = (7, 18, 19, 20, 21)


class Session:
    """One poll's session. ``controller`` is the response to the login; ``models`` are polled."""

    def __init__(self, credentials: Credentials, poll: Poll):
        self.credentials = credentials
        self.deadline: Deadline = poll.deadline
        self.network = poll.network
        self.traffic = poll.traffic
        self.log = poll.log
        self.models: dict[str, Scope] = {}  # by name
        self._reachable: Optional[str] = None  # the last endpoint that answered; it is tried first
        self._idle: Optional[Connection] = None
        connection = self._retrying(lambda retry: self._open(CONTROLLER, retry))
        self.controller = connection.login
        self._idle = connection

    def call(self, path: str, facade: str, request: str, params: Mapping[str, Any]) -> Any:
        """The response to one call. The first call to the controller uses the connection of the login."""

        def once(retry: bool) -> dict[str, Any]:
            idle = self._take() if path == CONTROLLER else None
            with contextlib.closing(idle or self._open(path, retry)) as connection:
                return connection.call(facade, request, params)

        return self._retrying(once)

    def close(self) -> None:
        """Close the connection of the login: a controller allows only so many."""
        idle = self._take()
        if idle:
            idle.close()

    def _take(self) -> Optional[Connection]:
        idle, self._idle = self._idle, None
        return idle

    def _retrying(self, action: Callable[[bool], T]) -> T:
        attempt = 0
        while True:
            self.deadline.check("the controller")
            attempt += 1
            try:
                return action(attempt > 1)
            except (ConnectionFailed, Refused) as error:
                delay = http.delay_before_retry(attempt, self.deadline) if error.transient else None
                if delay is None:
                    raise
                why = "no usable answer" if isinstance(error, ConnectionFailed) else "try again"
            http.announce_retry(self.traffic, attempt, delay, why)
            self.network.pause(delay)

    def _open(self, path: str, retry: bool) -> Connection:
        try:
            return self._open_at(self.credentials.controller, path, retry)
        except Refused as refused:
            if refused.code != "redirection required":
                raise
            other = self._moved_to(refused)
        try:
            return self._open_at(other, path, retry)
        except Refused as refused:
            if refused.code != "redirection required":
                raise
            raise UnexpectedResponse(
                f"{', '.join(other.endpoints)} redirects too, to {', '.join(_addresses(refused.info))}"
            ) from None

    def _open_at(self, controller: Controller, path: str, retry: bool) -> Connection:
        """A connection that is logged in, to the first endpoint that can be reached."""
        failures: list[ConnectionFailed] = []
        for endpoint in sorted(
            controller.endpoints, key=lambda endpoint: endpoint != self._reachable
        ):
            try:
                connection = self._log_in_at(controller, endpoint, path, retry)
            except ConnectionFailed as failure:
                failures.append(failure)
            else:
                self._reachable = endpoint
                return connection
        kinds = {type(failure.error) for failure in failures}
        kind = kinds.pop() if len(kinds) == 1 else Unreachable
        about = "; ".join(failure.error.message for failure in failures)
        raise ConnectionFailed(kind(about), any(failure.transient for failure in failures))

    def _log_in_at(
        self, controller: Controller, endpoint: str, path: str, retry: bool
    ) -> Connection:
        try:
            opened = websocket.connect(
                endpoint, path, controller.tls, controller.server_name, self.network
            )
        except ssl.SSLCertVerificationError as error:
            raise ConnectionFailed(_untrusted(controller, endpoint, error), False) from None
        connection = Connection(opened, self.credentials, self.traffic, path, retry)
        try:
            try:
                connection.log_in()
            except Refused as refused:
                if refused.code == "redirection required" and not _addresses(refused.info):
                    # older JAAS controllers tell only on request
                    refused.info = connection.call("Admin", "RedirectInfo", {})
                raise
        except BaseException:
            connection.close()
            raise
        return connection

    def _moved_to(self, refused: Refused) -> Controller:
        """The controller that the model has moved to.

        Raises InvalidEvent unless the account allows sending the password there.
        """
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
            return dataclasses.replace(self.credentials.controller, endpoints=endpoints)
        try:
            return controller_at(endpoints, ca_cert, self.credentials.verify, None)
        except InvalidEvent:
            raise UnexpectedResponse("a redirect's 'ca-cert' is no certificate") from None


def _untrusted(
    controller: Controller, endpoint: str, error: ssl.SSLCertVerificationError
) -> ConnectorError:
    about = f"TLS with {endpoint} failed: {error.verify_message}"
    if error.verify_code in _WRONG_CA:
        return InvalidCredentials(
            f"{about}; its certificate is not signed by what the account trusts: {controller.trusts}"
        )
    return Unreachable(
        f"{about} (expected name: {controller.server_name or 'that of the endpoint'})"
    )


def _addresses(info: Any) -> tuple[str, ...]:
    """The endpoints in a redirect, public ones first, without those that only the controller itself can reach."""
    endpoints = []
    for server in (info.get("servers") if isinstance(info, dict) else None) or []:
        for address in server if isinstance(server, list) else []:
            scope = field(address, "scope", str) or ""
            if scope not in ("local-machine", "link-local"):
                host, port = needed(address, "value", str), needed(address, "port", int)
                if not http.usable_host(host) or not 0 < port < 65536:
                    raise UnexpectedResponse("a redirect names an address that is none")
                host = f"[{host}]" if ":" in host else host
                endpoints.append((scope != "public", f"{host}:{port}"))
    return tuple(dict.fromkeys(endpoint for _, endpoint in sorted(endpoints, key=lambda e: e[0])))


# --- models -----------------------------------------------------------------------------------------


class _Cache:
    """What was already read of a model because another model uses its offers."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.unused: Optional[dict[str, Any]] = None  # a full status that was not handed out yet
        self.offers: Optional[dict[str, Any]] = None


@dataclasses.dataclass(frozen=True)
class Scope:
    """A model. ``name`` is owner/model (Juju 4: qualifier/model), ``summary`` its entry in the list of models."""

    name: str
    uuid: str
    summary: Mapping[str, Any] = dataclasses.field(repr=False, compare=False)
    session: Session = dataclasses.field(repr=False, compare=False)
    _cache: _Cache = dataclasses.field(default_factory=_Cache, repr=False, compare=False)

    def status(self) -> dict[str, Any]:
        """All that ``juju status`` shows, in one call. Raises Absent if the model is gone by now."""
        cache = self._cache
        with cache.lock:
            status, cache.unused = cache.unused, None
            return self._read() if status is None else status

    def offers(self) -> dict[str, Any]:
        """The model's ``offers``, for a model that uses one of them. It remains one call a model."""
        cache = self._cache
        with cache.lock:
            if cache.offers is None:
                cache.unused = self._read()
            return cache.offers or {}

    def _read(self) -> dict[str, Any]:
        everything: dict[str, Any] = {"patterns": []}
        path = f"/model/{self.uuid}/api"
        try:
            status: dict[str, Any] = self.session.call(path, "Client", "FullStatus", everything)
        except Refused as refused:
            if refused.model_is_gone:
                raise Absent("the model was destroyed after it was listed") from None
            raise
        needed(status, "model", dict)
        for message in vca.unreadable(status):
            raise UnexpectedResponse(f"Client.FullStatus: {message}")
        self._cache.offers = field(status, "offers", dict) or {}
        return status
