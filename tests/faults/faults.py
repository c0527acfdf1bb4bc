"""What can go wrong with a call: one ``Fault`` each.

``act`` does it: it gets the connection (proxy.py) and the exchange, and returns whether the client has got the whole
response all the same. A fault happens once, so that a client that tries again is served, or ``again`` and again from
that call on.
"""

import dataclasses
import email.utils
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from typing import Any, Callable

from tests.fakes import canaries
from tests.faults.proxy import Exchange, Response

FITS_ALL: Callable[[Exchange], bool] = lambda exchange: True  # noqa: E731


@dataclasses.dataclass(frozen=True)
class Fault:
    """``lies``: the response is one that an honest server may give, of an account that has less.

    ``passes``: who tries again gets everything, so the poll must. ``slow``: the client has to wait for a time-out, so
    the poll gets short ones.
    """

    name: str
    act: Callable[[Any, Exchange], bool] = dataclasses.field(repr=False)
    fits: Callable[[Exchange], bool] = dataclasses.field(default=FITS_ALL, repr=False)
    again: bool = False
    lies: bool = False
    passes: bool = False
    slow: bool = False

    def __str__(self) -> str:
        return self.name + (", again and again" if self.again else "")


def once_and_again(name: str, act: Any, **more: Any) -> Iterator[Fault]:
    yield Fault(name, act, **more)
    yield Fault(name, act, **{**more, "again": True, "passes": False})


# --- forms of a response --------------------------------------------------------------------------


def is_xml(exchange: Exchange) -> bool:
    return exchange.response.body.lstrip().startswith(b"<")


def is_json(exchange: Exchange) -> bool:
    return exchange.response.body.lstrip().startswith((b"{", b"["))


def has_body(exchange: Exchange) -> bool:
    return len(exchange.response.body) > 1


def is_object(exchange: Exchange) -> bool:
    return exchange.response.body.lstrip().startswith(b'{"')


def another(status: int, body: bytes, kind: str, **headers: str) -> Response:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Response(status, (("Content-Type", kind), *named), body)


def error(exchange: Exchange, status: int, text: str, **headers: str) -> Response:
    """An error of this status in the words of all providers at once, or in AWS's XML."""
    if is_xml(exchange) or "Action=" in exchange.request.body.decode("latin-1"):
        return another(status, canaries.xml(text), "text/xml", **headers)
    return another(status, canaries.body(text), "application/json", **headers)


# --- connections ----------------------------------------------------------------------------------


def refuse(times: int) -> Callable[[Any, Exchange], bool]:
    def act(connection: Any, exchange: Exchange) -> bool:
        connection.proxy.refusing = times
        connection.reset()
        return False

    return act


def reset_before(connection: Any, exchange: Exchange) -> bool:
    connection.reset()
    return False


def reset_inside(connection: Any, exchange: Exchange) -> bool:
    body = exchange.response.body
    connection.send(exchange.response, body=body[: len(body) // 2])
    connection.reset()
    return False


def reset_after(connection: Any, exchange: Exchange) -> bool:
    connection.send(exchange.response)
    connection.close_connection = True
    return True


def close_before(connection: Any, exchange: Exchange) -> bool:
    connection.close_connection = True
    return False


def no_http(connection: Any, exchange: Exchange) -> bool:
    connection.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    connection.close_connection = True
    return False


def no_answer(connection: Any, exchange: Exchange) -> bool:
    """Until the client gives up."""
    connection.connection.settimeout(30)
    connection.connection.recv(1)
    connection.close_connection = True
    return False


def dribble(connection: Any, exchange: Exchange) -> bool:
    connection.close_connection = True
    connection.send(exchange.response, body=b"")
    body = exchange.response.body
    for at in range(len(body) - 1):  # never the last byte
        connection.write(body[at : at + 1])
        if connection.proxy.wait(0.05):
            break
    connection.connection.recv(1)
    return False


def dribble_headers(connection: Any, exchange: Exchange) -> bool:
    connection.close_connection = True
    connection.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not connection.proxy.wait(0.05):
        connection.write(b"x")
    return False


def cut(connection: Any, exchange: Exchange) -> bool:
    connection.send(exchange.response, body=exchange.response.body[:-1])
    connection.close_connection = True
    return False


def cut_to_nothing(connection: Any, exchange: Exchange) -> bool:
    connection.send(exchange.response, body=b"")
    connection.close_connection = True
    return False


def cut_without_length(connection: Any, exchange: Exchange) -> bool:
    """The connection's end is the body's end, so that only what it holds can show that it is cut."""
    body = exchange.response.body.rstrip()
    connection.send(exchange.response, length=False, body=body[: len(body) // 2])
    connection.close_connection = True
    return False


def cut_in_a_chunk(connection: Any, exchange: Exchange) -> bool:
    body = exchange.response.body
    headers = (*exchange.response.headers, ("Transfer-Encoding", "chunked"))
    whole = b"%x\r\n%s\r\n" % (len(body), body)
    head = Response(exchange.response.status, headers, b"")
    connection.send(head, length=False, body=whole)  # without the last chunk
    connection.close_connection = True
    return False


CONNECTION = [
    Fault("connections refused, once", refuse(1), passes=True),
    Fault("connections refused", refuse(1000), again=True),
    *once_and_again("reset before the response", reset_before, passes=True),
    *once_and_again("reset inside the body", reset_inside, fits=has_body, passes=True),
    *once_and_again("reset after the body", reset_after, passes=True),
    *once_and_again("closed before the response", close_before, passes=True),
    *once_and_again("no HTTP", no_http),
    *once_and_again("no response", no_answer, slow=True),
    Fault("dribbled body", dribble, slow=True, fits=has_body),
    Fault("dribbled headers", dribble_headers, slow=True),
    *once_and_again("cut by a byte", cut, fits=has_body, passes=True),
    *once_and_again("cut to nothing", cut_to_nothing, fits=has_body, passes=True),
    *once_and_again("cut, without Content-Length", cut_without_length, fits=has_body, passes=True),
    *once_and_again("without the last chunk", cut_in_a_chunk, fits=has_body, passes=True),
]


# --- statuses -------------------------------------------------------------------------------------


def answers(make: Callable[[Exchange], Response]) -> Callable[[Any, Exchange], bool]:
    def act(connection: Any, exchange: Exchange) -> bool:
        connection.send(make(exchange))
        return False

    return act


def status(code: int, **headers: str) -> Callable[[Any, Exchange], bool]:
    return answers(lambda exchange: error(exchange, code, "not now", **headers))


def page_of(code: int) -> Callable[[Any, Exchange], bool]:
    html = b"<html><head><title>Bad gateway</title></head><body>hello</body></html>"
    return answers(lambda exchange: another(code, html, "text/html"))


RETRY_AFTER = {
    "seconds": "1",
    "a date": email.utils.formatdate(4e9, usegmt=True),
    "a past date": email.utils.formatdate(1e9, usegmt=True),
    "a word": "soon",
    "below zero": "-5",
    "no finite number": "1e999",
    "no number": "nan",
    "many digits": "9" * 400,
    "nothing": "",
}


def words(exchange: Exchange) -> str:
    """The code with which AWS throttles, by API; others' are statuses."""
    return "RequestLimitExceeded" if is_xml(exchange) else "ThrottlingException"


def throttled_in_words(connection: Any, exchange: Exchange) -> bool:
    code = words(exchange)
    body = json.dumps({"__type": code, "code": code, "message": "Rate exceeded"}).encode()
    kind = "application/json"
    if is_xml(exchange):
        kind = "text/xml"
        body = (
            f"<Response><Errors><Error><Code>{code}</Code><Message>Request limit exceeded."
            "</Message></Error></Errors><RequestID>x</RequestID></Response>"
        ).encode()
    connection.send(another(400, body, kind))
    return False


def over_limit(connection: Any, exchange: Exchange) -> bool:
    """As Nova's rate limits answered."""
    body = b'{"overLimit": {"code": 413, "message": "This request was rate-limited."}}'
    connection.send(another(413, body, "application/json", Retry_After="1"))
    return False


STATUSES = [
    *(
        fault
        for code in (408, 429, 500, 502, 503, 504)
        for fault in once_and_again(f"status {code}", status(code), passes=True)
    ),
    *(Fault(f"{code} as a page", page_of(code)) for code in (403, 404, 502, 503)),
    *(
        fault
        for about, value in RETRY_AFTER.items()
        for fault in once_and_again(
            f"Retry-After: {about}", status(429, Retry_After=value), passes=True
        )
    ),
    Fault("Retry-After: a year", status(503, Retry_After="31536000"), again=True),
    *once_and_again("throttled in words", throttled_in_words),
    *once_and_again("413 with Retry-After", over_limit),
    *once_and_again("401", status(401)),
]


# --- pages ----------------------------------------------------------------------------------------

_PAGED = re.compile(rb"marker|NextToken|nextToken|Marker|cursor|offset|id__gt|StartToken")


def is_later_page(exchange: Exchange) -> bool:
    return bool(_PAGED.search(exchange.request.path.encode() + exchange.request.body))


def has_earlier(exchange: Exchange) -> bool:
    """Whether there was another page of the same listing."""
    another_page = exchange.earlier and exchange.earlier[-1].body != exchange.response.body
    return bool(another_page) and is_later_page(exchange)


def page_again(connection: Any, exchange: Exchange) -> bool:
    connection.send(exchange.earlier[-1])
    return False


def first_page_again(connection: Any, exchange: Exchange) -> bool:
    connection.send(exchange.earlier[0])
    return False


def emptied(exchange: Exchange) -> Response:
    """The response with its lists empty: what the same request gets in an account that has nothing."""
    body = exchange.response.body
    if is_xml(exchange):
        body = re.sub(rb"<(\w+Set|\w+s|member)>.*</\1>", rb"<\1/>", body, flags=re.DOTALL)
    else:
        document = json.loads(body)
        if isinstance(document, list):
            document = []
        else:
            document = {
                key: [] if isinstance(value, list) else value for key, value in document.items()
            }
        body = json.dumps(document).encode()
    return dataclasses.replace(exchange.response, body=body)


def can_be_emptied(exchange: Exchange) -> bool:
    return (is_xml(exchange) or is_json(exchange)) and emptied(exchange) != exchange.response


PAGES = [
    *once_and_again("the page before", page_again, fits=has_earlier),
    *once_and_again("the first page", first_page_again, fits=has_earlier),
    *once_and_again("the marker is gone", status(400), fits=is_later_page),
    *once_and_again("the marker is not found", status(404), fits=is_later_page),
    Fault("no items", answers(emptied), fits=can_be_emptied, lies=True),
    Fault("no items", answers(emptied), fits=can_be_emptied, lies=True, again=True),
]


# --- bodies ---------------------------------------------------------------------------------------


def body(change: Callable[[bytes], bytes], **headers: str) -> Callable[[Any, Exchange], bool]:
    more = tuple((name.replace("_", "-"), value) for name, value in headers.items())

    def make(exchange: Exchange) -> Response:
        kept = exchange.response.headers
        return Response(exchange.response.status, (*kept, *more), change(exchange.response.body))

    return answers(make)


def same(whole: bytes) -> bytes:
    return whole


def honest_gzip(connection: Any, exchange: Exchange) -> bool:
    body(gzip.compress, Content_Encoding="gzip")(connection, exchange)
    return True


def twice_the_first_key(whole: bytes) -> bytes:
    """The first key with another value before: which of the two counts differs by reader."""
    key = whole[1 : whole.index(b":")]
    return b"{" + key + b": null, " + whole[1:]


PACKED = gzip.compress(b" " * 64 * 1024**2)


def bomb(connection: Any, exchange: Exchange) -> bool:
    headers = (("Content-Type", "application/json"), ("Content-Encoding", "gzip"))
    connection.send(Response(200, headers, PACKED))
    return False


def endless(connection: Any, exchange: Exchange) -> bool:
    connection.close_connection = True
    connection.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while connection.proxy.sent < 64 * 1024**2:
        connection.write(b" " * 65536)
    return False


def endless_headers(connection: Any, exchange: Exchange) -> bool:
    connection.close_connection = True
    connection.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        connection.write(b"X-%d: y\r\n" % number)
    return False


ENTITIES = b"<!DOCTYPE a [<!ENTITY a '%s'>%s]><a>&i;</a>" % (
    b"x" * 50,
    b"".join(b"<!ENTITY %c '%s'>" % (n, b"&%c;" % (n - 1) * 50) for n in range(98, 106)),
)
ALIASES = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi")
)
BODIES = [
    *once_and_again("a page of HTML", page_of(200)),
    *once_and_again("an empty body", body(lambda whole: b"")),
    *once_and_again("null", body(lambda whole: b"null")),
    *once_and_again("another charset", body(lambda whole: whole.decode().encode("utf-16"))),
    *once_and_again("a byte that is no UTF-8", body(lambda whole: whole.replace(b'"', b'"\xff', 1)), fits=is_json),
    Fault("gzip", honest_gzip),
    *once_and_again("not the gzip that it says", body(same, Content_Encoding="gzip")),
    *once_and_again("gzip that is cut", body(lambda whole: gzip.compress(whole)[:-9], Content_Encoding="gzip")),
    *once_and_again("an encoding nobody asked for", body(zlib.compress, Content_Encoding="br")),
    Fault("a bomb of gzip", bomb),
    Fault("a bomb of entities", body(lambda whole: ENTITIES)),
    Fault("a bomb of aliases", body(lambda whole: json.dumps(ALIASES).encode()), fits=is_json),
    Fault("deep JSON", body(lambda whole: b"[" * 100_000)),
    Fault("deep XML", body(lambda whole: b"<a>" * 100_000), fits=is_xml),
    Fault("a body without end", endless),
    Fault("headers without end", endless_headers),
    *once_and_again("a million records", body(lambda whole: b'{"results": [' + b"{}," * 10**6 + b"{}]}"), fits=is_json),
    *once_and_again("the first key twice", body(twice_the_first_key), fits=is_object),
]  # fmt: skip


# --- redirects and echoes -------------------------------------------------------------------------

ELSEWHERE = {
    "another host": "{scheme}://elsewhere.invalid:{port}{path}",
    "another port": "{scheme}://{host}:1{path}",
    "another scheme": "{other}://{host}:{port}{path}",
    "itself": "{path}",
}


def redirect(code: int, where: str) -> Callable[[Any, Exchange], bool]:
    def make(exchange: Exchange) -> Response:
        host, _, port = exchange.request.host.rpartition(":")
        scheme = exchange.request.scheme
        other = {"http": "https", "https": "http"}[scheme]
        path = exchange.request.path.partition("?")[0]
        url = where.format(scheme=scheme, other=other, host=host, port=port, path=path)
        return Response(code, (("Location", url),), b"")

    return answers(make)


REDIRECTS = [
    Fault(f"{code} to {about}", redirect(code, where), again=about == "itself")
    for code in (301, 302, 303, 305, 307, 308)
    for about, where in ELSEWHERE.items()
]


def echoes(exchange: Exchange) -> str:
    """All secrets of the account, in all forms."""
    forms = canaries.FORMS.values()
    return " ".join(form(secret) for secret in exchange.secrets for form in forms)


def echoed(code: int) -> Callable[[Any, Exchange], bool]:
    return answers(lambda exchange: error(exchange, code, echoes(exchange)))


def echoed_in_headers(exchange: Exchange) -> Response:
    line = " ".join(echoes(exchange).split()).encode("latin-1", "replace").decode("latin-1")
    names = ("WWW-Authenticate", "Retry-After", "X-Openstack-Request-Id", "Content-Type")
    return Response(403, tuple((name, line) for name in names), b"")


def echoed_in_location(exchange: Exchange) -> Response:
    text = "/".join(map(canaries.FORMS["percent"], exchange.secrets))
    return Response(302, (("Location", f"https://elsewhere.invalid/{text}?{text}"),), b"")


ECHOES = [
    *(Fault(f"secrets in a {code}", echoed(code), again=True) for code in (400, 401, 403, 409, 429, 500)),
    Fault("secrets in a 404", echoed(404), again=True, lies=True),  # that there is nothing
    Fault("secrets as the body", answers(lambda e: another(200, echoes(e).encode(), "text/plain"))),
    Fault("secrets in headers", answers(echoed_in_headers)),
    Fault("secrets in a redirect", answers(echoed_in_location)),
]  # fmt: skip

HTTP = [*CONNECTION, *STATUSES, *PAGES, *BODIES, *REDIRECTS, *ECHOES]
OPENING = [  # of a WebSocket: it has no response of its own but the status
    fault
    for fault in (*CONNECTION, *STATUSES, *REDIRECTS, *ECHOES)
    if fault.name not in ("reset after the body", "dribbled body") and fault.fits is FITS_ALL
]


# --- messages of a WebSocket ----------------------------------------------------------------------


def text(change: Callable[[bytes], bytes]) -> Callable[[Any, Exchange], bool]:
    def act(talk: Any, exchange: Exchange) -> bool:
        talk.text(change(exchange.response.body))
        return False

    return act


def ends(talk: Any, exchange: Exchange) -> bool:
    return talk.end()


def resets(talk: Any, exchange: Exchange) -> bool:
    return talk.reset()


def ends_inside(talk: Any, exchange: Exchange) -> bool:
    talk.write(b"\x81\x7f" + (1000).to_bytes(8, "big") + exchange.response.body[:20])
    return talk.end()


def says_nothing(talk: Any, exchange: Exchange) -> bool:
    talk.connection.settimeout(30)
    talk.connection.recv(1)
    return talk.end()


def endless_frame(talk: Any, exchange: Exchange) -> bool:
    talk.write(b"\x81\x7f" + (2**62).to_bytes(8, "big"))
    while talk.proxy.sent < 64 * 1024**2:
        talk.write(b" " * 65536)
    return talk.end()


def garbage(talk: Any, exchange: Exchange) -> bool:
    talk.write(b"\xff\xff\xff\xff" * 8)
    return talk.end()


def in_pieces(talk: Any, exchange: Exchange) -> bool:
    """Honest: a message of many frames, with a ping between."""
    whole = exchange.response.body
    for at in range(0, len(whole), 100):
        talk.frame(1 if at == 0 else 0, whole[at : at + 100], fin=int(at + 100 >= len(whole)))
        talk.frame(9, b"ping")
    return True


def closes_with(reason: str) -> Callable[[Any, Exchange], bool]:
    def act(talk: Any, exchange: Exchange) -> bool:
        talk.frame(8, b"\x03\xf3" + reason.encode()[:100])
        return talk.end()

    return act


def closed_with_a_secret(talk: Any, exchange: Exchange) -> bool:
    return closes_with(exchange.secrets[0])(talk, exchange)


def refusal(code: str, message: str) -> Callable[[Any, Exchange], bool]:
    """As Juju's API refuses: an error in place of the response."""

    def act(talk: Any, exchange: Exchange) -> bool:
        number = json.loads(exchange.response.body).get("request-id")
        answer = {"request-id": number, "error": message, "error-code": code, "response": {}}
        talk.text(json.dumps(answer).encode())
        return True

    return act


def other_number(whole: bytes) -> bytes:
    return json.dumps({**json.loads(whole), "request-id": 4711}).encode()


def without(name: str) -> Callable[[bytes], bytes]:
    return lambda whole: json.dumps(
        {key: value for key, value in json.loads(whole).items() if key != name}
    ).encode()


def with_a_bomb(whole: bytes) -> bytes:
    return json.dumps({**json.loads(whole), "response": {"error": ALIASES}}).encode()


def secrets_in_refusal(talk: Any, exchange: Exchange) -> bool:
    return refusal(echoes(exchange), echoes(exchange))(talk, exchange)


MESSAGES = [
    *once_and_again("the connection ends", ends, passes=True),
    *once_and_again("the connection is reset", resets, passes=True),
    *once_and_again("the connection ends inside a message", ends_inside, passes=True),
    *once_and_again("no answer", says_nothing, slow=True),
    Fault("a message without end", endless_frame),
    *once_and_again("garbage", garbage),
    Fault("a message in pieces", in_pieces, again=True),
    *once_and_again("closed with a reason", closes_with("going away"), passes=True),
    Fault("closed with a secret", closed_with_a_secret, again=True),
    *(
        fault
        for code in ("try again", "unauthorized access", "not found", "upgrade in progress", "", "excessive contention")
        for fault in once_and_again(f"refused: {code}", refusal(code, code or "failed"), passes=code == "try again")
    ),
    Fault("secrets in a refusal", secrets_in_refusal, again=True),
    *once_and_again("no JSON", text(lambda whole: b"<html>")),
    *once_and_again("an empty message", text(lambda whole: b"")),
    *once_and_again("a list", text(lambda whole: b"[]")),
    *once_and_again("no UTF-8", text(lambda whole: whole.replace(b'"', b'"\xff', 1))),
    *once_and_again("half of the message", text(lambda whole: whole[: len(whole) // 2])),
    *once_and_again("an answer to another request", text(other_number), slow=True),
    *once_and_again("no response in it", text(without("response"))),
    *once_and_again("no request-id in it", text(without("request-id")), slow=True),
    *once_and_again("the first key twice", text(twice_the_first_key)),
    Fault("deep JSON", text(lambda whole: b"[" * 100_000)),
    Fault("a bomb of aliases", text(with_a_bomb)),
]  # fmt: skip


def fitting(exchange: Exchange) -> list[Fault]:
    """The faults that this call may meet."""
    kind = HTTP
    if exchange.call.name.startswith("open "):
        kind = OPENING
    elif " " not in exchange.call.name:
        kind = MESSAGES
    return [fault for fault in kind if fault.fits(exchange)]
