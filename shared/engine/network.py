"""The network of one poll: where it may connect to, how much it reads, and when all of it ends.

Every connection of a poll is opened by ``Network.connect``: those of requests (and so of keystoneauth1) and of
botocore, which use the pools of ``Network.pools``, and WebSockets (shared/transport/websocket.py). So one place
looks names up within a time-out, checks each address against the runtime's policy, and knows all sockets:
``end`` closes them, and any thread that hangs in one gets an error.

An HTTP response is read completely before it is passed on: within the size limit, decoded, and not cut short.

With a proxy from the environment, the poll connects to the proxy, so the proxy's address is checked.
"""

import concurrent.futures
import contextlib
import dataclasses
import http.client
import io
import ipaddress
import json
import socket
import ssl
import threading
import time
import weakref
import zlib
from collections.abc import Generator, Iterator, Mapping
from typing import Any, Callable, ClassVar, Optional, Union

import urllib3
from urllib3._collections import HTTPHeaderDict
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProtocolError
from urllib3.util.ssl_ import create_urllib3_context

from shared.engine import tls
from shared.engine.deadline import Deadline
from shared.engine.errors import AddressDenied, InvalidEvent, OutOfTime, UnexpectedResponse

CONNECT_TIMEOUT_S = (
    10.0  # the look-up and all addresses of a name together; TLS gets what is left of it
)
LARGEST_ANSWER = 64 * 1024**2  # bytes, decoded
MOST_LOOKUPS = (
    64  # at the same time, in the whole process: nothing can end the thread of one that hangs
)
PART = 64 * 1024  # bytes that are read at once; decompressing may multiply them by 1,000
LONGEST_LINE = 64 * 1024  # bytes of a line between the parts of a chunked body
NOTICED_S = 0.25  # how soon a thread that waits for a look-up notices the end of the poll

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Networks = tuple[Union[ipaddress.IPv4Network, ipaddress.IPv6Network], ...]

# Link-local addresses, where clouds have their metadata services, and AWS's address for it over IPv6
# (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html).
LINK_LOCAL: Networks = (
    ipaddress.IPv4Network("169.254.0.0/16"),
    ipaddress.IPv6Network("fe80::/10"),
    ipaddress.IPv6Network("fd00:ec2::254/128"),
)
# Linux connects to this host itself for these addresses.
_UNSPECIFIED: dict[Address, Address] = {
    ipaddress.IPv4Address("0.0.0.0"): ipaddress.IPv4Address("127.0.0.1"),  # noqa: S104 - not bound
    ipaddress.IPv6Address("::"): ipaddress.IPv6Address("::1"),
}


# --- the policy -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Policy:
    """Which addresses a poll may connect to.

    Never to ``denied`` ones; otherwise to ``allowed`` ones, or to all if that is None. Link-local addresses need a
    network in ``allowed`` that lies within their range: 0.0.0.0/0 does not include them.
    """

    allowed: Optional[Networks] = None
    denied: Networks = ()

    def allows(self, text: str) -> bool:
        """Whether the policy allows this address, in the form in which getaddrinfo returns it."""
        address = _plain(text)
        if _within(address, self.denied):
            return False
        allowing = [network for network in self.allowed or () if address in network]
        if _within(address, LINK_LOCAL):
            return any(_is_link_local(network) for network in allowing)
        return self.allowed is None or bool(allowing)


def policy(config: Any) -> Policy:
    """The policy of ``context.config``: its ``allowed_networks`` and ``denied_networks``.

    Raises InvalidEvent if one of them is not a list of networks ("10.0.0.0/8", "fd00::/8").
    """
    settings = config if isinstance(config, Mapping) else {}
    return Policy(
        _networks(settings, "allowed_networks"), _networks(settings, "denied_networks") or ()
    )


def _networks(config: Mapping[str, Any], name: str) -> Optional[Networks]:
    value = config.get(name)
    if value is None:
        return None
    expected = f"context.config.{name} should be a list of networks such as 10.0.0.0/8"
    if not isinstance(value, (list, tuple)):
        raise InvalidEvent(f"{expected}, but is {type(value).__name__}")
    networks = []
    for item in value:
        try:
            network = ipaddress.ip_network(item) if isinstance(item, str) else None
        except ValueError:
            network = None
        mapped = isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped
        if network is None or mapped:  # IPv4 addresses within IPv6 ones count as IPv4
            raise InvalidEvent(f"{expected}; {item!r} is none")
        networks.append(network)
    return tuple(networks)


def _plain(text: str) -> Address:
    address = ipaddress.ip_address(text.partition("%")[0])  # without the interface
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return _UNSPECIFIED.get(address, address)


def _within(address: Address, networks: Networks) -> bool:
    return any(address in network for network in networks)


def _is_link_local(network: Any) -> bool:
    return any(
        network.version == local.version and network.subnet_of(local) for local in LINK_LOCAL
    )


# --- looking names up -----------------------------------------------------------------------------


_lock = threading.Lock()
_pending: dict[tuple[str, int], "concurrent.futures.Future[list[Any]]"] = {}


def _look_up(host: str, port: int, until: float, ended: threading.Event) -> list[Any]:
    """The result of getaddrinfo, which has no time-out and so runs in a thread that may be left behind.

    All threads that look the same name up share one look-up. Raises OSError, of which socket.timeout is one.
    """
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host.partition("%")[0])
        return _getaddrinfo(host, port)  # makes no query
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
        resolved, error = _getaddrinfo(host, port), None
    except BaseException as caught:
        resolved, error = [], caught
    with _lock:
        del _pending[host, port]
    if error is None:
        future.set_result(resolved)
    else:
        future.set_exception(error)


def _getaddrinfo(host: str, port: int) -> list[Any]:
    return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)


# --- the network of a poll ------------------------------------------------------------------------


class Network:
    """All connections of one poll. After ``end``, nothing connects any more, and whatever hangs fails."""

    def __init__(self, deadline: Deadline, policy: Optional[Policy] = None):
        self.deadline = deadline
        self._policy = policy or Policy()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        # A TLS handshake replaces a socket before the new one is known: until then, duplicates of the old ones.
        self._handshakes: weakref.WeakKeyDictionary[Any, socket.socket] = (
            weakref.WeakKeyDictionary()
        )
        self._actions: list[Callable[[], Any]] = []  # to run at the end

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def end(self) -> None:
        """Shut all connections down. Threads that wait for a socket, a look-up or a pause fail at once."""
        with self._lock:
            self._ended.set()
            actions, self._actions = self._actions, []
            sockets = [*self._sockets, *self._handshakes.values()]
        for action in actions:
            action()
        for sock in sockets:  # not closed: another thread may be in it, and its number be reused
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def pause(self, seconds: float) -> None:
        """Sleep. Raises OutOfTime if the poll ends meanwhile."""
        if self._ended.wait(seconds):
            raise self._over()

    @contextlib.contextmanager
    def shorter(self, seconds: float) -> Iterator["Network"]:
        """A network with the same policy that ends after so many seconds."""
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
        """The addresses of a name, as getaddrinfo returns them. Raises OSError, of which socket.timeout is one."""
        return self._look_up(host, port, time.monotonic() + self.deadline.timeout(seconds))

    def connect(
        self, host: str, port: int, seconds: float, tls_of: Optional[object] = None
    ) -> socket.socket:
        """A connection to the first of the host's addresses that accepts it, within so many seconds in all.

        If TLS follows, ``tls_of`` is its owner, and ``secured`` must be called after the handshake. Raises
        AddressDenied if the policy allows none of the addresses, OutOfTime if the poll has ended, and OSError
        (of which socket.timeout is one).
        """
        until = time.monotonic() + self.deadline.timeout(seconds)
        resolved = self._look_up(host, port, until)
        allowed = [entry for entry in resolved if self._policy.allows(entry[4][0])]
        if resolved and not allowed:
            addresses = ", ".join(dict.fromkeys(entry[4][0] for entry in resolved))
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
        """The TLS handshake of this owner is over; ``sock`` is the new socket, or None if it failed."""
        with self._lock:
            duplicate = self._handshakes.pop(owner, None)
        if duplicate is not None:
            duplicate.close()
        if isinstance(sock, socket.socket):
            self._keep(sock)

    def pools(
        self,
        classes: Mapping[str, Any],
        own_tls: Optional[ssl.SSLContext] = None,
        create_tls: Callable[[], ssl.SSLContext] = create_urllib3_context,
    ) -> dict[str, Any]:
        """These classes of urllib3 connection pools, changed to open their connections through this network.

        ``own_tls`` is the context that they were given, if it trusts a CA of the account; ``create_tls`` is what
        the library that they belong to creates its contexts with.
        """
        added = {"network": self, "own_tls": own_tls, "create_tls": staticmethod(create_tls)}
        return {
            scheme: type(kind.__name__, (_Pool, kind), added) for scheme, kind in classes.items()
        }

    def at_end(self, action: Callable[[], Any]) -> None:
        """Run this when the poll ends, too. It must not raise."""
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
    """What ``Network.pools`` adds to a pool of urllib3: how it connects and how it reads."""

    network: ClassVar[Network]
    own_tls: ClassVar[Optional[ssl.SSLContext]]
    create_tls: ClassVar[Any]  # a static method

    def _new_conn(self) -> Any:
        connection = super()._new_conn()  # type: ignore[misc]
        # set on the connection itself: its class may be vcrpy's, which passes this on to the one that connects
        known = weakref.ref(connection)
        secure = self.scheme == "https"  # type: ignore[attr-defined]
        connection._new_conn = lambda network=self.network: _dial(network, known(), secure)
        return connection

    def _validate_conn(self, connection: Any) -> None:
        """urllib3 calls this before a request; over TLS it connects here, except through a proxy."""
        try:
            with self._loaded(connection):
                super()._validate_conn(connection)  # type: ignore[misc]
        finally:
            self.network.secured(connection, getattr(connection, "sock", None))

    def _prepare_proxy(self, connection: Any) -> None:
        """urllib3 calls this before the first request through a proxy; TLS connects here."""
        with self._loaded(connection):
            super()._prepare_proxy(connection)  # type: ignore[misc]

    def _loaded(self, connection: Any) -> Any:
        """``tls.loaded`` for TLS; not with a proxy that has TLS too: urllib3 verifies both with the same file."""
        proxy = self.proxy  # type: ignore[attr-defined]
        if self.scheme != "https" or (proxy is not None and proxy.scheme != "http"):  # type: ignore[attr-defined]
            return contextlib.nullcontext()
        return tls.loaded(connection, self.own_tls, self.create_tls)

    def urlopen(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        if (
            len(args) < _BEFORE_REDIRECT
        ):  # botocore leaves redirects to urllib3, which would follow them to any host
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
    """Like urllib3's own ``_new_conn``, with the same errors."""
    timeout = connection.timeout
    seconds = timeout if isinstance(timeout, (int, float)) else CONNECT_TIMEOUT_S
    host = connection._dns_host
    try:
        return network.connect(host, connection.port, seconds, connection if secure else None)
    except socket.timeout as error:
        raise ConnectTimeoutError(connection, f"connection to {host}: {error}") from error
    except OSError as error:
        raise NewConnectionError(connection, f"no connection to {host}: {error}") from error


# --- reading an HTTP response ---------------------------------------------------------------------


def _whole(response: Any, method: str, where: str) -> urllib3.HTTPResponse:
    """The response, with its body read and decoded.

    Raises UnexpectedResponse if the body is larger than ``LARGEST_ANSWER`` or in an encoding that was not
    requested, and urllib3's ProtocolError if it is cut short.
    """
    headers = HTTPHeaderDict(response.headers.items())
    length = headers.get("Content-Length", "")
    chunked = "Transfer-Encoding" in headers
    if chunked:
        _limit_lines(response)
    announced = int(length[:20]) if length.isascii() and length.isdigit() else None
    if announced is not None and announced > LARGEST_ANSWER:
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
    if has_body and announced is not None and not chunked:
        if raw.count < announced:
            raise ProtocolError(f"{raw.count} of {announced} bytes came")
    elif has_body and not chunked and 200 <= response.status < 300 and _is_cut(body):
        raise ProtocolError(f"the answer ends after {len(body)} bytes, within its JSON")
    for name in ("Content-Encoding", "Content-Length", "Transfer-Encoding"):
        headers.discard(name)
    return _Read(
        io.BytesIO(body),
        headers,
        status=response.status,
        reason=response.reason,
        preload_content=False,
        original_response=getattr(response, "_original_response", None),
    )


class _Read(urllib3.HTTPResponse):
    """A response whose body has been read. It streams in one part: requests would ask for 10 KiB at a time."""

    def stream(
        self, amt: Optional[int] = None, decode_content: Optional[bool] = None
    ) -> Generator[bytes, None, None]:
        part = self.read(decode_content=decode_content)
        if part:
            yield part


def _too_large(where: str) -> UnexpectedResponse:
    return UnexpectedResponse(
        f"{where} answers with more than the {LARGEST_ANSWER} bytes that are read at most"
    )


class _Counted:
    """The parts of a body, and how many bytes of it were received."""

    def __init__(self, parts: Iterator[bytes]):
        self._parts = parts
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            self.count += len(part)
            yield part


def _decoded(parts: _Counted, encoding: str, where: str) -> Iterator[bytes]:
    """The decoded body, in parts of at most 1 MiB."""
    if encoding.strip().lower() in ("", "identity"):
        yield from parts
        return
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        raise UnexpectedResponse(f"{where} answers in an encoding that was not requested")
    decoder = zlib.decompressobj(32 + zlib.MAX_WBITS)  # gzip or zlib
    try:
        for part in parts:
            while part:
                if decoder.eof:  # gzip data may have several members, one after the other
                    decoder = zlib.decompressobj(32 + zlib.MAX_WBITS)
                yield decoder.decompress(part, 1024**2)
                part = decoder.unconsumed_tail or decoder.unused_data
    except zlib.error as error:
        raise ProtocolError(f"the answer can't be decompressed: {error}") from None
    if parts.count and not decoder.eof:
        raise ProtocolError("the answer ends within its compressed body")


def _is_cut(body: bytes) -> bool:
    """Whether a body that ends with the connection is JSON whose end is missing."""
    if body.lstrip()[:1] not in (b"{", b"["):
        return False
    try:
        json.loads(body)
    except json.JSONDecodeError as error:
        # a string without an end is reported where it begins, and so is half a word ("tru") or escape
        return "Unterminated string" in error.msg or len(error.doc.rstrip()) - error.pos < 10
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    except (ValueError, RecursionError):
        return False
    return False


def _limit_lines(response: Any) -> None:
    """Limit the lines between the parts of a chunked body: urllib3 1.26 reads them whole, however long."""
    inner = getattr(response, "_fp", None)
    if isinstance(inner, http.client.HTTPResponse) and inner.fp is not None:
        limited: Any = _Lines(inner.fp)
        inner.fp = limited


class _Lines:
    """A file that refuses a line that is too long."""

    def __init__(self, file: Any):
        self._file = file

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self._file.readline(LONGEST_LINE + 1 if limit < 0 else limit)
        if len(line) > LONGEST_LINE:
            raise http.client.LineTooLong("between two chunks")
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
