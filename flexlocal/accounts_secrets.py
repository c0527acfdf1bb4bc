"""Credentials that the accounts file only refers to: environment, terminal, keyring, and commands that print them.

No error of this module has a value, or anything that a command printed.
"""

import atexit
import contextlib
import json
import os
import re
import selectors
import shlex
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Callable, Optional

from flexlocal.account import BY_COMMAND, TO_BE_ASKED, Account, AccountsError
from shared.engine import masking

BY_KEYRING = "KEYRING"
SERVICE = "flexlocal"  # in the keyring; the user name is ACCOUNT/KEY
COMMAND_S = 30.0  # time limit of a secret_command
MOST = 1 << 20  # bytes that it may print
_running: "set[subprocess.Popen[bytes]]" = set()
_starts = threading.Lock()  # held while a command is started, and from when the process ends
_REFERENCE = re.compile(r"\$\$\{|\$\{(\w+)\}|\$\{")


def resolved(account: Account) -> dict[str, Any]:
    """The account's own credentials, with all references replaced. Raises AccountsError."""
    if account.all_by_command:
        return _all_by_command(account)
    wanted = [key for key, text in _texts(account.credentials) if text == BY_COMMAND]
    printed = _by_command(account, wanted) if wanted else {}

    def value(key: str, text: str) -> Any:
        if text == BY_COMMAND:
            return printed[key]
        if text == BY_KEYRING:
            return _by_keyring(account, key)
        if text == TO_BE_ASKED:
            return _typed(account, key)
        return _with_environment(account, key, text)

    return {key: _replaced(each, key, value) for key, each in account.credentials.items()}


def asks(credentials: dict[str, Any]) -> bool:
    return any(text == TO_BE_ASKED for _, text in _texts(credentials))


def is_secret(key: str) -> bool:
    """Whether the credential is one that is not shown, neither in a log nor while it is typed."""
    return bool(masking.secrets_in({key: "a value"}))


def ask(prompt: str, key: str, default: Optional[str] = None) -> str:
    """What a person types, on stderr and not shown if it is a secret."""
    import click

    return str(
        click.prompt(
            prompt, default=default, hide_input=is_secret(key), show_default=False, err=True
        )
    )


def has_references(credentials: dict[str, Any]) -> bool:
    words = (TO_BE_ASKED, BY_COMMAND, BY_KEYRING)
    return any(text in words or "${" in text for _, text in _texts(credentials))


def _texts(credentials: dict[str, Any]) -> list[tuple[str, str]]:
    """All texts, with their places."""
    found = []

    def note(key: str, text: str) -> None:
        found.append((key, text))

    _replaced(credentials, "", note)
    return found


def _replaced(value: Any, key: str, replace: Callable[[str, str], Any]) -> Any:
    """The value with each text in it replaced; ``key`` is its place, as in ``endpoint[0]``."""
    if isinstance(value, str):
        return replace(key, value)
    if isinstance(value, dict):
        prefix = f"{key}." if key else ""
        return {name: _replaced(each, f"{prefix}{name}", replace) for name, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, f"{key}[{n}]", replace) for n, each in enumerate(value)]
    return value


def _with_environment(account: Account, key: str, text: str) -> str:
    def of_environment(match: "re.Match[str]") -> str:
        if match[0] == "$${":
            return "${"
        if match[1] is None:
            raise AccountsError(
                f"{_place(account, key)} has a ${{ that no NAME}} follows; a plain ${{ is written $${{"
            )
        if match[1] not in os.environ:
            raise AccountsError(
                f"{_place(account, key)} refers to the environment variable {match[1]}, which is not set"
            )
        return os.environ[match[1]]

    return _REFERENCE.sub(of_environment, text)


def _typed(account: Account, key: str) -> str:
    if not sys.stdin.isatty():
        raise AccountsError(
            f"{_place(account, key)} is {TO_BE_ASKED}, and there is no terminal to ask on: "
            "write its value, or ${NAME} of an environment variable"
        )
    return ask(f"{account.name}: {key}", key)


def _by_keyring(account: Account, key: str) -> str:
    place = _place(account, key)
    try:
        import keyring
    except ImportError:
        raise AccountsError(
            f"{place} is {BY_KEYRING}, which needs the library keyring: install the extra, "
            "pip install 'cmp-connectors[keyring]'"
        ) from None
    name = f"{account.name}/{key}"
    try:
        value = keyring.get_password(SERVICE, name)
    except Exception as error:  # backends raise errors of their own
        raise AccountsError(
            f"{place}: the keyring can't be read ({type(error).__name__}); keyring --list-backends "
            "shows which ones there are"
        ) from None
    if value is None:
        store = shlex.join(["keyring", "set", SERVICE, name])
        raise AccountsError(f"{place}: the keyring does not have it; store it with: {store}")
    return value


# --- secret_command -------------------------------------------------------------------------------


def _all_by_command(account: Account) -> dict[str, Any]:
    _check_command(account, "credentials")
    if _takes_keys(account):
        raise AccountsError(
            f"account {account.name!r}: credentials are {BY_COMMAND}, but secret_command has a {{key}}: "
            f"write each credential, with {BY_COMMAND} as its value"
        )
    values = _map_in(_printed(account, ""))
    if values is None:
        raise AccountsError(f"{_command(account)} printed no JSON object of credentials")
    return values


def _by_command(account: Account, keys: list[str]) -> dict[str, Any]:
    """The credentials that the account's command prints: one JSON object, or the text of the only one."""
    _check_command(account, f"credentials.{keys[0]}")
    if _takes_keys(account):
        return {key: _printed(account, key) for key in keys}
    text = _printed(account, "")
    values = _map_in(text)
    if values is None:
        if len(keys) > 1:
            raise AccountsError(
                f"{_command(account)} printed no JSON object, but {', '.join(keys)} are {BY_COMMAND}: "
                "print one, or have a {key} among its words"
            )
        return {keys[0]: text}
    missing = [key for key in keys if key not in values]
    if missing:
        raise AccountsError(
            f"{_command(account)} printed a JSON object without {', '.join(missing)}"
        )
    return values


def _map_in(text: str) -> Optional[dict[str, Any]]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _printed(account: Account, key: str) -> str:
    """What the command prints for this credential, without the line break at its end."""
    words = [
        word.replace("{account}", account.name).replace("{key}", key)
        for word in account.secret_command
    ]
    what = _command(account)
    try:
        with _starts:
            # in a session of its own, so that all that it started ends with it
            process = subprocess.Popen(  # noqa: S603 - the words of the user's own file
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            _running.add(process)
    except OSError as error:
        raise AccountsError(f"{what} can't be run: {error.strerror}") from None
    except ValueError:
        raise AccountsError(f"{what} can't be run: a word has a NUL") from None
    assert process.stdout  # noqa: S101 - a pipe
    try:
        output = _output(process, what)
    finally:
        _kill(process)
        _running.discard(process)
        process.wait()
        process.stdout.close()
    if process.returncode:
        raise AccountsError(
            f"{what} failed with status {process.returncode}; run it yourself to see why"
        )
    try:
        text = output.decode()
    except ValueError:
        raise AccountsError(f"{what} printed what is not UTF-8 text") from None
    text = text[:-1] if text.endswith("\n") else text
    text = text[:-1] if text.endswith("\r") else text
    if not text:
        raise AccountsError(f"{what} printed nothing")
    return text


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """It, and all that it started."""
    if process.returncode is None:  # not waited for, so the number is still its own
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)


@atexit.register
def _kill_all() -> None:
    """Commands whose threads nobody waits for any more, since somebody interrupted flexlocal."""
    _starts.acquire()
    for process in list(_running):
        _kill(process)


def _output(process: "subprocess.Popen[bytes]", what: str) -> bytes:
    """What the process prints until it ends, within its limits of time and length."""
    assert process.stdout  # noqa: S101 - a pipe
    until = time.monotonic() + COMMAND_S
    too_long = AccountsError(f"{what} was ended: it took longer than {COMMAND_S:g} s")
    output = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, until - time.monotonic())):
            part = os.read(process.stdout.fileno(), 1 << 16)
            output += part
            if len(output) > MOST:
                raise AccountsError(f"{what} was ended: it printed more than {MOST >> 10} KiB")
            if not part:
                break
        else:
            raise too_long
    try:
        process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise too_long from None
    return output


def _check_command(account: Account, what: str) -> None:
    if not account.secret_command:
        raise AccountsError(
            f"account {account.name!r}: {what} is {BY_COMMAND}, but neither the account nor its file has "
            "a secret_command"
        )


def _takes_keys(account: Account) -> bool:
    return any("{key}" in word for word in account.secret_command)


def _command(account: Account) -> str:
    """The command as errors name it: without its arguments, which may be secrets."""
    return f"account {account.name!r}: secret_command {account.secret_command[0]!r}"


def _place(account: Account, key: str) -> str:
    return f"account {account.name!r}: credentials.{key}"
