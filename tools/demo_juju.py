"""The demo account of Juju: invented models in the simulator, for ``tools.record juju``.

No Juju runs while it is recorded; the simulator's docstring (tests/fakes/juju.py) says what it can't show.
One model is that of OSM's demo account (tools/demo_osm.py), seen from the other side: the ids are the same.
"""

import base64
import re
from typing import Any, Optional

from flexlocal import accounts
from tests.fakes import juju as fakes
from tests.fakes.osm import identifier

NOW = "2026-11-21T06:30:00.120394Z"
SINCE = "2026-11-20T18:02:11.402913Z"
METRICS = "inventory/monitoring.metrics"


def serve(port: int, credentials: dict[str, Any]) -> fakes.Controller:
    """The simulator with the demo's models, for this user, who owns one of them and may read the rest."""
    user = credentials["username"]
    models = [
        fakes.Model(identifier("ns", "sdwan-branch"), "vnf-manager", _branch(), [user]),
        fakes.Model(identifier("ns", "core-5g"), "admin", _core(), [user]),
        fakes.Model("monitoring", user, _monitoring()),
        fakes.Model("spare", "admin", {"controller-timestamp": NOW}, [user]),
        fakes.Model("of-somebody-else", "bob", fakes.vnf()),
    ]
    controller = fakes.Controller("3.6", models, port=port)
    controller.passwords[user] = credentials["password"]
    return controller


def trust(controller: fakes.Controller, account: str) -> None:
    """Write the CA that the controller has created into the demo accounts, in the form in which OSM gives it."""
    ca_cert = base64.b64encode(controller.ca.pem.encode()).decode()
    text = accounts.DEMO.read_text(encoding="utf-8")
    new, count = re.subn(
        rf"(?s)(\n  {account}:\n.*?ca_cert: )\S+", rf"\g<1>{ca_cert}", text, count=1
    )
    if not count:
        raise AssertionError(f"{accounts.DEMO.name} has no ca_cert of {account}")
    accounts.DEMO.write_text(new, encoding="utf-8")


def _status(word: str, info: str = "", since: str = SINCE) -> dict[str, Any]:
    return fakes.state(word, info, since)


def _agent(word: str = "idle", info: str = "", since: str = SINCE) -> dict[str, Any]:
    return fakes.agent(word, info, since=since)


def _machine(id_: str, address: str, **more: Any) -> dict[str, Any]:
    machine = fakes.container(id_) if "/" in id_ else fakes.machine(int(id_))
    inner = f"10.40.7.{address.rpartition('.')[2]}"
    machine["network-interfaces"]["ens3"]["ip-addresses"] = [inner]
    machine.update(
        {
            "agent-status": _agent("started"),
            "instance-status": _status("running", "ACTIVE"),
            "modification-status": _status("applied"),
            "dns-name": address,
            "ip-addresses": [address, inner],
        }
    )
    return {**machine, **more}


def _unit(
    machine: str,
    word: str,
    info: str = "",
    since: str = SINCE,
    agent: Optional[dict[str, Any]] = None,
    **more: Any,
) -> dict[str, Any]:
    words = {"workload-status": _status(word, info, since), "agent-status": agent or _agent()}
    return fakes.unit(machine, **{**words, **more})


def _application(name: str, units: Any, word: str, info: str = "", **more: Any) -> dict[str, Any]:
    return fakes.application(name, units, status=_status(word, info), **more)


def _branch() -> dict[str, Any]:
    """A VNF on a VM and in a container, one of whose units is blocked; another's charm failed."""
    agents = {"log-agent/0": _unit("", "active", "shipping", leader=True)}
    edge = {
        "edge-z0-vnf1/0": _unit("0", "active", "ready", leader=True, subordinates=agents),
        "edge-z0-vnf1/1": _unit("1/lxd/0", "blocked", "missing relation: db"),
    }
    subordinate: dict[str, Any] = {"subordinate-to": ["edge-z0-vnf1"]}
    hook = 'hook failed: "config-changed"'
    dns = {"dns-z0-vnf2/0": _unit("2", "error", hook, "2026-11-21T05:16:40.25Z", leader=True)}
    gre = {
        "gre-z0-vnf4/0": _unit("3", "waiting", "waiting for machine", agent=_agent("allocating"))
    }
    return {
        "controller-timestamp": NOW,
        "machines": {
            "0": _machine("0", "192.0.2.53"),
            "1": _machine(
                "1", "192.0.2.60", containers={"1/lxd/0": _machine("1/lxd/0", "192.0.2.54")}
            ),
            "2": _machine("2", "192.0.2.55"),
            "3": fakes.pending_machine(
                3,
                **{
                    "agent-status": _status("pending", since=NOW),
                    "instance-status": _status(
                        "provisioning error", "no valid host was found", NOW
                    ),
                },
            ),
        },
        "applications": {
            "edge-z0-vnf1": _application(
                "edge",
                edge,
                "blocked",
                "missing relation: db",
                relations={"juju-info": ["log-agent"], "scrape": ["metrics"]},
            ),
            "log-agent": _application(
                "log-agent",
                None,
                "active",
                relations={"juju-info": ["edge-z0-vnf1"]},
                **subordinate,
            ),
            "dns-z0-vnf2": _application("dns", dns, "error", hook),
            "gre-z0-vnf4": _application("gre", gre, "waiting", "waiting for machine"),
            "left-over": _application("left-over", {}, "unknown"),
        },
        "remote-applications": {
            "metrics": {
                "offer-url": METRICS,
                "offer-name": "metrics",
                "endpoints": [
                    {"name": "scrape", "role": "requirer", "interface": "prometheus", "limit": 0}
                ],
                "life": "",
                "relations": {},
                "status": _status("active"),
            }
        },
        "relations": [
            fakes.relation(
                0,
                "juju-info",
                ("log-agent", "juju-info", "requirer"),
                ("edge-z0-vnf1", "juju-info", "provider"),
                scope="container",
                status=_status("joined"),
            ),
            fakes.relation(
                1,
                "prometheus",
                ("edge-z0-vnf1", "scrape", "provider"),
                ("metrics", "scrape", "requirer"),
                status=_status("joined"),
            ),
        ],
    }


def _core() -> dict[str, Any]:
    """On Kubernetes: a unit that has waited for too long."""
    amf = _unit("", "waiting", "waiting for pod", address="10.1.44.7")
    charm = {"charm": "ch:amf-7", "int": 1, "public-address": "10.152.183.60"}
    return {
        "type": "caas",
        "controller-timestamp": NOW,
        "applications": {
            "amf-z0": _application("amf", {"amf-z0/0": amf}, "waiting", "waiting for pod", **charm)
        },
    }


def _monitoring() -> dict[str, Any]:
    """What another model takes an offer of; one of its agents is lost."""
    lost = _agent("lost", "agent is not communicating with the server")
    return {
        "controller-timestamp": NOW,
        "machines": {"0": _machine("0", "192.0.2.80"), "1": _machine("1", "192.0.2.81")},
        "applications": {
            "prometheus": _application(
                "prometheus",
                {
                    "prometheus/0": _unit("0", "active", "ready", leader=True),
                    "prometheus/1": _unit("1", "unknown", "agent lost", agent=lost),
                },
                "active",
                exposed=True,
            )
        },
        "offers": {
            "metrics": {
                "offer-name": "metrics",
                "application-name": "prometheus",
                "charm": "ch:amd64/jammy/prometheus-12",
                "endpoints": {
                    "scrape": {
                        "name": "scrape",
                        "role": "requirer",
                        "interface": "prometheus",
                        "limit": 0,
                    }
                },
                "active-connected-count": 1,
                "total-connected-count": 1,
            }
        },
    }
