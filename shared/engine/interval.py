"""The interval of time that a poll of metrics or logs has to fetch, starting where the last one ended.

nflex's ``setup_time_interval`` does the calculation; this module prepares its input and checks its result. An
interval is half open: a point at its end belongs to the next poll. The poll answers with the interval's end as
``last_update``, which the platform puts into the next event. So nothing is fetched twice and nothing is left
out, however late a poll starts.
"""

import dataclasses
import datetime
from typing import Optional

from nflex_connector_utils import setup_time_interval

from shared.engine.errors import InvalidEvent
from shared.engine.event import Request
from shared.engine.log import Log

POLL_INTERVAL_S = 15 * 60  # the default of nflex
LONGEST_S = 60 * 60  # one poll fetches no more; after an outage, several polls catch up

_UTC = datetime.timezone.utc


@dataclasses.dataclass(frozen=True)
class Interval:
    """From ``start`` (included) to ``end`` (excluded), both aware and in UTC; empty if they are equal."""

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
        """Whether there is nothing to fetch; the provider is not called then."""
        return self.start == self.end

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()

    @property
    def last_update(self) -> str:
        """The end, as the answer's ``last_update``: RFC 3339, always with a fraction and ``Z``."""
        return _text(self.end)


@dataclasses.dataclass(frozen=True)
class Span:
    """Which interval of a provider's points or log events a poll fetches; all lengths in seconds.

    ``skew_s``: how long it takes until they are complete. ``longest_s``: the most that one poll fetches.
    ``period_s``: the times of points are multiples of this, counted from 1970.
    """

    skew_s: float = 0
    longest_s: float = LONGEST_S
    period_s: Optional[int] = None


def due(request: Request, span: Span, log: Optional[Log] = None) -> Interval:
    """The interval that the poll of this request has to fetch.

    - With ``last_update``, it starts there; otherwise one poll interval before its end. The poll interval is the
      request's, or ``POLL_INTERVAL_S``.
    - It ends ``span.skew_s`` before now.
    - It is at most ``span.longest_s`` long, counted from its start; the next polls fetch the rest. (The limit is
      two poll intervals if that is longer: with less, polls would never catch up after an outage.)
    - With ``span.period_s``, it starts and ends on a multiple of that. Any other start is moved back to one, since
      the point of that period was not complete at the last poll.
    - If it would end before its start, it is empty and stays at its start. No poll can have reached a start in the
      future: it becomes now, and ``log`` says so.

    Raises InvalidEvent if the poll interval is too long to calculate with.
    """
    last_update = request.last_update
    poll_interval = request.poll_interval_s or POLL_INTERVAL_S
    longest = max(span.longest_s, 2 * poll_interval, span.period_s or 0)
    event = {
        "last_update": None if last_update is None else _text(last_update),
        "poll_interval": poll_interval,
    }
    try:
        naive = setup_time_interval(
            event, backfill_time=longest, initial_interval=0, skew=span.skew_s
        )
    except OverflowError:
        raise InvalidEvent("'poll_interval' is longer than time itself") from None
    start, end = (moment.replace(tzinfo=_UTC) for moment in naive)
    if start > end:  # then it was not cut to the longest, and its end is now minus the skew
        now = end + datetime.timedelta(seconds=span.skew_s)
        if start > now:
            if log:
                log.warn("last_update is in the future", last_update=_text(start), now=_text(now))
            start = now
    start = _floor(start, span.period_s)
    # a first poll has no last_update, and nflex does not cut it
    end = _floor(min(end, start + datetime.timedelta(seconds=longest)), span.period_s)
    return Interval(start, max(start, end))


def _floor(moment: datetime.datetime, period_s: Optional[int]) -> datetime.datetime:
    if not period_s:
        return moment
    since_1970 = moment - _1970
    return moment - since_1970 % datetime.timedelta(seconds=period_s)


_1970 = datetime.datetime(1970, 1, 1, tzinfo=_UTC)


def _text(moment: datetime.datetime) -> str:
    # the only form that setup_time_interval can read; strftime would not pad the year
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
