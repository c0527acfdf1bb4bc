"""The cases, made from what is there: each handler of each cell, each call that it makes with its cassette, at the first,
a middle and the last request, with each fault that fits.

A case ends well with the complete answer, which is that without a fault, or with a documented error; with the complete
answer only, where trying again helps. What it must not end with is counted by kind (``BAD``). The clock stands at the
moment of the recording; pauses pass at once.
"""

import contextlib
import copy
import dataclasses
import functools
import gc
import importlib
import io
import json
import os
import random
import socket
import tempfile
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import botocore.endpoint_provider
import botocore.hooks
import botocore.httpsession
import botocore.loaders
import botocore.regions
import botocore.session

from flexlocal import accounts, cassettes
from flexlocal.__main__ import families
from shared.engine import errors, network
from shared.providers.aws import session
from shared.providers.aws.models import Events
from shared.transport import http, websocket
from tests.fakes import canaries, certificates
from tests.fakes.context import Context
from tests.faults import faults
from tests.faults.paged import Paged
from tests.faults.proxy import Call, Exchange, Proxy
from tests.faults.remembered import Remembered
from tests.faults.upstream import Recorded

HANDLERS = ("get", "get_status", "get_metrics", "get_logs", "validate_credentials")
GOOD = ("complete", "failed", "as answered")
BAD = (
    *("silent loss", "undocumented", "hang", "runs on", "leak", "left open", "elsewhere"),
    *("memory", "not tried again", "not met"),
)
TRIES = 3
PAGE = 2  # records in a response, so that most listings have several
# Of AWS's three recorded ones: with two, all calls are made, in half the time.
REGIONS = ["ap-northeast-1", "us-east-1"]
LIMIT = 1024**2  # bytes of an answer; the largest in a cassette has some hundred thousand
# What a poll may add to the memory of this process. The proxy's bodies, of 3 MiB at most, count too; those that have no
# end, or are packed, have 64 MiB.
MEMORY = 24 * 1024**2
DEADLINE_S, SHORT_S = 20.0, 1.0
# Requests of a poll with a fault: so many times those without one, and some more, since 30 redirects are followed.
MOST_TIMES, MOST_MORE = 3, 40
PATIENCE_S = 10.0  # for what a poll leaves behind; what hangs would hang for ever
HANGS_S = 60.0


@dataclasses.dataclass(frozen=True)
class Polled:
    """A handler of a cell."""

    family: str
    provider: str
    handler: str

    def __str__(self) -> str:
        return f"{self.family}/{self.provider}/{self.handler}"

    @property
    def file(self) -> Path:
        """The cassette; of a login that calls nothing else, that of ``get``."""
        own = cassettes.path(self.family, self.provider, self.handler)
        of_all = cassettes.path(self.handler, self.provider)
        of_get = cassettes.path(self.family, self.provider)
        return next(each for each in (own, of_all, of_get) if each.exists())


@dataclasses.dataclass(frozen=True)
class Case:
    polled: Polled
    call: Call
    fault: faults.Fault

    def __str__(self) -> str:
        return f"{self.polled}: {self.call.name} ({self.call.number}): {self.fault}"


@dataclasses.dataclass(frozen=True)
class Outcome:
    kind: str
    detail: str = ""


def all_polled() -> list[Polled]:
    """Each handler that a family has, for each of its providers."""
    return [
        Polled(family, provider, handler)
        for family, cells in families().items()
        for provider in sorted(cells)
        for handler in HANDLERS
        if hasattr(importlib.import_module(f"modules.{family}.main"), handler)
    ]


def chosen(cases: Iterable[Case], share: float, seed: str) -> list[Case]:
    """About this share of the cases, by chance: each by its own name, so that others don't change the choice."""
    return [case for case in cases if random.Random(f"{seed} {case}").random() < share]


class Subject:
    """A handler with its honest upstream behind a proxy. ``close`` ends the proxy."""

    def __init__(self, polled: Polled, certificate: str):
        self.polled = polled
        self._credentials = canaries.secret_credentials(polled.provider)
        if polled.provider == "aws":
            self._credentials["regions"] = REGIONS
        if polled.provider == "juju":
            self._credentials = {**self._credentials, "verify": False}
            del self._credentials["ca_cert"]
        self._secrets = canaries.secrets_of(self._credentials)
        self._event = accounts.demo()[f"demo-{polled.provider}"].event()
        self._event["credentials"] = self._credentials
        self._upstream = Paged(Recorded(polled.file, self._credentials), polled.provider, PAGE)
        self._proxy = Proxy(self._upstream, certificate, tuple(self._secrets))
        self._remembered = Remembered(self._proxy)
        self._moment = cassettes.recorded_at(polled.file)
        module = importlib.import_module(f"modules.{polled.family}.main")
        self._function = getattr(module, polled.handler)
        self.exchanges: list[Exchange] = []
        self.answer, _ = self._call()  # without a fault
        self.exchanges = self._proxy.exchanges
        if self._upstream.missing:
            raise AssertionError(f"{polled}: not recorded: {self._upstream.missing}")
        if isinstance(self.answer, BaseException):
            raise self.answer
        if canaries.leaked(repr(self.answer), self._secrets):
            raise AssertionError(f"{polled}: the answer without a fault has a secret")
        gc.collect()
        gc.freeze()  # what is there by now; to look through it takes longer than a poll

    def close(self) -> None:
        self._proxy.stop()

    def cases(self) -> Iterator[Case]:
        by_name: dict[str, list[Exchange]] = {}
        for exchange in self.exchanges:
            by_name.setdefault(exchange.call.name, []).append(exchange)
        for found in by_name.values():
            for number in sorted({0, len(found) // 2, len(found) - 1}):
                for fault in faults.fitting(found[number]):
                    yield Case(self.polled, found[number].call, fault)

    def outcome(self, case: Case) -> Outcome:
        """How the case ends; its kind is one of GOOD or BAD."""
        before, sockets = set(threading.enumerate()), _sockets()
        memory = _peak(anew=True)
        self._upstream.rewind()
        self._proxy.begin(case.fault, case.call)
        self._remembered.begin(case.call)
        answer, shown = self._call(case.fault.slow)
        if not self._proxy.faulty:
            return Outcome("not met")
        if answer is _HANGS:
            return Outcome("hang")
        requests = self._proxy.requests + self._remembered.count
        usual = len(self.exchanges)
        if requests > MOST_TIMES * usual + MOST_MORE:
            return Outcome("runs on", f"{requests} requests, without a fault {usual}")
        if answer != self.answer:  # which was searched
            shown += f"\n{answer!r}"
        leaked = ", ".join(canaries.leaked(shown, self._secrets)[:3])
        if leaked:
            return Outcome("leak", leaked)
        more = _peak() - memory
        if more > MEMORY:
            return Outcome("memory", f"{more // 1024**2} MiB")
        left = self._left(before, sockets)
        if left:
            return Outcome("left open", left)
        if self._elsewhere:
            return Outcome("elsewhere", ", ".join(self._elsewhere))
        return self._judged(case, answer)

    def _judged(self, case: Case, answer: Any) -> Outcome:
        if isinstance(answer, BaseException):
            known = isinstance(answer, errors.ConnectorError) and type(answer) in DOCUMENTED
            if known:
                return self._failed(case, type(answer).__name__)
            trace = traceback.format_exception(type(answer), answer, answer.__traceback__)
            return Outcome("undocumented", "".join(trace))
        try:
            json.dumps(answer, allow_nan=False)
        except ValueError as error:
            return Outcome("undocumented", f"no JSON: {error}")
        if answer == self.answer:
            return Outcome("complete")
        if self.polled.handler == "validate_credentials" and answer["ok"] is False:
            name = answer["reason"].partition(":")[0]
            documented = name in {kind.__name__ for kind in DOCUMENTED}
            if not documented:
                return Outcome("undocumented", str(answer))
            return self._failed(case, name)
        return Outcome(
            "as answered" if case.fault.lies else "silent loss", _difference(self.answer, answer)
        )

    def _failed(self, case: Case, name: str) -> Outcome:
        return Outcome("not tried again" if case.fault.passes else "failed", name)

    def _left(self, before: "set[threading.Thread]", sockets: int) -> str:
        for thread in set(threading.enumerate()) - before:
            if thread.name != "proxy":
                _join(thread)
                if thread.is_alive():
                    return f"the thread {thread.name}"
        still = self._proxy.open_connections(PATIENCE_S)
        if still:
            return f"{still} connections"
        if _sockets() > sockets:
            gc.collect()
        more = _sockets() - sockets
        return f"{more} sockets" if more > 0 else ""

    def _call(self, slow: bool = False) -> "tuple[Any, str]":
        """The handler's answer or error, and all else that came out of it."""
        event = copy.deepcopy(self._event)
        deadline = SHORT_S if slow else DEADLINE_S
        context = Context(**cassettes.CONFIG, deadline_s=deadline)
        printed = io.StringIO()
        result: list[Any] = [_HANGS]

        def work() -> None:
            try:
                result[0] = self._function(event, context)
            except BaseException as error:
                result[0] = error

        thread = threading.Thread(target=work, daemon=True)
        with (
            self._led_here(slow),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
        ):
            thread.start()
            thread.join(HANGS_S)
        answer = _comparable(result[0])
        shown = [printed.getvalue(), *context.lines, repr(context.headers), repr(context.state)]
        shown += [repr(context.api.posts)]
        for error in _chain(answer):
            shown += [repr(error), repr(vars(error))]
            shown += traceback.format_exception_only(type(error), error)
            traceback.clear_frames(error.__traceback__)  # which keep connections from being closed
        return answer, "\n".join(shown)

    @contextlib.contextmanager
    def _led_here(self, slow: bool) -> Iterator[None]:
        """All connections lead to the proxy; waiting is quick, and time-outs are short where one is waited for."""
        own = {exchange.request.host.rpartition(":")[0] for exchange in self.exchanges}
        self._elsewhere: list[str] = []

        def look_up(host: str, port: int) -> list[Any]:
            if own and host not in own:
                self._elsewhere.append(host)
            address = ("127.0.0.1", self._proxy.port)
            return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]

        def delay(attempt: int, *_: Any) -> Any:
            return 0.0 if attempt < TRIES else None

        places = [
            (network, "_getaddrinfo", look_up),
            (network, "LARGEST_ANSWER", LIMIT),
            (websocket, "LARGEST_ANSWER", LIMIT),
            (http, "delay_before_retry", delay),
            (network.Network, "pause", _no_pause),
            (time, "sleep", lambda seconds: None),  # botocore's
            (os, "environ", dict(os.environ)),  # whose own type takes ten times as long to read
            (session.Session, "client", lambda *of: self._remembered.client(*of)),
            *_MADE_ONCE,
        ]
        if slow:
            places += [
                (http, "READ_TIMEOUT_S", 0.3),
                (websocket, "ANSWER_S", 0.3),
                (websocket, "CONNECT_S", 0.3),
            ]
        with _replaced(places), cassettes.stopped_clock(self._moment):
            yield


def run(polled: Polled, share: float, seed: str) -> "list[tuple[str, Outcome]]":
    """This share of the handler's cases, by name, with their outcomes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "both.pem"
        certificates.write(file)
        subject = Subject(polled, str(file))
        try:
            cases = chosen(subject.cases(), share, seed)
            return [(str(case), subject.outcome(case)) for case in cases]
        finally:
            subject.close()
            gc.unfreeze()  # so that the next one's first collection frees it


_HANGS = object()
DOCUMENTED = {
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, errors.ConnectorError)
    and kind is not errors.ConnectorError
}


def _comparable(answer: Any) -> Any:
    """Without the moment at which nflex made a resource: that is the host's clock."""
    if isinstance(answer, list):
        for each in answer:
            each["base"].pop("last_seen_at", None)
    return answer


def _join(thread: threading.Thread) -> None:
    """Wait until it ends, PATIENCE_S at most, also for one that another thread is just starting."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            return thread.join(PATIENCE_S)
        except RuntimeError:  # it can't be joined yet
            threading.Event().wait(0.01)


@contextlib.contextmanager
def _replaced(places: "list[tuple[Any, str, Any]]") -> Iterator[None]:
    """Other values in these places: (object, name, value). mock.patch takes 20 times as long."""
    before = [(place, name, getattr(place, name)) for place, name, _ in places]
    try:
        for place, name, value in places:
            setattr(place, name, value)
        yield
    finally:
        for place, name, value in before:
            setattr(place, name, value)


def _chain(answer: Any) -> Iterator[BaseException]:
    """An error, and all those that led to it; nothing of any other answer."""
    todo, known = [answer], set()
    while todo:
        error = todo.pop()
        if isinstance(error, BaseException) and id(error) not in known:
            known.add(id(error))
            yield error
            todo += [error.__cause__, error.__context__]


def _no_pause(self: Any, seconds: float) -> None:
    self.deadline.check("a pause")


_loader = functools.cache(botocore.loaders.Loader)
_endpoints: dict[int, Any] = {}


def _endpoint_provider(ruleset_data: Any, *args: Any, **kwargs: Any) -> Any:
    """botocore's for these rules, which it keeps: it has no state but a cache."""
    if id(ruleset_data) not in _endpoints:
        made = botocore.endpoint_provider.EndpointProvider(ruleset_data, *args, **kwargs)
        _endpoints[id(ruleset_data)] = made, ruleset_data  # so that no others get their id
    return _endpoints[id(ruleset_data)][0]


_function_accepts_kwargs = functools.lru_cache(256)(botocore.hooks.accepts_kwargs)


def _accepts_kwargs(function: Any) -> Any:
    """Of a method it remembers the function only: with its object, each client would stay in memory."""
    return _function_accepts_kwargs(getattr(function, "__func__", function))


# What each poll would make anew, always the same.
_MADE_ONCE = [
    (botocore.session, "create_loader", lambda *_, **__: _loader()),
    (botocore.session, "EventAliaser", Events),
    (botocore.regions, "EndpointProvider", _endpoint_provider),
    (botocore.hooks, "accepts_kwargs", _accepts_kwargs),
    (
        botocore.httpsession,
        "create_urllib3_context",
        functools.cache(botocore.httpsession.create_urllib3_context),
    ),
]


def _sockets() -> int:
    """How many this process has; 0 where there is no /proc."""
    found = 0
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
    return found


def _peak(anew: bool = False) -> int:
    """The most bytes that this process has held, since this was asked ``anew``; 0 where there is no /proc."""
    if anew:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets VmHWM
    with contextlib.suppress(OSError):
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    return 0


def _difference(whole: Any, answer: Any) -> str:
    if isinstance(whole, list) and isinstance(answer, list):
        ids = {each.get("id") for each in whole} - {each.get("id") for each in answer}
        return f"{len(answer)} of {len(whole)} resources; missing: {sorted(map(str, ids))[:5]}"
    return f"{answer!r:.300} in place of {whole!r:.300}"
