"""JSON over a WebSocket as a poll needs it: bounded in time and size, whatever the other side does.

``connect`` is the only place where such a connection is opened, and its ``Wire`` the only one where a
message is sent or received and a connection closed: what records and replays takes their place.
"""

import contextlib
import json
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Optional

import websocket

from shared.engine.deadline import Deadline
from shared.engine.errors import (
    AddressDenied,
    ConnectorError,
    OutOfTime,
    UnexpectedResponse,
    Unreachable,
)
from shared.engine.network import LARGEST_ANSWER, Network
from shared.transport import decode, http

CONNECT_S = http.CONNECT_TIMEOUT_S  # TCP, TLS and the upgrade to WebSocket together
ANSWER_S = 120.0  # from the request to the last byte of its answer
CLOSE_S = 1.0


class Failed(Exception):
    """What the network or the other side of it did; the next try may not meet it if it ``passes``."""

    def __init__(self, error: ConnectorError, passes: bool):
        super().__init__(error.message)
        self.error = error
        self.passes = passes


class Wire:
    """A WebSocket of JSON objects; what is received after a ``send`` shares one budget."""

    def __init__(self, budgeted: "_Socket", ws: websocket.WebSocket, deadline: Deadline):
        self._socket = budgeted
        self._ws = ws
        self._deadline = deadline
        self._broken = False

    def send(self, message: dict[str, Any]) -> None:
        with self._exchange(ANSWER_S):
            self._ws.send(json.dumps(message))

    def receive(self) -> dict[str, Any]:
        with self._exchange():
            text = self._message()
        return read(text, self._socket.budget.where)

    def close(self) -> None:
        """Close as the protocol wants it, unless the other side did not keep to it either."""
        if not self._broken:
            with contextlib.suppress(Exception), self._exchange(CLOSE_S):
                self._ws.send_close()
                while self._ws.recv_frame().opcode != websocket.ABNF.OPCODE_CLOSE:
                    pass
        self._socket.close()

    def _message(self) -> bytes:
        """One message, of however many frames (websocket-client would copy all of it for each)."""
        parts = []
        while True:
            frame = self._ws.recv_frame()
            if frame.opcode == websocket.ABNF.OPCODE_CLOSE:
                raise websocket.WebSocketConnectionClosedException
            if frame.opcode == websocket.ABNF.OPCODE_PING:
                self._ws.pong(frame.data)
            elif frame.opcode != websocket.ABNF.OPCODE_PONG:
                parts.append(frame.data)
                if frame.fin:
                    return b"".join(parts)

    @contextlib.contextmanager
    def _exchange(self, seconds: Optional[float] = None) -> Iterator[None]:
        """A new exchange of at most so many seconds, or more of the last one."""
        if seconds is not None:
            self._socket.budget = _Budget(self._deadline, seconds, self._socket.budget.where)
        try:
            with self._socket.budget.telling():
                yield
        except BaseException:
            self._broken = True
            raise


def read(text: bytes, where: str) -> dict[str, Any]:
    """The message that a text is; UnexpectedResponse where it is no JSON object."""
    message = decode.json_answer(text, where)
    if not isinstance(message, dict):
        raise UnexpectedResponse(f"{where} should answer with an object")
    return message


def connect(
    endpoint: str,
    path: str,
    tls: ssl.SSLContext,
    server_name: Optional[str],
    network: Network,
) -> Wire:
    """A WebSocket to this path at ``host:port``; ``server_name`` is what its certificate must name.

    A certificate that is not trusted is left to the caller, as ssl.SSLCertVerificationError.
    """
    url = f"wss://{endpoint}{path}"
    budget = _Budget(network.deadline, CONNECT_S, url)
    host, _, port = endpoint.rpartition(":")
    host = host.strip("[]")
    with budget.telling():
        raw = network.connect(host, int(port), budget.left(), tls_of=budget)
        try:
            raw.settimeout(budget.left())  # a TLS handshake keeps to it as a whole
            try:
                raw = tls.wrap_socket(raw, server_hostname=server_name or host)
            finally:
                network.secured(budget, raw)
            budgeted = _Socket(raw, budget)
            ws = websocket.WebSocket(enable_multithread=False, skip_utf8_validation=True)
            ws.connect(url, socket=budgeted, suppress_origin=True, redirect_limit=0)
        except BaseException:
            raw.close()
            raise
    return Wire(budgeted, ws, network.deadline)


class _Budget:
    """The time and the bytes that one exchange may take.

    A socket's own time-out begins anew with each byte: it never ends a drip.
    """

    def __init__(self, deadline: Deadline, seconds: float, where: str):
        self.where = where
        self._deadline = deadline
        self._seconds = seconds
        self._until = deadline.elapsed() + seconds
        self._bytes = 0

    def left(self) -> float:
        """Seconds that the next operation on the socket may take."""
        left = self._until - self._deadline.elapsed()
        if left <= 0 or not self._deadline.remaining():
            raise self._late()
        return self._deadline.timeout(left)

    def take(self, count: int) -> None:
        self._bytes += count
        if self._bytes > LARGEST_ANSWER:
            raise UnexpectedResponse(
                f"{self.where} answers with more than the {LARGEST_ANSWER} bytes that are read at most"
            )

    def _late(self) -> Exception:
        if self._deadline.seconds <= self._until:
            return OutOfTime(
                f"{self.where} did not answer before the deadline ({self._deadline.seconds:g} s)"
            )
        return Failed(Unreachable(f"{self.where} did not answer within {self._seconds:g} s"), True)

    @contextlib.contextmanager
    def telling(self) -> Iterator[None]:
        """What goes wrong on the network as ``Failed`` or ``OutOfTime``, in our words."""
        try:
            yield
        except AddressDenied as error:
            raise Failed(error, False) from None
        except (socket.timeout, websocket.WebSocketTimeoutException):
            raise self._late() from None
        except websocket.WebSocketBadStatusException as error:
            said = (error.resp_body or b"").decode("utf-8", "replace")
            about = f"{self.where} answered {error.status_code}: {said}"
            if error.status_code in (*http.TRANSIENT, *http.THROTTLED):
                raise Failed(Unreachable(about), True) from None
            raise Failed(UnexpectedResponse(about), False) from None
        except (
            websocket.WebSocketConnectionClosedException,
            ssl.SSLEOFError,
            ssl.SSLZeroReturnError,
        ):
            about = f"{self.where} broke off before its answer was complete"
            raise Failed(Unreachable(about), True) from None
        except websocket.WebSocketException as error:
            about = f"{self.where} does not speak WebSocket as it should: {error}"
            raise Failed(UnexpectedResponse(about), False) from None
        except ssl.SSLCertVerificationError:
            raise
        except ssl.SSLError as error:
            about = f"{self.where}: TLS failed: {error.reason}"
            raise Failed(Unreachable(about), False) from None
        except OSError as error:
            about = f"{self.where}: {error.strerror or error}"
            raise Failed(Unreachable(about), True) from None
        except (IndexError, ValueError):  # of how websocket-client reads the answer's headers
            about = f"{self.where} does not speak WebSocket as it should"
            raise Failed(UnexpectedResponse(about), False) from None


class _Socket:
    """A socket with what websocket-client uses of one, on a budget."""

    def __init__(self, raw: socket.socket, budget: _Budget):
        self._raw = raw
        self.budget = budget

    def recv(self, size: int) -> bytes:
        self._raw.settimeout(self.budget.left())
        data = self._raw.recv(size)
        self.budget.take(len(data))
        return data

    def send(self, data: bytes) -> int:
        self._raw.settimeout(self.budget.left())
        return self._raw.send(data)

    def gettimeout(self) -> Optional[float]:
        return self._raw.gettimeout()

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()
