"""A worker with a broker: processes that poll, one poll after another each, and the one that gets messages for them."""

import contextlib
import json
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any

from flexlocal import inventories, worker_celery
from flexlocal.poll_credentials import Credentials
from flexlocal.poll_task import GIVEN_UP, Store
from flexlocal.poll_task import poll as poll_task
from flexlocal.worker import Claims, Setup
from flexlocal.worker_events import Count, about
from flexlocal.worker_report import Report, id_of
from inventory.errors import InventoryError

# of an event, what is counted: short enough to get through a pipe as a whole
COUNTED = (
    *("event", "poll", "provider", "family", "handler", "outcome", "seconds"),
    *("calls", "retries", "count", "added", "changed", "gone"),
)


def run(
    broker: str,
    setup: Setup,
    name: str,
    claims: Claims,
    store: Store,
    credentials: Credentials,
    count: Count,
) -> int:
    """Until a signal. ``claims`` and the rest are those of this process."""
    counts = Counts(count)
    report, sys.stdout = setup.report(name, count)  # type: ignore[assignment]
    polling = Polling(setup, name, counts, claims, store, credentials, report)
    with claims.prolonged():
        worker = worker_celery.Worker(
            *(broker, setup.threads, setup.side_by_side, setup.grace_s, name),
            look=polling.next,
            claimable=claims.claimable,
            rescue=polling.next,
            note=report.note,
            beat=claims.loop.beat,
        )
        if not worker.run():
            worker_celery.begin_anew()
    return 0


class Counts:
    """Events of the pool's processes, for the metrics of the one that they were forked from."""

    def __init__(self, count: Count):
        self._count = count
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        threading.Thread(target=self._read, daemon=True, name="counts").start()

    def send(self, happened: Mapping[str, Any]) -> None:
        """One write of less than 4 kB can't be cut by others; a full pipe loses it rather than hold up a poll."""
        if happened["event"] in ("claimed", "ended"):
            line = json.dumps({key: happened[key] for key in COUNTED if key in happened})
            with contextlib.suppress(OSError):
                os.write(self._writing, line.encode() + b"\n")

    def _read(self) -> None:
        with open(self._reading, encoding="utf-8") as lines:
            for line in lines:
                with contextlib.suppress(KeyError, ValueError):
                    self._count(json.loads(line))


class Polling:
    """Claims one poll and makes it, in whichever process it is called."""

    def __init__(
        self,
        setup: Setup,
        name: str,
        counts: Counts,
        claims: Claims,
        store: Store,
        credentials: Credentials,
        report: Report,
    ):
        self._setup, self._name, self._counts = setup, name, counts
        self._of = os.getpid()
        self._claims, self._store = claims, store
        self._credentials, self._report = credentials, report

    def next(self, late_s: float = 0) -> bool:
        """What has been due for so long. False: there was nothing, or it can't be known."""
        if self._of != os.getpid():
            self._forked()
        claims, store = self._claims, self._store
        try:
            task = claims.next(late_s) if claims.claimable() else None
        except InventoryError as error:
            self._report.trouble(error)
            return False
        self._report.trouble(None)
        if task is None:
            return False
        self._report.claimed(task)
        with about(id_of(task)):
            result = poll_task(task, store, None, self._credentials)
        claims.ended(result, task in store.stored)
        store.stored.discard(task)
        self._report.ended(result)
        if result.outcome == GIVEN_UP:
            sys.exit()  # as it was told to
        return True

    def _forked(self) -> None:
        """Connections and locks of the process that this one was forked from are of no use."""
        inventory = inventories.opened(self._setup.inventory)
        name = f"{self._name}:{os.getpid()}"
        self._claims = self._setup.claims(inventory, name)
        self._store = Store(inventory, self._claims.now)
        self._credentials = self._credentials.anew()
        self._report, sys.stdout = self._setup.report(name, self._counts.send)  # type: ignore[assignment]
        self._claims.prolong_from_now_on()
        self._of = os.getpid()
