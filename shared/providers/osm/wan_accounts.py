"""The data centres and WIMs that OSM's WAN links join and use, by whatever id or name a record has for them.

A data centre is named by the id of its VIM account. RO has another id for it, and for a WIM: the accounts'
``_admin.deployed`` connects the two. Where there is no account, RO's own id is used.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from shared.engine.errors import UnexpectedResponse, about
from shared.providers.osm.wan_plan import Wim
from shared.records.fields import field, needed, objects

Port = dict[
    str, str
]  # switch, port, service_endpoint, vlan, wan_switch, wan_port: those that are known


class Accounts:
    """The data centres and WIMs, by any id or name that a record has for them."""

    def __init__(self, vims: Iterable[dict[str, Any]], wims: Iterable[dict[str, Any]]):
        self.site_names: dict[str, str] = {}
        self.wim_names: dict[str, str] = {}
        self._sites: dict[str, str] = {}  # by id, or RO's id
        self._sites_named: dict[str, list[str]] = defaultdict(list)
        self._wims: dict[str, str] = {}
        self._ports: dict[tuple[str, str], list[Port]] = {}  # by WIM and site
        for vim in vims:
            with about(f"VIM account {vim.get('_id')}"):
                self._add(vim, self._sites, self.site_names)
        for site, name in self.site_names.items():
            self._sites_named[name].append(site)
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
        """Add RO's ``datacenters`` and ``wims``, whose port mappings override those of NBI.

        ``with_account``: RO's ids of the WIMs on which its tenant has an account.
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
            for key in [key for key in self._ports if key[0] == wim_id]:
                del self._ports[key]
            self._map(wim_id, field(wim, "config", dict) or {})
        self._with_account |= {self.wim(any_id) for any_id in with_account}

    def site(self, any_id: str) -> str:
        return self._sites.get(any_id, any_id)

    def wim(self, any_id: str) -> str:
        return self._wims.get(any_id, any_id)

    def ports(self, wim: str, site: str) -> tuple[Port, ...]:
        return tuple(self._ports.get((wim, site), ()))

    def wims(self) -> list[Wim]:
        """The WIMs as the planner wants them."""
        sites: dict[str, set[str]] = defaultdict(set)
        for wim, site in self._ports:
            sites[wim].add(site)
        return [
            Wim(wim, name, frozenset(sites[wim]), wim in self._with_account)
            for wim, name in sorted(self.wim_names.items())
        ]

    def _add(self, account: dict[str, Any], ids: dict[str, str], names: dict[str, str]) -> str:
        id_ = needed(account, "_id", str)
        names[id_] = field(account, "name", str) or id_
        ids[id_] = id_
        deployed = field(field(account, "_admin", dict) or {}, "deployed", dict) or {}
        for name in ("RO", "RO-account"):
            ro_id = field(deployed, name, str)
            if ro_id:
                ids[ro_id] = id_
        return id_

    def _map(self, wim: str, config: dict[str, Any]) -> None:
        """Read a port mapping. Classic RO's lists data centres, each with its ports; NG-RO's lists ports."""
        for mapping in objects(config, "wim_port_mapping"):
            site_key = field(mapping, "datacenter_id", str) or field(
                mapping, "datacenter_name", str
            )
            if not site_key:
                raise UnexpectedResponse("field 'datacenter_id' of a port mapping is missing")
            grouped = mapping.get("pop_wan_mappings") is not None
            ports = objects(mapping, "pop_wan_mappings") if grouped else [mapping]
            for site in self._sites_of(site_key):
                self._ports.setdefault((wim, site), []).extend(map(_mapped_port, ports))

    def _sites_of(self, key: str) -> list[str]:
        """The data centres with this id, RO's id or, most often in mappings, name."""
        if key in self._sites:
            return [self._sites[key]]
        return self._sites_named.get(key) or [key]


def _mapped_port(mapping: dict[str, Any]) -> Port:
    info: dict[str, Any] = {}
    for name in ("service_mapping_info", "wan_service_mapping_info"):
        info.update(field(mapping, name, dict) or {})
    flat = {**info, **mapping}
    return port(
        switch=text(mapping, "device_id", "pop_switch_dpid"),
        port=text(mapping, "device_interface_id", "pop_switch_port"),
        service_endpoint=text(mapping, "service_endpoint_id", "wan_service_endpoint_id"),
        wan_switch=text(flat, "switch_dpid", "wan_switch_dpid"),
        wan_port=text(flat, "switch_port", "wan_switch_port"),
    )


def port(**known: Optional[str]) -> Port:
    """A port of what is known of it."""
    return {name: value for name, value in known.items() if value}


def text(record: Mapping[str, Any], *names: str) -> Optional[str]:
    """The first of these fields that is present; numbers as text, for both are used for ports."""
    for name in names:
        value = record.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if field(record, name, str):
            return str(value)
    return None
