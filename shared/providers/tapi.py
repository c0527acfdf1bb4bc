"""TAPI: a controller of transport networks with ONF's Transport API 2.1.3 or 2.4, over RESTCONF.

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
    "services_and_points",
]

CONTEXT = "tapi-common:context"
SERVICES = f"{CONTEXT}/tapi-connectivity:connectivity-context/connectivity-service"
POINTS = f"{CONTEXT}/service-interface-point"


def account(session: Session) -> str:
    """The controller's host, after the same calls as a poll: no cheaper call works with every controller."""
    services_and_points(session)
    return session.name


def services_and_points(session: Session) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The connectivity services, and the service interface points that they may end at.

    Two calls, and one or two more for each list that can't be read alone (405): TAPI has no pages.
    """
    services, points = restconf.lists(
        session,
        "tapi-connectivity",
        (SERVICES, ("context", "connectivity-context", "connectivity-service")),
        (POINTS, ("context", "service-interface-point")),
    )
    return services, points


PROVIDER = Provider(
    credential_keys=CREDENTIAL_KEYS,
    credentials=credentials,
    login=login,
    scopes=scopes,
    account=account,
    classify=classify,
    least_permissions=least_permissions,
)
