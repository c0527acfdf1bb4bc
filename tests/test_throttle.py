"""Calls to a server that throttles: how many it gets, and when, by a clock that only pauses move."""

import pytest
import requests

from shared.engine.deadline import Deadline
from shared.engine.errors import OutOfTime
from shared.engine.network import Network
from shared.engine.traffic import Traffic
from shared.transport import sessions, throttle
from shared.transport.throttle import FIRST_GAP_S, LONGEST_GAP_S, Throttle


class Clock:
    """Stands in for the module ``time`` and for the network's pause."""

    def __init__(self):
        self.now = 100.0
        self.pauses = []

    def monotonic(self):
        return self.now

    def pause(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(throttle, "time", clock)
    return clock


@pytest.fixture
def calls(monkeypatch, clock):
    network = Network(Deadline(600))
    monkeypatch.setattr(network, "pause", clock.pause)
    return Throttle(network)


def test_calls_that_are_not_throttled_do_not_wait(calls, clock):
    for _ in range(1000):
        calls.wait()
    assert clock.pauses == []


def test_after_the_pause_the_calls_keep_a_gap_that_shrinks(calls, clock):
    calls.hold(3.0)
    sent = []
    for _ in range(200):
        calls.wait()
        sent.append(clock.now)
    assert sent[0] == 103.0
    gaps = [later - earlier for earlier, later in zip(sent, sent[1:])]
    assert gaps[0] == pytest.approx(FIRST_GAP_S)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] == 0


def test_calls_that_are_throttled_together_widen_the_gap_once(calls, clock):
    for _ in range(8):  # that were sent before the first of them was throttled
        calls.hold(3.0)
    calls.wait()
    first = clock.now
    calls.wait()
    assert clock.now - first == pytest.approx(FIRST_GAP_S)


def test_the_gap_doubles_each_time_up_to_a_limit(calls, clock):
    gaps = []
    for _ in range(12):
        calls.hold(1.0)
        calls.wait()
        before = clock.now
        calls.wait()
        gaps.append(clock.now - before)
    assert gaps == sorted(gaps)
    assert gaps[:2] == pytest.approx([FIRST_GAP_S, 2 * FIRST_GAP_S * throttle.RECOVERY**2])
    assert LONGEST_GAP_S * throttle.RECOVERY**2 < gaps[-1] <= LONGEST_GAP_S


def test_after_a_short_pause_the_gap_is_short_too(calls, clock):
    calls.hold(0.1)
    calls.wait()
    calls.wait()
    assert clock.now == pytest.approx(100.0 + 0.1 + 0.01)


def test_a_server_that_allows_so_many_a_second_gets_little_more(calls, clock):
    """20 calls a second from any number of threads: without the gap, each pause would end in a crowd."""
    rate, allowance, last, refused, served = 20.0, 20.0, clock.now, 0, 0
    while served < 2000:
        calls.wait()
        clock.now += 0.001  # the time that it takes to send a call
        allowance = min(20.0, allowance + (clock.now - last) * rate)
        last = clock.now
        if allowance >= 1:
            allowance -= 1
            served += 1
        else:
            refused += 1
            calls.hold(0.5)
    assert refused < 0.1 * served
    assert clock.now - 100 < 2.0 * served / rate


def test_where_nothing_was_served_the_first_call_that_gives_up_does_so_for_all(calls, clock):
    calls.served()
    clock.now += throttle.PATIENCE_S
    calls.give_up()
    assert not calls.hopeless  # others were served meanwhile
    clock.now += 1
    calls.give_up()
    assert calls.hopeless
    calls.served()
    assert not calls.hopeless


def test_the_end_of_the_poll_ends_the_wait():
    network = Network(Deadline(600))
    calls = Throttle(network)
    calls.hold(500)
    network.end()
    with pytest.raises(OutOfTime):
        calls.wait()


class Server(requests.adapters.HTTPAdapter):
    """Answers with these statuses in turn, and notes when, by the clock."""

    def __init__(self, clock, *statuses):
        super().__init__()
        self.clock, self.statuses, self.sent = clock, list(statuses), []

    def send(self, request, **_):
        self.sent.append((request.url, self.clock.now))
        response = requests.Response()
        response.status_code, response.url, response.request = (
            self.statuses.pop(0),
            request.url,
            request,
        )
        response.headers["Retry-After"] = "9"
        response._content = b"{}"
        return response


@pytest.mark.parametrize("status", [413, 429, 503])
def test_requests_to_a_host_that_throttles_keep_a_gap(monkeypatch, clock, status):
    """A host's alone: another is not held back."""
    network = Network(Deadline(600))
    monkeypatch.setattr(network, "pause", clock.pause)
    server = Server(clock, 200, status, 200, 200, 200)
    monkeypatch.setattr(
        requests.adapters.HTTPAdapter, "send", lambda _, *of, **how: server.send(*of)
    )
    web = sessions.session(network, Traffic())
    for host in ("one", "one", "other", "one"):
        web.get(f"http://{host}.example/")
    assert server.sent == [
        ("http://one.example/", 100.0),
        ("http://one.example/", 100.0),
        ("http://one.example/", 109.0),
        ("http://other.example/", 109.0),
        ("http://one.example/", 109.0 + FIRST_GAP_S),
    ]


@pytest.mark.parametrize("status", [408, 500, 502, 504])
def test_a_server_that_fails_is_no_server_that_throttles(monkeypatch, clock, status):
    network = Network(Deadline(600))
    monkeypatch.setattr(network, "pause", clock.pause)
    server = Server(clock, status, 200, 200)
    monkeypatch.setattr(
        requests.adapters.HTTPAdapter, "send", lambda _, *of, **how: server.send(*of)
    )
    web = sessions.session(network, Traffic())
    for _ in range(2):
        web.get("http://one.example/")
    assert [at for _, at in server.sent] == [100.0, 109.0, 109.0]
