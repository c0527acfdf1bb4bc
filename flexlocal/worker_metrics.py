"""What a worker does, as Prometheus metrics. No label names an account, a scope or a resource: their number has no bound.

What a worker has done is counted from its events (flexlocal/worker_events.py). What is due, and how old the facts are,
is read from the inventory when somebody asks, and is the same from each worker: take the maximum of them, not the sum.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Callable

from shared.engine.runtime import DEADLINE_S

if TYPE_CHECKING:
    from inventory.ages import Ages

PLACE = ("provider", "family")
POLL = (*PLACE, "handler")
BUCKETS_S = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200)
READ_EVERY_S = 15.0  # the inventory, however often somebody asks
LONGEST_POLL_S = DEADLINE_S + 60  # then a poll that has not ended was killed
LATE_S = 60.0  # after which what is due and not polled counts as late


class Metrics:
    """``count`` takes events; ``text`` is what Prometheus reads.

    ``plan`` (inventory/due.py: Due) and ``ages`` read the inventory; they may raise whatever they like. Needs prometheus-client, and so Python
    3.10.
    """

    def __init__(
        self,
        plan: Callable[[], Iterable[Any]],
        ages: Callable[[], "Iterable[Ages]"],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ):
        from prometheus_client import (
            CollectorRegistry,
            Counter,
            Gauge,
            Histogram,
            disable_created_metrics,
        )

        disable_created_metrics()  # a series more for each counter, which nobody asks for
        self._plan, self._ages, self._clock, self._now = plan, ages, clock, now
        self._registry = CollectorRegistry()
        self._reading = threading.Lock()
        self._read: list[Any] = []
        self._read_at = -READ_EVERY_S

        def counter(name: str, text: str, labels: Iterable[str] = POLL) -> Any:
            return Counter(f"flexlocal_{name}", text, labels, registry=self._registry)

        self._claims = counter("claims", "Polls that this worker has claimed.")
        self._polls = counter(
            "polls", "Polls of this worker that have ended, by outcome.", (*POLL, "outcome")
        )
        self._seconds = Histogram(
            "flexlocal_poll_seconds",
            "How long polls took, from the claim to what is stored.",
            POLL,
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self._calls = counter("calls", "Requests that polls sent to providers.")
        self._retries = counter("retries", "Requests among them that were sent again.")
        self._resources = counter("resources", "Resources, or points, that polls brought in.")
        self._changes = counter(
            "changes", "Resources that were added, changed or gone.", (*POLL, "what")
        )
        self._lost = counter("leases_lost", "Polls whose lease ran out: nothing was stored.")
        # since when, by their ids: a process of the pool that is killed says no more
        self._running: dict[str, float] = {}
        running = Gauge(
            "flexlocal_polls_running", "Polls of this worker that run now.", registry=self._registry
        )
        running.set_function(self._number_running)
        self._registry.register(self)

    def count(self, happened: Mapping[str, Any]) -> None:
        """Events that are not about polls don't count."""
        kind = happened["event"]
        if kind not in ("claimed", "ended"):
            return
        labels = [happened[name] for name in POLL]
        if kind == "claimed":
            self._claims.labels(*labels).inc()
            self._running[happened["poll"]] = self._clock()
            return
        self._running.pop(happened["poll"], None)
        outcome = happened["outcome"]
        self._polls.labels(*labels, outcome).inc()
        self._seconds.labels(*labels).observe(happened["seconds"])
        if outcome == "lost":
            self._lost.labels(*labels).inc()
        for name, counted in (
            ("calls", self._calls),
            ("retries", self._retries),
            ("count", self._resources),
        ):
            counted.labels(*labels).inc(happened.get(name) or 0)
        for what in ("added", "changed", "gone"):
            self._changes.labels(*labels, what).inc(happened.get(what) or 0)

    def _number_running(self) -> int:
        ended = self._clock() - LONGEST_POLL_S
        for poll, since in list(self._running.items()):
            if since < ended:
                self._running.pop(poll, None)
        return len(self._running)

    def text(self) -> tuple[bytes, str]:
        """And its content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    # --- what is read from the inventory ---

    def describe(self) -> list[Any]:
        """Nothing: so that registering it reads no inventory."""
        return []

    def collect(self) -> Iterator[Any]:
        with self._reading:
            if self._clock() - self._read_at >= READ_EVERY_S:
                self._read = self._of_inventory()
                self._read_at = self._clock()
            yield from self._read

    def _of_inventory(self) -> list[Any]:
        from prometheus_client.core import GaugeMetricFamily

        def gauge(name: str, text: str, labels: Iterable[str] = ()) -> Any:
            return GaugeMetricFamily(f"flexlocal_{name}", text, labels=list(labels))

        up = gauge("inventory_up", "Whether the inventory can be read.")
        try:
            plan, ages = list(self._plan()), list(self._ages())
        except Exception:  # whatever it is, the worker's own figures must be there
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        return [up, *self._of_plan(plan, gauge), *self._of_scopes(ages, gauge)]

    def _of_plan(self, plan: list[Any], gauge: Callable[..., Any]) -> list[Any]:
        planned, leased, late = (
            gauge("planned", "Polls that are made again and again.", POLL),
            gauge("leased", "Polls that some worker makes now.", POLL),
            gauge("late", f"Polls that have been due for more than {LATE_S:g} s.", POLL),
        )
        latest = gauge("late_seconds_max", "For how long the latest of them has been due.", POLL)
        counts: dict[str, Counter[tuple[str, ...]]] = {
            name: Counter() for name in ("planned", "leased", "late")
        }
        most: dict[tuple[str, ...], float] = {}
        for each in plan:
            place: tuple[str, ...] = (each.provider, each.family, each.handler)
            counts["planned"][place] += 1
            counts["leased"][place] += each.worker is not None
            counts["late"][place] += each.late_s > LATE_S
            most[place] = max(most.get(place, 0.0), each.late_s)
        for labels, seconds in sorted(most.items()):
            planned.add_metric(labels, counts["planned"][labels])
            leased.add_metric(labels, counts["leased"][labels])
            late.add_metric(labels, counts["late"][labels])
            latest.add_metric(labels, seconds)
        return [planned, leased, late, latest]

    def _of_scopes(self, ages: "list[Ages]", gauge: Callable[..., Any]) -> list[Any]:
        scopes = gauge("scopes", "Scopes: regions, projects, models, sites.", PLACE)
        failed = gauge("scopes_failed", "Scopes whose last poll was not complete.", PLACE)
        never = gauge("scopes_never_complete", "Scopes that were never polled completely.", PLACE)
        oldest = gauge("scope_age_seconds_max", "Since the oldest scope's complete poll.", PLACE)
        mean = gauge("scope_age_seconds_mean", "Since complete polls, on average.", PLACE)
        for each in ages:
            place = (each.provider, each.family)
            scopes.add_metric(place, each.scopes)
            failed.add_metric(place, each.failed)
            never.add_metric(place, each.never)
            for metric, at in ((oldest, each.oldest), (mean, each.mean)):
                if at is not None:
                    metric.add_metric(place, max(0.0, self._now() - at.timestamp()))
        return [scopes, failed, never, oldest, mean]
