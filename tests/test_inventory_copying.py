"""An inventory copied into another database: in `make test-postgres` from a file into PostgreSQL, and back."""

import os
import sqlite3

import pytest

from inventory import Inventory, copy, copying, errors, restore
from inventory.schedule import Planned
from tests.inventories import at, everything, execute, fail, ids, network, poll, server


@pytest.fixture
def source(file_inventory):
    """A file with rows in every table."""
    inventory = file_inventory
    connections = {"network": [{"id": "n-1"}]}
    tags = {"stage": "prod"}
    servers = [server(f"i-{n}", f"web-{n}", ip=f"10.0.0.{n}", tags=tags) for n in range(9)]
    poll(inventory, 1, {"eu": servers, "us": "throttled"})
    poll(inventory, 1, [network("n-1", "10.0.0.0/8", name="Größe \0")], family="networks")
    changed = server("i-1", "db", "stopped", mac="fa:16:3e:00:00:01", connections=connections)
    poll(inventory, 2, [changed, server("i-2", "web-2", "stopped", "10.0.0.2", tags), *servers[4:]])
    poll(inventory, 3, servers)
    fail(inventory, 4)
    point = {"resource_id": "i-1", "resource_type": "server", "time": "2026-01-01T10:00:00.5Z"}
    for handler, more in (
        ("get_status", {"level": "ok", "message": "up"}),
        ("get_metrics", {"metric": "cpu", "unit": "percent", "value": 1.1}),
        ("get_metrics", {"metric": "ram", "unit": "B", "value": None}),
        ("get_logs", {"id": "e-1", "severity": "info", "message": "reboot", "user": "x"}),
    ):
        inventory.store_points(
            "shop",
            "servers",
            handler,
            [{**point, **more}],
            provider="acme",
            last_update="2026",
            state={"a": [1]},
        )
    inventory.pin("before", inventory.list()[0].last_seen)
    inventory.take_snapshot("design")
    inventory.open_window("move", "design")
    (missing,) = inventory.window("move").comparison.after.coverage.failed
    inventory.explain("move", "it is being moved", missing=[missing])
    inventory.thin(now=at(5))
    inventory.plan([Planned("shop", "acme", "servers", "get", 900)])
    assert [name for name, found in everything(inventory).items() if not found] == []
    return inventory


def test_a_copy_has_everything_and_goes_on(source, empty_database, tmp_path):
    counts = copy(source.address, empty_database)
    before = everything(source)
    assert counts == {name: len(found) for name, found in before.items()}
    with Inventory(empty_database) as copied:
        assert everything(copied) == before
        assert copied.check() == []
        assert ids(copied.list(name="eb-")) == ids(source.list(name="eb-"))
        assert [hit.entry.id for hit in copied.search("web-7").hits] == ["i-7"]
        assert copied.history("i-1") == source.history("i-1")
        for inventory in (source, copied):
            poll(inventory, 5, [server("i-new", tags={"new": "tag"}, fresh=1), server("i-1", "x")])
        assert everything(copied) == everything(source)
        # and back
        copy(empty_database, tmp_path / "back.db")
        with Inventory(tmp_path / "back.db") as back:
            assert everything(back) == everything(source)
            assert [hit.entry.id for hit in back.search("i-new").hits] == ["i-new"]
            poll(back, 6, [server("i-newer")])
            assert back.check() == []
    assert not list(tmp_path.glob("*.part*"))


def test_a_backup_is_a_file_and_comes_back(source, empty_database, tmp_path):
    restore(source.address, empty_database)
    with Inventory(empty_database) as inventory:
        inventory.backup(tmp_path / "backup.db")
        with pytest.raises(errors.InvalidQuestion, match="exists already"):
            inventory.backup(tmp_path / "backup.db")
    with Inventory(tmp_path / "backup.db") as backup:
        assert everything(backup) == everything(source)


def test_an_empty_inventory_can_be_the_target_in_postgresql(source, inventory_url, postgresql):
    if postgresql is None:
        with pytest.raises(errors.InvalidQuestion, match="exists already"):
            copy(source.address, inventory_url)
        return
    copy(source.address, inventory_url)
    with Inventory(inventory_url) as copied:
        assert everything(copied) == everything(source)


def test_a_target_that_holds_something_is_refused_and_stays(source, inventory, inventory_url):
    poll(inventory, 1, [server("o-1")], account="office")
    before = everything(inventory)
    with pytest.raises(errors.InvalidQuestion, match="exists already|holds an inventory already"):
        copy(source.address, inventory_url)
    assert everything(inventory) == before
    with pytest.raises(errors.InvalidQuestion, match="exists already"):
        copy(source.address, source.address)


def test_what_can_not_be_copied_leaves_nothing(source, empty_database, tmp_path, monkeypatch):
    def nothing():
        with pytest.raises(errors.NoInventory):
            copy(empty_database, tmp_path / "back.db")
        assert not list(tmp_path.glob("*.part*"))

    with pytest.raises(errors.NoInventory, match="there is no inventory at"):
        copy(tmp_path / "none.db", empty_database)
    (tmp_path / "text.db").write_text("no database " * 1000)
    with pytest.raises(errors.NotAnInventory):
        copy(tmp_path / "text.db", empty_database)
    nothing()
    with pytest.raises(errors.InvalidQuestion, match="there is no folder"):
        copy(source.address, tmp_path / "none" / "copy.db")
    execute(source, "UPDATE resource SET name = 'x' WHERE external_id = 'i-1'")
    with pytest.raises(errors.Damaged, match="breaks its own rules: the name of resource"):
        copy(source.address, empty_database)


@pytest.mark.parametrize("tables", [0, 9, 26])
def test_a_copy_that_stops_leaves_nothing_half(source, empty_database, monkeypatch, tables):
    fill, filled = copying._fill, []

    def stop(writer, table, rows):
        count = fill(writer, table, rows)
        if len(filled) == tables:
            raise sqlite3.OperationalError("database or disk is full")
        filled.append(count)
        return count

    with monkeypatch.context() as patched:
        patched.setattr(copying, "_fill", stop)
        with pytest.raises(errors.DiskFull):
            copy(source.address, empty_database)
    copy(source.address, empty_database)  # what is there now is nothing, or empty tables
    with Inventory(empty_database) as copied:
        assert everything(copied) == everything(source)


def test_rows_that_are_lost_on_the_way_are_noticed(source, empty_database, monkeypatch):
    fill = copying._fill

    def lose(writer, table, rows):
        return fill(writer, table, (some[:-1] if table.name == "tag" else some for some in rows))

    monkeypatch.setattr(copying, "_fill", lose)
    with pytest.raises(errors.Damaged, match="rows of tag in .* were copied: check the source"):
        copy(source.address, empty_database)


def test_a_copy_is_readable_by_whom_the_file_was(source, tmp_path):
    os.chmod(source.address, 0o640)
    copy(source.address, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o640
