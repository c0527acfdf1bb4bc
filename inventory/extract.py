"""What of a document has rows of its own: addresses, identifiers, tags, connections and traits."""

import dataclasses
import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Union

from inventory.fields import SPECIFIC, TAGS, TRAIT_DETAILS, TRAIT_METADATA, pointer

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

EVERY = "*"  # in a pointer: any item of the list
LONGEST = (
    500  # characters of a tag or identifier that is indexed; longer ones are found by a scan only
)
MAC_LENGTH = 17
HOST = 128  # the prefix length of a single address: IPv4 is kept as ::ffff:a.b.c.d

_ADDRESS = re.compile(
    r"(\d{1,3}(\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)(/\d{1,3})?"
)
_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}(-[0-9A-Fa-f]{2}){5}")


@dataclasses.dataclass(frozen=True)
class Extract:
    """Sets of rows: (address, prefix length, field), (identifier, field), (key, value), (type, id), (value, field)."""

    addresses: "frozenset[tuple[bytes, int, str]]"
    identifiers: "frozenset[tuple[str, str]]"
    tags: "frozenset[tuple[str, str]]"
    connections: "frozenset[tuple[str, str]]"
    traits: "frozenset[tuple[str, str]]"


NOTHING = Extract(frozenset(), frozenset(), frozenset(), frozenset(), frozenset())


def extract(document: Mapping[str, Any]) -> Extract:
    addresses, identifiers = set(), set()
    candidates: list[tuple[tuple[str, ...], str]] = []
    for key, value in document.items():
        if key not in ("connections", "id", "type"):
            _candidates(value, (key,), candidates)
    for path, text in candidates:
        identifier = identifier_of(text)
        if identifier:
            identifiers.add((identifier, pointer(*path)))
            continue
        address = address_of(text)
        if address:
            addresses.add((*address, pointer(*path)))
    tags = document["metadata"].get(TAGS)
    return Extract(
        frozenset(addresses),
        frozenset(identifiers),
        frozenset(_tags(tags)) if isinstance(tags, dict) else frozenset(),
        frozenset(connections(document)),
        frozenset(traits(document)),
    )


def _candidates(
    value: Any, path: tuple[str, ...], found: "list[tuple[tuple[str, ...], str]]"
) -> None:
    """Adds each text that may be an address or an identifier, with its path. Called for every value of a poll."""
    if isinstance(value, str):
        if (":" in value or "." in value or len(value) == MAC_LENGTH) and len(value) <= LONGEST:
            found.append((path, value))
    elif isinstance(value, dict):
        for key, below in value.items():
            if isinstance(below, (str, dict, list)):
                _candidates(below, (*path, key), found)
    elif isinstance(value, list):
        for below in value:
            _candidates(below, (*path, EVERY), found)


def _tags(tags: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in tags.items():
        text = tag_value(value)
        if len(key) <= LONGEST and len(text) <= LONGEST:
            yield key.replace("\0", ""), text.replace("\0", "")


def tag_value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def connections(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The type and the id of each connected resource."""
    for kind, targets in document["connections"].items():
        for target in targets:
            yield kind, target["id"]


def traits(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The values, as text, and the fields of what a resource is to others."""
    kind = document["type"]
    for names, *above in (
        (TRAIT_DETAILS, "details", kind),
        (TRAIT_METADATA, "metadata", SPECIFIC),
    ):
        fields = document[above[0]].get(above[1])
        if not isinstance(fields, dict):
            continue
        for name in names:
            value = fields.get(name)
            if value in (None, "") or isinstance(value, (dict, list)):
                continue
            text = tag_value(value)
            if len(text) <= LONGEST:
                yield text.replace("\0", ""), pointer(*above, name)


def identifier_of(text: str) -> "str | None":
    """An ARN as it is, a MAC address in lower case with colons; None for other texts."""
    if text.startswith("arn:"):
        return text.replace("\0", "")
    if len(text) == MAC_LENGTH and _MAC.fullmatch(text):
        return text.lower().replace("-", ":")
    return None


def address_of(text: str) -> "tuple[bytes, int] | None":
    """The address and the prefix length; an interface's address (10.0.0.5/24) is an address. None: no address."""
    if len(text) < 2 or not _ADDRESS.fullmatch(text):
        return None
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        return None
    if interface.ip != interface.network.network_address:
        return packed(interface.ip), HOST
    return packed(interface.ip), HOST - interface.max_prefixlen + interface.network.prefixlen


def packed(address: Union[ipaddress.IPv4Address, ipaddress.IPv6Address]) -> bytes:
    """16 bytes."""
    if address.version == 4:
        return b"\0" * 10 + b"\xff\xff" + address.packed
    return address.packed


def unpacked(address: bytes, prefix: int) -> str:
    """As text; without the prefix length if it is a single address."""
    if address[:12] == b"\0" * 10 + b"\xff\xff" and prefix >= 96:
        text, length, full = str(ipaddress.IPv4Address(address[12:])), prefix - 96, 32
    else:
        text, length, full = str(ipaddress.IPv6Address(address)), prefix, 128
    return text if length == full else f"{text}/{length}"
