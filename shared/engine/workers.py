"""Makes several calls of one scope at a time: those that need nothing of one another.

Cells start no threads themselves; their provider offers them this. What a cell gets does not depend on timing: results
come in the order of the calls, and of several errors the one of the first call is raised. Without spare threads, the
calls are made one after another, each when its result is needed.
"""

import collections
import functools
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Callable, Optional, TypeVar

from shared.engine.errors import OutOfTime
from shared.engine.network import Network
from shared.engine.threads import thread

AT_ONCE = 8  # of the same kind in one scope, where the poll has as many threads
LONGEST_S = 24 * 3600.0  # longest wait for a thread, if the deadline leaves that much

T = TypeVar("T")
R = TypeVar("R")
_Outcome = tuple[Any, Optional[BaseException]]


class Workers:
    """The threads that a poll may start besides those of its scopes: ``spare`` of them at the same time."""

    def __init__(self, network: Network, spare: int):
        self._network = network
        self._spare = threading.Semaphore(spare)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """The function's result for each item, in the items' order. Raises the same errors as ``ahead``."""
        return list(self.ahead(functools.partial(function, item) for item in items))

    def pages(self, *listings: Iterator[T]) -> Iterator[T]:
        """The pages of all listings, one listing after another; the first page of each is fetched ahead."""
        firsts = self.ahead(functools.partial(_first, listing) for listing in listings)
        for listing in listings:
            yield from _resumed(next(firsts), listing)

    def before(self, listing: Iterator[T], *lookups: Callable[[], Any]) -> tuple[Any, ...]:
        """What each lookup returns, and then the listing, whose first page is fetched together with them."""
        actions: list[Callable[[], Any]] = [*lookups, functools.partial(_first, listing)]
        *found, first = self.ahead(actions)
        return (*found, _resumed(first, listing))

    def ahead(self, actions: Iterable[Callable[[], R]]) -> Iterator[R]:
        """The actions' results in their order; up to ``AT_ONCE`` actions run side by side.

        The calling thread takes part. An error is raised in its place, after the results before it; no action is
        begun after it, and it does not wait for later ones. Raises OutOfTime if the poll ends meanwhile.
        """
        todo = collections.deque(enumerate(actions))
        count = len(todo)
        outcomes: dict[int, _Outcome] = {}
        helpers: set[threading.Thread] = set()
        changed = threading.Condition()

        def run_next() -> bool:
            try:
                number, action = todo.popleft()
            except IndexError:
                return False
            outcome: _Outcome
            try:
                outcome = action(), None
            except BaseException as error:
                todo.clear()  # what is left comes after this action
                outcome = None, error
            with changed:
                outcomes[number] = outcome
                changed.notify_all()
            return True

        def help_out() -> None:
            try:
                while not self._network.ended and run_next():
                    pass
            finally:
                self._spare.release()
                with changed:
                    helpers.discard(threading.current_thread())
                    changed.notify_all()

        def wait(arrived: Callable[[], bool]) -> bool:
            with changed:
                return changed.wait_for(arrived, self._network.deadline.timeout(LONGEST_S))

        def find_help() -> None:
            """Start as many threads as there may be; later ones where others of the poll have ended."""
            while len(todo) > 1 and len(helpers) < min(AT_ONCE, count) - 1:
                if self._network.ended or not self._spare.acquire(blocking=False):
                    return  # once the poll has ended, helpers end without taking an action
                helper = thread(help_out)
                with changed:
                    helpers.add(helper)
                helper.start()

        try:
            for number in range(count):
                while number not in outcomes:
                    find_help()
                    if self._network.ended or not (
                        run_next() or wait(functools.partial(outcomes.__contains__, number))
                    ):
                        done = number + len(outcomes)
                        raise OutOfTime(f"{done} of {count} calls were made before the poll ended")
                error = outcomes[number][1]
                if error is not None:
                    raise error
                yield outcomes.pop(number)[0]  # which may be large: no variable keeps it
        finally:
            todo.clear()
        wait(lambda: not helpers)  # they have nothing left to do, and the next call may need them


def once(action: Callable[[], R]) -> Callable[[], R]:
    """The action, for several calls that may need its result: the first one runs it, the others wait for that."""
    lock, run = threading.Lock(), functools.cache(action)

    def result() -> R:
        with lock:
            return run()

    return result


def _first(listing: Iterator[T]) -> list[T]:
    """The first page of a listing, if it has one."""
    for page in listing:
        return [page]
    return []


def _resumed(first: list[T], listing: Iterator[T]) -> Iterator[T]:
    while first:
        yield first.pop()  # so that it is not kept longer than the other pages
    yield from listing
