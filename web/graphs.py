"""The graphs that questions are answered from, kept until something is polled: reading a large one takes seconds."""

import collections
import dataclasses
import datetime
import threading
from collections.abc import Collection, Hashable, Mapping
from typing import TYPE_CHECKING, Callable, Optional, Union

from inventory.model import Status, When
from topology import reading
from topology.graph import Graph
from topology.impact import Impact, impact
from topology.model import Key
from topology.parts import both, part
from web.groups import Changes, Marks
from web.tree import Tree

if TYPE_CHECKING:
    from inventory import Inventory
    from web.limited import Limited

KEPT = 4  # of a graph of 100,000 resources with its groups, some 200 MB each


@dataclasses.dataclass(frozen=True)
class View:
    """A graph and what is drawn of it. ``states``: what the newest status of each node says, of those that have one.
    ``words``: what became of nodes since an earlier time, with ``changes`` of links too; None if nobody asked."""

    graph: Graph
    states: Mapping[int, int]
    statuses: Mapping[Key, Status]
    tree: Tree
    marks: Marks
    words: Optional[Mapping[int, str]] = None
    changes: Optional[Changes] = None

    def impact(self, focals: Mapping[int, int]) -> tuple[Impact, Marks]:
        found = impact(self.graph, focals)
        return found, Marks(self.tree, found.states)


class Graphs:
    """``stamp``: what differs after each poll. Only the views that were wanted last are kept."""

    def __init__(self, inventory: "Union[Inventory, Limited]", stamp: Callable[[], Hashable]):
        self._inventory, self._stamp = inventory, stamp
        self._kept: collections.OrderedDict[Hashable, View] = collections.OrderedDict()
        self._lock = threading.Lock()
        self._reading = threading.RLock()  # one at a time: who waits finds what the other one read

    def view(
        self,
        as_of: Optional[When] = None,
        accounts: Optional[Collection[str]] = None,
        since: Optional[When] = None,
    ) -> View:
        """As of now, or of a time; of these accounts as if there were no others. ``since``: with what is different
        since then."""
        limited = None if accounts is None else frozenset(accounts)
        key = (self._stamp(), as_of, limited, since)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        with self._reading:
            with self._lock:
                found = self._kept.get(key)
            if found is None:
                found = self._read(as_of, limited, since)
                with self._lock:
                    self._kept[key] = found
                    while len(self._kept) > KEPT:
                        self._kept.popitem(last=False)
        return found

    def _read(
        self, as_of: Optional[When], accounts: Optional[frozenset[str]], since: Optional[When]
    ) -> View:
        if since is not None:
            return self._compared(
                self.view(since, accounts), self.view(as_of, accounts), since, as_of
            )
        if accounts is not None:
            whole = self.view(as_of)
            return _view(part(whole.graph, accounts), whole.statuses)
        graph = reading.read(self._inventory, as_of)
        return _view(graph, {each[:3]: each for each in self._inventory.statuses(as_of)})

    def _compared(self, before: View, after: View, since: When, as_of: Optional[When]) -> View:
        graph, nodes, links = both(before.graph, after.graph)
        now = datetime.datetime.now(datetime.timezone.utc)
        until: When = now if as_of is None else as_of
        for each in self._inventory.diff(since, until).differences:
            if each.before is not None and each.after is not None:  # changed, or created anew
                entry = each.after
                number = graph.numbers.get((entry.account, entry.type, entry.id))
                if number is not None:
                    nodes[number] = each.what
        statuses = {**before.statuses, **after.statuses}
        view = _view(graph, statuses)
        changes = Changes(view.tree, nodes, links)
        return dataclasses.replace(view, words=nodes, changes=changes)


def _view(graph: Graph, statuses: Mapping[Key, Status]) -> View:
    states = reading.states(graph, [*statuses.values()])
    tree = Tree(graph)
    return View(graph, states, statuses, tree, Marks(tree, states))
