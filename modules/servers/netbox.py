"""Virtual machines, and devices whose role is that of a server.

API: GET /api/virtualization/virtual-machines/ and /api/dcim/devices/, 1,000 a page or as many as the server
allows. https://netboxlabs.com/docs/netbox/models/virtualization/virtualmachine/

NetBox numbers both from 1, so a virtual machine's id gets the prefix "virtual-machine:". Memory and disk are in
"megabytes", disk before 4.1 in "gigabytes": read as powers of 2 for memory, as hypervisors allot it,
and of 10 for disks, as 4.1 converted them. A fraction of a CPU (vcpus 0.5) is not a number of cores; it
is in the metadata only. NetBox records neither cores nor memory of a device. For which roles are those of
servers, see modules/appliances/netbox.py.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Optional, Union

from nflex_connector_utils import Connections, ImageDetail, IpAddress, Locations, Server

from shared.engine.contracts import Cell, Dropped, Page
from shared.providers import netbox
from shared.records.fields import field, needed, time

DEVICE = "dcim.device"
MIB = 2**20
FIELDS = (
    "id",
    "name",
    "virtual_machine_type",  # from 4.6
    "role",
    "status",
    "start_on_boot",
    "site",
    "cluster",
    "device",
    "tenant",
    "platform",
    "serial",
    "primary_ip4",
    "primary_ip6",
    "vcpus",
    "memory",
    "disk",
    *netbox.COMMON_FIELDS,
)
DETAILS = (
    "role",
    "start_on_boot",
    "site",
    "cluster",
    "device",
    "tenant",
    "platform",
    "serial",
    "vcpus",
    *netbox.COMMON_DETAILS,
)


@dataclasses.dataclass(frozen=True)
class Lookups:
    """Sites by id, the ids of each virtual machine's disks, and NetBox's release.

    ``device_kinds``: kind of each device, which only the pages of virtual machines need.
    """

    sites: dict[int, dict[str, Any]]
    disks: dict[int, list[str]]
    version: tuple[int, int]
    device_kinds: Mapping[int, str] = dataclasses.field(default_factory=dict)


def _sites(scope: netbox.Scope) -> tuple[dict[int, dict[str, Any]], tuple[int, int]]:
    """The sites, and the release: newer releases send it with them, others need a call."""
    return netbox.listed(scope, "dcim/sites", netbox.SITE_FIELDS), scope.version


def _disks(scope: netbox.Scope) -> dict[int, list[str]]:
    disks: dict[int, list[str]] = {}
    for page in netbox.pages(scope, "virtualization/virtual-disks", ("id", "virtual_machine")):
        for disk in page:
            machine = needed(needed(disk, "virtual_machine", dict), "id", int)
            disks.setdefault(machine, []).append(str(disk["id"]))
    return disks


def fetch(scope: netbox.Scope) -> Iterator[Page[dict[str, Any], Lookups]]:
    listings = scope.workers.pages(
        netbox.pages(scope, "dcim/devices", netbox.DEVICE_FIELDS, exclude="config_context"),
        netbox.pages(scope, "virtualization/virtual-machines", FIELDS, exclude="config_context"),
    )
    (sites, version), disks, pages = scope.workers.before(
        listings, lambda: _sites(scope), lambda: _disks(scope)
    )
    kinds: dict[int, str] = {}
    lookups = Lookups(sites, disks, version)
    for records in pages:
        found = {
            record["id"]: netbox.device_kind(record, scope.device_kinds)
            for record in records
            if record["object_type"] == DEVICE
        }
        kinds.update(found)
        # virtual machines come after all devices
        if not found and len(kinds) != len(lookups.device_kinds):
            lookups = dataclasses.replace(lookups, device_kinds=dict(kinds))
        yield Page(records, lookups)


def convert(
    record: dict[str, Any], scope: netbox.Scope, lookups: Lookups
) -> Union[Server, Dropped]:
    if needed(record, "object_type", str) == DEVICE:
        return _device(record, scope, lookups)
    number = needed(record, "id", int)
    vcpus = field(record, "vcpus", float)
    memory = field(record, "memory", int)
    return Server(
        id=f"virtual-machine:{number}",
        cpu_cores=int(vcpus) if vcpus is not None and vcpus.is_integer() else None,
        ram_b=None if memory is None else memory * MIB,
        volumes_b=netbox.disk_bytes(record, "disk", lookups.version),
        is_virtual=True,
        instance_type=netbox.nested(record, "virtual_machine_type", "name"),
        connections=_connections(record, number, lookups),
        metadata=netbox.details(record, DETAILS),
        native_portal_link=f"{scope.url}/virtualization/virtual-machines/{number}/",
        **_common(record, lookups),
    )


def _device(
    record: dict[str, Any], scope: netbox.Scope, lookups: Lookups
) -> Union[Server, Dropped]:
    number = needed(record, "id", int)
    if netbox.device_kind(record, scope.device_kinds) != "server":
        return Dropped("an appliance")
    device_type = field(record, "device_type", dict) or {}
    return Server(
        id=str(number),
        is_virtual=False,
        instance_type=field(device_type, "model", str),
        metadata=netbox.device_details(record),
        native_portal_link=f"{scope.url}/dcim/devices/{number}/",
        **_common(record, lookups),
    )


def _common(record: dict[str, Any], lookups: Lookups) -> dict[str, Any]:
    """What devices and virtual machines have in common."""
    site = field(record, "site", dict)
    cmp_state, word = netbox.state(record, netbox.STATES)
    return {
        "name": netbox.name_of(record),
        "state": cmp_state,
        "provider_state": word,
        "image_detail": _image(record),
        "ip_addresses": [
            IpAddress(address, description=name)
            for name, address in netbox.addresses(record).items()
        ],
        "provider_created_at": time(record, "created"),
        "locations": Locations([netbox.place(site, lookups.sites, spot=record)] if site else []),
    }


def _image(record: dict[str, Any]) -> Optional[ImageDetail]:
    """NetBox's "platform" is the operating system."""
    platform = field(record, "platform", dict)
    if not platform:
        return None
    return ImageDetail(id=needed(platform, "slug", str), name=needed(platform, "name", str))


def _connections(record: dict[str, Any], number: int, lookups: Lookups) -> Connections:
    """The machine's disks, and the device that it runs on."""
    host = field(record, "device", dict)
    host_id = needed(host, "id", int) if host else None
    kind = lookups.device_kinds.get(host_id) if host_id is not None else None
    return Connections(
        servers=[str(host_id)] if kind == "server" else [],
        appliances=[str(host_id)] if kind and kind != "server" else [],
        volumes=lookups.disks.get(number, []),
    )


CELL = Cell(
    calls=(
        "ceil(sites/1000) /sites + ceil(disks/1000) /virtual-disks + ceil(devices/1000) /devices "
        "+ ceil(virtual machines/1000) /virtual-machines; up to 4.1: + 1 /status"
    ),
    permissions=(
        "dcim.view_device",
        "dcim.view_site",
        "virtualization.view_virtualdisk",
        "virtualization.view_virtualmachine",
    ),
    fetch=fetch,
    convert=convert,
)
