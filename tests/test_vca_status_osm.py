"""VCA status of OSM: what becomes of NS records, and whole polls against the simulator."""

import copy
import datetime
import json
import re
from unittest import mock

import pytest

from flexlocal import cassettes
from modules.vca_status import main
from modules.vca_status.osm import records as ns_records
from modules.vca_status.osm import resources as cell
from shared import vca
from shared.engine.errors import (
    ConnectorError,
    InsufficientPermission,
    InvalidCredentials,
    UnexpectedResponse,
    Unreachable,
)
from shared.providers import osm as provider
from shared.transport import http
from tests.fakes import osm as fakes
from tests.fakes.context import Context
from tools import demo_osm

UTC = datetime.timezone.utc
NOW = datetime.datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NS = "7c1d0b5e-90aa-4a1e-8c55-0e6f7a2b0001"
MODEL = f"admin/{NS}"
PROJECT = "tenant-x"
SCOPE = provider.Scope(PROJECT, mock.create_autospec(provider.Session))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(http, "FIRST_DELAY_S", 0)


@pytest.fixture
def server():
    with fakes.Osm("main").standard() as made:
        yield made


# --- records --------------------------------------------------------------------------------------


def at(minutes):
    """So many minutes before NOW."""
    return NOW - datetime.timedelta(minutes=minutes)


def epoch(minutes):
    return str(at(minutes).timestamp())


def said(word, info="", minutes=60):
    return {
        "status": word,
        "info": info,
        "since": at(minutes).isoformat(),
        "unknown_fields": {},
    }


def unit(word="active", agent="idle", machine="0", **more):
    made = {"workload_status": said(word, "why"), "agent_status": said(agent), "machine": machine}
    return {**made, **more}


def machine(agent="started", instance="running"):
    return {"agent_status": said(agent), "instance_status": said(instance), "containers": {}}


def application(word="active", units=None, **more):
    return {"charm": "", "status": said(word, "why"), "units": units, **more}


def full(applications, machines=None, minutes=10, **more):
    taken = at(minutes).isoformat()
    model = {"name": NS, "unknown_fields": {}}
    made = {"applications": applications, "machines": machines or {}, "model": model}
    return {**made, "controller_timestamp": taken, **more}


def one_unit(word="active", agent="idle", of_machine=None, minutes=10):
    made = {"app": application(word, {"app/0": unit(word, agent)})}
    return full(made, {"0": of_machine or machine()}, minutes)


def entry(**more):
    made = {"target_element": "vnf/1", "member-vnf-index": "1", "type": "lxc_proxy_charm"}
    return {**made, "ee_id": f"{NS}.app.0", **more}


def event(kind, word, message="", minutes=60, status="unknown"):
    words = {"entity-type": kind, "VCA-status": word, "status": status}
    return {**words, "detailed-status": message, "status-time": epoch(minutes)}


def ns(entries=(), status=None, configured=(), **more):
    deployed = {"VCA": list(entries)}
    made = {"_id": NS, "name": "branch", "nsState": "READY", "_admin": {"deployed": deployed}}
    return {**made, "vcaStatus": status, "configurationStatus": list(configured), **more}


def lookups(now=NOW, vca_of_vim=None, user_of_vca=None):
    return ns_records.Lookups(now, vca_of_vim or {}, user_of_vca or {})


def records(given, known=None):
    known = known or lookups()
    return list(ns_records.of_ns(given, ns_records.models(given, known), {}, known))


def resources(given, known=None):
    known = known or lookups()
    made = [cell.convert(each, SCOPE, known).serialize() for each in records(given, known)]
    found = {each["id"]: each for each in made}
    assert len(found) == len(made)
    return found


def facts(resource):
    return resource["metadata"]["provider_specific"]


def points(given, known=None):
    known = known or lookups()
    return {
        point.resource_id: point
        for each in records(given, known)
        for point in cell.status(each, SCOPE, known)
    }


APP, UNIT = f"{MODEL}:application:app", f"{MODEL}:unit:app/0"


# --- every word that Juju has, of each kind -------------------------------------------------------

WORKLOAD = [
    ("active", "completed", "ok", "ok"),
    ("waiting", "running", "in_progress", "ok"),
    ("maintenance", "running", "in_progress", "ok"),
    ("blocked", "running", "degraded", "warning"),
    ("error", "failed", "failed", "error"),
    ("terminated", "failed", "failed", "error"),
    ("unknown", "unknown", "unknown", "unknown"),
    ("levitating", "unknown", "unknown", "unknown"),
    ("", "unknown", "ok", "unknown"),  # the machine and the agent are fine, the charm says nothing
]


@pytest.mark.parametrize("word, osm_status, health, level", WORKLOAD)
@pytest.mark.parametrize("id_", [APP, UNIT])
def test_words_of_workloads(id_, word, osm_status, health, level):
    given = one_unit(word)
    for each in (given["applications"]["app"], given["applications"]["app"]["units"]["app/0"]):
        for status in ("status", "workload_status"):
            if status in each:
                each[status]["since"] = at(5).isoformat()
    given = ns(status={NS: given})
    shown = facts(resources(given)[id_])
    assert shown.get("juju_status", "") == word
    assert (shown["osm_status"], shown["health"]) == (osm_status, health)
    assert points(given)[id_].level == level


@pytest.mark.parametrize("kind", ["unit", "application"])
@pytest.mark.parametrize("word, osm_status, health, level", WORKLOAD[:-1])
def test_words_of_entries(kind, word, osm_status, health, level):
    given = ns([entry(**event(kind, word, "why", minutes=5, status="running"))])
    shown = facts(resources(given)[APP])
    assert (shown["juju_status"], shown["juju_message"]) == (word, "why")
    assert (shown["osm_status"], shown["health"]) == (osm_status, health)
    assert points(given)[APP].level == level
    assert shown["execution_environments"][0]["status"] == "running"  # OSM's own, beside


@pytest.mark.parametrize(
    "word, osm_status, health",
    [
        ("running", "completed", "ok"),
        ("started", "completed", "unknown"),  # an agent's word: OSM keeps the instance's
        ("pending", "pending", "in_progress"),
        ("allocating", "pending", "in_progress"),
        ("error", "failed", "failed"),
        ("provisioning error", "failed", "failed"),
        ("levitating", "unknown", "unknown"),
    ],
)
def test_words_of_machines_in_entries(word, osm_status, health):
    given = ns([entry(**event("machine", word, minutes=5, status="completed"))])
    shown = facts(resources(given)[APP])
    assert (shown["osm_status"], shown["health"]) == (osm_status, health)


@pytest.mark.parametrize("word", ["pending", "running", "completed", "failed", "cancelled", "?"])
def test_an_action_never_tells_how_the_unit_is(word):
    younger = entry(**event("action", word, minutes=1, status="completed"))
    blocked = ns([younger], {NS: one_unit("blocked")})
    assert facts(resources(blocked)[UNIT])["health"] == "degraded"
    good = ns([younger], {NS: one_unit("active")})
    assert facts(resources(good)[UNIT])["health"] == "ok"
    alone = ns([younger])
    assert facts(resources(alone)[APP])["health"] == "unknown"
    assert facts(resources(alone)[APP])["osm_status"] == "unknown"


@pytest.mark.parametrize("kind", ["relation", "", None])
def test_an_unknown_kind_of_event_tells_nothing_good(kind):
    given = ns([entry(**event(kind, "active", minutes=1))])
    assert facts(resources(given)[APP])["health"] == "unknown"
    blocked = ns([entry(**event(kind, "active", minutes=1))], {NS: one_unit("blocked")})
    assert facts(resources(blocked)[UNIT])["juju_status"] == "blocked"


@pytest.mark.parametrize(
    "agent, health",
    [
        ("idle", "ok"),
        ("executing", "in_progress"),
        ("allocating", "in_progress"),
        ("rebooting", "in_progress"),
        ("lost", "failed"),
        ("failed", "failed"),
        ("error", "failed"),
        ("levitating", "unknown"),
    ],
)
def test_words_of_agents(agent, health):
    shown = facts(resources(ns(status={NS: one_unit(agent=agent)}))[UNIT])
    assert (shown["agent_status"], shown["health"]) == (agent, health)


@pytest.mark.parametrize(
    "agent, instance, health",
    [
        ("started", "running", "ok"),
        ("pending", "allocating", "in_progress"),
        ("down", "running", "failed"),
        ("stopped", "running", "failed"),
        ("error", "running", "failed"),
        ("pending", "provisioning error", "failed"),
        ("started", "error", "failed"),
        ("started", "levitating", "unknown"),
    ],
)
def test_words_of_machines(agent, instance, health):
    given = one_unit(of_machine=machine(agent, instance))
    found = resources(ns(status={NS: given}))
    for id_ in (APP, UNIT):
        assert facts(found[id_])["health"] == health
    assert facts(found[UNIT])["machine_status"] == agent


@pytest.mark.parametrize(
    "word, osm_status, health",
    [
        ("READY", "completed", "ok"),
        ("CREATING", "pending", "in_progress"),
        ("REGISTERING", "pending", "in_progress"),
        ("INSTALLING SW", "running", "in_progress"),
        ("TERMINATING", "running", "in_progress"),
        ("BROKEN", "failed", "failed"),
        ("DELETED", "unknown", "unknown"),
        (None, "unknown", "unknown"),
    ],
)
def test_words_of_configurations(word, osm_status, health):
    """They are all that OSM has of a helm chart; of a charm, READY is worth nothing."""
    helm = entry(type="helm-v3", ee_id="helm-v3:osm.chart-1", ee_descriptor_id="exporter")
    given = ns([helm], configured=[{"status": word}])
    shown = facts(resources(given)[f"{NS}/vnf/1/exporter"])
    assert (shown["osm_status"], shown["health"]) == (osm_status, health)
    charm = ns([entry()], configured=[{"status": word}])
    expected = "unknown" if word == "READY" else health
    assert facts(resources(charm)[APP])["health"] == expected


# --- the forms of vcaStatus -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        lambda status: status,  # 7.1
        lambda status: {NS: status},  # 8.0
        lambda status: {NS: {**status, "executedActions": [{"id": "6", "status": "failed"}]}},
        lambda status: {NS: {"VNF": status, "KNF": {"chart": {"anything": 1}}}},  # main line
        lambda status: {"another-id": status},
        lambda status: {NS: {**status, "model": None}},
    ],
)
def test_each_release_keeps_it_in_another_form(form):
    found = resources(ns([entry()], form(one_unit())))
    assert set(found) == {APP, UNIT}
    assert facts(found[UNIT])["ee_id"] == f"{NS}.app.0"


@pytest.mark.parametrize(
    "nothing", [None, {}, {NS: None}, {NS: {}}, {NS: {"VNF": None, "KNF": {}}}]
)
def test_no_full_status_yet(nothing):
    found = resources(ns([entry(**event("unit", "active", "ready"))], nothing))
    assert list(found) == [APP]
    assert facts(found[APP])["health"] == "ok"
    assert found[APP]["connections"] == {"server": [{"id": f"{MODEL}:machine:0"}]}


def test_an_ns_that_is_not_there_yet_has_nothing():
    assert resources({"_id": NS, "name": "planned"}) == {}
    assert resources(ns([None, None])) == {}


def test_what_a_list_leaves_among_the_applications_is_no_application():
    status = one_unit()
    status["applications"]["executedActions"] = [{"id": "6"}]
    assert set(resources(ns(status={NS: status}))) == {APP, UNIT}


def test_a_word_of_what_is_left_out_of_a_full_status_is_in_the_log(server):
    charm = {"app": application(units={"app/0": unit(), "app/1": None}), "executedActions": [{}]}
    server.lists["ns_instances"].clear()
    server.add("ns_instances", ns([entry()], {NS: full(charm)}), PROJECT)
    context = Context()
    assert {each["id"] for each in poll(server, context)} == {APP, UNIT}
    (line,) = context.logged("left out of vcaStatus")
    assert f"NS {NS}: field 'applications.app.units.app/1' should be an object" in line
    assert "field 'applications.executedActions' should be an object" in line


def test_a_whole_full_status_is_no_word_in_the_log(server):
    server.lists["ns_instances"].clear()
    charm = {"app": application(units={"app/0": {**unit(), "subordinates": None}})}
    whole = {**full(charm), "offers": {}, "remote_applications": {}, "relations": []}
    for each in whole["machines"].values():
        each["containers"] = {}
    server.add("ns_instances", ns([entry()], {NS: whole}), PROJECT)
    context = Context()
    assert len(poll(server, context)) == 2
    assert not context.logged("left out of vcaStatus")


# --- which word counts ----------------------------------------------------------------------------


def test_an_event_after_the_full_status_counts():
    younger = entry(**event("unit", "error", 'hook failed: "install"', minutes=5))
    found = resources(ns([younger], {NS: one_unit("active", minutes=10)}))
    for id_ in (APP, UNIT):
        assert facts(found[id_])["juju_status"] == "error"
        assert facts(found[id_])["juju_message"] == 'hook failed: "install"'
        assert facts(found[id_])["health"] == "failed"
        assert "as_of" not in facts(found[id_])


def test_an_event_before_the_full_status_does_not_count():
    older = entry(**event("unit", "error", minutes=15))
    found = resources(ns([older], {NS: one_unit("active", minutes=10)}))
    for id_ in (APP, UNIT):
        assert (facts(found[id_])["juju_status"], facts(found[id_])["health"]) == ("active", "ok")
        assert facts(found[id_])["as_of"] == "2026-11-20T11:50:00Z"
        assert facts(found[id_])["age_s"] == 50 * 60


def test_the_models_state_is_the_applications_too():
    suspended = {"unknown_fields": {"model-status": said("suspended", "credential")}}
    status = {**one_unit(), "model": {"name": NS, **suspended}}
    found = resources(ns(status={NS: status}))
    assert facts(found[APP])["health"] == "degraded"
    assert facts(found[UNIT])["health"] == "ok"


def test_an_agent_that_was_lost_after_the_event_stays_lost():
    status = one_unit("unknown", "lost", minutes=10)  # since: before the event
    found = resources(ns([entry(**event("unit", "active", minutes=15))], {NS: status}))
    assert facts(found[UNIT])["health"] == "failed"


def test_an_event_of_a_machine_after_the_full_status():
    younger = entry(**event("machine", "error", "no route", minutes=5))
    found = resources(ns([younger], {NS: one_unit(minutes=10)}))
    assert facts(found[UNIT])["juju_status"] == "active"
    assert facts(found[UNIT])["instance_status"] == "error"
    assert facts(found[UNIT])["instance_message"] == "no route"
    assert facts(found[UNIT])["health"] == facts(found[APP])["health"] == "failed"


def test_an_event_is_that_of_the_unit_on_its_machine():
    units = {"app/0": unit(machine="0"), "app/1": unit(machine="1")}
    status = full({"app": application(units=units)}, {"0": machine(), "1": machine()})
    second = entry(ee_id=f"{NS}.app.1", **event("unit", "blocked", "relation", minutes=5))
    found = resources(ns([entry(), second], {NS: status}))
    words = {id_: facts(each)["juju_status"] for id_, each in found.items()}
    assert words == {APP: "blocked", UNIT: "active", f"{MODEL}:unit:app/1": "blocked"}
    assert facts(found[UNIT])["ee_id"] == f"{NS}.app.0"
    assert len(facts(found[APP])["execution_environments"]) == 2
    assert "ee_id" not in facts(found[APP])


def test_times_are_compared_as_numbers():
    younger = entry(**event("unit", "blocked"))
    younger["status-time"] = f"0{at(5).timestamp()}"
    status = {NS: one_unit(minutes=10)}
    assert facts(resources(ns([younger], status))[UNIT])["juju_status"] == "blocked"


def test_broken_counts_and_an_old_ready_does_not_hide_an_error():
    status = {NS: one_unit("error")}
    ready = ns([entry()], status, [{"status": "READY"}])
    assert facts(resources(ready)[UNIT])["health"] == "failed"
    broken = ns([entry()], {NS: one_unit()}, [{"status": "BROKEN"}])
    assert facts(resources(broken)[UNIT])["health"] == "failed"
    assert points(broken)[UNIT].message == "configuration is BROKEN"


@pytest.mark.parametrize(
    "minutes, configured, gone",
    [(60, "READY", True), (60, None, True), (5, "READY", False), (60, "CREATING", False)],
)
def test_an_application_that_juju_did_not_know_is_gone(minutes, configured, gone):
    lost = entry(ee_id=f"{NS}.lost.7", **event("unit", "active", minutes=minutes))
    given = ns([lost], {NS: one_unit(minutes=10)}, [{"status": configured}])
    id_ = f"{MODEL}:application:lost"
    shown = facts(resources(given)[id_])
    assert shown.get("gone_from_juju", False) is gone
    assert (shown["osm_status"] == "unknown") is gone
    assert (shown["health"] == "failed") is gone
    assert (points(given)[id_].level == "error") is gone
    assert points(given)[id_].message.startswith("gone from Juju") is gone


def test_applications_that_no_entry_names_are_there():
    found = resources(ns(status={NS: one_unit()}))
    assert set(found) == {APP, UNIT}
    assert "execution_environments" not in facts(found[APP])


# --- ids ------------------------------------------------------------------------------------------


def test_ids_are_those_of_the_shared_logic():
    assert vca.application_id(MODEL, "app") == APP
    assert vca.unit_id(MODEL, "app/0") == UNIT


@pytest.mark.parametrize(
    "more, owner",
    [
        ({}, "admin"),
        ({"datacenter": "vim-1"}, "vnf-manager"),
        ({"instantiate_params": {"vimAccountId": "vim-1"}}, "vnf-manager"),
        ({"datacenter": "vim-2"}, "osm"),
        ({"datacenter": "vim-3"}, "admin"),
        ({"datacenter": "vim-4"}, "admin"),  # its account is not one that the project sees
    ],
)
def test_the_owner_of_a_model_is_the_user_of_its_vca_account(more, owner):
    known = lookups(
        vca_of_vim={"vim-1": "a", "vim-2": "b", "vim-4": "z"},
        user_of_vca={"a": "vnf-manager", "b": "osm@local"},
    )
    alone = resources(ns([entry()], **more), known)
    assert list(alone) == [f"{owner}/{NS}:application:app"]
    both = resources(ns([entry()], {NS: one_unit()}, **more), known)
    assert set(both) == {f"{owner}/{NS}:application:app", f"{owner}/{NS}:unit:app/0"}


@pytest.mark.parametrize(
    "ee, id_, servers",
    [
        ({"ee_id": f"{NS}.app.0/lxd/1"}, APP, ["0/lxd/1"]),
        ({"ee_id": f"{NS}.app"}, APP, []),
        ({"ee_id": f"{NS}.app.k8s", "type": "k8s_proxy_charm"}, APP, []),
        ({"ee_id": "other.app.0"}, "admin/other:application:app", None),
        ({"ee_id": None, "model": NS, "application": "app"}, APP, []),  # SIX
        ({"ee_id": None}, f"{NS}/vnf/1", []),
        ({"ee_id": "", "ee_descriptor_id": "ee-1"}, f"{NS}/vnf/1/ee-1", []),
        ({"ee_id": "helm-v3:osm.chart", "type": "helm-v3"}, f"{NS}/vnf/1", []),
        ({"ee_id": "osm.chart.3", "type": "helm"}, f"{NS}/vnf/1", []),
        ({"ee_id": "helm-v3:osm.chart", "type": None}, f"{NS}/vnf/1", []),
    ],
)
def test_execution_environments(ee, id_, servers):
    found = resources(ns([entry(**ee)]))
    assert list(found) == [id_]
    if servers is not None:
        connected = found[id_]["connections"].get("server", [])
        assert connected == [{"id": f"{MODEL}:machine:{each}"} for each in servers]


def test_six_kept_jujus_word_elsewhere():
    old = {"model": NS, "application": "app", "operational-status": "blocked", "ee_id": None}
    assert facts(resources(ns([entry(**old)]))[APP])["health"] == "degraded"
    init = {**old, "operational-status": "init"}
    assert facts(resources(ns([entry(**init)]))[APP])["health"] == "unknown"
    seven = entry(**{"operational-status": "error"})  # a placeholder there
    assert facts(resources(ns([seven]))[APP])["health"] == "unknown"


def test_environments_that_have_one_id_are_one_resource_and_both_are_shown():
    given = ns([entry(ee_id=None, charm_name="a"), entry(ee_id=None, charm_name="b")])
    (found,) = resources(given).values()
    assert [each["charm_name"] for each in facts(found)["execution_environments"]] == ["a", "b"]


@pytest.mark.parametrize(
    "element, expected",
    [
        ({"target_element": "ns", "member-vnf-index": None}, {}),
        ({"target_element": "vnf/2", "member-vnf-index": "2"}, {"member_vnf_index": "2"}),
        (
            {
                "target_element": "vnf/2/vdu/mgmt-vm/3",
                "member-vnf-index": "2",
                "vdu_id": "mgmt-vm",
                "vdu_count_index": 3,
            },
            {"member_vnf_index": "2", "vdu_id": "mgmt-vm", "vdu_count_index": 3},
        ),
        (
            {"target_element": "vnf/2/kdu/db-2", "member-vnf-index": "2", "kdu_name": "db-2"},
            {"member_vnf_index": "2", "kdu_name": "db-2"},
        ),
        (
            {"target_element": "vnf/2/vdu/mgmt-vm/3", "member-vnf-index": None},
            {"member_vnf_index": "2", "vdu_id": "mgmt-vm", "vdu_count_index": 3},
        ),
    ],
)
def test_what_is_configured(element, expected):
    shown = facts(resources(ns([entry(**element)]))[APP])
    names = ("member_vnf_index", "vdu_id", "vdu_count_index", "kdu_name")
    assert {name: shown[name] for name in names if name in shown} == expected
    assert (shown["ns_id"], shown["ns_name"], shown["ns_state"]) == (NS, "branch", "READY")
    assert shown["execution_environments"][0]["target_element"] == element["target_element"]


def test_holes_keep_the_two_lists_in_step():
    other = entry(ee_id=f"{NS}.other.1")
    configured = [{"status": "BROKEN"}, None, {"status": "CREATING"}]
    found = resources(ns([entry(), None, other, entry(ee_id=f"{NS}.third.2")], None, configured))
    words = {
        each["base"]["name"]: facts(each)["execution_environments"][0].get("configurationStatus")
        for each in found.values()
    }
    assert words == {"app": "BROKEN", "other": "CREATING", "third": None}


# --- connections ----------------------------------------------------------------------------------


def connected(resource, type_):
    return [each["id"] for each in resource["connections"].get(type_, [])]


def test_units_connect_to_machine_application_and_principal():
    agent = unit(machine="")
    units = {"app/0": unit(machine="1/lxd/0", subordinates={"log/0": agent})}
    machines = {"1": {**machine(), "containers": {"1/lxd/0": machine("down")}}}
    log = application(subordinate_to=["app"])
    status = full({"app": application(units=units), "log": log}, machines)
    found = resources(ns(status={NS: status}))
    log_unit, log_app = f"{MODEL}:unit:log/0", f"{MODEL}:application:log"
    assert set(found) == {APP, UNIT, log_unit, log_app}
    for id_ in found:
        assert connected(found[id_], "server") == [f"{MODEL}:machine:1/lxd/0"]
        assert facts(found[id_])["health"] == "failed"  # the container is down
    assert connected(found[UNIT], "service_offering") == [APP]
    assert connected(found[log_unit], "service_offering") == [log_app, UNIT]
    assert facts(found[log_unit])["principal"] == "app/0"
    assert facts(found[log_app])["units"] == ["log/0"]


def test_relations_connect_applications():
    relation = {"id_": 1, "key": "app:db db:db", "interface": "pg", "status": said("joined")}
    ends = [{"application": each, "name": "db"} for each in ("app", "db", "not-there")]
    peers = {"id_": 2, "key": "app:peer", "endpoints": [{"application": "app", "name": "peer"}]}
    status = full(
        {"app": application(relations={"db": ["db"], "peer": ["app"]}), "db": application()},
        relations=[{**relation, "endpoints": ends}, peers],
    )
    found = resources(ns(status={NS: status}))
    assert connected(found[APP], "service_offering") == [f"{MODEL}:application:db"]
    assert connected(found[f"{MODEL}:application:db"], "service_offering") == [APP]
    shown = facts(found[APP])["relations"]
    assert [each["key"] for each in shown] == ["app:db db:db", "app:peer"]
    assert shown[0]["status"] == "joined"


@pytest.mark.parametrize("controller, joined", [("", True), ("elsewhere:", False)])
def test_offers_of_other_models_of_the_controller_connect(server, controller, joined):
    url = f"{controller}admin/{NS}.web"
    offer = {"application_name": "app", "endpoints": {"http": {}}, "total_connected_count": 1}
    giving = ns(status={NS: {**one_unit(), "offers": {"web": offer}}})
    remote = {"web": {"offer_url": url, "status": said("active"), "relations": {}}}
    user = {"user": application(relations={"http": ["web"]})}
    taking = {**full(user, remote_applications=remote), "model": {"name": "other"}}
    server.add("ns_instances", giving, PROJECT)
    server.add("ns_instances", {**ns(status={"other": taking}), "_id": "other"}, PROJECT)
    found = {each["id"]: each for each in poll(server)}
    taker = found["admin/other:application:user"]
    assert connected(taker, "service_offering") == ([APP] if joined else [])
    assert facts(taker)["remote_applications"][0]["url"] == url
    assert facts(found[APP])["offers"] == [{"name": "web", "endpoints": ["http"], "connected": 1}]


# --- status points --------------------------------------------------------------------------------


def test_a_point():
    given = ns([entry()], {NS: one_unit("blocked")})
    point = points(given)[UNIT]
    assert point.resource_type == "service_offering"
    assert point.level == "warning"
    assert point.message == "unit is blocked (why), since 2026-11-20T11:00:00Z"
    assert point.time == at(60)


@pytest.mark.parametrize("minutes, level", [(30, "ok"), (31, "warning")])
def test_what_does_not_get_on_is_stuck(minutes, level):
    given = ns([entry(**event("unit", "maintenance", "installing\npackages", minutes=minutes))])
    point = points(given)[APP]
    assert point.level == level
    assert ("stuck since" in point.message) == (level == "warning")
    assert "installing packages" in point.message
    assert "\n" not in point.message
    assert facts(resources(given)[APP])["health"] == "in_progress"  # the same at each poll


@pytest.mark.parametrize("minutes, old", [(30, False), (31, True)])
def test_an_old_full_status_is_said_to_be_one(minutes, old):
    point = points(ns(status={NS: one_unit(minutes=minutes)}))[UNIT]
    assert point.message.endswith("; as of 2026-11-20T11:29:00Z") == old
    assert point.level == "ok"


def test_a_dead_machine_makes_an_active_unit_an_error():
    point = points(ns(status={NS: one_unit(of_machine=machine("down"))}))[UNIT]
    assert (point.level, point.message.split(" (")[0]) == (
        "error",
        "machine is down, since 2026-11-20T11:00:00Z",
    )


def test_a_points_time_is_that_of_the_worst():
    dead = machine("down")
    dead["agent_status"]["since"] = at(40).isoformat()
    assert points(ns(status={NS: one_unit(of_machine=dead)}))[UNIT].time == at(40)


def test_no_word_is_no_good_news():
    point = points(ns([entry()]))[APP]
    assert (point.level, point.message, point.time) == ("unknown", "no status yet", None)


def test_each_resource_has_a_point_and_no_other():
    demo = [
        demo_osm._branch("v"),
        demo_osm._firewall("v"),
        demo_osm._core("v"),
        demo_osm._being_made("v"),
    ]
    for each in demo:
        assert set(points(each)) == set(resources(each))
        assert all(point.message for point in points(each).values())


# --- damage ---------------------------------------------------------------------------------------


def damaged(value):
    """Copies with one part removed, null or of another type."""
    pairs = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for key, each in pairs:
        for other in (None, "text", 7, [7], {"x": 7}):
            changed = copy.copy(value)
            changed[key] = other
            yield changed
        changed = copy.copy(value)
        del changed[key]
        yield changed
        if isinstance(each, (dict, list)):
            for inner in damaged(each):
                changed = copy.copy(value)
                changed[key] = inner
                yield changed


def test_damaged_ns_records_are_read_or_refused():
    agents = {"log/0": unit(machine="")}
    offers = {"offers": {"web": {"application_name": "app", "endpoints": {"http": {}}}}}
    relation = {
        "id_": 1,
        "key": "k",
        "endpoints": [{"application": "app"}],
        "status": said("joined"),
    }
    units = {"app/0": unit(subordinates=agents)}
    status = full(
        {"app": application(units=units)}, {"0": machine()}, relations=[relation], **offers
    )
    given = ns([entry(**event("unit", "active"))], {NS: {"VNF": status}}, [{"status": "READY"}])
    refused = done = 0
    for each in damaged(given):
        before = json.dumps(each)
        try:
            resources(each)
        except UnexpectedResponse as error:
            assert "field" in str(error) or "object" in str(error) or "unit" in str(error)
            refused += 1
        done += 1
        assert json.dumps(each) == before
    assert 0 < refused < done


# --- whole polls ----------------------------------------------------------------------------------


def poll(server, context=None, **more):
    event = {"account_id": "a", "provider": "osm", "credentials": server.credentials(**more)}
    return main.get(event, context or Context())


def test_a_poll_of_500_units_is_complete_and_asks_for_three_lists(server):
    units = {f"app/{n}": unit(machine=str(n)) for n in range(500)}
    status = full({"app": application(units=units)}, {str(n): machine() for n in range(500)})
    server.add("ns_instances", ns([entry()], {NS: status}), PROJECT)
    found = poll(server)
    assert len(found) == 501
    first, *lists, last = [each[:2] for each in server.requests]
    assert (first, last) == (("POST", "/osm/admin/v1/tokens"), ("DELETE", "/osm/admin/v1/tokens"))
    assert sorted(lists) == [  # they are read side by side
        ("GET", "/osm/admin/v1/vim_accounts"),
        ("GET", "/osm/nslcm/v1/ns_instances"),
    ]
    assert server.tokens == {}
    assert server.writes == 0


def test_vca_accounts_are_asked_for_where_a_vim_names_one(server):
    server.add("vim_accounts", {"_id": "vim-1", "vca": "vca-1"}, PROJECT)
    server.add("vca", {"_id": "vca-1", "user": "vnf-manager", "secret": "x"}, PROJECT)
    server.add("ns_instances", ns([entry()], datacenter="vim-1"), PROJECT)
    assert [each["id"] for each in poll(server)] == [f"vnf-manager/{NS}:application:app"]


def test_a_release_without_vca_accounts():
    with fakes.Osm("8.0").standard() as old:
        old.add("vim_accounts", {"_id": "vim-1", "vca": "vca-1"}, PROJECT)
        old.add("ns_instances", ns([entry()], datacenter="vim-1"), PROJECT)
        assert [each["id"] for each in poll(old)] == [APP]


def test_an_ns_that_can_not_be_read_fails_the_poll_and_is_named(server):
    server.add("ns_instances", {**ns([entry()]), "_id": "good"}, PROJECT)
    server.add("ns_instances", ns([entry()], {NS: {"applications": []}}), PROJECT)
    with pytest.raises(UnexpectedResponse, match=NS):
        poll(server)


@pytest.mark.parametrize("path", ["vim_accounts", "ns_instances", "admin/v1/vca"])
@pytest.mark.parametrize(
    "fault, error", [(500, Unreachable), ("html", UnexpectedResponse), ("cut", Unreachable)]
)
def test_what_can_not_be_had_fails_the_poll(server, path, fault, error):
    server.add("vim_accounts", {"_id": "vim-1", "vca": "vca-1"}, PROJECT)
    server.add("ns_instances", ns([entry()]), PROJECT)
    server.fault(path, fault)
    with pytest.raises(error):
        poll(server)


def test_a_role_that_may_not_read_the_ns_instances(server):
    server.roles["project_user"] = {"vim_accounts:get"}
    with pytest.raises(InsufficientPermission, match="ns_instances"):
        poll(server)


def test_validate_lists_nothing(server):
    event = {"provider": "osm", "credentials": server.credentials()}
    assert main.validate_credentials(event, Context()) == {
        "ok": True,
        "account": "tenant-x (reader)",
    }
    assert [each[0] for each in server.requests] == ["POST", "DELETE"]


def test_a_status_poll_has_a_point_for_each_resource_or_for_those_asked_for(server):
    server.add("ns_instances", ns([entry()], {NS: one_unit("error")}), PROJECT)
    event = {"account_id": "a", "provider": "osm", "credentials": server.credentials()}
    answer = main.get_status(event, Context())
    ids = [each["resource_id"] for each in answer["status"]]
    assert ids == [each["id"] for each in poll(server)] == [APP, UNIT]
    assert {each["level"] for each in answer["status"]} == {"error"}
    assert answer["status"][1]["time"] == "2026-11-20T11:00:00Z"
    asked = {"id": UNIT, "type": "service_offering"}
    (point,) = main.get_status({**event, "resource": asked}, Context())["status"]
    assert point["resource_id"] == UNIT
    server.fault("ns_instances", 500)
    with pytest.raises(Unreachable):
        main.get_status(event, Context())


SECRETS = ("example-pass", "s3cret-vim", "s3cret-wim", "s3cret-vca", "s3cret-deep", "s3cret-charm")


@pytest.fixture
def secretive(server):
    """Secrets in every place that OSM keeps them."""
    deep = {"config": {"admin_password": SECRETS[4], "api_key": SECRETS[4]}}
    vim = {"_id": "vim-1", "vca": "vca-1", "vim_password": SECRETS[1], **deep}
    server.add("vim_accounts", vim, PROJECT)
    server.add("wim_accounts", {"_id": "wim-1", "password": SECRETS[2], **deep}, PROJECT)
    account = {"_id": "vca-1", "user": "osm", "secret": SECRETS[3], "cacert": SECRETS[4]}
    server.add("vca", {**account, "k8s-credentials": SECRETS[4]}, PROJECT)
    charm = {"app": application(units={"app/0": unit()}, configs={"password": SECRETS[5]})}
    asked = {"additionalParamsForVnf": [{"password": SECRETS[5]}]}
    given = ns([entry()], {NS: full(charm)}, instantiate_params=asked, datacenter="vim-1")
    server.add("ns_instances", given, PROJECT)
    return server


def test_no_secret_gets_into_resources_or_the_log(secretive):
    context = Context()
    found = poll(secretive, context)
    assert len(found) == 2
    text = json.dumps(found) + str(context.lines)
    assert [each for each in SECRETS if each in text] == []
    assert not [token for token in secretive.tokens if token in text]


def test_no_secret_gets_into_a_cassette(secretive, tmp_path):
    file = tmp_path / "vca_status" / "osm.yaml"
    local = Context(**cassettes.CONFIG)
    with cassettes.record(file):
        found = poll(secretive, local)
    text = file.read_text()
    assert [each for each in SECRETS if each in text] == []
    assert "Authorization" not in text
    assert set(re.findall(r"tokens/(\w+)", text)) == {"REDACTED"}
    assert set(re.findall(r'"_?id": "([0-9a-f]{32})"', text)) == set()
    with cassettes.replay(file) as cassette:
        again = poll(secretive, local)
    assert [each["id"] for each in again] == [each["id"] for each in found]
    assert cassette.all_played


@pytest.mark.parametrize(
    "broken",
    [
        lambda osm: osm.lists["vca"][0].update(user=7),
        lambda osm: osm.lists["vim_accounts"][0].update(vca=[7]),
        lambda osm: osm.lists["ns_instances"][0].update(vcaStatus=[7]),
        lambda osm: osm.lists["ns_instances"][0].update(instantiate_params="x", datacenter=None),
        lambda osm: osm.fault("ns_instances", 500),
        lambda osm: osm.users.update(reader=("other-pass", {PROJECT: "project_user"})),
    ],
)
def test_no_secret_gets_into_an_error(secretive, broken):
    broken(secretive)
    context = Context()
    with pytest.raises(ConnectorError) as failed:
        poll(secretive, context)
    text = f"{failed.value!s} {failed.value!r} {failed.value.args} {context.lines}"
    assert [each for each in SECRETS if each in text] == []


def test_a_wrong_password_is_not_tried_again(server):
    with pytest.raises(InvalidCredentials):
        poll(server, password="example-wrong")
    assert len(server.requests) == 1
