"""NetBox: circuits and links that wait for their terminations are held as bytes, a page at a time is unpacked."""

import json

import pytest

from modules.circuits import netbox as circuits
from modules.wan_links import netbox as wan_links
from shared.providers import netbox
from shared.records.fields import field
from tests.fakes import netbox as fakes
from tests.fakes.poll import a_poll

RECORD = {
    "id": 7,
    "name": 'Kreis "Süd" \ud800 \0',
    "rate": 0.1,
    "large": 2**77,
    "yes": True,
    "none": None,
    "list": [[], {}, [1, "a", None]],
    "nested": {"id": 1, "tags": [{"slug": "x"}] * 3},
}


def scope_of(box):
    request = type("Request", (), {"options": {}})
    poll = a_poll("circuits", request=request)
    (scope,) = netbox.scopes(netbox.login(netbox.credentials(box.credentials(), False), poll))
    return scope


def test_pages_come_back_as_they_were():
    pages = [[RECORD, {**RECORD, "id": 8}], [], [{}]]
    held = netbox.packed_pages(iter(pages))
    assert [netbox.unpacked_page(page) for page in held] == pages
    assert [bool(page) for page in held] == [True, False, True]


def test_a_page_takes_a_small_part_of_its_json():
    record = fakes.sample("circuits/circuits")
    page = [{**record, "id": number, "cid": f"C-{number}"} for number in range(1000)]
    (held,) = netbox.packed_pages([page])
    assert len(held) < len(json.dumps(page)) / 20


def test_a_record_keeps_the_fields_that_are_read():
    kept = netbox.unpacked(netbox.packed(RECORD, ("id", "none", "nested", "not there")))
    assert kept == {"id": 7, "nested": RECORD["nested"]}
    assert field(kept, "none", str) is field(RECORD, "none", str) is None


@pytest.mark.parametrize("cell", [circuits, wan_links])
def test_no_page_is_unpacked_before_its_turn(monkeypatch, cell):
    box = fakes.NetBox(cap=3)
    box.fill(circuits=12, devices=3, virtual=7, links=7)
    unpack, unpacked = netbox.unpacked_page, []

    def noted(page):
        unpacked.append(page)
        return unpack(page)

    monkeypatch.setattr(netbox, "unpacked_page", noted)
    try:
        seen = [(len(page.records), len(unpacked)) for page in cell.fetch(scope_of(box))]
    finally:
        box.stop()
    assert len(seen) > 5
    assert [count for _, count in seen] == list(range(1, len(seen) + 1))
    assert {size for size, _ in seen} <= {1, 3}
