"""Points, retention, backups and checks."""

import datetime
import json
import sqlite3

import pytest

from inventory import Change, Inventory, errors, restore
from inventory.model import Bounds
from inventory.retention import Retention
from tests.inventories import ROOT, UTC, at, execute, fail, ids, network, poll, server

DAY = datetime.timedelta(days=1)


# --- points ---


@pytest.mark.parametrize("handler", ["get_status", "get_metrics", "get_logs"])
@pytest.mark.parametrize("provider", ["aws", "openstack"])
def test_golden_points_come_back_each_once(inventory, handler, provider):
    file = ROOT / "tests" / "expected" / "servers" / f"{provider}.{handler}.json"
    answer = json.loads(file.read_text(encoding="utf-8"))
    points = next(value for key, value in answer.items() if key != "last_update")
    call = ("shop", "servers", handler)
    stored = inventory.store_points(
        *call, points, provider=provider, last_update=answer["last_update"]
    )
    assert stored == len(points)
    assert inventory.store_points(*call, points, provider=provider) == 0
    assert inventory.last_update(*call) == answer["last_update"]
    found = []
    for id in {point["resource_id"] for point in points}:
        found.extend(inventory.points(handler, id, account="shop"))
    key = lambda point: json.dumps(point, sort_keys=True)  # noqa: E731
    assert sorted(found, key=key) == sorted(points, key=key)


def test_points_of_a_time(inventory):
    points = [
        {
            "resource_id": "i-1",
            "resource_type": "server",
            "level": "ok",
            "message": "up",
            "time": time,
        }
        for time in ("2026-01-01T10:00:00Z", "2026-01-01T11:05:00.5+01:00", "2026-01-01T10:10:00Z")
    ]
    inventory.store_points("shop", "servers", "get_status", points, provider="acme")
    found = inventory.points("get_status", "i-1", since=at(1), until=at(9))
    assert [point["time"] for point in found] == ["2026-01-01T10:05:00.500000Z"]
    assert inventory.list() == []  # a point makes no resource
    with pytest.raises(errors.InvalidQuestion):
        inventory.points("get_nothing", "i-1")
    with pytest.raises(errors.InvalidQuestion):
        inventory.points("get_status", "i-1", since=at(1).replace(tzinfo=None))


@pytest.mark.parametrize(
    "change",
    [
        {"time": "yesterday"},
        {"time": None},
        {"time": "2026-13-01T00:00:00Z"},
        {"value": float("nan")},
        {"value": "5"},
        {"value": True},
        {"metric": ""},
        {"resource_id": None},
        {"unit": "\ud800"},
    ],
)
def test_a_malformed_point_is_refused_with_all_of_its_answer(inventory, change):
    point = {"resource_id": "i-1", "resource_type": "server", "metric": "cpu", "unit": "percent"}
    point.update({"value": 1.5, "time": "2026-01-01T10:00:00Z"})
    with pytest.raises(errors.InvalidPoint, match="point 2 can't be stored"):
        inventory.store_points(
            "shop",
            "servers",
            "get_metrics",
            [point, {**point, **change}],
            provider="a",
            last_update="x",
        )
    with pytest.raises(errors.InvalidPoint, match=r"no 'time'"):
        inventory.store_points(
            "shop",
            "servers",
            "get_metrics",
            [{"metric": "a", "unit": "b", "value": 1}],
            provider="a",
        )
    assert inventory.points("get_metrics", "i-1") == []
    assert inventory.last_update("shop", "servers", "get_metrics") is None


def test_the_state_of_a_source_is_kept_as_a_whole(inventory):
    call = ("shop", "servers", "get_logs", [])
    inventory.store_points(*call, provider="acme", state={"a": {"x": [1]}, "b": "text"})
    assert inventory.state("shop", "servers") == {"a": {"x": [1]}, "b": "text"}
    inventory.store_points(*call, provider="acme")
    assert inventory.state("shop", "servers") == {"a": {"x": [1]}, "b": "text"}
    inventory.store_points(*call, provider="acme", state={"c": None})
    assert inventory.state("shop", "servers") == {"c": None}
    assert inventory.state("shop", "volumes") == {}
    with pytest.raises(errors.InvalidPoint):
        inventory.store_points(*call, provider="acme", state={"c": {1, 2}})
    assert inventory.state("shop", "servers") == {"c": None}


# --- retention ---


def day(number, hour=0):
    """Days before 2026-06-01, at an hour."""
    return datetime.datetime(2026, 6, 1, tzinfo=UTC) - number * DAY + datetime.timedelta(hours=hour)


def store(inventory, moment, resources, account="shop"):
    times = {"started_at": moment - datetime.timedelta(minutes=1), "ended_at": moment}
    return inventory.store(account, "servers", {"eu": resources}, provider="acme", **times)


def story(inventory):
    """Three versions a day: two years ago, 100 days ago, and 10 days ago."""
    number = 0
    for days in (730, 729, 100, 99, 10, 9):
        for hour in (6, 12, 18):
            number += 1
            store(inventory, day(days, hour), [server("i-1", f"v{number}", note=number)])
    return number


def names(inventory):
    changes = [event.changes for event in inventory.history("i-1").events]
    return [change.after for change in sum(changes, ()) if change.path == "/base/name"]


def test_retention(inventory):
    story(inventory)
    assert names(inventory) == [f"v{number}" for number in range(2, 19)]
    thinned = inventory.thin(Retention(polls=9999), now=day(0))
    assert thinned.versions == 18 - 1 - 2 - 7
    # the first; the last of the days within a year (the one of two years ago lasted until then); all of 30 days,
    # with the one before, which lasted until then
    assert names(inventory) == ["v6", "v9", *(f"v{number}" for number in range(12, 19))]
    history = inventory.history("i-1")
    assert history.every_version_since == day(30)
    assert inventory.diff(day(1), day(0)).every_version_since == day(30)
    after_a_gap = history.events[1]
    assert after_a_gap.changes[0] == Change("/base/name", "v1", "v6")
    assert after_a_gap.when == Bounds(day(730, 6) - datetime.timedelta(minutes=1), day(729, 18))
    left_out = inventory.show("i-1", as_of=day(729, 7))
    assert (left_out.entry.name, left_out.exact) == ("v1", False)
    kept = inventory.show("i-1", as_of=day(99, 19))
    assert (kept.entry.name, kept.exact) == ("v12", True)
    assert inventory.show("i-1").entry.name == "v18"
    assert inventory.check() == []
    assert inventory.thin(Retention(polls=9999), now=day(0)).versions == 0
    (one,) = inventory.diff(day(729, 7), day(0)).differences  # of what is known of that time
    assert one.changes[0] == Change("/base/name", "v1", "v18")


def test_a_pin_keeps_its_moment(inventory):
    story(inventory)
    inventory.pin("before the move", day(729, 13))
    assert inventory.pins() == {"before the move": day(729, 13)}
    inventory.thin(now=day(0))
    assert names(inventory)[:2] == ["v5", "v6"]
    assert inventory.show("i-1", as_of=day(729, 13)).exact
    assert inventory.check() == []


def test_polls_in_which_nothing_changed_are_thinned(inventory):
    for days in range(100, 0, -1):
        store(inventory, day(days), [server("i-1", note=days // 50)])
    thinned = inventory.thin(now=day(0))
    # all of 30 days, and the first and the last poll of each version before
    assert thinned.polls == 100 - 30 - 4
    history = inventory.history("i-1")
    assert history.events[2].when == Bounds(day(50) - datetime.timedelta(minutes=1), day(49))
    assert inventory.list()[0].last_seen == day(1)
    assert ids(inventory.list(as_of=day(70))) == ["i-1"]
    assert inventory.check() == []


def test_states_and_points_are_thinned(inventory):
    for days in (200, 199, 198, 20, 19):
        store(inventory, day(days), [server("i-1", state="running" if days % 2 else "stopped")])
    for days in (200, 20):
        time = day(days).isoformat()
        point = {"resource_id": "i-1", "resource_type": "server", "time": time}
        status = {**point, "level": "ok", "message": "up"}
        metric = {**point, "metric": "cpu", "unit": "percent", "value": 1}
        event = {**point, "id": time, "severity": "info", "message": "reboot"}
        for handler, each in (("get_status", status), ("get_metrics", metric), ("get_logs", event)):
            inventory.store_points("shop", "servers", handler, [each], provider="acme")
    thinned = inventory.thin(now=day(0))
    assert (thinned.versions, thinned.points) == (0, 3)
    assert thinned.fast == 3  # two changes, one reading that ended
    for handler in ("get_status", "get_metrics", "get_logs"):
        assert len(inventory.points(handler, "i-1")) == 1
    assert not inventory.show("i-1", as_of=day(198)).exact
    assert inventory.show("i-1", as_of=day(20)).exact
    assert inventory.show("i-1").entry.state == "running"
    assert inventory.check() == []


def test_retention_in_batches_may_stop_at_any_of_them(inventory, monkeypatch):
    from inventory import retention

    monkeypatch.setattr(retention, "BATCH", 2)
    for hour in range(6):
        store(inventory, day(800, hour), [server(f"i-{n}", note=hour) for n in range(5)])
    stops = iter(range(3))

    class Stopped(Exception):
        pass

    writing = inventory._writing

    def few():
        if next(stops, None) is None:
            raise Stopped
        return writing()

    with pytest.raises(Stopped):
        retention.thin(few, Retention(), day(0))
    assert inventory.check() == []
    assert inventory.history("i-1").every_version_since == day(30)
    thinned = inventory.thin(now=day(0))
    assert 0 < thinned.versions < 5 * 4
    assert inventory.check() == []
    with pytest.raises(errors.InvalidQuestion, match="at least one day"):
        inventory.thin(Retention(points=0))


# --- backups ---


def test_a_backup_and_its_way_back(file_inventory, tmp_path):
    poll(file_inventory, 1, [server("i-1", "web")])
    copy = tmp_path / "copy.db"
    file_inventory.backup(copy)
    poll(file_inventory, 2, [server("i-2")])
    with Inventory(copy) as restored:
        assert ids(restored.list()) == ["i-1"]
        assert restored.check() == []
    with pytest.raises(errors.InvalidQuestion, match="exists already"):
        file_inventory.backup(copy)
    with pytest.raises(errors.InvalidQuestion, match="exists already"):
        restore(copy, file_inventory.address)
    assert ids(file_inventory.list()) == ["i-2"]
    restore(copy, file_inventory.address, replace=True)
    assert ids(file_inventory.list()) == ["i-1"]  # also for who had it open
    poll(file_inventory, 2, [server("i-3")])
    assert file_inventory.check() == []
    restore(copy, tmp_path / "new.db")
    with Inventory(tmp_path / "new.db") as restored:
        assert ids(restored.list()) == ["i-1"]
        assert [hit.entry.id for hit in restored.search("web").hits] == ["i-1"]
    assert not list(tmp_path.glob("*.part"))


def test_only_an_inventory_is_restored_and_replaced(file_inventory, tmp_path):
    poll(file_inventory, 1, [server("i-1")])
    other = tmp_path / "other.db"
    other.write_text("no database " * 1000)
    with pytest.raises(errors.NotAnInventory):
        restore(other, file_inventory.address, replace=True)
    copy = tmp_path / "copy.db"
    file_inventory.backup(copy)
    with pytest.raises(errors.NotAnInventory):
        restore(copy, other, replace=True)
    assert other.read_text() == "no database " * 1000
    with pytest.raises(errors.NoInventory):
        restore(tmp_path / "none.db", file_inventory.address, replace=True)
    with pytest.raises(
        errors.InvalidQuestion, match="is not replaced: restore into a new database"
    ):
        restore(copy, "postgresql://host/db", replace=True)
    with pytest.raises(errors.InvalidQuestion, match="a backup is a file"):
        restore("postgresql://host/db", file_inventory.address, replace=True)
    assert ids(file_inventory.list()) == ["i-1"]


# --- checks ---


@pytest.mark.parametrize(
    "damage, problem",
    [
        ("UPDATE version SET body = {zero}", "a version can't be read"),
        ("UPDATE version SET to_run = NULL", "open rows of version"),
        ("UPDATE presence SET to_run = 2 WHERE to_run IS NULL", "0 open rows of presence"),
        ("UPDATE presence SET to_run = from_run WHERE to_run IS NOT NULL", "ends before it begins"),
        ("DELETE FROM address", "can be found by"),
        ("DELETE FROM change", "are not those of its versions"),
        ("UPDATE change SET after = '\"x\"'", "are not those of its versions"),
        ("UPDATE resource SET hash = {zero} WHERE present", "differ from the hash"),
        ("UPDATE resource SET name = 'x'", "is not that of its document"),
        ("DELETE FROM scope_run", "has no scope"),
        ("UPDATE resource SET present = false", "is gone, but has an open"),
    ],
)
def test_a_check_finds_damage(inventory, damage, problem):
    connections = {"network": [{"id": "n-1"}]}
    poll(inventory, 1, [server("i-1", ip="10.0.0.1", tags={"a": "b"}), server("i-2")])
    poll(
        inventory,
        2,
        [server("i-1", "web", ip="10.0.0.1", tags={"a": "b"}, connections=connections)],
    )
    poll(inventory, 2, [network("n-1", "10.0.0.0/8")], family="networks")
    assert inventory.check() == []
    sqlite = inventory._engine.dialect.name == "sqlite"
    execute(inventory, damage.format(zero="x'00'" if sqlite else "'\\x00'::bytea"))
    found = inventory.check()
    assert found
    assert [text for text in found if problem in text], found


def test_a_check_finds_rows_that_refer_to_nothing(file_inventory):
    """PostgreSQL sees to it that there are none."""
    poll(file_inventory, 1, [server("i-1", tags={"a": "b"})])
    with sqlite3.connect(file_inventory.address) as connection:
        connection.execute("DELETE FROM label")
    assert "SQLite: a row of tag refers to no row of label" in file_inventory.check()


def test_a_damaged_file_is_named(file_inventory):
    poll(file_inventory, 1, [server(f"i-{n}", note="x" * 500) for n in range(200)])
    file_inventory.close()
    with sqlite3.connect(file_inventory.address) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with open(file_inventory.address, "r+b") as file:
        file.seek(4096 * 2)
        file.write(b"\xff" * 4096 * 200)
    with (
        pytest.raises(errors.Damaged, match="restore a backup"),
        Inventory(file_inventory.address) as opened,
    ):
        for entry in opened.list():
            opened.show(entry.id)
        opened.search("i-1", by="field")


def test_a_failed_poll_is_no_gap_in_the_check(inventory):
    fail(inventory, 1)
    assert inventory.check() == []
