"""Juju's own view of an application and OSM's view of it give the same ids, so that they join."""

import pytest

from modules.vca_status import juju as juju_cell
from modules.vca_status import main
from modules.vca_status.osm import records as osm_records
from shared import vca
from tests.fakes import juju as juju_fakes
from tests.fakes import osm as osm_fakes
from tests.fakes.context import Context
from tests.test_juju_servers import poll as juju_poll
from tests.test_vca import as_osm_dumps_it

NS = "3f2a0c11-0000-4abc-8def-0123456789ab"


@pytest.fixture
def controller():
    contents = juju_fakes.vnf()
    made = juju_fakes.Controller("3.6", [juju_fakes.Model(NS, contents=contents)])
    yield made
    made.stop()


@pytest.fixture
def of_juju(controller):
    return {each["id"]: each for each in juju_poll(controller, "admin", family="vca_status")}


@pytest.fixture
def full_status(controller, monkeypatch):
    """What the controller said, as OSM's client leaves it in an NS record."""
    taken = []
    read_model = vca.read_model

    def noted(status, *known):
        taken.append(status)
        return read_model(status, *known)

    monkeypatch.setattr(vca, "read_model", noted)
    juju_poll(controller, "admin", family="vca_status")
    return as_osm_dumps_it(taken[0])


@pytest.fixture
def of_osm(full_status):
    entry = {"type": "lxc_proxy_charm", "target_element": "vnf/1", "member-vnf-index": "1"}
    entry["ee_id"] = f"{NS}.vnf-proxy.0"
    with osm_fakes.Osm("main").standard() as osm:
        ns = {"_id": NS, "name": "branch", "vcaStatus": {NS: {"VNF": full_status, "KNF": {}}}}
        ns["_admin"] = {"deployed": {"VCA": [entry]}}
        osm.add("ns_instances", ns, "tenant-x")
        event = {"account_id": "b", "provider": "osm", "credentials": osm.credentials()}
        return {each["id"]: each for each in main.get(event, Context())}


def test_the_same_applications_and_units_have_the_same_ids(of_juju, of_osm):
    assert set(of_osm) == set(of_juju)
    assert any(":unit:" in id_ for id_ in of_osm) and any(":application:" in id_ for id_ in of_osm)


def test_they_connect_to_the_same_machines_and_applications(of_juju, of_osm):
    for id_, each in of_osm.items():
        for type_ in ("server", "service_offering"):
            ours = {one["id"] for one in each["connections"].get(type_, [])}
            theirs = {one["id"] for one in of_juju[id_]["connections"].get(type_, [])}
            assert ours == theirs, id_


@pytest.mark.parametrize(
    "name", ["juju_status", "juju_message", "since", "osm_status", "health", "machine"]
)
def test_they_say_the_same_of_each(of_juju, of_osm, name):
    def said(views):
        return {id_: each["metadata"]["provider_specific"].get(name) for id_, each in views.items()}

    assert said(of_osm) == said(of_juju)
    assert any(said(of_osm).values())


def test_the_execution_environment_is_the_unit(of_juju, of_osm):
    id_ = vca.unit_id(f"admin/{NS}", "vnf-proxy/0")
    ids = [views[id_]["metadata"]["provider_specific"]["ee_id"] for views in (of_juju, of_osm)]
    assert ids == [f"{NS}.vnf-proxy.0"] * 2


def test_cells_have_one_word_for_each_kind():
    assert (osm_records.APPLICATION, osm_records.UNIT) == (juju_cell.APPLICATION, juju_cell.UNIT)
