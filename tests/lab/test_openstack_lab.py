"""OpenStack, whole polls against real Keystone, Nova, Neutron, Cinder and Glance.

Needs $LAB/clouds.yaml with the clouds admin, inventory-alpha, inventory-beta and carol-alpha, and more than 5
servers, networks and volumes in alpha and in beta (tools/demo_openstack.py adds what a plain seed lacks). Whatever
else is there does no harm, nor does an operator's limit of a page: ``MAX_LIMIT=5 NEUTRON_MAX_LIMIT=5`` makes
every listing one of several pages. What is expected comes from plain REST calls by an admin that share no code
with the cells.
"""

import importlib
import json
import os
import pathlib
import uuid
from urllib.parse import urljoin

import pytest
import requests
import yaml

from modules.servers.openstack.listings import FLAVOR_EMBEDDED
from shared.engine.errors import InsufficientPermission, InvalidCredentials
from shared.providers import openstack
from tests.fakes import openstack as fakes

LAB = os.environ.get("LAB")
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not LAB, reason="$LAB names no running OpenStack services"),
]
FAMILIES = ("servers", "networks", "volumes")
NOVA = {"X-OpenStack-Nova-API-Version": "2.96"}
WHO = ["inventory-alpha", "inventory-beta", "admin"]


class Context:
    module_id = None

    def set_response_header(self, key, value):
        raise AssertionError("no poll here may be partial")


def clouds():
    return yaml.safe_load((pathlib.Path(LAB) / "clouds.yaml").read_text())["clouds"]


def credentials(cloud, **more):
    return {**clouds()[cloud]["auth"], "region_name": "RegionOne", **more}


def get(family, given):
    main = importlib.import_module(f"modules.{family}.main")
    event = {"account_id": "lab", "provider": "openstack", "credentials": given}
    return main.get(event, Context())


def poll(family, cloud):
    return get(family, credentials(cloud, all_projects=cloud == "admin"))


class Rest:
    """A token and plain calls."""

    def __init__(self, cloud="admin"):
        given = clouds()[cloud]["auth"]
        domain = {"id": "default"}
        user = {"name": given["username"], "password": given["password"], "domain": domain}
        identity = {"methods": ["password"], "password": {"user": user}}
        scope = {"project": {"name": given["project_name"], "domain": domain}}
        answer = requests.post(
            f"{given['auth_url']}/auth/tokens",
            json={"auth": {"identity": identity, "scope": scope}},
        )
        answer.raise_for_status()
        token = answer.json()["token"]
        self.keystone, self.user, self.project = given["auth_url"], token["user"], token["project"]
        self.token = answer.headers["X-Subject-Token"]
        self.headers = {"X-Auth-Token": self.token}
        self.urls = {
            each["type"]: next(e["url"] for e in each["endpoints"] if e["interface"] == "public")
            for each in token["catalog"]
            if each["endpoints"]
        }

    def get(self, url, **headers):
        return requests.get(url, headers={**self.headers, **headers})

    def listing(self, service, path, key, **headers):
        """All pages: an operator's limit makes a service page though no limit was requested."""
        url, found = self.urls[service] + path, []
        while url:
            answer = self.get(url, **headers)
            answer.raise_for_status()
            body = answer.json()
            found += body[key]
            links = body.get(f"{key}_links") or body.get("links", [])
            url = next((each["href"] for each in links if each["rel"] == "next"), None)
            url = url or (urljoin(self.urls[service], body["next"]) if "next" in body else None)
        return found


def expected(family, cloud):
    """The records that a poll of this cloud must show, by id."""
    admin = Rest()
    service, path, key = {
        "servers": ("compute", "/servers/detail?all_tenants=1", "servers"),
        "networks": ("network", "/v2.0/networks", "networks"),
        "volumes": ("volumev3", "/volumes/detail?all_tenants=1", "volumes"),
    }[family]
    records = {each["id"]: each for each in admin.listing(service, path, key)}
    if cloud == "admin":
        return records
    project = Rest(cloud).project["id"]
    return {
        id_: each
        for id_, each in records.items()
        if project in (each.get("tenant_id"), each.get("os-vol-tenant-attr:tenant_id"))
        or each.get("shared")
        or each.get("router:external")
    }


def ids(resources):
    return [each["id"] for each in resources]


def without_time(resources):
    for each in resources:
        each["base"].pop("last_seen_at")
    return json.dumps(resources)


@pytest.mark.parametrize("page_size", [1000, 5])
@pytest.mark.parametrize("cloud", WHO)
@pytest.mark.parametrize("family", FAMILIES)
def test_everything_once_and_nothing_else(family, cloud, page_size, monkeypatch):
    monkeypatch.setattr(openstack.listings, "PAGE_SIZE", page_size)
    records = expected(family, cloud)
    assert len(records) > 5
    found = poll(family, cloud)
    assert sorted(ids(found)) == sorted(records)
    for each in found:
        assert each["base"]["name"] == (records[each["id"]]["name"] or each["id"])


@pytest.mark.parametrize("family", FAMILIES)
def test_small_pages_tell_the_same(family, monkeypatch):
    whole = without_time(poll(family, "admin"))
    monkeypatch.setattr(openstack.listings, "PAGE_SIZE", 5)
    assert without_time(poll(family, "admin")) == whole


@pytest.mark.parametrize("cloud", WHO)
def test_connections_join_up(cloud):
    found = [each for family in FAMILIES for each in poll(family, cloud)]
    known = {(each["type"], each["id"]) for each in found}
    used = {(k, c["id"]) for each in found for k, cs in each["connections"].items() for c in cs}
    assert {each for each in used if each[0] != "appliance"} <= known
    routers = {each["id"] for each in Rest().listing("network", "/v2.0/routers", "routers")}
    appliances = {id_ for kind, id_ in used if kind == "appliance"}
    assert appliances and appliances <= routers


def test_servers_say_what_nova_cinder_and_neutron_say():
    admin = Rest()
    records = expected("servers", "admin")
    # a flavor may be private, or deleted since
    newer = admin.listing("compute", "/servers/detail?all_tenants=1", "servers", **NOVA)
    flavors = {each["id"]: each["flavor"] for each in newer}
    volumes = expected("volumes", "admin")
    ports = admin.listing("network", "/v2.0/ports", "ports")
    for each in poll("servers", "admin"):
        record, details = records[each["id"]], each["details"]["server"]
        flavor = flavors[each["id"]]
        attached = [v["id"] for v in record["os-extended-volumes:volumes_attached"]]
        assert details["cpu_cores"] == flavor["vcpus"]
        assert details["ram_b"] == flavor["ram"] * 1024**2
        assert details["volumes_b"] == sum(volumes[v]["size"] for v in attached) * 1024**3
        assert details["provider_state"] == record["status"]
        addresses = {a["addr"] for of in record["addresses"].values() for a in of}
        assert {a["ip_address"] for a in details["ip_addresses"]} == addresses
        networks = {p["network_id"] for p in ports if p["device_id"] == each["id"]}
        assert {c["id"] for c in each["connections"].get("network", [])} == networks
        for address in details["ip_addresses"]:
            on = {
                p["network_id"]
                for p in ports
                for f in p["fixed_ips"]
                if f["ip_address"] == address["ip_address"] and p["device_id"] == each["id"]
            }
            # a floating address is on no port of the server
            assert not on or address["network"]["id"] in on


def test_no_user_data_is_shown():
    seen = Rest().listing("compute", "/servers/detail?all_tenants=1", "servers", **NOVA)
    secrets = {each.get("OS-EXT-SRV-ATTR:user_data") for each in seen} - {None, ""}
    text = json.dumps(poll("servers", "admin"))
    assert not [each for each in secrets if each in text]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_role_that_no_policy_knows(family):
    with pytest.raises(InsufficientPermission, match="reader"):
        poll(family, "carol-alpha")


@pytest.mark.parametrize("family", FAMILIES)
def test_all_projects_for_a_reader(family):
    with pytest.raises(InsufficientPermission, match="admin"):
        get(family, credentials("inventory-alpha", all_projects=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_an_empty_project_is_no_failure(family):
    """The project demo-empty of tools/demo_openstack.py."""
    given = credentials("inventory-alpha", project_name="demo-empty")
    try:
        found = get(family, given)
    except InvalidCredentials:
        pytest.skip("tools/demo_openstack.py has not run here")
    networks = expected("networks", "admin").values()
    everybodys = [n["id"] for n in networks if n["shared"] or n["router:external"]]
    assert sorted(ids(found)) == (sorted(everybodys) if family == "networks" else [])


@pytest.mark.parametrize("family", FAMILIES)
def test_an_admin_of_one_project_gets_that_project(family):
    given = credentials("admin", project_name="alpha")
    assert ids(get(family, given)) == sorted(expected(family, "inventory-alpha"))


def test_a_wrong_password():
    with pytest.raises(InvalidCredentials):
        get("servers", credentials("inventory-alpha", password="wrong"))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_token_is_a_login(family):
    rest = Rest("inventory-alpha")
    given = {"auth_url": rest.keystone, "token": rest.token, "project_id": rest.project["id"]}
    assert ids(get(family, given)) == ids(poll(family, "inventory-alpha"))


@pytest.mark.parametrize("by", ["id", "name"])
def test_an_application_credential_is_a_login(by):
    rest = Rest("inventory-alpha")
    url = f"{rest.keystone}/users/{rest.user['id']}/application_credentials"
    body = {"name": f"test-{uuid.uuid4()}", "roles": [{"name": "reader"}]}
    response = requests.post(url, json={"application_credential": body}, headers=rest.headers)
    credential = response.json()["application_credential"]
    given = {
        "auth_url": rest.keystone,
        "application_credential_secret": credential["secret"],
        f"application_credential_{by}": credential[by],
    }
    if by == "name":
        given["username"] = rest.user["name"]
    try:
        assert ids(get("volumes", given)) == ids(poll("volumes", "inventory-alpha"))
    finally:
        requests.delete(f"{url}/{credential['id']}", headers=rest.headers)


def test_a_token_that_keystone_does_not_know():
    rest = Rest("inventory-alpha")
    given = {"auth_url": rest.keystone, "project_id": rest.project["id"]}
    with pytest.raises(InvalidCredentials, match="does not know the login"):
        get("volumes", {**given, "token": "garbage"})
    revoked = {**rest.headers, "X-Subject-Token": rest.token}
    requests.delete(f"{rest.keystone}/auth/tokens", headers=revoked).raise_for_status()
    with pytest.raises(InvalidCredentials, match="does not know the login"):
        get("volumes", {**given, "token": rest.token})


def test_an_application_credential_whose_access_rules_do_not_cover_a_call():
    rest = Rest("inventory-alpha")
    url = f"{rest.keystone}/users/{rest.user['id']}/application_credentials"
    rules = [{"service": "block-storage", "method": "GET", "path": "/v3/nothing"}]
    body = {"name": f"test-{uuid.uuid4()}", "access_rules": rules}
    response = requests.post(url, json={"application_credential": body}, headers=rest.headers)
    credential = response.json()["application_credential"]
    given = {
        "auth_url": rest.keystone,
        "application_credential_id": credential["id"],
        "application_credential_secret": credential["secret"],
    }
    try:
        with pytest.raises(InsufficientPermission, match="access rules.* do not cover GET /v"):
            get("volumes", given)
    finally:
        requests.delete(f"{url}/{credential['id']}", headers=rest.headers)
    with pytest.raises(InvalidCredentials, match="does not know the login"):
        get("volumes", given)


@pytest.mark.parametrize("cloud", WHO)
def test_servers_and_volumes_name_one_another(cloud):
    """Those of shelved servers too."""
    of_servers = {
        (server["id"], volume["id"])
        for server in poll("servers", cloud)
        for volume in server["connections"].get("volume", ())
    }
    of_volumes = {
        (server["id"], volume["id"])
        for volume in poll("volumes", cloud)
        for server in volume["connections"].get("server", ())
    }
    assert of_servers and of_servers == of_volumes


@pytest.mark.parametrize("cloud", WHO)
def test_a_server_that_boots_from_a_volume_has_the_image_of_its_root_device(cloud):
    listed = Rest().listing("compute", "/servers/detail?all_tenants=1", "servers", **NOVA)
    records, volumes = {each["id"]: each for each in listed}, expected("volumes", "admin")
    for each in poll("servers", cloud):
        record = records[each["id"]]
        on = {
            attachment["device"]: volumes[attached["id"]].get("volume_image_metadata", {})
            for attached in record["os-extended-volumes:volumes_attached"]
            for attachment in volumes[attached["id"]]["attachments"]
            if attachment["server_id"] == each["id"]
        }
        root = record["OS-EXT-SRV-ATTR:root_device_name"]
        if not record["image"] and root in on:
            image = each["details"]["server"]["image_detail"] or {}
            assert image.get("id") == on[root].get("image_id")


@pytest.fixture
def subnets():
    """Of a network of its own, in alpha."""
    rest = Rest("inventory-alpha")
    admin = Rest()
    url = f"{admin.urls['network']}/v2.0"

    def create(kind, **body):
        body["tenant_id"] = rest.project["id"]
        answer = requests.post(f"{url}/{kind}s", json={kind: body}, headers=admin.headers)
        answer.raise_for_status()
        return answer.json()[kind]["id"]

    network = create("network", name="test-subnets")
    subnet_ids = [
        create("subnet", network_id=network, ip_version=4, cidr=f"10.251.{n}.0/24")
        for n in range(12)
    ]
    yield (
        network,
        subnet_ids,
        lambda each: requests.delete(
            f"{url}/subnets/{each}", headers=admin.headers
        ).raise_for_status(),
    )
    requests.delete(f"{url}/networks/{network}", headers=admin.headers)


def test_a_subnet_that_is_deleted_between_two_pages(subnets, monkeypatch):
    """Neutron answers its marker with the list's start."""
    network, subnet_ids, delete = subnets
    gone, ask = [], openstack.get

    def get_and_delete(scope, service, path, params=None, microversion=None):
        answer = ask(scope, service, path, params, microversion)
        last = answer.get("subnets", [])[-1:]
        if not gone and last and last[0]["id"] in subnet_ids:
            gone.append(last[0]["id"])
            delete(gone[0])
        return answer

    monkeypatch.setattr(openstack.listings, "PAGE_SIZE", 2)
    monkeypatch.setattr(openstack.listings, "get", get_and_delete)
    (found,) = [each for each in poll("networks", "inventory-alpha") if each["id"] == network]
    assert len(gone) == 1
    shown = [each["id"] for each in found["metadata"]["provider_specific"]["subnets"]]
    assert shown == sorted(set(subnet_ids) - set(gone))


@pytest.mark.parametrize("cloud", WHO)
def test_a_nova_of_2_1_gives_the_same_facts(cloud, monkeypatch):
    new = poll("servers", cloud)
    monkeypatch.setattr(openstack, "nova_microversion", lambda scope: (2, 1))
    old = poll("servers", cloud)
    assert ids(old) == ids(new)
    for before, after in zip(old, new):
        before["details"]["server"].pop("is_virtual", None)
        after["details"]["server"].pop("is_virtual", None)
        assert before["details"] == after["details"]
        assert before["connections"] == after["connections"]


def test_the_microversion_is_one_that_nova_knows():
    version = Rest().get(Rest().urls["compute"] + "/").json()["version"]["version"]
    highest = tuple(int(each) for each in version.split("."))
    assert highest >= openstack.NOVA_NEWEST >= FLAVOR_EMBEDDED


# --- the simulator of tests/fakes/openstack.py against the real services ----------------------------

GONE = "00000000-0000-0000-0000-000000000000"
SAME = [
    ("compute", "/servers/detail", "servers"),
    ("compute", "/flavors/detail", "flavors"),
    ("network", "/v2.0/networks", "networks"),
    ("network", "/v2.0/subnets", "subnets"),
    ("network", "/v2.0/ports", "ports"),
    ("volumev3", "/volumes/detail", "volumes"),
    ("volumev3", "/types", "volume_types"),
    ("image", "/v2/images", "images"),
]


@pytest.fixture(scope="module")
def both():
    cloud = fakes.Cloud().fill(servers=4, networks=4, volumes=4)
    cloud.lists["compute", "flavors"] = [{**fakes.FLAVOR, "id": f"f{n}"} for n in range(4)]
    (kind,) = cloud.lists["volume", "volume_types"]
    cloud.lists["volume", "volume_types"] = [{**kind, "id": f"t{n}"} for n in range(4)]
    yield cloud, Rest("inventory-alpha"), Rest("carol-alpha")
    cloud.stop()


def fake_get(cloud, service, path, user="reader", version="2.1"):
    cloud.tokens[user] = user
    urls = {each["type"]: each["endpoints"][0]["url"] for each in cloud._catalog()}
    headers = {"X-Auth-Token": user, "X-OpenStack-Nova-API-Version": version}
    return requests.get(urls[service] + path, headers=headers)


@pytest.mark.parametrize("service, path, key", SAME)
def test_the_simulator_has_no_field_that_the_real_one_lacks(both, service, path, key):
    cloud, reader, _ = both
    mine = fake_get(cloud, service, path, version="2.96").json()[key]
    url = reader.urls[service] + path
    theirs = reader.get(url, **{"X-OpenStack-Nova-API-Version": "2.96"}).json()[key]
    # an image's own properties are fields like all others
    allowed = {field for each in theirs for field in each} | {"volume_image_metadata"}
    if key == "flavors":  # 2.55 and later add to these
        allowed |= set(fakes.FLAVOR)
    assert {field for each in mine for field in each} <= allowed


@pytest.mark.parametrize("service, path, key", SAME)
def test_the_simulator_pages_alike(both, service, path, key):
    cloud, reader, _ = both
    for limit in (1, 2, 500):
        mine = fake_get(cloud, service, f"{path}?limit={limit}").json()
        theirs = reader.get(f"{reader.urls[service]}{path}?limit={limit}").json()
        if len(theirs[key]) < min(limit, len(reader.listing(service, path, key))):
            continue  # the operator allows less
        assert bool(openstack.listings._next_marker(mine)) == bool(
            openstack.listings._next_marker(theirs)
        ), limit


@pytest.mark.parametrize("service, path, key", SAME)
def test_the_simulator_answers_alike_to_a_marker_that_is_gone(both, service, path, key):
    cloud, reader, _ = both
    with_marker = f"{path}?limit=1&marker={GONE}"
    mine = fake_get(cloud, service, with_marker)
    theirs = reader.get(reader.urls[service] + with_marker)
    assert mine.status_code == theirs.status_code
    if theirs.status_code == 200:  # the list's start, as if there were no marker
        for answer, url in ((mine, None), (theirs, reader.urls[service] + path)):
            first = (
                reader.get(f"{url}?limit=1") if url else fake_get(cloud, service, f"{path}?limit=1")
            )
            assert answer.json()[key] == first.json()[key] != []


@pytest.mark.parametrize("service, path, key", [*SAME, ("network", "/v2.0/quotas", "quotas")])
def test_the_simulator_shows_a_useless_role_alike(both, service, path, key):
    cloud, _, carol = both
    if key == "flavors":
        pytest.skip("listing flavors needs no role")
    mine = fake_get(cloud, service, path, user="useless")
    theirs = carol.get(carol.urls[service] + path)
    assert mine.status_code == theirs.status_code
    if theirs.status_code == 200:
        own = [each for each in theirs.json()[key] if each["project_id"] == carol.project["id"]]
        assert own == [] and mine.json()[key] == []


@pytest.mark.parametrize("user", ["reader", "useless"])
def test_the_simulator_shows_the_default_security_group_alike(both, user):
    cloud, reader, carol = both
    real = reader if user == "reader" else carol
    path = "/v2.0/security-groups?fields=id&limit=1&tenant_id="
    mine = fake_get(cloud, "network", path + fakes.PROJECT, user=user).json()
    theirs = real.get(real.urls["network"] + path + real.project["id"]).json()
    assert len(mine["security_groups"]) == len(theirs["security_groups"])


@pytest.mark.parametrize("cloud", WHO)
def test_what_openstacks_own_client_lists_is_reported_once_and_nothing_else(cloud):
    """openstacksdk pages, parses and filters by itself, and sees what its login may see."""
    sdk = pytest.importorskip("openstack")
    given = clouds()[cloud]["auth"]
    client = sdk.connection.Connection(region_name="RegionOne", auth=given)
    everybody = {"all_projects": True} if cloud == "admin" else {}
    listed = {
        "servers": client.compute.servers(**everybody),
        "networks": client.network.networks(),
        "volumes": client.block_storage.volumes(**everybody),
    }
    for family, listing in listed.items():
        assert ids(poll(family, cloud)) == sorted(each.id for each in listing), family
