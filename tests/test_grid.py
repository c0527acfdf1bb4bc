"""Every cell, by existing: replay, golden file, ids, states, connections, damaged records, secrets.

The network is blocked. Nothing in here names a family or a provider: a new cell is tested as soon as
its file is there, and fails until it has a cassette and a golden file.
"""

import copy
import dataclasses
import importlib
import json
import re
from pathlib import Path

import pytest

from flexlocal import accounts, cassettes
from flexlocal.__main__ import families
from shared.engine.contracts import Dropped
from shared.engine.errors import UnexpectedResponse
from shared.engine.masking import secrets_in
from shared.engine.poll import load_cell
from tools import expected

ROOT = Path(__file__).resolve().parent.parent
CELLS = [(family, provider) for family, cells in families().items() for provider in sorted(cells)]
STATES = {"unknown", "pending", "running", "shutting", "terminated", "stopping", "stopped"}

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture(params=CELLS, ids="-".join)
def cell(request):
    file = cassettes.path(*request.param)
    if not file.exists():
        pytest.fail(cassettes.missing(file), pytrace=False)
    return request.param


_replayed = {}


def replayed(family, provider):
    """The cell's resources and every call of its convert; replayed once for all tests."""
    if (family, provider) not in _replayed:
        module = importlib.import_module(f"modules.{family}.{provider}")
        cell, calls = module.CELL, []

        def noted(record, scope, lookups):
            calls.append((copy.deepcopy(record), scope, lookups))
            return cell.convert(record, scope, lookups)

        module.CELL = dataclasses.replace(cell, convert=noted)
        try:
            resources = expected.replayed(family, provider)
        finally:
            module.CELL = cell
        _replayed[family, provider] = resources, calls
    return _replayed[family, provider]


def test_there_are_cells():
    assert len(CELLS) >= 6


def test_golden_file(cell):
    file = expected.path(*cell)
    found = expected.text(replayed(*cell)[0])
    if not file.exists():
        pytest.fail(f"there is no {file.relative_to(ROOT)}: make expected, then make readme", False)
    assert found == file.read_text(encoding="utf-8"), "if that is right: make expected"


def test_a_second_poll_gives_the_same_bytes(cell):
    # a fresh replay, not the remembered one
    again = expected.replayed(*cell)
    assert expected.text(again) == expected.text(replayed(*cell)[0])


def test_the_demo_account_has_something_to_show(cell):
    assert replayed(*cell)[0]


def test_ids_are_unique_and_sorted_and_names_are_never_empty(cell):
    resources = replayed(*cell)[0]
    keys = [(each["type"], each["id"]) for each in resources]
    assert keys == sorted(set(keys))
    assert all(each["base"]["name"] for each in resources)


def test_states_are_cmps(cell):
    for resource in replayed(*cell)[0]:
        for details in resource["details"].values():
            assert details.get("state", "unknown") in STATES


def test_connections_join_up_across_families(cell):
    """What is connected to is there, if a family of this provider reports things of that type."""
    _, provider = cell
    there = {
        (each["type"], each["id"])
        for family, other in CELLS
        if other == provider
        for each in replayed(family, other)[0]
    }
    polled = {type_ for type_, _ in there}
    for resource in replayed(*cell)[0]:
        for type_, connected in resource["connections"].items():
            ids = [each["id"] for each in connected]
            assert len(ids) == len(set(ids))
            assert type_ not in polled or {(type_, each) for each in ids} <= there


def test_rights_and_calls_are_declared(cell):
    family, provider = cell
    cell = load_cell(f"modules.{family}.{provider}")
    assert all(cell.permissions_by_handler.values())
    assert cell.calls


def test_no_secret_in_cassette_or_golden_file(cell):
    _, provider = cell
    credentials = accounts.load()[f"demo-{provider}"].credentials
    secrets = secrets_in(credentials)
    assert secrets
    shapes = re.compile(
        r"gAAAA[\w-]{20,}|Signature=(?!REDACTED)|BEGIN [A-Z ]*PRIVATE KEY"
        r"|(?i:x-auth-token|x-subject-token): *\n? *- (?!REDACTED)"
    )
    files = [cassettes.path(*cell), expected.path(*cell)]
    of_login = cassettes.path("validate_credentials", provider)
    for file in [*files, of_login] if of_login.exists() else files:
        text = file.read_text(encoding="utf-8")
        assert [secret for secret in secrets if secret in text] == []
        assert shapes.findall(text) == []


def test_damaged_records_are_answered_or_refused(cell):
    """Each field of each record removed, nulled or of another type: no other exception, ever.

    Records of one shape are damaged once; all shapes are, or the rarest fields would go untested.
    """
    family, provider = cell
    convert = load_cell(f"modules.{family}.{provider}").convert
    damages, refused = 0, 0
    for record, scope, lookups in one_of_each_shape(replayed(family, provider)[1]):
        for damaged, what in damage(record):
            before = copy.deepcopy(damaged)
            try:
                answer = convert(damaged, scope, lookups)
            except UnexpectedResponse as error:
                refused += 1
                assert "field" in str(error) or "object" in str(error), what
            else:
                if not isinstance(answer, Dropped):
                    json.dumps(answer.serialize())
            assert damaged == before, f"convert changed its record: {what}"
            damages += 1
    assert 0 < refused < damages


def one_of_each_shape(calls):
    seen = set()
    for record, scope, lookups in calls:
        shape = shape_of(record)
        if shape not in seen:
            seen.add(shape)
            yield record, scope, lookups


def shape_of(value):
    if isinstance(value, dict):
        return tuple((name, shape_of(each)) for name, each in sorted(value.items()))
    if isinstance(value, list):
        return tuple(sorted({shape_of(each) for each in value}, key=str))
    return type(value).__name__


def damage(record, path=()):
    """Copies of the record, each with one field removed, null, or of another type."""
    value = record
    for step in path:
        value = value[step]
    if isinstance(value, dict):
        steps = list(value)
    elif isinstance(value, list):
        steps = list(range(len(value)))
    else:
        return
    for step in steps:
        here = (*path, step)
        for other in (REMOVED, None, "", "text", 7, -1.5, True, [], [7], {}, {"x": 7}):
            damaged = copy.deepcopy(record)
            holder = damaged
            for each in path:
                holder = holder[each]
            if other is REMOVED:
                del holder[step]
            else:
                holder[step] = other
            yield damaged, f"{here} = {other!r}"
        yield from damage(record, here)


REMOVED = object()
