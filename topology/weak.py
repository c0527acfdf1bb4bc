"""Where the network is weak: single points of failure, redundancy that is lost, and what caused what is down now."""

import dataclasses
import time
from collections.abc import Iterator, Mapping
from typing import Callable, Optional

from topology.graph import Graph
from topology.impact import Impact, impact
from topology.links import DOWN, HARD, REDUNDANT, SAME_THING, UP, LinkType
from topology.model import Node


@dataclasses.dataclass(frozen=True)
class SinglePoint:
    """A node, how many others are down without it, and how many are only weakened."""

    node: Node
    number: int
    down: int
    degraded: int


@dataclasses.dataclass(frozen=True)
class SinglePoints:
    """The worst first. ``tried`` of ``candidates`` were tried before the time was over."""

    found: tuple[SinglePoint, ...]
    tried: int
    candidates: int


@dataclasses.dataclass(frozen=True)
class LastOne:
    """A group of providers of which one is left. ``lost``: those that are down or gone; none: there was only one ever."""

    dependent: Node
    link_type: str
    left: Node
    lost: tuple[Node, ...]


@dataclasses.dataclass(frozen=True)
class Now:
    """What is not up, by what the newest status says and what follows from it; ``causes`` explain all of it."""

    states: dict[int, int]
    causes: tuple[int, ...]
    explained: Impact


def single_points(
    graph: Graph,
    kind: Optional[str] = None,
    limit_s: float = 10.0,
    clock: Callable[[], float] = time.monotonic,
) -> SinglePoints:
    """What takes others down with it. Only what can is tried, the one with the most dependents first, until the time is
    over."""
    candidates = [number for number in range(len(graph.nodes)) if _can_take_down(graph, number)]
    if kind is not None:
        candidates = [number for number in candidates if graph.nodes[number].kind == kind]
    candidates.sort(key=lambda number: (-len(graph.down[number]), number))
    until = clock() + limit_s
    found, tried = [], 0
    for number in candidates:
        if clock() >= until:
            break
        tried += 1
        states = impact(graph, {number: DOWN}).states
        down = sum(state == DOWN for state in states.values()) - 1
        if down:
            found.append(SinglePoint(graph.nodes[number], number, down, len(states) - 1 - down))
    found.sort(key=lambda each: (-each.down, -each.degraded, each.number))
    return SinglePoints(tuple(found), tried, len(candidates))


def _can_take_down(graph: Graph, number: int) -> bool:
    """Whether anything that depends on it has nothing else. What is the same thing seen twice takes down nothing but
    itself, so that does not count."""
    for link in graph.down[number]:
        kind = graph.link[link]
        if kind.mode == SAME_THING or kind.ceiling < DOWN:
            continue
        other = graph.other(link, number)
        if kind.mode == HARD or sum(graph.link[each] is kind for each in graph.up[other]) == 1:
            return True
    return False


def last_ones(
    graph: Graph,
    states: Mapping[int, int],
    before: Optional[Graph] = None,
    every: bool = False,
) -> Iterator[LastOne]:
    """Redundant groups with one provider left whose dependent is not down. ``before``: an earlier graph, whose providers
    that are gone count too; ``every``: also groups that never had more than one."""
    for number, node in enumerate(graph.nodes):
        if states.get(number, UP) == DOWN:
            continue
        for link, providers in _redundant(graph, number):
            left = [each for each in providers if states.get(each, UP) != DOWN]
            if len(left) != 1:
                continue
            lost = [graph.nodes[each] for each in providers if each != left[0]]
            lost += _gone(graph, before, node, link)
            if lost or every:
                yield LastOne(node, link.name, graph.nodes[left[0]], tuple(lost))


def _redundant(graph: Graph, number: int) -> list[tuple[LinkType, list[int]]]:
    groups = Impact(graph, {}, {}).groups(number)
    return [(link, providers) for link, providers in groups if link.mode == REDUNDANT]


def _gone(graph: Graph, before: Optional[Graph], node: Node, link: LinkType) -> list[Node]:
    """Providers that the node had before, and that it no longer has."""
    number = before.numbers.get(node.key) if before is not None else None
    if before is None or number is None:
        return []
    now = {graph.nodes[each].key for each in _providers(graph, graph.numbers[node.key], link.name)}
    then = [before.nodes[each] for each in _providers(before, number, link.name)]
    return [each for each in then if each.key not in now]


def _providers(graph: Graph, number: int, name: str) -> list[int]:
    return [graph.other(link, number) for link in graph.up[number] if graph.link[link].name == name]


def now(graph: Graph, states: Mapping[int, int]) -> Now:
    """``states``: what the newest status of each node says.

    Causes are those of what is not up that explain all the others, and of which none can be left out: what has the fewest
    dependents is left out first. An impact never lessens when more fails, so one round is enough.
    """
    wrong = {number: state for number, state in states.items() if state > UP}
    kept = dict(wrong)
    for number in sorted(wrong, key=lambda each: (len(graph.down[each]), -each)):
        without = {each: state for each, state in kept.items() if each != number}
        found = impact(graph, without).states
        if all(found.get(each, UP) >= state for each, state in wrong.items()):
            kept = without
    explained = impact(graph, kept)
    causes = tuple(sorted(kept, key=lambda each: (-wrong[each], each)))
    found = dict(explained.states)
    for number, state in wrong.items():
        found[number] = max(state, found.get(number, UP))
    return Now(found, causes, explained)
