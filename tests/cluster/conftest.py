"""The servers of a run, each started once, and a fleet of workers for each test."""

import contextlib

import pytest
import yaml

from tests import postgresql
from tests.cluster import services
from tests.cluster.provider import PROVIDER, Controllers
from tests.cluster.workers import Worker

BROKERS = ("none", "rabbitmq", "redis")
SECRET = "invented-s3cret of the cluster/tests"
EVERY = "10s"  # the shortest interval


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


@pytest.fixture
def accounts(tmp_path, controllers):
    """Writes a file of so many accounts at the stand-in, and returns it."""

    def write(count):
        names = [f"shop-{number:03}" for number in range(count)]
        of_accounts = {
            name: {
                "provider": PROVIDER,
                "credentials": {
                    "url": controllers.url(name),
                    "username": "inventory",
                    "password": SECRET,
                },
            }
            for name in names
        }
        file = tmp_path / "accounts.yaml"
        file.touch(0o600)
        file.write_text(yaml.safe_dump({"version": 1, "accounts": of_accounts}))
        return file

    return write


@pytest.fixture
def fleet(tmp_path, database, broker):
    """Starts workers on the database and the broker; all are stopped at the end of the test."""
    with contextlib.ExitStack() as stack:

        def start(accounts, *more, clock_s=0):
            command = ["worker", "--inventory", database, "--accounts", accounts, *more]
            if broker:
                command += ["--broker", broker.url]
            number = len(list(tmp_path.glob("worker-*.log"))) + 1
            worker = Worker(command, tmp_path / f"worker-{number}.log", clock_s=clock_s)
            stack.callback(worker.end)
            return worker

        yield start
