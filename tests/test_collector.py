"""The garbage collector runs less often during a poll, and as before when it has ended."""

import contextlib
import gc
import threading
import weakref

import pytest

from shared.engine import collector
from tests import test_run
from tests.test_run import provider  # noqa: F401 - a fixture


@pytest.fixture(autouse=True)
def threshold(monkeypatch):
    before = gc.get_threshold()
    gc.unfreeze()  # what tests/conftest.py froze
    gc.set_threshold(700, 10, 10)
    monkeypatch.setattr(collector, "_aged", False)
    yield
    gc.set_threshold(*before)
    gc.freeze()


def test_it_runs_less_often_and_is_not_off():
    with collector.less_often():
        assert gc.get_threshold() == (collector.OBJECTS, 10, 10)
        assert gc.isenabled()
    assert gc.get_threshold() == (700, 10, 10)


def test_cycles_are_collected_meanwhile(monkeypatch):
    monkeypatch.setattr(collector, "OBJECTS", 20_000)

    class Cycle:
        alive = 0

        def __init__(self):
            self.me = self
            Cycle.alive += 1

        def __del__(self):
            Cycle.alive -= 1

    with collector.less_often():
        for _ in range(3 * collector.OBJECTS):
            Cycle()
        assert Cycle.alive <= collector.OBJECTS


def test_an_error_restores_it():
    with pytest.raises(KeyError), collector.less_often():
        raise KeyError
    assert gc.get_threshold() == (700, 10, 10)


def test_the_last_of_several_polls_restores_it():
    ending, other_began = threading.Event(), threading.Event()

    def other():
        with collector.less_often():
            other_began.set()
            ending.wait()

    thread = threading.Thread(target=other)
    with collector.less_often():
        thread.start()
        other_began.wait()
    assert gc.get_threshold()[0] == collector.OBJECTS
    ending.set()
    thread.join()
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("youngest", [0, collector.OBJECTS, 1_000_000])
def test_a_host_that_collects_even_less_often_is_left_alone(youngest):
    gc.set_threshold(youngest, 10, 10)
    with collector.less_often():
        assert gc.get_threshold() == (youngest, 10, 10)
    assert gc.get_threshold() == (youngest, 10, 10)


def test_what_somebody_else_sets_meanwhile_stays():
    with collector.less_often():
        gc.set_threshold(1_000, 10, 10)
    assert gc.get_threshold() == (1_000, 10, 10)


# --- the end of a poll with a long list -----------------------------------------------------------


class Node:
    """Something that can be in a cycle, and that shows whether it still exists."""


def many():
    return [[] for _ in range(2 * collector.MANY)]


@contextlib.contextmanager
def collections():
    """The generations that the collector looks at in here."""
    found = []

    def note(phase, info):
        if phase == "start":
            found.append(info["generation"])

    gc.callbacks.append(note)
    try:
        yield found
    finally:
        gc.callbacks.remove(note)


def is_old(thing):
    return any(each is thing for each in gc.get_objects(generation=2))


def test_a_long_list_is_not_looked_at_when_a_poll_ends():
    with collector.less_often():
        result = many()
    assert is_old(result[0]) and is_old(result[-1])
    assert gc.get_count()[0] < collector.MANY
    assert gc.get_freeze_count() < collector.FROZEN


def test_cycles_of_such_a_poll_are_collected_before_the_next():
    with collector.less_often():
        result, node = many(), Node()
        node.me = node
        alive = weakref.ref(node)
        del node
    assert len(result) > collector.MANY
    assert alive() is not None
    with collections() as found, collector.less_often():
        pass
    assert alive() is None
    assert found.count(2) == 1
    with collections() as found, collector.less_often():  # once, and not before each
        pass
    assert 2 not in found


def test_a_short_list_is_left_to_the_collector():
    gc.collect()
    with collector.less_often():
        result = [[] for _ in range(1000)]
    assert not is_old(result[0])
    with collections() as found, collector.less_often():
        pass
    assert 2 not in found


def test_only_the_last_of_several_polls_declares_objects_old():
    with collector.less_often():
        with collector.less_often():
            result = many()
        assert not is_old(result[0])
    assert is_old(result[0])


def test_what_a_host_has_frozen_stays_so():
    frozen = [[]]
    gc.freeze()
    try:
        with collector.less_often():
            result = many()
        assert not is_old(frozen[0])
        assert not is_old(result[0])
    finally:
        gc.unfreeze()


def test_a_host_without_collector_gets_no_collection():
    gc.disable()
    try:
        with collections() as found:
            for _ in range(2):
                with collector.less_often():
                    result = many()
        assert found == []
        assert not is_old(result[0])
    finally:
        gc.enable()


@pytest.mark.parametrize("error", [None, KeyError("a bug")])
def test_a_poll_does_so_while_it_fetches_and_converts(provider, error):  # noqa: F811
    seen = []

    def convert(record, scope, lookups):
        seen.append(gc.get_threshold()[0])
        if error:
            raise error
        return test_run.convert(record, scope, lookups)

    provider.change_cell(convert=convert)
    provider.planned = [test_run.Scope("a", [[{"id": "1"}]])]
    if error:
        with pytest.raises(KeyError):
            test_run.poll()
    else:
        test_run.poll()
    assert seen == [collector.OBJECTS]
    assert gc.get_threshold() == (700, 10, 10)
