"""Reads and checks flexer.yaml: which modules exist, and how each is built and uploaded.

flexer.schema.json beside this file says what each key may hold.
"""

import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from flexlocal.accounts import ROOT
from flexlocal.unique_keys import UniqueKeys

FILE = ROOT / "flexer.yaml"
SCHEMA = Path(__file__).with_name("flexer.schema.json")


class ManifestError(Exception):
    """A manifest that can't be used; the message says where and what to do."""


@dataclasses.dataclass(frozen=True)
class Provider:
    """What the cells of one provider need."""

    requires: tuple[str, ...]
    botocore_data: tuple[str, ...]
    credentials_keys: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Module:
    """What is uploaded for one family, with byte code for each version in ``pythons``."""

    family: str
    name: str
    description: str
    language: str
    events: Mapping[str, str]
    requires: tuple[str, ...]
    botocore_data: tuple[str, ...]
    pythons: tuple[str, ...]
    oldest: str
    schedule: int
    expected_metrics: tuple[str, ...]

    @property
    def event_source(self) -> str:
        """The event source that the module is uploaded for."""
        return next(iter(self.events))


@dataclasses.dataclass(frozen=True)
class Manifest:
    modules: Mapping[str, Module]
    providers: Mapping[str, Provider]
    metadata: tuple[str, ...]
    without_distributions: tuple[str, ...]
    without_files: tuple[str, ...]


def load(file: Path = FILE) -> Manifest:
    """The manifest. Raises ManifestError naming the key, what it holds and what was expected."""
    try:
        return _read(file.read_text(encoding="utf-8"), file.name)
    except OSError as error:
        raise ManifestError(f"{file.name}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ManifestError(f"{file.name} is not YAML: {' '.join(str(error).split())}") from None


@functools.lru_cache(maxsize=2)  # to read it takes longer than most commands
def _read(text: str, name: str) -> Manifest:
    content = yaml.load(text, Loader=UniqueKeys)  # noqa: S506 - a SafeLoader
    _check(content, name)
    defaults = content.get("defaults", {})
    modules = {}
    for family, own in content["modules"].items():
        settings = {**defaults, **own}
        missing = [key for key in ("language", "target", "events") if key not in settings]
        if missing:
            raise ManifestError(
                f"{name}: modules.{family} has no {missing[0]!r}, and 'defaults' has none"
            )
        modules[family] = Module(
            family=family,
            name=settings["name"],
            description=settings["description"],
            language=settings["language"],
            events=settings["events"],
            requires=tuple(settings.get("requires", ())),
            botocore_data=tuple(settings.get("botocore_data", ())),
            pythons=tuple(settings["target"].get("pythons", ())),
            oldest=settings["target"]["oldest"],
            schedule=settings.get("schedule", 3600),
            expected_metrics=tuple(settings.get("expected_metrics", ())),
        )
    _check_together(modules, name)
    providers = {
        name: Provider(
            requires=tuple(settings["requires"]),
            botocore_data=tuple(settings.get("botocore_data", ())),
            credentials_keys=tuple(settings["credentials_keys"]),
        )
        for name, settings in content["providers"].items()
    }
    without = content.get("leave_out", {})
    return Manifest(
        modules,
        providers,
        tuple(content.get("metadata", ())),
        tuple(without.get("distributions", ())),
        tuple(without.get("files", ())),
    )


def _check(content: Any, name: str) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    errors = sorted(validator.iter_errors(content), key=lambda error: error.json_path)
    if errors:
        lines = [f"{error.json_path[2:] or 'the file'}: {error.message}" for error in errors]
        raise ManifestError(f"{name}: " + "; ".join(lines))


def _check_together(modules: Mapping[str, Module], name: str) -> None:
    """Check what concerns all modules together: their names, and the Python that the lock file is for."""
    oldest = {module.oldest for module in modules.values()}
    if len(oldest) > 1:
        raise ManifestError(
            f"{name}: modules have different target.oldest ({', '.join(sorted(oldest))}), "
            "but there is one requirements.lock"
        )
    families: dict[str, str] = {}
    for family, module in modules.items():
        if module.name in families:
            raise ManifestError(
                f"{name}: modules.{family} and modules.{families[module.name]} are both named "
                f"{module.name!r}; a region tells modules apart by their names"
            )
        families[module.name] = family
