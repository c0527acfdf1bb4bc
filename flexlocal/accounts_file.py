"""Adds entries to an accounts file and takes them out, as text: all that a person wrote beside them stays."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import yaml

from flexlocal.account import AccountsError
from flexlocal.accounts_text import content_of

BY_HAND = "change it with an editor"


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """One process at a time changes a file: what is read within is still there when it is written."""
    folder = os.open(_folder(file), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def write(file: Path, text: str) -> None:
    """Replace the file at once, readable by its owner alone: what was there stays until all is written."""
    target = os.path.realpath(file)  # a link stays one
    try:
        number, name = tempfile.mkstemp(prefix=".accounts-", dir=_folder(file))  # mode 0600
        try:
            with open(number, "w", encoding="utf-8", newline="") as opened:
                opened.write(text)
                opened.flush()
                os.fsync(number)
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise AccountsError(f"{file}: {error.strerror}; nothing was changed") from None


def _folder(file: Path) -> str:
    folder = os.path.dirname(os.path.realpath(file))
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise AccountsError(f"{folder}: {error.strerror}") from None
    return folder


def check(file: Path, text: str) -> None:
    """Raise AccountsError if entries can't be added to this text or be taken out."""
    if text.strip():
        _accounts(file, text)


def added(file: Path, text: str, name: str, entry: dict[str, Any]) -> str:
    """The text of the file with an entry at the end of its accounts."""
    newline = "\r\n" if "\r\n" in text else "\n"
    if not text.strip():
        text = f"version: 1{newline}accounts: {{}}{newline}"
    content, key, node = _accounts(file, text)
    lines = _lines(text, newline)
    entries = node.value if isinstance(node, yaml.MappingNode) else []
    if entries:
        indent, last = entries[0][0].start_mark.column, _last_line(entries[-1][1], text)
    else:
        indent, last = key.start_mark.column + 2, node.end_mark.line
        line = lines[last]
        lines[last] = (
            line[: node.start_mark.column].rstrip() + line[node.end_mark.column :]  # without the {}
        )
    dumped = yaml.safe_dump({name: entry}, sort_keys=False, allow_unicode=True, width=1000)
    lines[last + 1 : last + 1] = [
        " " * indent + line + newline if line else newline for line in dumped.split("\n")[:-1]
    ]
    content["accounts"] = {**(content["accounts"] or {}), name: entry}
    return _checked(file, "".join(lines), content)


def removed(file: Path, text: str, name: str) -> str:
    """The text of the file without an entry, and without the comments right above and below that belong to it."""
    content, key, node = _accounts(file, text)
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = _lines(text, newline)
    entries = node.value
    number = [str(each.value) for each, _ in entries].index(name)
    head, value = entries[number]
    indent = head.start_mark.column
    first, last = head.start_mark.line, _last_line(value, text)
    while lines[first - 1].lstrip().startswith("#") and _indent(lines[first - 1]) == indent:
        first -= 1
    while last + 1 < len(lines) and (
        lines[last + 1].lstrip().startswith("#") and _indent(lines[last + 1]) > indent
    ):
        last += 1
    if last + 1 < len(lines) and not lines[last + 1].strip() and not lines[first - 1].strip():
        last += 1  # of two blank lines, one stays
    del lines[first : last + 1]
    if len(entries) == 1:
        line, end = lines[key.end_mark.line], key.end_mark.column
        colon = line.index(":", end) + 1
        lines[key.end_mark.line] = f"{line[:colon]} {{}}{line[colon:]}"
    content["accounts"] = {
        each: settings for each, settings in content["accounts"].items() if str(each) != name
    }
    return _checked(file, "".join(lines), content)


def _accounts(file: Path, text: str) -> tuple[dict[str, Any], yaml.Node, yaml.Node]:
    """The content of the file, and the nodes of ``accounts`` and of what it holds."""
    content = content_of(file, text)
    if not isinstance(content, dict) or content.get("version") != 1:
        raise AccountsError(
            f"{file} is not of flexlocal's own layout ('version: 1'), and is only read; name another file"
        )
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)  # noqa: S101 - a dict
    found: Optional[tuple[yaml.Node, yaml.Node]] = next(
        ((key, node) for key, node in root.value if key.value == "accounts"), None
    )
    if found is None or not isinstance(content["accounts"], (dict, type(None))):
        raise AccountsError(f"{file}: 'accounts' should be a map of name to account")
    if content["accounts"] and isinstance(found[1], yaml.MappingNode) and found[1].flow_style:
        raise AccountsError(f"{file}: 'accounts' is written in braces: {BY_HAND}")
    return content, *found


def _checked(file: Path, text: str, expected: dict[str, Any]) -> str:
    """The text, if it holds exactly what is expected, in that order."""
    try:
        content = content_of(file, text)
    except AccountsError:
        content = None  # what was taken out is referred to
    if content != expected or list(content["accounts"]) != list(expected["accounts"]):
        raise AccountsError(f"{file} is written in a way that can't be changed here: {BY_HAND}")
    return text


def _lines(text: str, newline: str) -> list[str]:
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += newline
    return lines


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _last_line(node: yaml.Node, text: str) -> int:
    """The number of the last line with content of the node; marks of blocks are where the next thing begins."""
    if node.value and isinstance(node, yaml.MappingNode) and not node.flow_style:
        return _last_line(node.value[-1][1], text)
    if node.value and isinstance(node, yaml.SequenceNode) and not node.flow_style:
        return _last_line(node.value[-1], text)
    end = node.end_mark
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        lines = text[: end.index].split("\n")
        if lines[-1].strip() == "":  # the indentation of what follows
            lines.pop()
        while lines and not lines[-1].strip():
            lines.pop()
        return len(lines) - 1
    return end.line
