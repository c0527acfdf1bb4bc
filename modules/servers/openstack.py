"""Nova servers of the project, or of all projects where the account asks for it and may.

API: Compute v2.1, GET /servers/detail, 1,000 a page, at the newest microversion that both sides know.
https://docs.openstack.org/api-ref/compute/#list-servers-detailed

Before 2.47 a server only names its flavor: then all flavors are listed, and those that are not in the list
any more are requested one by one. ``image`` is empty for a server that boots from a volume: Cinder then
knows the image that the volume was made of. Which of its volumes that is, Nova shows to admins
(root_device_name); to others it is the one on the first device (vda, sda, ...).
``addresses`` is keyed by the network's name, which need not be unique: Neutron's ports say which
network it is, by the MAC address, and where a server has that address on several networks, by the
fixed addresses. A network that the project can't see (an admin put the port there) is no connection,
for no resource of that id is reported; the metadata name it. ``user_data`` (shown to admins) is left
out: it holds passwords.

Status comes from the same list: status, fault, power and, for admins, host. Metrics come from Gnocchi where
the catalog has it, else from Nova's diagnostics; logs are Nova's instance actions (gnocchi.py,
server_diagnostics.py and server_actions.py in shared/providers/openstack). None of them requests what only the
inventory needs.
"""

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Optional

from nflex_connector_utils import Connections, ImageDetail, IpAddress, Region, Server

from shared.engine.poll import Asked, Requested
from shared.providers import openstack
from shared.providers.openstack import gnocchi, server_actions, server_diagnostics
from shared.records.fields import field, items, needed, objects, time
from shared.records.metadata import metadata
from shared.records.status import Point

PERMISSIONS = (
    "get_floatingip",
    "get_image",
    "get_images",
    "get_network",
    "get_port",
    "get_security_group",
    "os_compute_api:flavors:detail",
    "os_compute_api:servers:detail",
    "volume:get_all",
)
STATUS_PERMISSIONS = ("os_compute_api:servers:detail", "os_compute_api:servers:show")
METRICS_PERMISSIONS = (
    "os_compute_api:flavors:detail",
    "os_compute_api:os-server-diagnostics",  # where the catalog has no Gnocchi
    "os_compute_api:servers:detail",
    "search resource",  # Gnocchi's
)
LOGS_PERMISSIONS = (
    "os_compute_api:os-instance-actions:list",
    "os_compute_api:os-instance-actions:show",
    "os_compute_api:servers:detail",
)
METRICS_SPAN = gnocchi.SPAN
LOGS_SPAN = server_actions.SPAN
CALLS = (
    "1 token; a region: 1 version of Nova + p(servers) /servers/detail "
    "+ p(ports) /ports + p(networks) /networks + p(floating) /floatingips "
    "+ p(volumes) /volumes/detail + p(images) /images; "
    "+ 1 an image that is used but not listed; + 1 /ports for each 50 MAC addresses that a server has "
    "on several networks; Nova before 2.47: + p(flavors) /flavors/detail "
    "+ 1 a flavor that is used but not listed; "
    "+ 1 /security-groups where the project has no port (all_projects: /quotas)"
)

FLAVOR_EMBEDDED = (2, 47)
MACS_A_CALL = 50  # keeps the URL below 4 KiB, which is where some web servers refuse it
FIRST_DISK = re.compile(r"[a-z]*da")  # vda, sda, xvda, hda
POWER_STATES = {1: "running", 3: "stopped", 4: "stopped", 6: "stopped", 7: "stopped"}
STATES = {
    "ACTIVE": "running",
    "BUILD": "pending",
    "DELETED": "terminated",
    "HARD_REBOOT": "running",
    "MIGRATING": "running",
    "PASSWORD": "running",
    "PAUSED": "stopped",
    "REBOOT": "running",
    "REBUILD": "pending",
    "RESCUE": "running",
    "RESIZE": "pending",
    "REVERT_RESIZE": "pending",
    "SHELVED": "stopped",
    "SHELVED_OFFLOADED": "stopped",
    "SHUTOFF": "stopped",
    "SOFT_DELETED": "terminated",
    "SUSPENDED": "stopped",
    "VERIFY_RESIZE": "running",
}
# What Nova is doing goes before what the server was when it began.
TASK_STATES = {
    "deleting": "shutting",
    "pausing": "stopping",
    "powering-off": "stopping",
    "powering-on": "pending",
    "resuming": "pending",
    "shelving": "stopping",
    "shelving_offloading": "stopping",
    "soft-deleting": "shutting",
    "suspending": "stopping",
    "unpausing": "pending",
    "unshelving": "pending",
}
LEVELS = {
    "ACTIVE": "ok",
    "BUILD": "warning",
    "DELETED": "warning",
    "ERROR": "error",
    "HARD_REBOOT": "warning",
    "MIGRATING": "ok",
    "PASSWORD": "ok",
    "PAUSED": "warning",
    "REBOOT": "warning",
    "REBUILD": "warning",
    "RESCUE": "warning",
    "RESIZE": "warning",
    "REVERT_RESIZE": "warning",
    "SHELVED": "warning",
    "SHELVED_OFFLOADED": "warning",
    "SHUTOFF": "warning",
    "SOFT_DELETED": "warning",
    "SUSPENDED": "warning",
    "UNKNOWN": "unknown",
    "VERIFY_RESIZE": "warning",  # waits for somebody to confirm or revert
}
# Of a server that Nova takes for ACTIVE: the hypervisor's word, which Nova asks for now and then.
POWER_LEVELS = {
    0: ("unknown", "NOSTATE"),
    1: ("ok", "RUNNING"),
    3: ("warning", "PAUSED"),
    4: ("warning", "SHUTDOWN"),
    6: ("error", "CRASHED"),
    7: ("warning", "SUSPENDED"),
}
HOST_LEVELS = {
    "DOWN": "error",
    "MAINTENANCE": "warning",  # takes no new servers
    "UNKNOWN": "unknown",
    "UP": "ok",
}
DETAILS = (
    "OS-DCF:diskConfig",
    "OS-EXT-AZ:availability_zone",
    "OS-EXT-SRV-ATTR:host",
    "OS-EXT-SRV-ATTR:hostname",
    "OS-EXT-SRV-ATTR:hypervisor_hostname",
    "OS-EXT-SRV-ATTR:instance_name",
    "OS-EXT-SRV-ATTR:launch_index",
    "OS-EXT-SRV-ATTR:reservation_id",
    "OS-EXT-SRV-ATTR:root_device_name",
    "OS-EXT-STS:power_state",
    "OS-EXT-STS:task_state",
    "OS-EXT-STS:vm_state",
    "OS-SRV-USG:launched_at",
    "OS-SRV-USG:terminated_at",
    "config_drive",
    "description",
    "hostId",
    "host_status",
    "key_name",
    "locked",
    "locked_reason",
    "pinned_availability_zone",
    "progress",
    "security_groups",
    "server_groups",
    "tags",
    "tenant_id",
    "trusted_image_certificates",
    "updated",
    "user_id",
)


@dataclasses.dataclass
class Lookups:
    """What servers only name. ``images`` and ``flavors`` hold None for what is gone."""

    microversion: tuple[int, int]
    volumes: dict[str, dict[str, Any]]
    port_networks: dict[tuple[str, str], str]  # (server id, MAC address) -> network id
    address_networks: dict[
        tuple[str, str], str
    ]  # (server id, address), where the MAC does not tell
    networks_of: dict[str, set[str]]  # server id -> network ids
    floating: dict[str, str]  # floating address -> id of the external network
    network_names: dict[str, str]  # of the networks that the networks family reports
    images: dict[str, Optional[dict[str, Any]]]
    flavors: dict[str, Optional[dict[str, Any]]]


def lookups(scope: openstack.Scope) -> Lookups:
    microversion = openstack.nova_microversion(scope)
    return Lookups(microversion, {}, {}, {}, defaultdict(set), {}, {}, {}, {})


def _look_up(scope: openstack.Scope, lookups: Lookups) -> None:
    if openstack.offers(scope, "network"):
        _look_up_networks(scope, lookups)
    if openstack.offers(scope, "volume"):
        path, query = "/volumes/detail", scope.all_tenants
        lookups.volumes = openstack.listed(scope, "volume", path, "volumes", query)
    if openstack.offers(scope, "image"):
        lookups.images.update(openstack.listed(scope, "image", "/images", "images"))
    _look_up_flavors(scope, lookups)


def _look_up_flavors(scope: openstack.Scope, lookups: Lookups) -> None:
    if lookups.microversion < FLAVOR_EMBEDDED:
        query = {"is_public": "None"}  # private ones too, for who may see them
        path = "/flavors/detail"
        lookups.flavors.update(openstack.listed(scope, "compute", path, "flavors", query))


def _look_up_networks(scope: openstack.Scope, lookups: Lookups) -> None:
    fields = ("device_id", "mac_address", "network_id", "project_id")
    query = {"fields": fields, **openstack.own(scope)}
    # a network has each MAC address once
    by = ("network_id", "mac_address")
    ports = openstack.listed(scope, "network", "/ports", "ports", query, by=by)
    openstack.require_network_rights(scope, ports.values())
    several = set()
    for (network, mac), port in ports.items():
        server = field(port, "device_id", str)
        if server:
            if lookups.port_networks.setdefault((server, mac), network) != network:
                several.add((server, mac))
            lookups.networks_of[server].add(network)
    _look_up_addresses(scope, lookups, several)
    networks = openstack.listed(scope, "network", "/networks", "networks")
    lookups.network_names = {
        network_id: openstack.name_of(network)
        for network_id, network in networks.items()
        if not openstack.of_another_project(scope, network)
    }
    try:
        floating = openstack.listed(scope, "network", "/floatingips", "floatingips")
    except openstack.NotFound:
        return  # a cloud without routers has no floating addresses
    lookups.floating = {
        needed(each, "floating_ip_address", str): needed(each, "floating_network_id", str)
        for each in floating.values()
    }


def _look_up_addresses(
    scope: openstack.Scope, lookups: Lookups, several: "set[tuple[str, str]]"
) -> None:
    """Of the servers that have a MAC address on several networks: the network of each fixed address."""
    macs = sorted({mac for _, mac in several})
    fields = ("id", "device_id", "mac_address", "network_id", "fixed_ips")
    for start in range(0, len(macs), MACS_A_CALL):
        query = {"mac_address": macs[start : start + MACS_A_CALL], "fields": fields}
        query.update(openstack.own(scope))
        for port in openstack.listed(scope, "network", "/ports", "ports", query).values():
            server = field(port, "device_id", str) or ""
            if (server, field(port, "mac_address", str)) in several:
                for fixed in objects(port, "fixed_ips"):
                    address = server, needed(fixed, "ip_address", str)
                    lookups.address_networks[address] = needed(port, "network_id", str)
    for each in several:
        del lookups.port_networks[each]


def fetch(scope: openstack.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    _look_up(scope, lookups)
    for page in _servers(scope, lookups):
        if openstack.offers(scope, "image"):
            _get_missing(
                scope, "image", "/images/", {_image_id(each) for each in page}, lookups.images
            )
        if lookups.microversion < FLAVOR_EMBEDDED:
            ids = {field(field(each, "flavor", dict) or {}, "id", str) for each in page}
            _get_missing(scope, "compute", "/flavors/", ids, lookups.flavors)
        yield page


def _servers(
    scope: openstack.Scope, lookups: Lookups, **filters: str
) -> Iterator[list[dict[str, Any]]]:
    path, query, version = "/servers/detail", {**scope.all_tenants, **filters}, lookups.microversion
    return openstack.pages(scope, "compute", path, "servers", query, version)


def fetch_status(
    scope: openstack.Scope, lookups: Lookups, requested: Requested
) -> Iterator[list[dict[str, Any]]]:
    ids = openstack.few(requested)
    if ids is None or scope.all_projects:  # where a listing shows whether the login may see all
        yield from _servers(scope, lookups)
        return
    for page in openstack.one_by_one(
        scope, "compute", "/servers", "server", ids, lookups.microversion
    ):
        yield [each for each in page if field(each, "tenant_id", str) in (None, scope.project_id)]


def metrics(
    scope: openstack.Scope, lookups: Lookups, asked: Asked
) -> Iterator[list[dict[str, Any]]]:
    """From Gnocchi where the catalog has it, else Nova's diagnostics: those of now, not of the interval."""
    _look_up_flavors(scope, lookups)
    listed = openstack.by_id(_servers(scope, lookups))
    capacities = {server_id: _capacity(record, lookups) for server_id, record in listed.items()}
    if openstack.offers(scope, "metric"):
        wanted = {each: capacities[each] for each in listed if asked.wants(each)}
        yield from gnocchi.points(scope, wanted, asked.interval)
    elif lookups.microversion >= server_diagnostics.MICROVERSION:
        servers = {each: (listed[each], capacities[each]) for each in listed}
        yield from server_diagnostics.points(scope, servers, asked.wants, asked.state)
    else:
        openstack.note(scope, "no metrics", why="no Gnocchi, and this Nova is older than Pike")


def logs(scope: openstack.Scope, lookups: Lookups, asked: Asked) -> Iterator[list[dict[str, Any]]]:
    """The servers' actions: 1 call a server that changed or whose turn it is, and 1 an action."""
    if lookups.microversion < server_actions.MICROVERSION:
        openstack.note(scope, "no logs", why="this Nova is older than Queens")
        return
    since = server_actions.changed_since(asked.interval)
    changed = openstack.by_id(_servers(scope, lookups, **since))
    listed = openstack.by_id(_servers(scope, lookups))
    yield from server_actions.events(
        scope, listed, changed, asked.interval, asked.wants, asked.state
    )


def _capacity(record: dict[str, Any], lookups: Lookups) -> dict[str, Optional[float]]:
    """What the expressions of the metric mapping need of a server; None: not known."""
    flavor = _flavor(record, lookups)
    ram_mib = field(flavor, "ram", float)
    memory = None if ram_mib is None else ram_mib * openstack.MIB
    return {"vcpus": field(flavor, "vcpus", float), "memory": memory}


def _get_missing(
    scope: openstack.Scope,
    service: str,
    path: str,
    ids: "set[Optional[str]]",
    known: dict[str, Optional[dict[str, Any]]],
) -> None:
    """What the list did not have (hidden images, private flavors): one request each, found or not."""
    for each in sorted(each for each in ids if each and each not in known):
        try:
            answer = openstack.get(scope, service, path + each)
            known[each] = field(answer, "flavor", dict) or answer
        except openstack.NotFound:
            known[each] = None


def convert(record: dict[str, Any], scope: openstack.Scope, lookups: Lookups) -> Server:
    server_id = needed(record, "id", str)
    flavor = _flavor(record, lookups)
    attached = objects(record, "os-extended-volumes:volumes_attached")
    volumes = sorted({needed(each, "id", str) for each in attached})
    sizes = [field(lookups.volumes.get(each) or {}, "size", int) for each in volumes]
    known_sizes = [size for size in sizes if size is not None]
    zone = field(record, "OS-EXT-AZ:availability_zone", str)
    networks = lookups.networks_of.get(server_id, set())
    return Server(
        id=server_id,
        name=openstack.name_of(record),
        cpu_cores=field(flavor, "vcpus", int),
        ram_b=openstack.in_bytes(flavor, "ram", openstack.MIB),
        volumes_b=sum(known_sizes) * openstack.GIB if len(known_sizes) == len(sizes) else None,
        state=_state(record),
        provider_state=field(record, "status", str),
        instance_type=field(flavor, "original_name", str) or field(flavor, "name", str),
        is_virtual=_is_virtual(flavor),
        image_detail=_image(record, volumes, lookups),
        ip_addresses=_addresses(record, server_id, lookups),
        provider_created_at=time(record, "created"),
        connections=Connections(
            networks=openstack.reported(networks, lookups.network_names), volumes=volumes
        ),
        metadata=metadata(
            record,
            DETAILS,
            field(record, "metadata", dict),
            zone=zone,
            flavor=flavor,
            fault=_fault(record),
            networks_of_other_projects=sorted(networks - lookups.network_names.keys()),
        ),
        region=Region(scope.region),
    )


def status(record: dict[str, Any], scope: openstack.Scope, lookups: Lookups) -> Iterator[Point]:
    """Nova's status, with the fault of an ERROR, and what that status hides: the power and the host.

    ``host_status`` is there from 2.16 on, as shipped for admins; ``updated`` is when the server last changed.
    """
    level, message, since = openstack.finding(record, "status", LEVELS, since="updated")
    doing = field(record, "OS-EXT-STS:task_state", str)
    if doing:
        message += f", {doing}"
    fault = field(record, "fault", dict) or {}
    if fault:
        message += f": {field(fault, 'message', str) or 'no message'} (fault {fault.get('code')})"
        since = time(fault, "created") or since
    findings: list[openstack.Finding] = [(level, " ".join(message.split()), since)]
    if field(record, "OS-EXT-STS:vm_state", str) == "error" and level != "error":
        findings.append(("warning", "vm_state error", None))  # being built anew after an ERROR
    power = field(record, "OS-EXT-STS:power_state", int)
    if record.get("status") == "ACTIVE" and not doing and power is not None:
        level, word = POWER_LEVELS.get(power, ("unknown", str(power)))
        findings.append((level, f"power_state {word}", None))
    if field(record, "host_status", str):  # "" where it is on no host
        findings.append(openstack.finding(record, "host_status", HOST_LEVELS))
    yield openstack.point(record, "server", findings)


def _fault(record: dict[str, Any]) -> dict[str, Any]:
    """Why a server is in ERROR; without Nova's traceback, which is for its developers."""
    fault = field(record, "fault", dict) or {}
    return {name: value for name, value in fault.items() if name != "details"}


def _state(record: dict[str, Any]) -> str:
    """CMP's state: of what Nova is doing, else of the status; an ERROR says what the power says."""
    doing = TASK_STATES.get(field(record, "OS-EXT-STS:task_state", str) or "")
    status = field(record, "status", str) or ""
    power = field(record, "OS-EXT-STS:power_state", int)
    if status == "ERROR":
        return POWER_STATES.get(power or 0, "unknown")
    return doing or STATES.get(status, "unknown")


def _flavor(record: dict[str, Any], lookups: Lookups) -> dict[str, Any]:
    named = field(record, "flavor", dict) or {}
    flavor_id = field(named, "id", str)
    return (lookups.flavors.get(flavor_id) or named) if flavor_id else named


def _is_virtual(flavor: dict[str, Any]) -> Optional[bool]:
    """A flavor for bare metal (Ironic) claims no virtual CPU; old clouds do not tell."""
    specs = field(flavor, "extra_specs", dict)
    return None if specs is None else str(specs.get("resources:VCPU")) != "0"


def _image_id(record: dict[str, Any]) -> Optional[str]:
    image = record.get("image")
    if not image:  # "" for a server that boots from a volume
        return None
    return field(field(record, "image", dict) or {}, "id", str)


def _image(record: dict[str, Any], volumes: list[str], lookups: Lookups) -> Optional[ImageDetail]:
    image_id = _image_id(record)
    if image_id:
        image = lookups.images.get(image_id) or {}
        return _image_detail(image_id, field(image, "name", str), image)
    origin = field(_root_volume(record, volumes, lookups), "volume_image_metadata", dict) or {}
    image_id = field(origin, "image_id", str)
    return _image_detail(image_id, field(origin, "image_name", str), origin) if image_id else None


def _root_volume(record: dict[str, Any], volumes: list[str], lookups: Lookups) -> dict[str, Any]:
    """The volume that the server boots from; empty where nothing tells which that is.

    It is the one on the root device, or else on the first one. A shelved server's volumes are on no
    device: then it is the bootable one, if that is one alone.
    """
    server_id = needed(record, "id", str)
    on: dict[str, list[dict[str, Any]]] = defaultdict(list)  # by device
    for volume in filter(None, map(lookups.volumes.get, volumes)):
        devices = [
            field(each, "device", str) or ""
            for each in objects(volume, "attachments")
            if each.get("server_id") == server_id
        ]
        on[_device(devices[0]) if devices else ""].append(volume)
    root = _device(field(record, "OS-EXT-SRV-ATTR:root_device_name", str) or "")
    first = [volume for name in on if FIRST_DISK.fullmatch(name) for volume in on[name]]
    bootable = [volume for volume in on[""] if field(volume, "bootable", str) == "true"]
    for found in (on[root] if root else [], first, bootable):
        if len(found) == 1:
            return found[0]
    return {}


def _device(name: str) -> str:
    return name.rpartition("/")[2]  # "/dev/vda", or in old records "vda"


def _image_detail(image_id: str, name: Optional[str], image: dict[str, Any]) -> ImageDetail:
    """Properties as Glance documents them: os_type is windows or linux, os_distro one of libosinfo's.

    https://docs.openstack.org/glance/latest/admin/useful-image-properties.html
    """
    distribution = field(image, "os_distro", str)
    kind = (field(image, "os_type", str) or "").lower()
    if not kind and distribution:
        kind = "windows" if distribution.lower().startswith("win") else "linux"
    return ImageDetail(
        id=image_id,
        name=name,
        type={"windows": "Windows", "linux": "Linux"}.get(kind),
        distribution=distribution,
        version=field(image, "os_version", str),
        architecture=field(image, "architecture", str) or field(image, "hw_architecture", str),
    )


def _addresses(record: dict[str, Any], server_id: str, lookups: Lookups) -> list[IpAddress]:
    """Fixed addresses with the network of their port, floating ones with the external network."""
    ip_addresses = []
    addresses = field(record, "addresses", dict) or {}
    for network_name in sorted(addresses):
        for address in items(addresses, network_name, dict):
            ip = needed(address, "addr", str)
            kind = field(address, "OS-EXT-IPS:type", str)
            mac = field(address, "OS-EXT-IPS-MAC:mac_addr", str) or ""
            if kind == "floating":
                network_id = lookups.floating.get(ip)
                name = lookups.network_names.get(network_id or "")
            else:
                network_id = lookups.port_networks.get(
                    (server_id, mac), lookups.address_networks.get((server_id, ip))
                )
                name = network_name
            ip_addresses.append(
                IpAddress(
                    ip, network_id if network_id in lookups.network_names else None, name, kind
                )
            )
    return ip_addresses
