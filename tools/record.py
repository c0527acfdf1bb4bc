"""Records the demo accounts' cassettes anew: ``python -m tools.record aws`` or ``openstack``.

AWS: from moto's server, which this starts on the endpoint_url of the account and fills first.
OpenStack: from the services at the account's auth_url, which must be running.
"""

import socket
import sys
from urllib.parse import urlsplit

from flexlocal import accounts
from flexlocal.__main__ import families, main
from tools import demo_aws


def record(provider: str) -> int:
    account = accounts.load()[f"demo-{provider}"]
    moto = _start_moto(account.credentials["endpoint_url"]) if provider == "aws" else None
    try:
        for family, cells in families().items():
            if provider in cells and main(["run", family, "--account", account.name, "--record"]):
                return 1
    finally:
        if moto:
            moto.stop()
    return 0


def _start_moto(endpoint_url: str):  # type: ignore[no-untyped-def]
    from moto.server import ThreadedMotoServer

    where = urlsplit(endpoint_url)
    host, port = where.hostname or "127.0.0.1", where.port or 80
    with socket.socket() as probe:  # moto waits for ever for a server that can't start
        if probe.connect_ex((host, port)) == 0:
            sys.exit(f"{endpoint_url} is in use: stop what listens there, then record again")
    server = ThreadedMotoServer(host, port, verbose=False)
    server.start()
    demo_aws.seed(endpoint_url)
    return server


if __name__ == "__main__":
    if len(sys.argv) != 2 or f"demo-{sys.argv[1]}" not in accounts.load():
        sys.exit("usage: python -m tools.record aws|openstack")
    sys.exit(record(sys.argv[1]))
