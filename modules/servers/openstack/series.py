"""Metrics and logs of servers."""

from collections.abc import Iterator
from typing import Any, Optional

from modules.servers.openstack import listings
from shared.engine.contracts import Window
from shared.providers import openstack
from shared.providers.openstack import gnocchi, server_actions, server_diagnostics
from shared.records.fields import field


def metrics(scope: openstack.Scope, window: Window) -> Iterator[list[dict[str, Any]]]:
    """From Gnocchi where the catalog has it; else Nova's diagnostics, which are of now, not of the interval."""
    microversion = openstack.nova_microversion(scope)
    flavors, pages = scope.workers.before(
        listings.servers(scope, microversion), lambda: listings.flavors(scope, microversion)
    )
    servers = openstack.by_id(pages)
    capacities = {
        server_id: _capacity(listings.flavor(server, flavors))
        for server_id, server in servers.items()
    }
    if openstack.offers(scope, "metric"):
        wanted = {each: capacity for each, capacity in capacities.items() if window.wants(each)}
        yield from gnocchi.points(scope, wanted, window.interval)
    elif microversion >= server_diagnostics.MICROVERSION:
        yield from server_diagnostics.points(scope, servers, capacities, window)
    else:
        openstack.note(scope, "no metrics", why="no Gnocchi, and this Nova is older than Pike")


def _capacity(flavor: dict[str, Any]) -> dict[str, Optional[float]]:
    """What the expressions of the metric mapping need of a server; None: not known."""
    ram_mib = field(flavor, "ram", float)
    memory = None if ram_mib is None else ram_mib * openstack.MIB
    return {"vcpus": field(flavor, "vcpus", float), "memory": memory}


def logs(scope: openstack.Scope, window: Window) -> Iterator[list[dict[str, Any]]]:
    """The servers' actions: 1 call for each server that changed or whose turn it is, and 1 an action."""
    microversion = openstack.nova_microversion(scope)
    if microversion < server_actions.MICROVERSION:
        openstack.note(scope, "no logs", why="this Nova is older than Queens")
        return
    since = server_actions.changed_since(window.interval)
    changed, listed = scope.workers.map(
        lambda filters: openstack.by_id(listings.servers(scope, microversion, **filters)),
        (since, {}),
    )
    yield from server_actions.events(scope, listed, changed, window)
