"""What records of several AWS services have in common: tags, and a name among them."""

from collections.abc import Mapping
from typing import Any

from shared.records.fields import field, needed, objects


def tags(record: Mapping[str, Any]) -> dict[str, str]:
    """The record's tags, as a dict."""
    return {
        needed(tag, "Key", str): field(tag, "Value", str) or "" for tag in objects(record, "Tags")
    }


def named(record: Mapping[str, Any], identifier: str) -> str:
    """The Name tag, or else the id."""
    return tags(record).get("Name") or identifier
