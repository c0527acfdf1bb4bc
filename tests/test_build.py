"""What `flexlocal build` ships, what it leaves out, and what it refuses to ship."""

import dataclasses
import filecmp
import fnmatch
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.utils import canonicalize_name

from flexlocal import (
    accounts,
    build,
    cassette_server,
    cassettes,
    distributions,
    pythons,
    service_models,
    shipping,
)
from flexlocal.__main__ import main
from flexlocal.distributions import BuildError
from shared.engine import poll
from tests.built import CELLS, DIST, MANIFEST, ROOT, expected, module
from tests.test_house import imports

FAMILIES = sorted(MANIFEST.modules)
REBUILT = os.environ.get("REBUILT", "vca_status")  # the family with the fewest libraries
MB = 1_000_000


def names(built):
    with zipfile.ZipFile(built.zip) as packed:
        return packed.namelist()


def changed(**what):
    return dataclasses.replace(MANIFEST, **what)


def unchecked(monkeypatch):
    """Builds are not run before they are taken over."""
    monkeypatch.setattr(build, "_check", lambda *_: build._Checked(1, ("server",), 1, 0.1))
    monkeypatch.setattr(build, "_check_byte_code", lambda *_: None)


def provider_changed(name, **what):
    provider = dataclasses.replace(MANIFEST.providers[name], **what)
    return changed(providers={**MANIFEST.providers, name: provider})


def module_changed(family, **what):
    return changed(
        modules={**MANIFEST.modules, family: dataclasses.replace(MANIFEST.modules[family], **what)}
    )


# --- what is in it --------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_the_folder_and_the_zip_are_the_same(family):
    built = module(family)
    found = names(built)
    assert {name.partition("/")[0] for name in found} >= {
        *("main.py", "aws_lambda.py", "config.yaml", "lib")
    }
    assert sorted(found) == sorted(
        file.relative_to(built.folder).as_posix()
        for file in built.folder.rglob("*")
        if file.is_file()
    )
    with zipfile.ZipFile(built.zip) as packed:
        for name in found:  # reading one checks its CRC
            assert packed.read(name) == (built.folder / name).read_bytes(), name


@pytest.mark.parametrize("family", FAMILIES)
def test_our_own_code_is_that_of_the_checkout(family):
    folder = module(family).folder
    assert filecmp.cmp(folder / "main.py", ROOT / "modules" / family / "main.py", shallow=False)
    for file in [*(folder / "lib/shared").rglob("*.py"), *(folder / "lib/modules").rglob("*.py")]:
        assert filecmp.cmp(file, ROOT / file.relative_to(folder / "lib"), shallow=False)
    families = {each.name for each in (folder / "lib/modules").iterdir() if each.is_dir()}
    assert families - {"__pycache__"} == {family}


def reached(names):
    """The project's files that these modules import, by another way than the build's: their syntax trees."""
    files, todo = set(), list(names)
    while todo:
        parts = todo.pop().split(".")
        for count in range(1, len(parts) + 1):
            path = ROOT.joinpath(*parts[:count])
            file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            if file.exists() and file not in files:
                files.add(file)
                todo += [name for name in imports(file) if name.startswith(("modules", "shared"))]
    return {file.relative_to(ROOT).as_posix() for file in files}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_zip_carries_what_it_can_reach_and_no_more(family):
    cells = poll.cells(family)
    names_ = ["main", *cells]
    there = reached([f"modules.{family}.{each}" for each in names_])
    there |= reached([f"shared.providers.{each}" for each in cells])
    lib = module(family).folder / "lib"
    own = {
        file.relative_to(lib).as_posix()
        for room in ("modules", "shared")
        for file in (lib / room).rglob("*.py")
    }
    assert own == there - {f"modules/{family}/main.py"}  # which stands at the top
    assert (lib / "mapping.yaml").exists() == ("shared/records/mapping.py" in own)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_zip_without_metrics_has_no_mapping(family):
    lib = module(family).folder / "lib"
    has_metrics = build.METRICS in MANIFEST.modules[family].events
    assert (lib / "mapping.yaml").exists() == (lib / "pyparsing").exists() == has_metrics


def test_the_mapping_is_that_of_the_checkout():
    assert filecmp.cmp(
        module("servers").folder / "lib/mapping.yaml", ROOT / "mapping.yaml", shallow=False
    )


def test_a_built_module_finds_the_metric_mapping():
    lib = module("servers").folder / "lib"
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from shared.records import mapping, metrics\n"
    )
    script += "print(mapping.MAPPING, len(metrics.of('aws.ec2')))"
    done = subprocess.run(
        [sys.executable, "-B", "-I", "-S", "-c", script, str(lib)], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == (f"{lib / 'mapping.yaml'} 8\n", "")


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_is_shipped_that_is_not_needed(family):
    unwanted = ["*.so", "*.pyd", "*/tests/*", "*.pyi", "lib/flexlocal/*", "lib/vcr/*", "lib/pip/*"]
    unwanted += ["*s3transfer*", "lib/boto3/*/*.py", "lib/boto3/data/*", "lib/boto3/resources/*"]
    unwanted += ["lib/setuptools/*", "lib/zope/*", "lib/freezegun/*", "*.dist-info/RECORD"]
    found = names(module(family))
    assert not [name for name in found for each in unwanted if fnmatch.fnmatchcase(name, each)]
    with_metadata = {
        name.split("/")[1].split("-")[0] for name in found if name.endswith("/METADATA")
    }
    of_openstack = {"keystoneauth1", "os_service_types"}
    assert with_metadata == (of_openstack if "openstack" in poll.cells(family) else set())
    models = {name.split("/")[3] for name in found if name.endswith("/service-2.json.gz")}
    of_aws = {*MANIFEST.providers["aws"].botocore_data, *MANIFEST.modules[family].botocore_data}
    assert models == (of_aws if "aws" in poll.cells(family) else set())


def test_models_are_shipped_without_their_documentation():
    """All else is in them, a field that is called documentation too."""
    lib = module("servers").folder / "lib"
    found = list(lib.glob("botocore/data/*/*/service-2.json.gz"))
    assert found
    for file in found:
        text = gzip.decompress(file.read_bytes())
        assert b'"documentation":"' not in text
        assert json.loads(text)["changed"] == service_models.CHANGED
    field = {"documentation": {"shape": "Text", "documentation": "what it is"}}
    assert service_models.without_documentation([field]) == [{"documentation": {"shape": "Text"}}]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_terms_of_use_come_along(family):
    licences = {
        name.split("/")[1].split("-")[0]
        for name in names(module(family))
        if fnmatch.fnmatchcase(name, "*.dist-info/*") and not name.endswith("/METADATA")
    }
    assert licences >= {"requests", "urllib3", "pyyaml", "certifi"}
    for provider, library in (
        ("aws", "boto3"),
        ("aws", "botocore"),
        ("openstack", "keystoneauth1"),
    ):
        assert (library in licences) == (provider in poll.cells(family))


def test_one_provider_alone_ships_nothing_of_the_others(tmp_path):
    built = build.build(MANIFEST, "servers", ["openstack"], tmp_path)
    found = names(built)
    assert "lib/modules/servers/openstack/__init__.py" in found
    assert "lib/shared/providers/openstack/session.py" in found
    assert not [
        name
        for name in found
        if "/aws/" in name or "servers/aws" in name or name.startswith("lib/boto")
    ]
    assert yaml.safe_load((built.folder / "config.yaml").read_text())["provider"] == "openstack"
    assert built.zip.stat().st_size <= 2.6 * MB  # with byte code for two Pythons
    assert built.replayed == {"openstack": 24}


@pytest.mark.parametrize("family", FAMILIES)
def test_with_all_providers_a_module_is_small(family):
    built = module(family)
    assert built.zip.stat().st_size <= 4.1 * MB
    assert sum(built.sizes.values()) == sum(
        file.stat().st_size
        for file in built.folder.rglob("*")
        if file.is_file() and file.parent / file.stem.split(".")[0] != built.folder / "config"
    )


@pytest.mark.parametrize("family, provider", CELLS)
def test_the_vendors_test_configuration(family, provider):
    folder = module(family).folder
    config = yaml.safe_load((folder / f"config.{provider}.yaml").read_text())
    assert config["provider"] == provider
    assert config["credentials_keys"] == list(MANIFEST.providers[provider].credentials_keys)
    types = {each["type"] for each in expected(family, provider)}
    assert config["expected_resources"] == sorted(types)
    assert config["poll_interval"] == MANIFEST.modules[family].schedule
    cell = poll.load_cell(f"modules.{family}.{provider}")
    events = MANIFEST.modules[family].events
    asks = {name for name in ("status", "metrics", "logs") if f"cmp-connector.{name}" in events}
    if not cell.metrics:
        asks.discard("metrics")
    assert {f"expected_{name}" for name in asks} == {
        name for name in config if name.startswith("expected_") and name != "expected_resources"
    }
    first = folder / f"config.{min(poll.cells(family))}.yaml"
    assert (folder / "config.yaml").read_bytes() == first.read_bytes()


def test_no_secret_gets_into_a_zip(tmp_path, monkeypatch):
    """Neither of the environment, nor of a file that lies about in the checkout."""
    checkout = tmp_path / "checkout"
    for name in ("modules", "shared"):
        shutil.copytree(ROOT / name, checkout / name)
    shutil.copyfile(ROOT / "mapping.yaml", checkout / "mapping.yaml")
    secret = "invented-secret-of-a-customer"
    for name in ("accounts.yaml", "modules/servers/.env", "modules/servers/dump.json",
                 "modules/servers/notes.py.orig", "shared/providers/key.pem"):  # fmt: skip
        (checkout / name).write_text(secret)
    monkeypatch.setenv("AUTH_AWS_SECRET_ACCESS_KEY", secret)
    monkeypatch.setattr(build, "ROOT", checkout)
    unchecked(monkeypatch)
    built = build.build(MANIFEST, "servers", dist=tmp_path / "dist")
    with zipfile.ZipFile(built.zip) as packed:
        for name in packed.namelist():
            assert secret.encode() not in packed.read(name), name
    assert names(built) == names(module("servers"))


# --- the same twice -------------------------------------------------------------------------------


def test_the_same_inputs_give_the_same_bytes(tmp_path, monkeypatch):
    """From the wheels on: unpacked, compiled, copied and packed anew, elsewhere. The wheels are those of the family:
    to unpack botocore's takes most of a minute."""
    first = module(REBUILT)
    for wheels in distributions.CACHE.glob("wheels-*"):
        copied = tmp_path / "cache" / wheels.name
        copied.mkdir(parents=True)
        for wheel in wheels.iterdir():
            if canonicalize_name(wheel.name.split("-")[0]) in first.sizes:
                shutil.copyfile(wheel, copied / wheel.name)
    monkeypatch.setattr(distributions, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    again = build.build(MANIFEST, REBUILT, dist=tmp_path / "somewhere" / "else")
    assert again.zip.read_bytes() == first.zip.read_bytes()


def test_the_same_libraries_give_the_same_bytes(tmp_path, monkeypatch):
    """From the unpacked libraries on, with AWS's models."""
    checked = module("servers")
    unchecked(monkeypatch)
    monkeypatch.setattr(
        build, "_write_configs", lambda folder, *_: [shutil.copyfile(file, folder / file.name)
                                                     for file in checked.folder.glob("config*")]
    )  # fmt: skip
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    again = build.build(MANIFEST, "servers", dist=tmp_path / "somewhere" / "else")
    assert again.zip.read_bytes() == checked.zip.read_bytes()


def test_tracebacks_name_files_as_they_lie_in_the_zip():
    built = module("servers")
    found = [name for name in names(built) if name.endswith(".pyc")]
    with zipfile.ZipFile(built.zip) as packed:
        for name in found:
            source = name.replace("__pycache__/", "").rsplit(".", 2)[0] + ".py"
            assert source.encode() in packed.read(name), name
            assert str(ROOT).encode() not in packed.read(name), name


def test_without_a_python_in_the_manifest_there_is_no_byte_code(tmp_path):
    known = module_changed("volumes", pythons=())
    built = build.build(known, "volumes", ["openstack"], tmp_path)
    assert not [name for name in names(built) if name.endswith(".pyc")]
    assert not built.byte_code


# --- what is not whole is not shipped -------------------------------------------------------------


@pytest.mark.parametrize(
    "provider, known, told",
    [
        ("openstack", changed(without_distributions=("urllib3", "setuptools")), "urllib3"),
        ("aws", changed(without_files=("jmespath/*",)), "jmespath"),
        ("aws", changed(without_files=(*MANIFEST.without_files, "boto3/utils.py")), "boto3.utils"),
        ("openstack", changed(metadata=()), "pbr"),
        ("aws", provider_changed("aws", requires=()), "botocore"),
        ("aws", provider_changed("aws", requires=("botocore",)), "boto3"),
        ("aws", provider_changed("aws", botocore_data=("sts",)), "ec2"),
        ("aws", provider_changed("aws", botocore_data=("ec2",)), "sts"),
        ("openstack", module_changed("volumes", requires=("requests",)), "nflex_connector_utils"),
        (
            "openstack",
            module_changed("volumes", requires=("httpx",)),
            "httpx is not in requirements.lock",
        ),
        (
            "openstack",
            module_changed(
                "volumes",
                events={**MANIFEST.modules["volumes"].events, "cmp-connector.spend": "get_spend"},
            ),
            "no handler 'get_spend'",
        ),
    ],
)
def test_what_the_manifest_leaves_out_is_found_at_build(
    provider, known, told, tmp_path, monkeypatch
):
    """With byte code for one Python and whole models, which is quicker."""
    volumes = known.modules["volumes"]
    volumes = dataclasses.replace(volumes, pythons=volumes.pythons[:1])
    known = dataclasses.replace(known, modules={**known.modules, "volumes": volumes})
    monkeypatch.setattr(build, "_cut_models", lambda *_: None)
    (tmp_path / "volumes").mkdir()
    (tmp_path / "volumes" / "of-the-last-build").touch()
    with pytest.raises(BuildError) as refused:
        build.build(known, "volumes", [provider], tmp_path)
    assert told in str(refused.value)
    assert [each.name for each in tmp_path.iterdir()] == ["volumes"]
    assert [each.name for each in (tmp_path / "volumes").iterdir()] == ["of-the-last-build"]


def test_a_cell_of_a_provider_that_the_manifest_lacks(tmp_path):
    known = changed(providers={name: MANIFEST.providers[name] for name in ("aws", "netbox")})
    with pytest.raises(BuildError, match=r"modules/volumes/openstack: .*'openstack'"):
        build.build(known, "volumes", dist=tmp_path)


@pytest.mark.parametrize("code", ["def fetch(:\n", "match 1:\n    case 1: pass\n"])
def test_code_that_a_targets_python_can_not_read(tmp_path, monkeypatch, code):
    if code.startswith("match") and pythons.find("3.9") is None:
        pytest.skip("no Python 3.9 here, which can't read it")
    checkout = tmp_path / "checkout"
    for name in ("modules", "shared"):
        shutil.copytree(ROOT / name, checkout / name)
    shutil.copyfile(ROOT / "mapping.yaml", checkout / "mapping.yaml")
    (checkout / "modules" / "volumes" / "aws.py").write_text(code)
    monkeypatch.setattr(build, "ROOT", checkout)
    with pytest.raises(BuildError, match="modules/volumes/aws.py"):
        build.build(MANIFEST, "volumes", dist=tmp_path / "dist")


def test_a_mapping_that_would_be_refused_at_the_first_poll_of_metrics(tmp_path, monkeypatch):
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    text = (ROOT / "mapping.yaml").read_text(encoding="utf-8").replace("aws.ebs.", "aws.esb.")
    (checkout / "mapping.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(build, "ROOT", checkout)
    with pytest.raises(BuildError, match="^mapping.yaml: aws.esb.*nearest known is 'aws.ebs'"):
        build.build(MANIFEST, "volumes", dist=tmp_path / "dist")


def test_a_wheel_that_is_not_the_locked_one(tmp_path, monkeypatch):
    """pip is asked for hashes, so that nobody can slip in another file."""
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"six==1.17.0 \\\n    --hash=sha256:{'0' * 64}\n")
    asked = []

    def refuse(command, **_):
        asked.append(command)
        return subprocess.CompletedProcess(command, 1, "", "THESE PACKAGES DO NOT MATCH THE HASHES")

    monkeypatch.setattr(distributions, "LOCK", lock)
    monkeypatch.setattr(distributions, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(distributions.subprocess, "run", refuse)
    with pytest.raises(BuildError, match="requirements.lock.*\n.*DO NOT MATCH"):
        build.build(MANIFEST, "volumes", dist=tmp_path / "dist")
    assert {"--require-hashes", "--only-binary=:all:"} <= set(asked[-1])
    assert not list((tmp_path / "cache").iterdir())


# --- the command ----------------------------------------------------------------------------------


def test_the_command_says_what_it_built(capsys, monkeypatch):
    built = module("servers")
    monkeypatch.setattr(shipping.build, "build", lambda known, family, _: built)
    assert main(["build", "servers"]) == 0
    out = capsys.readouterr().out
    size = built.zip.stat().st_size / MB
    assert f"servers: {size:.2f} MB zip, " in out
    assert re.search(r"^  botocore \d\.\d\d, ", out, re.MULTILINE)
    assert "on its own it replays 24 of aws, 7 of juju, 40 of netbox, 24 of openstack" in out


def test_a_missing_target_python_is_said(capsys, monkeypatch):
    without = dataclasses.replace(module("servers"), byte_code=("3.11",))
    monkeypatch.setattr(shipping.build, "build", lambda known, family, _: without)
    assert main(["build", "servers"]) == 0
    out, err = capsys.readouterr()
    assert err.count("warning: ") == 1
    assert "servers has no byte code for 3.9, since python3.9 is not on this host" in err
    assert "unpacked, byte code for 3.11; imports in" in out


def test_byte_code_that_this_python_would_not_use(tmp_path):
    """A build is not taken over where it has none for a Python that it should have."""
    for name in ("main", "other"):
        (tmp_path / f"{name}.py").write_text("")
    (tmp_path / "main.py").write_text(
        "import other\ndef validate_credentials(e, c):\n    return {'ok': True}\n"
    )
    files = {tmp_path / "main.py": "main.py"}
    distributions.compile_files(files, [sys.executable])
    with pytest.raises(BuildError, match="no byte code for other.py"):
        build._check_byte_code(tmp_path, MANIFEST.modules["servers"], sys.executable)
    files[tmp_path / "other.py"] = "other.py"
    distributions.compile_files(files, [sys.executable])
    build._check_byte_code(tmp_path, MANIFEST.modules["servers"], sys.executable)


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["build", "server"], f"no module 'server'; it has {', '.join(MANIFEST.modules)}"),
        (
            ["build", "--provider", "gcp"],
            f"no provider 'gcp'; there are {', '.join(MANIFEST.providers)}",
        ),
    ],
)
def test_what_does_not_exist_is_named(arguments, told, capsys):
    assert main(arguments) == 2
    assert told in capsys.readouterr().err


def test_a_module_that_is_not_whole_fails_the_command(capsys, monkeypatch):
    def refused(*_):
        raise BuildError("servers of aws does not run")

    monkeypatch.setattr(shipping.build, "build", refused)
    assert main(["build", "servers"]) == 1
    assert capsys.readouterr().err == "BuildError: servers of aws does not run\n"


# --- the parts ------------------------------------------------------------------------------------


def test_what_a_cassette_lacks_is_refused_and_named():
    with cassette_server.serving(cassettes.path("servers", "aws")) as server:
        url = f"http://127.0.0.1:{server.port}/nothing?secret=1"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url)  # noqa: S310 - on loopback
    assert refused.value.code == 403
    assert server.missing == [f"GET http://127.0.0.1:{server.port}/nothing"]
    assert server.unused == 16


def test_an_isolated_module_reaches_no_host_but_the_port_given(tmp_path):
    (tmp_path / "main.py").write_text(
        "import http.client\n"
        "def get(event, context):\n"
        "    print('to stderr')\n"
        "    asked = http.client.HTTPConnection(event['host'])\n"
        "    asked.request('GET', '/')\n"
        "    return asked.getresponse().status\n"
    )
    with cassette_server.serving(cassettes.path("servers", "aws")) as server:
        told = build.alone(tmp_path, "get", {"host": "cloud.invalid"}, sys.executable, server.port)
    assert told["answer"] == 403
    assert server.missing == ["GET http://cloud.invalid/"]


def test_an_isolated_bug_is_told_with_its_trace(tmp_path):
    (tmp_path / "main.py").write_text("def get(event, context):\n    return event['gone']\n")
    told = build.alone(tmp_path, "get", {})
    assert told["error"][:2] == ["KeyError", "'gone'"]
    assert "main.py" in told["error"][2]


def test_what_ends_a_process_is_no_answer(tmp_path):
    (tmp_path / "main.py").write_text("import os\nos._exit(3)\n")
    with pytest.raises(BuildError, match="get did not end"):
        build.alone(tmp_path, "get", {})


def test_a_handler_that_hangs_is_stopped(tmp_path, monkeypatch):
    (tmp_path / "main.py").write_text("import threading\nthreading.Event().wait()\n")
    monkeypatch.setattr(build, "PATIENCE_S", 0.5)
    with pytest.raises(BuildError, match="get did not end within 0.5 s and was stopped"):
        build.alone(tmp_path, "get", {})


@pytest.fixture
def python_3_99(tmp_path, monkeypatch):
    """Writes a command that poses as Python 3.99, by what it does in a shell; the only place to look."""

    def write(name, does):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{does}\n")
        file.chmod(0o755)
        pythons.find.cache_clear()
        return str(file)

    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    yield write
    pythons.find.cache_clear()


def test_a_python_that_does_not_run_is_not_found(python_3_99):
    python_3_99("path/python3.99", "exit 127")
    assert pythons.find("3.99") is None
    good = python_3_99("versions/3.99.1/bin/python3.99", 'echo 3.99; echo "$0"')
    assert pythons.find("3.99") == good


def test_behind_a_shim_is_the_interpreter_itself(python_3_99):
    """pyenv's shims are scripts that need a PATH, and a build is checked without one."""
    real = python_3_99("elsewhere/bin/python3.99", 'echo 3.99; echo "$0"')
    shim = python_3_99("path/python3.99", f'test -n "$PATH" || exit 127; exec {real} "$@"')
    assert pythons.find("3.99") == real != shim


def test_a_python_that_only_runs_with_a_path_is_not_found(python_3_99):
    python_3_99("path/python3.99", 'test -n "$PATH" || exit 127; echo 3.99; echo "$0"')
    assert pythons.find("3.99") is None


def test_a_python_that_hangs_is_not_found(python_3_99, monkeypatch):
    monkeypatch.setattr(pythons, "PATIENCE_S", 0.5)
    python_3_99("path/python3.99", "exec /bin/sleep 60")
    assert pythons.find("3.99") is None


@pytest.mark.parametrize("version", pythons.VERSIONS)
def test_what_is_found_runs_without_a_path(version):
    python = pythons.find(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    said = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", said], capture_output=True, text=True, env={"PATH": ""})
    assert (done.stdout.strip(), done.stderr) == (version, "")


def test_demo_accounts_are_found_without_the_users_own(monkeypatch, tmp_path):
    own = tmp_path / "accounts.yaml"
    own.write_text("version: 1\naccounts: {}\n")
    own.chmod(0o644)  # refused, were it read
    monkeypatch.setenv(accounts.VARIABLE, str(own))
    assert {"demo-aws", "demo-openstack"} <= set(accounts.demo())
    assert json.dumps(accounts.demo()["demo-aws"].event())


def test_where_builds_go():
    assert DIST.parent == build.DIST == Path(ROOT) / "dist"


@pytest.fixture
def at_a_terminal():
    """Signals as a shell leaves them to a command that it waits for: nohup and & have some ignored."""
    usual = {signal.SIGINT: signal.default_int_handler}
    usual.update({signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL})
    before = {each: signal.signal(each, handler) for each, handler in usual.items()}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


def test_of_two_builds_that_fill_the_cache_at_once_both_go_on(tmp_path):
    """Tests build side by side, and so may people."""
    place = tmp_path / "site"
    for number in range(2):
        fresh = tmp_path / f"fresh-{number}"
        fresh.mkdir()
        (fresh / "requires.json").write_text("{}")
        distributions._keep(fresh, place)
    assert [each.name for each in place.iterdir()] == ["requires.json"]
    with pytest.raises(FileNotFoundError):
        distributions._keep(tmp_path / "missing", tmp_path / "nowhere")


@pytest.mark.usefixtures("at_a_terminal")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("where", ["_check", "_zip", "_take_over"])
def test_an_interrupted_build_leaves_nothing_behind(monkeypatch, tmp_path, sent, where):
    """What was there is there, and nothing besides."""
    (tmp_path / "volumes").mkdir()
    (tmp_path / "volumes" / "main.py").write_text("the old one")
    take_over = build._take_over

    def interrupted(*given):
        if where == "_take_over":
            with monkeypatch.context() as patched:
                replace = os.replace
                patched.setattr(
                    os, "replace", lambda one, two: (replace(one, two), os.kill(os.getpid(), sent))
                )
                take_over(*given)
        os.kill(os.getpid(), sent)

    monkeypatch.setattr(build, where, interrupted)
    monkeypatch.setattr(build, "_fill", lambda folder, *_: folder.mkdir() or {})
    if where != "_check":
        monkeypatch.setattr(build, "_check", lambda *_: build._Checked(1, ("volume",), 1, 0.1))
        monkeypatch.setattr(build, "_check_byte_code", lambda *_: None)
    real = build.build
    monkeypatch.setattr(
        build, "build", lambda known, family, providers: real(known, family, providers, tmp_path)
    )
    assert main(["build", "volumes"]) == 130
    assert [each.name for each in tmp_path.iterdir()] == ["volumes"]
    assert (tmp_path / "volumes" / "main.py").read_text() == "the old one"
