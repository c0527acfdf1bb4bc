"""The planner: the rules by examples, and what holds for all inputs by properties."""

from typing import Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.providers.osm import wan_plan
from shared.providers.osm.wan_plan import Link, Network, Wim, common, why_none


def plan(*given):
    return list(wan_plan.plan(*given))


def networks(*placed):
    """(service, VLD, site) each; ids are made up."""
    return [Network(f"net-{n}", *each) for n, each in enumerate(placed)]


def wim(name, *sites, **more):
    return Wim(f"id-{name}", name, frozenset(sites), **more)


# --- which WIMs reach all of them -----------------------------------------------------------------

THREE = [wim("w1", "A", "B"), wim("w2", "A", "B", "C"), wim("w3", "B")]


@pytest.mark.parametrize(
    "sites, found",
    [
        ("AB", ["w1", "w2"]),
        ("ABC", ["w2"]),
        ("A", ["w1", "w2"]),
        ("CD", []),
        ("AA", ["w1", "w2"]),
        ("", []),  # not all of them, as in the rule's vacuous reading
    ],
)
def test_common_wims(sites, found):
    assert [each.name for each in common(sites, THREE)] == found


def test_wims_with_an_account_come_first_then_by_name():
    three = [wim("a", "A", account=False), wim("c", "A"), wim("b", "A")]
    assert [each.name for each in common("A", three)] == ["b", "c", "a"]


def test_two_wims_of_one_name_are_two_options():
    twins = [Wim(one, "wan", frozenset("AB")) for one in ("2", "1")]
    assert [each.id for each in common("AB", twins)] == ["1", "2"]


def test_a_wim_that_comes_with_several_mappings_has_all_of_them():
    assert common("AB", [wim("w", "A"), wim("w", "B")]) == (wim("w", "A", "B"),)


# --- which links are needed -----------------------------------------------------------------------


def needs(placed, wims=(), links=()):
    return plan(networks(*placed), wims, links)


@pytest.mark.parametrize(
    "placed, expected",
    [
        ([("i", "n1", "A"), ("i", "n1", "B")], [("i", "n1", ("A", "B"))]),
        ([("i", "n2", "A"), ("i", "n2", "A")], []),
        ([("i", None, "A"), ("i", None, "B")], []),
        (
            [("i", "n3", "A"), ("i", "n3", "C"), ("i", "n3", "B")],
            [("i", "n3", ("A", "B", "C"))],
        ),
        (
            [("i2", "n", "A"), ("i1", "n", "A"), ("i1", "n", "B"), ("i2", "n", "B")],
            [("i1", "n", ("A", "B")), ("i2", "n", ("A", "B"))],
        ),
        ([], []),
    ],
    ids=["two sites", "one site", "internal to a VNF", "three sites", "two services", "nothing"],
)
def test_needs(placed, expected):
    assert [(each.service, each.vld, each.sites) for each in needs(placed)] == expected


SPANNING = [("i", "n", "A"), ("i", "n", "B"), ("i", "n", "B")]


def test_a_need_names_its_networks_and_all_wims_that_can_carry_it():
    (need,) = needs(SPANNING, THREE)
    assert need.networks == ("net-0", "net-1", "net-2")
    assert [each.name for each in need.wims] == ["w1", "w2"]
    assert why_none(need, {}) is None


def test_a_need_that_no_wim_can_carry_says_which_wims_each_data_centre_has():
    (need,) = needs([*SPANNING, ("i", "n", "D")], THREE)
    assert need.wims == ()
    assert why_none(need, {"A": "site-a", "B": "site-b"}) == (
        "no WIM is mapped to all of its data centres: D has none; "
        "site-a has w1, w2; site-b has w1, w2, w3"
    )


@pytest.mark.parametrize(
    "links, satisfied, partial",
    [
        ([Link("l", "i", "n", frozenset("AB"))], ("l",), ()),
        ([Link("l", "i", "n", frozenset("ABC"))], ("l",), ()),
        ([Link(each, "i", "n", frozenset("AB")) for each in "ba"], ("a", "b"), ()),
        ([Link("l", "i", "n", frozenset("A"))], (), ("l",)),
        ([Link("l", "other", "n", frozenset("AB"))], (), ()),
        ([Link("l", "i", "other", frozenset("AB"))], (), ()),
        ([Link("l", "i", None, frozenset("AB"))], (), ()),
    ],
)
def test_the_links_that_satisfy_a_need(links, satisfied, partial):
    (need,) = needs(SPANNING, (), links)
    assert (need.links, need.partial, need.missing) == (satisfied, partial, not satisfied)


# --- what always holds ----------------------------------------------------------------------------

# no time limit: a busy host is no failure; the same examples each time
PROPERTY = settings(deadline=None, derandomize=True, database=None)
SITES = st.sampled_from("ABCDE")
SERVICES = st.sampled_from(["i", "j"])
VLDS = st.sampled_from(["n", "m", None])
MOST = 12
NETWORKS = st.lists(
    st.builds(Network, st.sampled_from("1234"), SERVICES, VLDS, SITES), max_size=MOST
)
REACHED = st.frozensets(SITES)
WIMS = st.lists(
    st.builds(Wim, st.sampled_from("123"), st.sampled_from("xy"), REACHED, st.booleans()),
    max_size=MOST,
)
LINKS = st.lists(st.builds(Link, st.sampled_from("123"), SERVICES, VLDS, REACHED), max_size=MOST)


def spanning(given):
    sites: dict[tuple[str, Optional[str]], set[str]] = {}
    for each in given:
        sites.setdefault((each.service, each.vld), set()).add(each.site)
    return {group for group, at in sites.items() if group[1] is not None and len(at) > 1}


@PROPERTY
@given(NETWORKS, WIMS, LINKS, st.data())
def test_the_order_of_the_input_never_matters(networks, wims, links, data):
    shuffled = [data.draw(st.permutations(each)) for each in (networks, wims, links)]
    assert plan(*shuffled) == plan(networks, wims, links)


@PROPERTY
@given(NETWORKS, WIMS, LINKS)
def test_what_is_given_twice_counts_once(networks, wims, links):
    assert plan(networks * 2, wims * 2, links * 2) == plan(networks, wims, links)


@PROPERTY
@given(NETWORKS, WIMS, LINKS)
def test_every_spanning_group_has_exactly_one_need_and_no_other_has_any(networks, wims, links):
    planned = [(each.service, each.vld) for each in plan(networks, wims, links)]
    assert planned == sorted(spanning(networks))


@PROPERTY
@given(NETWORKS, WIMS, LINKS)
def test_what_can_carry_or_satisfies_a_need_reaches_all_of_its_sites(networks, wims, links):
    for need in plan(networks, wims, links):
        assert all(each.sites >= set(need.sites) for each in need.wims)
        of_group = {x for x in links if (x.service, x.vld) == (need.service, need.vld)}
        assert set(need.links) == {x.id for x in of_group if x.sites >= set(need.sites)}
        assert set(need.partial) == {x.id for x in of_group if not x.sites >= set(need.sites)}


@PROPERTY
@given(NETWORKS, WIMS, LINKS)
def test_a_need_that_none_can_carry_names_every_site_and_all_of_its_wims(networks, wims, links):
    for need in plan(networks, wims, links):
        said = why_none(need, {})
        assert (said is None) == bool(need.wims)
        assert list(need.wims_at) == ([] if need.wims else list(need.sites))
        for site, there in need.wims_at.items():
            assert {each.id for each in there} == {each.id for each in wims if site in each.sites}
            assert said is None or f"{site} has" in said


@PROPERTY
@given(NETWORKS, WIMS, st.builds(Wim, st.sampled_from("1234"), st.just("z"), REACHED))
def test_adding_a_wim_never_removes_an_option(networks, wims, new):
    before, after = plan(networks, wims, []), plan(networks, [*wims, new], [])
    assert [(each.service, each.vld) for each in before] == [(x.service, x.vld) for x in after]
    for one, other in zip(before, after):
        assert {each.id for each in one.wims} <= {each.id for each in other.wims}


@PROPERTY
@given(NETWORKS, LINKS, st.builds(Link, st.just("new"), SERVICES, VLDS, REACHED))
def test_adding_a_link_never_makes_a_need_missing(networks, links, new):
    before, after = plan(networks, [], links), plan(networks, [], [*links, new])
    for one, other in zip(before, after):
        assert other.missing <= one.missing
