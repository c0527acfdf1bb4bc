"""Whether the other tests here would see what they look for."""

import datetime
import signal
import subprocess
import sys
import time

import pytest

from inventory import Inventory
from tests.cluster import judge, leaks, services, workers
from tests.cluster.provider import COUNT, FAMILY, PROVIDER
from tests.daemons import WAIT_S
from tests.fakes.canaries import FORMS, PASSWORD
from tests.inventories import poll
from tests.inventories import server as ec2
from tests.postgresql import FAST, IMMEDIATE

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("none")]
SHOPS = 3


def change(url, statement):
    assert judge.rows(url, f"{statement} RETURNING 1")


def test_the_judge_sees_what_is_stored_twice_or_half(accounts, controllers, database, databases):
    file = accounts(SHOPS)
    for _ in range(2):
        command = [sys.executable, "-m", "flexlocal", "poll", "--accounts", file]
        done = subprocess.run([*command, "--inventory", database], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    complete = judge.check(database, COUNT)
    assert {name: len(own) for name, own in complete.items()} == dict.fromkeys(complete, 2)
    assert len(complete) == SHOPS
    assert judge.stored(database) == controllers.polls() == 2 * SHOPS
    assert judge.rounds(database, "shop-001") == [2]

    half = databases.new(database.rpartition("/")[2])
    change(half, "DELETE FROM change WHERE id = (SELECT max(id) FROM change)")
    with pytest.raises(AssertionError):
        judge.check(half, COUNT)

    with Inventory(database) as inventory:
        now = datetime.datetime.now(datetime.timezone.utc)
        shop = inventory.list(account="shop-000")
        scopes = {
            shop[0].scope: [inventory.show(each.id, account="shop-000").document for each in shop]
        }
        inventory.store("shop-000", FAMILY, scopes, provider=PROVIDER, started_at=now, ended_at=now)
    with pytest.raises(AssertionError, match="stored an answer that was stored before"):
        judge.check(database, COUNT)


def test_a_poll_is_held_in_its_middle_and_goes_on(accounts, controllers, database):
    with controllers.held("shop-000") as held:
        command = [sys.executable, "-m", "flexlocal", "poll", "--accounts", accounts(2)]
        with subprocess.Popen([*command, "--inventory", database]) as polling:
            held.wait()
            assert held.round == controllers.round_of("shop-000") == 1
            judge.wait_for(lambda: judge.stored(database) == 1, "the other account is stored")
            held.go.set()
            assert polling.wait(WAIT_S) == 0
    assert judge.stored(database) == 2


def test_a_worker_has_another_clock_alone(tmp_path):
    program = "import time; print(time.time(), time.monotonic(), flush=True)"
    before, monotonic = time.time(), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program], env=workers.clock(600), capture_output=True, text=True
    )
    seen, seen_monotonic = map(float, done.stdout.split())
    assert 600 <= seen - before < 600 + WAIT_S
    assert 0 <= seen_monotonic - monotonic < WAIT_S


@pytest.mark.parametrize("how", [FAST, IMMEDIATE])
def test_postgresql_comes_back_with_what_it_had(server, database, how):
    change(database, "INSERT INTO setting (name, value) VALUES ('kept', '1')")
    server.restart(how)
    assert judge.rows(database, "SELECT value FROM setting WHERE name = 'kept'") == [("1",)]


@pytest.mark.parametrize("name", ["rabbitmq", "redis"])
def test_a_broker_comes_back_and_leaves_nothing(name):
    kombu = pytest.importorskip("kombu")
    with getattr(services, name)() as broker:
        pid = broker.process.pid
        broker.restart(signal.SIGKILL)
        assert broker.process.pid != pid
        with kombu.Connection(broker.url) as connection:
            connection.SimpleQueue("tests").put("a message")
            assert connection.SimpleQueue("tests").get(timeout=WAIT_S).payload == "a message"
        folder = broker.folder
    assert not folder.exists()
    found = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(folder) not in found.stdout


def test_inventories_behind_pgbouncer_share_connections(database):
    with (
        services.pgbouncer(database) as pooler,
        Inventory(pooler.url) as one,
        Inventory(pooler.url) as other,
    ):
        for minute in range(1, 9):
            for inventory in (one, other):
                shop = "shop" if inventory is one else "lab"
                poll(inventory, minute, [ec2("i-1", f"web-{minute}")], account=shop)
        assert one.check() == []
        assert {entry.name for entry in other.list()} == {"web-8"}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_secret_is_found_in_each_form_and_wherever_it_stands(tmp_path, form):
    file = tmp_path / "a" / "b.bin"
    file.parent.mkdir()
    for before in range(leaks.PART):
        file.write_bytes(bytes(before) + form(PASSWORD).encode(errors="replace") + b"\xff")
        assert [*leaks.in_files(leaks.files(tmp_path), PASSWORD)] == [str(file)]
    file.write_text(f"{{'password': '***', 'of': '{SHOPS}'}}" * 100)
    assert leaks.in_files(leaks.files(tmp_path), PASSWORD) == {}
