"""The engine: scopes -> fetch, side by side and within the deadline -> convert -> complete or failed.

A cell (``modules/<family>/<provider>.py``, or a package of that name) has

- ``lookups(scope)`` (optional): what many records need, asked once a scope, in bulk;
- ``fetch(scope, lookups)``: a generator of pages, each a list of the provider's records;
- ``convert(record, scope, lookups)``: pure; an nflex resource, or ``Dropped`` with the reason;
- ``RECORD_IDS`` (where it is not ``("id",)``): the fields that a record's id is in, the first that a record
  has counts: an error names it. ``"ns._id"`` is the field ``_id`` of the object in the field ``ns``;
- ``status(record, scope, lookups)`` (where the family has ``get_status``): pure; points (shared/records/status.py)
  of what ``convert`` makes of the record, or of what ``fetch_status(scope, lookups, requested)`` gives, if it
  has one. ``requested`` holds the ids that the status is wanted of (None: of all): the records of others may
  be left out, and where the provider can filter by id they are. An id may be of another scope, family or
  account, or none at all: that is an empty answer, not an error;
- ``metrics(scope, lookups, asked)`` and ``logs(scope, lookups, asked)`` (where the family has ``get_metrics``,
  ``get_logs``): generators of pages, each a list of points (as shared/records/metrics.py makes them) or of log events
  (``{"id", "resource_id", "resource_type", "severity", "message", "time", ...}``), of the time span
  ``asked.interval``; ``METRICS_SPAN`` and ``LOGS_SPAN`` say how that is cut (see shared/engine/interval.py, ``due``).

A provider (``shared/providers/<provider>.py``) says what the scopes are and what its errors mean;
``shared/providers/__init__.py`` lists its functions. A scope is whatever the provider makes it, as
long as it has a ``name``.
"""

import collections
import dataclasses
import datetime
import importlib
import json
import os
import pkgutil
import queue
import threading
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Callable, Optional, TypeVar, Union

from nflex_connector_utils import convert_datetime

from shared.engine import clock
from shared.engine import event as events
from shared.engine.deadline import Deadline
from shared.engine.errors import (
    Absent,
    ConnectorError,
    IncompletePoll,
    OutOfTime,
    UnexpectedResponse,
)
from shared.engine.interval import Interval, due
from shared.engine.log import Log
from shared.engine.masking import Masker, secrets_in
from shared.engine.network import Network
from shared.engine.runtime import Runtime
from shared.engine.traffic import Traffic
from shared.engine.workers import Workers

SCOPES_AT_ONCE = 8  # parsing holds the interpreter's lock: more threads cost memory, not time
# What a poll holds at most, of all scopes together: a resource takes some 3 KB of memory, a point less than one.
MOST_RECORDS = 250_000
MOST_POINTS = 1_000_000  # of metrics or logs
NOTICED_AFTER = 500  # records, until a conversion sees that the poll has ended
SHRUNK = 0.5  # an inventory below this share of the last complete one is worth a warning

T = TypeVar("T")
Key = tuple[str, ...]
Requested = Optional[frozenset[str]]  # ids; None: all of the account


@dataclasses.dataclass(frozen=True)
class Dropped:
    """What ``convert`` answers for a record that is no resource, and why."""

    reason: str


@dataclasses.dataclass
class Poll:
    """One call of a handler: what its parts share. Providers get it at login."""

    family: str
    request: events.Request
    deadline: Deadline
    traffic: Traffic
    log: Log
    network: Network = None  # type: ignore[assignment]  # one of the deadline, where none is given
    workers: Workers = None  # type: ignore[assignment]  # no threads, where none are given

    def __post_init__(self) -> None:
        self.network = self.network or Network(self.deadline)
        self.workers = self.workers or Workers(self.network, 0)


class _Total:
    """How many records there are in all scopes together. Safe to share by threads."""

    def __init__(self, most: int):
        self._lock = threading.Lock()
        self._most = most
        self._count = 0

    def add(self, count: int) -> None:
        with self._lock:
            self._count += count
            if self._count > self._most:
                raise UnexpectedResponse(
                    f"there are more than the {self._most} records that a poll may hold; "
                    "poll fewer regions, projects or models with each account"
                )


@dataclasses.dataclass(frozen=True)
class _Task:
    """What a poll does in each scope: the pages to fetch, and what becomes of a record.

    ``convert`` gives what becomes of a record, with the key that is unique in the answer.
    """

    fetch: Callable[[Any, Any], Iterable[Sequence[Any]]]
    convert: Callable[[Any, Any, Any], Iterable[Union[Dropped, tuple[Key, dict[str, Any]]]]]
    total: _Total
    one_each: bool = False  # every record gives exactly one result
    all_scopes: bool = False  # whatever options.allow_partial says: see _spanned


@dataclasses.dataclass
class Asked:
    """What a poll of metrics or logs is about."""

    interval: Interval
    resources: Requested
    state: dict[str, Any] = dataclasses.field(
        default_factory=dict
    )  # of this scope, from poll to poll

    def wants(self, identifier: str) -> bool:
        return self.resources is None or identifier in self.resources


@dataclasses.dataclass
class Answer:
    """What one scope gave: ``converted == len(results) + dropped``, or an error."""

    scope: str
    pages: int = 0
    records: int = 0
    converted: int = 0
    results: dict[Key, dict[str, Any]] = dataclasses.field(default_factory=dict)
    dropped: Counter[str] = dataclasses.field(default_factory=collections.Counter)
    error: Optional[ConnectorError] = None


def poll(family: str, event: Any, context: Any) -> list[dict[str, Any]]:
    """All resources of one family in one account, as CMP dicts, sorted by type and id.

    Complete, or an exception: see shared/engine/errors.py. docs/reference/event.md describes ``event`` and
    ``context``. Only ``options.allow_partial`` lets the list be incomplete, and then the response header
    ``x-poll-incomplete`` and the log say what is missing.
    """
    return _guarded(event, context, lambda runtime, log: _poll(family, event, runtime, log))


def statuses(family: str, event: Any, context: Any) -> dict[str, Any]:
    """``{"status": [point, ...], "last_update"}`` (shared/records/status.py) of an account's resources.

    Of all of them, or of those that the event's ``resource`` or ``resources`` names. A provider that has no
    status for this family gives no points, and the log says so. Raises the same errors as ``poll``.
    """
    return _guarded(event, context, lambda runtime, log: _statuses(family, event, runtime, log))


def metrics(family: str, event: Any, context: Any) -> dict[str, Any]:
    """``{"metrics": [point, ...], "last_update"}`` of the time since the event's ``last_update``.

    A point is ``{"resource_id", "resource_type", "metric", "value", "unit", "time"}``, with a ``specialisation``
    where a resource has several of a kind. ``last_update`` is the end of what was fetched: handed on to the next
    poll, each point comes once. Resources and errors are those of ``statuses``.
    """
    return _guarded(
        event, context, lambda runtime, log: _spanned("metrics", family, event, runtime, log)
    )


def logs(family: str, event: Any, context: Any) -> dict[str, Any]:
    """``{"logs": [event, ...], "last_update"}``, as ``metrics``: each event comes once.

    An event is ``{"id", "resource_id", "resource_type", "severity", "message", "time", ...}``.
    """
    return _guarded(
        event, context, lambda runtime, log: _spanned("logs", family, event, runtime, log)
    )


def validate(family: str, event: Any, context: Any) -> dict[str, Any]:
    """``{"ok": True, "account": ...}`` or ``{"ok": False, "reason": ...}``: a login, no listing."""

    def check(runtime: Runtime, log: Log) -> dict[str, Any]:
        started = _start(family, event, runtime, log)
        try:
            account = _within(started.poll, started.provider, "login", started.account)
        finally:
            started.poll.network.end()
        return {"ok": True, "account": account}

    try:
        return _guarded(event, context, check)
    except ConnectorError as error:
        return {"ok": False, "reason": f"{type(error).__name__}: {error}"}


def cells(family: str) -> dict[str, str]:
    """The family's cells: provider -> module name. A cell exists because its file does."""
    package = importlib.import_module(f"modules.{family}")
    return {
        name: f"modules.{family}.{name}"
        for _, name, _ in pkgutil.iter_modules(package.__path__)
        if name != "main"
    }


# --- one poll ---------------------------------------------------------------------------------


@dataclasses.dataclass
class _Started:
    poll: Poll
    runtime: Runtime
    provider: Any
    cell: Any
    credentials: Any

    def login(self) -> Any:
        return self.provider.login(self.credentials, self.poll)

    def account(self) -> str:
        return self.provider.account(self.login())

    def scopes(self) -> Sequence[Any]:
        return self.provider.scopes(self.login())


def _start(family: str, event: Any, runtime: Runtime, log: Log, **uses: bool) -> _Started:
    """Everything that can be checked and imported without a network call. ``uses``: see ``events.parse``."""
    modules = cells(family)
    ambient = runtime.ambient_credentials
    request = events.parse(event, modules, ambient=ambient, **uses)
    deadline = runtime.start(request)
    network = Network(deadline, runtime.network_policy)
    provider: Any = importlib.import_module(f"shared.providers.{request.provider}")
    credentials = provider.credentials(request.credentials, ambient)
    cell = importlib.import_module(modules[request.provider])
    workers = Workers(network, runtime.scopes_at_once(SCOPES_AT_ONCE) - 1)
    poll = Poll(family, request, deadline, Traffic(), log, network, workers)
    return _Started(poll, runtime, provider, cell, credentials)


def _poll(family: str, event: Any, runtime: Runtime, log: Log) -> list[dict[str, Any]]:
    started = _start(family, event, runtime, log)
    cell = started.cell
    seen_at = convert_datetime(clock.now())

    def convert(record: Any, scope: Any, lookups: Any) -> Any:
        converted = cell.convert(record, scope, lookups)
        if isinstance(converted, Dropped):
            return [converted]
        resource = converted.serialize()
        resource["base"]["last_seen_at"] = seen_at  # serialize has put the moment of its own call
        return [((resource["type"], resource["id"]), resource)]

    resources, complete = _gathered(
        started, _Task(cell.fetch, convert, _Total(MOST_RECORDS), one_each=True)
    )
    unknown = _unknown_states(resources)
    if unknown:
        log.info("unknown states", of=", ".join(unknown))
    if complete:
        _compare_with_last(started, len(resources))
    return resources


def _statuses(family: str, event: Any, runtime: Runtime, log: Log) -> dict[str, Any]:
    started = _start(family, event, runtime, log, resources=True)
    requested = started.poll.request.resources
    cell, now = started.cell, clock.now()
    if not hasattr(cell, "status"):
        log.info("no status", family=family, provider=started.poll.request.provider)
        return {"status": [], "last_update": _rfc3339(now)}

    def convert(record: Any, scope: Any, lookups: Any) -> Any:
        for point in cell.status(record, scope, lookups):
            if requested is None or point.resource_id in requested:
                yield (point.resource_type, point.resource_id), point.serialize(now)

    def fetch(scope: Any, lookups: Any) -> Any:
        if hasattr(cell, "fetch_status"):
            return cell.fetch_status(scope, lookups, requested)
        return cell.fetch(scope, lookups)

    task = _Task(fetch, convert, _Total(MOST_RECORDS))
    points, _ = _gathered(started, task)
    return {"status": points, "last_update": _rfc3339(now)}


def _spanned(what: str, family: str, event: Any, runtime: Runtime, log: Log) -> dict[str, Any]:
    """A poll of what happened in a span of time: ``what`` is "metrics" or "logs", as in the cell.

    All scopes or none: there is one ``last_update``, so what a failed scope lacks would never be fetched.
    """
    started = _start(family, event, runtime, log, resources=True, span=True)
    poll, fetch_points = started.poll, getattr(started.cell, what, None)
    if fetch_points is None:
        log.info(f"no {what}", family=family, provider=poll.request.provider)
        now = clock.now()
        return {what: [], "last_update": _rfc3339(now)}
    span = getattr(started.cell, f"{what.upper()}_SPAN")
    asked = Asked(due(poll.request, log=log, **span), poll.request.resources)
    if asked.interval.empty:
        return {what: [], "last_update": asked.interval.last_update}
    states: dict[str, dict[str, Any]] = {}
    had = set()

    def fetch(scope: Any, lookups: Any) -> Any:
        key = f"{what}:{poll.request.account_id}:{poll.request.provider}:{family}:{scope.name}"
        states[key] = _remembered(started, key)
        if states[key]:
            had.add(key)
        return fetch_points(scope, lookups, dataclasses.replace(asked, state=states[key]))

    def keyed(point: dict[str, Any], scope: Any, lookups: Any) -> Any:
        names = ("resource_type", "resource_id", "time", "metric", "specialisation", "id")
        return [(tuple(str(point.get(name, "")) for name in names), point)]

    task = _Task(fetch, keyed, _Total(MOST_POINTS), one_each=True, all_scopes=True)
    points, _ = _gathered(started, task)
    for key, state in states.items():
        if state or key in had:  # what was forgotten must not come back
            _remember(started, key, state)
    return {what: points, "last_update": asked.interval.last_update}


def _gathered(started: _Started, task: _Task) -> tuple[list[dict[str, Any]], bool]:
    """What the task gives in all scopes, sorted by key, and whether that is complete."""
    poll, log = started.poll, started.poll.log
    try:
        scopes = _within(poll, started.provider, "login", started.scopes)
        answers = _side_by_side(started, task, scopes)
    finally:
        poll.network.end()  # and with it each thread that hangs in it
    failed, absent = [], []
    for answer in answers:
        if answer.error and answer.error.action == "skip":
            log.info("absent", scope=answer.scope, why=answer.error.message)
            absent.append(answer)
        elif answer.error:
            failed.append(answer)
    nothing = len(failed) + len(absent) == len(answers)
    if failed and (nothing or task.all_scopes or not poll.request.allow_partial):
        raise _failure(poll, failed, answers)
    if absent and nothing:  # an empty inventory would say that everything was deleted
        reasons = {answer.error.message for answer in absent if answer.error}
        names = ", ".join(answer.scope for answer in absent)
        raise Absent("; ".join(sorted(reasons)), scope=names)
    results, dropped = _merge(answers, task.one_each)
    if failed:
        missing = "; ".join(f"{type(answer.error).__name__}: {answer.error}" for answer in failed)
        log.warn("incomplete", missing=missing)
        _set_header(started, "x-poll-incomplete", log.mask(missing))
    log.info(
        "polled",
        family=poll.family,
        provider=poll.request.provider,
        scopes=len(scopes),
        pages=sum(answer.pages for answer in answers),
        calls=poll.traffic.calls,
        retries=poll.traffic.retries,
        records=sum(answer.records for answer in answers),
        resources=len(results),
        dropped=", ".join(f"{n} {reason}" for reason, n in sorted(dropped.items())) or 0,
        seconds=poll.deadline.elapsed(),
    )
    return results, not failed


def _side_by_side(started: _Started, task: _Task, scopes: Sequence[Any]) -> list[Answer]:
    """The answer of every scope, in the scopes' order.

    Daemon threads, not an executor's: a socket that hangs must neither keep the poll beyond its
    deadline nor keep the process from ending.
    """
    poll = started.poll
    todo: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
    for numbered in enumerate(scopes):
        todo.put(numbered)

    def work() -> None:
        while not poll.network.ended:
            try:
                number, scope = todo.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((number, _poll_scope(started, task, scope)))
            except BaseException as bug:
                done.put((number, bug))

    for _ in range(min(started.runtime.scopes_at_once(SCOPES_AT_ONCE), len(scopes))):
        threading.Thread(target=work, daemon=True).start()
    answers: dict[int, Answer] = {}
    reported = _report_progress(started, 0, len(scopes), True)
    while len(answers) < len(scopes):
        try:
            number, answer = done.get(timeout=poll.deadline.timeout(threading.TIMEOUT_MAX))
        except queue.Empty:
            break
        if isinstance(answer, BaseException):
            raise answer
        answers[number] = answer
        reported = _report_progress(started, len(answers), len(scopes), reported)
    for number, scope in enumerate(scopes):
        if number not in answers:
            answers[number] = Answer(scope.name, error=OutOfTime("not finished", scope=scope.name))
    return [answers[number] for number in sorted(answers)]


def _poll_scope(started: _Started, task: _Task, scope: Any) -> Answer:
    """Fetch and convert one scope, page by page, so that no more than a page of records is held."""
    cell, answer = started.cell, Answer(scope.name)
    names = getattr(cell, "RECORD_IDS", ("id",))
    try:
        lookups = cell.lookups(scope) if hasattr(cell, "lookups") else None
        for page in task.fetch(scope, lookups):
            answer.pages += 1
            answer.records += len(page)
            task.total.add(len(page))
            started.poll.deadline.check(f"page {answer.pages}")
            going_on = _until_the_end(started.poll.network, page)
            _convert_page(task, going_on, scope, lookups, answer, names)
    except Exception as error:
        answer.error = _classified(started.provider, error, started.poll.log.mask)
        if answer.error.scope is None:
            answer.error.scope = scope.name
    return answer


def _until_the_end(network: Network, page: Iterable[Any]) -> Iterator[Any]:
    for number, record in enumerate(page):
        if number % NOTICED_AFTER == 0 and network.ended:
            raise OutOfTime("the poll has ended")
        yield record


def _convert_page(
    task: _Task, page: Iterable[Any], scope: Any, lookups: Any, answer: Answer, names: Iterable[str]
) -> None:
    for record in page:
        try:
            for result in task.convert(record, scope, lookups):
                answer.converted += 1
                if isinstance(result, Dropped):
                    answer.dropped[result.reason] += 1
                    continue
                key, resource = result
                if key in answer.results:
                    # a listing that moved on between two pages shows the same record again
                    answer.dropped["listed twice"] += 1
                answer.results[key] = resource
        except ConnectorError as error:
            error.message = f"{_label(record, names)}: {error.message}"
            raise


def _label(record: Any, names: Iterable[str]) -> str:
    """How an error names the record that it is about: by the first id that it has."""
    for name in names:
        value = record
        for step in name.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, (str, int)) and value != "":
            return f"record {value}"
    return "a record"


def _merge(
    answers: Sequence[Answer], one_each: bool = False
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """The results of all scopes, without repetitions, and what was dropped; proves that nothing got lost."""
    merged: dict[Key, dict[str, Any]] = {}
    dropped: Counter[str] = collections.Counter()
    converted = 0
    for answer in answers:
        if answer.error:
            continue
        converted += answer.records if one_each else answer.converted
        dropped.update(answer.dropped)
        for key, resource in answer.results.items():
            if key in merged:
                dropped["seen in another scope"] += 1
            else:
                merged[key] = resource
    if converted != len(merged) + sum(dropped.values()):
        raise AssertionError(f"{converted} records gave {len(merged)} and {dict(dropped)} dropped")
    return [merged[key] for key in sorted(merged)], dropped


def _rfc3339(time: datetime.datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _unknown_states(resources: Iterable[dict[str, Any]]) -> list[str]:
    """The provider's words for states that CMP has no word for, each once."""
    return sorted(
        {
            str(details.get("provider_state"))
            for resource in resources
            for details in resource.get("details", {}).values()
            if details.get("state") == "unknown"
        }
    )


# --- errors -----------------------------------------------------------------------------------


def _guarded(event: Any, context: Any, action: Callable[[Runtime, Log], T]) -> T:
    """Run the action; whatever it raises leaves with its secrets masked and no chained cause."""
    runtime = Runtime(context)
    mask = Masker(secrets_in(events.credentials_of(event)))
    with Log(runtime, events.origin(event), mask) as log:
        return _masked(log, mask, lambda: action(runtime, log))


def _masked(log: Log, mask: Masker, action: Callable[[], T]) -> T:
    try:
        return action()
    except ConnectorError as error:
        _mask(error, mask)
        log.error("failed", error=type(error).__name__, message=str(error))
        raise error.with_traceback(error.__traceback__) from None
    except Exception as bug:
        # A traceback names files and lines; the texts of the exceptions in it are masked too.
        log.error("bug", trace=traceback.format_exc())
        masked, trace = mask(str(bug)), bug.__traceback__
        bug.args, bug.__context__ = (masked,), None
        if mask(str(bug)) != str(bug):  # an exception whose text is not that of its arguments
            bug = RuntimeError(f"{type(bug).__name__}: {masked}")
        raise bug.with_traceback(trace) from None


# Errors that only data can cause, in code that is right for all other data: too many levels, a number or a
# time too large, a text that can't be encoded. shared/transport/decode.py and shared/records/fields.py refuse such data by
# name; this is for what gets past them, as depth can. KeyError, TypeError and the like are our own bugs.
_OF_DATA = (RecursionError, OverflowError, UnicodeError)


def _failure(poll: Poll, failed: Sequence[Answer], answers: Sequence[Answer]) -> ConnectorError:
    """One error for all that failed."""
    errors = [answer.error for answer in failed if answer.error]
    names = ", ".join(answer.scope for answer in failed)
    if all(isinstance(error, OutOfTime) for error in errors):
        finished = ", ".join(answer.scope for answer in answers if not answer.error) or "none"
        return OutOfTime(
            f"the deadline of {poll.deadline.seconds:g} s passed; "
            f"unfinished: {names}; finished: {finished}"
        )
    first = errors[0]
    if len({(type(error), error.message) for error in errors}) == 1:
        return type(first)(first.message, scope=names)
    return IncompletePoll(errors)


def _mask(error: ConnectorError, mask: Masker) -> None:
    """Mask all that the error shows; scopes have the provider's names, so they are masked too."""
    error.message = mask(error.message)
    error.scope = error.scope and mask(error.scope)
    error.args, error.__context__ = (error.message,), None
    for inner in getattr(error, "errors", ()):
        _mask(inner, mask)


def _classified(provider: Any, error: Exception, mask: Masker) -> ConnectorError:
    """The error as a ConnectorError, masked and short; an unknown one is a bug, and is raised."""
    known = error if isinstance(error, ConnectorError) else provider.classify(error)
    if known is None and isinstance(error, _OF_DATA):
        at = traceback.extract_tb(error.__traceback__)[-1]
        return UnexpectedResponse(
            f"what the provider sent can't be used: {type(error).__name__} "
            f"({os.path.basename(at.filename)}:{at.lineno})"
        )
    if known is None:
        raise error
    known.message = mask.excerpt(known.message)
    return known


def _within(poll: Poll, provider: Any, doing: str, action: Callable[[], T]) -> T:
    """Run the action in a thread, and give up at the deadline whatever it hangs in."""
    done: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def work() -> None:
        try:
            done.put((True, action()))
        except BaseException as error:
            done.put((False, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        good, result = done.get(timeout=poll.deadline.timeout(threading.TIMEOUT_MAX))
    except queue.Empty:
        raise OutOfTime(
            f"the deadline of {poll.deadline.seconds:g} s passed during {doing}"
        ) from None
    if good:
        return result
    if not isinstance(result, Exception):
        raise result
    known = _classified(provider, result, poll.log.mask)
    if known.scope is None:
        known.scope = doing
    raise known


# --- the platform: no call of it that fails or hangs ever fails the poll ---------------------------


def _report_progress(started: _Started, done: int, of: int, go_on: bool) -> bool:
    """Report the percentage of scopes done, and whether to go on with that; a failure is logged once."""
    task_id = started.poll.request.task_id
    if not task_id or not go_on:
        return False
    try:
        started.runtime.report(task_id, 100 * done // of if of else 100)
    except Exception as error:
        _warn(started, "progress not reported", error)
        return False
    return True


def _remembered(started: _Started, key: str) -> dict[str, Any]:
    try:
        kept = started.runtime.state(key)
        return json.loads(kept) if kept else {}
    except Exception as error:
        _warn(started, "state not read", error)
        return {}


def _remember(started: _Started, key: str, state: dict[str, Any]) -> None:
    try:
        started.runtime.keep(key, json.dumps(state))
    except Exception as error:
        _warn(started, "state not kept", error)


def _compare_with_last(started: _Started, count: int) -> None:
    """Warn where the inventory shrank by more than half; remember this complete poll's size."""
    poll, runtime = started.poll, started.runtime
    if not runtime.has_state:
        return
    key = f"inventory:{poll.request.account_id}:{poll.request.provider}:{poll.family}:resources"
    try:
        last = runtime.state(key)
        if last is not None and count < SHRUNK * int(last):
            poll.log.warn("shrunk", family=poll.family, resources=count, last=int(last))
        runtime.keep(key, count)
    except Exception as error:
        _warn(started, "state not kept", error)


def _set_header(started: _Started, name: str, value: str) -> None:
    try:
        started.runtime.set_header(name, value)
    except Exception as error:
        started.poll.log.warn("header not set", header=name, error=type(error).__name__)


def _warn(started: _Started, what: str, error: Exception) -> None:
    started.poll.log.warn(what, error=type(error).__name__, message=str(error))
