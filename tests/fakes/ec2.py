"""A simulator of EC2 and STS on loopback, as far as the cells ask.

It is no AWS. It holds records as botocore parses them, by region and operation, and answers in the
query protocol with XML rendered from botocore's own service model, so names and types are AWS's; page
limits are the model's too (a MaxResults above its maximum is refused as EC2 does). Requests are
checked as AWS checks them: access key, signature (SigV4), session token. Error codes are those that
AWS documents. What it does not have: rights, quotas, eventual consistency, and filters other than
those of one value list. tests/test_aws_moto.py reads the same records from it and from moto.
"""

import base64
import datetime
import re
import socket
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY, SECRET = "AKIAINVENTEDEXAMPLE1", "invented-secret-canary/+1"
ACCOUNT = "210987654321"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/inventory"
EXTERNAL_ID = "external-id-canary"
ROLE_KEY, ROLE_SECRET, ROLE_TOKEN = "ASIAINVENTEDEXAMPLE2", "invented-role-secret", "role-token"
PAGE = 1000  # where a listing is asked for without MaxResults
FILTERED = {"instance-type": "InstanceType", "image-id": "ImageId"}
_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")
_SIGNED = re.compile(r"SignedHeaders=([^,]+), *Signature=(\w+)")
_MODELS = {name: botocore.session.Session().get_service_model(name) for name in ("ec2", "sts")}


class Refusal(Exception):
    """An error answer: status, code, message and headers."""

    def __init__(self, status, code, message="as the test says", **headers):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


DENY = Refusal(403, "UnauthorizedOperation", "Encoded authorization failure message: abcdef")
THROTTLE = Refusal(503, "RequestLimitExceeded", "Request limit exceeded.")
BROKEN = Refusal(500, "InternalError", "An internal error has occurred")
HTML = "html"  # a proxy's page, well-formed, with status 200
CUT = "cut"  # half the body, then the connection closes
DROP = "drop"  # the connection closes without an answer
STALL = "stall"  # no answer until the cloud stops
LOOP = "loop"  # the same NextToken for ever
CIRCLE = "circle"  # two NextTokens in turn, for ever
SHORT = "short"  # half the body, and a Content-Length that fits it
GARBLED = "garbled"  # an answer that begins and ends well and is no XML


class Cloud:
    """The account: ``records[region][operation]`` and the requests that were made.

    Use it as a context manager; ``url`` is what to give as ``endpoint_url``.
    """

    def __init__(self, records):
        self.records = records
        self.calls = Counter()  # (region, operation) -> requests
        self.users = {}  # operation -> the access keys that it was asked with
        self.stale_tokens = 0  # how many page tokens are refused as expired
        self.faults = {}  # (region, operation) -> [fault, how many times (None: always)]
        self.accounts = {KEY: (SECRET, None)}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.cloud = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def fail(self, region, operation, fault, times=None):
        """Let the next requests of the operation in the region (None: any) end like this."""
        self.faults[region, operation] = [fault, times]

    def fault_of(self, region, operation, key):
        with self._lock:
            self.users.setdefault(operation, set()).add(key)
            self.calls[region, operation] += 1
            for place in ((region, operation), (region, None), (None, operation), (None, None)):
                fault = self.faults.get(place)
                if fault and fault[1] != 0:
                    if fault[1] is not None:
                        fault[1] -= 1
                    return fault[0]
        return None

    def wait_until_stopped(self):
        self._stopped.wait(60)

    def answer(self, service, region, operation, asked, fault):
        if service == "sts":
            return getattr(self, operation)(asked)
        if operation == "DescribeRegions":
            return {"Regions": [{"RegionName": each} for each in self.records]}
        return self._listing(region, operation, asked, fault)

    def AssumeRole(self, asked):
        if asked.get("RoleArn") != ROLE or asked.get("ExternalId") != EXTERNAL_ID:
            raise Refusal(403, "AccessDenied", "not authorized to perform: sts:AssumeRole")
        self.accounts[ROLE_KEY] = (ROLE_SECRET, ROLE_TOKEN)
        expires = datetime.datetime(2100, 1, 1, tzinfo=datetime.timezone.utc)
        given = {"AccessKeyId": ROLE_KEY, "SecretAccessKey": ROLE_SECRET}
        return {"Credentials": {**given, "SessionToken": ROLE_TOKEN, "Expiration": expires}}

    def GetCallerIdentity(self, asked):
        return {"Account": ACCOUNT, "UserId": "U", "Arn": f"arn:aws:iam::{ACCOUNT}:user/poller"}

    def _listing(self, region, operation, asked, fault):
        model = _MODELS["ec2"].operation_model(operation)
        size = int(asked.get("MaxResults", PAGE))
        limits = model.input_shape.members["MaxResults"].metadata
        if not limits.get("min", 1) <= size <= limits.get("max", PAGE):
            raise Refusal(400, "InvalidParameterValue", f"MaxResults {size} is out of range")
        found = _filtered(self.records[region].get(operation, []), asked)
        token = asked.get("NextToken", "0")
        with self._lock:
            stale = token != "0" and self.stale_tokens > 0
            self.stale_tokens -= stale
        if stale or not token.isdigit():
            raise Refusal(400, "InvalidPaginationToken", "the token has expired")
        start = int(token)
        lists = [n for n, s in model.output_shape.members.items() if s.type_name == "list"]
        page = {lists[0]: found[start : start + size]}
        if fault == LOOP:
            return {**page, "NextToken": "0"}
        if fault == CIRCLE:
            return {**page, "NextToken": "1" if token == "0" else "0"}
        if start + size < len(found):
            page["NextToken"] = str(start + size)
        return page


def _filtered(records, asked):
    number = 1
    while f"Filter.{number}.Name" in asked:
        name = FILTERED[asked[f"Filter.{number}.Name"]]
        prefix = f"Filter.{number}.Value."
        values = {value for key, value in asked.items() if key.startswith(prefix)}
        if len(values) > 200:
            raise Refusal(400, "FilterLimitExceeded", "at most 200 values")
        records = [record for record in records if record[name] in values]
        number += 1
    return records


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        cloud = self.server.cloud
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = dict(parse_qsl(body.decode(), keep_blank_values=True))
        operation = asked["Action"]
        service = "ec2"
        try:
            found = _CREDENTIAL.search(self.headers.get("Authorization", ""))
            if not found:
                raise Refusal(400, "MissingAuthenticationToken")
            key, region, service = found.groups()
            fault = cloud.fault_of(region, operation, key)
            _check_signature(cloud, self, body, key, region, service)
            if isinstance(fault, Refusal):
                raise fault
            answer = cloud.answer(service, region, operation, asked, fault)
            self._send(200, _rendered(service, operation, answer), fault)
        except Refusal as refusal:
            text = _error(service, refusal)
            self._send(refusal.status, text, None, refusal.headers)

    def _send(self, status, text, fault, headers=None):
        if fault in (DROP, STALL):
            if fault == STALL:
                self.server.cloud.wait_until_stopped()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if fault == HTML:
            text = "<html><body><p>Please log in to the hotel</p></body></html>"
        if fault == SHORT:
            text = text[: len(text) // 2]
        if fault == GARBLED:
            text = text.replace("</", "<", 1)
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if fault == HTML else "text/xml")
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if fault == CUT:
            content = content[: len(content) // 2]
            self.close_connection = True
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def _check_signature(cloud, handler, body, key, region, service):
    """Signature Version 4, computed anew by botocore's own signer from what arrived."""
    secret, token = cloud.accounts.get(key, (None, None))
    wrong = Refusal(
        401,
        "AuthFailure" if service == "ec2" else "InvalidClientTokenId",
        "AWS was not able to validate the provided access credentials",
    )
    if secret is None or handler.headers.get("X-Amz-Security-Token") != token:
        raise wrong
    names, signature = _SIGNED.search(handler.headers["Authorization"]).groups()
    headers = {name: handler.headers[name] for name in names.split(";")}
    request = AWSRequest("POST", f"{cloud.url}/", headers, body)
    request.context["timestamp"] = handler.headers["X-Amz-Date"]
    signer = SigV4Auth(Credentials(key, secret, token), service, region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    if signer.signature(text, request) != signature:
        raise wrong


def _rendered(service, operation, answer):
    model = _MODELS[service].operation_model(operation)
    inside = _members(model.output_shape, answer, service)
    if service == "sts":
        inside = f"<{operation}Result>{inside}</{operation}Result>"
        inside += "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>"
    else:
        inside += "<requestId>r</requestId>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{operation}Response>{inside}</{operation}Response>'


def _members(shape, values, service):
    unknown = set(values) - set(shape.members)
    if unknown:
        raise AssertionError(f"{shape.name} has no {', '.join(sorted(unknown))}")
    return "".join(
        _element(member.serialization.get("name", name), member, values[name], service)
        for name, member in shape.members.items()
        if values.get(name) is not None
    )


def _element(name, shape, value, service):
    kind = shape.type_name
    if kind == "structure":
        text = _members(shape, value, service)
    elif kind == "list":
        item = shape.member.serialization.get("name", "item" if service == "ec2" else "member")
        text = "".join(_element(item, shape.member, each, service) for each in value)
    elif kind == "boolean":
        text = "true" if value else "false"
    elif kind == "timestamp":
        text = value.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    elif kind == "blob":
        text = base64.b64encode(value).decode()
    else:
        text = escape(str(value))
    return f"<{name}>{text}</{name}>"


def _error(service, refusal):
    error = f"<Code>{refusal.code}</Code><Message>{escape(refusal.message)}</Message>"
    if service == "sts":
        return f"<ErrorResponse><Error>{error}</Error><RequestId>r</RequestId></ErrorResponse>"
    return f"<Response><Errors><Error>{error}</Error></Errors><RequestID>r</RequestID></Response>"


# --- records ------------------------------------------------------------------------------------


def instance(number, region="us-east-1", **changed):
    """A running instance with two addresses and a root volume, as DescribeInstances shows it."""
    instance_id = f"i-{region}-{number:06d}"
    address = f"10.{number // 65536 % 256}.{number // 256 % 256}.{number % 256}"
    made = {
        "InstanceId": instance_id,
        "InstanceType": "m5.large",
        "ImageId": "ami-linux",
        "State": {"Code": 16, "Name": "running"},
        "LaunchTime": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc),
        "Placement": {"AvailabilityZone": f"{region}a", "Tenancy": "default"},
        "PrivateIpAddress": address,
        "SubnetId": f"subnet-{region}",
        "VpcId": f"vpc-{region}",
        "Architecture": "x86_64",
        "CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 2},
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/xvda",
                "Ebs": {"VolumeId": f"vol-{region}-{number:06d}", "Status": "attached"},
            }
        ],
        "NetworkInterfaces": [
            {
                "NetworkInterfaceId": f"eni-{number}",
                "SubnetId": f"subnet-{region}",
                "PrivateIpAddresses": [
                    {
                        "PrivateIpAddress": address,
                        "Primary": True,
                        "Association": {"PublicIp": f"203.0.113.{number % 256}"},
                    }
                ],
                "Ipv6Addresses": [{"Ipv6Address": f"2001:db8::{number:x}"}],
            }
        ],
        "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web"}],
        "Tags": [{"Key": "Name", "Value": f"wéb-{number}"}, {"Key": "env", "Value": "тест"}],
        "PlatformDetails": "Linux/UNIX",
    }
    return {**made, **changed}


def volume(number, region="us-east-1", **changed):
    made = {
        "VolumeId": f"vol-{region}-{number:06d}",
        "Size": 8,
        "Iops": 3000,
        "Throughput": 125,
        "VolumeType": "gp3",
        "State": "in-use",
        "Encrypted": True,
        "MultiAttachEnabled": False,
        "AvailabilityZone": f"{region}a",
        "SnapshotId": "snap-1",
        "CreateTime": datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.timezone.utc),
        "Attachments": [
            {
                "InstanceId": f"i-{region}-{number:06d}",
                "VolumeId": f"vol-{region}-{number:06d}",
                "Device": "/dev/xvda",
                "State": "attached",
            }
        ],
    }
    return {**made, **changed}


def subnet(region, number=0, **changed):
    made = {
        "SubnetId": f"subnet-{region}" + (f"-{number}" if number else ""),
        "VpcId": f"vpc-{region}",
        "CidrBlock": f"10.{number // 256}.{number % 256}.0/24",
        "AvailabilityZone": f"{region}a",
        "AvailableIpAddressCount": 250,
        "DefaultForAz": False,
        "State": "available",
        "OwnerId": ACCOUNT,
        "Tags": [{"Key": "Name", "Value": "front"}],
    }
    return {**made, **changed}


def vpc(region, number=0, **changed):
    made = {
        "VpcId": f"vpc-{region}" + (f"-{number}" if number else ""),
        "CidrBlock": "10.0.0.0/8",
        "IsDefault": False,
        "InstanceTenancy": "default",
        "State": "available",
        "OwnerId": ACCOUNT,
    }
    return {**made, **changed}


def route_table(region, number=0, **changed):
    made = {
        "RouteTableId": f"rtb-{region}-{number}",
        "VpcId": f"vpc-{region}" + (f"-{number}" if number else ""),
        "Associations": [{"Main": True, "RouteTableId": f"rtb-{region}-{number}"}],
        "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}],
    }
    return {**made, **changed}


def instance_type(name="m5.large", **changed):
    made = {
        "InstanceType": name,
        "BareMetal": name.endswith(".metal"),
        "VCpuInfo": {"DefaultVCpus": 2},
        "MemoryInfo": {"SizeInMiB": 8192},
        "ProcessorInfo": {"SustainedClockSpeedInGhz": 3.1, "SupportedArchitectures": ["x86_64"]},
    }
    return {**made, **changed}


def image(image_id="ami-linux", **changed):
    made = {
        "ImageId": image_id,
        "Name": "al2023",
        "Architecture": "x86_64",
        "PlatformDetails": "Linux/UNIX",
    }
    return {**made, **changed}


def records(region, instances=3, per_reservation=1):
    """A region with as many instances, each with its volume, in one subnet of one VPC."""
    made = [instance(number, region) for number in range(instances)]
    return {
        "DescribeInstances": [
            {"ReservationId": f"r-{start}", "Instances": made[start : start + per_reservation]}
            for start in range(0, instances, per_reservation)
        ],
        "DescribeVolumes": [volume(number, region) for number in range(instances)],
        "DescribeSubnets": [subnet(region)],
        "DescribeVpcs": [vpc(region)],
        "DescribeRouteTables": [route_table(region)],
        "DescribeInstanceTypes": [instance_type()],
        "DescribeImages": [image()],
    }
