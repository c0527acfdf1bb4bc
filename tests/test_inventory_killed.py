"""A process that is killed while it stores."""

import os
import subprocess
import sys

from tests.inventories import ROOT

STEP = int(os.environ.get("STEP", "4"))
SCRIPT = "import sys; from tests import killed; print(killed.at_statements(*eval(sys.argv[1])))"


def test_a_kill_before_a_statement_or_the_commit_leaves_what_was_there(inventory_url):
    """STEP=1: before every statement. In a process of its own, which forks; see also `make test-inventory-kill`."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, repr((inventory_url, 12, STEP))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 60 // STEP  # the moments
