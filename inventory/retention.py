"""How long history is kept."""

import datetime
from typing import Optional

from sqlalchemy import Connection, select

from inventory.model import moment
from inventory.schema import setting

EVERY_VERSION_SINCE = (
    "every_version_since"  # the setting that says from when on nothing was thinned
)


def every_version_since(connection: Connection) -> Optional[datetime.datetime]:
    """From when on every version is kept; None: all are."""
    statement = select(setting.c.value).where(setting.c.name == EVERY_VERSION_SINCE)
    value = connection.execute(statement).scalar()
    return None if value is None else moment(int(value))
