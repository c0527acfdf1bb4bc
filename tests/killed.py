"""A process that is killed while it stores: ``python -m tests.killed`` (``make test-inventory-kill``).

Stores polls in a process that gets SIGKILL at random moments, and looks each time whether all that was complete is
there, and nothing else. tests/test_inventory_killed.py does it at statements of a small poll. In the database of
TEST_POSTGRESQL, if that is set.
"""

import argparse
import contextlib
import hashlib
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import event

from inventory import Inventory
from tests.inventories import everything, poll, server
from tests.postgresql import VARIABLE, Databases

COMMIT = 3  # the status of a process that ended before its commit


def resources(minute, count):
    """Each poll has some that are new, gone or back, and all others changed or moved."""
    scopes = {"eu": [], "us": []}
    for number in range(count):
        if (number + minute) % 5 == 0:
            continue
        resource = server(
            f"i-{number}",
            f"web-{number}-{minute // 3}",
            state="running" if (number + minute) % 2 else "stopped",
            ip=f"10.0.{number % 250}.{minute % 250}",
            tags={"round": str(minute)},
            connections={"network": [{"id": f"n-{minute % 7}"}]},
            **({"round": minute} if number % 3 else {}),
        )
        scopes["eu" if (number + minute) % 7 else "us"].append(resource)
    return scopes


def ids(scopes):
    return {resource["id"] for found in scopes.values() for resource in found}


def store(inventory, minute, count, moment=None):
    """Stores the poll of the minute. The process ends itself before the statement of that number, or the commit."""
    seen = 0

    def at_statement(*_):
        nonlocal seen
        seen += 1
        if seen == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def at_commit(*_):
        os._exit(COMMIT)

    if moment is not None:
        event.listen(inventory._engine, "before_cursor_execute", at_statement)
        event.listen(inventory._engine, "commit", at_commit)
    poll(inventory, minute, resources(minute, count))


def in_process(inventory, *call):
    """Starts a process that stores; its id. It has the statements that were compiled before, but no connection."""
    inventory._engine.dispose()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            store(inventory, *call)
            status = 0
        finally:
            os._exit(status)
    return child


def wait(child):
    """How it ended: SIGKILL as a negative number, as in subprocess; else its status."""
    status = os.waitpid(child, 0)[1]
    ended = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    assert ended in (0, COMMIT, -signal.SIGKILL), f"the process failed: {ended}"
    return ended


def state(inventory):
    """What is stored, and the number of polls; it keeps its own rules."""
    problems = inventory.check()
    assert problems == [], problems
    stored = everything(inventory)
    return hashlib.sha256(repr(stored).encode()).hexdigest(), len(stored["run"])


def listed(inventory):
    return {entry.id for entry in inventory.list(limit=10**6)}


def at_statements(url, count, step):
    """Before the first statement of a poll, each further one by the step, and the commit; returns how many."""
    with Inventory(url) as inventory:
        for minute in (1, 2):
            poll(inventory, minute, resources(minute, count))
        state(inventory)
        before = everything(inventory)
        moments = itertools.count(1, step)
        for moment in moments:
            ended = wait(in_process(inventory, 3, count, moment))
            assert everything(inventory) == before, f"killed before statement {moment}"
            if ended == COMMIT:
                break
        assert state(inventory)[1] == 2
        poll(inventory, 3, resources(3, count))
        assert listed(inventory) == ids(resources(3, count))
        state(inventory)
        return next(moments) // step


def undisturbed(inventory, minute, count):
    """Stores the poll; how long it took."""
    start = time.monotonic()
    assert wait(in_process(inventory, minute, count)) == 0
    return time.monotonic() - start


def at_random(url, count, kills, chance):
    """At random moments of as many polls; prints how each ended."""
    with Inventory(url) as inventory:
        poll(inventory, 1, resources(1, count))
        spent = undisturbed(inventory, 2, count)
        minute, before = 3, state(inventory)
        for number in range(1, kills + 1):
            delay = chance.uniform(0, 1.2 * spent)
            child = in_process(inventory, minute, count)
            time.sleep(delay)
            os.kill(child, signal.SIGKILL)
            stored = wait(child) == 0
            after = state(inventory)
            if after != before:  # it was committed, whether or not the process came to know
                stored = True
                assert after[1] == before[1] + 1
            assert listed(inventory) == ids(resources(minute if stored else minute - 1, count))
            outcome = "the poll is stored" if stored else "the state is the one before"
            print(f"{number}: killed after {delay:.2f} s, {outcome}", flush=True)
            if stored:
                minute, before = minute + 1, after
            elif number % 2 == 0:  # so that not all kills are of the same poll
                spent = undisturbed(inventory, minute, count)
                minute, before = minute + 1, state(inventory)


@contextlib.contextmanager
def new_inventory():
    """The URL of an inventory that holds nothing."""
    if VARIABLE in os.environ:
        with contextlib.closing(Databases(os.environ[VARIABLE])) as databases:
            yield databases.new_inventory()
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "inventory.db"
        Inventory(file, create=True).close()
        yield f"sqlite:///{file}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--resources", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    given = parser.parse_args()
    print(f"seed {given.seed}")
    with new_inventory() as url:
        at_random(url, given.resources, given.kills, random.Random(given.seed))


if __name__ == "__main__":
    main()
