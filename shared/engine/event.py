"""Parses and checks the event that a handler is called with, before anything is imported or sent.

This is the only place that reads an event: the rest of the code gets a ``Request``.
No message holds the value of a credential.
"""

import dataclasses
import datetime
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Optional

from shared.engine.errors import InvalidEvent

# Credentials that only one provider has: an event that contains one need not name its provider.
_OWN_KEYS = {
    "aws": {"aws_access_key_id", "role_arn"},
    "juju": {"endpoint"},
    "openstack": {"auth_url", "OS_AUTH_URL"},
}
OPTIONS: dict[str, tuple[type, ...]] = {
    "allow_partial": (bool,),
    "deadline_s": (int, float),
    "device_kinds": (dict,),  # netbox
    "report_missing": (bool,),  # wan_links
}


@dataclasses.dataclass(frozen=True)
class Request:
    """What an event requests.

    ``resources``, ``last_update`` and ``poll_interval_s`` are only read for handlers that use them; whatever the
    platform sends in their place to other handlers is ignored.
    """

    provider: str
    credentials: Mapping[str, Any] = dataclasses.field(repr=False)
    account_id: str = ""
    task_id: Optional[str] = None
    allow_partial: bool = False
    deadline_s: Optional[float] = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # nulls left out
    resources: Optional[frozenset[str]] = None  # ids; None: all of the account
    last_update: Optional[datetime.datetime] = None  # aware and in UTC
    poll_interval_s: Optional[float] = None


@dataclasses.dataclass(frozen=True)
class Origin:
    """Whose event it is, for the header of each log line. Its values are not checked."""

    customer_id: str = ""
    account_id: str = ""
    resource_id: Optional[str] = None


def origin(event: Any) -> Origin:
    """The origin of an event. Never fails, so that a malformed event can be logged too."""
    fields = event if isinstance(event, dict) else {}
    resource = fields.get("resource")
    return Origin(
        fields.get("customer_id", ""),
        fields.get("account_id", ""),
        resource.get("id") if isinstance(resource, dict) else None,
    )


def credentials_of(event: Any) -> Any:
    """The credentials of an event, unchecked: they are masked in the log before anything else happens."""
    return event.get("credentials") if isinstance(event, dict) else None


def parse(
    event: Any,
    providers: Collection[str],
    *,
    ambient: bool = False,
    resources: bool = False,
    span: bool = False,
) -> Request:
    """The request in an event.

    ``providers`` are those that the family has cells for. ``ambient``: the runtime's operator allows events
    without credentials. ``resources``: the handler uses the requested resources. ``span``: it uses the span of
    time (last_update, poll_interval). Raises InvalidEvent naming the key and what was expected.
    """
    if not isinstance(event, dict):
        raise InvalidEvent(f"the event should be an object, but is {type(event).__name__}")
    credentials = event.get("credentials")
    if credentials is None and ambient:
        credentials = {}
    if not isinstance(credentials, dict):
        raise InvalidEvent(_expected("credentials", "an object", credentials))
    if not credentials and not ambient:
        raise InvalidEvent("'credentials' is empty: no ambient credentials are used")
    options = event.get("options")
    if options is None:
        options = {}
    if not isinstance(options, dict):
        raise InvalidEvent(_expected("options", "an object", options))
    check_texts(credentials)
    refuse_unknown_keys("options", options, OPTIONS)
    return Request(
        provider=_provider(event, credentials, providers),
        credentials=credentials,
        account_id=_text(event, "account_id") or "",
        task_id=_text(event, "task_id"),
        allow_partial=bool(_option(options, "allow_partial")),
        deadline_s=seconds("options.deadline_s", _option(options, "deadline_s")),
        options={name: _option(options, name) for name in OPTIONS if options.get(name) is not None},
        resources=_resources(event) if resources else None,
        last_update=_moment("last_update", event.get("last_update")) if span else None,
        poll_interval_s=_poll_interval(event) if span else None,
    )


def _resources(event: Mapping[str, Any]) -> Optional[frozenset[str]]:
    """The ids in ``resource`` or ``resources`` (each an id or an object with one); None: all.

    A ``resource`` of type "account" is the account itself, which means all of its resources.
    """
    one, several = event.get("resource"), event.get("resources")
    if isinstance(one, Mapping) and one.get("type") == "account":
        one = None
    if one is None and several is None:
        return None
    if several is not None and not isinstance(several, (list, tuple)):
        raise InvalidEvent(_expected("resources", "a list", several))
    ids = set()
    for resource in several if several is not None else [one]:
        identifier = resource.get("id") if isinstance(resource, Mapping) else resource
        if not isinstance(identifier, str) or not identifier:
            raise InvalidEvent(
                "each of 'resource' and 'resources' should be an id or an object with one"
            )
        ids.add(identifier)
    return frozenset(ids)


def _provider(
    event: dict[str, Any], credentials: dict[str, Any], providers: Collection[str]
) -> str:
    named = event.get("provider")
    if isinstance(named, dict):
        named = named.get("type") or named.get("name")
    if named is not None and not isinstance(named, str):
        raise InvalidEvent(
            _expected("provider", "a name or an object with 'type' or 'name'", named)
        )
    known = ", ".join(sorted(providers))
    if named:
        name = named.strip().lower()
        if name in providers:
            return name
        raise InvalidEvent(f"'provider' {named!r} is not one that this family polls ({known})")
    candidates = [name for name, keys in _OWN_KEYS.items() if keys & credentials.keys()]
    if len(candidates) == 1 and candidates[0] in providers:
        return candidates[0]
    raise InvalidEvent(
        f"'provider' is missing, and the credentials do not show it; one of: {known}"
    )


def _option(options: dict[str, Any], name: str) -> Any:
    value = options.get(name)
    kinds = OPTIONS[name]
    if value is None:
        return None
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        words = {bool: "true or false", dict: "an object"}
        expected = words.get(kinds[0], "a number")
        raise InvalidEvent(_expected(f"options.{name}", expected, value))
    return value


def seconds(name: str, value: Any) -> Optional[float]:
    """A length of time above 0, or None. ``name`` is used in the error message."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise InvalidEvent(f"{name!r} should be a number of seconds above 0")
    try:
        return float(value)
    except OverflowError:  # a whole number of more than 308 digits
        raise InvalidEvent(f"{name!r} is too large a number of seconds") from None


def _text(event: dict[str, Any], name: str) -> Optional[str]:
    value = event.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidEvent(_expected(name, "text", value))
    return value


def _expected(name: str, expected: str, value: Any) -> str:
    if value is None:
        return f"{name!r} is missing; expected {expected}"
    return f"{name!r} should be {expected}, but is {type(value).__name__}"


# --- the span of time ------------------------------------------------------------------------------

# RFC 3339, 5.6, except that the offset may be missing: the platform accepts times without one.
_RFC_3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))?",
    re.ASCII,
)


def _poll_interval(event: Mapping[str, Any]) -> Optional[float]:
    value, name = event.get("poll_interval"), "poll_interval"
    if value is None:
        resource = event.get("resource")
        if resource is None:
            return None
        if not isinstance(resource, Mapping):
            raise InvalidEvent(f"'resource' should be an object, but is {type(resource).__name__}")
        value, name = resource.get("poll_interval"), "resource.poll_interval"
    if value is None:
        return None
    if value == math.inf:
        raise InvalidEvent(f"{name!r} should be a number of seconds above 0")
    return seconds(name, value)


def _moment(name: str, value: Any) -> Optional[datetime.datetime]:
    """A datetime or an RFC 3339 text as an aware datetime in UTC; without an offset it is taken as UTC."""
    if value is None or value == "":
        return None
    wrong = InvalidEvent(
        f"{name!r} should be an RFC 3339 time such as 2026-01-31T23:59:59Z, but is "
        + (repr(value) if isinstance(value, str) and len(value) < 64 else type(value).__name__)
    )
    try:
        moment = _parse(value.strip()) if isinstance(value, str) else value
        if not isinstance(moment, datetime.datetime):
            raise wrong
        if moment.utcoffset() is None:
            return moment.replace(tzinfo=datetime.timezone.utc)
        return moment.astimezone(datetime.timezone.utc)
    except (ValueError, OverflowError):  # no such day, or the offset leads out of all years
        raise wrong from None


def _parse(text: str) -> Optional[datetime.datetime]:
    match = _RFC_3339.fullmatch(text)
    if not match:
        return None
    *numbers, fraction, sign, hours, minutes = match.groups()
    year, month, day, hour, minute, second = map(int, numbers)
    leap = second == 60  # RFC 3339 writes leap seconds; datetime has none
    moment = datetime.datetime(year, month, day, hour, minute, second - leap)
    moment += datetime.timedelta(
        seconds=leap, microseconds=int((fraction or "0")[:6].ljust(6, "0"))
    )
    if sign is None:
        return moment.replace(tzinfo=datetime.timezone.utc)
    if int(hours) > 23 or int(minutes) > 59:
        return None
    offset = datetime.timedelta(hours=int(hours), minutes=int(minutes))
    return moment.replace(tzinfo=datetime.timezone(-offset if sign == "-" else offset))


# --- credentials -----------------------------------------------------------------------------------

# Characters that no credential has: a line break or a control character would end a header, or pass a check
# and be stripped later on; half of a surrogate pair can't be sent at all.
_UNUSABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_UNUSABLE_IN_PEM = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PEM = {"ca_cert", "cacert", "OS_CACERT"}  # these have lines


def check_texts(credentials: Mapping[str, Any]) -> None:
    """Raise InvalidEvent naming a credential that has a line break or another unusable character."""
    for name, value in credentials.items():
        unusable = _UNUSABLE_IN_PEM if name in _PEM else _UNUSABLE
        if any(unusable.search(text) for text in (str(name), *_texts_in(value))):
            raise InvalidEvent(
                f"credentials.{ascii(name)[1:-1]} has a line break, a control character or half of a "
                "surrogate pair"
            )


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield str(name)
            yield from _texts_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts_in(item)


def refuse_unknown_keys(name: str, keys: Iterable[Any], known: Iterable[str]) -> None:
    """Raise InvalidEvent if a key of ``name`` ("options", "credentials") is unknown.

    A key that is ignored would be a restriction (a region, a time limit) that never takes effect.
    """
    in_lower_case = {key.lower(): key for key in sorted(known)}
    for key in keys:
        if in_lower_case.get(str(key).lower()) == key:
            continue
        import difflib  # only needed for an error

        close = difflib.get_close_matches(str(key).lower(), in_lower_case, 1)
        hint = (
            f"did you mean {in_lower_case[close[0]]!r}?"
            if close
            else f"known keys: {', '.join(in_lower_case.values())}"
        )
        raise InvalidEvent(f"{name}.{ascii(str(key))[1:-1]} is an unknown key; {hint}")


def text_credential(credentials: Mapping[str, Any], name: str) -> Optional[str]:
    """A credential that should be text, without surrounding blanks; None if absent or empty."""
    value = credentials.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidEvent(f"credentials.{name} should be text, but is {type(value).__name__}")
    return value.strip() or None


def header_credential(credentials: Mapping[str, Any], name: str) -> Optional[str]:
    """Like ``text_credential``, for a value that is sent unchanged in a header: visible ASCII only."""
    value = text_credential(credentials, name)
    if value is not None and not re.fullmatch("[!-~]+", value):
        raise InvalidEvent(f"credentials.{name} should have no blanks and only ASCII characters")
    return value


def needed_credential(credentials: Mapping[str, Any], name: str) -> str:
    """A credential that the provider requires."""
    value = text_credential(credentials, name)
    if value is None:
        raise InvalidEvent(f"credentials.{name} is missing or empty; expected text")
    return value


def flag_credential(credentials: Mapping[str, Any], name: str, default: bool) -> bool:
    """A credential that is true or false. Also accepts these as text, since some consoles store only text."""
    value = credentials.get(name)
    if value is None:
        return default
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if not isinstance(value, bool):
        raise InvalidEvent(f"credentials.{name} should be true or false")
    return value
