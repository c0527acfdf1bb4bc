"""``flexlocal``: run the connectors' handlers on a laptop.

stdout carries what the handler returned and nothing else. Exit status: 0; 1 for a failed poll;
2 for bad usage.
"""

import argparse
import contextlib
import importlib
import json
import pkgutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import modules
from flexlocal import accounts, cassettes, options, shipping, terminal
from flexlocal.cmp_api import RegionError
from flexlocal.context import Context
from flexlocal.distributions import BuildError
from flexlocal.manifest import ManifestError
from flexlocal.options import BadUsage
from shared.engine import event as events
from shared.engine import poll
from shared.engine.contracts import HANDLERS
from shared.engine.errors import InvalidEvent

FAILED = 1
BAD_USAGE = 2
RECORDED = "# Recorded by flexlocal run --record, from an account of your own: not to be shared."
INTERRUPTED = 130  # as shells say it


def main(arguments: Optional[list[str]] = None) -> int:
    terminal.prepare()
    args = _parser().parse_args(arguments)
    try:
        status = _status(args)
        sys.stdout.flush()  # here, where it can be told that the reader has gone
    except BrokenPipeError:
        terminal.closed()
        return 0
    return status


def _status(args: argparse.Namespace) -> int:
    """The exit status of the command."""
    try:
        return args.command(args)
    except (BadUsage, cassettes.Foreign, accounts.AccountsError, ManifestError) as error:
        terminal.say(f"flexlocal: {error}")
        return BAD_USAGE
    except (BuildError, RegionError, cassettes.NotRecorded) as error:
        for line in f"{type(error).__name__}: {error}".split(
            "\n"
        ):  # a build that failed has a trace
            terminal.say(line)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


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
    return {family: poll.cells(family) for family in found}


def _families(args: argparse.Namespace) -> int:
    for family, cells in families().items():
        print(f"{family}: {', '.join(sorted(cells))}")
    return 0


def _accounts(args: argparse.Namespace) -> int:
    for account in accounts.load(args.accounts).values():
        print(f"{account.name}: {account.provider}{' (demo, replayed)' if account.demo else ''}")
    return 0


def _permissions(args: argparse.Namespace) -> int:
    known = families()
    if args.family and args.family not in known:
        raise BadUsage(f"no family {args.family!r}; there are {', '.join(known)}")
    if args.handler and args.handler not in HANDLERS:
        raise BadUsage(f"no handler {args.handler!r}; there are {', '.join(HANDLERS)}")
    wanted: dict[str, set[str]] = {}
    for family, cells in known.items():
        for provider, module in cells.items():
            if args.family in (None, family) and args.provider in (None, provider):
                needed = wanted.setdefault(provider, set())
                for handler, those in poll.load_cell(module).permissions_by_handler.items():
                    if args.handler in (None, handler):
                        needed.update(those)
    if not wanted:
        families_of = [family for family, cells in known.items() if args.provider in cells]
        if families_of:
            raise BadUsage(
                f"{args.family} has no cell of {args.provider}: there are those of "
                f"{', '.join(families_of)}"
            )
        providers = sorted({provider for cells in known.values() for provider in cells})
        raise BadUsage(f"no cell of provider {args.provider!r}; there are {', '.join(providers)}")
    documents = {
        provider: poll.load_provider(provider).least_permissions(each)
        for provider, each in sorted(wanted.items())
    }
    print(json.dumps(documents[args.provider] if args.provider else documents, indent=2))
    return 0


# --- run ----------------------------------------------------------------------------------------


def _run(args: argparse.Namespace) -> int:
    handler = _handler(args.family, args.handler)
    event, account = options.event(args)
    mode = args.mode or ("replay" if account and account.demo else "live")
    context = Context(config={} if mode == "live" else dict(cassettes.CONFIG))
    if sys.stderr.isatty():
        context = Context(context.config, progress=lambda n: terminal.progress(args.family, n))
        if isinstance(event, dict):
            event.setdefault("task_id", str(uuid.uuid4()))
    try:
        with (
            _cassette(mode, args, handler, event, account),
            contextlib.redirect_stdout(terminal.Output()),
        ):
            answer = handler(event, context)
    except (BadUsage, cassettes.Foreign, BrokenPipeError):
        raise
    except Exception as error:
        terminal.say(f"{type(error).__name__}: {error}")
        return FAILED
    except cassettes.NotRecorded as error:
        if handler.__name__ == "get" or mode == "record":
            raise
        why = f"record {handler.__name__} first, with --handler and --record, or run it live"
        raise cassettes.NotRecorded(f"{error}: {why}") from None
    _show(args, answer)
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
def _cassette(
    mode: str,
    args: argparse.Namespace,
    handler: Any,
    event: Any,
    account: Optional[accounts.Account],
) -> Iterator[None]:
    if mode == "live":
        yield
        return
    try:
        request = events.parse(event, families()[args.family])  # as the handler reads it
    except InvalidEvent:
        yield  # the handler refuses the event in its own words, before any network call
        return
    file, of_get = (
        _cassette_of(args, name, request, account) for name in (handler.__name__, "get")
    )
    if mode == "replay":
        # a login, and the status of many a cell, ask for nothing that get does not
        with cassettes.replay(file if file.exists() else of_get, request.credentials):
            yield
        return
    if cassettes.ROOT / "own" not in file.parents:
        raise BadUsage(
            f"{file} is the demo account's: make record-aws (-openstack, -netbox, -simulated) records it"
        )
    with cassettes.record(file, request.credentials, RECORDED):
        yield
    terminal.say(f"recorded {file}")


def _cassette_of(
    args: argparse.Namespace,
    handler: str,
    request: events.Request,
    account: Optional[accounts.Account],
) -> Path:
    """A demo account's cassette, however its event was given; else one of the account's own."""
    of_demo = any(
        (each.provider, each.credentials) == (request.provider, request.credentials)
        for each in accounts.demo().values()
    )
    if not of_demo:
        name = account.name if account else "event"
        return cassettes.own_path(name, args.family, request.provider, handler)
    if handler == "validate_credentials":
        return cassettes.path(handler, request.provider)
    return cassettes.path(args.family, request.provider, handler)


def _show(args: argparse.Namespace, answer: Any) -> None:
    if args.format == "ndjson" and isinstance(answer, list):
        for each in answer:
            print(terminal.as_json(each))
    elif args.format == "table" and isinstance(answer, list):
        from flexlocal import show  # rich takes a while to import

        show.table(args.family, answer, sys.stdout)
        whose = args.account or "the event"
        print(f"{args.family}: {len(answer)} resources ({whose})")
    else:
        print(terminal.as_json(answer))


if __name__ == "__main__":
    sys.exit(main())
