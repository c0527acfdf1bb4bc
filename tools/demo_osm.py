"""The demo account of OSM: invented network services in the simulator, for ``tools.record osm``.

No OSM runs while it is recorded. Each service shows another of the ways in which OSM's releases keep what
they know of Juju; the simulator's docstring (tests/fakes/osm.py) says what it can't show.
"""

from typing import Any

from tests.fakes import osm as fakes
from tools import demo_wan

PROJECT = "tenant-x"
CA = "-----BEGIN CERTIFICATE-----\\ninvented\\n-----END CERTIFICATE-----"


def serve(port: int, credentials: dict[str, Any]) -> fakes.Osm:
    """The simulator with the demo's services, for this user."""
    osm = fakes.Osm("main", port)
    for project in ("admin", PROJECT):
        osm.project(project)
    osm.user(credentials["username"], credentials["password"], **{PROJECT: "project_user"})
    fill(osm)
    return osm


def fill(osm: fakes.Osm) -> None:
    vca, tokyo, osaka = (fakes.identifier(each) for each in ("vca", "tokyo", "osaka"))
    juju = {"endpoints": ["192.0.2.9:17070"], "user": "vnf-manager", "cacert": CA}
    juju["secret"] = "invented-secret-of-juju"  # noqa: S105 - invented
    osm.add("vca", {"_id": vca, "name": "juju-tokyo", "schema_version": "1.11", **juju}, PROJECT)
    for each, name in ((tokyo, "vim-tokyo"), (osaka, "vim-osaka")):
        login = {"vim_user": "osm", "vim_password": "invented-secret-of-vim"}
        record: dict[str, Any] = {"_id": each, "name": name, "vim_type": "openstack", **login}
        record["vim_url"] = "http://192.0.2.20:5000/v3"
        osm.add("vim_accounts", {**record, "vca": vca} if each == tokyo else record, PROJECT)
    for service in (
        _branch(tokyo),
        _firewall(osaka),
        _core(osaka),
        _being_made(tokyo),
        _planned(osaka),
    ):
        osm.add("ns_instances", service, PROJECT)
    osm.add(
        "ns_instances",
        {**_firewall(osaka), "_id": fakes.identifier("other"), "name": "of another project"},
        "admin",
    )
    demo_wan.fill(osm, PROJECT)


def _status(
    word: str, info: str = "", since: str = "2026-11-20T18:02:11.402913455Z"
) -> dict[str, Any]:
    service = {"status": word, "info": info, "since": since, "kind": "", "life": "", "version": ""}
    return {**service, "data": {}, "err": None, "unknown_fields": {}}


def _machine(number: str, address: str, **more: Any) -> dict[str, Any]:
    return {
        "agent_status": _status("started"),
        "instance_status": _status("running", "ACTIVE"),
        "dns_name": address,
        "ip_addresses": [address],
        "instance_id": f"juju-{number.replace('/', '-')}",
        "id_": number,
        "series": "jammy",
        "hardware": "arch=amd64 cores=2 mem=4096M root-disk=40960M",
        "containers": {},
        **more,
    }


def _unit(word: str, info: str, machine: str, address: str, **more: Any) -> dict[str, Any]:
    return {
        "workload_status": _status(word, info),
        "agent_status": _status("idle", since="2026-11-20T18:02:30.1Z"),
        "machine": machine,
        "public_address": address,
        "opened_ports": [],
        "subordinates": None,
        "workload_version": "",
        **more,
    }


def _application(charm: str, status: dict[str, Any], units: Any, **more: Any) -> dict[str, Any]:
    base = {"charm": charm, "exposed": False, "series": "jammy", "life": "", "relations": {}}
    return {**base, "status": status, "units": units, "configs": {}, "actions": {}, **more}


def _full_status(name: str, taken: str, **more: Any) -> dict[str, Any]:
    model = {"name": name, "type_": "iaas", "cloud_tag": "cloud-tokyo", "version": "2.9.46"}
    model["unknown_fields"] = {"model-status": _status("available")}  # type: ignore[assignment]
    empty: dict[str, Any] = {
        "relations": [],
        "offers": {},
        "remote_applications": {},
        "unknown_fields": {},
    }
    return {"model": model, "controller_timestamp": taken, **empty, **more}


def _entry(ns: str, number: int, **more: Any) -> dict[str, Any]:
    element = {"member-vnf-index": str(number), "vdu_id": None, "kdu_name": None}
    step = {"vdu_count_index": 0, "operational-status": "init", "step": "initial-deploy"}
    charm = {"type": "lxc_proxy_charm", "target_element": f"vnf/{number}", "detailed-status": ""}
    return {
        **element,
        **step,
        **charm,
        "ee_descriptor_id": None,
        "vnfd_id": f"vnf-{number}",
        **more,
    }


def _event(kind: str, word: str, osm_word: str, message: str, time: str) -> dict[str, str]:
    words = {"entity-type": kind, "VCA-status": word, "status": osm_word}
    return {**words, "detailed-status": message, "status-time": time}


def _ns(name: str, vim: str, entries: Any, configured: list[Any], status: Any) -> dict[str, Any]:
    ns = fakes.identifier("ns", name)
    return {
        "_id": ns,
        "id": ns,
        "name": name,
        "short-name": name,
        "nsd-name-ref": name.rpartition("-")[0],
        "nsState": "READY",
        "currentOperation": "IDLE",
        "errorDescription": None,
        "operational-status": "running",
        "config-status": "configured",
        "create-time": 1795202217.5,
        "datacenter": vim,
        "instantiate_params": {"nsName": name, "vimAccountId": vim},
        "configurationStatus": configured,
        "vcaStatus": status,
        "_admin": {"nsState": "INSTANTIATED", "deployed": {"VCA": entries, "K8s": []}},
    }


def _configured(word: str, kind: str = "VNF", element: str = "vnfr-1") -> dict[str, str]:
    return {"status": word, "elementType": kind, "elementUnderConfiguration": element}


def _branch(vim: str) -> dict[str, Any]:
    """The main line's form: a blocked unit, a container, a subordinate, and a younger event."""
    ns = fakes.identifier("ns", "sdwan-branch")
    agents = {"log-agent/0": _unit("active", "shipping", "", "192.0.2.53", leader=True)}
    units = {
        "edge-z0-vnf1/0": _unit(
            "active", "ready", "0", "192.0.2.53", leader=True, subordinates=agents
        ),
        "edge-z0-vnf1/1": _unit("blocked", "missing relation: db", "1/lxd/0", "192.0.2.54"),
    }
    container = {"1/lxd/0": _machine("1/lxd/0", "192.0.2.54")}
    relation = {"id_": 1, "key": "edge-z0-vnf1:juju-info log-agent:juju-info", "scope": "container"}
    relation["interface"] = "juju-info"
    ends = [{"application": each, "name": "juju-info"} for each in ("edge-z0-vnf1", "log-agent")]
    related = {"relations": [{**relation, "status": _status("joined"), "endpoints": ends}]}
    offer = {"offer_name": "edge", "application_name": "edge-z0-vnf1", "endpoints": {"http": {}}}
    edge = _application("local:jammy/edge-1", _status("blocked", "missing relation: db"), units)
    status = _full_status(
        ns,
        "2026-11-21T06:00:00.006569064Z",
        applications={
            "edge-z0-vnf1": {**edge, "relations": {"juju-info": ["log-agent"]}},
            "log-agent": _application(
                "ch:log-agent-3", _status("active"), None, subordinate_to=["edge-z0-vnf1"]
            ),
            "left-over": _application("", _status("unknown"), {}),
            "dns-z0-vnf2": _application(
                "local:jammy/dns-4",
                _status("active", "ready"),
                {"dns-z0-vnf2/0": _unit("active", "ready", "2", "192.0.2.55")},
            ),
        },
        machines={
            "0": _machine("0", "192.0.2.53"),
            "1": _machine("1", "192.0.2.60", containers=container),
            "2": _machine("2", "192.0.2.55"),
        },
        offers={"edge": {**offer, "total_connected_count": 1}},
        **related,
    )
    entries = [
        _entry(
            ns,
            1,
            ee_id=f"{ns}.edge-z0-vnf1.0",
            charm_name="edge",
            **_event("unit", "active", "completed", "ready", "1795197731.5"),
        ),
        None,
        _entry(
            ns,
            1,
            ee_id=f"{ns}.edge-z0-vnf1.1/lxd/0",
            charm_name="edge",
            **_event("action", "completed", "completed", "", "1795240000.1"),
        ),
        _entry(
            ns,
            2,
            ee_id=f"{ns}.dns-z0-vnf2.2",
            charm_name="dns",
            **_event("unit", "error", "unknown", 'hook failed: "config-changed"', "1795243000.25"),
        ),
        _entry(
            ns,
            3,
            ee_id=f"{ns}.gone-z0-vnf3.3",
            charm_name="gone",
            **_event("application", "active", "completed", "ready", "1795197731.5"),
        ),
    ]
    configured = [
        _configured("READY"),
        None,
        _configured("READY"),
        _configured("READY"),
        _configured("READY"),
    ]
    return _ns("sdwan-branch", vim, entries, configured, {ns: {"VNF": status, "KNF": {}}})


def _firewall(vim: str) -> dict[str, Any]:
    """In the form of 8.0, without a full status yet: only what the last events reported."""
    ns = fakes.identifier("ns", "firewall-osaka")
    vdu = {"vdu_id": "mgmt-vm", "vdu_name": "mgmt-vm", "target_element": "vnf/1/vdu/mgmt-vm/0"}
    entries = [
        _entry(
            ns,
            1,
            ee_id=f"{ns}.app-vnf-1-vdu-mgmt-vm-cnt-z0.0",
            **vdu,
            **_event("unit", "maintenance", "running", "installing packages", "1795190000.5"),
        ),
        _entry(
            ns,
            2,
            ee_id=f"{ns}.app-vnf-2-z0.1",
            **_event("machine", "pending", "pending", "", "1795209000.5"),
        ),
    ]
    configured = [
        _configured("INSTALLING SW", "VDU", "mgmt-vm-0"),
        _configured("BROKEN", element="vnfr-2"),
    ]
    return _ns("firewall-osaka", vim, entries, configured, None)


def _core(vim: str) -> dict[str, Any]:
    """Kubernetes: a helm chart, and a proxy charm in a model without machines (8.0's form)."""
    ns = fakes.identifier("ns", "core-5g")
    unit = {**_unit("waiting", "waiting for pod", "", ""), "address": "10.1.44.7"}
    amf = _application(
        "ch:amf-7", _status("waiting", "waiting for pod"), {"amf-z0/0": unit}, int_=1
    )
    status = _full_status(ns, "2026-11-20T18:05:00Z", applications={"amf-z0": amf}, machines={})
    helm = {"type": "helm-v3", "ee_descriptor_id": "exporter"}
    entries = [
        _entry(ns, 1, ee_id=f"helm-v3:osm.eechart-{ns[:8]}", **helm),
        _entry(ns, 2, ee_id=f"{ns}.amf-z0.k8s", type="k8s_proxy_charm", charm_name="amf"),
    ]
    configured = [_configured("READY"), _configured("INSTALLING SW", element="vnfr-2")]
    return _ns("core-5g", vim, entries, configured, {ns: status})


def _being_made(vim: str) -> dict[str, Any]:
    """Its charm has no execution environment yet."""
    service = _ns("cache-tokyo", vim, [_entry("", 1, charm_name="cache")], [{}], None)
    return {**service, "nsState": "BUILDING", "currentOperation": "INSTANTIATING"}


def _planned(vim: str) -> dict[str, Any]:
    service = _ns("planned-osaka", vim, None, [], None)
    return {**service, "nsState": "NOT_INSTANTIATED", "_admin": {"nsState": "NOT_INSTANTIATED"}}
