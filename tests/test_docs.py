"""The README and the docs say what is so: their commands, generated parts, links and named files."""

import contextlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from flexlocal import build, cli
from flexlocal.__main__ import families, main
from tests import test_add_a_cell
from tests.built import MANIFEST, module
from tools import expected, record, reference

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
WALK_THROUGH = test_add_a_cell.COMMANDS  # run there
COMMANDS = {
    line: page
    for page, text in TEXTS.items()
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    for line in block.splitlines()
    if line.strip() and line not in WALK_THROUGH
}
FLEXLOCAL = [line for line in COMMANDS if line.startswith(".venv/bin/flexlocal ")]
PYTEST = [line for line in COMMANDS if line.startswith(".venv/bin/python -m pytest ")]
TOOLS = [line for line in COMMANDS if line.startswith(".venv/bin/python -m tools.")]
MAKE = [line for line in COMMANDS if line.startswith("make ")]
INSTALLED = [".venv/bin/pre-commit install"]


def test_every_command_is_of_a_kind_that_is_tested():
    assert COMMANDS
    assert set(COMMANDS) == {*FLEXLOCAL, *PYTEST, *TOOLS, *MAKE, *INSTALLED}


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    "command",
    # flexlocal serve: tests/test_serve_command.py; those of an inventory: tests/test_inventory_docs.py, tests/test_topology_docs.py, tests/test_snapshot_stories.py
    [
        each
        for each in FLEXLOCAL
        if not re.search(" (build|inventory|serve|topology) ", each)
        and COMMANDS[each] != "docs/operate/snapshots.md"
    ],
)
def test_flexlocal_commands_run(command, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("command", [each for each in FLEXLOCAL if " serve " in each])
def test_commands_that_serve_have_these_options(command):
    """They would run on; tests/test_serve_command.py runs some."""
    words = shlex.split(command)
    assert cli.flexlocal.commands[words[1]].make_context(words[1], words[2:])


@pytest.mark.parametrize("command", [each for each in FLEXLOCAL if " build " in each])
def test_build_commands_run(command, monkeypatch, capsys, tmp_path):
    """Into another folder: what `make build` made stays."""
    monkeypatch.setattr(build.build, "__defaults__", (None, tmp_path))
    assert main(shlex.split(command)[1:]) == 0
    assert list(tmp_path.glob("*.zip"))
    assert " MB zip, " in capsys.readouterr().out


@pytest.mark.parametrize("command", PYTEST)
def test_test_commands_find_tests(command):
    """Collected, not run: make test runs them all."""
    arguments = [sys.executable, *shlex.split(command)[1:], "--collect-only", "-q"]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", TOOLS)
def test_commands_of_tools_name_what_there_is(command, monkeypatch, tmp_path):
    """What is recorded and written there is tested in tests/test_recording.py and tests/test_grid.py."""
    _, _, name, *arguments = shlex.split(command)
    recorded = []
    monkeypatch.setattr(record, "_record", lambda *of, **more: recorded.append(of))
    monkeypatch.setattr(record, "_record_from_get", lambda *of: recorded.append(of))
    monkeypatch.setattr(record, "_provider", lambda *of: contextlib.nullcontext())
    monkeypatch.setattr(expected, "EXPECTED", tmp_path)
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    {"tools.record": record, "tools.expected": expected}[name].main()
    assert recorded or list(tmp_path.rglob("*.json"))


def test_installed_commands_are_required():
    requirements = (ROOT / "requirements" / "test.txt").read_text(encoding="utf-8")
    for command in INSTALLED:
        name = Path(command.split()[0]).name
        assert re.search(rf"^{name}\b", requirements, re.MULTILINE)


@pytest.mark.parametrize("command", MAKE)
def test_make_targets_exist(command):
    # run by hand or by CI: make test is what runs this test
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (target,) = shlex.split(command)[1:]
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)


@pytest.mark.usefixtures("no_network")
def test_make_demo_shows_every_cell(capsys):
    """What make demo runs, one command a cell."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    accounts = re.search(r"^ACCOUNTS := (.*)$", makefile, re.MULTILINE).group(1).split()
    shown = re.search(r"^FAMILIES := (.*)$", makefile, re.MULTILINE).group(1).split()
    known = families()
    for account in accounts:
        for family in shown:
            if account.removeprefix("demo-") not in known[family]:
                continue  # not every provider has every family
            assert main(["run", family, "--account", account, "--replay"]) == 0
            out = capsys.readouterr().out
            assert re.search(rf"^{family}: [1-9]\d* resources \({account}\)$", out, re.MULTILINE)


def test_generated_parts_are_fresh():
    for page, text in reference.fresh().items():
        if page.read_text(encoding="utf-8") != text:
            pytest.fail(f"{page.relative_to(ROOT)} is stale: make readme", pytrace=False)


def test_the_table_of_builds_is_fresh():
    """Sizes to 2 %, for a line of code more is no news; the time is of the machine that wrote it."""
    built = {family: module(family) for family in MANIFEST.modules}
    if not all(each.byte_code == each.module.pythons for each in built.values()):
        pytest.skip("a target's Python is not here: builds have no byte code for it")
    page = TEXTS["docs/reference/builds.md"]
    written = reference.build_rows(page)
    fresh = reference.build_rows(
        reference.replaced(page, "builds", reference.builds(list(built.values())))
    )
    sizes = {family: figures[:-1] for family, figures in fresh.items()}
    if {family: pytest.approx(each[:-1], rel=0.02) for family, each in written.items()} != sizes:
        pytest.fail("docs/reference/builds.md is stale: make readme", pytrace=False)
    assert all(each[-1] > 0 for each in written.values())


def test_every_command_of_a_region_is_documented():
    page = TEXTS["docs/operate/upload.md"]
    documented = re.findall(r"^\| `flexlocal (\w+)", page, re.MULTILINE)
    commands = "upload update list get download execute logs delete"
    assert documented == commands.split()


def test_every_provider_has_a_page():
    providers = {provider for cells in families().values() for provider in cells}
    pages = {page.stem for page in (ROOT / "docs" / "providers").glob("*.md")}
    assert pages == providers


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_links_and_named_files_exist(page):
    text = re.sub(r"```.*?```", "", TEXTS[page], flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not link.startswith("https://"):
            assert ((ROOT / page).parent / link).exists(), link
    for name in re.findall(
        r"`((?:modules|shared|tests|cassettes|tools|requirements)/[\w./-]+)`", text
    ):
        if "acme" not in name and name != test_add_a_cell.FILE:
            assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_named_tests_exist(page):
    for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXTS[page]):
        assert f"\ndef {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{name}"


def test_the_threat_model_names_a_test_for_each_promise():
    text = TEXTS["docs/operate/threat-model.md"]
    promised = text.partition("## What is promised")[2].partition("## What is not promised")[0]
    rows = [line for line in promised.splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith(("| promise |", "| --- |"))]
    assert len(promises) > 10
    assert [row for row in promises if "`tests/" not in row] == []


def test_the_picture_of_the_architecture_has_every_room():
    picture = (ROOT / "docs" / "develop" / "architecture.svg").read_text(encoding="utf-8")
    rooms = {file.parent.name for file in (ROOT / "shared").glob("*/__init__.py")}
    assert rooms >= {"engine", "providers"}
    assert [room for room in sorted(rooms) if f">{room}/</text>" not in picture] == []


def test_the_readme_can_be_read_in_five_minutes():
    assert len(TEXTS["README.md"].splitlines()) <= 150
