"""Devices that are no servers, by role: routers, switches, firewalls, load balancers and the rest.

API: GET /api/dcim/devices/, 1,000 a page or what the server allows.
https://netboxlabs.com/docs/netbox/models/dcim/device/

Roles are the operator's own words. The account's option ``device_kinds`` maps them (and device types)
to CMP's types, before the tables in shared/providers/netbox/records.py do; what neither knows is "unknown". A
device that is a server is reported by the servers family. Statuses are what the operator wrote down.
"""

from collections.abc import Iterator
from typing import Any, Union

from nflex_connector_utils import Appliance, Locations

from shared.engine.poll import Dropped
from shared.providers import netbox
from shared.providers.netbox.records import (
    DEVICE_DETAILS,
    DEVICE_FIELDS,
    SITE_FIELDS,
    STATES,
    addresses,
    device_kind,
    name_of,
    nested,
    place,
    shown,
    state,
    tags,
)
from shared.records.fields import field, needed, time
from shared.records.metadata import metadata

PERMISSIONS = ("dcim.view_device", "dcim.view_site")
CALLS = "ceil(sites/1000) /sites + ceil(devices/1000) /devices"


def lookups(scope: netbox.Scope) -> dict[int, dict[str, Any]]:
    """The sites, which have the coordinates."""
    return netbox.listed(scope, "dcim/sites", SITE_FIELDS)


def fetch(
    scope: netbox.Scope, lookups: dict[int, dict[str, Any]]
) -> Iterator[list[dict[str, Any]]]:
    yield from netbox.pages(scope, "dcim/devices", DEVICE_FIELDS, exclude="config_context")


def convert(
    record: dict[str, Any], scope: netbox.Scope, lookups: dict[int, dict[str, Any]]
) -> Union[Appliance, Dropped]:
    device_id = needed(record, "id", int)
    kind = device_kind(record, scope.device_kinds)
    if kind == "server":
        return Dropped("a server")
    site = field(record, "site", dict)
    cmp_state, word = state(record, STATES)
    device_type = field(record, "device_type", dict) or {}
    return Appliance(
        id=str(device_id),
        name=name_of(record),
        type_id=kind,
        provider_created_at=time(record, "created"),
        locations=Locations([place(site, lookups, spot=record)] if site else []),
        metadata=metadata(
            {},
            (),
            tags(record),
            **shown(record, DEVICE_DETAILS),
            **addresses(record),
            manufacturer=nested(device_type, "manufacturer", "name"),
            model=field(device_type, "model", str),
            provider_state=word,
            state=cmp_state,
        ),
        native_portal_link=f"{scope.url}/dcim/devices/{device_id}/",
    )
