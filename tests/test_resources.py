"""Resources and metadata, serialized by the engine as nflex-connector-utils' own classes do it: byte for byte."""

import datetime
import json
import random

import nflex_connector_utils as nflex
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.engine import resources
from shared.records import fields
from shared.records.metadata import metadata

SEEN_AT = "2026-11-21T00:00:00Z"
UTC = datetime.timezone.utc
EAST = datetime.timezone(datetime.timedelta(hours=2))
TIMES = st.one_of(
    st.none(),
    st.datetimes(timezones=st.sampled_from([UTC, EAST, None])),
    st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0)),
    st.sampled_from(["", "2026-01-02", "2026-01-02T03:04:05.678+02:00"]),
    st.just(datetime.datetime(999, 12, 31, tzinfo=UTC)),
)
TEXTS = st.sampled_from([None, "", "a", "ß"])
NUMBERS = st.sampled_from([None, 0, 1, 2.5])
CONNECTIONS = st.sampled_from(
    [None, nflex.Connections(), nflex.Connections(servers=["a", "b"], volumes=["c"])]
)
METADATA = st.sampled_from([None, nflex.Metadata(), nflex.Metadata([("a", 1), ("n", "b", [2])])])
REGIONS = st.sampled_from([None, nflex.Region("r")])
LOCATIONS = st.sampled_from(
    [None, nflex.Locations([]), nflex.Locations([{"location": {"name": "x"}, "type": "y"}])]
)
IMAGES = st.sampled_from([None, nflex.ImageDetail(id="i"), nflex.ImageDetail("i", "n", version="")])
ADDRESSES = st.sampled_from(
    [None, [], [nflex.IpAddress("192.0.2.1", "n", "m", "d"), nflex.IpAddress(network_id="n")]]
)
OF_ALL = {
    "id": st.just("id"),
    "name": st.sampled_from(["", "name"]),
    "provider_created_at": TIMES,
    "connections": CONNECTIONS,
    "metadata": METADATA,
    "region": REGIONS,
    "locations": LOCATIONS,
    "native_portal_link": TEXTS,
}
OF_CLASS = {
    nflex.Appliance: {"type_id": TEXTS, "size_b": NUMBERS},
    nflex.Circuit: dict.fromkeys(
        ("type_id", "carrier", "reference", "endpoint_a", "endpoint_b"), TEXTS
    ),
    nflex.Network: {},
    nflex.Server: {
        **dict.fromkeys(("cpu_hz", "cpu_cores", "ram_b", "volumes_b"), NUMBERS),
        **dict.fromkeys(("state", "provider_state", "instance_type"), TEXTS),
        "is_virtual": st.sampled_from([None, True, False]),
        "image_detail": IMAGES,
        "ip_addresses": ADDRESSES,
    },
    nflex.ServiceOffering: {"type_id": TEXTS},
    nflex.Volume: {
        "size_b": NUMBERS,
        "encrypted": st.sampled_from([None, True, False]),
        "iops": st.sampled_from([None, 0, 3000, "3000", 2.5]),
        "zone_name": TEXTS,
    },
    nflex.ComputePool: {},  # one that no cell uses
}


def by_nflex(resource):
    data = resource.serialize()
    data["base"]["last_seen_at"] = SEEN_AT
    return data


@pytest.mark.parametrize("kind", OF_CLASS, ids=lambda kind: kind.__name__)
def test_a_resource_is_serialized_as_its_class_does(kind):
    @given(st.fixed_dictionaries({}, optional={**OF_ALL, **OF_CLASS[kind]}))
    def same(arguments):
        resource = kind(**{"id": "id", "name": "name", **arguments})
        expected = json.dumps(by_nflex(resource))
        assert json.dumps(resources.serialized(resource, SEEN_AT)) == expected

    same()


def test_every_class_that_the_cells_use_has_the_short_way():
    assert set(OF_CLASS) - {nflex.ComputePool} == set(resources._DETAILS)


def test_a_subclass_is_serialized_by_itself():
    class Own(nflex.Network):
        def serialize(self):
            return {**super().serialize(), "own": True}

    assert resources.serialized(Own(id="id", name="name"), SEEN_AT)["own"] is True


@given(TIMES)
def test_a_time_is_written_as_nflex_does(moment):
    assert resources.timestamp(moment) == nflex.convert_datetime(moment)


VALUES = st.recursive(
    st.sampled_from([None, "", "a", 0, 1.5, True, False, 2**128]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)


@given(
    st.dictionaries(st.sampled_from("abcd"), VALUES), st.dictionaries(TEXTS.filter(bool), VALUES)
)
def test_metadata_is_what_adding_each_fact_gives(record, tags):
    names = random.Random(len(record)).choices("abcde", k=4)  # some of them twice
    more = {"b": record.get("c"), "z": record.get("d")}
    expected = nflex.Metadata()
    for name, value in [*((name, record.get(name)) for name in names), *more.items()]:
        if value not in (None, "", [], {}) or value is False:
            expected.add(name, fields.plain(value))
    for name, value in sorted(tags.items()):
        expected.add(name, fields.plain(value), namespace="provider_metadata")
    found = metadata(record, names, tags, **more)
    assert type(found) is nflex.Metadata
    assert json.dumps(found.serialize()) == json.dumps(expected.serialize())
    assert found.add("later", 1).serialize()["provider_specific"]["later"] == 1
