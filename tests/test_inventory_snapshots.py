"""Snapshots: what they name, that they keep it, and what is compared with a design."""

import datetime
import itertools
import os
import sqlite3

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from inventory import ABSENT, Inventory, copy, database, errors, restore
from inventory.model import DEVIATES, DIFFERS, RESTORED, STANDING, THERE
from inventory.retention import Retention
from tests.inventories import at, everything, execute, fail, ids, network, poll, rows, server

DAY = datetime.timedelta(days=1)
YEARS_LATER = at(0) + 3000 * DAY


# --- what a snapshot names ---


def test_a_snapshot_names_the_last_poll_of_each_source_and_copies_nothing(inventory):
    poll(inventory, 1, {"eu": [server("i-1")], "us": [server("i-2")]})
    poll(inventory, 2, [network("n-1")], family="networks")
    poll(inventory, 3, {"eu": [server("i-1", "web")], "us": "throttled"})
    versions = rows(inventory, "version")
    taken = inventory.take_snapshot("first", at(3))
    assert rows(inventory, "version") == versions
    assert (taken.label, taken.at, taken.how, taken.pinned_at) == ("first", at(3), "by hand", None)
    assert (taken.resources, taken.scopes, taken.complete, taken.exact) == (3, 3, 2, True)
    assert taken.runs == (2, 3)
    assert inventory.take_snapshot("earlier", at(2)).runs == (1, 2)
    assert inventory.take_snapshot("earliest", at(1)).runs == (1,)
    assert [each.label for each in inventory.snapshots()] == ["earliest", "earlier", "first"]
    assert inventory.snapshot("first") == taken
    assert inventory.check() == []


def test_without_a_label_its_time_is_the_label(inventory):
    poll(inventory, 1, [server("i-1")])
    assert inventory.take_snapshot(at=at(1)).label == "2026-01-01T10:01:00Z"
    half = at(1) + datetime.timedelta(seconds=0.5)
    assert inventory.take_snapshot(at=half).label == "2026-01-01T10:01:00.500000Z"
    with pytest.raises(errors.InvalidQuestion, match="is a snapshot of .* already: give this one"):
        inventory.take_snapshot(at=half)


@pytest.mark.parametrize(
    "label, words",
    [
        ("first", "a snapshot 'first' already"),
        ("", "is no label"),
        (" a", "is no label"),
        ("a\x1b[31m", "is no label"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}a", "is no label"),
        ("a" * 201, "is no label"),
        ("last", "means another snapshot"),
    ],
)
def test_labels_that_are_refused(inventory, label, words):
    poll(inventory, 1, [server("i-1")])
    inventory.take_snapshot("first", at(1))
    before = everything(inventory)
    with pytest.raises(errors.InvalidQuestion, match=words):
        inventory.take_snapshot(label, at(1))
    assert everything(inventory) == before


def test_there_must_be_something_to_name(inventory):
    with pytest.raises(errors.InvalidQuestion, match="nothing had been polled"):
        inventory.take_snapshot("first")
    poll(inventory, 1, [server("i-1")])
    with pytest.raises(errors.InvalidQuestion, match="has not come yet"):
        inventory.take_snapshot("first", datetime.datetime.now(datetime.timezone.utc) + DAY)
    with pytest.raises(errors.UnknownSnapshot, match="there is no snapshot 'first'"):
        inventory.snapshot("first")
    assert inventory.baseline() is None


def test_the_snapshot_that_was_pinned_last_is_the_baseline(inventory):
    poll(inventory, 1, [server("i-1")])
    for label in ("a", "b"):
        inventory.take_snapshot(label, at(1))
    inventory.pin_snapshot("b")
    assert inventory.baseline().label == "b"
    inventory.pin_snapshot("a")
    assert inventory.baseline().label == "a"
    assert [each.label for each in inventory.snapshots() if each.pinned_at] == ["a", "b"]


# --- that it stays what it was ---


def shown(inventory, snapshot):
    """All that is known of a snapshot, but for what is only known of now."""
    resources = [
        (
            each.entry.account,
            each.entry.type,
            each.entry.name,
            each.entry.state,
            {**each.document, "base": {**each.document["base"], "last_seen_at": None}},
            each.exact,
        )
        for each in inventory.resources(as_of=snapshot)
    ]
    return resources, inventory.coverage(as_of=snapshot), inventory.snapshot(snapshot.label)


def test_every_question_may_be_about_a_snapshot(inventory):
    poll(inventory, 1, [server("i-1", "web", ip="10.0.0.1", tags={"a": "b"}), server("i-2")])
    then = inventory.take_snapshot("then", at(1))
    poll(inventory, 2, [server("i-1", "db", "stopped")])
    assert ids(inventory.list(as_of=then)) == ["i-1", "i-2"]
    assert ids(inventory.list(as_of=then, name="we")) == ["i-1"]
    assert ids(inventory.list(as_of=then, tag="a=b", state="running")) == ["i-1"]
    assert inventory.show("i-1", as_of=then).document["details"]["server"]["state"] == "running"
    assert [hit.entry.name for hit in inventory.search("10.0.0.1", as_of=then).hits] == ["web"]
    assert [each.entry.id for each in inventory.diff(then, at(2)).differences] == ["i-1", "i-2"]
    assert inventory.diff(then, at(1)).differences == ()
    assert inventory.diff(then, then).differences == ()


def test_a_poll_that_was_stored_after_it_is_none_of_its(inventory):
    """It had ended before, on another host: the time alone would change what is shown."""
    poll(inventory, 1, [server("i-1")])
    poll(inventory, 1, [server("o-1")], account="office")
    then = inventory.take_snapshot("then", at(5))
    before = shown(inventory, then)
    poll(inventory, 2, [server("i-1", "web"), server("i-2")])
    poll(inventory, 2, [network("n-1")], family="networks")
    assert shown(inventory, then) == before
    assert ids(inventory.list(as_of=at(5))) == ["i-1", "o-1", "i-2", "n-1"]
    found = inventory.diff(then, at(5)).differences
    assert {(each.what, each.entry.id) for each in found} == {
        ("changed", "i-1"),
        ("added", "i-2"),
        ("added", "n-1"),
    }
    back = inventory.diff(at(5), then).differences
    assert {(each.what, each.entry.id) for each in back} == {
        ("changed", "i-1"),
        ("gone", "i-2"),
        ("gone", "n-1"),
    }


def test_scopes_of_a_snapshot_stay_whatever_is_polled_and_thinned_later(inventory):
    poll(inventory, 1, {"eu": [server("i-1")], "us": []})
    poll(inventory, 2, {"eu": [server("i-1")], "us": []})
    poll(inventory, 3, {"eu": [server("i-1")], "us": "throttled"})
    poll(inventory, 4, {"eu": [server("i-1")], "us": "down"})
    then = inventory.take_snapshot("then", at(4))
    (failed,) = inventory.coverage(as_of=then).failed
    assert (failed.complete_at, failed.failed_since, failed.error) == (at(2), at(3), "throttled")
    before = shown(inventory, then)
    poll(inventory, 5, {"eu": [server("i-1")]})  # us is no longer there
    poll(inventory, 6, {"eu": [server("i-1")], "us": []})  # and is again
    assert inventory.thin(now=YEARS_LATER).polls == 1  # the one without us
    assert shown(inventory, then) == before


def test_a_scope_that_was_away_is_not_in_a_snapshot_of_then_when_it_comes_back(inventory):
    poll(inventory, 1, {"eu": [server("i-1")], "us": []})
    poll(inventory, 2, {"eu": [server("i-1")]})
    then = inventory.take_snapshot("then", at(2))
    before = shown(inventory, then)
    assert [each.scope for each in inventory.coverage(as_of=then).scopes] == ["eu"]
    poll(inventory, 3, {"eu": [server("i-1")], "us": []})
    assert shown(inventory, then) == before


def test_retention_keeps_what_a_snapshot_shows(inventory):
    for minute in range(1, 10):
        state = "stopped" if minute in (5, 6) else "running"
        poll(inventory, minute, [server("i-1", state=state, note=minute // 3)])
    labels = [inventory.take_snapshot(f"at {minute}", at(minute)) for minute in (4, 5, 7)]
    before = [shown(inventory, each) for each in labels]
    one_day = Retention(every_version=1, daily_version=1, fast=1, points=1, polls=1)
    thinned = inventory.thin(one_day, now=YEARS_LATER)
    assert (thinned.versions, thinned.snapshots) == (0, 0)  # of four, three are shown, one is now's
    assert [shown(inventory, each) for each in labels] == before
    assert not inventory.show("i-1", as_of=at(4)).exact  # states of a time are not kept
    (one,) = inventory.diff(labels[0], labels[1]).differences  # of which no change is left
    assert [change.before for change in one.changes] == ["running"]
    assert inventory.check() == []


def test_what_nobody_names_is_thinned(inventory):
    for minute in range(1, 10):
        poll(inventory, minute, [server("i-1", state="running", note=minute)])
    inventory.take_snapshot("then", at(4))
    thinned = inventory.thin(Retention(1, 1, 1, 1, 1), now=YEARS_LATER)
    assert thinned.versions == 9 - 3
    assert inventory.show("i-1", as_of=at(4)).exact
    assert not inventory.show("i-1", as_of=at(5)).exact
    late = inventory.take_snapshot("late", at(6))  # it says so, and goes on saying the same
    assert not next(iter(inventory.resources(as_of=late))).exact
    before = shown(inventory, late)
    inventory.thin(Retention(1, 1, 1, 1, 1), now=YEARS_LATER)
    assert shown(inventory, late) == before


def test_a_check_finds_a_snapshot_that_shows_less(inventory):
    poll(inventory, 1, [server("i-1"), server("i-2")])
    inventory.take_snapshot("then", at(1))
    assert inventory.check() == []
    poll(inventory, 2, [server("i-1")])
    execute(inventory, "UPDATE presence SET to_run = NULL, from_run = 2 WHERE resource_id = 2")
    assert "snapshot 'then' shows 1 resources, not the 2 of when it was taken" in inventory.check()


# --- by schedule ---


def test_a_scheduled_snapshot_is_taken_when_it_is_due_and_something_was_polled(inventory):
    hour = datetime.timedelta(hours=1)
    assert inventory.take_snapshot_if_due(hour) is None
    poll(inventory, 1, [server("i-1")])
    first = inventory.take_snapshot_if_due(hour)
    assert (first.how, first.runs) == ("scheduled", (1,))
    poll(inventory, 2, [server("i-1")])
    assert inventory.take_snapshot_if_due(hour) is None
    assert inventory.take_snapshot_if_due(0 * hour).runs == (2,)
    assert inventory.take_snapshot_if_due(0 * hour) is None
    assert len(inventory.snapshots()) == 2


def test_scheduled_snapshots_are_thinned_unless_pinned_or_of_a_window(inventory):
    now = datetime.timedelta(0)
    labels = []
    for minute in (1, 2, 3):
        poll(inventory, minute, [server("i-1", note=minute)])
        labels.append(inventory.take_snapshot_if_due(now).label)
    inventory.pin_snapshot(labels[0])
    inventory.open_window("move", labels[1])
    inventory.take_snapshot("mine")
    assert inventory.thin(now=YEARS_LATER).snapshots == 1
    assert {each.label for each in inventory.snapshots()} == {
        *labels[:2],
        "move: before",
        "mine",
    }
    assert inventory.check() == []


# --- before, after and the design ---


def found(inventory, before, after, design=None, **more):
    whens = [when if when is None else at(when) for when in (before, after, design)]
    return [
        (each.verdict, each.what, each.entry.id, each.path, each.before, each.after, each.design)
        for each in inventory.compare(*whens, **more).deviations
    ]


SIZE = "/metadata/provider_specific/size"


def test_a_comparison_of_two_times_is_their_diff_field_by_field(inventory):
    poll(inventory, 1, [server("i-1", size=1), server("i-2")])
    poll(inventory, 2, [server("i-1", "web", size=2), server("i-3")])
    assert found(inventory, 1, 2) == [
        (DIFFERS, "gone", "i-2", "", THERE, ABSENT, ABSENT),
        (DIFFERS, "changed", "i-1", "/base/name", "i-1", "web", ABSENT),
        (DIFFERS, "added", "i-3", "", ABSENT, THERE, ABSENT),
        (DIFFERS, "changed", "i-1", SIZE, 1, 2, ABSENT),
    ]
    both = inventory.compare(at(1), at(2))
    assert [each.severity for each in both.deviations] == ["high", "medium", "low", "low"]
    assert found(inventory, 1, 2, only=[("shop", "server", "i-3")]) == [
        (DIFFERS, "added", "i-3", "", ABSENT, THERE, ABSENT)
    ]


def test_each_field_says_whether_it_is_as_designed(inventory):
    poll(inventory, 1, [server(f"i-{n}", size=1) for n in range(5)])  # the design
    before = {0: 1, 1: 2, 2: 2, 3: 2, 4: 1}
    after = {0: 1, 1: 1, 2: 2, 3: 3, 4: 4}
    for minute, sizes in ((2, before), (3, after)):
        poll(inventory, minute, [server(f"i-{n}", size=size) for n, size in sizes.items()])
    assert found(inventory, 2, 3, 1) == [
        (RESTORED, "changed", "i-1", SIZE, 2, 1, 1),
        (STANDING, "changed", "i-2", SIZE, 2, 2, 1),
        (DEVIATES, "changed", "i-3", SIZE, 2, 3, 1),
        (DEVIATES, "changed", "i-4", SIZE, 1, 4, 1),
    ]
    differs = [each.differs for each in inventory.compare(at(2), at(3), at(1)).deviations]
    assert differs == [True, False, True, True]


def test_what_is_gone_added_and_back_against_a_design(inventory):
    poll(inventory, 1, [server("back", size=1), server("gone", size=1), server("long gone")])
    poll(inventory, 2, [server("gone", size=2), server("old")])
    poll(inventory, 3, [server("back", size=2), server("old"), server("new")])
    assert found(inventory, 2, 3, 1) == [
        (DEVIATES, "gone", "gone", "", THERE, ABSENT, THERE),
        (STANDING, "gone", "long gone", "", ABSENT, ABSENT, THERE),
        (RESTORED, "added", "back", "", ABSENT, THERE, THERE),
        (DEVIATES, "changed", "back", SIZE, ABSENT, 2, 1),
        (DEVIATES, "added", "new", "", ABSENT, THERE, ABSENT),
        (STANDING, "added", "old", "", THERE, THERE, ABSENT),
    ]


def test_what_was_created_anew_against_a_design(inventory):
    poll(inventory, 1, [server("i-1", "web", size=1)])
    poll(inventory, 2, [server("i-1", "web", size=2)])
    poll(inventory, 3, [server("i-9", "web", size=1)])
    assert found(inventory, 2, 3, 1) == [
        (DEVIATES, "re-created", "i-9", "/id", "i-1", "i-9", "i-1"),
        (RESTORED, "re-created", "i-9", SIZE, 2, 1, 1),
    ]
    (anew, _) = inventory.compare(at(2), at(3)).deviations
    assert (anew.severity, anew.former_id) == ("medium", "i-1")


def test_parts_of_an_object_are_compared_one_by_one(inventory):
    """Where the whole object is new now, and another one than in the design."""
    to = {"network": [{"id": "n-1"}], "volume": [{"id": "v-1"}]}
    poll(inventory, 1, [server("i-1", connections=to, size={"a": 1, "b": 2})])
    poll(inventory, 2, [server("i-1")])
    poll(inventory, 3, [server("i-1", connections={"network": [{"id": "n-1"}]}, size={"a": 1})])
    verdicts = {each[3]: each[0] for each in found(inventory, 2, 3, 1)}
    assert verdicts == {
        "/connections/network": RESTORED,
        "/connections/volume": STANDING,
        SIZE + "/a": RESTORED,
        SIZE + "/b": STANDING,
    }


def test_states_are_left_out_where_they_are_not_wanted(inventory):
    poll(inventory, 1, [server("i-1"), server("i-2")])
    poll(inventory, 2, [server("i-1", state="stopped"), server("i-2", "web", state="stopped")])
    assert len(found(inventory, 1, 2, 1)) == 3
    assert [each[3] for each in found(inventory, 1, 2, 1, fast=False)] == ["/base/name"]


NAMES = ("a", "b", "c")
WORLDS = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(st.sampled_from(["one", "two"]), st.sampled_from([1, 2, {"x": 1}, {"x": 2, "y": 1}])),
)
accounts = itertools.count()


@pytest.fixture(scope="module")
def shared(tmp_path_factory, postgresql):
    url = postgresql.new() if postgresql else tmp_path_factory.mktemp("shared") / "x.db"
    with Inventory(url, create=True) as opened:
        yield opened


@settings(
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    max_examples=int(os.environ.get("EXAMPLES", "12")),
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(WORLDS, min_size=3, max_size=3))
def test_the_laws_of_a_comparison_with_a_design(shared, worlds):
    account = f"account-{next(accounts)}"
    for minute, world in enumerate(worlds, 1):
        resources = [server(id, name, size=size) for id, (name, size) in world.items()]
        poll(shared, minute, resources, account)

    def compare(*minutes):
        return shared.compare(*map(at, minutes), account=account).deviations

    for each in range(1, 4):
        assert compare(each, each) == compare(each, each, each) == ()
    two, three = compare(2, 3), compare(2, 3, 1)
    names = lambda rows: {(each.entry.key, each.path) for each in rows}  # noqa: E731
    # what differs does so with and without a design, or is a part of it that the design has otherwise
    assert {each.entry.key for each in three if each.differs} == {each.entry.key for each in two}
    assert names(compare(2, 3, 2)) == names(two)
    assert all(each.verdict == DEVIATES for each in compare(2, 3, 2))
    assert all(each.verdict == RESTORED for each in compare(2, 3, 3))
    assert all(each.verdict == STANDING for each in compare(3, 3, 1))
    assert {each.entry.key for each in compare(3, 3, 1)} == {
        each.entry.key for each in compare(1, 3)
    }
    # the mirror image, where nothing was created anew
    if not any(each.what == "re-created" for each in two):
        assert names(compare(3, 2)) == names(two)
    for each in three:
        equal = [each.before == each.after, each.after == each.design]
        assert [each.verdict == STANDING, each.verdict == RESTORED] == equal


# --- change windows ---


def open_one(inventory, **more):
    """Of a design in which i-1 and i-2 have the size 1; before the change i-2 has 2."""
    poll(inventory, 1, {"eu": [server("i-1", size=1), server("i-2", size=1)], "us": []})
    inventory.take_snapshot("design", at(1))
    inventory.pin_snapshot("design")
    poll(inventory, 2, {"eu": [server("i-1", size=1), server("i-2", size=2)], "us": []})
    return inventory.open_window("move", **more)


def sizes(inventory, minute, one, two, us=()):
    poll(inventory, minute, {"eu": [server("i-1", size=one), server("i-2", size=two)], "us": us})


def test_a_window_has_a_snapshot_before_and_the_baseline(inventory):
    opened = open_one(inventory)
    assert (opened.before.label, opened.before.how) == ("move: before", "window")
    assert (opened.baseline.label, opened.after, opened.closed_at) == ("design", None, None)
    assert inventory.has_open_window()
    (standing,) = inventory.window("move").comparison.deviations
    assert (standing.verdict, standing.entry.id) == (STANDING, "i-2")
    with pytest.raises(errors.InvalidQuestion, match="a change window 'move' already"):
        inventory.open_window("move")
    with pytest.raises(errors.UnknownSnapshot, match="no change window 'mve'"):
        inventory.window("mve")


@pytest.mark.parametrize(
    "one, two, closes", [(1, 2, True), (1, 1, True), (2, 2, False), (1, 3, False)]
)
def test_a_window_closes_when_all_is_as_before_or_as_designed(inventory, one, two, closes):
    open_one(inventory)
    sizes(inventory, 3, one, two)
    before = everything(inventory)
    closed = inventory.close_window("move")
    assert closed.may_close == closes == (closed.window.closed_at is not None)
    assert inventory.has_open_window() != closes
    if closes:
        assert closed.window.after.label == "move: after"
    else:
        assert everything(inventory) == before  # no snapshot of an attempt is left


def test_an_explained_difference_lets_a_window_close_and_the_text_is_kept(inventory):
    open_one(inventory)
    sizes(inventory, 3, 5, 2)
    (open_,) = inventory.window("move").unexplained
    assert inventory.explain("move", "enlarged, CHG-17", [open_]) == 1
    closed = inventory.close_window("move")
    assert closed.window.closed_at is not None
    sizes(inventory, 4, 6, 6)  # what comes later is none of the window's
    texts = [each.explanation for each in inventory.window("move").comparison.deviations]
    assert texts == ["enlarged, CHG-17", None]
    for action in (
        lambda: inventory.explain("move", "again", [open_]),
        lambda: inventory.close_window("move"),
    ):
        with pytest.raises(errors.InvalidQuestion, match="is closed"):
            action()


def test_what_changes_after_it_was_explained_is_to_be_explained_again(inventory):
    open_one(inventory)
    sizes(inventory, 3, 5, 2)
    inventory.explain("move", "enlarged", inventory.window("move").unexplained)
    sizes(inventory, 4, 7, 2)
    (open_,) = inventory.window("move").unexplained
    assert open_.after == 7
    assert inventory.close_window("move").window.closed_at is None
    inventory.explain("move", "once more", [open_])
    assert inventory.close_window("move").window.closed_at is not None
    with pytest.raises(errors.InvalidQuestion, match="closed"):
        inventory.explain("move", " ", [open_])


def test_a_scope_that_was_not_polled_keeps_a_window_open(inventory):
    """Nothing seems to differ there, which proves nothing."""
    open_one(inventory)
    sizes(inventory, 3, 1, 2, us="throttled")
    still = inventory.close_window("move")
    assert still.unexplained == ()
    (scope,) = still.unexplained_scopes
    assert scope.label == "shop servers us"
    inventory.explain("move", "that region is not in use", missing=[scope])
    assert inventory.close_window("move").window.closed_at is not None


def test_a_window_may_concern_some_resources_only(inventory):
    poll(inventory, 1, [server("o-1")], account="office")
    open_one(inventory, concerns={"account": "office", "focal": {"id": "o-1"}})
    sizes(inventory, 3, 9, 9)
    seen = inventory.window("move")
    assert (seen.comparison.deviations, seen.may_close) == ((), True)
    assert seen.window.concerns == {"account": "office", "focal": {"id": "o-1"}}
    poll(inventory, 3, [server("o-1", size=2), server("o-2")], account="office")
    only = [("office", "server", "o-2")]
    assert [each.entry.id for each in inventory.window("move", only).unexplained] == ["o-2"]
    assert not inventory.close_window("move").may_close
    assert inventory.close_window("move", [("office", "server", "o-3")]).may_close


def test_without_a_baseline_all_must_be_as_before(inventory):
    poll(inventory, 1, [server("i-1", size=1)])
    assert inventory.open_window("move").baseline is None
    poll(inventory, 2, [server("i-1", size=2)])
    assert [each.verdict for each in inventory.window("move").unexplained] == [DIFFERS]
    poll(inventory, 3, [server("i-1", size=1)])
    assert inventory.close_window("move").window.closed_at is not None
    assert [each.name for each in inventory.windows()] == ["move"]


# --- older inventories ---


@pytest.fixture
def older(empty_database):
    """An inventory of the release before there were snapshots."""
    from alembic import command

    url = database.parsed(empty_database)
    with pytest.MonkeyPatch.context() as patch:
        upgrade = command.upgrade
        patch.setattr(command, "upgrade", lambda config, _: upgrade(config, "0001"))
        patch.setattr(database, "REVISION", "0001")
        with Inventory(empty_database, create=True) as inventory:
            _each(inventory, "ALTER TABLE run ADD COLUMN {} INTEGER")  # what today's polls store
            poll(inventory, 1, [server("i-1", "web", ip="10.0.0.1"), server("i-2")])
            poll(inventory, 2, [server("i-1", "db")])
            fail(inventory, 3)
            inventory.pin("then", at(1))
            _each(inventory, "ALTER TABLE run DROP COLUMN {}")
    return database.name(url) if url.drivername == "sqlite" else empty_database


def _each(inventory, statement):
    with inventory._writing() as connection:
        for column in ("calls", "retries"):
            connection.exec_driver_sql(statement.format(column))


def test_an_inventory_of_the_release_before_is_brought_up_to_date(older):
    with pytest.raises(
        errors.OlderSchema, match=r"schema 0001, this one has \d+\): .* poll into it"
    ):
        Inventory(older)
    with Inventory(older, create=True) as inventory:
        assert ids(inventory.list()) == ["i-1"]
        assert ids(inventory.list(as_of=at(1))) == ["i-1", "i-2"]
        assert inventory.pins() == {"then": at(1)}
        assert len(inventory.history("i-1").events) == 2
        assert inventory.take_snapshot("first").runs == (3,)
        poll(inventory, 4, [server("i-1", "db")])
        assert inventory.check() == []
    Inventory(older).close()


def test_a_backup_of_the_release_before_is_restored(older, tmp_path, postgresql):
    if postgresql is not None:
        pytest.skip("a backup is a file")
    restore(older, tmp_path / "new.db")
    with Inventory(tmp_path / "new.db") as inventory:
        assert ids(inventory.list()) == ["i-1"]
        assert inventory.check() == []
    with sqlite3.connect(older) as connection:  # it is as it was
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
    restore(older, older.replace("inventory.db", "new.db"), replace=True)
    with pytest.raises(errors.OlderSchema):
        copy(older, tmp_path / "copied.db")
