"""The topology in groups, of which the wanted ones are expanded: what a page draws, never more than LIMIT elements.

What does not fit is counted: in a box of its own in its group, and as links that are left out.
"""

import bisect
import collections
import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, Optional

from topology.graph import Graph
from topology.links import STATES
from web import places
from web.places import Box
from web.tree import Item, Tree

Row = dict[str, Any]
LIMIT = 1500  # nodes and edges
NODES = 1000  # of them; the others are for edges
IN_ONE = 300  # nodes in one box; a box for those that are left out comes with them
SHORT = 200  # characters of a name
MORE = "more"  # the kind of a box for those that are left out
WORDS = ("unknown", *STATES)  # by how bad they are


@dataclasses.dataclass(frozen=True)
class Picture:
    """``left_out``: links that there is no room for. ``refused``: groups that could not be expanded, and why."""

    nodes: list[Row]
    edges: list[Row]
    left_out: int
    refused: list[Row]

    def row(self) -> Row:
        return {
            "nodes": self.nodes,
            "edges": self.edges,
            "elements": len(self.nodes) + len(self.edges),
            "limit": LIMIT,
            "edges_left_out": self.left_out,
            "refused": self.refused,
        }


class Marks:
    """What is worth knowing of each node, in the order of the tree's items, so that a group's worst is that of a slice.

    ``states``: by node; those that are not in it are unknown.
    """

    def __init__(self, tree: Tree, states: Mapping[int, int]):
        found = bytearray(len(tree.items))
        for node, state in states.items():
            found[tree.of_node[node]] = state + 1
        self._states = bytes(found)

    def worst(self, first: int, end: int) -> str:
        return WORDS[max(self._states[first:end], default=0)]

    def count(self, first: int, end: int) -> dict[str, int]:
        """How many are in each state that is known."""
        part = self._states[first:end]
        return {word: part.count(n) for n, word in enumerate(WORDS) if n and part.count(n)}

    def rank(self, number: int) -> int:
        return self._states[number]


class Changes:
    """What became of nodes and of links between two times: added, gone or changed; the graph has those of both."""

    def __init__(self, tree: Tree, nodes: Mapping[int, str], links: Mapping[int, str]):
        self.links = links
        words = sorted((tree.of_node[node], word) for node, word in nodes.items())
        self._items = [item for item, _ in words]
        self._words = [word for _, word in words]

    def count(self, first: int, end: int) -> dict[str, int]:
        part = slice(bisect.bisect_left(self._items, first), bisect.bisect_left(self._items, end))
        return dict(collections.Counter(self._words[part]))


def picture(
    tree: Tree,
    marks: Marks,
    expanded: Collection[str] = (),
    *,
    impact: Optional[Marks] = None,
    changes: Optional[Changes] = None,
    only: Optional[Collection[int]] = None,
) -> Picture:
    """``expanded``: keys of groups; those in a group that is not expanded, or of none, are passed over.

    ``impact``: marks of what breaks. ``only``: the outermost groups that are wanted.
    """
    shown = _Shown(
        tree, impact or marks, [each for each in tree.top if only is None or each in only]
    )
    for key in dict.fromkeys(expanded):
        shown.expand(key)
    # a group may come before the one that it is in
    while shown.waiting and shown.again():
        pass
    nodes = [
        _node(tree, marks, number, box, impact, changes) for number, box in shown.boxes.items()
    ]
    for parent, rest, box in shown.more:
        above = None if parent is None else tree.items[parent].key
        nodes.append(more_row(above or "top", above, rest, box))
    edges, left_out = _edges(tree.graph, shown.of_nodes(), tree, LIMIT - len(nodes), changes)
    return Picture(nodes, edges, left_out, shown.refused)


class _Shown:
    """Which items are drawn, and where."""

    def __init__(self, tree: Tree, marks: Marks, top: list[int]):
        self.tree, self.marks = tree, marks
        self.boxes: dict[int, Box] = {}
        self.expanded: set[int] = set()
        self.more: list[tuple[Optional[int], int, Box]] = []
        self.refused: list[Row] = []
        self.waiting: list[int] = []
        self._put(None, top, None)

    def again(self) -> bool:
        """Tries those that waited; whether any is expanded now."""
        waiting, self.waiting = self.waiting, []
        before = len(self.expanded)
        for number in waiting:
            self._expand(number)
        return len(self.expanded) > before

    def expand(self, key: str) -> None:
        number = self.tree.by_key.get(key)
        if number is not None and self.tree.items[number].children:
            self._expand(number)

    def _expand(self, number: int) -> None:
        if number in self.expanded:
            return
        if number not in self.boxes:
            self.waiting.append(number)
            return
        item = self.tree.items[number]
        wanted = min(len(item.children), IN_ONE + 1)
        drawn = len(self.boxes) + len(self.more)
        if drawn + wanted > NODES:
            self.refused.append(self._refusal(item, drawn, wanted))
            return
        self.expanded.add(number)
        self._put(number, [*item.children], self.boxes[number])

    def _refusal(self, item: Item, drawn: int, wanted: int) -> Row:
        largest = max(
            (each for each in self.expanded),
            key=lambda each: (len(self.tree.items[each].children), -each),
        )
        which = self.tree.items[largest]
        return {
            "key": item.key,
            "label": short(item.label),
            "why": f"{wanted} more would be {drawn + wanted} boxes, and {NODES} can be drawn",
            "collapse": which.key,
            "collapse_label": short(which.label),
        }

    def _put(self, parent: Optional[int], children: list[int], box: Optional[Box]) -> None:
        items = self.tree.items
        rest = 0
        if len(children) > IN_ONE:  # groups first, then the worst
            children.sort(key=lambda each: (not items[each].children, -self.marks.rank(each), each))
            rest = sum(items[each].resources for each in children[IN_ONE:])
            children = sorted(children[:IN_ONE])
        keys = {items[each].key: each for each in children}
        wanted = [*keys, MORE] if rest else [*keys]
        found = places.outermost(wanted) if box is None else places.inside(box, wanted)
        for key, number in keys.items():
            self.boxes[number] = found[key]
        if rest:
            self.more.append((parent, rest, found[MORE]))

    def of_nodes(self) -> list[int]:
        """The item that stands for each item of the tree, by number; -1: it is left out."""
        found = [-1] * len(self.tree.items)
        for number in sorted(self.boxes):  # the outer ones first
            item = self.tree.items[number]
            if number in self.expanded:
                found[number] = number
                for child in item.children:
                    if child not in self.boxes:
                        end = self.tree.items[child].end
                        found[child:end] = [-1] * (end - child)
            else:
                found[number : item.end] = [number] * (item.end - number)
        return found


def short(text: str) -> str:
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"


def resource_row(graph: Graph, node: int) -> Row:
    """What a page needs to say which resource it is."""
    each = graph.nodes[node]
    return {
        "account": each.account,
        "type": each.type,
        "id": each.id,
        "kind": each.kind,
        "role": each.role,
        "provider": each.provider,
        "provider_state": each.state,
    }


def place_row(box: Box) -> Row:
    return {name: round(value, 2) for name, value in zip(("x", "y", "w", "h"), box)}


def _node(
    tree: Tree,
    marks: Marks,
    number: int,
    box: Box,
    impact: Optional[Marks],
    changes: Optional[Changes],
) -> Row:
    item = tree.items[number]
    parent = None if item.parent is None else tree.items[item.parent].key
    row: Row = {
        "key": item.key,
        "parent": parent,
        "kind": item.kind,
        "label": short(item.label),
        "count": item.resources,
        "children": len(item.children),
        "state": marks.worst(number, item.end),
        "states": marks.count(number, item.end),
        **place_row(box),
    }
    if item.node is not None:
        row["resource"] = resource_row(tree.graph, item.node)
    if impact is not None:
        row["impact"] = impact.worst(number, item.end)
        row["impacts"] = impact.count(number, item.end)
    if changes is not None:
        row["changes"] = changes.count(number, item.end)
    return row


def more_row(name: str, parent: Optional[str], rest: int, box: Box) -> Row:
    """A box for those that are left out."""
    return {
        "key": f"{MORE}-{name}",
        "parent": parent,
        "kind": MORE,
        "label": f"… and {rest:,} more",
        "count": rest,
        "children": 0,
        "state": WORDS[0],
        "states": {},
        **place_row(box),
    }


def _edges(
    graph: Graph, shown: list[int], tree: Tree, most: int, changes: Optional[Changes]
) -> tuple[list[Row], int]:
    """Links between what is drawn, together: those that changed and those between accounts first, then the thickest.

    What is in a box is not linked to it: that it is in it says so.
    """
    stands = [shown[item] for item in tree.of_node]
    ends = [item.end for item in tree.items]
    found: dict[tuple[int, int], list[int]] = {}
    left_out = 0
    for link, (dependent, provider) in enumerate(zip(graph.dependent, graph.provider)):
        one, other = stands[dependent], stands[provider]
        if one == other:
            continue
        if one < 0 or other < 0:
            left_out += 1
        elif not (one < other < ends[one] or other < one < ends[other]):
            found.setdefault((one, other), []).append(link)

    def importance(pair: tuple[int, int]) -> tuple[bool, bool, int, tuple[int, int]]:
        links = found[pair]
        changed = changes is not None and not changes.links.keys().isdisjoint(links)
        stitched = not graph.evidence.keys().isdisjoint(links)
        return not changed, not stitched, -len(links), pair

    pairs = sorted(found, key=importance)
    rows = [
        edge_row(graph, found[pair], tree.items[pair[0]].key, tree.items[pair[1]].key, changes)
        for pair in pairs[:most]
    ]
    return rows, left_out + sum(len(found[pair]) for pair in pairs[most:])


def edge_row(
    graph: Graph, links: list[int], start: str, end: str, changes: Optional[Changes] = None
) -> Row:
    """Links from what depends to what provides, as one edge; ``evidence``: of those between accounts, the first."""
    row: Row = {
        "key": f"{start}-{end}",
        "from": start,
        "to": end,
        "count": len(links),
        "types": sorted({graph.link[link].name for link in links}),
    }
    evidence = [graph.evidence[link] for link in links if link in graph.evidence]
    if evidence:
        first = min(evidence)
        row["evidence"] = {**first._asdict(), "value": short(first.value), "count": len(evidence)}
    if changes is not None:
        row["changes"] = dict(collections.Counter(filter(None, map(changes.links.get, links))))
    return row
