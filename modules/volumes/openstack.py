"""Cinder v3 volumes: https://docs.openstack.org/api-ref/block-storage/v3/#volumes-volumes

Pages of 1000 (Cinder's shipped maximum; a larger limit is cut without a word); microversion 3.0,
which every v3 has. Sizes are GiB. Nova's boot volumes have the name "". IOPS are what the volume
type's QoS specs allow, which Cinder shows to admins only: to others they are unknown, which is no
failure. To who is no admin and asks for all projects, Cinder shows the own one: see
``prove_rights``.
"""

import dataclasses
from typing import Any, Optional, Union

from nflex_connector_utils import Connections, Metadata, Region, Volume

from shared import record, run
from shared.errors import InsufficientPermission
from shared.providers import openstack

PERMISSIONS = ("volume:get_all", "volume_extension:type_get_all")
CALLS = (
    "1 token + 1 rights with all_projects + p(volumes) + p(types) + p(QoS specs) "
    "(p(n) = ceil(n / 1000), at least 1)"
)

GIB = 1024**3

_DETAILS = (
    "bootable",
    "cluster_name",
    "consistencygroup_id",
    "description",
    "group_id",
    "migration_status",
    "multiattach",
    "os-vol-host-attr:host",
    "os-vol-mig-status-attr:migstat",
    "os-vol-mig-status-attr:name_id",
    "os-vol-tenant-attr:tenant_id",
    "replication_status",
    "snapshot_id",
    "source_volid",
    "status",
    "updated_at",
    "user_id",
    "volume_image_metadata",
    "volume_type",
)
_ATTACHMENT = ("attached_at", "attachment_id", "device", "host_name", "server_id")


@dataclasses.dataclass
class Lookups:
    types: dict[str, dict[str, Any]]  # by name, which a volume's ``volume_type`` is
    qos: dict[str, dict[str, Any]]  # by id


def lookups(scope: openstack.Scope) -> Lookups:
    if scope.all_projects:
        openstack.prove_rights(scope, "volume")
    # "None" shows an admin the private types too
    types = _if_allowed(scope, "/types", "volume_types", [("is_public", "None")])
    return Lookups(
        {record.needed(each, "name", str): each for each in types.values()},
        _if_allowed(scope, "/qos-specs", "qos_specs", []),
    )


def _if_allowed(
    scope: openstack.Scope, path: str, key: str, params: list[tuple[str, str]]
) -> dict[str, dict[str, Any]]:
    try:
        return openstack.everything(scope, "volume", path, key, params)
    except InsufficientPermission:
        return {}


def fetch(scope: openstack.Scope, lookups: Lookups) -> Any:
    params = [("all_tenants", "1")] if scope.all_projects else []
    yield from openstack.pages(scope, "volume", "/volumes/detail", "volumes", params)


def convert(
    volume: dict[str, Any], scope: openstack.Scope, lookups: Lookups
) -> Union[Volume, run.Dropped]:
    id_ = record.needed(volume, "id", str)
    size_gib = record.field(volume, "size", int)
    attachments = record.objects(volume, "attachments")
    servers = {record.field(each, "server_id", str) for each in attachments}
    kind = lookups.types.get(record.field(volume, "volume_type", str) or "") or {}
    qos = lookups.qos.get(record.field(kind, "qos_specs_id", str) or "") or {}
    return Volume(
        id=id_,
        name=record.field(volume, "name", str) or id_,
        region=Region(id=scope.region),
        provider_created_at=record.time(volume, "created_at"),
        size_b=None if size_gib is None else size_gib * GIB,
        encrypted=record.field(volume, "encrypted", bool),
        iops=_iops(kind, qos, size_gib),
        zone_name=record.field(volume, "availability_zone", str) or None,
        connections=Connections(servers=sorted(each for each in servers if each)),
        metadata=Metadata(_metadata(volume, attachments, kind, qos)),
    )


def _iops(kind: dict[str, Any], qos: dict[str, Any], size_gib: Optional[int]) -> Optional[int]:
    """The limit of the type's QoS specs, or else of its extra specs: fixed, or so much a GiB."""
    for holder, name in ((qos, "specs"), (kind, "extra_specs")):
        specs = record.field(holder, name, dict) or {}
        total, each_gib = (
            _number(specs, "total_iops_sec"),
            _number(specs, "total_iops_sec_per_gb"),
        )
        if total is not None:
            return total
        if each_gib is not None and size_gib is not None:
            return max(each_gib * size_gib, _number(specs, "total_iops_sec_per_gb_min") or 0)
    return None


def _number(specs: dict[str, Any], name: str) -> Optional[int]:
    """Specs are free text: one that is no number limits nothing."""
    text = specs.get(name)
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else None


def _metadata(
    volume: dict[str, Any],
    attachments: list[dict[str, Any]],
    kind: dict[str, Any],
    qos: dict[str, Any],
) -> list[Any]:
    values: list[Any] = [
        (name, record.plain(volume[name]))
        for name in _DETAILS
        if volume.get(name) not in (None, "", [], {})
    ]
    if attachments:
        shown = [
            {name: record.plain(each[name]) for name in _ATTACHMENT if each.get(name) is not None}
            for each in attachments
        ]
        values.append(("attachments", shown))
    for name, specs in (
        ("extra_specs", record.field(kind, "extra_specs", dict)),
        ("qos_specs", record.field(qos, "specs", dict)),
    ):
        if specs:
            values.append((name, record.plain(specs)))
    for name, value in (record.field(volume, "metadata", dict) or {}).items():
        values.append(("provider_metadata", name, record.plain(value)))
    return values
