"""Resources of nflex-connector-utils as CMP's dicts.

What their own ``serialize`` returns, in a third of its time: that formats the present moment, which the engine replaces
by the poll's, and formats times with pytz and strftime. tests/test_resources.py compares both.
"""

import datetime
from typing import Any, Callable, Optional, Union

from nflex_connector_utils import (
    Appliance,
    Circuit,
    Network,
    Resource,
    Server,
    ServiceOffering,
    Volume,
    convert_datetime,
)

FIRST_YEAR = 1000  # from here on, isoformat writes what strftime does


def serialized(resource: Any, seen_at: str) -> dict[str, Any]:
    """The resource as CMP's dict; ``seen_at`` is the time of the poll."""
    details = _DETAILS.get(type(resource))
    if details is None:
        data: dict[str, Any] = resource.serialize()
        data["base"]["last_seen_at"] = seen_at
        return data
    base = {
        "name": resource.name,
        "provider_created_at": timestamp(resource.provider_created_at),
        "last_seen_at": seen_at,
    }
    link = resource._native_portal_link
    if link is not None:
        base["native_portal_link"] = link
    locations = [] if resource.locations is None else resource.locations.serialize()
    if locations:
        base["locations"] = locations
    else:
        base["regions"] = [] if resource.region is None else [resource.region.serialize()]
    return {
        "id": resource.id,
        "type": resource.type,
        "base": base,
        "connections": resource.connections.serialize() if resource.connections else {},
        "metadata": resource.metadata.serialize(),
        "details": {resource.type: details(resource)},
    }


def timestamp(moment: Union[datetime.datetime, str, None]) -> Optional[str]:
    """What ``convert_datetime`` returns: RFC 3339 in UTC."""
    if (
        type(moment) is datetime.datetime
        and moment.tzinfo is datetime.timezone.utc
        and moment.year >= FIRST_YEAR
    ):
        return moment.isoformat()[: -len("+00:00")] + "Z"
    text: Optional[str] = convert_datetime(moment)
    return text


def _server(server: Any) -> dict[str, Any]:
    image = server.image_detail
    details = {
        "cpu_cores": server._cpu_cores,
        "cpu_hz": server._cpu_hz,
        "ram_b": server._ram_b,
        "volumes_b": server._volumes_b,
        "instance_type": server._instance_type,
        "state": server._state,
        "provider_state": server._provider_state,
        "ip_addresses": [address.serialize() for address in server._ip_addresses],
        "image_detail": None if image is None else image.serialize(),
    }
    if server.is_virtual is not None:
        details["is_virtual"] = server.is_virtual
    return details


def _network(network: Any) -> dict[str, Any]:
    return {}


def _volume(volume: Any) -> dict[str, Any]:
    details = {
        "encrypted": volume._encrypted,
        "iops": None if volume._iops is None else int(volume._iops),
        "size_b": volume.size_b,
    }
    if volume._zone_name is not None:
        details["zone_name"] = volume._zone_name
    return details


def _of_a_type(resource: Any) -> dict[str, Any]:
    return {"type_id": resource._type_id}


def _circuit(circuit: Any) -> dict[str, Any]:
    return {
        "type_id": circuit._type_id,
        "carrier": circuit._carrier,
        "reference": circuit._reference,
        "endpoint_a": circuit._endpoint_a,
        "endpoint_b": circuit._endpoint_b,
    }


_DETAILS: dict[type[Resource], Callable[[Any], dict[str, Any]]] = {
    Appliance: _of_a_type,
    Circuit: _circuit,
    Network: _network,
    Server: _server,
    ServiceOffering: _of_a_type,
    Volume: _volume,
}
