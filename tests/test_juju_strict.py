"""Juju's live answers, as every cell reads them: complete or refused, and nothing is left out in silence.

Of OSM's dump of the same, what can't be read is left out with a word in the log.
"""

import copy
import importlib
from typing import Any

import pytest

from flexlocal.__main__ import families
from shared import vca
from shared.engine.errors import UnexpectedResponse
from shared.transport import http
from tests.fakes import juju as fakes
from tests.fakes.context import Context

FAMILIES = sorted(family for family, providers in families().items() if "juju" in providers)
LOGIN, LIST, STATUS = "Admin.Login", "ModelManager.ListModelSummaries", "Client.FullStatus"
REMOVED = object()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(http, "FIRST_DELAY_S", 0)


@pytest.fixture(scope="module")
def controller():
    made = fakes.Controller("3.6", [fakes.Model("ns-vnf", contents=fakes.vnf())])
    yield made
    made.stop()


def poll(controller, family):
    handlers = importlib.import_module(f"modules.{family}.main")
    event = {"provider": "juju", "credentials": controller.credentials("admin")}
    return handlers.get(event, Context())


def status():
    return fakes.Model("ns-vnf", contents=fakes.vnf()).status("3.6", "3.6.8")


def maps():
    """The paths of all maps of things, and of the list of relations."""
    for name in ("machines", "applications", "remote-applications", "offers", "relations"):
        yield (name,)
    for name, machine in status()["machines"].items():
        yield ("machines", name, "containers")
        for inner in machine["containers"] or {}:
            yield ("machines", name, "containers", inner, "containers")
    for name, application in status()["applications"].items():
        yield ("applications", name, "units")
        for unit, record in (application["units"] or {}).items():
            yield ("applications", name, "units", unit, "subordinates")
            for below in record["subordinates"] or {}:
                yield ("applications", name, "units", unit, "subordinates", below, "subordinates")


def damages():
    """Each map removed or of another type, and each thing in one null or of another type."""
    wrong: tuple[Any, ...]
    for path in maps():
        held = at(status(), path)
        wrong = (REMOVED, "text", 7, {"x": 7} if isinstance(held, list) else [7])
        yield from ((path, each) for each in wrong)
        steps = held if isinstance(held, dict) else range(len(held or ()))
        others: tuple[Any, ...] = (None, "text", 7, [])
        yield from (((*path, step), each) for step in steps for each in others)


def at(value, path):
    for step in path:
        value = value[step]
    return value


def damaged(path, value):
    made = copy.deepcopy(status())
    holder = at(made, path[:-1])
    if value is REMOVED:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return made


def test_there_is_something_to_damage():
    assert len(list(damages())) > 100
    assert FAMILIES == ["servers", "vca_status"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_full_status_with_a_hole_is_refused(controller, family):
    assert poll(controller, family)
    for path, value in damages():
        controller.fail(STATUS, damaged(path, value))
        with pytest.raises(UnexpectedResponse, match="admin/ns-vnf: "):
            poll(controller, family)
            pytest.fail(f"{path} = {value!r} was read")
    controller.no_failures()
    assert poll(controller, family)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_application_that_juju_has_an_error_of_is_not_one_without_units(controller, family):
    error = {"message": "charm not found", "code": "not found"}
    empty = {**at(status(), ("applications", "vnf-proxy")), "units": None, "err": error}
    controller.fail(STATUS, damaged(("applications", "vnf-proxy"), empty))
    with pytest.raises(UnexpectedResponse, match="applications.vnf-proxy' is an error: charm not"):
        poll(controller, family)
    controller.no_failures()


@pytest.mark.parametrize("family", FAMILIES)
def test_null_is_empty_as_go_writes_it(controller, family):
    empty = dict.fromkeys(status(), None)
    controller.fail(STATUS, {**empty, "model": status()["model"]})
    assert poll(controller, family) == []
    controller.no_failures()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "call, answer, name",
    [
        (LIST, {}, "results"),
        (LIST, {"result": []}, "results"),
        (LOGIN, {"facades": []}, "user-info"),
        (LOGIN, {"facades": [], "user-info": None}, "user-info"),
        (LOGIN, {"facades": [], "user-info": {"identity": "user-admin"}}, "controller-access"),
    ],
)
def test_a_list_of_models_that_may_be_short_is_refused(controller, family, call, answer, name):
    if call == LOGIN:
        facades = [{"name": "ModelManager", "versions": [9]}]
        answer = {**answer, "facades": facades}
    controller.fail(call, answer)
    with pytest.raises(UnexpectedResponse, match=f"'{name}' is missing"):
        poll(controller, family)
    controller.no_failures()


def test_what_is_read_of_a_whole_status_leaves_nothing_out():
    for flavour in ("2.9", "3.3", "3.6", "4.0"):
        everything: tuple[dict[str, Any], ...] = (fakes.vnf(), fakes.kubernetes(), {})
        for contents in everything:
            answer = fakes.Model("m", contents=contents).status(flavour, "x")
            assert vca.unreadable(answer) == []
