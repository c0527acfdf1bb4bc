"""Secrets that are as hard to mask as any, the forms in which a server may echo them, and what tells that one came out."""

import base64
import functools
import html
import json
import re
from typing import Callable
from urllib.parse import quote, quote_plus

from flexlocal import accounts

FRAGMENT = 8  # characters of a secret: so many together tell part of it
PIECE = (
    FRAGMENT // 2
)  # any FRAGMENT characters of a text hold one of its pieces of this length, cut one after another

PASSWORD = 'Canary4711Password/+of  "two" blanks&<tags>%41\\\'ünïcöde=;,AndALongEndOfIt0815'
TOKEN = 'Canary4711Token/+of"no"blanks&<tags>%41\\\'=;,AndALongEndOfIt0815'  # for a header
KEY = "CANARYKEYQ7W3Z9X5V1B"  # no digits in a row: they may stand in any number


def secret_credentials(provider):
    """The demo account's credentials, with secrets that are as hard to mask as any."""
    found = dict(accounts.demo()[f"demo-{provider}"].credentials)
    for name in found:
        if "password" in name or "secret" in name:
            found[name] = PASSWORD
        elif "token" in name:
            found[name] = TOKEN
        elif "key" in name:
            found[name] = KEY
    if provider == "aws":
        found["aws_session_token"] = TOKEN
    return found


def secrets_of(credentials):
    return [secret for secret in (PASSWORD, TOKEN, KEY) if secret in credentials.values()]


FORMS: "dict[str, Callable[[str], str]]" = {
    "as it is": lambda s: s,
    "percent": lambda s: quote(s, safe=""),
    "percent, lower case": lambda s: re.sub("%..", lambda m: m[0].lower(), quote(s)),
    "percent, twice": lambda s: quote(quote(s, safe=""), safe="").replace("%25C3", "%25c3"),
    "a form": quote_plus,
    "HTML": html.escape,
    "HTML, twice": lambda s: html.escape(html.escape(s, quote=False)),
    "HTML, by number": lambda s: s.encode("ascii", "xmlcharrefreplace")
    .decode()
    .replace("<", "&#60;"),
    "JSON": lambda s: json.dumps(s)[1:-1],
    "JSON, own script": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "JSON within JSON": lambda s: json.dumps(json.dumps({"a": json.dumps(s)})),
    "JSON with slashes": lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
    "Python": lambda s: repr(s)[1:-1],
    "Python's bytes": lambda s: repr(s.encode())[2:-1],
    "hex": lambda s: s.encode().hex(),
    "hex, upper case": lambda s: s.encode().hex().upper(),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 of more": lambda s: base64.b64encode(f"x:{s}/".encode()).decode(),
    "base64 for URLs": lambda s: base64.urlsafe_b64encode(f"{{{s}}}".encode()).decode(),
    "blanks collapsed": lambda s: " ".join(s.split()),
    "blanks as lines": lambda s: "\r\n".join(s.split()),
    "lower case": str.lower,
    "the wrong encoding": lambda s: s.encode().decode("latin-1"),
    "an encoding that lacks it": lambda s: s.encode("ascii", "replace").decode(),
}


def fragments(secret):
    """What must not come out of a secret, in lower case: parts of it, of its base64, of its hex."""
    whole = [
        secret,
        quote(secret),
        *(FORMS[name](secret) for name in ("base64", "base64 of more", "JSON")),
    ]
    found = {
        text[at : at + FRAGMENT].lower() for text in whole for at in range(len(text) - FRAGMENT + 1)
    }
    coded = secret.encode().hex()
    found.update(coded[at : at + 2 * FRAGMENT] for at in range(0, len(coded) - 2 * FRAGMENT + 1))
    return found


def leaked(shown, secrets):
    """The parts of these secrets that are in the text."""
    lower = shown.lower()
    parts, lengths, pieces = _sought(tuple(secrets))
    found = set()
    for at in range(
        0, len(lower), PIECE
    ):  # wherever a part stands, one of these pieces is within it
        if lower[at : at + PIECE] in pieces:
            for length in lengths:
                first = max(0, at + PIECE - length)
                found.update(lower[start : start + length] for start in range(first, at + 1))
    return sorted(found & parts)


@functools.cache
def _sought(secrets):
    """All fragments of these secrets, their lengths, and what such a fragment holds of PIECE characters."""
    parts = set().union(*map(fragments, secrets))
    pieces = {part[at : at + PIECE] for part in parts for at in range(len(part) - PIECE + 1)}
    return parts, {len(part) for part in parts}, pieces


def body(text):
    """An error in the words of all providers at once."""
    nested = {"message": text, "description": text, "title": text, "code": text}
    errors = {"error": [{"error-tag": "operation-failed", "error-message": text}]}
    found = {"detail": text, "error": nested, "faultstring": text, "message": text, "__type": text,
             "code": text, "status": text, "ietf-restconf:errors": errors, "Message": text}  # fmt: skip
    return json.dumps(found).encode()


def xml(text):
    text = html.escape(text)
    error = f"<Error><Code>{text}</Code><Message>{text}</Message></Error>"
    return f"<Response><Errors>{error}</Errors>{error}<RequestID>x</RequestID></Response>".encode()
