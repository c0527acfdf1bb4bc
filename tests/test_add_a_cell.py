"""The walk-through of docs/develop/add-a-cell.md, followed word by word in a copy of the repository."""

import json
import re
import shlex
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "develop" / "add-a-cell.md").read_text(encoding="utf-8")
FILE, CODE = re.search(
    r"^`(modules/\S+\.py)`:\n\n```python\n(.*?)```$", PAGE, re.DOTALL | re.MULTILINE
).groups()
COMMANDS = re.search(r"^```sh\n(.*?)```$", PAGE, re.DOTALL | re.MULTILINE).group(1).splitlines()
RECORDED_AT = "127.0.0.1:18091"  # the controller of the demo account


@pytest.fixture
def copy(tmp_path):
    """The repository's files, with a free port for the account's controller."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for file in (tmp_path / "cassettes").rglob("*.yaml"):
        if file.stem.startswith("ietf_l2vpn") or file.stem == "accounts":
            text = file.read_text(encoding="utf-8")
            assert RECORDED_AT in text
            file.write_text(text.replace(RECORDED_AT, f"127.0.0.1:{port}"), encoding="utf-8")
    return tmp_path


def test_the_walk_through_adds_a_cell(copy):
    assert not (copy / FILE).exists(), "the cell is there by now: take another example"
    (copy / FILE).write_text(CODE, encoding="utf-8")
    for command in COMMANDS:
        done = subprocess.run(
            shlex.split(command), cwd=copy, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert re.search(r"^\d+ passed|\[100%\]", done.stdout, re.MULTILINE)
    assert (copy / FILE).read_text(encoding="utf-8") == CODE, "the page's code is not formatted"
    _, family, name = FILE.split("/")
    golden = copy / "tests" / "expected" / family / name.replace(".py", ".json")
    resources = json.loads(golden.read_text(encoding="utf-8"))
    assert len({each["id"] for each in resources}) == len(resources) > 1
    assert FILE in (copy / "docs" / "reference" / "cells.md").read_text(encoding="utf-8")
