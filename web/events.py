"""Server-sent events: a message for each poll that is stored. What a lost connection missed is sent when it is back."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Optional

import anyio.to_thread
from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse

from inventory.model import written
from web.parameters import ReadsNow, Seen
from web.problems import as_json, of_parameter

router = APIRouter(tags=["polls"])
EVERY_S = 1.0  # from one look at the inventory to the next
HEARTBEAT_S = 15.0
AT_ONCE = 500  # events of one look
RETRY_MS = 2000


@router.get("/events", summary="Polls as they are stored", response_class=StreamingResponse)
async def events(
    request: Request,
    seen: ReadsNow,
    last_event_id: Annotated[Optional[str], Header(max_length=20)] = None,
) -> StreamingResponse:
    """``text/event-stream``: events ``run``, whose id is the number of the poll. With Last-Event-ID, the polls after
    that one come first."""
    newest = await anyio.to_thread.run_sync(seen.inventory.last_run)
    after = newest
    if last_event_id:
        if not last_event_id.isascii() or not last_event_id.isdigit():
            raise of_parameter("Last-Event-ID", "it is the number of a poll")
        after = min(newest, int(last_event_id))
    return StreamingResponse(
        _stream(seen, after), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


async def _stream(seen: Seen, after: int) -> AsyncIterator[bytes]:
    yield f"retry: {RETRY_MS}\nid: {after}\n\n".encode()
    wrote = time.monotonic()
    while not seen.service.stopping.is_set():
        if not await anyio.to_thread.run_sync(_may_read, seen):
            return
        runs = await anyio.to_thread.run_sync(seen.inventory.runs_after, after, AT_ONCE)
        for run in runs:
            data = {
                "run": run.number,
                "account": run.account,
                "provider": run.provider,
                "family": run.family,
                "outcome": run.outcome,
                "added": run.added,
                "changed": run.changed,
                "gone": run.gone,
                "at": written(run.ended_at),
            }
            yield b"id: %d\nevent: run\ndata: %s\n\n" % (run.number, as_json(data))
            after, wrote = run.number, time.monotonic()
        if len(runs) == AT_ONCE:
            continue
        if time.monotonic() - wrote >= HEARTBEAT_S:
            yield b": nothing new\n\n"
            wrote = time.monotonic()
        await asyncio.sleep(EVERY_S)


def _may_read(seen: Seen) -> bool:
    """A stream ends with its token."""
    token = seen.caller.token
    if token is None:
        return True
    known = {each.hash for each in seen.service.tokens.all()}
    return token.hash in known and not token.expired(seen.service.now())
