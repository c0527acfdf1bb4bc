"""A stand-in of a provider that many accounts are polled from: a controller with the L2VPN service model each.

An account is the first part of the path. Each poll asks for its services, which get a new round's number, and then for
its sites, of the same round; so what is stored says which answer it came from, and whether it is the whole of it.
"""

import contextlib
import json
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.fakes.ietf_l2vpn import MODULE, SITES, L2vpn

FAMILY, PROVIDER = "wan_links", "ietf_l2vpn"
WAIT_S = 180  # a test that needs this long has failed
COUNT = 5  # services of an account
THROTTLED = 429


class Controllers:
    """``url(account)`` is the account's controller. ``requests`` has (account, status, monotonic time) of each one.

    ``refuse``: accounts whose requests are all refused, each with a status and a text; with 429, the text is that of Retry-After.
    """

    def __init__(self, count=COUNT):
        self.count = count
        self.requests = []
        self.most_at_once = 0
        self.refuse = {}
        self._at_once = 0
        self._rounds = defaultdict(int)
        self._held: dict[str, list] = {}  # account: the event that lets it go on
        self._changed = threading.Condition()
        handler = type("Handler", (_Handler,), {"controllers": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for held in list(self._held.values()):
            held.go.set()
        self._server.shutdown()
        self._server.server_close()

    def url(self, account):
        return f"http://127.0.0.1:{self._server.server_port}/{account}"

    def round_of(self, account):
        """The number of its last answer; each poll that began got one more."""
        with self._changed:
            return self._rounds[account]

    def polls(self):
        """How many polls began, of all accounts."""
        with self._changed:
            return sum(self._rounds.values())

    def wait_for_polls(self, count):
        """Until this many more have begun than now."""
        wanted = self.polls() + count
        self._wait(lambda: sum(self._rounds.values()) >= wanted, f"{count} more polls begin")

    def wait_for_requests(self, count):
        """Until so many have come in all."""
        self._wait(lambda: len(self.requests) >= count, f"{count} requests come")

    def _wait(self, fact, what):
        with self._changed:
            if not self._changed.wait_for(fact, timeout=WAIT_S):
                raise AssertionError(f"within {WAIT_S} s it was not so: {what}")

    @contextlib.contextmanager
    def held(self, account):
        """Its next poll stops in the middle, until this ends; polls of it that begin later are answered at once."""
        held = _Held()
        with self._changed:
            self._held[account] = held
        try:
            yield held
        finally:
            held.go.set()
            with self._changed:
                self._held.pop(account, None)

    # --- answering ---

    def answer(self, path):
        """Status, headers and document."""
        account, _, resource = path.strip("/").partition("/data/")
        is_sites = resource == SITES
        with self._changed:
            status, text = self.refuse.get(account, (200, ""))
            self.requests.append((account, status, time.monotonic()))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            if not is_sites and status == 200:
                self._rounds[account] += 1
            number = self._rounds[account]
            held = self._held.get(account)
            if held and (held.entered.is_set() or not is_sites):
                held = None
            if held:
                held.round = number
                held.entered.set()
            self._changed.notify_all()
        try:
            if held:
                held.go.wait(WAIT_S)
            if status == THROTTLED:
                return status, {"Retry-After": text}, {}
            if status != 200:
                error = {"error-tag": "operation-failed", "error-message": text}
                return status, {}, {"ietf-restconf:errors": {"error": [error]}}
            return 200, {}, self._document(account, number, is_sites)
        finally:
            with self._changed:
                self._at_once -= 1

    def _document(self, account, number, is_sites):
        names = [f"{account}-{each}" for each in range(self.count)]
        if not is_sites:
            services = [
                {"vpn-id": name, "vpn-svc-type": "vpws", "customer-name": f"round {number}"}
                for name in names
            ]
            return {f"{MODULE}:vpn-services": {"vpn-service": services}}
        site = {
            "site-id": f"site of {account}",
            "locations": {"location": [{"location-id": "main", "city": "Kyoto"}]},
            "site-network-accesses": {
                "site-network-access": [L2vpn.access(name, "port 1") for name in names]
            },
        }
        return {f"{MODULE}:sites": {"site": [site]}}


class _Held:
    """``entered``: the poll is in its middle; ``round``: its number; ``go`` lets it end."""

    def __init__(self):
        self.entered, self.go, self.round = threading.Event(), threading.Event(), None

    def wait(self):
        assert self.entered.wait(WAIT_S), f"no poll got to its middle within {WAIT_S} s"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 20
    controllers: Controllers

    def do_GET(self):
        status, headers, document = self.controllers.answer(self.path)
        text = json.dumps(document).encode()
        with contextlib.suppress(OSError):  # the worker was killed
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/yang-data+json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
            self.wfile.flush()

    def log_message(self, *args):
        pass
