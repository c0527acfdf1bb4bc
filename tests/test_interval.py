"""What a poll fetches: the same span whatever form its event has, and each moment once."""

import datetime
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nflex_connector_utils import setup_time_interval

from shared.engine import event as events
from shared.engine import interval
from shared.engine.errors import InvalidEvent
from shared.engine.interval import Interval

UTC = datetime.timezone.utc
NOON = datetime.datetime(2026, 1, 31, 12, tzinfo=UTC)
HOUR = datetime.timedelta(hours=1)
MINUTE = datetime.timedelta(minutes=1)


class Clock(datetime.datetime):
    """What nflex asks for the time."""

    now_is = NOON

    @classmethod
    def utcnow(cls):
        return cls.now_is.replace(tzinfo=None)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr("nflex_connector_utils.time.datetime", Clock)
    monkeypatch.setattr(Clock, "now_is", NOON)
    return Clock


def due(event, log=None, **span):
    """The interval of an event with these parts."""
    account = {"provider": "aws", "credentials": {"aws_access_key_id": "A"}}
    return interval.due(
        events.parse({**account, **event}, ["aws"], span=True), interval.Span(**span), log
    )


def at(text):
    """A moment of that day, or of another one."""
    text = text if "-" in text else f"2026-01-31T{text}"
    return datetime.datetime.fromisoformat(text).replace(tzinfo=UTC)


# --- the event ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "last_update, start",
    [
        ("2026-01-31T11:30:00.000000Z", "11:30:00"),
        ("2026-01-31T11:30:00Z", "11:30:00"),
        ("2026-01-31t11:30:00z", "11:30:00"),
        ("2026-01-31 11:30:00Z", "11:30:00"),
        ("2026-01-31T11:30:00", "11:30:00"),
        (" 2026-01-31T11:30:00Z\n", "11:30:00"),
        ("2026-01-31T11:30:00.5Z", "11:30:00.500000"),
        ("2026-01-31T11:30:00.123456Z", "11:30:00.123456"),
        ("2026-01-31T11:30:00.123456789Z", "11:30:00.123456"),
        ("2026-01-31T12:30:00+01:00", "11:30:00"),
        ("2026-01-31T04:00:00.25-07:30", "11:30:00.250000"),
        ("2026-01-31T11:30:00-00:00", "11:30:00"),
        ("2026-02-01T00:15:00+12:45", "11:30:00"),
        ("2026-01-31T11:29:60Z", "11:30:00"),
        (at("11:30"), "11:30:00"),
        (at("11:30").replace(tzinfo=None), "11:30:00"),
        (at("11:30").astimezone(datetime.timezone(HOUR)), "11:30:00"),
    ],
)
def test_every_form_of_last_update(last_update, start):
    assert due({"last_update": last_update}) == Interval(at(start), NOON)


@pytest.mark.parametrize(
    "last_update",
    [
        "yesterday",
        "2026-01-31",
        "2026-01-31T11:30Z",
        "2026-02-30T11:30:00Z",
        "2026-01-31T25:00:00Z",
        "2026-01-31T11:30:61Z",
        "2026-01-31T11:30:00,5Z",
        "2026-01-31T11:30:00.Z",
        "2026-01-31T11:30:00+0100",
        "2026-01-31T11:30:00+24:00",
        "2026-01-31T11:30:00+01:60",
        "2026-01-31T11:30:00 UTC",
        "２026-01-31T11:30:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:60Z",
        1769859000,
        False,
        datetime.date(2026, 1, 31),
        {},
    ],
)
def test_a_last_update_that_is_no_time(last_update):
    with pytest.raises(InvalidEvent, match="'last_update' should be an RFC 3339 time"):
        due({"last_update": last_update})


@pytest.mark.parametrize("last_update", [None, ""])
def test_a_first_poll_goes_back_a_poll_interval(last_update):
    event = {"last_update": last_update, "poll_interval": 300}
    assert due(event) == Interval(at("11:55"), NOON)
    assert due(event, skew_s=60) == Interval(at("11:54"), at("11:59"))


@pytest.mark.parametrize(
    "event, start",
    [
        ({"poll_interval": 60, "resource": {"poll_interval": 120}}, "11:59"),
        ({"poll_interval": 60.0}, "11:59"),
        ({"poll_interval": None, "resource": {"poll_interval": 120}}, "11:58"),
        ({"resource": {"poll_interval": 120}}, "11:58"),
        ({"resource": {"poll_interval": None}}, "11:45"),
        ({"resource": {}}, "11:45"),
        ({"resource": None}, "11:45"),
        ({}, "11:45"),
    ],
)
def test_whose_poll_interval(event, start):
    assert due(event) == Interval(at(start), NOON)


@pytest.mark.parametrize("value", ["300", 0, -1, True, [], float("nan"), float("inf")])
def test_a_poll_interval_that_is_none(value):
    with pytest.raises(InvalidEvent, match="'poll_interval' should be a number of seconds above 0"):
        due({"poll_interval": value})
    with pytest.raises(InvalidEvent, match="'resource.poll_interval' should be a number"):
        due({"resource": {"poll_interval": value}})


def test_other_wrong_events():
    with pytest.raises(InvalidEvent, match="'resource' should be an object, but is str"):
        due({"resource": "i-1"})
    with pytest.raises(InvalidEvent, match="^'poll_interval' is longer than time itself[.] "):
        due({"poll_interval": 1e300})
    with pytest.raises(InvalidEvent, match="^'poll_interval' is longer than time itself[.] "):
        due({"poll_interval": 1e11})


# --- the span -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "last_update, more, start, end",
    [
        # late points are left for the next poll
        ("11:50:00", {"skew_s": 120}, "11:50:00", "11:58:00"),
        # an outage is caught up in steps, oldest first
        ("06:00:00", {}, "06:00:00", "07:00:00"),
        ("06:00:00", {"longest_s": 7200}, "06:00:00", "08:00:00"),
        ("11:00:00", {}, "11:00:00", "12:00:00"),
        ("11:00:00", {"skew_s": 60}, "11:00:00", "11:59:00"),
        # in steps of two poll intervals at least
        ("06:00:00", {"longest_s": 60}, "06:00:00", "06:30:00"),
        # nothing new yet
        ("12:00:00", {}, "12:00:00", "12:00:00"),
        ("11:59:00", {"skew_s": 120}, "11:59:00", "11:59:00"),
        # in the future: nobody can have fetched that
        ("12:00:01", {}, "12:00:00", "12:00:00"),
        ("23:00:00", {"skew_s": 120}, "12:00:00", "12:00:00"),
        ("2999-01-01", {"skew_s": 120}, "12:00:00", "12:00:00"),
        # whole periods
        ("11:50:00", {"period_s": 300, "skew_s": 60}, "11:50:00", "11:55:00"),
        ("11:52:30", {"period_s": 300, "skew_s": 60}, "11:50:00", "11:55:00"),
        ("11:58:00", {"period_s": 300, "skew_s": 60}, "11:55:00", "11:55:00"),
        ("11:55:00", {"period_s": 300, "skew_s": 60}, "11:55:00", "11:55:00"),
        ("06:03:20", {"period_s": 300, "longest_s": 1800}, "06:00:00", "06:30:00"),
        ("06:00:00", {"period_s": 300, "longest_s": 1900}, "06:00", "06:30"),
        ("06:00:00", {"period_s": 86400}, "00:00:00", "00:00:00"),
        ("2026-01-29", {"period_s": 86400}, "2026-01-29", "2026-01-30"),
        ("12:30:00", {"period_s": 3600, "skew_s": 60}, "12:00:00", "12:00:00"),
        (None, {"period_s": 300, "skew_s": 60}, "11:40:00", "11:55:00"),
        ("0001-01-01", {}, "0001-01-01", "0001-01-01T01:00:00"),
    ],
)  # fmt: skip
def test_spans(last_update, more, start, end):
    event = {"last_update": at(last_update) if last_update else None}
    assert due(event, **more) == Interval(at(start), at(end))


def test_a_last_update_in_the_future_is_logged():
    log = mock.Mock()
    due({"last_update": "2026-01-31T12:00:00.5Z"}, log=log)
    due({"last_update": "2026-01-31T11:59:59.5Z"}, log=log, skew_s=60)
    log.warn.assert_called_once_with(
        "last_update is in the future",
        last_update="2026-01-31T12:00:00.500000Z",
        now="2026-01-31T12:00:00.000000Z",
    )
    assert log.method_calls == [mock.call.warn(mock.ANY, last_update=mock.ANY, now=mock.ANY)]


def test_the_event_stays_as_it_was():
    event = {"last_update": "2026-01-31T11:30:00Z", "poll_interval": 60}
    due(event)
    assert event == {"last_update": "2026-01-31T11:30:00Z", "poll_interval": 60}


def test_what_an_interval_is():
    hour = Interval(at("11:00"), NOON)
    assert (hour.seconds, hour.empty) == (3600, False)
    assert at("11:00") in hour and at("11:59:59.999999") in hour
    assert NOON not in hour and at("10:59") not in hour
    assert Interval(NOON, NOON).empty
    assert NOON not in Interval(NOON, NOON)
    assert hour.last_update == "2026-01-31T12:00:00.000000Z"
    with pytest.raises(ValueError, match="before its start"):
        Interval(NOON, at("11:00"))
    for moment in (NOON.replace(tzinfo=None), NOON.astimezone(datetime.timezone(HOUR))):
        with pytest.raises(ValueError, match="in UTC"):
            Interval(moment, moment)


def test_nflex_can_read_the_last_update():
    answer = Interval(at("11:00"), at("11:30")).last_update
    assert setup_time_interval({"last_update": answer, "poll_interval": 60})[0] == at(
        "11:30"
    ).replace(tzinfo=None)
    assert due({"last_update": answer}).start == at("11:30")


# --- one poll after the other ---------------------------------------------------------------------

# how fast a machine is says nothing about the code
ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

FORMS = (
    lambda answer: answer,
    lambda answer: answer.replace("T", "t").replace("Z", "z"),
    lambda answer: answer.replace("T", " ").replace("Z", "+00:00"),
    events._parse,
)

POLLS = st.lists(
    st.tuples(
        st.one_of(  # seconds since the one before: doubled, in time with jitter, late, an outage
            st.just(0.0),
            st.floats(240, 360),
            st.floats(360, 3600),
            st.floats(3600, 30 * 3600),
        ),
        st.booleans(),  # whether it fails, so that its answer is not taken
        st.sampled_from(FORMS),  # how the platform keeps last_update
        st.floats(-120, 120),  # how far the clock of its host is off
    ),
    min_size=1,
    max_size=60,
)


def polled(schedule, off=False, **more):
    """The spans whose answers the platform took, and (true now, span) of all."""
    taken, all_of_them, last_update, now = [], [], None, NOON
    for wait, fails, form, wrong_by in schedule:
        now += datetime.timedelta(seconds=wait)
        Clock.now_is = now + datetime.timedelta(seconds=wrong_by if off else 0)
        event = {"poll_interval": 300, "last_update": last_update and form(last_update)}
        span = due(event, **more)
        all_of_them.append((now, span))
        if not fails:
            taken.append(span)
            last_update = span.last_update
    return taken, all_of_them


@settings(ANY_SPEED, max_examples=200)
@given(
    schedule=POLLS,
    skew=st.sampled_from([0, 30, 600]),
    longest=st.sampled_from([60, 3600, 86400]),
    period=st.sampled_from([None, 60, 300, 3600]),
)
def test_no_gap_and_no_overlap(schedule, skew, longest, period):
    more = {"skew_s": skew, "longest_s": longest, "period_s": period}
    taken, all_of_them = polled(schedule, **more)
    for before, after in zip(taken, taken[1:]):
        assert after.start == before.end
    for now, span in all_of_them:
        assert span.end <= now - datetime.timedelta(seconds=skew)
        assert span.seconds <= max(longest, 600, period or 0)
        if period:
            assert span.start.timestamp() % period == span.end.timestamp() % period == 0


@settings(ANY_SPEED, max_examples=200)
@given(schedule=POLLS, period=st.sampled_from([None, 60, 300]))
def test_clocks_that_differ_by_less_than_the_skew(schedule, period):
    """Each moment once, and none before it was over."""
    taken, all_of_them = polled(schedule, off=True, skew_s=240, period_s=period)
    for before, after in zip(taken, taken[1:]):
        assert after.start == before.end
    for now, span in all_of_them:
        assert span.end <= now - 2 * MINUTE


@settings(ANY_SPEED, max_examples=100)
@given(schedule=POLLS, period=st.sampled_from([None, 60, 300]))
def test_whatever_was_missed_is_caught_up(schedule, period):
    """Polls in time fetch more than is added, until nothing is left but what is not there yet."""
    missed = sum(wait for wait, *_ in schedule)
    in_time = [(300.0, False, FORMS[0], 0.0)] * (int(missed / 3300) + 2)
    taken, all_of_them = polled([(0.0, False, FORMS[0], 0.0), *schedule, *in_time], skew_s=60, period_s=period)  # fmt: skip
    now, last = all_of_them[-1]
    assert now - last.end < datetime.timedelta(seconds=60 + (period or 1))
    whole = sum((span.end - span.start for span in taken), datetime.timedelta())
    assert whole == last.end - taken[0].start


@settings(ANY_SPEED)
@given(
    moment=st.datetimes(min_value=datetime.datetime(1, 1, 3), max_value=datetime.datetime(9999, 12, 30)),
    offset=st.integers(-1439, 1439),
    separator=st.sampled_from("Tt "),
    digits=st.integers(0, 9),
)  # fmt: skip
def test_any_time_as_rfc_3339(moment, offset, separator, digits):
    zone = datetime.timezone(datetime.timedelta(minutes=offset))
    fraction = f".{moment.microsecond:06d}999"[: digits + 1] if digits else ""
    text = moment.replace(microsecond=0, tzinfo=zone).isoformat(separator)
    text = text[:19] + fraction + text[19:]
    told = datetime.datetime.fromisoformat(moment.isoformat(timespec="seconds"))
    told += datetime.timedelta(microseconds=int((fraction[1:7] or "0").ljust(6, "0")))
    assert events._moment("last_update", text) == told.replace(tzinfo=zone)
    assert events._moment("last_update", text).tzinfo is UTC


# --- at the edges ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "start, end, words",
    [
        (NOON.replace(tzinfo=None), NOON, "an interval is in UTC"),
        (NOON, NOON.replace(tzinfo=None), "an interval is in UTC"),
        (NOON, NOON - MINUTE, "an interval does not end before its start"),
    ],
)
def test_what_is_no_interval(start, end, words):
    with pytest.raises(ValueError, match=f"^{words}$"):
        Interval(start, end)


def test_a_poll_that_starts_now_is_not_in_the_future():
    """Its provider's points are not complete yet: the interval is empty, and nobody has to look at anything."""
    log = mock.Mock()
    found = due({"last_update": "2026-01-31T12:00:00Z"}, log, skew_s=600)
    assert found == Interval(NOON, NOON)
    assert log.warn.mock_calls == []
