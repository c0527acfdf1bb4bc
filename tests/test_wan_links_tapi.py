"""TAPI connectivity services as WAN links: ends, layer, capacity, states, and OSM's pairs of services."""

import itertools
from typing import Any
from unittest import mock

import pytest

from modules.wan_links import main
from modules.wan_links import tapi as cell
from shared.engine.errors import UnexpectedResponse
from shared.providers import tapi
from tests import yang
from tests.fakes import tapi as fakes
from tests.fakes.context import Context
from tests.fakes.tapi import Tapi

SCOPE = tapi.Scope("wim", mock.create_autospec(tapi.Session))


@pytest.fixture
def wim():
    with Tapi() as made:
        yield made


def get(wim):
    event = {"provider": "tapi", "credentials": wim.credentials()}
    return {each["id"]: each for each in main.get(event, Context())}


def one(wim):
    (link,) = get(wim).values()
    return link


def circuit(link):
    return link["details"]["circuit"]


def specific(link):
    return link["metadata"]["provider_specific"]


def converted(**record):
    record = {"uuid": "u", **record}
    link = cell.convert(record, SCOPE, {}).serialize()
    (point,) = cell.status(record, SCOPE, {})
    return link, point


def states(lifecycle=None, operational=None, administrative=None):
    words = dict(zip(cell.STATE_FIELDS, (lifecycle, operational, administrative)))
    return {name: word for name, word in words.items() if word is not None}


# --- a link -----------------------------------------------------------------------------------------


def test_a_service_between_two_points(wim):
    service = wim.service(wim.point("tokyo-pe1 ge-0/0/1"), wim.point("osaka-pe2 ge-0/0/7"))
    link = one(wim)
    assert link["type"] == "circuit"
    assert link["id"] == service["uuid"]
    assert link["base"]["name"] == "service 1"
    assert circuit(link) == {
        "type_id": "wan_link",
        "carrier": wim.url.partition("://")[2],
        "reference": service["uuid"],
        "endpoint_a": "tokyo-pe1 ge-0/0/1",
        "endpoint_b": "osaka-pe2 ge-0/0/7",
    }
    facts = specific(link)
    assert facts["layer"] == "ETH"
    assert facts["capacity_bps"] == 10 * 10**9
    assert facts["state"] == "running"
    assert facts["provider_state"] == "INSTALLED, ENABLED, UNLOCKED"
    assert [end["name"] for end in facts["ends"]] == ["tokyo-pe1 ge-0/0/1", "osaka-pe2 ge-0/0/7"]
    assert facts["connection"] == service["connection"]


def test_a_service_of_three_points_is_one_link_with_all_its_ends(wim):
    points = [wim.point(name) for name in ("a", "b", "c")]
    wim.service(*points)
    link = one(wim)
    assert (circuit(link)["endpoint_a"], circuit(link)["endpoint_b"]) == ("a", "b")
    assert [end["name"] for end in specific(link)["ends"]] == ["a", "b", "c"]
    assert specific(link)["service-type"] == "MULTIPOINT_CONNECTIVITY"


def test_the_order_of_an_answer_changes_nothing(wim):
    points = [wim.point(name) for name in ("a", "b", "c")]
    ends = wim.service(*points)["end-point"]
    seen = []
    for order in itertools.permutations(ends):
        wim.services[0]["end-point"] = list(order)
        seen.append((circuit(one(wim)), specific(one(wim))["ends"]))
    assert all(each == seen[0] for each in seen)


def test_a_root_comes_first(wim):
    service = wim.service(*(wim.point(name) for name in ("leaf-1", "leaf-2", "root")))
    for end, role in zip(service["end-point"], ("LEAF", "LEAF", "ROOT")):
        end["role"] = role
    assert circuit(one(wim))["endpoint_a"] == "root"


def test_two_ends_at_one_point_do_not_hide_the_other(wim):
    near, far = wim.point("near"), wim.point("far")
    wim.service(near, near, far)
    assert (circuit(one(wim))["endpoint_a"], circuit(one(wim))["endpoint_b"]) == ("near", "far")


@pytest.mark.parametrize(
    "names, shown",
    [
        ([("SIP_NAME", "s"), ("A", "a")], "s"),
        ([("INVENTORY_ID", "/ne=1/p=2"), ("A", "a")], "/ne=1/p=2"),
        ([("Z", "z"), ("A", "a")], "a"),
        ([(None, "bare")], "bare"),
        ([("SIP_NAME", "")], None),
        ([], None),
    ],
)
def test_how_a_point_is_named(wim, names, shown):
    listed = [{"value-name": name, "value": value} for name, value in names]
    uuid = wim.point("")
    wim.points[-1]["name"] = listed
    wim.service(uuid, wim.point("other"))
    assert circuit(one(wim))["endpoint_a"] == (shown or uuid)


def test_a_point_that_is_not_listed_is_named_by_its_uuid(wim):
    wim.service("51b-gone", wim.point("other"))
    assert circuit(one(wim))["endpoint_a"] == "51b-gone"


def test_all_but_the_uuid_may_lack(wim):
    wim.services.append({"uuid": "bare"})
    link = one(wim)
    assert link["base"]["name"] == "bare"
    assert (circuit(link)["endpoint_a"], circuit(link)["endpoint_b"]) == (None, None)
    assert specific(link) == {"state": "unknown"}


def test_a_service_without_a_uuid_is_refused(wim):
    wim.service(wim.point("a"), wim.point("b"), uuid=None)
    with pytest.raises(UnexpectedResponse, match="uuid"):
        get(wim)


def test_the_layer_of_all_ends_where_the_service_tells_none(wim):
    service = wim.service(wim.point("a"), wim.point("b"), **{"service-layer": None})
    assert specific(one(wim))["layer"] == "ETH"
    service["end-point"][0]["layer-protocol-name"] = "DSR"
    assert "layer" not in specific(one(wim))


# --- capacity ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "unit, factor", [("KBPS", 10**3), ("MBPS", 10**6), ("GBPS", 10**9), ("TBPS", 10**12)]
)
@pytest.mark.parametrize("value", [7, "7"])
def test_a_capacity_in_each_unit_of_a_rate(unit, factor, value):
    link, _ = converted(**{"requested-capacity": {"total-size": {"value": value, "unit": unit}}})
    assert specific(link)["capacity_bps"] == 7 * factor


@pytest.mark.parametrize("unit", ["TB", "GB", "MB", "KB", "GHz", "MHz", None, "PBPS"])
def test_what_is_no_rate_is_no_capacity(unit):
    size = {"total-size": {"value": "7", "unit": unit}}
    link, _ = converted(**{"requested-capacity": size})
    assert "capacity_bps" not in specific(link)
    assert specific(link)["requested-capacity"] == size  # as it was told


def test_what_is_committed_counts_where_no_total_is_told():
    profile = {"committed-information-rate": {"value": "50", "unit": "MBPS"}}
    link, _ = converted(**{"requested-capacity": {"bandwidth-profile": profile}})
    assert specific(link)["capacity_bps"] == 50 * 10**6


# --- states -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words, state, level",
    [
        (("INSTALLED", "ENABLED", "UNLOCKED"), "running", "ok"),
        (("INSTALLED", "ENABLED", None), "running", "ok"),
        ((None, "ENABLED", None), "running", "ok"),
        (("INSTALLED", "DISABLED", "UNLOCKED"), "stopped", "error"),
        ((None, "DISABLED", None), "stopped", "error"),
        (("INSTALLED", "ENABLED", "LOCKED"), "stopped", "warning"),
        (("INSTALLED", "DISABLED", "LOCKED"), "stopped", "warning"),
        ((None, None, "LOCKED"), "stopped", "warning"),
        (("PLANNED", "DISABLED", "UNLOCKED"), "pending", "warning"),
        (("POTENTIAL_AVAILABLE", "DISABLED", None), "pending", "warning"),
        (("POTENTIAL_BUSY", None, None), "pending", "warning"),
        (("PENDING_REMOVAL", "ENABLED", "UNLOCKED"), "shutting", "warning"),
        ((None, None, None), "unknown", "unknown"),
        (("INSTALLED", None, "UNLOCKED"), "unknown", "unknown"),
        (("INSTALLED", "DEGRADED", "UNLOCKED"), "unknown", "unknown"),
        (("FLYING", "ENABLED", "UNLOCKED"), "unknown", "unknown"),
        (("INSTALLED", "ENABLED", "SHUTTING_DOWN"), "unknown", "unknown"),
    ],
)
def test_each_word_of_a_state(words, state, level):
    link, point = converted(**states(*words))
    said = ", ".join(filter(None, words))
    assert specific(link)["state"] == state
    assert specific(link).get("provider_state") == (said or None)
    assert (point.resource_id, point.resource_type) == ("u", "circuit")
    assert point.level == level
    assert point.message == (said or "the controller tells no state")
    assert point.time is None


def test_each_word_of_the_model_is_known():
    assert set(cell.LIFECYCLE) == set(fakes.LIFECYCLES)
    assert set(cell.OPERATIONAL) == set(fakes.STATES["operational-state"])
    assert set(cell.BITS) <= set(fakes.UNITS)


# --- OSM's pairs ------------------------------------------------------------------------------------


def pair(wim, *ends, forth=None, back=None):
    one_way = {"connectivity-direction": "UNIDIRECTIONAL"}
    wim.service(*ends, uuid="0c2e-af", **one_way, **(forth or {}))
    wim.service(*ends[::-1], uuid="0c2e-fa", **one_way, **(back or {}))


def test_a_service_for_each_direction_is_one_link(wim):
    pair(wim, wim.point("a"), wim.point("b"))
    link = one(wim)
    assert link["id"] == circuit(link)["reference"] == "0c2e-af"
    assert (circuit(link)["endpoint_a"], circuit(link)["endpoint_b"]) == ("a", "b")
    assert specific(link)["reverse_uuid"] == "0c2e-fa"
    assert specific(link)["state"] == "running"


def test_the_order_of_the_two_changes_nothing(wim):
    pair(wim, wim.point("a"), wim.point("b"))
    usual = one(wim)["details"], one(wim)["metadata"]
    wim.services.reverse()
    assert (one(wim)["details"], one(wim)["metadata"]) == usual


@pytest.mark.parametrize("broken", ["forth", "back"])
def test_a_link_is_up_only_where_both_directions_are(wim, broken):
    pair(wim, wim.point("a"), wim.point("b"), **{broken: {"operational-state": "DISABLED"}})
    assert specific(one(wim))["state"] == "stopped"
    (record,) = cell._folded(wim.services)
    (point,) = cell.status(record, SCOPE, {})
    assert point.level == "error"
    assert "DISABLED" in point.message and "ENABLED" in point.message


def test_a_direction_alone_is_a_link_of_its_own(wim):
    pair(wim, wim.point("a"), wim.point("b"))
    for kept in (0, 1):
        alone = wim.services[kept]
        with Tapi() as other:
            other.services, other.points = [alone], wim.points
            assert set(get(other)) == {alone["uuid"]}


def test_services_between_other_points_are_no_pair(wim):
    a, b, c = (wim.point(name) for name in "abc")
    wim.service(a, b, uuid="0c2e-af")
    wim.service(b, c, uuid="0c2e-fa")
    assert set(get(wim)) == {"0c2e-af", "0c2e-fa"}


# --- the simulator ----------------------------------------------------------------------------------


def test_what_the_simulator_makes_is_of_the_model(wim):
    point = wim.point("a", **{"supported-layer-protocol-qualifier": ["tapi-dsr:GigE"]})
    wim.service(point, wim.point("b"), wim.point("c"))
    for kind, records in (
        ("connectivity-service", wim.services),
        ("service-interface-point", wim.points),
    ):
        assert [
            each for record in records for each in yang.strangers(record, fakes.MODEL[kind])
        ] == []


def test_that_the_comparison_sees_a_stranger():
    model = fakes.MODEL["connectivity-service"]
    stranger: dict[str, Any]
    for stranger in ({"state": "UP"}, {"service-type": "PPP"}, {"end-point": {}}, {"uuid": 7}):
        assert yang.strangers(stranger, model)


def test_what_the_cell_reads_is_in_the_model():
    known = yang.names(fakes.MODEL["connectivity-service"])
    assert {*cell.DETAILS, *cell.ENDPOINT_DETAILS, *cell.STATE_FIELDS} <= known


# --- 2.4 --------------------------------------------------------------------------------------------


def test_a_service_as_transportpce_writes_it(wim):
    """By TAPI 2.4 (2022-11-21), with the fields that its functional tests order and its code fills in."""
    service = wim.service(
        wim.point("XPDR-A1-XPDR1"),
        wim.point("XPDR-C1-XPDR1"),
        **{
            "name": [{"value-name": "Connectivity Service Name", "value": "service 100G"}],
            "service-layer": None,
            "layer-protocol-name": "DSR",
            "service-type": None,
            "connectivity-direction": None,
            "direction": "BIDIRECTIONAL",
            "requested-capacity": None,
            "connectivity-constraint": {
                "service-type": "POINT_TO_POINT_CONNECTIVITY",
                "service-level": "some level",
                "requested-capacity": {
                    "total-size": {"value": "100.0", "unit": "tapi-common:CAPACITY_UNIT_GBPS"}
                },
            },
        },
    )
    link = one(wim)
    facts = specific(link)
    assert link["base"]["name"] == "service 100G"
    assert facts["service-type"] == "POINT_TO_POINT_CONNECTIVITY"
    assert facts["service-level"] == "some level"
    assert facts["layer"] == "DSR"
    assert facts["direction"] == "BIDIRECTIONAL"
    assert facts["capacity_bps"] == 100 * 10**9
    assert facts["requested-capacity"] == service["connectivity-constraint"]["requested-capacity"]


@pytest.mark.parametrize(
    "value, unit, bits",
    [
        ("2.5", "tapi-common:CAPACITY_UNIT_GBPS", 2_500_000_000),
        ("400", "CAPACITY_UNIT_MBPS", 400_000_000),
        (1.5, "tapi-common:CAPACITY_UNIT_KBPS", 1500),
        ("50", "tapi-common:CAPACITY_UNIT_GHZ", None),
        ("50", "CAPACITY_UNIT_", None),
    ],
)
def test_units_of_2_4(value, unit, bits):
    capacity = {"total-size": {"value": value, "unit": unit}}
    link, _ = converted(**{"connectivity-constraint": {"requested-capacity": capacity}})
    assert specific(link).get("capacity_bps") == bits


def test_what_a_service_has_itself_counts_more_than_its_constraint():
    link, _ = converted(
        **{
            "service-type": "MULTIPOINT_CONNECTIVITY",
            "connectivity-constraint": {"service-type": "POINT_TO_POINT_CONNECTIVITY"},
        }
    )
    assert specific(link)["service-type"] == "MULTIPOINT_CONNECTIVITY"


def test_a_service_of_a_pair_that_is_refused_is_named(wim):
    forth = wim.service(wim.point("a"), wim.point("b"), uuid="5e41-af")
    wim.service(uuid="5e41-fa", **{"end-point": 7})
    assert forth["uuid"] == "5e41-af"
    with pytest.raises(UnexpectedResponse, match="record 5e41-fa: field 'end-point'"):
        get(wim)
