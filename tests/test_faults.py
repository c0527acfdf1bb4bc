"""A part of the fault matrix (tests/faults), which `make test-faults` runs whole; and that the matrix sees what is bad."""

import contextlib
import dataclasses
import datetime
import functools
import gc
import http.server
import importlib
import os
import socket
import threading
import urllib.request

import pytest

from tests.fakes import canaries, certificates
from tests.faults import faults, matrix
from tests.faults.proxy import Proxy
from tests.faults.upstream import Forwarded

SHARE = float(os.environ.get("SHARE", "0.01"))
SEED = os.environ.get("SEED") or str(datetime.date.today())
POLLED = matrix.all_polled()
ONE = matrix.Polled("volumes", "netbox", "get")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    certificates.write(file)
    return str(file)


@contextlib.contextmanager
def watched_pages(polled):
    """A list of the lookups of each page of the cell's listing, with what they were when the page came."""
    module = importlib.import_module(f"modules.{polled.family}.{polled.provider}")
    cell, carried = module.CELL, []

    def fetch(scope):
        for page in cell.fetch(scope):
            carried.append((page.lookups, repr(page.lookups)))
            yield page

    module.CELL = dataclasses.replace(cell, fetch=fetch)
    try:
        yield carried
    finally:
        module.CELL = cell


@pytest.fixture(scope="module")
def subject(certificate):
    """Gives the subject of a handler."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def of(polled):
            with watched_pages(polled) as carried:
                made = matrix.Subject(polled, certificate)
            stack.callback(made.close)
            made.carried = carried
            return made

        yield of
    gc.unfreeze()  # what the subjects froze
    gc.collect()
    gc.freeze()  # as tests/conftest.py left it


@pytest.mark.parametrize("polled", POLLED, ids=str)
def test_a_poll_with_a_fault_is_complete_or_fails_as_documented(subject, polled):
    whole = subject(polled)
    for case in matrix.chosen(whole.cases(), SHARE, SEED):
        outcome = whole.outcome(case)
        again = f"SHARE={SHARE} SEED={SEED} python -m pytest tests/test_faults.py"
        assert outcome.kind in matrix.GOOD, f"{case}: {outcome.kind}: {outcome.detail} ({again})"


def test_every_handler_and_every_fault_is_in_the_matrix(subject):
    """Of handlers, all that call something: those with a cassette of their own, and all logins."""
    met = set()
    for polled in POLLED:
        cases = list(subject(polled).cases())
        own = matrix.cassettes.path(polled.family, polled.provider, polled.handler)
        calls = own.exists() or (polled.handler == "validate_credentials")
        assert bool(cases) == calls, polled
        met.update(str(case.fault) for case in cases)
    known = {str(fault) for fault in (*faults.HTTP, *faults.OPENING, *faults.MESSAGES)}
    assert known == met


@pytest.mark.parametrize("polled", POLLED, ids=str)
def test_short_pages_change_nothing_but_the_number_of_requests(
    subject, certificate, monkeypatch, polled
):
    short = subject(polled)
    monkeypatch.setattr(matrix, "PAGE", 1000)
    whole = matrix.Subject(polled, certificate)
    whole.close()
    assert whole.answer == short.answer or not whole.exchanges  # then the time of the poll differs
    assert len(whole.exchanges) <= len(short.exchanges)


@pytest.mark.parametrize("polled", [each for each in POLLED if each.handler == "get"], ids=str)
def test_a_page_carries_its_lookups_complete(subject, polled):
    """What converts a record must not depend on the pages that come after it."""
    carried = subject(polled).carried
    assert carried
    for lookups, before in carried:
        assert repr(lookups) == before


def test_most_families_of_a_provider_that_pages_have_several_pages(subject):
    for provider in ("aws", "netbox", "openstack"):
        paged = {
            p.family
            for p in POLLED
            if p.provider == provider and any(e.earlier for e in subject(p).exchanges)
        }
        assert len(paged) >= 4, provider


def test_the_choice_of_a_case_does_not_depend_on_others(subject):
    cases = list(subject(ONE).cases())
    chosen = matrix.chosen(cases, 0.2, "a")
    assert 0 < len(chosen) < len(cases) / 2
    assert matrix.chosen(cases[::2], 0.2, "a") == [case for case in cases[::2] if case in chosen]
    assert matrix.chosen(cases, 0.2, "b") != chosen


# --- what the matrix must see ---------------------------------------------------------------------


def loses(answer, context):
    return answer[1:]


def invents(answer, context):
    return [*answer, {**answer[0], "id": "another"}]


def crashes(answer, context):
    raise KeyError("name")


def answers_with_no_json(answer, context):
    return [{**answer[0], "size": float("nan")}]


def leaks_in_the_log(answer, context):
    context.lines.append(f"info token {canaries.TOKEN[:20]}")
    return answer


def leaks_in_the_state(answer, context):
    context.state.set("login", canaries.FORMS["hex"](canaries.TOKEN))
    return answer


LEFT = []  # what ends it


def holds_much(answer, context):
    assert b"x" * 2 * matrix.MEMORY
    return answer


def leaves_a_thread(answer, context):
    stop = threading.Event()
    threading.Thread(target=stop.wait, args=(60,), daemon=True, name="left").start()
    LEFT.append(stop.set)
    return answer


def calls_and_calls(answer, context):
    """On a connection to wherever the last look-up led."""
    (*_, address), *_ = matrix.network._getaddrinfo("127.0.0.1", 443)
    connection = http.client.HTTPConnection(*address)
    for _ in range(200):
        connection.request("GET", "/api/status/")
        connection.getresponse().read()
    connection.close()
    return answer


def leaves_a_socket(answer, context):
    LEFT.append(socket.socket().close)
    return answer


@pytest.mark.parametrize(
    "does, kind",
    [
        (loses, "silent loss"),
        (invents, "silent loss"),
        (crashes, "undocumented"),
        (answers_with_no_json, "undocumented"),
        (calls_and_calls, "runs on"),
        (leaks_in_the_log, "leak"),
        (leaks_in_the_state, "leak"),
        (holds_much, "memory"),
        (leaves_a_thread, "left open"),
        (leaves_a_socket, "left open"),
    ],
)
def test_what_is_bad_is_seen(subject, monkeypatch, does, kind):
    whole = subject(ONE)
    case = next(case for case in whole.cases() if str(case.fault) == "status 503")
    assert whole.outcome(case).kind == "complete"
    if kind == "left open":  # which is what is waited for in vain
        monkeypatch.setattr(matrix, "PATIENCE_S", 0.01)
    handler = whole._function
    monkeypatch.setattr(
        whole, "_function", lambda event, context: does(handler(event, context), context)
    )
    try:
        assert whole.outcome(case).kind == kind
    finally:
        while LEFT:
            LEFT.pop()()


def test_a_poll_of_aws_sends_all_calls_that_a_fault_may_touch(subject):
    """Those of its client, and those of its name."""
    whole = subject(matrix.Polled("networks", "aws", "get"))
    name = "POST / DescribeSubnets"
    case = next(c for c in whole.cases() if c.call.name == name and str(c.fault) == "gzip")
    met = next(exchange for exchange in whole.exchanges if exchange.call == case.call)

    def touched(exchanges):
        return [
            exchange.call
            for exchange in exchanges
            if exchange.call.name == name or client(exchange) == client(met)
        ]

    def client(exchange):
        return matrix.cassettes.signed_for(exchange.request.headers["Authorization"])

    assert whole.outcome(case).kind == "complete"
    sent = whole._proxy.exchanges  # without the one that met the fault
    assert len(touched(sent)) == len(touched(whole.exchanges)) - 1
    assert len(sent) < len(whole.exchanges) - 1
    assert whole._proxy.requests + whole._remembered.count == len(whole.exchanges)


def test_a_fault_that_no_request_met_is_no_success(subject):
    whole = subject(ONE)
    case = next(whole.cases())
    never = matrix.dataclasses.replace(case, call=matrix.Call(case.call.name, 99))
    assert whole.outcome(never).kind == "not met"


def test_another_host_is_seen(subject, monkeypatch):
    whole = subject(ONE)
    handler = whole._function

    def elsewhere(event, context):
        matrix.network._getaddrinfo("elsewhere.invalid", 443)
        return handler(event, context)

    monkeypatch.setattr(whole, "_function", elsewhere)
    case = next(case for case in whole.cases() if str(case.fault) == "status 503")
    assert whole.outcome(case) == matrix.Outcome("elsewhere", "elsewhere.invalid")


# --- in front of a server that is really there ------------------------------------------------------


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass


def test_the_proxy_forwards_to_a_server_and_does_what_a_fault_says(certificate):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    proxy = Proxy(Forwarded(), certificate)
    try:

        def get():
            host = f"127.0.0.1:{server.server_address[1]}"
            request = urllib.request.Request(
                f"http://127.0.0.1:{proxy.port}/a/1", headers={"Host": host}
            )
            with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - on loopback
                return response.read()

        assert get() == b"hello"
        (exchange,) = proxy.exchanges
        assert exchange.call.name == "GET /a/{}"
        cut = next(fault for fault in faults.HTTP if str(fault) == "cut by a byte")
        proxy.begin(cut, exchange.call)
        with pytest.raises(http.client.IncompleteRead):
            get()
        assert get() == b"hello"
    finally:
        proxy.stop()
        server.shutdown()
        server.server_close()
        thread.join()
