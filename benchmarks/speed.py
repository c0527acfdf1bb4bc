"""Ours beside other clients and the floor: ``python -m benchmarks.speed`` (`make bench`).

Each work has a stand-in of the provider (standins.py), a process of its own on loopback, and some clients
(clients.py), each run in a fresh process: ours is the whole handler of the built module, up to the serialized list.
The floor is the same requests made with http.client, their answers decoded with expat or json. The clients take turns, and a
figure is the median of RUNS; one that has used up PATIENCE_S is not run again. CPU is that of the client's process,
from its start. Every run's list is compared with what the stand-in holds; one that is incomplete ends the benchmark.

    --write   keep the ratios (ratios.json) and write docs/reference/speed.md; of all works, with --large
    --check   compare the ratios with those kept; more than 15 % worse, twice, ends with exit status 1
    --large   100,000 resources as well

This module imports little: on Linux a process's peak memory is at least that of the one that started it.
"""

import argparse
import contextlib
import dataclasses
import datetime
import fnmatch
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "benchmarks" / "ratios.json"
PAGE = ROOT / "docs" / "reference" / "speed.md"
PLOT = PAGE.with_name("speed.svg")
RUNS, PATIENCE_S, TIMEOUT_S = 5, 30.0, 600.0
WORSE = 1.15

LABELS = {
    "boto3_count": "boto3's paginator that counts",
    "boto3_load_balancers": "boto3, one call after another",
    "boto3_same_calls": "boto3, the same calls",
    "floor": "floor",
    "juju_client": "official client",
    "keystoneauth1": "keystoneauth1",
    "libcloud": "libcloud, without ports",
    "openstacksdk": "openstacksdk",
    "output_list": "the list alone",
    "ours_aws": "ours",
    "ours_juju": "ours",
    "ours_juju_orjson": "ours, with orjson",
    "ours_netbox": "ours",
    "ours_netbox_orjson": "ours, with orjson",
    "ours_openstack": "ours",
    "ours_openstack_orjson": "ours, with orjson",
    "pynetbox": "pynetbox",
    "pynetbox_circuits": "pynetbox",
}
BENCH, JUJU = "bench", "juju-3"  # environments in .venv
DISTRIBUTIONS = {
    BENCH: ("apache-libcloud", "boto3", "keystoneauth1", "openstacksdk", "pynetbox"),
    JUJU: ("juju",),
}


@dataclasses.dataclass(frozen=True)
class Work:
    """What is timed: a stand-in, and its clients, of which the first is ours.

    ``first``: the CPU time until the first response counts, not that until the list is complete. ``slow`` clients
    are not run with --check.
    """

    name: str
    title: str
    stand_in: str
    arguments: Mapping[str, Any]
    clients: tuple[str, ...]
    family: str = "servers"
    first: bool = False
    large: bool = False
    slow: tuple[str, ...] = ()

    @property
    def measure(self) -> str:
        return "first_s" if self.first else "cpu_s"


AWS = ("ours_aws", "boto3_count", "floor")
OPENSTACK = ("ours_openstack", "ours_openstack_orjson", "openstacksdk", "libcloud", "floor")
NETBOX = ("ours_netbox", "ours_netbox_orjson", "pynetbox", "floor")
REGIONS = {"size": 10, "regions": 30, "tls": True, "delay_s": 0.05}
WORKS = (
    Work("aws-1000", "EC2, 1,000 instances", "ec2", {"size": 1000}, AWS),
    Work("aws-10000", "EC2, 10,000 instances", "ec2", {"size": 10_000}, AWS),
    Work(
        "aws-100000",
        "EC2, 100,000 instances",
        "ec2",
        {"size": 100_000},
        ("ours_aws", "floor", "output_list"),
        large=True,
    ),
    Work(
        "aws-regions",
        "EC2, 30 regions x 10 instances, TLS, 50 ms a call",
        "ec2",
        REGIONS,
        ("ours_aws", "boto3_same_calls", "floor"),
    ),
    Work(
        "aws-region",
        "EC2, 1 region x 10 instances, TLS, 50 ms a call",
        "ec2",
        {**REGIONS, "regions": 1},
        ("ours_aws",),
    ),
    Work(
        "aws-load-balancers",
        "EC2, 500 load balancers with a target each, 50 ms a call",
        "elb",
        {"size": 500, "delay_s": 0.05},
        ("ours_aws", "boto3_load_balancers"),
        family="appliances",
        slow=("boto3_load_balancers",),
    ),
    Work(
        "openstack-1000", "Nova, 1,000 servers with ports", "openstack", {"size": 1000}, OPENSTACK
    ),
    Work(
        "openstack-10000",
        "Nova, 10,000 servers with ports",
        "openstack",
        {"size": 10_000},
        OPENSTACK,
        slow=("openstacksdk",),
    ),
    Work(
        "openstack-100000",
        "Nova, 100,000 servers with ports",
        "openstack",
        {"size": 100_000},
        ("ours_openstack", "ours_openstack_orjson", "floor", "output_list"),
        large=True,
    ),
    Work("netbox-1000", "NetBox, 1,000 devices", "netbox", {"size": 1000}, NETBOX),
    Work("netbox-10000", "NetBox, 10,000 devices", "netbox", {"size": 10_000}, NETBOX),
    Work(
        "netbox-100000",
        "NetBox, 100,000 devices",
        "netbox",
        {"size": 100_000},
        ("ours_netbox", "floor", "output_list"),
        large=True,
    ),
    Work(
        "netbox-circuits-10000",
        "NetBox, 10,000 circuits with two terminations each",
        "netbox",
        {"size": 10_000, "listing": "circuits/circuits"},
        ("ours_netbox", "pynetbox_circuits", "floor"),
        family="circuits",
    ),
    Work(
        "netbox-circuits-100000",
        "NetBox, 100,000 circuits with two terminations each",
        "netbox",
        {"size": 100_000, "listing": "circuits/circuits"},
        ("ours_netbox", "floor", "output_list"),
        family="circuits",
        large=True,
    ),
    Work(
        "juju-5000",
        "Juju, 100 models x 50 units",
        "juju",
        {"models": 100, "units": 50},
        ("ours_juju", "ours_juju_orjson", "juju_client"),
        family="vca_status",
    ),
    Work(
        "aws-cold",
        "EC2, 10 instances, to the first response",
        "ec2",
        {"size": 10},
        ("ours_aws", "boto3_count"),
        first=True,
    ),
    Work(
        "openstack-cold",
        "Nova, 10 servers, to the first response",
        "openstack",
        {"size": 10},
        ("ours_openstack", "keystoneauth1"),
        first=True,
    ),
)
# What it should be at most: (the figure, the title). The figures are ratios of ours to a client, of ours to ours at
# another size, and MB of a zip.
TARGETS: dict[str, tuple[float, str]] = {
    "aws-10000/boto3_count": (
        0.45,
        "AWS servers, 10,000, one region, against boto3's paginator that counts",
    ),
    "aws-regions/boto3_same_calls": (
        0.45,
        "AWS servers, 30 regions x 10, TLS, against boto3 making the same calls",
    ),
    "openstack-10000/openstacksdk": (0.02, "OpenStack servers, 10,000, against openstacksdk"),
    "openstack-10000/floor": (
        2.5,
        "the same against the floor (servers and ports fetched and decoded)",
    ),
    "openstack-10000/openstacksdk, orjson": (0.02, "with orjson, against openstacksdk"),
    "openstack-10000/floor, orjson": (2.5, "with orjson, against the floor (without)"),
    "netbox-10000/floor": (2.0, "NetBox devices, 10,000, against the floor"),
    "netbox-10000/floor, orjson": (2.0, "the same with orjson"),
    "juju-5000/juju_client": (0.4, "Juju, 100 models x 50 units, against the official client"),
    "juju-5000/juju_client, orjson": (0.4, "the same with orjson"),
    "aws-100000/aws-10000": (10.5, "EC2, 100,000 against 10,000"),
    "openstack-100000/openstack-10000": (10.5, "Nova, 100,000 against 10,000"),
    "netbox-100000/netbox-10000": (10.5, "NetBox, 100,000 against 10,000"),
    "aws-cold/boto3_count": (
        0.9,
        "cold process with 10 servers to the first response: AWS against boto3",
    ),
    "openstack-cold/keystoneauth1": (
        1.15,
        "cold process with 10 servers to the first response: OpenStack against keystoneauth1",
    ),
    "aws-regions/aws-region, wall": (
        1.5,
        "wall time of 30 regions at 50 ms a call, against one region",
    ),
    "aws-100000, memory": (1.6, "peak memory with 100,000 EC2 instances, against the list alone"),
    "openstack-100000, memory": (1.6, "the same with 100,000 servers of Nova"),
    "netbox-100000, memory": (1.6, "the same with 100,000 devices of NetBox"),
    "netbox-circuits-100000, memory": (1.6, "the same with 100,000 circuits of NetBox"),
    "zip: aws": (2.5, "zip of servers, AWS alone, MB"),
    "zip: all": (3.5, "zip of servers, all providers, MB"),
    "zip: without aws": (1.8, "zip of servers, without AWS, MB"),
    "zip, one Python: aws": (2.5, "the same with byte code for one Python: AWS alone"),
    "zip, one Python: all": (3.5, "the same: all providers"),
    "zip, one Python: without aws": (1.8, "the same: without AWS"),
}

Figures = dict[str, float]  # median of each measure; and "runs"
Results = dict[str, dict[str, Figures]]  # by work and client


# --- measuring ----------------------------------------------------------------------------------


def site_packages(environment: str) -> str:
    version = "python%d.%d" % sys.version_info[:2]
    return str(ROOT / ".venv" / environment / "lib" / version / "site-packages")


class StandIn:
    """The process of a work's stand-in; ``about`` is what it prints."""

    def __init__(self, work: Work):
        command = [sys.executable, "-m", "benchmarks.standins", work.stand_in]
        self._process = subprocess.Popen(  # noqa: S603 - ours
            [*command, json.dumps(work.arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.about = json.loads(self._line())
        self.requests: list[Any] = []  # those of our handler, for the floor

    def _line(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise SystemExit("the stand-in ended")
        return line

    def tell(self, what: str) -> Any:
        """ "count": how many requests came since the last time; "requests": which had an answer of their own."""
        assert self._process.stdin  # noqa: S101 - for mypy: it is a pipe
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return json.loads(self._line())

    def close(self) -> None:
        assert self._process.stdin  # noqa: S101 - for mypy: it is a pipe
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def measured(work: Work, client: str, stand_in: StandIn, home: str) -> Figures:
    """One run of a client. Raises SystemExit if it fails or its list is incomplete."""
    if client.startswith("ours"):
        path = [str(ROOT / "dist" / work.family), str(ROOT / "dist" / work.family / "lib")]
        path += [_orjson_alone(home)] if client.endswith("_orjson") else []
    else:
        path = [site_packages(JUJU if client == "juju_client" else BENCH)]
    connection = stand_in.about["connection"]
    if client == "floor":
        connection = {**connection, "requests": stand_in.requests}
    elif client == "output_list":
        connection = {"list": str(Path(home, "list"))}
    given = {"client": client, "path": path, "connection": connection}
    if "output_list" in work.clients:
        given["keep_list"] = str(Path(home, "list"))
    command = [sys.executable, "-I", "-S", "-B", str(ROOT / "benchmarks" / "clients.py")]
    begun = time.monotonic()
    done = subprocess.run(  # noqa: S603 - ours
        command,
        env={"HOME": home, "PATH": os.defpath, "LANG": "C.UTF-8"},  # no proxies, no credentials
        cwd=home,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{work.name}: {client} failed:\n{done.stderr[-3000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    expected = stand_in.about["count"]
    if found["count"] != expected:
        raise SystemExit(f"{work.name}: {client} lists {found['count']} of {expected}")
    if found["digest"] != stand_in.about["digest"]:
        raise SystemExit(f"{work.name}: {client} lists other ids than the stand-in has")
    return {
        "cpu_s": found["cpu_s"],
        "wall_s": found["ended_at"] - begun,
        "first_s": found["first_s"] or 0.0,
        "peak_mb": found["peak_mb"],
        "requests": stand_in.tell("count"),
    }


def _orjson_alone(home: str) -> str:
    """A folder with orjson, as the environment of the tests has it, and nothing else."""
    import importlib.util

    found = importlib.util.find_spec("orjson")
    if found is None or found.origin is None:
        raise SystemExit("orjson is not installed: make .venv/.test")
    folder = Path(home, "orjson-alone")
    if not folder.exists():
        folder.mkdir()
        (folder / "orjson").symlink_to(Path(found.origin).parent)
    return str(folder)


def run(work: Work, runs: int, clients: Collection[str]) -> dict[str, Figures]:
    """The medians of these clients of a work."""
    samples: dict[str, list[Figures]] = {client: [] for client in work.clients if client in clients}
    with tempfile.TemporaryDirectory() as home, contextlib.closing(StandIn(work)) as stand_in:
        measured(work, work.clients[0], stand_in, home)  # so that its pages are rendered
        stand_in.requests = stand_in.tell("requests")
        for _ in range(runs):
            for client, of in samples.items():
                if sum(sample["wall_s"] for sample in of) < PATIENCE_S:
                    of.append(measured(work, client, stand_in, home))
    return {client: _medians(of) for client, of in samples.items()}


def _medians(samples: list[Figures]) -> Figures:
    names = samples[0]
    medians = {name: statistics.median(sample[name] for sample in samples) for name in names}
    return {**medians, "runs": len(samples)}


def ratios(results: Results) -> dict[str, float]:
    """Ours to each other client, by "work/client" or "work/client, orjson", and of each kind 100,000 to 10,000."""
    found = {}
    for work in WORKS:
        of = results.get(work.name, {})
        ours = [client for client in of if client.startswith("ours_")]
        others = [client for client in of if client not in (*ours, "output_list")]
        for client in others:
            for each in ours:
                name = f"{work.name}/{client}" + (", orjson" if each.endswith("_orjson") else "")
                found[name] = round(of[each][work.measure] / of[client][work.measure], 4)
    for kind, client in (("aws", AWS[0]), ("openstack", OPENSTACK[0]), ("netbox", NETBOX[0])):
        large, small = results.get(f"{kind}-100000"), results.get(f"{kind}-10000")
        if large and small:
            ratio = large[client]["cpu_s"] / small[client]["cpu_s"]
            found[f"{kind}-100000/{kind}-10000"] = round(ratio, 2)
    return found


def wall_and_memory(results: Results) -> dict[str, float]:
    """Ratios that depend on what else the machine does, or are not of CPU: they are shown, but not checked."""
    found = {}
    many, one = results.get("aws-regions"), results.get("aws-region")
    if many and one:
        ratio = many["ours_aws"]["wall_s"] / one["ours_aws"]["wall_s"]
        found["aws-regions/aws-region, wall"] = round(ratio, 2)
    for work in WORKS:
        of = results.get(work.name, {})
        if "output_list" in of:
            ratio = of[work.clients[0]]["peak_mb"] / of["output_list"]["peak_mb"]
            found[f"{work.name}, memory"] = round(ratio, 2)
    return found


def zips(folder: Path) -> dict[str, float]:
    """Sizes in MB of the zip of servers with some of its providers; as it is, and with byte code for one Python."""
    from flexlocal import build, manifest

    known = manifest.load()
    servers = known.modules["servers"]
    one = dataclasses.replace(servers, pythons=servers.pythons[:1])
    compiled = {
        "zip": known,
        "zip, one Python": dataclasses.replace(known, modules={**known.modules, "servers": one}),
    }
    cells = set(build.poll.cells("servers"))
    chosen = {"aws": {"aws"}, "all": cells, "without aws": cells - {"aws"}}
    sizes = {}
    for how, manifest_ in compiled.items():
        for name, providers in chosen.items():
            built = build.build(manifest_, "servers", providers, folder)
            sizes[f"{how}: {name}"] = round(built.zip.stat().st_size / 1e6, 2)
    return sizes


def worse(found: Mapping[str, float], kept: Mapping[str, float]) -> dict[str, float]:
    """The ratios that are more than 15 % worse than those kept, by how much."""
    return {
        name: ratio / kept[name]
        for name, ratio in found.items()
        if name in kept and ratio > WORSE * kept[name]
    }


# --- showing ------------------------------------------------------------------------------------


def rows(results: Results) -> Iterator[tuple[str, ...]]:
    """The table: a head, then a line for each work and client."""
    yield (
        "work",
        "client",
        "CPU, s",
        "to it",
        "wall, s",
        "to the first, s",
        "peak, MB",
        "requests",
        "runs",
    )
    for work in WORKS:
        of = results.get(work.name, {})
        for client, figures in of.items():
            ours = of.get(work.clients[0])
            ratio = ours[work.measure] / figures[work.measure] if ours else 0.0
            yield (
                work.title,
                LABELS[client],
                f"{figures['cpu_s']:.2f}",
                "" if figures is ours else f"{ratio:.3g}",
                f"{figures['wall_s']:.2f}",
                f"{figures['first_s']:.2f}" if figures["first_s"] else "",
                f"{figures['peak_mb']:.0f}",
                f"{figures['requests']:.0f}",
                f"{figures['runs']:.0f}",
            )


def target_rows(found: Mapping[str, float]) -> Iterator[tuple[str, ...]]:
    yield ("target", "at most", "measured", "")
    for name, (most, title) in TARGETS.items():
        value = found.get(name)
        if value is None:
            yield (title, f"{most:g}", "not measured", "")
        else:
            yield (title, f"{most:g}", f"{value:.3g}", "met" if value <= most else "not met")


def text(table: Iterator[tuple[str, ...]]) -> str:
    """Columns for a terminal; a text in the first one stands once."""
    lines = list(table)
    widths = [max(map(len, column)) for column in zip(*lines)]
    shown, last = [], ""
    for first, *others in lines:
        cells = [("" if first == last else first).ljust(widths[0])]
        cells += [
            cell.rjust(width) if cell[:1].isdigit() else cell.ljust(width)
            for cell, width in zip(others, widths[1:])
        ]
        shown.append("  ".join(cells).rstrip())
        last = first
    return "\n".join(shown)


def markdown(table: Iterator[tuple[str, ...]]) -> str:
    head, *lines = table
    marks = " | ".join("---" if n < 2 else "--:" for n in range(len(head)))
    return "\n".join([f"| {' | '.join(head)} |", f"| {marks} |"]) + "".join(
        f"\n| {' | '.join(line)} |" for line in lines
    )


def machine() -> str:
    """The day, and on what this ran; no names."""
    version = platform.python_version()
    versions = ", ".join(
        f"{name} {_version(environment, name)}"
        for environment, names in DISTRIBUTIONS.items()
        for name in names
    )
    today = datetime.datetime.now(datetime.timezone.utc).date()
    load = os.getloadavg()[0]
    return (
        f"{today}, {os.cpu_count()} cores ({platform.machine()}), load {load:.1f} when it began, "
        f"{platform.system()}, Python {version}; {versions}."
    )


def _version(environment: str, name: str) -> str:
    import importlib.metadata

    found = importlib.metadata.distributions(name=name, path=[site_packages(environment)])
    return next((each.version for each in found), "not installed")


BAR, GAP, LEFT, RIGHT, WIDTH = 14, 10, 320, 70, 860


def plot(results: Results) -> str:
    """CPU seconds as bars, on a logarithmic scale, as SVG."""
    import math

    values = [each["cpu_s"] for of in results.values() for each in of.values()]
    low = 10 ** math.floor(math.log10(min(values)))
    high = 10 ** math.ceil(math.log10(max(values)))
    scale = (WIDTH - LEFT - RIGHT) / math.log10(high / low)
    parts, y = [], 34
    for work in WORKS:
        of = results.get(work.name)
        if not of:
            continue
        parts.append(f'<text x="8" y="{y + 11}" font-weight="bold">{work.title}</text>')
        y += BAR + 2
        for client, figures in of.items():
            label = LABELS[client]
            kind = label.partition(",")[0]
            color = {"ours": "#1f6feb", "floor": "#57ab5a"}.get(kind, "#8b949e")
            length = max(math.log10(figures["cpu_s"] / low) * scale, 1)
            parts += [
                f'<text x="{LEFT - 6}" y="{y + 11}" text-anchor="end">{label}</text>',
                f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR - 2}" fill="{color}"/>',
                f'<text x="{LEFT + length + 4:.1f}" y="{y + 11}">{figures["cpu_s"]:.2f}</text>',
            ]
            y += BAR
        y += GAP
    lines, mark = [], low
    while mark <= high:
        x = LEFT + math.log10(mark / low) * scale
        lines += [
            f'<line x1="{x:.1f}" y1="24" x2="{x:.1f}" y2="{y}" stroke="#d0d7de"/>',
            f'<text x="{x:.1f}" y="18" text-anchor="middle">{mark:g} s</text>',
        ]
        mark *= 10
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" font-size="11" '
            'font-family="sans-serif" role="img">',
            "<title>CPU seconds of each client, on a logarithmic scale</title>",
            f'<rect width="{WIDTH}" height="{y}" fill="white"/>',
            *lines,
            *parts,
            "</svg>\n",
        ]
    )


def write(results: Results, found: Mapping[str, float], about: str) -> None:
    """The page's generated parts, the plot, and the ratios."""
    from tools.reference import replaced

    page = PAGE.read_text(encoding="utf-8")
    page = replaced(page, "machine", about + "\n")
    page = replaced(page, "targets", markdown(target_rows(found)) + "\n")
    page = replaced(
        page,
        "speed",
        f"![CPU seconds of each client]({PLOT.name})\n\n" + markdown(rows(results)) + "\n",
    )
    PAGE.write_text(page, encoding="utf-8")
    PLOT.write_text(plot(results), encoding="utf-8")
    KEPT.write_text(json.dumps(dict(sorted(found.items())), indent=2) + "\n", encoding="utf-8")


# --- the command --------------------------------------------------------------------------------


def missing() -> Optional[str]:
    """What has to be built or installed first."""
    for work in WORKS:
        if not (ROOT / "dist" / work.family / "main.py").exists():
            return f"dist/{work.family} is not built: make build"
    for environment in DISTRIBUTIONS:
        if not Path(site_packages(environment)).exists():
            return f".venv/{environment} is not for this Python: make .venv/{environment}/.done"
    return None


def main(arguments: Optional[list[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.speed", description="Ours beside others.")
    parser.add_argument("--runs", type=int, default=RUNS, help="of each client (%(default)s)")
    parser.add_argument("--only", default="*", help="a work's name, or a pattern such as aws-*")
    parser.add_argument("--large", action="store_true", help="100,000 resources as well")
    parser.add_argument("--write", action="store_true", help="keep ratios and write the page")
    parser.add_argument("--check", action="store_true", help="compare with the kept ratios")
    given = parser.parse_args(arguments)
    if given.write and (given.only != "*" or given.check):
        parser.error("--write is of all works, and without --check")
    given.large = given.large or given.write
    lacking = missing()
    if lacking:
        print(lacking, file=sys.stderr)
        return 1
    works = [
        w for w in WORKS if fnmatch.fnmatchcase(w.name, given.only) and (given.large or not w.large)
    ]
    about = machine()
    results: Results = {}
    for work in works:
        print(f"{work.name} ...", file=sys.stderr, flush=True)
        results[work.name] = run(work, given.runs, _clients(work, given.check))
    found = {**ratios(results), **wall_and_memory(results)}
    print(text(rows(results)))
    if given.write:
        with tempfile.TemporaryDirectory(dir=ROOT / "dist") as folder:
            found.update(zips(Path(folder)))
    print(f"\n{text(target_rows(found))}\n\n{about}")
    if given.check:
        return check(works, found, given.runs)
    if given.write:
        write(results, found, about)
    return 0


def _clients(work: Work, check: bool) -> Collection[str]:
    return set(work.clients) - set(work.slow) if check else work.clients


def check(works: Collection[Work], found: Mapping[str, float], runs: int) -> int:
    """1 if a ratio is more than 15 % worse than the one kept, here and where its work is measured again."""
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    if not set(kept) & set(found):
        print("no ratio of these works is kept: make bench-write")
        return 1
    first = worse(found, kept)
    again: Results = {}
    for work in works:
        if any(work.name in name.split("/") for name in first):
            print(f"{work.name} again ...", file=sys.stderr, flush=True)
            again[work.name] = run(work, runs, _clients(work, True))
    still = {name: by for name, by in worse(ratios(again), kept).items() if name in first}
    for name, by in still.items():
        print(f"{name}: {kept[name]:g} was kept, now {kept[name] * by:.3g}")
    print("no ratio is more than 15 % worse" if not still else f"{len(still)} ratios are worse")
    return int(bool(still))


if __name__ == "__main__":
    sys.exit(main())
