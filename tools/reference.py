"""Writes the generated parts of the README and of docs/reference: ``python -m tools.reference``.

A generated part stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``. ``builds`` needs built modules and is
written with ``python -m tools.reference builds``.
"""

import importlib
import io
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from flexlocal import build, manifest, show
from flexlocal.__main__ import families
from flexlocal.build import Built
from shared.engine import poll
from tools import expected, quality

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
CELLS = ROOT / "docs" / "reference" / "cells.md"
METRICS = ROOT / "docs" / "reference" / "metrics.md"
QUALITY = ROOT / "docs" / "reference" / "quality.md"
BUILDS = ROOT / "docs" / "reference" / "builds.md"
EXCERPT = 5  # rows of a table in the README
TITLES = {"vca_status": "VCA status", "wan_links": "WAN links"}
PROVIDERS = {
    "aws": "AWS",
    "ietf_l2vpn": "IETF L2VPN",
    "juju": "Juju",
    "netbox": "NetBox",
    "openstack": "OpenStack",
    "osm": "OSM",
    "tapi": "TAPI",
}


def grid() -> str:
    """The README's grid: a row a family, a column a provider, a link where there is a cell."""
    known = families()
    providers = sorted({name for cells in known.values() for name in cells}, key=str.lower)
    heads = [f"[{PROVIDERS[name]}](docs/providers/{name}.md)" for name in providers]
    rows = ["| | " + " | ".join(heads) + " |", "| --- |" + " :-: |" * len(providers)]
    for family, cells in known.items():
        ticks = [f"[✓]({source(cells[name])})" if name in cells else " " for name in providers]
        rows.append(f"| {title(family)} | " + " | ".join(ticks) + " |")
    return "\n".join(rows) + "\n"


def excerpt() -> str:
    """What `make demo` shows of the volumes in OpenStack: the table's first rows, and the last line."""
    volumes = json.loads(expected.path("volumes", "openstack").read_text(encoding="utf-8"))
    out = io.StringIO()
    show.table(show.columns("volumes"), volumes[-EXCERPT:], out)
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    return "\n".join(["```text", *lines, "...", "```", ""])


def resource() -> str:
    """The golden file's first volume with metadata of the customer's own, as JSON."""
    volumes = json.loads(expected.path("volumes", "openstack").read_text(encoding="utf-8"))
    one = next(each for each in volumes if "provider_metadata" in each["metadata"])
    keys = ("id", "type", "base", "details", "connections", "metadata")
    lines = [line for key in keys for line in _two_levels(key, one[key])]
    return "\n".join(["```json", "{", ",\n".join(lines), "}", "```", ""])


def _two_levels(key: str, value: Any) -> list[str]:
    """A member of an object as JSON; those of an object in it on a line each."""
    if not isinstance(value, dict) or not value:
        return [f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"]
    inner = [
        f"    {json.dumps(name)}: {json.dumps(each, ensure_ascii=False)}"
        for name, each in value.items()
    ]
    return [f"  {json.dumps(key)}: {{\n" + ",\n".join(inner) + "\n  }"]


def cells() -> str:
    """A section a cell: what it reports, which calls a poll makes, and the permissions it needs."""
    return "\n".join(_cells())


def _cells() -> Iterator[str]:
    for family, known in families().items():
        yield f"## {title(family)}\n"
        for provider, module in sorted(known.items()):
            cell = poll.load_cell(module)
            yield f"### {title(family)} of {PROVIDERS[provider]} {{ #{family}-{provider} }}\n"
            yield f"{_first_line(module)} Source: `{source(module)}`.\n"
            yield "Calls of a poll:\n"
            yield from (f"- {each.strip()}" for each in cell.calls.split(";"))
            yield "\nPermissions:\n"
            needed = cell.permissions_by_handler
            yield f"- {_listed(needed['get'])}"
            for handler, those in needed.items():
                more = sorted(set(those) - set(needed["get"]))
                if more:
                    yield f"- for `{handler}` also {_listed(more)}"
            yield ""


def _first_line(module: str) -> str:
    return (importlib.import_module(module).__doc__ or "").splitlines()[0]


def metrics() -> str:
    """A table a service: the provider's metric, CMP's name and unit, and how one becomes the other."""
    entries = yaml.safe_load((ROOT / "mapping.yaml").read_text(encoding="utf-8"))
    services: dict[str, list[str]] = {}
    for key, entry in entries.items():
        provider, service, metric = key.split(".", 2)
        how = entry.get("conversion_expr", "value")
        if entry.get("counter"):
            how += " (growth a second)"
        if "statistic" in entry:
            how += f", of {entry['statistic']}"
        row = f"| `{metric}` | {entry['name']} | {entry['unit']} | {how} |"
        services.setdefault(f"{provider}.{service}", []).append(row)
    head = "| provider's metric | CMP's metric | unit | value |\n| --- | --- | --- | --- |"
    return "\n".join(
        f"## {name}\n\n{head}\n" + "\n".join(rows) + "\n" for name, rows in services.items()
    )


def rules() -> str:
    """The rules of the quality scale, a line each."""
    return "\n" + "".join(f"- {name}: {text}\n" for name, text in quality.load()[0].items()) + "\n"


def builds(built: "list[Built]") -> str:
    """The sizes of the built modules, a row each."""
    rows = [
        "| module | zip, MB | unpacked, MB | Python modules loaded | import of main.py, ms |",
        "|" + " --- |" * 5,
    ]
    for each in built:
        sizes = (each.zip.stat().st_size, sum(each.sizes.values()))
        megabytes = " | ".join(f"{size / 1e6:.2f}" for size in sizes)
        rows.append(
            f"| {each.module.family} | {megabytes} | {each.loaded} | {each.import_s * 1000:.0f} |"
        )
    return "\n".join(rows) + "\n"


def build_rows(page: str) -> dict[str, list[float]]:
    """What the table of builds on a page says: family -> its figures."""
    lines = _part(page, "builds")[1].splitlines()[2:]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {family: [float(figure) for figure in figures] for family, *figures in table}


def source(module: str) -> str:
    """A cell's file, or its folder if the cell is a package, below the project's."""
    path = Path(*module.split("."))
    return (path if (ROOT / path).is_dir() else path.with_suffix(".py")).as_posix()


def title(family: str) -> str:
    return TITLES.get(family, family.capitalize())


def _listed(permissions: Iterable[str]) -> str:
    return ", ".join(f"`{each}`" for each in permissions)


def replaced(page: str, name: str, content: str) -> str:
    """The page with another generated part of this name."""
    before, _, after = _part(page, name)
    return before + content + after


def _part(page: str, name: str) -> tuple[str, str, str]:
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, opened, rest = page.partition(start)
    content, closed, after = rest.partition(end)
    if not opened or not closed:
        raise ValueError(f"the page has no part {start.strip()} ... {end}")
    return before + start, content, end + after


def fresh() -> dict[Path, str]:
    """The pages with generated parts (but the builds'), as they should be."""
    parts = {
        README: {"grid": grid(), "demo": excerpt(), "resource": resource()},
        CELLS: {"cells": cells()},
        METRICS: {"metrics": metrics()},
        QUALITY: {"rules": rules(), "quality": quality.page(PROVIDERS)},
    }
    pages = {page: page.read_text(encoding="utf-8") for page in parts}
    for page, contents in parts.items():
        for name, content in contents.items():
            pages[page] = replaced(pages[page], name, content)
    return pages


def write_builds() -> None:
    known = manifest.load()
    table = builds([build.build(known, family) for family in known.modules])
    page = replaced(BUILDS.read_text(encoding="utf-8"), "builds", table)
    BUILDS.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["builds"]:
        write_builds()
    else:
        for file, text in fresh().items():
            file.write_text(text, encoding="utf-8")
