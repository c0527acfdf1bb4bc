"""The vendor's command line, flexer 1.8.0 as it is, run on a built module."""

import functools
import json
import re
import subprocess
import sys

import pytest
import yaml

from tests.built import clean_environment

_CLI = "from flexer.cli import cli; cli()"


def needs_flexer():
    """Skips where the vendor's runtime can't be imported: it uses imp, which Python 3.12 removed."""
    if sys.version_info >= (3, 12):
        pytest.skip("flexer 1.8.0 does not run on Python 3.12 and newer")
    _compile_flexer()


@functools.cache
def _compile_flexer():
    """Leave the byte code of flexer and its libraries: the processes below write none, each would make it anew."""
    command = [sys.executable, "-W", "ignore", "-c", "import flexer.commands"]
    subprocess.run(command, check=True)


def flexer(
    arguments,
    folder,
    home,
    url="http://127.0.0.1:9/cmp",
    key="key",
    secret="invented",
    **environment,
):
    """The finished process of `flexer ARGUMENTS` in the folder, for the CMP region at this URL."""
    regions = {"default": {"cmp_url": url, "cmp_api_key": key, "cmp_api_secret": secret}}
    (home / ".flexer.yaml").write_text(json.dumps({"verify_ssl": True, "regions": regions}))
    return subprocess.run(
        [sys.executable, "-c", _CLI, *arguments],
        cwd=folder,
        env=clean_environment(home, **environment),
        capture_output=True,
        text=True,
    )


def run(handler, event, folder, home):
    """What `flexer run HANDLER` prints: the handler's value, or the error as a dict."""
    done = flexer(["run", handler, "--event", json.dumps(event)], folder, home)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test(folder, home, provider, credentials, **more):
    """`flexer test` with the provider's configuration; the credentials go by the environment."""
    known = {f"AUTH_{name.upper()}": value for name, value in credentials.items()}
    known["CONFIG_YAML"] = f"config.{provider}.yaml"
    return flexer(["test", "-v"], folder, home, **{**known, **more})


test.__test__ = False  # no test of ours

NO_METRICS = "No expected_metrics found in config"


def lacks_metrics(folder, provider):
    """Whether the provider's cell has no metrics, by the configuration that the build wrote."""
    config = yaml.safe_load((folder / f"config.{provider}.yaml").read_text(encoding="utf-8"))
    return "expected_metrics" not in config


def failures(done, folder, provider):
    """Names of the vendor's tests that failed, but for the one that can't be told that a cell has no metrics.

    A family that has no get_metrics at all skips that test.
    """
    failed = set(re.findall(r"^(?:FAIL|ERROR): (\w+)", done.stderr, re.MULTILINE))
    assert re.search(r"^Ran [1-9]\d* tests in ", done.stderr, re.MULTILINE), done.stderr
    assert bool(failed) == bool(done.returncode), done.stderr
    if NO_METRICS in done.stderr and lacks_metrics(folder, provider):
        failed.discard("test_get_metrics")
    return sorted(failed)
