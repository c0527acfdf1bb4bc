"""The groups of the topology: what is drawn, where, and that nothing jumps."""

import threading

import pytest

from inventory import Inventory
from tests.inventories import at, poll, server
from tests.topologies import example, graph_of, resource, store_demo
from topology import reading
from topology.links import DOWN
from topology.stitching import MAC, Fact
from topology.times import both
from web import groups, places
from web.focus import focus
from web.graphs import KEPT, Graphs
from web.groups import Changes, Marks, picture
from web.limited import Limited
from web.tree import Tree, key_of


def many(accounts, servers):
    """So many accounts, each with servers in one network."""
    return {
        f"account-{account}": [
            resource("network", "n"),
            *(resource("server", f"s{number}", {"network": "n"}) for number in range(servers)),
        ]
        for account in range(accounts)
    }


def drawn(graph, *expanded, states=None, **options):
    """``expanded``: labels of groups, outer ones first."""
    tree = Tree(graph)
    keys = [each.key for label in expanded for each in tree.items if each.label == label]
    return picture(tree, Marks(tree, states or {}), keys, **options)


def by_label(rows):
    return {row["label"]: row for row in rows}


def boxes(found):
    return {row["key"]: (row["x"], row["y"], row["w"], row["h"]) for row in found.nodes}


def test_accounts_come_first_with_counts_and_links_between_them():
    shop = [resource("server", "s1", {"network": "n1"}), resource("network", "n1")]
    lab = [resource("server", "s2"), resource("server", "s3")]
    mac = "00:00:5e:00:53:01"
    facts = [Fact(("lab", "server", "s2"), MAC, mac), Fact(("shop", "server", "s1"), MAC, mac)]
    found = drawn(graph_of({"shop": shop, "lab": lab}, facts=facts))
    assert [(row["kind"], row["label"], row["count"]) for row in found.nodes] == [
        ("account", "lab", 2),
        ("account", "shop", 2),
    ]
    (edge,) = found.edges
    assert (edge["count"], edge["types"]) == (1, ["same"])
    assert edge["evidence"] == {"what": "mac", "value": mac, "sure": "likely", "count": 1}


def test_networks_hold_what_depends_on_them():
    found = [
        resource("network", "vpc", network_kind="vpc"),
        resource("network", "subnet", {"network": "vpc"}),
        resource("server", "web", {"network": "vpc subnet", "volume": "disk"}),
        resource("volume", "disk"),
        resource("appliance", "router", type_id="router"),
    ]
    tree = Tree(graph_of(found))
    above = {
        item.label: [tree.items[each].label for each in tree.above(number)]
        for number, item in enumerate(tree.items)
    }
    assert above["web"] == above["disk"] == ["subnet", "vpc", "", "shop"]
    assert above["router"] == ["", "shop"]
    counts = {item.label: item.resources for item in tree.items}
    assert (counts["subnet"], counts["vpc"], counts["shop"]) == (3, 4, 5)


def test_networks_in_circles_and_very_deep_ones_are_in_their_region():
    circle = [resource("network", f"c{n}", {"network": f"c{(n + 1) % 3}"}) for n in range(3)]
    chain = [resource("network", f"d{n:04}", {"network": f"d{n + 1:04}"}) for n in range(3000)]
    tree = Tree(graph_of([*circle, *chain]))
    assert sorted(tree.of_node) == sorted(set(tree.of_node))  # each is somewhere, once
    deepest = max(sum(1 for _ in tree.above(number)) for number in range(len(tree.items)))
    assert deepest == 2 + 3  # account, region, three networks


def test_a_provider_is_a_level_where_an_account_has_several():
    from topology import documents, load

    one = documents("shop", [resource("server", "s1")], "aws")
    other = documents("shop", [resource("volume", "v1")], "acme")
    tree = Tree(load([*one, *other]))
    kinds = [item.kind for item in tree.items]
    assert kinds.count("provider") == 2
    assert "provider" not in [item.kind for item in Tree(graph_of(example())).items]


def test_expanding_moves_nothing():
    graph = graph_of(many(7, 12))
    before = boxes(drawn(graph))
    inner = drawn(graph, "account-3", "")
    after = boxes(drawn(graph, "account-3", "", "n", "account-5"))
    assert len(before) == 7
    assert before.items() <= boxes(inner).items() <= after.items()


def test_a_group_may_be_named_before_the_one_that_it_is_in():
    graph = graph_of(many(2, 3))
    tree = Tree(graph)
    keys = [each.key for each in tree.items if each.children]
    one, other = (picture(tree, Marks(tree, {}), some) for some in (keys, keys[::-1]))
    assert boxes(one) == boxes(other)
    assert len(one.nodes) == len(tree.items)


def test_what_is_in_a_box_stays_within_it_and_beside_the_others():
    found = drawn(graph_of(many(30, 40)), *(f"account-{n}" for n in range(30)), "", "n")
    rows = {row["key"]: row for row in found.nodes}
    beside = {}
    for row in found.nodes:
        beside.setdefault(row["parent"], []).append(row)
        outer = rows.get(row["parent"])
        if outer is not None:
            assert abs(row["x"] - outer["x"]) + row["w"] / 2 < outer["w"] / 2
            assert abs(row["y"] - outer["y"]) + row["h"] / 2 < outer["h"] / 2
    for some in beside.values():
        for one in some:
            for other in some:
                apart = abs(one["x"] - other["x"]) * 2 > one["w"] + other["w"]
                below = abs(one["y"] - other["y"]) * 2 > one["h"] + other["h"]
                assert one is other or apart or below


@pytest.mark.parametrize("count", [5, 20, 60, 250])
def test_few_move_when_another_one_comes(count):
    keys = [f"key {number}" for number in range(count + 1)]
    while places.grid(len(keys)) != places.grid(len(keys) - 1):
        keys.append(f"key {len(keys)}")
    before, after = places.cells(keys[:-1]), places.cells(keys)
    moved = [key for key in before if before[key] != after[key]]
    assert len(moved) <= max(2, count // 10)
    assert places.cells(keys[::-1]) == after  # whatever their order
    assert len(set(after.values())) == len(keys)


def test_a_thing_elsewhere_moves_nothing():
    accounts = many(5, 4)
    before = boxes(drawn(graph_of(accounts), *accounts, ""))
    accounts["account-1"].append(resource("server", "new", {"network": "n"}))
    accounts["account-2"].pop()
    assert boxes(drawn(graph_of(accounts), *accounts, "")) == before


def test_the_worst_state_is_that_of_the_group():
    graph = graph_of(many(2, 2))
    found = by_label(drawn(graph, states={graph.find("s1", "account-1"): DOWN}).nodes)
    assert (found["account-0"]["state"], found["account-1"]["state"]) == ("unknown", "down")
    assert found["account-1"]["states"] == {"down": 1}


def test_the_rest_of_a_large_group_is_counted_and_the_worst_are_shown():
    graph = graph_of(many(1, 1000))
    broken = graph.find("s999")
    found = drawn(graph, "account-0", "", "n", states={broken: DOWN})
    labels = by_label(found.nodes)
    assert "s999" in labels
    more = labels["… and 700 more"]
    assert (more["kind"], more["count"], more["children"]) == ("more", 700, 0)
    assert labels["n"]["key"] == more["parent"]
    assert len(found.nodes) == 3 + groups.IN_ONE + 1


def test_there_are_never_too_many_elements():
    accounts = many(300, 20)
    found = drawn(graph_of(accounts), *accounts, "", "n")
    row = found.row()
    assert row["elements"] == len(row["nodes"]) + len(row["edges"]) <= groups.LIMIT
    refused = row["refused"][0]
    assert "and 1000 can be drawn" in refused["why"]
    assert refused["collapse"] in {each["key"] for each in row["nodes"]}


def test_links_that_there_is_no_room_for_are_counted():
    ids = [f"r{number}" for number in range(80)]
    mesh = [
        resource("appliance", each, {"appliance": " ".join(ids[n + 1 :])}, type_id="router")
        for n, each in enumerate(ids)
    ]
    found = drawn(graph_of(mesh), "shop", "")
    assert len(found.nodes) + len(found.edges) == groups.LIMIT
    assert len(found.edges) + found.left_out == 80 * 79 // 2


def test_more_accounts_than_fit_are_a_box():
    found = drawn(graph_of({f"a{n}": [resource("volume", "v")] for n in range(400)}))
    assert [row["label"] for row in found.nodes if row["kind"] == "more"] == ["… and 100 more"]


HOSTILE = ["<script>alert(1)</script>", "</script>", "\u202egnirts", "n" * 10_000, "a\0b", "\ud800"]


def test_hostile_names_are_text_and_short():
    graph = graph_of({name: [resource("server", name)] for name in HOSTILE})
    found = drawn(graph, *HOSTILE, "")
    labels = [row["label"] for row in found.nodes]
    assert all(len(label) <= groups.SHORT for label in labels)
    assert len({row["key"] for row in found.nodes}) == len(found.nodes) == len(HOSTILE) * 3
    assert "<script>alert(1)</script>" in labels
    assert all(len(row["key"]) < 30 for row in found.nodes)


# --- focus ---


def test_focus_has_what_it_depends_on_at_its_right_and_what_depends_on_it_at_its_left():
    graph = graph_of(example())
    found = focus(graph, graph.find("n1"), 1, {})
    columns = {}
    for row in found.nodes:
        columns.setdefault((row["x"] > 0) - (row["x"] < 0), set()).add(row["label"])
    assert columns == {-1: {"s1", "s2", "lb1"}, 0: {"n1"}, 1: {"r1", "w1"}}
    assert focus(graph, graph.find("n1"), 1, {}) == found
    deeper = {row["label"] for row in focus(graph, graph.find("n1"), 4, {}).nodes}
    assert {"c1", "m1"} < deeper
    keys = {row["key"] for row in found.nodes}
    assert all(edge["from"] in keys and edge["to"] in keys for edge in found.edges)
    links = {(edge["from"], edge["to"]) for edge in found.edges}
    assert len(links) == len(found.edges)


def test_focus_shows_the_worst_of_a_large_column_and_counts_the_others():
    graph = graph_of(many(1, 200))
    number, broken = graph.find("n"), graph.find("s99")
    found = focus(graph, number, 1, {}, impact={number: DOWN, broken: DOWN})
    labels = by_label(found.nodes)
    assert labels["s99"]["impact"] == "down"
    assert labels["… and 140 more"]["count"] == 140


# --- two times ---


def test_two_times_in_one_graph():
    before = example()
    after = [each for each in example() if each["id"] not in ("s3", "lb1")]
    after.append(resource("server", "s4", {"network": "n1"}))
    graph, nodes, links = both(graph_of(before), graph_of(after))
    words = {graph.nodes[number].id: word for number, word in nodes.items()}
    assert words == {"s3": "gone", "lb1": "gone", "s4": "added"}
    changed = {
        (graph.nodes[graph.dependent[n]].id, graph.nodes[graph.provider[n]].id): word
        for n, word in links.items()
    }
    assert changed["s4", "n1"] == "added"
    assert changed["lb1", "s1"] == "gone"
    assert ("s1", "n1") not in changed
    tree = Tree(graph)
    found = picture(tree, Marks(tree, {}), changes=Changes(tree, nodes, links))
    assert found.nodes[0]["changes"] == {"gone": 2, "added": 1}


# --- what is kept ---


def test_a_graph_is_read_once_until_something_is_polled(tmp_path, monkeypatch):
    reads = []
    read = reading.read
    monkeypatch.setattr(reading, "read", lambda *given: (reads.append(given[1]), read(*given))[1])
    with Inventory(tmp_path / "inventory.db", create=True) as inventory:
        poll(inventory, 0, [server("s1")])
        graphs = Graphs(Limited(inventory))
        threads = [threading.Thread(target=graphs.view) for _ in range(5)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(60)
        assert reads == [None]
        poll(inventory, 1, [server("s1"), server("s2", connections={"server": [{"id": "s1"}]})])
        assert len(graphs.view().graph.nodes) == 2
        assert reads == [None, None]
        for minute in range(10):
            graphs.view(as_of=at(minute))
        assert len(graphs._graphs._found) <= KEPT


def test_statuses_are_read_again_though_nothing_was_polled(tmp_path, monkeypatch):
    with Inventory(tmp_path / "inventory.db", create=True) as inventory:
        poll(inventory, 0, [server("s1")])
        limited = Limited(inventory)
        stamps = iter([1, 1, 2])
        monkeypatch.setattr(limited, "stamp", lambda: next(stamps))
        graphs = Graphs(limited)
        assert graphs.view().states == {}
        point = {"resource_id": "s1", "resource_type": "server", "time": "2026-01-01T10:00:00Z"}
        point.update(level="error", value="error", message="it burns")
        inventory.store_points("shop", "servers", "get_status", [point], provider="acme")
        assert graphs.view().states == {}
        assert graphs.view().states == {0: DOWN}


def test_what_changed_between_two_times_is_known_of_each(tmp_path):
    with Inventory(tmp_path / "inventory.db", create=True) as inventory:
        poll(inventory, 0, [server("s1"), server("s2", state="running"), server("s3")])
        to = {"server": [{"id": "s1"}]}
        poll(inventory, 1, [server("s2", state="stopped"), server("s4", connections=to)])
        found = Graphs(Limited(inventory)).view(since=at(0))
    words = {found.graph.nodes[number].id: word for number, word in found.words.items()}
    assert words == {"s1": "gone", "s2": "changed", "s3": "gone", "s4": "added"}


def test_an_account_that_may_not_be_seen_is_in_no_picture(tmp_path):
    with Inventory(tmp_path / "inventory.db", create=True) as inventory:
        poll(inventory, 0, [server("s1")])
        poll(inventory, 0, [server("s1")], account="lab")
        view = Graphs(Limited(inventory, ["lab"])).view()
    assert [row["label"] for row in picture(view.tree, view.marks).nodes] == ["lab"]
    assert {node.account for node in view.graph.nodes} == {"lab"}


def test_the_demo_fits_with_all_its_regions_expanded(tmp_path):
    store_demo(tmp_path / "inventory.db")
    with Inventory(tmp_path / "inventory.db") as inventory:
        view = Graphs(Limited(inventory)).view()
    tree = view.tree
    found = picture(tree, view.marks, tree.by_key)
    assert not found.refused
    assert not found.left_out
    assert sum(row["kind"] == "resource" for row in found.nodes) > 300
    router = next(node for node in view.graph.nodes if node.name == "web-rtr-0000")
    impact, marks = view.impact({view.graph.numbers[router.key]: DOWN})
    hit = picture(tree, view.marks, tree.by_key, impact=marks)
    assert {row["label"] for row in hit.nodes if row["impact"] == "down"} >= {"web-rtr-0000"}
    assert key_of(router) in boxes(hit)
    assert impact.states
