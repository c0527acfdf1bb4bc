"""Servers: the handlers that the runtime calls. Which providers: the files beside this one."""

from typing import Any

from shared import run

FAMILY = "servers"


def get(event: Any, context: Any) -> list[dict[str, Any]]:
    """All servers of the account as CMP resource dicts, or an exception (shared/errors.py)."""
    return run.poll(FAMILY, event, context)


get_resources = get


def validate_credentials(event: Any, context: Any) -> dict[str, Any]:
    """Whether the account can log in; lists nothing. {"ok": bool, "account" or "reason": str}."""
    return run.validate(FAMILY, event, context)


def get_status(event: Any, context: Any) -> dict[str, Any]:
    """How each of the servers is: points as of shared/status.py, or an exception (shared/errors.py)."""
    return run.statuses(FAMILY, event, context)


def get_metrics(event: Any, context: Any) -> dict[str, Any]:
    """The servers' metrics since the last poll (shared/run.py, ``metrics``), or an exception."""
    return run.metrics(FAMILY, event, context)


def get_logs(event: Any, context: Any) -> dict[str, Any]:
    """What was done to the servers since the last poll (shared/run.py, ``logs``), or an exception."""
    return run.logs(FAMILY, event, context)
