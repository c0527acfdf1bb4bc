"""flexlocal accounts: add, check and remove, and what they leave of the file."""

import io
import os
import pty
import re
import select
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from flexlocal import accounts, accounts_commands, accounts_file
from flexlocal.__main__ import main
from flexlocal.account import AccountsError
from flexlocal.cli import accounts_group
from tests.fakes.netbox import V1, NetBox
from tests.test_flexlocal import write

ROOT = Path(__file__).resolve().parent.parent
SECRET = V1  # what the simulated NetBox takes


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr("shared.transport.http.FIRST_DELAY_S", 0)
    return tmp_path


@pytest.fixture(scope="module")
def netbox():
    server = NetBox()
    yield server
    server.stop()


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "a.yaml"
    monkeypatch.setenv("FLEXLOCAL_ACCOUNTS", str(path))
    return path


def typed(monkeypatch, *answers):
    """A terminal at which these are typed, in this order."""
    left = list(answers)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    for prompt in ("hidden_prompt_func", "visible_prompt_func"):
        monkeypatch.setattr(f"click.termui.{prompt}", lambda text: left.pop(0))
    return left


def entry(token="x", url="https://netbox.example"):
    return {"provider": "netbox", "credentials": {"url": url, "token": token}}


def content(*entries):
    return yaml.safe_dump({"version": 1, "accounts": dict(entries)}, sort_keys=False)


# --- help -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(accounts_group.commands))
def test_each_command_has_help_that_fits_80_columns(capsys, name):
    assert main(["accounts", name, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert f"    flexlocal accounts {name} " in "\n".join(lines)


def test_a_mistyped_command_names_the_nearest(capsys):
    assert main(["accounts", "chekc"]) == 2
    assert "no command 'chekc'; did you mean 'check'?" in capsys.readouterr().err


def test_the_file_may_be_named_before_or_after_the_command(capsys, tmp_path):
    path = write(tmp_path / "b.yaml", content(("own", entry())))
    for arguments in (["--accounts", path, "remove"], ["remove", "--accounts", path]):
        assert main(["accounts", *arguments, "owm"]) == 2
        assert "no account 'owm'; there are own; did you mean 'own'?" in capsys.readouterr().err


# --- check ----------------------------------------------------------------------------------------


def test_check_logs_in_to_all_accounts_and_fails_if_one_does(capsys, file, netbox, monkeypatch):
    monkeypatch.setenv("INVENTED_TOKEN", SECRET)
    monkeypatch.setattr(accounts_commands, "AT_ONCE", 2)
    good = [(f"z{n}", entry("${INVENTED_TOKEN}", netbox.url)) for n in range(5)]
    wrong = "wr0ng-secret-of-nobody"
    bad = [
        ("refused", entry(wrong, netbox.url)),
        ("unset", entry("${NO_SUCH}", netbox.url)),
        ("asks", entry("TBD", netbox.url)),
        ("unknown", {"provider": "netbocks", "credentials": {"token": wrong}}),
        ("a", entry("${INVENTED_TOKEN}", netbox.url)),
    ]
    write(file, content(*good, *bad))
    assert main(["accounts", "check"]) == 1
    out, err = capsys.readouterr()
    rows = [line.split()[:3] for line in out.splitlines()]
    assert rows[0] == ["NAME", "PROVIDER", "LOGIN"]
    assert rows[1:6] == [[name, "netbox", "ok"] for name, _ in good]
    assert rows[6:] == [
        ["refused", "netbox", "failed"],
        ["unset", "netbox", "failed"],
        ["asks", "netbox", "failed"],
        ["unknown", "netbocks", "failed"],
        ["a", "netbox", "ok"],
    ]
    err = f"\n{err}"
    assert "\nrefused: InvalidCredentials: " in err
    assert "\nunset: credentials.token refers to the environment variable NO_SUCH, which" in err
    assert "\nasks: credentials.token is TBD, and there is no terminal" in err
    assert "\nunknown: no provider 'netbocks'; there are aws, " in err
    assert not re.search(f"{SECRET}|{wrong}", out + err)
    assert main(["accounts", "check", "z3", "a"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["NAME", "z3", "a"]


def test_check_asks_before_it_logs_in_side_by_side(capsys, file, netbox, monkeypatch):
    left = typed(monkeypatch, SECRET, SECRET)
    asked_in = []
    real = accounts.resolved

    def resolved(account):
        asked_in.append((account.name, threading.current_thread() is threading.main_thread()))
        return real(account)

    monkeypatch.setattr(accounts, "resolved", resolved)
    asks = entry("TBD", netbox.url)
    write(file, content(("a", asks), ("b", entry(SECRET, netbox.url)), ("c", asks)))
    assert main(["accounts", "check"]) == 0
    assert asked_in == [("a", True), ("c", True), ("b", False)]
    assert left == []


@pytest.mark.usefixtures("no_network")
def test_check_replays_the_demo_accounts_that_are_named(capsys):
    assert main(["accounts", "check"]) == 0
    assert "There are no accounts of your own: flexlocal accounts add" in capsys.readouterr().out
    assert main(["accounts", "check", "demo-aws", "demo-netbox"]) == 0
    assert re.search(r"demo-aws +aws +ok +123456789012\n", capsys.readouterr().out)
    assert main(["accounts", "check", "demo-aw"]) == 2
    assert "did you mean 'demo-aws'?" in capsys.readouterr().err


def test_a_bug_is_the_failure_of_one_account(capsys, file, monkeypatch, netbox):
    def broken(account, watch):
        raise ValueError("a bug")

    monkeypatch.setattr(accounts_commands, "_login", broken)
    write(file, content(("own", entry(SECRET, netbox.url))))
    assert main(["accounts", "check"]) == 1
    assert "own: ValueError: a bug\n" in capsys.readouterr().err


def test_ctrl_c_ends_check_and_the_commands_that_it_runs_at_once(file, tmp_path):
    """A pipe ends when all processes that could write to it have ended."""
    os.mkfifo(tmp_path / "pipe")
    pipe = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    command = ["sh", "-c", f"exec 3> {tmp_path}/pipe; echo begun >&3; sleep 600"]
    own = {**entry("SECRET"), "secret_command": command}
    write(file, content(("own", own), ("other", own)))
    script = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from flexlocal.__main__ import main; sys.exit(main(['accounts', 'check']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        begun = b""
        while begun != b"begun\n" * 2:
            assert select.select([pipe], [], [], 60)[0]
            begun += os.read(pipe, 100)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (
        130,
        "flexlocal: interrupted: 2 of 2 accounts were not checked\n",
    )
    assert select.select([pipe], [], [], 60)[0]
    assert os.read(pipe, 1) == b""
    os.close(pipe)


def test_ctrl_c_where_check_asks_ends_it(capsys, file, netbox, monkeypatch):
    typed(monkeypatch)

    def interrupted(text):
        raise KeyboardInterrupt

    monkeypatch.setattr("click.termui.hidden_prompt_func", interrupted)
    asks = entry("TBD", netbox.url)
    write(file, content(("a", asks), ("b", asks)))
    assert main(["accounts", "check"]) == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == "flexlocal: interrupted"


# --- add ------------------------------------------------------------------------------------------


def test_add_without_a_file_writes_one_that_only_its_owner_reads(capsys, home, netbox, monkeypatch):
    monkeypatch.setenv("INVENTED_TOKEN", SECRET)
    before = os.umask(0)
    try:
        values = ["--credential", f"url={netbox.url}", "--credential", "token=${INVENTED_TOKEN}"]
        assert main(["accounts", "add", "own", "--provider", "netbox", *values]) == 0
    finally:
        os.umask(before)
    folder = home / ".config" / "flexlocal"
    path = folder / "accounts.yaml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(folder.iterdir()) == [path]
    out, err = capsys.readouterr()
    assert out.startswith(f"own: added to {path}, logged in to 127.0.0.1:")
    assert SECRET not in out + err
    assert path.read_text() == (
        "version: 1\naccounts:\n  own:\n    provider: netbox\n    credentials:\n"
        f"      url: {netbox.url}\n      token: ${{INVENTED_TOKEN}}\n"
    )


def test_add_asks_for_what_the_provider_needs(capsys, file, netbox, monkeypatch):
    left = typed(monkeypatch, "netbox", "", SECRET, netbox.url)
    assert main(["accounts", "add", "own"]) == 0
    assert left == []
    assert accounts.load()["own"].credentials == {"url": netbox.url, "token": SECRET}
    err = capsys.readouterr().err
    assert "credentials.url is missing or empty" in err  # what was left empty is asked for again
    assert SECRET not in err


def test_add_asks_only_for_what_is_still_missing(capsys, file, monkeypatch):
    left = typed(monkeypatch, "wr0ng-secret")
    values = ["auth_url=https://keystone.example/v3", "application_credential_id=i"]
    given = [word for value in values for word in ("--credential", value)]
    assert main(["accounts", "add", "lab", "--provider", "openstack", "--no-check", *given]) == 0
    assert left == []
    assert accounts.load()["lab"].credentials == {
        "auth_url": "https://keystone.example/v3",
        "application_credential_id": "i",
        "application_credential_secret": "wr0ng-secret",
    }


def test_add_knows_the_command_of_the_file(file, netbox):
    write(file, f"version: 1\nsecret_command: [printf, '%s', {SECRET}]\naccounts: {{}}\n")
    values = ["--credential", f"url={netbox.url}", "--credential", "token=SECRET"]
    assert main(["accounts", "add", "own", "--provider", "netbox", *values]) == 0
    assert accounts.resolved(accounts.load()["own"]).credentials["token"] == SECRET
    assert file.read_text().count(SECRET) == 1


def test_a_login_that_fails_writes_nothing(capsys, file, netbox):
    token = "wr0ng-secret-of-nobody"
    values = ["--credential", f"url={netbox.url}", "--credential", f"token={token}"]
    assert main(["accounts", "add", "own", "--provider", "netbox", *values]) == 1
    err = capsys.readouterr().err
    assert "own: InvalidCredentials: " in err
    assert err.endswith("Nothing was written; --no-check writes it without this check.\n")
    assert token not in err
    assert not file.exists()
    assert main(["accounts", "add", "own", "--provider", "netbox", "--no-check", *values]) == 0
    assert accounts.load()["own"].credentials["token"] == token


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["own"], "there is no terminal to ask on: pass --provider, one of aws, ietf_l2vpn, "),
        (["own", "--provider", "netbocks"], "no provider 'netbocks'; there are aws, "),
        (["own", "--provider", "aws"], "pass --credential KEY=VALUE for what the account needs of aws_access_key_id, aws_secret_access_key, regions, endpoint_url; write a secret as '${NAME}'"),
        (["own", "--provider", "netbox", "--credential", "url=https://n"], "credentials.token is missing or empty; expected text; there is no terminal to ask on: pass --credential token=VALUE"),
        (["own", "--provider", "netbox", "--credential", "tokn=x"], "credentials.tokn is an unknown key; did you mean 'token'?"),
        (["own", "--provider", "netbox", "--credential", "token"], "--credential 'token' should be KEY=VALUE"),
        (["own", "--provider", "netbox", "--credential", "token=${X}"], "credentials.url is missing"),
        (["own", "--provider", "netbox", "--credential", "token=a\nb", "--credential", "url=https://n"], "credentials.token has a line break"),
        (["there"], "there is an account 'there' already: choose another name"),
        (["demo-aws"], "there is an account 'demo-aws' already"),
        (["a\nb"], "the account's name should be one line of text"),
    ],
)  # fmt: skip
def test_what_can_not_be_added_is_one_line(capsys, file, arguments, words):
    before = content(("there", entry()))
    write(file, before)
    assert main(["accounts", "add", "--no-check", *arguments]) == 2
    out, err = capsys.readouterr()
    assert words in err
    assert (out, err.count("\n")) == ("", 1)
    assert file.read_text() == before


def test_a_file_of_another_layout_or_that_others_read_is_not_changed(capsys, file):
    clouds = "clouds: {lab: {auth: {username: u}}}"
    for arguments in (["add", "own", "--provider", "netbox"], ["remove", "lab", "--yes"]):
        write(file, clouds)
        assert main(["accounts", *arguments]) == 2
        assert "is not of flexlocal's own layout" in capsys.readouterr().err
        write(file, clouds, mode=0o644)
        assert main(["accounts", *arguments]) == 2
        assert f"chmod 600 {file}" in capsys.readouterr().err
        assert file.read_text() == clouds


def test_nobody_sees_what_is_typed(tmp_path, netbox):
    """At a real terminal: prompts are shown, the URL is, the token is not."""
    path = tmp_path / "a.yaml"
    arguments = ["accounts", "add", "own", "--provider", "netbox", "--accounts", str(path)]
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "flexlocal", *arguments],
        cwd=ROOT, stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
        env={**os.environ, "TERM": "dumb"},
    )  # fmt: skip
    os.close(follower)
    shown = ""

    def until(words):
        nonlocal shown
        while words not in shown:
            assert select.select([leader], [], [], 60)[0], shown
            shown += os.read(leader, 4096).decode()

    try:
        until("url: ")
        os.write(leader, f"{netbox.url}\n".encode())
        until("token: ")
        os.write(leader, f"{SECRET}\n".encode())
        until("own: added to")
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(leader)
    assert netbox.url in shown
    assert SECRET not in shown
    assert SECRET in path.read_text()


# --- remove ---------------------------------------------------------------------------------------


def test_remove_asks_first(capsys, file, monkeypatch):
    before = content(("a", entry()), ("b", entry()))
    write(file, before)
    assert main(["accounts", "remove", "a"]) == 2
    assert "no terminal to ask on: --yes removes" in capsys.readouterr().err
    left = typed(monkeypatch, "", "y")
    assert main(["accounts", "remove", "a"]) == 2
    assert "nothing was removed" in capsys.readouterr().err
    assert file.read_text() == before
    assert main(["accounts", "remove", "a"]) == 0
    assert left == []
    assert file.read_text() == content(("b", entry()))
    assert main(["accounts", "remove", "b", "--yes"]) == 0
    assert yaml.safe_load(file.read_text()) == {"version": 1, "accounts": {}}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "name, words",
    [
        ("nobody", "no account 'nobody'; there are own"),
        ("demo-aws", "'demo-aws' is a demo account, which can't be removed"),
    ],
)
def test_what_can_not_be_removed(capsys, file, name, words):
    write(file, content(("own", entry())))
    assert main(["accounts", "remove", name, "--yes"]) == 2
    assert words in capsys.readouterr().err


# --- the text of the file -------------------------------------------------------------------------

TEXT = """\
# All accounts of the shop.
version: 1
secret_command: [pass, show, "{account}"]  # for all

accounts:   # in the order of the bill

  # --- production ---

  # Anna's
  shop:
    provider: aws
    credentials: {aws_access_key_id: 'AKIA', aws_secret_access_key: "x"}  # of 2026
    # until June

  lab:  # Bert's
      provider: juju
      credentials:
          ca_cert: |
            -----BEGIN
              x

      options:
          - a
  wan: {provider: netbox, credentials: {}}
# the end
"""


def test_an_entry_is_added_at_the_end_and_the_rest_stays():
    text = accounts_file.added(Path("a"), TEXT, "néw: #1", entry("a\nb"))
    head, tail = TEXT.split("# the end")
    assert text.startswith(head)
    assert text.endswith(f"# the end{tail}")
    assert list(yaml.safe_load(text)["accounts"]) == ["shop", "lab", "wan", "néw: #1"]


def test_an_entry_is_removed_with_what_is_said_of_it_alone():
    lines = TEXT.splitlines(keepends=True)
    without_shop = accounts_file.removed(Path("a"), TEXT, "shop")
    assert without_shop.splitlines(keepends=True) == [*lines[:8], *lines[14:]]
    without_lab = accounts_file.removed(Path("a"), TEXT, "lab")
    assert without_lab.splitlines(keepends=True) == [*lines[:14], *lines[23:]]
    without_wan = accounts_file.removed(Path("a"), TEXT, "wan")
    assert without_wan.splitlines(keepends=True) == [*lines[:23], *lines[24:]]


def test_what_is_added_and_removed_again_leaves_the_file_as_it_was():
    for text in (TEXT, TEXT.replace("\n", "\r\n"), TEXT.replace("  wan", "  # wan"), content()):
        added = accounts_file.added(Path("a"), text, "new", entry())
        assert accounts_file.removed(Path("a"), added, "new") == text


@pytest.mark.parametrize(
    "text", ["", "\n", "version: 1\naccounts:", "accounts: {}  # none yet\nversion: 1\n",
             "version: 1\naccounts:\n# none\n", "version: 1\naccounts: null\n"],
)  # fmt: skip
def test_the_first_entry(text):
    added = accounts_file.added(Path("a"), text, "new", entry())
    assert yaml.safe_load(added) == {"version": 1, "accounts": {"new": entry()}}
    assert "# none" in added or "#" not in text
    assert yaml.safe_load(accounts_file.removed(Path("a"), added, "new"))["accounts"] == {}


@pytest.mark.parametrize(
    "text, words",
    [
        ("version: 1\naccounts: {a: {provider: x}}\n", "'accounts' is written in braces: change it with"),
        ("version: 1\naccounts:\n  a: &a {provider: x}\n  b: *a\n", "can't be changed here: change it with an editor"),
        ("version: 1\naccounts: [a]\n", "'accounts' should be a map"),
        ("version: 1\n", "'accounts' should be a map"),
        ("version: 2\naccounts:\n  a: {}\n", "is not of flexlocal's own layout"),
    ],
)  # fmt: skip
def test_a_file_that_can_not_be_edited_is_refused(text, words):
    with pytest.raises(AccountsError, match=re.escape(words)):
        accounts_file.removed(Path("a"), text, "a")


def test_a_write_that_fails_leaves_the_file_and_nothing_else(monkeypatch, tmp_path):
    path = tmp_path / "a.yaml"
    write(path, "before")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AccountsError, match="No space left on device; nothing was changed"):
        accounts_file.write(path, "after")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_to_the_file_stays_one(tmp_path):
    (tmp_path / "dotfiles").mkdir()
    target = tmp_path / "dotfiles" / "accounts.yaml"
    write(target, "before")
    link = tmp_path / "a.yaml"
    link.symlink_to(target)
    accounts_file.write(link, "after")
    assert link.is_symlink()
    assert target.read_text() == "after"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_accounts_that_are_added_at_once_are_all_there(file):
    """Each waits until the others have written."""
    write(file, content(("own", entry())))

    def add(number):
        values = ["--credential", "url=https://n", "--credential", "token=x"]
        main(["accounts", "add", f"a{number}", "--provider", "netbox", "--no-check", *values])

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(accounts.load()) >= {"own", *(f"a{number}" for number in range(8))}
