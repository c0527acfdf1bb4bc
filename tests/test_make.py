"""What `make test`, `make coverage` and the hooks of pre-commit run: the same tests and tools."""

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def recipe(target):
    """The lines of a target's recipe."""
    return re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE).group(1)


def test_the_summary_of_coverage_counts_branches_of_modules_and_shared(tmp_path):
    """As `make coverage` prints it, here of one test; the tests are those of `make test`."""
    measured, printed = recipe("coverage").splitlines()
    (tested,) = recipe("test").splitlines()
    assert measured == f"{tested} --cov --cov-report="
    environment = {**os.environ, "COVERAGE_FILE": str(tmp_path / "coverage")}
    test = "tests/test_status.py::test_the_worst_level"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "1", test]
    command += ["--cov", "--cov-report="]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    shell = printed.strip().lstrip("@").replace("$$", "$")
    shell = shell.replace("$(VENV)/bin/coverage", f'"{sys.executable}" -m coverage')
    whole = tmp_path / "report"  # all lines, before the recipe chooses some: to count takes long
    shell = shell.replace(" | ", f" | tee '{whole}' | ", 1)
    done = subprocess.run(  # noqa: S602 - a recipe's line
        shell, shell=True, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    head, _, *files, total = done.stdout.splitlines()
    assert head.split() == ["Name", "Stmts", "Miss", "Branch", "BrPart", "Cover"]
    assert len(files) == 10
    assert all(line.startswith(("modules/", "shared/")) for line in files)
    assert re.fullmatch(r"TOTAL( +\d+){4} +\d+%", total)
    report = whole.read_text(encoding="utf-8")
    reported = {line.split()[0] for line in report.splitlines() if ".py" in line}
    code = {path for name in ("modules", "shared") for path in (ROOT / name).rglob("*.py")}
    assert reported == {path.relative_to(ROOT).as_posix() for path in code}


def test_what_coverage_writes_is_no_part_of_the_project():
    for name in (".coverage", ".coverage.host.1.x"):
        command = ["git", "check-ignore", "--quiet", name]
        assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def test_the_hooks_run_what_make_lint_runs():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook["entry"] for repo in config["repos"] for hook in repo["hooks"]]
    tools = re.findall(r"\$\(VENV\)/bin/(ruff check|ruff format|mypy)", recipe("lint"))
    assert tools == ["ruff check", "ruff format", "mypy"]
    assert len(hooks) == len(tools)
    for entry, tool in zip(hooks, tools):
        assert entry.startswith(f".venv/bin/{tool}")
    assert {repo["repo"] for repo in config["repos"]} == {"local"}


def test_editors_are_told_what_the_formatter_does():
    editors = (ROOT / ".editorconfig").read_text(encoding="utf-8")
    formatter = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lengths = re.findall(r"^(?:max_line_length|line-length) = (\d+)$", editors + formatter, re.M)
    assert lengths == [lengths[0]] * 2
