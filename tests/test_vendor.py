"""Every built module in the vendor's runtime, flexer 1.8.0 as it is: its `run` and its own `test`.

AWS is moto's server with its IAM switched on, so that a wrong key is refused, and a user who has the least
rights that the README names; OpenStack, NetBox and Juju are the simulators of tests/fakes, and the real
services of OpenStack in `make test-openstack`. `make test` runs a cell of each family and of each provider, `make
vendor-test` all of them.
"""

import datetime
import re
import subprocess
from importlib import import_module

import pytest
import yaml

from shared.engine.poll import load_cell
from tests import vendor
from tests.built import CELLS, module, some
from tests.fakes import moto_polls, moto_users
from tests.fakes import openstack as fakes
from tests.fakes.juju import Controller as Juju
from tests.fakes.juju import Model, vnf
from tests.fakes.netbox import NetBox
from tests.fakes.openstack import Cloud
from tests.fakes.osm import Osm
from tools import demo_aws, demo_controllers, demo_osm

pytestmark = pytest.mark.usefixtures("needs_flexer")


@pytest.fixture(scope="module")
def needs_flexer():
    vendor.needs_flexer()


@pytest.fixture(scope="module")
def aws(moto_of_5_2):
    """Credentials of a user of a moto server that knows its users."""
    cells = [load_cell(f"modules.{family}.aws") for family, name in CELLS if name == "aws"]
    needed = {
        permission
        for cell in cells
        for permissions in cell.permissions_by_handler.values()
        for permission in permissions
    }
    with moto_users.account({"inventory": needed}, measured) as users:
        yield users["inventory"]


def measured(url):
    """Metrics of one resource of each family, of the last two hours."""
    ec2, cloudwatch = (
        demo_aws.client(url, each, moto_users.REGION) for each in ("ec2", "cloudwatch")
    )
    now = datetime.datetime.now(datetime.timezone.utc)
    points = [(now - datetime.timedelta(minutes=5 * number), 60.0) for number in range(24)]
    for namespace, dimension, name, metrics in (
        (
            "AWS/EC2",
            "InstanceId",
            servers(ec2)["web-1"],
            ("CPUUtilization", "NetworkIn", "NetworkOut"),
        ),
        (
            "AWS/EBS",
            "VolumeId",
            ec2.describe_volumes()["Volumes"][0]["VolumeId"],
            ("VolumeReadBytes", "VolumeWriteBytes"),
        ),
        (
            "AWS/TransitGateway",
            "TransitGateway",
            ec2.describe_transit_gateways()["TransitGateways"][0]["TransitGatewayId"],
            ("BytesIn",),
        ),
        (
            "AWS/VPN",
            "VpnId",
            ec2.describe_vpn_connections()["VpnConnections"][0]["VpnConnectionId"],
            ("TunnelState",),
        ),
    ):
        known = {metric: points for metric in metrics}
        moto_polls.measure(cloudwatch, namespace, {dimension: name}, known)


def servers(ec2):
    """The demo's instances, by name."""
    return {
        tag["Value"]: each["InstanceId"]
        for group in ec2.describe_instances()["Reservations"]
        for each in group["Instances"]
        for tag in each.get("Tags", [])
        if tag["Key"] == "Name"
    }


def _lately():
    """Each 5 minutes of the last two hours."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return [now - datetime.timedelta(minutes=5 * (24 - n)) for n in range(25)]


@pytest.fixture(scope="module")
def openstack():
    made = Cloud()
    made.fill(servers=4, networks=3, volumes=2)
    made.also = {"metric"}
    of_first = {"cpu": {"samples": [(moment, n * 240e9) for n, moment in enumerate(_lately())]}}
    made.gnocchi.add("instance", made.lists["compute", "servers"][0]["id"], fakes.PROJECT, of_first)
    made.extensions |= {"vpnaas", "vpn-endpoint-groups"}
    made.lists["network", "routers"] = [fakes.router(0)]
    made.lists["network", "ipsec_site_connections"] = [fakes.site_connection(0)]
    yield made.credentials("member", user_domain_name="Default", project_domain_name="Default")
    made.stop()


@pytest.fixture(scope="module")
def netbox():
    made = NetBox().fill(circuits=3, devices=3, machines=2, networks=2, links=2)
    yield made.credentials()
    made.stop()


@pytest.fixture(scope="module")
def osm():
    with Osm("main").standard() as made:
        demo_osm.fill(made)
        yield made.credentials()


@pytest.fixture(scope="module")
def tapi():
    with demo_controllers.tapi(port=0) as made:
        yield made.credentials()


@pytest.fixture(scope="module")
def juju():
    made = Juju("3.6", [Model("ns-vnf", contents=vnf())])
    yield made.credentials()
    made.stop()


@pytest.fixture(scope="module")
def ietf_l2vpn():
    with demo_controllers.l2vpn(port=0) as made:
        yield made.credentials()


@pytest.fixture
def credentials(request):
    """Of the provider that a test is about."""
    return request.getfixturevalue


def wrong(credentials, provider):
    """The same account with another secret."""
    secret = {"aws": "aws_secret_access_key", "netbox": "token"}.get(provider, "password")
    return {**credentials, secret: "wrong-secret"}


POLLS = ("status", "metrics", "logs")
SOME = some(pytest.mark.vendor)


def has(family, handler):
    return hasattr(import_module(f"modules.{family}.main"), handler)


@pytest.mark.parametrize("family, provider", SOME)
def test_the_vendors_own_tests_pass(family, provider, credentials, tmp_path):
    folder = module(family).folder
    done = vendor.test(folder, tmp_path, provider, credentials(provider))
    assert vendor.failures(done, folder, provider) == [], done.stderr
    assert "test_get_resources (" in done.stderr
    skipped = re.findall(r"^test_get_(\w+) .*skipped", done.stderr, re.MULTILINE)
    assert set(skipped) == {name for name in POLLS if not has(family, f"get_{name}")}


@pytest.mark.parametrize("family, provider", CELLS)
def test_the_vendors_tests_are_told_which_cells_have_metrics(family, provider):
    cell = load_cell(f"modules.{family}.{provider}")
    measured = has(family, "get_metrics") and cell.metrics
    assert vendor.lacks_metrics(module(family).folder, provider) != measured


def test_another_failure_is_not_taken_for_missing_metrics(tmp_path):
    """Nor is that one forgiven where there are metrics."""
    (tmp_path / "config.netbox.yaml").write_text("name: x\n")
    (tmp_path / "config.aws.yaml").write_text("name: x\nexpected_metrics: [cpu-usage]\n")
    text = "FAIL: test_get_metrics (a.B)\nFAIL: test_get_logs (a.B)\nRan 8 tests in 1s\n"
    done = subprocess.CompletedProcess([], 1, "", f"{text}AssertionError: {vendor.NO_METRICS}\n")
    assert vendor.failures(done, tmp_path, "netbox") == ["test_get_logs"]
    assert vendor.failures(done, tmp_path, "aws") == ["test_get_logs", "test_get_metrics"]
    done = subprocess.CompletedProcess([], 1, "", f"{text}AssertionError: 0 : No metrics found\n")
    assert vendor.failures(done, tmp_path, "netbox") == ["test_get_logs", "test_get_metrics"]


def test_the_vendors_own_tests_of_resources_pass(aws, tmp_path):
    """Status, metrics and logs of single ones, as its configuration can ask for them."""
    key = aws["aws_access_key_id"], aws["aws_secret_access_key"]
    by_name = servers(demo_aws.client(aws["endpoint_url"], "ec2", moto_users.REGION, *key))
    web, stopped = by_name["web-1"], by_name["app-3"]
    just_now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=30)
    instance = "AWS::EC2::Instance"
    moto_polls.trail += [
        moto_polls.event("StartInstances", just_now, instance, web, number=1),
        moto_polls.event("StopInstances", just_now, instance, stopped, "AccessDenied", number=2),
    ]
    folder = module("servers").folder
    config = yaml.safe_load((folder / "config.aws.yaml").read_text())
    config["resources"] = [
        {
            "resource": {"id": web, "type": "server"},
            "expected_status": ["ok"],
            "expected_metrics": ["cpu-usage", "network-in", "network-out"],
            "expected_logs": ["info"],
        },
        {
            "resource": {"id": stopped, "type": "server"},
            "expected_status": ["warning"],
            "expected_logs": ["error"],
        },
    ]
    asked = tmp_path / "config.yaml"
    asked.write_text(yaml.safe_dump(config))
    done = vendor.test(folder, tmp_path, "aws", aws, CONFIG_YAML=str(asked))
    assert done.stderr.rstrip().endswith("OK"), done.stderr
    config["resources"][0]["expected_logs"] = ["error"]  # that it can fail
    asked.write_text(yaml.safe_dump(config))
    done = vendor.test(folder, tmp_path, "aws", aws, CONFIG_YAML=str(asked))
    assert "No log points for log with severity error" in done.stderr


@pytest.mark.parametrize("family, provider", SOME)
def test_the_vendors_tests_fail_where_nothing_is_found(family, provider, credentials, tmp_path):
    """That they can fail: the account of the wrong secret has no resource and is not valid."""
    bad = wrong(credentials(provider), provider)
    done = vendor.test(module(family).folder, tmp_path, provider, bad)
    assert done.returncode == 1
    assert "FAIL: test_get_resources " in done.stderr
    assert "FAIL: test_validate_credentials " in done.stderr
    assert "wrong-secret" not in done.stdout + done.stderr


@pytest.mark.parametrize("family, provider", SOME)
def test_the_vendors_runtime_gives_what_our_own_gives(family, provider, credentials, tmp_path):
    event = {"provider": provider, "credentials": credentials(provider), "account_id": "a"}
    resources, logged = vendor.run("get_resources", event, module(family).folder, tmp_path)
    assert resources
    assert f"polled family={family} provider={provider}" in logged
    assert f"resources={len(resources)} " in logged
    valid, _ = vendor.run("validate_credentials", event, module(family).folder, tmp_path)
    assert valid["ok"] is True


@pytest.mark.parametrize("family, provider", SOME)
def test_a_wrong_secret_in_the_vendors_runtime(family, provider, credentials, tmp_path):
    event = {"provider": provider, "credentials": wrong(credentials(provider), provider)}
    error, logged = vendor.run("get_resources", event, module(family).folder, tmp_path)
    assert error["exc_type"] == "InvalidCredentials"
    assert "wrong-secret" not in str(error) + logged
    valid, _ = vendor.run("validate_credentials", event, module(family).folder, tmp_path)
    assert valid["ok"] is False
    assert "InvalidCredentials" in valid["reason"]
