"""Cinder volumes of the project, or of all projects where the account asks for it.

API: Block Storage v3, GET /volumes/detail, 1,000 a page.
https://docs.openstack.org/api-ref/block-storage/v3/#list-accessible-volumes-with-details

Sizes come in GiB. A volume that Nova made for booting has an empty name. QoS specs are shown to an
admin only; for others IOPS is unknown. A volume of a server that was shelved away is "reserved": it
has no attachment of its own then, and the list of attachments (from 3.27 on, 2017) names the server.
That list also has what is reserved of a volume that other servers still use, but is asked for only
where a volume is reserved altogether. ``all_tenants`` is ignored without a word for a reader (200
and only the own project), so a poll of all projects that is refused the QoS specs, and sees no other
project's volume, lacks the admin role.

Status is what the same list says of status, migration and replication. There are no metrics: Ceilometer keeps
a volume's size only, and what a disk reads and writes with its server.
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

GIB = 1024**3
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
# of a move to another backend, and of a replica: the volume itself may be in use all the while
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

    ``reserved``: by volume the servers that it is reserved for; None: not asked for yet.
    """

    iops: dict[str, int]
    sees_qos: bool
    reserved: Optional[dict[str, set[str]]] = None


def lookups(scope: openstack.Scope) -> Lookups:
    return Lookups({}, False)


def _look_up(scope: openstack.Scope, made: Lookups) -> None:
    specs: dict[str, dict[str, Any]] = {}
    try:
        # Cinder's own page size
        specs = openstack.listed(scope, "volume", "/qos-specs", "qos_specs", {"limit": None})
        made.sees_qos = True
    except InsufficientPermission:
        pass
    by_id = {spec_id: _iops(spec) for spec_id, spec in specs.items()}
    for volume_type in openstack.listed(scope, "volume", "/types", "volume_types").values():
        iops = by_id.get(field(volume_type, "qos_specs_id", str) or "")
        if iops is not None:
            made.iops[needed(volume_type, "name", str)] = iops


def _iops(spec: dict[str, Any]) -> Optional[int]:
    """The limit in a QoS spec: in total, or what reads and writes come to together."""
    limits = field(spec, "specs", dict) or {}
    for names in (("total_iops_sec",), ("maxIOPS",), ("read_iops_sec", "write_iops_sec")):
        given = [str(limits.get(name, "")) for name in names]
        if all(re.fullmatch("[0-9]{1,18}", each) for each in given):
            return sum(int(each) for each in given)
    return None


def fetch(scope: openstack.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    if not openstack.offers(scope, "volume"):  # a cloud without Cinder has no volumes
        return
    _look_up(scope, lookups)
    for page in _volumes(scope, lookups):
        if lookups.reserved is None and any(each.get("status") == "reserved" for each in page):
            lookups.reserved = _reserved(scope)
        yield page


def _reserved(scope: openstack.Scope) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    asked, path = scope.all_tenants, "/attachments"
    try:
        attachments = openstack.listed(
            scope, "volume", path, "attachments", asked, ATTACHMENTS, links=False
        )
    except openstack.NotAcceptable:
        return found  # an older Cinder
    for each in attachments.values():
        server = field(each, "instance", str)
        if server and field(each, "status", str) == "reserved":
            found[needed(each, "volume_id", str)].add(server)
    return found


def fetch_status(
    scope: openstack.Scope, lookups: Lookups, requested: Requested
) -> Iterator[list[dict[str, Any]]]:
    if not openstack.offers(scope, "volume"):
        return
    ids = openstack.few(requested)
    if ids is not None and not scope.all_projects:
        for page in openstack.one_by_one(scope, "volume", "/volumes", "volume", ids):
            yield [each for each in page if not _of_another_project(each, scope)]
        return
    if scope.all_projects:  # to see that it may list them
        _look_up(scope, lookups)
    yield from _volumes(scope, lookups)


def _volumes(scope: openstack.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    proved = lookups.sees_qos or not scope.all_projects
    for page in openstack.pages(
        scope, "volume", "/volumes/detail", "volumes", params=scope.all_tenants
    ):
        proved = proved or any(_of_another_project(volume, scope) for volume in page)
        yield page
    if not proved:
        raise InsufficientPermission(
            "volume: all_projects is asked for, but Cinder lets this login see the own project only; "
            "role admin is needed"
        )


def _of_another_project(volume: dict[str, Any], scope: openstack.Scope) -> bool:
    return field(volume, PROJECT, str) not in (None, scope.project_id)


def convert(record: dict[str, Any], scope: openstack.Scope, lookups: Lookups) -> Volume:
    volume_id = needed(record, "id", str)
    size_gib = field(record, "size", int)
    servers = {field(each, "server_id", str) or "" for each in objects(record, "attachments")}
    servers |= (lookups.reserved or {}).get(volume_id, set())
    return Volume(
        id=volume_id,
        name=field(record, "name", str) or volume_id,
        size_b=None if size_gib is None else size_gib * GIB,
        encrypted=field(record, "encrypted", bool),
        iops=lookups.iops.get(field(record, "volume_type", str) or ""),
        zone_name=field(record, "availability_zone", str),
        provider_created_at=time(record, "created_at"),
        connections=Connections(servers=sorted(servers - {""})),
        metadata=metadata(record, DETAILS, field(record, "metadata", dict)),
        region=Region(scope.region),
    )


def status(record: dict[str, Any], scope: openstack.Scope, lookups: Lookups) -> Iterator[Point]:
    since = time(record, "updated_at")
    findings = [openstack.finding(record, "status", LEVELS, since)]
    if field(record, "migration_status", str):
        findings.append(openstack.finding(record, "migration_status", MIGRATION_LEVELS, since))
    if field(record, "replication_status", str):
        findings.append(openstack.finding(record, "replication_status", REPLICATION_LEVELS, since))
    yield openstack.point(record, "volume", findings)
