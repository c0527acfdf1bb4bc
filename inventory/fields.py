"""Which fields of a resource count as a change, which move fast, and which are noise.

- **Ignored** fields are not stored: they change from poll to poll and say nothing about the resource.
- **Fast** fields (states and counters) are stored, and have a history of their own: a change of them writes a row of
  some bytes, not a new version, and is left out of a resource's history unless it is wanted.
- A change of any other field makes a new version.

The names below ``metadata.provider_specific`` are providers' own; the list is the only place that knows any.
"""

import functools
import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

IGNORED_BASE = frozenset({"last_seen_at"})  # put back by reads: the scope's last complete poll
IGNORED_METADATA = frozenset(
    {"UpdatedAt", "age_s", "as_of", "last_updated", "progress", "updated", "updated_at"}
)
FAST_DETAILS = frozenset({"provider_state", "state"})
FAST_METADATA = frozenset(
    {
        "AvailableIpAddressCount",
        "OS-EXT-STS:power_state",
        "OS-EXT-STS:task_state",
        "OS-EXT-STS:vm_state",
        "State",
        "Status",
        "agent_message",
        "agent_since",
        "agent_status",
        "health",
        "instance_message",
        "instance_status",
        "juju_message",
        "juju_status",
        "machine_status",
        "model_status",
        "operational-state",
        "osm_status",
        "since",
        "status",
    }
)
# What a thing is for: a new one with the same role and name takes the place of the old one.
ROLE_DETAILS = ("type_id",)
ROLE_METADATA = ("link_kind", "network_kind", "role")
# What a resource is to others: its kind, and by what other accounts know it. Kept in narrow rows, for the topology.
TRAIT_DETAILS = ("endpoint_a", "endpoint_b", "is_virtual", "reference", "type_id")
TRAIT_METADATA = (
    "customer-name",
    "instance-id",
    "link_kind",
    "network_kind",
    "project_id",
    "tenant",
    "tenant_id",
)
SPECIFIC = "provider_specific"
TAGS = "provider_metadata"

SLOW_BYTES = 16  # of a hash; those of the fast fields follow
FAST_BYTES = 8

encode_text = json.JSONEncoder(
    ensure_ascii=False,
    allow_nan=False,
    sort_keys=True,
    separators=(",", ":"),
    check_circular=False,  # what refers to itself has too many levels
).encode


def encode(value: Any) -> bytes:
    """The value's one JSON text. Raises ValueError, TypeError or RecursionError where it has none."""
    return encode_text(value).encode()


@functools.lru_cache(maxsize=4096)
def pointer(*steps: str) -> str:
    """The JSON pointer (RFC 6901) of a field; with NUL, which databases have no text for, as ``~2``."""
    escaped = [step.replace("~", "~0").replace("/", "~1").replace("\0", "~2") for step in steps]
    return "".join("/" + step for step in escaped)


def steps(path: str) -> list[str]:
    """The steps of a JSON pointer."""
    escaped = path.split("/")[1:]
    return [each.replace("~2", "\0").replace("~1", "/").replace("~0", "~") for each in escaped]


def split(resource: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The resource without ignored and fast fields, and the fast fields by their pointers.

    Fast fields whose values are objects or lists count as slow: nobody compares those at a glance.
    """
    slow = dict(resource)
    fast: dict[str, Any] = {}
    slow["base"] = {key: v for key, v in resource["base"].items() if key not in IGNORED_BASE}
    details = {}
    for kind, fields in resource["details"].items():
        if isinstance(fields, dict):
            details[kind] = _without(fields, FAST_DETAILS, ("details", kind), fast)
        else:
            details[kind] = fields
    slow["details"] = details
    specific = resource["metadata"].get(SPECIFIC)
    if isinstance(specific, dict):
        kept = _without(specific, FAST_METADATA, ("metadata", SPECIFIC), fast)
        if not IGNORED_METADATA.isdisjoint(kept):
            kept = {key: value for key, value in kept.items() if key not in IGNORED_METADATA}
        slow["metadata"] = {**resource["metadata"], SPECIFIC: kept}
    return slow, fast


def _without(
    fields: dict[str, Any], names: frozenset[str], above: tuple[str, str], fast: dict[str, Any]
) -> dict[str, Any]:
    if names.isdisjoint(fields):
        return fields
    kept = {}
    for key, value in fields.items():
        if key in names and not isinstance(value, (dict, list)):
            fast[pointer(*above, key)] = value
        else:
            kept[key] = value
    return kept


def join(slow: Mapping[str, Any], fast: Mapping[str, Any]) -> dict[str, Any]:
    """The document that is stored: the inverse of ``split``, without the ignored fields."""
    document = dict(slow)
    for path, value in fast.items():
        put(document, path, value)
    return document


def put(document: dict[str, Any], path: str, value: Any) -> None:
    """Set the field. The objects above it are copied, so that no other document changes with this one."""
    *above, last = steps(path)
    at = document
    for step in above:
        below = at.get(step)
        at[step] = dict(below) if isinstance(below, dict) else {}
        at = at[step]
    at[last] = value


def remove(document: dict[str, Any], path: str) -> None:
    """Remove the field, if it is there; objects above it are copied, as in ``put``."""
    *above, last = steps(path)
    at = document
    for step in above:
        below = at.get(step)
        if not isinstance(below, dict):
            return
        at[step] = dict(below)
        at = at[step]
    at.pop(last, None)


def fingerprint(slow: Mapping[str, Any], fast: Mapping[str, Any]) -> bytes:
    """A hash of the slow fields, then one of the fast fields. Raises what ``encode`` raises."""
    if any(not isinstance(v, (str, int)) or not str(v).isascii() for v in fast.values()):
        encode(fast)  # refuses numbers and text that JSON does not have
    return (
        blake2b(encode(slow), digest_size=SLOW_BYTES).digest()
        + blake2b(repr(sorted(fast.items())).encode(), digest_size=FAST_BYTES).digest()
    )
