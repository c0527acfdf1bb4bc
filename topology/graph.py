"""The graph: resources as nodes, and links from what depends to what provides.

Nodes have numbers, in the order of (account, type, id), and links have numbers too: what walks over all of them uses
those. The order in which resources come in makes no difference.
"""

from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any, Optional

from topology import stitching
from topology.errors import AmbiguousNode, UnknownNode
from topology.links import SAME, LinkType, exact, is_part, kind_of, link_type, role_of
from topology.model import Edge, Evidence, Key, Node, Problem, Resource
from topology.stitching import Claim

ANY = "any"  # a bucket of connections whose type nobody knows
BY_ONE, BY_OTHER = 1, 2  # who declares a link: the end with the smaller number, or the other one


class Declared:
    """Which pairs of nodes are linked, and which of the two declares it. A pair is one number: that is half as large as
    two, and sorted in a third of the time."""

    def __init__(self, count: int):
        self.count = count
        self.by: dict[int, int] = {}

    def number(self, one: int, other: int) -> int:
        return one * self.count + other if one < other else other * self.count + one

    def add(self, source: int, target: int) -> None:
        pair = self.number(source, target)
        self.by[pair] = self.by.get(pair, 0) | (BY_ONE if source < target else BY_OTHER)

    def pairs(self) -> Iterator[tuple[int, int]]:
        return (divmod(pair, self.count) for pair in self.by)


TRAITS = ("is_virtual", "type_id", "network_kind", "link_kind")


class Graph:
    """``up[n]`` are the links in which node n depends on another one, ``down[n]`` those in which it provides; two nodes
    that are the same thing have their link in both. ``dependent``, ``provider`` and ``link`` are by the link's number.
    """

    def __init__(self, nodes: list[Node]):
        self.nodes = nodes
        self.numbers: dict[Key, int] = {node.key: number for number, node in enumerate(nodes)}
        self.dependent: list[int] = []
        self.provider: list[int] = []
        self.link: list[LinkType] = []
        self.declared: list[int] = []
        self.evidence: dict[int, Evidence] = {}
        self.up: list[tuple[int, ...]] = [()] * len(nodes)
        self.down: list[tuple[int, ...]] = [()] * len(nodes)
        self.problems: tuple[Problem, ...] = ()

    def _add(self, link: LinkType, dependent: int, provider: int, declared: int) -> int:
        self.link.append(link)
        self.dependent.append(dependent)
        self.provider.append(provider)
        self.declared.append(declared)
        return len(self.link) - 1

    def _index(self) -> None:
        """The links of each node, as tuples, which take half of what lists do."""
        nothing: tuple[int, ...] = ()
        links = [*range(len(self.link))]  # one object for each number
        for ends, others in ((self.dependent, self.provider), (self.provider, self.dependent)):
            found: dict[int, list[int]] = {}
            for link, number in zip(links, ends):
                found.setdefault(number, []).append(link)
                if self.link[link] is SAME:
                    found.setdefault(others[link], []).append(link)
            index = [tuple(found.pop(number, nothing)) for number in range(len(self.nodes))]
            if ends is self.dependent:
                self.up = index
            else:
                self.down = index

    def other(self, link: int, node: int) -> int:
        """The link's other end."""
        provider = self.provider[link]
        return self.dependent[link] if provider == node else provider

    def links(self, node: int) -> Iterator[int]:
        """All links of a node, in order."""
        return iter(sorted({*self.up[node], *self.down[node]}))

    def edge(self, link: int) -> Edge:
        dependent, provider = self.dependent[link], self.provider[link]
        by = (BY_ONE, BY_OTHER) if dependent < provider else (BY_OTHER, BY_ONE)
        declared = {
            name for name, bit in zip(("dependent", "provider"), by) if self.declared[link] & bit
        }
        return Edge(
            self.link[link],
            self.nodes[dependent],
            self.nodes[provider],
            frozenset(declared),
            self.evidence.get(link),
        )

    def edges(self) -> Iterator[Edge]:
        return map(self.edge, range(len(self.link)))

    def find(
        self, text: str, account: Optional[str] = None, type_name: Optional[str] = None
    ) -> int:
        """The number of the one node with this id, or else with this name. Raises UnknownNode or AmbiguousNode."""
        for field in ("id", "name"):
            found = [
                number
                for number, node in enumerate(self.nodes)
                if getattr(node, field) == text
                and account in (None, node.account)
                and type_name in (None, node.type, node.kind)
            ]
            if len(found) == 1 or (found and self._one_thing(found)):
                return found[0]
            if found:
                some = ", ".join(
                    f"{each.account} {each.kind} {each.id}"
                    for each in (self.nodes[number] for number in found[:5])
                )
                raise AmbiguousNode(
                    f"{len(found)} resources have the {field} {text!r}: {some}",
                    "name the account and the type, or the id",
                )
        raise UnknownNode(
            f"no resource has the id or the name {text!r}",
            "search for it: flexlocal inventory search",
        )

    def _one_thing(self, nodes: list[int]) -> bool:
        """Whether all are linked to the first as the same thing."""
        first = {
            self.other(link, nodes[0]) for link in self.up[nodes[0]] if self.link[link] is SAME
        }
        return first.issuperset(nodes[1:])


def load(resources: Iterable[Resource], facts: Iterable[stitching.Fact] = ()) -> Graph:
    """The graph of resources. ``facts`` are what resources say of themselves beyond their connections, by which ends
    in other accounts are found: see topology/stitching.py."""
    given = sorted(resources, key=itemgetter(0, 1, 2))
    graph = Graph([_node(each) for each in given])
    problems: list[Problem] = []
    declared = Declared(len(given))
    elsewhere: list[tuple[int, str, str]] = []
    for number, each in enumerate(given):
        for type_name, target in _distinct(each, problems):
            found = graph.numbers.get((each.account, type_name, target))
            if found == number:
                problems.append(Problem("self", each[:3], type_name, target, "it names itself"))
            elif found is None:
                elsewhere.append((number, type_name, target))
            else:
                declared.add(number, found)
    del given  # the links take its place
    claims = [*stitching.same_ids(graph.nodes)]
    claims += _elsewhere(graph, elsewhere, declared, problems)
    claims += stitching.by_facts(graph.nodes, graph.numbers, declared.pairs, facts, problems)
    _connect(graph, declared, claims)
    graph._index()
    graph.problems = tuple(sorted(set(problems)))
    return graph


def documents(
    account: str, found: Iterable[Mapping[str, Any]], provider: str = "", family: str = ""
) -> Iterator[Resource]:
    """Of CMP's resource dicts, for ``load``."""
    for each in found:
        details = (each.get("details") or {}).get(each["type"]) or {}
        specific = (each.get("metadata") or {}).get("provider_specific") or {}
        state = details.get("state")
        yield Resource(
            account,
            each["type"],
            each["id"],
            each["base"]["name"],
            provider,
            family,
            "",
            state if isinstance(state, str) else None,
            {
                name: _text(value)
                for name in TRAITS
                if (value := details.get(name, specific.get(name))) is not None
            },
            [
                (kind, target["id"] if isinstance(target, Mapping) else target)
                for kind, targets in each["connections"].items()
                for target in targets
            ],
        )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _node(each: Resource) -> Node:
    return Node(
        each.account,
        each.type,
        each.id,
        kind_of(each.type, each.traits),
        each.name or each.id,
        role_of(each.traits) if each.traits else None,
        each.provider,
        each.family,
        each.scope,
        each.state,
    )


def _distinct(each: Resource, problems: list[Problem]) -> Iterable[tuple[str, str]]:
    """The resource's connections, each once."""
    if len(each.connections) < 2:
        return each.connections
    seen = dict.fromkeys(each.connections, 0)
    if len(seen) < len(each.connections):
        for connection in each.connections:
            seen[connection] += 1
            if seen[connection] == 2:
                problems.append(Problem("duplicate", each[:3], *connection, "it is named twice"))
    return seen


def _elsewhere(
    graph: Graph,
    elsewhere: list[tuple[int, str, str]],
    declared: Declared,
    problems: list[Problem],
) -> Iterator[Claim]:
    """Of connections whose ends are not in their own account, or of no known type."""
    wanted = {target for _, _, target in elsewhere}
    by_id: dict[str, list[int]] = {}
    for number, node in enumerate(graph.nodes):
        if node.id in wanted:
            by_id.setdefault(node.id, []).append(number)
    for source, type_name, target in elsewhere:
        node = graph.nodes[source]
        found = [
            number
            for number in by_id.get(target, ())
            if number != source
            and (
                graph.nodes[number].account == node.account
                if type_name == ANY
                else graph.nodes[number].type == type_name
            )
        ]
        if not found:
            reason = f"no account has a {type_name} with this id"
            if type_name == ANY:
                reason = "nothing in this account has this id"
            problems.append(Problem("dangling", node.key, type_name, target, reason))
        elif len(found) > 1 and (type_name == ANY or not stitching.is_unique(target)):
            keys = tuple(graph.nodes[number].key for number in found)
            reason = f"{len(found)} resources have this id"
            problems.append(Problem("ambiguous", node.key, type_name, target, reason, keys))
        else:
            declared.add(source, found[0])
            if type_name != ANY:
                yield Claim(source, found[0], stitching.of_id(target))


def _connect(graph: Graph, declared: Declared, claims: Iterable[Claim]) -> None:
    """Adds the links in the order of their ends."""
    proven: dict[int, Claim] = {}
    for claim in claims:
        pair = declared.number(*claim[:2])
        proven[pair] = min(proven.get(pair, claim), claim, key=stitching.rank)
    rules: dict[tuple[Optional[str], ...], tuple[LinkType, Optional[bool]]] = {}
    same = [*graph.numbers.values()]  # one object for each number
    kinds, roles = [each.kind for each in graph.nodes], [each.role for each in graph.nodes]
    for pair in sorted({*declared.by, *proven} if proven else declared.by):
        first, last = divmod(pair, declared.count)
        one, other = same[first], same[last]
        by, found = declared.by.get(pair, 0), proven.get(pair)
        if found is not None and found.same:
            number = graph._add(SAME, one, other, by)
        else:
            names = (kinds[one], kinds[other], roles[one], roles[other])
            if names not in rules:
                rules[names] = _rule(graph.nodes[one], graph.nodes[other])
            link, depends = rules[names]
            if depends is None:
                depends = by != BY_OTHER
                link = exact(
                    link, roles[one if depends else other], roles[other if depends else one]
                )
            number = (
                graph._add(link, one, other, by) if depends else graph._add(link, other, one, by)
            )
        if found is not None:
            graph.evidence[number] = found.evidence


def _rule(one: Node, other: Node) -> tuple[LinkType, Optional[bool]]:
    """The link type, and whether the one depends on the other; None: that is for those who declare it."""
    link = link_type(one.kind, other.kind)
    if one.kind != other.kind:
        depends = one.kind == link.dependent
    elif is_part(one.role, other.role) or is_part(other.role, one.role):
        depends = is_part(one.role, other.role)
    else:
        return link, None
    first, last = (one, other) if depends else (other, one)
    return exact(link, first.role, last.role), depends
