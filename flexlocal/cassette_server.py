"""A server on loopback that answers from a cassette, for a handler that runs in another process.

It serves plain HTTP, and WebSockets to clients that request an upgrade, both without TLS.
"""

import base64
import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import vcr.request
import websocket

from flexlocal import cassettes

_RFC_6455 = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class CassetteServer:
    """``port`` is where it listens (0: on a free one); ``missing`` names what was asked for and is not recorded."""

    def __init__(self, file: Path, port: int = 0):
        self._cassette = cassettes.read(file)
        self.websockets = cassettes.read_websockets(file)
        self._lock = threading.Lock()
        self.missing: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    @property
    def unused(self) -> int:
        """How many recorded exchanges were not asked for."""
        parts = (self._cassette, self.websockets)
        return sum(len(each) - each.play_count for each in parts)

    def answer(self, request: Any) -> dict[str, Any]:
        with self._lock:
            if self._cassette.can_play_response_for(request):
                return self._cassette.play_response(request)
            self.missing.append(cassettes.shown(request))
        return {"status": {"code": 403}, "headers": {}, "body": {"string": b""}}

    def __enter__(self) -> "CassetteServer":
        arguments = {"poll_interval": 0.05}
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs=arguments, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextlib.contextmanager
def serving(file: Path) -> Iterator[CassetteServer]:
    """The server, while the block runs. What is not recorded is answered with a 403."""
    with CassetteServer(file) as server:
        yield server


def _handler(server: CassetteServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            if self.headers.get("Upgrade", "").lower() == "websocket":
                with contextlib.suppress(ConnectionError):  # the client may go away at any time
                    self._talk()
                return
            # the client was led here whatever host it asked for: that is in the Host header
            uri = f"http://{self.headers['Host']}{self.path}"
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = vcr.request.Request(self.command, uri, body, dict(self.headers))
            answer = server.answer(request)
            sent = answer["body"]["string"]
            self.send_response(answer["status"]["code"])
            for name, values in answer["headers"].items():
                for value in values:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(sent)

        def _talk(self) -> None:
            """Answer a client's messages, frame by frame, until it closes or asks what is not there."""
            self.close_connection = True
            try:
                player = server.websockets.open(self.headers["Host"], self.path)
            except cassettes.NotRecorded as missing:
                server.missing.append(str(missing))
                self.send_error(403)
                return
            key = self.headers["Sec-WebSocket-Key"] + _RFC_6455
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            digest = hashlib.sha1(key.encode()).digest()  # noqa: S324 - as RFC 6455 has it
            accepted = base64.b64encode(digest)
            self.send_header("Sec-WebSocket-Accept", accepted.decode())
            self.end_headers()
            read: Any = self._read  # some releases of websocket-client state another type
            frames = websocket.frame_buffer(read, skip_utf8_validation=True)
            while (frame := frames.recv_frame()).opcode != websocket.ABNF.OPCODE_CLOSE:
                try:
                    player.send(json.loads(frame.data))
                except cassettes.NotRecorded as missing:
                    server.missing.append(str(missing))
                    return
                while player.has_more:
                    answer = json.dumps(player.receive()).encode()
                    self._send(websocket.ABNF.OPCODE_TEXT, answer)
            self._send(websocket.ABNF.OPCODE_CLOSE, frame.data)

        def _read(self, size: int) -> bytes:
            file: Any = self.rfile  # some type stubs don't know its read1
            data: bytes = file.read1(size)
            if not data:  # websocket-client would ask for more for ever
                raise ConnectionResetError("the client went away")
            return data

        def _send(self, opcode: int, data: Any) -> None:
            self.wfile.write(websocket.ABNF(1, 0, 0, 0, opcode, 0, data).format())

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
