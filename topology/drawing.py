"""Pictures of small graphs, as SVG and as Mermaid's text. No name in them can be anything but text."""

import dataclasses
import html
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from topology.errors import InvalidQuestion
from topology.links import STATES, UP
from topology.model import Key, Node

MOST = 500  # nodes: a larger picture is of no use
LETTERS = 26  # of a name in a box; the whole is its tooltip
CELL = 8  # pixels that a letter of the title may need
WIDTH, HEIGHT, ACROSS, BELOW, MARGIN = 220, 44, 90, 16, 20
FILL = {"up": "#e8f5e9", "degraded": "#fff3cd", "down": "#f8d7da"}
STROKE = {"up": "#2e7d32", "degraded": "#8a6d00", "down": "#b00020"}


@dataclasses.dataclass(frozen=True)
class Link:
    """From what depends to what provides; ``text`` is the link type and its evidence."""

    dependent: Key
    provider: Key
    text: str


@dataclasses.dataclass(frozen=True)
class Drawing:
    """``columns``: nodes from the left to the right. ``states``: of those that are known."""

    title: str
    columns: Sequence[Sequence[Node]]
    links: Sequence[Link]
    states: Mapping[Key, int]

    def nodes(self) -> list[Node]:
        return [node for column in self.columns for node in column]


def columns(nodes: Iterable[tuple[Node, int]]) -> list[list[Node]]:
    """Of nodes, each with its column's number. Raises InvalidQuestion if they are too many to draw."""
    found: dict[int, list[Node]] = {}
    for count, (node, column) in enumerate(nodes, 1):
        found.setdefault(column, []).append(node)
        if count > MOST:
            raise InvalidQuestion(
                f"there are more than {MOST} nodes, too many for a picture",
                "ask for less (--max-distance, --kind), or choose another format",
            )
    return [found[column] for column in sorted(found)]


# --- Mermaid ---


def mermaid(drawing: Drawing) -> str:
    lines = ["flowchart LR", f"  %% {_mermaid(drawing.title)}"]
    names = {node.key: f"n{number}" for number, node in enumerate(drawing.nodes())}
    for node in drawing.nodes():
        state = _state(drawing, node)
        mark = f" ({state})" if state else ""
        text = _mermaid(f"{node.kind} {node.name}{mark}")
        lines.append(f'  {names[node.key]}["{text}"]' + (f":::{state}" if state else ""))
    for link in drawing.links:
        ends = names[link.dependent], names[link.provider]
        lines.append(f'  {ends[0]} -->|"{_mermaid(link.text)}"| {ends[1]}')
    for state in STATES:
        lines.append(f"  classDef {state} fill:{FILL[state]},stroke:{STROKE[state]}")
    return "\n".join(lines) + "\n"


def _mermaid(text: str) -> str:
    """Letters, digits and spaces as they are, everything else by its number."""
    return "".join(c if c.isalnum() or c in " -_." else f"#{ord(c)};" for c in _visible(text))


def _state(drawing: Drawing, node: Node) -> str:
    state = drawing.states.get(node.key)
    return "" if state is None else STATES[state]


def _visible(text: str) -> str:
    """What controls a terminal or hides other text is shown by its number."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


# --- SVG ---


def svg(drawing: Drawing) -> str:
    rows = max((len(column) for column in drawing.columns), default=0)
    width = MARGIN * 2 + len(drawing.columns) * (WIDTH + ACROSS) - ACROSS // 2  # with bows
    height = MARGIN * 2 + 24 + rows * (HEIGHT + BELOW)
    places: dict[Key, tuple[int, int]] = {}
    for x, column in enumerate(drawing.columns):
        for y, node in enumerate(column):
            places[node.key] = (
                MARGIN + x * (WIDTH + ACROSS),
                MARGIN + 24 + y * (HEIGHT + BELOW),
            )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{max(width, MARGIN * 2 + _cells(drawing.title) * CELL)}" height="{height}" '
        'font-family="sans-serif" font-size="12" role="img">',
        f"<title>{_xml(drawing.title)}</title>",
        '<defs><marker id="to" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>',
        '<rect width="100%" height="100%" fill="#fff"/>',  # also on a dark page
        f'<text x="{MARGIN}" y="{MARGIN}" font-weight="bold">{_xml(drawing.title)}</text>',
    ]
    for link in drawing.links:
        lines.append(_line(places[link.dependent], places[link.provider], link.text))
    for node in drawing.nodes():
        lines.extend(_box(places[node.key], node, _state(drawing, node)))
    return "\n".join([*lines, "</svg>"]) + "\n"


def _line(one: tuple[int, int], other: tuple[int, int], text: str) -> str:
    """From the dependent's side to the provider's; within a column as a bow at its right."""
    y1, y2 = one[1] + HEIGHT // 2, other[1] + HEIGHT // 2
    if one[0] == other[0]:
        x = one[0] + WIDTH
        path = f"M{x} {y1}C{x + ACROSS // 2} {y1} {x + ACROSS // 2} {y2} {x} {y2}"
    else:
        x1, x2 = (one[0] + WIDTH, other[0]) if one[0] < other[0] else (one[0], other[0] + WIDTH)
        path = f"M{x1} {y1}L{x2} {y2}"
    return (
        f'<path d="{path}" fill="none" stroke="#555" marker-end="url(#to)">'
        f"<title>{_xml(text)}</title></path>"
    )


def _box(place: tuple[int, int], node: Node, state: str) -> list[str]:
    x, y = place
    name = _visible(node.name)
    # the rest of a long name is not measured: no letter that is seen is narrower than a cell
    short = name[: LETTERS + 1]
    while _cells(short) > LETTERS:
        short = short.rstrip("…")[:-1] + "…"
    known = state or STATES[UP]
    dashes = ' stroke-dasharray="4 3"' if not state else ""  # nothing is known of it
    below = f"{node.kind}, {state}" if state else node.kind
    return [
        f"<g><title>{_xml(f'{node.kind} {node.name} ({node.id}), {node.account}')}</title>",
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" '
        f'fill="{FILL[known] if state else "#ffffff"}" stroke="{STROKE[known] if state else "#555"}"{dashes}/>',
        f'<text x="{x + 10}" y="{y + 18}">{_xml(short)}</text>',
        f'<text x="{x + 10}" y="{y + 35}" fill="#555">{_xml(below)}</text></g>',
    ]


def _cells(text: str) -> int:
    """Characters of East Asia are twice as wide."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _xml(text: str) -> str:
    return html.escape(_visible(text))
