"""CloudWatch: the points of many resources' metrics in few calls.

API: GetMetricData, up to 500 queries a call; a response that does not hold all points has the token of a next page.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html

A query is for one entry of mapping.yaml and one resource. The time of a point is the beginning of its period. Points
are fetched once they have had the skew of ``SPAN`` to arrive; a point that arrives later is never seen. CloudWatch
keeps points of one minute for 15 days, of 5 minutes for 63 days.

A query that does not name all dimensions of a metric finds nothing. Dimensions whose values no other operation lists
(the optical lanes of a port) come from ListMetrics: those of metrics with points in the last two weeks.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
"""

import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from shared.engine import clock
from shared.engine.contracts import Window
from shared.engine.errors import (
    ConnectorError,
    InsufficientPermission,
    UnexpectedResponse,
    Unreachable,
)
from shared.engine.interval import Interval, Span
from shared.providers import aws
from shared.records import metrics
from shared.records.fields import field, items, needed, objects

PERMISSION = "cloudwatch:GetMetricData"
LIST_PERMISSION = "cloudwatch:ListMetrics"
QUERIES_A_CALL = 500

MINUTE_S = 60
FIVE_MINUTES_S = 300
HOUR_S = 3600
# Aligned to 5 minutes, whatever the period, so that the next poll may choose another period.
SPAN = Span(skew_s=600, period_s=FIVE_MINUTES_S, longest_s=HOUR_S)

_MINUTES_KEPT = datetime.timedelta(days=15)
_FIVE_MINUTES_KEPT = datetime.timedelta(days=63)


@dataclasses.dataclass(frozen=True)
class Query:
    """One metric of one resource. ``period``: the finest that the provider measures, in seconds."""

    metric: metrics.Metric
    namespace: str  # "AWS/EC2"
    dimensions: Mapping[str, str]
    resource_id: str
    resource_type: str
    period: int
    specialisation: Optional[str] = None


def queries(
    service: str,
    namespace: str,
    dimensions: Mapping[str, str],
    resource_id: str,
    resource_type: str,
    period: int,
    *,
    specialisation: Optional[str] = None,
) -> list[Query]:
    """A query for each metric that mapping.yaml lists for the service ("aws.ec2")."""
    return [
        Query(metric, namespace, dimensions, resource_id, resource_type, period, specialisation)
        for metric in metrics.of(service)
    ]


def known_dimensions(scope: aws.Scope, namespace: str) -> dict[str, list[dict[str, str]]]:
    """Metric -> the sets of dimensions that it has points for, without repetitions."""
    by_metric: dict[str, list[dict[str, str]]] = {}
    for page in aws.pages(scope, "cloudwatch", "list_metrics", "Metrics", Namespace=namespace):
        for metric in page:
            dimensions = {
                needed(dimension, "Name", str): needed(dimension, "Value", str)
                for dimension in objects(metric, "Dimensions")
            }
            known = by_metric.setdefault(needed(metric, "MetricName", str), [])
            if dimensions not in known:
                known.append(dimensions)
    return by_metric


def points(
    scope: aws.Scope, window: Window, queries: Iterable[Query]
) -> Iterator[list[dict[str, Any]]]:
    """The points of the window's interval, a page for every 500 queries and one for the rest.

    Complete, or an error: Unreachable where CloudWatch had trouble, InsufficientPermission where it refused,
    UnexpectedResponse where it does not say that the points are complete.
    """
    batch: list[Query] = []
    for query in queries:
        batch.append(query)
        if len(batch) == QUERIES_A_CALL:
            yield _points(scope, window.interval, batch)
            batch = []
    if batch:
        yield _points(scope, window.interval, batch)


def period(interval: Interval, finest: int, now: datetime.datetime) -> int:
    """The seconds of a point: the finest that there is, but coarser for a long interval or one long ago."""
    age = now - interval.start
    if age > _FIVE_MINUTES_KEPT:
        return HOUR_S
    if age > _MINUTES_KEPT or interval.seconds > HOUR_S:
        return max(finest, FIVE_MINUTES_S)
    return finest


def _points(scope: aws.Scope, interval: Interval, batch: list[Query]) -> list[dict[str, Any]]:
    now = clock.now()
    periods = [period(interval, query.period, now) for query in batch]
    points = []
    for query, seconds, series in zip(batch, periods, _series(scope, interval, batch, periods)):
        points += query.metric.points(
            [point for point in zip(series.times, series.values) if point[0] in interval],
            query.resource_id,
            query.resource_type,
            specialisation=query.specialisation,
            period=seconds,
        )
    return points


@dataclasses.dataclass
class _Series:
    """The result of one query, of all pages together."""

    times: list[datetime.datetime] = dataclasses.field(default_factory=list)
    values: list[float] = dataclasses.field(default_factory=list)
    last: Optional[dict[str, Any]] = None  # the result on the last page that has one

    def add(self, result: dict[str, Any]) -> None:
        times = items(result, "Timestamps", datetime.datetime)
        values = field(result, "Values", list) or []
        if not all(isinstance(value, (int, float)) for value in values):
            raise UnexpectedResponse("field 'Values' should be a list of numbers")
        if len(times) != len(values):
            raise UnexpectedResponse("fields 'Timestamps' and 'Values' are of different length")
        self.times.extend(times)
        self.values.extend(values)
        self.last = result


def _series(
    scope: aws.Scope, interval: Interval, batch: list[Query], periods: list[int]
) -> list[_Series]:
    """The series of each query."""
    ids = [f"q{number}" for number in range(len(batch))]
    series: dict[str, _Series] = {}

    def restart() -> None:
        series.update((name, _Series()) for name in ids)

    restart()
    # an hour's point that begins in the interval may end after it
    beyond = datetime.timedelta(seconds=max(0, max(periods) - FIVE_MINUTES_S))
    for page in aws.answers(
        scope,
        "cloudwatch",
        "get_metric_data",
        "MetricDataResults",
        MetricDataQueries=[
            _data_query(name, query, seconds) for name, query, seconds in zip(ids, batch, periods)
        ],
        StartTime=interval.start,
        EndTime=interval.end + beyond,
        ScanBy="TimestampAscending",
        restarted=restart,
    ):
        for message in objects(page, "Messages"):
            raise UnexpectedResponse(f"CloudWatch answers in part only: {_message(message)}")
        for result in objects(page, "MetricDataResults"):
            name = needed(result, "Id", str)
            if name not in series:
                raise UnexpectedResponse(f"field 'Id' of a CloudWatch result is {name!r}")
            series[name].add(result)
    for name, query in zip(ids, batch):
        _check_complete(series[name].last, query)
    return [series[name] for name in ids]


def _data_query(name: str, query: Query, seconds: int) -> dict[str, Any]:
    """A query as GetMetricData takes it."""
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": query.namespace,
                "MetricName": query.metric.metric,
                "Dimensions": [
                    {"Name": dimension, "Value": value}
                    for dimension, value in query.dimensions.items()
                ],
            },
            "Period": seconds,
            "Stat": query.metric.statistic,
        },
    }


def _check_complete(result: Optional[dict[str, Any]], query: Query) -> None:
    about = f"{query.namespace} {query.metric.metric} of {query.resource_id}"
    if result is None:
        raise UnexpectedResponse(f"CloudWatch gave no result for {about}")
    status = field(result, "StatusCode", str)
    if status == "Complete":
        return
    kind: type[ConnectorError] = Unreachable
    if status == "Forbidden":
        kind = InsufficientPermission
        about = f"the account may not {PERMISSION} for {about}"
    why = "; ".join(_message(each) for each in objects(result, "Messages"))
    raise kind(f"{about}: CloudWatch answered {status}" + (f" ({why})" if why else ""))


def _message(message: dict[str, Any]) -> str:
    return f"{field(message, 'Code', str)}: {field(message, 'Value', str)}"
