"""``flexlocal inventory``: what was polled, asked from the terminal.

Exit statuses are those of grep and diff: 0 something was found (diff: nothing differs), 1 nothing was found (diff:
something differs), 2 the question can't be answered. 3: nothing was found, but it may be there, since a scope's last
poll was not complete.
"""

import dataclasses
import datetime
import functools
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable, Optional, TextIO, TypeVar

from flexlocal import inventories, parquet, results, terminal, times
from flexlocal.options import BadUsage, unknown
from flexlocal.show import GAP, Column, amount, columns, columns_of, text
from inventory.answers import (
    PLACES,
    Row,
    difference_rows,
    entry_row,
    event_rows,
    hit_rows,
    resource_row,
    scope_row,
)
from inventory.errors import InventoryError, UnknownResource
from inventory.fields import SPECIFIC, TAGS, steps
from inventory.flat import flat
from inventory.model import (
    Bounds,
    Coverage,
    Entry,
    Resource,
    When,
    written,
)

if TYPE_CHECKING:
    from inventory import Inventory

FOUND, NOTHING, NOT_KNOWN = 0, 1, 3
SAME, DIFFERENT = 0, 1
PAGE = 1000  # resources of one read
MOST_SCOPES = 5  # that failed, and are named
FILTERS = (*PLACES, "type", "state", "name", "tag")

Answer = TypeVar("Answer")


# --- asking -----------------------------------------------------------------------------------------


def list_resources(args: SimpleNamespace) -> int:
    view = view_of(args)
    with inventories.opened(args.inventory) as inventory:
        as_of = as_of_moment(args, inventory)
        rows = [entry_row(entry) for entry in _entries(inventory, args, as_of)]
        return _answer(view, rows, ENTRY, _coverage(inventory, args, as_of), as_of)


def search(args: SimpleNamespace) -> int:
    view = view_of(args)
    with inventories.opened(args.inventory) as inventory:
        as_of = as_of_moment(args, inventory)
        check_places(inventory, args)
        found = inventory.search(
            args.text,
            by=args.by,
            as_of=as_of,
            limit=args.limit,
            **options_of(args, *PLACES, "type"),
        )
    if not found.hits and args.by is None:
        terminal.say(
            "Ids, addresses, tags and names were searched: --by field reads whole documents."
        )
    if found.more:
        terminal.say(f"There are more than {args.limit}: --limit shows more, --type less.")
    if found.scanned:
        terminal.say("Every document was read: no index has all fields.")
    status = _answer(view, hit_rows(found.hits), HIT, found.coverage, as_of, "hits")
    if found.hits and args.by != "network" and all(hit.by == "network" for hit in found.hits):
        return _nowhere(f"{args.text} itself", found.coverage)
    return status


def show(args: SimpleNamespace) -> int:
    view = view_of(args)
    with inventories.opened(args.inventory) as inventory:
        as_of = as_of_moment(args, inventory)
        try:
            resource = _answer_about(inventory.show, inventory, args, as_of)
        except UnknownResource:
            return _nowhere(args.id, inventory.coverage(account=args.account, as_of=as_of))
        if resource is None:
            terminal.say(
                f"{args.id} was not there yet at {times.shown(time_of(as_of or utc_now()))}."
            )
            return NOTHING
        coverage = inventory.coverage(
            account=resource.entry.account,
            family=resource.entry.family,
            scope=resource.entry.scope,
            as_of=as_of,
        )
    row = resource_row(resource)
    if args.query is None and (args.format or "table") == "table":
        _print_lines(list(_lines(resource)), sys.stdout)
    elif args.query is None and args.format in ("csv", "parquet"):
        view.show_rows(list(_lines(resource)), LINE, sys.stdout)
    else:
        view.show_value(row, sys.stdout)
    if not resource.exact:
        terminal.say("Retention has removed the version of that time: this is the one before it.")
    say_failed(coverage)
    return FOUND


def history(args: SimpleNamespace) -> int:
    view = view_of(args)
    with inventories.opened(args.inventory) as inventory:
        as_of = as_of_moment(args, inventory)
        question = functools.partial(inventory.history, fast=args.fast)
        try:
            found = _answer_about(question, inventory, args, as_of)
        except UnknownResource:
            return _nowhere(args.id, inventory.coverage(account=args.account, as_of=as_of))
    rows = [row for event in found.events for row in event_rows(event)]
    entry = found.entry
    footer = f"{entry.type} {entry.name} of {entry.account}: {counted(len(found.events), 'event')}"
    until = f" as of {times.shown(time_of(as_of))}" if as_of else ""
    view.show_rows(rows, EVENT, sys.stdout, f"{footer}{until}; times are UTC")
    _say_thinned(found.every_version_since)
    return FOUND


def status(args: SimpleNamespace) -> int:
    return _points(args, "status")


def metrics(args: SimpleNamespace) -> int:
    return _points(args, "metrics")


def logs(args: SimpleNamespace) -> int:
    return _points(args, "logs")


def _points(args: SimpleNamespace, kind: str) -> int:
    """Of a resource, in the order of their times."""
    view = view_of(args)
    with inventories.opened(args.inventory) as inventory:
        since, until = (time_of(moment(text, inventory)) for text in (args.since, args.until))
        read = functools.partial(inventory.points, f"get_{kind}", since=since, until=until)
        rows = read(args.id, account=args.account, type=args.type)
        if not rows and (entry := _only(inventory, args, None)) is not None:
            rows = read(entry.id, account=entry.account, type=entry.type)
    times_of = f"between {times.shown(since)} and {times.shown(until)} (UTC)"
    what = "log event" if kind == "logs" else "point"
    footer = f"{args.id}: {counted(len(rows), what)} {times_of}"
    show_table(view, rows, columns(kind), footer)
    return FOUND if rows else NOTHING


def diff(args: SimpleNamespace) -> int:
    view = view_of(args)
    with inventories.opened(args.inventory) as inventory:
        before, after = (moment(text, inventory) for text in (args.before, args.after))
        check_places(inventory, args)
        chosen = options_of(args, *PLACES, "type")
        found = inventory.diff(before, after, fast=not args.slow, **chosen)
    rows = [row for each in found.differences for row in difference_rows(each)]
    before, after = time_of(before), time_of(after)
    span = f"between {times.shown(before)} and {times.shown(after)} (UTC)"
    count = len(found.differences)
    verb = "differs" if count < 2 else "differ"
    show_table(
        view,
        rows,
        DIFFERENCE,
        f"{counted(count, 'resource') if count else 'nothing'} {verb} {span}",
    )
    _say_thinned(found.every_version_since, before)
    complete = True
    for when, coverage in ((before, found.before), (after, found.after)):
        say_failed(coverage, f"At {times.shown(when)}: ")
        if not coverage.scopes:
            terminal.say(f"At {times.shown(when)}: nothing had been polled.")
        complete = complete and coverage.complete
    return DIFFERENT if rows else SAME if complete else NOT_KNOWN


def scopes(args: SimpleNamespace) -> int:
    view = view_of(args)
    with inventories.opened(args.inventory) as inventory:
        as_of = as_of_moment(args, inventory)
        coverage = _coverage(inventory, args, as_of)
    rows = [scope_row(each) for each in coverage.scopes]
    failed = len(coverage.failed)
    footer = f"{counted(len(rows), 'scope')}, {failed or 'none'} failed; times are UTC"
    show_table(view, rows, SCOPE, footer)
    return FOUND if rows else NOTHING


def export(args: SimpleNamespace) -> int:
    form = args.format or "ndjson"
    if form == "parquet":
        parquet.check(sys.stdout)
    with inventories.opened(args.inventory) as inventory:
        as_of = as_of_moment(args, inventory)
        check_places(inventory, args)
        rows = (resource_row(each) for each in _pages(inventory.resources, args, as_of))
        count = 0
        if form == "ndjson":  # as it is read: there may be a million
            for row in rows:
                print(terminal.as_json(row))
                count += 1
        else:
            listed = list(rows)
            count = len(listed)
            if form in ("csv", "parquet"):
                listed = [_flat(row) for row in listed]
            results.plain(form).show_rows(listed, columns_of(listed), sys.stdout)
        coverage = _coverage(inventory, args, as_of)
    if not count:
        terminal.say(_sentence(coverage))
    say_failed(coverage)
    return FOUND if count else _absent(coverage)


def sql(args: SimpleNamespace) -> int:
    view = view_of(args)
    with inventories.opened(args.inventory) as inventory:
        behind: Optional[InventoryError] = None
        try:
            inventory.renew_views()
        except InventoryError as error:
            if not inventory.has_views():
                raise
            behind = error  # a file or a database that this user may only read
        answer = inventory.sql(args.statement)
    rows = [dict(zip(answer.columns, row)) for row in answer.rows]
    columns = [_value(name) for name in answer.columns]
    show_table(view, rows, columns, counted(len(rows), "row"))
    if behind is not None:
        terminal.say(f"As of {times.shown(answer.at)}: the views could not be renewed: {behind}")
    return FOUND if rows else NOTHING


def views(args: SimpleNamespace) -> int:
    with inventories.opened(args.inventory) as inventory:
        renewal = inventory.renew_views()
        where = inventory.views_file or "the schema views"
    print(
        f"{where}: as of {times.shown(renewal.at)} (UTC), {counted(renewal.changed, 'resource')} changed"
    )
    return 0


# --- keeping ----------------------------------------------------------------------------------------


def check(args: SimpleNamespace) -> int:
    with inventories.opened(args.inventory) as inventory:
        problems = inventory.check()
        for problem in problems:
            print(terminal.line_of(problem))
        if not problems:
            print(f"{inventory.address}: nothing is wrong")
    return 1 if problems else 0


def backup(args: SimpleNamespace) -> int:
    with inventories.opened(args.inventory) as inventory:
        inventory.backup(args.file)
    print(f"wrote {args.file}")
    return 0


def restore(args: SimpleNamespace) -> int:
    inventories.check_installed()
    from inventory.backup import restore as put_back

    where = inventories.address(args.inventory)
    put_back(args.file, where, replace=args.replace)
    print(f"restored {args.file}")
    return 0


def copy(args: SimpleNamespace) -> int:
    inventories.check_installed()
    from inventory.copying import copy as copied

    rows = copied(inventories.address(args.inventory), args.target)
    print(f"copied {counted(sum(rows.values()), 'row')} of {len(rows)} tables, and checked them")
    return 0


def pin(args: SimpleNamespace) -> int:
    with inventories.opened(args.inventory) as inventory:
        at = time_of(moment(args.at, inventory))
        inventory.pin(args.name, at)
    print(f"{args.name}: {written(at)}")
    return 0


def pins(args: SimpleNamespace) -> int:
    view = view_of(args)
    with inventories.opened(args.inventory) as inventory:
        rows = [{"name": name, "at": written(at)} for name, at in inventory.pins().items()]
    show_table(view, rows, PIN, f"{counted(len(rows), 'pin')}; times are UTC")
    return FOUND if rows else NOTHING


def thin(args: SimpleNamespace) -> int:
    from inventory.retention import Retention

    keep = Retention(
        args.every_version, args.daily_version, args.fast, args.points, args.polls, args.snapshots
    )
    with inventories.opened(args.inventory) as inventory:
        removed = inventory.thin(keep)
    print(
        f"removed {counted(removed.versions, 'version')}, {counted(removed.fast, 'change')} of states, "
        f"{counted(removed.points, 'point')}, {counted(removed.polls, 'poll')} and "
        f"{counted(removed.snapshots, 'scheduled snapshot')}"
    )
    return 0


# --- what is asked ------------------------------------------------------------------------------------


def view_of(args: SimpleNamespace) -> results.View:
    view = results.view(args)
    if view.format == "parquet":
        parquet.check(sys.stdout)
    return view


def utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def as_of_moment(args: SimpleNamespace, inventory: "Inventory") -> Optional[When]:
    if args.as_of is None:
        return None
    return moment(args.as_of, inventory)


def moment(text: str, inventory: "Inventory") -> When:
    """A time, that of a pin, or the snapshot with this label."""
    labels = {each.label: each for each in inventory.snapshots()}
    if text in labels:
        return labels[text]
    times_of_labels = {label: each.at for label, each in labels.items()}
    return times.moment(text, utc_now(), {**times_of_labels, **inventory.pins()})


def time_of(when: When) -> datetime.datetime:
    return when if isinstance(when, datetime.datetime) else when.at


def options_of(args: SimpleNamespace, *names: str) -> dict[str, Optional[str]]:
    return {name: getattr(args, name) for name in names}


def check_places(inventory: "Inventory", args: SimpleNamespace) -> None:
    """A mistyped account, family or scope is bad usage: nothing would be found there, which proves nothing."""
    known = inventory.coverage().scopes
    for name in ("account", "family", "scope"):
        value = getattr(args, name)
        there = {getattr(each, name): None for each in known}
        if value is not None and known and value not in there:
            raise unknown(name, value, sorted(filter(None, there)))


def _entries(
    inventory: "Inventory", args: SimpleNamespace, as_of: Optional[When]
) -> Iterator[Entry]:
    check_places(inventory, args)
    yield from _pages(inventory.list, args, as_of)


def _pages(read: Any, args: SimpleNamespace, as_of: Optional[When]) -> Iterator[Any]:
    after, left = 0, args.limit
    while left is None or left > 0:
        limit = PAGE if left is None else min(PAGE, left)
        page = read(as_of=as_of, after=after, limit=limit, **options_of(args, *FILTERS))
        yield from page
        if len(page) < limit:
            return
        after = getattr(page[-1], "entry", page[-1]).key
        left = None if left is None else left - len(page)


def _coverage(inventory: "Inventory", args: SimpleNamespace, as_of: Optional[When]) -> Coverage:
    return inventory.coverage(as_of=as_of, **options_of(args, *PLACES))


def _answer_about(
    question: Callable[..., Answer],
    inventory: "Inventory",
    args: SimpleNamespace,
    as_of: Optional[When],
) -> Answer:
    """The answer about the resource with this id, or else about the only one that a search for the text finds.

    Raises UnknownResource if there is none, BadUsage if there are several.
    """
    try:
        return question(args.id, as_of=as_of, **options_of(args, "account", "type"))
    except UnknownResource:
        entry = _only(inventory, args, as_of)
        if entry is None:
            raise
        return question(entry.id, as_of=as_of, account=entry.account, type=entry.type)


def _only(inventory: "Inventory", args: SimpleNamespace, as_of: Optional[When]) -> Optional[Entry]:
    """The one resource that a search for the text finds; None if it finds nothing. Raises BadUsage."""
    found = inventory.search(args.id, as_of=as_of, limit=10, **options_of(args, "account", "type"))
    entries = {hit.entry.key: hit.entry for hit in found.hits if hit.by != "network"}
    if len(entries) > 1:
        some = ", ".join(f"{each.id} ({each.name})" for each in entries.values())
        raise BadUsage(f"{args.id!r} is not one resource: {some}; name its id")
    return next(iter(entries.values()), None)


# --- how it is said -------------------------------------------------------------------------------------


def _answer(
    view: results.View,
    rows: list[Row],
    columns: list[Column],
    coverage: Coverage,
    as_of: Optional[When],
    what: str = "resources",
) -> int:
    if not rows:
        show_table(view, rows, columns, _sentence(coverage))
        if view.format not in (None, "table") or view.query is not None:
            terminal.say(_sentence(coverage))
        return _absent(coverage)
    show_table(view, rows, columns, _footer(len(rows), what, coverage, as_of))
    say_failed(coverage)
    return FOUND


def show_table(view: results.View, rows: list[Row], columns: list[Column], footer: str) -> None:
    """A table without rows is its last line alone."""
    if not rows and view.format in (None, "table") and view.query is None:
        print(terminal.folded(footer, sys.stdout))
    else:
        view.show_rows(rows, columns, sys.stdout, footer)


def _footer(count: int, what: str, coverage: Coverage, as_of: Optional[When]) -> str:
    parts = [counted(count, what[:-1])]
    if as_of is not None:
        parts.append(f"as of {times.shown(time_of(as_of))}")
    complete = len(coverage.scopes) - len(coverage.failed)
    parts.append(f"{complete} of {counted(len(coverage.scopes), 'scope')} complete")
    if coverage.oldest:
        parts.append(f"polled {times.shown(coverage.oldest)} or later")
    return f"{', '.join(parts)} (UTC)"


def _nowhere(text: str, coverage: Coverage) -> int:
    terminal.say(f"{text}: {_sentence(coverage)}")
    return _absent(coverage)


def _absent(coverage: Coverage) -> int:
    return NOTHING if coverage.complete else NOT_KNOWN


def _sentence(coverage: Coverage) -> str:
    return coverage.absence(times.shown)


def say_failed(coverage: Coverage, before: str = "", consequence: str = "") -> None:
    """Names the scopes whose last poll was not complete, and why; ``consequence``: what that means for the answer."""
    for each in coverage.failed[:MOST_SCOPES]:
        if each.complete_at is None or each.failed_since is None:
            since = "was never complete"
        else:
            since = f"failed since {times.shown(each.failed_since)}"
        why = f" ({each.error})" if each.error else ""
        terminal.say(f"{before}{each.label} {since}{why}{consequence}")
    if len(coverage.failed) > MOST_SCOPES:
        more = len(coverage.failed) - MOST_SCOPES
        terminal.say(f"{before}and {more} more scopes: flexlocal inventory scopes")


def _say_thinned(
    since: Optional[datetime.datetime], start: Optional[datetime.datetime] = None
) -> None:
    if since is not None and (start is None or start < since):
        terminal.say(
            f"Every version is kept since {times.shown(since)}; some of before were thinned out."
        )


def counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


# --- rows -----------------------------------------------------------------------------------------------


def _lines(resource: Resource) -> Iterator[Row]:
    """A resource for a person: where and since when first, then its document field by field."""
    entry = resource.entry
    for field in ("name", "id", "type", "state", "account", "provider", "family", "scope"):
        yield {"field": field, "value": getattr(entry, field)}
    yield {"field": "first seen", "value": times.sentence(entry.first_seen)}
    yield {"field": "last seen", "value": times.shown(entry.last_seen)}
    if entry.gone:
        yield {"field": "gone", "value": times.sentence(entry.gone)}
    for path, value in flat(resource.document):
        if value not in (None, "", []) and path not in (
            ("id",),
            ("type",),
            ("base", "name"),
            ("base", "last_seen_at"),
        ):
            yield from _items(".".join(path), value)


def _print_lines(lines: list[Row], out: TextIO) -> None:
    """Fields and their values, which are not cut: one that is too long for the terminal has lines of its own."""
    shown = [(_short(line["field"].split(".")), text(LINE[1], line)) for line in lines]
    width = max(len(field) for field, _ in shown) + len(GAP)
    for field, value in shown:
        line = f"{field:<{width}}{value}"
        if terminal.folded(line, out) == line:
            print(line, file=out)
        else:
            print(f"{field}\n{terminal.folded(value, out, GAP)}", file=out)


def _items(field: str, value: Any) -> Iterator[Row]:
    """A list of objects takes a line for each of their fields, named as --query and --columns name them."""
    if not isinstance(value, list) or not any(isinstance(item, (dict, list)) for item in value):
        yield {"field": field, "value": value}
        return
    for number, item in enumerate(value):
        for path, below in flat(item) if isinstance(item, dict) else [((), item)]:
            yield from _items(".".join((field, str(number), *path)), below)


def _flat(row: Row) -> Row:
    about = {key: value for key, value in row.items() if key not in ("document", "present", "gone")}
    fields = [*flat(about), *flat(row["document"])]
    return {"__".join(path): cell_of(value) for path, value in fields}


SIDES = ("before", "after", "design")
ITEM_NAMES = ("ip_address", "name", "id")  # what a person calls an object of a list
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
INTERVALS = ("first_seen", "gone", "since", "when")


def _interval(row: Row, key: str) -> Optional[str]:
    """As ISO 8601 has it: ``2026-11-22T10:00:00Z/2026-11-22T10:15:00Z``; with ``..`` where nobody looked before."""
    value = row.get(key)
    return None if value is None else f"{value['after'] or '..'}/{value['before']}"


def _shown_interval(text: str) -> str:
    after, before = (
        None if part == ".." else datetime.datetime.fromisoformat(part.replace("Z", "+00:00"))
        for part in text.split("/")
    )
    assert before is not None  # noqa: S101 - of _interval
    return times.interval(Bounds(after, before))


def cell_of(value: Any) -> Any:
    """Objects, and lists of them, as JSON."""
    if isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value)
    ):
        return terminal.as_json(value)
    return value


def column(title: str, key: Optional[str] = None) -> Column:
    key = key or title.lower().replace(" ", "_")
    if key in INTERVALS:
        return Column(title, lambda row: _interval(row, key), _shown_interval)
    return Column(title, lambda row: row.get(key))


def value_column(title: str) -> Column:
    """What the row's field, in ``path``, has on one side. Tables have sizes as they are bought, and of lists what the
    other sides lack."""
    side = title.lower()

    def shown(row: Row) -> Any:
        value = amount((row.get("path") or "").rpartition("/")[2], row.get(side))
        others = [row[each] for each in SIDES if each != side and each in row]
        if isinstance(value, list) and others and all(isinstance(each, list) for each in others):
            return _own_items(value, others)
        return cell_of(value)

    return Column(title, lambda row: cell_of(row.get(side)), shown=shown)


def _own_items(items: list[Any], others: list[list[Any]]) -> Any:
    """The items that are not in all the other lists, after an ellipsis for the rest."""
    own = [each for each in items if not all(each in other for other in others)]
    cut = len(own) < len(items) and any(other != items for other in others)
    listed = own if cut else items
    names = [_item(each) for each in listed]
    if any(other != items and [*map(_item, other)] == [*map(_item, items)] for other in others):
        names = [terminal.as_json(each) for each in listed]  # they differ in something else
    return [ELLIPSIS, *names] if cut else names


def _item(value: Any) -> str:
    if isinstance(value, dict):
        value = next((value[key] for key in ITEM_NAMES if value.get(key)), value)
    return value if isinstance(value, str) else terminal.as_json(value)


def _value(name: str) -> Column:
    return Column(name, lambda row: cell_of(row[name]))


def _short(path: list[str]) -> str:
    """A field as a person names it: ``state``, ``tag stage``, ``connections.network``."""
    if path[:2] == ["metadata", TAGS]:
        return f"tag {'.'.join(path[2:])}"
    if path[0] == "details" or path[:2] == ["metadata", SPECIFIC]:
        return ".".join(path[2:]) or ".".join(path)
    return ".".join(path)


def time_column(title: str, key: Optional[str] = None) -> Column:
    return Column(title, column(title, key).value, lambda text: f"{text[:10]} {text[11:16]}")


ENTRY = [
    *map(column, ("NAME", "ID", "TYPE", "STATE", "SCOPE", "ACCOUNT", "FAMILY", "PROVIDER")),
    column("SINCE", "first_seen"),
    time_column("LAST SEEN"),
]
HIT = [
    *map(column, ("NAME", "ID", "BY", "VALUE", "SINCE", "GONE", "TYPE", "STATE", "SCOPE")),
    column("ACCOUNT"),
    Column("WHERE", lambda row: ", ".join(_short(steps(path)) for path in row["where"])),
]
CHANGE = [
    Column("FIELD", lambda row: row.get("path"), lambda path: _short(steps(path))),
    value_column("BEFORE"),
    value_column("AFTER"),
]
EVENT = [
    dataclasses.replace(column("WHEN"), gives_way=False),
    column("WHAT"),
    column("SEVERITY"),
    *CHANGE,
]
DIFFERENCE = [
    *map(column, ("SEVERITY", "WHAT", "NAME")),
    *CHANGE,
    column("RESOURCE ID", "id"),  # gives way where there is no room
    *map(column, ("WHEN", "TYPE", "SCOPE", "ACCOUNT")),
    column("FORMER ID"),
]
SCOPE = [
    *map(column, ("ACCOUNT", "FAMILY", "SCOPE")),
    *map(time_column, ("COMPLETE AT", "FAILED SINCE")),
    column("ERROR"),
]
PIN = [column("NAME"), time_column("AT")]
LINE = [
    column("FIELD"),
    Column(
        "VALUE",
        lambda row: row.get("value"),
        shown=lambda row: amount(row["field"].rpartition(".")[2], row.get("value")),
    ),
]
