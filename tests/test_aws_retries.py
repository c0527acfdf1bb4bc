"""Which answers of AWS are tried again: each status x body x protocol, against a server on loopback.

What a proxy or a load balancer on the way answers has any body or none; what counts is its status.
"""

import gzip
import threading
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import botocore.session
import pytest

from flexlocal import manifest
from shared.engine.deadline import Deadline
from shared.engine.errors import ConnectorError, Throttled, Unreachable
from shared.providers import aws
from shared.transport import http
from tests.fakes.poll import a_poll

REGION = "us-east-1"
# protocol -> a listing of a service that speaks it, and an empty answer
LISTINGS = {
    "ec2": (
        ("ec2", "describe_vpcs", "Vpcs"),
        b"<DescribeVpcsResponse><vpcSet/></DescribeVpcsResponse>",
    ),
    "query": (
        ("elbv2", "describe_load_balancers", "LoadBalancers"),
        b"<DescribeLoadBalancersResponse><DescribeLoadBalancersResult><LoadBalancers/>"
        b"</DescribeLoadBalancersResult></DescribeLoadBalancersResponse>",
    ),
    "json": (("directconnect", "describe_connections", "connections"), b'{"connections": []}'),
    "rest-json": (("efs", "describe_file_systems", "FileSystems"), b'{"FileSystems": []}'),
}
NOT_JSON, HTML = {"Content-Type": "text/plain"}, {"Content-Type": "text/html"}
BODIES = {
    "empty": ({}, b""),
    "text": (NOT_JSON, b"no healthy upstream"),
    "html": (HTML, b"<html><body><h1>502 Bad Gateway</h1><hr></body></html>"),
    "doctype": (HTML, b"<!DOCTYPE html>\n<html lang=en><title>Error</title><p>Sorry<br>"),
    "half xml": (NOT_JSON, b"<Response><Errors><Error><Code>Unavail"),
    "half json": (NOT_JSON, b'{"__type": "Unavail'),
    "other json": (NOT_JSON, b'{"code": 503, "error": {"code": 12}, "__type": null}'),
    "json list": (NOT_JSON, b"[1, 2]"),
    "json text": (NOT_JSON, b'"busy"'),
    "no utf-8": (NOT_JSON, b"\xff\xfe\x00<Code>\xff</Code>"),
    "no gzip": ({"Content-Encoding": "gzip"}, b"no healthy upstream"),
    "gzip": ({"Content-Encoding": "gzip"}, gzip.compress(b"no healthy upstream", mtime=0)),
    "deep xml": (NOT_JSON, b"<a>" * 20_000 + b"</a>" * 20_000),
    "ec2 error": (
        NOT_JSON,
        b"<Response><Errors><Error><Code>Strange</Code><Message>a &lt; b</Message></Error></Errors>"
        b"<RequestID>r</RequestID></Response>",
    ),
    "query error": (
        NOT_JSON,
        b"<ErrorResponse><Error><Code>Strange</Code><Message>m</Message></Error></ErrorResponse>",
    ),
    "json error": (NOT_JSON, b'{"__type": "com.amazonaws#Strange", "message": "m"}'),
    "rest-json error": ({"x-amzn-ErrorType": "Strange:http://x/"}, b'{"message": "m"}'),
}
PASSING = (408, 429, 500, 502, 503, 504, 529)
PERMANENT = (301, 400, 403, 404)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(http, "FIRST_DELAY_S", 0)


class Server(ThreadingHTTPServer):
    """Answers ``refusal`` (status, headers, body) as many ``times``, then ``answer``."""

    daemon_threads = True
    refusal, times, answer, calls = (200, {}, b""), 0, b"", 0


class Handler(BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", -1

    def do_POST(self):
        server = self.server
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server.calls += 1
        status, headers, body = (200, {}, server.answer)
        if server.calls <= server.times:
            status, headers, body = server.refusal
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    made = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture(scope="module")
def scope(server):
    given = {
        "aws_access_key_id": "AKIAINVENTEDEXAMPLE1",
        "aws_secret_access_key": "invented",
        "endpoint_url": f"http://127.0.0.1:{server.server_address[1]}",
    }
    log = types.SimpleNamespace(info=print)
    poll = a_poll("servers", deadline=Deadline(600), log=log)
    return aws.Scope(REGION, aws.Session(aws.credentials(given, False), poll))


def listed(server, scope, protocol, refusal, times):
    listing, server.answer = LISTINGS[protocol]
    server.refusal, server.times, server.calls = refusal, times, 0
    return list(aws.pages(scope, *listing))


def failure(*listing, **times):
    with pytest.raises(Exception) as caught:
        listed(*listing, **times)
    return aws.classify(caught.value) or caught.value


def test_each_protocol_in_use_is_in_here():
    known = manifest.load()
    services = {name for each in known.modules.values() for name in each.botocore_data}
    services.update(known.providers["aws"].botocore_data)
    assert len(services) > 8
    session = botocore.session.Session()
    for name in services:
        aws.responses.use_json(session, name)
    spoken = {session.get_service_model(name).metadata["protocol"] for name in services}
    assert spoken == set(LISTINGS)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("status", PASSING)
@pytest.mark.parametrize("protocol", LISTINGS)
def test_what_may_pass_is_tried_again_whatever_its_body_is(server, scope, protocol, status, body):
    refusal = (status, *BODIES[body])
    assert listed(server, scope, protocol, refusal, times=3) == [[]]
    assert server.calls == 4
    error = failure(server, scope, protocol, refusal, times=1000)
    throttled = status == 429 and body != "no gzip"  # that one is cut off, as far as one can tell
    assert type(error) is (Throttled if throttled else Unreachable)
    assert server.calls == http.ATTEMPTS


@pytest.mark.parametrize(
    "body", sorted(set(BODIES) - {"no gzip"})
)  # a broken answer, which may pass
@pytest.mark.parametrize("status", PERMANENT)
@pytest.mark.parametrize("protocol", LISTINGS)
def test_what_is_permanent_is_not(server, scope, protocol, status, body):
    assert isinstance(
        failure(server, scope, protocol, (status, *BODIES[body]), times=1000), ConnectorError
    )
    assert server.calls == 1


THROTTLING = {
    "ec2": (
        503,
        {},
        b"<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>",
    ),
    "query": (400, {}, b"<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>"),
    "json": (400, {}, b'{"__type": "ThrottlingException"}'),
    "rest-json": (503, {"x-amzn-errortype": "SlowDown:http://x/"}, b"{}"),
}


@pytest.mark.parametrize("protocol", LISTINGS)
def test_throttling_is_told_by_its_code(server, scope, protocol, monkeypatch):
    waited = []
    monkeypatch.setattr(
        http, "delay_before_retry", lambda attempt, _, retry_after: waited.append(retry_after) or 0
    )
    status, headers, body = THROTTLING[protocol]
    refusal = (status, {**headers, "Retry-After": "7"}, body)
    assert listed(server, scope, protocol, refusal, times=2) == [[]]
    assert waited == [7.0, 7.0]
    monkeypatch.undo()
    monkeypatch.setattr(http, "FIRST_DELAY_S", 0)
    assert isinstance(
        failure(server, scope, protocol, (status, headers, body), times=1000), Throttled
    )


def test_what_the_service_says_is_in_the_error(server, scope):
    error = failure(server, scope, "ec2", (500, *BODIES["ec2 error"]), times=1000)
    assert error.message == "DescribeVpcs: Strange: a < b"
    error = failure(server, scope, "json", (503, *BODIES["text"]), times=1000)
    assert (
        error.message
        == f"DescribeConnections: HTTP 503: from {scope.session.credentials.endpoint_url}/"
    )
