"""Imports nflex-connector-utils without its parser of metric mappings, until somebody uses that.

Its ``__init__`` imports the parser, and so pyparsing, unittest and yaml: a sixth of a cold start, which only metrics
need. Python imports a package's ``__init__`` before any of its modules, so no way of importing leaves that out.
So the parser's place is taken while ``__init__`` runs; afterwards the names that it takes from the parser come from
the real one, at their first use (PEP 562). Nothing else is changed.
"""

import importlib
import sys
import types
from typing import Any

PACKAGE = "nflex_connector_utils"
PARSER = f"{PACKAGE}.parser"
NAMES = ("ParsedEntry", "VariableLookupError", "load_metric_mapping")  # what __init__ takes from it


def import_without_parser() -> None:
    if PACKAGE in sys.modules:
        return
    stand_in = types.ModuleType(PARSER)
    vars(stand_in).update(dict.fromkeys(NAMES))
    sys.modules[PARSER] = stand_in
    try:
        package = importlib.import_module(PACKAGE)
    finally:
        del sys.modules[PARSER]
    for name in NAMES:
        delattr(package, name)
    package.__getattr__ = _of_parser  # type: ignore[method-assign]


def _of_parser(name: str) -> Any:
    if name == "parser":
        return importlib.import_module(PARSER)
    if name in NAMES:
        return getattr(importlib.import_module(PARSER), name)
    raise AttributeError(f"module {PACKAGE!r} has no attribute {name!r}")
