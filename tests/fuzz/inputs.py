"""Inputs for the fuzz targets: recorded ones with something changed, by chance that is seeded.

An input is bytes. One may begin with a line that says what it stands for: a number, which a change leaves as it is, and
perhaps the status of a response. What is JSON or XML is changed as such most of the time, so that it gets past the parser; else bytes are.
"""

import json
import random
import re
from collections.abc import Iterator
from typing import Any

from tests.faults.faults import ALIASES

DEEP = b"[" * 600 + b"]" * 600
# In place of one value of a JSON answer: what is no JSON, what JSON can't hold, and other types.
VALUES = (
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"9" * 5000,
    b"9" * 400,
    b"-1e308",
    b'"' + b"9" * 5000 + b'"',
    b'"\\ud800"',
    b'"\\udfff\\ud800"',
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"0001-01-01T00:00:00+14:00"',
    b'"9999-12-31T23:59:59-14:00"',
    b'"http://[::1"',
    b'"https://host:99999/"',
    b'"http://' + b"a" * 70 + b'.invalid/"',
    json.dumps(ALIASES).encode(),
    b'"&a {b: *a}"',
    json.dumps("[" * 3000).encode(),
    DEEP,
    b'{"a":' * 600 + b"1" + b"}" * 600,
    b"[" * 100_000,
    b"null",
    b"true",
    b"-1",
    b"7.5",
    b'""',
    b'"text"',
    b"[]",
    b"[7]",
    b"[[]]",
    b"{}",
    b'{"x": 7}',
)
# In place of one text of an XML answer.
TEXTS = (
    b"9" * 5000,
    b"NaN",
    b"1e999",
    b"0001-01-01T00:00:00+14:00",
    b"9999-99-99",
    b"",
    b"\xff",
    b"&#xD800;",
    b"&undefined;",
    b"<item/>",
    b"<item>x</item>" * 3,
    b"<a>" * 50_000 + b"</a>" * 50_000,
)
WORDS = (
    "", " ", "\n", "0", "-1", "1e999", "NaN", "true", "null", "None", "a" * 300, "\x00", "\x1b[31m", "\u202e", "\u2028",
    "é", "\U0001f600", "%s", "%00", "{0}", "../..", "a:b:c", "a/b/c", "::1", "[::1]", "10.0.0.0/33", "fe80::1%eth0",
    "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T24:00:00Z",
    "https://host:99999/", "http://[::1", "&a {b: *a}", "- " * 200, "٣", "1_000", "+5", "0x10",
)  # fmt: skip
NUMBERS = (
    0,
    -1,
    1,
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    -(2**63),
    10**30,
    10**400,
    0.5,
    -0.0,
    1e308,
    1e-320,
)
STATUSES = (200, 200, 201, 204, 300, 400, 401, 403, 404, 405, 409, 429, 500, 503)
_HEAD = re.compile(rb"[0-9][0-9 ]*\n")
_TEXT = re.compile(rb">[^<>]*</")
_TAG = re.compile(rb"</?[\w:.-]+")


def head(data: bytes) -> "tuple[bytes, bytes]":
    """The first line that says what the input stands for (or nothing), and the rest."""
    found = _HEAD.match(data)
    return (found[0], data[found.end() :]) if found else (b"", data)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The input with one to three changes."""
    first, body = head(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if rng.random() < 0.03:
            body = _of_bytes(body, rng)
        elif body.lstrip()[:1] == b"<":
            body = _of_xml(body, rng)
        else:
            body = _of_json(body, rng)
    number, _, status = first.partition(b" ")
    if status and rng.random() < 0.2:
        first = number + b" %d\n" % rng.choice(STATUSES)
    return first + body


def _of_json(body: bytes, rng: random.Random) -> bytes:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return _of_bytes(body, rng)
    places = list(holders(document))
    if not places:
        return rng.choice(VALUES)
    holder, key = rng.choice(places)
    what = rng.randrange(10)
    if what == 0:
        del holder[key]
    elif what == 1:
        other, place = rng.choice(places)
        holder[key] = other[place]
    elif what == 2 and isinstance(holder, list):
        holder.insert(key, holder[key])
    elif what == 2:
        holder[rng.choice(("x", str(key).upper(), f"{key}:{key}", ""))] = holder[key]
    elif what == 3:
        holder[key] = rng.choice(({"x": holder[key]}, [holder[key]], [holder[key]] * 3))
    elif what in (4, 5):
        holder[key] = _other(holder[key], rng)
    elif what == 6:
        holder[key] = rng.choice(NUMBERS)
    elif what == 7:
        holder[key] = rng.choice(WORDS)
    else:
        holder[key] = "HOSTILE"
        return _written(document).replace(b'"HOSTILE"', rng.choice(VALUES), 1)
    return _written(document)


def _written(document: Any) -> bytes:
    try:
        return json.dumps(document).encode()
    except (ValueError, RecursionError):  # a value within itself, or too many digits
        return b"[" * 600 + b"]" * 600


def _other(value: Any, rng: random.Random) -> Any:
    """A value of the same type; of another one where there is none."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return rng.choice((-value, value * 1000, value + 1, str(value)))
    if isinstance(value, str):
        at = rng.randrange(len(value) + 1)
        word = rng.choice(WORDS)
        return rng.choice(
            (
                value[:at],
                value[at:],
                value[:at] + word + value[at:],
                value * 2,
                value.upper(),
                [value],
            )
        )
    return type(value)() if value else None


def holders(value: Any) -> "Iterator[tuple[Any, Any]]":
    """Each place in a JSON value: the object or list, and the key."""
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from holders(value[key])


def _of_xml(body: bytes, rng: random.Random) -> bytes:
    what = rng.randrange(6)
    found = list((_TAG if what > 2 else _TEXT).finditer(body))
    if not found:
        return rng.choice(TEXTS)
    one, other = rng.choice(found), rng.choice(found)
    if what <= 1:
        return body[: one.start() + 1] + rng.choice(TEXTS) + body[one.end() - 2 :]
    if what == 2:
        return body[: one.start() + 1] + rng.choice(WORDS).encode() + body[one.end() - 2 :]
    if what == 3:  # another name, or none that closes
        return body[: one.start()] + other[0] + body[one.end() :]
    start, end = sorted((one.start(), other.start()))
    return body[:start] + body[end:] if what == 4 else body[:end] + body[start:end] + body[end:]


def _of_bytes(body: bytes, rng: random.Random) -> bytes:
    start, end = sorted(rng.randrange(len(body) + 1) for _ in range(2))
    what = rng.randrange(4)
    if what == 0:
        return body[:start]
    if what == 1:
        return body[:start] + body[end:]
    if what == 2:
        return body[:end] + body[start:end] + body[end:]
    return body[:start] + rng.randbytes(rng.randrange(1, 5)) + body[start + 1 :]
