"""flexlocal poll: what is stored of complete, partial and failed polls, points, several polls at once, stopping."""

import datetime
import functools
import itertools
import json
import os
import queue
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flexlocal import accounts, poll, poll_snapshots, poll_task, poll_workers, terminal
from flexlocal.__main__ import main
from flexlocal.account import TO_BE_ASKED, Account, AccountsError
from flexlocal.poll_credentials import KEPT_S, Credentials
from flexlocal.poll_report import Report
from flexlocal.poll_task import COMPLETE, FAILED, GIVEN_UP, PARTIAL, Result, Store, Task
from inventory.errors import Locked
from shared.engine import poll as engine
from shared.engine.contracts import Cell
from shared.engine.errors import Absent, InvalidCredentials, Unreachable
from shared.engine.traffic import Traffic
from tests.inventories import ROOT, UTC, at, ids
from tests.test_run import Provider, Scope, convert, fetch

pytest.importorskip("apscheduler")

PAGE = (ROOT / "docs" / "operate" / "polling.md").read_text(encoding="utf-8")
SECRET = "s3cr3t-canary"
CREDENTIALS = {"user": "reader", "password": SECRET}
ACCOUNTS = f"""
version: 1
accounts:
  shop: {{provider: fake, credentials: {{user: reader, password: {SECRET}}}}}
  lab: {{provider: fake, credentials: {{user: reader, password: {SECRET}}}}}
"""
WAIT_S = (
    60  # for another thread that is about to do something: a test that needs this long has failed
)


class Clock:
    """Each look at it is a second later."""

    def __init__(self):
        self._seconds = itertools.count()

    def __call__(self):
        return at(0) + datetime.timedelta(seconds=next(self._seconds))


def account(name="shop", **credentials):
    return Account(name, "fake", {**CREDENTIALS, **credentials}, {}, False)


def scope(name, *names, error=None):
    return Scope(name, [[{"id": each} for each in names]], error)


@pytest.fixture
def provider(monkeypatch, tmp_path):
    """A provider whose scopes the test plans, and a family with a cell for it."""
    (tmp_path / "fake.py").write_text("")
    family, cell = types.ModuleType("modules.things"), types.ModuleType("modules.things.fake")
    family.__path__ = [str(tmp_path)]
    cell.CELL = Cell(calls="", permissions=(), fetch=fetch, convert=convert)
    handlers = types.ModuleType("modules.things.main")
    handlers.get = lambda event, context: engine.poll("things", event, context)
    made = Provider(cell)
    made.handlers = handlers
    monkeypatch.setitem(sys.modules, "modules.things", family)
    monkeypatch.setitem(sys.modules, "modules.things.fake", cell)
    monkeypatch.setitem(sys.modules, "modules.things.main", handlers)
    monkeypatch.setitem(sys.modules, "shared.providers.fake", made)
    return made


@pytest.fixture
def store(inventory):
    return Store(inventory, Clock())


def present(inventory, **wanted):
    return ids(inventory.list(**wanted))


# --- scopes ---------------------------------------------------------------------------------------


def test_resources_are_stored_by_scope(provider, store, inventory):
    provider.planned = [scope("eu", "a", "b"), scope("us", "b", "c"), scope("mars")]
    result = poll_task.poll(Task(account(), "things"), store)
    assert (result.outcome, result.error, result.count, result.added) == (COMPLETE, None, 3, 3)
    assert present(inventory, scope="eu") == ["a", "b"]
    assert present(inventory, scope="us") == ["c"]
    assert inventory.coverage(account="shop").absence().startswith("nowhere, in 3 of 3 scopes")
    assert inventory.show("a").entry.provider == "fake"


def test_what_a_failed_scope_held_stays_and_its_error_is_stored(provider, store, inventory):
    provider.planned = [scope("eu", "a", "b"), scope("us", "c")]
    poll_task.poll(Task(account(), "things"), store)
    provider.planned = [scope("eu", "b"), scope("us", error=Unreachable(f"no answer for {SECRET}"))]
    result = poll_task.poll(Task(account(), "things"), store)
    assert (result.outcome, result.count, result.gone) == (PARTIAL, 1, 1)
    assert result.error.startswith("Unreachable: us: no answer for ***.")
    assert present(inventory) == ["b", "c"]
    (failed,) = inventory.coverage().failed
    assert failed.scope == "us"
    assert failed.error == result.error


def test_a_poll_counts_its_calls_and_their_retries_also_when_it_fails(provider, store, inventory):
    def get(event, context):
        traffic = Traffic(context.watch)
        threads = [threading.Thread(target=traffic.count) for _ in range(20)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(WAIT_S)
        traffic.count(retry=True)
        return answer(event, context)

    answer, provider.handlers.get = provider.handlers.get, get
    watched = []
    provider.planned = [scope("eu", "a")]
    result = poll_task.poll(
        Task(account(), "things"), store, lambda kind, scope, **facts: watched.append(kind)
    )
    assert (result.outcome, result.calls, result.retries) == (COMPLETE, 22, 1)
    assert watched.count("calls") == 22  # the last is the login
    provider.login_error = InvalidCredentials("refused")
    result = poll_task.poll(Task(account(), "things"), store)
    assert (result.outcome, result.calls, result.retries) == (FAILED, 22, 1)
    (source,) = inventory.costs(at(0)).sources
    assert (source.polls, source.incomplete, source.calls, source.retries) == (2, 1, 22, 1)


def test_views_for_sql_are_renewed_where_there_are_any(provider, store, inventory, monkeypatch):
    provider.planned = [scope("eu", "a")]
    poll_task.poll(Task(account(), "things"), store)
    assert not inventory.has_views()
    inventory.renew_views()
    provider.planned = [scope("eu", "a", "b")]
    poll_task.poll(Task(account(), "things"), store)
    assert inventory.sql("SELECT id FROM resources ORDER BY id").rows == (("a",), ("b",))
    provider.planned = [scope("eu", error=Unreachable("down"))]
    poll_task.poll(Task(account(), "things"), store)
    (failed,) = inventory.sql("SELECT error FROM scopes").rows
    assert failed[0].startswith("Unreachable")

    def refuse(self):
        raise Locked("another process is writing", "try again")

    monkeypatch.setattr("inventory.inventory.Inventory.renew_views", refuse)
    provider.planned = [scope("eu", "a")]
    assert poll_task.poll(Task(account(), "things"), store).outcome == COMPLETE
    assert present(inventory) == ["a"]


@pytest.mark.parametrize(
    "planned",
    [
        [scope("eu", error=Unreachable("down")), scope("us", error=Unreachable("down"))],
        [scope("eu", error=Absent("no such service")), scope("us", error=Absent("not here"))],
        [scope("eu", error=Absent("no such service")), scope("us", error=Unreachable("down"))],
    ],
)
def test_a_poll_that_fails_in_every_scope_changes_nothing(provider, store, inventory, planned):
    provider.planned = [scope("eu", "a"), scope("us", "b")]
    poll_task.poll(Task(account(), "things"), store)
    provider.planned = planned
    assert poll_task.poll(Task(account(), "things"), store).outcome == FAILED
    assert present(inventory) == ["a", "b"]
    assert [each.scope for each in inventory.coverage().failed] == ["eu", "us"]


def test_a_login_that_fails_is_a_failure_of_every_scope(provider, store, inventory):
    provider.planned = [scope("eu", "a")]
    poll_task.poll(Task(account(), "things"), store)
    provider.login_error = InvalidCredentials(f"{SECRET} is wrong")
    result = poll_task.poll(Task(account(), "things"), store)
    assert result.outcome == FAILED
    assert "*** is wrong" in result.error
    assert present(inventory) == ["a"]
    assert [each.error for each in inventory.coverage().failed] == [result.error]


def test_who_wants_all_or_nothing_gets_nothing_of_a_partial_poll(provider, store, inventory):
    provider.planned = [scope("eu", "a"), scope("us", error=Unreachable("down"))]
    task = Task(account(), "things", options={"allow_partial": False})
    assert poll_task.poll(task, store).outcome == FAILED
    assert present(inventory) == []


@pytest.mark.parametrize(
    "credentials, only_scopes, left",
    [
        ({}, (), ["a"]),
        ({}, ("eu",), ["a", "b"]),
        ({"regions": ["eu"]}, (), ["a", "b"]),
        ({"OS_REGION_NAME": "eu"}, (), ["a", "b"]),
        ({"regions": []}, (), ["a"]),
    ],
)
def test_what_a_scope_held_is_gone_with_it_unless_the_account_only_chose_others(
    provider, store, inventory, credentials, only_scopes, left
):
    provider.planned = [scope("eu", "a"), scope("us", "b")]
    poll_task.poll(Task(account(), "things"), store)
    provider.planned = [scope("eu", "a")]
    task = Task(account(), "things", only_scopes=only_scopes)
    resolved = account(**credentials)  # only then is it known what they are
    assert poll_task.poll(task, store, resolve=lambda _: resolved).outcome == COMPLETE
    assert present(inventory) == left


def test_a_scope_without_the_service_holds_nothing(provider, store, inventory):
    provider.planned = [scope("eu", "a"), scope("us", "b")]
    poll_task.poll(Task(account(), "things"), store)
    provider.planned = [scope("eu", "a"), scope("us", error=Absent("not here"))]
    assert poll_task.poll(Task(account(), "things"), store).outcome == COMPLETE
    assert present(inventory) == ["a"]


@pytest.fixture(scope="module")
def shared_inventory(tmp_path_factory):
    from inventory import Inventory

    file = tmp_path_factory.mktemp("poll") / "inventory.db"
    with Inventory(file, create=True) as opened:
        yield opened
        assert opened.check() == []


SCOPES = ("eu", "us", "mars")
HELD = st.frozensets(st.sampled_from("abc"))
WORLDS = st.lists(
    st.fixed_dictionaries(
        {name: st.one_of(HELD, st.sampled_from(["failed", "absent", "removed"])) for name in SCOPES}
    ),
    min_size=2,
    max_size=6,
)
EXAMPLES = int(os.environ.get("EXAMPLES", "6"))
numbers = itertools.count()


def world(eu, us, mars="removed"):
    return {"eu": eu, "us": us, "mars": mars}


@given(worlds=WORLDS)
@example(  # stored in the one scope, then only the other may hold it, for several polls
    worlds=[
        world(frozenset("a"), frozenset("a")),
        world(frozenset(), "failed"),
        world(frozenset("b"), "failed"),
        world(frozenset(), frozenset()),
    ]
)
@example(  # seen in the one scope while the other, which had it before, fails
    worlds=[
        world(frozenset("a"), frozenset()),
        world("failed", frozenset("a")),
        world("failed", frozenset()),
        world(frozenset(), frozenset()),
    ]
)
@example(  # stored in a scope that is removed, while another one may hold it
    worlds=[
        world(frozenset("a"), frozenset(), frozenset("a")),
        world("removed", frozenset(), "failed"),
        world("removed", frozenset("b"), "failed"),
        world("removed", frozenset(), frozenset()),
    ]
)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_nothing_is_gone_that_a_scope_may_hold(provider, shared_inventory, worlds):
    """Whatever fails, is absent, or is removed, and however many scopes hold a resource."""
    name, store = f"account-{next(numbers)}", Store(shared_inventory, Clock())
    known = {}  # what each scope held when it was polled last
    for world in worlds:
        provider.planned = [
            scope(each, error={"failed": Unreachable("down"), "absent": Absent("not here")}[found])
            if isinstance(found, str)
            else scope(each, *sorted(found))
            for each, found in world.items()
            if found != "removed"
        ]
        result = poll_task.poll(Task(account(name), "things"), store)
        if any(isinstance(found, frozenset) for found in world.values()):
            for each, found in world.items():
                if found == "removed":
                    known.pop(each, None)
                elif found != "failed":
                    known[each] = set() if found == "absent" else found
        else:
            assert result.outcome == FAILED
        assert set(present(shared_inventory, account=name)) == set().union(*known.values())


def test_a_handler_that_returns_something_else_than_its_scopes_hold_is_not_believed(
    provider, store, inventory
):
    provider.planned = [scope("eu", "a", "b")]
    poll_task.poll(Task(account(), "things"), store)
    get = provider.handlers.get
    provider.handlers.get = lambda event, context: get(event, context)[:1]
    result = poll_task.poll(Task(account(), "things"), store)
    assert result.outcome == FAILED
    assert "other resources than the handler returned" in result.error
    assert "Traceback" in result.trace
    assert present(inventory) == ["a", "b"]


def test_a_resource_that_is_not_as_the_schema_says_is_a_failed_poll(provider, store, inventory):
    provider.planned = [scope("eu", "a")]
    get = provider.handlers.get

    def without_name(event, context):
        (resource,) = get(event, context)
        del resource["base"]["name"]
        return [resource]

    provider.handlers.get = without_name
    result = poll_task.poll(Task(account(), "things"), store)
    assert result.error.startswith("InvalidResource: ")
    assert [each.error for each in inventory.coverage().failed] == [result.error]


def test_an_inventory_that_shrank_by_half_is_a_warning_in_another_process_too(
    provider, store, capsys
):
    for names in ("abcdef", "a"):
        provider.planned = [scope("eu", *names)]
        poll_task.poll(Task(account(), "things"), store)
    assert "shrunk family=things resources=1 last=6" in capsys.readouterr().out


def test_of_two_polls_at_once_the_second_makes_no_call(provider, inventory, inventory_url):
    from inventory import Inventory

    provider.planned = [scope("eu", "a")]
    get, seconds = provider.handlers.get, []

    def while_another_polls(event, context):
        resources = get(event, context)
        logins = provider.logins
        with Inventory(inventory_url) as another:
            for task in (Task(account(), "things"), Task(account(), "things", "get_status")):
                seconds.append(poll_task.poll(task, Store(another)))
            assert provider.logins == logins
            provider.handlers.get = get
            other_account = poll_task.poll(Task(account("lab"), "things"), Store(another))
            assert other_account.outcome == COMPLETE
        return resources

    provider.handlers.get = while_another_polls
    assert poll_task.poll(Task(account(), "things"), Store(inventory)).outcome == COMPLETE
    for second in seconds:
        assert second.outcome == FAILED
        assert second.error.startswith("BeingPolled: another process is polling shop things into ")
        assert second.trace is None
    assert present(inventory, account="shop") == ["a"]
    assert inventory.coverage().complete  # the second ones are no failures of its scopes
    provider.planned = [scope("eu")]
    assert poll_task.poll(Task(account(), "things"), Store(inventory)).gone == 1


def test_a_scope_that_there_is_not_is_no_failure_of_those_that_there_are(
    provider, store, inventory
):
    provider.planned = [scope("eu", "a"), scope("us", "b")]
    poll_task.poll(Task(account(), "things"), store)
    result = poll_task.poll(Task(account(), "things", only_scopes=("uss",)), store)
    assert result.outcome == FAILED
    assert "no scope 'uss'; there are eu, us; did you mean 'us'?" in result.error
    assert inventory.coverage().complete


def test_no_secret_is_in_the_database_or_in_a_log(provider, tmp_path, capsys):
    from inventory import Inventory

    file = tmp_path / "secret.db"
    with Inventory(file, create=True) as inventory:
        store = Store(inventory, Clock())
        for planned in (
            [scope("eu", "a", error=Unreachable(f"a {SECRET}")), scope("us", "b")],
            [scope("eu", error=Unreachable(f"password={SECRET}"))],
            [scope("eu", error=ZeroDivisionError(SECRET))],
        ):
            provider.planned = planned
            assert poll_task.poll(Task(account(), "things"), store).error
        provider.login_error = InvalidCredentials(SECRET)
        result = poll_task.poll(Task(account(), "things"), store)
        provider.handlers.get = lambda event, context: 1 // (event["credentials"] == 0)
        poll_task.poll(Task(account(), "things"), store)
        assert SECRET not in repr(result)
    with sqlite3.connect(file) as connection:
        dump = "\n".join(connection.iterdump())
    assert "is wrong" in dump or "InvalidCredentials" in dump
    stored = dump.encode() + b"".join(each.read_bytes() for each in tmp_path.glob("secret.db*"))
    out, err = capsys.readouterr()
    assert SECRET.encode() not in stored
    assert SECRET not in out + err


def test_an_account_whose_credentials_cannot_be_had_is_a_failed_poll(provider, store, inventory):
    def resolve(account):
        raise AccountsError(f"account {account.name!r}: credentials.password refers to nothing")

    result = poll_task.poll(Task(account(), "things"), store, resolve=resolve)
    assert result.outcome == FAILED
    assert result.error.endswith("refers to nothing")
    assert result.trace is None
    assert provider.logins == 0
    assert [each.error for each in inventory.coverage().failed] == [result.error]


# --- points ---------------------------------------------------------------------------------------


def metric(minute):
    time = at(minute).isoformat().replace("+00:00", "Z")
    names = {"resource_id": "a", "resource_type": "network", "metric": "in", "unit": "bytes"}
    return {**names, "value": minute, "time": time}


def test_each_point_comes_once_and_the_next_poll_goes_on_where_the_last_one_ended(
    provider, store, inventory
):
    seen = []

    def get_metrics(event, context):
        number = len(seen)
        seen.append(
            (event.get("last_update"), event["poll_interval"], context.state.get("metrics"))
        )
        context.state.set("metrics", f"state {number}")
        return {"metrics": [metric(number), metric(number + 1)], "last_update": f"update {number}"}

    def get_logs(event, context):
        context.state.set("logs", "of the logs")
        return {"logs": [], "last_update": "of the logs"}

    provider.handlers.get_metrics, provider.handlers.get_logs = get_metrics, get_logs
    metrics = Task(account(), "things", "get_metrics", every_s=900)
    results = [
        poll_task.poll(each, store)
        for each in (metrics, Task(account(), "things", "get_logs"), metrics)
    ]
    assert [(each.outcome, each.count, each.added) for each in results] == [
        (COMPLETE, 2, 2),
        (COMPLETE, 0, 0),
        (COMPLETE, 2, 1),
    ]
    assert seen == [(None, 900, None), ("update 0", 900, "state 0")]
    assert inventory.state("shop", "things") == {"metrics": "state 1", "logs": "of the logs"}
    assert inventory.last_update("shop", "things", "get_metrics") == "update 1"
    assert len(inventory.points("get_metrics", "a")) == 3


def test_a_poll_of_points_that_fails_is_made_up_by_the_next_one(provider, store, inventory):
    def get_metrics(event, context):
        context.state.set("metrics", "lost")
        raise Unreachable("down")

    inventory.store_points(
        "shop", "things", "get_metrics", [], provider="fake", last_update="then", state={"a": 1}
    )
    provider.handlers.get_metrics = get_metrics
    result = poll_task.poll(Task(account(), "things", "get_metrics"), store)
    assert (result.outcome, result.error) == (FAILED, str(f"Unreachable: {Unreachable('down')}"))
    assert inventory.last_update("shop", "things", "get_metrics") == "then"
    assert inventory.state("shop", "things") == {"a": 1}


def test_the_state_that_another_process_keeps_meanwhile_stays(provider, store, inventory):
    def get_status(event, context):
        kept = {"old": 1, "deleted": 1, "theirs": 2}
        inventory.store_points("shop", "things", "get_logs", [], provider="fake", state=kept)
        context.state.delete("deleted")
        context.state.set("ours", 3)
        return {"status": [], "last_update": "now"}

    inventory.store_points(
        "shop", "things", "get_logs", [], provider="fake", state={"old": 1, "deleted": 1}
    )
    provider.handlers.get_status = get_status
    poll_task.poll(Task(account(), "things", "get_status"), store)
    assert inventory.state("shop", "things") == {"old": 1, "theirs": 2, "ours": 3}


@pytest.mark.usefixtures("no_network")
def test_a_replay_begins_anew_each_time(store, inventory):
    task = Task(accounts.demo()["demo-openstack"], "servers", "get_metrics")
    first, second = (poll_task.poll(task, store) for _ in range(2))
    assert first.count == first.added > 0
    assert (second.outcome, second.count, second.added) == (COMPLETE, first.count, 0)


# --- workers --------------------------------------------------------------------------------------


class Blocked:
    """Tasks that begin, and end when the test says so."""

    def __init__(self):
        self.begun = queue.SimpleQueue()
        self._may_end = {}

    def run(self, task):
        may_end = self._may_end.setdefault(task, threading.Event())
        self.begun.put(task)
        assert may_end.wait(WAIT_S)
        return Result(task, COMPLETE, at(0), 0.0)

    def next(self):
        return self.begun.get(timeout=WAIT_S)

    def end(self, task):
        self._may_end[task].set()


def test_workers_are_bounded_and_never_run_two_polls_of_one_source(provider):
    blocked, events = Blocked(), queue.SimpleQueue()
    workers = poll_workers.Workers(blocked.run, 2, events)
    shop, status = Task(account(), "things"), Task(account(), "things", "get_status")
    lab, third = Task(account("lab"), "things"), Task(account("third"), "things")
    for task in (shop, status, lab, third):
        assert workers.add(task)
    assert {blocked.next(), blocked.next()} == {shop, lab}
    assert set(workers.running) == {shop, lab}
    assert not workers.add(shop)  # it runs
    assert not workers.add(status)  # it waits
    blocked.end(lab)
    assert blocked.next() is third  # not the status of shop, of which a poll runs
    blocked.end(shop)
    assert blocked.next() is status
    for task in (status, third):
        blocked.end(task)
    assert {events.get(timeout=WAIT_S).task for _ in range(4)} == {shop, status, lab, third}
    assert workers.running == []


def test_what_runs_may_end_and_nothing_else_is_begun(inventory):
    blocked, events, shown = Blocked(), queue.SimpleQueue(), []
    workers = poll_workers.Workers(blocked.run, 1, events)
    first, second = Task(account(), "things"), Task(account("lab"), "things")
    workers.add(first)
    workers.add(second)
    assert blocked.next() is first
    blocked.end(first)
    blocked._may_end[second] = threading.Event()
    blocked.end(second)

    events.put(poll_workers.Stop())
    assert not poll_workers.once([first, second], workers, events, shown.append)


def test_polls_that_do_not_end_in_time_are_given_up_and_store_nothing(provider, inventory):
    blocked, events, shown = Blocked(), queue.SimpleQueue(), []
    store, task = Store(inventory, Clock()), Task(account(), "things")
    provider.planned = [scope("eu", "a")]
    get = provider.handlers.get

    def hangs(event, context):
        resources = get(event, context)
        blocked.run(task)
        return resources

    provider.handlers.get = hangs
    workers = poll_workers.Workers(lambda each: poll_task.poll(each, store), 1, events)
    workers.add(task)
    blocked.next()
    clock = itertools.chain([0.0], itertools.repeat(60.0)).__next__
    assert poll_workers.finish(workers, store, events, shown.append, 60, clock) == [task]
    blocked.end(task)
    assert events.get(timeout=WAIT_S).outcome == GIVEN_UP
    assert shown == []
    assert present(inventory) == []
    assert inventory.coverage().scopes == ()


def test_a_poll_that_was_stored_in_time_is_not_given_up(provider, inventory):
    blocked, events, shown = Blocked(), queue.SimpleQueue(), []
    store, task = Store(inventory, Clock()), Task(account(), "things")
    provider.planned = [scope("eu", "a")]

    def polled(task):
        result = poll_task.poll(task, store)
        blocked.run(task)
        return result

    workers = poll_workers.Workers(polled, 1, events)
    workers.add(task)
    blocked.next()
    close = store.close
    store.close = lambda: (close(), blocked.end(task))
    clock = itertools.chain([0.0], itertools.repeat(60.0)).__next__
    assert poll_workers.finish(workers, store, events, shown.append, 60, clock) == []
    assert [each.outcome for each in shown] == [COMPLETE]


def test_a_second_signal_stops_at_once_also_while_a_poll_is_stored(inventory):
    blocked, events, store = Blocked(), queue.SimpleQueue(), Store(inventory)
    workers = poll_workers.Workers(blocked.run, 1, events)
    task = Task(account(), "things")
    workers.add(task)
    blocked.next()
    close = store.close
    store.close = lambda: (close(), events.put(poll_workers.Stop()))
    clock = itertools.chain([0.0], itertools.repeat(60.0)).__next__
    with store.open(), pytest.raises(KeyboardInterrupt, match="nothing more is stored"):
        poll_workers.finish(workers, store, events, print, 60, clock)
    blocked.end(task)


def test_what_is_stored_too_slowly_is_given_up(inventory):
    blocked, events, store = Blocked(), queue.SimpleQueue(), Store(inventory)
    workers = poll_workers.Workers(blocked.run, 1, events)
    task = Task(account(), "things")
    workers.add(task)
    blocked.next()
    clock = itertools.chain([0.0, 60.0, 60.0], itertools.repeat(90.0)).__next__
    with store.open():
        assert poll_workers.finish(workers, store, events, print, 60, clock) == [task]
    blocked.end(task)


def test_polls_that_end_in_time_are_stored(inventory):
    blocked, events, shown = Blocked(), queue.SimpleQueue(), []
    workers = poll_workers.Workers(blocked.run, 1, events)
    task, waiting = Task(account(), "things"), Task(account("lab"), "things")
    workers.add(task)
    workers.add(waiting)
    assert blocked.next() is task

    def clock():
        blocked.end(task)
        return 0.0

    assert poll_workers.finish(workers, Store(inventory), events, shown.append, 60, clock) == []
    assert [each.task for each in shown] == [task]
    assert blocked.begun.empty()


def test_a_second_signal_stops_at_once(inventory):
    blocked, events = Blocked(), queue.SimpleQueue()
    workers = poll_workers.Workers(blocked.run, 1, events)
    task = Task(account(), "things")
    workers.add(task)
    blocked.next()
    events.put(poll_workers.Stop())
    with pytest.raises(KeyboardInterrupt):
        poll_workers.finish(workers, Store(inventory), events, print, 60, lambda: 0.0)
    blocked.end(task)


# --- every so often -------------------------------------------------------------------------------


@pytest.fixture
def scheduler(monkeypatch):
    """APScheduler's, by a clock that the test sets; ``tick`` does what its thread does when it wakes up."""
    from apscheduler.executors.debug import DebugExecutor
    from apscheduler.schedulers import base

    class Scheduler(base.BaseScheduler):
        now = at(0)

        def wakeup(self):
            pass

        def shutdown(self, wait=True):
            super().shutdown(wait)

        def tick(self, minute):
            Scheduler.now = at(minute)
            self._process_jobs()

    class Datetime(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return Scheduler.now.astimezone(tz)

    monkeypatch.setattr(base, "datetime", Datetime)
    made = Scheduler(timezone=UTC, executors={"default": DebugExecutor()})
    yield made
    made.shutdown()


def test_a_task_is_due_at_once_and_at_each_interval_and_missed_ones_once(scheduler):
    due = []
    often = Task(account(), "things", "get_status", every_s=300)
    seldom = Task(account(), "things", every_s=900)
    poll_workers.schedule([seldom, often], lambda task: due.append(task), scheduler, lambda: 0.0)
    scheduler.start()

    def at_minute(minute):
        due.clear()
        scheduler.tick(minute)
        return list(due)

    assert at_minute(0) == [seldom, often]
    assert at_minute(4.9) == []
    assert at_minute(5) == [often]
    assert at_minute(10) == [often]
    assert set(at_minute(15)) == {seldom, often}
    assert set(at_minute(15 + 12 * 60 + 1)) == {seldom, often}  # asleep for half a day
    assert len(due) == 2
    assert at_minute(15 + 12 * 60 + 2) == []
    assert at_minute(15 + 12 * 60 + 5) == [often]


def test_each_poll_is_late_by_a_part_of_its_interval_and_that_does_not_add_up(scheduler):
    due = []
    often, seldom = Task(account(), "things", every_s=300), Task(account(), "things", every_s=7200)
    poll_workers.schedule(
        [often, seldom], lambda task: due.append((task.every_s, second)), scheduler, lambda: 1.0
    )
    scheduler.start()
    for second in (0, 329, 330, 629, 630, 929, 930, 7259, 7260):
        scheduler.tick(second / 60)
    assert [each for every, each in due if every == 300] == [0, 330, 630, 930, 7259]
    assert [each for every, each in due if every == 7200] == [0, 7260]


def test_a_poll_that_is_due_while_the_last_one_runs_is_left_out():
    blocked, events, late = Blocked(), queue.SimpleQueue(), []
    workers = poll_workers.Workers(blocked.run, 1, events)
    task = Task(account(), "things", every_s=300)

    class Impatient:
        """Everything is due twice at once."""

        def add_job(self, due, trigger, arguments, **options):
            self._due = functools.partial(due, *arguments)

        def start(self):
            self._due()
            blocked.next()
            self._due()
            blocked.end(task)
            events.put(poll_workers.Stop())

        def shutdown(self, wait):
            pass

    shown = []
    poll_workers.again_and_again([task], workers, events, shown.append, late.append, Impatient())
    assert late == [task]


def test_while_a_change_window_is_open_a_task_is_due_more_often(scheduler):
    scheduler.start()  # which the fixture ends
    due, changing = [], []
    task = Task(account(), "things", every_s=3600, window_s=600)
    status = Task(account(), "things", "get_status", every_s=3600)
    events = queue.SimpleQueue()
    events.put(poll_workers.Stop())

    class Workers:
        def add(self, task):
            due.append(task)
            return True

    class Stepping(type(scheduler)):
        """Goes on when it is started, as far as the test wants."""

        def start(self):
            super().start()
            for minute in (0, 11.5, 21.5, 31.5):  # each is late by up to a minute
                due.clear()
                self.tick(minute)
                seen.append(list(due))
                if minute == 11.5:
                    changing.append(True)
            super().shutdown()

        def shutdown(self, wait=True):
            pass

    from apscheduler.executors.debug import DebugExecutor

    seen = []
    stepping = Stepping(timezone=UTC, executors={"default": DebugExecutor()})
    poll_workers.again_and_again(
        [task, status], Workers(), events, print, print, stepping, lambda: bool(changing)
    )
    assert seen == [[task, status], [], [task], [task]]


# --- snapshots ------------------------------------------------------------------------------------


class Days:
    """Looks at the clock come when the test says."""

    def __init__(self, monkeypatch):
        self.now = at(0)
        monkeypatch.setattr("inventory.inventory._now", lambda: self.now)


@pytest.fixture
def polls(provider, inventory, monkeypatch):
    """Polls at a minute, and tells the schedule that they ended; returns how many snapshots there are then."""
    days = Days(monkeypatch)
    tasks = [Task(account(name), "things") for name in ("shop", "lab")]
    provider.planned = [scope("eu", "a")]

    def begin(every_s, window_s=None):
        schedules.append(
            poll_snapshots.Schedule(
                Store(inventory),
                [*tasks, Task(account(), "things", "get_logs")],
                every_s,
                window_s,
                taken.append,
            )
        )

    def ends(minute, *which, at_rest=True):
        days.now = at(minute)
        for number in which or (0, 1):
            store = Store(inventory, lambda: days.now)
            result = poll_task.poll(tasks[number], store)
            last = number == (which or (0, 1))[-1]
            schedules[-1].ended(result, at_rest and last)
        return len(taken)

    schedules, taken = [], []
    ends.begin, ends.taken = begin, taken
    return ends


HOUR = 60


def test_a_snapshot_is_taken_when_the_interval_is_over(polls):
    polls.begin(7 * 24 * 3600)
    assert polls(1, 0) == 0  # not of one account alone
    assert polls(2, 1) == 1
    assert polls.taken[0].runs == (1, 2)
    assert polls(7 * 24 * HOUR) == 1
    assert polls(7 * 24 * HOUR + 2) == 2
    assert polls(7 * 24 * HOUR + 3) == 2
    polls.begin(7 * 24 * 3600)  # the process begins anew
    assert polls(7 * 24 * HOUR + 10) == 2
    assert polls(14 * 24 * HOUR + 3) == 3


def test_a_snapshot_waits_for_polls_to_come_to_rest_but_not_for_ever(polls):
    polls.begin(3600)
    assert polls(1, at_rest=False) == 1  # there is none yet
    assert polls(HOUR + 10, at_rest=False) == 1
    assert polls(2 * HOUR + 10, at_rest=False) == 2
    assert polls(3 * HOUR + 10) == 3


def test_snapshots_are_denser_while_a_change_window_is_open(polls, inventory):
    polls.begin(7 * 24 * 3600, 600)
    assert polls(1) == 1
    assert polls(20) == 1
    inventory.open_window("move")
    assert polls(30) == 2
    assert polls(35) == 2
    assert polls(41) == 3
    assert inventory.close_window("move").window.closed_at
    assert polls(60) == 3
    polls.begin(None, 600)
    assert polls(61) == 3
    inventory.open_window("once more")
    assert polls(62) == 4


def test_without_an_interval_there_is_no_snapshot(polls, inventory):
    polls.begin(None)
    assert polls(1) == 0
    inventory.open_window("move")
    assert polls(2) == 0


def test_a_database_that_is_locked_is_named_and_tried_again(polls, monkeypatch, capsys):
    polls.begin(60, 60)
    with monkeypatch.context() as patch:

        def refuse(*_):
            raise Locked("another process is writing", "try again")

        patch.setattr("inventory.inventory.Inventory.take_snapshot_if_due", refuse)
        patch.setattr("inventory.inventory.Inventory.has_open_window", refuse)
        assert polls(1) == 0
    err = capsys.readouterr().err
    assert "snapshot: another process is writing: try again" in err
    assert polls(2) == 1


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def shop(provider, monkeypatch, tmp_path):
    """The accounts shop and lab, whose provider has the one family."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(poll, "families", lambda: {"things": {"fake": "modules.things.fake"}})
    file = tmp_path / "accounts.yaml"
    file.write_text(ACCOUNTS)
    file.chmod(0o600)
    monkeypatch.setenv("FLEXLOCAL_ACCOUNTS", str(file))
    monkeypatch.setenv("FLEXLOCAL_INVENTORY", str(tmp_path / "inventory.db"))
    provider.planned = [scope("eu", "a", "b")]
    return provider


def test_all_accounts_and_a_summary(shop, new_inventory, tmp_path, capsys):
    assert main(["poll"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == "ACCOUNT FAMILY OUTCOME RESOURCES ADDED CHANGED GONE SECONDS".split()
    assert lines[1].split()[:7] == "shop things complete 2 2 0 0".split()
    assert lines[2].split()[:7] == "lab things complete 2 2 0 0".split()
    assert lines[3:] == [f"2 polls: 2 complete; stored in {tmp_path / 'inventory.db'}"]
    assert "polled family=things" in err


def test_what_a_cell_does_not_have_is_not_polled(shop, capsys):
    assert main(["poll", "--account", "shop", "--handler", "get", "--handler", "get_status"]) == 0
    assert "1 poll: 1 complete" in capsys.readouterr().out


def test_one_error_a_line_and_status_1(shop, capsys):
    shop.planned = [scope("eu", "a"), scope("us", error=Unreachable("down"))]
    assert main(["poll", "--account", "sho*"]) == 1
    out, err = capsys.readouterr()
    assert "1 poll: 1 partial; " in out
    errors = [line for line in err.splitlines() if line.startswith("shop things: ")]
    assert len(errors) == 1
    assert errors[0].startswith("shop things: Unreachable: us: down.")
    shop.login_error = InvalidCredentials("wrong")
    assert main(["poll", "--account", "shop", "--format", "json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["account"], row["family"], row["outcome"]) == ("shop", "things", "failed")
    assert row["error"].startswith("InvalidCredentials: ")


def test_a_bug_is_named_and_shown_with_v(shop, capsys, monkeypatch):
    monkeypatch.setattr(terminal, "verbose", False)
    shop.handlers.get = lambda event, context: 1 // 0
    assert main(["poll", "--account", "shop"]) == 1
    err = capsys.readouterr().err
    assert "shop things: ZeroDivisionError: " in err
    assert "-v shows where" in err
    assert main(["poll", "--account", "shop", "-v"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "form, start",
    [
        ("csv", "account,family,handler,outcome,"),
        ("yaml", "- account: shop\n"),
        ("ndjson", '{"account": "shop", '),
    ],
)
def test_formats_of_the_summary(shop, capsys, form, start):
    assert main(["poll", "--account", "shop", "--format", form]) == 0
    assert capsys.readouterr().out.startswith(start)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--account", "shp"], "no account 'shp'"),
        (["--family", "thing"], "did you mean 'things'?"),
        (["--handler", "get_statu"], "did you mean 'get_status'?"),
        (["--every", "15"], "--every '15' should be a time from 10s to 31d, such as 90s"),
        (["--every", "5s"], "should be a time from 10s"),
        (["--every", "15m", "--once"], "--once and --every exclude each other"),
        (
            ["--status-every", "5m"],
            "--status-every needs --every; once, it is --handler get_status",
        ),
        (["--every", "15m", "--logs-every", "x"], "--logs-every 'x' should be a time"),
        (
            ["--snapshot-every", "7d"],
            "--snapshot-every needs --every; once, it is flexlocal snapshot",
        ),
        (["--every", "1h", "--window-every", "1"], "--window-every '1' should be a time"),
        (
            ["--every", "1h", "--snapshot-every", "7d", "--handler", "get_status"],
            "--snapshot-every needs polls of resources: add --handler get",
        ),
        (["--workers", "0"], "--workers 0 should be 1 or more"),
        (["--grace", "soon"], "--grace 'soon' should be a time from 0s"),
        (["--option", "a"], "--option 'a' should be KEY=VALUE"),
        (["--inventory", "no/such/folder/a.db"], "there is no folder"),
        (["--handler", "get_logs"], "no account has get_logs of a family"),
        (["--account", "demo-aws"], "no cell of provider 'aws'; there are fake"),
        (["--every", "15m", "--format", "yaml"], "choose --format ndjson instead of yaml"),
        (["--sort", "-secnds"], "no column or path 'secnds'; did you mean 'seconds'?"),
        (["--columns", "account,gon"], "no column or path 'gon'; did you mean 'gone'?"),
        (["--filter", "outcom=failed"], "no column or path 'outcom'; did you mean 'outcome'?"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(shop, capsys, arguments, words):
    assert main(["poll", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert len(err.splitlines()) == 1
    assert shop.logins == 0


def test_without_an_account_of_ones_own_the_demo_ones_are_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["poll"]) == 2
    assert "--account 'demo-*' polls the demo accounts" in capsys.readouterr().err


def test_a_file_that_is_no_inventory_is_not_touched(shop, tmp_path, capsys):
    file = tmp_path / "letter.txt"
    file.write_text("Dear all")
    assert main(["poll", "--inventory", str(file)]) == 2
    assert "is not a database" in capsys.readouterr().err
    assert file.read_text() == "Dear all"


def test_what_is_typed_is_asked_for_once_and_before_anything_is_polled(shop, monkeypatch):
    asked = []
    file = Path(os.environ["FLEXLOCAL_ACCOUNTS"])
    file.write_text(ACCOUNTS.replace(f"reader, password: {SECRET}", "reader, password: TBD", 1))

    def resolved(account):
        if account.credentials["password"] == TO_BE_ASKED:
            asked.append((account.name, shop.logins))
            return Account(account.name, "fake", {**CREDENTIALS, "password": "typed"}, {}, False)
        return account

    monkeypatch.setattr(accounts, "resolved", resolved)
    assert main(["poll", "--handler", "get"]) == 0
    assert asked == [("shop", 0)]


def test_credentials_are_read_once_for_polls_that_follow_one_another(monkeypatch):
    read, seconds = [], [0.0]

    def resolved(account):
        read.append(account.name)
        if account.name == "lab":
            raise AccountsError("the command failed")
        return account

    monkeypatch.setattr(accounts, "resolved", resolved)
    shop, lab = account(), account("lab")
    tasks = [Task(each, "things", every_s=every) for each in (shop, lab) for every in (900, 300)]
    credentials = Credentials(
        [task.account for task in tasks], [task.every_s for task in tasks], lambda: seconds[0]
    )
    for _ in range(3):
        assert credentials(shop) is shop
        with pytest.raises(AccountsError, match="the command failed"):
            credentials(lab)
    assert read == ["shop", "lab"]
    seconds[0] = 149.0
    credentials(shop)
    assert read == ["shop", "lab"]
    seconds[0] = 150.0  # half of the shortest interval
    credentials(shop)
    assert read == ["shop", "lab", "shop"]
    once = Credentials([shop], clock=lambda: seconds[0])
    once(shop)
    seconds[0] += KEPT_S - 1
    once(shop)
    assert read[3:] == ["shop"]
    seconds[0] += 1
    once(shop)
    assert read[3:] == ["shop", "shop"]


def test_polls_of_an_account_that_begin_together_read_its_credentials_once(monkeypatch):
    reading, may_end, read = threading.Event(), threading.Event(), []

    def resolved(account):
        read.append(account.name)
        reading.set()
        assert may_end.wait(WAIT_S)
        return account

    monkeypatch.setattr(accounts, "resolved", resolved)
    shop, found = account(), queue.SimpleQueue()
    credentials = Credentials([shop], clock=lambda: 0.0)
    for _ in range(2):
        threading.Thread(target=lambda: found.put(credentials(shop)), daemon=True).start()
    assert reading.wait(WAIT_S)
    may_end.set()
    assert [found.get(timeout=WAIT_S) for _ in range(2)] == [shop, shop]
    assert read == ["shop"]


def polled_until_a_signal(shop, monkeypatch, arguments, hang=False):
    """Runs the command; SIGTERM comes while the handler works."""
    stopping, release, ended = threading.Event(), threading.Event(), threading.Event()
    get, said = shop.handlers.get, Report.stopping

    def interrupted(event, context):
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopping.wait(WAIT_S)
        resources = get(event, context)
        if hang:
            assert release.wait(WAIT_S)
            ended.set()
        return resources

    def stops(report, running, grace):
        said(report, running, grace)
        stopping.set()

    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        patch.setattr(shop.handlers, "get", interrupted)
        patch.setattr(Report, "stopping", stops)
        try:
            return main(["poll", "--account", "shop", *arguments])
        finally:
            release.set()
            assert not hang or ended.wait(WAIT_S)
            assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_lets_the_poll_that_runs_end(shop, monkeypatch, capsys):
    assert polled_until_a_signal(shop, monkeypatch, ["--every", "15m"]) == 0
    out, err = capsys.readouterr()
    assert "stopping: shop things may end within 60 s; a second signal stops at once" in err
    first, *_, last = out.splitlines()
    assert " shop things: complete, 2 resources, 2 added, " in first
    assert last.startswith("1 poll: 1 complete; stored in ")
    arguments = ["--every", "15m", "--snapshot-every", "7d", "--window-every", "10m"]
    assert polled_until_a_signal(shop, monkeypatch, arguments) == 0
    assert polled_until_a_signal(shop, monkeypatch, []) == 130
    capsys.readouterr()
    assert polled_until_a_signal(shop, monkeypatch, ["--every", "15m", "--format", "ndjson"]) == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "complete"


def test_a_poll_that_is_given_up_is_named_and_not_stored(shop, monkeypatch, capsys, tmp_path):
    arguments = ["--every", "15m", "--grace", "0s"]
    assert polled_until_a_signal(shop, monkeypatch, arguments, hang=True) == 1
    out, err = capsys.readouterr()
    assert "shop things: given up; nothing of this poll is stored" in err
    assert "1 poll: 1 given up" in out
    with sqlite3.connect(tmp_path / "inventory.db") as connection:
        assert connection.execute("SELECT count(*) FROM resource").fetchone() == (0,)


@pytest.mark.usefixtures("no_network")
def test_the_demo_accounts_are_replayed(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    command = ["poll", "--account", "demo-[jt]*", "--inventory", str(tmp_path / "i.db")]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "demo-juju  servers     complete  7 " in out
    assert "3 polls: 3 complete; " in out
    assert main([*command, "--handler", "get", "--handler", "get_status"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[2] == "HANDLER"
    assert lines[1].split()[:7] == "demo-juju servers get complete 7 0 0".split()
    assert [line.split()[1:4] for line in lines[2:4]] == [
        ["vca_status", "get", "complete"],
        ["vca_status", "get_status", "complete"],
    ]


# --- make demo, and the page ----------------------------------------------------------------------


MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def recorded_later():
    files = (ROOT / "cassettes" / "later").rglob("*.yaml")
    return sorted({file.stem for file in files})


def demo_in_an_inventory():
    """The lines of make demo's recipe that poll into an inventory, as the shell gets them."""
    recipe = re.search(r"^demo:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)[1]
    return recipe[recipe.index("@echo; if ! ") + 1 :].replace("\t", "").replace("$$?", "$?")


@pytest.mark.usefixtures("no_network")
def test_make_demo_polls_into_an_inventory_and_asks_it(monkeypatch, tmp_path, capsys):
    """Here with few of its accounts; tests/test_docs.py has all their families."""
    lines = re.findall(r"\$\(VENV\)/bin/flexlocal (.*?)(?: \|\| exit 1)?;", demo_in_an_inventory())
    polled, pinned, searched, later, compared = map(shlex.split, lines)
    assert polled == ["poll", "--account", "demo-*"]
    monkeypatch.setenv("FLEXLOCAL_INVENTORY", str(tmp_path / "demo.db"))
    few = ["--account", "demo-aws", "--account", "demo-netbox", "--family", "networks", "--family", "servers"]  # fmt: skip
    assert main(["poll", *few]) == 0
    assert " complete; stored in " in capsys.readouterr().out
    assert main(pinned) == 0
    assert main(searched) == 0
    assert "10.13.255.55" in capsys.readouterr().out
    accounts = re.search("^LATER := (.*)$", MAKEFILE, re.MULTILINE)[1].split()
    assert accounts == [f"demo-{each}" for each in recorded_later()]
    assert later == ["poll", "$(LATER:%=--account", "%)", "--later"]
    assert main(["poll", *few, "--later"]) == 0
    assert main(compared) == 1  # which the recipe expects
    shown = capsys.readouterr().out
    assert "13 resources differ between" in shown
    for what in ("added", "gone", "changed", "re-created", "connections.volume"):
        assert what in shown


def test_make_demo_says_what_it_leaves_out_without_the_extra(tmp_path):
    script = demo_in_an_inventory().replace("$(PY)", "false").replace("$(VENV)", "no")
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("\n== left out, for want of the extra [inventory]")
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("line", re.findall(r"flexlocal (poll --every[^`\n]*)", PAGE))
def test_the_pages_commands_that_run_for_ever_are_understood(shop, line, monkeypatch):
    begun = []
    shop.change_cell(status=object(), metrics=object(), logs=object())
    monkeypatch.setattr(
        poll_workers, "again_and_again", lambda tasks, *_, **more: begun.extend(tasks)
    )
    assert main(shlex.split(line)) == 0
    intervals = {task.handler: task.every_s for task in begun}
    assert intervals["get"] == 900
    assert intervals["get_status"] == 300


def test_the_page_has_two_of_them_and_the_services_time_to_end():
    assert len(re.findall(r"flexlocal poll --every", PAGE)) == 2
    grace, stop = re.search(r"--grace (\d+)s\nTimeoutStopSec=(\d+)", PAGE).groups()
    assert int(stop) >= int(grace) + poll_workers.STORING_S
