"""Which inventory a command uses, and opening it."""

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from flexlocal.options import BadUsage

if TYPE_CHECKING:
    from inventory import Inventory

VARIABLE = "FLEXLOCAL_INVENTORY"
NEEDED = ("sqlalchemy", "alembic")  # the extra [inventory]


def address(given: Optional[str] = None) -> str:
    """A file or URL: ``given`` (``--inventory``), else $FLEXLOCAL_INVENTORY, else the usual file."""
    if given == "":
        raise BadUsage("--inventory is empty: it should name a file or a URL")
    return given or os.environ.get(VARIABLE) or str(usual())


def usual() -> Path:
    """In the user's data folder, as XDG has it."""
    data = os.environ.get("XDG_DATA_HOME", "")
    folder = Path(data) if os.path.isabs(data) else Path("~/.local/share").expanduser()
    return folder / "flexlocal" / "inventory.db"


def opened(given: Optional[str] = None, create: bool = False, upgrade: bool = False) -> "Inventory":
    """``create``: make it, or bring one of an older release up to date; ``upgrade``: only the latter.

    Raises BadUsage or an InventoryError.
    """
    where = address(given)
    check_installed()
    from inventory import Inventory
    from inventory.errors import OlderSchema

    if upgrade:
        try:
            return Inventory(where)
        except OlderSchema:
            return Inventory(where, create=True)

    if create and where == str(usual()):
        usual().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Inventory(where, create=create)


def check_installed() -> None:
    """Raises BadUsage where the extra is not installed."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise BadUsage(
            f"an inventory needs {' and '.join(missing)}: install the extra, pip install 'cmp-connectors[inventory]'"
        )
