"""EBS volumes of every enabled region.

API: EC2 DescribeVolumes, 1,000 a page.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Volume.html

Their status is what DescribeVolumeStatus says, 1,000 a page: of each volume, attached or not.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VolumeStatusItem.html

Sizes come in GiB, throughput in MiB/s. ``Iops`` is absent for magnetic types. A volume with
``MultiAttachEnabled`` has several attachments. An attachment without ``InstanceId`` is to a resource
that AWS runs for the account (a Fargate task, say): no server that the servers family reports.
"""

import datetime
from collections.abc import Iterator
from typing import Any

from nflex_connector_utils import Connections, Volume

from shared.engine.contracts import Cell, Page, Requested, Series, Status, Window
from shared.providers import aws
from shared.providers.aws import cloudtrail, cloudwatch, regions
from shared.records.fields import field, needed, objects
from shared.records.metadata import metadata
from shared.records.status import Point, worst

GIB = 1024**3
STATUSES_A_CALL = 100  # of DescribeVolumeStatus, which has no filter for ids
STATUS_LEVELS = {
    "ok": "ok",
    "warning": "warning",
    "impaired": "error",
    "insufficient-data": "unknown",
}
# Of a detail (io-enabled, io-performance, initialization-state): words that say nothing is wrong.
FINE = ("passed", "normal", "not-applicable", "completed")
DETAILS = (
    "Attachments",
    "AvailabilityZoneId",
    "FastRestored",
    "KmsKeyId",
    "MultiAttachEnabled",
    "Operator",
    "OutpostArn",
    "SnapshotId",
    "SourceVolumeId",
    "SseType",
    "State",
    "Throughput",
    "VolumeInitializationRate",
    "VolumeType",
)


def fetch(scope: aws.Scope) -> Iterator[Page[dict[str, Any], None]]:
    for volumes in aws.pages(scope, "ec2", "describe_volumes", "Volumes"):
        yield Page(volumes, None)


def convert(record: dict[str, Any], scope: aws.Scope, lookups: None) -> Volume:
    volume_id = needed(record, "VolumeId", str)
    size_gib = field(record, "Size", int)
    tags = aws.tags(record)
    return Volume(
        id=volume_id,
        name=tags.get("Name") or volume_id,
        size_b=None if size_gib is None else size_gib * GIB,
        encrypted=field(record, "Encrypted", bool),
        iops=field(record, "Iops", int),
        zone_name=field(record, "AvailabilityZone", str),
        provider_created_at=field(record, "CreateTime", datetime.datetime),
        connections=Connections(servers=_servers(record)),
        metadata=metadata(record, DETAILS, tags),
        native_portal_link=scope.link("ec2", f"VolumeDetails:volumeId={volume_id}"),
        **regions.aws(scope.name),
    )


def _servers(record: dict[str, Any]) -> list[str]:
    attachments = objects(record, "Attachments")
    attached = [each for each in attachments if field(each, "State", str) != "detached"]
    return sorted({field(each, "InstanceId", str) or "" for each in attached} - {""})


# --- status ---------------------------------------------------------------------------------------


def fetch_status(scope: aws.Scope, requested: Requested) -> Iterator[Page[dict[str, Any], None]]:
    for statuses in _statuses(scope, requested):
        yield Page(statuses, None)


def _statuses(scope: aws.Scope, requested: Requested) -> Iterator[list[dict[str, Any]]]:
    operation, key = "describe_volume_status", "VolumeStatuses"
    if requested is None:
        return aws.pages(scope, "ec2", operation, key)
    existing = {
        needed(volume, "VolumeId", str)
        for volumes in aws.requested_pages(
            scope, "describe_volumes", "Volumes", "volume-id", requested, "vol-"
        )
        for volume in volumes
    }
    return aws.by_ids(scope, operation, key, "VolumeIds", existing & requested, STATUSES_A_CALL)


def status(record: dict[str, Any], scope: aws.Scope, lookups: None) -> Iterator[Point]:
    checked = field(record, "VolumeStatus", dict) or {}
    result = field(checked, "Status", str)
    levels, messages = [STATUS_LEVELS.get(result or "", "unknown")], [result or "no status"]
    since = []
    for detail in objects(checked, "Details"):
        state = field(detail, "Status", str)
        if state and state not in FINE:
            messages.append(f"{field(detail, 'Name', str)}: {state}")
    for event in objects(record, "Events"):
        levels.append("warning")
        kind, description = field(event, "EventType", str), field(event, "Description", str)
        messages.append(": ".join(filter(None, (kind, description))) or "an event")
        since.append(field(event, "NotBefore", datetime.datetime))
    yield Point(
        needed(record, "VolumeId", str),
        "volume",
        worst(levels),
        "; ".join(messages),
        min(filter(None, since), default=None),
    )


# --- metrics --------------------------------------------------------------------------------------


def metrics(scope: aws.Scope, window: Window) -> Iterator[list[dict[str, Any]]]:
    """EBS measures every minute, while the volume is attached."""
    return cloudwatch.points(scope, window, _queries(scope, window))


def _queries(scope: aws.Scope, window: Window) -> Iterator[cloudwatch.Query]:
    for volumes in aws.requested_pages(
        scope, "describe_volumes", "Volumes", "volume-id", window.resources
    ):
        for volume in volumes:
            name = needed(volume, "VolumeId", str)
            if window.wants(name):
                yield from cloudwatch.queries(
                    "aws.ebs",
                    "AWS/EBS",
                    {"VolumeId": name},
                    name,
                    "volume",
                    cloudwatch.MINUTE_S,
                )


# --- logs -----------------------------------------------------------------------------------------

TRAIL = (cloudtrail.by_type("AWS::EC2::Volume", "vol-"),)


def logs(scope: aws.Scope, window: Window) -> Iterator[list[dict[str, Any]]]:
    return cloudtrail.events(scope, window, "volume", TRAIL)


CELL = Cell(
    calls="1 DescribeRegions; a region: ceil(volumes/1000) DescribeVolumes",
    permissions=("ec2:DescribeRegions", "ec2:DescribeVolumes"),
    fetch=fetch,
    convert=convert,
    record_ids=("VolumeId",),
    status=Status(
        permissions=(
            "ec2:DescribeRegions",
            "ec2:DescribeVolumeStatus",
            "ec2:DescribeVolumes",  # which of them exist, where the status of some is requested
        ),
        points=status,
        fetch=fetch_status,
    ),
    metrics=Series(
        permissions=(cloudwatch.PERMISSION, "ec2:DescribeRegions", "ec2:DescribeVolumes"),
        span=cloudwatch.SPAN,
        fetch=metrics,
    ),
    logs=cloudtrail.series(logs),
)
