"""What each customer loses in a maintenance, with the sentence to send."""

import dataclasses
from collections.abc import Mapping

from topology.impact import Impact
from topology.links import DOWN
from topology.model import Key, Node

NAMED = 5  # resources that a sentence names; the others are counted


@dataclasses.dataclass(frozen=True)
class Loss:
    """Of one customer; ``sentence`` is what to send."""

    owner: str
    down: tuple[Node, ...]
    degraded: tuple[Node, ...]
    sentence: str


def losses(impact: Impact, owners: Mapping[Key, str]) -> list[Loss]:
    """By customer, in the order of their names. What is maintained itself counts too; what nobody owns does not."""
    found: dict[str, tuple[list[Node], list[Node]]] = {}
    for number in sorted(impact.states):
        node = impact.graph.nodes[number]
        owner = owners.get(node.key)
        if owner is not None:
            down, degraded = found.setdefault(owner, ([], []))
            (down if impact.states[number] == DOWN else degraded).append(node)
    return [
        Loss(owner, tuple(down), tuple(degraded), _sentence(down, degraded))
        for owner, (down, degraded) in sorted(found.items())
    ]


def _sentence(down: list[Node], degraded: list[Node]) -> str:
    parts = []
    if down:
        parts.append(f"{_named(down)} will not be available")
    if degraded:
        verb = (
            "may be slower or without redundancy, but"
            if down
            else "will be available, but may be slower or without redundancy;"
        )
        rest = "will be available" if down else "nothing of yours stops"
        parts.append(f"{_named(degraded)} {verb} {rest}")
    return f"During this maintenance, {'; '.join(parts)}."


def _named(nodes: list[Node]) -> str:
    names = [f"{each.kind.replace('_', ' ')} {each.name}" for each in nodes[:NAMED]]
    if len(nodes) > NAMED:
        names.append(f"{len(nodes) - NAMED} more")
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} and {names[-1]}"
