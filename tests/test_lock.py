"""The lock files are those of their requirement files, and the Makefile installs nothing else."""

import re

import pytest
from packaging.requirements import Requirement

from tools import lock

PYTHONS = ["3.9", "3.10", "3.11", "3.12", "3.13"]
LOCKS = pytest.mark.parametrize("each", lock.LOCKS, ids=lambda each: each.name)


def text(name):
    return (lock.ROOT / name).read_text(encoding="utf-8")


def pythons(each):
    """Those that a lock file is for."""
    return PYTHONS[PYTHONS.index(each.oldest) :]


def names(python, requirement):
    """Whether a requirement is one on this Python, on Linux."""
    environment = {
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "python_full_version": f"{python}.5",
        "python_version": python,
        "sys_platform": "linux",
    }
    return requirement.marker is None or requirement.marker.evaluate(environment)


def locked(name, python):
    """A lock file's versions on this Python."""
    found = [entry for entry in lock.entries(text(name)) if names(python, entry)]
    versions = {entry.name: str(entry.specifier).removeprefix("==") for entry in found}
    assert len(versions) == len(found), f"{name} names something twice on {python}"
    return versions


@LOCKS
def test_a_lock_is_of_todays_requirements(each):
    assert text(each.name).startswith(lock.header(each)), f"{each.name} is stale: make lock"


def test_a_changed_requirement_makes_a_lock_stale(monkeypatch, tmp_path):
    monkeypatch.setattr(lock, "ROOT", tmp_path)
    each = lock.Lock("a.lock", "", ("a.txt", "b.txt"))
    (tmp_path / "a.txt").write_text("six>=1,<2\n")
    (tmp_path / "b.txt").write_text("pytz\n")
    first = lock.header(each)
    (tmp_path / "a.txt").write_text("# said otherwise\n\nsix>=1,<2  # why\n")
    assert lock.header(each) == first
    for line in ("six>=1.1,<2\n", "", "six>=1,<2\nattrs\n"):
        (tmp_path / "a.txt").write_text(line)
        assert lock.header(each) != first


@LOCKS
def test_a_lock_satisfies_its_requirements(each):
    for python in pythons(each):
        versions = locked(each.name, python)
        for source in each.sources:
            for line in lock.requirements(source):
                wanted = Requirement(line)
                if names(python, wanted):
                    found = versions[wanted.name.lower()]
                    assert found in wanted.specifier, f"{line} in {each.name} on {python}"


@pytest.mark.parametrize("name", ["flexlocal", "docs", "fuzz", "lab", "mutants"])
def test_what_is_installed_together_has_the_same_versions(name):
    (each,) = (each for each in lock.LOCKS if each.name == f"requirements/{name}.lock")
    for python in pythons(each):
        test = locked("requirements/test.lock", python)
        other = locked(each.name, python)
        assert {key: test[key] for key in test.keys() & other.keys()} == {
            key: other[key] for key in test.keys() & other.keys()
        }


@LOCKS
def test_a_lock_has_hashes_and_no_address(each):
    content = text(each.name)
    assert "://" not in content
    lines = [line for line in content.splitlines() if not line.startswith("#")]
    assert all(re.match(r"[a-z0-9.-]+==|    --hash=sha256:[0-9a-f]{64}", line) for line in lines)
    for entry in content.replace("\\\n", " ").splitlines():
        assert entry.startswith("#") or "--hash=sha256:" in entry, entry


def test_every_requirement_file_is_locked():
    files = {"requirements.txt"}
    files.update(f"requirements/{path.name}" for path in lock.ROOT.glob("requirements/*.txt"))
    assert {source for each in lock.LOCKS for source in each.sources} == files


def test_the_makefile_installs_from_every_lock_with_hashes_and_nothing_else():
    makefile = text("Makefile").replace("%", "*")
    recipes = re.findall(r"^\t.*\bpip\b.*|^\t.*\$\(PIP\).*", makefile, re.MULTILINE | re.IGNORECASE)
    assert recipes
    for recipe in recipes:
        project = recipe.strip() == "$(PIP) $(ALONE) -e ."
        assert project or "$(LOCKED)" in recipe or "--require-hashes" in recipe, recipe
    variable = re.search(r"^LOCKED := (.*)$", makefile, re.MULTILINE).group(1)
    assert "--require-hashes" in variable
    installed = set()
    for pattern in re.findall(r"requirements/[\w*-]+\.lock", makefile):
        installed.update(path.name for path in lock.ROOT.glob(pattern))
    assert installed == {path.name for path in lock.ROOT.glob("requirements/*.lock")}
