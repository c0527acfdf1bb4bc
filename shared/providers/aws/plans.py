"""EC2's and query responses read by plan: what botocore's own parsers give, in less than half of their time.

botocore looks every member of a structure up in every record: EC2's instances have some 70, most of them absent.
Records of one listing differ little in which elements they have, so a plan is made for each tuple of child elements
that occurs, and kept: which child is which member, and how it is read. Whatever is not plain (elements that repeat,
flattened lists, maps, attributes, unions, exceptions, ...) is left to botocore's own method.

A caller may name those members of a structure that it reads (``reading``). The others are then skipped with all that
is in them, right or wrong. Structures that are not named are read whole: those of whole responses, with their page
tokens, never should be.
"""

import contextlib
import functools
import operator
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Callable, NamedTuple, Optional

import botocore.parsers

PLANS_A_SHAPE = 128
# Characters of elements' names that a parser's plans may keep, whatever a server sends
ROOM = 500_000
# A structure's name in the service model -> its members that are read
Reads = Mapping[str, tuple[str, ...]]
ALL: Reads = {}

_tag = operator.attrgetter("tag")
_of_thread = threading.local()


@contextlib.contextmanager
def reading(reads: Reads) -> Iterator[None]:
    """Around a call of a client: these members of its response are read, of these structures."""
    before, _of_thread.reads = now_reading(), reads
    try:
        yield
    finally:
        _of_thread.reads = before


def now_reading() -> Reads:
    """What ``reading`` is around, in this thread."""
    reads: Reads = getattr(_of_thread, "reads", ALL)
    return reads


class _Plan(NamedTuple):
    """How to read a structure with certain children, by their positions."""

    template: dict[str, Any]  # the members that are there, in the model's order
    texts: list[tuple[str, int]]
    others: list[tuple[str, Callable[[Any], Any], int]]


class _Planned(botocore.parsers.BaseXMLResponseParser):  # type: ignore[misc]
    """In front of one of botocore's parsers. Threads may share it, as they share botocore's."""

    def __init__(self, *args: Any, reads: Reads = ALL, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._reads = reads
        self._readers: dict[Any, Callable[[Any], Any]] = {}  # by shape
        self._room = ROOM

    def _handle_structure(self, shape: Any, node: Any) -> Any:
        if isinstance(node, list):  # of elements that repeat
            return super()._handle_structure(shape, node)
        return self._reader(shape)(node)

    def _reader(self, shape: Any) -> Callable[[Any], Any]:
        """How to read one element of this shape."""
        reader = self._readers.get(shape)
        if reader is None:
            reader = self._readers[shape] = self._new_reader(shape)
        return reader

    def _new_reader(self, shape: Any) -> Callable[[Any], Any]:
        kind = shape.type_name
        if kind == "structure":
            if _is_plain(shape):
                return self._structure_reader(shape)
            return functools.partial(super()._handle_structure, shape)
        if kind == "list" and not shape.serialization.get("flattened"):
            return self._list_reader(shape)
        if kind == "timestamp":
            parse = self._timestamp_parser
            return lambda node: parse(node.text or "")
        return _SCALARS.get(kind) or functools.partial(self._parse_shape, shape)

    def _list_reader(self, shape: Any) -> Callable[[Any], Any]:
        def read(node: Any) -> list[Any]:
            reader = self._reader(shape.member)  # only now: a shape may contain itself
            return [reader(item) for item in node]

        return read

    def _structure_reader(self, shape: Any) -> Callable[[Any], Any]:
        plans: dict[tuple[str, ...], Any] = {}
        by_botocore = super()._handle_structure

        def read(node: Any) -> Any:
            children = list(node)
            tags = tuple(map(_tag, children))
            plan = plans.get(tags, plans)  # None is one, too
            if plan is plans:
                plan = self._plan(shape, tags)
                size = sum(map(len, tags)) + len(tags)
                if len(plans) < PLANS_A_SHAPE and size <= self._room:
                    self._room -= size
                    plans[tags] = plan
            if plan is None:
                return by_botocore(shape, node)
            template, texts, others = plan
            record = template.copy()
            for name, number in texts:
                record[name] = children[number].text or ""
            for name, reader, number in others:
                record[name] = reader(children[number])
            return record

        return read

    def _plan(self, shape: Any, tags: tuple[str, ...]) -> Optional[_Plan]:
        """The plan for a structure with these children; None if it is for botocore to read."""
        positions: dict[str, list[int]] = {}
        for number, tag in enumerate(tags):
            positions.setdefault(self._namespace_re.sub("", tag), []).append(number)
        plan = _Plan({}, [], [])
        read = self._reads.get(shape.name, shape.members)
        for name, member in shape.members.items():
            if name not in read:
                continue
            found = positions.get(self._member_key_name(member, name))
            if found is None:
                continue
            if len(found) > 1:
                return None
            plan.template[name] = None
            if member.type_name in ("string", "character"):
                plan.texts.append((name, found[0]))
            else:
                plan.others.append((name, self._reader(member), found[0]))
        return plan


def _is_plain(shape: Any) -> bool:
    """Whether all members of the structure are elements in it, and nothing else decides how they are read."""
    if shape.metadata.get("exception") or shape.is_tagged_union:
        return False
    special = ("location", "eventheader", "xmlAttribute")
    return not any(
        member.serialization.get(key) for member in shape.members.values() for key in special
    )


_SCALARS: dict[str, Callable[[Any], Any]] = {
    "string": lambda node: node.text or "",
    "character": lambda node: node.text or "",
    "boolean": lambda node: node.text == "true",
    "integer": lambda node: int(node.text or ""),
    "long": lambda node: int(node.text or ""),
    "float": lambda node: float(node.text or ""),
    "double": lambda node: float(node.text or ""),
}


class _EC2(_Planned, botocore.parsers.EC2QueryParser):  # type: ignore[misc]
    pass


class _Query(_Planned, botocore.parsers.QueryParser):  # type: ignore[misc]
    pass


PARSERS = {"ec2": _EC2, "query": _Query}
