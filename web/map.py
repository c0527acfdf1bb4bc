"""Where things are, and the lines between them: what a map shows, and what it can't, with the reason.

A resource is where its document says (NetBox's sites have coordinates, AWS's regions a city), or where web/regions.yaml
has its region. Nothing is guessed from a name, and nothing is at 0, 0: that is where coordinates that nobody set lie.
"""

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

import yaml

from inventory.model import When
from topology.links import STATES
from topology.model import Key, Node
from web.graphs import View
from web.groups import WORDS, Row, resource_row, short

if TYPE_CHECKING:
    from web.limited import Limited

LINES = frozenset({"circuit", "wan_link"})  # kinds that are lines between places
PAGE = 1000  # resources of one read
NAMED = 100  # resources of a place, or of a reason; the others are counted
MISSING = "missing"  # what OSM says of a link that should be there
PARTS = ("location", "city", "state", "country", "region")  # of a location, the nearest first
NO_LOCATION = "its document has no location"
NO_COORDINATES = "its location has no coordinates"
AT_ZERO = "its coordinates are 0, 0: nobody set them"
NO_ENDS = "neither its document nor what it is connected to has a place"


class Place(NamedTuple):
    label: str
    lat: float
    lon: float
    source: str


class Found(NamedTuple):
    """Of a resource's document: its places, or why there are none; ``state`` and ``note`` are the provider's words."""

    places: tuple[Place, ...] = ()
    why: str = NO_LOCATION
    state: Optional[str] = None
    note: Optional[str] = None


@functools.lru_cache(maxsize=1)
def regions() -> Mapping[tuple[str, str], Place]:
    """By provider and region."""
    content = yaml.safe_load(Path(__file__).with_name("regions.yaml").read_text(encoding="utf-8"))
    return {
        (provider, name): Place(each["city"], each["lat"], each["lon"], known["source"])
        for provider, known in content.items()
        for name, each in known["regions"].items()
    }


def world(inventory: "Limited", view: View, as_of: Optional[When] = None) -> Row:
    """``places`` with their resources, ``lines`` between two of them, ``half``: lines of which one end is known,
    ``unplaced``: the others, by reason."""
    found = _documents(inventory, view, as_of)
    spots: dict[tuple[float, float], list[tuple[int, Place]]] = {}
    unplaced: dict[tuple[str, str, str], list[int]] = {}
    lines: list[Row] = []
    half: list[Row] = []
    places = [_places(node, found) for node in view.graph.nodes]
    for number, node in enumerate(view.graph.nodes):
        ends = places[number]
        if node.kind in LINES:
            ends = _ends(view, number, places)
        for place in ends[: None if node.kind in LINES else 1]:
            spots.setdefault(place[1:3], []).append((number, place))
        if not ends:
            why = NO_ENDS if node.kind in LINES else found.get(node.key, Found()).why
            unplaced.setdefault((node.account, node.kind, why), []).append(number)
        elif node.kind in LINES:
            of_line = _line(view, number, found.get(node.key, Found()))
            keys = [_key(place[1:3]) for place in ends]
            if len(keys) == 1:
                half.append({"at": keys[0], **of_line})
            lines.extend({"from": keys[0], "to": key, **of_line} for key in keys[1:])
    return {
        "places": [_place_row(view, spot, some) for spot, some in sorted(spots.items())],
        "lines": lines,
        "half": half,
        "unplaced": [
            {
                "account": account,
                "kind": kind,
                "why": why,
                "count": len(numbers),
                "resources": [
                    _line(view, number, found.get(view.graph.nodes[number].key, Found()))
                    for number in numbers[:NAMED]
                ],
            }
            for (account, kind, why), numbers in sorted(unplaced.items())
        ],
    }


def _documents(inventory: "Limited", view: View, as_of: Optional[When]) -> dict[Key, Found]:
    """Of resources whose region is not known, and of lines: to read all documents takes a second for 10,000."""
    wanted: dict[tuple[str, str, str], bool] = {}
    for node in view.graph.nodes:
        source = node.account, node.family, node.scope
        needed = node.kind in LINES or (node.provider, node.scope) not in regions()
        wanted[source] = wanted.get(source, False) or needed
    found: dict[Key, Found] = {}
    for (account, family, scope), needed in sorted(wanted.items()):
        if not needed:
            continue
        after = 0
        where = {"account": account, "family": family, "scope": scope}
        while page := inventory.resources(**where, as_of=as_of, after=after, limit=PAGE):
            for each in page:
                entry = each.entry
                key = (entry.account, entry.type, entry.id)
                found[key] = _found(each.document, entry.provider)
            after = page[-1].entry.key
    return found


def _found(document: Mapping[str, Any], provider: str) -> Found:
    base = document.get("base") or {}
    places: list[Place] = []
    why = NO_LOCATION
    given = [each for each in base.get("locations") or [] if isinstance(each, dict)]
    for location in given:
        place, reason = _located(location, provider)
        why = reason or why
        if place is not None and place[1:3] not in [each[1:3] for each in places]:
            places.append(place)
    for region in base.get("regions") or []:
        name = region.get("id") if isinstance(region, dict) else None
        known = regions().get((provider, str(name)))
        if known is not None and not places:
            places.append(known)
        elif known is None:
            why = f"the region {short(str(name))} is not in the table of regions"
    specific = (document.get("metadata") or {}).get("provider_specific") or {}
    words = [specific.get(name) for name in ("state", "note")]
    state, note = (short(each) if isinstance(each, str) else None for each in words)
    return Found(tuple(places), why, state, note)


def _located(location: Mapping[str, Any], provider: str) -> tuple[Optional[Place], Optional[str]]:
    parts = {name: part for name in PARTS if isinstance(part := location.get(name), dict)}
    why = NO_COORDINATES if parts else None
    for part in parts.values():
        lat, lon = _degrees(part.get("latitude"), 90), _degrees(part.get("longitude"), 180)
        if lat is None or lon is None:
            continue
        if lat == lon == 0:
            why = AT_ZERO
            continue
        label = short(str(part.get("name") or part.get("id") or "?"))
        return Place(label, lat, lon, f"the documents of {provider}"), None
    region = parts.get("region", {}).get("id")
    known = regions().get((provider, str(region)))
    return known, None if known else why


def _degrees(value: Any, most: float) -> Optional[float]:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= most:
        return None
    return float(value)


def _places(node: Node, found: Mapping[Key, Found]) -> tuple[Place, ...]:
    if node.key in found:
        return found[node.key].places
    known = regions().get((node.provider, node.scope))
    return () if known is None else (known,)


def _ends(view: View, number: int, places: list[tuple[Place, ...]]) -> tuple[Place, ...]:
    """Where a line's document says, and then where that is which it is connected to; each place once."""
    found = {place[1:3]: place for place in places[number]}
    if len(found) < 2:
        for link in view.graph.links(number):
            other = view.graph.other(link, number)
            if view.graph.nodes[other].kind not in LINES:
                for place in places[other][:1]:
                    found.setdefault(place[1:3], place)
    return tuple(found.values())


def _named(view: View, number: int) -> Row:
    return {"name": short(view.graph.nodes[number].name), **resource_row(view.graph, number)}


def _line(view: View, number: int, found: Found) -> Row:
    """``state`` is what its newest status says; missing, if its provider says that it should be there."""
    state = STATES[view.states[number]] if number in view.states else WORDS[0]
    status = view.statuses.get(view.graph.nodes[number].key)
    return {
        "resource": _named(view, number),
        "state": MISSING if found.state == MISSING else state,
        "note": short(status.message) if status is not None else found.note,
    }


def _key(spot: tuple[float, ...]) -> str:
    return hashlib.blake2b(repr(spot).encode(), digest_size=6).hexdigest()


def _place_row(view: View, spot: tuple[float, ...], some: list[tuple[int, Place]]) -> Row:
    labels = sorted({place.label for _, place in some}, key=lambda each: (len(each), each))
    worst = max((view.states.get(number, -1) + 1 for number, _ in some), default=0)
    return {
        "key": _key(spot),
        "label": labels[0],
        "labels": labels[:NAMED],
        "lat": spot[0],
        "lon": spot[1],
        "source": "; ".join(sorted({place.source for _, place in some})),
        "state": WORDS[worst],
        "count": len(some),
        "accounts": sorted({view.graph.nodes[number].account for number, _ in some}),
        "resources": [_named(view, number) for number, _ in some[:NAMED]],
    }
