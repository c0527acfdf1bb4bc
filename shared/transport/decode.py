"""The one reader of bodies: JSON and YAML, of whatever the other side wrote.

Everything that a provider sends is read here, so that what can't be used ends as UnexpectedResponse, and
what is used can be written as JSON again: no NaN or infinity (RFC 8259, 6, has neither), no half of a
surrogate pair (it has no form in UTF-8), no number that Python does not read, and nothing nested so deeply
that a function which follows it would run out of stack.
"""

import json
import math
from typing import Any, Optional, Union

import yaml

from shared.engine.errors import UnexpectedResponse
from shared.records.fields import DEEPEST

LONGEST_YAML = 65_535  # characters: what MySQL's TEXT holds, which is where OSM keeps its YAML
MOST_NODES = 10_000  # of a YAML text, each alias counted as what it stands for

_BOM = b"\xef\xbb\xbf"
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class Unusable(Exception):
    """Why a text can't be used."""


# --- JSON -----------------------------------------------------------------------------------------


def json_answer(
    data: bytes, where: str, content_type: Optional[str] = None, *, nan: bool = False
) -> Any:
    """The value of an answer's body; ``where`` is the URL without query, for UnexpectedResponse.

    ``nan``: take NaN and Infinity for null.
    """
    try:
        return json_value(data, nan=nan)
    except Unusable as error:
        kind = f" ({content_type})" if content_type else ""
        raise UnexpectedResponse(f"{where} did not answer with JSON{kind}: {error}") from None


def json_value(data: Union[bytes, str], *, nan: bool = False) -> Any:
    """The value of a JSON text. Raises Unusable, which says what is wrong with it."""
    try:
        raw = data.encode("utf-8") if isinstance(data, str) else bytes(data)
        text = raw[len(_BOM) :].decode("utf-8") if raw.startswith(_BOM) else raw.decode("utf-8")
    except UnicodeError:
        raise Unusable("it is not UTF-8") from None
    try:
        value = (_DECODER_WITH_NAN if nan else _DECODER).decode(text)
    except RecursionError:
        raise Unusable("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise Unusable(f"{error.msg} at character {error.pos}") from None
    except ValueError:  # Python reads no whole number of more than 4,300 digits
        raise Unusable("it has a number with too many digits") from None
    if _may_be_deep(raw) and _is_deep(value):
        raise Unusable(f"it is nested more than {DEEPEST} levels deep")
    # only an escape can make one, for UTF-8 has no form for it; one byte is found the fastest
    if b"\\" in raw and (b"\\ud" in raw or b"\\uD" in raw):
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeError:
            raise Unusable("it has half of a surrogate pair") from None
    return value


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise Unusable("it has a number that is too large")
    return value


def _no_constant(name: str) -> Any:
    raise Unusable(f"it has {name}, which is no JSON")


# Made once; what is not called for each object or whole number costs nothing.
_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)
_DECODER_WITH_NAN = json.JSONDecoder(parse_float=_finite, parse_constant=lambda name: None)


def _may_be_deep(raw: bytes) -> bool:
    """Whether there may be more levels than ``DEEPEST``; at a tenth of what it takes to parse the text.

    Of the brackets alone, the innermost pairs are taken away time and again. Brackets within texts mostly
    make it seem deeper than it is. Made for it, they can hide depth as well: then ``record.plain`` keeps it
    out of the answer, and the engine says what it was that the stack did not hold.
    """
    brackets = raw.translate(None, _NO_BRACKETS)
    for _ in range(DEEPEST):
        if not brackets:
            return False
        fewer = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if len(fewer) == len(brackets):
            break
        brackets = fewer
    return len(brackets) > 0


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [
            inner
            for each in level
            if isinstance(each, (dict, list))
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True


# --- YAML -----------------------------------------------------------------------------------------


def yaml_value(text: str) -> Any:
    """The value of a YAML text from inside a record. Raises Unusable; no tag makes more than plain values.

    The graph of nodes is looked at before anything is made of it: an alias that holds itself, or aliases
    of aliases, are a few hundred bytes that nobody gets to the end of.
    """
    if len(text) > LONGEST_YAML:
        raise Unusable(f"it is longer than {LONGEST_YAML} characters")
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {}, 0)
        value = loader.construct_document(node)
        # what JSON has no form for: a date has one, see record.plain
        json.dumps(value, ensure_ascii=False, allow_nan=False, default=str).encode("utf-8")
    except RecursionError:
        raise Unusable("it is nested too deeply") from None
    except (yaml.YAMLError, ValueError, OverflowError, TypeError):
        # ValueError: a date that is none, half a surrogate pair; TypeError: a key that JSON can't have
        raise Unusable("it is no YAML that can be used") from None
    return value


def _count(node: Any, known: dict[int, int], depth: int) -> int:
    """How many nodes there are below and with this one, aliases written out."""
    if depth > DEEPEST:
        raise Unusable(f"it is nested more than {DEEPEST} levels deep")
    count = known.get(id(node))
    if count == 0:
        raise Unusable("an alias of it holds itself")
    if count is None:
        known[id(node)] = 0
        below = node.value if isinstance(node.value, list) else []
        inner = [each for pair in below for each in (pair if isinstance(pair, tuple) else (pair,))]
        count = known[id(node)] = 1 + sum(_count(each, known, depth + 1) for each in inner)
    if count > MOST_NODES:
        raise Unusable(f"it has more than {MOST_NODES} values, aliases written out")
    return count
