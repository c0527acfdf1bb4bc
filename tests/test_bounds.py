"""What every provider keeps to, whatever the other side does: time, size, threads, addresses, CAs.

A provider is in here as soon as it has a cell and a demo account; its demo account's address is replaced by
that of a hostile server on loopback.
"""

import base64
import contextlib
import gzip
import hashlib
import importlib
import queue
import re
import socket
import ssl
import threading
import types

import pytest

from flexlocal import accounts
from flexlocal.__main__ import families
from shared.engine import gather, network
from shared.engine.deadline import Deadline
from shared.engine.errors import (
    AddressDenied,
    ConnectorError,
    InvalidEvent,
    OutOfTime,
    UnexpectedResponse,
    Unreachable,
)
from shared.providers.aws import session as aws_session
from shared.transport import http, sessions, websocket
from tests.fakes import certificates
from tests.fakes.context import Context

FAMILY = {provider: family for family, cells in families().items() for provider in cells}
PROVIDERS = sorted(FAMILY)
LIMIT = 200_000  # bytes, of an answer here
BUFFERS = 16 * 1024**2  # bytes that two kernels may hold of what nobody reads
PATIENCE_S = 20.0  # for a thread that should end at once; one that hangs would for ever
ADDRESS = re.compile(r"(https?://)?[\w.-]+:\d+")

everybody = pytest.mark.parametrize("provider", PROVIDERS)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Three tries, and no wait between them."""
    monkeypatch.setattr(http, "delay_before_retry", lambda attempt, *_: 0 if attempt < 3 else None)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """PEM text and file of a certificate that is its own CA, also for the name that Juju's have."""
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    return certificates.write(file), str(file)


class Hostile:
    """A server that reads a request and answers as ``answer`` does: a generator of bytes to send."""

    def __init__(self, answer, certificate=None):
        self.answer = answer
        self.requests = 0
        self.sent = 0
        self.accepted = threading.Event()
        self.answering = threading.Event()  # it sent some
        self.stopped = threading.Event()
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self._open = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._start(self._accept)

    def _start(self, work, *args):
        threading.Thread(target=work, args=args, daemon=True, name="hostile").start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self._open.append(connection)
                self.accepted.set()
                self._start(self._serve, connection)

    def _serve(self, connection):
        with contextlib.suppress(OSError, ValueError):
            if self.answer is None:
                return  # and it stays open
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            with connection, connection.makefile("rb") as file:
                request = self._read(file)
                self.requests += 1
                for number, part in enumerate(self.answer(self, request)):
                    connection.sendall(part)
                    self.sent += len(part)
                    if number > 1:
                        self.answering.set()

    def _read(self, file):
        """The first line, headers and body of a request, by name in lower case."""
        request = {"first": file.readline().decode()}
        for line in iter(file.readline, b"\r\n"):
            name, _, value = line.decode().partition(":")
            request[name.lower()] = value.strip()
        request["body"] = file.read(int(request.get("content-length", 0))).decode()
        return request

    def stop(self):
        self.stopped.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


@pytest.fixture
def serve(certificate):
    """Starts servers; over TLS where the provider has nothing else, or where that is asked for."""
    servers = []

    def start(provider, answer, tls=False):
        servers.append(
            Hostile(answer, certificate[1] if tls or not speaks_http(provider) else None)
        )
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def speaks_http(provider):
    credentials = accounts.demo()[f"demo-{provider}"].credentials
    return any(str(each).startswith("http") for each in credentials.values())


def account(provider, host, scheme="http", **changed):
    """The event of the provider's demo account, with all its addresses at this host and port."""
    event = accounts.demo()[f"demo-{provider}"].event()

    def moved(value):
        if isinstance(value, list):
            return [moved(each) for each in value]
        if not isinstance(value, str) or not ADDRESS.match(value):
            return value
        return ADDRESS.sub(lambda found: f"{scheme}://{host}" if found[1] else host, value, count=1)

    credentials = {name: moved(value) for name, value in event["credentials"].items()}
    credentials = {**credentials, "verify": False, **changed}
    assert host in str(credentials), "the demo account names no address"
    return {**event, "credentials": credentials}


def polled(provider, event, **config):
    """The error that the poll ends in, once each thread that it has left behind is gone."""
    before = set(threading.enumerate())
    main = importlib.import_module(f"modules.{FAMILY[provider]}.main")
    with pytest.raises(ConnectorError) as caught:
        main.get(event, Context(scopes_at_once=1, **config))  # one call after another
    for thread in set(threading.enumerate()) - before:
        if thread.name not in ("hostile", "look-up"):
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), f"{thread.name} outlives the poll"
    return caught.value


@pytest.fixture
def out_of_time_at(monkeypatch):
    """Has the engine give up as soon as the event is set, long before a socket's own time-out."""

    def choose(event):
        class Impatient(queue.SimpleQueue):
            def get(self, block=True, timeout=None):
                while True:
                    try:
                        return super().get(timeout=0.01)
                    except queue.Empty:
                        if event.is_set():
                            raise

        known = types.SimpleNamespace(SimpleQueue=Impatient, Empty=queue.Empty)
        monkeypatch.setattr(gather, "queue", known)

    return choose


# --- what the servers answer ----------------------------------------------------------------------


def switched(request):
    key = request["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()  # noqa: S324 - as RFC 6455 has it
    head = "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return f"{head}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()


def frame(length):
    """The head of a WebSocket's text frame of so many bytes."""
    return b"\x81\x7f" + length.to_bytes(8, "big")


def endless(server, request):
    if "upgrade" in request:
        yield switched(request) + frame(2**62)
    else:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    while server.sent < 2 * BUFFERS:  # it has an end, so that a test fails and does not hang
        yield b" " * 65536


def bomb(server, request):
    """A MiB that is a KiB, again and again; over WebSockets, where nothing is compressed, as it is."""
    if "upgrade" in request:
        yield from endless(server, request)
    yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n"
    for _ in range(256):
        yield gzip.compress(b" " * 1024**2)


def endless_line(server, request):
    """Not a body without end, but the number of bytes that the next part of it has."""
    if "upgrade" in request:
        yield b"HTTP/1.1 101 OK\r\nX-Endless: "
    else:
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    while server.sent < 2 * BUFFERS:
        yield b"0" * 65536


def drip(server, request):
    if "upgrade" in request:
        yield switched(request) + frame(2**62)
    else:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    while not server.stopped.wait(0.01):
        yield b" "


def drip_of_headers(server, request):
    yield b"HTTP/1.1 200 OK\r\nX-Slow: "
    while not server.stopped.wait(0.01):
        yield b"x"


def started(request):
    """The beginning of an answer, as the API gives it."""
    if "Action=" in request["body"]:
        action = re.search(r"Action=(\w+)", request["body"])[1]
        return f"<?xml version='1.0'?><{action}Response><requestId>".encode()
    return b'{"token": {"results": [{"id'


def without_end(server, request):
    if "upgrade" in request:
        yield switched(request) + frame(100) + b'{"request-id'
        return
    yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + started(request)


def chunked_without_end(server, request):
    if "upgrade" in request:
        yield from without_end(server, request)
        return
    body = started(request)
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(body), body)


def gzip_without_end(server, request):
    if "upgrade" in request:
        yield from without_end(server, request)
        return
    yield b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"{}" * 99)[:-9]


# --- size, time and threads -----------------------------------------------------------------------


@everybody
@pytest.mark.parametrize("answer", [endless, bomb])
def test_no_answer_is_larger_than_the_limit(serve, monkeypatch, provider, answer):
    monkeypatch.setattr(network, "LARGEST_ANSWER", LIMIT)
    monkeypatch.setattr(websocket, "LARGEST_ANSWER", LIMIT)
    server = serve(provider, answer)
    error = polled(provider, account(provider, f"127.0.0.1:{server.port}"))
    assert isinstance(error, UnexpectedResponse)
    assert f"more than the {LIMIT} bytes that are read at most" in str(error)
    assert server.requests == 1
    assert server.sent < BUFFERS


@everybody
def test_a_line_without_end_is_not_read_for_ever(serve, monkeypatch, provider):
    monkeypatch.setattr(websocket, "LARGEST_ANSWER", LIMIT)
    server = serve(provider, endless_line)
    error = polled(provider, account(provider, f"127.0.0.1:{server.port}"))
    assert isinstance(error, (Unreachable, UnexpectedResponse))
    assert server.sent < BUFFERS


@everybody
@pytest.mark.parametrize("answer", [drip, drip_of_headers])
def test_no_thread_outlives_the_poll(serve, out_of_time_at, provider, answer):
    server = serve(provider, answer)
    out_of_time_at(server.answering)
    error = polled(provider, account(provider, f"127.0.0.1:{server.port}"))
    assert isinstance(error, OutOfTime)


@everybody
def test_a_tls_handshake_that_hangs_ends_with_the_poll(
    serve, out_of_time_at, monkeypatch, provider
):
    for module, name in (
        (sessions, "CONNECT_TIMEOUT_S"),
        (aws_session, "CONNECT_TIMEOUT_S"),
        (websocket, "CONNECT_S"),
    ):
        monkeypatch.setattr(module, name, 300.0)  # so that it is nothing else that ends it
    server = serve(provider, None, tls=True)
    out_of_time_at(server.accepted)
    event = account(provider, f"127.0.0.1:{server.port}", "https")
    assert isinstance(polled(provider, event), OutOfTime)


@everybody
@pytest.mark.parametrize("answer", [without_end, chunked_without_end, gzip_without_end])
def test_a_body_that_is_cut_short_is_asked_for_again(serve, provider, answer):
    server = serve(provider, answer)
    error = polled(provider, account(provider, f"127.0.0.1:{server.port}"))
    assert isinstance(error, Unreachable)
    assert server.requests == 3


@everybody
def test_look_ups_that_hang_are_few(monkeypatch, out_of_time_at, provider):
    answered, waiting, asked = threading.Event(), threading.Event(), []
    look_up = network._look_up

    def waits(*args):
        waiting.set()
        return look_up(*args)

    def hangs(host, *_, **__):
        asked.append(host)
        answered.wait(PATIENCE_S)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    monkeypatch.setattr(network, "_look_up", waits)
    monkeypatch.setattr(network, "MOST_LOOKUPS", 1)
    out_of_time_at(waiting)
    try:
        for _ in range(3):
            event = account(provider, "hangs.example:443")
            assert isinstance(polled(provider, event), OutOfTime)
            waiting.clear()
        assert asked == ["hangs.example"]
        out_of_time_at(threading.Event())
        error = polled(provider, account(provider, "other.example:443"))
        assert isinstance(error, Unreachable)
        assert asked == ["hangs.example"]
    finally:
        answered.set()
        for thread in threading.enumerate():
            if thread.name == "look-up":
                thread.join(PATIENCE_S)
    assert network._pending == {}


# --- addresses ------------------------------------------------------------------------------------


@pytest.fixture
def leads_to(monkeypatch):
    """Has all names be at these addresses, and nothing ever be connected to."""

    def lead(*addresses):
        asked = []

        def resolve(host, port, *_, **__):
            asked.append(host)
            families = [socket.AF_INET6 if ":" in each else socket.AF_INET for each in addresses]
            return [
                (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))
                for family, address in zip(families, addresses)
            ]

        def connect(self, address):
            raise AssertionError(f"connected to {address}")

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        monkeypatch.setattr(socket.socket, "connect", connect)
        return asked

    return lead


@everybody
@pytest.mark.parametrize(
    "address", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1%1", "fd00:ec2::254"]
)
def test_a_name_does_not_lead_to_link_local_addresses(leads_to, provider, address):
    asked = leads_to(address, address)
    error = polled(provider, account(provider, "innocent.example:443"))
    assert isinstance(error, AddressDenied)
    assert f"innocent.example ({address})" in str(error)
    assert asked == ["innocent.example"]  # and is not tried again


@everybody
@pytest.mark.parametrize(
    "config", [{"denied_networks": ["10.0.0.0/8"]}, {"allowed_networks": ["192.0.2.0/24"]}]
)
def test_what_the_operator_does_not_allow_is_not_connected_to(leads_to, provider, config):
    leads_to("10.1.2.3")
    error = polled(provider, account(provider, "innocent.example:443"), **config)
    assert isinstance(error, AddressDenied)
    assert "innocent.example (10.1.2.3)" in str(error)


@everybody
@pytest.mark.parametrize("name", ["allowed_networks", "denied_networks"])
@pytest.mark.usefixtures("no_network")
def test_a_policy_that_is_none_is_refused_before_any_call(provider, name):
    for value in ("10.0.0.0/8", ["ten"], ["10.0.0.1/8"], [10], {}, ["::ffff:10.0.0.0/104"]):
        error = polled(provider, account(provider, "127.0.0.1:1"), **{name: value})
        assert isinstance(error, InvalidEvent)
        assert f"context.config.{name} should be a list of networks" in str(error)


# --- CAs ------------------------------------------------------------------------------------------


def ca_key(provider):
    """What the provider calls the credential with a CA."""
    known = importlib.import_module(f"shared.providers.{provider}").CREDENTIAL_KEYS
    (name,) = {"cacert", "ca_cert"} & known
    return name


@everybody
def test_a_ca_is_taken_as_pem_text(serve, certificate, provider):
    def refuses(server, request):
        yield b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"

    server = serve(provider, refuses, tls=True)
    event = account(provider, f"127.0.0.1:{server.port}", "https", verify=True)
    event["credentials"].pop(ca_key(provider), None)
    polled(provider, event)
    assert server.requests == 0
    event["credentials"][ca_key(provider)] = certificate[0]
    polled(provider, event)
    assert server.requests >= 1


@everybody
@pytest.mark.usefixtures("no_network")
def test_a_path_is_no_ca_whether_a_file_is_there_or_not(certificate, provider):
    name, there = ca_key(provider), certificate[1]
    texts = set()
    for path in (there, f"{there}.not"):
        error = polled(provider, account(provider, "127.0.0.1:1", **{name: path}))
        assert isinstance(error, InvalidEvent)
        assert f"credentials.{name}" in str(error)
        texts.add(str(error))
    assert len(texts) == 1


def test_a_websocket_reads_ahead_within_its_budget():
    near, far = socket.socketpair()
    with near, far:
        budget = websocket._Budget(Deadline(10), 10, "wss://192.0.2.1")
        reader = websocket._BudgetedSocket(near, budget)
        sent = bytes(range(256)) * 8
        far.sendall(sent)
        read = [reader.recv(1) for _ in range(300)]
        assert (len(b"".join(read)), budget._bytes) == (300, 300)
        near.setblocking(False)
        assert len(near.recv(4096)) == len(sent) - websocket.READ_AHEAD  # the rest was not read yet
        sent = sent[: websocket.READ_AHEAD]
        near.setblocking(True)
        read.append(reader.recv(1000))
        while sum(map(len, read)) < len(sent):
            read.append(reader.recv(1500))
        far.close()
        assert reader.recv(1) == b""
        assert b"".join(read) == sent
        assert budget._bytes == len(sent)
