"""Links to the page of a resource in its provider's console."""

import re
from collections.abc import Mapping
from typing import Any, Optional
from urllib.parse import quote

from inventory.model import Entry

# What each AWS id is called on the console: https://docs.aws.amazon.com/general/latest/gr/ (ids), console URLs by use.
AWS = {
    "i": "ec2/home?region={region}#InstanceDetails:instanceId={id}",
    "vol": "ec2/home?region={region}#VolumeDetails:volumeId={id}",
    "vpc": "vpcconsole/home?region={region}#VpcDetails:VpcId={id}",
    "subnet": "vpcconsole/home?region={region}#SubnetDetails:subnetId={id}",
    "tgw": "vpcconsole/home?region={region}#TransitGatewayDetails:transitGatewayId={id}",
    "nat": "vpcconsole/home?region={region}#NatGatewayDetails:natGatewayId={id}",
    "vgw": "vpcconsole/home?region={region}#VirtualPrivateGatewayDetails:VpnGatewayId={id}",
    "dxcon": "directconnect/v2/home?region={region}#/connections/{region}:{id}",
}
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
LINK = re.compile(r"https://[^\s\"'<>\\]{1,2000}")


def url(entry: Entry, document: Mapping[str, Any]) -> Optional[str]:
    """None where nothing says where it is. Only https: what a provider sends is not run by a click."""
    if entry.provider == "aws" and REGION.fullmatch(entry.scope):
        pattern = AWS.get(entry.id.partition("-")[0])
        if pattern is None:
            return None
        path = pattern.format(region=entry.scope, id=quote(entry.id, safe=""))
        return f"https://{entry.scope}.console.aws.amazon.com/{path}"
    specific = (document.get("metadata") or {}).get("provider_specific") or {}
    for name in ("display_url", "console_url", "url"):
        value = specific.get(name)
        if isinstance(value, str) and LINK.fullmatch(value):
            return value
    return None
