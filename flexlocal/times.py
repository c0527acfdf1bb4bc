"""Times as they are given on the command line, and as they are shown. All are UTC unless a zone is given."""

import datetime
from collections.abc import Mapping
from typing import Optional

from flexlocal.options import BadUsage, nearest
from inventory.model import Bounds
from inventory.moments import UTC, parsed

_MINUTE = datetime.timedelta(minutes=1)


def moment(
    text: str, now: datetime.datetime, pins: Optional[Mapping[str, datetime.datetime]] = None
) -> datetime.datetime:
    """``2h`` (ago), ``now``, a date (its beginning), an ISO time, or the name of a pin. Raises BadUsage."""
    known = pins or {}
    if text in known:
        return known[text]
    try:
        return parsed(text, now)
    except ValueError:
        raise BadUsage(
            f"{text!r} is no time: write 2h, 2026-11-22, 2026-11-22T10:15 (UTC), or the name of a pin or a snapshot"
            f"{nearest(text, known)}"
        ) from None


def shown(time: datetime.datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}"


def _up(time: datetime.datetime) -> str:
    """To the next whole minute: what happened before the one, happened before the other."""
    rest = datetime.timedelta(seconds=time.second, microseconds=time.microsecond)
    return shown(time - rest + _MINUTE if rest else time)


def interval(bounds: Bounds) -> str:
    """For a table: ``2026-11-22 10:00-10:15``. Minutes are rounded so that it still lies in between."""
    before = _up(bounds.before)
    if bounds.after is None:
        return f"before {before}"
    after = shown(bounds.after)
    if after[:10] == before[:10]:
        return f"{after}-{before[11:]}"
    return f"{after} - {before}"


def sentence(bounds: Bounds) -> str:
    """``between 2026-11-22 10:00 and 10:15``."""
    before = _up(bounds.before)
    if bounds.after is None:
        return f"before {before}"
    after = shown(bounds.after)
    return f"between {after} and {before[11:] if after[:10] == before[:10] else before}"
