"""The topology as it is drawn: groups that expand, and one resource with what is around it."""

from collections.abc import Mapping
from typing import Annotated, Optional

from fastapi import APIRouter, Query, Request

from topology.links import DOWN
from web.answers import Answer
from web.focus import DEEPEST, focus
from web.graphs import View
from web.groups import picture
from web.parameters import Needed, ReadsAt, Seen, Text, check_places
from web.topology import key_row, number_of

router = APIRouter(prefix="/topology", tags=["topology"])
Keys = Annotated[list[str], Query(max_length=500, description="Keys of groups; may be repeated.")]
Down = Annotated[list[str], Query(max_length=200, description="What is down; may be repeated.")]


def _focals(seen: Seen, view: View, down: list[str]) -> dict[int, int]:
    return {number_of(seen, view.graph, each): DOWN for each in down}


@router.get("/groups", summary="The topology in groups")
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
    return Answer({**found.row(), "focals": [key_row(view.graph, each) for each in focals]})


def _is_of(view: View, number: int, account: Optional[str], provider: Optional[str]) -> bool:
    """Whether an outermost group, an account's, is one of these: as the first resource in it is."""
    inside = view.tree.items[number : view.tree.items[number].end]
    node = view.graph.nodes[next(each.node for each in inside if each.node is not None)]
    return account in (None, node.account) and provider in (None, node.provider)


@router.get("/focus", summary="A resource and what is around it")
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
    number = number_of(seen, view.graph, id, account, type)
    states: Optional[Mapping[int, int]] = None
    if down:
        states = view.impact(_focals(seen, view, down))[0].states
    found = focus(
        view.graph,
        number,
        depth,
        view.states,
        impact=states,
        changes=view.changes,
        words=view.words,
    )
    return Answer({**found.row(), "focal": key_row(view.graph, number)})
