"""The HTTP session against a loopback server: bounded, retried where it helps, true to its host."""

import concurrent.futures
import contextlib
import email.utils
import http.server
import socket
import socketserver
import ssl
import threading
import time
import types
from pathlib import Path

import certifi
import pytest
import requests
import urllib3

from shared.engine import tls
from shared.engine.deadline import Deadline
from shared.engine.errors import (
    InvalidEvent,
    OutOfTime,
    Throttled,
    UnexpectedResponse,
    Unreachable,
)
from shared.engine.network import Network
from shared.engine.traffic import Traffic
from shared.providers.openstack import errors as openstack_errors
from shared.providers.osm import responses as osm_responses
from shared.transport import http as our_http
from shared.transport import restconf, sessions
from tests.fakes import certificates


class Server:
    """Answers each request with the next of ``answers``, the last of them for ever after.

    An answer is (status, headers, body); a body of None closes the connection without an answer.
    """

    def __init__(self):
        self.answers = [(200, {}, b"{}")]
        self.asked = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                number = len(outer.asked)
                outer.asked.append((self.path, dict(self.headers)))
                status, headers, body = outer.answers[min(number, len(outer.answers) - 1)]
                if body is None:
                    self.close_connection = True
                    return
                self.send_response(status)
                length = {"Content-Length": str(len(body)), "Connection": "close"}
                for name, value in {**length, **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = True

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def server():
    made = Server()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def slept(monkeypatch):
    """Delays asked for, none of them slept."""
    delays = []
    monkeypatch.setattr(Network, "pause", lambda self, seconds: delays.append(seconds))
    return delays


def session(seconds=600.0, **kwargs):
    traffic = Traffic()
    return sessions.session(Network(Deadline(seconds)), traffic, **kwargs), traffic


OK = (200, {}, b'{"ok": 1}')


@pytest.mark.parametrize(
    "trouble",
    [
        (429, {}, b""),
        (413, {"Retry-After": "0"}, b""),
        (408, {}, b""),
        (500, {}, b""),
        (502, {}, b"<html>"),
        (503, {}, b""),
        (504, {}, b""),
        (200, {"Content-Length": "100"}, b'{"cut'),
        (0, {}, None),
    ],
    ids=lambda answer: str(answer[0]),
)
def test_trouble_three_times_in_a_row_is_survived(server, slept, trouble):
    server.answers = [trouble] * 3 + [OK]
    web, traffic = session()
    assert web.get(server.url).json() == {"ok": 1}
    assert (traffic.calls, traffic.retries, len(slept)) == (4, 3, 3)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 501])
def test_what_is_permanent_is_not_retried(server, slept, status):
    server.answers = [(status, {}, b"")]
    web, traffic = session()
    assert web.get(server.url).status_code == status
    assert (traffic.calls, slept) == (1, [])


def test_endless_trouble_ends_after_the_stated_tries(server, slept):
    server.answers = [(503, {}, b"")]
    web, traffic = session()
    assert web.get(server.url).status_code == 503
    assert traffic.calls == our_http.ATTEMPTS
    for number, delay in enumerate(slept):
        longest = min(our_http.LONGEST_DELAY_S, our_http.FIRST_DELAY_S * 2**number)
        assert longest / 2 <= delay <= longest


def test_a_refused_connection_ends_after_the_stated_tries(server, slept):
    server.server.shutdown()
    server.server.server_close()
    web, traffic = session()
    with pytest.raises(requests.exceptions.ConnectionError):
        web.get(server.url)
    assert traffic.calls == our_http.ATTEMPTS


def test_retry_after_is_honoured(server, slept):
    later = email.utils.formatdate(time.time() + 3600, usegmt=True)
    server.answers = [(429, {"Retry-After": "33"}, b""), (503, {"Retry-After": later}, b""), OK]
    web, _ = session(seconds=7200)
    web.get(server.url)
    assert 32 < slept[0] <= 33  # the clock runs meanwhile
    assert 600 < slept[1] <= 3600


def test_no_retry_is_started_that_the_deadline_does_not_allow(server, slept):
    server.answers = [(429, {"Retry-After": "33"}, b""), OK]
    web, traffic = session(seconds=30)
    assert web.get(server.url).status_code == 429
    assert (traffic.calls, slept) == (1, [])


def test_no_call_is_made_after_the_deadline(server):
    deadline = Deadline(5, clock=iter([0, 6, 6, 6]).__next__)
    web = sessions.session(Network(deadline), Traffic())
    with pytest.raises(OutOfTime, match=f"GET {server.url}/x"):
        web.get(server.url + "/x?token=secret")
    assert server.asked == []


def test_each_call_gets_what_is_left(monkeypatch):
    given = []

    def send(self, request, **kwargs):
        given.append(kwargs["timeout"])
        raise requests.exceptions.SSLError()

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    for now in (0, 595, 560):
        clock = iter([0] + [now] * 9)
        network = Network(Deadline(600, clock=clock.__next__))
        web = sessions.session(network, Traffic())
        with pytest.raises(requests.exceptions.SSLError):  # and is not tried again
            web.get("https://host.invalid/")
    assert given == [(10, 60), (5, 5), (10, 40)]


def test_a_redirect_to_another_host_is_refused(server):
    server.answers = [(302, {"Location": "http://elsewhere.invalid/steal"}, b"")]
    web, traffic = session()
    with pytest.raises(UnexpectedResponse, match=r"another place \(http://elsewhere.invalid"):
        web.get(server.url, headers={"X-Auth-Token": "t"})
    assert traffic.calls == 1


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:1/",
        "http://127.0.0.1/",
        "https://127.0.0.1:{port}/",
        "http://[::1",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:x/",
        "http:///",
        "http:x",
        "//elsewhere.invalid/",
        "ftp://127.0.0.1:{port}/",
        "http://me:word@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}\\@elsewhere.invalid/",
        "/caf\u00e9",
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 305, 307, 308])
def test_a_redirect_to_another_port_or_scheme_is_refused(server, status, location):
    port = server.url.rstrip("/").rpartition(":")[2]
    server.answers = [(status, {"Location": location.format(port=port)}, b"")]
    web, traffic = session()
    with pytest.raises(UnexpectedResponse, match="redirects to"):
        web.get(server.url, headers={"X-Auth-Token": "t"})
    assert traffic.calls == 1


def test_a_url_that_is_none_is_not_asked_for():
    web, traffic = session()
    for url in ("http://a..b/", f"http://{'a' * 64}.invalid/", "http://u:p@host.invalid/"):
        with pytest.raises(UnexpectedResponse, match="is no URL to send a request to"):
            web.get(url)
    assert traffic.calls == 0


def test_a_redirect_on_the_same_host_is_followed(server):
    server.answers = [(302, {"Location": "/v3/"}, b""), OK]
    web, _ = session()
    assert web.get(server.url).json() == {"ok": 1}


def test_netrc_is_no_source_of_credentials(server, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password ambient")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    web, _ = session()
    web.get(server.url)
    assert "Authorization" not in server.asked[0][1]


@pytest.mark.parametrize(
    "url, shown",
    [
        ("https://u:p@host:8774/v2.1/servers?marker=1#x", "https://host:8774/v2.1/servers"),
        ("http://[::1]:80/", "http://[::1]:80/"),
    ],
)
def test_urls_are_shown_without_query_and_user(url, shown):
    assert our_http.without_query(url) == shown


@pytest.mark.parametrize("value", [None, "", "soon", "-5"])
def test_a_retry_after_that_says_nothing(value):
    assert our_http.retry_after(value) in (None, 0)


@pytest.mark.parametrize(
    "value, seconds",
    [
        ("33", 33.0),
        ("0.5", 0.5),
        ("0", 0.0),
        ("-5", 0.0),
        ("Thu, 01 Jan 1970 00:17:10 GMT", 30.0),
        ("Thu, 01 Jan 1970 00:16:39 GMT", 0.0),
        ("Thu, 99 Jan 1970 00:16:39 GMT", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_what_a_retry_after_says(monkeypatch, value, seconds):
    monkeypatch.setattr(our_http.time, "time", lambda: 1000.0)
    assert our_http.retry_after(value) == seconds


@pytest.mark.parametrize(
    "status, again",
    [
        *((status, True) for status in (408, 429, 500, 502, 503, 504)),
        *((status, False) for status in (200, 304, 400, 401, 403, 404, 409, 413, 501, 505)),
    ],
)
def test_which_statuses_are_tried_again(status, again):
    assert our_http.should_retry(status, {}) is again
    assert our_http.should_retry(status, {"Retry-After": "1"}) is (again or status == 413)


@pytest.mark.parametrize(
    "statuses, kind",
    [
        ((413, 429), Throttled),
        ((408, 500, 502, 503, 504, 505), Unreachable),
        ((400, 409, 418), UnexpectedResponse),
    ],
)
def test_what_a_status_means_wherever_it_comes_from(statuses, kind):
    for status in statuses:
        response = requests.Response()
        response.status_code, response.url, response._content = status, "https://x/y", b"{}"
        with pytest.raises(kind):
            osm_responses.check(response)
        assert type(restconf._refusal(response.url, "/y", response, None)) is kind
        error = types.SimpleNamespace(http_status=status, url=None, response=None, message="no")
        assert type(openstack_errors.by_status(error)) is kind


@pytest.mark.parametrize(
    "error, kind",
    [
        (requests.exceptions.ChunkedEncodingError("cut"), Unreachable),
        (requests.exceptions.ConnectTimeout("late"), Unreachable),
        (requests.exceptions.ConnectionError("refused"), Unreachable),
        (requests.exceptions.ContentDecodingError("no gzip"), Unreachable),
        (requests.exceptions.ReadTimeout("late"), Unreachable),
        (requests.exceptions.SSLError("expired"), Unreachable),
        (requests.exceptions.InvalidURL("no host"), UnexpectedResponse),
        (requests.exceptions.TooManyRedirects("31"), UnexpectedResponse),
        (OSError("of the host"), type(None)),
    ],
)
def test_what_an_exception_of_requests_means(error, kind):
    assert type(sessions.classify(error, "the API")) is kind


class Left:
    """A deadline with so many seconds left."""

    def __init__(self, seconds):
        self.seconds = seconds

    def remaining(self):
        return self.seconds


def test_delays_double_up_to_20_seconds(monkeypatch):
    bounds = []
    monkeypatch.setattr(our_http.random, "uniform", lambda *of: bounds.append(of) or of[1])
    delays = [our_http.delay_before_retry(attempt, Left(600)) for attempt in range(1, 9)]
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, None]
    assert bounds == [(longest / 2, longest) for longest in delays[:-1]]


def test_a_delay_is_never_shorter_than_the_server_requests(monkeypatch):
    monkeypatch.setattr(our_http.random, "uniform", lambda low, high: high)
    assert our_http.delay_before_retry(1, Left(600), 33.0) == 33.0
    assert our_http.delay_before_retry(1, Left(600), 0.0) == 0.5


@pytest.mark.parametrize("left, delay", [(1.5, 0.5), (1.49, None), (0.0, None)])
def test_a_retry_needs_time_for_its_delay_and_a_call(monkeypatch, left, delay):
    monkeypatch.setattr(our_http.random, "uniform", lambda low, high: high)
    assert our_http.delay_before_retry(1, Left(left)) == delay


# --- URLs of accounts -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://host",
        "https://host:8443/api/",
        "HTTPS://host/api",
        "https://[2001:db8::1]:5000/v3",
        "https://192.0.2.7/",
        "https://bücher.example/",
        "https://under_score.example/",
        "https://" + ".".join(["a" * 63] * 3) + "." + "a" * 61,  # 253 characters
    ],
)
def test_a_usable_url(url):
    assert our_http.checked_url(url, "url", "an API").geturl().lower() == url.lower()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host",
        "ftp://host/",
        "http://",
        "http:///path",
        "https://host:0/",
        "https://host:70000/",
        "https://host:x/",
        "https://user@host/",
        "https://user:pw@host/",
        "https://host/?a=1",
        "https://host/#a",
        "https://ho st/",
        "https://host/a\nb",
        "https://host/\\evil.example",
        "https://[::1/",
        "https://[host]/",
        "https://[v1.x]/",
        "https://a..b/",
        "https://" + "a" * 64,
        "https://" + ".".join(["a" * 63] * 3) + "." + "a" * 62,  # 254 characters
        "https://ho!st/",
    ],
)
def test_a_url_that_no_account_may_have(url):
    with pytest.raises(InvalidEvent) as caught:
        our_http.checked_url(url, "auth_url", "Keystone")
    assert caught.value.message == (
        "credentials.auth_url should be the http or https URL of Keystone, "
        "without user name, query and fragment"
    )


@pytest.mark.parametrize("url", ["https://host:x/", "https://[::1", "https://host:99999/"])
def test_a_url_that_can_not_be_read_is_not_shown(url):
    assert our_http.without_query(url) == "a URL that is none"


# --- TLS ------------------------------------------------------------------------------------------


def test_the_ca_of_an_account(own_ca):
    assert our_http.trust(None, True) is None
    assert our_http.trust("", True) is None
    context = our_http.trust(own_ca[0], True)
    assert [each["subject"] for each in context.get_ca_certs()]
    assert our_http.trust(own_ca[0], False) is None


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize(
    "cacert, why",
    [
        ("/etc/passwd", "should be the PEM text of a certificate (only flexlocal reads a path)"),
        ("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n", "is no usable PEM text"),
        ("-----BEGIN é", "is no usable PEM text"),
    ],
)
def test_a_ca_that_is_none(cacert, verify, why):
    with pytest.raises(InvalidEvent) as caught:
        our_http.trust(cacert, verify)
    assert caught.value.message == f"credentials.cacert {why}"


@pytest.fixture(scope="module")
def own_ca(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1, made for this run: (PEM text, path of cert and key)."""
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    return certificates.write(file), str(file)


@pytest.fixture
def tls_server(server, own_ca):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own_ca[1])
    server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
    server.server.handle_error = lambda *args: None  # a client that refuses the certificate
    server.url = server.url.replace("http:", "https:")
    return server


def test_an_unknown_certificate_is_refused_at_once(tls_server, slept):
    web, traffic = session()
    with pytest.raises(requests.exceptions.SSLError):
        web.get(tls_server.url)
    assert (traffic.calls, slept) == (1, [])


def test_a_ca_may_be_given_as_text(tls_server, own_ca):
    web, _ = session(tls=our_http.trusting(own_ca[0]))
    assert web.get(tls_server.url).status_code == 200


def test_a_certificate_of_another_host_is_refused_whoever_signed_it(tls_server, own_ca):
    other = tls_server.url.replace("127.0.0.1", "localhost")
    web, _ = session(tls=our_http.trusting(own_ca[0]))
    with pytest.raises(requests.exceptions.SSLError):
        web.get(other)


def test_verification_can_be_turned_off(tls_server):
    web, _ = session(verify=False)
    with pytest.warns(urllib3.exceptions.InsecureRequestWarning):
        assert web.get(tls_server.url).status_code == 200


@pytest.fixture
def created(monkeypatch):
    """The shared contexts, in the order in which they are created; those of before are unknown."""
    contexts = []

    class Noted(dict):
        def __setitem__(self, key, context):
            if context not in contexts:
                contexts.append(context)
            super().__setitem__(key, context)

    monkeypatch.setattr(tls, "_shared", Noted())
    return contexts


def trusts(url, **kwargs):
    try:
        return session(**kwargs)[0].get(url).status_code == 200
    except requests.exceptions.SSLError:
        return False


def test_the_cas_of_a_file_are_loaded_once_a_process(tls_server, own_ca, created, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", own_ca[1])
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert all(pool.map(trusts, [tls_server.url] * 6))
    assert trusts(tls_server.url)
    assert len(created) == 1
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    assert not trusts(tls_server.url)  # certifi's: another file, another context
    assert len(created) == 2
    assert created[0].cert_store_stats()["x509"] == 1


def test_a_file_of_cas_that_changes_is_read_again(
    tls_server, own_ca, created, monkeypatch, tmp_path
):
    file = tmp_path / "cas.pem"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    file.write_text(Path(certifi.where()).read_text())
    assert not trusts(tls_server.url)
    file.write_text(own_ca[0])
    assert trusts(tls_server.url)
    file.write_text(Path(certifi.where()).read_text())
    assert not trusts(tls_server.url)
    file.write_text("no PEM")
    with pytest.raises((requests.exceptions.SSLError, OSError)):
        session()[0].get(tls_server.url)
    assert len(created) == 3


def test_an_accounts_ca_is_trusted_by_its_own_polls_alone(tls_server, own_ca, created):
    own = our_http.trusting(own_ca[0])
    before = len(own.get_ca_certs())
    assert not trusts(tls_server.url)
    assert trusts(tls_server.url, tls=own)
    assert trusts(tls_server.url, tls=own)
    assert not trusts(tls_server.url)
    assert (before, len(created)) == (1, 1)
    assert own.cert_store_stats()["x509"] == 1 + created[0].cert_store_stats()["x509"]


def test_what_does_not_verify_leaves_the_shared_context_alone(tls_server, created):
    for _ in range(2):
        with pytest.warns(urllib3.exceptions.InsecureRequestWarning):
            assert trusts(tls_server.url, verify=False)
        assert not trusts(tls_server.url)
    assert [context.verify_mode for context in created] == [ssl.CERT_REQUIRED]


class Tunnel(socketserver.BaseRequestHandler):
    """A proxy that connects to where it should, for CONNECT."""

    def handle(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.request.recv(1)
        host, _, port = head.split()[1].decode().rpartition(":")
        self.server.asked.append(f"{host}:{port}")
        with socket.create_connection((host, int(port))) as there:
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=self.relay, args=(there, self.request))
            back.start()
            self.relay(self.request, there)
            back.join()

    @staticmethod
    def relay(source, target):
        with contextlib.suppress(OSError):
            for part in iter(lambda: source.recv(65536), b""):
                target.sendall(part)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy(monkeypatch):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel) as running:
        running.asked, running.daemon_threads = [], True
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{running.server_address[1]}")
        yield running
        running.shutdown()
        running.block_on_close = False


def test_behind_a_proxy_too_the_cas_are_loaded_once(
    tls_server, own_ca, created, monkeypatch, proxy
):
    loads = []
    load = ssl.SSLContext.load_verify_locations
    monkeypatch.setattr(
        ssl.SSLContext,
        "load_verify_locations",
        lambda self, *of, **given: (loads.append(of), load(self, *of, **given))[1],
    )
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", own_ca[1])
    assert all(trusts(tls_server.url) for _ in range(3))
    assert (len(created), len(loads)) == (1, 1)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    assert not trusts(tls_server.url)  # certifi's
    assert trusts(tls_server.url, tls=our_http.trusting(own_ca[0]))
    with pytest.warns(urllib3.exceptions.InsecureRequestWarning):
        assert trusts(tls_server.url, verify=False)
    assert not trusts(tls_server.url)
    assert len(created) == 2
    assert set(proxy.asked) == {tls_server.url.split("/")[2]}


def test_few_contexts_are_kept(tmp_path, own_ca, created):
    for number in range(tls.KEPT + 3):
        file = tmp_path / f"{number}.pem"
        file.write_text(own_ca[0])
        tls._of_file(ssl.create_default_context, str(file))
    assert len(tls._shared) == tls.KEPT


@pytest.mark.parametrize(
    "changed", [{"cert_reqs": "CERT_NONE"}, {"ca_cert_dir": "/dev"}, {"ca_certs": None}]
)
def test_only_what_verifies_with_a_file_gets_a_shared_context(created, changed):
    given = {"cert_reqs": "CERT_REQUIRED", "ca_certs": certifi.where(), "ca_cert_dir": None}
    connection = types.SimpleNamespace(**{**given, **changed}, ssl_context=None)
    with tls.loaded(connection, None, ssl.create_default_context):
        assert connection.ssl_context is None
    assert not created
