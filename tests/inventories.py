"""What the tests of the inventory share: invented resources and polls, at minutes after 10:00."""

import datetime
from pathlib import Path

from sqlalchemy import select

from flexlocal import inventories, terminal
from flexlocal.__main__ import main
from inventory import Failure, Inventory, database
from inventory.schema import metadata

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


def rows(inventory, table):
    """All rows of a table, in order."""
    columns = metadata.tables[table].c
    with database.reading(inventory._engine) as connection:
        return [tuple(row) for row in connection.execute(select(*columns).order_by(*columns))]


def everything(inventory):
    """All rows of all tables, to see that nothing changed."""
    return {name: rows(inventory, name) for name in metadata.tables}


def execute(inventory, statement):
    """Changes rows behind the inventory's back."""
    with database.writing(inventory._engine) as connection:
        connection.exec_driver_sql(statement)


def ids(entries):
    return [entry.id for entry in entries]


def runner(name, file, monkeypatch, capsys):
    """Runs ``flexlocal NAME`` with the inventory in this file; returns its exit status, stdout and stderr."""
    monkeypatch.setenv(inventories.VARIABLE, str(file))
    monkeypatch.setattr(terminal, "verbose", False)

    def call(*arguments):
        status = main([name, *arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return call


OLD = "i-0123456789abcdef1"  # web-2, before it was created anew
NEW = "i-0123456789abcdef9"


def store_example(file):
    """Two accounts. At 10:15 a server stopped, another was created anew, and us-east-1 could not be polled."""
    prod = {"stage": "prod"}
    to = {"network": [{"id": "subnet-1"}]}
    with Inventory(file, create=True) as inventory:
        servers = [
            server(
                "i-0123456789abcdef0", "web-1", ip="10.4.3.17", tags=prod, instance_type="m5.large"
            ),
            server(OLD, "web-2", ip="10.4.3.18", tags=prod, connections=to),
        ]
        batch = [server("i-0123456789abcdef2", "batch")]
        poll(inventory, 0, {"eu-west-1": servers, "us-east-1": batch})
        networks = [network("subnet-1", "10.4.3.0/24"), network("vpc-1", "10.4.0.0/16")]
        poll(inventory, 1, {"eu-west-1": networks}, family="networks")
        poll(inventory, 2, [server("i-9", "=1+1\x1b[31m")], account="lab", provider="other")
        to = {"network": [{"id": "subnet-2"}]}
        servers = [
            server(
                "i-0123456789abcdef0",
                "web-1",
                "stopped",
                ip="10.4.3.17",
                tags=prod,
                instance_type="m5.xlarge",
            ),
            server(NEW, "web-2", ip="10.4.3.18", tags=prod, connections=to),
        ]
        poll(inventory, 15, {"eu-west-1": servers, "us-east-1": "throttled"})
        inventory.pin("before the move", at(5))
