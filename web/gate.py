"""What every request passes: the Host check, limits of size, headers for browsers, and a number for the log.

It is the outermost part of the application, so that no answer leaves without it.
"""

import re
import time
import uuid
from collections.abc import Awaitable, MutableMapping
from typing import Any, Callable, Optional

from web.problems import Problem
from web.service import Service

API = "/api/"
BODY = 64 * 1024  # bytes of a request's body
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_PORT = re.compile(r":\d{1,5}$")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class _TooLarge(Exception):
    """The body is."""


def host_of(header: str) -> str:
    """The name or address in a Host header, without the port and the brackets of an IPv6 address."""
    return _PORT.sub("", header).strip("[]").lower().rstrip(".")


class Gate:
    def __init__(self, app: App, service: Service):
        self._app = app
        self.service = self._service = service

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        number = uuid.uuid4().hex
        state = scope.setdefault("state", {})
        state["request_id"] = number
        headers = {name.lower(): value for name, value in scope["headers"]}
        status = 500
        begun = ended = False
        size = 0

        async def answered(message: Message) -> None:
            nonlocal status, begun, ended
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                message["headers"] = [*message["headers"], *self._headers(scope, number, status)]
            elif message["type"] == "http.response.body":
                ended = not message.get("more_body", False)
            await send(message)

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > BODY:
                raise _TooLarge
            return message

        try:
            refused = self._refused(headers)
            if refused is not None:
                await refused.response(number, scope["path"])(scope, receive, answered)
                return
            await self._app(scope, limited, answered)
        except _TooLarge:
            if not begun:
                problem = Problem(413, f"a body has at most {BODY} bytes")
                await problem.response(number, scope["path"])(scope, receive, answered)
        except Exception as error:
            # not its text, which may hold what was stored
            self._service.log(f"{number} error {type(error).__name__} in {_where(error)}")
            if (
                begun and not ended
            ):  # the connection ends, so that no half of an answer counts as one
                raise ConnectionAbortedError from None
        finally:
            seconds = time.monotonic() - began
            path = scope["path"].encode("ascii", "backslashreplace").decode()
            self._service.log(f"{number} {scope['method']} {path[:200]!r} {status} {seconds:.3f} s")

    def _refused(self, headers: dict[bytes, bytes]) -> Optional[Problem]:
        hosts = self._service.settings.hosts
        host = headers.get(b"host", b"").decode("latin-1")
        if hosts is not None and host_of(host) not in hosts:
            return Problem(
                421, f"the Host header should name this host ({', '.join(sorted(hosts))})"
            )
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > BODY:
            return Problem(413, f"a body has at most {BODY} bytes")
        return None

    def _headers(self, scope: Message, number: str, status: int) -> list[tuple[bytes, bytes]]:
        found = {**HEADERS, "x-request-id": number}
        etag = scope["state"].get("etag")
        if scope["path"].startswith(API):
            found["cache-control"] = "no-cache" if etag and status in (200, 304) else "no-store"
            if etag and status in (200, 304):
                found["etag"] = etag
                found["vary"] = "Authorization, Cookie"
        else:
            found["cache-control"] = "no-cache"
        if self._service.settings.secure:
            found["strict-transport-security"] = "max-age=31536000"
        return [(name.encode(), value.encode()) for name, value in found.items()]


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "nowhere"
    code = trace.tb_frame.f_code
    return f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}"
