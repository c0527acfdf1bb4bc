"""Servers that tests start for themselves: on free ports of the loopback interface, as another user than root."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

WAIT_S = 120  # for a server that starts or ends: a test that needs this long has failed
LOOK_S = 0.02  # from one look at its log to the next


class Daemon:
    """A server's process. It writes to ``log``, and is ready once that has a new line with the text ``ready``."""

    def __init__(self, command, ready, log, environment=None, stop=signal.SIGTERM):
        self.command, self.log = [str(each) for each in command], Path(log)
        self._ready, self._stop = ready.encode(), stop
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            "TZ": "UTC",
            **(environment or {}),
        }
        self.process = None

    def start(self):
        """Returns when it is ready. Raises RuntimeError with the end of its log."""
        with self.log.open("ab") as log:
            begin = log.tell()
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd="/",
                start_new_session=True,  # the terminal's Ctrl-C is for the tests, which then stop it
                **other_user(),
            )
        end = time.monotonic() + WAIT_S
        while self._ready not in (read := self.log.read_bytes()[begin:]):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop(signal.SIGKILL)
                text = read.decode(errors="replace")[-3000:]
                raise RuntimeError(f"{self.command[0]} did not start:\n{text}")
            time.sleep(LOOK_S)

    def stop(self, number=None):
        """By its own signal, or by this one."""
        if self.process is None:
            return
        try:
            self.process.send_signal(number or self._stop)
            self.process.wait(WAIT_S)
        finally:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self, number=None):
        self.stop(number)
        self.start()


@contextlib.contextmanager
def running(daemon):
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()


@contextlib.contextmanager
def folder(name):
    """A folder for what a server writes, which that other user may use."""
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as path:
        give(path)
        yield Path(path)


def give(*paths):
    """Makes that other user the owner."""
    user = other_user()
    for path in paths if user else ():
        os.chown(path, user["user"], user["group"])


def other_user():
    """What makes subprocess run a program as somebody else than root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def program(name, package, *first):
    """Its path. Raises FileNotFoundError with the name of Debian's package."""
    found = shutil.which(name, path=os.pathsep.join([*first, os.environ.get("PATH", "")]))
    if not found:
        raise FileNotFoundError(
            f"{name} is not installed; on Debian and Ubuntu: apt-get install {package}"
        )
    return Path(found)
