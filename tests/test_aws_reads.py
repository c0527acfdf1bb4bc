"""Cells that name the members that they read get the same resources from whole records and from those members alone.

The records have every member that the service's model gives them, and no value twice. Each member that is named is
left out once, which must show: so a cell that begins to read another one, without naming it, fails here.
"""

import functools
import itertools
import re
import types
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

import botocore.client
import botocore.session
import pytest

from modules.servers import aws as servers
from modules.servers.aws import instances
from shared.engine.contracts import Window
from shared.engine.errors import UnexpectedResponse
from shared.engine.resources import serialized
from shared.providers import aws
from shared.providers.aws import plans, responses
from tests.fakes import ec2
from tests.fakes.poll import a_poll
from tests.test_aws_plans import structures

REGION = "us-east-1"
MODEL = botocore.session.Session().get_service_model("ec2")
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
# Where any text would do, the cells would do less with the record.
WORDS = {
    "DeviceIndex": "0",
    "DeviceName": "/dev/sda1",
    "Monitoring": {"State": "enabled"},
    "Platform": "windows",
    "RootDeviceName": "/dev/sda1",
    "State": {"Name": "running"},
}


def filled(shape, numbers, step, name="", words=WORDS, above=()):
    """The content of an element of the shape; times go forward or backward by ``step`` seconds."""
    if shape.type_name == "structure":
        if shape.name in above:
            return ""
        inner = (*above, shape.name)
        return "".join(
            _element(m, n, numbers, step, words, inner) for n, m in shape.members.items()
        )
    if shape.type_name == "list":
        item = shape.member.serialization.get("name", "item")
        contents = [filled(shape.member, numbers, step, name, words, above) for _ in range(2)]
        return "".join(f"<{item}>{content}</{item}>" for content in contents)
    number = next(numbers)
    if isinstance(words.get(name), str):
        return words[name]
    if shape.type_name == "timestamp":
        return (START + timedelta(seconds=step * number)).isoformat()
    return {"string": f"{name}-{number}", "boolean": "true"}.get(shape.type_name, str(number))


def _element(member, name, numbers, step, words, above):
    tag = member.serialization.get("name", name)
    within = words.get(name) if isinstance(words.get(name), dict) else words
    return f"<{tag}>{filled(member, numbers, step, name, within, above)}</{tag}>"


def listing(operation, *records):
    output = MODEL.operation_model(operation).output_shape
    (tag,) = (m.serialization["name"] for n, m in output.members.items() if m.type_name == "list")
    items = "".join(f"<item>{record}</item>" for record in records)
    inside = f"<{tag}>{items}</{tag}><requestId>r</requestId>"
    return f"<{operation}Response>{inside}</{operation}Response>".encode()


def account(step, words=WORDS):
    """The responses by operation: one reservation with two instances, their subnets and volumes."""
    numbers = itertools.count(1)
    reservation = filled(MODEL.shape_for("Reservation"), numbers, step, words=words)
    volume = filled(MODEL.shape_for("Volume"), numbers, step)
    subnet = filled(MODEL.shape_for("Subnet"), numbers, step)
    found = {
        tag: re.findall(f"<{tag}>(.*?)</{tag}>", reservation) for tag in ("volumeId", "subnetId")
    }

    def each(tag, content):
        """The record, once for each id that the instances name."""
        return [re.sub(f"(<{tag}>).*?(</{tag}>)", rf"\g<1>{n}\2", content) for n in found[tag]]

    answers = {
        "DescribeInstances": listing("DescribeInstances", reservation),
        "DescribeVolumes": listing("DescribeVolumes", *each("volumeId", volume)),
        "DescribeSubnets": listing("DescribeSubnets", *each("subnetId", subnet)),
    }
    for operation in ("DescribeInstanceTypes", "DescribeImages"):
        answers[operation] = listing(operation)
    return answers


# The oldest of an instance's times is one of the first, of the last, and that of its interface's attachment.
OLD = {"Attachment": {"AttachTime": "2000-01-01T00:00:00Z", "DeviceIndex": "0"}}
ACCOUNTS = [account(1), account(-1), account(1, {**WORDS, **OLD})]


@functools.cache
def a_scope():
    given = {
        "aws_access_key_id": ec2.KEY,
        "aws_secret_access_key": ec2.SECRET,
        "endpoint_url": "http://127.0.0.1:9",  # where nobody is asked
    }
    log = types.SimpleNamespace(info=lambda *_, **__: None)
    session = aws.Session(aws.credentials(given, False), a_poll("servers", log=log))
    session.regions = [REGION]
    return aws.Scope(REGION, session)


def resources(scope):
    pages = [(page.records, page.lookups) for page in instances.fetch(scope)]
    return [
        serialized(instances.convert(record, scope, lookups), "now")
        for records, lookups in pages
        for record in records
    ]


def queries(scope):
    return list(servers._queries(scope, Window(None)))


HANDLERS = {
    "get": (resources, "DescribeInstances", instances.READS),
    "get, its volumes": (resources, "DescribeVolumes", instances.READS_OF_VOLUMES),
    "get_metrics": (queries, "DescribeInstances", servers.READS_OF_MONITORING),
}


@pytest.fixture
def polled(monkeypatch):
    """What a handler gives of an account, with these reads of an operation instead of its own."""

    def poll(handler, answers, changed):
        factory = responses.Parsers()
        factory.set_parser_defaults(timestamp_parser=responses.timestamp)
        used = []

        def call(client, operation, params):
            reads = plans.now_reading()
            if reads:
                used.append((operation, reads))
            with plans.reading(changed.get(operation, reads)):
                parser = factory.create_parser("ec2")
            shape = MODEL.operation_model(operation).output_shape
            return parser.parse(
                {"body": answers[operation], "headers": {}, "status_code": 200}, shape
            )

        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
        return handler(a_scope()), used

    return poll


@pytest.mark.parametrize("name", HANDLERS)
def test_whole_records_give_the_same(polled, name):
    handler, operation, reads = HANDLERS[name]
    for answers in ACCOUNTS:
        pruned, used = polled(handler, answers, {})
        whole, _ = polled(handler, answers, dict.fromkeys(answers, plans.ALL))
        assert (operation, reads) in used
        assert pruned == whole
        assert len(whole) > 1


@pytest.mark.parametrize("name", HANDLERS)
def test_each_member_that_is_named_is_read(polled, name):
    handler, operation, reads = HANDLERS[name]
    usual = [polled(handler, answers, {})[0] for answers in ACCOUNTS]
    for structure, members in reads.items():
        for member in members:
            fewer = {**reads, structure: tuple(each for each in members if each != member)}
            try:
                shows = any(
                    polled(handler, answers, {operation: fewer})[0] != before
                    for answers, before in zip(ACCOUNTS, usual)
                )
            except UnexpectedResponse:
                continue  # a member that has to be there
            assert shows, f"{structure}.{member}"


def test_reads_are_of_records_and_never_of_responses():
    """A response's own structure holds the page token. ResponseMetadata is no member of any."""
    for _, operation, reads in HANDLERS.values():
        output = MODEL.operation_model(operation).output_shape
        known = structures(output, {})
        for structure, members in reads.items():
            assert structure != output.name
            assert {*members} <= {*known[structure].members}
            assert not {"NextToken", "Errors", "Unsuccessful"} & {*known[structure].members}


def test_all_reads_are_tested_here():
    root = Path(__file__).parent.parent / "modules"
    declared = {
        name
        for path in root.rglob("*.py")
        for name in re.findall(r"reads=(\w+)", path.read_text(encoding="utf-8"))
    }
    assert declared == {"READS", "READS_OF_VOLUMES", "READS_OF_MONITORING"}


PAGE = b"""<DescribeInstancesResponse><requestId>r</requestId><reservationSet><item>
<reservationId>r-1</reservationId><ownerId>1</ownerId><instancesSet><item><instanceId>i-1</instanceId>
<amiLaunchIndex>%s</amiLaunchIndex></item>%s</instancesSet></item></reservationSet><nextToken>more</nextToken>
</DescribeInstancesResponse>"""


def parsed(body, reads, factory=None):
    factory = factory or responses.Parsers()
    with plans.reading(reads):
        parser = factory.create_parser("ec2")
    assert plans.now_reading() is plans.ALL
    shape = MODEL.operation_model("DescribeInstances").output_shape
    return parser.parse({"body": body, "headers": {}, "status_code": 200}, shape)


def test_the_other_members_are_skipped_and_nothing_else():
    """Neither the page token nor the metadata; and whoever reads all of it gets all of it, of the same session."""
    factory = responses.Parsers()
    reads = {"Reservation": ("Instances",), "Instance": ("InstanceId",)}
    body = PAGE % (b"7", b"")
    for _ in range(2):
        page = parsed(body, reads, factory)
        assert page["Reservations"] == [{"Instances": [{"InstanceId": "i-1"}]}]
        assert page["NextToken"] == "more"
        assert page["ResponseMetadata"]["RequestId"] == "r"
        whole = parsed(body, plans.ALL, factory)
        assert whole["Reservations"][0]["OwnerId"] == "1"
        assert whole["Reservations"][0]["Instances"][0]["AmiLaunchIndex"] == 7
    assert parsed(PAGE % (b"no number", b""), reads) == parsed(body, reads)


def test_what_no_plan_can_read_is_read_whole():
    again = b"<item><instanceId>i-2</instanceId><instanceId>i-3</instanceId><ramdiskId>4</ramdiskId></item>"
    reads = {"Reservation": ("Instances",), "Instance": ("InstanceId",)}
    body = PAGE % (b"7", again)

    def of(page) -> Mapping:
        return page["Reservations"][0]["Instances"]

    assert of(parsed(body, reads))[1].keys() == of(parsed(body, plans.ALL))[1].keys()
    assert of(parsed(body, reads))[0] == {"InstanceId": "i-1"}
