"""What one resource is connected to, either way."""

from typing import Any, Optional

from sqlalchemy import Connection, select

from inventory.entries import Reader
from inventory.model import Neighbour, When
from inventory.rows import covers
from inventory.schema import account, edge, kind, resource


def neighbours(
    connection: Connection, key: int, as_of: Optional[When]
) -> tuple[list[Neighbour], list[Neighbour]]:
    """The ends of its own connections, and those of others that lead to it."""
    at = Reader(connection, as_of).at
    declaring = resource.alias("declaring")
    found = []
    for here, there in (
        (edge.c.resource_id, edge.c.target_id),
        (edge.c.target_id, edge.c.resource_id),
    ):
        statement: Any = (
            select(account.c.name, kind.c.name, resource.c.external_id, resource.c.name)
            .select_from(edge)
            .join(resource, resource.c.id == there)
            .join(account, account.c.id == resource.c.account_id)
            .join(kind, kind.c.id == resource.c.kind_id)
            .join(declaring, declaring.c.id == edge.c.resource_id)
            .where(here == key, covers(edge, at))
            .order_by(kind.c.name, resource.c.name, resource.c.external_id)
        )
        if at is not None:
            statement = statement.join(at, at.c.source_id == declaring.c.source_id)
        found.append([Neighbour(*row) for row in connection.execute(statement)])
    return found[0], found[1]
