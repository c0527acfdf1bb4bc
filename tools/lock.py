"""Writes requirements.lock: ``python -m tools.lock``.

What requirements.txt comes to on the oldest Python that the manifest names, with the files' hashes, so
that one build is like the other. It is resolved by uv, since pip resolves for the Python it runs on.
"""

import subprocess
from pathlib import Path

from flexlocal import distributions, manifest

HEADER = """\
# What the modules are built with: requirements.txt, resolved for Python %s by `make lock`.
"""


def resolved(oldest: str) -> str:
    command = ["uv", "pip", "compile", "requirements.txt", "--quiet", "--no-header"]
    command += ["--no-annotate", "--generate-hashes", "--python-version", oldest]
    done = subprocess.run(
        command, cwd=distributions.ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return HEADER % oldest + done.stdout


if __name__ == "__main__":
    oldest = next(iter(manifest.load().modules.values())).oldest  # the same for all
    Path(distributions.LOCK).write_text(resolved(oldest), encoding="utf-8")
