"""Metrics of Direct Connect: of connections and their optical lanes, of virtual interfaces and their BGP sessions."""

from collections.abc import Iterator

from modules.circuits.aws.records import Dimensions, Record
from shared.providers import aws
from shared.providers.aws import cloudwatch
from shared.records.fields import field, objects


def connection_queries(
    record: Record, name: str, scope: aws.Scope, known: Dimensions
) -> Iterator[cloudwatch.Query]:
    line = {"ConnectionId": name}
    yield from _queries("aws.dx", line, name)
    for lane in _lanes(name, known()):
        yield from _queries(
            "aws.dx_lane", {**line, "OpticalLaneNumber": lane}, name, f"lane {lane}"
        )


def interface_queries(
    record: Record, name: str, scope: aws.Scope, known: Dimensions
) -> Iterator[cloudwatch.Query]:
    port = field(record, "connectionId", str)
    if port:
        interface = {"ConnectionId": port, "VirtualInterfaceId": name}
        yield from _queries("aws.dx_interface", interface, name)
        for session in _sessions(record, interface, known()):
            yield from _queries("aws.dx_bgp", session, name, session.get("IpAddressFamily", ""))


def _queries(
    service: str, dimensions: dict[str, str], name: str, part: str = ""
) -> list[cloudwatch.Query]:
    return cloudwatch.queries(
        service,
        "AWS/DX",
        dimensions,
        name,
        "circuit",
        cloudwatch.FIVE_MINUTES_S,
        specialisation=part or None,
    )


def _lanes(line: str, known: dict[str, list[dict[str, str]]]) -> list[str]:
    """The optical lanes of a connection; a hosted one has no metrics of lanes."""
    lanes = set()
    for metric in ("ConnectionLightLevelTx", "ConnectionLightLevelRx"):
        for dimensions in known.get(metric, ()):
            if dimensions.get("ConnectionId") == line:
                lanes.add(dimensions.get("OpticalLaneNumber", ""))
    return sorted(lanes - {""}, key=lambda lane: (len(lane), lane))


def _sessions(
    record: Record, interface: dict[str, str], known: dict[str, list[dict[str, str]]]
) -> list[dict[str, str]]:
    """The dimensions of the interface's BGP state, one for each address family that it has a peer of.

    CloudWatch may have points of a family without a peer, which would say that BGP is down.
    """
    sessions = [
        dimensions
        for dimensions in known.get("VirtualInterfaceBgpStatus", ())
        if interface.items() <= dimensions.items()
    ]
    peers = objects(record, "bgpPeers") or [record]
    families = {field(peer, "addressFamily", str) or "" for peer in peers} - {""}
    by_family = [
        dimensions for dimensions in sessions if dimensions.get("IpAddressFamily") in families
    ]
    return by_family or [dimensions for dimensions in sessions if dimensions == interface]
