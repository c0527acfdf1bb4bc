"""IETF L2VPN: a controller with the L2VPN service model (RFC 8466), over RESTCONF.

Login, errors and everything else are common to RESTCONF: shared/transport/restconf.py.
"""

from typing import Any

from shared.engine.contracts import Provider
from shared.transport import restconf
from shared.transport.restconf import (
    CREDENTIAL_KEYS,
    Scope,
    Session,
    classify,
    credentials,
    least_permissions,
    login,
    scopes,
)

__all__ = [
    "PROVIDER",
    "CREDENTIAL_KEYS",
    "Scope",
    "Session",
    "account",
    "classify",
    "credentials",
    "least_permissions",
    "login",
    "scopes",
    "services_and_sites",
]

SERVICES = "ietf-l2vpn-svc:l2vpn-svc/vpn-services"
SITES = "ietf-l2vpn-svc:l2vpn-svc/sites"


def account(session: Session) -> str:
    """The controller's host, after the same calls as a poll: no cheaper call works with every controller."""
    services_and_sites(session)
    return session.name


def services_and_sites(session: Session) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The VPN services, and the sites with their accesses to them.

    Two calls, and one more for each list that can't be read alone (405): RESTCONF has no pages.
    """
    services, sites = restconf.lists(
        session,
        "ietf-l2vpn-svc",
        (SERVICES, ("l2vpn-svc", "vpn-services", "vpn-service")),
        (SITES, ("l2vpn-svc", "sites", "site")),
    )
    return services, sites


PROVIDER = Provider(
    credential_keys=CREDENTIAL_KEYS,
    credentials=credentials,
    login=login,
    scopes=scopes,
    account=account,
    classify=classify,
    least_permissions=least_permissions,
)
