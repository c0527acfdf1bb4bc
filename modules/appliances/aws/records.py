"""What the files of this cell share: the kinds of records, their related data, and words for states."""

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, Callable, Optional, Union

from shared.engine.contracts import Dropped, Page
from shared.providers import aws

GONE = ("deleted", "failed")  # a NAT gateway that failed is deleted within the hour
NAMED_AT_ONCE = 20  # where more are requested, all are listed: that takes fewer calls
SMALL_PAGE = 100  # the largest of Network Firewall and EFS

# In service; not, or not fully, without a fault; faulty. Other states are unknown.
STATE_LEVELS = {
    "active": "ok",
    "available": "ok",
    "modifying": "ok",
    "READY": "ok",
    "updating": "ok",
    "active_impaired": "warning",
    "creating": "warning",
    "deleting": "warning",
    "DELETING": "warning",
    "pending": "warning",
    "provisioning": "warning",
    "PROVISIONING": "warning",
    "error": "error",
    "failed": "error",
    "FAILED": "error",
}

Record = dict[str, Any]
Message = tuple[str, str]  # a level, and the text


@dataclasses.dataclass(frozen=True)
class Lookups:
    """Related data that records only name: those of the page, and ``networks`` of all pages.

    Load balancers that were deleted since they were listed have no ``tags``.
    """

    networks: Set[str] = frozenset()  # VPCs and subnets
    instances: Set[str] = frozenset()
    addresses: Mapping[tuple[str, str], str] = dataclasses.field(  # (VPC, address) -> instance
        default_factory=dict
    )
    groups: Mapping[str, Sequence[Record]] = dataclasses.field(  # by load balancer
        default_factory=dict
    )
    targets: Mapping[str, Sequence[Record]] = dataclasses.field(default_factory=dict)  # by group
    listeners: Mapping[str, Sequence[Record]] = dataclasses.field(default_factory=dict)
    balancers: Set[str] = frozenset()
    tags: Mapping[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    mounts: Mapping[str, Sequence[Record]] = dataclasses.field(default_factory=dict)


def no_messages(record: Record, lookups: Lookups) -> Iterator[Message]:
    return iter(())


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of records, and how to read them."""

    id: str  # the field with the id
    convert: Callable[[Record, aws.Scope, Lookups], Union[dict[str, Any], Dropped]]
    state: Callable[[Record], Optional[str]] = aws.state  # the provider's word, if it has one
    gone: Collection[str] = GONE  # states of what no longer exists
    # of the status, besides the state's own
    messages: Callable[[Record, Lookups], Iterator[Message]] = no_messages


def pages_of_kind(
    kind: str, pages: Iterable[list[Record]], lookups: Lookups
) -> Iterator[Page[Record, Lookups]]:
    for records in pages:
        yield Page(aws.of_kind(kind, records), lookups)


def known_networks(networks: Iterable[Optional[str]], lookups: Lookups) -> list[str]:
    """Those of the networks that the networks family reports."""
    return aws.reported(networks, lookups.networks)
