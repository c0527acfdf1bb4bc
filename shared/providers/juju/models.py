"""What is polled: the models that the controller lists for the user."""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.engine.contracts import Poll
from shared.engine.errors import InvalidEvent, UnexpectedResponse
from shared.providers.juju.connection import CONTROLLER, Refused
from shared.providers.juju.controller import Credentials
from shared.providers.juju.session import Scope, Session
from shared.records.fields import field, needed, objects


def login(credentials: Credentials, poll: Poll) -> Session:
    """A session with a connection that is logged in to the controller."""
    if not credentials.verify:
        poll.log.warn("TLS not verified", why="the account says verify: false")
    return Session(credentials, poll)


def scopes(session: Session) -> list[Scope]:
    """The models that the user may see, or those of the account's ``models``, sorted by name.

    A superuser may see all models and has to request all of them; other users would be refused.
    """
    user = needed(session.controller, "user-info", dict)
    _require(user, "controller-access", "Admin.Login")
    is_superuser = field(user, "controller-access", str) == "superuser"
    name = session.credentials.username
    params = {"user-tag": f"user-{name}", "all": is_superuser}
    try:
        response = session.call(CONTROLLER, "ModelManager", "ListModelSummaries", params)
    finally:
        session.close()
    _require(response, "results", "ModelManager.ListModelSummaries")  # null where there is no model
    models = []
    for row in objects(response, "results"):
        error = field(row, "error", dict) or {}
        if error.get("message"):
            refusal = {"error": error.get("message"), "error-code": error.get("code")}
            permission = (
                f"user {session.credentials.username} needs read access to one of the models listed"
            )
            refused = Refused("ModelManager.ListModelSummaries", refusal, permission)
            if refused.model_is_gone:
                continue
            raise refused
        models.append(_scope(needed(row, "result", dict), session))
    models.sort(key=lambda scope: scope.name)
    wanted = _wanted(models, session.credentials)
    session.models = {scope.name: scope for scope in wanted}
    return wanted


def _require(response: Mapping[str, Any], name: str, call: str) -> None:
    """Refuse a response without a field that Juju always writes, if only as null or empty."""
    if name not in response:
        raise UnexpectedResponse(f"{call}: field {name!r} is missing")


def _scope(summary: Mapping[str, Any], session: Session) -> Scope:
    owner = field(summary, "qualifier", str)  # Juju 4
    if not owner:
        owner = needed(summary, "owner-tag", str)
        owner = owner[len("user-") :] if owner.startswith("user-") else owner
        owner = owner[: -len("@local")] if owner.endswith("@local") else owner  # Juju 2
    name = f"{owner}/{needed(summary, 'name', str)}"
    return Scope(name, needed(summary, "uuid", str), summary, session)


def _wanted(models: list[Scope], credentials: Credentials) -> list[Scope]:
    """The models that the account names; all of them if it names none."""
    if not credentials.models:
        return models
    wanted = set()
    for model in credentials.models:
        matches = [s for s in models if model in (s.uuid, s.name, s.name.rpartition("/")[2])]
        if not matches:
            raise InvalidEvent(
                f"credentials.models names {model!r}, which is not among the models that user "
                f"{credentials.username} may see ({', '.join(s.name for s in models) or 'none'})"
            )
        if len(matches) > 1:
            raise InvalidEvent(
                f"credentials.models names {model!r}, which may be "
                f"{' or '.join(s.name for s in matches)}: give it with its owner"
            )
        wanted.add(matches[0].uuid)
    return [scope for scope in models if scope.uuid in wanted]


def account(session: Session) -> str:
    """The controller's id and the user. Raises UnexpectedResponse if the response to the login names no controller."""
    session.close()
    tag = needed(session.controller, "controller-tag", str)
    return f"{tag} ({session.credentials.username})"


def least_permissions(permissions: Iterable[str]) -> dict[str, Any]:
    """What to grant to the connector's own user. (Only a model's admins see its ``offers``.)"""
    levels = dict(permission.split(" ", 1) for permission in permissions)
    return {
        "controller": levels.get("controller", "login"),
        "each model": levels.get("model", "read"),
        "commands": [
            "juju add-user USER",
            f"juju grant USER {levels.get('model', 'read')} MODEL [MODEL ...]",
        ],
    }
