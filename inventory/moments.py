"""Times as a person writes them. All are UTC unless a zone is given."""

import datetime
import re

UTC = datetime.timezone.utc
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_RELATIVE = re.compile(r"(\d{1,6})\s*([smhdw])(\s+ago)?")


def parsed(text: str, now: datetime.datetime) -> datetime.datetime:
    """``2h`` (ago), ``now``, a date (its beginning), or an ISO time. Raises ValueError."""
    text = text.strip()
    if text == "now":
        return now
    relative = _RELATIVE.fullmatch(text)
    try:
        if relative:
            return now - datetime.timedelta(**{UNITS[relative[2]]: int(relative[1])})
        found = datetime.datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is too long ago") from None
