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

from shared.engine.poll import Asked, Requested
from shared.providers import aws
from shared.providers.aws import cloudtrail, cloudwatch, regions
from shared.records.fields import field, needed, objects
from shared.records.metadata import metadata
from shared.records.status import Point, worst

PERMISSIONS = ("ec2:DescribeRegions", "ec2:DescribeVolumes")
STATUS_PERMISSIONS = (
    "ec2:DescribeRegions",
    "ec2:DescribeVolumeStatus",
    "ec2:DescribeVolumes",  # of which there are, where the status of some is wanted
)
METRICS_PERMISSIONS = (cloudwatch.PERMISSION, "ec2:DescribeRegions", "ec2:DescribeVolumes")
LOGS_PERMISSIONS = (cloudtrail.PERMISSION, "ec2:DescribeRegions")
CALLS = "1 DescribeRegions; a region: ceil(volumes/1000) DescribeVolumes"
RECORD_IDS = ("VolumeId",)

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


def fetch(scope: aws.Scope, lookups: None) -> Iterator[list[dict[str, Any]]]:
    return aws.pages(scope, "ec2", "describe_volumes", "Volumes")


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


def fetch_status(
    scope: aws.Scope, lookups: None, requested: Requested
) -> Iterator[list[dict[str, Any]]]:
    operation, key = "describe_volume_status", "VolumeStatuses"
    if requested is None:
        return aws.pages(scope, "ec2", operation, key)
    found = {
        needed(volume, "VolumeId", str)
        for page in aws.requested_pages(
            scope, "describe_volumes", "Volumes", "volume-id", requested, "vol-"
        )
        for volume in page
    }
    return aws.by_ids(scope, operation, key, "VolumeIds", found & requested, STATUSES_A_CALL)


def status(record: dict[str, Any], scope: aws.Scope, lookups: None) -> Iterator[Point]:
    checked = field(record, "VolumeStatus", dict) or {}
    result = field(checked, "Status", str)
    levels, told, since = [STATUS_LEVELS.get(result or "", "unknown")], [result or "no status"], []
    for detail in objects(checked, "Details"):
        found = field(detail, "Status", str)
        if found and found not in FINE:
            told.append(f"{field(detail, 'Name', str)}: {found}")
    for event in objects(record, "Events"):
        levels.append("warning")
        kind, description = field(event, "EventType", str), field(event, "Description", str)
        told.append(": ".join(filter(None, (kind, description))) or "an event")
        since.append(field(event, "NotBefore", datetime.datetime))
    yield Point(
        needed(record, "VolumeId", str),
        "volume",
        worst(levels),
        "; ".join(told),
        min(filter(None, since), default=None),
    )


# --- metrics --------------------------------------------------------------------------------------

METRICS_SPAN = cloudwatch.SPAN


def metrics(scope: aws.Scope, lookups: None, asked: Asked) -> Iterator[list[dict[str, Any]]]:
    """EBS measures every minute, while the volume is attached."""
    return cloudwatch.points(scope, asked, _queries(scope, asked))


def _queries(scope: aws.Scope, asked: Asked) -> Iterator[cloudwatch.Query]:
    for page in aws.requested_pages(
        scope, "describe_volumes", "Volumes", "volume-id", asked.resources
    ):
        for volume in page:
            name = needed(volume, "VolumeId", str)
            if asked.wants(name):
                yield from cloudwatch.queries(
                    "aws.ebs",
                    "AWS/EBS",
                    {"VolumeId": name},
                    name,
                    "volume",
                    cloudwatch.MINUTE_S,
                )


# --- logs -----------------------------------------------------------------------------------------

LOGS_SPAN = cloudtrail.SPAN
TRAIL = (cloudtrail.by_type("AWS::EC2::Volume", "vol-"),)


def logs(scope: aws.Scope, lookups: None, asked: Asked) -> Iterator[list[dict[str, Any]]]:
    return cloudtrail.events(scope, asked, "volume", TRAIL)
