"""What one caller may see of an inventory: the one place that limits a token to its accounts.

Operations read through this and nothing else, so what is of other accounts is not there for them: lists, searches,
counts, graphs, polls, events, and the times by which answers are cached.
"""

import dataclasses
import datetime
from collections.abc import Collection, Iterator
from typing import Any, Optional

from inventory import Inventory
from inventory.entries import Accounts
from inventory.errors import UnknownSnapshot
from inventory.inventory import (
    Entries,
    Neighbours,
    Points,
    Resources,
    Runs,
    ScopeRuns,
    Shareds,
    Snapshots,
    Statuses,
    Windows,
)
from inventory.model import (
    Comparison,
    Coverage,
    Diff,
    Found,
    History,
    Linked,
    Resource,
    Side,
    Snapshot,
    When,
    Window,
    WindowView,
)

Name = tuple[str, str, str]
STATUSES_S = 20  # how old the statuses of a kept graph may be; a part of a minute


class Limited:
    """As ``Inventory``, of some accounts; ``accounts`` None: of all."""

    def __init__(self, inventory: Inventory, accounts: Optional[Collection[str]] = None):
        self._inventory = inventory
        self.accounts_allowed = None if accounts is None else frozenset(accounts)

    def may_see(self, account: Optional[str]) -> bool:
        return self.accounts_allowed is None or account in self.accounts_allowed

    def _of(self, account: Optional[str]) -> Accounts:
        """The accounts of a question about one, or about all."""
        if self.accounts_allowed is None:
            return account
        if account is None:
            return self.accounts_allowed
        return account if account in self.accounts_allowed else frozenset()

    @property
    def address(self) -> str:
        return self._inventory.address

    # --- resources ---

    def list(self, account: Optional[str] = None, **wanted: Any) -> Entries:
        return self._inventory.list(account=self._of(account), **wanted)

    def count(self, account: Optional[str] = None, **wanted: Any) -> int:
        return self._inventory.count(account=self._of(account), **wanted)

    def resources(self, account: Optional[str] = None, **wanted: Any) -> Resources:
        return self._inventory.resources(account=self._of(account), **wanted)

    def every_resource(self, as_of: Optional[When] = None) -> Iterator[Resource]:
        after = 0
        while page := self.resources(as_of=as_of, after=after):
            yield from page
            after = page[-1].entry.key

    def show(self, id: str, account: Optional[str] = None, **more: Any) -> Optional[Resource]:
        return self._inventory.show(id, account=self._of(account), **more)

    def history(self, id: str, account: Optional[str] = None, **more: Any) -> History:
        return self._inventory.history(id, account=self._of(account), **more)

    def points(self, handler: str, id: str, account: Optional[str] = None, **more: Any) -> Points:
        return self._inventory.points(handler, id, account=self._of(account), **more)

    def neighbours(self, key: int, as_of: Optional[When] = None) -> tuple[Neighbours, Neighbours]:
        one, other = self._inventory.neighbours(key, as_of)
        return (
            [each for each in one if self.may_see(each.account)],
            [each for each in other if self.may_see(each.account)],
        )

    def search(self, question: str, account: Optional[str] = None, **more: Any) -> Found:
        return self._inventory.search(question, account=self._of(account), **more)

    def coverage(self, account: Optional[str] = None, **more: Any) -> Coverage:
        return self._inventory.coverage(account=self._of(account), **more)

    def diff(self, before: When, after: When, account: Optional[str] = None, **more: Any) -> Diff:
        return self._inventory.diff(before, after, account=self._of(account), **more)

    # --- polls ---

    def accounts(self) -> dict[str, tuple[str, dict[str, int]]]:
        return self._inventory.accounts(self._of(None))

    def scope_runs(self) -> ScopeRuns:
        return self._inventory.scope_runs(self._of(None))

    def runs(self, account: Optional[str] = None, **more: Any) -> Runs:
        return self._inventory.runs(account=self._of(account), **more)

    def runs_after(self, number: int, limit: int) -> Runs:
        return self._inventory.runs_after(number, self._of(None), limit)

    def last_run(self, until: Optional[datetime.datetime] = None) -> int:
        return self._inventory.last_run(self._of(None), until)

    def stamp(self) -> tuple[int, datetime.datetime]:
        """Differs after each poll of resources, and after a while: polls of statuses are not counted."""
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        return self.last_run(), now.replace(second=now.second // STATUSES_S * STATUSES_S)

    # --- snapshots and change windows ---

    def compare(
        self,
        before: When,
        after: When,
        design: Optional[When] = None,
        account: Optional[str] = None,
        **more: Any,
    ) -> Comparison:
        return self._inventory.compare(before, after, design, account=self._of(account), **more)

    def snapshots(self) -> Snapshots:
        return [self._snapshot(each) for each in self._inventory.snapshots()]

    def labelled(self, label: str) -> Optional[Snapshot]:
        """As a time: its counts, which take a while for some accounts alone, are those of all."""
        return next((each for each in self._inventory.snapshots() if each.label == label), None)

    def snapshot(self, label: str) -> Snapshot:
        return self._snapshot(self._inventory.snapshot(label))

    def baseline(self) -> Optional[Snapshot]:
        found = self._inventory.baseline()
        return None if found is None else self._snapshot(found)

    def pins(self) -> dict[str, datetime.datetime]:
        return self._inventory.pins()

    def _snapshot(self, each: Snapshot) -> Snapshot:
        """Its counts are of what may be seen."""
        if self.accounts_allowed is None:
            return each
        coverage = self.coverage(as_of=each)
        return dataclasses.replace(
            each,
            resources=self.count(as_of=each),
            scopes=len(coverage.scopes),
            complete=len(coverage.scopes) - len(coverage.failed),
            runs=(),
        )

    def windows(self) -> Windows:
        return [each for each in self._inventory.windows() if self._concerned(each)]

    def window(self, name: str, only: Optional[Collection[Name]] = None) -> WindowView:
        found = self._inventory.window(name, only)
        if not self._concerned(found.window):
            raise UnknownSnapshot(f"no change window {name!r}", "list those that there are")
        if self.accounts_allowed is None:
            return found
        return dataclasses.replace(
            found,
            comparison=self._comparison(found.comparison),
            missing=tuple(each for each in found.missing if self.may_see(each.scope.account)),
        )

    def _concerned(self, window: Window) -> bool:
        """A window of another account is none; one of all accounts is seen in part."""
        concerns = window.concerns
        named = [concerns.get("account"), (concerns.get("focal") or [None])[0]]
        return all(self.may_see(account) for account in named if account is not None)

    def _comparison(self, found: Comparison) -> Comparison:
        return dataclasses.replace(
            found,
            deviations=tuple(each for each in found.deviations if self.may_see(each.entry.account)),
            before=self._side(found.before),
            after=self._side(found.after),
            design=None if found.design is None else self._side(found.design),
        )

    def _side(self, side: Side) -> Side:
        scopes = tuple(each for each in side.coverage.scopes if self.may_see(each.account))
        return Side(side.when, Coverage(scopes))

    # --- for a graph ---

    def linked(self, as_of: Optional[When] = None) -> Linked:
        found = self._inventory.linked(as_of)
        if self.accounts_allowed is None:
            return found
        resources = [each for each in found.resources if self.may_see(each.account)]
        keys = {each.key for each in resources}
        return Linked(
            resources,
            {key: ends for key, ends in found.connections.items() if key in keys},
            {key: name for key, name in found.absent.items() if self.may_see(name[0])},
            {key: traits for key, traits in found.traits.items() if key in keys},
        )

    def shared(self, as_of: Optional[When] = None) -> Shareds:
        """Of more resources than ``linked`` has: what is not in that is not looked at."""
        return self._inventory.shared(as_of)

    def statuses(self, as_of: Optional[When] = None) -> Statuses:
        return [each for each in self._inventory.statuses(as_of) if self.may_see(each.account)]
