"""What the topology costs: ``python -m benchmarks.topology`` (``make bench-topology``).

An inventory of 100,000 invented resources with 245,000 connections, in which everything depends on one circuit. Times are
medians of CPU seconds of this process; memory is what loading the graph adds to it.
"""

import argparse
import datetime
import functools
import gc
import multiprocessing
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

from inventory import Inventory
from topology import reading
from topology.graph import Graph
from topology.impact import impact
from topology.links import DOWN
from topology.paths import path
from topology.weak import now, single_points

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
HUB = "circuit-0"
WANTED = {
    "load the graph (s)": 3,
    "memory of the graph (MB)": 100,
    "impact of a network (ms)": 20,
    "impact of one that all depend on (s)": 3,
    "path between two resources (ms)": 100,
    "the slowest of 45 paths (ms)": 100,
    "single points of failure: tried in 10 s": None,
    "causes of 50 resources that are down (s)": None,
}
# kind, share of the resources, what one is connected to (type, kind of it, how many)
SHAPE: list[tuple[str, str, Optional[str], float, list[tuple[str, str, int]]]] = [
    ("circuit", "circuit", "mpls", 0, []),
    ("router", "appliance", "router", 0.005, [("circuit", "circuit", 1)]),
    ("network", "network", None, 0.095, [("appliance", "router", 2)]),
    ("server", "server", None, 0.6, [("network", "network", 2)]),
    ("lb", "appliance", "load_balancer", 0.2, [("server", "server", 4), ("network", "network", 1)]),
    ("vca", "service_offering", "vca_unit", 0.1, [("server", "server", 2)]),
]


def resources(count: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """By kind, ids ``<kind>-<number>``."""
    chance = random.Random(1)  # noqa: S311 - invented data that is the same each time
    counts = {name: max(1, round(share * count)) for name, _, _, share, _ in SHAPE}
    for name, type_name, role, _, ends in SHAPE:
        found = []
        for number in range(counts[name]):
            connections: dict[str, list[dict[str, str]]] = {}
            for kind, target, wanted in ends:
                first = number * counts[target] // counts[name]  # most are near one another
                some = {
                    (first + chance.randrange(20)) % counts[target] if each else first
                    for each in range(wanted)
                }
                connections[kind] = [{"id": f"{target}-{each}"} for each in sorted(some)]
            details = {"state": "running"} if role is None else {"type_id": role}
            found.append(
                {
                    "id": f"{name}-{number}",
                    "type": type_name,
                    "base": {"name": f"{name} {number}", "last_seen_at": "2026-01-01T00:00:00Z"},
                    "details": {type_name: details},
                    "connections": connections,
                    "metadata": {"provider_metadata": {"owner": f"team-{number % 40}"}},
                }
            )
        yield name, found


def store(file: Path, count: int) -> None:
    with Inventory(file, create=True) as inventory:
        for family, found in resources(count):
            inventory.store(
                "shop",
                family,
                {"eu-west-1": found},
                provider="acme",
                started_at=START,
                ended_at=START + datetime.timedelta(minutes=1),
                all_scopes=True,
            )


def memory_mb() -> float:
    """Of this process; Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def cpu(action: Callable[[], Any]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def measured(inventory: Inventory, runs: int) -> Iterator[tuple[str, float]]:
    inventory.list(limit=1)  # statements are compiled, modules loaded
    gc.collect()
    before = memory_mb()
    start = time.process_time()
    graph = reading.read(inventory)
    yield "load the graph (s)", time.process_time() - start
    gc.collect()
    yield "memory of the graph (MB)", memory_mb() - before
    print(f"{len(graph.nodes):,} resources, {len(graph.link):,} links")
    yield from _questions(graph, runs)


def _questions(graph: Graph, runs: int) -> Iterator[tuple[str, float]]:
    chance = random.Random(2)  # noqa: S311 - choices that are the same each time
    some = [chance.randrange(len(graph.nodes)) for _ in range(runs * 5)]
    networks = [number for number, node in enumerate(graph.nodes) if node.kind == "network"]
    some_networks = chance.sample(networks, runs * 5)
    times = [cpu(functools.partial(_impact, graph, number)) for number in some_networks]
    yield "impact of a network (ms)", statistics.median(times) * 1000
    hub = graph.numbers["shop", "circuit", HUB]
    found = impact(graph, {hub: DOWN})
    assert len(found.states) == len(graph.nodes)  # noqa: S101 - all depend on it
    times = [cpu(functools.partial(_impact, graph, hub)) for _ in range(3)]
    yield "impact of one that all depend on (s)", statistics.median(times)
    ends = [(chance.choice(some), chance.choice(some)) for _ in range(runs * 5)]
    times = [cpu(functools.partial(path, graph, *pair)) for pair in ends]
    yield "path between two resources (ms)", statistics.median(times) * 1000
    yield "the slowest of 45 paths (ms)", max(times) * 1000
    yield "single points of failure: tried in 10 s", single_points(graph).tried
    down = dict.fromkeys(some[:50], DOWN)
    yield "causes of 50 resources that are down (s)", cpu(lambda: now(graph, down))


def _impact(graph: Graph, number: int) -> int:
    """With all rows, as the command prints them."""
    return len([*impact(graph, {number: DOWN}).rows()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--resources", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=9, help="of each measurement")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "inventory.db"
        # in another process: what it leaves behind would hide what the graph takes
        child = multiprocessing.get_context("spawn").Process(
            target=store, args=(file, given.resources)
        )
        child.start()
        child.join()
        with Inventory(file) as inventory:
            print("| what | wanted | measured |\n| --- | ---: | ---: |")
            for label, value in measured(inventory, given.runs):
                print(f"| {label} | {WANTED[label] or ''} | {value:.3g} |", flush=True)


if __name__ == "__main__":
    main()
