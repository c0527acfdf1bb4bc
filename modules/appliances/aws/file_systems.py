"""EFS file systems: DescribeFileSystems, 100 a page, and a call for the mount targets of each one.

https://docs.aws.amazon.com/efs/latest/ug/
"""

import dataclasses
import datetime
import re
from collections.abc import Iterator
from typing import Any, Optional

from nflex_connector_utils import Connections

from modules.appliances.aws.records import (
    NAMED_AT_ONCE,
    SMALL_PAGE,
    STATE_LEVELS,
    Kind,
    Lookups,
    Message,
    Record,
    known_networks,
)
from shared.engine.contracts import Page, Requested
from shared.providers import aws
from shared.providers.aws import cloudtrail, cloudwatch
from shared.records.fields import field, needed
from shared.records.metadata import metadata

PERMISSIONS = (
    "elasticfilesystem:DescribeFileSystems",
    "elasticfilesystem:DescribeMountTargets",
)
STATUS_PERMISSIONS = PERMISSIONS
METRICS_PERMISSIONS = ("elasticfilesystem:DescribeFileSystems",)

DETAILS = (
    "AvailabilityZoneName",
    "Encrypted",
    "FileSystemArn",
    "LifeCycleState",
    "NumberOfMountTargets",
    "OwnerId",
    "PerformanceMode",
    "ProvisionedThroughputInMibps",
    "ThroughputMode",
)
MOUNT_DETAILS = ("MountTargetId", "SubnetId", "IpAddress", "LifeCycleState", "VpcId")
_ID = re.compile(r"fs-[0-9a-f]{8,40}")  # EFS refuses other ids as invalid


def fetch(
    scope: aws.Scope, lookups: Lookups, requested: Requested = None
) -> Iterator[Page[Record, Lookups]]:
    def mounts(name: str) -> list[Record]:
        operation, size = "describe_mount_targets", SMALL_PAGE
        return aws.listed(
            scope, "efs", operation, "MountTargets", page_size=size, FileSystemId=name
        )

    for page in _pages(scope, requested):
        mounted = [
            needed(record, "FileSystemId", str)
            for record in page
            if field(record, "NumberOfMountTargets", int)
        ]
        page_lookups = dataclasses.replace(
            lookups, mounts=dict(aws.for_each_left(scope, mounts, mounted))
        )
        yield Page(aws.of_kind("file_system", page), page_lookups)


def _pages(scope: aws.Scope, requested: Requested) -> Iterator[list[Record]]:
    """File systems without their mount targets: all, or the requested ones where they are few."""
    calls: list[dict[str, str]] = [{}]
    if requested is not None:
        ids = sorted(each for each in requested if _ID.fullmatch(each))
        calls = [{"FileSystemId": each} for each in ids] if len(ids) <= NAMED_AT_ONCE else calls
    for params in calls:
        with aws.may_be_gone():
            yield from aws.offered_pages(
                scope,
                "efs",
                "describe_file_systems",
                "FileSystems",
                page_size=SMALL_PAGE,
                **params,
            )


def _convert(record: Record, scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    name = needed(record, "FileSystemId", str)
    mounts = [aws.only(mount, MOUNT_DETAILS) for mount in lookups.mounts.get(name, [])]
    mounts.sort(key=lambda mount: str(mount["MountTargetId"]))
    subnets = [field(mount, "SubnetId", str) for mount in mounts]
    size = field(field(record, "SizeInBytes", dict) or {}, "Value", int)
    return {
        "id": name,
        "name": field(record, "Name", str) or aws.named(record, name),
        "type_id": "storage",
        "provider_created_at": field(record, "CreationTime", datetime.datetime),
        "connections": Connections(networks=known_networks(subnets, lookups)),
        "metadata": metadata(record, DETAILS, aws.tags(record), size_b=size, mount_targets=mounts),
        "native_portal_link": scope.link("efs", f"/file-systems/{name}"),
    }


def _state(record: Record) -> Optional[str]:
    return field(record, "LifeCycleState", str)


def _messages(record: Record, lookups: Lookups) -> Iterator[Message]:
    for mount in lookups.mounts.get(needed(record, "FileSystemId", str), []):
        state = field(mount, "LifeCycleState", str) or "no state"
        subnet = field(mount, "SubnetId", str)
        yield STATE_LEVELS.get(state, "unknown"), f"mount target in {subnet}: {state}"


KINDS = {"file_system": Kind("FileSystemId", _convert, _state, messages=_messages)}
TRAIL = (cloudtrail.by_source("elasticfilesystem", "fs-[0-9a-z]+"),)


def queries(scope: aws.Scope, requested: Requested) -> Iterator[cloudwatch.Query]:
    for page in _pages(scope, requested):
        for record in page:
            name = needed(record, "FileSystemId", str)
            if _state(record) in KINDS["file_system"].gone:
                continue
            for service, period, dimensions in (
                ("aws.efs", cloudwatch.MINUTE_S, {}),
                ("aws.efs_storage", cloudwatch.FIVE_MINUTES_S, {"StorageClass": "Total"}),
            ):
                yield from cloudwatch.queries(
                    service,
                    "AWS/EFS",
                    {"FileSystemId": name, **dimensions},
                    name,
                    "appliance",
                    period,
                )
