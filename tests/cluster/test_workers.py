"""Workers on real servers that are killed, paused and cut off, with each broker and without one.

What they stored is judged from the database afterwards: see tests/cluster/judge.py.
"""

import signal
import time

import pytest

from tests.cluster import judge
from tests.cluster.conftest import EVERY, LEASE_S
from tests.postgresql import FAST, IMMEDIATE

pytestmark = pytest.mark.cluster
BUSY_S = 15  # for a host that does other things too
# A worker looks at what is due itself, whatever its broker does: so takeover is as fast with one as without.
TAKEOVER_S = LEASE_S + BUSY_S
MINUTES = 600


def test_every_poll_that_is_due_ends_and_is_stored_once(fleet, controllers):
    fleet.schedule(40)
    fleet.start(3)
    for _ in range(5):
        fleet.wait_until_each_stored(1)
        fleet.due_now()
    fleet.stop()
    fleet.judged()
    assert controllers.polls() == judge.stored(fleet.url) >= 200
    assert all(each.results() for each in fleet.workers)


def test_a_worker_that_is_killed_in_the_middle_of_a_poll(fleet, controllers):
    fleet.schedule(6)
    with controllers.held("shop-000") as held:
        fleet.start(3)
        held.wait()
        killed = fleet.worker_of("shop-000")
        killed.kill()
        begin = time.monotonic()
        judge.wait_for(lambda: fleet.stored("shop-000"), "another one took over")
        took = time.monotonic() - begin
    assert took < TAKEOVER_S
    fleet.workers.remove(killed)
    fleet.stop()
    fleet.judged()
    print(f"taken over after {took:.1f} s")


def test_a_worker_that_is_paused_past_its_lease_stores_nothing_of_it(fleet, controllers):
    fleet.schedule(6)
    fleet.start(3)
    fleet.wait_until_each_stored(1)
    with controllers.held("shop-000") as held:
        fleet.due_now()
        held.wait()
        paused = fleet.worker_of("shop-000")
        paused.pause()
        before = fleet.stored("shop-000")
        judge.wait_for(lambda: fleet.stored("shop-000") > before, "another one took over")
    paused.resume()
    judge.wait_for(
        lambda: [row for row in paused.results() if row["outcome"] == "lost"],
        "the paused one found that its poll is no longer its own",
    )
    done = len(paused.results())
    judge.wait_for(
        lambda: fleet.due_now() or len(paused.results()) > done, "it polls others afterwards"
    )
    fleet.stop()
    fleet.judged()
    assert held.round not in judge.rounds(fleet.url, "shop-000")


def test_a_worker_that_is_paused_while_it_stores(fleet):
    """Its transaction has locks: the server ends it, and then another worker polls."""


@pytest.mark.parametrize("broker", ["rabbitmq", "redis"], indirect=True)
def test_a_broker_that_is_restarted(fleet, controllers, broker):
    fleet.schedule(10)
    fleet.start(3)
    fleet.wait_until_each_stored(1)
    for how in (None, signal.SIGKILL):
        with controllers.held("shop-000") as held:  # one is in the middle of a poll
            fleet.due_now()
            held.wait()
            broker.restart(how)
        fleet.due_now()
        fleet.wait_until_each_stored(2)
    fleet.stop()
    fleet.judged()


def test_a_database_that_is_restarted(fleet, controllers, server):
    fleet.schedule(10)
    fleet.start(3)
    fleet.wait_until_each_stored(1)
    for how in (FAST, IMMEDIATE):
        with controllers.held("shop-000") as held:
            fleet.due_now()
            held.wait()
            server.restart(how)
        fleet.due_now()
        fleet.wait_until_each_stored(2)
    assert all(each.runs for each in fleet.workers)
    fleet.stop()
    fleet.judged()


def test_a_worker_whose_clock_is_wrong(fleet, controllers):
    """It polls no earlier and no later for it, and stores times of the database's clock."""
    fleet.schedule(6)
    begin = time.time()
    for seconds in (MINUTES, -MINUTES):
        fleet.start(clock_s=seconds)
    fleet.start()
    fleet.wait_until_each_stored(3)
    took = time.time() - begin
    fleet.stop()
    complete = fleet.judged()
    most = took / int(EVERY[:-1]) + 2
    assert all(len(own) <= most for own in complete.values())
    ((first, last),) = judge.rows(fleet.url, "SELECT min(started_at), max(ended_at) FROM run")
    assert begin - 5 < first / 1e6 < last / 1e6 < begin + took + BUSY_S
    assert all(each.results() for each in fleet.workers)
