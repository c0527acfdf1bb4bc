"""Metadata of resources: what the provider knows and CMP has no field for."""

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from nflex_connector_utils import Metadata

from shared.records.fields import plain

__all__ = ["Metadata", "metadata"]


def metadata(
    record: Mapping[str, Any],
    names: Sequence[str],
    tags: Optional[Mapping[str, Any]] = None,
    **more: Any,
) -> Metadata:
    """The record's fields with these names, under the provider's own names.

    ``more`` are facts that the cell has worked out; both go to ``provider_specific``, and ``tags`` (tags, labels,
    the customer's own keys and values) to ``provider_metadata``. None and empty values are left out.
    """
    facts: dict[str, Any] = {}
    for values in (zip(names, map(record.get, names)), more.items()):
        for name, value in values:
            if value is None:
                continue
            if type(value) is str:  # the usual case first
                if value:
                    facts[name] = value
            elif value or _is_known(value):
                facts[name] = plain(value)
    of_customer = {
        name: value if type(value) is str else plain(value)
        for name, value in sorted((tags or {}).items())
    }
    result = Metadata()
    data = result.serialize()  # its own dict; ``add`` is slow, item by item
    if facts:
        data[Metadata.PROVIDER_SPECIFIC_NAMESPACE_ID] = facts
    if of_customer:
        data[Metadata.PROVIDER_METADATA_NAMESPACE_ID] = of_customer
    return result


def _is_known(value: Any) -> bool:
    """Whether a value that is false in Python is a fact: 0 and False are."""
    return not (value == "" or value == [] or value == {})
