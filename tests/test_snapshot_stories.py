"""The usage stories of snapshots, played on a demo account, and the commands of docs/operate/snapshots.md."""

import copy
import datetime
import json
import re
import shlex
import shutil

import pytest

from flexlocal import inventories, poll_workers
from flexlocal.__main__ import main
from inventory import Inventory
from tests.inventories import ROOT, UTC

PAGE = (ROOT / "docs" / "operate" / "snapshots.md").read_text(encoding="utf-8")
ACCOUNT = "demo-openstack"
POLL = ["poll", "--account", ACCOUNT]
POLL += [
    "--family",
    "servers",
    "--family",
    "networks",
    "--family",
    "volumes",
    "--family",
    "appliances",
]
SIZE = "/details/volume/size_b"


@pytest.fixture(scope="module")
def polled(tmp_path_factory):
    """The demo account, replayed into an inventory."""
    file = tmp_path_factory.mktemp("stories") / "inventory.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(file.parent))
        assert main([*POLL, "--inventory", str(file)]) == 0
    return file


@pytest.fixture
def file(polled, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(inventories.VARIABLE, "inventory.db")
    return shutil.copyfile(polled, tmp_path / "inventory.db")


@pytest.fixture
def run(file, capsys):
    def call(*arguments):
        capsys.readouterr()
        status = main(["snapshot", *arguments])
        return status, capsys.readouterr().out

    return call


@pytest.fixture
def rows(run):
    def call(*arguments):
        status, out = run(*arguments, "--format", "json")
        return status, json.loads(out)

    return call


def world(family, **changes):
    """The account's next poll of a family: each resource of that name as the function returns it; None: it is gone."""
    with Inventory("inventory.db") as inventory:
        scopes = {each.scope: [] for each in inventory.coverage(family=family).scopes}
        for each in inventory.resources(family=family):
            document = copy.deepcopy(each.document)
            change = changes.get(each.entry.name, lambda document: document)
            if (changed := change(document)) is not None:
                scopes[each.entry.scope].append(changed)
        now = datetime.datetime.now(UTC)
        inventory.store(
            ACCOUNT,
            family,
            scopes,
            provider="openstack",
            all_scopes=True,
            started_at=now,
            ended_at=now,
        )


def with_state(state):
    def change(document):
        document["details"]["server"]["state"] = state
        return document

    return change


def larger(document):
    document["details"]["volume"]["size_b"] = 5 * 10**9
    return document


def without_network(document):
    NETWORKS[document["id"]] = document["connections"].pop("network")
    return document


def with_network(document):
    document["connections"]["network"] = NETWORKS[document["id"]]
    return document


def gone(document):
    return None


NETWORKS = {}
TWIN, DISK = "demo-twin-1", "demo-multiattach"


# --- the stories ---


@pytest.mark.parametrize("line", re.findall(r"flexlocal (poll --every[^`\n]*)", PAGE))
def test_a_snapshot_each_week_and_every_10_minutes_during_a_change(file, line, monkeypatch):
    """R1. What comes of these intervals: tests/test_poll.py."""
    begun = []
    monkeypatch.setattr(
        poll_workers, "again_and_again", lambda tasks, *_, **more: begun.extend([tasks, more])
    )
    schedules = []
    monkeypatch.setattr(
        "flexlocal.poll_snapshots.Schedule.__init__",
        lambda self, store, tasks, *seconds: schedules.append(seconds[:2]),
    )
    assert main([*shlex.split(line), "--account", ACCOUNT, "--family", "servers"]) == 0
    (task,) = begun[0]
    assert (task.every_s, task.window_s) == (3600, 600)
    assert schedules == [(7 * 24 * 3600, 600)]


def test_a_snapshot_with_a_label(run, rows):
    """R2."""
    status, out = run("take", "before the audit")
    assert status == 0
    assert re.match(r"before the audit: 54 resources, \d+ of \d+ scopes complete, as of ", out)
    status, (taken,) = rows("list")
    assert (taken["label"], taken["how"], len(taken["runs"])) == ("before the audit", "by hand", 4)


def test_last_week_and_the_initial_design(run, rows):
    """R3. One server is not as designed since last week, one is well again, one is new trouble."""
    run("take", "design")
    run("pin", "design")
    world("servers", **{"web-vm-0000": with_state("stopped"), "web-vm-0014": with_state("stopped")})
    run("take", "last week")
    world("servers", **{"web-vm-0000": with_state("running"), "web-vm-0028": with_state("stopped")})
    status, gaps = rows("diff", "last week", "now", "--gaps")
    assert status == 1
    said = [(each["name"], each["verdict"], each["before"], each["after"]) for each in gaps]
    assert said == [
        ("web-vm-0014", "as before", "stopped", "stopped"),
        ("web-vm-0028", "not as designed", "running", "stopped"),
        ("web-vm-0000", "as designed", "stopped", "running"),
    ]
    assert {each["design"] for each in gaps} == {"running"}


def test_a_report_is_kept_and_made_again(run):
    """R4."""
    run("take", "week 46")
    world("servers", **{"web-vm-0000": gone})
    run("take", "week 48")
    first = run("report", "week 46", "week 48", "--format", "html")
    world("servers", **{"web-vm-0014": gone, TWIN: with_state("stopped")})
    world("volumes", **{DISK: gone})
    run("take", "week 50")
    assert first[0] == 0
    assert "<bdi>web-vm-0000</bdi>" in first[1]
    assert run("report", "week 46", "week 48", "--format", "html") == first
    assert run("report", "week 48", "week 50", "--format", "html") != first


def test_all_around_one_server_comes_back_to_as_designed(run, rows):
    """R7. What is not in its clique is another change's."""
    run("take", "design")
    run("pin", "design")
    assert run("window", "open", "CHG-17", "--focal", TWIN)[0] == 0
    world("servers", **{TWIN: without_network, "web-vm-0000": with_state("stopped")})
    status, (lost,) = rows("window", "show", "CHG-17")
    assert (status, lost["name"], lost["path"], lost["severity"]) == (
        1,
        TWIN,
        "/connections/network",
        "critical",
    )
    assert lost["verdict"] == "not as designed"
    world("servers", **{TWIN: with_network})
    assert rows("window", "show", "CHG-17") == (0, [])
    status, found = rows("diff", "design", "now", "--focal", TWIN)
    assert (status, found) == (0, [])
    assert [each["name"] for each in rows("diff", "design", "now")[1]] == ["web-vm-0000"]
    assert run("window", "close", "CHG-17")[0] == 0


def test_a_ticket_is_closed_only_when_all_that_belongs_to_it_is_well(run, rows):
    """R12. What is not well is named each time; what was the purpose is explained, and stays with the window."""
    run("window", "open", "CHG-17", "--focal", TWIN)
    world("servers", **{TWIN: without_network})
    world("volumes", **{DISK: larger})
    for _ in range(2):
        status, left = rows("window", "close", "CHG-17")
        assert status == 1
        assert {(each["name"], each["path"]) for each in left} == {
            (TWIN, "/connections/network"),
            (DISK, SIZE),
        }
    run("window", "explain", "CHG-17", "the disk was enlarged as ordered", "--id", DISK)
    assert [each["name"] for each in rows("window", "close", "CHG-17")[1]] == [TWIN]
    world("servers", **{TWIN: with_network})
    assert run("window", "close", "CHG-17") == (0, "CHG-17 is closed: 1 difference explained\n")
    world("volumes", **{DISK: gone})
    (kept,) = rows("window", "show", "CHG-17")[1]
    assert (kept["path"], kept["explanation"]) == (SIZE, "the disk was enlarged as ordered")


# --- the page ---

EVENTS = {
    "web-vm-0000 is stopped": [("servers", {"web-vm-0000": with_state("stopped")})],
    "web-vm-0000 is running again; web-vm-0014 is stopped; a volume is gone": [
        ("servers", {"web-vm-0000": with_state("running"), "web-vm-0014": with_state("stopped")}),
        ("volumes", {"f3f5a279-0da7-428d-9587-0be8dc01f54f": gone}),
    ],
    "the change: demo-twin-1 loses its network, and its disk demo-multiattach is larger": [
        ("servers", {TWIN: without_network}),
        ("volumes", {DISK: larger}),
    ],
    "demo-twin-1 has its network again": [("servers", {TWIN: with_network})],
}


def test_the_commands_of_the_page(file, capsys):
    """In their order; what happens in between stands there as a comment."""
    steps = re.findall(r"<!-- (.*?) -->|```sh\n(.*?)```", PAGE, re.DOTALL)
    done = []
    for event, block in steps:
        for family, changes in EVENTS[event] if event else ():
            world(family, **changes)
        for command in block.splitlines():
            expected = int((re.findall(r"# exit status (\d)", command) or [0])[0])
            _, *arguments = shlex.split(command, comments=True)
            to = None
            if ">" in arguments:
                to = arguments[-1]
                arguments = arguments[: arguments.index(">")]
            if arguments != POLL:  # which the fixture did
                assert (command, main(arguments)) == (command, expected)
                out = capsys.readouterr().out
                assert out
                if to:
                    (file.parent / to).write_text(out, encoding="utf-8")
            done.append(arguments)
    assert len(done) > 15
    assert POLL in done
    page = (file.parent / "CHG-17.html").read_text(encoding="utf-8")
    assert "the disk was enlarged as ordered" in page
    assert (
        len(json.loads((file.parent / "week-47.json").read_text(encoding="utf-8"))["resources"])
        == 54
    )
