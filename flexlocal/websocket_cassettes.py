"""Recorded exchanges over WebSockets: what a cassette holds beside the HTTP ones.

``shared.transport.websocket.connect`` is where every such connection is opened, so its place is taken: no socket is
opened in a replay. A cassette has them under ``websockets``, in the order in which they were opened::

    websockets:
    - endpoint: 127.0.0.1:17071
      messages:
      - sent: {request-id: 1, type: Admin, request: Login, ...}
      - received: {request-id: 1, response: ...}
      path: /api

A message is the JSON object that it was, without its secrets. A connection that broke off is not kept: what
was tried again is. A replay answers a connection to the same endpoint and path, message by message as they
were; one may close before its end, and what it then did not ask for counts as unused.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any
from unittest import mock

from shared.transport import websocket

REDACTED = "REDACTED"
# As Juju's API calls them, in requests and answers.
_SECRETS = {
    "bakery-discharge-required",
    "client-secret",
    "credentials",
    "discharge-required",
    "macaroons",
    "password",
    "token",
}


class NotRecorded(BaseException):
    """A request that the cassette has no answer to.

    No ``Exception``, since it must not be taken for a network error and tried again.
    """


def scrubbed(value: Any) -> Any:
    """The message without its secrets; an empty one is none."""
    if isinstance(value, list):
        return [scrubbed(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: REDACTED if name in _SECRETS and each else scrubbed(each)
        for name, each in value.items()
    }


# --- recording ------------------------------------------------------------------------------------


@contextlib.contextmanager
def record() -> Iterator[list[dict[str, Any]]]:
    """Gives the list that the connections are in, once the block ended."""
    connect = websocket.connect
    recorders: list[_Recorder] = []
    kept: list[dict[str, Any]] = []

    def recording(endpoint: str, path: str, *others: Any) -> Any:
        recorders.append(_Recorder(connect(endpoint, path, *others), endpoint, path))
        return recorders[-1]

    with mock.patch.object(websocket, "connect", recording):
        yield kept
    for each in recorders:
        if not each.broken:
            connection = {"endpoint": each.endpoint, "path": each.path, "messages": each.messages}
            kept.append(connection)


class _Recorder:
    """A ``JsonWebSocket`` that records its messages."""

    def __init__(self, opened: websocket.JsonWebSocket, endpoint: str, path: str):
        self._websocket = opened
        self.endpoint = endpoint
        self.path = path
        self.messages: list[dict[str, Any]] = []
        self.broken = True  # until it was closed after whole exchanges

    def send(self, message: dict[str, Any]) -> None:
        self.messages.append({"sent": scrubbed(message)})
        self._websocket.send(message)

    def receive(self) -> dict[str, Any]:
        message = self._websocket.receive()
        self.messages.append({"received": scrubbed(message)})
        return message

    def close(self) -> None:
        self._websocket.close()
        self.broken = not self.messages or "received" not in self.messages[-1]


# --- replaying ------------------------------------------------------------------------------------


class Cassette:
    """The connections of a cassette, each to be opened once."""

    def __init__(self, name: str, connections: list[dict[str, Any]]):
        self._name = name
        self._lock = threading.Lock()
        self.connections = connections
        self._total = sum("sent" in each for one in connections for each in one["messages"])
        self.rewind()

    def __len__(self) -> int:
        """How many messages were sent when it was recorded."""
        return self._total

    def rewind(self) -> None:
        """As if nothing had been asked for yet."""
        self._left = list(self.connections)
        self.play_count = 0

    def open(self, endpoint: str, path: str) -> "Player":
        with self._lock:
            for number, each in enumerate(self._left):
                if (each["endpoint"], each["path"]) == (endpoint, path):
                    return Player(self, f"wss://{endpoint}{path}", self._left.pop(number))
        raise self.lacks(f"wss://{endpoint}{path}")

    def lacks(self, what: str) -> NotRecorded:
        return NotRecorded(f"{what} is not in {self._name}")

    def count(self) -> None:
        with self._lock:
            self.play_count += 1


class Player:
    """A recorded connection, with the methods of a ``JsonWebSocket``."""

    def __init__(self, cassette: Cassette, url: str, connection: dict[str, Any]):
        self._cassette = cassette
        self._url = url
        self._messages = list(connection["messages"])

    def send(self, message: dict[str, Any]) -> None:
        if not self._messages or self._messages[0].get("sent") != scrubbed(message):
            recorded = _shown(self._messages[0]) if self._messages else "nothing"
            requested = _shown({"sent": scrubbed(message)})
            raise self._cassette.lacks(f"{self._url} {requested} (recorded next: {recorded})")
        self._messages.pop(0)
        self._cassette.count()

    @property
    def has_more(self) -> bool:
        """Whether a message was received before the next one was sent."""
        return bool(self._messages) and "received" in self._messages[0]

    def receive(self) -> dict[str, Any]:
        if not self.has_more:
            raise self._cassette.lacks(f"{self._url} one more answer")
        return self._messages.pop(0)["received"]

    def close(self) -> None:
        pass


@contextlib.contextmanager
def replay(cassette: Cassette) -> Iterator[None]:
    """Answer from the cassette alone. Raises NotRecorded on what it does not have."""

    def playing(endpoint: str, path: str, *_: Any) -> Player:
        return cassette.open(endpoint, path)

    with mock.patch.object(websocket, "connect", playing):
        yield


def _shown(message: dict[str, Any]) -> str:
    ((direction, content),) = message.items()
    return f"{direction} {json.dumps(content)}"
