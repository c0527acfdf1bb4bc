"""Comparisons and change windows of an inventory, with what the graphs of both times say is critical."""

import dataclasses
from collections.abc import Collection, Iterable
from typing import Optional, Protocol

from inventory.changes import ABSENT
from inventory.fields import steps
from inventory.model import CRITICAL, SEVERITIES, Comparison, Deviation, When, WindowView
from topology import cliques, reading, severity
from topology.model import Key
from topology.severity import Place


class Source(reading.Source, Protocol):
    """What is read of an inventory, or of the part of one that somebody may see."""

    def window(self, name: str, only: Optional[Collection[Key]] = None) -> WindowView: ...


def judged(inventory: reading.Source, found: Comparison) -> Comparison:
    """The graphs are read only if something is gone or disconnected."""
    if not any(each.differs and _places(each) for each in found.deviations):
        return found
    graphs = [reading.read(inventory, side.when) for side in (found.before, found.after)]
    reasons = severity.critical(*graphs)
    deviations = []
    for each in found.deviations:
        known = [reasons[place] for place in _places(each) if each.differs and place in reasons]
        if known:
            each = dataclasses.replace(each, severity=CRITICAL, reason=known[0])
        deviations.append(each)
    deviations.sort(key=lambda each: SEVERITIES.index(each.severity))
    return dataclasses.replace(found, deviations=tuple(deviations))


def _places(each: Deviation) -> list[Place]:
    """The resource that is gone, or that lost connections, with the type and id of each."""
    account, kind = each.entry.account, each.entry.type
    where = steps(each.path)
    if each.path == "" and each.after is ABSENT:
        return [((account, kind, each.entry.id), None)]
    if each.path == "/id" and each.former_id is not None:
        return [((account, kind, each.former_id), None)]
    if where[:1] == ["connections"] and len(where) == 2 and isinstance(each.before, list):
        ids = (target["id"] for target in each.before)
        left = {target["id"] for target in each.after} if isinstance(each.after, list) else set()
        return [
            ((account, kind, each.former_id or each.entry.id), (where[1], id))
            for id in ids
            if id not in left
        ]
    return []


def window(inventory: Source, name: str) -> WindowView:
    """Raises UnknownSnapshot, and TopologyError where the focal point has no clique."""
    found = inventory.window(name)
    only = concerned(inventory, found)
    if only is not None:
        found = inventory.window(name, only)
    return dataclasses.replace(found, comparison=judged(inventory, found.comparison))


def concerned(inventory: Source, found: WindowView) -> Optional[Collection[Key]]:
    """The resources that a window is about, where filters can't say it; None: all that the filters choose."""
    focal = found.window.concerns.get("focal")
    if focal is None:
        return None
    sides = [side.when for side in found.comparison.sides]
    return clique(inventory, (focal[0], focal[1], focal[2]), sides)


def clique(inventory: reading.Source, focal: Key, whens: Iterable[When]) -> set[Key]:
    """All that was in the clique of the focal point at one of the times; and itself, if it was at none."""
    found = {focal}
    types = cliques.load_types()
    for when in whens:
        graph = reading.read(inventory, when)
        number = graph.numbers.get(focal)
        if number is None:
            continue
        of_when = cliques.clique(graph, number, cliques.chosen(types, graph.nodes[number]))
        found.update(graph.nodes[each].key for each in of_when.nodes)
    return found
