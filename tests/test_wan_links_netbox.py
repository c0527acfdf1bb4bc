"""WAN links of NetBox: tunnels and L2VPNs as three releases were recorded to answer, and their ends."""

import copy
import dataclasses
import importlib
import json
from unittest import mock

import pytest

from modules.wan_links import main
from modules.wan_links import netbox as cell
from shared.engine.errors import InsufficientPermission, InvalidCredentials, UnexpectedResponse
from shared.providers import netbox as provider
from shared.records.status import Point
from tests.fakes import netbox as fakes
from tests.fakes.context import Context

LISTINGS = ("tunnels", "tunnel-terminations", "l2vpns", "l2vpn-terminations")


@pytest.fixture
def netbox():
    running = []

    def start(release=fakes.NEWEST, **more):
        running.append(fakes.NetBox(release, **more))
        return running[-1]

    yield start
    for each in running:
        each.stop()


def event(box, token=fakes.V1):
    return {"provider": "netbox", "credentials": box.credentials(token)}


def get(box, **more):
    found = main.get({**event(box), **more}, Context())
    return {each["id"]: each for each in found}


def sited(box, object_id, name, role="router", site_id=None):
    """A device at a new site of this name."""
    site = box.site(site_id or object_id, name)
    return box.device(object_id, role, site=box.thin("dcim/sites", site))


def circuit(link):
    return link["details"]["circuit"]


def specific(link):
    return link["metadata"]["provider_specific"]


def connected(link):
    return {kind: [each["id"] for each in ids] for kind, ids in link["connections"].items()}


def points(box):
    """The cell's status points by id, from what its own fetch brings."""
    noted: list[Point] = []

    def also_status(record, scope, lookups):
        noted.extend(cell.status(record, scope, lookups))
        return cell.convert(record, scope, lookups)

    with mock.patch.object(cell, "CELL", dataclasses.replace(cell.CELL, convert=also_status)):
        get(box)
    return {point.resource_id: point for point in noted}


@pytest.mark.parametrize("release", fakes.RELEASES)
def test_what_three_releases_were_recorded_to_list(netbox, release):
    box = netbox(release)
    for listing in (f"vpn/{each}" for each in LISTINGS):
        box.lists[listing] = copy.deepcopy(fakes.SAMPLES[release]["lists"][listing]["objects"])
        assert box.lists[listing]
    found = get(box)
    recorded = [("tunnel", each) for each in box.lists["vpn/tunnels"]]
    recorded += [("l2vpn", each) for each in box.lists["vpn/l2vpns"]]
    assert sorted(found) == sorted(f"{kind}:{each['id']}" for kind, each in recorded)
    for kind, record in recorded:
        link = found[f"{kind}:{record['id']}"]
        assert link["base"]["name"] == record["name"]
        assert link["type"] == "circuit"
        assert circuit(link)["type_id"] == "wan_link"
        assert circuit(link)["carrier"] is None
        status = record.get("status")
        assert specific(link).get("provider_state") == (status and status["value"])
        assert specific(link)["link_kind"] == kind
    text = json.dumps(list(found.values()))
    assert '"url"' not in text


def test_a_tunnel_between_two_sites(netbox):
    box = netbox()
    near, far = sited(box, 1, "Tokyo"), sited(box, 2, "Frankfurt")
    box.tunnel(7, (near, "peer"), (far, "peer"), tunnel_id=4711)
    (link,) = get(box).values()
    assert link["id"] == "tunnel:7"
    assert circuit(link)["endpoint_a"] == "Frankfurt (device-2 eth0)"
    assert circuit(link)["endpoint_b"] == "Tokyo (device-1 eth0)"
    assert circuit(link)["reference"] == "4711"
    assert connected(link) == {"appliance": ["1", "2"]}
    assert [each["location"]["name"] for each in link["base"]["locations"]] == [
        "Frankfurt",
        "Tokyo",
    ]
    assert link["base"]["native_portal_link"] == f"{box.url}/vpn/tunnels/7/"


def test_a_hub_comes_first_and_the_other_end_is_elsewhere(netbox):
    box = netbox()
    hub, here = sited(box, 1, "Zürich"), sited(box, 2, "Zürich West")
    also = box.device(3, site=hub["site"])
    box.tunnel(1, (here, "spoke"), (also, "spoke"), (hub, "hub"))
    (link,) = get(box).values()
    assert circuit(link)["endpoint_a"] == "Zürich (device-1 eth0)"
    assert circuit(link)["endpoint_b"] == "Zürich West (device-2 eth0)"
    assert [each["name"] for each in specific(link)["ends"]] == [
        "device-1 eth0",
        "device-3 eth0",
        "device-2 eth0",
    ]


def test_an_l2vpn_of_three_sites_is_one_link_with_all_its_ends(netbox):
    box = netbox()
    vlans = []
    for number, name in enumerate(("Osaka", "Kyoto", "Nara"), 1):
        site = box.site(number, name)
        thin = box.thin("dcim/sites", site)
        vlans.append(box.add("ipam/vlans", number, name="lan", vid=100 + number, site=thin))
    box.l2vpn(1, *vlans, identifier=10100)
    (link,) = get(box).values()
    assert circuit(link)["endpoint_a"] == "Kyoto (VLAN 102 lan)"
    assert circuit(link)["endpoint_b"] == "Nara (VLAN 103 lan)"
    assert circuit(link)["reference"] == "10100"
    assert connected(link) == {"network": ["vlan:1", "vlan:2", "vlan:3"]}
    assert [each["site"] for each in specific(link)["ends"]] == ["Kyoto", "Nara", "Osaka"]


def test_the_order_of_the_ends_in_netbox_changes_nothing(netbox):
    links = []
    for order in (1, -1):
        box = netbox()
        boxes = [sited(box, number, f"Site {number}") for number in (1, 2, 3)]
        box.tunnel(1, *((each, "peer") for each in boxes[::order]))
        (link,) = get(box).values()
        links.append((circuit(link), specific(link)["ends"], link["connections"]))
    assert links[0] == links[1]


def test_ends_join_what_the_other_families_report(netbox):
    box = netbox()
    router, server = sited(box, 1, "A"), sited(box, 2, "B", role="server")
    place = box.thin("dcim/sites", router["site"] | {"id": 1})
    machine = box.add("virtualization/virtual-machines", 3, name="vm-3", site=place)
    vlan = box.add("ipam/vlans", 4, name="lan", site=place)
    box.l2vpn(1, router, server, machine, vlan)
    (link,) = get(box).values()
    there = {
        (each["type"], each["id"])
        for family in ("servers", "networks", "appliances")
        for each in importlib.import_module(f"modules.{family}.main").get(event(box), Context())
    }
    joined = {(kind, each) for kind, ids in connected(link).items() for each in ids}
    assert joined == {
        ("appliance", "1"),
        ("server", "2"),
        ("server", "virtual-machine:3"),
        ("network", "vlan:4"),
    }
    assert joined <= there


def test_what_went_while_the_lists_were_read_is_not_connected_to(netbox):
    box = netbox()
    router, gone = sited(box, 1, "A"), sited(box, 2, "B")
    box.tunnel(1, (router, "peer"), (gone, "peer"))
    box.after["vpn/tunnel-terminations"] = lambda _: box.lists["dcim/devices"].remove(gone)
    (link,) = get(box).values()
    assert connected(link) == {"appliance": ["1"]}
    assert {circuit(link)["endpoint_a"], circuit(link)["endpoint_b"]} == {
        "A (device-1 eth0)",
        "device-2 eth0",
    }


def test_a_link_without_ends_is_a_link(netbox):
    box = netbox()
    box.tunnel(1)
    (link,) = get(box).values()
    assert circuit(link)["endpoint_a"] is None
    assert circuit(link)["endpoint_b"] is None
    assert "ends" not in specific(link)


@pytest.mark.parametrize(
    "word, state, level",
    [
        ("active", "running", "ok"),
        ("planned", "pending", "warning"),
        ("disabled", "stopped", "warning"),
        ("decommissioning", "shutting", "warning"),
        ("an-operators-own", "unknown", "unknown"),
    ],
)
def test_each_word_of_a_status(netbox, word, state, level):
    box = netbox()
    ends = [(sited(box, number, f"Site {number}"), "peer") for number in (1, 2)]
    box.tunnel(1, *ends, status={"value": word, "label": "For people"})
    (link,) = get(box).values()
    assert specific(link)["state"] == state
    assert specific(link)["provider_state"] == word
    point = points(box)["tunnel:1"]
    assert (point.resource_type, point.level) == ("circuit", level)
    assert point.message == f"NetBox documents it as {word}"
    assert point.time is None  # NetBox does not say since when


@pytest.mark.parametrize(
    "ends, level, message",
    [
        (0, "warning", "NetBox documents it as active, with no ends"),
        (1, "warning", "NetBox documents it as active, with 1 end"),
        (2, "ok", "NetBox documents it as active"),
    ],
)
def test_an_active_link_with_less_than_two_ends_is_worth_a_warning(netbox, ends, level, message):
    box = netbox()
    at = [(sited(box, number, f"Site {number}"), "peer") for number in range(1, ends + 1)]
    box.tunnel(1, *at, status={"value": "active", "label": "Active"})
    point = points(box)["tunnel:1"]
    assert (point.level, point.message) == (level, message)


def test_an_l2vpn_before_4_3_has_no_status(netbox):
    box = netbox("4.1.11")
    ends = [sited(box, number, f"Site {number}") for number in (1, 2)]
    box.l2vpn(1, *ends)
    (link,) = get(box).values()
    assert specific(link)["state"] == "unknown"
    assert "provider_state" not in specific(link)
    point = points(box)["l2vpn:1"]
    assert (point.level, point.message) == ("unknown", "NetBox documents no status of it")


@pytest.mark.parametrize("cap", [1000, 3])
def test_all_links_come_however_small_the_pages(netbox, cap):
    box = netbox(cap=cap).fill(devices=4, links=10)
    found = get(box)
    assert len(found) == 20
    assert all(len(specific(link)["ends"]) == 2 for link in found.values())


def test_the_cost_does_not_grow_with_the_ends(netbox):
    box = netbox().fill(devices=4, links=100)
    get(box)
    asked = {path: count for path, count in box.counts.items() if path != "/api/status/"}
    assert set(asked.values()) == {1}
    assert len(asked) == 6  # two of links, two of ends, devices and sites


def test_nothing_but_two_empty_lists_is_asked_of_a_netbox_without_links(netbox):
    box = netbox().fill(devices=4)
    assert get(box) == {}
    assert set(box.counts) == {"/api/vpn/tunnels/", "/api/vpn/l2vpns/"}


@pytest.mark.parametrize("permission", [name for name in cell.CELL.permissions if "vpn" in name])
def test_a_missing_permission_is_named(netbox, permission):
    box = netbox().fill(devices=2, links=1)
    box.tokens["weak"] = {name for name in fakes.RIGHTS.values() if name != permission}
    with pytest.raises(InsufficientPermission, match=permission):
        main.get(event(box, "weak"), Context())


def test_the_declared_permissions_are_enough(netbox):
    box = netbox().fill(devices=2, links=1)
    box.tokens["least"] = set(cell.CELL.permissions)
    machine = box.add("virtualization/virtual-machines", 1, name="vm")
    box.l2vpn(9, machine, box.add("ipam/vlans", 1, name="lan"))
    assert len(main.get(event(box, "least"), Context())) == 3


def test_a_wrong_token(netbox):
    with pytest.raises(InvalidCredentials):
        main.get(event(netbox(), "0" * 40), Context())


@pytest.mark.parametrize("listing", LISTINGS)
def test_a_listing_that_something_hides_fails_the_poll(netbox, listing):
    box = netbox().fill(devices=2, links=1)
    box.html_404.add(f"vpn/{listing}")
    with pytest.raises(UnexpectedResponse, match=f"vpn/{listing}"):
        get(box)


def test_validate_credentials(netbox):
    answer = main.validate_credentials(event(netbox()), Context())
    assert answer["ok"] is True
    assert "NetBox 4.6.8" in answer["account"]


def test_the_keys_of_a_tunnel_are_not_asked_for():
    assert not [each for each in provider.LISTINGS if "ike" in each or "ipsec" in each]
