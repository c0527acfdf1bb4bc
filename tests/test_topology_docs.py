"""The commands of docs/operate/topology.md, and the usage stories that it tells, on the demo accounts."""

import json
import re
import shlex

import pytest
import yaml

from flexlocal import inventories
from flexlocal.__main__ import main
from tests.inventories import ROOT, store_example
from tests.topologies import store_demo
from topology import links, stitching
from topology.cliques import load_types

PAGE = (ROOT / "docs" / "operate" / "topology.md").read_text(encoding="utf-8")
CHANGE = "2026-11-22T12:05"  # before it
POOL = "demo-балансир"
MACHINE = "inventory/monitoring:machine:0"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    found = tmp_path_factory.mktemp("topology") / "demo.db"
    store_demo(found)
    return found


@pytest.fixture
def run(file, monkeypatch, capsys):
    monkeypatch.setenv(inventories.VARIABLE, str(file))

    def call(*arguments):
        status = main([*arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return call


@pytest.fixture
def ask(run):
    """The rows of ``flexlocal topology``."""

    def call(*arguments, status=0):
        found, out, err = run("topology", *arguments, "--format", "json")
        assert (found, err) == (status, "")
        return json.loads(out)

    return call


def test_the_commands_run(run):
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines() if line.strip()]
    assert len(commands) > 25
    for command in commands:
        _, *arguments = shlex.split(command)
        status, out, _ = run(*arguments)
        statuses = {"now": {1}, "clique": {0, 1}}.get(arguments[1], {0})
        assert status in statuses, command
        assert out, command


def test_what_the_page_says_of_the_code():
    for name in (
        stitching.INSTANCE,
        stitching.MAC,
        stitching.REFERENCE,
        stitching.ADDRESS,
        stitching.MEMBER,
        stitching.ENDPOINT,
    ):
        assert f"`{name}`" in PAGE
    assert links.TYPES["server", "host"].mode == links.HARD
    assert links.TYPES["load_balancer", "server"].mode == links.REDUNDANT
    assert links.TYPES["server", "firewall"].mode == links.SOFT


def test_the_file_of_clique_types_can_be_read(tmp_path):
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert yaml.safe_load(block)["cliques"][0]["account"] == "shop-prod"
    file = tmp_path / "cliques.yaml"
    file.write_text(block)
    assert load_types(file)[-1].max_nodes == 500


def test_the_example_for_developers_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    store_example("inventory.db")
    page = (ROOT / "docs" / "develop" / "topology.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(block, {})  # noqa: S102 - of a page in this repository
    assert "dangling ('shop', 'server', 'i-0123456789abcdef9') subnet-2" in capsys.readouterr().out


# --- usage stories, by their numbers in OPNFV Calipso ---


def test_r5_a_name_is_found_with_who_uses_it(run, ask):
    _, out, _ = run("inventory", "search", "tyo1-rt01", "--format", "json")
    (found,) = [each for each in json.loads(out) if each["type"] == "appliance"]
    assert (found["id"], found["account"]) == ("1", "demo-netbox")
    owners = {each["owner"] for each in ask("impact", "vpc-ba2cb5ffadeae7f07", "--owner", "stage")}
    assert "prod" in owners


def test_r6_what_a_planned_change_does_to_a_customer(ask):
    rows = ask("impact", "vpc-ba2cb5ffadeae7f07", "--owner", "stage")
    (prod,) = [each for each in rows if each["owner"] == "prod"]
    assert prod["down"]
    assert prod["sentence"].startswith("During this maintenance, ")
    assert {each["account"] for each in prod["down"]} == {"demo-aws"}
    reasons = {each["name"]: each["reason"] for each in ask("impact", "vpc-ba2cb5ffadeae7f07")}
    assert all(
        "shop us-east-1, which is down" in reasons[each["name"]]
        for each in prod["down"]
        if each["kind"] == "server"
    )


def test_r7_a_clique_before_and_after_a_change(ask):
    before = ask("clique", POOL, "--as-of", CHANGE, status=1)
    after = ask("clique", POOL, status=1)
    gone = {each["name"] for each in before["nodes"]} - {each["name"] for each in after["nodes"]}
    assert gone == {"demo-twin-0", "demo-twin-1"}
    assert ask("clique", POOL, "--as-of", CHANGE, status=1) == before  # again the same


def test_r8_what_is_in_error_and_why(ask):
    rows = ask("now", status=1)
    causes = {(each["account"], each["name"]) for each in rows if each["cause"]}
    assert ("demo-juju", "prometheus/1") in causes
    follows = {(each["account"], each["name"]): each for each in rows if not each["cause"]}
    unit = follows["demo-osm", "dns-z0-vnf2/0"]
    assert unit["reason"] == "it is the same as vca dns-z0-vnf2/0 of demo-juju"
    assert follows["demo-juju", "dns-z0-vnf2"]["state"] == "down"


def test_r9_what_is_related_to_an_object_in_error(ask):
    """The server and the rest of the chain, though OSM, Juju and the cloud are accounts of their own."""
    unit = "vnf-manager/58021f00-700a-58f1-b8ca-787eaacd5184:unit:dns-z0-vnf2/0"
    found = ask("clique", unit, "--account", "demo-osm", status=1)
    assert {(each["account"], each["kind"], each["name"]) for each in found["nodes"]} >= {
        ("demo-juju", "vca", "dns-z0-vnf2/0"),
        ("demo-juju", "vca", "dns-z0-vnf2"),
        ("demo-juju", "server", "juju-ab12cd-2"),
    }


def test_r10_how_something_was_connected_and_is(ask):
    before = ask("path", POOL, "demo-twin-1", "--as-of", CHANGE)
    assert [each["name"] for each in before] == [POOL, "demo-twin-1"]
    after = ask("path", POOL, "demo-twin-1")
    assert [each["name"] for each in after] == [POOL, "demo-twin", "demo-twin-1"]


def test_r8_all_objects_of_a_customer(run, ask):
    """Each with what it runs on and is connected to."""
    _, out, _ = run("inventory", "search", "stage=prod", "--type", "server", "--format", "json")
    ids = [each["id"] for each in json.loads(out)]
    assert len(ids) > 3
    for id in ids:
        _, out, _ = run("topology", "clique", id, "--format", "json")
        kinds = {each["kind"] for each in json.loads(out)["nodes"]}
        assert "network" in kinds
        assert kinds & {"server", "host"}


def test_r11_from_a_message_to_the_object_and_back(run, ask):
    found = ask("now", "--filter", "status=*impaired*", status=1)
    (server,) = [each for each in found if each["name"] == "web-1"]
    _, out, _ = run(
        "inventory", "status", server["id"], "--since", "2020-01-01", "--format", "json"
    )
    assert [(each["level"], each["message"]) for each in json.loads(out)] == [
        ("error", server["status"])
    ]


def test_r12_a_ticket_is_closed_when_all_is_healthy(ask):
    assert ask("clique", "web-1", status=1)["health"]["down"] == 1
    healthy = ask("clique", "metal-1")["health"]
    assert healthy["down"] == healthy["degraded"] == 0


def test_r13_which_ports_carry_which_services(ask):
    found = ask("path", "muc-fw01", "db01.fra1")
    assert [each["kind"] for each in found] == ["firewall", "wan_link", "server"]
    carried = {each["kind"] for each in ask("clique", "EVPN-core")["nodes"]}
    assert carried == {"wan_link", "network"}


def test_redundancy_is_lost_across_clouds(ask):
    """The last server of the load balancer is in another account, known by its address."""
    (found,) = ask("redundancy", "--since", CHANGE)
    assert (found["name"], found["left_id"], found["lost"]) == (
        POOL,
        MACHINE,
        ["demo-twin-1", "demo-twin-0"],
    )
    (pool,) = [each for each in ask("impact", MACHINE) if each["name"] == POOL]
    assert (pool["state"], pool["reason"]) == ("down", "its only server, juju-ab12cd-0, is down")
    (pool,) = [each for each in ask("impact", MACHINE, "--as-of", CHANGE) if each["name"] == POOL]
    assert (pool["state"], pool["reason"]) == (
        "degraded",
        "another path exists: server juju-ab12cd-0 is down, 2 of 3 up",
    )


def test_kinds_of_all_demo_accounts_are_told_apart(ask, file):
    from inventory import Inventory
    from topology import reading

    with Inventory(file) as inventory:
        graph = reading.read(inventory)
    kinds = {}
    for node in graph.nodes:
        kinds.setdefault(node.kind, set()).add(node.provider)
    assert kinds["host"] == {"aws", "netbox"}
    assert kinds["router"] == {"aws", "netbox", "openstack"}
    assert kinds["wan_link"] == {"aws", "ietf_l2vpn", "netbox", "osm", "tapi"}
    assert kinds["vca"] == {"juju", "osm"}
    assert kinds["firewall"] == {"aws", "netbox", "openstack"}
    evidence = {
        (each.link_type.name, each.evidence.what) for each in graph.edges() if each.evidence
    }
    assert evidence == {("load_balancer-server", "member"), ("same", "id"), ("vca-server", "id")}
    found = {(each.problem, each.source[0]) for each in graph.problems}
    assert found == {
        ("ambiguous", "demo-ietf_l2vpn"),  # two services of TAPI end at the same ports
        (
            "ambiguous",
            "demo-openstack",
        ),  # the far end of a VPN is one address in three regions of AWS
        ("dangling", "demo-juju"),  # its cloud is not polled
        ("dangling", "demo-osm"),
    }
