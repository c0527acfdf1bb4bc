"""flexlocal as its users call it: output, exit status, accounts, cassettes, context."""

import dataclasses
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import freezegun
import pytest
import requests

from flexlocal import accounts, cassettes
from flexlocal.__main__ import families, main
from flexlocal.context import Context, NotLocal
from shared.engine.errors import InvalidEvent, UnexpectedResponse
from shared.providers import aws
from tests.fakes import openstack as fakes
from tools import expected

ROOT = Path(__file__).resolve().parent.parent
SECRET = "s3cr3t-canary"
CELLS = [(family, provider) for family, cells in families().items() for provider in sorted(cells)]


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """A home without accounts."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def write(file, text, mode=0o600):
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return str(file)


OWN = f"""
version: 1
accounts:
  own:
    provider: aws
    credentials: {{aws_access_key_id: AKIAINVENTED, aws_secret_access_key: {SECRET}}}
"""


# --- commands ------------------------------------------------------------------------------------


def test_families(capsys):
    assert main(["families"]) == 0
    assert "servers: aws, juju, netbox, openstack\n" in capsys.readouterr().out


def test_accounts_show_no_credential(capsys, tmp_path):
    file = write(tmp_path / "a.yaml", OWN)
    assert main(["accounts", "--accounts", file]) == 0
    out = capsys.readouterr().out
    assert out.splitlines() == [
        "demo-aws: aws (demo, replayed)",
        "demo-openstack: openstack (demo, replayed)",
        "demo-netbox: netbox (demo, replayed)",
        "demo-osm: osm (demo, replayed)",
        "demo-juju: juju (demo, replayed)",
        "demo-tapi: tapi (demo, replayed)",
        "demo-ietf_l2vpn: ietf_l2vpn (demo, replayed)",
        "own: aws",
    ]


def test_permissions_of_a_provider_are_a_policy(capsys):
    volumes = ["permissions", "--provider", "aws", "--family", "volumes"]
    assert main([*volumes, "--handler", "get"]) == 0
    (statement,) = json.loads(capsys.readouterr().out)["Statement"]
    assert statement["Action"] == ["ec2:DescribeRegions", "ec2:DescribeVolumes"]
    assert main(volumes) == 0
    (statement,) = json.loads(capsys.readouterr().out)["Statement"]
    assert statement["Action"] == [
        "cloudtrail:LookupEvents",
        "cloudwatch:GetMetricData",
        "ec2:DescribeRegions",
        "ec2:DescribeVolumeStatus",
        "ec2:DescribeVolumes",
    ]


def test_permissions_of_all_providers(capsys):
    assert main(["permissions"]) == 0
    documents = json.loads(capsys.readouterr().out)
    assert set(documents) == {"aws", "ietf_l2vpn", "juju", "netbox", "openstack", "osm", "tapi"}
    assert "ec2:DescribeInstances" in documents["aws"]["Statement"][0]["Action"]
    assert documents["openstack"]["role"] == "reader"
    assert "circuits.circuit" in documents["netbox"]["object_types"]
    assert documents["osm"]["permissions"]["ns_instances:get"] is True


@pytest.mark.usefixtures("no_network")
def test_json_is_what_the_handler_returned_and_nothing_else(capsys):
    assert main(["run", "volumes", "--account", "demo-openstack", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    resources = json.loads(out)
    assert {each["type"] for each in resources} == {"volume"}
    assert "polled family=volumes" in err


@pytest.mark.usefixtures("no_network")
def test_ndjson_is_one_resource_a_line(capsys):
    assert main(["run", "networks", "--account", "demo-aws", "--format", "ndjson"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 3
    assert all(json.loads(line)["type"] == "network" for line in lines)


@pytest.mark.usefixtures("no_network")
def test_table_ends_with_the_count(capsys):
    assert main(["run", "servers", "--account", "demo-aws"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["NAME", "ID"]
    assert lines[-1].startswith("servers: ")
    assert lines[-1].endswith(" resources (demo-aws)")


@pytest.mark.usefixtures("no_network")
def test_a_failed_poll(capsys):
    event = {"provider": "aws", "credentials": {"aws_access_key_id": SECRET}}
    assert main(["run", "servers", "--event", json.dumps(event), "--format", "json"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "InvalidEvent: credentials.aws_secret_access_key is missing" in err
    assert SECRET not in err


@pytest.mark.usefixtures("no_network")
def test_credentials_that_are_not_ok(capsys):
    asked = ["run", "servers", "--event", "{}", "--handler", "validate_credentials"]
    assert main(asked) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False


@pytest.mark.parametrize(
    "asked, words",
    [
        (["run", "serers", "--account", "demo-aws"], "no family 'serers'; there are appliances, "),
        (["run", "servers", "--account", "nope"], "no account 'nope'; there are demo-aws, demo-i"),
        (["run", "servers", "--account", "demo-aws", "--handler", "drop"], "no handler 'drop'"),
        (["run", "servers", "--account", "demo-aws", "--handler", "run"], "no handler 'run'"),
        (["run", "servers", "--event", "no-such-file"], "--event no-such-file: No such file"),
        (["run", "servers", "--event", "{broken"], "--event is not JSON"),
        (["permissions", "--family", "x"], "no family 'x'"),
        (
            ["permissions", "--family", "servers", "--provider", "osm"],
            "servers has no cell of osm: there are those of vca_status, wan_links",
        ),
        (["run", "servers", "--account", ""], "no account ''; there are demo-aws, "),
        (["run", "servers", "--event", ""], "--event : "),
        (["run", "servers", "--event", "."], "--event .: Is a directory"),
        (["run", "servers", "--event", "a\0b"], "this is not UTF-8 text"),
        (["run", "servers", "--event", "[" * 100_000], "--event is not JSON"),
        (["run", "servers", "--account", "own", "--accounts", "."], "Is a directory"),
        (["accounts", "--accounts", "."], ".: Is a directory"),
        (["accounts", "--accounts", ""], "--accounts is empty"),
        (["permissions", "--handler", "x"], "no handler 'x'; there are get, get_status, "),
        (
            ["permissions", "--provider", "x"],
            "no cell of provider 'x'; there are aws, ietf_l2vpn, juju",
        ),
        (["accounts", "--accounts", "no-such-file"], "no-such-file: No such file"),
        (
            "run servers --account demo-aws --record --handler validate_credentials".split(),
            "validate_credentials/aws.yaml is the demo account's",
        ),
    ],
)
def test_bad_usage_is_status_2_and_says_what_there_is(capsys, asked, words):
    assert main(asked) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("provider", ["aws", "AWS", {"type": "aws"}, {"name": " Aws "}, None])
def test_a_replay_calls_nobody_however_the_event_names_its_provider(capsys, provider):
    event = accounts.load()["demo-aws"].event()
    event["provider"] = provider
    if provider is None:
        del event["provider"]  # the credentials tell it
    asked = ["run", "volumes", "--event", json.dumps(event), "--replay", "--format", "json"]
    assert main(asked) == 0
    assert {each["type"] for each in json.loads(capsys.readouterr().out)} == {"volume"}


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("mode", ["--replay", "--record"])
def test_an_event_without_a_provider_is_refused_in_every_mode(capsys, mode):
    assert main(["run", "volumes", "--event", '{"credentials": {"a": "b"}}', mode]) == 1
    assert "InvalidEvent: 'provider' is missing" in capsys.readouterr().err


@pytest.mark.usefixtures("no_network")
def test_progress_shows_on_a_terminal_only(capsys, monkeypatch):
    asked = ["run", "volumes", "--account", "demo-aws", "--format", "json"]
    assert main(asked) == 0
    plain = capsys.readouterr()
    assert "scopes, " not in plain.err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(asked) == 0
    shown = capsys.readouterr()
    assert "\rvolumes: 3 of 3 scopes, " in shown.err
    assert shown.err.endswith("\n")
    assert "polled family" not in shown.err  # only with -v
    assert without_seen_at(shown.out) == without_seen_at(plain.out)


def test_progress_ends_before_an_error(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)

    def failing(event, context):
        context.watch("calls", "", calls=3)
        raise InvalidEvent("it is wrong")

    monkeypatch.setattr("modules.volumes.main.get", failing)
    failing.__module__, failing.__name__ = "modules.volumes.main", "get"
    assert main(["run", "volumes", "--account", "demo-aws", "--live"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("\rvolumes: log in, 3 calls\x1b[K\nInvalidEvent: it is wrong")


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("handler", ["get", "validate_credentials", "get_status"])
def test_an_error_is_shown_once(capsys, handler):
    event = {"provider": "aws", "credentials": {"aws_access_key_id": "x"}}
    asked = ["run", "servers", "--event", json.dumps(event), "--handler", handler]
    assert main([*asked, "--format", "json"]) == 1
    out, err = capsys.readouterr()
    assert (out + err).count("aws_secret_access_key is missing") == 1


@pytest.mark.parametrize("lines", [0, 1])
@pytest.mark.parametrize("both", ["", "2>&1"])
@pytest.mark.parametrize("asked", ["families", "run networks --account demo-netbox", "permissions",
                                   "run networks --account demo-netbox --format ndjson"])  # fmt: skip
def test_a_reader_that_has_seen_enough(asked, both, lines):
    """``| head``, and one that reads nothing at all."""
    command = (
        f"exec 3>&2; {sys.executable} -m flexlocal {asked} {both} | head -n {lines} >/dev/null"
    )
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert "Traceback" not in done.stderr and "Broken" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("form", ["table", "json", "ndjson"])
@pytest.mark.parametrize("environment", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"},
                                         {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])  # fmt: skip
def test_a_replay_in_any_locale(form, environment):
    command = [sys.executable, "-m", "flexlocal", "run", "servers", "--account", "demo-openstack"]
    command += ["--format", form]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    if form != "table":
        names = done.stdout.decode("utf-8").splitlines()[0]
        assert json.loads(names)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("family, provider", CELLS, ids=["-".join(cell) for cell in CELLS])
def test_the_login_of_every_demo_account_replays(capsys, family, provider):
    asked = ["run", family, "--account", f"demo-{provider}", "--handler", "validate_credentials"]
    assert main(asked) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


HOSTILE = "\x1b[2J\x00\u202etxt.exe\u2066\u200b\x9b1m\nfake: 0 resources\ud800"


@pytest.mark.parametrize("form", ["table", "json", "ndjson"])
@pytest.mark.usefixtures("no_network")
def test_what_a_provider_calls_its_things_does_nothing_to_a_terminal(capsys, monkeypatch, form):
    resources = expected.replayed("networks", "aws")
    for resource in resources:
        resource["base"]["name"] = HOSTILE
    monkeypatch.setattr("shared.engine.poll.poll", lambda *_: resources)
    assert main(["run", "networks", "--account", "demo-aws", "--format", form]) == 0
    out = capsys.readouterr().out
    assert not set("\x1b\x00\u202e\u2066\u200b\x9b\ud800") & set(out)
    assert not out.count("\nfake")
    if form == "table":
        assert "\\x1b[2J\\x00\\u202etxt.exe" in out
    else:
        first = json.loads(out.splitlines()[0])
        assert (first[0] if form == "json" else first)["base"]["name"] == HOSTILE


@pytest.mark.parametrize("handler", ["get", "validate_credentials"])
def test_what_a_provider_says_in_an_error_does_nothing_to_a_terminal(capsys, monkeypatch, handler):
    def refused(*_):
        raise UnexpectedResponse(f"it said {HOSTILE}")

    stub = dataclasses.replace(aws.PROVIDER, login=refused)
    monkeypatch.setattr(aws, "PROVIDER", stub)
    main(["run", "networks", "--account", "demo-aws", "--live", "--handler", handler])
    shown = "".join(capsys.readouterr())
    assert not set("\x1b\x00\u202e\u2066\u200b\x9b\ud800") & set(shown)
    assert "\nfake" not in shown
    assert "x1b[2J" in shown


@pytest.mark.parametrize("asked", [[], ["run"], ["run", "servers"], ["fly"]])
def test_usage_errors_of_the_parser_are_status_2(asked):
    assert main(asked) == 2


def test_an_event_file_that_is_no_text(capsys, tmp_path):
    file = tmp_path / "event.bin"
    file.write_bytes(b"\x80\x03}q\x00.")
    assert main(["run", "servers", "--event", str(file)]) == 2
    assert f"flexlocal: --event {file}: this is not UTF-8 text\n" == capsys.readouterr().err


def test_an_event_may_come_from_a_file(capsys, tmp_path):
    file = write(tmp_path / "event.json", '{"provider": "nope", "credentials": {"a": "b"}}')
    assert main(["run", "servers", "--event", file]) == 1
    assert "'provider' 'nope' is not one" in capsys.readouterr().err


def test_it_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "flexlocal", "families"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


# --- accounts -------------------------------------------------------------------------------------


def test_an_account_gives_the_event_of_the_scheduler():
    event = accounts.load()["demo-aws"].event()
    assert {
        "account_id",
        "customer_id",
        "user_id",
        "provider",
        "poll_interval",
        "credentials",
        "resource",
    } <= event.keys()
    assert SECRET not in repr(accounts.load())


def test_the_users_own_file_and_the_variable(home, monkeypatch, tmp_path):
    demo = ("aws", "ietf_l2vpn", "juju", "netbox", "openstack", "osm", "tapi")
    assert set(accounts.load()) == {f"demo-{provider}" for provider in demo}
    folder = home / ".config" / "flexlocal"
    folder.mkdir(parents=True)
    write(folder / "accounts.yaml", OWN)
    assert "own" in accounts.load()
    monkeypatch.setenv("FLEXLOCAL_ACCOUNTS", write(tmp_path / "b.yaml", OWN.replace("own", "two")))
    assert "two" in accounts.load()
    assert "own" not in accounts.load()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_file_that_others_may_read_is_refused(tmp_path, mode):
    file = write(tmp_path / "a.yaml", OWN, mode)
    with pytest.raises(accounts.AccountsError, match=f"chmod 600 {file}"):
        accounts.load(file)


@pytest.mark.parametrize(
    "text, words",
    [
        ("accounts: {}", "'version: 1' is missing"),
        ("version: 2\naccounts: {}", "'version: 1' is missing"),
        ("version: 1", "'accounts' should be a map"),
        ("version: 1\naccounts:\n  a: [", "a.yaml: line "),
        ("version: 1\naccounts:\n  a: {}\n  a: {}", "line 4: 'a' is given twice"),
        ("version: 1\naccounts: {a: 7}", "account 'a' should be a map"),
        ("version: 1\naccounts: {a: {credentials: {}}}", "account 'a' needs a 'provider'"),
        ("version: 1\naccounts: {a: {provider: aws}}", "'credentials' .* should be maps"),
        ("version: 1\naccounts: {a: {provider: aws, pass: x}}", "unknown keys: pass"),
        ("version: 1\naccounts:\n  7: {}\n  '7': {}", "line 4: '7' is given twice"),
        ("version: 1\naccounts:\n  a: {b: {{ c }} }", "line 3: found unhashable key"),
        (OWN.replace("own", "demo-aws"), "'demo-aws' is a demo account's name"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, text, words):
    with pytest.raises(accounts.AccountsError, match=words) as caught:
        accounts.load(write(tmp_path / "a.yaml", text))
    assert SECRET not in str(caught.value)


# --- cassettes ------------------------------------------------------------------------------------


@pytest.fixture
def server():
    """A loopback server that answers like a login and like a listing, with secrets in both."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer({"token": {"expires_at": "2020-01-01T00:00:00Z", "audit_ids": [SECRET]}})

        def do_GET(self):
            self.answer({"servers": [self.path]})

        def answer(self, document):
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("X-Subject-Token", SECRET)
            self.send_header("Set-Cookie", f"session={SECRET}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    made.server_close()


LOGIN = {"auth": {"identity": {"password": {"user": {"name": "bob", "password": SECRET}}}}}
SIGNED = (
    f"AWS4-HMAC-SHA256 Credential={SECRET}/20260101/eu-west-1/ec2/aws4_request, Signature={SECRET}"
)


def exchange(url):
    login = requests.post(f"{url}/v3/auth/tokens", json=LOGIN, timeout=5)
    listing = requests.get(
        f"{url}/servers?limit=1",
        headers={"X-Auth-Token": SECRET, "Authorization": SIGNED, "X-Amz-Security-Token": SECRET},
        timeout=5,
    )
    return login.json(), listing.json()


def test_a_recording_is_scrubbed_and_replays_without_a_network(server, tmp_path, request):
    file = tmp_path / "family" / "provider.yaml"
    with cassettes.record(file):
        _, listing = exchange(server)
    text = file.read_text()
    assert SECRET not in text
    assert "Signed-For: eu-west-1/ec2" in text.replace("- ", "").replace("\n      ", " ")
    request.getfixturevalue("no_network")
    with cassettes.replay(file) as cassette:
        login, again = exchange(server)
    assert again == listing == {"servers": ["/servers?limit=1"]}
    assert login["token"]["expires_at"] == cassettes.NEVER
    assert cassette.all_played


def test_a_request_that_was_not_recorded_fails_and_is_named(server, tmp_path, no_network_after):
    file = tmp_path / "family" / "provider.yaml"
    with cassettes.record(file):
        exchange(server)
    no_network_after()
    with cassettes.replay(file), pytest.raises(cassettes.NotRecorded) as caught:
        requests.get(f"{server}/volumes?token={SECRET}", timeout=5)
    assert str(caught.value) == f"GET {server}/volumes is not in family/provider.yaml"


def test_each_recorded_exchange_answers_once(server, tmp_path):
    file = tmp_path / "family" / "provider.yaml"
    with cassettes.record(file):
        exchange(server)
    with cassettes.replay(file):
        exchange(server)
        with pytest.raises(cassettes.NotRecorded):
            exchange(server)


def test_another_region_is_another_request(server, tmp_path):
    file = tmp_path / "family" / "provider.yaml"
    with cassettes.record(file):
        exchange(server)
    other = {"Authorization": SIGNED.replace("eu-west-1", "us-east-1"), "X-Auth-Token": "x"}
    with cassettes.replay(file), pytest.raises(cassettes.NotRecorded):
        requests.get(f"{server}/servers?limit=1", headers=other, timeout=5)


def test_a_recording_that_fails_leaves_the_old_one(server, tmp_path):
    file = tmp_path / "family" / "provider.yaml"
    with cassettes.record(file):
        exchange(server)
    before = file.read_bytes()
    with pytest.raises(ZeroDivisionError), cassettes.record(file):
        exchange(server)
        raise ZeroDivisionError
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_a_cell_without_a_cassette(tmp_path):
    missing = tmp_path / "family" / "p.yaml"
    no_cassette = pytest.raises(
        cassettes.NotRecorded,
        match="no cassette family/p.yaml: make record-simulated, then make expected, then make readme",
    )
    with no_cassette, cassettes.replay(missing):
        pass


@pytest.fixture
def no_network_after(request):
    """The network, blocked from when it is called."""
    return lambda: request.getfixturevalue("no_network")


@pytest.fixture
def cloud(monkeypatch, tmp_path):
    """A simulated cloud with three volumes, and a folder of cassettes of its own."""
    monkeypatch.setattr(cassettes, "ROOT", tmp_path / "cassettes")
    monkeypatch.setattr("shared.transport.http.FIRST_DELAY_S", 0)
    made = fakes.Cloud()
    made.fill(volumes=3)
    yield made
    made.stop()


def run_volumes(cloud, mode, handler="get", **credentials):
    event = {"provider": "openstack", "credentials": {**cloud.credentials(), **credentials}}
    asked = ["--event", json.dumps(event), "--handler", handler, mode, "--format", "json"]
    return main(["run", "volumes", *asked])


def test_a_poll_is_recorded_and_replayed(cloud, capsys, no_network_after):
    assert run_volumes(cloud, "--record") == 0
    recorded = capsys.readouterr().out
    text = cassettes.own_path("event", "volumes", "openstack").read_text(encoding="utf-8")
    assert cloud.credentials()["password"] not in text
    no_network_after()
    assert run_volumes(cloud, "--replay") == 0
    replayed = capsys.readouterr().out
    assert len(json.loads(replayed)) == 3
    assert replayed == recorded  # with the moment of the recording in it
    assert run_volumes(cloud, "--replay", project_name="other") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "NotRecorded: POST http://127.0.0.1:" in err


def without_seen_at(out):
    resources = json.loads(out)
    for resource in resources:
        del resource["base"]["last_seen_at"]
    return resources


def test_each_handler_is_recorded_for_itself(cloud, capsys, no_network_after):
    assert run_volumes(cloud, "--record", "get_status") == 0
    recorded = capsys.readouterr().out
    assert len(json.loads(recorded)["status"]) == 3
    of_get, file = (
        cassettes.own_path("event", "volumes", "openstack", each) for each in ("get", "get_status")
    )
    assert file.exists()
    assert not of_get.exists()
    no_network_after()
    with freezegun.freeze_time("2031-01-01"):
        assert run_volumes(cloud, "--replay", "get_status") == 0
    assert capsys.readouterr().out == recorded


def test_a_login_replays_from_a_recording_of_get(cloud, capsys, no_network_after):
    assert run_volumes(cloud, "--record") == 0
    no_network_after()
    assert run_volumes(cloud, "--replay", "validate_credentials") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["ok"] is True


def test_a_handler_that_was_not_recorded_says_so(capsys, tmp_path, monkeypatch):
    """What a recording of get holds is not enough."""
    account = accounts.demo()["demo-aws"]
    monkeypatch.setattr(accounts, "demo", dict)  # it is somebody's own now
    shutil.copytree(cassettes.path("volumes", "aws").parent, tmp_path / "own" / "event" / "volumes")
    (tmp_path / "own" / "event" / "volumes" / "aws.get_status.yaml").unlink()
    monkeypatch.setattr(cassettes, "ROOT", tmp_path)
    asked = ["--event", json.dumps(account.event()), "--handler", "get_status", "--replay"]
    assert main(["run", "volumes", *asked]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "DescribeVolumeStatus is not in volumes/aws.yaml" in err
    assert "record get_status first, with --handler and --record, or run it live" in err


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    "family, provider, handler",
    [
        ("servers", "aws", "get_metrics"),
        ("servers", "openstack", "get_logs"),
        ("vca_status", "osm", "get_status"),
        ("vca_status", "juju", "get_status"),
    ],
)
def test_a_demo_account_replays_every_handler_as_of_its_recording(
    capsys, family, provider, handler
):
    """All are in tests/test_grid.py; here as a user runs them, at another time."""
    with freezegun.freeze_time("2031-01-01"):
        asked = ["run", family, "--account", f"demo-{provider}", "--handler", handler]
        assert main([*asked, "--format", "json"]) == 0
    golden = expected.path(family, provider, handler).read_text(encoding="utf-8")
    assert json.loads(capsys.readouterr().out) == json.loads(golden)


def test_a_poll_that_fails_leaves_the_old_cassette(cloud, capsys):
    assert run_volumes(cloud, "--record") == 0
    file = cassettes.own_path("event", "volumes", "openstack")
    before = file.read_bytes()
    assert run_volumes(cloud, "--record", password="wrong") == 1
    assert "InvalidCredentials" in capsys.readouterr().err
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_a_recording_of_an_own_account_is_its_owners_alone(cloud, capsys, tmp_path, monkeypatch):
    credentials = json.dumps(cloud.credentials())
    text = f"version: 1\naccounts: {{../own: {{provider: openstack, credentials: {credentials}}}}}"
    asked = [
        "run",
        "volumes",
        "--account",
        "../own",
        "--accounts",
        write(tmp_path / "a.yaml", text),
    ]
    assert main([*asked, "--record"]) == 0
    file = tmp_path / "cassettes" / "own" / "%2E%2E%2Fown" / "volumes" / "openstack.yaml"
    assert f"recorded {file}\n" in capsys.readouterr().err
    assert file.stat().st_mode & 0o777 == 0o600
    assert main([*asked, "--record"]) == 0  # over what the command made
    assert main([*asked, "--replay"]) == 0
    capsys.readouterr()
    file.write_text("my notes")
    assert main([*asked, "--record"]) == 2
    assert f"flexlocal: {file} is there, and no recording made it" in capsys.readouterr().err
    assert file.read_text() == "my notes"


def test_an_own_account_is_not_replayed_from_the_demo_accounts_cassette(cloud, capsys):
    assert run_volumes(cloud, "--replay") == 1
    err = capsys.readouterr().err
    assert (
        err
        == "NotRecorded: there is no cassette volumes/openstack.yaml: record it first, with --record\n"
    )


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("family, provider", CELLS, ids=["-".join(cell) for cell in CELLS])
def test_no_demo_cassette_is_replaced_by_hand(capsys, family, provider):
    account = accounts.demo()[f"demo-{provider}"]
    before = cassettes.path(family, provider).read_bytes()
    for whose in (["--account", account.name], ["--event", json.dumps(account.event())]):
        assert main(["run", family, *whose, "--record"]) == 2
        assert "is the demo account's: make record-" in capsys.readouterr().err
    assert cassettes.path(family, provider).read_bytes() == before


# --- the context ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    """config secrets state api api_url api_auth api_token customer_id user_id user_name region
    platform version module_id log mail database set_response_header response_headers""".split(),
)
def test_the_context_has_what_the_runtimes_has(name):
    assert hasattr(Context(), name)


def test_state_is_kept():
    state = Context().state
    state.set("a", 1)
    state.set_multi({"b": 2, "c": 3})
    state.delete("a")
    state.delete_multi(["b", "none"])
    assert (state.get("c"), state.get("a"), state.get_all()) == (3, None, {"c": 3})


def test_response_headers_are_kept():
    context = Context()
    context.set_response_header("x-poll-incomplete", "eu")
    assert context.response_headers == {"x-poll-incomplete": "eu"}


def test_progress_of_a_task_is_handed_on():
    seen = []
    Context(progress=seen.append).api.post(path="/tasks/t/update", data={"percentage": 50})
    assert seen == [50]


def test_what_only_the_platform_has_says_so():
    context = Context()
    for call in (
        lambda: context.api.get("/x"),
        lambda: context.api.post("/x", data={}),
        lambda: context.mail("x"),
        lambda: context.database("x"),
    ):
        with pytest.raises(NotLocal, match="here"):
            call()


def test_a_ca_certificate_in_base64_is_no_path_however_long(tmp_path):
    path = tmp_path / "ca.pem"
    path.write_text("-----BEGIN CERTIFICATE-----")
    for given, read in (("QUJD" * 400, "QUJD" * 400), (str(path), path.read_text())):
        event = {"credentials": {"ca_cert": given}}
        assert accounts.with_ca_text(event) == {"credentials": {"ca_cert": read}}


# --- CA certificates ------------------------------------------------------------------------------

PEM = "-----BEGIN CERTIFICATE-----\naW52ZW50ZWQ=\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("name", accounts.CA_CERTIFICATES)
def test_a_ca_may_be_a_path_here_and_is_passed_on_as_text(tmp_path, monkeypatch, name):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "ca.pem").write_text(PEM)
    for given in (str(tmp_path / "ca.pem"), "~/ca.pem", PEM):
        event = {"credentials": {name: given, "user": "u"}}
        assert accounts.with_ca_text(event) == {"credentials": {name: PEM, "user": "u"}}
        assert event["credentials"][name] == given


@pytest.mark.parametrize(
    "event", [None, [], {}, {"credentials": None}, {"credentials": {"cacert": 7}}]
)
def test_an_event_without_a_path_of_a_ca_stays_as_it_is(event):
    assert accounts.with_ca_text(event) == event
    base64 = {"credentials": {"ca_cert": "LS0tLS1CRUdJTg=="}}  # as OSM hands Juju's over
    assert accounts.with_ca_text(base64) == base64


def test_a_ca_that_can_not_be_read_is_bad_usage(tmp_path, capsys):
    (tmp_path / "binary").write_bytes(b"\x30\x82\xff\xfe")
    for name, words in (("missing", "No such file"), ("binary", "it is not UTF-8 text")):
        event = {"provider": "netbox", "credentials": {"cacert": str(tmp_path / name)}}
        assert main(["run", "networks", "--event", json.dumps(event)]) == 2
        assert words in capsys.readouterr().err
