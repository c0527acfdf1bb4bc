"""What polls bring in, kept: current state, history, search.

It knows CMP's resource dicts, and nothing of providers, connectors or terminals. ``Inventory`` is the whole interface, with ``copy``
and ``restore``; inventory/model.py has what it takes and gives back, inventory/errors.py what it raises. The extra ``[inventory]``
installs what it needs, which is loaded when ``Inventory`` is.
"""

import importlib
from typing import TYPE_CHECKING, Any

from inventory.changes import ABSENT, Change, apply, compare
from inventory.errors import InventoryError
from inventory.model import Failure

if TYPE_CHECKING:
    from inventory.backup import restore
    from inventory.copying import copy
    from inventory.inventory import Inventory

__all__ = [
    "ABSENT",
    "Change",
    "Failure",
    "Inventory",
    "InventoryError",
    "apply",
    "compare",
    "copy",
    "restore",
]
LOADED_WHEN_USED = {
    "Inventory": "inventory.inventory",
    "copy": "inventory.copying",
    "restore": "inventory.backup",
}


def __getattr__(name: str) -> Any:
    if name in LOADED_WHEN_USED:
        return getattr(importlib.import_module(LOADED_WHEN_USED[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
