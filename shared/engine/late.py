"""Imports charset_normalizer at its first use, though requests imports it at once.

That is a twentieth of a cold start, and requests has no switch against it. It needs it to guess the encoding of a
text that names none, which the texts of APIs hardly ever are.
"""

import importlib
import sys
import types
from importlib.machinery import PathFinder
from typing import Any

PACKAGE = "charset_normalizer"


class _Late(types.ModuleType):
    """In the package's place until somebody takes an attribute that this does not have."""

    __version__ = "3.0.0"  # requests checks that it is from 2.0.0 on

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(PACKAGE) is self:
            del sys.modules[PACKAGE]
        return getattr(importlib.import_module(PACKAGE), name)


def import_late() -> None:
    spec = None if PACKAGE in sys.modules else PathFinder.find_spec(PACKAGE)
    if spec is None:
        return
    late = _Late(PACKAGE)
    late.__spec__ = spec
    late.__path__ = spec.submodule_search_locations or []
    sys.modules[PACKAGE] = late
