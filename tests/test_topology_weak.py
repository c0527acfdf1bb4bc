"""Paths, single points of failure, redundancy that is lost, causes of what is down, and what customers lose."""

import os

import pytest
from hypothesis import given, settings

from tests.test_topology import FAILED, worlds
from tests.topologies import example, graph_of, numbers, resource
from topology.customers import losses
from topology.impact import impact
from topology.links import DEGRADED, DOWN, UP
from topology.paths import path
from topology.weak import last_ones, now, single_points

EXAMPLES = int(os.environ.get("EXAMPLES", "40"))


@pytest.fixture(scope="module")
def graph():
    return graph_of(example())


def states(graph, **given):
    return {graph.find(id): state for id, state in given.items()}


def ids(graph, found):
    return [graph.nodes[number].id for number in found]


# --- paths ---


def walk(graph, start, end):
    start, end = numbers(graph, start, end)
    links = path(graph, start, end)
    if links is None:
        return None
    found = [start]
    for link in links:
        found.append(graph.other(link, found[-1]))
    return " ".join(ids(graph, found))


@pytest.mark.parametrize(
    "start, end, expected",
    [
        ("s1", "c1", "s1 n1 r1 c1"),
        ("c1", "s1", "c1 r1 n1 s1"),
        ("h2", "v3", "h2 s2 lb1 s1 h1 s3 v3"),
        ("s1", "s1", "s1"),
        ("s1", "v9", None),
    ],
)
def test_the_shortest_path(graph, start, end, expected):
    assert walk(graph, start, end) == expected


@settings(max_examples=EXAMPLES, deadline=None)
@given(worlds())
def test_a_path_is_as_short_as_any(found):
    graph = graph_of(found)
    distances, level = {0: 0}, [0]
    while level:
        level = [
            other
            for number in level
            for link in graph.links(number)
            if (other := graph.other(link, number)) not in distances
            and not distances.update({other: distances[number] + 1})
        ]
    for end in range(len(graph.nodes)):
        links = path(graph, 0, end)
        assert (None if links is None else len(links)) == distances.get(end)


# --- single points of failure ---


def test_single_points_of_failure(graph):
    found = single_points(graph)
    assert [(each.node.id, each.down, each.degraded) for each in found.found] == [
        ("n1", 3, 1),
        ("h1", 2, 2),
        ("c1", 1, 8),
        ("v1", 1, 2),
        ("h2", 1, 1),
        ("v2", 1, 1),
        ("n2", 1, 0),
        ("v3", 1, 0),
    ]
    assert (found.tried, found.candidates) == (8, 8)
    assert [each.node.id for each in single_points(graph, kind="host").found] == ["h1", "h2"]


def test_the_time_for_single_points_is_limited(graph):
    ticks = iter(range(100))
    found = single_points(graph, limit_s=4, clock=lambda: next(ticks))
    assert (found.tried, found.candidates) == (3, 8)
    assert found.found[0].node.id == "n1"  # with the most dependents


# --- redundancy ---


def left(graph, known, before=None, every=False):
    return [
        (each.dependent.id, each.link_type, each.left.id, [node.id for node in each.lost])
        for each in last_ones(graph, known, before, every)
    ]


def test_redundancy_is_lost_before_anything_is_down(graph):
    """Of the load balancer's two servers, one after the other."""
    assert left(graph, {}) == []
    known = states(graph, s1=DOWN)
    assert left(graph, known) == [("lb1", "load_balancer-server", "s2", ["s1"])]
    known = states(graph, s1=DOWN, s2=DOWN)
    assert left(graph, impact(graph, known).states) == []


def test_a_provider_that_is_gone_counts_as_lost():
    servers = [resource("server", each) for each in ("s1", "s2")]
    before = graph_of(
        [*servers, resource("appliance", "lb", {"server": "s1 s2"}, type_id="load_balancer")]
    )
    after = graph_of(
        [*servers, resource("appliance", "lb", {"server": "s2"}, type_id="load_balancer")]
    )
    assert left(after, {}) == []
    assert left(after, {}, before) == [("lb", "load_balancer-server", "s2", ["s1"])]
    assert left(after, {}, every=True) == [("lb", "load_balancer-server", "s2", [])]
    assert left(before, {}, after) == []


@pytest.mark.parametrize("count", [2, 3, 5])
def test_providers_fail_one_by_one(count):
    servers = [resource("server", f"s{number}") for number in range(count)]
    ids = " ".join(each["id"] for each in servers)
    graph = graph_of(
        [*servers, resource("appliance", "lb", {"server": ids}, type_id="load_balancer")]
    )
    lb, seen = graph.find("lb"), []
    for failed in range(1, count + 1):
        found = impact(graph, dict.fromkeys(numbers(graph, *ids.split()[:failed]), DOWN)).states
        seen.append((bool(left(graph, found)), found[lb]))
    assert seen[:-2] == [(False, DEGRADED)] * (count - 2)
    assert seen[-2:] == [(True, DEGRADED), (False, DOWN)]


# --- now ---


def test_causes_are_those_that_explain_the_others(graph):
    known = states(graph, h1=DOWN, s1=DOWN, s3=DOWN, lb1=DEGRADED, n1=UP, v9=DOWN)
    found = now(graph, known)
    assert ids(graph, found.causes) == ["h1", "v9"]
    assert found.states[graph.find("m1")] == DEGRADED


def test_nothing_is_wrong(graph):
    found = now(graph, states(graph, h1=UP))
    assert (found.states, found.causes) == ({}, ())


@settings(max_examples=EXAMPLES, deadline=None)
@given(worlds(), FAILED)
def test_no_cause_can_be_left_out_and_none_is_missing(found, failed):
    graph = graph_of(found)
    known = {n: s for n, s in failed.items() if n < len(found)}
    causes = {number: known[number] for number in now(graph, known).causes}

    def explains(some):
        reached = impact(graph, some).states
        return all(reached.get(number, UP) >= state for number, state in known.items())

    assert explains(causes)
    for number in causes:
        assert not explains({n: s for n, s in causes.items() if n != number})


# --- customers ---


def test_what_each_customer_loses(graph):
    owners = {("shop", "server", "s1"): "blue", ("shop", "server", "s3"): "red"}
    owners[("shop", "appliance", "lb1")] = "blue"
    owners[("shop", "service_offering", "m1")] = "green"
    owners[("shop", "volume", "v9")] = "white"
    found = losses(impact(graph, states(graph, h1=DOWN)), owners)
    assert [(each.owner, each.sentence) for each in found] == [
        (
            "blue",
            "During this maintenance, server s1 will not be available; load balancer lb1 may be slower or without "
            "redundancy, but will be available.",
        ),
        (
            "green",
            "During this maintenance, vca m1 will be available, but may be slower or without redundancy; nothing of "
            "yours stops.",
        ),
        ("red", "During this maintenance, server s3 will not be available."),
    ]


def test_a_sentence_names_five_and_counts_the_others():
    host = resource(
        "server", "h", {"server": " ".join(f"s{n}" for n in range(7))}, is_virtual=False
    )
    graph = graph_of([host, *(resource("server", f"s{n}") for n in range(7))])
    owners = {node.key: "blue" for node in graph.nodes}
    (found,) = losses(impact(graph, {graph.find("h"): DOWN}), owners)
    assert found.sentence.startswith(
        "During this maintenance, host h, server s0, server s1, server s2, server s3 and 3 more will"
    )
