"""``flexlocal``: run the connectors' handlers on a laptop.

stdout carries what the handler returned and nothing else. Exit status: 0; 1 for a failed poll; 2 for bad usage.
"""

import os
import sys
from typing import Optional

import click

from flexlocal import terminal
from flexlocal.cli import COMPLETE, flexlocal
from flexlocal.families import families
from flexlocal.options import BadUsage

__all__ = ["families", "main"]

FAILED = 1
BAD_USAGE = 2
INTERRUPTED = 130  # as shells say it


def main(arguments: Optional[list[str]] = None) -> int:
    """Run one command; returns its exit status."""
    terminal.prepare()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        status = _complete() if COMPLETE in os.environ else _status(given)
        sys.stdout.flush()  # here, where it can be noticed that the reader has gone
    except BrokenPipeError:
        terminal.closed()
        return 0
    return status


def _complete() -> int:
    from click.shell_completion import shell_complete

    return shell_complete(flexlocal, {}, "flexlocal", COMPLETE, os.environ[COMPLETE])


def _status(arguments: list[str]) -> int:
    """The exit status of the command. click's own ``main`` would end the process, and prints errors on two lines."""
    if not arguments:  # the releases of click do different things then
        print(flexlocal.get_help(click.Context(flexlocal, info_name="flexlocal")), file=sys.stderr)
        return BAD_USAGE
    try:
        with flexlocal.make_context("flexlocal", list(arguments)) as context:
            return int(flexlocal.invoke(context) or 0)
    except click.exceptions.Exit as ended:  # --help, --version
        return ended.exit_code
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "flexlocal"
        message = " ".join(error.format_message().split()).rstrip(".")
        terminal.say(f"flexlocal: {message}; see {where} --help")
        return BAD_USAGE
    except BadUsage as error:
        terminal.say(f"flexlocal: {error}")
        return BAD_USAGE
    except (KeyboardInterrupt, click.Abort) as error:
        terminal.interrupted(str(error))
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:
        return _failed(error)


def _failed(error: Exception) -> int:
    """Show the error of a command once; what is imported here is imported already where such an error comes from."""
    from flexlocal.account import AccountsError
    from flexlocal.cmp_api import RegionError
    from flexlocal.distributions import BuildError
    from flexlocal.manifest import ManifestError
    from inventory.errors import InventoryError
    from topology.errors import TopologyError

    if isinstance(error, (AccountsError, InventoryError, ManifestError, TopologyError)):
        terminal.say(f"flexlocal: {error}")
        return BAD_USAGE
    for line in f"{type(error).__name__}: {error}".split("\n"):  # a build that failed has a trace
        terminal.say(line)
    if not isinstance(error, (BuildError, RegionError)):
        terminal.say_trace("flexlocal")
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
