"""JSON over a WebSocket, bounded in time and size whatever the server does.

Only ``connect`` opens connections, and only ``JsonWebSocket`` sends and receives messages: recording and replaying
(flexlocal/websocket_cassettes.py) replace both.
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
from shared.engine.network import CONNECT_TIMEOUT_S, LARGEST_ANSWER, Network
from shared.transport import decode, http

CONNECT_S = CONNECT_TIMEOUT_S  # TCP, TLS and the upgrade to WebSocket together
ANSWER_S = 120.0  # from the request to the last byte of its answer
CLOSE_S = 1.0
READ_AHEAD = 1024  # bytes


class ConnectionFailed(Exception):
    """The connection or an exchange on it failed; another attempt may succeed if it is ``transient``."""

    def __init__(self, error: ConnectorError, transient: bool):
        super().__init__(error.message)
        self.error = error
        self.transient = transient


class JsonWebSocket:
    """A WebSocket whose messages are JSON objects.

    All that is received until the next ``send`` shares one budget of time and bytes.
    """

    def __init__(self, budgeted: "_BudgetedSocket", ws: websocket.WebSocket, deadline: Deadline):
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
        return parse_message(text, self._socket.budget.url)

    def close(self) -> None:
        """Close as the protocol requires; after a failed exchange, only close the socket."""
        if not self._broken:
            with contextlib.suppress(Exception), self._exchange(CLOSE_S):
                self._ws.send_close()
                while self._ws.recv_frame().opcode != websocket.ABNF.OPCODE_CLOSE:
                    pass
        self._socket.close()

    def _message(self) -> bytes:
        """One message of any number of frames (websocket-client would copy the whole message for each frame)."""
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
        """A new exchange of at most so many seconds; with None, the current one continues."""
        if seconds is not None:
            self._socket.budget = _Budget(self._deadline, seconds, self._socket.budget.url)
        try:
            with self._socket.budget.translated_errors():
                yield
        except BaseException:
            self._broken = True
            raise


def parse_message(text: bytes, url: str) -> dict[str, Any]:
    """The message as a JSON object; raises UnexpectedResponse if it is anything else."""
    message = decode.json_answer(text, url)
    if not isinstance(message, dict):
        raise UnexpectedResponse(f"{url} should answer with an object")
    return message


def connect(
    endpoint: str,
    path: str,
    tls: ssl.SSLContext,
    server_name: Optional[str],
    network: Network,
) -> JsonWebSocket:
    """Open a WebSocket to this path at ``host:port``; its certificate must be for ``server_name``.

    Raises ConnectionFailed or OutOfTime, and ssl.SSLCertVerificationError for a certificate that is not trusted.
    """
    url = f"wss://{endpoint}{path}"
    budget = _Budget(network.deadline, CONNECT_S, url)
    host, _, port = endpoint.rpartition(":")
    host = host.strip("[]")
    with budget.translated_errors():
        raw = network.connect(host, int(port), budget.left(), tls_of=budget)
        try:
            raw.settimeout(budget.left())  # for the TLS handshake as a whole
            try:
                raw = tls.wrap_socket(raw, server_hostname=server_name or host)
            finally:
                network.secured(budget, raw)
            budgeted = _BudgetedSocket(raw, budget)
            ws = websocket.WebSocket(enable_multithread=False, skip_utf8_validation=True)
            ws.connect(url, socket=budgeted, suppress_origin=True, redirect_limit=0)
        except BaseException:
            raw.close()
            raise
    return JsonWebSocket(budgeted, ws, network.deadline)


class _Budget:
    """The time and the bytes that one exchange may take.

    A socket's own time-out starts again with each byte, so it would never end a slow stream.
    """

    def __init__(self, deadline: Deadline, seconds: float, url: str):
        self.url = url
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
        """Count received bytes; raises UnexpectedResponse if they are too many."""
        self._bytes += count
        if self._bytes > LARGEST_ANSWER:
            raise UnexpectedResponse(
                f"{self.url} answers with more than the {LARGEST_ANSWER} bytes that are read at most"
            )

    def _late(self) -> Exception:
        if self._deadline.seconds <= self._until:
            return OutOfTime(
                f"{self.url} did not answer before the deadline ({self._deadline.seconds:g} s)"
            )
        return ConnectionFailed(
            Unreachable(f"{self.url} did not answer within {self._seconds:g} s"), True
        )

    @contextlib.contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Raise errors of the network as ConnectionFailed or OutOfTime."""
        try:
            yield
        except AddressDenied as error:
            raise ConnectionFailed(error, False) from None
        except (socket.timeout, websocket.WebSocketTimeoutException):
            raise self._late() from None
        except websocket.WebSocketBadStatusException as error:
            body = (error.resp_body or b"").decode("utf-8", "replace")
            message = f"{self.url} answered {error.status_code}: {body}"
            if error.status_code in (*http.TRANSIENT, *http.THROTTLED):
                raise ConnectionFailed(Unreachable(message), True) from None
            raise ConnectionFailed(UnexpectedResponse(message), False) from None
        except (
            websocket.WebSocketConnectionClosedException,
            ssl.SSLEOFError,
            ssl.SSLZeroReturnError,
        ):
            message = f"{self.url} broke off before its answer was complete"
            raise ConnectionFailed(Unreachable(message), True) from None
        except websocket.WebSocketException as error:
            message = f"{self.url} does not speak WebSocket as it should: {error}"
            raise ConnectionFailed(UnexpectedResponse(message), False) from None
        except ssl.SSLCertVerificationError:
            raise
        except ssl.SSLError as error:
            message = f"{self.url}: TLS failed: {error.reason}"
            raise ConnectionFailed(Unreachable(message), False) from None
        except OSError as error:
            message = f"{self.url}: {error.strerror or error}"
            raise ConnectionFailed(Unreachable(message), True) from None
        except (
            IndexError,
            ValueError,
        ):  # from websocket-client, which fails so on malformed headers
            message = f"{self.url} does not speak WebSocket as it should"
            raise ConnectionFailed(UnexpectedResponse(message), False) from None


class _BudgetedSocket:
    """The part of a socket's interface that websocket-client uses, within a budget.

    It reads ahead a little: websocket-client reads the answer to its handshake byte by byte.
    """

    def __init__(self, raw: socket.socket, budget: _Budget):
        self._raw = raw
        self._ahead = b""  # received, and not read yet
        self.budget = budget

    def recv(self, size: int) -> bytes:
        if not self._ahead:
            self._raw.settimeout(self.budget.left())
            self._ahead = self._raw.recv(max(size, READ_AHEAD))
        data, self._ahead = self._ahead[:size], self._ahead[size:]
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
