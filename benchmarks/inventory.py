"""What an inventory costs: ``python -m benchmarks.inventory --steps 20000 100000 1000000`` (``make bench-inventory``).

Invented resources of 2 kB in accounts of 10,000. At each step it has loaded so many; it stores polls in which 100
resources changed, asks, and prints a column of the table beside the targets. Times are medians of CPU seconds of this
process; the size is the file's after a checkpoint. A million needs 5 GB in the folder, and 4 GB of memory.
"""

import argparse
import datetime
import functools
import gc
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

from inventory import Inventory

ACCOUNT = 10_000  # resources
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
QUARTER = datetime.timedelta(minutes=15)
WORDS = (
    "alpha",
    "bravo",
    "charlie",
    "delta",
    "echo",
    "foxtrot",
    "golf",
    "hotel",
    "india",
    "juliet",
)


def resource(number: int, revision: int = 0) -> dict[str, Any]:
    """About 2 kB of JSON, with what a cloud's server has: ids that repeat nowhere, words that do."""
    chance = random.Random(f"{number}:{revision}")  # noqa: S311 - invented data that is the same each time
    fixed = random.Random(number)  # noqa: S311 - invented data that is the same each time
    name = f"{fixed.choice(WORDS)}-{fixed.choice(WORDS)}-{number:07}"
    ids = [f"{fixed.getrandbits(64):016x}" for _ in range(8)]
    return {
        "id": f"i-{number:017x}",
        "type": "server",
        "base": {
            "name": name,
            "last_seen_at": "2026-01-01T00:00:00Z",
            "provider_created_at": f"2025-{1 + number % 12:02}-{1 + number % 28:02}T08:{number % 60:02}:00Z",
            "native_portal_link": f"https://console.example.com/instances/i-{number:017x}",
            "locations": [
                {
                    "city": {"latitude": 53.3, "longitude": -6.3, "name": "Dublin"},
                    "country": {"name": "Ireland"},
                    "region": {"id": "eu-west-1", "name": "Europe (Ireland)"},
                    "type": "provider",
                }
            ],
        },
        "details": {
            "server": {
                "cpu_cores": fixed.choice([1, 2, 4, 8]),
                "cpu_hz": 3100000000,
                "ram_b": fixed.choice([2, 4, 8, 16]) << 30,
                "volumes_b": 8589934592,
                "instance_type": fixed.choice(["m5.large", "r5.large", "c6i.xlarge", "t3.micro"]),
                "state": "running",
                "provider_state": "running",
                "is_virtual": True,
                "ip_addresses": [
                    {
                        "description": "private",
                        "ip_address": address(number),
                        "network": {"id": f"subnet-{ids[0][:8]}", "name": "private-a"},
                    },
                ],
                "image_detail": {
                    "id": f"ami-{ids[1][:8]}",
                    "name": "debian-12-amd64",
                    "type": "Linux",
                    "architecture": "x86_64",
                    "distribution": "debian",
                    "version": "12",
                },
            }
        },
        "connections": {
            "network": [{"id": f"subnet-{number % 100:08x}"}, {"id": f"vpc-{number % 10:08x}"}],
        },
        "metadata": {
            "provider_metadata": {
                "Name": name,
                "stage": fixed.choice(["prod", "test", "dev"]),
                "owner": f"team-{number % 40}",
                "cost-center": str(1000 + number % 90),
            },
            "provider_specific": {
                "Architecture": "x86_64",
                "EbsOptimized": False,
                "Hypervisor": "xen",
                "LaunchTime": f"2025-{1 + number % 12:02}-{1 + number % 28:02}T08:{number % 60:02}:00Z",
                "MetadataOptions": {
                    "HttpEndpoint": "enabled",
                    "HttpPutResponseHopLimit": 1,
                    "HttpTokens": "optional",
                    "State": "applied",
                },
                "Monitoring": {"State": "disabled"},
                "Placement": {
                    "AvailabilityZone": "eu-west-1a",
                    "GroupName": "",
                    "Tenancy": "default",
                },
                "PrivateDnsName": f"ip-{address(number).replace('.', '-')}.eu-west-1.compute.internal",
                "RootDeviceName": "/dev/sda1",
                "SecurityGroups": [
                    {"id": f"sg-{ids[n][:8]}", "name": f"{WORDS[n]}-{number % 100}"}
                    for n in range(2, 5)
                ],
                "SubnetId": f"subnet-{ids[0][:8]}",
                "VpcId": f"vpc-{ids[5][:8]}",
                "Revision": chance.randint(0, 10**6),
            },
        },
    }


def address(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def cpu(action: Callable[[], Any]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


# What is wanted at 1,000,000 resources, in the unit of the row.
POLL = f"store a poll of {ACCOUNT:,}, 100 changed (s)"
DIFF = "diff, for each changed resource (ms)"
SIZE = "size of the file (GiB)"
ROWS = {
    "load 10,000 resources (s)": None,
    SIZE: 0.7,
    POLL: 0.5,
    "search an id (ms)": 50,
    "search an address (ms)": 50,
    "search a /24 (ms)": 50,
    "search a tag, 100 of its hits (ms)": 50,
    "search a name (ms)": 50,
    "search a part of a name, 100 of its hits (ms)": 50,
    "show a resource (ms)": None,
    "history of a resource (ms)": None,
    "list 100 of an account (ms)": None,
    DIFF: 0.2,
    "make the SQL views (s)": None,
    "size of their file (GiB)": None,
    "renew the SQL views, 100 changed (s)": None,
    "SQL: count by state (s)": None,
    "SQL: all columns (s)": None,
    "SQL: count with a tag (s)": None,
}
SQL = {
    "SQL: count by state (s)": "SELECT details__server__state, count(*) FROM server GROUP BY 1",
    "SQL: all columns (s)": "SELECT * FROM server",
    "SQL: count with a tag (s)": "SELECT count(*) FROM server JOIN tags USING (account, id) "
    "WHERE key = 'stage' AND value = 'prod'",
}
QUESTIONS: dict[str, Callable[[Inventory, int], Any]] = {
    "search an id (ms)": lambda i, n: i.search(f"i-{n:017x}"),
    "search an address (ms)": lambda i, n: i.search(address(n)),
    "search a /24 (ms)": lambda i, n: i.search(address(n).rpartition(".")[0] + ".0/24"),
    "search a tag, 100 of its hits (ms)": lambda i, n: i.search(f"owner=team-{n % 40}", limit=100),
    "search a name (ms)": lambda i, n: i.search(f"-{n:07}"),
    "search a part of a name, 100 of its hits (ms)": lambda i, n: i.search(
        WORDS[n % 10], limit=100
    ),
    "show a resource (ms)": lambda i, n: i.show(f"i-{n:017x}"),
    "history of a resource (ms)": lambda i, n: i.history(f"i-{n:017x}"),
    "list 100 of an account (ms)": lambda i, n: i.list(
        account=f"account-{n // ACCOUNT}", limit=100
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[20_000], metavar="RESOURCES")
    parser.add_argument("--runs", type=int, default=9, help="of each measurement")
    parser.add_argument("--folder", type=Path, help="for the file, which is removed at the end")
    given = parser.parse_args()
    columns: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        file = Path(folder) / "inventory.db"
        with Inventory(file, create=True) as inventory:
            benchmark = Benchmark(inventory, file, given.runs)
            for count in sorted(given.steps):
                columns[count] = dict(benchmark.step(count))
                print(table(columns), flush=True)


def table(columns: dict[int, dict[str, float]]) -> str:
    """Markdown."""
    heads = ["what", "wanted", *(f"{count:,}" for count in columns)]
    lines = ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 1)]
    for label, target in ROWS.items():
        found = [f"{column[label]:.3g}" for column in columns.values()]
        lines.append("| " + " | ".join([label, str(target or ""), *found]) + " |")
    return "\n".join(lines)


class Benchmark:
    """An inventory that grows, and polls of its first account."""

    def __init__(self, inventory: Inventory, file: Path, runs: int):
        self._inventory, self._file, self._runs = inventory, file, runs
        self._loaded = self._revision = 0
        self._changed: dict[int, int] = {}
        self._chance = random.Random(1)  # noqa: S311 - choices that are the same each time

    def step(self, count: int) -> Iterator[tuple[str, float]]:
        spent = [self._load(first) for first in range(self._loaded, count, ACCOUNT)]
        self._loaded = -(-count // ACCOUNT) * ACCOUNT
        yield "load 10,000 resources (s)", statistics.median(spent)
        yield SIZE, self._file.stat().st_size / 2**30
        before = self._revision
        yield POLL, statistics.median(self._polls(self._runs))
        gc.collect()  # what follows is asked by processes that hold no resources
        some = [self._chance.randrange(self._loaded) for _ in range(self._runs)]
        for label, ask in QUESTIONS.items():
            ask(self._inventory, some[0])  # statements are compiled once
            times = [cpu(functools.partial(ask, self._inventory, number)) for number in some]
            yield label, statistics.median(times) * 1000
        times_of = START + before * QUARTER, START + self._revision * QUARTER
        found = len(self._inventory.diff(*times_of).differences)
        times = [cpu(lambda: self._inventory.diff(*times_of)) for _ in range(3)]
        yield DIFF, statistics.median(times) / max(1, found) * 1000
        yield from self._views()

    def _views(self) -> Iterator[tuple[str, float]]:
        file = self._inventory.views_file
        assert file is not None  # noqa: S101 - of a SQLite inventory
        for each in file.parent.glob(file.name + "*"):
            each.unlink()
        yield "make the SQL views (s)", cpu(self._inventory.renew_views)
        yield "size of their file (GiB)", file.stat().st_size / 2**30
        for _ in self._polls(1):
            yield "renew the SQL views, 100 changed (s)", cpu(self._inventory.renew_views)
        for label, statement in SQL.items():
            yield label, cpu(functools.partial(self._inventory.sql, statement))

    def _load(self, first: int) -> float:
        resources = [resource(number) for number in range(first, first + ACCOUNT)]
        return cpu(lambda: store(self._inventory, first // ACCOUNT, 0, resources))

    def _polls(self, runs: int) -> Iterator[float]:
        resources = [resource(number) for number in range(ACCOUNT)]
        for index, revision in self._changed.items():  # as the last step left them
            resources[index] = resource(index, revision)
        for _ in range(runs):
            self._revision += 1
            for index in self._chance.sample(range(ACCOUNT), 100):
                self._changed[index] = self._revision
                resources[index] = resource(index, self._revision)
            yield cpu(lambda: store(self._inventory, 0, self._revision, resources))


def store(
    inventory: Inventory, account: int, revision: int, resources: list[dict[str, Any]]
) -> None:
    ended = START + revision * QUARTER
    inventory.store(
        f"account-{account}",
        "servers",
        {"eu-west-1": resources},
        provider="aws",
        started_at=ended - datetime.timedelta(minutes=1),
        ended_at=ended,
        all_scopes=True,
    )


if __name__ == "__main__":
    main()
