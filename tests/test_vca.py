"""The pure logic that the Juju view and the OSM view of the VCA share."""

import collections
import copy
import dataclasses
import datetime
import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared import vca
from shared.engine.errors import UnexpectedResponse
from shared.vca import EeId, Namespace, Observation, Status, Target, full_status, health

UTC = datetime.timezone.utc
NOON = datetime.datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def test_ids():
    assert vca.application_id("admin/ns-1", "proxy") == "admin/ns-1:application:proxy"
    assert vca.unit_id("admin/ns-1", "proxy/0") == "admin/ns-1:unit:proxy/0"
    assert vca.machine_id("admin/ns-1", "0/lxd/1") == "admin/ns-1:machine:0/lxd/1"


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("m.app.0", "lxc_proxy_charm", EeId("m", "app", "0")),
        ("m.app.0/lxd/1", "native_charm", EeId("m", "app", "0/lxd/1")),
        ("m.app.k8s", "k8s_proxy_charm", EeId("m", "app", "k8s")),
        ("m.app.0.and.more", "lxc_proxy_charm", EeId("m", "app", "0.and.more")),
        ("m.app", "lxc_proxy_charm", EeId("m", "app")),
        ("m", None, EeId("m")),
        ("m..0", None, EeId("m", None, "0")),
        ("", None, EeId()),
        (None, None, EeId()),
        (None, "helm", EeId()),
        ("helm-v3:osm-ns.stable-ldap-0012", "helm-v3", EeId("osm-ns", "stable-ldap-0012")),
        ("helm-v3:osm-ns.stable-ldap-0012", None, EeId("osm-ns", "stable-ldap-0012")),
        ("osm-ns.chart.with.dots", "helm", EeId("osm-ns", "chart.with.dots")),
        ("osm-ns", "helm", EeId("osm-ns")),
        ("helmet.app.0", "lxc_proxy_charm", EeId("helmet", "app", "0")),
    ],
)
def test_execution_environment_ids(text, kind, expected):
    assert vca.parse_ee_id(text, kind) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (".ns1", Namespace(None, "ns1")),
        ("nsi1.ns1", Namespace("nsi1", "ns1")),
        (".ns1.vnf1", Namespace(None, "ns1", "vnf1")),
        (".ns1.vnf1.vdu1-0", Namespace(None, "ns1", "vnf1", "vdu1", 0)),
        (".ns1.vnf1.mgmt-vm-0", Namespace(None, "ns1", "vnf1", "mgmt-vm", 0)),
        (".ns1.vnf1.mgmt-vm-12", Namespace(None, "ns1", "vnf1", "mgmt-vm", 12)),
        (".ns1.vnf1.ldap-kdu", Namespace(None, "ns1", "vnf1", "ldap-kdu")),
        (".ns1.vnf1.vdu1-", Namespace(None, "ns1", "vnf1", "vdu1-")),
        (".ns1.vnf1.vdu1-٣", Namespace(None, "ns1", "vnf1", "vdu1-٣")),
        (".ns1..vdu-2", Namespace(None, "ns1", None, "vdu", 2)),
        ("ns1", Namespace("ns1")),
        (".", Namespace()),
    ],
)
def test_namespaces(text, expected):
    assert vca.parse_namespace(text) == expected


@pytest.mark.parametrize("text", [".ns1.vnf1.-0", "a.b.c.d-1.e", "", None])
def test_what_is_no_namespace(text):
    with pytest.raises(ValueError, match="namespace"):
        vca.parse_namespace(text)


@pytest.mark.parametrize(
    ("entry", "expected", "target_element"),
    [
        ({"target_element": "ns", "member-vnf-index": None}, Target(), "ns"),
        ({}, Target(), "ns"),
        ({"member-vnf-index": "2"}, Target("2"), "vnf/2"),
        (
            {"member-vnf-index": "2", "vdu_id": "data-vm", "vdu_count_index": 1, "kdu_name": None},
            Target("2", vdu="data-vm", count=1),
            "vnf/2/vdu/data-vm/1",
        ),
        (  # vdu_count_index is 0 in entries of a KDU too
            {"member-vnf-index": "1", "kdu_name": "db-2", "vdu_id": None, "vdu_count_index": 0},
            Target("1", kdu="db-2"),
            "vnf/1/kdu/db-2",
        ),
        ({"target_element": "vnf/1/kdu/db-2"}, Target("1", kdu="db-2"), "vnf/1/kdu/db-2"),
        (
            {"target_element": "vnf/vnf1/vdu/vm/3"},
            Target("vnf1", vdu="vm", count=3),
            "vnf/vnf1/vdu/vm/3",
        ),
        ({"target_element": "vnf/1"}, Target("1"), "vnf/1"),
        (  # the members go first
            {"target_element": "vnf/9", "member-vnf-index": "1", "vdu_id": "vm"},
            Target("1", vdu="vm"),
            "vnf/1/vdu/vm/0",
        ),
    ],
)
def test_place_of_a_vca_entry(entry, expected, target_element):
    assert vca.target_of(entry) == expected
    assert vca.target_of(entry).target_element == target_element


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("app_VNF 1", "app-vnf-z1"),
        ("app-vnf-3f2a-0042-vdu-x-cnt-0", "app-vnf-3f2a-z0042-vdu-x-cnt-z0"),
        ("app--a---b", "app-a-b"),
        ("9lives", "z9lives"),
        ("Mgmt_VM", "mgmt-vm"),
        ("", "z"),
        ("a-", "a-z"),
        ("-x", "z-x"),
        ("a.b", "a.b"),
        ("é-1", "é-z1"),
        ("a-３", "a-３"),  # a full-width digit is none
    ],
)
def test_application_names(text, expected):
    assert vca.application_name(text) == expected


@pytest.mark.parametrize(
    ("namespace", "expected"),
    [
        (".ns1", "app-z"),
        (".ns1.vnf1", "app-vnf-vnf1"),
        (".ns1.vnf1.vdu1-0", "app-vnf-vnf1-vdu-vdu1-cnt-z0"),
        (".ns1..vdu-2", "app-vdu-vdu-cnt-z2"),
    ],
)
def test_application_names_of_namespaces(namespace, expected):
    assert vca.application_name_of(vca.parse_namespace(namespace)) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("Mgmt_VM", "mgmt-vm"), ("a b", "a-b"), ("a--0", "a--0")]
)
def test_model_names(text, expected):
    assert vca.model_name(text) == expected


# Every word that Juju has, by kind (core/status of Juju 2.9 to 4.0), and one that it has not.
WORDS = {
    "workload": ("active", "blocked", "maintenance", "waiting", "unknown", "terminated", "error"),
    "agent": ("allocating", "executing", "idle", "error", "failed", "rebooting", "lost"),
    "machine": ("pending", "started", "stopped", "down", "error"),
    "instance": ("pending", "allocating", "provisioning error", "running", "error", "unknown"),
    "modification": ("idle", "applied", "pending", "error", "unknown"),
    "model": ("available", "busy", "destroying", "suspended", "error"),
    "relation": ("joining", "joined", "broken", "suspending", "suspended", "error"),
    "storage": ("pending", "attaching", "attached", "detaching", "detached", "destroying", "error"),
    "action": (
        *("pending", "running", "completed", "failed", "cancelled"),
        *("aborting", "aborted", "error"),
    ),
}
WORDS["workload"] += ("unset",)

OSM_STATUS = {
    "application": {
        "waiting": "running",
        "maintenance": "running",
        "blocked": "running",
        "active": "completed",
        "error": "failed",
        "terminated": "failed",
        "unknown": "unknown",
        "unset": "unknown",
    },
    "machine": {
        "pending": "pending",
        "started": "completed",
        "down": "failed",
        "error": "failed",
        "stopped": "failed",
    },
    "instance word of a machine": {
        "pending": "pending",
        "allocating": "pending",
        "running": "completed",
        "error": "failed",
        "provisioning error": "failed",
        "unknown": "unknown",
    },
    "action": {
        "pending": "pending",
        "running": "running",
        "completed": "completed",
        "failed": "failed",
        "cancelled": "failed",
        "aborting": "unknown",
        "aborted": "unknown",
        "error": "unknown",
    },
}


def test_the_table_of_osm_statuses_has_every_word():
    assert set(OSM_STATUS["application"]) == set(WORDS["workload"])
    assert set(OSM_STATUS["machine"]) == set(WORDS["machine"])
    assert set(OSM_STATUS["instance word of a machine"]) == set(WORDS["instance"])
    assert set(OSM_STATUS["action"]) == set(WORDS["action"])


@pytest.mark.parametrize(
    ("kind", "word", "expected"),
    [
        (kind, word, expected)
        for kind, table in (
            ("application", OSM_STATUS["application"]),
            ("unit", OSM_STATUS["application"]),
            ("machine", OSM_STATUS["machine"]),
            ("machine", OSM_STATUS["instance word of a machine"]),
            ("action", OSM_STATUS["action"]),
        )
        for word, expected in table.items()
    ],
)
def test_osm_status(kind, word, expected):
    assert vca.osm_status(kind, word) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("CREATING", "pending"),
        ("REGISTERING", "pending"),
        ("INSTALLING SW", "running"),
        ("READY", "completed"),
        ("TERMINATING", "running"),
        ("BROKEN", "failed"),
        ("DELETED", "unknown"),
    ],
)
def test_osm_status_of_osms_configuration_status(word, expected):
    assert vca.osm_status("configuration", word) == expected


@pytest.mark.parametrize("kind", ["application", "unit", "machine", "action"])
@pytest.mark.parametrize("word", ["levitating", "", None, "Active"])
def test_osm_status_of_an_unknown_word(kind, word):
    assert vca.osm_status(kind, word) == "unknown"


@pytest.mark.parametrize("kind", ["agent", "model", "relation", "storage", "", None, "levitation"])
@pytest.mark.parametrize("word", sorted({word for words in WORDS.values() for word in words}))
def test_osm_has_no_status_for_other_kinds(kind, word):
    assert vca.osm_status(kind, word) == "unknown"


HEALTH = {
    "workload": {
        "active": "ok",
        "waiting": "in_progress",
        "maintenance": "in_progress",
        "blocked": "degraded",
        "error": "failed",
        "terminated": "failed",
        "unknown": "unknown",
        "unset": "unknown",
    },
    "agent": {
        "idle": "ok",
        "executing": "in_progress",
        "allocating": "in_progress",
        "rebooting": "in_progress",
        "lost": "failed",
        "failed": "failed",
        "error": "failed",
    },
    "machine": {
        "started": "ok",
        "pending": "in_progress",
        "down": "failed",
        "error": "failed",
        "stopped": "failed",
    },
    "instance": {
        "running": "ok",
        "pending": "in_progress",
        "allocating": "in_progress",
        "error": "failed",
        "provisioning error": "failed",
        "unknown": "unknown",
    },
    "model": {
        "available": "ok",
        "busy": "in_progress",
        "destroying": "in_progress",
        "suspended": "degraded",
        "error": "failed",
    },
}


@pytest.mark.parametrize("kind", sorted(HEALTH))
def test_the_table_of_health_has_every_word(kind):
    assert set(HEALTH[kind]) == set(WORDS[kind])


@pytest.mark.parametrize(
    ("kind", "word", "expected"),
    [
        (each, word, expected)
        for kind, table in HEALTH.items()
        for word, expected in table.items()
        for each in (
            ("application", "unit", "remote application") if kind == "workload" else (kind,)
        )
    ],
)
def test_health_of_a_word(kind, word, expected):
    assert vca.worst_health([Observation(kind, Status(word))]) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("READY", "ok"),
        ("CREATING", "in_progress"),
        ("REGISTERING", "in_progress"),
        ("INSTALLING SW", "in_progress"),
        ("TERMINATING", "in_progress"),
        ("BROKEN", "failed"),
        ("DELETED", "unknown"),
    ],
)
def test_health_of_osms_configuration_status(word, expected):
    assert vca.worst_health([Observation("configuration", Status(word))]) == expected


@pytest.mark.parametrize("kind", [*vca.HEALTH, "relation", "levitation"])
def test_a_word_that_nobody_knows_is_never_ok(kind):
    seen = [Observation("unit", Status("active")), Observation(kind, Status("levitating"))]
    assert vca.worst_health(seen) == "unknown"


def test_nothing_said_is_never_ok():
    assert vca.worst_health([]) == "unknown"
    assert (
        vca.worst_health([Observation("unit", Status()), Observation("agent", Status(""))])
        == "unknown"
    )


def test_what_says_nothing_does_not_hide_what_is_ok():
    assert (
        vca.worst_health(
            [Observation("unit", Status("active")), Observation("instance", Status(""))]
        )
        == "ok"
    )


def test_the_worst_wins():
    words = ("active", "levitating", "waiting", "blocked", "error")
    verdicts = ("ok", "unknown", "in_progress", "degraded", "failed")
    for upto in range(len(words)):
        seen = [Observation("unit", Status(word)) for word in words[: upto + 1]]
        assert vca.worst_health(seen) == verdicts[upto]
        assert vca.worst_health(reversed(seen)) == verdicts[upto]


@pytest.mark.parametrize("word", WORDS["action"])
def test_an_action_tells_nothing_of_its_unit(word):
    assert vca.worst_health([Observation("action", Status(word))]) == "unknown"
    assert (
        vca.worst_health(
            [Observation("unit", Status("blocked")), Observation("action", Status(word))]
        )
        == "degraded"
    )
    assert (
        vca.worst_health(
            [Observation("unit", Status("active")), Observation("action", Status(word))]
        )
        == "ok"
    )


def test_in_progress_for_too_long_is_degraded():
    since = NOON - datetime.timedelta(minutes=30)
    waiting = Observation("unit", Status("waiting", "", since))
    assert vca.worst_health([waiting], now=NOON) == "in_progress"
    later = NOON + datetime.timedelta(seconds=1)
    assert vca.stuck(waiting, later)
    assert vca.worst_health([waiting], now=later) == "degraded"
    assert vca.worst_health([waiting]) == "in_progress"  # no clock, no age
    assert vca.worst_health([waiting], later, datetime.timedelta(hours=1)) == "in_progress"
    assert vca.worst_health([Observation("unit", Status("active", "", since))], now=later) == "ok"
    assert vca.worst_health([Observation("unit", Status("waiting"))], now=later) == "in_progress"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-02T09:12:11.402913Z", datetime.datetime(2026, 3, 2, 9, 12, 11, 402913, UTC)),
        ("2026-02-17T08:39:54.239185095Z", datetime.datetime(2026, 2, 17, 8, 39, 54, 239185, UTC)),
        ("2026-03-02T09:30:00.5Z", datetime.datetime(2026, 3, 2, 9, 30, 0, 500000, UTC)),
        ("2026-03-02T08:00:01Z", datetime.datetime(2026, 3, 2, 8, 0, 1, 0, UTC)),
        ("2026-03-02T10:00:01.25+02:00", datetime.datetime(2026, 3, 2, 8, 0, 1, 250000, UTC)),
        ("", None),
        (None, None),
        ("yesterday", None),
    ],
)
def test_since(text, expected):
    assert vca.parse_since(text) == expected


@pytest.mark.parametrize("value", ["1795209417.56", 1795209417.56])
def test_epoch(value):
    assert vca.parse_epoch(value) == datetime.datetime(2026, 11, 20, 21, 16, 57, 560000, UTC)


@pytest.mark.parametrize("value", [None, "", "soon", True, [], "1e400", "nan"])
def test_what_is_no_epoch(value):
    assert vca.parse_epoch(value) is None


# --- full statuses --------------------------------------------------------------------------------


def said(word, info="", since="2026-03-02T09:33:11.402913Z"):
    made = {"status": word, "info": info, "data": {}, "since": since}
    return {**made, "kind": "", "version": "", "life": ""}


def a_machine(id_, agent="started", instance="running", **more):
    return {
        "agent-status": said(agent),
        "instance-status": said(instance, "ACTIVE"),
        "modification-status": said("applied"),
        "dns-name": "192.0.2.21",
        "ip-addresses": ["192.0.2.21", "10.40.7.21"],
        "instance-id": f"juju-{id_}",
        "display-name": "",
        "base": {"name": "ubuntu", "channel": "22.04/stable"},
        "id": id_,
        "containers": {},
        "constraints": "",
        "hardware": "arch=amd64 cores=2",
        **more,
    }


def a_unit(workload="active", agent="idle", machine="0", subordinates=None, **more):
    return {
        "agent-status": said(agent),
        "workload-status": said(workload, "ready"),
        "workload-version": "1.4.2",
        "machine": machine,
        "opened-ports": ["443/tcp"],
        "public-address": "192.0.2.21",
        "charm": "",
        "subordinates": subordinates,
        **more,
    }


def a_status():
    deepest = a_machine("0/lxd/0/lxd/3")
    container = a_machine("0/lxd/0", containers={"0/lxd/0/lxd/3": deepest})
    agents = {"log-agent/0": a_unit(machine="", leader=True)}
    return {
        "model": {
            "name": "ns-7f3a",
            "type": "iaas",
            "cloud-tag": "cloud-vnf-cloud",
            "region": "RegionOne",
            "version": "3.6.8",
            "model-status": said("available"),
        },
        "machines": {
            "0": a_machine("0", containers={"0/lxd/0": container}),
            "1": a_machine("1", "pending", "provisioning error", **{"instance-id": "pending"}),
        },
        "applications": {
            "vnf-proxy": {
                "charm": "ch:amd64/jammy/vnf-proxy-12",
                "exposed": True,
                "life": "",
                "relations": {"db": ["vnf-db"], "juju-info": ["log-agent"]},
                "subordinate-to": [],
                "units": {
                    "vnf-proxy/10": a_unit("waiting", "allocating", "1"),
                    "vnf-proxy/9": a_unit(subordinates=agents),
                },
                "status": said("waiting", "waiting for machine"),
                "workload-version": "1.4.2",
            },
            "log-agent": {
                "charm": "ch:amd64/jammy/log-agent-3",
                "relations": {"juju-info": ["vnf-proxy"]},
                "subordinate-to": ["vnf-proxy"],
                "units": None,
                "status": said("active"),
            },
        },
        "remote-applications": {
            "ntp": {
                "offer-url": "ctrl-b:admin/shared.ntp",
                "relations": {},
                "status": said("active"),
            }
        },
        "offers": {
            "api": {
                "offer-name": "api",
                "application-name": "vnf-proxy",
                "endpoints": {"http": {"name": "http", "role": "provider"}},
                "active-connected-count": 1,
                "total-connected-count": 2,
            }
        },
        "relations": [
            {
                "id": 7,
                "key": "log-agent:juju-info vnf-proxy:juju-info",
                "interface": "juju-info",
                "scope": "container",
                "endpoints": [
                    {
                        "application": "log-agent",
                        "name": "juju-info",
                        "role": "requirer",
                        "subordinate": True,
                    },
                    {"application": "vnf-proxy", "name": "juju-info", "role": "provider"},
                ],
                "status": said("suspended", "maintenance window"),
            }
        ],
        "controller-timestamp": "2026-03-02T09:45:00.120394Z",
        "branches": {},
    }


MAPS_BY_NAME = (
    *("machines", "applications", "units", "subordinates", "containers"),
    *("offers", "remote-applications"),
)


def as_osm_dumps_it(value, names=False):
    """The same, in the spelling of the record that OSM keeps."""
    if isinstance(value, list):
        return [as_osm_dumps_it(each) for each in value]
    if not isinstance(value, dict):
        return value
    made = {}
    for key, each in value.items():
        spelt = key if names else key.replace("-", "_")
        spelt = {"id": "id_", "int": "int_", "type": "type_"}.get(spelt, spelt)
        made[spelt] = as_osm_dumps_it(each, key in (*MAPS_BY_NAME, "relations", "endpoints"))
    return made if names else {**made, "unknown_fields": {}}


def comparable(model):
    """Without the raw records."""
    return re.sub(r"relations=\{[^}]*\}", "", repr(model))


def test_both_spellings_read_the_same():
    status = a_status()
    dumped = as_osm_dumps_it(status)
    assert "agent_status" in json.dumps(dumped) and "agent-status" not in json.dumps(dumped)
    ours, osms = vca.read_model(status), vca.read_model(dumped)
    assert ours == osms
    assert comparable(ours) == comparable(osms)


def test_what_osms_client_did_not_know_is_in_its_bag():
    model = vca.read_model(
        {"model": {"name": "m", "unknown_fields": {"model-status": said("suspended", "why")}}}
    )
    assert (model.status.value, model.status.message) == ("suspended", "why")


def test_the_model():
    model = vca.read_model(a_status())
    assert (model.name, model.kind, model.cloud) == ("ns-7f3a", "iaas", "vnf-cloud")
    assert (model.region, model.version, model.status.value) == ("RegionOne", "3.6.8", "available")
    assert model.moment == datetime.datetime(2026, 3, 2, 9, 45, 0, 120394, UTC)


def test_applications_and_units():
    model = vca.read_model(a_status())
    assert list(model.applications) == ["log-agent", "vnf-proxy"]
    proxy = model.applications["vnf-proxy"]
    assert [unit.name for unit in proxy.units] == ["vnf-proxy/9", "vnf-proxy/10"]
    assert proxy.charm == "ch:amd64/jammy/vnf-proxy-12"
    assert proxy.relations == {"db": ("vnf-db",), "juju-info": ("log-agent",)}
    assert (proxy.status.value, proxy.status.message) == ("waiting", "waiting for machine")
    unit = proxy.units[0]
    assert (unit.status.value, unit.agent.value, unit.machine) == ("active", "idle", "0")
    assert (unit.leader, unit.address, unit.version) == (False, "192.0.2.21", "1.4.2")
    assert unit.ports == ("443/tcp",)


def test_subordinate_units_are_on_their_principals_machine():
    model = vca.read_model(a_status())
    assert model.applications["log-agent"].units == ()
    assert model.applications["log-agent"].subordinate_to == ("vnf-proxy",)
    (agent,) = vca.units_of(model, "log-agent")
    assert (agent.name, agent.principal, agent.machine) == ("log-agent/0", "vnf-proxy/9", "0")
    assert agent.leader
    names = [unit.name for unit in vca.all_units(model)]
    assert names == ["vnf-proxy/9", "log-agent/0", "vnf-proxy/10"]


def test_machines_and_containers():
    machines = vca.all_machines(vca.read_model(a_status()))
    assert list(machines) == ["0", "0/lxd/0", "0/lxd/0/lxd/3", "1"]
    assert [each.parent for each in machines.values()] == [None, "0", "0/lxd/0", None]
    assert machines["0"].base == "ubuntu 22.04"
    assert machines["0"].addresses == ("192.0.2.21", "10.40.7.21")
    assert machines["0"].instance_id == "juju-0"
    assert machines["1"].instance_id is None
    assert machines["1"].instance.value == "provisioning error"


def test_containers_that_are_listed_flat_know_their_machine_too():  # Juju 4.0
    status = a_status()
    flat = {"0/lxd/0": a_machine("0/lxd/0"), "0/lxd/0/lxd/3": a_machine("0/lxd/0/lxd/3")}
    status["machines"]["0"]["containers"] = flat
    machines = vca.all_machines(vca.read_model(status))
    assert machines["0/lxd/0/lxd/3"].parent == "0/lxd/0"


def test_relations_offers_and_remote_applications():
    model = vca.read_model(a_status())
    (relation,) = model.relations
    assert (relation.id, relation.interface, relation.scope) == (7, "juju-info", "container")
    assert relation.status.value == "suspended"
    assert [(end.application, end.role) for end in relation.endpoints] == [
        ("log-agent", "requirer"),
        ("vnf-proxy", "provider"),
    ]
    assert [end.subordinate for end in relation.endpoints] == [True, False]
    assert model.offers["api"] == vca.Offer("api", "vnf-proxy", ("http",), 2)
    assert model.remote_applications["ntp"].url == "ctrl-b:admin/shared.ntp"
    assert model.remote_applications["ntp"].status.value == "active"


def test_a_kubernetes_model():
    unit = a_unit("blocked", machine="", address="10.1.44.7", **{"public-address": ""})
    amf = {"units": {"amf/0": unit}, "status": said("blocked"), "int": 1}
    model = vca.read_model({"machines": {}, "applications": {"amf": amf}, "relations": None})
    (read,) = vca.all_units(model)
    assert (read.machine, read.address) == (None, "10.1.44.7")
    assert model.applications["amf"].scale == 1
    assert vca.worst_health(vca.observations_of_unit(read, {})) == "degraded"


def nulled(value, path=()):
    """Each way of making one field of the value null."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in pairs:
        copy = dict(value) if isinstance(value, dict) else list(value)
        if isinstance(copy, dict):
            yield (*path, key), {**copy, key: None}
        if isinstance(each, (dict, list)):
            for where, changed in nulled(each, (*path, key)):
                copy[key] = changed
                yield where, copy


def absent(value, path):
    """The value without the field at the path."""
    first, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    if rest:
        copy[first] = absent(copy[first], rest)
    else:
        del copy[first]
    return copy


NULLED = [where for where, _ in nulled(a_status())]


def test_null_is_as_good_as_absent():
    assert len(NULLED) > 200
    status = a_status()
    for where, changed in nulled(status):
        assert vca.read_model(changed) == vca.read_model(absent(status, where)), where


def test_an_empty_status():
    assert vca.all_units(vca.read_model({})) == []


def test_values_below_applications_that_are_no_objects_are_left_out():
    status = a_status()
    status["applications"]["executedActions"] = [{"id": "6", "action": "touch"}]
    status["applications"]["text"] = "?"
    assert list(vca.read_model(status).applications) == ["log-agent", "vnf-proxy"]


@pytest.mark.parametrize(
    "status",
    [
        {"applications": []},
        {"applications": {"a": {"units": ["a/0"]}}},
        {"applications": {"a": {"units": {"a": {}}}}},
        {"applications": {"a": {"status": "active"}}},
        {"applications": {"a": {"status": {"status": 1}}}},
        {"machines": {"0": {"agent-status": []}}},
        {"relations": {}},
    ],
)
def test_other_types_are_refused(status):
    with pytest.raises(UnexpectedResponse):
        vca.read_model(status)


# --- what tells health ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "units", "expected"),
    [
        ("active", ["error"], "active"),  # the server's own goes first
        ("unset", ["active", "error", "blocked"], "error"),
        ("", ["active", "waiting", "maintenance"], "maintenance"),
        ("unset", ["levitating", "active"], "active"),
        ("unset", ["levitating"], "levitating"),
        ("unset", [], "unset"),
        ("", [], ""),
    ],
)
def test_application_status(word, units, expected):
    record = {
        "status": said(word),
        "units": {f"a/{number}": a_unit(each) for number, each in enumerate(units)},
    }
    application = vca.read_model({"applications": {"a": record}}).applications["a"]
    assert vca.application_status(application, application.units).value == expected


def test_health_of_units_and_applications_takes_their_machines_in():
    model = vca.read_model(a_status())
    machines = vca.all_machines(model)
    good, waiting = model.applications["vnf-proxy"].units
    assert vca.worst_health(vca.observations_of_unit(good, machines)) == "ok"
    assert (
        vca.worst_health(vca.observations_of_unit(waiting, machines)) == "failed"
    )  # provisioning error
    assert vca.worst_health(vca.observations_of_unit(waiting, {})) == "in_progress"
    application = model.applications["vnf-proxy"]
    units = vca.units_of(model, "vnf-proxy")
    assert (
        vca.worst_health(vca.observations_of_application(application, units, machines)) == "failed"
    )
    assert (
        vca.worst_health(vca.observations_of_application(application, units[:1], machines))
        == "in_progress"
    )


def test_an_agent_that_is_lost_is_not_fine():
    unit = a_unit("unknown", "lost")
    model = vca.read_model({"applications": {"a": {"units": {"a/0": unit}}}})
    (read,) = vca.all_units(model)
    assert vca.worst_health(vca.observations_of_unit(read, {})) == "failed"


def test_helm():
    assert vca.is_helm("helm") and vca.is_helm("helm-v3")
    assert not vca.is_helm("lxc_proxy_charm") and not vca.is_helm(None)


# --- cuts, facts and levels -----------------------------------------------------------------------


def test_a_cut_reads_as_the_whole_does():
    model = vca.read_model(a_status())
    machines = vca.all_machines(model)
    for unit in vca.all_units(model):
        cut = vca.read_model(vca.unit_extract(unit, machines))
        (same,) = [each for each in vca.all_units(cut) if each.name == unit.name]
        assert (same.status, same.machine, same.principal) == (
            unit.status,
            unit.machine,
            unit.principal,
        )
        assert list(cut.machines) == [unit.machine]
        assert vca.unit_facts(same, cut.machines) == vca.unit_facts(unit, machines)
    for name, application in model.applications.items():
        cut = vca.read_model(vca.application_extract(model, application))
        same_application = cut.applications[name]
        assert vca.units_of(cut, name) == vca.units_of(model, name)
        assert vca.application_facts(cut, same_application) == vca.application_facts(
            model, application
        )
        assert vca.observations_of_application(
            same_application, vca.units_of(cut, name), vca.all_machines(cut)
        ) == vca.observations_of_application(application, vca.units_of(model, name), machines)


@pytest.mark.parametrize("spelling", [a_status, lambda: as_osm_dumps_it(a_status())])
def test_what_is_known_of_a_cut_is_not_read_again_and_is_the_same(spelling):
    known = vca.Known()
    model = vca.read_model(spelling(), known)
    machines = vca.all_machines(model)
    units = vca.all_units(model)
    assert any(unit.principal for unit in units) and any(unit.subordinates for unit in units)
    cuts = [vca.unit_extract(unit, machines) for unit in units]
    cuts += [vca.application_extract(model, each) for each in model.applications.values()]
    for cut in cuts:
        once, again = vca.read_model(cut, known), vca.read_model(cut, known)
        copied = vca.read_model(copy.deepcopy(cut), known)
        expected = dataclasses.asdict(vca.read_model(cut))  # with the records, which == leaves out
        assert expected == dataclasses.asdict(once) == dataclasses.asdict(copied)
        of_cut = vca.all_units(once)
        shared = [(one, each) for one in of_cut for each in units if one.record is each.record]
        assert shared and all(one is each for one, each in shared)
        assert all(machine is again.machines[name] for name, machine in once.machines.items())


def test_known_units_of_one_name_are_told_apart_by_their_principals():
    record = {"workload-status": {"status": "active"}}
    known = vca.Known()
    for principal, machine in (("a/0", "1"), ("b/0", "2")):
        within = {"machine": machine, "subordinates": {"s/0": record}}
        applications = {principal[0]: {"units": {principal: within}}}
        _, unit = vca.all_units(vca.read_model({"applications": applications}, known))
        assert (unit.principal, unit.machine) == (principal, machine)


def test_a_cut_holds_nothing_else():
    model = vca.read_model(a_status())
    proxy = model.applications["vnf-proxy"]
    cut = vca.unit_extract(proxy.units[1], vca.all_machines(model))
    assert list(cut["applications"]) == ["vnf-proxy"]
    assert list(cut["applications"]["vnf-proxy"]["units"]) == ["vnf-proxy/10"]
    assert list(cut["machines"]) == ["1"]


def test_no_cut_changes_what_was_read():
    status = a_status()
    before = json.dumps(status)
    model = vca.read_model(status)
    for application in model.applications.values():
        vca.application_extract(model, application)
    assert json.dumps(status) == before


def test_related_applications():
    model = vca.read_model(a_status())
    assert vca.related_applications(model, "vnf-proxy") == {"log-agent"}  # vnf-db is not there
    assert vca.related_applications(model, "log-agent") == {"vnf-proxy"}


def test_facts_of_a_status():
    since = NOON - datetime.timedelta(minutes=2)
    shown = vca.status_facts("unit", Status("blocked", "why", since), NOON)
    assert (shown["juju_status"], shown["juju_message"], shown["since"]) == (
        "blocked",
        "why",
        since,
    )
    assert (shown["as_of"], shown["age_s"], shown["osm_status"]) == (NOON, 120, "running")
    assert vca.status_facts("unit", Status("blocked"), None)["age_s"] is None


@pytest.mark.parametrize(
    ("osm", "verdict", "level"),
    [
        ("completed", "ok", "ok"),
        ("running", "in_progress", "ok"),
        ("running", "degraded", "warning"),
        ("completed", "failed", "error"),
        ("failed", "ok", "error"),
        ("unknown", "ok", "unknown"),
        ("unknown", "failed", "error"),
        ("completed", "unknown", "unknown"),
        ("levitating", "levitating", "unknown"),
    ],
)
def test_levels(osm, verdict, level):
    assert vca.level(osm, verdict) == level


def test_what_is_told_is_the_worst_of_it():
    since = NOON - datetime.timedelta(hours=1)
    active = Observation("unit", Status("active", "ready"))
    waiting = Observation("agent", Status("executing", "", since))
    assert vca.summary([active], NOON) == "unit is active (ready)"
    assert vca.summary([active, waiting], NOON) == (
        f"agent is executing, stuck since {since:%Y-%m-%dT%H:%M:%SZ}"
    )
    assert (
        vca.summary([Observation("action", Status("failed")), Observation("unit", Status())], NOON)
        == "no status yet"
    )


# --- shortcuts that must not show -----------------------------------------------------------------

_VALUES = st.sampled_from([None, "", "a", 0, 1, True, False, [], ["a"], {}, {"a": 1}, 2**129, 1.5])
_SPELLINGS = ("agent-status", "agent_status", "agent_status_", "unknown_fields")


def outcome(function, *arguments):
    try:
        return repr(function(*arguments))
    except UnexpectedResponse as error:
        return error.message


@given(
    st.dictionaries(st.sampled_from(_SPELLINGS), _VALUES),
    st.none() | st.dictionaries(st.sampled_from(_SPELLINGS), _VALUES),
    st.sampled_from([str, int, bool, list, dict]),
)
def test_the_usual_spelling_is_read_as_any_other(record, unknown, kind):
    if unknown is not None:
        record["unknown_fields"] = unknown
    for each in (record, collections.OrderedDict(record), collections.ChainMap(record)):
        usual = outcome(full_status._get, each, "agent-status", kind)
        assert usual == outcome(full_status._checked, each, "agent-status", kind)


@given(st.from_regex(r"\A2026-0[12]-[0-3][0-9]T03:04:05(\.[0-9٣]{6,10})?(Z|\+00:00|\+01:00)?\Z"))
@example("2026-01-02T03:04:05.123456789Z")
@example("2026-01-02T03:04:05.123456٣89Z")
@example("2026-01-32T03:04:05.123456789Z")
def test_juju_s_nine_digits_are_read_as_any_others(text):
    assert health.parse_since(text) == health.parse_since(f" {text} ")
