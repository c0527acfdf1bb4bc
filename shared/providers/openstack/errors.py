"""What keystoneauth's exceptions mean, and what a service says in an error's body."""

from typing import Any, Optional

import keystoneauth1.exceptions as ks_errors

from shared.engine.errors import (
    Absent,
    ConnectorError,
    InsufficientPermission,
    InvalidCredentials,
    Throttled,
    UnexpectedResponse,
    Unreachable,
)
from shared.transport import http, sessions

BadRequest = ks_errors.BadRequest
NotFound = ks_errors.NotFound
Conflict = ks_errors.Conflict
NotImplementedByService = ks_errors.HttpNotImplemented
ServiceFailed = ks_errors.InternalServerError
NotAcceptable = ks_errors.NotAcceptable  # a microversion that the service does not have


def classify(error: Exception) -> Optional[ConnectorError]:
    """What a keystoneauth exception means; None for what is not keystoneauth's."""
    if isinstance(error, ks_errors.connection.SSLError):
        return Unreachable(f"TLS failed: {error.message}")
    if isinstance(error, ks_errors.HttpError):
        return by_status(error)
    if isinstance(error, (ks_errors.ConnectionError, ks_errors.DiscoveryFailure)):
        # Without the first characters of the response, which keystoneauth quotes: half a secret can't be masked.
        return Unreachable(str(error.message).partition(" returned: ")[0])
    if isinstance(error, (ks_errors.EmptyCatalog, ks_errors.EndpointNotFound)):
        return Absent(str(error.message))
    if isinstance(error, (ks_errors.AuthPluginException, ks_errors.AuthorizationFailure)):
        return InvalidCredentials(str(error.message))
    if isinstance(error, ks_errors.ClientException):
        return UnexpectedResponse(f"{type(error).__name__}: {error.message}")
    return None


def by_status(error: Any) -> ConnectorError:
    """What the HTTP status of an error means."""
    status = error.http_status
    url = error.url or "the service"
    about = f"{url} answered {status}: {service_message(error)}"
    if status == 401:
        return InvalidCredentials(about)
    if status == 403:
        return InsufficientPermission(about)
    if status in http.THROTTLED:
        return Throttled(about)
    if status >= 500 or status in http.TRANSIENT:
        return Unreachable(about)
    return UnexpectedResponse(about)


def service_message(error: Any) -> str:
    """The message of the service: the services nest it under various names, and keystoneauth knows only some."""
    body = sessions.json_or_none(error.response) if error.response is not None else None
    for name, value in body.items() if isinstance(body, dict) else ():
        message = value.get("message") if isinstance(value, dict) else None
        if isinstance(message, str):
            return message
        if name == "faultstring" and isinstance(value, str):  # Octavia
            return value
    return str(error.message)
