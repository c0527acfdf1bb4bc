"""CloudWatch: the points of many resources' metrics in few calls.

API: GetMetricData, up to 500 queries a call; an answer that does not hold all points names a next page.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html

A query is one entry of mapping.yaml for one resource. A point has the time at which its period begins. All
points that CloudWatch has are asked for once they had ``SPAN``'s skew to arrive in; one that comes later
than that is never seen. CloudWatch keeps points of a minute for 15 days, of 5 minutes for 63.

A query names all dimensions of a metric, or it finds nothing. Where their values are written nowhere else (the
optical lanes of a port), ListMetrics knows them: of what had points in the last two weeks.
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
# Aligned to 5 minutes, whatever the period: so that the next poll may choose another one.
SPAN = Span(skew_s=600, period_s=FIVE_MINUTES_S, longest_s=HOUR_S)

_MINUTES_KEPT = datetime.timedelta(days=15)
_FIVE_MINUTES_KEPT = datetime.timedelta(days=63)


@dataclasses.dataclass(frozen=True)
class Query:
    """One metric of one resource. ``period``: how far apart, at least, the provider's points are, in s."""

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
    """A query for each metric that mapping.yaml has of the service ("aws.ec2")."""
    return [
        Query(metric, namespace, dimensions, resource_id, resource_type, period, specialisation)
        for metric in metrics.of(service)
    ]


def known_dimensions(scope: aws.Scope, namespace: str) -> dict[str, list[dict[str, str]]]:
    """Metric -> the dimensions that it has points with, each once."""
    found: dict[str, list[dict[str, str]]] = {}
    for page in aws.pages(scope, "cloudwatch", "list_metrics", "Metrics", Namespace=namespace):
        for metric in page:
            dimensions = {
                needed(each, "Name", str): needed(each, "Value", str)
                for each in objects(metric, "Dimensions")
            }
            known = found.setdefault(needed(metric, "MetricName", str), [])
            if dimensions not in known:
                known.append(dimensions)
    return found


def points(
    scope: aws.Scope, window: Window, wanted: Iterable[Query]
) -> Iterator[list[dict[str, Any]]]:
    """The points of the interval that was asked for, a page for each 500 queries (or the rest of them).

    Complete or an error: Unreachable where CloudWatch could not give all of them, InsufficientPermission
    where it would not, UnexpectedResponse where it does not say.
    """
    some: list[Query] = []
    for query in wanted:
        some.append(query)
        if len(some) == QUERIES_A_CALL:
            yield _points(scope, window.interval, some)
            some = []
    if some:
        yield _points(scope, window.interval, some)


def period(interval: Interval, finest: int, now: datetime.datetime) -> int:
    """The seconds of a point: as fine as the data are, but coarser in a long interval or a long past one."""
    age = now - interval.start
    if age > _FIVE_MINUTES_KEPT:
        return HOUR_S
    if age > _MINUTES_KEPT or interval.seconds > HOUR_S:
        return max(finest, FIVE_MINUTES_S)
    return finest


def _points(scope: aws.Scope, interval: Interval, some: list[Query]) -> list[dict[str, Any]]:
    now = clock.now()
    periods = [period(interval, query.period, now) for query in some]
    found = _found(scope, interval, some, periods)
    answer = []
    for query, seconds, (times, values) in zip(some, periods, found):
        known = [each for each in zip(times, values) if each[0] in interval]
        answer += query.metric.points(
            known,
            query.resource_id,
            query.resource_type,
            specialisation=query.specialisation,
            period=seconds,
        )
    return answer


def _found(
    scope: aws.Scope, interval: Interval, some: list[Query], periods: list[int]
) -> list[tuple[list[datetime.datetime], list[float]]]:
    """Times and values of each query, of all pages together."""
    asked = {
        f"q{number}": {
            "Id": f"q{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": query.namespace,
                    "MetricName": query.metric.metric,
                    "Dimensions": [
                        {"Name": name, "Value": value} for name, value in query.dimensions.items()
                    ],
                },
                "Period": seconds,
                "Stat": query.metric.statistic,
            },
        }
        for number, (query, seconds) in enumerate(zip(some, periods))
    }
    found: dict[str, tuple[list[datetime.datetime], list[float]]] = {
        name: ([], []) for name in asked
    }
    last: dict[str, dict[str, Any]] = {}  # each query's last result

    def forget() -> None:
        for times, values in found.values():
            times.clear()
            values.clear()
        last.clear()

    # an hour's point that begins in the interval may end after it
    beyond = datetime.timedelta(seconds=max(0, max(periods) - FIVE_MINUTES_S))
    for page in aws.answers(
        scope,
        "cloudwatch",
        "get_metric_data",
        "MetricDataResults",
        MetricDataQueries=list(asked.values()),
        StartTime=interval.start,
        EndTime=interval.end + beyond,
        ScanBy="TimestampAscending",
        restarted=forget,
    ):
        for message in objects(page, "Messages"):
            raise UnexpectedResponse(f"CloudWatch answers in part only: {_message(message)}")
        for result in objects(page, "MetricDataResults"):
            name = needed(result, "Id", str)
            if name not in found:
                raise UnexpectedResponse(f"field 'Id' of a CloudWatch result is {name!r}")
            times = items(result, "Timestamps", datetime.datetime)
            values = field(result, "Values", list) or []
            if not all(isinstance(each, (int, float)) for each in values):
                raise UnexpectedResponse("field 'Values' should be a list of numbers")
            if len(times) != len(values):
                raise UnexpectedResponse("fields 'Timestamps' and 'Values' are of different length")
            found[name][0].extend(times)
            found[name][1].extend(values)
            last[name] = result
    for name, query in zip(asked, some):
        _check_complete(last.get(name), query)
    return [found[name] for name in asked]


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
