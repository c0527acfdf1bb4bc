"""The family of circuits."""
