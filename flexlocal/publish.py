"""Updates a CMP region to what was built: creates missing modules and updates changed ones.

``flexer.lock`` records, for each region, the id of each family's module and what was uploaded last. It holds no
secret and is meant to be committed: without it, modules are found by their names.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Optional

from flexlocal.accounts import ROOT
from flexlocal.build import Built
from flexlocal.cmp_api import Region, RegionError
from flexlocal.manifest import Module

LOCK = ROOT / "flexer.lock"
PROVIDERS = "providers"  # key in the lock file: the providers that a module was built with


@dataclasses.dataclass(frozen=True)
class Step:
    """What has to be done for one module. ``why`` is empty if it is up to date."""

    family: str
    module_id: Optional[str]  # None: create it
    why: tuple[str, ...]
    drops: Optional[
        tuple[str, ...]
    ] = ()  # providers that it serves now and will not after the update; None: not known

    def __str__(self) -> str:
        if not self.why:
            return f"{self.family}: unchanged ({self.module_id})"
        doing = f"update {self.module_id}" if self.module_id else "create"
        drops = f"; it will no longer serve {', '.join(self.drops)}" if self.drops else ""
        return f"{self.family}: {doing} ({', '.join(self.why)}){drops}"


def plan(region: Region, built: Sequence[Built]) -> list[Step]:
    """What has to be done, according to the lock file and the region. Changes nothing."""
    existing = region.modules()
    known = _read(region)
    return [_step(module, known.get(module.module.family), existing, region) for module in built]


def _step(
    built: Built, locked: Optional[dict[str, Any]], existing: list[dict[str, Any]], region: Region
) -> Step:
    module = built.module
    family = module.family
    by_id = {other["id"]: other for other in existing}
    if locked is None or locked["id"] not in by_id:
        same_name = _by_name(region, module.name, existing)
        if same_name:
            return Step(family, same_name, ("a module of this name exists, sent by others",), None)
        return Step(family, None, ("it is new" if locked is None else "it was deleted there",))
    for key, now in (("name", module.name), ("event_source", module.event_source)):
        if by_id[locked["id"]].get(key) != now:
            raise RegionError(
                f"{family}: the {key} of module {locked['id']} is {by_id[locked['id']].get(key)!r} and "
                f"can't be changed to {now!r}: flexlocal delete {family}, then upload it anew"
            )
    sent = _sent(built)
    served = locked.get(PROVIDERS)  # older lock files have none
    del sent[PROVIDERS]  # if they changed, the zip changed too
    why = [key for key, value in sent.items() if locked.get(key) != value]
    changed = [
        f"{key} was changed there"
        for key, now in (("description", module.description), ("language", module.language))
        if key not in why and by_id[locked["id"]].get(key) != now
    ]
    drops = None if served is None else tuple(name for name in served if name not in built.replayed)
    return Step(family, locked["id"], (*(f"{key} changed" for key in why), *changed), drops)


def _by_name(region: Region, name: str, existing: list[dict[str, Any]]) -> Optional[str]:
    """The id of the only module with this name, or None."""
    same_name = [module["id"] for module in existing if module["name"] == name]
    if len(same_name) > 1:
        raise RegionError(
            f"region {region.name} has {len(same_name)} modules named {name!r} "
            f"({', '.join(same_name)}): delete all but one"
        )
    return same_name[0] if same_name else None


def carry_out(region: Region, steps: Sequence[Step], built: Sequence[Built]) -> None:
    """Carry out the plan. Each finished step is written to the lock file at once, in case a later one fails."""
    for step, module in zip(steps, built):
        if step.why:
            _update(region, module, step.module_id or _create(region, module.module))


def _create(region: Region, module: Module) -> str:
    """The id of a new module, or of one that another checkout has created in the meantime."""
    created = _by_name(region, module.name, region.modules())
    if created:
        print(f"{module.family}: others created it meanwhile: update {created}", file=sys.stderr)
        return created
    created = region.create(module.name, module.description, module.event_source, module.language)
    _remember(region, module.family, {"id": created})
    return created


def _update(region: Region, built: Built, module_id: str) -> None:
    module = built.module
    # until all of it is sent, the lock file records nothing as sent
    served = _read(region).get(module.family, {}).get(PROVIDERS, ())
    _remember(
        region, module.family, {"id": module_id, PROVIDERS: sorted({*served, *built.replayed})}
    )
    region.update(module_id, built.zip, module.language, _handlers(module), module.description)
    _remember(region, module.family, {"id": module_id, **_sent(built)})


def _handlers(module: Module) -> list[dict[str, str]]:
    """What flexer's ``update --handlers`` sends. Its format is not published: this one is our own."""
    return [
        {"event_source": source, "handler": f"main.{handler}"}
        for source, handler in module.events.items()
    ]


def _sent(built: Built) -> dict[str, Any]:
    """What a module was uploaded with; a later upload compares it."""
    return {
        "zip": hashlib.sha256(built.zip.read_bytes()).hexdigest(),
        "description": built.module.description,
        "language": built.module.language,
        "handlers": _handlers(built.module),
        PROVIDERS: sorted(built.replayed),
    }


def module_id(region: Region, family: str) -> str:
    """The id of the family's module in the region, from the lock file."""
    known = _read(region).get(family)
    if known is None:
        raise RegionError(
            f"{LOCK.name} knows no module of {family} in region {region.name}: flexlocal upload {family}"
        )
    return known["id"]


def delete(region: Region, family: str) -> None:
    """Delete the family's module in the region, then in the lock file."""
    region.delete(module_id(region, family))
    _remember(region, family, None)


def families(region: Region) -> dict[str, str]:
    """Module id -> family, from the lock file."""
    return {module["id"]: family for family, module in _read(region).items()}


# --- the lock file --------------------------------------------------------------------------------


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Only one command at a time changes a region or the lock file: two uploads would both create a module.

    The lock is on the folder of the lock file, since the file itself gets replaced.
    """
    folder = os.open(LOCK.parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another flexlocal that uses {LOCK.name}", file=sys.stderr)
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _load() -> dict[str, Any]:
    try:
        content = json.loads(LOCK.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"version": 1, "regions": {}}
    except OSError as error:
        raise RegionError(f"{LOCK.name}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise _damaged("no JSON") from None
    if not isinstance(content, dict) or content.get("version") != 1:
        raise _damaged("no object of version 1")
    for name, region in _objects(content, "regions").items():
        if not isinstance(region, dict) or not isinstance(region.get("url"), str):
            raise _damaged(f"regions.{name} has no url")
        for family, module in _objects(region, "modules").items():
            if not isinstance(module, dict) or not isinstance(module.get("id"), str):
                raise _damaged(f"regions.{name}.modules.{family} has no id")
    return content


def _objects(holder: dict[str, Any], key: str) -> dict[str, Any]:
    value = holder.get(key)
    if not isinstance(value, dict):
        raise _damaged(f"{key} is no object")
    return value


def _damaged(why: str) -> RegionError:
    return RegionError(f"{LOCK.name} is damaged ({why}): restore it, or remove it and upload")


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
