"""Reads accounts: the demo accounts that the cassettes were recorded with, and the user's own.

A file is ``{version: 1, accounts: {NAME: {provider, credentials, options?}}}``.
"""

import copy
import dataclasses
import errno
import functools
import getpass
import os
import re
import stat
import sys
from pathlib import Path
from typing import Any, Optional

import yaml

from shared.engine import event as events

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "cassettes" / "accounts.yaml"
VARIABLE = "FLEXLOCAL_ACCOUNTS"
CA_CERTIFICATES = ("cacert", "OS_CACERT", "ca_cert")  # credentials; a handler takes PEM text only
TO_BE_ASKED = "TBD"
_REFERENCE = re.compile(r"\$?\$\{(\w+)\}")
USUAL = Path("~/.config/flexlocal/accounts.yaml")


class AccountsError(Exception):
    """An accounts file that can't be used; the message says where and what to do."""


@dataclasses.dataclass(frozen=True)
class Account:
    name: str
    provider: str
    credentials: dict[str, Any] = dataclasses.field(repr=False)
    options: dict[str, Any]
    demo: bool

    def event(self) -> dict[str, Any]:
        """The event that the platform's scheduler would send for this account."""
        return {
            "account_id": self.name,
            "customer_id": "local",
            "user_id": "local",
            "provider": self.provider,
            "poll_interval": 3600,
            "poll_type": "resources",
            "credentials": self.credentials,
            "options": self.options,
            "resource": {
                "id": self.name,
                "type": "account",
                "account_id": self.name,
                "customer_id": "local",
                "poll_interval": 3600,
            },
        }


def demo() -> dict[str, Account]:
    """The demo accounts by name. They are parsed once; callers may change what they get."""
    changed = DEMO.stat().st_mtime_ns if DEMO.exists() else 0
    return copy.deepcopy(_demo(DEMO, changed))


@functools.cache
def _demo(file: Path, changed: int) -> dict[str, Account]:
    return _read(file, demo=True)


def load(path: Optional[str] = None) -> dict[str, Account]:
    """All accounts by name: the demo ones, and those of ``path`` or of the user's own file."""
    accounts = demo()
    if path == "":
        raise AccountsError("--accounts is empty: it should name a file")
    own = path or os.environ.get(VARIABLE)
    file = Path(own) if own else USUAL.expanduser()
    if not own and not file.exists():
        return accounts
    for name, account in _read(file, demo=False).items():
        if name in accounts:
            raise AccountsError(
                f"{file}: account {name!r} is a demo account's name; choose another"
            )
        accounts[name] = account
    return accounts


def resolved(account: Account) -> Account:
    """The account, with ``${NAME}`` in its credentials replaced by environment variables, and ``TBD`` asked for.

    ``$${`` stands for ``${``. Raises AccountsError naming the credential and what is missing, and no value.
    """
    if account.demo:
        return account
    credentials = {
        key: _resolved(account.name, key, each) for key, each in account.credentials.items()
    }
    return dataclasses.replace(account, credentials=credentials)


def _resolved(name: str, key: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value == TO_BE_ASKED:
        if not sys.stdin.isatty():
            raise AccountsError(
                f"account {name!r}: credentials.{key} is {TO_BE_ASKED}, and there is no terminal to ask on: "
                "write its value, or ${NAME} of an environment variable"
            )
        return getpass.getpass(f"{name}: {key}: ")

    def of_environment(match: "re.Match[str]") -> str:
        if match[0].startswith("$$"):
            return match[0][1:]
        if match[1] not in os.environ:
            raise AccountsError(
                f"account {name!r}: credentials.{key} refers to the environment variable {match[1]}, which is not set"
            )
        return os.environ[match[1]]

    return _REFERENCE.sub(of_environment, value)


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
    try:
        if not demo:
            _check_mode(file)
        text = file.read_text(encoding="utf-8")
        content = yaml.load(text, Loader=UniqueKeys)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise AccountsError(f"{file}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or "it is not YAML"
        line = f" line {where.line + 1}:" if where else ""
        raise AccountsError(f"{file}:{line} {what}") from None
    if not isinstance(content, dict) or content.get("version") != 1:
        raise AccountsError(f"{file}: 'version: 1' is missing")
    accounts = content.get("accounts")
    if not isinstance(accounts, dict):
        raise AccountsError(f"{file}: 'accounts' should be a map of name to account")
    return {
        str(name): _account(file, str(name), settings, demo) for name, settings in accounts.items()
    }


def _account(file: Path, name: str, settings: Any, demo: bool) -> Account:
    if not isinstance(settings, dict):
        raise AccountsError(f"{file}: account {name!r} should be a map")
    unknown = settings.keys() - {"provider", "credentials", "options"}
    if unknown:
        raise AccountsError(
            f"{file}: account {name!r} has unknown keys: {', '.join(sorted(unknown))}"
        )
    provider, credentials = settings.get("provider"), settings.get("credentials")
    options = settings.get("options") or {}
    if not isinstance(provider, str):
        raise AccountsError(f"{file}: account {name!r} needs a 'provider'")
    if not isinstance(credentials, dict) or not isinstance(options, dict):
        raise AccountsError(f"{file}: 'credentials' (and 'options') of {name!r} should be maps")
    return Account(name, provider, credentials, options, demo)


def _check_mode(file: Path) -> None:
    mode = file.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise AccountsError(f"{file} holds secrets and others may read it: chmod 600 {file}")


class UniqueKeys(yaml.SafeLoader):
    """A safe loader that refuses a repeated key; PyYAML would silently use the last one."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key_node, _ in node.value:
            key = str(self.construct_object(key_node, deep=True))  # as text: 7 and "7" are one name
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)
