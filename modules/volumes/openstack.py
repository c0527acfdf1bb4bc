"""Cinder volumes of the project, or of all projects where the account asks for it.

API: Block Storage v3, GET /volumes/detail, 1,000 a page.
https://docs.openstack.org/api-ref/block-storage/v3/#list-accessible-volumes-with-details

Sizes come in GiB. A volume that Nova made for booting has an empty name. QoS specs are shown to an
admin only; for others IOPS is unknown. A volume of a server that was shelved away is "reserved": it
has no attachment of its own then, and the list of attachments (from 3.27 on, 2017) names the server.
That list also has what is reserved of a volume that other servers still use, but is read only where a
volume has status "reserved". Cinder silently ignores ``all_tenants`` of a reader (200 and only the own
project), so a poll of all projects that is refused the QoS specs, and sees no other project's volume,
lacks the admin role.

Status comes from the same list: status, migration and replication. There are no metrics: Ceilometer keeps
only a volume's size, and what a disk reads and writes belongs to its server.
"""

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Optional

from nflex_connector_utils import Connections, Region, Volume

from shared.engine.errors import InsufficientPermission
from shared.engine.poll import Requested
from shared.providers import openstack
from shared.records.fields import field, needed, objects, time
from shared.records.metadata import metadata
from shared.records.status import Point

PERMISSIONS = ("volume:get_all", "volume_extension:type_get_all")
STATUS_PERMISSIONS = ("volume:get", "volume:get_all")
CALLS = (
    "1 token; a region: p(volumes) /volumes/detail + p(types) /types + p(QoS specs) /qos-specs; "
    "+ p(attachments) + 1 /attachments where a volume is reserved"
)

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
    "error_backing-up": "warning",  # the backup failed; the volume is as it was
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


@dataclasses.dataclass
class Lookups:
    """IOPS by the name of a volume type, and whether the login may see the QoS specs at all.

    ``reserved``: by volume the servers that it is reserved for; None: not listed yet.
    """

    iops: dict[str, int]
    sees_qos: bool
    reserved: Optional[dict[str, set[str]]] = None


def lookups(scope: openstack.Scope) -> Lookups:
    return Lookups({}, False)


def _look_up(scope: openstack.Scope, lookups: Lookups) -> None:
    specs: dict[str, dict[str, Any]] = {}
    try:
        # Cinder's own page size
        specs = openstack.listed(scope, "volume", "/qos-specs", "qos_specs", {"limit": None})
        lookups.sees_qos = True
    except InsufficientPermission:
        pass
    by_id = {spec_id: _iops(spec) for spec_id, spec in specs.items()}
    for volume_type in openstack.listed(scope, "volume", "/types", "volume_types").values():
        iops = by_id.get(field(volume_type, "qos_specs_id", str) or "")
        if iops is not None:
            lookups.iops[needed(volume_type, "name", str)] = iops


def _iops(spec: dict[str, Any]) -> Optional[int]:
    """The limit in a QoS spec: in total, or what reads and writes come to together."""
    limits = field(spec, "specs", dict) or {}
    for names in (("total_iops_sec",), ("maxIOPS",), ("read_iops_sec", "write_iops_sec")):
        values = [str(limits.get(name, "")) for name in names]
        if all(re.fullmatch("[0-9]{1,18}", value) for value in values):
            return sum(int(value) for value in values)
    return None


def fetch(scope: openstack.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    if not openstack.offers(scope, "volume"):  # a cloud without Cinder has no volumes
        return
    _look_up(scope, lookups)
    for page in _volumes(scope, lookups):
        if lookups.reserved is None and any(volume.get("status") == "reserved" for volume in page):
            lookups.reserved = _reserved(scope)
        yield page


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


def fetch_status(
    scope: openstack.Scope, lookups: Lookups, requested: Requested
) -> Iterator[list[dict[str, Any]]]:
    if not openstack.offers(scope, "volume"):
        return
    ids = openstack.few(requested)
    if ids is not None and not scope.all_projects:
        for page in openstack.one_by_one(scope, "volume", "/volumes", "volume", ids):
            yield [volume for volume in page if not _of_another_project(volume, scope)]
        return
    if scope.all_projects:  # the QoS specs show that the login may list all volumes
        _look_up(scope, lookups)
    yield from _volumes(scope, lookups)


def _volumes(scope: openstack.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    """All volumes. Raises InsufficientPermission where the login does not see all projects, but should."""
    sees_all = lookups.sees_qos or not scope.all_projects
    for page in openstack.pages(
        scope, "volume", "/volumes/detail", "volumes", params=scope.all_tenants
    ):
        sees_all = sees_all or any(_of_another_project(volume, scope) for volume in page)
        yield page
    if not sees_all:
        raise InsufficientPermission(
            "volume: all_projects is asked for, but Cinder lets this login see the own project only; "
            "role admin is needed"
        )


def _of_another_project(volume: dict[str, Any], scope: openstack.Scope) -> bool:
    return field(volume, PROJECT, str) not in (None, scope.project_id)


def convert(record: dict[str, Any], scope: openstack.Scope, lookups: Lookups) -> Volume:
    volume_id = needed(record, "id", str)
    servers = {field(each, "server_id", str) or "" for each in objects(record, "attachments")}
    servers |= (lookups.reserved or {}).get(volume_id, set())
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


def status(record: dict[str, Any], scope: openstack.Scope, lookups: Lookups) -> Iterator[Point]:
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
