"""What polls of status, metrics and logs find on moto's server: data put in beforehand.

Two operations that moto lacks are added, DescribeVolumeStatus and LookupEvents. They are ours: their answers
have the fields of botocore's model, and what AWS puts into them they can't show. And some of EC2's listings get
their filter for ids, which moto refuses or does not look at.
"""

import contextlib
import datetime
import json
from unittest import mock

from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.responses import ActionResult
from moto.ec2.models import EC2Backend
from moto.ec2.responses.elastic_block_store import ElasticBlockStore
from moto.ec2.responses.vpc_peering_connections import VPCPeeringConnections

PAGE = 50
DATA_A_CALL = 1000
trail = []  # CloudTrail's events, of all regions; see ``event``


@contextlib.contextmanager
def added():
    """Within it, moto has them. The trail is empty at first."""
    trail.clear()

    def lookup_events(response):
        asked = json.loads(response.body)
        (wanted,) = asked["LookupAttributes"]
        key, value = wanted["AttributeKey"], wanted["AttributeValue"]
        found = [
            each
            for each in trail
            if asked["StartTime"] <= each["EventTime"] <= asked["EndTime"]
            and (
                any(of["ResourceType"] == value for of in each["Resources"])
                if key == "ResourceType"
                else each[key] == value
            )
        ]
        start, size = int(asked.get("NextToken") or 0), asked.get("MaxResults", PAGE)
        assert size <= PAGE
        answer = {"Events": found[start : start + size]}
        if start + size < len(found):
            answer["NextToken"] = str(start + size)
        return json.dumps(answer)

    def describe_volume_status(response):
        wanted = response._get_param("VolumeIds", [])
        volumes = [
            each
            for each in response.ec2_backend.describe_volumes([], filters={})
            if not wanted or each.id in wanted
        ]
        known = [
            {
                "VolumeId": each.id,
                "VolumeStatus": {"Status": "ok", "Details": []},
                "Events": [],
                "Actions": [],
            }
            for each in volumes
        ]
        return ActionResult({"VolumeStatuses": known})

    def filtering(listing, name):
        """The listing, with a filter for ids of this name."""

        def filtered(backend, *args, filters=None, **more):
            filters = dict(filters or {})
            wanted = filters.pop(name, None)
            if filters:
                more["filters"] = filters
            found = listing(backend, *args, **more)
            return found if wanted is None else [each for each in found if each.id in wanted]

        return filtered

    def describe_vpc_peering_connections(response):
        wanted = response._filters_from_querystring().get("vpc-peering-connection-id")
        found = [
            each
            for each in response.ec2_backend.describe_vpc_peering_connections()
            if wanted is None or each.id in wanted
        ]
        return ActionResult({"VpcPeeringConnections": found})

    with (
        mock.patch.object(
            EC2Backend,
            "describe_transit_gateway_attachments",
            filtering(
                EC2Backend.describe_transit_gateway_attachments, "transit-gateway-attachment-id"
            ),
        ),
        mock.patch.object(
            EC2Backend,
            "describe_vpn_connections",
            filtering(EC2Backend.describe_vpn_connections, "vpn-connection-id"),
        ),
        mock.patch.object(
            VPCPeeringConnections,
            "describe_vpc_peering_connections",
            describe_vpc_peering_connections,
        ),
        mock.patch.object(CloudTrailResponse, "lookup_events", lookup_events, create=True),
        mock.patch.object(ElasticBlockStore, "describe_volume_status", describe_volume_status),
    ):
        yield


def event(name, when, kind, resource, error=None, number=1, user="alice"):
    """An event as LookupEvents gives it; ``when`` is an aware time."""
    whole = {
        "eventName": name,
        "userIdentity": {"type": "IAMUser", "userName": user},
        "requestParameters": {"userData": "invented-secret"},
        "responseElements": {"password": "invented-secret"},
    }
    if error:
        whole.update(errorCode=error, errorMessage="it said invented-secret")
    return {
        "EventId": f"00000000-0000-4000-8000-{number:012d}",
        "EventName": name,
        "EventTime": int(when.astimezone(datetime.timezone.utc).timestamp()),
        "EventSource": "ec2.amazonaws.com",
        "ReadOnly": "false",
        "AccessKeyId": "AKIAINVENTED00000000",
        "Username": user,
        "Resources": [{"ResourceType": kind, "ResourceName": resource}],
        "CloudTrailEvent": json.dumps(whole),
    }


def measure(cloudwatch, namespace, dimensions, points):
    """Put data: of each metric, by its name, (time, value) pairs."""
    data = [
        {
            "MetricName": name,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            "Timestamp": when,
            "Value": value,
        }
        for name, pairs in points.items()
        for when, value in pairs
    ]
    for start in range(0, len(data), DATA_A_CALL):
        cloudwatch.put_metric_data(
            Namespace=namespace, MetricData=data[start : start + DATA_A_CALL]
        )
