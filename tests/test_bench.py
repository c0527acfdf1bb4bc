"""What `make bench` stands on: its stand-ins' answers are what the handlers read completely, and how it compares."""

import json
import re
import types
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from benchmarks import clients, speed, standins
from shared.engine import poll

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def pages_of_four(monkeypatch):
    monkeypatch.setattr(standins, "PAGE", 4)


@pytest.fixture
def from_checkout(monkeypatch):
    """Ours, not as it was built but as it is."""

    def use(family):
        main = types.SimpleNamespace(get=lambda *given: poll.poll(family, *given))
        monkeypatch.setitem(clients.sys.modules, "main", main)

    return use


CIRCUITS = {"size": 10, "listing": "circuits/circuits"}
CASES = {
    "ec2": ("aws", {"size": 10}, "servers"),
    "elb": ("aws", {"size": 10}, "appliances"),
    "openstack": ("openstack", {"size": 10}, "servers"),
    "netbox": ("netbox", {"size": 10}, "servers"),
    "netbox circuits": ("netbox", CIRCUITS, "circuits"),
    "juju": ("juju", {"models": 2, "units": 5}, "vca_status"),
}
NO_FLOOR = ("elb", "juju")


@pytest.mark.parametrize("case", CASES)
def test_the_handlers_read_the_stand_ins_completely(case, from_checkout):
    provider, arguments, family = CASES[case]
    kind = case.partition(" ")[0]
    stand_in = standins.KINDS[kind](**arguments)
    try:
        from_checkout(family)
        ids = clients.CLIENTS[f"ours_{provider}"](stand_in.connection())()
        assert len(ids) == 10
        assert sorted(ids) == sorted(stand_in.ids())
        assert stand_in.requests() > 3
        if case not in NO_FLOOR:
            floor = clients.floor({**stand_in.connection(), "requests": stand_in.seen()})
            assert sorted(floor()) == sorted(ids)
    finally:
        stand_in.stop()


def test_a_page_is_rendered_once():
    stand_in = standins.EC2(1)
    request = standins.Request(
        "POST",
        "/",
        "",
        "h",
        "Credential=k/20260102/us-east-1/ec2/aws4_request",
        "Action=DescribeRegions",
    )
    try:
        assert stand_in.server.reply(request) is stand_in.server.reply(request)
        assert stand_in.requests() == 2
        assert len(stand_in.seen()) == 1
    finally:
        stand_in.stop()


def figures(cpu):
    return {"cpu_s": cpu, "wall_s": cpu, "first_s": 0.1, "peak_mb": 50, "requests": 3, "runs": 5}


RESULTS = {
    "netbox-10000": {
        "ours_netbox": figures(1.0),
        "ours_netbox_orjson": figures(0.8),
        "pynetbox": figures(4.0),
        "floor": figures(0.4),
    },
    "netbox-100000": {"ours_netbox": figures(10.1), "floor": figures(4.0)},
}


def test_the_ratios_of_a_run():
    assert speed.ratios(RESULTS) == {
        "netbox-10000/pynetbox": 0.25,
        "netbox-10000/pynetbox, orjson": 0.2,
        "netbox-10000/floor": 2.5,
        "netbox-10000/floor, orjson": 2.0,
        "netbox-100000/floor": 2.525,
        "netbox-100000/netbox-10000": 10.1,
    }


def test_a_ratio_is_worse_if_it_is_more_than_15_percent_above_the_kept_one():
    kept = {"a": 1.0, "b": 1.0, "gone": 1.0}
    assert speed.worse({"a": 1.15, "b": 1.16, "new": 9.0}, kept) == {"b": 1.16}


def test_a_ratio_that_is_worse_twice_fails_the_check(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(speed, "KEPT", tmp_path / "ratios.json")
    speed.KEPT.write_text(json.dumps({"netbox-10000/floor": 2.0, "netbox-10000/pynetbox": 0.25}))
    works = [work for work in speed.WORKS if work.name == "netbox-10000"]
    found = speed.ratios(RESULTS)
    monkeypatch.setattr(speed, "run", lambda work, runs, of: RESULTS[work.name])
    assert speed.check(works, found, 5) == 1
    assert "netbox-10000/floor: 2 was kept, now 2.5\n" in capsys.readouterr().out
    better = {**RESULTS["netbox-10000"], "floor": figures(0.5)}
    monkeypatch.setattr(speed, "run", lambda work, runs, of: better)
    assert speed.check(works, found, 5) == 0
    speed.KEPT.write_text("{}")
    assert speed.check(works, found, 5) == 1
    assert "no ratio of these works is kept" in capsys.readouterr().out


def test_each_target_is_shown_beside_what_was_measured():
    shown = {
        title: (most, found, met)
        for title, most, found, met in speed.target_rows(speed.ratios(RESULTS))
    }
    assert shown["NetBox devices, 10,000, against the floor"] == ("2", "2.5", "not met")
    assert shown["NetBox, 100,000 against 10,000"] == ("10.5", "10.1", "met")
    assert shown["zip of servers, AWS alone, MB"] == ("2.5", "not measured", "")
    ratios = {f"{work.name}/{client}" for work in speed.WORKS for client in work.clients[1:]}
    growths = {name for name in speed.TARGETS if re.fullmatch(r"(\w+)-100000/\1-10000", name)}
    peaks = {f"{work.name}, memory" for work in speed.WORKS if "output_list" in work.clients}
    others = {"aws-regions/aws-region, wall", *peaks}
    known = ratios | growths | others
    measured = {name.replace(", orjson", "") for name in speed.TARGETS if name[:3] != "zip"}
    assert measured <= known


def test_wall_time_and_memory_are_compared_where_both_were_measured():
    def of(wall_s, peak_mb):
        return {"cpu_s": 1.0, "wall_s": wall_s, "peak_mb": peak_mb}

    results = {
        "aws-regions": {"ours_aws": of(1.2, 50.0)},
        "aws-region": {"ours_aws": of(0.8, 40.0)},
        "netbox-100000": {"ours_netbox": of(9.0, 450.0), "output_list": of(5.0, 300.0)},
        "aws-100000": {"ours_aws": of(9.0, 450.0)},
    }
    assert speed.wall_and_memory(results) == {
        "aws-regions/aws-region, wall": 1.5,
        "netbox-100000, memory": 1.5,
    }
    assert "netbox-100000/output_list" not in speed.ratios(results)


def test_the_page_and_the_plot_have_every_client(monkeypatch, tmp_path):
    page = (ROOT / "docs" / "reference" / "speed.md").read_text(encoding="utf-8")
    for name in ("PAGE", "PLOT", "KEPT"):
        monkeypatch.setattr(speed, name, tmp_path / name)
    speed.PAGE.write_text(page, encoding="utf-8")
    speed.write(RESULTS, speed.ratios(RESULTS), "2026-11-21, 2 cores.")
    written = speed.PAGE.read_text(encoding="utf-8")
    assert (
        "| NetBox, 10,000 devices | pynetbox | 4.00 | 0.25 | 4.00 | 0.10 | 50 | 3 | 5 |" in written
    )
    assert "2026-11-21, 2 cores.\n<!-- /machine -->" in written
    assert speed.PLOT.read_text(encoding="utf-8").count("<rect ") == 1 + 6
    assert json.loads(speed.KEPT.read_text()) == speed.ratios(RESULTS)


def test_every_client_has_a_label_and_is_there():
    named = {client for work in speed.WORKS for client in work.clients}
    assert named == set(speed.LABELS) == set(clients.CLIENTS)
    assert {work.stand_in for work in speed.WORKS} == set(standins.KINDS)


def test_a_load_balancer_of_the_stand_in_has_what_takes_a_call_each(from_checkout):
    stand_in = standins.LoadBalancers(2)
    try:
        from_checkout("appliances")
        clients.LISTED.clear()
        clients.ours_aws(stand_in.connection())
        (resources,) = clients.LISTED
        calls = Counter(dict(parse_qsl(body)).get("Action") for _, _, body, _ in stand_in.seen())
    finally:
        clients.LISTED.clear()
        stand_in.stop()
    assert calls["DescribeListeners"] == calls["DescribeTargetHealth"] == 2
    for each in resources:
        details = each["metadata"]["provider_specific"]
        assert len(details["listeners"]) == len(details["target_groups"]) == 1
        assert each["connections"]["server"] == [{"id": f"i-us-east-1-{details['DNSName'][3:15]}"}]
        assert each["metadata"]["provider_metadata"] == {"env": "production"}
