"""Which resources of a poll came from which scope, so that an inventory knows what a failed scope may still hold."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable, Union

from shared.engine.gather import Answer

if TYPE_CHECKING:
    from inventory import Failure, Inventory

Key = tuple[str, str]  # type and id
Resources = list[dict[str, Any]]
Scopes = dict[str, Union[Resources, "Failure"]]

# Credentials that choose some of the scopes that there are. What they do not choose is unknown, and not gone.
CHOOSING = ("models", "region_name", "regions")
# The key of ``context.state`` for what other scopes hold too than the one it is stored in.
HELD_ELSEWHERE = "flexlocal:held elsewhere"


def by_scope(answers: Sequence[Answer], resources: Resources, mask: Callable[[str], str]) -> Scopes:
    """The resources of each scope, and a Failure for each one that failed.

    ``resources`` is what the handler returned; a resource of several scopes is in the first of them, as there. A
    scope that does not have the service holds nothing.
    """
    scopes: Scopes = {}
    there: set[Key] = set()
    for answer in answers:
        if answer.error is None:
            own = {key_of(each): each for each in answer.results.values()}
            scopes[answer.scope] = [each for key, each in own.items() if key not in there]
            there.update(own)
        elif answer.error.action == "skip":
            scopes[answer.scope] = []
        else:
            scopes[answer.scope] = _failure(answer, mask)
    if there != {key_of(each) for each in resources}:
        raise AssertionError("the scopes hold other resources than the handler returned")
    return scopes


def all_failed(answers: Sequence[Answer], mask: Callable[[str], str]) -> Scopes:
    """A Failure for each scope; empty if one did not fail, or no scope is known."""
    if not all(answer.error for answer in answers):
        return {}
    return {answer.scope: _failure(answer, mask) for answer in answers}


def _failure(answer: Answer, mask: Callable[[str], str]) -> "Failure":
    from inventory import Failure

    return Failure(mask(f"{type(answer.error).__name__}: {answer.error}"))


def failures(scopes: Scopes) -> dict[str, str]:
    """The error of each failed scope."""
    return {name: each.error for name, each in scopes.items() if not isinstance(each, list)}


def key_of(resource: Mapping[str, Any]) -> Key:
    return resource["type"], resource["id"]


def lists_all_scopes(credentials: Mapping[str, Any]) -> bool:
    """Whether the provider has no other scopes than those that are polled with these credentials."""
    names = {name.lower().removeprefix("os_") for name, value in credentials.items() if value}
    return names.isdisjoint(CHOOSING)


def keep_held_elsewhere(
    inventory: "Inventory",
    account: str,
    family: str,
    answers: Sequence[Answer],
    scopes: Scopes,
    state: Any,
    every: bool,
) -> None:
    """Add to ``scopes`` what is missing there, but may still be in a scope that was not polled completely.

    A resource that several scopes hold is stored in one of them. When that one no longer has it, it is gone only if
    the others have been polled too; until then it stays as it was. ``state`` (``context.state``) remembers which
    scopes hold a resource; ``every``: the provider has no scopes but those of ``answers``.
    """
    holders: dict[Key, set[str]] = {}
    for answer in answers:
        if answer.error is None:
            for resource in answer.results.values():
                holders.setdefault(key_of(resource), set()).add(answer.scope)
    seen = set(holders)
    before = {
        (kind, id): set(names) for kind, id, names in json.loads(state.get(HELD_ELSEWHERE) or "[]")
    }
    known = {status.scope for status in inventory.coverage(account=account, family=family).scopes}
    known = {name for name in known if not isinstance(scopes.get(name), list)}
    unknown = known & scopes.keys() if every else known
    for key, names in before.items():
        if names & unknown:
            holders.setdefault(key, set()).update(names & unknown)
    for name in unknown:
        for key in _stored(inventory, account, family, name):
            holders.setdefault(key, set()).add(name)
    kept = set()
    anywhere = next(each for each in scopes.values() if isinstance(each, list))
    for kind, id in sorted(before.keys() & holders.keys() - seen):
        stored = inventory.show(id, account=account, type=kind)
        if not stored:
            continue
        place = scopes.get(stored.entry.scope, anywhere if every else None)
        if stored.entry.present and isinstance(place, list):
            place.append(stored.document)
            kept.add((kind, id))
    several = [
        [*key, sorted(names)]
        for key, names in sorted(holders.items())
        if len(names) > 1 or key in kept
    ]
    if several or before:
        state.set(HELD_ELSEWHERE, json.dumps(several))


def _stored(inventory: "Inventory", account: str, family: str, scope: str) -> Iterator[Key]:
    """What the scope held when it was last polled."""
    after = 0
    while page := inventory.list(account=account, family=family, scope=scope, after=after):
        yield from ((entry.type, entry.id) for entry in page)
        after = page[-1].key
