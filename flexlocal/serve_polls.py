"""Polls that the REST service starts: one after another, in a thread of their own."""

import queue
import threading
from typing import TYPE_CHECKING, Optional

from flexlocal import accounts, terminal
from flexlocal.account import Account as Own
from flexlocal.account import AccountsError
from flexlocal.families import families
from flexlocal.poll_task import Store, Task, poll

if TYPE_CHECKING:
    from inventory import Inventory
    from web.service import Account

MOST = 100  # that wait


class Polls:
    """Of the accounts of the file, as it is at the time; of a demo, its accounts alone."""

    def __init__(self, inventory: "Inventory", accounts_file: Optional[str], demo: bool):
        self._file, self._demo = accounts_file, demo
        self._changed = threading.Condition()
        self._store = Store(inventory)
        self._waiting: queue.SimpleQueue[Optional[Task]] = queue.SimpleQueue()
        self._sources: set[tuple[str, str]] = set()
        self._thread: Optional[threading.Thread] = None

    def accounts(self) -> "list[Account]":
        from web.service import Account

        return [
            Account(each.name, each.provider, tuple(_families(each.provider)))
            for each in self._known().values()
        ]

    def _known(self) -> dict[str, Own]:
        """None where the file can't be read: who reads an inventory needs no accounts."""
        if self._demo:
            return accounts.demo()
        try:
            known = accounts.load(self._file)
        except AccountsError as error:
            terminal.say(f"accounts: {error}")
            return {}
        return {name: each for name, each in known.items() if not each.demo}

    def start(self, account: str, family: Optional[str]) -> list[str]:
        """The families that are polled. Raises MayNotPoll."""
        from web.service import MayNotPoll

        found = self._known().get(account)
        there = [] if found is None else _families(found.provider)
        wanted = there if family is None else [family]
        if found is None or not set(wanted) <= set(there) or not wanted:
            raise MayNotPoll(
                f"{account} has no such family; there are: {', '.join(there) or 'none'}"
            )
        if accounts.asks(found):
            raise MayNotPoll(f"{account} asks for a credential on the terminal: poll it there")
        with self._changed:
            tasks = [Task(found, each) for each in wanted if (account, each) not in self._sources]
            if not tasks:
                raise MayNotPoll(f"{account} is being polled: wait until that has ended")
            if len(self._sources) + len(tasks) > MOST:
                raise MayNotPoll(f"{len(self._sources)} polls wait already: wait for some of them")
            self._sources.update(task.source for task in tasks)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()
        for task in tasks:
            self._waiting.put(task)
        return [task.family for task in tasks]

    def _work(self) -> None:
        while (task := self._waiting.get()) is not None:
            result = poll(task, self._store)
            if result.error:
                terminal.say(f"{task.label}: {result.error}")
            with self._changed:
                self._sources.discard(task.source)
                self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Whether all polls have ended by then."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._sources, seconds)

    def stop(self) -> None:
        """Store nothing more but what is being stored now."""
        self._store.close()
        self._waiting.put(None)


def _families(provider: str) -> list[str]:
    return [name for name, cells in families().items() if provider in cells]
