"""Status polls: the engine with the provider of tests/test_run.py, and the points themselves."""

import datetime

import freezegun
import pytest

from shared.engine import poll
from shared.engine.contracts import Page, Status
from shared.engine.errors import InvalidEvent, OutOfTime
from shared.records.status import LEVELS, Point, worst
from tests.fakes.context import Context
from tests.test_run import EVENT, Scope, provider  # noqa: F401

SINCE = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=9)))


def status(record, scope, lookups):
    for name in record.get("names") or [record["id"]]:
        yield Point(name, "network", record.get("level", "ok"), "as it should", SINCE)


def statuses(context=None, **event):
    return poll.statuses("things", {**EVENT, **event}, context or Context())


def ids(answer):
    return [each["resource_id"] for each in answer["status"]]


@pytest.fixture
def told(provider):  # noqa: F811
    provider.change_cell(status=Status((), status))
    return provider


def test_points_of_all_scopes_sorted(told):
    told.planned = [
        Scope("b", [[{"id": "3"}], [{"names": ["1", "4"]}]]),
        Scope("a", [[{"id": "2"}]]),
    ]
    answer = statuses()
    assert ids(answer) == ["1", "2", "3", "4"]
    assert answer["status"][0] == {
        "resource_id": "1",
        "resource_type": "network",
        "level": "ok",
        "message": "as it should",
        "time": "2026-01-02T03:00:00Z",
    }


def test_a_point_without_a_time_has_the_polls(told):
    down = Status((), lambda record, scope, lookups: [Point("1", "network", "error", "down")])
    told.change_cell(status=down)
    told.planned = [Scope("a", [[{}]])]
    answer = statuses()
    (point,) = answer["status"]
    assert point["time"] == answer["last_update"]
    then = datetime.datetime.fromisoformat(point["time"].replace("Z", "+00:00"))
    assert then.utcoffset() == datetime.timedelta(0)


@pytest.mark.parametrize(
    "asked, found",
    [
        ({"resource": {"id": "1", "type": "network"}}, ["1"]),
        ({"resources": [{"id": "1"}, "2", "elsewhere"]}, ["1", "2"]),
        ({"resource": {"id": "3"}, "resources": [{"id": "2"}]}, ["2"]),
        ({"resources": []}, []),
        ({"resource": None}, ["1", "2", "3"]),
        ({"resource": {"id": "acc", "type": "account"}}, ["1", "2", "3"]),
        ({}, ["1", "2", "3"]),
    ],
)
def test_only_what_was_asked_for(told, asked, found):
    told.planned = [Scope("a", [[{"id": "1"}, {"id": "2"}, {"id": "3"}]])]
    assert ids(statuses(**asked)) == found


@pytest.mark.parametrize(
    "asked", [{"resource": {}}, {"resource": {"id": 7}}, {"resources": "1"}, {"resources": [None]}]
)
def test_what_can_not_be_asked_for(told, asked):
    with pytest.raises(InvalidEvent, match="resource"):
        statuses(**asked)


def test_records_of_its_own(told):
    """Fetched for a scope and the requested resources; their points are made with the scope and the page's lookups."""
    given = []

    def fetch(scope, requested):
        given.append((scope.name, requested))
        yield Page([{"id": "own"}], {"of": "the page"})

    def points(record, scope, lookups):
        given.append((scope.name, lookups))
        return status(record, scope, lookups)

    told.change_cell(status=Status((), points, fetch))
    told.planned = [Scope("a", [[{"id": "1"}]])]
    assert ids(statuses(resources=["own"])) == ["own"]
    assert given == [("a", {"own"}), ("a", {"of": "the page"})]


def test_a_failed_scope_fails_the_poll(told):
    told.planned = [Scope("a", [[{"id": "1"}]]), Scope("b", error=OutOfTime("too slow"))]
    with pytest.raises(OutOfTime):
        statuses()
    context = Context()
    answer = statuses(context, options={"allow_partial": True})
    assert ids(answer) == ["1"]
    assert "b" in context.headers["x-poll-incomplete"]


def test_a_provider_that_tells_no_status(provider):  # noqa: F811
    provider.planned = [Scope("a", [[{"id": "1"}]])]
    context = Context()
    with freezegun.freeze_time("2026-03-01T12:00:00"):
        answer = statuses(context)
    assert answer == {"status": [], "last_update": "2026-03-01T12:00:00Z"}
    assert provider.logins == 0
    assert context.logged("no status family=things provider=fake")


def test_the_inventorys_memory_is_left_alone(told):
    told.planned = [Scope("a", [[{"id": "1"}]])]
    context = Context()
    statuses(context)
    assert not context.state


@pytest.mark.parametrize("wrong", [{"level": "fine"}, {"message": ""}])
def test_a_point_that_is_none(wrong):
    with pytest.raises(ValueError, match="level|message"):
        Point(**{"resource_id": "1", "resource_type": "t", "level": "ok", "message": "m", **wrong})


def test_the_worst_level():
    assert worst(["ok", "warning", "unknown"]) == "warning"
    assert worst(LEVELS) == "error"
    assert worst([]) == "unknown"
