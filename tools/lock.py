"""Writes the lock files: ``python -m tools.lock``.

A lock file names exact versions of what requirement files come to, with the hashes of their files, so that one
build, and one `make test`, is like another. uv resolves, since pip resolves only for the Python it runs on.

requirements.lock is for the zips: one version of each library, which runs on the oldest Python that the manifest
names and on all newer ones. The others are for development, where each Python gets the newest version that
supports it, by markers.
"""

import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.requirements import Requirement

from flexlocal import manifest
from flexlocal.accounts import ROOT

RUNTIME = "requirements.txt"
DEMO = (
    RUNTIME,
    "requirements/flexlocal.txt",
    "requirements/inventory.txt",
    "requirements/serve.txt",
)
TEST = (*DEMO, "requirements/cluster.txt", "requirements/keyring.txt", "requirements/test.txt")
UNIVERSAL = ("--universal",)
# What is installed into the environment of `make test` has the versions that are there.
BESIDE_TEST = (*UNIVERSAL, "--constraint", "requirements/test.lock")


@dataclass(frozen=True)
class Lock:
    """A lock file: its name, what it is for, what it locks, and uv's options."""

    name: str
    purpose: str
    sources: tuple[str, ...]
    options: tuple[str, ...] = UNIVERSAL
    oldest: str = "3.9"


# In this order: the later ones are constrained by the test's.
LOCKS = (
    Lock("requirements.lock", "What the zips are built with", (RUNTIME,), ()),
    Lock("requirements/test.lock", "What `make test` installs", TEST),
    Lock("requirements/flexlocal.lock", "What `make demo` installs", DEMO, BESIDE_TEST),
    Lock(
        "requirements/docs.lock",
        "What `make docs` installs besides",
        ("requirements/docs.txt",),
        BESIDE_TEST,
        oldest="3.11",
    ),
    Lock(
        "requirements/lab.lock",
        "What `make test-openstack` installs",
        (*TEST, "requirements/lab.txt"),
        BESIDE_TEST,
    ),
    Lock(
        "requirements/postgresql.lock",
        "What `make test-postgres` installs besides",
        ("requirements/postgresql.txt",),
        BESIDE_TEST,
    ),
    Lock(
        "requirements/cluster.lock",
        "What `make worker` installs besides, for workers on many machines",
        ("requirements/postgresql.txt", "requirements/cluster.txt"),
        BESIDE_TEST,
    ),
    Lock(
        "requirements/deploy.lock",
        "What `make test-deploy` installs besides",
        ("requirements/deploy.txt",),
        BESIDE_TEST,
    ),
    Lock(
        "requirements/fuzz.lock",
        "What `make fuzz-guided` installs besides",
        ("requirements/fuzz.txt",),
        BESIDE_TEST,
    ),
    Lock(
        "requirements/mutants.lock",
        "What `make mutants` installs besides",
        ("requirements/mutants.txt",),
        BESIDE_TEST,
    ),
    Lock(
        "requirements/bench.lock",
        "What `make bench` compares with, in an environment of its own",
        ("requirements/bench.txt",),
    ),
    Lock(
        "requirements/audit.lock",
        "What `make audit` and `make sbom` use, in an environment of its own",
        ("requirements/audit.txt",),
    ),
    Lock(
        "requirements/schemathesis.lock",
        "What `make test-schemathesis` runs, in an environment of its own",
        ("requirements/schemathesis.txt",),
    ),
    Lock(
        "requirements/juju-29.lock",
        "Juju 2.9's client, in an environment of its own",
        ("requirements/juju-29.txt",),
    ),
    Lock(
        "requirements/juju-3.lock",
        "Juju's newest client, in an environment of its own",
        ("requirements/juju-3.txt",),
    ),
    Lock(
        "requirements/nflex.lock",
        "What is installed without what it requires",
        ("requirements/nflex.txt",),
        ("--no-deps",),
    ),
    Lock(
        "requirements/flexer.lock",
        "What is installed without what it requires",
        ("requirements/flexer.txt",),
        ("--no-deps",),
    ),
)


def requirements(source: str) -> Iterator[str]:
    """The lines of a requirement file, without comments."""
    for line in (ROOT / source).read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text:
            yield text


def entries(text: str) -> Iterator[Requirement]:
    """What a lock file names, each with ``==`` and perhaps a marker."""
    for line in text.splitlines():
        if line and not line.startswith(("#", " ")):
            yield Requirement(line.rstrip(" \\"))


def header(lock: Lock) -> str:
    """The first lines of a lock file. The digest is of what was locked: see tests/test_lock.py."""
    wanted = sorted(line for source in lock.sources for line in requirements(source))
    digest = hashlib.sha256("\n".join([*lock.options, lock.oldest, *wanted]).encode()).hexdigest()
    return (
        f"# {lock.purpose}: {', '.join(lock.sources)}, for Python {lock.oldest} and newer.\n"
        f"# Written by `make lock` from requirements with the digest {digest[:16]}.\n"
    )


def resolved(lock: Lock) -> str:
    command = ["uv", "pip", "compile", *lock.sources, *lock.options, "--quiet", "--no-header"]
    command += [
        "--no-annotate",
        "--no-emit-index-url",
        "--no-emit-find-links",
        "--no-python-downloads",
    ]
    command += ["--generate-hashes", "--python-version", lock.oldest]
    done = subprocess.run(  # noqa: S603 - uv, as locked
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return header(lock) + done.stdout


if __name__ == "__main__":
    oldest = next(iter(manifest.load().modules.values())).oldest  # the same for all
    if {oldest} != {LOCKS[0].oldest, LOCKS[1].oldest}:
        raise SystemExit(f"flexer.yaml says target.oldest is {oldest}; tools/lock.py differs")
    for lock in LOCKS:
        (ROOT / lock.name).write_text(resolved(lock), encoding="utf-8")
