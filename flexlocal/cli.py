"""The commands of ``flexlocal`` and their options. What a command needs is imported when it runs."""

import functools
import importlib
import types
from collections.abc import Sequence
from typing import Any, Callable, Optional

import click

from flexlocal import terminal
from flexlocal.options import FORMATS, nearest

COMPLETE = "_FLEXLOCAL_COMPLETE"  # set by a shell that wants completions
SHELLS = ("bash", "zsh", "fish")
HANDLERS = ("get", "get_status", "get_metrics", "get_logs", "validate_credentials")
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Commands(click.Group):
    """A group that names the nearest command to a mistyped one, and lists commands in the order of their use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            ctx.fail(f"no command {args[0]!r}{nearest(args[0], self.commands)}")
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, _: Any, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        import importlib.metadata

        print(f"flexlocal {importlib.metadata.version('cmp-connectors')}")
        ctx.exit()


@click.group(
    cls=Commands,
    context_settings=CONTEXT,
    epilog="""\b
Examples:
  flexlocal run servers --account demo-aws
  flexlocal run volumes --account demo-openstack --sort -size
  flexlocal run servers --account demo-aws --handler get_status
  flexlocal permissions --provider aws
""",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
    help="Show the version and exit.",
)  # fmt: skip
def flexlocal() -> None:
    """CMP connectors on a laptop: poll an account, replay the demo accounts, build and upload modules.

    Results go to stdout, everything else to stderr. Exit status: 0; 1 for a failed poll; 2 for bad usage; 130 when
    interrupted.
    """


def command(
    name: str,
    function: str,
    *options: Callable[[Any], Any],
    examples: str = "",
    text: str = "",
    group: click.Group = flexlocal,
    within: str = "flexlocal",
) -> None:
    """Add a command that calls ``module:function`` of this package with its options as attributes of one object.

    ``within``: the command that the group is in.
    """

    def call(verbose: bool, **values: Any) -> Any:
        terminal.verbose = verbose
        module, _, called = function.partition(":")
        return getattr(importlib.import_module(f"flexlocal.{module}"), called)(
            types.SimpleNamespace(**values)
        )

    decorated: Any = functools.reduce(
        lambda so_far, option: option(so_far), reversed(options), call
    )
    verbose = click.option(
        "-v", "--verbose", is_flag=True, help="Show the log, and where an error comes from."
    )
    path = f"{within} {name}" if group is flexlocal else f"{within} {group.name} {name}"
    epilog = "\b\nExamples:\n" + "".join(f"  {path} {line}\n" for line in examples.split("\n"))
    group.add_command(
        click.command(
            name, help=text, epilog=epilog if examples else None, context_settings=CONTEXT
        )(verbose(decorated))
    )


# --- completion -----------------------------------------------------------------------------------


def _starting(begun: str, known: Any) -> list[str]:
    return [name for name in known if name.startswith(begun)]


def _families(ctx: Any, param: Any, begun: str) -> list[str]:
    from flexlocal.families import names

    return _starting(begun, names())


def _providers(ctx: Any, param: Any, begun: str) -> list[str]:
    from flexlocal.families import families

    return _starting(begun, sorted({name for cells in families().values() for name in cells}))


def _accounts(ctx: Any, param: Any, begun: str) -> list[str]:
    from flexlocal import accounts

    try:
        return _starting(begun, accounts.load(ctx.params.get("accounts")))
    except accounts.AccountsError:
        return []


# --- options ----------------------------------------------------------------------------------------


def _handlers(ctx: Any, param: Any, begun: str) -> list[str]:
    return _starting(begun, HANDLERS)


def _format(formats: Sequence[str]) -> Callable[[Any], Any]:
    def check(ctx: Any, param: Any, given: Optional[str]) -> Optional[str]:
        if given is not None and given not in formats:
            raise click.BadParameter(
                f"no format {given!r}{nearest(given, formats)}; there are {', '.join(formats)}"
            )
        return given

    return click.option(
        "--format", callback=check, metavar="FORMAT",
        help=f"One of {', '.join(formats)}; the first is the default.",
    )  # fmt: skip


family = click.argument("family", shell_complete=_families)
some_families = click.argument(
    "families", nargs=-1, metavar="[FAMILY]...", shell_complete=_families
)
one_provider = click.option("--provider", metavar="PROVIDER", shell_complete=_providers)
providers = click.option(
    "--provider", multiple=True, metavar="PROVIDER", help="Only its cells (may be repeated).", shell_complete=_providers
)  # fmt: skip
accounts_file = click.option(
    "--accounts", metavar="FILE", help="The accounts file, instead of $FLEXLOCAL_ACCOUNTS."
)
region = click.option("--region", default="default", show_default=True, help="Of ~/.flexer.yaml.")
dry_run = click.option("--dry-run", is_flag=True, help="Only show what would be done.")
yes = click.option("--yes", is_flag=True, help="Do not ask before something is lost.")
module = click.argument("module", metavar="FAMILY-or-ID")
event = [
    click.option("--account", metavar="NAME", help="An account of the accounts file.", shell_complete=_accounts),
    click.option("--event", metavar="FILE-or-JSON", help="The event itself; - reads it from stdin."),
    accounts_file,
    click.option(
        "--option", "options", multiple=True, metavar="KEY=VALUE", help="An option of the event, such as allow_partial=true."
    ),
]  # fmt: skip
later = click.option(
    "--later", is_flag=True,
    help="Replay a demo account as it was recorded a second time, after changes (demo-aws and demo-openstack).",
)  # fmt: skip
columns = [
    click.option("--columns", metavar="NAMES", help="Columns of the table, or paths such as details.server.state; with commas."),
    click.option("--wide", is_flag=True, help="All columns in full, however wide the terminal is."),
    click.option("--sort", metavar="COLUMN", help="Sort by a column or path; -COLUMN sorts downwards."),
    click.option(
        "--filter", "filters", multiple=True, metavar="KEY=VALUE",
        help="Only what has this value: a column or a path, with * for any text (may be repeated).",
    ),
    click.option("--query", metavar="JMESPATH", help="Show the result of this query, as in the AWS CLI."),
]  # fmt: skip
shown = [_format(FORMATS), *columns]


command(
    "run",
    "run:run",
    family,
    *event,
    click.option(
        "--handler", default="get", show_default=True, shell_complete=_handlers,
        help=f"One of {', '.join(HANDLERS)}.",
    ),
    click.option("--scope", "scopes", multiple=True, metavar="NAME", help="Only this region, project or site (may be repeated; * for any text)."),
    click.option("--live", is_flag=True, help="Call the provider (the default but for demo accounts)."),
    click.option("--replay", is_flag=True, help="Answer from the cassette (the default for demo accounts)."),
    click.option("--record", is_flag=True, help="Call the provider and record a new cassette."),
    later,
    *shown,
    text="Call a handler of a FAMILY for one account.",
    examples="""servers --account demo-aws
servers --account demo-aws --filter state=running --sort name
volumes --account demo-openstack --columns name,size,zone
servers --account demo-aws --query "[].base.name"
servers --account demo-aws --handler get_metrics --format csv
servers --event - --format ndjson < event.json""",
)  # fmt: skip
command(
    "poll",
    "poll:poll_accounts",
    click.option("--account", multiple=True, metavar="NAME", help="Only this account; with * those that match (may be repeated).", shell_complete=_accounts),
    click.option("--family", "families", multiple=True, metavar="FAMILY", help="Only this family (may be repeated).", shell_complete=_families),
    click.option(
        "--handler", "handlers", multiple=True, metavar="HANDLER", shell_complete=_handlers,
        help="get (resources, the default), get_status, get_metrics or get_logs (may be repeated).",
    ),
    click.option("--inventory", metavar="FILE-or-URL", help="The inventory, instead of $FLEXLOCAL_INVENTORY."),
    click.option("--once", is_flag=True, help="Poll once (the default)."),
    click.option("--every", metavar="TIME", help="Poll again and again, such as 15m, until SIGTERM or Ctrl-C."),
    click.option("--status-every", metavar="TIME", help="With --every: also status, at this interval."),
    click.option("--metrics-every", metavar="TIME", help="With --every: also metrics."),
    click.option("--logs-every", metavar="TIME", help="With --every: also logs."),
    click.option("--snapshot-every", metavar="TIME", help="With --every: also snapshots, such as 7d."),
    click.option("--window-every", metavar="TIME", help="With --every: polls of resources, and snapshots, while a change window is open."),
    click.option("--workers", type=int, default=4, show_default=True, metavar="NUMBER", help="Polls side by side."),
    click.option("--grace", default="60s", show_default=True, metavar="TIME", help="What polls that run get to end when stopped."),
    accounts_file,
    click.option("--scope", "scopes", multiple=True, metavar="NAME", help="Only this region, project or site (may be repeated; * for any text)."),
    click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="An option of the event, such as deadline_s=120."),
    later,
    *shown,
    text="Poll accounts and store what they have in an inventory.\n\nAll accounts of the accounts file with all their families, unless some are named. Exit status: 0 if all polls were complete, 1 if not, 2 for bad usage, 130 when interrupted.",
    examples="""--account shop-prod
--account 'demo-*' --inventory demo.db
--account shop-prod --family servers --family volumes
--every 15m --status-every 5m --logs-every 5m
--every 1h --snapshot-every 7d --window-every 10m""",
)  # fmt: skip
command(
    "schedule",
    "worker_commands:schedule",
    click.option("--account", multiple=True, metavar="NAME", help="Only this account; with * those that match (may be repeated).", shell_complete=_accounts),
    click.option("--family", "families", multiple=True, metavar="FAMILY", help="Only this family (may be repeated).", shell_complete=_families),
    click.option(
        "--handler", "handlers", multiple=True, metavar="HANDLER", shell_complete=_handlers,
        help="get (resources, the default), get_status, get_metrics or get_logs (may be repeated).",
    ),
    click.option("--every", metavar="TIME", help="How often, such as 15m."),
    click.option("--status-every", metavar="TIME", help="Also status, at this interval."),
    click.option("--metrics-every", metavar="TIME", help="Also metrics."),
    click.option("--logs-every", metavar="TIME", help="Also logs."),
    click.option("--priority", type=int, default=5, show_default=True, metavar="NUMBER", help="Of what is due, smaller ones come first."),
    click.option("--per-account", type=int, default=1, show_default=True, metavar="NUMBER", help="Polls of one account side by side."),
    click.option("--per-provider", type=int, metavar="NUMBER", help="Polls of all accounts of a provider side by side."),
    click.option("--remove", is_flag=True, help="Take these accounts and families out of the schedule."),
    click.option("--inventory", metavar="FILE-or-URL", help="The inventory, instead of $FLEXLOCAL_INVENTORY."),
    accounts_file,
    text="Write what workers poll and how often.\n\nAll accounts of the accounts file with all their families, unless some are named. It takes the place of what was scheduled of these accounts and families; without --account, of all accounts.",
    examples="""--every 15m --status-every 5m
--account 'core-*' --every 5m --priority 1
--account old-shop --remove""",
)  # fmt: skip
command(
    "worker",
    "worker:run",
    click.option("--account", multiple=True, metavar="NAME", help="Only this account; with * those that match (may be repeated).", shell_complete=_accounts),
    click.option("--family", "families", multiple=True, metavar="FAMILY", help="Only this family (may be repeated).", shell_complete=_families),
    click.option("--inventory", metavar="FILE-or-URL", help="The inventory, instead of $FLEXLOCAL_INVENTORY."),
    click.option("--threads", type=int, default=4, show_default=True, metavar="NUMBER", help="Polls side by side."),
    click.option("--broker", metavar="URL", help="Polls are carried by Celery: amqp://, amqps://, redis:// or rediss://; instead of $FLEXLOCAL_BROKER."),
    click.option("--lease", default="30s", show_default=True, metavar="TIME", help="After which others poll what a killed worker had."),
    click.option("--grace", default="60s", show_default=True, metavar="TIME", help="What polls that run get to end when stopped."),
    click.option("--listen", metavar="HOST:PORT", help="Serve /metrics for Prometheus, /healthz and /readyz, such as on 127.0.0.1:9464."),
    accounts_file,
    _format(("table", "ndjson")),
    text="Poll what is due in the inventory, beside any number of other workers.\n\nflexlocal schedule says what that is. All accounts of the accounts file that are scheduled, unless some are named; until SIGTERM or Ctrl-C. Exit status: 0; 1 if a poll was given up or hangs; 2 for bad usage.",
    examples="""--inventory postgresql://cmp@db/inventory --threads 8
--account 'core-*'""",
)  # fmt: skip
command(
    "due",
    "worker_commands:due",
    click.option(
        "--inventory", metavar="FILE-or-URL", help="The inventory, instead of $FLEXLOCAL_INVENTORY."
    ),
    *shown,
    text="List what workers poll: what is due since when, and who polls what.",
    examples="--sort -late\n--filter outcome=failed",
)
command("families", "run:show_families", text="List the families and their providers.")


@flexlocal.group(
    "accounts", cls=Commands, invoke_without_command=True, context_settings=CONTEXT,
    epilog="""\b
Examples:
  flexlocal accounts
  flexlocal accounts add shop --provider aws
  flexlocal accounts check
""",
)  # fmt: skip
@accounts_file
@click.pass_context
def accounts_group(ctx: click.Context, accounts: Optional[str]) -> Any:
    """List the accounts, without their credentials; add, check and remove your own."""
    if ctx.invoked_subcommand is None:
        from flexlocal import accounts_commands

        return accounts_commands.show_all(types.SimpleNamespace(accounts=accounts))
    if accounts is not None:  # given before the subcommand
        ctx.default_map = {ctx.invoked_subcommand: {"accounts": accounts}}
    return None


command(
    "add",
    "accounts_commands:add",
    click.argument("name"),
    click.option("--provider", metavar="PROVIDER", help="Asked for if left out.", shell_complete=_providers),
    click.option(
        "--credential", "credentials", multiple=True, metavar="KEY=VALUE",
        help="A credential, or a reference such as '${NAME}' or TBD (may be repeated). What is missing is asked for.",
    ),
    click.option("--no-check", is_flag=True, help="Write the account without a login."),
    accounts_file,
    group=accounts_group,
    text="Add an account to the accounts file.\n\nAsks on the terminal for its credentials, and checks that they log in.",
    examples="""shop --provider aws
lab --provider netbox --credential token=KEYRING""",
)  # fmt: skip
command(
    "check",
    "accounts_commands:check",
    click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=_accounts),
    accounts_file,
    group=accounts_group,
    text="Log in to all accounts side by side, or to those that are named.\n\nExit status 1 if one fails.",
    examples="demo-aws demo-netbox",
)
command(
    "remove",
    "accounts_commands:remove",
    click.argument("name", shell_complete=_accounts),
    click.option("--yes", is_flag=True, help="Do not ask first."),
    accounts_file,
    group=accounts_group,
    text="Take an account out of the accounts file.",
    examples="shop",
)
command(
    "permissions",
    "run:permissions",
    click.option("--family", metavar="FAMILY", shell_complete=_families),
    one_provider,
    click.option("--handler", metavar="HANDLER", help="Of this one only: get, get_status, ...", shell_complete=_handlers),
    text="Print the least permissions that the polls need.",
    examples="--provider aws\n--provider openstack --family servers",
)  # fmt: skip
command(
    "build", "shipping:build_modules", some_families, providers,
    text="Build modules into dist/ (all, or these families).", examples="volumes --provider openstack",
)  # fmt: skip
for _name, _function, _text in (
    ("upload", "upload", "Build and upload what is new or changed."),
    ("update", "update", "Build and upload what changed; create nothing."),
):
    command(
        _name, f"shipping:{_function}", some_families, providers, region, dry_run, yes, text=_text
    )
command("list", "shipping:list_modules", region, text="List the modules of a region.")
command(
    "get", "shipping:get", module, region, text="Show what a region knows of a module, as JSON."
)
command(
    "download", "shipping:download", module, region,
    text="Download a module's code into the current folder.",
)  # fmt: skip
command(
    "execute",
    "shipping:execute",
    family,
    click.option("--handler", default="get_resources", show_default=True),
    click.option("--async", "is_async", is_flag=True, help="Do not wait for it."),
    *event,
    region,
    text="Call a handler of a family's module in a region.",
)
command(
    "logs", "shipping:logs", family, region,
    text="Show what a module logged in a region (24 hours).",
)  # fmt: skip
command(
    "delete",
    "shipping:delete",
    click.argument("families", nargs=-1, required=True, metavar="FAMILY...", shell_complete=_families),
    region,
    dry_run,
    yes,
    text="Delete families' modules from a region.",
)  # fmt: skip
command(
    "completion",
    "run:completion",
    click.argument("shell", metavar="|".join(SHELLS)),
    text="Print a shell's script for completion.\n\nIt completes commands, options, families and accounts.",
    examples="bash > ~/.flexlocal.bash",
)


# --- inventory ----------------------------------------------------------------------------------------


@flexlocal.group("inventory", cls=Commands, context_settings=CONTEXT)
def inventory() -> None:
    """What was polled: search it, compare it, and look at earlier times.

    Times are 2h (ago), 2026-11-22, 2026-11-22T10:15 (UTC), a pin's name, or a snapshot's label. Exit status: 0 found; 1 nothing found, or
    for diff, something differs; 2 the question can't be answered; 3 nothing found, but a scope's last poll was not
    complete.
    """


which = click.option("--inventory", metavar="FILE-or-URL", help="Instead of $FLEXLOCAL_INVENTORY.")
as_of = click.option("--as-of", metavar="TIME", help="As it was known then.")
in_account = click.option(
    "--account", metavar="NAME", help="Of this account.", shell_complete=_accounts
)
of_type = click.option("--type", metavar="TYPE", help="server, network, volume, ...")
places = [
    in_account,
    click.option("--provider", metavar="PROVIDER", help="Of this provider.", shell_complete=_providers),
    click.option("--family", metavar="FAMILY", help="Of this family.", shell_complete=_families),
    click.option("--scope", metavar="NAME", help="Of this region, project or site."),
    of_type,
]  # fmt: skip
filters = [
    *places,
    click.option("--state", metavar="STATE", help="running, stopped, ..."),
    click.option("--name", metavar="PART", help="With this in its name, in any case."),
    click.option("--tag", metavar="KEY=VALUE", help="With this tag; KEY alone: of any value."),
]
found = [_format([*FORMATS, "parquet"]), *columns]
resource_id = click.argument("id", metavar="ID")
limit = click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many.")


def _in_inventory(name: str, *options: Callable[[Any], Any], text: str, examples: str = "") -> None:
    function = {"list": "list_resources"}.get(name, name)
    path = f"inventory_commands:{function}"
    command(name, path, *options, which, examples=examples, text=text, group=inventory)


_in_inventory(
    "list", *filters, as_of, limit, *found,
    text="List resources that are there, or were at a time.",
    examples="--type server --state running\n--account shop --as-of 2h --format csv",
)  # fmt: skip
_in_inventory(
    "search",
    click.argument("text", metavar="TEXT"),
    click.option("--by", metavar="WHAT", help="id, identifier, address, network, tag, name, or field, which reads every document."),
    *places,
    as_of,
    click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, metavar="N", help="At most so many."),
    *found,
    text="""Find what was pasted: an id, an ARN, an address, a network, a tag, or a part of a name.

What is not found has a proof: in how many scopes it is not, and which ones are not known.""",
    examples="10.4.3.17\nstage=prod --type server\nweb --as-of 2026-11-22\nm5.large --by field",
)  # fmt: skip
_in_inventory(
    "show", resource_id, in_account, of_type, as_of, *found,
    text="Show one resource: its id, or what a search finds it by.",
    examples="i-0123456789abcdef0\nweb-1 --as-of 2h --format yaml",
)  # fmt: skip
_in_inventory(
    "history", resource_id, in_account, of_type, as_of,
    click.option("--fast", is_flag=True, help="Also changes of states and counters alone."), *found,
    text="Show what happened to a resource, and between which polls.",
    examples="i-0123456789abcdef0 --fast\nweb-1 --as-of 2h",
)  # fmt: skip
for _name, _what in (("status", "status"), ("metrics", "metrics"), ("logs", "log events")):
    _in_inventory(
        _name, resource_id, in_account, of_type,
        click.option("--since", default="1d", show_default=True, metavar="TIME", help="From this time on."),
        click.option("--until", default="now", show_default=True, metavar="TIME", help="Up to this time."),
        *found,
        text=f"Show the {_what} of a resource that polls stored, the newest last.",
        examples=f"web-1\nweb-1 --since 7d --format csv > {_name}.csv",
    )  # fmt: skip
_in_inventory(
    "diff",
    click.argument("before", metavar="BEFORE"),
    click.argument("after", metavar="[AFTER]", default="now"),
    *places,
    click.option("--slow", is_flag=True, help="Without changes of states and counters alone."),
    *found,
    text="Show what differs between two times, the most severe first.\n\nExit status: 0 nothing, 1 something.",
    examples='2h\n"before the move" now --account shop\n2026-11-21 2026-11-22 --filter severity=high',
)  # fmt: skip
_in_inventory(
    "scopes", *places[:-1], as_of, *found,
    text="List the scopes, when each was last polled, and which failed.", examples="--filter error=*throttled*",
)  # fmt: skip
command(
    "cost",
    "cost_command:cost",
    *places[:3],
    click.option("--since", default="4w", show_default=True, metavar="TIME", help="Of the polls since then."),
    click.option("--stale", default="1h", show_default=True, metavar="TIME", help="What is shown may be out of date for so long;"),
    click.option("--chance", type=float, default=5, show_default=True, metavar="PERCENT", help="for longer, with this chance at most."),
    click.option("--shortest", default="5m", show_default=True, metavar="TIME", help="Propose no shorter interval."),
    click.option("--fast", is_flag=True, help="Changes of states and counters alone are changes too."),
    *found,
    which,
    group=inventory,
    text="""Show what polls of resources cost, how often they saw a change, and how often they might be.

The intervals that are proposed change nothing by themselves.""",
    examples="\n--account shop --stale 15m --chance 10\n--filter family=volumes --format csv",
)  # fmt: skip
_in_inventory(
    "export", *filters, as_of, limit, _format(["ndjson", "json", "csv", "yaml", "parquet"]),
    text="Write resources with their documents to stdout.",
    examples="> inventory.ndjson\n--type server --format csv > servers.csv",
)  # fmt: skip
_in_inventory(
    "sql", click.argument("statement", metavar="SELECT"), *found,
    text="""Run a SELECT on views: one for each resource type, and resources, tags, connections, scopes.

Views are brought up to date first. Nothing can be written.""",
    examples='"SELECT type, count(*) FROM resources GROUP BY 1"\n"PRAGMA table_info(server)"',
)  # fmt: skip
_in_inventory("views", text="Bring the views for SQL and BI tools up to date, or make them.")
_in_inventory(
    "pin",
    click.argument("name", metavar="NAME"),
    click.argument("at", metavar="[TIME]", default="now"),
    text="Keep the versions of a moment for good, under a name.", examples='"before the move"',
)  # fmt: skip
_in_inventory("pins", *found, text="List the pins.")
_in_inventory(
    "thin",
    *(
        click.option(f"--{name}", type=click.IntRange(1), default=days, show_default=True, metavar="DAYS", help=help)
        for name, days, help in (
            ("every-version", 30, "Keep every version for so long;"),
            ("daily-version", 365, "then the last one of each day;"),
            ("fast", 90, "changes of states and counters;"),
            ("points", 30, "status, metrics and logs;"),
            ("polls", 30, "polls in which nothing changed;"),
            ("snapshots", 365, "scheduled snapshots that are not the baseline."),
        )
    ),
    text="Remove old versions, but for the first and last of each resource, and what a pin or a snapshot names.",
)  # fmt: skip
_in_inventory(
    "check", text="Read everything, and list what is wrong.\n\nExit status: 0 nothing, 1 something."
)
_in_inventory(
    "backup", click.argument("file", metavar="FILE"),
    text="Write a copy to a new file, while polls go on.", examples="inventory-2026-11-22.db",
)  # fmt: skip
_in_inventory(
    "restore",
    click.argument("file", metavar="FILE"),
    click.option("--replace", is_flag=True, help="Instead of what the inventory holds."),
    text="Put a backup back.",
    examples="inventory-2026-11-22.db --replace",
)
_in_inventory(
    "copy", click.argument("target", metavar="FILE-or-URL"),
    text="Copy it into a new file, or into an empty PostgreSQL database, and check the copy.",
    examples="postgresql://user@host/inventory",
)  # fmt: skip


# --- topology -----------------------------------------------------------------------------------------


@flexlocal.group("topology", cls=Commands, context_settings=CONTEXT)
def topology() -> None:
    """What depends on what, what breaks with what, what is weak, and what is down now.

    A RESOURCE is an id, a name, an ARN or an address. --format svg and mermaid draw the answer. Exit status: 0 answered;
    1 no path, or not everything is up (clique, now); 2 the question can't be answered.
    """


_pictured = [_format([*FORMATS, "svg", "mermaid"]), *columns]
_one_resource = click.argument("resource", metavar="RESOURCE")
_of_kind = click.option("--kind", metavar="KIND", help="server, host, router, wan_link, vca, ...")


def _in_topology(name: str, *options: Callable[[Any], Any], text: str, examples: str = "") -> None:
    options = (*options, as_of, which, *_pictured)
    command(
        name, f"topology_commands:{name}", *options, examples=examples, text=text, group=topology
    )


_in_topology(
    "impact",
    click.argument("resources", nargs=-1, metavar="[RESOURCE]..."),
    click.option("--list", metavar="FILE", help="A maintenance list: a resource a line; - reads it from stdin."),
    click.option("--state", type=click.Choice(["down", "degraded"]), default="down", show_default=True, help="What happens to them."),
    click.option("--owner", metavar="KEY", help="What each customer loses: by the value of a tag, or of another key of the metadata."),
    click.option("--max-distance", type=click.IntRange(1), metavar="N", help="Only so many links away."),
    _of_kind,
    in_account,
    of_type,
    text="Show what stops, and what is only weakened, if resources go down.\n\nEach row has its reason.",
    examples="core-router-1\n--list maintenance.txt --owner customer\nweb-1 --format mermaid",
)  # fmt: skip
_in_topology(
    "path",
    click.argument("start", metavar="RESOURCE"),
    click.argument("end", metavar="RESOURCE"),
    in_account,
    of_type,
    text="Show the shortest path between two resources.",
    examples="web-1 core-router-1",
)
_in_topology(
    "clique",
    _one_resource,
    click.option("--cliques", metavar="FILE", help="Clique types that extend or replace the usual ones (YAML)."),
    in_account,
    of_type,
    text="Show what belongs to a resource: what it runs on, its networks, what uses it, and whether all of it is up.\n\nExit status 1 if something is not.",
    examples="web-1\nweb-1 --format svg > web-1.svg",
)  # fmt: skip
_in_topology(
    "spof",
    _of_kind,
    click.option("--seconds", type=click.FloatRange(0), default=10, show_default=True, metavar="N", help="Stop after this time."),
    text="Show single points of failure: what takes others down with it, the worst first.",
    examples="--kind router\n--seconds 60 --format csv",
)  # fmt: skip
_in_topology(
    "redundancy",
    click.option("--since", metavar="TIME", help="Count providers too that were there then, and are gone."),
    click.option("--all", is_flag=True, help="Also groups that never had more than one provider."),
    in_account,
    text="Show where one provider is left of several, though nothing is down yet.",
    examples="--since 1d",
)  # fmt: skip
_in_topology(
    "now",
    text="Show what is not up, by the newest statuses and what follows from them; the causes first.\n\nNo cause can be left out. Exit status 1 if something is not up.",
    examples="--format mermaid",
)  # fmt: skip
_in_topology(
    "links",
    text="Show links between accounts, with the evidence for each and how sure it is.",
    examples="--filter evidence=*likely*",
)
_in_topology(
    "problems",
    click.option("--problem", metavar="PROBLEM", help="self, duplicate, dangling, ambiguous or unproven."),
    in_account,
    text="Show connections that lead nowhere or not to one place, and links that nothing proves.",
    examples="--problem dangling --account shop",
)  # fmt: skip


# --- snapshots ----------------------------------------------------------------------------------------


@flexlocal.group("snapshot", cls=Commands, context_settings=CONTEXT)
def snapshot() -> None:
    """Labels on polls: what differs from one to another, and from the design; reports, and change windows.

    A snapshot is named by its label, or as last or baseline (the one that was pinned last); where a time will do, it is
    one of flexlocal inventory. Exit status: 0 nothing differs; 1 something does; 2 trouble; 3 nothing differs, but a
    scope was not polled completely.
    """


baseline = [
    click.option("--baseline", metavar="LABEL", help="The design, instead of the snapshot that was pinned last."),
    click.option("--no-baseline", is_flag=True, help="Compare with no design."),
]  # fmt: skip
focal = click.option(
    "--focal",
    metavar="ID",
    help="Of the clique of this resource: what it depends on, and what depends on it.",
)
gaps = click.option("--gaps", is_flag=True, help="Also what is not as designed, as before.")


def _in_snapshot(name: str, *options: Callable[[Any], Any], text: str, examples: str = "") -> None:
    function = {"list": "list_snapshots"}.get(name, name)
    path = f"snapshot_commands:{function}"
    command(name, path, *options, which, examples=examples, text=text, group=snapshot)


_in_snapshot(
    "take",
    click.argument("label", metavar="[LABEL]", required=False),
    click.argument("at", metavar="[TIME]", default="now"),
    text="Put a label on the last polls, which keeps what they saw. Without one, the time is the label.",
    examples='\n"as designed"\n"before the move" 2h',
)  # fmt: skip
_in_snapshot("list", *found, text="List the snapshots.")
_in_snapshot(
    "pin", click.argument("label", metavar="LABEL"),
    text='Make a snapshot the baseline, "as designed".', examples='"as designed"\nlast',
)  # fmt: skip
_in_snapshot(
    "remove", click.argument("label", metavar="LABEL"),
    text="Remove a snapshot; not the baseline, nor one of a change window.", examples='"week 47"',
)  # fmt: skip
_in_snapshot(
    "diff",
    click.argument("before", metavar="[BEFORE]", default="last"),
    click.argument("after", metavar="[AFTER]", default="now"),
    *baseline,
    gaps,
    click.option("--fail-on", default="low", show_default=True, metavar="SEVERITY", help="Exit status 1 from this severity on: critical, high, medium, low."),
    *places,
    focal,
    click.option("--slow", is_flag=True, help="Without changes of states and counters alone."),
    *found,
    text="Show what differs between two snapshots or times, and whether it is as designed.",
    examples="\nbaseline\n1w now --fail-on high\n\"before the move\" last --account shop --gaps",
)  # fmt: skip
_in_snapshot(
    "report",
    click.argument("before", metavar="[BEFORE]", required=False),
    click.argument("after", metavar="[AFTER]", default="last"),
    *baseline,
    click.option("--window", metavar="NAME", help="Of this change window, which is closed."),
    in_account,
    of_type,
    _format(["markdown", "html"]),
    text="""Write a report of two snapshots to stdout: the last one and the one before it, unless others are named.

The same snapshots give the same bytes, whatever is polled later.""",
    examples='> report.md\n"as designed" last --format html > report.html\n--window "move to zone b"',
)  # fmt: skip
_in_snapshot(
    "export", click.argument("label", metavar="[LABEL]", default="last"),
    text="Write a snapshot with all its resources to stdout, as one JSON object.",
    examples='"as designed" > as-designed.json',
)  # fmt: skip


@snapshot.group("window", cls=Commands, context_settings=CONTEXT)
def window() -> None:
    """A change that somebody makes: before, after and the design in one table.

    It closes when all that differs is as before, as designed, or explained. Exit status: 0 it may close, or did; 1
    something is in the way; 2 trouble; 3 only a scope is in the way that was not polled completely.
    """


def _in_window(name: str, *options: Callable[[Any], Any], text: str, examples: str = "") -> None:
    function = {"list": "list_windows", "explain": "explain"}.get(name, f"{name}_window")
    path = f"snapshot_commands:{function}"
    command(
        name, path, *options, which, examples=examples, text=text, group=window, within="flexlocal snapshot"
    )  # fmt: skip


window_name = click.argument("name", metavar="NAME")
_in_window(
    "open", window_name, baseline[0], *places, focal,
    text="Begin a change: take the snapshot before it.\n\nIt is about all resources, those of an account, provider, family, scope or type, or the clique of one.",
    examples='"move to zone b" --account shop\n"new disk" --focal web-1',
)  # fmt: skip
_in_window("list", *found, text="List the change windows.")
_in_window(
    "show", window_name, gaps, *found,
    text="Show what differs from before, now or at its end, with the design and the explanations.",
    examples='"move to zone b" --filter explanation=null',
)  # fmt: skip
_in_window(
    "explain",
    window_name,
    click.argument("text", metavar="TEXT"),
    click.option("--id", "ids", multiple=True, metavar="ID", help="Of the resource with this id or name (may be repeated)."),
    click.option("--field", "fields", multiple=True, metavar="FIELD", help="Of this field, as the table names it (may be repeated)."),
    click.option("--scope", "scopes", multiple=True, metavar="NAME", help="That this scope was not polled (may be repeated)."),
    click.option("--all", is_flag=True, help="All that is left."),
    text="Keep a text that says why something differs, as it is now.",
    examples='"move to zone b" "enlarged, CHG-17" --id web-1 --field instance_type',
)  # fmt: skip
_in_window(
    "close", window_name, *found,
    text="End a change: take the snapshot after it, or list what is in the way.", examples='"move to zone b"',
)  # fmt: skip


# --- the REST service -----------------------------------------------------------------------------------


tokens_option = click.option(
    "--tokens", metavar="FILE", help="The file of tokens, instead of $FLEXLOCAL_TOKENS."
)
command(
    "serve",
    "serve_commands:serve",
    which,
    click.option("--demo", is_flag=True, help="Poll the demo accounts into an inventory that goes with the server, and open the page."),
    click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where it listens; others than this host need TLS and a token."),
    click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, metavar="NUMBER", help="0 takes a free one."),
    click.option("--tls-cert", metavar="FILE", help="The certificate with its chain (PEM)."),
    click.option("--tls-key", metavar="FILE", help="Its key (PEM)."),
    click.option("--behind-proxy", is_flag=True, help="A proxy speaks TLS for it."),
    click.option("--allow-writes", is_flag=True, help="Also snapshots, change windows, saved views, and starting polls."),
    tokens_option,
    accounts_file,
    text="Serve an inventory: a REST service, and a page to look at.\n\nOn this host alone and only for reading, unless options say otherwise. Python 3.10 and newer.",
    examples="--demo\n--inventory shop.db --port 0\n--host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem",
)  # fmt: skip


@flexlocal.group("token", cls=Commands, context_settings=CONTEXT)
def token() -> None:
    """Tokens of the REST service (flexlocal serve). Their file has hashes only."""


def _in_token(name: str, *options: Callable[[Any], Any], text: str, examples: str = "") -> None:
    function = {"list": "list_tokens"}.get(name, name)
    path = f"token_commands:{function}"
    command(name, path, *options, tokens_option, examples=examples, text=text, group=token)


_in_token(
    "add",
    click.argument("label", metavar="NAME"),
    click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help="read:inventory (the default), write:snapshots, write:views or run:polls (may be repeated)."),
    click.option("--account", "accounts", multiple=True, metavar="NAME", help="Only this account (may be repeated)."),
    click.option("--expires", default="90d", show_default=True, metavar="TIME", help="After 12h, 90d, 52w; or never."),
    text="Make a token, and print it once.",
    examples="wallboard --expires 52w\nnoc --scope read:inventory --scope write:snapshots\nshop-team --account shop",
)  # fmt: skip
_in_token(
    "list", *shown, text="List the tokens: what each may do, until when, and when it was used last."
)
_in_token(
    "remove",
    click.argument("label", metavar="NAME"),
    text="Remove a token; a server that runs refuses it from then on.",
    examples="wallboard",
)
