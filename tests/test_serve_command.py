"""``flexlocal serve``: where it may be reached from, and the server itself, with its streams of events."""

import datetime
import http.client
import importlib.util
import ipaddress
import json
import os
import re
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from flexlocal import serve_commands, serve_demo
from flexlocal.__main__ import main
from inventory import Inventory
from tests.inventories import UTC, poll, server
from tests.serving import BASE, bearer, copy_example
from web.tokens import READ, Tokens

EVERYWHERE = str(ipaddress.IPv4Address(0))
LIMIT_S = 300  # after which a wait fails
needs_fastapi = pytest.mark.skipif(
    importlib.util.find_spec("fastapi") is None,
    reason="the REST service needs Python 3.10 and the extra [serve]",
)


DOCS = Path(__file__).resolve().parent.parent / "docs" / "operate" / "rest.md"
COMMANDS = [
    line
    for line in DOCS.read_text(encoding="utf-8").splitlines()
    if line.startswith(".venv/bin/flexlocal")
]


@pytest.fixture
def shop(tmp_path, monkeypatch):
    copy_example(tmp_path)
    monkeypatch.setenv("FLEXLOCAL_INVENTORY", str(tmp_path / "shop.db"))
    monkeypatch.setenv("FLEXLOCAL_TOKENS", str(tmp_path / "tokens.json"))
    monkeypatch.setenv("FLEXLOCAL_ACCOUNTS", str(tmp_path / "accounts.yaml"))
    (tmp_path / "accounts.yaml").write_text("version: 1\naccounts: {}\n")
    return tmp_path


# --- what it refuses ---


@needs_fastapi
@pytest.mark.parametrize(
    "arguments, words",
    [
        (
            ["--host", EVERYWHERE],
            "on 0.0.0.0, which others can reach, it needs --tls-cert and --tls-key, or",
        ),
        (["--host", "::"], "on ::, which others can reach, it needs --tls-cert"),
        (["--host", "example.org"], "should be an address of this host"),
        (["--host", EVERYWHERE, "--behind-proxy"], "it needs a token: flexlocal token add"),
        (["--behind-proxy"], "behind a proxy, it needs a token"),
        (["--tls-cert", "c.pem"], "--tls-cert and --tls-key go together"),
        (
            ["--tls-cert", "c.pem", "--tls-key", "k.pem"],
            "--tls-cert c.pem: No such file or directory",
        ),
        (["--inventory", "nothing.db"], "there is no inventory at nothing.db"),
        (["--tokens", ""], "--tokens is empty"),
        (["--port", "99999"], "99999"),
    ],
)
def test_it_does_not_start_and_says_why(shop, capsys, monkeypatch, arguments, words):
    monkeypatch.chdir(shop)
    assert main(["serve", *arguments]) == 2
    out, err = capsys.readouterr()
    assert words in " ".join(err.split())
    assert out == ""


@needs_fastapi
def test_a_port_that_is_taken(shop, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert main(["serve", "--port", str(other.getsockname()[1])]) == 2
    assert "Address already in use; --port 0 takes a free one" in capsys.readouterr().err


@needs_fastapi
def test_a_file_of_tokens_that_others_can_read(shop, capsys):
    Tokens(shop / "tokens.json").add("noc", [READ], None, datetime.datetime.now(UTC))
    (shop / "tokens.json").chmod(0o640)
    assert main(["serve"]) == 2
    assert "chmod 600" in capsys.readouterr().err


def test_an_older_python_is_named_in_one_line(shop, capsys, monkeypatch):
    monkeypatch.setattr(serve_commands, "OLDEST", (4, 0))
    assert main(["serve"]) == 2
    err = capsys.readouterr().err
    assert re.fullmatch(
        r"flexlocal: flexlocal serve needs Python 3.10 or newer; this is 3\.\d+\n", err
    )


def test_an_extra_that_is_missing_is_named(shop, capsys, monkeypatch):
    monkeypatch.setattr(serve_commands, "OLDEST", (3, 9))
    monkeypatch.setattr(serve_commands, "NEEDED", ("fastapi_that_is_not_there",))
    assert main(["serve"]) == 2
    assert "pip install 'cmp-connectors[serve]'" in capsys.readouterr().err


@needs_fastapi
@pytest.mark.parametrize("command", [each for each in COMMANDS if " serve" in each])
def test_commands_of_the_docs_start_a_server(command, shop, monkeypatch, capsys):
    started: list[Any] = []
    monkeypatch.chdir(shop)
    Tokens(shop / "tokens.json").add("noc", [READ], None, datetime.datetime.now(UTC))
    for name in ("cert.pem", "key.pem"):
        (shop / name).touch()
    monkeypatch.setattr(serve_demo, "store", lambda file: copy_example(file.parent).rename(file))
    monkeypatch.setattr(serve_commands, "_listen", lambda host, port: socket.socket())
    monkeypatch.setattr(serve_commands, "_run", lambda settings, *of: started.append(settings) or 0)
    assert main(shlex.split(command)[1:]) == 0
    assert "(Ctrl-C ends it)" in capsys.readouterr().out
    assert len(started) == 1
    local = "--host" not in command and "--behind-proxy" not in command
    assert started[0].token_needed is not local
    assert (started[0].hosts is None) is not local
    assert (started[0].writes, started[0].start_poll) == (False, None)


# --- the server ---


class Served:
    """``flexlocal serve`` in a process of its own, and requests to it."""

    def __init__(self, *arguments, context=None):
        command = [sys.executable, "-m", "flexlocal", "serve", "-v", "--port", "0", *arguments]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._timer = threading.Timer(LIMIT_S, self.process.kill)
        self._timer.start()
        self.line = self.process.stdout.readline()
        found = re.search(r"(https?)://127\.0\.0\.1:(\d+)/ ", self.line)
        assert found, self.process.stderr.read()
        self.port, self._context = int(found[2]), context

    def connection(self):
        if self._context is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=LIMIT_S, context=self._context
        )

    def get(self, path, headers=None, connection=None):
        connection = connection or self.connection()
        connection.request("GET", BASE + path, headers=headers or {})
        return connection.getresponse()

    def stop(self):
        """The exit status, and what it wrote on stderr."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.communicate(timeout=LIMIT_S)[1]
        finally:
            self._timer.cancel()


def events(answer, count):
    """The next events of a stream, each as its fields."""
    found, fields = [], {}
    while len(found) < count:
        line = answer.readline().decode().rstrip("\n")
        if not line and fields:
            found.append(fields)
            fields = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
    return found


@needs_fastapi
def test_by_tls_with_a_token_events_come_as_polls_are_stored_and_lost_ones_are_sent_again(shop):
    """And streams end when the server stops."""
    now = datetime.datetime.now(UTC)
    text = Tokens(shop / "tokens.json").add("noc", [READ], ["lab"], now)
    certificate(shop)
    context = ssl.create_default_context(cafile=str(shop / "cert.pem"))
    files = ["--tls-cert", str(shop / "cert.pem"), "--tls-key", str(shop / "key.pem")]
    served = Served(*files, context=context)
    connection = served.connection()
    answer = served.get("/info", connection=connection)
    assert (answer.status, answer.read()[:1]) == (401, b"{")
    answer = served.get("/accounts", bearer(text), connection)  # the connection is kept
    assert [row["account"] for row in json.loads(answer.read())["items"]] == ["lab"]
    assert "strict-transport-security" in {name.lower() for name in answer.headers}
    with Inventory(shop / "shop.db") as inventory:
        last = inventory.last_run("lab")
        stream = served.get("/events", bearer(text))
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert events(stream, 1)[0]["id"] == str(last)
        poll(inventory, 59, [server("i-1", "hidden")])  # another account's
        number = poll(inventory, 60, [server("i-9", "new")], account="lab", provider="other").run
        event = events(stream, 1)[0]
        assert (event["event"], event["id"]) == ("run", str(number))
        data = json.loads(event["data"])
        assert (data["account"], data["outcome"], data["changed"]) == ("lab", "complete", 1)
        poll(inventory, 61, [], account="lab", provider="other")
        again = served.get("/events", {**bearer(text), "Last-Event-ID": str(last)})
        ids = [each["id"] for each in events(again, 3)]
        assert ids == [str(last), str(number), str(number + 1)]
        # one that is to come: the inventory is another one
        later = served.get("/events", {**bearer(text), "Last-Event-ID": "999"})
        assert events(later, 1)[0]["id"] == str(number + 1)
        assert served.get("/events", {**bearer(text), "Last-Event-ID": "x"}).status == 400
    err = served.stop()
    assert served.process.returncode == 0
    assert stream.read() == b""
    assert text not in err
    assert "Traceback" not in err
    assert "GET '/api/v1/accounts' 200" in err


def certificate(folder):
    """For 127.0.0.1, signed by itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "invented")])
    now = datetime.datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(signed.public_bytes(pem))
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    os.chmod(folder / "key.pem", 0o600)
