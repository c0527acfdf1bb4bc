"""Every built module in the vendor's runtime, flexer 1.8.0 as it is: its `run` and its own `test`.

AWS is moto's server with its IAM switched on, so that a wrong key is refused, and a user who has the least
rights that the README names; OpenStack and NetBox are
the simulators of tests/fakes, and the real services of OpenStack in `make test-openstack`.
"""

import json
from importlib import import_module

import pytest
import requests
from moto.iam import access_control

from shared.providers import aws as aws_provider
from tests import vendor
from tests.built import CELLS, module
from tests.fakes import openstack as fakes
from tests.fakes.netbox import NetBox
from tests.fakes.openstack import Cloud
from tools import demo_aws, demo_wan

pytestmark = pytest.mark.usefixtures("needs_flexer")


@pytest.fixture(scope="module")
def needs_flexer():
    vendor.needs_flexer()


@pytest.fixture(scope="module")
def signed_gets():
    """moto 5.2.5 takes the query of a GET for its body, and so finds the signature of each wrong."""
    make = access_control.IAMRequestBase._create_aws_request

    def with_no_body(request):
        made = make(request)
        made.data = b"" if request._method == "GET" else made.data
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(access_control.IAMRequestBase, "_create_aws_request", with_no_body)
        yield


@pytest.fixture(scope="module")
def aws(signed_gets):
    """Credentials of a user of a moto server that knows its users."""
    server, url = demo_aws.serve()
    iam = demo_aws.client(url, "iam", "us-east-1")
    iam.create_user(UserName="inventory")
    cells = [import_module(f"modules.{family}.aws") for family, name in CELLS if name == "aws"]
    rights = aws_provider.least_rights(right for cell in cells for right in cell.PERMISSIONS)
    iam.put_user_policy(UserName="inventory", PolicyName="read", PolicyDocument=json.dumps(rights))
    key = iam.create_access_key(UserName="inventory")["AccessKey"]
    requests.post(f"{url}/moto-api/reset-auth", data=b"0", timeout=60)  # from now on
    yield {
        "aws_access_key_id": key["AccessKeyId"],
        "aws_secret_access_key": key["SecretAccessKey"],
        "regions": demo_aws.REGIONS[0],
        "endpoint_url": url,
    }
    server.stop()


@pytest.fixture(scope="module")
def openstack():
    made = Cloud()
    made.fill(servers=4, networks=3, volumes=2)
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
def tapi():
    with demo_wan.tapi(port=0) as made:
        yield made.credentials()


@pytest.fixture(scope="module")
def ietf_l2vpn():
    with demo_wan.l2vpn(port=0) as made:
        yield made.credentials()


@pytest.fixture
def credentials(request):
    """Of the provider that a test is about."""
    return request.getfixturevalue


def wrong(credentials, provider):
    """The same account with another secret."""
    secret = {"aws": "aws_secret_access_key", "netbox": "token"}.get(provider, "password")
    return {**credentials, secret: "wrong-secret"}


@pytest.mark.parametrize("family, provider", CELLS)
def test_the_vendors_own_tests_pass(family, provider, credentials, tmp_path):
    done = vendor.test(module(family).folder, tmp_path, provider, credentials(provider))
    assert done.returncode == 0, done.stderr
    assert "test_get_resources (" in done.stderr
    assert "OK (skipped=3)" in done.stderr  # metrics, logs and status: no such handlers


@pytest.mark.parametrize("family, provider", CELLS)
def test_the_vendors_tests_fail_where_nothing_is_found(family, provider, credentials, tmp_path):
    """That they can fail: the account of the wrong secret has no resource and is not valid."""
    bad = wrong(credentials(provider), provider)
    done = vendor.test(module(family).folder, tmp_path, provider, bad)
    assert done.returncode == 1
    assert "FAILED (failures=2" in done.stderr
    assert "wrong-secret" not in done.stdout + done.stderr


@pytest.mark.parametrize("family, provider", CELLS)
def test_the_vendors_runtime_gives_what_our_own_gives(family, provider, credentials, tmp_path):
    event = {"provider": provider, "credentials": credentials(provider), "account_id": "a"}
    resources, logged = vendor.run("get_resources", event, module(family).folder, tmp_path)
    assert resources
    assert f"polled family={family} provider={provider}" in logged
    assert f"resources={len(resources)} " in logged
    valid, _ = vendor.run("validate_credentials", event, module(family).folder, tmp_path)
    assert valid["ok"] is True


@pytest.mark.parametrize("family, provider", CELLS)
def test_a_wrong_secret_in_the_vendors_runtime(family, provider, credentials, tmp_path):
    event = {"provider": provider, "credentials": wrong(credentials(provider), provider)}
    error, logged = vendor.run("get_resources", event, module(family).folder, tmp_path)
    assert error["exc_type"] == "InvalidCredentials"
    assert "wrong-secret" not in str(error) + logged
    valid, _ = vendor.run("validate_credentials", event, module(family).folder, tmp_path)
    assert valid["ok"] is False
    assert "InvalidCredentials" in valid["reason"]
