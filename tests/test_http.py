"""The HTTP session against a loopback server: bounded, retried where it helps, true to its host."""

import datetime
import email.utils
import http.server
import ipaddress
import ssl
import threading
import time

import pytest
import requests
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.engine.deadline import Deadline
from shared.engine.errors import OutOfTime, UnexpectedResponse
from shared.engine.network import Network
from shared.engine.traffic import Traffic
from shared.transport import http as our_http


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
    return our_http.session(Network(Deadline(seconds)), traffic, **kwargs), traffic


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
    assert slept[0] == 33
    assert 600 < slept[1] <= 3600


def test_no_retry_is_started_that_the_deadline_does_not_allow(server, slept):
    server.answers = [(429, {"Retry-After": "33"}, b""), OK]
    web, traffic = session(seconds=30)
    assert web.get(server.url).status_code == 429
    assert (traffic.calls, slept) == (1, [])


def test_no_call_is_made_after_the_deadline(server):
    deadline = Deadline(5, clock=iter([0, 6, 6, 6]).__next__)
    web = our_http.session(Network(deadline), Traffic())
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
        web = our_http.session(network, Traffic())
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


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_ca(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1, made for this run: (PEM text, path of cert and key)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(pem + private)
    return pem.decode(), str(file)


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
