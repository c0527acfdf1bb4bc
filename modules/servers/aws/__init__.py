"""EC2 instances of every enabled region, in all states.

API: EC2 DescribeInstances, 1,000 a page; instances.py and checks.py name the other calls.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html
"""

from collections.abc import Iterator
from typing import Any

from modules.servers.aws.checks import fetch_status, status
from modules.servers.aws.instances import Lookups, convert, fetch, in_reservations
from shared.engine.contracts import Cell, Series, Status, Window
from shared.providers import aws
from shared.providers.aws import cloudtrail, cloudwatch
from shared.records.fields import field, needed

__all__ = ["CELL", "Lookups", "convert", "fetch", "fetch_status", "logs", "metrics", "status"]


def metrics(scope: aws.Scope, window: Window) -> Iterator[list[dict[str, Any]]]:
    """Of all instances that are listed: one that is stopped now may have run in that time.

    EC2 measures every 5 minutes, or every minute where the instance pays for detailed monitoring.
    """
    return cloudwatch.points(scope, window, _queries(scope, window))


READS_OF_MONITORING = {
    "Reservation": ("Instances",),
    "Instance": ("InstanceId", "Monitoring"),
}


def _queries(scope: aws.Scope, window: Window) -> Iterator[cloudwatch.Query]:
    for reservations in aws.requested_pages(
        scope,
        "describe_instances",
        "Reservations",
        "instance-id",
        window.resources,
        reads=READS_OF_MONITORING,
    ):
        for instance in in_reservations(reservations):
            name = needed(instance, "InstanceId", str)
            monitoring = field(field(instance, "Monitoring", dict) or {}, "State", str)
            detailed = monitoring == "enabled"
            if window.wants(name):
                yield from cloudwatch.queries(
                    "aws.ec2",
                    "AWS/EC2",
                    {"InstanceId": name},
                    name,
                    "server",
                    cloudwatch.MINUTE_S if detailed else cloudwatch.FIVE_MINUTES_S,
                )


TRAIL = (cloudtrail.by_type("AWS::EC2::Instance", "i-"),)


def logs(scope: aws.Scope, window: Window) -> Iterator[list[dict[str, Any]]]:
    return cloudtrail.events(scope, window, "server", TRAIL)


CELL = Cell(
    calls=(
        "1 DescribeRegions; a region: ceil(instances/1000) DescribeInstances "
        "+ ceil(subnets/1000) DescribeSubnets + ceil(volumes/1000) DescribeVolumes; a page with new ones: "
        "ceil(new types/100) DescribeInstanceTypes + ceil(new AMIs/200) DescribeImages"
    ),
    permissions=(
        "ec2:DescribeImages",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeInstances",
        "ec2:DescribeRegions",
        "ec2:DescribeSubnets",
        "ec2:DescribeVolumes",
    ),
    fetch=fetch,
    convert=convert,
    record_ids=("InstanceId",),
    status=Status(
        permissions=(
            "ec2:DescribeInstanceStatus",
            "ec2:DescribeInstances",  # which of them exist, where the status of some is requested
            "ec2:DescribeRegions",
        ),
        points=status,
        fetch=fetch_status,
    ),
    metrics=Series(
        permissions=(cloudwatch.PERMISSION, "ec2:DescribeInstances", "ec2:DescribeRegions"),
        span=cloudwatch.SPAN,
        fetch=metrics,
    ),
    logs=cloudtrail.series(logs),
)
