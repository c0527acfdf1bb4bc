"""Storing polls in an inventory, and asking what is there."""

import contextlib
import copy
import json
import sqlite3
import subprocess
import sys
import threading

import pytest
import sqlalchemy
from sqlalchemy import select, update

from flexlocal import accounts
from inventory import Inventory, database, errors, points
from inventory.entries import Filter, Reader
from inventory.model import Bounds
from inventory.rows import Documents
from inventory.schema import REVISION, metadata, source, version
from shared.engine.masking import secrets_in
from tests.inventories import ROOT, at, everything, execute, fail, ids, network, poll, rows, server

GOLDEN = sorted((ROOT / "tests" / "expected").glob("*/*.json"))
RESOURCES = [file for file in GOLDEN if file.name.count(".") == 1]


# --- a complete poll ---


def test_what_is_stored_is_shown(inventory):
    stored = poll(inventory, 1, [server("i-1", "web", ip="10.0.0.5"), server("i-2")])
    assert (stored.outcome, stored.resources, stored.added) == ("complete", 2, 2)
    first, second = inventory.list()
    assert (first.account, first.provider, first.family, first.scope) == (
        "shop",
        "acme",
        "servers",
        "eu",
    )
    assert (first.type, first.id, first.name, first.state) == ("server", "i-1", "web", "running")
    assert first.first_seen == Bounds(None, at(1))
    assert first.last_seen == at(1)
    assert first.present
    assert first.gone is None
    assert second.id == "i-2"


@pytest.mark.parametrize("file", RESOURCES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_every_golden_resource_comes_back_as_it_was(inventory, file):
    """But for when it was last seen, and the ignored fields."""
    resources = json.loads(file.read_text(encoding="utf-8"))
    provider = file.stem
    poll(inventory, 1, resources, family=file.parent.name, provider=provider)
    again = poll(inventory, 2, resources, family=file.parent.name, provider=provider)
    assert (again.added, again.changed, again.gone) == (0, 0, 0)
    ignored = ("updated", "updated_at", "last_updated", "UpdatedAt", "age_s", "as_of", "progress")
    for resource in resources:
        shown = inventory.show(resource["id"], type=resource["type"]).document
        resource["base"]["last_seen_at"] = "2026-01-01T10:02:00Z"
        for field in ignored:
            resource["metadata"]["provider_specific"].pop(field, None)
        assert shown == resource


def test_a_change_makes_a_version_and_the_old_one_can_be_read(inventory):
    old, new = server("i-1", "web", cores=1), server("i-1", "web-1", cores=2)
    poll(inventory, 1, [old])
    assert poll(inventory, 2, [new]).changed == 1
    assert inventory.show("i-1").document["metadata"]["provider_specific"] == {"cores": 2}
    before = inventory.show("i-1", as_of=at(1))
    assert before.entry.name == "web"
    assert before.document["metadata"]["provider_specific"] == {"cores": 1}
    assert inventory.show("i-1", as_of=at(0)) is None
    assert len(rows(inventory, "version")) == 2


def test_noise_and_states_make_no_version(inventory):
    poll(inventory, 1, [server("i-1", updated_at="then", AvailableIpAddressCount=5)])
    noisy = server("i-1", state="stopped", updated_at="now", AvailableIpAddressCount=4)
    noisy["base"]["last_seen_at"] = "later"
    stored = poll(inventory, 2, [noisy])
    assert (stored.changed, stored.added, stored.gone) == (0, 0, 0)
    assert len(rows(inventory, "version")) == 1
    shown = inventory.show("i-1")
    assert shown.entry.state == "stopped"
    assert shown.document["details"]["server"]["state"] == "stopped"
    assert shown.document["metadata"]["provider_specific"] == {"AvailableIpAddressCount": 4}
    before = inventory.show("i-1", as_of=at(1))
    assert before.entry.state == "running"
    assert before.document["metadata"]["provider_specific"] == {"AvailableIpAddressCount": 5}


def test_a_state_that_appears_and_disappears(inventory):
    poll(inventory, 1, [server("i-1")])
    poll(inventory, 2, [server("i-1", status="busy")])
    poll(inventory, 3, [server("i-1")])
    specific = [
        inventory.show("i-1", as_of=at(minute)).document["metadata"]["provider_specific"]
        for minute in (1, 2, 3)
    ]
    assert specific == [{}, {"status": "busy"}, {}]


def test_an_unchanged_poll_writes_no_row_of_a_resource(inventory):
    poll(inventory, 1, [server("i-1", ip="10.0.0.1", tags={"a": "b"})])
    tables = ("resource", "version", "presence", "address", "tag", "change", "edge", "reading")
    before = {table: rows(inventory, table) for table in tables}
    poll(inventory, 2, [server("i-1", ip="10.0.0.1", tags={"a": "b"})])
    assert {table: rows(inventory, table) for table in tables} == before
    assert inventory.list()[0].last_seen == at(2)


def test_what_is_gone_comes_back(inventory):
    poll(inventory, 1, [server("i-1"), server("i-2")])
    poll(inventory, 2, [server("i-1"), server("i-2")])
    assert poll(inventory, 5, [server("i-2")]).gone == 1
    assert ids(inventory.list()) == ["i-2"]
    gone = inventory.show("i-1").entry
    assert not gone.present
    assert gone.gone == Bounds(at(1), at(5))  # from the start of the last poll that saw it
    assert gone.last_seen == at(2)
    assert poll(inventory, 7, [server("i-1"), server("i-2")]).added == 1
    back = inventory.show("i-1").entry
    assert back.present
    assert back.first_seen == Bounds(None, at(1))
    assert [ids(inventory.list(as_of=at(minute))) for minute in (0, 2, 5, 6, 7)] == [
        [],
        ["i-1", "i-2"],
        ["i-2"],
        ["i-2"],
        ["i-1", "i-2"],
    ]


def test_a_state_is_still_known_when_it_is_gone(inventory):
    poll(inventory, 1, [server("i-1")])
    poll(inventory, 2, [server("i-1", state="stopped")])
    poll(inventory, 3, [])
    assert inventory.show("i-1").document["details"]["server"]["state"] == "stopped"


# --- partial and failed polls ---


def test_a_failed_scope_keeps_its_resources(inventory):
    poll(inventory, 1, {"eu": [server("i-1")], "us": [server("i-2"), server("i-3")]})
    stored = poll(inventory, 2, {"eu": "throttled", "us": [server("i-2")]})
    assert (stored.outcome, stored.gone) == ("partial", 1)
    assert ids(inventory.list()) == ["i-1", "i-2"]
    assert inventory.show("i-1").entry.last_seen == at(1)
    assert inventory.show("i-2").entry.last_seen == at(2)


def test_a_scope_that_is_not_named_keeps_its_resources_unless_all_are_named(inventory):
    poll(inventory, 1, {"eu": [server("i-1")], "us": [server("i-2")]})
    assert poll(inventory, 2, {"us": [server("i-2")]}, all_scopes=False).gone == 0
    assert poll(inventory, 3, {"us": [server("i-2")]}).gone == 1
    assert [each.scope for each in inventory.coverage().scopes] == ["us"]
    poll(inventory, 4, {"eu": [server("i-1")], "us": [server("i-2")]})
    assert ids(inventory.list()) == ["i-1", "i-2"]
    assert [each.scope for each in inventory.coverage().scopes] == ["eu", "us"]


def test_a_resource_that_moved_to_another_scope_is_not_gone_with_the_old_one(inventory):
    poll(inventory, 1, {"eu": [server("i-1")], "us": []})
    poll(inventory, 2, {"eu": [], "us": [server("i-1")]})
    assert inventory.list()[0].scope == "us"
    assert poll(inventory, 3, {"eu": [], "us": "failed"}).gone == 0


def test_a_failed_poll_changes_only_its_own_record(inventory):
    poll(inventory, 1, [server("i-1", ip="10.0.0.1")])
    tables = ("resource", "version", "presence", "address", "change")
    before = {table: rows(inventory, table) for table in tables}
    assert fail(inventory, 2).outcome == "failed"
    assert poll(inventory, 3, {"eu": "no answer"}).outcome == "failed"
    assert {table: rows(inventory, table) for table in tables} == before
    (scope,) = inventory.coverage().scopes
    assert (scope.complete_at, scope.failed_since, scope.error) == (at(1), at(2), "no answer")


def test_the_first_poll_may_fail(inventory):
    fail(inventory, 1, "wrong password")
    assert inventory.list() == []
    assert (
        inventory.coverage().absence()
        == "not in 0 of 1 scopes; shop servers failed since 2026-01-01T10:01:00Z"
    )
    poll(inventory, 2, {"eu": [server("i-1")]}, all_scopes=False)
    assert [each.scope for each in inventory.coverage().scopes] == ["eu"]


# --- what is refused ---


def broken(**parts):
    resource = server("i-1")
    resource.update(parts)
    return resource


@pytest.mark.parametrize(
    "resource, what",
    [
        ("no dict", "str, not dict"),
        (broken(id=None), "no usable 'id'"),
        (broken(id=""), "no usable 'id'"),
        (broken(id="a\0b"), "no usable 'id'"),
        (broken(type=5), "no usable 'type'"),
        (broken(base={}), "no name"),
        (broken(base=None), "no object 'base'"),
        (broken(connections={"network": "n-1"}), "connections that are not lists"),
        (broken(connections={"network": [{"name": "x"}]}), "without a usable id"),
        (broken(metadata={"provider_specific": {"x": float("nan")}}), "JSON does not have"),
        (broken(metadata={"provider_specific": {"x": "\ud800"}}), "JSON does not have"),
        (broken(metadata={"provider_specific": {"status": "\ud800"}}), "JSON does not have"),
        (broken(metadata={"provider_specific": {"status": float("inf")}}), "JSON does not have"),
        (broken(metadata={"provider_specific": {"x": {1, 2}}}), "JSON does not have"),
        (broken(metadata={"provider_specific": {1: "x", "y": 2}}), "JSON does not have"),
    ],
)
def test_a_malformed_resource_is_refused_before_anything_is_written(inventory, resource, what):
    poll(inventory, 1, [server("i-0")])
    before = rows(inventory, "run")
    with pytest.raises(errors.InvalidResource, match=what):
        poll(inventory, 2, [server("i-0"), server("i-9"), resource])
    assert rows(inventory, "run") == before
    assert ids(inventory.list()) == ["i-0"]


def test_a_resource_that_is_nested_too_deeply_is_refused(inventory):
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(errors.InvalidResource, match="too many levels"):
        poll(inventory, 1, [broken(metadata={"provider_specific": {"x": deep}})])


def test_the_message_does_not_show_the_resource(inventory):
    with pytest.raises(errors.InvalidResource) as caught:
        poll(inventory, 1, [broken(base={"secret": "hunter2"})])
    assert "hunter2" not in str(caught.value)
    assert "'i-1' of scope 'eu'" in str(caught.value)


@pytest.mark.parametrize(
    "scopes, where",
    [
        ({"eu": [server("i-1"), server("i-1")]}, "scope 'eu'"),
        ({"eu": [server("i-1")], "us": [server("i-1")]}, "scope 'us' and 'eu'"),
    ],
)
def test_a_resource_that_is_there_twice_is_refused(inventory, scopes, where):
    with pytest.raises(errors.InvalidResource, match=f"'i-1' is there twice, in {where}"):
        poll(inventory, 1, scopes)
    assert inventory.list() == []
    assert rows(inventory, "run") == []


def test_the_same_id_may_belong_to_another_type_or_account(inventory):
    poll(inventory, 1, [server("1")])
    poll(inventory, 1, [network("1")], family="networks")
    poll(inventory, 1, [server("1")], account="office")
    assert len(inventory.list()) == 3
    with pytest.raises(errors.AmbiguousResource, match="3 resources have the id '1': shop server"):
        inventory.show("1")
    assert inventory.show("1", account="shop", type="network").entry.family == "networks"


def test_a_resource_belongs_to_one_family(inventory):
    poll(inventory, 1, [server("i-1")])
    with pytest.raises(errors.InvalidResource, match="belongs to family servers of shop already"):
        poll(inventory, 2, [server("i-1"), server("i-2")], family="appliances")
    assert ids(inventory.list()) == ["i-1"]
    poll(inventory, 3, [])
    poll(inventory, 4, [server("i-1")], family="appliances")
    assert [entry.family for entry in inventory.list()] == ["appliances"]


@pytest.mark.parametrize("started, ended", [(0, 2), (2, 4), (3, 3), (4, 5)])
def test_a_poll_older_than_what_is_stored_is_refused(inventory, started, ended):
    inventory.store(
        "shop", "servers", {"eu": []}, provider="acme", started_at=at(3), ended_at=at(5)
    )
    poll(inventory, 1, [server("o-1")], account="office")  # another source has a time of its own
    times = {"started_at": at(started), "ended_at": at(ended)}
    with pytest.raises(errors.StalePoll, match="is stored already"):
        inventory.store("shop", "servers", {"eu": [server("i-1")]}, provider="acme", **times)
    with pytest.raises(errors.StalePoll):
        inventory.store_failure("shop", "servers", "x", provider="acme", **times)
    assert ids(inventory.list()) == ["o-1"]


@pytest.mark.parametrize(
    "change",
    [
        {"account": ""},
        {"family": None},
        {"scopes": {}},
        {"ended_at": at(0)},
        {"started_at": at(1).replace(tzinfo=None)},
        {"ended_at": "2026-01-01"},
    ],
)
def test_a_poll_that_contradicts_itself_is_refused(inventory, change):
    call = {"account": "shop", "family": "servers", "scopes": {"eu": []}, "provider": "acme"}
    call.update({"started_at": at(1), "ended_at": at(2)}, **change)
    with pytest.raises(errors.InvalidPoll):
        inventory.store(**call)
    assert rows(inventory, "run") == []


# --- asking ---


def test_filters(inventory):
    tagged = {"stage": "prod", "owner": "team-1"}
    poll(
        inventory,
        1,
        {"eu": [server("i-1", "Web-1", tags=tagged)], "us": [server("i-2", state="stopped")]},
    )
    poll(inventory, 1, [network("n-1")], family="networks")
    poll(inventory, 1, [server("o-1", tags={"stage": "test"})], account="office", provider="other")
    assert ids(inventory.list(account="office")) == ["o-1"]
    assert ids(inventory.list(provider="acme")) == ["i-1", "i-2", "n-1"]
    assert ids(inventory.list(family="networks")) == ["n-1"]
    assert ids(inventory.list(type="server")) == ["i-1", "i-2", "o-1"]
    assert ids(inventory.list(scope="us")) == ["i-2"]
    assert ids(inventory.list(state="stopped")) == ["i-2"]
    assert ids(inventory.list(name="wEB")) == ["i-1"]
    assert ids(inventory.list(tag="stage=prod")) == ["i-1"]
    assert ids(inventory.list(tag="stage")) == ["i-1", "o-1"]
    assert inventory.list(account="nobody") == []


def test_filters_of_an_earlier_time(inventory):
    poll(inventory, 1, [server("i-1", "old", tags={"a": "1"}), server("i-2", state="stopped")])
    poll(inventory, 2, [server("i-1", "new", state="stopped", tags={"a": "2"}), server("i-2")])
    assert ids(inventory.list(name="old", as_of=at(1))) == ["i-1"]
    assert ids(inventory.list(name="new", as_of=at(1))) == []
    assert ids(inventory.list(state="stopped", as_of=at(1))) == ["i-2"]
    assert ids(inventory.list(state="stopped")) == ["i-1"]
    assert ids(inventory.list(tag="a=1", as_of=at(1))) == ["i-1"]
    assert ids(inventory.list(tag="a=1")) == []


def test_pages(inventory):
    poll(inventory, 1, [server(f"i-{number:03}") for number in range(250)])
    found, after = [], 0
    while page := inventory.list(limit=100, after=after):
        found.extend(ids(page))
        after = page[-1].key
    assert found == [f"i-{number:03}" for number in range(250)]


def test_questions_that_make_no_sense(inventory):
    with pytest.raises(errors.InvalidQuestion, match="time zone"):
        inventory.list(as_of=at(1).replace(tzinfo=None))
    with pytest.raises(errors.InvalidQuestion, match="limit"):
        inventory.list(limit=0)
    with pytest.raises(errors.UnknownResource, match="'i-9'"):
        inventory.show("i-9")


def test_a_resource_that_only_others_name_was_never_there(inventory):
    poll(inventory, 1, [server("i-1", connections={"network": [{"id": "n-1"}]})])
    assert ids(inventory.list()) == ["i-1"]
    with pytest.raises(errors.UnknownResource):
        inventory.show("n-1")


# --- the file ---


@pytest.mark.parametrize(
    "url, error, what",
    [
        ("", errors.WrongUrl, "is empty"),
        ("mysql://host/db", errors.WrongUrl, "'mysql' is not a database"),
        ("nonsense://", errors.WrongUrl, "not a database"),
        ("sqlite://", errors.WrongUrl, "names no file"),
        ("sqlite:///:memory:", errors.WrongUrl, "names no file"),
        ("sqlite:///x.db?mode=ro", errors.WrongUrl, "names no file"),
        ("postgresql://user:hunter2@host:port/db", errors.WrongUrl, "not a URL"),
        ("{tmp}", errors.WrongUrl, "is a folder"),
        ("{tmp}/none/x.db", errors.WrongUrl, "there is no folder"),
    ],
)
def test_wrong_addresses(tmp_path, url, error, what):
    with pytest.raises(error, match=what) as caught:
        Inventory(url.format(tmp=tmp_path), create=True)
    assert "hunter2" not in str(caught.value)


def test_the_driver_of_postgresql_may_be_missing(monkeypatch):
    monkeypatch.setattr(database.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(errors.Unavailable, match="pip install") as caught:
        Inventory("postgresql://user:hunter2@host/db")
    assert "hunter2" not in str(caught.value)


def test_an_inventory_is_made_only_where_it_is_wanted(tmp_path):
    file = tmp_path / "x.db"
    with pytest.raises(errors.NoInventory, match="there is no inventory at"):
        Inventory(file)
    assert not file.exists()
    file.touch()
    with pytest.raises(errors.NoInventory, match="is empty"):
        Inventory(file)
    Inventory(file, create=True).close()
    Inventory(f"sqlite:///{file}").close()


def test_another_database_is_not_touched(tmp_path):
    file = tmp_path / "x.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE version (text)")
    before = file.read_bytes()
    with pytest.raises(errors.NotAnInventory, match="but not an inventory"):
        Inventory(file, create=True)
    assert file.read_bytes() == before


def test_a_file_that_is_no_database_is_not_touched(tmp_path):
    file = tmp_path / "x.db"
    file.write_text("no database, but text that is longer than a header\n" * 100)
    before = file.read_bytes()
    with pytest.raises(errors.NotAnInventory, match="is not a database"):
        Inventory(file, create=True)
    assert file.read_bytes() == before


def test_a_newer_schema_is_refused_and_stays(inventory, inventory_url):
    poll(inventory, 1, [server("i-1")])
    execute(inventory, "UPDATE alembic_version SET version_num = '9999'")
    before = everything(inventory)
    for create in (True, False):
        with pytest.raises(errors.NewerSchema, match="newer release") as caught:
            Inventory(inventory_url, create=create)
        assert inventory.address in str(caught.value)
    assert everything(inventory) == before
    assert revision(inventory) == "9999"


def revision(inventory):
    with database.reading(inventory._engine) as connection:
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def test_an_older_schema_is_brought_up_to_date_only_by_a_writer(
    inventory, inventory_url, monkeypatch
):
    execute(inventory, "UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(errors.OlderSchema, match="older release"):
        Inventory(inventory_url)

    def migrate(connection):
        statement = sqlalchemy.text("UPDATE alembic_version SET version_num = :revision")
        connection.execute(statement, {"revision": REVISION})

    monkeypatch.setattr(database, "_migrate", migrate)
    Inventory(inventory_url, create=True).close()
    Inventory(inventory_url).close()


def test_two_processes_may_make_an_inventory_at_once(empty_database):
    def make(account):
        with Inventory(empty_database, create=True) as mine:
            poll(mine, 1, [server("i-1")], account)

    assert side_by_side(make, "a", "b", "c") == []
    with Inventory(empty_database) as inventory:
        assert len(inventory.list()) == 3
        assert inventory.check() == []


@pytest.mark.parametrize("tables", [1, 9, len(metadata.tables)])
def test_the_first_migration_stops_half_way_and_leaves_nothing(empty_database, monkeypatch, tables):
    """The database runs out of space after some tables."""
    from alembic import op

    create, created = op.create_table, []

    def stop(*args, **more):
        if len(created) == tables:
            raise sqlite3.OperationalError("database or disk is full")
        created.append(args[0])
        return create(*args, **more)

    monkeypatch.setattr(op, "create_table", stop)
    for name in ("sqlite", "postgresql"):
        monkeypatch.setattr(f"inventory.{name}.add_name_index", stop)
    with pytest.raises(errors.DiskFull):
        Inventory(empty_database, create=True)
    assert len(created) == tables
    monkeypatch.undo()
    with pytest.raises(errors.NoInventory, match="is empty"):
        Inventory(empty_database)
    with Inventory(empty_database, create=True) as inventory:
        poll(inventory, 1, [server("i-1")])
        assert inventory.check() == []


def test_a_migration_that_stops_half_way_leaves_what_was_there(
    inventory, inventory_url, monkeypatch
):
    poll(inventory, 1, [server("i-1", ip="10.0.0.1")])
    execute(inventory, "UPDATE alembic_version SET version_num = '0000'")
    before = everything(inventory)

    def stop(connection):
        for statement in (
            "CREATE TABLE more (id integer)",
            "ALTER TABLE resource ADD COLUMN more integer",
            "UPDATE resource SET name = 'x'",
            "DELETE FROM version",
            "UPDATE alembic_version SET version_num = '9999'",
        ):
            connection.exec_driver_sql(statement)
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(database, "_migrate", stop)
    with pytest.raises(errors.DiskFull, match="nothing of this call was stored"):
        Inventory(inventory_url, create=True)
    assert everything(inventory) == before
    assert revision(inventory) == "0000"
    tables = set(sqlalchemy.inspect(inventory._engine).get_table_names())
    assert "more" not in tables


def test_the_migrations_come_to_the_schema(inventory):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    with inventory._engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _: not (name or "").startswith("name_index")},
        )
        assert compare_metadata(context, metadata) == []
    assert ScriptDirectory(str(database.MIGRATIONS)).get_current_head() == REVISION


def test_the_tables_without_row_numbers_have_none(inventory_file):
    """Alembic doesn't compare this."""
    with sqlite3.connect(inventory_file) as connection:
        tables = dict(
            connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        )
    for table in metadata.tables.values():
        without = table.dialect_options["sqlite"]["with_rowid"] is False
        assert without == ("WITHOUT ROWID" in tables[table.name]), table.name


def test_the_settings_of_the_file(file_inventory):
    with file_inventory._engine.connect() as connection:
        read = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in (
                "journal_mode",
                "auto_vacuum",
                "foreign_keys",
                "busy_timeout",
                "synchronous",
            )
        }
    assert read == {
        "journal_mode": "wal",
        "auto_vacuum": 2,  # incremental
        "foreign_keys": 1,
        "busy_timeout": 30_000,
        "synchronous": 2,  # full
    }


# --- two at once ---


def test_a_writer_fails_clearly_when_another_one_holds_on(inventory, inventory_url):
    poll(inventory, 1, [server("i-1")])
    before = everything(inventory)
    with Inventory(inventory_url, timeout=0.01) as other:
        with database.writing(inventory._engine) as connection:
            connection.execute(update(source).values(family="servers"))
            with pytest.raises(errors.Locked, match="another process is writing") as caught:
                poll(other, 2, [server("i-2")])
            assert "try again" in str(caught.value)
            assert ids(other.list()) == ["i-1"]  # readers don't wait
        assert everything(inventory) == before
        poll(other, 2, [server("i-2")])
        assert ids(inventory.list()) == ["i-2"]


def test_an_answer_is_of_one_moment(inventory, inventory_url):
    poll(inventory, 1, [server("i-1")])
    with inventory._reading() as connection:
        reader = Reader(connection)
        before = [reader.keys(Filter()), reader.coverage(Filter())]
        with Inventory(inventory_url) as other:
            poll(other, 2, {"eu": [server("i-2")], "us": [server("i-3")]})
        assert [reader.keys(Filter()), reader.coverage(Filter())] == before
    assert ids(inventory.list()) == ["i-2", "i-3"]


def test_two_writers_take_turns(inventory, inventory_url):
    """Of two accounts whose resources have the same tags, networks and types."""

    def resources(account, minute):
        return [
            server(
                f"{account}-{n}",
                tags={"round": str(minute), "number": str(n)},
                connections={"network": [{"id": f"n-{n % 3}"}]},
                round=minute,
            )
            for n in range(20)
        ]

    def store(account):
        with Inventory(inventory_url) as mine:
            for minute in range(1, 6):
                poll(mine, minute, resources(account, minute), account)

    assert side_by_side(store, "a", "b") == []
    assert len(inventory.list()) == 40
    assert len(rows(inventory, "run")) == 10
    shown = inventory.show("a-3").document
    assert shown["metadata"]["provider_specific"] == {"round": 5}
    assert inventory.check() == []


def side_by_side(action, *values):
    """Calls the action with each value, each in a thread; returns what was raised."""
    start = threading.Barrier(len(values))
    failed = []

    def call(value):
        try:
            start.wait()
            action(value)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=call, args=(value,)) for value in values]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def test_the_state_for_the_next_poll_is_stored_with_the_poll_or_not_at_all(inventory):
    def stored(minute, resources, state):
        times = {"started_at": at(minute), "ended_at": at(minute + 1)}
        more = {"provider": "acme", "state": state, **times}
        inventory.store("shop", "servers", {"eu": resources}, **more)

    stored(0, [server("i-1")], {"a": 1, "b": 2})
    stored(2, [server("i-1")], None)
    assert inventory.state("shop", "servers") == {"a": 1, "b": 2}
    with pytest.raises(errors.StalePoll):
        stored(1, [server("i-1")], {"a": 2})
    with pytest.raises(errors.InvalidPoint, match="'a' has a value that JSON does not have"):
        stored(4, [server("i-2")], {"a": object()})
    assert inventory.state("shop", "servers") == {"a": 1, "b": 2}
    assert ids(inventory.list()) == ["i-1"]
    stored(4, [server("i-2")], {"b": 3})
    assert inventory.state("shop", "servers") == {"b": 3}


def test_a_process_that_polls_keeps_others_away_until_it_ends_also_if_it_is_killed(
    inventory, inventory_url, tmp_path
):
    script = (
        "import sys; from inventory import Inventory\n"
        "with Inventory(sys.argv[1]) as i, i.polling('shop', 'servers'):\n"
        "    print('polling', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, inventory_url]
    for end in ("kill", "close"):
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout.readline() == b"polling\n"
            with (
                pytest.raises(errors.BeingPolled, match="is polling shop servers into "),
                inventory.polling("shop", "servers"),
            ):
                pass
            with inventory.polling("shop", "networks"), inventory.polling("lab", "servers"):
                pass
            if end == "kill":
                process.kill()
            process.communicate()
        _free_again(inventory)
    left = [file.name for file in tmp_path.iterdir() if "-poll-" in file.name]
    assert left == []  # what the killed one left, the next one has removed


def _free_again(inventory):
    """A server notices soon, but not at once, that a process is gone."""
    while True:
        with contextlib.suppress(errors.BeingPolled), inventory.polling("shop", "servers"):
            return


def test_of_two_polls_of_one_source_the_older_is_refused(inventory, inventory_url):
    """Whoever comes second; the one that came first is stored as a whole."""
    with Inventory(inventory_url) as other:
        poll(other, 5, [server("i-2")])
        with pytest.raises(errors.StalePoll):
            poll(inventory, 4, [server("i-1")])
        assert ids(inventory.list()) == ["i-2"]


@pytest.mark.parametrize("earlier", [False, True])
def test_of_two_polls_of_one_source_at_once_one_is_stored(inventory, inventory_url, earlier):
    """Whichever: as a whole. Also if it is the source's first."""
    if earlier:
        poll(inventory, 1, [server("i-0")])

    def store(name):
        with Inventory(inventory_url) as mine:
            poll(mine, 5, [server(f"{name}-{n}", ip=f"10.0.0.{n}") for n in range(50)])

    (error,) = side_by_side(store, "a", "b")
    assert isinstance(error, errors.StalePoll)
    names = {id[0] for id in ids(inventory.list())}
    assert names in ({"a"}, {"b"})
    assert len(inventory.list()) == 50
    assert len(rows(inventory, "run")) == 1 + earlier
    assert inventory.check() == []


# --- what the file holds ---


def test_no_secret_of_an_account_is_in_the_database(inventory, tmp_path):
    """Of all that polls of the demo accounts return: looked for in every row, in documents, and in the file.

    tests/test_poll.py looks for secrets in the errors of polls.
    """
    demo = {account.provider: account for account in accounts.demo().values()}
    for number, file in enumerate(GOLDEN):
        provider, _, handler = file.stem.partition(".")
        answer = json.loads(file.read_text(encoding="utf-8"))
        family = file.parent.name
        if not handler:
            poll(inventory, number, answer, provider, family, provider)
        elif handler in points.HANDLERS:
            (found,) = (value for key, value in answer.items() if key != "last_update")
            inventory.store_points(
                provider, family, handler, found, provider=provider, last_update="x", state={"a": 1}
            )
    with inventory._reading() as connection:
        documents = Documents(connection)
        numbers = connection.execute(select(version.c.id)).scalars().all()
        texts = [json.dumps(documents.of_version(each)) for each in numbers]
    assert len(texts) > 300
    texts.append(repr(everything(inventory)))
    inventory.close()
    held = "\n".join(texts).encode() + b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert b"us-east-1" in held
    secrets = [text for each in demo.values() for text in secrets_in(each.credentials)]
    assert len(secrets) > 10
    for secret in secrets:
        assert secret.encode() not in held


def test_documents_are_compressed_with_a_dictionary_in_the_file(inventory):
    many = [
        server(
            f"i-{n:04}",
            f"web-{n}",
            ip=f"10.0.{n % 250}.5",
            **{f"field_{f}": "some text" for f in range(40)},
        )
        for n in range(200)
    ]
    poll(inventory, 1, many)
    bodies = [row[-1] for row in rows(inventory, "version")]
    size = sum(map(len, bodies)) / len(bodies)
    assert size < 0.15 * len(json.dumps(many[0]))
    assert len(rows(inventory, "dictionary")) == 1
    poll(inventory, 2, [copy.deepcopy(each) for each in many])
    assert inventory.show("i-0123").document["metadata"] == many[123]["metadata"]


def test_a_dictionary_of_few_documents_is_replaced(inventory):
    poll(inventory, 1, [server("i-1")])
    assert rows(inventory, "dictionary") == []
    poll(inventory, 2, [server(f"i-{n}") for n in range(6)])
    assert len(rows(inventory, "dictionary")) == 1
    poll(inventory, 3, [server(f"i-{n}") for n in range(40)])
    assert len(rows(inventory, "dictionary")) == 2
    assert [inventory.show(f"i-{n}").document["id"] for n in (0, 5, 39)] == ["i-0", "i-5", "i-39"]


def test_a_release_that_ignores_more_fields_makes_no_change_of_it(inventory, monkeypatch):
    """The hash differs, the rest of the document does not."""
    from inventory import fields

    poll(inventory, 1, [server("i-1", etag="a")])
    monkeypatch.setattr(fields, "IGNORED_METADATA", fields.IGNORED_METADATA | {"etag"})
    stored = poll(inventory, 2, [server("i-1", etag="b")])
    assert (stored.added, stored.changed) == (0, 0)
    assert len(rows(inventory, "version")) == 1


def test_numbers_as_keys_become_text_as_in_all_json(inventory):
    for minute in (1, 2, 3):
        resource = server("i-1", vlans={10: "a", 20: minute // 3})
        assert poll(inventory, minute, [resource]).changed == minute // 3
    shown = inventory.show("i-1").document["metadata"]["provider_specific"]
    assert shown == {"vlans": {"10": "a", "20": 1}}
