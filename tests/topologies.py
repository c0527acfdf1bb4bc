"""What the tests of the topology share: the example of 17 resources, and resources as CMP's dicts."""

import datetime
import json

from inventory import Inventory
from tests.inventories import ROOT, UTC
from topology import documents, load

NOON = datetime.datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = datetime.timedelta(minutes=1)


def resource(type_name, id, connections=None, name=None, specific=None, **details):
    """As CMP's dict. ``connections``: type -> ids, with spaces."""
    return {
        "id": id,
        "type": type_name,
        "base": {"name": name or id, "last_seen_at": "2026-01-01T10:00:00Z", "regions": []},
        "details": {type_name: details},
        "connections": {
            kind: [{"id": each} for each in ids.split()]
            for kind, ids in (connections or {}).items()
        },
        "metadata": {"provider_metadata": {}, "provider_specific": specific or {}},
    }


def example():
    """17 resources of one account: three servers on two hosts, a load balancer, two networks, a router, a circuit."""
    server = {"is_virtual": True, "state": "running"}
    host = {"is_virtual": False, "state": "running"}
    return [
        resource("server", "s1", {"network": "n1", "volume": "v1", "appliance": "sg1"}, **server),
        resource("server", "s2", {"network": "n1", "volume": "v2", "appliance": "sg1"}, **server),
        resource("server", "s3", {"network": "n2", "volume": "v3"}, **server),
        resource("server", "h1", {"server": "s1 s3"}, **host),
        resource("server", "h2", {"server": "s2"}, **host),
        resource("network", "n1", {"appliance": "r1"}),
        resource("network", "n2", {"appliance": "r1"}),
        resource("appliance", "r1", {"network": "n1 n2", "circuit": "c1"}, type_id="router"),
        resource("appliance", "lb1", {"network": "n1", "server": "s1 s2"}, type_id="load_balancer"),
        resource("appliance", "sg1", type_id="firewall"),
        resource("circuit", "c1", type_id="mpls"),
        resource("circuit", "w1", {"network": "n1", "circuit": "c1"}, type_id="wan_link"),
        resource("service_offering", "m1", {"server": "s1"}, type_id="vca_model"),
        resource("volume", "v1"),
        resource("volume", "v2"),
        resource("volume", "v3"),
        resource("volume", "v9"),
    ]


def graph_of(found, account="shop", facts=()):
    """``found``: resources, or resources by account."""
    accounts = found if isinstance(found, dict) else {account: found}
    return load([each for name in accounts for each in documents(name, accounts[name])], facts)


def numbers(graph, *ids):
    return [graph.find(each) for each in ids]


def store_demo(file):
    """The demo accounts as their golden files have them (tests/test_grid.py compares those with the replays): resources
    of 11:59, and statuses. At 12:10 the load balancer of demo-openstack has lost the servers of its own cloud."""
    times = {"started_at": NOON - 2 * MINUTE, "ended_at": NOON - MINUTE, "all_scopes": True}
    with Inventory(file, create=True) as inventory:
        for golden in sorted((ROOT / "tests" / "expected").glob("*/*.json")):
            provider, _, handler = golden.stem.partition(".")
            given = {"provider": provider}
            account, family = f"demo-{provider}", golden.parent.name
            content = json.loads(golden.read_text(encoding="utf-8"))
            if handler == "get_status":
                inventory.store_points(account, family, handler, content["status"], **given)
            if handler:
                continue
            inventory.store(account, family, {"demo": content}, **given, **times)
            if (provider, family) == ("openstack", "appliances"):
                pool = next(each for each in content if each["connections"].get("server"))
                pool["connections"]["server"] = []
                later = {**times, "started_at": NOON + 9 * MINUTE, "ended_at": NOON + 10 * MINUTE}
                inventory.store(account, family, {"demo": content}, **given, **later)
