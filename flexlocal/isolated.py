"""Runs one handler of a built module with only the standard library and the build on the path.

A script for ``python -I -S`` of any version from 3.9, so it imports nothing of ours:

    python -I -S isolated.py FOLDER HANDLER [PORT] < event.json

FOLDER is an unpacked module, put on the path as the runtime does it. With PORT, every connection goes to that
port on loopback, whatever its host, and in plain text instead of TLS. What the handler prints goes to stderr;
stdout gets one JSON object: ``import_s`` (how long the import of main.py took), ``loaded`` (how many modules it
loaded), ``handlers`` (its callables), ``compiled`` (files in FOLDER that were loaded without byte code), ``modules`` (all
that are loaded at the end), and ``answer`` or ``error`` (type, message, trace).
"""

import importlib
import importlib.machinery
import json
import os
import socket
import ssl
import sys
import time
import traceback
from typing import Any, Optional


class Context:
    """The only attribute of the runtime's context that a poll can't do without."""

    module_id = None


def main(folder: str, handler: str, port: Optional[str] = None) -> None:
    # before anything can be loaded from elsewhere
    sys.path[:0] = [folder, os.path.join(folder, "lib")]
    if port is not None:
        lead_to(int(port))
    event = json.load(sys.stdin)
    real_stdout, sys.stdout = sys.stdout, sys.stderr
    compiled: list[str] = []
    watch(folder, compiled)
    result: dict[str, Any] = {"compiled": compiled}
    try:
        started = time.perf_counter()
        module = importlib.import_module("main")
        result["import_s"] = time.perf_counter() - started
        result["loaded"] = len(sys.modules)
        result["handlers"] = [name for name, value in vars(module).items() if callable(value)]
        result["answer"] = getattr(module, handler)(event, Context())
    except Exception as error:
        result["error"] = [type(error).__name__, str(error), traceback.format_exc()]
    result["modules"] = sorted(sys.modules)
    json.dump(result, real_stdout)
    real_stdout.flush()


def watch(folder: str, compiled: list[str]) -> None:
    """Note what the import system compiles, which it does for files without usable byte code."""
    loader: Any = importlib.machinery.SourceFileLoader
    source_to_code = loader.source_to_code

    def noted(self: Any, data: Any, path: Any, *more: Any, **options: Any) -> Any:
        if str(path).startswith(folder + os.sep):
            compiled.append(os.path.relpath(path, folder))
        return source_to_code(self, data, path, *more, **options)

    loader.source_to_code = noted


def lead_to(port: int) -> None:
    address = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))
    known: Any = socket
    known.getaddrinfo = lambda *_, **__: [address]
    tls: Any = ssl.SSLContext
    tls.wrap_socket = lambda _, plain, *__, **___: plain


if __name__ == "__main__":
    main(*sys.argv[1:])
