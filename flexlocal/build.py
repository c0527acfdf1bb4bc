"""``flexlocal build``: a folder and a zip per family, with everything that it needs and nothing else.

    dist/<family>/main.py            modules/<family>/main.py
                  aws_lambda.py      the entry for AWS Lambda
                  config.yaml        for the vendor's `flexer test`; config.<provider>.yaml per provider
                  lib/modules/       the family's cells
                  lib/shared/
                  lib/mapping.yaml
                  lib/...            the libraries that they require, as locked in requirements.lock: pure Python
    dist/<family>.zip                the same

A build replaces the last one only after its handlers ran from it with nothing else on the path. The same inputs
give the same bytes: fixed times and modes, sorted names, byte code that is not checked against its source.
"""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Optional

import yaml

from flexlocal import (
    accounts,
    cassette_server,
    cassettes,
    distributions,
    pythons,
    reachable,
    service_models,
)
from flexlocal.distributions import BuildError, below
from flexlocal.manifest import Manifest, Module
from shared.engine import poll
from shared.records import mapping

ROOT = accounts.ROOT
DIST = ROOT / "dist"
LAMBDA = ROOT / "modules" / "aws_lambda.py"
ISOLATED = Path(__file__).with_name("isolated.py")
RESOURCES, CREDENTIALS = "cmp-connector.resources", "cmp-connector.credentials"
STATUS, METRICS, LOGS = (f"cmp-connector.{what}" for what in ("status", "metrics", "logs"))

OLDEST_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can store
OWN = "own code"  # key of this project's code among the sizes
PATIENCE_S = 300.0  # for one handler to answer from its cassette, a few seconds on a busy host


@dataclasses.dataclass(frozen=True)
class Built:
    """One built module. ``sizes`` are the unpacked bytes of each distribution, byte code included."""

    module: Module
    folder: Path
    zip: Path
    sizes: dict[str, int]
    replayed: dict[str, int]  # provider -> resources found in its cassette
    loaded: int  # Python modules that importing main.py loads
    import_s: float
    byte_code: tuple[str, ...]  # the Python versions that it contains byte code for


def build(
    known: Manifest, family: str, providers: Collection[str] = (), dist: Path = DIST
) -> Built:
    """Build a family with the cells of these providers, or of all if none is named. Raises BuildError."""
    module = known.modules[family]
    try:
        mapping.load(ROOT / "mapping.yaml")
    except mapping.MappingError as error:
        raise BuildError(f"mapping.yaml: {error}") from None
    cells = _cells(known, family, providers)
    interpreter_of = {version: pythons.find(version) for version in module.pythons}
    interpreters = [interpreter for interpreter in interpreter_of.values() if interpreter]
    site = distributions.site(known, module.oldest)
    dist.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=dist, prefix=f".{family}-") as temporary:
        folder = Path(temporary) / family
        sizes = _fill(folder, known, module, cells, site, interpreters)
        python = interpreters[0] if interpreters else sys.executable
        checks = {cell: _check(folder, module, cell, python) for cell in cells}
        for interpreter in interpreters:
            _check_byte_code(folder, module, interpreter)
        _write_configs(folder, known, module, checks)
        packed = Path(temporary) / f"{family}.zip"
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
        byte_code=tuple(version for version, interpreter in interpreter_of.items() if interpreter),
    )


def _cells(known: Manifest, family: str, providers: Collection[str]) -> list[str]:
    existing = sorted(poll.cells(family))
    for name in existing:
        if name not in known.providers:
            raise BuildError(
                f"modules/{family}/{name}: flexer.yaml has no {name!r} under 'providers'"
            )
    chosen = [name for name in existing if not providers or name in providers]
    if not chosen:
        raise BuildError(f"{family} has no cell of {', '.join(providers)}")
    return chosen


# --- the folder ---------------------------------------------------------------------------------


def _fill(
    folder: Path,
    known: Manifest,
    module: Module,
    cells: Sequence[str],
    site: Path,
    interpreters: Sequence[str],
) -> dict[str, int]:
    """Copy everything into the folder; returns the size of each part in bytes."""
    lib = folder / "lib"
    family = f"modules.{module.family}"
    entry = ROOT / "modules" / module.family / "main.py"
    names = [f"{family}.main", *(f"{family}.{name}" for name in cells)]
    names += [f"shared.providers.{name}" for name in cells]
    try:
        reached = reachable.files(ROOT, names)
    except SyntaxError as error:
        where = below(Path(error.filename or ""), ROOT)
        raise BuildError(f"{where}, line {error.lineno}: {error.msg}") from None
    ours = [(entry, folder), (LAMBDA, folder)]
    ours += [(file, lib / file.parent.relative_to(ROOT)) for file in reached if file != entry]
    if ROOT / "shared" / "records" / "mapping.py" in reached:  # which reads mapping.yaml
        ours.append((ROOT / "mapping.yaml", lib))
    for file, target in ours:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target / file.name)
    sources = sorted(folder.rglob("*.py"))
    distributions.compile_files({file: below(file, folder) for file in sources}, interpreters)
    sizes = {OWN: _size(folder)}
    services = {*module.botocore_data}
    wanted = [*module.requires]
    for cell in cells:
        wanted += known.providers[cell].requires
        services.update(known.providers[cell].botocore_data)
    requires = json.loads((site / "requires.json").read_text(encoding="utf-8"))
    shipped = distributions.closure(wanted, requires, known.without_distributions)
    files = {
        name: distributions.shipped(site / name, known, module.pythons, services)
        for name in sorted(shipped)
    }
    for name, its_files in files.items():
        _copy(its_files, site / name, lib)
    if "botocore" in shipped:
        _cut_models(lib, module.family, cells, reached)
    for name, its_files in files.items():
        sizes[name] = sum((lib / file).stat().st_size for file in its_files)
    return sizes


def _copy(names: Sequence[str], source: Path, target: Path) -> None:
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)


def _cut_models(lib: Path, family: str, cells: Sequence[str], reached: Sequence[Path]) -> None:
    """Leave in botocore's data what the family's cells call, and no documentation."""
    callers = [lib / name for name in service_models.CALLERS]
    in_use = service_models.names([*reached, *callers])
    for cell in cells:
        declared = poll.load_cell(f"modules.{family}.{cell}").permissions_by_handler
        in_use |= {name.rpartition(":")[2] for names in declared.values() for name in names}
    prefixes = set()  # by which endpoints.json names a service
    for file in lib.glob(f"botocore/data/*/*/{service_models.MODEL}"):
        model = service_models.read(file.read_bytes())
        prefixes.add(model["metadata"]["endpointPrefix"])
        file.write_bytes(service_models.cut(model, in_use))
    endpoints = lib / service_models.ENDPOINTS
    endpoints.write_bytes(service_models.cut_endpoints(endpoints.read_bytes(), prefixes))


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


# --- the check of a build -------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Checked:
    resources: int
    types: tuple[str, ...]
    loaded: int
    import_s: float


def _check(folder: Path, module: Module, provider: str, python: str) -> _Checked:
    """Replay the provider's cassette with only the shipped files on the path."""
    account = accounts.demo().get(f"demo-{provider}")
    if account is None:
        raise BuildError(f"cassettes/accounts.yaml has no account demo-{provider} to check with")
    results = {}
    for source in (RESOURCES, CREDENTIALS):
        with cassette_server.serving(cassettes.path(module.family, provider)) as server:
            results[source] = alone(
                folder, module.events[source], account.event(), python, server.port
            )
        wrong = _wrong(source, results[source], server, module)
        if wrong:
            raise BuildError(
                f"{module.family} of {provider} does not run with what it is shipped with "
                f"(flexer.yaml: requires, botocore_data, leave_out): {wrong}"
            )
    resources = results[RESOURCES]["answer"]
    return _Checked(
        resources=len(resources),
        types=tuple(sorted({resource["type"] for resource in resources})),
        loaded=results[RESOURCES]["loaded"],
        import_s=min(resource["import_s"] for resource in results.values()),
    )


def _check_byte_code(folder: Path, module: Module, python: str) -> None:
    """Raise BuildError unless this Python imports the module, all of it from byte code."""
    result = alone(folder, module.events[CREDENTIALS], {}, python)
    if "error" in result:
        raise BuildError(f"{module.family} on {python}: {result['error'][-1]}")
    if result["compiled"]:
        raise BuildError(f"{module.family} on {python}: no byte code for {result['compiled'][0]}")


def _wrong(
    source: str, result: dict[str, Any], server: cassette_server.CassetteServer, module: Module
) -> Optional[str]:
    """What is wrong with an isolated call, or None."""
    if "error" in result:
        kind, message, trace = result["error"]
        unrecorded = f" (not recorded: {', '.join(server.missing)})" if server.missing else ""
        return f"{kind}: {message}{unrecorded}\n{trace}"
    missing = sorted({*module.events.values()} - {*result["handlers"]})
    if missing:
        return f"main.py has no handler {missing[0]!r}, which flexer.yaml names"
    if source == CREDENTIALS:  # not always recorded: a refusal is fine, an exception is not
        return None if "ok" in result["answer"] else f"{result['answer']} is not an answer"
    if server.missing or server.unused:
        return f"not recorded: {server.missing}; recorded and not requested: {server.unused}"
    return None if result["answer"] else "it found nothing in its cassette"


def alone(
    folder: Path, handler: str, event: Any, python: str = sys.executable, port: Optional[int] = None
) -> dict[str, Any]:
    """What isolated.py reports about one call of a built module's handler.

    Raises BuildError if it does not end by itself within PATIENCE_S.
    """
    command = [python, "-B", "-I", "-S", str(ISOLATED), str(folder), handler]
    if port is not None:
        command.append(str(port))
    try:
        done = subprocess.run(  # noqa: S603 - what was just built
            command,
            input=json.dumps(event),
            capture_output=True,
            text=True,
            env={"PATH": ""},
            timeout=PATIENCE_S,
        )
    except subprocess.TimeoutExpired:
        raise BuildError(
            f"{folder.name}: {handler} did not end within {PATIENCE_S:g} s and was stopped"
        ) from None
    if done.returncode:
        raise BuildError(f"{folder.name}: {handler} did not end:\n{done.stderr.strip()}")
    return json.loads(done.stdout)


# --- configuration and zip ----------------------------------------------------------------------------


def _write_configs(
    folder: Path, known: Manifest, module: Module, checks: dict[str, _Checked]
) -> None:
    """Write what the vendor's ``flexer test`` reads: the names of credentials, but no values."""
    known_cells = poll.cells(module.family)
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
            **_expected(known_cells[cell], module),
        }
        text = yaml.safe_dump(config, sort_keys=False)
        (folder / f"config.{cell}.yaml").write_text(text, encoding="utf-8")
        if number == 0:
            (folder / "config.yaml").write_text(text, encoding="utf-8")


def _expected(cell_name: str, module: Module) -> dict[str, Any]:
    """What the vendor's tests of metrics, status and logs expect, in an account with unknown resources.

    Their configuration can't say that a cell has no metrics: their test of metrics fails then.
    """
    expected: dict[str, Any] = {}
    if STATUS in module.events:
        expected["expected_status"] = []  # any answer: the levels depend on the account
    if METRICS in module.events and poll.load_cell(cell_name).metrics:
        expected["expected_metrics"] = list(module.expected_metrics)
    if LOGS in module.events:
        expected["expected_logs"] = []  # there may have been none
    return expected


def _zip(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for file in sorted(folder.rglob("*"), key=lambda file: below(file, folder)):
            if file.is_file():
                entry = zipfile.ZipInfo(below(file, folder), OLDEST_TIME)
                entry.create_system = 3  # Unix: the modes below
                entry.external_attr = 0o644 << 16
                packed.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, 9)


def _take_over(fresh: Path, folder: Path) -> None:
    """Replace the old folder by the new one. The old one is removed with the temporary folder."""
    old = fresh.with_name("old")
    try:
        if folder.exists():
            os.replace(folder, old)
        os.replace(fresh, folder)
    except BaseException:
        if old.exists() and not folder.exists():
            os.replace(old, folder)
        raise
