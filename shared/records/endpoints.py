"""The two endpoints that CMP shows of a circuit, which may have more."""

from collections.abc import Sequence
from typing import Optional

Endpoint = tuple[Optional[str], Optional[str]]  # its location, and its name for people


def first_two(endpoints: Sequence[Endpoint]) -> tuple[Optional[str], Optional[str]]:
    """The names of the first endpoint and of the first one at another location, or else of the second one.

    The order must be the same in every poll. None stands for an endpoint that does not exist.
    """
    if not endpoints:
        return None, None
    location, name = endpoints[0]
    others = list(endpoints[1:])
    elsewhere = [endpoint for endpoint in others if endpoint[0] != location]
    return name, next((endpoint[1] for endpoint in [*elsewhere, *others]), None)
