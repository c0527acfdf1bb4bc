"""What the graph consists of."""

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Optional

from topology.links import LinkType

Key = tuple[str, str, str]  # account, type, id
NOTHING: Mapping[str, str] = MappingProxyType({})

# how sure it is that two ends are one link
CERTAIN, LIKELY, WEAK = "certain", "likely", "weak"


class Resource(NamedTuple):
    """What the graph needs of a resource. ``traits``: type_id, is_virtual, network_kind, ... as text; ``connections``:
    type and id of each connected resource."""

    account: str
    type: str
    id: str
    name: str = ""
    provider: str = ""
    family: str = ""
    scope: str = ""
    state: Optional[str] = None
    traits: Mapping[str, str] = NOTHING
    connections: Sequence[tuple[str, str]] = ()


class Node(NamedTuple):
    """A resource in the graph; ``role`` is what it is within its kind, such as vpc or subnet."""

    account: str
    type: str
    id: str
    kind: str
    name: str
    role: Optional[str]
    provider: str
    family: str
    scope: str
    state: Optional[str]

    @property
    def key(self) -> Key:
        return self[:3]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Evidence(NamedTuple):
    """Why two ends that no account connects are one link. ``what``: id, instance-id, mac, reference, address, endpoint."""

    what: str
    value: str
    sure: str


@dataclasses.dataclass(frozen=True)
class Edge:
    """``declared``: which ends name the other one. ``evidence``: None if both are of one account, which says so."""

    link_type: LinkType
    dependent: Node
    provider: Node
    declared: frozenset[str]
    evidence: Optional[Evidence]


class Problem(NamedTuple):
    """A connection that leads nowhere, or not to one place.

    ``problem``: self, duplicate, dangling, ambiguous, unproven (two ends may be one link, but nothing proves it).
    ``type`` and ``id`` are those that ``source`` names; ``candidates`` what may be meant.
    """

    problem: str
    source: Key
    type: str
    id: str
    reason: str = ""
    candidates: tuple[Key, ...] = ()
