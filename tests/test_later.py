"""The second recordings of the demo accounts, after changes on their servers: cassettes/later.

That the objects are the same at both points is tools/record.py's to check; here, what an inventory makes of the two.
"""

import datetime
import json
import re
import shlex

import pytest

from flexlocal import cassettes
from flexlocal.__main__ import main
from flexlocal.families import families
from inventory import Inventory
from inventory.changes import ABSENT
from tools import expected

FILES = sorted((cassettes.ROOT / cassettes.LATER).rglob("*.*"))
CELLS = [(file.parent.name, file.stem) for file in FILES]
PROVIDERS = sorted({provider for _, provider in CELLS})
ONCE = {"aws": set(), "openstack": {"appliances", "circuits"}}  # the others were recorded once

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture(scope="module")
def resources():
    """What each second recording replays to."""
    return {cell: expected.replayed(*cell, later=True) for cell in CELLS}


@pytest.fixture(scope="module")
def diffs(tmp_path_factory):
    """What an inventory says that differs between the two recordings, by provider."""
    moments = [
        datetime.datetime(2026, 11, 21 + day, tzinfo=datetime.timezone.utc) for day in (0, 1)
    ]
    found = {}
    with Inventory(tmp_path_factory.mktemp("later") / "inventory.db", create=True) as inventory:
        for at, later in zip(moments, (False, True)):
            for family, provider in CELLS:
                golden = json.loads(expected.path(family, provider, later=later).read_text("utf-8"))
                inventory.store(
                    provider, family, {"all": golden},
                    provider=provider, started_at=at, ended_at=at, all_scopes=True,
                )  # fmt: skip
        for provider in PROVIDERS:
            found[provider] = inventory.diff(*moments, account=provider).differences
    return found


def test_each_belongs_to_a_first_one_and_all_families_of_a_provider_have_one():
    assert all(cassettes.path(*cell).exists() for cell in CELLS)
    assert list(ONCE) == PROVIDERS
    for provider, once in ONCE.items():
        served = {family for family, cells in families().items() if provider in cells}
        assert {family for family, of in CELLS if of == provider} == served - once


@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_golden_file(resources, cell):
    golden = expected.path(*cell, later=True).read_text(encoding="utf-8")
    assert expected.text(resources[cell]) == golden, "if that is right: make expected"


@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_it_was_recorded_after_the_first(resources, cell):
    moment = cassettes.recorded_at(cassettes.path(*cell, later=True))
    assert moment > datetime.datetime(2026, 11, 22, tzinfo=datetime.timezone.utc)
    seen = {each["base"]["last_seen_at"] for each in resources[cell]}
    assert seen == {moment.isoformat().replace("+00:00", "Z")}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_connections_join_up_across_families(resources, provider):
    all_ = [each for cell in CELLS if cell[1] == provider for each in resources[cell]]
    for family in ONCE[provider]:
        all_ += json.loads(expected.path(family, provider).read_text(encoding="utf-8"))
    keys = [(each["type"], each["id"]) for each in all_]
    assert len(keys) == len(set(keys))
    polled = {type_ for type_, _ in keys}
    for resource in all_:
        for type_, connected in resource["connections"].items():
            there = {(type_, each["id"]) for each in connected}
            assert type_ not in polled or there <= set(keys)


def named(differences, what):
    return sorted((each.entry.type, each.entry.name) for each in differences if each.what == what)


def changes(differences, name):
    """The fields of the one resource with this name that differ, with both values."""
    (found,) = [each for each in differences if each.entry.name == name]
    return {change.path: (change.before, change.after) for change in found.changes}


def moved(differences, name):
    (found,) = [each for each in differences if each.entry.name == name]
    return {each.type: (each.before, each.after) for each in found.moved}


# --- AWS: what tools/later_aws.py changes ---


def test_what_is_new_and_gone_in_aws(diffs):
    of_aws = diffs["aws"]
    assert named(of_aws, "added")[:3] == [
        ("appliance", "Zürich"),
        ("circuit", "Zürich - eu-west-1"),
        ("circuit", "line Oslo"),
    ]
    named_ = [each for each in named(of_aws, "added") if each[0] in ("network", "server")]
    assert named_ == [("network", "staging"), ("network", "staging-a"), ("server", "web-3")]
    gone = [name for kind, name in named(of_aws, "gone") if kind == "server"]
    assert gone == ["batch-old", "metal-1", "retired"]
    assert ("volume", "nicht-angehängt") in named(of_aws, "gone")
    assert ("volume", "archive") in named(of_aws, "added")


def test_what_was_created_anew_in_aws(diffs):
    assert named(diffs["aws"], "re-created") == [("appliance", "inspect"), ("server", "db-2")]
    (server,) = [each for each in diffs["aws"] if each.entry.name == "db-2"]
    assert server.severity == "high"
    assert server.before.id == "i-577f58788af9a67f1" != server.after.id


def test_what_changed_in_aws(diffs):
    of_aws = diffs["aws"]
    stopped = changes(of_aws, "web-2")
    assert stopped["/details/server/state"] == ("running", "stopped")
    resized = changes(of_aws, "app-3")
    assert resized["/details/server/instance_type"] == ("m6g.large", "m6g.xlarge")
    assert resized["/details/server/cpu_cores"] == (2, 4)
    assert changes(of_aws, "app-1")["/metadata/provider_metadata/stage"] == ("prod", "test")
    assert changes(of_aws, "検証用-2")["/base/name"] == ("検証用", "検証用-2")
    assert changes(of_aws, "public-c")["/base/name"] == ("public-b", "public-c")
    assert changes(of_aws, "Ashburn DC2")["/base/name"] == ("Ashburn DC", "Ashburn DC2")
    contract = "/metadata/provider_metadata/contract"
    assert changes(of_aws, "line Zürich") == {contract: (ABSENT, "2027")}
    before, after = (
        [each["ip_address"] for each in value]
        for value in changes(of_aws, "сервер-1")["/details/server/ip_addresses"]
    )
    assert (before, after) == (["10.11.2.4"], ["10.11.2.4", "127.1.148.75"])


def test_what_moved_in_aws(diffs):
    """A volume from one server to another, and a load balancer from one target to another."""
    of_aws = diffs["aws"]
    web, app = "i-b7f3ee7b503a88798", "i-e5f5cdd748f9863d9"
    (new,) = [each.entry.id for each in of_aws if each.entry.name == "web-3"]
    assert moved(of_aws, "data") == {"server": ((web,), (app,))}
    assert moved(of_aws, "shop") == {"server": ((web,), (new,))}


def test_nothing_else_differs_in_aws(diffs):
    """Ids, addresses and times that moto makes up are the same at both points."""
    assert [name for _, name in named(diffs["aws"], "changed")] == [
        *("shop", "Ashburn DC2", "line Zürich", "private-16", "transit-17"),
        *("private-b", "public-a", "public-c"),
        *("app-1", "app-2", "app-3", "café-serveur", "web-1", "web-2", "сервер-1", "検証用-2"),
        *("data", "quorum"),
    ]
    assert len(diffs["aws"]) == 39


# --- OpenStack: what tools/later_openstack.py changes ---


def test_what_is_new_gone_and_created_anew_in_openstack(diffs):
    of_openstack = diffs["openstack"]
    assert named(of_openstack, "added") == [
        *(("network", "demo-later"), ("server", "demo-later"), ("volume", "demo-archive"))
    ]
    assert named(of_openstack, "gone") == [
        *(("server", "under_score-vm-0010"), ("volume", "cache-é-vol-0016"))
    ]
    assert named(of_openstack, "re-created") == [("server", "ñandú-vm-0022")]


def test_what_changed_in_openstack(diffs):
    of_openstack = diffs["openstack"]
    stopped = changes(of_openstack, "データ基盤-vm-0004")
    assert stopped["/details/server/state"] == ("running", "stopped")
    label = changes(of_openstack, "cache-é-vm-0030")
    assert label == {"/metadata/provider_metadata/env": ("prod", "staging")}
    grown = changes(of_openstack, "データ基盤-vol-0018")
    assert grown == {"/details/volume/size_b": (19 * 1024**3, 25 * 1024**3)}
    for old, new in (("api.gw-net-0006", "api.gw-net-0007"), ("api.gw-vm-0020", "api.gw-vm-0021")):
        assert changes(of_openstack, new)["/base/name"] == (old, new)


def test_what_moved_in_openstack(diffs):
    """A floating IP, and a volume from one of its two servers to a third one, which is on one network more."""
    of_openstack = diffs["openstack"]
    twins = ("25e0bc8d-8afb-4b3d-9a6d-6dc1855f88b0", "f919d455-f875-425b-9de6-d7327c01a3c8")
    hidden, volume = "c9c851d5-3e60-4353-8738-2500af737bfa", "ff2c9043-93eb-4d00-91b1-ce2f43201dd3"
    ways = [
        [each["ip_address"] for each in value if each["description"] == "floating"]
        for name in ("web-vm-0000", "数据库-vm-0026")
        for value in changes(of_openstack, name)["/details/server/ip_addresses"]
    ]
    assert ways == [ways[0], [], [], ways[0]] and len(ways[0]) == 1
    assert moved(of_openstack, "demo-multiattach") == {"server": ((twins[0],), (hidden,))}
    assert moved(of_openstack, "demo-of-hidden-image") == {
        "network": ((), ("df115d10-7519-40b9-a7b8-7373e2c3c282",)),
        "volume": ((), (volume,)),
    }


def test_nothing_else_differs_in_openstack(diffs):
    assert [name for _, name in named(diffs["openstack"], "changed")] == [
        "api.gw-net-0007",
        *("api.gw-vm-0021", "cache-é-vm-0030", "demo-of-hidden-image", "demo-twin-1"),
        *("web-vm-0000", "データ基盤-vm-0004", "数据库-vm-0026"),
        *("demo-multiattach", "データ基盤-vol-0018"),
    ]
    assert len(diffs["openstack"]) == 16


# --- flexlocal ---


def test_a_demo_account_is_replayed_as_it_was_later(capsys):
    assert main(["run", "servers", "--account", "demo-aws", "--later", "--format", "csv"]) == 0
    names = [line.partition(",")[0] for line in capsys.readouterr().out.splitlines()]
    assert "web-3" in names
    assert "metal-1" not in names


def test_what_has_no_second_recording_is_polled_as_it_was(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("FLEXLOCAL_INVENTORY", str(tmp_path / "inventory.db"))
    command = ["poll", "--account", "demo-aws", "--account", "demo-tapi", "--family", "wan_links"]
    assert main(command) == 0
    assert main([*command, "--later"]) == 0
    second = capsys.readouterr().out.splitlines()[-3:]
    assert second[0].split()[:6] == "demo-aws wan_links complete 10 1 1".split()
    assert second[1].split()[:6] == "demo-tapi wan_links complete 9 0 0".split()


def test_the_commands_of_the_page_show_what_changed(monkeypatch, tmp_path, capsys):
    page = (cassettes.ROOT.parent / "docs" / "operate" / "polling.md").read_text(encoding="utf-8")
    section = page.partition("## The demo accounts")[2]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)[1]
    monkeypatch.setenv("FLEXLOCAL_INVENTORY", str(tmp_path / "inventory.db"))
    statuses = [main(shlex.split(line)[1:]) for line in block.splitlines()]
    assert statuses == [0, 0, 0, 1]
    assert "13 resources differ between" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command, problem",
    [
        (["run", "wan_links", "--account", "demo-tapi"], "get of wan_links of demo-tapi has no"),
        (["run", "servers", "--account", "demo-aws", "--live"], "--live and --later exclude"),
        (
            ["run", "servers", "--account", "demo-aws", "--handler", "get_status"],
            "get_status of servers of demo-aws has no second recording; get of demo-aws",
        ),
        (["poll", "--account", "demo-tapi"], "demo-tapi has no second recording"),
    ],
)
def test_what_can_not_be_replayed_later(monkeypatch, tmp_path, capsys, command, problem):
    monkeypatch.setenv("FLEXLOCAL_INVENTORY", str(tmp_path / "inventory.db"))
    assert main([*command, "--later"]) == 2
    out, err = capsys.readouterr()
    assert problem in err
    assert out == ""
    assert not (tmp_path / "inventory.db").exists()
