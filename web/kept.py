"""The graphs of each set of accounts that callers are limited to."""

import collections
import threading
from typing import Optional

from web.graphs import Graphs
from web.limited import Limited

KEPT = 4  # sets of accounts; each may keep several graphs


class KeptGraphs:
    """The set that was not used for the longest time goes first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._graphs: collections.OrderedDict[Optional[frozenset[str]], Graphs] = (
            collections.OrderedDict()
        )

    def of(self, inventory: Limited) -> Graphs:
        key = inventory.accounts_allowed
        with self._lock:
            if key not in self._graphs:
                self._graphs[key] = Graphs(inventory)
                while len(self._graphs) > KEPT:
                    self._graphs.popitem(last=False)
            self._graphs.move_to_end(key)
            return self._graphs[key]
