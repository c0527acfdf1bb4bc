"""The demo accounts in an inventory at both recorded moments, as `make demo` polls them, but read from the golden files
(tests/test_grid.py compares those with the replays): a second instead of ten."""

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inventory import Inventory
from tests.inventories import ROOT

GOLDEN = ROOT / "tests" / "expected"
LABEL = "before the changes"
MINUTE = datetime.timedelta(minutes=1)
FIRST, LATER = 40 * MINUTE, 2 * MINUTE  # before now
POINTS = {"get_status": "status", "get_metrics": "metrics", "get_logs": "logs"}


def store(file: Path, now: datetime.datetime) -> None:
    with Inventory(file, create=True) as inventory:
        for path, family, provider, handler in _golden(GOLDEN):
            content = json.loads(path.read_text(encoding="utf-8"))
            if handler:
                points = content[POINTS[handler]]
                inventory.store_points(
                    f"demo-{provider}", family, handler, points, provider=provider
                )
            else:
                _poll(inventory, family, provider, content, now - FIRST)
        inventory.take_snapshot(LABEL, now - FIRST + MINUTE)
        for path, family, provider, _ in _golden(GOLDEN / "later"):
            content = json.loads(path.read_text(encoding="utf-8"))
            _poll(inventory, family, provider, content, now - LATER)


def _golden(folder: Path) -> Iterator[tuple[Path, str, str, str]]:
    """Each file with its family, provider and handler; that of the resources is the empty string."""
    for path in sorted(folder.glob("*/*.json")):
        if path.parent.name != "later":
            provider, _, handler = path.stem.partition(".")
            yield path, path.parent.name, provider, handler


def _poll(
    inventory: Inventory, family: str, provider: str, found: list[Any], at: datetime.datetime
) -> None:
    scopes: dict[str, list[Any]] = {}
    for resource in found:
        scopes.setdefault(_scope(resource, provider), []).append(resource)
    times = {"started_at": at - MINUTE, "ended_at": at}
    inventory.store(f"demo-{provider}", family, scopes, provider=provider, all_scopes=True, **times)


def _scope(resource: dict[str, Any], provider: str) -> str:
    """The region of AWS's resources, as in a poll; of the others, all in one."""
    places = resource["base"].get("locations") or [{}] if provider == "aws" else [{}]
    return places[0].get("region", {}).get("id", "demo")
