"""Listings of servers and their flavors, as all handlers of this cell request them."""

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from shared.providers import openstack
from shared.records.fields import field

Microversion = tuple[int, int]
FLAVOR_EMBEDDED = (2, 47)  # from this microversion on, a server holds the facts of its flavor


def servers(
    scope: openstack.Scope, microversion: Microversion, **filters: str
) -> Iterator[list[dict[str, Any]]]:
    query = {**scope.all_tenants, **filters}
    return openstack.pages(scope, "compute", "/servers/detail", "servers", query, microversion)


def flavors(scope: openstack.Scope, microversion: Microversion) -> dict[str, dict[str, Any]]:
    """All flavors by id, where servers do not hold their facts; else none."""
    if microversion >= FLAVOR_EMBEDDED:
        return {}
    query = {"is_public": "None"}  # private ones too, for logins that may see them
    return openstack.listed(scope, "compute", "/flavors/detail", "flavors", query)


def flavor_id(server: dict[str, Any]) -> Optional[str]:
    return field(field(server, "flavor", dict) or {}, "id", str)


def flavor(server: dict[str, Any], by_id: Mapping[str, Optional[dict[str, Any]]]) -> dict[str, Any]:
    """What is known of the server's flavor: from the listing, or else from the server itself."""
    embedded = field(server, "flavor", dict) or {}
    return by_id.get(flavor_id(server) or "") or embedded
