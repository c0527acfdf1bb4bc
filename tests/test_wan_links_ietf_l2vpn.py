"""Services of the L2VPN service model as WAN links: sites and their accesses, rates, starts and stops."""

import datetime
import itertools
from unittest import mock

import pytest

from modules.wan_links import ietf_l2vpn as cell
from modules.wan_links import main
from shared.engine.errors import UnexpectedResponse
from shared.providers import ietf_l2vpn
from tests import yang
from tests.fakes import ietf_l2vpn as fakes
from tests.fakes import restconf
from tests.fakes.context import Context
from tests.fakes.ietf_l2vpn import L2vpn

MAY, JUNE = "2026-05-01T08:00:00Z", "2026-06-01T08:00:00+09:00"

SCOPE = ietf_l2vpn.Scope("wim", mock.create_autospec(ietf_l2vpn.Session))


@pytest.fixture
def wim():
    with L2vpn() as made:
        yield made


def get(wim):
    event = {"provider": "ietf_l2vpn", "credentials": wim.credentials()}
    return {each["id"]: each for each in main.get(event, Context())}


def one(wim):
    (link,) = get(wim).values()
    return link


def circuit(link):
    return link["details"]["circuit"]


def specific(link):
    return link["metadata"]["provider_specific"]


def status(wim):
    (service,) = wim.services
    (point,) = cell.status({**service, cell.SITES: wim.sites}, SCOPE, None)
    return point


# --- a link -----------------------------------------------------------------------------------------


def test_a_service_between_two_sites(wim):
    wim.service("vpn-8f1c")
    wim.site("tokyo", wim.access("vpn-8f1c", "R1-ge0/0/1", mbps=200))
    wim.site("osaka", wim.access("vpn-8f1c", "R2-ge0/0/7", mbps=100, vlan=121))
    link = one(wim)
    assert link["type"] == "circuit"
    assert link["id"] == link["base"]["name"] == "vpn-8f1c"
    assert circuit(link) == {
        "type_id": "wan_link",
        "carrier": wim.url.partition("://")[2],
        "reference": "vpn-8f1c",
        "endpoint_a": "osaka (R2-ge0/0/7)",
        "endpoint_b": "tokyo (R1-ge0/0/1)",
    }
    facts = specific(link)
    assert facts["service_type"] == "vpws"
    assert facts["layer"] == "L2"
    assert facts["svc_topo"] == "any-to-any"
    assert facts["customer-name"] == "Invented Retail"
    assert facts["capacity_bps"] == 100 * 10**6
    osaka, tokyo = facts["ends"]
    assert osaka["tags"] == {"cvlan-id": 121}
    assert tokyo["committed_bps"] == {"input-bw": 200 * 10**6, "output-bw": 200 * 10**6}
    assert tokyo["encapsulation"] == "vlan"
    cities = [each["city"]["name"] for each in link["base"]["locations"]]
    assert sorted(cities) == ["Osaka", "Tokyo"]


@pytest.mark.parametrize(
    "answer", [(200, {}), (200, {"ietf-l2vpn-svc:vpn-services": {}}), (404, restconf.NOT_THERE)]
)
def test_no_services_where_sites_are_attached_to_some_is_no_answer(wim, answer):
    wim.site("tokyo", wim.access("vpn-8f1c", "p"))
    wim.site("osaka", wim.access("vpn-8f1c", "p"), wim.access("vpn-other", "q"))
    wim.fault("/vpn-services$", answer)
    with pytest.raises(UnexpectedResponse, match="attached to vpn-8f1c, vpn-other: "):
        get(wim)


def test_a_first_service_that_is_ordered_between_the_two_reads_is_no_contradiction(wim):
    wim.service("v")
    wim.site("tokyo", wim.access("v", "p"))
    wim.fault("/vpn-services$", (200, {}), times=1)
    assert list(get(wim)) == ["v"]


def test_a_service_of_three_sites_is_one_link_and_the_hub_comes_first(wim):
    wim.service("v", **{"vpn-svc-type": "ietf-l2vpn-svc:bgp-vpls"})
    for name, role in (("a", "spoke-role"), ("b", "spoke-role"), ("c", "hub-role")):
        wim.site(name, wim.access("v", "p", role=role))
    link = one(wim)
    assert (circuit(link)["endpoint_a"], circuit(link)["endpoint_b"]) == ("c (p)", "a (p)")
    assert [end["site"] for end in specific(link)["ends"]] == ["c", "a", "b"]


def test_two_accesses_of_one_site_do_not_hide_the_other_site(wim):
    wim.service("v")
    wim.site("a", wim.access("v", "p1"), wim.access("v", "p2"))
    wim.site("b", wim.access("v", "p3"))
    link = one(wim)
    assert (circuit(link)["endpoint_a"], circuit(link)["endpoint_b"]) == ("a (p1)", "b (p3)")
    assert len(specific(link)["ends"]) == 3


def test_the_order_of_an_answer_changes_nothing(wim):
    wim.service("v")
    for name in "abc":
        wim.site(name, wim.access("v", "p2"), wim.access("v", "p1"))
    seen = []
    for order in itertools.permutations(list(wim.sites)):
        wim.sites = list(order)
        link = one(wim)
        seen.append((circuit(link), specific(link), link["base"]["locations"]))
    assert all(each == seen[0] for each in seen)


def test_each_service_has_its_own_sites(wim):
    for vpn in ("v1", "v2", "v3"):
        wim.service(vpn)
    wim.site("a", wim.access("v1", "p1"), wim.access("v2", "p2"))
    wim.site("b", wim.access("v1", "p3"))
    links = get(wim)
    ends = {
        vpn: [end["name"] for end in specific(link).get("ends", [])] for vpn, link in links.items()
    }
    assert ends == {"v1": ["a (p1)", "b (p3)"], "v2": ["a (p2)"], "v3": []}


def test_an_access_attached_by_a_policy(wim):
    wim.service("v")
    entries = [{"id": "1", "vpn": [{"vpn-id": "v", "site-role": "ietf-l2vpn-svc:hub-role"}]}]
    policies = {
        "vpn-policy": [
            {"vpn-policy-id": "all", "entries": entries},
            {"vpn-policy-id": "none", "entries": []},
        ]
    }
    by_policy = {"vpn-attachment": {"vpn-policy-id": "all"}}
    wim.site(
        "a",
        wim.access("", "p1", **by_policy),
        wim.access("", "p2", **{"vpn-attachment": {"vpn-policy-id": "none"}}),
        **{"vpn-policies": policies},
    )
    wim.site("b", wim.access("v", "p3"))
    link = one(wim)
    assert [end["name"] for end in specific(link)["ends"]] == ["a (p1)", "b (p3)"]
    assert specific(link)["ends"][0]["role"] == "hub-role"


@pytest.mark.parametrize(
    "changed, shown",
    [
        ({}, "a (p)"),
        ({"bearer": None, "device-reference": "ce1"}, "a (ce1)"),
        ({"bearer": None}, "a (access-p)"),
        ({"bearer": None, "network-access-id": None}, "a"),
    ],
)
def test_how_an_end_is_named(wim, changed, shown):
    wim.service("v")
    wim.site("a", wim.access("v", "p", **changed))
    assert circuit(one(wim))["endpoint_a"] == shown


def test_a_place_by_the_device_of_the_provider(wim):
    wim.service("v")
    locations = {"location": [{"location-id": "dc", "city": "Nara", "state": "Nara-ken"}]}
    devices = {"device": [{"device-id": "ce1", "location": "dc"}]}
    access = wim.access("v", "p", **{"location-reference": None, "device-reference": "ce1"})
    wim.site("a", access, locations=locations, devices=devices)
    (place,) = one(wim)["base"]["locations"]
    assert place == {
        "type": "customer",
        "location": {"name": "a"},
        "city": {"name": "Nara"},
        "state": {"name": "Nara-ken"},
    }


def test_a_place_of_another_service_is_none_of_this_one(wim):
    wim.service("v")
    wim.service("other")
    listed = [{"location-id": each, "city": each.title()} for each in ("main", "annex")]
    far = wim.access("other", "p2", **{"location-reference": "annex"})
    wim.site("a", wim.access("v", "p1"), far, locations={"location": listed})
    (place,) = get(wim)["v"]["base"]["locations"]
    assert place["city"] == {"name": "Main"}


@pytest.mark.parametrize(
    "fields, kind",
    [
        ({"vpn-svc-type": "ietf-l2vpn-svc:vpws-evpn"}, "vpws-evpn"),
        ({"vpn-svc-type": "bgp-vpls"}, "bgp-vpls"),
        ({"vpn-svc-type": None, "vpn-scv-type": "vpws"}, "vpws"),
        ({"vpn-svc-type": None, "vpn-scv-type": "ietf-l2vpn-svc:pbb-evpn"}, "pbb-evpn"),
        ({"vpn-svc-type": None}, "vpws"),
    ],
)
def test_the_kind_of_a_service_however_it_is_written(wim, fields, kind):
    wim.service("v", **fields)
    assert specific(one(wim))["service_type"] == kind


def test_what_osm_writes_of_an_access(wim):
    """An encapsulation that the model does not have, and a tagged interface without a type."""
    wim.service("v")
    connection = {
        "encapsulation-type": "dot1q-vlan-tagged",
        "tagged-interface": {"dot1q-vlan-tagged": {"cvlan-id": "33"}},
    }
    wim.site("a", wim.access("v", "p", connection=connection))
    (end,) = specific(one(wim))["ends"]
    assert end["encapsulation"] == "dot1q-vlan-tagged"
    assert end["tags"] == {"cvlan-id": 33}


def test_a_service_without_an_id_is_refused(wim):
    wim.service(None)
    with pytest.raises(UnexpectedResponse, match="vpn-id"):
        get(wim)


# --- capacity ---------------------------------------------------------------------------------------


def rate(cir, kind="bw-per-port", direction="input-bw", **more):
    return {
        "direction": f"ietf-l2vpn-svc:{direction}",
        "type": f"ietf-l2vpn-svc:{kind}",
        "cir": cir,
        **more,
    }


@pytest.mark.parametrize(
    "rates, capacity",
    [
        ([rate("10")], 10),
        ([rate(10)], 10),
        ([rate("10"), rate("7", direction="output-bw")], 7),
        ([rate("10"), rate("3", kind="bw-per-svc", **{"vpn-id": "v"})], 3),
        ([rate("10"), rate("3", kind="bw-per-svc", **{"vpn-id": "other"})], 10),
        ([rate("10"), rate("3", kind="bw-per-cos", **{"cos-id": 1})], 10),
        ([rate("10"), rate("3", kind="bw-per-site")], 10),
        ([rate("3", kind="bw-per-cos")], None),
        ([], None),
    ],
)
def test_what_is_committed_to_an_end(wim, rates, capacity):
    wim.service("v")
    service = {"svc-bandwidth": {"bandwidth": rates}}
    wim.site("a", wim.access("v", "p", service=service))
    assert specific(one(wim)).get("capacity_bps") == capacity


def test_no_capacity_where_one_end_tells_none(wim):
    wim.service("v")
    wim.site("a", wim.access("v", "p"))
    wim.site("b", wim.access("v", "p", service=None))
    assert "capacity_bps" not in specific(one(wim))


# --- states -----------------------------------------------------------------------------------------


def utc(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(
        datetime.timezone.utc
    )


@pytest.mark.parametrize(
    "a, b, state, level, message, since",
    [
        ((MAY, None), (JUNE, None), "running", "ok", "started at all of its sites", JUNE),
        ((MAY, None), (None, None), "pending", "warning", "did not start at b", None),
        ((MAY, None), (MAY, JUNE), "stopped", "error", "stopped at b", JUNE),
        ((MAY, None), (None, JUNE), "stopped", "error", "stopped at b", JUNE),
        ((JUNE, MAY), (JUNE, None), "running", "ok", "started at all", JUNE),  # and again
        ((None, None), (None, None), "unknown", "unknown", "the model has no state", None),
    ],
)
def test_what_starts_and_stops_at_the_sites_tell(wim, a, b, state, level, message, since):
    wim.service("v")
    for name, (start, stop) in (("a", a), ("b", b)):
        times = {"actual-site-start": start, "actual-site-stop": stop}
        wim.site(name, wim.access("v", "p"), **times)
    assert specific(one(wim))["state"] == state
    point = status(wim)
    assert (point.resource_id, point.resource_type, point.level) == ("v", "circuit", level)
    assert message in point.message
    assert point.time == (since and utc(since))
    assert specific(one(wim))["state_reason"] == point.message


def test_a_service_that_no_site_has_an_access_to(wim):
    wim.service("v")
    point = status(wim)
    assert (point.level, point.message) == ("unknown", "ordered, with no access of any site")


def test_a_time_that_is_none_is_refused(wim):
    wim.service("v")
    wim.site("a", wim.access("v", "p"), **{"actual-site-start": "yesterday"})
    with pytest.raises(UnexpectedResponse, match="actual-site-start"):
        get(wim)


# --- the simulator ----------------------------------------------------------------------------------


def test_what_the_simulator_makes_is_of_the_model(wim):
    wim.service("v")
    wim.site("a", wim.access("v", "p"), wim.access("v", "q", **{"device-reference": "ce1"}))
    for kind, records in (("vpn-service", wim.services), ("site", wim.sites)):
        assert [
            each for record in records for each in yang.strangers(record, fakes.MODEL[kind])
        ] == []


def test_that_the_comparison_sees_a_stranger():
    for kind, stranger in (
        ("vpn-service", {"state": "up"}),
        ("vpn-service", {"vpn-svc-type": "vpws"}),
        ("site", {"site-network-accesses": []}),
    ):
        assert yang.strangers(stranger, fakes.MODEL[kind])


def test_what_the_cell_reads_is_in_the_model():
    known = yang.names(fakes.MODEL["site"])
    assert {*cell.VLANS, *(tag for tags in cell.VLANS.values() for tag in tags)} <= known
    assert set(cell.DETAILS) <= yang.names(fakes.MODEL["vpn-service"])


def test_a_site_that_is_refused_is_named(wim):
    wim.service("v")
    wim.site("tokyo", wim.access("v", "p", **{"vpn-attachment": "v"}))
    with pytest.raises(UnexpectedResponse, match="site tokyo: field 'vpn-attachment'"):
        get(wim)
