"""flexlocal topology: what the commands print, their exit statuses, and pictures whose names can do no harm."""

import csv
import io
import json
import xml.dom.minidom

import pytest

from flexlocal import inventories
from flexlocal.__main__ import main
from inventory import Inventory
from tests.inventories import at, runner
from tests.topologies import example, resource
from topology import drawing
from topology.model import Node

HOSTILE = '"]; click n0 "javascript:alert(1)" <script>%%{init}%%\x1b[31m\u202e`#'
FAMILIES = {
    "server": "servers",
    "network": "networks",
    "appliance": "appliances",
    "circuit": "circuits",
}


def store(inventory, minute, account, found):
    """By family; what is not named is gone."""
    by_family = {}
    for each in found:
        by_family.setdefault(FAMILIES.get(each["type"], "others"), []).append(each)
    for family, resources in by_family.items():
        times = {"started_at": at(minute - 1), "ended_at": at(minute)}
        inventory.store(
            account, family, {"eu": resources}, provider="acme", all_scopes=True, **times
        )


def status(id, type_name, level, message="x"):
    time = at(3).isoformat().replace("+00:00", "Z")
    return {
        "resource_id": id,
        "resource_type": type_name,
        "time": time,
        "level": level,
        "message": message,
    }


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The example, with customers; then s2 leaves the load balancer. A second account has a name that is an attack."""
    found = tmp_path_factory.mktemp("topology") / "inventory.db"
    resources = example()
    for each in resources:
        if each["id"] in ("s1", "lb1"):
            each["metadata"]["provider_metadata"]["customer"] = "blue"
        if each["id"] == "s3":
            each["metadata"]["provider_specific"] = {"rack": 7, "shelves": [1]}
    with Inventory(found, create=True) as inventory:
        store(inventory, 1, "shop", resources)
        for each in resources:
            if each["id"] == "lb1":
                each["connections"]["server"] = [{"id": "s1"}]
        store(inventory, 5, "shop", resources)
        odd = [resource("server", "x1", {"network": "gone x2"}, HOSTILE), resource("network", "x2")]
        pool = resource("appliance", "pool", {"server": "p1 p2"}, type_id="load_balancer")
        odd += [resource("server", "p1"), resource("server", "p2"), pool]
        store(inventory, 2, "lab", odd)
        pool["connections"]["server"] = [{"id": "p1"}]
        store(inventory, 6, "lab", odd)
        points = [
            status("h1", "server", "error", "no power"),
            status("s1", "server", "error"),
            status("s3", "server", "error"),
        ]
        inventory.store_points("shop", "servers", "get_status", points, provider="acme")
        inventory.take_snapshot("before the change", at(4))
    return found


@pytest.fixture
def run(file, monkeypatch, capsys):
    return runner("topology", file, monkeypatch, capsys)


def rows(run, *arguments, status=0):
    found, out, err = run(*arguments, "--format", "json")
    assert (found, err) == (status, "")
    return json.loads(out)


# --- what they answer ---


def test_impact(run):
    found = rows(run, "impact", "h1")
    assert [(each["id"], each["state"], each["distance"], each["via"]) for each in found] == [
        ("s1", "down", 1, "h1"),
        ("s3", "down", 1, "h1"),
        ("lb1", "down", 2, "s1"),
        ("m1", "degraded", 2, "s1"),
    ]
    assert found[0]["reason"] == "it can't do without host h1, which is down"
    assert found[2]["reason"] == "its only server, s1, is down"
    then = rows(run, "impact", "h1", "--as-of", "2026-01-01T10:01")
    assert (then[2]["state"], then[2]["reason"]) == (
        "degraded",
        "another path exists: server s1 is down, 1 of 2 up",
    )
    assert rows(run, "impact", "h1", "--as-of", "before the change") == then
    assert [
        each["id"] for each in rows(run, "impact", "r1", "--kind", "server", "--state", "degraded")
    ] == ["s1", "s2", "s3"]
    assert {each["distance"] for each in rows(run, "impact", "c1", "--max-distance", "2")} == {1, 2}


def test_a_table_ends_with_what_was_asked(run):
    status, out, err = run("impact", "h1")
    assert (status, err) == (0, "")
    assert out.splitlines()[0].startswith("STATE     KIND")
    assert out.splitlines()[-1] == "host h1: down; 3 down, 1 only weakened"
    status, out, _ = run("impact", "v9")
    assert (status, out) == (0, "volume v9: down; 0 down, 0 only weakened\n")


def test_what_customers_lose(run, tmp_path):
    file = tmp_path / "maintenance.txt"
    file.write_text("# tonight\nh1  # rack 4\n\nh2\nh1\n")
    (found,) = rows(run, "impact", "--list", str(file), "--owner", "customer")
    assert found["owner"] == "blue"
    assert (
        found["sentence"]
        == "During this maintenance, load balancer lb1 and server s1 will not be available."
    )
    _, out, _ = run("impact", "--list", str(file), "--owner", "customer")
    assert out.splitlines() == [
        "blue: " + found["sentence"],
        "host h1, host h2: down; 1 customer",
    ]
    status, _, err = run("impact", "h1", "--owner", "colour")
    assert status == 2
    assert "no resource has a tag, or another key of its metadata, 'colour'" in err
    (found,) = rows(run, "impact", "h1", "--owner", "rack")
    assert (found["owner"], [each["id"] for each in found["down"]]) == ("7", ["s3"])
    for lists, message in (
        (["--list", str(tmp_path / "none")], "No such file"),
        ([], "name a resource, or a file with --list"),
    ):
        status, _, err = run("impact", *lists)
        assert (status, message in err) == (2, True)


def test_path(run):
    found = rows(run, "path", "s1", "c1")
    assert [(each["step"], each["id"], each.get("link_type")) for each in found] == [
        (0, "s1", None),
        (1, "n1", "server-network"),
        (2, "r1", "network-router"),
        (3, "c1", "router-circuit"),
    ]
    status, out, err = run("path", "s1", "v9")
    assert (status, out) == (1, "")
    assert err.startswith("server s1 to volume v9: no path")


def test_clique(run, tmp_path):
    found = rows(run, "clique", "s1", status=1)
    assert [each["id"] for each in found["nodes"]] == [
        "s1",
        "h1",
        "v1",
        "n1",
        "sg1",
        "lb1",
        "r1",
        "w1",
        "c1",
        "m1",
    ]
    assert found["health"] == {"up": 0, "degraded": 0, "down": 2, "unknown": 8}
    assert len(found["links"]) == 10
    assert found["links"][0]["link_type"] == "server-host"
    assert [each["id"] for each in found["networks"]] == ["n1"]
    assert rows(run, "clique", "lb1", "--as-of", "2026-01-01T10:02")["health"]["unknown"] == 7
    file = tmp_path / "cliques.yaml"
    file.write_text("version: 1\ncliques: [{focal: server, link_types: [server-volume]}]")
    assert [
        each["id"] for each in rows(run, "clique", "s1", "--cliques", str(file), status=1)["nodes"]
    ] == ["s1", "v1"]
    file.write_text("version: 1\ncliques: [{focal: server, link_types: [server-moon]}]")
    status, _, err = run("clique", "s1", "--cliques", str(file))
    assert (status, "unknown link type, 'server-moon'" in err) == (2, True)


def test_spof(run):
    found = rows(run, "spof", "--kind", "host")
    assert [(each["id"], each["down"], each["degraded"]) for each in found] == [
        ("h1", 3, 1),
        ("h2", 1, 0),
    ]
    status, out, err = run("spof", "--seconds", "0")
    assert status == 0
    assert "0 of 11 candidates tried" in out
    assert err.startswith("The time of 0 s was over")


def test_redundancy(run):
    assert rows(run, "redundancy") == []
    (found,) = rows(run, "redundancy", "--since", "2026-01-01T10:02", "--account", "lab")
    assert (found["id"], found["left"], found["lost"]) == ("pool", "p1", ["p2"])
    every = rows(run, "redundancy", "--all", "--account", "lab")
    assert [(each["id"], each["left"], each["lost"]) for each in every] == [
        ("pool", "p1", []),
        ("x1", "x2", []),
    ]


def test_now(run):
    found = rows(run, "now", status=1)
    assert [(each["id"], each["state"], each["cause"]) for each in found] == [
        ("h1", "down", True),
        ("lb1", "down", False),
        ("s1", "down", False),
        ("s3", "down", False),
        ("m1", "degraded", False),
    ]
    assert found[0]["status"] == "no power"
    assert found[0]["since"] == "2026-01-01T10:03:00Z"
    status, out, _ = run("now", "--as-of", "2026-01-01T10:02")
    assert (status, out.startswith("0 down, 0 weakened by 0 causes")) == (0, True)


def test_problems(run):
    (found,) = rows(run, "problems")
    assert (found["problem"], found["id"], found["names_id"]) == ("dangling", "x1", "gone")
    assert rows(run, "problems", "--problem", "self") == []
    assert rows(run, "problems", "--account", "shop") == []
    assert rows(run, "links") == []


def test_a_resource_that_is_not_there(run):
    status, out, err = run("impact", "web-9")
    assert (status, out) == (2, "")
    assert (
        err
        == "flexlocal: no resource has the id or the name 'web-9': search for it: flexlocal inventory search\n"
    )


def test_a_scope_that_failed_counts_as_up(file, tmp_path, monkeypatch, capsys):
    with Inventory(file) as inventory:
        inventory.backup(tmp_path / "copy.db")
    with Inventory(tmp_path / "copy.db") as inventory:
        times = {"started_at": at(8), "ended_at": at(9)}
        inventory.store_failure("shop", "servers", "no answer", provider="acme", **times)
    monkeypatch.setenv(inventories.VARIABLE, str(tmp_path / "copy.db"))
    assert main(["topology", "impact", "h1"]) == 0
    assert (
        capsys.readouterr().err
        == "shop servers eu failed since 2026-01-01 10:09 (no answer): what is in it counts as up\n"
    )


# --- pictures ---


@pytest.mark.parametrize(
    "arguments",
    [
        ["impact", "h1"],
        ["path", "s1", "c1"],
        ["clique", "s1"],
        ["spof"],
        ["redundancy", "--all"],
        ["now"],
        ["links"],
        ["clique", "x1"],
        ["impact", "x2"],
    ],
)
def test_pictures(run, arguments):
    _, svg, _ = run(*arguments, "--format", "svg")
    found = xml.dom.minidom.parseString(svg)  # noqa: S318 - our own
    assert found.documentElement.tagName == "svg"
    assert not found.getElementsByTagName("script")
    _, text, _ = run(*arguments, "--format", "mermaid")
    assert text.startswith("flowchart LR\n")
    boxes = found.getElementsByTagName("rect")[1:]  # after the paper
    assert len(boxes) == text.count('["')
    for line in text.splitlines()[2:]:
        assert line.count('"') in (0, 2), line
        assert not set("<`{\x1b\u202e") & set(line), line
    assert "javascript:" not in text


def test_a_picture_says_states_and_links(run):
    _, text, _ = run("impact", "h1", "--format", "mermaid")
    assert '  n0["host h1 #40;down#41;"]:::down' in text
    assert '-->|"server-host"| n0' in text
    _, svg, _ = run("impact", "h1", "--format", "svg")
    assert ">host, down</text>" in svg


def test_a_picture_has_limits(run, monkeypatch):
    monkeypatch.setattr("topology.drawing.MOST", 3)
    status, out, err = run("impact", "c1", "--format", "svg")
    assert (status, out) == (2, "")
    assert "too many for a picture" in err
    status, _, err = run("problems", "--format", "svg")
    assert (status, "there is no picture of this" in err) == (2, True)
    status, _, err = run("now", "--format", "svg", "--sort", "name")
    assert (status, "has no columns" in err) == (2, True)


def test_a_long_name_is_cut_before_it_is_measured(monkeypatch):
    measured = []
    cells = drawing._cells
    monkeypatch.setattr(drawing, "_cells", lambda text: measured.append(text) or cells(text))
    node = Node("a", "server", "s1", "server", "x" * 10_000, None, "acme", "servers", "eu", None)
    picture = drawing.svg(drawing.Drawing("servers", [[node]], [], {node.key: 0}))
    assert f">{'x' * (drawing.LETTERS - 1)}…<" in picture
    assert max(map(len, measured)) <= drawing.LETTERS + 1


def test_no_name_controls_the_terminal_or_a_spreadsheet(run):
    _, out, _ = run("problems")
    assert "\x1b" not in out and "\u202e" not in out
    _, out, _ = run("problems", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(out))
    assert row["name"].startswith('"];')
