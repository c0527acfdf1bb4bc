"""Where the honest responses come from: a cassette, or a server that is really there.

An upstream has ``response(request)`` for HTTP and ``connect(host, path)`` for WebSockets. What a fault took away on its
way is given back (``taken_back``), so that a client that tries again gets the response that it missed.
"""

import dataclasses
import http.client
import json
import threading
from collections import Counter
from typing import Any, Optional

import vcr.request

from flexlocal import cassettes
from flexlocal.websocket_cassettes import Player


@dataclasses.dataclass(frozen=True)
class Request:
    """``host`` is the Host header: the server that the client wanted to reach."""

    method: str
    host: str
    path: str  # with the query
    headers: dict[str, str]
    body: bytes
    scheme: str = "http"


@dataclasses.dataclass(frozen=True)
class Response:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


NOT_RECORDED = Response(403, (), b"")  # as flexlocal.cassette_server answers


class Recorded:
    """Answers from a cassette: the n-th time that a request comes, with its n-th response, then with the last one."""

    def __init__(self, file: Any, credentials: Any = None):
        self._cassette = cassettes.read(file, credentials)
        self._connections = cassettes.read_websockets(file).connections
        self._lock = threading.Lock()
        self._given: Counter[Any] = Counter()
        self._responses: dict[Any, list[Any]] = {}
        self.missing: list[str] = []

    def rewind(self) -> None:
        self._given.clear()
        self.missing.clear()

    def response(self, request: Request) -> Response:
        key = self.key(request)
        with self._lock:
            if key not in self._responses:
                self._responses[key] = self._recorded(request)
            recorded = self._responses[key]
            if not recorded:
                self.missing.append(f"{request.method} {request.path}")
                return NOT_RECORDED
            number = min(self._given[key], len(recorded) - 1)
            self._given[key] += 1
        return recorded[number]

    def taken_back(self, request: Request) -> None:
        with self._lock:
            self._given[self.key(request)] -= 1

    @staticmethod
    def key(request: Request) -> Any:
        """What differs from one request to the next of the same call, but says nothing, is the signature's."""
        signed_for = cassettes.signed_for(request.headers.get("Authorization", ""))
        target = request.headers.get("X-Amz-Target")
        return request.method, request.host, request.path, request.body, signed_for, target

    def _recorded(self, request: Request) -> list[Response]:
        uri = f"{request.scheme}://{request.host}{request.path}"
        asked = vcr.request.Request(request.method, uri, request.body, dict(request.headers))
        try:
            found = self._cassette.responses_of(asked)
        except vcr.errors.UnhandledHTTPRequestError:
            return []
        return [_response(each) for each in found]

    def connect(self, host: str, path: str) -> Optional["RecordedConnection"]:
        with self._lock:
            opened = [c for c in self._connections if (c["endpoint"], c["path"]) == (host, path)]
            if not opened:
                self.missing.append(f"wss://{host}{path}")
                return None
            number = min(self._given[host, path], len(opened) - 1)
            self._given[host, path] += 1
        return RecordedConnection(self, (host, path), opened[number])


class RecordedConnection:
    """A recorded WebSocket: messages in their order."""

    def __init__(self, upstream: Recorded, key: Any, connection: dict[str, Any]):
        self._upstream, self._key = upstream, key
        self._player = Player(_Nothing(), f"wss://{''.join(key)}", connection)

    def responses(self, message: bytes) -> list[bytes]:
        """The messages that answer this one; raises NotRecorded."""
        self._player.send(json.loads(message))
        answers = []
        while self._player.has_more:
            answers.append(json.dumps(self._player.receive()).encode())
        return answers

    def taken_back(self) -> None:
        with self._upstream._lock:
            self._upstream._given[self._key] -= 1


class _Nothing:
    """A cassette as its Player needs it."""

    @staticmethod
    def lacks(what: str) -> BaseException:
        return cassettes.NotRecorded(f"{what} is not recorded")

    def count(self) -> None:
        pass


def _response(recorded: dict[str, Any]) -> Response:
    headers = tuple(
        (name, value)
        for name, values in recorded["headers"].items()
        for value in values
        if name.lower() not in ("content-length", "transfer-encoding", "content-encoding")
    )
    return Response(recorded["status"]["code"], headers, recorded["body"]["string"])


class Forwarded:
    """Sends requests on to the server that their Host header names, on loopback: a simulator, moto, OpenStack."""

    def response(self, request: Request) -> Response:
        connection = http.client.HTTPConnection(request.host, timeout=60)
        try:
            connection.request(request.method, request.path, request.body, request.headers)
            answer = connection.getresponse()
            body = answer.read()
            left_out = ("connection", "content-length", "transfer-encoding", "keep-alive")
            headers = [each for each in answer.getheaders() if each[0].lower() not in left_out]
            return Response(answer.status, tuple(headers), body)
        finally:
            connection.close()

    def taken_back(self, request: Request) -> None:
        """Nothing: the server is asked anew."""
