"""The fault matrix: each handler of each cell, with each fault at each of its calls (docs/develop/faults.md).

::

    upstream.py  where honest responses come from: a cassette, or a server that is really there
    proxy.py     a server on loopback in front of it, which does one thing wrong
    faults.py    what can go wrong with a call
    matrix.py    all cases, made from the cassettes, and how one is judged
    __main__.py  runs all of them: make test-faults
"""
