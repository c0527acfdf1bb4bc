"""A simulator of OSM's northbound API (NBI) and of its classic resource orchestrator (RO), on loopback.

It is no OSM: nothing is deployed behind it. What it answers to logins, tokens, wrong paths, queries and
lists is compared with recorded answers of NBI 8.0 and RO 8.0 (tests/recorded/osm.json) in
tests/test_osm_fake.py. ``release="main"`` is the main line of 2026 as far as it differs in what is
asked: it has the list of VCA accounts, and a GET of one NS writes the record (``writes`` counts).

It can't show: that NBI sleeps a second when a user logs in twice within two, Keystone as its back end,
locked accounts, the LCM that fills the records, real sizes, and the words of RO's errors other than those
recorded. Records are what a test puts in; their form is that of the recorded ones and of OSM's source.
"""

import copy
import json
import re
import threading
import time
import uuid
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

RECORDED = json.loads(
    (Path(__file__).resolve().parent.parent / "recorded" / "osm.json").read_text("utf-8")
)
LISTS = {
    "/nslcm/v1": ("ns_instances", "ns_lcm_op_occs", "vnf_instances"),
    "/admin/v1": ("projects", "sdns", "vim_accounts", "wim_accounts", "vca"),
}
ALIASES = {"ns_instances_content": "ns_instances", "vnfrs": "vnf_instances", "vims": "vim_accounts"}
RIGHTS = {"sdns": "sdn_controllers", "ns_lcm_op_occs": "ns_instances:opps"}
NO_TOKEN = "Needed a token or Authorization http header"
BAD_TOKEN = "Invalid Token or Authorization HTTP header"
LIFE_S = 3600.0
REFRESH_S = 120.0
RO_LIMIT = 100


def identifier(*words):
    """The same id for the same words."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, " ".join(map(str, words))))


class Osm:
    """``lists`` holds the records by list; ``ro`` RO's. ``base`` is where NBI is mounted."""

    def __init__(self, release="8.0", port=0, clock=time.time):
        self.release, self.clock = release, clock
        self.lists: dict[str, list[dict[str, Any]]] = {
            name: [] for names in LISTS.values() for name in names
        }
        self.projects = {}  # name -> id
        self.users = {}  # name -> (password, {project: role}); the first project is the default
        self.roles = {"system_admin": None, "project_user": None}  # name -> rights, None for all
        self.tokens = {}
        self.writes = 0
        self.ro: dict[str, list[dict[str, Any]]] = {
            "tenants": [],
            "wims": [],
            "datacenters": [],
            "instances": [],
        }
        self.ro_details = {}  # (what, id) -> what RO answers with for that one
        self.changed_password = set()  # users whose password has expired
        self.counts: Counter[str] = Counter()
        self.requests = []  # (method, path, query, headers)
        self._faults = []
        self._lock = threading.Lock()
        self.released = threading.Event()
        handler = type("Handler", (_Handler,), {"osm": self})
        self._server = _Quiet(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.01,), daemon=True).start()
        self.root = f"http://127.0.0.1:{self._server.server_port}"
        self.url, self.ro_url = f"{self.root}/osm", f"{self.root}/openmano"

    def stop(self):
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # --- what is in it ----------------------------------------------------------------------------

    def project(self, name, project_id=None):
        self.projects[name] = project_id or identifier("project", name)
        admin = {"created": 1795209417.453922, "modified": 1795209417.453922}
        self.lists["projects"].append({"name": name, "_id": self.projects[name], "_admin": admin})
        return self.projects[name]

    def user(self, name, password, **roles):
        """A user with a role in each of these projects."""
        self.users[name] = (password, roles)

    def add(self, name, record, project="admin"):
        """A record of a list, which this project may read."""
        may = {each: [self.projects[project]] for each in ("projects_read", "projects_write")}
        admin = {"created": 1795202217.5, "modified": 1795208817.5, **may}
        admin.update(record.get("_admin", {}))
        self.lists[name].append({**record, "_admin": admin})
        return self.lists[name][-1]

    def standard(self):
        """Project tenant-x and its user reader, project admin and its user admin."""
        self.project("admin")
        self.project("tenant-x")
        self.user("admin", "admin", admin="system_admin")
        self.user("reader", "example-pass", **{"tenant-x": "project_user"})
        return self

    def credentials(self, **more):
        given = {"url": self.url, "username": "reader", "password": "example-pass"}
        return {**given, "project": "tenant-x", **more}

    def expire(self):
        """Every token is too old now."""
        for token in self.tokens.values():
            token["expires"] = self.clock() - 1

    def fault(self, path, kind, times=10**6):
        """The next answers to a path (regular expression): a status, or stall, cut, html, drop.

        ``(status, headers)`` and ``(status, headers, body)`` are statuses too (the body as text); a
        callable changes what would be answered.
        """
        self._faults.append([re.compile(path), kind, times])

    # --- answering --------------------------------------------------------------------------------

    def handle(self, request, method):
        parts = urlsplit(request.path)
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length).decode()
        with self._lock:
            self.counts[f"{method} {parts.path}"] += 1
            self.requests.append((method, parts.path, parts.query, dict(request.headers)))
            kind = self._due(parts.path)
        if kind == "stall":
            self.released.wait(30)
        if kind in ("drop", "stall"):
            request.close_connection = True
            return
        kind = (kind, {}) if isinstance(kind, int) else (200, {}) if kind == "html" else kind
        if isinstance(kind, tuple):
            status, headers, text = (*kind, "<html>a proxy</html>")[:3]
            _send(request, status, text.encode(), {"Content-Type": "text/html", **headers})
            return
        with self._lock:
            if parts.path.startswith("/openmano"):
                status, answer, headers = self._ro(parts)
            else:
                status, answer, headers = self._nbi(request, method, parts, body)
            answer = copy.deepcopy(answer)
        if callable(kind):
            answer = kind(answer)
        text = self._written(request, parts.path, answer, headers)
        _send(request, status, text, headers, cut=kind == "cut")

    def _due(self, path):
        for fault in self._faults:
            if fault[0].search(path) and fault[2] > 0:
                fault[2] -= 1
                return fault[1]
        return None

    def _written(self, request, path, answer, headers):
        accept = request.headers.get("Accept") or "*/*"
        of_ro = path.startswith("/openmano")
        as_yaml = "application/yaml" in accept if of_ro else "application/json" not in accept
        if as_yaml:
            headers["Content-Type"] = "application/yaml"
            return ("---\n" + yaml.safe_dump(answer, indent=4)).encode()
        headers["Content-Type"] = "application/json" + ("" if of_ro else "; charset=utf-8")
        return (json.dumps(answer, indent=4) + "\n").encode()

    # --- NBI --------------------------------------------------------------------------------------

    def _nbi(self, request, method, parts, body):
        # each answer sets a cookie that logs in too
        headers = {"Set-Cookie": "session_id=invented; HttpOnly; Max-Age=3600; Path=/"}
        try:
            return self._routed(request, method, parts, body, headers)
        except _Refused as refused:
            word = {401: "UNAUTHORIZED", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}
            status, detail = refused.args
            if status == 401 and detail in (NO_TOKEN, BAD_TOKEN):
                headers["Www-Authenticate"] = f'Bearer realm="{detail}"'
            problem = {"code": word[status], "status": status, "detail": detail}
            return status, problem, headers

    def _routed(self, request, method, parts, body, headers):
        path = parts.path[len("/osm") :].rstrip("/").split("/")
        topic, version, name, rest = (*path[1:], "", "", "")[:3] + (path[4:],)
        if not parts.path.startswith("/osm/"):
            raise _Refused(404, "not OSM's")
        if (topic, version, name) == ("admin", "v1", "tokens") and method == "POST":
            headers["Www-Authenticate"] = f'Bearer realm="{NO_TOKEN}"'
            answer = self._login(body, request.headers.get("Content-Type") or "")
            headers["Location"] = f"/osm/admin/v1/tokens/{answer['id']}"
            return 200, answer, headers
        token = self._token(request)
        if version != "v1":
            raise _Refused(405, f"URL version '{version}' not supported")
        if (topic, name) == ("admin", "tokens"):
            return 200, self._tokens(method, rest, token), headers
        name = ALIASES.get(name, name)
        known = name in LISTS.get(f"/{topic}/v1", ())
        if not known or (name == "vca" and self.release != "main"):
            raise _Refused(405, f"Unexpected URL item {name}")
        if method != "GET":
            raise _Refused(405, f"Method {method} not supported for this URL")
        return 200, self._read(name, rest, parse_qsl(parts.query), token), headers

    def _login(self, body, kind):
        if not kind or "json" in kind or "yaml" in kind:
            given = yaml.safe_load(body) or {}
        else:
            given = dict(parse_qsl(body))
        password, roles = self.users.get(given.get("username"), (None, {}))
        if password is None or given.get("password") != password:
            raise _Refused(401, "Invalid username/password")
        asked = given.get("project_id") or next(iter(roles))
        names = [name for name, project_id in self.projects.items() if asked in (name, project_id)]
        if not names:
            inner = f"Not found entry with filter='{ {'name': asked} }'"
            raise _Refused(404, f"database exception database exception {inner}")
        if names[0] not in roles:
            raise _Refused(401, "User is not mapped to the project")  # not NBI's own words
        made, now = uuid.uuid4().hex, self.clock()
        if given["username"] in self.changed_password:
            user = identifier("user", given["username"])
            return {"id": made, "message": "change_password", "user_id": user}
        role = roles[names[0]]
        self.tokens[made] = {
            "issued_at": now,
            "expires": now + LIFE_S,
            "_id": made,
            "id": made,
            "project_id": self.projects[names[0]],
            "project_name": names[0],
            "username": given["username"],
            "user_id": identifier("user", given["username"]),
            "admin": names[0] == "admin",
            "roles": [{"name": role, "id": identifier("role", role)}],
        }
        return {**self.tokens[made], "remote_port": 40100, "remote_host": "127.0.0.1"}

    def _token(self, request):
        header = request.headers.get("Authorization")
        if not header:
            raise _Refused(401, NO_TOKEN)
        token = self.tokens.get(header.partition(" ")[2])
        if token is None or token["expires"] < self.clock():
            raise _Refused(401, BAD_TOKEN)
        return token

    def _tokens(self, method, rest, token):
        if method == "GET":
            return [each for each in self.tokens.values() if each["username"] == token["username"]]
        gone = rest[0] if rest else token["id"]
        self.tokens.pop(gone, None)
        return f"token '{gone}' deleted"

    def _read(self, name, rest, query, token):
        rights = self.roles[token["roles"][0]["name"]]
        if rights is not None and f"{RIGHTS.get(name, name)}:get" not in rights:
            raise _Refused(401, "Access denied: lack of permissions.")
        everything = dict(query).get("ADMIN") == "true"
        if everything and not token["admin"]:
            raise _Refused(
                401, "Access denied: You have not permissions to use these admin query string"
            )
        filters = [pair for pair in query if pair[0] != "ADMIN"]
        mine = [
            each
            for each in self.lists[name]
            if everything
            or name == "projects"
            or token["project_id"] in each["_admin"]["projects_read"]
        ]
        if name == "projects" and not everything:
            mine = [each for each in mine if each["_id"] == token["project_id"]]
        if not rest:
            return [each for each in mine if _matches(each, filters)]
        for each in mine:
            if each["_id"] == rest[0]:
                return self._refreshed(each, name, dict(query))
        wanted = {"_admin.projects_read.cont": [token["project_id"], "ANY"], "_id": rest[0]}
        inner = f"Not found entry with filter='{wanted}'"
        raise _Refused(404, f"database exception database exception {inner}")

    def _refreshed(self, record, name, query):
        """The record as it was; a newer release writes it and has the LCM refresh its vcaStatus."""
        before = copy.deepcopy(record)
        old = self.clock() - record["_admin"]["modified"] > REFRESH_S
        asked = query.get("vcaStatusRefresh") == "true"
        if name == "ns_instances" and self.release == "main" and (old or asked):
            self.writes += 1
            record["_admin"]["modified"] = self.clock()
        return before

    # --- RO ---------------------------------------------------------------------------------------

    def _ro(self, parts):
        words = parts.path[len("/openmano/") :].split("/")
        query = parse_qsl(parts.query, keep_blank_values=True)
        for name, value in query:
            if name not in ("field", "limit"):
                return self._ro_refused(400, f"Invalid query string at '{name}={value}'")
        if words == ["tenants"]:
            return 200, {"tenants": self._ro_cut(self.ro["tenants"], query)}, {}
        tenant, what = words[0], words[1] if len(words) > 1 else ""
        known = tenant in [each["uuid"] for each in self.ro["tenants"]]
        if what not in self.ro or what == "tenants":
            return self._ro_refused(404, "Not found: " + parts.path)
        if len(words) == 2:
            if not (known or tenant == "any") and what != "wims":
                return self._ro_refused(404, f"tenant '{tenant}' not found")
            found = self.ro[what] if known or tenant == "any" else []
            return 200, {what: self._ro_cut(found, query)}, {}
        if not known and (tenant != "any" or what == "instances") and words[3:] != ["action"]:
            shown = None if tenant == "any" else tenant
            return self._ro_refused(404, f"tenant '{shown}' not found")
        one = "/".join(words[2:])
        for each in self.ro[what]:
            one = one.replace(each["name"], each["uuid"]) if words[2] == each["name"] else one
        answer = self.ro_details.get((what, one))
        if answer is None:
            where = {f"{what[:-1]}.name": words[2]}
            lost = f"No record was found in the database: {what} - `{where}`"
            return self._ro_refused(404, lost)
        if what == "wims" and tenant == "any":
            account = ("wim_account", "wim_id", "sdn", "user", "password")
            kept = {name: v for name, v in answer["wim"].items() if name not in account}
            answer = {"wim": kept}
        return 200, answer, {}

    def _ro_cut(self, records, query):
        names = [value for name, value in query if name == "field"]
        limit = int(dict(query).get("limit", RO_LIMIT))
        kept = [{n: v for n, v in each.items() if not names or n in names} for each in records]
        return kept[:limit]

    def _ro_refused(self, status, said):
        words = {400: "Bad Request", 404: "Not Found"}
        error = {"code": status, "type": f"{status} {words[status]}", "description": said}
        return status, {"error": error}, {}


class _Refused(Exception):
    """A status and what NBI says with it."""


_OPERATORS = ("eq", "neq", "ne", "gt", "gte", "lt", "lte", "cont", "ncont")


def _matches(record, filters):
    """Whether a record passes NBI's filters: every parameter is one, known or not."""
    wanted: dict[str, list[str]] = {}
    for name, value in filters:
        wanted.setdefault(name, []).extend(value.split(","))
    return all(_passes(record, name, values) for name, values in wanted.items())


def _passes(record, name, values):
    path, _, operator = name.rpartition(".")
    if operator not in _OPERATORS or not path:
        path, operator = name, "eq"
    found = list(_at(record, path.split(".")))
    if operator in ("ne", "neq", "ncont"):
        return not any(str(each) in values for each in found)
    if operator in ("gt", "gte", "lt", "lte"):
        limit = float(values[0])
        ok = {"gt": float.__gt__, "gte": float.__ge__, "lt": float.__lt__, "lte": float.__le__}
        return any(ok[operator](float(each), limit) for each in found if each is not None)
    flat = [one for each in found for one in (each if isinstance(each, list) else [each])]
    return any(each is not None and str(each) in values for each in flat)


def _at(value, path):
    if not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _at(value[path[0]], path[1:])
    elif isinstance(value, list) and path[0] == "ANYINDEX":
        for each in value:
            yield from _at(each, path[1:])
    elif isinstance(value, list) and path[0].isdigit() and int(path[0]) < len(value):
        yield from _at(value[int(path[0])], path[1:])


def _send(request, status, text, headers, cut=False):
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


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # a client that gave up


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 20  # one packet an answer: two would wait for a delayed ACK
    osm: "Osm"

    def do_GET(self):
        self.osm.handle(self, "GET")

    def do_POST(self):
        self.osm.handle(self, "POST")

    def do_DELETE(self):
        self.osm.handle(self, "DELETE")

    def log_message(self, *args):
        pass
