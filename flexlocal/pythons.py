"""Finds other Pythons on this host: those whose byte code a build ships, and those to test on."""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
PATIENCE_S = 30.0  # for an interpreter to print its version
_SAY = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable)"


@functools.cache
def find(version: str) -> Optional[str]:
    """An interpreter of this version ("3.11") that runs without a PATH; None if there is none."""
    for candidate in _candidates(version):
        interpreter = _interpreter(candidate, version, dict(os.environ))
        # A pyenv shim is a script that needs a PATH; builds are checked without one.
        if interpreter and _interpreter(interpreter, version, {"PATH": ""}):
            return interpreter
    return None


def _candidates(version: str) -> Iterator[str]:
    if version == "%d.%d" % sys.version_info[:2]:
        yield sys.executable
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield on_path
    # pyenv's shims on the path only run the versions that were chosen for this folder
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}")))


def _interpreter(python: str, version: str, environment: dict[str, str]) -> Optional[str]:
    """The interpreter behind this command; None if it does not run or has another version."""
    try:
        done = subprocess.run(  # noqa: S603 - a Python of this host
            [python, "-c", _SAY],
            capture_output=True,
            text=True,
            env=environment,
            timeout=PATIENCE_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found_version, _, interpreter = done.stdout.strip().partition("\n")
    return interpreter if done.returncode == 0 and found_version == version else None
