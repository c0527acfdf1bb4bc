"""Which of the project's files a module can reach by its imports: what its zip has to carry, and no more."""

import modulefinder
from collections.abc import Iterable
from pathlib import Path


def files(root: Path, modules: Iterable[str]) -> list[Path]:
    """The files below ``root`` that importing these modules may read, imports within functions included.

    What is imported by a name that is put together at run time (a family's cells, an event's provider) is not
    seen: name it among ``modules``.
    """
    finder = modulefinder.ModuleFinder(path=[str(root)])
    for module in modules:
        finder.import_hook(module)
    found = (getattr(module, "__file__", None) for module in finder.modules.values())
    return sorted(Path(file) for file in found if file)
