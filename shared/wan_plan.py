"""Which WAN links the networks of services need, which WIMs could carry each, which link does.

Pure: no I/O, no clock, no CMP resource. The rules are those of the WIM engine in OSM's resource
orchestrator: the networks of one service instance that realise one of its virtual links (VLDs) belong
together; where they are in several data centres, exactly one WAN link should join them; a WIM that is
mapped to all of those data centres can carry it. A WIM must reach all of them: chains of WIMs are not
looked for, since the orchestrator makes none.

Unlike that engine: all WIMs that can carry a link are told, in a fixed order, not the first one found;
no data centres need no WIM; and the answer does not depend on the order of what is given.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Optional


@dataclasses.dataclass(frozen=True)
class Network:
    """A network of a service in one data centre, as far as it realises one of the service's VLDs."""

    id: str
    service: str  # id of the service's instance
    vld: Optional[str]  # id of the VLD in the service; None for a network that is internal to a VNF
    site: str  # id of the data centre


@dataclasses.dataclass(frozen=True)
class Wim:
    """A WAN infrastructure manager, and the data centres that its port mapping names."""

    id: str
    name: str
    sites: frozenset[str]
    account: bool = True  # whether there is an account on it that a link could be made with


@dataclasses.dataclass(frozen=True)
class Link:
    """A WAN link that exists, in whatever state."""

    id: str
    service: str
    vld: Optional[str]
    sites: frozenset[str]


@dataclasses.dataclass(frozen=True)
class Need:
    """One WAN link that should be there."""

    service: str
    vld: str
    sites: tuple[str, ...]  # two or more, sorted
    networks: tuple[str, ...]  # their ids, sorted
    wims: tuple[Wim, ...]  # that can carry it: those with an account first, then by name
    links: tuple[str, ...]  # ids of the links that join all of the sites, sorted
    partial: tuple[str, ...]  # ids of the VLD's links that leave sites out, sorted
    wims_at: Mapping[str, tuple[Wim, ...]]  # the WIMs that each of the sites has

    @property
    def missing(self) -> bool:
        return not self.links


def plan(networks: Iterable[Network], wims: Iterable[Wim], links: Iterable[Link]) -> list[Need]:
    """The needs of all services, sorted by service and VLD. Linear in what is given, but for sorting.

    What is given twice counts once; a WIM that comes with several mappings has all of them.
    """
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    sites: dict[tuple[str, str], set[str]] = defaultdict(set)
    for network in networks:
        if network.vld is not None:
            group = (network.service, network.vld)
            ids[group].add(network.id)
            sites[group].add(network.site)
    at = _at(wims)
    existing: dict[tuple[str, Optional[str]], set[Link]] = defaultdict(set)
    for link in links:
        existing[link.service, link.vld].add(link)
    return [
        _need(group, sites[group], ids[group], at, existing.get(group, set()))
        for group in sorted(sites)
        if len(sites[group]) > 1
    ]


def common(sites: Iterable[str], wims: Iterable[Wim]) -> tuple[Wim, ...]:
    """The WIMs that are mapped to all of the sites; none where there are no sites."""
    return _common(set(sites), _at(wims))


def why_none(need: Need, site_names: Mapping[str, str]) -> Optional[str]:
    """Why no WIM can carry a link, for a person: each data centre with the WIMs that it has.

    None where one can. ``site_names``: by id, as far as they are known.
    """
    if need.wims:
        return None
    each = [
        f"{site_names.get(site) or site} has "
        + (", ".join(wim.name for wim in need.wims_at[site]) or "none")
        for site in need.sites
    ]
    return f"no WIM is mapped to all of its data centres: {'; '.join(sorted(each))}"


def _need(
    group: tuple[str, str],
    sites: set[str],
    networks: set[str],
    at: Mapping[str, dict[str, Wim]],
    links: set[Link],
) -> Need:
    in_order = tuple(sorted(sites))
    return Need(
        service=group[0],
        vld=group[1],
        sites=in_order,
        networks=tuple(sorted(networks)),
        wims=_common(sites, at),
        links=tuple(sorted({link.id for link in links if link.sites >= sites})),
        partial=tuple(sorted({link.id for link in links if not link.sites >= sites})),
        wims_at={site: tuple(at.get(site, {}).values()) for site in in_order},
    )


def _at(wims: Iterable[Wim]) -> dict[str, dict[str, Wim]]:
    """By site, the WIMs by id, in order; a WIM is one object, however often it was given."""
    mapped: dict[str, set[str]] = defaultdict(set)
    named: dict[str, Wim] = {}
    for wim in wims:
        mapped[wim.id] |= wim.sites
        named[wim.id] = min(wim, named.get(wim.id, wim), key=_order)
    at: dict[str, dict[str, Wim]] = defaultdict(dict)
    for wim in sorted(named.values(), key=_order):
        one = dataclasses.replace(wim, sites=frozenset(mapped[wim.id]))
        for site in one.sites:
            at[site][one.id] = one
    return at


def _common(sites: set[str], at: Mapping[str, dict[str, Wim]]) -> tuple[Wim, ...]:
    if not sites:
        return ()
    fewest, *others = sorted((at.get(site, {}) for site in sites), key=len)
    return tuple(wim for wim in fewest.values() if all(wim.id in each for each in others))


def _order(wim: Wim) -> tuple[bool, str, str]:
    return not wim.account, wim.name, wim.id
