"""WAN links as OSM records them. No I/O, no CMP resource.

Depending on OSM's release, they are in three kinds of records:

- from TEN on (and with NG-RO before) the NS record: ``vld[].vim_info["wim:<account>"]``;
- 7.0 to 9.x the classic resource orchestrator's (RO's) instance: ``sdn_nets[]``, of which NBI keeps a copy
  of the last operation in the NS record's ``deploymentStatus`` (from 7.1 on);
- FIVE and SIX RO's actions: the tasks of ``item`` instance_wim_nets.
"""

import dataclasses
import datetime
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Optional

from shared.providers.osm import SECRET
from shared.providers.osm.wan_accounts import Accounts, Port, port, text
from shared.providers.osm.wan_services import (
    moment,
    spanning_nets,
    under_way,
    vim_network,
    vld_name,
)
from shared.records.fields import field, items, needed, objects, plain
from shared.transport import decode

STUCK = datetime.timedelta(minutes=15)

# RO's or NG-RO's status of a link: the state in CMP, and the level of a status point.
# ACTIVE means that the link is configured at the WIM, not that it carries traffic; INACTIVE that it was created
# but is not yet confirmed; WIM_ERROR and VIM_ERROR that the WIM did not answer, perhaps only for a moment.
STATES = {
    "ACTIVE": ("running", "ok"),
    "SCHEDULED_CREATION": ("pending", "warning"),
    "BUILD": ("pending", "warning"),
    "INACTIVE": ("pending", "warning"),
    "DOWN": ("stopped", "error"),
    "ERROR": ("stopped", "error"),
    "WIM_ERROR": ("unknown", "unknown"),
    "VIM_ERROR": ("unknown", "unknown"),
    "SCHEDULED_DELETION": ("shutting", "warning"),
    "DELETED": ("terminated", "ok"),
}
NO_ANSWER = ("WIM_ERROR", "VIM_ERROR")
# OSM never clears a message: beside any other status, it is about the past.
MESSAGE_COUNTS = ("BUILD", "DOWN", "ERROR", *NO_ANSWER)
# The status of a link by that of the task that creates it, where the WIM's status is not stored beside it.
TASKS = {
    "SCHEDULED": "SCHEDULED_CREATION",
    "BUILD": "BUILD",
    "FAILED": "ERROR",
    "SUPERSEDED": "DELETED",
    "FINISHED": "DELETED",
}


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """One data centre that a link joins."""

    site: str
    networks: tuple[str, ...]  # the VIM's ids
    ports: tuple[Port, ...]  # the port of the link, or the candidates where it is not recorded


@dataclasses.dataclass(frozen=True)
class Link:
    id: str
    service: str  # the NS's id
    service_name: str
    vld: Optional[str]  # None: RO does not record which
    vld_name: Optional[str]
    wim: str  # id of the WIM account, or RO's of the WIM
    reference: Optional[str]  # the WIM's id of the connectivity service
    status: Optional[str]  # RO's
    message: Optional[str]  # None where it is stale
    source: str  # the record that holds it
    created_at: Optional[datetime.datetime]
    changed_at: Optional[datetime.datetime]
    endpoints: tuple[Endpoint, ...]  # by id of the site
    details: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The state in CMP and the level of a status point; ``note`` explains what the status does not say."""

    state: str
    level: str
    note: Optional[str] = None


# --- links ----------------------------------------------------------------------------------------


def wim_keys(vld: Mapping[str, Any]) -> list[str]:
    """The keys of WAN links in a VLD's ``vim_info``; those with "sdn:" stay within one site."""
    return sorted(key for key in field(vld, "vim_info", dict) or {} if key.startswith("wim:"))


def is_wan(sdn_net: Mapping[str, Any]) -> bool:
    """Whether one of RO's ``sdn_nets`` is a WAN link; otherwise it stays within one site."""
    return sdn_net.get("sdn") not in (True, "true")


def of_vld(ns: Mapping[str, Any], vld: Mapping[str, Any], key: str, accounts: Accounts) -> Link:
    """A WAN link in an NS record (NG-RO)."""
    infos = field(vld, "vim_info", dict) or {}
    info = needed(infos, key, dict)
    service, vld_id = needed(ns, "_id", str), needed(vld, "id", str)
    wim = accounts.wim(key.partition(":")[2])
    status = field(info, "vim_status", str)
    endpoints = _endpoints_in_ns(infos, info, wim, accounts)
    message = _one_line(field(info, "vim_message", str))
    if status != "BUILD":  # while it is being built, the details are no error
        message = message or _one_line(field(info, "vim_details", str))
    return Link(
        id=f"{service}/{vld_id}/{key.partition(':')[2]}",
        service=service,
        service_name=field(ns, "name", str) or service,
        vld=vld_id,
        vld_name=field(vld, "name", str) or vld_id,
        wim=wim,
        reference=field(info, "vim_id", str) or None,
        status=status,
        message=message if status in MESSAGE_COUNTS else None,
        source="NS record",
        created_at=None,
        changed_at=None,
        endpoints=endpoints,
        details={"service_type": field(info, "type", str) or field(vld, "type", str)},
    )


def _endpoints_in_ns(
    infos: Mapping[str, Any], info: Mapping[str, Any], wim: str, accounts: Accounts
) -> tuple[Endpoint, ...]:
    """The endpoints of the link ``info`` of a VLD, with the ports that it uses or else those of the WIM's mapping."""
    targets = items(info, "target_vims", str) or [key for key in infos if key[:4] == "vim:"]
    networks: dict[str, set[str]] = {}
    for target in targets:
        vim_info = field(infos, target, dict) or {}
        at_site = networks.setdefault(accounts.site(target.partition(":")[2]), set())
        at_site.update(filter(None, [vim_network(vim_info, "vim_id", "vim_status")]))
    used: dict[str, list[Port]] = defaultdict(list)  # by name of the site
    for sdn_port in objects(info, "sdn-ports"):
        used[text(sdn_port, "device_id") or ""].append(
            port(
                switch=text(sdn_port, "switch_id"),
                port=text(sdn_port, "switch_port"),
                service_endpoint=text(sdn_port, "service_endpoint_id"),
                vlan=text(sdn_port, "vlan"),
            )
        )
    return tuple(
        Endpoint(
            site,
            tuple(sorted(networks[site])),
            tuple(used.get(accounts.site_names.get(site, site), ())) or accounts.ports(wim, site),
        )
        for site in sorted(networks)
    )


def of_sdn_net(
    ns: Mapping[str, Any],
    sdn_net: Mapping[str, Any],
    nets: list[dict[str, Any]],
    source: str,
    accounts: Accounts,
) -> Link:
    """A WAN link in classic RO's instance, or in its copy in ``deploymentStatus``.

    Its times are in RO's local time, without a zone; they are shown unchanged.
    """
    vld = field(sdn_net, "sce_net_id", str)
    wim = accounts.wim(field(sdn_net, "wim_id", str) or needed(sdn_net, "wim_account_id", str))
    status = field(sdn_net, "status", str)
    message = _one_line(field(sdn_net, "error_msg", str))
    return Link(
        id=needed(sdn_net, "uuid", str),
        service=needed(ns, "_id", str),
        service_name=field(ns, "name", str) or needed(ns, "_id", str),
        vld=vld,
        vld_name=vld_name(ns, vld, nets) if vld else None,
        wim=wim,
        reference=field(sdn_net, "wim_internal_id", str) or None,
        status=status,
        message=message if status in MESSAGE_COUNTS else None,
        source=source,
        created_at=None,
        changed_at=None,
        endpoints=_endpoints_in_ro(vld, nets, wim, accounts),
        details={
            "wim_info": _yaml(field(sdn_net, "wim_info", str)),
            "created_at_local": field(sdn_net, "created_at", str),
            "modified_at_local": field(sdn_net, "modified_at", str),
        },
    )


def of_task(
    ns: Mapping[str, Any],
    task: Mapping[str, Any],
    nets: list[dict[str, Any]],
    accounts: Accounts,
) -> Link:
    """A WAN link of releases FIVE and SIX, by the task that created it.

    The task does not say which network the link is for: that is only known where just one network spans sites.
    """
    spanning = spanning_nets(nets)
    vld = spanning[0] if len(spanning) == 1 else None
    wim = accounts.wim(needed(task, "wim_account_id", str))
    task_status = needed(task, "status", str)
    extra = _yaml(field(task, "extra", str))
    status = TASKS.get(task_status, task_status)
    if status == "DONE":  # created; its present status is only known once the WIM has reported it
        status = field(extra, "wim_status", str) or field(extra, "sdn_status", str) or status
    message = _one_line(field(task, "error_msg", str))
    return Link(
        id=needed(task, "item_id", str),
        service=needed(ns, "_id", str),
        service_name=field(ns, "name", str) or needed(ns, "_id", str),
        vld=vld,
        vld_name=vld_name(ns, vld, nets) if vld else None,
        wim=wim,
        reference=field(task, "wim_internal_id", str) or None,
        status=status,
        message=message if status in MESSAGE_COUNTS else None,
        source="RO action",
        created_at=moment(task, "created_at"),
        changed_at=moment(task, "modified_at"),
        endpoints=_endpoints_in_ro(vld, nets, wim, accounts),
        details={"task_status": task_status, "task": field(task, "instance_action_id", str)},
    )


def _endpoints_in_ro(
    vld: Optional[str], nets: list[dict[str, Any]], wim: str, accounts: Accounts
) -> tuple[Endpoint, ...]:
    networks: dict[str, set[str]] = {}
    for net in nets:
        if vld and field(net, "sce_net_id", str) == vld:
            at_site = networks.setdefault(accounts.site(needed(net, "datacenter_id", str)), set())
            at_site.update(filter(None, [vim_network(net, "vim_net_id", "status")]))
    return tuple(
        Endpoint(site, tuple(sorted(networks[site])), accounts.ports(wim, site))
        for site in sorted(networks)
    )


def _yaml(text: Optional[str]) -> dict[str, Any]:
    """The object in a YAML text, without secrets; empty if the text holds no usable one."""
    try:
        value = decode.yaml_value(text or "")
    except decode.Unusable:
        return {}
    return _shown(value) if isinstance(value, dict) else {}


def _shown(value: Any) -> Any:
    """A value without secrets: WIM connectors store whatever they like there."""
    if isinstance(value, dict):
        return {str(k): _shown(v) for k, v in value.items() if not SECRET.search(str(k))}
    return [_shown(each) for each in value] if isinstance(value, list) else plain(value)


def _one_line(text: Optional[str]) -> Optional[str]:
    return " ".join((text or "").split()) or None


# --- the verdict on a link ------------------------------------------------------------------------


def verdict(link: Link, ns: Mapping[str, Any], now: datetime.datetime) -> Verdict:
    """The state of a link in CMP, and its level."""
    state, level = STATES.get(link.status or "", ("unknown", "unknown"))
    if link.status == "ACTIVE" and not link.reference:
        # NG-RO reports links with fewer than two ports so, but creates none
        return Verdict("stopped", "error", "not established: the WIM has no service for it")
    if link.status == "BUILD" and not link.reference and not under_way(ns):
        since = link.created_at or moment(ns, "create-time")
        if since is not None and now - since > STUCK:
            note = "stuck: no service of the WIM is on record, though no operation is under way"
            if link.source != "NS record":
                note += (
                    "; RO 7.0 to 9.x makes one service after another then: look for them at the WIM"
                )
            return Verdict(state, "error", note)
    return Verdict(state, level)
