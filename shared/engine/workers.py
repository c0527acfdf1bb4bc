"""Runs a function on many items, a few at a time: for calls of one scope that don't depend on each other.

Cells start no threads themselves; their provider offers them this.
"""

import collections
import queue
import threading
from collections.abc import Iterable
from typing import Any, Callable, TypeVar

from shared.engine.errors import OutOfTime
from shared.engine.network import Network

AT_ONCE = 4  # in one scope: providers limit how many calls per second they answer
LONGEST_S = 24 * 3600.0  # longest wait for a thread, if the deadline leaves that much

T = TypeVar("T")
R = TypeVar("R")


class Workers:
    """The threads that a poll may start besides those of its scopes: ``spare`` of them at the same time."""

    def __init__(self, network: Network, spare: int):
        self._network = network
        self._spare = threading.Semaphore(spare)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """The function's result for each item, in the items' order; up to ``AT_ONCE`` calls run side by side.

        The calling thread takes part, so without a spare thread the calls run one after another. The first error
        stops the rest and is raised without waiting for calls that still run. Raises OutOfTime if the poll ends
        meanwhile.
        """
        todo = collections.deque(enumerate(items))
        count = len(todo)
        results: dict[int, R] = {}
        errors: queue.SimpleQueue[Any] = queue.SimpleQueue()  # None: a helper is done
        stopped = threading.Event()

        def work() -> None:
            while not stopped.is_set() and not self._network.ended:
                try:
                    number, item = todo.popleft()
                except IndexError:
                    return
                try:
                    results[number] = function(item)
                except BaseException as error:
                    errors.put(error)
                    stopped.set()

        def help_out() -> None:
            try:
                work()
            finally:
                self._spare.release()
                errors.put(None)

        helpers = 0
        while helpers < min(AT_ONCE, count) - 1 and self._spare.acquire(blocking=False):
            helpers += 1
            threading.Thread(target=help_out, daemon=True).start()
        work()
        while helpers or not errors.empty():
            try:
                error = errors.get(timeout=self._network.deadline.timeout(LONGEST_S))
            except queue.Empty:
                break
            if error is not None:
                raise error
            helpers -= 1
        if len(results) < count:
            raise OutOfTime(f"{len(results)} of {count} calls were made before the poll ended")
        return [results[number] for number in range(count)]
