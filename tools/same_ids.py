"""What a server that was filled anew has under other ids, addresses and times than the one of the first cassettes.

A server makes these up. ``Names`` finds them in recorded responses: it compares those of both servers and learns,
place by place, which text stands where another one stood. Where a listing has another order, items go together by
what no server makes up.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Union
from xml.etree import ElementTree

import yaml

Name = Union[str, float]

_TIME = r"20\d{12}|\d{4}-\d\d-\d\d[T ][\d:.]+Z?"
_TOKEN = re.compile(_TIME + r"|[0-9A-Za-z._:-]+")
_A_TIME = re.compile(_TIME)
# What a server makes up: ids, times, MAC addresses, IPv6 and public IPv4 addresses.
_INVENTED = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{8,}|"
    + _TIME
    + r"|(?:[0-9a-f]{2}:){5}[0-9a-f]{2}|2[46]00:[0-9a-f:]+|\b(?:54|127)[.-]\d+[.-]\d+[.-]\d+"
)


class Different(Exception):
    """The responses differ in more than names: the servers were not filled alike."""


class Names:
    """``known``: each text or number of the new server that differs -> that of the first one."""

    def __init__(self) -> None:
        self.known: dict[Name, Name] = {}
        self._firsts: set[Name] = set()

    def learn(self, new: Path, first: Path) -> None:
        """From two cassettes of the same poll. Raises Different."""
        ours, theirs = list(_documents(new)), list(_documents(first))
        if len(ours) != len(theirs):
            raise Different(f"{new.name}: {len(ours)} and {len(theirs)} responses")
        before = -1
        while before != len(
            self.known
        ):  # names of later responses tell items of earlier ones apart
            before = len(self.known)
            for pair in zip(ours, theirs):
                self._match(*pair, first.parent.name)

    def _match(self, new: Any, first: Any, where: str) -> None:
        if isinstance(new, dict) and isinstance(first, dict) and new.keys() == first.keys():
            for key in new:
                self._match(new[key], first[key], f"{where}/{key}")
        elif isinstance(new, list) and isinstance(first, list) and len(new) == len(first):
            for pair in self._pairs(new, first):
                self._match(*pair, where)
        elif isinstance(new, str) and isinstance(first, str):
            ours, theirs = _TOKEN.findall(new), _TOKEN.findall(first)
            if len(ours) != len(theirs):
                raise Different(f"{where}: {new!r} and {first!r}")
            for pair in zip(ours, theirs):
                self._learn(*pair, where)
        elif isinstance(new, (int, float)) and isinstance(first, (int, float)):
            self._learn(new, first, where)
        elif new != first:
            raise Different(f"{where}: {new!r} and {first!r}")

    def _learn(self, new: Name, first: Name, where: str) -> None:
        if new == first:
            return
        if self.known.setdefault(new, first) != first:
            raise Different(f"{where}: {new!r} is {self.known[new]!r}, and also {first!r}")
        self._firsts.add(first)

    def _pairs(self, new: list[Any], first: list[Any]) -> list[tuple[Any, Any]]:
        """Items that go together; those that nothing tells apart in their order."""
        alike: dict[Any, tuple[list[Any], list[Any]]] = defaultdict(lambda: ([], []))
        for each in new:
            alike[_shape(each, self._first_of)][0].append(each)
        for each in first:
            alike[_shape(each, lambda token: token if token in self._firsts else None)][1].append(
                each
            )
        pairs, rest = [], ([], [])  # type: ignore[var-annotated]
        for ours, theirs in alike.values():
            count = min(len(ours), len(theirs))
            pairs += zip(ours, theirs)
            rest[0].extend(ours[count:])
            rest[1].extend(theirs[count:])
        return [*pairs, *zip(*rest)]

    def _first_of(self, token: str) -> Any:
        return self.known.get(token)


def _shape(value: Any, named: Callable[[str], Any]) -> Any:
    """What an item is without what its server made up, but for what ``named`` knows."""
    if isinstance(value, dict):
        return tuple((key, _shape(value[key], named)) for key in sorted(value))
    if isinstance(value, list):
        return tuple(sorted((_shape(each, named) for each in value), key=repr))
    if not isinstance(value, str):
        return ""

    def shown(token: "re.Match[str]") -> str:
        name = None if _A_TIME.search(token[0]) else named(token[0])
        return name if isinstance(name, str) else _INVENTED.sub("*", token[0])

    return _TOKEN.sub(shown, value)


def _documents(cassette: Path) -> Iterator[Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    recorded = yaml.load(cassette.read_text(encoding="utf-8"), loader)  # noqa: S506 - a SafeLoader
    for each in recorded["interactions"]:
        text = each["response"]["body"]["string"]
        if text.startswith("<"):
            yield _element(ElementTree.fromstring(text))  # noqa: S314 - of a server of our own
        else:
            yield json.loads(text)


def _element(element: ElementTree.Element) -> Any:
    """Its text, or a list of those within for each of their names."""
    if not len(element):
        return element.text or ""
    found: dict[str, Any] = defaultdict(list)
    for each in element:
        found[each.tag].append(_element(each))
    return dict(found)
