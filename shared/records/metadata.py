"""What the provider knows and CMP has no field for: it goes along as metadata."""

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
    """The record's fields of these names under the provider's own names, as far as it has them.

    ``more`` are facts put together by the cell; both go to ``provider_specific``, and ``tags`` (tags,
    labels, the customer's own key-values) to ``provider_metadata``. None and empty are left out.
    """
    made = Metadata()
    for name in names:
        _add(made, name, record.get(name))
    for name, value in more.items():
        _add(made, name, value)
    for name, value in sorted((tags or {}).items()):
        made.add(name, plain(value), namespace=Metadata.PROVIDER_METADATA_NAMESPACE_ID)
    return made


def _add(made: Metadata, name: str, value: Any) -> None:
    if value is not None and value != "" and value != [] and value != {}:
        made.add(name, plain(value))
