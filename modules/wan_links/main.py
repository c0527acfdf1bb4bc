"""WAN links: the handlers that the runtime calls. Which providers: the files beside this one."""

from typing import Any

from shared.engine import poll

FAMILY = "wan_links"


def get(event: Any, context: Any) -> list[dict[str, Any]]:
    """All WAN links of the account as CMP resource dicts, or an exception (shared/engine/errors.py)."""
    return poll.poll(FAMILY, event, context)


get_resources = get


def get_status(event: Any, context: Any) -> dict[str, Any]:
    """A point each link, each link that is missing, and each WIM; the form is in shared/records/status.py."""
    return poll.statuses(FAMILY, event, context)


def validate_credentials(event: Any, context: Any) -> dict[str, Any]:
    """Whether the account can log in; lists nothing. {"ok": bool, "account" or "reason": str}."""
    return poll.validate(FAMILY, event, context)
