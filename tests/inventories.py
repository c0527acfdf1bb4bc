"""What the tests of the inventory share: invented resources and polls, at minutes after 10:00."""

import datetime
from pathlib import Path

from inventory import Failure

ROOT = Path(__file__).resolve().parent.parent
UTC = datetime.timezone.utc


def at(minute):
    return datetime.datetime(2026, 1, 1, 10, tzinfo=UTC) + datetime.timedelta(minutes=minute)


def server(id, name=None, state="running", ip=None, tags=None, connections=None, **specific):
    """A server as CMP's dict; ``specific`` is what the provider says of it."""
    addresses = [] if ip is None else [{"ip_address": ip, "description": "private"}]
    return {
        "id": id,
        "type": "server",
        "base": {"name": name or id, "last_seen_at": "2026-01-01T10:00:00Z", "regions": []},
        "details": {"server": {"cpu_cores": 2, "state": state, "ip_addresses": addresses}},
        "connections": connections or {},
        "metadata": {"provider_metadata": tags or {}, "provider_specific": specific},
    }


def network(id, *cidrs, name=None):
    return {
        "id": id,
        "type": "network",
        "base": {"name": name or id, "last_seen_at": "2026-01-01T10:00:00Z"},
        "details": {"network": {}},
        "connections": {},
        "metadata": {"provider_specific": {"cidrs": list(cidrs), "network_kind": "subnet"}},
    }


def poll(
    inventory, minute, scopes, account="shop", family="servers", provider="acme", all_scopes=True
):
    """Stores a poll of one minute that ends at the minute. A list stands for the only scope; text for a failure."""
    if not isinstance(scopes, dict):
        scopes = {"eu": scopes}
    given = {
        scope: Failure(found) if isinstance(found, str) else found
        for scope, found in scopes.items()
    }
    times = {"started_at": at(minute - 1), "ended_at": at(minute)}
    return inventory.store(
        account, family, given, provider=provider, all_scopes=all_scopes, **times
    )


def fail(inventory, minute, error="no answer", account="shop", family="servers", provider="acme"):
    times = {"started_at": at(minute - 1), "ended_at": at(minute)}
    return inventory.store_failure(account, family, error, provider=provider, **times)


def ids(entries):
    return [entry.id for entry in entries]
