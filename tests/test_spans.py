"""Polls of metrics and logs: the engine with the provider of tests/test_run.py."""

import datetime

import pytest

from shared.engine import poll
from shared.engine.contracts import Series
from shared.engine.errors import InvalidEvent, OutOfTime
from shared.engine.interval import Span
from tests.fakes.context import Context
from tests.test_run import EVENT, Scope, provider  # noqa: F401

KINDS = ("metrics", "logs")
LAST = "2026-01-02T03:04:05.000000Z"


def point(resource_id, **more):
    time = "2026-01-02T03:10:00Z"
    made = {"resource_id": resource_id, "resource_type": "network", "metric": "m", "value": 1.0}
    return {**made, "unit": "count", "time": time, **more}


@pytest.fixture(params=KINDS)
def what(request):
    return request.param


@pytest.fixture
def asking(provider, what):  # noqa: F811
    """The provider, whose cell tells what is in the scopes' pages."""

    def fetch(scope, window):
        provider.window = window
        yield from scope.pages
        if scope.error:
            raise scope.error

    provider.change_cell(**{what: Series((), Span(longest_s=600, skew_s=120), fetch)})
    return provider


def spanned(what, context=None, **event):
    asked = {**EVENT, "last_update": LAST, "poll_interval": 300, **event}
    return getattr(poll, what)("things", asked, context or Context())


def test_points_of_all_scopes_and_the_end_of_what_was_fetched(asking, what):
    asking.planned = [
        Scope("b", [[point("2")], [point("1", metric="z"), point("1")]]),
        Scope("a", [[point("3")]]),
    ]
    answer = spanned(what)
    found = [(each["resource_id"], each["metric"]) for each in answer[what]]
    assert found == [("1", "m"), ("1", "z"), ("2", "m"), ("3", "m")]
    assert answer["last_update"] == "2026-01-02T03:14:05.000000Z"  # 600 s, the longest
    assert asking.window.interval.last_update == answer["last_update"]


def test_the_same_moment_of_two_disks_is_two_points(asking, what):
    asking.planned = [Scope("a", [[point("1", specialisation=disk) for disk in ("sda", "sdb")]])]
    assert len(spanned(what)[what]) == 2


def test_nothing_is_due(asking, what):
    asking.planned = [Scope("a", error=OutOfTime("never asked"))]
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    answer = spanned(what, last_update=now)
    assert answer[what] == []
    assert asking.logins == 0


def test_a_failed_scope_fails_the_poll_even_where_partial_lists_are_allowed(asking, what):
    """One last_update for all: what the failed one lacks would never be fetched."""
    asking.planned = [Scope("a", [[point("1")]]), Scope("b", error=OutOfTime("too slow"))]
    with pytest.raises(OutOfTime):
        spanned(what, options={"allow_partial": True})


def test_what_was_asked_for_is_told_to_the_cell(asking, what):
    asking.planned = [Scope("a")]
    spanned(what, resource={"id": "1", "poll_interval": 300})
    assert asking.window.resources == {"1"}
    assert asking.window.wants("1")
    assert not asking.window.wants("2")
    spanned(what)
    assert asking.window.wants("anything")


def test_a_wrong_last_update(asking, what):
    with pytest.raises(InvalidEvent, match="last_update"):
        spanned(what, last_update="yesterday")
    assert asking.logins == 0


def test_a_provider_that_has_none(provider, what):  # noqa: F811
    context = Context()
    answer = spanned(what, context)
    assert answer[what] == []
    assert provider.logins == 0
    assert context.logged(f"no {what}")


def test_state_is_kept_from_poll_to_poll_a_scope_each(asking, what):
    def fetch(scope, window):
        window.state[scope.name] = window.state.get(scope.name, 0) + 1
        yield []
        if scope.error:
            raise scope.error

    asking.change_cell(**{what: Series((), Span(), fetch)})
    context = Context()
    asking.planned = [Scope("a"), Scope("b")]
    spanned(what, context)
    spanned(what, context)
    assert sorted(context.state.values()) == ['{"a": 2}', '{"b": 2}']
    asking.planned = [Scope("a", error=OutOfTime("too slow"))]
    with pytest.raises(OutOfTime):
        spanned(what, context)
    assert sorted(context.state.values()) == ['{"a": 2}', '{"b": 2}']  # as it was


def test_a_state_that_was_emptied_is_empty_for_the_next_poll(asking, what):
    def fetch(scope, window):
        window.state.update({"seen": 1} if not window.state else {})
        if scope.error:
            window.state.clear()
        yield []

    asking.change_cell(**{what: Series((), Span(), fetch)})
    context = Context()
    asking.planned = [Scope("a")]
    spanned(what, context)
    asking.planned = [Scope("a", error=OutOfTime("clear it"))]
    spanned(what, context)
    assert list(context.state.values()) == ["{}"]


def test_a_state_that_can_not_be_kept_fails_no_poll(asking, what):
    def fetch(scope, window):
        window.state["seen"] = 1
        yield [point("1")]

    asking.change_cell(**{what: Series((), Span(), fetch)})
    asking.planned = [Scope("a")]
    context = Context()
    context.state = None
    assert len(spanned(what, context)[what]) == 1
    assert context.logged("state not read")
    assert context.logged("state not kept")
