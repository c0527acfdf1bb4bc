"""What breaks if something goes down, is degraded, or is removed.

States are up < degraded < down. What is asked about keeps its state. A group is all providers that one thing has by one
link type: if all are up, nothing happens; hard: down if any is down, else degraded; redundant: down if all are, else
degraded; soft: degraded; no worse than the link type's ceiling. The worst group counts. States only grow, so this ends,
and no order matters.
"""

import collections
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Optional

from topology.graph import Graph
from topology.links import DEGRADED, DOWN, HARD, REDUNDANT, SAME_THING, UP, LinkType
from topology.model import Node


@dataclasses.dataclass(frozen=True)
class Row:
    """One thing that is not up. ``distance``: links from what was asked about; ``via``: the nearest provider that is
    not up, by ``link_type``. ``left``: how many providers of the deciding group are up."""

    node: Node
    state: int
    distance: int
    via: Optional[Node]
    link_type: Optional[str]
    reason: str
    left: int


class Impact:
    """``states`` by the numbers of nodes; those that are up are not in it."""

    def __init__(self, graph: Graph, focals: Mapping[int, int], states: dict[int, int]):
        self.graph, self.focals, self.states = graph, dict(focals), states

    def down(self) -> int:
        """How many others are down."""
        return sum(
            state == DOWN for number, state in self.states.items() if number not in self.focals
        )

    def rows(self, most: Optional[int] = None) -> Iterator[Row]:
        """The nearest first, without what was asked about; up to a distance."""
        for number, distance, via, link in self._walk(most):
            node, state = self.graph.nodes[number], self.states[number]
            kind = self.graph.link[link]
            reason, left = self._reason(number, kind)
            yield Row(node, state, distance, self.graph.nodes[via], kind.name, reason, left)

    def _walk(self, most: Optional[int]) -> Iterator[tuple[int, int, int, int]]:
        graph, states = self.graph, self.states
        seen = set(self.focals)
        level, distance = sorted(self.focals), 0
        while level and (most is None or distance < most):
            distance += 1
            found: dict[int, tuple[int, int]] = {}
            for number in level:  # in order, so that the smallest is who it comes from
                for link in graph.down[number]:
                    other = graph.other(link, number)
                    if other in states and other not in seen:
                        seen.add(other)
                        found[other] = (number, link)
            level = sorted(found)
            for number in level:
                yield number, distance, *found[number]

    def groups(self, number: int) -> Iterator[tuple[LinkType, list[int]]]:
        """A node's providers by link type."""
        graph = self.graph
        found: dict[tuple[str, str], tuple[LinkType, list[int]]] = {}
        for link in graph.up[number]:
            kind = graph.link[link]
            group = found.setdefault((kind.name, kind.mode), (kind, []))
            group[1].append(graph.other(link, number))
        yield from (found[name] for name in sorted(found))

    def _reason(self, number: int, by: LinkType) -> tuple[str, int]:
        """Of the group that decides, and how many of its providers are up. Of several, the one of this link type."""
        best: tuple[int, str, int] = (UP, "", 0)
        for link, providers in self.groups(number):
            states = [self.states.get(each, UP) for each in providers]
            worst = max(states)
            state = outcome(link, len(states), states.count(DOWN), worst > UP)
            if state > best[0] or (state == best[0] > UP and link is by):
                first = self.graph.nodes[providers[states.index(worst)]]
                text = _sentence(link, state, states, first)
                best = (state, text, states.count(UP))
        return best[1:]


def _sentence(link: LinkType, state: int, states: list[int], first: Node) -> str:
    """``first``: a provider in the worst state."""
    which = f"{first} is {'down' if max(states) == DOWN else 'degraded'}"
    count = len(states)
    if link.mode == SAME_THING:
        return f"it is the same as {first} of {first.account}"
    if link.mode == HARD:
        return f"it can't do without {first}, which is down" if max(states) == DOWN else which
    if link.mode == REDUNDANT:
        if states.count(DOWN) == count:
            every = f"its only {first.kind}, {first.name}, is down"
            if count > 1:
                every = f"all {count} that it has are down, such as {first}"
            return every if state == DOWN else f"{every}, which only weakens it"
        if states.count(UP):
            return f"another path exists: {which}, {states.count(UP)} of {count} up"
        return f"{which}, and none of {count} is up" if count > 1 else which
    return f"{which}, which only weakens it"


def outcome(link: LinkType, count: int, down: int, any_not_up: bool) -> int:
    """What a group of providers makes of what depends on it."""
    if not any_not_up:
        return UP
    all_down = down == count
    is_down = down > 0 if link.mode in (HARD, SAME_THING) else link.mode == REDUNDANT and all_down
    return min(DOWN if is_down else DEGRADED, link.ceiling)


def impact(graph: Graph, focals: Mapping[int, int]) -> Impact:
    """``focals``: nodes, and the state that they are in."""
    states = {number: state for number, state in focals.items() if state > UP}
    down_count: dict[tuple[int, int], int] = {}
    size: dict[tuple[int, int], int] = {}
    known = dict.fromkeys(states, UP)  # the state that dependents know of
    queue = collections.deque(sorted(states))
    link_of, dependent_of, provider_of = graph.link, graph.dependent, graph.provider
    while queue:
        number = queue.popleft()
        state, before = states[number], known.get(number, UP)
        known[number] = state
        if state <= before:
            continue
        for link in graph.down[number]:
            other = dependent_of[link]
            if other == number:
                other = provider_of[link]
            if other in focals:
                continue
            kind = link_of[link]
            worst = state
            if kind.mode == REDUNDANT:
                group = (other, id(kind))
                if group not in size:
                    size[group] = sum(link_of[each] is kind for each in graph.up[other])
                downs = down_count.get(group, 0) + (state == DOWN)
                down_count[group] = downs
                worst = DOWN if downs == size[group] else DEGRADED
            elif kind.mode not in (HARD, SAME_THING):
                worst = DEGRADED
            if worst > kind.ceiling:
                worst = kind.ceiling
            if worst > states.get(other, UP):
                states[other] = worst
                queue.append(other)
    return Impact(graph, focals, states)
