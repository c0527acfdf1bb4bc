"""What a worker shows of itself: events as JSON lines, metrics, health and readiness."""

import datetime
import io
import json
import logging
import os
import threading
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest

from flexlocal import worker_events, worker_http, worker_metrics
from flexlocal.options import BadUsage
from flexlocal.worker_events import Events, Lines, Records, about, poll_id
from inventory.ages import Ages
from tests.inventories import UTC, at, fail, poll, server

WAIT_S = 60  # for an answer of this process: a test that needs this long has failed
LABELS = (*worker_metrics.POLL, "outcome", "what", "le")
POLL = {"provider": "aws", "family": "servers", "handler": "get"}


def lines(out):
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.fixture
def out():
    return io.StringIO()


# --- events ---


def test_an_event_is_a_line_of_json_with_the_poll_that_it_is_about(out):
    counted = []
    events = Events("w1", out, counted.append, now=lambda: at(0))
    events("started", listen=None)
    with about(poll_id("shop", "servers", "get", 7)):
        events("claimed", **POLL)
        with about("another"):
            pass
        events("ended", level="warning", error="bad \x1b[31m\u202e\nline", seconds=1.5)
    events("stopped")
    found = lines(out)
    assert found[0] == {
        "at": "2026-01-01T10:00:00.000Z", "level": "info", "event": "started", "worker": "w1"
    }  # fmt: skip
    assert [each.get("poll") for each in found] == [
        None, "shop/servers/get/7", "shop/servers/get/7", None
    ]  # fmt: skip
    assert found[2]["error"] == "bad \x1b[31m\u202e\nline"
    assert "\x1b" not in out.getvalue()  # escaped: it can't control a terminal, or forge a line
    assert "\u202e" not in out.getvalue()
    assert counted == found


def test_a_handlers_log_has_its_polls_id_also_from_threads_that_it_starts(out):
    """As shared/engine/threads.py starts them."""
    from shared.engine.threads import thread

    printed = Lines(Events("w1", out))

    def work():
        print("warn\tTarget(customer: local,account: shop, resource: ): page 2", file=printed)

    with about("shop/servers/get/7"):
        print(
            "info\tTarget(customer: local,account: shop, resource: ): polled calls=4", file=printed
        )
        started = thread(work)
        started.start()
        started.join(WAIT_S)
    print("without a level", end="", file=printed)
    print(", in two parts\n", file=printed)
    assert [(each.get("poll"), each["level"], each["message"]) for each in lines(out)] == [
        ("shop/servers/get/7", "info", "polled calls=4"),
        ("shop/servers/get/7", "warning", "page 2"),
        (None, "info", "without a level, in two parts"),
    ]


def test_what_libraries_log_is_an_event_and_a_log_that_is_gone_ends_nothing(out):
    logger = logging.Logger("kombu")
    logger.addHandler(Records(Events("w1", out)))
    logger.info("connected")
    logger.warning("lost %s", "a connection")
    logger.error("%d", "no number")
    assert [(each["level"], each["message"]) for each in lines(out)] == [
        ("warning", "kombu: lost a connection"),
        ("error", "kombu: TypeError in test_worker_metrics:" + lines(out)[1]["message"].split(":")[-1]),
    ]  # fmt: skip
    out.close()
    Events("w1", out)("started")


# --- metrics ---


def due(account, late_s=0.0, worker=None, **more):
    return SimpleNamespace(account=account, late_s=late_s, worker=worker, **{**POLL, **more})


def metrics_of(plan=(), ages=(), **more):
    pytest.importorskip("prometheus_client", reason="prometheus-client needs Python 3.10")
    return worker_metrics.Metrics(lambda: plan, lambda: ages, **more)


def samples(metrics):
    from prometheus_client.parser import text_string_to_metric_families

    text, kind = metrics.text()
    assert kind.startswith("text/plain")
    return {
        (
            sample.name,
            *[sample.labels[name] for name in LABELS if name in sample.labels],
        ): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_polls_are_counted_by_provider_family_and_handler(out):
    clock = [0.0]
    metrics = metrics_of(clock=lambda: clock[0])
    events = Events("w1", out, metrics.count)
    for outcome, facts in (
        ("complete", {"seconds": 2, "count": 10, "added": 3, "changed": 2, "gone": 1, "calls": 5}),
        ("failed", {"seconds": 40, "calls": 7, "retries": 6, "error": "Unreachable: down"}),
        ("lost", {"seconds": 700}),
    ):
        with about(f"secret-customer/{outcome}"):
            events("claimed", account="secret-customer", **POLL)
            events("ended", account="secret-customer", outcome=outcome, **POLL, **facts)
    with about("secret-customer/4"):
        events("claimed", account="secret-customer", **POLL)
    events("log", message="nothing to count")
    found = samples(metrics)
    place = ("aws", "servers", "get")
    assert found[("flexlocal_claims_total", *place)] == 4
    assert found[("flexlocal_polls_running",)] == 1
    for outcome in ("complete", "failed", "lost"):
        assert found[("flexlocal_polls_total", *place, outcome)] == 1
    assert found[("flexlocal_leases_lost_total", *place)] == 1
    assert (
        found[("flexlocal_calls_total", *place)],
        found[("flexlocal_retries_total", *place)],
    ) == (12, 6)
    assert found[("flexlocal_resources_total", *place)] == 10
    assert [
        found[("flexlocal_changes_total", *place, each)] for each in ("added", "changed", "gone")
    ] == [3, 2, 1]
    assert found[("flexlocal_poll_seconds_count", *place)] == 3
    assert found[("flexlocal_poll_seconds_sum", *place)] == 742
    assert found[("flexlocal_poll_seconds_bucket", *place, "2.5")] == 1
    assert found[("flexlocal_poll_seconds_bucket", *place, "600.0")] == 2
    assert b"secret-customer" not in metrics.text()[0]  # however many accounts there are
    clock[0] = (
        worker_metrics.LONGEST_POLL_S + 1
    )  # its process was killed: nobody says that it ended
    assert samples(metrics)[("flexlocal_polls_running",)] == 0


def test_what_is_due_and_how_old_facts_are_is_read_from_the_inventory():
    plan = [
        due("a", late_s=100.0),
        due("b", late_s=7.0),
        due("c", worker="w2"),
        due("a", late_s=3.0, handler="get_logs"),
    ]
    ages = [
        Ages("aws", "servers", 5, 2, 1, at(0), at(5)),
        Ages("juju", "servers", 1, 1, 1, None, None),
    ]
    now = (at(10) - datetime.datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    found = samples(metrics_of(plan, ages, now=lambda: now))
    place = ("aws", "servers")
    assert found[("flexlocal_inventory_up",)] == 1
    for name, expected in (("planned", 3), ("leased", 1), ("late", 1), ("late_seconds_max", 100)):
        assert found[(f"flexlocal_{name}", *place, "get")] == expected
    assert found[("flexlocal_late_seconds_max", *place, "get_logs")] == 3
    for name, expected in (
        ("scopes", 5), ("scopes_failed", 2), ("scopes_never_complete", 1),
        ("scope_age_seconds_max", 600), ("scope_age_seconds_mean", 300),
    ):  # fmt: skip
        assert found[(f"flexlocal_{name}", *place)] == expected
    assert ("flexlocal_scope_age_seconds_max", "juju", "servers") not in found


def test_the_inventory_is_read_as_often_as_stated_and_may_be_away():
    pytest.importorskip("prometheus_client", reason="prometheus-client needs Python 3.10")
    read, clock = [], [0.0]

    def plan():
        read.append(clock[0])
        if len(read) == 2:
            raise OSError("postgresql://user:s3cr3t@host")
        return []

    metrics = worker_metrics.Metrics(plan, list, clock=lambda: clock[0])
    assert read == []
    assert [samples(metrics)["flexlocal_inventory_up",] for _ in range(3)] == [1, 1, 1]
    clock[0] = worker_metrics.READ_EVERY_S
    metrics.count({"event": "claimed", "poll": "1", **POLL})
    assert samples(metrics)["flexlocal_inventory_up",] == 0
    assert samples(metrics)["flexlocal_claims_total", "aws", "servers", "get"] == 1
    assert b"s3cr3t" not in metrics.text()[0]
    assert read == [0.0, worker_metrics.READ_EVERY_S]


def test_ages_by_provider_and_family(inventory):
    poll(inventory, 0, {"eu": [server("a")], "us": [server("b")]})
    poll(inventory, 10, {"eu": [server("a")], "us": "down"})
    poll(inventory, 20, {"eu": []}, account="lab")
    poll(inventory, 20, {"eu": "down"}, account="new")
    fail(inventory, 30, account="lan", family="volumes", provider="juju")
    servers, volumes = inventory.ages()
    assert servers == Ages("acme", "servers", 4, 2, 1, at(0), at(10))
    assert volumes == Ages("juju", "volumes", 1, 1, 1, None, None)
    poll(inventory, 40, {"eu": [server("a")]})  # us is gone
    assert inventory.ages()[0] == Ages("acme", "servers", 3, 1, 1, at(20), at(30))


def test_what_processes_of_a_pool_do_is_counted_in_the_one_that_serves():
    """Celery's processes are forked; one that is killed while it writes spoils nothing."""
    from flexlocal import worker_pool

    came = threading.Semaphore(0)
    counted = []
    counts = worker_pool.Counts(lambda event: (counted.append(event), came.release()))
    with about("shop/servers/get/1"):
        for number in range(3):
            process = os.fork()
            if process == 0:
                try:
                    events = Events(f"child {number}", None, counts.send)
                    events("ended", error="x" * 9000, seconds=number)
                    os.write(counts._writing, b'{"cut')
                finally:
                    os._exit(0)
            assert os.waitpid(process, 0)[1] == 0
            os.write(counts._writing, b"\n")
            assert came.acquire(timeout=WAIT_S)
    assert counted == [
        {"event": "ended", "poll": "shop/servers/get/1", "seconds": number} for number in range(3)
    ]


# --- health and readiness ---


@pytest.mark.parametrize(
    "text, expected",
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:80", ("localhost", 80)),
        ("9464", None), (":9464", None), ("host:", None), ("host:http", None), ("host:70000", None),
    ],
)  # fmt: skip
def test_addresses(text, expected):
    pytest.importorskip("prometheus_client", reason="prometheus-client needs Python 3.10")
    if expected is None:
        with pytest.raises(BadUsage, match=r"should be HOST:PORT, such as 127\.0\.0\.1:9464"):
            worker_http.address(text)
    else:
        assert worker_http.address(text) == expected


def get(where, path):
    url = f"http://{where[0]}:{where[1]}{path}"
    try:
        with urllib.request.urlopen(url, timeout=WAIT_S) as response:  # noqa: S310 - of this process
            return response.status, response.headers["Content-Type"], response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def test_metrics_health_and_readiness_are_served():
    clock: list = [0.0]
    wrong: list = [None]
    heartbeat = worker_http.Heartbeat("the loop", lambda: clock[0])

    def database():
        if wrong[0]:
            raise wrong[0]

    checks = {"heartbeat": heartbeat.check, "database": database}
    with worker_http.serving(("127.0.0.1", 0), metrics_of(), checks) as where:
        status, kind, text = get(where, "/metrics")
        assert (status, kind.split(";")[0]) == (200, "text/plain")
        assert "flexlocal_polls_running 0.0" in text
        assert get(where, "/healthz")[::2] == (200, "ok\n")
        status, kind, text = get(where, "/readyz?verbose")
        assert (status, kind) == (200, "application/json")
        assert json.loads(text) == {"ready": True, "checks": {"heartbeat": "ok", "database": "ok"}}
        clock[0] = worker_http.BEAT_S + 1
        wrong[0] = OSError("postgresql://user:s3cr3t@host")
        status, _, text = get(where, "/readyz")
        assert (status, json.loads(text)) == (503, {
            "ready": False,
            "checks": {"heartbeat": "the loop: stands still for 61 s", "database": "OSError"},
        })  # fmt: skip
        assert get(where, "/healthz")[0] == 200
        heartbeat.beat()
        wrong[0] = None
        assert get(where, "/readyz")[0] == 200
        assert get(where, "/etc/passwd")[0] == 404
        with pytest.raises(BadUsage, match=rf"--listen 127.0.0.1:{where[1]}: "), \
                worker_http.serving(where, metrics_of(), {}):  # fmt: skip
            pass
    assert "listen" not in [each.name for each in threading.enumerate()]


def test_importing_the_modules_loads_no_heavy_package():
    """tests/test_house.py does the same for the database."""
    import subprocess
    import sys

    script = (
        "import sys, flexlocal.worker_events, flexlocal.worker_http, flexlocal.worker_metrics;"
        "print('prometheus_client' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
    assert worker_events
