"""A resource's status, put together from what its record says of it."""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from shared.records.fields import field, needed, time
from shared.records.status import Point, worst

# One fact about a resource's state: its level, a message, and since when, where that is known.
# The cells' tables of levels follow one rule: what changes while it serves is ok; what does not serve
# yet or any more, or was switched off, is a warning; what failed is an error.
Finding = tuple[str, str, Optional[datetime.datetime]]


def finding(
    record: Mapping[str, Any],
    name: str,
    levels: Mapping[str, str],
    since: Optional[str] = None,
) -> Finding:
    """What the state in a field of the record means; a state that is not in ``levels`` is unknown.

    ``since``: the field that holds the time of the last change, for records that have one.
    """
    moment = time(record, since) if since else None
    state = field(record, name, str)
    if not state:
        return "unknown", f"no {name}", None
    return levels.get(state, "unknown"), f"{name} {state}", moment


def unless_switched_off(record: Mapping[str, Any], findings: Sequence[Finding]) -> list[Finding]:
    """The findings; where somebody switched the resource off, DOWN is intended and no error."""
    if field(record, "admin_state_up", bool) is not False:
        return list(findings)
    milder = [
        ("warning" if level == "error" and not message.endswith("ERROR") else level, message, since)
        for level, message, since in findings
    ]
    return [("warning", "admin_state_up false", None), *milder]


def point(record: Mapping[str, Any], resource_type: str, findings: Sequence[Finding]) -> Point:
    """The status of a resource: the worst level of the findings, and the messages of all that are not ok."""
    level = worst(finding_level for finding_level, _, _ in findings)
    faults = [message for finding_level, message, _ in findings if finding_level != "ok"]
    message = "; ".join(faults or [findings[0][1]])
    since = next((since for finding_level, _, since in findings if finding_level == level), None)
    return Point(needed(record, "id", str), resource_type, level, message, since)
