"""Every built module in the vendor's runtime, flexer 1.8.0 as it is: its `run` and its own `test`.

AWS is moto's server with its IAM switched on, so that a wrong key is refused, and a user who has the least
rights that the README names; OpenStack, NetBox and Juju are the simulators of tests/fakes, and the real
services of OpenStack in `make test-openstack`.
"""

from importlib import import_module

import pytest

from tests import vendor
from tests.built import CELLS, module
from tests.fakes import moto_users
from tests.fakes import openstack as fakes
from tests.fakes.juju import Controller as Juju
from tests.fakes.juju import Model, vnf
from tests.fakes.netbox import NetBox
from tests.fakes.openstack import Cloud
from tests.fakes.osm import Osm
from tools import demo_osm

pytestmark = pytest.mark.usefixtures("needs_flexer")


@pytest.fixture(scope="module")
def needs_flexer():
    vendor.needs_flexer()


@pytest.fixture(scope="module")
def aws():
    """Credentials of a user of a moto server that knows its users."""
    cells = [import_module(f"modules.{family}.aws") for family, name in CELLS if name == "aws"]
    rights = {right for cell in cells for right in cell.PERMISSIONS}
    with moto_users.account({"inventory": rights}) as users:
        yield users["inventory"]


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
    made = NetBox().fill(circuits=3, devices=3, machines=2, networks=2)
    yield made.credentials()
    made.stop()


@pytest.fixture(scope="module")
def juju():
    made = Juju("3.6", [Model("ns-vnf", contents=vnf())])
    yield made.credentials()
    made.stop()


@pytest.fixture(scope="module")
def osm():
    with Osm("main").standard() as made:
        demo_osm.fill(made)
        yield made.credentials()


@pytest.fixture
def credentials(request):
    """Of the provider that a test is about."""
    return request.getfixturevalue


def wrong(credentials, provider):
    """The same account with another secret."""
    secret = {"aws": "aws_secret_access_key", "netbox": "token"}.get(provider, "password")
    return {**credentials, secret: "wrong-secret"}


def has_status(family):
    return hasattr(import_module(f"modules.{family}.main"), "get_status")


@pytest.mark.parametrize("family, provider", CELLS)
def test_the_vendors_own_tests_pass(family, provider, credentials, tmp_path):
    done = vendor.test(module(family).folder, tmp_path, provider, credentials(provider))
    assert done.returncode == 0, done.stderr
    assert "test_get_resources (" in done.stderr
    assert (
        f"OK (skipped={3 - has_status(family)})" in done.stderr
    )  # metrics, logs: no such handlers


@pytest.mark.parametrize("family, provider", CELLS)
def test_the_vendors_tests_fail_where_nothing_is_found(family, provider, credentials, tmp_path):
    """That they can fail: the account of the wrong secret has no resource and is not valid."""
    bad = wrong(credentials(provider), provider)
    done = vendor.test(module(family).folder, tmp_path, provider, bad)
    assert done.returncode == 1
    assert f"FAILED (failures={2 + has_status(family)}" in done.stderr
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
