"""The status of instances: what DescribeInstanceStatus says of their checks and of events scheduled for them.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceStatus.html
"""

import dataclasses
import datetime
from collections.abc import Iterator
from typing import Any, Optional

from modules.servers.aws.instances import in_reservations
from shared.engine.contracts import Page, Requested
from shared.providers import aws
from shared.records.fields import field, needed, objects, plain
from shared.records.status import Point, worst

STATUSES_A_CALL = 100  # the API's limit of ids in DescribeInstanceStatus, which has no filter

# A stopped instance is not faulty, but does not serve.
STATE_LEVELS = {
    "pending": "warning",
    "running": "ok",
    "shutting-down": "warning",
    "terminated": "warning",
    "stopping": "warning",
    "stopped": "warning",
}
CHECKS = {
    "SystemStatus": "system status check",
    "InstanceStatus": "instance status check",
    "AttachedEbsStatus": "check of the attached EBS volumes",
}
CHECK_LEVELS = {
    "ok": "ok",
    "impaired": "error",
    "initializing": "unknown",
    "insufficient-data": "unknown",
}
NOT_APPLICABLE = "not-applicable"
# The beginning of the description of an event that is over; it stays listed for a week.
OVER = ("[Completed]", "[Canceled]")


@dataclasses.dataclass(frozen=True)
class Check:
    """A status check that has a result."""

    level: str
    message: Optional[str]  # None: nothing is wrong
    since: list[Optional[datetime.datetime]]


def fetch_status(scope: aws.Scope, requested: Requested) -> Iterator[Page[dict[str, Any], None]]:
    for statuses in _statuses(scope, requested):
        yield Page(statuses, None)


def _statuses(scope: aws.Scope, requested: Requested) -> Iterator[list[dict[str, Any]]]:
    operation, key = "describe_instance_status", "InstanceStatuses"
    if requested is None:
        return aws.pages(scope, "ec2", operation, key, IncludeAllInstances=True)
    existing = {
        needed(instance, "InstanceId", str)
        for reservations in aws.requested_pages(
            scope, "describe_instances", "Reservations", "instance-id", requested, "i-"
        )
        for instance in in_reservations(reservations)
    }
    return aws.by_ids(
        scope,
        operation,
        key,
        "InstanceIds",
        existing & requested,
        STATUSES_A_CALL,
        IncludeAllInstances=True,
    )


def status(record: dict[str, Any], scope: aws.Scope, lookups: None) -> Iterator[Point]:
    state = field(field(record, "InstanceState", dict) or {}, "Name", str)
    levels, messages = [STATE_LEVELS.get(state or "", "unknown")], [state or "no state"]
    since: list[Optional[datetime.datetime]] = []
    if state == "running":
        checks = _checks(record)
        levels += [check.level for check in checks]
        messages += [check.message for check in checks if check.message]
        since += [moment for check in checks for moment in check.since]
        if not checks:
            levels, messages = ["unknown"], [*messages, "no status check has a result"]
    planned = _planned_events(record)
    yield Point(
        needed(record, "InstanceId", str),
        "server",
        worst([*levels, *("warning" for _ in planned)]),
        "; ".join([*messages, *planned]),
        min(filter(None, since), default=None),
    )


def _checks(record: dict[str, Any]) -> list[Check]:
    checks = []
    for name, label in CHECKS.items():
        check = field(record, name, dict) or {}
        result = field(check, "Status", str)
        if result is None or result == NOT_APPLICABLE:
            continue
        level = CHECK_LEVELS.get(result, "unknown")
        since = [
            field(detail, "ImpairedSince", datetime.datetime)
            for detail in objects(check, "Details")
        ]
        checks.append(Check(level, None if level == "ok" else f"{label}: {result}", since))
    return checks


def _planned_events(record: dict[str, Any]) -> list[str]:
    """The messages of events that are not over."""
    messages = []
    for event in objects(record, "Events"):
        description = field(event, "Description", str) or ""
        if description.startswith(OVER):
            continue
        time = field(event, "NotBefore", datetime.datetime)
        planned = f" for {plain(time)}" if time else ""
        code = field(event, "Code", str)
        messages.append(f"{code} is scheduled{planned}: {description}".rstrip(": "))
    return messages
