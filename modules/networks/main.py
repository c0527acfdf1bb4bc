"""Networks: the handlers that the runtime calls. Which providers: the files beside this one."""

from typing import Any

from shared.engine import poll

FAMILY = "networks"


def get(event: Any, context: Any) -> list[dict[str, Any]]:
    """All networks of the account as CMP resource dicts, or an exception (shared/engine/errors.py)."""
    return poll.poll(FAMILY, event, context)


get_resources = get


def validate_credentials(event: Any, context: Any) -> dict[str, Any]:
    """Whether the account can log in; lists nothing. {"ok": bool, "account" or "reason": str}."""
    return poll.validate(FAMILY, event, context)
