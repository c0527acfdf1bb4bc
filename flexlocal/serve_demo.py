"""The inventory of ``flexlocal serve --demo``: the demo accounts, replayed at both recorded moments."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

from flexlocal import accounts, cassettes, inventories
from flexlocal.families import families
from flexlocal.poll_task import HANDLERS, Store, Task, poll
from shared.engine import poll as engine

LABEL = "before the changes"


def store(file: Path) -> None:
    """Raises what a poll of a demo account failed with."""
    with inventories.opened(str(file), create=True) as inventory:
        keeper = Store(inventory)
        for task in _tasks(later=False):
            _poll(task, keeper)
        inventory.take_snapshot(LABEL)
        for task in _tasks(later=True):
            _poll(task, keeper)


def _poll(task: Task, keeper: Store) -> None:
    with contextlib.redirect_stdout(io.StringIO()):  # the handlers' log
        result = poll(task, keeper)
    if result.error:
        raise RuntimeError(f"{task.label}: {result.error}")


def _tasks(later: bool) -> Iterator[Task]:
    """Of the second moment: the resources of what was recorded twice."""
    for account in accounts.demo().values():
        if later and not cassettes.has_later(account.provider):
            continue
        for family, cells in families().items():
            if account.provider not in cells:
                continue
            cell = engine.load_cell(cells[account.provider])
            for handler in ("get",) if later else HANDLERS:
                if handler == "get" or getattr(cell, handler.replace("get_", ""), None) is not None:
                    yield Task(account, family, handler, later=later)
