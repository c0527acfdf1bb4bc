"""What the files of this cell share: the kinds of records, their related data, and the names of endpoints."""

import dataclasses
import datetime
from collections.abc import Iterator, Mapping
from typing import Any, Callable, Optional

from shared.providers import aws
from shared.providers.aws import cloudwatch

GONE = ("deleted", "expired", "failed", "rejected")  # states of what no longer exists

Record = dict[str, Any]
Records = Mapping[str, Record]  # by id
# A function that returns what cloudwatch.known_dimensions gives for Direct Connect; it calls that once.
Dimensions = Callable[[], dict[str, list[dict[str, str]]]]


@dataclasses.dataclass(frozen=True)
class Lookups:
    """Related data of circuits, as far as the kind of the page needs it."""

    vpcs: Records = dataclasses.field(default_factory=dict)
    customer_gateways: Records = dataclasses.field(default_factory=dict)
    vpn_gateways: Records = dataclasses.field(default_factory=dict)
    transit_gateways: Records = dataclasses.field(default_factory=dict)
    owner: Optional[str] = None  # the account's number, where there are peerings
    vpns: Records = dataclasses.field(default_factory=dict)
    peerings: Records = dataclasses.field(default_factory=dict)  # of transit gateways
    ports: Records = dataclasses.field(default_factory=dict)  # Direct Connect connections and LAGs
    locations: Mapping[str, str] = dataclasses.field(default_factory=dict)  # code -> name
    direct_connect_gateways: Records = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Health:
    """Of the parts of a circuit that stand in for each other: a VPN's tunnels, or BGP sessions."""

    level: str
    messages: list[str]
    since: Optional[datetime.datetime] = None


def never(record: Record, scope: aws.Scope, lookups: Lookups) -> Optional[str]:
    return None


def no_health(record: Record) -> Optional[Health]:
    return None


def no_queries(
    record: Record, name: str, scope: aws.Scope, known: Dimensions
) -> Iterator[cloudwatch.Query]:
    return iter(())


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of records, and how to read them."""

    id: str  # the field with the id
    convert: Callable[[Record, aws.Scope, Lookups], dict[str, Any]]
    state: Callable[[Record], Optional[str]] = aws.state
    # why a record that exists is reported elsewhere; None if it is reported here
    elsewhere: Callable[[Record, aws.Scope, Lookups], Optional[str]] = never
    health: Callable[[Record], Optional[Health]] = no_health
    queries: Callable[[Record, str, aws.Scope, Dimensions], Iterator[cloudwatch.Query]] = no_queries


def with_name(identifier: Optional[str], name: Optional[str]) -> Optional[str]:
    """The id and the name for people to read: "vpc-0a1b (prod)"."""
    return f"{identifier} ({name})" if identifier and name else identifier


def with_tag(identifier: Optional[str], known: Records) -> Optional[str]:
    """The id with the Name tag, if the record is known and has one."""
    return with_name(identifier, aws.tags(known.get(identifier or "") or {}).get("Name"))
