"""``flexlocal topology``: what depends on what, what breaks with what, what is weak, and what is down now.

Exit status: 0 the question is answered; 1 there is no path, or something in a clique or anywhere is not up; 2 the question
can't be answered.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Optional

from flexlocal import inventories, results, terminal
from flexlocal.inventory_commands import as_of_moment, counted, moment, say_failed, show_table
from flexlocal.options import BadUsage
from flexlocal.show import Column
from inventory.model import When
from topology import customers, drawing, reading
from topology.answers import (
    clique_row,
    ends_row,
    impact_row,
    last_one_row,
    link_row,
    loss_row,
    now_rows,
    path_rows,
    problem_row,
    single_point_row,
)
from topology.cliques import chosen, is_healthy, load_types
from topology.cliques import clique as clique_of
from topology.drawing import Drawing, Link
from topology.errors import UnknownNode
from topology.graph import Graph
from topology.impact import Impact
from topology.impact import impact as impact_of
from topology.links import DEGRADED, DOWN, STATES, UP
from topology.model import Key, Node
from topology.paths import path as path_between
from topology.weak import last_ones, single_points
from topology.weak import now as now_of

if TYPE_CHECKING:
    from inventory import Inventory

Row = dict[str, Any]
PICTURES = {"svg": drawing.svg, "mermaid": drawing.mermaid}
DRAWN = 20  # single points of failure, and groups, that a picture has


# --- the questions ------------------------------------------------------------------------------------


def impact(args: SimpleNamespace) -> int:
    view = _view(args)
    state = DEGRADED if args.state == "degraded" else DOWN
    with inventories.opened(args.inventory) as inventory:
        as_of = as_of_moment(args, inventory)
        graph = reading.read(inventory, as_of)
        focals = dict.fromkeys(_focals(args, graph, inventory), state)
        owners = None if args.owner is None else reading.owners(inventory, args.owner, as_of)
        _say_failed(inventory, as_of)
    found = impact_of(graph, focals)
    names = ", ".join(str(graph.nodes[number]) for number in focals)
    title = f"{names}: {STATES[state]}"
    if owners is not None:
        _show_losses(args, view, customers.losses(found, owners), title)
        return 0
    rows = [impact_row(row) for row in found.rows(args.max_distance)]
    rows = [row for row in rows if args.kind in (None, row["kind"])]
    down = sum(row["state"] == "down" for row in rows)
    footer = f"{title}; {down} down, {len(rows) - down} only weakened"
    _show(args, view, rows, IMPACT, footer, lambda: _impact_drawing(title, found, args))
    return 0


def path(args: SimpleNamespace) -> int:
    view = _view(args)
    with inventories.opened(args.inventory) as inventory:
        graph = reading.read(inventory, as_of_moment(args, inventory))
        start, end = (_find(args, graph, inventory, text) for text in (args.start, args.end))
    links = path_between(graph, start, end)
    names = f"{graph.nodes[start]} to {graph.nodes[end]}"
    if links is None:
        terminal.say(f"{names}: no path; flexlocal topology problems lists links that lead nowhere")
        return 1
    numbers = [start]
    for link in links:
        numbers.append(graph.other(link, numbers[-1]))
    rows = path_rows(graph, start, links)
    footer = f"{names}: {counted(len(links), 'link')}"
    _show(
        args,
        view,
        rows,
        PATH,
        footer,
        lambda: _drawing(footer, graph, zip(numbers, range(len(numbers))), links, {}),
    )
    return 0


def clique(args: SimpleNamespace) -> int:
    view = _view(args)
    types = load_types(None if args.cliques is None else Path(args.cliques))
    with inventories.opened(args.inventory) as inventory:
        as_of = as_of_moment(args, inventory)
        graph = reading.read(inventory, as_of)
        focal = _find(args, graph, inventory, args.resource)
        statuses = inventory.statuses(as_of)
        _say_failed(inventory, as_of)
    states = reading.states(graph, statuses)
    found = clique_of(graph, focal, chosen(types, graph.nodes[focal]))
    document = clique_row(graph, focal, found, states)
    rows, links, counts = (document[key] for key in ("nodes", "links", "health"))
    footer = (
        f"{graph.nodes[focal]}: {counted(len(rows), 'resource')}, {counted(len(links), 'link')}; "
    )
    footer += ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    _show(
        args,
        view,
        rows,
        CLIQUE,
        footer,
        lambda: _drawing(footer, graph, _steps(graph, focal, found.links), found.links, states),
        document,
    )
    if found.truncated:
        terminal.say(f"There is more than the clique type's {found.type.max_nodes} nodes.")
    return 0 if is_healthy(found, states) else 1


def spof(args: SimpleNamespace) -> int:
    view = _view(args)
    with inventories.opened(args.inventory) as inventory:
        graph = reading.read(inventory, as_of_moment(args, inventory))
    found = single_points(graph, args.kind, args.seconds)
    rows = [single_point_row(each) for each in found.found]
    footer = f"{counted(len(rows), 'single point')} of failure; {found.tried} of {found.candidates} candidates tried"
    _show(
        args,
        view,
        rows,
        SPOF,
        footer,
        lambda: _spof_drawing(footer, graph, [each.number for each in found.found]),
    )
    if found.tried < found.candidates:
        terminal.say(
            f"The time of {args.seconds:g} s was over: those with the most dependents were tried first; --seconds gives more."
        )
    return 0


def redundancy(args: SimpleNamespace) -> int:
    view = _view(args)
    with inventories.opened(args.inventory) as inventory:
        as_of = as_of_moment(args, inventory)
        graph = reading.read(inventory, as_of)
        states = reading.states(graph, inventory.statuses(as_of))
        before = None
        if args.since is not None:
            before = reading.read(inventory, moment(args.since, inventory))
        _say_failed(inventory, as_of)
    found = [
        each
        for each in last_ones(graph, states, before, args.all)
        if args.account in (None, each.dependent.account)
    ]
    rows = [last_one_row(each) for each in found]
    footer = f"{counted(len(rows), 'group')} with one provider left, though nothing is down by it"
    _show(
        args,
        view,
        rows,
        REDUNDANCY,
        footer,
        lambda: _redundancy_drawing(footer, found[:DRAWN], states, graph),
    )
    return 0


def now(args: SimpleNamespace) -> int:
    view = _view(args)
    with inventories.opened(args.inventory) as inventory:
        as_of = as_of_moment(args, inventory)
        graph = reading.read(inventory, as_of)
        statuses = inventory.statuses(as_of)
        _say_failed(inventory, as_of)
    states = reading.states(graph, statuses)
    found = now_of(graph, states)
    rows = now_rows(graph, found, statuses)
    down = sum(state == DOWN for state in found.states.values())
    unknown = len(graph.nodes) - len(states)
    footer = f"{down} down, {len(rows) - down} weakened by {counted(len(found.causes), 'cause')}; no status of {unknown}, which count as up"
    steps = [(number, 0) for number in found.causes]
    steps += [(graph.numbers[row.node.key], row.distance) for row in found.explained.rows()]
    _show(args, view, rows, NOW, footer, lambda: _drawing(footer, graph, steps, None, found.states))
    return 1 if rows else 0


def problems(args: SimpleNamespace) -> int:
    view = _view(args)
    with inventories.opened(args.inventory) as inventory:
        as_of = as_of_moment(args, inventory)
        graph = reading.read(inventory, as_of)
        _say_failed(inventory, as_of)
    rows = [
        problem_row(each, graph)
        for each in graph.problems
        if args.account in (None, each.source[0]) and args.problem in (None, each.problem)
    ]
    stitched = len(graph.evidence)
    footer = f"{counted(len(rows), 'problem')}; {counted(len(graph.link), 'link')}, {stitched} of them between accounts"
    _show(args, view, rows, PROBLEM, footer, None)
    return 0


def links(args: SimpleNamespace) -> int:
    """Between accounts, with their evidence."""
    view = _view(args)
    with inventories.opened(args.inventory) as inventory:
        graph = reading.read(inventory, as_of_moment(args, inventory))
    rows = [ends_row(graph, link) for link in sorted(graph.evidence)]
    footer = f"{counted(len(rows), 'link')} between accounts"
    numbers = {n for link in graph.evidence for n in (graph.dependent[link], graph.provider[link])}
    places = [(n, _account_number(graph, n)) for n in sorted(numbers)]
    _show(
        args,
        view,
        rows,
        LINKS,
        footer,
        lambda: _drawing(footer, graph, places, sorted(graph.evidence), {}),
    )
    return 0


# --- what is asked ------------------------------------------------------------------------------------


def _view(args: SimpleNamespace) -> results.View:
    form = args.format
    if form in PICTURES and any((args.columns, args.sort, args.filters, args.query)):
        raise BadUsage(f"--format {form} is a picture: it has no columns, filters or query")
    return results.view(args)


def _focals(args: SimpleNamespace, graph: Graph, inventory: "Inventory") -> Iterator[int]:
    """The resources that are named, and those of the list."""
    texts = [*args.resources]
    if args.list is not None:
        texts += _listed(args.list)
    if not texts:
        raise BadUsage("name a resource, or a file with --list")
    for text in dict.fromkeys(texts):
        yield _find(args, graph, inventory, text)


def _listed(file: str) -> list[str]:
    try:
        content = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is not UTF-8 text"
        raise BadUsage(f"--list {file}: {reason}") from None
    lines = (line.partition("#")[0].strip() for line in content.splitlines())
    return [line for line in lines if line]


def _find(args: SimpleNamespace, graph: Graph, inventory: "Inventory", text: str) -> int:
    """By id or name, or by what a search finds."""
    try:
        return graph.find(text, args.account, args.type)
    except UnknownNode:
        hits = inventory.search(text, account=args.account, type=args.type, limit=10).hits
        keys = {
            (hit.entry.account, hit.entry.type, hit.entry.id)
            for hit in hits
            if hit.by in ("identifier", "address")
        }
        found = [graph.numbers[key] for key in keys if key in graph.numbers]
        if len(found) != 1:
            raise
        return found[0]


def _say_failed(inventory: "Inventory", as_of: Optional[When]) -> None:
    """What is not known counts as up, and is named."""
    say_failed(inventory.coverage(as_of=as_of), consequence=": what is in it counts as up")


# --- what is shown ------------------------------------------------------------------------------------


def _show(
    args: SimpleNamespace,
    view: results.View,
    rows: list[Row],
    columns: list[Column],
    footer: str,
    draw: Any,
    document: Optional[Row] = None,
) -> None:
    """As a picture, or as rows; ``document``: what JSON and YAML have instead of rows."""
    if args.format in PICTURES:
        if draw is None:
            raise BadUsage(
                f"--format {args.format}: there is no picture of this; choose table or json"
            )
        print(PICTURES[args.format](draw()), end="")
    elif document is not None and args.format in ("json", "yaml"):
        view.show_value(document, sys.stdout)
    else:
        show_table(view, rows, columns, terminal.line_of(footer))


def _show_losses(
    args: SimpleNamespace, view: results.View, found: list[customers.Loss], title: str
) -> None:
    """On a terminal, sentences are not cut: they are what is sent."""
    footer = f"{title}; {counted(len(found), 'customer')}"
    if args.format in (None, "table") and not (
        args.columns or args.query or args.sort or args.filters
    ):
        for each in found:
            line = terminal.line_of(f"{each.owner}: {each.sentence}")
            print(terminal.folded(line, sys.stdout))
        print(terminal.folded(terminal.line_of(footer), sys.stdout))
        return
    _show(args, view, [loss_row(each) for each in found], LOSS, footer, None)


def _evidence(row: Row) -> str:
    found = row.get("evidence")
    return "" if found is None else f"{found['what']} {found['value']} ({found['sure']})"


def _column(title: str, key: Optional[str] = None) -> Column:
    name = key or title.lower().replace(" ", "_")
    return Column(title, lambda row: row.get(name))


def _of(end: str) -> Column:
    return Column(end.upper(), lambda row: f"{row[end]['kind']} {row[end]['name']}")


def _account_of(end: str) -> Column:
    return Column(f"{end.upper()} ACCOUNT", lambda row: row[end]["account"])


def _names(key: str) -> Column:
    return Column(
        key.upper(), lambda row: ", ".join(f"{each['kind']} {each['name']}" for each in row[key])
    )


EVIDENCE = Column("EVIDENCE", _evidence)
WHERE = [_column("ID"), _column("ACCOUNT")]
LAST = [_column("RESOURCE ID", "id"), _column("ACCOUNT")]  # give way to a reason
IMPACT = [
    *map(_column, ("STATE", "KIND", "NAME", "REASON", "DISTANCE", "VIA", "LINK TYPE")),
    *LAST,
]
LOSS = [_column("OWNER"), _column("SENTENCE"), _names("down"), _names("degraded")]
PATH = [*map(_column, ("STEP", "KIND", "NAME", "LINK TYPE")), EVIDENCE, *WHERE]
CLIQUE = [*map(_column, ("KIND", "NAME", "STATE")), *WHERE]
SPOF = [*map(_column, ("KIND", "NAME", "DOWN", "DEGRADED")), *WHERE]
REDUNDANCY = [
    *map(_column, ("KIND", "NAME", "LEFT")),
    Column("LOST", lambda row: ", ".join(row["lost"])),
    _column("LINK TYPE"),
    *LAST,
]
NOW = [
    _column("STATE"),
    Column("CAUSE", lambda row: "cause" if row["cause"] else ""),
    *map(_column, ("KIND", "NAME", "STATUS", "REASON", "SINCE")),
    *LAST,
]
PROBLEM = [
    *map(_column, ("PROBLEM", "KIND", "NAME")),
    _column("NAMES", "names_type"),
    _column("NAMED", "names_id"),
    _column("REASON"),
    Column(
        "CANDIDATES",
        lambda row: ", ".join(f"{each['account']} {each['id']}" for each in row["candidates"]),
    ),
    *LAST,
]
LINKS = [
    _of("dependent"),
    _column("LINK TYPE"),
    _of("provider"),
    EVIDENCE,
    _account_of("dependent"),
    _account_of("provider"),
]


# --- pictures -------------------------------------------------------------------------------------------


def _drawing(
    title: str,
    graph: Graph,
    places: Iterable[tuple[int, int]],
    links: Optional[Iterable[int]],
    states: dict[int, int],
) -> Drawing:
    """``places``: nodes and their columns; ``links`` None: all between these nodes."""
    found = dict(places)
    columns = drawing.columns((graph.nodes[number], column) for number, column in found.items())
    if links is None:
        between = {
            link
            for number in found
            for link in graph.up[number]
            if graph.other(link, number) in found
        }
        links = sorted(between)
    drawn = [_drawn(graph, link) for link in links]
    return Drawing(
        title, columns, drawn, {graph.nodes[n].key: s for n, s in states.items() if n in found}
    )


def _drawn(graph: Graph, link: int) -> Link:
    text, evidence = graph.link[link].name, _evidence(link_row(graph, link))
    one, other = graph.nodes[graph.dependent[link]], graph.nodes[graph.provider[link]]
    return Link(one.key, other.key, f"{text}: {evidence}" if evidence else text)


def _impact_drawing(title: str, found: Impact, args: SimpleNamespace) -> Drawing:
    graph = found.graph
    places = [(number, 0) for number in found.focals]
    for row in found.rows(args.max_distance):
        if args.kind in (None, row.node.kind):
            places.append((graph.numbers[row.node.key], row.distance))
    return _drawing(title, graph, places, None, found.states)


def _steps(graph: Graph, focal: int, links: Iterable[int]) -> list[tuple[int, int]]:
    """How far each node is from the focal point by these links."""
    known = {focal: 0}
    left = list(links)
    while left:
        rest = []
        for link in left:
            ends = (graph.dependent[link], graph.provider[link])
            near = [known[number] for number in ends if number in known]
            if near:
                for number in ends:
                    known.setdefault(number, min(near) + 1)
            else:
                rest.append(link)
        if len(rest) == len(left):
            break
        left = rest
    return [*known.items()]


def _spof_drawing(title: str, graph: Graph, numbers: list[int]) -> Drawing:
    """The worst ones, and what goes down with each at once."""
    places: dict[int, int] = {}
    states: dict[int, int] = {}
    for number in numbers[:DRAWN]:
        found = impact_of(graph, {number: DOWN})
        places[number] = 0
        states[number] = DOWN
        for row in found.rows(1):
            if row.state == DOWN:
                other = graph.numbers[row.node.key]
                places.setdefault(other, 1)
                states[other] = DOWN
    return _drawing(title, graph, places.items(), None, states)


def _redundancy_drawing(
    title: str, found: list[Any], states: dict[int, int], graph: Graph
) -> Drawing:
    places: dict[Key, tuple[Node, int]] = {}
    links = []
    for each in found:
        places.setdefault(each.dependent.key, (each.dependent, 0))
        for column, nodes in ((1, [each.left]), (2, each.lost)):
            for node in nodes:
                places.setdefault(node.key, (node, column))
                links.append(Link(each.dependent.key, node.key, each.link_type))
    known = {graph.nodes[number].key: state for number, state in states.items()}
    gone = {node.key: DOWN for each in found for node in each.lost}
    shown = {key: gone.get(key, known.get(key, UP)) for key in places}
    return Drawing(title, drawing.columns(places.values()), links, shown)


def _account_number(graph: Graph, number: int) -> int:
    """The first node of its account, by which columns are in the order of the accounts."""
    account = graph.nodes[number].account
    return next(n for n, node in enumerate(graph.nodes) if node.account == account)
