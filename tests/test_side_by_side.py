"""OpenStack, NetBox and OSM: the calls of a scope that need nothing of one another are made side by side.

Nothing here waits for time: the simulator answers none of such calls until all of them are in flight, and then in an
order that the test chooses. tests/test_aws_side_by_side.py does the same for AWS.
"""

import importlib
import re
import threading
import types

import pytest

from flexlocal.__main__ import families
from shared.engine import poll as engine
from shared.engine.contracts import Dropped
from shared.engine.errors import UnexpectedResponse
from shared.engine.resources import serialized
from shared.engine.workers import AT_ONCE
from shared.providers import netbox, openstack, osm
from tests.fakes import netbox as netbox_fakes
from tests.fakes import openmano
from tests.fakes import openstack as openstack_fakes
from tests.fakes import osm as osm_fakes
from tests.fakes.context import Context
from tests.fakes.poll import a_poll
from tests.test_workers import Crowd

PROVIDERS = {"netbox": netbox.PROVIDER, "openstack": openstack.PROVIDER, "osm": osm.PROVIDER}
SERVICES = ("north", "south")
RO_INSTANCES = tuple(f"/instances/{osm_fakes.identifier('instance', name)}" for name in SERVICES)
# Of each cell: the calls that are in flight together, in the order in which they are made without spare threads.
TOGETHER = {
    ("servers", "openstack"): (
        ("/ports", "/networks", "/floatingips", "/volumes/detail", "/images", "/servers/detail"),
    ),
    ("networks", "openstack"): (("/subnets", "/routers", "/ports", "/networks"),),
    ("volumes", "openstack"): (("/qos-specs", "/types", "/volumes/detail"),),
    ("appliances", "openstack"): (
        ("/extensions", "/networks", "/ports"),
        ("/routers", "/firewall_groups", "/loadbalancers", "/shares/detail"),
        ("/listeners", "/pools"),
    ),
    ("circuits", "openstack"): (
        ("/networks", "/routers"),
        ("/ipsec-site-connections", "/bgpvpns", "/l2-gateway-connections"),
        ("/vpnservices", "/endpoint-groups", "/subnets"),
    ),
    ("servers", "netbox"): (("/sites", "/virtual-disks", "/devices", "/virtual-machines"),),
    ("networks", "netbox"): (("/sites", "/locations", "/vlans", "/prefixes"),),
    ("volumes", "netbox"): (),  # one listing
    ("appliances", "netbox"): (("/sites", "/devices"),),
    ("circuits", "netbox"): (
        ("/circuits", "/virtual-circuits"),
        ("/circuit-terminations", "/virtual-circuit-terminations"),
        ("/provider-networks", "/devices", "/locations", "/sites"),
    ),
    ("wan_links", "netbox"): (
        ("/tunnels", "/l2vpns"),
        ("/tunnel-terminations", "/l2vpn-terminations"),
        ("/devices", "/virtual-machines", "/vlans", "/sites"),
    ),
    ("vca_status", "osm"): (("/vim_accounts", "/ns_instances"),),
    ("wan_links", "osm"): (
        ("/wim_accounts", "/vim_accounts", "/ns_instances"),
        ("/datacenters", "/any/wims"),
        tuple(f"/wims/{osm_fakes.identifier('ro-wim', name)}" for name in SERVICES),
        RO_INSTANCES,
    ),
}
CASES = [
    pytest.param(cell, calls, id=f"{'/'.join(cell)} {calls[0][1:]}")
    for cell, groups in TOGETHER.items()
    for calls in groups
]


class Gate:
    """Holds the first call of each path until all are in flight; lets them go on in the order of the paths."""

    def __init__(self, paths, body=None):
        self.passed = []
        self._paths, self._body = paths, body
        self._arrived = set()
        self._changed = threading.Condition()

    def at(self, path):
        """For the simulator: gets the body of the response, and returns the one to send."""

        def hold(body):
            with self._changed:
                self._arrived.add(path)
                self._changed.notify_all()
                assert self._changed.wait_for(lambda: self._is_next(path), 60)
                self.passed.append(path)
                self._changed.notify_all()
            return body if self._body is None else self._body

        return hold

    def _is_next(self, path):
        all_in_flight = self._arrived == set(self._paths)
        return all_in_flight and self._paths[len(self.passed)] == path


@pytest.fixture
def cloud(monkeypatch):
    """Something of everything, on several pages."""
    monkeypatch.setattr(openstack.listings, "PAGE_SIZE", 3)
    simulator = openstack_fakes.Cloud().fill(servers=4, networks=4, volumes=4)
    simulator.extensions |= {
        *("bgpvpn", "fwaas_v2", "l2-gateway", "l2-gateway-connection"),
        *("vpn-endpoint-groups", "vpnaas"),
    }
    simulator.also = {"load-balancer", "sharev2"}
    lists, four = simulator.lists, range(4)
    lists["network", "routers"] = [openstack_fakes.router(n) for n in four]
    lists["network", "ports"] += [openstack_fakes.interface(n, n, n) for n in four]
    for service, key, make in (
        ("network", "firewall_groups", openstack_fakes.firewall_group),
        ("network", "ipsec_site_connections", openstack_fakes.site_connection),
        ("network", "bgpvpns", openstack_fakes.bgpvpn),
        ("network", "l2_gateway_connections", openstack_fakes.l2_connection),
        ("load-balancer", "loadbalancers", openstack_fakes.load_balancer),
        ("share", "shares", openstack_fakes.share),
    ):
        lists[service, key] = [make(n) for n in four]
    port = openstack_fakes.identifier("port", 1)
    lists["network", "firewall_groups"][0]["ports"] = [port]
    lists["network", "bgpvpns"][0]["ports"] = [port]
    members = [openstack_fakes.member(n) for n in (1, 2)]
    lists["load-balancer", "listeners"] = [openstack_fakes.listener(n, n) for n in four]
    lists["load-balancer", "pools"] = [openstack_fakes.pool(n, n, members) for n in four]
    simulator.members = {openstack_fakes.identifier("pool", n): members for n in four}
    yield simulator
    simulator.stop()


@pytest.fixture
def box():
    simulator = netbox_fakes.NetBox(cap=3)
    simulator.fill(circuits=7, devices=7, machines=4, networks=4, virtual=4, links=4)
    simulator.tunnel(9, (simulator.lists["virtualization/virtual-machines"][0], "peer"))
    simulator.l2vpn(9, simulator.lists["ipam/vlans"][0])
    yield simulator
    simulator.stop()


@pytest.fixture
def mano():
    """Two services in classic RO, each with a WAN link of its own WIM."""
    with osm_fakes.Osm().standard() as simulator:
        services = openmano.Services(simulator)
        for site in "ab":
            services.site(site, ro=True)
        for name in SERVICES:
            services.wim(name, ro=True, a=[("sw-a", name)], b=[("sw-b", name)])
            networks = [("data", "a"), ("data", "b")]
            services.instance(services.service(name), *networks, links=[("data", name, {})])
        yield simulator


@pytest.fixture
def simulators(cloud, box, mano):
    return {"openstack": cloud, "netbox": box, "osm": mano}


def credentials(name, simulator):
    if name == "osm":
        return simulator.credentials(ro_url=simulator.ro_url)
    return simulator.credentials(**({"user": "admin"} if name == "openstack" else {}))


def fetched(cell, simulator, spare):
    """The resources of the simulator's one scope in the order in which they come."""
    family, name = cell
    provider, given = PROVIDERS[name], credentials(name, simulator)
    log = types.SimpleNamespace(info=lambda *_, **__: None)
    poll = a_poll(family, request=types.SimpleNamespace(options={}), log=log, spare=spare)
    (scope,) = provider.scopes(provider.login(provider.credentials(given, False), poll))
    code = engine.load_cell(f"modules.{family}.{name}")
    try:
        converted = [
            code.convert(record, scope, page.lookups)
            for page in code.fetch(scope)
            for record in page.records
        ]
    finally:
        poll.network.end()
    return [each if isinstance(each, Dropped) else serialized(each, None) for each in converted]


def spare(cell):
    return PROVIDERS[cell[1]].at_once - 1


def calls_of(simulator):
    if isinstance(simulator, openstack_fakes.Cloud):
        return [path for path, _ in simulator.queries]
    if isinstance(simulator, osm_fakes.Osm):
        return [path for _, path, _, _ in simulator.requests]
    return [path.rstrip("/") for path, _, _ in simulator.requests]


def held(simulator, gate, paths):
    for path in paths:
        simulator.fault(f"(?<!tokens){re.escape(path)}/?$", gate.at(path), times=1)


def test_every_cell_is_here():
    cells = {(family, name) for family in families() for name in engine.cells(family)}
    assert set(TOGETHER) == {cell for cell in cells if cell[1] in PROVIDERS}
    assert {openstack.PROVIDER.at_once, AT_ONCE} == {8}


@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "backwards"])
@pytest.mark.parametrize("cell, calls", CASES)
def test_in_flight_together_whichever_is_answered_first(simulators, cell, calls, backwards):
    simulator = simulators[cell[1]]
    alone = fetched(cell, simulator, 0)
    one_by_one = calls_of(simulator)
    gate = Gate(calls[::-1] if backwards else calls)
    held(simulator, gate, calls)
    assert fetched(cell, simulator, spare(cell)) == alone
    assert set(gate.passed) == set(calls)
    assert sorted(calls_of(simulator)) == sorted(2 * one_by_one)  # no other calls than alone
    firsts = [next(n for n, path in enumerate(one_by_one) if path.endswith(call)) for call in calls]
    assert firsts == sorted(firsts)  # and alone always in this order


@pytest.mark.parametrize("cell, calls", CASES)
def test_of_several_errors_that_of_the_first_call(simulators, cell, calls):
    gate = Gate(calls[::-1], body={})
    held(simulators[cell[1]], gate, calls)
    name = re.escape(calls[0].rpartition("/")[2])
    with pytest.raises(UnexpectedResponse, match=rf"{name}(: field|/? has n| should answer)"):
        fetched(cell, simulators[cell[1]], spare(cell))


@pytest.mark.parametrize("family", [family for family, name in TOGETHER if name == "openstack"])
def test_a_token_that_several_calls_are_refused_is_renewed_once(cloud, family):
    def expire(body):
        cloud.expire_tokens()
        return body

    alone = fetched((family, "openstack"), cloud, 0)
    cloud.counts.clear()
    cloud.fault("/auth/tokens$", expire, times=1)
    assert fetched((family, "openstack"), cloud, AT_ONCE - 1) == alone
    assert cloud.counts["/identity/v3/auth/tokens"] == 2


@pytest.mark.parametrize("family", [family for family, name in TOGETHER if name == "osm"])
def test_osms_token_that_several_calls_are_refused_is_renewed_once(mano, family):
    alone = fetched((family, "osm"), mano, 0)
    assert alone or family == "vca_status"
    (calls, *_) = TOGETHER[family, "osm"]
    gate = Gate(calls)
    held(mano, gate, calls)
    mano.fault("/tokens$", lambda token: mano.expire() or token, times=1)
    before = mano.counts["POST /osm/admin/v1/tokens"]
    assert fetched((family, "osm"), mano, osm.PROVIDER.at_once - 1) == alone
    assert set(gate.passed) == set(calls)  # all of them were refused
    assert mano.counts["POST /osm/admin/v1/tokens"] == before + 2


# --- one call for each of many ----------------------------------------------------------------------

SERVERS = [openstack_fakes.identifier("server", number) for number in range(4)]


def with_hidden_images(cloud):
    cloud.lists["image", "images"] = []
    cloud.unlisted = [openstack_fakes.image(9, id=f"hidden-{number}") for number in range(4)]
    for server, image in zip(cloud.lists["compute", "servers"], cloud.unlisted):
        server["image"] = {"id": image["id"]}


def on_hosts_of_their_own(cloud):
    for server in cloud.lists["compute", "servers"]:
        server["hostId"] = server["id"]
        cloud.diagnostics[server["id"]] = openstack_fakes.diagnostics()


def with_gnocchi(cloud):
    cloud.also = {"metric"}


def with_many_servers(cloud):
    """Of which each poll reads a twelfth."""
    cloud.lists["compute", "servers"] = [openstack_fakes.server(number) for number in range(48)]


# The handler, how the cloud is prepared for it, the calls, and how many of them are in flight together
ONE_EACH = {
    "images": ("servers", "get", with_hidden_images, "/images/hidden-", 3),
    "pools": ("appliances", "get", lambda cloud: None, "/members$", 4),
    "status": ("servers", "get_status", lambda cloud: None, "/servers/[0-9a-f]{8}-[^/]*$", 3),
    "diagnostics": ("servers", "get_metrics", on_hosts_of_their_own, "/diagnostics$", 4),
    "gnocchi": ("servers", "get_metrics", with_gnocchi, "/aggregates$", 3),
    "actions": ("servers", "get_logs", with_many_servers, "/os-instance-actions$", 4),
}


@pytest.mark.parametrize("family, handler, prepare, path, wanted", ONE_EACH.values(), ids=ONE_EACH)
def test_a_few_at_a_time(cloud, family, handler, prepare, path, wanted):
    prepare(cloud)
    crowd = Crowd(wanted)

    def hold(body):
        crowd(0)
        return body

    cloud.fault(path, hold)
    event = {"provider": "openstack", "credentials": cloud.credentials("admin"), "account_id": "a"}
    if handler == "get_status":
        event["resources"] = SERVERS[:wanted]
    main = importlib.import_module(f"modules.{family}.main")
    assert getattr(main, handler)(event, Context())
    assert crowd.most == wanted


def test_the_servers_of_a_host_one_after_the_other(cloud):
    """So that a host that fails is noticed once, whatever other hosts do meanwhile."""
    on_hosts_of_their_own(cloud)
    for server in cloud.lists["compute", "servers"]:
        server["hostId"] = "h" * 56
    crowd = Crowd(1)

    def hold(body):
        crowd(0)
        return body

    cloud.fault("/diagnostics$", hold)
    event = {"provider": "openstack", "credentials": cloud.credentials("admin"), "account_id": "a"}
    answer = importlib.import_module("modules.servers.main").get_metrics(event, Context())
    assert {point["resource_id"] for point in answer["metrics"]} == set(SERVERS)
    assert crowd.most == 1
