"""Converts a provider's metrics into CMP's, as mapping.yaml says (shared/records/mapping.py).

A point is a time and a value, (datetime, number). None and NaN mean "not known" and are left out: a zero would
be a statement about the resource.
"""

import dataclasses
import datetime
import math
import threading
from collections.abc import Iterable
from typing import Any, Optional

from nflex_connector_utils import convert_datetime

Point = tuple[datetime.datetime, float]


@dataclasses.dataclass(frozen=True)
class Metric:
    """An entry of the mapping.

    ``key`` is ``<provider>.<service>.<metric>``, ``name`` and ``unit`` are CMP's, and ``variables`` are what
    ``points`` needs besides the points. ``counter``: the provider's values are running totals.
    """

    key: str
    name: str
    unit: str
    counter: bool
    statistic: Optional[str]
    variables: frozenset[str]
    entry: Any = dataclasses.field(repr=False, compare=False)

    @property
    def metric(self) -> str:
        """The provider's name of the metric."""
        return self.key.split(".", 2)[2]

    def convert(self, value: Optional[float], **variables: Optional[float]) -> Optional[float]:
        """CMP's value for the provider's value (for a counter: for its rate). None if it is not known.

        A variable that is None or not above 0 makes it unknown too: nflex would divide by 0 and get 0.
        Raises TypeError if a variable of the expression is missing.
        """
        missing = self.variables - variables.keys()
        if missing:
            raise TypeError(f"{self.key}: missing variable {', '.join(sorted(missing))}")
        known = {name: _known(variables[name]) for name in self.variables}
        value = _known(value)
        if value is None or any(number is None or number <= 0 for number in known.values()):
            return None
        return _known(self.entry.value(value=value, **known))

    def points(
        self,
        points: Iterable[tuple[datetime.datetime, Optional[float]]],
        resource_id: str,
        resource_type: str,
        *,
        before: Optional[Point] = None,
        specialisation: Optional[str] = None,
        **variables: Optional[float],
    ) -> list[dict[str, Any]]:
        """The points as get_metrics returns them, by time; unknown ones are left out.

        For a counter, ``before`` is the last point of the previous poll: the growth since then belongs to the first
        point of this poll. Without it, the first point only serves as a start. ``specialisation`` tells several
        things of one resource apart, such as disks or interfaces.
        """
        known = rates(points, before) if self.counter else clean(points)
        specialisation = specialisation or self.entry.specialisation()
        results = []
        for moment, raw in known:
            value = self.convert(raw, **variables)
            if value is None:
                continue
            point = {
                "resource_id": resource_id,
                "resource_type": resource_type,
                "metric": self.name,
                "value": value,
                "unit": self.unit,
                "time": convert_datetime(moment),
            }
            if specialisation:
                point["specialisation"] = specialisation
            results.append(point)
        return results


# --- points ---------------------------------------------------------------------------------------


def clean(points: Iterable[tuple[datetime.datetime, Optional[float]]]) -> list[Point]:
    """The points with a known value, by time; of two with the same time, the last one."""
    known = {moment: _known(value) for moment, value in points}
    return [(moment, value) for moment, value in sorted(known.items()) if value is not None]


def rates(
    points: Iterable[tuple[datetime.datetime, Optional[float]]], before: Optional[Point] = None
) -> list[Point]:
    """The growth of a counter per second from each point to the next; a rate has the time of the later point.

    - If points are missing, the growth is spread over the time that really passed.
    - If the counter fell, it was reset (the server was restarted or moved), and its value before the reset is
      not known: this interval has no rate, and the next one starts at the new value.
    - Points that are no later than ``before`` were counted by an earlier poll.
    """
    results = []
    for moment, value in clean(points):
        if before is None:
            before = moment, value
            continue
        seconds = (moment - before[0]).total_seconds()
        if seconds <= 0:
            continue
        if value >= before[1]:
            results.append((moment, (value - before[1]) / seconds))
        before = moment, value
    return results


def _known(value: Optional[float]) -> Optional[float]:
    if value is None:
        return None
    try:
        value = float(value)
    except OverflowError:  # a whole number that no float holds
        return None
    return value if math.isfinite(value) else None


# --- the mapping -------------------------------------------------------------------------------------

_loading = threading.Lock()
_loaded: dict[str, Metric] = {}


def of(service: str) -> list[Metric]:
    """All metrics of a provider's service, such as ``aws.ec2``, in the file's order.

    The file is read once per process. Raises MappingError if it is wrong, and KeyError if it has no metric of
    the service.
    """
    from shared.records import mapping  # see there why not before

    with _loading:  # several scopes may call this at once
        if not _loaded:
            _loaded.update(mapping.load(mapping.MAPPING))
    metrics = [metric for key, metric in _loaded.items() if key.startswith(f"{service}.")]
    if not metrics:
        raise KeyError(service)
    return metrics
