"""Snapshots and change windows: what differs, and whether it is as designed."""

from typing import Annotated, Any, Optional

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from inventory.answers import deviation_row, missing_row, scope_row, snapshot_row, window_row
from inventory.model import Comparison, Snapshot, When, WindowView
from topology import judging
from web import paging
from web.answers import Answer
from web.callers import Caller, needs, service_of
from web.limited import Limited
from web.parameters import ReadsNow, Seen, Text, check_places, moment, time_of
from web.problems import Problem, of_parameter
from web.tokens import SNAPSHOTS

router = APIRouter(tags=["snapshots"])
Writer = Annotated[Caller, Depends(needs(SNAPSHOTS, writes=True))]
Label = Annotated[str, Field(min_length=1, max_length=200)]


class Take(BaseModel):
    model_config = ConfigDict(extra="forbid")
    label: Optional[Label] = None
    at: Optional[str] = Field(default=None, min_length=1, max_length=200)


class Open(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: Label
    baseline: Optional[Label] = None
    account: Optional[Label] = None
    provider: Optional[Label] = None
    family: Optional[Label] = None
    scope: Optional[Label] = None
    type: Optional[Label] = None


def _unlimited(caller: Caller) -> None:
    """Labels and windows are everybody's, and a snapshot is of all accounts."""
    if caller.accounts is not None:
        raise Problem(403, "snapshots are of all accounts, and this token is limited to some")


@router.get("/snapshots", summary="List snapshots")
def snapshots(request: Request, seen: ReadsNow) -> Answer:
    """In the order of their times."""
    return paging.answer(request, [snapshot_row(each) for each in seen.inventory.snapshots()], None)


@router.post("/snapshots", summary="Take a snapshot", status_code=201)
def take(request: Request, body: Take, caller: Writer) -> Answer:
    """A label on the last polls, now or at a time; without a label, the time is it."""
    _unlimited(caller)
    service = service_of(request)
    at = None
    if body.at is not None and body.at != "now":
        at = time_of(moment(Limited(service.inventory), "at", body.at, service.now()))
    return Answer(snapshot_row(service.inventory.take_snapshot(body.label, at)), 201)


@router.put("/snapshots/{label}/pin", summary="Make a snapshot the baseline")
def pin(request: Request, label: str, caller: Writer) -> Answer:
    _unlimited(caller)
    return Answer(snapshot_row(service_of(request).inventory.pin_snapshot(label)))


@router.delete("/snapshots/{label}", summary="Remove a snapshot")
def remove(request: Request, label: str, caller: Writer) -> Answer:
    """Not the baseline, nor one of a change window."""
    _unlimited(caller)
    return Answer(snapshot_row(service_of(request).inventory.remove_snapshot(label)))


@router.get("/snapshots/compare", summary="Compare two snapshots or times")
def compare(
    request: Request,
    seen: ReadsNow,
    before: Annotated[str, Query(min_length=1, max_length=1000)] = "last",
    after: Annotated[str, Query(min_length=1, max_length=1000)] = "now",
    baseline: Text = None,
    no_baseline: bool = False,
    account: Text = None,
    provider: Text = None,
    family: Text = None,
    scope: Text = None,
    type: Text = None,
    gaps: bool = False,
    slow: bool = False,
) -> Answer:
    """Field by field, the most severe first, each with its value in the baseline and a verdict. ``before`` and
    ``after`` may be ``last`` or ``baseline``; ``gaps``: also what is not as designed, as before."""
    places = {"account": account, "provider": provider, "family": family, "scope": scope}
    check_places(seen.inventory, places)
    times = [_when(seen, "before", before), _when(seen, "after", after)]
    design = None
    if baseline is not None:
        if no_baseline:
            raise of_parameter("baseline", "it and no_baseline exclude each other")
        design = seen.inventory.snapshot(baseline)
    elif not no_baseline:
        pinned = seen.inventory.baseline()
        design = None if pinned in times else pinned
    found = seen.inventory.compare(times[0], times[1], design, type=type, fast=not slow, **places)
    found = judging.judged(seen.inventory, found)
    rows = [deviation_row(each) for each in found.deviations if gaps or each.differs]
    return paging.answer(request, rows, None, **_sides(found))


def _when(seen: Seen, name: str, text: str) -> When:
    if text == "last":
        known = seen.inventory.snapshots()
        if not known:
            raise of_parameter(name, "there is no snapshot yet: POST /api/v1/snapshots takes one")
        return known[-1]
    if text == "baseline":
        found = seen.inventory.baseline()
        if found is None:
            raise of_parameter(name, "no snapshot is pinned as the baseline")
        return found
    return seen.moment(name, text)


def _sides(found: Comparison) -> dict[str, Any]:
    design = found.design
    label = design.when.label if design and isinstance(design.when, Snapshot) else None
    return {
        "baseline": label,
        "standing": sum(not each.differs for each in found.deviations),
        "complete": found.complete,
        "incomplete": [
            {"at": name, **scope_row(each)}
            for name, side in (("before", found.before), ("after", found.after), ("design", design))
            if side is not None
            for each in side.coverage.failed
        ],
        "inexact": len(found.inexact),
    }


# --- change windows ---


@router.get("/windows", summary="List change windows")
def windows(request: Request, seen: ReadsNow) -> Answer:
    return paging.answer(request, [window_row(each) for each in seen.inventory.windows()], None)


@router.post("/windows", summary="Open a change window", status_code=201)
def open_window(request: Request, body: Open, caller: Writer) -> Answer:
    """Takes the snapshot before the change."""
    _unlimited(caller)
    inventory = service_of(request).inventory
    concerns = {
        name: value
        for name, value in body.model_dump(exclude={"name", "baseline"}).items()
        if value is not None
    }
    check_places(Limited(inventory), concerns)
    return Answer(window_row(inventory.open_window(body.name, body.baseline, concerns)), 201)


@router.get("/windows/{name}", summary="Show a change window")
def window(seen: ReadsNow, name: str, gaps: bool = False) -> Answer:
    """What differs from before, now or at its end, with the design and the explanations."""
    return Answer(_window(judging.window(seen.inventory, name), gaps))


@router.post("/windows/{name}/close", summary="Close a change window")
def close(request: Request, name: str, caller: Writer) -> Answer:
    """Takes the snapshot after it; 409 with what is in the way if not all is as before, as designed or explained."""
    _unlimited(caller)
    inventory = service_of(request).inventory
    only = judging.concerned(inventory, inventory.window(name))
    found = inventory.close_window(name, only)
    if found.window.closed_at is None:
        left = len(found.unexplained) + len(found.unexplained_scopes)
        raise Problem(
            409,
            f"{left} neither as before, nor as designed, nor explained: flexlocal snapshot window explain",
            items=_window(found, gaps=False)["items"],
        )
    return Answer(_window(found, gaps=False))


def _window(found: WindowView, gaps: bool) -> dict[str, Any]:
    rows = [deviation_row(each) for each in found.comparison.deviations if gaps or each.differs]
    rows += [missing_row(each) for each in found.missing]
    return {
        **window_row(found.window),
        "may_close": found.may_close,
        "unexplained": len(found.unexplained) + len(found.unexplained_scopes),
        "items": rows,
        **_sides(found.comparison),
    }
