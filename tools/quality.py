"""The quality scale: tests/quality.yaml as a page, and what it claims beside what is there."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import yaml

from flexlocal.__main__ import families
from shared.engine.contracts import Cell
from shared.engine.poll import load_cell

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "tests" / "quality.yaml"
DOCUMENTED = ("## Credentials", "## Permissions", "## What it can't see")


@dataclass(frozen=True)
class Entry:
    """One provider and one rule. ``missing`` is what a to-do would add; see tests/quality.yaml."""

    provider: str
    rule: str
    done: tuple[str, ...] = ()
    exempt: str = ""
    todo: str = ""
    missing: str = ""
    without: Mapping[str, str] = field(default_factory=dict)
    named: Mapping[str, str] = field(default_factory=dict)

    @property
    def state(self) -> str:
        return "done" if self.done else "exempt" if self.exempt else "to do"

    def __str__(self) -> str:
        return f"{self.provider}.{self.rule}"


@dataclass(frozen=True)
class Provider:
    """What a provider's cells have: permissions by family, and which handlers there are."""

    families: tuple[str, ...]
    permissions: frozenset[str]
    handlers: frozenset[str]


def load(file: Path = FILE) -> tuple[dict[str, str], list[Entry]]:
    """The rules with their texts, and the entries. A wrong key or type raises TypeError."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    entries = [
        Entry(provider, rule, **{**given, "done": tuple(given.get("done", ()))})
        for provider, of_rules in content["providers"].items()
        for rule, given in of_rules.items()
    ]
    return content["rules"], entries


def providers() -> dict[str, Provider]:
    """What the cells have, by provider."""
    cells: dict[str, dict[str, Cell[Any, Any, Any]]] = {}
    for family, known in families().items():
        for provider, module in known.items():
            cells.setdefault(provider, {})[family] = load_cell(module)
    return {provider: _provider(of) for provider, of in sorted(cells.items())}


def _provider(cells: Mapping[str, Cell[Any, Any, Any]]) -> Provider:
    needed = [cell.permissions_by_handler for cell in cells.values()]
    return Provider(
        families=tuple(cells),
        permissions=frozenset(each for of in needed for all_ in of.values() for each in all_),
        handlers=frozenset(handler for of in needed for handler in of),
    )


def problems(
    rules: Mapping[str, str],
    entries: Collection[Entry],
    known: Mapping[str, Provider],
    tests: Collection[str],
) -> Iterator[str]:
    """What the table claims and is not so, and what it leaves out; ``tests`` are the ids of all tests."""
    there = [(entry.provider, entry.rule) for entry in entries]
    for provider in known:
        for rule in rules:
            if (provider, rule) not in there:
                yield f"{provider}.{rule}: there is no entry"
    for entry in entries:
        if entry.provider not in known or entry.rule not in rules:
            yield f"{entry}: no such provider or rule"
        else:
            yield from (f"{entry}: {text}" for text in _wrong(entry, known[entry.provider], tests))


def _wrong(entry: Entry, provider: Provider, tests: Collection[str]) -> Iterator[str]:
    states = [bool(entry.done), bool(entry.exempt), bool(entry.todo)]
    if sum(states) != 1 or bool(entry.todo) != bool(entry.missing):
        yield "should be either done, or exempt, or todo with missing"
    if entry.missing and _exists(entry.missing):
        yield f"{entry.missing} is to do, and exists"
    for name in (*entry.done, *entry.named.values()):
        wrong = _evidence(name, entry, tests)
        if wrong:
            yield f"{name} {wrong}"
    if entry.rule == "families":
        yield from _families(entry, provider, tests)
    if entry.rule == "permissions" and entry.done:
        ids = [each for name in entry.done for each in _ids(name, entry.provider, tests)]
        for permission in sorted(provider.permissions - set(entry.named)):
            if not any(_names(each, permission.rpartition("/")[2]) for each in ids):
                yield f"no test's id names {permission}"
        for permission in sorted(set(entry.named) - provider.permissions):
            yield f"no cell needs {permission}"
    if entry.rule in ("metrics", "logs"):
        served = f"get_{entry.rule}" in provider.handlers
        if served != bool(entry.done):
            yield f"{'a cell' if served else 'no cell'} of {entry.provider} has {entry.rule}"


def _evidence(name: str, entry: Entry, tests: Collection[str]) -> Optional[str]:
    """What is wrong with a file or test that is named as evidence; None if nothing is."""
    path = ROOT / name.partition("::")[0]
    if not path.is_file():
        return "does not exist"
    text = path.read_text(encoding="utf-8")
    if entry.rule == "docs":
        if name != f"docs/providers/{entry.provider}.md":
            return f"is not the page of {entry.provider}"
        lacking = [head for head in DOCUMENTED if head not in text.splitlines()]
        return f"has no {lacking[0]!r}" if lacking else None
    work = name.partition("::")[2]
    if entry.rule == "benchmark" and work:
        timed = work.startswith(f"{entry.provider}-") and f'"{work}"' in text
        return None if timed else f"measures nothing of {entry.provider}"
    if entry.rule == "benchmark":
        of = rf"^(from|import) (shared\.providers|modules\.\w+)[. ](import )?{entry.provider}\b"
        measured = name.startswith("benchmarks/") and re.search(of, text, re.MULTILINE)
        return None if measured else f"measures nothing of {entry.provider}"
    if not any(each.partition("[")[0] == name for each in tests):
        return "is no test that pytest finds"
    if not _ids(name, entry.provider, tests):
        return f"is not about {entry.provider}, by its name and its parameters"
    return None


def _families(entry: Entry, provider: Provider, tests: Collection[str]) -> Iterator[str]:
    ids = [each for name in entry.done for each in _ids(name, entry.provider, tests)]
    for family in families():
        if (family in provider.families) == (family in entry.without):
            yield f"{family} should have a cell, or a reason why not, and not both"
        if family in provider.families and not any(_names(each, family) for each in ids):
            yield f"{family} is in none of the tests"
    for family in sorted(set(entry.without) - set(families())):
        yield f"there is no family {family}"


def _ids(name: str, provider: str, tests: Collection[str]) -> list[str]:
    """The ids of a test that are about a provider: its file, its name or a parameter says so."""
    return [each for each in tests if each.partition("[")[0] == name and _names(each, provider)]


def _names(test: str, word: str) -> bool:
    return re.search(rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])", test) is not None


def _exists(name: str) -> bool:
    file, _, function = name.partition("::")
    path = ROOT / file
    return path.exists() and (not function or f"def {function}(" in path.read_text("utf-8"))


def page(titles: Mapping[str, str]) -> str:
    """The scale as tables: all providers at a glance, then what shows what, provider by provider."""
    rules, entries = load()
    by = {(entry.provider, entry.rule): entry for entry in entries}
    marks = {"done": "✓", "exempt": "–", "to do": "to do"}
    known = sorted({entry.provider for entry in entries})
    lines = ["| | " + " | ".join(titles[each] for each in known) + " |"]
    lines.append("| --- |" + " :-: |" * len(known))
    for rule in rules:
        states = [marks[by[provider, rule].state] for provider in known]
        lines.append(f"| {rule} | " + " | ".join(states) + " |")
    for provider in known:
        lines += ["", f"## {titles[provider]}", "", "| rule | state | why, or shown by |"]
        lines.append("| --- | --- | --- |")
        lines += [_row(by[provider, rule]) for rule in rules]
    return "\n".join(lines) + "\n"


def _row(entry: Entry) -> str:
    shown = dict.fromkeys([*entry.done, *entry.named.values()])
    texts = [f"`{name}`" for name in shown]
    texts += [f"without {family}: {why}" for family, why in sorted(entry.without.items())]
    if entry.exempt or entry.todo:
        texts.append(entry.exempt or f"{entry.todo}; missing: {entry.missing}")
    return f"| {entry.rule} | {entry.state} | {'<br>'.join(texts)} |"
