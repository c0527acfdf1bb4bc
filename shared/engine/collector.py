"""Python's garbage collector while records are converted.

A poll makes millions of objects and hardly any cycle, and the collector looks at the youngest of them after each
700: that is a fifth of a poll's CPU. Within ``less_often`` it does so after each 500,000: more than one page of
records, so that most of a page is freed before the collector would look at it. It is never off: what cycles there
are take some MB until then.

At the end of a poll with a long list, the collector would look at the whole list at once, and find nothing: that is
a tenth of the poll's CPU. So what exists then is declared old, and a full collection precedes the next poll of the
process, when the list is usually gone.
"""

import contextlib
import gc
import threading
from collections.abc import Iterator

# Made and not freed, until the collector runs. A page of 1,000 EC2 instances is 140,000 elements as XML; with 50,000
# here, a third of the time that their parser takes is the collector's.
OBJECTS = 500_000
MANY = 50_000  # young objects at a poll's end: as many as a process with our imports has in all
FROZEN = 5_000  # a host that freezes objects has more of them; Python 3.12 itself has some hundred

_lock = threading.Lock()
_polls = 0  # which run now, in the whole process
_before = 0
_aged = False  # whether a poll has ended with many objects since the last full collection here


@contextlib.contextmanager
def less_often() -> Iterator[None]:
    """Raise the collector's first threshold; the last of several polls at once restores it.

    A host that has turned the collector off, or set a larger threshold, is left alone; so is a threshold that
    somebody else sets meanwhile.
    """
    global _polls, _before
    with _lock:
        _polls += 1
        youngest, *older = gc.get_threshold()
        if _polls == 1:
            _before = youngest
            if 0 < youngest < OBJECTS:
                _collect_the_aged()
                gc.set_threshold(OBJECTS, *older)
    try:
        yield
    finally:
        with _lock:
            _polls -= 1
            youngest, *older = gc.get_threshold()
            if not _polls and youngest == OBJECTS:
                _age()
                gc.set_threshold(_before, *older)


def _age() -> None:
    """Move all objects to the oldest generation, if many are young; costs nothing, however many there are."""
    global _aged
    # objects that a host has frozen itself, to share them with its children, would be unfrozen too
    if gc.isenabled() and gc.get_count()[0] > MANY and gc.get_freeze_count() < FROZEN:
        gc.freeze()
        gc.unfreeze()
        _aged = True


def _collect_the_aged() -> None:
    global _aged
    if _aged and gc.isenabled():
        gc.collect()
        _aged = False
