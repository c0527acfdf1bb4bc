"""What an inventory does when its database fails: a clear error, and what was stored before is as it was."""

import sqlite3

import pytest
from sqlalchemy import event

from inventory import Inventory, errors
from inventory.errors import Deadlock, DiskFull
from tests.inventories import at, everything, execute, fail, ids, network, poll, rows, server


@pytest.fixture
def filled(inventory):
    """An inventory with something of everything that a poll changes."""
    connections = {"network": [{"id": "n-1"}]}
    poll(
        inventory, 1, [server("i-1", ip="10.0.0.1"), server("i-2", tags={"a": "b"}), server("i-3")]
    )
    poll(inventory, 1, [network("n-1", "10.0.0.0/8")], family="networks")
    poll(inventory, 2, [server("i-1", connections=connections), server("i-2", tags={"a": "b"})])
    return inventory


def next_poll(inventory):
    """New, changed, gone, moved, back, with another state, of another scope."""
    scopes = {
        "eu": [server("i-1", "renamed", ip="10.0.0.9"), server("i-3", state="stopped")],
        "us": [server(f"i-{number}", tags={"c": str(number)}) for number in range(4, 9)],
    }
    return poll(inventory, 3, scopes)


# --- the database fails ---


def test_an_error_at_any_statement_stores_nothing(filled):
    before = everything(filled)
    left = 0

    def failing(*_):
        nonlocal left
        left -= 1
        if left < 0:
            raise sqlite3.OperationalError("database or disk is full")

    event.listen(filled._engine, "before_cursor_execute", failing)
    event.listen(filled._engine, "commit", failing)
    statements = 0
    while True:
        left = statements
        try:
            next_poll(filled)
            break
        except errors.DiskFull:
            left = 10**6
            statements += 1
    event.remove(filled._engine, "before_cursor_execute", failing)
    event.remove(filled._engine, "commit", failing)
    assert statements > 30
    assert filled.check() == []
    assert len(rows(filled, "run")) == len(before["run"]) + 1


def test_a_full_disk(filled):
    """The database itself says so: SQLite at a limit of pages, PostgreSQL by the error that it has for it."""
    before = everything(filled)
    if filled._engine.dialect.name == "sqlite":

        def limit(connection, _):
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages + 3}")

        event.listen(filled._engine, "connect", limit)
        filled._engine.dispose()
    else:
        execute(
            filled,
            "CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE 'no space' USING ERRCODE = '53100'; END$$",
        )
        execute(
            filled,
            "CREATE TRIGGER no_space BEFORE INSERT ON address FOR EACH ROW EXECUTE FUNCTION no_space()",
        )
    resources = [server(f"i-{n}", ip=f"10.0.1.{n}", tags={"n": str(n)}) for n in range(200)]
    with pytest.raises(errors.DiskFull, match="no space left for") as caught:
        poll(filled, 3, resources)
    assert "nothing of this call was stored" in str(caught.value)
    assert everything(filled) == before
    with pytest.raises(errors.DiskFull):
        poll(filled, 3, resources)
    assert filled.check() == []


def test_what_an_error_says_holds_nothing_that_was_to_be_stored(filled):
    def failing(*_):
        raise sqlite3.OperationalError("some trouble")

    event.listen(filled._engine, "before_cursor_execute", failing)
    with pytest.raises(errors.Unavailable, match="some trouble") as caught:
        poll(filled, 3, [server("i-secret", "hunter2")])
    event.remove(filled._engine, "before_cursor_execute", failing)
    assert "hunter2" not in str(caught.value)
    assert "i-secret" not in str(caught.value)


def test_a_poll_that_the_database_gave_up_for_another_one_is_stored_again(filled, monkeypatch):
    from inventory import store

    stored, given_up = store.store, []

    def deadlock(*given):
        result = stored(*given)
        if len(given_up) < 2:
            given_up.append(result.run)
            raise Deadlock("x", "y")
        return result

    monkeypatch.setattr(store, "store", deadlock)
    result = next_poll(filled)
    assert len(given_up) == 2
    assert (result.added, result.changed, result.gone) == (6, 1, 1)
    assert filled.check() == []
    monkeypatch.setattr(store, "store", lambda *_: (_ for _ in ()).throw(Deadlock("x", "y")))
    with pytest.raises(errors.Locked):
        poll(filled, 4, [])


@pytest.mark.parametrize(
    "state, kind",
    [
        ("53100", DiskFull),
        ("55P03", errors.Locked),
        ("40P01", errors.Deadlock),
        ("25006", errors.ReadOnly),
        ("42501", errors.ReadOnly),
        ("XX001", errors.Damaged),
        ("08006", errors.Unavailable),
    ],
)
def test_errors_of_postgresql_are_known_in_every_language(filled, state, kind):
    class Failed(sqlite3.OperationalError):
        sqlstate = state

    def failing(*_):
        raise Failed("eine Meldung in einer anderen Sprache")

    event.listen(filled._engine, "before_cursor_execute", failing)
    with pytest.raises(errors.InventoryError) as caught:
        filled.list()
    event.remove(filled._engine, "before_cursor_execute", failing)
    assert type(caught.value) is kind


# --- what can't be stored as text ---


def test_errors_and_names_with_what_databases_have_no_text_for(inventory):
    """NUL, and halves of characters that JSON can name alone."""
    fail(inventory, 1, "no\0 answer \ud800")
    poll(inventory, 2, {"eu": [server("i-1")], "us": "thr\0ottled \udfff"})
    assert [each.error for each in inventory.coverage(as_of=at(1)).scopes] == ["no answer ?"]
    assert [each.error for each in inventory.coverage().scopes] == [None, "throttled ?"]
    for scope in ("a\0b", "\ud800", 5):
        with pytest.raises(errors.InvalidPoll, match="the poll's scope is"):
            poll(inventory, 3, {scope: [server("i-1")]})
    for name in ("account", "family", "provider"):
        with pytest.raises(errors.InvalidPoll, match=f"the poll's {name} is"):
            poll(inventory, 3, [server("i-1")], **{name: "\ud800"})
    assert ids(inventory.list()) == ["i-1"]


@pytest.mark.parametrize("part", ["id", "type", "name", "target", "kind", "tag", "key", "value"])
def test_every_text_is_stored_or_refused_with_a_clear_error(inventory, part):
    """Not what one database takes and the other does not."""
    for text, stored in (("a\0b", part not in ("id", "type", "target", "kind")), ("\ud800", False)):
        given = dict.fromkeys(("id", "type", "name", "target", "kind", "tag", "key", "value"), "x")
        given[part] = text
        resource = {
            **server(given["id"], tags={given["tag"]: given["value"]}),
            "type": given["type"],
            "connections": {given["kind"]: [{"id": given["target"]}]},
        }
        resource["base"]["name"] = given["name"]
        resource["metadata"]["provider_specific"] = {given["key"]: f"arn:{given['value']}"}
        if stored:
            poll(inventory, 1, [resource])
            shown = inventory.show("x").document
            assert shown["base"]["name"] == given["name"]
            assert inventory.check() == []
        else:
            with pytest.raises(errors.InvalidResource):
                poll(inventory, 2, [resource])
    assert len(inventory.list()) == (part not in ("id", "type", "target", "kind"))


def test_the_file_may_not_be_written(filled, inventory_url):
    """By this user; root may write everything, so the file says so itself."""
    before = everything(filled)

    def read_only(connection, _):
        if filled._engine.dialect.name == "sqlite":
            connection.execute("PRAGMA query_only = ON")
        else:
            connection.execute("SET default_transaction_read_only = on")
            connection.commit()

    event.listen(filled._engine, "connect", read_only)
    filled._engine.dispose()
    with pytest.raises(errors.ReadOnly, match="can't be written"):
        next_poll(filled)
    with Inventory(inventory_url) as other:
        assert everything(other) == before
        assert other.list(as_of=at(2)) == other.list()
