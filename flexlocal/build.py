"""``flexlocal build``: a folder and a zip of each family, with all that it needs and nothing else.

    dist/<family>/main.py            modules/<family>/main.py
                  aws_lambda.py      the entry for AWS Lambda
                  config.yaml        for the vendor's `flexer test`; config.<provider>.yaml for each
                  lib/modules/       the family's cells
                  lib/shared/
                  lib/...            what they require, as in requirements.lock: pure Python only
    dist/<family>.zip                the same

A build is taken over only when its handlers ran from it with nothing else on the path. The same inputs
give the same bytes: fixed times and modes, sorted names, byte code that does not look at its source.
"""

import dataclasses
import fnmatch
import functools
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
from typing import Any, Callable, Optional

import yaml
from packaging.metadata import parse_email
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from flexlocal import accounts, cassette_server, cassettes, pythons
from flexlocal.manifest import Manifest, Module
from shared import run

ROOT = accounts.ROOT
DIST = ROOT / "dist"
CACHE = DIST / ".cache"
LOCK = ROOT / "requirements.lock"
LAMBDA = ROOT / "modules" / "aws_lambda.py"
ISOLATED = Path(__file__).with_name("isolated.py")
RESOURCES, CREDENTIALS = "cmp-connector.resources", "cmp-connector.credentials"

# Not in the lock file: it is taken as it is installed, and what it says it requires is mostly unused.
NFLEX = "nflex-connector-utils"
# The index has no pure wheel of these; their compiled part is a speed-up that they do without.
NO_PURE_WHEEL = ("pyyaml",)
COMPILED = ("*.so", "*.pyd", "*.dylib", "*.pyx", "*.pxd", "*.c", "*.h")
OLDEST_TIME = (1980, 1, 1, 0, 0, 0)  # that a zip can hold

# Byte code without docstrings, a third of it; else as the import system would make it. Its source is
# never looked at again, since unpacking gives that another time.
_COMPILE = """
import ast, importlib.util, json, marshal, os, sys

for file, shown in json.load(sys.stdin):
    source = open(file, "rb").read()
    tree = ast.parse(source, shown)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            if ast.get_docstring(node, clean=False) is not None:
                docstring = node.body.pop(0)
                if not node.body:
                    node.body.append(ast.copy_location(ast.Pass(), docstring))
    code = marshal.dumps(compile(tree, shown, "exec", dont_inherit=True, optimize=0))
    unchecked = (1).to_bytes(4, "little")
    header = importlib.util.MAGIC_NUMBER + unchecked + importlib.util.source_hash(source)
    target = importlib.util.cache_from_source(file)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as written:
        written.write(header + code)
"""
SITES_KEPT = 8  # of 15 MB each; a change of flexer.yaml, the lock file or this file makes a new one
OWN = "own code"  # among the sizes


class BuildError(Exception):
    """A module that can't be built; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Built:
    """One built module. ``sizes`` are unpacked bytes by what they belong to, byte code included."""

    module: Module
    folder: Path
    zip: Path
    sizes: dict[str, int]
    replayed: dict[str, int]  # provider -> resources found in its cassette
    loaded: int  # Python modules, by importing main.py
    import_s: float
    byte_code: bool


def build(
    known: Manifest, family: str, providers: Optional[Collection[str]] = None, dist: Path = DIST
) -> Built:
    """Build a family with the cells of these providers, or of all. Raises BuildError."""
    module = known.modules[family]
    cells = _cells(known, family, providers)
    python = pythons.find(module.python) if module.python else None
    site = _site(known, module, python)
    dist.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=dist, prefix=f".{family}-") as made:
        folder = Path(made) / family
        sizes = _fill(folder, known, module, cells, site, python)
        checks = {cell: _check(folder, module, cell, python or sys.executable) for cell in cells}
        _write_configs(folder, known, module, checks)
        packed = Path(made) / f"{family}.zip"
        _zip(folder, packed)
        _take_over(folder, dist / family)
        os.replace(packed, dist / packed.name)
    return Built(
        module=module,
        folder=dist / family,
        zip=dist / f"{family}.zip",
        sizes=sizes,
        replayed={cell: check.resources for cell, check in checks.items()},
        loaded=next(iter(checks.values())).loaded,
        import_s=min(check.import_s for check in checks.values()),
        byte_code=python is not None,
    )


def _cells(known: Manifest, family: str, providers: Optional[Collection[str]]) -> list[str]:
    there = sorted(run.cells(family))
    for name in there:
        if name not in known.providers:
            raise BuildError(
                f"modules/{family}/{name}.py: flexer.yaml has no {name!r} under 'providers'"
            )
    chosen = [name for name in there if providers is None or name in providers]
    if not chosen:
        raise BuildError(f"{family} has no cell of {', '.join(providers or ())}")
    return chosen


# --- what is required ---------------------------------------------------------------------------


def _site(known: Manifest, module: Module, python: Optional[str]) -> Path:
    """A folder a distribution, with what may be shipped of it, compiled; kept for other builds."""
    services = {name for each in known.providers.values() for name in each.botocore_data}
    services.update(name for each in known.modules.values() for name in each.botocore_data)
    inputs = (
        LOCK.read_text(encoding="utf-8"),
        Path(__file__).read_text(encoding="utf-8"),
        importlib.metadata.version(NFLEX),
        python and module.python,
        known.without_files,
        known.metadata,
        sorted(services),
    )
    site = CACHE / f"site-{hashlib.sha256(repr(inputs).encode()).hexdigest()[:16]}"
    if site.exists():
        return site
    shipped = functools.partial(_is_shipped, known, services)
    requires: dict[str, list[str]] = {}
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=".site-") as made:
        fresh = Path(made) / "site"
        for wheel in sorted(_wheels(module.oldest).glob("*.whl")):
            name = canonicalize_name(wheel.name.split("-")[0])
            requires[name] = _unpack(wheel, fresh / name, shipped, module.oldest)
        requires[NFLEX] = []
        _copy_nflex(fresh / NFLEX, shipped)
        if python:
            found = sorted(fresh.rglob("*.py"))
            _compile({file: "lib/" + _below(file, fresh, 1) for file in found}, python)
        (fresh / "requires.json").write_text(json.dumps(requires), encoding="utf-8")
        os.replace(fresh, site)
    for old in sorted(CACHE.glob("site-*"), key=os.path.getmtime)[:-SITES_KEPT]:
        shutil.rmtree(old)
    return site


def _wheels(oldest: str) -> Path:
    """The wheels of the lock file, downloaded once."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    wheels = CACHE / f"wheels-{digest}"
    if wheels.exists():
        return wheels
    pure = ["--platform=any", "--implementation=py", "--abi=none"]
    some = ["--platform=manylinux2014_x86_64", "--implementation=cp", f"--abi=cp{_tag(oldest)}"]
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=".wheels-") as made:
        fresh = Path(made) / "wheels"
        for wanted, options in ((False, pure), (True, some)):
            lines = [each for each in _locked() if each.startswith(NO_PURE_WHEEL) is wanted]
            listed = Path(made) / "listed.txt"
            listed.write_text("\n".join(lines), encoding="utf-8")
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            command += ["--disable-pip-version-check", "--only-binary=:all:", "--require-hashes"]
            command += [f"--python-version={oldest}", *options, "-d", str(fresh), "-r", str(listed)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise BuildError(f"pip can't get what {LOCK.name} names:\n{done.stderr.strip()}")
        os.replace(fresh, wheels)
    return wheels


def _locked() -> list[str]:
    """The lock file's entries, each with its hashes on one line."""
    text = LOCK.read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _tag(version: str) -> str:
    return version.replace(".", "")


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
    return requires


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
    return _is_data_in_use(name, services)


def _is_data_in_use(name: str, services: Collection[str]) -> bool:
    """False for what botocore knows of services that are not in use: 28 of its 30 MB."""
    parts = name.split("/")
    return len(parts) < 4 or parts[:2] != ["botocore", "data"] or parts[2] in services


def _closure(
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


# --- the folder ---------------------------------------------------------------------------------


def _fill(
    folder: Path,
    known: Manifest,
    module: Module,
    cells: Sequence[str],
    site: Path,
    python: Optional[str],
) -> dict[str, int]:
    """Copy what belongs into the folder; the bytes of each part of it."""
    lib = folder / "lib"
    family = ROOT / "modules" / module.family
    shared = [
        file
        for file in (ROOT / "shared").rglob("*.py")
        if file.parent.name != "providers" or file.stem in ("__init__", *cells)
    ]
    ours = {
        family / "main.py": folder,
        LAMBDA: folder,
        ROOT / "modules/__init__.py": lib / "modules",
    }
    ours.update(
        {family / f"{name}.py": lib / "modules" / family.name for name in _with_init(cells)}
    )
    ours.update({file: lib / file.parent.relative_to(ROOT) for file in shared})
    for file, target in ours.items():
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target / file.name)
    if python:
        found = sorted(folder.rglob("*.py"))
        _compile({file: _below(file, folder) for file in found}, python)
    sizes = {OWN: _size(folder)}
    services = {*module.botocore_data}
    wanted = [*module.requires]
    for cell in cells:
        wanted += known.providers[cell].requires
        services.update(known.providers[cell].botocore_data)
    requires = json.loads((site / "requires.json").read_text(encoding="utf-8"))
    for name in sorted(_closure(wanted, requires, known.without_distributions)):
        sizes[name] = _copy(site / name, lib, services)
    return sizes


def _with_init(cells: Sequence[str]) -> list[str]:
    return ["__init__", *cells]


def _copy(distribution: Path, lib: Path, services: Collection[str]) -> int:
    size = 0
    for file in sorted(distribution.rglob("*")):
        name = _below(file, distribution)
        if file.is_file() and _is_data_in_use(name, services):
            (lib / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, lib / name)
            size += file.stat().st_size
    return size


def _compile(files: dict[Path, str], python: str) -> None:
    """Byte code beside the files, which tracebacks call by the names given."""
    # Sets of constants are written in the order of their hashes; columns are for carets in tracebacks.
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONNODEBUGRANGES": "1"}
    listed = json.dumps([(str(file), shown) for file, shown in files.items()])
    command = [python, "-S", "-s", "-c", _COMPILE]
    done = subprocess.run(command, input=listed, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise BuildError(f"this does not compile:\n{done.stderr.strip()}")


def _below(file: Path, folder: Path, parts: int = 0) -> str:
    """The file's path below the folder, without so many of its first parts."""
    return "/".join(file.relative_to(folder).parts[parts:])


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


# --- is it whole? ---------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Checked:
    resources: int
    types: tuple[str, ...]
    loaded: int
    import_s: float


def _check(folder: Path, module: Module, provider: str, python: str) -> _Checked:
    """Replay the provider's cassette with nothing on the path but what is shipped."""
    account = accounts.demo().get(f"demo-{provider}")
    if account is None:
        raise BuildError(f"cassettes/accounts.yaml has no account demo-{provider} to check with")
    told = {}
    for source in (RESOURCES, CREDENTIALS):
        with cassette_server.serving(cassettes.path(module.family, provider)) as server:
            told[source] = alone(
                folder, module.events[source], account.event(), python, server.port
            )
        wrong = _wrong(source, told[source], server, module)
        if wrong:
            raise BuildError(
                f"{module.family} of {provider} does not run with what it is shipped with "
                f"(flexer.yaml: requires, botocore_data, leave_out): {wrong}"
            )
    resources = told[RESOURCES]["answer"]
    return _Checked(
        resources=len(resources),
        types=tuple(sorted({each["type"] for each in resources})),
        loaded=told[RESOURCES]["loaded"],
        import_s=min(each["import_s"] for each in told.values()),
    )


def _wrong(
    source: str, told: dict[str, Any], server: cassette_server.CassetteServer, module: Module
) -> Optional[str]:
    """What is wrong with an isolated call; None if nothing is."""
    if "error" in told:
        kind, message, trace = told["error"]
        asked = f" (not recorded: {', '.join(server.missing)})" if server.missing else ""
        return f"{kind}: {message}{asked}\n{trace}"
    lacking = sorted({*module.events.values()} - {*told["handlers"]})
    if lacking:
        return f"main.py has no handler {lacking[0]!r}, which flexer.yaml names"
    if source == CREDENTIALS:  # not all are recorded: a refusal will do, a bug would not
        return None if "ok" in told["answer"] else f"{told['answer']} is no answer"
    if server.missing or server.unused:
        return f"not recorded: {server.missing}; recorded and not asked for: {server.unused}"
    return None if told["answer"] else "it found nothing in its cassette"


def alone(
    folder: Path, handler: str, event: Any, python: str = sys.executable, port: Optional[int] = None
) -> dict[str, Any]:
    """What isolated.py tells of one call of a built module's handler."""
    command = [python, "-B", "-I", "-S", str(ISOLATED), str(folder), handler]
    if port is not None:
        command.append(str(port))
    done = subprocess.run(
        command, input=json.dumps(event), capture_output=True, text=True, env={"PATH": ""}
    )
    if done.returncode:
        raise BuildError(f"{folder.name}: {handler} did not end:\n{done.stderr.strip()}")
    return json.loads(done.stdout)


# --- what else is in it -----------------------------------------------------------------------------


def _write_configs(
    folder: Path, known: Manifest, module: Module, checks: dict[str, _Checked]
) -> None:
    """What the vendor's ``flexer test`` asks for: no value of a credential, only their names."""
    for number, (cell, check) in enumerate(checks.items()):
        config = {
            "name": module.name,
            "type": cell,
            "provider": cell,
            "account_id": f"test-{cell}",
            "customer_id": "test",
            "user_id": "test",
            "poll_type": "resources",
            "poll_interval": module.schedule,
            "credentials_keys": list(known.providers[cell].credentials_keys),
            "expected_resources": list(check.types),
            "resource": {
                "id": f"test-{cell}",
                "type": "account",
                "account_id": f"test-{cell}",
                "customer_id": "test",
                "poll_interval": module.schedule,
            },
        }
        text = yaml.safe_dump(config, sort_keys=False)
        (folder / f"config.{cell}.yaml").write_text(text, encoding="utf-8")
        if number == 0:
            (folder / "config.yaml").write_text(text, encoding="utf-8")


def _zip(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for file in sorted(folder.rglob("*"), key=lambda file: _below(file, folder)):
            if file.is_file():
                entry = zipfile.ZipInfo(_below(file, folder), OLDEST_TIME)
                entry.create_system = 3  # Unix: the modes below
                entry.external_attr = 0o644 << 16
                packed.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, 9)


def _take_over(fresh: Path, folder: Path) -> None:
    """Put the folder in the place of the old one, which goes with the temporary folder."""
    if folder.exists():
        os.replace(folder, fresh.with_name("old"))
    os.replace(fresh, folder)
