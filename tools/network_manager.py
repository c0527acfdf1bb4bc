"""Six operations of Network Manager that moto lacks, added to moto's server in this process.

They are ours, a simulator within a simulator: their answers have the fields of botocore's model (which
tests/test_wan_links_aws.py compares), and an invented account. They can't show how AWS fills them. Global
and core networks, sites, devices and links are moto's own.
"""

import datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.networkmanager import urls
from moto.networkmanager.responses import NetworkManagerResponse

OWNER = "123456789012"
CREATED = datetime.datetime(2026, 3, 1, 9, 0, tzinfo=datetime.timezone.utc)
NETWORK = "{0}/global-networks/(?P<networkid>[^/.]+)"
PATHS = (
    f"{NETWORK}/connections$",
    f"{NETWORK}/link-associations$",
    f"{NETWORK}/customer-gateway-associations$",
    "{0}/attachments$",
    "{0}/peerings$",
    "{0}/transit-gateway-peerings/(?P<peeringid>[^/.]+)$",
)

connections: list[dict[str, Any]] = []
link_associations: list[dict[str, Any]] = []
gateway_associations: list[dict[str, Any]] = []
attachments: list[dict[str, Any]] = []
peerings: dict[str, dict[str, Any]] = {}  # as GetTransitGatewayPeering answers, by id


def add_to_moto() -> None:
    """Forget what was added before, and answer the six operations."""
    for each in (connections, link_associations, gateway_associations, attachments, peerings):
        each.clear()
    for path in PATHS:
        urls.url_paths[path] = NetworkManagerResponse.dispatch
    for name, answer in (
        ("get_connections", _connections),
        ("get_link_associations", _link_associations),
        ("get_customer_gateway_associations", _gateway_associations),
        ("list_attachments", _attachments),
        ("list_peerings", _peerings),
        ("get_transit_gateway_peering", _peering),
    ):
        setattr(NetworkManagerResponse, name, answer)


def connection(network: str, *, ends: tuple[str, str], links: tuple[str, str], name: str) -> str:
    """Make one between two devices, over a link of each; its id."""
    id_ = f"connection-{len(connections) + 1:017x}"
    connections.append(
        {
            "ConnectionId": id_,
            "ConnectionArn": f"arn:aws:networkmanager::{OWNER}:connection/{network}/{id_}",
            "GlobalNetworkId": network,
            "DeviceId": ends[0],
            "ConnectedDeviceId": ends[1],
            "LinkId": links[0],
            "ConnectedLinkId": links[1],
            "Description": "",
            "CreatedAt": CREATED,
            "State": "AVAILABLE",
            "Tags": [{"Key": "Name", "Value": name}],
        }
    )
    return id_


def associate(network: str, device: str, link: str) -> None:
    """That a device is at a link."""
    link_associations.append(
        {
            "GlobalNetworkId": network,
            "DeviceId": device,
            "LinkId": link,
            "LinkAssociationState": "AVAILABLE",
        }
    )


def associate_gateway(network: str, device: str, link: str, gateway: str) -> None:
    """That a customer gateway (its ARN) is a device, over a link."""
    gateway_associations.append(
        {
            "CustomerGatewayArn": gateway,
            "GlobalNetworkId": network,
            "DeviceId": device,
            "LinkId": link,
            "State": "AVAILABLE",
        }
    )


def attachment(core: str, kind: str, resource: str, edge: str, name: str, **more: Any) -> str:
    """Make one of a kind ("VPC", ...) of a resource (its ARN) to a core network; its id."""
    id_ = f"attachment-{len(attachments) + 1:017x}"
    attachments.append(
        {
            "CoreNetworkId": core,
            "CoreNetworkArn": f"arn:aws:networkmanager::{OWNER}:core-network/{core}",
            "AttachmentId": id_,
            "OwnerAccountId": OWNER,
            "AttachmentType": kind,
            "State": "AVAILABLE",
            "EdgeLocation": edge,
            "ResourceArn": resource,
            "AttachmentPolicyRuleNumber": 100,
            "SegmentName": "production",
            "Tags": [{"Key": "Name", "Value": name}] if name else [],
            "CreatedAt": CREATED,
            "UpdatedAt": CREATED,
            "LastModificationErrors": [],
            **more,
        }
    )
    return id_


def peering(core: str, gateway: str, edge: str, gateway_attachment: str, name: str) -> str:
    """Make one of a core network with a transit gateway (its ARN); its id."""
    id_ = f"peering-{len(peerings) + 1:017x}"
    peerings[id_] = {
        "Peering": {
            "CoreNetworkId": core,
            "CoreNetworkArn": f"arn:aws:networkmanager::{OWNER}:core-network/{core}",
            "PeeringId": id_,
            "OwnerAccountId": OWNER,
            "PeeringType": "TRANSIT_GATEWAY",
            "State": "AVAILABLE",
            "EdgeLocation": edge,
            "ResourceArn": gateway,
            "Tags": [{"Key": "Name", "Value": name}],
            "CreatedAt": CREATED,
            "LastModificationErrors": [],
        },
        "TransitGatewayArn": gateway,
        "TransitGatewayPeeringAttachmentId": gateway_attachment,
    }
    return id_


def _connections(response: NetworkManagerResponse) -> ActionResult:
    return _of_network(response, "Connections", connections)


def _link_associations(response: NetworkManagerResponse) -> ActionResult:
    return _of_network(response, "LinkAssociations", link_associations)


def _gateway_associations(response: NetworkManagerResponse) -> ActionResult:
    return _of_network(response, "CustomerGatewayAssociations", gateway_associations)


def _attachments(response: NetworkManagerResponse) -> ActionResult:
    return _page(response, "Attachments", attachments)


def _peerings(response: NetworkManagerResponse) -> ActionResult:
    return _page(response, "Peerings", [each["Peering"] for each in peerings.values()])


def _peering(response: NetworkManagerResponse) -> ActionResult:
    return ActionResult({"TransitGatewayPeering": peerings[response._get_param("PeeringId")]})


def _of_network(
    response: NetworkManagerResponse, key: str, found: list[dict[str, Any]]
) -> ActionResult:
    network = response._get_param("GlobalNetworkId")
    return _page(response, key, [each for each in found if each["GlobalNetworkId"] == network])


def _page(response: NetworkManagerResponse, key: str, found: list[dict[str, Any]]) -> ActionResult:
    start = int(response._get_param("NextToken") or 0)
    size = int(response._get_param("MaxResults") or 100)
    answer: dict[str, Any] = {key: found[start : start + size]}
    if start + size < len(found):
        answer["NextToken"] = str(start + size)
    return ActionResult(answer)
