"""Checks what a poll brought in, before anything is written."""

import dataclasses
import datetime
import json
from collections.abc import Mapping
from typing import Any, Optional

from inventory.errors import InvalidPoll, InvalidResource
from inventory.fields import encode_text, fingerprint, join, split
from inventory.model import Failure, Scopes, microseconds

REPORT = "this is a bug of the connector: report it with its name and the poll's time"
LONGEST_ID = 2000  # characters; PostgreSQL can't index much more


@dataclasses.dataclass
class Item:
    """A resource that is to be stored."""

    # no parts of the resource: of most, nothing but the hash is needed, and what is kept costs time to collect
    scope: str
    type: str
    id: str
    hash: bytes
    resource: dict[str, Any]

    @property
    def name(self) -> str:
        name: str = self.resource["base"]["name"]
        return name

    @property
    def fast(self) -> dict[str, Any]:
        return split(self.resource)[1]

    def document(self) -> dict[str, Any]:
        """As it will be read: keys that are numbers become text, as in all JSON. Without the ignored fields."""
        document: dict[str, Any] = json.loads(encode_text(join(*split(self.resource))))
        return document


@dataclasses.dataclass
class Poll:
    """A poll whose resources are all valid."""

    account: str
    provider: str
    family: str
    started_at: int
    ended_at: int
    all_scopes: bool
    complete: list[str]
    failed: dict[str, str]
    items: list[Item]
    calls: Optional[int] = None  # requests that were sent, and how many of them were retries
    retries: Optional[int] = None


def checked(
    account: str,
    provider: str,
    family: str,
    scopes: Scopes,
    started_at: datetime.datetime,
    ended_at: datetime.datetime,
    all_scopes: bool,
    calls: Optional[int] = None,
    retries: Optional[int] = None,
) -> Poll:
    """Raises InvalidPoll or InvalidResource."""
    names = {"account": account, "provider": provider, "family": family}
    for what, value in names.items():
        if not value or not _usable(value):
            raise InvalidPoll(f"the poll's {what} is {value!r}", "pass a name")
    started, ended = _time("start", started_at), _time("end", ended_at)
    if ended < started:
        raise InvalidPoll("the poll ends before it starts", "check the clock")
    if not scopes:
        raise InvalidPoll(
            f"a poll of {account} {family} names no scope",
            "store it as a failure: an empty inventory would say that everything was deleted",
        )
    poll = Poll(account, provider, family, started, ended, all_scopes, [], {}, [], calls, retries)
    first: dict[tuple[str, str], str] = {}
    for scope, resources in scopes.items():
        if not _usable(scope):
            raise InvalidPoll(f"the poll's scope is {scope!r}", "pass a name")
        if isinstance(resources, Failure):
            poll.failed[scope] = storable(resources.error)
            continue
        poll.complete.append(scope)
        for number, resource in enumerate(resources):
            item = _item(scope, number, resource)
            key = (item.type, item.id)
            if key in first:
                where = f"scope {scope!r}" + ("" if first[key] == scope else f" and {first[key]!r}")
                raise InvalidResource(f"{item.type} {item.id!r} is there twice, in {where}", REPORT)
            first[key] = scope
            poll.items.append(item)
    return poll


def _usable(value: Any) -> bool:
    """Whether it is text that every database takes, and of a length that it can index."""
    if not isinstance(value, str) or "\0" in value or len(value) > LONGEST_ID:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def storable(text: str) -> str:
    """The text as every database takes it."""
    return text.replace("\0", "").encode(errors="replace").decode()


def _time(what: str, value: datetime.datetime) -> int:
    try:
        return microseconds(value)
    except (ValueError, AttributeError, TypeError):
        raise InvalidPoll(
            f"the poll's {what} is {value!r}", "pass a datetime with a time zone"
        ) from None


def _item(scope: str, number: int, resource: Any) -> Item:
    wrong = _wrong(resource)
    if not wrong:
        try:
            found = fingerprint(*split(resource))
            return Item(scope, resource["type"], resource["id"], found, resource)
        except (TypeError, ValueError):
            wrong = "a value that JSON does not have"
        except RecursionError:
            wrong = "too many levels"
    label = resource.get("id") if isinstance(resource, Mapping) else None
    where = f"resource {label!r}" if isinstance(label, str) and label else f"resource {number + 1}"
    raise InvalidResource(f"{where} of scope {scope!r} has {wrong}", REPORT)


def _wrong(resource: Any) -> str:
    """What is not as CMP's schema says, with as little of the resource as will do; empty if nothing is."""
    if not isinstance(resource, dict):
        return f"the type {type(resource).__name__}, not dict"
    for key in ("id", "type"):
        value = resource.get(key)
        if not value or not _usable(value):
            return f"no usable {key!r}"
    for key in ("base", "details", "connections", "metadata"):
        if not isinstance(resource.get(key), dict):
            return f"no object {key!r}"
    name = resource["base"].get("name")
    if not isinstance(name, str) or not name:
        return "no name"
    for kind, targets in resource["connections"].items():
        if not kind or not _usable(kind) or not isinstance(targets, list):
            return "connections that are not lists by type"
        for target in targets:
            value = target.get("id") if isinstance(target, dict) else None
            if not value or not _usable(value):
                return f"a connection to a {kind} without a usable id"
    return ""
