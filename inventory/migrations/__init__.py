"""Alembic's migrations. ``inventory.database`` runs them; there is no alembic.ini."""
