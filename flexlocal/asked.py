"""What several commands ask for: an event, by an account's name or as it is."""

import argparse
import json
from pathlib import Path
from typing import Any, Optional

from flexlocal import accounts


class BadUsage(Exception):
    """What was asked for can't be done as it was asked."""


def add_event_options(command: argparse.ArgumentParser) -> None:
    whose = command.add_mutually_exclusive_group(required=True)
    whose.add_argument("--account", metavar="NAME", help="an account of the accounts file")
    whose.add_argument("--event", metavar="FILE-or-JSON", help="the event itself")
    add_accounts_option(command)


def add_accounts_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--accounts", metavar="FILE", help=f"instead of ${accounts.VARIABLE}")


def event(asked: argparse.Namespace) -> tuple[Any, Optional[accounts.Account]]:
    """The event, and the account that it is of if one was named."""
    if asked.account is not None:
        known = accounts.load(asked.accounts)
        account = known.get(asked.account)
        if account is None:
            raise BadUsage(f"no account {asked.account!r}; there are {', '.join(sorted(known))}")
        return accounts.with_ca_text(account.event()), account
    text = asked.event
    if not text.lstrip().startswith(("{", "[")):
        try:
            text = Path(text).read_text(encoding="utf-8")
        except OSError as error:
            raise BadUsage(f"--event {asked.event}: {error.strerror}") from None
        except ValueError:  # no UTF-8, or a name with a NUL
            raise BadUsage(f"--event {asked.event}: this is no text in UTF-8") from None
    try:
        return accounts.with_ca_text(json.loads(text)), None
    except (ValueError, RecursionError) as error:
        raise BadUsage(f"--event is no JSON: {error}") from None
