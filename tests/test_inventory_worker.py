"""flexlocal worker, schedule and due: workers as processes that are killed and paused, and Celery's part of it."""

import datetime
import json
import signal
import subprocess
import sys
import threading

import pytest

from flexlocal import inventories, terminal, worker_celery
from flexlocal.__main__ import main
from flexlocal.options import BadUsage
from flexlocal.poll_task import Result
from flexlocal.worker import LONGEST_POLL_S, Claims, DatabaseTime
from inventory import Inventory
from inventory.errors import NotMine
from tests.inventories import ROOT, UTC, rows
from tests.test_inventory_due import clock_moves_on, one, planned, store
from tests.test_poll import account

NEEDS_CELERY = sys.version_info < (3, 10)
# A worker whose handler says that it polls, and goes on when it gets a line.
HELD = """
import sys
from flexlocal.__main__ import main
from modules.servers import main as servers
get = servers.get
def held(event, context):
    print("polling", file=sys.__stderr__, flush=True)
    sys.stdin.readline()
    return get(event, context)
servers.get = held
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def run(inventory_url, monkeypatch, capsys):
    monkeypatch.setenv(inventories.VARIABLE, inventory_url)
    monkeypatch.setattr(terminal, "verbose", False)

    def call(*arguments):
        status = main(list(arguments))
        out, err = capsys.readouterr()
        return status, out, err

    return call


def worker(url, *before, grace="30s"):
    command = [sys.executable, *(before or ("-m", "flexlocal")), "worker", "--inventory", url]
    command += ["--account", "demo-juju", "--lease", "2s", "--grace", grace]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, text=True, stdin=pipe, stdout=pipe, stderr=pipe)


def line_with(text, lines):
    return next(line for line in lines if text in line)


# --- processes ---


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_another_worker_polls_what_a_killed_or_a_paused_one_had(run, inventory_url, number):
    assert run("schedule", "--account", "demo-juju", "--family", "servers", "--every", "1d")[0] == 0
    with worker(inventory_url, "-c", HELD) as first, safety(first):
        line_with("polling", first.stderr)
        first.send_signal(number)
        with worker(inventory_url) as second, safety(second):
            line_with("demo-juju servers: complete, 7 resources", second.stdout)
            second.send_signal(signal.SIGTERM)
            assert second.wait(60) == 0
        if number == signal.SIGSTOP:
            first.send_signal(signal.SIGCONT)
            first.stdin.write("\n")
            first.stdin.flush()
            assert "lost" in line_with("demo-juju servers", first.stdout)
            first.send_signal(signal.SIGTERM)
            assert first.wait(60) == 0
    with Inventory(inventory_url) as inventory:
        assert len(rows(inventory, "run")) == 1
        row = one(inventory, ("demo-juju", "servers", "get"))
        assert (row.outcome, row.worker) == ("complete", None)
        assert row.attempt >= 2
        assert inventory.check() == []


class safety:
    """A process that hangs is killed after two minutes, which ends its pipes, and fails the test."""

    def __init__(self, process):
        self._process = process
        self._timer = threading.Timer(120, process.kill)

    def __enter__(self):
        self._timer.start()

    def __exit__(self, *_):
        self._timer.cancel()
        self._process.kill()


def test_a_worker_stops_by_sigterm_and_gives_up_what_does_not_end(run, inventory_url):
    run("schedule", "--account", "demo-juju", "--family", "servers", "--every", "1d")
    with worker(inventory_url, "-c", HELD, grace="0s") as process, safety(process):
        line_with("polling", process.stderr)
        process.send_signal(signal.SIGTERM)
        line_with("demo-juju servers: given up", process.stderr)
        assert process.wait(60) == 1
    with Inventory(inventory_url) as inventory:
        assert rows(inventory, "run") == []
        assert inventory.claim("w", 60).attempt == 2  # it was released: no lease to wait for


# --- schedule and due ---


def test_the_schedule_and_what_is_due(run, inventory):
    status, out, _ = run(
        "schedule", "--account", "demo-*", "--every", "15m", "--status-every", "5m"
    )
    assert status == 0
    count = len(inventory.due())
    assert out.startswith(f"{count} polls in the schedule of ")
    assert out.endswith(f": {count} added, 0 changed, 0 removed\n")
    assert {(each.handler, each.every_s) for each in inventory.due()} == {
        ("get", 900),
        ("get_status", 300),
    }
    inventory.claim("w1", 60)
    status, out, _ = run("due", "--format", "json")
    found = json.loads(out)
    assert len(found) == count
    assert sum(each["worker"] == "w1" for each in found) == 1
    status, out, _ = run("due")
    assert out.splitlines()[-1].startswith(f"{count} scheduled, ")
    assert max(map(len, out.splitlines())) <= 80
    status, out, _ = run("schedule", "--account", "demo-aws", "--family", "servers", "--remove")
    assert out.endswith("0 added, 0 changed, 2 removed\n")


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["schedule"], "--every is missing"),
        (["schedule", "--every", "5s"], "--every '5s' should be a time from 10s"),
        (
            ["schedule", "--every", "15m", "--per-account", "0"],
            "--per-account 0 should be 1 or more",
        ),
        (["worker", "--threads", "0"], "--threads 0 should be 1 or more"),
        (["worker", "--lease", "1s"], "--lease '1s' should be a time from 2s"),
        (["worker", "--family", "server"], "no family 'server'"),
    ],
)
def test_bad_usage(run, arguments, text):
    status, _, err = run(*arguments)
    assert status == 2
    assert text in err


# --- the claims of a process ---


def test_a_poll_that_hangs_loses_its_lease(inventory):
    seconds = [0.0]
    inventory.plan([planned()])
    claims = Claims(inventory, {"shop": account()}, (), 60, "w1", lambda: seconds[0])
    task = claims.next()
    seconds[0] = LONGEST_POLL_S
    claims.prolong()
    assert claims.hanging == []
    lease = one(inventory).lease_until
    seconds[0] += 1
    claims.prolong()
    assert claims.hanging == [task]
    assert one(inventory).lease_until == lease


def test_what_could_not_be_stored_is_due_again_soon_and_a_failure_at_its_time(inventory):
    inventory.plan([planned(), planned(family="networks")])
    claims = Claims(inventory, {"shop": account()}, ("servers",), 60, "w1")
    now = claims.now()
    claims.ended(Result(claims.next(), "failed", now, 1.0, not_stored=True), stored=False)
    assert claims.next() is None
    clock_moves_on(inventory, 11)
    task = claims.next()
    assert (task.family, task.claim.attempt) == ("servers", 2)
    claims.ended(Result(task, "failed", now, 1.0), stored=False)
    assert one(inventory).outcome == "failed"
    with pytest.raises(NotMine):
        store(inventory, task.claim)


def test_a_wrong_clock_of_a_worker_is_of_no_account():
    seconds = [5.0]
    now = DatabaseTime(lambda: seconds[0])
    at = datetime.datetime(2020, 1, 1, tzinfo=UTC)
    now.claimed(at)
    seconds[0] = 7.0
    assert now() == at + datetime.timedelta(seconds=2)


# --- Celery ---

with_celery = pytest.mark.skipif(NEEDS_CELERY, reason="Celery is locked for Python 3.10 and newer")


def test_the_settings_are_those_that_were_measured():
    for url in ("amqp://u:p@h/v", "redis://:p@h/0"):
        found = worker_celery.settings(url)
        wanted = {
            "task_acks_late": True,
            "task_reject_on_worker_lost": True,
            "task_ignore_result": True,
            "task_serializer": "json",
            "accept_content": ["json"],
            "task_time_limit": 630,
            "worker_prefetch_multiplier": 1,
            "worker_max_tasks_per_child": 200,
            "worker_cancel_long_running_tasks_on_connection_loss": False,
            "broker_connection_retry_on_startup": True,
        }
        assert {key: found[key] for key in wanted} == wanted
        transport = found["broker_transport_options"]
        assert transport == (
            {"visibility_timeout": 720} if url[0] == "r" else {"confirm_publish": True}
        )


@with_celery
def test_celery_knows_all_of_the_settings():
    from celery.app.defaults import NAMESPACES, flatten

    known = {name for name, _ in flatten(NAMESPACES)}
    assert set(worker_celery.settings("amqp://h")) <= known


@with_celery
def test_a_message_for_each_poll_that_could_be_claimed_and_none_holds_anything():
    """In memory. As many as are due, less those that wait; a worker takes them, however many come too many."""
    app = worker_celery.make_app("memory://", lambda: None, {"broker_transport_options": {}})
    due = [3]
    sender = worker_celery.Sender(app, lambda: due[0])
    sender.look()
    assert sender.waiting() == 3
    due[0] = 5
    sender.look()
    sender.look()
    assert sender.waiting() == 5
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue(worker_celery.QUEUE)
        message = queue.get(timeout=60)
        body = message.payload
        assert body[:2] == [[], {}]
        assert message.headers["task"] == worker_celery.LOOK
        assert message.headers["eta"] is None
        assert message.headers["expires"] is None
        queue.clear()


@with_celery
def test_a_message_lets_a_worker_claim_and_poll(inventory):
    from celery.contrib.testing.worker import start_worker

    inventory.plan([planned()])
    polled = threading.Event()

    def look():
        claim = inventory.claim("w1", 60)
        if claim is not None:
            store(inventory, claim)
            polled.set()

    app = worker_celery.make_app(
        "memory://", look, {"broker_transport_options": {"polling_interval": 0.01}}
    )
    sender = worker_celery.Sender(app, inventory.claimable)
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=60):
        sender.look()
        app.send_task(worker_celery.LOOK)  # one too many does no harm
        assert polled.wait(60)
    assert len(rows(inventory, "run")) == 1


@with_celery
def test_a_worker_that_hears_nothing_notices(monkeypatch):
    seconds, busy = [0.0], [False]
    hearing = worker_celery.Hearing(lambda: seconds[0], deaf_s=30)
    monkeypatch.setattr(worker_celery.Hearing, "busy", staticmethod(lambda: busy[0]))
    assert not hearing.silent()
    seconds[0] = 31
    assert hearing.silent()
    assert not hearing.deaf(waiting=0)
    assert not hearing.deaf(waiting=4)  # since now
    seconds[0] = 50
    hearing.heard()
    assert not hearing.deaf(waiting=4)
    for seconds[0] in (85, 100):
        assert not hearing.deaf(waiting=4)
    seconds[0] = 116
    assert hearing.deaf(waiting=4)
    busy[0] = True
    assert not hearing.deaf(waiting=4)
    assert not hearing.silent()


@with_celery
@pytest.mark.parametrize("url", ["http://h", "amqp:///", "redis://h:port", "s3cret"])
def test_a_broker_that_is_none(url):
    with pytest.raises(BadUsage, match="--broker should be a URL") as raised:
        worker_celery.check(url)
    assert url not in str(raised.value)


def test_a_brokers_password_is_masked():
    assert (
        worker_celery.masked("amqps://cmp:s3cret@mq:5671/v?x=s3cret") == "amqps://cmp:***@mq:5671/v"
    )
    assert worker_celery.masked("redis://:s3cret@mq/0") == "redis://:***@mq/0"
    assert worker_celery.masked("redis://mq/0") == "redis://mq/0"


def test_without_celery_one_clear_line(run, monkeypatch):
    monkeypatch.setattr(worker_celery.importlib.util, "find_spec", lambda name: None)
    status, _, err = run("worker", "--broker", "redis://:s3cret@h/0")
    assert (status, err.count("\n")) == (2, 1)
    assert "Python 3.10 or newer" in err
    assert "s3cret" not in err
