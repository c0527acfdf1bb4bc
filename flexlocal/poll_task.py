"""One poll of one account and family, from the handler's call to what the inventory keeps of it."""

import contextlib
import dataclasses
import datetime
import importlib
import threading
import traceback
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional

from flexlocal import accounts, cassettes, poll_scopes
from flexlocal.context import Context
from inventory import errors
from shared.engine.errors import ConnectorError, Throttled
from shared.engine.gather import Answer
from shared.engine.masking import Masker, secrets_in

if TYPE_CHECKING:
    from inventory import Inventory
    from inventory.due import Claim
    from inventory.model import Stored

POINTS = {"get_status": "status", "get_metrics": "metrics", "get_logs": "logs"}
HANDLERS = ("get", *POINTS)
COMPLETE, PARTIAL, FAILED, GIVEN_UP = "complete", "partial", "failed", "given up"
LOST = "lost"  # another worker polls it meanwhile

THROTTLED_REST_S = 60.0
# what an inventory raises that is no fault of the poll
NOT_STORED = (errors.DiskFull, errors.Locked, errors.ReadOnly, errors.Unavailable)


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """A handler of a family that is polled for an account. ``every_s``: seconds from one poll to the next;
    ``window_s``: the same while a change window is open, if that is more often. ``claim``: a worker polls it."""

    account: accounts.Account
    family: str
    handler: str = "get"
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    only_scopes: tuple[str, ...] = ()
    every_s: Optional[int] = None
    later: bool = False  # of a demo account: replay its second recording, where there is one
    window_s: Optional[int] = None
    claim: Optional["Claim"] = None

    @property
    def source(self) -> tuple[str, str]:
        """Of what no two polls may run at once: they share the state of the account's family."""
        return self.account.name, self.family

    @property
    def label(self) -> str:
        handler = "" if self.handler == "get" else f" {POINTS[self.handler]}"
        return f"{self.account.name} {self.family}{handler}"


@dataclasses.dataclass(frozen=True)
class Result:
    """What a poll came to. ``count`` and ``added`` are of resources or points; neither text has secrets."""

    task: Task
    outcome: str
    ended_at: datetime.datetime
    seconds: float
    count: Optional[int] = None
    added: Optional[int] = None
    changed: Optional[int] = None
    gone: Optional[int] = None
    calls: int = 0  # requests that were sent, and how many of them were retries
    retries: int = 0
    run: Optional[int] = None  # its number in the inventory, if it is of resources and stored
    error: Optional[str] = None
    trace: Optional[str] = None  # of a bug
    not_stored: bool = (
        False  # the inventory could not be read or written: the same poll may do better
    )


class GivenUp(Exception):
    """The poll ended after flexlocal had given it up; nothing of it is stored."""


class Store:
    """The inventory, as long as this process may use it. One poll is stored after another."""

    def __init__(
        self,
        inventory: "Inventory",
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.timezone.utc),
    ):
        self.now = now
        self.stored: set[Task] = set()  # whose poll that runs now is stored
        self._inventory = inventory
        self._lock = threading.Lock()
        self._closed = False

    @contextlib.contextmanager
    def open(self) -> Iterator["Inventory"]:
        """Raises GivenUp once it is closed."""
        with self._lock:
            if self._closed:
                raise GivenUp
            yield self._inventory

    @contextlib.contextmanager
    def polling(self, task: Task) -> Iterator[None]:
        """Raises BeingPolled if another process polls the same source, and GivenUp. A claim sees to that itself."""
        if task.claim is not None:
            yield
            return
        with contextlib.ExitStack() as stack:
            with self.open() as inventory:
                stack.enter_context(inventory.polling(*task.source))
            yield

    def close(self) -> None:
        """Let nothing more be stored but what is being stored now."""
        self._closed = True

    @property
    def in_use(self) -> bool:
        return self._lock.locked()


def poll(
    task: Task,
    store: Store,
    watch: Optional[Callable[..., None]] = None,
    resolve: Callable[[accounts.Account], accounts.Account] = accounts.resolved,
) -> Result:
    """Call the handler and store what it returns, or that it failed. Raises nothing.

    ``watch``: see shared/engine/traffic.py. ``resolve`` gives the account its credentials.
    """
    return _Poll(task, store, watch, resolve).result()


class _Poll:
    def __init__(
        self,
        task: Task,
        store: Store,
        watch: Optional[Callable[..., None]],
        resolve: Callable[[accounts.Account], accounts.Account],
    ):
        self._task, self._store = task, store
        self._watch, self._resolve = watch, resolve
        self._account, self._family = task.account.name, task.family
        self._started = store.now()
        store.stored.discard(task)
        self._mask = Masker()
        self._credentials: Mapping[
            str, Any
        ] = {}  # what the account's stand for, once that is known
        self._answers: list[Answer] = []
        self._traffic = threading.Lock()
        self._calls = self._retries = 0
        # The clock of a replay stands at its recording. So each one starts anew: what an earlier one kept is no help.
        self._keeps_state = task.handler == "get" or not task.account.demo
        self._context = Context(
            config=dict(cassettes.CONFIG) if task.account.demo else {}, watch=self._see
        )
        self._kept: dict[str, Any] = {}  # the state before the poll

    def result(self) -> Result:
        try:
            with self._store.polling(self._task):
                return self._resources() if self._task.handler == "get" else self._points()
        except GivenUp:
            return self._result(GIVEN_UP)
        except errors.NotMine as error:
            return self._result(LOST, error=self._text(error))
        except BaseException as error:
            return self._failed(error)

    def _see(self, kind: str, scope: str, **facts: Any) -> None:
        if kind == "calls":
            with self._traffic:
                self._calls += 1
                self._retries += facts["retry"]
        if kind == "answers":
            self._answers = facts["answers"]
        elif self._watch:
            self._watch(kind, scope, **facts)

    def _result(self, outcome: str, **more: Any) -> Result:
        ended = self._store.now()
        return Result(
            self._task,
            outcome,
            ended,
            (ended - self._started).total_seconds(),
            calls=self._calls,
            retries=self._retries,
            **more,
        )

    def _failed(self, error: BaseException) -> Result:
        from inventory import InventoryError

        known = (ConnectorError, InventoryError, accounts.AccountsError, cassettes.NotRecorded)
        trace = None if isinstance(error, known) else self._mask(traceback.format_exc())
        not_stored = isinstance(error, NOT_STORED)
        return self._result(FAILED, error=self._text(error), trace=trace, not_stored=not_stored)

    def _text(self, error: BaseException) -> str:
        return self._mask(f"{type(error).__name__}: {error}")

    # --- the handler ---

    def _call(self, options: Mapping[str, Any], last_update: Optional[str] = None) -> Any:
        task = self._task
        account = self._resolve(task.account)
        self._credentials = account.credentials
        self._mask = Masker(secrets_in(account.credentials))
        event = {**account.event(), "options": {**options, **account.options, **task.options}}
        if last_update:
            event.update(last_update=last_update)
        if task.every_s:
            event.update(poll_interval=task.every_s)
        if task.only_scopes:
            self._context.config["only_scopes"] = list(task.only_scopes)
        handler = getattr(importlib.import_module(f"modules.{task.family}.main"), task.handler)
        if not account.demo:
            return handler(accounts.with_ca_text(event), self._context)
        # the status of many a cell needs nothing that get does not
        recorded = [
            cassettes.path(task.family, account.provider, task.handler),
            cassettes.path(task.family, account.provider),
        ]
        if task.later:
            later = cassettes.path(task.family, account.provider, task.handler, later=True)
            recorded.insert(0, later)
        file = next((each for each in recorded if each.exists()), recorded[-1])
        with cassettes.replay(file, account.credentials):
            return handler(event, self._context)

    def _read_state(self) -> None:
        if self._keeps_state:
            with self._store.open() as inventory:
                self._kept = inventory.state(self._account, self._family)
            self._context.state.set_multi(self._kept)

    def _state(self, inventory: "Inventory") -> Optional[dict[str, Any]]:
        """The state to keep; None if the poll changed nothing. What another process kept meanwhile stays."""
        after = self._context.state.get_all()
        if not self._keeps_state or after == self._kept:
            return None
        changed = {key: value for key, value in after.items() if self._kept.get(key) != value}
        deleted = self._kept.keys() - after.keys()
        now = inventory.state(self._account, self._family)
        return {key: value for key, value in now.items() if key not in deleted} | changed

    # --- resources ---

    def _resources(self) -> Result:
        from inventory.errors import InvalidResource

        self._read_state()
        try:
            resources = self._call({"allow_partial": True})
            scopes = poll_scopes.by_scope(self._answers, resources, self._mask)
        except BaseException as error:
            if isinstance(error, SystemExit) and self._task.claim is not None:
                raise GivenUp from None  # the process that polls is to end; another one may poll it
            return self._failed_and_stored(error)
        try:
            stored = self._stored(scopes)
        except InvalidResource as error:
            return self._failed_and_stored(error)
        self._renew_views()
        return self._result(
            stored.outcome,
            count=len(resources),
            added=stored.added,
            changed=stored.changed,
            gone=stored.gone,
            run=stored.run,
            error="; ".join(poll_scopes.failures(scopes).values()) or None,
        )

    def _stored(self, scopes: poll_scopes.Scopes) -> "Stored":
        """Raises InvalidResource and StalePoll."""
        every = not self._task.only_scopes and poll_scopes.lists_all_scopes(self._credentials)
        ended = self._store.now()
        with self._store.open() as inventory:
            poll_scopes.keep_held_elsewhere(
                inventory,
                self._account,
                self._family,
                self._answers,
                scopes,
                self._context.state,
                every,
            )
            stored = inventory.store(
                self._account,
                self._family,
                scopes,
                provider=self._task.account.provider,
                started_at=self._started,
                ended_at=ended,
                all_scopes=every,
                state=self._state(inventory),
                calls=self._calls,
                retries=self._retries,
                claim=self._claim(),
            )
            self._store.stored.add(self._task)
        return stored

    def _failed_and_stored(self, error: BaseException) -> Result:
        """Store that the poll failed, with the reason of each scope if all of them failed."""
        result = self._failed(error)
        source: dict[str, Any] = {
            "account": self._account,
            "family": self._family,
            "provider": self._task.account.provider,
            "started_at": self._started,
            "ended_at": self._store.now(),
            "calls": self._calls,
            "retries": self._retries,
            "claim": self._claim(error),
        }
        reasons = poll_scopes.all_failed(self._answers, self._mask)
        if self._task.only_scopes and not reasons:
            return result  # --scope, perhaps mistyped: nothing was learned of the scopes that there are
        with self._store.open() as inventory:
            if reasons:
                inventory.store(scopes=reasons, **source)
            else:
                inventory.store_failure(error=result.error or "", **source)
            self._store.stored.add(self._task)
        self._renew_views()
        return result

    def _claim(self, error: Optional[BaseException] = None) -> "Optional[Claim]":
        """Ended by what stores the poll. After a throttled one, the account rests."""
        claim = self._task.claim
        causes = [error, *(answer.error for answer in self._answers)]
        if claim is None or not any(isinstance(each, Throttled) for each in causes):
            return claim
        return dataclasses.replace(claim, rest_s=THROTTLED_REST_S)

    def _renew_views(self) -> None:
        """The SQL views, where there are any. If they can't be renewed now, the next poll or question does it."""
        from inventory.errors import InventoryError

        with contextlib.suppress(GivenUp, InventoryError), self._store.open() as inventory:
            if inventory.has_views():
                inventory.renew_views()

    # --- status, metrics, logs ---

    def _points(self) -> Result:
        task, last_update = self._task, None
        if self._keeps_state:
            with self._store.open() as inventory:
                last_update = inventory.last_update(self._account, self._family, task.handler)
        self._read_state()
        answer = self._call({}, last_update)
        points, until = (answer[key] for key in (POINTS[task.handler], "last_update"))
        with self._store.open() as inventory:
            new = inventory.store_points(
                self._account,
                self._family,
                task.handler,
                points,
                provider=task.account.provider,
                last_update=until if self._keeps_state else None,
                state=self._state(inventory),
                claim=self._claim(),
            )
            self._store.stored.add(task)
        return self._result(COMPLETE, count=len(points), added=new)
