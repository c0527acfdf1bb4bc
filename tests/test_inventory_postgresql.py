"""What is particular to PostgreSQL. What needs a server is run by `make test-postgres`, with all tests of inventories."""

import time
import urllib.parse

import pytest
from sqlalchemy import event, select

from inventory import Inventory, due, errors
from inventory.schedule import Planned
from tests import postgresql as starter
from tests.daemons import free_port
from tests.inventories import execute, poll, server

needs_a_server = pytest.mark.postgresql


def test_a_missing_package_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(starter, "DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert starter.main(["true"]) == 1
    assert capsys.readouterr().err == (
        "PostgreSQL 15 or newer is not installed; on Debian and Ubuntu: apt-get install postgresql\n"
    )


def changed(url, **parts):
    return urllib.parse.urlsplit(url)._replace(**parts).geturl()


@needs_a_server
def test_wrong_addresses(inventory_url):
    """A port where nobody listens, another password, user, or database."""
    found = urllib.parse.urlsplit(inventory_url)
    password = found.password
    for url, what in (
        (inventory_url.replace(f":{found.port}/", f":{free_port()}/"), "refused"),
        (inventory_url.replace(password, "hunter2"), "password authentication failed"),
        (inventory_url.replace("//tests:", "//nobody:"), "authentication failed"),
        (changed(inventory_url, path="/none"), 'database "none" does not exist'),
    ):
        with pytest.raises(errors.Unavailable, match=what) as caught:
            Inventory(url, create=True)
        text = str(caught.value)
        assert text.startswith("postgresql://")
        assert "***@127.0.0.1" in text and "\n" not in text
        assert password not in text and "hunter2" not in text


@needs_a_server
def test_another_database_is_not_touched(postgresql):
    import psycopg

    url = postgresql.new()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE version (text text)")
    for create in (True, False):
        with pytest.raises(errors.NotAnInventory, match="but not an inventory"):
            Inventory(url, create=create)
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
    assert tables == [("version",)]
    postgresql.drop(url)


@needs_a_server
def test_a_user_who_may_only_read(inventory, inventory_url):
    poll(inventory, 1, [server("i-1")])
    name = "reader_" + urllib.parse.urlsplit(inventory_url).path[1:]
    execute(inventory, f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
    execute(inventory, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
    try:
        netloc = urllib.parse.urlsplit(inventory_url).netloc.rpartition("@")[2]
        with Inventory(changed(inventory_url, netloc=f"{name}:secret@{netloc}")) as reader:
            assert len(reader.list()) == 1
            with pytest.raises(errors.ReadOnly, match="can't be written: check its owner"):
                poll(reader, 2, [])
        assert len(inventory.list()) == 1
    finally:
        execute(inventory, f"DROP OWNED BY {name}")
        execute(inventory, f"DROP ROLE {name}")


@needs_a_server
def test_a_server_that_ends_the_connection(inventory):
    """The transaction is lost as a whole; the next call connects again."""
    poll(inventory, 1, [server("i-1")])
    end = "SELECT pg_terminate_backend(pg_backend_pid())"
    with (
        pytest.raises(errors.Unavailable, match="terminating connection"),
        inventory._writing() as c,
    ):
        c.exec_driver_sql("DELETE FROM version")
        c.exec_driver_sql(end)
    assert inventory.check() == []
    poll(inventory, 2, [server("i-1", "web")])
    assert inventory.show("i-1").entry.name == "web"


@needs_a_server
def test_names_are_found_where_the_user_may_not_make_the_extension(empty_database, monkeypatch):
    from inventory import postgresql as ours

    monkeypatch.setattr(ours, "EXTENSION", "no_such_extension")
    with Inventory(empty_database, create=True) as inventory:
        poll(inventory, 1, [server("i-1", "Web-01")])
        assert [hit.entry.id for hit in inventory.search("eb-0").hits] == ["i-1"]
        assert inventory.check() == []


@needs_a_server
def test_the_index_of_names_can_be_used(inventory):
    """PostgreSQL chooses it for many rows; here, it may choose nothing else."""
    asked = []

    def listen(connection, cursor, statement, parameters, context, many):
        if "ILIKE" in statement:
            asked.append((statement, parameters))

    event.listen(inventory._engine, "before_cursor_execute", listen)
    inventory.search("web-01")
    event.remove(inventory._engine, "before_cursor_execute", listen)
    ((statement, parameters),) = asked
    with inventory._reading() as connection:
        for way in ("seqscan", "indexscan"):
            connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars()
        assert "Bitmap Index Scan on name_index" in "\n".join(plan)


@needs_a_server
def test_a_writer_that_does_nothing_is_ended_so_that_others_can_write(inventory_url):
    """Its process was paused, or its host is gone: its locks would stay for hours."""
    with (
        Inventory(inventory_url, timeout=1, create=True) as paused,
        Inventory(inventory_url) as other,
    ):
        with (
            pytest.raises(errors.Unavailable, match="idle-in-transaction"),
            paused._writing() as connection,
        ):
            connection.exec_driver_sql("LOCK TABLE run")
            poll(other, 1, [server("i-1")])
            connection.exec_driver_sql("DELETE FROM run")
        poll(paused, 2, [server("i-1")])
        assert paused.check() == []


def claimed(inventory):
    """By a worker that looks again and again."""
    end = time.monotonic() + 60
    while (claim := inventory.claim("other/1", 30)) is None:
        assert time.monotonic() < end, "nothing could be claimed"
        time.sleep(0.05)
    return claim


@needs_a_server
def test_a_worker_that_is_paused_while_it_claims_keeps_others_from_it_for_a_moment(
    inventory, inventory_url, monkeypatch
):
    monkeypatch.setattr(due, "PAUSED_MS", 100)
    inventory.plan([Planned("shop", "acme", "servers", "get", 60)])
    with (
        Inventory(inventory_url) as other,
        pytest.raises(errors.Unavailable, match="idle-in-transaction"),
        inventory._writing() as connection,
    ):
        due.claim(connection, "paused/1", 30, None, None, 0, lambda *_: True)
        assert claimed(other).attempt == 1
        connection.exec_driver_sql("SELECT 1")
    assert inventory.due()[0].worker == "other/1"


@needs_a_server
def test_what_a_worker_that_is_paused_while_it_stores_held_is_claimed_by_another(
    inventory, inventory_url
):
    inventory.plan([Planned("shop", "acme", "servers", "get", 60)])
    with Inventory(inventory_url, timeout=1) as paused:
        mine = paused.claim("paused/1", 0.1)
        with (
            pytest.raises(errors.Unavailable, match="idle-in-transaction"),
            paused._writing() as connection,
        ):
            locked = select(due.KEY[0]).where(*due.key_is(mine.key)).with_for_update()
            assert connection.execute(locked).all()  # as when the claim is ended
            assert claimed(inventory).attempt == 2
            connection.exec_driver_sql("SELECT 1")
