"""Devices that are not servers, by role: routers, switches, firewalls, load balancers and others.

API: GET /api/dcim/devices/, 1,000 a page or as many as the server allows.
https://netboxlabs.com/docs/netbox/models/dcim/device/

Operators choose the roles. The account's option ``device_kinds`` maps them (and device types) to CMP's types,
then the tables in shared/providers/netbox/records.py do; a role that is in neither is "unknown".
Devices that are servers are reported by the servers family. States are those that the operator documented.
"""

from collections.abc import Iterator
from typing import Any, Union

from nflex_connector_utils import Appliance, Locations

from shared.engine.contracts import Cell, Dropped, Page
from shared.providers import netbox
from shared.records.fields import field, needed, time

Sites = dict[int, dict[str, Any]]  # by id; they have the coordinates


def fetch(scope: netbox.Scope) -> Iterator[Page[dict[str, Any], Sites]]:
    sites, pages = scope.workers.before(
        netbox.pages(scope, "dcim/devices", netbox.DEVICE_FIELDS, exclude="config_context"),
        lambda: netbox.listed(scope, "dcim/sites", netbox.SITE_FIELDS),
    )
    for devices in pages:
        yield Page(devices, sites)


def convert(
    record: dict[str, Any], scope: netbox.Scope, lookups: Sites
) -> Union[Appliance, Dropped]:
    device_id = needed(record, "id", int)
    kind = netbox.device_kind(record, scope.device_kinds)
    if kind == "server":
        return Dropped("a server")
    site = field(record, "site", dict)
    cmp_state, word = netbox.state(record, netbox.STATES)
    return Appliance(
        id=str(device_id),
        name=netbox.name_of(record),
        type_id=kind,
        provider_created_at=time(record, "created"),
        locations=Locations([netbox.place(site, lookups, spot=record)] if site else []),
        metadata=netbox.device_details(
            record,
            **netbox.addresses(record),
            provider_state=word,
            state=cmp_state,
        ),
        native_portal_link=f"{scope.url}/dcim/devices/{device_id}/",
    )


CELL = Cell(
    calls="ceil(sites/1000) /sites + ceil(devices/1000) /devices",
    permissions=("dcim.view_device", "dcim.view_site"),
    fetch=fetch,
    convert=convert,
)
