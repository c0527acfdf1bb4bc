"""Which kinds of things there are, which of them depend on which, and how.

A link type is ``A-B``: A depends on B. ``mode`` says what A loses with a B: everything (hard), nothing as long as another
B is left (redundant), or only some of it (soft); ``ceiling`` is the worst state that A can get from it. Two kinds that
are not in the table are linked in the alphabetical order of their names, soft.
"""

import dataclasses
from collections.abc import Mapping
from typing import Optional

UP, DEGRADED, DOWN = 0, 1, 2
STATES = ("up", "degraded", "down")

HARD, REDUNDANT, SOFT = "hard", "redundant", "soft"
SAME_THING = "same"  # two accounts see one thing: either has the other's state

APPLIANCES = ("firewall", "load_balancer", "router", "storage", "switch")
KINDS = frozenset(
    {
        "appliance",
        "circuit",
        "colo_space",
        "compute_pool",
        "host",
        "network",
        "saas_user",
        "server",
        "service_offering",
        "vca",
        "volume",
        "wan_link",
        *APPLIANCES,
    }
)


@dataclasses.dataclass(frozen=True)
class LinkType:
    """``dependent`` and ``provider`` are kinds."""

    name: str
    dependent: str
    provider: str
    mode: str = SOFT
    ceiling: int = DEGRADED


SAME = LinkType("same", "", "", SAME_THING, DOWN)

_SERVERS = (  # what holds for a virtual server holds for a physical one
    ("server", "volume", HARD, DOWN),
    ("server", "network", REDUNDANT, DOWN),
    ("server", "firewall", SOFT, DEGRADED),
    ("server", "wan_link", SOFT, DEGRADED),
    ("server", "switch", REDUNDANT, DOWN),
    ("load_balancer", "server", REDUNDANT, DOWN),
    ("vca", "server", SOFT, DEGRADED),
)
_TABLE = (
    ("server", "host", HARD, DOWN),
    ("server", "server", HARD, DOWN),  # a container, and the machine that it runs on
    ("host", "host", HARD, DOWN),
    ("load_balancer", "network", REDUNDANT, DOWN),
    ("load_balancer", "firewall", SOFT, DEGRADED),
    ("load_balancer", "load_balancer", REDUNDANT, DOWN),
    ("storage", "network", REDUNDANT, DOWN),
    ("firewall", "network", SOFT, DEGRADED),
    ("firewall", "router", SOFT, DEGRADED),
    ("router", "router", SOFT, DEGRADED),
    ("network", "router", REDUNDANT, DEGRADED),
    ("network", "network", SOFT, DEGRADED),  # a subnet, and the network that holds it
    ("network", "circuit", REDUNDANT, DEGRADED),
    ("network", "wan_link", SOFT, DEGRADED),
    ("appliance", "circuit", REDUNDANT, DEGRADED),
    ("appliance", "network", SOFT, DEGRADED),
    ("appliance", "wan_link", SOFT, DEGRADED),
    ("firewall", "circuit", REDUNDANT, DEGRADED),
    ("firewall", "wan_link", REDUNDANT, DEGRADED),
    ("router", "circuit", REDUNDANT, DEGRADED),
    ("router", "wan_link", REDUNDANT, DEGRADED),
    ("switch", "circuit", REDUNDANT, DEGRADED),
    ("switch", "wan_link", REDUNDANT, DEGRADED),
    ("wan_link", "circuit", REDUNDANT, DOWN),
    ("wan_link", "wan_link", HARD, DOWN),  # an end's line, or the service that carries it
    ("circuit", "circuit", HARD, DOWN),  # a virtual interface on a line
    ("vca", "vca", SOFT, DEGRADED),  # an application, and one that it is related to
)


def _types() -> dict[tuple[str, str], LinkType]:
    rows = [*_TABLE, *_SERVERS]
    for row in _SERVERS:
        dependent, provider = ("host" if kind == "server" else kind for kind in row[:2])
        rows.append((dependent, provider, *row[2:]))
    return {
        (dependent, provider): LinkType(f"{dependent}-{provider}", dependent, provider, mode, worst)
        for dependent, provider, mode, worst in rows
    }


TYPES = _types()
NAMES = frozenset({SAME.name, *(each.name for each in TYPES.values())})

# Of two things of one kind, the one that declares the link depends on the other one, but for these: the role of a whole,
# and of its parts, which declare it. The whole is down when all of them are.
_PARTS = frozenset(
    {
        ("vca_application", "vca_unit"),
        ("direct_connect_lag", "direct_connect"),
    }
)


_OF_PARTS = {
    name: LinkType(name, kind, kind, REDUNDANT, DOWN)
    for name, kind in (("vca-vca", "vca"), ("circuit-circuit", "circuit"))
}


def link_type(one: str, other: str) -> LinkType:
    """Of two kinds, in any order."""
    known = TYPES.get((one, other)) or TYPES.get((other, one))
    if known is not None:
        return known
    dependent, provider = sorted((one, other))
    return LinkType(f"{dependent}-{provider}", dependent, provider)


def is_part(whole: Optional[str], part: Optional[str]) -> bool:
    """By their roles, which are of one kind."""
    return (whole, part) in _PARTS


def exact(link: LinkType, dependent: Optional[str], provider: Optional[str]) -> LinkType:
    """The link type of these two roles."""
    if is_part(dependent, provider):
        return _OF_PARTS.get(link.name, link)
    return _HELD.get(link.name, link) if provider == HOLDING else link


# What is in a VPC is nothing without it, and the VPC is no other path beside its subnets.
HOLDING = "vpc"
_HELD = {
    each.name: LinkType(each.name, each.dependent, each.provider, HARD, DOWN)
    for each in TYPES.values()
    if each.provider == "network" and (each.mode == REDUNDANT or each.dependent == "network")
}


REFINED = frozenset({"server", "appliance", "circuit", "service_offering"})


def kind_of(type_name: str, traits: Mapping[str, str]) -> str:
    """The kind of a resource, by its type and what it says of itself."""
    if type_name not in REFINED:
        return type_name
    role = traits.get("type_id") or ""
    if type_name == "server":
        return "host" if traits.get("is_virtual") == "false" else "server"
    if type_name == "appliance":
        return role if role in APPLIANCES else "appliance"
    if type_name == "circuit":
        return "wan_link" if role == "wan_link" else "circuit"
    return "vca" if role.startswith("vca") else "service_offering"


def role_of(traits: Mapping[str, str]) -> Optional[str]:
    """What a resource is within its kind, such as vpc, subnet or vca_unit."""
    return traits.get("network_kind") or traits.get("link_kind") or traits.get("type_id")
