"""What an inventory costs: ``python -m benchmarks.inventory --resources 1000000`` (``make bench-inventory``).

Invented resources of 2 kB in accounts of 10,000: loads them, stores polls in which some changed, and asks. Times are
CPU seconds of this process; the size is the file's after a checkpoint. It needs 0.7 GB of disk for a million, in the
folder of --file.
"""

import argparse
import datetime
import functools
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
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
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
                        "ip_address": address,
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
                "PrivateDnsName": f"ip-{address.replace('.', '-')}.eu-west-1.compute.internal",
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


def cpu(action: Callable[[], Any]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--resources", type=int, default=20_000)
    parser.add_argument(
        "--runs", type=int, default=9, help="of each measurement; the median is shown"
    )
    parser.add_argument(
        "--file", type=Path, help="a file that does not exist yet; else a temporary one"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = given.file or Path(folder) / "inventory.db"
        with Inventory(file, create=True) as inventory:
            for label, value in measured(inventory, file, given.resources, given.runs):
                print(f"{label:<55}{value:>14}", flush=True)


def measured(inventory: Inventory, file: Path, count: int, runs: int) -> Iterator[tuple[str, str]]:
    accounts = [range(first, min(first + ACCOUNT, count)) for first in range(0, count, ACCOUNT)]
    spent = 0.0
    for number, numbers in enumerate(accounts):
        resources = [resource(each) for each in numbers]
        spent += cpu(lambda: store(inventory, number, 0, resources))  # noqa: B023 - called at once
    yield f"load {count:,} resources", f"{spent:.1f} s"
    yield "size of the file", f"{file.stat().st_size / 2**20:.0f} MiB"
    yield "size for each resource", f"{file.stat().st_size / count:.0f} B"

    chance = random.Random(1)  # noqa: S311 - choices that are the same each time
    times = []
    resources = [resource(each) for each in accounts[0]]
    for revision in range(1, runs + 1):
        for index in chance.sample(range(len(resources)), min(100, len(resources))):
            resources[index] = resource(accounts[0][index], revision)
        times.append(cpu(lambda: store(inventory, 0, revision, resources)))  # noqa: B023 - called at once
    yield f"store a poll of {len(resources):,}, 100 changed", f"{statistics.median(times):.3f} s"

    some = [chance.randrange(count) for _ in range(runs)]
    questions: dict[str, Callable[[int], Any]] = {
        "search an id": lambda n: inventory.search(f"i-{n:017x}"),
        "search an address": lambda n: inventory.search(
            f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
        ),
        "search a /24": lambda n: inventory.search(f"10.{n >> 16 & 255}.{n >> 8 & 255}.0/24"),
        "search a tag (100 hits)": lambda n: inventory.search(f"owner=team-{n % 40}", limit=100),
        "search a part of a name (100 hits)": lambda n: inventory.search(WORDS[n % 10], limit=100),
        "search a name": lambda n: inventory.search(f"-{n:07}"),
        "show a resource": lambda n: inventory.show(f"i-{n:017x}"),
        "history of a resource": lambda n: inventory.history(f"i-{n:017x}"),
        "list 100 of an account": lambda n: inventory.list(
            account=f"account-{n // ACCOUNT}", limit=100
        ),
    }
    for label, ask in questions.items():
        ask(some[0])  # statements are compiled once
        spent = statistics.median(cpu(functools.partial(ask, number)) for number in some)
        yield label, f"{spent * 1000:.1f} ms"

    before, after = START, START + runs * QUARTER
    found = len(inventory.diff(before, after).differences)
    spent = cpu(lambda: inventory.diff(before, after))
    yield f"diff with {found} changed resources, each", f"{spent / max(1, found) * 1000:.2f} ms"
    yield "make the SQL views", f"{cpu(inventory.renew_views):.1f} s"
    assert inventory.views_file is not None  # noqa: S101 - of a SQLite inventory
    yield "size of their file", f"{inventory.views_file.stat().st_size / 2**20:.0f} MiB"
    for index in chance.sample(range(len(resources)), min(100, len(resources))):
        resources[index] = resource(accounts[0][index], runs + 1)
    store(inventory, 0, runs + 1, resources)
    yield "renew the SQL views, 100 changed", f"{cpu(inventory.renew_views):.3f} s"
    for label, statement in (
        ("SQL: count by state", "SELECT details__server__state, count(*) FROM server GROUP BY 1"),
        ("SQL: all columns", "SELECT * FROM server"),
        (
            "SQL: servers with a tag",
            "SELECT count(*) FROM server JOIN tags USING (account, id) WHERE key = 'stage' AND value = 'prod'",
        ),
    ):
        spent = cpu(functools.partial(inventory.sql, statement))
        yield label, f"{spent:.2f} s"


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
