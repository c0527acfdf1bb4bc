"""A server on loopback, HTTP and WebSocket, with and without TLS, that passes an upstream's responses on and does what a
fault says with some of them.
"""

import base64
import contextlib
import dataclasses
import hashlib
import json
import re
import socket
import ssl
import struct
import threading
from collections import Counter
from typing import Any, Optional
from urllib.parse import urlsplit

import websocket

from flexlocal.cassettes import NotRecorded, signed_for
from tests.faults.upstream import Request, Response

_RFC_6455 = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_HANDSHAKE = 0x16  # the first byte of a TLS connection (RFC 8446, 5.1)
# What names one thing among others in a path: numbers, UUIDs, ids of AWS and other long words with digits.
_AN_ID = re.compile(
    r"^(\d+|[0-9a-f]{8}(-?[0-9a-f]{4,}){1,4}|[a-z]+-[0-9a-f]{8,}|(?=.*\d)[\w.:-]{16,})$"
)
_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")  # of AWS's query protocols
LONGEST_S = 30.0  # that a fault may take: a test that hangs should fail


@dataclasses.dataclass(frozen=True)
class Call:
    """A request as the matrix counts it: the ``number``-th one of this ``name``."""

    name: str
    number: int


@dataclasses.dataclass
class Exchange:
    """A request that is about to get its response, and what was given to it so far."""

    call: Call
    request: Request
    response: Response
    earlier: list[Response]  # honest responses to earlier requests of the same name and scope
    secrets: "tuple[str, ...]" = ()  # the account's


def name_of(request: Request) -> str:
    """The method and the path without ids; of AWS the operation, of what is paged no query."""
    path = urlsplit(request.path).path
    steps = ("{}" if _AN_ID.match(step) else step for step in path.split("/"))
    target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
    action = _ACTION.search(request.body)
    name = target or (action[1].decode() if action else "")
    return f"{request.method} {'/'.join(steps)}" + (f" {name}" if name else "")


class Proxy:
    """``address`` leads to it. Without a fault it answers as the upstream does, and ``exchanges`` says what was called."""

    def __init__(self, upstream: Any, certificate: str, secrets: "tuple[str, ...]" = ()):
        self._upstream, self._secrets = upstream, secrets
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listening.getsockname()[1]
        self._threads: set[threading.Thread] = set()
        self.begin()
        threading.Thread(target=self._accept, daemon=True, name="proxy").start()

    def begin(self, fault: Any = None, at: Optional[Call] = None) -> None:
        """Count from the start, and do this fault ``at`` that call."""
        with self._lock:
            self._fault, self._at = fault, at
            self._counts: Counter[str] = Counter()
            self._earlier: dict[str, list[Response]] = {}
            self.exchanges: list[Exchange] = []  # honest ones
            self.faulty = 0  # how many requests met the fault
            self.sent = 0  # bytes
            self.refusing = 0  # connections that are refused from now on

    @property
    def requests(self) -> int:
        """How many came since it began."""
        with self._lock:
            return sum(self._counts.values())

    def stop(self) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def open_connections(self, patience_s: float) -> int:
        """How many connections clients have left open; waits so long for each to be closed."""
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(patience_s)
        return sum(thread.is_alive() for thread in threads)

    def wait(self, seconds: float) -> bool:
        """Whether the proxy ended meanwhile."""
        return self._ended.wait(min(seconds, LONGEST_S))

    # --- connections ----------------------------------------------------------------------------

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                thread = threading.Thread(
                    target=self._serve, args=(connection,), daemon=True, name="proxy"
                )
                with self._lock:
                    self._threads.add(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError, ValueError), connection:
                with self._lock:
                    refused = self.refusing > 0
                    self.refusing -= refused
                if refused:
                    reset(connection)
                    return
                first = connection.recv(1, socket.MSG_PEEK)
                if not first:
                    return
                secure = first[0] == _HANDSHAKE
                if secure:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with connection:
                    _Handler(self, connection, secure)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    # --- what the handler asks ------------------------------------------------------------------

    def due(self, name: str) -> "tuple[Call, Any]":
        """The call that a request of this name is, and the fault that it meets, if any."""
        with self._lock:
            call = Call(name, self._counts[name])
            self._counts[name] += 1
            at = self._at
            fault = self._fault
            if at is None or call.name != at.name:
                return call, None
            if call.number == at.number or (fault.again and call.number > at.number):
                self.faulty += 1
                return call, fault
            return call, None

    def exchange(self, call: Call, request: Request, response: Response, honest: bool) -> Exchange:
        with self._lock:
            scope = signed_for(
                request.headers.get("Authorization", "")
            )  # a region has its own pages
            known = self._earlier.setdefault(f"{scope} {call.name}", [])
            exchange = Exchange(call, request, response, list(known), self._secrets)
            if honest:
                known.append(response)
                self.exchanges.append(exchange)
        return exchange


class Broken(Exception):
    """The connection is to be closed without another word."""


class _Handler:
    """Requests of one connection, one after another. http.server takes five times as long to read one."""

    def __init__(self, proxy: Proxy, connection: socket.socket, secure: bool):
        self.proxy, self.connection = proxy, connection
        self.scheme = "https" if secure else "http"
        self.close_connection = False
        with connection.makefile("rb") as self.rfile:
            while not self.close_connection:
                request = self._read()
                if request is None:
                    return
                self._answer(request)

    def _read(self) -> Optional[Request]:
        """The next request; None at the end of the connection. Raises ValueError at what is no request."""
        line = self.rfile.readline()
        if not line:
            return None
        self.command, path, _ = line.decode("latin-1").split()
        headers = {}
        while line := self.rfile.readline().rstrip(b"\r\n"):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name] = value.strip()
        body = self.rfile.read(int(headers.get("Content-Length", 0)))
        return Request(self.command, headers.get("Host", ""), path, headers, body, self.scheme)

    def _answer(self, request: Request) -> None:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            self.close_connection = True
            _Talk(self, request).run()
            return
        upstream, name = self.proxy._upstream, name_of(request)
        call, fault = self.proxy.due(name)
        response = upstream.response(request)
        exchange = self.proxy.exchange(call, request, response, fault is None)
        try:
            if fault is None:
                self.send(response)
            elif not fault.act(self, exchange):
                upstream.taken_back(request)
        except Broken:
            upstream.taken_back(request)
            self.close_connection = True

    # --- for faults -----------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        self.connection.sendall(data)
        self.proxy.sent += len(data)

    def send(self, response: Response, length: bool = True, body: Optional[bytes] = None) -> None:
        """The response; without ``length`` as one that ends with its connection."""
        body = response.body if body is None else body
        lines = [f"HTTP/1.1 {response.status} Status"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        lines.append(f"Content-Length: {len(response.body)}" if length else "Connection: close")
        head = "\r\n".join([*lines, "", ""]).encode("utf-8")
        self.write(head + (b"" if self.command == "HEAD" else body))

    def reset(self) -> None:
        reset(self.connection)
        raise Broken


def reset(connection: socket.socket) -> None:
    """Close it so that the other side gets a reset, not an end."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if isinstance(connection, ssl.SSLSocket):
            socket.socket.close(connection)
        else:
            connection.close()


class _Talk:
    """One WebSocket: each message that the client sends is a call."""

    def __init__(self, handler: _Handler, request: Request):
        self.handler, self.request, self.proxy = handler, request, handler.proxy
        self.connection = handler.connection

    def run(self) -> None:
        opened = self.proxy._upstream.connect(self.request.host, self.request.path)
        call, fault = self.proxy.due(f"open {_without_ids(self.request.path)}")
        refusal = Response(403, (), b"")
        exchange = self.proxy.exchange(call, self.request, refusal, fault is None)
        try:
            if fault is not None:
                if not fault.act(self.handler, exchange):
                    raise Broken
                return
            if opened is None:
                self.handler.send(refusal)
                return
            self._switch()
            frames = websocket.frame_buffer(self._read, skip_utf8_validation=True)
            while (frame := frames.recv_frame()).opcode != websocket.ABNF.OPCODE_CLOSE:
                if frame.opcode == websocket.ABNF.OPCODE_TEXT:
                    self._answer(opened, frame.data)
            self.frame(websocket.ABNF.OPCODE_CLOSE, frame.data)
        except (Broken, websocket.WebSocketException):
            if opened is not None:
                opened.taken_back()
        except NotRecorded as missing:
            self.proxy._upstream.missing.append(str(missing))

    def _read(self, size: int) -> bytes:
        data: bytes = self.handler.rfile.read1(size)
        if not data:  # websocket-client would ask for more for ever
            raise Broken
        return data

    def _switch(self) -> None:
        key = self.request.headers["Sec-WebSocket-Key"].encode() + _RFC_6455
        accepted = base64.b64encode(hashlib.sha1(key).digest()).decode()  # noqa: S324 - as RFC 6455 has it
        self.handler.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Accept: {accepted}\r\n\r\n".encode()
        )

    def _answer(self, opened: Any, message: bytes) -> None:
        name = _message_name(message)
        call, fault = self.proxy.due(name)
        answers = opened.responses(message)
        response = Response(200, (), answers[0] if answers else b"{}")
        exchange = self.proxy.exchange(call, self.request, response, fault is None)
        if fault is not None:
            fault.act(self, exchange)
            return
        for answer in answers:
            self.frame(websocket.ABNF.OPCODE_TEXT, answer)

    # --- for faults -----------------------------------------------------------------------------

    def frame(self, opcode: int, data: Any, fin: int = 1) -> None:
        self.handler.write(websocket.ABNF(fin, 0, 0, 0, opcode, 0, data).format())

    def text(self, data: bytes) -> None:
        self.frame(websocket.ABNF.OPCODE_TEXT, data)

    def write(self, data: bytes) -> None:
        self.handler.write(data)

    def reset(self) -> None:
        self.handler.reset()

    def end(self) -> None:
        raise Broken


def _without_ids(path: str) -> str:
    steps = ("{}" if _AN_ID.match(step) else step for step in urlsplit(path).path.split("/"))
    return "/".join(steps)


def _message_name(message: bytes) -> str:
    found = json.loads(message)
    return f"{found.get('type')}.{found.get('request')}"
