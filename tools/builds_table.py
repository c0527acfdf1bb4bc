"""Writes the README's table of builds: ``python -m tools.builds_table``."""

from pathlib import Path

from flexlocal import build, manifest
from flexlocal.build import Built

README = Path(__file__).resolve().parent.parent / "README.md"
START, END = "<!-- builds -->\n", "<!-- /builds -->"


def table(built: "list[Built]") -> str:
    """The table in Markdown: one row a module."""
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


def rows(readme: str) -> dict[str, list[float]]:
    """What the README's table says: family -> its figures."""
    _, _, rest = readme.partition(START)
    lines = rest.partition(END)[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {family: [float(figure) for figure in figures] for family, *figures in cells}


if __name__ == "__main__":
    known = manifest.load()
    fresh = table([build.build(known, family) for family in known.modules])
    before, _, rest = README.read_text(encoding="utf-8").partition(START)
    README.write_text(before + START + fresh + END + rest.partition(END)[2], encoding="utf-8")
