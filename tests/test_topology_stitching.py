"""Which ends of different accounts are one thing or one link, by which evidence; and what is not proven."""

import pytest

from tests.topologies import graph_of, resource
from topology import Fact
from topology.stitching import is_private, is_unique, port_of

UUID = "b6f1ee7a-263b-5051-8ef9-c34d3ee55553"
OTHER = "0efba63c-dddb-4d01-b8bd-3268cf23c18d"


def facts(account, type_name, id, **values):
    """Underscores stand for hyphens; lists for several."""
    return [
        Fact((account, type_name, id), what.replace("_", "-"), value)
        for what, given in values.items()
        for value in (given if isinstance(given, list) else [given])
    ]


def server(id, name=None, connections=None):
    return resource("server", id, connections, name, is_virtual=True)


def circuit(id, type_id="wan_link"):
    return resource("circuit", id, type_id=type_id)


def stitched(graph):
    """Link type, both ids, evidence, and how sure."""
    return [
        (
            edge.link_type.name,
            edge.dependent.id,
            edge.provider.id,
            edge.evidence.what,
            edge.evidence.sure,
        )
        for edge in graph.edges()
        if edge.evidence is not None
    ]


def problems(graph):
    return [(each.problem, each.source[2], each.id) for each in graph.problems]


@pytest.mark.parametrize(
    "id, unique",
    [
        (UUID, True),
        (f"admin/{UUID}:machine:0", True),
        ("arn:aws:ec2:eu-west-1:1:x", True),
        ("i-0123456789abcdef0", True),
        ("vol-01234567", True),
        ("12", False),
        ("virtual-machine:12", False),
        ("vpn-hub", False),
        ("inventory/monitoring:machine:0", False),
    ],
)
def test_which_ids_are_unique(id, unique):
    assert is_unique(id) == unique


@pytest.mark.parametrize(
    "address, private",
    [("10.0.0.1", True), ("172.31.0.1", True), ("fe80::1", True), ("169.254.1.1", True), ("203.0.113.7", False), ("2001:db8::1", False), ("x", True)],
)  # fmt: skip
def test_which_addresses_are_private(address, private):
    assert is_private(address) == private


@pytest.mark.parametrize(
    "text, port",
    [
        ("tyo1-pe1 xe-0/0/1", ("tyo1-pe1", "xe-0/0/1")),
        ("Kobe (SW-kobe p1)", ("sw-kobe", "p1")),
        ("fukuoka", None),
        ("", None),
    ],
)
def test_ports_of_endpoints(text, port):
    assert port_of(text) == port


# --- what is proven ---


def test_one_thing_that_two_accounts_see():
    graph = graph_of({"a": [resource("network", UUID)], "b": [resource("network", UUID)]})
    assert stitched(graph) == [("same", UUID, UUID, "id", "certain")]
    assert stitched(graph_of({"a": [server("12")], "b": [server("12")]})) == []
    assert stitched(graph_of({"a": [resource("network", UUID)], "b": [server(UUID)]})) == []


def test_an_id_that_several_accounts_see_is_not_ambiguous():
    link = resource("circuit", "w", {"network": UUID}, type_id="wan_link")
    graph = graph_of(
        {"a": [resource("network", UUID)], "b": [resource("network", UUID)], "c": [link]}
    )
    assert stitched(graph) == [
        ("same", UUID, UUID, "id", "certain"),
        ("network-wan_link", UUID, "w", "id", "certain"),
    ]
    assert graph.problems == ()


def test_a_machine_of_juju_is_a_server_of_a_cloud():
    accounts = {
        "cloud": [server(UUID)],
        "juju": [server("model:machine:0"), server("model:machine:1")],
    }
    given = facts("juju", "server", "model:machine:0", instance_id=UUID)
    given += facts("juju", "server", "model:machine:1", instance_id=OTHER)
    graph = graph_of(accounts, facts=given)
    assert stitched(graph) == [("same", UUID, "model:machine:0", "instance-id", "certain")]
    assert problems(graph) == [("dangling", "model:machine:1", OTHER)]


@pytest.mark.parametrize(
    "reference, sure",
    [(UUID, "certain"), ("RMC/FFM/0046", "likely"), ("10100", None), ("backup", None)],
)
def test_circuits_with_one_reference(reference, sure):
    accounts = {"a": [circuit("1", "mpls")], "b": [circuit("2", "mpls")], "c": [circuit("3")]}
    given = [
        each for a, n in zip("abc", "123") for each in facts(a, "circuit", n, reference=reference)
    ]
    found = stitched(graph_of(accounts, facts=given))
    if sure is None:
        assert found == []
    else:
        assert found == [
            ("same", "1", "2", "reference", sure),
            ("wan_link-circuit", "3", "1", "reference", sure),
            ("wan_link-circuit", "3", "2", "reference", sure),
        ]


def test_a_reference_that_is_the_others_id():
    given = facts("osm", "circuit", "w", reference=UUID)
    graph = graph_of({"osm": [circuit("w")], "tapi": [circuit(UUID)]}, facts=given)
    assert stitched(graph) == [("same", "w", UUID, "reference", "certain")]


def test_the_same_mac_or_public_address():
    mac = "fa:16:3e:00:11:00"
    accounts = {
        "a": [server("1"), server("2")],
        "b": [server("3"), resource("appliance", "r", type_id="router")],
    }
    given = facts("a", "server", "1", mac=mac) + facts("b", "server", "3", mac=mac)
    given += facts("a", "server", "2", address="203.0.113.7")
    given += facts("b", "appliance", "r", address="203.0.113.7")
    found = stitched(graph_of(accounts, facts=given))
    assert found == [
        ("same", "1", "3", "mac", "likely"),
        ("router-server", "r", "2", "address", "likely"),
    ]


def test_an_address_that_a_load_balancer_names():
    accounts = {
        "a": [resource("appliance", "lb", type_id="load_balancer")],
        "b": [server("1"), server("2")],
    }
    given = facts("a", "appliance", "lb", member=["203.0.113.7", "10.0.0.5"])
    given += facts("b", "server", "1", address="203.0.113.7") + facts(
        "b", "server", "2", address="10.0.0.5"
    )
    graph = graph_of(accounts, facts=given)
    assert stitched(graph) == [("load_balancer-server", "lb", "1", "member", "likely")]
    assert problems(graph) == [("unproven", "lb", "10.0.0.5")]


def test_a_private_address_needs_more():
    """The same name, or the same network."""
    address = "10.0.0.5"
    accounts = {
        "a": [server("1", "web"), resource("network", UUID)],
        "b": [server("2", "web"), server("3", "db")],
    }
    both = facts("a", "server", "1", address=address)
    graph = graph_of(accounts, facts=both + facts("b", "server", "2", address=address))
    assert stitched(graph) == [("same", "1", "2", "address and name", "likely")]
    other = both + facts("b", "server", "3", address=address)
    graph = graph_of(accounts, facts=other)
    assert (stitched(graph), problems(graph)) == ([], [("unproven", "1", address)])
    to_network = {"network": UUID}
    accounts["a"][0] = server("1", "web", to_network)
    accounts["b"][1] = server("3", "db", to_network)
    graph = graph_of(accounts, facts=other)
    assert ("same", "1", "3", "address in the same network", "likely") in stitched(graph)
    assert problems(graph) == []


def test_a_circuit_that_ends_at_a_device():
    accounts = {
        "tapi": [circuit("w")],
        "netbox": [resource("appliance", "7", name="TYO1-pe1", type_id="router")],
    }
    given = facts("tapi", "circuit", "w", endpoint=["tyo1-pe1 xe-0/0/1", "nowhere"])
    assert stitched(graph_of(accounts, facts=given)) == [
        ("router-wan_link", "7", "w", "endpoint", "likely")
    ]


def test_circuits_between_the_same_ports():
    ends = ["tyo1-pe1 xe-0/0/1", "osa2-pe1 xe-0/0/4"]
    given = facts("a", "circuit", "1", endpoint=ends)
    given += facts("b", "circuit", "2", endpoint=[f"osaka ({ends[1]})", f"tokyo ({ends[0]})"])
    accounts = {"a": [circuit("1")], "b": [circuit("2"), circuit("3")]}
    assert stitched(graph_of(accounts, facts=given)) == [("same", "1", "2", "endpoint", "likely")]
    given += facts("b", "circuit", "3", endpoint=ends)
    graph = graph_of(accounts, facts=given)
    assert stitched(graph) == []
    assert [each.problem for each in graph.problems] == ["ambiguous"]
    assert graph.problems[0].candidates == (("b", "circuit", "2"), ("b", "circuit", "3"))


def test_what_an_account_says_itself_needs_no_evidence():
    accounts = {"a": [server("1"), server("2")], "b": [server("3")]}
    given = facts("a", "server", "1", mac="x") + facts("a", "server", "2", mac="x")
    graph = graph_of(accounts, facts=given)
    assert (stitched(graph), graph.problems) == ([], ())


def test_the_order_of_facts_makes_no_difference():
    accounts = {name: [server(name + "1"), circuit(name + "2")] for name in "abcd"}
    given = [
        each
        for name in "abcd"
        for each in [
            *facts(name, "server", name + "1", mac="m", address=["203.0.113.7", "10.0.0.1"]),
            *facts(name, "circuit", name + "2", reference="CID/0001", endpoint=["x-1 p", "y-1 q"]),
        ]
    ]
    first, other = graph_of(accounts, facts=given), graph_of(accounts, facts=given[::-1])
    assert [*first.edges()] == [*other.edges()]
    assert first.problems == other.problems
    assert {edge.link_type.name for edge in first.edges()} == {"same"}
