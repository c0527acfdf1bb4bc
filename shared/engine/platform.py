"""What a poll reports to the platform besides its answer. A call that fails or hangs never fails the poll."""

import json
from typing import Any

from shared.engine.contracts import Poll
from shared.engine.log import Log
from shared.engine.runtime import Runtime

SHRUNK = 0.5  # an inventory below this share of the last complete one is worth a warning


def report_progress(runtime: Runtime, poll: Poll, done: int, of: int) -> bool:
    """Report the percentage of finished scopes; returns whether it is worth reporting again."""
    task_id = poll.request.task_id
    if not task_id:
        return False
    try:
        runtime.report(task_id, 100 * done // of if of else 100)
    except Exception as error:
        _warn(poll.log, "progress not reported", error)
        return False
    return True


def remembered(runtime: Runtime, log: Log, key: str) -> dict[str, Any]:
    """The state that an earlier poll kept; empty if there is none."""
    try:
        kept = runtime.state(key)
        state: dict[str, Any] = json.loads(kept) if kept else {}
        return state
    except Exception as error:
        _warn(log, "state not read", error)
        return {}


def remember(runtime: Runtime, log: Log, key: str, state: dict[str, Any]) -> None:
    try:
        runtime.keep(key, json.dumps(state))
    except Exception as error:
        _warn(log, "state not kept", error)


def compare_with_last(runtime: Runtime, poll: Poll, count: int) -> None:
    """Warn if the inventory shrank by more than half; remember this complete poll's size."""
    if not runtime.has_state:
        return
    key = f"inventory:{poll.request.account_id}:{poll.request.provider}:{poll.family}:resources"
    try:
        last = runtime.state(key)
        if last is not None and count < SHRUNK * int(last):
            poll.log.warn("shrunk", family=poll.family, resources=count, last=int(last))
        runtime.keep(key, count)
    except Exception as error:
        _warn(poll.log, "state not kept", error)


def set_header(runtime: Runtime, log: Log, name: str, value: str) -> None:
    try:
        runtime.set_header(name, value)
    except Exception as error:
        log.warn("header not set", header=name, error=type(error).__name__)


def _warn(log: Log, message: str, error: Exception) -> None:
    log.warn(message, error=type(error).__name__, message=str(error))
