"""``flexlocal serve``: the REST service and the page. Who may reach it is decided here, before it listens."""

import contextlib
import importlib.metadata
import importlib.util
import ipaddress
import logging
import os
import socket
import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Optional

from flexlocal import inventories, serve_polls, terminal
from flexlocal.options import BadUsage
from web.tokens import Tokens, TokensError

if TYPE_CHECKING:
    from inventory import Inventory
    from web.service import Settings

OLDEST = (3, 10)
NEEDED = ("fastapi", "uvicorn")  # the extra [serve]
TOKENS = "FLEXLOCAL_TOKENS"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
PORT = 8765
BACKLOG = 2048
KEEP_ALIVE_S = 75
GRACE_S = 5  # for answers that are being sent when the server stops


def serve(args: SimpleNamespace) -> int:
    check_installed()
    host = _host(args.host)
    tls = _tls(args)
    # the user's own tokens are not for a demo
    tokens = Tokens(None if args.demo and args.tokens is None else tokens_file(args.tokens))
    _check_reach(host, tls, args.behind_proxy, tokens)
    with contextlib.ExitStack() as stack:
        where = stack.enter_context(_demo()) if args.demo else args.inventory
        inventory = stack.enter_context(inventories.opened(where, upgrade=args.allow_writes))
        listening = _listen(host, args.port)
        stack.callback(listening.close)
        local = host in LOOPBACK and not args.behind_proxy
        polls = serve_polls.Polls(inventory, args.accounts, args.demo)
        stack.callback(polls.stop)
        settings = _settings(args, inventory, tokens, polls)
        settings.hosts = LOOPBACK if local else None
        settings.token_needed = not local
        settings.secure = bool(tls) or args.behind_proxy
        address = f"{'https' if tls else 'http'}://{_shown(host)}:{listening.getsockname()[1]}/"
        print(f"{settings.inventory.address}: {address} (Ctrl-C ends it)", flush=True)
        if args.demo and _has_display():
            webbrowser.open(address)
        with contextlib.redirect_stdout(terminal.Output()):
            return _run(settings, listening, tls)


def check_installed() -> None:
    """Raises BadUsage where it can't run."""
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:2]))
        raise BadUsage(f"flexlocal serve needs Python 3.10 or newer; this is {found}")
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise BadUsage(
            f"flexlocal serve needs {' and '.join(missing)}: install the extra, pip install 'cmp-connectors[serve]'"
        )
    inventories.check_installed()


def tokens_file(given: Optional[str]) -> Path:
    """``given`` (--tokens), else $FLEXLOCAL_TOKENS, else beside the accounts file."""
    if given == "":
        raise BadUsage("--tokens is empty: it should name a file")
    named = given or os.environ.get(TOKENS)
    return Path(named) if named else Path("~/.config/flexlocal/tokens.json").expanduser()


# --- who may reach it ---


def _host(given: str) -> str:
    """An address of this host, or localhost. Other names may lead anywhere."""
    if given in LOOPBACK:
        return "127.0.0.1" if given == "localhost" else given
    try:
        return str(ipaddress.ip_address(given))
    except ValueError:
        raise BadUsage(
            f"--host {given!r} should be an address of this host, such as 127.0.0.1, 0.0.0.0 or ::"
        ) from None


def _tls(args: SimpleNamespace) -> Optional[tuple[str, str]]:
    given = (args.tls_cert, args.tls_key)
    if given == (None, None):
        return None
    if None in given:
        raise BadUsage("--tls-cert and --tls-key go together")
    if args.behind_proxy:
        raise BadUsage("--behind-proxy says that a proxy has the certificate: leave --tls-cert out")
    for option, name in zip(("--tls-cert", "--tls-key"), given):
        try:
            Path(name).read_bytes()
        except OSError as error:
            raise BadUsage(f"{option} {name}: {error.strerror}") from None
    return given


def _check_reach(
    host: str, tls: Optional[tuple[str, str]], behind_proxy: bool, tokens: Tokens
) -> None:
    """Beyond this host, nothing is served without TLS and a token. Raises BadUsage."""
    try:
        known = tokens.all()
    except TokensError as error:
        raise BadUsage(str(error)) from None
    if host in LOOPBACK and not behind_proxy:
        return
    who = "behind a proxy" if behind_proxy else f"on {host}, which others can reach"
    if not tls and not behind_proxy:
        raise BadUsage(
            f"{who}, it needs --tls-cert and --tls-key, or --behind-proxy if a proxy speaks TLS for it"
        )
    if not known:
        raise BadUsage(
            f"{who}, it needs a token: flexlocal token add NAME, and --tokens if that is in another file"
        )


def _listen(host: str, port: int) -> socket.socket:
    """Raises BadUsage."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise BadUsage(
            f"--host {host} --port {port}: {error.strerror}; --port 0 takes a free one"
        ) from None
    return listening


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _has_display() -> bool:
    return sys.stderr.isatty() and (
        sys.platform == "darwin"
        or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    )


# --- running ---


def _settings(
    args: SimpleNamespace, inventory: "Inventory", tokens: Tokens, polls: serve_polls.Polls
) -> "Settings":
    from web.service import Settings

    # beside the inventory's file; of a database elsewhere, where the usual file would be
    file = Path(inventory.address)
    folder = inventories.usual().parent if "://" in inventory.address else file.parent
    name = "views.json" if "://" in inventory.address else f"{file.name}.views.json"
    return Settings(
        inventory,
        tokens,
        folder / name,
        version=importlib.metadata.version("cmp-connectors"),
        writes=args.allow_writes,
        demo=args.demo,
        accounts=polls.accounts,
        start_poll=polls.start if args.allow_writes else None,
        log=_log if terminal.verbose else lambda line: None,
    )


def _log(line: str) -> None:
    terminal.say(line)


def _run(settings: "Settings", listening: socket.socket, tls: Optional[tuple[str, str]]) -> int:
    import uvicorn

    from web.app import create

    # of a connection that breaks: the service has its own log, in which no stored text is
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    app = create(settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        backlog=BACKLOG,
        ssl_certfile=tls[0] if tls else None,
        ssl_keyfile=tls[1] if tls else None,
    )
    server: Any = uvicorn.Server(config)

    def stop(*_: Any) -> None:
        app.service.stop()  # streams end by themselves
        server.force_exit = server.should_exit  # a second signal
        server.should_exit = True

    server.handle_exit = stop  # uvicorn's own sends the signal again when all has ended
    server.run(sockets=[listening])
    return 0


@contextlib.contextmanager
def _demo() -> Iterator[str]:
    """An inventory of the demo accounts at both recorded moments, which goes with the server."""
    from flexlocal import serve_demo

    with tempfile.TemporaryDirectory(prefix="flexlocal-demo-") as folder:
        file = Path(folder) / "demo.db"
        terminal.say("polling the demo accounts, which takes some seconds")
        serve_demo.store(file)
        yield str(file)
