"""Workers on real servers that are killed, paused and cut off, with each broker and without one.

What they stored is judged from the database afterwards: see tests/cluster/judge.py.
"""

import signal
import time
from urllib.parse import urlsplit

import pytest
import requests

from tests import postgresql
from tests.cluster import judge, leaks, services
from tests.cluster.conftest import EVERY, LEASE_S
from tests.cluster.provider import THROTTLED
from tests.daemons import free_port
from tests.fakes.canaries import FORMS, PASSWORD
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
    fleet.wait_until_each_stored(1)  # also what else the killed one had claimed
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
    seen = len(paused.results())
    paused.resume()

    def polls_again():
        fleet.due_now()
        return [row for row in paused.results()[seen:] if row["outcome"] == "complete"]

    judge.wait_for(polls_again, "the one that was paused makes other polls")
    fleet.stop()
    fleet.judged()
    assert held.round not in judge.rounds(fleet.url, "shop-000")


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


@pytest.mark.parametrize("broker", ["none"], indirect=True)
def test_workers_behind_pgbouncer(fleet):
    fleet.schedule(10)
    with services.pgbouncer(fleet.url) as pooler:
        fleet.start(3, database=pooler.url)
        for _ in range(3):
            fleet.wait_until_each_stored(1)
            fleet.due_now()
        fleet.stop()
    fleet.judged()


@pytest.mark.parametrize("broker", ["none"], indirect=True)
def test_a_throttled_provider_is_polled_no_faster_by_ten_workers_than_by_one(fleet, controllers):
    """Of a provider that may be polled once at a time, one account is throttled: it rests, whoever else has time."""
    fleet.schedule(4, "--per-provider", "1")
    controllers.refuse["shop-000"] = THROTTLED, "100000"  # so long that no poll waits for it
    counts = []
    for more in (1, 9):
        judge.rows(fleet.url, "UPDATE due_account SET not_before = 0 RETURNING 1")
        before = len(controllers.requests)
        fleet.start(more)
        judge.wait_for(
            lambda: all('"started"' in each.text() for each in fleet.workers), "all are there"
        )
        judge.wait_for(
            lambda: any(
                status == THROTTLED
                for _, status, _ in controllers.requests[before:]  # noqa: B023
            ),
            "the account is throttled",
        )
        for _ in range(5):
            fleet.due_now()
            fleet.wait_until_each_stored(1, but="shop-000")
        counts.append(sum(name == "shop-000" for name, _, _ in controllers.requests[before:]))
    fleet.stop()
    assert controllers.most_at_once == 1
    assert counts[0] == counts[1] <= 2
    judge.check(fleet.url, controllers.count)


def test_no_secret_is_where_others_can_read(fleet, controllers, server, broker):
    """In no file of the broker's and the database's, and in nothing that workers write."""
    fleet.schedule(6, secret=PASSWORD)
    controllers.refuse["shop-001"] = 403, " ".join(form(PASSWORD) for form in FORMS.values())
    with controllers.held("shop-000") as held:
        ports = {}
        for port in (free_port(), free_port()):
            fleet.start(1, "--listen", f"127.0.0.1:{port}")
            ports[fleet.workers[-1]] = port
        held.wait()
        killed = fleet.worker_of("shop-000")
        del ports[killed]
        killed.kill()  # what it was told to do is still in the broker
        fleet.wait_until_each_stored(1)
        if broker:
            assert leaks.in_files(leaks.files(broker.folder), PASSWORD) == {}
            broker.restart()  # it writes all that it knows
            fleet.due_now()
            fleet.wait_until_each_stored(1)
            assert leaks.in_files(leaks.files(broker.folder), PASSWORD) == {}
    fleet.workers.remove(killed)
    metrics = fleet.folder / "metrics"
    (port,) = ports.values()
    metrics.write_text(requests.get(f"http://127.0.0.1:{port}/metrics", timeout=judge.WAIT_S).text)
    assert "failed" in metrics.read_text()
    fleet.stop()
    assert {*judge.runs(fleet.url)["shop-001"]} == {"failed"}
    judge.rows(fleet.url, "SELECT pg_switch_wal()")
    assert leaks.in_files(leaks.files(server.folder), PASSWORD) == {}
    dump = fleet.folder / "dump.sql"
    dump.write_text(postgresql.dump(fleet.url))
    logs = [each.log for each in (killed, *fleet.workers)]
    assert leaks.in_files([dump, metrics, *logs], PASSWORD) == {}
    passwords = {urlsplit(each.url).password for each in (server, broker) if each}
    for log in logs:
        assert not [each for each in passwords if each in log.read_text()]
