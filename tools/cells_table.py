"""Writes the README's table of cells from the cells: ``python -m tools.cells_table``."""

import importlib
from collections.abc import Iterable
from pathlib import Path

from flexlocal.__main__ import families, rights

README = Path(__file__).resolve().parent.parent / "README.md"
START, END = "<!-- cells -->\n", "<!-- /cells -->"


def table() -> str:
    """The table in Markdown: one row a cell."""
    rows = ["| family | provider | what | API calls a poll | least rights |", "|" + " --- |" * 5]
    for family, cells in families().items():
        for provider, module in sorted(cells.items()):
            cell = importlib.import_module(module)
            what = (cell.__doc__ or "").split("\n")[0]
            needed = rights(cell)
            known = set(needed["get"])
            told = [_listed(needed["get"])]
            for handler, each in needed.items():
                if set(each) - known:
                    told.append(f"besides for `{handler}`: {_listed(sorted(set(each) - known))}")
            link = f"[{provider}](modules/{family}/{provider}.py)"
            rows.append(f"| {family} | {link} | {what} | {cell.CALLS} | {'; '.join(told)} |")
    return "\n".join(rows) + "\n"


def _listed(permissions: Iterable[str]) -> str:
    return ", ".join(f"`{each}`" for each in permissions)


def with_table(readme: str) -> str:
    """The README's text with the table as it should be."""
    before, _, rest = readme.partition(START)
    _, _, after = rest.partition(END)
    return before + START + table() + END + after


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
