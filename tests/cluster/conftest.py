"""The servers of a run, each started once, and a fleet of workers for each test."""

import contextlib
import functools
import signal
import subprocess
import sys

import pytest
import yaml

from tests import postgresql
from tests.cluster import judge, services
from tests.cluster.provider import PROVIDER, Controllers
from tests.cluster.workers import WAIT_S, Worker

BROKERS = ("none", "rabbitmq", "redis")
SECRET = "invented-s3cret of the cluster/tests"
EVERY = "10s"  # the shortest interval
LEASE_S = 3


@pytest.fixture(scope="session", autouse=True)
def ends_in_order():
    """All servers and workers are stopped after a SIGTERM too."""
    before = signal.signal(signal.SIGTERM, lambda *_: pytest.exit("stopped by SIGTERM", 1))
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def server():
    # else what was committed last is lost by a server that ends at once
    with postgresql.server(synchronous_commit="on") as running:
        yield running


@pytest.fixture(
    scope="session",
    params=[pytest.param(each, marks=pytest.mark.xdist_group(each)) for each in BROKERS],
)
def broker(request):
    """A running broker; None: the workers have none."""
    if request.param == "none":
        yield None
        return
    with getattr(services, request.param)() as running:
        yield running


@pytest.fixture
def databases(server):
    with contextlib.closing(postgresql.Databases(server.url)) as made:
        yield made


@pytest.fixture
def database(databases):
    """The URL of an inventory that holds nothing."""
    return databases.new_inventory()


@pytest.fixture
def controllers():
    with Controllers() as running:
        yield running


def write_accounts(file, controllers, count, secret=SECRET):
    """So many accounts of the stand-in."""
    names = [f"shop-{number:03}" for number in range(count)]
    given = {"username": "inventory", "password": secret}
    of_accounts = {
        name: {"provider": PROVIDER, "credentials": {"url": controllers.url(name), **given}}
        for name in names
    }
    file.touch(0o600)
    file.write_text(yaml.safe_dump({"version": 1, "accounts": of_accounts}))
    return file


@pytest.fixture
def accounts(tmp_path, controllers):
    """Writes a file of so many accounts, and returns it."""
    return functools.partial(write_accounts, tmp_path / "accounts.yaml", controllers)


class Fleet:
    """Workers on one database and broker. ``accounts`` are those of the stand-in that they poll."""

    def __init__(self, folder, url, broker, controllers):
        self.folder, self.url, self.broker, self.controllers = folder, url, broker, controllers
        self.workers = []
        self._file = folder / "accounts.yaml"

    def schedule(self, count, *more, secret=SECRET):
        """So many accounts are due at once, and then at the shortest interval."""
        write_accounts(self._file, self.controllers, count, secret)
        command = ["schedule", "--every", EVERY, "--accounts", self._file, *more]
        done = subprocess.run(
            [sys.executable, "-m", "flexlocal", *command, "--inventory", self.url],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr

    def start(self, count=1, *more, clock_s=0, database=None):
        """So many workers. ``database``: by another URL."""
        command = ["worker", "--inventory", database or self.url, "--accounts", self._file, *more]
        command += ["--lease", f"{LEASE_S}s", "--format", "ndjson"]
        if self.broker:
            command += ["--broker", self.broker.url]
        for _ in range(count):
            log = self.folder / f"worker-{len(self.workers)}.log"
            self.workers.append(Worker(command, log, clock_s=clock_s))

    def stop(self):
        """All at once, as a service manager does it; each ends well."""
        for each in self.workers:
            each.process.send_signal(signal.SIGTERM)
        for each in self.workers:
            assert each.process.wait(WAIT_S) == 0, each.text()[-3000:]

    def end(self):
        for each in self.workers:
            each.end()

    def worker_of(self, account):
        """The one that polls the account."""
        ((name,),) = judge.rows(self.url, "SELECT worker FROM due WHERE account = %s", account)
        (found,) = (each for each in self.workers if f":{each.process.pid}:" in name)
        return found

    def due_now(self):
        """All that nobody polls."""
        judge.rows(
            self.url, "UPDATE due SET next_at = 0 WHERE lease_until IS NULL RETURNING account"
        )

    def stored(self, account):
        """How many polls of the account are stored."""
        return len(judge.runs(self.url)[account])

    def wait_until_each_stored(self, more, but=None):
        """So many polls of each account more than now, but for one."""
        before = {name: len(own) for name, own in judge.runs(self.url).items()}
        names = [name for (name,) in judge.rows(self.url, "SELECT account FROM due") if name != but]
        assert names

        def stored():
            runs = judge.runs(self.url)
            return all(len(runs[name]) >= before.get(name, 0) + more for name in names)

        judge.wait_for(stored, f"{more} more polls of each account are stored")

    def judged(self):
        """Nothing is leased, stored twice or half; all polls are complete. Returns the runs of each account."""
        assert judge.rows(self.url, "SELECT * FROM due WHERE lease_until IS NOT NULL") == []
        outcomes = {outcome for own in judge.runs(self.url).values() for outcome in own}
        assert outcomes == {"complete"}
        return judge.check(self.url, self.controllers.count)


@pytest.fixture
def fleet(tmp_path, database, broker, controllers):
    """All its workers are stopped at the end of the test."""
    made = Fleet(tmp_path, database, broker, controllers)
    yield made
    made.end()
    for each in made.workers:  # pytest shows it where a test failed
        print(f"--- {each.log.name} (process {each.process.pid})\n{each.without_log()[-20_000:]}")
