"""What a status poll says of one resource at one time."""

import dataclasses
import datetime
from typing import Optional


@dataclasses.dataclass(frozen=True)
class Point:
    """``level`` is "ok", "warning", "error" or "unknown"; ``message`` is one line, never empty.

    ``time`` is when the provider says that it changed; None: the time of the poll.
    """

    resource_id: str
    resource_type: str
    level: str
    message: str
    time: Optional[datetime.datetime] = None
