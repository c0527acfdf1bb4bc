"""Finds the project's files that a module can reach by imports: exactly these go into its zip."""

import modulefinder
from collections.abc import Iterable
from pathlib import Path


def files(root: Path, modules: Iterable[str]) -> list[Path]:
    """The files below ``root`` that these modules import, directly or not, imports within functions included.

    Imports by a name that is only known at run time (a family's cells, an event's provider) are not seen: name
    those modules in ``modules``.
    """
    finder = modulefinder.ModuleFinder(path=[str(root)])
    for module in modules:
        finder.import_hook(module)
    paths = (getattr(module, "__file__", None) for module in finder.modules.values())
    return sorted(Path(file) for file in paths if file)
