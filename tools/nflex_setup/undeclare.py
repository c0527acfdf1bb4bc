"""Strikes the requirements out of an installed distribution's metadata: ``python undeclare.py NAME``.

For what is installed without them, since it does not use them: pip calls that an error at whatever it
installs later.
"""

import sys
from importlib.metadata import distribution
from pathlib import Path


def undeclare(name: str) -> None:
    metadata = next(file for file in distribution(name).files or () if file.name == "METADATA")
    file = Path(str(metadata.locate()))
    head, end, text = file.read_text(encoding="utf-8").partition("\n\n")
    kept = [line for line in head.split("\n") if not line.startswith("Requires-Dist:")]
    file.write_text("\n".join(kept) + end + text, encoding="utf-8")


if __name__ == "__main__":
    undeclare(sys.argv[1])
