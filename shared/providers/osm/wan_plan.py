"""Which WAN links the networks of services need, which WIMs could carry each, which link does.

No I/O, no clock, no CMP resource. The rules are those of the WIM engine in OSM's resource
orchestrator: the networks of one service instance that realise one of its virtual links (VLDs) belong
together; where they are in several data centres, exactly one WAN link should join them; a WIM that is
mapped to all of those data centres can carry it. A single WIM must reach all of them: the orchestrator builds no
chains of WIMs.

Unlike that engine, this one returns all WIMs that can carry a link, in a fixed order, not just the first; no data
centres need no WIM; and the result does not depend on the order of the input.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Optional


class Network(NamedTuple):
    """A network of a service in one data centre, as far as it realises one of the service's VLDs."""

    id: str  # may be empty: it is not created yet
    service: str  # id of the service's instance
    vld: Optional[str]  # id of the VLD in the service; None for a network that is internal to a VNF
    site: str  # id of the data centre


class Wim(NamedTuple):
    """A WAN infrastructure manager, and the data centres that its port mapping names."""

    id: str
    name: str
    sites: frozenset[str]
    account: bool = True  # whether there is an account on it that a link could be made with


class Link(NamedTuple):
    """A WAN link that exists, in whatever state."""

    id: str
    service: str
    vld: Optional[str]
    sites: frozenset[str]


class Need(NamedTuple):
    """One WAN link that should be there."""

    service: str
    vld: str
    sites: tuple[str, ...]  # two or more, sorted
    networks: tuple[str, ...]  # their ids, sorted
    wims: tuple[Wim, ...]  # that can carry it: those with an account first, then by name
    links: tuple[str, ...]  # ids of the links that join all of the sites, sorted
    partial: tuple[str, ...]  # ids of the VLD's links that leave sites out, sorted
    wims_at: Mapping[str, tuple[Wim, ...]]  # where none can: the WIMs that each of the sites has

    @property
    def missing(self) -> bool:
        return not self.links


def plan(networks: Iterable[Network], wims: Iterable[Wim], links: Iterable[Link]) -> Iterator[Need]:
    """The needs of all services, sorted by service and VLD. Linear in the input, except for sorting.

    Duplicates count once; a WIM that is given with several mappings has all of them.
    """
    networks_of: dict[str, list[Network]] = defaultdict(list)
    for network in networks:
        networks_of[network.service].append(network)
    links_of: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        links_of[link.service].append(link)
    mapped = _Mapped(wims)
    for service in sorted(networks_of):
        yield from _plan_one(service, networks_of[service], links_of.get(service, ()), mapped)


def _plan_one(
    service: str, networks: Iterable[Network], links: Iterable[Link], mapped: "_Mapped"
) -> Iterator[Need]:
    sites_of: dict[str, set[str]] = defaultdict(set)
    ids_of: dict[str, set[str]] = defaultdict(set)
    for network in networks:
        if network.vld is not None:
            sites_of[network.vld].add(network.site)
            ids_of[network.vld].add(network.id)
    links_at: dict[Optional[str], list[Link]] = defaultdict(list)
    for link in links:
        links_at[link.vld].append(link)
    for vld, sites in sorted(sites_of.items()):
        if len(sites) > 1:
            wims = mapped.to_all(sites)
            there = links_at.get(vld, ())
            yield Need(
                service=service,
                vld=vld,
                sites=tuple(sorted(sites)),
                networks=tuple(sorted(ids_of[vld])),
                wims=wims,
                links=tuple(sorted({link.id for link in there if link.sites >= sites})),
                partial=tuple(sorted({link.id for link in there if not link.sites >= sites})),
                wims_at={} if wims else {site: mapped.to_all([site]) for site in sorted(sites)},
            )


def common(sites: Iterable[str], wims: Iterable[Wim]) -> tuple[Wim, ...]:
    """The WIMs that are mapped to all of the sites; none where there are no sites."""
    return _Mapped(wims).to_all(sites)


def why_none(need: Need, site_names: Mapping[str, str]) -> Optional[str]:
    """Why no WIM can carry a link, in words: each data centre with the WIMs that it has.

    None if one can. ``site_names``: by id, those that are known.
    """
    if need.wims:
        return None
    sites = [
        f"{site_names.get(site) or site} has "
        + (", ".join(wim.name for wim in need.wims_at[site]) or "none")
        for site in need.sites
    ]
    return f"no WIM is mapped to all of its data centres: {'; '.join(sorted(sites))}"


class _Mapped:
    """Which WIMs are mapped to which sites. A set of WIMs is a number: bit n is the n-th in order."""

    def __init__(self, wims: Iterable[Wim]):
        by_id: dict[str, Wim] = {}
        sites: dict[str, frozenset[str]] = {}
        for wim in wims:
            by_id[wim.id] = min(wim, by_id.get(wim.id, wim), key=_order)
            sites[wim.id] = sites.get(wim.id, wim.sites) | wim.sites
        self._wims = [
            wim._replace(sites=sites[wim.id]) for wim in sorted(by_id.values(), key=_order)
        ]
        self._at: dict[str, int] = {}
        for n, wim in enumerate(self._wims):
            for site in wim.sites:
                self._at[site] = self._at.get(site, 0) | 1 << n

    def to_all(self, sites: Iterable[str]) -> tuple[Wim, ...]:
        """Those that are mapped to each of the sites, in order; none where there are no sites."""
        wims = -1
        for site in sites:
            wims &= self._at.get(site, 0)
        result = []
        while wims > 0:
            lowest = wims & -wims
            result.append(self._wims[lowest.bit_length() - 1])
            wims ^= lowest
        return tuple(result)


def _order(wim: Wim) -> tuple[bool, str, str]:
    return not wim.account, wim.name, wim.id
