"""The network of a poll: its policy, its end, and the forms in which a body may be cut or encoded."""

import gzip
import socket
import ssl
import threading
import zlib

import pytest
import urllib3

from shared.engine import network
from shared.engine.deadline import Deadline
from shared.engine.errors import AddressDenied, InvalidEvent, OutOfTime, UnexpectedResponse
from shared.engine.network import Network, Policy
from shared.engine.traffic import Traffic
from shared.transport import sessions
from shared.transport.sessions import session as http_session
from tests.test_http import Server

PATIENCE_S = 20.0


def policy(**config):
    return network.policy(config)


# --- the policy -----------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [None, {}, {"allowed_networks": None}, "text"])
def test_anything_but_link_local_is_allowed_where_nothing_is_said(config):
    assert network.policy(config) == Policy()


@pytest.mark.parametrize(
    "config, allowed, refused",
    [
        (
            {},
            ["10.0.0.1", "127.0.0.1", "::1", "192.0.2.1", "2001:db8::1", "fd00::1", "169.253.0.1"],
            ["169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "febf::1"],
        ),
        ({}, ["::ffff:10.0.0.1"], ["::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "fd00:ec2::254"]),
        (
            {"denied_networks": ["127.0.0.0/8", "::1/128"]},
            ["10.0.0.1"],
            ["127.0.0.1", "127.9.9.9", "::ffff:127.0.0.1", "0.0.0.0", "::1", "::"],  # noqa: S104 - not bound
        ),
        (
            {
                "allowed_networks": ["10.0.0.0/8", "2001:db8::/32"],
                "denied_networks": ["10.1.0.0/16"],
            },
            ["10.2.0.1", "2001:db8::1", "::ffff:10.2.0.1"],
            ["10.1.0.1", "192.0.2.1", "2001:db9::1", "169.254.169.254"],
        ),
        # all addresses are not yet those of this link: they must be named
        ({"allowed_networks": ["0.0.0.0/0", "::/0"]}, ["192.0.2.1"], ["169.254.0.1", "fe80::1"]),
        ({"allowed_networks": ["169.254.7.0/24"]}, ["169.254.7.1"], ["169.254.8.1", "192.0.2.1"]),
        ({"denied_networks": []}, ["192.0.2.1"], ["169.254.169.254"]),
        ({"allowed_networks": []}, [], ["192.0.2.1", "127.0.0.1"]),
        (
            {"allowed_networks": ["169.254.7.0/24"], "denied_networks": ["169.254.7.1"]},
            ["169.254.7.2"],
            ["169.254.7.1"],
        ),
    ],
)
def test_which_addresses_are_allowed(config, allowed, refused):
    known = network.policy(config)
    assert [each for each in allowed if not known.allows(each)] == []
    assert [each for each in refused if known.allows(each)] == []


def test_a_policy_that_is_none_names_the_key_and_the_entry():
    with pytest.raises(InvalidEvent, match=r"context.config.denied_networks .* 'all' is none"):
        policy(denied_networks=["10.0.0.0/8", "all"])


@pytest.fixture
def dialled(monkeypatch):
    """The addresses that were connected to; none takes a connection."""
    addresses = []

    def refuse(self, address):
        addresses.append(address[0])
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return addresses


def leads_to(monkeypatch, *addresses):
    known = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: known)


def test_of_several_addresses_only_those_that_are_allowed_are_tried(monkeypatch, dialled):
    leads_to(monkeypatch, "169.254.169.254", "192.0.2.1", "192.0.2.2")
    with pytest.raises(ConnectionRefusedError):
        Network(Deadline(60)).connect("mixed.example", 80, 10)
    assert dialled == ["192.0.2.1", "192.0.2.2"]


def test_a_denied_address_is_named_with_its_host(monkeypatch, dialled):
    leads_to(monkeypatch, "169.254.169.254", "169.254.169.254")
    with pytest.raises(AddressDenied, match=r"^meta.example \(169.254.169.254\) may not be connec"):
        Network(Deadline(60)).connect("meta.example", 80, 10)
    with pytest.raises(AddressDenied, match=r"^169.254.169.254 may not be connected to"):
        Network(Deadline(60)).connect("169.254.169.254", 80, 10)
    assert dialled == []


def test_the_address_of_each_new_connection_is_checked(monkeypatch):
    """A name that moves between two requests, as in DNS rebinding."""
    server = Server()
    server.answers = [(302, {"Location": "/next"}, b"")]
    try:
        port = server.server.server_port
        answers = iter(["127.0.0.1", "169.254.169.254"])
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))],
        )
        web = http_session(Network(Deadline(60)), Traffic())
        with pytest.raises(AddressDenied, match="moving.example"):
            web.get(f"http://moving.example:{port}/")
        assert len(server.asked) == 1
    finally:
        server.server.shutdown()
        server.server.server_close()


def test_with_a_proxy_it_is_the_proxys_address_that_counts(monkeypatch, dialled):
    monkeypatch.setenv("http_proxy", "http://169.254.1.1:3128")
    web = http_session(Network(Deadline(60)), Traffic())
    with pytest.raises(AddressDenied, match="^169.254.1.1 may not"):
        web.get("http://192.0.2.7/")
    assert dialled == []


def test_a_name_that_can_be_no_hosts_is_said_so():
    with pytest.raises(UnexpectedResponse, match="can't be the name of a host"):
        Network(Deadline(60)).connect("x" * 64 + ".example", 80, 10)


# --- the end --------------------------------------------------------------------------------------


@pytest.fixture
def silent():
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def at_the_end(opened, action, listening):
    """What the action raises when the network ends after the server has taken its connection."""
    caught = []

    def work():
        try:
            action()
        except Exception as error:
            caught.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    connection, _ = listening.accept()
    with connection:
        opened.end()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    (error,) = caught
    return error


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_end_ends_an_exchange_and_a_handshake(monkeypatch, silent, scheme):
    monkeypatch.setattr(
        sessions, "CONNECT_TIMEOUT_S", 300.0
    )  # so that it is nothing else that ends it
    opened = Network(Deadline(600))
    web = http_session(opened, Traffic())
    url = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/"
    at_the_end(opened, lambda: web.get(url), silent)
    with pytest.raises(OutOfTime):
        web.get(url)


def test_the_end_ends_a_pause():
    opened = Network(Deadline(600))
    started, caught = threading.Event(), []

    def work():
        started.set()
        with pytest.raises(OutOfTime):
            opened.pause(PATIENCE_S * 10)
        caught.append(True)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    started.wait(PATIENCE_S)
    opened.end()
    thread.join(PATIENCE_S)
    assert caught == [True]


def test_nothing_is_connected_to_after_the_end(silent):
    opened = Network(Deadline(600))
    opened.end()
    with pytest.raises(OutOfTime):
        opened.connect("127.0.0.1", silent.getsockname()[1], 10)


def test_idle_connections_are_closed_at_the_end():
    listening = socket.create_server(("127.0.0.1", 0))
    closed = threading.Event()

    def serve():
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            connection.recv(1)
            closed.set()

    with listening:
        threading.Thread(target=serve, daemon=True).start()
        opened = Network(Deadline(600))
        web = http_session(opened, Traffic())
        assert web.get(f"http://127.0.0.1:{listening.getsockname()[1]}/").json() == {}
        assert not closed.is_set()
        opened.end()
        assert closed.wait(PATIENCE_S)


def test_a_shorter_network_ends_by_itself_and_with_its_parent(silent):
    opened = Network(Deadline(600))
    with opened.shorter(0.01) as brief:
        assert brief._ended.wait(PATIENCE_S)
    assert not opened.ended
    with opened.shorter(500) as brief:
        opened.end()
        assert brief.ended


def test_what_was_resolved_meanwhile_is_not_used_after_the_end(monkeypatch):
    """Of a look-up that hangs, only its own thread is left; whoever asks again waits for the same one."""
    free, asked = threading.Event(), []

    def hangs(host, *_, **__):
        asked.append(host)
        free.wait(PATIENCE_S)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    for _ in range(3):
        with pytest.raises(socket.timeout, match="look-up of slow.example timed out"):
            Network(Deadline(600)).look_up("slow.example", 80, 0.01)
    assert asked == ["slow.example"]
    waiting = [thread for thread in threading.enumerate() if thread.name == "look-up"]
    free.set()
    for thread in waiting:
        thread.join(PATIENCE_S)
    assert Network(Deadline(600)).look_up("slow.example", 80) == []
    assert asked == ["slow.example"] * 2


# --- bodies ---------------------------------------------------------------------------------------

JSON = b'{"name": "\xc3\xa9", "list": [1, true, -1.5e3, "a\\u00e9"]} '


def whole(body, **headers):
    """What is made of an answer with this body."""
    known = {name.replace("_", "-"): value for name, value in headers.items()}
    response = urllib3.HTTPResponse(
        body=Body(body), headers=known, status=200, preload_content=False
    )
    return network._whole(response, "GET", "http://h.example/x").data


class Body:
    def __init__(self, data):
        self._data = data
        self.closed = False

    def read(self, amount=None):
        part, self._data = self._data[:amount], self._data[amount:] if amount else b""
        return part

    def close(self):
        self.closed = True


def test_json_that_ends_with_the_connection_is_cut_wherever_it_is_cut():
    end = len(JSON.rstrip())
    assert whole(JSON) == JSON
    for length in range(1, end):
        with pytest.raises(urllib3.exceptions.ProtocolError, match="within its JSON"):
            whole(JSON[:length])


@pytest.mark.parametrize(
    "body", [b"", b"text", b"<html>", b'{"a" 1, "b": 2, "c": 3}', b"[" * 100_000, b'"text']
)
def test_what_is_no_json_or_wrong_within_is_left_to_the_reader(body):
    assert whole(body) == body


@pytest.mark.parametrize("encoding", ["gzip", "X-GZIP", "deflate"])
def test_compressed_bodies(encoding):
    packed = zlib.compress(JSON) if encoding == "deflate" else gzip.compress(JSON)
    assert whole(packed, Content_Encoding=encoding) == JSON
    assert whole(b"", Content_Encoding=encoding) == b""
    for length in range(1, len(packed) - 1):
        with pytest.raises(urllib3.exceptions.ProtocolError):
            whole(packed[:length], Content_Encoding=encoding)


def test_a_gzip_of_several_members():
    packed = gzip.compress(JSON[:9]) + gzip.compress(JSON[9:])
    assert whole(packed, Content_Encoding="gzip") == JSON


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "zstd"])
def test_an_encoding_that_was_not_asked_for(encoding):
    with pytest.raises(UnexpectedResponse, match="in an encoding that was not requested"):
        whole(JSON, Content_Encoding=encoding)


def test_a_length_beyond_the_limit_is_refused_before_the_body(monkeypatch):
    monkeypatch.setattr(network, "LARGEST_ANSWER", 1000)
    assert whole(b"x" * 1000, Content_Length="1000") == b"x" * 1000
    with pytest.raises(
        UnexpectedResponse, match=r"http://h.example/x answers with more than the 1000 b"
    ):
        whole(b"", Content_Length="1001")
    with pytest.raises(UnexpectedResponse, match="more than"):
        whole(b"", Content_Length="9" * 5000)


def test_an_untrusted_server_gets_no_further_than_the_handshake():
    """``secured`` is called, and the duplicate of the socket is closed, also where the handshake fails."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listening.accept()
        with connection:
            connection.recv(10)
            connection.sendall(b"HTTP/1.1 400 no TLS here\r\n\r\n")

    with listening:
        threading.Thread(target=serve, daemon=True).start()
        opened = Network(Deadline(600))
        web = http_session(opened, Traffic())
        with pytest.raises((urllib3.exceptions.HTTPError, OSError, ssl.SSLError)):
            web.get(f"https://127.0.0.1:{listening.getsockname()[1]}/")
        assert dict(opened._handshakes) == {}


def test_a_body_that_was_read_streams_in_one_part():
    response = urllib3.HTTPResponse(body=Body(b"a" * 100_000), headers={}, preload_content=False)
    read = network._whole(response, "GET", "http://h.example/x")
    assert list(read.stream(10 * 1024, decode_content=True)) == [b"a" * 100_000]
    assert list(read.stream()) == []
