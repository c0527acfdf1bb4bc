"""Workers and a broker that speaks TLS: nothing is sent to one whose certificate or name is wrong."""

import contextlib
import queue
import socket
import ssl
import threading

import pytest

pytest.importorskip("celery", reason="Celery is locked for Python 3.10 and newer")

from flexlocal import worker_celery
from tests.fakes import certificates

PATIENCE_S = 60.0  # for what comes at once
both = pytest.mark.parametrize("scheme", ["amqps", "rediss"])


@pytest.fixture
def file(tmp_path):
    """A certificate that is its own CA, for 127.0.0.1, with its key."""
    found = tmp_path / "both.pem"
    certificates.write(found)
    return str(found)


@contextlib.contextmanager
def broker(file, address):
    """A port, and a queue of what came through TLS in each connection; None: the client did not go on with it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    received = queue.SimpleQueue()

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection = listening.accept()[0]
                try:
                    with context.wrap_socket(connection, server_side=True) as tls:
                        received.put(tls.recv(100) or None)
                except OSError:
                    received.put(None)

    with socket.create_server((address, 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1], received
        listening.shutdown(socket.SHUT_RDWR)


def connect(scheme, address, port):
    """What the client raises, and what that came from."""
    url = f"{scheme}://user:secret@{address}:{port}/0"
    once = {"broker_transport_options": {"max_retries": 1, "interval_start": 0, "interval_step": 0}}
    app = worker_celery.make_app(url, lambda: None, once)
    with app.connection_for_write() as connection, pytest.raises(Exception) as raised:
        channel = connection.default_channel
        channel.client.ping()  # with Redis, nothing is sent before
    causes, error = [], raised.value
    while error is not None:
        causes.append(str(error))
        error = error.__cause__ or error.__context__
    return " ".join(causes)


@both
def test_a_certificate_that_nobody_vouches_for(scheme, file):
    with broker(file, "127.0.0.1") as (port, received):
        assert "certificate verify failed" in connect(scheme, "127.0.0.1", port)
        assert received.get(timeout=PATIENCE_S) is None


@both
def test_a_certificate_of_another_name(scheme, file, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", file)
    with broker(file, "127.0.0.2") as (port, received):
        assert "127.0.0.2" in connect(scheme, "127.0.0.2", port)
        assert received.get(timeout=PATIENCE_S) is None


@both
def test_a_certificate_that_is_trusted(scheme, file, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", file)
    with broker(file, "127.0.0.1") as (port, received):
        connect(scheme, "127.0.0.1", port)  # it hangs up
        assert received.get(timeout=PATIENCE_S)
