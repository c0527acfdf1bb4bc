"""Classic load balancers, of Elastic Load Balancing v1. 400 a page.

https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/

Their only unique id is their DNS name. They have no state: their status is the health of their instances, which
takes a call for each load balancer.
"""

import dataclasses
import datetime
from collections.abc import Iterator
from typing import Any, Union

from nflex_connector_utils import Connections

from modules.appliances.aws.elb import PAGE_SIZE, existing_instances, tags_of
from modules.appliances.aws.records import (
    Kind,
    Lookups,
    Message,
    Record,
    known_networks,
    pages_of_kind,
)
from shared.engine.contracts import Dropped, Page, Requested
from shared.providers import aws
from shared.providers.aws import cloudtrail, cloudwatch
from shared.records.fields import field, items, needed, objects
from shared.records.metadata import metadata
from shared.records.status import redundant

PERMISSIONS = (
    "ec2:DescribeInstances",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTags",
)
STATUS_PERMISSIONS = (
    "elasticloadbalancing:DescribeInstanceHealth",
    "elasticloadbalancing:DescribeLoadBalancers",
)
METRICS_PERMISSIONS = ("elasticloadbalancing:DescribeLoadBalancers",)

KIND = "classic_load_balancer"
INSTANCE_STATES = "InstanceStates"  # of a record; fetch_status adds it
DETAILS = (
    "AvailabilityZones",
    "CanonicalHostedZoneName",
    "DNSName",
    "HealthCheck",
    "LoadBalancerName",
    "Scheme",
    "SecurityGroups",
    "Subnets",
    "VPCId",
)
INSTANCE_LEVELS = {"InService": "ok", "OutOfService": "error"}


def fetch(scope: aws.Scope, lookups: Lookups) -> Iterator[Page[Record, Lookups]]:
    for page in _all(scope):
        names = [needed(record, "LoadBalancerName", str) for record in page]
        ids = {
            needed(instance, "InstanceId", str)
            for record in page
            for instance in objects(record, "Instances")
        }
        tags, instances = _related(scope, names, sorted(ids))
        page_lookups = dataclasses.replace(lookups, tags=tags, instances=instances)
        yield Page(aws.of_kind(KIND, page), page_lookups)


def _related(scope: aws.Scope, names: list[str], ids: list[str]) -> Iterator[Any]:
    """The tags of load balancers, and which of the instances still exist."""
    return scope.workers.ahead(
        (
            lambda: tags_of(scope, "elb", "LoadBalancerNames", names),
            lambda: existing_instances(scope, ids),
        )
    )


def fetch_status(
    scope: aws.Scope, lookups: Lookups, requested: Requested
) -> Iterator[Page[Record, Lookups]]:
    pages = (_with_health(scope, page) for page in _pages(scope, requested))
    return pages_of_kind(KIND, pages, lookups)


def _all(scope: aws.Scope) -> Iterator[list[Record]]:
    operation, key = "describe_load_balancers", "LoadBalancerDescriptions"
    return aws.pages(scope, "elb", operation, key, page_size=PAGE_SIZE)


def _pages(scope: aws.Scope, requested: Requested) -> Iterator[list[Record]]:
    """All classic load balancers, or the requested ones."""
    if requested is None:
        yield from _all(scope)
    elif any("." in name and not name.startswith("arn:") for name in requested):
        for page in _all(scope):
            yield [record for record in page if field(record, "DNSName", str) in requested]


def _with_health(scope: aws.Scope, page: list[Record]) -> list[Record]:
    """The load balancers that still exist, with the health of their instances."""

    def health(record: Record) -> list[Record]:
        name = needed(record, "LoadBalancerName", str)
        response = aws.call(scope, "elb", "describe_instance_health", LoadBalancerName=name)
        return objects(response, "InstanceStates")

    existing = aws.for_each_left(scope, health, page)
    return [{**record, INSTANCE_STATES: states} for record, states in existing]


def _convert(record: Record, scope: aws.Scope, lookups: Lookups) -> Union[dict[str, Any], Dropped]:
    name = needed(record, "LoadBalancerName", str)
    if name not in lookups.tags:
        return Dropped("deleted while the poll ran")
    instances = objects(record, "Instances")
    ids = {field(instance, "InstanceId", str) or "" for instance in instances}
    descriptions = objects(record, "ListenerDescriptions")
    listeners = [field(description, "Listener", dict) for description in descriptions]
    return {
        "id": needed(record, "DNSName", str),
        "name": name,
        "type_id": "load_balancer",
        "provider_created_at": field(record, "CreatedTime", datetime.datetime),
        "connections": Connections(
            networks=known_networks(items(record, "Subnets", str), lookups),
            servers=sorted(ids & lookups.instances),
        ),
        "metadata": metadata(
            record,
            DETAILS,
            lookups.tags[name],
            Type="classic",
            instances=sorted(ids),
            listeners=listeners,
        ),
        "native_portal_link": scope.link("ec2", f"LoadBalancers:search={name}"),
    }


def _messages(record: Record, lookups: Lookups) -> Iterator[Message]:
    states = [field(instance, "State", str) for instance in objects(record, INSTANCE_STATES)]
    levels = [INSTANCE_LEVELS.get(state or "", "unknown") for state in states]
    if not states:
        yield "ok", "no instances"
    else:
        yield (
            redundant(levels),
            f"{states.count('InService')} of {len(states)} instances in service",
        )


KINDS = {KIND: Kind("DNSName", _convert, messages=_messages)}
# None: CloudTrail names classic load balancers by their names, which are not unique ids.
TRAIL: tuple[cloudtrail.Lookup, ...] = ()


def queries(scope: aws.Scope, requested: Requested) -> Iterator[cloudwatch.Query]:
    for page in _pages(scope, requested):
        for record in page:
            yield from cloudwatch.queries(
                "aws.elb",
                "AWS/ELB",
                {"LoadBalancerName": needed(record, "LoadBalancerName", str)},
                needed(record, "DNSName", str),
                "appliance",
                cloudwatch.MINUTE_S,
            )
