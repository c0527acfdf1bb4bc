"""tools/record.py: a handler recorded again from what ``get`` was answered gives the same cassette.

The demo accounts' ports are exchanged for free ones, in a copy of the cassettes.
"""

import os
import re
import socket

import pytest

from flexlocal import accounts, cassettes
from shared.engine.errors import UnexpectedResponse
from tools import expected, record

ROOT = cassettes.ROOT


def free_port(digits, taken):
    """Another free port of that many digits: with another length, YAML would break lines elsewhere."""
    lowest = max(1024, 10 ** (digits - 1))
    count = min(10**digits, 60_000) - lowest
    for offset in range(count):
        port = lowest + (os.getpid() * 101 + offset) % count
        if str(port) in taken:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("no port is free")


@pytest.fixture
def moved():
    """A function that exchanges the ports in a text, each always for the same one."""
    ports = {}

    def port(match):
        if match[0] not in ports:
            ports[match[0]] = str(free_port(len(match[0]), ports.values()))
        return ports[match[0]]

    return lambda text: re.sub(r"(?<=127\.0\.0\.1:)\d+", port, text)


@pytest.fixture
def copied(monkeypatch, tmp_path, moved):
    """A folder of cassettes of its own, with those of ``get``."""
    for file in [accounts.DEMO, *ROOT.glob("*/*.yaml")]:
        if ".get_" not in file.name:
            copy = tmp_path / file.relative_to(ROOT)
            copy.parent.mkdir(exist_ok=True)
            copy.write_text(moved(file.read_text(encoding="utf-8")), encoding="utf-8")
    monkeypatch.setattr(accounts, "DEMO", tmp_path / accounts.DEMO.name)
    monkeypatch.setattr(cassettes, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "provider, family, handler",
    [
        ("aws", "appliances", "get_status"),
        ("aws", "servers", "get_metrics"),
        ("aws", "volumes", "get_logs"),
        ("juju", "vca_status", "get_status"),
        ("openstack", "circuits", "get_status"),
        ("openstack", "servers", "get_metrics"),
        ("osm", "vca_status", "get_status"),
    ],
)
def test_recorded_again_it_is_the_same(copied, moved, provider, family, handler):
    record.record(provider, family, handler)
    again = cassettes.path(family, provider, handler)
    before = (ROOT / family / again.name).read_text(encoding="utf-8")
    assert again.read_text(encoding="utf-8") == moved(before)
    new = {file for file in copied.rglob("*") if not (ROOT / file.relative_to(copied)).exists()}
    assert new == set()


def test_a_whole_cell_and_its_get_are_of_one_moment(copied):
    before = (copied / "vca_status" / "osm.yaml").read_bytes()
    record.record("osm", "vca_status")
    files = sorted(file.name for file in copied.glob("vca_status/osm*"))
    assert files == ["osm.get_status.yaml", "osm.yaml"]
    assert (copied / "vca_status" / "osm.yaml").read_bytes() != before
    moments = {cassettes.recorded_at(copied / "vca_status" / file) for file in files}
    assert len(moments) == 1
    assert None not in moments
    points = expected.replayed("vca_status", "osm", "get_status")
    assert len(points["status"]) == len(expected.replayed("vca_status", "osm"))


@pytest.mark.parametrize("asked", [("aws", "vca_status"), ("tapi", "wan_links", "get_metrics")])
def test_what_there_is_not(copied, asked):
    with pytest.raises(SystemExit, match="has no such cell or handler; its families are "):
        record.record(*asked)


def test_what_nothing_answers_is_no_recording(copied, monkeypatch):
    """A simulator that lacks an operation: neither a 403 nor a part is kept."""
    monkeypatch.setattr(record.Aws, "answer", lambda self, request, recorded: recorded(request))
    with pytest.raises(UnexpectedResponse):
        record.record("aws", "volumes", "get_status")
    assert not cassettes.path("volumes", "aws", "get_status").exists()


def test_a_port_that_is_in_use_is_named(copied):
    """Juju's and others' are opened by their own servers; those of recorded ones are checked first."""
    url = accounts.demo()["demo-tapi"].credentials["url"]
    host, port = record._address(url)
    in_use = pytest.raises(SystemExit, match=f"{host}:{port} is in use: stop what listens there")
    with record.CassetteServer(cassettes.path("wan_links", "tapi"), port), in_use:
        record.record("tapi", "wan_links", "get_status")
