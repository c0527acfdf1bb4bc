"""A simulator of a Juju controller's API on loopback, as far as a reader of models' status asks.

It is no Juju: nothing is deployed, and what it says of a model is what the test put there. It was
written from the published API schemas (2.9, 3.x, 4.0) and checked against the official Python client
(juju 3.6 and 2.9): tests/test_juju_official.py lets that connect, list, read a status, and compares.
For 4.0 there is no official client that could check it.

What it does as the real one does: TLS with a CA of its own and a certificate without an address; the
facades and versions of each flavour, those of models and controllers apart; error texts and codes, each
with an empty ``response``; ``null`` for what Go leaves nil; ``<``, ``>`` and ``&`` escaped; messages above
4 KiB in fragments. What it can't show: rights other than none, read and superuser, patterns,
macaroons, migration, load, timing, and whether a real controller's answers always have these shapes.

Users: ``admin`` (superuser), ``reader`` (sees what a model's ``readers`` name); each password is the name
+ "-pw".
"""

import base64
import contextlib
import copy
import datetime
import hashlib
import json
import re
import socket
import ssl
import struct
import tempfile
import threading
import uuid
from collections import Counter
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CONTROLLER = "5f1d2c3e-0a1b-4c2d-8e3f-1a2b3c4d5e6f"
SINCE = "2026-03-02T09:12:11.402913Z"
NAMES = ("localhost", "juju-apiserver", "juju-mongodb")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MODEL_PATH = re.compile(r"/model/([^/]+)/api")
TEXT, CLOSE, PING, PONG, CONTINUED = 1, 8, 9, 10, 0

# flavour -> version of the agents, facades of the controller's connection, of a model's
FLAVOURS = {
    "2.9": (
        "2.9.51",
        {"Cloud": [7], "Controller": [9, 10, 11], "ModelManager": range(2, 10)},
        {"Action": [6, 7], "AllWatcher": [1, 2, 3], "Annotations": [2], "Client": range(1, 7)},
    ),
    "3.3": (
        "3.3.7",
        {"Cloud": [7], "Controller": [11], "ModelManager": [9]},
        {"Action": [7], "AllWatcher": [3], "Annotations": [2], "Client": [6, 7]},
    ),
    "3.6": (
        "3.6.8",
        {"Cloud": [7], "Controller": [11, 12], "ModelManager": [9, 10]},
        {"Action": [7], "AllWatcher": [3], "Annotations": [2], "Client": [6, 7, 8]},
    ),
    "4.0": (
        "4.0.1",
        {"Cloud": [7], "Controller": [12, 13], "ModelManager": [9, 10, 11]},
        {"Action": [7], "Annotations": [2], "Client": [8]},
    ),
    "future": ("5.0-beta3", {"ModelManager": [40]}, {"Client": [30]}),
}
_BOTH = {"ModelConfig": [1, 2, 3], "Pinger": [1]}
_SERIES = {"22.04": "jammy", "20.04": "focal", "24.04": "noble"}


# --- faults: for ``Controller.fail(point, fault)``; a point is ACCEPT, UPGRADE or a call ----------

ACCEPT = "accept"  # the TCP connection was taken, TLS not begun
UPGRADE = "upgrade"  # TLS is there, the HTTP request was read
STALL = "stall"  # nothing, until the controller stops
DROP = "drop"  # closed at once
CUT = "cut"  # half of a frame, then closed
DRIP = "drip"  # byte by byte (each in a TLS record of its own), without an end
ENDLESS = "endless"  # fragments without a last one
STRAYS = "strays"  # answers to requests that nobody made, without an end
NOT_JSON = "not json"
NOT_AN_OBJECT = "not an object"
GOODBYE = "goodbye"  # a close frame
NOT_FRAMES = "not frames"  # a frame with reserved bits
PINGED = "pinged"  # a ping, a stray answer and an unasked pong, then the real answer


class Refusal(Exception):
    """An error answer."""

    def __init__(self, message, code=None, info=None):
        super().__init__(message)
        self.message, self.code, self.info = message, code, info


class Status:
    """An HTTP answer in place of the upgrade."""

    def __init__(self, status, body):
        self.status, self.body = status, body


WRONG_PASSWORD = Refusal("invalid entity name or password", "unauthorized access")
DENIED = Refusal("permission denied", "unauthorized access")
UPGRADING = Refusal("upgrade in progress", "upgrade in progress")
MAINTENANCE = Refusal("login failed - maintenance in progress")
TRY_AGAIN = Refusal("try again", "try again")
MACAROON = {"discharge-required": {"location": "x"}, "discharge-required-error": "no macaroon"}


def model_not_found(model_uuid):
    return Refusal(f'unknown model: "{model_uuid}"', "model not found")


def redirect(*places, ca_cert=""):
    """What a model says that was moved to other controllers: (host, port) each."""
    servers = [[{"value": h, "type": "ipv4", "scope": "public", "port": p} for h, p in places]]
    servers[0].append(
        {"value": "127.0.0.1", "type": "ipv4", "scope": "local-machine", "port": 17070}
    )
    info = {"servers": servers, "ca-cert": ca_cert, "controller-alias": "vca-b"}
    return Refusal("redirection required", "redirection required", info)


# --- what is in a model ---------------------------------------------------------------------------


def state(word, info="", since=SINCE, **changed):
    """A DetailedStatus."""
    made = {"status": word, "info": info, "data": {}, "since": since}
    return {**made, "kind": "", "version": "", "life": "", **changed}


def agent(word, info="", **changed):
    return state(word, info, version="VERSION", **changed)


def machine(number, **changed):
    """A machine with all that a cloud's machines have."""
    return {
        "agent-status": agent("started"),
        "instance-status": state("running", "ACTIVE"),
        "modification-status": state("applied"),
        "hostname": f"juju-ab12cd-{number}",
        "dns-name": f"192.0.2.{number}",
        "ip-addresses": [f"192.0.2.{number}", f"10.40.7.{number}"],
        "instance-id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"machine-{number}")),
        "display-name": f"juju-ab12cd-{number}",
        "base": {"name": "ubuntu", "channel": "22.04/stable"},
        "id": str(number),
        "network-interfaces": {
            "ens3": {
                "ip-addresses": [f"10.40.7.{number}"],
                "mac-address": f"fa:16:3e:00:11:{number % 256:02x}",
                "gateway": "10.40.7.1",
                "dns-nameservers": ["10.40.7.2"],
                "space": "mgmt",
                "is-up": True,
            }
        },
        "containers": {},
        "constraints": "cores=2 mem=4096M",
        "hardware": "arch=amd64 cores=2 mem=4096M root-disk=40960M"
        ' availability-zone="zone A" virt-type=kvm',
        "jobs": ["JobHostUnits"],
        "has-vote": False,
        "wants-vote": False,
        **changed,
    }


def container(id_, **changed):
    """An LXD container, ``0/lxd/1``."""
    made = machine(int(id_.split("/")[0]) + 100)
    made.update(
        {
            "id": id_,
            "hostname": f"juju-ab12cd-{id_.replace('/', '-')}",
            "display-name": "",
            "instance-id": f"juju-ab12cd-{id_.replace('/', '-')}",
            "instance-status": state("running", "Running"),
            "ip-addresses": ["10.40.7.77"],
            "dns-name": "10.40.7.77",
            "constraints": "spaces=mgmt",
            "hardware": "availability-zone=nova",
        }
    )
    return {**made, **changed}


def pending_machine(number, **changed):
    """A machine that the cloud has not given yet."""
    made = machine(number)
    for name in ("hostname", "ip-addresses", "network-interfaces"):
        del made[name]
    made.update(
        {
            "agent-status": state("pending"),
            "instance-status": state(
                "provisioning error", 'no hosts <available> & zone "é" is full'
            ),
            "modification-status": state("idle"),
            "dns-name": "",
            "instance-id": "pending",
            "display-name": "",
            "constraints": "",
            "hardware": "",
        }
    )
    return {**made, **changed}


def unit(machine="0", **changed):
    return {
        "agent-status": agent("idle"),
        "workload-status": state("active", "ready"),
        "workload-version": "1.4.2",
        "machine": machine,
        "opened-ports": None,
        "public-address": "192.0.2.21",
        "charm": "",
        "subordinates": None,
        **changed,
    }


def application(name, units=None, **changed):
    return {
        "charm": f"ch:amd64/jammy/{name}-12",
        "charm-version": "",
        "charm-profile": "",
        "charm-channel": "latest/stable",
        "charm-rev": 12,
        "base": {"name": "ubuntu", "channel": "22.04/stable"},
        "exposed": False,
        "life": "",
        "relations": {},
        "can-upgrade-to": "",
        "subordinate-to": [],
        "units": units,
        "meter-statuses": None,
        "status": state("active", data=None),
        "workload-version": "",
        "endpoint-bindings": {"": "alpha"},
        "public-address": "",
        **changed,
    }


def vnf():
    """Contents of a model: two VMs, one of which never came, a container, a subordinate, relations."""
    vnf_proxy = {
        "vnf-proxy/0": unit(
            "0",
            leader=True,
            **{
                "opened-ports": ["443/tcp", "5000-5010/udp"],
                "subordinates": {"log-agent/0": unit("", leader=True)},
            },
        ),
        "vnf-proxy/1": unit(
            "1",
            **{
                "agent-status": agent("allocating"),
                "workload-status": state("waiting", "waiting for machine"),
                "public-address": "",
            },
        ),
    }
    failed = state("error", 'hook failed: "config-changed"')
    vnf_db = {"vnf-db/0": unit("0/lxd/0", leader=True, **{"workload-status": failed})}
    return {
        "machines": {
            "0": machine(0, containers={"0/lxd/0": container("0/lxd/0")}),
            "1": pending_machine(1),
        },
        "applications": {
            "vnf-proxy": application(
                "vnf-proxy",
                vnf_proxy,
                exposed=True,
                relations={"db": ["vnf-db"], "juju-info": ["log-agent"]},
                status=state("waiting", "waiting for machine"),
                **{
                    "can-upgrade-to": "ch:amd64/jammy/vnf-proxy-14",
                    "exposed-endpoints": {"": {"expose-to-cidrs": ["0.0.0.0/0", "::/0"]}},
                },
            ),
            "vnf-db": application(
                "vnf-db",
                vnf_db,
                relations={"server": ["vnf-proxy"]},
                status={**failed, "data": {"hook": "config-changed"}},
            ),
            "log-agent": application(
                "log-agent",
                None,
                relations={"juju-info": ["vnf-proxy"]},
                **{"subordinate-to": ["vnf-proxy"]},
            ),
        },
        "remote-applications": {
            "ntp-saas": {
                "offer-url": "ctrl-b:admin/shared.ntp",
                "offer-name": "ntp-saas",
                "endpoints": [{"name": "ntp", "role": "provider", "interface": "ntp", "limit": 0}],
                "life": "",
                "relations": {},
                "status": state("active"),
            }
        },
        "offers": {
            "vnf-proxy-api": {
                "offer-name": "vnf-proxy-api",
                "application-name": "vnf-proxy",
                "charm": "ch:amd64/jammy/vnf-proxy-12",
                "endpoints": {
                    "api": {"name": "api", "role": "provider", "interface": "http", "limit": 0}
                },
                "active-connected-count": 1,
                "total-connected-count": 2,
            }
        },
        "relations": [
            relation(0, "pgsql", ("vnf-proxy", "db", "requirer"), ("vnf-db", "server", "provider")),
            relation(
                1,
                "juju-info",
                ("log-agent", "juju-info", "requirer"),
                ("vnf-proxy", "juju-info", "provider"),
                scope="container",
                status=state("suspended", "maintenance window"),
            ),
        ],
    }


def relation(number, interface, *endpoints, scope="global", **changed):
    """Endpoints as (application, name, role)."""
    return {
        "id": number,
        "key": " ".join(sorted(f"{application}:{name}" for application, name, _ in endpoints)),
        "interface": interface,
        "scope": scope,
        "endpoints": [
            {
                "application": application,
                "name": name,
                "role": role,
                "subordinate": scope == "container" and role == "requirer",
            }
            for application, name, role in endpoints
        ],
        "status": state("joined"),
        **changed,
    }


def kubernetes():
    """Contents of a model on Kubernetes: no machine, units with addresses of their own."""
    amf = unit(
        "",
        leader=True,
        **{
            "workload-status": state("blocked", "missing database relation"),
            "public-address": "",
            "provider-id": "amf-0",
            "address": "10.1.44.7",
        },
    )
    return {
        "type": "caas",
        "applications": {
            "amf": application(
                "amf",
                {"amf/0": amf},
                status=state("blocked", "missing database relation"),
                **{
                    "charm": "ch:amd64/amf-k8s-31",
                    "int": 1,
                    "provider-id": "3f6d2b1e-7c55-4f39-9a86-1f0f6d9f4f11",
                    "public-address": "10.152.183.60",
                },
            )
        },
    }


def of_size(units):
    """Contents of a model with this many units of one application, ten on a machine."""
    return {
        "machines": {str(n): machine(n % 250, id=str(n)) for n in range((units + 9) // 10)},
        "applications": {
            "vnf": application("vnf", {f"vnf/{n}": unit(str(n // 10)) for n in range(units)})
        },
    }


class Model:
    """A model: ``contents`` are parts of a FullStatus as Juju 3.6 says it."""

    def __init__(self, name, owner="admin", contents=None, readers=(), **row):
        self.name, self.owner = name, owner
        self.uuid = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{owner}/{name}"))
        self.contents = contents or {}
        self.readers = set(readers) | {owner}
        self.row = row  # changes of its row in ListModelSummaries
        self.refusal = None  # what each call to the model itself ends in
        self.row_error = None  # what stands in its place in the list

    def status(self, flavour, version):
        """The answer of Client.FullStatus."""
        made = {
            "model": {
                "name": self.name,
                "type": self.contents.get("type", "iaas"),
                "cloud-tag": "cloud-vnfcloud",
                "region": "RegionOne",
                "version": "VERSION",
                "available-version": "",
                "model-status": state("available"),
                "meter-status": {"color": "", "message": ""},
                "sla": "unsupported",
            },
            "machines": {},
            "applications": {},
            "remote-applications": {},
            "offers": {},
            "relations": None,
            "controller-timestamp": "2026-03-02T09:45:00.120394Z",
            "branches": {},
        }
        made.update({k: v for k, v in self.contents.items() if k != "type"})
        made = json.loads(json.dumps(made).replace('"VERSION"', json.dumps(version)))
        if flavour == "2.9":
            _as_in_2(made)
        elif flavour == "4.0":
            _as_in_4(made)
        return made

    def summary(self, flavour, version, user):
        """Its row in ModelManager.ListModelSummaries."""
        row = {
            "name": self.name,
            "uuid": self.uuid,
            "type": self.contents.get("type", "iaas"),
            "controller-uuid": CONTROLLER,
            "is-controller": self.name == "controller",
            "provider-type": "openstack",
            "default-series": "jammy",
            "cloud-tag": "cloud-vnfcloud",
            "cloud-region": "RegionOne",
            "cloud-credential-tag": "cloudcred-vnfcloud_admin_default",
            "owner-tag": f"user-{self.owner}",
            "life": "alive",
            "status": {"status": "available", "info": "", "data": {}, "since": SINCE},
            "user-access": "admin" if user == self.owner else "read",
            "last-connection": None,
            "counts": [{"entity": "machines", "count": len(self.contents.get("machines") or {})}],
            "sla": {"level": "unsupported", "owner": ""},
            "agent-version": version,
        }
        if flavour == "4.0":
            for name in ("owner-tag", "sla", "default-series"):
                del row[name]
            row["qualifier"] = self.owner
        return {**row, **self.row}


def _as_in_2(status):
    for each in (*_machines(status["machines"]), *status["applications"].values()):
        if "base" in each:
            each["series"] = _SERIES[each["base"]["channel"].split("/")[0]]
    for each in status["applications"].values():
        each.pop("charm-rev", None)


def _as_in_4(status):
    del status["model"]["meter-status"], status["model"]["sla"]
    status["branches"] = None
    for each in status["applications"].values():
        del each["meter-statuses"]
        each["life"] = each["life"] or "alive"
    for host in status["machines"].values():
        host["containers"] = dict(_flat(host["containers"]))
    for each in _machines(status["machines"]):
        each.pop("network-interfaces", None)


def _machines(machines):
    for each in machines.values():
        yield each
        yield from _machines(each["containers"])


def _flat(containers):
    for id_, each in containers.items():
        inner, each["containers"] = each["containers"], {}
        yield id_, each
        yield from _flat(inner)


# --- the controller -------------------------------------------------------------------------------


class Authority:
    """A controller's own CA; without ``key_ids``, its certificates do not say which key signed them."""

    def __init__(self, key_ids=True):
        self._key_ids = key_ids
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(("Juju", "juju-ca"))
        self._made = self._sign(self._name, self._key.public_key(), ca=True)
        self.pem = self._made.public_bytes(serialization.Encoding.PEM).decode()

    def context(self, names=NAMES, expired=False):
        """A server's TLS with a certificate for these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._sign(_name(("Juju", "juju-server")), key.public_key(), names, expired=expired)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            encoding = serialization.Encoding.PEM
            file.write(
                key.private_bytes(
                    encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
                + made.public_bytes(encoding)
                + self._made.public_bytes(encoding)
            )
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def _sign(self, subject, public_key, names=(), ca=False, expired=False):
        now = datetime.datetime.now(datetime.timezone.utc)
        day = datetime.timedelta(days=1)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 3 * day)
            .not_valid_after(now - day if expired else now + 3650 * day)
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(_usage(ca), critical=True)
        )
        if self._key_ids:
            issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
            own = x509.SubjectKeyIdentifier.from_public_key(public_key)
            builder = builder.add_extension(own, critical=False)
            builder = builder.add_extension(issuer, critical=False)
        if names:
            alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _usage(ca):
    """Python 3.13's default context takes no CA that does not say that it is one here, too."""
    others = (
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(digital_signature=True, key_cert_sign=ca, **dict.fromkeys(others, False))


def _name(parts):
    organization, common = parts
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


class Controller:
    """A controller that listens at ``endpoint`` until it is stopped."""

    def __init__(self, flavour="3.6", models=(), expired=False, names=NAMES, ca=None, port=0):
        self.flavour = flavour
        self.version, self._of_controller, self._of_model = FLAVOURS[flavour]
        self.models = {model.uuid: model for model in models}
        self.passwords = {"admin": "admin-pw", "reader": "reader-pw"}
        self.calls: Counter[str] = Counter()  # "Facade.Request" -> how often
        self.asked = []  # (path, "Facade.Request", params without the login's)
        self.opened = self.most_open = 0
        self._open = set()  # connections that their client has not closed
        self.pongs = 0
        self.ca = ca or Authority()
        self._tls = self.ca.context(names, expired)
        self._faults = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._sockets = set()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.host, self.port = self._listener.getsockname()
        self.endpoint = f"{self.host}:{self.port}"
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def open(self):
        return len(self._open)

    def credentials(self, user="admin", **more):
        """The credentials of an event."""
        known = {"endpoint": self.endpoint, "username": user, "password": f"{user}-pw"}
        return {**known, "ca_cert": self.ca.pem, **more}

    def fail(self, point, fault, times=None):
        """Let a point (ACCEPT, UPGRADE, "Admin.Login", ...) end in a fault, always or so often."""
        with self._lock:
            self._faults[point] = [fault, times]

    def no_failures(self):
        with self._lock:
            self._faults.clear()

    def stop(self):
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # closing alone does not end an accept
        self._listener.close()
        self._accepting.join()
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    close = stop

    def _fault(self, point):
        with self._lock:
            fault, times = self._faults.get(point, (None, None))
            if times is not None:
                if not times:
                    return None
                self._faults[point][1] -= 1
            return fault

    def _accept(self):
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted):
        with self._lock:
            self._sockets.add(accepted)
            self._open.add(accepted)
            self.opened += 1
            self.most_open = max(self.most_open, self.open)
        peer = accepted
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            fault = self._fault(ACCEPT)
            if fault is STALL:
                self._stopped.wait()
            elif fault is NOT_FRAMES:
                accepted.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
            elif fault is None:
                peer = self._tls.wrap_socket(accepted, server_side=True)
                with self._lock:
                    self._sockets.add(peer)
                _Talk(self, peer, lambda: self._open.discard(accepted)).run()
        except (OSError, EOFError):
            pass  # the client went away
        finally:
            with self._lock:
                self._open.discard(accepted)
                self._sockets -= {accepted, peer}
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)  # even where the simulator itself is at fault
            peer.close()


class _Talk:
    """One connection."""

    def __init__(self, controller, peer, leave):
        self.controller = controller
        self.peer = peer
        self.leave = leave  # called before the client learns that its close was seen
        self.stream = peer.makefile("rb")
        self.model: Any = None  # the controller itself has none
        self.user = None
        self.watched = 0
        self.waiting = {}  # watcher id -> request id of the Next that got no answer yet

    # the WebSocket

    def run(self):
        line = self.stream.readline().decode("latin-1").split()
        headers = {}
        for raw in iter(self.stream.readline, b"\r\n"):
            if not raw:
                raise EOFError
            name, _, value = raw.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        self.path = line[1] if len(line) > 1 else ""
        fault = self.controller._fault(UPGRADE)
        found = _MODEL_PATH.fullmatch(self.path)
        if isinstance(fault, Status):
            return self._http(fault.status, fault.body)
        if fault is DRIP:
            return self._drip(b"HTTP/1.1 101 Switching Protocols\r\nX-Slow: ")
        if fault is not None:
            return self._misbehave(fault, 0)
        if self.path == "/health":
            return self._http(200, "running")
        if found and not _UUID.fullmatch(found[1]):
            return self._http(400, f'invalid model UUID "{found[1]}"')
        if not found and self.path != "/api":
            return self._http(404, "404 page not found")
        self.model_uuid = found[1] if found else None
        key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()  # noqa: S324 - as RFC 6455 has it
        self.peer.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        while self._answer(self._message()):
            pass
        return None

    def _http(self, status, body):
        head = f"HTTP/1.1 {status} Said\r\nContent-Type: text/plain\r\nConnection: close\r\n"
        self.peer.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())

    def _read(self, count):
        data = self.stream.read(count)
        if len(data) < count:
            raise EOFError
        return data

    def _message(self):
        whole = b""
        while True:
            first, second = self._read(2)
            length = second & 127
            if length == 126:
                (length,) = struct.unpack("!H", self._read(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", self._read(8))
            mask = self._read(4)  # a client's frames always have one
            data = bytes(b ^ mask[n % 4] for n, b in enumerate(self._read(length)))
            opcode = first & 15
            if opcode == CLOSE:
                self.leave()
                self._frame(CLOSE, data)
                raise EOFError
            if opcode == PING:
                self._frame(PONG, data)
            elif opcode == PONG:
                self.controller.pongs += 1
            else:
                whole += data
                if first & 128:
                    return json.loads(whole)

    def _frame(self, opcode, data, last=True):
        length = len(data)
        head = bytes([opcode | (128 if last else 0)])
        if length < 126:
            head += bytes([length])
        elif length < 65536:
            head += struct.pack("!BH", 126, length)
        else:
            head += struct.pack("!BQ", 127, length)
        self.peer.sendall(head + data)

    def _send(self, message):
        """As Go's encoder and Juju's WebSocket library write it."""
        text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
        for character in "<>&":
            text = text.replace(character, f"\\u{ord(character):04x}")
        data = text.encode() + b"\n"
        if len(data) <= 4096:
            self._frame(TEXT, data)
        elif len(data) <= 8192:
            for start in range(0, len(data), 4096):
                opcode = CONTINUED if start else TEXT
                self._frame(opcode, data[start : start + 4096], start + 4096 >= len(data))
        else:
            self._frame(TEXT, data, last=False)
            self._frame(CONTINUED, b"")

    def _drip(self, beginning):
        self.peer.sendall(beginning)
        while True:
            self.peer.sendall(b"x")

    def _misbehave(self, fault, number):
        """End the connection in this fault."""
        if fault is STALL:
            self.controller._stopped.wait()
        elif fault is CUT:
            self.peer.sendall(b"\x81\x7e\x10\x00" + b'{"request-id": 2, "respon')
        elif fault is DRIP:
            self._drip(struct.pack("!BBQ", 0x81, 127, 2**40) + b'{"response": "')
        elif fault is ENDLESS:
            self._frame(TEXT, b'{"response": "', last=False)
            while True:
                self._frame(CONTINUED, b"x" * 65536, last=False)
        elif fault is STRAYS:
            while True:
                self._send({"request-id": 10**9, "response": {"x": "x" * 60_000}})
        elif fault is NOT_JSON:
            self._frame(TEXT, b"<html>a proxy's page</html>")
        elif fault is NOT_AN_OBJECT:
            self._frame(TEXT, b"[]")
        elif fault is GOODBYE:
            self._frame(CLOSE, struct.pack("!H", 1001) + b"going away")
        elif fault is NOT_FRAMES:
            self.peer.sendall(b"\xf1\x02{}")
        return False

    # the API

    def _answer(self, asked):
        """Answer one request; whether the connection goes on."""
        controller, number = self.controller, asked.get("request-id")
        called = f"{asked['type']}.{asked['request']}"
        params = asked.get("params") or {}
        with controller._lock:
            controller.calls[called] += 1
            controller.asked.append((self.path, called, {} if called == "Admin.Login" else params))
        fault = controller._fault(called)
        if fault is PINGED:
            self._frame(PING, b"are you there")
            self._send({"request-id": number + 1000, "response": {}})
            self._frame(PONG, b"unasked")
        elif fault is not None and not isinstance(fault, (Refusal, dict)):
            return self._misbehave(fault, number)
        try:
            if isinstance(fault, Refusal):
                raise fault
            response = fault if isinstance(fault, dict) else self._respond(asked, called, params)
        except Refusal as refusal:
            answer = {"request-id": number, "error": refusal.message}
            if refusal.code:
                answer["error-code"] = refusal.code
            if refusal.info:
                answer["error-info"] = refusal.info
            self._send({**answer, "response": {}})
        else:
            if response is not None:
                self._send({"request-id": number, "response": response})
        return True

    def _respond(self, asked, called, params):
        if self.model_uuid:
            self.model = self.controller.models.get(self.model_uuid)
            if self.model is None:
                raise model_not_found(self.model_uuid)
            if self.model.refusal:
                raise self.model.refusal
        if called == "Admin.Login":
            return self._login(params)
        if called == "Admin.RedirectInfo":
            raise Refusal("not redirected")
        if self.user is None:
            raise Refusal("not logged in", "unauthorized access")
        self._check(asked)
        handler = getattr(self, "do_" + called.replace(".", "_"), None)
        if handler is None:
            raise Refusal(
                f"no such request - method {asked['type']}({asked['version']}).{asked['request']} "
                "is not implemented",
                "not implemented",
            )
        return handler(asked, params)

    def _facades(self):
        here = self.controller._of_model if self.model_uuid else self.controller._of_controller
        return {**here, **_BOTH}

    def _check(self, asked):
        versions = self._facades().get(asked["type"])
        if versions is None:
            raise Refusal(f'unknown object type "{asked["type"]}"', "not implemented")
        if asked.get("version") not in versions:
            raise Refusal(
                f'unknown version ({asked.get("version")}) of interface "{asked["type"]}"',
                "not implemented",
            )

    def _login(self, params):
        controller = self.controller
        if self.user:
            raise Refusal("already logged in")
        user = params.get("auth-tag", "")[len("user-") :]
        if not params.get("credentials"):
            return copy.deepcopy(MACAROON)
        if controller.passwords.get(user) != params["credentials"]:
            raise WRONG_PASSWORD
        if self.model and user != "admin" and user not in self.model.readers:
            raise DENIED
        self.user = user
        address = {"value": controller.host, "type": "ipv4", "scope": "public"}
        answer = {
            "servers": [[{**address, "port": controller.port}]],
            "controller-tag": f"controller-{CONTROLLER}",
            "server-version": controller.version,
            "user-info": {
                "display-name": user,
                "identity": f"user-{user}",
                "last-connection": SINCE,
                "controller-access": "superuser" if user == "admin" else "login",
                "model-access": "",
            },
            "facades": [
                {"name": name, "versions": list(versions)}
                for name, versions in sorted(self._facades().items())
            ],
        }
        if self.model:
            answer["model-tag"] = f"model-{self.model.uuid}"
            answer["user-info"]["model-access"] = (
                "admin" if user in ("admin", self.model.owner) else "read"
            )
        return answer

    def do_ModelManager_ListModelSummaries(self, asked, params):
        everybodys = params.get("all")
        if params.get("user-tag") != f"user-{self.user}" or (everybodys and self.user != "admin"):
            raise DENIED
        rows = []
        for model in self.controller.models.values():
            if model.row_error:
                error = {"message": model.row_error.message, "code": model.row_error.code}
                rows.append({"error": error})
            elif everybodys or self.user in model.readers:
                rows.append({"result": self._summary(model)})
        return {"results": rows or None}

    def _summary(self, model):
        return model.summary(self.controller.flavour, self.controller.version, self.user)

    def do_ModelManager_ListModels(self, asked, params):
        models = [
            {"model": {k: self._summary(m)[k] for k in ("name", "uuid", "type", "owner-tag")}}
            for m in self.controller.models.values()
            if self.user in m.readers
        ]
        return {"user-models": [{**each, "last-connection": None} for each in models]}

    def do_ModelManager_ModelInfo(self, asked, params):
        uuids = [each["tag"][len("model-") :] for each in params["entities"]]
        return {"results": [{"result": self._info(self.controller.models[u])} for u in uuids]}

    def do_Controller_ControllerAPIInfoForModels(self, asked, params):
        info = {"addresses": [self.controller.endpoint], "cacert": self.controller.ca.pem}
        return {"results": [info for _ in params["entities"]]}

    def do_Client_ModelInfo(self, asked, params):
        return self._info(self.model)

    def _info(self, model):
        info = self._summary(model)
        for name in ("counts", "user-access", "last-connection"):
            info.pop(name, None)
        user = {"user": model.owner, "display-name": "", "last-connection": None, "access": "admin"}
        return {**info, "users": [user], "machines": [], "cloud-credential-validity": True}

    def do_Client_FullStatus(self, asked, params):
        if params.get("patterns"):
            raise Refusal("the simulator knows no patterns")
        status = self.model.status(self.controller.flavour, self.controller.version)
        if self.user not in ("admin", self.model.owner):
            status["offers"] = {}  # shown to who may administer the model
        return status

    def do_ModelConfig_ModelGet(self, asked, params):
        return {"config": {}}

    def do_Pinger_Ping(self, asked, params):
        return {}

    def do_Client_WatchAll(self, asked, params):
        self.watched += 1
        return {"watcher-id": str(self.watched)}

    def do_AllWatcher_Next(self, asked, params):
        """The model itself at the first call; after that nothing ever happens to it."""
        watcher = asked.get("id") or asked.get("Id")
        if watcher in self.waiting:
            self.waiting[watcher] = asked["request-id"]
            return None
        self.waiting[watcher] = None
        summary = self._summary(self.model)
        delta = {
            "model-uuid": self.model.uuid,
            "name": self.model.name,
            "life": "alive",
            "owner": self.model.owner,
            "controller-uuid": CONTROLLER,
            "is-controller": False,
            "config": {},
            "status": {"current": "available", "message": "", "version": ""},
            "constraints": {},
            "sla": {"level": "unsupported", "owner": ""},
            "type": summary["type"],
            "cloud": "vnfcloud",
            "cloud-region": "RegionOne",
        }
        return {"deltas": [["model", "change", delta]]}

    def do_AllWatcher_Stop(self, asked, params):
        number = self.waiting.pop(asked.get("id") or asked.get("Id"), None)
        if number:
            stopped = {"error": "watcher was stopped", "error-code": "stopped", "response": {}}
            self._send({"request-id": number, **stopped})
        return {}
