"""Services that span data centres, for the simulator of OSM: records of NBI and of its classic RO.

Their form is that of recorded ones of RO 8.0 (which tests/test_wan_links_osm.py compares) and else that of
OSM's source: NG-RO's ``vim_info``, the actions of releases FIVE and SIX, and ``deploymentStatus`` were not
recorded. Nothing is behind them: no VIM, no WIM, no link.
"""

from typing import Any

from tests.fakes.osm import identifier

MADE = 1735689600.0  # 2025-01-01
LOCAL = "2025-01-01T01:00:00"  # RO's clock, which has no zone


class Services:
    """Fills one simulator with data centres, WIMs and services of a project."""

    def __init__(self, osm, project="tenant-x", tenant="osm"):
        self.osm, self.project, self.tenant = osm, project, identifier("tenant", tenant)
        osm.ro["tenants"].append({"uuid": self.tenant, "name": tenant, "created_at": LOCAL})

    # --- accounts ---------------------------------------------------------------------------------

    def site(self, name, ro=False):
        """A VIM account, in RO a data centre too; its id in NBI."""
        made = identifier("vim", name)
        admin: dict[str, Any] = {"operationalState": "ENABLED"}
        if ro:
            uuid = identifier("datacenter", name)
            admin["deployed"] = {"RO": uuid, "RO-account": identifier("vim-account", name)}
            self.osm.ro["datacenters"].append(
                {"uuid": uuid, "name": name, "type": "openstack", "created_at": LOCAL}
            )
        record = {"_id": made, "name": name, "vim_type": "openstack", "vim_password": "ZW5jOnA="}
        self.osm.add("vim_accounts", {**record, "_admin": admin}, self.project)
        return made

    def wim(self, name, state="ENABLED", ro=False, account=True, nbi=True, detail="", **ports):
        """A WIM with ``site=[(switch, port), ...]`` as its port mapping; its id in NBI."""
        made, uuid = identifier("wim", name), identifier("ro-wim", name)
        operation = {
            "lcmOperationType": "create",
            "operationState": "COMPLETED" if state == "ENABLED" else "FAILED",
            "startTime": MADE,
            "statusEnteredTime": MADE + 10,
            "detailed-status": detail,
        }
        admin = {"operationalState": state, "operations": [operation]}
        if ro:
            admin["deployed"] = {"RO": uuid, "RO-account": identifier("wim-account", name)}
            self._ro_wim(name, uuid, account, ports)
        config = {
            "wim_port_mapping": []
            if ro
            else [
                _ng_port(site, switch, port)
                for site, there in ports.items()
                for switch, port in there
            ]
        }
        record = {
            "_id": made,
            "name": name,
            "wim_type": "ietfl2vpn",
            "wim_url": "http://192.0.2.10",
        }
        record.update(password="c1ear-text", config=config)
        if nbi:
            self.osm.add("wim_accounts", {**record, "_admin": admin}, self.project)
        return made if nbi else uuid

    def _ro_wim(self, name, uuid, account, ports):
        brief = {"uuid": uuid, "name": name, "type": "ietfl2vpn", "created_at": LOCAL}
        self.osm.ro["wims"].append({**brief, "wim_url": "http://192.0.2.10"})
        mapping = [
            {
                "wim_id": uuid,
                "datacenter_id": identifier("datacenter", site),
                "pop_wan_mappings": [_classic_port(site, *each) for each in there],
            }
            for site, there in ports.items()
        ]
        wim = {**brief, "description": None, "wim_url": "http://192.0.2.10", "modified_at": LOCAL}
        wim["config"] = {"wim_port_mapping": mapping}
        if account:
            of_account = {"name": "account", "config": None, "created_at": MADE}
            wim["wim_account"] = {**of_account, "uuid": identifier("wim-account", name)}
            wim["wim_account"]["modified_at"] = MADE
            wim.update(wim_id=uuid, sdn="false", user="u1", password="********")
        self.osm.ro_details["wims", uuid] = {"wim": wim}

    # --- services ---------------------------------------------------------------------------------

    def service(self, name, **fields):
        """An NS record without networks."""
        made = {
            "_id": identifier("ns", name),
            "name": name,
            "nsState": "READY",
            "currentOperation": "IDLE",
            "create-time": MADE,
            "instantiate_params": {"nsName": name},
            "vld": [],
            **fields,
        }
        return self.osm.add("ns_instances", made, self.project)

    def vld(self, ns, name, /, *sites, wims=None, **fields):
        """A VLD of NG-RO in data centres; ``wims``: by name, the fields of their ``vim_info``."""
        there = {f"vim:{identifier('vim', site)}": site for site in sites}
        infos = {
            key: {
                "vim_account_id": key[4:],
                "vim_id": identifier("net", ns["name"], name, site),
                "vim_status": "ACTIVE",
            }
            for key, site in there.items()
        }
        for wim, info in (wims or {}).items():
            infos[f"wim:{identifier('wim', wim)}"] = {
                "sdn": True,
                "target_vims": list(there),
                "vlds": [f"nsrs:{ns['_id']}:vld.{name}"],
                "type": "ELINE" if len(sites) == 2 else "ELAN",
                "vim_id": identifier("connectivity-service", ns["name"], name),
                "vim_status": "ACTIVE",
                "vim_details": "",
                "vim_message": None,
                **info,
            }
        vld = {"id": name, "name": name, "mgmt-network": False, "vim_info": infos, **fields}
        ns["vld"].append(vld)
        return vld

    def instance(self, ns, *networks, links=(), old=False):
        """The service's instance in classic RO; ``networks``: (VLD, site) each.

        ``links``: (VLD, WIM, changed fields) each; ``old``: of releases FIVE and SIX, which have none.
        """
        uuid = identifier("instance", ns["name"])
        ns["_admin"].setdefault("deployed", {})["RO"] = {"nsr_id": uuid}
        nets = [_net(ns, uuid, vld, site) for vld, site in networks]
        made = {"uuid": uuid, "name": ns["name"], "tenant_id": self.tenant, "created_at": LOCAL}
        made.update(vnfs=[], nets=nets)
        if not old:
            made["sdn_nets"] = [_sdn_net(ns, uuid, vld, wim, more) for vld, wim, more in links]
        self.osm.ro["instances"].append({k: v for k, v in made.items() if not isinstance(v, list)})
        self.osm.ro_details["instances", uuid] = made
        return made

    def action(self, instance, *tasks, what="CREATE"):
        """An action on an instance with a task a link: (name of the link, WIM, changed fields)."""
        listed = self.osm.ro_details.setdefault(
            ("instances", f"{instance['uuid']}/action"), {"actions": []}
        )["actions"]
        uuid = f"ACTION-{MADE + len(listed)}"
        brief = {"uuid": uuid, "tenant_id": self.tenant, "instance_id": instance["uuid"]}
        brief.update(description=what, number_tasks=len(tasks), number_done=len(tasks))
        listed.append(brief)
        rows = [_task(uuid, n, what, *each) for n, each in enumerate(tasks)]
        self.osm.ro_details["instances", f"{instance['uuid']}/action/{uuid}"] = {
            "actions": [{**brief, "vim_wim_actions": rows}]
        }
        return rows


def network(ns, vld, site):
    """The VIM's id of a service's network."""
    return identifier("net", ns["name"], vld, site)


def _ng_port(site, switch, port):
    return {
        "datacenter_id": site,
        "device_id": switch,
        "device_interface_id": port,
        "service_endpoint_id": f"{site}-{port}",
        "service_mapping_info": {"encapsulation": {"type": "dot1q", "vlan": 120}},
    }


def _classic_port(site, switch, port):
    return {
        "device_id": switch,
        "device_interface_id": port,
        "service_endpoint_id": f"{site}-{port}",
        "switch_dpid": "00:00:00:0a",
        "switch_port": "7",
        "service_mapping_info": {"mapping_type": "dpid-port"},
    }


def _net(ns, instance, vld, site):
    return {
        "uuid": identifier("ro-net", instance, vld, site),
        "vim_net_id": network(ns, vld, site),
        "status": "ACTIVE",
        "error_msg": None,
        "vim_info": "{status: ACTIVE}\n",
        "created": True,
        "sce_net_id": vld and identifier("sce-net", instance, vld),
        "vnf_net_id": None,
        "datacenter_id": identifier("datacenter", site),
        "datacenter_tenant_id": identifier("vim-account", site),
        "sdn_net_id": None,
        "ns_net_osm_id": vld,
        "vnf_net_osm_id": None,
        "vim_name": f"{ns['name']}-{vld}",
        "related": identifier("ro-net", instance, vld, site),
    }


def _sdn_net(ns, instance, vld, wim, more):
    return {
        "uuid": identifier("link", instance, vld, wim),
        "wim_internal_id": identifier("connectivity-service", ns["name"], vld),
        "instance_scenario_id": instance,
        "sce_net_id": identifier("sce-net", instance, vld),
        "wim_id": identifier("ro-wim", wim),
        "wim_account_id": identifier("wim-account", wim),
        "status": "ACTIVE",
        "error_msg": None,
        "wim_info": "{vlan: 120}\n",
        "related": None,
        "multipoint": "false",
        "created": False,
        "sdn": "false",
        "created_at": LOCAL,
        "modified_at": LOCAL,
        **more,
    }


def _task(action, number, what, link, wim, more):
    return {
        "instance_action_id": action,
        "task_index": number,
        "worker": None,
        "related": None,
        "datacenter_vim_id": None,
        "vim_id": None,
        "wim_account_id": identifier("wim-account", wim),
        "wim_internal_id": identifier("connectivity-service", link),
        "action": what,
        "item": "instance_wim_nets",
        "item_id": identifier("link", link),
        "status": "DONE",
        "extra": "{attempts: 1, wim_status: ACTIVE}\n",
        "error_msg": None,
        "created_at": MADE,
        "modified_at": MADE + 60,
        **more,
    }
