"""A simulator of a RESTCONF server (RFC 8040) on loopback that only answers GET. It is no controller.

What it answers to is what its data holds: a path below ``/data/`` and the document there. All else is
404 in RESTCONF's words; no or wrong credentials 401, a path in ``denied`` 403. It was written from the
RFC (7.1 for errors, 3.3.3 and RFC 7895 for the library) and compared with no real server.

It can't show: XML, query parameters, access control that leaves out what a user may not read (NACM), and
how large controllers answer.
"""

import base64
import copy
import json
import re
import ssl
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

USER, PASSWORD = "inventory", "invented-pässword:with-colon"
TOKEN = "invented.bearer-token_of~this+simulator/0="
YANG_DATA = "application/yang-data+json"
HTML = "<!DOCTYPE html><title>a proxy</title>"


def error(tag, message):
    one = {"error-type": "application", "error-tag": tag, "error-message": message}
    return {"ietf-restconf:errors": {"error": [one]}}


NOT_THERE = error("invalid-value", "the resource does not exist")


class Controller:
    """``data()`` of a subclass gives the documents by path, below ``root/data/``."""

    def __init__(self, root="/restconf", certificate=None, modules=(), port=0):
        self.root, self.modules = (
            root,
            modules,
        )  # modules: of its YANG library; None: it has no library
        self.denied = set()
        self.prefixed = True  # False: members have no module before them
        self.counts: Counter[str] = Counter()
        self.requests = []  # (path, headers)
        self._faults = []
        self._lock = threading.Lock()
        self.released = threading.Event()
        handler = type("Handler", (_Handler,), {"controller": self})
        self._server = _Quiet(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def data(self):
        raise NotImplementedError

    def credentials(self, **more):
        return {"url": self.url, "username": USER, "password": PASSWORD, **more}

    def fault(self, path, kind, times=10**6, first=False):
        """The next answers to a path (regular expression); ``first``: before what was said of it until now.

        A status, or ``(status, body)``, or one of stall, cut, html, drop; a callable changes the document
        that would be sent.
        """
        self._faults.insert(0 if first else len(self._faults), [re.compile(path), kind, times])

    def no_faults(self):
        self._faults.clear()

    # --- answering --------------------------------------------------------------------------------

    def _handle(self, request):
        path = unquote(request.path)
        with self._lock:
            self.counts[path] += 1
            self.requests.append((path, dict(request.headers)))
            kind = next((each for each in self._faults if each[0].search(path) and each[2]), None)
            if kind:
                kind[2] -= 1
                kind = kind[1]
        if kind == "stall":
            self.released.wait(30)
        if kind == "drop":
            request.close_connection = True
            return
        status, document = self._answer(path, request.headers.get("Authorization", ""))
        if callable(kind):
            document = kind(document)
        text = json.dumps(document, ensure_ascii=False).encode()
        if kind == "html":
            status, text = 200, HTML.encode()
        elif isinstance(kind, int):
            status, text = kind, HTML.encode()
        elif isinstance(kind, tuple):
            status, text = kind[0], json.dumps(kind[1]).encode()
        self._send(request, status, text, cut=kind == "cut")

    def _answer(self, path, authorization):
        word, _, given = authorization.partition(" ")
        pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if (word, given) not in (("Basic", pair), ("Bearer", TOKEN)):
            return 401, error("access-denied", "authentication failed")
        start = f"{self.root}/data/"
        if not path.startswith(start):
            return 404, NOT_THERE
        path = path[len(start) :]
        if path in self.denied:
            return 403, error("access-denied", "access denied")
        if path == "ietf-yang-library:modules-state" and self.modules is not None:
            listed = [{"name": each, "revision": "2020-06-16"} for each in self.modules]
            state = {"module-set-id": "1", "module": listed}
            return 200, {"ietf-yang-library:modules-state": state}
        document = self.data().get(path)
        if not document:
            return 404, NOT_THERE
        if not self.prefixed:
            document = {name.rpartition(":")[2]: each for name, each in document.items()}
        return 200, copy.deepcopy(document)

    def _send(self, request, status, text, cut):
        kind = "text/html" if text[:1] == b"<" else YANG_DATA
        try:
            request.send_response(status)
            if status == 401:
                request.send_header("WWW-Authenticate", 'Basic realm="controller"')
            request.send_header("Content-Type", kind)
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
    controller: Controller

    def do_GET(self):
        self.controller._handle(self)

    def log_message(self, *args):
        pass
