"""``flexlocal accounts``: list, add, check and remove."""

import contextlib
import importlib
import queue
import re
import sys
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Callable, Optional

import click

from flexlocal import (
    accounts,
    accounts_file,
    accounts_secrets,
    accounts_text,
    options,
    show,
    terminal,
)
from flexlocal.account import Account, AccountsError
from flexlocal.context import Context
from flexlocal.families import families
from flexlocal.options import BadUsage
from shared.engine import event as events
from shared.engine import poll
from shared.engine.errors import InvalidEvent

FAILED = 1
AT_ONCE = 8  # logins side by side
LOGIN_S = 60.0  # the time limit of one
AWAKE_S = 0.5  # a Ctrl-C that comes just before the main thread waits is seen when it wakes up
AS_VARIABLE = "write a secret as '${NAME}' of an environment variable"
COLUMNS = [
    show.Column("NAME", lambda row: row["name"]),
    show.Column("PROVIDER", lambda row: row["provider"]),
    show.Column("LOGIN", lambda row: "ok" if row["ok"] else "failed"),
    show.Column("ACCOUNT", lambda row: row.get("account")),
]


def show_all(args: SimpleNamespace) -> int:
    for account in accounts.load(args.accounts).values():
        print(f"{account.name}: {account.provider}{' (demo, replayed)' if account.demo else ''}")
    return 0


# --- check ------------------------------------------------------------------------------------------


def check(args: SimpleNamespace) -> int:
    known = accounts.load(args.accounts)
    for name in args.names:
        if name not in known:
            raise options.unknown("account", name, known)
    chosen = [
        account
        for account in known.values()
        if (account.name in args.names if args.names else not account.demo)
    ]
    if not chosen:
        print("There are no accounts of your own: flexlocal accounts add NAME adds one.")
        return 0
    if sys.stderr.isatty():
        terminal.say(f"Logging in to {len(chosen)} account{'s' * (len(chosen) > 1)}...")
    with contextlib.redirect_stdout(terminal.Output()):
        rows = _checked(chosen)
    show.table(COLUMNS, rows, sys.stdout)
    for row in rows:
        if not row["ok"]:
            terminal.say(f"{row['name']}: {row['reason']}")
    return 0 if all(row["ok"] for row in rows) else FAILED


def _checked(chosen: Sequence[Account]) -> list[dict[str, Any]]:
    """The answer for each account, in their order. What asks or is replayed comes first and alone."""
    rows = {
        account.name: _row(account) for account in chosen if account.demo or accounts.asks(account)
    }
    waiting: Any = queue.SimpleQueue()
    ended: Any = queue.SimpleQueue()
    for account in chosen:
        if account.name not in rows:
            waiting.put(account)

    def work() -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                ended.put(_row(waiting.get_nowait()))

    try:
        for _ in range(min(AT_ONCE, waiting.qsize())):
            # a daemon: a login that hangs does not keep the process from ending
            threading.Thread(target=work, daemon=True).start()
        while len(rows) < len(chosen):
            with contextlib.suppress(queue.Empty):
                row = ended.get(timeout=AWAKE_S)
                rows[row["name"]] = row
    except KeyboardInterrupt:
        left = f"{len(chosen) - len(rows)} of {len(chosen)} accounts were not checked"
        raise KeyboardInterrupt(f"interrupted: {left}") from None
    return [rows[account.name] for account in chosen]


def _row(account: Account, watch: Optional[Callable[..., None]] = None) -> dict[str, Any]:
    try:
        answer = _login(accounts.resolved(account), watch)
    except (AccountsError, BadUsage) as error:
        reason = str(error).removeprefix(f"account {account.name!r}: ")
        answer = {"ok": False, "reason": reason}
    except click.Abort:  # Ctrl-C or Ctrl-D where a person was asked
        raise
    except Exception as error:
        answer = {"ok": False, "reason": f"{type(error).__name__}: {error}"}
    return {"name": account.name, "provider": account.provider, **answer}


def _login(account: Account, watch: Optional[Callable[..., None]]) -> dict[str, Any]:
    """What validate_credentials answers for an account that is resolved; any family that has its provider will do."""
    served = [family for family, cells in families().items() if account.provider in cells]
    if not served:
        raise options.unknown("provider", account.provider, _providers())
    handler = importlib.import_module(f"modules.{served[0]}.main").validate_credentials
    event = accounts.with_ca_text(account.event())
    if not account.demo:
        return dict(handler(event, Context({"deadline_s": LOGIN_S}, watch=watch)))
    from flexlocal import cassettes

    recorded = cassettes.path("validate_credentials", account.provider)
    if not recorded.exists():
        recorded = cassettes.path(served[0], account.provider)
    with cassettes.replay(recorded, account.credentials):
        return dict(handler(event, Context(dict(cassettes.CONFIG))))


def _providers() -> list[str]:
    return sorted({name for cells in families().values() for name in cells})


# --- add --------------------------------------------------------------------------------------------


def add(args: SimpleNamespace) -> int:
    file, _ = accounts.own_file(args.accounts)
    text = _check_new(args.name, file, args.accounts)
    given = dict(options.pair(text, "--credential") for text in args.credentials)
    provider = args.provider or _typed_provider()
    if provider not in _providers():
        raise options.unknown("provider", provider, _providers())
    credentials = _completed(args.name, provider, given)
    entry = {"provider": provider, "credentials": credentials}
    found = ""
    if not args.no_check:
        added = accounts_file.added(file, text, args.name, entry)
        account = accounts.in_text(file, added)[args.name]  # the file may have a secret_command
        watch = terminal.Progress(args.name).watch if sys.stderr.isatty() else None
        try:
            with contextlib.redirect_stdout(terminal.Output()):
                answer = _row(account, watch)
        finally:
            terminal.end_progress()
        if not answer["ok"]:
            terminal.say(f"{args.name}: {answer['reason']}")
            terminal.say("Nothing was written; --no-check writes it without this check.")
            return FAILED
        found = f", logged in to {answer['account']}"
    with accounts_file.locked(file):
        text = _check_new(args.name, file, args.accounts)
        accounts_file.write(file, accounts_file.added(file, text, args.name, entry))
    print(f"{args.name}: added to {file}{found}")
    return 0


def _check_new(name: str, file: Any, path: Optional[str]) -> str:
    """The text of the file, which has no such account yet."""
    if not name.strip() or not name.isprintable():
        raise BadUsage("the account's name should be one line of text")
    text = ""
    known = accounts.demo()
    if file.exists():
        text = accounts_text.text_of(file)
        accounts_file.check(file, text)
        known = accounts.load(path)
    if name in known:
        raise BadUsage(
            f"there is an account {name!r} already: choose another name, or remove that one first"
        )
    return text


def _typed_provider() -> str:
    providers = ", ".join(_providers())
    if not sys.stdin.isatty():
        raise BadUsage(f"there is no terminal to ask on: pass --provider, one of {providers}")
    return accounts_secrets.ask(f"provider ({providers})", "provider").strip()


def _completed(name: str, provider: str, given: dict[str, str]) -> dict[str, str]:
    """The credentials, with what is missing asked for on the terminal. Raises BadUsage where there is none."""
    credentials = dict(given)
    at_terminal = sys.stdin.isatty()
    if not credentials:
        from flexlocal import manifest

        keys = manifest.load().providers[provider].credentials_keys
        if not at_terminal:
            raise BadUsage(
                "there is no terminal to ask on: pass --credential KEY=VALUE for what the account needs of "
                f"{', '.join(keys)}; {AS_VARIABLE}"
            )
        terminal.say(
            "Leave empty what is not needed; ${NAME}, TBD, KEYRING, SECRET as in the file."
        )
        for key in keys:
            _ask_for(key, credentials)
    while True:
        problem = _problem(name, provider, credentials)
        if problem is None:
            return credentials
        named = re.match(r"credentials\.(\w+)", problem)
        key = named[1] if named else ""
        if key not in poll.load_provider(provider).credential_keys:
            raise BadUsage(problem)
        if not at_terminal:
            raise BadUsage(
                f"{problem}; there is no terminal to ask on: pass --credential {key}=VALUE; {AS_VARIABLE}"
            )
        terminal.say(problem)
        credentials.pop(key, None)
        _ask_for(key, credentials)


def _ask_for(key: str, credentials: dict[str, str]) -> None:
    value = accounts_secrets.ask(key, key, default="").strip()
    if value:
        credentials[key] = value


def _problem(name: str, provider: str, credentials: dict[str, str]) -> Optional[str]:
    """What is wrong with the credentials, as far as it can be known without a login or their references."""
    event = Account(name, provider, credentials or {"": None}, {}, demo=False).event()
    try:
        request = events.parse(accounts.with_ca_text(event), [provider])
        keys = {key: value for key, value in request.credentials.items() if key}
        poll.load_provider(provider).credentials(keys, False)
    except InvalidEvent as error:
        if accounts_secrets.has_references(credentials) and "missing" not in error.message:
            return None  # it is about the reference
        return error.message
    except AccountsError as error:
        return str(error)
    return None


# --- remove -----------------------------------------------------------------------------------------


def remove(args: SimpleNamespace) -> int:
    file, _ = accounts.own_file(args.accounts)
    known = accounts.load(args.accounts)
    account = known.get(args.name)
    own = [name for name, each in known.items() if not each.demo]
    if account is None:
        raise (
            options.unknown("account", args.name, own)
            if own
            else BadUsage(f"no account {args.name!r}: {file} has none")
        )
    if account.demo:
        raise BadUsage(f"{args.name!r} is a demo account, which can't be removed")
    accounts_file.removed(
        file, accounts_text.text_of(file), args.name
    )  # or an error, before the question
    if not args.yes:
        if not sys.stdin.isatty():
            raise BadUsage("there is no terminal to ask on: --yes removes the account unasked")
        if not click.confirm(f"Remove {args.name} ({account.provider}) from {file}?", err=True):
            raise BadUsage("nothing was removed")
    with accounts_file.locked(file):
        text = accounts_text.text_of(file)
        accounts_file.write(file, accounts_file.removed(file, text, args.name))
    print(f"{args.name}: removed from {file}")
    return 0
