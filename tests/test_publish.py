"""Upload, update, list, get, download, execute, logs and delete, against the simulator of a CMP region."""

import base64
import copy
import dataclasses
import fcntl
import io
import json
import re
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from flexlocal import build, cmp_api, publish, shipping
from flexlocal.__main__ import main
from shared.engine import poll
from tests import vendor
from tests.built import MANIFEST, module
from tests.fakes.cmp import Cmp
from tests.fakes.openstack import Cloud


@pytest.fixture
def cmp():
    with Cmp() as made:
        yield made


@pytest.fixture
def home(cmp, monkeypatch, tmp_path):
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


def small(family, folder):
    """A built module whose zip holds no more than its main.py."""
    entry = build.ROOT / "modules" / family / "main.py"
    with zipfile.ZipFile(folder / f"{family}.zip", "w") as packed:
        packed.write(entry, "main.py")
    return build.Built(
        module=MANIFEST.modules[family],
        folder=folder / family,
        zip=folder / f"{family}.zip",
        sizes={build.OWN: entry.stat().st_size},
        replayed=dict.fromkeys(sorted(poll.cells(family)), 1),
        loaded=1,
        import_s=0.1,
        byte_code=MANIFEST.modules[family].pythons,
    )


@pytest.fixture(scope="session")
def small_modules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    return {family: small(family, folder) for family in MANIFEST.modules}


@pytest.fixture(scope="module")
def of_openstack(tmp_path_factory):
    """The built servers without what only AWS needs, and without the byte code of other Pythons.

    A region takes seconds to read and unpack a zip of twelve hundred files.
    """
    built = module("servers")
    others = tuple(
        f".cpython-{version.replace('.', '')}.pyc"
        for version in built.byte_code
        if version != "%d.%d" % sys.version_info[:2]
    )
    file = tmp_path_factory.mktemp("openstack") / "servers.zip"
    with zipfile.ZipFile(built.zip) as whole, zipfile.ZipFile(file, "w") as packed:
        for name in whole.namelist():
            of_aws = name.startswith(("lib/boto3/", "lib/botocore/", "lib/jmespath/"))
            if not (of_aws or (others and name.endswith(others))):
                packed.writestr(name, whole.read(name), zipfile.ZIP_DEFLATED, 1)
    return dataclasses.replace(built, zip=file)


@pytest.fixture(autouse=True)
def built(monkeypatch, request, small_modules):
    """What `build` gives, without building: change it to build something else.

    Servers that are executed, by a region that has a cloud to poll, are really built.
    """
    made = dict(small_modules)
    if "cloud" in request.fixturenames:
        made["servers"] = request.getfixturevalue("of_openstack")
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


def test_upload_creates_what_the_region_lacks(home, cmp, capsys, built):
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
        assert cmp.zips[module_id] == built[family].zip.read_bytes()
    assert capsys.readouterr().out.count("create (it is new)") == len(MANIFEST.modules)


def test_a_new_modules_zip_is_sent_once(home, cmp):
    main(["upload", "servers"])
    (module_id,) = cmp.modules
    assert writes(cmp) == [
        ("POST", "/modules"),
        ("PATCH", f"/modules/{module_id}?nosync=true"),
        ("POST", f"/modules/{module_id}/zipfile"),
    ]


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


@pytest.fixture
def person(monkeypatch):
    """Somebody at the terminal, who types this."""

    def typing(text):
        stdin = io.StringIO(text)
        stdin.isatty = lambda: True
        monkeypatch.setattr(sys, "stdin", stdin)

    return typing


@pytest.mark.parametrize("command", ["update", "upload"])
def test_providers_are_not_dropped_in_silence(home, cmp, capsys, built, tmp_path, person, command):
    main(["upload", "networks"])
    writes(cmp)
    capsys.readouterr()
    built["networks"] = dataclasses.replace(
        other_zip(built["networks"], tmp_path), replayed={"netbox": 1}
    )
    asked = [command, "networks", "--provider", "netbox"]
    said = "the module serves aws, openstack too, and then no longer"
    assert main([*asked, "--dry-run"]) == 0
    assert "it will no longer serve aws, openstack" in capsys.readouterr().out
    for typed in (None, "", "n\n"):
        if typed is not None:
            person(typed)
        assert main(asked) == 2
        assert f"flexlocal: networks: {said}. Nothing was sent; --yes" in (
            capsys.readouterr().err.replace(f"networks: {said}. Go on? [y/N] ", "")
        )
        assert writes(cmp) == []
    person("y\n")
    assert main(asked) == 0
    assert lock(home)["networks"]["providers"] == ["netbox"]
    assert main([*asked, "--yes"]) == 0
    assert capsys.readouterr().out.endswith(
        "networks: unchanged (" + lock(home)["networks"]["id"] + ")\n"
    )


def test_without_knowing_what_a_module_serves_it_is_asked_as_well(
    home, cmp, capsys, built, tmp_path
):
    main(["upload", "networks"])
    (home / "flexer.lock").unlink()
    assert main(["update", "networks", "--provider", "netbox"]) == 2
    assert "whatever the module serves besides netbox, then no longer" in capsys.readouterr().err
    assert main(["update", "networks", "--provider", "netbox", "--yes"]) == 0


def test_an_update_that_broke_off_forgets_no_provider(home, cmp, capsys, built, tmp_path):
    main(["upload", "networks"])
    whole = built["networks"]
    built["networks"] = dataclasses.replace(other_zip(whole, tmp_path), replayed={"netbox": 1})
    cmp.fail("POST", "/modules/", 500)
    assert main(["update", "networks", "--provider", "netbox", "--yes"]) == 1
    assert lock(home)["networks"]["providers"] == sorted(whole.replayed)
    assert main(["update", "networks", "--provider", "netbox"]) == 2


def test_delete_asks_who_is_there_to_be_asked(home, cmp, capsys, person):
    main(["upload", "servers"])
    person("no\n")
    assert main(["delete", "servers"]) == 2
    assert "will be deleted. Go on? [y/N] flexlocal: nothing was deleted" in capsys.readouterr().err
    assert len(cmp.modules) == 1
    person("yes\n")
    assert main(["delete", "servers"]) == 0
    assert cmp.modules == {}


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
    assert "a module of this name exists" in capsys.readouterr().out


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


def test_a_zip_that_did_not_arrive_is_sent_next_time(home, cmp, capsys, built):
    """The module was created: the next upload must find it, not make a second."""
    cmp.fail("POST", "/modules/", 500)
    assert main(["upload", "servers"]) == 1
    assert "500" in capsys.readouterr().err
    assert len(cmp.modules) == 1
    assert main(["upload", "servers"]) == 0
    (module_id,) = cmp.modules
    assert lock(home)["servers"]["id"] == module_id
    assert cmp.zips[module_id] == built["servers"].zip.read_bytes()


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


# --- two at once ----------------------------------------------------------------------------------


def test_an_upload_waits_for_another_one(home, cmp, monkeypatch):
    """Else both would see a region without modules, and create them."""
    waits = threading.Event()
    flock = fcntl.flock

    def watched(file, how):
        if not how & fcntl.LOCK_NB:
            waits.set()
        flock(file, how)

    monkeypatch.setattr(publish.fcntl, "flock", watched)
    with publish.locked():
        other = threading.Thread(target=main, args=(["upload"],))
        other.start()
        assert waits.wait(60)
        assert cmp.requests == []
    other.join()
    assert len(cmp.modules) == len(MANIFEST.modules)


def test_uploads_at_once_create_each_module_once(home, cmp):
    together = threading.Barrier(3)
    done = []

    def upload():
        together.wait()
        done.append(main(["upload"]))

    threads = [threading.Thread(target=upload) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert done == [0, 0, 0]
    assert len(cmp.modules) == len(MANIFEST.modules)
    assert {family: each["id"] for family, each in lock(home).items()} == {
        family: by_name(cmp)[module.name]["id"] for family, module in MANIFEST.modules.items()
    }


def test_what_another_checkout_created_meanwhile_is_updated(home, cmp, monkeypatch, capsys):
    """It has another lock file: only the region knows."""

    def another():
        with monkeypatch.context() as elsewhere:
            (home / "elsewhere").mkdir(exist_ok=True)
            elsewhere.setattr(publish, "LOCK", home / "elsewhere" / "flexer.lock")
            assert main(["upload"]) == 0

    plan = publish.plan

    def planned(*asked):
        steps = plan(*asked)
        monkeypatch.setattr(publish, "plan", plan)
        another()
        return steps

    monkeypatch.setattr(publish, "plan", planned)
    assert main(["upload"]) == 0
    assert len(cmp.modules) == len(MANIFEST.modules)
    servers = by_name(cmp)["CMP servers"]["id"]
    assert f"servers: others created it meanwhile: update {servers}" in capsys.readouterr().err
    assert lock(home) == json.loads((home / "elsewhere" / "flexer.lock").read_text())["regions"]["default"]["modules"]  # fmt: skip


# --- list, get, download, execute, logs, delete ------------------------------------------------------------------


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


def test_what_was_only_started_has_no_value_yet(home, cmp, cloud, capsys):
    main(["upload", "servers"])
    capsys.readouterr()
    event = {"provider": "openstack", "credentials": cloud.credentials()}
    assert main(["execute", "servers", "--event", json.dumps(event), "--async"]) == 0
    assert capsys.readouterr().out == ""
    cmp.wait()
    ((_, handler, result),) = cmp.results
    assert (handler, len(result["value"])) == ("main.get_resources", 3)


def test_get_shows_what_the_region_knows(home, cmp, capsys):
    main(["upload", "servers"])
    (module_id,) = cmp.modules
    cmp.modules[module_id]["source_code"] = 51 * "x"
    capsys.readouterr()
    for name in ("servers", module_id):
        assert main(["get", name]) == 0
        assert json.loads(capsys.readouterr().out) == {
            **cmp.modules[module_id],
            "source_code": "*** REDACTED ***",
        }
    cmp.modules[module_id]["source_code"] = 50 * "x"
    main(["get", "servers"])
    assert json.loads(capsys.readouterr().out)["source_code"] == 50 * "x"


def test_download_unpacks_what_was_uploaded(home, cmp, monkeypatch, capsys, built):
    main(["upload", "servers"])
    (module_id,) = cmp.modules
    (home / "here").mkdir()
    monkeypatch.chdir(home / "here")
    capsys.readouterr()
    assert main(["download", "servers"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"Module {module_id} downloaded in the current directory\n")
    with zipfile.ZipFile(built["servers"].zip) as packed:
        for name in packed.namelist():
            assert (home / "here" / name).read_bytes() == packed.read(name)


def test_download_of_code_that_was_typed_in(home, cmp, monkeypatch):
    main(["upload", "servers"])
    (module_id,) = cmp.modules
    cmp.modules[module_id].update(file_type="inline", source_code="# ü\n")
    monkeypatch.chdir(home)
    assert main(["download", module_id]) == 0
    assert (home / "main.py").read_text(encoding="utf-8") == "# ü\n"


def test_download_of_a_repository_leaves_its_folder_out(home, cmp, monkeypatch):
    main(["upload", "servers"])
    (module_id,) = cmp.modules
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        packed.writestr("repository-1a2b/", "")
        packed.writestr("repository-1a2b/main.py", "# main")
        packed.writestr("repository-1a2b/lib/a.py", "# a")
        packed.writestr("repository-1a2b/../../outside.py", "# outside")
    cmp.modules[module_id]["file_type"], cmp.zips[module_id] = "github", made.getvalue()
    (home / "here" / "there").mkdir(parents=True)
    monkeypatch.chdir(home / "here" / "there")
    assert main(["download", module_id]) == 0
    assert {file.name for file in Path().iterdir()} == {"main.py", "lib", "outside.py"}
    assert {file.name for file in (home / "here").iterdir()} == {"there"}
    assert Path("lib/a.py").read_text() == "# a"


@pytest.mark.parametrize("text", ["", "no zip", "UEsDBA==", '{"message": "none"}'])
def test_download_of_what_is_no_zip(home, cmp, monkeypatch, capsys, text):
    main(["upload", "servers"])
    monkeypatch.chdir(home)
    (module_id,) = cmp.modules
    cmp.instead("GET", f"/modules/{module_id}/zipfile", lambda: (200, {}, text))
    assert main(["download", "servers"]) == 1
    assert "/zipfile: 200 with what is no zip file" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["get", "download", "execute", "logs", "delete"])
def test_a_family_that_was_not_uploaded(home, cmp, capsys, command):
    event = ["--event", "{}"] if command == "execute" else []
    assert main([command, "servers", *event]) == 1
    assert "flexer.lock knows no module of servers in region default" in capsys.readouterr().err
    assert cmp.requests == []


def test_an_id_that_is_not_there(home, cmp, capsys):
    assert main(["get", "nobody"]) == 1
    assert "GET /cmp/basic/api/modules/nobody: 404" in capsys.readouterr().err


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


@pytest.mark.parametrize("cut", [0, 230, 920])
def test_what_the_region_echoes_of_its_key_is_masked(home, cmp, capsys, cut):
    """Also where a cut of its words would leave a part: a 500 that echoes the request is not rare."""
    main(["upload", "servers"])
    module_id = lock(home)["servers"]["id"]
    basic = base64.b64encode(f"{cmp.key}:{cmp.secret}".encode()).decode()
    said = "." * cut + f" Authorization was Basic {basic}, {basic}, {cmp.secret} or {cmp.key}"
    commands = {
        ("list",): ("GET", "/modules"),
        ("get", "servers"): ("GET", "/modules"),
        ("execute", "servers", "--event", "{}"): ("POST", "/modules"),
        ("logs", "servers"): ("GET", "/logs"),
        ("delete", "servers"): ("DELETE", f"/modules/{module_id}"),
    }
    capsys.readouterr()
    for command, (method, path) in commands.items():
        cmp.instead(method, path, lambda: (500, {}, {"message": said}))
        assert main([*command]) == 1
        err = capsys.readouterr().err
        assert "500" in err
        for secret in (basic, cmp.secret, cmp.key):
            assert not [at for at in range(len(secret) - 7) if secret[at : at + 8] in err], command


def test_what_a_module_there_says_is_shown_escaped_and_masked(home, cmp, capsys):
    """Nobody knows which code it runs: it may echo the account's secrets."""
    main(["upload", "servers"])
    said = "\x1b[31mred\u202e s3cr3t-canary"
    event = {"credentials": {"password": "s3cr3t-canary"}}
    for result in ({"logs": f"a {said}\nb\n"}, {"error": {"exc_type": "E", "exc_message": said}}):
        cmp.instead("POST", "/modules/", lambda result=result: (200, {}, {"value": said, **result}))
        main(["execute", "servers", "--event", json.dumps(event)])
    cmp.instead("GET", "/logs", lambda: (200, {}, {"hits": [{"message": said}]}))
    main(["logs", "servers"])
    module_id = lock(home)["servers"]["id"]
    cmp.modules[module_id]["name"] = said
    main(["list"])
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err and "\u202e" not in out + err
    assert "s3cr3t" not in err
    assert err.count("\\x1b[31mred\\u202e ***") == 2
    assert out.count("\\x1b[31mred\\u202e") == 2 and out.count("\\u001b[31mred\\u202e") == 1


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


PAGE = "<!DOCTYPE html>\n<html><title>Sign in</title></html>"


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/json"])
@pytest.mark.parametrize("command", [["list"], ["upload"], ["get", "x"]])
def test_a_page_for_people_is_called_that(home, cmp, capsys, command, kind):
    """Of a proxy, a login, or a cmp_url that is the console's."""
    cmp.instead("GET", "/modules", lambda: (200, {"Content-Type": kind}, PAGE))
    assert main(command) == 1
    err = capsys.readouterr().err
    path = "/modules/x" if command[0] == "get" else "/modules"
    errors = [
        line for line in err.splitlines() if not line.startswith("warning: ")
    ]  # of a Python that is not here
    assert errors == [
        f"RegionError: region default answered GET /cmp/basic/api{path}: 200 with an HTML page: "
        "is cmp_url of ~/.flexer.yaml the API's?"
    ]
    cmp.instead("GET", "/modules", lambda: (502, {"Content-Type": kind}, PAGE))
    assert main(command) == 1
    assert f"GET /cmp/basic/api{path}: 502 (an HTML page)" in capsys.readouterr().err


ODD = ["", "no JSON", "null", "7", '"text"', "[7]", "[[]]", "[{}]", '[{"id": 7, "name": "x"}]',
       "{}", "[" * 100_000, '{"id": 7}', '{"hits": 7}', '{"hits": [7]}']  # fmt: skip


@pytest.mark.parametrize(
    "method, path, command",
    [
        ("GET", "/modules", ["list"]),
        ("GET", "/modules", ["upload", "volumes"]),
        ("POST", "/modules", ["upload", "volumes"]),
        ("GET", "/modules/", ["get", "servers"]),
        ("GET", "/modules/", ["download", "servers"]),
        ("POST", "/modules/", ["execute", "servers", "--event", "{}"]),
        ("GET", "/logs", ["logs", "servers"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_no_answer_is_a_traceback(home, cmp, monkeypatch, capsys, method, path, command):
    main(["upload", "servers"])
    monkeypatch.chdir(home)
    capsys.readouterr()
    for text in ODD:
        cmp.instead(method, path, lambda text=text: (200, {}, text))
        code = main(command)  # an exception fails the test
        err = capsys.readouterr().err
        assert (code, "Error: " in err) in ((0, False), (1, True)), text[:99]


def pages(cmp, *ids, total, page=None):
    """The next pages of the module list have these ids each."""
    for number, listed in enumerate(ids, 1):
        found = [{"id": each, "name": f"name of {each}"} for each in listed]
        headers = {"x-total-count": total, "x-page": page or number}
        cmp.instead("GET", "/modules", lambda answer=(200, headers, found): answer)


@pytest.mark.parametrize("page", [None, 1])
def test_a_page_that_repeats_is_a_loop(home, cmp, capsys, page):
    pages(cmp, "abc", "abc", "abc", total=9, page=page)
    assert main(["list"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "of the modules repeats what was there" in err


def test_a_list_that_ends_early_is_not_taken_for_all(home, cmp, capsys):
    """An upload would create what it does not show."""
    pages(cmp, "abc", "", total=9)
    assert main(["upload"]) == 1
    assert "with 3 modules where it says that there are 9" in capsys.readouterr().err
    assert writes(cmp) == []


def test_pages_that_moved_on_show_no_module_twice(home, cmp, capsys):
    pages(cmp, "abc", "cd", "e", total=5)
    assert main(["list"]) == 0
    assert [line[0] for line in capsys.readouterr().out.splitlines()] == list("abcde")


@pytest.mark.parametrize("header", ["x-total-count", "x-page"])
def test_a_header_that_is_no_number(home, cmp, capsys, header):
    headers = {"x-total-count": 2, "x-page": 1, header: "many"}
    cmp.instead("GET", "/modules", lambda: (200, headers, [{"id": "a", "name": "b"}]))
    assert main(["list"]) == 1
    assert f"with header {header}, which is no number" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content, told",
    [
        (None, "~/.flexer.yaml is missing"),
        ("regions: {other: {}}", "no regions.default"),
        ("regions: {default: {cmp_url: http://x}}", "no regions.default with cmp_url"),
        ("[]", "no regions.default"),
        ("regions: {a", "is not YAML"),
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


GOOD_LOCK = {
    "version": 1,
    "regions": {
        "default": {
            "url": "URL",
            "modules": {"servers": {"id": "m-1", "zip": "0", "handlers": []}},
        },
        "other": {"url": "http://other", "modules": {}},
    },
}


def damaged_locks():
    """Valid JSON of another form: each value that has a meaning is of another kind, or gone."""
    for path in ("", "version", "regions", "regions/default", "regions/default/url",
                 "regions/default/modules", "regions/default/modules/servers",
                 "regions/default/modules/servers/id", "regions/other", "regions/other/modules"):  # fmt: skip
        for value in (None, 7, "text", [], {}):
            *parents, last = ["lock", *path.split("/")] if path else ["lock"]
            whole = {"lock": copy.deepcopy(GOOD_LOCK)}
            inner = whole
            for key in parents:
                inner = inner[key]
            if type(value) is not type(inner[last]) or last == "version":
                inner[last] = value
                yield pytest.param(json.dumps(whole["lock"]), id=f"{path or 'all'}: {value!r}")
            if value is None and last in ("version", "url", "modules", "id"):
                del inner[last]
                yield pytest.param(json.dumps(whole["lock"]), id=f"no {path}")


@pytest.mark.parametrize(
    "content",
    [*damaged_locks(), *("{", "[" * 100_000, '{"version": 2, "regions": {}}', "\ud800")],
)
def test_a_damaged_lock_file_is_not_written_over(home, cmp, capsys, content):
    file = home / "flexer.lock"
    file.write_bytes(content.replace("URL", cmp.url).encode("utf-8", "surrogatepass"))
    before = file.read_bytes()
    commands = [["get", "servers"], ["download", "servers"], ["logs", "servers"]]
    commands += [["execute", "servers", "--event", "{}"], ["delete", "servers"], ["list"]]
    for command in (*commands, ["upload"], ["update"]):
        assert main(command) == 1
        assert "RegionError: flexer.lock is damaged" in capsys.readouterr().err
    assert file.read_bytes() == before
    assert cmp.modules == {}


def test_a_lock_file_that_can_not_be_read(home, cmp, capsys):
    (home / "flexer.lock").mkdir()
    assert main(["upload"]) == 1
    assert "RegionError: flexer.lock: Is a directory" in capsys.readouterr().err


# --- the vendor's client --------------------------------------------------------------------------


def test_the_calls_are_those_of_the_vendors_client(home, cmp, monkeypatch, tmp_path, built):
    """flexer's, as it is: what each of its calls asks for, and what the region has after it."""
    flexer = pytest.importorskip("flexer")
    theirs = flexer.NflexClient(flexer.CmpClient(cmp.url, auth=(cmp.key, cmp.secret)))
    ours = cmp_api.connect()
    monkeypatch.chdir(tmp_path)
    zip_file = other_zip(built["servers"], tmp_path).zip
    handlers = [{"event_source": "timer", "handler": "main.get"}]
    (tmp_path / "handlers.json").write_text(json.dumps(handlers))
    about = ("Name", "what it is", "cmp-connector.resources", "python3")

    def calls(module_id):
        """What was asked for since the last look, without the id and the time of day."""
        found = [(method, path.replace(module_id, "ID")) for method, path in cmp.requests]
        cmp.requests.clear()
        return [(method, re.sub(r"(start|end)=[^&]*", r"\1=", path)) for method, path in found]

    first = theirs.upload(*about, str(zip_file))["id"]
    created = calls(first)
    second = ours.create(*about)
    assert calls(second) == created[:1]  # the zip comes with the update
    pairs = [
        (
            lambda: theirs.update(first, str(zip_file), "python3", "handlers.json", "newer"),
            lambda: ours.update(second, zip_file, "python3", handlers, "newer"),
        ),
        (lambda: theirs.list(), lambda: ours.modules()),
        (lambda: theirs.get(first), lambda: ours.get(second)),
        (lambda: theirs.download(first), lambda: ours.download(second, Path())),
        (
            lambda: theirs.execute(first, "get_resources", False, "{}"),
            lambda: ours.execute(second, "get_resources", False, {}),
        ),
        (
            lambda: theirs.execute(first, "get_resources", True, "{}"),
            lambda: ours.execute(second, "get_resources", True, {}),
        ),
        (lambda: theirs.logs(first), lambda: ours.logs(second)),
    ]
    for their_call, our_call in pairs:
        their_call()
        asked = calls(first)
        our_call()
        assert calls(second) == asked
        assert {**cmp.modules[second], "id": first} == cmp.modules[first]
        assert cmp.zips[second] == cmp.zips[first]
    theirs.delete(first)
    asked = calls(first)
    ours.delete(second)
    assert calls(second) == asked
    assert cmp.modules == {}


def test_get_download_and_async_print_what_the_vendors_do(home, cmp, monkeypatch, capsys, cloud):
    """flexer prints all but values to stderr; ours has what a program may read on stdout."""
    vendor.needs_flexer()
    main(["upload", "servers"])
    (module_id,) = cmp.modules
    event = json.dumps({"provider": "openstack", "credentials": cloud.credentials()})
    (home / "theirs").mkdir()
    (home / "ours").mkdir()
    monkeypatch.chdir(home / "ours")
    capsys.readouterr()
    for theirs, ours in (
        (["get", module_id], ["get", "servers"]),
        (["download", module_id], ["download", "servers"]),
        (
            ["execute", module_id, "--handler", "get_resources", "--event", event, "--async"],
            ["execute", "servers", "--event", event, "--async"],
        ),
    ):
        done = vendor.flexer(theirs, home / "theirs", home, cmp.url, cmp.key, cmp.secret)
        assert (done.returncode, done.stdout) == (0, "")
        assert main(ours) == 0
        out, err = capsys.readouterr()
        assert out + err == done.stderr
    files = [
        {
            file.relative_to(folder): file.read_bytes()
            for file in folder.rglob("*")
            if file.is_file()
        }
        for folder in (home / "theirs", home / "ours")
    ]
    assert files[0] == files[1]
