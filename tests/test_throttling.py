"""A server that allows two requests a second for a minute: how many a poll sends, by a clock that nobody waits for.

Scopes and lookups are threads, of which one runs at a time: whoever pauses lets the one continue that is due first. So
each run is the same, whatever the machine does. All that lies between the call of a cell and the library's own HTTP is
real: retries, delays, the shared gap. `pytest -rP tests/test_throttling.py` prints what was sent.
"""

import email.utils
import functools
import heapq
import itertools
import random
import threading

import botocore.awsrequest
import botocore.httpsession
import pytest
import requests

from shared.engine.deadline import Deadline
from shared.engine.errors import OutOfTime
from shared.engine.network import Network
from shared.engine.traffic import Traffic
from shared.providers import aws
from shared.transport import http, sessions, throttle
from tests.fakes import ec2
from tests.fakes.poll import a_poll

ALLOWED = 2  # requests a second
THROTTLED_S = 60
LATENCY_S = 0.05
PAGES = 400  # in all: more than a minute's
MOST_SENT = 1.5 * ALLOWED * THROTTLED_S
MOST_IN_10_S = 1.25 * ALLOWED * 10  # once the poll has slowed down
SOON_S = 100  # when all should have ended: far before the deadline
REFUSALS = {
    "429": lambda _: (429, {}),
    "429, in 1 s": lambda _: (429, {"Retry-After": "1"}),
    "429, by date": lambda now: (429, {"Retry-After": email.utils.formatdate(now + 2)}),
    "413, in 1 s": lambda _: (413, {"Retry-After": "1"}),
    "503": lambda _: (503, {}),
    "503, in 1 s": lambda _: (503, {"Retry-After": "1"}),
}
AWS_REFUSALS = {
    "RequestLimitExceeded": (503, {}),
    "RequestLimitExceeded, in 1 s": (503, {"Retry-After": "1"}),
    "Throttling": (400, {}),
    "Unavailable": (503, {}),
}


class Simulation:
    """Stands in for the module ``time`` and for the network's pause; runs tasks side by side."""

    def __init__(self):
        self.now = 0.0
        self._due = []
        self._numbers = itertools.count()
        self._over = threading.Event()

    def monotonic(self):
        return self.now

    time = monotonic

    def sleep(self, seconds):
        ready = threading.Event()
        heapq.heappush(self._due, (self.now + seconds, next(self._numbers), ready))
        self._continue()
        ready.wait()

    def _continue(self):
        if self._due:
            self.now, _, ready = heapq.heappop(self._due)
            ready.set()
        else:
            self._over.set()

    def run(self, tasks):
        """The result of each task, or the error that it raised."""
        results = {}

        def run(number, task, ready):
            ready.wait()
            try:
                results[number] = task()
            except Exception as error:
                results[number] = error
            self._continue()

        threads = []
        for number, task in enumerate(tasks):
            ready = threading.Event()
            heapq.heappush(self._due, (0.0, next(self._numbers), ready))
            threads.append(threading.Thread(target=run, args=(number, task, ready)))
        for thread in threads:
            thread.start()
        self._continue()
        self._over.wait()
        for thread in threads:
            thread.join()
        return [results[number] for number in sorted(results)]


class Upstream:
    """Allows so many requests a second until it stops throttling, and all of them afterwards."""

    def __init__(self, simulation, until=THROTTLED_S):
        self._simulation, self._until = simulation, until
        self._left, self._at = float(ALLOWED), 0.0
        self.sent = []  # when

    def serves(self):
        now = self._simulation.now
        self.sent.append(now)
        self._left = min(ALLOWED, self._left + (now - self._at) * ALLOWED)
        self._at = now
        if now < self._until and self._left < 1:
            return False
        self._left -= 1
        return True

    def within(self, start, seconds):
        return sum(start <= moment < start + seconds for moment in self.sent)


@pytest.fixture
def simulation(monkeypatch):
    simulation = Simulation()
    monkeypatch.setattr(throttle, "time", simulation)
    monkeypatch.setattr(http, "time", simulation)
    monkeypatch.setattr(http, "random", random.Random(4711))
    return simulation


@pytest.fixture
def network(monkeypatch, simulation):
    network = Network(Deadline(600, simulation.monotonic))

    def pause(seconds):
        left = network.deadline.remaining()
        simulation.sleep(min(seconds, left))
        if seconds >= left:  # when the engine ends the poll
            raise OutOfTime("the poll has ended")

    monkeypatch.setattr(network, "pause", pause)
    return network


def send_by(monkeypatch, simulation, refusal, upstreams):
    """Has all requests of requests answered by the upstream of their host."""

    def send(adapter, request, **_):
        upstream = upstreams[request.url.split("/")[2]]
        response = requests.Response()
        response.url, response.request, response._content = request.url, request, b"{}"
        refused = not upstream.serves()
        response.status_code, headers = refusal(simulation.now) if refused else (200, {})
        response.headers.update(headers)
        simulation.sleep(LATENCY_S)
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)


def check(what, upstream, results, simulation):
    sent = upstream.within(0, THROTTLED_S)
    print(
        f"{what}: {sent} requests in {THROTTLED_S} s, {ALLOWED * THROTTLED_S} allowed; "
        f"all {PAGES} pages after {simulation.now:.0f} s"
    )
    assert results == [None] * len(results)
    assert sent <= MOST_SENT
    for start in range(10, THROTTLED_S, 10):
        assert upstream.within(start, 10) <= MOST_IN_10_S
    assert simulation.now < SOON_S


@pytest.mark.parametrize(
    "refusal, side_by_side", [("503", 1), ("503", 8), *((name, 32) for name in REFUSALS)]
)
def test_http(monkeypatch, simulation, network, refusal, side_by_side):
    upstream = Upstream(simulation)
    send_by(monkeypatch, simulation, REFUSALS[refusal], {"one.example": upstream})
    web = sessions.session(network, Traffic())

    def pages():
        for _ in range(PAGES // side_by_side):
            web.get("http://one.example/").raise_for_status()

    results = simulation.run([pages] * side_by_side)
    check(f"HTTP, {refusal}, {side_by_side} at a time", upstream, results, simulation)


def test_another_server_of_the_account_is_not_held_back(monkeypatch, simulation, network):
    upstreams = {"slow.example": Upstream(simulation), "quick.example": Upstream(simulation, 0)}
    send_by(monkeypatch, simulation, REFUSALS["503"], upstreams)
    web, ended = sessions.session(network, Traffic()), {}

    def pages(host):
        for _ in range(20):
            web.get(f"http://{host}/")
        ended[host] = simulation.now

    simulation.run([functools.partial(pages, host) for host in [*upstreams] * 4])
    assert ended["quick.example"] == pytest.approx(20 * LATENCY_S)
    assert ended["slow.example"] > 20


@pytest.mark.parametrize("refusal", ["429", "503"])
def test_a_server_that_serves_nothing_does_not_hold_a_poll_until_its_deadline(
    monkeypatch, simulation, network, refusal
):
    """Not even if all calls wait for one another: the first that gives up stands for all."""
    upstream = Upstream(simulation)
    monkeypatch.setattr(upstream, "serves", lambda: upstream.sent.append(simulation.now))
    send_by(monkeypatch, simulation, REFUSALS[refusal], {"one.example": upstream})
    web = sessions.session(network, Traffic())
    results = simulation.run([lambda: web.get("http://one.example/").status_code] * 32)
    assert results == [int(refusal)] * 32
    assert simulation.now < SOON_S
    assert len(upstream.sent) < 32 * http.ATTEMPTS / 2


@pytest.mark.parametrize("refusal", AWS_REFUSALS)
def test_aws(monkeypatch, simulation, network, refusal):
    """Each service in a region has its own limit, and each of its calls here counts."""
    status, headers = AWS_REFUSALS[refusal]
    code = refusal.partition(",")[0]
    refused = f"<Response><Errors><Error><Code>{code}</Code></Error></Errors></Response>"
    good = "<DescribeVpcsResponse><vpcSet/></DescribeVpcsResponse>"
    regions = {"us-east-1": Upstream(simulation), "us-west-2": Upstream(simulation, 0)}

    def send(self, request):
        served = regions[request.url.split(".")[1]].serves()
        simulation.sleep(LATENCY_S)
        answer = (200, {}) if served else (status, headers)
        response = botocore.awsrequest.AWSResponse(request.url, *answer, None)
        response._content = (good if served else refused).encode()
        return response

    monkeypatch.setattr(botocore.httpsession.URLLib3Session, "send", send)
    given = {"aws_access_key_id": ec2.KEY, "aws_secret_access_key": ec2.SECRET}
    poll = a_poll("networks", deadline=network.deadline, network=network)
    session = aws.Session(aws.credentials(given, False), poll)
    ended = {}

    def pages(region, count):
        for _ in range(count):
            aws.listed(aws.Scope(region, session), "ec2", "describe_vpcs", "Vpcs")
        ended[region] = simulation.now

    throttled = [functools.partial(pages, "us-east-1", PAGES // 16)] * 16
    quick = [functools.partial(pages, "us-west-2", 10)] * 2
    results = simulation.run([*throttled, *quick])
    check(f"AWS, {refusal}, 16 at a time", regions["us-east-1"], results, simulation)
    assert ended["us-west-2"] == pytest.approx(10 * LATENCY_S)
