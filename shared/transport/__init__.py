"""How providers are talked to: HTTP, WebSockets, RESTCONF, and the reading of what they answer."""
