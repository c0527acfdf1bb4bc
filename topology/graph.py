"""The graph: resources as nodes, and links from what depends to what provides.

Nodes have numbers, in the order of (account, type, id), and links have numbers too: what walks over all of them uses
those. The order in which resources come in makes no difference.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from topology import stitching
from topology.errors import AmbiguousNode, UnknownNode
from topology.links import HOLDING, SAME, LinkType, held, is_part, kind_of, link_type, role_of
from topology.model import Edge, Evidence, Key, Node, Problem, Resource
from topology.stitching import Claim

ANY = "any"  # a bucket of connections whose type nobody knows
BY_ONE, BY_OTHER = 1, 2  # who declares a link: the end with the smaller number, or the other one
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
        self.up: list[list[int]] = [[] for _ in nodes]
        self.down: list[list[int]] = [[] for _ in nodes]
        self.problems: tuple[Problem, ...] = ()

    def add(self, link: LinkType, dependent: int, provider: int, declared: int) -> int:
        number = len(self.link)
        self.link.append(link)
        self.dependent.append(dependent)
        self.provider.append(provider)
        self.declared.append(declared)
        self.up[dependent].append(number)
        self.down[provider].append(number)
        if link is SAME:
            self.up[provider].append(number)
            self.down[dependent].append(number)
        return number

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
    given = sorted(resources, key=lambda each: each[:3])
    graph = Graph([_node(each) for each in given])
    problems: list[Problem] = []
    declared: dict[tuple[int, int], int] = {}
    elsewhere: list[tuple[int, str, str]] = []
    for number, each in enumerate(given):
        for type_name, target in _distinct(each, problems):
            found = graph.numbers.get((each.account, type_name, target))
            if found == number:
                problems.append(Problem("self", each[:3], type_name, target, "it names itself"))
            elif found is None:
                elsewhere.append((number, type_name, target))
            else:
                _declare(declared, number, found)
    claims = [*stitching.same_ids(graph.nodes)]
    claims += _elsewhere(graph, elsewhere, declared, problems)
    claims += stitching.by_facts(graph.nodes, graph.numbers, declared, facts, problems)
    _connect(graph, declared, claims)
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


def _declare(declared: dict[tuple[int, int], int], source: int, target: int) -> None:
    pair, bit = ((source, target), BY_ONE) if source < target else ((target, source), BY_OTHER)
    declared[pair] = declared.get(pair, 0) | bit


def _elsewhere(
    graph: Graph,
    elsewhere: list[tuple[int, str, str]],
    declared: dict[tuple[int, int], int],
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
            _declare(declared, source, found[0])
            if type_name != ANY:
                yield Claim(source, found[0], stitching.of_id(target))


def _connect(graph: Graph, declared: dict[tuple[int, int], int], claims: Iterable[Claim]) -> None:
    """Adds the links in the order of their ends."""
    proven: dict[tuple[int, int], Claim] = {}
    for claim in claims:
        pair = (min(claim[:2]), max(claim[:2]))
        proven[pair] = min(proven.get(pair, claim), claim, key=stitching.rank)
    types: dict[tuple[str, str], LinkType] = {}
    for pair in sorted({*declared, *proven}):
        one, other = (graph.nodes[number] for number in pair)
        found = proven.get(pair)
        by = declared.get(pair, 0)
        if found is not None and found.same:
            link = SAME
        else:
            kinds = (one.kind, other.kind)
            if kinds not in types:
                types[kinds] = link_type(*kinds)
            link = types[kinds]
        dependent, provider = pair
        if link is not SAME and not _depends(link, one, other, by):
            dependent, provider = provider, dependent
        if graph.nodes[provider].role == HOLDING:
            link = held(link)
        number = graph.add(link, dependent, provider, by)
        if found is not None:
            graph.evidence[number] = found.evidence


def _depends(link: LinkType, one: Node, other: Node, by: int) -> bool:
    """Whether the one depends on the other."""
    if one.kind != other.kind:
        return one.kind == link.dependent
    if is_part(one.role, other.role) or is_part(other.role, one.role):
        return is_part(one.role, other.role)
    return by != BY_OTHER
