"""The difference of two documents, field by field."""

import dataclasses
import enum
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any

from inventory.fields import encode, pointer, put, remove, split


class Absent(enum.Enum):
    """The value of a field that is not there; None is a value."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent.ABSENT
PLAIN = frozenset({bool, int, str, type(None)})  # types whose equal values are the same JSON


@dataclasses.dataclass(frozen=True)
class Change:
    """One field that differs. ``path`` is a JSON pointer; lists are compared as a whole.

    ``fast``: the field is a state or a counter, see inventory/fields.py.
    """

    path: str
    before: Any
    after: Any
    fast: bool = False

    def mirrored(self) -> "Change":
        return dataclasses.replace(self, before=self.after, after=self.before)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: 1, 1.0 and true are not."""
    if type(one) is type(other) and type(one) in PLAIN:
        return bool(one == other)
    if one is ABSENT or other is ABSENT:
        return one is other
    # the same Python text is the same JSON, and cheaper to write
    return (one == other and repr(one) == repr(other)) or encode(one) == encode(other)


def compare(before: Mapping[str, Any], after: Mapping[str, Any], *above: str) -> list[Change]:
    """The fields that differ, sorted by path."""
    differ: list[tuple[str, list[Change]]] = []
    for key, old in before.items():
        new = after.get(key, ABSENT)
        kind = type(old)
        if kind is type(new):  # most are plain and equal: this is the inner loop of diffs
            if kind is dict:
                below = compare(old, new, *above, key)
                if below:
                    differ.append((key, below))
                continue
            if old is new or (kind in PLAIN and old == new):
                continue
        if not same(old, new):
            differ.append((key, [Change(pointer(*above, key), old, new)]))
    for key, new in after.items():
        if key not in before:
            differ.append((key, [Change(pointer(*above, key), ABSENT, new)]))
    return [change for _, changes in sorted(differ, key=itemgetter(0)) for change in changes]


def compare_documents(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """The fields of a resource that differ by today's rules of inventory/fields.py, which fields are fast."""
    (old_slow, old_fast), (new_slow, new_fast) = split(before), split(after)
    found = compare(old_slow, new_slow)
    for path in {*old_fast, *new_fast}:
        old, new = old_fast.get(path, ABSENT), new_fast.get(path, ABSENT)
        if not same(old, new):
            found.append(Change(path, old, new, fast=True))
    return sorted(found, key=lambda each: each.path)


def apply(document: Mapping[str, Any], changes: Iterable[Change]) -> dict[str, Any]:
    """The document after the changes; ``apply(a, compare(a, b)) == b``."""
    result = dict(document)
    for change in changes:
        if change.after is ABSENT:
            remove(result, change.path)
        else:
            put(result, change.path, change.after)
    return result
