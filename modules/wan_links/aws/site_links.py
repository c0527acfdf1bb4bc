"""Links of sites, and connections of their devices, as Network Manager lists them.

A link has one end that Network Manager knows, at a site; it does not list where the other end is. Sites, devices and
links are the customer's entries: AVAILABLE says that they are registered, not that they work.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from nflex_connector_utils import Connections, Locations

from modules.wan_links.aws.records import (
    Lookups,
    Record,
    link_metadata,
    name_of,
    parse_arn,
    with_more,
)
from shared.providers import aws
from shared.records.fields import field, needed

MBPS = 10**6
LINK_DETAILS = ("Bandwidth", "Description", "GlobalNetworkId", "State", "Type")
CONNECTION_DETAILS = ("Description", "GlobalNetworkId", "State")


def convert_link(record: Record, scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    """A line of a carrier at a site."""
    link, site = needed(record, "LinkId", str), field(record, "SiteId", str)
    devices = sorted(lookups.devices_of.get(link, ()))
    device_names = filter(None, (name_of(device, lookups.devices) for device in devices))
    endpoint = with_more(name_of(site, lookups.sites), ", ".join(device_names))
    bandwidth = field(record, "Bandwidth", dict) or {}
    gateways = [parse_arn(arn) for arn in lookups.gateways_of.get(link, ())]
    return {
        "carrier": field(record, "Provider", str) or None,
        "endpoint_a": endpoint,
        "locations": Locations(_places([site], lookups)),
        "connections": Connections(
            appliances=sorted(
                gateway.id for gateway in gateways if gateway.is_reported(scope, lookups)
            )
        ),
        "metadata": link_metadata(
            record,
            LINK_DETAILS,
            ends=[{"name": endpoint, "SiteId": site, "DeviceIds": devices}],
            upload_bps=_bps(bandwidth, "UploadSpeed"),
            download_bps=_bps(bandwidth, "DownloadSpeed"),
        ),
    }


def convert_connection(record: Record, scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    """From one device to another, over a link of each."""
    endpoints = [
        _endpoint(field(record, device, str), field(record, link, str), lookups)
        for device, link in (("DeviceId", "LinkId"), ("ConnectedDeviceId", "ConnectedLinkId"))
    ]
    carriers = {endpoint["Provider"] for endpoint in endpoints}
    links = {endpoint["LinkId"] for endpoint in endpoints if endpoint["LinkId"] in lookups.links}
    connections = Connections()
    connections.add(type="circuit", connections=sorted(links))
    return {
        "carrier": carriers.pop() if len(carriers) == 1 else None,
        "endpoint_a": endpoints[0]["name"],
        "endpoint_b": endpoints[1]["name"],
        "locations": Locations(_places([endpoint["SiteId"] for endpoint in endpoints], lookups)),
        "connections": connections,
        "metadata": link_metadata(record, CONNECTION_DETAILS, ends=endpoints),
    }


def _endpoint(device: Optional[str], link: Optional[str], lookups: Lookups) -> dict[str, Any]:
    """One endpoint of a connection: named by its site, its device and its link."""
    link_record = lookups.links.get(link or "") or {}
    site = field(lookups.devices.get(device or "") or {}, "SiteId", str)
    site = site or field(link_record, "SiteId", str)
    inside = " ".join(
        filter(None, (name_of(device, lookups.devices), name_of(link, lookups.links)))
    )
    return {
        "name": with_more(name_of(site, lookups.sites), inside) or inside or None,
        "SiteId": site,
        "DeviceId": device,
        "LinkId": link,
        "Provider": field(link_record, "Provider", str),
    }


def _places(sites: Iterable[Optional[str]], lookups: Lookups) -> list[dict[str, Any]]:
    """Where the sites are, each once. Their coordinates are text that a person wrote."""
    places: dict[str, dict[str, Any]] = {}
    for site in filter(None, sites):
        location = field(lookups.sites.get(site) or {}, "Location", dict) or {}
        place: dict[str, Any] = {"name": name_of(site, lookups.sites)}
        latitude, longitude = (_number(location, name) for name in ("Latitude", "Longitude"))
        if latitude is not None and longitude is not None:
            place.update(latitude=latitude, longitude=longitude)
        places[site] = {"type": "customer", "location": place}
    return list(places.values())


def _number(location: Mapping[str, Any], name: str) -> Optional[float]:
    text = field(location, name, str) or ""
    return float(text) if re.fullmatch(r"\s*[-+]?\d{1,3}(\.\d+)?\s*", text) else None


def _bps(bandwidth: dict[str, Any], name: str) -> Optional[int]:
    mbps = field(bandwidth, name, int)
    return None if mbps is None else mbps * MBPS
