"""``flexlocal``: run the connectors' handlers on a laptop.

stdout carries what the handler returned and nothing else. Exit status: 0; 1 for a failed poll;
2 for bad usage.
"""

import argparse
import contextlib
import importlib
import json
import os
import pkgutil
import sys
import uuid
from collections.abc import Iterator
from typing import Any, Optional

import modules
from flexlocal import accounts, cassettes, shipping
from flexlocal import asked as options
from flexlocal.asked import BadUsage
from flexlocal.context import Context
from flexlocal.distributions import BuildError
from flexlocal.manifest import ManifestError
from flexlocal.region import RegionError
from shared import event as events
from shared import run
from shared.errors import InvalidEvent

FAILED = 1
BAD_USAGE = 2
INTERRUPTED = 130  # as shells say it


def main(arguments: Optional[list[str]] = None) -> int:
    parser = _parser()
    asked = parser.parse_args(arguments)
    try:
        return asked.command(asked)
    except (BadUsage, accounts.AccountsError, ManifestError) as error:
        print(f"flexlocal: {error}", file=sys.stderr)
        return BAD_USAGE
    except (BuildError, RegionError, cassettes.NotRecorded) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="flexlocal", description="CMP connectors on a laptop")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    one = commands.add_parser("run", help="call a handler of a family for one account")
    one.set_defaults(command=_run)
    one.add_argument("family", metavar="FAMILY")
    options.add_event_options(one)
    one.add_argument("--handler", default="get", help="get, validate_credentials, get_status, ...")
    how = one.add_mutually_exclusive_group()
    for mode, text in (
        ("live", "call the provider (the default but for demo accounts)"),
        ("replay", "answer from the cassette (the default for demo accounts)"),
        ("record", "call the provider and record a new cassette"),
    ):
        how.add_argument(f"--{mode}", dest="mode", action="store_const", const=mode, help=text)
    one.add_argument("--format", choices=("table", "json", "ndjson"), default="table")

    listed = commands.add_parser("families", help="the families and their providers")
    listed.set_defaults(command=_families)

    listed = commands.add_parser("accounts", help="the accounts, without their credentials")
    listed.set_defaults(command=_accounts)
    options.add_accounts_option(listed)

    least = commands.add_parser("permissions", help="the least rights that the polls need")
    least.set_defaults(command=_permissions)
    least.add_argument("--family", metavar="FAMILY")
    least.add_argument("--provider", metavar="PROVIDER")
    least.add_argument(
        "--handler", metavar="HANDLER", help="of this one only: get, get_status, ..."
    )

    shipping.add_commands(commands)
    return parser


def families() -> dict[str, dict[str, str]]:
    """family -> provider -> module name of the cell."""
    there = pkgutil.iter_modules(modules.__path__)
    found = sorted(name for _, name, is_package in there if is_package)
    return {family: run.cells(family) for family in found}


def rights(cell: Any) -> dict[str, tuple[str, ...]]:
    """What each handler needs, by its name: nothing of what the cell does not serve."""
    found = {"get": cell.PERMISSIONS}
    for what in ("status", "metrics", "logs"):
        served = cell.PERMISSIONS if hasattr(cell, what) else ()
        found[f"get_{what}"] = getattr(cell, f"{what.upper()}_PERMISSIONS", served)
    return found


def _families(asked: argparse.Namespace) -> int:
    for family, cells in families().items():
        print(f"{family}: {', '.join(sorted(cells))}")
    return 0


def _accounts(asked: argparse.Namespace) -> int:
    for account in accounts.load(asked.accounts).values():
        print(f"{account.name}: {account.provider}{' (demo, replayed)' if account.demo else ''}")
    return 0


def _permissions(asked: argparse.Namespace) -> int:
    known = families()
    if asked.family and asked.family not in known:
        raise BadUsage(f"no family {asked.family!r}; there are {', '.join(known)}")
    wanted: dict[str, set[str]] = {}
    for family, cells in known.items():
        for provider, module in cells.items():
            if asked.family in (None, family) and asked.provider in (None, provider):
                cell = importlib.import_module(module)
                needed = rights(cell)
                if asked.handler and asked.handler not in needed:
                    raise BadUsage(f"no handler {asked.handler!r}; there are {', '.join(needed)}")
                for handler, each in needed.items():
                    if asked.handler in (None, handler):
                        wanted.setdefault(provider, set()).update(each)
    if not wanted:
        providers = sorted({provider for cells in known.values() for provider in cells})
        raise BadUsage(f"no cell of provider {asked.provider!r}; there are {', '.join(providers)}")
    documents = {
        provider: importlib.import_module(f"shared.providers.{provider}").least_rights(each)
        for provider, each in sorted(wanted.items())
    }
    print(json.dumps(documents[asked.provider] if asked.provider else documents, indent=2))
    return 0


# --- run ----------------------------------------------------------------------------------------


def _run(asked: argparse.Namespace) -> int:
    handler = _handler(asked.family, asked.handler)
    event, account = options.event(asked)
    mode = asked.mode or ("replay" if account and account.demo else "live")
    if mode == "record" and handler.__name__ != "get":
        raise BadUsage("--record goes with the handler get: a cassette holds a whole poll")
    context = Context(config={} if mode == "live" else dict(cassettes.CONFIG))
    if sys.stderr.isatty():
        context = Context(context.config, progress=lambda n: _progress(asked.family, n))
        if isinstance(event, dict):
            event.setdefault("task_id", str(uuid.uuid4()))
    try:
        with _cassette(mode, asked.family, event), contextlib.redirect_stdout(sys.stderr):
            answer = handler(event, context)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return FAILED
    except cassettes.NotRecorded:
        if handler.__name__ != "get":
            print("a cassette holds a poll of get: run this live", file=sys.stderr)
        raise
    _show(asked, answer)
    return FAILED if isinstance(answer, dict) and answer.get("ok") is False else 0


def _handler(family: str, name: str) -> Any:
    known = families()
    if family not in known:
        raise BadUsage(f"no family {family!r}; there are {', '.join(known)}")
    main_module = importlib.import_module(f"modules.{family}.main")
    handler = getattr(main_module, name, None)
    if name.startswith("_") or getattr(handler, "__module__", None) != main_module.__name__:
        handlers = [
            each
            for each, value in sorted(vars(main_module).items())
            if getattr(value, "__module__", None) == main_module.__name__
        ]
        raise BadUsage(f"{family} has no handler {name!r}; it has {', '.join(handlers)}")
    return handler


@contextlib.contextmanager
def _cassette(mode: str, family: str, event: Any) -> Iterator[None]:
    if mode == "live":
        yield
        return
    try:
        provider = events.parse(event, families()[family]).provider  # found as the handler finds it
    except InvalidEvent:
        yield  # the handler refuses the event in its own words, before any network call
        return
    file = cassettes.path(family, provider)
    with cassettes.record(file) if mode == "record" else cassettes.replay(file):
        yield


def _show(asked: argparse.Namespace, answer: Any) -> None:
    if asked.format == "ndjson" and isinstance(answer, list):
        for each in answer:
            print(json.dumps(each, ensure_ascii=False))
    elif asked.format == "table" and isinstance(answer, list):
        from flexlocal import show  # rich takes a while to import

        show.table(asked.family, answer, sys.stdout)
        whose = asked.account or "the event"
        print(f"{asked.family}: {len(answer)} resources ({whose})")
    else:
        print(json.dumps(answer, ensure_ascii=False))


def _progress(family: str, percentage: int) -> None:
    end = "\n" if percentage >= 100 else ""
    print(f"\r{family}: {percentage:3d} %", end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
