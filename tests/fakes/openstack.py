"""A simulator of Keystone, Nova, Neutron, Cinder and Glance on loopback, as far as the cells ask.

It is no OpenStack. Its record shapes, paging links, statuses for an unknown marker, and what each
role is shown were copied from real services (Nova 34, Neutron 29, Cinder 29, Glance 33, Keystone 30), and
tests/lab/test_openstack_lab.py compares it with them. Users: ``reader``, ``admin``, ``useless`` (a
role that no policy knows) and ``nobody`` (no role); each password is the name + "-pw".
"""

import json
import re
import threading
import uuid
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

PROJECT, OTHER = "a" * 32, "b" * 32
MARKER_GONE = {"compute": 400, "image": 400, "volume": 404, "network": 404}
LINKS = {"volume_types": "volume_type_links"}


def identifier(kind, number):
    """A stable UUID, so that two clouds made alike are alike."""
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


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # a client that hung up, which the faults are there for


class Cloud:
    """A running cloud. Its lists may be changed while it runs; ``counts`` counts each path asked."""

    def __init__(self, newest="2.104"):
        self.newest = newest
        self.project = PROJECT
        self.old_urls = False  # catalog URLs that end in the project, as before 2016
        self.links_host = None  # scheme and host that links name, as behind a proxy
        self.delete_marker = {}  # path -> how often the marker's record goes before it is asked for
        self.lists = {
            ("compute", "servers"): [],
            ("compute", "flavors"): [FLAVOR],
            ("network", "networks"): [],
            ("network", "subnets"): [],
            ("network", "ports"): [],
            ("network", "routers"): [],
            ("network", "floatingips"): [],
            ("network", "security_groups"): [
                {"id": "g1", "name": "default", "project_id": PROJECT}
            ],
            ("volume", "volumes"): [],
            ("volume", "volume_types"): [{"id": "t1", "name": "standard", "extra_specs": {}}],
            ("volume", "qos_specs"): [],
            ("image", "images"): [image(0), image(1)],
        }
        self.absent = set()  # services that the catalog lacks
        self.counts = Counter()
        self.tokens = {}  # token -> user
        self.passwords = {name: f"{name}-pw" for name in ("reader", "admin", "useless", "nobody")}
        self.passwords["app"] = "app-secret"
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
        rest = re.sub(rf"^v[0-9.]+/(?:{self.project}/)?", "", rest)
        asked = request.headers.get("X-OpenStack-Nova-API-Version", "2.1")
        if service == "compute" and _number(asked) > _number(self.newest):
            return 406, {"computeFault": {"code": 406, "message": "not supported"}}, {}
        status, body = self._resource(service, rest, query, user, _number(asked))
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
        if not good:
            return (
                401,
                {"error": {"code": 401, "message": "requires authentication"}},
                {},
            )
        token = f"gAAAA{'fake' * 6}{len(self.tokens)}-{sum(self.counts.values())}"
        self.tokens[token] = user
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
            body["roles"] = [{"id": "r", "name": "auditor" if user == "useless" else user}]
            body["catalog"] = self._catalog()
        return 201, {"token": body}, {"X-Subject-Token": token}

    def _catalog(self):
        urls = {
            "compute": f"/compute/v2.1{'/' + self.project if self.old_urls else ''}",
            "network": "/network",
            "volumev3": f"/volume/v3/{self.project}",
            "image": "/image",
            "identity": "/identity/v3",
        }
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
            if kind not in self.absent
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

    def _resource(self, service, rest, query, user, microversion):
        known, admin = user in ("reader", "admin"), user == "admin"
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
        key = rest.split("/")[0].replace("-", "_").replace("types", "volume_types")
        records = self.lists.get((service, key))
        if records is None:
            return 404, {"itemNotFound": {"code": 404, "message": "The resource is not found."}}
        one = rest.split("/")[1:]
        if one and one[0] != "detail":
            found = [each for each in records if each["id"] == one[0]]
            found = found or [
                each for each in getattr(self, "unlisted", []) if each["id"] == one[0]
            ]
            if not found:
                return 404, {"itemNotFound": {"code": 404, "message": "not found"}}
            return 200, found[0] if service == "image" else {key[:-1]: found[0]}
        records = [each for each in records if self._shown(service, each, known, admin, everybody)]
        for name in ("tenant_id", "device_owner", "name"):
            if name in query:
                mine = {"tenant_id": "project_id"}.get(name, name)
                records = [each for each in records if each.get(mine) in query[name]]
        if service == "compute" and key == "servers" and microversion < (2, 47):
            records = [_at_2_1(each) for each in records]
        return self._page(service, rest, key, query, records)

    def _shown(self, service, record, known, admin, everybody):
        if service == "network":
            if record.get("shared") or record.get("router:external"):
                return True
            return known and (admin or record["project_id"] == self.project)
        owner = record.get("tenant_id") or record.get("os-vol-tenant-attr:tenant_id")
        return owner in (None, self.project) or everybody

    def _page(self, service, rest, key, query, records):
        limit = min(int(query.get("limit", ["1000"])[0]), 1000)
        start = 0
        if "marker" in query:
            if self.delete_marker.get(rest, 0) > 0:
                self.delete_marker[rest] -= 1
                gone = [each for each in records if each["id"] == query["marker"][0]]
                self.lists[service, key] = [e for e in self.lists[service, key] if e not in gone]
                records = [each for each in records if each not in gone]
            ids = [each["id"] for each in records]
            if query["marker"][0] not in ids:
                status = MARKER_GONE[service]
                return status, {"badRequest": {"code": status, "message": "marker not found"}}
            start = ids.index(query["marker"][0]) + 1
        page = records[start : start + limit]
        body = {key: [_fields(each, query.get("fields")) for each in page]}
        if page and len(page) == limit:  # all five link to a next page whenever this one is full
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


def _at_2_1(record):
    old = {name: value for name, value in record.items() if name not in _SINCE_2_1}
    return {**old, "flavor": {"id": FLAVOR["id"], "links": []}}


def _number(text):
    return tuple(int(each) for each in text.split("."))
