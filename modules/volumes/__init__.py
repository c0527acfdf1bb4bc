"""The family of volumes."""
