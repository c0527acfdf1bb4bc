"""A simulator of Keystone, Nova, Neutron, Cinder and Glance on loopback, as far as the cells use them.

It is no OpenStack. Its record shapes, paging links, statuses for an unknown marker, and what each
role is shown were copied from real services (Nova 34, Neutron 29, Cinder 29, Glance 33, Keystone 30), and
tests/lab/test_openstack_lab.py compares it with them. Users: ``reader``, ``admin``, ``useless`` (a
role that no policy knows) and ``nobody`` (no role); each password is the name + "-pw".

Not every cloud has them: Octavia and Manila (``also``), FWaaS, VPNaaS, BGP VPN and L2 gateways
(``extensions``), and with them the user ``member``. Copied from Octavia 19, Manila 23, neutron-fwaas 25,
neutron-vpnaas 29, networking-bgpvpn 25 and networking-l2gw 22; tests/lab/test_openstack_network_lab.py
compares. The statuses, which those services leave to agents, are invented.

Servers' diagnostics, their actions and what of them changed were compared with Nova 34 and its fake
hypervisor: who is shown what and each error are real, the counters are not. Gnocchi: tests/fakes/gnocchi.py.
"""

import fnmatch
import functools
import json
import re
import threading
import uuid
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.fakes.gnocchi import Gnocchi

PROJECT, OTHER = "a" * 32, "b" * 32
MARKER_GONE = {"compute": 400, "image": 400, "volume": 404, "network": 404, "load-balancer": 400}
# The listings that answer a deleted marker with their first page, as if there were none.
STARTS_ANEW = {"agents", "floatingips", "security-groups", "subnets", "types"}
LINKS = {"volume_types": "volume_type_links"}
WITHOUT_LINKS = {"attachments"}  # the client has to go on until nothing follows
# path of an extension's listing -> (key, alias)
EXTENSIONS = {
    "fwaas/firewall_groups": ("firewall_groups", "fwaas_v2"),
    "vpn/ipsec-site-connections": ("ipsec_site_connections", "vpnaas"),
    "vpn/vpnservices": ("vpnservices", "vpnaas"),
    "vpn/endpoint-groups": ("endpoint_groups", "vpn-endpoint-groups"),
    "bgpvpn/bgpvpns": ("bgpvpns", "bgpvpn"),
    "l2-gateways": ("l2_gateways", "l2-gateway"),
    "l2-gateway-connections": ("l2_gateway_connections", "l2-gateway-connection"),
}
ADMINS_ONLY = {"binding:host_id", "host_status"}
USERS = ("reader", "member", "admin", "useless", "nobody")
SHOWN_TO_ADMINS = {"route_targets", "import_targets", "export_targets", "route_distinguishers"}


@functools.cache
def identifier(kind, number):
    """A stable UUID, so that two clouds with the same contents are equal."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{kind}-{number}"))


def server(number, project=PROJECT, **changed):
    mac = f"fa:16:3e:00:{number // 256:02x}:{number % 256:02x}"
    fixed = {"OS-EXT-IPS-MAC:mac_addr": mac, "version": 4, "OS-EXT-IPS:type": "fixed"}
    return {
        "id": identifier("server", number),
        "name": f"vm-é-{number}",
        "status": "ACTIVE",
        "tenant_id": project,
        "user_id": "u" * 32,
        "created": "2026-11-20T23:58:18Z",
        "updated": "2026-11-20T23:58:20Z",
        "addresses": {"net-0": [{"addr": f"10.0.{number // 250}.{number % 250 + 1}", **fixed}]},
        "flavor": {
            "vcpus": 4,
            "ram": 8192,
            "disk": 80,
            "ephemeral": 0,
            "swap": 0,
            "original_name": "m1.large",
            "extra_specs": {},
        },
        "image": {"id": identifier("image", number % 2), "links": []},
        "metadata": {"env": "тест"},
        "key_name": "key",
        "hostId": "h" * 56,
        "config_drive": "",
        "progress": 0,
        "OS-DCF:diskConfig": "MANUAL",
        "OS-EXT-AZ:availability_zone": "nova",
        "OS-EXT-STS:task_state": None,
        "OS-EXT-STS:vm_state": "active",
        "OS-EXT-STS:power_state": 1,
        "OS-SRV-USG:launched_at": "2026-11-20T23:58:20.000000",
        "OS-SRV-USG:terminated_at": None,
        "os-extended-volumes:volumes_attached": [],
        "security_groups": [{"name": "ssh"}],
        "accessIPv4": "",
        "accessIPv6": "",
        "links": [],
        "locked": False,
        "locked_reason": None,
        "description": f"machine {number}",
        "tags": ["lab"],
        "trusted_image_certificates": None,
        "OS-EXT-SRV-ATTR:hostname": f"vm-{number}",
        "pinned_availability_zone": None,
        **changed,
    }


# What a server has at 2.1 too; the flavor is but an id there.
_SINCE_2_1 = {
    "locked",
    "locked_reason",
    "description",
    "tags",
    "trusted_image_certificates",
    "OS-EXT-SRV-ATTR:hostname",
    "pinned_availability_zone",
}
FLAVOR = {
    "id": "f1",
    "name": "m1.large",
    "ram": 8192,
    "disk": 80,
    "swap": "",
    "OS-FLV-EXT-DATA:ephemeral": 0,
    "OS-FLV-DISABLED:disabled": False,
    "vcpus": 4,
    "os-flavor-access:is_public": True,
    "rxtx_factor": 1.0,
    "links": [],
}


def diagnostics(**changed):
    """Of a server with a core, an interface and a disk."""
    return {
        "state": "running",
        "driver": "libvirt",
        "hypervisor": "kvm",
        "hypervisor_os": "linux",
        "uptime": 46664,
        "config_drive": False,
        "num_cpus": 1,
        "num_nics": 1,
        "num_disks": 1,
        "cpu_details": [{"id": 0, "time": 17_300_000_000, "utilisation": None}],
        "nic_details": [nic()],
        "disk_details": [disk()],
        "memory_details": {"maximum": 8192, "used": 2048},
        **changed,
    }


def nic(mac="fa:16:3e:00:00:01", **changed):
    names = ("octets", "packets", "drop", "errors", "rate")
    counters = {f"{way}_{name}": 0 for way in ("rx", "tx") for name in names}
    return {"mac_address": mac, **counters, "rx_rate": None, "tx_rate": None, **changed}


def disk(**changed):
    names = ("read_bytes", "read_requests", "write_bytes", "write_requests", "errors_count")
    return {**dict.fromkeys(names, 0), **changed}


def action(name, request_id, start, events=(), **changed):
    """What was done to a server; ``events``: (name, start, finish or None, result)."""
    names = ("event", "start_time", "finish_time", "result")
    shown = [dict(zip(names, each), hostId="h" * 56) for each in events]
    times = [start, *(time for _, *times, _ in events for time in times if time)]
    return {
        "action": name,
        "request_id": request_id,
        "user_id": "u" * 32,
        "project_id": PROJECT,
        "start_time": start,
        "updated_at": max(times),
        "message": "Error" if any(each["result"] == "Error" for each in shown) else None,
        "events": shown,
        **changed,
    }


def port(number, project=PROJECT, **changed):
    return {
        "id": identifier("port", number),
        "name": "",
        "network_id": identifier("network", 0),
        "project_id": project,
        "tenant_id": project,
        "mac_address": f"fa:16:3e:00:{number // 256:02x}:{number % 256:02x}",
        "device_id": identifier("server", number),
        "device_owner": "compute:nova",
        "fixed_ips": [{"subnet_id": identifier("subnet", 0), "ip_address": f"10.0.0.{number}"}],
        "status": "ACTIVE",
        **changed,
    }


def network(number, project=PROJECT, **changed):
    return {
        "id": identifier("network", number),
        "name": f"net-{number}",
        "tenant_id": project,
        "project_id": project,
        "admin_state_up": True,
        "mtu": 1450,
        "status": "ACTIVE",
        "subnets": [identifier("subnet", number)],
        "shared": False,
        "router:external": False,
        "availability_zone_hints": [],
        "availability_zones": [],
        "ipv4_address_scope": None,
        "ipv6_address_scope": None,
        "description": "",
        "port_security_enabled": True,
        "qos_policy_id": None,
        "tags": ["тег"],
        "created_at": "2026-11-20T23:57:17Z",
        "updated_at": "2026-11-20T23:57:17Z",
        "revision_number": 2,
        **changed,
    }


def subnet(number, project=PROJECT, **changed):
    return {
        "id": identifier("subnet", number),
        "name": f"sub-{number}",
        "project_id": project,
        "tenant_id": project,
        "network_id": identifier("network", number),
        "ip_version": 4,
        "cidr": f"10.{number // 250}.{number % 250}.0/24",
        "gateway_ip": f"10.{number // 250}.{number % 250}.1",
        "enable_dhcp": True,
        "ipv6_ra_mode": None,
        "ipv6_address_mode": None,
        "allocation_pools": [],
        "host_routes": [],
        "dns_nameservers": ["192.0.2.53"],
        **changed,
    }


def volume(number, project=PROJECT, **changed):
    return {
        "id": identifier("volume", number),
        "name": f"vol-{number}",
        "status": "available",
        "size": 3,
        "availability_zone": "nova",
        "created_at": "2026-11-20T23:58:11.000000",
        "updated_at": None,
        "description": "",
        "volume_type": "standard",
        "snapshot_id": None,
        "source_volid": None,
        "metadata": {"owner": "lab"},
        "links": [],
        "user_id": "u" * 32,
        "bootable": "false",
        "encrypted": False,
        "replication_status": None,
        "consistencygroup_id": None,
        "multiattach": False,
        "attachments": [],
        "os-vol-tenant-attr:tenant_id": project,
        **changed,
    }


def attachment(volume_number, server_number):
    return {
        "id": identifier("volume", volume_number),
        "attachment_id": identifier("attachment", server_number),
        "volume_id": identifier("volume", volume_number),
        "server_id": identifier("server", server_number),
        "host_name": None,
        "device": "/dev/vdb",
        "attached_at": "2026-11-20T23:58:15.000000",
    }


def image(number, **changed):
    return {
        "id": identifier("image", number),
        "name": f"image-{number}",
        "os_distro": "ubuntu",
        "os_version": "24.04",
        "visibility": "public",
        "status": "active",
        "owner": OTHER,
        "os_hidden": False,
        "tags": [],
        **changed,
    }


def router(number, project=PROJECT, **changed):
    return {
        "id": identifier("router", number),
        "name": f"rtr-ü-{number}",
        "project_id": project,
        "tenant_id": project,
        "admin_state_up": True,
        "status": "ACTIVE",
        "external_gateway_info": None,
        "description": "",
        "availability_zones": [],
        "availability_zone_hints": [],
        "routes": [],
        "flavor_id": None,
        "tags": ["тег"],
        "created_at": "2026-11-20T23:57:21Z",
        "updated_at": "2026-11-20T23:57:25Z",
        "revision_number": 3,
        **changed,
    }


def interface(number, router_number, network_number, project=PROJECT, **changed):
    """A router's port on a network."""
    fixed = {"subnet_id": identifier("subnet", network_number), "ip_address": "10.0.0.1"}
    return port(
        number,
        project,
        id=identifier("interface", number),
        mac_address=f"fa:16:3e:01:00:{number:02x}",
        network_id=identifier("network", network_number),
        device_id=identifier("router", router_number),
        device_owner="network:router_interface",
        **{"fixed_ips": [fixed], **changed},
    )


def agent(number, **changed):
    """An L3 agent, as an admin is shown it; others are shown no agents."""
    return {
        "id": identifier("agent", number),
        "agent_type": "L3 agent",
        "binary": "neutron-l3-agent",
        "host": f"net{number}",
        "admin_state_up": True,
        "alive": True,
        "heartbeat_timestamp": "2026-11-21 08:52:17",
        **changed,
    }


def firewall_group(number, project=PROJECT, **changed):
    return {
        "id": identifier("firewall group", number),
        "name": f"fw-{number}",
        "project_id": project,
        "tenant_id": project,
        "description": "",
        "ingress_firewall_policy_id": identifier("policy", 0),
        "egress_firewall_policy_id": None,
        "admin_state_up": True,
        "status": "ACTIVE",
        "shared": False,
        "ports": [],
        "tags": [],
        "created_at": "2026-11-21T03:32:02Z",
        "updated_at": "2026-11-21T03:32:02Z",
        "revision_number": 0,
        **changed,
    }


def load_balancer(number, project=PROJECT, **changed):
    return {
        "id": identifier("load balancer", number),
        "name": f"lb-{number}",
        "description": "",
        "provisioning_status": "ACTIVE",
        "operating_status": "ONLINE",
        "admin_state_up": True,
        "project_id": project,
        "tenant_id": project,
        "created_at": "2026-11-21T03:38:39",
        "updated_at": "2026-11-21T03:38:42",
        "vip_address": "10.0.0.200",
        "vip_port_id": identifier("vip port", number),
        "vip_subnet_id": identifier("subnet", 0),
        "vip_network_id": identifier("network", 0),
        "vip_qos_policy_id": None,
        "vip_sg_ids": [],
        "vip_vnic_type": "normal",
        "additional_vips": [],
        "listeners": [],
        "pools": [],
        "provider": "amphora",
        "flavor_id": None,
        "availability_zone": None,
        "tags": ["demo"],
        **changed,
    }


def listener(number, balancer_number, **changed):
    return {
        "id": identifier("listener", number),
        "name": f"listener-{number}",
        "protocol": "TCP",
        "protocol_port": 443,
        "admin_state_up": True,
        "operating_status": "ONLINE",
        "provisioning_status": "ACTIVE",
        "project_id": PROJECT,
        "connection_limit": -1,
        "default_pool_id": None,
        "default_tls_container_ref": None,
        "allowed_cidrs": None,
        "loadbalancers": [{"id": identifier("load balancer", balancer_number)}],
        **changed,
    }


def pool(number, balancer_number, members=(), **changed):
    return {
        "id": identifier("pool", number),
        "name": f"pool-{number}",
        "protocol": "TCP",
        "lb_algorithm": "ROUND_ROBIN",
        "admin_state_up": True,
        "operating_status": "ONLINE",
        "provisioning_status": "ACTIVE",
        "project_id": PROJECT,
        "session_persistence": None,
        "loadbalancers": [{"id": identifier("load balancer", balancer_number)}],
        "listeners": [],
        "members": [{"id": each["id"]} for each in members],
        **changed,
    }


def member(number, **changed):
    return {
        "id": identifier("member", number),
        "name": f"member-{number}",
        "address": f"10.0.0.{number}",
        "protocol_port": 8443,
        "subnet_id": identifier("subnet", 0),
        "weight": 1,
        "backup": False,
        "admin_state_up": True,
        "operating_status": "NO_MONITOR",
        "provisioning_status": "ACTIVE",
        "project_id": PROJECT,
        "monitor_address": None,
        "monitor_port": None,
        **changed,
    }


def share(number, project=PROJECT, **changed):
    return {
        "id": identifier("share", number),
        "name": f"share-{number}",
        "size": 2,
        "availability_zone": "nova",
        "created_at": "2026-11-21T03:38:44.888752",
        "status": "available",
        "description": None,
        "project_id": project,
        "snapshot_id": None,
        "share_network_id": None,
        "share_proto": "NFS",
        "export_location": f"192.0.2.5:/shares/{number}",
        "export_locations": [f"192.0.2.5:/shares/{number}"],
        "metadata": {"env": "тест"},
        "share_type": "standard",
        "volume_type": "standard",
        "is_public": False,
        "links": [],
        **changed,
    }


def share_network(number, project=PROJECT, **changed):
    """As at 2.51 and later; before, the one subnet's fields are the share network's own."""
    subnet = {
        "id": identifier("share network subnet", number),
        "availability_zone": None,
        "neutron_net_id": identifier("network", number),
        "neutron_subnet_id": identifier("subnet", number),
        "cidr": "10.0.0.0/24",
    }
    return {
        "id": identifier("share network", number),
        "name": f"for-shares-{number}",
        "project_id": project,
        "created_at": "2026-11-21T03:38:43.090212",
        "updated_at": None,
        "description": None,
        "share_network_subnets": [subnet],
        **changed,
    }


def site_connection(number, project=PROJECT, **changed):
    return {
        "id": identifier("site connection", number),
        "name": f"site-{number}",
        "project_id": project,
        "tenant_id": project,
        "description": "",
        "peer_address": f"203.0.113.{number}",
        "peer_id": f"203.0.113.{number}",
        "peer_cidrs": [],
        "local_id": "",
        "route_mode": "static",
        "mtu": 1500,
        "auth_mode": "psk",
        "psk": "pre-shared-canary",
        "initiator": "bi-directional",
        "dpd": {"action": "hold", "interval": 30, "timeout": 120},
        "admin_state_up": True,
        "status": "ACTIVE",
        "vpnservice_id": identifier("vpnservice", 0),
        "ikepolicy_id": identifier("ikepolicy", 0),
        "ipsecpolicy_id": identifier("ipsecpolicy", 0),
        "local_ep_group_id": identifier("endpoint group", 0),
        "peer_ep_group_id": identifier("endpoint group", 1),
        **changed,
    }


def vpnservice(number, router_number=0, project=PROJECT, **changed):
    return {
        "id": identifier("vpnservice", number),
        "name": f"vpn-{number}",
        "project_id": project,
        "tenant_id": project,
        "description": "",
        "router_id": identifier("router", router_number),
        "subnet_id": None,
        "flavor_id": None,
        "admin_state_up": True,
        "external_v4_ip": "172.24.3.156",
        "external_v6_ip": None,
        "status": "ACTIVE",
        **changed,
    }


def endpoint_group(number, kind, endpoints, project=PROJECT):
    return {
        "id": identifier("endpoint group", number),
        "name": f"ends-{number}",
        "project_id": project,
        "tenant_id": project,
        "description": "",
        "type": kind,
        "endpoints": endpoints,
    }


def bgpvpn(number, project=PROJECT, **changed):
    return {
        "id": identifier("bgpvpn", number),
        "name": f"mpls-{number}",
        "project_id": project,
        "tenant_id": project,
        "type": "l3",
        "networks": [],
        "routers": [],
        "route_targets": [f"64512:{number}"],
        "import_targets": [],
        "export_targets": [],
        "route_distinguishers": [],
        **changed,
    }


def l2_gateway(number, project=PROJECT, **changed):
    interfaces = [{"name": "eth1/7", "segmentation_id": ["77"]}]
    return {
        "id": identifier("l2 gateway", number),
        "name": f"rack-{number}",
        "tenant_id": project,
        "devices": [
            {"id": identifier("device", number), "device_name": "tor-1", "interfaces": interfaces}
        ],
        **changed,
    }


def l2_connection(number, project=PROJECT, **changed):
    return {
        "id": identifier("l2 connection", number),
        "l2_gateway_id": identifier("l2 gateway", 0),
        "network_id": identifier("network", 0),
        "segmentation_id": "",
        "tenant_id": project,
        **changed,
    }


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # a client that hung up, which the faults are there for


class Cloud:
    """A running cloud. Its lists may be changed while it runs; ``counts`` counts the requests of each path."""

    def __init__(self, newest="2.104"):
        self.newest = newest
        self.project = PROJECT
        self.old_urls = False  # catalog URLs that end in the project, as before 2016
        self.links_host = None  # scheme and host that links name, as behind a proxy
        self.delete_marker = {}  # path -> how often the marker's record is deleted before its page is requested
        self.markers_left = {}  # path -> how many markers are still there before that
        self.gone_marker = None  # how all lists answer to such: "refused", "start" or "end"
        self.max_limit = 1000  # the operator's; more is cut without a word
        self.lists = {
            ("compute", "servers"): [],
            ("compute", "flavors"): [FLAVOR],
            ("network", "networks"): [],
            ("network", "subnets"): [],
            ("network", "ports"): [],
            ("network", "routers"): [],
            ("network", "floatingips"): [],
            ("network", "agents"): [],
            ("network", "security_groups"): [
                {"id": "g1", "name": "default", "project_id": PROJECT}
            ],
            ("volume", "volumes"): [],
            ("volume", "volume_types"): [{"id": "t1", "name": "standard", "extra_specs": {}}],
            ("volume", "qos_specs"): [],
            ("volume", "attachments"): [],
            ("image", "images"): [image(0), image(1)],
        }
        for key, _ in EXTENSIONS.values():
            self.lists["network", key] = []
        for key in ("loadbalancers", "listeners", "pools"):
            self.lists["load-balancer", key] = []
        for key in ("shares", "share_networks"):
            self.lists["share", key] = []
        self.members = {}  # pool id -> its members
        self.gnocchi = Gnocchi()
        self.diagnostics = {}  # server id -> what its hypervisor says, or a status
        self.actions = {}  # server id -> its actions
        self.extensions = {"router", "security-group", "quotas"}
        self.also = set()  # services that the catalog has besides: load-balancer, sharev2, metric
        self.shows_vpn_to = {"member", "admin"}
        self.manila_newest, self.manila_limit = "2.99", 1000
        self.before_page = {}  # path -> called before its second page: the world moves on
        self.queries = []  # (path, query) of each call
        self.absent = set()  # services that the catalog lacks
        self.counts = Counter()
        self.tokens = {}  # token -> user
        self.passwords = {name: f"{name}-pw" for name in USERS}
        self.passwords["app"] = "app-secret"
        self.access_rules = None  # of the application credential, as Keystone lists them
        self.restricted = set()  # the tokens that those are for
        self.headers_seen = []
        self._faults = []
        self._lock = threading.Lock()
        self.released = threading.Event()  # lets stalled answers go
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 20  # one packet an answer: two would wait for a delayed ACK

            def do_GET(self):
                cloud._handle(self)

            do_POST = do_GET

            def log_message(self, *args):
                pass

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.auth_url = f"{self.url}/identity/v3"

    def stop(self):
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def fill(self, servers=0, networks=0, volumes=0):
        """So many of each, each server with a port on network 0 and every third volume attached."""
        self.lists["compute", "servers"] = [server(n) for n in range(servers)]
        self.lists["network", "ports"] = [port(n) for n in range(servers)]
        self.lists["network", "networks"] = [network(n) for n in range(networks)]
        self.lists["network", "subnets"] = [subnet(n) for n in range(networks)]
        self.lists["volume", "volumes"] = [volume(n) for n in range(volumes)]
        for n in range(0, min(servers, volumes), 3):
            self.lists["volume", "volumes"][n]["attachments"] = [attachment(n, n)]
            attached = {"id": identifier("volume", n), "delete_on_termination": False}
            key = "os-extended-volumes:volumes_attached"
            self.lists["compute", "servers"][n][key] = [attached]
        return self

    def credentials(self, user="reader", **more):
        return {
            "auth_url": self.auth_url,
            "username": user,
            "password": f"{user}-pw",
            "project_name": "alpha",
            **more,
        }

    def fault(self, path, kind, times=10**6):
        """The next answers to a path (regular expression): a status, or stall, cut, html, drop, ...

        ``(status, headers)`` is a status too; a callable changes the body that would be sent.
        """
        self._faults.append([re.compile(path), kind, times])

    def expire_tokens(self):
        self.tokens.clear()

    # --- answering ------------------------------------------------------------------------------

    def _handle(self, request):
        length = int(request.headers.get("Content-Length") or 0)
        sent = json.loads(request.rfile.read(length)) if length else None
        parts = urlsplit(request.path)
        with self._lock:
            self.counts[parts.path] += 1
            self.headers_seen.append(dict(request.headers))
            self.queries.append((parts.path, parse_qs(parts.query)))
            kind = self._due(parts.path)
        if kind == "stall":
            self.released.wait(30)
        if kind == "drop":
            request.close_connection = True
            return
        if isinstance(kind, int):
            kind = (kind, {})
        if isinstance(kind, tuple):
            self._send(request, kind[0], {"error": {"message": "injected"}}, kind[1])
        elif kind == "html":
            self._send_bytes(request, 200, b"<html>a portal</html>", {"Content-Type": "text/html"})
        else:
            with self._lock:
                query = parse_qs(parts.query, keep_blank_values=True)
                status, body, headers = self._answer(request, parts.path, query, sent)
            if callable(kind):
                body = kind(body)
            self._send(request, status, body, headers, cut=kind == "cut")

    def _due(self, path):
        for fault in self._faults:
            if fault[0].search(path) and fault[2] > 0:
                fault[2] -= 1
                return fault[1]
        return None

    def _send(self, request, status, body, headers, cut=False):
        text = json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **headers}
        self._send_bytes(request, status, text, headers, cut)

    def _send_bytes(self, request, status, text, headers, cut=False):
        try:
            request.send_response(status)
            for name, value in headers.items():
                request.send_header(name, value)
            request.send_header("Content-Length", str(len(text)))
            request.end_headers()
            request.wfile.write(text[: len(text) // 2] if cut else text)
        except OSError:
            pass  # the client gave up
        if cut:
            request.close_connection = True

    def _answer(self, request, path, query, sent):
        service, _, rest = path[1:].partition("/")
        if service == "identity":
            return self._keystone(rest, sent)
        if service == "compute" and rest.rstrip("/") in ("v2.1", ""):
            return 200, self._nova_version(), {}
        user = self.tokens.get(request.headers.get("X-Auth-Token"))
        if user is None:
            return (
                401,
                {"error": {"code": 401, "message": "requires authentication"}},
                {},
            )
        if request.headers["X-Auth-Token"] in self.restricted and not any(
            rule["method"] == request.command and fnmatch.fnmatchcase(path, f"/*{rule['path']}")
            for rule in self.access_rules
        ):
            return 401, {"error": {"code": 401, "message": "requires authentication"}}, {}
        rest = re.sub(rf"^v[0-9.]+/(?:{self.project}/)?", "", rest)
        version = request.headers.get("X-OpenStack-Nova-API-Version", "2.1")
        if service == "compute" and _number(version) > _number(self.newest):
            return 406, {"computeFault": {"code": 406, "message": "not supported"}}, {}
        if service == "metric":
            rest = path[1:].partition("/")[2]
            return (*self.gnocchi.answer(rest, query, sent, self.project, user == "admin"), {})
        if service == "load-balancer":
            return (*self._octavia(rest, query, user), {})
        if service == "share":
            version = request.headers.get("X-OpenStack-Manila-API-Version", "2.0")
            return (*self._manila(rest, query, user, _number(version)), {})
        status, body = self._resource(service, rest, query, user, _number(version))
        return status, body, {}

    def _keystone(self, rest, sent):
        if rest != "v3/auth/tokens" or sent is None:
            return 404, {"error": {"code": 404, "message": "Not Found"}}, {}
        identity = sent["auth"]["identity"]
        method = identity["methods"][0]
        if method == "password":
            user = identity["password"]["user"]["name"]
            good = self.passwords.get(user) == identity["password"]["user"]["password"]
        elif method == "application_credential":
            user = "reader"
            good = identity[method]["secret"] == self.passwords["app"]
        else:
            user = self.tokens.get(identity["token"]["id"])
            good = user is not None
        if not good and method != "password":  # a deleted application credential, or no token
            message = "Could not recognize Fernet token"
            return 404, {"error": {"code": 404, "message": message, "title": "Not Found"}}, {}
        if not good:
            return (
                401,
                {"error": {"code": 401, "message": "requires authentication"}},
                {},
            )
        token = f"gAAAA{'fake' * 6}{len(self.tokens)}-{sum(self.counts.values())}"
        self.tokens[token] = user
        restricted = method == "application_credential" and self.access_rules is not None
        if restricted:
            self.restricted.add(token)
        body = {
            "methods": [method],
            "user": {
                "id": "u" * 32,
                "name": user,
                "domain": {"id": "default", "name": "Default"},
            },
            "expires_at": "2099-01-01T00:00:00.000000Z",
            "issued_at": "2026-11-21T00:00:00.000000Z",
        }
        if user != "nobody":
            body["project"] = {
                "id": self.project,
                "name": "alpha",
                "domain": {"id": "default"},
            }
            roles = {"useless": ["auditor"], "member": ["member", "reader"]}.get(user, [user])
            body["roles"] = [{"id": name, "name": name} for name in roles]
            body["catalog"] = self._catalog()
        if restricted:
            body["application_credential"] = {"id": "x", "access_rules": self.access_rules}
        return 201, {"token": body}, {"X-Subject-Token": token}

    def _catalog(self):
        urls = {
            "compute": f"/compute/v2.1{'/' + self.project if self.old_urls else ''}",
            "network": "/network",
            "volumev3": f"/volume/v3/{self.project}",
            "image": "/image",
            "identity": "/identity/v3",
            "load-balancer": "/load-balancer",
            "sharev2": "/share/v2",
            "metric": "/metric",
        }
        wanted = (set(urls) - {"load-balancer", "sharev2", "metric"} | self.also) - self.absent
        return [
            {
                "type": kind,
                "name": kind,
                "id": kind,
                "endpoints": [
                    {
                        "id": kind,
                        "interface": "public",
                        "region": "RegionOne",
                        "region_id": "RegionOne",
                        "url": self.url + path,
                    }
                ],
            }
            for kind, path in urls.items()
            if kind in wanted
        ]

    def _nova_version(self):
        link = {"rel": "self", "href": f"{self.url}/compute/v2.1/"}
        version = {
            "id": "v2.1",
            "status": "CURRENT",
            "version": self.newest,
            "min_version": "2.1",
        }
        return {"version": {**version, "updated": "2013-07-23T11:33:21Z", "links": [link]}}

    def _octavia(self, rest, query, user):
        known = user in ("reader", "member", "admin")
        if not known:
            return 403, {
                "faultcode": "Client",
                "faultstring": "Policy does not allow this request.",
            }
        key = rest.rpartition("/")[2]
        if key == "members":
            pool_id = rest.split("/")[2]
            if pool_id not in self.members:
                return 404, {"code": 404, "title": "Bad Request", "description": "Pool not found."}
            self.lists["load-balancer", key] = self.members[pool_id]
        records = self.lists["load-balancer", key]
        wanted = query.get("project_id", [] if user == "admin" else [self.project])
        records = [each for each in records if not wanted or each["project_id"] in wanted]
        if "id" in query:
            records = [each for each in records if each["id"] in query["id"]]
        return self._page("load-balancer", rest, key, query, records)

    def _manila(self, rest, query, user, microversion):
        if user not in ("reader", "member", "admin"):
            return 403, {"forbidden": {"code": 403, "message": "Access was denied."}}
        if microversion > _number(self.manila_newest):
            return 406, {"computeFault": {"code": 406, "message": "not supported by the API."}}
        key = rest.split("/")[0].replace("-", "_")
        offset = int(query.get("offset", ["0"])[0])
        if offset and rest in self.before_page:
            self.before_page.pop(rest)(self.lists["share", key])
        everybody = user == "admin" and query.get("all_tenants") == ["1"]
        records = [
            each
            for each in self.lists["share", key]
            if everybody or each["project_id"] == self.project
        ]
        if key == "shares":  # the newest first, as Manila does by default
            by = query.get("sort_key", ["created_at"])[0]
            reverse = query.get("sort_dir", ["desc"]) == ["desc"]
            records = sorted(records, key=lambda each: (each[by], each["id"]), reverse=reverse)
        else:
            if microversion < (2, 51):
                records = [_of_one_subnet(each) for each in records]
            for name, values in query.items():  # what it does not know filters
                if name not in ("limit", "offset", "all_tenants"):
                    records = [each for each in records if each.get(name) in values]
        limit = min(int(query.get("limit", ["1000"])[0]), self.manila_limit)
        page = records[offset : offset + limit]
        body = {key: page}
        if key == "shares" and page and len(page) == int(query.get("limit", ["0"])[0]):
            href = f"{self.url}/share/v2/shares?marker={page[-1]['id']}"  # which it ignores
            body["shares_links"] = [{"rel": "next", "href": href}]
        return 200, body

    def _extension(self, rest, query, user):
        key, alias = EXTENSIONS[rest]
        if alias not in self.extensions:
            return 404, {"NeutronError": {"type": "HTTPNotFound", "message": "not found"}}
        admin = user == "admin"
        if rest.startswith("l2-") and not admin:
            message = (
                "User does not have admin privileges: Cannot GET resource for non admin tenant."
            )
            return 403, {"NeutronError": {"type": "AdminRequired", "message": message}}
        sees_vpn = user in self.shows_vpn_to
        known = user in ("reader", "member", "admin")
        records = []
        for each in self.lists["network", key]:
            mine = each["tenant_id"] == self.project
            if rest.startswith("vpn/"):
                shown = sees_vpn and (mine or admin)
            elif rest.startswith("bgpvpn/"):  # to whatever role
                shown = mine or admin
            else:
                shown = known and (mine or admin or each.get("shared"))
            if shown:
                records.append(each)
        if rest.startswith("bgpvpn/") and not admin:
            hidden = {*SHOWN_TO_ADMINS, "project_id", "tenant_id"}
            records = [{k: v for k, v in each.items() if k not in hidden} for each in records]
        elif "tenant_id" in query:
            records = [each for each in records if each["tenant_id"] in query["tenant_id"]]
        if "id" in query:
            records = [each for each in records if each["id"] in query["id"]]
        return self._page("network", rest, key, query, records)

    def _resource(self, service, rest, query, user, microversion):
        known, admin = user in ("reader", "member", "admin"), user == "admin"
        denied = (
            403,
            {"forbidden": {"code": 403, "message": f"Policy doesn't allow {rest}"}},
        )
        if service != "network" and not known:
            return denied
        if rest in ("quotas", "qos-specs", "os-services") and not admin:
            return denied
        everybody = admin and query.get("all_tenants") == ["1"]
        if service == "compute" and "all_tenants" in query and not admin:
            return denied
        if rest == "quotas":
            return 200, {"quotas": []}
        if service == "network" and rest == "extensions":
            return 200, {"extensions": [{"alias": each} for each in sorted(self.extensions)]}
        if service == "network" and rest in EXTENSIONS:
            return self._extension(rest, query, user)
        key = rest.split("/")[0].replace("-", "_").replace("types", "volume_types")
        records = self.lists.get((service, key))
        if key == "routers" and "router" not in self.extensions:
            records = None
        if records is None:
            return 404, {"itemNotFound": {"code": 404, "message": "The resource is not found."}}
        one = rest.split("/")[1:]
        if service == "compute" and one[1:]:
            return self._of_server(one, query, admin, microversion)
        if one and one[0] != "detail":
            found = [each for each in records if each["id"] == one[0]]
            found = found or [
                each for each in getattr(self, "unlisted", []) if each["id"] == one[0]
            ]
            if not found:
                return 404, {"itemNotFound": {"code": 404, "message": "not found"}}
            return 200, found[0] if service == "image" else {key[:-1]: found[0]}
        records = [each for each in records if self._shown(service, each, known, admin, everybody)]
        if service == "compute" and key == "servers":
            since = query.get("changes-since", [None])[0]
            if since is None:
                records = [each for each in records if each["status"] != "DELETED"]
            else:
                records = [each for each in records if each["updated"] >= since]
        for name in ("tenant_id", "device_owner", "name", "id", "agent_type", "mac_address"):
            if name in query:
                mine = {"tenant_id": "project_id"}.get(name, name)
                records = [each for each in records if each.get(mine) in query[name]]
        if service == "compute" and key == "servers" and microversion < (2, 47):
            records = [_at_2_1(each) for each in records]
        if not admin:
            records = [
                {name: value for name, value in each.items() if name not in ADMINS_ONLY}
                for each in records
            ]
        return self._page(service, rest, key, query, records)

    def _of_server(self, path, query, admin, microversion):
        server_id, what, *which = path
        gone = {"code": 404, "message": f"Instance {server_id} could not be found."}
        found = [each for each in self.lists["compute", "servers"] if each["id"] == server_id]
        if not found or not (admin or found[0]["tenant_id"] == self.project):
            return 404, {"itemNotFound": gone}
        if what == "os-instance-actions":
            return self._actions(server_id, which, query, admin, microversion)
        if not admin:
            rule = "os_compute_api:os-server-diagnostics"
            message = f"Policy doesn't allow {rule} to be performed."
            return 403, {"forbidden": {"code": 403, "message": message}}
        if found[0]["OS-EXT-STS:power_state"] != 1:
            message = f"Cannot 'get_diagnostics' instance {server_id} while it is in power state x"
            return 409, {"conflictingRequest": {"code": 409, "message": message}}
        read = self.diagnostics.get(server_id, {})
        if isinstance(read, int):
            return read, {"fault": {"code": read, "message": "not this time"}}
        return 200, read if microversion >= (2, 48) else {"cpu0_time": 1, "memory": 524288}

    def _actions(self, server_id, which, query, admin, microversion):
        actions = self.actions.get(server_id, [])
        if which:
            found = [each for each in actions if each["request_id"] == which[0]]
            if not found:
                return 404, {"itemNotFound": {"code": 404, "message": "Action not found"}}
            return 200, {"instanceAction": {"instance_uuid": server_id, **found[-1]}}
        since = query.get("changes-since", [""])[0].rstrip("Z")
        listed = [each for each in actions if each["updated_at"] >= since]
        listed = sorted(listed, key=lambda each: each["start_time"], reverse=True)
        listed = [{k: v for k, v in each.items() if k != "events"} for each in listed]
        limit, requests = int(query["limit"][0]), [each["request_id"] for each in listed]
        start = requests.index(query["marker"][0]) + 1 if "marker" in query else 0
        page = listed[start : start + limit]
        body = {"instanceActions": [{"instance_uuid": server_id, **each} for each in page]}
        if len(page) == limit:
            href = f"{self.url}/?marker={page[-1]['request_id']}"
            body["links"] = [{"rel": "next", "href": href}]
        return 200, body

    def _shown(self, service, record, known, admin, everybody):
        if service == "network":
            if "agent_type" in record:
                return admin
            if record.get("shared") or record.get("router:external"):
                return True
            return known and (admin or record["project_id"] == self.project)
        owner = record.get("tenant_id") or record.get("os-vol-tenant-attr:tenant_id")
        return owner in (None, self.project) or everybody

    def _page(self, service, rest, key, query, records):
        limit = min(int(query.get("limit", ["1000"])[0]), self.max_limit)
        start = 0
        if "marker" in query:
            if self.markers_left.get(rest, 0) > 0:
                self.markers_left[rest] -= 1
            elif self.delete_marker.get(rest, 0) > 0:
                self.delete_marker[rest] -= 1
                gone = query["marker"][0]
                for each in (self.lists[service, key], records):
                    each[:] = [record for record in each if record["id"] != gone]
            ids = [each["id"] for each in records]
            if query["marker"][0] in ids:
                start = ids.index(query["marker"][0]) + 1
            else:
                answers = "end" if rest in EXTENSIONS else "refused"
                answers = "start" if rest in STARTS_ANEW else answers
                answers = self.gone_marker or answers
                if answers == "end":
                    return 200, {key: []}
                if answers == "refused":
                    status = MARKER_GONE[service]
                    return status, {"badRequest": {"code": status, "message": "marker not found"}}
        page = records[start : start + limit]
        body = {key: [_fields(each, query.get("fields")) for each in page]}
        if (
            page and len(page) == limit and rest not in WITHOUT_LINKS
        ):  # all five link to a next page whenever this one is full
            href = f"/{service}/{rest}?" + urlencode(
                [*((n, v) for n, vs in query.items() if n != "marker" for v in vs)]
                + [("marker", page[-1]["id"])]
            )
            if service == "image":
                body["next"] = href
            else:
                link = (self.links_host or self.url) + href
                body[LINKS.get(key, f"{key}_links")] = [
                    {"rel": "previous", "href": f"{self.url}/?page_reverse=True"},
                    {"rel": "next", "href": link},
                ]
        return 200, body


def _fields(record, fields):
    return {name: record[name] for name in fields if name in record} if fields else record


def _of_one_subnet(record):
    """A share network before 2.51: what its default subnet says is its own."""
    kept = {name: value for name, value in record.items() if name != "share_network_subnets"}
    default = [s for s in record["share_network_subnets"] if s["availability_zone"] is None]
    names = ("neutron_net_id", "neutron_subnet_id", "cidr")
    return {**kept, **{name: (default or [{}])[0].get(name) for name in names}}


def _at_2_1(record):
    old = {name: value for name, value in record.items() if name not in _SINCE_2_1}
    return {**old, "flavor": {"id": FLAVOR["id"], "links": []}}


def _number(text):
    return tuple(int(each) for each in text.split("."))
