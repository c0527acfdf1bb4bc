"""Validates SBOMs against CycloneDX's schema: ``python validate_sbom.py FILE ...``.

A script for the environment of requirements/audit.lock, which has none of this project.
"""

import json
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def main(files: list[str]) -> int:
    invalid = 0
    for file in files:
        text = Path(file).read_text(encoding="utf-8")
        version = SchemaVersion.from_version(json.loads(text)["specVersion"])
        error = JsonStrictValidator(version).validate_str(text)
        if error:
            invalid += 1
            print(f"{file}: {str(error).splitlines()[0]}", file=sys.stderr)
    if not invalid:
        print(f"{len(files)} SBOMs are valid CycloneDX")
    return 1 if invalid or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
