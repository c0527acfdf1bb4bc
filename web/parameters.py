"""What operations have in common: their parameters, what they may read, and when an answer is still the same."""

import contextlib
import dataclasses
import datetime
import hashlib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Optional

from fastapi import Depends, Query, Request

from inventory.errors import InvalidQuestion
from inventory.model import AfterRun, Snapshot, When, microseconds, written
from inventory.moments import parsed
from topology import Graph
from web.callers import Caller, reads, service_of
from web.graphs import View
from web.limited import Limited
from web.problems import Problem, of_parameter
from web.service import Service

LONGEST = 1000  # characters of a parameter
Text = Annotated[Optional[str], Query(min_length=1, max_length=LONGEST)]
Needed = Annotated[str, Query(min_length=1, max_length=LONGEST)]
AsOf = Annotated[
    Optional[str],
    Query(
        min_length=1,
        max_length=LONGEST,
        description="A time (2h, 2026-11-22, 2026-11-22T10:15 UTC), or the label of a snapshot or a pin.",
    ),
]
Limit = Annotated[int, Query(ge=1, le=1000, description="Rows of one answer.")]
# parameters that are times, such as 2h: what they stand for changes
MOMENTS = ("as_of", "from", "to", "before", "after", "since", "until")


def time_of(when: When) -> datetime.datetime:
    return when if isinstance(when, datetime.datetime) else when.at


class NotModified(Exception):
    """The caller has the answer already."""


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a request may read: an inventory, limited to the caller's accounts, as of now or of an earlier time."""

    inventory: Limited
    as_of: Optional[When]
    caller: Caller
    service: Service

    def moment(self, name: str, text: str) -> When:
        return moment(self.inventory, name, text, self.service.now())

    def view(self, since: Optional[When] = None) -> View:
        """The graph of the request's own time, and what is drawn of it; ``since``: with what is different since then."""
        return self.service.graphs.of(self.inventory).view(self.as_of, since=since)

    def graph(self, as_of: Optional[When]) -> Graph:
        return self.service.graphs.of(self.inventory).view(as_of).graph


def moment(inventory: Limited, name: str, text: str, now: datetime.datetime) -> When:
    """The time that a parameter names. Raises Problem."""
    snapshot = inventory.labelled(text)
    if snapshot is not None:
        return snapshot
    try:
        pins = inventory.pins()
        found = pins[text] if text in pins else parsed(text, now)
        microseconds(found)
        return found
    except (InvalidQuestion, OverflowError, ValueError):
        raise of_parameter(
            name,
            "write a time (2h, 2026-11-22, 2026-11-22T10:15, UTC), or the label of a snapshot or a pin",
        ) from None


def _stamp(inventory: Limited, when: Optional[When]) -> str:
    """The same for times between which nothing was polled."""
    if when is None:
        return ""
    if isinstance(when, Snapshot):
        return f"snapshot {when.key}"
    if isinstance(when, AfterRun):
        return f"run {when.number}"
    return f"last {inventory.last_run(when)} {written(when)[:10]}"


def limited(request: Request, caller: Annotated[Caller, Depends(reads)]) -> Seen:
    """For what has no time, or changes with more than polls."""
    service = service_of(request)
    return Seen(Limited(service.inventory, caller.accounts), None, caller, service)


def seen(request: Request, caller: Annotated[Caller, Depends(reads)], as_of: AsOf = None) -> Seen:
    """For what changes with polls of resources alone. Raises NotModified."""
    found = at(request, caller, as_of)
    stamps = []
    for name, value in request.query_params.multi_items():
        if name in MOMENTS:
            with contextlib.suppress(Problem):  # of a path, from and to are no times
                stamps.append(_stamp(found.inventory, found.moment(name, value)))
    run = found.inventory.last_run()
    question = f"{request.url.path}?{request.url.query}"
    of = repr((sorted(caller.accounts or ()), caller.accounts is None, stamps, question))
    of += found.service.settings.version
    etag = f'"{run}-{hashlib.sha256(of.encode()).hexdigest()[:20]}"'
    request.state.etag = etag
    sent = request.headers.get("if-none-match", "")
    if etag in (each.strip().removeprefix("W/") for each in sent.split(",")):
        raise NotModified
    return found


def at(request: Request, caller: Annotated[Caller, Depends(reads)], as_of: AsOf = None) -> Seen:
    """As ``limited``, at a time: for what also changes with statuses."""
    found = limited(request, caller)
    if as_of is None:
        return found
    return dataclasses.replace(found, as_of=found.moment("as_of", as_of))


Reads = Annotated[Seen, Depends(seen)]
ReadsAt = Annotated[Seen, Depends(at)]
ReadsNow = Annotated[Seen, Depends(limited)]


# --- unknown parameters ---


async def known_parameters(request: Request) -> None:
    """Of every operation: a parameter that it has not, one that is given twice, or a NUL is refused."""
    route = request.scope.get("route")
    there = dict(_parameters(getattr(route, "dependant", None)))
    seen_names: set[str] = set()
    for name, value in request.query_params.multi_items():
        if name not in there:
            known = ", ".join(sorted(there)) or "none"
            raise of_parameter(name[:LONGEST], f"there is no such parameter; there are: {known}")
        if name in seen_names and not there[name]:
            raise of_parameter(name, "give it once")
        if "\0" in value:
            raise of_parameter(name, "it has a NUL character")
        seen_names.add(name)
    for name, value in request.path_params.items():
        if "\0" in str(value):
            raise of_parameter(name, "it has a NUL character")


def _parameters(dependant: Any) -> Iterator[tuple[str, bool]]:
    """The names of an operation's parameters, each with whether it may be repeated."""
    if dependant is None:
        return
    for field in dependant.query_params:
        kind = str(field.field_info.annotation)
        yield field.alias, kind.startswith(("list", "typing.List"))
    for below in dependant.dependencies:
        yield from _parameters(below)


def filters(
    account: Text = None,
    provider: Text = None,
    family: Text = None,
    scope: Text = None,
    type: Text = None,
    state: Text = None,
    name: Text = None,
    tag: Text = None,
) -> dict[str, Optional[str]]:
    """Of lists: ``name`` is a part of it, in any case; ``tag`` is ``key=value``, or a key."""
    return {
        "account": account,
        "provider": provider,
        "family": family,
        "scope": scope,
        "type": type,
        "state": state,
        "name": name,
        "tag": tag,
    }


Filters = Annotated[dict[str, Optional[str]], Depends(filters)]


def check_places(inventory: Limited, wanted: Mapping[str, Optional[str]]) -> None:
    """A mistyped account, family or scope is refused: nothing would be found there, which proves nothing."""
    given = {n: wanted.get(n) for n in ("account", "family", "scope") if wanted.get(n) is not None}
    if not given:
        return
    scopes = inventory.coverage().scopes
    for name, value in given.items():
        there = sorted({getattr(each, name) for each in scopes} - {""})
        if value not in there and scopes:
            raise of_parameter(name, f"there is no {name} {value!r}; there are {', '.join(there)}")
        if value not in there and name == "account" and inventory.accounts_allowed is not None:
            raise Problem(404, f"there is no account {value!r}")
