"""``make test-crowd``: 100 clients list 10,000 resources at once, each page by page, on connections that they keep.

None may fail, and each has to get each resource once. Says how long that took, by the server and by the slowest client.
"""

import argparse
import asyncio
import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from inventory import Inventory
from tests.inventories import at, server
from tests.serving import BASE

CLIENTS, RESOURCES = 100, 10_000
TIMEOUT_S = 600.0


def fill(file: Path, count: int) -> None:
    servers = [
        server(f"i-{n:06}", f"web-{n}", ip=f"10.{n >> 8}.{n & 255}.1", tags={"stage": "prod"})
        for n in range(count)
    ]
    times = {"started_at": at(0), "ended_at": at(1)}
    with Inventory(file, create=True) as inventory:
        inventory.store("shop", "servers", {"eu": servers}, provider="acme", **times)


async def crowd(address: str, clients: int, count: int) -> list[float]:
    """The seconds that each client took."""
    import httpx

    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)

    async def one() -> float:
        began = time.monotonic()
        async with httpx.AsyncClient(base_url=address, timeout=TIMEOUT_S, limits=limits) as client:
            seen: list[str] = []
            path = f"{BASE}/resources?limit=1000"
            cursor = ""
            while True:
                answer = await client.get(path + (f"&cursor={cursor}" if cursor else ""))
                answer.raise_for_status()
                page = answer.json()
                seen += [row["id"] for row in page["items"]]
                cursor = page["next"]
                if cursor is None:
                    break
        assert len(seen) == len(set(seen)) == count, (
            f"{len(seen)} rows, {len(set(seen))} of them once"
        )
        return time.monotonic() - began

    return await asyncio.gather(*(one() for _ in range(clients)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--resources", type=int, default=RESOURCES)
    args = parser.parse_args()
    if importlib.util.find_spec("fastapi") is None:
        print("test-crowd: left out, for want of Python 3.10 and the extra [serve]")
        return 0
    with tempfile.TemporaryDirectory(prefix="crowd-") as folder:
        file = Path(folder) / "shop.db"
        fill(file, args.resources)
        environment = {**os.environ, "FLEXLOCAL_TOKENS": str(Path(folder) / "none.json")}
        command = [
            sys.executable,
            "-m",
            "flexlocal",
            "serve",
            "--inventory",
            str(file),
            "--port",
            "0",
        ]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            found = re.search(r"http://[^ ]*[0-9]", process.stdout.readline())
            assert found, "the server did not start"
            began = time.monotonic()
            try:
                seconds = asyncio.run(crowd(found[0], args.clients, args.resources))
            finally:
                process.send_signal(signal.SIGTERM)
            took = time.monotonic() - began
    rows = args.clients * args.resources
    print(
        f"{args.clients} clients listed {args.resources} resources each: none failed; {took:.1f} s, "
        f"{rows / took:,.0f} rows a second; the fastest {min(seconds):.1f} s, the slowest {max(seconds):.1f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
