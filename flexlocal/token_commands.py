"""``flexlocal token``: tokens of the REST service."""

import datetime
import re
from types import SimpleNamespace
from typing import Optional

from flexlocal import results, terminal, times
from flexlocal.inventory_commands import column, counted, show_table, time_column, utc_now
from flexlocal.options import BadUsage
from flexlocal.serve_commands import tokens_file
from inventory.answers import written_or_none
from web.tokens import READ, Tokens, TokensError

UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def add(args: SimpleNamespace) -> int:
    now = utc_now()
    expires_at = _expiry(args.expires, now)
    try:
        tokens = Tokens(tokens_file(args.tokens))
        text = tokens.add(
            args.label, args.scopes or (READ,), args.accounts or None, now, expires_at
        )
    except TokensError as error:
        raise BadUsage(str(error)) from None
    print(text)
    until = f" until {times.shown(expires_at)} (UTC)" if expires_at else ""
    terminal.say(f"{args.label} is in {tokens.file}{until}; its text is shown this once")
    return 0


def list_tokens(args: SimpleNamespace) -> int:
    view = results.view(args)
    now = utc_now()
    try:
        found = Tokens(tokens_file(args.tokens)).all()
    except TokensError as error:
        raise BadUsage(str(error)) from None
    rows = [
        {
            "label": each.label,
            "scopes": list(each.scopes),
            "accounts": None if each.accounts is None else list(each.accounts),
            "state": "expired" if each.expired(now) else "valid",
            "created_at": written_or_none(each.created_at),
            "expires_at": written_or_none(each.expires_at),
            "used_at": written_or_none(each.used_at),
        }
        for each in found
    ]
    show_table(view, rows, TOKEN, f"{counted(len(rows), 'token')}; times are UTC")
    return 0 if rows else 1


def remove(args: SimpleNamespace) -> int:
    try:
        Tokens(tokens_file(args.tokens)).remove(args.label)
    except TokensError as error:
        raise BadUsage(str(error)) from None
    print(f"{args.label} is removed: the next request with it is refused")
    return 0


def _expiry(text: Optional[str], now: datetime.datetime) -> Optional[datetime.datetime]:
    """``never``, or after so many hours, days or weeks."""
    if text == "never":
        return None
    found = re.fullmatch(r"([1-9]\d{0,4})([hdw])", text or "")
    if not found:
        raise BadUsage(f"--expires {text!r} should be such as 12h, 90d or 52w, or never")
    return now + datetime.timedelta(**{UNITS[found[2]]: int(found[1])})


TOKEN = [
    *map(column, ("LABEL", "SCOPES", "ACCOUNTS", "STATE")),
    *map(time_column, ("CREATED AT", "EXPIRES AT", "USED AT")),
]
