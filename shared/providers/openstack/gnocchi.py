"""Gnocchi: what Ceilometer measured of servers, of many servers in one call.

API: POST /v1/aggregates with a search, which every Gnocchi supports that Ceilometer still writes to (4.2, 2018,
and later). https://gnocchi.osci.io/rest.html#dynamic-aggregates

A point is what was measured in one period of the metric's archive policy, with the time of its start. It is
complete when the period is over and Gnocchi's workers have processed it, which is what ``SPAN`` waits for. So a
point belongs to the poll in whose span its period ends: to one poll, whatever the polls' intervals are.

The request is for the mean, the one aggregate that all of Ceilometer's archive policies keep, of counters too:
rates are computed here, since "rate:mean" is per sample, not per second. For the rate at the first point of a
span the points shortly before it are requested too; nothing is kept from poll to poll. Counters with periods
longer than ``LOOK_BACK_S`` give no rates.

An interface or disk is a resource of its own in Gnocchi, with the id of its server. Gnocchi shows a project its
own resources whatever the role, and does not distinguish what it hides from what does not exist.
"""

import datetime
import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from shared.engine.errors import UnexpectedResponse
from shared.engine.interval import Interval, Span
from shared.providers import openstack
from shared.records import metrics
from shared.records.fields import field, needed, objects, parse_time
from shared.transport import sessions

# Ceilometer measures each 5 minutes, and Gnocchi's workers take a minute or two.
SPAN = Span(skew_s=600, longest_s=3600)
# A rate needs an earlier point: three periods of 5 minutes, of which two may be missing.
LOOK_BACK_S = 900
LONGEST_PERIOD_S = 10 * 366 * 86400
# Gnocchi 4.7 reads 100 servers' interfaces in 1.5 s from local files, and slower from a store far away.
SERVERS_A_CALL = 100
AGGREGATE = "mean"

# The prefix of a metric's name -> the type of resource that has it. The first match counts.
TYPES = {
    "network.": "instance_network_interface",
    "disk.device.": "instance_disk",
    "": "instance",
}
# The fields in which a resource of the type names its server, and itself among several.
SERVER, NAME = "instance_id", "name"
KEYS = {"instance": ("id",)}


def points(
    scope: openstack.Scope,
    servers: Mapping[str, Mapping[str, Optional[float]]],
    interval: Interval,
) -> Iterator[list[dict[str, Any]]]:
    """The points of the servers in the interval, as get_metrics answers them, a page a call.

    ``servers``: by id, what the mapping's expressions need (``vcpus``, ``memory``). Raises the same errors as
    ``openstack.get``; UnexpectedResponse where Gnocchi is too old.
    """
    by_type: dict[str, dict[str, metrics.Metric]] = defaultdict(dict)
    for metric in metrics.of("openstack.gnocchi"):
        kind = next(kind for start, kind in TYPES.items() if metric.metric.startswith(start))
        by_type[kind][metric.metric] = metric
    ids = sorted(servers)
    for first in range(0, len(ids), SERVERS_A_CALL):
        chunk = ids[first : first + SERVERS_A_CALL]
        found = scope.workers.ahead(
            functools.partial(_groups, scope, kind, list(by_name), chunk, interval)
            for kind, by_name in by_type.items()
        )
        for (kind, by_name), groups in zip(by_type.items(), found):
            yield [
                point for group in groups for point in _of(group, kind, by_name, servers, interval)
            ]


def _groups(
    scope: openstack.Scope, kind: str, names: Sequence[str], ids: list[str], interval: Interval
) -> list[dict[str, Any]]:
    """The resources of the servers that have one of the metrics, with its points.

    Where Gnocchi refuses, because the metrics of a resource have no period in common or one has no mean,
    they are requested one by one.
    """
    keys = KEYS.get(kind, (SERVER, NAME))
    start = interval.start - datetime.timedelta(seconds=LOOK_BACK_S)
    params = {"groupby": keys, "start": _text(start), "stop": _text(interval.end)}
    body = {
        "operations": ["metric", *([name, AGGREGATE] for name in names)],
        "resource_type": kind,
        "search": {"in": {keys[0]: ids}},
    }
    try:
        response = openstack.post(scope, "metric", "/aggregates", params, body)
    except (openstack.BadRequest, openstack.NotFound) as error:
        cause = _cause(error)
        if cause is None:
            raise
        if cause.startswith(("Metric [", "Resource type does not exist")):
            return []  # no server has any of these, or Ceilometer never measured such a resource
        if len(names) > 1:
            return [
                group for name in names for group in _groups(scope, kind, [name], ids, interval)
            ]
        openstack.note(scope, "not polled", metric=names[0], why=cause)
        return []
    if not isinstance(response, list):
        raise UnexpectedResponse("metric /aggregates should answer with a list")
    return objects({"aggregates": response}, "aggregates")


def _cause(error: Any) -> Optional[str]:
    """Why Gnocchi refuses; None where it was not Gnocchi's /v1/aggregates that answered."""
    try:
        description = sessions.json_or_none(error.response)["description"]
        return description if isinstance(description, str) else str(description["cause"])
    except (AttributeError, KeyError, TypeError):
        return None


def _of(
    group: dict[str, Any],
    kind: str,
    by_name: Mapping[str, metrics.Metric],
    servers: Mapping[str, Mapping[str, Optional[float]]],
    interval: Interval,
) -> Iterator[dict[str, Any]]:
    """The points of a group of the response, which is one resource."""
    keys = KEYS.get(kind, (SERVER, NAME))
    group_keys = field(group, "group", dict) or {}
    server = needed(group_keys, keys[0], str)
    name = field(group_keys, NAME, str)
    by_resource = field(field(group, "measures", dict) or {}, "measures", dict) or {}
    for resource in by_resource:
        for metric in field(by_resource, resource, dict) or {}:
            aggregates = field(by_resource[resource], metric, dict) or {}
            before, new = _split(field(aggregates, AGGREGATE, list) or [], interval)
            if metric in by_name and server in servers:
                yield from by_name[metric].points(
                    new, server, "server", before=before, specialisation=name, **servers[server]
                )


def _split(
    measures: list[Any], interval: Interval
) -> tuple[Optional[metrics.Point], list[metrics.Point]]:
    """The last point before the interval, and those in it; of several periods, those of the shortest."""
    parsed = [_measure(measure) for measure in measures]
    shortest = min((period for _, period, _ in parsed), default=0)
    complete = [
        (moment, value)
        for moment, period, value in parsed
        if period == shortest and moment + datetime.timedelta(seconds=period) < interval.end
    ]
    start = interval.start - datetime.timedelta(seconds=shortest)
    clean = metrics.clean(complete)
    before = [point for point in clean if point[0] < start]
    new = [point for point in clean if point[0] >= start]
    return before[-1] if before else None, new


def _measure(measure: Any) -> tuple[datetime.datetime, float, Optional[float]]:
    """[time, seconds of the period, value]"""
    try:
        text, period, value = measure
        moment = parse_time(text)
        if moment is not None and 0 < period <= LONGEST_PERIOD_S:
            moment + datetime.timedelta(seconds=period)  # has to be a valid time as well
            return moment, float(period), None if value is None else float(value)
    except (AttributeError, OverflowError, TypeError, ValueError):
        pass
    raise UnexpectedResponse("a measure of metric /aggregates should be a time and two numbers")


def _text(moment: datetime.datetime) -> str:
    return moment.isoformat()
