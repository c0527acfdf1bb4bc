"""A simulator of the CMP API on loopback: the calls that flexer 1.8.0 and a running module make.

It is no CMP. Its paths, parameters and documents are those that flexer's client sends and reads
(flexer/clients, flexer/context.py), and tests/test_cmp.py runs the vendor's own command line against
it. It can't show a real region's rights, limits, validation, schedules, or what else its documents
hold. A module is really run, as the runtime does: unpacked, in a process of its own that sees nothing
but the module and the standard library (tests/fakes/cmp_runtime.py).
"""

import base64
import collections
import email
import email.policy
import io
import json
import subprocess
import sys
import tempfile
import threading
import uuid
import zipfile
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

BASE = "/cmp/basic/api"
RUNTIME = Path(__file__).with_name("cmp_runtime.py")
PATIENCE_S = 120  # a module that hangs must not hang the tests
# flexer/cli.py, EVENT_SOURCES and LANGUAGES
EVENT_SOURCES = """
    alert-notification api-hook cmp-connector.alerts cmp-connector.credentials cmp-connector.logs
    cmp-connector.metrics cmp-connector.resources cmp-connector.spend cmp-connector.status
    cmp-connector.tickets cmp-resource-notification insight monitor resource-action rest-api
    service-catalog storage-notification test timer workflow
""".split()
LANGUAGES = ("javascript", "javascript-node14", "python", "python3")
KNOWN = {
    "event_source": EVENT_SOURCES,
    "language": LANGUAGES,
    "file_type": ("inline", "zip"),
}


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Cmp:
    """One region. What it holds may be looked at and changed by tests.

    ``modules`` and ``zips`` are by id; ``state``, ``config`` and ``secrets`` by module id; ``tasks``
    has the percentages told, ``logs`` all log entries, ``requests`` all (method, path with its query).
    ``results`` has (module id, handler, result) of what ran, also asynchronously. ``python`` runs the
    modules; one that has not ended after ``patience_s`` is killed.
    """

    key, secret, token = "invented-key", "invented-secret-of-cmp", "invented-token"

    def __init__(self, page_size=50, python=sys.executable, patience_s=PATIENCE_S):
        self.page_size, self.python, self.patience_s = page_size, python, patience_s
        self.modules, self.zips = {}, {}
        self.state = collections.defaultdict(dict)
        self.config = collections.defaultdict(dict)
        self.secrets = collections.defaultdict(dict)
        self.tasks = collections.defaultdict(list)
        self.logs, self.requests, self.results = [], [], []
        self.accounts = [{"id": "account-1", "name": "Account 1", "provider": "aws"}]
        self._faults, self._lock = [], threading.Lock()
        self._running = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{BASE}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """End, once what runs asynchronously has ended."""
        self.wait()
        self._server.shutdown()
        self._server.server_close()

    def wait(self):
        """Until all that was started asynchronously has ended."""
        while self._running:
            self._running.pop().join()

    def fail(self, method, path, status, times=1):
        """Answer the next calls of this method, on paths that begin so, with this status."""
        self.instead(method, path, lambda: _refuse(status), times)

    def instead(self, method, path, act, times=1):
        """What ``act`` returns (status, headers, document; text is sent as it is) or raises answers those calls.

        None: they are answered as ever, after what it did.
        """
        with self._lock:
            self._faults += [(method, path, act)] * times

    def answer(self, method, path, query, headers, body):
        """(status, headers, document) of one call; raises Refused."""
        with self._lock:  # two calls at once must not have one fault
            fault = next(
                (f for f in self._faults if f[0] == method and path.startswith(f[1])), None
            )
            if fault:
                self._faults.remove(fault)
        instead = fault and fault[2]()
        if instead:
            return instead
        basic = base64.b64encode(f"{self.key}:{self.secret}".encode()).decode()
        if headers["Authorization"] not in (f"Basic {basic}", f"Bearer {self.token}"):
            raise Refused(401, "not authenticated")
        first, *rest = path.strip("/").split("/")
        call = getattr(self, f"_{method.lower()}_{first}", None)
        if call is None:
            raise Refused(404, f"no {method} {path}")
        return call(rest, query, headers, body)

    # --- modules ---

    def _module(self, module_id):
        if module_id not in self.modules:
            raise Refused(404, f"no module {module_id}")
        return self.modules[module_id]

    def _get_modules(self, rest, query, headers, body):
        if not rest:
            page = _page(query)
            found = list(self.modules.values())[(page - 1) * self.page_size :][: self.page_size]
            return 200, {"x-total-count": len(self.modules), "x-page": page}, found
        module = self._module(rest[0])
        if rest[1:] == ["zipfile"]:
            if rest[0] not in self.zips:
                raise Refused(404, f"module {rest[0]} has no zip file")
            return 200, {}, base64.b64encode(self.zips[rest[0]]).decode()
        if rest[1:] == ["state"]:
            return 200, {}, self.state[rest[0]]
        if rest[1:]:
            raise Refused(404, f"no GET {'/'.join(rest[1:])}")
        return 200, {}, module

    def _post_modules(self, rest, query, headers, body):
        if not rest:
            return 201, {}, self._create(_json(body, dict))
        module_id, call = rest[0], "/".join(rest[1:])
        self._module(module_id)
        if call == "zipfile":
            self.zips[module_id] = _module_zip(headers, body)
            return 200, {}, self.modules[module_id]
        if call == "execute":
            return 200, {}, self._execute(module_id, _json(body, dict, "handler", "event"))
        if call == "state/delete":
            for key in _json(body, list):
                self.state[module_id].pop(key, None)
            return 200, {}, {}
        raise Refused(404, f"no POST {call}")

    def _create(self, asked):
        if not asked.get("name"):
            raise Refused(400, "name: missing")
        _check({key: asked.get(key) for key in KNOWN})
        module_id = str(uuid.uuid4())
        self.modules[module_id] = {
            "id": module_id,
            "user_name": "inventory",
            "handlers": [],
            "source_code": "",
            **asked,
            "description": asked.get("description") or "",  # the command line can't print null
        }
        return self.modules[module_id]

    def _patch_modules(self, rest, query, headers, body):
        module, changes = self._module("".join(rest[:1])), _json(body, dict)
        if rest[1:] == ["state"]:
            self.state[rest[0]].update(changes)
        elif rest[1:]:
            raise Refused(404, f"no PATCH {'/'.join(rest[1:])}")
        else:
            known = {"description", "file_type", "handlers", "language", "source_code"}
            if set(changes) - known:
                raise Refused(400, f"can't be changed: {sorted(set(changes) - known)}")
            _check({key: changes[key] for key in KNOWN if key in changes})
            module.update(changes)
        return 200, {}, module

    def _delete_modules(self, rest, query, headers, body):
        if len(rest) != 1:
            raise Refused(404, f"no DELETE {'/'.join(rest)}")
        self._module(rest[0])
        del self.modules[rest[0]]
        self.zips.pop(rest[0], None)
        return 204, {}, None

    # --- running one ---

    def _execute(self, module_id, asked):
        self._code(module_id)
        if asked.get("async"):
            thread = threading.Thread(target=self._run, args=(module_id, asked))
            self._running.append(thread)
            thread.start()
            return {"value": None, "logs": "", "error": None}
        result = self._run(module_id, asked)
        if "message" in result:
            raise Refused(500, result["message"])
        return result

    def _code(self, module_id):
        """The module as a zip file."""
        module = self._module(module_id)
        if module.get("file_type") == "inline":
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as file:
                file.writestr("main.py", module["source_code"])
            return packed.getvalue()
        if module_id not in self.zips:
            raise Refused(400, f"module {module_id} has no code yet")
        return self.zips[module_id]

    def _run(self, module_id, asked):
        """What the module came to; never raises, for it may run in a thread of its own."""
        try:
            result = self._process(module_id, asked)
        except Exception as error:
            result = {"message": f"the module did not run to its end: {error}"}
        self.results.append((module_id, asked["handler"], result))
        return result

    def _process(self, module_id, asked):
        with tempfile.TemporaryDirectory() as folder:
            with zipfile.ZipFile(io.BytesIO(self._code(module_id))) as packed:
                packed.extractall(folder)
            told = {
                "handler": asked["handler"],
                "event": asked["event"],
                "module_id": module_id,
                "config": self.config[module_id],
                "secrets": self.secrets[module_id],
                "api_url": self.url,
                "api_token": self.token,
            }
            done = subprocess.run(
                [self.python, "-I", "-S", str(RUNTIME)],
                cwd=folder,
                env={"PATH": ""},
                input=json.dumps(told),
                capture_output=True,
                text=True,
                timeout=self.patience_s,
            )
        if done.returncode:
            raise Refused(500, f"status {done.returncode} {done.stderr}")
        return json.loads(done.stdout)

    # --- logs, tasks, accounts ---

    def _get_logs(self, rest, query, headers, body):
        hits = [
            each
            for each in self.logs
            if each.get("resource_id") == query.get("resource_id")
            and query.get("start", "") <= each["timestamp"] <= query.get("end", "9")
        ]
        hits.sort(key=lambda each: each["timestamp"], reverse=query.get("order") == "desc")
        return 200, {}, {"hits": hits}

    def _post_logs(self, rest, query, headers, body):
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self.logs += [{"timestamp": now, "extra": {}, **each} for each in _json(body, list)]
        return 200, {}, {}

    def _post_tasks(self, rest, query, headers, body):
        if rest[1:] != ["update"]:
            raise Refused(404, "no such call of a task")
        self.tasks[rest[0]].append(_json(body, dict, "percentage")["percentage"])
        return 200, {}, {}

    def _get_accounts(self, rest, query, headers, body):
        if not rest:
            return 200, {"x-total-count": len(self.accounts), "x-page": 1}, self.accounts
        for account in self.accounts:
            if rest == [account["id"]]:
                return 200, {}, account
        raise Refused(404, f"no account {'/'.join(rest)}")


def _refuse(status):
    raise Refused(status, "a fault that a test asked for")


def _json(body, kind, *needed):
    try:
        document = json.loads(body)
    except ValueError:
        raise Refused(400, "the body is no JSON") from None
    if not isinstance(document, kind):
        raise Refused(400, f"the body is no {kind.__name__}")
    for key in needed:
        if key not in document:
            raise Refused(400, f"{key}: missing")
    return document


def _check(values):
    for key, value in values.items():
        if value not in KNOWN[key]:
            raise Refused(400, f"{key}: {value!r} is not known")


def _page(query):
    page = query.get("page", "1")
    if not page.isdecimal() or page == "0":
        raise Refused(400, f"page: {page!r} is no page")
    return int(page)


def _module_zip(headers, body):
    """The file of a multipart form, if it is a zip with a main.py at its root."""
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    form = email.message_from_bytes(head + body, policy=email.policy.default)
    for part in form.iter_parts() if form.is_multipart() else ():
        if part.get_param("name", header="Content-Disposition") == "file":
            content = part.get_payload(decode=True)
            try:
                with zipfile.ZipFile(io.BytesIO(content)) as packed:
                    if "main.py" not in packed.namelist():
                        raise Refused(400, "file: it has no main.py at its root")
            except zipfile.BadZipFile:
                raise Refused(400, "file: it is no zip file") from None
            return content
    raise Refused(400, "file: missing")


def _handler(cmp):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self):
            asked = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = asked.path[len(BASE) :]
            cmp.requests.append((self.command, path + ("?" + asked.query if asked.query else "")))
            query = {name: values[0] for name, values in parse_qs(asked.query).items()}
            try:
                status, headers, document = cmp.answer(
                    self.command, path, query, self.headers, body
                )
            except Refused as refused:
                status, headers, document = refused.status, {}, {"message": str(refused)}
            # the zip file comes as text, all else as JSON
            text = document if isinstance(document, str) else json.dumps(document)
            sent = b"" if status == 204 else text.encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, str(value))
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _any

        def log_message(self, *_):
            pass

    return Handler
