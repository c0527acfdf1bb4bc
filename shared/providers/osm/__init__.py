"""OSM: login and lists (session), and the WAN links between data centres.

Their records are read by wan (links), wan_accounts (data centres and WIMs) and wan_services (networks of
services); wan_plan works out which links should exist.

This is the face that cells and the engine use.
"""

from shared.providers.osm.session import (
    ACCOUNTS,
    CREDENTIAL_KEYS,
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
    "CREDENTIAL_KEYS",
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
