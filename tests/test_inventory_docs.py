"""The Python of docs/operate/inventory.md does what the page says."""

import re

import pytest

from inventory import fields
from tests.inventories import ROOT

PAGE = (ROOT / "docs" / "operate" / "inventory.md").read_text(encoding="utf-8")


def test_the_examples_print_what_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(block, names)  # noqa: S102 - of a page in this repository
    expected = re.findall(r"^    # (.*)$", blocks[1], re.MULTILINE)
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == ["web-1 2026-01-01 10:16:00+00:00", "web"]
    assert printed[2:] == expected


@pytest.mark.parametrize("name", ["updated_at", "age_s", "progress"])
def test_the_ignored_fields_that_are_named(name):
    assert f"`{name}`" in PAGE
    assert name in fields.IGNORED_METADATA
