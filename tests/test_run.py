"""The engine, with a provider and a family that exist only here."""

import dataclasses
import re
import sys
import threading
import types

import freezegun
import pytest
from nflex_connector_utils import Network, Server

from shared.engine import errors, gather
from shared.engine import poll as engine
from shared.engine.contracts import Cell, Dropped, Page, Series
from shared.engine.errors import (
    Absent,
    ConnectorError,
    IncompletePoll,
    InsufficientPermission,
    InvalidCredentials,
    InvalidEvent,
    OutOfTime,
    UnexpectedResponse,
    Unreachable,
)
from shared.engine.interval import Span
from shared.engine.traffic import Traffic
from tests.fakes.context import Context

SECRET = "s3cr3t-canary"
EVENT = {
    "account_id": "acc",
    "provider": "fake",
    "credentials": {"user": "reader", "password": SECRET},
}


class Scope:
    def __init__(self, name, pages=(), error=None):
        self.name = name
        self.pages = pages
        self.error = error


class Provider(types.ModuleType):
    """A provider whose scopes are given by the test."""

    def __init__(self, cell_module):
        super().__init__("shared.providers.fake")
        self.PROVIDER = self
        self._cell_module = cell_module
        self.planned = []
        self.logins = 0
        self.login_error = None
        self.at_once = 8

    def change_cell(self, **parts):
        self._cell_module.CELL = dataclasses.replace(self._cell_module.CELL, **parts)

    def credentials(self, raw, ambient):
        return raw

    def login(self, credentials, poll):
        self.logins += 1
        poll.traffic.count()
        if self.login_error:
            raise self.login_error
        return "session"

    def scopes(self, session):
        return self.planned

    def account(self, session):
        return "account-7"

    def classify(self, error):
        return Unreachable(str(error)) if isinstance(error, OSError) else None


@pytest.fixture
def provider(monkeypatch, tmp_path):
    (tmp_path / "fake.py").write_text("")
    (tmp_path / "main.py").write_text("")
    family = types.ModuleType("modules.things")
    family.__path__ = [str(tmp_path)]
    cell = types.ModuleType("modules.things.fake")
    cell.CELL = Cell(calls="", permissions=(), fetch=fetch, convert=convert)
    made = Provider(cell)
    monkeypatch.setitem(sys.modules, "modules.things", family)
    monkeypatch.setitem(sys.modules, "modules.things.fake", cell)
    monkeypatch.setitem(sys.modules, "shared.providers.fake", made)
    return made


def fetch(scope):
    for page in scope.pages:
        yield Page(page, None)
    if scope.error:
        raise scope.error


def convert(record, scope, lookups):
    if record.get("hidden"):
        return Dropped("hidden")
    if "id" not in record:
        raise UnexpectedResponse("field 'id' is missing")
    return Network(id=record["id"], name=record["id"])


def ids(resources):
    return [resource["id"] for resource in resources]


def poll(context=None, **event):
    return engine.poll("things", {**EVENT, **event}, context or Context())


def test_all_pages_of_all_scopes_sorted(provider):
    provider.planned = [Scope("b", [[{"id": "3"}], [{"id": "1"}]]), Scope("a", [[{"id": "2"}]])]
    assert ids(poll()) == ["1", "2", "3"]


def test_no_scopes_is_an_empty_list(provider):
    assert poll() == []


def test_summary_counts_everything_and_proves_it(provider):
    hidden = {"id": "h", "hidden": True}
    provider.planned = [
        Scope("a", [[{"id": "1"}, {"id": "2"}, hidden, hidden], [{"id": "1"}, {"id": "2"}]]),
        Scope("b", [[{"id": "1"}, {"id": "2"}, {"id": "3"}]]),
    ]
    context = Context()
    assert ids(poll(context)) == ["1", "2", "3"]
    (line,) = context.logged("polled")
    assert "family=things provider=fake scopes=2 pages=3 calls=1 retries=0" in line
    assert "records=9 resources=3" in line
    assert 'dropped="2 hidden, 2 listed twice, 2 seen in another scope"' in line


def test_summary_of_a_poll_that_dropped_nothing(provider):
    provider.planned = [Scope("a", [[{"id": "1"}]])]
    context = Context()
    poll(context)
    (line,) = context.logged("polled")
    assert re.search(r"dropped=0 seconds=\d", line)


def test_a_record_that_got_lost_is_a_bug_not_a_shorter_list(provider, monkeypatch):
    def lossy(*_):
        pass

    provider.planned = [Scope("a", [[{"id": "1"}]])]
    monkeypatch.setattr(gather, "_convert_page", lossy)
    with pytest.raises(AssertionError, match="1 records gave 0 and"):
        poll()


def test_each_record_is_converted_with_its_scope_and_the_lookups_of_its_page(provider):
    def fetch(scope):
        for page in scope.pages:
            yield Page(page, f"those of page {len(page)}")

    seen = []
    provider.change_cell(
        fetch=fetch,
        convert=lambda record, scope, lookups: (
            seen.append((record["id"], scope.name, lookups)) or convert(record, scope, lookups)
        ),
    )
    provider.planned = [Scope("a", [[{"id": "1"}], [{"id": "2"}, {"id": "3"}]])]
    poll()
    two = "those of page 2"
    assert seen == [("1", "a", "those of page 1"), ("2", "a", two), ("3", "a", two)]


def test_a_failed_scope_fails_the_poll_and_is_named(provider):
    provider.planned = [
        Scope("a", [[{"id": "1"}]]),
        Scope("b", [[{"id": "2"}]], ConnectionError("no route")),
    ]
    context = Context()
    with pytest.raises(Unreachable, match="^b: no route"):
        poll(context)
    (line,) = context.logged("failed ")
    assert line == (
        "error Target(customer: ,account: acc, resource: None): "
        f'failed error=Unreachable message="b: no route. {Unreachable.advice}"'
    )


def test_a_login_that_fails_is_told_by_the_provider(provider):
    provider.login_error = OSError("no route")
    with pytest.raises(Unreachable, match="^login: no route"):
        poll()


def test_scopes_that_failed_differently_are_each_named(provider):
    provider.planned = [
        Scope("a", error=OSError("no route")),
        Scope("b", error=InsufficientPermission("thing:List")),
        Scope("c"),
    ]
    with pytest.raises(IncompletePoll) as caught:
        poll()
    assert "Unreachable: a: no route" in str(caught.value)
    assert "InsufficientPermission: b: thing:List" in str(caught.value)
    assert [error.scope for error in caught.value.errors] == ["a", "b"]


def test_scopes_that_failed_alike_give_one_error_of_that_kind(provider):
    provider.planned = [
        Scope("a", error=InvalidCredentials("expired")),
        Scope("b", error=InvalidCredentials("expired")),
    ]
    with pytest.raises(InvalidCredentials, match="^a, b: expired"):
        poll()


def test_allow_partial_gives_the_complete_scopes_and_says_what_is_missing(provider):
    provider.planned = [
        Scope("a", [[{"id": "1"}]]),
        Scope("b", [[{"id": "2"}]], OSError("no route")),
    ]
    context = Context()
    assert ids(poll(context, options={"allow_partial": True})) == ["1"]
    assert context.headers == {
        "x-poll-incomplete": "Unreachable: b: no route. " + Unreachable.advice
    }
    missing = f"Unreachable: b: no route. {Unreachable.advice}"
    assert context.logged(f'incomplete missing="{missing}"')
    assert not context.state, "a partial inventory must not become the size to compare with"


def test_each_scope_that_is_missing_is_named(provider):
    provider.planned = [
        Scope("a", [[{"id": "1"}]]),
        Scope("b", error=OSError("no route")),
        Scope("c", error=InsufficientPermission("thing:List")),
    ]
    context = Context()
    assert ids(poll(context, options={"allow_partial": True})) == ["1"]
    assert context.headers["x-poll-incomplete"] == (
        f"Unreachable: b: no route. {Unreachable.advice}; "
        f"InsufficientPermission: c: thing:List. {InsufficientPermission.advice}"
    )


def test_allow_partial_does_not_turn_total_failure_into_an_empty_list(provider):
    provider.planned = [Scope("a", error=OSError("no route"))]
    with pytest.raises(Unreachable):
        poll(options={"allow_partial": True})


def test_an_absent_service_is_no_failure(provider):
    provider.planned = [Scope("a", error=Absent("no volumes here")), Scope("b", [[{"id": "1"}]])]
    context = Context()
    assert ids(poll(context)) == ["1"]
    assert context.logged('absent scope=a why="no volumes here"')


@pytest.mark.parametrize("options", [{}, {"allow_partial": True}])
def test_a_service_that_is_absent_everywhere_is_no_empty_inventory(provider, options):
    provider.planned = [
        Scope("a", error=Absent("none in a")),
        Scope("b", error=Absent("none in b")),
    ]
    with pytest.raises(Absent, match="^a, b: none in a; none in b. Nothing was reported"):
        poll(options=options)


def test_allow_partial_needs_a_scope_that_is_complete(provider):
    provider.planned = [Scope("a", error=OSError("no route")), Scope("b", error=Absent("none"))]
    with pytest.raises(Unreachable, match="^a: no route"):
        poll(options={"allow_partial": True})


def test_an_unknown_error_is_a_bug_and_not_wrapped(provider):
    provider.planned = [Scope("a", error=ZeroDivisionError(f"oops {SECRET}"))]
    context = Context()
    with pytest.raises(ZeroDivisionError) as caught:
        poll(context)
    assert SECRET not in str(caught.value)
    assert SECRET not in str(context.lines)
    (line,) = context.logged("bug trace=")
    assert "Traceback" in line and "ZeroDivisionError: oops ***" in line


def test_a_bug_whose_text_can_not_be_masked_is_replaced(provider):
    class Odd(Exception):
        def __str__(self):
            return f"oops {SECRET}"

    provider.planned = [Scope("a", error=Odd())]
    with pytest.raises(RuntimeError, match=r"^Odd: oops \*\*\*$"):
        poll()


@pytest.mark.parametrize(
    "record, label",
    [
        ({"ownerId": "o-1", "thingId": "t-9"}, "record t-9"),
        ({"of": {"_id": 7}, "thingId": ""}, "record 7"),
        ({"of": "text"}, "a record"),
    ],
)
def test_a_refused_record_is_named(provider, record, label):
    provider.change_cell(record_ids=("thingId", "of._id"))
    provider.planned = [Scope("a", [[record]])]
    with pytest.raises(UnexpectedResponse, match=f"a: {label}: field 'id' is missing"):
        poll()


def test_all_resources_of_a_poll_were_seen_at_one_moment(provider):
    with freezegun.freeze_time("2026-03-01T12:00:00", auto_tick_seconds=1):
        provider.planned = [Scope(name, [[{"id": name}]]) for name in "abc"]
        seen = {each["base"]["last_seen_at"] for each in poll()}
    assert len(seen) == 1


def test_secrets_are_masked_in_errors_and_their_causes(provider):
    provider.planned = [Scope("a", error=OSError(f"GET https://u:{SECRET}@host/"))]
    context = Context()
    with pytest.raises(Unreachable) as caught:
        poll(context)
    assert SECRET not in f"{caught.value} {caught.value.args}"
    assert caught.value.__suppress_context__
    assert SECRET not in str(context.lines)


# What only unusual data causes: deep nesting, a number that is too large, half of a surrogate pair.
@pytest.mark.parametrize(
    "error", [RecursionError("x"), OverflowError("x"), UnicodeEncodeError("utf-8", "x", 0, 1, "x")]
)
def test_data_that_no_code_can_use_is_an_answer_that_is_refused(provider, error):
    """The error names the line where it was raised."""
    names = {"error": error}
    exec(compile("\ndef fails(*_):\n    raise error", "/srv/shared/reader.py", "exec"), names)  # noqa: S102 - its own text
    provider.change_cell(convert=names["fails"])
    provider.planned = [Scope("a", [[{"id": "1"}]])]
    where = rf"^a: what the provider sent can't be used: {type(error).__name__} \(reader.py:3\)"
    with pytest.raises(UnexpectedResponse, match=where):
        poll()


@pytest.mark.parametrize("message", ["no route.", "no route!", "no route?"])
def test_an_error_is_a_sentence_with_one_full_stop(message):
    assert str(Unreachable(message, scope="a")) == f"a: {message} {Unreachable.advice}"
    assert str(Unreachable(message[:-1])) == f"{message[:-1]}. {Unreachable.advice}"


def test_an_error_of_several_scopes_lists_theirs():
    inner = [OutOfTime("late", scope="a"), InvalidCredentials("no", scope="b")]
    error = IncompletePoll(inner)
    assert error.errors == tuple(inner)
    assert str(error) == (
        f"2 scopes failed: OutOfTime: a: late. {OutOfTime.advice} | "
        f"InvalidCredentials: b: no. {InvalidCredentials.advice}"
    )


def test_what_is_done_about_an_error_is_as_documented():
    documented = dict(re.findall(r"[├└]── (\w+) +(stop|retry|skip) ", errors.__doc__))
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert documented == {
        kind.__name__: kind.action
        for kind in kinds
        if issubclass(kind, ConnectorError) and kind is not ConnectorError
    }


def test_a_secret_in_a_scopes_name_is_masked_in_each_of_several_errors(provider):
    """The names of projects and models are the provider's."""
    provider.planned = [
        Scope(f"{SECRET}-a", error=OSError("no route")),
        Scope(f"{SECRET}-b", error=InsufficientPermission("thing:List")),
    ]
    with pytest.raises(IncompletePoll) as caught:
        poll()
    assert [error.scope for error in caught.value.errors] == ["***-a", "***-b"]
    assert SECRET not in f"{caught.value} {caught.value.args}"


@pytest.fixture
def hanging(provider):
    """Two scopes, of which "slow" hangs until this event is set."""
    released = threading.Event()

    def hang(scope):
        if scope.name == "slow":
            released.wait(60)
        return fetch(scope)

    provider.change_cell(fetch=hang)
    provider.planned = [Scope("quick", [[{"id": "1"}]]), Scope("slow")]
    yield released
    released.set()


def test_a_scope_that_hangs_ends_at_the_deadline(hanging, run_out_at):
    run_out_at(3)  # login, the quick scope, and then the slow one
    with pytest.raises(OutOfTime, match="unfinished: slow; finished: quick"):
        poll()


def test_all_scopes_are_named_where_some_hang(hanging, provider, run_out_at):
    provider.planned = [Scope("quick", [[{"id": "1"}]]), Scope("also"), Scope("slow")]
    run_out_at(4)
    with pytest.raises(OutOfTime, match="passed; unfinished: slow; finished: quick, also"):
        poll()
    provider.planned = [Scope("slow")]
    run_out_at(2)
    with pytest.raises(OutOfTime, match="unfinished: slow; finished: none"):
        poll()


def test_a_login_that_hangs_ends_at_the_deadline(provider, hanging, monkeypatch, run_out_at):
    monkeypatch.setattr(provider, "login", lambda credentials, poll: hanging.wait(60))
    run_out_at(1)
    with pytest.raises(OutOfTime, match="during login"):
        poll()


def test_unfinished_scopes_may_be_left_out_where_the_account_says_so(hanging, run_out_at):
    run_out_at(3)
    context = Context()
    assert ids(poll(context, options={"allow_partial": True})) == ["1"]
    assert "OutOfTime: slow" in context.headers["x-poll-incomplete"]


@pytest.mark.parametrize(
    "at_once, config, wanted", [(8, {}, 8), (32, {}, 32), (32, {"scopes_at_once": 3}, 3)]
)
def test_so_many_scopes_side_by_side_and_no_more(provider, at_once, config, wanted):
    """As the provider says, or fewer if the operator says so."""
    provider.at_once = at_once
    running, most, lock = set(), [0], threading.Lock()
    full = threading.Barrier(wanted)

    def tracked(scope):
        with lock:
            running.add(scope.name)
            most[0] = max(most[0], len(running))
        full.wait(30)  # passes only when so many are here together
        with lock:
            running.discard(scope.name)
        yield Page([], None)

    provider.change_cell(fetch=tracked)
    provider.planned = [Scope(str(number)) for number in range(2 * wanted)]
    poll(Context(**config))
    assert most[0] == wanted


def test_progress_is_reported_by_scope(provider):
    provider.planned = [Scope("a"), Scope("b")]
    context = Context()
    poll(context, task_id="t1")
    assert context.api.posts == [("/tasks/t1/update", n) for n in (0, 50, 100)]


def test_no_task_no_report(provider):
    provider.planned = [Scope("a")]
    context = Context()
    poll(context)
    assert context.api.posts == []


def test_a_poll_is_one_call_of_the_logs_api(provider, monkeypatch):
    provider.planned = [Scope("a", [[{"id": "1"}]]), Scope("b")]
    context, calls = Context(), []
    post = context.api.post
    monkeypatch.setattr(context.api, "post", lambda *args: calls.append(args[0]) or post(*args))
    poll(context)
    assert calls == ["/logs"]
    assert context.logged("polled ")


def test_a_progress_report_that_fails_does_not_fail_the_poll(provider):
    provider.planned = [Scope("a", [[{"id": "1"}]]), Scope("b")]
    context = Context()
    context.api.status = 500
    assert ids(poll(context, task_id="t1")) == ["1"]
    assert len(context.api.posts) == 1
    assert len(context.logged("progress not reported")) == 1


@pytest.mark.parametrize("now, warned", [(49, True), (50, False), (200, False)])
def test_an_inventory_that_shrank_by_half_is_a_warning(provider, now, warned):
    context = Context()
    provider.planned = [Scope("a", [[{"id": str(n)} for n in range(100)]])]
    poll(context)
    provider.planned = [Scope("a", [[{"id": str(n)} for n in range(now)]])]
    assert len(poll(context)) == now
    lines = context.logged("shrunk")
    assert [("last=100" in line, f"resources={now}" in line) for line in lines] == [
        (True, True)
    ] * warned


def test_a_state_that_fails_does_not_fail_the_poll(provider):
    context = Context()
    context.state = None
    provider.planned = [Scope("a", [[{"id": "1"}]])]
    assert ids(poll(context)) == ["1"]
    context.state = types.SimpleNamespace()
    assert ids(poll(context)) == ["1"]
    assert context.logged("state not kept")


def test_a_log_that_fails_does_not_fail_the_poll(provider):
    context = Context()
    context.log = None
    provider.planned = [Scope("a", [[{"id": "1"}]])]
    assert ids(poll(context)) == ["1"]


def test_validate_lists_nothing(provider):
    provider.planned = None  # scopes() would fail
    assert engine.validate("things", EVENT, Context()) == {"ok": True, "account": "account-7"}
    assert provider.logins == 1


def test_validate_says_why_not(provider):
    provider.login_error = InvalidCredentials(f"bad {SECRET}")
    answer = engine.validate("things", EVENT, Context())
    assert answer["ok"] is False
    assert answer["reason"].startswith("InvalidCredentials: login: bad ***")


def test_states_that_cmp_does_not_know_are_logged_once(provider):
    def convert_server(record, scope, lookups):
        state = "unknown" if record["word"] else "running"
        return Server(
            id=record["id"], name=record["id"], state=state, provider_state=record["word"]
        )

    provider.change_cell(convert=convert_server)
    words = ["odd", None, "strange", "odd"]
    provider.planned = [Scope("a", [[{"id": str(n), "word": w} for n, w in enumerate(words)]])]
    context = Context()
    poll(context)
    assert context.logged('unknown states of="odd, strange"')
    provider.planned = [Scope("a", [[{"id": "1", "word": None}]])]
    context = Context()
    poll(context)
    assert not context.logged("unknown states")


# --- metrics and logs -----------------------------------------------------------------------------

SPAN = {"last_update": "2026-03-01T11:50:00Z", "poll_interval": 300}


@pytest.fixture
def series(provider):
    """A provider with metrics of each of its scopes' resources, and the windows that were fetched, by scope."""
    windows = {}

    def fetch_points(scope, window):
        windows[scope.name] = window
        for page in scope.pages:
            yield [
                {"resource_id": r["id"], "resource_type": "server", "time": "t", "metric": m}
                for r in page
                for m in ("cpu", "disk")
                if window.wants(r["id"])
            ]
        if scope.error:
            raise scope.error
        window.state["scopes"] = window.state.get("scopes", 0) + 1

    made = Series((), Span(skew_s=60), fetch_points)
    provider.change_cell(metrics=made, logs=made)
    provider.windows = windows
    with freezegun.freeze_time("2026-03-01T12:00:00"):
        yield provider


@pytest.mark.parametrize("what, handler", [("metrics", engine.metrics), ("logs", engine.logs)])
def test_points_of_the_time_since_the_last_poll(series, what, handler):
    series.planned = [Scope("b", [[{"id": "2"}], [{"id": "1"}]]), Scope("a", [[{"id": "3"}]])]
    answer = handler("things", {**EVENT, **SPAN}, Context())
    assert set(answer) == {what, "last_update"}
    assert answer["last_update"] == "2026-03-01T11:59:00.000000Z"
    assert [(point["resource_id"], point["metric"]) for point in answer[what]] == [
        (resource, metric) for resource in "123" for metric in ("cpu", "disk")
    ]
    for window in series.windows.values():
        assert window.interval.start.isoformat() == "2026-03-01T11:50:00+00:00"
        assert window.interval.end.isoformat() == "2026-03-01T11:59:00+00:00"
        assert window.resources is None


def test_points_of_the_requested_resources(series):
    series.planned = [Scope("a", [[{"id": "1"}, {"id": "2"}]])]
    event = {**EVENT, **SPAN, "resources": ["2"]}
    answer = engine.metrics("things", event, Context())
    assert {point["resource_id"] for point in answer["metrics"]} == {"2"}
    assert series.windows["a"].resources == {"2"}


def test_each_scope_has_its_own_state_between_polls(series):
    series.planned = [Scope("a"), Scope("b")]
    context = Context()
    for seen in ({}, {"scopes": 1}):
        series.windows.clear()
        before = []
        fetch_points = series._cell_module.CELL.metrics.fetch

        def noted(scope, window, fetch_points=fetch_points, before=before):
            before.append(dict(window.state))
            return fetch_points(scope, window)

        series.change_cell(metrics=Series((), Span(), noted))
        engine.metrics("things", {**EVENT, **SPAN}, context)
        series.change_cell(metrics=Series((), Span(), fetch_points))
        assert before == [seen, seen]
    assert {key for key in context.state if key.startswith("metrics:")} == {
        "metrics:acc:fake:things:a",
        "metrics:acc:fake:things:b",
    }


def test_a_state_that_was_emptied_replaces_the_old_one(series):
    series.planned = [Scope("a")]
    context = Context()
    engine.logs("things", {**EVENT, **SPAN}, context)
    kept = dict(context.state)
    series.change_cell(logs=Series((), Span(), lambda scope, window: window.state.clear() or []))
    engine.logs("things", {**EVENT, **SPAN}, context)
    assert set(context.state) == set(kept) == {"logs:acc:fake:things:a"}
    assert context.state != kept
    empty = Context()
    engine.logs("things", {**EVENT, **SPAN}, empty)
    assert empty.state == {}


@pytest.mark.parametrize("options", [{}, {"allow_partial": True}])
def test_points_of_all_scopes_or_of_none(series, options):
    """All scopes share one last_update: what a failed one misses would never be fetched."""
    series.planned = [Scope("a", [[{"id": "1"}]]), Scope("b", error=OSError("no route"))]
    context = Context()
    with pytest.raises(Unreachable, match="^b: no route"):
        engine.metrics("things", {**EVENT, **SPAN, "options": options}, context)
    assert context.state == {}


def test_no_time_has_passed_and_nothing_is_fetched(series):
    series.planned = None
    event = {**EVENT, "last_update": "2026-03-01T11:59:00Z", "poll_interval": 300}
    answer = engine.metrics("things", event, Context())
    assert answer == {"metrics": [], "last_update": "2026-03-01T11:59:00.000000Z"}
    assert series.logins == 0


@pytest.mark.parametrize("what, handler", [("metrics", engine.metrics), ("logs", engine.logs)])
def test_a_cell_without_metrics_or_logs_answers_with_none(provider, what, handler):
    context = Context()
    with freezegun.freeze_time("2026-03-01T12:00:00"):
        answer = handler("things", {**EVENT, **SPAN}, context)
    assert answer == {what: [], "last_update": "2026-03-01T12:00:00Z"}
    assert context.logged(f"no {what} family=things provider=fake")
    assert provider.logins == 0


def test_a_poll_holds_no_more_points_than_it_may(series, monkeypatch):
    series.planned = [Scope("a", [[{"id": "1"}]]), Scope("b", [[{"id": "2"}]])]
    monkeypatch.setattr(engine, "MOST_POINTS", 4)
    assert len(engine.metrics("things", {**EVENT, **SPAN}, Context())["metrics"]) == 4
    monkeypatch.setattr(engine, "MOST_POINTS", 3)
    with pytest.raises(UnexpectedResponse, match="more than the 3 records"):
        engine.metrics("things", {**EVENT, **SPAN}, Context())


NAMES = ("resource_type", "resource_id", "time", "metric", "specialisation", "id")


@pytest.mark.parametrize("differs", NAMES)
def test_points_that_differ_in_one_name_are_two(series, differs):
    point = {"resource_id": "1", "resource_type": "server"}
    pages = [[{**point, differs: "x"}, {**point, differs: "y"}]]
    series.change_cell(metrics=Series((), Span(), lambda scope, window: pages))
    series.planned = [Scope("a")]
    assert len(engine.metrics("things", {**EVENT, **SPAN}, Context())["metrics"]) == 2


def test_a_point_of_two_scopes_is_one(series):
    point = dict.fromkeys(NAMES, "x")
    series.change_cell(metrics=Series((), Span(), lambda scope, window: [[dict(point)]]))
    series.planned = [Scope("a"), Scope("b")]
    assert engine.metrics("things", {**EVENT, **SPAN}, Context())["metrics"] == [point]


@pytest.mark.parametrize("event", [{}, None, {"provider": "fake"}, {**EVENT, "provider": "nope"}])
def test_a_bad_event_is_refused_before_any_call(provider, event):
    with pytest.raises(InvalidEvent):
        engine.poll("things", event, Context())
    assert engine.validate("things", event, Context())["ok"] is False
    assert provider.logins == 0


def test_the_deadline_of_the_context_reaches_the_provider(provider, monkeypatch):
    seen = []
    monkeypatch.setattr(
        provider, "login", lambda credentials, poll: seen.append(poll.deadline.seconds)
    )
    poll(Context(deadline_s=100), options={"deadline_s": 30})
    poll(Context(deadline_s=20), options={"deadline_s": 30})
    poll(Context())
    assert seen == [30, 20, 600]


def test_calls_and_retries_are_counted_by_all_threads():
    traffic = Traffic()
    threads = [
        threading.Thread(target=lambda: [traffic.count(retry=True) for _ in range(2000)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (traffic.calls, traffic.retries) == (16000, 16000)


# --- bounds ---------------------------------------------------------------------------------------


def test_a_poll_holds_no_more_records_than_it_may(provider, monkeypatch):
    """A million tiny records of one page end the poll before one of them is converted."""
    converted = []
    provider.change_cell(convert=lambda record, *_: converted.append(record))
    provider.planned = [Scope("a", [[{"id": "1"}] * 1_000_000])]
    with pytest.raises(UnexpectedResponse, match=f"more than the {engine.MOST_RECORDS} records"):
        poll()
    assert converted == []


def test_the_records_of_all_scopes_and_pages_count(provider, monkeypatch):
    monkeypatch.setattr(engine, "MOST_RECORDS", 4)
    pages = [[{"id": "1"}, {"id": "2"}], [{"id": "3"}]]
    provider.planned = [Scope("a", pages), Scope("b", [[{"id": "4"}]])]
    assert len(poll()) == 4
    provider.planned = [Scope("a", pages), Scope("b", [[{"id": "4"}, {"id": "5"}]])]
    with pytest.raises(UnexpectedResponse, match="more than the 4 records that a poll may hold"):
        poll()


@pytest.mark.parametrize("outcome", ["complete", "failed", "bug", "validated"])
def test_the_network_has_ended_when_a_poll_has(provider, monkeypatch, outcome):
    polls = []
    login = provider.login
    monkeypatch.setattr(
        provider, "login", lambda credentials, poll: polls.append(poll) or login(credentials, poll)
    )
    errors = {"failed": UnexpectedResponse("no"), "bug": KeyError("no")}
    provider.planned = [Scope("a", [[{"id": "1"}]], errors.get(outcome))]
    if outcome == "validated":
        assert engine.validate("things", EVENT, Context())["ok"]
    elif outcome == "complete":
        assert ids(poll()) == ["1"]
    else:
        with pytest.raises(type(errors[outcome])):
            poll()
    assert polls[0].network.ended


def test_a_conversion_sees_that_the_poll_has_ended(provider, monkeypatch):
    """Its thread must not go on for as long as a page takes."""
    converted, polls = [], []
    login = provider.login
    monkeypatch.setattr(
        provider, "login", lambda credentials, poll: polls.append(poll) or login(credentials, poll)
    )

    def convert_one(record, scope, lookups):
        converted.append(record)
        polls[0].network.end()
        return convert(record, scope, lookups)

    provider.change_cell(convert=convert_one)
    provider.planned = [Scope("a", [[{"id": str(n)} for n in range(gather.NOTICED_AFTER * 3)]])]
    with pytest.raises(OutOfTime):
        poll()
    assert len(converted) == gather.NOTICED_AFTER
