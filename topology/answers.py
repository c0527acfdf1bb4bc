"""Answers as rows for JSON: what ``flexlocal topology --format json`` and the REST service both give."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from inventory.model import Status
from topology.cliques import Clique, health
from topology.customers import Loss
from topology.graph import Graph
from topology.impact import Row as ImpactRow
from topology.links import STATES
from topology.model import Evidence, Node, Problem
from topology.weak import LastOne, Now, SinglePoint

Row = dict[str, Any]


def node_row(node: Node) -> Row:
    return {
        "account": node.account,
        "provider": node.provider,
        "type": node.type,
        "id": node.id,
        "kind": node.kind,
        "name": node.name,
    }


def link_row(graph: Graph, link: int) -> Row:
    found: Optional[Evidence] = graph.evidence.get(link)
    return {
        "link_type": graph.link[link].name,
        "evidence": None if found is None else found._asdict(),
    }


def ends_row(graph: Graph, link: int) -> Row:
    """A link with what it is between."""
    return {
        "dependent": node_row(graph.nodes[graph.dependent[link]]),
        "provider": node_row(graph.nodes[graph.provider[link]]),
        **link_row(graph, link),
    }


def impact_row(row: ImpactRow) -> Row:
    return {
        **node_row(row.node),
        "state": STATES[row.state],
        "distance": row.distance,
        "via": row.via.name if row.via else None,
        "via_id": row.via.id if row.via else None,
        "link_type": row.link_type,
        "reason": row.reason,
        "left": row.left,
    }


def loss_row(each: Loss) -> Row:
    return {
        "owner": each.owner,
        "down": [node_row(node) for node in each.down],
        "degraded": [node_row(node) for node in each.degraded],
        "sentence": each.sentence,
    }


def path_rows(graph: Graph, start: int, links: Sequence[int]) -> list[Row]:
    """The nodes in order, each with the link that leads to it."""
    rows = [{"step": 0, **node_row(graph.nodes[start])}]
    number = start
    for step, link in enumerate(links, 1):
        number = graph.other(link, number)
        rows.append({"step": step, **node_row(graph.nodes[number]), **link_row(graph, link)})
    return rows


def clique_row(graph: Graph, focal: int, found: Clique, states: Mapping[int, int]) -> Row:
    """``nodes`` with their states, and the links between them."""
    return {
        "focal": node_row(graph.nodes[focal]),
        "clique_type": found.type.name,
        "networks": [node_row(graph.nodes[number]) for number in found.networks],
        "nodes": [
            {**node_row(graph.nodes[number]), "state": _state_of(states, number)}
            for number in found.nodes
        ],
        "links": [ends_row(graph, link) for link in found.links],
        "health": health(found, states),
        "truncated": found.truncated,
    }


def single_point_row(each: SinglePoint) -> Row:
    return {**node_row(each.node), "down": each.down, "degraded": each.degraded}


def last_one_row(each: LastOne) -> Row:
    return {
        **node_row(each.dependent),
        "link_type": each.link_type,
        "left": each.left.name,
        "left_id": each.left.id,
        "lost": [node.name for node in each.lost],
    }


def now_rows(graph: Graph, found: Now, statuses: Iterable[Status]) -> list[Row]:
    """What is not up: the causes first."""
    messages = {each[:3]: each for each in statuses}
    reasons = {row.node.key: row for row in found.explained.rows()}
    rows = []
    for number in [*found.causes, *sorted(found.states.keys() - set(found.causes))]:
        node = graph.nodes[number]
        status, row = messages.get(node.key), reasons.get(node.key)
        rows.append(
            {
                **node_row(node),
                "state": STATES[found.states[number]],
                "cause": number in found.causes,
                "reason": row.reason if row is not None else "",
                "status": status.message if status is not None else "",
                "since": status.time.isoformat().replace("+00:00", "Z")
                if status is not None
                else None,
            }
        )
    return rows


def problem_row(each: Problem, graph: Graph) -> Row:
    return {
        "problem": each.problem,
        **node_row(graph.nodes[graph.numbers[each.source]]),
        "names_type": each.type,
        "names_id": each.id,
        "reason": each.reason,
        "candidates": [dict(zip(("account", "type", "id"), key)) for key in each.candidates],
    }


def _state_of(states: Mapping[int, int], number: int) -> str:
    return STATES[states[number]] if number in states else "unknown"
