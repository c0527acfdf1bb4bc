"""Options that several commands share: the event, as the name of an account or as JSON."""

import difflib
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from flexlocal.account import Account

FORMATS = ("table", "json", "ndjson", "csv", "yaml")
SHORTEST_S = 10  # from one poll to the next
LONGEST_S = 31 * 86400
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class BadUsage(Exception):
    """The command can't run with these options."""


def nearest(name: str, known: Iterable[str]) -> str:
    """ "; did you mean 'servers'?", or an empty text if nothing is near."""
    close = difflib.get_close_matches(name.lower(), list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def unknown(what: str, name: str, known: Iterable[str]) -> BadUsage:
    """The error for a name that does not exist: the nearest one, and all that there are."""
    there = list(known)
    return BadUsage(f"no {what} {name!r}; there are {', '.join(there)}{nearest(name, there)}")


def no_later(what: str) -> BadUsage:
    """The error for --later with something that was recorded once, or never."""
    from flexlocal import accounts, cassettes

    there = [name for name, each in accounts.demo().items() if cassettes.has_later(each.provider)]
    return BadUsage(
        f"--later: {what} has no second recording; get of {' and '.join(there)} has one"
    )


def pair(text: str, option: str) -> tuple[str, str]:
    """The two parts of KEY=VALUE."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise BadUsage(f"{option} {text!r} should be KEY=VALUE")
    return key, value


def seconds(text: str, option: str, least: int = SHORTEST_S) -> int:
    """Of a time such as 15m. Raises BadUsage."""
    found = re.fullmatch(r"(\d{1,9})([smhd])", text)
    value = int(found[1]) * _UNITS[found[2]] if found else -1
    if not least <= value <= LONGEST_S:
        raise BadUsage(
            f"{option} {text!r} should be a time from {least}s to {LONGEST_S // 86400}d, such as 90s, 15m, 2h or 1d"
        )
    return value


def event(args: SimpleNamespace) -> tuple[Any, Optional["Account"]]:
    """The event, and the account that it was built from if --account names one."""
    if (args.account is None) == (args.event is None):
        problem = "are needed" if args.account is None else "exclude each other"
        raise BadUsage(f"--account NAME or --event FILE-or-JSON {problem}; see --help")
    content, account = _event(args)
    for text in args.options:
        key, value = pair(text, "--option")
        if not isinstance(content, dict) or not isinstance(content.get("options") or {}, dict):
            break  # the handler refuses it in its own words
        content = {
            **content,
            "options": {**(content.get("options") or {}), key: json_or_text(value)},
        }
    return content, account


def _event(args: SimpleNamespace) -> tuple[Any, Optional["Account"]]:
    from flexlocal import accounts

    if args.account is not None:
        known = accounts.load(args.accounts)
        account = known.get(args.account)
        if account is None:
            raise unknown("account", args.account, sorted(known))
        account = accounts.resolved(account)
        return accounts.with_ca_text(account.event()), account
    text = args.event
    if text == "-":
        text = _stdin()
    elif not text.lstrip().startswith(("{", "[")):
        try:
            text = Path(text).read_text(encoding="utf-8")
        except OSError as error:
            raise BadUsage(f"--event {args.event}: {error.strerror}") from None
        except ValueError:  # no UTF-8, or a name with a NUL
            raise BadUsage(f"--event {args.event}: this is not UTF-8 text") from None
    try:
        return accounts.with_ca_text(json.loads(text)), None
    except (ValueError, RecursionError) as error:
        raise BadUsage(f"--event is not JSON: {error}") from None


def _stdin() -> str:
    try:
        return sys.stdin.read()
    except ValueError:
        raise BadUsage("--event -: this is not UTF-8 text") from None


def json_or_text(text: str) -> Any:
    """JSON where it is JSON (true, 30, {...}); else the text itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
