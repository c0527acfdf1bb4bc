"""Saved views of the page: a name for an address of it, in a file beside the inventory."""

import contextlib
import fcntl
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from inventory.model import written
from web import paging
from web.answers import Answer
from web.callers import Caller, needs, service_of
from web.parameters import ReadsNow
from web.problems import Problem
from web.tokens import VIEWS

router = APIRouter(prefix="/views", tags=["views"])
MOST = 1000
NAME = re.compile(r"[^/\x00-\x1f\x7f]{1,100}")
Row = dict[str, Any]


class Save(BaseModel):
    model_config = ConfigDict(extra="forbid")
    # of this page, whatever it holds: path, query and fragment, and no other host's
    url: str = Field(min_length=1, max_length=8000, pattern=r"^/([^/\\\s][^\\\s]*)?$")


class Views:
    """The file is read at each question, and replaced at once."""

    def __init__(self, file: Path):
        self._file = file

    def all(self) -> dict[str, Row]:
        """Raises Problem."""
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
            return {row["name"]: row for row in content["views"]}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise Problem(503, f"the saved views can't be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError):
            raise Problem(503, "the file of saved views is damaged: move it away") from None

    @contextlib.contextmanager
    def changing(self) -> Iterator[dict[str, Row]]:
        """Raises Problem."""
        try:
            folder = os.open(self._file.parent, os.O_RDONLY)
        except OSError as error:
            raise Problem(503, f"the saved views can't be written: {error.strerror}") from None
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            rows = self.all()
            yield rows
            number, name = tempfile.mkstemp(prefix=".views-", dir=self._file.parent)
            with open(number, "w", encoding="utf-8") as opened:
                json.dump({"version": 1, "views": [*rows.values()]}, opened, indent=1)
                opened.flush()
                os.fsync(number)
            os.replace(name, self._file)
        except OSError as error:
            raise Problem(503, f"the saved views can't be written: {error.strerror}") from None
        finally:
            os.close(folder)


def _seen_by(caller: Caller, row: Row) -> bool:
    """An address may name any account that who saved it could see."""
    if caller.accounts is None:
        return True
    return row["accounts"] is not None and caller.accounts.issuperset(row["accounts"])


def _shown(row: Row) -> Row:
    return {name: row[name] for name in ("name", "url", "saved_at", "by")}


Writer = Annotated[Caller, Depends(needs(VIEWS, writes=True))]


@router.get("", summary="List saved views")
def views(request: Request, seen: ReadsNow) -> Answer:
    rows = seen.service.views.all()
    found = [_shown(rows[name]) for name in sorted(rows) if _seen_by(seen.caller, rows[name])]
    return paging.answer(request, found, None)


@router.get("/{name}", summary="Show a saved view")
def view(seen: ReadsNow, name: str) -> Answer:
    return Answer(_shown(_found(seen.service.views.all(), name, seen.caller)))


@router.put("/{name}", summary="Save a view")
def save(request: Request, name: str, body: Save, caller: Writer) -> Answer:
    """``url`` is the page's path with its query and fragment."""
    if not NAME.fullmatch(name):
        raise Problem(
            400, "a view's name has at most 100 characters, and no / or control character"
        )
    service = service_of(request)
    with service.views.changing() as rows:
        if name in rows:
            _found(rows, name, caller)
        elif len(rows) >= MOST:
            raise Problem(409, f"there are {MOST} views: remove some")
        rows[name] = {
            "name": name,
            "url": body.url,
            "saved_at": written(service.now()),
            "by": caller.label,
            "accounts": None if caller.accounts is None else sorted(caller.accounts),
        }
        return Answer(_shown(rows[name]))


@router.delete("/{name}", summary="Remove a saved view")
def remove(request: Request, name: str, caller: Writer) -> Answer:
    with service_of(request).views.changing() as rows:
        return Answer(_shown(_found(rows, name, caller, remove=True)))


def _found(rows: dict[str, Row], name: str, caller: Caller, remove: bool = False) -> Row:
    row = rows.get(name)
    if row is None or not _seen_by(caller, row):
        raise Problem(404, f"there is no view {name!r}")
    if remove:
        del rows[name]
    return row
