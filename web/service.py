"""What a server has: its inventory, its settings, and what it keeps in memory."""

import dataclasses
import datetime
import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional

from inventory import Inventory
from web.tokens import Tokens

if TYPE_CHECKING:
    from web.callers import Rates, Sessions
    from web.kept import KeptGraphs
    from web.views import Views

PAGE = Path(__file__).resolve().parent / "page"


class MayNotPoll(Exception):
    """The poll can't be started; the message says why."""


@dataclasses.dataclass(frozen=True)
class Account:
    """Of the accounts file: never its credentials."""

    name: str
    provider: str
    families: tuple[str, ...]


def utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


@dataclasses.dataclass
class Settings:
    """``hosts``: what the Host header may name, None: anything. ``token_needed``: also from this host, though there is
    no token yet. ``secure``: browsers reach it by TLS. ``accounts`` and ``start_poll`` (account, family or None; returns
    the families that are polled, raises MayNotPoll) are there if polls may be started."""

    inventory: Inventory
    tokens: Tokens
    views_file: Path
    version: str = "0"
    hosts: Optional[frozenset[str]] = frozenset({"127.0.0.1", "localhost", "::1"})
    token_needed: bool = False
    secure: bool = False
    writes: bool = False
    demo: bool = False
    accounts: Callable[[], list[Account]] = list
    start_poll: Optional[Callable[[str, Optional[str]], list[str]]] = None
    page: Path = PAGE
    now: Callable[[], datetime.datetime] = utc_now
    log: Callable[[str], None] = lambda line: None


class Service:
    """One server's state; ``stop`` ends what waits, such as streams of events."""

    def __init__(
        self,
        settings: Settings,
        sessions: "Sessions",
        rates: "Rates",
        graphs: "KeptGraphs",
        views: "Views",
    ):
        self.settings = settings
        self.inventory, self.tokens = settings.inventory, settings.tokens
        self.token_needed, self.writes = settings.token_needed, settings.writes
        self.now, self.log = settings.now, settings.log
        self.sessions, self.rates, self.graphs, self.views = sessions, rates, graphs, views
        self.csrf = secrets.token_urlsafe(32)  # of callers from this host
        self.stopping = threading.Event()

    def stop(self) -> None:
        self.stopping.set()
