"""``flexlocal worker --listen``: metrics, and whether the worker lives and can work.

No token: nothing of it is secret, and nothing can be changed. Listen where only your monitoring gets to.
"""

import contextlib
import http.server
import importlib.util
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, Callable, Optional

from flexlocal.options import BadUsage
from flexlocal.worker_metrics import Metrics

BEAT_S = 60.0  # for which the worker's loop may stand still before it counts as dead
TIMEOUT_S = 10.0  # for a client to send its request, and to take the answer

Check = Callable[[], Optional[str]]  # None, or what is wrong, without secrets


class Heartbeat:
    """Shows that something is still done again and again: it calls ``beat`` each time.

    ``what`` it is; ``within_s``: how long it may take, if that is more than BEAT_S.
    """

    def __init__(
        self, what: str, clock: Callable[[], float] = time.monotonic, within_s: float = BEAT_S
    ):
        self._what, self._clock, self._within_s = what, clock, max(within_s, BEAT_S)
        self._at = clock()

    def beat(self) -> None:
        self._at = self._clock()

    def check(self) -> Optional[str]:
        silent = self._clock() - self._at
        return (
            None if silent <= self._within_s else f"{self._what}: stands still for {silent:.0f} s"
        )


def address(text: str) -> tuple[str, int]:
    """Of ``HOST:PORT`` or ``[IPv6]:PORT``. Raises BadUsage."""
    host, colon, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if sys.version_info < (3, 10):
        raise BadUsage("--listen needs prometheus-client, and so Python 3.10 or newer")
    if importlib.util.find_spec("prometheus_client") is None:
        raise BadUsage("--listen needs prometheus-client, of the extra [cluster]")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise BadUsage(f"--listen {text!r} should be HOST:PORT, such as 127.0.0.1:9464")
    return host, int(port)


@contextlib.contextmanager
def serving(
    where: tuple[str, int], metrics: Metrics, checks: Mapping[str, Check]
) -> Iterator[tuple[str, int]]:
    """Serve in a thread; gives the address, whose port is chosen if it was 0. Raises BadUsage if it is taken."""
    family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
    handler = type("Handler", (_Handler,), {"metrics": metrics, "checks": checks})
    kind = type("Server", (http.server.ThreadingHTTPServer,), {"address_family": family})
    try:
        server = kind(where, handler)
    except OSError as error:
        raise BadUsage(f"--listen {where[0]}:{where[1]}: {error.strerror or error}") from None
    thread = threading.Thread(target=server.serve_forever, name="listen", daemon=True)
    thread.start()
    try:
        yield server.server_address[:2]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    metrics: Metrics
    checks: Mapping[str, Check]
    timeout = TIMEOUT_S
    server_version, sys_version = "flexlocal", ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            content, kind = self.metrics.text()
            self._answer(200, content, kind)
        elif path == "/healthz":
            self._answer(200, b"ok\n", "text/plain; charset=utf-8")
        elif path == "/readyz":
            found = {name: _checked(check) for name, check in self.checks.items()}
            ready = not any(found.values())
            body = {"ready": ready, "checks": {name: text or "ok" for name, text in found.items()}}
            self._answer(200 if ready else 503, json.dumps(body).encode(), "application/json")
        else:
            self._answer(404, b"there are /metrics, /healthz and /readyz\n", "text/plain")

    def _answer(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Each look of the monitoring is no event."""


def _checked(check: Check) -> Optional[str]:
    try:
        return check()
    except Exception as error:
        return type(error).__name__
