"""What a person reads of an answer: tables in 80 and 200 columns, formats, filters, queries."""

import csv
import io
import json
import os
import re

import pytest
import yaml
from rich.cells import cell_len

from flexlocal import show
from flexlocal.__main__ import main
from flexlocal.families import families
from tools import expected

CELLS = [(family, provider) for family, cells in families().items() for provider in sorted(cells)]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def link(name, identifier, **facts):
    return {
        "id": identifier,
        "type": "circuit",
        "base": {"name": name, "locations": []},
        "connections": {"network": [{"id": "n"}]},
        "details": {"circuit": {"endpoint_a": "kobe", "endpoint_b": None}},
        "metadata": {"provider_specific": facts},
    }


def lines(*resources):
    out = io.StringIO()
    show.table(show.columns("wan_links"), list(resources), out)
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.fixture
def wide(monkeypatch):
    """Sets the width of the terminal; returns what a table looks like there, and what it leaves out."""

    def shown(width, columns, entries):
        monkeypatch.setattr(show.shutil, "get_terminal_size", lambda: os.terminal_size((width, 24)))
        monkeypatch.setenv("NO_COLOR", "1")
        out = Terminal()
        left_out = show.table(columns, entries, out)
        return out.getvalue().splitlines(), left_out

    return shown


def test_a_row_a_resource():
    found = lines(link("a", "id-1", state="running"), link("b", "id-2", state="missing"))
    assert [line.split() for line in found] == [
        ["NAME", "ID", "STATE", "END", "A", "NETWORKS"],
        ["a", "id-1", "running", "kobe", "1"],
        ["b", "id-2", "missing", "kobe", "1"],
    ]


def test_a_column_stands_if_one_row_has_something_for_it():
    header, first, second = lines(link("a", "id-1"), link("b", "id-2", capacity_bps=10_000_000))
    assert header.split()[-1] == "CAPACITY"
    assert first.split()[-1] == "-"
    assert second.endswith("10 Mbit/s")


def test_without_resources_there_are_names_and_ids():
    assert lines()[0].split() == ["NAME", "ID"]


def test_without_a_terminal_nothing_is_shortened():
    assert f"  {'x' * 300}  running" in lines(link("a" * 90, "x" * 300, state="running"))[1]


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("family, provider", CELLS, ids=["-".join(cell) for cell in CELLS])
def test_every_family_fits_the_terminal(wide, family, provider, width):
    resources = json.loads(expected.path(family, provider).read_text(encoding="utf-8"))
    shown, left_out = wide(width, show.columns(family), resources)
    assert len(shown) == len(resources) + 1  # nothing is folded
    assert max(map(cell_len, shown)) <= width
    assert shown[0].startswith("NAME")
    assert "ID" in shown[0].split()
    assert not set(left_out) & set(re.split(r" {2,}", shown[0]))


@pytest.mark.parametrize("width, left", [(80, True), (200, False)])
def test_columns_give_way_by_priority(wide, width, left):
    resources = json.loads(expected.path("servers", "openstack").read_text(encoding="utf-8"))
    shown, left_out = wide(width, show.columns("servers"), resources)
    assert "STATE" in shown[0]
    assert resources[0]["id"] in shown[1]  # a UUID stays whole
    assert bool(left_out) is left
    assert left_out[:3] == ["CORES", "VOLUMES", "RAM"] if left else left_out == []


def test_points_fit_too(wide):
    answer = json.loads(expected.path("vca_status", "juju", "get_status").read_text("utf-8"))
    shown, _ = wide(80, show.columns("status"), answer["status"])
    assert max(map(cell_len, shown)) <= 80
    assert shown[0].split()[:3] == ["RESOURCE", "LEVEL", "MESSAGE"]
    assert "\N{HORIZONTAL ELLIPSIS}" in shown[1]


def test_no_color_is_plain(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    for value, bold in ((None, True), ("1", False)):
        monkeypatch.delenv("NO_COLOR", raising=False)
        if value:
            monkeypatch.setenv("NO_COLOR", value)
        out = Terminal()
        show.table(show.columns("wan_links"), [link("a", "id-1")], out)
        assert ("\x1b[1m" in out.getvalue()) is bold


@pytest.mark.parametrize(
    "value, shown",
    [
        (20_480_000_000, "20.48 GB"),
        (20_000_000_000, "20 GB"),
        (20 * 2**30, "20 GiB"),
        (512 * 2**20, "512 MiB"),
        (0, "0 B"),
        (3 * 10**12, "3 TB"),
        (2**41, "2 TiB"),
    ],
)
def test_a_size_in_the_unit_that_was_bought(value, shown):
    assert show.size(value) == shown


# --- options of flexlocal run -----------------------------------------------------------------------


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """The exit status, stdout and stderr of a replay of the golden answers of volumes, networks and servers."""
    monkeypatch.setenv("HOME", str(tmp_path))

    def answers(handler):
        def called(event, context):
            name = None if handler == "get" else handler
            path = expected.path("servers", "aws", *([name] if name else []))
            return json.loads(path.read_text(encoding="utf-8"))

        called.__module__, called.__name__ = "modules.servers.main", handler
        return called

    for handler in ("get", "get_status", "get_metrics", "get_logs"):
        monkeypatch.setattr(f"modules.servers.main.{handler}", answers(handler))

    def run(*arguments):
        status = main(["run", "servers", "--account", "demo-aws", "--live", *arguments])
        return (status, *capsys.readouterr())

    return run


def test_filters_are_columns_or_paths_and_all_of_them_hold(run):
    _, everything, _ = run("--format", "ndjson")
    for filters in (
        ["region=eu-west-1", "state=running"],
        ["base.locations.region.id=eu-*", "details.server.state=running"],
    ):
        status, out, _ = run("--format", "ndjson", *(f"--filter={each}" for each in filters))
        found = [json.loads(line) for line in out.splitlines()]
        assert status == 0
        assert found
        assert len(found) < len(everything.splitlines())
        for each in found:
            assert each["base"]["locations"][0]["region"]["id"] == "eu-west-1"
            assert each["details"]["server"]["state"] == "running"


def test_sorting_and_columns(run):
    _, out, _ = run("--columns", "ram,name", "--sort", "-ram")
    header, *rows, last = out.splitlines()
    assert header.split() == ["RAM", "NAME"]
    sizes = [float(row.split()[0]) for row in rows if row.split()[1] == "GiB"]
    assert sizes == sorted(sizes, reverse=True)
    assert last == f"servers: {len(rows)} resources (demo-aws)"


def test_queries_are_jmespath(run):
    _, out, _ = run("--query", "length(@)")
    assert json.loads(out) > 3
    _, out, _ = run("--query", "[].{name: base.name, id: id} | [0:2]")
    assert out.splitlines()[0].split() == ["NAME", "ID"]
    assert len(out.splitlines()) == 3
    _, out, _ = run("--handler", "get_status", "--query", "last_update", "--format", "json")
    assert json.loads(out)


@pytest.mark.parametrize("handler, key", [("get_status", "status"), ("get_metrics", "metrics"),
                                          ("get_logs", "logs")])  # fmt: skip
def test_points_in_every_format(run, handler, key):
    _, out, _ = run("--handler", handler, "--format", "json")
    answer = json.loads(out)
    assert yaml.safe_load(run("--handler", handler, "--format", "yaml")[1]) == answer
    points = [
        json.loads(line) for line in run("--handler", handler, "--format", "ndjson")[1].splitlines()
    ]
    assert points == answer[key]
    rows = list(csv.DictReader(io.StringIO(run("--handler", handler, "--format", "csv")[1])))
    assert [row["resource"] for row in rows] == [point["resource_id"] for point in points]
    table = run("--handler", handler)[1].splitlines()
    assert "RESOURCE" in table[0]
    assert len(table) == len(points) + 2


def test_csv_holds_no_formula():
    out = io.StringIO()
    show.csv_of(show.columns("wan_links"), [link("=1+1", "id-1", capacity_bps=5)], out)
    row = next(csv.DictReader(io.StringIO(out.getvalue())))
    assert (row["name"], row["capacity"]) == ("'=1+1", "5")


@pytest.mark.parametrize(
    "options, words",
    [
        (["--filter", "state"], "--filter 'state' should be KEY=VALUE"),
        (["--filter", "stat=x"], "no column or path 'stat'; did you mean 'state'?"),
        (["--sort", "ramm"], "did you mean 'ram'?"),
        (["--columns", "nme"], "did you mean 'name'?"),
        (["--query", "[?"], "--query is not JMESPath: "),
        (["--format", "cvs"], "no format 'cvs'; did you mean 'csv'?"),
        (["--option", "x"], "--option 'x' should be KEY=VALUE"),
        (["--replay"], "--live and --replay exclude each other"),
        (["--event", "{}"], "exclude each other"),
        (["--colums", "x"], "--columns"),
    ],
)
def test_what_is_wrong_with_an_option_is_on_one_line(run, options, words):
    status, out, err = run(*options)
    assert (status, out) == (2, "")
    assert words in err
    assert err.startswith("flexlocal: ")
    assert len(err.splitlines()) == 1
