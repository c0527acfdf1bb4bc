"""Each built module, unpacked from its zip, with nothing else on the path: what does it replay?

In `make test` on the Python that runs the tests; `make test-pythons` does it on all that the host has.
"""

import dataclasses
import subprocess
import sys
import zipfile

import pytest

from flexlocal import accounts, build, cassette_server, cassettes, pythons
from tests.built import CELLS, MANIFEST, expected, module, some, without_clock
from tests.test_house import NO_HANDLER, ONLY_METRICS

RUNNING = "%d.%d" % sys.version_info[:2]
# The clients, and what else only some providers need (flexlocal/isolated.py itself imports some of Python's modules).
ONLY_OF = {
    "boto3": {"aws"},
    "botocore": {"aws"},
    "dateutil": {"aws"},  # of botocore
    "keystoneauth1": {"openstack"},
    "requests": {"ietf_l2vpn", "netbox", "openstack", "osm", "tapi"},
    "shared.transport.websocket": {"juju"},
    "websocket": {"juju"},
    "xml": {"aws"},
    "yaml": {"osm"},
}
NEVER = {*ONLY_METRICS, *NO_HANDLER, "http.server"} - {"yaml"}
VERSIONS = [
    pytest.param(each, marks=() if each == RUNNING else pytest.mark.pythons)
    for each in pythons.VERSIONS
]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """Unpacks a family's zip once; the folder."""
    folders = {}

    def unpack(family):
        if family not in folders:
            folders[family] = tmp_path_factory.mktemp(family)
            with zipfile.ZipFile(module(family).zip) as packed:
                packed.extractall(folders[family])
        return folders[family]

    return unpack


def python_of(version):
    found = pythons.find(version)
    if found is None:
        pytest.skip(f"no Python {version} here")
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("family, provider", CELLS)
def test_a_zip_replays_its_cassette(unpacked, family, provider, version):
    python = python_of(version)
    event = accounts.demo()[f"demo-{provider}"].event()
    handlers = MANIFEST.modules[family].events
    with cassette_server.serving(cassettes.path(family, provider)) as server:
        told = build.alone(unpacked(family), handlers[build.RESOURCES], event, python, server.port)
    assert "error" not in told
    has_byte_code = version in module(family).byte_code
    assert bool(told["compiled"]) != has_byte_code, told["compiled"]
    assert without_clock(told["answer"]) == expected(family, provider)
    assert (server.missing, server.unused) == ([], 0)
    others = {name for name, users in ONLY_OF.items() if provider not in users}
    assert {*told["modules"]} & (NEVER | others) == set()


UNCHECKED = 1  # PEP 552: byte code that is not compared with its source, whatever the time that an unpacked file has


@pytest.mark.parametrize("version", MANIFEST.modules["servers"].pythons)
@pytest.mark.parametrize("family", sorted(MANIFEST.modules))
def test_a_zip_has_byte_code_of_every_file(family, version):
    """For each Python of the manifest that this host has."""
    say = "import importlib.util as u; print(u.MAGIC_NUMBER.hex(), u.cache_from_source('a/b.py'))"
    said = subprocess.check_output([python_of(version), "-c", say], text=True).split()
    magic, tag = bytes.fromhex(said[0]), said[1].split(".")[1]
    with zipfile.ZipFile(module(family).zip) as packed:
        names = {*packed.namelist()}
        sources = [name for name in names if name.endswith(".py")]
        for name in sources:
            folder, _, file = name.rpartition("/")
            cached = f"{folder}/__pycache__/{file[:-3]}.{tag}.pyc".lstrip("/")
            header = packed.read(cached)[:16]
            assert (header[:4], int.from_bytes(header[4:8], "little")) == (magic, UNCHECKED)
    assert len(sources) > 100


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("family, provider", some(pytest.mark.pythons))
def test_bad_credentials_are_an_error_there_too(unpacked, family, provider, version):
    python = python_of(version)
    event = {**accounts.demo()[f"demo-{provider}"].event(), "credentials": {}}
    told = build.alone(unpacked(family), "get_resources", event, python)
    assert told["error"][0] == "InvalidEvent"


PART_OF_BOTO3 = """
import sys
sys.path[:0] = sys.argv[1:]
import shared.providers.aws.session as session
loaded = [name for name in sys.modules if name.startswith(("boto3", "s3transfer"))]
print(*sorted(loaded))
import boto3.exceptions
try:
    session.boto3_session.Session(region_name="us-east-1").resource("ec2")
except boto3.exceptions.ResourceNotExistsError:
    print("no resources")
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_a_zip_does_without_resources_and_s3transfer(unpacked, tmp_path, version):
    """And without those of AWS Lambda's runtime, which may fit another boto3: here they can't be imported."""
    for name in ("s3transfer", "boto3"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise AssertionError(__name__)")
    lib = unpacked("servers") / "lib"
    done = subprocess.run(
        [python_of(version), "-B", "-I", "-S", "-c", PART_OF_BOTO3, str(lib), str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    loaded = "boto3 boto3.compat boto3.exceptions boto3.session boto3.utils"
    assert done.stdout == f"{loaded}\nno resources\n"


@pytest.mark.parametrize("version", VERSIONS)
def test_each_python_takes_its_own_byte_code_from_one_zip(tmp_path, version):
    """Without a look at the source, which is no Python here; what is unpacked has another time than what was compiled."""
    python = python_of(version)
    versions = tuple(dict.fromkeys([*MANIFEST.modules["volumes"].pythons, version]))
    more = dataclasses.replace(MANIFEST.modules["volumes"], pythons=versions)
    known = dataclasses.replace(MANIFEST, modules={**MANIFEST.modules, "volumes": more})
    built = build.build(known, "volumes", ["netbox"], tmp_path / "dist")
    folder = tmp_path / "volumes"
    with zipfile.ZipFile(built.zip) as packed:
        packed.extractall(folder)
    for source in folder.rglob("*.py"):
        source.write_text("this is no Python")
    event = accounts.demo()["demo-netbox"].event()
    with cassette_server.serving(cassettes.path("volumes", "netbox")) as server:
        told = build.alone(folder, "get_resources", event, python, server.port)
    assert "error" not in told
    assert told["compiled"] == []
    assert without_clock(told["answer"]) == expected("volumes", "netbox")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_environment_is_empty(unpacked, version):
    """What the tests above show is worth something only if nothing of this host helps."""
    python = python_of(version)
    script = "import sys; print([p for p in sys.path if 'site-packages' in p]); import requests"
    done = subprocess.run([python, "-I", "-S", "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
    assert "No module named 'requests'" in done.stderr
