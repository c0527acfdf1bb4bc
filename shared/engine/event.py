"""The event that a handler is called with, parsed and checked before anything is imported or sent.

No message holds the value of a credential.
"""

import dataclasses
import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Optional

from shared.engine.deadline import Deadline
from shared.engine.errors import InvalidEvent

DEADLINE_S = 600.0

# Credentials that only one provider has: with them, an event may leave its provider out.
_TELLTALE = {
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
    """What an event asks for."""

    provider: str
    credentials: Mapping[str, Any] = dataclasses.field(repr=False)
    account_id: str
    task_id: Optional[str]
    allow_partial: bool
    deadline_s: Optional[float]
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # those that were given


def parse(event: Any, providers: Collection[str], *, ambient: bool = False) -> Request:
    """The request in an event.

    ``providers`` are those that the family has cells for; ``ambient`` says that the runtime's
    operator lets credentials be left out. Raises InvalidEvent naming the key and what was expected.
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
        deadline_s=_seconds("options.deadline_s", _option(options, "deadline_s")),
        options={name: _option(options, name) for name in OPTIONS if options.get(name) is not None},
    )


def asked_resources(event: Mapping[str, Any]) -> Optional[frozenset[str]]:
    """The ids that ``resource`` or ``resources`` asks for (each an id, or an object with one); None: all.

    A ``resource`` of type "account" is the account itself, which asks for all that it has.
    """
    one, several = event.get("resource"), event.get("resources")
    if isinstance(one, Mapping) and one.get("type") == "account":
        one = None
    if one is None and several is None:
        return None
    if several is not None and not isinstance(several, (list, tuple)):
        raise InvalidEvent(_expected("resources", "a list", several))
    ids = set()
    for each in several if several is not None else [one]:
        identifier = each.get("id") if isinstance(each, Mapping) else each
        if not isinstance(identifier, str) or not identifier:
            raise InvalidEvent(
                "each of 'resource' and 'resources' should be an id or an object with one"
            )
        ids.add(identifier)
    return frozenset(ids)


def deadline(request: Request, context: Any) -> Deadline:
    """The time budget: the runtime's or the account's, whichever is shorter, or 600 s."""
    config = getattr(context, "config", None)
    given = config.get("deadline_s") if isinstance(config, Mapping) else None
    of_runtime = _seconds("context.config.deadline_s", given)
    limits = [limit for limit in (of_runtime, request.deadline_s) if limit is not None]
    return Deadline(min(limits, default=DEADLINE_S))


def ambient_credentials(context: Any) -> bool:
    """Whether the operator of this runtime allows the host's own credentials."""
    config = getattr(context, "config", None)
    return isinstance(config, Mapping) and config.get("ambient_credentials") is True


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
    told = [name for name, keys in _TELLTALE.items() if keys & credentials.keys()]
    if len(told) == 1 and told[0] in providers:
        return told[0]
    raise InvalidEvent(
        f"'provider' is missing, and the credentials do not tell it; one of: {known}"
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


def _seconds(name: str, value: Any) -> Optional[float]:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise InvalidEvent(f"{name!r} should be a number of seconds above 0")
    return float(value)


def _text(event: dict[str, Any], name: str) -> Optional[str]:
    value = event.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidEvent(_expected(name, "text", value))
    return value


def _expected(name: str, expected: str, value: Any) -> str:
    if value is None:
        return f"{name!r} is missing; expected {expected}"
    return f"{name!r} should be {expected}, but is {type(value).__name__}"


# Of characters that no credential has: a line break or a control character would end a header, or pass a
# check and be stripped later on; half of a surrogate pair can't be sent at all.
_UNUSABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_UNUSABLE_IN_PEM = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PEM = {"ca_cert", "cacert", "OS_CACERT"}  # which have lines


def check_texts(credentials: Mapping[str, Any]) -> None:
    """Raise InvalidEvent naming the credential that has a line break, or another character it can't have."""
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
        for name, each in value.items():
            yield str(name)
            yield from _texts_in(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts_in(each)


def refuse_unknown_keys(name: str, given: Iterable[Any], known: Iterable[str]) -> None:
    """Raise InvalidEvent where a key of ``name`` ("options", "credentials") is none of the known ones.

    A key that is ignored would be a restriction (a region, a time limit) that never takes effect.
    """
    in_lower_case = {key.lower(): key for key in sorted(known)}
    for key in given:
        if in_lower_case.get(str(key).lower()) == key:
            continue
        close = difflib.get_close_matches(str(key).lower(), in_lower_case, 1)
        hint = (
            f"did you mean {in_lower_case[close[0]]!r}?"
            if close
            else f"known keys: {', '.join(in_lower_case.values())}"
        )
        raise InvalidEvent(f"{name}.{ascii(str(key))[1:-1]} is an unknown key; {hint}")


def text_credential(credentials: Mapping[str, Any], name: str) -> Optional[str]:
    """A credential that should be text, without blanks at its ends; None where absent or empty."""
    value = credentials.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidEvent(f"credentials.{name} should be text, but is {type(value).__name__}")
    return value.strip() or None


def header_credential(credentials: Mapping[str, Any], name: str) -> Optional[str]:
    """As ``text_credential``, of what is sent in a header as it is: visible ASCII."""
    value = text_credential(credentials, name)
    if value is not None and not re.fullmatch("[!-~]+", value):
        raise InvalidEvent(f"credentials.{name} should have no blanks and only ASCII characters")
    return value


def needed_credential(credentials: Mapping[str, Any], name: str) -> str:
    """A credential that the provider can't do without."""
    value = text_credential(credentials, name)
    if value is None:
        raise InvalidEvent(f"credentials.{name} is missing or empty; expected text")
    return value


def flag_credential(credentials: Mapping[str, Any], name: str, default: bool) -> bool:
    """A credential that is true or false; as text too, since some consoles store only text."""
    value = credentials.get(name)
    if value is None:
        return default
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if not isinstance(value, bool):
        raise InvalidEvent(f"credentials.{name} should be true or false")
    return value
