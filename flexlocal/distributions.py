"""What modules require, as it may be shipped: pure Python, without what no module uses, compiled.

The wheels of requirements.lock are downloaded once and unpacked once for a manifest, into a "site": a
folder a distribution, and ``requires.json``, which says what each requires. Both stay in dist/.cache.
"""

import fnmatch
import functools
import gzip
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, Callable

from packaging.metadata import parse_email
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from flexlocal.accounts import ROOT
from flexlocal.manifest import Manifest, Module

CACHE = ROOT / "dist" / ".cache"
LOCK = ROOT / "requirements.lock"
BYTECODE = Path(__file__).with_name("bytecode.py")

# Not in the lock file: it is taken as it is installed, and what it says it requires is mostly unused.
NFLEX = "nflex-connector-utils"
# The index has no pure wheel of these; their compiled part is a speed-up that they do without.
NO_PURE_WHEEL = ("pyyaml",)
SERVICE_MODELS = "botocore/data/*/service-2.json.gz"
COMPILED = ("*.so", "*.pyd", "*.dylib", "*.pyx", "*.pxd", "*.c", "*.h")
SITES_KEPT = 8  # of 15 MB each; a change of the manifest or of the lock file makes a new one


class BuildError(Exception):
    """A module that can't be built; the message says why and what to do."""


def site(known: Manifest, module: Module, interpreters: Sequence[str]) -> Path:
    """A folder a distribution, with what may be shipped of it, compiled; kept for other builds."""
    services = {name for each in known.providers.values() for name in each.botocore_data}
    services.update(name for each in known.modules.values() for name in each.botocore_data)
    inputs = (
        LOCK.read_text(encoding="utf-8"),
        Path(__file__).read_text(encoding="utf-8"),
        BYTECODE.read_text(encoding="utf-8"),
        importlib.metadata.version(NFLEX),
        [subprocess.check_output([each, "-VV"], text=True) for each in interpreters],
        known.without_files,
        known.metadata,
        sorted(services),
    )
    made = CACHE / f"site-{hashlib.sha256(repr(inputs).encode()).hexdigest()[:16]}"
    if made.exists():
        return made
    shipped = functools.partial(_is_shipped, known, services)
    requires: dict[str, list[str]] = {}
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=".site-") as temporary:
        fresh = Path(temporary) / "site"
        for wheel in sorted(_wheels(module.oldest).glob("*.whl")):
            name = canonicalize_name(wheel.name.split("-")[0])
            requires[name] = _unpack(wheel, fresh / name, shipped, module.oldest)
        requires[NFLEX] = []
        _copy_nflex(fresh / NFLEX, shipped)
        found = {file: "lib/" + below(file, fresh, 1) for file in sorted(fresh.rglob("*.py"))}
        compile_files(found, interpreters)
        (fresh / "requires.json").write_text(json.dumps(requires), encoding="utf-8")
        os.replace(fresh, made)
    for old in sorted(CACHE.glob("site-*"), key=os.path.getmtime)[:-SITES_KEPT]:
        shutil.rmtree(old)
    return made


def _wheels(oldest: str) -> Path:
    """The wheels of the lock file, downloaded once."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    wheels = CACHE / f"wheels-{digest}"
    if wheels.exists():
        return wheels
    impure = [line for line in _locked() if line.startswith(NO_PURE_WHEEL)]
    pure = [line for line in _locked() if line not in impure]
    cpython = f"--abi=cp{oldest.replace('.', '')}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=".wheels-") as made:
        fresh = Path(made) / "wheels"
        _download(pure, oldest, fresh, "--platform=any", "--implementation=py", "--abi=none")
        _download(
            impure, oldest, fresh, "--platform=manylinux2014_x86_64", "--implementation=cp", cpython
        )
        os.replace(fresh, wheels)
    return wheels


def _download(lines: list[str], oldest: str, folder: Path, *which: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("\n".join(lines))
        listed.flush()
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--only-binary=:all:", "--require-hashes"]
        command += [f"--python-version={oldest}", *which, "-d", str(folder), "-r", listed.name]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise BuildError(f"pip can't get what {LOCK.name} names:\n{done.stderr.strip()}")


def _locked() -> list[str]:
    """The lock file's entries, each with its hashes on one line."""
    text = LOCK.read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _unpack(wheel: Path, folder: Path, shipped: Callable[[str], bool], oldest: str) -> list[str]:
    """Unpack what may be shipped; the names of the distributions that it requires."""
    environment = {"python_version": oldest, "python_full_version": f"{oldest}.0", "extra": ""}
    requires: list[str] = []
    with zipfile.ZipFile(wheel) as packed:
        for name in packed.namelist():
            if name.endswith(".dist-info/METADATA"):
                listed = parse_email(packed.read(name))[0].get("requires_dist", [])
                for each in map(Requirement, listed):
                    if not each.marker or each.marker.evaluate(environment):
                        requires.append(canonicalize_name(each.name))
            if shipped(name):
                packed.extract(name, folder)
                if fnmatch.fnmatchcase(name, SERVICE_MODELS):
                    _leave_out_documentation(folder / name)
    return requires


def _leave_out_documentation(file: Path) -> None:
    """botocore's models are three quarters texts for people: 0.5 MB of a zip, and time at a cold start.

    The licence (Apache 2.0, 4b) wants a notice in a changed file.
    """
    model = _undocumented(json.loads(gzip.decompress(file.read_bytes())))
    model["changed"] = "by flexlocal build: without documentation"
    text = json.dumps(model, separators=(",", ":"))
    file.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def _undocumented(value: Any) -> Any:
    if isinstance(value, list):
        return [_undocumented(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _undocumented(each)
        for key, each in value.items()
        if key != "documentation" or not isinstance(each, str)  # a field may have that name
    }


def _copy_nflex(folder: Path, shipped: Callable[[str], bool]) -> None:
    for file in importlib.metadata.distribution(NFLEX).files or ():
        name = file.as_posix()
        if name.startswith("nflex_connector_utils/") and name.endswith(".py") and shipped(name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), folder / name)


def _is_shipped(known: Manifest, services: Collection[str], name: str) -> bool:
    """Whether a file of a wheel is."""
    top, *rest = name.split("/")
    left_out = (*COMPILED, *known.without_files)
    if name.endswith("/") or top.endswith(".data"):
        return False
    if any(fnmatch.fnmatchcase(name, each) for each in left_out):
        return False
    if top.endswith(".dist-info"):
        if rest == ["METADATA"]:
            return canonicalize_name(top.split("-")[0]) in known.metadata
        return rest[0] == "licenses" or rest[0].startswith(("LICENSE", "NOTICE", "COPYING"))
    return is_data_in_use(name, services)


def is_data_in_use(name: str, services: Collection[str]) -> bool:
    """False for what botocore knows of services that are not in use: 28 of its 30 MB."""
    parts = name.split("/")
    return len(parts) < 4 or parts[:2] != ["botocore", "data"] or parts[2] in services


def closure(
    names: Iterable[str], requires: dict[str, list[str]], without: Collection[str]
) -> set[str]:
    """The distributions, and all that these require, but for those that are not to be shipped."""
    found: set[str] = set()
    todo: list[str] = [canonicalize_name(name) for name in names]
    while todo:
        name = todo.pop()
        if name in found or name in without:
            continue
        if name not in requires:
            raise BuildError(
                f"{name} is not in {LOCK.name}: add it to requirements.txt and run `make lock`, "
                "or correct flexer.yaml"
            )
        found.add(name)
        todo += requires[name]
    return found


def compile_files(files: dict[Path, str], interpreters: Sequence[str]) -> None:
    """Byte code of each interpreter beside the files, which tracebacks call by the names given.

    Each version's has a name of its own in __pycache__, and each Python takes that of its own version.
    """
    # Before 3.11, sets of constants are written in the order of their hashes. Columns are only for the
    # carets in tracebacks, and a fifth of the size.
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONNODEBUGRANGES": "1"}
    listed = json.dumps([(str(file), shown) for file, shown in files.items()])
    for each in interpreters:
        command = [each, "-S", "-s", str(BYTECODE)]
        done = subprocess.run(
            command, input=listed, capture_output=True, text=True, env=environment
        )
        if done.returncode:
            raise BuildError(f"this does not compile:\n{done.stderr.strip()}")


def below(file: Path, folder: Path, parts: int = 0) -> str:
    """The file's path below the folder, without so many of its first parts."""
    return "/".join(file.relative_to(folder).parts[parts:])
