"""Points of status: what a status poll answers of each resource.

The form is that of CMP's event source ``cmp-connector.status``:
``{"resource_id", "resource_type", "level", "message", "time"}``, the time in RFC 3339, UTC.
"""

import dataclasses
import datetime
from collections.abc import Iterable
from typing import Any, Optional

LEVELS = ("ok", "unknown", "warning", "error")  # from the best to the worst


@dataclasses.dataclass(frozen=True)
class Point:
    """How one resource is, in one line.

    ``time``: since when, as the provider says it, aware; None is the time of the poll.
    """

    resource_id: str
    resource_type: str  # CMP's: "server", "circuit", ...
    level: str
    message: str
    time: Optional[datetime.datetime] = None

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ValueError(f"level {self.level!r} is none of {', '.join(LEVELS)}")
        if not self.message:
            raise ValueError("a status point needs a message")

    def serialize(self, now: datetime.datetime) -> dict[str, Any]:
        """As a dict; ``now`` is the time of the poll."""
        time = (self.time or now).astimezone(datetime.timezone.utc)
        return {
            "resource_id": self.resource_id,
            "resource_type": self.resource_type,
            "level": self.level,
            "message": self.message,
            "time": time.isoformat().replace("+00:00", "Z"),
        }


def worst(levels: Iterable[str]) -> str:
    """The worst of some levels; "unknown" of none."""
    return max(levels, key=LEVELS.index, default="unknown")


def redundant(levels: Iterable[str]) -> str:
    """The level of things that stand in for each other (tunnels, targets): "error" only where none is ok."""
    found = list(levels)
    level = worst(found)
    return "warning" if level == "error" and "ok" in found else level
