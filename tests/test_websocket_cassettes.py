"""Exchanges over WebSockets in cassettes: what is kept, what is hidden, and what a replay answers."""

import importlib
import json
import socket
import ssl
import threading

import pytest
import requests
import yaml

from flexlocal import accounts, cassette_server, cassettes
from flexlocal.__main__ import main
from shared.transport import http
from tests.fakes import juju as fakes
from tests.fakes.context import Context
from tests.test_juju import poll
from tools import demo_juju, expected

CELLS = ("servers", "vca_status")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(http, "FIRST_DELAY_S", 0)


@pytest.fixture
def controller():
    models = [
        fakes.Model("ns-vnf", contents=fakes.vnf()),
        fakes.Model("ns-k8s", contents=fakes.kubernetes()),
    ]
    made = fakes.Controller("3.6", models)
    yield made
    made.stop()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "family" / "provider.yaml"


@pytest.fixture
def no_network_after(request):
    """The network, blocked from when it is called."""
    return lambda: request.getfixturevalue("no_network")


def recorded(file, controller, **credentials):
    """A recording of a poll's calls, and what they gave."""
    with cassettes.record(file):
        found = poll(controller, **credentials).statuses()
    return found


def connections(file):
    return yaml.safe_load(file.read_text(encoding="utf-8"))["websockets"]


# --- what is kept -----------------------------------------------------------------------------------


def test_connections_in_their_order_and_the_messages_of_each(controller, file):
    found = recorded(file, controller)
    k8s, vnf = (
        f"/model/{uuid}/api" for uuid in (fakes.Model("ns-k8s").uuid, fakes.Model("ns-vnf").uuid)
    )
    kept = connections(file)
    assert [each["path"] for each in kept] == ["/api", k8s, vnf]
    assert {each["endpoint"] for each in kept} == {controller.endpoint}
    assert [[next(iter(message)) for message in each["messages"]] for each in kept] == [
        ["sent", "received", "sent", "received"]
    ] * 3
    assert [each["sent"]["request"] for each in kept[2]["messages"][::2]] == ["Login", "FullStatus"]
    assert kept[2]["messages"][3]["received"]["response"] == found["admin/ns-vnf"]


def test_it_is_a_cassette_as_any_other(controller, file):
    recorded(file, controller)
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert document.keys() == {"interactions", "recorded_at", "version", "websockets"}
    assert document["interactions"] == []


def test_secrets_are_not_kept(controller, file):
    controller.passwords["admin"] = "s3cret-word"
    controller.fail(
        "ModelManager.ListModelSummaries",
        {
            "results": [],
            "token": "s3cret-token",
            "discharge-required": {"location": "x", "signature": "s3cret-macaroon"},
            "nested": [
                {"macaroons": [["s3cret-macaroon"]], "password": "", "cloud-credential-tag": "kept"}
            ],
        },
    )
    recorded(file, controller, password="s3cret-word")
    assert "s3cret" not in file.read_text(encoding="utf-8")
    (connection,) = connections(file)
    assert connection["messages"][0]["sent"]["params"] == {
        "auth-tag": "user-admin",
        "credentials": "REDACTED",
    }
    answer = connection["messages"][3]["received"]["response"]
    assert answer["token"] == answer["discharge-required"] == "REDACTED"
    assert answer["nested"] == [
        {"macaroons": "REDACTED", "password": "", "cloud-credential-tag": "kept"}
    ]


@pytest.mark.parametrize("fault", [fakes.CUT, fakes.GOODBYE, fakes.DROP])
def test_a_connection_that_broke_off_is_not_kept(controller, file, fault, no_network_after):
    controller.fail("Client.FullStatus", fault, times=1)
    found = recorded(file, controller)
    assert controller.calls["Client.FullStatus"] == 3
    assert len(connections(file)) == 3
    no_network_after()
    with cassettes.replay(file):
        assert poll(controller).statuses() == found


def test_what_was_refused_for_a_while_is_kept_as_it_was(controller, file, no_network_after):
    controller.fail("Client.FullStatus", fakes.TRY_AGAIN, times=1)
    recorded(file, controller)
    assert len(connections(file)) == 4
    no_network_after()
    with cassettes.replay(file) as cassette:
        polled = poll(controller)
        polled.statuses()
    assert polled.poll.traffic.retries == 2  # a login and its call
    assert cassette.all_played


def test_a_recording_that_fails_leaves_the_old_one(controller, file):
    recorded(file, controller)
    before = file.read_bytes()
    with pytest.raises(ZeroDivisionError), cassettes.record(file):
        poll(controller).scopes()
        raise ZeroDivisionError
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


# --- what a replay answers --------------------------------------------------------------------------


def test_a_replay_needs_no_network(controller, file, no_network_after):
    found = recorded(file, controller)
    no_network_after()
    with cassettes.replay(file) as cassette:
        assert poll(controller).statuses() == found
    assert cassette.all_played
    assert len(cassette) == cassette.play_count == 6


def test_each_connection_answers_once(controller, file):
    recorded(file, controller)
    with cassettes.replay(file):
        poll(controller).statuses()
        with pytest.raises(cassettes.NotRecorded) as caught:
            poll(controller).statuses()
    assert f"wss://{controller.endpoint}/api" in str(caught.value)
    assert "family/provider.yaml" in str(caught.value)


def test_another_password_is_the_same_request_and_another_user_is_not(controller, file):
    recorded(file, controller)
    with cassettes.replay(file):
        assert poll(controller, password="another").scopes()
    with cassettes.replay(file), pytest.raises(cassettes.NotRecorded) as caught:
        poll(controller, "reader").scopes()
    assert "user-reader" in str(caught.value)
    assert "recorded next: sent" in str(caught.value) and "user-admin" in str(caught.value)
    assert "reader-pw" not in str(caught.value)


def test_a_controller_that_was_not_recorded(controller, file):
    recorded(file, controller)
    with (
        cassettes.replay(file),
        pytest.raises(cassettes.NotRecorded, match="wss://127.0.0.1:1/api"),
    ):
        poll(controller, endpoint="127.0.0.1:1").login()


def test_more_than_was_recorded(controller, file):
    with cassettes.record(file):
        poll(controller).scopes()
    with cassettes.replay(file), pytest.raises(cassettes.NotRecorded):
        poll(controller).statuses()


def test_what_is_not_asked_for_is_unused(controller, file):
    recorded(file, controller)
    with cassettes.replay(file) as cassette:
        poll(controller, models=["ns-vnf"]).statuses()
    assert not cassette.all_played
    assert len(cassette) - cassette.play_count == 2


def test_http_and_websockets_in_one_cassette(controller, file, no_network_after):
    # answers 403 to this
    with (
        cassette_server.serving(cassettes.path("volumes", "netbox")) as plain,
        cassettes.record(file),
    ):
        health = f"http://127.0.0.1:{plain.port}/health"
        status = requests.get(health, timeout=5).status_code
        found = poll(controller).statuses()
    no_network_after()
    with cassettes.replay(file) as cassette:
        assert requests.get(health, timeout=5).status_code == status
        assert poll(controller).statuses() == found
    assert cassette.all_played
    assert len(cassette) == 7


# --- flexlocal --------------------------------------------------------------------------------------


def run(controller, mode, **credentials):
    event = {"provider": "juju", "credentials": controller.credentials(**credentials)}
    return main(["run", "servers", "--event", json.dumps(event), mode, "--format", "json"])


def without_seen_at(out):
    resources = json.loads(out)
    for resource in resources:
        del resource["base"]["last_seen_at"]
    return resources


def test_a_poll_is_recorded_and_replayed(
    controller, capsys, monkeypatch, tmp_path, no_network_after
):
    monkeypatch.setattr(cassettes, "ROOT", tmp_path / "cassettes")
    assert run(controller, "--record") == 0
    first = capsys.readouterr().out
    assert "admin-pw" not in cassettes.own_path("event", "servers", "juju").read_text(
        encoding="utf-8"
    )
    no_network_after()
    assert run(controller, "--replay") == 0
    assert without_seen_at(capsys.readouterr().out) == without_seen_at(first)
    assert run(controller, "--replay", endpoint="127.0.0.1:1") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "NotRecorded: wss://127.0.0.1:1/api" in err


@pytest.mark.usefixtures("no_network")
def test_the_demo_account_can_be_validated_from_its_cassette(capsys):
    asked = ["run", "vca_status", "--account", "demo-juju", "--handler", "validate_credentials"]
    assert main([*asked, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


@pytest.mark.usefixtures("no_network")
def test_the_demo_account_has_a_status_poll(capsys):
    event = accounts.load()["demo-juju"].event()
    del event["resource"]  # all of them
    asked = ["run", "vca_status", "--event", json.dumps(event), "--handler", "get_status"]
    assert main([*asked, "--replay", "--format", "json"]) == 0
    levels = {each["level"] for each in json.loads(capsys.readouterr().out)["status"]}
    assert levels == {"ok", "warning", "error", "unknown"}


# --- a handler in another process -------------------------------------------------------------------


@pytest.mark.parametrize("family", CELLS)
def test_a_server_answers_from_the_cassette(family, monkeypatch):
    """As for a built module: whatever host is asked for, and without TLS (see flexlocal/isolated.py)."""
    with cassette_server.serving(cassettes.path(family, "juju")) as server:
        here = (
            socket.AF_INET,
            socket.SOCK_STREAM,
            socket.IPPROTO_TCP,
            "",
            ("127.0.0.1", server.port),
        )
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [here])
        monkeypatch.setattr(ssl.SSLContext, "wrap_socket", lambda _, plain, **__: plain)
        assert server.unused == 10  # logins, a list, and four models' statuses
        found = live(family)
        assert server.missing == []
        assert server.unused == 0
        with pytest.raises(Exception, match="answered 403"):
            live(family)
        assert "wss://127.0.0.1:17071/api is not in" in server.missing[0]
    golden = json.loads(expected.path(family, "juju").read_text(encoding="utf-8"))
    assert [each["id"] for each in found] == [each["id"] for each in golden]


def test_a_client_that_goes_away_leaves_nothing_behind():
    """Its connection was read for ever, which took a whole core."""
    before = set(threading.enumerate())
    with cassette_server.serving(cassettes.path("vca_status", "juju")) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            upgrade = "GET /api HTTP/1.1\r\nHost: 127.0.0.1:17071\r\nUpgrade: websocket\r\n"
            client.sendall(f"{upgrade}Sec-WebSocket-Key: x\r\n\r\n".encode())
            assert client.recv(1000).startswith(b"HTTP/1.1 101")
            serving = set(threading.enumerate()) - before - {server._thread}
            assert len(serving) == 1
        for thread in serving:
            thread.join(20)
            assert not thread.is_alive()


def live(family):
    event = accounts.load()["demo-juju"].event()
    return importlib.import_module(f"modules.{family}.main").get(event, Context())


# --- the demo account -------------------------------------------------------------------------------


@pytest.mark.parametrize("family", CELLS)
def test_the_demos_cassettes_say_what_they_were_recorded_from(family):
    first, *_ = cassettes.path(family, "juju").read_text(encoding="utf-8").splitlines()
    assert first.startswith("# No Juju: a simulator answered")


def test_the_demo_shows_the_same_applications_as_that_of_osm():
    """One network service, seen from both sides."""
    juju, osm = (
        {each["id"] for each in json.loads(expected.path("vca_status", provider).read_text())}
        for provider in ("juju", "osm")
    )
    shared = juju & osm
    assert len([each for each in shared if ":application:" in each]) >= 3
    assert len([each for each in shared if ":unit:" in each]) >= 3


def test_the_demo_can_be_recorded_anew(monkeypatch, tmp_path):
    """From the simulator that the tool starts, with the CA that it makes."""
    demo = tmp_path / "accounts.yaml"
    demo.write_text(accounts.DEMO.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(accounts, "DEMO", demo)
    before = accounts.demo()["demo-juju"].credentials
    controller = demo_juju.serve(0, before)
    try:
        demo_juju.trust(controller, "demo-juju")
        after = accounts.demo()
        fresh = after["demo-juju"].credentials
        assert fresh["ca_cert"] != before["ca_cert"]
        assert "PRIVATE" not in demo.read_text(encoding="utf-8")
        assert after.keys() == accounts.demo().keys()
        names = list(poll(controller, **{**fresh, "endpoint": controller.endpoint}).statuses())
    finally:
        controller.stop()
    assert len(names) == 4
    assert "bob/of-somebody-else" not in names
