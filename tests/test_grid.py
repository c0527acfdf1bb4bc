"""Every handler of every cell, by existing: replay, golden file, ids, states, levels, connections, damaged records and
responses, secrets.

The network is blocked. A new cell is tested as soon as its file is there, and each of its handlers fails until it has
a cassette and a golden file. Names of families and providers stand in ``EXEMPT`` alone.
"""

import contextlib
import dataclasses
import datetime
import functools
import importlib
import io
import itertools
import json
import math
import operator
import os
import pickle
import re
import time
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import botocore.loaders
import botocore.session
import pytest
import vcr.cassette

from flexlocal import accounts, cassettes
from flexlocal.__main__ import families
from flexlocal.context import Context
from shared.engine import network
from shared.engine.contracts import Dropped
from shared.engine.errors import ConnectorError, UnexpectedResponse
from shared.engine.masking import secrets_in
from shared.engine.poll import load_cell
from shared.records import mapping
from shared.records.status import LEVELS
from tools import expected

# Handlers that don't show every resource of their cell's ``get``, and why.
EXEMPT = {
    ("circuits", "openstack", "get_status"): "Neutron has a status of IPsec site connections alone",
}

ROOT = Path(__file__).resolve().parent.parent
CELLS = [(family, provider) for family, cells in families().items() for provider in sorted(cells)]
POLLS = [(*cell, handler) for cell in CELLS for handler in expected.handlers(*cell)[1:]]
SPANNED = [poll for poll in POLLS if poll[2] != "get_status"]
MOST_DAMAGES = 40
EVERY = int(os.environ.get("EVERY", "4"))  # `make test-long` does each: 1
STATES = {"unknown", "pending", "running", "shutting", "terminated", "stopping", "stopped"}

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture(params=CELLS, ids="-".join)
def cell(request):
    file = cassettes.path(*request.param)
    if not file.exists():
        pytest.fail(cassettes.missing(file), pytrace=False)
    return request.param


@pytest.fixture(params=POLLS, ids="-".join)
def polled(request):
    """A cell's handler other than ``get``."""
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
            calls.append((copied(record), scope, lookups))
            return cell.convert(record, scope, lookups)

        module.CELL = dataclasses.replace(cell, convert=noted)
        try:
            resources = expected.replayed(family, provider)
        finally:
            module.CELL = cell
        _replayed[family, provider] = resources, calls
    return _replayed[family, provider]


def watched(family, provider, handler):
    """The answer of a handler other than ``get``, and what the cell gave the engine: each record's status, with what
    it was made of, or all pages of points in one list. Replayed once for all tests."""
    key = family, provider, handler
    if key not in _replayed:
        module = importlib.import_module(f"modules.{family}.{provider}")
        cell, what, given = module.CELL, handler.removeprefix("get_"), []
        part = getattr(cell, what)

        def points(record, scope, lookups):
            before = copied(record)
            made = list(part.points(record, scope, lookups))
            given.append((before, scope, lookups, made))
            return made

        def fetch(scope, window):
            for page in part.fetch(scope, window):
                given.extend(copied(page))
                yield page

        spy = {"points": points} if what == "status" else {"fetch": fetch}
        module.CELL = dataclasses.replace(cell, **{what: dataclasses.replace(part, **spy)})
        try:
            answer = expected.replayed(*key)
        finally:
            module.CELL = cell
        _replayed[key] = answer, given
    return _replayed[key]


def test_there_are_cells():
    assert len(CELLS) >= 6
    assert len(POLLS) > len(CELLS)
    assert set(EXEMPT) <= set(POLLS)


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
    family, provider = cell
    credentials = accounts.load()[f"demo-{provider}"].credentials
    secrets = secrets_in(credentials)
    assert secrets
    shapes = re.compile(
        r"gAAAA[\w-]{20,}|Signature=(?!REDACTED)|BEGIN [A-Z ]*PRIVATE KEY"
        r"|(?i:x-auth-token|x-subject-token): *\n? *- (?!REDACTED)"
    )
    handlers = expected.handlers(family, provider)
    files = [cassettes.path(family, provider, handler) for handler in handlers]
    files += [expected.path(family, provider, handler) for handler in handlers]
    if cassettes.path(family, provider, later=True).exists():
        files += [cassettes.path(family, provider, later=True)]
        files += [expected.path(family, provider, later=True)]
    of_login = cassettes.path("validate_credentials", provider)
    for file in [*files, of_login] if of_login.exists() else files:
        text = file.read_text(encoding="utf-8")
        assert [secret for secret in secrets if secret in text] == []
        assert shapes.findall(text) == []


def test_damaged_records_are_answered_or_refused(cell):
    """Each field of each record removed, nulled or of another type: no other exception, ever.

    Records of one shape are damaged once; all shapes are, or the rarest fields would go untested. A field that a
    record before had too gets one damage in EVERY.
    """
    family, provider = cell
    convert = load_cell(f"modules.{family}.{provider}").convert
    damages, refused, seen = 0, 0, set()
    for record, scope, lookups in one_of_each_shape(replayed(family, provider)[1]):
        for damaged, what in damage(record, seen):
            before = copied(damaged)
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


# --- handlers other than get ------------------------------------------------------------------------


def test_golden_file_of_a_handler(polled):
    file = expected.path(*polled)
    found = expected.text(watched(*polled)[0])
    if not file.exists():
        command = "python -m tools.expected " + " ".join(polled)
        pytest.fail(f"there is no {file.relative_to(ROOT)}: {command}", False)
    assert found == file.read_text(encoding="utf-8"), "if that is right: make expected"


def test_a_handlers_second_poll_gives_the_same_bytes(polled):
    assert expected.text(expected.replayed(*polled)) == expected.text(watched(*polled)[0])


def test_a_handlers_points_are_of_resources(polled):
    """Of those that a family of this provider reports, if one reports that type; and none of them is left out."""
    family, provider, handler = polled
    there = {
        (each["type"], each["id"])
        for other, of in CELLS
        if of == provider
        for each in replayed(other, of)[0]
    }
    polled_types = {type_ for type_, _ in there}
    points = points_of(watched(*polled)[0])
    found = {(each["resource_type"], each["resource_id"]) for each in points}
    assert found
    assert {each for each in found if each[0] in polled_types} <= there
    if handler == "get_status":
        assert len(found) == len(points)
        missing = {(each["type"], each["id"]) for each in replayed(family, provider)[0]} - found
        assert bool(missing) == (polled in EXEMPT), missing


def test_a_handlers_points_are_valid_and_none_is_lost(polled):
    answer, given = watched(*polled)
    assert_valid(polled[2], answer)
    points = points_of(answer)
    if polled[2] == "get_status":
        made = {(each.resource_type, each.resource_id) for *_, all_of in given for each in all_of}
        assert made == {(each["resource_type"], each["resource_id"]) for each in points}
    else:
        shown = {json.dumps(each, sort_keys=True) for each in points}
        assert {json.dumps(each, sort_keys=True) for each in given} == shown


def points_of(answer):
    (points,) = (each for name, each in answer.items() if name != "last_update")
    return points


def assert_valid(handler, answer):
    """That the answer has the form of docs/reference/handlers.md, with no other type anywhere."""
    assert answer.keys() == {handler.removeprefix("get_"), "last_update"}
    last_update = moment(answer["last_update"])
    for point in points_of(answer):
        texts = {"resource_id", "resource_type", *TEXTS[handler]}
        known = {"time", *texts, *OPTIONAL.get(handler, ()), *(NUMBERS.get(handler, ()))}
        assert point.keys() <= known
        for name in texts:
            assert isinstance(point[name], str) and point[name], (name, point)
        for name in NUMBERS.get(handler, ()):
            assert isinstance(point[name], float) and math.isfinite(point[name]), point
        for name in OPTIONAL.get(handler, ()):
            assert isinstance(point.get(name), (str, type(None))), point
        assert moment(point["time"]) <= last_update or handler == "get_status", point
        assert point.get("level", "ok") in LEVELS
        assert point.get("severity", "info") in SEVERITIES
        assert (point.get("metric"), point.get("unit")) in METRICS or handler != "get_metrics"


TEXTS = {
    "get_status": ("level", "message"),
    "get_metrics": ("metric", "unit"),
    "get_logs": ("id", "severity", "message"),
}
NUMBERS = {"get_metrics": ("value",)}
OPTIONAL = {"get_metrics": ("specialisation",), "get_logs": ("user",)}
SEVERITIES = {"info", "warn", "error"}
METRICS = {(metric.name, metric.unit) for metric in mapping.load(mapping.MAPPING).values()}


def moment(text):
    """A time as all points have it: RFC 3339, in UTC."""
    assert text.endswith("Z"), text
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


@pytest.mark.parametrize(
    "polled", [each for each in POLLS if each not in SPANNED], indirect=True, ids="-".join
)
def test_damaged_records_have_a_status_or_are_refused(polled):
    """Each field of each record as in the test of ``get``; ``status`` gives valid points or refuses the record."""
    family, provider, handler = polled
    status = load_cell(f"modules.{family}.{provider}").status.points
    damages, refused, seen = 0, 0, set()
    calls = [(record, scope, lookups) for record, scope, lookups, _ in watched(*polled)[1]]
    for record, scope, lookups in one_of_each_shape(calls):
        for damaged, what in damage(record, seen):
            before = copied(damaged)
            damages += 1
            try:
                points = [each.serialize(NOW) for each in status(damaged, scope, lookups)]
            except UnexpectedResponse as error:
                refused += 1
                assert "field" in str(error) or "object" in str(error), what
            else:
                assert_valid(handler, {"status": points, "last_update": "2026-11-21T00:00:00Z"})
            assert damaged == before, f"status changed its record: {what}"
    assert 0 < refused < damages


NOW = datetime.datetime(2026, 11, 21, tzinfo=datetime.timezone.utc)


@pytest.fixture(scope="module")
def prepared():
    """What takes long and is the same in each replay: botocore's models; and no pauses."""
    loader = botocore.loaders.create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", lambda *_: loader)
        patch.setattr(network.Network, "pause", lambda self, seconds: None)
        patch.setattr(time, "sleep", lambda seconds: None)  # botocore's, between its tries
        yield


@pytest.mark.parametrize("polled", SPANNED, indirect=True, ids="-".join)
def test_damaged_responses_are_answered_or_refused(polled, prepared, monkeypatch):
    """Each field of each form of a response is damaged once, and the handler replayed: a valid answer or a documented
    error, or a request that was not recorded, since the field decides what is asked for next.

    Only the last scope is polled, and no more than MOST_DAMAGES are done (in `make test` half of them), from the last response backwards: the last
    ones have the points, the first are listings, whose fields are damaged in the test of ``get``.
    """
    module = importlib.import_module(f"shared.providers.{polled[1]}")
    whole = module.PROVIDER
    last = dataclasses.replace(whole, scopes=lambda session: whole.scopes(session)[-1:])
    monkeypatch.setattr(module, "PROVIDER", last)
    play, played, changed = vcr.cassette.Cassette.play_response, [], {}

    def play_response(self, request):
        response = play(self, request)
        played.append(response["body"]["string"])
        body = changed.get(len(played) - 1)
        return response if body is None else {**response, "body": {"string": body}}

    monkeypatch.setattr(vcr.cassette.Cassette, "play_response", play_response)
    outcome_of(polled)
    recorded, outcomes = list(played), Counter()
    damages = list(itertools.islice(damaged_bodies(recorded), MOST_DAMAGES))
    if EVERY > 1 and len(damages) == MOST_DAMAGES:
        damages = damages[1::2]
    for position, body, what in damages:
        played.clear()
        changed.clear()
        changed[position] = body
        try:
            answer = outcome_of(polled)
        except (ConnectorError, cassettes.NotRecorded) as error:
            outcomes[type(error).__name__] += 1
        except Exception as error:
            raise AssertionError(f"response {position}: {what}") from error
        else:
            outcomes["answered"] += 1
            try:
                assert_valid(polled[2], answer)
            except AssertionError as error:
                raise AssertionError(f"response {position}: {what}") from error
    assert outcomes["answered"]
    assert outcomes["UnexpectedResponse"]


def outcome_of(polled):
    """The handler's answer, whether it asked for all that is recorded or not."""
    family, provider, handler = polled
    called = getattr(importlib.import_module(f"modules.{family}.main"), handler)
    event = accounts.load()[f"demo-{provider}"].event()
    with cassettes.replay(cassettes.path(*polled)), contextlib.redirect_stdout(io.StringIO()):
        return called(event, Context(dict(cassettes.CONFIG)))


def damaged_bodies(bodies):
    """(position, body, what was done) for each field of each form of a response; one kind of damage each."""
    seen = set()
    kinds = itertools.cycle((REMOVED, None, "", "text", 7, -1.5, True, [], {}))
    for position, body in reversed(list(enumerate(bodies))):
        damages = of_json if body.startswith((b"{", b"[")) else of_xml
        for place, damaged in damages(body, kinds, seen):
            yield position, damaged, place


def of_json(body, kinds, seen):
    document = json.loads(body)
    for path in paths(document):
        place = tuple("[]" if isinstance(step, int) else step for step in path)
        place = ("[]" if isinstance(document, list) else sorted(document)[0], *place)
        if place in seen:
            continue
        seen.add(place)
        kind, damaged = next(kinds), copied(document)
        holder = functools.reduce(operator.getitem, path[:-1], damaged)
        if kind is REMOVED:
            del holder[path[-1]]
        else:
            holder[path[-1]] = kind
        yield f"{place} = {kind!r}", json.dumps(damaged).encode()


def of_xml(body, kinds, seen):
    """Elements are removed, emptied, or get another text."""
    for number, (place, _) in enumerate(elements(ElementTree.fromstring(body))):  # noqa: S314 - recorded
        if place in seen:
            continue
        seen.add(place)
        kind, root = next(kinds), ElementTree.fromstring(body)  # noqa: S314 - recorded
        _, (parent, element) = next(itertools.islice(elements(root), number, None))
        if kind is REMOVED:
            parent.remove(element)
        else:
            element[:] = []
            element.text = kind if isinstance(kind, (str, type(None))) else json.dumps(kind)
        yield f"{place} = {kind!r}", ElementTree.tostring(root)


def paths(value, path=()):
    """The path of each field and item in a JSON value, at any depth."""
    steps = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for step in steps:
        yield (*path, step)
        yield from paths(value[step], (*path, step))


def elements(root, place=()):
    """The elements below: each with its place, by tags, and its parent."""
    place = (*place, root.tag)
    for element in root:
        yield (*place, element.tag), (root, element)
        yield from elements(element, place)


# --- damage -----------------------------------------------------------------------------------------


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


def copied(value):
    """A deep copy; many times as fast as copy.deepcopy, which would take most of these tests' time."""
    return pickle.loads(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))  # noqa: S301 - just dumped


def damage(record, seen=None):
    """Copies of the record, each with one field removed, null, or of another type, and what was done.

    A field in ``seen``, which gets all of this record's, is damaged in one way out of EVERY.
    """
    seen = set() if seen is None else seen
    before, number = frozenset(seen), 0
    for path in paths(record):
        place = tuple("[]" if isinstance(step, int) else step for step in path)
        for kind in (REMOVED, None, "", "text", 7, -1.5, True, [], [7], {}, {"x": 7}):
            number += 1
            if place in before and number % EVERY:
                continue
            damaged = copied(record)
            holder = functools.reduce(operator.getitem, path[:-1], damaged)
            if kind is REMOVED:
                del holder[path[-1]]
            else:
                holder[path[-1]] = kind
            yield damaged, f"{path} = {kind!r}"
        seen.add(place)


REMOVED = object()
