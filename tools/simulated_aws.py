"""What the handlers of AWS ask for and ``get`` does not, for ``tools.record``: simulated, of get's resources.

moto lacks some of these operations, and has other ids each time that it is filled. So here they are ours: their
responses have the fields of botocore's model, and invented contents. They can't show what AWS puts into them.

- EC2's DescribeInstanceStatus and DescribeVolumeStatus: some are impaired, some have an event;
- Elastic Load Balancing's DescribeInstanceHealth;
- CloudWatch's GetMetricData: points for the first resources of each kind in a region, one each quarter of an hour,
  and none for the others, as of what was stopped; of ListMetrics those of Direct Connect;
- CloudTrail's LookupEvents: an event for the first resource of each kind in a region, two a page.
"""

import datetime
import json
import re
import uuid
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any, Optional
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

Answer = dict[str, Any]

MEASURED = 2  # resources of each kind, in a region
EVERY_S = 900
EVENTS_A_PAGE = 2
# The dimensions that AWS documents for the metrics of each namespace. A query with others finds nothing.
DIMENSIONS: dict[str, tuple[set[str], ...]] = {
    "AWS/ApplicationELB": ({"LoadBalancer"}, {"LoadBalancer", "TargetGroup"}),
    "AWS/DX": (
        {"ConnectionId"},
        {"ConnectionId", "OpticalLaneNumber"},
        {"ConnectionId", "VirtualInterfaceId"},
        {"ConnectionId", "VirtualInterfaceId", "IpAddressFamily"},
    ),
    "AWS/EBS": ({"VolumeId"},),
    "AWS/EC2": ({"InstanceId"},),
    "AWS/EFS": ({"FileSystemId"}, {"FileSystemId", "StorageClass"}),
    "AWS/ELB": ({"LoadBalancerName"},),
    "AWS/GatewayELB": ({"LoadBalancer"}, {"LoadBalancer", "TargetGroup"}),
    "AWS/NATGateway": ({"NatGatewayId"},),
    "AWS/NetworkELB": ({"LoadBalancer"}, {"LoadBalancer", "TargetGroup"}),
    "AWS/NetworkFirewall": ({"AvailabilityZone", "Engine", "FirewallName"},),
    "AWS/TransitGateway": ({"TransitGateway"}, {"TransitGateway", "TransitGatewayAttachment"}),
    "AWS/VPN": ({"VpnId"}, {"VpnId", "TunnelIpAddress"}),
}
# What an id begins with, the source and name of an event, and CloudTrail's resource type where it has one.
EVENTS = (
    ("i-", "ec2", "RebootInstances", "AWS::EC2::Instance"),
    ("vol-", "ec2", "ModifyVolume", "AWS::EC2::Volume"),
    ("nat-", "ec2", "CreateNatGateway", "AWS::EC2::NatGateway"),
    ("igw-", "ec2", "AttachInternetGateway", "AWS::EC2::InternetGateway"),
    ("eigw-", "ec2", "CreateEgressOnlyInternetGateway", None),
    ("vgw-", "ec2", "AttachVpnGateway", "AWS::EC2::VPNGateway"),
    ("cgw-", "ec2", "CreateCustomerGateway", "AWS::EC2::CustomerGateway"),
    ("tgw-attach-", "ec2", "ModifyTransitGatewayVpcAttachment", None),
    ("tgw-", "ec2", "ModifyTransitGateway", None),
    ("vpn-", "ec2", "ModifyVpnTunnelOptions", "AWS::EC2::VPNConnection"),
    ("pcx-", "ec2", "AcceptVpcPeeringConnection", "AWS::EC2::VPCPeeringConnection"),
    ("fs-", "elasticfilesystem", "UpdateFileSystem", None),
    ("fs-", "elasticfilesystem", "DescribeMountTargets", None),  # which only reads
    ("dxvif-", "directconnect", "UpdateVirtualInterfaceAttributes", None),
    ("arn:aws:elasticloadbalancing:", "elasticloadbalancing", "SetSecurityGroups", None),
    ("arn:aws:network-firewall:", "network-firewall", "UpdateFirewallDescription", None),
)
READ_ONLY = ("Describe",)


class Aws:
    """Answers for one cell. ``resources``: what its ``get`` returns; ``moment``: now."""

    def __init__(self, resources: list[dict[str, Any]], moment: datetime.datetime):
        self._moment = moment
        self._by_region: dict[str, list[dict[str, Any]]] = {}
        for resource in resources:
            for place in resource["base"]["locations"]:  # of a WAN link, sites
                region = place.get("region", {}).get("id", "")
                self._by_region.setdefault(region, []).append(resource)

    def answer(self, request: Any, recorded: Callable[[Any], Answer]) -> Answer:
        """The response to a request: ours, or the recorded one."""
        body = (request.body or b"").decode()
        region = re.search(r"Credential=[^/]+/\d+/([^/]+)/", request.headers["Authorization"])
        target = request.headers.get("X-Amz-Target")
        params = json.loads(body) if target else dict(parse_qsl(body))
        operation = target.rpartition(".")[2] if target else params.get("Action")
        answers: dict[str, Callable[[str, dict[str, Any]], Answer]] = {
            "DescribeInstanceHealth": self._instance_health,
            "DescribeInstanceStatus": self._instance_status,
            "DescribeVolumeStatus": self._volume_status,
            "GetMetricData": self._metric_data,
            "ListMetrics": self._metrics,
            "LookupEvents": self._events,
        }
        if operation not in answers or region is None:
            return recorded(request)
        return answers[operation](region[1], params)

    def _of(self, region: str, begins: str) -> list[dict[str, Any]]:
        return [each for each in self._by_region.get(region, ()) if each["id"].startswith(begins)]

    # --- status

    def _instance_status(self, region: str, params: dict[str, Any]) -> Answer:
        found = []
        for number, resource in enumerate(self._of(region, "i-")):
            state = resource["details"]["server"]["provider_state"]
            checks: dict[str, Any] = {"status": "not-applicable"}
            if state == "running":
                checks = {"status": "ok", "details": [{"name": "reachability", "status": "passed"}]}
            record = {
                "instanceId": resource["id"],
                "instanceState": {"name": state},
                "systemStatus": checks,
                "instanceStatus": checks,
                "attachedEbsStatus": checks,
                "eventsSet": [],
            }
            if number % 5 == 3 and state == "running":
                failed = {
                    "name": "reachability",
                    "status": "failed",
                    "impairedSince": self._ago(20),
                }
                record["instanceStatus"] = {"status": "impaired", "details": [failed]}
            if number % 5 == 4 and state == "running":
                planned = self._ago(-3 * 24 * 60)
                event = {
                    "instanceEventId": "instance-event-0123456789abcdef0",
                    "notBefore": planned,
                }
                description = "The instance is scheduled for a reboot"
                record["eventsSet"] = [
                    {**event, "code": "instance-reboot", "description": description}
                ]
            found.append(record)
        return _ec2("DescribeInstanceStatus", {"instanceStatusSet": found})

    def _volume_status(self, region: str, params: dict[str, Any]) -> Answer:
        found = []
        for number, resource in enumerate(self._of(region, "vol-")):
            record: dict[str, Any] = {"volumeId": resource["id"], "eventsSet": [], "actionsSet": []}
            word, state = ("impaired", "failed") if number % 7 == 5 else ("ok", "passed")
            record["volumeStatus"] = {
                "status": word,
                "details": [{"name": "io-enabled", "status": state}],
            }
            if word == "impaired":
                event = {"eventType": "potential-data-inconsistency", "notBefore": self._ago(45)}
                record["eventsSet"] = [{**event, "description": "This is an invented example"}]
            found.append(record)
        return _ec2("DescribeVolumeStatus", {"volumeStatusSet": found})

    def _instance_health(self, region: str, params: dict[str, Any]) -> Answer:
        states = ""
        for resource in self._by_region.get(region, ()):
            if resource["base"]["name"] == params["LoadBalancerName"]:
                for server in resource["connections"].get("server", ()):
                    states += f"<member><InstanceId>{server['id']}</InstanceId><State>InService</State></member>"
        namespace = "http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/"
        result = f"<DescribeInstanceHealthResult><InstanceStates>{states}</InstanceStates></DescribeInstanceHealthResult>"
        text = f'<DescribeInstanceHealthResponse xmlns="{namespace}">{result}</DescribeInstanceHealthResponse>'
        return _answer("text/xml", text)

    # --- metrics

    def _metrics(self, region: str, params: dict[str, Any]) -> Answer:
        found = []

        def add(metric: str, **dimensions: str) -> None:
            named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
            found.append({"Namespace": "AWS/DX", "MetricName": metric, "Dimensions": named})

        if params.get("Namespace") == "AWS/DX":
            for resource in self._of(region, "arn:aws:directconnect:"):
                if ":dx-con/" in resource["id"]:
                    for metric in ("ConnectionLightLevelTx", "ConnectionLightLevelRx"):
                        add(metric, ConnectionId=resource["id"], OpticalLaneNumber="1")
            for resource in self._of(region, "dxvif-"):
                facts = resource["metadata"]["provider_specific"]
                add(
                    "VirtualInterfaceBgpStatus",
                    ConnectionId=facts["connectionId"],
                    VirtualInterfaceId=resource["id"],
                    IpAddressFamily=facts["addressFamily"],
                )
        return _json({"Metrics": found})

    def _metric_data(self, region: str, params: dict[str, Any]) -> Answer:
        measured: Counter[tuple[str, ...]] = Counter()
        seen: dict[str, bool] = {}
        results = []
        for query in params["MetricDataQueries"]:
            stat = query["MetricStat"]
            metric = stat["Metric"]
            dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
            about = json.dumps([metric["Namespace"], dimensions], sort_keys=True)
            if about not in seen:
                kind = (metric["Namespace"], *sorted(dimensions))
                seen[about] = set(dimensions) in DIMENSIONS[metric["Namespace"]]
                measured[kind] += 1
                seen[about] &= measured[kind] <= MEASURED
            times: list[int] = []
            if seen[about]:
                first = -(-int(params["StartTime"]) // EVERY_S) * EVERY_S
                times = list(range(first, int(params["EndTime"]), EVERY_S))
            values = [_value(about + metric["MetricName"], stat["Stat"], time) for time in times]
            results.append(
                {
                    "Id": query["Id"],
                    "Label": metric["MetricName"],
                    "Timestamps": times,
                    "Values": values,
                    "StatusCode": "Complete",
                }
            )
        return _json({"MetricDataResults": results, "Messages": []})

    # --- logs

    def _events(self, region: str, params: dict[str, Any]) -> Answer:
        (wanted,) = params["LookupAttributes"]
        key, value = wanted["AttributeKey"], wanted["AttributeValue"]
        found = [
            event
            for event in self._happened(region)
            if params["StartTime"] <= event["EventTime"] <= params["EndTime"]
            and (
                any(each["ResourceType"] == value for each in event["Resources"])
                if key == "ResourceType"
                else event[key] == value
            )
        ]
        start = int(params.get("NextToken") or 0)
        answer: dict[str, Any] = {"Events": found[start : start + EVENTS_A_PAGE]}
        if start + EVENTS_A_PAGE < len(found):
            answer["NextToken"] = str(start + EVENTS_A_PAGE)
        return _json(answer)

    def _happened(self, region: str) -> list[dict[str, Any]]:
        """The region's events, the last first. Of servers there are three, so that their lookup has two pages."""
        events: list[dict[str, Any]] = []
        for begins, source, name, kind in EVENTS:
            of_kind = self._of(region, begins)
            if begins == "tgw-":
                of_kind = [each for each in of_kind if not each["id"].startswith("tgw-attach-")]
            for resource in of_kind[: 3 if begins == "i-" else 1]:
                number = len(events)
                failed = "Client.UnauthorizedOperation" if number % 4 == 2 else None
                events.append(
                    self._event(region, source, name, kind, resource["id"], number, failed)
                )
        return events

    def _event(
        self,
        region: str,
        source: str,
        name: str,
        kind: Optional[str],
        resource: str,
        number: int,
        failed: Optional[str],
    ) -> dict[str, Any]:
        whole: dict[str, Any] = {
            "eventName": name,
            "awsRegion": region,
            "userIdentity": {"type": "IAMUser", "userName": "operator"},
            "requestParameters": {"resourceId": resource},
        }
        if failed:
            whole.update(errorCode=failed, errorMessage="this is an invented example")
        when = self._moment - datetime.timedelta(minutes=20 + number)
        return {
            "EventId": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{region} {name} {resource}")),
            "EventName": name,
            "EventTime": int(when.timestamp()),
            "EventSource": f"{source}.amazonaws.com",
            "ReadOnly": "true" if name.startswith(READ_ONLY) else "false",
            "Username": "operator",
            "Resources": [{"ResourceType": kind, "ResourceName": resource}] if kind else [],
            "CloudTrailEvent": json.dumps(whole),
        }

    def _ago(self, minutes: int) -> str:
        when = self._moment - datetime.timedelta(minutes=minutes)
        return when.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _value(about: str, statistic: str, time: int) -> float:
    """An invented value, the same each time: 0 or 1 of what is at most or at least, else in the range of a percentage
    of averages, and an amount of sums."""
    number = zlib.crc32(f"{about} {time}".encode())
    if statistic in ("Maximum", "Minimum"):
        return float(number % 2)
    return float(number % 1_000_000) if statistic == "Sum" else number % 1000 / 10


def _ec2(operation: str, content: dict[str, Any]) -> Answer:
    namespace = "http://ec2.amazonaws.com/doc/2016-11-15/"
    text = f'<{operation}Response xmlns="{namespace}">{_xml(content)}</{operation}Response>'
    return _answer("text/xml", text)


def _xml(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"<{name}>{_xml(each)}</{name}>" for name, each in value.items())
    if isinstance(value, list):
        return "".join(f"<item>{_xml(each)}</item>" for each in value)
    return escape(str(value))


def _json(content: dict[str, Any]) -> Answer:
    return _answer("application/x-amz-json-1.1", json.dumps(content, ensure_ascii=False))


def _answer(kind: str, text: str) -> Answer:
    return {
        "status": {"code": 200},
        "headers": {"Content-Type": [kind]},
        "body": {"string": text.encode()},
    }
