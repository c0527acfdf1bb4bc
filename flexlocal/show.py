"""Shows resources as a table."""

from typing import Any, Callable, TextIO

from rich.console import Console
from rich.table import Table

from shared.engine.masking import visible

WIDTH = 150  # if the output is not a terminal
LONG_ID = 40  # ids up to this length stay on one line, so that they can be copied

ALWAYS = ("NAME", "ID")
NOTHING = "-"

Column = tuple[str, Callable[[dict[str, Any]], Any]]


def table(family: str, resources: list[dict[str, Any]], out: TextIO) -> None:
    """One row per resource, with the columns of its family; empty columns are left out."""
    columns = {
        title: [_text(value(resource)) for resource in resources]
        for title, value in _columns(family)
    }
    shown = Table(box=None, pad_edge=False, header_style="bold")
    kept = []
    for title, cells in columns.items():
        if title in ALWAYS or any(cell != NOTHING for cell in cells):
            kept.append(cells)
            whole = title == "ID" and max(map(len, cells), default=0) <= LONG_ID
            shown.add_column(title, overflow="fold", no_wrap=whole)
    for row in zip(*kept):
        shown.add_row(*row)
    terminal = out.isatty()
    console = Console(file=out, width=None if terminal else WIDTH, markup=False, highlight=False)
    with console.capture() as printed:  # rich would end the process if the reader is gone
        console.print(shown)
    out.write(printed.get())


def _columns(family: str) -> list[Column]:
    first: list[Column] = [
        ("NAME", lambda resource: resource["base"]["name"]),
        ("ID", lambda resource: resource["id"]),
        ("REGION", _region),
    ]
    return first + _OF_FAMILY.get(family, [])


def _details(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda resource: resource["details"].get(resource["type"], {}).get(name)


def _specific(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda resource: resource["metadata"].get("provider_specific", {}).get(name)


def _region(resource: dict[str, Any]) -> Any:
    base = resource["base"]
    locations = [location.get("region", {}) for location in base.get("locations", [])]
    ids = (location.get("id") for location in locations or base.get("regions", []))
    return ", ".join(filter(None, ids))


def _addresses(resource: dict[str, Any]) -> Any:
    return [address.get("ip_address") for address in _details("ip_addresses")(resource) or []]


def _cidrs(resource: dict[str, Any]) -> Any:
    cidrs: list[Any] = []
    for name in ("CidrBlocks", "Ipv6CidrBlocks", "cidrs"):
        cidrs.extend(_specific(name)(resource) or [])
    return cidrs


def _status(resource: dict[str, Any]) -> Any:
    """The provider's own status, for types that have no state in CMP."""
    names = ("status", "operating_status", "provider_state", "State", "Status", "LifeCycleState")
    return next(filter(None, (_specific(name)(resource) for name in names)), None)


def _connected(type_: str) -> Callable[[dict[str, Any]], Any]:
    return lambda resource: len(resource["connections"].get(type_, [])) or None


def _size(name: str) -> Callable[[dict[str, Any]], Any]:
    """Bytes in the largest binary unit that gives a number of at least one."""

    def size(resource: dict[str, Any]) -> Any:
        value = _details(name)(resource)
        if value is None:
            return None
        for unit in ("B", "KiB", "MiB", "GiB"):
            if value < 1024:
                return f"{value:g} {unit}"
            value /= 1024
        return f"{value:g} TiB"

    return size


def _rate(name: str) -> Callable[[dict[str, Any]], Any]:
    """Bits per second in the largest unit that gives a number of at least one."""

    def rate(resource: dict[str, Any]) -> Any:
        value = _specific(name)(resource)
        if value is None:
            return None
        for unit in ("bit/s", "kbit/s", "Mbit/s"):
            if value < 1000:
                return f"{value:g} {unit}"
            value /= 1000
        return f"{value:g} Gbit/s"

    return rate


_OF_FAMILY: dict[str, list[Column]] = {
    "servers": [
        ("STATE", _details("state")),
        ("TYPE", _details("instance_type")),
        ("CORES", _details("cpu_cores")),
        ("RAM", _size("ram_b")),
        ("VOLUMES", _size("volumes_b")),
        ("ADDRESSES", _addresses),
    ],
    "networks": [
        ("KIND", _specific("network_kind")),
        ("CIDRS", _cidrs),
        ("NETWORKS", _connected("network")),
        ("ROUTERS", _connected("appliance")),
    ],
    "volumes": [
        ("SIZE", _size("size_b")),
        ("ENCRYPTED", _details("encrypted")),
        ("IOPS", _details("iops")),
        ("ZONE", _details("zone_name")),
        ("SERVERS", _connected("server")),
    ],
    "appliances": [
        ("TYPE", _details("type_id")),
        ("STATUS", _status),
        ("MODEL", _specific("model")),
        ("NETWORKS", _connected("network")),
        ("SERVERS", _connected("server")),
    ],
    "circuits": [
        ("TYPE", _details("type_id")),
        ("STATUS", _status),
        ("CARRIER", _details("carrier")),
        ("END A", _details("endpoint_a")),
        ("END B", _details("endpoint_b")),
        ("RATE", _rate("commit_rate_bps")),
    ],
    "vca_status": [
        ("STATUS", _specific("osm_status")),
        ("HEALTH", _specific("health")),
        ("JUJU", _specific("juju_status")),
        ("MESSAGE", _specific("juju_message")),
        ("SINCE", _specific("since")),
        ("SERVERS", _connected("server")),
    ],
    "wan_links": [
        ("STATE", _specific("state")),
        ("CARRIER", _details("carrier")),
        ("END A", _details("endpoint_a")),
        ("END B", _details("endpoint_b")),
        ("NETWORKS", _connected("network")),
        ("CAPACITY", _rate("capacity_bps")),
    ],
}


def _text(value: Any) -> str:
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "\n".join(visible(str(item)) for item in value) or NOTHING
    return visible(str(value))
