"""The built modules in the vendor's runtime against real OpenStack services; see test_vendor.py."""

from importlib import import_module

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
    done = vendor.test(module(family).folder, tmp_path, "openstack", account())
    cell, main = (import_module(f"modules.{family}.{name}") for name in ("openstack", "main"))
    if hasattr(cell, "metrics") or not hasattr(main, "get_metrics"):
        assert done.returncode == 0, done.stderr
    else:  # they have no way to say that a provider has no metrics
        assert "FAILED (failures=1" in done.stderr
        assert "No expected_metrics found in config" in done.stderr


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
