"""Virtual disks, each of a virtual machine.

API: GET /api/virtualization/virtual-disks/, 1,000 a page or what the server allows.
https://netboxlabs.com/docs/netbox/models/virtualization/virtualdisk/

Sizes come in megabytes, before 4.1 in gigabytes (both decimal: 4.1 multiplied the old ones by 1,000).
A disk's name is unique to its machine.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

from nflex_connector_utils import Connections, Volume

from shared.providers import netbox
from shared.records.fields import needed, time

PERMISSIONS = ("virtualization.view_virtualdisk",)
CALLS = "ceil(disks/1000) /virtual-disks; up to 4.1: + 1 /status"

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


@dataclasses.dataclass
class Lookups:
    """The release, which newer ones tell with their first page."""

    version: tuple[int, int] = (0, 0)


def lookups(scope: netbox.Scope) -> Lookups:
    return Lookups()


def fetch(scope: netbox.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    for page in netbox.pages(scope, "virtualization/virtual-disks", FIELDS):
        lookups.version = scope.version
        yield page


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
