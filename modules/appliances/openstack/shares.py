"""Shares of Manila: Shared File Systems v2, GET /shares/detail and /share-networks/detail.

https://docs.openstack.org/api-ref/shared-file-system/

Shares are requested at microversion 2.0, where the list still has the export locations, and share networks at
2.51, the first that supports more than one subnet.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from nflex_connector_utils import Connections

from modules.appliances.openstack.networks import NetworkLookups
from modules.appliances.openstack.records import Kind, Record
from shared.engine.contracts import Page
from shared.providers import openstack
from shared.records.fields import field, objects
from shared.records.metadata import metadata

SERVICE = "shared-file-system"
SUBNETS_LISTED = (2, 51)
LEVELS = {
    "available": "ok",
    "awaiting_transfer": "ok",
    "backup_creating": "ok",
    "backup_restoring": "warning",
    "backup_restoring_error": "error",
    "creating": "warning",
    "creating_from_snapshot": "warning",
    "deferred_deleting": "warning",
    "deleted": "warning",
    "deleting": "warning",
    "ensuring": "ok",
    "error": "error",
    "error_deferred_deleting": "error",
    "error_deleting": "error",
    "extending": "ok",
    "extending_error": "error",
    "inactive": "warning",
    "manage_error": "error",
    "manage_starting": "warning",
    "migrating": "ok",
    "migrating_to": "warning",
    "replication_change": "ok",
    "reverting": "warning",
    "reverting_error": "error",
    "server_migrating": "ok",
    "server_migrating_to": "warning",
    "shrinking": "ok",
    "shrinking_error": "error",
    "shrinking_possible_data_loss_error": "error",
    "unmanage_error": "error",
    "unmanage_starting": "warning",
    "unmanaged": "warning",
}
DETAILS = (
    "availability_zone",
    "description",
    "export_locations",
    "host",
    "is_public",
    "project_id",
    "share_network_id",
    "share_proto",
    "share_server_id",
    "share_type",
    "size",
    "snapshot_id",
    "status",
)


@dataclasses.dataclass(frozen=True)
class Lookups:
    """``share_networks``: listed where a share names one."""

    networks: Mapping[str, Record]
    share_networks: Mapping[str, Record]


def fetch(scope: openstack.Scope, network: NetworkLookups) -> Iterator[Page[Record, Lookups]]:
    share_networks: Optional[dict[str, Record]] = None
    for shares in _pages(scope):
        if share_networks is None and any(share.get("share_network_id") for share in shares):
            share_networks = _share_networks(scope)
        lookups = Lookups(network.networks, share_networks or {})
        yield Page(openstack.of_kind(KIND.name, shares), lookups)


def _pages(scope: openstack.Scope) -> Iterator[list[Record]]:
    query = {**scope.all_tenants, "sort_key": "id", "sort_dir": "asc"}
    return openstack.offset_pages(scope, SERVICE, "/shares/detail", "shares", params=query)


def _share_networks(scope: openstack.Scope) -> dict[str, Record]:
    def listed(microversion: Optional[tuple[int, int]]) -> dict[str, Record]:
        path, key = "/share-networks/detail", "share_networks"
        query, walk = scope.all_tenants, openstack.offset_pages
        return openstack.listed(scope, SERVICE, path, key, query, microversion, walk=walk)

    try:
        return listed(SUBNETS_LISTED)
    except openstack.NotAcceptable:  # before 2019
        return listed(None)


def _convert(record: Record, lookups: Lookups) -> dict[str, Any]:
    size_b = openstack.in_bytes(record, "size", openstack.GIB)
    share_network = lookups.share_networks.get(field(record, "share_network_id", str) or "") or {}
    return {
        "size_b": size_b,
        "connections": Connections(
            networks=openstack.reported(_networks(record, share_network), lookups.networks)
        ),
        "metadata": metadata(
            record,
            DETAILS,
            field(record, "metadata", dict),
            size_b=size_b,
            share_network=field(share_network, "name", str),
        ),
    }


def _networks(record: Record, share_network: Record) -> set[Optional[str]]:
    """Those of the subnets of the share's zone, or else of the subnets without a zone.

    Before 2.51 the share network itself names the network.
    """
    subnets = objects(share_network, "share_network_subnets")
    zone = field(record, "availability_zone", str)
    of_zone = [subnet for subnet in subnets if zone and subnet.get("availability_zone") == zone]
    of_zone = of_zone or [subnet for subnet in subnets if subnet.get("availability_zone") is None]
    return {field(each, "neutron_net_id", str) for each in (share_network, *of_zone)}


def fetch_status(scope: openstack.Scope) -> Iterator[Page[Record, None]]:
    for shares in _pages(scope):
        yield Page(openstack.of_kind(KIND.name, shares), None)


KIND = Kind(
    name="share",
    type_id="storage",
    permissions=("share:get_all", "share_network:detail"),
    status_permissions=("share:get_all",),
    convert=_convert,
    states={"status": LEVELS},
    changed_at=None,
)
