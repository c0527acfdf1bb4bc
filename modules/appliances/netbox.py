"""Devices that are no servers, by role: routers, switches, firewalls, load balancers and the rest.

API: GET /api/dcim/devices/, 1,000 a page or what the server allows.
https://netboxlabs.com/docs/netbox/models/dcim/device/

Roles are the operator's own words. The account's option ``device_kinds`` maps them (and device types)
to CMP's types, then the tables in shared/providers/netbox/records.py do; a role that neither has is "unknown".
A device that is a server is reported by the servers family. Statuses are what the operator wrote down.
"""

from collections.abc import Iterator
from typing import Any, Union

from nflex_connector_utils import Appliance, Locations

from shared.engine.poll import Dropped
from shared.providers import netbox
from shared.records.fields import field, needed, time

PERMISSIONS = ("dcim.view_device", "dcim.view_site")
CALLS = "ceil(sites/1000) /sites + ceil(devices/1000) /devices"


def lookups(scope: netbox.Scope) -> dict[int, dict[str, Any]]:
    """The sites, which have the coordinates."""
    return netbox.listed(scope, "dcim/sites", netbox.SITE_FIELDS)


def fetch(
    scope: netbox.Scope, lookups: dict[int, dict[str, Any]]
) -> Iterator[list[dict[str, Any]]]:
    yield from netbox.pages(scope, "dcim/devices", netbox.DEVICE_FIELDS, exclude="config_context")


def convert(
    record: dict[str, Any], scope: netbox.Scope, lookups: dict[int, dict[str, Any]]
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
