"""OpenStack circuits: facts of records, then whole polls against tests/fakes/openstack.py."""

import copy
import dataclasses
import importlib
import json
import types

import pytest

from modules.circuits import openstack as circuits
from shared.engine.contracts import Dropped
from shared.engine.errors import InsufficientPermission, UnexpectedResponse, Unreachable
from shared.providers import openstack
from shared.transport import http
from tests.fakes import openstack as fakes
from tests.fakes.context import Context

SCOPE = types.SimpleNamespace(
    name="alpha/RegionOne", region="RegionOne", project_id=fakes.PROJECT, all_projects=False
)
EVERYBODY = types.SimpleNamespace(**{**vars(SCOPE), "all_projects": True})
id_ = fakes.identifier
NET = [id_("network", n) for n in range(3)]
ROUTER = id_("router", 0)


def by_id(*records):
    return {each["id"]: each for each in records}


def lookups(**changed):
    """Networks 0 and 1 are reported, and router 0, which has the VPN service 0."""
    known = circuits.Lookups(
        networks=by_id({"id": NET[0], "name": "сеть-0"}, {"id": NET[1], "name": ""}),
        routers=by_id({"id": ROUTER, "name": "rtr-ü-0"}),
        services=by_id(fakes.vpnservice(0)),
        groups=by_id(
            fakes.endpoint_group(0, "subnet", [id_("subnet", 0), id_("subnet", 2)]),
            fakes.endpoint_group(1, "cidr", ["10.80.0.0/16"]),
        ),
        subnets=by_id(*(fakes.subnet(n) for n in range(3))),
        gateways=by_id(fakes.l2_gateway(0)),
    )
    return dataclasses.replace(known, **changed)


def converted(kind, record, known=None, scope=SCOPE):
    record = {**record, openstack.KIND: kind}
    before = copy.deepcopy(record)
    circuit = circuits.convert(record, scope, known or lookups())
    assert record == before
    return circuit if isinstance(circuit, Dropped) else circuit.serialize()


def facts(found):
    return found["details"]["circuit"]


def endpoints(found):
    return facts(found)["endpoint_a"], facts(found)["endpoint_b"]


def specific(found):
    return found["metadata"]["provider_specific"]


def connected(found, kind):
    return [each["id"] for each in found["connections"].get(kind, [])]


# --- IPsec site connections -------------------------------------------------------------------------


def site(known=None, scope=SCOPE, **changed):
    return converted("ipsec_site_connection", fakes.site_connection(7, **changed), known, scope)


def test_a_site_connection_is_a_circuit():
    found = site()
    assert (found["type"], found["id"]) == ("circuit", id_("site connection", 7))
    assert (facts(found)["type_id"], facts(found)["carrier"]) == ("ipsec_site_connection", None)
    assert found["base"]["name"] == "site-7"
    assert found["base"]["regions"] == [{"id": "RegionOne"}]


def test_a_circuit_without_a_name_is_its_id():
    assert site(name="")["base"]["name"] == id_("site connection", 7)


def test_a_site_connection_joins_a_router_and_a_peer():
    assert endpoints(site()) == ("rtr-ü-0", "203.0.113.7")


@pytest.mark.parametrize(
    "changed, end",
    [
        ({}, "172.24.3.156"),
        ({"external_v4_ip": None, "external_v6_ip": "fd00::1"}, "fd00::1"),
        ({"external_v4_ip": None}, None),
    ],
)
def test_a_router_that_is_not_reported_is_its_address(changed, end):
    known = lookups(routers={}, services=by_id(fakes.vpnservice(0, **changed)))
    found = site(known)
    assert facts(found)["endpoint_a"] == end
    assert "appliance" not in found["connections"]


def test_a_router_without_a_name_is_more_than_an_id():
    found = site(lookups(routers=by_id({"id": ROUTER, "name": ""})))
    assert facts(found)["endpoint_a"] == f"router {ROUTER}"


@pytest.mark.parametrize(
    "changed, end",
    [
        ({"peer_address": ""}, "203.0.113.7"),
        ({"peer_address": None, "peer_id": "vpn.example"}, "vpn.example"),
        ({"peer_address": None, "peer_id": None}, None),
        ({"peer_address": "", "peer_id": ""}, None),
    ],
)
def test_a_missing_peer_is_none(changed, end):
    assert facts(site(**changed))["endpoint_b"] == end


def test_a_missing_service_is_a_missing_endpoint():
    found = site(lookups(services={}, groups={}))
    assert endpoints(found) == (None, "203.0.113.7")
    assert found["connections"] == {}


def test_a_site_connection_is_on_its_router_and_its_subnets_networks():
    found = site()
    assert connected(found, "appliance") == [ROUTER]
    assert connected(found, "network") == [NET[0]]  # network 2 is not reported
    assert specific(found)["local_cidrs"] == ["10.0.0.0/24", "10.0.2.0/24"]
    assert specific(found)["peer_endpoints"] == ["10.80.0.0/16"]


@pytest.mark.parametrize(
    "kind, endpoints, networks, routers",
    [
        ("network", [NET[1], NET[2]], [NET[1]], [ROUTER]),
        ("router", [ROUTER, "other"], [], [ROUTER]),
        ("vlan", ["77"], [], [ROUTER]),
    ],
)
def test_other_local_endpoints(kind, endpoints, networks, routers):
    found = site(lookups(groups=by_id(fakes.endpoint_group(0, kind, endpoints))))
    assert connected(found, "network") == networks
    assert connected(found, "appliance") == routers
    assert specific(found)["local_endpoints"] == endpoints


def test_a_site_connection_of_before_endpoint_groups():
    service = fakes.vpnservice(0, subnet_id=id_("subnet", 1))
    changed = {"local_ep_group_id": None, "peer_ep_group_id": None, "peer_cidrs": ["10.81.0.0/16"]}
    found = site(lookups(services=by_id(service)), **changed)
    assert connected(found, "network") == [NET[1]]
    assert specific(found)["peer_cidrs"] == ["10.81.0.0/16"]


@pytest.mark.parametrize(
    "name, value",
    [("status", "DOWN"), ("mtu", 1400), ("dpd", {"action": "clear"}), ("admin_state_up", False)],
)
def test_what_a_site_connection_has_besides(name, value):
    assert specific(site(**{name: value}))[name] == value


def test_the_pre_shared_key_stays_out():
    assert "pre-shared-canary" not in json.dumps(site())


@pytest.mark.parametrize(
    "changed, scope, kept",
    [
        ({}, SCOPE, True),
        ({"project_id": fakes.OTHER}, SCOPE, False),
        ({"project_id": None, "tenant_id": None}, SCOPE, True),  # not shown to a reader
        ({"project_id": fakes.OTHER}, EVERYBODY, True),
    ],
)
def test_whose_circuits(changed, scope, kept):
    assert isinstance(site(scope=scope, **changed), dict) == kept


# --- BGP VPNs ---------------------------------------------------------------------------------------


def mpls(known=None, **changed):
    return converted("bgpvpn", fakes.bgpvpn(10, **changed), known)


def test_a_bgp_vpn_joins_its_associations():
    found = mpls(networks=[NET[0]], routers=[ROUTER])
    assert facts(found)["type_id"] == "bgpvpn"
    assert endpoints(found) == ("rtr-ü-0, сеть-0", None)
    assert (connected(found, "appliance"), connected(found, "network")) == ([ROUTER], [NET[0]])


def test_a_bgp_vpns_port_is_on_a_network():
    known = lookups(ports=by_id({"id": "p", "network_id": NET[0]}))
    found = mpls(known, networks=[NET[0]], ports=["p", "another project's"])
    assert endpoints(found) == ("сеть-0", None)
    assert connected(found, "network") == [NET[0]]
    assert specific(found)["ports"] == ["another project's", "p"]


@pytest.mark.parametrize(
    "changed",
    [{}, {"networks": [NET[2]], "routers": ["other"], "ports": ["other"]}, {"networks": None}],
    ids=["no association", "of another project", "none shown"],
)
def test_a_bgp_vpn_whose_endpoints_are_not_known(changed):
    found = mpls(**changed)
    assert endpoints(found) == (None, None)
    assert found["connections"] == {}
    assert specific(found).get("networks") == (changed.get("networks") or None)


def test_a_network_without_a_name_is_more_than_an_id():
    assert endpoints(mpls(networks=[NET[1]])) == (f"network {NET[1]}", None)


@pytest.mark.parametrize(
    "targets, reference",
    [(["64512:10", "64512:11"], "64512:10, 64512:11"), ([], None), (None, None)],
)
def test_the_other_side_knows_a_bgp_vpn_by_its_route_targets(targets, reference):
    assert facts(mpls(route_targets=targets))["reference"] == reference


@pytest.mark.parametrize("name, value", [("type", "l2"), ("vni", 1000), ("local_pref", 50)])
def test_what_a_bgp_vpn_has_besides(name, value):
    assert specific(mpls(**{name: value}))[name] == value


# --- L2 gateway connections -------------------------------------------------------------------------


def l2(known=None, **changed):
    return converted("l2_gateway_connection", fakes.l2_connection(0, **changed), known)


def test_an_l2_gateway_connection_joins_a_network_and_a_switch():
    found = l2()
    assert facts(found)["type_id"] == "l2_gateway_connection"
    assert endpoints(found) == ("сеть-0", "rack-0 (tor-1 eth1/7)")
    assert connected(found, "network") == [NET[0]]
    assert found["base"]["name"] == found["id"] == id_("l2 connection", 0)


@pytest.mark.parametrize(
    "gateway, end",
    [
        ({"name": "rack", "devices": []}, "rack"),
        ({"name": ""}, "L2 gateway (tor-1 eth1/7)"),
        ({"name": None, "devices": []}, None),
        ({"devices": [{"device_name": "tor-2", "interfaces": [{}]}]}, "rack-0 (tor-2)"),
    ],
)
def test_a_gateways_endpoint(gateway, end):
    assert facts(l2(lookups(gateways=by_id(fakes.l2_gateway(0, **gateway)))))["endpoint_b"] == end


def test_an_l2_gateway_connection_of_what_is_not_reported():
    found = l2(lookups(gateways={}), network_id=NET[2])
    assert endpoints(found) == (None, None)
    assert found["connections"] == {}
    assert specific(found)["network_id"] == NET[2]


@pytest.mark.parametrize("kind", ["pigeon", ""])
def test_a_record_of_no_known_kind_is_refused(kind):
    with pytest.raises(UnexpectedResponse, match="kind"):
        converted(kind, fakes.bgpvpn(0))


# --- whole polls ------------------------------------------------------------------------------------

NETWORK = "/network/v2.0"
LISTS = {
    "ipsec_site_connection": f"{NETWORK}/vpn/ipsec-site-connections",
    "bgpvpn": f"{NETWORK}/bgpvpn/bgpvpns",
    "l2_gateway_connection": f"{NETWORK}/l2-gateway-connections",
}
LOGIN = "/identity/v3/auth/tokens"
VPN = {"vpnaas", "vpn-endpoint-groups"}
L2 = {"l2-gateway", "l2-gateway-connection"}
KEYS = {
    "ipsec_site_connection": "ipsec_site_connections",
    "bgpvpn": "bgpvpns",
    "l2_gateway_connection": "l2_gateway_connections",
}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(http, "FIRST_DELAY_S", 0)
    monkeypatch.setattr(openstack.listings, "PAGE_SIZE", 3)


@pytest.fixture
def cloud():
    """Four of each, all of them on router 0 and network 0."""
    simulator = fakes.Cloud().fill(servers=1, networks=2)
    simulator.extensions |= VPN | L2 | {"bgpvpn"}
    lists = simulator.lists
    lists["network", "routers"] = [fakes.router(0)]
    lists["network", "ports"].append(fakes.interface(0, 0, 0))
    lists["network", "vpnservices"] = [fakes.vpnservice(0)]
    lists["network", "endpoint_groups"] = [
        fakes.endpoint_group(0, "subnet", [id_("subnet", 0)]),
        fakes.endpoint_group(1, "cidr", ["10.80.0.0/16"]),
    ]
    lists["network", "ipsec_site_connections"] = [fakes.site_connection(n) for n in range(4)]
    lists["network", "bgpvpns"] = [
        fakes.bgpvpn(n, networks=[NET[0]], routers=[ROUTER], ports=[]) for n in range(4)
    ]
    lists["network", "l2_gateways"] = [fakes.l2_gateway(0)]
    lists["network", "l2_gateway_connections"] = [fakes.l2_connection(n) for n in range(4)]
    yield simulator
    simulator.stop()


def poll(cloud, user="member", family="circuits", context=None, **more):
    event = {
        "account_id": "acc",
        "provider": "openstack",
        "credentials": cloud.credentials(user, **more),
    }
    return importlib.import_module(f"modules.{family}.main").get(event, context or Context())


def of_type(found):
    by_type = {}
    for each in found:
        by_type.setdefault(facts(each)["type_id"], []).append(each["id"])
    return by_type


def expected(cloud, *types):
    return {
        kind: sorted(each["id"] for each in cloud.lists["network", KEYS[kind]]) for kind in types
    }


def clear(cloud, *keys):
    for key in keys:
        cloud.lists["network", key] = []


SEEN_BY = {
    "member": ("ipsec_site_connection", "bgpvpn"),
    "admin": ("ipsec_site_connection", "bgpvpn", "l2_gateway_connection"),
}


@pytest.mark.parametrize("user", SEEN_BY)
def test_more_pages_than_one_of_each_are_complete_and_without_duplicates(cloud, user):
    found = of_type(poll(cloud, user))
    assert found == expected(cloud, *SEEN_BY[user])


def test_calls_are_those_that_the_cell_states(cloud):
    cloud.lists["network", "bgpvpns"][0]["ports"] = [id_("interface", 0)]
    poll(cloud, "admin")
    assert dict(cloud.counts) == {
        LOGIN: 1,
        f"{NETWORK}/extensions": 1,
        f"{NETWORK}/networks": 1,
        f"{NETWORK}/routers": 1,
        f"{NETWORK}/vpn/ipsec-site-connections": 2,
        f"{NETWORK}/vpn/vpnservices": 1,
        f"{NETWORK}/vpn/endpoint-groups": 1,
        f"{NETWORK}/subnets": 1,
        f"{NETWORK}/bgpvpn/bgpvpns": 2,
        f"{NETWORK}/ports": 1,
        f"{NETWORK}/l2-gateway-connections": 2,
        f"{NETWORK}/l2-gateways": 1,
    }


def test_the_parts_of_what_does_not_exist_are_not_requested(cloud):
    clear(cloud, "ipsec_site_connections", "bgpvpns", "l2_gateway_connections")
    assert poll(cloud, "admin") == []
    paths = {path.removeprefix(NETWORK) for path in cloud.counts}
    assert paths == {
        LOGIN,
        "/extensions",
        "/networks",
        "/routers",
        "/vpn/ipsec-site-connections",
        "/bgpvpn/bgpvpns",
        "/l2-gateway-connections",
    }


def test_the_pre_shared_key_is_never_requested(cloud):
    context = Context()
    text = json.dumps(poll(cloud, "admin", context=context)) + "".join(context.lines)
    queries = [query for path, query in cloud.queries if path == LISTS["ipsec_site_connection"]]
    assert queries
    assert all(query["fields"] and "psk" not in query["fields"] for query in queries)
    assert "pre-shared-canary" not in text


@pytest.mark.parametrize("user", SEEN_BY)
def test_connections_join_up(cloud, user):
    families = ("circuits", "appliances", "networks")
    found = [each for family in families for each in poll(cloud, user, family)]
    known = {(each["type"], each["id"]) for each in found}
    used = {(k, c["id"]) for each in found for k, cs in each["connections"].items() for c in cs}
    assert {kind for kind, _ in used} == {"network", "appliance"}
    assert used <= known


def test_what_joins_what(cloud):
    found = {facts(each)["type_id"]: each for each in poll(cloud, "admin")}
    for each in found.values():
        assert connected(each, "network") == [NET[0]]
    assert endpoints(found["ipsec_site_connection"])[0] == "rtr-ü-0"
    assert endpoints(found["bgpvpn"]) == ("rtr-ü-0, net-0", None)
    assert endpoints(found["l2_gateway_connection"]) == ("net-0", "rack-0 (tor-1 eth1/7)")


def test_a_bgp_vpns_port(cloud):
    clear(cloud, "bgpvpns")
    port = id_("interface", 0)
    cloud.lists["network", "bgpvpns"] = [fakes.bgpvpn(0, networks=[], routers=[], ports=[port])]
    (found,) = (each for each in poll(cloud) if facts(each)["type_id"] == "bgpvpn")
    assert connected(found, "network") == [NET[0]]
    assert endpoints(found) == ("net-0", None)


# --- services that are not there, and such that refuse ------------------------------------------------


@pytest.mark.parametrize("user", ["reader", "member", "useless"])
def test_a_cloud_with_none_of_these_has_no_circuits(cloud, user):
    cloud.extensions -= VPN | L2 | {"bgpvpn"}
    assert poll(cloud, user) == []
    assert dict(cloud.counts) == {LOGIN: 1, f"{NETWORK}/extensions": 1}


def test_a_cloud_without_neutron_has_no_circuits(cloud):
    cloud.absent = {"network"}
    assert poll(cloud) == []
    assert dict(cloud.counts) == {LOGIN: 1}


@pytest.mark.parametrize(
    "aliases, gone",
    [(VPN, "ipsec_site_connection"), ({"bgpvpn"}, "bgpvpn"), (L2, "l2_gateway_connection")],
)
def test_an_extension_that_neutron_lacks_takes_no_other_along(cloud, aliases, gone):
    cloud.extensions -= aliases
    assert of_type(poll(cloud, "admin")) == expected(cloud, *set(KEYS) - {gone})


def test_a_vpnaas_without_endpoint_groups(cloud):
    cloud.extensions -= {"vpn-endpoint-groups"}
    assert of_type(poll(cloud)) == expected(cloud, *SEEN_BY["member"])


def test_l2_gateways_are_the_admins_and_the_log_says_so(cloud):
    context = Context()
    found = of_type(poll(cloud, "member", context=context))
    assert "l2_gateway_connection" not in found
    (line,) = context.logged("L2 gateway connections")
    assert "alpha/RegionOne" in line and "admin" in line


def test_l2_gateways_that_refuse_an_admin_fail_the_poll(cloud):
    cloud.fault(LISTS["l2_gateway_connection"], 403)
    with pytest.raises(InsufficientPermission, match="l2-gateway-connections"):
        poll(cloud, "admin", all_projects=True)


def test_l2_gateways_that_refuse_halfway_fail_the_poll(cloud):
    cloud.fault(f"{NETWORK}/l2-gateways", 403)
    with pytest.raises(InsufficientPermission, match="l2-gateways"):
        poll(cloud, "admin")


@pytest.mark.parametrize("kind", KEYS)
def test_a_listing_that_is_not_found_is_no_empty_one(cloud, kind):
    cloud.fault(LISTS[kind], 404)
    with pytest.raises(UnexpectedResponse, match="404"):
        poll(cloud, "admin")


@pytest.mark.parametrize(
    "path",
    [
        "/vpn/ipsec-site-connections",
        "/vpn/vpnservices",
        "/vpn/endpoint-groups",
        "/subnets",
        "/bgpvpn/bgpvpns",
        "/routers",
        "/networks",
        "/extensions",
    ],
)
def test_a_denied_service_is_named_and_nothing_else_fails(cloud, path):
    cloud.fault(f"{NETWORK}{path}$", 403)
    with pytest.raises(InsufficientPermission, match=f"network {path}") as caught:
        poll(cloud)
    assert "alpha/RegionOne" in str(caught.value)
    if path.startswith(("/vpn", "/bgpvpn")):
        assert poll(cloud, family="networks") and poll(cloud, family="appliances")


@pytest.mark.parametrize("kind", [500, "drop", "cut"])
@pytest.mark.parametrize("of", KEYS)
def test_a_service_that_is_down_fails_the_poll(cloud, of, kind):
    cloud.fault(LISTS[of], kind)
    with pytest.raises(Unreachable, match="alpha/RegionOne"):
        poll(cloud, "admin")


@pytest.mark.parametrize("path", [*LISTS.values(), f"{NETWORK}/extensions"])
@pytest.mark.parametrize(
    "kind",
    ["html", lambda body: {}, lambda body: {key: None for key in body}],
    ids=["html", "no key", "null"],
)
def test_an_answer_that_is_no_listing(cloud, path, kind):
    cloud.fault(path, kind)
    with pytest.raises(UnexpectedResponse):
        poll(cloud, "admin")


# --- permissions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("aliases", [VPN, {"bgpvpn"}, L2])
def test_a_role_that_no_policy_knows_is_refused(cloud, aliases):
    """BGP VPNs it would be shown, and none of what they join."""
    cloud.extensions = {"router", *aliases}
    with pytest.raises(InsufficientPermission, match="reader"):
        poll(cloud, "useless")


def test_no_site_connection_seen_by_a_reader_is_no_sign_that_there_is_none(cloud):
    with pytest.raises(InsufficientPermission, match="role member") as caught:
        poll(cloud, "reader")
    assert "VPNaaS" in str(caught.value)
    assert cloud.counts[f"{NETWORK}/vpn/vpnservices"] == 1


@pytest.mark.parametrize("user", ["member", "admin"])
def test_no_site_connection_seen_by_a_member_means_that_there_is_none(cloud, user):
    clear(cloud, "ipsec_site_connections", "vpnservices")
    assert "ipsec_site_connection" not in of_type(poll(cloud, user))
    assert not cloud.counts[f"{NETWORK}/vpn/vpnservices"]


@pytest.mark.parametrize("connections", [True, False])
def test_a_reader_whom_the_cloud_shows_vpnaas_is_believed(cloud, connections):
    """As in clouds with policies of before 2023, or their own."""
    if not connections:
        clear(cloud, "ipsec_site_connections")
    cloud.shows_vpn_to = {"reader"}
    found = of_type(poll(cloud, "reader"))
    assert len(found.get("ipsec_site_connection", [])) == (4 if connections else 0)


def test_the_least_permissions_name_role_member():
    rights = openstack.least_permissions(circuits.CELL.permissions)
    besides = rights["roles_where_reader_is_too_little"]
    assert list(besides) == ["member"]
    assert "get_ipsec_site_connection" in besides["member"]
    assert "get_router" not in besides["member"]


def test_a_reader_of_a_cloud_without_vpnaas_is_believed(cloud):
    cloud.extensions -= VPN
    assert of_type(poll(cloud, "reader")) == expected(cloud, "bgpvpn")


def test_an_empty_project_is_an_empty_list(cloud):
    for key in cloud.lists:
        if key != ("network", "security_groups"):
            cloud.lists[key] = []
    assert poll(cloud) == []


@pytest.mark.parametrize("records", [True, False])
def test_all_projects_for_a_member_is_refused(cloud, records):
    if not records:
        clear(cloud, "routers", "networks")
    with pytest.raises(InsufficientPermission, match="admin"):
        poll(cloud, "member", all_projects=True)


def others(cloud):
    cloud.lists["network", "ipsec_site_connections"].append(fakes.site_connection(9, fakes.OTHER))
    cloud.lists["network", "bgpvpns"].append(fakes.bgpvpn(9, fakes.OTHER))
    cloud.lists["network", "l2_gateway_connections"].append(fakes.l2_connection(9, fakes.OTHER))


def test_all_projects_for_an_admin(cloud):
    others(cloud)
    found = of_type(poll(cloud, "admin", all_projects=True))
    assert {kind: len(ids) for kind, ids in found.items()} == dict.fromkeys(KEYS, 5)


def test_an_admin_of_one_project_gets_that_project(cloud):
    mine = of_type(poll(cloud, "admin"))
    others(cloud)
    assert of_type(poll(cloud, "admin")) == mine


@pytest.mark.parametrize("path", ["vpn/ipsec-site-connections", "l2-gateway-connections"])
def test_a_marker_that_is_gone_is_not_taken_for_the_end(cloud, path):
    """These extensions answer it with 200 and nothing."""
    cloud.delete_marker[path] = 1
    found = of_type(poll(cloud, "admin"))
    kind = "l2_gateway_connection" if path.startswith("l2") else "ipsec_site_connection"
    assert set(expected(cloud, kind)[kind]) <= set(found[kind])
    assert len(expected(cloud, kind)[kind]) == 3


def test_two_polls_are_alike_but_for_the_time(cloud):
    def without_time(found):
        return [{**each, "base": {**each["base"], "last_seen_at": None}} for each in found]

    cloud.lists["network", "bgpvpns"][0]["networks"] = [NET[0], NET[1]]
    one = without_time(poll(cloud, "admin"))
    for records in cloud.lists.values():
        records.reverse()
    cloud.lists["network", "bgpvpns"][-1]["networks"].reverse()
    assert without_time(poll(cloud, "admin")) == one
