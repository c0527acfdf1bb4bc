"""The table that a person reads."""

import io

import pytest

from flexlocal import show


def link(name, identifier, **facts):
    return {
        "id": identifier,
        "type": "circuit",
        "base": {"name": name, "locations": []},
        "connections": {"network": [{"id": "n"}]},
        "details": {"circuit": {"endpoint_a": "kobe", "endpoint_b": None}},
        "metadata": {"provider_specific": facts},
    }


def lines(*resources):
    out = io.StringIO()
    show.table("wan_links", list(resources), out)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_row_a_resource():
    found = lines(link("a", "id-1", state="running"), link("b", "id-2", state="missing"))
    assert [line.split() for line in found] == [
        ["NAME", "ID", "STATE", "END", "A", "NETWORKS"],
        ["a", "id-1", "running", "kobe", "1"],
        ["b", "id-2", "missing", "kobe", "1"],
    ]


def test_a_column_stands_if_one_row_has_something_for_it():
    header, first, second = lines(link("a", "id-1"), link("b", "id-2", capacity_bps=10_000_000))
    assert header.split()[-1] == "CAPACITY"
    assert first.split()[-1] == "-"
    assert second.endswith("10 Mbit/s")


def test_without_resources_there_are_names_and_ids():
    assert lines()[0].split() == ["NAME", "ID"]


@pytest.mark.parametrize(
    "length, whole", [(show.LONG_ID, True), (show.LONG_ID + 1, True), (200, False)]
)
def test_an_id_is_folded_only_where_it_has_no_room(length, whole):
    found = lines(link("a", "x" * length, state="running"))
    assert any("x" * length in line for line in found) is whole
    assert sum(line.count("x") for line in found) == length
