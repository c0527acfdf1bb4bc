"""Accounts, the age of what is known of them, and polls."""

import datetime
from typing import Annotated, Any, Literal, Optional

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from inventory.answers import written_or_none
from inventory.model import Run, ScopeRun, written
from web import paging
from web.answers import Answer
from web.callers import Caller, needs, service_of
from web.parameters import Limit, Reads, ReadsNow, Text, check_places, time_of
from web.problems import Problem
from web.service import MayNotPoll
from web.tokens import POLLS

DAY_S = 86400
router = APIRouter(tags=["polls"])


@router.get("/accounts", summary="List accounts")
def accounts(request: Request, seen: ReadsNow) -> Answer:
    """Those of the inventory, and of the accounts file; never their credentials."""
    found = seen.inventory.accounts()
    rows = {
        name: {
            "account": name,
            "provider": provider,
            "families": sorted(families),
            "resources": sum(families.values()),
        }
        for name, (provider, families) in found.items()
    }
    for each in seen.service.settings.accounts():
        if seen.inventory.may_see(each.name) and each.name not in rows:
            rows[each.name] = {
                "account": each.name,
                "provider": each.provider,
                "families": list(each.families),
                "resources": 0,
            }
    return paging.answer(request, [rows[name] for name in sorted(rows)], None)


@router.get("/scopes", summary="How old the data of each scope is")
def scopes(request: Request, seen: ReadsNow, account: Text = None, family: Text = None) -> Answer:
    """``level``: red if the last poll failed, amber if two intervals have passed since a complete one, else ok.

    ``interval_s`` is that of the schedule of workers, else the usual time between polls; while neither is known, ``level``
    goes by a day.
    """
    check_places(seen.inventory, {"account": account, "family": family})
    now = seen.service.now()
    rows = [
        scope_row(each, now)
        for each in seen.inventory.scope_runs()
        if account in (None, each.account) and family in (None, each.family)
    ]
    return paging.answer(request, rows, None)


def scope_row(each: ScopeRun, now: datetime.datetime) -> dict[str, Any]:
    age = None if each.complete_at is None else (now - each.complete_at).total_seconds()
    interval = None if each.interval is None else each.interval.total_seconds()
    level = "ok"
    if each.error is not None or age is None:
        level = "red"
    elif age > 2 * (DAY_S if interval is None else interval):
        level = "amber"
    return {
        "account": each.account,
        "provider": each.provider,
        "family": each.family,
        "scope": each.scope,
        "last_complete_at": written_or_none(each.complete_at),
        "last_run_at": written(each.last_at),
        "outcome": "complete" if each.error is None else "failed",
        "error": each.error,
        "interval_s": None if interval is None else round(interval),
        "age_s": None if age is None else round(age),
        "level": level,
    }


def run_row(run: Run) -> dict[str, Any]:
    return {
        "run": run.number,
        "account": run.account,
        "provider": run.provider,
        "family": run.family,
        "outcome": run.outcome,
        "started_at": written(run.started_at),
        "ended_at": written(run.ended_at),
        "seconds": (run.ended_at - run.started_at).total_seconds(),
        "resources": run.resources,
        "added": run.added,
        "changed": run.changed,
        "gone": run.gone,
        "error": run.error,
    }


@router.get("/polls", summary="List polls")
def polls(
    request: Request,
    seen: Reads,
    account: Text = None,
    family: Text = None,
    outcome: Optional[Literal["complete", "partial", "failed"]] = None,
    limit: Limit = 100,
    cursor: Text = None,
) -> Answer:
    """Those of resources, the newest first."""
    check_places(seen.inventory, {"account": account, "family": family})
    before = None if cursor is None else paging.read(request, cursor)[0]
    if seen.as_of is not None:
        last = seen.inventory.last_run(time_of(seen.as_of)) + 1
        before = last if before is None else min(before, last)
    found = seen.inventory.runs(
        account=account, family=family, outcome=outcome, before=before, limit=limit + 1
    )
    following = None
    if len(found) > limit:
        last = found[limit - 1].number
        following = paging.written(request, last, last)
    return paging.answer(request, [run_row(each) for each in found[:limit]], following)


class Start(BaseModel):
    model_config = ConfigDict(extra="forbid")
    account: str = Field(min_length=1, max_length=200)
    family: Optional[str] = Field(default=None, min_length=1, max_length=200)


@router.post("/polls", summary="Start a poll", status_code=202)
def start(
    request: Request, body: Start, caller: Annotated[Caller, Depends(needs(POLLS, writes=True))]
) -> Answer:
    """Of an account of the accounts file, or of one of its families; GET /polls has it when it has ended."""
    service = service_of(request)
    if service.settings.start_poll is None:
        raise Problem(409, "this server was started without accounts")
    known = {
        each.name
        for each in service.settings.accounts()
        if caller.accounts is None or each.name in caller.accounts
    }
    if body.account not in known:
        names = ", ".join(sorted(known)) or "none"
        raise Problem(404, f"there is no account {body.account!r}; there are: {names}")
    try:
        families = service.settings.start_poll(body.account, body.family)
    except MayNotPoll as error:
        raise Problem(409, str(error)) from None
    where = request.url_for("polls").include_query_params(account=body.account)
    return Answer(
        {"account": body.account, "families": families},
        202,
        {"Location": f"{where.path}?{where.query}"},
    )
