"""WAN links of OSM: whole polls against the simulator, and what each word of RO comes to."""

import copy
import datetime
import json
from typing import Any
from unittest import mock

import pytest

from modules.wan_links import main
from modules.wan_links import osm as wan_links
from modules.wan_links.osm import links
from modules.wan_links.osm.services import Lookups
from shared.engine.contracts import Dropped
from shared.engine.errors import InvalidEvent, UnexpectedResponse, Unreachable
from shared.providers import osm as provider
from shared.providers.osm import wan, wan_accounts
from shared.providers.osm.wan_plan import Wim
from shared.transport import http
from tests.fakes import openmano
from tests.fakes import osm as fakes
from tests.fakes.context import Context
from tests.fakes.poll import a_poll
from tests.test_grid import damage

id_ = fakes.identifier
RO = {each["name"]: each for each in fakes.RECORDED["ro-8.0"]}
NS = "/osm/nslcm/v1/ns_instances"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(http, "FIRST_DELAY_S", 0)


@pytest.fixture
def osm():
    with fakes.Osm().standard() as made:
        yield made


@pytest.fixture
def ng(osm):
    """Sites a, b, c of NG-RO, and WIM wan-east, which is mapped to a and b."""
    made = openmano.Services(osm)
    for site in "abc":
        made.site(site)
    made.wim("wan-east", a=[("sw-a", "eth1")], b=[("sw-b", "eth7")])
    return made


@pytest.fixture
def classic(osm):
    """The same in classic RO."""
    made = openmano.Services(osm)
    for site in "abc":
        made.site(site, ro=True)
    made.wim("wan-east", ro=True, a=[("sw-a", "eth1")], b=[("sw-b", "eth7")])
    return made


def event(services, ro=False, options=None, **credentials):
    more = {"ro_url": services.osm.ro_url} if ro else {}
    return {
        "provider": "osm",
        "account_id": "a",
        "credentials": services.osm.credentials(**more, **credentials),
        "options": options or {},
    }


def polled(services, ro=False, context=None, **options):
    return main.get(event(services, ro, options), context or Context())


def the_one(services, ro=False, **options):
    (found,) = polled(services, ro, **options)
    return found


def points(services, ro=False):
    """The points of get_status as (level, message, time), by resource type and id."""
    answer = main.get_status(event(services, ro), Context())
    return {
        (each["resource_type"], each["resource_id"]): (
            each["level"],
            each["message"],
            None if each["time"] == answer["last_update"] else each["time"],
        )
        for each in answer["status"]
    }


def facts(resource):
    return resource["details"]["circuit"]


def meta(resource):
    return resource["metadata"]["provider_specific"]


def linked_to(resource):
    return [each["id"] for each in resource["connections"].get("network", [])]


# --- NS records (NG-RO) ---------------------------------------------------------------------------


def test_a_link_in_an_ns_record(ng):
    ns = ng.service("branch")
    ng.vld(ns, "data", "b", "a", wims={"wan-east": {}})
    found = the_one(ng)
    wim = id_("wim", "wan-east")
    assert (found["type"], found["id"]) == ("circuit", f"{ns['_id']}/data/{wim}")
    assert found["base"]["name"] == "branch/data"
    assert facts(found) == {
        "type_id": "wan_link",
        "carrier": "wan-east",
        "reference": id_("connectivity-service", "branch", "data"),
        "endpoint_a": "a (sw-a eth1)",
        "endpoint_b": "b (sw-b eth7)",
    }
    assert sorted(linked_to(found)) == sorted(
        openmano.network(ns, "data", site) for site in ("a", "b")
    )
    shown = meta(found)
    assert (shown["state"], shown["provider_state"], shown["told_by"]) == (
        "running",
        "ACTIVE",
        "NS record",
    )
    assert (shown["wim_id"], shown["service_id"], shown["vld_id"]) == (wim, ns["_id"], "data")
    assert shown["service_type"] == "ELINE"
    assert shown["ends"][0] == {
        "data_centre": "a",
        "data_centre_id": id_("vim", "a"),
        "networks": [openmano.network(ns, "data", "a")],
        "ports": [{"switch": "sw-a", "port": "eth1", "service_endpoint": "a-eth1"}],
    }


def test_the_ports_that_a_link_uses_count_more_than_the_mapping(ng):
    used = {"device_id": "a", "switch_id": "sw-x", "switch_port": 3, "service_endpoint_id": "A-9"}
    ns = ng.service("branch")
    ng.vld(ns, "data", "a", "b", wims={"wan-east": {"sdn-ports": [{**used, "vlan": 120}]}})
    found = the_one(ng)
    assert facts(found)["endpoint_a"] == "a (sw-x 3)"
    assert facts(found)["endpoint_b"] == "b (sw-b eth7)"
    (port,) = meta(found)["ends"][0]["ports"]
    assert port == {"switch": "sw-x", "port": "3", "service_endpoint": "A-9", "vlan": "120"}


def test_where_there_are_several_ports_the_endpoint_names_none(ng):
    ng.wim("wan-big", a=[("sw-a", "eth1"), ("sw-a", "eth2")], b=[("sw-b", "eth7")])
    ns = ng.service("branch")
    ng.vld(ns, "data", "a", "b", wims={"wan-big": {}})
    found = the_one(ng)
    assert facts(found)["endpoint_a"] == "a"
    assert [each["port"] for each in meta(found)["ends"][0]["ports"]] == ["eth1", "eth2"]


def test_a_link_of_three_sites_is_one_resource_with_all_its_ends(ng):
    ng.wim("wan-all", b=[("sw-b", "1")], c=[("sw-c", "1")])
    ns = ng.service("branch")
    ng.vld(ns, "data", "c", "a", "b", wims={"wan-all": {}})
    found = the_one(ng)
    assert (facts(found)["endpoint_a"], facts(found)["endpoint_b"]) == ("a", "b (sw-b 1)")
    assert [each["data_centre"] for each in meta(found)["ends"]] == ["a", "b", "c"]
    assert len(linked_to(found)) == 3
    assert meta(found)["service_type"] == "ELAN"


def test_what_is_inside_of_one_site_is_no_wan_link(ng):
    ns = ng.service("branch")
    vld = ng.vld(ns, "data", "a", "b")
    vld["vim_info"]["sdn:x"] = {"vim_id": "s", "vim_status": "ACTIVE"}
    assert polled(ng) == []


def test_a_network_that_its_vim_lost_or_does_not_have_yet_is_not_connected_to(ng):
    ns = ng.service("branch")
    vld = ng.vld(ns, "data", "a", "b", wims={"wan-east": {}})
    vld["vim_info"][f"vim:{id_('vim', 'a')}"]["vim_status"] = "DELETED"
    vld["vim_info"][f"vim:{id_('vim', 'b')}"]["vim_id"] = None
    found = the_one(ng)
    assert linked_to(found) == []
    assert facts(found)["endpoint_a"] == "a (sw-a eth1)"


def test_a_wim_or_a_vim_that_the_project_does_not_see_is_called_by_its_id(ng):
    ns = ng.service("branch")
    ng.vld(ns, "data", "a", "x", wims={"unseen": {}})
    found = the_one(ng)
    assert facts(found)["carrier"] == id_("wim", "unseen")
    assert sorted([facts(found)["endpoint_a"], facts(found)["endpoint_b"]]) == sorted(
        ["a", id_("vim", "x")]
    )


# --- classic RO -----------------------------------------------------------------------------------

SPAN = [("data", "a"), ("data", "b")]


def test_a_link_in_ros_instance(classic):
    ns = classic.service("branch")
    instance = classic.instance(ns, *SPAN, links=[("data", "wan-east", {})])
    found = the_one(classic, ro=True)
    assert found["id"] == instance["sdn_nets"][0]["uuid"]
    assert found["base"]["name"] == "branch/data"
    assert facts(found) == {
        "type_id": "wan_link",
        "carrier": "wan-east",
        "reference": id_("connectivity-service", "branch", "data"),
        "endpoint_a": "a (sw-a eth1)",
        "endpoint_b": "b (sw-b eth7)",
    }
    assert sorted(linked_to(found)) == sorted(net["vim_net_id"] for net in instance["nets"])
    shown = meta(found)
    assert (shown["told_by"], shown["wim_info"]) == ("RO", {"vlan": 120})
    assert shown["created_at_local"] == openmano.LOCAL
    (port,) = shown["ends"][0]["ports"]
    assert port == {
        "switch": "sw-a",
        "port": "eth1",
        "service_endpoint": "a-eth1",
        "wan_switch": "00:00:00:0a",
        "wan_port": "7",
    }


def test_without_ro_url_the_copy_in_the_ns_record_is_read_and_said_to_be_one(classic):
    ns = classic.service("branch")
    instance = classic.instance(ns, *SPAN, links=[("data", "wan-east", {})])
    ns["deploymentStatus"] = copy.deepcopy(instance)
    found, of_ro = the_one(classic), the_one(classic, ro=True)
    assert found["id"] == of_ro["id"]
    assert meta(found)["told_by"] == "deploymentStatus"
    assert facts(found)["carrier"] == "wan-east"
    # NBI's own account has no mapping here: the ports are RO's
    assert (facts(found)["endpoint_a"], facts(found)["endpoint_b"]) == ("a", "b")
    level, message, _ = points(classic)["circuit", found["id"]]
    assert level == "ok" and message.endswith("(as of the last operation on the service)")


def test_ro_counts_more_than_the_copy(classic):
    ns = classic.service("branch")
    instance = classic.instance(ns, *SPAN, links=[("data", "wan-east", {})])
    ns["deploymentStatus"] = copy.deepcopy(instance)
    instance["sdn_nets"][0]["status"] = "DOWN"
    assert meta(the_one(classic, ro=True))["provider_state"] == "DOWN"


@pytest.mark.parametrize("sdn", ["true", True])
def test_ros_networks_inside_of_one_site_are_no_wan_links(classic, sdn):
    ns = classic.service("branch")
    classic.instance(ns, *SPAN, links=[("data", "wan-east", {"sdn": sdn})])
    assert polled(classic, ro=True) == []


def test_port_mappings_of_releases_five_and_six(osm):
    services = openmano.Services(osm)
    old = {
        "pop_switch_dpid": "00:0b",
        "pop_switch_port": "3",
        "wan_service_endpoint_id": "A-1",
        "wan_service_mapping_info": {
            "mapping_type": "dpid-port",
            "wan_switch_dpid": "00:0a",
            "wan_switch_port": "7",
        },
    }
    services.site("a")
    mapping = [{"datacenter_name": "a", "pop_wan_mappings": [old]}]
    wim = {"_id": "w", "name": "wan", "config": {"wim_port_mapping": mapping}}
    accounts = wan_accounts.Accounts([{"_id": "v", "name": "a"}], [wim])
    assert accounts.ports("w", "v") == (
        {
            "switch": "00:0b",
            "port": "3",
            "service_endpoint": "A-1",
            "wan_switch": "00:0a",
            "wan_port": "7",
        },
    )
    assert accounts.wims() == [Wim("w", "wan", frozenset({"v"}))]


def test_wim_info_that_is_no_object_or_holds_secrets(classic):
    infos = ["{vlan: 1, conn_info: {api_token: s3cr3t, user: u}}\n", "{", "2026-13-45", None]
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi")
    )
    infos += [bomb, "&a {b: *a}", "[" * 3000, "{a: .nan}"]
    for n, info in enumerate(infos):
        ns = classic.service(f"s{n}")
        classic.instance(ns, *SPAN, links=[("data", "wan-east", {"wim_info": info})])
    found = {each["base"]["name"]: meta(each).get("wim_info") for each in polled(classic, ro=True)}
    assert found == {
        "s0/data": {"vlan": 1, "conn_info": {"user": "u"}},
        "s1/data": None,
        "s2/data": None,
        **{f"s{n}/data": None for n in range(3, 8)},
    }


# --- releases FIVE and SIX ------------------------------------------------------------------------


def test_a_link_of_releases_five_and_six_is_read_from_the_action_that_made_it(classic):
    ns = classic.service("branch")
    instance = classic.instance(ns, *SPAN, ("mgmt", "a"), old=True)
    classic.action(instance, ("l", "wan-east", {}))
    found = the_one(classic, ro=True)
    assert found["id"] == id_("link", "l")
    assert found["base"]["provider_created_at"] == "2025-01-01T00:00:00Z"
    assert facts(found) == {
        "type_id": "wan_link",
        "carrier": "wan-east",
        "reference": id_("connectivity-service", "l"),
        "endpoint_a": "a (sw-a eth1)",
        "endpoint_b": "b (sw-b eth7)",
    }
    assert (meta(found)["told_by"], meta(found)["task_status"]) == ("RO action", "DONE")
    assert points(classic, ro=True)["circuit", found["id"]][2] == "2025-01-01T00:01:00Z"


@pytest.mark.parametrize(
    "task, word",
    [
        ({"status": "SCHEDULED"}, "SCHEDULED_CREATION"),
        ({"status": "BUILD"}, "BUILD"),
        ({"status": "FAILED"}, "ERROR"),
        ({"status": "DONE", "extra": "{wim_status: DOWN}"}, "DOWN"),
        ({"status": "DONE", "extra": "{sdn_status: ACTIVE}"}, "ACTIVE"),
        ({"status": "ODD"}, "ODD"),
    ],
)
def test_the_word_of_a_task(classic, task, word):
    ns = classic.service("branch")
    classic.action(classic.instance(ns, *SPAN, old=True), ("l", "wan-east", task))
    assert meta(the_one(classic, ro=True))["provider_state"] == word


@pytest.mark.parametrize("extra", ["{attempts: 1}", "no: [yaml", None])
def test_how_a_link_is_that_is_made_and_that_no_wim_was_asked_for_is_unknown(classic, extra):
    ns = classic.service("branch")
    task = {"status": "DONE", "extra": extra}
    classic.action(classic.instance(ns, *SPAN, old=True), ("l", "wan-east", task))
    found = the_one(classic, ro=True)
    assert (meta(found)["state"], meta(found)["provider_state"]) == ("unknown", "DONE")
    level, message, _ = points(classic, ro=True)["circuit", found["id"]]
    assert (level, message) == ("unknown", "DONE over wan-east")


@pytest.mark.parametrize("status", ["SUPERSEDED", "FINISHED"])
def test_a_task_that_is_over_has_left_no_link(classic, status):
    ns = classic.service("branch")
    instance = classic.instance(ns, *SPAN, old=True)
    classic.action(instance, ("l", "wan-east", {"status": status}))
    assert polled(classic, ro=True) == []


@pytest.mark.parametrize("status, left", [("DONE", 0), ("FINISHED", 0), ("FAILED", 1)])
def test_a_link_that_a_task_deleted_is_gone_where_the_task_came_to_its_end(classic, status, left):
    ns = classic.service("branch")
    instance = classic.instance(ns, *SPAN, old=True)
    classic.action(instance, ("l", "wan-east", {}))
    classic.action(instance, ("l", "wan-east", {"status": status}), what="DELETE")
    assert len(polled(classic, ro=True)) == left


def test_a_link_that_a_task_makes_just_now_is_not_stuck(classic):
    ns = classic.service("branch")
    instance = classic.instance(ns, *SPAN, old=True)
    just_now = datetime.datetime.now(datetime.timezone.utc).timestamp()
    making = {"status": "BUILD", "wim_internal_id": None}
    classic.action(instance, ("l", "wan-east", {**making, "created_at": just_now}))
    assert meta(the_one(classic, ro=True)).get("note") is None


def test_a_wim_that_only_ro_knows_is_found_by_its_account(classic):
    classic.wim("of-ro-only", ro=True, nbi=False, a=[("sw-a", "1")])
    ns = classic.service("branch")
    classic.action(classic.instance(ns, *SPAN, old=True), ("l", "of-ro-only", {}))
    assert facts(the_one(classic, ro=True))["carrier"] == "of-ro-only"


def test_tasks_that_are_no_links_are_left_out(classic):
    ns = classic.service("branch")
    classic.action(
        classic.instance(ns, *SPAN, old=True), ("l", "wan-east", {"item": "instance_nets"})
    )
    assert polled(classic, ro=True) == []


def test_actions_are_not_asked_for_where_no_network_spans(classic):
    ns = classic.service("branch")
    classic.instance(ns, ("data", "a"), old=True)
    assert polled(classic, ro=True) == []
    assert not [path for _, path, *_ in classic.osm.requests if path.endswith("action")]


def test_which_link_is_whose_is_not_guessed_where_two_networks_span(classic):
    ns = classic.service("branch")
    instance = classic.instance(ns, *SPAN, ("voice", "a"), ("voice", "b"), old=True)
    classic.action(instance, ("l1", "wan-east", {}), ("l2", "wan-east", {}))
    one, other = polled(classic, ro=True, report_missing=True)
    for each in (one, other):
        assert each["base"]["name"] == "branch"
        assert (facts(each)["endpoint_a"], facts(each)["endpoint_b"]) == (None, None)
        assert linked_to(each) == []


def test_with_fewer_links_than_networks_that_span_they_are_all_reported(classic):
    ns = classic.service("branch")
    instance = classic.instance(ns, *SPAN, ("voice", "a"), ("voice", "b"), old=True)
    classic.action(instance, ("l1", "wan-east", {}))
    states = sorted(meta(each)["state"] for each in polled(classic, ro=True, report_missing=True))
    assert states == ["missing", "missing", "running"]


# --- words ----------------------------------------------------------------------------------------

WORDS = {
    "ACTIVE": ("running", "ok"),
    "BUILD": ("pending", "warning"),
    "SCHEDULED_CREATION": ("pending", "warning"),
    "INACTIVE": ("pending", "warning"),
    "DOWN": ("stopped", "error"),
    "ERROR": ("stopped", "error"),
    "WIM_ERROR": ("unknown", "unknown"),
    "VIM_ERROR": ("unknown", "unknown"),
    "SCHEDULED_DELETION": ("shutting", "warning"),
    "DONE": ("unknown", "unknown"),  # of a task, not of a link
    "ODD": ("unknown", "unknown"),
    None: ("unknown", "unknown"),
}


@pytest.mark.parametrize("word", WORDS)
def test_each_word_of_ro(classic, word):
    ns = classic.service("branch")
    classic.instance(ns, *SPAN, links=[("data", "wan-east", {"status": word})])
    found = the_one(classic, ro=True)
    level, message, _ = points(classic, ro=True)["circuit", found["id"]]
    assert (meta(found)["state"], level) == WORDS[word]
    assert meta(found).get("provider_state") == word
    assert (word or "no status") in message and "wan-east" in message


@pytest.mark.parametrize("word", WORDS)
def test_each_word_of_ng_ro(ng, word):
    ns = ng.service("branch")
    ng.vld(ns, "data", "a", "b", wims={"wan-east": {"vim_status": word}})
    found = the_one(ng)
    assert (meta(found)["state"], points(ng)["circuit", found["id"]][0]) == WORDS[word]


def test_a_deleted_link_is_dropped(ng):
    context, ns = Context(), ng.service("branch")
    ng.vld(ns, "data", "a", "b", wims={"wan-east": {"vim_status": "DELETED"}})
    assert polled(ng, context=context) == []
    assert "deleted" in context.lines[-1]
    # and the need is there again
    assert [key[1] for key in points(ng) if key[0] == "circuit"] == [f"{ns['_id']}/data/missing"]


@pytest.mark.parametrize(
    "word, shown",
    [
        ("ERROR", True),
        ("WIM_ERROR", True),
        ("DOWN", True),
        ("BUILD", True),
        ("ACTIVE", False),
        ("INACTIVE", False),
        ("SCHEDULED_DELETION", False),
    ],
)
def test_a_message_that_is_stale_is_not_shown(classic, word, shown):
    ns = classic.service("branch")
    more = {"status": word, "error_msg": "controller\n\tunreachable"}
    classic.instance(ns, *SPAN, links=[("data", "wan-east", more)])
    found = the_one(classic, ro=True)
    expected = "controller unreachable" if shown else None
    assert meta(found).get("error_message") == expected
    assert ("unreachable" in points(classic, ro=True)["circuit", found["id"]][1]) == shown


@pytest.mark.parametrize(
    "info, message",
    [
        ({"vim_status": "ERROR", "vim_details": "no\nport"}, "no port"),
        ({"vim_status": "ERROR", "vim_details": "{vlan: 1}", "vim_message": "refused"}, "refused"),
        ({"vim_status": "BUILD", "vim_details": "{vlan: 1}"}, None),
        ({"vim_status": "BUILD", "vim_message": "waits"}, "waits"),
        ({"vim_status": "ACTIVE", "vim_message": "old"}, None),
    ],
)
def test_where_ng_ro_keeps_the_message(ng, info, message):
    ns = ng.service("branch")
    ng.vld(ns, "data", "a", "b", wims={"wan-east": info})
    assert meta(the_one(ng)).get("error_message") == message


def test_active_without_a_service_at_the_wim_means_nothing(ng):
    ns = ng.service("branch")
    ng.vld(ns, "data", "a", "b", wims={"wan-east": {"vim_id": None}})
    found = the_one(ng)
    assert facts(found)["reference"] is None
    assert meta(found)["state"] == "stopped"
    assert meta(found)["note"].startswith("not established")
    level, message, _ = points(ng)["circuit", found["id"]]
    assert level == "error" and "not established" in message


BUILDING = {"status": "BUILD", "wim_internal_id": None}


@pytest.mark.parametrize(
    "link, service, stuck",
    [
        (BUILDING, {}, True),
        ({**BUILDING, "wim_internal_id": "made"}, {}, False),
        (BUILDING, {"currentOperation": "SCALING"}, False),
        (BUILDING, {"create-time": None}, False),
        # before 7.1
        (BUILDING, {"currentOperation": None, "_admin": {"nslcmop": "op"}}, False),
        (BUILDING, {"currentOperation": None, "_admin": {"nslcmop": None}}, True),
    ],
)
def test_build_that_is_stuck(classic, link, service, stuck):
    ns = classic.service("branch", **service)
    classic.instance(ns, *SPAN, links=[("data", "wan-east", link)])
    found = the_one(classic, ro=True)
    level, message, _ = points(classic, ro=True)["circuit", found["id"]]
    assert meta(found)["state"] == "pending"
    assert meta(found).get("note", "").startswith("stuck") == stuck
    assert (level, "stuck" in message) == ("error" if stuck else "warning", stuck)


def test_build_is_stuck_after_a_quarter_of_an_hour():
    made = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)
    ns = {"_id": "s", "name": "s", "create-time": made.timestamp(), "currentOperation": "IDLE"}
    net = {"uuid": "l", "wim_id": "w", "status": "BUILD"}
    link = wan.of_sdn_net(ns, net, [], "RO", wan_accounts.Accounts([], []))
    quarter = datetime.timedelta(minutes=15)
    assert wan.verdict(link, ns, made + quarter).note is None
    assert wan.verdict(link, ns, made + quarter + datetime.timedelta(seconds=1)).note


# --- needs ----------------------------------------------------------------------------------------


def missing(services, ro=False):
    return [each for each in polled(services, ro, report_missing=True) if "missing" in each["id"]]


def test_a_missing_link_is_reported_where_the_account_asks_for_it(ng):
    ng.wim("wan-any", **{site: [("sw", "1")] for site in "abc"})
    ns = ng.service("branch")
    ng.vld(ns, "data", "b", "a")
    assert polled(ng) == polled(ng, report_missing=False) == []
    found = the_one(ng, report_missing=True)
    assert (found["type"], found["id"]) == ("circuit", f"{ns['_id']}/data/missing")
    assert found["base"]["name"] == "branch/data"
    assert facts(found) == {
        "type_id": "wan_link",
        "carrier": None,
        "reference": None,
        "endpoint_a": "a",
        "endpoint_b": "b",
    }
    assert len(linked_to(found)) == 2
    assert meta(found)["state"] == "missing"
    # all that could carry it
    assert [each["name"] for each in meta(found)["wims"]] == ["wan-any", "wan-east"]
    point = points(ng)["circuit", found["id"]]
    assert point[:2] == (
        "error",
        "missing: branch/data is in a, b; it could be carried by wan-any, wan-east",
    )


def test_where_no_wim_reaches_all_data_centres_each_is_named_with_the_wims_it_has(ng):
    ng.wim("wan-west", b=[("sw-b", "1")])
    ns = ng.service("branch")
    ng.vld(ns, "data", "a", "b", "c")
    (found,) = missing(ng)
    assert meta(found).get("wims") is None
    assert points(ng)["circuit", found["id"]][1] == (
        "missing: branch/data is in a, b, c; no WIM is mapped to all of its data centres: "
        "a has wan-east; b has wan-east, wan-west; c has none"
    )


def test_a_link_that_leaves_out_a_data_centre_does_not_satisfy_the_need(ng):
    ns = ng.service("branch")
    vims = [f"vim:{id_('vim', site)}" for site in "ab"]
    ng.vld(ns, "data", "a", "b", "c", wims={"wan-east": {"target_vims": vims}})
    (found,) = missing(ng)
    link = f"{ns['_id']}/data/{id_('wim', 'wan-east')}"
    assert f"which {link} does not all join" in points(ng)["circuit", found["id"]][1]


@pytest.mark.parametrize(
    "service, vld",
    [
        ({}, {"mgmt-network": True}),
        ({"nsd": {"vld": [{"id": "data", "mgmt-network": True}]}}, {}),
        ({"nsd": {"virtual-link-desc": [{"id": "data", "mgmt-network": True}]}}, {}),
        ({"instantiate_params": {"wimAccountId": False}}, {}),
        (
            {"instantiate_params": {"vld": [{"name": "wide", "wimAccountId": False}]}},
            {"name": "wide"},
        ),
        ({"instantiate_params": {"vld": [{"name": "data", "wimAccountId": False}]}}, {}),
        ({"nsState": "NOT_INSTANTIATED"}, {}),
        ({"nsState": "BUILDING"}, {}),
        ({"nsState": "TERMINATING"}, {}),
        ({"nsState": None, "_admin": {"nsState": "NOT_INSTANTIATED"}}, {}),
        ({"nsState": None, "currentOperation": None, "_admin": {"nslcmop": "op"}}, {}),
    ],
)
def test_where_no_link_is_wanted_or_not_yet_none_is_missing(ng, service, vld):
    ng.vld(ng.service("branch", **service), "data", "a", "b", **vld)
    assert missing(ng) == []


@pytest.mark.parametrize(
    "service",
    [
        {"nsState": "BROKEN"},
        {"nsState": "DEGRADED"},
        {"nsState": None, "currentOperation": None, "_admin": {"nsState": "INSTANTIATED"}},
        {"instantiate_params": {"wimAccountId": None}},
        {
            "instantiate_params": {
                "wimAccountId": False,
                "vld": [{"name": "data", "wimAccountId": "w"}],
            }
        },
    ],
)
def test_where_a_link_is_wanted_it_is_missing(ng, service):
    ng.vld(ng.service("branch", **service), "data", "a", "b")
    assert len(missing(ng)) == 1


def test_needs_in_classic_ro(classic):
    one, two = classic.service("one"), classic.service("two")
    classic.instance(one, *SPAN, ("voice", "a"), ("voice", "a"), (None, "a"), (None, "b"))
    classic.instance(two, *SPAN, links=[("data", "wan-east", {})])
    (found,) = missing(classic, ro=True)
    assert found["base"]["name"] == "one/data"
    assert [each["name"] for each in meta(found)["wims"]] == ["wan-east"]


def test_a_wim_without_an_account_is_the_last_that_is_named(classic):
    classic.wim("a-first", ro=True, account=False, nbi=False, a=[("sw-a", "1")], b=[("sw-b", "1")])
    of_tenant = [each for each in classic.osm.ro["wims"] if each["name"] == "wan-east"]
    classic.osm.fault(f"/{classic.tenant}/wims$", lambda answer: {"wims": of_tenant})
    not_its = json.dumps({"error": {"code": 404, "type": "404 Not Found", "description": "none"}})
    one = id_("ro-wim", "a-first")
    classic.osm.fault(f"/{classic.tenant}/wims/{one}", (404, {}, not_its))
    classic.instance(classic.service("branch"), *SPAN)
    wims = meta(missing(classic, ro=True)[0])["wims"]
    assert [(each["name"], each["account"]) for each in wims] == [
        ("wan-east", True),
        ("a-first", False),
    ]


def test_networks_that_both_ro_and_the_ns_record_tell_of_are_one_need(classic):
    ns = classic.service("branch")
    classic.vld(ns, "data", "a", "b")
    classic.instance(ns, *SPAN, links=[("data", "wan-east", {})])
    assert missing(classic, ro=True) == []
    ns["deploymentStatus"] = {"other": "form"}
    assert [each["id"] for each in missing(classic)] == [f"{ns['_id']}/data/missing"]


def test_a_management_network_of_classic_ro_needs_no_link(classic):
    ns = classic.service("branch", vld=[{"id": "mgmt", "name": "mgmt", "mgmt-network": True}])
    classic.instance(ns, ("mgmt", "a"), ("mgmt", "b"))
    assert missing(classic, ro=True) == []


def test_a_missing_link_is_not_connected_to_a_network_that_is_not_made_yet(ng):
    vld = ng.vld(ng.service("branch"), "data", "a", "b")
    vld["vim_info"][f"vim:{id_('vim', 'a')}"]["vim_id"] = None
    assert len(linked_to(missing(ng)[0])) == 1


def test_what_ro_knows_of_a_wim_counts_more_than_what_nbi_knows():
    def mapped(site):
        return {"wim_port_mapping": [{"datacenter_name": site, "pop_wan_mappings": [{}]}]}

    deployed = {"_admin": {"deployed": {"RO": "of-ro"}}}
    of_nbi = [{"_id": "w", "name": "w", "config": mapped("a"), **deployed}]
    of_nbi.append({"_id": "other", "name": "other", "config": mapped("a")})
    accounts = wan_accounts.Accounts([], of_nbi)
    accounts.add_ro([], [{"uuid": "of-ro", "name": "w", "config": mapped("b")}], ["of-ro"])
    assert accounts.wims() == [
        Wim("other", "other", frozenset("a"), True),
        Wim("w", "w", frozenset("b"), True),
    ]


def test_a_port_mapping_without_a_data_centre_is_refused():
    wim = {"_id": "w", "name": "w", "config": {"wim_port_mapping": [{"device_id": "sw"}]}}
    with pytest.raises(UnexpectedResponse, match="'datacenter_id' of a port mapping is missing"):
        wan_accounts.Accounts([], [wim])


# --- the WIMs' own health -------------------------------------------------------------------------


def wim_point(services, name="wan-east", ro=False):
    level, message, moment = points(services, ro)["appliance", id_("wim", name)]
    return level, message, moment


def test_a_wim_whose_account_is_enabled(ng):
    assert wim_point(ng) == (
        "ok",
        "WIM wan-east: its account is ENABLED",
        "2025-01-01T00:00:10Z",
    )


@pytest.mark.parametrize(
    "state, detail, level, words",
    [
        ("ENABLED", "Done", "ok", "its account is ENABLED"),
        ("PROCESSING", "", "warning", "its account is PROCESSING"),
        ("ERROR", "no\nroute", "error", "its account is ERROR: no route"),
        ("ERROR", "got 401", "error", "its account is ERROR: it refuses the credentials: got 401"),
        ("ODD", "", "unknown", "its account is ODD"),
        (None, "", "unknown", "NBI has no account of it"),
    ],
)
def test_the_account_of_a_wim(ng, state, detail, level, words):
    ng.wim("w", state=state, detail=detail)
    assert wim_point(ng, "w")[:2] == (level, f"WIM w: {words}")


@pytest.mark.parametrize(
    "message, said",
    [
        ("controller unreachable", "OSM can't ask it: controller unreachable"),
        ("HTTP 403", "it refuses OSM's credentials: HTTP 403"),
        ("Invalid credentials", "it refuses OSM's credentials: Invalid credentials"),
        (None, "OSM can't ask it: WIM_ERROR without a message"),
    ],
)
def test_a_wim_that_osm_cant_ask_about_a_link(classic, message, said):
    ns = classic.service("branch")
    more = {"status": "WIM_ERROR", "error_msg": message}
    classic.instance(ns, *SPAN, links=[("data", "wan-east", more)])
    assert wim_point(classic, ro=True) == ("error", f"WIM wan-east: {said}", None)


def test_each_wim_has_one_point_and_each_link_too(classic):
    classic.wim("of-ro-only", ro=True, nbi=False)
    ns = classic.service("branch")
    classic.instance(ns, *SPAN, links=[("data", "wan-east", {})])
    assert len(points(classic, ro=True)) == 3
    level, message, _ = points(classic, ro=True)["appliance", id_("ro-wim", "of-ro-only")]
    assert (level, message) == ("unknown", "WIM of-ro-only: NBI has no account of it")


# --- complete or failed ---------------------------------------------------------------------------


def test_calls_are_those_that_are_declared(classic):
    for n in range(3):
        ns = classic.service(f"s{n}")
        classic.instance(ns, *SPAN, links=[("data", "wan-east", {})])
    polled(classic)
    asked = [f"{method} {path}" for method, path, *_ in classic.osm.requests]
    assert len(asked) == 5
    assert asked[-1] == "DELETE /osm/admin/v1/tokens"
    classic.osm.requests.clear()
    polled(classic, ro=True)
    assert len(classic.osm.requests) == 5 + 1 + 1 + 2 + 1 + 3
    assert not any("limit" in query for _, path, query, _ in classic.osm.requests if NS in path)


def test_a_service_that_went_while_ro_was_read_is_left_out(classic):
    ns = classic.service("branch")
    instance = classic.instance(ns, *SPAN, links=[("data", "wan-east", {})])
    del classic.osm.ro_details["instances", instance["uuid"]]
    classic.osm.fault(NS, lambda answer: answer, 1)
    classic.osm.fault(NS, lambda answer: [], 1)
    assert polled(classic, ro=True) == []


def test_a_service_that_is_being_deleted_may_have_gone_from_ro(classic):
    ns = classic.service("branch", nsState="TERMINATING")
    instance = classic.instance(ns, *SPAN, links=[("data", "wan-east", {})])
    del classic.osm.ro_details["instances", instance["uuid"]]
    assert polled(classic, ro=True) == []


def test_an_ro_without_the_services_of_this_osm_fails_the_poll(classic):
    ns = classic.service("branch")
    instance = classic.instance(ns, *SPAN, links=[("data", "wan-east", {})])
    del classic.osm.ro_details["instances", instance["uuid"]]
    with pytest.raises(UnexpectedResponse, match="credentials.ro_url and credentials.ro_tenant"):
        polled(classic, ro=True)


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize(
    "answer, words",
    [
        ({}, "neither field 'nets' nor 'sdn_nets'"),
        ({"uuid": "u", "name": "branch", "vnfs": []}, "neither field 'nets' nor 'sdn_nets'"),
        ({"nets": None, "sdn_nets": None}, "neither field 'nets' nor 'sdn_nets'"),
        ({"error": {"code": 500, "description": "no database"}}, "with an error: no database"),
        ({"error": "no database"}, "answered with an error"),
    ],
)
def test_an_instance_that_is_none_is_not_one_without_links(classic, old, answer, words):
    ns = classic.service("branch")
    links: list[Any] = [] if old else [("data", "wan-east", {})]
    instance = classic.instance(ns, *SPAN, links=links, old=old)
    classic.osm.ro_details["instances", instance["uuid"]] = answer
    with pytest.raises(UnexpectedResponse, match=words):
        polled(classic, ro=True)


@pytest.mark.parametrize("which", ["list", "action", "tasks"])
@pytest.mark.parametrize("answer", [{}, {"actions": None}, {"error": {"description": "no"}}])
def test_actions_that_are_none_are_not_an_instance_without_links(classic, which, answer):
    ns = classic.service("branch")
    instance = classic.instance(ns, *SPAN, old=True)
    classic.action(instance, ("l", "wan-east", {}))
    path = f"{instance['uuid']}/action"
    (action,) = classic.osm.ro_details["instances", path]["actions"]
    if which == "tasks":
        answer = {"actions": [{**action, **answer}]}
    key = path if which == "list" else f"{path}/{action['uuid']}"
    classic.osm.ro_details["instances", key] = answer
    words = "vim_wim_actions|'actions'|with an error: no"
    with pytest.raises(UnexpectedResponse, match=words):
        polled(classic, ro=True)


@pytest.mark.parametrize("which", ["list", "action"])
def test_actions_that_ro_does_not_have_are_those_of_a_service_that_went(classic, which):
    ns = classic.service("branch")
    instance = classic.instance(ns, *SPAN, old=True)
    classic.action(instance, ("l", "wan-east", {}))
    path = f"{instance['uuid']}/action"
    (action,) = classic.osm.ro_details["instances", path]["actions"]
    key = path if which == "list" else f"{path}/{action['uuid']}"
    del classic.osm.ro_details["instances", key]
    with pytest.raises(UnexpectedResponse, match="RO does not have instance"):
        polled(classic, ro=True)
    ns["nsState"] = "TERMINATING"
    assert polled(classic, ro=True) == []


def test_a_tenant_that_ro_does_not_have_fails_the_poll(classic):
    with pytest.raises(InvalidEvent, match="ro_tenant"):
        main.get(event(classic, ro=True, ro_tenant="other"), Context())


@pytest.mark.parametrize("path", [NS, "vim_accounts", "wim_accounts", "/wims", "/instances/"])
def test_an_answer_that_is_not_had_fails_the_poll(classic, path):
    ns = classic.service("branch")
    classic.instance(ns, *SPAN, links=[("data", "wan-east", {})])
    classic.osm.fault(path, 503)
    with pytest.raises(Unreachable):
        polled(classic, ro=True)


def test_no_secret_comes_out(ng, classic):
    ns = ng.service("branch")
    ng.vld(ns, "data", "a", "b", wims={"wan-east": {}})
    context = Context()
    text = json.dumps(polled(ng, context=context)) + "\n".join(context.lines)
    for secret in ("c1ear-text", "ZW5jOnA=", "example-pass"):
        assert secret not in text


def test_a_wrong_option_is_named(ng):
    with pytest.raises(InvalidEvent, match=r"options.report_missing' should be true or false"):
        polled(ng, report_missing="yes")


def test_damaged_records_are_read_or_refused(classic, monkeypatch):
    """What fetch reads before convert sees it: each field removed, nulled or of another type."""
    classic.site("c")
    ns = classic.service("branch", currentOperation=None, nsd={"vld": [{"id": "data"}]})
    ns["instantiate_params"]["vld"] = [{"name": "data", "wimAccountId": None}]
    ports = [{"device_id": "a", "switch_id": "sw", "switch_port": "1", "vlan": 1}]
    classic.vld(ns, "data", "a", "b", wims={"wan-east": {"sdn-ports": ports}})
    classic.vld(ns, "voice", "a", "b")
    instance = classic.instance(ns, *SPAN, links=[("data", "wan-east", {})])
    ns["deploymentStatus"] = instance
    record = json.loads(json.dumps(ns))
    lists = {"vim": classic.osm.lists["vim_accounts"], "wim": classic.osm.lists["wim_accounts"]}
    session = mock.create_autospec(provider.Session, options={"report_missing": True})
    session.workers = a_poll("wan_links").workers
    scope = provider.Scope("p", session)
    monkeypatch.setattr(provider, "has_ro", lambda scope: False)
    monkeypatch.setattr(provider, "log_out", lambda scope: None)
    monkeypatch.setattr(provider, "listed", lambda scope, kind: lists[kind])
    refused = read = 0
    for damaged, what in damage(record):
        lists["ns"] = [damaged]
        try:
            pages = list(wan_links.fetch_status(scope, None))
        except UnexpectedResponse as error:
            assert str(error).startswith(f"NS {damaged.get('_id')}: "), what
            assert "field" in str(error) or "object" in str(error), what
            refused += 1
            continue
        try:
            for page in pages:
                for each in page.records:
                    if "wim_id" not in each:
                        wan_links.convert(each, scope, page.lookups)
                    assert list(wan_links.status(each, scope, page.lookups)) is not None
            read += 1
        except UnexpectedResponse as error:
            assert "field" in str(error) or "object" in str(error), what
            refused += 1
    assert refused > 100 and read > 100


def test_damaged_accounts_are_read_or_refused(classic):
    wim = {**classic.osm.lists["wim_accounts"][0]}
    ng_port = {"datacenter_id": "a", "device_id": "sw", "device_interface_id": 1}
    grouped = {"datacenter_name": "b", "pop_wan_mappings": [{"device_id": "x"}]}
    wim["config"] = {"wim_port_mapping": [ng_port, grouped]}
    refused = 0
    for damaged, what in damage(json.loads(json.dumps(wim))):
        try:
            wan_accounts.Accounts(classic.osm.lists["vim_accounts"], [damaged]).wims()
        except UnexpectedResponse as error:
            assert str(error).startswith(f"WIM account {damaged.get('_id')}: "), what
            assert "field" in str(error) or "object" in str(error), what
            refused += 1
    assert refused > 10


# --- the simulator --------------------------------------------------------------------------------


def test_what_the_simulator_makes_has_the_recorded_fields(classic):
    ns = classic.service("branch")
    made = classic.instance(ns, *SPAN, links=[("data", "wan-east", {})])
    recorded = RO["link_active"]["answer"]
    assert made["nets"][0].keys() == recorded["nets"][0].keys()
    assert made["sdn_nets"][0].keys() == recorded["sdn_nets"][0].keys()
    wim = classic.osm.ro_details["wims", id_("ro-wim", "wan-east")]["wim"]
    recorded = RO["wim_get"]["answer"]["wim"]
    assert wim.keys() == recorded.keys()
    mapping, of_ro = (each["config"]["wim_port_mapping"][0] for each in (wim, recorded))
    assert mapping.keys() == of_ro.keys()
    assert mapping["pop_wan_mappings"][0].keys() == of_ro["pop_wan_mappings"][0].keys()


def test_the_recorded_instance_gives_its_link(classic):
    """The answer of a real RO, with a service's record that names it."""
    answer = copy.deepcopy(RO["link_active"]["answer"])
    wim = copy.deepcopy(RO["wim_get"]["answer"])
    datacenters = RO["dcs"]["answer"]["datacenters"]
    osm = classic.osm
    osm.ro["tenants"] = RO["tenants"]["answer"]["tenants"]
    osm.ro["datacenters"], osm.ro["wims"] = datacenters, RO["wims_any"]["answer"]["wims"]
    osm.ro_details["wims", wim["wim"]["uuid"]] = wim
    osm.ro_details["instances", answer["uuid"]] = answer
    ns = classic.service("inst1")
    ns["_admin"]["deployed"] = {"RO": {"nsr_id": answer["uuid"]}}
    found = the_one(classic, ro=True)
    assert found["id"] == answer["sdn_nets"][0]["uuid"]
    assert facts(found) == {
        "type_id": "wan_link",
        "carrier": "wan-east",
        "reference": answer["sdn_nets"][0]["wim_internal_id"],
        "endpoint_a": "site-a (sw-site-a p1)",
        "endpoint_b": "site-b (sw-site-b p1)",
    }
    assert linked_to(found) == []  # its VIM had deleted both networks by then
    assert meta(found)["wim_info"] == {"note": "provisioning", "vlan": 120}


def test_a_dropped_record_says_why():
    link = {"uuid": "l", "wim_id": "w", "status": "DELETED"}
    record = {"ns": {"_id": "s"}, "sdn_net": link, "nets": [], "source": "RO"}
    now = datetime.datetime.now(datetime.timezone.utc)
    lookups = Lookups(wan_accounts.Accounts([], []), {}, now)
    assert links.convert(record, lookups) == Dropped("deleted")
