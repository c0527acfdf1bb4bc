"""A simulator of Gnocchi's /v1/aggregates, for the one question that the servers' metrics ask.

Its answers, errors and the rounding of start and stop were compared with Gnocchi 4.7.1 (MySQL and files,
Keystone in front) with resources as Ceilometer makes them. It can't show: when Gnocchi's workers are done
(here, ``lag_s`` after the sample), what an archive policy forgets, other operations than "metric", or how long
a big question takes.
"""

import datetime
from collections import defaultdict


class Gnocchi:
    """Resources with samples of their metrics. ``now``: later samples, less ``lag_s``, are not there yet."""

    def __init__(self):
        self.types = {"instance", "instance_disk", "instance_network_interface"}
        self.resources = []
        self.now, self.lag_s = None, 0
        self.asked = []  # (query, body) of each call

    def add(self, kind, resource_id, project, metrics, **attributes):
        """``metrics``: name -> {"samples": [(moment, value)], "periods": [s], "aggregates": [...]}"""
        whole = {
            name: {"periods": [300], "aggregates": ["mean", "rate:mean"], **metric}
            for name, metric in metrics.items()
        }
        self.resources.append(
            {"type": kind, "id": resource_id, "project": project, "metrics": whole, **attributes}
        )

    def answer(self, path, query, body, project, admin):
        if path != "v1/aggregates" or body is None:
            return 404, {"code": 404, "title": "Not Found", "description": None}
        self.asked.append((query, body))
        kind = body["resource_type"]
        if kind not in self.types:
            return _refused(400, {"cause": "Resource type does not exist", "detail": kind})
        operation, *references = body["operations"]
        assert operation == "metric"
        ((attribute, wanted),) = body["search"]["in"].items()
        if not wanted:
            return 500, {}
        groups = defaultdict(list)
        for each in self.resources:
            shown = admin or each["project"] == project
            if shown and each["type"] == kind and each[attribute] in wanted:
                groups[tuple(each[key] for key in query["groupby"])].append(each)
        start, stop = (
            datetime.datetime.fromisoformat(query[name][0]) for name in ("start", "stop")
        )
        found = []
        for key in sorted(groups):
            named = [(each, name) for each in groups[key] for name, _ in references]
            there = [(each, name) for each, name in named if name in each["metrics"]]
            if not there:
                continue
            metrics = [each["metrics"][name] for each, name in there]
            for metric in metrics:
                for _, aggregate in references:
                    if aggregate not in metric["aggregates"]:
                        return _refused(404, {"cause": "Metrics with unknown aggregation"})
            periods = set.intersection(*(set(metric["periods"]) for metric in metrics))
            if not periods:
                cause = "Metrics cannot be aggregated"
                return _refused(400, {"cause": cause, "reason": "No granularity match"})
            measures = {}
            for each, name in there:
                points = self._points(each["metrics"][name]["samples"], periods, start, stop)
                measures.setdefault(each["id"], {})[name] = {"mean": points}
            group = dict(zip(query["groupby"], key))
            found.append({"group": group, "measures": {"measures": measures}})
        if not found:
            names = sorted({name for name, _ in references})
            return _refused(404, f"Metric {names} does not exist")
        return 200, found

    def _points(self, samples, periods, start, stop):
        points = []
        lag = datetime.timedelta(seconds=self.lag_s)
        for period in sorted(periods, reverse=True):
            means = defaultdict(list)
            for moment, value in samples:
                if self.now is None or moment + lag <= self.now:
                    means[_floor(moment, period)].append(value)
            for moment in sorted(means):
                if _floor(start, period) <= moment < stop:
                    mean = sum(means[moment]) / len(means[moment])
                    points.append([moment.isoformat(), float(period), mean])
        return points


def _floor(moment, period):
    seconds = moment.timestamp()
    return datetime.datetime.fromtimestamp(seconds - seconds % period, datetime.timezone.utc)


def _refused(status, description):
    return status, {"code": status, "title": "", "description": description}
