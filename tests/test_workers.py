"""A function over items, a few at a time: order, bounds, errors, the end of the poll. Nothing here waits for time."""

import functools
import threading

import pytest

from shared.engine import workers as pool
from shared.engine.deadline import Deadline
from shared.engine.errors import OutOfTime
from shared.engine.network import Network
from shared.engine.workers import AT_ONCE, Workers, once


def workers(spare, seconds=600):
    return Workers(Network(Deadline(seconds)), spare)


class Crowd:
    """Counts who is inside at once, and holds the first ones until so many are."""

    def __init__(self, wanted):
        self.most = self.inside = 0
        self._wanted = wanted
        self._lock = threading.Lock()
        self._together = threading.Event()

    def __call__(self, item):
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            if self.inside >= self._wanted:
                self._together.set()
        together = self._together.wait(60)
        with self._lock:
            self.inside -= 1
        assert together
        return item * 10


@pytest.mark.parametrize("spare", [0, 1, 7])
@pytest.mark.parametrize("count", [0, 1, 3, 40])
def test_results_come_in_the_items_order(spare, count):
    assert workers(spare).map(lambda n: n * 10, range(count)) == [n * 10 for n in range(count)]


def test_so_many_at_once_and_no_more():
    crowd = Crowd(AT_ONCE)
    items = list(range(3 * AT_ONCE))
    assert workers(100).map(crowd, items) == [10 * n for n in items]
    assert crowd.most == AT_ONCE


@pytest.mark.parametrize("count, helpers", [(3, 2), (40, AT_ONCE - 1)])
def test_no_more_helpers_than_there_are_calls_for_and_7_at_most(monkeypatch, count, helpers):
    """All of them are started before the calling thread makes its first call."""
    started, go_on = [], threading.Event()
    make = pool.thread
    monkeypatch.setattr(pool, "thread", lambda target: started.append(1) or make(target))
    caller, seen = threading.current_thread(), []

    def call(number):
        if threading.current_thread() is caller and not seen:
            seen.append(len(started))
            go_on.set()
        assert go_on.wait(60)

    workers(100).map(call, range(count))
    assert seen == [helpers]


def test_without_a_thread_to_spare_one_after_the_other_in_the_thread_that_asks():
    threads, order = set(), []
    workers(0).map(lambda n: (threads.add(threading.current_thread()), order.append(n)), range(9))
    assert threads == {threading.current_thread()}
    assert order == list(range(9))


def test_the_bound_of_all_scopes_together():
    """Two scopes, one thread to spare: three calls at once."""
    crowd, found = Crowd(3), []
    both = workers(1)

    def scope():
        found.append(both.map(crowd, range(6)))

    threads = [threading.Thread(target=scope, daemon=True) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert found == [[0, 10, 20, 30, 40, 50]] * 2
    assert crowd.most == 3


def test_a_map_within_a_map_does_not_lock_up():
    pool = workers(2)
    found = pool.map(lambda n: pool.map(lambda m: n * m, range(5)), range(5))
    assert found == [[n * m for m in range(5)] for n in range(5)]


def test_threads_that_become_free_help():
    pool, crowd, busy, left = workers(1), Crowd(2), threading.Event(), threading.Event()

    def hold_the_spare_thread(item):
        if threading.current_thread() is not other:
            busy.set()
            left.wait(60)
        else:
            busy.wait(60)

    other = threading.Thread(target=pool.map, args=(hold_the_spare_thread, range(2)), daemon=True)
    other.start()
    assert busy.wait(60)

    def work(item):
        if item == 0:
            left.set()
            other.join(60)
        else:
            crowd(item)

    pool.map(work, range(3))
    assert crowd.most == 2


def test_threads_are_given_back():
    pool = workers(AT_ONCE - 1)
    for _ in range(20):
        assert pool.map(Crowd(AT_ONCE), range(AT_ONCE)) == [10 * n for n in range(AT_ONCE)]


@pytest.mark.parametrize("spare", [0, 7])
def test_an_error_ends_it_and_is_raised_as_it_is(spare):
    begun = []

    def fail(item):
        begun.append(item)
        raise KeyError(item)

    with pytest.raises(KeyError):
        workers(spare).map(fail, range(1000))
    assert len(begun) <= AT_ONCE


def test_nothing_waits_for_what_hangs_after_an_error():
    hang, hanging = threading.Event(), threading.Event()

    me = threading.current_thread()

    def work(item):
        mine = threading.current_thread() is me
        if item == 1 and not mine:
            hanging.set()
            hang.wait(60)
        elif item == 0:
            assert not mine or hanging.wait(60)
            raise KeyError(item)

    with pytest.raises(KeyError):
        workers(1).map(work, range(2))
    hang.set()


def test_of_several_errors_that_of_the_first_call():
    """Whichever comes first."""
    second_failed = threading.Event()

    def work(item):
        if item == 1:
            second_failed.set()
        assert second_failed.wait(60)
        raise KeyError(item)

    with pytest.raises(KeyError, match="0"):
        workers(1).map(work, range(2))


def test_results_before_an_error_are_given():
    found = workers(0).ahead([lambda: 1, lambda: 2, lambda: [][0], lambda: 4])
    assert [next(found), next(found)] == [1, 2]
    with pytest.raises(IndexError):
        next(found)


def test_what_comes_after_an_abandoned_result_is_not_begun():
    begun = []
    found = workers(0).ahead(functools.partial(begun.append, n) for n in range(9))
    next(found)
    found.close()
    assert begun == [0]


def listing(begun, name, pages):
    for number in range(pages):
        begun.append((name, number))
        yield f"{name}{number}"


def test_pages_of_listings_in_their_order_and_only_first_ones_ahead():
    crowd, begun = Crowd(3), []

    def held(name):
        for page in listing(begun, name, 3):
            if page == f"{name}0":
                crowd(0)
            yield page

    found = workers(2).pages(held("a"), iter(()), held("b"), held("c"))
    assert next(found) == "a0"
    assert sorted(begun) == [("a", 0), ("b", 0), ("c", 0)]
    assert list(found) == ["a1", "a2", "b0", "b1", "b2", "c0", "c1", "c2"]


def test_pages_without_spare_threads_are_fetched_when_they_are_needed():
    begun = []
    found = workers(0).pages(listing(begun, "a", 2), listing(begun, "b", 1))
    assert [(page, list(begun)) for page in found] == [
        ("a0", [("a", 0)]),
        ("a1", [("a", 0), ("a", 1)]),
        ("b0", [("a", 0), ("a", 1), ("b", 0)]),
    ]


@pytest.mark.parametrize("pages", [0, 1, 3])
def test_a_listing_and_what_is_looked_up_before_it(pages):
    crowd, begun = Crowd(3), []

    def held():
        crowd(0)
        yield from listing(begun, "a", pages)

    names, sizes, found = workers(2).before(held(), lambda: crowd(1), lambda: crowd(2))
    assert (names, sizes) == (10, 20)
    assert len(begun) == min(pages, 1)
    assert list(found) == [f"a{n}" for n in range(pages)]


def test_without_spare_threads_lookups_come_before_the_listing():
    begun = []
    lookups = [functools.partial(begun.append, n) for n in range(2)]
    *_, found = workers(0).before(listing(begun, "a", 2), *lookups)
    assert begun == [0, 1, ("a", 0)]
    assert list(found) == ["a0", "a1"]


def test_the_end_of_the_poll_ends_it():
    network = Network(Deadline(600))
    made = []

    def work(item):
        made.append(item)
        network.end()

    with pytest.raises(OutOfTime, match="1 of 1000 calls"):
        Workers(network, 0).map(work, range(1000))
    assert made == [0]


def test_a_poll_that_has_ended_starts_no_thread(monkeypatch):
    """They ended at once without taking a call, so the next was started, for ever."""
    network = Network(Deadline(600))
    network.end()
    started = []
    monkeypatch.setattr(threading.Thread, "start", lambda thread: started.append(thread))
    with pytest.raises(OutOfTime, match="0 of 20 calls"):
        Workers(network, 7).map(str, range(20))
    assert started == []


def test_the_deadline_ends_it_whatever_hangs():
    hang, hanging = threading.Event(), threading.Event()
    me = threading.current_thread()

    def work(item):
        if threading.current_thread() is not me:
            hanging.set()
            hang.wait(60)
        else:
            hanging.wait(60)

    with pytest.raises(OutOfTime, match="1 of 2 calls"):
        workers(1, seconds=0).map(work, range(2))
    hang.set()


def test_threads_are_daemons():
    kinds = workers(3).map(lambda _: threading.current_thread(), range(AT_ONCE))
    assert all(each.daemon for each in kinds if each is not threading.current_thread())


def test_what_several_threads_need_is_made_once():
    begun, go_on = [], threading.Event()

    def action():
        begun.append(1)
        assert go_on.wait(60)
        return object()

    shared = once(action)

    def use(number):
        if number:
            go_on.set()
        return shared()

    first, second = workers(1).map(use, range(2))
    assert first is second
    assert begun == [1]


def test_what_failed_once_is_made_again():
    answers = [KeyError, "answer"]

    def action():
        answer = answers.pop(0)
        if answer is KeyError:
            raise KeyError
        return answer

    shared = once(action)
    with pytest.raises(KeyError):
        shared()
    assert [shared(), shared()] == ["answer", "answer"]
