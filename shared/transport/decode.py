"""The only reader of bodies: the JSON and YAML that a provider sends, however malformed.

Whatever can't be used ends as UnexpectedResponse, and whatever is used can be written as JSON again: no NaN or
infinity (RFC 8259, 6, has neither), no half of a surrogate pair (UTF-8 can't encode it), no number that Python
refuses to read, and nothing nested so deeply that a recursive function would run out of stack.

Where orjson is installed, it reads the JSON that both read alike. It is compiled, so no zip has it.
"""

import json
import math
from typing import Any, Optional, Union

from shared.engine.errors import UnexpectedResponse
from shared.records.fields import DEEPEST

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]

LONGEST_YAML = 65_535  # characters: the size of MySQL's TEXT, in which OSM keeps its YAML
MOST_NODES = 10_000  # of a YAML text, with all aliases expanded

_BOM = b"\xef\xbb\xbf"
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_DIGITS_AS_0 = bytes.maketrans(b"123456789", b"000000000")
_MOST_DIGITS = b"0" * 19  # from which on a whole number may not fit into 64 bits
_BEFORE_A_NUMBER = frozenset(b"-,:[ \t\r\n")


class Unusable(Exception):
    """Why a text can't be used."""


# --- JSON -----------------------------------------------------------------------------------------


def json_answer(
    data: bytes, where: str, content_type: Optional[str] = None, *, nan: bool = False
) -> Any:
    """The value of a response's body; ``where`` is the URL without query, for UnexpectedResponse.

    ``nan``: read NaN and Infinity as null.
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
    except UnicodeError:
        raise Unusable("it is not UTF-8") from None
    raw = raw[len(_BOM) :] if raw.startswith(_BOM) else raw
    value = _by_orjson(raw) if orjson else _UNREAD
    if value is _UNREAD:
        value = _by_json(raw, nan)
    if _may_be_deep(raw) and _is_deep(value):
        raise Unusable(f"it is nested more than {DEEPEST} levels deep")
    # only an escape can produce half a pair, since UTF-8 can't encode it; searching for one byte is the fastest
    if b"\\" in raw and (b"\\ud" in raw or b"\\uD" in raw):
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeError:
            raise Unusable("it has half of a surrogate pair") from None
    return value


_UNREAD = object()


def _by_orjson(raw: bytes) -> Any:
    """The value, if orjson is certain to read the same as Python: it makes whole numbers of more than 64 bits floats."""
    if _may_have_long_number(raw):
        return _UNREAD
    try:
        return orjson.loads(raw)
    except ValueError:  # Python reads a little more, and its errors are those that are documented
        return _UNREAD


def _may_have_long_number(raw: bytes) -> bool:
    """Whether a number of that many digits is in it; texts such as hashes, which also have many, don't count."""
    digits = raw.translate(_DIGITS_AS_0)
    at = digits.find(_MOST_DIGITS)
    while at > 0:
        if digits[at - 1] in _BEFORE_A_NUMBER:
            return True
        at = digits.find(_MOST_DIGITS, at + len(_MOST_DIGITS))
    return at == 0


def _by_json(raw: bytes, nan: bool) -> Any:
    try:
        return (_DECODER_WITH_NAN if nan else _DECODER).decode(raw.decode("utf-8"))
    except UnicodeError:
        raise Unusable("it is not UTF-8") from None
    except RecursionError:
        raise Unusable("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise Unusable(f"{error.msg} at character {error.pos}") from None
    except ValueError:  # Python reads no whole number of more than 4,300 digits
        raise Unusable("it has a number with too many digits") from None


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise Unusable("it has a number that is too large")
    return value


def _no_constant(name: str) -> Any:
    raise Unusable(f"it has {name}, which is no JSON")


# Created once, without hooks that would be called for each object or whole number.
_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)
_DECODER_WITH_NAN = json.JSONDecoder(parse_float=_finite, parse_constant=lambda name: None)


def _may_be_deep(raw: bytes) -> bool:
    """Whether there may be more levels than ``DEEPEST``; takes a tenth of the time of parsing the text.

    It looks at the brackets alone and removes the innermost pairs again and again. Brackets within texts usually
    make the text seem deeper than it is. A hostile text can also hide its depth with them: then ``fields.plain``
    keeps it out of the answer, or the engine reports the RecursionError as the provider's.
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
            for item in level
            if isinstance(item, (dict, list))
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True


# --- YAML -----------------------------------------------------------------------------------------


def yaml_value(text: str) -> Any:
    """The value of a YAML text inside a record. Raises Unusable; tags can only produce plain values.

    The graph of nodes is checked before it is expanded: an alias that contains itself, or aliases of aliases,
    need only a few hundred bytes to fill any memory.
    """
    import yaml  # only OSM's records hold any, and other polls start without it

    if len(text) > LONGEST_YAML:
        raise Unusable(f"it is longer than {LONGEST_YAML} characters")
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {}, 0)
        value = loader.construct_document(node)
        # refuse what JSON can't represent; dates are fine, see fields.plain
        json.dumps(value, ensure_ascii=False, allow_nan=False, default=str).encode("utf-8")
    except RecursionError:
        raise Unusable("it is nested too deeply") from None
    except (yaml.YAMLError, ValueError, OverflowError, TypeError):
        # ValueError: an impossible date, half a surrogate pair; TypeError: a key that JSON can't have
        raise Unusable("it is no YAML that can be used") from None
    return value


def _count(node: Any, known: dict[int, int], depth: int) -> int:
    """The number of nodes in this one, itself included and aliases expanded."""
    if depth > DEEPEST:
        raise Unusable(f"it is nested more than {DEEPEST} levels deep")
    count = known.get(id(node))
    if count == 0:
        raise Unusable("an alias of it holds itself")
    if count is None:
        known[id(node)] = 0
        below = node.value if isinstance(node.value, list) else []
        inner = [
            child for pair in below for child in (pair if isinstance(pair, tuple) else (pair,))
        ]
        count = known[id(node)] = 1 + sum(_count(child, known, depth + 1) for child in inner)
    if count > MOST_NODES:
        raise Unusable(f"it has more than {MOST_NODES} values, aliases written out")
    return count
