"""The reader of bodies: what it gives can be written as JSON; what can't is refused by name."""

import datetime
import json
from unittest import mock

import botocore.session
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.engine import failures
from shared.engine.errors import UnexpectedResponse
from shared.providers import aws
from shared.records import fields
from shared.transport import decode

URL = "https://host.invalid/v3/things"


@pytest.fixture(params=["json", "orjson"], autouse=True)
def reader(request, monkeypatch):
    """All tests here with and without orjson, which is an option."""
    monkeypatch.setattr(decode, "orjson", orjson if request.param == "orjson" else None)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1, -2.5, 1e3, true, null, "caf\u00e9", "\\ud83d\\ude00"]}',
        "[]",
        '"x"',
        " 7 ",
        '{"a": "[[[[", "b": "}}"}',
        "[" * 90 + "]" * 90,
    ],
)
def test_json_is_read_as_python_reads_it(text):
    assert decode.json_value(text) == json.loads(text)
    assert decode.json_answer(text.encode(), URL) == json.loads(text)
    assert decode.json_answer(b"\xef\xbb\xbf" + text.encode(), URL) == json.loads(text)


def read(text):
    try:
        return repr(decode.json_value(text))
    except decode.Unusable as error:
        return f"refused: {error}"


@pytest.mark.parametrize("value", [0, 10**17, 10**18, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**30])
@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize(
    "form",
    ["%s", "[%s]", '{"a": %s}', '{"a":%s}', "[1,%s]", "[\n%s]", "[\t%s]", "%s.5", "%se3", "%s.0e-2"]
    + ['["1234567890123456789012345", %s]', '["12345678901234567890a12345678901234567890",%s]'],
)
def test_numbers_are_what_python_reads(value, sign, form):
    text = form % f"{sign}{value}"
    assert read(text) == repr(json.loads(text))


def test_digits_in_texts_are_no_long_number(monkeypatch):
    """Nova's hostId is a hash, and a page of 1,000 servers usually has one with many digits in a row."""
    monkeypatch.setattr(decode, "orjson", orjson)
    monkeypatch.setattr(decode, "_by_json", None)
    digits = "1234567890" * 6
    servers = [{"hostId": f"a{digits}"}, {"hostId": digits, digits: f"1.5e{digits}"}]
    assert decode.json_value(json.dumps(servers)) == servers


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=200, deadline=None)
@given(
    value=VALUES, cut=st.integers(0, 200), other=st.sampled_from(['"', "}", "-", "1e", "\\u", "N"])
)
def test_both_readers_give_the_same(value, cut, other):
    whole = json.dumps(value)
    for text in (whole, whole[:cut], whole[:cut] + other + whole[cut:]):
        found = []
        for reader in (None, orjson):
            with mock.patch.object(decode, "orjson", reader):
                found.append(read(text))
        assert found[0] == found[1]


@pytest.mark.parametrize(
    "body, why",
    [
        (b"", "Expecting value"),
        (b"<html>", "Expecting value"),
        (b'{"a": 1', "Expecting"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),  # a surrogate, which json itself lets pass
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b"[" * 100_000, "too deeply"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too deeply"),
        (b"[" * 110 + b"]" * 110, "more than 100 levels deep"),
        (b'{"b": "]", "a": [' * 110 + b"]}" * 110, "more than 100 levels deep"),
        (b'{"a": NaN}', "it has NaN"),
        (b'{"a": -Infinity}', "it has -Infinity"),
        (b'{"a": 1e999}', "a number that is too large"),
        (b'{"a": -1.5e999}', "a number that is too large"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair"),
        (b'{"\\uDC00\\ud800": 1}', "half of a surrogate pair"),
    ],
)
def test_json_that_can_not_be_used_is_refused(body, why):
    with pytest.raises(UnexpectedResponse, match=f"^{URL} did not answer with JSON.*{why}"):
        decode.json_answer(body, URL)


def test_a_whole_number_of_more_digits_than_python_reads():
    body = b'{"a": ' + b"9" * 5000 + b"}"
    try:
        json.loads(body)
    except ValueError:
        with pytest.raises(UnexpectedResponse, match="too many digits"):
            decode.json_answer(body, URL)
    # a Python of before the limit reads it, and the field is refused
    with pytest.raises(UnexpectedResponse, match="'a' is no number that can be used"):
        fields.field({"a": 10**4999}, "a", int)


def test_nan_is_null_where_a_service_writes_it_for_none():
    assert decode.json_answer(b"[NaN, Infinity, 1.5]", URL, nan=True) == [None, None, 1.5]


def bomb(levels, width):
    names = [f"n{number}" for number in range(levels)]
    lines = [f"{names[0]}: &{names[0]} [{', '.join('x' * width)}]"]
    for before, name in zip(names, names[1:]):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * width)}]")
    return "\n".join(lines)


def test_yaml_is_read_with_its_aliases():
    assert decode.yaml_value("{vlan: 7, a: &a {b: 1}, c: [*a, *a]}") == {
        "vlan": 7,
        "a": {"b": 1},
        "c": [{"b": 1}, {"b": 1}],
    }
    assert decode.yaml_value("") is None
    assert decode.yaml_value("2026-01-31") == datetime.date(2026, 1, 31)


@pytest.mark.parametrize(
    "text, why",
    [
        ("{", "no YAML"),
        ("2026-13-45", "no YAML"),
        ("&a [*a]", "holds itself"),
        ("&a {b: {c: *a}}", "holds itself"),
        (bomb(9, 9), "more than 10000 values"),
        ("a: &a {x: 1}\n" + "".join(f"b{n}: {{<<: [*a, *a]}}\n" for n in range(2500)), "values"),
        ("[" * 50_000, "too deeply"),
        ("[" * 110 + "]" * 110, "more than 100 levels deep"),
        ("- " * 20_000, "too deeply"),
        ("a" * 70_000, "longer than 65535 characters"),
        ('"\\ud800"', "no YAML"),
        (".nan", "no YAML"),
        ("9" * 5000, "no YAML"),
        ("0x" + "f" * 5000, "no YAML"),
        ("? {a: 1}\n: 2", "no YAML"),
        ("!!python/object/apply:os.getcwd []", "no YAML"),
        ("a\x00b", "no YAML"),
    ],
)
def test_yaml_that_can_not_be_used_is_refused(text, why):
    with pytest.raises(decode.Unusable, match=why):
        decode.yaml_value(text)


def nested(levels, value=1):
    for _ in range(levels):
        value = {"a": [value]}
    return value


def test_metadata_is_bounded_in_depth():
    assert fields.plain(nested(50)) == nested(50)
    with pytest.raises(UnexpectedResponse, match="nested more than 100 levels deep"):
        fields.plain(nested(300))


LATE = datetime.timezone(datetime.timedelta(hours=14))


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        10**400,
        {1, 2},
        datetime.datetime(1, 1, 1, tzinfo=LATE),
    ],
)
def test_metadata_that_json_can_not_hold_is_refused(value):
    with pytest.raises(UnexpectedResponse):
        fields.plain({"x": [value]})


def test_dates_are_text():
    assert fields.plain([datetime.date(2026, 1, 31)]) == ["2026-01-31"]


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_that_no_calendar_has_in_utc_is_none(text):
    assert fields.parse_time(text) is None
    with pytest.raises(UnexpectedResponse, match="'f' should be an ISO 8601 time"):
        fields.time({"f": text}, "f")


@pytest.mark.parametrize("value", [10**400, float("nan"), float("inf"), -(10**400)])
@pytest.mark.parametrize("kind", [int, float])
def test_numbers_are_bounded(value, kind):
    with pytest.raises(UnexpectedResponse, match="field 'f'"):
        fields.field({"f": value}, "f", kind)
    with pytest.raises(UnexpectedResponse, match="field 'f'"):
        fields.items({"f": [value]}, "f", kind)


# --- what gets past it ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def models():
    session = botocore.session.Session()
    return {name: session.get_service_model(name) for name in ("ec2", "efs")}


VOLUME = "<DescribeVolumesResponse><volumeSet><item>%s</item></volumeSet></DescribeVolumesResponse>"


@pytest.mark.parametrize(
    "service, operation, body",
    [
        ("ec2", "DescribeVolumes", VOLUME % f"<size>{'9' * 5000}</size>"),
        ("ec2", "DescribeVolumes", VOLUME % "<size>many</size>"),
        ("ec2", "DescribeVolumes", VOLUME % "<createTime>0001-01-01T00:00:00+14:00</createTime>"),
        ("ec2", "DescribeVolumes", VOLUME % "<createTime>soon</createTime>"),
        ("ec2", "DescribeVolumes", VOLUME % "<size>1</size><size>2</size>"),
        ("efs", "DescribeFileSystems", '{"FileSystems": [7]}'),
        ("efs", "DescribeFileSystems", '{"FileSystems": [{"CreationTime": 1e300}]}'),
        ("efs", "DescribeFileSystems", '{"FileSystems": [{"CreationTime": {}}]}'),
        ("efs", "DescribeFileSystems", "[]"),
    ],
)
def test_botocores_parsers_know_no_other_error(models, service, operation, body):
    model = models[service]
    parsers = aws.responses.Parsers()
    parsers.set_parser_defaults(timestamp_parser=aws.responses.timestamp)
    parser = parsers.create_parser(model.metadata["protocol"])
    response = {
        "status_code": 200,
        "headers": {},
        "body": body.encode(),
        "context": {"operation_name": operation},
    }
    with pytest.raises(UnexpectedResponse):
        parser.parse(response, model.operation_model(operation).output_shape)


class Provider:
    @staticmethod
    def classify(error):
        return None


@pytest.mark.parametrize(
    "error", [RecursionError("x"), OverflowError("x"), "\ud800"], ids=["depth", "range", "text"]
)
def test_the_engine_names_what_only_data_can_bring_about(error):
    try:
        if isinstance(error, str):
            error.encode()
        raise error
    except Exception as caught:
        known = failures.classified(Provider, caught, str)
    assert isinstance(known, UnexpectedResponse)
    assert "what the provider sent can't be used" in str(known) and "test_decode.py" in str(known)


@pytest.mark.parametrize("kind", [AttributeError, KeyError, TypeError, ValueError])
def test_bugs_stay_bugs(kind):
    with pytest.raises(kind):
        failures.classified(Provider, kind("x"), str)
