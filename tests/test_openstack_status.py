"""OpenStack, status: what each documented word means, then whole polls against the simulator."""

import copy
import importlib
import types

import pytest

from modules.appliances import openstack as appliances
from modules.appliances.openstack import firewalls, load_balancers, routers, shares
from modules.circuits import openstack as circuits
from modules.servers import openstack as servers
from modules.volumes import openstack as volumes
from shared.engine.errors import InsufficientPermission, UnexpectedResponse
from shared.providers import openstack
from shared.records.status import LEVELS
from shared.transport import http
from tests.fakes import openstack as fakes
from tests.fakes.context import Context
from tests.test_grid import damage

SCOPE = types.SimpleNamespace(
    name="alpha/RegionOne", region="RegionOne", project_id=fakes.PROJECT, all_projects=False
)
UPDATED = "2026-11-20T23:58:20"
id_ = fakes.identifier


def status(module, record, lookups=None, kind=None):
    """The record's one point."""
    if kind:
        record = {**record, openstack.KIND: kind}
    before = copy.deepcopy(record)
    (point,) = module.CELL.status.points(record, SCOPE, lookups)
    assert record == before
    assert point.level in LEVELS
    assert point.resource_id == record["id"]
    return point


def words(levels):
    """{"ok": "ONE TWO", ...} -> (word, level) for each."""
    return [(word, level) for level, each in levels.items() for word in each.split()]


# --- servers ------------------------------------------------------------------------------------

# https://docs.openstack.org/api-ref/compute/#server-status-values-of-the-server
SERVER_WORDS = {
    "ok": "ACTIVE MIGRATING PASSWORD",
    "warning": "BUILD DELETED HARD_REBOOT PAUSED REBOOT REBUILD RESCUE RESIZE REVERT_RESIZE SHELVED "
    "SHELVED_OFFLOADED SHUTOFF SOFT_DELETED SUSPENDED VERIFY_RESIZE",
    "error": "ERROR",
    "unknown": "UNKNOWN FROBNICATED",
}


def server(**changed):
    return status(servers, fakes.server(1, **changed))


@pytest.mark.parametrize("word, level", words(SERVER_WORDS))
def test_a_servers_status(word, level):
    point = server(status=word)
    assert (point.resource_type, point.level) == ("server", level)
    assert point.message == f"status {word}"
    assert point.time.isoformat().startswith(UPDATED)


@pytest.mark.parametrize(
    "power, level, word",
    [
        (0, "unknown", "NOSTATE"),
        (1, "ok", None),
        (3, "warning", "PAUSED"),
        (4, "warning", "SHUTDOWN"),
        (6, "error", "CRASHED"),
        (7, "warning", "SUSPENDED"),
        (9, "unknown", "9"),
        (None, "ok", None),
    ],
)
def test_the_power_of_a_server_that_should_run(power, level, word):
    point = server(**{"OS-EXT-STS:power_state": power})
    assert point.level == level
    assert point.message == (f"power_state {word}" if word else "status ACTIVE")


def test_the_power_of_a_server_that_need_not_run_says_nothing():
    assert server(status="SHUTOFF", **{"OS-EXT-STS:power_state": 4}).message == "status SHUTOFF"
    doing = {"OS-EXT-STS:task_state": "powering-off", "OS-EXT-STS:power_state": 4}
    assert server(**doing).level == "ok"


@pytest.mark.parametrize(
    "word, level",
    [("UP", "ok"), ("DOWN", "error"), ("MAINTENANCE", "warning"), ("UNKNOWN", "unknown")],
)
def test_a_servers_host_where_nova_shows_it(word, level):
    point = server(host_status=word)
    assert point.level == level
    assert (f"host_status {word}" in point.message) == (level != "ok")


def test_a_server_on_no_host():
    assert server(status="SHELVED_OFFLOADED", host_status="").message == "status SHELVED_OFFLOADED"


def test_what_nova_is_doing():
    point = server(**{"OS-EXT-STS:task_state": "deleting"})
    assert point.message == "status ACTIVE, deleting"


def test_a_servers_fault():
    fault = {
        "code": 500,
        "created": "2026-11-20T20:00:01Z",
        "message": "No valid host\nwas found.",
        "details": "Traceback",
    }
    point = server(status="ERROR", fault=fault)
    assert point.level == "error"
    assert point.message == "status ERROR: No valid host was found. (fault 500)"
    assert point.time.isoformat().startswith("2026-11-20T20:00:01")


def test_a_server_that_is_built_anew_after_an_error():
    point = server(status="REBUILD", **{"OS-EXT-STS:vm_state": "error"})
    assert point.level == "warning"
    assert "vm_state error" in point.message


@pytest.mark.parametrize("status", [None, ""])
def test_a_server_without_a_status(status):
    assert (server(status=status).level, server(status=status).message) == (
        "unknown",
        "no status",
    )


def test_the_message_names_all_faults_and_the_worst_counts():
    point = server(host_status="DOWN", **{"OS-EXT-STS:power_state": 0})
    assert point.level == "error"
    assert point.message == "power_state NOSTATE; host_status DOWN"
    assert point.time is None


# --- volumes ------------------------------------------------------------------------------------

# https://docs.openstack.org/api-ref/block-storage/v3/#volumes-volumes, and cinder.objects.fields
VOLUME_WORDS = {
    "ok": "available reserved attaching detaching in-use awaiting-transfer backing-up uploading "
    "retyping extending",
    "warning": "creating deleting maintenance restoring-backup downloading managing unmanaging "
    "reverting error_backing-up",
    "error": "error error_deleting error_restoring error_extending error_managing "
    "error_managing_deleting error_unmanaging error_attaching error_detaching",
    "unknown": "frobnicated",
}
MIGRATION_WORDS = {
    "ok": "none starting migrating completing success",
    "warning": "error",
    "unknown": "frobnicated",
}
REPLICATION_WORDS = {
    "ok": "enabled disabled enabling disabling not-capable active copying",
    "warning": "error failing-over failed-over inactive",
    "error": "failover-error",
    "unknown": "frobnicated",
}


def volume(**changed):
    return status(volumes, fakes.volume(1, **changed))


@pytest.mark.parametrize("word, level", words(VOLUME_WORDS))
def test_a_volumes_status(word, level):
    point = volume(status=word, updated_at="2026-11-20T23:58:20.000000")
    assert (point.resource_type, point.level) == ("volume", level)
    assert point.message == f"status {word}"
    assert point.time.isoformat().startswith(UPDATED)


@pytest.mark.parametrize("word, level", words(MIGRATION_WORDS))
def test_a_volumes_migration(word, level):
    assert volume(migration_status=word).level == level


@pytest.mark.parametrize("word, level", words(REPLICATION_WORDS))
def test_a_volumes_replication(word, level):
    assert volume(replication_status=word).level == level


def test_a_volume_that_never_changed():
    assert volume().time is None


# --- appliances ---------------------------------------------------------------------------------

ROUTER_WORDS = {
    "ok": "ACTIVE PENDING_UPDATE",
    "warning": "ALLOCATING BUILD PENDING_CREATE PENDING_DELETE",
    "error": "DOWN ERROR",
    "unknown": "FROBNICATED",
}
FIREWALL_WORDS = {
    "ok": "ACTIVE PENDING_UPDATE",
    "warning": "CREATED INACTIVE PENDING_CREATE PENDING_DELETE",
    "error": "DOWN ERROR",
    "unknown": "FROBNICATED",
}
# https://docs.openstack.org/api-ref/load-balancer/v2/#general-api-overview
OPERATING_WORDS = {
    "ok": "ONLINE DRAINING NO_MONITOR",
    "warning": "OFFLINE DEGRADED",
    "error": "ERROR",
    "unknown": "FROBNICATED",
}
PROVISIONING_WORDS = {
    "ok": "ACTIVE PENDING_UPDATE",
    "warning": "DELETED PENDING_CREATE PENDING_DELETE",
    "error": "ERROR",
    "unknown": "FROBNICATED",
}
# https://docs.openstack.org/api-ref/shared-file-system/#shares
SHARE_WORDS = {
    "ok": "available awaiting_transfer backup_creating ensuring extending migrating "
    "replication_change server_migrating shrinking",
    "warning": "creating creating_from_snapshot deleting deleted deferred_deleting inactive "
    "manage_starting unmanage_starting unmanaged migrating_to server_migrating_to reverting "
    "backup_restoring",
    "error": "error error_deleting error_deferred_deleting manage_error unmanage_error "
    "extending_error shrinking_error shrinking_possible_data_loss_error reverting_error "
    "backup_restoring_error",
    "unknown": "frobnicated",
}


def appliance(kind, agents=None, **changed):
    record = getattr(fakes, kind)(1, **changed)
    return status(appliances, record, agents or routers.Agents(), kind)


@pytest.mark.parametrize(
    "kind, name, word, level",
    [
        (kind, name, word, level)
        for kind, name, table in [
            ("router", "status", ROUTER_WORDS),
            ("firewall_group", "status", FIREWALL_WORDS),
            ("load_balancer", "operating_status", OPERATING_WORDS),
            ("load_balancer", "provisioning_status", PROVISIONING_WORDS),
            ("share", "status", SHARE_WORDS),
        ]
        for word, level in words(table)
    ],
)
def test_an_appliances_status(kind, name, word, level):
    point = appliance(kind, **{name: word})
    assert (point.resource_type, point.level) == ("appliance", level)
    assert f"{name} {word}" in point.message or level == "ok"


@pytest.mark.parametrize("kind", ["router", "firewall_group", "load_balancer"])
def test_an_appliance_that_was_switched_off_is_no_failure(kind):
    name = "operating_status" if kind == "load_balancer" else "status"
    down = "OFFLINE" if kind == "load_balancer" else "DOWN"
    point = appliance(kind, admin_state_up=False, **{name: down})
    assert point.level == "warning"
    assert point.message == f"admin_state_up false; {name} {down}"
    assert appliance(kind, admin_state_up=False, **{name: "ERROR"}).level == "error"


@pytest.mark.parametrize(
    "alive, level, message",
    [
        ({"net1": True, "net2": True}, "ok", "status ACTIVE"),
        ({"net1": True, "net2": False}, "warning", "no L3 agent alive on net2"),
        ({"net1": False, "net2": False}, "error", "no L3 agent alive on net1, net2"),
    ],
)
def test_the_agents_of_a_router(alive, level, message):
    agents = routers.Agents(alive, {id_("router", 1): {"net1", "net2"}})
    point = appliance("router", agents)
    assert (point.level, point.message) == (level, message)


def test_an_appliance_of_another_project_and_one_of_no_kind():
    record = {**fakes.router(1, project=fakes.OTHER), openstack.KIND: "router"}
    assert list(appliances.status(record, SCOPE, routers.Agents())) == []
    with pytest.raises(UnexpectedResponse, match="kind"):
        list(appliances.status({**record, openstack.KIND: "x"}, SCOPE, None))


# --- circuits -----------------------------------------------------------------------------------

SITE_WORDS = {
    "ok": "ACTIVE PENDING_UPDATE",
    "warning": "BUILD CREATED INACTIVE PENDING_CREATE PENDING_DELETE",
    "error": "DOWN ERROR",
    "unknown": "FROBNICATED",
}


@pytest.mark.parametrize("word, level", words(SITE_WORDS))
def test_a_site_connections_status(word, level):
    point = status(circuits, fakes.site_connection(1, status=word))
    assert (point.resource_type, point.level) == ("circuit", level)
    assert point.message == f"status {word}"


def test_a_site_connection_that_was_switched_off():
    point = status(circuits, fakes.site_connection(1, status="DOWN", admin_state_up=False))
    assert point.level == "warning"


@pytest.mark.parametrize(
    "table, expected",
    [
        (servers.status.LEVELS, SERVER_WORDS),
        (volumes.LEVELS, VOLUME_WORDS),
        (volumes.MIGRATION_LEVELS, MIGRATION_WORDS),
        (volumes.REPLICATION_LEVELS, REPLICATION_WORDS),
        (routers.LEVELS, ROUTER_WORDS),
        (firewalls.LEVELS, FIREWALL_WORDS),
        (load_balancers.OPERATING_LEVELS, OPERATING_WORDS),
        (load_balancers.PROVISIONING_LEVELS, PROVISIONING_WORDS),
        (shares.LEVELS, SHARE_WORDS),
        (circuits.SITE_LEVELS, SITE_WORDS),
    ],
)
def test_no_word_is_mapped_that_is_not_tested(table, expected):
    assert table.keys() <= {word for word, _ in words(expected)}


# --- whole polls --------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(http, "FIRST_DELAY_S", 0)
    monkeypatch.setattr(openstack.listings, "PAGE_SIZE", 3)


@pytest.fixture
def cloud():
    simulator = fakes.Cloud()
    simulator.extensions |= {"fwaas_v2", "l3_agent_scheduler", "vpnaas", "bgpvpn"}
    simulator.also = {"load-balancer", "sharev2"}
    yield simulator
    simulator.stop()


def poll(family, cloud, user="reader", event=None, **more):
    request = {"account_id": "acc", "provider": "openstack", **(event or {})}
    request["credentials"] = cloud.credentials(user, **more)
    main = importlib.import_module(f"modules.{family}.main")
    return main.get_status(request, Context())["status"]


def levels(points):
    return {each["resource_id"]: each["level"] for each in points}


NETWORK, VOLUME = "/network/v2.0", f"/volume/v3/{fakes.PROJECT}"


def test_servers(cloud):
    cloud.fill(servers=7)
    cloud.lists["compute", "servers"][3]["status"] = "SHUTOFF"
    found = poll("servers", cloud)
    assert len(found) == 7
    assert levels(found)[id_("server", 3)] == "warning"
    assert {each["time"] for each in found} == {"2026-11-20T23:58:20Z"}
    paths = {"/identity/v3/auth/tokens", "/compute/v2.1", "/compute/v2.1/servers/detail"}
    assert set(cloud.counts) == paths  # nothing that only the inventory needs


def test_one_server(cloud):
    cloud.fill(servers=7)
    found = poll("servers", cloud, event={"resource": {"id": id_("server", 2)}})
    assert list(levels(found)) == [id_("server", 2)]


def test_the_host_of_a_server_is_shown_to_an_admin_only(cloud):
    cloud.lists["compute", "servers"] = [fakes.server(1, host_status="DOWN")]
    assert levels(poll("servers", cloud))[id_("server", 1)] == "ok"
    assert levels(poll("servers", cloud, "admin"))[id_("server", 1)] == "error"


def test_volumes(cloud):
    cloud.fill(volumes=4)
    cloud.lists["volume", "volumes"][1]["status"] = "error_deleting"
    found = poll("volumes", cloud)
    assert len(found) == 4
    assert levels(found)[id_("volume", 1)] == "error"
    assert set(cloud.counts) == {"/identity/v3/auth/tokens", f"{VOLUME}/volumes/detail"}


def test_volumes_of_all_projects_need_an_admin(cloud):
    cloud.fill(volumes=2)
    with pytest.raises(InsufficientPermission, match="role admin"):
        poll("volumes", cloud, all_projects=True)
    assert len(poll("volumes", cloud, "admin", all_projects=True)) == 2
    assert cloud.counts[f"{VOLUME}/types"] == 0  # only the inventory needs them


@pytest.mark.parametrize("family", ["volumes", "appliances", "circuits"])
def test_an_id_that_is_no_uuid_is_not_searched_for(cloud, family):
    assert poll(family, cloud, event={"resources": ["i-0abc"]}) == []
    assert set(cloud.counts) == {"/identity/v3/auth/tokens"}


def fill_appliances(cloud):
    cloud.lists["network", "networks"] = [fakes.network(0)]
    cloud.lists["network", "routers"] = [fakes.router(0), fakes.router(1)]
    cloud.lists["network", "firewall_groups"] = [fakes.firewall_group(0, status="INACTIVE")]
    pool = fakes.pool(0, 0, [fakes.member(1)])
    cloud.lists["load-balancer", "pools"] = [pool]
    cloud.members = {pool["id"]: [fakes.member(1)]}
    degraded = fakes.load_balancer(0, operating_status="DEGRADED")
    cloud.lists["load-balancer", "loadbalancers"] = [degraded]
    cloud.lists["share", "shares"] = [fakes.share(n, status="error") for n in range(4)]


def test_appliances(cloud):
    fill_appliances(cloud)
    found = levels(poll("appliances", cloud))
    assert found == {
        id_("router", 0): "ok",
        id_("router", 1): "ok",
        id_("firewall group", 0): "warning",
        id_("load balancer", 0): "warning",
        **{id_("share", n): "error" for n in range(4)},
    }
    assert cloud.counts["/load-balancer/v2.0/lbaas/pools"] == 0
    assert cloud.counts[f"{NETWORK}/ports"] == 0  # a reader is shown no agents


def test_agents_are_listed_once_and_not_once_a_router(cloud):
    fill_appliances(cloud)
    cloud.lists["network", "agents"] = [fakes.agent(1), fakes.agent(2, alive=False)]
    cloud.lists["network", "ports"] = [
        fakes.interface(0, 0, 0, **{"binding:host_id": "net1"}),
        fakes.interface(1, 1, 0, **{"binding:host_id": "net2"}),
    ]
    found = levels(poll("appliances", cloud, "admin"))
    assert (found[id_("router", 0)], found[id_("router", 1)]) == ("ok", "error")
    assert cloud.counts[f"{NETWORK}/agents"] == cloud.counts[f"{NETWORK}/ports"] == 1


def test_a_role_that_means_nothing_to_neutron_is_not_taken_for_no_appliances(cloud):
    cloud.also = set()
    with pytest.raises(InsufficientPermission, match="role reader is needed"):
        poll("appliances", cloud, "useless")


def test_circuits(cloud):
    cloud.lists["network", "ipsec_site_connections"] = [
        fakes.site_connection(0),
        fakes.site_connection(1, status="DOWN"),
    ]
    cloud.lists["network", "bgpvpns"] = [fakes.bgpvpn(0)]  # Neutron keeps no status of one
    found = poll("circuits", cloud, "member")
    assert levels(found) == {id_("site connection", 0): "ok", id_("site connection", 1): "error"}
    (query,) = [each for path, each in cloud.queries if "ipsec" in path]
    assert "psk" not in query["fields"]
    assert cloud.counts[f"{NETWORK}/networks"] == 0


def test_a_reader_whom_vpnaas_shows_nothing(cloud):
    cloud.lists["network", "ipsec_site_connections"] = [fakes.site_connection(0)]
    with pytest.raises(InsufficientPermission, match="role member is needed"):
        poll("circuits", cloud)


def test_a_cloud_without_vpnaas(cloud):
    cloud.extensions = {"router", "bgpvpn"}
    assert poll("circuits", cloud) == []


@pytest.mark.parametrize("family", ["servers", "volumes", "appliances", "circuits"])
def test_permissions_for_status_are_among_those_of_the_inventory(family):
    cell = importlib.import_module(f"modules.{family}.openstack").CELL
    of_one = {"os_compute_api:servers:show", "volume:get"}  # where some are requested
    assert set(cell.status.permissions) - of_one <= set(cell.permissions)


@pytest.mark.parametrize(
    "module, record",
    [
        (servers, fakes.server(1, status="ERROR", fault={"message": "x"}, host_status="UP")),
        (volumes, fakes.volume(1, migration_status="none", replication_status="enabled")),
        (circuits, fakes.site_connection(1)),
        *(
            (appliances, {**getattr(fakes, kind)(1), openstack.KIND: kind})
            for kind in ("router", "firewall_group", "load_balancer", "share")
        ),
    ],
)
def test_damaged_records_are_answered_or_refused(module, record):
    answered = refused = 0
    for damaged, what in damage(record):
        try:
            answered += len(
                [
                    each.message
                    for each in module.CELL.status.points(damaged, SCOPE, routers.Agents())
                ]
            )
        except UnexpectedResponse:
            refused += 1
        except Exception as error:
            raise AssertionError(what) from error
    assert 0 < refused < answered
