"""``flexlocal worker``: polls what is due, beside as many others on as many machines as there are."""

import contextlib
import dataclasses
import functools
import os
import queue
import secrets
import socket
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable, Optional, TextIO

from flexlocal import inventories, options, poll, poll_workers, terminal, worker_celery, worker_http
from flexlocal.account import Account
from flexlocal.families import families
from flexlocal.options import BadUsage, unknown
from flexlocal.poll_credentials import Credentials
from flexlocal.poll_task import FAILED, LOST, Result, Store, Task
from flexlocal.poll_task import poll as poll_task
from flexlocal.worker_celery import LONGEST_POLL_S, LOOK_S, TROUBLE_S
from flexlocal.worker_events import Count, Events, Lines, about
from flexlocal.worker_metrics import Metrics
from flexlocal.worker_report import Report, id_of
from inventory.errors import InventoryError

if TYPE_CHECKING:
    from inventory import Inventory
    from inventory.due import Claim

SHORTEST_LEASE_S = 2
BEATS = 3  # in the time of a lease
AGAIN_S = 10.0  # until a poll is due again that could not be stored


class DatabaseTime:
    """The database's time as of the last claim, and what has passed since then: the host's clock may be wrong."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic):
        self._monotonic = monotonic
        self._claimed_at, self._then = datetime.now(timezone.utc), monotonic()

    def claimed(self, at: datetime) -> None:
        self._claimed_at, self._then = at, self._monotonic()

    def __call__(self) -> datetime:
        return self._claimed_at + timedelta(seconds=self._monotonic() - self._then)


class Claims:
    """The polls that this process has claimed: claims them, prolongs their leases, and lets them go. Thread-safe."""

    def __init__(
        self,
        inventory: "Inventory",
        accounts: Mapping[str, Account],
        families: Collection[str],
        lease_s: float,
        name: str,
        monotonic: Callable[[], float] = time.monotonic,
    ):
        self.now = DatabaseTime(monotonic)
        self._inventory, self._accounts = inventory, accounts
        self._families = sorted(families) or None
        self._lease_s, self._name, self._monotonic = lease_s, name, monotonic
        self._lock = threading.Lock()
        self._held: dict[Task, float] = {}  # since when
        self._number = 0
        self._stopped = threading.Event()
        self.loop = worker_http.Heartbeat("the worker's loop", monotonic)
        self.leases = worker_http.Heartbeat("prolonging leases", monotonic, lease_s)

    def next(self, late_s: float = 0) -> Optional[Task]:
        """Raises InventoryError."""
        with self._lock:
            self._number += 1
            worker = f"{self._name}/{self._number}"
        claim = self._inventory.claim(
            worker,
            self._lease_s,
            accounts=[*self._accounts],
            families=self._families,
            late_s=late_s,
        )
        if claim is None:
            return None
        self.now.claimed(claim.claimed_at)
        account = self._accounts[claim.account]
        task = Task(account, claim.family, claim.handler, every_s=claim.every_s, claim=claim)
        with self._lock:
            self._held[task] = self._monotonic()
        return task

    def claimable(self) -> int:
        """Raises InventoryError."""
        return self._inventory.claimable([*self._accounts], self._families)

    def ended(self, result: Result, stored: bool) -> None:
        """Of a poll that was not stored, the inventory learns here; if it can't be reached, the lease runs out."""
        claim = self._let_go(result.task)
        if stored or result.outcome == LOST:
            return
        with contextlib.suppress(InventoryError):
            if result.outcome == FAILED and not result.not_stored:
                self._inventory.end(claim, FAILED)
            else:
                self._inventory.release(claim, AGAIN_S if result.not_stored else 0)

    def give_up(self, task: Task) -> float:
        """Others may have it at once. Returns for how many seconds it was held."""
        with self._lock:
            since = self._held.get(task, self._monotonic())
        with contextlib.suppress(InventoryError):
            self._inventory.release(self._let_go(task))
        return self._monotonic() - since

    def _let_go(self, task: Task) -> "Claim":
        with self._lock:
            self._held.pop(task, None)
        assert task.claim is not None  # noqa: S101 - it was claimed here
        return task.claim

    @property
    def hanging(self) -> list[Task]:
        """What has not ended long after its deadline."""
        before = self._monotonic() - LONGEST_POLL_S
        with self._lock:
            return [task for task, since in self._held.items() if since < before]

    def prolong(self) -> None:
        """All leases but those of polls that hang."""
        hanging = self.hanging
        with self._lock:
            held = [task.claim for task in self._held if task.claim and task not in hanging]
        for claim in held:
            with contextlib.suppress(InventoryError):  # the next one may be in time
                self._inventory.prolong(claim)

    @contextlib.contextmanager
    def prolonged(self) -> Iterator[None]:
        """Within it, a thread prolongs all leases."""

        self.prolong_from_now_on()
        try:
            yield
        finally:
            self._stopped.set()

    def prolong_from_now_on(self) -> None:
        def beat() -> None:
            while not self._stopped.wait(self._lease_s / BEATS):
                self.prolong()
                self.leases.beat()

        threading.Thread(target=beat, daemon=True, name="leases").start()


@dataclasses.dataclass(frozen=True)
class Setup:
    """What the command line asks for. Each process of a worker makes its own objects of it."""

    inventory: Optional[str]
    accounts: Mapping[str, Account]
    families: Collection[str]
    lease_s: float
    grace_s: float
    threads: int
    listen: Optional[tuple[str, int]]
    out: TextIO
    as_events: bool

    @property
    def side_by_side(self) -> int:
        """Polls in one process. A replay takes the place of all its connections: nothing may run beside it."""
        return 1 if any(account.demo for account in self.accounts.values()) else self.threads

    def claims(self, inventory: "Inventory", name: str) -> Claims:
        return Claims(inventory, self.accounts, self.families, self.lease_s, name)

    def report(self, name: str, count: Count) -> tuple[Report, TextIO]:
        """And what takes the place of stdout: what handlers print is their log."""
        events = Events(name, self.out if self.as_events else None, count)
        log: Any = Lines(events) if self.as_events else terminal.Output()
        return Report(events, None if self.as_events else self.out), log


def run(args: SimpleNamespace) -> int:
    """Until SIGTERM or Ctrl-C. Exit status 1 if a poll was given up, or hangs."""
    if args.threads < 1:
        raise BadUsage(f"--threads {args.threads} should be 1 or more")
    lease_s = options.seconds(args.lease, "--lease", least=SHORTEST_LEASE_S)
    grace_s = options.seconds(args.grace, "--grace", least=0)
    for name in args.families:
        if name not in families():
            raise unknown("family", name, families())
    broker = args.broker or os.environ.get("FLEXLOCAL_BROKER")
    if broker:
        worker_celery.check(broker)
    accounts = {account.name: account for account in poll.chosen_accounts(args)}
    credentials = Credentials(accounts.values())
    credentials.ask()
    name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
    listen = None if args.listen is None else worker_http.address(args.listen)
    setup = Setup(
        *(args.inventory, accounts, args.families, lease_s, grace_s, args.threads, listen),
        *(sys.stdout, args.format == "ndjson"),
    )
    with inventories.opened(args.inventory, create=True) as inventory:
        claims = setup.claims(inventory, name)
        metrics = Metrics(inventory.due, inventory.ages) if listen else None
        with contextlib.ExitStack() as stack:
            if listen and metrics:
                checks: dict[str, worker_http.Check] = {
                    "inventory": functools.partial(_wrong_with, inventory),
                    "loop": claims.loop.check,
                    "leases": claims.leases.check,
                }
                stack.enter_context(worker_http.serving(listen, metrics, checks))
            store, count = Store(inventory, claims.now), metrics.count if metrics else _uncounted
            if broker:
                from flexlocal import worker_pool

                return worker_pool.run(broker, setup, name, claims, store, credentials, count)
            report, log = setup.report(name, count)
            stack.enter_context(contextlib.redirect_stdout(log))
            return serve(claims, store, credentials, report, setup.side_by_side, grace_s)


def _uncounted(_: Mapping[str, Any]) -> None:
    """Nobody asks."""


def _wrong_with(inventory: "Inventory") -> Optional[str]:
    """Whether it can be reached, and its schema is that of this release."""
    try:
        inventory.check_schema()
    except InventoryError as error:
        return str(error)
    return None


def serve(
    claims: Claims,
    store: Store,
    credentials: Callable[[Account], Account],
    report: Report,
    count: int,
    grace_s: float,
) -> int:
    """Claims polls and runs ``count`` of them side by side, until a signal; returns the exit status."""
    events: Any = queue.SimpleQueue()

    def polled(task: Task) -> Result:
        with about(id_of(task)):
            return poll_task(task, store, None, credentials)

    workers = poll_workers.Workers(polled, count, events)

    def ended(result: Result) -> None:
        claims.ended(result, result.task in store.stored)
        store.stored.discard(result.task)
        report.ended(result)

    with poll_workers.stopped_by_signals(events), claims.prolonged():
        report.note("started", "polls what is due, until it is stopped")
        hangs = _claim_until_stopped(claims, workers, events, ended, report, count)
        for task in workers.drop_waiting():
            claims.give_up(task)
        if hangs:
            text = f"{hangs[0].label}: hangs; this worker ends, and another one may poll it"
            report.note("hangs", text, "error")
        elif running := workers.running:
            names = ", ".join(task.label for task in running)
            text = f"stopping: {names} may end within {grace_s} s; a second signal stops at once"
            report.note("stopping", text)
        given_up = poll_workers.finish(workers, store, events, ended, grace_s, time.monotonic)
        for task in given_up:
            report.gave_up(task, claims.give_up(task))
    return poll.FAILED_STATUS if given_up or hangs else 0


def _claim_until_stopped(
    claims: Claims,
    workers: poll_workers.Workers,
    events: Any,
    ended: Callable[[Result], None],
    report: Report,
    count: int,
) -> list[Task]:
    """Returns the polls that hang, which end it too."""
    look_at, busy = 0.0, 0
    while not (hangs := claims.hanging):
        claims.loop.beat()
        while busy < count and time.monotonic() >= look_at:
            try:
                task = claims.next() if busy or claims.claimable() else None
            except InventoryError as error:
                report.trouble(error)
                look_at = time.monotonic() + TROUBLE_S
                break
            report.trouble(None)
            if task is None:
                look_at = time.monotonic() + LOOK_S
                break
            report.claimed(task)
            workers.add(task)
            busy += 1
        event = poll_workers.next_within(events, poll_workers.AWAKE_S)
        if isinstance(event, poll_workers.Stop):
            return []
        if event is not None:
            ended(event)
            busy -= 1
            look_at = 0.0  # what waited for a limit may be due
    return hangs
