"""AWS, handlers and all, against a simulator on loopback (tests/fakes/ec2.py): faults and calls."""

import importlib
import json
import types
from math import ceil

import pytest
from freezegun import freeze_time

from shared.engine.errors import (
    ConnectorError,
    IncompletePoll,
    InsufficientPermission,
    InvalidCredentials,
    InvalidEvent,
    OutOfTime,
    Throttled,
    UnexpectedResponse,
    Unreachable,
)
from shared.providers import aws
from shared.transport import http
from tests.fakes import ec2
from tests.fakes.context import Context
from tests.fakes.poll import a_poll

FAMILIES = ("servers", "networks", "volumes")
LISTING = {
    "servers": "DescribeInstances",
    "networks": "DescribeSubnets",
    "volumes": "DescribeVolumes",
}
REGIONS = ("eu-south-1", "eu-west-1", "us-east-1")
POISON = {
    "AWS_PROFILE": "no-such-profile",
    "AWS_DEFAULT_PROFILE": "no-such-profile",
    "AWS_ACCESS_KEY_ID": "AKIAOFTHEHOSTITSELF1",
    "AWS_SECRET_ACCESS_KEY": "host-secret",
    "AWS_SESSION_TOKEN": "host-token",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_EC2": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
    "AWS_DEFAULT_REGION": "xx-poison-1",
    "AWS_REGION": "xx-poison-1",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_RETRY_MODE": "poison",
    "AWS_MAX_ATTEMPTS": "poison",
}


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(http, "FIRST_DELAY_S", 0)


@pytest.fixture
def cloud():
    with ec2.Cloud({region: ec2.records(region) for region in REGIONS}) as made:
        yield made


def event(cloud, options=None, **credentials):
    given = {
        "aws_access_key_id": ec2.KEY,
        "aws_secret_access_key": ec2.SECRET,
        "endpoint_url": cloud.url,
        **credentials,
    }
    return {
        "account_id": "acc",
        "provider": "aws",
        "credentials": {name: value for name, value in given.items() if value is not None},
        "options": options or {},
    }


def poll(family, asked, context=None):
    return importlib.import_module(f"modules.{family}.main").get(asked, context or Context())


def failure(family, asked, kind, context=None):
    with pytest.raises(ConnectorError) as caught:
        poll(family, asked, context)
    assert type(caught.value) is kind, caught.value
    return str(caught.value)


def ids(resources):
    return [resource["id"] for resource in resources]


def summary(context):
    return next(line for line in context.lines if " polled " in f" {line} ")


# --- complete, with as few calls as stated ----------------------------------------------------------


def test_2300_instances_in_three_regions_come_complete_with_the_stated_calls():
    sizes = {"eu-west-1": 1200, "us-east-1": 1099, "eu-south-1": 1}
    records = {region: ec2.records(region, size) for region, size in sizes.items()}
    kinds = [f"t{n}.small" for n in range(150)]
    images = [f"ami-{n}" for n in range(250)]
    for number, group in enumerate(records["eu-west-1"]["DescribeInstances"][:1000]):
        group["Instances"][0]["InstanceType"] = kinds[number % 150]
        group["Instances"][0]["ImageId"] = images[number % 250]
    records["eu-west-1"]["DescribeInstanceTypes"] += [ec2.instance_type(name) for name in kinds]
    records["eu-west-1"]["DescribeImages"] += [ec2.image(name) for name in images]
    context = Context()
    with ec2.Cloud(records) as cloud:
        found = poll("servers", event(cloud), context)
    assert len(found) == 2300
    assert len(set(ids(found))) == 2300
    assert all(each["details"]["server"]["ram_b"] == 8 * 1024**3 for each in found)
    assert all(each["details"]["server"]["volumes_b"] == 8 * 1024**3 for each in found)
    for region, size in sizes.items():
        pages = ceil(size / 1000)
        assert cloud.calls[region, "DescribeInstances"] == pages
        assert cloud.calls[region, "DescribeVolumes"] == pages
        assert cloud.calls[region, "DescribeSubnets"] == 1
    asked = {(region, name): n for (region, name), n in cloud.calls.items()}
    # page 1 of eu-west-1 has 150 new types and 250 new AMIs, page 2 one of each (m5.large, ami-linux)
    assert asked["eu-west-1", "DescribeInstanceTypes"] == ceil(150 / 100) + 1
    assert asked["eu-west-1", "DescribeImages"] == ceil(250 / 200) + 1
    assert asked["us-east-1", "DescribeInstanceTypes"] == 1  # page 2 has no new one
    assert asked["us-east-1", "DescribeImages"] == 1
    assert asked["us-east-1", "DescribeRegions"] == 1
    assert f"calls={sum(asked.values())} retries=0" in summary(context)


def test_networks_of_more_than_one_page_come_complete_with_the_stated_calls():
    region = "eu-west-1"
    records = {
        "DescribeVpcs": [ec2.vpc(region, n) for n in range(1001)],
        "DescribeSubnets": [ec2.subnet(region, n) for n in range(2001)],
        "DescribeRouteTables": [ec2.route_table(region, n) for n in range(201)],
    }
    with ec2.Cloud({region: records}) as cloud:
        found = poll("networks", event(cloud))
    assert len(found) == len(set(ids(found))) == 3002
    assert cloud.calls == {
        ("us-east-1", "DescribeRegions"): 1,
        (region, "DescribeVpcs"): 2,
        (region, "DescribeSubnets"): 3,
        (region, "DescribeRouteTables"): 3,  # 100 a page is the API's limit
    }


def test_volumes_of_more_than_one_page_come_complete_with_the_stated_calls():
    region = "eu-west-1"
    records = {"DescribeVolumes": [ec2.volume(n, region) for n in range(2001)]}
    with ec2.Cloud({region: records}) as cloud:
        found = poll("volumes", event(cloud))
    assert len(found) == len(set(ids(found))) == 2001
    assert cloud.calls == {
        ("us-east-1", "DescribeRegions"): 1,
        (region, "DescribeVolumes"): 3,
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_empty_account_is_an_empty_list(family):
    with ec2.Cloud({"eu-west-1": {}}) as cloud:
        assert poll(family, event(cloud)) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_two_polls_give_the_same(family, cloud):
    with freeze_time("2026-03-04", tick=False, ignore=["botocore", "tests.fakes"]):
        first, second = (json.dumps(poll(family, event(cloud))) for _ in range(2))
    assert first == second
    assert len(json.loads(first)) >= 3


def test_what_one_family_connects_to_another_reports(cloud):
    found = {each["id"]: each for family in FAMILIES for each in poll(family, event(cloud))}
    joined = 0
    for resource in found.values():
        for kind, others in resource["connections"].items():
            for other in others:
                assert found[other["id"]]["type"] == kind
                joined += 1
    assert joined == 9 * 3 + 3 + 9  # instance to volume, subnet, VPC; subnet to VPC; volume back


# --- regions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "regions, polled",
    [
        (None, REGIONS),
        ([], REGIONS),
        ("eu-west-1", ["eu-west-1"]),
        ("eu-west-1, us-east-1", ["eu-west-1", "us-east-1"]),
        (["eu-*"], ["eu-south-1", "eu-west-1"]),
        (["eu-*", "!eu-south-1"], ["eu-west-1"]),
        (["!eu-*"], ["us-east-1"]),
        (["!ap-*"], REGIONS),
        (["us-east-1", "us-*"], ["us-east-1"]),
        (
            ["eu-*", "!eu-central-2"],
            ["eu-south-1", "eu-west-1"],
        ),  # AWS has it, this account has not
    ],
)
def test_regions_chosen(cloud, regions, polled):
    poll("volumes", event(cloud, regions=regions))
    asked = sorted(region for region, name in cloud.calls if name == "DescribeVolumes")
    assert asked == list(polled)


@pytest.mark.parametrize(
    "regions, named",
    [
        (["mars-1"], "'mars-1'"),
        ("ap-*", "'ap-*'"),
        (["eu-west-1", "eu-wset-1"], "'eu-wset-1'"),
        (["eu-west-1", "!eu-*"], "excludes every"),
        (["!eu-wset-1"], "'!eu-wset-1'"),
        (["eu-*", "!eu-sotuh-1"], "'!eu-sotuh-1'"),
        ("!ue-*", "'!ue-*'"),
        ("! ", "'!'"),
    ],
)
def test_regions_that_choose_nothing_are_refused(cloud, regions, named):
    said = failure("volumes", event(cloud, regions=regions), InvalidEvent)
    assert named in said
    assert "eu-south-1, eu-west-1, us-east-1" in said


@pytest.mark.parametrize("regions", [5, {"a": 1}, [1], ["a", None]])
def test_regions_of_another_type_are_refused_without_a_call(cloud, regions):
    assert "credentials.regions" in failure("volumes", event(cloud, regions=regions), InvalidEvent)
    assert not cloud.calls


def test_no_region_is_no_answer():
    with ec2.Cloud({}) as cloud:
        assert cloud.url in failure("volumes", event(cloud), UnexpectedResponse)


# --- credentials ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, key",
    [
        ({"aws_access_key_id": None}, "aws_access_key_id"),
        ({"aws_secret_access_key": None}, "aws_secret_access_key"),
        ({"aws_access_key_id": "  "}, "aws_access_key_id"),
        ({"aws_secret_access_key": 7}, "aws_secret_access_key"),
        ({"role_arn": "inventory"}, "role_arn"),
        ({"endpoint_url": "127.0.0.1:1"}, "endpoint_url"),
        ({"verify": "perhaps"}, "verify"),
        ({"cacert": "/no/such/file.pem"}, "cacert"),
    ],
)
def test_credentials_that_can_not_be_used_are_refused_without_a_call(cloud, given, key):
    said = failure("servers", event(cloud, **given), InvalidEvent)
    assert f"credentials.{key}" in said
    assert not cloud.calls


@pytest.mark.parametrize("ambient", [False, True])
def test_half_a_key_is_refused_also_where_ambient_ones_are_allowed(cloud, ambient):
    asked = event(cloud, aws_secret_access_key=None)
    context = Context(ambient_credentials=ambient)
    assert "aws_secret_access_key" in failure("volumes", asked, InvalidEvent, context)
    assert not cloud.calls


@pytest.mark.parametrize("credentials", [None, {}, {"regions": "eu-west-1"}])
def test_no_credentials_no_call(cloud, monkeypatch, poisoned, credentials):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ec2.KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ec2.SECRET)
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)
    failure("servers", {"provider": "aws", "credentials": credentials}, InvalidEvent)
    assert not cloud.calls


@pytest.fixture
def poisoned(monkeypatch, tmp_path):
    """A host with AWS settings of its own, each of which would lead astray or fail."""
    settings = tmp_path / "config"
    settings.write_text(
        "[default]\nregion = xx-poison-1\nendpoint_url = http://127.0.0.1:9\n"
        "retry_mode = poison\nuse_fips_endpoint = true\n"
    )
    for name, value in POISON.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(settings))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(settings))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_hosts_settings_do_not_count(cloud, poisoned, family):
    assert len(poll(family, event(cloud))) >= 6
    assert {key for key, _ in cloud.calls} == set(REGIONS)


@pytest.mark.usefixtures("poisoned")
def test_the_real_endpoint_is_asked_whatever_the_host_has_set():
    session = _session()
    assert session.client("ec2", "eu-west-1").meta.endpoint_url == (
        "https://ec2.eu-west-1.amazonaws.com"
    )
    assert session.client("sts", "us-east-1").meta.endpoint_url.startswith("https://sts.")


def _session(**credentials):
    given = {"aws_access_key_id": ec2.KEY, "aws_secret_access_key": ec2.SECRET, **credentials}
    deadline, log = aws_deadline(), types.SimpleNamespace()
    request = a_poll("volumes", deadline=deadline, log=log)
    return aws.Session(aws.credentials(given, False), request)


def aws_deadline():
    from shared.engine.deadline import Deadline

    return Deadline(60)


def test_ambient_credentials_where_the_operator_allows_them(cloud, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ec2.KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ec2.SECRET)
    asked = {"provider": "aws", "credentials": {"endpoint_url": cloud.url}}
    assert len(poll("volumes", asked, Context(ambient_credentials=True))) == 9


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "wrong",
    [
        {"aws_secret_access_key": "not-the-one"},
        {"aws_access_key_id": "AKIANOSUCHKEY0000000"},
        {"aws_session_token": "stale"},
    ],
)
def test_wrong_credentials(cloud, family, wrong):
    context = Context()
    said = failure(family, event(cloud, **wrong), InvalidCredentials, context)
    assert "AuthFailure" in said
    assert sum(cloud.calls.values()) == 1  # never tried again
    assert_no_secret(said, context, *wrong.values())


def assert_no_secret(said, context, *more):
    for secret in (ec2.KEY, ec2.SECRET, ec2.EXTERNAL_ID, ec2.ROLE_SECRET, ec2.ROLE_TOKEN, *more):
        assert secret not in said
        assert not [line for line in context.lines if secret in line]


def test_validate_credentials(cloud):
    validate = importlib.import_module("modules.servers.main").validate_credentials
    assert validate(event(cloud), Context()) == {"ok": True, "account": ec2.ACCOUNT}
    assert cloud.calls == {("us-east-1", "GetCallerIdentity"): 1}
    bad = validate(event(cloud, aws_secret_access_key="not-the-one"), Context())
    assert bad["ok"] is False
    assert bad["reason"].startswith("InvalidCredentials")
    cloud.fail(None, None, ec2.HTML)
    assert validate(event(cloud), Context())["reason"].startswith("UnexpectedResponse")


def test_the_account_number_is_asked_for_once_a_poll(cloud):
    session = _session(endpoint_url=cloud.url)
    assert [aws.account(session) for _ in range(3)] == [ec2.ACCOUNT] * 3
    assert cloud.calls == {("us-east-1", "GetCallerIdentity"): 1}


def test_role_with_external_id(cloud):
    context = Context()
    asked = event(cloud, role_arn=ec2.ROLE, external_id=ec2.EXTERNAL_ID)
    cloud.accounts[ec2.ROLE_KEY] = ("not yet", None)
    assert len(poll("volumes", asked, context)) == 9
    assert cloud.calls["us-east-1", "AssumeRole"] == 1
    assert cloud.users == {"AssumeRole": {ec2.KEY}, "DescribeRegions": {ec2.ROLE_KEY}} | {
        "DescribeVolumes": {ec2.ROLE_KEY}
    }
    assert_no_secret("", context)


def test_role_that_may_not_be_assumed(cloud):
    context = Context()
    asked = event(cloud, role_arn=ec2.ROLE, external_id="another-one")
    said = failure("volumes", asked, InsufficientPermission, context)
    assert "sts:AssumeRole" in said
    assert_no_secret(said, context, "another-one")


@pytest.mark.parametrize(
    "given, home, host",
    [
        ({}, "us-east-1", "ec2.us-east-1.amazonaws.com"),
        ({"regions": "eu-west-1"}, "us-east-1", "ec2.us-east-1.amazonaws.com"),
        ({"regions": ["cn-*"]}, "cn-north-1", "ec2.cn-north-1.amazonaws.com.cn"),
        (
            {"role_arn": "arn:aws-us-gov:iam::1:role/r"},
            "us-gov-west-1",
            "ec2.us-gov-west-1.amazonaws.com",
        ),
        (
            {"role_arn": "arn:aws-cn:iam::1:role/r"},
            "cn-north-1",
            "ec2.cn-north-1.amazonaws.com.cn",
        ),
    ],
)
def test_each_partition_has_its_home(given, home, host):
    session = _session(**given)
    assert session.home == home
    assert session.client("ec2", home).meta.endpoint_url == f"https://{host}"


@pytest.mark.parametrize(
    "given, said",
    [
        ({}, True),
        ({"regions": ["*", "!us-east-1"]}, True),  # says nothing of the partition
        ({"regions": "eu-*"}, False),
        ({"regions": "cn-*"}, False),
    ],
)
def test_a_key_that_aws_does_not_know_may_be_of_another_partition(cloud, given, said):
    """Keys of AWS China and GovCloud are unknown elsewhere."""
    asked = event(cloud, aws_access_key_id="AKIAOFCHINA000000000", **given)
    hint = "keys of AWS China or GovCloud (US) need 'regions' or 'role_arn'"
    message = failure("volumes", asked, InvalidCredentials, Context())
    assert (hint in message) is said
    module = importlib.import_module("modules.volumes.main")
    answer = module.validate_credentials(asked, Context())
    assert answer["ok"] is False
    assert (hint in answer["reason"]) is said


def test_verify_false_is_logged_at_each_poll(cloud):
    for _ in range(2):
        context = Context()
        poll("volumes", event(cloud, verify=False), context)
        assert [line for line in context.lines if "TLS not verified" in line]
    context = Context()
    poll("volumes", event(cloud), context)
    assert not [line for line in context.lines if "TLS" in line]


# --- faults: complete or failed ---------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_denied_action_is_named_with_its_region(cloud, family):
    cell = importlib.import_module(f"modules.{family}.aws").CELL
    for permission in {*cell.permissions} - {"ec2:DescribeRegions"}:  # which is of the login
        operation = permission.partition(":")[2]
        cloud.faults.clear()
        cloud.calls.clear()
        cloud.fail("eu-west-1", operation, ec2.DENY)
        said = failure(family, event(cloud), InsufficientPermission)
        assert permission in said
        assert said.startswith("eu-west-1: ")
        assert cloud.calls["eu-west-1", operation] == 1  # a permanent error is not tried again


def test_denied_regions_are_named(cloud):
    cloud.fail("us-east-1", "DescribeRegions", ec2.DENY)
    assert "ec2:DescribeRegions" in failure("volumes", event(cloud), InsufficientPermission)


@pytest.mark.parametrize("family", FAMILIES)
def test_least_permissions_cover_every_call(cloud, family):
    poll(family, event(cloud))
    cell = importlib.import_module(f"modules.{family}.aws").CELL
    policy = aws.least_permissions(cell.permissions)
    allowed = policy["Statement"][0]["Action"]
    assert allowed == sorted(set(allowed))
    assert {f"ec2:{operation}" for _, operation in cloud.calls} == set(allowed)


@pytest.mark.parametrize("fault", [ec2.DROP, ec2.BROKEN, ec2.CUT, ec2.SHORT])
def test_region_that_is_down_fails_the_poll_within_bounds(cloud, fault):
    cloud.fail("eu-west-1", "DescribeVolumes", fault)
    context = Context()
    assert failure("volumes", event(cloud), Unreachable, context).startswith("eu-west-1: ")
    assert cloud.calls["eu-west-1", "DescribeVolumes"] == http.ATTEMPTS


def test_nobody_answers(cloud):
    asked = event(cloud, endpoint_url="http://127.0.0.1:9")
    assert "127.0.0.1:9" in failure("servers", asked, Unreachable)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("fault", [ec2.THROTTLE, ec2.BROKEN, ec2.DROP, ec2.CUT, ec2.SHORT])
def test_three_faults_in_a_row_at_every_call_then_complete(family, fault):
    with ec2.Cloud({"eu-west-1": ec2.records("eu-west-1")}) as cloud:
        expected = ids(poll(family, event(cloud)))
        operations = list(cloud.calls)
        cloud.calls.clear()
        for region, operation in operations:
            cloud.fail(region, operation, fault, times=3)
        context = Context()
        assert ids(poll(family, event(cloud), context)) == expected
    assert set(cloud.calls.values()) == {4}
    assert f"calls={4 * len(operations)} retries={3 * len(operations)}" in summary(context)


def test_retry_after_is_kept_to(cloud, monkeypatch):
    waited = []

    def delay(attempt, deadline, retry_after=None):
        waited.append((attempt, retry_after))
        return 0

    monkeypatch.setattr(http, "delay_before_retry", delay)
    slow = ec2.Refusal(503, "RequestLimitExceeded", Retry_After="7")
    cloud.fail("eu-west-1", "DescribeVolumes", slow, times=2)
    assert len(poll("volumes", event(cloud))) == 9
    assert waited == [(1, 7.0), (2, 7.0)]


@pytest.mark.parametrize("code", ["Throttling", "ThrottlingException", "SlowDown", "Whatever"])
def test_endless_throttling_ends(cloud, code):
    cloud.fail("eu-west-1", "DescribeVolumes", ec2.Refusal(429, code))
    assert failure("volumes", event(cloud), Throttled).startswith("eu-west-1: ")
    assert cloud.calls["eu-west-1", "DescribeVolumes"] == http.ATTEMPTS


def test_no_try_is_started_that_the_deadline_leaves_no_room_for(cloud, monkeypatch):
    monkeypatch.setattr(http, "ROOM_FOR_A_CALL_S", 10_000)
    cloud.fail("eu-west-1", "DescribeVolumes", ec2.THROTTLE)
    failure("volumes", event(cloud), Throttled)
    assert cloud.calls["eu-west-1", "DescribeVolumes"] == 1


def test_a_region_that_hangs_is_left_at_the_deadline(cloud, run_out_at):
    cloud.fail("eu-west-1", "DescribeVolumes", ec2.STALL)
    run_out_at(4)  # login, two regions that answer, and then the one that hangs
    said = failure("volumes", event(cloud), OutOfTime)
    assert "unfinished: eu-west-1; finished: eu-south-1, us-east-1" in said


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("where", ["regions", "listing"])
def test_a_page_that_is_no_aws_answer_is_refused_also_where_it_is_well_formed(cloud, family, where):
    operation = "DescribeRegions" if where == "regions" else LISTING[family]
    cloud.fail(None, operation, ec2.HTML)
    said = failure(family, event(cloud), UnexpectedResponse)
    assert cloud.url in said
    assert "text/html" in said
    assert set(cloud.calls.values()) == {1}


def test_what_is_no_xml_is_refused(cloud):
    cloud.fail(None, "DescribeVolumes", ec2.GARBLED)
    said = failure("volumes", event(cloud), UnexpectedResponse)
    assert "eu-south-1, eu-west-1, us-east-1: " in said


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("fault", [ec2.LOOP, ec2.CIRCLE])
def test_a_listing_that_pages_in_a_loop_is_refused(cloud, family, fault):
    cloud.fail("eu-west-1", LISTING[family], fault)
    assert failure(family, event(cloud, {"deadline_s": 20}), UnexpectedResponse).startswith(
        "eu-west-1: "
    )
    assert cloud.calls["eu-west-1", LISTING[family]] <= 3


def test_a_page_token_that_is_refused_starts_the_listing_anew():
    records = {"DescribeVolumes": [ec2.volume(n, "eu-west-1") for n in range(2500)]}
    with ec2.Cloud({"eu-west-1": records}) as cloud:
        cloud.stale_tokens = 2
        context = Context()
        assert len(set(ids(poll("volumes", event(cloud), context)))) == 2500
        assert '"2000 listed twice"' in summary(context)
        cloud.stale_tokens = 100
        cloud.calls.clear()
        failure("volumes", event(cloud), UnexpectedResponse)
        assert cloud.calls["eu-west-1", "DescribeVolumes"] == 2 * (aws.RESTARTS + 1)


@pytest.mark.parametrize(
    "code, kind",
    [
        ("RequestExpired", InvalidCredentials),
        ("ExpiredToken", InvalidCredentials),
        ("UnrecognizedClientException", InvalidCredentials),
        ("SignatureDoesNotMatch", InvalidCredentials),
        ("AccessDenied", InsufficientPermission),
        ("AccessDeniedException", InsufficientPermission),
        ("InvalidParameterValue", UnexpectedResponse),
        ("NobodyKnows", UnexpectedResponse),
    ],
)
def test_permanent_errors_are_not_tried_again(cloud, code, kind):
    cloud.fail("eu-west-1", "DescribeVolumes", ec2.Refusal(400, code))
    said = failure("volumes", event(cloud), kind)
    assert "DescribeVolumes" in said
    assert code in said
    assert cloud.calls["eu-west-1", "DescribeVolumes"] == 1
    assert ("clock" in said) == (code == "RequestExpired")


@pytest.mark.parametrize("code", ["OptInRequired", "SubscriptionRequiredException"])
@pytest.mark.parametrize("operation", ["DescribeVolumes", "DescribeRegions"])
def test_an_account_that_is_not_activated_is_no_empty_one(cloud, operation, code):
    cloud.fail(None, operation, ec2.Refusal(401, code))
    said = failure("volumes", event(cloud), InsufficientPermission)
    assert f"may not ec2:{operation} ({code}): it is not activated" in said


def test_a_region_that_refuses_is_no_empty_one(cloud):
    cloud.fail("eu-west-1", "DescribeVolumes", ec2.Refusal(401, "OptInRequired"))
    said = failure("volumes", event(cloud), InsufficientPermission)
    assert said.startswith("eu-west-1: ")


def test_two_regions_that_fail_unlike_are_both_named(cloud):
    cloud.fail("eu-west-1", "DescribeVolumes", ec2.DENY)
    cloud.fail("us-east-1", "DescribeVolumes", ec2.BROKEN)
    said = failure("volumes", event(cloud), IncompletePoll)
    assert "InsufficientPermission: eu-west-1" in said
    assert "Unreachable: us-east-1" in said


@pytest.mark.parametrize("family", FAMILIES)
def test_part_of_it_only_where_the_account_allows_it(cloud, family):
    everything = ids(poll(family, event(cloud)))
    cloud.fail("eu-west-1", LISTING[family], ec2.DENY)
    context = Context()
    found = ids(poll(family, event(cloud, {"allow_partial": True}), context))
    assert found == [each for each in everything if "eu-west-1" not in each]
    assert "eu-west-1" in context.headers["x-poll-incomplete"]


def test_times_are_parsed_without_dateutil(cloud, monkeypatch):
    """dateutil is what a quarter of a listing's time would go to."""
    monkeypatch.setattr("dateutil.parser.parse", None)  # what botocore's own parser calls
    (time,) = {each["base"]["provider_created_at"] for each in poll("volumes", event(cloud))}
    assert time == "2026-01-02T03:04:00Z"


def test_no_secret_in_what_a_server_says_back(cloud):
    for told in (ec2.SECRET, ec2.KEY):
        cloud.fail("eu-west-1", None, ec2.Refusal(400, "Strange", f"you said {told}"))
        context = Context()
        said = failure("servers", event(cloud), UnexpectedResponse, context)
        assert "you said ***" in said
        assert_no_secret(said, context)
