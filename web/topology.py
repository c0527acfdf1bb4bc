"""Questions about the graph: what breaks with what, paths, weak points, and what is down now."""

from typing import Annotated, Any, Optional

from fastapi import APIRouter, Query, Request

from topology import Graph, reading
from topology.answers import (
    clique_row,
    ends_row,
    impact_row,
    last_one_row,
    loss_row,
    now_rows,
    path_rows,
    problem_row,
    single_point_row,
)
from topology.cliques import chosen, clique, load_types
from topology.customers import losses
from topology.errors import UnknownNode
from topology.impact import impact
from topology.links import DEGRADED, DOWN
from topology.paths import path
from topology.weak import last_ones, now, single_points
from web import paging
from web.answers import Answer
from web.parameters import Limit, Needed, Reads, ReadsAt, Seen, Text, check_places
from web.problems import Problem

router = APIRouter(prefix="/topology", tags=["topology"])
SECONDS = 10.0  # for single points of failure
Several = Annotated[list[str], Query(min_length=1, max_length=200)]


def number_of(
    seen: Seen, graph: Graph, text: str, account: Optional[str] = None, type: Optional[str] = None
) -> int:
    """The node with this id or name, or what a search finds. Raises TopologyError, which is 404 or 409."""
    try:
        return graph.find(text, account, type)
    except UnknownNode:
        hits = seen.inventory.search(text, account=account, type=type, limit=10).hits
        keys = {
            (hit.entry.account, hit.entry.type, hit.entry.id)
            for hit in hits
            if hit.by in ("identifier", "address")
        }
        found = [graph.numbers[key] for key in keys if key in graph.numbers]
        if len(found) != 1:
            raise
        return found[0]


def key_row(graph: Graph, number: int) -> dict[str, str]:
    """Which node it is, as other operations name it."""
    node = graph.nodes[number]
    return {"account": node.account, "type": node.type, "id": node.id}


@router.get("/impact", summary="What breaks if something is down")
def impact_of(
    request: Request,
    seen: Reads,
    down: Several,
    account: Text = None,
    type: Text = None,
    degraded: bool = False,
    max_distance: Annotated[Optional[int], Query(ge=1, le=100)] = None,
) -> Answer:
    """The nearest first; ``down`` may be repeated. ``degraded``: they are only weakened."""
    check_places(seen.inventory, {"account": account})
    graph = seen.view().graph
    state = DEGRADED if degraded else DOWN
    focals = {number_of(seen, graph, each, account, type): state for each in down}
    rows = [impact_row(row) for row in impact(graph, focals).rows(max_distance)]
    return paging.answer(
        request,
        rows,
        None,
        focals=[key_row(graph, each) for each in focals],
        down=sum(row["state"] == "down" for row in rows),
        degraded=sum(row["state"] != "down" for row in rows),
    )


@router.get("/customers", summary="What each customer loses in a maintenance")
def customers(
    request: Request,
    seen: Reads,
    down: Several,
    owner: Annotated[str, Query(min_length=1, max_length=200)] = "customer",
    account: Text = None,
    type: Text = None,
) -> Answer:
    """With the sentence to send. ``owner`` is the tag that says whose a resource is."""
    check_places(seen.inventory, {"account": account})
    graph = seen.view().graph
    focals = {number_of(seen, graph, each, account, type): DOWN for each in down}
    owners = reading.owners(seen.inventory, owner, seen.as_of)
    rows = [loss_row(each) for each in losses(impact(graph, focals), owners)]
    return paging.answer(request, rows, None)


@router.get("/path", summary="The shortest path between two resources")
def path_of(
    request: Request,
    seen: Reads,
    start: Annotated[str, Query(alias="from", min_length=1, max_length=1000)],
    end: Annotated[str, Query(alias="to", min_length=1, max_length=1000)],
    account: Text = None,
    type: Text = None,
) -> Answer:
    check_places(seen.inventory, {"account": account})
    graph = seen.view().graph
    ends = [number_of(seen, graph, text, account, type) for text in (start, end)]
    links = path(graph, ends[0], ends[1])
    if links is None:
        raise Problem(404, f"{graph.nodes[ends[0]]} to {graph.nodes[ends[1]]}: no path")
    return paging.answer(request, path_rows(graph, ends[0], links), None)


@router.get("/spof", summary="Single points of failure")
def spof(request: Request, seen: Reads, kind: Text = None, limit: Limit = 100) -> Answer:
    """What takes others down with it, the worst first."""
    found = single_points(seen.view().graph, kind, SECONDS)
    return paging.answer(
        request,
        [single_point_row(each) for each in found.found[:limit]],
        None,
        tried=found.tried,
        candidates=found.candidates,
        found=len(found.found),
    )


@router.get("/redundancy", summary="Where one provider is left of several")
def redundancy(request: Request, seen: ReadsAt, since: Text = None, every: bool = False) -> Answer:
    """Though nothing is down yet. ``since``: count providers too that were there then; ``every``: also groups that
    never had more than one."""
    graph = seen.view().graph
    before = None if since is None else seen.graph(seen.moment("since", since))
    states = reading.states(graph, seen.inventory.statuses(seen.as_of))
    rows = [last_one_row(each) for each in last_ones(graph, states, before, every)]
    return paging.answer(request, rows, None)


@router.get("/now", summary="What is not up")
def now_of(request: Request, seen: ReadsAt) -> Answer:
    """By the newest statuses and what follows from them; the causes first."""
    graph, statuses = seen.view().graph, seen.inventory.statuses(seen.as_of)
    states = reading.states(graph, statuses)
    found = now(graph, states)
    return paging.answer(
        request,
        now_rows(graph, found, statuses),
        None,
        causes=len(found.causes),
        unknown=len(graph.nodes) - len(states),
    )


@router.get("/problems", summary="Connections that lead nowhere, and links that nothing proves")
def problems(request: Request, seen: Reads, problem: Text = None, account: Text = None) -> Answer:
    """``problem``: self, duplicate, dangling, ambiguous or unproven."""
    check_places(seen.inventory, {"account": account})
    graph = seen.view().graph
    rows = [
        problem_row(each, graph)
        for each in graph.problems
        if account in (None, each.source[0]) and problem in (None, each.problem)
    ]
    return paging.answer(request, rows, None)


@router.get("/links", summary="Links between accounts, with their evidence")
def links(request: Request, seen: Reads) -> Answer:
    graph = seen.view().graph
    return paging.answer(request, [ends_row(graph, link) for link in sorted(graph.evidence)], None)


@router.get("/cliques", summary="What belongs to a resource")
def clique_of(seen: ReadsAt, id: Needed, account: Text = None, type: Text = None) -> Answer:
    """What it runs on, its networks, what uses it, and whether all of it is up."""
    check_places(seen.inventory, {"account": account})
    graph = seen.view().graph
    focal = number_of(seen, graph, id, account, type)
    states: Any = reading.states(graph, seen.inventory.statuses(seen.as_of))
    found = clique(graph, focal, chosen(load_types(), graph.nodes[focal]))
    return Answer(clique_row(graph, focal, found, states))
