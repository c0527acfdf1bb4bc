"""OpenStack: regions, interfaces and TLS settings, where no server is needed to tell."""

import pytest

from shared.engine.errors import Absent, InvalidEvent
from shared.providers import openstack

LOGIN = {
    "auth_url": "https://keystone.example/v3",
    "username": "reader",
    "password": "invented",
    "project_name": "alpha",
}


def endpoint(region, interface="public", url="https://nova.example/v2.1"):
    return {"region_id": region, "interface": interface, "url": url}


class Session:
    """A login with a catalog, as scopes() and the endpoints look at it."""

    project = "alpha"

    def __init__(self, **given):
        self.credentials = openstack.credentials({**LOGIN, **given}, False)
        self.catalog = [
            {"type": "identity", "endpoints": [endpoint("Elsewhere")]},
            {"type": "compute", "endpoints": [endpoint("West"), endpoint("East")]},
            {
                "type": "volumev3",
                "endpoints": [endpoint("West", url="https://cinder.example/v3/p")],
            },
            {"type": "network", "endpoints": [endpoint("West", url="https://neutron.example/")]},
            {"type": "image", "endpoints": [endpoint("East", "internal", "https://glance.in/v2")]},
        ]


def names(**given):
    return [scope.name for scope in openstack.scopes(Session(**given))]


def test_each_region_of_the_catalog_is_a_scope():
    assert names() == ["alpha/East", "alpha/West"]


def test_one_region_may_be_chosen():
    assert names(region_name="West") == ["alpha/West"]
    assert names(all_projects=True, region_name="West") == ["all projects/West"]


def test_a_region_that_is_not_there_is_an_error_and_no_empty_list():
    with pytest.raises(InvalidEvent, match=r"'North' is not in the catalog \(East, West\)"):
        names(region_name="North")


def test_a_service_is_offered_where_the_catalog_says_so():
    east, west = openstack.scopes(Session())
    assert [openstack.offers(east, service) for service in ("compute", "volume")] == [True, False]
    assert [openstack.offers(west, service) for service in ("volume", "image")] == [True, False]
    with pytest.raises(Absent, match="no public image endpoint in West"):
        openstack.get(west, "image", "/images")


@pytest.mark.parametrize(
    "service, url",
    [
        ("compute", "https://nova.example/v2.1"),
        ("volume", "https://cinder.example/v3/p"),
        ("network", "https://neutron.example/v2.0"),
    ],
)
def test_the_version_is_put_behind_a_url_that_lacks_it(service, url):
    _, west = openstack.scopes(Session())
    assert openstack.listings.endpoint_url(west, service) == url


@pytest.mark.parametrize(
    "url, with_version",
    [
        ("https://vip.example:9696", "https://vip.example:9696/v2.0"),
        ("https://vip.example/volatile", "https://vip.example/volatile/v2.0"),
        ("https://vip.example/network/v2.0/", "https://vip.example/network/v2.0"),
    ],
)
def test_a_name_that_begins_with_v_is_no_version(url, with_version):
    session = Session()
    session.catalog[3]["endpoints"] = [endpoint("West", url=url)]
    _, west = openstack.scopes(session)
    assert openstack.listings.endpoint_url(west, "network") == with_version


@pytest.mark.parametrize(
    "cacert, words",
    [
        ("-----BEGIN CERTIFICATE-----\nbroken\n", "cacert is no usable PEM text"),
        ("no-such-file.pem", "should be the PEM text"),
    ],
)
def test_a_ca_that_can_not_be_used_is_refused_before_any_call(cacert, words):
    with pytest.raises(InvalidEvent, match=words):
        openstack.credentials({**LOGIN, "cacert": cacert}, False)


def test_the_operators_own_ca_may_be_a_path(monkeypatch, tmp_path):
    """In an openrc it is one. That of an event is not read."""
    for name, value in {**LOGIN, "cacert": str(tmp_path / "ca.pem")}.items():
        monkeypatch.setenv(f"OS_{name.upper()}", value)
    with pytest.raises(InvalidEvent, match="OS_CACERT of this host"):
        openstack.credentials({}, ambient=True)
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(InvalidEvent, match="should be the PEM text"):
        openstack.credentials({}, ambient=True)
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    with pytest.raises(InvalidEvent, match="no usable PEM text"):
        openstack.credentials({}, ambient=True)
