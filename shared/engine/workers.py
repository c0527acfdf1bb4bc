"""A function over many items, a few at a time: for the calls of one scope that need nothing of one another.

Cells start no threads themselves; a provider's file hands this on to them.
"""

import collections
import queue
import threading
from collections.abc import Iterable
from typing import Any, Callable, TypeVar

from shared.engine.errors import OutOfTime
from shared.engine.network import Network

AT_ONCE = 4  # of a scope: providers limit how many calls a second they answer
LONGEST_S = 24 * 3600.0  # what is waited for a thread, if the deadline leaves that much

T = TypeVar("T")
R = TypeVar("R")


class Workers:
    """The threads that a poll may have besides those of its scopes, ``spare`` of them in all."""

    def __init__(self, network: Network, spare: int):
        self._network = network
        self._spare = threading.Semaphore(spare)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """What the function gives for each item, in the items' order; up to ``AT_ONCE`` run side by side.

        The thread that calls this takes part, so that with no thread to spare the items come one after
        another. The first error ends it, and is raised without waiting for what still runs. Raises OutOfTime
        where the poll ends meanwhile.
        """
        todo = collections.deque(enumerate(items))
        count = len(todo)
        results: dict[int, R] = {}
        errors: queue.SimpleQueue[Any] = queue.SimpleQueue()  # and None of each helper that is done
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
