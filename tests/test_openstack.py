"""OpenStack, whole polls: the handlers against the simulator in tests/fakes/openstack.py."""

import importlib
import json
import math
import types

import pytest

from shared.engine.errors import (
    ConnectorError,
    InsufficientPermission,
    InvalidCredentials,
    InvalidEvent,
    OutOfTime,
    UnexpectedResponse,
    Unreachable,
)
from shared.providers import openstack
from shared.providers.openstack import listings
from shared.transport import http
from tests.fakes import openstack as fakes
from tests.fakes.context import Context

FAMILIES = ("servers", "networks", "volumes")
LISTS = {
    "servers": "/compute/v2.1/servers/detail",
    "networks": "/network/v2.0/networks",
    "volumes": f"/volume/v3/{fakes.PROJECT}/volumes/detail",
}
SIZES = {"servers": 7, "networks": 7, "volumes": 7}
LOGIN = "/identity/v3/auth/tokens"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(http, "FIRST_DELAY_S", 0)
    monkeypatch.setattr(openstack.listings, "PAGE_SIZE", 3)


@pytest.fixture
def cloud():
    simulator = fakes.Cloud()
    yield simulator
    simulator.stop()


def poll(family, cloud, user="reader", context=None, options=None, **more):
    event = {
        "account_id": "acc",
        "provider": "openstack",
        "credentials": cloud.credentials(user, **more),
        "options": options or {},
    }
    return get(family, event, context or Context())


def get(family, event, context=None):
    return importlib.import_module(f"modules.{family}.main").get(event, context or Context())


def ids(resources):
    return [each["id"] for each in resources]


def expected_ids(cloud, family):
    kinds = {"servers": "compute", "networks": "network", "volumes": "volume"}
    return sorted(each["id"] for each in cloud.lists[kinds[family], family])


def without_time(resources):
    return json.loads(
        json.dumps(resources),
        object_hook=lambda o: {**o, "last_seen_at": None} if "name" in o else o,
    )


# --- complete -----------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_more_pages_than_one_are_complete_and_without_duplicates(cloud, family):
    cloud.fill(**SIZES)
    found = ids(poll(family, cloud))
    assert found == expected_ids(cloud, family)
    assert cloud.counts[LISTS[family]] == 3


def pages_of(count):
    return math.floor(count / 3) + 1  # a full page links to another one, which may be empty


@pytest.mark.parametrize("family", FAMILIES)
def test_calls_are_those_that_the_cell_states(cloud, family):
    cloud.fill(**SIZES)
    cloud.lists["network", "routers"] = [
        {"id": f"r{n}", "project_id": fakes.PROJECT, "external_gateway_info": None}
        for n in range(4)
    ]
    poll(family, cloud)
    volume, network = f"/volume/v3/{fakes.PROJECT}", "/network/v2.0"
    expected = {
        "servers": {
            LISTS["servers"]: pages_of(7),
            f"{network}/ports": pages_of(7),
            f"{network}/networks": pages_of(7),
            f"{network}/floatingips": 1,
            f"{volume}/volumes/detail": pages_of(7),
            "/image/v2/images": 1,
            "/compute/v2.1": 1,
        },
        "networks": {
            f"{network}/networks": pages_of(7),
            f"{network}/subnets": pages_of(7),
            f"{network}/routers": pages_of(4),
            f"{network}/ports": 1,
        },
        "volumes": {
            LISTS["volumes"]: pages_of(7),
            f"{volume}/types": 1,
            f"{volume}/qos-specs": 1,
        },
    }[family]
    assert dict(cloud.counts) == {LOGIN: 1, **expected}


def test_one_call_for_each_image_that_is_not_listed_and_none_for_each_server(cloud):
    cloud.fill(servers=7)
    for each in cloud.lists["compute", "servers"]:
        each["image"] = {"id": "hidden"} if each["name"][-1] in "135" else {"id": "deleted"}
    cloud.unlisted = [fakes.image(9, id="hidden", os_type="windows", name="Win")]
    found = poll("servers", cloud)
    details = {json.dumps(each["details"]["server"]["image_detail"]) for each in found}
    assert {
        (json.loads(d)["id"], json.loads(d)["type"], json.loads(d)["name"]) for d in details
    } == {
        ("hidden", "Windows", "Win"),
        ("deleted", None, None),
    }
    assert cloud.counts["/image/v2/images/hidden"] == 1
    assert cloud.counts["/image/v2/images/deleted"] == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_an_empty_project_is_an_empty_list(cloud, family):
    assert poll(family, cloud) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_two_polls_are_alike_but_for_the_time(cloud, family):
    cloud.fill(**SIZES)
    assert without_time(poll(family, cloud)) == without_time(poll(family, cloud))


def test_connections_join_up(cloud):
    cloud.fill(**SIZES)
    found = [each for family in FAMILIES for each in poll(family, cloud)]
    known = {(each["type"], each["id"]) for each in found}
    used = {(k, c["id"]) for each in found for k, cs in each["connections"].items() for c in cs}
    assert {kind for kind, _ in used} == {"server", "network", "volume"}
    assert used <= known


def test_a_port_on_a_network_that_the_project_cannot_see_is_no_connection(cloud):
    """An admin's doing. An admin of one project sees the network, but it is not reported either."""
    cloud.fill(servers=1, networks=2)
    private = fakes.network(9, fakes.OTHER)
    cloud.lists["network", "networks"].append(private)
    port = fakes.port(9, device_id=fakes.identifier("server", 0), network_id=private["id"])
    cloud.lists["network", "ports"].append(port)
    address = {"addr": "10.7.0.9", "OS-EXT-IPS-MAC:mac_addr": port["mac_address"]}
    cloud.lists["compute", "servers"][0]["addresses"]["net-9"] = [address]
    for user in ("reader", "admin"):
        (found,) = poll("servers", cloud, user)
        assert found["connections"]["network"] == [{"id": fakes.identifier("network", 0)}]
        specific = found["metadata"]["provider_specific"]
        assert specific["networks_of_other_projects"] == [private["id"]]
        at = found["details"]["server"]["ip_addresses"][-1]
        assert at["ip_address"] == "10.7.0.9" and "network" not in at
    (found,) = poll("servers", cloud, "admin", all_projects=True)
    assert {"id": private["id"]} in found["connections"]["network"]
    assert "networks_of_other_projects" not in found["metadata"]["provider_specific"]


def test_ports_of_the_same_mac_address_keep_their_networks(cloud):
    cloud.fill(servers=2, networks=3)
    server, other = cloud.lists["compute", "servers"]
    first = cloud.lists["network", "ports"][0]
    mac, fixed = first["mac_address"], {"subnet_id": "s", "ip_address": "10.8.0.1"}
    more = {"device_id": server["id"], "mac_address": mac, "fixed_ips": [fixed]}
    network = fakes.identifier("network", 2)
    cloud.lists["network", "ports"].append(fakes.port(7, network_id=network, **more))
    # the networks have the same name, as they may, so that their addresses are in one list
    server["addresses"] = {
        "twin": [
            {"addr": "10.8.0.1", "OS-EXT-IPS-MAC:mac_addr": mac},
            {"addr": "10.0.0.0", "OS-EXT-IPS-MAC:mac_addr": mac},
        ]
    }
    found = {each["id"]: each for each in poll("servers", cloud)}
    at = found[server["id"]]["details"]["server"]["ip_addresses"]
    on = {each["ip_address"]: each["network"]["id"] for each in at}
    assert on == {"10.8.0.1": network, "10.0.0.0": first["network_id"]}
    assert {each["id"] for each in found[server["id"]]["connections"]["network"]} == set(
        on.values()
    )
    (address,) = found[other["id"]]["details"]["server"]["ip_addresses"]
    assert address["network"]["id"] == fakes.identifier("network", 0)
    assert [query["mac_address"] for _, query in cloud.queries if "mac_address" in query] == [[mac]]


def test_a_shelved_server_and_its_volume_name_one_another(cloud):
    """As Nova and Cinder have them: the volume is reserved, and on no server."""
    cloud.fill(servers=7, volumes=7)
    for n in range(0, 7, 3):
        cloud.lists["compute", "servers"][n]["status"] = "SHELVED_OFFLOADED"
        volume = cloud.lists["volume", "volumes"][n]
        volume.update(status="reserved", attachments=[])
        of = {"instance": fakes.identifier("server", n), "volume_id": volume["id"]}
        listed = cloud.lists["volume", "attachments"]
        listed.append({"id": f"r{n}", "status": "reserved", **of})
        listed.append({"id": f"a{n}", "status": "attached", **of, "instance": "another"})
    named = {
        (server["id"], volume["id"])
        for server in poll("servers", cloud)
        for volume in server["connections"].get("volume", ())
    }
    volumes = poll("volumes", cloud)
    assert len(named) == 3
    assert named == {
        (server["id"], volume["id"])
        for volume in volumes
        for server in volume["connections"].get("server", ())
    }


def test_qos_specs_of_more_pages_than_one(cloud):
    """Cinder pages them at the operator's limit, which the client did not request."""
    cloud.max_limit = 2
    for n in range(5):
        specs = {"id": f"q{n}", "specs": {"total_iops_sec": f"{100 + n}"}}
        cloud.lists["volume", "qos_specs"].append(specs)
        kind = {"id": f"type {n}", "name": f"type-{n}", "qos_specs_id": f"q{n}"}
        cloud.lists["volume", "volume_types"].append(kind)
        cloud.lists["volume", "volumes"].append(fakes.volume(n, volume_type=f"type-{n}"))
    found = poll("volumes", cloud, "admin")
    assert {each["details"]["volume"]["iops"] for each in found} == {100, 101, 102, 103, 104}


def test_a_service_that_the_catalog_lacks_is_no_failure(cloud):
    cloud.fill(**SIZES)
    cloud.absent = {"volumev3", "image", "network"}
    assert poll("volumes", cloud) == []
    found = poll("servers", cloud)
    assert ids(found) == expected_ids(cloud, "servers")
    assert {each["details"]["server"]["image_detail"]["name"] for each in found} == {None}


def test_an_old_nova_gives_the_same_facts_where_both_have_them(cloud):
    cloud.fill(**SIZES)
    new = poll("servers", cloud)
    cloud.newest, cloud.old_urls = "2.1", True
    old = poll("servers", cloud)
    assert cloud.counts[f"/compute/v2.1/{fakes.PROJECT}/flavors/detail"] == 1
    for before, after in zip(old, new):
        # 2.1 does not show a flavor's extra specs, which tell bare metal
        assert before["details"]["server"].pop("is_virtual", None) is None
        assert after["details"]["server"].pop("is_virtual") is True
        assert before["details"] == after["details"]
        assert before["connections"] == after["connections"]
        assert before["base"]["name"] == after["base"]["name"]
        theirs = after["metadata"]["provider_specific"]
        mine = before["metadata"]["provider_specific"]
        assert {k: v for k, v in mine.items() if k != "flavor"} == {
            k: theirs[k] for k in mine if k != "flavor"
        }


def test_a_flavor_that_is_not_listed_is_requested_once(cloud):
    cloud.fill(servers=7)
    cloud.newest, cloud.lists["compute", "flavors"] = "2.1", []
    cloud.unlisted = [fakes.FLAVOR]
    assert {each["details"]["server"]["cpu_cores"] for each in poll("servers", cloud)} == {4}
    assert cloud.counts["/compute/v2.1/flavors/f1"] == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_links_that_name_another_host_keep_the_token_here(cloud, family):
    cloud.fill(**SIZES)
    cloud.links_host = "http://192.0.2.1:1"
    assert ids(poll(family, cloud)) == expected_ids(cloud, family)


@pytest.mark.parametrize(
    "login",
    [
        {
            "application_credential_id": "x",
            "application_credential_secret": "app-secret",
        },
        {
            "OS_USERNAME": "reader",
            "OS_PASSWORD": "reader-pw",
            "OS_TENANT_NAME": "alpha",
        },
        {"user_id": "reader", "password": "reader-pw", "project_id": fakes.PROJECT},
    ],
)
def test_ways_to_log_in(cloud, login):
    cloud.fill(volumes=2)
    if "user_id" in login:
        login = {**login, "username": login["user_id"]}
        del login["user_id"]
    event = {
        "provider": "openstack",
        "credentials": {"auth_url": cloud.auth_url, **login},
    }
    assert len(get("volumes", event)) == 2


def test_a_token_is_a_login(cloud):
    cloud.fill(volumes=2)
    cloud.tokens["the-token"] = "reader"
    given = {"auth_url": cloud.auth_url, "token": "the-token", "project_name": "alpha"}
    assert len(get("volumes", {"provider": "openstack", "credentials": given})) == 2


@pytest.mark.parametrize("moment", ["before the poll", "within it"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_token_that_keystone_does_not_know(cloud, family, moment):
    """Expired, revoked or none at all: Keystone says 404, which is not that something is gone."""
    cloud.fill(**SIZES)
    given = {"auth_url": cloud.auth_url, "token": "the-t0ken", "project_name": "alpha"}
    if moment == "within it":
        cloud.tokens["the-t0ken"] = "reader"

        def expire(body):
            cloud.expire_tokens()
            return body

        cloud.fault("/identity/v3/auth/tokens", expire, times=1)
    with pytest.raises(InvalidCredentials, match="Keystone does not know the login") as caught:
        get(family, {"provider": "openstack", "credentials": given})
    assert "the-t0ken" not in str(caught.value)


def test_an_application_credential_that_was_deleted(cloud):
    given = {"application_credential_id": "x", "application_credential_secret": "gone"}
    given["auth_url"] = cloud.auth_url
    with pytest.raises(InvalidCredentials, match="Keystone does not know the login"):
        get("volumes", {"provider": "openstack", "credentials": given})


def test_a_server_without_a_keystone_is_not_a_wrong_login(cloud, monkeypatch):
    """It says 404 too, but not in Keystone's words."""
    page = 404, b"<html>Not Found</html>", {"Content-Type": "text/html"}
    monkeypatch.setattr(cloud, "_send", lambda request, *_, **__: cloud._send_bytes(request, *page))
    given = {"auth_url": f"{cloud.url}/nothing", "token": "t", "project_name": "alpha"}
    with pytest.raises(UnexpectedResponse, match="404"):
        get("volumes", {"provider": "openstack", "credentials": given})


@pytest.mark.parametrize("family", FAMILIES)
def test_access_rules_that_do_not_cover_a_call(cloud, family):
    cloud.fill(**SIZES)
    cloud.access_rules = [
        {"service": "network", "method": "GET", "path": "/v2.0/subnets"},
        {"service": "block-storage", "method": "GET", "path": "/v3/*/types"},
    ]
    given = {"application_credential_id": "x", "application_credential_secret": "app-secret"}
    given["auth_url"] = cloud.auth_url
    with pytest.raises(InsufficientPermission, match="access rules.* do not cover GET /") as caught:
        get(family, {"provider": "openstack", "credentials": given})
    assert "network GET /v2.0/subnets" in str(caught.value)
    cloud.access_rules = [{"service": "x", "method": "GET", "path": "/*"}]
    assert len(get(family, {"provider": "openstack", "credentials": given})) == 7


def test_credentials_are_validated_by_a_login_alone(cloud):
    validate = importlib.import_module("modules.servers.main").validate_credentials
    event = {"provider": "openstack", "credentials": cloud.credentials()}
    assert validate(event, Context()) == {"ok": True, "account": "alpha (reader)"}
    assert dict(cloud.counts) == {LOGIN: 1}
    event["credentials"]["password"] = "wrong-one"
    answer = validate(event, Context())
    assert answer["ok"] is False and "InvalidCredentials" in answer["reason"]


# --- too few rights -------------------------------------------------------------------------------


def test_an_admin_of_one_project_gets_that_project(cloud):
    cloud.fill(networks=3)
    others = [
        fakes.network(90, fakes.OTHER),
        fakes.network(91, fakes.OTHER, shared=True),
        fakes.network(92, fakes.OTHER, **{"router:external": True}),
    ]
    cloud.lists["network", "networks"] += others
    context = Context()
    found = set(ids(poll("networks", cloud, "admin", context)))
    assert found == set(expected_ids(cloud, "networks")) - {others[0]["id"]}
    assert any("of another project" in line for line in context.lines)


@pytest.mark.parametrize("family", FAMILIES)
def test_all_projects_for_an_admin(cloud, family):
    cloud.fill(**SIZES)
    make = {
        "servers": fakes.server,
        "networks": fakes.network,
        "volumes": fakes.volume,
    }[family]
    kind = {"servers": "compute", "networks": "network", "volumes": "volume"}[family]
    cloud.lists[kind, family].append(make(99, fakes.OTHER))
    assert len(poll(family, cloud, "admin", all_projects=True)) == 8
    assert len(poll(family, cloud, "reader")) == 7


@pytest.mark.parametrize("records", [0, 7])
@pytest.mark.parametrize("family", FAMILIES)
def test_all_projects_for_a_reader_is_refused(cloud, family, records):
    cloud.fill(records, records, records)
    with pytest.raises(InsufficientPermission, match="admin"):
        poll(family, cloud, "reader", all_projects=True)


@pytest.mark.parametrize("records", [0, 7])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_role_that_no_policy_knows_is_refused(cloud, family, records):
    cloud.fill(records, records, records)
    cloud.lists["network", "networks"].append(fakes.network(91, fakes.OTHER, shared=True))
    with pytest.raises(InsufficientPermission, match="reader"):
        poll(family, cloud, "useless")


def test_a_user_without_a_project(cloud):
    with pytest.raises((InvalidCredentials, InsufficientPermission), match="project"):
        poll("servers", cloud, "nobody")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_denied_call_is_named(cloud, family):
    cloud.fill(**SIZES)
    cloud.fault(LISTS[family], 403)
    with pytest.raises(InsufficientPermission, match=LISTS[family].rpartition("/")[2]) as caught:
        poll(family, cloud)
    assert "alpha/RegionOne" in str(caught.value)


# --- faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_password(cloud, family):
    context = Context()
    with pytest.raises(InvalidCredentials) as caught:
        poll(family, cloud, context=context, password="wr0ng-canary")
    assert "wr0ng-canary" not in str(caught.value) + "".join(context.lines)
    assert dict(cloud.counts) == {LOGIN: 1}


@pytest.mark.parametrize("kind", [500, 502, 503, "drop", "cut"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_service_that_is_down(cloud, family, kind):
    cloud.fill(**SIZES)
    cloud.fault(LISTS[family], kind)
    with pytest.raises(Unreachable, match="alpha/RegionOne"):
        poll(family, cloud)
    assert cloud.counts[LISTS[family]] == http.ATTEMPTS


def test_keystone_down():
    cloud = fakes.Cloud()
    cloud.stop()
    with pytest.raises(Unreachable):
        poll("servers", cloud)


@pytest.mark.parametrize("path", [LOGIN, *LISTS.values()])
def test_throttled_three_times_then_complete(cloud, path):
    cloud.fill(**SIZES)
    cloud.fault(path, (429, {"Retry-After": "0"}), times=3)
    family = next((name for name in FAMILIES if LISTS[name] == path), "servers")
    assert ids(poll(family, cloud)) == expected_ids(cloud, family)


@pytest.mark.parametrize("kind", [500, "cut", "drop"])
@pytest.mark.parametrize("family", FAMILIES)
def test_one_fault_that_passes(cloud, family, kind):
    cloud.fill(**SIZES)
    cloud.fault(LISTS[family], kind, times=1)
    assert ids(poll(family, cloud)) == expected_ids(cloud, family)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_marker_deleted_between_two_pages_restarts_the_listing(cloud, family):
    cloud.fill(**SIZES)
    cloud.delete_marker[{"networks": "networks"}.get(family, f"{family}/detail")] = 1
    found = ids(poll(family, cloud))
    assert set(expected_ids(cloud, family)) <= set(found)
    assert len(found) == len(set(found))
    assert len(expected_ids(cloud, family)) == 6


def test_a_404_as_a_page_does_not_say_that_a_service_lacks_something(cloud):
    """The service's own does: it is JSON, as requested."""
    cloud.fill(**SIZES)
    cloud.fault("/v2.0/floatingips", 404, times=1)
    poll("servers", cloud)
    cloud.fault("/v2.0/floatingips", (404, {"Content-Type": "text/html; charset=utf-8"}))
    with pytest.raises(UnexpectedResponse, match="/v2.0/floatingips.* answered 404"):
        poll("servers", cloud)


def test_a_listing_that_is_not_found_any_more_is_no_absent_one(monkeypatch):
    link = {"rel": "next", "href": "http://192.0.2.1/x?marker=1"}
    answers = [{"floatingips": [{"id": "1"}], "floatingips_links": [link]}]

    def get(*_):
        if answers:
            return answers.pop()
        raise openstack.NotFound("not found")

    monkeypatch.setattr(listings, "get", get)
    with pytest.raises(UnexpectedResponse, match="/floatingips .*not found"):
        list(openstack.pages(None, "network", "/floatingips", "floatingips"))


def test_a_marker_that_is_always_gone_is_an_error(cloud):
    cloud.fill(volumes=50)
    cloud.delete_marker["volumes/detail"] = 100
    with pytest.raises(ConnectorError):
        poll("volumes", cloud)
    assert cloud.counts[LISTS["volumes"]] == 2 * (openstack.RESTARTS + 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_page_loop(cloud, family):
    cloud.fill(**SIZES)

    marker = expected_ids(cloud, family)[0]
    link = [{"rel": "next", "href": f"http://192.0.2.1/x?marker={marker}"}]
    cloud.fault(LISTS[family], lambda body: {**body, f"{family}_links": link})
    with pytest.raises(UnexpectedResponse, match="loop"):
        poll(family, cloud, options={"deadline_s": 10})


@pytest.mark.parametrize(
    "kind",
    [
        "html",
        lambda body: {},
        lambda body: [],
        lambda body: {key: None for key in body},
        lambda body: {key: "text" for key in body},
        lambda body: {key: [1] for key in body},
    ],
    ids=["html", "no key", "a list", "null", "text", "numbers"],
)
@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_that_is_no_listing(cloud, family, kind):
    cloud.fill(**SIZES)
    cloud.fault(LISTS[family], kind)
    with pytest.raises(UnexpectedResponse):
        poll(family, cloud)


@pytest.mark.parametrize("kind", ["html", lambda body: {}, lambda body: {"token": None}])
def test_a_keystone_that_is_none(cloud, kind):
    cloud.fault(LOGIN, kind)
    with pytest.raises(UnexpectedResponse):
        poll("servers", cloud)


@pytest.mark.parametrize(
    "document",
    [
        {"version": []},
        {"version": 7},
        {"versions": [7]},
        {"versions": {"values": 7}},
        {"version": {"id": "v2.1", "version": "x.y", "links": 7, "status": []}},
        "text",
        7,
    ],
    ids=str,
)
def test_a_version_document_that_is_none(cloud, document):
    cloud.fault("/compute/v2.1/?$", lambda body: document)
    with pytest.raises(ConnectorError) as caught:
        poll("servers", cloud)
    assert isinstance(caught.value, (UnexpectedResponse, Unreachable))


@pytest.mark.parametrize(
    "change",
    [
        {"catalog": [7]},
        {"catalog": 7},
        {"catalog": [{"type": "compute", "endpoints": 7}]},
        {"catalog": [{"type": "compute", "endpoints": [{"url": 7}]}]},
        {"roles": [7]},
        {"roles": 7},
        {"user": []},
        {"project": {"id": 7, "name": "x"}},
        {"expires_at": "soon"},
        {"expires_at": "9999-99-99T00:00:00Z"},
    ],
    ids=str,
)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_token_that_is_none(cloud, family, change):
    cloud.fault(LOGIN, lambda body: {"token": {**body["token"], **change}})
    with pytest.raises(UnexpectedResponse):
        poll(family, cloud)


@pytest.mark.parametrize(
    "url",
    ["http://[::1", "http://host:99999/", "http://" + "a" * 64 + ".invalid/", "", "file:///x"],
)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_catalog_with_urls_that_are_none(cloud, family, url):
    def change(body):
        for service in body["token"]["catalog"]:
            for endpoint in service["endpoints"]:
                endpoint["url"] = url
        return body

    cloud.fault(LOGIN, change)
    with pytest.raises(UnexpectedResponse, match="the catalog's public URL of"):
        poll(family, cloud)


@pytest.mark.parametrize("interface", ["internal", "admin"])
def test_an_interface_that_the_catalog_lacks_is_no_empty_cloud(cloud, interface):
    cloud.fill(**SIZES)
    with pytest.raises(InvalidEvent, match="interface"):
        poll("servers", cloud, interface=interface)


def test_a_catalog_without_services_is_no_empty_cloud(cloud):
    cloud.absent = {"compute", "network", "volumev3", "image"}
    with pytest.raises(ConnectorError, match="catalog"):
        poll("servers", cloud)


def test_a_region_that_the_catalog_lacks(cloud):
    with pytest.raises(InvalidEvent, match="region_name.*RegionOne"):
        poll("servers", cloud, region_name="Elsewhere")


@pytest.mark.parametrize("family", FAMILIES)
def test_an_expired_token_is_renewed(cloud, family):
    cloud.fill(**SIZES)

    def expire(body):
        cloud.expire_tokens()
        return body

    cloud.fault(LISTS[family], expire, times=1)
    assert ids(poll(family, cloud)) == expected_ids(cloud, family)
    assert cloud.counts[LOGIN] == 2


def test_a_token_that_is_refused_for_good(cloud):
    cloud.fill(**SIZES)
    cloud.fault(LISTS["volumes"], 401)
    with pytest.raises(InvalidCredentials):
        poll("volumes", cloud)
    assert cloud.counts[LISTS["volumes"]] == 2


@pytest.mark.parametrize("path", [LISTS["volumes"], LOGIN])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])  # another port, another host
@pytest.mark.parametrize("status", [301, 302, 303, 305, 307, 308])
def test_a_redirect_never_takes_the_token_or_the_password_along(cloud, status, host, path):
    other = fakes.Cloud()
    try:
        cloud.fill(**SIZES)
        to = other.url.replace("127.0.0.1", host) + path
        cloud.fault(path, (status, {"Location": to}))
        with pytest.raises(UnexpectedResponse):
            poll("volumes", cloud)
        assert not other.counts
    finally:
        other.stop()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_stalled_service_ends_at_the_deadline(cloud, family, run_out_at):
    cloud.fill(**SIZES)
    cloud.fault(LISTS[family], "stall")
    run_out_at(2)  # the login answers, the project's listing does not
    with pytest.raises(OutOfTime, match="unfinished: alpha/RegionOne"):
        poll(family, cloud)


def test_no_secret_is_shown(cloud, capsys):
    secrets = ["reader-pw", "gAAAA"]
    cloud.fill(**SIZES)
    for kind in (403, 500, "html"):
        context = Context()
        cloud._faults.clear()
        cloud.fault(LISTS["servers"], kind)
        with pytest.raises(ConnectorError) as caught:
            poll("servers", cloud, context=context)
        shown = str(caught.value) + repr(caught.value) + "".join(context.lines)
        assert not [each for each in secrets if each in shown]
    out = capsys.readouterr()
    assert not [each for each in secrets if each in out.out + out.err]
    assert "reader-pw" not in repr(openstack.credentials(cloud.credentials(), False))


def test_an_unverified_endpoint_is_logged_at_each_poll(cloud):
    context = Context()
    poll("volumes", cloud, context=context, verify=False)
    assert any("TLS" in line for line in context.lines)


# --- bad events: no call is made --------------------------------------------------------------------


@pytest.mark.parametrize(
    "credentials, names",
    [
        ({}, "credentials"),
        ({"auth_url": None, "password": "x"}, "auth_url"),
        ({"auth_url": "URL"}, "username"),
        ({"auth_url": "URL", "username": "u"}, "password"),
        ({"auth_url": "URL", "username": "u", "password": ""}, "password"),
        ({"auth_url": "URL", "username": "u", "password": 5}, "password"),
        ({"auth_url": "URL", "password": "p"}, "username"),
        (
            {"auth_url": "URL", "application_credential_id": "x"},
            "application_credential_secret",
        ),
        (
            {
                "auth_url": "URL",
                "application_credential_name": "x",
                "application_credential_secret": "y",
            },
            "username",
        ),
        ({"auth_url": "no url", "username": "u", "password": "p"}, "auth_url"),
        ({"auth_url": "file:///etc/x", "username": "u", "password": "p"}, "auth_url"),
        (
            {
                "auth_url": "URL",
                "username": "u",
                "password": "p",
                "project_name": "p",
                "interface": "outside",
            },
            "interface",
        ),
        (
            {
                "auth_url": "URL",
                "username": "u",
                "password": "p",
                "project_name": "p",
                "verify": "perhaps",
            },
            "verify",
        ),
    ],
)
def test_a_bad_event_makes_no_call_even_with_the_hosts_own_credentials(
    cloud, monkeypatch, credentials, names
):
    for name, value in cloud.credentials().items():
        monkeypatch.setenv(f"OS_{name.upper()}", value)
    given = {k: cloud.auth_url if v == "URL" else v for k, v in credentials.items()}
    with pytest.raises(InvalidEvent, match=names):
        get("servers", {"provider": "openstack", "credentials": given})
    assert not cloud.counts


def test_the_hosts_own_credentials_where_the_operator_allows_them(cloud, monkeypatch):
    cloud.fill(volumes=2)
    for name, value in cloud.credentials().items():
        monkeypatch.setenv(f"OS_{name.upper()}", value)
    event = {"provider": "openstack", "credentials": {}}
    assert len(get("volumes", event, Context(ambient_credentials=True))) == 2


def test_the_least_permissions():
    rights = openstack.least_permissions(("get_port", "get_network", "get_port"))
    assert "reader" in json.dumps(rights) and "admin" in json.dumps(rights)
    assert rights["policies"] == ["get_network", "get_port"]
    assert rights["roles_where_reader_is_too_little"] == {}


def test_the_policies_that_a_reader_lacks_as_shipped():
    """Nova's diagnostics are for admins, VPNaaS has none for readers, and Octavia's older roles are its own."""
    policies = [
        "get_endpoint_group",
        "get_ipsec_site_connection",
        "get_vpnservice",
        "os_compute_api:os-server-diagnostics",
        "os_compute_api:servers:detail",
        "os_load-balancer_api:loadbalancer:get_all",
    ]
    rights = openstack.least_permissions(policies)
    assert rights["roles_where_reader_is_too_little"] == {
        "admin": ["os_compute_api:os-server-diagnostics"],
        "load-balancer_observer": ["os_load-balancer_api:loadbalancer:get_all"],
        "member": ["get_endpoint_group", "get_ipsec_site_connection", "get_vpnservice"],
    }


@pytest.mark.parametrize(
    "service, needed",
    [
        ("load-balancer", "role reader, in older releases load-balancer_observer, is needed"),
        ("network", "role reader is needed"),
    ],
)
def test_the_role_that_a_service_requires_is_named(service, needed):
    assert listings._role_needed(types.SimpleNamespace(all_projects=False), service) == needed
    everything = types.SimpleNamespace(all_projects=True)
    assert listings._role_needed(everything, service) == "all_projects needs role admin"


@pytest.mark.parametrize("by", [("id",), ("id", "mac")])
@pytest.mark.parametrize(
    "page",
    [
        [],
        [{"id": "a", "mac": "1"}, {"id": "b", "mac": "2"}],
        [{"id": "a", "mac": 1}, {"id": "b"}, {"id": "", "mac": "2"}, {"id": 0}, {"mac": None}],
    ],
)
def test_the_identities_of_a_page_are_those_of_its_records(page, by):
    each = {listings._identity(record, by) for record in page}
    assert listings._identities(page, by) == each - {None}
