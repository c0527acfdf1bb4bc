"""What the project says about itself, as a wheel built from it says it."""

import ast
import email
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ["3.9", "3.10", "3.11", "3.12", "3.13"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of a copy of this checkout, by the setuptools that is installed."""
    folder = tmp_path_factory.mktemp("package")
    for name in ("pyproject.toml", "README.md", "LICENSE", "requirements.txt"):
        shutil.copyfile(ROOT / name, folder / name)
    for name in ("flexlocal", "inventory", "modules", "requirements", "shared", "topology", "web"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    script = "from setuptools import build_meta; build_meta.build_wheel('.')"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as opened:
        yield opened


@pytest.fixture(scope="module")
def metadata(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return email.message_from_string(wheel.read(name).decode())


def requirements(name):
    """The lines of a requirement file as requirements, without comments."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    texts = [line.partition("#")[0].strip() for line in lines]
    return {str(Requirement(text)) for text in texts if text}


def test_the_licence(wheel, metadata):
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE"]
    (name,) = (name for name in wheel.namelist() if name.endswith("/licenses/LICENSE"))
    assert wheel.read(name) == (ROOT / "LICENSE").read_bytes()


def test_the_readme(metadata):
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload().strip() == (ROOT / "README.md").read_text("utf-8").strip()


def test_the_pythons_are_those_of_the_makefile(metadata):
    prefix = "Programming Language :: Python :: "
    classifiers = [each[len(prefix) :] for each in metadata.get_all("Classifier")]
    assert [each for each in classifiers if re.fullmatch(r"3\.\d+", each)] == PYTHONS
    allowed = SpecifierSet(metadata["Requires-Python"])
    assert [f"3.{n}" for n in range(7, 20) if f"3.{n}" in allowed] == PYTHONS
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "(3, 9) <= sys.version_info < (3, 14)" in makefile


def test_keywords_name_every_provider(metadata):
    """But L2VPN, which nobody would look for by the name that it has here."""
    keywords = set(metadata["Keywords"].split(","))
    providers = {path.stem for path in (ROOT / "docs" / "providers").glob("*.md")}
    assert providers - keywords == {"ietf_l2vpn"}


def test_no_address_is_named_that_does_not_exist(metadata):
    """The project has no public repository yet; whoever publishes it adds its address here too."""
    assert metadata.get_all("Project-URL") is None
    assert metadata["Home-page"] is None


def test_what_is_required_is_what_the_requirement_files_name(metadata):
    required = {}
    for text in metadata.get_all("Requires-Dist"):
        requirement = Requirement(text)
        marker, _, extra = str(requirement.marker or "").rpartition("extra == ")
        requirement.marker = None
        text = str(requirement)
        marker = marker.removesuffix(" and ").strip("()")
        required.setdefault(extra.strip('"'), set()).add(f"{text}; {marker}" if marker else text)
    assert set(metadata.get_all("Provides-Extra")) == {
        "inventory",
        "keyring",
        "postgresql",
        "serve",
        "cluster",
        "test",
        "docs",
        "lab",
    }
    assert required == {
        "": requirements("requirements.txt") | requirements("requirements/flexlocal.txt"),
        "inventory": requirements("requirements/inventory.txt"),
        "keyring": requirements("requirements/keyring.txt"),
        "postgresql": requirements("requirements/inventory.txt")
        | requirements("requirements/postgresql.txt"),
        "serve": requirements("requirements/inventory.txt")
        | requirements("requirements/serve.txt"),
        "cluster": requirements("requirements/inventory.txt")
        | requirements("requirements/postgresql.txt")
        | requirements("requirements/cluster.txt"),
        "test": requirements("requirements/inventory.txt")
        | requirements("requirements/serve.txt")
        | requirements("requirements/cluster.txt")
        | requirements("requirements/keyring.txt")
        | requirements("requirements/test.txt"),
        "docs": requirements("requirements/docs.txt"),
        "lab": requirements("requirements/inventory.txt")
        | requirements("requirements/serve.txt")
        | requirements("requirements/cluster.txt")
        | requirements("requirements/keyring.txt")
        | requirements("requirements/test.txt")
        | requirements("requirements/lab.txt"),
    }


def test_it_holds_all_code_and_data_of_its_packages(wheel):
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    packages = ("flexlocal", "inventory", "modules", "shared", "topology", "web")
    files = {
        path.relative_to(ROOT).as_posix()
        for package in packages
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert held == files
    assert {"modules/py.typed", "topology/cliques.yaml", "flexlocal/flexer.schema.json"} <= held


def test_its_command_exists(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    command = re.search(r"^flexlocal = ([\w.]+):(\w+)$", wheel.read(name).decode(), re.MULTILINE)
    module, function = command.groups()
    tree = ast.parse((ROOT / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
