"""The graphs that questions are answered from, kept until something is polled: reading a large one takes seconds."""

import collections
import dataclasses
import datetime
import threading
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Callable, Generic, Optional, TypeVar

from inventory.model import Status, When
from topology import reading
from topology.graph import Graph
from topology.impact import Impact, impact
from topology.model import Key
from topology.times import both
from web.groups import Changes, Marks
from web.tree import Tree

if TYPE_CHECKING:
    from web.limited import Limited

KEPT = 4  # of a graph of 100,000 resources with its groups, some 200 MB each
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class View:
    """A graph and what is drawn of it. ``states``: what the newest status of each node says, of those that have one.
    ``words``: what became of nodes since an earlier time, with ``changes`` of links too; None if nobody asked."""

    graph: Graph
    tree: Tree
    marks: Marks
    statuses: Mapping[Key, Status] = dataclasses.field(default_factory=dict)
    states: Mapping[int, int] = dataclasses.field(default_factory=dict)
    words: Optional[Mapping[int, str]] = None
    changes: Optional[Changes] = None

    def impact(self, focals: Mapping[int, int]) -> tuple[Impact, Marks]:
        """Of nodes, each with the state that it is in."""
        found = impact(self.graph, focals)
        return found, Marks(self.tree, found.states)


class _Kept(Generic[T]):
    """What was wanted last. Of threads that want the same, one works it out, and the others wait for it."""

    def __init__(self) -> None:
        self._found: collections.OrderedDict[Hashable, T] = collections.OrderedDict()
        self._lock, self._working = threading.Lock(), threading.RLock()

    def get(self, key: Hashable, work: Callable[[], T]) -> T:
        found = self._known(key)
        if found is None:
            with self._working:
                found = self._known(key)
                if found is None:
                    found = work()
                    with self._lock:
                        self._found[key] = found
                        while len(self._found) > KEPT:
                            self._found.popitem(last=False)
        return found

    def _known(self, key: Hashable) -> Optional[T]:
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
            return self._found.get(key)


class Graphs:
    """Of what one set of callers may see."""

    def __init__(self, inventory: "Limited"):
        self._inventory = inventory
        self._graphs: _Kept[View] = (
            _Kept()
        )  # without statuses, which change more often than resources
        self._views: _Kept[View] = _Kept()
        self._maps: _Kept[object] = _Kept()

    def view(self, as_of: Optional[When] = None, since: Optional[When] = None) -> View:
        """As of now, or of a time. ``since``: with what is different since then."""
        key = (self._inventory.stamp(), as_of, since)
        return self._views.get(key, lambda: self._with_statuses(as_of, since))

    def map(self, as_of: Optional[When], work: Callable[[], object]) -> object:
        """What a map shows, as ``work`` finds it: it reads documents."""
        return self._maps.get((self._inventory.stamp(), as_of), work)

    def _with_statuses(self, as_of: Optional[When], since: Optional[When]) -> View:
        found = self._graph(as_of, since)
        given = [] if since is None else self._inventory.statuses(since)
        statuses = {each[:3]: each for each in given}
        statuses.update({each[:3]: each for each in self._inventory.statuses(as_of)})
        states = reading.states(found.graph, [*statuses.values()])
        marks = Marks(found.tree, states)
        return dataclasses.replace(found, statuses=statuses, states=states, marks=marks)

    def _graph(self, as_of: Optional[When], since: Optional[When]) -> View:
        key = (self._inventory.last_run(), as_of, since)
        if since is None:
            return self._graphs.get(key, lambda: _view(reading.read(self._inventory, as_of)))
        return self._graphs.get(key, lambda: self._compared(as_of, since))

    def _compared(self, as_of: Optional[When], since: When) -> View:
        before, after = self._graph(since, None), self._graph(as_of, None)
        graph, nodes, links = both(before.graph, after.graph)
        now = datetime.datetime.now(datetime.timezone.utc)
        until: When = now if as_of is None else as_of
        for each in self._inventory.diff(since, until).differences:
            if each.before is not None and each.after is not None:  # changed, or created anew
                entry = each.after
                number = graph.numbers.get((entry.account, entry.type, entry.id))
                if number is not None:
                    nodes[number] = each.what
        view = _view(graph)
        return dataclasses.replace(view, words=nodes, changes=Changes(view.tree, nodes, links))


def _view(graph: Graph) -> View:
    tree = Tree(graph)
    return View(graph, tree, Marks(tree, {}))
