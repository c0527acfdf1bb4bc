"""Responses that are read by plan (shared/providers/aws/plans.py): exactly what botocore's own parsers give.

Compared with the installed botocore, the order of the keys included: on all recorded responses, on records made
from the service models with each member missing, repeated, empty and moved, and on random elements.
"""

import re
from urllib.parse import parse_qs

import botocore.parsers
import botocore.session
import pytest
import yaml
from botocore.model import ServiceModel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flexlocal import manifest
from flexlocal.__main__ import families
from flexlocal.accounts import ROOT
from shared.engine.errors import UnexpectedResponse
from shared.engine.poll import load_cell
from shared.providers import aws
from shared.providers.aws import plans, responses

RECORDED = sorted((ROOT / "cassettes").rglob("aws*.yaml"))
_SESSION = botocore.session.Session()


def _services():
    """The services of the manifest whose responses are read by plan, by the version of their API."""
    known = manifest.load()
    names = {*known.providers["aws"].botocore_data}
    names.update(name for module in known.modules.values() for name in module.botocore_data)
    models = {name: _SESSION.get_service_model(name) for name in sorted(names)}
    return {
        model.api_version: model
        for model in models.values()
        if model.metadata["protocol"] in plans.PARSERS and "json" not in model.metadata["protocols"]
    }


SERVICES = _services()
OF_NAME = {model.service_name: model for model in SERVICES.values()}


def _operations():
    """(service, operation) of all calls that a cell declares, and of the login."""
    found = {("ec2", "DescribeRegions"), ("sts", "AssumeRole"), ("sts", "GetCallerIdentity")}
    for cells in families().values():
        if "aws" in cells:
            for needed in load_cell(cells["aws"]).permissions_by_handler.values():
                found.update(tuple(action.split(":")) for action in needed)
    of_iam = {"elasticloadbalancing": ("elb", "elbv2")}
    return sorted(
        (service, operation)
        for iam, operation in found
        for service in of_iam.get(iam, (iam,))
        if service in OF_NAME and operation in OF_NAME[service].operation_names
    )


OPERATIONS = _operations()


def test_the_operations_are_found():
    assert {service for service, _ in OPERATIONS} == {"ec2", "elb", "elbv2", "sts"} == {*OF_NAME}
    assert ("ec2", "DescribeInstances") in OPERATIONS
    assert ("elbv2", "DescribeTargetHealth") in OPERATIONS
    assert len(OPERATIONS) > 20


# --- comparing ------------------------------------------------------------------------------------


def parsers(protocol):
    """Ours and botocore's, with the same reader of times."""
    factories = responses.Parsers(), botocore.parsers.ResponseParserFactory()
    for factory in factories:
        factory.set_parser_defaults(timestamp_parser=responses.timestamp)
    return [factory.create_parser(protocol) for factory in factories]


def outcome(parse, body, shape):
    """The result or the error, as text; without the addresses of elements, which botocore gives for repeated texts."""
    try:
        result = repr(parse({"body": body, "headers": {}, "status_code": 200}, shape))
        return re.sub(" at 0x[0-9a-f]+", "", result)
    except Exception as error:  # compared, too
        return type(error), re.sub(" at 0x[0-9a-f]+", "", str(error))


def assert_same(both, body, shape):
    """By plan and by botocore: the same, or the same error."""
    ours, theirs = both
    text = outcome(theirs.parse, body, shape)
    assert outcome(ours._parser.parse, body, shape) == text, body
    assert outcome(ours._parser.parse, body, shape) == text, f"with the plan that was kept: {body}"
    if isinstance(text, str):
        assert outcome(ours.parse, body, shape) == text
    elif text[0] is not botocore.parsers.ResponseParserError:
        assert outcome(ours.parse, body, shape)[0] is UnexpectedResponse
    return text


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_recorded_responses(file):
    both = {protocol: parsers(protocol) for protocol in plans.PARSERS}
    compared = 0
    for recorded in yaml.load(file.read_bytes(), yaml.CSafeLoader)["interactions"]:
        form = parse_qs(str(recorded["request"]["body"]))
        response = recorded["response"]
        if response["status"]["code"] != 200 or "Action" not in form:
            continue  # refusals are not parsed; other protocols have no Action
        if form["Version"][0] not in SERVICES:
            continue
        model = SERVICES[form["Version"][0]]
        shape = model.operation_model(form["Action"][0]).output_shape
        content = response["body"]["string"]
        body = content if isinstance(content, bytes) else content.encode()
        text = assert_same(both[model.protocol], body, shape)
        assert isinstance(text, str)
        compared += 1
    assert compared


# --- from the service models ------------------------------------------------------------------------


def element(shape, name, inside):
    serialization = shape.serialization
    if shape.type_name == "list" and serialization.get("flattened"):
        own = shape.member.serialization.get("name", name)
        return "".join(f"<{own}>{content}</{own}>" for content in inside)
    return f"<{name}>{''.join(inside)}</{name}>"


SCALARS = {
    "boolean": "true",
    "integer": "-7",
    "long": "8589934592",
    "float": "0.5",
    "double": "1e3",
    "timestamp": "2026-01-02T03:04:05.000Z",
    "blob": "Zm9v",
}


def contents(shape, depth, service):
    """The contents of the element or elements of a shape, with all members, in the model's order."""
    kind = shape.type_name
    if kind == "structure":
        return ["".join(members(shape, depth, service).values())]
    if kind == "list":
        each = "".join(contents(shape.member, depth - 1, service)) if depth > 0 else ""
        if shape.serialization.get("flattened"):
            return [each, each]
        item = shape.member.serialization.get("name", "item" if service == "ec2" else "member")
        return [f"<{item}>{each}</{item}>" * 2]
    if kind == "map":
        key = shape.key.serialization.get("name", "key")
        value = shape.value.serialization.get("name", "value")
        return [f"<entry><{key}>a</{key}><{value}>b</{value}></entry>"]
    return [SCALARS.get(kind, f"{shape.name} &lt;é")]


def members(shape, depth, service):
    """The elements of a structure's members, by name."""
    if depth <= 0:
        return {}
    return {
        name: element(
            member, member.serialization.get("name", name), contents(member, depth - 1, service)
        )
        for name, member in shape.members.items()
    }


def structures(shape, known):
    """All structures within a shape, once each."""
    if shape.type_name == "list":
        structures(shape.member, known)
    elif shape.type_name == "map":
        structures(shape.value, known)
    elif shape.type_name == "structure" and shape.name not in known:
        known[shape.name] = shape
        for member in shape.members.values():
            structures(member, known)
    return known


def variants(parts):
    """All of the elements, none, turned round, and each of them missing, twice, apart, empty and unlike its type."""
    whole = [*parts.values()]
    yield whole
    yield []
    yield whole[::-1]
    for number, part in enumerate(whole):
        before, after = whole[:number], whole[number + 1 :]
        tag = re.match(r"<([\w.-]+)>", part)[1]
        yield before + after
        yield [*before, part, part, *after]
        yield [part, *before, *after, part]
        yield [*before, f"<{tag}/>", *after]
        yield [*before, f'<{tag} a="b">x</{tag}>', *after]
        yield [*before, "<unknown>x</unknown>", "<unknown/>", part, *after]


def document(operation, parts, wrapper=None, namespace=""):
    inside = "".join(parts)
    if wrapper:
        inside = f"<{wrapper}>{inside}</{wrapper}>"
    inside += (
        "<requestId>r</requestId><ResponseMetadata><RequestId>q</RequestId></ResponseMetadata>"
    )
    return f"<{operation}Response{namespace}>{inside}</{operation}Response>".encode()


NAMESPACES = ("", ' xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"', ' xmlns="{x"')


@pytest.mark.parametrize("service", sorted(OF_NAME))
def test_records_from_the_service_model(service):
    model = OF_NAME[service]
    both = parsers(model.protocol)
    known = {}
    for operation in [name for of, name in OPERATIONS if of == service]:
        shape = model.operation_model(operation).output_shape
        wrapper = shape.serialization.get("resultWrapper")
        for namespace in NAMESPACES:
            whole = members(shape, 8, service).values()
            text = assert_same(both, document(operation, whole, wrapper, namespace), shape)
            assert isinstance(text, str)
            assert text.count(":") > len(shape.members)
        for parts in variants(members(shape, 2, service)):
            assert_same(both, document(operation, parts, wrapper), shape)
        structures(shape, known)
    for shape in known.values():
        if not shape.serialization.get("resultWrapper"):
            for parts in variants(members(shape, 3, service)):
                assert_same(both, document("Any", parts), shape)


# --- random elements, and shapes that plans leave to botocore ---------------------------------------

ODD = ServiceModel(
    {
        "metadata": {"protocol": "query"},
        "shapes": {
            "Odd": {
                "type": "structure",
                "members": {
                    "B": {"shape": "Text"},
                    "A": {"shape": "Text", "locationName": "a"},
                    "Number": {"shape": "Number"},
                    "Part": {"shape": "Double"},
                    "Flag": {"shape": "Flag"},
                    "Time": {"shape": "Time"},
                    "Blob": {"shape": "Blob"},
                    "Again": {"shape": "Odd"},
                    "List": {"shape": "List"},
                    "Flat": {"shape": "Flat"},
                    "Named": {"shape": "Named"},
                    "Map": {"shape": "Map"},
                    "FlatMap": {"shape": "FlatMap"},
                    "Union": {"shape": "Union"},
                    "Attributed": {"shape": "Attributed"},
                    "Located": {"shape": "Located"},
                    "Error": {"shape": "Fault"},
                },
            },
            "Text": {"type": "string"},
            "Number": {"type": "integer"},
            "Double": {"type": "double"},
            "Flag": {"type": "boolean"},
            "Time": {"type": "timestamp"},
            "Blob": {"type": "blob"},
            "List": {"type": "list", "member": {"shape": "Odd"}},
            "Flat": {"type": "list", "flattened": True, "member": {"shape": "Odd"}},
            "Named": {
                "type": "list",
                "flattened": True,
                "member": {"shape": "Text", "locationName": "item"},
            },
            "Map": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Odd"}},
            "FlatMap": {
                "type": "map",
                "flattened": True,
                "key": {"shape": "Text", "locationName": "a"},
                "value": {"shape": "Text", "locationName": "B"},
            },
            "Union": {
                "type": "structure",
                "union": True,
                "members": {"A": {"shape": "Text"}, "B": {"shape": "Number"}},
            },
            "Attributed": {
                "type": "structure",
                "members": {
                    "A": {"shape": "Text", "locationName": "x:a", "xmlAttribute": True},
                    "B": {"shape": "Text"},
                },
            },
            "Located": {
                "type": "structure",
                "members": {
                    "A": {"shape": "Text", "location": "header", "locationName": "a"},
                    "B": {"shape": "Text"},
                },
            },
            "Fault": {"type": "structure", "exception": True, "members": {"B": {"shape": "Text"}}},
        },
    },
    "odd",
)
# As in test_interval.py: how fast the machine is says nothing about the parsers.
ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def documents(names):
    texts = st.sampled_from(
        ["", "x", "é", "true", "1", "-3", "1.5", "nan", "2026-01-02T03:04:05Z", "Zm9v", "0"]
    )
    attributes = st.sampled_from(["", "", ' a="1"', ' xmlns="y"', ' xmlns:x="z" x:a="2"'])
    tags = st.sampled_from(names)

    def put(tag, attribute, inside):
        return f"<{tag}{attribute}>{''.join(inside)}</{tag}>"

    return st.recursive(
        st.builds(put, tags, attributes, texts),
        lambda deeper: st.builds(put, tags, attributes, st.lists(deeper, max_size=5)),
        max_leaves=25,
    )


@settings(ANY_SPEED, max_examples=200)
@given(st.lists(documents([*ODD.shape_for("Odd").members, "a", "item", "member", "key", "value"])))
def test_random_elements_for_shapes_of_all_kinds(parts):
    body = document("Odd", parts)
    for protocol in plans.PARSERS:
        assert_same(parsers(protocol), body, ODD.shape_for("Odd"))


def _names_within(operation):
    shape = OF_NAME["ec2"].operation_model(operation).output_shape
    inside = structures(shape, {}).values()
    names = {m.serialization.get("name", n) for each in inside for n, m in each.members.items()}
    return shape, sorted(names)[:40] + ["item", "reservationSet", "instancesSet"]


INSTANCES, NAMES = _names_within("DescribeInstances")
_BOTH = parsers("ec2")  # one for all examples: plans that were kept must fit the next response


@settings(ANY_SPEED, max_examples=200)
@given(st.lists(documents(NAMES), max_size=8), st.booleans())
def test_random_elements_for_instances(parts, nested):
    if nested:
        inside = f"<item><instancesSet><item>{''.join(parts)}</item></instancesSet></item>"
        parts = [f"<reservationSet>{inside}</reservationSet>"]
    assert_same(_BOTH, document("DescribeInstances", parts), INSTANCES)


# --- bounds -----------------------------------------------------------------------------------------


def kept(parser):
    """How many plans a parser keeps, and the characters of their elements' names."""
    cells = [
        cell.cell_contents
        for reader in parser._parser._readers.values()
        for cell in getattr(reader, "__closure__", None) or ()
    ]
    tags = [tags for each in cells if isinstance(each, dict) for tags in each]
    return len(tags), sum(len(tag) for names in tags for tag in names)


def test_what_is_kept_for_plans_is_bounded():
    shape = INSTANCES.members["Reservations"].member
    both = parsers("ec2")
    for number in range(3 * plans.PLANS_A_SHAPE):
        assert_same(both, document("Any", [f"<ownerId>{number}</ownerId><n{number}/>"]), shape)
    assert kept(both[0])[0] == plans.PLANS_A_SHAPE

    both = parsers("ec2")
    for number in range(8):  # few, but with long names
        long = f"n{number}" * (plans.ROOM // 10)
        body = document("Any", [f"<ownerId>{number}</ownerId><{long}/>"])
        assert_same(both, body, shape)
    assert 0 < kept(both[0])[1] <= plans.ROOM
    assert kept(both[0])[0] < 8


def test_one_plan_serves_all_records_with_the_same_elements():
    shape = INSTANCES.members["Reservations"].member
    both = parsers("ec2")
    for number in range(5):
        body = document("Any", [f"<ownerId>{number}</ownerId>"])
        found = both[0].parse({"body": body, "headers": {}, "status_code": 200}, shape)
        assert found["OwnerId"] == str(number)
    assert kept(both[0])[0] == 1


def test_sessions_read_by_plan():
    """The factory of a session gives these parsers, and botocore's own are as they were."""
    for protocol, planned in plans.PARSERS.items():
        assert isinstance(parsers(protocol)[0]._parser, planned)
        assert botocore.parsers.PROTOCOL_PARSERS[protocol] is planned.__mro__[2]
    assert aws.session.Parsers is responses.Parsers
