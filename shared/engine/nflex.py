"""Imports nflex-connector-utils without what only some handlers need of it, until somebody uses that.

Its ``__init__`` imports its parser of metric mappings, and so pyparsing, unittest and yaml, and its ``rfc3339``
dateutil and pytz: together a fourth of a cold start. Python imports a package's ``__init__`` before any of its
modules, so no way of importing leaves that out. So others take their place while ``__init__`` runs:

- the parser: afterwards the names that ``__init__`` takes from it come from the real one, at their first use (PEP 562)
- dateutil, which only texts are parsed with: imported when the first one is
- pytz, of which only ``utc`` is used: ``datetime.timezone.utc`` does the same

Nothing else is changed, and nothing in whose place something stood remains in ``sys.modules``.
"""

import datetime
import importlib
import sys
import types
from typing import Any

PACKAGE = "nflex_connector_utils"
PARSER = f"{PACKAGE}.parser"
NAMES = ("ParsedEntry", "VariableLookupError", "load_metric_mapping")  # what __init__ takes from it


def import_lean() -> None:
    if PACKAGE in sys.modules:
        return
    in_place_of: dict[str, dict[str, Any]] = {
        PARSER: dict.fromkeys(NAMES),
        "dateutil": {"parser": types.SimpleNamespace(parse=_parse)},
        "pytz": {"utc": datetime.timezone.utc},
    }
    absent = [name for name in in_place_of if name not in sys.modules]
    for name in absent:
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(in_place_of[name])
    try:
        package = importlib.import_module(PACKAGE)
    finally:
        for name in absent:
            del sys.modules[name]
    for name in NAMES:
        delattr(package, name)
    package.__getattr__ = _of_parser  # type: ignore[method-assign]


def _of_parser(name: str) -> Any:
    if name == "parser":
        return importlib.import_module(PARSER)
    if name in NAMES:
        return getattr(importlib.import_module(PARSER), name)
    raise AttributeError(f"module {PACKAGE!r} has no attribute {name!r}")


def _parse(text: str) -> datetime.datetime:
    parser: Any = importlib.import_module("dateutil.parser")
    time: datetime.datetime = parser.parse(text)
    return time
