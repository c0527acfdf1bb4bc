"""OpenStack, metrics of servers: whole polls against the simulators of Gnocchi and of Nova's diagnostics."""

import datetime
import json
import math
import random

import pytest

from modules.servers import main
from modules.servers.openstack import CELL
from shared.engine.errors import InsufficientPermission, UnexpectedResponse, Unreachable
from shared.engine.interval import Interval
from shared.providers.openstack import gnocchi, server_diagnostics
from shared.records import metrics
from shared.transport import http
from tests.fakes import openstack as fakes
from tests.fakes.context import Context
from tests.test_grid import damage
from tests.test_interval import Clock

UTC = datetime.timezone.utc
NOON = datetime.datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE, MINUTES_5 = datetime.timedelta(minutes=1), datetime.timedelta(minutes=5)
ONE, TWO = (fakes.identifier("server", n) for n in (1, 2))
MAC = "fa:16:3e:00:00:01"
GIB = 1024**3
AGGREGATES = "/metric/v1/aggregates"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(http, "FIRST_DELAY_S", 0)
    monkeypatch.setattr(http, "ATTEMPTS", 2)


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr("nflex_connector_utils.time.datetime", Clock)
    monkeypatch.setattr(Clock, "now_is", NOON)
    monkeypatch.setattr("shared.engine.clock.now", lambda: Clock.now_is)
    return Clock


@pytest.fixture
def cloud(clock):
    simulator = fakes.Cloud()
    simulator.lists["compute", "servers"] = [fakes.server(1), fakes.server(2)]
    yield simulator
    simulator.stop()


def poll(cloud, user="reader", context=None, last=None, **event):
    request = {"account_id": "acc", "provider": "openstack", "credentials": cloud.credentials(user)}
    request.update({"poll_interval": 300, "last_update": last, **event})
    return main.get_metrics(request, context or Context())


def values(answer, name, server=ONE):
    """(time, value) of each of the metric's points."""
    return [
        (each["time"], each["value"])
        for each in answer["metrics"]
        if (each["metric"], each["resource_id"]) == (name, server)
    ]


# --- Gnocchi ------------------------------------------------------------------------------------


def samples(value, start=NOON - 12 * MINUTES_5, count=24):
    """Each 5 minutes, a minute after the period began: value(number of the sample)."""
    return [(start + MINUTE + n * MINUTES_5, value(n)) for n in range(count)]


@pytest.fixture
def measured(cloud):
    """Server 1 with a fifth of its four cores in use, an interface and a disk; 2 with memory only."""
    cloud.also = {"metric"}
    add, project = cloud.gnocchi.add, fakes.PROJECT
    cpu = {"samples": samples(lambda n: n * 240e9)}
    memory = {"samples": samples(lambda n: 512.0)}
    add("instance", ONE, project, {"cpu": cpu, "memory.usage": memory})
    add("instance", TWO, project, {"memory.usage": memory})
    octets = {"network.incoming.bytes": {"samples": samples(lambda n: 3000.0 * n)}}
    where = {"instance_id": ONE, "name": "tap1"}
    add("instance_network_interface", fakes.identifier("nic", 1), project, octets, **where)
    reads = {"disk.device.read.requests": {"samples": samples(lambda n: 600.0 * n)}}
    where = {"instance_id": ONE, "name": "vda"}
    add("instance_disk", fakes.identifier("disk", 1), project, reads, **where)
    return cloud


def test_the_points_of_a_span(measured):
    """It ends 10 minutes before now; a point is in it when its period ends in it."""
    answer = poll(measured, last="2026-01-31T11:35:00Z")
    assert answer["last_update"] == "2026-01-31T11:50:00.000000Z"
    times = ["2026-01-31T11:30:00Z", "2026-01-31T11:35:00Z", "2026-01-31T11:40:00Z"]
    assert values(answer, "cpu-usage") == [(time, 20.0) for time in times]
    assert values(answer, "memory-in-use") == [(time, GIB / 2) for time in times]
    assert values(answer, "memory-in-use", TWO) == values(answer, "memory-in-use")
    assert values(answer, "network-in") == [(time, 10.0) for time in times]
    assert values(answer, "disk-read-ops") == [(time, 2.0) for time in times]
    found = {each["metric"]: each for each in answer["metrics"]}
    assert found["network-in"]["specialisation"] == "tap1"
    assert found["disk-read-ops"]["specialisation"] == "vda"
    assert "specialisation" not in found["cpu-usage"]
    assert found["cpu-usage"]["unit"] == "percent"
    assert {each["resource_type"] for each in answer["metrics"]} == {"server"}


def test_one_call_for_each_kind_of_resource_and_100_servers(measured):
    poll(measured)
    assert measured.counts[AGGREGATES] == 3
    paths = set(measured.counts) - {AGGREGATES, "/identity/v3/auth/tokens", "/compute/v2.1"}
    assert paths == {"/compute/v2.1/servers/detail"}
    assert gnocchi.SERVERS_A_CALL == 100
    measured.lists["compute", "servers"] = [fakes.server(n) for n in range(250)]
    for n in range(250):
        server, memory = fakes.identifier("server", n), {"samples": samples(lambda n: 512.0)}
        metrics_of = {"cpu": memory, "memory.usage": memory}
        measured.gnocchi.add("instance", server, fakes.PROJECT, metrics_of)
        for kind in ("instance_disk", "instance_network_interface"):
            name = "network.incoming.bytes" if kind.endswith("e") else "disk.device.capacity"
            where = {"instance_id": server, "name": "x"}
            measured.gnocchi.add(kind, f"{kind}-{n}", fakes.PROJECT, {name: memory}, **where)
    measured.counts.clear()
    answer = poll(measured)
    assert measured.counts[AGGREGATES] == 3 * 3
    assert len({each["resource_id"] for each in answer["metrics"]}) == 250


def test_only_the_requested_servers(measured):
    answer = poll(measured, resources=[TWO])
    assert {each["resource_id"] for each in answer["metrics"]} == {TWO}
    assert {tuple(body["search"]["in"].popitem()[1]) for _, body in measured.gnocchi.asked} == {
        (TWO,)
    }


def test_no_servers_no_question(measured):
    measured.lists["compute", "servers"] = []
    assert poll(measured)["metrics"] == []
    assert measured.counts[AGGREGATES] == 0


def test_a_server_that_is_gone_is_not_requested(measured):
    del measured.lists["compute", "servers"][0]
    assert {each["resource_id"] for each in poll(measured)["metrics"]} == {TWO}


def test_cores_that_are_not_known_make_no_cpu_usage(measured):
    for server in measured.lists["compute", "servers"]:
        server["flavor"] = {**server["flavor"], "vcpus": None}
    answer = poll(measured)
    assert values(answer, "cpu-usage") == []
    assert values(answer, "memory-in-use")


def cpu_of_one(cloud):
    (one,) = [each for each in cloud.gnocchi.resources if each["id"] == ONE]
    return one["metrics"]["cpu"]


def test_a_counter_that_was_reset(measured):
    """Its growth is not known from the point before."""
    cpu_of_one(measured)["samples"] = samples(lambda n: n * 240e9 if n < 8 else (n - 8) * 480e9)
    found = dict(values(poll(measured, last="2026-01-31T11:35:00Z"), "cpu-usage"))
    assert found == {"2026-01-31T11:30:00Z": 20.0, "2026-01-31T11:35:00Z": 20.0}


def test_a_counter_goes_on_from_its_reset(measured):
    cpu_of_one(measured)["samples"] = samples(lambda n: n * 240e9 if n < 8 else (n - 8) * 480e9)
    answer = poll(measured, last="2026-01-31T11:40:00Z", poll_interval=600)
    assert "2026-01-31T11:40:00Z" not in dict(values(answer, "cpu-usage"))
    Clock.now_is = NOON + 2 * MINUTES_5
    answer = poll(measured, last=answer["last_update"])
    assert values(answer, "cpu-usage") == [
        ("2026-01-31T11:45:00Z", 40.0),
        ("2026-01-31T11:50:00Z", 40.0),
    ]


def test_missing_points_spread_the_growth_over_the_time(measured):
    kept = [each for n, each in enumerate(samples(lambda n: n * 240e9)) if n not in (6, 7)]
    cpu_of_one(measured)["samples"] = kept
    answer = poll(measured, last="2026-01-31T11:40:00Z", poll_interval=600)
    assert values(answer, "cpu-usage") == [("2026-01-31T11:40:00Z", 20.0)]


def test_a_new_servers_first_point_only_starts_its_rates(measured):
    cpu_of_one(measured)["samples"] = samples(lambda n: n * 240e9, start=NOON - 5 * MINUTES_5)
    answer = poll(measured, last="2026-01-31T11:30:00Z")
    assert values(answer, "cpu-usage") == [("2026-01-31T11:40:00Z", 20.0)]


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_value_that_is_none_is_left_out(measured, value):
    def unknown(body):
        for group in body:
            for resource in group["measures"]["measures"].values():
                for aggregates in resource.values():
                    aggregates["mean"][-2][2] = value  # the last period ends too late
        return body

    measured.fault(AGGREGATES, unknown)
    answer = poll(measured, last="2026-01-31T11:40:00Z")
    for name in ("memory-in-use", "network-in"):
        assert [time for time, _ in values(answer, name)] == ["2026-01-31T11:35:00Z"]


def test_of_several_periods_the_shortest_is_taken(measured):
    cpu_of_one(measured)["periods"] = [60, 300, 3600]
    answer = poll(measured, last="2026-01-31T11:40:00Z")
    times = ["2026-01-31T11:35:00Z", "2026-01-31T11:40:00Z"]
    # with what the server's other metric has in common, which is 300 s
    assert [time for time, _ in values(answer, "cpu-usage")] == times
    del measured.gnocchi.resources[0]["metrics"]["memory.usage"]
    answer = poll(measured, last="2026-01-31T11:40:00Z")
    assert [time for time, _ in values(answer, "cpu-usage")] == [
        "2026-01-31T11:41:00Z",
        "2026-01-31T11:46:00Z",
    ]


def test_metrics_without_a_period_in_common_are_requested_one_by_one(measured):
    cpu_of_one(measured)["periods"] = [60]
    answer = poll(measured, last="2026-01-31T11:40:00Z")
    assert len(values(answer, "cpu-usage")) == len(values(answer, "memory-in-use")) == 2


def test_a_metric_that_has_no_mean_is_named_in_the_log(measured):
    cpu_of_one(measured)["aggregates"] = ["last"]
    context = Context()
    answer = poll(measured, context=context)
    assert values(answer, "cpu-usage") == []
    assert values(answer, "memory-in-use")
    (line,) = context.logged("not polled")
    assert "metric=cpu " in line
    assert "unknown aggregation" in line


def test_a_cloud_that_never_measured_disks(measured):
    measured.gnocchi.types.remove("instance_disk")
    answer = poll(measured)
    assert values(answer, "disk-read-ops") == []
    assert values(answer, "cpu-usage")


def test_a_gnocchi_that_is_too_old(measured):
    measured.fault(AGGREGATES, 404)
    with pytest.raises(UnexpectedResponse, match="404"):
        poll(measured)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda body: {"groups": body},
        lambda body: [1],
        lambda body: [{**body[0], "group": {}}],
        lambda body: [{**body[0], "measures": {"measures": {ONE: {"cpu": {"mean": ["x"]}}}}}],
        lambda body: [{**body[0], "measures": {"measures": {ONE: {"cpu": {"mean": [[1, 2, 3]]}}}}}],
    ],
)
def test_an_answer_that_is_none_of_gnocchis(measured, wrong):
    measured.fault(AGGREGATES, wrong)
    with pytest.raises(UnexpectedResponse):
        poll(measured)


def test_a_failing_gnocchi_fails_the_poll(measured):
    measured.fault(AGGREGATES, 503)
    with pytest.raises(Unreachable):
        poll(measured)


def test_a_day_of_polls_gives_each_point_once(measured, clock):
    """With jitter, an outage of three polls, and points that come up to five minutes late."""
    count = 24 * 12
    for resource in measured.gnocchi.resources:
        for metric in resource["metrics"].values():
            metric["samples"] = samples(lambda n: 240.0 * n, NOON, count)
    measured.gnocchi.lag_s = 300
    dice = random.Random(7)
    polls = [NOON + n * 3 * MINUTES_5 for n in range(1, 24 * 4 + 4) if n not in (40, 41, 42)]
    last, found, context = "2026-01-31T12:00:00Z", [], Context()
    for moment in polls:
        clock.now_is = moment + datetime.timedelta(seconds=dice.uniform(-200, 200))
        measured.gnocchi.now = clock.now_is
        answer = poll(measured, context=context, last=last, poll_interval=900)
        last = answer["last_update"]
        found += [(each["resource_id"], each["metric"], each["time"]) for each in answer["metrics"]]
    assert len(found) == len(set(found))
    times = [(NOON + n * MINUTES_5).strftime("%Y-%m-%dT%H:%M:%SZ") for n in range(count)]
    for name, server, first in [
        ("memory-in-use", ONE, 0),
        ("memory-in-use", TWO, 0),
        ("cpu-usage", ONE, 1),  # a rate needs a point before
        ("network-in", ONE, 1),
        ("disk-read-ops", ONE, 1),
    ]:
        mine = [time for who, what, time in found if (who, what) == (server, name)]
        assert mine == times[first:]
    assert not context.state  # nothing is kept


def test_every_entry_of_the_mapping_is_requested(measured):
    poll(measured)
    names = {name for _, body in measured.gnocchi.asked for name, _ in body["operations"][1:]}
    assert names == {each.metric for each in metrics.of("openstack.gnocchi")}


# --- Nova's diagnostics -------------------------------------------------------------------------


def read(cpu_s=0, **counters):
    """The diagnostics of a server whose two cores worked so many seconds each."""
    cores = [{"id": n, "time": int(cpu_s * 1e9), "utilisation": None} for n in (0, 1)]
    ports = {name: value for name, value in counters.items() if name[:3] in ("rx_", "tx_")}
    disks = {name: value for name, value in counters.items() if name not in ports}
    return fakes.diagnostics(
        cpu_details=cores, nic_details=[fakes.nic(MAC, **ports)], disk_details=[fakes.disk(**disks)]
    )


def twice(cloud, first, then, context=None, seconds=300):
    """The second of two polls, each with what the servers' diagnostics are by then."""
    context = context or Context()
    cloud.diagnostics = {ONE: first, TWO: first}
    poll(cloud, "admin", context)
    Clock.now_is = Clock.now_is + datetime.timedelta(seconds=seconds)
    cloud.diagnostics = {ONE: then, TWO: then}
    return poll(cloud, "admin", context)


def test_counters_become_rates_over_two_polls(cloud):
    answer = twice(
        cloud,
        read(100, rx_octets=1000, tx_packets=10, read_bytes=0, write_requests=5),
        read(250, rx_octets=7000, tx_packets=310, read_bytes=600, write_requests=305),
    )
    time = "2026-01-31T12:05:00Z"
    assert values(answer, "cpu-usage") == [(time, 25.0)]  # 2 x 150 s in 300 s of 4 cores
    assert values(answer, "network-in") == [(time, 20.0)]
    assert values(answer, "network-packets-out") == [(time, 1.0)]
    assert values(answer, "disk-reads") == [(time, 2.0)]
    assert values(answer, "disk-write-ops") == [(time, 1.0)]
    assert values(answer, "network-in", TWO) == [(time, 20.0)]
    found = {each["metric"]: each.get("specialisation") for each in answer["metrics"]}
    assert (found["network-in"], found["disk-reads"], found["cpu-usage"]) == (MAC, "0", None)


def test_every_entry_of_novas_mapping_has_a_point(cloud):
    answer = twice(cloud, read(0), read(1))
    names = {each.name for each in metrics.of("openstack.nova")}
    assert {each["metric"] for each in answer["metrics"]} == names


def test_the_first_poll_has_no_rates_but_the_memory(cloud):
    cloud.diagnostics = {ONE: read(100), TWO: read(100)}
    answer = poll(cloud, "admin")
    time = "2026-01-31T12:00:00Z"
    assert {each["metric"] for each in answer["metrics"]} == {"memory-in-use", "memory-capacity"}
    assert values(answer, "memory-in-use") == [(time, 2 * GIB)]
    assert values(answer, "memory-capacity") == [(time, 8 * GIB)]


def test_memory_in_gib_as_of_libvirt_is_left_out(cloud):
    cloud.diagnostics = {
        ONE: fakes.diagnostics(memory_details={"maximum": 8, "used": 8}),
        TWO: fakes.diagnostics(memory_details={"maximum": None, "used": 8}),
    }
    assert poll(cloud, "admin")["metrics"] == []


def test_a_counter_of_novas_that_was_reset(cloud):
    context = Context()
    answer = twice(cloud, read(100, rx_octets=5000), read(10, rx_octets=6000), context)
    assert values(answer, "cpu-usage") == []
    assert len(values(answer, "network-in")) == 1
    Clock.now_is += MINUTES_5
    cloud.diagnostics = {ONE: read(160), TWO: {}}
    assert values(poll(cloud, "admin", context), "cpu-usage") == [("2026-01-31T12:10:00Z", 25.0)]


@pytest.mark.parametrize(
    "changed",
    [
        {"hostId": "i" * 56},
        {"OS-SRV-USG:launched_at": "2026-01-31T12:01:00.000000"},
        {"os-extended-volumes:volumes_attached": [{"id": "v"}]},
    ],
)
def test_other_counters_than_before_start_anew(cloud, changed):
    context = Context()
    cloud.diagnostics = {ONE: read(100), TWO: read(100)}
    poll(cloud, "admin", context)
    cloud.lists["compute", "servers"][0].update(changed)
    Clock.now_is += MINUTES_5
    cloud.diagnostics = {ONE: read(200), TWO: read(200)}
    answer = poll(cloud, "admin", context)
    assert values(answer, "cpu-usage") == []
    assert len(values(answer, "cpu-usage", TWO)) == 1


def test_a_missed_poll_spreads_the_growth(cloud):
    answer = twice(cloud, read(0), read(600), seconds=1200)
    assert values(answer, "cpu-usage") == [("2026-01-31T12:20:00Z", 25.0)]


def test_a_counter_without_a_value_is_left_out(cloud):
    unknown = fakes.diagnostics(
        cpu_details=[{"id": 0, "time": None, "utilisation": 3}],
        nic_details=[fakes.nic(MAC, rx_octets=None)],
        disk_details=[],
    )
    answer = twice(cloud, unknown, unknown)
    assert values(answer, "cpu-usage") == values(answer, "network-in") == []
    assert values(answer, "network-out") == [("2026-01-31T12:05:00Z", 0.0)]


def test_a_new_server_and_a_gone_one(cloud):
    context = Context()
    listed = cloud.lists["compute", "servers"]
    new = listed.pop()
    cloud.diagnostics = {ONE: read(0), TWO: read(0)}
    poll(cloud, "admin", context)
    listed[:] = [new]
    Clock.now_is += MINUTES_5
    answer = poll(cloud, "admin", context)
    assert {each["resource_id"] for each in answer["metrics"]} == {TWO}
    assert values(answer, "cpu-usage", TWO) == []
    (kept,) = context.state.values()
    assert TWO in kept
    assert ONE not in kept


def test_only_the_requested_servers_are_read_and_the_others_counters_stay(cloud):
    context = Context()
    cloud.diagnostics = {ONE: read(0), TWO: read(0)}
    poll(cloud, "admin", context)
    for moment, requested in ((5, ONE), (10, TWO)):
        Clock.now_is = NOON + moment * MINUTE
        cloud.diagnostics = {requested: read(moment * 60)}
        cloud.counts.clear()
        answer = poll(cloud, "admin", context, resource={"id": requested})
        assert {each["resource_id"] for each in answer["metrics"]} == {requested}
        assert [value for _, value in values(answer, "cpu-usage", requested)] == [50.0]
        read_ones = [path for path in cloud.counts if path.endswith("diagnostics")]
        assert read_ones == [f"/compute/v2.1/servers/{requested}/diagnostics"]


@pytest.mark.parametrize(
    "changed",
    [{"OS-EXT-STS:power_state": 4}, {"host_status": "DOWN"}, {"host_status": "UNKNOWN"}],
)
def test_a_server_that_does_not_run_is_not_read(cloud, changed):
    cloud.lists["compute", "servers"][0].update(changed)
    cloud.diagnostics = {TWO: read(0)}
    assert {each["resource_id"] for each in poll(cloud, "admin")["metrics"]} == {TWO}
    assert cloud.counts[f"/compute/v2.1/servers/{ONE}/diagnostics"] == 0


@pytest.mark.parametrize("status", [404, 409, 501])
def test_a_server_that_has_no_diagnostics_now(cloud, status):
    """It was stopped or deleted a moment ago, or its hypervisor has none."""
    cloud.diagnostics = {ONE: status, TWO: read(0)}
    context = Context()
    answer = poll(cloud, "admin", context)
    assert {each["resource_id"] for each in answer["metrics"]} == {TWO}
    assert len(context.logged("not measured")) == (status == 501)


def test_one_server_that_nova_fails_on_does_not_cost_the_others_theirs(cloud):
    cloud.lists["compute", "servers"][1]["hostId"] = "i" * 56
    cloud.lists["compute", "servers"].append(fakes.server(3))
    cloud.diagnostics = {each: 500 for each in (ONE, fakes.identifier("server", 3))}
    cloud.diagnostics[TWO] = read(0)
    context = Context()
    assert {each["resource_id"] for each in poll(cloud, "admin", context)["metrics"]} == {TWO}
    assert len(context.logged("not measured")) == 1  # the other on that host is not tried any more


def test_a_nova_that_fails_on_all_fails_the_poll(cloud):
    cloud.diagnostics = {ONE: 500, TWO: 500}
    with pytest.raises(Unreachable, match="500"):
        poll(cloud, "admin")


def test_diagnostics_are_for_admins(cloud):
    with pytest.raises(InsufficientPermission) as caught:
        poll(cloud, "reader")
    assert "os_compute_api:os-server-diagnostics" in str(caught.value)
    assert "metric" in str(caught.value)  # or have a Gnocchi
    assert server_diagnostics.POLICY in CELL.metrics.permissions


def test_a_nova_without_diagnostics_of_one_form(clock):
    old = fakes.Cloud(newest="2.47")
    try:
        old.lists["compute", "servers"] = [fakes.server(1)]
        context = Context()
        assert poll(old, "admin", context)["metrics"] == []
        assert context.logged("no metrics")
    finally:
        old.stop()


def test_gnocchi_goes_before_diagnostics(measured):
    poll(measured)
    assert not [path for path in measured.counts if path.endswith("diagnostics")]


# --- damaged answers ----------------------------------------------------------------------------


def survived(convert, damaged_ones):
    """That each is answered or refused, and no other exception comes; how many were answered, and refused."""
    answered = refused = 0
    for damaged, what in damaged_ones:
        try:
            json.dumps(list(convert(damaged)))
            answered += 1
        except UnexpectedResponse:
            refused += 1
        except Exception as error:
            raise AssertionError(what) from error
    return answered, refused


def test_damaged_measures_are_answered_or_refused():
    points = [["2026-01-31T11:30:00+00:00", 300.0, 1.5], ["2026-01-31T11:35:00+00:00", 300.0, 2.5]]
    metric = {"cpu": {"mean": points}, "memory.usage": {"mean": points}}
    group = {"group": {"id": ONE}, "measures": {"measures": {ONE: metric}}}
    known = {each.metric: each for each in metrics.of("openstack.gnocchi")}
    capacities = {ONE: {"vcpus": 4.0, "memory": 8.0 * GIB}}
    span = Interval(NOON - 6 * MINUTES_5, NOON)

    def convert(damaged):
        return gnocchi._of(damaged, "instance", known, capacities, span)

    assert len(list(convert(group))) == 3
    assert min(survived(convert, damage(group))) > 0


def test_damaged_diagnostics_are_answered_or_refused():
    def convert(damaged):
        capacity = {"vcpus": 4.0, "memory": 8.0 * GIB}
        return [(each.key, *rest) for each, *rest in server_diagnostics._values(damaged, capacity)]

    assert len(convert(fakes.diagnostics())) == 15
    assert min(survived(convert, damage(fakes.diagnostics()))) > 0
