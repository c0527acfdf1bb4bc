"""The file of tokens, and the commands that change it."""

import datetime
import json
import os
import stat
import threading

import pytest

from flexlocal.__main__ import main
from tests.inventories import UTC
from web.tokens import PREFIX, READ, SCOPES, SNAPSHOTS, Tokens, TokensError, hashed

NOW = datetime.datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = datetime.timedelta(days=1)


def test_a_token_is_found_by_its_text_and_its_file_has_only_its_hash(tmp_path):
    file = tmp_path / "config" / "tokens.json"
    text = Tokens(file).add("noc", [SNAPSHOTS, READ], ["shop"], NOW, NOW + DAY)
    assert text.startswith(PREFIX)
    assert len(text) > 40
    found = Tokens(file).find(text)
    assert (found.label, found.scopes, found.accounts) == ("noc", (READ, SNAPSHOTS), ("shop",))
    assert not found.expired(NOW)
    assert found.expired(NOW + DAY)
    content = file.read_text(encoding="utf-8")
    assert hashed(text) in content
    assert text not in content
    assert text[len(PREFIX) :] not in content
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Tokens(file).find(text + "x") is None


def test_what_another_process_changes_is_seen_at_once(tmp_path):
    file = tmp_path / "tokens.json"
    here, there = Tokens(file), Tokens(file)
    assert here.all() == []
    text = there.add("noc", [READ], None, NOW)
    assert here.find(text).label == "noc"
    there.remove("noc")
    assert here.find(text) is None


def test_when_it_was_used_is_written_once_a_minute(tmp_path):
    tokens = Tokens(tmp_path / "tokens.json")
    text = tokens.add("noc", [READ], None, NOW)
    tokens.used(tokens.find(text), NOW)
    assert tokens.find(text).used_at == NOW
    tokens.used(tokens.find(text), NOW + datetime.timedelta(seconds=59))
    assert tokens.find(text).used_at == NOW
    later = NOW + datetime.timedelta(seconds=60)
    tokens.used(tokens.find(text), later)
    assert Tokens(tokens.file).find(text).used_at == later


def test_two_that_add_at_once_lose_nothing(tmp_path):
    file = tmp_path / "tokens.json"
    names = [f"t{number}" for number in range(8)]
    threads = [
        threading.Thread(target=Tokens(file).add, args=(name, [READ], None, NOW)) for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(each.label for each in Tokens(file).all()) == names


@pytest.mark.parametrize(
    "label, scopes, words",
    [
        ("", [READ], "is no name of a token"),
        ("a b", [READ], "is no name of a token"),
        ("x" * 65, [READ], "is no name of a token"),
        ("noc", [], "a token needs a scope"),
        ("noc", ["read"], "no scope 'read'"),
        ("there", [READ], "there is a token 'there' already"),
    ],
)
def test_what_is_no_token_is_refused(tmp_path, label, scopes, words):
    tokens = Tokens(tmp_path / "tokens.json")
    tokens.add("there", [READ], None, NOW)
    before = tokens.file.read_bytes()
    with pytest.raises(TokensError, match=words):
        tokens.add(label, scopes, None, NOW)
    assert tokens.file.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "null",
        '{"version": 2, "tokens": []}',
        '{"version": 1, "tokens": [{"label": "hidden-word"}]}',
        '{"version": 1, "tokens": [{"label": "a", "hash": "b", "scopes": ["all"], "accounts": null}]}',
        '{"version": 1, "tokens": [{"label": "a", "hash": "b", "scopes": [], "accounts": "shop"}]}',
        '{"version": 1, "tokens": [{"label": "a", "hash": "b", "scopes": [], "accounts": null, "expires_at": "2026-11-22"}]}',
    ],
)
def test_a_damaged_file_lets_nobody_in_and_its_text_is_not_shown(tmp_path, content):
    file = tmp_path / "tokens.json"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(TokensError, match="is not a file of tokens") as error:
        Tokens(file).find("x")
    assert "hidden-word" not in str(error.value)


def test_a_file_that_others_can_read_is_refused(tmp_path):
    tokens = Tokens(tmp_path / "tokens.json")
    tokens.add("noc", [READ], None, NOW)
    tokens.file.chmod(0o644)
    with pytest.raises(TokensError, match="chmod 600"):
        Tokens(tokens.file).all()


def test_a_failure_while_writing_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    tokens = Tokens(tmp_path / "tokens.json")
    tokens.add("noc", [READ], None, NOW)
    before = tokens.file.read_bytes()

    def full(*of):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(TokensError, match="nothing was changed"):
        tokens.add("other", [READ], None, NOW)
    assert tokens.file.read_bytes() == before
    assert os.listdir(tmp_path) == ["tokens.json"]


# --- the commands ---


def test_the_commands_add_list_and_remove(tmp_path, monkeypatch, capsys):
    file = tmp_path / "tokens.json"
    monkeypatch.setenv("FLEXLOCAL_TOKENS", str(file))
    assert main(["token", "list"]) == 1
    given = ["--scope", SNAPSHOTS, "--scope", READ, "--account", "shop", "--expires", "2w"]
    assert main(["token", "add", "noc", *given]) == 0
    capsys.readouterr()
    assert main(["token", "add", "wall", "--expires", "never"]) == 0
    out, err = capsys.readouterr()
    assert Tokens(file).find(out.strip()).expires_at is None
    assert out.strip() not in err
    assert main(["token", "list", "--format", "json"]) == 0
    listed = capsys.readouterr().out
    rows = {row["label"]: row for row in json.loads(listed)}
    assert rows["noc"]["scopes"] == [READ, SNAPSHOTS]
    assert rows["noc"]["accounts"] == ["shop"]
    assert rows["wall"]["scopes"] == [READ]
    assert (rows["wall"]["accounts"], rows["wall"]["state"]) == (None, "valid")
    assert out.strip() not in listed
    assert hashed(out.strip()) not in listed
    assert main(["token", "remove", "noc"]) == 0
    assert [each.label for each in Tokens(file).all()] == ["wall"]
    capsys.readouterr()
    assert main(["token", "remove", "noc"]) == 2
    assert "no token 'noc'; there are wall" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, words",
    [
        (
            ["add", "noc", "--expires", "0d"],
            "--expires '0d' should be such as 12h, 90d or 52w, or never",
        ),
        (["add", "noc", "--scope", "all"], "no scope 'all'; there are read:inventory"),
        (["add", "no c"], "is no name of a token"),
        (["list", "--tokens", ""], "--tokens is empty"),
    ],
)
def test_bad_usage(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.setenv("FLEXLOCAL_TOKENS", str(tmp_path / "tokens.json"))
    assert main(["token", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert not os.listdir(tmp_path)


def test_the_usual_file_is_beside_the_accounts_file(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("FLEXLOCAL_TOKENS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["token", "add", "noc"]) == 0
    assert (tmp_path / ".config" / "flexlocal" / "tokens.json").exists()
    capsys.readouterr()


def test_scopes_are_named_once():
    assert len(set(SCOPES)) == len(SCOPES) == 4
