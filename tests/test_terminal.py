"""flexlocal at a terminal: help, version, completion, mistyped names, progress, errors."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flexlocal import terminal
from flexlocal.__main__ import main
from flexlocal.cli import flexlocal
from shared.engine.errors import InvalidEvent
from shared.engine.runtime import Runtime
from shared.engine.traffic import Traffic, scope_name
from tests.fakes import openstack as fakes

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(terminal, "verbose", False)


def test_the_version_needs_neither_providers_nor_a_store():
    code = (
        "import sys; from flexlocal.__main__ import main; status = main(['--version']); "
        "print(status, [name for name in ('apscheduler', 'boto3', 'requests', 'rich', 'sqlalchemy', 'vcr', 'inventory',"
        " 'yaml', 'shared') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    version, rest = done.stdout.splitlines()
    assert version.startswith("flexlocal 0.")
    assert rest == "0 []"


def test_bare_it_shows_its_help(capsys):
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Commands:" in err
    assert "flexlocal run servers --account demo-aws" in err


@pytest.mark.parametrize("name", list(flexlocal.commands))
def test_each_command_has_help_that_fits_80_columns(capsys, name):
    assert main([name, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2].strip()


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["rum"], "no command 'rum'; did you mean 'run'?"),
        (["run", "serers", "--account", "demo-aws"], "; did you mean 'servers'?"),
        (["run", "servers", "--account", "demo-aw"], "; did you mean 'demo-aws'?"),
        (["permissions", "--provider", "openstak"], "; did you mean 'openstack'?"),
        (["build", "volume"], "; did you mean 'volumes'?"),
        (["build", "--provider", "awss"], "; did you mean 'aws'?"),
        (["completion", "bsh"], "; did you mean 'bash'?"),
        (["run", "volumes", "--account", "demo-aws", "--columns", "nam"], "; did you mean 'name'?"),
        (["run", "volumes", "--account", "demo-aws", "--sort", "-siz"], "; did you mean 'size'?"),
        (
            ["run", "volumes", "--account", "demo-aws", "--filter", "bas.name=x"],
            "no column or path 'bas.name'; did you mean 'name'?",
        ),
        (
            ["run", "servers", "--account", "demo-aws", "--handler", "get_statu"],
            "; did you mean 'get_status'?",
        ),
    ],
)
def test_a_mistyped_name_is_bad_usage_and_names_the_nearest(capsys, arguments, words):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("words, found", [("flexlocal ru", "run"), ("flexlocal run ser", "servers"),
                                          ("flexlocal run servers --account demo-a", "demo-aws"),
                                          ("flexlocal permissions --provider juj", "juju")])  # fmt: skip
def test_completion(capsys, monkeypatch, words, found):
    monkeypatch.setenv("_FLEXLOCAL_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    assert main([]) == 0
    assert capsys.readouterr().out == f"plain,{found}\n"


def test_an_event_from_stdin(capsys, monkeypatch):
    monkeypatch.setattr(
        sys, "stdin", io.StringIO('{"provider": "nope", "credentials": {"a": "b"}}')
    )
    assert main(["run", "servers", "--event", "-"]) == 1
    assert "'provider' 'nope' is not one" in capsys.readouterr().err


def test_options_of_the_event(capsys, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "shared.engine.poll.poll", lambda family, event, context: seen.append(event) or []
    )
    options = ["--option", "allow_partial=true", "--option", "deadline_s=5"]
    assert main(["run", "servers", "--account", "demo-aws", *options]) == 0
    assert seen[0]["options"] == {"allow_partial": True, "deadline_s": 5}


def test_only_the_chosen_scopes():
    class Context:
        config = {"only_scopes": ["eu-*", "us-east-1"]}

    names = ["eu-west-1", "us-east-1", "us-west-2"]
    assert Runtime(Context()).only_scopes(names) == {"eu-west-1", "us-east-1"}
    with pytest.raises(InvalidEvent, match=r"no scope 'us-east-1'; there are eu-west-1\."):
        Runtime(Context()).only_scopes(["eu-west-1"])
    with pytest.raises(
        InvalidEvent, match=r"there are eu-north-1, us-east-2; did you mean 'us-east-2'\?"
    ):
        Runtime(Context()).only_scopes(["eu-north-1", "us-east-2"])
    assert Runtime(object()).only_scopes(names) is None


@pytest.mark.usefixtures("no_network")
def test_a_scope_of_a_demo_account(capsys):
    arguments = ["run", "volumes", "--account", "demo-aws", "--format", "ndjson"]
    assert main([*arguments, "--scope", "eu-west-1"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {each["base"]["locations"][0]["region"]["id"] for each in found} == {"eu-west-1"}
    assert main([*arguments, "--scope", "mars"]) == 1
    assert "InvalidEvent: login: no scope 'mars'; there are " in capsys.readouterr().err


# --- progress ---------------------------------------------------------------------------------------


def test_progress_names_scopes_records_calls_and_retries(capsys, monkeypatch):
    monkeypatch.setattr(terminal.Progress, "EVERY_S", 0)
    traffic = Traffic(terminal.Progress("servers").watch)
    traffic.count()
    traffic.news("scopes", count=2)
    scope_name.set("eu-west-1")
    traffic.news("page", pages=1, records=100)
    traffic.news("retry", why="throttled", number=3, of=7, seconds=4.04)
    traffic.news("done", records=100, failed=False)
    terminal.end_progress()
    scope_name.set("")
    shown = capsys.readouterr().err
    for text in (
        "\rservers: log in, 1 calls\x1b[K",
        "\rservers: 0 of 2 scopes, 1 pages, 100 records, 1 calls (eu-west-1)\x1b[K",
        "\r\x1b[Keu-west-1: throttled, retry 3 of 7 in 4 s\n",
        "\rservers: 1 of 2 scopes, 1 pages, 100 records, 1 calls (eu-west-1)\x1b[K\n",
    ):
        assert text in shown


def test_a_retry_is_shown_as_it_happens(capsys, monkeypatch):
    monkeypatch.setattr("shared.transport.http.FIRST_DELAY_S", 0)
    cloud = fakes.Cloud()
    cloud.fill(volumes=2)
    cloud.fault(r"/volumes/detail", (429, {"Retry-After": "0"}), times=2)
    try:
        event = {"provider": "openstack", "credentials": cloud.credentials()}
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        assert main(["run", "volumes", "--event", json.dumps(event)]) == 0
    finally:
        cloud.stop()
    err = capsys.readouterr().err
    assert "\rvolumes: 1 of 1 scopes, " in err
    assert ": throttled, retry 2 of 7 in 0 s\n" in err


# --- errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("verbose", [False, True])
def test_a_bug_has_a_traceback_only_if_that_is_wanted(capsys, monkeypatch, verbose):
    def broken(*_):
        raise ValueError("a bug")

    monkeypatch.setattr("shared.engine.poll._poll", broken)
    assert main(["run", "volumes", "--account", "demo-aws", *["-v"] * verbose]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert ("Traceback" in err) is verbose
    assert "ValueError: a bug" in err
    assert ("-v shows where" in err) is not verbose


def test_a_long_line_is_folded_between_words_on_a_terminal_only(monkeypatch):
    monkeypatch.setattr(terminal.shutil, "get_terminal_size", lambda *_: os.terminal_size((20, 9)))
    out = io.StringIO()
    line = "one two-three four five six sevenandsomuchmorethanthat"
    assert terminal.folded(line, out) == line
    out.isatty = lambda: True
    assert terminal.folded(line, out).split("\n") == [
        "one two-three four",
        "five six",
        "sevenandsomuchmorethanthat",
    ]
    assert terminal.folded("a\tb", out) == "a\tb"
    assert terminal.folded("nineteen letters is it", out, "  ") == "  nineteen letters\n  is it"
