"""Two times in one graph."""

from operator import attrgetter

from topology.graph import Graph

ADDED, GONE = "added", "gone"


def both(before: Graph, after: Graph) -> tuple[Graph, dict[int, str], dict[int, str]]:
    """Nodes and links of two times, and which nodes and links were added or are gone, by their numbers.

    A node that is there at both times is as it is after; problems are those after.
    """
    gone = [node for node in before.nodes if node.key not in after.numbers]
    graph = Graph(sorted([*after.nodes, *gone], key=attrgetter("key")))
    nodes = {graph.numbers[node.key]: GONE for node in gone}
    for node in after.nodes:
        if node.key not in before.numbers:
            nodes[graph.numbers[node.key]] = ADDED
    of: dict[tuple[int, int, str], tuple[Graph, int]] = {}
    there = []
    for side in (before, after):
        numbers = [graph.numbers[node.key] for node in side.nodes]
        names = {
            (numbers[dependent], numbers[provider], side.link[link].name): link
            for link, (dependent, provider) in enumerate(zip(side.dependent, side.provider))
        }
        of.update({name: (side, link) for name, link in names.items()})
        there.append(names.keys())
    links: dict[int, str] = {}
    for name in sorted(of):
        side, link = of[name]
        number = graph._add(side.link[link], name[0], name[1], side.declared[link])
        if link in side.evidence:
            graph.evidence[number] = side.evidence[link]
        if name not in there[0]:
            links[number] = ADDED
        elif name not in there[1]:
            links[number] = GONE
    graph._index()
    graph.problems = after.problems
    return graph, nodes, links
