"""What time span a poll of metrics or logs has to fetch: from where the last one ended.

nflex's ``setup_time_interval`` does the sum; this makes the event ready for it and the answer safe to
use. A span is half open: a point at its end belongs to the next poll. The poll answers with the span's
end as ``last_update``, which the platform puts into the next event: so nothing is fetched twice and
nothing is left out, however late a poll comes.
"""

import dataclasses
import datetime
import math
import re
from collections.abc import Mapping
from typing import Any, Optional

from nflex_connector_utils import setup_time_interval

from shared.engine.errors import InvalidEvent
from shared.engine.log import Log

POLL_INTERVAL_S = 15 * 60  # where neither event nor resource says: nflex's own default
LONGEST_S = 60 * 60  # one poll fetches no more; after an outage, several polls catch up

_UTC = datetime.timezone.utc

# RFC 3339, 5.6; the offset may be missing, since the platform takes times without.
_RFC_3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))?",
    re.ASCII,
)


@dataclasses.dataclass(frozen=True)
class Interval:
    """From ``start`` on and before ``end``, both aware and in UTC; empty where they are the same."""

    start: datetime.datetime
    end: datetime.datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is not _UTC or self.end.tzinfo is not _UTC:
            raise ValueError("an interval is in UTC")
        if self.start > self.end:
            raise ValueError("an interval does not end before its start")

    def __contains__(self, moment: datetime.datetime) -> bool:
        return self.start <= moment < self.end

    @property
    def empty(self) -> bool:
        """Nothing to fetch: ask the provider nothing."""
        return self.start == self.end

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()

    @property
    def last_update(self) -> str:
        """The end, as the answer's ``last_update``: RFC 3339, always with a fraction and ``Z``."""
        return _text(self.end)


def due(
    event: Mapping[str, Any],
    *,
    poll_interval_s: float = POLL_INTERVAL_S,
    initial_s: float = 0,
    skew_s: float = 0,
    longest_s: float = LONGEST_S,
    period_s: Optional[int] = None,
    log: Optional[Log] = None,
) -> Interval:
    """The span that this event's poll has to fetch. All lengths are in seconds.

    - With ``last_update``, it starts there; else one poll interval and ``initial_s`` before its end. The
      poll interval is the event's, or its resource's, or ``poll_interval_s``.
    - It ends ``skew_s`` before now: as long as the provider takes until its points are all there.
    - It is no longer than ``longest_s``, counted from its start: what comes after is for the next poll.
      (Two poll intervals, where that is longer; with less, an outage would never be caught up.)
    - With ``period_s``, it starts and ends on a multiple of that, counted from 1970, as the provider's
      points do. A start that is none is taken back to one: its period's point was not complete then.
    - Where it would end before its start, it is empty and stays at its start. A start in the future
      is none that was fetched up to: it becomes now, and ``log`` says so.

    Raises InvalidEvent naming the key where ``last_update`` is no time or ``poll_interval`` no number.
    """
    last_update = _moment("last_update", event.get("last_update"))
    poll_interval = _poll_interval(event) or poll_interval_s
    longest = max(longest_s, 2 * poll_interval, period_s or 0)
    asked = {
        "last_update": None if last_update is None else _text(last_update),
        "poll_interval": poll_interval,
    }
    try:
        naive = setup_time_interval(
            asked, backfill_time=longest, initial_interval=initial_s, skew=skew_s
        )
    except OverflowError:
        raise InvalidEvent("'poll_interval' is longer than time itself") from None
    start, end = (moment.replace(tzinfo=_UTC) for moment in naive)
    if start > end:  # then it was not cut to the longest, and this is when it was worked out:
        now = end + datetime.timedelta(seconds=skew_s)
        if start > now:
            if log:
                log.warn("last_update is in the future", last_update=_text(start), now=_text(now))
            start = now
    start = _floor(start, period_s)
    # a first poll has no last_update, and nflex does not cut it
    end = _floor(min(end, start + datetime.timedelta(seconds=longest)), period_s)
    return Interval(start, max(start, end))


def _floor(moment: datetime.datetime, period_s: Optional[int]) -> datetime.datetime:
    if not period_s:
        return moment
    since_1970 = moment - _1970
    return moment - since_1970 % datetime.timedelta(seconds=period_s)


_1970 = datetime.datetime(1970, 1, 1, tzinfo=_UTC)


def _text(moment: datetime.datetime) -> str:
    # the one form that setup_time_interval can read; strftime would not pad the year
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _poll_interval(event: Mapping[str, Any]) -> Optional[float]:
    value, name = event.get("poll_interval"), "poll_interval"
    if value is None:
        resource = event.get("resource")
        if resource is None:
            return None
        if not isinstance(resource, Mapping):
            raise InvalidEvent(f"'resource' should be an object, but is {type(resource).__name__}")
        value, name = resource.get("poll_interval"), "resource.poll_interval"
    if value is None:
        return None
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not good or not 0 < value < math.inf:
        raise InvalidEvent(f"{name!r} should be a number of seconds above 0")
    return float(value)


def _moment(name: str, value: Any) -> Optional[datetime.datetime]:
    """The aware moment in UTC that a datetime or an RFC 3339 text is; without offset, it is UTC."""
    if value is None or value == "":
        return None
    wrong = InvalidEvent(
        f"{name!r} should be an RFC 3339 time such as 2026-01-31T23:59:59Z, but is "
        + (repr(value) if isinstance(value, str) and len(value) < 64 else type(value).__name__)
    )
    try:
        moment = _parse(value.strip()) if isinstance(value, str) else value
        if not isinstance(moment, datetime.datetime):
            raise wrong
        if moment.utcoffset() is None:
            return moment.replace(tzinfo=_UTC)
        return moment.astimezone(_UTC)
    except (ValueError, OverflowError):  # no such day, or an offset that leads out of all years
        raise wrong from None


def _parse(text: str) -> Optional[datetime.datetime]:
    found = _RFC_3339.fullmatch(text)
    if not found:
        return None
    *numbers, fraction, sign, hours, minutes = found.groups()
    year, month, day, hour, minute, second = map(int, numbers)
    leap = second == 60  # RFC 3339 writes leap seconds; datetime has none
    moment = datetime.datetime(year, month, day, hour, minute, second - leap)
    moment += datetime.timedelta(
        seconds=leap, microseconds=int((fraction or "0")[:6].ljust(6, "0"))
    )
    if sign is None:
        return moment.replace(tzinfo=_UTC)
    if int(hours) > 23 or int(minutes) > 59:
        return None
    offset = datetime.timedelta(hours=int(hours), minutes=int(minutes))
    return moment.replace(tzinfo=datetime.timezone(-offset if sign == "-" else offset))
