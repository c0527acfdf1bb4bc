"""A connection to a controller or to one of its models, logged in; and what the controller's errors mean.

Supports Juju 2.5 to 4.0. Facades are called at the highest version that both sides know.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from shared.engine.errors import (
    ConnectorError,
    InsufficientPermission,
    InvalidCredentials,
    Throttled,
    UnexpectedResponse,
    Unreachable,
)
from shared.engine.traffic import Traffic
from shared.providers.juju.controller import Credentials
from shared.records.fields import items, needed, objects
from shared.transport.websocket import ConnectionFailed, JsonWebSocket

CONTROLLER = "/api"
# The versions of facades whose parameters and responses are known to be as this package expects them.
VERSIONS = {"Admin": {3}, "Client": set(range(1, 9)), "ModelManager": set(range(4, 12))}
_TRANSIENT = {
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


class Refused(Exception):
    """The controller answered a call with an error."""

    def __init__(self, call: str, response: Mapping[str, Any], permission: str):
        self.call = call
        self.permission = permission  # what the call needs, for messages
        self.message = str(response.get("error")).strip()
        self.code = str(response.get("error-code") or self.message)
        self.info = response.get("error-info")
        super().__init__(f"{call}: {self.message}")

    @property
    def transient(self) -> bool:
        """Whether another attempt may succeed."""
        message = self.message
        return (
            self.code in _TRANSIENT or message in _TRANSIENT or "maintenance in progress" in message
        )

    @property
    def model_is_gone(self) -> bool:
        # "not found" alone may also be about a machine that was removed meanwhile
        return self.code == "model not found" or self.message.startswith("unknown model")


class Connection:
    """A WebSocket to the controller or to one of its models; ``login`` is the response to the login."""

    def __init__(
        self,
        websocket: JsonWebSocket,
        credentials: Credentials,
        traffic: Traffic,
        path: str,
        retry: bool,
    ):
        self._websocket = websocket
        self._credentials = credentials
        self._traffic = traffic
        self._path = path
        self._retry = retry
        self._number = 0
        self._facades: dict[str, set[Any]] = {"Admin": {3}}
        self.login: dict[str, Any] = {}

    def log_in(self) -> None:
        user = self._credentials
        params = {"auth-tag": f"user-{user.username}", "credentials": user.password}
        login = self.call("Admin", "Login", params)
        if login.get("discharge-required") or login.get("bakery-discharge-required"):
            raise InvalidCredentials(
                "the controller wants a macaroon: only users with a password of their own are "
                "supported, none of an external identity provider"
            )
        for facade in objects(login, "facades"):
            self._facades[needed(facade, "name", str)] = set(items(facade, "versions", int))
        self.login = login

    def call(self, facade: str, request: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The response to one request, at the highest version of the facade that both sides know."""
        call = f"{facade}.{request}"
        offered = self._facades.get(facade, set())
        versions = VERSIONS[facade] & offered
        if not versions:
            raise UnexpectedResponse(
                f"the controller offers {facade} in versions {_listed(offered)}, "
                f"and this connector knows {_listed(VERSIONS[facade])}"
            )
        self._number += 1
        self._traffic.count(retry=self._retry)
        self._websocket.send(
            {
                "request-id": self._number,
                "type": facade,
                "version": max(versions),
                "request": request,
                "params": params,
            }
        )
        message = self._websocket.receive()
        while message.get("request-id") != self._number:
            message = self._websocket.receive()
        if message.get("error"):
            raise Refused(call, message, _permission(self._credentials, self._path))
        response = message.get("response")
        if not isinstance(response, dict):
            raise UnexpectedResponse(f"the answer of {call} has no 'response'")
        return response

    def close(self) -> None:
        self._websocket.close()


def classify(error: Exception) -> Optional[ConnectorError]:
    """The error that an exception of this package means; None for any other exception."""
    if isinstance(error, ConnectionFailed):
        return error.error
    if not isinstance(error, Refused):
        return None
    about = f"{error.call}: {error.message}"
    if error.code == "unauthorized access" and "entity name or password" in error.message:
        return InvalidCredentials(about)
    if error.code in _REJECTED or error.message.startswith("no credentials provided"):
        return InvalidCredentials(about)
    if error.code in ("unauthorized access", "access required", "forbidden"):
        return InsufficientPermission(f"{about}; {error.permission}")
    if error.code == "try again":
        return Throttled(about)
    if error.transient:
        return Unreachable(about)
    code = f" ({error.code})" if error.code != error.message else ""
    return UnexpectedResponse(about + code)


def _permission(credentials: Credentials, path: str) -> str:
    access = "login to the controller" if path == CONTROLLER else "read access to the model"
    return f"user {credentials.username} needs {access}"


def _listed(versions: Iterable[Any]) -> str:
    return ", ".join(map(str, sorted(versions))) or "none"
