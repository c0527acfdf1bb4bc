"""flexlocal snapshot: what the commands print, their exit statuses, and reports that can be made again."""

import base64
import datetime
import hashlib
import html.parser
import json
import re
import shlex
import shutil

import pytest

from flexlocal import inventories, snapshot_report
from flexlocal.__main__ import main
from inventory import Inventory
from inventory.retention import Retention
from tests.inventories import NEW, OLD, at, poll, runner, server, store_example

EARLY, LATE = "2026-01-01T10:05", "2026-01-01T10:20"


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """tests/inventories.py's, with a baseline before the change and a snapshot after it."""
    file = tmp_path_factory.mktemp("snapshots") / "inventory.db"
    store_example(file)
    with Inventory(file) as inventory:
        inventory.take_snapshot("as designed", at(5))
        inventory.pin_snapshot("as designed")
        inventory.take_snapshot("after", at(20))
    return file


@pytest.fixture
def file(example, tmp_path):
    return shutil.copyfile(example, tmp_path / "inventory.db")


@pytest.fixture
def run(file, monkeypatch, capsys):
    """Runs ``flexlocal snapshot``; returns its exit status, stdout and stderr."""
    return runner("snapshot", file, monkeypatch, capsys)


def rows(run, *arguments):
    status, out, _ = run(*arguments, "--format", "json")
    return status, json.loads(out)


# --- take, list, pin ---


def test_take_says_what_it_names_and_what_was_not_complete(run):
    status, out, err = run("take", "first", LATE)
    assert (status, out) == (
        0,
        "first: 6 resources, 3 of 4 scopes complete, as of 2026-01-01 10:20 (UTC)\n",
    )
    assert err == "shop servers us-east-1 failed since 2026-01-01 10:15 (throttled)\n"
    assert run("take")[0] == 0
    label = rows(run, "list")[1][-1]["label"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", label)
    status, out, err = run("take", "first")
    assert (status, out) == (2, "")
    assert "there is a snapshot 'first' already: choose another label" in err


def test_list_and_pin(run):
    status, listed = rows(run, "list")
    assert status == 0
    first, second = listed
    assert (first["label"], first["runs"], first["complete"]) == ("as designed", [1, 2, 3], 4)
    assert (second["label"], second["pinned_at"], second["how"]) == ("after", None, "by hand")
    assert run("pin", "last") == (0, "after is the baseline\n", "")
    assert rows(run, "list")[1][1]["pinned_at"]
    status, _, err = run("pin", "afte")
    assert (status, err) == (
        2,
        "flexlocal: no snapshot 'afte'; did you mean 'after'?; flexlocal snapshot list has all\n",
    )


def test_without_snapshots(run, file, tmp_path, monkeypatch):
    with Inventory(tmp_path / "empty.db", create=True):
        monkeypatch.setenv(inventories.VARIABLE, str(tmp_path / "empty.db"))
    assert run("list")[:2] == (1, "0 snapshots; times are UTC\n")
    for command in (["pin", "a"], ["export"], ["report"], ["diff", "last"]):
        status, out, err = run(*command)
        assert (status, out) == (2, "")
        assert "there is no snapshot yet: flexlocal snapshot take" in err


def test_labels_are_times_for_questions_to_the_inventory(run, capsys):
    assert (
        main(["inventory", "list", "--name", "web-2", "--as-of", "as designed", "--format", "json"])
        == 0
    )
    assert [row["id"] for row in json.loads(capsys.readouterr().out)] == [OLD]
    assert main(["inventory", "diff", "as designed", "after"]) == 1
    assert "between 2026-01-01 10:05 and 2026-01-01 10:20 (UTC)" in capsys.readouterr().out
    assert main(["inventory", "list", "--as-of", "as desinged"]) == 2
    assert "did you mean 'as designed'?" in capsys.readouterr().err


def test_remove(run, file):
    status, _, err = run("remove", "baseline")
    assert (status, err) == (
        2,
        "flexlocal: 'as designed' is the baseline: pin another snapshot first\n",
    )
    assert run("window", "open", "CHG-1")[0] == 0
    status, _, err = run("remove", "CHG-1: before")
    assert status == 2
    assert "the change window 'CHG-1' compares with 'CHG-1: before'" in err
    assert run("remove", "aftr")[0] == 2
    assert run("remove", "after")[1].startswith("after is removed; ")
    labels = [each["label"] for each in rows(run, "list")[1]]
    assert labels == ["as designed", "CHG-1: before"]
    with Inventory(file) as inventory:
        assert inventory.check() == []


# --- diff ---


def test_a_diff_with_the_baseline(run, file):
    with Inventory(file) as inventory:
        stopped = server(
            "i-0123456789abcdef0", "web-1", "stopped", ip="10.4.3.17", tags={"stage": "prod"}
        )
        new = server(NEW, "web-2", ip="10.4.3.18", tags={"stage": "prod"}, note="x")
        started = {
            **stopped,
            "details": {"server": {**stopped["details"]["server"], "state": "running"}},
        }
        started["metadata"]["provider_specific"] = {"instance_type": "m5.large"}
        poll(inventory, 30, {"eu-west-1": [started, new], "us-east-1": []})
    status, found = rows(run, "diff", "after", "2026-01-01T10:40")
    assert status == 1
    said = {(row["name"], row["path"]): row for row in found}
    assert said["web-1", "/details/server/state"]["verdict"] == "as designed"
    assert said["web-1", "/metadata/provider_specific/instance_type"]["design"] == "m5.large"
    assert said["batch", ""]["verdict"] == "not as designed"
    assert said["batch", ""]["before"] == "there"
    assert "after" not in said["batch", ""]
    assert ("web-2", "/id") not in said  # it was created anew before
    status, _, err = run("diff", "after", "2026-01-01T10:40")
    assert "1 field more not as designed, as before: --gaps lists them." in err
    found = rows(run, "diff", "after", "2026-01-01T10:40", "--gaps")[1]
    standing = [row for row in found if row["verdict"] == "as before"]
    assert [(row["what"], row["path"], row["design"]) for row in standing] == [
        ("re-created", "/id", OLD)
    ]


@pytest.mark.parametrize(
    "arguments, status",
    [
        (["baseline", "after"], 1),
        (["as designed", "after", "--fail-on", "medium", "--type", "server"], 1),
        (["as designed", "after", "--fail-on", "high", "--account", "lab"], 0),
        (["as designed", EARLY], 0),
        (["after", LATE], 3),
        ([], 3),
        (["as designed", "as designed", "--baseline", "after"], 3),
        (["after", LATE, "--account", "lab"], 0),
    ],
)
def test_exit_statuses_of_diff(run, arguments, status):
    assert run("diff", *arguments)[0] == status


def test_fail_on_counts_what_is_at_least_so_severe(run, file):
    with Inventory(file) as inventory:
        poll(
            inventory,
            3,
            [server("i-9", "=1+1\x1b[31m", tags={"a": "b"})],
            account="lab",
            provider="other",
        )
    arguments = [
        "diff",
        "2026-01-01T10:02",
        "2026-01-01T10:04",
        "--account",
        "lab",
        "--no-baseline",
    ]
    assert [run(*arguments, "--fail-on", each)[0] for each in ("low", "medium", "high")] == [
        1,
        0,
        0,
    ]


def test_what_failed_is_named_at_each_side(run):
    _, out, err = run("diff", "after", "now")
    assert out == "nothing differs between after and " + out[-17:]
    lines = [line for line in err.splitlines() if "us-east-1 failed since" in line]
    assert [line.split(":")[0] for line in lines] == ["At after", f"At {out[-17:-4]}"]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (
            ["diff", "--fail-on", "hihg"],
            "should be one of critical, high, medium, low; did you mean 'high'?",
        ),
        (["diff", "--baseline", "a", "--no-baseline"], "exclude each other"),
        (
            ["diff", "--baseline", "as desined"],
            "no snapshot 'as desined'; did you mean 'as designed'?",
        ),
        (["diff", "yesterday"], "'yesterday' is no time"),
        (["report", "2h"], "no snapshot '2h'"),
        (["report", "--format", "pdf"], "no format 'pdf'"),
        (["report", "last", "as designed", "--window", "x"], "name no snapshot"),
        (["report", "--window", "x"], "there is no change window 'x'"),
        (["take", "now"], "means another snapshot"),
        (["window", "open", "m", "--account", "shp"], "no account 'shp'; there are lab, shop"),
        (["window", "show", "m"], "there is no change window 'm'"),
        (["window", "explain", "m", "text"], "--id, --field or --scope say which"),
        (["windw"], "no command 'windw'; did you mean 'window'?"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(run, arguments, words):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1


# --- reports ---


def reports(run, *arguments):
    made = []
    for form in ("markdown", "html"):
        status, out, _ = run("report", *arguments, "--format", form)
        assert status == 0
        made.append(out)
    return made


def test_a_report_is_made_again_with_the_same_bytes(run, file):
    """After further polls, another baseline, retention, and by the command that it names."""
    made = reports(run, "as designed", "after")
    assert made == reports(run)  # the last one, and the one before it
    with Inventory(file) as inventory:
        for minute in range(30, 40):
            servers = [server("i-0123456789abcdef0", f"web-{minute}", note=minute)]
            poll(inventory, minute, {"eu-west-1": servers, "us-east-1": [], "asia": []})
        poll(inventory, 41, {"eu-west-1": servers})
        poll(inventory, 16, [], family="networks")  # stored late: it had ended before "after"
        inventory.take_snapshot("later")
        inventory.pin_snapshot("later")
        years = at(0) + datetime.timedelta(days=3000)
        thinned = inventory.thin(Retention(1, 1, 1, 1, 1, 1), now=years)
        assert thinned.versions
        assert inventory.check() == []
    again = []
    for text in made:
        (command,) = re.findall(
            r"(?:    |<code>)(flexlocal snapshot report .*?)(?:</code></pre>)?$", text, re.MULTILINE
        )
        _, _, *arguments = shlex.split(html.unescape(command))
        again.append(run(*arguments)[1])
    assert again == made


def test_a_report_names_its_polls_and_its_version(run):
    markdown, page = reports(run, "as designed", "after")
    assert "| Before | as designed | 2026-01-01T10:05:00Z | 6 | 4 of 4 | 1-3 |" in markdown
    assert "| After | after | 2026-01-01T10:20:00Z | 6 | 3 of 4 | 2-4 |" in markdown
    assert "4 differences in 2 resources: 2 high, 1 medium, 1 low." in markdown
    assert "| After | shop servers us-east-1 | 2026-01-01T10:15:00Z | throttled |" in markdown
    version = snapshot_report.maker()
    assert f"Written by {version}. Times are UTC." in markdown
    assert f"<footer>Written by {version}. Times are UTC.</footer>" in page
    assert "<code><bdi>1-3</bdi></code>" in page


def test_a_report_with_the_design(run):
    run("take", "now then", LATE)
    text = reports(run, "after", "now then")[0]
    assert "Nothing differs." in text
    assert "## Not as designed, as before\n\n4 fields in 2 resources." in text
    assert "| Design | as designed |" in text
    assert "--baseline 'as designed' --format markdown" in text
    text = reports(
        run, "after", "now then", "--no-baseline", "--account", "shop", "--type", "server"
    )[0]
    assert "as before" not in text
    assert "--no-baseline --account shop --type server" in text


def test_the_runs_are_written_as_ranges():
    assert snapshot_report.ranges([]) == ""
    assert snapshot_report.ranges([7, 1, 3, 2, 9, 10]) == "1-3, 7, 9-10"


HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe",
    "\N{HEBREW LETTER ALEF}\N{HEBREW LETTER BET} 12",
    "| # *a* _b_ [c](javascript:d) `e` \\",
    "a\nb\r\n\x1b[31m",
    "x" * 10_000,
    "\"'&quot;--><!-- ]]>",
]


class Elements(html.parser.HTMLParser):
    """What a browser would make of it."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.texts = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes.extend(attributes)

    def handle_data(self, data):
        self.texts.append(data)


def test_hostile_names_are_text(tmp_path, monkeypatch, capsys):
    file = tmp_path / "hostile.db"
    with Inventory(file, create=True) as inventory:
        poll(
            inventory, 1, [server(f"i-{n}", name) for n, name in enumerate(HOSTILE)], "<b>shop</b>"
        )
        inventory.take_snapshot("<i>one</i>", at(1))
        renamed = [
            server(f"i-{n}", f"web-{n}", tags={name[:50]: name}) for n, name in enumerate(HOSTILE)
        ]
        poll(inventory, 2, {"<u>eu": renamed, "eu": "<s>failed</s>"}, "<b>shop</b>")
        inventory.take_snapshot("two </title><script>", at(2))
    monkeypatch.setenv(inventories.VARIABLE, str(file))
    assert main(["snapshot", "report", "--format", "html"]) == 0
    page = capsys.readouterr().out
    elements = Elements()
    elements.feed(page)
    allowed = "html head meta title style body main h1 p h2 div table thead tr th td tbody bdi code pre footer"
    assert set(elements.tags) <= set(allowed.split())
    assert {name for name, _ in elements.attributes} <= set(
        "lang charset http-equiv content name class role aria-label tabindex scope".split()
    )
    texts = "".join(elements.texts)
    for name in HOSTILE[:2] + HOSTILE[3:5]:
        assert name in texts
    assert r"\u202egnp.exe" in texts
    assert r"a\nb\r\n\x1b[31m" in texts
    assert f"{'x' * 500}… (9,500 more characters)" in texts
    assert "x" * 501 not in page
    assert page.count("<bdi>") == page.count("</bdi>") > 50
    assert main(["snapshot", "report"]) == 0
    text = capsys.readouterr().out
    assert not [line for line in text.splitlines() if "<" in line and line[:4] != " " * 4]
    assert r"\| # \*a\* \_b\_ \[c\](javascript:d) \`e\` \\" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in tables if " low " in line}) == 1


def test_the_page_loads_nothing_and_runs_nothing(run):
    page = reports(run, "as designed", "after")[1]
    elements = Elements()
    elements.feed(page)
    policy = html.unescape(re.search(r'Policy" content="(.*?)"', page)[1])
    assert policy.startswith("default-src 'none'; ")
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert not {"script", "link", "img", "iframe", "a", "form"} & set(elements.tags)
    assert "url(" not in style and "@import" not in style
    assert "prefers-color-scheme: dark" in style and "@media print" in style


# --- export ---


def test_an_export_is_one_object_with_everything_and_stays_the_same(run, file):
    status, out, err = run("export", "after")
    assert status == 0
    assert "us-east-1 failed since" in err
    found = json.loads(out)
    assert found["format"] == 1
    assert found["snapshot"]["runs"] == [2, 3, 4]
    assert [each["complete"] for each in found["scopes"]] == [True, True, True, False]
    assert len(found["resources"]) == 6
    (web,) = [each for each in found["resources"] if each["id"] == NEW]
    assert (web["account"], web["type"], web["base"]["name"]) == ("shop", "server", "web-2")
    assert web["connections"] == {"network": [{"id": "subnet-2"}]}
    assert not [each for each in found["resources"] if "last_seen_at" in each["base"]]
    with Inventory(file) as inventory:
        poll(inventory, 30, {"eu-west-1": [], "us-east-1": []})
        inventory.thin(Retention(1, 1, 1, 1, 1), now=at(0) + datetime.timedelta(days=3000))
    assert run("export", "after")[1] == out


def test_pages_are_put_together(run, monkeypatch):
    whole = run("export", "after")[1]
    monkeypatch.setattr("inventory.inventory.LIMIT", 2)
    assert run("export", "after")[1] == whole


# --- change windows ---


def test_a_window_from_its_opening_to_its_report(run, file):
    with Inventory(file) as inventory:  # all is complete again
        old = [server("i-1", "web"), server("i-2", "db", tags={"a": "b"})]
        poll(inventory, 30, {"eu-west-1": old, "us-east-1": []})
        poll(inventory, 30, {"eu-west-1": []}, family="networks")
    assert run("window", "open", "move", "--account", "shop", "--type", "server")[:2] == (
        0,
        "move is open: 3 resources before, the baseline is as designed\n",
    )
    with Inventory(file) as inventory:
        new = [server("i-1", "web", "stopped", size=3), server("i-2", "db", tags={"a": "b"})]
        poll(inventory, 31, {"eu-west-1": new, "us-east-1": "down"})
    status, out, err = run("window", "show", "move")
    assert status == 1
    assert "move: open, 3 neither as before, nor as designed, nor explained" in out
    assert "as before: --gaps lists them" in err
    status, shown = rows(run, "window", "close", "move")
    assert status == 1
    assert [(row["what"], row["name"]) for row in shown] == [
        ("changed", "web"),
        ("changed", "web"),
        ("not polled", "shop servers us-east-1"),
    ]
    assert rows(run, "list")[1][-1]["label"] == "move: before"  # no attempt to close is left
    assert run("window", "explain", "move", "CHG-17", "--id", "web", "--field", "size")[:2] == (
        0,
        "explained 1 difference; 2 left\n",
    )
    status, _, err = run("window", "explain", "move", "CHG-17", "--id", "db")
    assert (status, "nothing of that is left" in err) == (2, True)
    assert run("report", "--window", "move")[0] == 2
    run("window", "explain", "move", "it is off on purpose", "--field", "state")
    assert run("window", "close", "move")[0] == 3
    run("window", "explain", "move", "not in use", "--scope", "us-east-1")
    assert run("window", "show", "move")[0] == 0
    assert run("window", "close", "move")[:2] == (0, "move is closed: 2 differences explained\n")
    assert run("window", "close", "move")[0] == 2
    made = reports(run, "--window", "move")
    assert "| state | running | stopped | – | not as designed | it is off on purpose |" in made[0]
    assert "| down | not in use |" in made[0]
    with Inventory(file) as inventory:
        poll(inventory, 32, {"eu-west-1": [], "us-east-1": []})
    assert reports(run, "--window", "move") == made
    status, (listed,) = rows(run, "window", "list")
    assert (listed["state"], listed["concerns"]) == (
        "closed",
        {"account": "shop", "type": "server"},
    )
    assert (listed["before"], listed["after"]) == ("move: before", "move: after")


def test_all_that_is_left_may_be_explained_at_once(run, file):
    run("window", "open", "move", "--baseline", "after")
    with Inventory(file) as inventory:
        poll(inventory, 31, {"eu-west-1": [], "us-east-1": []})
    assert run("window", "close", "move")[0] == 1
    status, out, _ = run("window", "explain", "move", "all of it is retired", "--all")
    assert (status, out) == (0, "explained 3 differences; none left\n")
    assert run("window", "close", "move")[0] == 0
