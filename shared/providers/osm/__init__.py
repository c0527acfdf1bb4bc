"""OSM: login and lists (session), and the WAN links between data centres (wan, wan_plan).

This is the face that cells and the engine use.
"""

from shared.providers.osm.session import (
    ACCOUNTS,
    LISTS,
    SECRET,
    Credentials,
    Scope,
    Session,
    account,
    classify,
    credentials,
    has_ro,
    least_rights,
    listed,
    log_out,
    login,
    ro_found,
    ro_listed,
    scopes,
)

__all__ = [
    "ACCOUNTS",
    "Credentials",
    "LISTS",
    "SECRET",
    "Scope",
    "Session",
    "account",
    "classify",
    "credentials",
    "has_ro",
    "least_rights",
    "listed",
    "log_out",
    "login",
    "ro_found",
    "ro_listed",
    "scopes",
]
