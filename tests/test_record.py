"""Reading records: documented types only."""

import datetime

import pytest

from shared import record
from shared.errors import UnexpectedResponse

UTC = datetime.timezone.utc
MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "value, kind, read",
    [("x", str, "x"), ("", str, ""), (3, int, 3), (3, float, 3.0), (True, bool, True)],
)
def test_a_field_of_its_type(value, kind, read):
    got = record.field({"f": value}, "f", kind)
    assert got == read and type(got) is type(read)


@pytest.mark.parametrize("absent", [{}, {"f": None}])
def test_absent_and_null_are_the_same(absent):
    assert record.field(absent, "f", str) is None
    assert record.objects(absent, "f") == []
    assert record.time(absent, "f") is None
    with pytest.raises(UnexpectedResponse, match="'f' is missing or empty"):
        record.needed(absent, "f", str)


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
        record.field({"f": value}, "f", kind)


def test_a_record_that_is_none_is_refused():
    with pytest.raises(UnexpectedResponse, match="expected an object with 'f', got list"):
        record.field([], "f", str)


def test_lists_are_checked_to_the_last_item():
    assert record.items({"f": ["a", "b"]}, "f", str) == ["a", "b"]
    with pytest.raises(UnexpectedResponse, match="should be a list of text, but holds a whole"):
        record.items({"f": ["a", 1]}, "f", str)
    with pytest.raises(UnexpectedResponse, match="should be a list of an object"):
        record.objects({"f": [{}, None]}, "f")


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
    assert record.time({"f": text}, "f") == MOMENT
    assert record.time({"f": text}, "f").utcoffset() == datetime.timedelta(0)


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01T00:00:00Z", "Z", " "])
def test_no_time_is_refused(text):
    with pytest.raises(UnexpectedResponse, match="'f' should be an ISO 8601 time"):
        record.time({"f": text}, "f")


def test_plain_is_what_json_can_hold():
    east = datetime.timezone(datetime.timedelta(hours=2))
    value = {"t": MOMENT.astimezone(east), 1: (b"\x00", [True, None, 1.5])}
    assert record.plain(value) == {"t": "2026-01-02T03:04:05Z", "1": ["AA==", [True, None, 1.5]]}
