"""Upload, update, list, execute, logs and delete, against the simulator of a CMP region.

Twice each: through the vendor's client, and through our own calls.
"""

import dataclasses
import json
import sys
import zipfile

import pytest

from flexlocal import publish, region, shipping
from flexlocal.__main__ import main
from tests.built import MANIFEST, module
from tests.fakes.cmp import Cmp
from tests.fakes.openstack import Cloud


@pytest.fixture(params=["flexer's client", "our calls"])
def client(request, monkeypatch):
    """Which client is used; flexer's imports on every Python, unlike its command line."""
    if request.param == "our calls":
        monkeypatch.setitem(sys.modules, "flexer", None)
    return request.param


@pytest.fixture
def cmp():
    with Cmp() as made:
        yield made


@pytest.fixture
def home(client, cmp, monkeypatch, tmp_path):
    """A home with a ~/.flexer.yaml for the simulator, and a lock file of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(publish, "LOCK", tmp_path / "flexer.lock")
    write_config(tmp_path, cmp)
    return tmp_path


def write_config(home, cmp, mode=0o600, **changed):
    known = {"cmp_url": cmp.url, "cmp_api_key": cmp.key, "cmp_api_secret": cmp.secret, **changed}
    file = home / ".flexer.yaml"
    file.write_text(json.dumps({"verify_ssl": True, "regions": {"default": known}}))
    file.chmod(mode)


@pytest.fixture(autouse=True)
def built(monkeypatch):
    """What `build` gives, without building: change it to build something else."""
    made = {family: module(family) for family in MANIFEST.modules}
    monkeypatch.setattr(shipping.build, "build", lambda known, family, _: made[family])
    return made


def lock(home):
    return json.loads((home / "flexer.lock").read_text())["regions"]["default"]["modules"]


def writes(cmp):
    """The requests that change something, since the last look."""
    found = [(method, path) for method, path in cmp.requests if method != "GET"]
    cmp.requests.clear()
    return found


def by_name(cmp):
    return {each["name"]: each for each in cmp.modules.values()}


def other_zip(built, tmp_path):
    """The same module with another zip."""
    changed = tmp_path / "servers.zip"
    with zipfile.ZipFile(changed, "w") as packed:
        packed.writestr("main.py", "def get_resources(event, context):\n    return []\n")
    return dataclasses.replace(built, zip=changed)


# --- upload and update ----------------------------------------------------------------------------


def test_upload_creates_what_the_region_lacks(home, cmp, client, capsys):
    assert main(["upload"]) == 0
    ids = {family: each["id"] for family, each in lock(home).items()}
    assert set(ids) == set(MANIFEST.modules)
    for family, module_id in ids.items():
        there = cmp.modules[module_id]
        assert there["name"] == MANIFEST.modules[family].name
        assert there["description"] == MANIFEST.modules[family].description
        assert (there["language"], there["file_type"]) == ("python3", "zip")
        assert there["event_source"] == "cmp-connector.resources"
        events = MANIFEST.modules[family].events
        assert events.keys() >= {"cmp-connector.resources", "cmp-connector.credentials"}
        assert {each["event_source"]: each["handler"] for each in there["handlers"]} == {
            event: f"main.{handler}" for event, handler in events.items()
        }
        assert cmp.zips[module_id] == module(family).zip.read_bytes()
    assert capsys.readouterr().out.count("create (it is new)") == len(MANIFEST.modules)


def test_what_did_not_change_is_not_sent(home, cmp, capsys):
    main(["upload"])
    writes(cmp)
    assert main(["upload"]) == 0
    assert writes(cmp) == []
    assert capsys.readouterr().out.count(": unchanged (") == len(MANIFEST.modules)


def test_only_what_changed_is_sent(home, cmp, capsys, built, tmp_path):
    main(["upload"])
    writes(cmp)
    before = dict(cmp.zips)
    built["servers"] = other_zip(built["servers"], tmp_path)
    assert main(["update"]) == 0
    servers = lock(home)["servers"]["id"]
    assert {path.partition("?")[0] for _, path in writes(cmp)} == {
        f"/modules/{servers}",
        f"/modules/{servers}/zipfile",
    }
    assert {each for each in before if cmp.zips[each] != before[each]} == {servers}
    assert f"servers: update {servers} (zip changed)" in capsys.readouterr().out


def test_a_description_that_was_changed_there_is_put_back(home, cmp, capsys):
    main(["upload"])
    servers = lock(home)["servers"]["id"]
    cmp.modules[servers]["description"] = "by hand"
    assert main(["upload"]) == 0
    assert cmp.modules[servers]["description"] == MANIFEST.modules["servers"].description
    assert "(description was changed there)" in capsys.readouterr().out


def test_a_module_that_was_deleted_there_is_created_anew(home, cmp, capsys):
    main(["upload"])
    gone = lock(home)["servers"]["id"]
    del cmp.modules[gone]
    assert main(["update"]) == 1
    assert "no module of servers: flexlocal upload servers" in capsys.readouterr().err
    assert main(["upload"]) == 0
    assert "servers: create (it was deleted there)" in capsys.readouterr().out
    assert lock(home)["servers"]["id"] not in (gone, None)
    assert len(cmp.modules) == len(MANIFEST.modules)


def test_without_a_lock_file_modules_are_found_by_name(home, cmp, capsys):
    main(["upload"])
    before = lock(home)
    (home / "flexer.lock").unlink()
    assert main(["upload"]) == 0
    assert lock(home) == before
    assert len(cmp.modules) == len(MANIFEST.modules)
    assert "it is there by this name" in capsys.readouterr().out


def test_two_modules_of_one_name_are_for_a_person_to_sort_out(home, cmp, capsys):
    main(["upload"])
    (home / "flexer.lock").unlink()
    twin = {**cmp.modules[next(iter(cmp.modules))], "id": "twin"}
    cmp.modules["twin"] = twin
    writes(cmp)
    assert main(["upload"]) == 1
    err = capsys.readouterr().err
    assert f"has 2 modules named {twin['name']!r}" in err
    assert "twin" in err
    assert writes(cmp) == []


@pytest.mark.parametrize("key, value", [("name", "Other"), ("event_source", "timer")])
def test_what_the_api_can_not_change_is_said(home, cmp, capsys, key, value):
    main(["upload"])
    servers = lock(home)["servers"]["id"]
    cmp.modules[servers][key] = value
    assert main(["upload"]) == 1
    err = capsys.readouterr().err
    assert f"the {key} of module {servers} is {value!r} and can't be changed" in err
    assert "flexlocal delete servers" in err


def test_a_zip_that_did_not_arrive_is_sent_next_time(home, cmp, capsys):
    """The module was created: the next upload must find it, not make a second."""
    cmp.fail("POST", "/modules/", 500)
    assert main(["upload", "servers"]) == 1
    assert "500" in capsys.readouterr().err
    assert len(cmp.modules) == 1
    assert main(["upload", "servers"]) == 0
    (module_id,) = cmp.modules
    assert lock(home)["servers"]["id"] == module_id
    assert cmp.zips[module_id] == module("servers").zip.read_bytes()


def test_an_update_that_broke_off_is_done_again(home, cmp, built, tmp_path):
    main(["upload"])
    servers = lock(home)["servers"]["id"]
    built["servers"] = other_zip(built["servers"], tmp_path)
    cmp.fail("POST", f"/modules/{servers}/zipfile", 500)
    assert main(["update"]) == 1
    assert main(["update"]) == 0
    assert cmp.zips[servers] == built["servers"].zip.read_bytes()


def test_after_an_update_that_broke_off_nothing_is_taken_as_sent(
    home, cmp, built, tmp_path, capsys
):
    """Not even what was sent before: nobody knows what the region has now."""
    main(["upload"])
    servers = lock(home)["servers"]["id"]
    good, built["servers"] = built["servers"], other_zip(built["servers"], tmp_path)
    cmp.fail("POST", f"/modules/{servers}/zipfile", 500)
    assert main(["update"]) == 1
    built["servers"] = good
    capsys.readouterr()
    assert main(["update"]) == 0
    assert f"servers: update {servers} (zip changed" in capsys.readouterr().out


def test_a_dry_run_says_all_and_does_nothing(home, cmp, capsys):
    for command in ("upload", "delete"):
        families = [] if command == "upload" else ["servers"]
        assert main([command, *families, "--dry-run"]) == 0
        assert writes(cmp) == []
        assert f"would {'servers: create' if command == 'upload' else 'delete servers'}" in (
            capsys.readouterr().out
        )
        main(["upload"])
        writes(cmp)
        capsys.readouterr()


def test_a_list_of_several_pages_is_read_to_its_end(home, cmp, capsys):
    main(["upload"])
    cmp.page_size = 2
    (home / "flexer.lock").unlink()
    assert main(["upload"]) == 0
    assert len(cmp.modules) == len(MANIFEST.modules)


def test_no_secret_is_in_the_lock_file_or_the_output(home, cmp, capsys):
    main(["upload"])
    out, err = capsys.readouterr()
    text = out + err + (home / "flexer.lock").read_text()
    assert cmp.secret not in text
    assert cmp.key not in text


# --- list, execute, logs, delete ------------------------------------------------------------------


@pytest.fixture(scope="module")
def cloud():
    made = Cloud()
    made.fill(servers=3)
    yield made
    made.stop()


def test_list_names_the_families(home, cmp, capsys):
    main(["upload", "servers"])
    cmp.modules["foreign"] = {**by_name(cmp)["CMP servers"], "id": "foreign", "name": "Another"}
    capsys.readouterr()
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["foreign", "-"],
        [lock(home)["servers"]["id"], "servers"],
    ]


def test_execute_gives_what_the_module_returns_there(home, cmp, cloud, capsys):
    main(["upload", "servers"])
    capsys.readouterr()
    event = {"provider": "openstack", "credentials": cloud.credentials()}
    assert main(["execute", "servers", "--event", json.dumps(event)]) == 0
    servers = json.loads(capsys.readouterr().out)
    assert [each["type"] for each in servers] == ["server"] * 3
    assert (
        main(
            [
                "execute",
                "servers",
                "--event",
                json.dumps(event),
                "--handler",
                "validate_credentials",
            ]
        )
        == 0
    )
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_execute_fails_where_the_handler_does(home, cmp, cloud, capsys):
    main(["upload", "servers"])
    capsys.readouterr()
    bad = {"provider": "openstack", "credentials": {**cloud.credentials(), "password": "wrong-pw"}}
    asked = ["execute", "servers", "--event", json.dumps(bad)]
    assert main(asked) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "InvalidCredentials: " in err
    assert "wrong-pw" not in err
    assert main([*asked, "--handler", "validate_credentials"]) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_logs_are_those_of_the_module(home, cmp, cloud, capsys):
    main(["upload", "servers"])
    event = {"provider": "openstack", "credentials": cloud.credentials()}
    main(["execute", "servers", "--event", json.dumps(event)])
    capsys.readouterr()
    assert main(["logs", "servers"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "polled" in line]
    assert "INFO" in line
    assert "family=servers provider=openstack" in line


def test_state_is_kept_from_call_to_call(home, cmp, cloud):
    """The alarm of a shrunken inventory needs it."""
    main(["upload", "servers"])
    event = {"provider": "openstack", "credentials": cloud.credentials(), "account_id": "a"}
    main(["execute", "servers", "--event", json.dumps(event)])
    assert cmp.state[lock(home)["servers"]["id"]] == {"inventory:a:openstack:servers:resources": 3}


def test_progress_is_reported_to_the_task(home, cmp, cloud):
    main(["upload", "servers"])
    event = {"provider": "openstack", "credentials": cloud.credentials(), "task_id": "t-1"}
    main(["execute", "servers", "--event", json.dumps(event)])
    assert cmp.tasks["t-1"] == [0, 100]


def test_delete_deletes_there_and_in_the_lock_file(home, cmp, capsys):
    main(["upload"])
    servers = lock(home)["servers"]["id"]
    assert main(["delete", "servers"]) == 0
    assert servers not in cmp.modules
    assert set(lock(home)) == set(MANIFEST.modules) - {"servers"}
    assert main(["delete", "servers"]) == 1
    assert "knows no module of servers" in capsys.readouterr().err


# --- what is wrong is said ------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["list"], ["upload"]])
def test_a_key_that_the_region_refuses(home, cmp, capsys, command):
    write_config(home, cmp, cmp_api_secret="another-invented-secret")
    assert main(command) == 1
    err = capsys.readouterr().err
    assert "region default does not accept the key of ~/.flexer.yaml" in err
    assert "another-invented-secret" not in err


def test_a_region_that_is_not_there(home, cmp, capsys):
    cmp.stop()
    assert main(["list"]) == 1
    assert f"region default at {cmp.url} can't be reached" in capsys.readouterr().err


def test_a_region_that_answers_with_an_error(home, cmp, capsys):
    cmp.fail("GET", "/modules", 503)
    assert main(["list"]) == 1
    assert "region default: GET /cmp/basic/api/modules: 503" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content, told",
    [
        (None, "~/.flexer.yaml is missing"),
        ("regions: {other: {}}", "no regions.default"),
        ("regions: {default: {cmp_url: http://x}}", "no regions.default with cmp_url"),
        ("[]", "no regions.default"),
        ("regions: {a", "no YAML"),
    ],
)
def test_a_region_that_is_not_configured(home, capsys, content, told):
    file = home / ".flexer.yaml"
    file.unlink()
    if content is not None:
        file.write_text(content)
    assert main(["list"]) == 1
    assert told in capsys.readouterr().err


def test_a_file_of_secrets_that_others_can_read_is_warned_of(home, cmp, capsys):
    write_config(home, cmp, mode=0o644)
    assert main(["list"]) == 0
    assert "warning: ~/.flexer.yaml holds secrets" in capsys.readouterr().err


def test_a_region_under_anothers_name(home, cmp, capsys):
    main(["upload"])
    with Cmp() as other:
        write_config(home, other)
        assert main(["upload"]) == 1
        assert "knows region default as" in capsys.readouterr().err
        assert other.modules == {}


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 2, "regions": {}}', '{"regions": {}}'])
def test_a_damaged_lock_file_is_not_written_over(home, cmp, capsys, content):
    (home / "flexer.lock").write_text(content)
    assert main(["upload"]) == 1
    assert "flexer.lock is damaged" in capsys.readouterr().err
    assert (home / "flexer.lock").read_text() == content
    assert cmp.modules == {}


def test_which_client_is_used(home, client):
    used = type(region.connect().client)
    assert used.__module__ == ("flexer.clients.nflex" if client != "our calls" else region.__name__)
