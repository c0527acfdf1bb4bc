"""Every cell, by existing: an error about a record names the id of that record."""

import dataclasses
import importlib

import pytest

from shared.engine import poll as engine
from shared.engine.contracts import Dropped, Page
from shared.engine.errors import UnexpectedResponse
from tests.fakes.context import Context
from tests.test_grid import CELLS, damage, one_of_each_shape, replayed

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture(params=CELLS, ids="-".join)
def cell(request):
    return request.param


def test_an_error_about_a_record_names_its_id(cell, monkeypatch):
    """One field of each record is damaged, and the engine polls that record alone."""
    family, provider = cell
    module = importlib.import_module(f"modules.{family}.{provider}")
    convert = module.CELL.convert
    calls = replayed(family, provider)[1]
    polled = 0
    for record, scope, lookups in one_of_each_shape(calls):
        resource = convert(record, scope, lookups)
        if isinstance(resource, Dropped):
            continue
        damaged = refused(convert, record, scope, lookups, resource.id)
        if damaged is None:
            continue
        with pytest.raises(UnexpectedResponse) as caught:
            poll(monkeypatch, family, provider, module, damaged, scope, lookups)
        labels = {f"record {each}: " for each in ids_in(record, resource.id).values()}
        assert any(label in str(caught.value) for label in labels)
        polled += 1
    assert polled


def refused(convert, record, scope, lookups, resource_id):
    """The record with one field damaged that ``convert`` then refuses; its ids are as they were."""
    ids = ids_in(record, resource_id)
    for damaged, _ in damage(record):
        if ids_in(damaged, resource_id) != ids:
            continue
        try:
            convert(damaged, scope, lookups)
        except UnexpectedResponse:
            return damaged
    return None


def ids_in(value, resource_id, path=()):
    """What in a record is the resource's id, or begins or ends it (``12`` of ``tunnel:12``), by path."""
    if isinstance(value, (dict, list)):
        steps = value.items() if isinstance(value, dict) else enumerate(value)
        below = [ids_in(each, resource_id, (*path, step)) for step, each in steps]
        return {where: text for found in below for where, text in found.items()}
    text = str(value) if isinstance(value, (str, int)) else ""
    begins, ends = f"{text}/", (f":{text}", f"/{text}")
    is_id = resource_id == text or resource_id.startswith(begins) or resource_id.endswith(ends)
    return {path: text} if text and is_id else {}


def poll(monkeypatch, family, provider, module, record, scope, lookups):
    of = importlib.import_module(f"shared.providers.{provider}")
    stub = dataclasses.replace(
        of.PROVIDER,
        credentials=lambda raw, ambient: raw,
        login=lambda credentials, poll: None,
        scopes=lambda session: [scope],
    )
    cell = dataclasses.replace(module.CELL, fetch=lambda scope: iter([Page([record], lookups)]))
    with monkeypatch.context() as patched:
        patched.setattr(of, "PROVIDER", stub)
        patched.setattr(module, "CELL", cell)
        engine.poll(family, {"provider": provider, "credentials": {"some": "thing"}}, Context())
