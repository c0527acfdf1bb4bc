"""What the tests of built modules share: the builds themselves, made once a test run."""

import fcntl
import functools
import json
import os
import pickle
from pathlib import Path

import pytest

from flexlocal import build, distributions, manifest
from flexlocal.__main__ import families

ROOT = build.ROOT
MANIFEST = manifest.load()
CELLS = [(family, provider) for family, cells in families().items() for provider in sorted(cells)]
DIST = build.DIST / ".tests"


def some(mark):
    """CELLS as parameters, with the mark on all but one of each family and one of each provider.

    AWS's come last, since they take longest.
    """
    kept = set()
    for cell in sorted(CELLS, key=lambda cell: cell[1] == "aws"):
        if not {*cell} <= {name for other in kept for name in other}:
            kept.add(cell)
    return [pytest.param(*cell, marks=() if cell in kept else mark) for cell in CELLS]


# The same in all processes that run tests side by side.
RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid())


@functools.cache
def module(family):
    """The family's module with all its cells, built beside what `make build` built."""
    wheels = list(distributions.CACHE.glob("wheels-*"))
    assert wheels, "run `make wheels` first: the tests get nothing from the network"
    DIST.mkdir(parents=True, exist_ok=True)
    with open(DIST / f"{family}.pickle", "a+b") as kept:
        fcntl.flock(kept, fcntl.LOCK_EX)  # until it is closed: one process builds, the others wait
        kept.seek(0)
        content = kept.read()
        run, built = pickle.loads(content) if content else (None, None)  # noqa: S301 - dumped below
        if run != RUN:
            built = build.build(MANIFEST, family, dist=DIST)
            kept.truncate(0)
            pickle.dump((RUN, built), kept)
    return built


def expected(family, provider):
    """What the cell's cassette comes to."""
    file = ROOT / "tests" / "expected" / family / f"{provider}.json"
    return without_clock(json.loads(file.read_text(encoding="utf-8")))


def without_clock(resources):
    """The resources without the time at which they were seen, the one thing that differs."""
    for resource in resources:
        assert resource["base"].pop("last_seen_at")
    return resources


def clean_environment(home: Path, **more):
    """The variables that a program needs which must see nothing of this host, and leave nothing there."""
    kept = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    return {**kept, "HOME": str(home), **more}
