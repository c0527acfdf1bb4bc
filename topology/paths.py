"""The shortest path between two nodes, whichever way links point.

Both ends search at once, level by level, over the graph's lists: no library's graph needs to be built for it.
"""

from typing import Optional

from topology.graph import Graph


def path(graph: Graph, start: int, end: int) -> Optional[list[int]]:
    """The links in order; None: nothing connects them. Of several shortest paths, always the same one."""
    if start == end:
        return []
    came: tuple[dict[int, int], dict[int, int]] = ({start: -1}, {end: -1})
    levels = [[start], [end]]
    while levels[0] and levels[1]:
        side = 0 if len(levels[0]) <= len(levels[1]) else 1
        mine, others = came[side], came[1 - side]
        found: dict[int, int] = {}
        for number in levels[side]:
            for links in (graph.up[number], graph.down[number]):
                for link in links:
                    other = graph.other(link, number)
                    if other not in mine:
                        mine[other] = link
                        found[other] = link
        meeting = [number for number in found if number in others]
        if meeting:
            return _joined(graph, came, min(meeting))
        levels[side] = sorted(found)
    return None


def _joined(graph: Graph, came: tuple[dict[int, int], dict[int, int]], middle: int) -> list[int]:
    halves = []
    for side in came:
        number, links = middle, []
        while side[number] != -1:
            links.append(side[number])
            number = graph.other(side[number], number)
        halves.append(links)
    return [*reversed(halves[0]), *halves[1]]
