"""The disks of virtual machines.

API: GET /api/virtualization/virtual-disks/, 1,000 a page or as many as the server allows.
https://netboxlabs.com/docs/netbox/models/virtualization/virtualdisk/

Sizes are in megabytes, before NetBox 4.1 in gigabytes (both decimal: 4.1 multiplied the old sizes by 1,000).
A disk's name is unique within its machine.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

from nflex_connector_utils import Connections, Volume

from shared.engine.contracts import Cell, Page
from shared.providers import netbox
from shared.records.fields import needed, time

FIELDS = (
    "id",
    "virtual_machine",
    "name",
    "size",
    "owner",
    "description",
    "tags",
    "custom_fields",
    "created",
    "last_updated",
)
DETAILS = ("virtual_machine", "owner", "description", "last_updated")


@dataclasses.dataclass(frozen=True)
class Lookups:
    version: tuple[int, int]  # NetBox's release, which decides the unit of sizes


def fetch(scope: netbox.Scope) -> Iterator[Page[dict[str, Any], Lookups]]:
    for disks in netbox.pages(scope, "virtualization/virtual-disks", FIELDS):
        # after a page: newer releases send their version with it, others need a call
        yield Page(disks, Lookups(scope.version))


def convert(record: dict[str, Any], scope: netbox.Scope, lookups: Lookups) -> Volume:
    number = needed(record, "id", int)
    machine = needed(needed(record, "virtual_machine", dict), "id", int)
    return Volume(
        id=str(number),
        name=netbox.name_of(record),
        size_b=netbox.disk_bytes(record, "size", lookups.version),
        provider_created_at=time(record, "created"),
        connections=Connections(servers=[f"virtual-machine:{machine}"]),
        metadata=netbox.details(record, DETAILS),
        native_portal_link=f"{scope.url}/virtualization/virtual-disks/{number}/",
    )


CELL = Cell(
    calls="ceil(disks/1000) /virtual-disks; up to 4.1: + 1 /status",
    permissions=("virtualization.view_virtualdisk",),
    fetch=fetch,
    convert=convert,
)
