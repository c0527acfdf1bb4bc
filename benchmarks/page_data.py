"""Inventories for what a page draws: many groups with links between them, and one as large as a picture may be."""

import datetime
from pathlib import Path
from typing import Any, Optional

from inventory import Inventory

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
IN_NETWORK = 20  # servers
BOXES, REGIONS = 198, 3  # of the largest picture


def _resource(
    type_name: str, id: str, connections: Optional[dict[str, list[str]]] = None, **details: Any
) -> dict[str, Any]:
    return {
        "id": id,
        "type": type_name,
        "base": {"name": id, "last_seen_at": "2026-01-01T00:00:00Z", "regions": []},
        "details": {type_name: details},
        "connections": {
            kind: [{"id": each} for each in ids] for kind, ids in (connections or {}).items()
        },
        "metadata": {"provider_metadata": {}, "provider_specific": {}},
    }


def _store(inventory: Inventory, account: str, scopes: dict[str, list[dict[str, Any]]]) -> None:
    inventory.store(
        account,
        "everything",
        scopes,
        provider="acme",
        started_at=START,
        ended_at=START + datetime.timedelta(minutes=1),
        all_scopes=True,
    )


def store_groups(file: Path, groups: int = 300, resources: int = 6000) -> None:
    """So many accounts, each linked with the next two and with one far away by circuits that have the same reference."""
    with Inventory(file, create=True) as inventory:
        for group in range(groups):
            found = []
            for server in range(max(1, resources // groups - 4)):
                network = f"net-{group}-{server // IN_NETWORK}"
                if server % IN_NETWORK == 0:
                    found.append(_resource("network", network))
                to = {"network": [network]}
                found.append(_resource("server", f"srv-{group}-{server}", to, state="running"))
            for step in (1, 2, groups // 2):
                for first in (group, (group - step) % groups):
                    reference = f"ORDER-{first}-{step}"
                    circuit = _resource(
                        "circuit", f"{reference}-{group}", type_id="mpls", reference=reference
                    )
                    found.append(circuit)
            unique = {each["id"]: each for each in found}
            _store(inventory, f"account-{group:03}", {"eu": [*unique.values()]})


def store_largest(file: Path) -> None:
    """One account. Its groups expanded, the picture has 598 boxes and 902 links, which is as much as is ever drawn."""
    with Inventory(file, create=True) as inventory:
        scopes = {}
        for region in range(REGIONS):
            names = [f"router-{region}-{number}" for number in range(BOXES)]
            scopes[f"region-{region}"] = [
                _resource(
                    "appliance",
                    name,
                    {"appliance": [names[(number + step) % BOXES] for step in (1, 7)]},
                    type_id="router",
                )
                for number, name in enumerate(names)
            ]
        _store(inventory, "largest", scopes)
