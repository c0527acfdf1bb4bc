"""Status points: what a status poll says about each resource.

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
    """The status of one resource, in one line.

    ``time``: since when, according to the provider, aware; None means the time of the poll.
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
    """The worst of some levels; "unknown" if there are none."""
    return max(levels, key=LEVELS.index, default="unknown")


def redundant(levels: Iterable[str]) -> str:
    """The level of things that can replace each other (tunnels, targets): "error" only if none is ok."""
    all_levels = list(levels)
    level = worst(all_levels)
    return "warning" if level == "error" and "ok" in all_levels else level
