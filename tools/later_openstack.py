"""The OpenStack demo account later: what was done to it after the first cassettes had been recorded.

``python -m tools.later_openstack PLAN.json`` polls a cloud that was filled as for the first cassettes, and writes what
tools/rename_in_lab.py then exchanges in its databases: ids, addresses and times, so that both recordings are of the
same objects. ``change`` does to them what an operator does, through the API.

Servers, volumes and networks alone: appliances and circuits need services that the lab has not (Manila, FWaaS, VPNaaS,
BGP VPN, L2 gateway).
"""

import contextlib
import hashlib
import importlib
import io
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from flexlocal import accounts, cassettes
from flexlocal.context import Context
from tools.same_ids import TIME, Names

FAMILIES = ("networks", "servers", "volumes")
HOSTS = ("cmp1", "cmp2", "cmp3")
ANEW, ROUTED = "ñandú-vm-0022", "cache-é-net-0002"
HOST_ID = "[0-9a-f]{56}"


def main() -> None:
    if sys.argv[1] == "refresh":
        return _refresh()
    _without_route()
    account = accounts.load()["demo-openstack"]
    names = Names(ignored=f"{TIME}|{HOST_ID}")
    with tempfile.TemporaryDirectory() as folder:
        pairs = []
        for family in FAMILIES:
            file = Path(folder) / family / "openstack.yaml"
            get = importlib.import_module(f"modules.{family}.main").get
            with cassettes.record(file, account.credentials), contextlib.redirect_stdout(io.StringIO()):  # fmt: skip
                get(account.event(), Context(dict(cassettes.CONFIG)))
            pairs.append((file, cassettes.path(family, "openstack")))
        names.learn(pairs)
    texts = {new: first for new, first in names.known.items() if isinstance(new, str)}
    plan = {"texts": texts, "statements": _statements()}
    Path(sys.argv[1]).write_text(json.dumps(plan, indent=1), encoding="utf-8")
    print(f"{len(texts)} texts and {len(plan['statements'])} rows: restart the services afterwards")
    return None


def _refresh() -> None:
    """Have Nova ask Neutron again for the addresses of its servers: their order follows ids, which were exchanged."""
    import openstack

    servers = openstack.connect(cloud="admin", project_name="alpha").compute.servers()
    events = [{"name": "network-changed", "server_uuid": each.id} for each in servers]
    nova = openstack.connect(cloud="admin").compute
    nova.post("/os-server-external-events", json={"events": events})


def _without_route() -> None:
    """tools/demo_openstack.py adds a static route, which it did not yet when these families were recorded first."""
    import openstack

    alpha = openstack.connect(cloud="admin", project_name="alpha")
    for router in alpha.network.routers(project_id=alpha.current_project_id):
        if router.routes:
            alpha.network.update_router(router, routes=[])


def _statements() -> list[tuple[str, str, list[Any]]]:
    """What one text for another can't do: times, which many objects share, and hosts. Database, SQL and values."""
    found: list[tuple[str, str, list[Any]]] = []
    for server in _first("servers", "/servers/detail", "servers"):
        times = [_plain(server[key]) for key in ("created", "updated", "OS-SRV-USG:launched_at")]
        sql = "UPDATE instances SET created_at=%s, updated_at=%s, launched_at=%s WHERE uuid=%s"
        found.append(("nova_cell1", sql, [*times, server["id"]]))
        for host in HOSTS:
            digest = hashlib.sha224(f"{server['tenant_id']}{host}".encode()).hexdigest()
            if server["hostId"] == digest:
                sql = "UPDATE instances SET host=%s, node=%s, launched_on=%s WHERE uuid=%s"
                found.append(("nova_cell1", sql, [host, host, host, server["id"]]))
    for volume in _first("volumes", "/volumes/detail", "volumes"):
        sql = "UPDATE volumes SET created_at=%s, updated_at=%s WHERE id=%s"
        times = [_plain(volume[key]) for key in ("created_at", "updated_at")]
        found.append(("cinder", sql, [*times, volume["id"]]))
        for each in volume["attachments"]:
            sql = "UPDATE volume_attachment SET attach_time=%s WHERE id=%s"
            found.append(("cinder", sql, [_plain(each["attached_at"]), each["attachment_id"]]))
    for network in _first("networks", "/networks", "networks"):
        sql = (
            "UPDATE standardattributes SET created_at=%s, updated_at=%s WHERE id="
            "(SELECT standard_attr_id FROM networks WHERE id=%s)"
        )
        times = [_plain(network[key]) for key in ("created_at", "updated_at")]
        found.append(("neutron", sql, [*times, network["id"]]))
    return found


def _first(family: str, path: str, key: str) -> list[dict[str, Any]]:
    """The records of a listing in the first cassette."""
    text = cassettes.path(family, "openstack").read_text(encoding="utf-8")
    recorded = yaml.safe_load(text)["interactions"]
    return [
        record
        for each in recorded
        if each["request"]["uri"].partition("?")[0].endswith(path)
        for record in json.loads(each["response"]["body"]["string"])[key]
    ]


def _plain(moment: Any) -> Any:
    return moment and moment[:19].replace("T", " ")


# --- later ------------------------------------------------------------------------------------------


def change() -> None:
    """As cloud "admin" of clouds.yaml, in project "alpha"."""
    import openstack

    from tools import demo_openstack as demo

    alpha = openstack.connect(cloud="admin", project_name="alpha")
    alpha.compute.default_microversion = "2.90"
    _networks(alpha, demo)
    _volumes(alpha, demo)
    _servers(alpha, demo)


def _server(alpha: Any, demo: Any, name: str) -> Any:
    return demo.by_name(alpha.compute.servers(), name)


def _networks(alpha: Any, demo: Any) -> None:
    """One is new, one is renamed, and a floating IP goes from a server to another."""
    net, project = alpha.network, alpha.current_project_id
    new = net.create_network(name="demo-later")
    net.create_subnet(network_id=new.id, name="demo-later", ip_version=4, cidr="10.251.0.0/24")
    renamed = demo.by_name(net.networks(project_id=project), "api.gw-net-0006")
    net.update_network(renamed, name="api.gw-net-0007", description="renamed")
    old = _server(alpha, demo, "web-vm-0000")
    port = demo.first(list(net.ports(project_id=project)), device_id=old.id)
    floating = list(net.ips(project_id=project))
    (moved,) = [each for each in floating if each.port_id == port.id]
    routed = demo.by_name(net.networks(project_id=project), ROUTED)
    taken = {each.port_id for each in floating}
    free = [
        each.id
        for each in net.ports(network_id=routed.id)
        if each.device_owner.startswith("compute:") and each.id not in taken
    ]
    net.update_ip(moved, port_id=min(free))


def _volumes(alpha: Any, demo: Any) -> None:
    """One is new, one gone, one larger, one in another place."""
    cinder = alpha.block_storage
    demo.volume(alpha, "demo-archive", "standard")
    cinder.delete_volume(demo.by_name(cinder.volumes(), "cache-é-vol-0016"))
    grown = demo.by_name(cinder.volumes(), "データ基盤-vol-0018")
    cinder.extend_volume(grown, 25)
    demo.until(lambda: cinder.get_volume(grown.id), ("available",), lambda found: found.size == 25)
    moved = cinder.get_volume(demo.by_name(cinder.volumes(), "demo-multiattach").id)
    alpha.compute.delete_volume_attachment(_server(alpha, demo, "demo-twin-1"), moved)
    demo.until(
        lambda: cinder.get_volume(moved.id), ("in-use",), lambda found: len(found.attachments) == 1
    )
    target = _server(alpha, demo, "demo-of-hidden-image")
    demo.attach(alpha, cinder.get_volume(moved.id), [target])


def _servers(alpha: Any, demo: Any) -> None:
    """One is stopped, one renamed, one gone, one created anew, one new, one has a network more."""
    nova = alpha.compute
    nova.stop_server(_server(alpha, demo, "データ基盤-vm-0004"))
    nova.update_server(_server(alpha, demo, "api.gw-vm-0020"), name="api.gw-vm-0021")
    nova.set_server_metadata(_server(alpha, demo, "cache-é-vm-0030"), env="staging")
    gone = {"under_score-vm-0010", ANEW}
    for name in gone:
        nova.delete_server(_server(alpha, demo, name))
    while gone & {each.name for each in nova.servers()}:
        time.sleep(0.2)
    project = alpha.current_project_id
    routed = demo.by_name(alpha.network.networks(project_id=project), ROUTED)
    image = demo.by_name(alpha.image.images(), "demo-plain")
    _, second = demo.twins(alpha)
    demo.server(alpha, ANEW, image.id, [routed])
    demo.server(alpha, "demo-later", image.id, [second])
    nova.create_server_interface(_server(alpha, demo, "demo-of-hidden-image"), net_id=second.id)
    demo.until(lambda: _server(alpha, demo, "データ基盤-vm-0004"), ("SHUTOFF",))


if __name__ == "__main__":
    main()
