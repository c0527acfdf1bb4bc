"""Reading records: a field has its documented type, is absent, or is refused by name."""

import datetime
import math
import time
import types

import pytest

from shared.engine.errors import UnexpectedResponse
from shared.records import fields

UTC = datetime.timezone.utc
NOON = datetime.datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "value, kind",
    [
        ("text", str),
        ("", str),
        (0, int),
        (-7, int),
        (fields.LARGEST, int),
        (-fields.LARGEST, int),
        (0.5, float),
        (1e300, float),  # finite, if larger than any whole number
        (True, bool),
        (False, bool),
        ({"a": 1}, dict),
        ([], list),
        (NOON, datetime.datetime),
    ],
)
# a record that is a dict itself, and any other mapping
@pytest.mark.parametrize("record_of", [dict, types.MappingProxyType])
def test_a_value_of_the_documented_type(record_of, value, kind):
    assert fields.field(record_of({"it": value}), "it", kind) is value


@pytest.mark.parametrize("record_of", [dict, types.MappingProxyType])
def test_what_the_provider_does_not_say(record_of):
    for record in ({}, {"it": None}):
        assert fields.field(record_of(record), "it", str) is None


@pytest.mark.parametrize("record_of", [dict, types.MappingProxyType])
def test_a_whole_number_is_a_number(record_of):
    value = fields.field(record_of({"it": 3}), "it", float)
    assert (value, type(value)) == (3.0, float)


@pytest.mark.parametrize("record_of", [dict, types.MappingProxyType])
@pytest.mark.parametrize(
    "value, kind, why",
    [
        (7, str, "field 'it' should be text, but is a whole number"),
        ("7", int, "field 'it' should be a whole number, but is text"),
        (7.0, int, "field 'it' should be a whole number, but is a number"),
        (True, int, "field 'it' should be a whole number, but is true or false"),
        (True, float, "field 'it' should be a number, but is true or false"),
        (1, bool, "field 'it' should be true or false, but is a whole number"),
        ([], dict, "field 'it' should be an object, but is a list"),
        ({}, list, "field 'it' should be a list, but is an object"),
        ("x", datetime.datetime, "field 'it' should be a time, but is text"),
        ((), list, "field 'it' should be a list, but is tuple"),
        ("x", tuple, "field 'it' should be tuple, but is text"),
        (math.nan, float, "field 'it' is no number that can be used"),
        (math.inf, float, "field 'it' is no number that can be used"),
        (-math.inf, float, "field 'it' is no number that can be used"),
        (fields.LARGEST + 1, int, "field 'it' is no number that can be used"),
        (-fields.LARGEST - 1, int, "field 'it' is no number that can be used"),
        (fields.LARGEST + 1, float, "field 'it' is no number that can be used"),
    ],
)
def test_a_value_of_another_type_is_refused(record_of, value, kind, why):
    with pytest.raises(UnexpectedResponse) as caught:
        fields.field(record_of({"it": value}), "it", kind)
    assert caught.value.message == why


def test_a_record_that_is_no_object_is_refused():
    with pytest.raises(UnexpectedResponse) as caught:
        fields.field(["it"], "it", str)
    assert caught.value.message == "expected an object with 'it', got list"


def test_a_field_that_a_record_can_not_do_without():
    assert fields.needed({"it": "x"}, "it", str) == "x"
    assert fields.needed({"it": 0}, "it", int) == 0
    assert fields.needed({"it": False}, "it", bool) is False
    for record in ({}, {"it": None}, {"it": ""}):
        with pytest.raises(UnexpectedResponse) as caught:
            fields.needed(record, "it", str)
        assert caught.value.message == "field 'it' is missing or empty"
    with pytest.raises(UnexpectedResponse, match="should be text"):
        fields.needed({"it": 1}, "it", str)


# --- lists ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values, kind",
    [
        (["a", ""], str),
        ([1, 2], int),
        ([0.5, 2.0], float),
        ([True], bool),
        ([{}], dict),
        ([types.SimpleNamespace()], types.SimpleNamespace),
    ],
)
def test_a_list_of_the_documented_type(values, kind):
    assert fields.items({"it": values}, "it", kind) == values


def test_a_list_that_is_absent_is_empty():
    for record in ({}, {"it": None}, {"it": []}):
        assert fields.items(record, "it", str) == fields.objects(record, "it") == []


@pytest.mark.parametrize(
    "values, kind, why",
    [
        ("text", str, "field 'it' should be a list, but is text"),
        (["a", 1], str, "field 'it' should be a list of text, but holds a whole number"),
        (["a", None], str, "field 'it' should be a list of text, but holds NoneType"),
        (["a", ()], str, "field 'it' should be a list of text, but holds tuple"),
        ([1, True], int, "field 'it' should be a list of a whole number, but holds true or false"),
        ([0.5, "x"], float, "field 'it' should be a list of a number, but holds text"),
        ([1, fields.LARGEST + 1], int, "field 'it' is no number that can be used"),
        ([math.nan], float, "field 'it' is no number that can be used"),
        ([1], tuple, "field 'it' should be a list of tuple, but holds a whole number"),
    ],
)
def test_a_list_with_anything_else_is_refused(values, kind, why):
    with pytest.raises(UnexpectedResponse) as caught:
        fields.items({"it": values}, "it", kind)
    assert caught.value.message == why


def test_a_list_of_objects():
    assert fields.objects({"it": [{"a": 1}]}, "it") == [{"a": 1}]
    with pytest.raises(UnexpectedResponse, match="should be a list of an object, but holds text"):
        fields.objects({"it": [{"a": 1}, "b"]}, "it")


# --- times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, moment",
    [
        ("2026-01-31T12:00:00+00:00", NOON),
        ("2026-01-31T12:00:00Z", NOON),
        ("2026-01-31T12:00:00z", NOON),
        (" 2026-01-31T12:00:00Z\n", NOON),
        ("2026-01-31T12:00:00", NOON),
        ("2026-01-31 13:30:00+01:30", NOON),
        ("2026-01-31T12:00:00.250000Z", NOON.replace(microsecond=250_000)),
        ("0001-01-01T00:00:00+01:00", None),  # in UTC it is in the year 0
        ("9999-12-31T23:59:59-01:00", None),
        ("soon", None),
        ("Z", None),
        ("", None),
    ],
)
def test_times(text, moment):
    parsed = fields.parse_time(text)
    assert parsed == moment
    assert moment is None or parsed.tzinfo is UTC
    if text and moment is None:
        with pytest.raises(UnexpectedResponse) as caught:
            fields.time({"it": text}, "it")
        assert caught.value.message == "field 'it' should be an ISO 8601 time"
    else:
        assert fields.time({"it": text}, "it") == moment


def test_a_time_that_is_absent():
    assert fields.time({}, "it") is None
    with pytest.raises(UnexpectedResponse, match="field 'it' should be text"):
        fields.time({"it": 1767225600}, "it")


# --- JSON -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, json",
    [
        (None, None),
        (True, True),
        ("x", "x"),
        (1, 1),
        (fields.LARGEST, fields.LARGEST),
        (0.5, 0.5),
        (["a", 1, None, ["b"]], ["a", 1, None, ["b"]]),
        (("a", ("b",)), ["a", ["b"]]),
        ({"a": {"b": [1]}, 7: "x"}, {"a": {"b": [1]}, "7": "x"}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (NOON, "2026-01-31T12:00:00Z"),
        ({"at": [NOON]}, {"at": ["2026-01-31T12:00:00Z"]}),
        (NOON.replace(tzinfo=None), "2026-01-31T12:00:00Z"),
        (
            NOON.astimezone(datetime.timezone(datetime.timedelta(hours=5))),
            "2026-01-31T12:00:00Z",
        ),
        (NOON.replace(microsecond=999_999), "2026-01-31T12:00:00Z"),
        (datetime.date(2026, 1, 31), "2026-01-31"),
        (b"\xff\x00", "/wA="),
        (bytearray(b"\xff\x00"), "/wA="),
    ],
)
def test_values_as_json(value, json):
    plain = fields.plain(value)
    assert plain == json
    assert type(plain) is type(json)


class Moment(datetime.datetime):
    """As some libraries have their own."""


def test_a_time_of_another_class_is_one():
    moment = Moment(2026, 1, 31, 12, tzinfo=UTC)
    assert fields.plain([moment]) == ["2026-01-31T12:00:00Z"]
    assert fields.field({"it": moment}, "it", datetime.datetime) is moment


def test_the_time_zone_of_the_host_does_not_matter(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        moment = NOON.astimezone(datetime.timezone(datetime.timedelta(hours=5)))
        assert fields.plain(moment) == "2026-01-31T12:00:00Z"
        assert fields.plain(NOON.replace(tzinfo=None)) == "2026-01-31T12:00:00Z"
        assert fields.parse_time("2026-01-31T17:00:00+05:00") == NOON
        assert fields.parse_time("2026-01-31T12:00:00") == NOON
    finally:
        monkeypatch.undo()
        time.tzset()


def test_what_is_returned_is_a_copy():
    record = {"a": [1], "b": {"c": [2]}}
    copy = fields.plain(record)
    copy["a"].append(3)
    copy["b"]["c"].append(3)
    assert record == {"a": [1], "b": {"c": [2]}}
    names = ["a", "b"]
    fields.plain(names).append("c")
    assert names == ["a", "b"]


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"in": inner}])
def test_a_record_has_100_levels_at_most(wrap):
    value = wrap("x")
    for _ in range(fields.DEEPEST):
        value = wrap(value)
    assert fields.plain(value) == value
    with pytest.raises(UnexpectedResponse):
        fields.plain(wrap(value))


@pytest.mark.parametrize(
    "value, why",
    [
        ({"a"}, "a record holds a set, which JSON has no form for"),
        ([object()], "a record holds a object, which JSON has no form for"),
        (math.nan, None),
        ({"a": fields.LARGEST + 1}, None),
        ({"a": -fields.LARGEST - 1}, None),
        (
            datetime.datetime.min.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
            "a record holds a time that no calendar has in UTC",
        ),
    ],
)
def test_what_json_has_no_form_for_is_refused(value, why):
    with pytest.raises(UnexpectedResponse) as caught:
        fields.plain(value)
    assert why is None or caught.value.message == why
