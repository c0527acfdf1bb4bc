"""What the server is, and whether it works."""

from fastapi import APIRouter, Request

from inventory.model import written
from web.answers import Answer
from web.callers import service_of
from web.parameters import ReadsNow
from web.sessions import token_row

router = APIRouter(tags=["about"])
open_router = APIRouter(tags=["about"])


@router.get("/info", summary="What the server is")
def info(seen: ReadsNow) -> Answer:
    service = seen.service
    return Answer(
        {
            "version": service.settings.version,
            "inventory": seen.inventory.address,
            "demo": service.settings.demo,
            "writes": service.writes,
            "polls": service.settings.start_poll is not None,
            "token": None if seen.caller.token is None else token_row(seen.caller),
            "now": written(service.now()),
        }
    )


@open_router.get("/healthz", summary="Whether the server answers")
async def healthz() -> Answer:
    return Answer({"status": "ok"})


@open_router.get("/readyz", summary="Whether the inventory can be read")
def readyz(request: Request) -> Answer:
    """503 if not."""
    service_of(request).inventory.last_run()
    return Answer({"status": "ready"})
