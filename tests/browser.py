"""A real Chromium in front of the real service: what the tests of the page, its pictures and its benchmark share.

Chromium is Debian's package, or what CHROMIUM names; Playwright drives it. It looks up no name and calls nothing but
loopback. Whatever the page reports as an error fails the test, unless the test expects it.
"""

import asyncio
import contextlib
import dataclasses
import datetime
import fcntl
import os
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional
from urllib.parse import urlencode

import pytest

VARIABLE = "CHROMIUM"
MISSING = (
    "no Chromium: install Debian's package (apt-get install chromium), or name one in CHROMIUM"
)
LIMIT_S = 30  # after which a wait fails; none takes a second
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
ARGUMENTS = [
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    # one process draws all pages: the tests' only site is our own
    "--disable-site-isolation-trials",
    "--disable-features=IsolateOrigins,site-per-process",
    "--disable-gpu",
]


def chromium() -> Optional[str]:
    """The program's path; None: there is none."""
    return shutil.which(os.environ.get(VARIABLE) or "chromium")


def why_not() -> Optional[str]:
    """Why no page can be opened here; None: it can."""
    if sys.version_info < (3, 10):
        return "Playwright and FastAPI need Python 3.10 or newer"
    return None if chromium() else MISSING


@contextlib.contextmanager
def launched() -> Iterator[Any]:
    """The browser, as Playwright's. While it runs, this thread can't run an event loop of asyncio's."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=ARGUMENTS, chromium_sandbox=os.getuid() != 0
        )
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def serving(application: Any) -> Iterator[str]:
    """Its address, while a thread serves it on a free port of loopback."""
    import uvicorn

    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            application, log_config=None, timeout_graceful_shutdown=1, ws="none"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), name="page", daemon=True)
        thread.start()
        try:
            yield "http://127.0.0.1:%d" % listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(LIMIT_S)
            assert not thread.is_alive(), "the server did not stop"


class Streams:
    """An application whose streams of events can be cut, as a proxy or a sleeping laptop does it.

    ``resumed``: the Last-Event-ID of each request for events; None: it had none.
    """

    def __init__(self, application: Any):
        self.application = application
        self.resumed: list[Optional[str]] = []
        self._cuts: set[asyncio.Event] = set()
        self._loop: Optional[asyncio.AbstractEventLoop] = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].endswith("/events"):
            await self.application(scope, receive, send)
            return
        last = dict(scope["headers"]).get(b"last-event-id")
        self.resumed.append(None if last is None else last.decode())
        self._loop, cut = asyncio.get_running_loop(), asyncio.Event()
        self._cuts.add(cut)
        stream = asyncio.ensure_future(self.application(scope, receive, send))
        waiting = asyncio.ensure_future(cut.wait())
        await asyncio.wait({stream, waiting}, return_when=asyncio.FIRST_COMPLETED)
        self._cuts.discard(cut)
        waiting.cancel()
        if not stream.done():
            stream.cancel()
            await asyncio.wait({stream})
            await send({"type": "http.response.body", "body": b""})

    def cut(self) -> None:
        """Ends all streams, also of another thread."""
        for each in [*self._cuts]:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(each.set)


@dataclasses.dataclass(frozen=True)
class Site:
    address: str
    file: Path  # its inventory
    streams: Streams

    def url(self, view: Optional[str] = None, **parameters: Any) -> str:
        named = {"view": view, **parameters} if view else parameters
        return f"{self.address}/?{urlencode(named, doseq=True)}"


@contextlib.contextmanager
def site_of(file: Path, **settings: Any) -> Iterator[Site]:
    """The service and its page over an inventory; ``settings`` as ``web.service.Settings`` has them."""
    if reason := why_not():
        pytest.skip(reason)
    from inventory import Inventory
    from web.app import create
    from web.service import Settings
    from web.tokens import Tokens

    beside = file.parent
    with Inventory(file) as inventory:
        given = {"tokens": Tokens(beside / "tokens.json"), "views_file": beside / "views.json"}
        streams = Streams(create(Settings(inventory, **{**given, **settings})))
        with serving(streams) as address:
            try:
                yield Site(address, file, streams)
            finally:
                streams.application.service.stop()
                streams.cut()


class Problems(list[str]):
    """What went wrong in a page's window: errors and warnings on its console, to which the browser adds violations of
    the content security policy, and calls that left loopback."""

    def console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            where = f"{message.location.get('url')}:{message.location.get('lineNumber')}"
            self.append(f"{message.type}: {message.text} ({where})")

    def error(self, error: Any) -> None:
        self.append(f"error: {error}")

    def request(self, request: Any) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:", "about:")):
            self.append(f"a call that left loopback: {request.url}")

    def expect(self, *parts: str) -> None:
        """Takes out the problems with one of these parts: each must be there."""
        for part in parts:
            left = [each for each in self if part not in each]
            assert len(left) < len(self), (part, self)
            self[:] = left


@contextlib.contextmanager
def watched(page: Any) -> Iterator[Problems]:
    """Fails at the end if there were problems."""
    problems = Problems()
    listeners = {
        "console": problems.console,
        "pageerror": problems.error,
        "request": problems.request,
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    try:
        yield problems
        assert not problems, "\n".join(problems)
    finally:
        for event, listener in listeners.items():
            page.remove_listener(event, listener)


# --- fixtures: tests/conftest.py has them for all tests ---


@pytest.fixture(scope="session")
def demo_file(tmp_path_factory):
    """The inventory of the demo accounts; made once, whatever number of processes runs tests side by side."""
    from tests import demo

    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    file = shared / "demo.db"
    with open(shared / "demo.lock", "a", encoding="utf-8") as lock:
        fcntl.flock(
            lock, fcntl.LOCK_EX
        )  # until it is closed: one process makes it, the others wait
        if not file.exists():
            unfinished = shared / "unfinished.db"
            demo.store(unfinished, datetime.datetime.now(datetime.timezone.utc))
            unfinished.rename(file)
    return file


@pytest.fixture(scope="module")
def browser():
    """One for each file of tests: what runs in this process after them may need an event loop."""
    if reason := why_not():
        pytest.skip(reason)
    with launched() as started:
        yield started


@pytest.fixture(scope="module")
def site(demo_file, tmp_path_factory):
    """The service over an inventory of the file's own."""
    if reason := why_not():
        pytest.skip(reason)
    file = tmp_path_factory.mktemp("site") / "inventory.db"
    with site_of(shutil.copyfile(demo_file, file), writes=True, demo=True) as running:
        yield running


@pytest.fixture(scope="module")
def window(browser):
    """A context with one page, used by all tests of a file: a new one costs 0.4 s of CPU time."""
    context = browser.new_context(viewport=WIDE, locale="en-GB", timezone_id="Europe/Dublin")
    context.set_default_timeout(LIMIT_S * 1000)
    page = context.new_page()
    yield page
    context.close()


@pytest.fixture
def page(window):
    """The page with nothing left in it of other tests; anything that it reports as wrong fails the test."""
    with watched(window) as problems:
        window.problems = problems
        yield window
    window.set_viewport_size(WIDE)
    window.emulate_media(color_scheme="light")
    window.evaluate("try { localStorage.clear(); sessionStorage.clear(); } catch {}")
    window.context.clear_cookies()
    window.unroute_all()


SHOWN = "#main:not([aria-busy]) > :is(.view, .problem)"


def show(page: Any, address: str) -> None:
    """Goes there, and waits until the view is there."""
    page.goto(address)
    page.wait_for_selector(SHOWN)


def pictured(page: Any, file: Path) -> None:
    """A picture of the window, with nothing that moves or blinks."""
    page.screenshot(path=file, animations="disabled", caret="hide")
