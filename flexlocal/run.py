"""The commands that call a handler here, and those that list what there is."""

import contextlib
import importlib
import json
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Optional

from flexlocal import accounts, cassettes, cli, options, results, show, terminal
from flexlocal.context import Context
from flexlocal.families import families
from flexlocal.options import BadUsage
from shared.engine import event as events
from shared.engine import poll
from shared.engine.contracts import HANDLERS
from shared.engine.errors import ConnectorError, InvalidEvent

FAILED = 1
MODES = ("live", "replay", "record")
RESOURCE = ("id", "type", "base", "details", "connections", "metadata")  # the keys of each
RECORDED = "# Recorded by flexlocal run --record, from an account of your own: not to be shared."


def show_families(args: SimpleNamespace) -> int:
    for family, cells in families().items():
        print(f"{family}: {', '.join(sorted(cells))}")
    return 0


def completion(args: SimpleNamespace) -> int:
    from click.shell_completion import get_completion_class

    if args.shell not in cli.SHELLS:
        raise options.unknown("completion for", args.shell, cli.SHELLS)
    writer = get_completion_class(args.shell)
    assert writer is not None  # noqa: S101 - all of SHELLS are click's own
    print(writer(cli.flexlocal, {}, "flexlocal", cli.COMPLETE).source())
    return 0


def permissions(args: SimpleNamespace) -> int:
    known = families()
    if args.family and args.family not in known:
        raise options.unknown("family", args.family, known)
    if args.handler and args.handler not in HANDLERS:
        raise options.unknown("handler", args.handler, HANDLERS)
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
        raise options.unknown("cell of provider", args.provider, providers)
    documents = {
        provider: poll.load_provider(provider).least_permissions(each)
        for provider, each in sorted(wanted.items())
    }
    print(json.dumps(documents[args.provider] if args.provider else documents, indent=2))
    return 0


# --- run ----------------------------------------------------------------------------------------


def run(args: SimpleNamespace) -> int:
    handler = _handler(args.family, args.handler)
    view = results.view(args)
    if handler.__name__ == "get":  # of other handlers, no list says which fields there are
        view.check(show.columns(args.family), RESOURCE)
    event, account = options.event(args)
    mode = _mode(args) or ("replay" if args.later or (account and account.demo) else "live")
    progress = terminal.Progress(args.family) if sys.stderr.isatty() else None
    context = Context(
        config={} if mode == "live" else dict(cassettes.CONFIG),
        progress=progress.percentage if progress else None,
        watch=progress.watch if progress else None,
    )
    if args.scopes:
        context.config["only_scopes"] = list(args.scopes)
    if progress and isinstance(event, dict):
        event.setdefault("task_id", str(uuid.uuid4()))
    try:
        with (
            _cassette(mode, args, handler, event, account),
            contextlib.redirect_stdout(terminal.Output()),
        ):
            answer = handler(event, context)
    except (BadUsage, cassettes.Foreign, BrokenPipeError) as error:
        if isinstance(error, cassettes.Foreign):
            raise BadUsage(str(error)) from None
        raise
    except Exception as error:
        return _failed(error)
    except cassettes.NotRecorded as error:
        text = str(error)
        if handler.__name__ != "get" and mode != "record":
            text += (
                f": record {handler.__name__} first, with --handler and --record, or run it live"
            )
        terminal.say(f"NotRecorded: {text}")
        return FAILED
    finally:
        terminal.end_progress()
    view.show(answer, sys.stdout)
    return FAILED if isinstance(answer, dict) and answer.get("ok") is False else 0


def _failed(error: Exception) -> int:
    terminal.say(f"{type(error).__name__}: {error}")
    if not isinstance(error, ConnectorError):
        terminal.say_trace("the connector")
    return FAILED


def _mode(args: SimpleNamespace) -> Optional[str]:
    chosen = [mode for mode in MODES if getattr(args, mode)]
    if len(chosen) > 1:
        raise BadUsage(f"--{' and --'.join(chosen)} exclude each other")
    if args.later and chosen not in ([], ["replay"]):
        raise BadUsage(f"--{chosen[0]} and --later exclude each other")
    return chosen[0] if chosen else None


def _handler(family: str, name: str) -> Any:
    known = families()
    if family not in known:
        raise options.unknown("family", family, known)
    main_module = importlib.import_module(f"modules.{family}.main")
    handler = getattr(main_module, name, None)
    if name.startswith("_") or getattr(handler, "__module__", None) != main_module.__name__:
        handlers = [
            each
            for each, value in sorted(vars(main_module).items())
            if getattr(value, "__module__", None) == main_module.__name__
        ]
        raise BadUsage(
            f"{family} has no handler {name!r}; it has {', '.join(handlers)}"
            f"{options.nearest(name, handlers)}"
        )
    return handler


@contextlib.contextmanager
def _cassette(
    mode: str,
    args: SimpleNamespace,
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
    if args.later:
        later = cassettes.path(args.family, request.provider, handler.__name__, later=True)
        if cassettes.ROOT / "own" in file.parents or not later.exists():
            name = account.name if account else "the event"
            raise options.no_later(f"{handler.__name__} of {args.family} of {name}")
        file = later
    if mode == "replay":
        # a login, and the status of many a cell, need nothing that get does not
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
    args: SimpleNamespace,
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
