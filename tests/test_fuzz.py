"""A little fuzzing of every target (tests/fuzz), which `make fuzz` does with a million inputs; and what crashed once."""

import json

import pytest

from shared.engine.errors import UnexpectedResponse
from tests.fuzz import inputs, runs, targets

TARGETS = targets.all_targets()
INPUTS = 40  # of each target; of whole polls, which take longer, 3

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.mark.parametrize("name", TARGETS)
def test_inputs_are_answered_or_refused_as_documented(name):
    target = TARGETS[name]
    count = INPUTS if target.weight >= 1 else 3
    result = runs.run(target, count, "tests")
    assert result.crashes == {}
    assert result.answered + result.refused == count


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_recorded_is_answered(name):
    """Else the inputs would be refused before they reach anything."""
    target = TARGETS[name]
    seeds = target.seeds()[:3] if target.weight < 1 else target.seeds()
    answered = [target.run(data) for data in seeds]
    assert answered
    assert answered.count(True) >= len(answered) * 0.9


def test_what_crashed_once():
    for name, was, data in runs.cases():
        assert runs.one(TARGETS[name], data, runs.Result()) is None, was


def test_every_cell_is_a_target():
    converters = {name for name in TARGETS if name.startswith("convert ")}
    assert converters == {f"convert {family}/{provider}" for family, provider in targets.CELLS}


def test_the_same_seed_gives_the_same_inputs_and_another_one_others():
    target = TARGETS["json"]
    given = []
    noted = targets.Target("noted", target.seeds, lambda data: bool(given.append(data)))
    for seed in ("a", "a", "b"):
        runs.run(noted, 100, seed)
    first, second, third = given[:100], given[100:200], given[200:]
    assert first == second
    assert first != third
    assert len(set(first)) > 80


def test_a_head_stays_as_it_is():
    assert inputs.head(b"12 200\n{}") == (b"12 200\n", b"{}")
    assert inputs.head(b"12") == (b"", b"12")
    rng = targets.inputs.random.Random(1)
    assert all(inputs.mutated(b'3\n{"a": [1]}', rng).startswith(b"3\n") for _ in range(200))


@pytest.mark.parametrize(
    "raised, place",
    [(KeyError("x"), "KeyError at test_fuzz.py"), (runs.Hang("y"), "Hang at test_fuzz.py")],
)
def test_what_is_no_documented_error_is_a_crash(raised, place):
    def run(data):
        raise raised

    target = targets.Target("x", lambda: [b"{}"], run)
    result = runs.run(target, 5, "s")
    ((found, (data, text)),) = result.crashes.items()
    assert found.startswith(place)
    assert data == b"{}"
    assert type(raised).__name__ in text


def test_a_hang_ends(monkeypatch):
    monkeypatch.setattr(runs, "PATIENCE_S", 0.05)

    def run(data):
        while True:
            pass

    result = runs.run(targets.Target("x", lambda: [b"{}"], run), 1, "s")
    ((_, text),) = result.crashes.values()
    assert text.endswith("Hang: more than 0.05 s")


@pytest.mark.parametrize(
    "error, crash",
    [(UnexpectedResponse("x"), False), (KeyError("x"), True), (RecursionError(), False)],
)
def test_a_converter_may_only_refuse_as_documented(error, crash):
    """Its errors pass through the engine, which takes a few for the data's."""

    def convert(*_):
        raise error

    target = targets._of_records("x", "netbox", lambda: [({"a": 1}, None, None)], convert)
    assert bool(runs.run(target, 20, "s").crashes) == crash


def test_an_event_that_shows_its_secret_is_a_crash(monkeypatch):
    (data, *_) = TARGETS["event"].seeds()
    event = json.loads(data)
    with pytest.raises(AssertionError, match="a secret is shown"):
        targets._shows_no_secret(event, f"the password is {targets.CANARY}")
    targets._shows_no_secret({**event, "credentials": {}}, targets.CANARY)


def test_a_case_is_read_as_it_was_written():
    for data in (b'3\n{"a": 1}', b"\xff\x00", "é".encode()):
        entry = json.loads(json.dumps(runs.as_case("json", "was", data)))
        assert runs._read(entry) == data


def test_inputs_are_split_by_weight():
    names = list(TARGETS)
    found = runs.shares(names, 1_000_000)
    assert sum(found.values()) == pytest.approx(1_000_000, rel=0.01)
    assert found["event"] > found["json"] > found["get volumes/netbox"] > 100
