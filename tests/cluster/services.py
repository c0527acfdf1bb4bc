"""RabbitMQ, Redis and PgBouncer for tests: Debian's, on free ports of loopback, as another user than root.

Each is a context manager that gives a ``daemons.Daemon`` with ``url``, what a worker gets, and ``folder``, all that the
server writes. It raises FileNotFoundError with the name of the package that is missing.
"""

import contextlib
import secrets
import signal
import urllib.parse
from pathlib import Path

from tests import daemons

RABBITMQ = "/usr/lib/rabbitmq/bin"  # Debian's program on the PATH insists on the user rabbitmq
RABBITMQ_CONFIG = """
listeners.tcp.default = 127.0.0.1:{port}
default_user = tests
default_pass = {password}
log.console = true
log.console.level = info
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 1MB
"""
PGBOUNCER_CONFIG = """
[databases]
* = host={host} port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {users}
pool_mode = transaction
default_pool_size = 10
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
"""


class Service(daemons.Daemon):
    url: str
    folder: Path


@contextlib.contextmanager
def rabbitmq():
    """Stops the node and its epmd, which would outlive it, by their ids."""
    program = daemons.program("rabbitmq-server", "rabbitmq-server", RABBITMQ)
    epmd = daemons.program("epmd", "erlang-base")
    port, names_port, node_port = (daemons.free_port() for _ in range(3))
    password = secrets.token_hex()
    with daemons.folder("rabbitmq") as folder, contextlib.ExitStack() as stack:
        config, plugins = folder / "rabbitmq.conf", folder / "enabled_plugins"
        config.write_text(RABBITMQ_CONFIG.format(port=port, password=password))
        plugins.write_text("[].\n")
        daemons.give(config, plugins)
        environment = {
            "HOME": str(folder),  # of the cookie
            "ERL_EPMD_PORT": str(names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(node_port),
            "RABBITMQ_NODENAME": f"tests{port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RUNNING_UNDER_SYSTEMD": "1",  # else a shell stands between us and the node
        }
        names = daemons.Daemon(
            [epmd, "-d", "-address", "127.0.0.1", "-port", names_port],
            "epmd running",
            folder / "epmd.log",
            environment,
        )
        stack.enter_context(daemons.running(names))
        node = Service([program], "Server startup complete", folder / "log", environment)
        node.url, node.folder = f"amqp://tests:{password}@127.0.0.1:{port}//", folder
        yield stack.enter_context(daemons.running(node))


@contextlib.contextmanager
def redis(certificate=None):
    """With TLS alone, if a file with a certificate and its key is given."""
    program = daemons.program("redis-server", "redis-server")
    port, password = daemons.free_port(), secrets.token_hex()
    with daemons.folder("redis") as folder:
        config = folder / "redis.conf"
        lines = ["bind 127.0.0.1", f"requirepass {password}", f"dir {folder}", "appendonly yes"]
        lines += ["save 1 1"]  # what it knows is in its files
        if certificate:
            lines += ["port 0", f"tls-port {port}", "tls-auth-clients no"]
            lines += [f"tls-cert-file {certificate}", f"tls-key-file {certificate}"]
            lines += [f"tls-ca-cert-file {certificate}"]
        else:
            lines += [f"port {port}"]
        config.write_text("\n".join(lines) + "\n")
        daemons.give(config)
        server = Service([program, config], "Ready to accept connections", folder / "log")
        scheme = "rediss" if certificate else "redis"
        server.url, server.folder = f"{scheme}://:{password}@127.0.0.1:{port}/0", folder
        with daemons.running(server):
            yield server


@contextlib.contextmanager
def pgbouncer(postgresql_url):
    """Before the server of this URL; each transaction may get another of its connections."""
    program = daemons.program("pgbouncer", "pgbouncer", "/usr/sbin")
    behind = urllib.parse.urlsplit(postgresql_url)
    port = daemons.free_port()
    with daemons.folder("pgbouncer") as folder:
        users, config = folder / "users.txt", folder / "pgbouncer.ini"
        users.write_text(f'"{behind.username}" "{behind.password}"\n')
        config.write_text(
            PGBOUNCER_CONFIG.format(
                host=behind.hostname, server_port=behind.port, port=port, users=users
            )
        )
        daemons.give(users, config)
        server = Service([program, config], "process up", folder / "log", stop=signal.SIGINT)
        place = f"{behind.username}:{behind.password}@127.0.0.1:{port}"
        server.url, server.folder = behind._replace(netloc=place).geturl(), folder
        with daemons.running(server):
            yield server
