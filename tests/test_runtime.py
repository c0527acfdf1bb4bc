"""The platform's context: whatever it lacks, raises or hangs in, no poll is held by it.

A call that hangs waits for an event that is never set: a poll that waited for it would never end.
"""

import json
import queue
import sys
import threading
import types

import pytest
from nflex_connector_utils import Network

from shared.engine import poll as engine
from shared.engine import runtime as runtimes
from shared.engine.contracts import Cell, Page, Series, Status
from shared.engine.deadline import Deadline
from shared.engine.errors import InvalidEvent
from shared.engine.event import Request
from shared.engine.interval import Span
from shared.engine.runtime import NoAnswer, Runtime
from shared.records.status import Point

EVENT = {
    "account_id": "acc",
    "provider": "fake",
    "credentials": {"user": "reader"},
    "task_id": "t1",
    "last_update": "2026-01-31T11:30:00Z",
}
LONG_S = 60.0  # far beyond what any test takes, for what should not be waited for at all


class Hanging:
    """A context of production whose every call hangs; ``calls`` has the name of each."""

    module_id = "m"

    def __init__(self, **config):
        self.config = config
        self.calls = []
        self.state = types.SimpleNamespace(
            get=lambda key: self._hang("state.get"), set=lambda *_: self._hang("state.set")
        )
        self.api = types.SimpleNamespace(post=lambda path, data: self._hang(path))

    def log(self, message, severity):
        self._hang("log")

    def set_response_header(self, key, value):
        self._hang("header")

    def _hang(self, name):
        self.calls.append(name)
        threading.Event().wait()


class Scope:
    def __init__(self, name, error=None):
        self.name = name
        self.error = error


@pytest.fixture
def provider(monkeypatch, tmp_path):
    """A provider with two scopes, and a family with a cell that has all handlers."""
    (tmp_path / "fake.py").write_text("")
    family = types.ModuleType("modules.things")
    family.__path__ = [str(tmp_path)]
    cell = types.ModuleType("modules.things.fake")
    cell.CELL = Cell(
        calls="",
        permissions=(),
        fetch=fetch,
        convert=lambda record, scope, lookups: Network(id=record["id"], name=record["id"]),
        status=Status((), lambda record, *_: [Point(record["id"], "network", "ok", "fine")]),
        metrics=Series((), Span(), points),
        logs=Series((), Span(), points),
    )
    provider = types.ModuleType("shared.providers.fake")
    provider.PROVIDER = provider
    provider.credentials = lambda raw, ambient: raw
    provider.login = lambda credentials, poll: None
    provider.account = lambda session: "account-7"
    provider.planned = [Scope("a"), Scope("b")]
    provider.scopes = lambda session: provider.planned
    provider.classify = lambda error: None
    provider.at_once = 8
    monkeypatch.setitem(sys.modules, "modules.things", family)
    monkeypatch.setitem(sys.modules, "modules.things.fake", cell)
    monkeypatch.setitem(sys.modules, "shared.providers.fake", provider)
    return provider


def fetch(scope):
    yield Page([{"id": scope.name}], None)
    if scope.error:
        raise scope.error


def points(scope, window):
    yield [{"resource_id": scope.name, "resource_type": "network", "time": "now", "metric": "x"}]
    window.state["seen"] = 1


def ends(action):
    """What the action gives; fails the test where it is held."""
    done = queue.SimpleQueue()
    threading.Thread(target=lambda: done.put(action()), daemon=True).start()
    return done.get(timeout=LONG_S)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(runtimes, "CALL_S", 0.02)
    monkeypatch.setattr(runtimes, "LAST_CALL_S", 0.02)


HANDLERS = {
    "get": (engine.poll, lambda answer: [each["id"] for each in answer]),
    "status": (engine.statuses, lambda answer: [each["resource_id"] for each in answer["status"]]),
    "metrics": (engine.metrics, lambda answer: [each["resource_id"] for each in answer["metrics"]]),
    "logs": (engine.logs, lambda answer: [each["resource_id"] for each in answer["logs"]]),
}  # fmt: skip


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_platform_that_hangs_holds_no_poll(provider, impatient, capsys, handler):
    """And takes nothing from what it answers: the log is printed instead."""
    poll, ids = HANDLERS[handler]
    context = Hanging()
    assert ids(ends(lambda: poll("things", EVENT, context))) == ["a", "b"]
    assert context.calls.count("/tasks/t1/update") == context.calls.count("/logs") == 1
    assert "state.set" not in context.calls  # after state.get has hung
    printed = capsys.readouterr().out
    assert "progress not reported error=NoAnswer" in printed
    assert "polled family=things" in printed


@pytest.mark.parametrize("handler", HANDLERS)
def test_no_call_takes_the_time_of_the_poll(provider, monkeypatch, handler):
    """However long one may take: it gets a small share of what the deadline leaves."""
    monkeypatch.setattr(runtimes, "CALL_S", LONG_S)
    monkeypatch.setattr(runtimes, "SHARE", 100)
    monkeypatch.setattr(runtimes, "LAST_CALL_S", 0.02)
    poll, ids = HANDLERS[handler]
    event = {**EVENT, "options": {"deadline_s": 30}}
    assert ids(ends(lambda: poll("things", event, Hanging()))) == ["a", "b"]


def test_a_header_that_hangs(provider, impatient):
    provider.planned = [Scope("a"), Scope("b", InvalidEvent("no"))]
    event, context = {**EVENT, "options": {"allow_partial": True}}, Hanging()
    assert [each["id"] for each in ends(lambda: engine.poll("things", event, context))] == ["a"]
    assert context.calls.count("header") == 1


def test_a_poll_that_is_refused_ends(provider, impatient):
    event = {**EVENT, "options": {"unheard_of": 1}}
    answer = ends(lambda: engine.validate("things", event, Hanging()))
    assert answer["reason"].startswith("InvalidEvent: options.unheard_of is an unknown key")


def test_after_a_call_that_hung_there_are_no_more_of_its_kind(impatient):
    context = Hanging()
    runtime = Runtime(context)
    for _ in range(3):
        with pytest.raises(NoAnswer):
            runtime.state("key")
        with pytest.raises(NoAnswer):
            runtime.keep("key", 1)
        with pytest.raises(NoAnswer):
            runtime.report("t1", 50)
    assert context.calls == ["state.get", "/tasks/t1/update"]


def test_calls_that_fail_are_made_again():
    calls = []

    def refuse(key):
        calls.append(key)
        raise ConnectionError("no")

    runtime = Runtime(types.SimpleNamespace(state=types.SimpleNamespace(get=refuse)))
    for _ in range(2):
        with pytest.raises(ConnectionError):
            runtime.state("key")
    assert calls == ["key", "key"]


@pytest.mark.parametrize("context", [None, object(), types.SimpleNamespace(config="x", state=None)])
def test_a_context_that_has_nothing(context):
    runtime = Runtime(context)
    assert runtime.start(Request("aws", {})).seconds == runtimes.DEADLINE_S
    assert (runtime.module_id, runtime.has_state, runtime.ambient_credentials) == (
        None,
        False,
        False,
    )
    assert runtime.scopes_at_once(8) == 8
    for call in (lambda: runtime.state("k"), lambda: runtime.keep("k", 1),
                 lambda: runtime.set_header("k", "v"), lambda: runtime.report("t", 1)):  # fmt: skip
        with pytest.raises(AttributeError):
            call()
    assert runtime.send_log([{"severity": "INFO", "message": "x"}]) == "AttributeError"


@pytest.mark.parametrize("given, threads", [(1, 1), (3, 3), (99, 8), (0, 8), (-1, 8), ("2", 8)])
def test_scopes_at_once(given, threads):
    config = {"scopes_at_once": given}
    assert Runtime(types.SimpleNamespace(config=config)).scopes_at_once(8) == threads


def test_the_state_of_metrics_is_kept(provider):
    kept = {}
    state = types.SimpleNamespace(get=kept.get, set=kept.__setitem__)
    context = types.SimpleNamespace(module_id=None, config={}, state=state)
    engine.metrics("things", {**EVENT, "task_id": None}, context)
    assert {key: json.loads(value) for key, value in kept.items()} == {
        "metrics:acc:fake:things:a": {"seen": 1},
        "metrics:acc:fake:things:b": {"seen": 1},
    }


def test_a_call_takes_no_longer_than_the_poll_may():
    """And its time-out is never zero, which means something else to a socket."""
    now = [0.0]
    deadline = Deadline(10, lambda: now[0])
    assert deadline.timeout(3) == 3
    now[0] = 9.75
    assert deadline.timeout(3) == 0.25
    now[0] = 11.0
    assert 0 < deadline.timeout(3) <= 0.001
