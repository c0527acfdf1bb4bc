"""Runs a target on inputs, and keeps what it does not survive."""

import base64
import contextlib
import dataclasses
import json
import math
import random
import signal
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

from tests.fuzz import inputs
from tests.fuzz.targets import Target, all_targets

CASES = Path(__file__).with_name("cases.json")  # inputs that were crashes once
PATIENCE_S = 5.0  # of CPU time, for one input
MOST_CRASHES = 20  # of a target; it ends there
GENERATIONS = 0.3  # of the inputs are changed ones that are changed again
POOL = 200


class Hang(Exception):
    """An input took too much CPU time."""


@dataclasses.dataclass
class Result:
    """What came of a target's inputs; ``crashes`` are inputs with the exception's text, one for each place."""

    answered: int = 0
    refused: int = 0
    crashes: dict[str, "tuple[bytes, str]"] = dataclasses.field(default_factory=dict)

    def add(self, other: "Result") -> None:
        self.answered += other.answered
        self.refused += other.refused
        self.crashes.update(other.crashes)


def run(target: Target, count: int, seed: str) -> Result:
    """Run the target on so many inputs. The same seed, seeds and code give the same inputs."""
    rng = random.Random(f"{seed}/{target.name}")
    seeds, result = list(target.seeds()), Result()
    pool: list[bytes] = []
    for number in range(count):
        data = seeds[number] if number < len(seeds) and number < count // 2 else None
        if data is None:
            again = pool and rng.random() < GENERATIONS
            data = inputs.mutated(rng.choice(pool if again else seeds), rng)
            if len(data) < 100_000:
                pool[rng.randrange(POOL) :] = (
                    [*pool[POOL:], data] if len(pool) < POOL else pool[-1:]
                )
        crash = one(target, data, result)
        if crash:
            result.crashes.setdefault(*crash)
            if len(result.crashes) >= MOST_CRASHES:
                break
    return result


def part(name: str, count: int, seed: str) -> Result:
    """``run`` for another process, to which a target can't be sent."""
    return run(all_targets()[name], count, seed)


def one(target: Target, data: bytes, result: Result) -> "Optional[tuple[str, tuple[bytes, str]]]":
    """Run one input; a crash as its place, and the input with the exception's text."""
    try:
        with _bounded():
            answered = target.run(data)
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}"
        return place, (data, "".join(traceback.format_exception_only(type(error), error)).strip())
    if answered:
        result.answered += 1
    else:
        result.refused += 1
    return None


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """Raise Hang after PATIENCE_S of CPU time, which does not depend on what else the host does."""

    def late(*_: Any) -> None:
        raise Hang(f"more than {PATIENCE_S:g} s")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def shares(names: list[str], total: int) -> dict[str, int]:
    """How many inputs each target gets."""
    targets = all_targets()
    weights = {name: targets[name].weight for name in names}
    whole = sum(weights.values())
    return {name: math.ceil(total * weight / whole) for name, weight in weights.items()}


# --- cases ------------------------------------------------------------------------------------------


def cases() -> "list[tuple[str, str, bytes]]":
    """(target, what it once ended in, input) of each kept case."""
    kept = json.loads(CASES.read_text(encoding="utf-8"))
    return [(each["target"], each["was"], _read(each)) for each in kept]


def as_case(target: str, was: str, data: bytes) -> dict[str, str]:
    """A crash as an entry of cases.json."""
    try:
        return {"target": target, "was": was, "input": data.decode("ascii")}
    except UnicodeError:
        return {"target": target, "was": was, "base64": base64.b64encode(data).decode()}


def _read(entry: dict[str, str]) -> bytes:
    return base64.b64decode(entry["base64"]) if "base64" in entry else entry["input"].encode()
