"""The family of WAN links."""
