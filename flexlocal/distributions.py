"""The libraries that modules require, ready for shipping: pure Python, compiled, and without the comments of their
sources.

The wheels of requirements.lock are downloaded once, and unpacked once into a "site": a folder per distribution, and
``requires.json``, which says what each distribution requires. Both stay in dist/.cache. ``shipped`` says which of
their files the manifest lets into a zip.
"""

import fnmatch
import functools
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from packaging.metadata import parse_email
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from flexlocal import bare, pythons
from flexlocal.accounts import ROOT
from flexlocal.manifest import Manifest

CACHE = ROOT / "dist" / ".cache"
LOCK = ROOT / "requirements.lock"
BYTECODE = Path(__file__).with_name("bytecode.py")

# Not in the lock file: the installed one is shipped, without its declared requirements, which are mostly unused.
NFLEX = "nflex-connector-utils"
# The index has no pure wheel of these; they work without their compiled part, which only makes them faster.
NO_PURE_WHEEL = ("pyyaml",)
COMPILED = ("*.so", "*.pyd", "*.dylib", "*.pyx", "*.pxd", "*.c", "*.h")
SITES_KEPT = 3  # of 75 MB each; a change of the lock file or of a Python makes a new one


class BuildError(Exception):
    """A module that can't be built; the message says why and what to do."""


def site(known: Manifest, oldest: str) -> Path:
    """A folder per distribution with all its files that any Python can use, kept for later builds.

    They are compiled for every Python of the manifest that this host has.
    """
    versions = sorted({version for module in known.modules.values() for version in module.pythons})
    found = [pythons.find(version) for version in versions]
    interpreters = [interpreter for interpreter in found if interpreter]
    inputs = (
        LOCK.read_text(encoding="utf-8"),
        Path(__file__).read_text(encoding="utf-8"),
        BYTECODE.read_text(encoding="utf-8"),
        Path(bare.__file__).read_text(encoding="utf-8"),
        importlib.metadata.version(NFLEX),
        oldest,
        [
            subprocess.check_output([item, "-VV"], text=True)  # noqa: S603 - a Python of this host
            for item in interpreters
        ],
    )
    site_folder = CACHE / f"site-{hashlib.sha256(repr(inputs).encode()).hexdigest()[:16]}"
    if site_folder.exists():
        os.utime(site_folder)  # the least recently used are removed
        return site_folder
    requires: dict[str, list[str]] = {}
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=".site-") as temporary:
        fresh = Path(temporary) / "site"
        for wheel in sorted(wheels(oldest).glob("*.whl")):
            name = canonicalize_name(wheel.name.split("-")[0])
            requires[name] = _unpack(wheel, fresh / name, oldest)
        requires[NFLEX] = []
        _copy_nflex(fresh / NFLEX)
        sources = {file: "lib/" + below(file, fresh, 1) for file in sorted(fresh.rglob("*.py"))}
        compile_files(sources, interpreters)
        (fresh / "requires.json").write_text(json.dumps(requires), encoding="utf-8")
        _keep(fresh, site_folder)
    for old in sorted(CACHE.glob("site-*"), key=os.path.getmtime)[:-SITES_KEPT]:
        shutil.rmtree(old, ignore_errors=True)  # another build may remove it, too
    return site_folder


def _keep(fresh: Path, place: Path) -> None:
    """Move the folder to its place, unless another build that runs beside this one was first: they are alike."""
    try:
        os.replace(fresh, place)
    except OSError:
        if not place.is_dir():
            raise


def wheels(oldest: str) -> Path:
    """The wheels of the lock file, downloaded once."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    folder = CACHE / f"wheels-{digest}"
    if folder.exists():
        return folder
    impure = [line for line in _locked() if line.startswith(NO_PURE_WHEEL)]
    pure = [line for line in _locked() if line not in impure]
    cpython = f"--abi=cp{oldest.replace('.', '')}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=".wheels-") as temporary:
        fresh = Path(temporary) / "wheels"
        _download(pure, oldest, fresh, "--platform=any", "--implementation=py", "--abi=none")
        _download(
            impure, oldest, fresh, "--platform=manylinux2014_x86_64", "--implementation=cp", cpython
        )
        _keep(fresh, folder)
    return folder


def _download(lines: list[str], oldest: str, folder: Path, *which: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("\n".join(lines))
        listed.flush()
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--only-binary=:all:", "--require-hashes"]
        command += [f"--python-version={oldest}", *which, "-d", str(folder), "-r", listed.name]
        done = subprocess.run(  # noqa: S603 - pip, with the lock file's lines
            command, capture_output=True, text=True
        )
    if done.returncode:
        raise BuildError(f"pip can't get what {LOCK.name} names:\n{done.stderr.strip()}")


def _locked() -> list[str]:
    """The lock file's entries, each with its hashes on one line."""
    text = LOCK.read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _unpack(wheel: Path, folder: Path, oldest: str) -> list[str]:
    """Unpack a wheel without what is not Python's; returns the names of the distributions that it requires."""
    environment = {"python_version": oldest, "python_full_version": f"{oldest}.0", "extra": ""}
    requires: list[str] = []
    with zipfile.ZipFile(wheel) as packed:
        for name in packed.namelist():
            if name.endswith(".dist-info/METADATA"):
                listed = parse_email(packed.read(name))[0].get("requires_dist", [])
                for requirement in map(Requirement, listed):
                    if not requirement.marker or requirement.marker.evaluate(environment):
                        requires.append(canonicalize_name(requirement.name))
            data = name.split("/")[0].endswith(".data")  # scripts and the like
            if not (name.endswith("/") or data or _is_one_of(name, COMPILED)):
                packed.extract(name, folder)
                if name.endswith(".py"):
                    source = folder / name
                    source.write_bytes(bare.bare(source.read_bytes()))
    return requires


def _copy_nflex(folder: Path) -> None:
    for file in importlib.metadata.distribution(NFLEX).files or ():
        name = file.as_posix()
        if name.startswith("nflex_connector_utils/") and name.endswith(".py"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(bare.bare(Path(str(file.locate())).read_bytes()))


def shipped(
    distribution: Path, known: Manifest, versions: Collection[str], services: Collection[str]
) -> list[str]:
    """The files of a distribution, in a site, that are shipped for these Pythons, with these services of AWS."""
    others = {version for module in known.modules.values() for version in module.pythons}
    unused = {f".cpython-{version.replace('.', '')}.pyc" for version in others.difference(versions)}
    return [
        name
        for name in _names(distribution)
        if _is_shipped(name, known, services) and not name.endswith(tuple(unused))
    ]


@functools.lru_cache(maxsize=64)
def _names(distribution: Path) -> tuple[str, ...]:
    """All files of a distribution in a site, which stays as it is: several modules are built of it."""
    files = (file for file in sorted(distribution.rglob("*")) if file.is_file())
    return tuple(below(file, distribution) for file in files)


def _is_shipped(name: str, known: Manifest, services: Collection[str]) -> bool:
    top, *rest = name.split("/")
    if _is_one_of(_source(name), known.without_files):
        return False
    if top.endswith(".dist-info"):
        if rest == ["METADATA"]:
            return canonicalize_name(top.split("-")[0]) in known.metadata
        return rest[0] == "licenses" or rest[0].startswith(("LICENSE", "NOTICE", "COPYING"))
    # Of botocore's data, the models of services that are not in use are 28 of 30 MB.
    return len(rest) < 3 or [top, rest[0]] != ["botocore", "data"] or rest[1] in services


def _is_one_of(name: str, patterns: Iterable[str]) -> bool:
    return _any_of(tuple(patterns)).match(name) is not None


@functools.cache
def _any_of(patterns: tuple[str, ...]) -> "re.Pattern[str]":
    """What matches as one of these patterns of fnmatch does, whether there is any or none."""
    return re.compile("|".join(map(fnmatch.translate, patterns)) or r"(?!)")


def _source(name: str) -> str:
    """The file that byte code was made of; other files are their own."""
    folder, between, file = name.rpartition("__pycache__/")
    return f"{folder}{file.partition('.')[0]}.py" if between else name


def closure(
    names: Iterable[str], requires: dict[str, list[str]], without: Collection[str]
) -> set[str]:
    """The distributions and everything that they require, except those that are not shipped."""
    names_of_all: set[str] = set()
    todo: list[str] = [canonicalize_name(name) for name in names]
    while todo:
        name = todo.pop()
        if name in names_of_all or name in without:
            continue
        if name not in requires:
            raise BuildError(
                f"{name} is not in {LOCK.name}: add it to requirements.txt and run `make lock`, "
                "or correct flexer.yaml"
            )
        names_of_all.add(name)
        todo += requires[name]
    return names_of_all


def compile_files(files: dict[Path, str], interpreters: Sequence[str]) -> None:
    """Write byte code of each interpreter beside the files; tracebacks show the given names.

    Byte code has its version in its name in __pycache__, so each Python loads its own.
    """
    # Before 3.11, sets of constants are written in the order of their hashes. Column numbers only serve the
    # carets in tracebacks, and are a fifth of the size.
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONNODEBUGRANGES": "1"}
    listed = json.dumps([(str(file), shown) for file, shown in files.items()])
    for interpreter in interpreters:
        command = [interpreter, "-S", "-s", str(BYTECODE)]
        done = subprocess.run(  # noqa: S603 - a Python of this host
            command, input=listed, capture_output=True, text=True, env=environment
        )
        if done.returncode:
            raise BuildError(f"this does not compile:\n{done.stderr.strip()}")


def below(file: Path, folder: Path, parts: int = 0) -> str:
    """The file's path relative to the folder, without its first ``parts`` parts."""
    return "/".join(file.relative_to(folder).parts[parts:])
