"""Stand-ins of the providers for ``make bench``: ``python -m benchmarks.standins KIND JSON``, a process of its own.

They answer as the providers do with accounts that are in order, and check nothing. A page is rendered when it is
first requested and kept, so that what is timed is the client. Listings page as the real ones do: EC2 by token,
OpenStack by marker, NetBox by id or offset. Juju is the simulator of the tests, its answers kept as well.

Prints one line of JSON: how to connect, and the number and digest of the ids that a complete list has. Then, for
each line on stdin, another: "count", the number of requests since the last one, or "requests", all that had an answer
of their own. The end of stdin ends it.
"""

import copy
import hashlib
import http.server
import ipaddress
import json
import re
import socket
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional, Union
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

ROOT = Path(__file__).resolve().parent.parent
PAGE = 1000
JSON = "application/json"


@dataclass(frozen=True)
class Request:
    """A request, as far as an answer depends on it. ``host`` is the header, ``body`` is decoded."""

    method: str
    path: str
    query: str
    host: str
    authorization: str
    body: str


@dataclass(frozen=True)
class Answer:
    status: int
    content: bytes
    headers: tuple[tuple[str, str], ...] = (("Content-Type", JSON),)


def digest(ids: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()


class Server:
    """Serves ``answer`` on a free port of 127.0.0.1 and counts the requests; ``stop`` ends it.

    ``key`` tells which requests have the same answer. ``tls`` is for https, ``delay_s`` passes before each answer.
    """

    def __init__(
        self,
        answer: Callable[[Request], Answer],
        key: Callable[[Request], Any],
        tls: Optional[ssl.SSLContext] = None,
        delay_s: float = 0.0,
    ):
        self.requests = 0
        self._answer, self._key, self._delay_s = answer, key, delay_s
        self._kept: dict[Any, tuple[Request, Answer]] = {}
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = _Threads(("127.0.0.1", 0), handler)
        self._server.tls = tls
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reply(self, request: Request) -> Answer:
        key = self._key(request)
        with self._lock:
            self.requests += 1
            if key not in self._kept:
                self._kept[key] = request, self._answer(request)
        if self._delay_s:
            time.sleep(self._delay_s)
        return self._kept[key][1]

    def seen(self) -> list[Any]:
        """Those requests that had an answer of their own, in their order: method, target, body, headers."""
        return [
            (
                each.method,
                f"{each.path}?{each.query}" if each.query else each.path,
                each.body,
                {"Host": each.host, "Authorization": each.authorization},
            )
            for each, _ in self._kept.values()
        ]


class _Threads(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    tls: Optional[ssl.SSLContext] = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread, where a handshake delays no other connection."""
        try:
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                request = self.tls.wrap_socket(request, server_side=True)
            super().finish_request(request, client_address)
        except OSError:
            pass  # the client left


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body leave together
    owner: Server

    def _reply(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        answer = self.owner.reply(
            Request(
                self.command,
                parts.path,
                parts.query,
                self.headers.get("Host", ""),
                self.headers.get("Authorization", ""),
                body.decode(),
            )
        )
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)
        self.wfile.flush()

    do_GET = do_POST = _reply

    def log_message(self, *_: Any) -> None:
        pass


def _json(value: Any, status: int = 200, *headers: tuple[str, str]) -> Answer:
    return Answer(status, json.dumps(value).encode(), (("Content-Type", JSON), *headers))


# --- EC2 ----------------------------------------------------------------------------------------

SIGNED_FOR = re.compile(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/")  # region and service
NUMBER, ADDRESS, WHERE = "{number}", "{address}", "{region}"
XML = (("Content-Type", "text/xml;charset=UTF-8"),)
TIME = "2026-01-02T03:04:05.000Z"
# As EC2 writes an instance with one interface, one volume and three tags.
INSTANCE = f"""
<item><reservationId>r-{NUMBER}</reservationId><ownerId>210987654321</ownerId><groupSet/><instancesSet><item>
<instanceId>i-{WHERE}-{NUMBER}</instanceId><imageId>ami-0abcdef0123456789</imageId>
<instanceState><code>16</code><name>running</name></instanceState>
<privateDnsName>ip-{ADDRESS}.{WHERE}.compute.internal</privateDnsName>
<dnsName>ec2-203-0-113-9.{WHERE}.compute.amazonaws.com</dnsName><reason/><keyName>operations</keyName>
<amiLaunchIndex>0</amiLaunchIndex><productCodes/><instanceType>m5.large</instanceType>
<launchTime>{TIME}</launchTime>
<placement><availabilityZone>{WHERE}a</availabilityZone><availabilityZoneId>use1-az4</availabilityZoneId>
<groupName/><tenancy>default</tenancy></placement>
<monitoring><state>disabled</state></monitoring><subnetId>subnet-{WHERE}</subnetId><vpcId>vpc-{WHERE}</vpcId>
<privateIpAddress>{ADDRESS}</privateIpAddress><ipAddress>203.0.113.9</ipAddress>
<sourceDestCheck>true</sourceDestCheck>
<groupSet><item><groupId>sg-0123456789abcdef0</groupId><groupName>web</groupName></item></groupSet>
<architecture>x86_64</architecture><rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda</rootDeviceName>
<blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><volumeId>vol-{WHERE}-{NUMBER}</volumeId>
<status>attached</status><attachTime>{TIME}</attachTime><deleteOnTermination>true</deleteOnTermination>
</ebs></item></blockDeviceMapping><virtualizationType>hvm</virtualizationType>
<clientToken>c0ffee00-0000-0000-0000-{NUMBER}</clientToken>
<tagSet><item><key>Name</key><value>web-{NUMBER}</value></item><item><key>env</key><value>production</value></item>
<item><key>aws:autoscaling:groupName</key><value>web &amp; more</value></item></tagSet><hypervisor>xen</hypervisor>
<networkInterfaceSet><item><networkInterfaceId>eni-{NUMBER}</networkInterfaceId><subnetId>subnet-{WHERE}</subnetId>
<vpcId>vpc-{WHERE}</vpcId><description/><ownerId>210987654321</ownerId><status>in-use</status>
<macAddress>0a:00:00:00:00:01</macAddress><privateIpAddress>{ADDRESS}</privateIpAddress>
<privateDnsName>ip-{ADDRESS}.{WHERE}.compute.internal</privateDnsName><sourceDestCheck>true</sourceDestCheck>
<groupSet><item><groupId>sg-0123456789abcdef0</groupId><groupName>web</groupName></item></groupSet>
<attachment><attachmentId>eni-attach-{NUMBER}</attachmentId><deviceIndex>0</deviceIndex><status>attached</status>
<attachTime>{TIME}</attachTime><deleteOnTermination>true</deleteOnTermination><networkCardIndex>0</networkCardIndex>
</attachment><association><publicIp>203.0.113.9</publicIp>
<publicDnsName>ec2-203-0-113-9.{WHERE}.compute.amazonaws.com</publicDnsName><ipOwnerId>amazon</ipOwnerId>
</association><privateIpAddressesSet><item><privateIpAddress>{ADDRESS}</privateIpAddress>
<privateDnsName>ip-{ADDRESS}.{WHERE}.compute.internal</privateDnsName><primary>true</primary>
<association><publicIp>203.0.113.9</publicIp>
<publicDnsName>ec2-203-0-113-9.{WHERE}.compute.amazonaws.com</publicDnsName><ipOwnerId>amazon</ipOwnerId>
</association></item></privateIpAddressesSet><ipv6AddressesSet/><interfaceType>interface</interfaceType></item>
</networkInterfaceSet><ebsOptimized>true</ebsOptimized><enaSupport>true</enaSupport>
<cpuOptions><coreCount>1</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions>
<capacityReservationSpecification><capacityReservationPreference>open</capacityReservationPreference>
</capacityReservationSpecification><hibernationOptions><configured>false</configured></hibernationOptions>
<enclaveOptions><enabled>false</enabled></enclaveOptions>
<metadataOptions><state>applied</state><httpTokens>required</httpTokens>
<httpPutResponseHopLimit>2</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint>
<httpProtocolIpv6>disabled</httpProtocolIpv6><instanceMetadataTags>disabled</instanceMetadataTags>
</metadataOptions><platformDetails>Linux/UNIX</platformDetails><usageOperation>RunInstances</usageOperation>
<usageOperationUpdateTime>{TIME}</usageOperationUpdateTime>
<privateDnsNameOptions><hostnameType>ip-name</hostnameType><enableResourceNameDnsARecord>false
</enableResourceNameDnsARecord></privateDnsNameOptions><maintenanceOptions><autoRecovery>default</autoRecovery>
</maintenanceOptions><currentInstanceBootMode>legacy-bios</currentInstanceBootMode>
</item></instancesSet></item>"""
VOLUME = f"""
<item><volumeId>vol-{WHERE}-{NUMBER}</volumeId><size>8</size><snapshotId>snap-0123456789abcdef0</snapshotId>
<availabilityZone>{WHERE}a</availabilityZone><status>in-use</status><createTime>{TIME}</createTime>
<attachmentSet><item><volumeId>vol-{WHERE}-{NUMBER}</volumeId><instanceId>i-{WHERE}-{NUMBER}</instanceId>
<device>/dev/xvda</device><status>attached</status><attachTime>{TIME}</attachTime>
<deleteOnTermination>true</deleteOnTermination></item></attachmentSet>
<tagSet><item><key>env</key><value>production</value></item></tagSet><volumeType>gp3</volumeType><iops>3000</iops>
<encrypted>true</encrypted><multiAttachEnabled>false</multiAttachEnabled><throughput>125</throughput></item>"""
SUBNET = f"""
<item><subnetId>subnet-{WHERE}</subnetId><vpcId>vpc-{WHERE}</vpcId><cidrBlock>10.0.0.0/8</cidrBlock>
<ownerId>210987654321</ownerId><state>available</state><availabilityZone>{WHERE}a</availabilityZone>
<tagSet><item><key>Name</key><value>front</value></item></tagSet></item>"""
TYPE = """
<item><instanceType>m5.large</instanceType><bareMetal>false</bareMetal><hypervisor>nitro</hypervisor>
<processorInfo><supportedArchitectures><item>x86_64</item></supportedArchitectures>
<sustainedClockSpeedInGhz>3.1</sustainedClockSpeedInGhz></processorInfo>
<vCpuInfo><defaultVCpus>2</defaultVCpus></vCpuInfo><memoryInfo><sizeInMiB>8192</sizeInMiB></memoryInfo></item>"""
IMAGE = """
<item><imageId>ami-0abcdef0123456789</imageId><name>al2023</name><architecture>x86_64</architecture>
<platformDetails>Linux/UNIX</platformDetails></item>"""
# operation -> (the element that holds the list, an item, whether there is one for each instance)
LISTS = {
    "DescribeInstances": ("reservationSet", INSTANCE, True),
    "DescribeVolumes": ("volumeSet", VOLUME, True),
    "DescribeSubnets": ("subnetSet", SUBNET, False),
    "DescribeInstanceTypes": ("instanceTypeSet", TYPE, False),
    "DescribeImages": ("imagesSet", IMAGE, False),
}
AWS_REGIONS = (
    *("af-south-1", "ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3"),
    *("ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3"),
    *("ap-southeast-4", "ca-central-1", "ca-west-1", "eu-central-1", "eu-central-2"),
    *("eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3"),
    *("il-central-1", "me-central-1", "me-south-1", "sa-east-1", "us-east-1", "us-east-2"),
    *("us-west-1", "us-west-2", "ap-southeast-5"),
)


class EC2:
    """``size`` instances in each of the regions, each instance with a volume.

    With ``tls`` at https, with a certificate for EC2's hosts of these regions.
    """

    def __init__(self, size: int, regions: int = 1, tls: bool = False, delay_s: float = 0.0):
        self.size = size
        self.regions = sorted(AWS_REGIONS[:regions]) if regions > 1 else ["us-east-1"]
        context, self.ca = None, ""
        if tls:
            context, self.ca = certified([f"ec2.{region}.amazonaws.com" for region in self.regions])
        self.server = Server(self.answer, self.key, context, delay_s)

    def key(self, request: Request) -> Any:
        return *signed_for(request), request.body

    def answer(self, request: Request) -> Answer:
        given = dict(parse_qsl(request.body))
        (region, _), operation = signed_for(request), given["Action"]
        if operation == "DescribeRegions":
            names = "".join(
                f"<item><regionName>{name}</regionName></item>" for name in self.regions
            )
            inside = f"<regionInfo>{names}</regionInfo>"
        else:
            element, item, many = LISTS[operation]
            start = int(given.get("NextToken", 0))
            limit = min(int(given.get("MaxResults", PAGE)), PAGE)
            count = self.size if many else 1
            end = min(start + limit, count)
            items = "".join(_item(item, region, number) for number in range(start, end))
            more = f"<nextToken>{end}</nextToken>" if end < count else ""
            inside = f"<{element}>{items}</{element}>{more}"
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<{operation}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
            f"<requestId>00000000-0000-0000-0000-000000000000</requestId>{inside}</{operation}Response>"
        )
        return Answer(200, text.encode(), XML)

    def connection(self) -> dict[str, Any]:
        regions = {"regions": self.regions, "port": self.server.port}
        if self.ca:
            return {**regions, "ca": self.ca}
        return {**regions, "url": f"http://127.0.0.1:{self.server.port}"}

    def ids(self) -> list[str]:
        return [f"i-{region}-{n:012d}" for region in self.regions for n in range(self.size)]

    def requests(self) -> int:
        return self.server.requests

    def seen(self) -> list[Any]:
        return self.server.seen()

    def stop(self) -> None:
        self.server.stop()


BALANCER_ARN = f"arn:aws:elasticloadbalancing:{WHERE}:210987654321:loadbalancer/app/lb-{NUMBER}/50dc6c495c0c9188"
GROUP_ARN = (
    f"arn:aws:elasticloadbalancing:{WHERE}:210987654321:targetgroup/tg-{NUMBER}/73e2d6bc24d8a067"
)
# As ELBv2 writes an application load balancer, its listener, its target group, a healthy target, and its tags.
BALANCER = f"""
<member><LoadBalancerArn>{BALANCER_ARN}</LoadBalancerArn>
<DNSName>lb-{NUMBER}.{WHERE}.elb.amazonaws.com</DNSName><CanonicalHostedZoneId>Z35SXDOTRQ7X7K</CanonicalHostedZoneId>
<CreatedTime>{TIME}</CreatedTime><LoadBalancerName>lb-{NUMBER}</LoadBalancerName><Scheme>internal</Scheme>
<VpcId>vpc-{WHERE}</VpcId><State><Code>active</Code></State><Type>application</Type><AvailabilityZones><member>
<ZoneName>{WHERE}a</ZoneName><SubnetId>subnet-{WHERE}</SubnetId><LoadBalancerAddresses/></member></AvailabilityZones>
<SecurityGroups><member>sg-0123456789abcdef0</member></SecurityGroups><IpAddressType>ipv4</IpAddressType></member>"""
LISTENER = f"""
<member><ListenerArn>{BALANCER_ARN}/listener</ListenerArn><LoadBalancerArn>{BALANCER_ARN}</LoadBalancerArn>
<Port>80</Port><Protocol>HTTP</Protocol><DefaultActions><member><Type>forward</Type>
<TargetGroupArn>{GROUP_ARN}</TargetGroupArn></member></DefaultActions></member>"""
GROUP = f"""
<member><TargetGroupArn>{GROUP_ARN}</TargetGroupArn><TargetGroupName>tg-{NUMBER}</TargetGroupName>
<Protocol>HTTP</Protocol><Port>80</Port><VpcId>vpc-{WHERE}</VpcId><HealthCheckProtocol>HTTP</HealthCheckProtocol>
<HealthCheckPort>traffic-port</HealthCheckPort><HealthCheckPath>/</HealthCheckPath><LoadBalancerArns>
<member>{BALANCER_ARN}</member></LoadBalancerArns><TargetType>instance</TargetType></member>"""
HEALTH = f"""
<member><Target><Id>i-{WHERE}-{NUMBER}</Id><Port>80</Port></Target><HealthCheckPort>80</HealthCheckPort>
<TargetHealth><State>healthy</State></TargetHealth></member>"""
TAGS = f"""
<member><ResourceArn>{BALANCER_ARN}</ResourceArn><Tags><member><Key>env</Key><Value>production</Value></member></Tags>
</member>"""


class LoadBalancers(EC2):
    """``size`` application load balancers in us-east-1, each with a listener and a target group with one target.

    Of all that an account can have besides, it has nothing.
    """

    def __init__(self, size: int, delay_s: float = 0.0):
        import botocore.session

        super().__init__(size, delay_s=delay_s)
        self._botocore = botocore.session.get_session()

    def key(self, request: Request) -> Any:
        return request.path, *super().key(request)

    def answer(self, request: Request) -> Answer:
        region, service = signed_for(request)
        if service == "elasticfilesystem":
            return _json({"FileSystems": []})
        if service == "network-firewall":
            return _json({"Firewalls": []})
        given = dict(parse_qsl(request.body))
        operation = given["Action"]
        if operation == "DescribeRegions":
            return super().answer(request)
        if service == "elasticloadbalancing" and given["Version"] == "2015-12-01":
            inside = self._balancing(operation, given, region)
        elif operation == "DescribeInstances":  # those that are targets
            names = [value for name, value in given.items() if name.startswith("Filter.1.Value.")]
            items = (_item(INSTANCE, region, int(name.rpartition("-")[2])) for name in names)
            inside = f"<reservationSet>{''.join(items)}</reservationSet>"
        else:
            inside = self._nothing(service, given["Version"], operation)
        return Answer(200, f"<{operation}Response>{inside}</{operation}Response>".encode(), XML)

    def _nothing(self, service: str, version: str, operation: str) -> str:
        """An answer without records, by botocore's model."""
        name = {"elasticloadbalancing": "elb"}.get(service, service)
        model = self._botocore.get_service_model(name, version).operation_model(operation)
        members = model.output_shape.members.items()
        lists = [
            shape.serialization.get("name", member)
            for member, shape in members
            if shape.type_name == "list"
        ]
        inside = "".join(f"<{each}/>" for each in lists)
        wrapper = model.output_shape.serialization.get("resultWrapper")
        return f"<{wrapper}>{inside}</{wrapper}>" if wrapper else inside

    def _balancing(self, operation: str, given: dict[str, str], region: str) -> str:
        key, item = BALANCING[operation]
        numbers: Sequence[int]
        more = ""
        if operation in ("DescribeLoadBalancers", "DescribeTargetGroups"):
            start, limit = int(given.get("Marker", 0)), min(int(given.get("PageSize", 400)), 400)
            numbers = range(start, min(start + limit, self.size))
            if numbers.stop < self.size:
                more = f"<NextMarker>{numbers.stop}</NextMarker>"
        else:  # of those that are named
            arns = [value for value in given.values() if value.startswith("arn:")]
            numbers = [int(arn.rpartition("-")[2].partition("/")[0]) for arn in arns]
        items = "".join(_item(item, region, number) for number in numbers)
        return f"<{operation}Result><{key}>{items}</{key}>{more}</{operation}Result>"

    def ids(self) -> list[str]:
        return [_item(BALANCER_ARN, "us-east-1", number) for number in range(self.size)]


BALANCING = {
    "DescribeListeners": ("Listeners", LISTENER),
    "DescribeLoadBalancers": ("LoadBalancers", BALANCER),
    "DescribeTags": ("TagDescriptions", TAGS),
    "DescribeTargetGroups": ("TargetGroups", GROUP),
    "DescribeTargetHealth": ("TargetHealthDescriptions", HEALTH),
}


def signed_for(request: Request) -> tuple[str, str]:
    """The region and the service for which a request to AWS is signed."""
    found = SIGNED_FOR.search(request.authorization)
    if not found:
        raise ValueError("the request is not signed")
    return found[1], found[2]


def _item(template: str, region: str, number: int) -> str:
    address = ipaddress.ip_address("10.0.0.4") + number
    filled = template.replace(NUMBER, f"{number:012d}").replace(ADDRESS, str(address))
    return filled.replace(WHERE, region).replace("\n", "")


def certified(names: Collection[str]) -> tuple[ssl.SSLContext, str]:
    """A server's TLS with a certificate for these names, and the PEM text of the CA that signed it."""
    from tests.fakes.juju import Authority

    authority = Authority()
    return authority.context(tuple(names)), authority.pem


# --- OpenStack ----------------------------------------------------------------------------------


class OpenStack:
    """Keystone, and ``size`` servers in Nova, each with a port in Neutron; Cinder is empty, Glance has two images."""

    def __init__(self, size: int):
        from tests.fakes import openstack as fake

        self.fake, self.size = fake, size
        self.server = Server(self.answer, self.key)
        self.url = f"http://127.0.0.1:{self.server.port}"
        numbers = range(size)
        self.server_ids = [fake.identifier("server", number) for number in numbers]
        port_ids = [fake.identifier("port", number) for number in numbers]
        images, networks = [fake.image(0), fake.image(1)], [fake.network(0)]
        # by path: (key, ids in their order, record by number)
        self.lists: dict[str, tuple[str, list[str], Callable[[int], dict[str, Any]]]] = {
            "/compute/v2.1/servers/detail": ("servers", self.server_ids, self._server),
            "/network/v2.0/ports": ("ports", port_ids, self._port),
            "/network/v2.0/networks": ("networks", [networks[0]["id"]], networks.__getitem__),
            "/network/v2.0/floatingips": ("floatingips", [], _nothing),
            "/image/v2/images": ("images", [each["id"] for each in images], images.__getitem__),
            f"/volume/v3/{fake.PROJECT}/volumes/detail": ("volumes", [], _nothing),
        }

    def _server(self, number: int) -> dict[str, Any]:
        server: dict[str, Any] = self.fake.server(number)
        link = f"{self.url}/compute/v2.1/servers/{server['id']}"
        server["links"] = [{"rel": "self", "href": link}]
        return server

    def _port(self, number: int) -> dict[str, Any]:
        address = str(ipaddress.ip_address("10.0.0.4") + number)
        subnet = self.fake.identifier("subnet", 0)
        port: dict[str, Any] = self.fake.port(
            number,
            admin_state_up=True,
            allowed_address_pairs=[],
            created_at="2026-11-20T23:58:18Z",
            description="",
            extra_dhcp_opts=[],
            fixed_ips=[{"subnet_id": subnet, "ip_address": address}],
            port_security_enabled=True,
            qos_policy_id=None,
            revision_number=4,
            security_groups=[self.fake.identifier("group", 0)],
            tags=[],
            updated_at="2026-11-20T23:58:20Z",
        )
        return port

    def key(self, request: Request) -> Any:
        return request.method, request.path, request.query

    def answer(self, request: Request) -> Answer:
        path = request.path.rstrip("/")
        if path == "/identity/v3/auth/tokens":
            return _json(self._token(), 201, ("X-Subject-Token", "gAAAAinvented"))
        if path in self.lists:
            return _json(self._page(path, request.query))
        return _json(self._versions(path))

    def _token(self) -> dict[str, Any]:
        paths = {
            "compute": "/compute/v2.1",
            "network": "/network",
            "volumev3": f"/volume/v3/{self.fake.PROJECT}",
            "image": "/image",
            "identity": "/identity/v3",
        }
        endpoint = {"interface": "public", "region": "RegionOne", "region_id": "RegionOne"}
        catalog = [
            {
                "type": kind,
                "name": {"compute": "nova"}.get(kind, kind),
                "id": kind,
                "endpoints": [{**endpoint, "id": kind, "url": self.url + path}],
            }
            for kind, path in paths.items()
        ]
        domain = {"id": "default", "name": "Default"}
        token = {
            "methods": ["password"],
            "user": {"id": "u" * 32, "name": "reader", "domain": domain},
            "project": {"id": self.fake.PROJECT, "name": "alpha", "domain": domain},
            "roles": [{"id": "reader", "name": "reader"}],
            "catalog": catalog,
            "issued_at": "2026-11-21T00:00:00.000000Z",
            "expires_at": "2099-01-01T00:00:00.000000Z",
        }
        return {"token": token}

    def _versions(self, path: str) -> dict[str, Any]:
        """The discovery documents of Keystone, Nova, Neutron and Glance."""
        service = path.split("/")[1]
        version = {"identity": "v3", "compute": "v2.1", "network": "v2.0", "image": "v2.9"}[service]
        folder = "v2" if service == "image" else version
        link = {"rel": "self", "href": f"{self.url}/{service}/{folder}/"}
        shown = {"id": version, "status": "CURRENT", "links": [link]}
        if service == "compute":
            shown.update(version="2.96", min_version="2.1")
        if path.count("/") > 1:
            return {"version": shown}
        return {"versions": {"values": [shown]} if service == "identity" else [shown]}

    def _page(self, path: str, query: str) -> dict[str, Any]:
        key, ids, record = self.lists[path]
        given = parse_qs(query)
        limit = min(int(given.get("limit", [str(PAGE)])[0]), PAGE)
        start = ids.index(given["marker"][0]) + 1 if "marker" in given else 0
        end = min(start + limit, len(ids))
        fields = given.get("fields")
        records = [record(number) for number in range(start, end)]
        if fields:
            records = [{name: each[name] for name in fields if name in each} for each in records]
        page: dict[str, Any] = {key: records}
        if end < len(ids):
            kept = [(n, v) for n, vs in given.items() if n != "marker" for v in vs]
            following = f"{path}?{urlencode([*kept, ('marker', ids[end - 1])])}"
            if key == "images":
                page["next"] = following
            else:
                page[f"{key}_links"] = [{"rel": "next", "href": self.url + following}]
        return page

    def connection(self) -> dict[str, Any]:
        return {"url": f"{self.url}/identity/v3", "services": self.url}

    def ids(self) -> list[str]:
        return self.server_ids

    def requests(self) -> int:
        return self.server.requests

    def seen(self) -> list[Any]:
        return self.server.seen()

    def stop(self) -> None:
        self.server.stop()


def _nothing(number: int) -> dict[str, Any]:
    raise IndexError(number)


# --- NetBox -------------------------------------------------------------------------------------


class NetBox:
    """``size`` devices, all of them servers, or circuits with two terminations each, at three sites.

    Records and release are those of a recorded NetBox 4.6.
    """

    def __init__(self, size: int, listing: str = "dcim/devices"):
        from tests.fakes import netbox as fake

        self.size = size
        self.counts = {listing: size, "dcim/sites": 3}
        if listing == "circuits/circuits":
            self.counts["circuits/circuit-terminations"] = 2 * size
        self.server = Server(self.answer, self.key)
        self.url = f"http://127.0.0.1:{self.server.port}"
        self.token = fake.V1
        self.version = fake.SAMPLES[fake.NEWEST]["api_version"]
        self.sites = [
            self._named(fake.sample("dcim/sites"), "dcim/sites", n, f"Site {n}") for n in (1, 2, 3)
        ]
        self._circuit = fake.sample("circuits/circuits")
        self._termination = fake.sample("circuits/circuit-terminations")
        self._device = fake.sample("dcim/devices")
        role = {"id": 1, "url": f"{self.url}/api/dcim/device-roles/1/", "display": "Server"}
        self._device["role"] = {**role, "name": "Server", "slug": "server"}

    def _named(
        self, record: dict[str, Any], listing: str, number: int, name: str
    ) -> dict[str, Any]:
        url = f"{self.url}/api/{listing}/{number}/"
        return {**record, "id": number, "url": url, "name": name, "display": name}

    def _record(self, listing: str, number: int) -> dict[str, Any]:
        if listing == "dcim/sites":
            return self.sites[number - 1]
        if listing == "circuits/circuits":
            cid = f"CID-{number:06d}"
            return {**self._circuit, "id": number, "cid": cid, "display": cid}
        if listing == "circuits/circuit-terminations":
            return self._end(number)
        device = self._named(self._device, listing, number, f"server-{number}")
        device["site"] = self._brief_site(number % 3)
        device["primary_ip4"] = {
            "id": number,
            "url": f"{self.url}/api/ipam/ip-addresses/{number}/",
            "display": f"{ipaddress.ip_address('10.0.0.4') + number}/8",
            "family": {"value": 4, "label": "IPv4"},
            "address": f"{ipaddress.ip_address('10.0.0.4') + number}/8",
        }
        return device

    def _end(self, number: int) -> dict[str, Any]:
        """Side A of a circuit, and then side Z, each at a site and without a cable."""
        site = self._brief_site(number % 3)
        return {
            **self._termination,
            "id": number,
            "circuit": {**self._termination["circuit"], "id": (number + 1) // 2},
            "term_side": "A" if number % 2 else "Z",
            "termination_type": "dcim.site",
            "termination_id": site["id"],
            "termination": site,
            "link_peers": [],
            "link_peers_type": None,
        }

    def _brief_site(self, number: int) -> dict[str, Any]:
        names = ("id", "url", "display", "name", "slug")
        return {name: self.sites[number][name] for name in names}

    def key(self, request: Request) -> Any:
        return request.path, request.query

    def answer(self, request: Request) -> Answer:
        listing = request.path[len("/api/") : -1]
        given = {name: values[0] for name, values in parse_qs(request.query).items()}
        count = self.counts.get(listing, 0)
        limit = min(int(given.get("limit", 50)) or PAGE, PAGE)
        first = int(given.get("id__gt", 0)) + int(given.get("offset", 0)) + 1
        numbers = range(first, min(first + limit, count + 1))
        records = [copy.copy(self._record(listing, number)) for number in numbers]
        if given.get("exclude") == "config_context":
            records = [{n: v for n, v in each.items() if n != "config_context"} for each in records]
        if "fields" in given:
            names = given["fields"].split(",")
            records = [{name: each[name] for name in names if name in each} for each in records]
        following = None
        if first + limit <= count:
            query = {**given, "offset": first + limit - 1 - int(given.get("id__gt", 0))}
            following = f"{self.url}{request.path}?{urlencode(query)}"
        body = {
            "count": max(count - int(given.get("id__gt", 0)), 0),
            "next": following,
            "previous": None,
            "results": records,
        }
        return _json(body, 200, ("API-Version", self.version))

    def connection(self) -> dict[str, Any]:
        return {"url": self.url, "token": self.token}

    def ids(self) -> list[str]:
        return [str(number) for number in range(1, self.size + 1)]

    def requests(self) -> int:
        return self.server.requests

    def seen(self) -> list[Any]:
        return self.server.seen()

    def stop(self) -> None:
        self.server.stop()


# --- Juju ---------------------------------------------------------------------------------------


class Juju:
    """A controller with so many models, each with so many units of one application."""

    def __init__(self, models: int, units: int):
        from tests.fakes import juju as fake

        class Model(fake.Model):
            kept: Optional[dict[str, Any]] = None

            def status(self, flavour: str, version: str) -> dict[str, Any]:
                self.kept = self.kept or super().status(flavour, version)
                return self.kept

        self.units = units
        self.models = [Model(f"ns-{n:03d}", contents=fake.of_size(units)) for n in range(models)]
        self.controller = fake.Controller("3.6", self.models)

    def connection(self) -> dict[str, Any]:
        return {"credentials": self.controller.credentials()}

    def ids(self) -> list[str]:
        return [f"{model.name}:vnf/{n}" for model in self.models for n in range(self.units)]

    def requests(self) -> int:
        return sum(self.controller.calls.values())

    def seen(self) -> list[Any]:
        return []  # they are messages

    def stop(self) -> None:
        self.controller.stop()


StandIn = Union[EC2, OpenStack, NetBox, Juju]
KINDS: dict[str, Callable[..., StandIn]] = {
    "ec2": EC2,
    "elb": LoadBalancers,
    "openstack": OpenStack,
    "netbox": NetBox,
    "juju": Juju,
}


def main(kind: str, arguments: str) -> None:
    stand_in = KINDS[kind](**json.loads(arguments))
    ids = stand_in.ids()
    about = {"count": len(ids), "digest": digest(ids)}
    with tempfile.TemporaryDirectory() as folder:
        connection = stand_in.connection()
        if "ca" in connection:
            connection["ca"] = str(Path(folder, "ca.pem"))
            Path(connection["ca"]).write_text(stand_in.connection()["ca"], encoding="utf-8")
        print(json.dumps({**about, "connection": connection}), flush=True)
        before = 0
        for line in sys.stdin:
            if line.strip() == "requests":
                print(json.dumps(stand_in.seen()), flush=True)
                continue
            now = stand_in.requests()
            print(now - before, flush=True)
            before = now
    stand_in.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
