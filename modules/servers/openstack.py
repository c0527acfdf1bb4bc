"""Nova servers: https://docs.openstack.org/api-ref/compute/#list-servers-detailed

Pages of 1000 (Nova's shipped maximum; a larger limit is cut without a word). Microversion: the
highest that both know, at most 2.96, of which every field here was checked; at 2.1 the flavor is an
id, and description, tags, lock and host name are missing. From 2.69 on, servers of a cell that is
down are listed by id and state UNKNOWN; before, Nova leaves them out without a word.

``addresses`` is keyed by the network's name, which may repeat, so that addresses and networks come
from Neutron's ports and floating IPs; ``addresses`` serves where a server has no port in the list.
A server booted from a volume has image "": the volume's image metadata tells it. A DELETED server,
shown for a moment, is reported as terminated, since the provider lists it; the next poll lacks it.
``OS-EXT-SRV-ATTR:user_data`` and ``adminPass`` are never read: they hold secrets.

State: ``_BY_TASK`` (while something is under way), else ``_BY_STATUS``, and where a status does not
tell whether the machine runs (ERROR, VERIFY_RESIZE, ...), ``_BY_POWER``.
"""

import dataclasses
from typing import Any, Optional, Union

from nflex_connector_utils import (
    Connections,
    ImageDetail,
    IpAddress,
    Metadata,
    Region,
    Server,
)

from shared import record, run
from shared.providers import openstack

PERMISSIONS = (
    "os_compute_api:servers:detail",
    "get_port",
    "get_network",
    "get_floatingip",
    "volume:get_all",
    "get_images",
    "get_image",
)
CALLS = (
    "1 token + 1 version + 1 rights + p(servers) + p(ports) + p(networks) + p(floating IPs) "
    "+ p(volumes) + p(images) + 1 an image not listed; with all_projects 2 rights more; "
    "Nova below 2.47: p(flavors) + 1 a flavor not listed more (p(n) = ceil(n / 1000), at least 1)"
)

NEWEST = (2, 96)
MIB, GIB = 1024**2, 1024**3

_BY_TASK = {
    "deleting": "shutting",
    "soft-deleting": "shutting",
    "powering-off": "stopping",
    "pausing": "stopping",
    "suspending": "stopping",
    "shelving": "stopping",
    "shelving_image_pending_upload": "stopping",
    "shelving_image_uploading": "stopping",
    "shelving_offloading": "stopping",
    "powering-on": "pending",
    "unpausing": "pending",
    "resuming": "pending",
    "unshelving": "pending",
    "restoring": "pending",
    "scheduling": "pending",
    "block_device_mapping": "pending",
    "networking": "pending",
    "spawning": "pending",
}
_BY_STATUS = {
    "ACTIVE": "running",
    "PASSWORD": "running",
    "REBOOT": "running",
    "HARD_REBOOT": "running",
    "RESCUE": "running",
    "BUILD": "pending",
    "REBUILD": "pending",
    "SHUTOFF": "stopped",
    "PAUSED": "stopped",
    "SUSPENDED": "stopped",
    "SHELVED": "stopped",
    "SHELVED_OFFLOADED": "stopped",
    "SOFT_DELETED": "terminated",
    "DELETED": "terminated",
}
_ASK_POWER = frozenset({"ERROR", "VERIFY_RESIZE", "RESIZE", "REVERT_RESIZE", "MIGRATING"})
_BY_POWER = {1: "running", 3: "stopped", 4: "stopped", 6: "stopped", 7: "stopped"}

_LINUX = frozenset(
    "alma almalinux alpinelinux alpine alt altlinux amazon amzn arch archlinux asianux centos "
    "cirros clearlinux coreos debian fedora fedora-coreos flatcar gentoo kali linux mandrake "
    "mandriva mageia manjaro mint nixos ol opensuse oracle oraclelinux photon redhat rhcos rhel "
    "rocky rockylinux scientificlinux sled sles suse talos ubuntu".split()
)

# What CMP has no field for, under Nova's names; of its admin-only fields all but user_data.
_DETAILS = (
    "OS-DCF:diskConfig",
    "OS-EXT-AZ:availability_zone",
    "OS-EXT-SRV-ATTR:host",
    "OS-EXT-SRV-ATTR:hostname",
    "OS-EXT-SRV-ATTR:hypervisor_hostname",
    "OS-EXT-SRV-ATTR:instance_name",
    "OS-EXT-SRV-ATTR:kernel_id",
    "OS-EXT-SRV-ATTR:launch_index",
    "OS-EXT-SRV-ATTR:ramdisk_id",
    "OS-EXT-SRV-ATTR:reservation_id",
    "OS-EXT-SRV-ATTR:root_device_name",
    "OS-EXT-STS:power_state",
    "OS-EXT-STS:task_state",
    "OS-EXT-STS:vm_state",
    "OS-SRV-USG:launched_at",
    "OS-SRV-USG:terminated_at",
    "accessIPv4",
    "accessIPv6",
    "config_drive",
    "description",
    "hostId",
    "host_status",
    "key_name",
    "locked",
    "locked_reason",
    "os-extended-volumes:volumes_attached",
    "pinned_availability_zone",
    "progress",
    "server_groups",
    "tenant_id",
    "trusted_image_certificates",
    "updated",
    "user_id",
)


@dataclasses.dataclass
class Lookups:
    """By id, unless said otherwise; None: the cloud has no such service."""

    version: dict[str, str]  # the headers that ask for the microversion
    flavors: Optional[dict[str, Any]]  # None: embedded in the server
    images: Optional[dict[str, Any]]  # an id that is known to lead nowhere has None
    volumes: Optional[dict[str, Any]]
    networks: dict[str, Any]
    network_ids: dict[str, Optional[str]]  # by name; None where several have it
    ports: dict[str, list[dict[str, Any]]]  # by server
    floating: dict[str, list[dict[str, Any]]]  # by port


def lookups(scope: openstack.Scope) -> Lookups:
    version = openstack.microversion(scope, NEWEST)
    embedded = version is not None and tuple(map(int, version.split("."))) >= (2, 47)
    headers = openstack.microversion_headers(version)
    found = Lookups(headers, None, None, None, {}, {}, {}, {})
    if not embedded:
        # "None" shows an admin the private ones too; Nova ignores it for others.
        found.flavors = openstack.everything(
            scope,
            "compute",
            "/flavors/detail",
            "flavors",
            [("is_public", "None")],
            headers,
        )
    if openstack.has(scope, "image"):
        found.images = dict(openstack.everything(scope, "image", "/images", "images"))
    if openstack.has(scope, "volume"):
        openstack.prove_rights(scope, "volume")
        found.volumes = openstack.everything(
            scope, "volume", "/volumes/detail", "volumes", _all_tenants(scope)
        )
    if openstack.has(scope, "network"):
        openstack.prove_rights(scope, "network")
        _neutron(scope, found)
    return found


def _all_tenants(scope: openstack.Scope) -> list[tuple[str, str]]:
    return [("all_tenants", "1")] if scope.all_projects else []


def _neutron(scope: openstack.Scope, found: Lookups) -> None:
    # Neutron shows an admin every project's; ports and floating IPs of other projects are no use.
    own = [] if scope.all_projects else [("tenant_id", scope.project_id)]

    def listing(path: str, key: str, fields: str, params: list[tuple[str, str]]) -> Any:
        wanted = [("fields", name) for name in fields.split()]
        return openstack.everything(scope, "network", path, key, [*params, *wanted])

    found.networks = listing(
        "/networks",
        "networks",
        "id name tenant_id project_id shared router:external",
        [],
    )
    for each in found.networks.values():
        name = record.field(each, "name", str)
        if name:
            found.network_ids[name] = None if name in found.network_ids else each["id"]
    ports = listing("/ports", "ports", "id device_id network_id fixed_ips", own)
    for _, port in sorted(ports.items()):
        found.ports.setdefault(record.field(port, "device_id", str) or "", []).append(port)
    fields = "id port_id floating_ip_address floating_network_id"
    floating = listing("/floatingips", "floatingips", fields, own)
    for _, each in sorted(floating.items()):
        found.floating.setdefault(record.field(each, "port_id", str) or "", []).append(each)


def fetch(scope: openstack.Scope, lookups: Lookups) -> Any:
    params = _all_tenants(scope)
    path = "/servers/detail"
    for page in openstack.pages(scope, "compute", path, "servers", params, lookups.version):
        for server in page:
            image = _image_id(server)
            if image and lookups.images is not None and image not in lookups.images:
                # hidden and community images are not listed, deleted ones are gone
                lookups.images[image] = openstack.one(scope, "image", f"/images/{image}")
            if lookups.flavors is not None:
                flavor = record.field(record.field(server, "flavor", dict) or {}, "id", str)
                if flavor and flavor not in lookups.flavors:
                    path_of_it = f"/flavors/{flavor}"
                    answer = openstack.one(scope, "compute", path_of_it, lookups.version) or {}
                    lookups.flavors[flavor] = record.field(answer, "flavor", dict)
        yield page


def convert(
    server: dict[str, Any], scope: openstack.Scope, lookups: Lookups
) -> Union[Server, run.Dropped]:
    id_ = record.needed(server, "id", str)
    flavor = _flavor(server, lookups)
    ram_mib = record.field(flavor, "ram", int)
    attached = [
        record.needed(each, "id", str)
        for each in record.objects(server, "os-extended-volumes:volumes_attached")
    ]
    volumes = [(lookups.volumes or {}).get(volume) for volume in attached]
    addresses, networks = _addresses(id_, server, scope, lookups)
    return Server(
        id=id_,
        name=record.field(server, "name", str) or id_,
        region=Region(id=scope.region),
        provider_created_at=record.time(server, "created"),
        cpu_cores=record.field(flavor, "vcpus", int),
        ram_b=None if ram_mib is None else ram_mib * MIB,
        volumes_b=_volumes_b(volumes),
        instance_type=record.field(flavor, "original_name", str)
        or record.field(flavor, "name", str),
        state=_state(server),
        provider_state=record.field(server, "status", str),
        image_detail=_image(id_, server, volumes, lookups),
        ip_addresses=addresses,
        connections=Connections(networks=sorted(networks), volumes=sorted(set(attached))),
        metadata=Metadata(_metadata(server, flavor)),
    )


def _state(server: dict[str, Any]) -> str:
    status = record.field(server, "status", str) or ""
    task = record.field(server, "OS-EXT-STS:task_state", str)
    power = record.field(server, "OS-EXT-STS:power_state", int)
    if task in _BY_TASK and status != "DELETED":
        return _BY_TASK[task]
    if status in _ASK_POWER:
        return _BY_POWER.get(power or 0, "unknown")
    return _BY_STATUS.get(status, "unknown")


def _flavor(server: dict[str, Any], lookups: Lookups) -> dict[str, Any]:
    flavor = record.field(server, "flavor", dict) or {}
    if lookups.flavors is None:
        return flavor
    return lookups.flavors.get(record.field(flavor, "id", str) or "") or {}


def _volumes_b(volumes: list[Optional[dict[str, Any]]]) -> Optional[int]:
    """The sum of the attached volumes' sizes (Cinder says GiB); None where one is not known."""
    sizes = [None if volume is None else record.field(volume, "size", int) for volume in volumes]
    known = [size for size in sizes if size is not None]
    return sum(known) * GIB if len(known) == len(sizes) else None


def _image_id(server: dict[str, Any]) -> Optional[str]:
    image = server.get("image")
    if image is None or image == "":  # booted from a volume
        return None
    return record.field(record.needed(server, "image", dict), "id", str)


def _image(
    id_: str,
    server: dict[str, Any],
    volumes: list[Optional[dict[str, Any]]],
    lookups: Lookups,
) -> Optional[ImageDetail]:
    image_id = _image_id(server)
    if image_id:
        return _image_detail(image_id, (lookups.images or {}).get(image_id) or {}, "name")
    boot = _boot_volume_image(id_, volumes)
    image_id = record.field(boot, "image_id", str)
    return _image_detail(image_id, boot, "image_name") if image_id else None


def _boot_volume_image(server: str, volumes: list[Optional[dict[str, Any]]]) -> dict[str, Any]:
    """The image metadata of the bootable volume that is attached as the first device."""
    found = []
    for volume in volumes:
        if volume is None or record.field(volume, "bootable", str) != "true":
            continue
        devices = [
            record.field(each, "device", str) or "~"
            for each in record.objects(volume, "attachments")
            if each.get("server_id") == server
        ]
        image = record.field(volume, "volume_image_metadata", dict) or {}
        found.append((min(devices, default="~"), record.needed(volume, "id", str), image))
    return min(found)[2] if found else {}


def _image_detail(id_: str, image: dict[str, Any], name: str) -> ImageDetail:
    system = (record.field(image, "os_type", str) or "").lower()
    distribution = record.field(image, "os_distro", str) or None
    if not system and distribution:
        system = "linux" if distribution.lower() in _LINUX else distribution.lower()
    kinds = {"linux": "Linux", "windows": "Windows"}
    return ImageDetail(
        id=id_,
        name=record.field(image, name, str) or None,
        type=kinds.get(system),
        distribution=distribution,
        version=record.field(image, "os_version", str) or None,
        architecture=record.field(image, "architecture", str)
        or record.field(image, "hw_architecture", str)
        or None,
    )


def _addresses(
    id_: str, server: dict[str, Any], scope: openstack.Scope, lookups: Lookups
) -> tuple[list[IpAddress], set[str]]:
    """The server's addresses, and the networks that it is connected to."""
    addresses: list[IpAddress] = []
    networks: set[str] = set()

    def add(address: Optional[str], network: Optional[str], kind: Optional[str]) -> None:
        known = lookups.networks.get(network or "")
        name = None if known is None else record.field(known, "name", str) or network
        addresses.append(IpAddress(address, network, name, kind))

    def connect(network: Optional[str]) -> None:
        known = lookups.networks.get(network or "")
        # an admin's network of another project is not among the networks that are reported
        if network and (known is None or openstack.belongs(known, scope)):
            networks.add(network)

    ports = lookups.ports.get(id_, ())
    for port in ports:
        network = record.field(port, "network_id", str)
        connect(network)
        for each in record.objects(port, "fixed_ips"):
            add(record.needed(each, "ip_address", str), network, "fixed")
        for each in lookups.floating.get(record.field(port, "id", str) or "", ()):
            outside = record.field(each, "floating_network_id", str)
            add(record.needed(each, "floating_ip_address", str), outside, "floating")
    by_name = record.field(server, "addresses", dict) or {}
    for name in by_name:
        for each in record.objects(by_name, name):
            address = record.needed(each, "addr", str)
            kind = record.field(each, "OS-EXT-IPS:type", str)
            if not ports:
                network = lookups.network_ids.get(name)
                connect(network)
                add(address, None if kind == "floating" else network, kind)
    return addresses, networks


def _metadata(server: dict[str, Any], flavor: dict[str, Any]) -> list[Any]:
    values: list[Any] = []
    for name in _DETAILS:
        value = server.get(name)
        if value is not None and value != "" and value != []:
            values.append((name, value if type(value) is str else record.plain(value)))
    groups = [record.field(each, "name", str) for each in record.objects(server, "security_groups")]
    if groups:
        values.append(("security_groups", sorted({name for name in groups if name})))
    fault = record.field(server, "fault", dict)
    if fault:  # without its details: a traceback, for admins
        for name in ("code", "created", "message"):
            if fault.get(name) is not None:
                values.append((f"fault.{name}", record.plain(fault[name])))
    for name, value in (
        ("flavor.disk", record.field(flavor, "disk", int)),
        ("flavor.ephemeral", _ephemeral(flavor)),
        ("flavor.swap", flavor.get("swap") or 0 if flavor else None),  # "" below 2.75
        ("flavor.extra_specs", record.field(flavor, "extra_specs", dict) or None),
    ):
        if value is not None:
            values.append((name, record.plain(value)))
    metadata = record.field(server, "metadata", dict) or {}
    for name, value in metadata.items():
        values.append(("provider_metadata", name, record.plain(value)))
    tags = record.items(server, "tags", str)
    if tags:
        space = "provider_specific" if "tags" in metadata else "provider_metadata"
        values.append((space, "tags", tags))
    return values


def _ephemeral(flavor: dict[str, Any]) -> Optional[int]:
    """Embedded in a server, the field is called otherwise than in a flavor."""
    value = record.field(flavor, "ephemeral", int)
    return record.field(flavor, "OS-FLV-EXT-DATA:ephemeral", int) if value is None else value
