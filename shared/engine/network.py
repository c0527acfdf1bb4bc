"""The network of one poll: where it may connect to, how much it reads, and when it all ends.

Every connection of a poll is opened by ``Network.connect``: those of requests (and with it keystoneauth1)
and of botocore, whose pools are those of ``Network.pools``, and WebSockets (shared/transport/websocket.py). So there is one
place that looks names up within a time-out, checks each address against the runtime's policy, and knows all
sockets: ``end`` closes them, and whatever hangs in one falls out of it.

An answer over HTTP is read whole before it is handed on: within the limit of its size, decoded, and complete.

With a proxy from the environment it is the proxy's address that is connected to, and checked.
"""

import concurrent.futures
import contextlib
import dataclasses
import http.client
import io
import ipaddress
import json
import socket
import threading
import time
import weakref
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Callable, ClassVar, Optional, Union

import urllib3
from urllib3._collections import HTTPHeaderDict
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProtocolError

from shared.engine.deadline import Deadline
from shared.engine.errors import AddressDenied, InvalidEvent, OutOfTime, UnexpectedResponse

CONNECT_TIMEOUT_S = (
    10.0  # the look-up and all addresses of a name together; TLS gets what is left of it
)
LARGEST_ANSWER = 64 * 1024**2  # bytes, decoded
MOST_LOOKUPS = (
    64  # of names at once, in the whole process: one that hangs is a thread that nothing can end
)
PART = 16 * 1024  # bytes that are read at once; gzip makes up to 1,000 times as many of them
LONGEST_LINE = 64 * 1024  # bytes, of what is between the parts of a chunked body
NOTICED_S = 0.25  # how soon whoever waits for a look-up sees that the poll has ended

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Networks = tuple[Union[ipaddress.IPv4Network, ipaddress.IPv6Network], ...]

# Link-local addresses, where clouds have their metadata services, and AWS's address of its own over IPv6
# (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html).
LINK_LOCAL: Networks = (
    ipaddress.IPv4Network("169.254.0.0/16"),
    ipaddress.IPv6Network("fe80::/10"),
    ipaddress.IPv6Network("fd00:ec2::254/128"),
)
# What Linux takes for this host itself.
_UNSPECIFIED: dict[Address, Address] = {
    ipaddress.IPv4Address("0.0.0.0"): ipaddress.IPv4Address("127.0.0.1"),  # noqa: S104
    ipaddress.IPv6Address("::"): ipaddress.IPv6Address("::1"),
}


# --- the policy -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Policy:
    """Which addresses a poll may connect to.

    None of ``denied``; of the others those of ``allowed``, or all where that is None. Link-local ones only
    where ``allowed`` has a network that lies within theirs: 0.0.0.0/0 does not mean them.
    """

    allowed: Optional[Networks] = None
    denied: Networks = ()

    def allows(self, text: str) -> bool:
        """Whether this address may be connected to, as getaddrinfo gives it."""
        address = _plain(text)
        if _within(address, self.denied):
            return False
        allowing = [each for each in self.allowed or () if address in each]
        if _within(address, LINK_LOCAL):
            return any(_is_link_local(each) for each in allowing)
        return self.allowed is None or bool(allowing)


def policy(config: Any) -> Policy:
    """The policy of ``context.config``: its ``allowed_networks`` and ``denied_networks``.

    Raises InvalidEvent where one of them is no list of networks ("10.0.0.0/8", "fd00::/8").
    """
    given = config if isinstance(config, Mapping) else {}
    return Policy(_networks(given, "allowed_networks"), _networks(given, "denied_networks") or ())


def _networks(config: Mapping[str, Any], name: str) -> Optional[Networks]:
    value = config.get(name)
    if value is None:
        return None
    expected = f"context.config.{name} should be a list of networks such as 10.0.0.0/8"
    if not isinstance(value, (list, tuple)):
        raise InvalidEvent(f"{expected}, but is {type(value).__name__}")
    found = []
    for each in value:
        try:
            network = ipaddress.ip_network(each) if isinstance(each, str) else None
        except ValueError:
            network = None
        mapped = isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped
        if network is None or mapped:  # IPv4 addresses within IPv6 ones count as IPv4
            raise InvalidEvent(f"{expected}; {each!r} is none")
        found.append(network)
    return tuple(found)


def _plain(text: str) -> Address:
    address = ipaddress.ip_address(text.partition("%")[0])  # without the interface
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return _UNSPECIFIED.get(address, address)


def _within(address: Address, networks: Networks) -> bool:
    return any(address in each for each in networks)


def _is_link_local(network: Any) -> bool:
    return any(network.version == each.version and network.subnet_of(each) for each in LINK_LOCAL)


# --- looking names up -----------------------------------------------------------------------------


_lock = threading.Lock()
_pending: dict[tuple[str, int], "concurrent.futures.Future[list[Any]]"] = {}


def _look_up(host: str, port: int, until: float, ended: threading.Event) -> list[Any]:
    """What getaddrinfo says. It knows no time-out, so it runs in a thread that may be left behind.

    Who asks for a name that hangs already waits for the same look-up. Raises OSError, socket.timeout among them.
    """
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host.partition("%")[0])
        return _getaddrinfo(host, port)  # nobody is asked
    with _lock:
        future = _pending.get((host, port))
        if future is None:
            if len(_pending) >= MOST_LOOKUPS:
                raise OSError(f"{len(_pending)} look-ups of names hang already")
            future = concurrent.futures.Future()
            threading.Thread(
                target=_resolve, args=(host, port, future), daemon=True, name="look-up"
            ).start()
            _pending[host, port] = future
    while not concurrent.futures.wait([future], NOTICED_S).done:
        if ended.is_set() or time.monotonic() > until:
            raise socket.timeout(f"the look-up of {host} timed out")
    return future.result()


def _resolve(host: str, port: int, future: "concurrent.futures.Future[list[Any]]") -> None:
    try:
        known, error = _getaddrinfo(host, port), None
    except BaseException as caught:
        known, error = [], caught
    with _lock:
        del _pending[host, port]
    if error is None:
        future.set_result(known)
    else:
        future.set_exception(error)


def _getaddrinfo(host: str, port: int) -> list[Any]:
    return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)


# --- the network of a poll ------------------------------------------------------------------------


class Network:
    """What one poll opens. ``end`` closes it: from then on nothing connects, and what hangs fails."""

    def __init__(self, deadline: Deadline, policy: Optional[Policy] = None):
        self.deadline = deadline
        self._policy = policy or Policy()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        # A TLS handshake takes a socket over before anybody can see the new one: a duplicate of it, till then.
        self._handshakes: weakref.WeakKeyDictionary[Any, socket.socket] = (
            weakref.WeakKeyDictionary()
        )
        self._actions: list[Callable[[], Any]] = []  # at the end

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def end(self) -> None:
        """Close everything. Threads that wait for a socket, a look-up or a pause fail at once."""
        with self._lock:
            self._ended.set()
            actions, self._actions = self._actions, []
            sockets = [*self._sockets, *self._handshakes.values()]
        for action in actions:
            action()
        for each in sockets:  # not closed: another thread may be in it, and its number be reused
            with contextlib.suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)

    def pause(self, seconds: float) -> None:
        """Sleep. Raises OutOfTime where the poll ends meanwhile."""
        if self._ended.wait(seconds):
            raise self._over()

    @contextlib.contextmanager
    def shorter(self, seconds: float) -> Iterator["Network"]:
        """A network of the same policy for what may take but so many seconds: then it ends."""
        brief = Network(Deadline(self.deadline.timeout(seconds)), self._policy)
        self.at_end(brief.end)
        timer = threading.Timer(brief.deadline.seconds, brief.end)
        timer.daemon = True
        timer.start()
        try:
            yield brief
        finally:
            timer.cancel()
            brief.end()

    def look_up(self, host: str, port: int, seconds: float = CONNECT_TIMEOUT_S) -> list[Any]:
        """The addresses of a name, as getaddrinfo gives them. Raises OSError, socket.timeout among them."""
        return self._look_up(host, port, time.monotonic() + self.deadline.timeout(seconds))

    def connect(
        self, host: str, port: int, seconds: float, tls_of: Optional[object] = None
    ) -> socket.socket:
        """A connection to the first of the host's addresses that takes it, in so many seconds in all.

        With ``tls_of``, the owner of the TLS that is to follow, ``secured`` must be called after the
        handshake. Raises AddressDenied where the policy allows none of the addresses, OutOfTime where the poll
        has ended, and OSError (socket.timeout among them).
        """
        until = time.monotonic() + self.deadline.timeout(seconds)
        known = self._look_up(host, port, until)
        allowed = [each for each in known if self._policy.allows(each[4][0])]
        if known and not allowed:
            addresses = ", ".join(dict.fromkeys(each[4][0] for each in known))
            about = host if host == addresses else f"{host} ({addresses})"
            raise AddressDenied(f"{about} may not be connected to: the runtime's network policy")
        failure = OSError("the name has no address")
        for number, (family, kind, protocol, _, address) in enumerate(allowed):
            raw = socket.socket(family, kind, protocol)
            try:
                self._keep(raw)
                left = until - time.monotonic()
                raw.settimeout(max(0.001, left / (len(allowed) - number)))
                raw.connect(address)
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                raw.settimeout(max(0.001, until - time.monotonic()))
                if tls_of is not None:
                    self._keep(raw.dup(), tls_of)
                if self.ended:
                    raise self._over()
                return raw
            except BaseException as error:
                raw.close()
                if not isinstance(error, OSError):
                    raise
                failure = error
        raise self._over() if self.ended else failure

    def secured(self, owner: object, sock: Any) -> None:
        """The TLS handshake of this owner is over; ``sock`` is what it gave, or nothing."""
        with self._lock:
            duplicate = self._handshakes.pop(owner, None)
        if duplicate is not None:
            duplicate.close()
        if isinstance(sock, socket.socket):
            self._keep(sock)

    def pools(self, classes: Mapping[str, Any]) -> dict[str, Any]:
        """These classes of urllib3's connection pools, with connections of this network."""
        return {
            scheme: type(kind.__name__, (_Pool, kind), {"network": self})
            for scheme, kind in classes.items()
        }

    def at_end(self, action: Callable[[], Any]) -> None:
        """Something else to do at the end, which must not raise."""
        with self._lock:
            if not self.ended:
                self._actions.append(action)
                return
        action()

    def _look_up(self, host: str, port: int, until: float) -> list[Any]:
        try:
            return _look_up(host, port, until, self._ended)
        except UnicodeError:  # a label that is empty or too long
            raise UnexpectedResponse(f"{host!r} can't be the name of a host") from None
        except socket.timeout:
            if self.ended:
                raise self._over() from None
            raise

    def _keep(self, sock: socket.socket, owner: Optional[object] = None) -> None:
        with self._lock:
            if self.ended:
                sock.close()
                raise self._over()
            if owner is None:
                self._sockets.add(sock)
            else:
                self._handshakes[owner] = sock

    def _over(self) -> OutOfTime:
        return OutOfTime("the poll has ended")


_BEFORE_REDIRECT = 4  # parameters of urlopen: body, headers, retries, redirect


class _Pool:
    """What ``Network.pool`` adds to a pool of urllib3's: where it connects, and how it reads."""

    network: ClassVar[Network]

    def _new_conn(self) -> Any:
        connection = super()._new_conn()  # type: ignore[misc]
        # on the connection itself: its class may be vcrpy's, which hands this on to the one that connects
        known = weakref.ref(connection)
        secure = self.scheme == "https"  # type: ignore[attr-defined]
        connection._new_conn = lambda network=self.network: _dial(network, known(), secure)
        return connection

    def _validate_conn(self, connection: Any) -> None:
        """Where urllib3 connects, if that is over TLS."""
        try:
            super()._validate_conn(connection)  # type: ignore[misc]
        finally:
            self.network.secured(connection, getattr(connection, "sock", None))

    def urlopen(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        if (
            len(args) < _BEFORE_REDIRECT
        ):  # botocore leaves it to urllib3, which looks at where it leads
            kwargs["redirect"] = False
        response = super().urlopen(method, url, *args, **kwargs)  # type: ignore[misc]
        path = url.partition("?")[0]
        if path.startswith("/"):
            host = f"[{self.host}]" if ":" in self.host else self.host  # type: ignore[attr-defined]
            path = f"{self.scheme}://{host}:{self.port}{path}"  # type: ignore[attr-defined]
        try:
            return _whole(response, method, path)
        except BaseException:
            response.close()
            raise


def _dial(network: Network, connection: Any, secure: bool) -> socket.socket:
    """As urllib3's own ``_new_conn``, with its errors."""
    given = connection.timeout
    seconds = given if isinstance(given, (int, float)) else CONNECT_TIMEOUT_S
    host = connection._dns_host
    try:
        return network.connect(host, connection.port, seconds, connection if secure else None)
    except socket.timeout as error:
        raise ConnectTimeoutError(connection, f"connection to {host}: {error}") from error
    except OSError as error:
        raise NewConnectionError(connection, f"no connection to {host}: {error}") from error


# --- reading an answer over HTTP ------------------------------------------------------------------


def _whole(response: Any, method: str, where: str) -> urllib3.HTTPResponse:
    """The answer, with its body read and decoded.

    Raises UnexpectedResponse where that is larger than ``LARGEST_ANSWER`` or not encoded as it may be, and
    urllib3's ProtocolError where it is cut short.
    """
    headers = HTTPHeaderDict(response.headers.items())
    length = headers.get("Content-Length", "")
    chunked = "Transfer-Encoding" in headers
    if chunked:
        _limit_lines(response)
    told = int(length[:20]) if length.isascii() and length.isdigit() else None
    if told is not None and told > LARGEST_ANSWER:
        raise _too_large(where)
    raw = _Counted(response.stream(PART, decode_content=False))
    parts, size = [], 0
    for part in _decoded(raw, headers.get("Content-Encoding", ""), where):
        parts.append(part)
        size += len(part)
        if size > LARGEST_ANSWER:
            raise _too_large(where)
    body = b"".join(parts)
    has_body = method != "HEAD" and response.status not in (204, 304)
    if has_body and told is not None and not chunked:
        if raw.count < told:
            raise ProtocolError(f"{raw.count} of {told} bytes came")
    elif has_body and not chunked and 200 <= response.status < 300 and _is_cut(body):
        raise ProtocolError(f"the answer ends after {len(body)} bytes, within its JSON")
    for name in ("Content-Encoding", "Content-Length", "Transfer-Encoding"):
        headers.discard(name)
    return urllib3.HTTPResponse(
        io.BytesIO(body),
        headers,
        status=response.status,
        reason=response.reason,
        preload_content=False,
        original_response=getattr(response, "_original_response", None),
    )


def _too_large(where: str) -> UnexpectedResponse:
    return UnexpectedResponse(
        f"{where} answers with more than the {LARGEST_ANSWER} bytes that are read at most"
    )


class _Counted:
    """The parts of a body, and how many bytes of it came."""

    def __init__(self, parts: Iterator[bytes]):
        self._parts = parts
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            self.count += len(part)
            yield part


def _decoded(parts: _Counted, encoding: str, where: str) -> Iterator[bytes]:
    """The body as it was before it was encoded, no more than a MiB at once."""
    if encoding.strip().lower() in ("", "identity"):
        yield from parts
        return
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        raise UnexpectedResponse(f"{where} answers in an encoding that was not asked for")
    decoder = zlib.decompressobj(32 + zlib.MAX_WBITS)  # gzip or zlib
    try:
        for part in parts:
            while part:
                if decoder.eof:  # a file of gzip's may be several, one after the other
                    decoder = zlib.decompressobj(32 + zlib.MAX_WBITS)
                yield decoder.decompress(part, 1024**2)
                part = decoder.unconsumed_tail or decoder.unused_data
    except zlib.error as error:
        raise ProtocolError(f"the answer can't be decompressed: {error}") from None
    if parts.count and not decoder.eof:
        raise ProtocolError("the answer ends within its compressed body")


def _is_cut(body: bytes) -> bool:
    """Whether a body that ends where the connection does is JSON without its end."""
    if body.lstrip()[:1] not in (b"{", b"["):
        return False
    try:
        json.loads(body)
    except json.JSONDecodeError as error:
        # a string that has no end is reported where it begins, half a word ("tru") or escape likewise
        return "Unterminated string" in error.msg or len(error.doc.rstrip()) - error.pos < 10
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    except (ValueError, RecursionError):
        return False
    return False


def _limit_lines(response: Any) -> None:
    """urllib3 1.26 reads the lines between the parts of a chunked body whole, however long they are."""
    inner = getattr(response, "_fp", None)
    if isinstance(inner, http.client.HTTPResponse) and inner.fp is not None:
        limited: Any = _Lines(inner.fp)
        inner.fp = limited


class _Lines:
    """A file whose lines have an end."""

    def __init__(self, file: Any):
        self._file = file

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self._file.readline(LONGEST_LINE + 1 if limit < 0 else limit)
        if len(line) > LONGEST_LINE:
            raise http.client.LineTooLong("between two chunks")
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
