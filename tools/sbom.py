"""Writes what each zip carries as a CycloneDX SBOM: ``python -m tools.sbom [FOLDER]``, dist/<family>.cdx.json.

Read from the zip itself: a library is named by its licences' folder ``lib/<name>-<version>.dist-info``. Whatever else
lies in lib/ is this project's own or belongs to one of those libraries; anything that does not is an error, so that
none is left out. The same zip gives the same bytes: no time, and a serial number that is made from the zip's digest.

https://cyclonedx.org/docs/1.5/json/
"""

import hashlib
import importlib.metadata
import json
import re
import sys
import uuid
import zipfile
from pathlib import Path
from typing import Any, Union

from packaging.utils import canonicalize_name

from flexlocal.build import DIST
from flexlocal.distributions import NFLEX, NO_PURE_WHEEL

PROJECT = "cmp-connectors"
OURS = {"__pycache__", "mapping.yaml", "modules", "shared"}  # in lib/
# Of libraries whose packages have other names than they.
LIBRARY_OF = {
    "_yaml": "pyyaml",
    "dateutil": "python-dateutil",
    "websocket": "websocket-client",
    "yaml": "pyyaml",
}
_INFO = re.compile(r"(.+)-([^-]+)\.dist-info")


class UnknownContent(Exception):
    """A zip holds something that no library in it accounts for."""


def libraries(names: list[str]) -> dict[str, str]:
    """The libraries and their versions in a zip with files of these names. Raises UnknownContent."""
    below_lib = [name.split("/")[1] for name in names if name.startswith("lib/")]
    found = {}
    if "nflex_connector_utils" in below_lib:  # it has no folder of licences
        found[NFLEX] = importlib.metadata.version(NFLEX)
    for name in below_lib:
        info = _INFO.fullmatch(name)
        if info:
            found[canonicalize_name(info[1])] = info[2]
    for name in sorted({*below_lib} - OURS):
        package = name[: -len(".py")] if name.endswith(".py") else name
        library = LIBRARY_OF.get(package, canonicalize_name(package))
        if not _INFO.fullmatch(name) and library not in found:
            raise UnknownContent(f"lib/{name} belongs to no library that the zip names")
    return dict(sorted(found.items()))


def sbom(file: Path) -> dict[str, Any]:
    """The SBOM of a zip. Raises UnknownContent."""
    with zipfile.ZipFile(file) as packed:
        found = libraries(packed.namelist())
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    components = [_component(name, version) for name, version in found.items()]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
        "version": 1,
        "metadata": {
            "component": {
                "bom-ref": file.name,
                "type": "application",
                "group": PROJECT,
                "name": file.stem,
                "version": importlib.metadata.version(PROJECT),
                "hashes": [{"alg": "SHA-256", "content": digest}],
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": components,
        "dependencies": [
            {"ref": file.name, "dependsOn": [component["bom-ref"] for component in components]}
        ],
    }


def _component(name: str, version: str) -> dict[str, Any]:
    purl = f"pkg:pypi/{name}@{version}"
    component = {"bom-ref": purl, "type": "library", "name": name, "version": version, "purl": purl}
    if name in NO_PURE_WHEEL:
        component["description"] = "Without its compiled part."
    return component


def write(folder: Path) -> list[Path]:
    """Write an SBOM beside each zip of the folder; returns the files."""
    written = []
    for file in sorted(folder.glob("*.zip")):
        target = file.with_suffix(".cdx.json")
        target.write_text(json.dumps(sbom(file), indent=2) + "\n", encoding="utf-8")
        written.append(target)
    return written


def main(arguments: list[str]) -> Union[int, str]:
    folder = Path(arguments[0]) if arguments else DIST
    try:
        written = write(folder)
    except UnknownContent as error:
        return f"{error}; see tools/sbom.py"
    for file in written:
        count = len(json.loads(file.read_text(encoding="utf-8"))["components"])
        print(f"{file.name}: {count} libraries")
    return 0 if written else f"{folder.name} holds no zips: run `make build` first"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
