"""The graph: kinds, link types, which end depends on which, and what could not be resolved."""

import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.topologies import example, graph_of, numbers, resource
from topology import load
from topology.cliques import clique, load_types
from topology.errors import AmbiguousNode, UnknownNode
from topology.graph import documents
from topology.impact import impact, outcome
from topology.links import (
    DEGRADED,
    DOWN,
    HARD,
    KINDS,
    REDUNDANT,
    SAME_THING,
    SOFT,
    STATES,
    TYPES,
    UP,
    LinkType,
    kind_of,
    link_type,
)

NOT_UP = (DEGRADED, DOWN)
EXAMPLES = int(os.environ.get("EXAMPLES", "40"))  # of each law
CLIQUES = load_types()


@pytest.fixture(scope="module")
def graph():
    return graph_of(example())


def links(graph):
    return sorted(
        (edge.link_type.name, edge.dependent.id, edge.provider.id) for edge in graph.edges()
    )


def problems(graph):
    return [(each.problem, each.source[2], each.type, each.id) for each in graph.problems]


def affected(graph, state, *ids):
    found = impact(graph, dict.fromkeys(numbers(graph, *ids), state))
    return {row.node.id: (STATES[row.state], row.distance, row.via.id) for row in found.rows()}


# --- the example ---


def test_the_example_has_20_links_and_no_problem(graph):
    assert len(links(graph)) == 20
    assert graph.problems == ()
    assert links(graph) == [
        ("load_balancer-network", "lb1", "n1"),
        ("load_balancer-server", "lb1", "s1"),
        ("load_balancer-server", "lb1", "s2"),
        ("network-router", "n1", "r1"),
        ("network-router", "n2", "r1"),
        ("network-wan_link", "n1", "w1"),
        ("router-circuit", "r1", "c1"),
        ("server-firewall", "s1", "sg1"),
        ("server-firewall", "s2", "sg1"),
        ("server-host", "s1", "h1"),
        ("server-host", "s2", "h2"),
        ("server-host", "s3", "h1"),
        ("server-network", "s1", "n1"),
        ("server-network", "s2", "n1"),
        ("server-network", "s3", "n2"),
        ("server-volume", "s1", "v1"),
        ("server-volume", "s2", "v2"),
        ("server-volume", "s3", "v3"),
        ("vca-server", "m1", "s1"),
        ("wan_link-circuit", "w1", "c1"),
    ]


def test_a_link_knows_which_ends_declare_it(graph):
    declared = {(e.dependent.id, e.provider.id): e.declared for e in graph.edges()}
    assert declared["n1", "r1"] == declared["n2", "r1"] == {"dependent", "provider"}
    assert declared["s1", "h1"] == {"provider"}
    assert declared["s1", "n1"] == {"dependent"}


@pytest.mark.parametrize(
    "focals, expected",
    [
        ("h1", {"s1": ("down", 1, "h1"), "s3": ("down", 1, "h1"), "lb1": ("degraded", 2, "s1"), "m1": ("degraded", 2, "s1")}),
        ("h1 h2", {"s1": ("down", 1, "h1"), "s2": ("down", 1, "h2"), "s3": ("down", 1, "h1"), "lb1": ("down", 2, "s1"), "m1": ("degraded", 2, "s1")}),
        ("r1", {"n1": ("degraded", 1, "r1"), "n2": ("degraded", 1, "r1"), "s1": ("degraded", 2, "n1"), "s2": ("degraded", 2, "n1"), "s3": ("degraded", 2, "n2"), "lb1": ("degraded", 2, "n1"), "m1": ("degraded", 3, "s1")}),
        ("c1", {"r1": ("degraded", 1, "c1"), "w1": ("down", 1, "c1"), "n1": ("degraded", 2, "r1"), "n2": ("degraded", 2, "r1"), "s1": ("degraded", 3, "n1"), "s2": ("degraded", 3, "n1"), "s3": ("degraded", 3, "n2"), "lb1": ("degraded", 3, "n1"), "m1": ("degraded", 4, "s1")}),
        ("n1", {"s1": ("down", 1, "n1"), "s2": ("down", 1, "n1"), "lb1": ("down", 1, "n1"), "m1": ("degraded", 2, "s1")}),
    ],
)  # fmt: skip
def test_the_impacts_of_the_example(graph, focals, expected):
    assert affected(graph, DOWN, *focals.split()) == expected


def test_a_link_to_another_account_is_found_once():
    """A WAN link that names n2 twice: one link, and a problem."""
    link = resource("circuit", "w9", {"network": "n2 n2"}, type_id="wan_link")
    graph = graph_of({"shop": example(), "carrier": [link]})
    (edge,) = [edge for edge in graph.edges() if edge.provider.id == "w9"]
    assert (edge.link_type.name, edge.dependent.id) == ("network-wan_link", "n2")
    assert edge.evidence == ("id", "n2", "weak")
    assert problems(graph) == [("duplicate", "w9", "network", "n2")]


def test_the_order_of_resources_and_connections_makes_no_difference(graph):
    found = example()
    chance = random.Random(1)
    for _ in range(5):
        chance.shuffle(found)
        for each in found:
            for targets in each["connections"].values():
                chance.shuffle(targets)
        other = graph_of(found)
        assert other.nodes == graph.nodes
        assert list(other.edges()) == list(graph.edges())


# --- kinds and links ---


@pytest.mark.parametrize(
    "type_name, traits, kind",
    [
        ("server", {"is_virtual": "false"}, "host"),
        ("server", {"is_virtual": "true"}, "server"),
        ("server", {}, "server"),
        ("appliance", {"type_id": "router"}, "router"),
        ("appliance", {"type_id": "kvm"}, "appliance"),
        ("circuit", {"type_id": "wan_link"}, "wan_link"),
        ("circuit", {"type_id": "mpls"}, "circuit"),
        ("service_offering", {"type_id": "vca_unit"}, "vca"),
        ("service_offering", {"type_id": "mail"}, "service_offering"),
        ("network", {"network_kind": "vpc"}, "network"),
    ],
)
def test_kinds(type_name, traits, kind):
    assert kind_of(type_name, traits) == kind
    assert kind in KINDS


def test_kinds_that_nobody_listed_are_linked_in_the_order_of_their_names():
    found = link_type("zebra", "ant")
    assert (found.name, found.dependent, found.mode, found.ceiling) == (
        "ant-zebra",
        "ant",
        "soft",
        DEGRADED,
    )
    assert all({each.dependent, each.provider} <= KINDS for each in TYPES.values())


def test_of_two_things_of_one_kind_the_one_that_declares_depends():
    found = [
        resource("network", "a", network_kind="vpc"),
        resource("network", "b", {"network": "a"}),
        resource("service_offering", "unit", {"service_offering": "app"}, type_id="vca_unit"),
        resource("service_offering", "app", type_id="vca_application"),
        resource("circuit", "port", {"circuit": "lag"}, type_id="direct_connect"),
        resource("circuit", "lag", type_id="direct_connect_lag"),
        resource("circuit", "vif", {"circuit": "lag"}, type_id="virtual_interface"),
    ]
    assert links(graph_of(found)) == [
        ("circuit-circuit", "lag", "port"),
        ("circuit-circuit", "vif", "lag"),
        ("network-network", "b", "a"),
        ("vca-vca", "app", "unit"),
    ]


# --- problems ---


def test_what_leads_nowhere_is_listed():
    found = [
        resource("server", "s1", {"network": "gone", "server": "s1", "appliances": "f w"}),
        resource("server", "s2", {"any": "n1 nothing both"}),
        resource("network", "n1"),
        resource("network", "both"),
        resource("volume", "both"),
    ]
    graph = graph_of(found)
    assert problems(graph) == [
        ("ambiguous", "s2", "any", "both"),
        ("dangling", "s1", "appliances", "f"),
        ("dangling", "s1", "appliances", "w"),
        ("dangling", "s1", "network", "gone"),
        ("dangling", "s2", "any", "nothing"),
        ("self", "s1", "server", "s1"),
    ]
    assert links(graph) == [("server-network", "s2", "n1")]


def test_an_id_of_two_other_accounts_is_ambiguous():
    link = resource("circuit", "w9", {"network": "12"}, type_id="wan_link")
    graph = graph_of(
        {"a": [resource("network", "12")], "b": [resource("network", "12")], "c": [link]}
    )
    (problem,) = graph.problems
    assert problem.problem == "ambiguous"
    assert problem.candidates == (("a", "network", "12"), ("b", "network", "12"))
    assert links(graph) == []


def test_its_own_account_comes_first():
    server = resource("server", "s1", {"network": "12"})
    graph = graph_of({"a": [server, resource("network", "12")], "b": [resource("network", "12")]})
    (edge,) = graph.edges()
    assert (edge.provider.account, edge.evidence, graph.problems) == ("a", None, ())


# --- finding a node ---


def test_a_node_is_found_by_its_id_or_its_name():
    found = {"a": [resource("server", "s1", name="web"), resource("network", "n1", name="web")]}
    graph = graph_of({**found, "b": [resource("server", "s2", name="n1")]})
    assert graph.nodes[graph.find("n1")].account == "a"
    assert graph.nodes[graph.find("web", type_name="server")].id == "s1"
    with pytest.raises(
        AmbiguousNode, match="2 resources have the name 'web': a network n1, a server s1: name"
    ):
        graph.find("web")
    with pytest.raises(UnknownNode, match="'mail'"):
        graph.find("mail")


def test_resources_of_documents():
    (found,) = documents(
        "shop", [resource("server", "s1", {"network": "n1"}, is_virtual=False, state="running")]
    )
    assert (found.state, found.traits, found.connections) == (
        "running",
        {"is_virtual": "false"},
        [("network", "n1")],
    )
    assert load([found]).nodes[0].kind == "host"


# --- laws ---

KIND = st.sampled_from(
    [
        ("server", {"is_virtual": True}),
        ("server", {"is_virtual": False}),
        ("network", {}),
        ("appliance", {"type_id": "router"}),
        ("appliance", {"type_id": "load_balancer"}),
        ("circuit", {"type_id": "mpls"}),
        ("circuit", {"type_id": "wan_link"}),
        ("service_offering", {"type_id": "vca_application"}),
        ("service_offering", {"type_id": "vca_unit"}),
        ("volume", {}),
    ]
)


@st.composite
def worlds(draw):
    """Up to a dozen resources of one account with any connections; two may be one thing in another account."""
    kinds = draw(st.lists(KIND, min_size=1, max_size=12))
    found = [
        resource(type_name, f"r{n}", **details) for n, (type_name, details) in enumerate(kinds)
    ]
    ends = st.integers(0, len(found) - 1)
    for one, other in draw(st.lists(st.tuples(ends, ends), max_size=24)):
        target = found[other]
        bucket = found[one]["connections"].setdefault(target["type"], [])
        bucket.append({"id": target["id"]})
    return found


FAILED = st.dictionaries(st.integers(0, 11), st.sampled_from(NOT_UP), max_size=4)


def states_of(graph, failed):
    known = {number: state for number, state in failed.items() if number < len(graph.nodes)}
    return impact(graph, known).states


@settings(max_examples=EXAMPLES, deadline=None)
@given(worlds(), FAILED, st.integers(0, 11), st.sampled_from(NOT_UP))
def test_the_impact_is_never_less_when_one_more_fails(found, failed, number, state):
    graph = graph_of(found)
    before = states_of(graph, failed)
    after = states_of(graph, {**failed, number: max(state, failed.get(number, 0))})
    assert all(after.get(each, 0) >= known for each, known in before.items())


@settings(max_examples=EXAMPLES, deadline=None)
@given(worlds(), FAILED, st.randoms(use_true_random=False))
def test_the_order_of_what_comes_in_changes_no_impact(found, failed, chance):
    graph = graph_of(found)
    rows = [*impact(graph, {n: s for n, s in failed.items() if n < len(found)}).rows()]
    chance.shuffle(found)
    for each in found:
        for targets in each["connections"].values():
            chance.shuffle(targets)
    other = graph_of(found)
    assert [*impact(other, {n: s for n, s in failed.items() if n < len(found)}).rows()] == rows
    assert other.problems == graph.problems


@settings(max_examples=EXAMPLES, deadline=None)
@given(worlds(), FAILED)
def test_the_states_are_those_of_the_rules(found, failed):
    """A plain fixed point over all groups comes to the same; each row's reason is of a group that makes its state."""
    graph = graph_of(found)
    focals = {n: s for n, s in failed.items() if n < len(found)}
    whole = impact(graph, focals)
    states = dict(focals)
    for _ in graph.nodes:
        for number in range(len(graph.nodes)):
            if number in focals:
                continue
            for link, providers in whole.groups(number):
                now = [states.get(each, 0) for each in providers]
                worst = outcome(link, len(now), now.count(DOWN), any(now))
                states[number] = max(states.get(number, 0), worst)
    assert {n: s for n, s in states.items() if s} == whole.states
    rows = [*whole.rows()]
    assert {row.node.id for row in rows} == {
        graph.nodes[n].id for n in whole.states.keys() - focals.keys()
    }
    assert all(row.reason for row in rows)


@settings(max_examples=EXAMPLES, deadline=None)
@given(worlds())
def test_a_clique_never_leaves_its_networks(found):
    graph = graph_of(found)
    for number, node in enumerate(graph.nodes):
        kind = next((each for each in CLIQUES if each.focal == node.kind), None)
        if kind is None or not kind.constraints:
            continue
        reached = clique(graph, number, kind)
        for link in reached.links:
            ends = (graph.dependent[link], graph.provider[link])
            networks = {each for each in ends if graph.nodes[each].kind == "network"}
            assert not networks or networks & set(reached.networks)


def test_a_vpc_is_no_other_path_beside_its_subnets():
    found = [
        resource("server", "s", {"network": "subnet vpc"}),
        resource("network", "subnet", {"network": "vpc"}, specific={"network_kind": "subnet"}),
        resource("network", "vpc", specific={"network_kind": "vpc"}),
    ]
    graph = graph_of(found)
    assert affected(graph, DOWN, "subnet") == {"s": ("down", 1, "subnet")}
    assert affected(graph, DOWN, "vpc") == {"s": ("down", 1, "vpc"), "subnet": ("down", 1, "vpc")}
    two = [
        resource("network", "n"),
        resource("network", "m"),
        resource("server", "t", {"network": "n m"}),
    ]
    assert affected(graph_of(two), DOWN, "n") == {"t": ("degraded", 1, "n")}


@pytest.mark.parametrize(
    "failed, id, reason, left",
    [
        ({"h1": DOWN}, "s1", "it can't do without host h1, which is down", 0),
        ({"h1": DEGRADED}, "s1", "host h1 is degraded", 0),
        ({"s1": DOWN}, "lb1", "another path exists: server s1 is down, 1 of 2 up", 1),
        ({"s1": DOWN, "s2": DEGRADED}, "lb1", "server s1 is down, and none of 2 is up", 0),
        ({"s1": DOWN, "s2": DOWN}, "lb1", "all 2 that it has are down, such as server s1", 0),
        ({"n1": DOWN}, "lb1", "its only network, n1, is down", 0),
        ({"n1": DEGRADED}, "lb1", "network n1 is degraded", 0),
        ({"r1": DOWN}, "n1", "its only router, r1, is down, which only weakens it", 0),
        ({"sg1": DOWN}, "s1", "firewall sg1 is down, which only weakens it", 0),
    ],
)
def test_each_row_has_its_reason(graph, failed, id, reason, left):
    found = impact(graph, {graph.find(each): state for each, state in failed.items()})
    (row,) = [each for each in found.rows() if each.node.id == id]
    assert (row.reason, row.left) == (reason, left)


@pytest.mark.parametrize(
    "mode, ceiling, states, expected",
    [
        (HARD, DOWN, [UP, DOWN], DOWN),
        (HARD, DOWN, [UP, DEGRADED], DEGRADED),
        (HARD, DEGRADED, [DOWN], DEGRADED),
        (REDUNDANT, DOWN, [UP, DOWN], DEGRADED),
        (REDUNDANT, DOWN, [DEGRADED, DOWN], DEGRADED),
        (REDUNDANT, DOWN, [DOWN, DOWN], DOWN),
        (REDUNDANT, DEGRADED, [DOWN], DEGRADED),
        (SOFT, DOWN, [DOWN, DOWN], DEGRADED),
        (SAME_THING, DOWN, [DOWN], DOWN),
        (HARD, DOWN, [UP, UP], UP),
    ],
)
def test_what_a_group_makes_of_its_dependent(mode, ceiling, states, expected):
    link = LinkType("a-b", "a", "b", mode, ceiling)
    assert outcome(link, len(states), states.count(DOWN), any(states)) == expected
