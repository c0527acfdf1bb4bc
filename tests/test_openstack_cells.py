"""OpenStack, pure conversions: one record in, one resource out, one assertion a fact."""

import copy
import datetime
import types

import pytest

from modules.networks import openstack as networks
from modules.servers import openstack as servers
from modules.servers.openstack.networks import NetworkLookups
from modules.volumes import openstack as volumes
from shared.engine.contracts import Dropped
from shared.engine.errors import UnexpectedResponse
from shared.providers import openstack
from tests.fakes import openstack as fakes
from tests.fakes.poll import a_poll

GIB = 1024**3
SCOPE = types.SimpleNamespace(
    name="alpha/RegionOne", region="RegionOne", project_id=fakes.PROJECT, all_projects=False
)
SERVER, MAC = fakes.identifier("server", 1), "fa:16:3e:00:00:01"


SERVER_NETWORKS = NetworkLookups(
    by_mac={(SERVER, MAC): "net-b"},
    of_servers={SERVER: {"net-b"}},
    floating={"172.24.0.9": "ext"},
    names={"net-b": "net-0", "ext": "public"},
)


def server_lookups(**changed):
    return servers.Lookups(SERVER_NETWORKS, **changed)


def server(lookups=None, **changed):
    record = fakes.server(1, **changed)
    return servers.convert(record, SCOPE, lookups or server_lookups()).serialize()


def facts(resource):
    return resource["details"]["server"]


def specific(resource):
    return resource["metadata"]["provider_specific"]


@pytest.mark.parametrize(
    "status, task, power, state",
    [
        ("ACTIVE", None, 1, "running"),
        ("ACTIVE", "deleting", 1, "shutting"),
        ("ACTIVE", "powering-off", 1, "stopping"),
        ("SHUTOFF", None, 4, "stopped"),
        ("SHUTOFF", "powering-on", 4, "pending"),
        ("PAUSED", None, 1, "stopped"),
        ("SUSPENDED", None, 1, "stopped"),
        ("SHELVED", None, 4, "stopped"),
        ("SHELVED_OFFLOADED", None, 0, "stopped"),
        ("BUILD", "spawning", 0, "pending"),
        ("REBUILD", "rebuilding", 1, "pending"),
        ("RESCUE", None, 1, "running"),
        ("ERROR", None, 0, "unknown"),
        ("ERROR", None, 1, "running"),
        ("ERROR", None, 3, "stopped"),  # paused
        ("ERROR", None, 4, "stopped"),  # shut down
        ("ERROR", None, 6, "stopped"),  # crashed
        ("ERROR", None, 7, "stopped"),  # suspended
        ("HARD_REBOOT", None, 1, "running"),
        ("MIGRATING", None, 1, "running"),
        ("PASSWORD", None, 1, "running"),
        ("REBOOT", None, 1, "running"),
        ("RESIZE", None, 1, "pending"),
        ("REVERT_RESIZE", None, 1, "pending"),
        ("VERIFY_RESIZE", None, 1, "running"),
        ("ACTIVE", "pausing", 1, "stopping"),
        ("ACTIVE", "shelving", 1, "stopping"),
        ("ACTIVE", "soft-deleting", 1, "shutting"),
        ("ACTIVE", "suspending", 1, "stopping"),
        ("PAUSED", "unpausing", 3, "pending"),
        ("SHELVED", "shelving_offloading", 4, "stopping"),
        ("SHELVED_OFFLOADED", "unshelving", 0, "pending"),
        ("SUSPENDED", "resuming", 4, "pending"),
        ("DELETED", None, 0, "terminated"),
        ("SOFT_DELETED", None, 0, "terminated"),
        ("UNKNOWN", None, None, "unknown"),
        ("A NEW WORD", None, 1, "unknown"),
    ],
)
def test_state(status, task, power, state):
    changed = {"OS-EXT-STS:task_state": task, "OS-EXT-STS:power_state": power}
    found = facts(server(status=status, **changed))
    assert (found["state"], found["provider_state"]) == (state, status)


def test_a_server_of_a_cell_that_is_down_has_its_id_and_nothing_guessed():
    record = {"id": SERVER, "tenant_id": fakes.PROJECT, "status": "UNKNOWN", "links": []}
    found = servers.convert(record, SCOPE, server_lookups()).serialize()
    assert found["base"]["name"] == SERVER
    assert facts(found)["state"] == "unknown"
    assert (facts(found)["cpu_cores"], facts(found)["ram_b"]) == (None, None)


def test_flavor():
    found = facts(server())
    assert (found["cpu_cores"], found["ram_b"], found["instance_type"]) == (4, 8 * GIB, "m1.large")


def test_a_flavor_by_id():
    lookups = server_lookups(flavors={"f1": fakes.FLAVOR})
    found = facts(server(lookups, flavor={"id": "f1", "links": []}))
    assert (found["cpu_cores"], found["ram_b"], found["instance_type"]) == (4, 8 * GIB, "m1.large")


def test_a_flavor_that_is_gone():
    lookups = server_lookups(flavors={"f1": None})
    found = facts(server(lookups, flavor={"id": "f1", "links": []}))
    assert (found["cpu_cores"], found["ram_b"], found["instance_type"]) == (None, None, None)


def test_time():
    assert server()["base"]["provider_created_at"].startswith("2026-11-20T23:58:18")


def test_an_empty_name_is_the_id():
    assert server(name="")["base"]["name"] == SERVER


def attached(*ids):
    return {"os-extended-volumes:volumes_attached": [{"id": each} for each in ids]}


def test_volumes_are_summed_and_connected():
    lookups = server_lookups(volumes={"v1": fakes.volume(1, size=3), "v2": fakes.volume(2, size=4)})
    found = server(lookups, **attached("v2", "v1", "v1"))
    assert facts(found)["volumes_b"] == 7 * GIB
    assert found["connections"]["volume"] == [{"id": "v1"}, {"id": "v2"}]


def test_a_volume_of_unknown_size_makes_the_sum_unknown():
    lookups = server_lookups(volumes={"v1": fakes.volume(1, size=3)})
    found = server(lookups, **attached("v1", "v2"))
    assert facts(found)["volumes_b"] is None
    assert found["connections"]["volume"] == [{"id": "v1"}, {"id": "v2"}]


@pytest.mark.parametrize(
    "image, kind",
    [
        ({"os_type": "windows"}, "Windows"),
        ({"os_type": "linux"}, "Linux"),
        ({"os_distro": "ubuntu"}, "Linux"),
        ({"os_distro": "windows"}, "Windows"),
        ({}, None),
    ],
)
def test_system(image, kind):
    known = {"id": "i", "name": "An image", **image}
    found = facts(server(server_lookups(images={"i": known}), image={"id": "i"}))["image_detail"]
    assert (found["id"], found["name"], found["type"]) == ("i", "An image", kind)


def test_an_image_that_is_gone_is_its_id_alone():
    found = facts(server(server_lookups(images={"i": None}), image={"id": "i"}))["image_detail"]
    assert found["id"] == "i"
    assert {value for name, value in found.items() if name != "id"} == {None}


def test_booted_from_a_volume():
    made_of = {"image_id": "i", "image_name": "cirros", "os_distro": "cirros", "os_version": "0.6"}
    boot = fakes.volume(1, bootable="true", volume_image_metadata=made_of)
    lookups = server_lookups(volumes={"v1": fakes.volume(2), "v2": boot})
    found = facts(server(lookups, image="", **attached("v1", "v2")))["image_detail"]
    assert (found["id"], found["name"], found["distribution"]) == ("i", "cirros", "cirros")
    assert found["version"] == "0.6"


def on(number, device, image, bootable="true"):
    attachment = {**fakes.attachment(number, 1), "device": device}
    made_of = {"image_id": image, "image_name": image}
    return fakes.volume(
        number, bootable=bootable, volume_image_metadata=made_of, attachments=[attachment]
    )


@pytest.mark.parametrize(
    "root, devices, image",
    [
        ("/dev/vda", ("/dev/vdb", "/dev/vda"), "second"),
        (None, ("/dev/vdb", "/dev/vda"), "second"),  # not shown to a reader
        (None, ("/dev/sda", "/dev/sdb"), "first"),
        (None, ("xvdb", "xvda"), "second"),
        ("/dev/sda", ("/dev/vda", "/dev/vdb"), "first"),  # as the hypervisor called it in the end
        ("/dev/vdb", ("/dev/vda", "/dev/vdb"), "second"),
        (None, ("/dev/vdb", "/dev/vdc"), None),  # the root volume was detached
        (None, ("/dev/vda", "/dev/sda"), None),
        (None, (None, None), None),
    ],
)
def test_booted_from_the_volume_on_the_root_device(root, devices, image):
    """Whichever of the two bootable volumes has the smaller id."""
    for names in (("v1", "v2"), ("v2", "v1")):
        records = (
            on(number, *each) for number, each in enumerate(zip(devices, ("first", "second")))
        )
        lookups = server_lookups(volumes=dict(zip(names, records)))
        given = {"OS-EXT-SRV-ATTR:root_device_name": root, **attached("v1", "v2")}
        found = facts(server(lookups, image="", **given))["image_detail"]
        assert (found or {}).get("id") == image


@pytest.mark.parametrize("bootable, image", [(("true", "false"), "first"), (("true",) * 2, None)])
def test_a_shelved_servers_volumes_are_on_no_device(bootable, image):
    volumes = {
        name: {**on(1, None, of, each), "attachments": []}
        for name, of, each in zip(("v1", "v2"), ("first", "second"), bootable)
    }
    lookups = server_lookups(volumes=volumes)
    given = {"OS-EXT-SRV-ATTR:root_device_name": "/dev/vda", **attached("v1", "v2")}
    found = facts(server(lookups, image="", **given))["image_detail"]
    assert (found or {}).get("id") == image


def test_booted_from_a_volume_without_image():
    assert facts(server(image=""))["image_detail"] is None


def test_addresses_with_their_networks():
    mac = {"OS-EXT-IPS-MAC:mac_addr": MAC}
    given = {
        "net-0": [
            {"addr": "10.0.0.5", "version": 4, "OS-EXT-IPS:type": "fixed", **mac},
            {"addr": "fd00::5", "version": 6, "OS-EXT-IPS:type": "fixed", **mac},
            {"addr": "172.24.0.9", "version": 4, "OS-EXT-IPS:type": "floating", **mac},
        ]
    }
    found = server(addresses=given)
    fixed = {"description": "fixed", "network": {"id": "net-b", "name": "net-0"}}
    assert facts(found)["ip_addresses"] == [
        {"ip_address": "10.0.0.5", **fixed},
        {"ip_address": "fd00::5", **fixed},
        {
            "ip_address": "172.24.0.9",
            "description": "floating",
            "network": {"id": "ext", "name": "public"},
        },
    ]
    assert found["connections"]["network"] == [{"id": "net-b"}]


def test_secrets_of_a_server_stay_out():
    text = str(server(**{"OS-EXT-SRV-ATTR:user_data": "c2VjcmV0", "adminPass": "c2VjcmV0"}))
    assert "c2VjcmV0" not in text


@pytest.mark.parametrize(
    "name, value",
    [
        ("OS-EXT-AZ:availability_zone", "az-1"),
        ("OS-EXT-SRV-ATTR:host", "cmp1"),
        ("OS-EXT-SRV-ATTR:hypervisor_hostname", "cmp1"),
        ("key_name", "key-α"),
        ("locked", True),
        ("description", "машина"),
        ("tenant_id", "p"),
    ],
)
def test_what_cmp_has_no_field_for(name, value):
    assert specific(server(**{name: value}))[name] == value


def test_fault():
    fault = {"code": 500, "created": "2026-11-20T23:58:10Z", "message": "No valid host was found."}
    assert "No valid host" in str(specific(server(status="ERROR", fault=fault)))


def test_metadata_is_the_customers():
    found = server(metadata={"env": "тест", "owner": "team"})["metadata"]["provider_metadata"]
    assert (found["env"], found["owner"]) == ("тест", "team")


# --- networks -------------------------------------------------------------------------------------


def network(routers=(), subnets=(), scope=SCOPE, **changed):
    record = fakes.network(1, **changed)
    lookups = networks.Lookups({record["id"]: list(subnets)}, {record["id"]: set(routers)})
    found = networks.convert(record, scope, lookups)
    return found if isinstance(found, Dropped) else found.serialize()


@pytest.mark.parametrize(
    "changed, kept",
    [
        ({}, True),
        ({"project_id": fakes.OTHER, "tenant_id": fakes.OTHER}, False),
        ({"project_id": fakes.OTHER, "tenant_id": fakes.OTHER, "shared": True}, True),
        ({"project_id": fakes.OTHER, "tenant_id": fakes.OTHER, "router:external": True}, True),
    ],
)
def test_whose_networks(changed, kept):
    assert isinstance(network(**changed), dict) == kept


def test_all_projects_networks():
    everybody = types.SimpleNamespace(**{**vars(SCOPE), "all_projects": True})
    assert isinstance(network(scope=everybody, project_id=fakes.OTHER), dict)


def test_routers_are_appliances():
    found = network(routers=["r2", "r1"])
    assert found["connections"]["appliance"] == [{"id": "r1"}, {"id": "r2"}]


def test_subnets():
    found = specific(network(subnets=[fakes.subnet(1, dns_nameservers=["192.0.2.53"])]))
    assert "10.0.1.0/24" in str(found["cidrs"])
    shown = found["subnets"][0]
    assert (shown["gateway_ip"], shown["dns_nameservers"]) == ("10.0.1.1", ["192.0.2.53"])


@pytest.mark.parametrize(
    "name, value",
    [
        ("provider:network_type", "vlan"),
        ("provider:segmentation_id", 123),
        ("mtu", 1400),
        ("admin_state_up", False),
        ("shared", True),
        ("router:external", True),
        ("status", "DOWN"),
    ],
)
def test_network_attributes(name, value):
    assert specific(network(**{name: value}))[name] == value


def test_network_tags():
    assert "тег" in str(network()["metadata"]["provider_metadata"])


def test_a_network_without_a_name():
    assert network(name="")["base"]["name"] == fakes.identifier("network", 1)


# --- volumes --------------------------------------------------------------------------------------


def volume(lookups=None, **changed):
    record = fakes.volume(1, **changed)
    lookups = lookups or volumes.Lookups({})
    return volumes.convert(record, SCOPE, lookups).serialize()


@pytest.mark.parametrize(
    "changed, name, value",
    [
        ({"size": 5}, "size_b", 5 * GIB),
        ({"size": None}, "size_b", None),
        ({"encrypted": True}, "encrypted", True),
        ({"encrypted": None}, "encrypted", None),
        ({"availability_zone": "az-1"}, "zone_name", "az-1"),
        ({}, "iops", None),
    ],
)
def test_volume(changed, name, value):
    assert volume(**changed)["details"]["volume"][name] == value


def test_iops_of_the_volume_type():
    assert volume(volumes.Lookups({"standard": 500}))["details"]["volume"]["iops"] == 500


@pytest.mark.parametrize(
    "specs, iops",
    [
        ({"total_iops_sec": "500"}, 500),
        ({"read_iops_sec": "100", "write_iops_sec": "50"}, 150),
        ({"read_iops_sec": "100"}, None),
        ({"total_iops_sec": "fast"}, None),
        ({}, None),
    ],
)
def test_iops_of_qos_specs(specs, iops):
    assert volumes._iops({"id": "q", "specs": specs}) == iops


def test_a_volume_that_several_servers_have():
    many = [fakes.attachment(1, 2), fakes.attachment(1, 1)]
    found = volume(attachments=many, multiattach=True)
    assert found["connections"]["server"] == sorted(
        ({"id": fakes.identifier("server", n)} for n in (1, 2)), key=lambda each: each["id"]
    )
    assert specific(found)["multiattach"] is True


def test_an_attachment_to_no_server():
    assert volume(attachments=[{**fakes.attachment(1, 1), "server_id": None}])["connections"] == {}


def test_a_boot_volume_has_no_name():
    assert volume(name="")["base"]["name"] == fakes.identifier("volume", 1)


@pytest.mark.parametrize("name", ["snapshot_id", "source_volid", "description", "volume_type"])
def test_volume_attributes(name):
    assert specific(volume(**{name: "x"}))[name] == "x"


# --- drift ----------------------------------------------------------------------------------------

OTHERS = [None, "", "text", 5, -1.5, True, [], ["text"], [None], {}, {"id": 5}, {"a": [{}]}]
OTHERS += [b"bytes", datetime.datetime(2026, 1, 1)]
LOOKUPS = {
    "servers": server_lookups(volumes={"v1": fakes.volume(1)}),
    "networks": networks.Lookups({}, {}),
    "volumes": volumes.Lookups({}),
}
RECORDS = {
    "servers": (
        servers,
        fakes.server(1, **attached("v1"), fault={"code": 500, "message": "m", "created": "x"}),
    ),
    "networks": (networks, fakes.network(1)),
    "volumes": (volumes, fakes.volume(1, attachments=[fakes.attachment(1, 1)])),
}


def paths(value, at=()):
    """The way to every field, at any depth."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield (*at, key)
        if isinstance(value[key], (dict, list)):
            yield from paths(value[key], (*at, key))


@pytest.mark.parametrize("family", RECORDS)
def test_drift_gives_an_answer_or_a_named_refusal(family):
    cell, record = RECORDS[family]
    tried = 0
    for path in paths(record):
        for other in (*OTHERS, "removed"):
            changed = copy.deepcopy(record)
            holder = changed
            for key in path[:-1]:
                holder = holder[key]
            if other == "removed":
                del holder[path[-1]]
            else:
                holder[path[-1]] = other
            tried += 1
            try:
                found = cell.convert(changed, SCOPE, LOOKUPS[family])
                if not isinstance(found, Dropped):
                    assert found.serialize()["base"]["name"]
            except UnexpectedResponse:
                pass
    assert tried > 300


def test_of_volumes_servers_keep_what_they_read_of_them():
    cloud = fakes.Cloud().fill(servers=2, volumes=2)
    credentials = openstack.credentials(cloud.credentials(), False)
    try:
        (scope,) = openstack.scopes(openstack.login(credentials, a_poll("servers")))
        (page,) = servers.fetch(scope)
    finally:
        cloud.stop()
    assert {frozenset(kept) for kept in page.lookups.volumes.values()} <= {
        frozenset(servers.VOLUME_FIELDS),
        frozenset(servers.VOLUME_FIELDS) - {"volume_image_metadata"},
    }
    sizes = {volume["id"]: volume["size"] for volume in cloud.lists["volume", "volumes"]}
    assert {key: kept["size"] for key, kept in page.lookups.volumes.items()} == sizes
