"""What polls bring in, kept: current state, history, search.

It knows CMP's resource dicts, and nothing of providers, connectors or terminals. ``Inventory`` is the whole interface;
inventory/model.py has what it takes and gives back, inventory/errors.py what it raises. The extra ``[inventory]``
installs what it needs, which is loaded when ``Inventory`` is.
"""

from typing import TYPE_CHECKING, Any

from inventory.changes import ABSENT, Change, apply, compare
from inventory.errors import InventoryError
from inventory.model import Failure

if TYPE_CHECKING:
    from inventory.inventory import Inventory

__all__ = ["ABSENT", "Change", "Failure", "Inventory", "InventoryError", "apply", "compare"]


def __getattr__(name: str) -> Any:
    if name == "Inventory":
        from inventory.inventory import Inventory

        return Inventory
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
