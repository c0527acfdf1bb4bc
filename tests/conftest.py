"""What all tests share."""

import socket

import pytest


@pytest.fixture
def no_network(monkeypatch):
    """No socket may be connected and no name looked up."""

    def refused(*args, **kwargs):
        raise AssertionError(f"a network call: {args[1:] or args}")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket.socket, "connect_ex", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.fixture(autouse=True)
def no_ambient_credentials(monkeypatch):
    """Tests see no account of the host they run on."""
    import os

    for name in list(os.environ):
        if name.startswith(("AWS_", "OS_", "FLEXLOCAL_")) and name != "AWS_CA_BUNDLE":
            monkeypatch.delenv(name)
