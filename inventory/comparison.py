"""What differs before and after, and which of it is not as designed.

A diff of two times, cut into fields, each with its value in the design (a baseline) too. What is not as designed, and
was not before, is listed as well.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Optional

from sqlalchemy import Connection

from inventory.changes import ABSENT, Change, compare_documents, same
from inventory.diff import (
    ADDED,
    CHANGED,
    GONE,
    RECREATED,
    WHOLE,
    Seen,
    diff,
    seen,
    severity,
)
from inventory.entries import Filter, Reader
from inventory.fields import pointer, steps
from inventory.model import (
    DEVIATES,
    DIFFERS,
    RESTORED,
    SEVERITIES,
    STANDING,
    THERE,
    Comparison,
    Deviation,
    Difference,
    Side,
    When,
)
from inventory.rows import chunks

Name = tuple[str, str, str]  # of a resource: account, type, id


@dataclasses.dataclass(frozen=True)
class _Subject:
    """A resource that differs before and after, or from the design: its state at each of the times."""

    before: Optional[Seen]
    after: Optional[Seen]
    design: Optional[Seen]
    has_design: bool

    @property
    def states(self) -> list[Seen]:
        return [each for each in (self.after, self.before, self.design) if each]

    @property
    def former_id(self) -> Optional[str]:
        """Of what was created anew, before or since the design."""
        if self.after is None:
            return None
        ids = [each.entry.id for each in (self.before, self.design) if each]
        return next((id for id in ids if id != self.after.entry.id), None)


def compare(
    connection: Connection,
    before: When,
    after: When,
    design: Optional[When],
    wanted: Filter,
    fast: bool = True,
    only: Optional[Collection[Name]] = None,
) -> Comparison:
    """``only``: these resources alone. What is known of scopes is in each side's coverage."""
    whens = [when for when in (before, after, design) if when is not None]
    readers = [Reader(connection, when) for when in whens]
    differ = diff(connection, before, after, wanted, fast).differences
    deviate = () if design is None else diff(connection, design, after, wanted, fast).differences
    deviations: list[Deviation] = []
    inexact: set[int] = set()
    for some in chunks(_pairs(differ, deviate)):
        keys = {key for each in some for key in each}
        states = [seen(reader, keys) for reader in readers]
        for found in states:
            inexact.update(key for key, each in found.items() if not each.exact)
        for former, key, designed in some:
            subject = _Subject(
                states[0].get(former),
                states[1].get(key),
                _first(states[2], designed, key, former) if design is not None else None,
                design is not None,
            )
            if only is None or not _names(subject).isdisjoint(only):
                deviations.extend(_deviations(subject, fast))
    sides = [Side(when, reader.coverage(wanted)) for when, reader in zip(whens, readers)]
    deviations.sort(key=_order)
    return Comparison(
        tuple(deviations),
        sides[0],
        sides[1],
        sides[2] if design is not None else None,
        frozenset(inexact),
    )


def _pairs(
    differ: Collection[Difference], deviate: Collection[Difference]
) -> list[tuple[int, int, int]]:
    """The keys of each resource before, after, and in the design: what was created anew has another one."""
    former = {each.entry.key: each.before.key for each in differ if each.before}
    designed = {each.entry.key: each.before.key for each in deviate if each.before}
    keys = {each.entry.key for each in (*differ, *deviate)}
    replaced = {old for key, old in former.items() if old != key}
    return [(former.get(key, key), key, designed.get(key, key)) for key in sorted(keys - replaced)]


def _first(states: Mapping[int, Seen], *keys: int) -> Optional[Seen]:
    return next((states[key] for key in keys if key in states), None)


def _names(subject: _Subject) -> set[Name]:
    entries = [each.entry for each in subject.states]
    return {(entry.account, entry.type, entry.id) for entry in entries}


def _deviations(subject: _Subject, fast: bool) -> Iterator[Deviation]:
    before, after, design = subject.before, subject.after, subject.design
    was, is_, should = (THERE if each else ABSENT for each in (before, after, design))
    if was != is_ or (subject.has_design and should != is_):
        old = was if was != is_ else should
        what = ADDED if old is ABSENT else GONE
        yield _deviation(subject, what, Change(WHOLE, old, is_), was, is_, should)
    if after is None:
        return
    changes = {
        leaf.path: leaf
        for other in (design, before)  # what changed now says more than what is not as designed
        if other
        for change in compare_documents(other.document, after.document)
        if fast or not change.fast
        for leaf in _leaves(change)
    }
    for path, change in changes.items():
        values = [
            value_at(each.document, path) if each else ABSENT for each in (before, after, design)
        ]
        what = RECREATED if subject.former_id is not None else CHANGED
        yield _deviation(subject, what, change, *values)


def _deviation(
    subject: _Subject, what: str, change: Change, before: Any, after: Any, design: Any
) -> Deviation:
    return Deviation(
        _severity(what, change),
        what,
        _verdict(subject.has_design, before, after, design),
        subject.states[0].entry,
        change.path,
        before,
        after,
        design,
        subject.former_id,
    )


def _severity(what: str, change: Change) -> str:
    if what == RECREATED and change.path != "/id":
        what = CHANGED
    return severity(what, [change])


def _verdict(has_design: bool, before: Any, after: Any, design: Any) -> str:
    if not has_design:
        return DIFFERS
    if same(before, after):
        return STANDING
    return RESTORED if same(after, design) else DEVIATES


def _leaves(change: Change) -> Iterator[Change]:
    """An object that appears or disappears, field by field: the design may have another part of it."""
    whole = change.before if isinstance(change.before, dict) else change.after
    if not whole or not isinstance(whole, dict) or ABSENT not in (change.before, change.after):
        yield change
        return
    for key in whole:
        path = change.path + pointer(key)
        old, new = (
            ABSENT if side is ABSENT else side[key] for side in (change.before, change.after)
        )
        yield from _leaves(Change(path, old, new, change.fast))


def value_at(document: Mapping[str, Any], path: str) -> Any:
    found: Any = document
    for step in steps(path):
        if not isinstance(found, dict) or step not in found:
            return ABSENT
        found = found[step]
    return found


def _order(each: Deviation) -> tuple[Any, ...]:
    entry = each.entry
    severe = SEVERITIES.index(each.severity)
    return severe, entry.account, entry.type, entry.name, entry.id, entry.key, each.path
