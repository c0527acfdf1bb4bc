"""Runs polls side by side, once or again and again, until they are done or somebody stops them."""

import contextlib
import datetime
import queue
import random
import signal
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from flexlocal.poll_task import GIVEN_UP, Result, Store, Task

STORING_S = 30.0  # for a poll that is being stored when all are given up: as long as it may wait for the database
AWAKE_S = 0.5  # a signal that comes just before the main thread waits is seen when it wakes up
JITTER = 0.1  # of the interval
LONGEST_JITTER_S = 60.0


class Stop:
    """Somebody wants the polls to end: a SIGTERM or SIGINT."""


if TYPE_CHECKING:  # a signal's handler may call its put
    Events = queue.SimpleQueue[Union[Result, Stop]]


class Workers:
    """Threads that run tasks in the order in which they were added, never two of one source at once.

    Daemon threads: one that hangs does not keep the process from ending. ``events`` gets each result.
    """

    def __init__(self, run: Callable[[Task], Result], count: int, events: "Events"):
        self._run, self._events = run, events
        self._changed = threading.Condition()
        self._waiting: list[Task] = []
        self._running: list[Task] = []
        for _ in range(count):
            threading.Thread(target=self._work, daemon=True).start()

    def add(self, task: Task) -> bool:
        """Returns False if the task still waits or runs: then it is not added again."""
        with self._changed:
            if task in self._waiting or task in self._running:
                return False
            self._waiting.append(task)
            self._changed.notify_all()
            return True

    @property
    def at_rest(self) -> bool:
        """Whether nothing runs or waits."""
        with self._changed:
            return not self._waiting and not self._running

    def drop_waiting(self) -> list[Task]:
        """What was added and has not begun."""
        with self._changed:
            dropped, self._waiting = self._waiting, []
        return dropped

    @property
    def running(self) -> list[Task]:
        with self._changed:
            return list(self._running)

    def _next(self) -> Optional[Task]:
        busy = {task.source for task in self._running}
        return next((task for task in self._waiting if task.source not in busy), None)

    def _work(self) -> None:
        while True:
            with self._changed:
                while (task := self._next()) is None:
                    self._changed.wait()
                self._waiting.remove(task)
                self._running.append(task)
            result = self._run(task)
            with self._changed:  # so that what no longer runs has its result in the queue
                self._running.remove(task)
                self._events.put(result)
                self._changed.notify_all()


@contextlib.contextmanager
def stopped_by_signals(events: "Events") -> Iterator[None]:
    """SIGTERM and SIGINT put a Stop into the queue."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        events.put(Stop())

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _next(events: "Events") -> Union[Result, Stop]:
    while (event := next_within(events, AWAKE_S)) is None:
        pass
    return event


def next_within(events: "Events", seconds: float) -> Optional[Union[Result, Stop]]:
    """Waits for half a second at most, also where it is given more."""
    with contextlib.suppress(queue.Empty):
        return events.get(timeout=max(0.0, min(seconds, AWAKE_S)))
    return None


def once(
    tasks: Sequence[Task], workers: Workers, events: "Events", show: Callable[[Result], None]
) -> bool:
    """Run each task once; returns False if somebody stopped it before that."""
    for task in tasks:
        workers.add(task)
    for _ in tasks:
        event = _next(events)
        if isinstance(event, Stop):
            return False
        show(event)
    return True


def again_and_again(
    tasks: Sequence[Task],
    workers: Workers,
    events: "Events",
    show: Callable[[Result], None],
    late: Callable[[Task], None],
    scheduler: Any = None,
    changing: Callable[[], bool] = lambda: False,
) -> None:
    """Run each task at its interval, until somebody stops it. ``late``: a task is due that has not ended yet.

    ``changing``: whether a change window is open, for tasks that are polled more often then.
    """
    scheduler = scheduler or _scheduler()

    def due(task: Task) -> None:
        if not workers.add(task):
            late(task)

    def due_in_window(task: Task) -> None:
        if changing():
            workers.add(task)

    schedule(tasks, due, scheduler)
    dense = [task for task in tasks if task.window_s is not None]
    schedule(dense, due_in_window, scheduler, every=lambda task: task.window_s, first=len(tasks))
    scheduler.start()
    try:
        while not isinstance(event := _next(events), Stop):
            show(event)
    finally:
        scheduler.shutdown(wait=False)


def _scheduler() -> Any:
    from apscheduler.executors.debug import DebugExecutor  # calls in the scheduler's own thread
    from apscheduler.schedulers.background import BackgroundScheduler

    return BackgroundScheduler(
        timezone=datetime.timezone.utc, executors={"default": DebugExecutor()}
    )


def schedule(
    tasks: Sequence[Task],
    due: Callable[[Task], None],
    scheduler: Any,
    chance: Callable[[], float] = random.random,
    every: Callable[[Task], Optional[int]] = lambda task: task.every_s,
    first: int = 0,
) -> None:
    """``due(task)`` at once and then at each of its intervals; once for all those that were missed.

    ``first`` is the first one's number: the scheduler has others already.
    """
    from apscheduler.triggers.base import BaseTrigger

    class Every(BaseTrigger):  # type: ignore[misc]
        """Multiples of the interval since the first time, each late by a random part of it, which do not add up."""

        def __init__(self, seconds: float):
            self._every = datetime.timedelta(seconds=seconds)
            self._most = datetime.timedelta(seconds=min(seconds * JITTER, LONGEST_JITTER_S))
            self._first: Optional[datetime.datetime] = None

        def get_next_fire_time(
            self, previous: Optional[datetime.datetime], now: datetime.datetime
        ) -> datetime.datetime:
            if self._first is None or previous is None:
                self._first = now
                return now
            number = (previous - self._first) // self._every + 1
            return self._first + number * self._every + chance() * self._most

    for number, task in enumerate(tasks, first):
        seconds = every(task)
        assert seconds is not None  # noqa: S101 - all of them are polled again
        scheduler.add_job(
            due,
            Every(seconds),
            [task],
            id=f"{number:06}",  # of those that are due together, the first is the first
            coalesce=True,
            misfire_grace_time=None,
        )


def finish(
    workers: Workers,
    store: Store,
    events: "Events",
    show: Callable[[Result], None],
    seconds: float,
    clock: Callable[[], float],
) -> list[Task]:
    """Let the polls that run end within so many seconds; returns those that were given up.

    Nothing of those is stored. Raises KeyboardInterrupt if somebody wants to stop at once.
    """
    workers.drop_waiting()
    end = clock() + seconds
    while workers.running or not events.empty():
        left = end - clock()
        event = next_within(events, left)
        _show_result(event, show)
        if event is None and left <= 0:
            break
    store.close()
    end = clock() + STORING_S

    def being_stored() -> bool:
        return (store.in_use and clock() < end) or bool(store.stored.intersection(workers.running))

    while being_stored() or not events.empty():
        _show_result(next_within(events, AWAKE_S), show)
    return workers.running


def _show_result(event: Optional[Union[Result, Stop]], show: Callable[[Result], None]) -> None:
    if isinstance(event, Stop):
        raise KeyboardInterrupt("stopped at once; of the polls that ran, nothing more is stored")
    if event is not None and event.outcome != GIVEN_UP:
        show(event)
