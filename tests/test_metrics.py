"""What CMP is told of each metric, and which mapping is refused."""

import datetime
import functools
import shutil
import threading

import pytest

from shared.records import mapping, metrics
from shared.records.mapping import MAPPING, MappingError, load
from shared.records.metrics import clean, of, rates

NAN, INF = float("nan"), float("inf")
UTC = datetime.timezone.utc


def at(minute, second=0):
    return datetime.datetime(2026, 1, 31, 12, minute, second, tzinfo=UTC)


# --- what is shipped ------------------------------------------------------------------------------

# Each entry's value worked by hand: of a value for 300 seconds, or of a counter's growth in them, on a
# server with 4 cores. The fourth column is CloudWatch's statistic, "growth" of a counter, or "value".
WORKED = """
aws.ec2.CPUUtilization                           cpu-usage                 percent Average 0.5          0.5
aws.ec2.NetworkIn                                network-in                B/s     Sum     3300         11
aws.ec2.NetworkOut                               network-out               B/s     Sum     4500         15
aws.ec2.NetworkPacketsIn                         network-packets-in        count/s Sum     5700         19
aws.ec2.NetworkPacketsOut                        network-packets-out       count/s Sum     6900         23
aws.ec2.DiskReadBytes                            disk-reads                B/s     Sum     8100         27
aws.ec2.DiskWriteBytes                           disk-writes               B/s     Sum     9300         31
aws.ec2.StatusCheckFailed                        status-check-failed       count   Maximum 4            4
aws.ebs.VolumeReadBytes                          disk-reads                B/s     Sum     11700        39
aws.ebs.VolumeWriteBytes                         disk-writes               B/s     Sum     12900        43
aws.ebs.VolumeReadOps                            disk-read-ops             count/s Sum     14100        47
aws.ebs.VolumeWriteOps                           disk-write-ops            count/s Sum     15300        51
aws.ebs.VolumeQueueLength                        disk-queue-length         count   Average 6.5          6.5
aws.ebs.BurstBalance                             disk-burst-balance        percent Average 7            7
aws.elb.RequestCount                             requests                  count/s Sum     18900        63
aws.elb.EstimatedProcessedBytes                  throughput                B/s     Sum     20100        67
aws.elb.Latency                                  response-time             s       Average 8.5          8.5
aws.elb.HealthyHostCount                         healthy-targets           count   Minimum 9            9
aws.elb.UnHealthyHostCount                       unhealthy-targets         count   Maximum 9.5          9.5
aws.elb.HTTPCode_ELB_4XX                         load-balancer-errors-4xx  count/s Sum     24900        83
aws.elb.HTTPCode_ELB_5XX                         load-balancer-errors-5xx  count/s Sum     26100        87
aws.elb.HTTPCode_Backend_4XX                     target-errors-4xx         count/s Sum     27300        91
aws.elb.HTTPCode_Backend_5XX                     target-errors-5xx         count/s Sum     28500        95
aws.elb.BackendConnectionErrors                  target-connection-errors  count/s Sum     29700        99
aws.elb.SurgeQueueLength                         surge-queue-length        count   Maximum 12.5         12.5
aws.elb.SpilloverCount                           rejected-connections      count/s Sum     32100        107
aws.applicationelb.RequestCount                  requests                  count/s Sum     33300        111
aws.applicationelb.ProcessedBytes                throughput                B/s     Sum     34500        115
aws.applicationelb.TargetResponseTime            response-time             s       Average 14.5         14.5
aws.applicationelb.ActiveConnectionCount         active-connections        count   Sum     615          123
aws.applicationelb.NewConnectionCount            new-connections           count/s Sum     38100        127
aws.applicationelb.RejectedConnectionCount       rejected-connections      count/s Sum     39300        131
aws.applicationelb.TargetConnectionErrorCount    target-connection-errors  count/s Sum     40500        135
aws.applicationelb.HTTPCode_ELB_4XX_Count        load-balancer-errors-4xx  count/s Sum     41700        139
aws.applicationelb.HTTPCode_ELB_5XX_Count        load-balancer-errors-5xx  count/s Sum     42900        143
aws.applicationelb.HTTPCode_Target_4XX_Count     target-errors-4xx         count/s Sum     44100        147
aws.applicationelb.HTTPCode_Target_5XX_Count     target-errors-5xx         count/s Sum     45300        151
aws.networkelb.ProcessedBytes                    throughput                B/s     Sum     46500        155
aws.networkelb.ProcessedPackets                  packets                   count/s Sum     47700        159
aws.networkelb.ActiveFlowCount                   active-connections        count   Average 20           20
aws.networkelb.NewFlowCount                      new-connections           count/s Sum     50100        167
aws.networkelb.PortAllocationErrorCount          port-allocation-errors    count/s Sum     51300        171
aws.networkelb.TCP_Client_Reset_Count            client-resets             count/s Sum     52500        175
aws.networkelb.TCP_ELB_Reset_Count               load-balancer-resets      count/s Sum     53700        179
aws.networkelb.TCP_Target_Reset_Count            target-resets             count/s Sum     54900        183
aws.applicationelb_targets.HealthyHostCount      healthy-targets           count   Minimum 3            3
aws.applicationelb_targets.UnHealthyHostCount    unhealthy-targets         count   Maximum 4            4
aws.networkelb_targets.HealthyHostCount          healthy-targets           count   Minimum 5            5
aws.networkelb_targets.UnHealthyHostCount        unhealthy-targets         count   Maximum 6            6
aws.gatewayelb_targets.HealthyHostCount          healthy-targets           count   Minimum 7            7
aws.gatewayelb_targets.UnHealthyHostCount        unhealthy-targets         count   Maximum 8            8
aws.gatewayelb.ProcessedBytes                    throughput                B/s     Sum     56100        187
aws.gatewayelb.ActiveFlowCount                   active-connections        count   Average 23.5         23.5
aws.gatewayelb.NewFlowCount                      new-connections           count/s Sum     58500        195
aws.natgateway.BytesInFromDestination            network-in                B/s     Sum     59700        199
aws.natgateway.BytesOutToDestination             network-out               B/s     Sum     60900        203
aws.natgateway.PacketsInFromDestination          network-packets-in        count/s Sum     62100        207
aws.natgateway.PacketsOutToDestination           network-packets-out       count/s Sum     63300        211
aws.natgateway.PacketsDropCount                  dropped-packets           count/s Sum     64500        215
aws.natgateway.ActiveConnectionCount             active-connections        count   Maximum 27           27
aws.natgateway.ConnectionEstablishedCount        new-connections           count/s Sum     66900        223
aws.natgateway.ErrorPortAllocation               port-allocation-errors    count/s Sum     68100        227
aws.natgateway.IdleTimeoutCount                  idle-timeouts             count/s Sum     69300        231
aws.transitgateway.BytesIn                       network-in                B/s     Sum     70500        235
aws.transitgateway.BytesOut                      network-out               B/s     Sum     71700        239
aws.transitgateway.PacketsIn                     network-packets-in        count/s Sum     72900        243
aws.transitgateway.PacketsOut                    network-packets-out       count/s Sum     74100        247
aws.transitgateway.PacketDropCountBlackhole      dropped-packets-blackhole count/s Sum     75300        251
aws.transitgateway.PacketDropCountNoRoute        dropped-packets-no-route  count/s Sum     76500        255
aws.efs.DataReadIOBytes                          disk-reads                B/s     Sum     77700        259
aws.efs.DataWriteIOBytes                         disk-writes               B/s     Sum     78900        263
aws.efs.MetadataIOBytes                          metadata-io               B/s     Sum     80100        267
aws.efs.TotalIOBytes                             disk-io                   B/s     Sum     81300        271
aws.efs.PermittedThroughput                      permitted-throughput      B/s     Average 34           34
aws.efs.PercentIOLimit                           io-limit-usage            percent Maximum 34.5         34.5
aws.efs.BurstCreditBalance                       burst-credit-balance      B       Average 35           35
aws.efs.ClientConnections                        client-connections        count   Sum     1435         287
aws.efs_storage.StorageBytes                     storage-in-use            B       Average 6144         6144
aws.networkfirewall.ReceivedPackets              received-packets          count/s Sum     87300        291
aws.networkfirewall.PassedPackets                passed-packets            count/s Sum     88500        295
aws.networkfirewall.DroppedPackets               dropped-packets           count/s Sum     89700        299
aws.networkfirewall.InvalidDroppedPackets        dropped-packets-invalid   count/s Sum     90000        300
aws.networkfirewall.OtherDroppedPackets          dropped-packets-other     count/s Sum     90300        301
aws.networkfirewall.RejectedPackets              rejected-packets          count/s Sum     90900        303
aws.vpn.TunnelState                              tunnel-state              count   Minimum 38           38
aws.vpn.TunnelDataIn                             network-in                B/s     Sum     93300        311
aws.vpn.TunnelDataOut                            network-out               B/s     Sum     94500        315
aws.vpn_tunnel.TunnelState                       tunnel-state              count   Minimum 1            1
aws.dx.ConnectionState                           connection-state          count   Minimum 39.5         39.5
aws.dx.ConnectionBpsIngress                      network-in                B/s     Average 2584         323
aws.dx.ConnectionBpsEgress                       network-out               B/s     Average 2616         327
aws.dx.ConnectionPpsIngress                      network-packets-in        count/s Average 41           41
aws.dx.ConnectionPpsEgress                       network-packets-out       count/s Average 41.5         41.5
aws.dx.ConnectionErrorCount                      network-errors            count/s Sum     101700       339
aws.dx.ConnectionDiscardsPpsEgress               network-drops-out         count/s Average 2.5          2.5
aws.dx.ConnectionEncryptionState                 connection-encryption-state count   Minimum 1            1
aws.dx_lane.ConnectionLightLevelTx               light-level-out           dBm     Average 42.5         42.5
aws.dx_lane.ConnectionLightLevelRx               light-level-in            dBm     Average 43           43
aws.dx_interface.VirtualInterfaceBpsIngress      network-in                B/s     Average 2808         351
aws.dx_interface.VirtualInterfaceBpsEgress       network-out               B/s     Average 2840         355
aws.dx_interface.VirtualInterfacePpsIngress      network-packets-in        count/s Average 44.5         44.5
aws.dx_interface.VirtualInterfacePpsEgress       network-packets-out       count/s Average 45           45
aws.dx_bgp.VirtualInterfaceBgpStatus             bgp-state                 count   Minimum 0            0
openstack.gnocchi.cpu                            cpu-usage                 percent growth  12000000000  1
openstack.gnocchi.cpu_util                       cpu-usage                 percent value   46           46
openstack.gnocchi.memory.usage                   memory-in-use             B       value   372          390070272
openstack.gnocchi.memory.resident                memory-resident           B       value   376          394264576
openstack.gnocchi.network.incoming.bytes         network-in                B/s     growth  114900       383
openstack.gnocchi.network.outgoing.bytes         network-out               B/s     growth  116100       387
openstack.gnocchi.network.incoming.bytes.rate    network-in                B/s     value   48.5         48.5
openstack.gnocchi.network.outgoing.bytes.rate    network-out               B/s     value   49           49
openstack.gnocchi.network.incoming.packets       network-packets-in        count/s growth  119700       399
openstack.gnocchi.network.outgoing.packets       network-packets-out       count/s growth  120900       403
openstack.gnocchi.network.incoming.packets.drop  network-drops-in          count/s growth  122100       407
openstack.gnocchi.network.outgoing.packets.drop  network-drops-out         count/s growth  123300       411
openstack.gnocchi.network.incoming.packets.error network-errors-in         count/s growth  124500       415
openstack.gnocchi.network.outgoing.packets.error network-errors-out        count/s growth  125700       419
openstack.gnocchi.disk.device.read.bytes         disk-reads                B/s     growth  126900       423
openstack.gnocchi.disk.device.write.bytes        disk-writes               B/s     growth  128100       427
openstack.gnocchi.disk.device.read.bytes.rate    disk-reads                B/s     value   53.5         53.5
openstack.gnocchi.disk.device.write.bytes.rate   disk-writes               B/s     value   54           54
openstack.gnocchi.disk.device.read.requests      disk-read-ops             count/s growth  131700       439
openstack.gnocchi.disk.device.write.requests     disk-write-ops            count/s growth  132900       443
openstack.gnocchi.disk.device.capacity           disk-capacity             B       value   55.5         55.5
openstack.gnocchi.disk.device.allocation         disk-allocation           B       value   56           56
openstack.nova.cpu_details.time                  cpu-usage                 percent growth  276000000000 23
openstack.nova.memory_details.used               memory-in-use             B       value   456          478150656
openstack.nova.memory_details.maximum            memory-capacity           B       value   460          482344960
openstack.nova.nic_details.rx_octets             network-in                B/s     growth  140100       467
openstack.nova.nic_details.tx_octets             network-out               B/s     growth  141300       471
openstack.nova.nic_details.rx_packets            network-packets-in        count/s growth  142500       475
openstack.nova.nic_details.tx_packets            network-packets-out       count/s growth  143700       479
openstack.nova.nic_details.rx_drop               network-drops-in          count/s growth  144900       483
openstack.nova.nic_details.tx_drop               network-drops-out         count/s growth  146100       487
openstack.nova.nic_details.rx_errors             network-errors-in         count/s growth  147300       491
openstack.nova.nic_details.tx_errors             network-errors-out        count/s growth  148500       495
openstack.nova.disk_details.read_bytes           disk-reads                B/s     growth  149700       499
openstack.nova.disk_details.write_bytes          disk-writes               B/s     growth  150900       503
openstack.nova.disk_details.read_requests        disk-read-ops             count/s growth  152100       507
openstack.nova.disk_details.write_requests       disk-write-ops            count/s growth  153300       511
"""
ROWS = [line.split() for line in WORKED.strip().splitlines()]


@functools.cache
def shipped():
    return load(MAPPING)


@pytest.mark.parametrize("key, name, unit, kind, raw, worked", ROWS, ids=[row[0] for row in ROWS])
def test_each_shipped_entry(key, name, unit, kind, raw, worked):
    metric = shipped()[key]
    points = [(at(5), float(raw))]
    if kind == "growth":
        points = [(at(0), 1000.0), (at(5), 1000.0 + float(raw))]
    answer = metric.points(points, "i-1", "server", period=300, vcpus=4)
    assert answer == [
        {
            "resource_id": "i-1",
            "resource_type": "server",
            "metric": name,
            "value": float(worked),
            "unit": unit,
            "time": "2026-01-31T12:05:00Z",
        }
    ]
    assert metric.counter == (kind == "growth")
    assert metric.statistic == (None if kind in ("growth", "value") else kind)


def test_no_shipped_entry_is_left_out():
    assert [row[0] for row in ROWS] == list(shipped())


def test_one_name_has_one_unit():
    units = {}
    for metric in shipped().values():
        assert units.setdefault(metric.name, metric.unit) == metric.unit, metric.key


def test_what_an_entry_says():
    (cpu,) = [each for each in of("openstack.gnocchi") if each.metric == "cpu"]
    assert (cpu.key, cpu.variables) == ("openstack.gnocchi.cpu", {"vcpus"})
    (usage,) = [each for each in of("openstack.gnocchi") if each.metric == "memory.usage"]
    assert (usage.key, usage.variables) == ("openstack.gnocchi.memory.usage", frozenset())
    assert [each.metric for each in of("aws.vpn")] == [
        "TunnelState",
        "TunnelDataIn",
        "TunnelDataOut",
    ]
    assert of("aws.vpn")[1].variables == {"period"}


def test_a_service_is_its_whole_name():
    assert {each.key.split(".")[1] for each in of("aws.elb")} == {"elb"}
    for name in ("aws.el", "aws.rds", ""):
        with pytest.raises(KeyError):
            of(name)


def test_the_file_is_read_once_a_process(monkeypatch):
    read = []
    monkeypatch.setattr(metrics, "_loaded", {})
    monkeypatch.setattr(mapping, "load", lambda file: read.append(file) or load(file))
    together = threading.Barrier(4)
    threads = [threading.Thread(target=lambda: (together.wait(), of("aws.ec2"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [MAPPING]


# --- values ---------------------------------------------------------------------------------------


@pytest.fixture
def metric(tmp_path):
    """A metric that is made of an entry."""

    def made(entry, key="aws.ec2.X"):
        return load(written(tmp_path, f"{key}: {{{entry}, statistic: Sum}}"))[key]

    return made


def written(folder, text):
    file = folder / "mapping.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    "expression, value, worked",
    [
        ("value", 3, 3.0),
        ("value * 8", 3, 24.0),
        ("-value", 3, -3.0),
        ("(value - 32) * 5 / 9", 212, 100.0),
        ("value * 1e3", 3, 3000.0),
        ("-value / 4", 3, -0.75),
        ("value ^ 2", 3, 9.0),
        ("100 * value / memory", 512, 50.0),
        ("value if value >= 0 else NULL", 3, 3.0),
        ("value if value >= 0 else NULL", -1, None),
        ("value * 8", 1e308, None),
        ("value * 8", 0, 0.0),
    ],
)
def test_expressions(metric, expression, value, worked):
    made = metric(f"name: n, unit: B, conversion_expr: {expression}", "openstack.nova.X")
    told = made.convert(value, memory=1024, period=60)
    assert told == worked and type(told) is type(worked)


def test_without_an_expression_the_value_is_as_it_is(metric):
    assert metric("name: n, unit: B").convert(3) == 3.0


@pytest.mark.parametrize("value", [None, NAN, INF, -INF])
def test_what_is_not_known_is_left_out_and_no_zero(metric, value):
    for entry in ("name: n, unit: B", "name: n, unit: B, conversion_expr: value / period"):
        made = metric(entry)
        assert made.convert(value, period=60) is None
        told = made.points([(at(0), 1), (at(1), value), (at(2), 0)], "i-1", "server", period=1)
        assert [(each["time"][11:16], each["value"]) for each in told] == [
            ("12:00", 1),
            ("12:02", 0),
        ]


@pytest.mark.parametrize("period", [0, -1, None, NAN])
def test_a_variable_that_is_not_known(metric, period):
    """nflex itself answers 0.0 for a division by zero."""
    made = metric("name: n, unit: B, conversion_expr: value / period")
    assert made.convert(3, period=period) is None
    assert made.points([(at(0), 3)], "i-1", "server", period=period) == []


def test_a_variable_that_is_not_told_is_a_bug(metric):
    entry = "name: n, unit: B, conversion_expr: value / memory / vcpus"
    made = metric(entry, "openstack.nova.X")
    with pytest.raises(TypeError, match="openstack.nova.X: missing variable memory"):
        made.convert(3, vcpus=1)


def test_points_come_by_time_and_once(metric):
    made = metric("name: n, unit: B")
    told = made.points([(at(5), 1), (at(0), 2), (at(5), 3)], "i-1", "server")
    assert [(each["time"], each["value"]) for each in told] == [
        ("2026-01-31T12:00:00Z", 2),
        ("2026-01-31T12:05:00Z", 3),
    ]


def test_a_specialisation(metric):
    points = [(at(0), 1)]
    made = metric("name: n, unit: B")
    assert made.points(points, "i-1", "server", specialisation="vda")[0]["specialisation"] == "vda"
    assert "specialisation" not in made.points(points, "i-1", "server")[0]
    made = metric("name: n, unit: B, specialisation: total")
    assert made.points(points, "i-1", "server")[0]["specialisation"] == "total"
    assert made.points(points, "i-1", "server", specialisation="vda")[0]["specialisation"] == "vda"


# --- counters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "points, before, worked",
    [
        # nothing to compare the first point with
        ([], None, []),
        ([(at(0), 5)], None, []),
        ([(at(0), 5), (at(1), 65)], None, [(at(1), 1.0)]),
        ([(at(1), 65)], (at(0), 5), [(at(1), 1.0)]),
        ([], (at(0), 5), []),
        # it did not grow: that is a rate
        ([(at(1), 5)], (at(0), 5), [(at(1), 0.0)]),
        # missing points, or points without a value: the mean over the time that went by
        ([(at(0), 0), (at(5), 600)], None, [(at(5), 2.0)]),
        ([(at(0), 0), (at(1), None), (at(2), NAN), (at(5), 600)], None, [(at(5), 2.0)]),
        # a reset: no rate for that stretch, whatever it came to; then on from the new value
        ([(at(0), 900), (at(1), 60), (at(2), 180)], None, [(at(2), 2.0)]),
        ([(at(1), 0), (at(2), 60)], (at(0), 900), [(at(2), 1.0)]),
        ([(at(0), 9), (at(1), 8), (at(2), 7)], None, []),
        # a reset in a gap
        ([(at(0), 900), (at(1), None), (at(2), 60), (at(3), 120)], None, [(at(3), 1.0)]),
        # out of order, twice, and what an earlier poll counted
        ([(at(2), 120), (at(1), 60), (at(1), 60), (at(0), 0)], None, [(at(1), 1.0), (at(2), 1.0)]),
        ([(at(0), 0), (at(1), 60), (at(2), 180)], (at(1), 60), [(at(2), 2.0)]),
        ([(at(0), 5), (at(1), 6)], (at(2), 7), []),
    ],
)  # fmt: skip
def test_rates(points, before, worked):
    assert rates(points, before) == worked


def test_two_polls_of_a_counter_give_what_one_does():
    points = [(at(minute), value) for minute, value in enumerate([0, 60, 240, 30, 90, 90, 390])]
    whole = rates(points)
    for cut in range(len(points) + 1):
        first, then = points[:cut], points[cut:]
        before = clean(first)[-1] if first else None
        assert rates(first) + rates(then, before) == whole


def test_a_counter_is_converted_after_its_rate_was_taken(tmp_path):
    file = written(tmp_path, "openstack.nova.t: {name: n, unit: percent, counter: true, conversion_expr: value / vcpus}")  # fmt: skip
    told = load(file)["openstack.nova.t"].points(
        [(at(1), 120)], "s", "server", before=(at(0), 0), vcpus=4
    )
    assert [each["value"] for each in told] == [0.5]


# --- what is refused ------------------------------------------------------------------------------

X = "name: n, unit: B"


@pytest.mark.parametrize(
    "entry, why",
    [
        (f"{X}, conversion_expr: value *", "'value *' can't be parsed"),
        (f"{X}, conversion_expr: value value", "can't be parsed"),
        (f"{X}, conversion_expr: (value", "can't be parsed"),
        (f"{X}, conversion_expr: value % 2", "can't be parsed"),
        (f"{X}, conversion_expr: ''", "'conversion_expr' should be text"),
        (f"{X}, conversion_expr: 8", "'conversion_expr' should be text"),
        (f"{X}, conversion_expr: null", "'conversion_expr' should be text"),
        (
            f"{X}, conversion_expr: valeu * 8",
            "'valeu' is no variable here: there is none; the nearest known is 'value'",
        ),
        (
            f"{X}, conversion_expr: value / cores",
            "'cores' is no variable here: there is none; known are period, value",
        ),
        (
            f"{X}, conversion_expr: value if value > limit else 0",
            "'limit' is no variable here: there is none; known are period, value",
        ),
        (
            f"{X}, conversion_expr: value if value > 0 else other",
            "'other' is no variable here: there is none; known are period, value",
        ),
        (
            f"{X}, conversion_expr: value if value > 0 else -(1 + other)",
            "'other' is no variable here: there is none; known are period, value",
        ),
        (
            f"{X}, conversion_expr: value / vcpus",
            "'vcpus' is no variable here: aws.ec2 never gives it",
        ),
        (f"{X}, conversion_expr: '8'", "does not use 'value'"),
        (f"{X}, conversion_expr: '1:.5 * value'", "'1:.5' is no number"),
        (f"{X}, conversion_expr: value / 0", "after '/' what may be 0"),
        (f"{X}, conversion_expr: 1 / value", "after '/' what may be 0"),
        (f"{X}, conversion_expr: value / (period - 60)", "after '/' what may be 0"),
        (f"{X}, conversion_expr: value ^ -1", "after '^' what may be 0"),
        (f"{X}, convertion_expr: value * 8", "'convertion_expr' is unknown"),
        (f"{X}, counter: 'yes please'", "'counter' should be true or false"),
        ("name: n", "'unit' is missing"),
        ("name: n, unit: ''", "'unit' should be text"),
        ("name: n, unit: null", "'unit' should be text"),
        ("name: n, unit: pecent", "'unit' is 'pecent'; known are B, B/s"),
        ("name: n, unit: MB", "'unit' is 'MB'"),
        ("unit: B", "'name' is missing"),
    ],
)
def test_an_entry_that_is_refused_at_load(tmp_path, entry, why):
    file = written(tmp_path, f"aws.ec2.Good: {{{X}, statistic: Sum}}\naws.ec2.Bad: {{{entry}, statistic: Sum}}")  # fmt: skip
    with pytest.raises(MappingError) as refused:
        load(file)
    assert str(refused.value).startswith("aws.ec2.Bad: ")
    assert why in str(refused.value)


@pytest.mark.parametrize(
    "text, why",
    [
        (f"aws.ec2.X: {{{X}}}", "aws.ec2.X: 'statistic' is missing; known are Average"),
        (f"aws.ec2.X: {{{X}, statistic: p99}}", "aws.ec2.X: 'statistic' is 'p99'"),
        (f"aws.X: {{{X}}}", "'aws.X' should be <provider>.<service>.<metric>"),
        (f"a..X: {{{X}}}", "'a..X' should be"),
        (
            f"aws.esb.X: {{{X}}}",
            "aws.esb.X: no cell reads 'aws.esb'; the nearest known is 'aws.ebs'",
        ),
        (f"aws.EC2.X: {{{X}}}", "aws.EC2.X: no cell reads 'aws.EC2'; the nearest known is 'aws.e"),
        (
            f"netbox.x.X: {{{X}}}",
            "netbox.x.X: no cell reads 'netbox.x'; known are aws.applicationelb",
        ),
        (f"1: {{{X}}}", "1 should be"),
        ("aws.ec2.c: n", "aws.ec2.c should be an object"),
        (f"aws.ec2.c: {{{X}}}\naws.ec2.c: {{{X}}}", "'aws.ec2.c' is there twice"),
        ("aws.ec2.c: {name: n, unit: B, unit: b/s}", "'unit' is there twice"),
        ("aws.ec2.c: {", "mapping.yaml: while parsing"),
        ("", "mapping.yaml should be an object"),
        ("- a", "mapping.yaml should be an object"),
    ],
)
def test_a_file_that_is_refused(tmp_path, text, why):
    with pytest.raises(MappingError) as refused:
        load(written(tmp_path, text))
    assert str(refused.value).startswith(why)


def test_an_expression_that_breaks_in_the_shipped_file(tmp_path):
    """What nflex would have taken, with a warning in the log, for "no conversion"."""
    file = tmp_path / "mapping.yaml"
    shutil.copyfile(MAPPING, file)
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("value / 10000000 / vcpus", "value / 10,000,000 / vcpus", 1), encoding="utf-8")  # fmt: skip
    with pytest.raises(MappingError):
        load(file)
