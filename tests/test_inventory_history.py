"""History of a resource, and diffs between two times."""

import copy
import itertools
import os
import random
from unittest import mock

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from inventory import ABSENT, Change, Inventory, apply, compare, errors
from inventory.changes import compare_documents
from inventory.diff import RECREATED
from inventory.model import Bounds, Moved
from tests.inventories import at, fail, network, poll, server

# Shrinking a story takes minutes; EXAMPLES=1000 draws more of them.
LAWS = settings(deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))

# --- documents ---

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.0, 1.0, 1.5])
    | st.text("a/~\0", max_size=2),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.text("ab/~\0", max_size=2), inner, max_size=3),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(st.text("ab/~\0", max_size=2), VALUES, max_size=4)


@settings(LAWS, max_examples=100)
@given(DOCUMENTS, DOCUMENTS)
def test_the_laws_of_comparing_two_documents(one, other):
    before = copy.deepcopy(one)
    changes = compare(one, other)
    assert repr(apply(one, changes)) == repr(apply(other, [])) or apply(one, changes) == other
    assert compare(apply(one, changes), other) == []
    assert one == before  # nothing was changed in place
    assert compare(one, one) == []
    assert [each.mirrored() for each in compare(other, one)] == changes


@pytest.mark.parametrize(
    "before, after, changes",
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, [Change("/a/b", 1, 2)]),
        ({"a": 1}, {"a": True}, [Change("/a", 1, True)]),
        ({"a": 1}, {"a": 1.0}, [Change("/a", 1, 1.0)]),
        ({"a": None}, {}, [Change("/a", None, ABSENT)]),
        ({}, {"a/b": {"~": 0}}, [Change("/a~1b", ABSENT, {"~": 0})]),
        ({}, {"a\0": 0, "~2": 0}, [Change("/a~2", ABSENT, 0), Change("/~02", ABSENT, 0)]),
        ({"a": [1, 2]}, {"a": [2, 1]}, [Change("/a", [1, 2], [2, 1])]),
        ({"a": {}}, {"a": []}, [Change("/a", {}, [])]),
    ],
)
def test_changes(before, after, changes):
    assert compare(before, after) == changes


def test_states_and_counters_are_fast():
    changes = compare_documents(
        server("i-1", status="up"), server("i-1", "x", "stopped", status="down")
    )
    assert [(each.path, each.fast) for each in changes] == [
        ("/base/name", False),
        ("/details/server/state", True),
        ("/metadata/provider_specific/status", True),
    ]


# --- history ---


def test_history_has_bounds_from_complete_polls(inventory):
    poll(inventory, 10, [server("i-1")])
    fail(inventory, 12)
    poll(inventory, 14, {"eu": "throttled", "us": []})
    poll(inventory, 20, {"eu": [server("i-1", "web")], "us": []})
    poll(inventory, 30, {"eu": [], "us": []})
    poll(inventory, 40, {"eu": [], "us": "throttled"})
    poll(inventory, 50, {"eu": [server("i-1", "web", tags={"a": "b"})], "us": []})
    history = inventory.history("i-1")
    assert history.every_version_since is None
    assert [(event.what, event.when) for event in history.events] == [
        ("appeared", Bounds(None, at(10))),
        ("changed", Bounds(at(9), at(20))),  # from the start of the last poll that saw it unchanged
        ("gone", Bounds(at(19), at(30))),
        ("came back", Bounds(at(39), at(50))),
    ]
    assert history.events[1].changes == (Change("/base/name", "i-1", "web"),)
    assert history.events[3].changes == (Change("/metadata/provider_metadata/a", ABSENT, "b"),)
    assert str(history.events[1].when) == "between 2026-01-01T10:09:00Z and 2026-01-01T10:20:00Z"
    assert str(history.events[0].when) == "before 2026-01-01T10:10:00Z"


def test_a_history_as_of_a_time_is_what_was_known_then(inventory):
    poll(inventory, 1, [])
    poll(inventory, 2, [server("i-1", "web")])
    poll(inventory, 3, [server("i-1", "db")])
    poll(inventory, 4, [])
    poll(inventory, 5, [server("i-1", "db")])

    def known(minute):
        found = inventory.history("i-1", as_of=at(minute))
        return found.entry.name, found.entry.present, [each.what for each in found.events]

    with pytest.raises(errors.UnknownResource, match="had not come yet"):
        known(1)
    assert known(2) == ("web", True, ["appeared"])
    assert known(3.5) == ("db", True, ["appeared", "changed"])
    assert known(4) == ("db", False, ["appeared", "changed", "gone"])
    assert known(5) == ("db", True, ["appeared", "changed", "gone", "came back"])
    assert inventory.history("i-1").events == inventory.history("i-1", as_of=at(5)).events


def test_the_first_poll_of_a_scope_knows_no_time_before(inventory):
    poll(inventory, 1, {"eu": [server("i-1")]}, all_scopes=False)
    poll(inventory, 2, {"eu": [server("i-1")], "us": [server("i-2")]})
    assert inventory.history("i-2").events[0].when == Bounds(None, at(2))


def test_states_have_a_history_of_their_own(inventory):
    for minute, state in enumerate(["running", "stopped", "stopped", "running"], 1):
        poll(inventory, minute, [server("i-1", state=state)])
    assert [event.what for event in inventory.history("i-1").events] == ["appeared"]
    events = inventory.history("i-1", fast=True).events
    assert [(event.when.before, event.changes) for event in events[1:]] == [
        (at(2), (Change("/details/server/state", "running", "stopped", fast=True),)),
        (at(4), (Change("/details/server/state", "stopped", "running", fast=True),)),
    ]


@settings(LAWS, max_examples=8)
@given(st.integers(0, 2**32))
def test_a_real_change_lies_within_its_bounds(shared, seed):
    """Polls at random times of a resource that changes at random times; each poll reads it at a random moment."""
    chance = random.Random(seed)
    changes = sorted(chance.uniform(0, 100) for _ in range(5))
    account, minute = f"account-{next(ACCOUNTS)}", 0.0
    while minute < 100:
        start = minute + chance.uniform(0, 8)
        read, minute = sorted(start + chance.uniform(0.1, 5) for _ in range(2))
        if chance.random() < 0.3:
            continue  # it failed
        level = sum(each <= read for each in changes)
        times = {"started_at": at(start), "ended_at": at(minute)}
        shared.store(
            account, "servers", {"eu": [server("i-1", level=level)]}, provider="acme", **times
        )
    for event in shared.history("i-1", account=account).events[1:]:
        (change,) = event.changes
        for number in range(change.before, change.after):
            assert event.when.after <= at(changes[number]) <= event.when.before


# --- diff ---


def difference(inventory, before, after, **more):
    return inventory.diff(at(before), at(after), **more).differences


def test_added_gone_and_changed(inventory):
    poll(inventory, 1, [server("i-1"), server("i-2"), server("i-3")])
    poll(inventory, 5, [server("i-1"), server("i-2", "web"), server("i-4")])
    gone, renamed, added = difference(inventory, 1, 5)
    assert (gone.what, gone.severity, gone.before.id, gone.after) == ("gone", "high", "i-3", None)
    assert (gone.when, renamed.when, added.when) == (Bounds(at(0), at(5)),) * 3
    assert (renamed.what, renamed.severity, renamed.entry.id) == ("changed", "medium", "i-2")
    assert (renamed.before.name, renamed.after.name) == ("i-2", "web")
    assert renamed.changes == (Change("/base/name", "i-2", "web"),)
    assert (added.what, added.severity, added.before, added.after.id) == (
        "added",
        "low",
        None,
        "i-4",
    )


def test_what_changed_and_changed_back_is_no_difference(inventory):
    for minute, name in enumerate(["a", "b", "a"], 1):
        poll(inventory, minute, [server("i-1", name), *([server("i-2")] if minute == 2 else [])])
    assert difference(inventory, 1, 3) == ()
    assert [each.entry.id for each in difference(inventory, 1, 2)] == ["i-1", "i-2"]
    poll(inventory, 4, [])
    poll(inventory, 5, [server("i-1", "a")])
    assert difference(inventory, 3, 5) == ()


def test_a_change_before_the_times_is_no_difference_though_it_was_stored_between_theirs(inventory):
    poll(inventory, 0, [server("a", "zero")], "one")
    poll(inventory, 1, [server("b", "zero")], "two")
    poll(inventory, 5, [server("b", "first")], "two")
    poll(inventory, 1, [server("a", "first")], "one")
    poll(inventory, 6, [server("a", "second")], "one")
    found = {
        each.entry.id: [(one.before, one.after) for one in each.changes]
        for each in inventory.diff(at(2), at(10)).differences
    }
    assert found == {"a": [("first", "second")], "b": [("zero", "first")]}


def test_the_times_of_a_difference_span_all_its_changes(inventory):
    for minute in (10, 20, 30, 40):
        poll(inventory, minute, [server("i-1", size=minute if minute < 40 else 30)])
    (one,) = difference(inventory, 10, 40)
    assert one.when == Bounds(at(9), at(30))


def test_moved_connections(inventory):
    first = {"network": [{"id": "n-1"}, {"id": "n-2"}], "volume": [{"id": "v-1"}]}
    second = {"network": [{"id": "n-2"}, {"id": "n-3"}], "volume": [{"id": "v-1"}, {"id": "v-2"}]}
    poll(inventory, 1, [server("i-1", connections=first), server("i-2", connections={})])
    poll(inventory, 2, [server("i-1", connections=second), server("i-2", connections=first)])
    moved, more = difference(inventory, 1, 2)
    assert moved.moved == (Moved("network", ("n-1",), ("n-3",)), Moved("volume", (), ("v-2",)))
    assert moved.severity == "high"
    assert more.severity == "medium"
    assert more.moved[0] == Moved("network", (), ("n-1", "n-2"))


def test_what_was_created_anew(inventory):
    poll(
        inventory, 1, [server("i-1", "web", role="front"), server("i-2", "db"), server("i-3", "db")]
    )
    poll(
        inventory,
        2,
        [
            server("i-9", "web", role="front"),
            server("i-8", "db"),
            server("i-7", "web", role="back"),
        ],
    )
    found = difference(inventory, 1, 2)
    (anew,) = [each for each in found if each.what == RECREATED]
    assert (anew.before.id, anew.after.id, anew.severity) == ("i-1", "i-9", "medium")
    assert anew.changes == (Change("/id", "i-1", "i-9"),)
    # two that are gone and one that is new: nobody knows which it replaces
    assert sorted(each.what for each in found) == ["added", "added", "gone", "gone", "re-created"]


@pytest.mark.parametrize(
    "before, after, severity",
    [
        (server("i-1"), server("i-1", state="stopped"), "high"),
        (server("i-1", state="stopped"), server("i-1"), "medium"),
        (server("i-1"), server("i-1", ip="10.0.0.1"), "medium"),
        (server("i-1"), server("i-1", tags={"a": "b"}), "low"),
        (server("i-1"), server("i-1", note="x"), "low"),
        (server("i-1", status="up"), server("i-1", status="down"), "low"),
    ],
)
def test_severities(inventory, before, after, severity):
    poll(inventory, 1, [before])
    poll(inventory, 2, [after])
    (one,) = difference(inventory, 1, 2)
    assert one.severity == severity


def test_a_diff_without_states(inventory):
    poll(inventory, 1, [server("i-1"), server("i-2")])
    poll(inventory, 2, [server("i-1", state="stopped"), server("i-2", "web", state="stopped")])
    assert len(difference(inventory, 1, 2)) == 2
    (one,) = difference(inventory, 1, 2, fast=False)
    assert one.changes == (Change("/base/name", "i-2", "web"),)


def test_a_diff_of_some(inventory):
    poll(inventory, 1, {"eu": [server("i-1")], "us": [server("i-2")]})
    poll(inventory, 1, [network("n-1")], family="networks")
    poll(inventory, 1, [server("o-1")], account="office", provider="other")
    assert len(difference(inventory, 0, 1)) == 4
    for chosen, found in (
        ({"account": "office"}, ["o-1"]),
        ({"provider": "acme"}, ["i-1", "i-2", "n-1"]),
        ({"family": "networks"}, ["n-1"]),
        ({"scope": "us"}, ["i-2"]),
        ({"type": "server", "account": "shop"}, ["i-1", "i-2"]),
    ):
        assert sorted(each.entry.id for each in difference(inventory, 0, 1, **chosen)) == found


def test_a_diff_says_what_it_rests_on(inventory):
    poll(inventory, 1, {"eu": [server("i-1")], "us": []})
    poll(inventory, 2, {"eu": "throttled", "us": []})
    both = inventory.diff(at(1), at(2))
    assert both.differences == ()
    assert both.before.complete
    assert [each.label for each in both.after.failed] == ["shop servers eu"]
    with pytest.raises(errors.InvalidQuestion):
        inventory.diff(at(1), at(2).replace(tzinfo=None))


# --- the laws, and a model ---

ACCOUNTS = itertools.count()


@pytest.fixture(scope="module")
def shared(tmp_path_factory, postgresql):
    """One inventory for all stories, each of which has an account of its own."""
    url = postgresql.new() if postgresql else tmp_path_factory.mktemp("shared") / "x.db"
    with Inventory(url, create=True) as opened:
        yield opened


NAMES = ("a", "b", "c", "d")
RESOURCES = st.dictionaries(
    st.sampled_from(NAMES),
    st.builds(
        lambda name, state, size, ip, target: (name, state, size, ip, target),
        st.sampled_from(["one", "two"]),
        st.sampled_from(["running", "stopped"]),
        st.none() | st.integers(1, 2),
        st.none() | st.sampled_from(["10.0.0.1", "10.0.0.2"]),
        st.none() | st.sampled_from(NAMES),
    ),
)
# of each scope: its resources, None where it fails; or the whole poll fails
POLLS = st.lists(
    st.none()
    | st.tuples(
        st.dictionaries(st.sampled_from(["eu", "us"]), st.none() | RESOURCES, min_size=1),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


def resource(id, of):
    name, state, size, ip, target = of
    specific = {} if size is None else {"size": size}
    connections = {} if target is None else {"server": [{"id": target}]}
    return server(id, name, state, ip, {"name": name}, connections, **specific)


def without_noise(document):
    base = {key: value for key, value in document["base"].items() if key != "last_seen_at"}
    return {**document, "base": base}


def model(scopes, all_scopes, held):
    """What is there after a poll: by id, the scope and the document."""
    if not any(resources is not None for resources in scopes.values()):
        return held
    after = {
        id: (scope, document)
        for id, (scope, document) in held.items()
        if scopes.get(scope, {} if all_scopes else None) is None
    }
    for scope, resources in scopes.items():
        for id, of in (resources or {}).items():
            after[id] = (scope, without_noise(resource(id, of)))
    return after


def unique(scopes):
    """Each resource in one scope."""
    seen = set()
    kept = {}
    for scope, resources in scopes.items():
        if resources is not None:
            resources = {id: of for id, of in resources.items() if id not in seen}
            seen.update(resources)
        kept[scope] = resources
    return kept


def state(inventory, account, minute=None):
    when = None if minute is None else at(minute)
    listed = inventory.list(account=account, as_of=when)
    shown = {entry.id: inventory.show(entry.id, account=account, as_of=when) for entry in listed}
    assert [shown[entry.id].entry for entry in listed] == listed
    assert all(each.exact for each in shown.values())
    return {id: without_noise(each.document) for id, each in shown.items()}


def applied(before, differences):
    """A diff applied to what there was."""
    after = dict(before)
    for each in differences:
        if each.before:
            old = after.pop(each.before.id)
        if each.what == "added":
            after[each.after.id] = each.changes[0].after
        elif each.after:
            after[each.after.id] = apply(old, each.changes)
    return after


@settings(LAWS, max_examples=int(os.environ.get("EXAMPLES", "15")))
@given(POLLS)
def test_stories_of_polls_against_a_model(shared, polls):
    account = f"account-{next(ACCOUNTS)}"
    held, history = {}, [{}]
    for minute, given_poll in enumerate(polls, 1):
        if given_poll is None:
            fail(shared, minute, account=account)
        else:
            scopes, all_scopes = unique(given_poll[0]), given_poll[1]
            held = model(scopes, all_scopes, held)
            stored = {
                scope: "failed" if found is None else [resource(*each) for each in found.items()]
                for scope, found in scopes.items()
            }
            poll(shared, minute, stored, account, all_scopes=all_scopes)
        history.append({id: document for id, (_, document) in held.items()})
        assert {entry.id: entry.scope for entry in shared.list(account=account)} == {
            id: scope for id, (scope, _) in held.items()
        }
    assert state(shared, account) == history[-1]
    for minute, expected in enumerate(history):
        assert state(shared, account, minute) == expected
    last = len(history) - 1
    for before, after in ((0, last), (last // 2, last), (last, last // 3), (last // 3, last // 2)):
        found = difference(shared, before, after, account=account)
        assert applied(history[before], found) == history[after]
        with mock.patch("inventory.diff._changed_once", return_value={}):  # by documents alone
            assert difference(shared, before, after, account=account) == found
        back = difference(shared, after, before, account=account)
        assert {mirror(each) for each in back} == {
            (
                {"added": "gone", "gone": "added"}.get(each.what, each.what),
                each.after and each.after.id,
                each.before and each.before.id,
                repr([one.mirrored() for one in each.changes]),
                each.when,
            )
            for each in found
        }
    assert difference(shared, last, last, account=account) == ()


def mirror(each):
    """What a difference says, so that it can be compared with its mirror image."""
    return (
        each.what,
        each.before and each.before.id,
        each.after and each.after.id,
        repr(list(each.changes)),
        each.when,
    )
