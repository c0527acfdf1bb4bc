"""What a server that was filled anew has under other ids, addresses and times than the one of the first cassettes.

A server makes these up. ``Names`` finds them in recorded responses: it compares those of both servers and learns,
place by place, which text stands where another one stood. Where a listing has another order, items go together by
what no server makes up.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Callable, Union
from xml.etree import ElementTree

import yaml

Name = Union[str, float]

TIME = r"20\d{12}|\d{4}-\d\d-\d\d[T ][\d:.]+Z?"
_TOKEN = re.compile(TIME + r"|[0-9A-Za-z._:-]+")
_A_TIME = re.compile(TIME)
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+|[0-9a-f]*:[0-9a-f:]+")
# What a server makes up: ids, times, MAC addresses, IPv6 and public IPv4 addresses.
_INVENTED = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{8,}|"
    + TIME
    + r"|(?:[0-9a-f]{2}:){5}[0-9a-f]{2}|2[46]00:[0-9a-f:]+|\b(?:54|127)[.-]\d+[.-]\d+[.-]\d+"
)


class Different(Exception):
    """The responses differ in more than names: the servers were not filled alike."""


class Names:
    """``known``: each text or number of the new server that differs -> that of the first one."""

    def __init__(self, ignored: str = "(?!)") -> None:
        """``ignored``: what differs and is no name, as a pattern of whole texts."""
        self.known: dict[Name, Name] = {}
        self._firsts: set[Name] = set()
        self._ignored = re.compile(ignored)
        self._guesses = (
            0  # how many items may still be taken for one another though nothing says so
        )

    def learn(self, files: Iterable[tuple[Path, Path]]) -> None:
        """From pairs of cassettes of the same polls, the new one and the first. Raises Different."""
        pairs = []
        for new, first in files:
            pairs.append((_documents(new), _documents(first), first.parent.name))
        guessed = True
        while guessed:
            before = -1
            while before != len(self.known):  # each name that is known tells other items apart
                before = len(self.known)
                for new_, first_, where in pairs:
                    self._match(new_, first_, where)
            self._guesses = 1
            for new_, first_, where in pairs:
                self._match(new_, first_, where)
            guessed, self._guesses = not self._guesses, 0

    def _match(self, new: Any, first: Any, where: str) -> None:
        if isinstance(new, dict) and isinstance(first, dict) and new.keys() == first.keys():
            for key in new.keys() - {f"{each}_links" for each in new}:  # markers of pages
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
        if new == first or self._ignored.fullmatch(str(new)):
            return
        if self.known.setdefault(new, first) != first:
            raise Different(f"{where}: {new!r} is {self.known[new]!r}, and also {first!r}")
        self._firsts.add(first)

    def _pairs(self, new: list[Any], first: list[Any]) -> list[tuple[Any, Any]]:
        """Items that go together as far as that is known, and as many more as may be guessed."""
        if len(new) == 1:
            return [(new[0], first[0])]
        alike: dict[Any, tuple[list[Any], list[Any]]] = defaultdict(lambda: ([], []))
        for each in new:
            alike[_shape(each, self.known.get)][0].append(each)
        for each in first:
            alike[_shape(each, self._itself)][1].append(each)
        pairs: list[tuple[Any, Any]] = []
        rest: tuple[list[Any], list[Any]] = ([], [])
        for ours, theirs in alike.values():
            if len(ours) == len(theirs) and (len(ours) == 1 or _all_same(ours, theirs)):
                pairs += zip(ours, theirs)
            elif self._guesses and ours and theirs:
                self._guesses -= 1
                pairs.append((ours[0], theirs[0]))
            elif not (ours and theirs):
                rest[0].extend(ours)
                rest[1].extend(theirs)
        if self._guesses and rest[0] and rest[1]:
            self._guesses -= 1
            pairs.append((rest[0][0], rest[1][0]))
        return pairs

    def _itself(self, token: str) -> Any:
        return token if token in self._firsts else None


def _all_same(ours: list[Any], theirs: list[Any]) -> bool:
    """Whether all items of both are one and the same."""
    return all(each == theirs[0] for each in (*ours, *theirs))


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

    if _ADDRESS.fullmatch(value):
        return named(value) or "*"
    return _TOKEN.sub(shown, value)


def _documents(cassette: Path) -> dict[str, list[Any]]:
    """The responses to each request, of which those to requests that differ by ids alone come in any order."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    recorded = yaml.load(cassette.read_text(encoding="utf-8"), loader)  # noqa: S506 - a SafeLoader
    found: dict[str, list[Any]] = defaultdict(list)
    for each in recorded["interactions"]:
        request, text = each["request"], each["response"]["body"]["string"]
        request_key = [
            sorted(re.split("[?&]", request["uri"])),
            request["body"],
            request["headers"].get("Signed-For"),
        ]
        if text.startswith("<"):
            document = _element(ElementTree.fromstring(text))  # noqa: S314 - of a server of our own
        else:
            document = json.loads(text)
        found[_INVENTED.sub("*", str(request_key))].append(document)
    return dict(found)


def _element(element: ElementTree.Element) -> Any:
    """Its text, or a list of those within for each of their names."""
    if not len(element):
        return element.text or ""
    found: dict[str, Any] = defaultdict(list)
    for each in element:
        found[each.tag].append(_element(each))
    return dict(found)
