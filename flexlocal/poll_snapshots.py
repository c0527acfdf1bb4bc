"""Snapshots by schedule: of ``flexlocal poll --every``."""

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Callable, Optional

from flexlocal import terminal
from flexlocal.poll_task import GivenUp, Result, Store, Task

if TYPE_CHECKING:
    from inventory.model import Snapshot


class Schedule:
    """Takes a snapshot when the last scheduled one is older than the interval. Restarts make no difference.

    It is taken between polls: when nothing runs, or if that does not happen for another interval, after the next poll.
    Never before each task has ended once, so that it names polls of all. ``window_s``: the interval while a change
    window is open.
    """

    def __init__(
        self,
        store: Store,
        tasks: Sequence[Task],
        every_s: Optional[int],
        window_s: Optional[int],
        show: Callable[["Snapshot"], None],
    ):
        self._store, self._show = store, show
        self._every_s, self._window_s = every_s, window_s
        self._to_end = {task for task in tasks if task.handler == "get"}

    def changing(self) -> bool:
        """Whether a change window is open."""
        from inventory.errors import InventoryError

        try:
            with self._store.open() as inventory:
                return inventory.has_open_window()
        except GivenUp:
            return False
        except InventoryError as error:
            terminal.say(f"change windows: {error}")
            return False

    def ended(self, result: Result, at_rest: bool) -> None:
        from inventory.errors import InventoryError

        self._to_end.discard(result.task)
        if self._to_end or (self._every_s is None and self._window_s is None):
            return
        seconds = self._every_s
        if self._window_s is not None and self.changing():
            seconds = min(self._window_s, seconds or self._window_s)
        if seconds is None:
            return
        every = datetime.timedelta(seconds=seconds if at_rest else 2 * seconds)
        try:
            with self._store.open() as inventory:
                taken = inventory.take_snapshot_if_due(every)
        except GivenUp:
            return
        except InventoryError as error:
            terminal.say(f"snapshot: {error}")
            return
        if taken is not None:
            self._show(taken)
