"""``make test-schemathesis``: asks a running service whatever its description allows, first one that only reads, then one
that writes. The program is in an environment of its own; it fails for any 5xx, and where an answer is not as described."""

import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.inventories import store_example
from tests.serving import BASE, EVERY_SCOPE
from web.service import utc_now
from web.tokens import Tokens

# Of positive data, some are refused all the same, by what is in the inventory: no resource has that id. A token is sent
# with each request, so that nothing is refused for want of one; tests/test_serve_access.py has that.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
)


def main() -> int:
    program, cases = sys.argv[1:]
    if importlib.util.find_spec("fastapi") is None:
        print("test-schemathesis: left out, for want of Python 3.10 and the extra [serve]")
        return 0
    failed = 0
    for writes in (False, True):
        with tempfile.TemporaryDirectory(prefix="schemathesis-") as folder:
            failed |= run(Path(folder), program, cases, ["--allow-writes"] if writes else [])
    return failed


def run(folder: Path, program: str, cases: str, more: list[str]) -> int:
    store_example(folder / "shop.db")
    text = Tokens(folder / "tokens.json").add("all", EVERY_SCOPE, None, utc_now())
    (folder / "accounts.yaml").write_text("version: 1\naccounts: {}\n")
    (folder / "accounts.yaml").chmod(0o600)
    environment = {**os.environ, "FLEXLOCAL_ACCOUNTS": str(folder / "accounts.yaml")}
    command = [sys.executable, "-m", "flexlocal", "serve", "--port", "0", *more]
    command += ["--inventory", str(folder / "shop.db"), "--tokens", str(folder / "tokens.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        found = re.search(r"http://[^ ]*[0-9]", process.stdout.readline())
        assert found, "the server did not start"
        try:
            arguments = [str(Path(program).resolve()), "run", f"{found[0]}{BASE}/openapi.json"]
            arguments += ["--max-examples", cases]
            arguments += ["--checks", ",".join(CHECKS), "--header", f"Authorization: Bearer {text}"]
            arguments += [
                "--seed",
                "1",
                "--exclude-path",
                f"{BASE}/events",
                "--suppress-health-check",
                "all",
            ]
            return subprocess.run(arguments, cwd=folder, check=False).returncode
        finally:
            process.send_signal(signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
