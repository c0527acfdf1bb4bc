"""Nova servers of the project, or of all projects where the account asks for it and may.

API: Compute v2.1, GET /servers/detail, 1,000 a page, at the newest microversion that both sides know.
https://docs.openstack.org/api-ref/compute/#list-servers-detailed

Before 2.47 a server only names its flavor: then all flavors are listed, and those that are not in the list
any more are requested one by one. ``user_data`` (shown to admins) is left out: it holds passwords.

Status comes from the same list. Metrics come from Gnocchi where the catalog has it, else from Nova's
diagnostics; logs are Nova's instance actions (gnocchi.py, server_diagnostics.py and server_actions.py in
shared/providers/openstack). None of them requests what only the inventory needs.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from nflex_connector_utils import Connections, Region, Server

from modules.servers.openstack import images, listings, networks, series, status
from modules.servers.openstack.networks import NetworkLookups
from shared.engine.contracts import Cell, Page, Series, Status
from shared.providers import openstack
from shared.providers.openstack import gnocchi, server_actions
from shared.records.fields import field, needed, objects, time
from shared.records.metadata import metadata

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
# The task in progress takes precedence over the status, which is that of before the task.
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
# What a server needs of its volumes: its size, and the image that it boots from
VOLUME_FIELDS = ("size", *images.VOLUME_FIELDS)


@dataclasses.dataclass(frozen=True)
class Lookups:
    """What servers only name, by id. ``images`` and ``flavors`` hold None for what no longer exists."""

    networks: NetworkLookups = dataclasses.field(default_factory=NetworkLookups)
    volumes: Mapping[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    images: Mapping[str, Optional[dict[str, Any]]] = dataclasses.field(default_factory=dict)
    flavors: Mapping[str, Optional[dict[str, Any]]] = dataclasses.field(default_factory=dict)


def fetch(scope: openstack.Scope) -> Iterator[Page[dict[str, Any], Lookups]]:
    microversion = openstack.nova_microversion(scope)
    *found, pages = scope.workers.before(
        listings.servers(scope, microversion),
        lambda: networks.look_up(scope),
        lambda: _volumes(scope),
        lambda: _images(scope),
        lambda: listings.flavors(scope, microversion),
    )
    lookups = Lookups(*found)
    for servers in pages:
        lookups = _with_missing(scope, servers, lookups, microversion)
        yield Page(servers, lookups)


def _volumes(scope: openstack.Scope) -> dict[str, dict[str, Any]]:
    if not openstack.offers(scope, "volume"):
        return {}
    path, query = "/volumes/detail", scope.all_tenants
    return openstack.listed(scope, "volume", path, "volumes", query, keep=VOLUME_FIELDS)


def _images(scope: openstack.Scope) -> dict[str, dict[str, Any]]:
    if not openstack.offers(scope, "image"):
        return {}
    return openstack.listed(scope, "image", "/images", "images")


def _with_missing(
    scope: openstack.Scope,
    servers: list[dict[str, Any]],
    lookups: Lookups,
    microversion: listings.Microversion,
) -> Lookups:
    """The lookups with those images and flavors of the servers that the listings lack."""
    image_ids: list[str] = []
    flavor_ids: list[str] = []
    if openstack.offers(scope, "image"):
        image_ids = _new(map(images.image_id, servers), lookups.images)
    if microversion < listings.FLAVOR_EMBEDDED:
        flavor_ids = _new(map(listings.flavor_id, servers), lookups.flavors)
    if not (image_ids or flavor_ids):
        return lookups
    calls = [
        *(("image", f"/images/{image_id}") for image_id in image_ids),
        *(("compute", f"/flavors/{flavor_id}") for flavor_id in flavor_ids),
    ]
    found = scope.workers.map(lambda call: _record(scope, *call), calls)
    return dataclasses.replace(
        lookups,
        images={**lookups.images, **dict(zip(image_ids, found))},
        flavors={**lookups.flavors, **dict(zip(flavor_ids, found[len(image_ids) :]))},
    )


def _new(ids: Iterable[Optional[str]], listed: Mapping[str, Any]) -> list[str]:
    """The ids that a list lacks: of hidden images, of private flavors, and of deleted ones."""
    return sorted({each for each in ids if each and each not in listed})


def _record(scope: openstack.Scope, service: str, path: str) -> Optional[dict[str, Any]]:
    """An image or a flavor, by a request of its own; None: deleted."""
    try:
        response = openstack.get(scope, service, path)
    except openstack.NotFound:
        return None
    return field(response, "flavor", dict) or response


def convert(record: dict[str, Any], scope: openstack.Scope, lookups: Lookups) -> Server:
    server_id = needed(record, "id", str)
    flavor = listings.flavor(record, lookups.flavors)
    attached = objects(record, "os-extended-volumes:volumes_attached")
    volumes = sorted({needed(volume, "id", str) for volume in attached})
    sizes = [field(lookups.volumes.get(volume) or {}, "size", int) for volume in volumes]
    known_sizes = [size for size in sizes if size is not None]
    zone = field(record, "OS-EXT-AZ:availability_zone", str)
    on_networks = lookups.networks.of_servers.get(server_id, set())
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
        image_detail=images.detail(record, volumes, lookups.images, lookups.volumes),
        ip_addresses=networks.addresses(record, lookups.networks),
        provider_created_at=time(record, "created"),
        connections=Connections(
            networks=openstack.reported(on_networks, lookups.networks.names), volumes=volumes
        ),
        metadata=metadata(
            record,
            DETAILS,
            field(record, "metadata", dict),
            zone=zone,
            flavor=flavor,
            fault=_fault(record),
            networks_of_other_projects=sorted(on_networks - lookups.networks.names.keys()),
        ),
        region=Region(scope.region),
    )


def _fault(record: dict[str, Any]) -> dict[str, Any]:
    """Why a server is in ERROR; without Nova's traceback, which is for its developers."""
    fault = field(record, "fault", dict) or {}
    return {name: value for name, value in fault.items() if name != "details"}


def _state(record: dict[str, Any]) -> str:
    """CMP's state: that of the task in progress, else of the status; of an ERROR, that of the power."""
    task = TASK_STATES.get(field(record, "OS-EXT-STS:task_state", str) or "")
    status = field(record, "status", str) or ""
    power = field(record, "OS-EXT-STS:power_state", int)
    if status == "ERROR":
        return POWER_STATES.get(power or 0, "unknown")
    return task or STATES.get(status, "unknown")


def _is_virtual(flavor: dict[str, Any]) -> Optional[bool]:
    """A flavor for bare metal (Ironic) claims no virtual CPU; old clouds do not show it."""
    specs = field(flavor, "extra_specs", dict)
    return None if specs is None else str(specs.get("resources:VCPU")) != "0"


CELL = Cell(
    calls=(
        "1 token; a region: 1 version of Nova + p(servers) /servers/detail "
        "+ p(ports) /ports + p(networks) /networks + p(floating) /floatingips "
        "+ p(volumes) /volumes/detail + p(images) /images; "
        "+ 1 an image that is used but not listed; + 1 /ports for each 50 MAC addresses that a server has "
        "on several networks; Nova before 2.47: + p(flavors) /flavors/detail "
        "+ 1 a flavor that is used but not listed; "
        "+ 1 /security-groups where the project has no port (all_projects: /quotas)"
    ),
    permissions=(
        "get_floatingip",
        "get_image",
        "get_images",
        "get_network",
        "get_port",
        "get_security_group",
        "os_compute_api:flavors:detail",
        "os_compute_api:servers:detail",
        "volume:get_all",
    ),
    fetch=fetch,
    convert=convert,
    status=Status(
        permissions=("os_compute_api:servers:detail", "os_compute_api:servers:show"),
        points=status.points,
        fetch=status.fetch,
    ),
    metrics=Series(
        permissions=(
            "os_compute_api:flavors:detail",
            "os_compute_api:os-server-diagnostics",  # where the catalog has no Gnocchi
            "os_compute_api:servers:detail",
            "search resource",  # Gnocchi's
        ),
        span=gnocchi.SPAN,
        fetch=series.metrics,
    ),
    logs=Series(
        permissions=(
            "os_compute_api:os-instance-actions:list",
            "os_compute_api:os-instance-actions:show",
            "os_compute_api:servers:detail",
        ),
        span=server_actions.SPAN,
        fetch=series.logs,
    ),
)
