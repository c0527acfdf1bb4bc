"""Resources: lists, one with what it is connected to, its history and points, and searches."""

import datetime
import ipaddress
from collections.abc import Iterator
from typing import Annotated, Any, Callable, Optional, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from inventory.answers import (
    difference_rows,
    entry_row,
    event_rows,
    hit_rows,
    resource_row,
    scope_row,
    written_or_none,
)
from inventory.errors import AmbiguousResource, UnknownResource
from inventory.model import Coverage, Entry, microseconds, moment
from web import consoles, paging
from web.answers import Answer, lines
from web.parameters import Filters, Limit, Needed, Reads, ReadsAt, Seen, Text, check_places, time_of
from web.problems import Problem, of_parameter

router = APIRouter(tags=["resources"])
CANDIDATES = 20
EXPORT = 500  # resources of one read
T = TypeVar("T")


@router.get("/resources", summary="List resources")
def resources(
    request: Request,
    seen: Reads,
    wanted: Filters,
    limit: Limit = 100,
    cursor: Text = None,
    count: bool = False,
) -> Answer:
    """In the order in which they were first seen."""
    check_places(seen.inventory, wanted)
    after, run, at = (0, None, 0) if cursor is None else paging.read(request, cursor)
    when, run = paging.resting_on(seen, run)
    if at:
        when = moment(at)
    elif isinstance(when, datetime.datetime):
        at = microseconds(when)
    found = seen.inventory.list(as_of=when, after=after, limit=limit + 1, **wanted)
    more = found[limit - 1].key if len(found) > limit else None
    total = seen.inventory.count(as_of=when, **wanted) if count else None
    following = None if more is None else paging.written(request, more, run, at)
    return paging.answer(request, [entry_row(each) for each in found[:limit]], following, total)


@router.get(
    "/resources.ndjson",
    summary="Export resources with their documents",
    response_class=StreamingResponse,
)
def export(seen: Reads, wanted: Filters) -> StreamingResponse:
    """One line for each, as ``flexlocal inventory export`` writes them."""
    check_places(seen.inventory, wanted)
    when, run = paging.resting_on(seen)

    def pages() -> Iterator[Any]:
        after = 0
        while True:
            now = when if when is not None else paging.resting_on(seen, run)[0]
            page = seen.inventory.resources(as_of=now, after=after, limit=EXPORT, **wanted)
            yield map(resource_row, page)
            if len(page) < EXPORT:
                return
            after = page[-1].entry.key

    return lines(pages())


@router.get("/resource", summary="Show a resource")
def resource(seen: Reads, id: Needed, account: Text = None, type: Text = None) -> Answer:
    """By its id, or by whatever finds it alone; with its document and its connections."""
    found = about(seen, id, account, type, lambda **of: seen.inventory.show(as_of=seen.as_of, **of))
    if found is None:
        raise Problem(404, f"{id!r} had not come yet at that time")
    to, by = seen.inventory.neighbours(found.entry.key, seen.as_of)
    return Answer(
        {
            **resource_row(found),
            "console_url": consoles.url(found.entry, found.document),
            "connections": [_neighbour(each) for each in to],
            "connected_from": [_neighbour(each) for each in by],
        }
    )


def _neighbour(each: Any) -> dict[str, Any]:
    return {
        "account": each.account,
        "type": each.type,
        "id": each.id,
        "name": each.name,
        "known": each.name is not None,
    }


@router.get("/resource/history", summary="What happened to a resource")
def history(
    request: Request,
    seen: Reads,
    id: Needed,
    account: Text = None,
    type: Text = None,
    fast: bool = False,
) -> Answer:
    """The oldest first; ``fast``: also changes of nothing but states and counters."""
    found = about(
        seen,
        id,
        account,
        type,
        lambda **of: seen.inventory.history(fast=fast, as_of=seen.as_of, **of),
    )
    rows = [row for event in found.events for row in event_rows(event)]
    since = written_or_none(found.every_version_since)
    return paging.answer(
        request, rows, None, resource=entry_row(found.entry), every_version_since=since
    )


def _points(kind: str, handler: str) -> Callable[..., Answer]:
    def points(
        request: Request,
        seen: ReadsAt,
        id: Needed,
        account: Text = None,
        type: Text = None,
        since: Text = None,
        until: Text = None,
    ) -> Answer:
        entry = about(seen, id, account, type, lambda **of: seen.inventory.show(as_of=None, **of))
        assert entry is not None  # noqa: S101 - of now, whatever is known is there
        last = _time(seen, "until", until) or (time_of(seen.as_of) if seen.as_of else None)
        rows = seen.inventory.points(
            handler,
            entry.entry.id,
            account=entry.entry.account,
            type=entry.entry.type,
            since=_time(seen, "since", since or "1d"),
            until=last,
        )
        return paging.answer(request, rows, None, resource=entry_row(entry.entry))

    points.__doc__ = "In the order of their times; since a day ago, unless since says another time."
    points.__name__ = kind
    return points


for _kind, _handler in (("status", "get_status"), ("metrics", "get_metrics"), ("logs", "get_logs")):
    router.get(f"/resource/{_kind}", summary=f"The {_kind} of a resource")(_points(_kind, _handler))


def _time(seen: Seen, name: str, text: Optional[str]) -> Optional[datetime.datetime]:
    return None if text is None else time_of(seen.moment(name, text))


def about(
    seen: Seen, id: str, account: Optional[str], type: Optional[str], question: Callable[..., T]
) -> T:
    """The answer about the resource with this id, or else about the only one that a search for the text finds.

    Raises Problem: 404 if there is none, 409 with candidates if there are several.
    """
    check_places(seen.inventory, {"account": account})
    try:
        return question(id=id, account=account, type=type)
    except (UnknownResource, AmbiguousResource):
        found = seen.inventory.search(
            id, account=account, type=type, as_of=seen.as_of, limit=CANDIDATES
        )
    entries = {hit.entry.key: hit.entry for hit in found.hits if hit.by != "network"}
    if len(entries) == 1:
        entry = next(iter(entries.values()))
        return question(id=entry.id, account=entry.account, type=entry.type)
    if entries:
        raise Problem(
            409,
            f"{id!r} is not one resource: name its account, type and id",
            candidates=[_named(each) for each in entries.values()],
        )
    raise Problem(404, f"{id!r}: {found.coverage.absence()}")


def _named(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in ("account", "type", "id", "name")}


@router.get("/search", summary="Search resources")
def search(
    request: Request,
    seen: Reads,
    q: Needed,
    account: Text = None,
    provider: Text = None,
    family: Text = None,
    scope: Text = None,
    type: Text = None,
    by: Text = None,
    limit: Limit = 100,
) -> Answer:
    """By an id, an address, a network, a MAC address, an ARN, ``key=value`` of a tag, or a part of a name.

    ``exact``: the one resource that q is the id, the address, the MAC address or the ARN of. ``nowhere``: nothing has
    it, which all sources prove.
    """
    places = {"account": account, "provider": provider, "family": family, "scope": scope}
    check_places(seen.inventory, places)
    found = seen.inventory.search(q, by=by, type=type, as_of=seen.as_of, limit=limit, **places)
    own = {
        hit.entry.key: hit.entry for hit in found.hits if hit.by in ("id", "identifier", "address")
    }
    exact = _named(next(iter(own.values()))) if len(own) == 1 and _is_one(q) else None
    return paging.answer(
        request,
        hit_rows(found.hits),
        None,
        more=found.more,
        exact=exact,
        scanned=found.scanned,
        **_proof(found.coverage, not found.hits),
    )


def _is_one(text: str) -> bool:
    """Not a network with several addresses."""
    try:
        return ipaddress.ip_network(text.strip(), strict=False).num_addresses == 1
    except ValueError:
        return True


def _proof(coverage: Coverage, nothing: bool) -> dict[str, Any]:
    failed = [
        {**scope_row(each), "reason": each.error or "it was never polled completely"}
        for each in coverage.failed
    ]
    return {
        "nowhere": nothing and coverage.complete,
        "proof": coverage.absence() if nothing else None,
        "sources_complete": len(coverage.scopes) - len(failed),
        "sources_incomplete": failed,
    }


@router.get("/diff", summary="What differs between two times")
def diff(
    request: Request,
    seen: Reads,
    before: Annotated[str, Query(alias="from", min_length=1, max_length=1000)],
    after: Annotated[str, Query(alias="to", min_length=1, max_length=1000)] = "now",
    account: Text = None,
    provider: Text = None,
    family: Text = None,
    scope: Text = None,
    type: Text = None,
    slow: bool = False,
) -> Answer:
    """The most severe first; ``slow``: without changes of states and counters alone."""
    if seen.as_of is not None:
        raise of_parameter("as_of", "from and to say the times of a diff")
    places = {"account": account, "provider": provider, "family": family, "scope": scope}
    check_places(seen.inventory, places)
    times = [seen.moment("from", before), seen.moment("to", after)]
    found = seen.inventory.diff(times[0], times[1], type=type, fast=not slow, **places)
    rows = [row for each in found.differences for row in difference_rows(each)]
    return paging.answer(
        request,
        rows,
        None,
        complete=found.before.complete and found.after.complete,
        incomplete=[
            {"at": side, **scope_row(each)}
            for side, coverage in (("from", found.before), ("to", found.after))
            for each in coverage.failed
        ],
        every_version_since=written_or_none(found.every_version_since),
    )
