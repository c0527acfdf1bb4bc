"""The time of day that polls go by.

One function, so that the replay of a recording can stop it at the moment of the recording
(flexlocal/cassettes.py). Deadlines have a clock of their own, which goes on.
"""

import datetime


def now() -> datetime.datetime:
    """Now, aware and in UTC."""
    return datetime.datetime.now(datetime.timezone.utc)
