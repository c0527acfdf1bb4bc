"""What those rely on who run workers: no secret comes out, another release's schema stops them, the unit's command works."""

import io
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from flexlocal import poll_task, worker
from flexlocal.account import Account
from flexlocal.poll_task import Store
from flexlocal.worker_events import Events, Lines, about
from flexlocal.worker_report import Report, id_of
from inventory.errors import NewerSchema
from inventory.schedule import Planned
from shared.engine.errors import InvalidCredentials, Unreachable
from tests.cluster import leaks
from tests.fakes.canaries import FORMS, KEY, PASSWORD, TOKEN, leaked
from tests.inventories import ROOT, execute
from tests.test_poll import provider, scope  # noqa: F401 - a fixture
from tests.test_worker_metrics import metrics_of

WAIT_S = 60  # for another process: a test that needs this long has failed
SECRETS = (PASSWORD, TOKEN, KEY)


def shop():
    credentials = {"user": "reader", "password": PASSWORD, "token": TOKEN, "api_key": KEY}
    return Account("shop", "fake", credentials, {}, False)


class Worker:
    """One that makes each poll when it is told to, with all that it writes."""

    def __init__(self, inventory):
        self.inventory = inventory
        inventory.plan([Planned("shop", "fake", "things", "get", 900)])
        accounts = {"shop": shop()}
        self.claims = worker.Claims(inventory, accounts, [], 30, "w1")
        self.metrics = metrics_of(inventory.due(), inventory.ages())
        self.log, self.words = io.StringIO(), io.StringIO()
        events = Events("w1", self.log, self.metrics.count)
        self.reports = (Report(events, None), Report(Events("w2", None), self.words))
        self.lines = Lines(events)

    def poll(self):
        execute(self.inventory, "UPDATE due SET next_at = 0")
        task = self.claims.next()
        store = Store(self.inventory, self.claims.now)
        for report in self.reports:
            report.claimed(task)
        with about(id_of(task)):
            result = poll_task.poll(task, store, None, lambda account: account)
        self.claims.ended(result, task in store.stored)
        for report in self.reports:
            report.ended(result)
        return result


def test_no_secret_is_in_the_inventory_the_log_or_the_metrics(
    provider, inventory, tmp_path, capsys, monkeypatch  # noqa: F811
):  # fmt: skip
    """In none of its forms: of polls that succeed, and of all whose errors quote it."""
    found = Worker(inventory)
    monkeypatch.setattr(sys, "stdout", found.lines)
    provider.planned = [scope("eu", "a")]
    assert found.poll().outcome == "complete"
    for number, form in enumerate(FORMS.values()):
        secret = SECRETS[number % 3]
        provider.planned = [
            scope("eu", error=Unreachable(f"it says {form(secret)}!")),
            scope("us", "b"),
        ]
        assert found.poll().outcome == "partial"
    provider.planned = [scope("eu", error=ZeroDivisionError(PASSWORD))]
    assert found.poll().trace
    provider.login_error = InvalidCredentials(f"{TOKEN} is wrong")
    assert found.poll().outcome == "failed"
    monkeypatch.undo()
    err = capsys.readouterr().err
    rows = [json.loads(line) for line in found.log.getvalue().splitlines()]
    assert {row["event"] for row in rows} == {"claimed", "log", "ended"}
    assert len({row["poll"] for row in rows}) == len(FORMS) + 3
    texts = [
        found.log.getvalue(), found.words.getvalue(), err, found.metrics.text()[0].decode(),
        repr(inventory.due()), repr(inventory.coverage()), repr([*inventory.resources()]),
    ]  # fmt: skip
    assert "***" in texts[0]
    (tmp_path / "texts").write_text("\n".join(texts), encoding="utf-8")
    for secret in SECRETS:
        assert leaks.in_files(leaks.files(tmp_path), secret) == {}
    assert leaked("\n".join(texts[:4]), SECRETS) == []


# --- another release ---


def test_a_newer_schema_stops_claims_and_stores_of_an_older_worker(provider, inventory):  # noqa: F811
    """The release that migrates is not waited for: what this one would store may lack what the new tables need."""
    found = Worker(inventory)
    provider.planned = [scope("eu", "a")]
    assert found.poll().outcome == "complete"
    execute(inventory, "UPDATE due SET next_at = 0")
    task = found.claims.next()
    execute(inventory, "UPDATE alembic_version SET version_num = '9999'")
    store = Store(inventory, found.claims.now)
    result = poll_task.poll(task, store, None, lambda account: account)
    assert (result.outcome, task in store.stored) == ("failed", False)
    words = "has the schema 9999 now, this release knows"
    assert words in result.error
    for ask in (found.claims.next, found.claims.claimable, inventory.check_schema):
        with pytest.raises(NewerSchema, match=words):
            ask()
    assert words in worker._wrong_with(inventory)
    found.claims.ended(result, stored=False)  # says nothing, since it may write nothing
    found.claims.prolong()
    execute(inventory, "UPDATE alembic_version SET version_num = '0004'")
    (due,) = inventory.due()
    assert (due.attempt, due.worker) == (
        2,
        "w1/2",
    )  # until the lease runs out: a newer worker polls it then
    assert len(inventory.costs(found.claims.now().replace(year=2000)).sources[0:]) == 1


# --- the unit's command ---


def test_the_command_of_the_unit_runs_until_systemd_stops_it(tmp_path):
    """Exactly that line, but for the folder, the port, and the accounts: those of the demo."""
    pytest.importorskip("prometheus_client", reason="prometheus-client needs Python 3.10")
    unit = (ROOT / "deploy" / "systemd" / "flexlocal-worker.service").read_text(encoding="utf-8")
    (start,) = (line for line in unit.splitlines() if line.startswith("ExecStart="))
    program, *arguments = shlex.split(start.partition("=")[2])
    assert program == "/opt/cmp-connectors/.venv/bin/flexlocal"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{free.getsockname()[1]}"
    arguments[arguments.index("127.0.0.1:9464")] = where
    command = [sys.executable, "-m", "flexlocal"]
    environment = {**os.environ, "FLEXLOCAL_INVENTORY": str(tmp_path / "inventory.db")}
    run: dict = {"cwd": ROOT, "env": environment, "text": True, "encoding": "utf-8"}
    chosen = ["--account", "demo-tapi"]
    done = subprocess.run(
        [*command, "schedule", "--every", "15m", *chosen], capture_output=True, **run
    )
    assert done.returncode == 0, done.stderr
    with subprocess.Popen(
        [*command, *arguments, *chosen], stdout=subprocess.PIPE, **run
    ) as process:
        rows = []
        for line in process.stdout:
            rows.append(json.loads(line))
            if rows[-1]["event"] == "ended":
                for path, words in (
                    ("/readyz", '"ready": true'),
                    ("/healthz", "ok"),
                    ("/metrics", 'flexlocal_polls_total{family="wan_links",handler="get",outcome="complete"'),
                ):  # fmt: skip
                    with urllib.request.urlopen(f"http://{where}{path}", timeout=WAIT_S) as answer:
                        assert words in answer.read().decode()
                break
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        assert (process.wait(WAIT_S), rest) == (0, "")
    assert [row["event"] for row in rows] == ["started", "claimed", "log", "ended"]
    assert {row["poll"] for row in rows[1:]} == {"demo-tapi/wan_links/get/1"}
    assert (rows[-1]["outcome"], rows[-1]["count"], rows[-1]["run"]) == ("complete", 9, 1)
