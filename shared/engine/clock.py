"""The time of day that polls use.

It is one function, so that the replay of a recording can stop it at the moment of the recording
(flexlocal/cassettes.py). Deadlines use another clock, which still runs.
"""

import datetime


def now() -> datetime.datetime:
    """Now, aware and in UTC."""
    return datetime.datetime.now(datetime.timezone.utc)
