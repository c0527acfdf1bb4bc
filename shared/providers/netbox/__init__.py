"""NetBox: token, listings and permissions (session), and reading of its records (records).

This is the face that cells and the engine use.
"""

from shared.providers.netbox.session import (
    EMPTY_PAGES,
    LISTINGS,
    Credentials,
    NotOffered,
    Scope,
    Session,
    account,
    classify,
    credentials,
    least_rights,
    listed,
    listed_by_ids,
    login,
    pages,
    scopes,
)

__all__ = [
    "Credentials",
    "EMPTY_PAGES",
    "LISTINGS",
    "NotOffered",
    "Scope",
    "Session",
    "account",
    "classify",
    "credentials",
    "least_rights",
    "listed",
    "listed_by_ids",
    "login",
    "pages",
    "scopes",
]
