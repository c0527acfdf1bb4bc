"""The built modules in the vendor's runtime against real OpenStack services; see test_vendor.py."""

import pytest

from tests import vendor
from tests.built import CELLS, module
from tests.lab.test_openstack_lab import LAB, credentials, get, pytestmark  # noqa: F401

FAMILIES = [family for family, provider in CELLS if provider == "openstack"]


@pytest.fixture(scope="module", autouse=True)
def needs_flexer():
    vendor.needs_flexer()


def account():
    return credentials("inventory-alpha")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_vendors_own_tests_pass(family, tmp_path):
    folder = module(family).folder
    done = vendor.test(folder, tmp_path, "openstack", account())
    assert vendor.failures(done, folder, "openstack") == [], done.stderr


@pytest.mark.parametrize("family", FAMILIES)
def test_the_vendors_runtime_gives_what_the_checkout_gives(family, tmp_path):
    event = {"provider": "openstack", "credentials": account()}
    resources, _ = vendor.run("get_resources", event, module(family).folder, tmp_path)
    assert {each["id"] for each in resources} == {each["id"] for each in get(family, account())}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_password_in_the_vendors_runtime(family, tmp_path):
    event = {"provider": "openstack", "credentials": {**account(), "password": "wrong-secret"}}
    error, _ = vendor.run("get_resources", event, module(family).folder, tmp_path)
    assert error["exc_type"] == "InvalidCredentials"
