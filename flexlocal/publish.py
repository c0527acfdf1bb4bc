"""Brings a CMP region's modules to what was built: what is missing is created, what changed updated.

``flexer.lock`` remembers, region by region, which module is which and what was sent last. It holds no
secret and is meant to be committed: without it, a module is found by its name.
"""

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from flexlocal.accounts import ROOT
from flexlocal.build import Built
from flexlocal.manifest import Module
from flexlocal.region import Region, RegionError, explained

LOCK = ROOT / "flexer.lock"


@dataclasses.dataclass(frozen=True)
class Step:
    """What has to be done for one module. ``why`` is empty where nothing has."""

    family: str
    module_id: Optional[str]  # None: create it
    why: tuple[str, ...]

    def __str__(self) -> str:
        if not self.why:
            return f"{self.family}: unchanged ({self.module_id})"
        doing = f"update {self.module_id}" if self.module_id else "create"
        return f"{self.family}: {doing} ({', '.join(self.why)})"


def plan(region: Region, built: Sequence[Built]) -> list[Step]:
    """What has to be done, by the lock file and by what the region has. Changes nothing."""
    with explained(region):
        there = region.client.list()
    known = _read(region)
    return [_step(each, known.get(each.module.family), there, region) for each in built]


def _step(
    built: Built, locked: Optional[dict[str, Any]], there: list[dict[str, Any]], region: Region
) -> Step:
    module = built.module
    family = module.family
    by_id = {each["id"]: each for each in there}
    if locked is None or locked["id"] not in by_id:
        same_name = [each["id"] for each in there if each["name"] == module.name]
        if len(same_name) > 1:
            raise RegionError(
                f"region {region.name} has {len(same_name)} modules named {module.name!r} "
                f"({', '.join(same_name)}): delete all but one"
            )
        if same_name:
            return Step(family, same_name[0], ("it is there by this name, sent by others",))
        return Step(family, None, ("it is new" if locked is None else "it was deleted there",))
    for key, now in (("name", module.name), ("event_source", module.event_source)):
        if by_id[locked["id"]][key] != now:
            raise RegionError(
                f"{family}: the {key} of module {locked['id']} is {by_id[locked['id']][key]!r} and "
                f"can't be changed to {now!r}: flexlocal delete {family}, then upload it anew"
            )
    why = [key for key, value in _sent(built).items() if locked.get(key) != value]
    changed = [
        f"{key} was changed there"
        for key, now in (("description", module.description), ("language", module.language))
        if key not in why and by_id[locked["id"]][key] != now
    ]
    return Step(family, locked["id"], (*(f"{key} changed" for key in why), *changed))


def carry_out(region: Region, steps: Sequence[Step], built: Sequence[Built]) -> None:
    """Do what is planned. What is done is in the lock file at once, whatever fails later."""
    for step, each in zip(steps, built):
        if step.why:
            module_id = step.module_id or _create(region, each)
            _update(region, each, module_id)


def _create(region: Region, built: Built) -> str:
    module = built.module
    with explained(region):
        created = region.client.upload(
            module.name, module.description, module.event_source, module.language, str(built.zip)
        )
    _remember(region, module.family, {"id": created["id"]})
    return created["id"]


def _update(region: Region, built: Built, module_id: str) -> None:
    module = built.module
    _remember(region, module.family, {"id": module_id})  # until all is sent, nothing is
    with tempfile.TemporaryDirectory() as made, explained(region):
        handlers = Path(made) / "handlers.json"
        handlers.write_text(json.dumps(_handlers(module)), encoding="utf-8")
        region.client.update(
            module_id, str(built.zip), module.language, str(handlers), module.description
        )
    _remember(region, module.family, {"id": module_id, **_sent(built)})


def _handlers(module: Module) -> list[dict[str, str]]:
    """What flexer's ``update --handlers`` sends. Its shape is not published: this is ours."""
    return [
        {"event_source": source, "handler": f"main.{handler}"}
        for source, handler in module.events.items()
    ]


def _sent(built: Built) -> dict[str, Any]:
    """What a module was made of, to tell what changed."""
    return {
        "zip": hashlib.sha256(built.zip.read_bytes()).hexdigest(),
        "description": built.module.description,
        "language": built.module.language,
        "handlers": _handlers(built.module),
    }


def module_id(region: Region, family: str) -> str:
    """The family's module in the region, by the lock file."""
    known = _read(region).get(family)
    if known is None:
        raise RegionError(
            f"{LOCK.name} knows no module of {family} in region {region.name}: flexlocal upload {family}"
        )
    return known["id"]


def delete(region: Region, family: str) -> None:
    """Delete the family's module there, then in the lock file."""
    with explained(region):
        region.client.delete(module_id(region, family))
    _remember(region, family, None)


def families(region: Region) -> dict[str, str]:
    """Module id -> family, by the lock file."""
    return {each["id"]: family for family, each in _read(region).items()}


# --- the lock file --------------------------------------------------------------------------------


def _load() -> dict[str, Any]:
    if not LOCK.exists():
        return {"version": 1, "regions": {}}
    try:
        content = json.loads(LOCK.read_text(encoding="utf-8"))
        if content["version"] != 1 or not isinstance(content["regions"], dict):
            raise ValueError(content["version"])
    except (ValueError, KeyError, TypeError):
        raise RegionError(f"{LOCK.name} is damaged: restore it, or remove it and upload") from None
    return content


def _read(region: Region) -> dict[str, Any]:
    known = _load()["regions"].get(region.name)
    if known is None:
        return {}
    if known["url"] != region.url:
        raise RegionError(
            f"{LOCK.name} knows region {region.name} as {known['url']}, but it is now {region.url}: "
            "give the other one another name"
        )
    return known["modules"]


def _remember(region: Region, family: str, what: Optional[dict[str, Any]]) -> None:
    content = _load()
    known = content["regions"].setdefault(region.name, {"url": region.url, "modules": {}})
    if what is None:
        known["modules"].pop(family, None)
    else:
        known["modules"][family] = what
    fresh = LOCK.with_suffix(".new")
    fresh.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(fresh, LOCK)
