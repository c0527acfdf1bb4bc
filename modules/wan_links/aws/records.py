"""What the files of this cell share: related data, states and the names of endpoints."""

import dataclasses
from collections.abc import Mapping, Sequence, Set
from typing import Any, Optional

from nflex_connector_utils import Metadata

from shared.providers import aws
from shared.records.fields import field, needed
from shared.records.metadata import metadata

STATES = {
    "AVAILABLE": "running",
    "CREATING": "pending",
    "DELETING": "shutting",
    "FAILED": "stopped",
    "PENDING": "pending",
    "PENDING_ATTACHMENT_ACCEPTANCE": "pending",
    "PENDING_NETWORK_UPDATE": "pending",
    "PENDING_TAG_ACCEPTANCE": "pending",
    "REJECTED": "stopped",
    "UPDATING": "pending",
}

Record = dict[str, Any]
Records = Mapping[str, Record]  # by id


@dataclasses.dataclass(frozen=True)
class Lookups:
    """What links only name."""

    sites: Records = dataclasses.field(default_factory=dict)
    devices: Records = dataclasses.field(default_factory=dict)
    links: Records = dataclasses.field(default_factory=dict)
    core_networks: Records = dataclasses.field(default_factory=dict)
    attachments: Set[str] = frozenset()
    devices_of: Mapping[str, Set[str]] = dataclasses.field(default_factory=dict)  # by link
    gateways_of: Mapping[str, Set[str]] = dataclasses.field(default_factory=dict)  # ARNs, by link
    owner: Optional[str] = None  # the account's number


@dataclasses.dataclass(frozen=True)
class Arn:
    """arn:partition:service:region:account:kind/id; every part is empty where there is no ARN."""

    region: str = ""
    account: str = ""
    kind: str = ""
    id: str = ""

    def is_reported(self, scope: aws.Scope, lookups: Lookups) -> bool:
        """Whether other families report it: the account's own, in a region that is polled."""
        own = lookups.owner is not None and self.account == lookups.owner
        return own and self.region in scope.session.regions and bool(self.id)

    def label(self, lookups: Lookups) -> Optional[str]:
        """For people to read: "vpc-0a1b (eu-west-1)"; with the account where it is another one."""
        other = f"account {self.account}" if self.account != lookups.owner else None
        return with_more(self.id or None, ", ".join(filter(None, [other, self.region])))


def parse_arn(text: Optional[str]) -> Arn:
    parts = (text or "").split(":", 5)
    if len(parts) < 6:
        return Arn()
    kind, _, identifier = parts[5].rpartition("/")
    return Arn(parts[3], parts[4], kind, identifier)


def name_of(identifier: Optional[str], known: Records) -> Optional[str]:
    """Its Name tag, or else the id."""
    return identifier and aws.named(known.get(identifier) or {}, identifier)


def with_more(name: Optional[str], more: str) -> Optional[str]:
    return f"{name} ({more})" if name and more else name


def link_metadata(record: Record, names: Sequence[str], **more: Any) -> Metadata:
    state = field(record, "State", str)
    return metadata(
        record,
        names,
        aws.tags(record),
        link_kind=needed(record, aws.KIND, str),
        state=STATES.get(state or "", "unknown"),
        **more,
    )
