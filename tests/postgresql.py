"""A PostgreSQL server for tests: ``python -m tests.postgresql COMMAND...`` (``make test-postgres``).

It starts one on a free port of the loopback interface, with its data in a temporary folder, runs the command with the
server's URL in the variable TEST_POSTGRESQL, and stops the server. As root, the server runs as the user nobody, since
PostgreSQL refuses root.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import urllib.parse
from pathlib import Path

from tests import daemons

VARIABLE = "TEST_POSTGRESQL"
DEBIAN = Path("/usr/lib/postgresql")  # a folder each version, not on the PATH
OLDEST = 15
MISSING = (
    "PostgreSQL 15 or newer is not installed; on Debian and Ubuntu: apt-get install postgresql"
)
READY = "database system is ready to accept connections"
# How it stops: it ends connections first, or leaves all to the recovery of the next start.
FAST, IMMEDIATE = signal.SIGINT, signal.SIGQUIT
# Nothing here need survive a loss of power.
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "lc_messages": "C",
    "shared_buffers": "64MB",
    "deadlock_timeout": "100ms",
}


def programs():
    """The folder with initdb and postgres, of the newest version. Raises FileNotFoundError."""
    folders = [path.parent for path in DEBIAN.glob("*/bin/initdb")]
    found = shutil.which("initdb")
    if found:
        folders.append(Path(found).resolve().parent)
    versions = {version(folder): folder for folder in folders if (folder / "postgres").exists()}
    if not versions or max(versions) < OLDEST:
        raise FileNotFoundError(MISSING)
    return versions[max(versions)]


def version(folder):
    text = subprocess.run(
        [folder / "initdb", "--version"], capture_output=True, text=True, check=True
    )
    return int(text.stdout.split()[2].split(".")[0])


@contextlib.contextmanager
def server(**settings):
    """A running server, whose user may make databases. Raises FileNotFoundError or RuntimeError."""
    bin = programs()
    with daemons.folder("postgresql") as folder:
        password = secrets.token_hex()
        passwords = folder / "password"
        passwords.write_text(password)
        daemons.give(passwords)
        data = folder / "data"
        made = subprocess.run(
            [bin / "initdb", "--no-sync", "--username=tests", "--encoding=UTF8", "--locale=C"]
            + [f"--pwfile={passwords}", "--auth=scram-sha-256", f"--pgdata={data}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            cwd="/",
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            text=True,
            **daemons.other_user(),
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed:\n{made.stdout}")
        port = daemons.free_port()
        command = [bin / "postgres", "-D", data, "-p", str(port)]
        for name, value in {**SETTINGS, **settings}.items():
            command += ["-c", f"{name}={value}"]
        with daemons.running(Server(command, READY, folder / "log", stop=FAST)) as process:
            process.url = f"postgresql://tests:{password}@127.0.0.1:{port}/postgres"
            process.folder = folder
            yield process


class Server(daemons.Daemon):
    """``url``: of its database postgres; ``folder``: of all that it writes."""

    url: str
    folder: Path


def dump(url):
    """All that a database holds, as SQL."""
    done = subprocess.run([programs() / "pg_dump", url], capture_output=True, text=True, check=True)
    return done.stdout


class Databases:
    """Makes databases on the server, and removes them."""

    def __init__(self, url):
        self._url = urllib.parse.urlsplit(url)
        self._template = None
        self._made = []

    def new(self, template=None):
        """The URL of a database that holds nothing, or what the template holds."""
        name = f"test_{secrets.token_hex(6)}"
        self._execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        self._made.append(name)
        return self._url._replace(path=f"/{name}").geturl()

    def new_inventory(self):
        """The URL of an inventory that holds nothing."""
        from inventory import Inventory

        if self._template is None:
            url = self.new()
            Inventory(url, create=True).close()
            self._template = urllib.parse.urlsplit(url).path[1:]
        return self.new(self._template)

    def drop(self, url):
        self._made.remove(urllib.parse.urlsplit(url).path[1:])
        self._execute(f"DROP DATABASE {urllib.parse.urlsplit(url).path[1:]} WITH (FORCE)")

    def close(self):
        for name in self._made:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _execute(self, statement):
        import psycopg

        with psycopg.connect(self._url.geturl(), autocommit=True) as connection:
            connection.execute(statement)


def main(command):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # by the way that stops the server
    try:
        with server() as running:
            environment = {**os.environ, VARIABLE: running.url}
            return subprocess.run(command, env=environment, check=False).returncode
    except (FileNotFoundError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
