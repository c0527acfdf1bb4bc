"""The README says what is so: its table, its commands, its links."""

import re
import shlex
from pathlib import Path

import pytest

from flexlocal import build
from flexlocal.__main__ import main
from tests.built import MANIFEST, module
from tools import builds_table, cells_table

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]
FLEXLOCAL = [line for line in COMMANDS if line.startswith(".venv/bin/flexlocal ")]
MAKE = [line for line in COMMANDS if line.startswith("make ")]


def test_every_command_is_of_a_kind_that_is_tested():
    assert COMMANDS
    assert set(COMMANDS) == {*FLEXLOCAL, *MAKE}


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("command", [each for each in FLEXLOCAL if " build " not in each])
def test_flexlocal_commands_run(command, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("command", [each for each in FLEXLOCAL if " build " in each])
def test_build_commands_run(command, monkeypatch, capsys, tmp_path):
    """Into another folder: what `make build` made stays."""
    monkeypatch.setattr(build.build, "__defaults__", (None, tmp_path))
    assert main(shlex.split(command)[1:]) == 0
    assert list(tmp_path.glob("*.zip"))
    assert " MB zip, " in capsys.readouterr().out


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
    families = re.search(r"^FAMILIES := (.*)$", makefile, re.MULTILINE).group(1).split()
    for account in accounts:
        for family in families:
            if not (ROOT / f"modules/{family}/{account.removeprefix('demo-')}.py").exists():
                continue  # not every provider has every family
            assert main(["run", family, "--account", account, "--replay"]) == 0
            out = capsys.readouterr().out
            assert re.search(rf"^{family}: [1-9]\d* resources \({account}\)$", out, re.MULTILINE)


def test_the_table_of_cells_is_fresh():
    if cells_table.with_table(README) != README:
        pytest.fail("README.md: its table of cells is stale: make readme", pytrace=False)


def test_the_table_of_builds_is_fresh():
    """Sizes to 2 %, for a line of code more is no news; the time is of the machine that wrote it."""
    built = {family: module(family) for family in MANIFEST.modules}
    if not all(each.byte_code == each.module.pythons for each in built.values()):
        pytest.skip("a target's Python is not here: builds have no byte code for it")
    told = builds_table.rows(README)
    fresh = builds_table.rows(
        builds_table.START + builds_table.table(list(built.values())) + builds_table.END
    )
    sizes = {family: each[:-1] for family, each in fresh.items()}
    if {family: pytest.approx(each[:-1], rel=0.02) for family, each in told.items()} != sizes:
        pytest.fail("README.md: its table of builds is stale: make readme", pytrace=False)
    assert all(each[-1] > 0 for each in told.values())


def test_the_commands_of_a_region_are_all_told():
    told = re.findall(r"^\| `flexlocal (\w+)", README, re.MULTILINE)
    commands = "upload update list get download execute logs delete"
    assert told == commands.split()


def test_files_named_in_the_readme_exist():
    named = re.findall(r"\]\(([\w./-]+)\)|`((?:modules|shared|tests|cassettes)/[\w./-]+)`", README)
    for link, name in named:
        assert (ROOT / (link or name)).exists(), link or name
