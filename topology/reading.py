"""The graph of an inventory, and what else questions need of it."""

import contextlib
import gc
from collections.abc import Iterator, Mapping
from typing import Any, Optional, Protocol

from inventory.extract import tag_value
from inventory.fields import TAGS
from inventory.model import Linked, Shared, Status, When
from inventory.model import Resource as Stored
from topology.errors import InvalidQuestion
from topology.graph import Graph, load
from topology.links import DEGRADED, DOWN, UP
from topology.model import Key, Resource
from topology.stitching import ADDRESS, ENDPOINT, INSTANCE, MAC, MEMBER, REFERENCE, Fact

# Fields in which a resource has an address of its own, and those in which it names another one's.
OWN = ("IpAddress", "ip_address", "primary_ip4", "primary_ip6")
NAMED = ("/details/circuit/endpoint_a", "/details/circuit/endpoint_b")
LEVELS = {
    "ok": UP,
    "warning": DEGRADED,
    "error": DOWN,
}  # what status points say; unknown counts as up
FACTS = {
    "instance-id": INSTANCE,
    "reference": REFERENCE,
    "endpoint_a": ENDPOINT,
    "endpoint_b": ENDPOINT,
}


class Source(Protocol):
    """What is read of an inventory, or of the part of one that somebody may see."""

    def linked(self, as_of: Optional[When] = None) -> Linked: ...

    def shared(self, as_of: Optional[When] = None) -> list[Shared]: ...

    def every_resource(self, as_of: Optional[When] = None) -> Iterator[Stored]: ...


def read(inventory: Source, as_of: Optional[When] = None) -> Graph:
    """As of now, or of an earlier time."""
    with _no_collections():
        return load(*_read(inventory, as_of))


@contextlib.contextmanager
def _no_collections() -> Iterator[None]:
    """Nothing of what is read is garbage: to look for it after each thousand objects takes a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _read(inventory: Source, as_of: Optional[When]) -> tuple[Iterator[Resource], list[Fact]]:
    """The resources as they are needed: nothing else holds the rows, which go with the last one."""
    linked = inventory.linked(as_of)
    several = len({each.account for each in linked.resources}) > 1
    found = inventory.shared(as_of) if several else []
    facts = [*_facts(linked, found)]
    return _resources(linked), facts


def _resources(linked: Linked) -> Iterator[Resource]:
    names = {each.key: (each.type, each.id) for each in linked.resources}
    absent = {key: name[1:] for key, name in linked.absent.items()}
    nothing: Mapping[str, str] = {}
    for key, account, provider, family, scope, type_name, id, name, state in linked.resources:
        yield Resource(
            account,
            type_name,
            id,
            name,
            provider,
            family,
            scope,
            state,
            linked.traits.get(key, nothing),
            [names.get(other) or absent[other] for other in linked.connections.get(key, ())],
        )


def _facts(linked: Linked, found: list[Shared]) -> Iterator[Fact]:
    keys: dict[int, Key] = {}
    for each in linked.resources:
        keys[each.key] = (each.account, each.type, each.id)
        traits = linked.traits.get(each.key)
        if traits:
            for name, what in FACTS.items():
                if name in traits:
                    yield Fact(keys[each.key], what, traits[name])
    for number, value, path in found:
        last = path.rpartition("/")[2]
        if number not in keys:
            continue
        if ":" in value and len(value) == 17:
            yield Fact(keys[number], MAC, value)
        elif last in OWN:
            yield Fact(keys[number], ADDRESS, value)
        elif path in NAMED or path.endswith("/members/*/address"):
            yield Fact(keys[number], MEMBER, value)


def states(graph: Graph, statuses: list[Status]) -> dict[int, int]:
    """What the newest status of each node is, of those that have one; unknown is up."""
    found: dict[int, int] = {}
    for each in statuses:
        number = graph.numbers.get(each[:3])
        if number is not None:
            found[number] = LEVELS.get(each.level, UP)
    return found


def owners(inventory: Source, key: str, as_of: Optional[When] = None) -> dict[Key, str]:
    """Whose each resource is, by the value of a tag, or else of another key of its metadata. Reads every document.

    Raises InvalidQuestion.
    """
    found: dict[Key, str] = {}
    for each in inventory.every_resource(as_of):
        entry = each.entry
        value = _of_metadata(each.document["metadata"], key)
        if value is not None:
            found[entry.account, entry.type, entry.id] = value
    if not found:
        raise InvalidQuestion(
            f"no resource has a tag, or another key of its metadata, {key!r} that says whose it is",
            "flexlocal inventory show lists those of a resource",
        )
    return found


def _of_metadata(metadata: Mapping[str, Any], key: str) -> Optional[str]:
    """Tags first. What is an object or a list names nobody."""
    for name in sorted(metadata, key=lambda each: each != TAGS):
        values = metadata[name]
        value = values.get(key) if isinstance(values, dict) else None
        if value not in (None, "") and not isinstance(value, (dict, list)):
            return tag_value(value)
    return None
