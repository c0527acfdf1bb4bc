"""Metadata of resources: what the provider knows and CMP has no field for."""

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from nflex_connector_utils import Metadata

from shared.records.fields import plain

__all__ = ["Metadata", "metadata"]


def metadata(
    record: Mapping[str, Any],
    names: Iterable[str],
    tags: Optional[Mapping[str, Any]] = None,
    **more: Any,
) -> Metadata:
    """The record's fields with these names, under the provider's own names.

    ``more`` are facts that the cell has worked out; both go to ``provider_specific``, and ``tags`` (tags, labels,
    the customer's own keys and values) to ``provider_metadata``. None and empty values are left out.
    """
    result = Metadata()
    facts = [(name, record.get(name)) for name in names]
    for name, value in [*facts, *more.items()]:
        if value is not None and (value or _is_known(value)):
            result.add(name, plain(value))
    for name, value in sorted((tags or {}).items()):
        result.add(name, plain(value), namespace=Metadata.PROVIDER_METADATA_NAMESPACE_ID)
    return result


def _is_known(value: Any) -> bool:
    """Whether a value that is false in Python is a fact: 0 and False are."""
    return not (value == "" or value == [] or value == {})
