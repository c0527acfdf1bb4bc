"""``flexlocal snapshot``: labels on polls, what differs between them and from a design, reports, change windows.

Exit statuses are those of diff: 0 nothing differs, 1 something does (of --fail-on's severity, or more), 2 trouble. 3:
nothing differs, but a scope was not polled completely. A change window: 0 it may close (or did), 1 something is neither
as before nor as designed nor explained, 3 only a scope that was not polled is in the way.
"""

import dataclasses
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Optional

from flexlocal import inventories, results, snapshot_report, terminal, times
from flexlocal.inventory_commands import (
    CHANGE,
    DIFFERENT,
    NOT_KNOWN,
    NOTHING,
    PLACES,
    SAME,
    Row,
    check_places,
    column,
    counted,
    moment,
    options_of,
    say_failed,
    show_table,
    time_column,
    time_of,
    value_column,
    view_of,
)
from flexlocal.options import BadUsage, nearest
from flexlocal.show import Column, text
from inventory.answers import (
    deviation_row,
    missing_row,
    snapshot_row,
    window_row,
    written_or_none,
)
from inventory.model import (
    DIFFERS,
    RESTORED,
    SEVERITIES,
    STANDING,
    Comparison,
    Deviation,
    Snapshot,
    When,
    WindowView,
    written,
)
from topology import judging

if TYPE_CHECKING:
    from inventory import Inventory
    from inventory.comparison import Name

LAST, BASELINE, NOW = "last", "baseline", "now"


def take(args: SimpleNamespace) -> int:
    with inventories.opened(args.inventory, upgrade=True) as inventory:
        at = None if args.at == NOW else time_of(moment(args.at, inventory))
        taken = inventory.take_snapshot(args.label, at)
        coverage = inventory.coverage(as_of=taken)
    print(
        f"{taken.label}: {counted(taken.resources, 'resource')}, {taken.complete} of "
        f"{counted(taken.scopes, 'scope')} complete, as of {times.shown(taken.at)} (UTC)"
    )
    say_failed(coverage)
    return 0


def list_snapshots(args: SimpleNamespace) -> int:
    view = view_of(args)
    with inventories.opened(args.inventory) as inventory:
        rows = [snapshot_row(each) for each in inventory.snapshots()]
    show_table(view, rows, SNAPSHOT, f"{counted(len(rows), 'snapshot')}; times are UTC")
    return 0 if rows else NOTHING


def pin(args: SimpleNamespace) -> int:
    with inventories.opened(args.inventory, upgrade=True) as inventory:
        label = _snapshot(args.label, inventory).label
        inventory.pin_snapshot(label)
    print(f"{label} is the baseline")
    return 0


def remove(args: SimpleNamespace) -> int:
    with inventories.opened(args.inventory) as inventory:
        removed = inventory.remove_snapshot(_snapshot(args.label, inventory).label)
    print(f"{removed.label} is removed; what it kept is now thinned out like the rest")
    return 0


def diff(args: SimpleNamespace) -> int:
    view = view_of(args)
    _check_severity(args.fail_on)
    with inventories.opened(args.inventory) as inventory:
        before, after = _when(args.before, inventory), _when(args.after, inventory)
        design = _design(args, inventory, before, after)
        check_places(inventory, args)
        chosen: dict[str, Any] = options_of(args, *PLACES, "type")
        if args.focal is not None:
            focal = _focal(args, inventory)
            whens = [when for when in (before, after, design) if when is not None]
            chosen = {"only": judging.clique(inventory, focal, whens)}
        found = inventory.compare(before, after, design, fast=not args.slow, **chosen)
        found = judging.judged(inventory, found)
    _show_comparison(view, found, args.gaps)
    severe = [each for each in found.deviations if each.differs and _fails(each, args.fail_on)]
    return DIFFERENT if severe else SAME if found.complete else NOT_KNOWN


def report(args: SimpleNamespace) -> int:
    with inventories.opened(args.inventory) as inventory:
        if args.window is not None:
            content = _report_of_window(args, inventory)
        else:
            content = _report(args, inventory)
    write = snapshot_report.html if args.format == "html" else snapshot_report.markdown
    sys.stdout.write(write(content))
    return 0


def export(args: SimpleNamespace) -> int:
    """One JSON object; each resource on a line of its own, as it is read: there may be a million."""
    with inventories.opened(args.inventory) as inventory:
        chosen = _snapshot(args.label, inventory)
        coverage = inventory.coverage(as_of=chosen)
        head = {
            "format": 1,
            "made_by": snapshot_report.maker(),
            "snapshot": {
                "label": chosen.label,
                "at": written(chosen.at),
                "taken_at": written(chosen.taken_at),
                "how": chosen.how,
                "runs": list(chosen.runs),
            },
            "scopes": [
                {
                    "account": each.account,
                    "family": each.family,
                    "scope": each.scope,
                    "complete": each.failed_since is None and each.complete_at is not None,
                    "complete_at": written_or_none(each.complete_at),
                    "failed_since": written_or_none(each.failed_since),
                    "error": each.error,
                }
                for each in coverage.scopes
            ],
        }
        print(terminal.as_json(head)[:-1] + ', "resources": [')
        before = ""
        for row in _documents(inventory, chosen):
            sys.stdout.write(before + terminal.as_json(row))
            before = ",\n"
        print("\n]}")
    say_failed(coverage)
    return 0


def _documents(inventory: "Inventory", snapshot: Snapshot) -> Iterator[Row]:
    """Without what is only known of today, such as when each was last seen."""
    for each in inventory.every_resource(snapshot):
        base = {key: v for key, v in each.document["base"].items() if key != "last_seen_at"}
        row = {"account": each.entry.account, **each.document, "base": base}
        yield row if each.exact else {**row, "exact": False}


# --- change windows -----------------------------------------------------------------------------------


def open_window(args: SimpleNamespace) -> int:
    with inventories.opened(args.inventory, upgrade=True) as inventory:
        check_places(inventory, args)
        design = None if args.baseline is None else _snapshot(args.baseline, inventory).label
        concerns: dict[str, Any] = options_of(args, *PLACES, "type")
        if args.focal is not None:
            concerns = {"focal": list(_focal(args, inventory))}
        window = inventory.open_window(args.name, design, concerns)
    baseline = f"the baseline is {window.baseline.label}" if window.baseline else "no baseline"
    print(
        f"{window.name} is open: {counted(window.before.resources, 'resource')} before, {baseline}"
    )
    return 0


def list_windows(args: SimpleNamespace) -> int:
    view = view_of(args)
    with inventories.opened(args.inventory) as inventory:
        rows = [window_row(each) for each in inventory.windows()]
    show_table(view, rows, WINDOW, f"{counted(len(rows), 'change window')}; times are UTC")
    return 0 if rows else NOTHING


def show_window(args: SimpleNamespace) -> int:
    view = view_of(args)
    with inventories.opened(args.inventory) as inventory:
        found = judging.window(inventory, args.name)
    _show_window(view, found, args.gaps)
    return _status(found)


def explain(args: SimpleNamespace) -> int:
    if not (args.ids or args.fields or args.scopes or args.all):
        raise BadUsage(
            "what is explained? --id, --field or --scope say which differences, --all all of them"
        )
    with inventories.opened(args.inventory) as inventory:
        found = judging.window(inventory, args.name)
        deviations = [each for each in found.unexplained if _is_meant(args, each)]
        scopes = [
            each
            for each in found.unexplained_scopes
            if args.all or each.label in args.scopes or each.scope in args.scopes
        ]
        if not deviations and not scopes:
            raise BadUsage(
                f"nothing of that is left to be explained: flexlocal snapshot window show {args.name}"
            )
        number = inventory.explain(args.name, args.text, deviations, scopes)
        left = judging.window(inventory, args.name)
    print(
        f"explained {counted(number, 'difference')}; "
        f"{len(left.unexplained) + len(left.unexplained_scopes) or 'none'} left"
    )
    return 0


def close_window(args: SimpleNamespace) -> int:
    view = view_of(args)
    with inventories.opened(args.inventory) as inventory:
        only = judging.concerned(inventory, inventory.window(args.name))
        found = inventory.close_window(args.name, only)
    if found.window.closed_at is None:
        _show_window(view, found, gaps=False, only_open=True)
        return _status(found)
    explained = sum(each.explanation is not None for each in found.comparison.deviations)
    print(f"{args.name} is closed: {counted(explained, 'difference')} explained")
    return 0


def _focal(args: SimpleNamespace, inventory: "Inventory") -> "Name":
    """The one resource with this id or name, now. Raises BadUsage."""
    from topology import TopologyError, reading

    try:
        graph = reading.read(inventory)
        return graph.nodes[graph.find(args.focal, args.account, args.type)].key
    except TopologyError as error:
        raise BadUsage(str(error)) from None


def _is_meant(args: SimpleNamespace, each: Deviation) -> bool:
    if args.all:
        return True
    ids = (each.entry.id, each.entry.name, each.former_id)
    field = text(FIELD, deviation_row(each))
    return bool(args.ids or args.fields) and (
        (not args.ids or any(given in ids for given in args.ids))
        and (not args.fields or each.path in args.fields or field in args.fields)
    )


def _status(found: WindowView) -> int:
    return DIFFERENT if found.unexplained else NOT_KNOWN if found.unexplained_scopes else SAME


# --- which are meant ------------------------------------------------------------------------------------


def _when(given: str, inventory: "Inventory") -> When:
    """A snapshot, or a time. Raises BadUsage."""
    return _snapshot(given, inventory) if given in (LAST, BASELINE) else moment(given, inventory)


def _snapshot(given: str, inventory: "Inventory") -> Snapshot:
    known = inventory.snapshots()
    if not known:
        raise BadUsage("there is no snapshot yet: flexlocal snapshot take")
    if given == LAST:
        return known[-1]
    if given == BASELINE:
        found = inventory.baseline()
        if found is None:
            raise BadUsage("no snapshot is pinned as the baseline: flexlocal snapshot pin LABEL")
        return found
    by_label = {each.label: each for each in known}
    if given not in by_label:
        raise BadUsage(
            f"no snapshot {given!r}{nearest(given, by_label)}; flexlocal snapshot list has all"
        )
    return by_label[given]


def _design(
    args: SimpleNamespace, inventory: "Inventory", before: When, after: When
) -> Optional[Snapshot]:
    """The baseline to compare with besides; not with itself."""
    if args.no_baseline:
        if args.baseline is not None:
            raise BadUsage("--baseline and --no-baseline exclude each other")
        return None
    if args.baseline is not None:
        return _snapshot(args.baseline, inventory)
    found = inventory.baseline()
    return None if found in (before, after) else found


def _report(args: SimpleNamespace, inventory: "Inventory") -> snapshot_report.Content:
    after = _snapshot(args.after, inventory)
    if args.before is None:
        known = inventory.snapshots()
        earlier = known[: known.index(after)]
        if not earlier:
            raise BadUsage(
                f"there is no snapshot before {after.label!r}: name one, or take another"
            )
        before = earlier[-1]
    else:
        before = _snapshot(args.before, inventory)
    design = _design(args, inventory, before, after)
    chosen: dict[str, Any] = options_of(args, "account", "type")
    found = judging.judged(inventory, inventory.compare(before, after, design, **chosen))
    again = ["report", before.label, after.label]
    again += ["--no-baseline"] if design is None else ["--baseline", design.label]
    for name, value in chosen.items():
        again += [] if value is None else [f"--{name}", value]
    return snapshot_report.Content(f"{before.label} → {after.label}", found, tuple(again))


def _report_of_window(args: SimpleNamespace, inventory: "Inventory") -> snapshot_report.Content:
    if args.before is not None or args.account is not None or args.type is not None:
        raise BadUsage("--window says what is compared: name no snapshot, account or type")
    found = judging.window(inventory, args.window)
    if found.window.after is None:
        raise BadUsage(
            f"the change window {args.window!r} is open: its report is of what it was closed with"
        )
    again = ("report", "--window", found.window.name)
    return snapshot_report.Content(
        f"Change window {found.window.name}", found.comparison, again, found.missing
    )


def _check_severity(given: str) -> None:
    if given not in SEVERITIES:
        raise BadUsage(
            f"--fail-on {given!r} should be one of {', '.join(SEVERITIES)}"
            f"{nearest(given, SEVERITIES)}"
        )


def _fails(each: Deviation, fail_on: str) -> bool:
    return SEVERITIES.index(each.severity) <= SEVERITIES.index(fail_on)


# --- how it is shown ------------------------------------------------------------------------------------


def _show_comparison(view: results.View, found: Comparison, gaps: bool) -> None:
    differ = [each for each in found.deviations if each.differs]
    standing = [each for each in found.deviations if not each.differs]
    rows = [deviation_row(each) for each in (found.deviations if gaps else differ)]
    span = f"between {_name(found.before.when)} and {_name(found.after.when)}"
    words = [f"{_resources(differ)} {span}"]
    if differ:
        words.append(_severities(differ))
    if found.design is not None and differ:
        number = sum(each.verdict == RESTORED for each in differ)
        fields = counted(len(differ), "field")
        words.append(f"{number} of {fields} as in the baseline, {_name(found.design.when)}")
    columns = DEVIATION if found.design is None else JUDGED
    show_table(view, rows, columns, "; ".join(words))
    _say_standing(standing, gaps)
    for side in found.sides:
        _say_side(side.when, side.coverage)
    if found.inexact:
        terminal.say(
            f"Of {counted(len(found.inexact), 'resource')}, retention had removed the version of one of the times: "
            "the one before it was compared."
        )


def _show_window(
    view: results.View, found: WindowView, gaps: bool, only_open: bool = False
) -> None:
    deviations = found.unexplained if only_open else found.comparison.deviations
    standing = [each for each in deviations if each.verdict == STANDING]
    missing = [each for each in found.missing if each.explanation is None or not only_open]
    rows = [deviation_row(each) for each in deviations if gaps or each.differs]
    rows += [missing_row(each) for each in missing]
    left = len(found.unexplained) + len(found.unexplained_scopes)
    state = f"{found.window.name}: closed"
    if found.window.closed_at is None:
        state = f"{found.window.name}: open, " + (
            "may close" if not left else f"{left} neither as before, nor as designed, nor explained"
        )
    show_table(view, rows, [*JUDGED, column("EXPLANATION")], state)
    _say_standing(standing, gaps)


def _say_standing(standing: Collection[Deviation], gaps: bool) -> None:
    if standing and not gaps:
        terminal.say(
            f"{counted(len(standing), 'field')} more not as designed, as before: --gaps lists them."
        )


def _say_side(when: When, coverage: Any) -> None:
    say_failed(coverage, f"At {_name(when)}: ")
    if not coverage.scopes:
        terminal.say(f"At {_name(when)}: nothing had been polled.")


def _name(when: When) -> str:
    return when.label if isinstance(when, Snapshot) else times.shown(time_of(when))


def _resources(deviations: Iterable[Deviation]) -> str:
    number = len({each.entry.key for each in deviations})
    return (
        f"{counted(number, 'resource')} differ{'s' if number == 1 else ''}"
        if number
        else "nothing differs"
    )


def _severities(deviations: Iterable[Deviation]) -> str:
    """Of the fields: ``2 high, 1 low``."""
    found = Counter(each.severity for each in deviations)
    return ", ".join(f"{found[name]} {name}" for name in SEVERITIES if found[name])


FIELD = Column("FIELD", lambda row: row.get("path") or None, CHANGE[0].form)
SNAPSHOT = [
    column("LABEL"),
    time_column("AS OF", "at"),
    column("RESOURCES"),
    Column("SCOPES", lambda row: f"{row['complete']} of {row['scopes']}"),
    column("HOW"),
    time_column("BASELINE SINCE", "pinned_at"),
    time_column("TAKEN AT"),
]
WINDOW = [
    *map(column, ("NAME", "STATE")),
    *map(time_column, ("OPENED AT", "CLOSED AT")),
    *map(column, ("BEFORE", "AFTER", "BASELINE")),
    Column(
        "CONCERNS",
        lambda row: [
            f"{key}={' '.join(v) if isinstance(v, list) else v}"
            for key, v in row["concerns"].items()
        ],
    ),
]
DEVIATION = [
    *map(column, ("SEVERITY", "WHAT", "NAME")),
    FIELD,
    *CHANGE[1:],
    value_column("DESIGN"),
    Column(
        "VERDICT",
        lambda row: row.get("verdict"),
        shown=lambda row: None if row.get("verdict") == DIFFERS else row.get("verdict"),
        gives_way=False,
    ),
    column("REASON"),
    column("RESOURCE ID", "id"),
    *map(column, ("TYPE", "SCOPE", "ACCOUNT", "FORMER ID")),
]
# A verdict matters more than what happened, which the values of both sides say as well.
JUDGED = [
    dataclasses.replace(each, gives_way=True) if each.title == "WHAT" else each
    for each in DEVIATION
]
