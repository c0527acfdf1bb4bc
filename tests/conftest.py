"""What all tests share."""

import functools
import gc
import http.client
import importlib.metadata
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import urllib3

from flexlocal import cassettes
from shared.engine.deadline import Deadline
from shared.transport import decode
from tests.browser import browser, demo_file, page, site, why_not, window  # noqa: F401
from tests.postgresql import VARIABLE, Databases

decode.orjson = None  # the zips have none; tests/test_decode.py reads JSON both ways
ROOT = Path(__file__).resolve().parent.parent
# Files that take long: begun first, the longest before all, so that no worker is left alone with one at the end.
LONGEST = (
    "test_faults.py",
    "test_build.py",
    "test_vanished_markers.py",
    "test_vendor.py",
    "test_grid.py",
    "test_publish.py",
    "test_aws_rights.py",
    "test_zips.py",
    "test_aws_moto.py",
    "test_make.py",
)
# Most of what a replay would do again and again is to parse its YAML.
cassettes._Readable.deserialize = staticmethod(
    functools.lru_cache(maxsize=256)(cassettes._Readable.deserialize)
)
# The ids of all tests that pytest has collected.
COLLECTED = pytest.StashKey[frozenset]()
CONNECTION, HTTP_CONNECTION = urllib3.HTTPConnectionPool.ConnectionCls, http.client.HTTPConnection


def pytest_sessionstart():
    """make mutants tries each change in a copy of a process that ran all tests, whose caches would hide the change."""
    for name, module in list(sys.modules.items()):
        if name.startswith("shared."):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(LONGEST)))
    config.stash[COLLECTED] = frozenset(item.nodeid for item in items)  # of any mark


def pytest_terminal_summary(terminalreporter):
    reason = why_not()
    if reason and any(
        reason in str(each.longrepr) for each in terminalreporter.getreports("skipped")
    ):
        terminalreporter.write_line(f"The page (tests/test_page*.py) was not tested: {reason}")


def pytest_collection_finish():
    """What is there by now stays: each full collection of garbage would look through millions of objects."""
    gc.freeze()


@pytest.fixture
def no_network(monkeypatch):
    """No socket may be connected and no name looked up."""

    def refused(*args, **kwargs):
        raise AssertionError(f"a network call: {args[1:] or args}")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket.socket, "connect_ex", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.fixture(scope="session")
def moto_of_5_2():
    """Older ones answer Direct Connect as HTML and fail at pages of Network Manager."""
    release = importlib.metadata.version("moto")
    if tuple(map(int, release.split(".")[:2])) < (5, 2):
        pytest.skip(f"moto {release} is too old; 5.2 needs Python 3.10")


@pytest.fixture(autouse=True)
def no_ambient_credentials(monkeypatch):
    """Tests see no account and no inventory of the host they run on."""
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    for name in list(os.environ):
        if name.startswith(("AWS_", "OS_", "FLEXLOCAL_")) and name != "AWS_CA_BUNDLE":
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_cassette_is_left():
    """A replay that lasted beyond its test would answer the tests after it: the test that left it fails."""
    yield
    assert urllib3.HTTPConnectionPool.ConnectionCls is CONNECTION
    assert http.client.HTTPConnection is HTTP_CONNECTION


@pytest.fixture(scope="session")
def collect(request):
    """Gives the ids of the tests that pytest finds in these files, of any mark.

    To collect takes long: where this run collected these files as a whole, they are known.
    """

    def ids(*files):
        known = request.config.stash[COLLECTED]
        whole = not any("::" in argument for argument in request.config.args)
        if whole and {*files} <= {name.partition("::")[0] for name in known}:
            return frozenset(name for name in known if name.partition("::")[0] in files)
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
        command += ["-o", "addopts=", *files]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr
        return frozenset(line for line in done.stdout.splitlines() if "::" in line)

    return ids


@pytest.fixture(scope="session")
def new_inventory(tmp_path_factory):
    """The file of an inventory that holds nothing; to make one anew takes a while."""
    from inventory import Inventory

    file = tmp_path_factory.mktemp("inventory") / "inventory.db"
    Inventory(file, create=True).close()
    return file


@pytest.fixture(scope="session")
def postgresql():
    """Makes databases on the server of `make test-postgres`; None in `make test`."""
    if VARIABLE not in os.environ:
        yield None
        return
    databases = Databases(os.environ[VARIABLE])
    yield databases
    databases.close()


@pytest.fixture
def empty_database(tmp_path, postgresql):
    """The URL of a database without tables: a new file, or in `make test-postgres` one on the server."""
    if postgresql is None:
        yield f"sqlite:///{tmp_path / 'inventory.db'}"
        return
    url = postgresql.new()
    yield url
    postgresql.drop(url)


@pytest.fixture
def inventory_url(tmp_path, new_inventory, postgresql):
    """The URL of an inventory that holds nothing, in either database."""
    if postgresql is None:
        yield f"sqlite:///{shutil.copyfile(new_inventory, tmp_path / 'inventory.db')}"
        return
    url = postgresql.new_inventory()
    yield url
    postgresql.drop(url)


@pytest.fixture
def inventory(inventory_url):
    """An inventory that holds nothing: a file, or in `make test-postgres` a database on the server."""
    from inventory import Inventory

    with Inventory(inventory_url) as opened:
        yield opened


@pytest.fixture
def inventory_file(tmp_path, new_inventory):
    """A file with an inventory that holds nothing, for what is particular to files."""
    return shutil.copyfile(new_inventory, tmp_path / "file.db")


@pytest.fixture
def file_inventory(inventory_file):
    from inventory import Inventory

    with Inventory(inventory_file) as opened:
        yield opened


@pytest.fixture
def run_out_at(monkeypatch):
    """Lets the engine's n-th wait (the login is the first, then an answer each) run out at once.

    Waits are counted, not timed: a test must not depend on how fast a machine is.
    """
    timeout = Deadline.timeout

    def choose(wait):
        waits = iter(range(1, 1000))

        def counted(self, longest):
            if longest < threading.TIMEOUT_MAX:
                return timeout(self, longest)  # of a call, not of the engine
            return 60.0 if next(waits) < wait else 0.001

        monkeypatch.setattr(Deadline, "timeout", counted)

    return choose
