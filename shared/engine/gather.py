"""All scopes of a poll, fetched and converted side by side, within the deadline: complete, or failed."""

import collections
import dataclasses
import queue
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Callable, Optional, TypeVar, Union

from shared.engine import platform
from shared.engine.contracts import Cell, Dropped, Page, Poll, Provider, Scope
from shared.engine.errors import (
    Absent,
    ConnectorError,
    IncompletePoll,
    OutOfTime,
    UnexpectedResponse,
)
from shared.engine.failures import classified
from shared.engine.runtime import Runtime
from shared.engine.threads import thread
from shared.engine.traffic import scope_name

NOTICED_AFTER = 500  # records, until a conversion sees that the poll has ended

T = TypeVar("T")
Key = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Started:
    """A poll whose event is parsed and whose credentials are checked, before its first network call."""

    poll: Poll
    runtime: Runtime
    provider: Provider[Any, Any, Any]
    cell: Cell[Any, Any, Any]
    credentials: Any

    def login(self) -> Any:
        return self.provider.login(self.credentials, self.poll)

    def account(self) -> str:
        return self.provider.account(self.login())

    def scopes(self) -> Sequence[Scope]:
        scopes = self.provider.scopes(self.login())
        chosen = self.runtime.only_scopes([scope.name for scope in scopes])
        return scopes if chosen is None else [each for each in scopes if each.name in chosen]


class Total:
    """The number of records in all scopes together. Thread-safe."""

    def __init__(self, most: int):
        self._lock = threading.Lock()
        self._most = most
        self._count = 0

    def add(self, count: int) -> None:
        """Raises UnexpectedResponse if there are more than a poll may hold."""
        with self._lock:
            self._count += count
            if self._count > self._most:
                raise UnexpectedResponse(
                    f"there are more than the {self._most} records that a poll may hold; "
                    "poll fewer regions, projects or models with each account"
                )


@dataclasses.dataclass(frozen=True)
class Task:
    """What a poll does in each scope: which pages it fetches, and how it converts a record.

    ``convert(record, scope, lookups)`` gives the results of a record, each with a key that is unique in the answer.
    """

    fetch: Callable[[Any], Iterable[Page[Any, Any]]]
    convert: Callable[[Any, Any, Any], Iterable[Union[Dropped, tuple[Key, dict[str, Any]]]]]
    total: Total
    one_each: bool = False  # every record gives exactly one result
    all_scopes: bool = False  # whatever options.allow_partial says


@dataclasses.dataclass
class Answer:
    """The outcome of one scope: ``converted == len(results) + dropped``, or an error."""

    scope: str
    pages: int = 0
    records: int = 0
    converted: int = 0
    results: dict[Key, dict[str, Any]] = dataclasses.field(default_factory=dict)
    dropped: Counter[str] = dataclasses.field(default_factory=collections.Counter)
    error: Optional[ConnectorError] = None


def gather(started: Started, task: Task) -> tuple[list[dict[str, Any]], bool]:
    """The task's results of all scopes, sorted by key, and whether they are complete."""
    poll = started.poll
    try:
        scopes = within_deadline(started, "login", started.scopes)
        poll.traffic.news("scopes", count=len(scopes))
        answers = _side_by_side(started, task, scopes)
    finally:
        poll.network.end()  # which also ends every thread that hangs in it
    poll.traffic.news("answers", answers=answers)
    failed = _failed(poll, answers, task.all_scopes)
    results, dropped = _merge(answers, task.one_each)
    if failed:
        missing = "; ".join(f"{type(answer.error).__name__}: {answer.error}" for answer in failed)
        poll.log.warn("incomplete", missing=missing)
        platform.set_header(started.runtime, poll.log, "x-poll-incomplete", poll.log.mask(missing))
    poll.log.info(
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


def within_deadline(started: Started, doing: str, action: Callable[[], T]) -> T:
    """Run the action in a thread, and give up at the deadline even if it hangs."""
    poll = started.poll
    done: queue.SimpleQueue[Union[T, _Raised]] = queue.SimpleQueue()

    def work() -> None:
        try:
            done.put(action())
        except BaseException as error:
            done.put(_Raised(error))

    thread(work).start()
    try:
        result = done.get(timeout=poll.deadline.timeout(threading.TIMEOUT_MAX))
    except queue.Empty:
        raise OutOfTime(
            f"the deadline of {poll.deadline.seconds:g} s passed during {doing}"
        ) from None
    if not isinstance(result, _Raised):
        return result
    if not isinstance(result.error, Exception):
        raise result.error
    known = classified(started.provider, result.error, poll.log.mask)
    if known.scope is None:
        known.scope = doing
    raise known


@dataclasses.dataclass(frozen=True)
class _Raised:
    error: BaseException


def _side_by_side(started: Started, task: Task, scopes: Sequence[Scope]) -> list[Answer]:
    """The answer of every scope, in the scopes' order.

    Daemon threads, not an executor's: a socket that hangs must neither keep the poll beyond its
    deadline nor keep the process from ending.
    """
    poll, runtime = started.poll, started.runtime
    todo: queue.SimpleQueue[tuple[int, Scope]] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, Union[Answer, _Raised]]] = queue.SimpleQueue()
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
                done.put((number, _Raised(bug)))

    for _ in range(min(runtime.scopes_at_once(started.provider.at_once), len(scopes))):
        thread(work).start()
    answers: dict[int, Answer] = {}
    reporting = platform.report_progress(runtime, poll, 0, len(scopes))
    while len(answers) < len(scopes):
        try:
            number, answer = done.get(timeout=poll.deadline.timeout(threading.TIMEOUT_MAX))
        except queue.Empty:
            break
        if isinstance(answer, _Raised):
            raise answer.error
        answers[number] = answer
        if reporting:
            reporting = platform.report_progress(runtime, poll, len(answers), len(scopes))
    for number, scope in enumerate(scopes):
        if number not in answers:
            answers[number] = Answer(scope.name, error=OutOfTime("not finished", scope=scope.name))
    return [answers[number] for number in sorted(answers)]


def _poll_scope(started: Started, task: Task, scope: Scope) -> Answer:
    """Fetch and convert one scope, page by page, so that no more than a page of records is held."""
    poll, answer = started.poll, Answer(scope.name)
    scope_name.set(scope.name)
    try:
        for page in task.fetch(scope):
            answer.pages += 1
            answer.records += len(page.records)
            poll.traffic.news("page", pages=answer.pages, records=answer.records)
            task.total.add(len(page.records))
            poll.deadline.check(f"page {answer.pages}")
            _convert_page(started, task, page, scope, answer)
            del page  # before the next one is fetched
    except Exception as error:
        answer.error = classified(started.provider, error, poll.log.mask)
        if answer.error.scope is None:
            answer.error.scope = scope.name
    poll.traffic.news("done", records=answer.records, failed=answer.error is not None)
    return answer


def _convert_page(
    started: Started, task: Task, page: Page[Any, Any], scope: Scope, answer: Answer
) -> None:
    for start in range(0, len(page.records), NOTICED_AFTER):
        if started.poll.network.ended:
            raise OutOfTime("the poll has ended")
        for record in page.records[start : start + NOTICED_AFTER]:
            try:
                for result in task.convert(record, scope, page.lookups):
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
                error.message = f"{_label(record, started.cell.record_ids)}: {error.message}"
                raise


def _label(record: Any, names: Iterable[str]) -> str:
    """How an error names a record: by the first of these fields that it has."""
    for name in names:
        value = record
        for step in name.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, (str, int)) and value != "":
            return f"record {value}"
    return "a record"


def _failed(poll: Poll, answers: Sequence[Answer], all_scopes: bool) -> list[Answer]:
    """The failed scopes, if the poll may continue without them; otherwise raises one error for all of them."""
    failed, absent = [], []
    for answer in answers:
        if answer.error and answer.error.action == "skip":
            poll.log.info("absent", scope=answer.scope, why=answer.error.message)
            absent.append(answer)
        elif answer.error:
            failed.append(answer)
    nothing = len(failed) + len(absent) == len(answers)
    if failed and (nothing or all_scopes or not poll.request.allow_partial):
        raise _failure(poll, failed, answers)
    if absent and nothing:  # an empty inventory would say that everything was deleted
        reasons = {answer.error.message for answer in absent if answer.error}
        names = ", ".join(answer.scope for answer in absent)
        raise Absent("; ".join(sorted(reasons)), scope=names)
    return failed


def _failure(poll: Poll, failed: Sequence[Answer], answers: Sequence[Answer]) -> ConnectorError:
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


def _merge(answers: Sequence[Answer], one_each: bool) -> tuple[list[dict[str, Any]], Counter[str]]:
    """The results of all scopes without duplicates, and what was dropped; checks that no record got lost."""
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
