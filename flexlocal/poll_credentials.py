"""The credentials of the accounts that are polled, read once for polls that follow one another."""

import math
import threading
import time
from collections.abc import Iterable
from typing import Callable, Optional, Union

from flexlocal import accounts
from flexlocal.account import AccountsError

KEPT_S = 300.0  # for which credentials are used, at most, before they are read anew


class Credentials:
    """Gives an account its credentials. They are read once for the polls of the account that run one after another.

    A ``secret_command`` may take half a minute and log in to a store of secrets: so what it printed, or that it failed, is
    used for five minutes, or half of the shortest interval if that is less. It is kept in memory only, until it is
    read anew. What a person typed is kept as long as the process runs.
    """

    def __init__(
        self,
        known: Iterable[accounts.Account],
        intervals: Iterable[Optional[int]] = (),
        clock: Callable[[], float] = time.monotonic,
    ):
        self._accounts = {account.name: account for account in known}
        self._clock = clock
        self._kept_s = min([KEPT_S, *(every_s / 2 for every_s in intervals if every_s)])
        self._typed: dict[str, accounts.Account] = {}
        # of polls of one account that begin together, one reads and the others wait for it
        self._locks = {name: threading.Lock() for name in self._accounts}
        self._read: dict[str, tuple[float, Union[accounts.Account, AccountsError]]] = {}

    def anew(self) -> "Credentials":
        """For a process that was forked: with what was typed, and locks of its own."""
        new = Credentials(self._accounts.values(), clock=self._clock)
        new._kept_s, new._typed = self._kept_s, self._typed
        return new

    def ask(self) -> None:
        """Ask for what a person has to type."""
        for name, account in self._accounts.items():
            if accounts.asks(account):
                self._typed[name] = accounts.resolved(account)

    def __call__(self, account: accounts.Account) -> accounts.Account:
        """Raises AccountsError."""
        if account.name in self._typed:
            return self._typed[account.name]
        with self._locks[account.name]:
            until, found = self._read.get(account.name, (-math.inf, account))
            if self._clock() >= until:
                try:
                    found = accounts.resolved(account)
                except AccountsError as error:
                    found = error
                self._read[account.name] = (self._clock() + self._kept_s, found)
        if isinstance(found, AccountsError):
            raise found
        return found
