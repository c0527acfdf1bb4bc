"""Volumes: the handlers that the runtime calls. Which providers: the files beside this one."""

from typing import Any

from shared.engine import poll

FAMILY = "volumes"


def get(event: Any, context: Any) -> list[dict[str, Any]]:
    """All volumes of the account as CMP resource dicts, or an exception (shared/engine/errors.py)."""
    return poll.poll(FAMILY, event, context)


get_resources = get


def validate_credentials(event: Any, context: Any) -> dict[str, Any]:
    """Whether the account can log in; lists nothing. {"ok": bool, "account" or "reason": str}."""
    return poll.validate(FAMILY, event, context)


def get_status(event: Any, context: Any) -> dict[str, Any]:
    """{"status": [...], "last_update": str}: how each resource is, now (shared/records/status.py)."""
    return poll.statuses(FAMILY, event, context)


def get_metrics(event: Any, context: Any) -> dict[str, Any]:
    """{"metrics": [...], "last_update": str}: the points since the event's ``last_update``."""
    return poll.metrics(FAMILY, event, context)


def get_logs(event: Any, context: Any) -> dict[str, Any]:
    """{"logs": [...], "last_update": str}: what was done since the event's ``last_update``."""
    return poll.logs(FAMILY, event, context)
