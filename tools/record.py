"""Records the demo accounts' cassettes anew: ``python -m tools.record PROVIDER [FAMILY [HANDLER]]``.

All of the provider, all handlers of one of its cells, or one of them (``get``, ``get_status``, ``get_metrics``,
``get_logs``). One of ``validate_credentials`` goes with the whole provider.

``get`` is recorded from a server:
AWS: from moto's server, which this starts on the endpoint_url of the account and fills first. It has other ids
each time, so that a family recorded alone does not go with the others.
OpenStack: from the services at the account's auth_url, which must be running.
NetBox: from the answers of a real one in ``--recordings FOLDER`` (tools/netbox_replay.py says how), served
at the account's url in pages so small that the walk through them is recorded too.
OSM: from a simulator (tools/demo_osm.py), which this starts on the url of the account.
Juju: from a simulator (tools/demo_juju.py), which this starts on the endpoint of the account; the CA that it
makes itself becomes the account's.
tapi and ietf_l2vpn: from their simulators, which this starts on the port of the account's url.

With ``--later``, ``get`` of all families is recorded a second time, after changes on the server (of AWS:
tools/later_aws.py), into ``cassettes/later``. The server must first have what the first cassettes hold, so that the
two recordings are of the same objects: else this ends with what differs.

The other handlers are recorded from what the cassette of ``get`` holds, as of the moment of its recording, so that
they are about the same resources. What it lacks is simulated: tools/simulated_aws.py, tools/simulated_openstack.py.
"""

import argparse
import contextlib
import datetime
import importlib
import json
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flexlocal import accounts, cassettes, websocket_cassettes
from flexlocal.__main__ import families
from flexlocal.cassette_server import CassetteServer
from flexlocal.context import Context
from tools import (
    demo_aws,
    demo_controllers,
    demo_juju,
    demo_osm,
    expected,
    later_aws,
    later_openstack,
    netbox_replay,
)
from tools.same_ids import Names
from tools.simulated_aws import Aws
from tools.simulated_openstack import OpenStack

NETBOX_CAP = 40
SIMULATED = {  # what none of runs here, and the tool that fills its simulator
    "ietf_l2vpn": ("L2VPN controller", "demo_controllers"),
    "juju": ("Juju", "demo_juju"),
    "osm": ("OSM", "demo_osm"),
    "tapi": ("TAPI controller", "demo_controllers"),
}
LOGIN_APART = ("aws", "netbox")  # whose validate_credentials asks for something that no get does
LOGIN = "validate_credentials"
CONTROLLERS = {"tapi": demo_controllers.tapi, "ietf_l2vpn": demo_controllers.l2vpn}
# When the cassettes of get were recorded that do not say so themselves.
RECORDED_AT = {
    "aws": "2026-11-21T16:39:00+00:00",
    "ietf_l2vpn": "2026-11-21T09:12:00+00:00",
    "juju": "2026-11-21T08:53:00+00:00",
    "netbox": "2026-11-21T08:50:00+00:00",
    "openstack": "2026-11-21T00:58:32+00:00",
    "osm": "2026-11-21T09:12:00+00:00",
    "tapi": "2026-11-21T09:12:00+00:00",
}
RECORDED_LATER = {
    ("appliances", "openstack"): "2026-11-21T03:53:00+00:00",
    ("circuits", "openstack"): "2026-11-21T03:53:00+00:00",
}

Answer = dict[str, Any]
Simulate = Callable[[Any, Callable[[Any], Answer]], Answer]


def record(provider: str, family: str = "", handler: str = "", recordings: str = "") -> None:
    """Record what the arguments name; "" is all of them. Exits with a message where there is nothing such."""
    account = accounts.load()[f"demo-{provider}"]
    here = [name for name, cells in families().items() if provider in cells]
    wanted = {
        each: [name for name in expected.handlers(each, provider) if handler in ("", name)]
        for each in here
        if family in ("", each)
    }
    if not any(wanted.values()):
        sys.exit(f"{provider} has no such cell or handler; its families are {', '.join(here)}")
    of_get = [each for each, handlers in wanted.items() if "get" in handlers]
    if of_get:
        with _provider(account, recordings):
            for each in of_get:
                _record(each, "get", account, cassettes.path(each, provider))
            if provider in LOGIN_APART and not family:
                _record(here[0], LOGIN, account, cassettes.path(LOGIN, provider))
    for each, handlers in wanted.items():
        for name in handlers:
            if name != "get":
                _record_from_get(each, name, account)


def record_later(provider: str) -> None:
    """Record ``get`` of the provider's families again after changes. Exits with a message where it can't."""
    if provider not in LATER:
        sys.exit(f"{provider} has no second recording; {', '.join(LATER)} has one")
    account = accounts.load()[f"demo-{provider}"]
    begun, here = LATER[provider]
    with begun(account, here) as change:
        for family in here:
            _check_same(family, account)
        change()
        for family in here:
            _record(family, "get", account, cassettes.path(family, provider, later=True))


def _record(family: str, handler: str, account: accounts.Account, file: Path, **more: Any) -> None:
    """Record one call of a handler over the demo account's cassette."""
    with cassettes.record(file, account.credentials, **more):
        answer = _called(family, handler, account)
        if isinstance(answer, dict) and answer.get("ok") is False:
            sys.exit(f"{family}: {answer['reason']}")
    if account.provider in SIMULATED:
        name, tool = SIMULATED[account.provider]
        _comment(
            file, f"No {name}: a simulator answered (tools/{tool}.py). Names and ids are invented."
        )
    print(f"recorded {file.relative_to(cassettes.ROOT.parent)}")


def _called(family: str, handler: str, account: accounts.Account) -> Any:
    called = getattr(importlib.import_module(f"modules.{family}.main"), handler)
    return called(account.event(), Context(dict(cassettes.CONFIG)))


def _comment(cassette: Path, text: str) -> None:
    cassette.write_text(f"# {text}\n" + cassette.read_text(encoding="utf-8"), encoding="utf-8")


# --- get: from a server of the provider -------------------------------------------------------------


@contextlib.contextmanager
def _provider(account: accounts.Account, recordings: str) -> Iterator[None]:
    """The provider's server, while the block runs; OpenStack's runs already."""
    credentials, provider = account.credentials, account.provider
    with contextlib.ExitStack() as stack:
        if provider == "aws":
            host, port = _free(credentials["endpoint_url"])
            stack.callback(demo_aws.serve(host, port)[0].stop)
        elif provider == "netbox":
            stack.enter_context(_replay(credentials, recordings))
        elif provider == "osm":
            _, port = _address(credentials["url"])
            stack.enter_context(demo_osm.serve(port, credentials))
        elif provider == "juju":
            _, port = _address(f"//{credentials['endpoint']}")
            controller = stack.enter_context(
                contextlib.closing(demo_juju.serve(port, account.credentials))
            )
            demo_juju.trust(controller, account.name)
        elif provider in CONTROLLERS:
            _, port = _address(credentials["url"])
            stack.enter_context(CONTROLLERS[provider](port))
        yield


def _replay(credentials: dict[str, Any], folder: str) -> netbox_replay.Replay:
    recordings = netbox_replay.Recordings(Path(folder))
    compared = recordings.prove()
    print(f"NetBox {recordings.release}: {compared} recorded answers are given again as they were")
    token = f"Bearer {credentials['token']}"
    return netbox_replay.Replay(recordings, _address(credentials["url"]), token, NETBOX_CAP)


def _address(url: str) -> tuple[str, int]:
    where = urlsplit(url)
    return where.hostname or "127.0.0.1", where.port or 80


def _free(url: str) -> tuple[str, int]:
    """The address, if nothing listens there."""
    address = _address(url)
    with socket.socket() as probe:  # moto waits for ever for a server that can't start
        if probe.connect_ex(address) == 0:
            sys.exit(f"{url} is in use: stop what listens there, then record again")
    return address


# --- get, after changes -----------------------------------------------------------------------------


@contextlib.contextmanager
def _later_aws(account: accounts.Account, here: Sequence[str]) -> Iterator[Callable[[], None]]:
    """A server that has what the first cassettes hold, and what changes it."""
    host, port = _free(account.credentials["endpoint_url"])
    server, url = later_aws.serve(host, port)
    with contextlib.ExitStack() as stack:
        stack.callback(server.stop)
        names, pairs = Names(), []
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for family in here:
            file = folder / family / "aws.yaml"
            with cassettes.record(file, account.credentials):
                _called(family, "get", account)
            pairs.append((file, cassettes.path(family, "aws")))
        names.learn(pairs)
        later_aws.rename(names.known)
        yield lambda: later_aws.change(url)


@contextlib.contextmanager
def _later_openstack(
    account: accounts.Account, here: Sequence[str]
) -> Iterator[Callable[[], None]]:
    """A lab that has what the first cassettes hold is running already: see tools/later_openstack.py."""
    yield later_openstack.change


# How the second recording begins, and of which families there is one.
LATER: dict[str, tuple[Callable[..., Any], Sequence[str]]] = {
    "aws": (
        _later_aws,
        ("appliances", "circuits", "networks", "servers", "volumes", "wan_links"),
    ),
    "openstack": (_later_openstack, later_openstack.FAMILIES),
}


def _check_same(family: str, account: accounts.Account) -> None:
    """That the server has what the first cassette holds: the same resources, but for when they were seen."""
    golden = json.loads(expected.path(family, account.provider).read_text(encoding="utf-8"))
    found = json.loads(json.dumps(_called(family, "get", account)))
    for resource in (*golden, *found):
        resource["base"].pop("last_seen_at")
    differing = [one["id"] for one, other in zip(found, golden) if one != other]
    if differing or len(found) != len(golden):
        sys.exit(
            f"{family}: the server has {len(found)} resources and the first cassette {len(golden)}; "
            f"not the same: {', '.join(differing[:5])}"
        )


# --- the other handlers: from the cassette of get ---------------------------------------------------


def _record_from_get(family: str, handler: str, account: accounts.Account) -> None:
    provider = account.provider
    of_get, file = (cassettes.path(family, provider, name) for name in ("get", handler))
    moment = cassettes.recorded_at(of_get) or datetime.datetime.fromisoformat(
        RECORDED_LATER.get((family, provider)) or RECORDED_AT[provider]
    )
    recorded = cassettes.read(of_get)
    simulate: Simulate = lambda request, recorded: recorded(request)  # noqa: E731
    source = f"Recorded from what {family}/{of_get.name} holds"
    if provider == "aws":
        simulate = Aws(expected.replayed(family, provider), moment).answer
        source += "; what that lacks is simulated (tools/simulated_aws.py)"
    if provider == "openstack":
        simulate = OpenStack(recorded.data, moment).answer
        source += "; what that lacks is simulated (tools/simulated_openstack.py)"
    with contextlib.ExitStack() as stack:
        servers = []
        for port in sorted({request.port for request in recorded.requests}):
            _free(f"http://127.0.0.1:{port}")
            servers.append(stack.enter_context(_Server(of_get, port, simulate)))
        stack.enter_context(websocket_cassettes.replay(cassettes.read_websockets(of_get)))
        _record(family, handler, account, file, moment=moment)
    missing = [each for server in servers for each in server.missing]
    if missing:
        file.unlink()
        sys.exit(f"{family} {handler} asks for what nothing answers: {', '.join(missing)}")
    _comment(file, f"{source}.")


class _Server(CassetteServer):
    """A cassette's server that answers some requests itself."""

    def __init__(self, file: Path, port: int, simulate: Simulate):
        super().__init__(file, port)
        self._simulate = simulate

    def answer(self, request: Any) -> Answer:
        return self._simulate(request, super().answer)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.record", description="records cassettes")
    parser.add_argument("provider", choices=[each.provider for each in accounts.demo().values()])
    parser.add_argument("family", nargs="?", default="", metavar="FAMILY")
    parser.add_argument("handler", nargs="?", default="", metavar="HANDLER")
    parser.add_argument("--recordings", default="", metavar="FOLDER", help="of NetBox's answers")
    parser.add_argument("--later", action="store_true", help="record get again, after changes")
    given = vars(parser.parse_args())
    if given.pop("later"):
        record_later(given["provider"])
    else:
        record(**given)


if __name__ == "__main__":
    main()
