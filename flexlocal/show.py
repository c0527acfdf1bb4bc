"""Shows resources and points as a table that fits the terminal."""

import csv
import dataclasses
import os
import shutil
from collections.abc import Collection, Sequence
from typing import Any, Callable, Optional, TextIO

from shared.engine.masking import visible

LEAST = 16  # cells that a shortened column keeps
NARROWEST = 8  # the same, where even that is too much
READABLE = 24  # the same, before columns are left out that matter more
MOST = 40  # cells of a value, where columns have to give way
NOTHING = "-"
GAP = "  "


@dataclasses.dataclass(frozen=True)
class Column:
    """A column: its title, the value of an entry, and how that is written.

    ``shown``: where it takes all of the entry to know how. ``gives_way``: whether it may be left out where there is no
    room, if not as the titles below say.
    """

    title: str
    value: Callable[[dict[str, Any]], Any]
    form: Optional[Callable[[Any], Optional[str]]] = None
    shown: Optional[Callable[[dict[str, Any]], Any]] = None
    gives_way: Optional[bool] = None


# What is copied from a table: never left out, and shortened last and in the middle, beyond the length of a UUID.
WHOLE = ("ID", "RESOURCE")
UNCUT = ("WHEN",)  # half a time is of no use
ALWAYS = (
    "NAME", *WHOLE, "LEVEL", "METRIC", "VALUE", "MESSAGE", "WHAT", "FIELD", "BEFORE", "AFTER"
)  # fmt: skip
# The first to give way where there is no room for all columns; then those that are not named here, from the right.
FIRST_OUT = (
    "USER",
    "MODEL",
    "ZONE",
    "IOPS",
    "ENCRYPTED",
    "CARRIER",
    "KIND",
    "ROUTERS",
    "CORES",
    "VOLUMES",
    "RAM",
    "REGION",
)


def table(
    columns: Sequence[Column],
    entries: Sequence[dict[str, Any]],
    out: TextIO,
    *,
    every: bool = False,
) -> list[str]:
    """One row for each entry; columns without any value are left out.

    On a terminal, a table that is too wide has long values shortened, then columns left out: returns their titles.
    ``every``: everything is shown in full. No value is ever folded.
    """
    cells = {
        column.title: [column.title, *(text(column, entry) for entry in entries)]
        for column in columns
    }
    kept = [
        title
        for title, values in cells.items()
        if title in ("NAME", "ID") or every or any(value != NOTHING for value in values[1:])
    ]
    width = shutil.get_terminal_size().columns if out.isatty() and not every else None
    fixed = {column.title for column in columns if not _gives_way(column)}
    left_out = _fit(kept, fixed, cells, width) if width else []
    kept = [title for title in kept if title not in left_out]
    widths = {title: max(map(_width, cells[title])) for title in kept}
    bold = out.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    for number in range(len(entries) + 1):
        row = [
            value + " " * (widths[title] - _width(value))
            for title in kept
            for value in [cells[title][number]]
        ]
        line = GAP.join(row).rstrip()
        out.write(f"\x1b[1m{line}\x1b[0m\n" if bold and number == 0 else f"{line}\n")
    return left_out


def _gives_way(column: Column) -> bool:
    return column.title not in ALWAYS if column.gives_way is None else column.gives_way


def _fit(
    kept: list[str], fixed: Collection[str], cells: dict[str, list[str]], width: int
) -> list[str]:
    """Shorten values and choose columns to leave out, until a row has no more cells than ``width``."""
    whole_cells = dict(cells)

    def excess(left_out: list[str]) -> int:
        there = [title for title in kept if title not in left_out]
        return (
            sum(max(map(_width, cells[title])) for title in there)
            + len(GAP) * (len(there) - 1)
            - width
        )

    def shorten(title: str, most: int) -> None:
        cut = _without_middle if title in WHOLE else _shortened
        cells[title] = [cut(value, most) for value in whole_cells[title]]

    def drop(titles: list[str]) -> None:
        for title in titles:
            if excess(left_out) > 0:
                left_out.append(title)

    def shorten_all(titles: list[str], most: int) -> None:
        if excess(left_out) > 0:
            for title in titles:
                shorten(title, most)

    left_out: list[str] = []
    whole = [title for title in kept if title in WHOLE]
    short = [title for title in kept if title not in (*WHOLE, *UNCUT)]
    droppable = [title for title in kept if title not in fixed]
    shorten_all([*short, *whole], MOST)
    drop([title for title in FIRST_OUT if title in droppable])
    shorten_all(short, READABLE)
    drop([title for title in reversed(droppable) if title not in FIRST_OUT])
    for title in [*sorted(short, key=lambda each: -max(map(_width, cells[each]))), *whole]:
        over = excess(left_out)
        if over > 0 and title not in left_out:
            shorten(title, max(LEAST, max(map(_width, cells[title])) - over))
    while excess(left_out) > 0:
        widths = {
            title: max(map(_width, cells[title]))
            for title in kept
            if title not in (*left_out, *UNCUT)
        }
        widest = max(widths, key=lambda title: widths[title])
        if widths[widest] <= NARROWEST:  # of a terminal that is too narrow for a table
            break
        shorten(widest, widths[widest] - 1)
    return left_out


def _shortened(value: str, most: int) -> str:
    if _width(value) <= most:
        return value
    while _width(value) > most - 1:
        value = value[:-1]
    return value.rstrip(" ,") + "\N{HORIZONTAL ELLIPSIS}"


def _without_middle(value: str, most: int) -> str:
    """Of an id, both ends differ from those of others."""
    if _width(value) <= most:
        return value
    tail = (most - 1) * 2 // 3
    return f"{value[: most - 1 - tail]}\N{HORIZONTAL ELLIPSIS}{value[-tail:]}"


def _width(value: str) -> int:
    """Cells of a terminal: characters of East Asia take two."""
    if value.isascii():
        return len(value)
    from rich.cells import cell_len  # takes a while to import

    return cell_len(value)


def csv_of(columns: Sequence[Column], entries: Sequence[dict[str, Any]], out: TextIO) -> None:
    """The columns as CSV with a header; numbers as numbers in their base unit, lists with semicolons."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(column.title.lower().replace(" ", "_") for column in columns)
    for entry in entries:
        writer.writerow(_csv(column.value(entry)) for column in columns)


def _csv(value: Any) -> Any:
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    written = (
        "; ".join(_plain(item) for item in value) if isinstance(value, list) else _plain(value)
    )
    return f"'{written}" if written.startswith(("=", "+", "-", "@")) else written  # no formula


def text(column: Column, entry: dict[str, Any]) -> str:
    """What the table shows of an entry in this column."""
    value = (column.shown or column.value)(entry)
    if value is not None and column.form:
        value = column.form(value)
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value) or NOTHING
    return NOTHING if value is None or value == "" else _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return visible(str(value))


def columns(kind: str) -> list[Column]:
    """The columns of a family's resources, or of "status", "metrics" or "logs"."""
    if kind in _OF_POINTS:
        return _OF_POINTS[kind]
    first = [
        Column("NAME", lambda resource: resource["base"]["name"]),
        Column("ID", lambda resource: resource["id"]),
        Column("REGION", _region),
    ]
    return first + _OF_FAMILY.get(kind, [])


def columns_of(entries: Sequence[dict[str, Any]]) -> list[Column]:
    """A column for each key of what a query returned, in the order in which they come first."""
    keys = dict.fromkeys(key for entry in entries if isinstance(entry, dict) for key in entry)
    return [Column(str(key).upper(), _field(key)) for key in keys]


def _field(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda entry: entry.get(name) if isinstance(entry, dict) else None


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


def number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def size(value: float) -> str:
    """Bytes in the unit that needs the fewest digits: a disk of 20480 MB is one of 20.48 GB, not of 19.0735 GiB."""

    def written(base: int, units: tuple[str, ...]) -> str:
        shrunk, unit = float(value), 0
        while shrunk >= base and unit < len(units) - 1:
            shrunk, unit = shrunk / base, unit + 1
        return f"{shrunk:.6g} {units[unit]}"

    binary = written(1024, ("B", "KiB", "MiB", "GiB", "TiB"))
    decimal = written(1000, ("B", "kB", "MB", "GB", "TB"))
    return min(binary, decimal, key=lambda text: len(text.split()[0]))


def rate(value: float) -> str:
    """Bits per second in the largest unit that gives a number of at least one."""
    for unit in ("bit/s", "kbit/s", "Mbit/s"):
        if value < 1000:
            return f"{value:g} {unit}"
        value /= 1000
    return f"{value:g} Gbit/s"


def amount(field: str, value: Any) -> Any:
    """A size or a rate as it is bought, by the name of its field; any other value as it is."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    if field in ("ram_b", "size_b", "volumes_b"):
        return size(value)
    return rate(value) if field.endswith("_bps") else value


_OF_FAMILY: dict[str, list[Column]] = {
    "servers": [
        Column("STATE", _details("state")),
        Column("TYPE", _details("instance_type")),
        Column("CORES", _details("cpu_cores")),
        Column("RAM", _details("ram_b"), size),
        Column("VOLUMES", _details("volumes_b"), size),
        Column("ADDRESSES", _addresses),
    ],
    "networks": [
        Column("KIND", _specific("network_kind")),
        Column("CIDRS", _cidrs),
        Column("NETWORKS", _connected("network")),
        Column("ROUTERS", _connected("appliance")),
    ],
    "volumes": [
        Column("SIZE", _details("size_b"), size),
        Column("ENCRYPTED", _details("encrypted")),
        Column("IOPS", _details("iops")),
        Column("ZONE", _details("zone_name")),
        Column("SERVERS", _connected("server")),
    ],
    "appliances": [
        Column("TYPE", _details("type_id")),
        Column("STATUS", _status),
        Column("MODEL", _specific("model")),
        Column("NETWORKS", _connected("network")),
        Column("SERVERS", _connected("server")),
    ],
    "circuits": [
        Column("TYPE", _details("type_id")),
        Column("STATUS", _status),
        Column("CARRIER", _details("carrier")),
        Column("END A", _details("endpoint_a")),
        Column("END B", _details("endpoint_b")),
        Column("RATE", _specific("commit_rate_bps"), rate),
    ],
    "vca_status": [
        Column("STATUS", _specific("osm_status")),
        Column("HEALTH", _specific("health")),
        Column("JUJU", _specific("juju_status")),
        Column("MESSAGE", _specific("juju_message")),
        Column("SINCE", _specific("since")),
        Column("SERVERS", _connected("server")),
    ],
    "wan_links": [
        Column("STATE", _specific("state")),
        Column("CARRIER", _details("carrier")),
        Column("END A", _details("endpoint_a")),
        Column("END B", _details("endpoint_b")),
        Column("NETWORKS", _connected("network")),
        Column("CAPACITY", _specific("capacity_bps"), rate),
    ],
}

_OF_POINTS: dict[str, list[Column]] = {
    "status": [
        Column("RESOURCE", _field("resource_id")),
        Column("LEVEL", _field("level")),
        Column("MESSAGE", _field("message")),
        Column("TIME", _field("time")),
        Column("TYPE", _field("resource_type")),
    ],
    "metrics": [
        Column("RESOURCE", _field("resource_id")),
        Column("METRIC", _field("metric")),
        Column("OF", _field("specialisation")),
        Column("VALUE", _field("value"), number),
        Column("UNIT", _field("unit")),
        Column("TIME", _field("time")),
        Column("TYPE", _field("resource_type")),
    ],
    "logs": [
        Column("TIME", _field("time")),
        Column("RESOURCE", _field("resource_id")),
        Column("SEVERITY", _field("severity")),
        Column("MESSAGE", _field("message")),
        Column("USER", _field("user")),
        Column("TYPE", _field("resource_type")),
    ],
}
