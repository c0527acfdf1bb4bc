"""flexlocal inventory: what the commands print, and their exit statuses."""

import csv
import io
import json
import os
import re
import shutil
import sqlite3
import sys

import pytest

from flexlocal import cli, inventories, parquet
from flexlocal.__main__ import main
from flexlocal.inventory_commands import CHANGE
from flexlocal.show import text
from inventory import Inventory
from inventory.errors import ReadOnly
from tests.inventories import NEW, OLD, network, poll, runner, server, store_example

ARN = "arn:aws:ec2:eu-west-1:123456789012:instance/i-0123456789abcdef0"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    found = tmp_path_factory.mktemp("inventory") / "inventory.db"
    store_example(found)
    return found


@pytest.fixture
def run(file, monkeypatch, capsys):
    """Runs ``flexlocal inventory``; returns its exit status, stdout and stderr."""
    return runner("inventory", file, monkeypatch, capsys)


def rows(run, *arguments):
    status, out, _ = run(*arguments, "--format", "json")
    return status, json.loads(out)


def ids(found):
    return [each["id"] for each in found]


# --- list and export ---


@pytest.mark.parametrize(
    "filters, found",
    [
        (["--account", "lab"], ["i-9"]),
        (["--provider", "other"], ["i-9"]),
        (["--family", "networks"], ["subnet-1", "vpc-1"]),
        (["--scope", "us-east-1"], ["i-0123456789abcdef2"]),
        (["--type", "network", "--limit", "1"], ["subnet-1"]),
        (["--state", "stopped"], ["i-0123456789abcdef0"]),
        (["--name", "WEB"], ["i-0123456789abcdef0", NEW]),
        (["--tag", "stage=prod", "--sort", "-name"], [NEW, "i-0123456789abcdef0"]),
        (["--name", "web", "--as-of", "2026-01-01T10:05"], ["i-0123456789abcdef0", OLD]),
        (["--name", "web", "--as-of", "before the move"], ["i-0123456789abcdef0", OLD]),
        (["--filter", "state=stopped"], ["i-0123456789abcdef0"]),
    ],
)
def test_list_filters(run, filters, found):
    status, there = rows(run, "list", *filters)
    assert (status, ids(there)) == (0, found)


def test_a_table_says_how_old_and_how_complete_it_is(run):
    status, out, err = run("list", "--account", "shop", "--type", "server")
    assert status == 0
    assert out.splitlines()[0].split("  ")[0] == "NAME"
    assert out.splitlines()[-1] == (
        "3 resources, 2 of 3 scopes complete, polled 2026-01-01 10:00 or later (UTC)"
    )
    assert err == "shop servers us-east-1 failed since 2026-01-01 10:15 (throttled)\n"


def test_control_characters_are_escaped_and_csv_holds_no_formula(run):
    _, out, _ = run("list", "--account", "lab")
    assert "\x1b" not in out
    assert r"=1+1\x1b[31m" in out
    _, out, _ = run("list", "--account", "lab", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(out))
    assert row["name"].startswith("'=1+1")


def test_pages_are_put_together(run, monkeypatch):
    monkeypatch.setattr("flexlocal.inventory_commands.PAGE", 2)
    whole = rows(run, "list")[1]
    assert len(whole) == len(set(ids(whole))) == 6
    assert len(rows(run, "list", "--limit", "3")[1]) == 3


def test_export(run):
    status, out, _ = run("export", "--name", "web-2")
    assert status == 0
    (line,) = out.splitlines()
    found = json.loads(line)
    assert found["id"] == found["document"]["id"] == NEW
    assert found["document"]["base"]["last_seen_at"] == "2026-01-01T10:15:00Z"
    _, out, _ = run("export", "--type", "server", "--format", "csv", "--as-of", "2026-01-01T10:05")
    table = list(csv.DictReader(io.StringIO(out)))
    assert [row["details__server__state"] for row in table] == ["running"] * 4
    assert json.loads(table[1]["details__server__ip_addresses"])[0]["ip_address"] == "10.4.3.18"
    assert table[1]["metadata__provider_metadata__stage"] == "prod"


def test_csv_has_exact_times(run):
    _, out, _ = run("export", "--name", "web-2", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(out))
    assert row["first_seen__after"] == "2026-01-01T09:59:00Z"
    assert row["first_seen__before"] == "2026-01-01T10:15:00Z"
    _, out, _ = run("list", "--name", "web", "--format", "csv")
    assert [row["since"] for row in csv.DictReader(io.StringIO(out))] == [
        "../2026-01-01T10:00:00Z",
        "2026-01-01T09:59:00Z/2026-01-01T10:15:00Z",
    ]


@pytest.mark.parametrize(
    "values, column",
    [
        (["a", None, "b"], ["a", None, "b"]),
        ([1, None], [1, None]),
        ([1, 2.5, None], [1.0, 2.5, None]),
        ([True, None], [True, None]),
        ([1, True], ["1", "true"]),
        ([1, "a", None], ["1", "a", None]),
        ([["a"], {"b": "ü"}], ['["a"]', '{"b": "ü"}']),
        ([2**63, 1], ["9223372036854775808", "1"]),
        ([2**63, 0.5], [2.0**63, 0.5]),
    ],
)
def test_a_column_of_parquet_has_one_type(values, column):
    found = parquet.uniform(values)
    assert [(type(each), each) for each in found] == [(type(each), each) for each in column]


def test_parquet(run, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow.parquet")  # no test requires it
    out = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr("sys.stdout", out)
    assert main(["inventory", "export", "--format", "parquet"]) == 0
    table = pyarrow.read_table(io.BytesIO(out.buffer.getvalue()))
    assert table.num_rows == 6
    assert table.schema.field("details__server__cpu_cores").type == "int64"


def test_parquet_where_it_is_not_installed(run, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name != "pyarrow" or None)
    for command in (["export"], ["list"], ["search", "web"]):
        status, out, err = run(*command, "--format", "parquet")
        assert (status, out) == (2, "")
        assert "needs pyarrow" in err
        assert len(err.splitlines()) == 1


# --- search and show ---


def test_an_address_and_the_networks_that_hold_it(run):
    status, found = rows(run, "search", "10.4.3.17")
    assert status == 0
    assert [(each["id"], each["by"], each["value"]) for each in found] == [
        ("i-0123456789abcdef0", "address", "10.4.3.17"),
        ("subnet-1", "network", "10.4.3.0/24"),
        ("vpc-1", "network", "10.4.0.0/16"),
    ]
    assert found[0]["since"] == {"after": None, "before": "2026-01-01T10:00:00Z"}


def test_a_resource_that_has_it_in_two_fields_is_one_hit(run, own):
    both = network("10.9.0.0/24", "10.9.0.0/24")
    with Inventory(own / "own.db") as inventory:
        poll(inventory, 30, [both], account="lab", family="networks", provider="other")
    (found,) = rows(run, "search", "10.9.0.7", "--by", "network")[1]
    assert found["where"] == ["/base/name", "/metadata/provider_specific/cidrs/*"]
    assert "  base.name, cidrs.*\n" in run("search", "10.9.0.7")[1]


def test_an_address_that_only_networks_hold_is_nobodys(run):
    status, out, err = run("search", "10.4.9.9", "--account", "lab")
    assert (status, out, err) == (
        1,
        "nowhere, in 1 of 1 scopes, all complete since 2026-01-01 10:02\n",
        "Ids, addresses, tags and names were searched: --by field reads whole documents.\n",
    )
    status, out, err = run("search", "10.4.9.9")
    assert status == 3
    assert "vpc-1" in out
    assert "10.4.9.9 itself: not in 3 of 4 scopes; shop servers us-east-1 failed since" in err
    assert run("search", "10.4.9.9", "--by", "network")[0] == 0


@pytest.mark.parametrize(
    "question, status, words",
    [
        (["--account", "lab"], 1, "nowhere, in 1 of 1 scopes, all complete since 2026-01-01 10:02"),
        ([], 3, "not in 3 of 4 scopes; shop servers us-east-1 failed since 2026-01-01 10:15"),
        (["--as-of", "2026-01-01T10:05"], 1, "nowhere, in 4 of 4 scopes"),
        (["--as-of", "2025-01-01"], 3, "unknown: nothing was polled"),
    ],
)
def test_absence_has_a_proof(run, question, status, words):
    for command in ("search", "show", "history"):
        if command == "history" and "--as-of" in question:
            continue
        found, out, err = run(command, "nothing-like-it", *question)
        assert found == status
        assert words in (out if command == "search" else err)
        assert ("--by field reads whole documents" in err) == (command == "search")
    found, out, err = run("search", "nothing-like-it", *question, "--format", "json")
    assert (found, out) == (status, "[]\n")
    assert words in err


def test_a_scan_and_a_cut_are_said(run):
    status, out, err = run("search", "instance_type=m5.xlarge", "--by", "field")
    assert status == 0
    assert "web-1" in out
    assert "Every document was read" in err
    _, _, err = run("search", "web", "--limit", "1")
    assert "There are more than 1" in err


def test_show_takes_what_a_search_finds(run):
    _, out, _ = run("show", "web-1", "--format", "json")
    assert json.loads(out)["document"]["id"] == "i-0123456789abcdef0"
    _, out, _ = run("show", "10.4.3.17", "--query", "document.details.server.state")
    assert out == '"stopped"\n'
    _, out, _ = run("show", ARN, "--as-of", "2026-01-01T10:05", "--query", "state")
    assert out == '"running"\n'
    status, _, err = run("show", "web")
    assert status == 2
    assert "'web' is not one resource: i-0123456789abcdef0 (web-1)" in err


def test_show_is_for_a_person(run):
    status, out, _ = run("show", OLD)
    assert status == 0
    lines = [line.split("  ", 1) for line in out.splitlines()]
    shown = {field: value.strip() for field, value in lines}
    assert shown["first seen"] == "before 2026-01-01 10:00"
    assert shown["last seen"] == "2026-01-01 10:00"
    assert shown["gone"] == "between 2026-01-01 09:59 and 10:15"
    assert shown["ip_addresses.0.ip_address"] == "10.4.3.18"
    status, _, err = run("show", NEW, "--as-of", "2026-01-01T10:05")
    assert (status, err) == (1, f"{NEW} was not there yet at 2026-01-01 10:05.\n")


# --- history and diff ---


def test_history_has_bounds_and_severities(run):
    status, found = rows(run, "history", "i-0123456789abcdef0", "--fast")
    assert status == 0
    assert [(each["what"], each["severity"], each.get("path")) for each in found] == [
        ("appeared", "low", None),
        ("changed", "high", "/details/server/state"),
        ("changed", "high", "/metadata/provider_specific/instance_type"),
    ]
    assert found[1]["when"] == {"after": "2026-01-01T09:59:00Z", "before": "2026-01-01T10:15:00Z"}
    assert (found[1]["before"], found[1]["after"]) == ("running", "stopped")
    _, out, _ = run("history", OLD)
    assert "2026-01-01 09:59-10:15   gone      high" in out
    assert out.splitlines()[-1] == "server web-2 of shop: 2 events; times are UTC"
    _, out, _ = run("history", "web-2", "--as-of", "2026-01-01T10:05")
    assert out.endswith("server web-2 of shop: 1 event as of 2026-01-01 10:05; times are UTC\n")
    status, out, err = run("history", NEW, "--as-of", "2026-01-01T10:05")
    assert (status, out) == (1, "")
    assert err.startswith(f"{NEW}: nowhere, in 4 of 4 scopes, all complete since ")


def test_points_of_a_resource(run, own):
    times = ("2026-01-01T10:00:00Z", "2026-01-01T10:20:00Z")
    rest = {"resource_type": "server", "resource_id": "i-0123456789abcdef0"}
    status = [{**rest, "level": "ok", "message": time[11:16], "time": time} for time in times]
    metric = {**rest, "metric": "cpu-usage", "value": 5, "unit": "percent", "time": times[0]}
    log = {**rest, "id": "e-1", "severity": "info", "message": "started", "time": times[1]}
    with Inventory(own / "own.db") as inventory:
        for handler, points in (("status", status), ("metrics", [metric]), ("logs", [log])):
            inventory.store_points("shop", "servers", f"get_{handler}", points, provider="acme")
    since = ["--since", "2026-01-01"]
    _, found = rows(run, "status", "web-1", *since)  # by what a search finds
    assert [each["message"] for each in found] == ["10:00", "10:20"]
    until = ["--until", "2026-01-01T10:10"]
    assert len(rows(run, "status", "i-0123456789abcdef0", *since, *until)[1]) == 1
    assert rows(run, "metrics", "web-1", *since)[1][0]["value"] == 5
    status, out, _ = run("logs", "web-1", *since)
    assert status == 0
    assert out.splitlines()[0].split() == ["TIME", "RESOURCE", "SEVERITY", "MESSAGE", "TYPE"]
    assert out.splitlines()[-1].startswith("web-1: 1 log event between 2026-01-01 00:00 and ")
    status, out, _ = run("logs", "web-1")
    assert (status, out.splitlines()[0][:25]) == (1, "web-1: 0 log events betwe")


def test_diff(run):
    status, found = rows(run, "diff", "before the move", "2026-01-01T10:20")
    assert status == 1
    assert [(each["what"], each["id"], each["path"]) for each in found] == [
        ("changed", "i-0123456789abcdef0", "/details/server/state"),
        ("changed", "i-0123456789abcdef0", "/metadata/provider_specific/instance_type"),
        ("re-created", NEW, "/connections/network"),
    ]
    assert (found[2]["before"], found[2]["after"]) == (["subnet-1"], ["subnet-2"])
    assert found[2]["former_id"] == OLD
    assert {each["severity"] for each in found} == {"high"}
    _, out, err = run("diff", "2026-01-01T10:05", "now", "--slow")
    assert out.splitlines()[-1].startswith("2 resources differ between 2026-01-01 10:05 and ")
    assert "us-east-1 failed since 2026-01-01 10:15 (throttled)" in err


def test_sizes_are_as_they_are_bought(run, own):
    """In tables; other formats have the numbers."""
    small, large = server("i-7", commit_rate_bps=10**9), server("i-7", commit_rate_bps=10**10)
    small["details"]["server"].update(ram_b=8 * 2**30, volumes_b=20 * 10**9)
    large["details"]["server"].update(ram_b=16 * 2**30, volumes_b=None)
    with Inventory(own / "own.db") as inventory:
        poll(inventory, 30, [small], account="lab", provider="other")
        poll(inventory, 40, [large], account="lab", provider="other")
    since = ["diff", "2026-01-01T10:30", "now", "--account", "lab"]
    _, out, _ = run(*since, "--columns", "field,before,after")
    assert {tuple(re.split("  +", line)) for line in out.splitlines()[1:-1]} == {
        ("ram_b", "8 GiB", "16 GiB"),
        ("volumes_b", "20 GB", "-"),
        ("commit_rate_bps", "1 Gbit/s", "10 Gbit/s"),
    }
    found = {each["path"]: each["before"] for each in rows(run, *since)[1]}
    assert found["/details/server/ram_b"] == 8 * 2**30
    _, out, _ = run(*since, "--format", "csv", "--filter", "before=20 GB")
    (row,) = csv.DictReader(io.StringIO(out))
    assert row["before"] == "20000000000"
    _, out, _ = run("show", "i-7", "--as-of", "2026-01-01T10:35")
    assert re.search(r"^volumes_b +20 GB$", out, re.MULTILINE)


@pytest.mark.parametrize(
    "before, after, shown",
    [
        (["a", "b"], ["a", "c"], ("…, b", "…, c")),
        (["a"], ["a", "c"], ("…", "…, c")),
        (["a"], ["b"], ("a", "b")),
        (["a"], ["a"], ("a", "a")),
        (["a"], None, ("a", "-")),
        ([{"id": "x"}, {"ip_address": "10.0.0.1"}], [{"id": "x"}], ("…, 10.0.0.1", "…")),
        ([{"id": "x", "n": 1}], [{"id": "x", "n": 2}], ('{"id": "x", "n": 1}', '{"id": "x", "n": 2}')),
        ([["a"]], [], ('["a"]', "-")),
    ],
)  # fmt: skip
def test_of_two_lists_a_table_has_what_differs(before, after, shown):
    row = {"path": "/connections/volume", "before": before, "after": after}
    assert tuple(text(column, row) for column in CHANGE[1:]) == shown


def test_a_difference_of_long_names_fits_80_columns(run, own, monkeypatch, capsys):
    long = "a-name-that-is-longer-than-a-column-of-80-may-be-"
    with Inventory(own / "own.db") as inventory:
        for minute, end in ((30, "1"), (40, "2")):
            changed = server("i-7", f"{long}{end}", state="stopped", **{long: f"{long}{end}"})
            poll(inventory, minute, [changed], account="lab", provider="other")
    monkeypatch.setattr(shutil, "get_terminal_size", lambda *_: os.terminal_size((80, 24)))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _, out, _ = run("diff", "2026-01-01T10:30", "now", "--account", "lab")
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80 + len("\x1b[1m\x1b[0m")
    assert all(title in lines[0] for title in ("WHAT", "NAME", "FIELD", "BEFORE", "AFTER"))


def test_the_status_of_a_diff_is_that_of_diff(run):
    assert run("diff", "2026-01-01T10:05", "--account", "lab")[0] == 0
    status, out, _ = run("diff", "2026-01-01T10:16", "2026-01-01T10:17")
    assert status == 3  # us-east-1 is not known
    assert out == "nothing differs between 2026-01-01 10:16 and 2026-01-01 10:17 (UTC)\n"
    status, out, err = run("diff", "2025-01-01", "2025-01-02", "--format", "json")
    assert (status, out) == (3, "[]\n")
    assert "nothing had been polled" in err


# --- keeping ---


def test_scopes_and_pins(run):
    status, found = rows(run, "scopes", "--account", "shop", "--family", "servers")
    assert status == 0
    assert found[1] == {
        "account": "shop",
        "family": "servers",
        "scope": "us-east-1",
        "complete_at": "2026-01-01T10:00:00Z",
        "failed_since": "2026-01-01T10:15:00Z",
        "error": "throttled",
    }
    assert rows(run, "pins") == (0, [{"name": "before the move", "at": "2026-01-01T10:05:00Z"}])


def test_backup_thin_check_and_restore(run, file, monkeypatch, tmp_path):
    copy = tmp_path / "copy.db"
    assert run("backup", str(copy)) == (0, f"wrote {copy}\n", "")
    monkeypatch.setenv(inventories.VARIABLE, str(copy))
    assert run("pin", "the end", "2026-01-01T10:20") == (0, "the end: 2026-01-01T10:20:00Z\n", "")
    status, out, _ = run("thin", "--fast", "1")
    assert (status, out.split(",")[1]) == (0, " 1 change of states")
    _, _, err = run("history", "web-1")
    assert "some of before were thinned out" in err
    assert run("check") == (0, f"{copy}: nothing is wrong\n", "")
    other = tmp_path / "other.db"
    assert run("restore", str(copy), "--inventory", str(other))[0] == 0
    status, _, err = run("restore", str(copy), "--inventory", str(other))
    assert (status, err.count("\n")) == (2, 1)
    assert "other.db exists already: replace it (--replace, " in err
    assert run("restore", str(file), "--replace", "--inventory", str(other))[0] == 0
    assert len(rows(run, "pins", "--inventory", str(other))[1]) == 1


def test_copy(run, tmp_path):
    status, out, _ = run("copy", str(tmp_path / "copy.db"))
    assert status == 0
    assert out.endswith(" tables, and checked them\n")
    assert rows(run, "list", "--inventory", str(tmp_path / "copy.db")) == rows(run, "list")


def test_what_check_finds_is_status_1(run, file, monkeypatch, tmp_path):
    copy = tmp_path / "copy.db"
    shutil.copy(file, copy)
    damaged = sqlite3.connect(copy)
    damaged.execute("UPDATE resource SET name = 'another' WHERE name = 'batch'")
    damaged.commit()
    damaged.close()
    status, out, _ = run("check", "--inventory", str(copy))
    assert status == 1
    assert out.strip()


# --- bad usage ---


@pytest.mark.parametrize(
    "arguments, words",
    [
        (
            ["list", "--account", "shp"],
            "no account 'shp'; there are lab, shop; did you mean 'shop'?",
        ),
        (["search", "web", "--scope", "eu-west-2"], "did you mean 'eu-west-1'?"),
        (["diff", "before the mov"], "is no time: write 2h, 2026-11-22, "),
        (["diff", "before the mov"], "did you mean 'before the move'?"),
        (["list", "--as-of", "9999999d"], "is no time"),
        (["list", "--as-of", "999999w"], "is no time"),
        (["list", "--inventory", "no-such.db"], "there is no inventory at no-such.db"),
        (["list", "--inventory", "mysql://host/db"], "'mysql' is not a database"),
        (["list", "--inventory", ""], "--inventory is empty"),
        (["search", "x", "--by", "colour"], "nothing is searched by 'colour'"),
        (["list", "--format", "jsn"], "did you mean 'json'?"),
        (["list", "--columns", "nme"], "did you mean 'name'?"),
        (["histry", "x"], "did you mean 'history'?"),
        (["thin", "--polls", "0"], "0 is not in the range"),
    ],
)
def test_bad_usage_is_one_line(run, arguments, words):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("name", list(cli.inventory.commands))
def test_each_command_has_help_that_fits_80_columns(run, name):
    status, out, _ = run(name, "--help")
    assert status == 0
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["search", "10.4.3.17"],
        ["history", "web-1", "--fast"],
        ["diff", "before the move"],
        ["show", OLD],
    ],
)
def test_tables_fit_the_terminal(run, monkeypatch, arguments, width):
    monkeypatch.setattr(shutil, "get_terminal_size", lambda *_: os.terminal_size((width, 24)))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    _, out, _ = run(*arguments)
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= width
    if arguments[0] in ("diff", "history"):
        assert {"FIELD", "BEFORE", "AFTER"} <= {*out.splitlines()[0].split()}
        assert "  instance_type  " in out


# --- sql ---


@pytest.fixture
def own(run, file, monkeypatch, tmp_path):
    """The same inventory, in a folder of its own."""
    shutil.copy(file, tmp_path / "own.db")
    monkeypatch.setenv(inventories.VARIABLE, str(tmp_path / "own.db"))
    return tmp_path


def test_sql(run, own):
    query = (
        "SELECT details__server__state AS state, count(*) AS n FROM server GROUP BY 1 ORDER BY 1"
    )
    assert run("sql", query) == (0, "state    n\nrunning  3\nstopped  1\n2 rows\n", "")
    assert rows(run, "sql", query, "--filter", "state=stopped")[1] == [{"state": "stopped", "n": 1}]
    assert run("sql", "SELECT 1 FROM server WHERE 0") == (1, "0 rows\n", "")
    assert run("sql", "SELECT id FROM server WHERE id = 'i-9'", "--format", "csv")[1] == "id\ni-9\n"
    status, out, err = run("sql", "DROP VIEW server")
    assert (status, out) == (2, "")
    assert err == "flexlocal: the SQL would write: only SELECT is possible here; polls write\n"


def test_sql_is_of_the_newest_poll(run, own):
    status, out, _ = run("views")
    assert status == 0
    assert out.startswith(f"{own / 'own-views.db'}: as of 20")
    assert out.endswith(" (UTC), 6 resources changed\n")
    with Inventory(own / "own.db") as inventory:
        poll(inventory, 30, [server("i-10")], account="lab", provider="other")
    assert rows(run, "sql", "SELECT id FROM server WHERE account = 'lab'")[1] == [{"id": "i-10"}]


def test_sql_where_the_views_can_not_be_renewed(run, own, monkeypatch):
    run("views")
    with Inventory(own / "own.db") as inventory:
        poll(inventory, 30, [server("i-10")], account="lab", provider="other")

    def refuse(self):
        raise ReadOnly("own-views.db can't be written", "check its permissions")

    monkeypatch.setattr("inventory.inventory.Inventory.renew_views", refuse)
    status, out, err = run("sql", "SELECT id FROM server WHERE account = 'lab'", "--format", "csv")
    assert (status, out) == (0, "id\ni-9\n")
    assert "could not be renewed: own-views.db can't be written" in err
    (own / "own-views.db").unlink()
    assert run("sql", "SELECT 1")[0] == 2
