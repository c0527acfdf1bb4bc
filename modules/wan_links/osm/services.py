"""What OSM has: the records of all WAN links, and the networks of services that should be linked.

The record of a link has a part of the NS record ("ns") and what OSM's release has of the link: a key in
``vim_info`` of a VLD ("vld", "key"), an entry of RO's ``sdn_nets`` ("sdn_net", "nets", "source") or a task of RO
("task", "nets").
"""

import dataclasses
import datetime
import functools
from collections.abc import Iterator, Mapping
from typing import Any, Callable, Optional

from shared.engine import clock
from shared.engine.errors import UnexpectedResponse, about
from shared.providers import osm
from shared.providers.osm import wan, wan_services
from shared.providers.osm.wan_accounts import Accounts
from shared.providers.osm.wan_plan import Network
from shared.records.fields import field, needed, objects

IN_RO, IN_COPY = "RO", "deploymentStatus"  # where an instance of classic RO is read


@dataclasses.dataclass(frozen=True)
class Lookups:
    accounts: Accounts  # data centres and WIMs
    wim_accounts: Mapping[str, dict[str, Any]]  # NBI's, by id
    now: datetime.datetime


@dataclasses.dataclass(frozen=True)
class Found:
    """The records of all links; and of services that should have their links by now, the networks and names."""

    links: list[dict[str, Any]]
    networks: list[Network]
    names: dict[tuple[str, str], tuple[str, str]]  # of service and VLD, by their ids


def look_up(scope: osm.Scope) -> "tuple[Lookups, list[dict[str, Any]]]":
    """The accounts, and the NS records."""
    listings: tuple[Callable[[], Any], ...] = (
        lambda: _accounts(scope),
        lambda: osm.listed(scope, "ns"),
    )
    lookups, services = scope.workers.ahead(listings)
    return lookups, services


def _accounts(scope: osm.Scope) -> Lookups:
    wims, vims = scope.workers.map(lambda what: osm.listed(scope, what), ("wim", "vim"))
    accounts = Accounts(vims, wims)
    if osm.has_ro(scope):
        in_tenant, centres, of_all = scope.workers.ahead(
            (
                lambda: osm.ro_listed(scope, "wims"),
                lambda: osm.ro_listed(scope, "datacenters"),
                lambda: scope.session.ro.listed("/any/wims", "wims"),
            )
        )
        with_account = {needed(wim, "uuid", str) for wim in in_tenant}
        accounts.add_ro(centres, _ro_wims(scope, of_all, with_account), with_account)
    return Lookups(accounts, {needed(wim, "_id", str): wim for wim in wims}, clock.now())


def _ro_wims(
    scope: osm.Scope, of_all: list[dict[str, Any]], with_account: set[str]
) -> list[dict[str, Any]]:
    """RO's WIMs in detail. Only those with an account of the tenant can be read in the tenant."""

    def detailed(uuid: str) -> Optional[dict[str, Any]]:
        """None if it was deleted after it was listed."""
        with about(f"RO's WIM {uuid}"):
            if uuid in with_account:
                wim = osm.ro_record(scope, f"wims/{uuid}")
            else:
                wim = scope.session.ro.get(f"/any/wims/{uuid}")
            return None if wim is None else needed(wim, "wim", dict)

    found = scope.workers.map(detailed, [needed(wim, "uuid", str) for wim in of_all])
    return [wim for wim in found if wim is not None]


def read(scope: osm.Scope, services: list[dict[str, Any]], accounts: Accounts) -> Found:
    def instance_of(ns: dict[str, Any]) -> _Instance:
        with about(f"NS {ns.get('_id')}"):
            return _instance(ns, scope)

    found = Found([], [], {})
    missing_in_ro = []
    instances = scope.workers.ahead(functools.partial(instance_of, ns) for ns in services)
    for ns, instance in zip(services, instances):
        with about(f"NS {ns.get('_id')}"):
            service = _service(ns, instance, accounts)
        found.links.extend(service.links)
        found.networks.extend(service.networks)
        found.names.update(service.names)
        if instance.links is None:
            missing_in_ro.append(ns)
    _check_deleted(scope, missing_in_ro)
    osm.log_out(scope)
    return found


# --- one service ----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Instance:
    """What classic RO has of a service. ``links`` is None if RO should have the service but does not."""

    record: Optional[dict[str, Any]]
    links: Optional[list[dict[str, Any]]]


def _service(ns: dict[str, Any], instance: _Instance, accounts: Accounts) -> Found:
    brief = wan_services.brief(ns)
    links = [
        {"ns": brief, "vld": vld, "key": key}
        for vld in objects(ns, "vld")
        for key in wan.wim_keys(vld)
    ]
    links += instance.links or []
    if instance.record and instance.record.get("nets") is not None:
        networks = list(wan_services.ro_networks(ns, instance.record, accounts))
    else:  # the NS record itself has them
        networks = list(wan_services.vld_networks(ns, accounts))
    if not wan_services.is_due(ns):
        networks = []
    nets = objects(instance.record or {}, "nets")
    names = {
        (network.service, network.vld): (
            field(ns, "name", str) or network.service,
            wan_services.vld_name(brief, network.vld, nets),
        )
        for network in networks
        if network.vld
    }
    return Found(links, networks, names)


def _instance(ns: dict[str, Any], scope: osm.Scope) -> _Instance:
    """RO's instance of a service, or else the copy in the NS record, with the records of its links."""
    copy, ro_id = field(ns, "deploymentStatus", dict), _ro_id(ns)
    brief = wan_services.brief(ns)
    if osm.has_ro(scope) and ro_id:
        record = osm.ro_record(scope, f"instances/{ro_id}")
        if record is None:
            return _Instance(None, None)
        if record.get("nets") is None and record.get("sdn_nets") is None:
            raise UnexpectedResponse(
                f"RO's instance {ro_id} has neither field 'nets' nor 'sdn_nets'"
            )
        links = _ro_links(scope, brief, record, IN_RO)
        return _Instance(None if links is None else record, links)
    return _Instance(copy, _ro_links(scope, brief, copy, IN_COPY) if copy else [])


def _ro_id(ns: dict[str, Any]) -> Optional[str]:
    deployed = field(field(ns, "_admin", dict) or {}, "deployed", dict) or {}
    return field(field(deployed, "RO", dict) or {}, "nsr_id", str) or None


def _check_deleted(scope: osm.Scope, services: list[dict[str, Any]]) -> None:
    """Check that services which RO does not have were deleted after they were listed.

    Otherwise RO is that of another OSM: UnexpectedResponse.
    """
    if not services:
        return
    listed = {needed(ns, "_id", str): ns for ns in osm.listed(scope, "ns")}
    for ns in services:
        now = listed.get(needed(ns, "_id", str))
        if now is not None and _ro_id(now) == _ro_id(ns) and wan_services.is_due(now):
            raise UnexpectedResponse(
                f"RO does not have instance {_ro_id(ns)} of service {needed(ns, '_id', str)}: are "
                "credentials.ro_url and credentials.ro_tenant those of this OSM?"
            )


def _ro_links(
    scope: osm.Scope, ns: dict[str, Any], instance: dict[str, Any], source: str
) -> Optional[list[dict[str, Any]]]:
    """The links of a service in classic RO, each with the networks that it may join.

    None if RO no longer has the service.
    """
    nets = [
        {name: net.get(name) for name in wan_services.NET_FIELDS}
        for net in objects(instance, "nets")
    ]
    if instance.get("sdn_nets") is not None:
        return [
            {
                "ns": ns,
                "sdn_net": sdn_net,
                "nets": [net for net in nets if net["sce_net_id"] == sdn_net.get("sce_net_id")],
                "source": source,
            }
            for sdn_net in objects(instance, "sdn_nets")
            if wan.is_wan(sdn_net)
        ]
    if source != IN_RO or not wan_services.spanning_nets(nets):
        return []
    tasks = _tasks(scope, instance)
    return None if tasks is None else [{"ns": ns, "task": task, "nets": nets} for task in tasks]


def _tasks(scope: osm.Scope, instance: dict[str, Any]) -> Optional[list[dict[str, Any]]]:
    """Releases FIVE and SIX: the tasks that created the links which no later task deleted.

    None if RO no longer has the instance.
    """
    path = f"instances/{needed(instance, 'uuid', str)}/action"
    created, deleted = [], set()
    listed = osm.ro_record(scope, path)
    if listed is None:
        return None
    for action in _required_list(listed, "actions"):
        detail = osm.ro_record(scope, f"{path}/{needed(action, 'uuid', str)}")
        if detail is None:
            return None
        for task in _link_tasks(detail):
            if task.get("action") != "DELETE":
                created.append(task)
            elif task.get("status") in ("DONE", "FINISHED"):
                deleted.add(needed(task, "item_id", str))
    return [task for task in created if needed(task, "item_id", str) not in deleted]


def _link_tasks(detail: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for action in _required_list(detail, "actions"):
        for task in _required_list(action, "vim_wim_actions"):
            if task.get("item") == "instance_wim_nets":
                yield task


def _required_list(response: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of objects that RO always sends, if only an empty one."""
    needed(response, name, list)
    return objects(response, name)
