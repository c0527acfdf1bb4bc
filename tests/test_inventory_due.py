"""What is due and who polls it: claims, leases, limits, fairness, priorities, the schedule; no attempt is stored twice."""

import collections
import dataclasses
import datetime
import os
import threading

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import update

from inventory import Inventory, database
from inventory.due import ELSEWHERE_S, _next
from inventory.errors import BeingPolled, InvalidQuestion, InvalidResource, NotMine
from inventory.schedule import Limits, Planned, Replanned
from inventory.schema import due, due_account
from tests.inventories import at, everything, execute, rows, server

LEASE_S = 60
EXAMPLES = int(os.environ.get("EXAMPLES", "10"))


def planned(account="shop", family="servers", handler="get", every_s=900, **more):
    return Planned(account, more.pop("provider", "acme"), family, handler, every_s, **more)


def clock_moves_on(inventory, seconds):
    """The database's clock can't be set: instead, everything was so much earlier."""
    by = int(seconds * 1_000_000)
    times = ("slot_at", "next_at", "served_at", "lease_until", "claimed_at", "ended_at")
    with database.writing(inventory._engine) as connection:
        connection.execute(update(due).values({name: due.c[name] - by for name in times}))
        connection.execute(update(due_account).values(not_before=due_account.c.not_before - by))


def store(inventory, claim, minute=1, resources=("i-1",), **more):
    given = {
        "provider": "acme",
        "started_at": at(minute - 1),
        "ended_at": at(minute),
        "claim": claim,
        **more,
    }
    found = [server(each) for each in resources]
    return inventory.store(claim.account, claim.family, {"eu": found}, **given)


def one(inventory, key=("shop", "servers", "get")):
    return next(
        each for each in inventory.due() if (each.account, each.family, each.handler) == key
    )


# --- claims ---


def test_a_claim_is_of_what_is_due_and_nobody_else_gets_it(inventory):
    inventory.plan([planned()])
    claim = inventory.claim("w1", LEASE_S)
    assert claim.key == ("shop", "servers", "get")
    assert (claim.provider, claim.every_s, claim.attempt, claim.worker) == ("acme", 900, 1, "w1")
    assert inventory.claim("w2", LEASE_S) is None
    assert inventory.claimable() == 0
    row = one(inventory)
    assert (row.worker, row.attempt, row.late_s) == ("w1", 1, 0)
    assert row.lease_until - row.claimed_at == datetime.timedelta(seconds=LEASE_S)


def test_times_are_the_databases_and_no_workers(inventory):
    inventory.plan([planned()])
    claim = inventory.claim("w1", LEASE_S)
    now = datetime.datetime.now(datetime.timezone.utc)  # of the same host, here
    assert abs(claim.claimed_at - now) < datetime.timedelta(minutes=1)


def test_storing_ends_the_claim_in_the_same_transaction(inventory):
    inventory.plan([planned()])
    claim = inventory.claim("w1", LEASE_S)
    store(inventory, claim)
    row = one(inventory)
    assert (row.worker, row.outcome, row.failures) == (None, "complete", 0)
    assert inventory.claim("w1", LEASE_S) is None  # it is due in some minutes
    before = everything(inventory)
    with pytest.raises(NotMine, match=r"shop servers get \(attempt 1\) has run out"):
        store(inventory, claim, minute=2, resources=["i-2"])
    assert everything(inventory) == before


@pytest.mark.parametrize("how", ["store", "failure", "points", "end"])
def test_who_was_paused_past_its_lease_stores_nothing_even_if_nobody_took_over(inventory, how):
    inventory.plan([planned()])
    claim = inventory.claim("w1", LEASE_S)
    clock_moves_on(inventory, LEASE_S + 1)
    before = everything(inventory)
    assert not inventory.prolong(claim)
    source = {"provider": "acme", "started_at": at(0), "ended_at": at(1), "claim": claim}
    with pytest.raises(NotMine):
        if how == "store":
            store(inventory, claim)
        elif how == "failure":
            inventory.store_failure("shop", "servers", "no answer", **source)
        elif how == "points":
            inventory.store_points(
                "shop", "servers", "get_status", [], provider="acme", claim=claim
            )
        else:
            inventory.end(claim, "failed")
    assert not inventory.release(claim)
    assert everything(inventory) == before


def test_another_worker_takes_over_when_a_lease_has_run_out(inventory):
    inventory.plan([planned()])
    first = inventory.claim("w1", LEASE_S)
    clock_moves_on(inventory, LEASE_S - 5)
    assert inventory.claim("w2", LEASE_S) is None
    clock_moves_on(inventory, 6)
    second = inventory.claim("w2", LEASE_S)
    assert (second.key, second.attempt) == (first.key, 2)
    with pytest.raises(NotMine):
        store(inventory, first)
    store(inventory, second)
    assert len(rows(inventory, "run")) == 1


def test_a_lease_is_prolonged_for_as_long_as_it_was_claimed(inventory):
    inventory.plan([planned()])
    claim = inventory.claim("w1", LEASE_S)
    for _ in range(3):
        clock_moves_on(inventory, LEASE_S - 5)
        assert inventory.prolong(claim)
    assert inventory.claim("w2", LEASE_S) is None
    store(inventory, claim)
    assert not inventory.prolong(claim)


def test_a_claim_is_no_bodys_but_the_one_who_made_it(inventory):
    inventory.plan([planned()])
    claim = inventory.claim("w1", LEASE_S)
    other = dataclasses.replace(claim, worker="w2")
    assert not inventory.prolong(other)
    with pytest.raises(NotMine):
        store(inventory, other)
    store(inventory, claim)


def test_what_can_not_be_stored_leaves_the_claim_as_it_was(inventory):
    inventory.plan([planned()])
    claim = inventory.claim("w1", LEASE_S)
    before = everything(inventory)
    with pytest.raises(InvalidResource):
        store(inventory, claim, resources=["i-1", "i-1"])
    assert everything(inventory) == before
    source = {"provider": "acme", "started_at": at(0), "ended_at": at(1), "claim": claim}
    inventory.store_failure("shop", "servers", "the same id twice", **source)
    assert (one(inventory).outcome, one(inventory).failures) == ("failed", 1)


def test_failures_in_a_row_are_counted(inventory):
    inventory.plan([planned()])
    for number, outcome in enumerate(["failed", "failed", "complete", "failed"]):
        claim = inventory.claim(f"w{number}", LEASE_S)
        inventory.end(claim, outcome)
        assert one(inventory).failures == [1, 2, 0, 1][number]
        clock_moves_on(inventory, 1000)


def test_what_is_given_up_is_due_at_once_or_after_a_while(inventory):
    inventory.plan([planned()])
    due_at = one(inventory).next_at
    assert inventory.release(inventory.claim("w1", LEASE_S))
    assert one(inventory).next_at == due_at
    again = inventory.claim("w2", LEASE_S)
    assert again.attempt == 2
    assert inventory.release(again, after_s=10)
    assert inventory.claim("w3", LEASE_S) is None
    clock_moves_on(inventory, 11)
    assert inventory.claim("w3", LEASE_S).attempt == 3


# --- when it is due again ---


@pytest.mark.parametrize("late_s, slots", [(0, 1), (890, 1), (2000, 3)])
def test_it_is_due_again_at_a_multiple_of_its_interval(inventory, late_s, slots):
    """Whatever was missed is made up by one poll; the random part, a tenth or a minute at most, does not add up."""
    inventory.plan([planned()])
    execute(inventory, "UPDATE due SET slot_at = next_at")
    slot = one(inventory).next_at
    clock_moves_on(inventory, late_s)
    slot -= datetime.timedelta(seconds=late_s)
    inventory.end(inventory.claim("w1", LEASE_S), "complete")
    after = one(inventory)
    assert after.next_at > after.ended_at
    late = after.next_at - slot - slots * datetime.timedelta(seconds=900)
    assert datetime.timedelta() <= late <= datetime.timedelta(seconds=60)


def test_polls_of_one_interval_are_spread_over_it(inventory):
    inventory.plan([planned(f"a{number}") for number in range(60)])
    while claim := inventory.claim("w1", LEASE_S):
        inventory.end(claim, "complete")
    times = sorted(each.next_at for each in inventory.due())
    assert times[-1] - times[0] > datetime.timedelta(seconds=600)


# --- limits, fairness, priorities ---


def test_never_two_polls_of_one_account_and_family(inventory):
    """They share the state of context.state, whatever the limit."""
    handlers = ("get", "get_status", "get_metrics")
    inventory.plan([planned(handler=each) for each in handlers], Limits(per_account=5))
    assert inventory.claim("w1", LEASE_S)
    assert inventory.claim("w2", LEASE_S) is None


def test_limits_of_an_account_and_a_provider(inventory):
    families = ("servers", "networks", "volumes")
    accounts = [("a", "acme"), ("b", "acme"), ("c", "other")]
    inventory.plan(
        [
            planned(name, each, provider=provider)
            for name, provider in accounts
            for each in families
        ],
        Limits(per_account=2, per_provider=3),
    )
    claims = []
    while claim := inventory.claim(f"w{len(claims)}", LEASE_S):
        claims.append(claim)
    assert collections.Counter(claim.provider for claim in claims) == {"acme": 3, "other": 2}
    assert max(collections.Counter(claim.account for claim in claims).values()) == 2
    inventory.end(next(each for each in claims if each.provider == "acme"), "complete")
    assert inventory.claim("w", LEASE_S).provider == "acme"


def test_the_account_that_was_served_longest_ago_comes_first(inventory):
    families = ("servers", "networks", "volumes")
    inventory.plan([planned("big", each) for each in ("x1", "x2", "x3", "x4", *families)])
    first = inventory.claim("w1", LEASE_S)
    inventory.end(first, "complete")
    inventory.plan(
        [planned("big", each) for each in ("x1", "x2", "x3", "x4", *families)]
        + [planned("small", "servers"), planned("tiny", "servers")]
    )
    served = []
    for _ in range(4):
        claim = inventory.claim("w1", LEASE_S)
        served.append(claim.account)
        inventory.end(claim, "complete")
    assert served == ["small", "tiny", "big", "big"]


def test_smaller_priorities_come_first(inventory):
    inventory.plan(
        [planned("a", priority=7), planned("b", priority=1), planned("c"), planned("d", priority=1)]
    )
    served = [inventory.claim(f"w{number}", LEASE_S).account for number in range(4)]
    assert {*served[:2]} == {"b", "d"}
    assert served[2:] == ["c", "a"]


def test_only_of_some_accounts_or_families_or_what_is_late(inventory):
    inventory.plan([planned("a"), planned("b", "networks"), planned("c")])
    assert inventory.claimable() == 3
    assert inventory.claimable(["a", "b"], ["networks"]) == 1
    assert inventory.claim("w1", LEASE_S, accounts=["b"], families=["servers"]) is None
    assert inventory.claim("w1", LEASE_S, accounts=["b", "x"]).account == "b"
    assert inventory.claim("w2", LEASE_S, families=["servers"], late_s=30) is None
    clock_moves_on(inventory, 31)
    assert inventory.claim("w2", LEASE_S, families=["servers"], late_s=30)


def test_an_account_that_was_throttled_rests(inventory):
    inventory.plan([planned(), planned(family="networks"), planned("lab")])
    claim = inventory.claim("w1", LEASE_S, accounts=["shop"])
    store(inventory, dataclasses.replace(claim, rest_s=60))
    assert inventory.claim("w1", LEASE_S, accounts=["shop"]) is None
    assert inventory.claim("w1", LEASE_S).account == "lab"
    clock_moves_on(inventory, 61)
    assert inventory.claim("w2", LEASE_S).account == "shop"


def test_beside_flexlocal_poll(inventory):
    """Which takes a lock instead of a claim: neither polls what the other one does."""
    inventory.plan([planned(), planned(family="networks")])
    with inventory.polling("shop", "networks"):
        assert inventory.claim("w1", LEASE_S, families=["networks"]) is None
    assert inventory.claim("w1", LEASE_S) is None  # the account rests for a while
    clock_moves_on(inventory, ELSEWHERE_S + 1)
    claim = inventory.claim("w1", LEASE_S)
    with (
        pytest.raises(BeingPolled, match=f"another process is polling shop {claim.family}"),
        inventory.polling("shop", claim.family),
    ):
        pass
    inventory.end(claim, "complete")
    with inventory.polling("shop", claim.family):
        pass


def test_claims_side_by_side(inventory_url):
    """Eight threads: each poll is claimed once, never more of a provider than the limit."""
    accounts = [f"a{number}" for number in range(40)]
    with Inventory(inventory_url) as inventory:
        inventory.plan([planned(each) for each in accounts], Limits(per_provider=3))
        lock, claimed, running, most = threading.Lock(), [], set(), []

        def work(number):
            while len(claimed) < len(accounts):
                claim = inventory.claim(f"w{number}", LEASE_S)
                if claim is None:
                    continue
                with lock:
                    claimed.append(claim.key)
                    running.add(claim.key)
                    most.append(len(running))
                with lock:
                    running.discard(claim.key)
                store(inventory, claim)

        threads = [
            threading.Thread(target=work, args=(each,), daemon=True, name=str(each))
            for each in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        assert sorted(claimed) == sorted({*claimed})
        assert len(claimed) == 40
        assert max(most) <= 3
        assert len(rows(inventory, "run")) == 40


# --- the schedule ---


def test_a_new_schedule_adds_changes_and_removes(inventory):
    assert inventory.plan([planned(), planned("lab")]) == Replanned(2, 0, 0)
    new = [planned(every_s=60), planned("office", priority=1)]
    assert inventory.plan(new) == Replanned(added=1, changed=1, removed=1)
    found = {(each.account, each.every_s, each.priority) for each in inventory.due()}
    assert found == {("office", 900, 1), ("shop", 60, 5)}
    assert inventory.plan([planned("office", priority=3), new[0]]) == Replanned(0, 1, 0)


def test_a_schedule_takes_the_place_of_what_it_covers(inventory):
    inventory.plan([planned("a"), planned("b"), planned("b", "networks")])
    done = inventory.plan([planned("b", "volumes")], covers=lambda account, _: account == "b")
    assert (done.added, done.removed) == (1, 2)
    assert sorted((each.account, each.family) for each in inventory.due()) == [
        ("a", "servers"),
        ("b", "volumes"),
    ]


def test_a_shorter_interval_takes_effect_at_once(inventory):
    inventory.plan([planned(every_s=86400)])
    inventory.end(inventory.claim("w1", LEASE_S), "complete")
    inventory.plan([planned(every_s=60)])
    row = one(inventory)
    assert row.next_at - row.ended_at < datetime.timedelta(seconds=61)


def test_the_same_schedule_again_changes_nothing(inventory):
    inventory.plan([planned(), planned("lab")])
    claim = inventory.claim("w1", LEASE_S)
    before = everything(inventory)
    assert inventory.plan([planned(), planned("lab")]) == Replanned(0, 0, 0)
    assert everything(inventory) == before
    store(inventory, claim)


def test_what_is_removed_while_it_is_polled_is_not_stored(inventory):
    inventory.plan([planned()])
    claim = inventory.claim("w1", LEASE_S)
    inventory.plan([])
    inventory.plan([planned()])  # the same poll, but not the same claim
    with pytest.raises(NotMine):
        store(inventory, claim)
    again = inventory.claim("w2", LEASE_S)
    with pytest.raises(NotMine):
        store(inventory, claim)
    store(inventory, again)


@pytest.mark.parametrize(
    "polls, limits",
    [
        ([planned(every_s=0)], Limits()),
        ([], Limits(per_account=0)),
        ([], Limits(per_provider=0)),
    ],
)
def test_a_schedule_that_makes_no_sense(inventory, polls, limits):
    with pytest.raises(InvalidQuestion):
        inventory.plan(polls, limits)
    assert inventory.due() == []


# --- whatever the interleaving ---

ACCOUNTS, FAMILIES, WORKERS = ("a", "b"), ("servers", "networks"), ("w1", "w2", "w3")
INVENTORY = []  # what the machine uses: hypothesis makes the machine


class Interleavings(RuleBasedStateMachine):
    """Workers that claim, prolong, store, fail, pause and lose, while the database's clock moves on."""

    @initialize(per_account=st.integers(1, 2), per_provider=st.sampled_from([None, 1, 2]))
    def begin(self, per_account, per_provider):
        self.inventory, self.limits = INVENTORY[0], Limits(per_account, per_provider)
        self.inventory.plan([])
        self.inventory.plan(
            [planned(a, f, h) for a in ACCOUNTS for f in FAMILIES for h in ("get", "get_status")],
            self.limits,
        )
        self.now = 0  # seconds on the database's clock
        self.runs = len(rows(self.inventory, "run"))
        self.claims = []  # each with the time when its lease ends
        self.ended = set()  # of what may not be stored any more
        self.stored = 0

    def held(self):
        return [
            claim
            for number, (claim, until) in enumerate(self.claims)
            if number not in self.ended and self.now < until
        ]

    @rule(worker=st.sampled_from(WORKERS), lease_s=st.sampled_from([20, 60]))
    def claim(self, worker, lease_s):
        claim = self.inventory.claim(f"{worker}/{len(self.claims)}", lease_s)
        if claim is None:
            return
        held = self.held()
        assert claim.key[:2] not in {each.key[:2] for each in held}
        same = [each for each in held if each.account == claim.account]
        assert len(same) < self.limits.per_account
        assert len(held) < (self.limits.per_provider or 99)
        self.claims.append((claim, self.now + lease_s))

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def prolong(self, data):
        number = data.draw(st.integers(0, len(self.claims) - 1))
        claim, until = self.claims[number]
        mine = number not in self.ended and self.now < until
        assert self.inventory.prolong(claim) == mine
        if mine:
            self.claims[number] = (claim, self.now + claim.lease_s)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), how=st.sampled_from(["store", "invalid", "failure", "end", "release"]))
    def end(self, data, how):
        number = data.draw(st.integers(0, len(self.claims) - 1))
        claim, until = self.claims[number]
        mine = number not in self.ended and self.now < until
        before = None if mine and how != "invalid" else everything(self.inventory)
        minute = self.runs + self.stored + 1
        try:
            if how == "store":
                store(self.inventory, claim, minute, [f"i-{minute}"])
            elif how == "invalid":
                store(self.inventory, claim, minute, ["i-1", "i-1"])
            elif how == "failure":
                times = {"started_at": at(minute - 1), "ended_at": at(minute)}
                self.inventory.store_failure(
                    claim.account, claim.family, "x", provider="acme", claim=claim, **times
                )
            elif how == "end":
                self.inventory.end(claim, "complete")
            else:
                assert self.inventory.release(claim) == mine
        except NotMine:
            assert not mine
            assert everything(self.inventory) == before
            return
        except InvalidResource:
            assert everything(self.inventory) == before
            return
        if how == "release" and not mine:
            assert everything(self.inventory) == before
            return
        assert mine
        self.ended.add(number)
        self.stored += how in ("store", "failure")
        assert len(rows(self.inventory, "run")) == self.runs + self.stored

    @rule(seconds=st.sampled_from([5, 25, 70, 1000]))
    def wait(self, seconds):
        clock_moves_on(self.inventory, seconds)
        self.now += seconds

    @rule(every_s=st.sampled_from([60, 900]), both=st.booleans())
    def plan(self, every_s, both):
        accounts = ACCOUNTS if both else ACCOUNTS[:1]
        self.inventory.plan(
            [
                planned(a, f, h, every_s)
                for a in accounts
                for f in FAMILIES
                for h in ("get", "get_status")
            ],
            self.limits,
        )
        if not both:
            self.ended.update(
                number for number, (claim, _) in enumerate(self.claims) if claim.account == "b"
            )

    def teardown(self):
        assert self.inventory.check() == []


def test_whatever_the_interleaving_an_attempt_is_stored_once_at_most(inventory):
    INVENTORY[:] = [inventory]
    run_state_machine_as_test(
        Interleavings,
        settings=settings(
            derandomize=True,
            max_examples=EXAMPLES,
            phases=[Phase.generate],  # to shrink a story takes minutes
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_claim_is_found_by_an_index(file_inventory):
    """Whatever is due: a claim does not sort all of it."""
    statement = _next("sqlite", False, False)
    text = str(statement.compile(file_inventory._engine))
    with database.reading(file_inventory._engine) as connection:
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {text}", (0, 0, 0)[: text.count("?")]
        )
        lines = [row[-1] for row in plan]
    assert any("due_by_turn" in line for line in lines), lines
    assert not [line for line in lines if "ORDER BY" in line], lines
