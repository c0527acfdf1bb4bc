"""WAN links as OSM's records tell them. Pure: no I/O, no CMP resource.

Three kinds of records hold them, by release:

- from TEN on (and with NG-RO before) the NS record: ``vld[].vim_info["wim:<account>"]``;
- 7.0 to 9.x the classic resource orchestrator's (RO's) instance: ``sdn_nets[]``, of which NBI keeps a copy
  of the last operation in the NS record's ``deploymentStatus`` (from 7.1 on);
- FIVE and SIX RO's actions: the tasks of ``item`` instance_wim_nets.

A data centre is named by the id of its VIM account; RO has another id for it, and so for a WIM: the
accounts' ``_admin.deployed`` joins them. Where no account is known, RO's own id stands.
"""

import dataclasses
import datetime
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from shared.engine.errors import UnexpectedResponse, about
from shared.providers.osm import SECRET
from shared.providers.osm.wan_plan import Network, Wim
from shared.records.fields import field, items, needed, objects, plain
from shared.transport import decode

STUCK = datetime.timedelta(minutes=15)

# RO's word for a link, and NG-RO's: CMP's state, and how well that is.
# ACTIVE says that the link is configured at the WIM, not that it carries traffic. INACTIVE: made, and
# not yet confirmed. WIM_ERROR and VIM_ERROR: the WIM could not be asked, maybe for a moment only.
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
NOT_ASKED = ("WIM_ERROR", "VIM_ERROR")
# A message is never taken back: beside any other word, it is about what is over.
MESSAGE_COUNTS = ("BUILD", "DOWN", "ERROR", *NOT_ASKED)
GONE = ("DELETED", "SCHEDULED_DELETION")
# What a task that makes a link came to, where the WIM's word is not kept beside it.
TASKS = {
    "SCHEDULED": "SCHEDULED_CREATION",
    "BUILD": "BUILD",
    "FAILED": "ERROR",
    "SUPERSEDED": "DELETED",
    "FINISHED": "DELETED",
}

# Of RO's networks, what is read.
NET_FIELDS = (
    "uuid",
    "vim_net_id",
    "status",
    "sce_net_id",
    "datacenter_id",
    "ns_net_osm_id",
)

Port = dict[str, str]  # switch, port, service_endpoint, vlan, wan_switch, wan_port: as far as known


@dataclasses.dataclass(frozen=True)
class End:
    """One data centre that a link joins."""

    site: str
    networks: tuple[str, ...]  # ids that the VIM has for them
    ports: tuple[Port, ...]  # through which it may be left: one, or it is not told which


@dataclasses.dataclass(frozen=True)
class Link:
    id: str
    service: str  # the NS's id
    service_name: str
    vld: Optional[str]  # None: RO does not tell which
    vld_name: Optional[str]
    wim: str  # id of the WIM account, or RO's of the WIM
    reference: Optional[str]  # the WIM's id of the connectivity service
    word: Optional[str]  # RO's
    message: Optional[str]  # None where it is stale
    told_by: str
    made_at: Optional[datetime.datetime]
    changed_at: Optional[datetime.datetime]
    ends: tuple[End, ...]  # by id of the site
    details: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """``state`` is CMP's, ``level`` a status point's; ``note`` says what the word hides, if anything."""

    state: str
    level: str
    note: Optional[str] = None


# --- accounts -------------------------------------------------------------------------------------


class Accounts:
    """The data centres and WIMs, under whatever id or name a record calls them."""

    def __init__(self, vims: Iterable[dict[str, Any]], wims: Iterable[dict[str, Any]]):
        self.site_names: dict[str, str] = {}
        self.wim_names: dict[str, str] = {}
        self._sites: dict[str, str] = {}  # by id, or RO's id
        self._named: dict[str, list[str]] = defaultdict(list)  # sites by name
        self._wims: dict[str, str] = {}
        self._ports: dict[tuple[str, str], list[Port]] = {}  # by WIM and site
        for vim in vims:
            with about(f"VIM account {vim.get('_id')}"):
                self._add(vim, self._sites, self.site_names)
        for site, name in self.site_names.items():
            self._named[name].append(site)
        for wim in wims:
            with about(f"WIM account {wim.get('_id')}"):
                wim_id = self._add(wim, self._wims, self.wim_names)
                self._map(wim_id, field(wim, "config", dict) or {})
        self._with_account = set(self.wim_names)

    def add_ro(
        self,
        datacenters: Iterable[dict[str, Any]],
        wims: Iterable[dict[str, Any]],
        with_account: Iterable[str],
    ) -> None:
        """What RO says of its ``datacenters`` and ``wims``; it counts more than what NBI says.

        ``with_account``: RO's ids of the WIMs that its tenant has an account on.
        """
        for datacenter in datacenters:
            uuid, name = needed(datacenter, "uuid", str), needed(datacenter, "name", str)
            site = self._sites.setdefault(uuid, uuid)
            self.site_names.setdefault(site, name)
        for wim in wims:
            uuid, name = needed(wim, "uuid", str), needed(wim, "name", str)
            wim_id = self._wims.setdefault(uuid, uuid)
            self.wim_names.setdefault(wim_id, name)
            account = field(field(wim, "wim_account", dict) or {}, "uuid", str)
            if account:
                self._wims.setdefault(account, wim_id)
            for mapped in [each for each in self._ports if each[0] == wim_id]:
                del self._ports[mapped]
            self._map(wim_id, field(wim, "config", dict) or {})
        self._with_account |= {self.wim(each) for each in with_account}

    def site(self, any_id: str) -> str:
        return self._sites.get(any_id, any_id)

    def wim(self, any_id: str) -> str:
        return self._wims.get(any_id, any_id)

    def ports(self, wim: str, site: str) -> tuple[Port, ...]:
        return tuple(self._ports.get((wim, site), ()))

    def wims(self) -> list[Wim]:
        """For the planner."""
        sites: dict[str, set[str]] = defaultdict(set)
        for wim, site in self._ports:
            sites[wim].add(site)
        return [
            Wim(wim, name, frozenset(sites[wim]), wim in self._with_account)
            for wim, name in sorted(self.wim_names.items())
        ]

    def _add(self, account: dict[str, Any], ids: dict[str, str], names: dict[str, str]) -> str:
        made = needed(account, "_id", str)
        names[made] = field(account, "name", str) or made
        ids[made] = made
        deployed = field(field(account, "_admin", dict) or {}, "deployed", dict) or {}
        for name in ("RO", "RO-account"):
            of_ro = field(deployed, name, str)
            if of_ro:
                ids[of_ro] = made
        return made

    def _map(self, wim: str, config: dict[str, Any]) -> None:
        """The port mapping: of classic RO, a list of ports a data centre; of NG-RO, of ports."""
        for mapping in objects(config, "wim_port_mapping"):
            called = field(mapping, "datacenter_id", str) or field(mapping, "datacenter_name", str)
            if not called:
                raise UnexpectedResponse("field 'datacenter_id' of a port mapping is missing")
            grouped = mapping.get("pop_wan_mappings") is not None
            ports = objects(mapping, "pop_wan_mappings") if grouped else [mapping]
            for site in self._called(called):
                self._ports.setdefault((wim, site), []).extend(map(_mapped_port, ports))

    def _called(self, text: str) -> list[str]:
        """A mapping names a data centre by its id, RO's id or, as a rule, its name."""
        if text in self._sites:
            return [self._sites[text]]
        return self._named.get(text) or [text]


def _mapped_port(mapping: dict[str, Any]) -> Port:
    info: dict[str, Any] = {}
    for name in ("service_mapping_info", "wan_service_mapping_info"):
        info.update(field(mapping, name, dict) or {})
    flat = {**info, **mapping}
    return _port(
        switch=_text(mapping, "device_id", "pop_switch_dpid"),
        port=_text(mapping, "device_interface_id", "pop_switch_port"),
        service_endpoint=_text(mapping, "service_endpoint_id", "wan_service_endpoint_id"),
        wan_switch=_text(flat, "switch_dpid", "wan_switch_dpid"),
        wan_port=_text(flat, "switch_port", "wan_switch_port"),
    )


def _port(**known: Optional[str]) -> Port:
    return {name: value for name, value in known.items() if value}


def _text(record: Mapping[str, Any], *names: str) -> Optional[str]:
    """The first of the fields that is there, a number as text: both are used for ports."""
    for name in names:
        value = record.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if field(record, name, str):
            return str(value)
    return None


# --- services -------------------------------------------------------------------------------------


def brief(ns: Mapping[str, Any]) -> dict[str, Any]:
    """Of an NS record, which may be large, what is asked for below of one link."""
    names = ("_id", "name", "nsState", "currentOperation", "create-time")
    admin = field(ns, "_admin", dict) or {}
    vlds = [{name: vld.get(name) for name in ("id", "name")} for vld in objects(ns, "vld")]
    return {
        **{name: ns.get(name) for name in names},
        "_admin": {"nslcmop": admin.get("nslcmop")},
        "vld": vlds,
    }


def under_way(ns: Mapping[str, Any]) -> bool:
    """Whether an operation is changing the service just now."""
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
    """Whether OSM would link the data centres of a VLD: not a management network's, nor where the
    operator said ``wimAccountId: false``, for this VLD or for the service."""
    nsd, names = field(ns, "nsd", dict) or {}, {vld}
    for each in (
        *objects(ns, "vld"),
        *objects(nsd, "vld"),
        *objects(nsd, "virtual-link-desc"),  # from release NINE on
    ):
        if each.get("id") == vld:
            names.add(field(each, "name", str) or vld)
            if field(each, "mgmt-network", bool):
                return False
    asked = field(ns, "instantiate_params", dict) or {}
    for each in objects(asked, "vld"):
        if field(each, "name", str) in names and each.get("wimAccountId") is not None:
            return each["wimAccountId"] is not False
    return asked.get("wimAccountId") is not False


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
                    network = _network(needed(infos, key, dict), "vim_id", "vim_status")
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
            yield Network(_network(net, "vim_net_id", "status") or "", service, vld, site)


def vld_name(ns: Mapping[str, Any], vld: str, nets: Iterable[dict[str, Any]] = ()) -> str:
    """What a person calls a VLD: by its name, or as RO's ``nets`` say that OSM calls it."""
    for net in nets:
        if net.get("sce_net_id") == vld:
            vld = field(net, "ns_net_osm_id", str) or vld
    for each in objects(ns, "vld"):
        if each.get("id") == vld:
            return field(each, "name", str) or vld
    return vld


# --- links ----------------------------------------------------------------------------------------


def wim_keys(vld: Mapping[str, Any]) -> list[str]:
    """The keys of a VLD's ``vim_info`` that are WAN links; "sdn:" ones are inside of one site."""
    return sorted(key for key in field(vld, "vim_info", dict) or {} if key.startswith("wim:"))


def is_wan(sdn_net: Mapping[str, Any]) -> bool:
    """Whether one of RO's ``sdn_nets`` is a WAN link; else it is inside of one site."""
    return sdn_net.get("sdn") not in (True, "true")


def of_vld(ns: Mapping[str, Any], vld: Mapping[str, Any], key: str, accounts: Accounts) -> Link:
    """A WAN link in an NS record (NG-RO)."""
    infos = field(vld, "vim_info", dict) or {}
    info = needed(infos, key, dict)
    service, vld_id = needed(ns, "_id", str), needed(vld, "id", str)
    wim = accounts.wim(key.partition(":")[2])
    word = field(info, "vim_status", str)
    targets = items(info, "target_vims", str) or [each for each in infos if each[:4] == "vim:"]
    networks: dict[str, set[str]] = {}
    for target in targets:
        local = field(infos, target, dict) or {}
        there = networks.setdefault(accounts.site(target.partition(":")[2]), set())
        there.update(filter(None, [_network(local, "vim_id", "vim_status")]))
    used: dict[str, list[Port]] = defaultdict(list)
    for each in objects(info, "sdn-ports"):
        used[_text(each, "device_id") or ""].append(
            _port(
                switch=_text(each, "switch_id"),
                port=_text(each, "switch_port"),
                service_endpoint=_text(each, "service_endpoint_id"),
                vlan=_text(each, "vlan"),
            )
        )
    said = _one_line(field(info, "vim_message", str))
    if word != "BUILD":  # while it is built, the details are no error
        said = said or _one_line(field(info, "vim_details", str))
    return Link(
        id=f"{service}/{vld_id}/{key.partition(':')[2]}",
        service=service,
        service_name=field(ns, "name", str) or service,
        vld=vld_id,
        vld_name=field(vld, "name", str) or vld_id,
        wim=wim,
        reference=field(info, "vim_id", str) or None,
        word=word,
        message=said if word in MESSAGE_COUNTS else None,
        told_by="NS record",
        made_at=None,
        changed_at=None,
        ends=tuple(
            End(
                site,
                tuple(sorted(networks[site])),
                tuple(used.get(accounts.site_names.get(site, site), ()))
                or accounts.ports(wim, site),
            )
            for site in sorted(networks)
        ),
        details={"service_type": field(info, "type", str) or field(vld, "type", str)},
    )


def of_sdn_net(
    ns: Mapping[str, Any],
    sdn_net: Mapping[str, Any],
    nets: list[dict[str, Any]],
    told_by: str,
    accounts: Accounts,
) -> Link:
    """A WAN link of classic RO's instance, or of the copy in ``deploymentStatus``.

    Its times are RO's local ones, without a zone: they are shown as they are.
    """
    vld = field(sdn_net, "sce_net_id", str)
    wim = accounts.wim(field(sdn_net, "wim_id", str) or needed(sdn_net, "wim_account_id", str))
    word, told = field(sdn_net, "status", str), field(sdn_net, "error_msg", str)
    return Link(
        id=needed(sdn_net, "uuid", str),
        service=needed(ns, "_id", str),
        service_name=field(ns, "name", str) or needed(ns, "_id", str),
        vld=vld,
        vld_name=vld_name(ns, vld, nets) if vld else None,
        wim=wim,
        reference=field(sdn_net, "wim_internal_id", str) or None,
        word=word,
        message=_one_line(told) if word in MESSAGE_COUNTS else None,
        told_by=told_by,
        made_at=None,
        changed_at=None,
        ends=_ends_in_ro(vld, nets, wim, accounts),
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
    """A WAN link of FIVE and SIX, by the task that makes it.

    The task does not say which network the link is for: that is known where only one spans sites.
    """
    spanning = spanning_nets(nets)
    vld = spanning[0] if len(spanning) == 1 else None
    wim = accounts.wim(needed(task, "wim_account_id", str))
    done = needed(task, "status", str)
    extra = _yaml(field(task, "extra", str))
    word = TASKS.get(done, done)
    if done == "DONE":  # made; how it is, the WIM says when it is asked, and else nobody knows
        word = field(extra, "wim_status", str) or field(extra, "sdn_status", str) or done
    said = _one_line(field(task, "error_msg", str))
    return Link(
        id=needed(task, "item_id", str),
        service=needed(ns, "_id", str),
        service_name=field(ns, "name", str) or needed(ns, "_id", str),
        vld=vld,
        vld_name=vld_name(ns, vld, nets) if vld else None,
        wim=wim,
        reference=field(task, "wim_internal_id", str) or None,
        word=word,
        message=said if word in MESSAGE_COUNTS else None,
        told_by="RO action",
        made_at=moment(task, "created_at"),
        changed_at=moment(task, "modified_at"),
        ends=_ends_in_ro(vld, nets, wim, accounts),
        details={"task_status": done, "task": field(task, "instance_action_id", str)},
    )


def spanning_nets(nets: Iterable[dict[str, Any]]) -> list[str]:
    """The ``sce_net_id`` of RO's networks that are in several data centres."""
    sites: dict[str, set[str]] = defaultdict(set)
    for net in nets:
        vld = field(net, "sce_net_id", str)
        if vld:
            sites[vld].add(needed(net, "datacenter_id", str))
    return sorted(vld for vld, at in sites.items() if len(at) > 1)


def _ends_in_ro(
    vld: Optional[str], nets: list[dict[str, Any]], wim: str, accounts: Accounts
) -> tuple[End, ...]:
    networks: dict[str, set[str]] = {}
    for net in nets:
        if vld and field(net, "sce_net_id", str) == vld:
            there = networks.setdefault(accounts.site(needed(net, "datacenter_id", str)), set())
            there.update(filter(None, [_network(net, "vim_net_id", "status")]))
    return tuple(
        End(site, tuple(sorted(networks[site])), accounts.ports(wim, site))
        for site in sorted(networks)
    )


def _network(net: Mapping[str, Any], id_field: str, status_field: str) -> Optional[str]:
    """The VIM's id of a network, if the VIM has it."""
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


def _yaml(text: Optional[str]) -> dict[str, Any]:
    """The object in a text of YAML, without secrets; empty where the text holds none that can be used."""
    try:
        value = decode.yaml_value(text or "")
    except decode.Unusable:
        return {}
    return _shown(value) if isinstance(value, dict) else {}


def _shown(value: Any) -> Any:
    """A WIM's connector keeps what it likes there."""
    if isinstance(value, dict):
        return {str(k): _shown(v) for k, v in value.items() if not SECRET.search(str(k))}
    return [_shown(each) for each in value] if isinstance(value, list) else plain(value)


def _one_line(text: Optional[str]) -> Optional[str]:
    return " ".join((text or "").split()) or None


# --- what a link's word comes to ------------------------------------------------------------------


def verdict(link: Link, ns: Mapping[str, Any], now: datetime.datetime) -> Verdict:
    """CMP's state of a link and how well that is."""
    state, level = STATES.get(link.word or "", ("unknown", "unknown"))
    if link.word == "ACTIVE" and not link.reference:
        # NG-RO says so of a link with fewer than two ports, and makes none
        return Verdict("stopped", "error", "not established: the WIM has no service for it")
    if link.word == "BUILD" and not link.reference and not under_way(ns):
        since = link.made_at or moment(ns, "create-time")
        if since is not None and now - since > STUCK:
            note = "stuck: no service of the WIM is on record, though no operation is under way"
            if link.told_by != "NS record":
                note += (
                    "; RO 7.0 to 9.x makes one service after another then: look for them at the WIM"
                )
            return Verdict(state, "error", note)
    return Verdict(state, level)
