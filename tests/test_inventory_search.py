"""Searching an inventory, and the proof that something is nowhere."""

import sqlite3

import pytest
from sqlalchemy import event

from inventory import Inventory, errors, sqlite
from inventory.extract import address_of, extract, unpacked
from inventory.model import Bounds
from tests.inventories import at, execute, fail, network, poll, server

ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/fast/a67c"


def hits(inventory, question, **more):
    found = inventory.search(question, **more)
    return [(hit.by, hit.entry.id) for hit in found.hits]


# --- what is indexed ---


@pytest.mark.parametrize(
    "text, written",
    [
        ("10.4.3.17", "10.4.3.17"),
        ("10.4.3.17/32", "10.4.3.17"),
        ("10.4.3.17/16", "10.4.3.17"),  # an interface's
        ("10.4.0.0/16", "10.4.0.0/16"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("fd00:1::F816", "fd00:1::f816"),
        ("fd00:1::/64", "fd00:1::/64"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("::", "::"),
    ],
)
def test_addresses(text, written):
    assert unpacked(*address_of(text)) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "300.1.1.1",
        "10.0.0.1/33",
        "a:b",
        "12:30:00",
        "web.1.2.3.4",
        "1.2.3.4 ",
    ],
)
def test_what_is_no_address(text):
    assert address_of(text) is None


def test_what_of_a_document_can_be_searched():
    document = server(
        "10.9.9.9",
        "10.8.8.8x",
        ip="10.0.0.5",
        tags={"env": "prod", "count": 5},
        connections={"network": [{"id": "n-1"}]},
        arn=ARN,
        mac="FA-16-3E-00-00-01",
        pools=[{"start": "10.0.0.2"}],
    )
    found = extract(document)
    assert {(unpacked(ip, prefix), where) for ip, prefix, where in found.addresses} == {
        ("10.0.0.5", "/details/server/ip_addresses/*/ip_address"),
        ("10.0.0.2", "/metadata/provider_specific/pools/*/start"),
    }
    assert found.identifiers == {
        (ARN, "/metadata/provider_specific/arn"),
        ("fa:16:3e:00:00:01", "/metadata/provider_specific/mac"),
    }
    assert found.tags == {("env", "prod"), ("count", "5")}
    assert found.connections == {("network", "n-1")}


# --- straight to the resource ---


def test_an_id_goes_straight_to_its_resource(inventory):
    poll(inventory, 1, [server("i-1", "web"), server("i-10", "i-1 copy"), server(ARN)])
    assert hits(inventory, " i-1 ") == [("id", "i-1")]
    assert hits(inventory, ARN) == [("id", ARN)]
    poll(inventory, 2, [])
    (hit,) = inventory.search("i-1").hits
    assert hit.entry.gone == Bounds(at(0), at(2))


def test_an_arn_or_a_mac_address_goes_to_who_has_it(inventory):
    poll(inventory, 1, [server("i-1", arn=ARN, mac="fa:16:3e:00:00:01"), server("i-2")])
    assert hits(inventory, ARN) == [("identifier", "i-1")]
    assert hits(inventory, "FA:16:3E:00:00:01") == [("identifier", "i-1")]
    assert hits(inventory, "arn:aws:ec2:eu-west-1:123456789012:instance/i-2") == [("id", "i-2")]
    assert hits(inventory, "arn:aws:ec2:eu-west-1:123456789012:instance/i-3") == []


# --- addresses ---


def test_who_has_an_address_since_when_and_which_networks_hold_it(inventory):
    networks = [
        network("n-all", "0.0.0.0/0"),
        network("n-8", "10.0.0.0/8"),
        network("n-24", "10.4.3.0/24", "fd00::/64"),
        network("n-other", "10.4.4.0/24"),
    ]
    poll(inventory, 1, networks, family="networks")
    poll(inventory, 1, [server("i-1", ip="10.4.3.16"), server("i-2", route="10.0.0.0/8")])
    poll(inventory, 5, [server("i-1", ip="10.4.3.17"), server("i-2", route="10.0.0.0/8")])
    found = inventory.search("10.4.3.17")
    assert [(hit.by, hit.entry.id, hit.value) for hit in found.hits] == [
        ("address", "i-1", "10.4.3.17"),
        ("network", "n-24", "10.4.3.0/24"),  # the narrowest first
        ("network", "n-8", "10.0.0.0/8"),
    ]
    assert found.hits[0].since == Bounds(at(0), at(5))
    assert found.hits[0].where == "/details/server/ip_addresses/*/ip_address"
    assert found.hits[1].since == Bounds(None, at(1))
    assert not found.scanned
    assert hits(inventory, "10.4.3.17", as_of=at(1)) == [("network", "n-24"), ("network", "n-8")]
    assert hits(inventory, "10.4.3.16", as_of=at(1))[0] == ("address", "i-1")
    assert hits(inventory, "10.4.3.16", by="address")[0] == ("network", "n-24")
    assert hits(inventory, "10.4.3.16", by="network") == [("network", "n-24"), ("network", "n-8")]
    assert hits(inventory, "fd00::7") == [("network", "n-24")]


def test_what_is_in_a_network(inventory):
    poll(
        inventory,
        1,
        [server("i-1", ip="10.4.3.17"), server("i-2", ip="10.4.4.1"), server("i-3", ip="10.5.0.1")],
    )
    poll(
        inventory,
        1,
        [network("n-16", "10.4.0.0/16"), network("n-8", "10.0.0.0/8")],
        family="networks",
    )
    assert hits(inventory, "10.4.0.0/16") == [
        ("address", "n-16"),
        ("address", "i-1"),
        ("address", "i-2"),
        ("network", "n-8"),
    ]
    assert hits(inventory, "10.4.3.9/24")[0] == ("address", "i-1")  # an interface's notation


def test_an_address_that_moved(inventory):
    for minute, holder in enumerate(["i-1", "i-2", None, "i-1"], 1):
        poll(
            inventory,
            minute,
            [server(id, ip="10.0.0.1" if id == holder else None) for id in ("i-1", "i-2")],
        )
    found = [hits(inventory, "10.0.0.1", as_of=at(minute)) for minute in range(5)]
    assert found == [[], [("address", "i-1")], [("address", "i-2")], [], [("address", "i-1")]]


# --- tags, names, fields ---


def test_tags(inventory):
    poll(
        inventory,
        1,
        [server("i-1", tags={"env": "prod", "a": "x=y"}), server("i-2", tags={"env": "test"})],
    )
    assert hits(inventory, "env=prod") == [("tag", "i-1")]
    assert hits(inventory, "a=x=y") == [("tag", "i-1")]
    assert hits(inventory, "env=prod", account="office") == []
    assert hits(inventory, "env", by="tag") == [("tag", "i-1"), ("tag", "i-2")]
    assert inventory.search("env=prod").hits[0].where == "/metadata/provider_metadata/env"


NAMES = [
    "web-01",
    "WEB-02",
    "my web",
    "db",
    "Größe ß",
    "数据库-vol",
    '"quoted" 100%',
    "wxeb",
    "a_b",
]


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize(
    "part, names",
    [
        ("web", ["web-01", "WEB-02", "my web"]),
        ("WEB-0", ["web-01", "WEB-02"]),
        ("eb-01", ["web-01"]),
        ("GRÖSSE", []),
        ("größe", ["Größe ß"]),
        ("数据库", ["数据库-vol"]),
        ("数据", ["数据库-vol"]),
        ("db", ["db"]),
        ('"quo', ['"quoted" 100%']),
        ("0%", ['"quoted" 100%']),
        ("a_b", ["a_b"]),
        ("nothing like it", []),
    ],
)
def test_names(inventory, indexed, part, names):
    """With and without the trigram index."""
    poll(inventory, 1, [server(f"i-{number}", name) for number, name in enumerate(NAMES)])
    if not indexed:
        without_name_index(inventory)
    for when in (None, at(1)):
        found = inventory.search(part, as_of=when)
        assert [hit.entry.name for hit in found.hits] == names
        assert not found.scanned


def without_name_index(inventory):
    if inventory._engine.dialect.name == "postgresql":
        execute(inventory, "DROP INDEX name_index")
        return
    for name in ("name_added", "name_first", "name_changed"):
        execute(inventory, f"DROP TRIGGER {name}")
    execute(inventory, "DROP TABLE name_index")


def test_names_of_before(inventory):
    poll(inventory, 1, [server("i-1", "first"), server("i-2", "other")])
    poll(inventory, 2, [server("i-1", "second"), server("i-2", "other")])
    poll(inventory, 3, [server("i-2", "first")])
    assert hits(inventory, "first") == [("name", "i-2")]
    assert hits(inventory, "second") == []
    assert hits(inventory, "first", as_of=at(1)) == [("name", "i-1")]
    assert hits(inventory, "second", as_of=at(2)) == [("name", "i-1")]
    assert hits(inventory, "other", as_of=at(2)) == [("name", "i-2")]
    assert hits(inventory, "other") == []


def test_a_sqlite_without_trigrams_still_finds_names(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "TRIGRAM_SINCE", (99,))
    with Inventory(tmp_path / "x.db", create=True) as inventory:
        poll(inventory, 1, [server("i-1", "web-01")])
        assert hits(inventory, "eb-") == [("name", "i-1")]
        with sqlite3.connect(inventory.address) as connection:
            assert not connection.execute(
                "SELECT * FROM sqlite_master WHERE name LIKE 'name_%'"
            ).fetchall()


def test_any_field_is_a_scan_and_says_so(inventory):
    poll(inventory, 1, [server("i-1", kernel={"version": "6.1.0"}), server("i-2", ports=[22, 443])])
    found = inventory.search("6.1", by="field")
    assert [(hit.entry.id, hit.where, hit.value) for hit in found.hits] == [
        ("i-1", "/metadata/provider_specific/kernel/version", "6.1.0")
    ]
    assert found.scanned
    assert hits(inventory, "ports=443", by="field") == [("field", "i-2")]
    assert hits(inventory, "ports=44", by="field") == []
    assert hits(inventory, "version=6.1.0", by="field", as_of=at(0)) == []


def test_the_limit(inventory):
    poll(
        inventory,
        1,
        [server(f"i-{number}", f"web-{number}", ip="10.0.0.1", kind="x") for number in range(5)],
    )
    for question, by in (("web", None), ("10.0.0.1", None), ("kind=x", "field")):
        found = inventory.search(question, by=by, limit=3)
        assert (len(found.hits), found.more) == (3, True)
        assert str(found) == "3 or more found"
        assert not inventory.search(question, by=by, limit=5).more


def plan(inventory, table, question, **more):
    """How SQLite answers the statement of the search that reads this table."""
    asked = []

    def remember(_, __, statement, parameters, *___):
        if f"FROM {table}" in statement or f"JOIN {table}" in statement:
            asked.append((f"EXPLAIN QUERY PLAN {statement}", parameters))

    event.listen(inventory._engine, "before_cursor_execute", remember)
    try:
        inventory.search(question, **more)
    finally:
        event.remove(inventory._engine, "before_cursor_execute", remember)
    (statement,) = asked
    with sqlite3.connect(inventory.address) as connection:
        return "\n".join(step for *_, step in connection.execute(*statement))


@pytest.mark.skipif(sqlite3.sqlite_version_info < sqlite.TRIGRAM_SINCE, reason="no index of names")
@pytest.mark.parametrize(
    "question, by, table",
    [("env=prod", None, "tag"), ("env", "tag", "tag"), ("web", None, "name_index")],
)
def test_a_search_with_many_hits_reads_no_more_than_it_shows(tmp_path, question, by, table):
    """In the order of an index: of a million hits, nothing collects or sorts all."""
    with Inventory(tmp_path / "x.db", create=True) as inventory:
        poll(inventory, 1, [server(f"i-{n}", f"web-{n}", tags={"env": "prod"}) for n in range(9)])
        assert len(hits(inventory, question, by=by, limit=3)) == 3
        steps = plan(inventory, table, question, by=by, limit=3)
    assert "resource USING INTEGER PRIMARY KEY" in steps
    assert "SUBQUERY" not in steps
    assert "B-TREE" not in steps


@pytest.mark.parametrize(
    "question, by", [("", None), ("  ", None), ("a\0b", None), ("x", "colour"), ("web", "address")]
)
def test_searches_that_make_no_sense(inventory, question, by):
    with pytest.raises(errors.InvalidQuestion):
        inventory.search(question, by=by)


# --- the proof of absence ---


def test_the_proof_of_absence(inventory):
    regions = [f"region-{number:02}" for number in range(15)]
    poll(inventory, 40, dict.fromkeys(regions, ()))
    found = inventory.search("10.4.3.17")
    assert found.hits == ()
    assert found.coverage.complete
    assert str(found) == "nowhere, in 15 of 15 scopes, all complete since 2026-01-01T10:40:00Z"
    for minute in (50, 55):
        poll(inventory, minute, {**dict.fromkeys(regions, ()), "region-03": "throttled"})
    found = inventory.search("10.4.3.17")
    assert not found.coverage.complete
    assert (
        str(found)
        == "not in 14 of 15 scopes; shop servers region-03 failed since 2026-01-01T10:50:00Z"
    )
    assert str(inventory.search("10.4.3.17", as_of=at(45))).startswith("nowhere, in 15 of 15")
    assert str(inventory.search("10.4.3.17", as_of=at(52))).startswith("not in 14 of 15")
    assert str(inventory.search("10.4.3.17", scope="region-04")).startswith("nowhere, in 1 of 1")
    poll(inventory, 60, dict.fromkeys(regions, ()))
    assert str(inventory.search("10.4.3.17")).startswith("nowhere, in 15 of 15")


def test_nothing_is_proven_where_nothing_was_polled(inventory):
    assert str(inventory.search("10.4.3.17")) == "unknown: nothing was polled"
    fail(inventory, 5)
    poll(inventory, 5, {"eu": "throttled", "us": ()}, family="networks")
    assert str(inventory.search("10.4.3.17")) == (
        "not in 1 of 3 scopes; shop networks eu failed since 2026-01-01T10:05:00Z; "
        "shop servers failed since 2026-01-01T10:05:00Z"
    )
