"""Every handler of every cell, by existing, with a hostile answer in place of one that was recorded.

Whatever a provider sends, a poll ends in a documented error or in an answer that is JSON. The choice of
answers is seeded: two runs do the same. Nothing here names a family or a provider. `make test-long` sends more.
"""

import contextlib
import functools
import importlib
import io
import json
import os
import random
import re
import time

import botocore.loaders
import botocore.session
import freezegun
import pytest
import vcr.cassette

from flexlocal import accounts, cassettes, websocket_cassettes
from flexlocal.__main__ import families
from flexlocal.context import Context
from flexlocal.websocket_cassettes import NotRecorded
from shared.engine import network
from shared.engine.errors import ConnectorError, UnexpectedResponse
from shared.transport import websocket
from tests.fuzz.inputs import TEXTS, VALUES, holders
from tools.expected import SEEN_AT

HANDLERS = ("get", "get_status", "get_metrics", "get_logs", "validate_credentials")
CALLS = [
    (family, provider, handler)
    for family, cells in families().items()
    for provider in sorted(cells)
    for handler in HANDLERS
    if hasattr(importlib.import_module(f"modules.{family}.main"), handler)
]
TRIES = int(os.environ.get("TRIES", "4"))  # of a handler

pytestmark = pytest.mark.usefixtures("no_network", "fast")

# --- what is sent ---------------------------------------------------------------------------------

# In place of a whole JSON answer.
DOCUMENTS = (
    b"",
    b"null",
    b"7",
    b'"text"',
    b"[]",
    b"[7]",
    b"{}",
    b'{"version": []}',
    b'{"versions": [7]}',
    b'{"versions": {"values": 7}}',
    b'{"token": []}',
    b'{"token": {"catalog": [7]}}',
    b'{"error": [[]]}',
    b'{"__type": 7, "message": {"a": 1}}',
    b'{"message": "\\ud800"}',
    b'{"detail": "\\ud800", "error": {"message": "\\ud800"}}',
    b"\xff\xfe",
    '{"a": 1}'.encode("utf-16"),
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"<html><body>hello</body></html>",
)
# In place of a whole XML answer.
XML_DOCUMENTS = (
    b"",
    b"<a/>",
    b"<html><body>hello</body></html>",
    b"<a>" * 100_000,
    b"<Response>" + b"<a>" * 50_000 + b"</a>" * 50_000 + b"</Response>",
    b"<Response><Errors>x</Errors></Response>",
    b"<Response><Errors/><RequestID/></Response>",
    b"<Response><Errors><Error>x</Error></Errors></Response>",
    b"<Response><Errors><Error><Code><a/></Code></Error></Errors></Response>",
    b"<ErrorResponse><Error>x</Error><ResponseMetadata>x</ResponseMetadata></ErrorResponse>",
    b"<Error><Code/><Message/></Error>",
    b'<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;">]><a>&c;</a>',
)
REDIRECTS = (
    "https://{host}:{other}/",
    "http://{host}:{other}/",
    "{other_scheme}://{host}:{port}/",
    "http://elsewhere.invalid/",
    "//elsewhere.invalid/",
    "http://[::1",
    "http://[bad]/",
    "http://{host}:99999/",
    "http://{host}:x/",
    "http://" + "a" * 64 + ".invalid/",
    "http://a b/",
    "http:///",
    "ftp://{host}:{port}/",
    "{scheme}://{host}:{port}\\@elsewhere.invalid/",
    "{scheme}://u:p@{host}:{port}/",
    "/caf\u00e9",
    "\u00ff\u00fe",
)
STATUSES = (200, 200, 200, 400, 401, 403, 404, 409)


def mutated(response, rng):
    """The recorded answer with something hostile in it, and what that is."""
    status = rng.choice(STATUSES)
    body = response["body"]["string"]
    xml = body.lstrip().startswith(b"<")
    if rng.random() < 0.3:
        hostile = rng.choice(XML_DOCUMENTS if xml else DOCUMENTS)
    else:
        hostile = with_text(body, rng) if xml else with_value(body, rng)
    status = response["status"]["code"] if status == 200 else status
    return answer(response, status, hostile), f"{status} {shown(hostile)}"


def answer(response, status, body, **headers):
    kept = {n: v for n, v in response["headers"].items() if n.lower() != "content-length"}
    return {
        "status": {"code": status, "message": "Hostile"},
        "headers": {**kept, **{name: [value] for name, value in headers.items()}},
        "body": {"string": body},
    }


def with_value(body, rng):
    """The JSON with one value replaced, at any depth; what is no JSON is replaced as a whole."""
    try:
        document = json.loads(body)
    except ValueError:
        return rng.choice(DOCUMENTS)
    places = list(holders(document))
    if not places:
        return rng.choice(DOCUMENTS)
    holder, key = rng.choice(places)
    holder[key] = "HOSTILE"
    return json.dumps(document).encode().replace(b'"HOSTILE"', rng.choice(VALUES), 1)


def with_text(body, rng):
    """The XML with one text replaced."""
    texts = list(re.finditer(rb">[^<>]*</", body))
    if not texts:
        return rng.choice(XML_DOCUMENTS)
    found = rng.choice(texts)
    return body[: found.start() + 1] + rng.choice(TEXTS) + body[found.end() - 2 :]


def shown(body):
    return body[:200] + b"..." + body[-100:] if len(body) > 300 else body


# --- a replay with one answer that is another -----------------------------------------------------


@pytest.fixture(scope="module")
def prepared():
    """What takes long and is the same in each poll: the clock and botocore's models."""
    loader = botocore.loaders.create_loader()
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(botocore.session, "create_loader", lambda *_: loader)
        ignored = ["threading", "queue", "shared.engine.deadline"]
        stack.enter_context(freezegun.freeze_time(SEEN_AT, ignore=ignored))
        yield accounts.demo()


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr(network.Network, "pause", lambda self, seconds: None)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # botocore's


@pytest.fixture
def run(prepared, monkeypatch):
    """Calls a handler for its demo account; ``change`` takes the place of the answer at ``position``.

    Gives what came of it, and how many answers were replayed.
    """
    play, receive = vcr.cassette.Cassette.play_response, websocket_cassettes.Player.receive
    state = {}

    def next_is_changed():
        state["played"] += 1
        return state["played"] - 1 == state["position"]

    def play_response(self, request):
        response = play(self, request)
        return state["change"](request, response) if next_is_changed() else response

    def received(self):
        message = receive(self)
        if not next_is_changed():
            return message
        body = json.dumps(message).encode()
        response = {"status": {"code": 200}, "headers": {}, "body": {"string": body}}
        return websocket.parse_message(state["change"](None, response)["body"]["string"], self._url)

    monkeypatch.setattr(vcr.cassette.Cassette, "play_response", play_response)
    monkeypatch.setattr(websocket_cassettes.Player, "receive", received)

    def call(family, provider, handler, position=-1, change=None):
        state.update(played=0, position=position, change=change)
        function = getattr(importlib.import_module(f"modules.{family}.main"), handler)
        event = prepared[f"demo-{provider}"].event()
        files = [cassettes.path(family, provider, handler), cassettes.path(handler, provider)]
        of_get = cassettes.path(family, provider)  # a login that calls nothing else
        replay = cassettes.replay(next((each for each in files if each.exists()), of_get))
        with replay, contextlib.redirect_stdout(io.StringIO()):
            try:
                outcome = function(event, Context(dict(cassettes.CONFIG)))
            except (ConnectorError, NotRecorded) as error:
                outcome = error
        return outcome, state["played"]

    return call


@pytest.mark.parametrize("family, provider, handler", CALLS, ids=map("/".join, CALLS))
def test_hostile_answers(run, family, provider, handler):
    _, count = run(family, provider, handler)
    rng = random.Random(f"{family}/{provider}/{handler}")
    for number in range(TRIES if count else 0):
        position, sent = rng.randrange(count), []
        change = functools.partial(made_hostile, rng, sent)
        try:
            outcome, _ = run(family, provider, handler, position, change)
        except Exception as error:
            raise AssertionError(f"try {number}, answer {position}: {sent}") from error
        if isinstance(outcome, (ConnectorError, NotRecorded)):
            str(outcome).encode("utf-8")
            continue
        try:
            json.dumps(outcome, allow_nan=False, ensure_ascii=False).encode("utf-8")
        except (ValueError, TypeError) as error:
            raise AssertionError(f"try {number}, answer {position}: {sent}") from error


def made_hostile(rng, sent, request, response):
    changed, what = mutated(response, rng)
    sent.append(what)
    return changed


@pytest.mark.parametrize("family, provider, handler", CALLS, ids=map("/".join, CALLS))
def test_redirects_to_elsewhere(run, family, provider, handler):
    """Another scheme, host or port of the same host, or no URL at all: refused, and never asked."""
    _, count = run(family, provider, handler)
    rng = random.Random(f"{family}/{provider}/{handler}")
    for _ in range(min(count, 3)):
        sent = []
        change = functools.partial(redirected, rng, sent)
        try:
            outcome, _ = run(family, provider, handler, rng.randrange(count), change)
        except Exception as error:
            raise AssertionError(f"{sent}") from error
        if sent and handler == "validate_credentials":
            assert outcome["ok"] is False and "UnexpectedResponse" in outcome["reason"], sent
        elif sent:
            assert isinstance(outcome, UnexpectedResponse), (sent, outcome)


def redirected(rng, sent, request, response):
    if request is None or request.method == "DELETE":
        return response  # a WebSocket; OSM's token, which may as well stay
    scheme, host, port = request.scheme, request.host, request.port
    other = {"http": "https", "https": "http"}[scheme]
    location = rng.choice(REDIRECTS).format(
        scheme=scheme, host=host, port=port, other=port % 60_000 + 1, other_scheme=other
    )
    status = rng.choice((301, 302, 303, 305, 307, 308))
    sent.append((status, location))
    return answer(response, status, b"", Location=location)


def test_the_walk_reaches_every_cell(run):
    """A cell whose poll can't be replayed would pass unseen."""
    for family, provider, handler in CALLS:
        outcome, count = run(family, provider, handler)
        assert isinstance(outcome, (dict, list)), (family, provider, handler)
        assert count or handler != "get", (family, provider)
