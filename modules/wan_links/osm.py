"""WAN links that OSM makes between the data centres of a service, one for each VLD that spans them.

API: GET /nslcm/v1/ns_instances, /admin/v1/vim_accounts and /admin/v1/wim_accounts of the northbound API
(NBI), whole lists; with credentials.ro_url also the classic resource orchestrator (RO, up to release
NINE), an instance at a time. shared/providers/osm/wan.py says which record of which release holds what.
https://osm.etsi.org/docs/user-guide/latest/12-osm-nbi.html

Without ro_url, the links of classic RO are those of the NS record's copy, as they were at the last
operation on the service. FIVE and SIX have no such copy: their links are seen with ro_url only.

Which links are needed: shared/providers/osm/wan_plan.py. OSM makes none, and says nothing, where no WIM is mapped to
all data centres of a VLD.
"""

import dataclasses
import datetime
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Optional, Union

from nflex_connector_utils import Circuit, Connections

from shared.engine import clock
from shared.engine.errors import UnexpectedResponse, about
from shared.engine.poll import Dropped, Requested
from shared.providers import osm
from shared.providers.osm import wan, wan_services
from shared.providers.osm.wan import Accounts, LinkEnd
from shared.providers.osm.wan_plan import Link, Need, Network, plan, why_none
from shared.records.endpoints import first_two
from shared.records.fields import field, items, needed, objects
from shared.records.metadata import metadata
from shared.records.status import Point

PERMISSIONS = ("ns_instances:get", "vim_accounts:get", "wim_accounts:get")
CALLS = (
    "1 token + 1 /vim_accounts + 1 /wim_accounts + 1 /ns_instances + 1 to take the token back; with "
    "ro_url: + 1 /tenants + 1 /datacenters + 2 /wims + 1 a WIM + 1 a service; of release FIVE or SIX: + 1 "
    "a service /action + 1 an action; + 1 /ns_instances where RO does not have a service any more"
)
RECORD_IDS = ("sdn_net.uuid", "task.item_id", "ns._id", "need.service", "wim_id")

MISSING = "missing"
WIM_LEVELS = {"ENABLED": "ok", "PROCESSING": "warning", "ERROR": "error"}
REFUSED = re.compile(r"\b40[13]\b|unauthori[sz]ed|forbidden|credential|authenticat", re.IGNORECASE)


@dataclasses.dataclass
class Lookups:
    """The data centres and WIMs; the WIM accounts of NBI, for their health."""

    accounts: Accounts
    wims: list[dict[str, Any]]
    now: datetime.datetime


def lookups(scope: osm.Scope) -> Lookups:
    wims = osm.listed(scope, "wim")
    made = Lookups(
        Accounts(osm.listed(scope, "vim"), wims),
        wims,
        clock.now(),
    )
    if osm.has_ro(scope):
        session = scope.session
        with_account = {needed(wim, "uuid", str) for wim in osm.ro_listed(scope, "wims")}
        of_ro = []
        for wim in session.ro.listed("/any/wims", "wims"):
            uuid = needed(wim, "uuid", str)
            path = f"wims/{uuid}"
            found = (
                osm.ro_record(scope, path)
                if uuid in with_account
                else session.ro.get(f"/any/{path}")
            )
            if found is not None:  # else it was deleted since
                of_ro.append(needed(found, "wim", dict))
        made.accounts.add_ro(osm.ro_listed(scope, "datacenters"), of_ro, with_account)
    return made


def fetch(scope: osm.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    found = _read(scope, lookups)
    yield found.links
    if scope.session.options.get("report_missing"):
        yield _missing(found, lookups)


def fetch_status(
    scope: osm.Scope, lookups: Lookups, requested: Requested
) -> Iterator[list[dict[str, Any]]]:
    """The links, the needs that none satisfies whatever the options say, and the WIMs."""
    found = _read(scope, lookups)
    yield found.links
    yield _missing(found, lookups)
    failing: dict[str, set[str]] = defaultdict(set)
    for link in _links(found, lookups):
        if link.status in wan.NO_ANSWER:
            failing[link.wim].add(link.message or f"{link.status} without a message")
    wims = {needed(wim, "_id", str): wim for wim in lookups.wims}
    yield [
        {"wim": wims.get(wim, {}), "wim_id": wim, "failing": sorted(failing[wim])}
        for wim in sorted({*lookups.accounts.wim_names, *failing})
    ]


def convert(record: dict[str, Any], scope: osm.Scope, lookups: Lookups) -> Union[Circuit, Dropped]:
    if "need" in record:
        return _missing_link(needed(record, "need", dict), lookups)
    link, ns = _link(record, lookups), needed(record, "ns", dict)
    said = wan.verdict(link, ns, lookups.now)
    if said.state == "terminated":
        return Dropped("deleted")
    sites = lookups.accounts.site_names
    return Circuit(
        id=link.id,
        name=_name(link.service_name, link.vld_name),
        type_id="wan_link",
        carrier=lookups.accounts.wim_names.get(link.wim, link.wim),
        reference=link.reference,
        provider_created_at=link.created_at,
        connections=Connections(
            networks=sorted({id_ for end in link.ends for id_ in end.networks})
        ),
        metadata=metadata(
            link.details,
            sorted(link.details),
            state=said.state,
            provider_state=link.status,
            error_message=link.message,
            note=said.note,
            wim_id=link.wim,
            service_id=link.service,
            vld_id=link.vld,
            told_by=link.source,
            ends=[_shown(end, sites) for end in _in_order(link.ends, sites)],
        ),
        **_endpoints(link.ends, sites),
    )


def status(record: dict[str, Any], scope: osm.Scope, lookups: Lookups) -> Iterable[Point]:
    if "need" in record:
        need = needed(record, "need", dict)
        return [Point(_need_id(need), "circuit", "error", _why_missing(need, lookups))]
    if "wim_id" in record:
        return [_wim_point(record, lookups)]
    link = _link(record, lookups)
    said = wan.verdict(link, needed(record, "ns", dict), lookups.now)
    if said.state == "terminated":
        return []
    message = (
        f"{link.status or 'no status'} over {lookups.accounts.wim_names.get(link.wim, link.wim)}"
    )
    for more in (said.note, link.message):
        message += f": {more}" if more else ""
    if said.level == "ok":
        message += ": configured at the WIM; OSM does not look at its traffic"
    if link.source == "deploymentStatus":
        message += " (as of the last operation on the service)"
    return [Point(link.id, "circuit", said.level, message, link.changed_at)]


# --- what OSM has ---------------------------------------------------------------------------------


@dataclasses.dataclass
class Found:
    """The records of all links, and what of services that should have theirs by now is to be planned."""

    links: list[dict[str, Any]]
    networks: list[Network]
    names: dict[tuple[str, str], tuple[str, str]]  # by service and VLD: what a person calls them


def _read(scope: osm.Scope, lookups: Lookups) -> Found:
    found = Found([], [], {})
    gone = []
    for ns in osm.listed(scope, "ns"):
        with about(f"NS {ns.get('_id')}"):
            if not _add(ns, scope, lookups, found):
                gone.append(ns)
    _must_be_gone(scope, gone)
    osm.log_out(scope)
    return found


def _add(ns: dict[str, Any], scope: osm.Scope, lookups: Lookups, found: Found) -> bool:
    """Add the links and networks of a service; False where RO should have it and does not."""
    told_by, instance = "deploymentStatus", field(ns, "deploymentStatus", dict)
    in_ro, short = _ro_id(ns), wan_services.brief(ns)
    links: Optional[list[dict[str, Any]]] = []
    if osm.has_ro(scope) and in_ro:
        told_by, instance = "RO", _instance(scope, in_ro)
    if instance:
        links = _of_ro(scope, short, instance, told_by)
    is_gone = links is None or (told_by == "RO" and instance is None)
    if is_gone:
        instance = None
    for vld in objects(ns, "vld"):
        for key in wan.wim_keys(vld):
            found.links.append({"ns": short, "vld": vld, "key": key})
    found.links += links or []
    if instance and instance.get("nets") is not None:  # else the NS record has them itself
        networks = list(wan_services.ro_networks(ns, instance, lookups.accounts))
    else:
        networks = list(wan_services.vld_networks(ns, lookups.accounts))
    if wan_services.is_due(ns):
        found.networks += networks
        nets = objects(instance or {}, "nets")
        for service, vld_id in {(each.service, each.vld) for each in networks if each.vld}:
            name = field(ns, "name", str) or service
            found.names[service, vld_id] = name, wan_services.vld_name(short, vld_id, nets)
    return not is_gone


def _ro_id(ns: dict[str, Any]) -> Optional[str]:
    deployed = field(field(ns, "_admin", dict) or {}, "deployed", dict) or {}
    return field(field(deployed, "RO", dict) or {}, "nsr_id", str) or None


def _instance(scope: osm.Scope, in_ro: str) -> Optional[dict[str, Any]]:
    """What RO has of a service; None where it does not have the service."""
    instance = osm.ro_record(scope, f"instances/{in_ro}")
    if instance is not None and instance.get("nets") is None and instance.get("sdn_nets") is None:
        raise UnexpectedResponse(f"RO's instance {in_ro} has neither field 'nets' nor 'sdn_nets'")
    return instance


def _must_be_gone(scope: osm.Scope, services: list[dict[str, Any]]) -> None:
    """RO does not have these: they were deleted since they were listed, or it is another OSM's RO."""
    if not services:
        return
    there = {needed(ns, "_id", str): ns for ns in osm.listed(scope, "ns")}
    for ns in services:
        now = there.get(needed(ns, "_id", str))
        if now is not None and _ro_id(now) == _ro_id(ns) and wan_services.is_due(now):
            raise UnexpectedResponse(
                f"RO does not have instance {_ro_id(ns)} of service {needed(ns, '_id', str)}: are "
                "credentials.ro_url and credentials.ro_tenant those of this OSM?"
            )


def _of_ro(
    scope: osm.Scope, ns: dict[str, Any], instance: dict[str, Any], told_by: str
) -> Optional[list[dict[str, Any]]]:
    """The links of one service in classic RO, each with the networks that it may join; None: it is gone."""
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
                "told_by": told_by,
            }
            for sdn_net in objects(instance, "sdn_nets")
            if wan.is_wan(sdn_net)
        ]
    if told_by != "RO" or not wan_services.spanning_nets(nets):
        return []
    tasks = _tasks(scope, instance)
    return None if tasks is None else [{"ns": ns, "task": task, "nets": nets} for task in tasks]


def _tasks(scope: osm.Scope, instance: dict[str, Any]) -> Optional[list[dict[str, Any]]]:
    """Releases FIVE and SIX: the tasks that made the links which no other task took away since.

    None where RO does not have the instance any more.
    """
    path = f"instances/{needed(instance, 'uuid', str)}/action"
    made, deleted = [], set()
    listed = osm.ro_record(scope, path)
    if listed is None:
        return None
    for action in _there(listed, "actions"):
        detail = osm.ro_record(scope, f"{path}/{needed(action, 'uuid', str)}")
        if detail is None:
            return None
        for each in _there(detail, "actions"):
            for task in _there(each, "vim_wim_actions"):
                if task.get("item") == "instance_wim_nets":
                    if task.get("action") != "DELETE":
                        made.append(task)
                    elif task.get("status") in ("DONE", "FINISHED"):
                        deleted.add(needed(task, "item_id", str))
    return [task for task in made if needed(task, "item_id", str) not in deleted]


def _there(answer: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A list that RO has in each such answer, if only an empty one."""
    needed(answer, name, list)
    return objects(answer, name)


def _links(found: Found, lookups: Lookups) -> Iterator[wan.Link]:
    for record in found.links:
        with about(f"NS {needed(record, 'ns', dict).get('_id')}"):
            link = _link(record, lookups)
        yield link


def _link(record: dict[str, Any], lookups: Lookups) -> wan.Link:
    ns, accounts = needed(record, "ns", dict), lookups.accounts
    if "vld" in record:
        vld, key = needed(record, "vld", dict), needed(record, "key", str)
        return wan.of_vld(ns, vld, key, accounts)
    nets = objects(record, "nets")
    if "task" in record:
        return wan.of_task(ns, needed(record, "task", dict), nets, accounts)
    told_by = needed(record, "told_by", str)
    return wan.of_sdn_net(ns, needed(record, "sdn_net", dict), nets, told_by, accounts)


# --- what OSM lacks -------------------------------------------------------------------------------


def _missing(found: Found, lookups: Lookups) -> list[dict[str, Any]]:
    """A record for each need that no link satisfies."""
    links, unassigned = [], Counter[str]()
    for link in _links(found, lookups):
        if link.status == "DELETED":
            continue
        links.append(
            Link(link.id, link.service, link.vld, frozenset(end.site for end in link.ends))
        )
        unassigned[link.service] += link.vld is None
    missing: dict[str, list[Need]] = defaultdict(list)
    for need in plan(found.networks, lookups.accounts.wims(), links):
        if need.missing:
            missing[need.service].append(need)
    return [
        {"need": _described(need, found, lookups)}
        for service, needs in missing.items()
        # RO makes a link for each need: with as many as that, it is only not told which is whose
        if len(needs) > unassigned[service]
        for need in needs
    ]


def _described(need: Need, found: Found, lookups: Lookups) -> dict[str, Any]:
    service, vld = found.names[need.service, need.vld]
    return {
        "service": need.service,
        "service_name": service,
        "vld": need.vld,
        "vld_name": vld,
        "sites": list(need.sites),
        "networks": [each for each in need.networks if each],
        "wims": [{"id": wim.id, "name": wim.name, "account": wim.account} for wim in need.wims],
        "why_none": why_none(need, lookups.accounts.site_names),
        "partial": list(need.partial),
    }


def _need_id(need: dict[str, Any]) -> str:
    return f"{needed(need, 'service', str)}/{needed(need, 'vld', str)}/{MISSING}"


def _why_missing(need: dict[str, Any], lookups: Lookups) -> str:
    names = lookups.accounts.site_names
    sites = sorted(names.get(site, site) for site in items(need, "sites", str))
    said = f"missing: {_name(needed(need, 'service_name', str), field(need, 'vld_name', str))} "
    said += f"is in {', '.join(sites)}"
    partial = items(need, "partial", str)
    if partial:
        said += f", which {', '.join(partial)} does not all join"
    wims = [needed(wim, "name", str) for wim in objects(need, "wims")]
    reason = field(need, "why_none", str) or f"it could be carried by {', '.join(wims)}"
    return f"{said}; {reason}"


def _missing_link(need: dict[str, Any], lookups: Lookups) -> Circuit:
    sites = lookups.accounts.site_names
    ends = tuple(LinkEnd(site, (), ()) for site in items(need, "sites", str))
    return Circuit(
        id=_need_id(need),
        name=_name(needed(need, "service_name", str), field(need, "vld_name", str)),
        type_id="wan_link",
        connections=Connections(networks=sorted(set(items(need, "networks", str)))),
        metadata=metadata(
            {},
            (),
            state=MISSING,
            note=_why_missing(need, lookups),
            service_id=needed(need, "service", str),
            vld_id=needed(need, "vld", str),
            wims=objects(need, "wims"),
            ends=[_shown(end, sites) for end in _in_order(ends, sites)],
        ),
        **_endpoints(ends, sites),
    )


# --- how it is shown ------------------------------------------------------------------------------


def _name(service: str, vld: Optional[str]) -> str:
    return f"{service}/{vld}" if vld else service


def _in_order(ends: Iterable[LinkEnd], sites: dict[str, str]) -> list[LinkEnd]:
    return sorted(ends, key=lambda end: (sites.get(end.site, end.site), end.site))


def _endpoints(ends: Iterable[LinkEnd], sites: dict[str, str]) -> dict[str, Optional[str]]:
    """The first two ends: the data centre, with switch and port where there is one port only."""
    shown: list[tuple[Optional[str], Optional[str]]] = []
    for end in _in_order(ends, sites):
        name = sites.get(end.site, end.site)
        port = end.ports[0] if len(end.ports) == 1 else {}
        where = " ".join(port[each] for each in ("switch", "port") if each in port)
        shown.append((end.site, f"{name} ({where})" if where else name))
    endpoint_a, endpoint_b = first_two(shown)
    return {"endpoint_a": endpoint_a, "endpoint_b": endpoint_b}


def _shown(end: LinkEnd, sites: dict[str, str]) -> dict[str, Any]:
    """One end as metadata."""
    facts = {
        "data_centre": sites.get(end.site, end.site),
        "data_centre_id": end.site,
        "networks": list(end.networks),
        "ports": list(end.ports),
    }
    return {name: value for name, value in facts.items() if value}


def _wim_point(record: dict[str, Any], lookups: Lookups) -> Point:
    """How a WIM is: what its links' states say of it, or else what its account's does.

    OSM sets the account's state once, when the account is made or changed.
    """
    wim_id = needed(record, "wim_id", str)
    admin = field(field(record, "wim", dict) or {}, "_admin", dict) or {}
    word, operations = field(admin, "operationalState", str), objects(admin, "operations")
    last = operations[-1] if operations else {}
    detail = field(admin, "detailed-status", str) or field(last, "detailed-status", str)
    level = WIM_LEVELS.get(word or "", "unknown")
    moment = wan_services.moment(last, "statusEnteredTime")
    said = f"WIM {lookups.accounts.wim_names.get(wim_id, wim_id)}: "
    failing = items(record, "failing", str)
    if failing:
        refused = any(REFUSED.search(each) for each in failing)
        said += "it refuses OSM's credentials: " if refused else "OSM can't ask it: "
        return Point(wim_id, "appliance", "error", said + "; ".join(failing))
    said += f"its account is {word}" if word else "NBI has no account of it"
    if level != "ok" and detail:
        refused = bool(REFUSED.search(detail))
        said += f": {'it refuses the credentials: ' if refused else ''}{' '.join(detail.split())}"
    return Point(wim_id, "appliance", level, said, moment)
