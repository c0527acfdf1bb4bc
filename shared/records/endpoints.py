"""The two ends that a circuit shows, of all that it has."""

from collections.abc import Sequence
from typing import Optional

End = tuple[Optional[str], Optional[str]]  # where it is, and what a person calls it


def first_two(ends: Sequence[End]) -> End:
    """The names of the first end and of the first that is elsewhere, or else of the second.

    In the order given, which must not change from poll to poll; None where there is no such end.
    """
    if not ends:
        return None, None
    place, name = ends[0]
    others = list(ends[1:])
    elsewhere = [each for each in others if each[0] != place]
    return name, next((each[1] for each in [*elsewhere, *others]), None)
