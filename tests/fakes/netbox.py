"""A simulator of NetBox's REST API on loopback, as far as the cells ask. It is no NetBox.

Its records are copies of recorded ones (tests/recorded/netbox.json: NetBox 4.6.8, 4.1.11 and 3.7.8), given
other ids and names; what it answers to refused requests, and how it cuts, orders and filters pages, is
compared with the recorded answers in tests/test_netbox_fake.py. It does what NetBox does with unknown
parameters (nothing), with too large pages (cuts them) and with a missing list (a page of HTML).

It can't show: constraints of rights, the server's own cost, filters that no cell asks for, other releases.
"""

import copy
import json
import re
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Optional
from urllib.parse import parse_qs, urlencode, urlsplit

SAMPLES = json.loads(
    (Path(__file__).resolve().parent.parent / "recorded" / "netbox.json").read_text("utf-8")
)
RELEASES = list(SAMPLES)
NEWEST = "4.6.8"
V1 = "0123456789abcdef0123456789abcdef01234567"
V2 = "nbt_InventedKey1.inventedSecretOfTheSimulator000000000000"
RIGHTS = {
    "circuits/circuit-terminations": "circuits.view_circuittermination",
    "circuits/circuits": "circuits.view_circuit",
    "circuits/provider-networks": "circuits.view_providernetwork",
    "circuits/virtual-circuit-terminations": "circuits.view_virtualcircuittermination",
    "circuits/virtual-circuits": "circuits.view_virtualcircuit",
    "dcim/devices": "dcim.view_device",
    "dcim/locations": "dcim.view_location",
    "dcim/sites": "dcim.view_site",
    "ipam/prefixes": "ipam.view_prefix",
    "ipam/vlans": "ipam.view_vlan",
    "virtualization/virtual-disks": "virtualization.view_virtualdisk",
    "virtualization/virtual-machines": "virtualization.view_virtualmachine",
    "vpn/l2vpn-terminations": "vpn.view_l2vpntermination",
    "vpn/l2vpns": "vpn.view_l2vpn",
    "vpn/tunnel-terminations": "vpn.view_tunneltermination",
    "vpn/tunnels": "vpn.view_tunnel",
}
NOT_PROVIDED = "Authentication credentials were not provided."
NO_RIGHT = "You do not have permission to perform this action."
LONGEST_REQUEST_LINE = 4094  # of gunicorn


def number(release):
    return tuple(int(each) for each in release.split(".")[:2])


def sample(listing, release=NEWEST, **wanted):
    """A copy of a recorded object: the first that has what is wanted ("role.slug": "server")."""
    for each in SAMPLES[release]["lists"][listing]["objects"]:
        if all(_at(each, path) == value for path, value in wanted.items()):
            return copy.deepcopy(each)
    raise LookupError(f"no recorded {listing} of {release} with {wanted}")


def _at(value, path):
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


class NetBox:
    """``lists`` holds the objects by listing, in the order that NetBox lists them in by default."""

    def __init__(self, release=NEWEST, cap=1000, base=""):
        self.release, self.cap, self.base = release, cap, base
        self.lists: dict[str, list[dict[str, Any]]] = {
            listing: [] for listing in SAMPLES[release]["lists"]
        }
        self.tokens: dict[str, Optional[set[str]]] = {V1: None}  # token -> its rights, None for all
        if number(release) >= (4, 5):
            self.tokens[V2] = None
        self.said_of = {}  # token -> why it is refused
        self.links_host = "https://netbox.example.com"
        self.html_404 = set()  # listings that something in front of NetBox hides
        self.after = {}  # listing -> called with the number of answers so far, after each
        self.counts: Counter[str] = Counter()
        self.requests = []  # (path, query, headers)
        self._faults = []
        self._lock = threading.Lock()
        self.released = threading.Event()
        handler = type("Handler", (_Handler,), {"netbox": self})
        self._server = _Quiet(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}{base}"

    def stop(self):
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    # --- an inventory -----------------------------------------------------------------------------

    def add(self, listing, object_id, template=None, **changed):
        """A copy of a recorded object under another id; appended to the listing."""
        made = template or sample(listing, self.release)
        url = f"{self.links_host}/api/{listing}/{object_id}/"
        made = {**made, "id": object_id, "url": url, **changed}
        self.lists[listing].append(made)
        return made

    def thin(self, listing, record):
        """The object as it is nested in another one."""
        names = ("id", "url", "name", "cid", "slug", "display")
        return {name: record[name] for name in names if name in record}

    def site(self, object_id, name, **changed):
        named = {"name": name, "display": name, "slug": f"site-{object_id}"}
        return self.add("dcim/sites", object_id, **named, **changed)

    def network(self, object_id, name, **changed):
        return self.add("circuits/provider-networks", object_id, name=name, display=name, **changed)

    def circuit(self, object_id, **changed):
        cid = f"C-{object_id:05d}"
        ends = {"termination_a": None, "termination_z": None}
        return self.add("circuits/circuits", object_id, cid=cid, display=cid, **ends, **changed)

    def end(self, object_id, circuit, side, at, kind="dcim.site", **changed):
        """One end of a circuit, at a site or a provider network (or else, from 4.2)."""
        uncabled: dict[str, Any] = {
            "link_peers": [],
            "link_peers_type": None,
            "cable": None,
            "cable_end": None,
        }
        listings = {
            "dcim.site": "dcim/sites",
            "circuits.providernetwork": "circuits/provider-networks",
        }
        target = self.thin(listings.get(kind), at)
        if number(self.release) >= (4, 2):
            there = {"termination_type": kind, "termination_id": at["id"], "termination": target}
        else:
            at_site = kind == "dcim.site"
            there = {
                "site": target if at_site else None,
                "provider_network": None if at_site else target,
            }
        fields = {**uncabled, **there, **changed}
        return self.add(
            "circuits/circuit-terminations",
            object_id,
            circuit=self.thin("circuits/circuits", circuit),
            term_side=side,
            **fields,
        )

    def device(self, object_id, role="router", **changed):
        role = {"id": 1, "url": "", "display": role, "name": role, "slug": role}
        roles = {"role": role}
        if self.release.startswith("3."):
            roles["device_role"] = role
        name = f"device-{object_id}"
        named = {"name": name, "display": name, "site": None}
        return self.add("dcim/devices", object_id, **{**named, **roles, **changed})

    def cabled(self, device, port="xe-0/0/0"):
        """The fields of an end that a cable joins to a port of this device."""
        peer = {"id": 1, "url": "", "display": port, "name": port}
        peer["device"] = self.thin("dcim/devices", device)
        return {"link_peers": [peer], "link_peers_type": "dcim.interface"}

    def tunnel(self, object_id, *at, **changed):
        """A tunnel, and an end of it at each interface: (device or virtual machine, role)."""
        name = f"tunnel-{object_id}"
        link = self.add("vpn/tunnels", object_id, name=name, display=name, **changed)
        for place, (box, role) in enumerate(at):
            self.add(
                "vpn/tunnel-terminations",
                10 * object_id + place,
                tunnel=self.thin("vpn/tunnels", link),
                role={"value": role, "label": role.title()},
                **self._interface(box, "termination"),
            )
        return link

    def l2vpn(self, object_id, *at, **changed):
        """An L2VPN, and an end of it at an interface of each device or machine, or at each VLAN."""
        name = f"l2vpn-{object_id}"
        link = self.add("vpn/l2vpns", object_id, name=name, display=name, slug=name, **changed)
        for place, target in enumerate(at):
            there = self._interface(target, "assigned_object")
            if "vid" in target:
                thin = {**self.thin("ipam/vlans", target), "vid": target["vid"]}
                there = {"assigned_object_type": "ipam.vlan", "assigned_object": thin}
            self.add(
                "vpn/l2vpn-terminations",
                10 * object_id + place,
                l2vpn=self.thin("vpn/l2vpns", link),
                **there,
            )
        return link

    def _interface(self, box, field):
        """The fields of an end at an interface: a machine has no device type, so it is one."""
        of_device = "device_type" in box
        inside = "device" if of_device else "virtual_machine"
        kind = "dcim.interface" if of_device else "virtualization.vminterface"
        thin = self.thin("dcim/devices", box)
        port = {"id": 9, "url": "", "display": "eth0", "name": "eth0", inside: thin}
        return {f"{field}_type": kind, field: port}

    def fill(self, circuits=0, devices=0, machines=0, networks=0, virtual=0, links=0):
        """Sites, provider networks and so many of the rest; ids begin at 1 in each listing."""
        sites = [self.site(n, f"Site {n}") for n in (1, 2, 3)]
        clouds = [self.network(n, f"Cloud {n}") for n in (1, 2)]
        self.add("dcim/locations", 1, site=self.thin("dcim/sites", sites[0]))
        roles = ("router", "server", "switch")
        boxes = [
            self.device(n, roles[n % 3], site=self.thin("dcim/sites", sites[n % 3]))
            for n in range(1, devices + 1)
        ]
        # not by id: NetBox lists circuits by provider, account and cid
        for n in sorted(range(1, circuits + 1), key=lambda n: n * 7919 % 10007):
            self.circuit(n)
        for circuit in self.lists["circuits/circuits"]:
            n = circuit["id"]
            wired = self.cabled(boxes[n % len(boxes)]) if boxes and n % 3 == 0 else {}
            self.end(2 * n, circuit, "A", sites[n % 3], **wired)
            if n % 4:
                self.end(2 * n + 1, circuit, "Z", clouds[n % 2], "circuits.providernetwork")
        for n in range(1, machines + 1):
            place = self.thin("dcim/sites", sites[n % 3])
            machine = self.add(
                "virtualization/virtual-machines", n, name=f"vm-{n}", site=place, device=None
            )
            thin = self.thin("virtualization/virtual-machines", machine)
            self.add("virtualization/virtual-disks", n, virtual_machine=thin)
        for n in range(1, networks + 1):
            vlan = self.add("ipam/vlans", n, name=f"vlan-{n}")
            self.add("ipam/prefixes", n, vlan=self.thin("ipam/vlans", vlan))
        for n in range(1, virtual + 1):
            cloud = self.thin("circuits/provider-networks", clouds[n % 2])
            record = self.add("circuits/virtual-circuits", n, cid=f"VC-{n}", provider_network=cloud)
            thin = self.thin("circuits/virtual-circuits", record)
            if boxes:
                port = {"id": n, "name": f"irb.{n}", "display": f"irb.{n}"}
                port["device"] = self.thin("dcim/devices", boxes[n % len(boxes)])
                self.add(
                    "circuits/virtual-circuit-terminations",
                    n,
                    virtual_circuit=thin,
                    interface=port,
                )
        for n in range(1, links + 1):
            ends = [(boxes[(n + place) % len(boxes)], "peer") for place in (0, 1)] if boxes else []
            self.tunnel(n, *ends)
            self.l2vpn(n, *(box for box, _ in ends))
        return self

    def credentials(self, token=V1, **more):
        return {"url": self.url, "token": token, **more}

    def fault(self, path, kind, times=10**6):
        """The next answers to a path (regular expression): a status, or stall, cut, html, drop.

        ``(status, headers)`` and ``(status, headers, body)`` are statuses too (the body as text); a
        callable changes the body that would be sent.
        """
        self._faults.append([re.compile(path), kind, times])

    # --- answering --------------------------------------------------------------------------------

    def _handle(self, request):
        parts = urlsplit(request.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        with self._lock:
            self.counts[parts.path] += 1
            self.requests.append((parts.path, query, dict(request.headers)))
            kind = self._due(parts.path)
        if kind == "stall":
            self.released.wait(30)
        if kind == "drop":
            request.close_connection = True
            return
        kind = (kind, {}) if isinstance(kind, int) else kind
        kind = (200, {}) if kind == "html" else kind
        if isinstance(kind, tuple):
            status, headers, body = (*kind, "<html>a proxy</html>")[:3]
            headers = {
                "Content-Type": "text/html" if body[:1] == "<" else "application/json"
            } | headers
            self._send(request, status, body.encode(), headers)
            return
        with self._lock:
            status, body = self._answer(request, parts.path, query)
            self._changed(parts.path)
        if callable(kind):
            body = kind(body)
        headers = {"Content-Type": "application/json"}
        text = json.dumps(body).encode()
        if status == 301:
            headers = {"Content-Type": "text/html; charset=utf-8"}
            headers["Location"] = body
            text = b""
        elif body is None or (status == 400 and not isinstance(body, dict)):
            headers = {"Content-Type": "text/html; charset=utf-8"}
            text = b"<!DOCTYPE html><title>Page Not Found</title>"
        version = SAMPLES[self.release]["api_version"]
        if version:
            headers["API-Version"] = version
        self._send(request, status, text, headers, cut=kind == "cut")

    def _due(self, path):
        for fault in self._faults:
            if fault[0].search(path) and fault[2] > 0:
                fault[2] -= 1
                return fault[1]
        return None

    def _changed(self, path):
        for listing, change in self.after.items():
            if path == f"{self.base}/api/{listing}/":
                change(self.counts[path])

    def _send(self, request, status, text, headers, cut=False):
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

    def _answer(self, request, path, query):
        if len(request.requestline) > LONGEST_REQUEST_LINE:
            return 400, "gunicorn"
        start = f"{self.base}/api/"
        if not path.startswith(start):
            return 404, None
        if not path.endswith("/"):
            return 301, f"{path}/?{urlsplit(request.path).query}"
        listing = path[len(start) : -1]
        refused, rights = self._token(request.headers.get("Authorization"))
        open_to_all = listing == "status" and self.release.startswith("3.")
        if refused and not (open_to_all and refused == NOT_PROVIDED):
            return 403, {"detail": refused}
        if listing == "status":
            return 200, {"netbox-version": self.release, "hostname": "netbox", "plugins": {}}
        if listing not in self.lists or listing in self.html_404:
            return 404, None
        if rights is not None and RIGHTS[listing] not in rights:
            return 403, {"detail": NO_RIGHT}
        return self._page(listing, query)

    def _token(self, header):
        """Why the header is refused, and else the rights of its token."""
        word, _, token = (header or "").partition(" ")
        new = number(self.release) >= (4, 5)
        if not token or word not in (("Token", "Bearer") if new else ("Token",)):
            return NOT_PROVIDED, None
        if " " in token:
            form = '"Bearer <key>.<token>" or "Token <token>"'
            return f"Invalid authorization header: Must be in the form {form}", None
        if token in self.said_of:
            return self.said_of[token], None
        if token in self.tokens:
            return None, self.tokens[token]
        if not new:
            return "Invalid token", None
        if not token.startswith("nbt_"):
            return "Invalid v1 token", None
        if "." not in token:
            hint = "Did you mean to use 'Token' instead of 'Bearer'?"
            return (
                f"Invalid authorization header: Could not parse key from v2 token. {hint}",
                None,
            )
        return "Invalid v2 token", None

    def _page(self, listing, query):
        one = {name: values[-1] for name, values in query.items()}
        found = list(self.lists[listing])
        limit = int(one["limit"]) if one.get("limit", "").isdigit() else 50
        limit = min(limit or self.cap, self.cap) if self.cap else limit
        offset = int(one["offset"]) if one.get("offset", "").isdigit() else 0
        cursor = "start" in one and number(self.release) >= (4, 6)
        if cursor and ("ordering" in one or "offset" in one or not one["start"].isdigit()):
            return 400, {"detail": "'start' is used wrongly"}  # not NetBox's own words
        if cursor or one.get("ordering") == "id":
            found.sort(key=lambda each: each["id"])
        if cursor:
            found = [each for each in found if each["id"] >= int(one["start"])]
        if one.get("id__gt"):
            found = [each for each in found if each["id"] > int(one["id__gt"])]
        if "id" in query:
            found = [each for each in found if str(each["id"]) in query["id"]]
        for name in ("tunnel", "l2vpn"):
            if f"{name}_id" in query:
                found = [each for each in found if str(each[name]["id"]) in query[f"{name}_id"]]
        page = found[offset : offset + limit] if limit else found[offset:]
        more = bool(limit) and offset + limit < len(found)
        following = {"limit": limit, "offset": offset + limit}
        if cursor:
            more = len(page) == limit
            following = {"limit": limit, "start": page[-1]["id"] + 1 if page else 0}
        kept = [
            (n, v) for n, vs in query.items() if n not in ("limit", "offset", "start") for v in vs
        ]
        link = urlencode(sorted([*kept, *((n, str(v)) for n, v in following.items())]))
        names = one["fields"].split(",") if "fields" in one else None
        if names and number(self.release) >= (4, 0):
            page = [{name: each[name] for name in names if name in each} for each in page]
        if one.get("exclude") == "config_context":
            hidden = "config_context"
            page = [{name: each[name] for name in each if name != hidden} for each in page]
        return 200, {
            "count": None if cursor else len(found),
            "next": f"{self.links_host}{self.base}/api/{listing}/?{link}" if more else None,
            "previous": None,
            "results": copy.deepcopy(page),
        }


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # a client that gave up


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 20  # one packet an answer: two would wait for a delayed ACK
    netbox: "NetBox"

    def do_GET(self):
        self.netbox._handle(self)

    def log_message(self, *args):
        pass
