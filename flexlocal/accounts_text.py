"""The text of an accounts file, which nobody else may read, and its YAML."""

import contextlib
import errno
import os
import re
import stat
from pathlib import Path
from typing import Any

import yaml

from flexlocal.account import AccountsError
from flexlocal.unique_keys import QuickUniqueKeys, RepeatedKey, UniqueKeys

_QUOTED = re.compile("'(?!<[a-z ]+>')[^']{2,}'")  # in a message of PyYAML's


def text_of(file: Path, demo: bool = False) -> str:
    """The text of an accounts file. Raises AccountsError, also where others may read a file of the user's own."""
    try:
        if not demo:
            _check_mode(file)
        with open(file, encoding="utf-8", newline="") as opened:  # line breaks stay as they are
            return opened.read()
    except OSError as error:
        raise AccountsError(f"{file}: {error.strerror}") from None
    except ValueError:  # also a name with a NUL
        raise AccountsError(f"{file}: it is not UTF-8 text") from None


def content_of(file: Path, text: str) -> Any:
    """The YAML of a file. No message has a value of it: what a person takes for a password may be a tag or an alias."""
    with contextlib.suppress(yaml.YAMLError, ValueError, RecursionError):
        return yaml.load(text, Loader=QuickUniqueKeys)  # noqa: S506 - a SafeLoader
    try:  # for an error that has the same words everywhere
        return yaml.load(text, Loader=UniqueKeys)  # noqa: S506 - a SafeLoader
    except RepeatedKey as error:
        what, where = error.problem, error.problem_mark
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        what = _QUOTED.sub("'...'", getattr(error, "problem", None) or "it is not YAML")
    line = f" line {where.line + 1}:" if where else ""
    raise AccountsError(f"{file}:{line} {what}")


def _check_mode(file: Path) -> None:
    mode = file.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise AccountsError(f"{file} holds secrets and others may read it: chmod 600 {file}")
