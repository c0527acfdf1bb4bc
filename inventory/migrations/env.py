"""Run by Alembic, with the connection of ``inventory.database``."""

from alembic import context

from inventory.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
