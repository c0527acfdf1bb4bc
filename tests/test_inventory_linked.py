"""All resources in narrow rows: what a graph of them needs, now and at earlier times."""

import sqlalchemy

from inventory import Inventory, database
from inventory.schema import REVISION
from tests.inventories import at, execute, network, poll, rows, server
from tests.topologies import resource

TO_N1 = {"network": [{"id": "n1"}]}


def names(found):
    return [(each.id, each.name, each.state) for each in found.resources]


def ends(found):
    """The ids of connections, those that are not there in capitals."""
    ids = {each.key: each.id for each in found.resources}
    absent = {key: id.upper() for key, (_, _, id) in found.absent.items()}
    return sorted(
        (ids[one], ids.get(other) or absent[other])
        for one, others in found.connections.items()
        for other in others
    )


def store_example(inventory):
    poll(inventory, 1, [server("s1", "web", connections=TO_N1), server("s2")])
    poll(inventory, 2, [network("n1", "10.0.0.0/24")], family="networks")
    router = resource("appliance", "r1", {"network": "n1 n9"}, type_id="router")
    poll(inventory, 3, [router], family="appliances")
    poll(inventory, 15, [server("s1", "web-1", "stopped"), server("s3", connections=TO_N1)])


def test_what_is_there_now(inventory):
    store_example(inventory)
    found = inventory.linked()
    assert names(found) == [
        ("s1", "web-1", "stopped"),
        ("n1", "n1", None),
        ("r1", "r1", None),
        ("s3", "s3", "running"),
    ]
    assert ends(found) == [("r1", "N9"), ("r1", "n1"), ("s3", "n1")]
    assert [*found.absent.values()] == [("shop", "network", "n9")]
    (first, *_) = found.resources
    assert (first.account, first.provider, first.family, first.scope) == (
        "shop",
        "acme",
        "servers",
        "eu",
    )
    traits = {each.id: found.traits.get(each.key) for each in found.resources}
    assert traits["r1"] == {"type_id": "router"}
    assert traits["n1"] == {"network_kind": "subnet"}
    assert traits["s1"] is None


def test_what_was_there(inventory):
    store_example(inventory)
    found = inventory.linked(at(5))
    assert names(found)[:2] == [("s1", "web", "running"), ("s2", "s2", "running")]
    assert ends(found) == [("r1", "N9"), ("r1", "n1"), ("s1", "n1")]
    assert inventory.linked(at(0)).resources == []


def test_a_trait_has_its_times(inventory):
    poll(inventory, 1, [resource("appliance", "a", type_id="switch")])
    poll(inventory, 2, [resource("appliance", "a", type_id="router", x=1)])
    poll(inventory, 3, [resource("appliance", "a", type_id="router", x=2)])
    poll(inventory, 4, [])
    assert [row[2:] for row in rows(inventory, "trait")] == [(1, 2, "switch"), (2, 4, "router")]
    assert [*inventory.linked(at(1)).traits.values()] == [{"type_id": "switch"}]
    assert [*inventory.linked(at(3)).traits.values()] == [{"type_id": "router"}]
    assert inventory.check() == []


def test_an_older_inventory_gets_its_traits(inventory, inventory_url):
    store_example(inventory)
    for minute, role in ((20, "switch"), (21, "switch"), (22, "router")):
        poll(
            inventory,
            minute,
            [resource("appliance", "r1", type_id=role, minute=minute)],
            family="appliances",
        )
    before = rows(inventory, "trait")
    assert len(before) > 3
    for table in ("trait", "due", "due_account"):
        execute(inventory, f"DROP TABLE {table}")
    for column in ("calls", "retries"):
        execute(inventory, f"ALTER TABLE run DROP COLUMN {column}")
    execute(inventory, "UPDATE alembic_version SET version_num = '0002'")
    with Inventory(inventory_url, create=True) as again:
        assert rows(again, "trait") == before
        assert again.check() == []
        poll(again, 30, [], family="appliances")
    with database.reading(inventory._engine) as connection:
        statement = sqlalchemy.text("SELECT version_num FROM alembic_version")
        assert connection.execute(statement).scalar() == REVISION


def test_check_notices_a_wrong_trait(inventory):
    store_example(inventory)
    execute(inventory, "UPDATE trait SET value = 'switch' WHERE value = 'router'")
    (problem,) = inventory.check()
    assert "is not what its document says" in problem


def test_what_accounts_share(inventory):
    mac = "fa:16:3e:00:11:00"
    poll(inventory, 1, [server("a1", ip="192.0.2.7", mac=mac), server("a2", ip="192.0.2.8")])
    poll(inventory, 1, [server("b1", ip="192.0.2.7", mac=mac)], account="lab")
    poll(inventory, 1, [network("n1", "192.0.2.7/32")], account="lab", family="networks")
    poll(inventory, 9, [server("b1")], account="lab")
    poll(inventory, 9, [], account="lab", family="networks")
    assert inventory.shared() == []
    ids = {each.key: each.id for each in inventory.linked(at(5)).resources}
    found = sorted((each.value, ids[each.key], each.path) for each in inventory.shared(at(5)))
    assert found == [
        ("192.0.2.7", "a1", "/details/server/ip_addresses/*/ip_address"),
        ("192.0.2.7", "b1", "/details/server/ip_addresses/*/ip_address"),
        ("192.0.2.7", "n1", "/metadata/provider_specific/cidrs/*"),
        (mac, "a1", "/metadata/provider_specific/mac"),
        (mac, "b1", "/metadata/provider_specific/mac"),
    ]


def point(id, minute, level, message="x"):
    time = at(minute).isoformat().replace("+00:00", "Z")
    return {
        "resource_id": id,
        "resource_type": "server",
        "time": time,
        "level": level,
        "message": message,
    }


def test_the_newest_status(inventory):
    points = [
        point("s1", 1, "error"),
        point("s1", 5, "ok", "b"),
        point("s1", 5, "warning", "a"),
        point("s2", 2, "error"),
    ]
    inventory.store_points("shop", "servers", "get_status", points, provider="acme")
    found = [
        (each.account, each.type, each.id, each.level, each.time) for each in inventory.statuses()
    ]
    assert found == [
        ("shop", "server", "s1", "warning", at(5)),
        ("shop", "server", "s2", "error", at(2)),
    ]
    assert [each.level for each in inventory.statuses(at(4))] == ["error", "error"]
