"""What the tests of built modules share: the builds themselves, made once a test run."""

import functools
import json
import os
from pathlib import Path

from flexlocal import build, distributions, manifest
from flexlocal.__main__ import families

ROOT = build.ROOT
MANIFEST = manifest.load()
CELLS = [(family, provider) for family, cells in families().items() for provider in sorted(cells)]
# One for each of the processes that run tests side by side.
DIST = build.DIST / f".tests{os.environ.get('PYTEST_XDIST_WORKER', '')}"


@functools.cache
def module(family):
    """The family's module with all its cells, built beside what `make build` built."""
    wheels = list(distributions.CACHE.glob("wheels-*"))
    assert wheels, "run `make build` first: the tests get nothing from the network"
    return build.build(MANIFEST, family, dist=DIST)


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
