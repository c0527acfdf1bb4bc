"""The rules of the house: who may import whom, what a cold start loads, what no file may hold."""

import ast
import functools
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "modules").rglob("*.py"))
CELLS = sorted((ROOT / "modules").glob("*/**/*.py"))
SHARED = sorted((ROOT / "shared").rglob("*.py"))
INVENTORY = sorted((ROOT / "inventory").rglob("*.py"))
TOPOLOGY = sorted((ROOT / "topology").rglob("*.py"))
WEB = sorted((ROOT / "web").rglob("*.py"))
WEB = sorted((ROOT / "web").rglob("*.py"))
PROVIDERS = sorted((ROOT / "shared" / "providers").rglob("*.py"))


@functools.cache
def imports(file):
    """The dotted names that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            folder = file.relative_to(ROOT).parts[: -node.level] if node.level else ()
            module = ".".join([*folder, *filter(None, [node.module])])
            found.update(f"{module}.{name.name}" for name in node.names)
    return found


def test_there_is_something_to_check():
    assert MODULES
    assert CELLS
    assert SHARED
    assert PROVIDERS


@pytest.mark.parametrize(
    "line, name",
    [
        ("import modules.servers.aws", "modules.servers.aws"),
        ("from modules.servers import aws", "modules.servers.aws"),
        ("from . import aws", "modules.volumes.aws"),
        ("from .aws import convert", "modules.volumes.aws.convert"),
        ("from ..servers.aws import convert", "modules.servers.aws.convert"),
    ],
)
def test_an_import_is_seen_however_it_is_written(monkeypatch, tmp_path, line, name):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    file = tmp_path / "modules" / "volumes" / "openstack.py"
    file.parent.mkdir(parents=True)
    file.write_text(line)
    assert imports(file) == {name}


def test_shared_knows_no_family():
    for file in SHARED:
        assert not [name for name in imports(file) if name.split(".")[0] == "modules"], file


def test_only_tests_and_tools_import_flexlocal():
    for file in MODULES + SHARED:
        assert not [name for name in imports(file) if name.split(".")[0] == "flexlocal"], file


def test_the_inventory_knows_no_connector_and_no_connector_the_inventory():
    assert INVENTORY
    for file in INVENTORY:
        rooms = {name.split(".")[0] for name in imports(file)}
        assert rooms.isdisjoint({"flexlocal", "modules", "shared"}), file
    for file in MODULES + SHARED:
        assert not [name for name in imports(file) if name.split(".")[0] == "inventory"], file


def test_the_topology_knows_the_inventory_alone():
    """And neither the inventory nor a connector knows the topology."""
    assert TOPOLOGY
    for file in TOPOLOGY:
        rooms = {name.split(".")[0] for name in imports(file)}
        assert rooms.isdisjoint({"flexlocal", "modules", "shared"}), file
    for file in INVENTORY + MODULES + SHARED:
        assert not [name for name in imports(file) if name.split(".")[0] == "topology"], file


def test_the_service_knows_the_inventory_and_the_topology():
    """What it needs of accounts and polls is passed to it; and nothing below knows the service."""
    assert WEB
    for file in WEB:
        rooms = {name.split(".")[0] for name in imports(file)}
        assert rooms.isdisjoint({"flexlocal", "modules", "shared"}), file
    for file in TOPOLOGY + INVENTORY + MODULES + SHARED:
        assert not [name for name in imports(file) if name.split(".")[0] == "web"], file


def test_the_service_knows_the_topology_and_the_inventory_alone():
    """And nothing but the command line knows the service."""
    assert WEB
    for file in WEB:
        rooms = {name.split(".")[0] for name in imports(file)}
        assert rooms.isdisjoint({"flexlocal", "modules", "shared"}), file
    for file in INVENTORY + TOPOLOGY + MODULES + SHARED:
        assert not [name for name in imports(file) if name.split(".")[0] == "web"], file


def test_operations_read_an_inventory_as_the_caller_may_see_it():
    """By web/limited.py: a read past it would show a limited token what is of other accounts. What writes is elsewhere."""
    reads = re.compile(r"\.inventory\.(\w+)")
    writes = {"take_snapshot", "pin_snapshot", "remove_snapshot", "open_window", "close_window"}
    for file in WEB:
        text = file.read_text(encoding="utf-8")
        past = set(reads.findall(re.sub(r"seen\.inventory|found\.inventory", "", text)))
        assert past <= {*writes, *READ_PAST.get(file.name, ())}, file


# name -> what it reads past the limit, and why that shows nothing
READ_PAST = {
    "about.py": {"last_run"},  # whether the inventory can be read
    "snapshots.py": {"window"},  # to close one, which takes a token for all accounts
}


def test_nothing_but_the_inventory_loads_the_database():
    """Not even its name does, nor what its commands consist of: each loads it when it opens one."""
    names = [f"flexlocal.{file.stem}" for file in (ROOT / "flexlocal").glob("*.py")]
    script = f"import inventory, topology, {', '.join(names)}, sys; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    heavy = {"alembic", "anyio", "fastapi", "pydantic", "sqlalchemy", "sqlite3", "uvicorn"}
    assert heavy.isdisjoint(done.stdout.split())


def test_cells_do_not_import_one_another():
    """The files of a cell that is a package may."""
    for file in MODULES:
        inside = file.relative_to(ROOT).parts[:-1]
        others = [name.split(".") for name in imports(file) if name.split(".")[0] == "modules"]
        assert len(inside) > 2 or not others, file
        assert all(tuple(name[:3]) == inside[:3] for name in others), file


@pytest.mark.parametrize(
    "place, line, allowed",
    [
        ("volumes/aws.py", "import modules.servers.aws", False),
        ("volumes/aws.py", "from . import openstack", False),
        ("volumes/main.py", "from modules.volumes import aws", False),
        ("volumes/aws/disks.py", "from modules.volumes.aws.records import KIND", True),
        ("volumes/aws/__init__.py", "from . import disks", True),
        ("volumes/aws/disks.py", "from modules.volumes import openstack", False),
        ("volumes/aws/disks.py", "from modules.servers.aws import records", False),
    ],
)
def test_what_a_file_of_a_cell_may_import(monkeypatch, tmp_path, place, line, allowed):
    file = tmp_path / "modules" / place
    file.parent.mkdir(parents=True)
    file.write_text(line)
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    monkeypatch.setitem(globals(), "MODULES", [file])
    if allowed:
        test_cells_do_not_import_one_another()
    else:
        with pytest.raises(AssertionError):
            test_cells_do_not_import_one_another()


def test_providers_serialize_nothing():
    of_no_resource = {
        f"nflex_connector_utils.{name}" for name in ("Locations", "Region", "convert_datetime")
    }
    for file in PROVIDERS:
        names = imports(file) - of_no_resource
        assert not [name for name in names if name.startswith("nflex")], file


def test_the_rooms_of_shared_import_one_way():
    """Providers and VCA, then transport, then records, then the engine; the engine imports none of them."""
    below = {"engine": [], "records": ["engine"], "transport": ["engine", "records"]}
    below["vca"] = [*below["transport"], "transport"]
    below["providers"] = [*below["vca"], "vca"]
    for file in SHARED:
        if file.parent.name == "shared":
            continue
        room = file.relative_to(ROOT / "shared").parts[0]
        rooms = {name.split(".")[1] for name in imports(file) if name.startswith("shared.")}
        assert rooms <= {room, *below[room]}, file


def test_cells_do_not_sleep_or_start_threads_or_read_the_environment():
    forbidden = ("os", "subprocess", "threading", "time", "concurrent", "socket", "requests")
    for file in CELLS:
        names = {name.split(".")[0] for name in imports(file)}
        assert names.isdisjoint(forbidden), file


def test_what_a_provider_sends_is_read_in_one_place():
    """By shared/transport/decode.py; the others read what is our own, or look whether a body was cut short."""
    readers = {}
    for file in MODULES + SHARED:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                of = ast.unparse(node.func.value)
                if (of, node.func.attr) == ("json", "loads") or node.func.attr == "json":
                    readers.setdefault(file.name, []).append(ast.unparse(node.func))
                if of == "yaml" and "load" in node.func.attr.lower():
                    readers.setdefault(file.name, []).append(ast.unparse(node.func))
    assert readers == {
        "decode.py": ["yaml.SafeLoader"],
        "mapping.py": ["yaml.load"],  # mapping.yaml
        "network.py": ["json.loads"],  # whether it ends too early
        "platform.py": ["json.loads"],  # the poll's own state
    }


# Keys that only an event has; others of its keys are those of resources and accounts too.
KEYS_OF_EVENTS = {"customer_id", "last_update", "poll_interval", "poll_type", "task_id"}
READS = {"get", "items", "keys", "pop", "values"}


def reads_of_events(tree):
    """The lines of a file that read an event: by a variable's name, or by a key that only an event has."""
    for node in ast.walk(tree):
        of, key = None, None
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            of, key = node.value, node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in READS:
                of, key = node.func.value, node.args[0] if node.args else None
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
            of, key = node.comparators[0], node.left
        name = of.id if isinstance(of, ast.Name) else getattr(of, "attr", None)
        key = getattr(key, "value", key)  # 3.8's ast.Index, or a constant's value
        if name == "event" or (of is not None and isinstance(key, str) and key in KEYS_OF_EVENTS):
            yield node.lineno


@pytest.mark.parametrize(
    "line",
    [
        "event.get('credentials')",
        "self.event['options']",
        "'resource' in event",
        "given['last_update']",
        "whatever.get('task_id')",
        "dict(event.items())",
    ],
)
def test_a_read_of_an_event_is_seen_however_it_is_written(line):
    assert list(reads_of_events(ast.parse(line))) == [1]


def test_an_event_is_read_in_one_place():
    """By shared/engine/event.py; the rest of the code gets its Request."""
    readers = {}
    for file in [*MODULES, *SHARED, *(ROOT / "flexlocal").glob("*.py")]:
        lines = list(reads_of_events(ast.parse(file.read_text(encoding="utf-8"))))
        if lines:
            readers[str(file.relative_to(ROOT))] = lines
    assert set(readers) == {"shared/engine/event.py"}, readers


def test_the_platforms_context_is_used_in_one_place():
    """By shared/engine/runtime.py, where each call is bounded; the others hand it on."""
    users = set()
    for file in SHARED:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            used = isinstance(node, ast.Attribute) and ast.unparse(node.value) in (
                "context",
                "self._context",
            )
            read = isinstance(node, ast.Call) and ast.unparse(node).startswith("getattr(context")
            if used or read:
                users.add(str(file.relative_to(ROOT)))
    assert users == {"shared/engine/runtime.py"}


def test_no_file_is_named_after_nothing():
    nothing = {"utils", "util", "helpers", "common", "base", "manager", "misc"}
    files = [
        *MODULES,
        *SHARED,
        *INVENTORY,
        *TOPOLOGY,
        *WEB,
        *(ROOT / "flexlocal").glob("*.py"),
        *(ROOT / "tools").glob("*.py"),
    ]
    assert not [file for file in files if file.stem in nothing]


# What only the mapping of metrics needs (unittest: of pyparsing); yaml is also for what OSM keeps in records.
ONLY_METRICS = ["pyparsing", "unittest", "yaml", "shared.records.mapping"]
# What no handler needs: what libraries import at once, and what is only for errors or for other programs.
NO_HANDLER = [
    "asyncio",
    "charset_normalizer.api",
    "difflib",
    "pytz",
]


@pytest.mark.parametrize(
    "code, loaded, not_loaded",
    [
        ("import modules.servers.main", [], ["boto3", "botocore", "keystoneauth1"]),
        ("import shared.providers.aws", ["boto3", "botocore"], ["keystoneauth1", "requests"]),
        ("import shared.providers.openstack", ["keystoneauth1"], ["boto3", "botocore"]),
        ("import modules.volumes.openstack", ["keystoneauth1"], ["botocore"]),
        ("import modules.circuits.netbox", ["requests"], ["botocore", "keystoneauth1"]),
        ("import modules.servers.main, shared.engine.poll", [], ["vcr", "rich", "flexlocal"]),
        ("import modules.servers.main, modules.servers.openstack", [], ONLY_METRICS),
        ("import modules.servers.main, modules.servers.aws", ["botocore"], ONLY_METRICS),
        ("import modules.vca_status.main, modules.vca_status.osm", [], ONLY_METRICS),
        (
            "import modules.servers.main; from shared.records import metrics; metrics.of('aws.ec2')",
            ["pyparsing", "yaml", "shared.records.mapping"],
            [],
        ),
    ],
)
def test_a_cold_start_loads_only_what_is_asked_for(code, loaded, not_loaded):
    script = f"import sys; {code}; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = set(done.stdout.split())
    assert set(loaded) <= names
    assert names.isdisjoint(not_loaded)


@pytest.mark.parametrize(
    "provider, credentials, loaded, not_loaded",
    [
        (
            "aws",
            {"aws_access_key_id": "A", "aws_secret_access_key": "b", "endpoint_url": "URL"},
            "botocore",
            ["keystoneauth1", "requests", "websocket"],
        ),
        (
            "openstack",
            {"auth_url": "URL", "username": "a", "password": "b", "project_name": "c"},
            "keystoneauth1",
            ["botocore", "dateutil", "websocket"],
        ),
        (
            "netbox",
            {"url": "URL", "token": "a"},
            "requests",
            ["botocore", "dateutil", "keystoneauth1", "websocket"],
        ),
    ],
)
def test_no_handler_loads_what_it_does_not_need(provider, credentials, loaded, not_loaded):
    """All handlers, as far as a port that nobody listens on. tests/test_zips.py has whole polls."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    given = {key: url if value == "URL" else value for key, value in credentials.items()}
    script = f"""
import sys, types, modules.servers.main, shared.transport.http
shared.transport.http.FIRST_DELAY_S = 0
event = {{"provider": {provider!r}, "credentials": {given!r}}}
for name in ("get", "get_status", "get_metrics", "get_logs", "validate_credentials"):
    try:
        print(getattr(modules.servers.main, name)(event, types.SimpleNamespace(module_id=None)))
    except Exception as error:
        print(type(error).__name__)
print(' '.join(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = set(done.stdout.split())
    assert {"Unreachable", loaded, f"modules.servers.{provider}"} <= names
    assert names.isdisjoint([*not_loaded, *ONLY_METRICS, *NO_HANDLER])


def test_no_package_index_is_named_in_any_file():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    # written in two parts: this file is looked at too
    hosts = [f"{name}.org" for name in ("pypi", "pythonhosted", "npmjs")]
    for name in listed:
        text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
        assert not [host for host in hosts if host in text], name


def test_each_exception_from_a_security_rule_has_its_reason():
    """Of ruff's S rules: on its line in code; in pyproject.toml there are none but the tests'."""
    rule = re.compile(r"# noqa: (?!S\d+ - \w)[^#]*\bS\d+")
    for folder in (
        "benchmarks",
        "flexlocal",
        "inventory",
        "modules",
        "shared",
        "tests",
        "tools",
        "topology",
        "web",
    ):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                assert not rule.search(line), f"{file.relative_to(ROOT)}:{number}"
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lint = settings.partition("[tool.ruff.lint]")[2].partition("[tool.mypy]")[0]
    everywhere, _, by_file = lint.partition("[tool.ruff.lint.per-file-ignores]")
    assert '"S"' in everywhere.partition("ignore = [")[0]
    ignored = everywhere.partition("ignore = [")[2]
    assert not re.search(r'"S\d*"', ignored)
    assert {line.split("/")[0] for line in re.findall(r'^"(.*)" =', by_file, re.M)} == {"tests"}
    assert '"S"' not in by_file


def test_no_absolute_path_of_a_machine_in_any_file():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert listed
    homes = ["/" + folder + "/" for folder in ("root", "home", "Users")]
    for name in listed:
        text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
        assert not [home for home in homes if home in text], name


def test_what_is_installed_without_its_requirements_declares_none(tmp_path):
    """Else pip calls it an error whenever it installs something later."""
    info = tmp_path / "some_thing-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Name: some-thing\nVersion: 1.0\nRequires-Dist: datetime\nLicense: x\n\nRequires-Dist: stays\n"
    )
    (info / "RECORD").write_text("some_thing-1.0.dist-info/METADATA,,\n")
    tool = ROOT / "tools" / "nflex_setup" / "undeclare.py"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    subprocess.run([sys.executable, str(tool), "some-thing"], env=environment, check=True)
    left = "Name: some-thing\nVersion: 1.0\nLicense: x\n\nRequires-Dist: stays\n"
    assert (info / "METADATA").read_text() == left


# Words of a private dialect: message, label, request, result, record say what is meant.
NOT_NAMES = {"told", "said", "asked", "made"}


def defined_names(tree):
    """The names that a file gives to variables, parameters and functions, each with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno


@pytest.mark.parametrize(
    "line",
    [
        "told = 1",
        "for told in (): pass",
        "def told(): pass",
        "def f(told): pass",
        "f = lambda told: 1",
        "[1 for told in ()]",
        "self._told = 1",
        "a, (told, b) = 1",
    ],
)
def test_a_name_is_seen_wherever_it_is_defined(line):
    assert "told" in {name.strip("_") for name, _ in defined_names(ast.parse(line))}


def test_names_are_standard_words():
    ours = [*(ROOT / "flexlocal").glob("*.py"), *(ROOT / "tools").rglob("*.py")]
    for file in [*MODULES, *SHARED, *INVENTORY, *TOPOLOGY, *WEB, *ours]:
        names = defined_names(ast.parse(file.read_text(encoding="utf-8")))
        found = [(name, line) for name, line in names if name.strip("_") in NOT_NAMES]
        assert not found, (str(file.relative_to(ROOT)), found)
