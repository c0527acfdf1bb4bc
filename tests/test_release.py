"""What is handed over with the zips: SBOMs that name all that they carry, and signed checksums."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.built import MANIFEST, module
from tools import lock, sbom, sign

ROOT = Path(__file__).resolve().parent.parent
CARRIED = (
    "main.py",
    "lib/mapping.yaml",
    "lib/modules/__init__.py",
    "lib/shared/__init__.py",
    "lib/nflex_connector_utils/__init__.py",
    "lib/yaml/__init__.py",
    "lib/pyyaml-6.0.3.dist-info/licenses/LICENSE",
    "lib/six.py",
    "lib/six-1.17.0.dist-info/LICENSE",
)


def packed(file, names=CARRIED):
    with zipfile.ZipFile(file, "w") as opened:
        for name in names:
            opened.writestr(zipfile.ZipInfo(name), name)
    return file


# --- the SBOM -------------------------------------------------------------------------------------


def test_an_sbom_names_each_library_with_its_version(tmp_path):
    file = packed(tmp_path / "servers.zip")
    document = sbom.sbom(file)
    versions = {each["name"]: each["version"] for each in document["components"]}
    assert versions == {"nflex-connector-utils": "0.2.0", "pyyaml": "6.0.3", "six": "1.17.0"}
    assert [each["purl"] for each in document["components"]][1:] == [
        "pkg:pypi/pyyaml@6.0.3",
        "pkg:pypi/six@1.17.0",
    ]
    (dependency,) = document["dependencies"]
    assert dependency["dependsOn"] == [each["bom-ref"] for each in document["components"]]
    (digest,) = document["metadata"]["component"]["hashes"]
    assert digest["content"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_same_zip_gives_the_same_sbom_and_another_zip_another_number(tmp_path):
    packed(tmp_path / "servers.zip")
    (file,) = sbom.write(tmp_path)
    first = file.read_bytes()
    sbom.write(tmp_path)
    assert file.read_bytes() == first
    packed(tmp_path / "servers.zip", (*CARRIED, "lib/shared/more.py"))
    sbom.write(tmp_path)
    numbers = [json.loads(text)["serialNumber"] for text in (first, file.read_bytes())]
    assert numbers[0] != numbers[1]


@pytest.mark.parametrize("name", ["lib/unknown/__init__.py", "lib/dateutil/tz.py", "lib/alone.py"])
def test_nothing_is_left_out_of_an_sbom(tmp_path, name, capsys):
    packed(tmp_path / "servers.zip", (*CARRIED, name))
    assert sbom.main([str(tmp_path)]).startswith(f"lib/{name.split('/')[1]} belongs to no library")


def test_no_zips_are_said_to_be_missing(tmp_path):
    assert "make build" in sbom.main([str(tmp_path)])


def test_built_zips_carry_the_locked_versions():
    entries = [
        entry
        for name in ("requirements.lock", "requirements/nflex.lock")
        for entry in lock.entries((ROOT / name).read_text(encoding="utf-8"))
    ]
    locked = {entry.name: str(entry.specifier).removeprefix("==") for entry in entries}
    for family in MANIFEST.modules:
        components = sbom.sbom(module(family).zip)["components"]
        assert {each["name"]: each["version"] for each in components}.items() <= locked.items()


# --- what is audited ------------------------------------------------------------------------------


def test_the_audit_reads_each_lock_file_that_goes_into_zips_and_skips_nothing():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"^audit:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE).group(1)
    audited = set(re.findall(r"-r (\S+)", recipe))
    assert audited == {"requirements.lock", "requirements/nflex.lock"}
    assert "--strict" in recipe  # else what the service does not know is only a warning
    assert "--require-hashes" in recipe


# --- signatures -----------------------------------------------------------------------------------


@pytest.fixture
def key(tmp_path):
    """An SSH key of this test alone, beside a file that allows it."""
    assert shutil.which("ssh-keygen"), "these tests need ssh-keygen (Debian: openssh-client)"
    return new_key(tmp_path, "operator")


def new_key(folder, name):
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    public = (folder / f"{name}.pub").read_text()
    (folder / f"{name}.signers").write_text(f"{name}@example.com {public}")
    return folder / name


@pytest.fixture
def dist(tmp_path):
    folder = tmp_path / "dist"
    folder.mkdir()
    packed(folder / "servers.zip")
    packed(folder / "volumes.zip")
    sbom.write(folder)
    return folder


def run(*arguments):
    return sign.main([str(each) for each in arguments])


def signers_of(key):
    return key.with_suffix(".signers")


def test_what_is_signed_is_verified(dist, key, capsys):
    assert run(key, "--folder", dist) == 0
    assert run("--verify", signers_of(key), "--folder", dist) == 0
    assert "signed by operator@example.com" in capsys.readouterr().out


def test_checksums_are_those_of_every_zip_and_sbom_as_sha256sum_has_them(dist, key):
    assert run(key, "--folder", dist) == 0
    found = dict(
        reversed(line.split("  ")) for line in (dist / "SHA256SUMS").read_text().splitlines()
    )
    names = ["servers.cdx.json", "servers.zip", "volumes.cdx.json", "volumes.zip"]
    assert found == {name: hashlib.sha256((dist / name).read_bytes()).hexdigest() for name in names}


def test_a_signature_is_checked_without_this_project(dist, key):
    """As docs/operate/upload.md says it."""
    assert run(key, "--folder", dist) == 0
    page = (ROOT / "docs" / "operate" / "upload.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^    (ssh-keygen -Y verify .*)$", page, re.MULTILINE)
    command = line.replace("allowed_signers", str(signers_of(key)))
    done = subprocess.run(["sh", "-c", command], cwd=dist, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def tampered(dist):
    with (dist / "servers.zip").open("ab") as opened:
        opened.write(b"more")


def added(dist):
    packed(dist / "circuits.zip")


def removed(dist):
    (dist / "volumes.zip").unlink()


def listed_anew(dist):
    tampered(dist)
    (dist / "SHA256SUMS").write_text(sign.sums(dist))


@pytest.mark.parametrize("change", [tampered, added, removed, listed_anew])
def test_what_was_not_signed_is_refused(dist, key, change, capsys):
    assert run(key, "--folder", dist) == 0
    change(dist)
    assert run("--verify", signers_of(key), "--folder", dist) == 1
    assert capsys.readouterr().err


def test_another_key_is_refused(dist, key, tmp_path):
    assert run(key, "--folder", dist) == 0
    other = new_key(tmp_path, "other")
    assert run("--verify", signers_of(other), "--folder", dist) == 1


def test_signing_anew_replaces_the_signature(dist, key):
    assert run(key, "--folder", dist) == 0
    added(dist)
    assert run(key, "--folder", dist) == 0
    assert run("--verify", signers_of(key), "--folder", dist) == 0


def test_what_is_missing_is_named(dist, key, tmp_path, monkeypatch, capsys):
    for arguments, named in (
        ((tmp_path / "none",), "KEY"),
        (("--verify", tmp_path / "none"), "SIGNERS"),
        (("--verify", signers_of(key)), "SHA256SUMS"),
    ):
        assert run(*arguments, "--folder", dist) == 1
        assert named in capsys.readouterr().err
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert run(key, "--folder", dist) == 1
    assert "ssh-keygen is not installed" in capsys.readouterr().err
    assert not list(dist.glob("*.sig"))


def test_nothing_of_the_tools_for_the_audit_is_needed_to_write_sboms():
    code = "import sys, tools.sbom, tools.sign; print([n for n in sys.modules if 'cyclonedx' in n])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"
