"""Three operations of Direct Connect that moto lacks, added to moto's server in this process.

They are our own, a simulator within a simulator: their answers have the fields of botocore's model (which
tests/test_aws_circuits.py compares) and an invented account. They can't show how AWS fills those fields.
"""

import json
from collections import defaultdict
from typing import Any

from moto.directconnect.responses import DirectConnectResponse

# location code -> name, in each region
LOCATIONS = {"EqDC2": "Equinix DC1-DC6, DC10, Ashburn, VA", "EqTY2": "Equinix TY2, Tokyo, JPN"}
PAGE = 100

gateways: dict[str, dict[str, Any]] = {}  # by id, of the whole account
interfaces: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)  # by region and id


def add_to_moto() -> None:
    """Forget everything that was added before, and add the three operations."""
    gateways.clear()
    interfaces.clear()
    for name, answer in (
        ("describe_direct_connect_gateways", _gateways),
        ("describe_locations", _locations),
        ("describe_virtual_interfaces", _interfaces),
    ):
        setattr(DirectConnectResponse, name, answer)


def gateway(number: int, name: str) -> str:
    """Create a gateway; returns its id."""
    gateway_id = f"c0ffee00-0000-4000-8000-{number:012x}"
    gateways[gateway_id] = {
        "directConnectGatewayId": gateway_id,
        "directConnectGatewayName": name,
        "amazonSideAsn": 64512,
        "ownerAccount": "123456789012",
        "directConnectGatewayState": "available",
    }
    return gateway_id


def interface(region: str, number: int, connection: dict[str, Any], kind: str, **more: Any) -> str:
    """Create an interface of a kind ("private", "public", "transit") on a connection; returns its id."""
    interface_id = f"dxvif-{number:08x}"
    third = number % 250
    amazon, customer = f"169.254.{third}.1/30", f"169.254.{third}.2/30"
    peer = {
        "bgpPeerId": f"dxpeer-{number:08x}",
        "asn": 65001,
        "asnLong": 65001,
        "authKey": "invented-bgp-key",
        "addressFamily": "ipv4",
        "amazonAddress": amazon,
        "customerAddress": customer,
        "bgpPeerState": "available",
        "bgpStatus": "up",
        "awsDeviceV2": "EqDC2-1a2b3c",
        "awsLogicalDeviceId": "EqDC2-1a2b3c",
    }
    interfaces[region][interface_id] = {
        "ownerAccount": "123456789012",
        "virtualInterfaceId": interface_id,
        "location": connection["location"],
        "connectionId": connection["connectionId"],
        "virtualInterfaceType": kind,
        "virtualInterfaceName": f"{kind}-{number}",
        "vlan": 100 + number,
        "asn": 65001,
        "asnLong": 65001,
        "amazonSideAsn": 64512,
        "authKey": "invented-bgp-key",
        "amazonAddress": amazon,
        "customerAddress": customer,
        "addressFamily": "ipv4",
        "virtualInterfaceState": "available",
        "customerRouterConfig": '<?xml version="1.0"?><key>invented-bgp-key</key>',
        "mtu": 1500,
        "jumboFrameCapable": True,
        "routeFilterPrefixes": [],
        "bgpPeers": [peer],
        "region": region,
        "awsDeviceV2": "EqDC2-1a2b3c",
        "awsLogicalDeviceId": "EqDC2-1a2b3c",
        "tags": [{"key": "line", "value": kind}],
        "siteLinkEnabled": False,
        **more,
    }
    return interface_id


def _locations(response: DirectConnectResponse) -> str:
    known = [
        {
            "locationCode": code,
            "locationName": name,
            "region": response.region,
            "availablePortSpeeds": ["1G", "10G", "100G"],
            "availableProviders": ["Invented Telecom"],
        }
        for code, name in LOCATIONS.items()
    ]
    return json.dumps({"locations": known})


def _interfaces(response: DirectConnectResponse) -> str:
    return _page(response, "virtualInterfaces", list(interfaces[response.region].values()))


def _gateways(response: DirectConnectResponse) -> str:
    return _page(response, "directConnectGateways", list(gateways.values()))


def _page(response: DirectConnectResponse, key: str, entries: list[dict[str, Any]]) -> str:
    request = json.loads(response.body)
    start, size = int(request.get("nextToken") or 0), request.get("maxResults") or PAGE
    answer: dict[str, Any] = {key: entries[start : start + size]}
    if start + size < len(entries):
        answer["nextToken"] = str(start + size)
    return json.dumps(answer)
