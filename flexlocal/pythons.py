"""Other Pythons of this host: the runtime's, whose byte code a build ships, and those to test on."""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
_SAY = "import sys; print('%d.%d' % sys.version_info[:2])"


@functools.cache
def find(version: str) -> Optional[str]:
    """An interpreter of this version ("3.11") that runs; None where there is none."""
    return next((found for found in _candidates(version) if _runs(found, version)), None)


def _candidates(version: str) -> Iterator[str]:
    if version == "%d.%d" % sys.version_info[:2]:
        yield sys.executable
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield on_path
    # pyenv's own command on the path only runs the versions that were chosen for this folder
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}")))


def _runs(python: str, version: str) -> bool:
    try:
        done = subprocess.run([python, "-c", _SAY], capture_output=True, text=True)
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.strip() == version
