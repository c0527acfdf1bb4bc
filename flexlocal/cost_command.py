"""``flexlocal inventory cost``: what polls cost, how often they saw a change, and how often they might be."""

import datetime
import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Optional

from flexlocal import inventories, inventory_commands, options, times
from flexlocal.options import BadUsage, unknown
from flexlocal.show import Column
from inventory import intervals
from inventory.model import written

if TYPE_CHECKING:
    from inventory.cost import Cost, Costs

PLACES = ("account", "provider", "family")
_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def cost(args: SimpleNamespace) -> int:
    stale_s = options.seconds(args.stale, "--stale", least=0)
    shortest_s = options.seconds(args.shortest, "--shortest")
    if not 0 < args.chance < 100:
        raise BadUsage(f"--chance {args.chance:g} should be a percentage between 0 and 100")
    view = inventory_commands.view_of(args)
    with inventories.opened(args.inventory) as inventory:
        now = inventory_commands.utc_now()
        since = inventory_commands.time_of(inventory_commands.moment(args.since, inventory))
        known = inventory.coverage().scopes
        for name in ("account", "family"):
            value, there = getattr(args, name), sorted({getattr(each, name) for each in known})
            if value is not None and there and value not in there:
                raise unknown(name, value, there)
        wanted = {name: getattr(args, name) for name in PLACES}
        found = inventory.costs(since, fast=args.fast, **wanted)
    rows = [row(each, now, stale_s, args.chance / 100, shortest_s) for each in found.sources]
    inventory_commands.show_table(view, rows, COLUMNS, _footer(rows, found))
    return inventory_commands.FOUND if rows else inventory_commands.NOTHING


def row(
    each: "Cost", now: datetime.datetime, stale_s: int, chance: float, shortest_s: int
) -> "dict[str, Any]":
    """``unchanged``: the share of complete polls that saw no change since the one before. ``chance``: that something
    is shown which has been out of date for longer than ``stale_s``, at most, at the interval that is proposed."""
    rate = each.rate
    proposed = intervals.proposed(rate, stale_s, chance, shortest_s)
    return {
        "account": each.account,
        "provider": each.provider,
        "family": each.family,
        "every_s": _rounded(each.every_s, 0),
        "proposed_s": proposed,
        "enough_polls": rate.enough,
        "chance": _rounded(
            None if proposed is None else intervals.chance_out_of_date(rate.most, proposed, stale_s)
        ),
        "oldest_at": None if each.oldest_at is None else written(each.oldest_at),
        "age_s": None if each.oldest_at is None else round((now - each.oldest_at).total_seconds()),
        "polls": each.polls,
        "incomplete": each.incomplete,
        "polls_a_day": _rounded(each.polls_a_day),
        "calls_a_day": _rounded(each.calls_a_day),
        "calls_a_poll": _rounded(each.calls),
        "retries_a_poll": _rounded(each.retries),
        "unchanged": _rounded(1 - rate.changed / rate.polls if rate.polls else None),
        "changes_a_day": _rounded(rate.a_day if rate.polls else None),
        "changes_a_day_least": _rounded(rate.least if rate.polls else None),
        "changes_a_day_most": _rounded(rate.most),
    }


def _rounded(value: Optional[float], digits: int = 4) -> Optional[float]:
    """None for what JSON has no number for: every poll saw a change, so there is no estimate."""
    if value is None or not math.isfinite(value):
        return None
    return round(value, digits) if digits else round(value)


def _footer(rows: "list[dict[str, Any]]", found: "Costs") -> str:
    count = inventory_commands.counted
    if not rows:
        return f"no poll since {times.shown(found.since)} (UTC)"
    calls = [each for each in rows if each["calls_a_day"] is not None]
    parts = [
        f"{count(sum(each['polls'] for each in rows), 'poll')} since {times.shown(found.since)}"
    ]
    if calls:
        parts.append(f"{sum(each['calls_a_day'] for each in calls):,.0f} calls a day")
        proposed = sum(
            each["calls_a_poll"] * intervals.DAY_S / each["proposed_s"]
            if each["proposed_s"]
            else each["calls_a_day"]
            for each in calls
        )
        parts.append(f"{proposed:,.0f} as proposed")
    few = sum(each["proposed_s"] is None for each in rows)
    if few:
        least = f"{intervals.FEWEST_POLLS} in {intervals.SHORTEST_SPAN_S // intervals.DAY_S} days"
        parts.append(f"not enough polls of {few} for a proposal (it takes {least})")
    return f"{', '.join(parts)}; times are UTC"


# --- the table ----------------------------------------------------------------------------------------


def span(value: float) -> str:
    """As an interval is given on the command line, in whole units: ``15m``; two of them where one says too little."""
    left = round(value)
    for number, (unit, size) in enumerate(_UNITS):
        if left >= size or size == 1:
            rest, small = left % size, _UNITS[min(number + 1, len(_UNITS) - 1)]
            more = f"{rest // small[1]}{small[0]}" if left < 10 * size and rest >= small[1] else ""
            return f"{left // size}{unit}{more}"
    raise AssertionError  # the last unit is a second


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _percent(value: float) -> str:
    return f"{value:.1%}" if 0.99 < value < 1 else f"{value:.0%}"


def _a_day(each: "dict[str, Any]") -> Optional[str]:
    """The estimate with its bounds; there is none if every poll saw a change."""
    if each["changes_a_day_least"] is None:
        return None
    least, most = each["changes_a_day_least"], each["changes_a_day_most"]
    if most is None:
        return f"over {_number(least)}"
    return f"{_number(least)} to {_number(most)}"


COLUMNS = [
    Column("ACCOUNT", lambda each: each["account"], gives_way=False),
    Column("FAMILY", lambda each: each["family"], gives_way=False),
    Column("EVERY", lambda each: each["every_s"], span, gives_way=False),
    Column("PROPOSED", lambda each: each["proposed_s"], span, gives_way=False),
    Column("AGE", lambda each: each["age_s"], span),
    Column("CALLS/DAY", lambda each: each["calls_a_day"], _number),
    Column("SAME", lambda each: each["unchanged"], _percent),
    Column("CHANGES/DAY", lambda each: each["changes_a_day"], shown=_a_day),
    Column("POLLS/DAY", lambda each: each["polls_a_day"], _number),
    Column("RETRIES/POLL", lambda each: each["retries_a_poll"], _number),
    Column("PROVIDER", lambda each: each["provider"]),
]
