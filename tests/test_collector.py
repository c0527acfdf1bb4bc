"""The garbage collector runs less often during a poll, and as before when it has ended."""

import gc
import threading

import pytest

from shared.engine import collector
from tests import test_run
from tests.test_run import provider  # noqa: F401 - a fixture


@pytest.fixture(autouse=True)
def threshold():
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


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
