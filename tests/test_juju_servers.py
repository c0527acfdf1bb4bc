"""Juju's machines as servers: the cell on records, and whole polls of the simulator."""

import importlib
import json
from unittest import mock

import freezegun
import pytest

from modules.servers import juju as cell
from shared import vca
from shared.engine.errors import (
    IncompletePoll,
    InsufficientPermission,
    InvalidCredentials,
    OutOfTime,
    UnexpectedResponse,
    Unreachable,
)
from shared.providers import juju
from shared.transport import http, websocket
from tests.fakes import juju as fakes
from tests.fakes.context import Context

MODEL = "admin/ns-vnf"
GIB = 2**30


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


def poll(controller, user="admin", context=None, options=None, family="servers", **more):
    event = {
        "account_id": "acc",
        "provider": "juju",
        "credentials": controller.credentials(user, **more),
        "options": options or {},
    }
    handlers = importlib.import_module(f"modules.{family}.main")
    return handlers.get(event, context or Context())


def scope(**summary):
    session = mock.create_autospec(juju.Session)
    return juju.Scope(MODEL, "c0ffee00", {"cloud-region": "RegionOne", **summary}, session)


def convert(record, **summary):
    return cell.convert(record, scope(**summary), None).serialize()


def details(record):
    return convert(record)["details"]["server"]


# --- one machine ------------------------------------------------------------------------------------


def test_a_machine():
    resource = convert(fakes.machine(7))
    assert resource["type"] == "server"
    assert resource["id"] == "admin/ns-vnf:machine:7"
    assert resource["base"]["name"] == "juju-ab12cd-7"
    assert resource["base"]["regions"] == [{"id": "RegionOne"}]
    assert resource["connections"] == {}
    assert resource["details"]["server"] == {
        "cpu_cores": 2,
        "cpu_hz": None,
        "ram_b": 4 * GIB,
        "volumes_b": 40 * GIB,
        "instance_type": None,
        "state": "running",
        "provider_state": "running",
        "is_virtual": True,
        "image_detail": {
            "id": "ubuntu@22.04",
            "name": "ubuntu 22.04",
            "type": "Linux",
            "distribution": "ubuntu",
            "version": "22.04",
            "architecture": "amd64",
        },
        "ip_addresses": [
            {"ip_address": "192.0.2.7"},
            {"ip_address": "10.40.7.7", "description": "ens3"},
        ],
    }


def test_what_cmp_has_no_field_for():
    said = convert(fakes.machine(7))["metadata"]["provider_specific"]
    assert said["model"] == MODEL
    assert said["model_uuid"] == "c0ffee00"
    assert said["machine"] == "7"
    assert said["zone"] == "zone A"
    assert said["instance-id"] == fakes.machine(7)["instance-id"]
    assert said["agent-status"]["status"] == "started"
    assert said["instance-status"]["info"] == "ACTIVE"
    assert said["network-interfaces"]["ens3"]["space"] == "mgmt"
    assert "containers" not in said


def test_a_container_is_in_its_machine():
    resource = convert(fakes.container("0/lxd/1"))
    assert resource["id"] == "admin/ns-vnf:machine:0/lxd/1"
    assert resource["connections"] == {"server": [{"id": "admin/ns-vnf:machine:0"}]}
    server = resource["details"]["server"]
    assert server["is_virtual"] is True
    assert (server["cpu_cores"], server["ram_b"], server["volumes_b"]) == (None, None, None)


def test_a_container_in_a_container():
    resource = convert(fakes.container("0/lxd/1/lxd/2"))
    assert resource["connections"] == {"server": [{"id": "admin/ns-vnf:machine:0/lxd/1"}]}


def test_a_machine_that_never_came():
    resource = convert(fakes.pending_machine(1))
    assert resource["base"]["name"] == "admin/ns-vnf:machine:1"
    server = resource["details"]["server"]
    assert server["state"] == "stopped"
    assert server["provider_state"] == "provisioning error"
    assert "is_virtual" not in server
    assert server["ip_addresses"] == []
    assert server["ram_b"] is None


@pytest.mark.parametrize(
    "instance, agent, life, state, word",
    [
        ("running", "started", "", "running", "running"),
        ("running", "down", "", "running", "running"),
        ("running", "pending", "alive", "running", "running"),
        ("allocating", "pending", "", "pending", "allocating"),
        ("pending", "pending", "", "pending", "pending"),
        ("provisioning error", "pending", "", "stopped", "provisioning error"),
        ("error", "started", "", "stopped", "error"),
        ("", "started", "", "running", "started"),
        ("unknown", "started", "", "running", "started"),
        ("", "pending", "", "pending", "pending"),
        ("", "stopped", "", "stopped", "stopped"),
        ("", "down", "", "stopped", "down"),
        ("", "error", "", "stopped", "error"),
        ("unknown", "", "", "unknown", "unknown"),
        ("", "", "", "unknown", "unknown"),
        ("hibernated", "started", "", "unknown", "hibernated"),
        ("", "new word", "", "unknown", "new word"),
        ("running", "started", "dying", "shutting", "dying"),
        ("running", "stopped", "dead", "terminated", "dead"),
    ],
)
def test_states(instance, agent, life, state, word):
    record = fakes.machine(0)
    record["instance-status"] = fakes.state(instance)
    record["agent-status"] = fakes.state(agent, life=life)
    server = details(record)
    assert (server["state"], server["provider_state"]) == (state, word)


@pytest.mark.parametrize(
    "word", sorted({word for kind in ("machine", "instance") for word in vca.HEALTH[kind]})
)
def test_each_word_that_juju_has_for_a_machine_is_a_state(word):
    record = fakes.machine(0)
    record["instance-status"], record["agent-status"] = fakes.state(word), fakes.state("")
    assert details(record)["state"] != "unknown"


@pytest.mark.parametrize(
    "text, found",
    [
        ("", {}),
        ("arch=amd64 cores=2", {"arch": "amd64", "cores": "2"}),
        ('availability-zone="zone A" mem=1M', {"availability-zone": "zone A", "mem": "1M"}),
        ('tags=virtual,"rack 3, left" cores=1', {"tags": 'virtual,"rack 3, left"', "cores": "1"}),
        (r'availability-zone="a\"b" cores=1', {"availability-zone": 'a"b', "cores": "1"}),
        ('tags="a b","c d"', {"tags": '"a b","c d"'}),
        ("virt-type=kvm image-id=", {"virt-type": "kvm", "image-id": ""}),
        ("nonsense", {}),
    ],
)
def test_hardware_is_scanned(text, found):
    assert cell.parse_hardware(text) == found


@pytest.mark.parametrize(
    "hardware, cores, ram, disk",
    [
        ("arch=amd64 cores=1 cpu-power=138 mem=1700M root-disk=10240M", 1, 1700 * 2**20, 10 * GIB),
        ("arch=amd64 cpu-cores=4 mem=8G root-disk=0.5T", 4, 8 * GIB, 512 * GIB),
        ("cores=two mem=much root-disk=", None, None, None),
        ("mem=512", None, 512 * 2**20, None),
        ("", None, None, None),
    ],
)
def test_sizes(hardware, cores, ram, disk):
    server = details(fakes.machine(0, hardware=hardware))
    assert (server["cpu_cores"], server["ram_b"], server["volumes_b"]) == (cores, ram, disk)


@pytest.mark.parametrize(
    "base, series, id_, kind, distribution, version",
    [
        (
            {"name": "ubuntu", "channel": "24.04/stable"},
            None,
            "ubuntu@24.04",
            "Linux",
            "ubuntu",
            "24.04",
        ),
        (
            {"name": "ubuntu", "channel": "24.04"},
            "jammy",
            "ubuntu@24.04",
            "Linux",
            "ubuntu",
            "24.04",
        ),
        (None, "bionic", "ubuntu@18.04", "Linux", "ubuntu", "18.04"),
        (None, "centos7", "centos@7", "Linux", "centos", "7"),
        (None, "win2012r2", "win2012r2", "Windows", None, None),
        (None, "later", "later", "Linux", None, None),
    ],
)
def test_base_and_series(base, series, id_, kind, distribution, version):
    image = details(fakes.machine(0, base=base, series=series))["image_detail"]
    assert image["id"] == id_
    assert image["name"]
    assert image["type"] == kind
    assert (image["distribution"], image["version"]) == (distribution, version)


def test_no_base_at_all():
    assert details(fakes.machine(0, base=None))["image_detail"] is None


def test_addresses_that_only_a_device_has():
    record = fakes.machine(3, **{"ip-addresses": None})
    assert details(record)["ip_addresses"] == [{"ip_address": "10.40.7.3", "description": "ens3"}]


def test_no_region():
    assert convert(fakes.machine(0), **{"cloud-region": None})["base"]["regions"] == []


# --- whole polls ------------------------------------------------------------------------------------


def ids(resources):
    return [each["id"] for each in resources]


@pytest.mark.parametrize("flavour", ["2.9", "3.3", "3.6", "4.0"])
def test_machines_and_containers_of_all_models(flavour):
    inner = fakes.container("0/lxd/0/lxd/3")
    outer = fakes.container("0/lxd/0", containers={"0/lxd/0/lxd/3": inner})
    deep = {"machines": {"0": fakes.machine(0, containers={"0/lxd/0": outer})}}
    controller = fakes.Controller(
        flavour,
        [
            fakes.Model("ns-vnf", contents=fakes.vnf()),
            fakes.Model("ns-deep", "bob", contents=deep),
            fakes.Model("ns-k8s", contents=fakes.kubernetes()),
            fakes.Model("ns-empty"),
        ],
    )
    try:
        found = poll(controller)
    finally:
        controller.stop()
    assert ids(found) == [
        "admin/ns-vnf:machine:0",
        "admin/ns-vnf:machine:0/lxd/0",
        "admin/ns-vnf:machine:1",
        "bob/ns-deep:machine:0",
        "bob/ns-deep:machine:0/lxd/0",
        "bob/ns-deep:machine:0/lxd/0/lxd/3",
    ]
    assert controller.calls["Client.FullStatus"] == 4
    bases = {each["details"]["server"]["image_detail"]["id"] for each in found}
    assert bases == {"ubuntu@22.04"}
    parents = [each["connections"].get("server", [{}])[0].get("id") for each in found]
    assert {each for each in parents if each} <= set(ids(found))
    assert parents[-1] == "bob/ns-deep:machine:0/lxd/0"


def test_the_same_state_gives_the_same_bytes(controller):
    with freezegun.freeze_time(
        "2026-01-01", ignore=["threading", "queue", "shared.engine.deadline"]
    ):
        assert json.dumps(poll(controller)) == json.dumps(poll(controller))


def test_an_account_of_some_models(controller):
    other = fakes.Model("other", contents=fakes.of_size(1))
    controller.models[other.uuid] = other
    assert ids(poll(controller, models=["other"])) == ["admin/other:machine:0"]
    assert controller.calls["Client.FullStatus"] == 1


def test_a_model_that_may_not_be_read_fails_the_poll_and_is_named(controller):
    hidden = fakes.Model("hidden", contents=fakes.of_size(1))
    hidden.refusal = fakes.DENIED
    controller.models[hidden.uuid] = hidden
    with pytest.raises(InsufficientPermission) as caught:
        poll(controller)
    assert str(caught.value).startswith("admin/hidden: Admin.Login: permission denied")
    assert "read access to the model" in str(caught.value)


def test_two_such_models_are_both_named(controller):
    for name, refusal in (("a", fakes.DENIED), ("b", fakes.Refusal("boom"))):
        model = fakes.Model(name)
        model.refusal = refusal
        controller.models[model.uuid] = model
    with pytest.raises(IncompletePoll) as caught:
        poll(controller)
    assert "admin/a" in str(caught.value) and "admin/b" in str(caught.value)


def test_only_an_account_that_says_so_gets_the_others(controller):
    hidden = fakes.Model("hidden")
    hidden.refusal = fakes.DENIED
    controller.models[hidden.uuid] = hidden
    context = Context()
    assert len(poll(controller, context=context, options={"allow_partial": True})) == 3
    assert "admin/hidden" in context.headers["x-poll-incomplete"]


def test_a_model_that_goes_after_it_was_listed_is_left_out(controller):
    gone = fakes.Model("gone", contents=fakes.of_size(10))
    gone.refusal = fakes.model_not_found(gone.uuid)
    controller.models[gone.uuid] = gone
    context = Context()
    assert len(poll(controller, context=context)) == 3
    assert context.logged("absent scope=admin/gone")


@pytest.mark.parametrize(
    "fault, kind",
    [
        (fakes.CUT, Unreachable),
        (fakes.NOT_JSON, UnexpectedResponse),
        (fakes.ENDLESS, UnexpectedResponse),
        ({"model": {"name": "x"}, "machines": {"0": None}}, UnexpectedResponse),
        (
            {"model": {"name": "x"}, "machines": {"0": fakes.machine(0, jobs=None, hardware=7)}},
            UnexpectedResponse,
        ),
    ],
)
def test_faults_name_the_model(controller, monkeypatch, fault, kind):
    monkeypatch.setattr(websocket, "LARGEST_ANSWER", 200_000)
    controller.fail("Client.FullStatus", fault)
    with pytest.raises(kind) as caught:
        poll(controller)
    assert str(caught.value).startswith("admin/ns-vnf: ")


@pytest.mark.parametrize(
    "point", [fakes.ACCEPT, "ModelManager.ListModelSummaries", "Client.FullStatus"]
)
def test_a_controller_that_never_answers_ends_at_the_deadline(controller, point):
    controller.fail(point, fakes.STALL)
    with pytest.raises(OutOfTime):
        poll(controller, options={"deadline_s": 0.5})


def test_no_secret_in_what_the_platform_sees(controller):
    """Not even where the controller says it again."""
    said = fakes.Refusal("reader-pw is no good password", "unauthorized access")
    controller.fail("Admin.Login", said)
    context = Context()
    with pytest.raises(InsufficientPermission) as caught:
        poll(controller, "reader", context=context)
    assert "***" in str(caught.value)
    for text in (str(caught.value), repr(caught.value), *context.lines):
        assert "reader-pw" not in text


def test_credentials_are_validated_with_one_login(controller):
    main = importlib.import_module("modules.servers.main")
    event = {"provider": "juju", "credentials": controller.credentials("reader")}
    answer = main.validate_credentials(event, Context())
    assert answer == {"ok": True, "account": f"controller-{fakes.CONTROLLER} (reader)"}
    assert controller.calls == {"Admin.Login": 1}
    event["credentials"]["password"] = "wrong"
    answer = main.validate_credentials(event, Context())
    assert answer["ok"] is False
    assert answer["reason"].startswith(InvalidCredentials.__name__)


def test_models_are_read_side_by_side_but_bounded():
    models = [fakes.Model(f"m{n:02}", contents=fakes.of_size(10)) for n in range(20)]
    controller = fakes.Controller("3.6", models)
    try:
        assert len(poll(controller)) == 20
        assert controller.most_open <= 8
        assert controller.calls["Client.FullStatus"] == 20
    finally:
        controller.stop()
