"""NetBox, pure conversions: one record in, one resource out, one assertion a fact.

The records are recorded ones (tests/recorded/netbox.json) of three releases.
"""

import copy
import dataclasses
import importlib
import inspect
import json
import types

import pytest

from flexlocal.__main__ import families
from modules.appliances import netbox as appliances
from modules.circuits import netbox as circuits
from modules.networks import netbox as networks
from modules.servers import netbox as servers
from modules.volumes import netbox as volumes
from shared.engine.contracts import Dropped
from shared.engine.errors import InvalidEvent, UnexpectedResponse
from shared.providers import netbox as provider
from shared.providers.netbox import LISTINGS, records
from tests.fakes import netbox as fakes

MIB, MB, GB = 2**20, 10**6, 10**9
URL = "https://netbox.example"
REGION = {"id": 5, "display": "Germany", "name": "Germany", "slug": "de"}
GERMANY = {"region": {"id": "de", "name": "Germany"}}
SITES = {
    1: {"id": 1, "name": "Tokyo DC1", "region": None, "latitude": 35.6762, "longitude": 139.6503},
    2: {"id": 2, "name": "Null Island", "region": None, "latitude": 0.0, "longitude": 0},
    3: {"id": 3, "name": "Frankfurt FRA1", "region": REGION, "latitude": None, "longitude": None},
    4: {"id": 4, "name": "Half", "region": None, "latitude": 5.0, "longitude": None},
}
TOKYO = {"location": {"name": "Tokyo DC1", "latitude": 35.6762, "longitude": 139.6503}}
CELLS = {
    "dcim/devices": appliances,
    "ipam/prefixes": networks,
    "ipam/vlans": networks,
    "virtualization/virtual-disks": volumes,
    "virtualization/virtual-machines": servers,
    "circuits/circuits": circuits,
    "circuits/virtual-circuits": circuits,
}


def thin(number, name, **more):
    return {"id": number, "display": name, "name": name, "slug": name.lower(), **more}


def choice(word):
    return {"value": word, "label": word.capitalize()}


def site(number):
    return thin(number, SITES[number]["name"])


def scope(release=fakes.NEWEST, **kinds):
    return types.SimpleNamespace(
        name="netbox.example", url=URL, device_kinds=kinds, version=fakes.number(release)
    )


def circuit_lookups(**changed):
    made = {
        "terminations": {},
        "virtual_terminations": {},
        "networks": {
            9: {"id": 9, "name": "Core", "provider": thin(1, "Kaigan"), "service_id": "VPRN-1"}
        },
        "locations": {6: {"id": 6, "name": "Hall A", "site": site(1)}},
        "sites": SITES,
        "devices": {
            70: {**device_record(70, "router"), "site": site(1)},
            71: {**device_record(71, "server"), "site": site(2)},
            72: {**device_record(72, "switch"), "site": None},
        },
    }
    made.update(changed)
    for name, pack in (("terminations", packed), ("virtual_terminations", all_packed)):
        made[name] = {key: pack(value) for key, value in made[name].items()}
    return circuits.Lookups(**made)


def packed(record):
    return provider.packed(record, record)


def all_packed(records):
    return [packed(record) for record in records]


def lookups_of(cell, release=fakes.NEWEST):
    version = fakes.number(release)
    if cell is appliances:
        return SITES
    if cell is servers:
        return servers.Lookups(SITES, {}, version, {70: "router", 71: "server"})
    if cell is networks:
        locations = {6: {"id": 6, "name": "Hall A", "site": site(1)}}
        return networks.Lookups(SITES, locations, frozenset({7}))
    return volumes.Lookups(version) if cell is volumes else circuit_lookups()


def converted(listing, record, made=None, cell=None, release=fakes.NEWEST, **kinds):
    cell = cell or CELLS[listing]
    record = {**record, "object_type": LISTINGS[listing]}
    before = copy.deepcopy(record)
    found = cell.convert(record, scope(release, **kinds), made or lookups_of(cell, release))
    assert record == before
    return found if isinstance(found, Dropped) else found.serialize()


def facts(found):
    return found["details"][found["type"]]


def specific(found):
    return found["metadata"]["provider_specific"]


def places(found):
    return found["base"].get("locations", [])


def connected(found):
    return {kind: [each["id"] for each in of] for kind, of in found["connections"].items()}


def ends(found):
    return facts(found)["endpoint_a"], facts(found)["endpoint_b"]


# --- what all have in common ------------------------------------------------------------------------


@pytest.mark.parametrize("release", fakes.RELEASES)
@pytest.mark.parametrize("listing", CELLS)
def test_every_recorded_object_becomes_a_resource(listing, release):
    for record in fakes.SAMPLES[release]["lists"].get(listing, {"objects": []})["objects"]:
        cells = (appliances, servers) if listing == "dcim/devices" else (CELLS[listing],)
        made = [converted(listing, record, cell=cell, release=release) for cell in cells]
        (found,) = (each for each in made if isinstance(each, dict))
        assert found["id"].rpartition(":")[2] == str(record["id"])
        assert found["base"]["name"]
        assert found["base"]["provider_created_at"][:19] == record["created"][:19]
        assert found["base"]["native_portal_link"] == f"{URL}/{listing}/{record['id']}/"
        assert "netbox.example.com" not in json.dumps(found)  # no record's own links


@pytest.mark.parametrize("release", fakes.RELEASES)
@pytest.mark.parametrize("listing", CELLS)
def test_tags_and_custom_fields_are_the_customers(listing, release):
    if listing not in fakes.SAMPLES[release]["lists"]:
        return
    record = fakes.sample(listing, release)
    record["tags"] = [thin(1, "Critical"), thin(4, "災害対策")]
    record["custom_fields"] = {
        "bgp": False,
        "cost": 0,
        "contract": None,
        "sites": [site(1), site(3)],
        "escalation": thin(9, "NOC"),
        "sla": "gold",
        "raw": {"x": [1]},
    }
    (found,) = (
        each
        for cell in ((appliances, servers) if listing == "dcim/devices" else (CELLS[listing],))
        for each in [converted(listing, record, cell=cell, release=release)]
        if isinstance(each, dict)
    )
    assert found["metadata"]["provider_metadata"] == {
        "Critical": "",
        "災害対策": "",
        "cf_bgp": False,
        "cf_cost": 0,
        "cf_sites": ["Tokyo DC1", "Frankfurt FRA1"],
        "cf_escalation": "NOC",
        "cf_sla": "gold",
        "cf_raw": {"x": [1]},
    }


@pytest.mark.parametrize("listing", CELLS)
@pytest.mark.parametrize("kind", ["", None, 7])
def test_a_record_of_no_known_kind_is_refused(listing, kind):
    if listing in ("dcim/devices", "virtualization/virtual-disks"):
        return  # their cells have one kind only
    record = {**fakes.sample(listing), "object_type": kind}
    with pytest.raises(UnexpectedResponse, match="object_type"):
        CELLS[listing].convert(record, scope(), lookups_of(CELLS[listing]))


@pytest.mark.parametrize(
    "value, shown",
    [
        (choice("active"), "active"),
        (thin(1, "Tokyo DC1"), "Tokyo DC1"),
        ({"id": 4, "display": "00-7781-BR", "name": ""}, "00-7781-BR"),
        ({"id": 49, "display": "SYS-620 (49)", "name": None}, "SYS-620 (49)"),
        ({"id": 3, "display": "10.0.0.1/24", "address": "10.0.0.1/24"}, "10.0.0.1/24"),
        ([thin(1, "a"), thin(2, "b")], ["a", "b"]),
        ({"any": "JSON"}, {"any": "JSON"}),
        (0, 0),
        (None, None),
    ],
)
def test_what_a_person_reads_of_a_value(value, shown):
    assert records.brief(value) == shown


SPOT = {"latitude": 35.1, "longitude": 139.1}


@pytest.mark.parametrize(
    "number, more, expected",
    [
        (1, {}, TOKYO),
        (2, {}, {"location": {"name": "Null Island", "latitude": 0.0, "longitude": 0.0}}),
        (3, {}, {"location": {"name": "Frankfurt FRA1"}, **GERMANY}),
        (4, {}, {"location": {"name": "Half"}}),
        (1, {"spot": SPOT}, {"location": {"name": "Tokyo DC1", **SPOT}}),
        (1, {"spot": {"latitude": 35.1, "longitude": None}}, TOKYO),
        (
            1,
            {"within": "Hall A"},
            {"location": {**TOKYO["location"], "name": "Tokyo DC1 / Hall A"}},
        ),
    ],
)
def test_where_a_site_is(number, more, expected):
    assert records.place(site(number), SITES, **more) == expected


def test_a_site_that_is_not_listed_has_its_name():
    assert records.place(thin(99, "New"), SITES) == {"location": {"name": "New"}}


# --- states -------------------------------------------------------------------------------------------

MACHINE_STATES = [
    ("active", "running"),
    ("offline", "stopped"),
    ("planned", "pending"),
    ("staged", "pending"),
    ("inventory", "stopped"),
    ("decommissioning", "shutting"),
    ("paused", "stopped"),
    ("failed", "stopped"),
    ("on-loan", "unknown"),
    ("Active", "unknown"),
    (None, "unknown"),
]
CIRCUIT_STATES = [
    ("planned", "pending"),
    ("provisioning", "pending"),
    ("active", "running"),
    ("offline", "stopped"),
    ("deprovisioning", "shutting"),
    ("decommissioned", "terminated"),
    ("under-dispute", "unknown"),
    (None, "unknown"),
]
STATES = [
    *(("virtualization/virtual-machines", *each) for each in MACHINE_STATES),
    *(("dcim/devices", *each) for each in MACHINE_STATES),
    *(("circuits/circuits", *each) for each in CIRCUIT_STATES),
    *(("circuits/virtual-circuits", *each) for each in CIRCUIT_STATES),
]


@pytest.mark.parametrize("listing, word, state", STATES)
def test_states(listing, word, state):
    record = fakes.sample(listing)
    record["status"] = choice(word) if word else None
    found = converted(listing, record)
    told = facts(found) if found["type"] == "server" else specific(found)
    assert told["state"] == state
    assert word is None or told["provider_state"] == word


# Of the models that cells read, by NetBox's netbox/*/choices.py of 3.7 to 4.6. Networks and disks have no state.
DEVICE = ("active", "decommissioning", "failed", "inventory", "offline", "planned", "staged")
MACHINE = ("active", "decommissioning", "failed", "offline", "paused", "planned", "staged")
CIRCUIT = ("active", "decommissioned", "deprovisioning", "offline", "planned", "provisioning")
TUNNEL, L2VPN = ("active", "disabled", "planned"), ("active", "decommissioning", "planned")
BUILT_IN = {
    "appliances": DEVICE,
    "circuits": CIRCUIT,
    "servers": (*DEVICE, *MACHINE),
    "wan_links": (*TUNNEL, *L2VPN),
}


def test_each_word_that_netbox_itself_has_for_a_status_is_a_state():
    cells = {
        family: importlib.import_module(f"modules.{family}.netbox")
        for family, providers in families().items()
        if "netbox" in providers
    }
    with_states = {
        family: getattr(cell, "STATES", records.STATES)  # the table of its own, or that of devices
        for family, cell in cells.items()
        if "netbox.state(" in inspect.getsource(cell)
    }
    assert with_states.keys() == BUILT_IN.keys()
    for family, states in with_states.items():
        for word in BUILT_IN[family]:
            state, shown = records.state({"status": choice(word)}, states)
            assert state != "unknown", (family, word)
            assert shown == word


def test_a_server_that_is_a_device_has_a_state_too():
    record = {**device_record(1, "server"), "status": choice("staged")}
    found = facts(converted("dcim/devices", record, cell=servers))
    assert (found["state"], found["provider_state"]) == ("pending", "staged")


# --- what a device is -----------------------------------------------------------------------------------


def device_record(number, role, model="unheard-of", maker="acme", **changed):
    made = {"id": 1, "display": model, "model": model, "slug": model, "manufacturer": None}
    if maker:
        made["manufacturer"] = thin(1, maker)
    named = thin(number, f"box-{number}")
    given = thin(1, role) if isinstance(role, str) else role
    record = {**fakes.sample("dcim/devices"), **named, "role": given, "device_type": made}
    return {**record, **changed}


@pytest.mark.parametrize(
    "role, kind",
    [
        ("router", "router"),
        ("core-router", "router"),
        ("wan_routers", "router"),
        ("switch", "switch"),
        ("access-switch", "switch"),
        ("switches", "switch"),
        ("kvm-switch", "kvm"),
        ("kvm", "kvm"),
        ("firewall", "firewall"),
        ("perimeter-fw", "firewall"),
        ("load-balancer", "load_balancer"),
        ("load-balancers", "load_balancer"),
        ("adc", "load_balancer"),
        ("storage", "storage"),
        ("storage-array", "storage"),
        ("nas", "storage"),
        ("san", "storage"),
        ("san-switch", "switch"),
        ("ngfw", "firewall"),
        ("edge-ngfws", "firewall"),
        ("cpe", "router"),
        ("customer-cpes", "router"),
        ("console-server", "unknown"),
        ("terminal-server", "unknown"),
        ("pdu", "unknown"),
        ("router-shelf", "unknown"),
        ("観測装置", "unknown"),
    ],
)
def test_an_appliances_type_by_its_role(role, kind):
    record = device_record(7, role)
    assert facts(converted("dcim/devices", record))["type_id"] == kind
    assert isinstance(converted("dcim/devices", record, cell=servers), Dropped)


@pytest.mark.parametrize("role", ["server", "db-servers", "hypervisor", "bare-metal", "Server"])
def test_a_server_by_its_role(role):
    record = device_record(7, role)
    assert converted("dcim/devices", record, cell=servers)["id"] == "7"
    assert converted("dcim/devices", record) == Dropped("a server")


def test_a_role_is_known_by_its_name_where_its_slug_tells_nothing():
    role = {"id": 1, "display": "Core Router", "name": "Core Router", "slug": "cr"}
    assert facts(converted("dcim/devices", device_record(7, role)))["type_id"] == "router"


def test_a_role_of_before_4_0():
    record = device_record(7, None, device_role=thin(1, "firewall"))
    assert facts(converted("dcim/devices", record))["type_id"] == "firewall"


@pytest.mark.parametrize(
    "maker, model, kind",
    [
        ("arista", "dcs-7050", "switch"),
        ("cisco", "isr4331", "router"),
        ("cisco", "cisco-isr4331", "router"),
        ("cisco", "asa5516", "firewall"),
        ("cisco", "ws-c3850", "switch"),
        ("fortinet", "fg-600f", "firewall"),
        ("juniper", "mx204", "router"),
        ("juniper", "srx4100", "firewall"),
        ("juniper", "qfx5120", "switch"),
        ("f5", "big-ip-i5800", "load_balancer"),
        ("netapp", "aff-a250", "storage"),
        ("palo-alto-networks", "pa-3220", "firewall"),
        ("raritan", "dominion-kx3", "kvm"),
        ("acme", "mx204", "unknown"),
        (None, "mx204", "unknown"),
    ],
)
@pytest.mark.parametrize("role", ["edge", None])
def test_an_appliances_type_by_its_model_where_the_role_does_not_tell(role, maker, model, kind):
    record = device_record(7, role, model, maker)
    assert facts(converted("dcim/devices", record))["type_id"] == kind
    assert facts(converted("dcim/devices", {**record, "role": thin(1, "nas")}))["type_id"] == (
        "storage"
    )


@pytest.mark.parametrize(
    "kinds, kind",
    [
        ({"router": "firewall"}, "firewall"),
        ({"mx204": "switch"}, "switch"),
        ({"router": "firewall", "mx204": "switch"}, "firewall"),
        ({"router": "unknown"}, "unknown"),
        ({"edge": "switch"}, "router"),
    ],
)
def test_the_accounts_own_words_come_first(kinds, kind):
    record = device_record(7, "router", "mx204", "juniper")
    assert facts(converted("dcim/devices", record, **kinds))["type_id"] == kind


def test_the_accounts_own_words_make_servers():
    record = device_record(7, "router")
    assert isinstance(converted("dcim/devices", record, router="server"), Dropped)
    assert converted("dcim/devices", record, cell=servers, router="server")["type"] == "server"


@pytest.mark.parametrize("given, expected", [(None, {}), ({" Edge ": "kvm"}, {"edge": "kvm"})])
def test_the_option(given, expected):
    assert records.device_kinds(given) == expected


@pytest.mark.parametrize("kind", ["Router", "", None, ["router"], {}])
def test_an_option_that_maps_to_no_kind(kind):
    with pytest.raises(InvalidEvent, match="'edge' is mapped to.*") as caught:
        records.device_kinds({"edge": kind})
    assert "load_balancer" in str(caught.value)


# --- appliances -----------------------------------------------------------------------------------------


def appliance(release=fakes.NEWEST, **changed):
    wanted = {"role.slug": "firewall"}
    record = {**fakes.sample("dcim/devices", release, **wanted), **changed}
    return converted("dcim/devices", record, release=release)


@pytest.mark.parametrize("release", fakes.RELEASES)
@pytest.mark.parametrize(
    "name, value",
    [
        ("manufacturer", "Fortinet"),
        ("model", "FortiGate 600F"),
        ("role", "Firewall"),
        ("rack", "R-FRA-01"),
        ("site", "Frankfurt FRA1"),
        ("location", "Halle 1"),
        ("platform", "FortiOS"),
        ("tenant", "Network Operations"),
        ("primary_ip4", "10.12.255.30"),
        ("provider_state", "active"),
        ("state", "running"),
    ],
)
def test_what_an_appliance_has(release, name, value):
    assert specific(appliance(release))[name] == value


def test_a_serial_number():
    assert specific(appliance(serial="SN1"))["serial"] == "SN1"
    assert "serial" not in specific(appliance(serial=""))


@pytest.mark.parametrize("changed", [{"name": None}, {"name": ""}])
def test_a_device_without_a_name_is_what_netbox_displays(changed):
    found = appliance(display="Supermicro SYS-620 (49)", **changed)
    assert found["base"]["name"] == "Supermicro SYS-620 (49)"


def test_where_a_device_is():
    assert places(appliance()) == [{"location": {"name": "Frankfurt FRA1"}, **GERMANY}]
    assert places(appliance(**SPOT))[0]["location"] == {"name": "Frankfurt FRA1", **SPOT}
    assert places(appliance(site=None)) == []


def test_rendered_configuration_stays_out():
    given = {"config_context": {"psk": "canary"}, "local_context_data": {"psk": "canary"}}
    assert "canary" not in json.dumps(appliance(**given))
    record = {**fakes.sample("virtualization/virtual-machines"), **given}
    assert "canary" not in json.dumps(converted("virtualization/virtual-machines", record))
    assert not {*given} & {*servers.FIELDS, *records.DEVICE_FIELDS}


# --- servers --------------------------------------------------------------------------------------------


def machine(made=None, release=fakes.NEWEST, **changed):
    listing = "virtualization/virtual-machines"
    return converted(listing, {**fakes.sample(listing, release), **changed}, made, release=release)


@pytest.mark.parametrize("vcpus, cores", [(4.0, 4), (4, 4), (2.5, None), (0.5, None), (None, None)])
def test_a_share_of_a_cpu_is_no_number_of_cores(vcpus, cores):
    found = machine(vcpus=vcpus)
    assert facts(found)["cpu_cores"] == cores
    assert specific(found).get("vcpus") == vcpus


@pytest.mark.parametrize("memory, ram", [(4096, 4096 * MIB), (0, 0), (None, None)])
def test_memory(memory, ram):
    assert facts(machine(memory=memory))["ram_b"] == ram


@pytest.mark.parametrize(
    "release, unit", [("3.7.8", GB), ("4.0.11", GB), ("4.1.11", MB), ("4.6.8", MB)]
)
@pytest.mark.parametrize("size", [120, 0, None])
def test_disks_are_in_gigabytes_before_4_1(release, unit, size):
    expected = None if size is None else size * unit
    made = servers.Lookups(SITES, {}, fakes.number(release))
    assert facts(machine(made, disk=size))["volumes_b"] == expected
    record = {**fakes.sample("virtualization/virtual-disks"), "size": size}
    of_disk = volumes.Lookups(fakes.number(release))
    found = converted("virtualization/virtual-disks", record, of_disk)
    assert facts(found)["size_b"] == expected


@pytest.mark.parametrize("kind", ["virtual machine", "device"])
def test_ids_of_machines_and_devices_do_not_collide(kind):
    if kind == "device":
        found = converted("dcim/devices", device_record(25, "server"), cell=servers)
    else:
        found = machine(id=25)
    assert found["id"] == {"device": "25", "virtual machine": "virtual-machine:25"}[kind]
    assert facts(found)["is_virtual"] == (kind == "virtual machine")


def test_a_device_has_no_cores_and_no_memory_in_netbox():
    found = facts(converted("dcim/devices", device_record(25, "server", "r750"), cell=servers))
    assert (found["cpu_cores"], found["ram_b"], found["volumes_b"]) == (None, None, None)
    assert found["instance_type"] == "r750"


def test_the_type_of_a_machine():
    assert facts(machine(virtual_machine_type=thin(1, "m1")))["instance_type"] == "m1"
    assert facts(machine())["instance_type"] is None


def test_addresses_are_without_their_mask_and_each_once():
    v4 = {"id": 1, "display": "10.0.0.4/24", "address": "10.0.0.4/24"}
    v6 = {"id": 2, "display": "2001:db8::4/64", "address": "2001:db8::4/64"}
    found = facts(machine(primary_ip=v6, primary_ip4=v4, primary_ip6=v6))["ip_addresses"]
    assert [(each["ip_address"], each["description"]) for each in found] == [
        ("10.0.0.4", "primary_ip4"),
        ("2001:db8::4", "primary_ip6"),
    ]
    assert facts(machine(primary_ip=None, primary_ip4=None, primary_ip6=None))["ip_addresses"] == []


def test_a_management_address():
    oob = {"id": 1, "display": "192.0.2.4/24", "address": "192.0.2.4/24"}
    assert specific(appliance(oob_ip=oob))["oob_ip"] == "192.0.2.4"


def test_a_platform_is_the_image():
    found = facts(machine(platform=thin(7, "Debian 12", slug="debian-12")))["image_detail"]
    assert (found["id"], found["name"]) == ("debian-12", "Debian 12")
    assert facts(machine(platform=None))["image_detail"] is None


@pytest.mark.parametrize(
    "host, disks, expected",
    [
        (None, [], {}),
        (70, [], {"appliance": ["70"]}),
        (71, [], {"server": ["71"]}),
        (99, [], {}),
        (71, ["3", "4"], {"server": ["71"], "volume": ["3", "4"]}),
    ],
)
def test_what_a_machine_is_connected_to(host, disks, expected):
    made = dataclasses.replace(lookups_of(servers), disks={5: disks, 6: ["9"]})
    found = machine(made, id=5, device=host and thin(host, "host"))
    assert connected(found) == expected


def test_where_a_machine_is():
    assert places(machine(site=site(1))) == [TOKYO]
    assert places(machine(site=None)) == []


# --- networks -------------------------------------------------------------------------------------------


def prefix(release=fakes.NEWEST, **changed):
    record = {**fakes.sample("ipam/prefixes", release), **changed}
    return converted("ipam/prefixes", record, release=release)


def vlan(release=fakes.NEWEST, **changed):
    record = {**fakes.sample("ipam/vlans", release), **changed}
    return converted("ipam/vlans", record, release=release)


@pytest.mark.parametrize("release", fakes.RELEASES)
def test_a_prefix(release):
    found = prefix(release, id=8, prefix="10.10.1.0/24", vrf=thin(1, "CORP"))
    assert (found["type"], found["id"], found["base"]["name"]) == ("network", "8", "10.10.1.0/24")
    assert specific(found)["cidrs"] == ["10.10.1.0/24"]
    assert specific(found)["network_kind"] == "prefix"
    assert specific(found)["vrf"] == "CORP"


@pytest.mark.parametrize("release", fakes.RELEASES)
def test_a_vlan(release):
    found = vlan(release, id=8, vid=100, name="servers", group=thin(2, "Global"))
    assert (found["id"], found["base"]["name"]) == ("vlan:8", "servers")
    told = {name: specific(found)[name] for name in ("network_kind", "vid", "group")}
    assert told == {"network_kind": "vlan", "vid": 100, "group": "Global"}


def test_a_vlan_in_an_l2vpn():
    of = {"id": 3, "display": "x <> y", "l2vpn": thin(1, "EVPN-core")}
    assert specific(vlan(l2vpn_termination=of))["l2vpn"] == "EVPN-core"
    assert "l2vpn" not in specific(vlan(l2vpn_termination=None))


@pytest.mark.parametrize("number, expected", [(7, {"network": ["vlan:7"]}), (8, {}), (None, {})])
def test_a_prefix_is_connected_to_its_vlan_if_that_is_listed(number, expected):
    assert connected(prefix(vlan=number and thin(number, "servers"))) == expected


HALL = {"location": {**TOKYO["location"], "name": "Tokyo DC1 / Hall A"}}


@pytest.mark.parametrize(
    "kind, target, expected",
    [
        ("dcim.site", site(1), [TOKYO]),
        ("dcim.location", thin(6, "Hall A"), [HALL]),
        ("dcim.location", thin(99, "New hall"), []),
        ("dcim.region", REGION, [GERMANY]),
        ("dcim.sitegroup", thin(2, "Branches"), []),
        (None, None, []),
    ],
)
def test_where_a_prefix_is(kind, target, expected):
    assert places(prefix(scope_type=kind, scope=target)) == expected


@pytest.mark.parametrize("release", ["3.7.8", "4.1.11"])
def test_where_a_prefix_was_before_4_2(release):
    assert places(prefix(release, site=site(1))) == [TOKYO]
    assert places(prefix(release, site=None)) == []


def test_where_a_vlan_is():
    assert places(vlan(site=site(1))) == [TOKYO]
    assert places(vlan(site=None)) == []


# --- volumes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("release", fakes.RELEASES)
def test_a_disk_is_its_machines(release):
    listing = "virtualization/virtual-disks"
    record = {**fakes.sample(listing, release), "virtual_machine": thin(3, "app02.lab")}
    found = converted(listing, {**record, "id": 2, "name": "disk0"}, release=release)
    assert (found["type"], found["id"], found["base"]["name"]) == ("volume", "2", "disk0")
    assert connected(found) == {"server": ["virtual-machine:3"]}
    assert specific(found)["virtual_machine"] == "app02.lab"


def test_a_disk_without_a_machine_is_refused():
    record = {**fakes.sample("virtualization/virtual-disks"), "virtual_machine": None}
    with pytest.raises(UnexpectedResponse, match="virtual_machine"):
        converted("virtualization/virtual-disks", record)


# --- circuits -------------------------------------------------------------------------------------------


def end(kind, target, release=fakes.NEWEST, **changed):
    record = fakes.sample("circuits/circuit-terminations", release)
    record.update(link_peers=[], link_peers_type=None)
    if fakes.number(release) >= (4, 2):
        record.update(termination_type=kind, termination=target)
    else:
        record.update(site=target if kind == "dcim.site" else None, provider_network=None)
        if kind != "dcim.site":
            record["provider_network"] = target
    return {**record, **changed}


def circuit(a=None, z=None, release=fakes.NEWEST, **changed):
    record = {**fakes.sample("circuits/circuits", release), "id": 5, **changed}
    sides = {(5, side): each for side, each in (("A", a), ("Z", z)) if each}
    made = circuit_lookups(terminations={**sides, (6, "A"): end("dcim.site", site(2), release)})
    return converted("circuits/circuits", record, made, release=release)


@pytest.mark.parametrize("release", fakes.RELEASES)
def test_a_circuit(release):
    found = circuit(
        release=release,
        cid="KT/7",
        provider=thin(1, "Kaigan Telecom"),
        type=thin(5, "E-Line", slug="e-line"),
    )
    assert (found["type"], found["id"], found["base"]["name"]) == ("circuit", "5", "KT/7")
    assert facts(found) == {
        "carrier": "Kaigan Telecom",
        "reference": "KT/7",
        "type_id": "e-line",
        "endpoint_a": None,
        "endpoint_b": None,
    }


@pytest.mark.parametrize("release", fakes.RELEASES)
@pytest.mark.parametrize(
    "kind, target, name, where",
    [
        ("dcim.site", site(1), "Tokyo DC1", [TOKYO]),
        ("dcim.site", thin(99, "New"), "New", [{"location": {"name": "New"}}]),
        ("circuits.providernetwork", thin(9, "Core"), "Core (Kaigan)", []),
        ("circuits.providernetwork", thin(8, "New core"), "New core", []),
    ],
)
def test_ends_that_every_release_has(release, kind, target, name, where):
    found = circuit(end(kind, target, release), release=release)
    assert ends(found) == (name, None)
    assert places(found) == where
    assert specific(found)["termination_a"]["type"] == kind


@pytest.mark.parametrize(
    "kind, target, name, where",
    [
        ("dcim.location", thin(6, "Hall A"), "Tokyo DC1 / Hall A", [HALL]),
        ("dcim.location", thin(99, "New hall"), "New hall", []),
        ("dcim.region", REGION, "Germany", [GERMANY]),
        ("dcim.sitegroup", thin(2, "Branches"), "Branches", []),
        ("plugin.cloudregion", thin(2, "ap-northeast-1"), "ap-northeast-1", []),
        (None, None, None, []),
    ],
)
def test_ends_from_4_2_on(kind, target, name, where):
    found = circuit(None, end(kind, target))
    assert ends(found) == (None, name)
    assert places(found) == where


@pytest.mark.parametrize("release", fakes.RELEASES)
@pytest.mark.parametrize(
    "a, z, expected",
    [
        (None, None, (None, None)),
        (1, None, ("Tokyo DC1", None)),
        (None, 1, (None, "Tokyo DC1")),
        (1, 2, ("Tokyo DC1", "Null Island")),
    ],
)
def test_a_missing_end_is_none(release, a, z, expected):
    end_a, end_z = (each and end("dcim.site", site(each), release) for each in (a, z))
    found = circuit(end_a, end_z, release=release)
    assert ends(found) == expected
    assert ("termination_a" in specific(found), "termination_z" in specific(found)) == (
        a is not None,
        z is not None,
    )


def test_both_ends_at_one_site_are_one_place():
    both = end("dcim.site", site(1)), end("dcim.site", site(1))
    assert places(circuit(*both)) == [TOKYO]


@pytest.mark.parametrize("rate, bps", [(10000, 10**7), (0, 0), (2147483647, 2147483647000)])
def test_rates_are_in_bits_per_second(rate, bps):
    assert specific(circuit(commit_rate=rate))["commit_rate_bps"] == bps
    at_end = circuit(end("dcim.site", site(1), port_speed=rate, upstream_speed=rate))
    told = specific(at_end)["termination_a"]
    assert (told["port_speed_bps"], told["upstream_speed_bps"]) == (bps, bps)


def test_a_rate_that_is_missing_is_not_zero():
    assert "commit_rate_bps" not in specific(circuit(commit_rate=None))


@pytest.mark.parametrize(
    "name, value, shown",
    [
        ("install_date", "2018-06-01", "2018-06-01"),
        ("termination_date", "2017-01-01", "2017-01-01"),  # before it began: NetBox takes it
        ("tenant", thin(1, "Ōsaka Trading 株式会社"), "Ōsaka Trading 株式会社"),
        ("type", thin(5, "E-Line"), "E-Line"),
        ("distance", 12.5, 12.5),
        ("distance_unit", choice("km"), "km"),
        ("description", "Primary path", "Primary path"),
        ("comments", "*bold*", "*bold*"),
    ],
)
def test_what_a_circuit_has_besides(name, value, shown):
    assert specific(circuit(**{name: value}))[name] == shown


@pytest.mark.parametrize("name", ["", "Corporate"])
def test_an_account_with_the_carrier(name):
    of = {"id": 4, "display": "00-7781", "name": name, "account": "00-7781"}
    found = specific(circuit(provider_account=of))
    assert (found["account"], found["provider_account"]) == ("00-7781", name or "00-7781")
    assert "account" not in specific(circuit(provider_account=None))


def port(device, name="xe-0/0/0"):
    return {"id": 1, "display": name, "name": name, "device": thin(device, f"box-{device}")}


@pytest.mark.parametrize(
    "device, expected",
    [(70, {"appliance": ["70"]}), (71, {"server": ["71"]}), (72, {"appliance": ["72"]}), (99, {})],
)
def test_a_circuit_is_connected_to_the_devices_that_it_is_cabled_to(device, expected):
    cabled = {"link_peers": [port(device)], "link_peers_type": "dcim.interface"}
    found = circuit(end("dcim.site", site(1), **cabled))
    assert connected(found) == expected
    told = specific(found)["termination_a"]
    assert told["link_peers"] == [f"box-{device} xe-0/0/0"]
    assert told["link_peers_type"] == "dcim.interface"
    assert ends(found)[0] == "Tokyo DC1"


def test_a_circuit_that_is_cabled_to_one_device_twice():
    a, z = (end("dcim.site", site(1), link_peers=[port(70, each)]) for each in ("e1", "e2"))
    assert connected(circuit(a, z)) == {"appliance": ["70"]}


def test_a_cable_to_another_circuits_end():
    peer = {"id": 9, "display": "KT-8: Termination A", "circuit": thin(8, "KT-8"), "term_side": "A"}
    found = circuit(end("dcim.site", site(1), link_peers=[peer]))
    assert connected(found) == {}
    assert specific(found)["termination_a"]["link_peers"] == ["KT-8: Termination A"]


# --- virtual circuits -----------------------------------------------------------------------------------


def virtual(*ends_, made=None, **changed):
    listing = "circuits/virtual-circuits"
    network = {"provider_network": thin(9, "Core")}
    record = {**fakes.sample(listing), **network, "id": 5, **changed}
    return converted(
        listing, record, made or circuit_lookups(virtual_terminations={5: list(ends_)})
    )


def virtual_end(device, role="peer", **changed):
    record = fakes.sample("circuits/virtual-circuit-terminations")
    interface = port(device, "irb.300") if device else None
    return {**record, "role": choice(role), "interface": interface, **changed}


def test_a_virtual_circuit():
    found = virtual(cid="VC-005", type=thin(1, "L3VPN", slug="l3vpn"))
    assert (found["id"], found["base"]["name"]) == ("virtual-circuit:5", "VC-005")
    assert facts(found) == {
        "carrier": "Kaigan",
        "reference": "VC-005",
        "type_id": "l3vpn",
        "endpoint_a": None,
        "endpoint_b": None,
    }
    assert specific(found)["provider_network"] == "Core"
    assert specific(found)["service_id"] == "VPRN-1"


def test_a_virtual_circuit_through_a_network_that_is_not_listed():
    found = virtual(virtual_end(70), provider_network=thin(8, "New core"))
    assert facts(found)["carrier"] is None
    assert ends(found) == ("Tokyo DC1", "New core")


@pytest.mark.parametrize(
    "given, expected",
    [
        ([(70, "peer"), (71, "peer")], ("Tokyo DC1", "Null Island")),
        ([(70, "spoke"), (71, "hub")], ("Null Island", "Tokyo DC1")),
        ([(70, "spoke"), (71, "hub"), (71, "spoke")], ("Null Island", "Tokyo DC1, Null Island")),
        ([(70, "hub"), (71, "hub"), (71, "spoke")], ("Tokyo DC1, Null Island", "Null Island")),
        ([(71, "hub"), (70, "spoke"), (70, "spoke")], ("Null Island", "Tokyo DC1")),
        ([(70, "peer")], ("Tokyo DC1", "Core (Kaigan)")),
        ([(70, "hub")], ("Tokyo DC1", "Core (Kaigan)")),
        ([(72, "peer"), (99, "peer")], ("box-72 irb.300", "box-99 irb.300")),
        ([(None, "peer"), (71, "peer")], (None, "Null Island")),
        ([], (None, None)),
    ],
)
def test_what_a_virtual_circuit_joins(given, expected):
    found = virtual(*(virtual_end(device, role) for device, role in given))
    assert ends(found) == expected
    told = specific(found).get("terminations", [])
    assert sorted(each["role"] for each in told) == sorted(role for _, role in given)


def test_a_virtual_circuit_is_connected_to_the_devices_at_its_ends():
    found = virtual(*(virtual_end(device) for device in (71, 70, 72, 99, 70)))
    assert connected(found) == {"appliance": ["70", "72"], "server": ["71"]}
    assert [each["location"]["name"] for each in places(found)] == ["Null Island", "Tokyo DC1"]
    assert specific(found)["terminations"][0] == {
        "role": "peer",
        "interface": "box-71 irb.300",
        "site": "Null Island",
    }


@pytest.mark.parametrize("make", [circuit, virtual])
@pytest.mark.parametrize("field", ["cid", "id"])
@pytest.mark.parametrize("value", [None, "", 7.5])
def test_a_circuit_without_its_reference_or_id_is_refused(make, field, value):
    with pytest.raises(UnexpectedResponse, match=f"'{field}'"):
        make(**{field: value})
