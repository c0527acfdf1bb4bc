"""Cinder volumes of the project, or of all projects where the account asks for it.

API: Block Storage v3, GET /volumes/detail, 1,000 a page.
https://docs.openstack.org/api-ref/block-storage/v3/#list-accessible-volumes-with-details

Sizes come in GiB. A volume that Nova created for booting has an empty name. Cinder shows QoS specs to
admins only; for others IOPS is unknown. A volume of a server that was shelved away is "reserved": it
has no attachment of its own then, and the list of attachments (from 3.27 on, 2017) names the server.
That list also has reservations of volumes that other servers still use, but is read only where a volume
has status "reserved". Cinder silently ignores ``all_tenants`` of a reader (200, and only its own
project), so a poll of all projects that is refused the QoS specs, and sees no other project's volume,
lacks the admin role.

Status comes from the same list: status, migration and replication. There are no metrics: Ceilometer keeps
only a volume's size, and counts a disk's reads and writes with its server.
"""

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from nflex_connector_utils import Connections, Region, Volume

from shared.engine.contracts import Cell, Page, Requested, Status
from shared.engine.errors import InsufficientPermission
from shared.providers import openstack
from shared.records.fields import field, needed, objects, time
from shared.records.metadata import metadata
from shared.records.status import Point

ATTACHMENTS = (3, 27)  # the microversion that lists them
PROJECT = "os-vol-tenant-attr:tenant_id"
LEVELS = {
    "attaching": "ok",
    "available": "ok",
    "awaiting-transfer": "ok",
    "backing-up": "ok",
    "creating": "warning",
    "deleting": "warning",
    "detaching": "ok",
    "downloading": "warning",
    "error": "error",
    "error_attaching": "error",
    "error_backing-up": "warning",  # the backup failed; the volume is unchanged
    "error_deleting": "error",
    "error_detaching": "error",
    "error_extending": "error",
    "error_managing": "error",
    "error_managing_deleting": "error",
    "error_restoring": "error",
    "error_unmanaging": "error",
    "extending": "ok",
    "in-use": "ok",
    "maintenance": "warning",
    "managing": "warning",
    "reserved": "ok",
    "restoring-backup": "warning",
    "retyping": "ok",
    "reverting": "warning",
    "unmanaging": "warning",
    "uploading": "ok",
}
# Of a move to another backend, and of a replica: the volume itself stays in use.
MIGRATION_LEVELS = {
    "completing": "ok",
    "error": "warning",
    "migrating": "ok",
    "none": "ok",
    "starting": "ok",
    "success": "ok",
}
REPLICATION_LEVELS = {
    "active": "ok",
    "copying": "ok",
    "disabled": "ok",
    "disabling": "ok",
    "enabled": "ok",
    "enabling": "ok",
    "error": "warning",
    "failed-over": "warning",
    "failing-over": "warning",
    "failover-error": "error",
    "inactive": "warning",
    "not-capable": "ok",
}
DETAILS = (
    "attachments",
    "bootable",
    "cluster_name",
    "consistencygroup_id",
    "description",
    "group_id",
    "migration_status",
    "multiattach",
    "os-vol-host-attr:host",
    PROJECT,
    "provider_id",
    "replication_status",
    "service_uuid",
    "snapshot_id",
    "source_volid",
    "status",
    "updated_at",
    "user_id",
    "volume_image_metadata",
    "volume_type",
    "volume_type_id",
)


@dataclasses.dataclass(frozen=True)
class Lookups:
    """What volumes only name: the IOPS of a volume type, by its name, and who a volume is reserved for."""

    iops: Mapping[str, int]
    reserved: Mapping[str, set[str]] = dataclasses.field(default_factory=dict)  # volume -> servers


def fetch(scope: openstack.Scope) -> Iterator[Page[dict[str, Any], Lookups]]:
    if not openstack.offers(scope, "volume"):  # a cloud without Cinder has no volumes
        return
    specs, types, pages = scope.workers.before(
        _pages(scope),
        lambda: _qos_specs(scope),
        lambda: openstack.listed(scope, "volume", "/types", "volume_types"),
    )
    iops = _iops_of_types(types.values(), specs or {})
    reserved: Optional[dict[str, set[str]]] = None  # listed once, where some volume is reserved
    for volumes in _volumes(scope, pages, sees_qos=specs is not None):
        if reserved is None and any(volume.get("status") == "reserved" for volume in volumes):
            reserved = _reserved(scope)
        yield Page(volumes, Lookups(iops, reserved or {}))


def _qos_specs(scope: openstack.Scope) -> Optional[dict[str, dict[str, Any]]]:
    """The QoS specs by id; None where the login may not see them."""
    try:
        # limit None: Cinder's own page size
        return openstack.listed(scope, "volume", "/qos-specs", "qos_specs", {"limit": None})
    except InsufficientPermission:
        return None


def _iops_of_types(
    types: Iterable[dict[str, Any]], specs: Mapping[str, dict[str, Any]]
) -> dict[str, int]:
    """IOPS by the name of the volume type, where its QoS spec limits them."""
    by_spec = {spec_id: _iops(spec) for spec_id, spec in specs.items()}
    by_type = {}
    for volume_type in types:
        iops = by_spec.get(field(volume_type, "qos_specs_id", str) or "")
        if iops is not None:
            by_type[needed(volume_type, "name", str)] = iops
    return by_type


def _iops(spec: dict[str, Any]) -> Optional[int]:
    """The limit in a QoS spec: in total, or the sum of the limits of reads and writes."""
    limits = field(spec, "specs", dict) or {}
    for names in (("total_iops_sec",), ("maxIOPS",), ("read_iops_sec", "write_iops_sec")):
        values = [str(limits.get(name, "")) for name in names]
        if all(re.fullmatch("[0-9]{1,18}", value) for value in values):
            return sum(int(value) for value in values)
    return None


def _pages(scope: openstack.Scope) -> Iterator[list[dict[str, Any]]]:
    return openstack.pages(scope, "volume", "/volumes/detail", "volumes", params=scope.all_tenants)


def _volumes(
    scope: openstack.Scope, pages: Iterator[list[dict[str, Any]]], *, sees_qos: bool
) -> Iterator[list[dict[str, Any]]]:
    """The volumes of these pages, which are all.

    Raises InsufficientPermission where the login does not see all projects, but should.
    """
    sees_all = sees_qos or not scope.all_projects
    for volumes in pages:
        sees_all = sees_all or any(_of_another_project(volume, scope) for volume in volumes)
        yield volumes
    if not sees_all:
        raise InsufficientPermission(
            "volume: all_projects is set, but Cinder lets this login see only its own project; "
            "role admin is needed"
        )


def _of_another_project(volume: dict[str, Any], scope: openstack.Scope) -> bool:
    return field(volume, PROJECT, str) not in (None, scope.project_id)


def _reserved(scope: openstack.Scope) -> dict[str, set[str]]:
    """By volume, the servers that it is reserved for."""
    servers: dict[str, set[str]] = defaultdict(set)
    query, path = scope.all_tenants, "/attachments"
    try:
        attachments = openstack.listed(
            scope, "volume", path, "attachments", query, ATTACHMENTS, links=False
        )
    except openstack.NotAcceptable:
        return servers  # an older Cinder
    for attachment in attachments.values():
        server = field(attachment, "instance", str)
        if server and field(attachment, "status", str) == "reserved":
            servers[needed(attachment, "volume_id", str)].add(server)
    return servers


def convert(record: dict[str, Any], scope: openstack.Scope, lookups: Lookups) -> Volume:
    volume_id = needed(record, "id", str)
    servers = {
        field(attachment, "server_id", str) or "" for attachment in objects(record, "attachments")
    }
    servers |= lookups.reserved.get(volume_id, set())
    return Volume(
        id=volume_id,
        name=openstack.name_of(record),
        size_b=openstack.in_bytes(record, "size", openstack.GIB),
        encrypted=field(record, "encrypted", bool),
        iops=lookups.iops.get(field(record, "volume_type", str) or ""),
        zone_name=field(record, "availability_zone", str),
        provider_created_at=time(record, "created_at"),
        connections=Connections(servers=sorted(servers - {""})),
        metadata=metadata(record, DETAILS, field(record, "metadata", dict)),
        region=Region(scope.region),
    )


# --- status ---------------------------------------------------------------------------------------


def fetch_status(
    scope: openstack.Scope, requested: Requested
) -> Iterator[Page[dict[str, Any], None]]:
    if not openstack.offers(scope, "volume"):
        return
    ids = openstack.few(requested)
    if ids is not None and not scope.all_projects:
        for volumes in openstack.one_by_one(scope, "volume", "/volumes", "volume", ids):
            yield Page([each for each in volumes if not _of_another_project(each, scope)], None)
        return
    # Where the login sees the QoS specs, it may list the volumes of all projects.
    specs, pages = scope.workers.before(
        _pages(scope), lambda: _qos_specs(scope) if scope.all_projects else None
    )
    for volumes in _volumes(scope, pages, sees_qos=specs is not None):
        yield Page(volumes, None)


def status(record: dict[str, Any], scope: openstack.Scope, lookups: None) -> Iterator[Point]:
    findings = [openstack.finding(record, "status", LEVELS, since="updated_at")]
    if field(record, "migration_status", str):
        findings.append(
            openstack.finding(record, "migration_status", MIGRATION_LEVELS, since="updated_at")
        )
    if field(record, "replication_status", str):
        findings.append(
            openstack.finding(record, "replication_status", REPLICATION_LEVELS, since="updated_at")
        )
    yield openstack.point(record, "volume", findings)


CELL = Cell(
    calls=(
        "1 token; a region: p(volumes) /volumes/detail + p(types) /types + p(QoS specs) /qos-specs; "
        "+ p(attachments) + 1 /attachments where a volume is reserved"
    ),
    permissions=("volume:get_all", "volume_extension:type_get_all"),
    fetch=fetch,
    convert=convert,
    status=Status(permissions=("volume:get", "volume:get_all"), points=status, fetch=fetch_status),
)
