"""Status and health: what Juju's status values mean, in OSM's values, as health and as a status poll's level."""

import dataclasses
import datetime
import functools
import re
from collections.abc import Iterable
from typing import Any, Optional

from shared.records.fields import parse_time, plain
from shared.records.status import worst

OK, UNKNOWN, IN_PROGRESS, DEGRADED, FAILED = "ok", "unknown", "in_progress", "degraded", "failed"
WORST_LAST = (OK, UNKNOWN, IN_PROGRESS, DEGRADED, FAILED)
STUCK_AFTER = datetime.timedelta(minutes=30)


@dataclasses.dataclass(frozen=True)
class Status:
    """One of Juju's status values, its message, and since when it holds; "" where Juju gives none."""

    value: str = ""
    message: str = ""
    since: Optional[datetime.datetime] = None


@dataclasses.dataclass(frozen=True)
class Observation:
    """A status of a certain kind: a key of ``HEALTH``, or "action"."""

    kind: str
    status: Status


# --- Juju's status values in OSM's ----------------------------------------------------------------

_OF_WORKLOAD = {
    "waiting": "running",
    "maintenance": "running",
    "blocked": "running",
    "active": "completed",
    "error": "failed",
    "terminated": "failed",
}
# Those of a machine's agent, and those of its instance, which are what OSM keeps in VCA-status.
_OF_MACHINE = {
    "pending": "pending",
    "started": "completed",
    "down": "failed",
    "error": "failed",
    "stopped": "failed",
    "allocating": "pending",
    "running": "completed",
    "provisioning error": "failed",
}
_OF_ACTION = {
    "pending": "pending",
    "running": "running",
    "completed": "completed",
    "failed": "failed",
    "cancelled": "failed",
}
_OF_CONFIGURATION = {  # OSM's configurationStatus, the only status that it keeps of a helm chart
    "CREATING": "pending",
    "REGISTERING": "pending",
    "INSTALLING SW": "running",
    "READY": "completed",
    "TERMINATING": "running",
    "BROKEN": "failed",
}
_OSM_STATUS = {
    "application": _OF_WORKLOAD,
    "unit": _OF_WORKLOAD,
    "machine": _OF_MACHINE,
    "action": _OF_ACTION,
    "configuration": _OF_CONFIGURATION,
}


def osm_status(kind: Optional[str], value: Optional[str]) -> str:
    """pending, running, completed, failed or unknown. ``kind`` is OSM's entity-type, or configuration."""
    return _OSM_STATUS.get(kind or "", {}).get(value or "", "unknown")


# --- health ---------------------------------------------------------------------------------------

_WORKLOAD_HEALTH = {
    "active": OK,
    "waiting": IN_PROGRESS,
    "maintenance": IN_PROGRESS,
    "blocked": DEGRADED,
    "error": FAILED,
    "terminated": FAILED,
    "failed": FAILED,
}
_MACHINE_HEALTH = {
    "started": OK,
    "pending": IN_PROGRESS,
    "down": FAILED,
    "error": FAILED,
    "stopped": FAILED,
}
_INSTANCE_HEALTH = {
    "running": OK,
    "pending": IN_PROGRESS,
    "allocating": IN_PROGRESS,
    "error": FAILED,
    "provisioning error": FAILED,
}
# By kind of status. Actions have no health: a failed day-2 action does not mean that the unit is broken, and a
# completed one does not unblock it.
HEALTH: dict[str, dict[str, str]] = {
    "application": _WORKLOAD_HEALTH,
    "unit": _WORKLOAD_HEALTH,
    "remote application": _WORKLOAD_HEALTH,
    "agent": {
        "idle": OK,
        "executing": IN_PROGRESS,
        "allocating": IN_PROGRESS,
        "rebooting": IN_PROGRESS,
        "lost": FAILED,
        "failed": FAILED,
        "error": FAILED,
    },
    "machine": _MACHINE_HEALTH,
    "instance": _INSTANCE_HEALTH,
    "model": {
        "available": OK,
        "busy": IN_PROGRESS,
        "destroying": IN_PROGRESS,
        "suspended": DEGRADED,  # its cloud credential is invalid
        "error": FAILED,
    },
    "configuration": {  # OSM's configurationStatus
        "READY": OK,
        "CREATING": IN_PROGRESS,
        "REGISTERING": IN_PROGRESS,
        "INSTALLING SW": IN_PROGRESS,
        "TERMINATING": IN_PROGRESS,
        "BROKEN": FAILED,
    },
}


def worst_health(
    observations: Iterable[Observation],
    now: Optional[datetime.datetime] = None,
    stuck_after: datetime.timedelta = STUCK_AFTER,
) -> str:
    """The worst health of any observation; unknown where there are none. An unknown value is never ok.

    With ``now``, what has been in progress for longer than ``stuck_after`` is degraded.
    """
    levels = {_health_of(one, now, stuck_after) for one in observations if _has_health(one)}
    return max(levels, key=WORST_LAST.index, default=UNKNOWN)


def stuck(
    observation: Observation, now: datetime.datetime, after: datetime.timedelta = STUCK_AFTER
) -> bool:
    """Whether it has been in progress for too long; False where it is unknown since when."""
    start = observation.status.since
    return _health_now(observation) == IN_PROGRESS and start is not None and now - start > after


# --- levels of a status poll ----------------------------------------------------------------------

_LEVEL_OF_OSM_STATUS = {"pending": "ok", "running": "ok", "completed": "ok", "failed": "error"}
_LEVEL_OF_HEALTH = {OK: "ok", IN_PROGRESS: "ok", DEGRADED: "warning", FAILED: "error"}


def level(osm: str, health: str) -> str:
    """ok, warning, error or unknown: the level of the OSM status or of the health, whichever is worse."""
    return worst(
        (_LEVEL_OF_OSM_STATUS.get(osm, "unknown"), _LEVEL_OF_HEALTH.get(health, "unknown"))
    )


def summary(observations: Iterable[Observation], now: datetime.datetime) -> str:
    """One line about the worst observation (the first of equals): what, in which state, why, since when."""
    candidates = [one for one in observations if _has_health(one)]
    if not candidates:
        return "no status yet"
    chosen = max(candidates, key=lambda one: WORST_LAST.index(_health_of(one, now, STUCK_AFTER)))
    text = f"{chosen.kind} is {chosen.status.value}"
    if chosen.status.message:
        text += f" ({' '.join(chosen.status.message.split())})"
    if chosen.status.since:
        stuck_since = "stuck since" if stuck(chosen, now) else "since"
        text += f", {stuck_since} {plain(chosen.status.since)}"
    return text


def since(
    observations: Iterable[Observation], health: str, now: datetime.datetime
) -> Optional[datetime.datetime]:
    """Since when the first status of this health holds; None where Juju does not say."""
    for one in observations:
        if one.status.value and worst_health([one], now) == health:
            return one.status.since
    return None


def _has_health(observation: Observation) -> bool:
    return bool(observation.status.value) and observation.kind != "action"


def _health_now(observation: Observation) -> str:
    """The health without regard to how long it has lasted."""
    return HEALTH.get(observation.kind, {}).get(observation.status.value, UNKNOWN)


def _health_of(
    observation: Observation, now: Optional[datetime.datetime], after: datetime.timedelta
) -> str:
    level = _health_now(observation)
    if level == IN_PROGRESS and now is not None and stuck(observation, now, after):
        return DEGRADED
    return level


def status_facts(kind: str, status: Status, moment: Optional[datetime.datetime]) -> dict[str, Any]:
    """Juju's status with message and time, OSM's status, and how old Juju's was at ``moment``."""
    start = status.since
    return {
        "juju_status": status.value,
        "juju_message": status.message,
        "since": start,
        "as_of": moment,
        "age_s": int((moment - start).total_seconds()) if moment and start else None,
        "osm_status": osm_status(kind, status.value),
    }


# --- times ----------------------------------------------------------------------------------------

_FRACTION = re.compile(r"(\.[0-9]{1,6})[0-9]*")
_MICROSECONDS = re.compile(r"[^.]{19}\.[0-9]{6,9}Z")


def parse_since(text: Optional[str]) -> Optional[datetime.datetime]:
    """Juju's times have up to nine digits after the point; Python before 3.11 takes only three or six."""
    if not text:
        return None
    if len(text) <= 30 and _MICROSECONDS.fullmatch(text):
        return _parse_usual(text)
    if "." in text:
        text = _FRACTION.sub(lambda match: match[1].ljust(7, "0"), text.strip(), count=1)
    return parse_time(text)


@functools.lru_cache(maxsize=4096)  # each record is read some three times
def _parse_usual(text: str) -> Optional[datetime.datetime]:
    return parse_time(text[:26] + "Z")


def parse_epoch(value: Any) -> Optional[datetime.datetime]:
    """OSM's times are seconds since 1970, as numbers or (``status-time``) as text. None where it is no time."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        return datetime.datetime.fromtimestamp(float(value), datetime.timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
