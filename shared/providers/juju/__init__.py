"""Juju: a small client of the controller's API over WebSockets, which only reads.

A poll logs in to the controller, lists the models, and reads of each model what ``juju status`` shows, over a
connection to that model. There are no watchers and no connection outlives the poll.

- controller: the account, and how the controller's certificate is checked;
- connection: one WebSocket that is logged in, and the controller's errors;
- session: connections to the first endpoint that answers, retries, redirects, and a model's full status;
- models: the models that are polled.

This is the face that cells and the engine use.
"""

from shared.engine.contracts import Provider
from shared.providers.juju.connection import Refused, classify
from shared.providers.juju.controller import CREDENTIAL_KEYS, Credentials, credentials
from shared.providers.juju.models import account, least_permissions, login, scopes
from shared.providers.juju.session import Scope, Session

__all__ = [
    "PROVIDER",
    "CREDENTIAL_KEYS",
    "Credentials",
    "Refused",
    "Scope",
    "Session",
    "account",
    "classify",
    "credentials",
    "least_permissions",
    "login",
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
)
