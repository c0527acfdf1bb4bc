"""Command-line options that several commands share: the event, as the name of an account or as JSON."""

import argparse
import json
from pathlib import Path
from typing import Any, Optional

from flexlocal import accounts


class BadUsage(Exception):
    """The command can't run with these options."""


def add_event_options(command: argparse.ArgumentParser) -> None:
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument("--account", metavar="NAME", help="an account of the accounts file")
    source.add_argument("--event", metavar="FILE-or-JSON", help="the event itself")
    add_accounts_option(command)


def add_accounts_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--accounts", metavar="FILE", help=f"instead of ${accounts.VARIABLE}")


def event(args: argparse.Namespace) -> tuple[Any, Optional[accounts.Account]]:
    """The event, and the account that it was built from if --account names one."""
    if args.account is not None:
        known = accounts.load(args.accounts)
        account = known.get(args.account)
        if account is None:
            raise BadUsage(f"no account {args.account!r}; there are {', '.join(sorted(known))}")
        return accounts.with_ca_text(account.event()), account
    text = args.event
    if not text.lstrip().startswith(("{", "[")):
        try:
            text = Path(text).read_text(encoding="utf-8")
        except OSError as error:
            raise BadUsage(f"--event {args.event}: {error.strerror}") from None
        except ValueError:  # no UTF-8, or a name with a NUL
            raise BadUsage(f"--event {args.event}: this is not UTF-8 text") from None
    try:
        return accounts.with_ca_text(json.loads(text)), None
    except (ValueError, RecursionError) as error:
        raise BadUsage(f"--event is not JSON: {error}") from None
