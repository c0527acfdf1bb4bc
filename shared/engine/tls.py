"""TLS contexts that trust the CAs in a file: the file is read once per process, not at each connection.

urllib3 loads it at each connection, which takes 25 ms of CPU time for certifi's 150 CAs.
"""

import contextlib
import os
import ssl
import threading
import weakref
from collections.abc import Iterator
from typing import Any, Callable, Optional

KEPT = 8  # contexts; hosts have one file of CAs, or two

_lock = threading.Lock()
_shared: dict[tuple[Any, ...], ssl.SSLContext] = {}
_loaded: "weakref.WeakKeyDictionary[ssl.SSLContext, set[Any]]" = weakref.WeakKeyDictionary()


@contextlib.contextmanager
def loaded(
    connection: Any, own: Optional[ssl.SSLContext], create: Callable[[], ssl.SSLContext]
) -> Iterator[None]:
    """While urllib3's connection connects, have its CAs loaded already, if it verifies with those of a file.

    ``own`` is the context of an account with a CA of its own, which gets the file's CAs too. Without it, the context
    is one that ``create`` returned, and shared by all connections that trust this file and nothing else. Connections
    that verify nothing never get a shared context: urllib3 turns verification off in the context.
    """
    file = connection.ca_certs
    verifies = connection.cert_reqs in ("CERT_REQUIRED", ssl.CERT_REQUIRED)
    if verifies and file and not connection.ca_cert_dir:
        # a file that can't be read is an error of urllib3, as ever
        with contextlib.suppress(OSError):
            connection.ssl_context = _with_file(own, file) if own else _of_file(create, file)
            connection.ca_certs = None
    try:
        yield
    finally:
        connection.ca_certs = file  # for when it connects again


def _of_file(create: Callable[[], ssl.SSLContext], file: str) -> ssl.SSLContext:
    """The process's context for the file as it is now."""
    key = create, *_version(file)
    with _lock:
        found = _shared.pop(key, None)
        if found is None:
            found = create()
            found.load_verify_locations(file)
        _shared[key] = found  # last: the first is the one used longest ago
        for old in list(_shared)[:-KEPT]:
            del _shared[old]
    return found


def _with_file(own: ssl.SSLContext, file: str) -> ssl.SSLContext:
    with _lock:
        files = _loaded.setdefault(own, set())
        version = _version(file)
        if version not in files:
            own.load_verify_locations(file)
            files.add(version)
    return own


def _version(file: str) -> tuple[Any, ...]:
    found = os.stat(file)
    return file, found.st_ino, found.st_size, found.st_mtime_ns
