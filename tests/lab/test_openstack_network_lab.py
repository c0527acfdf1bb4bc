"""OpenStack appliances and circuits, whole polls against real Neutron, Octavia and Manila.

Needs what test_openstack_lab.py needs; what the cloud lacks of Octavia, Manila, FWaaS, VPNaaS, BGP VPN
and L2 gateways is skipped. What is expected comes from openstacksdk, and from plain REST calls where
that has no place for it.
"""

import json
import uuid

import pytest
import requests

from shared.engine.errors import InsufficientPermission
from shared.providers import openstack
from tests.fakes import openstack as fakes
from tests.lab.test_openstack_lab import (
    GONE,
    LAB,
    Rest,
    clouds,
    credentials,
    fake_get,
    get,
    ids,
    poll,
    without_time,
)

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not LAB, reason="$LAB names no running OpenStack services"),
]
WHO = ["inventory-alpha", "admin"]
FAMILIES = ("appliances", "circuits")


@pytest.fixture(scope="module")
def aliases():
    rest = Rest()
    answer = rest.get(rest.urls["network"] + "/v2.0/extensions").json()
    return {each["alias"] for each in answer["extensions"]}


def sdk(cloud):
    openstacksdk = pytest.importorskip("openstack")
    given = clouds()[cloud]["auth"]
    return openstacksdk.connection.Connection(region_name="RegionOne", auth=given)


def of_type(found):
    by_type = {}
    for each in found:
        (details,) = each["details"].values()
        by_type.setdefault(details["type_id"], []).append(each["id"])
    return by_type


def listed(cloud, aliases):
    """By type the ids that openstacksdk lists for this login."""
    client, admin = sdk(cloud), cloud == "admin"
    network, project = client.network, client.current_project_id
    own = {} if admin else {"project_id": project}
    everybody = {"all_tenants": True} if admin else {}
    found = {"router": network.routers(**own)}
    if "fwaas_v2" in aliases:
        found["firewall"] = network.firewall_groups()
    if client.has_service("load-balancer"):
        found["load_balancer"] = client.load_balancer.load_balancers(**own)
    if client.has_service("shared-file-system"):
        found["storage"] = client.shared_file_system.shares(**everybody)
    if "vpnaas" in aliases:
        found["ipsec_site_connection"] = network.vpn_ipsec_site_connections()
    if "bgpvpn" in aliases:
        found["bgpvpn"] = network.bgpvpns()
    if "l2-gateway-connection" in aliases and admin:
        path, key = "/v2.0/l2-gateway-connections", "l2_gateway_connections"
        answer = Rest().listing("network", path, key)
        found["l2_gateway_connection"] = [type("", (), each) for each in answer]
    return {kind: sorted({each.id for each in listing}) for kind, listing in found.items()}


@pytest.mark.parametrize("page_size", [1000, 2])
@pytest.mark.parametrize("cloud", WHO)
def test_what_openstacks_own_client_lists_is_reported_once_and_nothing_else(
    cloud, page_size, aliases, monkeypatch
):
    monkeypatch.setattr(openstack.listings, "PAGE_SIZE", page_size)
    found = of_type([each for family in FAMILIES for each in poll(family, cloud)])
    wanted = listed(cloud, aliases)
    assert wanted["router"]
    assert found == {kind: ids for kind, ids in wanted.items() if ids}


@pytest.mark.parametrize("family", FAMILIES)
def test_small_pages_tell_the_same(family, monkeypatch):
    whole = without_time(poll(family, "admin"))
    monkeypatch.setattr(openstack.listings, "PAGE_SIZE", 2)
    assert without_time(poll(family, "admin")) == whole


@pytest.mark.parametrize("cloud", WHO)
def test_connections_join_up(cloud):
    found = [
        each
        for family in ("appliances", "circuits", "networks", "servers", "volumes")
        for each in poll(family, cloud)
    ]
    known = {(each["type"], each["id"]) for each in found}
    used = {(k, c["id"]) for each in found for k, cs in each["connections"].items() for c in cs}
    assert tuple(sorted({kind for kind, _ in used})) >= ("appliance", "network")
    assert used <= known


def test_routers_connect_to_the_networks_of_their_ports():
    admin = Rest()
    ports = admin.listing("network", "/v2.0/ports", "ports")
    for each in poll("appliances", "admin"):
        if each["details"]["appliance"]["type_id"] == "router":
            on = {port["network_id"] for port in ports if port["device_id"] == each["id"]}
            assert {c["id"] for c in each["connections"].get("network", [])} == on


def test_members_are_the_servers_that_have_their_addresses():
    admin, seen = Rest(), 0
    if "load-balancer" not in admin.urls:
        pytest.skip("no Octavia here")
    listed = admin.listing("compute", "/servers/detail?all_tenants=1", "servers")
    servers = {each["id"]: each for each in listed}
    for each in poll("appliances", "admin"):
        for pool in each["metadata"]["provider_specific"].get("pools", []):
            for member in pool["members"]:
                if member["server_id"]:
                    seen += 1
                    has = json.dumps(servers[member["server_id"]]["addresses"])
                    assert f'"{member["address"]}"' in has
    assert seen or not any("demo-twin" in each["name"] for each in servers.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_role_that_no_policy_knows(family, aliases):
    if family == "circuits" and aliases.isdisjoint({"vpnaas", "bgpvpn", "l2-gateway-connection"}):
        pytest.skip("no circuits here")
    with pytest.raises(InsufficientPermission, match="reader"):
        poll(family, "carol-alpha")


def test_all_projects_for_a_reader():
    with pytest.raises(InsufficientPermission, match="admin"):
        get("appliances", credentials("inventory-alpha", all_projects=True))


def test_the_key_of_a_site_connection_is_nowhere(aliases):
    if "vpnaas" not in aliases:
        pytest.skip("no VPNaaS here")
    admin = Rest()
    path = "/v2.0/vpn/ipsec-site-connections"
    records = admin.listing("network", path, "ipsec_site_connections")
    keys = {each["psk"] for each in records}
    assert keys
    text = json.dumps(poll("circuits", "admin"))
    assert not [key for key in keys if key in text]


@pytest.fixture
def reader():
    """A login of inventory's with role reader alone, whatever else it may be."""
    rest = Rest("inventory-alpha")
    url = f"{rest.keystone}/users/{rest.user['id']}/application_credentials"
    body = {"name": f"test-{uuid.uuid4()}", "roles": [{"name": "reader"}]}
    response = requests.post(url, json={"application_credential": body}, headers=rest.headers)
    credential = response.json()["application_credential"]
    yield {
        "auth_url": rest.keystone,
        "application_credential_id": credential["id"],
        "application_credential_secret": credential["secret"],
    }
    requests.delete(f"{url}/{credential['id']}", headers=rest.headers)


def test_a_reader_is_not_taken_for_a_project_without_site_connections(reader, aliases):
    if "vpnaas" not in aliases:
        pytest.skip("no VPNaaS here")
    with pytest.raises(InsufficientPermission, match="role member"):
        get("circuits", reader)


def test_a_reader_sees_all_appliances(reader):
    assert ids(get("appliances", reader)) == ids(poll("appliances", "inventory-alpha"))


# --- the simulator of tests/fakes/openstack.py against the real services ------------------------------

ROUTERS = [("network", "/v2.0/routers", "routers", "router")]
EXTENSIONS = [
    ("network", f"/v2.0/{path}", key, alias) for path, (key, alias) in fakes.EXTENSIONS.items()
]
OCTAVIA = [
    ("load-balancer", f"/v2.0/lbaas/{key}", key, "")
    for key in ("loadbalancers", "listeners", "pools")
]
MANILA = [("sharev2", "/shares/detail", "shares", "")]
SAME = ROUTERS + EXTENSIONS + OCTAVIA + MANILA


@pytest.fixture(scope="module")
def cloud():
    simulator = fakes.Cloud()
    simulator.extensions |= {alias for _, alias in fakes.EXTENSIONS.values()}
    simulator.also = {"load-balancer", "sharev2"}
    of = {
        "routers": fakes.router,
        "firewall_groups": fakes.firewall_group,
        "ipsec_site_connections": fakes.site_connection,
        "vpnservices": fakes.vpnservice,
        "endpoint_groups": lambda n: fakes.endpoint_group(n, "cidr", ["10.80.0.0/16"]),
        "bgpvpns": fakes.bgpvpn,
        "l2_gateways": fakes.l2_gateway,
        "l2_gateway_connections": fakes.l2_connection,
        "loadbalancers": fakes.load_balancer,
        "listeners": lambda n: fakes.listener(n, n),
        "pools": lambda n: fakes.pool(n, n),
        "shares": fakes.share,
    }
    for service, key in list(simulator.lists):
        if key in of:
            simulator.lists[service, key] = [of[key](n) for n in range(2)]
    yield simulator
    simulator.stop()


@pytest.fixture(params=SAME, ids=lambda param: param[2])
def listing(request, aliases):
    service, path, key, alias = request.param
    rest = Rest()
    if service not in rest.urls or (alias and alias not in aliases):
        pytest.skip("not here")
    return service, path, key


def both(cloud, listing, query="", user="admin", login="admin"):
    """What the simulator and the real service answer."""
    service, path, _ = listing
    rest = Rest(login)
    path_and_query = path + query
    theirs = rest.get(rest.urls[service] + path_and_query)
    return fake_get(cloud, service, path_and_query, user), theirs


def test_the_simulator_has_no_field_that_the_real_one_lacks(cloud, listing):
    project = "" if listing[0] != "sharev2" else "?all_tenants=1"
    mine, theirs = (each.json()[listing[2]] for each in both(cloud, listing, project))
    if not theirs:
        pytest.skip("none there")
    real = {field for each in theirs for field in each}
    assert {field for each in mine for field in each} <= real | {"healthmonitor_id"}


def test_the_simulator_answers_alike_to_a_marker_that_is_gone(cloud, listing):
    if listing[0] == "sharev2":
        pytest.skip("Manila knows no markers")
    mine, theirs = both(cloud, listing, f"?limit=1&marker={GONE}")
    assert mine.status_code == theirs.status_code
    if mine.status_code == 200:
        assert mine.json()[listing[2]] == theirs.json()[listing[2]] == []


def test_the_simulator_pages_alike(cloud, listing):
    for limit in (1, 500):
        query = f"?limit={limit}{'&all_tenants=1' if listing[0] == 'sharev2' else ''}"
        mine, theirs = (each.json() for each in both(cloud, listing, query))
        if len(theirs[listing[2]]) == 0:
            pytest.skip("none there")
        if limit == 500 and bool(openstack.listings._next_marker(theirs)):
            continue  # the operator allows less
        assert bool(openstack.listings._next_marker(mine)) == bool(
            openstack.listings._next_marker(theirs)
        ), limit


def test_the_simulator_shows_a_useless_role_alike(cloud, listing):
    mine, theirs = both(cloud, listing, user="useless", login="carol-alpha")
    assert mine.status_code == theirs.status_code
    if mine.status_code == 200:
        assert bool(mine.json()[listing[2]]) == bool(theirs.json()[listing[2]])


def test_the_simulator_shows_a_reader_alike(cloud, listing, reader):
    service, path, key = listing
    identity = {
        "methods": ["application_credential"],
        "application_credential": {
            "id": reader["application_credential_id"],
            "secret": reader["application_credential_secret"],
        },
    }
    answer = requests.post(
        f"{reader['auth_url']}/auth/tokens", json={"auth": {"identity": identity}}
    )
    token = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
    mine = fake_get(cloud, service, path, "reader")
    theirs = requests.get(Rest().urls[service] + path, headers=token)
    assert mine.status_code == theirs.status_code
    if mine.status_code == 200:
        assert bool(mine.json()[key]) == bool(theirs.json()[key])
        shown = {field for each in theirs.json()[key] for field in each}
        hidden = {field for each in mine.json()[key] for field in each} - shown
        assert not hidden - {"healthmonitor_id"}
