"""Records the demo accounts' cassettes anew: ``python -m tools.record aws``, ``ietf_l2vpn``, ``juju``,
``openstack``, ``osm``, ``tapi`` or ``netbox FOLDER``.

AWS: from moto's server, which this starts on the endpoint_url of the account and fills first.
OpenStack: from the services at the account's auth_url, which must be running.
NetBox: from the answers of a real one that are in the folder (tools/netbox_replay.py says how), served
at the account's url in pages so small that the walk through them is recorded too.
OSM: from a simulator (tools/demo_osm.py), which this starts on the url of the account.
Juju: from a simulator (tools/demo_juju.py), which this starts on the endpoint of the account; the CA that it
makes itself becomes the account's.
tapi and ietf_l2vpn: from their simulators, which this starts on the port of the account's url.
"""

import contextlib
import importlib
import socket
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flexlocal import accounts, cassettes
from flexlocal.__main__ import families
from flexlocal.context import Context
from tools import demo_aws, demo_controllers, demo_juju, demo_osm, netbox_replay

NETBOX_CAP = 40
SIMULATED = {  # what none of runs here, and the tool that fills its simulator
    "ietf_l2vpn": ("L2VPN controller", "demo_controllers"),
    "juju": ("Juju", "demo_juju"),
    "osm": ("OSM", "demo_osm"),
    "tapi": ("TAPI controller", "demo_controllers"),
}
LOGIN_APART = ("aws", "netbox")  # whose validate_credentials asks for something that no get does
CONTROLLERS = {"tapi": demo_controllers.tapi, "ietf_l2vpn": demo_controllers.l2vpn}


def record(provider: str, folder: str = "") -> int:
    account = accounts.load()[f"demo-{provider}"]
    moto = _start_moto(account.credentials["endpoint_url"]) if provider == "aws" else None
    serving: Any = contextlib.nullcontext()
    if provider == "netbox":
        serving = _replay(account.credentials, folder)
    if provider == "osm":
        serving = _simulated_osm(account.credentials)
    if provider == "juju":
        serving = _simulated_juju(account)
    if provider in CONTROLLERS:
        serving = CONTROLLERS[provider](urlsplit(account.credentials["url"]).port)
    try:
        with serving:
            for family, cells in families().items():
                if provider in cells:
                    _record(family, "get", account, cassettes.path(family, provider))
            if provider in LOGIN_APART:
                handler = "validate_credentials"
                family = next(family for family, cells in families().items() if provider in cells)
                _record(family, handler, account, cassettes.path(handler, provider))
    finally:
        if moto:
            moto.stop()
    return 0


def _record(family: str, handler: str, account: accounts.Account, file: Path) -> None:
    """Record one call of a handler over the demo account's cassette."""
    called = getattr(importlib.import_module(f"modules.{family}.main"), handler)
    with cassettes.record(file, account.credentials):
        answer = called(account.event(), Context(dict(cassettes.CONFIG)))
        if isinstance(answer, dict) and answer.get("ok") is False:
            sys.exit(f"{family}: {answer['reason']}")
    if account.provider in SIMULATED:
        _say_simulated(file)
    print(f"recorded {file.relative_to(cassettes.ROOT.parent)}")


def _replay(credentials: dict[str, Any], folder: str) -> netbox_replay.Replay:
    recordings = netbox_replay.Recordings(Path(folder))
    compared = recordings.prove()
    print(f"NetBox {recordings.release}: {compared} recorded answers are given again as they were")
    where = urlsplit(credentials["url"])
    token = f"Bearer {credentials['token']}"
    here = (where.hostname or "127.0.0.1", where.port or 80)
    return netbox_replay.Replay(recordings, here, token, NETBOX_CAP)


def _simulated_osm(credentials: dict[str, Any]) -> Any:
    return demo_osm.serve(urlsplit(credentials["url"]).port or 80, credentials)


def _simulated_juju(account: accounts.Account) -> Any:
    port = int(account.credentials["endpoint"].rpartition(":")[2])
    controller = demo_juju.serve(port, account.credentials)
    demo_juju.trust(controller, account.name)
    return contextlib.closing(controller)


def _say_simulated(cassette: Path) -> None:
    name, tool = SIMULATED[cassette.stem]
    said = f"# No {name}: a simulator answered (tools/{tool}.py). Names and ids are invented.\n"
    cassette.write_text(said + cassette.read_text(encoding="utf-8"), encoding="utf-8")


def _start_moto(endpoint_url: str):  # type: ignore[no-untyped-def]
    where = urlsplit(endpoint_url)
    host, port = where.hostname or "127.0.0.1", where.port or 80
    with socket.socket() as probe:  # moto waits for ever for a server that can't start
        if probe.connect_ex((host, port)) == 0:
            sys.exit(f"{endpoint_url} is in use: stop what listens there, then record again")
    return demo_aws.serve(host, port)[0]


if __name__ == "__main__":
    of_netbox = sys.argv[1:2] == ["netbox"]
    if len(sys.argv) != 2 + of_netbox or f"demo-{sys.argv[1]}" not in accounts.load():
        sys.exit(
            "usage: python -m tools.record aws|ietf_l2vpn|juju|openstack|osm|tapi|netbox FOLDER"
        )
    sys.exit(record(*sys.argv[1:]))
