"""A server on loopback that answers from a cassette, for a handler that runs in another process."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import vcr.request

from flexlocal import cassettes


class CassetteServer:
    """``port`` is where it listens; ``missing`` names what was asked for and is not recorded."""

    def __init__(self, file: Path):
        self._cassette = cassettes.read(file)
        self._lock = threading.Lock()
        self.missing: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    @property
    def unused(self) -> int:
        """How many recorded exchanges were not asked for."""
        return len(self._cassette) - self._cassette.play_count

    def answer(self, request: Any) -> dict[str, Any]:
        with self._lock:
            if self._cassette.can_play_response_for(request):
                return self._cassette.play_response(request)
            self.missing.append(cassettes.shown(request))
        return {"status": {"code": 403}, "headers": {}, "body": {"string": b""}}

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def serving(file: Path) -> Iterator[CassetteServer]:
    """The server, while the block runs. What is not recorded is answered with a 403."""
    server = CassetteServer(file)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


def _handler(server: CassetteServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
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

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
