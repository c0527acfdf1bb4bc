"""The cost of knowing: rates of change and their bounds, proposed intervals, and flexlocal inventory cost."""

import datetime
import json
import math
import random
import re
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory import Failure, Inventory, intervals
from inventory.intervals import DAY_S, Rate, chance_out_of_date, proposed, rate
from tests.inventories import ROOT, at, poll, runner, server

HOUR_S, WEEK_S = 3600, 7 * DAY_S
MINUTE = datetime.timedelta(minutes=1)


def binomial(count, of, share):
    """The chance of so many."""
    ways = math.lgamma(of + 1) - math.lgamma(count + 1) - math.lgamma(of - count + 1)
    return math.exp(ways + count * math.log(share) + (of - count) * math.log1p(-share))


# --- rates ---


@pytest.mark.parametrize(
    "changed, polls, expected",  # tables of Clopper and Pearson's bounds
    [
        (0, 10, (0, 0.30849711)),
        (5, 10, (0.18708603, 0.81291397)),
        (10, 10, (0.69150289, 1)),
        (1, 1000, (0.0000253175, 0.00555892)),
    ],
)
def test_the_bounds_of_a_share_are_those_of_the_tables(changed, polls, expected):
    assert intervals.bounds(changed, polls) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("polls", [1, 7, 30, 200])
@pytest.mark.parametrize("a_day", [0.05, 1, 20, 200])
def test_the_bounds_hold_the_true_rate_as_often_as_they_say(polls, a_day):
    """Exactly, by the chance of each count: no simulation."""
    every = 1800
    share = 1 - math.exp(-a_day * every / DAY_S)
    missed = 0.0
    for changed in range(polls + 1):
        found = rate([(every, True)] * changed + [(every, False)] * (polls - changed))
        if not found.least <= a_day <= found.most:
            missed += binomial(changed, polls, share)
    assert missed <= 1 - intervals.CONFIDENCE


def simulated(chance, a_day, gaps):
    """What polls with these gaps see of changes at this rate."""
    return [(gap, chance.random() < 1 - math.exp(-a_day * gap / DAY_S)) for gap in gaps]


@pytest.mark.parametrize("a_day", [0.1, 3, 60])
def test_polls_at_any_times_see_the_simulated_rate(a_day):
    """Also where polls failed for hours, or were made by hand in between."""
    chance = random.Random(20)
    missed = 0
    for _ in range(100):
        gaps = [chance.choice((30, 900, 900, 960, 7200, 40000)) for _ in range(100)]
        found = rate(simulated(chance, a_day, gaps))
        assert found.least <= found.a_day <= found.most
        missed += not found.least <= a_day <= found.most
    assert missed <= 100 * (1 - intervals.CONFIDENCE)


@given(st.lists(st.tuples(st.floats(1, 90000), st.booleans()), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_the_estimate_expects_as_many_changes_as_were_seen(gaps):
    found = rate(gaps)
    assert (found.polls, found.changed) == (len(gaps), sum(there for _, there in gaps))
    assert 0 <= found.least <= found.a_day <= found.most
    if math.isfinite(found.a_day):
        expected = sum(1 - math.exp(-found.a_day * round(gap) / DAY_S) for gap, _ in gaps)
        assert expected == pytest.approx(found.changed, abs=1e-6)
    else:
        assert found.changed == found.polls


def test_without_polls_nothing_is_known():
    assert rate([]) == Rate(0, 0, 0.0, 0.0, 0.0, math.inf)
    assert proposed(rate([]), HOUR_S, 0.05) is None


# --- intervals ---


@pytest.mark.parametrize("a_day, every, stale", [(5, 7200, 3600), (5, 900, 0), (100, 40000, 900)])
def test_the_chance_is_that_of_a_simulation(a_day, every, stale):
    """At a random moment: did something change longer ago than ``stale``, since the last poll?"""
    chance = random.Random(4)
    count = 20000
    outdated = 0
    for _ in range(count):
        room = chance.random() * every - stale
        outdated += room > 0 and chance.expovariate(a_day / DAY_S) < room
    assert chance_out_of_date(a_day, every, stale) == pytest.approx(outdated / count, abs=0.015)


@given(st.floats(1e-9, 1e4), st.floats(1, 1e5), st.floats(0, 1e5), st.floats(1, 10))
@settings(max_examples=100, deadline=None)
def test_more_changes_longer_intervals_and_less_patience_are_more_often_out_of_date(
    a_day, every, stale, more
):
    found = chance_out_of_date(a_day, every, stale)
    assert 0 <= found <= max(0.0, 1 - stale / every)
    slack = 1e-9 * found + 1e-15
    assert chance_out_of_date(a_day * more, every, stale) >= found - slack
    assert chance_out_of_date(a_day, every * more, stale) >= found - slack
    assert chance_out_of_date(a_day, every, stale / more) >= found - slack
    assert chance_out_of_date(math.inf, every, stale) >= found - slack
    assert chance_out_of_date(0, every, stale) == 0


@pytest.mark.parametrize("a_day", [0.02, 0.5, 4, 48, 1000])
@pytest.mark.parametrize("stale_s, chance", [(HOUR_S, 0.05), (0, 0.1), (900, 0.01)])
def test_what_is_proposed_keeps_its_promise_and_is_not_timid(a_day, stale_s, chance):
    """With the true rate, which the proposal does not know. Exactly, of two weeks of polls each half an hour."""
    polls, every = 672, 1800
    share = 1 - math.exp(-a_day * every / DAY_S)

    def keeps(step):
        return step == intervals.SHORTEST_S or chance_out_of_date(a_day, step, stale_s) <= chance

    best = max(filter(keeps, intervals.STEPS_S))
    kept = near = 0.0
    for changed in range(polls + 1):
        likely = binomial(changed, polls, share)
        if likely > 1e-6:
            gaps = [(every, True)] * changed + [(every, False)] * (polls - changed)
            step = proposed(rate(gaps), stale_s, chance)
            assert intervals.SHORTEST_S <= step <= DAY_S
            kept += likely * keeps(step)
            near += likely * (intervals.STEPS_S.index(best) - intervals.STEPS_S.index(step) <= 1)
    assert kept >= 0.974
    if 0.05 < share < 0.9:  # of fewer changes, or of more, little is known after two weeks
        assert near > 0.9


def test_a_proposal_is_never_shorter_than_allowed_nor_longer_than_a_day():
    quiet = rate([(900, False)] * 2688 * 8)
    busy = rate([(900, True)] * 2688)
    assert proposed(quiet, DAY_S, 0.5) == DAY_S
    assert proposed(busy, 0, 0.05) == intervals.SHORTEST_S
    assert proposed(busy, 0, 0.05, shortest_s=300) == 300
    assert proposed(busy, 0, 0.05, shortest_s=250) == 250
    assert proposed(quiet, 0, 0.0001, shortest_s=3 * DAY_S) == DAY_S
    assert (
        proposed(busy, HOUR_S, 0.05) == HOUR_S
    )  # polled each hour, nothing is out of date for longer


@pytest.mark.parametrize(
    "gaps, enough",
    [
        ([(WEEK_S / 30, False)] * 29, False),
        ([(WEEK_S / 30, False)] * 30, True),
        ([(900, True)] * 671, False),
        ([(900, True)] * 672, True),
    ],
)
def test_nothing_is_proposed_of_too_few_polls_or_days(gaps, enough):
    found = rate(gaps)
    assert found.enough is enough
    assert (proposed(found, HOUR_S, 0.05) is not None) is enough


# --- what the inventory counts ---


def store(inventory, minute, scopes, **more):
    """A poll of one minute that begins at the minute."""
    more = {"account": "shop", "family": "servers", **more}
    inventory.store(
        scopes=scopes, provider="acme", started_at=at(minute), ended_at=at(minute) + MINUTE, **more
    )


def test_polls_calls_and_changes_are_counted_by_account_and_family(inventory):
    store(inventory, 0, {"eu": [server("a")]}, calls=2, retries=0)
    store(inventory, 10, {"eu": [server("a")]}, calls=4, retries=1)
    inventory.store_failure(
        "shop", "servers", "down", provider="acme", started_at=at(20), ended_at=at(21), calls=9, retries=8
    )  # fmt: skip
    store(inventory, 30, {"eu": [server("a", "b")], "us": Failure("down")})  # not counted
    store(inventory, 50, {"eu": [server("a", "b")], "us": [server("u")]}, calls=1, retries=0)
    store(inventory, 60, {"eu": [server("a", "b", "stopped")], "us": [server("u")]}, calls=4)
    store(inventory, 0, {"eu": []}, account="lab", family="volumes", calls=7, retries=0)
    lab, shop = inventory.costs(at(0)).sources
    assert (lab.account, lab.family, lab.polls, lab.calls) == ("lab", "volumes", 1, 7)
    assert (lab.polls_a_day, lab.every_s, lab.calls_a_day, lab.rate.polls) == (None, None, None, 0)
    assert (shop.polls, shop.incomplete, shop.calls, shop.retries) == (6, 2, 4.0, 1.8)
    assert (shop.every_s, shop.polls_a_day, shop.calls_a_day) == (600, 120, 480)
    assert shop.oldest_at == at(61)
    # complete polls at 0, 10, 50 and 60: the second gap holds what the partial poll in it saw
    assert (shop.rate.polls, shop.rate.changed, shop.rate.span_s) == (3, 1, 3600)
    assert inventory.costs(at(0), fast=True).sources[1].rate.changed == 2
    assert inventory.costs(at(0), account="lab").sources == (lab,)
    assert inventory.costs(at(0), family="servers").sources == (shop,)
    assert inventory.costs(at(0), provider="other").sources == ()
    assert inventory.costs(at(55)).sources[0].polls == 1


def test_where_a_scope_was_never_complete_there_is_no_age(inventory):
    poll(inventory, 0, {"eu": [], "us": "down"})
    assert inventory.costs(at(-9)).sources[0].oldest_at is None


def test_polls_that_retention_left_out_are_not_taken_for_rare_ones(inventory):
    """It removes those in which nothing changed: the ones that are left would all have seen a change."""
    day = 24 * 60
    for number in range(60):
        poll(inventory, number * day, [server("a", f"name {number // 3}")])
    inventory.thin(now=at(60 * day))
    found = inventory.costs(at(0))
    assert found.since == at(30 * day)
    (source,) = found.sources
    assert source.polls == 30
    assert source.rate.changed / source.rate.polls == pytest.approx(1 / 3, abs=0.05)


# --- the command ---


@pytest.fixture
def run(file, monkeypatch, capsys):
    return runner("inventory", file, monkeypatch, capsys)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Ten days of polls each two hours, of which every tenth saw a change; and an account that is new."""
    file = tmp_path_factory.mktemp("cost") / "inventory.db"
    now = datetime.datetime.now(datetime.timezone.utc)
    with Inventory(file, create=True) as inventory:
        for account, polls in (("shop", 12 * 10), ("new", 2)):
            for number in range(polls, 0, -1):
                started = now - number * 120 * MINUTE
                inventory.store(
                    account, "servers", {"eu": [server("a", f"name {number // 10}")]}, provider="aws",
                    started_at=started, ended_at=started + MINUTE, calls=3, retries=1,
                )  # fmt: skip
    return file


def test_the_command_shows_cost_and_proposals(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    status, out, err = run("cost")
    assert (status, err) == (0, "")
    head, new, shop, foot = out.splitlines()
    assert head.split() == [
        "ACCOUNT", "FAMILY", "EVERY", "PROPOSED", "AGE", "CALLS/DAY", "SAME", "CHANGES/DAY",
        "POLLS/DAY", "RETRIES/POLL", "PROVIDER",
    ]  # fmt: skip
    cells = [line.split() for line in (new, shop)]
    assert [each[:4] for each in cells] == [
        ["new", "servers", "2h", "-"],
        ["shop", "servers", "2h", "2h"],
    ]
    assert [each[5:7] for each in cells] == [["36", "100%"], ["36", "90%"]]
    assert foot.startswith("122 polls since 20")
    assert "72 calls a day, 72 as proposed" in foot
    assert "not enough polls of 1 for a proposal (it takes 30 in 7 days)" in foot
    status, out, _ = run("cost", "--account", "shop", "--format", "json", "--stale", "2h")
    (row,) = json.loads(out)
    assert (row["every_s"], row["proposed_s"], row["enough_polls"]) == (7200, 14400, True)
    assert 0 < row["changes_a_day_least"] < row["changes_a_day"] < row["changes_a_day_most"] < 10
    assert row["chance"] <= 0.05
    assert (row["calls_a_poll"], row["retries_a_poll"], row["polls"]) == (3, 1, 120)


def test_the_command_names_what_is_wrong(run):
    assert run("cost", "--since", "1s")[0] == 1
    for arguments, words in (
        (["--account", "shpo"], "no account 'shpo'; there are new, shop; did you mean 'shop'?"),
        (["--chance", "0"], "--chance 0 should be a percentage"),
        (["--stale", "soon"], "--stale 'soon' should be a time"),
        (["--shortest", "1s"], "--shortest '1s' should be a time from 10s"),
    ):  # fmt: skip
        status, out, err = run("cost", *arguments)
        assert (status, out) == (2, "")
        assert words in err


def test_the_commands_of_the_page_run(run, monkeypatch):
    page = (ROOT / "docs" / "operate" / "cost.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    for line in block.splitlines():
        _, _, *arguments = shlex.split(line)
        status, out, _ = run(*arguments)
        assert (line, status) == (line, 0)
        assert "shop" in out
    minutes = [step // 60 for step in intervals.STEPS_S if 60 <= step < HOUR_S]
    assert f"1, {', '.join(map(str, minutes[1:-1]))} and {minutes[-1]} minutes" in page
    for words in (f"Fewer than {intervals.FEWEST_POLLS} complete", "less than a week of them"):
        assert words in " ".join(page.split())
