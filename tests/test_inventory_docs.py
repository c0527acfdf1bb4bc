"""The commands and the Python of docs/operate/inventory.md do what the page says."""

import re
import shlex

import pytest

from flexlocal import inventories
from flexlocal.__main__ import main
from inventory import fields
from tests.inventories import ROOT, store_example

PAGE = (ROOT / "docs" / "operate" / "inventory.md").read_text(encoding="utf-8")


def test_the_commands_run(tmp_path, monkeypatch, capsys):
    """In their order: a backup is restored. A diff's status says that something differs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(inventories.VARIABLE, "inventory.db")
    store_example("inventory.db")
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines() if line.strip()]
    assert len(commands) > 20
    for command in commands:
        _, _, *arguments = shlex.split(command)
        if ">" in arguments:
            arguments = arguments[: arguments.index(">")]
        status = main(["inventory", *arguments])
        assert (command, status) == (command, 1 if arguments[0] == "diff" else 0)
        assert capsys.readouterr().out


def test_the_examples_print_what_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(block, names)  # noqa: S102 - of a page in this repository
    expected = re.findall(r"^    # (.*)$", blocks[1], re.MULTILINE)
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == ["web-1 2026-01-01 10:16:00+00:00", "web"]
    assert printed[2:] == [*expected, "[]", "2"]
    assert "print(inventory.check())  # []" in blocks[2]
    assert 'print(rows["version"])  # 2' in blocks[2]


@pytest.mark.parametrize("name", ["updated_at", "age_s", "progress"])
def test_the_ignored_fields_that_are_named(name):
    assert f"`{name}`" in PAGE
    assert name in fields.IGNORED_METADATA
