"""A document's fields, each with its path: the columns of exports and of SQL views."""

from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str, ...]


def flat(document: Mapping[str, Any], *above: str) -> Iterator[tuple[Path, Any]]:
    """The fields in their order; lists are values, and empty objects are none."""
    for key, value in document.items():
        if isinstance(value, dict):
            yield from flat(value, *above, key)
        else:
            yield (*above, key), value
