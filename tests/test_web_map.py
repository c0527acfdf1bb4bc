"""The map: where things are by their documents, or by the table of regions, and what has no place, with the reason."""

import hashlib
import json
from pathlib import Path

import pytest

import web
from inventory import Inventory
from shared.providers.aws import regions as connectors
from tests.inventories import poll, server
from tests.topologies import resource, store_demo
from web.graphs import Graphs
from web.limited import Limited
from web.map import AT_ZERO, NO_COORDINATES, NO_ENDS, NO_LOCATION, regions, world

VENDOR = Path(web.__file__).parent / "page" / "vendor"


def placed(found, *locations, regions=()):
    """With these locations: (name, latitude, longitude)."""
    found["base"]["locations"] = [
        {"location": {"name": name, "latitude": lat, "longitude": lon}}
        for name, lat, lon in locations
    ]
    found["base"]["regions"] = [{"id": each} for each in regions]
    return found


def mapped(tmp_path, resources, provider="acme", scope="eu"):
    with Inventory(tmp_path / "inventory.db", create=True) as inventory:
        poll(inventory, 0, {scope: resources}, provider=provider)
        limited = Limited(inventory)
        return world(limited, Graphs(limited).view())


def test_a_site_has_the_coordinates_of_its_document(tmp_path):
    found = mapped(tmp_path, [placed(server("s1"), ("Oslo", 59.91, 10.75)), server("s2")])
    (place,) = found["places"]
    assert (place["label"], place["lat"], place["lon"], place["count"]) == ("Oslo", 59.91, 10.75, 1)
    assert place["source"] == "the documents of acme"
    (unplaced,) = found["unplaced"]
    assert (unplaced["why"], unplaced["count"]) == (NO_LOCATION, 1)
    assert unplaced["resources"][0]["resource"]["id"] == "s2"


@pytest.mark.parametrize(
    "lat, lon, why",
    [
        (None, None, NO_COORDINATES),
        (91, 10, NO_COORDINATES),
        (10, 180.5, NO_COORDINATES),
        ("59.9", "10.7", NO_COORDINATES),
        (True, False, NO_COORDINATES),
        (0, 0, AT_ZERO),
        (0.0, 0.0, AT_ZERO),
    ],
)
def test_what_is_nowhere_is_listed_and_never_at_zero(tmp_path, lat, lon, why):
    found = mapped(tmp_path, [placed(server("s1"), ("x", lat, lon))])
    assert found["places"] == []
    assert [each["why"] for each in found["unplaced"]] == [why]


def test_the_equator_and_the_meridian_are_places(tmp_path):
    some = [placed(server("s1"), ("a", 0, 9.5)), placed(server("s2"), ("b", 51.5, 0))]
    assert [(each["lat"], each["lon"]) for each in mapped(tmp_path, some)["places"]] == [
        (0.0, 9.5),
        (51.5, 0.0),
    ]


def test_a_region_of_a_cloud_is_in_the_table_and_no_document_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(Limited, "resources", None)
    found = mapped(tmp_path, [server("s1")], "aws", "eu-west-1")
    (place,) = found["places"]
    assert (place["label"], place["source"]) == ("Dublin", regions()["aws", "eu-west-1"].source)


def test_a_region_that_is_not_in_the_table_is_no_place(tmp_path):
    found = mapped(tmp_path, [placed(server("s1"), regions=["RegionOne"])], "openstack")
    assert found["unplaced"][0]["why"] == "the region RegionOne is not in the table of regions"


def test_the_table_has_what_the_connector_has():
    known = {
        name: (place.label, place.lat, place.lon)
        for (provider, name), place in regions().items()
        if provider == "aws"
    }
    assert known == {name: (each[1], *each[3:]) for name, each in connectors._AWS.items()}
    assert all(place.source.startswith("https://") for place in regions().values())


def test_a_line_is_between_its_ends_and_has_its_state(tmp_path):
    oslo, bergen = ("Oslo", 59.91, 10.75), ("Bergen", 60.39, 5.32)
    both = placed(resource("circuit", "c1", type_id="mpls"), oslo, bergen)
    one = placed(resource("circuit", "c2", type_id="mpls"), oslo)
    by_router = placed(resource("circuit", "c3", {"appliance": "r1"}, type_id="wan_link"), oslo)
    router = placed(resource("appliance", "r1", type_id="router"), bergen)
    none = resource("circuit", "c4", type_id="wan_link", specific={"state": "missing"})
    found = mapped(tmp_path, [both, one, by_router, router, none])
    keys = {each["label"]: each["key"] for each in found["places"]}
    lines = {each["resource"]["id"]: (each["from"], each["to"]) for each in found["lines"]}
    assert lines == {"c1": (keys["Oslo"], keys["Bergen"]), "c3": (keys["Oslo"], keys["Bergen"])}
    assert [(each["resource"]["id"], each["at"]) for each in found["half"]] == [
        ("c2", keys["Oslo"])
    ]
    (unplaced,) = found["unplaced"]
    assert unplaced["why"] == NO_ENDS
    assert unplaced["resources"][0]["state"] == "missing"


def test_the_demo_shows_where_a_wan_link_is_missing(tmp_path):
    store_demo(tmp_path / "inventory.db")
    with Inventory(tmp_path / "inventory.db") as inventory:
        limited = Limited(inventory)
        found = world(limited, Graphs(limited).view())
        alone = Limited(inventory, ["demo-netbox"])
        netbox = world(alone, Graphs(alone).view())
    lines = [
        *found["lines"],
        *found["half"],
        *(row for each in found["unplaced"] for row in each["resources"]),
    ]
    missing = {row["resource"]["name"]: row["note"] for row in lines if row["state"] == "missing"}
    assert missing.keys() == {"legacy/wide", "retail/video"}
    assert "no WIM is mapped" in missing["legacy/wide"]
    labels = {each["label"] for each in found["places"]}
    assert {"Tokyo DC1", "Dublin", "Oslo"} - labels <= {"Oslo"}
    assert {account for each in netbox["places"] for account in each["accounts"]} == {"demo-netbox"}
    assert all((each["lat"], each["lon"]) != (0, 0) for each in found["places"])
    total = len({json.dumps(row["resource"]) for row in lines})
    assert total > 100


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "\u202egnirts", "n" * 10_000])
def test_hostile_names_of_places_are_text_and_short(tmp_path, name):
    found = mapped(tmp_path, [placed(server("s1", name), (name, 1, 2))])
    (place,) = found["places"]
    assert place["label"] == name[: len(place["label"])] or place["label"].endswith("…")
    assert len(json.dumps(found)) < 5000


def test_the_files_of_others_are_as_their_packages_have_them():
    sums = dict(
        reversed(line.split())
        for line in (VENDOR / "NOTICE").read_text(encoding="utf-8").splitlines()
        if len(line.split()) == 2 and len(line.split()[0]) == 64
    )
    there = {file.name for file in VENDOR.iterdir()} - {"NOTICE"}
    assert sums.keys() == there
    for name, wanted in sums.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == wanted, name
