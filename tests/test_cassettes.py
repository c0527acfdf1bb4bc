"""flexlocal's cassettes leave the process as it was, also where a thread outlives the poll that failed."""

import http.client
import threading

import pytest
import urllib3
import vcr.patch

from flexlocal import cassettes

FILE = cassettes.path("volumes", "aws")
ASSOON = 60.0  # seconds that a test may wait for a thread of its own; none of them takes any


class Watched:
    """A lock that says when somebody is about to take it."""

    def __init__(self, lock):
        self.wanted = threading.Event()
        self._lock = lock

    def __enter__(self):
        self.wanted.set()
        return self._lock.__enter__()

    def __exit__(self, *error):
        return self._lock.__exit__(*error)


def test_a_replay_that_ends_while_a_thread_opens_a_connection_leaves_no_class(monkeypatch):
    """vcrpy puts the real classes in place for that, and then back what it saw before."""
    real = urllib3.HTTPConnectionPool.ConnectionCls
    inside, lock = threading.Event(), Watched(cassettes._EXCHANGE)

    def opens():
        with vcr.patch.force_reset():
            inside.set()
            lock.wanted.wait(ASSOON)  # the replay is about to end

    thread = threading.Thread(target=opens)
    with cassettes.replay(FILE):
        assert urllib3.HTTPConnectionPool.ConnectionCls is not real
        thread.start()
        assert inside.wait(ASSOON)
        monkeypatch.setattr(cassettes, "_EXCHANGE", lock)
    thread.join(ASSOON)
    assert urllib3.HTTPConnectionPool.ConnectionCls is real


def test_a_pool_of_a_replay_may_get_a_connection_only_before_or_after_its_end(monkeypatch):
    """vcrpy walks those pools at the end; one more in the middle of that was a RuntimeError."""
    lock, taken = Watched(cassettes._EXCHANGE), threading.Event()
    pool = urllib3.HTTPConnectionPool("127.0.0.1", 9)
    kept = []

    def adds():
        remover = vcr.patch.ConnectionRemover(object)
        remover.add_connection_to_pool_entry(pool, object())
        kept.append(remover)
        taken.set()

    with cassettes._EXCHANGE:
        monkeypatch.setattr(cassettes, "_EXCHANGE", lock)
        thread = threading.Thread(target=adds)
        thread.start()
        assert lock.wanted.wait(ASSOON)
        assert not taken.is_set()
    thread.join(ASSOON)
    assert len(kept) == 1


@pytest.mark.parametrize("failing", [False, True])
def test_a_replay_leaves_the_classes_as_they_were(failing):
    before = (http.client.HTTPConnection, urllib3.HTTPConnectionPool.ConnectionCls)
    try:
        with cassettes.replay(FILE):
            assert (http.client.HTTPConnection, urllib3.HTTPConnectionPool.ConnectionCls) != before
            if failing:
                raise LookupError
    except LookupError:
        pass
    assert (http.client.HTTPConnection, urllib3.HTTPConnectionPool.ConnectionCls) == before
