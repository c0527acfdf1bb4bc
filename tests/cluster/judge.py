"""What the database says afterwards of polls by many workers: none stored twice, none half, all that were due ended."""

import contextlib
import itertools
import json
import time
from collections import defaultdict

from inventory import Inventory

WAIT_S = 180  # a test that needs this long has failed
LOOK_S = 0.05
# Of each version of a resource: its account, the run that brought it and the customer's name, which has the round.
RUNS = """
    SELECT account.name, run.id, run.outcome FROM run
    JOIN source ON source.id = run.source_id JOIN account ON account.id = source.account_id ORDER BY run.id
"""
ROUNDS = """
    SELECT account.name, change.run_id, resource.external_id, change.after FROM change
    JOIN resource ON resource.id = change.resource_id JOIN account ON account.id = resource.account_id
    JOIN path ON path.id = change.path_id WHERE path.pointer LIKE '%customer-name' ORDER BY change.run_id
"""


def rows(url, statement, *values):
    import psycopg  # make test has none

    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement, values or None).fetchall()


def wait_for(fact, what, seconds=WAIT_S, every=LOOK_S):
    """Until ``fact()`` is true; returns it. A database that is being started is asked again."""
    import psycopg

    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(psycopg.OperationalError):
            if found := fact():
                return found
        if time.monotonic() > end:
            raise AssertionError(f"within {seconds} s it was not so: {what}")
        time.sleep(every)


def runs(url):
    """The outcomes of each account's polls that are stored, in their order."""
    found = defaultdict(list)
    for account, _, outcome in rows(url, RUNS):
        found[account].append(outcome)
    return found


def stored(url):
    """How many polls are stored."""
    return rows(url, "SELECT count(*) FROM run")[0][0]


def rounds(url, account):
    """The numbers of the provider's answers that are stored for the account, the first one left out."""
    found = [int(json.loads(row[3]).split()[1]) for row in rows(url, ROUNDS) if row[0] == account]
    return sorted(set(found))


def check(url, count):
    """Nothing is stored twice or half, of accounts with so many resources; the inventory keeps its own rules.

    Each of the provider's answers has a number, which each of its resources carries: so each complete poll
    after an account's first changes each resource of it, and to a higher number than the one before.
    """
    with Inventory(url) as inventory:
        assert inventory.check() == []
    complete = defaultdict(list)
    for account, run, outcome in rows(url, RUNS):
        if outcome == "complete":
            complete[account].append(run)
    brought = defaultdict(lambda: defaultdict(dict))
    for account, run, resource, after in rows(url, ROUNDS):
        brought[account][run][resource] = json.loads(after)
    for account, own in complete.items():
        previous = ""
        for run in own[1:]:
            of_run = brought[account].pop(run, {})
            assert of_run, f"{account}: run {run} stored an answer that was stored before"
            assert len(of_run) == count, f"{account}: run {run} stored {len(of_run)} of {count}"
            (number,) = {*of_run.values()}  # all of one answer
            assert _number(number) > _number(previous), f"{account}: {number} after {previous}"
            previous = number
        assert not brought[account], f"{account}: changes without a run that is complete"
    return complete


def _number(text):
    return int("".join(itertools.filterfalse(lambda each: not each.isdigit(), text)) or 0)
