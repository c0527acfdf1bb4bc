"""The groups of a graph: account > provider > region > network > resource.

A provider is a level only where an account has several. A region is the scope that was polled: a region of AWS, a project
and region of OpenStack, a model of Juju. A network holds what depends on it, and the networks in it (a VPC its subnets);
what is in several is in the innermost, the first by number. Volumes and applications are where their server is. Whatever
is in no network is in its region.

Groups and resources have numbers in the order of a walk through the tree: what a group holds is a slice.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional, Union

from topology.graph import Graph
from topology.links import SAME
from topology.model import Node

ACCOUNT, PROVIDER, REGION, NETWORK, RESOURCE = (
    "account",
    "provider",
    "region",
    "network",
    "resource",
)
DEEPEST = 3  # networks in networks; what is deeper, or goes in circles, is in its region
FOLLOWING = frozenset({"volume", "vca"})  # kinds that are where their server is


class Item(NamedTuple):
    """A group or a resource. ``node``: its number in the graph; a network that holds something is a group too.
    ``end``: the number after those of all that it holds."""

    key: str
    parent: Optional[int]
    kind: str
    label: str
    node: Optional[int]
    children: tuple[int, ...]
    end: int
    resources: int  # with itself


class Tree:
    """``items`` by number; ``top`` are those that nothing holds; ``of_node``: the item of each node."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.items: list[Item] = []
        self.of_node = [0] * len(graph.nodes)
        below = _grouped(graph)
        self.top = tuple(self._add(name, None, below) for name in sorted(below[()], key=_order))
        self.by_key = {each.key: number for number, each in enumerate(self.items)}

    def _add(self, name: "Name", parent: Optional[int], below: "dict[Name, list[Name]]") -> int:
        """No deeper than account, provider, region, networks, resource."""
        number = len(self.items)
        self.items.append(_EMPTY)  # its number
        found = sorted(below.get(name, ()), key=_order)
        children = tuple(self._add(each, number, below) for each in found)
        count = sum(self.items[each].resources for each in children)
        last = name[-1]
        of: Optional[int] = None
        key, kind, label = _key(*map(str, name)), str(name[0]), str(last)
        if isinstance(last, int):
            node = self.graph.nodes[last]
            self.of_node[last] = number
            key, kind, label, of = key_of(node), _kind(node), node.name, last
            count += 1
        end = len(self.items)
        self.items[number] = Item(key, parent, kind, label, of, children, end, count)
        return number

    def providers(self, number: int) -> set[str]:
        """Of what an account holds."""
        nodes = (each.node for each in self.items[number : self.items[number].end])
        return {self.graph.nodes[node].provider for node in nodes if node is not None}

    def above(self, number: int) -> Iterator[int]:
        """The groups that hold it, the innermost first."""
        parent = self.items[number].parent
        while parent is not None:
            yield parent
            parent = self.items[parent].parent


def key_of(node: Node) -> str:
    """Of a resource: short, whatever its id is, and the same everywhere."""
    return _key(_NODE, *node.key)


def _key(*parts: str) -> str:
    text = "\0".join(part.replace("\0", "\0\0") for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _kind(node: Node) -> str:
    return NETWORK if node.kind == "network" else RESOURCE


# ("account", name), ("provider", account, name), ("region", account, provider, name), or ("node", number)
Name = tuple[Union[str, int], ...]
_NODE = "node"
_EMPTY = Item("", None, "", "", None, (), 0, 0)


def _order(name: Name) -> tuple[bool, Name]:
    return name[0] == _NODE, name[1:]


def _grouped(graph: Graph) -> dict[Name, list[Name]]:
    """What each group holds; ``()`` holds the accounts."""
    several = _several_providers(graph)
    homes = _homes(graph, _networks(graph))
    below: dict[Name, list[Name]] = {(): []}
    for number, node in enumerate(graph.nodes):
        home = homes[number]
        above = (_NODE, home) if home is not None else _region(below, node, node.account in several)
        below.setdefault(above, []).append((_NODE, number))
    return below


def _region(below: "dict[Name, list[Name]]", node: Node, several: bool) -> Name:
    """The node's region, which is added with what holds it."""
    path: list[Name] = [(ACCOUNT, node.account)]
    if several:
        path.append((PROVIDER, node.account, node.provider))
    path.append((REGION, node.account, node.provider, node.scope))
    above: Name = ()
    for name in path:
        if name not in below:
            below[name] = []
            below[above].append(name)
        above = name
    return above


def _several_providers(graph: Graph) -> set[str]:
    found: dict[str, set[str]] = {}
    for node in graph.nodes:
        found.setdefault(node.account, set()).add(node.provider)
    return {account for account, providers in found.items() if len(providers) > 1}


def _near(graph: Graph, number: int, kinds: Sequence[str], dependents: bool) -> Iterator[int]:
    """Neighbours of these kinds in the same account and region."""
    node = graph.nodes[number]
    for link in (graph.down if dependents else graph.up)[number]:
        if graph.link[link] is not SAME:
            other = graph.other(link, number)
            found = graph.nodes[other]
            if (
                found.kind in kinds
                and found.account == node.account
                and found.scope == node.scope
                and other != number
            ):
                yield other


def _networks(graph: Graph) -> dict[int, tuple[Optional[int], int]]:
    """The network that each network is in, and how deep it is."""
    wanted: dict[int, Optional[int]] = {}
    for number, node in enumerate(graph.nodes):
        if node.kind == "network":
            wanted[number] = min(_near(graph, number, ("network",), False), default=None)
    found: dict[int, tuple[Optional[int], int]] = {}
    for number, parent in wanted.items():
        depth, above = 0, parent
        while above is not None and depth < DEEPEST:
            depth += 1
            above = wanted[above]
        found[number] = (parent, depth) if above is None else (None, 0)
    return found


def _homes(graph: Graph, networks: dict[int, tuple[Optional[int], int]]) -> list[Optional[int]]:
    """The network that holds each node."""
    homes: list[Optional[int]] = [None] * len(graph.nodes)
    for number, node in enumerate(graph.nodes):
        if node.kind == "network":
            homes[number] = networks[number][0]
        else:
            homes[number] = min(
                _near(graph, number, ("network",), False),
                key=lambda each: (-networks[each][1], each),
                default=None,
            )
    for number, node in enumerate(graph.nodes):
        if homes[number] is None and node.kind in FOLLOWING:
            servers = _near(graph, number, ("server", "host"), node.kind == "volume")
            homes[number] = next(
                (homes[each] for each in sorted(servers) if homes[each] is not None), None
            )
    return homes
