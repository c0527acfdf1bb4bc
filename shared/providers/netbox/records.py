"""What NetBox's records have in common: nested objects, tags, places, states, and what a device is.

Nested objects are brief: a name, but neither a site's coordinates nor a location's site. Their ``url``
and counts are never used: the url is built from the request's Host, and the counts are wrong.
"""

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from shared.engine.errors import InvalidEvent
from shared.records.fields import field, needed, objects
from shared.records.metadata import Metadata, metadata

# The last fields of most listings, and those of them that metadata shows unchanged.
COMMON_FIELDS = (
    "owner",  # from 4.5
    "description",
    "comments",
    "tags",
    "custom_fields",
    "created",
    "last_updated",
)
COMMON_DETAILS = ("owner", "description", "comments", "last_updated")
SITE_FIELDS = ("id", "name", "region", "latitude", "longitude")
LOCATION_FIELDS = ("id", "name", "site")
DEVICE_FIELDS = (
    "id",
    "display",
    "name",
    "device_type",
    "role",
    "device_role",  # 3.7
    "tenant",
    "platform",
    "serial",
    "asset_tag",
    "site",
    "location",
    "rack",
    "position",
    "face",
    "latitude",
    "longitude",
    "parent_device",
    "status",
    "primary_ip4",
    "primary_ip6",
    "oob_ip",
    "cluster",
    "virtual_chassis",
    "vc_position",
    *COMMON_FIELDS,
)
# The fields of a device at an endpoint of a link: what device_kind needs, its name and its site.
DEVICE_AT_ENDPOINT_FIELDS = ("id", "name", "display", "role", "device_role", "device_type", "site")
# The fields of a device that metadata shows unchanged; its rendered config context is not requested.
DEVICE_DETAILS = (
    "role",
    "tenant",
    "platform",
    "serial",
    "asset_tag",
    "site",
    "location",
    "rack",
    "position",
    "face",
    "parent_device",
    "cluster",
    "virtual_chassis",
    "vc_position",
    *COMMON_DETAILS,
)
# Of devices and virtual machines. Operators may add states of their own; those are unknown.
STATES = {
    "active": "running",
    "decommissioning": "shutting",
    "failed": "stopped",
    "inventory": "stopped",
    "offline": "stopped",
    "paused": "stopped",
    "planned": "pending",
    "staged": "pending",
}
MEGABYTES_SINCE = (4, 1)
LONGEST_NAME = 100  # characters of a role's name or slug in NetBox

# --- fields -------------------------------------------------------------------------------------


def brief(value: Any) -> Any:
    """A value for people: a choice's value, a nested object's name, anything else unchanged."""
    if isinstance(value, list):
        return [brief(item) for item in value]
    if isinstance(value, dict):
        if "value" in value and "label" in value:
            return value["value"]
        if "display" in value:
            return value.get("name") or value["display"]
    return value


def shown(record: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The record's fields of these names, made brief."""
    values = zip(names, map(record.get, names))
    # most are texts or absent
    return {n: v if v is None or type(v) is str else brief(v) for n, v in values}


def tags(record: Mapping[str, Any]) -> dict[str, Any]:
    """Tags by name, and the custom fields that are set, named as in NetBox's filters: ``cf_NAME``."""
    values: dict[str, Any] = {needed(tag, "name", str): "" for tag in objects(record, "tags")}
    for name, value in (field(record, "custom_fields", dict) or {}).items():
        if value is not None:
            values[f"cf_{name}"] = brief(value)
    return values


def details(record: Mapping[str, Any], names: Sequence[str], **more: Any) -> Metadata:
    """The metadata of a record: its fields of these names, its tags, and ``more``."""
    return metadata({}, (), tags(record), **shown(record, names), **more)


def device_details(record: Mapping[str, Any], **more: Any) -> Metadata:
    """The metadata of a device, whether it is a server or an appliance."""
    device_type = field(record, "device_type", dict) or {}
    return details(
        record,
        DEVICE_DETAILS,
        manufacturer=nested(device_type, "manufacturer", "name"),
        model=field(device_type, "model", str),
        **more,
    )


def nested(record: Mapping[str, Any], name: str, key: str) -> Optional[str]:
    """A text in a nested object; None if there is no such object or text."""
    return field(field(record, name, dict) or {}, key, str) or None


def state(record: Mapping[str, Any], words: Mapping[str, str]) -> tuple[str, Optional[str]]:
    """CMP's state, and NetBox's value for it."""
    value = nested(record, "status", "value")
    return words.get(value or "", "unknown"), value


def name_of(record: Mapping[str, Any]) -> str:
    """The record's name; for a device without one, NetBox's description of it."""
    name = field(record, "name", str) or field(record, "display", str)
    return name or str(needed(record, "id", int))


def addresses(record: Mapping[str, Any]) -> dict[str, str]:
    """A device's or machine's addresses without masks, by field; ``primary_ip`` repeats one of these."""
    by_field = {}
    for name in ("primary_ip4", "primary_ip6", "oob_ip"):
        address = nested(record, name, "address")
        if address:
            by_field[name] = address.partition("/")[0]
    return by_field


def disk_bytes(record: Mapping[str, Any], name: str, version: tuple[int, int]) -> Optional[int]:
    """The size of a disk, which NetBox has in megabytes since 4.1, in gigabytes before."""
    size = field(record, name, int)
    return None if size is None else size * (10**6 if version >= MEGABYTES_SINCE else 10**9)


# --- places -------------------------------------------------------------------------------------


def place(
    site: Mapping[str, Any],
    sites: Mapping[int, Mapping[str, Any]],
    *,
    within: Optional[str] = None,
    spot: Optional[Mapping[str, Any]] = None,
) -> dict[str, Any]:
    """The location of a (nested) site, as nflex's Locations takes it; ``within`` names a room of it.

    ``spot`` is a record that may have its own coordinates. 0.0 is a valid coordinate.
    """
    name = needed(site, "name", str)
    listed = sites.get(needed(site, "id", int)) or {}
    location: dict[str, Any] = {"name": f"{name} / {within}" if within else name}
    for holder in (listed, spot or {}):
        latitude, longitude = field(holder, "latitude", float), field(holder, "longitude", float)
        if latitude is not None and longitude is not None:
            location.update(latitude=latitude, longitude=longitude)
    result: dict[str, Any] = {"location": location}
    region = field(listed, "region", dict)
    if region:
        result.update(area(region))
    return result


def distinct(places: Iterable[Optional[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The locations in their order, without duplicates and without None (an endpoint without a location)."""
    unique: list[dict[str, Any]] = []
    for location in places:
        if location and location not in unique:
            unique.append(location)
    return unique


def area(region: Mapping[str, Any]) -> dict[str, Any]:
    """A (nested) region as nflex's Locations takes it; it has no coordinates."""
    return {"region": {"id": needed(region, "slug", str), "name": needed(region, "name", str)}}


# --- kinds of devices -----------------------------------------------------------------------------

KINDS = (
    "firewall",
    "kvm",
    "load_balancer",
    "router",
    "server",
    "storage",
    "switch",
    "unknown",
)
# Operators choose the roles. The last words of a slug decide: "access switch" is a switch.
_ROLES = {
    "adc": "load_balancer",
    "bare-metal": "server",
    "console-server": "unknown",
    "cpe": "router",
    "filer": "storage",
    "firewall": "firewall",
    "fw": "firewall",
    "hypervisor": "server",
    "kvm": "kvm",
    "kvm-over-ip": "kvm",
    "kvm-switch": "kvm",
    "load-balancer": "load_balancer",
    "loadbalancer": "load_balancer",
    "nas": "storage",
    "ngfw": "firewall",
    "router": "router",
    "san": "storage",
    "server": "server",
    "storage": "storage",
    "storage-array": "storage",
    "switch": "switch",
    "terminal-server": "unknown",
}
# If the role does not decide: series by manufacturer, as in the public library of device types.
_SERIES = {
    "arista": {"dcs-": "switch"},
    "cisco": {
        "asa": "firewall",
        "asr": "router",
        "c92": "switch",
        "c93": "switch",
        "c94": "switch",
        "c95": "switch",
        "c96": "switch",
        "catalyst-9": "switch",
        "firepower": "firewall",
        "isr": "router",
        "n9k": "switch",
        "nexus": "switch",
        "ws-c": "switch",
    },
    "f5": {"big-ip": "load_balancer", "bigip": "load_balancer"},
    "fortinet": {"fg-": "firewall", "fortigate": "firewall"},
    "juniper": {"ex": "switch", "mx": "router", "qfx": "switch", "srx": "firewall"},
    "mikrotik": {"ccr": "router", "crs": "switch"},
    "netapp": {"aff": "storage", "fas": "storage"},
    "palo-alto": {"pa-": "firewall"},
    "palo-alto-networks": {"pa-": "firewall"},
    "raritan": {"dominion": "kvm", "kx": "kvm"},
}


def device_kinds(given: Any) -> dict[str, str]:
    """The account's option ``device_kinds``: slug of a role or of a device type -> kind.

    Raises InvalidEvent for a kind that is not one of ``KINDS``.
    """
    kinds = {}
    for slug, kind in (given or {}).items():
        if kind not in KINDS:
            raise InvalidEvent(
                f"'options.device_kinds' should map slugs to {', '.join(KINDS)}, "
                f"but {slug!r} is mapped to {kind!r}"
            )
        kinds[str(slug).strip().lower()] = kind
    return kinds


def device_kind(record: Mapping[str, Any], given: Mapping[str, str]) -> str:
    """One of ``KINDS``: the account's kind for the device's role or type, or else by the tables above.

    A "server" belongs to the servers family, every other kind to appliances.
    """
    role = field(record, "role", dict) or field(record, "device_role", dict) or {}
    device_type = field(record, "device_type", dict) or {}
    model = (field(device_type, "slug", str) or "").lower()
    role_slug = (field(role, "slug", str) or "").lower()
    for own in (role_slug, model):
        if own in given:
            return given[own]
    for text in (role_slug, (field(role, "name", str) or "").lower()):
        # NetBox's own names are kept; anything longer is not
        kind = (_by_last_words if len(text) <= LONGEST_NAME else _by_last_words.__wrapped__)(text)
        if kind:
            return kind
    maker = (nested(device_type, "manufacturer", "slug") or "").lower()
    series = model[len(maker) + 1 :] if model.startswith(f"{maker}-") else model
    for start, kind in _SERIES.get(maker, {}).items():
        if series.startswith(start):
            return kind
    return "unknown"


@functools.lru_cache(maxsize=256)
def _by_last_words(text: str) -> Optional[str]:
    words = re.findall(r"[^\W_]+", text)
    for first in range(len(words)):
        last = "-".join(words[first:])
        for ending in ("", "s", "es"):
            kind = _ROLES.get(last[: len(last) - len(ending)]) if last.endswith(ending) else None
            if kind:
                return kind
    return None
