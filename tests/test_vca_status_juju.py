"""VCA status as Juju has it: whole polls of the simulator, and what each of Juju's words comes to."""

import copy

import pytest

from modules.vca_status import juju as cell
from modules.vca_status import main
from shared.engine.errors import InsufficientPermission, OutOfTime, UnexpectedResponse
from shared.records.fields import parse_time
from shared.transport import http
from shared.vca import parse_ee_id
from tests.fakes import juju as fakes
from tests.fakes.context import Context
from tests.test_juju import poll as polled
from tests.test_juju_servers import poll as get

NS = "3f2a0c11-0000-4abc-8def-0123456789ab"
JUST_NOW = "2026-03-02T09:44:00Z"  # a minute before the simulator's own time


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(http, "FIRST_DELAY_S", 0)


@pytest.fixture
def controller():
    made = fakes.Controller(
        "3.6", [fakes.Model("ns-vnf", contents=fakes.vnf(), readers=["reader"])]
    )
    yield made
    made.stop()


def poll(controller, user="admin", **more):
    found = get(controller, user, family="vca_status", **more)
    return {each["id"]: each for each in found}


def facts(resource):
    return resource["metadata"]["provider_specific"]


def connected(resource, type_="service_offering"):
    return [each["id"] for each in resource["connections"].get(type_, [])]


def model_of(controller):
    (model,) = controller.models.values()
    return model


def points(controller, **more):
    """The status points of all models, as the engine would gather them."""
    found = {}
    for scope in polled(controller, **more).scopes():
        for page in cell.fetch(scope):
            for record in page.records:
                for point in cell.status(record, scope, page.lookups):
                    assert point.resource_type == "service_offering"
                    assert point.message and "\n" not in point.message
                    found[point.resource_id] = point
    return found


# --- resources --------------------------------------------------------------------------------------


def test_applications_and_units(controller):
    found = poll(controller)
    kinds = {id_: each["details"]["service_offering"]["type_id"] for id_, each in found.items()}
    assert kinds == {
        "admin/ns-vnf:application:log-agent": "vca_application",
        "admin/ns-vnf:application:vnf-db": "vca_application",
        "admin/ns-vnf:application:vnf-proxy": "vca_application",
        "admin/ns-vnf:unit:log-agent/0": "vca_unit",
        "admin/ns-vnf:unit:vnf-db/0": "vca_unit",
        "admin/ns-vnf:unit:vnf-proxy/0": "vca_unit",
        "admin/ns-vnf:unit:vnf-proxy/1": "vca_unit",
    }
    assert {each["type"] for each in found.values()} == {"service_offering"}
    assert found["admin/ns-vnf:unit:vnf-db/0"]["base"]["name"] == "vnf-db/0"
    assert controller.calls["Client.FullStatus"] == 1


def test_what_an_application_says(controller):
    said = facts(poll(controller)["admin/ns-vnf:application:vnf-db"])
    assert said["model"] == "admin/ns-vnf"
    assert said["model_uuid"] == model_of(controller).uuid
    assert said["model_status"] == "available"
    assert said["juju_status"] == "error"
    assert said["juju_message"] == 'hook failed: "config-changed"'
    assert said["osm_status"] == "failed"
    assert said["health"] == "failed"
    assert said["since"] == "2026-03-02T09:12:11Z"
    assert said["as_of"] == "2026-03-02T09:45:00Z"
    assert said["age_s"] == 32 * 60 + 48
    assert said["charm"] == "ch:amd64/jammy/vnf-db-12"
    assert said["units"] == ["vnf-db/0"]
    assert said["ee_ids"] == ["ns-vnf.vnf-db.0/lxd/0"]
    assert [each["key"] for each in said["relations"]] == ["vnf-db:server vnf-proxy:db"]


def test_what_a_unit_says(controller):
    said = facts(poll(controller)["admin/ns-vnf:unit:vnf-proxy/1"])
    assert said["application"] == "vnf-proxy"
    assert said["juju_status"] == "waiting"
    assert said["juju_message"] == "waiting for machine"
    assert said["osm_status"] == "running"
    assert said["health"] == "failed", "its machine never came"
    assert said["agent_status"] == "allocating"
    assert said["machine"] == "1"
    assert said["machine_status"] == "pending"
    assert said["instance_status"] == "provisioning error"
    assert "zone" in said["instance_message"]
    assert said["ee_id"] == "ns-vnf.vnf-proxy.1"
    assert parse_ee_id(said["ee_id"]).machine == "1"


def test_servers_that_units_are_on_are_those_of_the_servers_family(controller):
    found = poll(controller)
    assert connected(found["admin/ns-vnf:unit:vnf-db/0"], "server") == [
        "admin/ns-vnf:machine:0/lxd/0"
    ]
    assert connected(found["admin/ns-vnf:application:vnf-proxy"], "server") == [
        "admin/ns-vnf:machine:0",
        "admin/ns-vnf:machine:1",
    ]
    servers = {each["id"] for each in get(controller)}
    for each in found.values():
        assert set(connected(each, "server")) <= servers


def test_a_machine_that_the_status_does_not_have_is_no_server(controller):
    contents = {"applications": {"vnf": fakes.application("vnf", {"vnf/0": fakes.unit("7")})}}
    model_of(controller).contents = contents
    for resource in poll(controller).values():
        assert connected(resource, "server") == []


def test_relations_connect_both_applications(controller):
    found = poll(controller)
    of = "admin/ns-vnf:application:"
    assert connected(found[f"{of}vnf-proxy"]) == [f"{of}log-agent", f"{of}vnf-db"]
    assert connected(found[f"{of}vnf-db"]) == [f"{of}vnf-proxy"]
    for each in found.values():
        assert set(connected(each)) <= found.keys()


def test_a_peer_relation_connects_nothing(controller):
    model = model_of(controller)
    model.contents = {
        "applications": {"db": fakes.application("db", {}, relations={"cluster": ["db"]})},
        "relations": [fakes.relation(0, "db-peer", ("db", "cluster", "peer"))],
    }
    (resource,) = poll(controller).values()
    assert resource["connections"] == {}
    assert facts(resource)["relations"][0]["key"] == "db:cluster"


def test_subordinates_are_on_their_principals_machine(controller):
    found = poll(controller)
    unit = found["admin/ns-vnf:unit:log-agent/0"]
    assert connected(unit, "server") == ["admin/ns-vnf:machine:0"]
    assert connected(unit) == [
        "admin/ns-vnf:application:log-agent",
        "admin/ns-vnf:unit:vnf-proxy/0",
    ]
    assert facts(unit)["principal"] == "vnf-proxy/0"
    application = found["admin/ns-vnf:application:log-agent"]
    assert facts(application)["units"] == ["log-agent/0"], "though its own unit list is null"
    assert facts(application)["subordinate_to"] == ["vnf-proxy"]


def test_one_subordinate_application_on_several_principals(controller):
    model = model_of(controller)
    model.contents = {
        "machines": {"0": fakes.machine(0), "1": fakes.machine(1)},
        "applications": {
            "a": fakes.application(
                "a", {"a/0": fakes.unit("0", subordinates={"log/0": fakes.unit("")})}
            ),
            "b": fakes.application(
                "b",
                {
                    "b/0": fakes.unit("1", subordinates={"log/1": fakes.unit("")}),
                    "b/1": fakes.unit("0", subordinates={"log/2": fakes.unit("")}),
                },
            ),
            "log": fakes.application("log", None, **{"subordinate-to": ["a", "b"]}),
        },
    }
    found = poll(controller)
    assert facts(found["admin/ns-vnf:application:log"])["units"] == ["log/0", "log/1", "log/2"]
    assert [facts(found[f"admin/ns-vnf:unit:log/{n}"])["principal"] for n in range(3)] == [
        "a/0",
        "b/0",
        "b/1",
    ]
    assert facts(found["admin/ns-vnf:unit:log/1"])["machine"] == "1"


def test_500_units_in_one_call(controller):
    model_of(controller).contents = fakes.of_size(500)
    found = poll(controller)
    assert len(found) == 501
    assert controller.calls["Client.FullStatus"] == 1
    assert len(connected(found["admin/ns-vnf:application:vnf"], "server")) == 50


@pytest.mark.parametrize("units", [None, {}])
def test_no_units(controller, units):
    unset = fakes.application("idle", units, status=fakes.state("unset"))
    model_of(controller).contents = {"applications": {"idle": unset}}
    (resource,) = poll(controller).values()
    assert facts(resource)["osm_status"] == "unknown"
    assert facts(resource)["health"] == "unknown"
    assert "units" not in facts(resource)


def test_no_applications(controller):
    model_of(controller).contents = {"applications": None, "machines": None}
    assert poll(controller) == {}


def test_kubernetes(controller):
    model_of(controller).contents = fakes.kubernetes()
    found = poll(controller)
    unit = found["admin/ns-vnf:unit:amf/0"]
    assert unit["connections"] == {"service_offering": [{"id": "admin/ns-vnf:application:amf"}]}
    assert facts(unit)["ee_id"] == "ns-vnf.amf.k8s"
    assert facts(unit)["address"] == "10.1.44.7"
    assert facts(unit)["health"] == "degraded"
    assert facts(found["admin/ns-vnf:application:amf"])["scale"] == 1


@pytest.mark.parametrize("flavour", ["2.9", "3.3", "4.0"])
def test_all_flavours_tell_the_same(flavour, controller):
    other = fakes.Controller(flavour, [fakes.Model("ns-vnf", contents=fakes.vnf())])
    try:
        theirs = poll(other)
    finally:
        other.stop()
    for id_, ours in poll(controller).items():
        said = {**facts(theirs[id_]), "life": None}
        assert said == {**facts(ours), "life": None}
        assert theirs[id_]["connections"] == ours["connections"]


# --- names that OSM gave ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "application, told",
    [
        ("app-vnf-vnf1", {"vnf": "vnf1"}),
        ("app-vnf-vnf1-vdu-vdu1-cnt-z0", {"vnf": "vnf1", "vdu_id": "vdu1", "vdu_count_index": 0}),
        (
            "app-vnf-3f2a-z0042-vdu-mgmt-vm-cnt-z12",
            {"vnf": "3f2a-0042", "vdu_id": "mgmt-vm", "vdu_count_index": 12},
        ),
        ("app-vnf-z1", {"vnf": "1"}),
        ("app-vnf-zeta", {"vnf": "zeta"}),
        ("simple-ee-z0-vnf2-vnf", {"member_vnf_index": "vnf2"}),
        (
            "simple-ee-z0-vnf2-datavm-z3-vdu",
            {"member_vnf_index": "vnf2", "vdu_id": "datavm", "vdu_count_index": 3},
        ),
        ("simple-ee-z0-vnf-2-data-vm-z3-vdu", {}),
        ("simple-ns", {}),
        ("postgresql", {}),
    ],
)
def test_what_an_applications_name_tells(application, told):
    assert cell.osm_names(f"admin/{NS}", application) == {"ns_id": NS, **told}


def test_a_model_that_is_no_ns_tells_nothing():
    assert cell.osm_names("admin/default", "app-vnf-vnf1") == {}


def test_names_of_an_ns_in_a_poll(controller):
    name = "app-vnf-vnf1-vdu-vdu1-cnt-z0"
    contents = {"applications": {name: fakes.application(name, {f"{name}/0": fakes.unit("")})}}
    model = fakes.Model(NS, contents=contents)
    controller.models = {model.uuid: model}
    for resource in poll(controller).values():
        told = {key: facts(resource)[key] for key in ("ns_id", "vnf", "vdu_id", "vdu_count_index")}
        assert told == {"ns_id": NS, "vnf": "vnf1", "vdu_id": "vdu1", "vdu_count_index": 0}


# --- relations with other models --------------------------------------------------------------------


class TestCrossModel:
    """Model "core" of adam takes what admin/ns-vnf offers."""

    URL = "admin/ns-vnf.vnf-proxy-api"

    @pytest.fixture
    def core(self, controller):
        remote = {
            "offer-url": self.URL,
            "offer-name": "proxy",
            "endpoints": [{"name": "api", "role": "provider", "interface": "http", "limit": 0}],
            "life": "",
            "relations": {},
            "status": fakes.state("active"),
        }
        contents = {
            "applications": {
                "web": fakes.application(
                    "web", {"web/0": fakes.unit("")}, relations={"api": ["proxy"]}
                ),
                "other": fakes.application("other", {}),
            },
            "remote-applications": {"proxy": remote},
            "relations": [
                fakes.relation(0, "http", ("web", "api", "requirer"), ("proxy", "api", "provider"))
            ],
        }
        model = fakes.Model("core", "adam", contents=contents)
        controller.models[model.uuid] = model
        return model

    def test_connects_to_the_application_that_is_offered(self, controller, core):
        found = poll(controller)
        web = found["adam/core:application:web"]
        assert connected(web) == ["admin/ns-vnf:application:vnf-proxy"]
        assert facts(web)["remote_applications"] == [
            {"name": "proxy", "url": self.URL, "status": "active"}
        ]
        assert connected(found["adam/core:application:other"]) == []
        offered = facts(found["admin/ns-vnf:application:vnf-proxy"])["offers"]
        assert offered == [{"name": "vnf-proxy-api", "endpoints": ["api"], "connected": 2}]

    def test_takes_no_second_call_to_a_model(self, controller, core):
        """Not even where what is offered is asked for before the model itself is read."""
        found = poll(controller, context=Context(scopes_at_once=1))
        assert next(iter(found)).startswith("adam/core")
        assert connected(found["adam/core:application:web"])
        assert controller.calls["Client.FullStatus"] == 2

    @pytest.mark.parametrize(
        "url",
        ["ctrl-b:admin/ns-vnf.vnf-proxy-api", "admin/ns-vnf.gone", "admin/elsewhere.x", "x", None],
    )
    def test_of_what_is_not_in_this_poll_connects_nothing(self, controller, core, url):
        core.contents["remote-applications"]["proxy"]["offer-url"] = url
        assert connected(poll(controller)["adam/core:application:web"]) == []

    def test_with_a_model_that_is_not_polled(self, controller, core):
        found = poll(controller, models=["core"])
        assert connected(found["adam/core:application:web"]) == []
        assert controller.calls["Client.FullStatus"] == 1

    def test_with_a_model_that_goes_meanwhile(self, controller, core):
        (offering,) = (each for each in controller.models.values() if each is not core)
        offering.refusal = fakes.model_not_found(offering.uuid)
        found = poll(controller)
        assert set(found) == {
            "adam/core:application:other",
            "adam/core:application:web",
            "adam/core:unit:web/0",
        }
        assert connected(found["adam/core:application:web"]) == []

    def test_with_a_model_that_may_not_be_read(self, controller, core):
        (offering,) = (each for each in controller.models.values() if each is not core)
        offering.refusal = fakes.DENIED
        with pytest.raises(InsufficientPermission) as caught:
            poll(controller)
        assert str(caught.value).startswith("admin/ns-vnf: ")

    def test_of_two_models_with_each_other(self, controller, core):
        (offering,) = (each for each in controller.models.values() if each is not core)
        offering.contents = copy.deepcopy(core.contents)
        url = "adam/core.web"
        offering.contents["remote-applications"]["proxy"]["offer-url"] = url
        offer = {"offer-name": "web", "application-name": "web", "endpoints": {}}
        core.contents["offers"] = {"web": offer}
        found = poll(controller)
        assert connected(found["admin/ns-vnf:application:web"]) == ["adam/core:application:web"]
        assert controller.calls["Client.FullStatus"] == 2


# --- status points ----------------------------------------------------------------------------------


def test_a_point_a_resource(controller):
    found = points(controller)
    assert found.keys() == poll(controller).keys()
    point = found["admin/ns-vnf:unit:vnf-db/0"]
    assert point.level == "error"
    assert point.message.startswith('unit is error (hook failed: "config-changed")')
    assert point.time == parse_time("2026-03-02T09:12:11.402913Z")
    levels = {id_.partition(":")[2]: each.level for id_, each in found.items()}
    assert levels == {
        "application:log-agent": "ok",
        "application:vnf-db": "error",
        "application:vnf-proxy": "error",  # a machine never came
        "unit:log-agent/0": "ok",
        "unit:vnf-db/0": "error",
        "unit:vnf-proxy/0": "ok",
        "unit:vnf-proxy/1": "error",
    }


def one(
    controller,
    workload="active",
    agent="idle",
    machine="started",
    instance="running",
    since=JUST_NOW,
    **model,
):
    """A poll of a model with one unit in this state: facts of the unit, and its point."""
    made = {
        "machines": {
            "0": fakes.machine(
                0,
                **{
                    "agent-status": fakes.state(machine, since=since),
                    "instance-status": fakes.state(instance, since=since),
                },
            )
        },
        "applications": {
            "vnf": fakes.application(
                "vnf",
                {
                    "vnf/0": fakes.unit(
                        "0",
                        **{
                            "workload-status": fakes.state(workload, since=since),
                            "agent-status": fakes.state(agent, since=since),
                        },
                    )
                },
                status=fakes.state(workload, since=since),
            )
        },
    }
    model_of(controller).contents = {**made, **model}
    said = facts(poll(controller)["admin/ns-vnf:unit:vnf/0"])
    found = points(controller)
    return said, found["admin/ns-vnf:unit:vnf/0"], found["admin/ns-vnf:application:vnf"]


@pytest.mark.parametrize(
    "word, osm, health, level",
    [
        ("active", "completed", "ok", "ok"),
        ("waiting", "running", "in_progress", "ok"),
        ("maintenance", "running", "in_progress", "ok"),
        ("blocked", "running", "degraded", "warning"),
        ("error", "failed", "failed", "error"),
        ("terminated", "failed", "failed", "error"),
        ("unknown", "unknown", "unknown", "unknown"),
        ("unset", "unknown", "unknown", "unknown"),
        ("brand-new", "unknown", "unknown", "unknown"),
    ],
)
def test_each_word_of_a_workload(controller, word, osm, health, level):
    said, of_unit, of_application = one(controller, workload=word)
    assert (said["juju_status"], said["osm_status"], said["health"]) == (word, osm, health)
    assert (of_unit.level, of_application.level) == (level, level)
    assert of_unit.time == parse_time(JUST_NOW)


@pytest.mark.parametrize(
    "word, health, level",
    [
        ("idle", "ok", "ok"),
        ("executing", "in_progress", "ok"),
        ("allocating", "in_progress", "ok"),
        ("rebooting", "in_progress", "ok"),
        ("lost", "failed", "error"),
        ("failed", "failed", "error"),
        ("error", "failed", "error"),
        ("brand-new", "unknown", "unknown"),
    ],
)
def test_each_word_of_an_agent(controller, word, health, level):
    said, of_unit, of_application = one(controller, agent=word)
    assert (said["agent_status"], said["osm_status"], said["health"]) == (word, "completed", health)
    assert (of_unit.level, of_application.level) == (level, level)


@pytest.mark.parametrize(
    "word, health, level",
    [
        ("started", "ok", "ok"),
        ("pending", "in_progress", "ok"),
        ("down", "failed", "error"),
        ("error", "failed", "error"),
        ("stopped", "failed", "error"),
        ("brand-new", "unknown", "unknown"),
    ],
)
def test_each_word_of_a_machine(controller, word, health, level):
    said, of_unit, of_application = one(controller, machine=word)
    assert (said["machine_status"], said["health"]) == (word, health)
    assert (of_unit.level, of_application.level) == (level, level)


@pytest.mark.parametrize(
    "word, health, level",
    [
        ("running", "ok", "ok"),
        ("", "ok", "ok"),
        ("pending", "in_progress", "ok"),
        ("allocating", "in_progress", "ok"),
        ("provisioning error", "failed", "error"),
        ("error", "failed", "error"),
        ("unknown", "unknown", "unknown"),
    ],
)
def test_each_word_of_an_instance(controller, word, health, level):
    said, of_unit, of_application = one(controller, instance=word)
    assert said["health"] == health
    assert (of_unit.level, of_application.level) == (level, level)


@pytest.mark.parametrize(
    "word, level",
    [
        ("available", "ok"),
        ("busy", "ok"),
        ("destroying", "ok"),
        ("suspended", "warning"),
        ("error", "error"),
        ("brand-new", "unknown"),
    ],
)
def test_each_word_of_a_model_is_told_at_its_applications(controller, word, level):
    status = fakes.state(word, "the credential is not valid", since=JUST_NOW)
    model = {"name": "ns-vnf", "type": "iaas", "model-status": status}
    _, of_unit, of_application = one(controller, model=model)
    assert of_unit.level == "ok"
    assert of_application.level == level
    if level in ("warning", "error"):
        assert of_application.message.startswith(f"model is {word} (the credential is not valid)")


def test_what_is_in_progress_for_long_is_stuck(controller):
    said, point, _ = one(controller, workload="maintenance", since="2026-03-02T09:00:00Z")
    assert said["health"] == "degraded"
    assert said["osm_status"] == "running"
    assert point.level == "warning"
    assert point.message == "unit is maintenance, stuck since 2026-03-02T09:00:00Z"


def test_nobody_knows_since_when(controller):
    said, point, _ = one(controller, since=None)
    assert "since" not in said and "age_s" not in said
    assert point.time is None
    assert point.message == "unit is active"


def test_nothing_was_said_yet(controller):
    _, point, _ = one(controller, workload="", agent="", machine="", instance="")
    assert (point.level, point.message, point.time) == ("unknown", "no status yet", None)


def test_a_status_poll_of_one_resource(controller):
    event = {
        "provider": "juju",
        "credentials": controller.credentials(),
        "resource": {"id": "admin/ns-vnf:unit:vnf-db/0", "type": "service_offering"},
    }
    answer = main.get_status(event, Context())
    assert answer["status"] == [
        {
            "resource_id": "admin/ns-vnf:unit:vnf-db/0",
            "resource_type": "service_offering",
            "level": "error",
            "message": 'unit is error (hook failed: "config-changed"), since 2026-03-02T09:12:11Z',
            "time": "2026-03-02T09:12:11.402913Z",
        }
    ]


# --- faults -----------------------------------------------------------------------------------------


def test_a_model_that_may_not_be_read_fails_the_poll_and_is_named(controller):
    hidden = fakes.Model("hidden", contents=fakes.of_size(1))
    hidden.refusal = fakes.DENIED
    controller.models[hidden.uuid] = hidden
    with pytest.raises(InsufficientPermission) as caught:
        poll(controller)
    assert str(caught.value).startswith("admin/hidden: ")


def test_a_model_that_goes_after_it_was_listed_is_left_out(controller):
    gone = fakes.Model("gone", contents=fakes.of_size(10))
    gone.refusal = fakes.model_not_found(gone.uuid)
    controller.models[gone.uuid] = gone
    assert len(poll(controller)) == 7


def test_a_controller_that_never_answers(controller):
    controller.fail("Client.FullStatus", fakes.STALL)
    with pytest.raises(OutOfTime):
        poll(controller, options={"deadline_s": 0.5})


@pytest.mark.parametrize(
    "applications, said",
    [
        ({"vnf": fakes.application("vnf", {"vnf": fakes.unit("0")})}, "unit 'vnf' is not named"),
        ({"vnf": fakes.application("vnf", {"vnf/0": 7})}, "vnf/0' should be an object"),
        ({"vnf": fakes.application("vnf", {"vnf/0": fakes.unit(0)})}, "'machine' should be text"),
        ([], "'applications' should be an object"),
    ],
)
def test_a_status_of_another_form_is_refused(controller, applications, said):
    model_of(controller).contents = {"applications": applications}
    with pytest.raises(UnexpectedResponse) as caught:
        poll(controller)
    assert str(caught.value).startswith("admin/ns-vnf: ")
    assert said in str(caught.value)


def test_credentials_are_validated(controller):
    event = {"provider": "juju", "credentials": controller.credentials()}
    assert main.validate_credentials(event, Context())["ok"] is True
