"""Reads accounts: the demo accounts that the cassettes were recorded with, and the user's own.

A file is ``{version: 1, secret_command?, accounts: {NAME: {provider, credentials, options?, ...}}}``, or has one of the
layouts of accounts_layouts.py. What an entry only refers to (environment, keyring, commands, AWS profiles, clouds.yaml)
is read when the account is used: see ``resolved``.
"""

import copy
import dataclasses
import functools
import os
from pathlib import Path
from typing import Any, Optional

from flexlocal import accounts_layouts, accounts_secrets
from flexlocal.account import BY_COMMAND, Account, AccountsError
from flexlocal.accounts_text import content_of, text_of
from shared.engine import event as events

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "cassettes" / "accounts.yaml"
VARIABLE = "FLEXLOCAL_ACCOUNTS"
CA_CERTIFICATES = ("cacert", "OS_CACERT", "ca_cert")  # credentials; a handler takes PEM text only
KEYS = {"provider", "credentials", "options", "secret_command", "profile", "cloud"}  # of an entry
ELSEWHERE = {
    "profile": "aws",
    "cloud": "openstack",
}  # keys that name credentials, and their provider
USUAL = Path("~/.config/flexlocal/accounts.yaml")


def demo() -> dict[str, Account]:
    """The demo accounts by name. They are parsed once; callers may change what they get."""
    changed = DEMO.stat().st_mtime_ns if DEMO.exists() else 0
    return copy.deepcopy(_demo(DEMO, changed))


@functools.cache
def _demo(file: Path, changed: int) -> dict[str, Account]:
    return _read(file, demo=True)


def load(path: Optional[str] = None) -> dict[str, Account]:
    """All accounts by name, in the order of their files: the demo ones, and those of ``path`` or of the user's own file."""
    accounts = demo()
    file, named = own_file(path)
    if not named and not file.exists():
        return accounts
    for name, account in _read(file, demo=False).items():
        if name in accounts:
            raise AccountsError(
                f"{file}: account {name!r} is a demo account's name; choose another"
            )
        accounts[name] = account
    return accounts


def own_file(path: Optional[str] = None) -> tuple[Path, bool]:
    """The user's accounts file, and whether ``path`` or $FLEXLOCAL_ACCOUNTS names it; else it need not exist."""
    if path == "":
        raise AccountsError("--accounts is empty: it should name a file")
    named = path or os.environ.get(VARIABLE)
    return (Path(named), True) if named else (USUAL.expanduser(), False)


def resolved(account: Account) -> Account:
    """The account with its credentials as an event has them.

    References are replaced, ``TBD`` is asked for on the terminal, and commands, keyring, AWS profile and clouds.yaml
    are read, only now. Values that come from elsewhere are taken as they are, whatever they look like. Raises
    AccountsError naming the account, the credential and what is missing, and no value.
    """
    if account.demo:
        return account
    credentials = accounts_secrets.resolved(account)
    try:
        if account.profile is not None:
            credentials = {**accounts_layouts.of_aws_profile(account.profile), **credentials}
        if account.cloud is not None:
            credentials = {**accounts_layouts.of_cloud(account.cloud), **credentials}
    except AccountsError as error:
        raise AccountsError(f"account {account.name!r}: {error}") from None
    return dataclasses.replace(account, credentials=credentials)


def asks(account: Account) -> bool:
    """Whether ``resolved`` asks on the terminal."""
    return not account.demo and accounts_secrets.asks(account.credentials)


def with_ca_text(event: Any) -> Any:
    """The event, with CA certificates that its credentials name by path replaced by their text.

    Handlers accept no paths: in a runtime, they would reveal which files it has.
    """
    credentials = events.credentials_of(event)
    if not isinstance(credentials, dict):
        return event
    read = dict(credentials)
    for name in CA_CERTIFICATES:
        value = credentials.get(name)
        if not isinstance(value, str) or not value.strip() or "-----BEGIN" in value:
            continue
        file = Path(value.strip()).expanduser()
        if name == "ca_cert" and not os.path.isfile(file):
            continue  # base64 of PEM; it may be too long for a file name (Path.is_file would raise)
        try:
            read[name] = file.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise AccountsError(f"credentials.{name}: {file}: {why}") from None
    return {**event, "credentials": read}


def _read(file: Path, demo: bool) -> dict[str, Account]:
    return in_text(file, text_of(file, demo), demo)


def in_text(file: Path, text: str, demo: bool = False) -> dict[str, Account]:
    """The accounts in a text, which ``file`` has or is to have."""
    content = content_of(file, text)
    if isinstance(content, dict) and "version" not in content and accounts_layouts.is_one(content):
        content = accounts_layouts.converted(content, str(file))
    if not isinstance(content, dict) or content.get("version") != 1:
        raise AccountsError(f"{file}: 'version: 1' is missing")
    accounts = content.get("accounts")
    if not isinstance(accounts, dict):
        raise AccountsError(f"{file}: 'accounts' should be a map of name to account")
    command = _command(f"{file}:", content.get("secret_command"))
    return {
        str(name): _account(file, str(name), settings, command, demo)
        for name, settings in accounts.items()
    }


def _account(file: Path, name: str, settings: Any, command: tuple[str, ...], demo: bool) -> Account:
    if not isinstance(settings, dict):
        raise AccountsError(f"{file}: account {name!r} should be a map")
    unknown = {str(key) for key in settings} - KEYS
    if unknown:
        raise AccountsError(
            f"{file}: account {name!r} has unknown keys: {', '.join(sorted(unknown))}"
        )
    provider = settings.get("provider")
    if not isinstance(provider, str):
        raise AccountsError(f"{file}: account {name!r} needs a 'provider'")
    for key, of in ELSEWHERE.items():
        if key in settings and provider != of:
            raise AccountsError(f"{file}: account {name!r}: {key!r} is for provider {of}")
        if not isinstance(settings.get(key, ""), str):
            raise AccountsError(f"{file}: account {name!r}: {key!r} should be a name")
    elsewhere = any(key in settings for key in ELSEWHERE)
    credentials = settings.get("credentials", {} if elsewhere else None)
    options = settings.get("options") or {}
    all_by_command = credentials == BY_COMMAND
    if all_by_command:
        credentials = {}
    if not isinstance(credentials, dict) or not isinstance(options, dict):
        raise AccountsError(f"{file}: 'credentials' (and 'options') of {name!r} should be maps")
    own = _command(f"{file}: account {name!r}:", settings.get("secret_command"))
    return Account(
        name,
        provider,
        {str(key): value for key, value in credentials.items()},
        options,
        demo,
        own or command,
        all_by_command,
        settings.get("profile"),
        settings.get("cloud"),
    )


def _command(where: str, words: Any) -> tuple[str, ...]:
    if words is None:
        return ()
    if not (words and isinstance(words, list) and all(isinstance(word, str) for word in words)):
        raise AccountsError(
            f"{where} 'secret_command' should be a list of words, such as [pass, show, lab]: no shell reads it"
        )
    return tuple(words)
