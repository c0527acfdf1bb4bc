"""What a resource depends on, and what depends on it, some links far: columns to its right and to its left."""

from collections.abc import Mapping
from typing import Optional

from topology.graph import Graph
from topology.links import STATES
from web.groups import (
    LIMIT,
    NODES,
    WORDS,
    Changes,
    Picture,
    Row,
    edge_row,
    more_row,
    place_row,
    resource_row,
    short,
)
from web.places import Box
from web.tree import NETWORK, RESOURCE, key_of

DEEPEST = 4
IN_COLUMN = 60  # nodes; those that are left out are counted
WIDTH, HEIGHT, ACROSS, BELOW = 200.0, 56.0, 120.0, 18.0


def focus(
    graph: Graph,
    number: int,
    depth: int,
    states: Mapping[int, int],
    *,
    impact: Optional[Mapping[int, int]] = None,
    changes: Optional[Changes] = None,
    words: Optional[Mapping[int, str]] = None,
) -> Picture:
    """``depth``: 1 to DEEPEST. ``states`` and ``impact`` by node; ``words``: what became of nodes."""
    columns: dict[int, list[int]] = {0: [number]}
    seen = {number}
    for side, links_of in ((1, graph.up), (-1, graph.down)):
        level = [number]
        for distance in range(1, depth + 1):
            found = {graph.other(link, each) for each in level for link in links_of[each]} - seen
            seen |= found
            level = sorted(found, key=lambda each: (*graph.nodes[each][3:5], each))
            if not level:
                break
            columns[side * distance] = level
    nodes: list[Row] = []
    drawn: set[int] = set()
    for column in sorted(columns, key=abs):  # the nearest first: they are drawn in any case
        room = min(IN_COLUMN, NODES - len(nodes) - 1)
        shown = _kept(columns[column], room, impact or states)
        drawn.update(shown)
        for row, each in enumerate(shown):
            nodes.append(_node(graph, each, _box(column, row, len(shown)), states, impact, words))
        rest = len(columns[column]) - len(shown)
        if rest:
            nodes.append(
                more_row(f"{column:+}", None, rest, _box(column, len(shown) + 1, len(shown)))
            )
    links = sorted(
        link for each in drawn for link in graph.up[each] if graph.other(link, each) in drawn
    )
    links = [*dict.fromkeys(links)]
    most = LIMIT - len(nodes)
    edges = []
    for link in links[:most]:
        ends = graph.nodes[graph.dependent[link]], graph.nodes[graph.provider[link]]
        edges.append(edge_row(graph, [link], key_of(ends[0]), key_of(ends[1]), changes))
    return Picture(nodes, edges, max(0, len(links) - most), [])


def _kept(level: list[int], room: int, states: Mapping[int, int]) -> list[int]:
    """As many as there is room for, the worst of them, in their order."""
    if len(level) <= room:
        return level
    places = {each: place for place, each in enumerate(level)}
    worst = sorted(level, key=lambda each: (-states.get(each, 0), places[each]))[:room]
    return sorted(worst, key=places.__getitem__)


def _box(column: int, row: int, rows: int) -> Box:
    return Box(column * (WIDTH + ACROSS), (row - (rows - 1) / 2) * (HEIGHT + BELOW), WIDTH, HEIGHT)


def _word(states: Mapping[int, int], number: int) -> str:
    return STATES[states[number]] if number in states else WORDS[0]


def _node(
    graph: Graph,
    number: int,
    box: Box,
    states: Mapping[int, int],
    impact: Optional[Mapping[int, int]],
    words: Optional[Mapping[int, str]],
) -> Row:
    node = graph.nodes[number]
    row: Row = {
        "key": key_of(node),
        "parent": None,
        "kind": NETWORK if node.kind == "network" else RESOURCE,
        "label": short(node.name),
        "count": 1,
        "children": 0,
        "state": _word(states, number),
        "states": {},
        **place_row(box),
        "resource": resource_row(graph, number),
    }
    if impact is not None:
        row["impact"] = _word(impact, number)
    if words is not None:
        row["changes"] = {words[number]: 1} if number in words else {}
    return row
