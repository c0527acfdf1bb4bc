"""Processes of ``flexlocal worker`` for tests: started, stopped, killed, paused, and with another clock."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests import daemons

WAIT_S = 180  # a test that needs this long has failed
FAKETIME = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/local/lib/faketime/libfaketimeMT.so.1")


class Worker:
    """``command``: all arguments of flexlocal; its output goes to the file ``log``. ``clock_s``: how wrong its clock is."""

    def __init__(self, command, log, environment=None, clock_s=0):
        self.log = Path(log)
        shift = {} if not clock_s else clock(clock_s)
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "flexlocal", *command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**os.environ, **(environment or {}), **shift},
                start_new_session=True,  # its children are in its group
            )

    @property
    def runs(self):
        return self.process.poll() is None

    def text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def without_log(self):
        """What it wrote, but for the log of its handlers."""
        lines = self.text().splitlines()
        return "\n".join(line for line in lines if '"event": "log"' not in line)

    def results(self):
        """A dict of each poll that it made: what it writes in a line of JSON."""
        lines = [line for line in self.text().splitlines() if line.startswith('{"')]
        return [row for row in map(json.loads, lines) if "outcome" in row]

    def kill(self):
        """SIGKILL, to its children too."""
        self.signal(signal.SIGKILL)
        self.process.wait(WAIT_S)

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def stop(self):
        """As a service manager does it; returns its status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_S)

    def end(self):
        """Whatever it is doing; what is left of its children too."""
        try:
            if self.runs:
                self.resume()
                self.stop()
        finally:
            self.signal(signal.SIGKILL)
            self.process.wait()


def clock(seconds):
    """The environment of a process whose clock is wrong by these seconds. Raises FileNotFoundError."""
    found = [path for pattern in FAKETIME for path in Path("/").glob(pattern[1:])]
    if not found:
        daemons.program("faketime", "faketime")  # raises, naming the package
        raise FileNotFoundError("libfaketimeMT.so.1 is not where Debian's package faketime has it")
    return {
        "LD_PRELOAD": str(found[0]),
        "FAKETIME": f"{seconds:+d}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
