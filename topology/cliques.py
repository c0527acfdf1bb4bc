"""Cliques: what is reached from a focal point by the link types of its kind.

Clique types are data (``cliques.yaml``), which a file of the user's extends: an entry for the same focal kind, account and
provider takes the place of ours. The most exact one counts: of the account, of the provider, of any.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Optional

import yaml

from topology.errors import InvalidCliques, InvalidQuestion
from topology.graph import Graph
from topology.links import HOLDING, KINDS, NAMES, SAME, STATES, TYPES, UP
from topology.model import Node

DEFAULTS = Path(__file__).resolve().parent / "cliques.yaml"
NETWORK = "network"
CONSTRAINTS = (NETWORK,)
MOST = 2000  # nodes
FIELDS = ("focal", "link_types", "constraints", "max_nodes", "account", "provider", "name")


@dataclasses.dataclass(frozen=True)
class CliqueType:
    """``link_types`` in their order; None for an account or a provider: any."""

    name: str
    focal: str
    link_types: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    max_nodes: int = MOST
    account: Optional[str] = None
    provider: Optional[str] = None


@dataclasses.dataclass(frozen=True)
class Clique:
    """``nodes`` and ``links`` by their numbers, in the order in which they were reached. ``networks``: the only ones that
    may be in it, where the type is constrained. ``truncated``: there was more than ``max_nodes``."""

    type: CliqueType
    nodes: tuple[int, ...]
    links: tuple[int, ...]
    networks: tuple[int, ...]
    truncated: bool


def load_types(file: Optional[Path] = None) -> list[CliqueType]:
    """Ours, and those of the file. Raises InvalidCliques."""
    found: dict[tuple[Any, ...], CliqueType] = {}
    for each in (DEFAULTS, file):
        if each is not None:
            for type_ in _read(each):
                found[type_.focal, type_.account, type_.provider] = type_
    return [*found.values()]


def _read(file: Path) -> list[CliqueType]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidCliques(f"{file}: {error.strerror}", "name another file") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InvalidCliques(f"{file} is not YAML ({reason})", "correct it") from None
    if not isinstance(content, dict) or content.get("version") != 1:
        raise InvalidCliques(f"{file} has no 'version: 1'", "begin it with that line")
    entries = content.get("cliques")
    if not isinstance(entries, list) or set(content) != {"version", "cliques"}:
        raise InvalidCliques(f"{file} has no list 'cliques', or more than it", "correct it")
    return [_type(f"{file}, clique {number}", each) for number, each in enumerate(entries, 1)]


def _type(where: str, entry: Any) -> CliqueType:
    if not isinstance(entry, dict) or not set(entry) <= set(FIELDS):
        raise InvalidCliques(f"{where} has unknown keys", f"its keys are {', '.join(FIELDS)}")
    focal = entry.get("focal")
    if not isinstance(focal, str) or focal not in KINDS:
        raise InvalidCliques(
            f"{where} names an unknown kind, {focal!r}", f"kinds are {', '.join(sorted(KINDS))}"
        )
    most = entry.get("max_nodes", MOST)
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise InvalidCliques(f"{where} has max_nodes {most!r}", "write a number from 1 on")
    for name in ("account", "provider", "name"):
        if not isinstance(entry.get(name, ""), str):
            raise InvalidCliques(f"{where} has the {name} {entry[name]!r}", "write a text")
    link_types = _texts(where, entry, "link_types")
    for text in link_types:
        if not _is_known(text):
            raise InvalidCliques(
                f"{where} names an unknown link type, {text!r}",
                f"there are {', '.join(sorted(NAMES))}, each either way",
            )
    constraints = _texts(where, entry, "constraints")
    for text in constraints:
        if text not in CONSTRAINTS:
            raise InvalidCliques(f"{where} has the constraint {text!r}", "there is 'network' only")
    return CliqueType(
        entry.get("name", focal),
        focal,
        link_types,
        constraints,
        most,
        entry.get("account"),
        entry.get("provider"),
    )


def _texts(where: str, entry: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = entry.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise InvalidCliques(f"{where} has no list of texts as {name}", "write one")
    return tuple(found)


def _is_known(text: str) -> bool:
    one, _, other = text.partition("-")
    return text == SAME.name or (one, other) in TYPES or (other, one) in TYPES


def chosen(types: list[CliqueType], node: Node) -> CliqueType:
    """The most exact clique type for a node. Raises InvalidQuestion."""
    fitting = [
        each
        for each in types
        if each.focal == node.kind
        and each.account in (None, node.account)
        and each.provider in (None, node.provider)
    ]
    if fitting:
        return max(fitting, key=lambda each: (each.account is not None, each.provider is not None))
    known = ", ".join(sorted({each.focal for each in types}))
    raise InvalidQuestion(
        f"{node} has no clique: there is none for {node.kind}",
        f"write one in a YAML file (--cliques); there are {known}",
    )


def clique(graph: Graph, focal: int, type_: CliqueType) -> Clique:
    networks = _networks(graph, focal) if NETWORK in type_.constraints else None
    nodes, links = {focal: None}, dict[int, None]()
    truncated = False
    for text in type_.link_types:
        near, _, far = text.partition("-")
        for number in [*nodes]:
            node = graph.nodes[number]
            if text != SAME.name and node.kind != near:
                continue
            for link in _sorted_links(graph, number):
                other = graph.other(link, number)
                is_same = graph.link[link] is SAME
                if is_same != (text == SAME.name) or not (
                    is_same or graph.nodes[other].kind == far
                ):
                    continue
                touched = [each for each in (number, other) if graph.nodes[each].kind == NETWORK]
                if networks is not None and touched and networks.isdisjoint(touched):
                    continue
                if other not in nodes and len(nodes) == type_.max_nodes:
                    truncated = True
                    continue
                links[link] = nodes[other] = None
    allowed = tuple(sorted(networks or ()))
    return Clique(type_, tuple(nodes), tuple(links), allowed, truncated)


def _sorted_links(graph: Graph, number: int) -> list[int]:
    """By their other ends."""
    return sorted(graph.links(number), key=lambda link: graph.other(link, number))


def _networks(graph: Graph, focal: int) -> set[int]:
    """The networks that a clique may not leave: the focal's own, and what holds them. Of what has none of its own, such
    as a VCA, those of its servers."""
    if graph.nodes[focal].kind == NETWORK:
        return {focal}
    own = _far_networks(graph, [focal])
    if not own:
        near = [graph.other(link, focal) for link in graph.links(focal)]
        own = _far_networks(graph, [each for each in near if graph.nodes[each].type == "server"])
    holding = {each for each in _far_networks(graph, own) if graph.nodes[each].role == HOLDING}
    return own | holding


def _far_networks(graph: Graph, numbers: Iterable[int]) -> set[int]:
    ends = {graph.other(link, number) for number in numbers for link in graph.links(number)}
    return {each for each in ends if graph.nodes[each].kind == NETWORK}


def health(clique_: Clique, states: Mapping[int, int]) -> dict[str, int]:
    """How many nodes are up, degraded, down, or of unknown state; ``states``: of those that are known."""
    found = dict.fromkeys((*STATES, "unknown"), 0)
    for number in clique_.nodes:
        found[STATES[states[number]] if number in states else "unknown"] += 1
    return found


def is_healthy(clique_: Clique, states: Mapping[int, int]) -> bool:
    """Whether nothing in it is known to be worse than up."""
    return all(states.get(number, UP) == UP for number in clique_.nodes)
