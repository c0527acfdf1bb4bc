"""Network services as far as WAN links concern them: their networks, and whether they should be linked."""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from shared.engine.errors import UnexpectedResponse
from shared.providers.osm.wan_accounts import Accounts
from shared.providers.osm.wan_plan import Network
from shared.records.fields import field, needed, objects

GONE = ("DELETED", "SCHEDULED_DELETION")


# The fields of RO's networks that are read.
NET_FIELDS = (
    "uuid",
    "vim_net_id",
    "status",
    "sce_net_id",
    "datacenter_id",
    "ns_net_osm_id",
)


def brief(ns: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an NS record, which may be large, that reading its links needs."""
    names = ("_id", "name", "nsState", "currentOperation", "create-time")
    admin = field(ns, "_admin", dict) or {}
    vlds = [{name: vld.get(name) for name in ("id", "name")} for vld in objects(ns, "vld")]
    return {
        **{name: ns.get(name) for name in names},
        "_admin": {"nslcmop": admin.get("nslcmop")},
        "vld": vlds,
    }


def under_way(ns: Mapping[str, Any]) -> bool:
    """Whether an operation is changing the service at the moment."""
    current = field(ns, "currentOperation", str)
    if current is not None:
        return current != "IDLE"
    return bool(field(field(ns, "_admin", dict) or {}, "nslcmop", str))


def is_due(ns: Mapping[str, Any]) -> bool:
    """Whether the service should have its links by now."""
    state = field(ns, "nsState", str)
    admin = field(field(ns, "_admin", dict) or {}, "nsState", str)
    if state is None:
        return admin != "NOT_INSTANTIATED" and not under_way(ns)
    return state not in ("NOT_INSTANTIATED", "BUILDING", "TERMINATING")


def wants_link(ns: Mapping[str, Any], vld: str) -> bool:
    """Whether OSM would link the data centres of a VLD.

    It does not for management networks, nor where the operator set ``wimAccountId: false`` for the VLD or for
    the whole service.
    """
    nsd, names = field(ns, "nsd", dict) or {}, {vld}
    for listed in (
        *objects(ns, "vld"),
        *objects(nsd, "vld"),
        *objects(nsd, "virtual-link-desc"),  # from release NINE on
    ):
        if listed.get("id") == vld:
            names.add(field(listed, "name", str) or vld)
            if field(listed, "mgmt-network", bool):
                return False
    params = field(ns, "instantiate_params", dict) or {}
    for of_vld in objects(params, "vld"):
        if field(of_vld, "name", str) in names and of_vld.get("wimAccountId") is not None:
            return of_vld["wimAccountId"] is not False
    return params.get("wimAccountId") is not False


def vld_networks(ns: Mapping[str, Any], accounts: Accounts) -> Iterator[Network]:
    """The networks of the NS record's VLDs, for the planner (NG-RO)."""
    service = needed(ns, "_id", str)
    for vld in objects(ns, "vld"):
        vld_id = needed(vld, "id", str)
        if wants_link(ns, vld_id):
            infos = field(vld, "vim_info", dict) or {}
            for key in infos:
                kind, _, vim = key.partition(":")
                if kind == "vim":
                    network = vim_network(needed(infos, key, dict), "vim_id", "vim_status")
                    yield Network(network or "", service, vld_id, accounts.site(vim))


def ro_networks(
    ns: Mapping[str, Any], instance: Mapping[str, Any], accounts: Accounts
) -> Iterator[Network]:
    """The networks of a service in classic RO's instance, for the planner."""
    service = needed(ns, "_id", str)
    for net in objects(instance, "nets"):
        vld = field(net, "sce_net_id", str)
        if vld and wants_link(ns, field(net, "ns_net_osm_id", str) or vld):
            site = accounts.site(needed(net, "datacenter_id", str))
            yield Network(vim_network(net, "vim_net_id", "status") or "", service, vld, site)


def vld_name(ns: Mapping[str, Any], vld: str, nets: Iterable[dict[str, Any]] = ()) -> str:
    """A VLD's name for people. ``nets`` are RO's networks, which hold OSM's id of the VLD."""
    for net in nets:
        if net.get("sce_net_id") == vld:
            vld = field(net, "ns_net_osm_id", str) or vld
    for listed in objects(ns, "vld"):
        if listed.get("id") == vld:
            return field(listed, "name", str) or vld
    return vld


def spanning_nets(nets: Iterable[dict[str, Any]]) -> list[str]:
    """The ``sce_net_id`` of RO's networks that are in several data centres."""
    sites: dict[str, set[str]] = defaultdict(set)
    for net in nets:
        vld = field(net, "sce_net_id", str)
        if vld:
            sites[vld].add(needed(net, "datacenter_id", str))
    return sorted(vld for vld, at in sites.items() if len(at) > 1)


def vim_network(net: Mapping[str, Any], id_field: str, status_field: str) -> Optional[str]:
    """The VIM's id of a network, unless the VIM has none or no longer has it."""
    vim_id = field(net, id_field, str)
    return vim_id if vim_id and field(net, status_field, str) not in GONE else None


def moment(record: Mapping[str, Any], name: str) -> Optional[datetime.datetime]:
    """A moment in seconds since 1970."""
    seconds = field(record, name, float)
    if seconds is None:
        return None
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    except (OverflowError, OSError, ValueError):
        raise UnexpectedResponse(f"field {name!r} should be seconds since 1970") from None
