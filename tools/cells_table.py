"""Writes the README's table of cells from the cells: ``python -m tools.cells_table``."""

import importlib
from pathlib import Path

from flexlocal.__main__ import families

README = Path(__file__).resolve().parent.parent / "README.md"
START, END = "<!-- cells -->\n", "<!-- /cells -->"


def table() -> str:
    """The table in Markdown: one row a cell."""
    rows = ["| family | provider | what | API calls a poll | least rights |", "|" + " --- |" * 5]
    for family, cells in families().items():
        for provider, module in sorted(cells.items()):
            cell = importlib.import_module(module)
            what = (cell.__doc__ or "").split("\n")[0]
            rights = ", ".join(f"`{right}`" for right in cell.PERMISSIONS)
            link = f"[{provider}](modules/{family}/{provider}.py)"
            rows.append(f"| {family} | {link} | {what} | {cell.CALLS} | {rights} |")
    return "\n".join(rows) + "\n"


def with_table(readme: str) -> str:
    """The README's text with the table as it should be."""
    before, _, rest = readme.partition(START)
    _, _, after = rest.partition(END)
    return before + START + table() + END + after


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
