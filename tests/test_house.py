"""The rules of the house: who may import whom, what a cold start loads, what no file may hold."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "modules").rglob("*.py"))
SHARED = sorted((ROOT / "shared").rglob("*.py"))
PROVIDERS = sorted((ROOT / "shared" / "providers").glob("*.py"))


def imports(file):
    """The dotted names that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(f"{node.module}.{name.name}" for name in node.names)
    return found


def test_there_is_something_to_check():
    assert MODULES
    assert SHARED
    assert PROVIDERS


def test_shared_knows_no_family():
    for file in SHARED:
        assert not [name for name in imports(file) if name.split(".")[0] == "modules"], file


def test_only_tests_and_tools_import_flexlocal():
    for file in MODULES + SHARED:
        assert not [name for name in imports(file) if name.split(".")[0] == "flexlocal"], file


def test_cells_do_not_import_one_another():
    for file in MODULES:
        assert not [name for name in imports(file) if name.split(".")[0] == "modules"], file


def test_providers_serialize_nothing():
    for file in PROVIDERS:
        assert not [name for name in imports(file) if name.startswith("nflex")], file


def test_cells_do_not_sleep_or_start_threads_or_read_the_environment():
    forbidden = ("os", "subprocess", "threading", "time", "concurrent", "socket", "requests")
    for file in MODULES:
        names = {name.split(".")[0] for name in imports(file)}
        assert names.isdisjoint(forbidden), file


def test_no_file_is_named_after_nothing():
    nothing = {"utils", "util", "helpers", "common", "base", "manager", "misc"}
    files = [*MODULES, *SHARED, *(ROOT / "flexlocal").glob("*.py"), *(ROOT / "tools").glob("*.py")]
    assert not [file for file in files if file.stem in nothing]


@pytest.mark.parametrize(
    "code, loaded, not_loaded",
    [
        ("import modules.servers.main", [], ["botocore", "keystoneauth1"]),
        ("import shared.providers.aws", ["botocore"], ["keystoneauth1", "boto3"]),
        ("import shared.providers.openstack", ["keystoneauth1"], ["botocore"]),
        ("import modules.volumes.openstack", ["keystoneauth1"], ["botocore"]),
        ("import modules.servers.main, shared.run", [], ["vcr", "rich", "flexlocal"]),
    ],
)
def test_a_cold_start_loads_only_what_is_asked_for(code, loaded, not_loaded):
    script = f"import sys; {code}; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = set(done.stdout.split())
    assert set(loaded) <= names
    assert names.isdisjoint(not_loaded)


def test_no_absolute_path_of_a_machine_in_any_file():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert listed
    homes = ["/" + folder + "/" for folder in ("root", "home", "Users")]
    for name in listed:
        text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
        assert not [home for home in homes if home in text], name
