"""Gnocchi: what Ceilometer measured of servers, of many servers in one call.

API: POST /v1/aggregates with a search, which each Gnocchi has that Ceilometer still writes to (4.2, 2018,
and later). https://gnocchi.osci.io/rest.html#dynamic-aggregates

A point is what was measured in one period of the metric's archive policy, with the time of its start; it is
whole when the period is over and Gnocchi's workers are done with it, which is what ``SPAN`` waits for. So a
point belongs to the poll in whose span its period ends: once, whatever the polls' intervals are.

Asked is for the mean, the one thing that all of Ceilometer's archive policies keep, of running totals too:
rates are made here, since "rate:mean" is per sample, not per second. To make a rate of the first point of
a span, the points shortly before it are asked for too; nothing is kept from poll to poll. Of periods longer
than ``LOOK_BACK_S`` running totals make no rates.

An interface or disk is a resource of its own there, with the id of its server. Gnocchi shows a project its
own resources whatever the role, and does not tell what it does not show from what is not there.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from shared.engine.errors import UnexpectedResponse
from shared.engine.interval import Interval, Span
from shared.providers import openstack
from shared.records import metrics
from shared.records.fields import field, needed, objects, parse_time
from shared.transport import http

# Ceilometer measures each 5 minutes, and Gnocchi's workers take a minute or two.
SPAN = Span(skew_s=600, longest_s=3600)
# A rate needs a point before: three periods of 5 minutes, of which two may be missing.
LOOK_BACK_S = 900
LONGEST_PERIOD_S = 10 * 366 * 86400
# Gnocchi 4.7 reads 100 servers' interfaces in 1.5 s from local files, and slower from a store far away.
SERVERS_A_CALL = 100
AGGREGATE = "mean"

# The start of a metric's name -> the type of resource that has it. The first that fits.
TYPES = {
    "network.": "instance_network_interface",
    "disk.device.": "instance_disk",
    "": "instance",
}
# How a resource of the type names its server, and which of several it is.
SERVER, NAMED = "instance_id", "name"
KEYS = {"instance": ("id",)}


def points(
    scope: openstack.Scope,
    servers: Mapping[str, Mapping[str, Optional[float]]],
    interval: Interval,
) -> Iterator[list[dict[str, Any]]]:
    """The points of the servers in the interval, as get_metrics answers them, a page a call.

    ``servers``: by id, what the mapping's expressions need (``vcpus``, ``memory``). Raises as
    ``openstack.get``; UnexpectedResponse where Gnocchi is too old.
    """
    by_type: dict[str, list[metrics.Metric]] = defaultdict(list)
    for metric in metrics.of("openstack.gnocchi"):
        kind = next(kind for start, kind in TYPES.items() if metric.metric.startswith(start))
        by_type[kind].append(metric)
    ids = sorted(servers)
    for first in range(0, len(ids), SERVERS_A_CALL):
        some = ids[first : first + SERVERS_A_CALL]
        for kind, wanted in by_type.items():
            names = [metric.metric for metric in wanted]
            known = {metric.metric: metric for metric in wanted}
            groups = _groups(scope, kind, names, some, interval)
            yield [each for group in groups for each in _of(group, kind, known, servers, interval)]


def _groups(
    scope: openstack.Scope, kind: str, names: Sequence[str], ids: list[str], interval: Interval
) -> list[dict[str, Any]]:
    """The resources of the servers that have one of the metrics, with its points.

    Where Gnocchi refuses, because the metrics of a resource have no period in common or one has no mean,
    they are asked for one by one.
    """
    keys = KEYS.get(kind, (SERVER, NAMED))
    start = interval.start - datetime.timedelta(seconds=LOOK_BACK_S)
    params = {"groupby": keys, "start": _text(start), "stop": _text(interval.end)}
    body = {
        "operations": ["metric", *([name, AGGREGATE] for name in names)],
        "resource_type": kind,
        "search": {"in": {keys[0]: ids}},
    }
    try:
        answer = openstack.post(scope, "metric", "/aggregates", params, body)
    except (openstack.BadRequest, openstack.NotFound) as error:
        cause = _cause(error)
        if cause is None:
            raise
        if cause.startswith(("Metric [", "Resource type does not exist")):
            return []  # no server has any of these, or Ceilometer never measured such a thing
        if len(names) > 1:
            found = [_groups(scope, kind, [name], ids, interval) for name in names]
            return [group for groups in found for group in groups]
        openstack.note(scope, "not polled", metric=names[0], why=cause)
        return []
    if not isinstance(answer, list):
        raise UnexpectedResponse("metric /aggregates should answer with a list")
    return objects({"aggregates": answer}, "aggregates")


def _cause(error: Any) -> Optional[str]:
    """Why Gnocchi refuses; None where it was not Gnocchi's /v1/aggregates that answered."""
    try:
        description = http.json_or_none(error.response)["description"]
        return description if isinstance(description, str) else str(description["cause"])
    except (AttributeError, KeyError, TypeError):
        return None


def _of(
    group: dict[str, Any],
    kind: str,
    known: Mapping[str, metrics.Metric],
    servers: Mapping[str, Mapping[str, Optional[float]]],
    interval: Interval,
) -> Iterator[dict[str, Any]]:
    keys = KEYS.get(kind, (SERVER, NAMED))
    called = field(group, "group", dict) or {}
    server = needed(called, keys[0], str)
    name = field(called, NAMED, str)
    measured = field(field(group, "measures", dict) or {}, "measures", dict) or {}
    for resource in measured:
        for metric in field(measured, resource, dict) or {}:
            aggregates = field(measured[resource], metric, dict) or {}
            before, new = _parted(field(aggregates, AGGREGATE, list) or [], interval)
            if metric in known and server in servers:
                yield from known[metric].points(
                    new, server, "server", before=before, specialisation=name, **servers[server]
                )


def _parted(
    measures: list[Any], interval: Interval
) -> tuple[Optional[metrics.Point], list[metrics.Point]]:
    """The last point before the interval, and those in it; of several periods, those of the shortest."""
    read = [_measure(each) for each in measures]
    shortest = min((period for _, period, _ in read), default=0)
    whole = [
        (moment, value)
        for moment, period, value in read
        if period == shortest and moment + datetime.timedelta(seconds=period) < interval.end
    ]
    start = interval.start - datetime.timedelta(seconds=shortest)
    clean = metrics.clean(whole)
    before = [point for point in clean if point[0] < start]
    new = [point for point in clean if point[0] >= start]
    return before[-1] if before else None, new


def _measure(measure: Any) -> tuple[datetime.datetime, float, Optional[float]]:
    """[time, seconds of the period, value]"""
    try:
        text, period, value = measure
        moment = parse_time(text)
        if moment is not None and 0 < period <= LONGEST_PERIOD_S:
            moment + datetime.timedelta(seconds=period)  # has to be a time as well
            return moment, float(period), None if value is None else float(value)
    except (AttributeError, OverflowError, TypeError, ValueError):
        pass
    raise UnexpectedResponse("a measure of metric /aggregates should be a time and two numbers")


def _text(moment: datetime.datetime) -> str:
    return moment.isoformat()
