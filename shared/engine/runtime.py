"""The platform's context: all that the engine knows of the runtime that it runs in.

The context may be flexer's, AWS Lambda's or a laptop's; any of its attributes may be missing. Its calls go to the
platform's own API over a client without time-outs. So each call runs in a thread that the poll only waits for
briefly, and after a call that hung, no more calls of its kind are made: the platform must not delay a poll.
"""

import fnmatch
import functools
import queue
from collections.abc import Mapping, Sequence
from typing import Any, Callable, NoReturn, Optional, TypeVar

from nflex_connector_utils import set_task_percentage

from shared.engine.deadline import Deadline
from shared.engine.errors import InvalidEvent
from shared.engine.event import Request, seconds
from shared.engine.network import Policy, policy
from shared.engine.threads import thread
from shared.engine.traffic import Watch

DEADLINE_S = 600.0  # if neither the runtime nor the account sets a limit
CALL_S = 3.0  # longest wait for one call
SHARE = 4  # a call may also take no more than a quarter of the time left
LAST_CALL_S = 1.0  # for the log's last lines, even after the deadline: they say why the poll failed

T = TypeVar("T")


class NoAnswer(Exception):
    """The platform did not answer this call, or an earlier one of its kind, in time."""


class Runtime:
    """The configuration, state, tasks, response headers and logs of the runtime. Thread-safe.

    Calls raise ``NoAnswer`` and whatever the context raises.
    """

    def __init__(self, context: Any):
        self._context = context
        self._deadline: Optional[Deadline] = None
        self._hung: set[str] = set()
        config = getattr(context, "config", None)
        self._config: Mapping[str, Any] = config if isinstance(config, Mapping) else {}

    # --- configuration, set by the runtime's operator ---

    @property
    def ambient_credentials(self) -> bool:
        """Whether the host's own credentials may be used if an event has none."""
        return self._config.get("ambient_credentials") is True

    @property
    def network_policy(self) -> Policy:
        """Which addresses a poll may connect to. Raises InvalidEvent if it is malformed."""
        return policy(self._config)

    def scopes_at_once(self, most: int) -> int:
        """How many scopes are polled side by side; an operator lowers it for a recording or a small host.

        With 1, a poll makes one call after another, always in the same order.
        """
        configured = self._config.get("scopes_at_once")
        return min(most, configured) if isinstance(configured, int) and configured > 0 else most

    @property
    def watch(self) -> Optional[Watch]:
        """What wants to see the poll as it goes on, or None: only flexlocal, for a person at a terminal."""
        watch = getattr(self._context, "watch", None)
        return watch if callable(watch) else None

    def only_scopes(self, names: Sequence[str]) -> Optional[frozenset[str]]:
        """The scopes that the operator chose of these, by name or pattern; None: all.

        Raises InvalidEvent if a pattern names none.
        """
        patterns = self._config.get("only_scopes")
        if not isinstance(patterns, list):
            return None
        chosen: set[str] = set()
        for pattern in patterns:
            matching = fnmatch.filter(names, str(pattern))
            if not matching:
                import difflib  # only needed for an error

                close = difflib.get_close_matches(str(pattern), names, 1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise InvalidEvent(f"no scope {pattern!r}; there are {', '.join(names)}{hint}")
            chosen.update(matching)
        return frozenset(chosen)

    def start(self, request: Request) -> Deadline:
        """Start the poll's time: the shorter of the runtime's and the account's limits, or 600 s.

        From here on, the deadline bounds all calls.
        """
        limits = (
            seconds("context.config.deadline_s", self._config.get("deadline_s")),
            request.deadline_s,
        )
        limits_set = [limit for limit in limits if limit is not None]
        self._deadline = Deadline(min(limits_set, default=DEADLINE_S))
        return self._deadline

    # --- calls ---

    @property
    def has_state(self) -> bool:
        return getattr(self._context, "state", None) is not None

    def state(self, key: str) -> Any:
        """The value kept under this key, or None."""
        return self._call("state", lambda: self._context.state.get(key))

    def keep(self, key: str, value: Any) -> None:
        """Keep a value in the state for later polls."""
        self._call("state", lambda: self._context.state.set(key, value))

    def report(self, task_id: str, percentage: int) -> None:
        """Report how much of the task is done."""
        self._call("task", lambda: set_task_percentage(self._context, task_id, percentage))

    def set_header(self, name: str, value: str) -> None:
        """Set a header of the response."""
        self._call("header", lambda: self._context.set_response_header(name, value))

    @property
    def module_id(self) -> Any:
        """None outside production, where nflex's Logger prints its lines."""
        return getattr(self._context, "module_id", None)

    def send_log(self, entries: "list[dict[str, str]]") -> Optional[str]:
        """Send these entries to the CMP logs API in one call; returns None, or why it did not accept them.

        If the context has no API, they go to its own ``log`` in one call.
        """
        try:
            return self._call("logs", lambda: self._post(entries), at_least_s=LAST_CALL_S)
        except NoAnswer as error:
            return str(error)
        except BaseException as error:
            return type(error).__name__  # its text may contain the platform's own token

    def _post(self, entries: "list[dict[str, str]]") -> Optional[str]:
        api = getattr(self._context, "api", None)
        if api is None:  # not flexer's context
            worst = max(entries, key=lambda entry: _WORSE.index(entry["severity"]))["severity"]
            self._context.log("\n".join(entry["message"] for entry in entries), worst.lower())
            return None
        status = api.post("/logs", entries).status_code
        return None if 200 <= status < 300 else f"HTTP {status}"

    def _call(self, kind: str, action: Callable[[], T], at_least_s: float = 0.001) -> T:
        if kind in self._hung:
            raise NoAnswer("the platform did not answer an earlier call")
        done: queue.SimpleQueue[Callable[[], T]] = queue.SimpleQueue()

        def work() -> None:
            try:
                result = action()
                done.put(lambda: result)
            except BaseException as error:
                done.put(functools.partial(_raise, error))

        thread(work).start()
        left = self._deadline.remaining() / SHARE if self._deadline else CALL_S
        wait = max(at_least_s, min(CALL_S, left))
        try:
            outcome = done.get(timeout=wait)
        except queue.Empty:
            self._hung.add(kind)
            raise NoAnswer(f"no answer in {wait:.2g} s") from None
        return outcome()


def _raise(error: BaseException) -> NoReturn:
    raise error


_WORSE = ("INFO", "WARN", "ERROR")
