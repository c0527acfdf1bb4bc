"""flexer.yaml: what it says, and how a wrong one is refused."""

import copy

import pytest
import yaml

from flexlocal import manifest
from flexlocal.__main__ import families, main
from flexlocal.manifest import ManifestError

GOOD = yaml.safe_load(manifest.FILE.read_text(encoding="utf-8"))


def load(tmp_path, content):
    file = tmp_path / "flexer.yaml"
    file.write_text(
        content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
    )
    return manifest.load(file)


def changed(path, value):
    """The real manifest with one key changed; None takes it out."""
    content = copy.deepcopy(GOOD)
    *parents, last = path.split("/")
    inner = content
    for key in parents:
        inner = inner[key]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return content


def test_every_family_is_a_module_and_every_provider_is_known():
    known = manifest.load()
    assert list(known.modules) == sorted(families())
    assert set(known.providers) == {each for cells in families().values() for each in cells}


def test_a_module_has_its_own_and_the_defaults():
    module = manifest.load().modules["servers"]
    assert (module.family, module.name) == ("servers", "CMP servers")
    assert module.event_source == "cmp-connector.resources"
    assert module.events["cmp-connector.metrics"] == "get_metrics"
    assert "cmp-connector.metrics" not in manifest.load().modules["networks"].events
    assert module.events["cmp-connector.credentials"] == "validate_credentials"
    assert (module.language, module.oldest) == ("python3", "3.9")
    assert module.pythons == ("3.11", "3.9")
    assert module.schedule == 3600


def test_what_a_module_says_itself_wins(tmp_path):
    content = changed("modules/servers/schedule", 60)
    content["modules"]["servers"]["target"] = {"oldest": "3.9", "platform": "any"}
    module = load(tmp_path, content).modules["servers"]
    assert (module.schedule, module.pythons, module.oldest) == (60, (), "3.9")
    assert load(tmp_path, content).modules["volumes"].schedule == 3600


@pytest.mark.parametrize(
    "path, value, told",
    [
        ("version", 2, ["version", "1 was expected"]),
        ("modules/servers/name", None, ["modules.servers", "'name' is a required property"]),
        ("modules/servers/name", "", ["modules.servers.name", "non-empty"]),
        ("modules/servers/handler", "get", ["modules.servers", "'handler'", "unexpected"]),
        ("modules/servers/name", "CMP volumes", ["modules.volumes", "modules.servers", "both"]),
        ("modules/servers/schedule", 0, ["modules.servers.schedule", "0"]),
        ("modules/servers/schedule", "hourly", ["modules.servers.schedule", "hourly"]),
        ("modules/servers/language", "python", ["modules.servers.language", "python3"]),
        ("defaults/target/platform", "linux", ["defaults.target.platform", "any"]),
        ("defaults/target/pythons", "3.11", ["defaults.target.pythons", "3.11", "array"]),
        ("defaults/target/pythons", [3.11], ["defaults.target.pythons", "3.11", "string"]),
        ("defaults/target/pythons", ["3.x"], ["defaults.target.pythons", "3.x"]),
        ("defaults/target/python", "3.11", ["defaults.target", "'python'", "unexpected"]),
        ("defaults/target", None, ["modules.", "'target'"]),
        ("defaults/events/cmp-connector.resource", "get", ["defaults.events", "cmp-connector.resource"]),
        ("defaults/events/cmp-connector.credentials", None, ["defaults.events", "cmp-connector.credentials"]),
        ("defaults/requires", "requests", ["defaults.requires", "array"]),
        ("providers/aws/requires", None, ["providers.aws", "requires"]),
        ("providers", {}, ["providers"]),
        ("modules", [], ["modules", "object"]),
        ("more", 1, ["more", "unexpected"]),
    ],
)  # fmt: skip
def test_a_wrong_manifest_names_what_is_wrong(tmp_path, path, value, told):
    with pytest.raises(ManifestError) as refused:
        load(tmp_path, changed(path, value))
    for word in ["flexer.yaml", *told]:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    "text, told",
    [
        ("modules: {a: 1", "is not YAML"),
        ("modules: {}\nmodules: {}\n", "'modules' is given twice"),
        ("", "None is not of type 'object'"),
        ("[]", "[] is not of type 'object'"),
    ],
)
def test_what_is_no_manifest_at_all(tmp_path, text, told):
    with pytest.raises(ManifestError, match="flexer.yaml") as refused:
        load(tmp_path, text)
    assert told in str(refused.value)


def test_modules_for_different_pythons_can_not_share_a_lock_file(tmp_path):
    content = changed("modules/servers/target", {"oldest": "3.12", "platform": "any"})
    with pytest.raises(ManifestError, match=r"target.oldest \(3.12, 3.9\)"):
        load(tmp_path, content)


def test_a_missing_manifest(tmp_path):
    with pytest.raises(ManifestError, match="flexer.yaml: No such file"):
        manifest.load(tmp_path / "flexer.yaml")


def test_the_command_line_says_it_in_one_line(tmp_path, monkeypatch, capsys):
    file = tmp_path / "flexer.yaml"
    file.write_text("version: 2")
    monkeypatch.setattr(manifest.load, "__defaults__", (file,))
    assert main(["build"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("flexlocal: flexer.yaml: ")
