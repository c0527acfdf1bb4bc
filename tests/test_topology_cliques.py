"""Cliques: those of the example, the file of clique types, constraints and limits."""

import pytest

from tests.topologies import example, graph_of, numbers, resource
from topology.cliques import DEFAULTS, chosen, clique, health, is_healthy, load_types
from topology.errors import InvalidCliques, InvalidQuestion
from topology.links import DEGRADED, DOWN, UP

TYPES = load_types()


@pytest.fixture(scope="module")
def graph():
    return graph_of(example())


def reached(graph, id, types=TYPES):
    number = graph.find(id)
    return clique(graph, number, chosen(types, graph.nodes[number]))


def ids(graph, found):
    return " ".join(graph.nodes[number].id for number in found.nodes)


@pytest.mark.parametrize(
    "focal, nodes, links",
    [
        ("s1", "s1 h1 v1 n1 sg1 lb1 r1 w1 c1 m1", 10),
        ("h1", "h1 s1 s3 v1 v3 n1 n2 lb1", 7),
        ("n1", "n1 s1 s2 r1 lb1 w1 c1 h1 h2", 9),
        ("r1", "r1 n1 n2 s1 s2 s3 c1 lb1", 7),
        ("v1", "v1 s1 h1 lb1", 3),
        ("lb1", "lb1 n1 s1 s2 h1 h2 r1", 6),
        ("c1", "c1 r1 w1 n1 n2 s1 s2 s3", 8),
        ("w1", "w1 n1 c1 s1 s2 lb1", 5),
    ],
)
def test_the_cliques_of_the_example(graph, focal, nodes, links):
    found = reached(graph, focal)
    assert (ids(graph, found), len(found.links), found.truncated) == (nodes, links, False)


def test_the_networks_of_a_vca_are_those_of_its_servers(graph):
    found = reached(graph, "m1")
    assert ids(graph, found) == "m1 s1 n1 v1 h1"


def test_a_vpc_belongs_to_its_subnets():
    vpc = {"network_kind": "vpc"}
    other = resource("network", "subnet-2", {"network": "vpc"})
    found = [
        resource("server", "s", {"network": "subnet"}),
        resource("network", "subnet", {"network": "vpc"}),
        resource("network", "vpc", specific=vpc),
        other,
        resource("appliance", "igw", {"network": "vpc"}, type_id="router"),
    ]
    graph = graph_of(found)
    assert [graph.nodes[n].id for n in reached(graph, "s").networks] == ["subnet", "vpc"]


def test_a_clique_stops_at_its_limit(graph, tmp_path):
    types = read(tmp_path, "{focal: router, link_types: [router-network], max_nodes: 2}")
    found = reached(graph, "r1", types)
    assert (ids(graph, found), found.truncated) == ("r1 n1", True)


def test_health(graph):
    found = reached(graph, "v1")
    states = dict(zip(numbers(graph, "v1", "s1", "h1"), (UP, DEGRADED, DOWN)))
    assert health(found, states) == {"up": 1, "degraded": 1, "down": 1, "unknown": 1}
    assert not is_healthy(found, states)
    assert is_healthy(found, dict.fromkeys(states, UP))


# --- the file ---


def read(tmp_path, *entries):
    file = tmp_path / "cliques.yaml"
    lines = "".join(f"  - {entry}\n" for entry in entries)
    file.write_text(f"version: 1\ncliques:\n{lines}", encoding="utf-8")
    return load_types(file)


def test_a_file_extends_ours_and_the_most_exact_entry_counts(graph, tmp_path):
    types = read(
        tmp_path,
        "{focal: volume, link_types: [volume-server]}",
        "{focal: volume, link_types: [], provider: acme}",
        "{focal: volume, link_types: [volume-server, server-host], account: shop}",
        "{focal: pool, link_types: []}".replace("pool", "compute_pool"),
    )
    node = graph.nodes[graph.find("v1")]
    lab = node._replace(account="lab")
    assert [
        len(chosen(types, each).link_types) for each in (node, lab, lab._replace(provider="acme"))
    ] == [2, 1, 0]
    assert len(types) == len(TYPES) + 3
    assert chosen(types, node._replace(kind="compute_pool")).name == "compute_pool"
    with pytest.raises(InvalidQuestion, match="there is none for compute_pool"):
        chosen(TYPES, node._replace(kind="compute_pool"))


@pytest.mark.parametrize(
    "entry, message",
    [
        ("{focal: vulcan}", "clique 1 names an unknown kind, 'vulcan': kinds are appliance, "),
        ("{focal: [server]}", "unknown kind"),
        (
            "{focal: server, link_types: [server-moon]}",
            "an unknown link type, 'server-moon': there are ",
        ),
        ("{focal: server, link_types: [server]}", "unknown link type"),
        ("{focal: server, link_types: server-host}", "no list of texts as link_types"),
        ("{focal: server, constraints: [moon]}", "the constraint 'moon'"),
        ("{focal: server, max_nodes: 0}", "max_nodes 0"),
        ("{focal: server, max_nodes: yes}", "max_nodes True"),
        ("{focal: server, account: 1}", "the account 1"),
        ("{focal: server, colour: red}", "unknown keys"),
        ("server", "unknown keys"),
        ("{focal: server", "is not YAML"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, entry, message):
    with pytest.raises(InvalidCliques) as caught:
        read(tmp_path, entry)
    assert message in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "version: 2\ncliques: []", "version: 1", "version: 1\ncliques: []\nmore: 1", "[1]"]
)
def test_a_file_of_another_form_is_refused(tmp_path, text):
    file = tmp_path / "cliques.yaml"
    file.write_text(text)
    with pytest.raises(InvalidCliques, match="has no"):
        load_types(file)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InvalidCliques, match="No such file"):
        load_types(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidCliques, match="is not YAML"):
        load_types(tmp_path / "bytes.yaml")
    assert DEFAULTS.exists()
