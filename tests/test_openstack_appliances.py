"""OpenStack appliances: facts of records, then whole polls against tests/fakes/openstack.py."""

import copy
import dataclasses
import importlib
import json
import types

import pytest

from modules.appliances import openstack as appliances
from modules.appliances.openstack import firewalls, load_balancers, shares
from modules.appliances.openstack.networks import NetworkLookups
from shared.engine.contracts import Dropped
from shared.engine.errors import InsufficientPermission, UnexpectedResponse, Unreachable
from shared.providers import openstack
from shared.transport import http
from tests.fakes import openstack as fakes
from tests.fakes.context import Context

GIB = 1024**3
SCOPE = types.SimpleNamespace(
    name="alpha/RegionOne", region="RegionOne", project_id=fakes.PROJECT, all_projects=False
)
EVERYBODY = types.SimpleNamespace(**{**vars(SCOPE), "all_projects": True})
id_ = fakes.identifier
NET = [id_("network", n) for n in range(4)]
SUBNET = id_("subnet", 0)
SERVERS = {id_("server", 1)}


def network(**changed):
    """Networks 0 and 1 are reported, 2 is not; server 1 has 10.0.0.1 in subnet 0."""
    reported = {NET[0]: {"id": NET[0], "name": "net-0"}, NET[1]: {"id": NET[1]}}
    lookups = NetworkLookups(reported, devices={(SUBNET, "10.0.0.1"): id_("server", 1)})
    return dataclasses.replace(lookups, **changed)


def converted(kind, record, lookups, scope=SCOPE):
    record = {**record, openstack.KIND: kind}
    before = copy.deepcopy(record)
    appliance = appliances.convert(record, scope, lookups)
    assert record == before
    return appliance if isinstance(appliance, Dropped) else appliance.serialize()


def specific(found):
    return found["metadata"]["provider_specific"]


def connected(found, kind):
    return [each["id"] for each in found["connections"].get(kind, [])]


# --- routers --------------------------------------------------------------------------------------


def router(lookups=None, **changed):
    return converted("router", fakes.router(0, **changed), lookups or network())


def test_a_router_is_one():
    found = router()
    assert (found["type"], found["id"]) == ("appliance", id_("router", 0))
    assert found["details"]["appliance"]["type_id"] == "router"
    assert found["base"]["regions"] == [{"id": "RegionOne"}]
    assert found["base"]["provider_created_at"].startswith("2026-11-20T23:57:21")


def test_a_routers_name_is_its_own_or_else_its_id():
    assert router()["base"]["name"] == "rtr-ü-0"
    assert router(name="")["base"]["name"] == id_("router", 0)


def test_a_router_connects_to_the_networks_of_its_ports_and_of_its_gateway():
    ports = [fakes.interface(0, 0, 1), fakes.interface(1, 0, 1)]
    lookups = network(interfaces={id_("router", 0): ports})
    found = router(lookups, external_gateway_info={"network_id": NET[0], "enable_snat": True})
    assert connected(found, "network") == sorted([NET[0], NET[1]])


def test_a_router_of_several_gateways():
    found = router(external_gateways=[{"network_id": NET[0]}, {"network_id": NET[1]}])
    assert connected(found, "network") == sorted([NET[0], NET[1]])


def test_a_network_that_is_not_reported_is_no_connection_but_metadata():
    lookups = network(interfaces={id_("router", 0): [fakes.interface(0, 0, 2)]})
    found = router(lookups, external_gateway_info={"network_id": NET[3]})
    assert found["connections"] == {}
    assert specific(found)["interfaces"][0]["network_id"] == NET[2]
    assert specific(found)["external_gateway_info"]["network_id"] == NET[3]


@pytest.mark.parametrize(
    "name, value",
    [
        ("status", "DOWN"),
        ("ha", True),
        ("distributed", False),
        ("admin_state_up", False),
        ("routes", [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}]),
        ("availability_zones", ["az-1"]),
        ("description", "край"),
    ],
)
def test_what_a_router_has_besides(name, value):
    assert specific(router(**{name: value}))[name] == value


def test_fields_that_a_reader_does_not_see_are_left_out():
    assert not {"ha", "distributed"} & set(specific(router()))


def test_a_routers_tags():
    assert router()["metadata"]["provider_metadata"] == {"тег": ""}


# --- firewall groups ------------------------------------------------------------------------------


def firewall(known_ports=(), scope=SCOPE, **changed):
    """Router 0 and server 1 are listed."""
    known = network(ports={port["id"]: port for port in known_ports})
    lookups = firewalls.Lookups(known, SERVERS, {id_("router", 0)})
    record = fakes.firewall_group(0, **changed)
    return converted("firewall_group", record, lookups, scope)


def test_a_firewall_group_protects_what_has_its_ports():
    ports = [fakes.interface(0, 0, 1), fakes.port(1)]
    found = firewall(ports, ports=[port["id"] for port in ports])
    assert found["details"]["appliance"]["type_id"] == "firewall"
    assert connected(found, "appliance") == [id_("router", 0)]
    assert connected(found, "server") == [id_("server", 1)]
    assert connected(found, "network") == sorted([NET[0], NET[1]])


def test_a_firewall_groups_port_of_something_that_is_not_reported():
    ports = [fakes.interface(0, 7, 2), fakes.port(7)]  # router 7, server 7, network 2: unknown
    ports[1]["network_id"] = NET[2]
    named = [*(port["id"] for port in ports), "another project's"]
    found = firewall(ports, ports=named)
    assert found["connections"] == {}
    assert "another project's" in specific(found)["ports"]


@pytest.mark.parametrize(
    "changed, scope, kept",
    [
        ({}, SCOPE, True),
        ({"project_id": fakes.OTHER}, SCOPE, False),
        ({"project_id": fakes.OTHER, "shared": True}, SCOPE, True),
        ({"project_id": fakes.OTHER}, EVERYBODY, True),
    ],
)
def test_whose_firewall_groups(changed, scope, kept):
    assert isinstance(firewall(scope=scope, **changed), dict) == kept


@pytest.mark.parametrize("name", ["status", "ingress_firewall_policy_id", "description"])
def test_what_a_firewall_group_has_besides(name):
    assert specific(firewall(**{name: "x"}))[name] == "x"


# --- load balancers -------------------------------------------------------------------------------


def balancer(*members, subnets=(), servers=SERVERS, **changed):
    lookups = load_balancers.Lookups(
        network(),
        listeners={id_("load balancer", 0): [fakes.listener(0, 0)]},
        pools={id_("load balancer", 0): [fakes.pool(0, 0, members)]},
        members={id_("pool", 0): list(members)},
        subnets={subnet["id"]: subnet for subnet in subnets},
        servers=servers,
    )
    return converted("load_balancer", fakes.load_balancer(0, **changed), lookups)


def test_a_load_balancer_is_on_the_networks_of_its_additional_vips():
    vips = [{"subnet_id": SUBNET, "ip_address": "10.0.0.7"}, {"subnet_id": "hidden"}]
    found = balancer(subnets=[{"id": SUBNET, "network_id": NET[1]}], additional_vips=vips)
    assert connected(found, "network") == sorted([NET[0], NET[1]])
    assert specific(found)["additional_vips"] == vips


def test_a_load_balancer_is_on_its_vips_network():
    found = balancer()
    assert found["details"]["appliance"]["type_id"] == "load_balancer"
    assert connected(found, "network") == [NET[0]]
    assert specific(found)["vip_address"] == "10.0.0.200"


def test_a_vip_on_a_network_that_is_not_reported():
    found = balancer(vip_network_id=NET[2])
    assert "network" not in found["connections"]
    assert specific(found)["vip_network_id"] == NET[2]


def test_a_member_is_the_server_that_has_its_address_in_its_subnet():
    found = balancer(fakes.member(1))
    assert connected(found, "server") == [id_("server", 1)]
    assert specific(found)["pools"][0]["members"][0]["server_id"] == id_("server", 1)


@pytest.mark.parametrize(
    "vip_subnet, servers", [(SUBNET, [id_("server", 1)]), (id_("subnet", 1), []), (None, [])]
)
def test_a_member_without_a_subnet_is_in_the_vips(vip_subnet, servers):
    found = balancer(fakes.member(1, subnet_id=None), vip_subnet_id=vip_subnet)
    assert connected(found, "server") == servers


@pytest.mark.parametrize(
    "changed",
    [{"address": "10.0.0.2"}, {"subnet_id": id_("subnet", 1)}],
    ids=["no port has the address", "the address of another subnet"],
)
def test_a_member_that_may_be_anything_is_metadata_only(changed):
    found = balancer(fakes.member(1, **changed))
    assert "server" not in found["connections"]
    shown = specific(found)["pools"][0]["members"][0]
    assert shown["server_id"] is None
    assert shown["address"] == changed.get("address", "10.0.0.1")


def test_a_port_of_something_that_nova_does_not_list_is_no_server():
    found = balancer(fakes.member(1), servers=())
    assert "server" not in found["connections"]


def test_two_members_on_one_server_are_one_connection():
    found = balancer(fakes.member(1), fakes.member(9, address="10.0.0.1", protocol_port=80))
    assert connected(found, "server") == [id_("server", 1)]
    assert len(specific(found)["pools"][0]["members"]) == 2


@pytest.mark.parametrize(
    "name, value",
    [
        ("operating_status", "DEGRADED"),
        ("provisioning_status", "PENDING_UPDATE"),
        ("provider", "ovn"),
        ("vip_port_id", "p"),
        ("additional_vips", [{"ip_address": "10.0.1.200", "subnet_id": "s"}]),
    ],
)
def test_what_a_load_balancer_has_besides(name, value):
    assert specific(balancer(**{name: value}))[name] == value


def test_listeners_and_pools():
    found = specific(balancer(fakes.member(1)))
    assert [(each["protocol"], each["protocol_port"]) for each in found["listeners"]] == [
        ("TCP", 443)
    ]
    assert found["pools"][0]["lb_algorithm"] == "ROUND_ROBIN"


# --- shares ---------------------------------------------------------------------------------------


def share(share_networks=(), **changed):
    by_id = {each["id"]: each for each in share_networks}
    lookups = shares.Lookups(network().networks, by_id)
    return converted("share", fakes.share(0, **changed), lookups)


@pytest.mark.parametrize("size, size_b", [(2, 2 * GIB), (0, 0), (None, None)])
def test_a_shares_size(size, size_b):
    found = share(size=size)
    assert found["details"]["appliance"]["type_id"] == "storage"
    assert specific(found).get("size_b") == size_b


def test_a_share_without_a_name_is_its_id():
    assert share(name=None)["base"]["name"] == id_("share", 0)


def subnet(network, zone):
    return {"neutron_net_id": network, "availability_zone": zone}


@pytest.mark.parametrize(
    "share_network, zone, networks",
    [
        (fakes.share_network(0), "nova", [NET[0]]),
        ({"neutron_net_id": NET[0]}, "nova", [NET[0]]),
        ({"share_network_subnets": [subnet(NET[2], None)]}, "nova", []),
        (
            {"share_network_subnets": [subnet(NET[0], None), subnet(NET[1], "az-1")]},
            "az-1",
            [NET[1]],
        ),
        (
            {"share_network_subnets": [subnet(NET[0], None), subnet(NET[1], "az-1")]},
            "az-2",
            [NET[0]],
        ),
        ({"share_network_subnets": [subnet(NET[1], "az-1")]}, None, []),
    ],
)
def test_a_share_is_on_its_share_networks_network(share_network, zone, networks):
    listed = [{**share_network, "id": "s"}]
    found = share(listed, share_network_id="s", availability_zone=zone)
    assert connected(found, "network") == networks


def test_a_share_network_that_is_not_listed():
    found = share(share_network_id="s")
    assert found["connections"] == {}
    assert specific(found)["share_network_id"] == "s"


@pytest.mark.parametrize("name", ["status", "share_proto", "share_type", "availability_zone"])
def test_what_a_share_has_besides(name):
    assert specific(share(**{name: "x"}))[name] == "x"


def test_a_shares_export_locations_and_the_customers_metadata():
    found = share()
    assert specific(found)["export_locations"] == ["192.0.2.5:/shares/0"]
    assert found["metadata"]["provider_metadata"] == {"env": "тест"}


@pytest.mark.parametrize("kind", ["switch", ""])
def test_a_record_of_no_known_kind_is_refused(kind):
    with pytest.raises(UnexpectedResponse, match="kind"):
        converted(kind, fakes.router(0), network())


# --- whole polls ----------------------------------------------------------------------------------

NETWORK, LBAAS, SHARE = "/network/v2.0", "/load-balancer/v2.0/lbaas", "/share/v2"
LISTS = {
    "router": f"{NETWORK}/routers",
    "firewall": f"{NETWORK}/fwaas/firewall_groups",
    "load_balancer": f"{LBAAS}/loadbalancers",
    "storage": f"{SHARE}/shares/detail",
}
LOGIN = "/identity/v3/auth/tokens"
KEYS = {
    "router": ("network", "routers"),
    "firewall": ("network", "firewall_groups"),
    "load_balancer": ("load-balancer", "loadbalancers"),
    "storage": ("share", "shares"),
}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(http, "FIRST_DELAY_S", 0)
    monkeypatch.setattr(openstack.listings, "PAGE_SIZE", 3)


@pytest.fixture
def cloud():
    """Seven of each; load balancer 0 has two pools, one of servers 1 and 2 and one of none."""
    simulator = fakes.Cloud().fill(servers=4, networks=7, volumes=1)
    simulator.extensions |= {"fwaas_v2"}
    simulator.also = {"load-balancer", "sharev2"}
    lists, seven = simulator.lists, range(7)
    lists["network", "routers"] = [fakes.router(n) for n in seven]
    lists["network", "ports"] += [fakes.interface(n, n, n) for n in seven]
    inside = id_("interface", 0)
    lists["network", "firewall_groups"] = [fakes.firewall_group(n) for n in seven]
    lists["network", "firewall_groups"][0]["ports"] = [inside, id_("port", 1)]
    lists["load-balancer", "loadbalancers"] = [fakes.load_balancer(n) for n in seven]
    lists["load-balancer", "listeners"] = [fakes.listener(n, n) for n in seven]
    members = [fakes.member(1), fakes.member(2), fakes.member(50)]
    lists["load-balancer", "pools"] = [fakes.pool(0, 0, members), fakes.pool(1, 0)]
    simulator.members = {id_("pool", 0): members, id_("pool", 1): []}
    lists["share", "shares"] = [fakes.share(n) for n in seven]
    lists["share", "shares"][3]["share_network_id"] = id_("share network", 0)
    lists["share", "share_networks"] = [fakes.share_network(0)]
    yield simulator
    simulator.stop()


def poll(cloud, user="reader", family="appliances", context=None, options=None, **more):
    event = {
        "account_id": "acc",
        "provider": "openstack",
        "credentials": cloud.credentials(user, **more),
        "options": options or {},
    }
    return importlib.import_module(f"modules.{family}.main").get(event, context or Context())


def of_type(found):
    by_type = {}
    for each in found:
        by_type.setdefault(each["details"]["appliance"]["type_id"], []).append(each["id"])
    return by_type


def expected(cloud, *types):
    return {kind: sorted(each["id"] for each in cloud.lists[KEYS[kind]]) for kind in types or KEYS}


def the(found, kind, number):
    return next(each for each in found if each["id"] == id_(kind, number))


def test_more_pages_than_one_of_each_are_complete_and_without_duplicates(cloud):
    found = poll(cloud)
    assert {kind: sorted(ids) for kind, ids in of_type(found).items()} == expected(cloud)
    assert len(found) == 28


def test_calls_are_those_that_the_cell_states(cloud):
    poll(cloud)
    assert dict(cloud.counts) == {
        LOGIN: 1,
        f"{NETWORK}/extensions": 1,
        f"{NETWORK}/networks": 3,
        f"{NETWORK}/ports": 4,  # 11 of them
        f"{NETWORK}/routers": 3,
        f"{NETWORK}/fwaas/firewall_groups": 3,
        "/compute/v2.1/servers": 2,  # 4
        f"{LBAAS}/loadbalancers": 3,
        f"{LBAAS}/listeners": 3,
        f"{LBAAS}/pools": 1,  # 2
        f"{LBAAS}/pools/{id_('pool', 0)}/members": 2,  # 3; none for the pool that has none
        f"{SHARE}/shares/detail": 4,  # 3, 2 and 2 new ones, and nothing new
        f"{SHARE}/share-networks/detail": 2,
    }


def test_the_parts_of_what_does_not_exist_are_not_requested(cloud):
    for key in ("loadbalancers", "listeners", "pools"):
        cloud.lists["load-balancer", key] = []
    cloud.lists["share", "shares"] = []
    cloud.lists["network", "firewall_groups"] = []
    poll(cloud)
    paths = {path for path in cloud.counts if not path.startswith(NETWORK)}
    assert paths == {LOGIN, f"{LBAAS}/loadbalancers", f"{SHARE}/shares/detail"}
    assert cloud.counts[f"{SHARE}/shares/detail"] == 1


def test_servers_are_not_listed_where_no_port_is_of_one(cloud):
    """A member can be another load balancer."""
    cloud.lists["network", "firewall_groups"] = []
    cloud.members[id_("pool", 0)][:] = [fakes.member(1)]
    cloud.lists["network", "ports"] = [fakes.port(1, device_owner="Octavia", device_id="lb-x")]
    poll(cloud)
    assert not cloud.counts["/compute/v2.1/servers"]


def test_connections_join_up(cloud):
    families = ("appliances", "networks", "servers", "volumes")
    found = [each for family in families for each in poll(cloud, family=family)]
    known = {(each["type"], each["id"]) for each in found}
    used = {(k, c["id"]) for each in found for k, cs in each["connections"].items() for c in cs}
    assert {kind for kind, _ in used} == {"server", "network", "volume", "appliance"}
    assert used <= known


def test_what_is_connected_to_what(cloud):
    found = poll(cloud)
    first = the(found, "load balancer", 0)
    assert connected(first, "server") == sorted([id_("server", 1), id_("server", 2)])
    assert connected(first, "network") == [NET[0]]
    group = the(found, "firewall group", 0)
    assert connected(group, "appliance") == [id_("router", 0)]
    assert connected(group, "server") == [id_("server", 1)]
    assert connected(the(found, "router", 2), "network") == [NET[2]]
    assert connected(the(found, "share", 3), "network") == [NET[0]]


def test_routers_are_those_that_networks_connect_to(cloud):
    theirs = {
        id_ for each in poll(cloud, family="networks") for id_ in connected(each, "appliance")
    }
    assert theirs == set(of_type(poll(cloud))["router"])


def test_a_member_whose_port_is_of_no_listed_server(cloud):
    cloud.lists["compute", "servers"] = cloud.lists["compute", "servers"][:2]
    assert connected(the(poll(cloud), "load balancer", 0), "server") == [id_("server", 1)]


def test_a_network_of_another_project_dangles_nowhere(cloud):
    hidden = fakes.network(90, fakes.OTHER)
    cloud.lists["network", "networks"].append(hidden)
    router = cloud.lists["network", "routers"][0]
    router["external_gateway_info"] = {"network_id": hidden["id"]}
    found = the(poll(cloud, "admin"), "router", 0)
    assert connected(found, "network") == [NET[0]]
    assert specific(found)["external_gateway_info"]["network_id"] == hidden["id"]


# --- services that are not there, and such that refuse ----------------------------------------------


@pytest.mark.parametrize(
    "absent, left",
    [
        ({"load-balancer"}, {"router", "firewall", "storage"}),
        ({"sharev2"}, {"router", "firewall", "load_balancer"}),
        ({"network"}, {"load_balancer", "storage"}),
        ({"network", "load-balancer", "sharev2"}, set()),
        ({"compute"}, {"router", "firewall", "load_balancer", "storage"}),
    ],
)
def test_a_service_that_the_catalog_lacks_takes_no_other_along(cloud, absent, left):
    cloud.absent = absent
    found = poll(cloud)
    assert {kind: sorted(ids) for kind, ids in of_type(found).items()} == (
        expected(cloud, *left) if left else {}
    )


@pytest.mark.parametrize("alias, gone", [("router", "router"), ("fwaas_v2", "firewall")])
def test_an_extension_that_neutron_lacks_takes_no_other_along(cloud, alias, gone):
    cloud.extensions -= {alias}
    found = of_type(poll(cloud))
    assert {kind: sorted(ids) for kind, ids in found.items()} == expected(
        cloud, *set(KEYS) - {gone}
    )


@pytest.mark.parametrize("kind", KEYS)
def test_a_listing_that_is_not_found_is_no_empty_one(cloud, kind):
    cloud.fault(LISTS[kind], 404)
    with pytest.raises(UnexpectedResponse, match="404"):
        poll(cloud)


@pytest.mark.parametrize(
    "path, service",
    [
        (LISTS["load_balancer"], "load-balancer /lbaas/loadbalancers"),
        (f"{LBAAS}/listeners", "load-balancer /lbaas/listeners"),
        (f"{LBAAS}/pools$", "load-balancer /lbaas/pools"),
        ("/members", "load-balancer /lbaas/pools/.*/members"),
        (LISTS["storage"], "shared-file-system /shares/detail"),
        ("/share-networks", "shared-file-system /share-networks/detail"),
        (LISTS["firewall"], "network /fwaas/firewall_groups"),
        (LISTS["router"], "network /routers"),
        (f"{NETWORK}/extensions", "network /extensions"),
        ("/compute/v2.1/servers", "compute /servers"),
    ],
)
def test_a_denied_service_is_named_and_nothing_else_fails(cloud, path, service):
    cloud.fault(path, 403)
    with pytest.raises(InsufficientPermission, match=service) as caught:
        poll(cloud)
    assert "alpha/RegionOne" in str(caught.value)
    if "/routers" not in path and "compute" not in path:
        for family in ("servers", "networks", "volumes"):
            assert poll(cloud, family=family)


def test_the_error_names_the_role_that_may_read_load_balancers(cloud):
    cloud.fault(LISTS["load_balancer"], 403)
    with pytest.raises(InsufficientPermission, match="load-balancer_observer"):
        poll(cloud)


def test_the_error_quotes_octavias_message(cloud):
    cloud.absent = {"network"}
    with pytest.raises(InsufficientPermission, match="Policy does not allow this request"):
        poll(cloud, "useless")


@pytest.mark.parametrize("kind", [500, "drop", "cut"])
@pytest.mark.parametrize("of", KEYS)
def test_a_service_that_is_down_fails_the_poll(cloud, of, kind):
    cloud.fault(LISTS[of], kind)
    with pytest.raises(Unreachable, match="alpha/RegionOne"):
        poll(cloud)


@pytest.mark.parametrize("path", [*LISTS.values(), f"{NETWORK}/extensions", "/members"])
@pytest.mark.parametrize(
    "kind",
    ["html", lambda body: {}, lambda body: {key: None for key in body}],
    ids=["html", "no key", "null"],
)
def test_an_answer_that_is_no_listing(cloud, path, kind):
    cloud.fault(path, kind)
    with pytest.raises(UnexpectedResponse):
        poll(cloud)


# --- permissions ---------------------------------------------------------------------------------------


def test_the_least_permissions_name_octavias_role():
    rights = openstack.least_permissions(appliances.CELL.permissions)
    assert list(rights["roles_where_reader_is_too_little"]) == ["load-balancer_observer"]
    assert openstack.least_permissions(("get_port",))["roles_where_reader_is_too_little"] == {}


@pytest.mark.parametrize("services", [set(), {"load-balancer", "sharev2"}])
@pytest.mark.parametrize("records", [True, False])
def test_a_role_that_no_policy_knows_is_refused(cloud, services, records):
    cloud.also = services
    if not records:
        cloud.lists["network", "ports"] = cloud.lists["network", "routers"] = []
    with pytest.raises(InsufficientPermission, match="reader"):
        poll(cloud, "useless")


def test_an_empty_project_is_an_empty_list(cloud):
    for key in cloud.lists:
        if key not in {("network", "security_groups"), ("network", "networks")}:
            cloud.lists[key] = []
    assert poll(cloud) == []


@pytest.mark.parametrize("records", [True, False])
def test_all_projects_for_a_reader_is_refused(cloud, records):
    if not records:
        cloud.lists["network", "ports"] = cloud.lists["network", "routers"] = []
    with pytest.raises(InsufficientPermission, match="admin"):
        poll(cloud, "reader", all_projects=True)


def others(cloud):
    cloud.lists["network", "routers"].append(fakes.router(90, fakes.OTHER))
    cloud.lists["network", "firewall_groups"].append(fakes.firewall_group(90, fakes.OTHER))
    cloud.lists["load-balancer", "loadbalancers"].append(fakes.load_balancer(90, fakes.OTHER))
    cloud.lists["share", "shares"].append(fakes.share(90, fakes.OTHER))


def test_all_projects_for_an_admin(cloud):
    mine = len(poll(cloud))
    others(cloud)
    assert len(poll(cloud, "admin", all_projects=True)) == mine + 4


def test_an_admin_of_one_project_gets_that_project(cloud):
    mine = of_type(poll(cloud))
    others(cloud)
    assert of_type(poll(cloud, "admin")) == mine


# --- paging that is out of the ordinary -------------------------------------------------------------


def test_a_marker_that_is_gone_is_not_taken_for_the_end(cloud):
    """FWaaS answers it with 200 and nothing."""
    cloud.delete_marker["fwaas/firewall_groups"] = 1
    found = of_type(poll(cloud))["firewall"]
    assert set(expected(cloud)["firewall"]) <= set(found)
    assert len(expected(cloud)["firewall"]) == 6
    assert len(found) == len(set(found))


def test_a_marker_that_is_always_gone_is_an_error(cloud):
    cloud.lists["network", "firewall_groups"] = [fakes.firewall_group(n) for n in range(50)]
    cloud.delete_marker["fwaas/firewall_groups"] = 100
    with pytest.raises(UnexpectedResponse, match="marker"):
        poll(cloud)


def test_a_list_that_ends_with_a_full_page_is_complete(cloud):
    del cloud.lists["network", "firewall_groups"][6]
    found = of_type(poll(cloud))
    assert len(found["firewall"]) == 6
    # two pages, an empty one, and whether its marker is still there
    assert cloud.counts[LISTS["firewall"]] == 4


@pytest.mark.parametrize("limit", [2, 1000])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 6, 7, 8])
def test_shares_are_complete_whatever_a_page_holds(cloud, count, limit):
    cloud.manila_limit = limit  # osapi_max_limit: it then answers with fewer than requested
    cloud.lists["share", "shares"] = [fakes.share(n) for n in range(count)]
    assert of_type(poll(cloud)).get("storage", []) == expected(cloud)["storage"]


def test_a_share_that_is_deleted_between_two_pages_hides_no_other(cloud):
    shares = sorted(cloud.lists["share", "shares"], key=lambda each: each["id"])

    def delete_first(records):
        records.remove(shares[0])

    cloud.before_page["shares/detail"] = delete_first
    found = of_type(poll(cloud))["storage"]
    assert {each["id"] for each in shares[1:]} <= set(found)


def test_shares_that_never_hold_still_are_an_error(cloud):
    class Restless(dict):
        def pop(self, path):
            return self[path]

    cloud.lists["share", "shares"] = [fakes.share(n) for n in range(50)]
    first = lambda records: records.remove(min(records, key=lambda each: each["id"]))  # noqa: E731
    cloud.before_page = Restless({"shares/detail": first})
    with pytest.raises(UnexpectedResponse, match="changed between two pages"):
        poll(cloud)


def test_a_share_network_of_several_subnets(cloud):
    network = cloud.lists["share", "share_networks"][0]
    network["share_network_subnets"] += [{**subnet(NET[1], "nova"), "cidr": "10.0.1.0/24"}]
    assert connected(the(poll(cloud), "share", 3), "network") == [NET[1]]


def test_an_old_manila_shows_one_subnet_of_a_share_network(cloud):
    cloud.manila_newest = "2.40"
    found = poll(cloud)
    assert connected(the(found, "share", 3), "network") == [NET[0]]


def test_a_manila_that_is_called_by_its_official_name(cloud):
    catalog = cloud._catalog
    cloud._catalog = lambda: json.loads(
        json.dumps(catalog()).replace('"type": "sharev2"', '"type": "shared-file-system"')
    )
    assert len(of_type(poll(cloud))["storage"]) == 7


def test_a_pool_that_is_deleted_while_the_poll_runs(cloud):
    del cloud.members[id_("pool", 0)]
    found = the(poll(cloud), "load balancer", 0)
    assert "server" not in found["connections"]


def test_two_polls_are_alike_but_for_the_time(cloud):
    def without_time(found):
        return [{**each, "base": {**each["base"], "last_seen_at": None}} for each in found]

    one = without_time(poll(cloud))
    for records in (*cloud.lists.values(), *cloud.members.values()):
        records.reverse()  # no service promises an order within a load balancer or a group
    for group in cloud.lists["network", "firewall_groups"]:
        group["ports"].reverse()
    assert without_time(poll(cloud)) == one
