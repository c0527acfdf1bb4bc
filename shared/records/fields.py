"""Reads a provider's records: a field has the type that its API documents, or the record is refused.

All of these functions treat absent and None alike: "the provider does not say". A field of another type
raises UnexpectedResponse naming the field: a guess would put a wrong fact into the inventory.
"""

import base64
import datetime
import math
from collections.abc import Mapping
from typing import Any, Optional, TypeVar

from shared.engine.errors import UnexpectedResponse

T = TypeVar("T")

DEEPEST = 100  # levels; no polled API nests its answers more than 20 deep

LARGEST = 2**128  # larger than any API's numbers, even in units: 4096 GiB in bytes
_SMALLEST = -LARGEST

_AS_THEY_ARE = frozenset((str, bool, type(None)))
_NUMBERS = frozenset((int, float))
_TEXT = frozenset((str,))

_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
_WORDS.update({dict: "an object", list: "a list", datetime.datetime: "a time"})


def field(record: Mapping[str, Any], name: str, kind: type[T]) -> Optional[T]:
    """The field's value, or None if it is absent or null.

    ``float`` also accepts whole numbers; ``int`` does not accept true and false. Numbers must be finite, and
    whole numbers no larger than ``LARGEST``.
    """
    if type(record) is dict:  # the usual case, dozens of times per record, first
        value = record.get(name)
        if value is None:
            return None
        if type(value) is kind and (
            kind not in _NUMBERS or _SMALLEST <= value <= LARGEST  # type: ignore[operator]
        ):
            return value
    return _checked_field(record, name, kind)


def _checked_field(record: Mapping[str, Any], name: str, kind: type[T]) -> Optional[T]:
    """What ``field`` returns or raises, for any record and value."""
    if not isinstance(record, Mapping):
        raise UnexpectedResponse(f"expected an object with {name!r}, got {type(record).__name__}")
    value = record.get(name)
    if value is None:
        return None
    if isinstance(value, bool) and kind is not bool:
        pass
    elif isinstance(value, (int, float)) and kind in (int, float):
        _check_number(value, name)
        if isinstance(value, kind):
            return value
        if kind is float:
            return float(value)  # type: ignore[return-value]
    elif isinstance(value, kind):
        return value
    raise UnexpectedResponse(
        f"field {name!r} should be {_WORDS.get(kind, kind.__name__)}, "
        f"but is {_WORDS.get(type(value), type(value).__name__)}"
    )


def _check_number(value: float, name: str) -> None:
    if (
        isinstance(value, bool)
        or _SMALLEST <= value <= LARGEST
        or (isinstance(value, float) and math.isfinite(value))
    ):
        return
    raise UnexpectedResponse(f"field {name!r} is no number that can be used")


def needed(record: Mapping[str, Any], name: str, kind: type[T]) -> T:
    """The field's value; raises UnexpectedResponse if it is absent, null or an empty text."""
    value = field(record, name, kind)
    if value is None or value == "":
        raise UnexpectedResponse(f"field {name!r} is missing or empty")
    return value


def items(record: Mapping[str, Any], name: str, kind: type[T]) -> list[T]:
    """The list in the field, each item of the given type; empty if the field is absent."""
    values = field(record, name, list) or []
    exact = kind not in _NUMBERS
    for value in values:
        if exact and type(value) is kind:
            continue
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise UnexpectedResponse(
                f"field {name!r} should be a list of {_WORDS.get(kind, kind.__name__)}, "
                f"but holds {_WORDS.get(type(value), type(value).__name__)}"
            )
        if isinstance(value, (int, float)):
            _check_number(value, name)
    return values


def objects(record: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The list of objects in the field; empty if the field is absent."""
    return items(record, name, dict)


def parse_time(text: str) -> Optional[datetime.datetime]:
    """An ISO 8601 time as an aware datetime in UTC (naive input is UTC), or None if it can't be parsed."""
    text = text.strip()
    if text[-1:] in ("Z", "z"):  # Python accepts "Z" only from 3.11 on
        text = text[:-1] + "+00:00"
    try:
        moment = datetime.datetime.fromisoformat(text)
        if moment.tzinfo is datetime.timezone.utc:
            return moment
        if moment.tzinfo is None:
            return moment.replace(tzinfo=datetime.timezone.utc)
        return moment.astimezone(datetime.timezone.utc)
    except (
        ValueError,
        OverflowError,
    ):  # OverflowError: UTC would be before the year 1 or after 9999
        return None


def time(record: Mapping[str, Any], name: str) -> Optional[datetime.datetime]:
    """The time that the field contains as ISO 8601 text, in UTC."""
    text = field(record, name, str)
    if not text:
        return None
    moment = parse_time(text)
    if moment is None:
        raise UnexpectedResponse(f"field {name!r} should be an ISO 8601 time")
    return moment


def plain(value: Any, _depth: int = 0) -> Any:
    """The value in JSON's types: times as RFC 3339 in UTC, bytes as base64, keys as text.

    Raises UnexpectedResponse for what JSON can't represent, and for more levels than ``DEEPEST``.
    """
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is int or kind is float:
        if not _SMALLEST <= value <= LARGEST:
            _check_number(value, "metadata")
        return value
    if _depth > DEEPEST:
        raise UnexpectedResponse(f"a record is nested more than {DEEPEST} levels deep")
    if kind is datetime.datetime:
        return _rfc3339(value)
    if (
        kind is dict
        and _AS_THEY_ARE.issuperset(map(type, value.values()))
        and _TEXT.issuperset(map(type, value))
    ):
        return value.copy()
    # the test for Mapping is slow, and most items are texts or small numbers, which need no call
    if kind is dict or (kind is not list and isinstance(value, Mapping)):
        return {
            key if type(key) is str else str(key): item
            if type(item) in _AS_THEY_ARE or (type(item) is int and _SMALLEST <= item <= LARGEST)
            else plain(item, _depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [item if type(item) in _AS_THEY_ARE else plain(item, _depth + 1) for item in value]
    if isinstance(value, datetime.datetime):
        return _rfc3339(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    raise UnexpectedResponse(f"a record holds a {kind.__name__}, which JSON has no form for")


def _rfc3339(moment: datetime.datetime) -> str:
    if moment.tzinfo is datetime.timezone.utc:
        return moment.isoformat(timespec="seconds")[: -len("+00:00")] + "Z"
    try:
        if moment.tzinfo is not None:
            moment = moment.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    except OverflowError:
        raise UnexpectedResponse("a record holds a time that no calendar has in UTC") from None
    return moment.isoformat(timespec="seconds") + "Z"
