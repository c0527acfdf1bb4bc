"""OSM: login and lists (session), the classic resource orchestrator (ro), and WAN links between data centres.

Their records are read by wan (links), wan_accounts (data centres and WIMs) and wan_services (networks of
services); wan_plan works out which links should exist.

This is the face that cells and the engine use.
"""

from shared.engine.contracts import Provider
from shared.providers.osm.responses import ACCOUNTS, LISTS, SECRET
from shared.providers.osm.session import (
    CREDENTIAL_KEYS,
    Credentials,
    Scope,
    Session,
    account,
    classify,
    credentials,
    has_ro,
    least_permissions,
    listed,
    log_out,
    login,
    ro_listed,
    ro_record,
    scopes,
)

__all__ = [
    "PROVIDER",
    "ACCOUNTS",
    "CREDENTIAL_KEYS",
    "Credentials",
    "LISTS",
    "SECRET",
    "Scope",
    "Session",
    "account",
    "classify",
    "credentials",
    "has_ro",
    "least_permissions",
    "listed",
    "log_out",
    "login",
    "ro_listed",
    "ro_record",
    "scopes",
]

PROVIDER = Provider(
    credential_keys=CREDENTIAL_KEYS,
    credentials=credentials,
    login=login,
    scopes=scopes,
    account=account,
    classify=classify,
    least_permissions=least_permissions,
    at_once=4,  # there is one scope, and one process of NBI and of RO
)
