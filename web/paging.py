"""Pages of lists: each names the next one by a cursor, which holds where it begins and what all pages rest on."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Optional

from fastapi import Request

from inventory.model import AfterRun, When
from web.answers import Answer
from web.parameters import Seen
from web.problems import of_parameter

MOST = 2**53


def question(request: Request) -> str:
    """What all pages of a list have in common: its parameters, but for where a page begins and how long it is."""
    kept = sorted(
        item
        for item in request.query_params.multi_items()
        if item[0] not in ("cursor", "limit", "count")
    )
    text = json.dumps([request.url.path, kept])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def written(request: Request, after: int, run: int, at: int = 0) -> str:
    """``after``: the last row's sort key; ``run``: the poll after which all pages are; ``at``: microseconds of a time."""
    text = json.dumps([1, question(request), after, run, at], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read(request: Request, cursor: str) -> tuple[int, int, int]:
    """Raises Problem for what is no cursor of this list."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), "-_", validate=True)
        version, of, after, run, at = json.loads(text)
        numbers = (after, run, at)
        if version != 1 or not all(type(each) is int and 0 <= each < MOST for each in numbers):
            raise ValueError
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise of_parameter("cursor", "pass the next of a page as it is") from None
    if of != question(request):
        raise of_parameter(
            "cursor", "it is of another list: keep the other parameters as they were"
        )
    return after, run, at


def answer(
    request: Request, items: Any, cursor: Optional[str], total: Optional[int] = None, **more: Any
) -> Answer:
    """A page; its header Link names the next one."""
    body: dict[str, Any] = {"items": items, "next": cursor, **more}
    if total is not None:
        body["total"] = total
    headers: Mapping[str, str] = {}
    if cursor is not None:
        url = request.url.include_query_params(cursor=cursor)
        headers = {"Link": f'<{url.path}?{url.query}>; rel="next"'}
    return Answer(body, headers=headers)


def resting_on(seen: Seen, run: Optional[int] = None) -> tuple[Optional[When], int]:
    """What a page reads, and the poll after which all pages are: ``run``, or the last one. Now is cheaper to read than an
    earlier time, and the same as long as nothing was polled since."""
    last = seen.inventory.runs(limit=1)
    newest = last[0].number if last else 0
    if seen.as_of is not None or run is None or run >= newest:
        return seen.as_of, newest if run is None else run
    then = seen.inventory.runs(before=run + 1, limit=1)
    if not then:
        raise of_parameter("cursor", "what it rests on is no longer kept: begin anew")
    return AfterRun(run, then[0].ended_at), run
