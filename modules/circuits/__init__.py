"""The family of servers."""
