"""Writes the golden files from the cassettes: ``python -m tools.expected``.

They are what each demo account's replay comes to, with the clock stopped for ``last_seen_at``.
"""

import contextlib
import importlib
import io
import json
from pathlib import Path
from typing import Any

import freezegun

from flexlocal import accounts, cassettes
from flexlocal.__main__ import families
from flexlocal.context import Context

EXPECTED = Path(__file__).resolve().parent.parent / "tests" / "expected"
SEEN_AT = "2026-01-01T00:00:00"


def replayed(family: str, provider: str) -> list[dict[str, Any]]:
    """What the cell's handler returns for its demo account, from the cassette alone."""
    handler = importlib.import_module(f"modules.{family}.main").get
    event = accounts.load()[f"demo-{provider}"].event()
    with cassettes.replay(cassettes.path(family, provider)) as cassette, frozen():
        with contextlib.redirect_stdout(io.StringIO()):
            resources = handler(event, Context(dict(cassettes.CONFIG)))
        unused = len(cassette) - cassette.play_count
    if unused:
        raise AssertionError(f"{unused} exchanges of {family}/{provider}.yaml are not asked for")
    return resources


def frozen() -> Any:
    """The clock that ``last_seen_at`` comes from, stopped; deadlines go on."""
    return freezegun.freeze_time(SEEN_AT, ignore=["threading", "queue", "shared.engine.deadline"])


def text(resources: list[dict[str, Any]]) -> str:
    """A golden file: JSON that a person can read and compare."""
    return json.dumps(resources, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def path(family: str, provider: str) -> Path:
    return EXPECTED / family / f"{provider}.json"


if __name__ == "__main__":
    for each_family, cells in families().items():
        for each_provider in cells:
            file = path(each_family, each_provider)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text(replayed(each_family, each_provider)), encoding="utf-8")
