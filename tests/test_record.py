"""Reading records: documented types only."""

import base64
import collections
import datetime
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.engine.errors import UnexpectedResponse
from shared.records import fields
from shared.records.metadata import metadata

UTC = datetime.timezone.utc
KINDS = (str, int, float, bool, dict, list, datetime.datetime)
EDGES = (
    *("", 0, False, 0.0, -0.0, math.nan, math.inf, -math.inf, 1e300, b"", b"x", (), ("a", 1)),
    *(fields.LARGEST, fields.LARGEST + 1, -fields.LARGEST, -fields.LARGEST - 1, object()),
    *(datetime.date(2026, 1, 2), datetime.datetime(1, 1, 1), collections.OrderedDict(a=1)),
)
LEAVES = (
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    st.sampled_from(EDGES),
)
VALUES = st.recursive(
    st.one_of(LEAVES),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=10,
)
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


def outcome(function, *arguments, **options):
    """What a function returns or raises; in a form that compares NaN, types and order too."""
    try:
        return repr(function(*arguments, **options))
    except UnexpectedResponse as error:
        return error.message


def every_edge(test):
    """Gives each value on an edge as each kind, besides those that hypothesis draws."""
    for value in EDGES:
        for kind in KINDS:
            test = example(value, kind)(test)
    return test


@given(VALUES, st.sampled_from(KINDS))
@every_edge
def test_the_usual_case_of_a_field_is_the_checked_one(value, kind):
    for record in ({"f": value}, {}, collections.OrderedDict(f=value), value):
        usual = outcome(fields.field, record, "f", kind)
        assert usual == outcome(fields._checked_field, record, "f", kind)


@given(VALUES, st.sampled_from(KINDS))
@every_edge
def test_a_list_is_as_good_as_each_of_its_items(value, kind):
    values = value if isinstance(value, list) else [value]

    def fits(value):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        return isinstance(value, kind) and value == value and value not in (math.inf, -math.inf)

    huge = any(type(value) is int and abs(value) > fields.LARGEST for value in values)
    read = outcome(fields.items, {"f": values}, "f", kind)
    assert (read == repr(values)) == (all(map(fits, values)) and not huge)


def written_out(value, depth=0):
    """``plain`` as its docstring describes it, without any shortcut."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        usable = math.isfinite(value) if isinstance(value, float) else abs(value) <= fields.LARGEST
        if not usable:
            raise UnexpectedResponse("field 'metadata' is no number that can be used")
        return value
    if value is None or isinstance(value, (bool, str)):
        return value
    if depth > fields.DEEPEST:
        raise UnexpectedResponse("a record is nested more than 100 levels deep")
    if isinstance(value, dict):
        return {str(key): written_out(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [written_out(inner, depth + 1) for inner in value]
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="seconds") + "Z"
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise UnexpectedResponse(f"a record holds a {type(value).__name__}, which JSON has no form for")


@given(VALUES)
def test_plain_has_no_shortcut_that_shows(value):
    assert outcome(fields.plain, value) == outcome(written_out, value)


@pytest.mark.parametrize("levels", [fields.DEEPEST, fields.DEEPEST + 1, fields.DEEPEST + 2])
@pytest.mark.parametrize("leaf", ["text", 1, {}, []])
def test_plain_counts_levels(levels, leaf):
    for holder in (lambda inner: [inner], lambda inner: {"a": inner}):
        value = leaf
        for _ in range(levels):
            value = holder(value)
        assert outcome(fields.plain, value) == outcome(written_out, value)


@given(st.dictionaries(st.sampled_from("abcd"), VALUES))
def test_metadata_leaves_out_what_is_empty_and_keeps_what_is_false(record):
    def facts():
        known = {
            name: written_out(record[name])
            for name in "abc"
            if name in record and record[name] not in (None, "", [], {})
        }
        return {"provider_specific": known} if known else {}

    more = {"c": record["c"]} if "c" in record else {}
    assert outcome(lambda: metadata(record, "ab", **more).serialize()) == outcome(facts)
