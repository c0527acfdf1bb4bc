"""What of a difference is critical: by the graphs of both times, and as flexlocal snapshot shows it."""

import json

import pytest

from inventory import Inventory
from tests.inventories import at, runner
from tests.test_topology_commands import store
from tests.topologies import example, graph_of, resource
from topology.severity import critical


def without(resources, gone, **connections):
    """The resources without these ids; ``connections``: id -> what it is connected to instead."""
    left = [each for each in resources if each["id"] not in gone.split()]
    for each in left:
        if each["id"] in connections:
            each["connections"] = resource("x", "x", connections[each["id"]])["connections"]
    return left


@pytest.mark.parametrize(
    "gone, connections, found",
    [
        ("v9", {}, {}),  # nobody named it
        ("v1", {}, {("volume", "v1", None): "server s1 is still connected to it"}),
        ("c1", {}, {}),
        (
            "",
            {"lb1": {"network": "n1"}},
            {
                ("appliance", "lb1", ("server", "s1")): "load_balancer lb1 has no server any more",
                ("appliance", "lb1", ("server", "s2")): "load_balancer lb1 has no server any more",
                ("server", "s1", ("appliance", "lb1")): "load_balancer lb1 has no server any more",
                ("server", "s2", ("appliance", "lb1")): "load_balancer lb1 has no server any more",
            },
        ),
        ("", {"lb1": {"network": "n1", "server": "s1"}}, {}),  # one is left
        ("s3", {"h1": {"server": "s1"}}, {}),  # with all that was connected to it
    ],
)
def test_what_is_critical(gone, connections, found):
    before, after = graph_of(example()), graph_of(without(example(), gone, **connections))
    reasons = {
        (key[1], key[2], other): text for (key, other), text in critical(before, after).items()
    }
    if gone == "c1":  # the router and the WAN link name it; both had no other circuit
        assert reasons["circuit", "c1", None] == "router r1 and 1 more are still connected to it"
        assert reasons["circuit", "w1", ("circuit", "c1")] == "wan_link w1 has no circuit any more"
    else:
        assert reasons == found
    assert critical(before, before) == critical(after, after) == {}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    file = tmp_path / "inventory.db"
    with Inventory(file, create=True) as inventory:
        store(inventory, 1, "shop", example())
        inventory.take_snapshot("before", at(2))
        inventory.open_window("CHG-1", None, {})
        left = without(example(), "v1 v9", lb1={"network": "n1"}, s2={"network": "n1"})
        store(inventory, 5, "shop", left)
        inventory.take_snapshot("after", at(6))
    return runner("snapshot", file, monkeypatch, capsys)


def test_a_diff_a_window_and_a_report_say_it(run):
    status, out, _ = run("diff", "before", "after", "--fail-on", "critical", "--format", "json")
    rows = json.loads(out)
    severe = {(each["id"], each.get("reason")) for each in rows if each["severity"] == "critical"}
    assert (status, severe) == (
        1,
        {
            ("v1", "server s1 is still connected to it"),
            ("lb1", "load_balancer lb1 has no server any more"),
        },
    )
    assert [each["severity"] for each in rows if each["id"] in ("v9", "s2")] == ["high"] * 3
    _, out, _ = run("diff", "before", "after")
    assert out.splitlines()[-1].endswith("; 2 critical, 3 high")
    _, out, _ = run("window", "show", "CHG-1", "--format", "json")
    assert {each["id"] for each in json.loads(out) if each["severity"] == "critical"} == {
        "v1",
        "lb1",
    }
    _, out, _ = run("report", "before", "after")
    assert "5 differences in 4 resources: 2 critical, 3 high." in out
    assert "| server s1 is still connected to it |" in out
    assert run("report", "before", "after")[1] == out
    assert run("diff", "after", "after", "--fail-on", "critical")[0] == 0
