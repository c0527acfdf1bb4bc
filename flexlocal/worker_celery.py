"""``flexlocal worker --broker``: Celery carries the polls. A message says no more than "look at what is due".

Nothing rests on a message: the table of what is due says who polls what (inventory/due.py). So it does no harm if one comes
twice, late or never. Each worker sends as many as there are polls to claim, less those that wait in the queue already. Where
none comes although something has been due for long (the broker is away, or Celery no longer hears it), the worker claims by
itself, as without a broker; and if messages wait which this worker does not get, it begins anew.
"""

import contextlib
import importlib.util
import os
import signal
import ssl
import sys
import threading
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any, Callable, Optional

from flexlocal.options import BadUsage
from inventory.errors import InventoryError
from shared.engine.runtime import DEADLINE_S

LOOK_S = 1.0  # from one look at what is due to the next
TROUBLE_S = 2.0  # the same where the inventory or the broker could not be reached
LONGEST_POLL_S = DEADLINE_S + 30
QUEUE = "flexlocal.due"
LOOK = "flexlocal.look"  # the only task
SCHEMES = ("amqp", "amqps", "redis", "rediss")
VARIABLE = "FLEXLOCAL_BROKER"
DEAF_S = 30.0  # for which something is due, and no message came, until the worker claims by itself
MOST = 1000  # messages in the queue
END_S = 20.0  # for Celery to stop, before a deaf worker begins anew all the same


def check(given: str) -> None:
    """Raises BadUsage if it is no broker's URL, or if Celery is missing."""
    if importlib.util.find_spec("celery") is None:
        raise BadUsage(
            "--broker needs Celery, and so Python 3.10 or newer: pip install 'cmp-connectors[cluster]'"
        )
    try:
        parts = urllib.parse.urlsplit(given)
        known = (
            parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
        )  # raises where it is no number
    except ValueError:
        known = False
    if not known:  # not the text itself, which may hold a password
        raise BadUsage(
            "--broker should be a URL such as amqp://user:password@host:5672/vhost or redis://host:6379/0; "
            f"its scheme one of {', '.join(SCHEMES)}"
        )


def masked(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user = f"{parts.username or ''}:***@" if parts.password else ""
    return f"{parts.scheme}://{user}{host}{parts.path}"


def settings(url: str) -> dict[str, Any]:
    """Of Celery; docs/develop/workers.md says why."""
    of_redis = url.startswith("redis")
    return {
        "broker_url": url,
        "broker_use_ssl": _tls(url),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {"visibility_timeout": int(DEADLINE_S) + 120}
        if of_redis
        else {"confirm_publish": True},
        "task_default_queue": QUEUE,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_time_limit": LONGEST_POLL_S,
        "task_publish_retry": False,  # the next look at what is due sends it
        "worker_prefetch_multiplier": 1,
        "worker_max_tasks_per_child": 200,
        # A poll goes on when the broker is gone: its claim is in the inventory, which stores it once at most. Celery would end its
        # process, and then wait for it for ever when it is told to stop.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
    }


def _tls(url: str) -> Optional[dict[str, Any]]:
    """Kombu by itself verifies no certificate of Redis, and no host name of RabbitMQ. The CAs are the host's, or those in
    $SSL_CERT_FILE."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "amqps":
        return {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": parts.hostname}
    if parts.scheme == "rediss":
        return {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
    return None


def make_app(url: str, look: Callable[[], object], more: Optional[Mapping[str, Any]] = None) -> Any:
    """A Celery application whose only task calls ``look``."""
    from celery import Celery

    app = Celery("flexlocal", set_as_current=False)
    app.conf.update({**settings(url), **(more or {})})

    def called() -> None:
        look()

    app.task(called, name=LOOK, shared=False)
    return app


class Sender:
    """Sends a message for each poll that could be claimed and has none yet."""

    def __init__(self, app: Any, claimable: Callable[[], int]):
        self._app, self._claimable = app, claimable
        self._connection: Any = None

    def look(self) -> int:
        """Returns how many messages wait. Raises InventoryError, and whatever the broker's client raises."""
        try:
            if self._connection is None:
                self._connection = self._app.connection_for_write()
            waiting = self.waiting()
            wanted = min(self._claimable(), MOST) - waiting
            if wanted > 0:
                with self._app.amqp.Producer(self._connection, auto_declare=True) as producer:
                    for _ in range(wanted):
                        self._app.send_task(LOOK, producer=producer, retry=False)
            return waiting
        except InventoryError:
            raise
        except BaseException:
            self.close()
            raise

    def waiting(self) -> int:
        from kombu.exceptions import OperationalError

        channel = self._connection.default_channel
        try:
            return int(channel.queue_declare(QUEUE, passive=True).message_count)
        except (*self._connection.channel_errors, OperationalError) as error:
            if getattr(error, "reply_code", getattr(error, "code", None)) in (404, "404"):
                self.close()  # the queue is not there before the first message
                self._connection = self._app.connection_for_write()
                return 0
            raise

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()


class Hearing:
    """Whether messages come: of the process that gets them from the broker."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, deaf_s: float = DEAF_S):
        self._clock, self._deaf_s = clock, deaf_s
        self._heard_at = clock()
        self._unheard_since: Optional[float] = None

    def heard(self) -> None:
        self._heard_at = self._clock()
        self._unheard_since = None

    @staticmethod
    def busy() -> bool:
        from celery.worker import state

        return bool(state.reserved_requests)

    def silent(self) -> bool:
        """No message for long, and this worker has nothing to do."""
        return not self.busy() and self._clock() - self._heard_at > self._deaf_s

    def deaf(self, waiting: int) -> bool:
        """Messages wait all the time that this worker hears none, though it has nothing to do."""
        if not waiting or not self.silent():
            self._unheard_since = None
            return False
        if self._unheard_since is None:
            self._unheard_since = self._clock()
        return self._clock() - self._unheard_since > self._deaf_s


class Worker:
    """The process that gets messages, with its pool of processes that poll."""

    def __init__(
        self,
        url: str,
        count: int,
        rescuers: int,
        grace_s: float,
        name: str,
        look: Callable[[], object],
        claimable: Callable[[], int],
        rescue: Callable[[float], bool],
        note: Callable[..., None],
        beat: Callable[[], None],
    ):
        """``look``: claims a poll and makes it, in a process of the pool; ``rescue``: the same here, of what has been
        due for so many seconds; False: there was none."""
        self._count, self._rescuers, self._grace_s, self._name = count, rescuers, grace_s, name
        self._url = url
        self._app = make_app(url, look)
        self._sender = Sender(self._app, claimable)
        self._rescue, self._note, self._beat = rescue, note, beat
        self._hearing = Hearing()
        self._stopping, self._anew = threading.Event(), threading.Event()
        self._rescuing = 0
        self._trouble = False

    def run(self) -> bool:
        """Until a signal; whether it was told to end by one. False: it has to begin anew."""
        from celery import signals

        def received(**_: Any) -> None:
            self._hearing.heard()

        signals.task_received.connect(received, weak=False)
        worker = self._app.Worker(
            hostname=f"flexlocal@{self._name}",
            concurrency=self._count,
            pool="prefork",
            loglevel="WARNING",
            quiet=True,
            without_gossip=True,
            without_mingle=True,
        )
        worker.install_platform_tweaks = self._handle_signals
        threads = [threading.Thread(target=self._send, daemon=True, name="sender")]
        for _ in range(self._rescuers):
            threads.append(threading.Thread(target=self._rescue_all, daemon=True, name="rescue"))
        for thread in threads:
            thread.start()
        self._note("waiting", f"waits for messages of {masked(self._url)}")
        with contextlib.suppress(SystemExit):
            worker.start()
        self._stopping.set()
        end = time.monotonic() + self._grace_s
        while self._rescuing and time.monotonic() < end:
            time.sleep(0.05)
        return not self._anew.is_set()

    def _handle_signals(self, _: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, *_: Any) -> None:
        from celery.worker import state

        if state.should_stop is not None:  # the second signal
            state.should_terminate = 1
            return
        self._stopping.set()
        state.should_stop = 0
        threading.Thread(target=self._give_up, daemon=True).start()

    def _give_up(self) -> None:
        """What has not ended within the grace is killed with its process; its lease runs out.

        Celery may wait for ever for a process of its pool that is no more: it gets some seconds, and if no poll ran,
        the worker has ended well all the same.
        """
        from celery.worker import state

        end = time.monotonic() + self._grace_s
        while (busy := self._hearing.busy()) and time.monotonic() < end:
            time.sleep(LOOK_S)
        if busy:
            state.should_terminate = 1
        time.sleep(END_S)
        os._exit(int(busy))

    def _send(self) -> None:
        pause = LOOK_S
        while not self._stopping.wait(pause):
            pause = LOOK_S
            self._beat()
            try:
                waiting = self._sender.look()
            except InventoryError:
                pause = TROUBLE_S  # the pool's processes say so
                continue
            except Exception as error:
                pause = TROUBLE_S
                self._say(error)
                continue
            self._say(None)
            if self._hearing.deaf(waiting):
                text = "messages wait that do not come here: this worker begins anew"
                self._note("deaf", text, "warning")
                self._anew.set()
                self._stopping.set()
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(END_S)
                begin_anew()

    def _say(self, error: Optional[Exception]) -> None:
        """Without what the broker's client says: it may hold the URL, and so the password."""
        if error is not None and not self._trouble:
            kind = type(error).__name__
            text = f"the broker {masked(self._url)} can't be reached ({kind}); trying again"
            self._note("broker", text, "error")
        if error is None and self._trouble:
            self._note("broker", "the broker can be reached again")
        self._trouble = error is not None

    def _rescue_all(self) -> None:
        while not self._stopping.wait(LOOK_S):
            if self._hearing.silent():
                self._rescuing += 1
                try:
                    while self._hearing.silent() and self._rescue(DEAF_S):
                        pass
                finally:
                    self._rescuing -= 1


def begin_anew() -> None:
    """The same process, from its beginning."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "flexlocal", *sys.argv[1:]])  # noqa: S606 - its own command line
