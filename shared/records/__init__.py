"""How cells read records and write resources, status, metrics and metadata."""
