"""Which differences are critical: what is gone or disconnected, though something that is still there needs it."""

from collections.abc import Iterator
from typing import Optional

from topology.graph import Graph
from topology.links import REDUNDANT
from topology.model import Key, Node

# A resource, and the type and id of what it was connected to; None: the resource itself is gone.
Place = tuple[Key, Optional[tuple[str, str]]]


def critical(before: Graph, after: Graph) -> dict[Place, str]:
    """Why each of them is critical: a resource that is gone, or a connection of it."""
    found: dict[Place, str] = {}
    for place, reason in (*_needed(before, after), *_last_ones(before, after)):
        found.setdefault(place, reason)
    return found


def _needed(before: Graph, after: Graph) -> Iterator[tuple[Place, str]]:
    """What is gone, and still named by others."""
    naming: dict[Key, list[Node]] = {}
    for each in after.problems:
        key = (each.source[0], each.type, each.id)
        if each.problem == "dangling" and key in before.numbers:
            naming.setdefault(key, []).append(after.nodes[after.numbers[each.source]])
    for key, nodes in naming.items():
        more = f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""
        verb = "are" if more else "is"
        yield (key, None), f"{nodes[0]}{more} {verb} still connected to it"


def _last_ones(before: Graph, after: Graph) -> Iterator[tuple[Place, str]]:
    """What has lost the last provider of a group, such as a load balancer its servers; and those that it had."""
    for number, node in enumerate(before.nodes):
        now = after.numbers.get(node.key)
        if now is None:
            continue
        names = {after.link[link].name for link in after.up[now]}
        for link in before.up[number]:
            kind = before.link[link]
            if kind.mode != REDUNDANT or kind.name in names:
                continue
            provider = before.nodes[before.other(link, number)]
            reason = f"{node} has no {kind.provider.replace('_', ' ')} any more"
            yield (node.key, provider.key[1:]), reason
            yield (provider.key, node.key[1:]), reason
            if provider.key not in after.numbers:
                yield (provider.key, None), reason
