"""The SQL views of an inventory: what they hold, that they are renewed by what changed, and that nothing can write."""

import contextlib
import json
import sqlite3

import pytest

from inventory import Inventory, views
from inventory.backup import restore
from inventory.errors import InvalidQuestion, Locked, NoInventory, NotAnInventory, Unavailable
from tests.inventories import NEW, execute, network, poll, server, store_example


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    file = tmp_path_factory.mktemp("views") / "inventory.db"
    store_example(file)
    with Inventory(file) as opened:
        assert not opened.has_views()
        opened.renew_views()
        yield opened


def rows(inventory, statement):
    answer = inventory.sql(statement)
    return [dict(zip(answer.columns, row)) for row in answer.rows]


def everything(inventory):
    """What all views hold, but for the time of the renewal."""
    if inventory.views_file:
        listed = "SELECT name FROM sqlite_master WHERE type = 'view'"
    else:
        listed = "SELECT viewname AS name FROM pg_views WHERE schemaname = 'views'"
    names = {row["name"] for row in rows(inventory, listed)} - {"renewed"}
    found = {}
    for name in sorted(names):
        view = rows(inventory, f'SELECT * FROM "{name}"')  # noqa: S608 - a name of the database
        found[name] = sorted((sorted(row.items()) for row in view), key=str)
    return found


def plain(value):
    """SQLite gives lists as JSON, PostgreSQL as lists."""
    return json.loads(value) if isinstance(value, str) else value


def test_a_view_has_the_fields_of_the_documents(example):
    found = {row["id"]: row for row in rows(example, "SELECT * FROM server")}
    assert found.keys() == {"i-0123456789abcdef0", "i-0123456789abcdef2", "i-9", NEW}
    web = found["i-0123456789abcdef0"]
    assert web["base__name"] == "web-1"
    assert (web["account"], web["provider"], web["family"]) == ("shop", "acme", "servers")
    assert (web["scope"], web["first_seen"]) == ("eu-west-1", "2026-01-01T10:00:00Z")
    assert web["last_seen"] == "2026-01-01T10:15:00Z"
    assert web["details__server__cpu_cores"] == 2
    assert web["details__server__state"] == "stopped"
    assert plain(web["details__server__ip_addresses"])[0]["ip_address"] == "10.4.3.17"
    assert "metadata__provider_metadata__stage" not in web


def test_tags_connections_and_scopes_are_views_too(example):
    tags = rows(example, "SELECT id, key, value FROM tags ORDER BY id")
    assert [each["id"] for each in tags] == ["i-0123456789abcdef0", NEW]
    assert {(each["key"], each["value"]) for each in tags} == {("stage", "prod")}
    (edge,) = rows(example, "SELECT * FROM connections")
    assert (edge["id"], edge["target_type"], edge["target_id"]) == (NEW, "network", "subnet-2")
    (failed,) = rows(example, "SELECT * FROM scopes WHERE failed_since IS NOT NULL")
    assert (failed["scope"], failed["error"]) == ("us-east-1", "throttled")
    counted = rows(example, "SELECT type, count(*) AS n FROM resources GROUP BY type ORDER BY 1")
    assert counted == [{"type": "network", "n": 2}, {"type": "server", "n": 4}]


def test_views_work_in_plain_sqlite(example):
    with contextlib.closing(sqlite3.connect(example.views_file)) as other:
        found = other.execute("SELECT base__name FROM server WHERE account = 'shop' ORDER BY 1")
        assert found.fetchall() == [("batch",), ("web-1",), ("web-2",)]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM _resource",
        "DROP VIEW server",
        "CREATE TEMP TABLE x (a)",
        "INSERT INTO _scope SELECT * FROM _scope",
        "ATTACH 'other.db' AS other",
        "VACUUM INTO 'other.db'",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA writable_schema = ON",
        "COMMIT",
        "SELECT load_extension('x')",
        "WITH a AS (SELECT 1) DELETE FROM _resource",
    ],
)
def test_nothing_can_be_written(example, statement, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    before = everything(example)
    with pytest.raises(InvalidQuestion, match="the SQL would write: only SELECT is possible"):
        example.sql(statement)
    assert everything(example) == before
    assert not list(tmp_path.iterdir())


@pytest.mark.postgresql
def test_nothing_can_be_written_in_postgresql(inventory):
    poll(inventory, 0, [server("i-1")])
    inventory.renew_views()
    before = everything(inventory)
    for statement in (
        "DELETE FROM _resource",
        "DROP VIEW server",
        "COMMIT",
        "SET default_transaction_read_only = off",
        "COPY _resource TO '/nowhere/file'",
        "SELECT 1; DELETE FROM _resource",
        "SELECT 1; COMMIT; DELETE FROM _resource",
        "WITH a AS (DELETE FROM _resource RETURNING 1) SELECT * FROM a",
        "SELECT * INTO x FROM _resource",
        "EXPLAIN ANALYZE DELETE FROM _resource",
        "SELECT nope FROM server",
        "",
    ):
        with pytest.raises(InvalidQuestion):
            inventory.sql(statement)
    assert everything(inventory) == before
    assert inventory.sql("-- a comment\nSELECT id FROM server WHERE id LIKE 'i%'").rows == (
        ("i-1",),
    )
    poll(inventory, 5, [server("i-2")])  # the connection can write again


@pytest.mark.postgresql
def test_what_others_built_on_a_view_stays_or_is_named(inventory):
    poll(inventory, 0, [server("i-1", size=3)])
    inventory.renew_views()
    execute(inventory, "CREATE VIEW ours AS SELECT id FROM views.server")
    poll(inventory, 5, [server("i-1", size=3, zone="a")])
    inventory.renew_views()
    assert inventory.sql("SELECT metadata__provider_specific__zone FROM server").rows == (("a",),)
    assert inventory.sql("SELECT * FROM public.ours").rows == (("i-1",),)
    poll(inventory, 10, [server("i-1", size="large")])
    with pytest.raises(Unavailable, match="other views depend on it: drop those"):
        inventory.renew_views()
    execute(inventory, "DROP VIEW ours")
    inventory.renew_views()
    assert inventory.sql("SELECT metadata__provider_specific__size FROM server").rows == (
        ("large",),
    )


@pytest.mark.parametrize(
    "statement, words",
    [
        ("SELECT 1; SELECT 2", "more than one statement"),
        ("SELECT nope FROM server", "no such column: nope.*there are views connections, network"),
        ("SELEC 1", "syntax error"),
        ("", "asks for nothing"),
        ("SELECT '\0'", "the SQL can't be run"),
    ],
)
def test_what_is_wrong_with_a_statement(example, statement, words):
    with pytest.raises(InvalidQuestion, match=words):
        example.sql(statement)


def test_a_query_can_be_interrupted(example, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(views, "_go_on", interrupt)  # as Python does there when Ctrl-C was pressed
    endless = (
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    )
    with pytest.raises(KeyboardInterrupt):
        example.sql(endless)


def test_columns_with_one_name_are_kept_apart(example):
    assert example.sql("SELECT 1 AS a, 2 AS a, x'ff' AS b").columns == ("a", "a_2", "b")
    assert example.sql("SELECT x'ff' AS b").rows == (("ff",),)


def test_only_what_changed_is_written(inventory, monkeypatch):
    many = [server(f"i-{number}", tags={"n": str(number)}) for number in range(20)]
    poll(inventory, 0, {"eu": many[:10], "us": many[10:]})
    poll(inventory, 1, [network("n-1", "10.0.0.0/8")], family="networks")
    assert inventory.renew_views().changed == 21
    first = inventory.sql("SELECT at FROM renewed").rows
    assert inventory.renew_views().changed == 0
    assert inventory.sql("SELECT at FROM renewed").rows == first  # nothing was polled
    # one changes, one moves to another scope, one goes, one comes; a fast field alone; a scope fails
    changed = [
        server("i-0", "new name", zone="a"),
        server("i-1", state="stopped"),
        *many[3:10],
        many[19],
    ]
    poll(inventory, 5, {"eu": changed, "us": [*many[10:19], server("i-20", zone=3)]})
    assert inventory.renew_views().changed == 5
    poll(inventory, 10, {"eu": changed, "us": "throttled"})
    assert inventory.renew_views().changed == 0
    kept = everything(inventory)
    monkeypatch.setattr(views, "LAYOUT", "another")  # so they are made anew
    assert inventory.renew_views().changed == 21
    assert everything(inventory) == kept
    assert {row["scope"]: row["failed_since"] is None for row in rows(inventory, "SELECT * FROM scopes")} == {
        "eu": True,
        "us": False,
    }  # fmt: skip


def test_the_views_agree_with_the_documents(inventory):
    odd = {
        "it's": 1,
        'a"b': 2,
        "a.b": [1, {"c": None}],
        "%s": True,
        "Zone": "x",
        "zone": "y",
        "ü": 1.5,
        "x" * 99: "long",
    }
    poll(
        inventory,
        0,
        [server("i-1", **odd), server("i-2", **{"x" * 99: 1, "x" * 98 + "y": 2, "%s": None})],
    )
    inventory.renew_views()
    first, second = rows(inventory, "SELECT * FROM server ORDER BY id")
    prefix = "metadata__provider_specific__"
    assert first[prefix + "it's"] == 1
    assert first[prefix + "%s"] == 1
    assert plain(first[prefix + "a.b"]) == [1, {"c": None}]
    zones = {value for name, value in first.items() if name.lower().startswith(prefix + "zone")}
    assert zones == {"x", "y"}
    assert first[prefix + "ü"] == 1.5
    assert not [name for name in first if '"' in name]
    long = [name for name in first if "xxx" in name]
    assert len(long) == 2
    assert max(len(name.encode()) for name in first) <= 63
    values = {str(row[name]) for row in (first, second) for name in long}
    assert values == {"long", "1", "None", "2"}  # fmt: skip


def test_a_type_may_be_called_as_one_of_ours(inventory):
    odd = {**server("t-1"), "type": "tags"}
    poll(
        inventory, 0, [odd, {**server("t-2"), "type": 'q"t'}, {**server("t-3"), "type": "sqlite_x"}]
    )
    inventory.renew_views()
    assert [row["id"] for row in rows(inventory, "SELECT * FROM type_tags")] == ["t-1"]
    assert [row["id"] for row in rows(inventory, 'SELECT * FROM "q""t"')] == ["t-2"]
    assert [row["id"] for row in rows(inventory, "SELECT * FROM type_sqlite_x")] == ["t-3"]


def test_a_new_field_gets_a_column_and_the_others_stay(inventory):
    poll(inventory, 0, [server("i-1", zone="a")])
    inventory.renew_views()
    before = inventory.sql("SELECT * FROM server").columns
    poll(inventory, 5, [server("i-1", size=3)])
    inventory.renew_views()
    answer = inventory.sql("SELECT * FROM server")
    assert answer.columns == (*before, "metadata__provider_specific__size")
    assert answer.rows[0][-2:] == (None, 3)


def test_after_a_restore_they_are_those_of_the_backup(file_inventory, inventory_file, tmp_path):
    inventory = file_inventory
    poll(inventory, 0, [server("i-1")])
    inventory.backup(tmp_path / "backup.db")
    poll(inventory, 5, [server("i-2")])
    inventory.renew_views()
    inventory.close()
    restore(tmp_path / "backup.db", inventory_file, replace=True)
    with Inventory(inventory_file) as restored:
        restored.renew_views()
        assert [row["id"] for row in rows(restored, "SELECT id FROM server")] == ["i-1"]
        poll(restored, 6, [server("i-3")])  # another poll with the number of the lost one
        restored.renew_views()
        assert [row["id"] for row in rows(restored, "SELECT id FROM server")] == ["i-3"]


def test_there_are_none_until_they_are_made(inventory):
    assert not inventory.has_views()
    with pytest.raises(NoInventory, match="has no views yet"):
        inventory.sql("SELECT 1")
    inventory.renew_views()
    assert inventory.has_views()


def test_polls_are_stored_while_the_views_are_locked(inventory_file):
    with Inventory(inventory_file, timeout=0.1) as inventory:
        store_while_locked(inventory)


def store_while_locked(inventory):
    poll(inventory, 0, [server("i-1")])
    inventory.renew_views()
    with contextlib.closing(sqlite3.connect(inventory.views_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        poll(inventory, 5, [server("i-2")])
        with pytest.raises(Locked):
            inventory.renew_views()
        assert [row["id"] for row in rows(inventory, "SELECT id FROM server")] == ["i-1"]


def test_an_empty_inventory_and_another_layout(inventory, monkeypatch):
    assert inventory.renew_views().changed == 0
    assert rows(inventory, "SELECT * FROM resources") == []
    poll(inventory, 0, [server("i-1")])
    assert inventory.renew_views().changed == 1
    monkeypatch.setattr(views, "LAYOUT", "another")
    assert inventory.renew_views().changed == 1


def test_another_file_of_that_name_is_not_touched(file_inventory):
    file = file_inventory.views_file
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE ours (a)")
        other.execute("CREATE VIEW server AS SELECT * FROM ours")
    with pytest.raises(NotAnInventory, match=r"-views\.db holds something else \(ours\): move it"):
        file_inventory.renew_views()
    with contextlib.closing(sqlite3.connect(file)) as other:
        assert other.execute("SELECT count(*) FROM server").fetchone() == (0,)
    for name in (file, *file.parent.glob(f"{file.name}-*")):
        name.unlink(missing_ok=True)
    file.write_text("a letter to the editor\n" * 100)
    for use in (file_inventory.renew_views, lambda: file_inventory.sql("SELECT 1")):
        with pytest.raises(NotAnInventory, match=r"-views\.db is not a database: move it away"):
            use()
    assert file.read_text().startswith("a letter")


def test_they_are_as_private_as_the_inventory(file_inventory, inventory_file):
    inventory_file.chmod(0o600)
    file_inventory.renew_views()
    assert file_inventory.views_file.stat().st_mode & 0o777 == 0o600
