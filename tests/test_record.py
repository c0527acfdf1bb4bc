"""Reading records: documented types only."""

import datetime

import pytest

from shared.engine.errors import UnexpectedResponse
from shared.records import fields

UTC = datetime.timezone.utc
MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "value, kind, read",
    [("x", str, "x"), ("", str, ""), (3, int, 3), (3, float, 3.0), (True, bool, True)],
)
def test_a_field_of_its_type(value, kind, read):
    got = fields.field({"f": value}, "f", kind)
    assert got == read and type(got) is type(read)


@pytest.mark.parametrize("absent", [{}, {"f": None}])
def test_absent_and_null_are_the_same(absent):
    assert fields.field(absent, "f", str) is None
    assert fields.objects(absent, "f") == []
    assert fields.time(absent, "f") is None
    with pytest.raises(UnexpectedResponse, match="'f' is missing or empty"):
        fields.needed(absent, "f", str)


@pytest.mark.parametrize(
    "value, kind, words",
    [
        (7, str, "should be text, but is a whole number"),
        ("7", int, "should be a whole number, but is text"),
        (True, int, "should be a whole number, but is true or false"),
        (7.5, int, "should be a whole number, but is a number"),
        ([], dict, "should be an object, but is a list"),
    ],
)
def test_another_type_is_refused(value, kind, words):
    with pytest.raises(UnexpectedResponse, match=f"field 'f' {words}"):
        fields.field({"f": value}, "f", kind)


def test_a_record_that_is_none_is_refused():
    with pytest.raises(UnexpectedResponse, match="expected an object with 'f', got list"):
        fields.field([], "f", str)


def test_lists_are_checked_to_the_last_item():
    assert fields.items({"f": ["a", "b"]}, "f", str) == ["a", "b"]
    with pytest.raises(UnexpectedResponse, match="should be a list of text, but holds a whole"):
        fields.items({"f": ["a", 1]}, "f", str)
    with pytest.raises(UnexpectedResponse, match="should be a list of an object"):
        fields.objects({"f": [{}, None]}, "f")


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04:05.000000",
        "2026-01-02T05:04:05+02:00",
        " 2026-01-02T03:04:05Z ",
    ],
)
def test_times_are_utc(text):
    assert fields.time({"f": text}, "f") == MOMENT
    assert fields.time({"f": text}, "f").utcoffset() == datetime.timedelta(0)


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01T00:00:00Z", "Z", " "])
def test_no_time_is_refused(text):
    with pytest.raises(UnexpectedResponse, match="'f' should be an ISO 8601 time"):
        fields.time({"f": text}, "f")


def test_plain_is_what_json_can_hold():
    east = datetime.timezone(datetime.timedelta(hours=2))
    value = {"t": MOMENT.astimezone(east), 1: (b"\x00", [True, None, 1.5])}
    assert fields.plain(value) == {"t": "2026-01-02T03:04:05Z", "1": ["AA==", [True, None, 1.5]]}
