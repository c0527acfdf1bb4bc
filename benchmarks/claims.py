"""Claims and stores a second of several processes, beside bare SKIP LOCKED on the same rows: ``make bench-claims``.

A PostgreSQL server of its own, without fsync; ACCOUNTS accounts with 8 families each, all due at once, which is the worst
case. Each process claims a poll and stores it with one resource, until POLLS are stored. Bare: one UPDATE that
claims a row by SKIP LOCKED, and one that stores a number in it, with no limits, no fairness and no history.
"""

import argparse
import datetime
import multiprocessing
import statistics
import time
from typing import Any, Callable

from inventory import Inventory
from inventory.schedule import Planned
from tests import postgresql

FAMILIES = 8
LEASE_S = 600
BARE = """
UPDATE bare SET attempt = attempt + 1, lease_until = now() + interval '600 s' WHERE id = (
  SELECT id FROM bare WHERE next_at <= now() AND (lease_until IS NULL OR lease_until <= now())
  ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, attempt
"""
STORE = """
UPDATE bare SET lease_until = NULL, next_at = now() + interval '900 s', stored = stored + 1
WHERE id = %s AND attempt = %s
"""


def resource(number: int) -> dict[str, Any]:
    return {
        "id": f"i-{number}",
        "type": "server",
        "base": {"name": f"server-{number}", "last_seen_at": "2026-01-01T10:00:00Z"},
        "details": {"server": {"cpu_cores": 2, "state": "running"}},
        "connections": {},
        "metadata": {"provider_specific": {"size": number}},
    }


def claims(url: str, worker: int, count: int, seconds: "Any") -> None:
    """Claims, and ends the claim: what the table itself costs."""
    with Inventory(url) as inventory:
        for number in range(count):
            start = time.perf_counter()
            claim = inventory.claim(f"w{worker}/{number}", LEASE_S)
            seconds.put(time.perf_counter() - start)
            assert claim is not None  # noqa: S101 - there are more than enough
            inventory.end(claim, "complete")


def stores(url: str, worker: int, count: int, seconds: "Any") -> None:
    """Claims, and stores a poll of one resource, which ends the claim."""
    with Inventory(url) as inventory:
        for number in range(count):
            start = time.perf_counter()
            claim = inventory.claim(f"w{worker}/{number}", LEASE_S)
            seconds.put(time.perf_counter() - start)
            assert claim is not None  # noqa: S101 - there are more than enough
            now = datetime.datetime.now(datetime.timezone.utc)
            inventory.store(
                claim.account,
                claim.family,
                {"": [resource(number)]},
                provider=claim.provider,
                started_at=now,
                ended_at=now,
                claim=claim,
            )


def bare(url: str, worker: int, count: int, seconds: "Any") -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(count):
            start = time.perf_counter()
            row = connection.execute(BARE).fetchone()
            seconds.put(time.perf_counter() - start)
            connection.execute(STORE, row)


def side_by_side(work: Callable[..., None], url: str, processes: int, polls: int) -> float:
    """Polls a second; prints them."""
    context = multiprocessing.get_context("spawn")
    seconds = context.Queue()
    each = polls // processes
    workers = [context.Process(target=work, args=(url, n, each, seconds)) for n in range(processes)]
    for worker in workers:
        worker.start()
    taken, begin = [seconds.get()], time.perf_counter()  # processes have started by the first one
    while len(taken) < each * processes:
        taken.append(seconds.get(timeout=600))
    for worker in workers:
        worker.join()
    rate = len(taken) / (time.perf_counter() - begin)
    typical, worst = statistics.median(taken) * 1000, sorted(taken)[int(0.99 * len(taken))] * 1000
    print(f"{work.__name__:8} {rate:8.0f}/s   a claim: {typical:.1f} ms, 99% within {worst:.1f} ms")
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--polls", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=4)
    given = parser.parse_args()
    with postgresql.server() as server:
        url = getattr(server, "url", server)
        with Inventory(url, create=True) as inventory:
            inventory.plan(
                [
                    Planned(f"a{account}", "acme", f"family-{family}", "get", 86400)
                    for account in range(given.accounts)
                    for family in range(FAMILIES)
                ]
            )
        prepare_bare(url, given.accounts * FAMILIES)
        rates = {
            work: side_by_side(work, url, given.processes, given.polls)
            for work in (bare, claims, stores)
        }
    for work in (claims, stores):
        print(f"{work.__name__}: {rates[work] / rates[bare]:.2f} of bare SKIP LOCKED")


def prepare_bare(url: str, rows: int) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE bare (id bigserial PRIMARY KEY, next_at timestamptz NOT NULL, "
            "lease_until timestamptz, attempt bigint NOT NULL DEFAULT 0, stored bigint NOT NULL DEFAULT 0)"
        )
        connection.execute("CREATE INDEX bare_by_time ON bare (next_at)")
        connection.execute(
            "INSERT INTO bare (next_at) SELECT now() FROM generate_series(1, %s)", [rows]
        )


if __name__ == "__main__":
    main()
