"""The topology as it is drawn: groups that expand, and one resource with what is around it."""

from collections.abc import Iterable
from typing import Annotated, Optional

from fastapi import APIRouter, Query, Request

from topology.links import DOWN
from web.answers import Answer
from web.focus import DEEPEST, focus
from web.graphs import View
from web.groups import Row, picture, resource_row, short
from web.map import world
from web.parameters import Needed, ReadsAt, Seen, Text, check_places
from web.topology import number_of

router = APIRouter(tags=["topology"])
Keys = Annotated[list[str], Query(max_length=1000, description="Keys of groups; may be repeated.")]
Down = Annotated[list[str], Query(max_length=200, description="What is down; may be repeated.")]


def _number(
    seen: Seen, view: View, text: str, account: Optional[str] = None, type: Optional[str] = None
) -> int:
    """The node with this key, as answers have it, or with this id or name."""
    item = view.tree.by_key.get(text)
    node = None if item is None else view.tree.items[item].node
    return number_of(seen, view.graph, text, account, type) if node is None else node


def _focals(seen: Seen, view: View, down: list[str]) -> dict[int, int]:
    return {_number(seen, view, text): DOWN for text in down}


def _rows(view: View, numbers: Iterable[int]) -> list[Row]:
    return [
        {
            "key": view.tree.items[view.tree.of_node[number]].key,
            "name": short(view.graph.nodes[number].name),
            **resource_row(view.graph, number),
        }
        for number in numbers
    ]


@router.get("/topology/groups", summary="The topology in groups")
def groups(
    request: Request,
    seen: ReadsAt,
    expand: Keys = [],  # noqa: B006 - FastAPI copies it
    down: Down = [],  # noqa: B006
    since: Text = None,
    account: Text = None,
    provider: Text = None,
) -> Answer:
    """Accounts, providers, regions and networks, of which those in ``expand`` are open. ``down``: with what breaks then;
    ``since``: with what is different since that time."""
    check_places(seen.inventory, {"account": account})
    view = seen.view(None if since is None else seen.moment("since", since))
    focals = _focals(seen, view, down)
    marks = view.impact(focals)[1] if focals else None
    only = None
    if account is not None or provider is not None:
        only = [number for number in view.tree.top if _is_of(view, number, account, provider)]
    found = picture(view.tree, view.marks, expand, impact=marks, changes=view.changes, only=only)
    return Answer({**found.row(), "down": _rows(view, focals)})


def _is_of(view: View, number: int, account: Optional[str], provider: Optional[str]) -> bool:
    """Whether an outermost group, an account's, is one of these: as the first resource in it is."""
    inside = view.tree.items[number : view.tree.items[number].end]
    node = view.graph.nodes[next(each.node for each in inside if each.node is not None)]
    return account in (None, node.account) and provider in (None, node.provider)


@router.get("/topology/focus", summary="A resource and what is around it")
def focus_on(
    seen: ReadsAt,
    id: Needed,
    account: Text = None,
    type: Text = None,
    depth: Annotated[int, Query(ge=1, le=DEEPEST)] = 1,
    down: Down = [],  # noqa: B006
    since: Text = None,
) -> Answer:
    """What it depends on to the right, what depends on it to the left."""
    check_places(seen.inventory, {"account": account})
    view = seen.view(None if since is None else seen.moment("since", since))
    number = _number(seen, view, id, account, type)
    focals = _focals(seen, view, down)
    found = focus(
        view.graph,
        number,
        depth,
        view.states,
        impact=view.impact(focals)[0].states if focals else None,
        changes=view.changes,
        words=view.words,
    )
    (focal,) = _rows(view, [number])
    return Answer({**found.row(), "focus": focal, "down": _rows(view, focals)})


@router.get("/topology/where", summary="The groups that a resource is in")
def where(seen: ReadsAt, id: Needed, account: Text = None, type: Text = None) -> Answer:
    """Their keys, the outermost first: a picture in which all of them are expanded shows it."""
    check_places(seen.inventory, {"account": account})
    view = seen.view()
    number = _number(seen, view, id, account, type)
    above = [view.tree.items[each].key for each in view.tree.above(view.tree.of_node[number])]
    return Answer({**_rows(view, [number])[0], "expand": above[::-1]})


@router.get("/map", summary="Where things are, and the lines between them")
def map_of(seen: ReadsAt) -> Answer:
    """Where documents say, or where web/regions.yaml has the region; what has no place is listed with the reason."""
    graphs = seen.service.graphs.of(seen.inventory)
    return Answer(graphs.map(seen.as_of, lambda: world(seen.inventory, seen.view(), seen.as_of)))
