"""No secret of an account comes out of a poll, whatever a server echoes, of no provider.

Each cell's demo account is replayed with secrets of its own in it, and one answer on the way is a hostile
one that holds them: in each form, and where a cut would leave a part of them. Nothing in here names a family,
and of providers only which of them speak over WebSockets.
"""

import ast
import base64
import http.client
import json
import traceback
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import vcr.request
import websocket

from flexlocal import accounts, cassettes
from flexlocal.__main__ import families
from shared.engine import masking
from shared.engine import poll as engine
from shared.engine.deadline import Deadline
from shared.engine.errors import ConnectorError
from shared.engine.masking import Masker, secrets_in, visible
from shared.transport import http as our_http
from shared.transport import websocket as our_websocket
from tests.fakes.canaries import (
    FORMS,
    KEY,
    PASSWORD,
    TOKEN,
    body,
    leaked,
    secret_credentials,
    secrets_of,
    xml,
)
from tests.fakes.context import Context

ROOT = Path(__file__).resolve().parent.parent
CELLS = [(family, provider) for family, cells in families().items() for provider in sorted(cells)]
CUTS = (300, masking.LONGEST, masking.FAR)


# --- the function that masks ----------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("secret", [PASSWORD, TOKEN, KEY, "s3cret-0123", "pässwörd"])
def test_each_form_is_masked(form, secret):
    mask = Masker(secrets_in({"username": "bob", "password": secret}))
    text = f"before {form(secret)} after"
    assert leaked(mask(text), [secret]) == []
    assert "***" in mask(text)
    assert mask("before and after") == "before and after"


def twice_misread(character):
    return character.encode().decode("latin-1").encode().decode("latin-1")


# Characters of a secret, each with what it may become on its way into an error.
WRITTEN = {
    "ä": ["%C3%A4", "%c3%a4", "%25C3%25A4", "%E4", r"\xc3\xa4", r"\xe4", r"\u00e4", r"\\u00E4", r"\U000000e4",
          "&auml;", "&amp;auml;", "&amp;amp;auml;", "%26auml%3B", "&#228;", "&#0228;", "&#xE4;", "&#x00e4;", "%26%23228%3b",
          "Ã¤", "Ã%C2%A4", r"\u00c3\u00a4", twice_misread("ä"), "?", "????", "\ufffd", "\ufffd\ufffd"],
    "Ā": ["%C4%80", r"\u0100", "&Amacr;", "&#256;", r"\xc4\x80", "?"],
    "€": ["%E2%82%AC", r"\xe2\x82\xac", r"\\xe2\\x82\\xac", r"\u20ac", r"\U000020ac", "&euro;", "&#8364;", "&#x20ac;",
          "â\x82¬", twice_misread("€"), "?", "\ufffd\ufffd\ufffd"],
    "😀": ["%F0%9F%98%80", r"\ud83d\ude00", r"\\ud83d\\ude00", r"\U0001f600", "&#128512;", "&#x1F600;", "????"],
    "\ud83d": [r"\ud83d", "%ED%A0%BD"],
    "\u2002": [],
    "<": ["%3C", "%253c", "&lt;", "&amp;lt;", "&LT;", "&#60;", "&#x3c;", r"\x3c", r"\u003c", r"\\u003C"],
    "&": ["%26", "%2526", "&amp;", "&amp;amp;", "%26amp%3B", r"\u0026", "&#38;"],
    "+": [" ", "%2B", "%252b", "&plus;", r"\u002b"],
    "%": ["%25", "%2525", "&percnt;"],
    "%41": ["A", "%2541", "&#37;41"],
    "%C3": ["%c3", "Ã", "%25C3"],
    '"': ['\\"', '\\\\\\"', "&quot;", "%22", r"\u0022"],
    "'": ["\\'", "&#x27;", "&#39;", "&apos;", "%27"],
    "/": [r"\/", "%2F", "&sol;"],
    "\\": ["\\\\", "\\" * 8, "%5C", "%255c", "&bsol;", "&#92;", "&#x5c;"],
    "\n": [" ", r"\n", r"\\n", "%0A", "%250a", "&#10;", "&NewLine;", r"\u000a", r"\x0a", "\r\n", "+"],
}  # fmt: skip


@pytest.mark.parametrize("character", WRITTEN)
def test_each_way_to_write_a_character_is_masked_and_nothing_else(character):
    mask = Masker([f"abcd{character}efgh"])
    for written in (character, *WRITTEN[character]):
        assert mask(f"(abcd{written}efgh)") == "(***)", written
        assert mask(f"(ABCD{written}EFGH)") == "(***)", written
    for other in ("", "x", "xx", "ax", "%20x", "\x80", "&gt;", r"\u00e5", "?????", "\ufffd" * 5):
        assert mask(f"(abcd{other}efgh)") == f"(abcd{other}efgh)", other


@pytest.mark.parametrize("secret", ["<<???>>~~~??", "s3cret-0123", "pässwörd-1"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", range(4))
def test_base64_is_masked_wherever_the_secret_is_in_what_is_encoded(secret, encode, before):
    """All characters that it alone decides: those that are the same whatever stands around it."""
    one, other = (
        encode(byte * before + secret.encode() + byte * 6).decode() for byte in (b"\0", b"\xff")
    )
    own = "".join(char if char == same else " " for char, same in zip(one, other)).split()
    own = max(own, key=len)
    assert len(own) >= 8 * len(secret.encode()) // 6 - 2
    masked = Masker(secrets_in({"password": secret}))(one)
    assert "***" in masked
    assert not [at for at in range(len(own) - 3) if own[at : at + 4] in masked]


def test_each_long_line_of_a_secret_is_one():
    long, short = "a line of 16 ch.", "one of fifteen."
    assert (len(long), len(short)) == (16, 15)
    mask = Masker(secrets_in({"key": f"{long}\n  {short}"}))
    assert mask(f"<{long}> <{short}>") == f"<***> <{short}>"
    mask = Masker(secrets_in({"key": short}))
    assert mask(f"<{short}>") == "<***>"


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_no_cut_leaves_a_part(form, cut):
    mask = Masker(secrets_in({"password": PASSWORD}))
    written = form(PASSWORD)
    for before in range(cut - len(written) - 1, cut + 1, 3):
        assert leaked(mask.excerpt("." * before + written), [PASSWORD]) == [], before


def test_what_shrinks_by_masking_does_not_bring_the_cut_end_forward():
    mask = Masker(secrets_in({"password": PASSWORD}))
    for text in (f"{PASSWORD} " * 1000, " " * (masking.FAR - 20) + PASSWORD):
        assert leaked(mask.excerpt(text), [PASSWORD]) == []


def test_an_excerpt_is_one_line_without_queries_and_short():
    mask = Masker()
    assert mask.excerpt("a\n  b\x1b[1m") == "a b\\x1b[1m"
    assert mask.excerpt("GET https://h/p?a=b#c: wss://h/?x") == "GET https://h/p: wss://h/"
    assert mask.excerpt("x" * 5000) == "x" * masking.LONGEST + " ..."
    assert len(mask.excerpt("x " * 10_000_000)) < masking.LONGEST + 10


@pytest.mark.parametrize(
    "text, shown",
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\x00b\x7f\x9b", "a\\x00b\\x7f\\x9b"),
        ("exe\u202egnp", "exe\\u202egnp"),
        ("\u2066a\u2069 b\u200bc\ufeff", "\\u2066a\\u2069 b\\u200bc\\ufeff"),
        ("a\nb\u2028c\r", "a\\nb\\u2028c\\r"),
        ("\ud800 \U000e0041", "\\ud800 \\U000e0041"),
        ("server-1 サーバー ö ✓", "server-1 サーバー ö ✓"),
    ],
)
def test_visible(text, shown):
    assert visible(text) == shown


def test_only_the_masker_shortens_or_collapses():
    """Elsewhere it would happen before the masking. Lists may be cut, and what is no text of others."""
    for file in sorted([*(ROOT / "shared").rglob("*.py"), *(ROOT / "flexlocal").rglob("*.py")]):
        if file.name == "masking.py":
            continue
        text = file.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Slice) and isinstance(node.upper, ast.Constant):
                assert not isinstance(node.upper.value, int) or node.upper.value < 30, (
                    f"{file.name}:{node.lineno}"
                )
        # terminal.py folds between words what is masked already, and cuts nothing
        assert "textwrap" not in text or file.name == "terminal.py", file.name
        assert "textwrap.shorten" not in text, file.name


# --- every cell -----------------------------------------------------------------------------------


def echoes(credentials, form=None, before=0):
    """A text with all secrets of the account: in every form, or in one after so many characters."""
    secrets = secrets_of(credentials)
    if form:
        return "." * before + " ".join(map(form, secrets))
    return " ".join(form(secret) for secret in secrets for form in FORMS.values())


def header(text):
    """As a server's header can have it: one line; http.client reads it as Latin-1."""
    return [" ".join(text.splitlines())]


def answer(status, content=b"", reason="Reason", **headers):
    return {
        "status": {"code": status, "message": reason},
        "headers": {name.replace("_", "-"): value for name, value in headers.items()},
        "body": {"string": content},
    }


STATUSES = (400, 401, 403, 404, 405, 409, 429, 500, 503)
ANSWERS = {
    **{f"{n} in JSON": lambda t, n=n: answer(n, body(t), Content_Type=["application/json"]) for n in STATUSES},
    **{f"{n} in XML": lambda t, n=n: answer(n, xml(t), Content_Type=["text/xml"]) for n in (400, 403, 503)},
    "a page": lambda t: answer(500, f"<html>{t}".encode(), Content_Type=["text/html"]),
    "no JSON": lambda t: answer(200, t.encode(), Content_Type=header(t)),
    "another JSON": lambda t: answer(200, body(t), Content_Type=header(t)),
    "a reason": lambda t: answer(500, b"", header(t)[0].encode().decode("latin-1")),
    "headers": lambda t: answer(
        403, b"", WWW_Authenticate=header(t), X_Openstack_Request_Id=header(t), Retry_After=header(t),
        API_Version=header(t), X_Amzn_Errortype=header(t), X_Amzn_Requestid=header(t), Content_Type=header(t),
    ),
    "a redirect": lambda t: answer(302, b"", Location=[f"https://elsewhere.invalid/{header(t)[0]}"]),
    "a redirect to a host": lambda t: answer(302, b"", Location=[f"https://{header(t)[0]}/x"]),
    "a redirect here": lambda t: answer(302, b"", Location=[f"/{header(t)[0]}"]),
    "a reset": lambda t: ConnectionResetError(104, t),
    "no HTTP": lambda t: http.client.BadStatusLine(t),
}  # fmt: skip


@pytest.fixture(autouse=True)
def one_try(monkeypatch):
    monkeypatch.setattr(our_http, "ATTEMPTS", 1)


class Hostile:
    """A replay of which the answer of this number, and all after it, is this one."""

    def __init__(self, number, hostile):
        self.number = number
        self.hostile = hostile
        self.count = 0

    def due(self):
        self.count += 1
        return self.count >= self.number

    def patch(self, monkeypatch, replayed):
        cassette, websockets = replayed._parts
        play, open_ = cassette.play_response, websockets.open

        def played(request):
            if not self.due():
                return play(request)
            if isinstance(self.hostile, Exception):
                raise self.hostile
            return self.hostile

        def connect(endpoint, path, *_):
            return Talk(self, open_(endpoint, path), endpoint)

        can = cassette.can_play_response_for
        monkeypatch.setattr(cassette, "play_response", played)
        monkeypatch.setattr(
            cassette, "can_play_response_for", lambda r: self.count + 1 >= self.number or can(r)
        )
        monkeypatch.setattr(our_websocket, "connect", connect)


class Talk:
    """A recorded connection over a WebSocket, in which one answer is a hostile one."""

    def __init__(self, lie, player, endpoint):
        self.lie, self.player, self.endpoint = lie, player, endpoint
        self.sent = None

    def send(self, message):
        self.sent = message
        if self.lie.count + 1 < self.lie.number:
            self.player.send(message)

    def receive(self):
        if not self.lie.due():
            return self.player.receive()
        with our_websocket._Budget(Deadline(9), 9, self.endpoint).translated_errors():
            if isinstance(self.lie.hostile, Exception):
                raise OSError(104, str(self.lie.hostile))
            status, content = self.lie.hostile["status"], self.lie.hostile["body"]["string"]
            if status["code"] != 200:
                raise websocket.WebSocketBadStatusException(
                    "%s %s", status["code"], status["message"], None, content
                )
        text = content.decode()
        if text.startswith("{"):
            return {"request-id": self.sent["request-id"], "response": json.loads(text)}
        error = {"error": text, "error-code": text, "error-info": {"servers": text}}
        return {"request-id": self.sent["request-id"], **error}

    def close(self):
        pass


@pytest.fixture
def poll(monkeypatch, capsys):
    """Polls a cell with a hostile answer: all that came out, and whether the answer was asked for."""

    def polled(cell, credentials, number, hostile, replayed):
        family, provider = cell
        context = Context(**cassettes.CONFIG)
        event = {**accounts.demo()[f"demo-{provider}"].event(), "credentials": credentials}
        lie = Hostile(number, hostile)
        shown = []
        with monkeypatch.context() as patched:
            lie.patch(patched, replayed)
            try:
                engine.poll(family, event, context)
            except ConnectorError as error:
                shown += traceback.format_exception(type(error), error, error.__traceback__)
                shown += [repr(error), repr(vars(error)), repr(error.__context__)]
        assert lie.count >= number, "the answer was not asked for"
        shown += [*capsys.readouterr(), *context.lines]
        shown += [repr(context.headers), repr(context.state), repr(context.api.posts)]
        return "\n".join(shown)

    return polled


OF_A_LISTING = (
    "403 in JSON", "503 in XML", "no JSON", "another JSON", "a reason", "headers",
    "a redirect to a host", "a redirect here", "no HTTP",
)  # fmt: skip


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_no_cell_shows_a_secret_that_a_server_echoes(cell, poll):
    """In all forms, instead of the last answers: what fails is the fetch, or a logout."""
    credentials, file = secret_credentials(cell[1]), cassettes.path(*cell)
    with cassettes.replay(file) as replayed:
        for kind in OF_A_LISTING:
            hostile = ANSWERS[kind](echoes(credentials))
            shown = poll(cell, credentials, len(replayed), hostile, replayed)
            assert leaked(shown, secrets_of(credentials)) == [], kind
            replayed.rewind()


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("provider", sorted({provider for _, provider in CELLS}))
def test_no_login_shows_a_secret_or_what_a_cut_leaves_of_it(provider, poll):
    credentials = secret_credentials(provider)
    whole = echoes(credentials)
    split = [echoes(credentials, FORMS["as it is"], cut - 90) for cut in (300, masking.LONGEST)]
    cell = next(cell for cell in CELLS if cell[1] == provider)
    with cassettes.replay(cassettes.path(*cell)) as replayed:
        for name, kind in ANSWERS.items():
            for text in (whole, *split) if name in OF_A_LISTING else (whole,):
                shown = poll(cell, credentials, 1, kind(text), replayed)
                assert leaked(shown, secrets_of(credentials)) == [], name
                replayed.rewind()


# --- recordings -----------------------------------------------------------------------------------


def recorded(scrubber, sent, text, kind):
    """All that a cassette would have of an exchange that holds the text wherever it can."""
    request = vcr.request.Request(
        "GET", f"http://h/{quote(sent)}?q={quote_plus(sent)}", sent, {"Accept": "x"}
    )
    kept = scrubber.response(kind(text))
    request = scrubber.request(request)
    message = scrubber.message({"sent": {"params": [text, {text: json.dumps({"a": text})}]}})
    return repr([request.uri, request.body, request.headers, kept, message])


@pytest.mark.parametrize("kind", [each for each in ANSWERS if "no HTTP" != each != "a reset"])
@pytest.mark.parametrize("provider", sorted({provider for _, provider in CELLS}))
def test_no_recording_holds_a_secret_that_a_server_echoes(provider, kind):
    credentials = secret_credentials(provider)
    scrubber = cassettes.Scrubber(credentials)
    shown = recorded(scrubber, secrets_of(credentials)[0], echoes(credentials), ANSWERS[kind])
    assert leaked(shown, secrets_of(credentials)) == []


GIVEN = "0123456789abcdefGivenToken"


@pytest.mark.parametrize(
    "login",
    [
        answer(200, json.dumps({"issued_at": 1, "expires": 2, "id": GIVEN, "_id": GIVEN}).encode()),
        answer(201, b'{"token": {}}', X_Subject_Token=[GIVEN]),
        answer(200, json.dumps({"access": 1, "token": {"id": GIVEN}}).encode()),
        answer(200, f"<r><SessionToken>{GIVEN}</SessionToken></r>".encode()),
    ],
    ids=["OSM", "Keystone", "Keystone v2", "STS"],
)
def test_a_token_that_was_given_is_hidden_wherever_it_comes_again(login):
    scrubber = cassettes.Scrubber({})
    assert GIVEN not in repr(scrubber.response(login))
    again = answer(200, json.dumps(f"token '{GIVEN}' deleted").encode(), Location=[f"/x/{GIVEN}"])
    assert GIVEN not in recorded(scrubber, GIVEN, GIVEN, lambda _: again)
    assert scrubber.response(again)["body"]["string"] == b"\"token 'REDACTED' deleted\""


@pytest.mark.parametrize("name", ["adminPass", "OS-EXT-SRV-ATTR:user_data", "authKey"])
def test_what_services_tell_of_others_secrets_is_hidden_by_its_name(name):
    inner = {"x": 1, name: 'se"cr\\et', "y": 2}
    for document in (
        {"servers": [inner]},
        {"log": json.dumps(inner)},
        {"a": json.dumps({"b": json.dumps(inner)})},
    ):
        kept = cassettes.Scrubber().response(answer(200, json.dumps(document).encode()))
        text = kept["body"]["string"].decode()
        assert "cr" not in text and "REDACTED" in text
        assert json.loads(text).keys() == document.keys()
        if "servers" in document:
            assert json.loads(text) == {"servers": [{**inner, name: "REDACTED"}]}
    nothing = json.dumps({"servers": [{name: None}]}).encode()
    assert cassettes.Scrubber().response(answer(200, nothing))["body"]["string"] == nothing


def test_a_body_that_is_no_utf_8_is_scrubbed_as_well():
    scrubber = cassettes.Scrubber({"password": "pässwörd"})
    kept = scrubber.response(answer(200, b"\xff " + "pässwörd".encode("latin-1")))
    assert kept["body"]["string"] == b"\xff REDACTED"
