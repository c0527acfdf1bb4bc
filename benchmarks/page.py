"""What a reader of the page waits for: ``python -m benchmarks.page --resources 1000000`` (``make bench-page``).

In a headless Chromium, on this machine, from the start of the navigation (or from Enter) to the first frame after the
picture or the rows are there; medians. Beside the topology: Cytoscape alone, with the same elements and no look of ours.
A million resources take several minutes to load, 5 GB in the folder for temporary files, and 4 GB of memory.
"""

import argparse
import datetime
import random
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional
from urllib.parse import urlencode

from benchmarks import inventory as loader
from inventory import Inventory

if TYPE_CHECKING:
    from tests import browser

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
ACCOUNTS, REGIONS, SERVERS = 60, 4, 4  # regions of an account, servers of a region
GROUPS, ELEMENTS, NETWORKS = 300, 1500, 110  # networks that are expanded for so many elements
CYTOSCAPE = "/static/vendor/cytoscape.min.js"
DRAWN = "topology drawn"  # the mark that web/page sets after its first picture
SHOWN = "#main:not([aria-busy])"
QUESTIONS = {
    "an id": lambda n: f"i-{n:017x}",
    "an address": lambda n: loader.address(n),
    "a name": lambda n: f"-{n:07}",
    "a part of a name, the first of many": lambda n: loader.WORDS[n % 10],
    "a tag": lambda n: f"owner=team-{n % 40}",
}
# From Enter to the frame after the new view is there.
SEARCH = """(question) => new Promise((done) => {
  const main = document.getElementById("main"), field = document.getElementById("q");
  const before = main.firstElementChild, start = performance.now();
  const look = () => {
    if (main.firstElementChild === before || main.hasAttribute("aria-busy")) return;
    watch.disconnect();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
  };
  const watch = new MutationObserver(look);
  watch.observe(main, { childList: true, attributes: true, subtree: true });
  field.value = question;
  field.form.requestSubmit();
})"""
# Cytoscape with the same boxes and lines, and with nothing else.
ALONE = """(answer) => new Promise((done) => {
  const place = document.body.appendChild(document.createElement("div"));
  Object.assign(place.style, { position: "absolute", inset: "0" });
  const start = performance.now();
  const nodes = answer.nodes.map((n) => ({
    data: { id: n.key, parent: n.parent || undefined }, position: { x: n.x, y: n.y } }));
  const edges = answer.edges.map((e) => ({ data: { id: e.key, source: e.from, target: e.to } }));
  const graph = cytoscape({ container: place, elements: { nodes, edges }, layout: { name: "preset" } });
  graph.once("render", () => requestAnimationFrame(() => setTimeout(() => done(performance.now() - start))));
})"""


class Row(NamedTuple):
    what: str
    wanted_ms: float
    ms: float
    alone_ms: Optional[float] = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--resources", type=int, default=20_000, help="of the search")
    parser.add_argument("--runs", type=int, default=5, help="of each measurement")
    given = parser.parse_args()
    from tests import browser

    if reason := browser.why_not():
        parser.exit(1, f"{parser.prog}: {reason}\n")
    with tempfile.TemporaryDirectory() as folder, browser.launched() as chromium:
        context = chromium.new_context(viewport=browser.WIDE, bypass_csp=True)
        context.set_default_timeout(120_000)
        page = context.new_page()
        rows = list(drawn(page, Path(folder) / "groups.db", given.runs))
        rows += searched(page, Path(folder) / "many.db", given.resources, given.runs)
        print(f"Chromium {chromium.version}")
    print(table(rows))


def table(rows: list[Row]) -> str:
    """Markdown."""
    lines = ["| what | at most (ms) | measured (ms) | Cytoscape alone (ms) | to it |"]
    lines.append("| --- | ---: | ---: | ---: | ---: |")
    for row in rows:
        alone = ("", "")
        if row.alone_ms is not None:
            alone = f"{row.alone_ms:.0f}", f"{row.ms / row.alone_ms:.2f}"
        lines.append(f"| {row.what} | {row.wanted_ms:.0f} | {row.ms:.0f} | {' | '.join(alone)} |")
    return "\n".join(lines)


def drawn(page: Any, file: Path, runs: int) -> Iterator[Row]:
    """The topology, and Cytoscape alone in an empty document."""
    from tests import browser

    store_groups(file)
    with browser.site_of(file) as site:
        accounts = of_kind(page, site, "account", [])
        regions = of_kind(page, site, "region", accounts)
        networks = of_kind(page, site, "network", accounts + regions)
        steps = (
            (GROUPS, "groups", 1500.0, accounts),
            (ELEMENTS, "elements", 4000.0, accounts + regions + networks[:NETWORKS]),
        )
        for count, what, wanted, expanded in steps:
            answer = groups(page, site, expanded)
            nodes = len(answer["nodes"])
            found = nodes if what == "groups" else answer["elements"]
            assert abs(found - count) <= count / 50, (found, count)  # noqa: S101 - what the table says is drawn
            ours, alone = [], []
            for _ in range(runs):
                page.goto(site.url("topology", expand=expanded))
                page.wait_for_function(f"performance.getEntriesByName('{DRAWN}').length")
                ours.append(page.evaluate(f"performance.getEntriesByName('{DRAWN}')[0].startTime"))
                page.goto(f"{site.address}/healthz")
                page.add_script_tag(url=f"{site.address}{CYTOSCAPE}")
                alone.append(page.evaluate(ALONE, answer))
            label = f"{found:,} {what}, {answer['elements'] - nodes} lines"
            yield Row(label, wanted, statistics.median(ours), statistics.median(alone))


def groups(page: Any, site: "browser.Site", expanded: list[str]) -> Any:
    query = urlencode({"expand": expanded}, doseq=True)
    return page.request.get(f"{site.address}/api/v1/topology/groups?{query}").json()


def of_kind(page: Any, site: "browser.Site", kind: str, expanded: list[str]) -> list[str]:
    return [
        each["key"]
        for each in groups(page, site, expanded)["nodes"]
        if each["kind"] == kind and each["key"] not in expanded
    ]


def store_groups(file: Path) -> None:
    """Accounts with regions, a network in each, and servers that are in it and use the one of the next region."""
    with Inventory(file, create=True) as inventory:
        for account in range(ACCOUNTS):
            for family, made in (("networks", network), ("servers", servers)):
                scopes = {f"region-{region}": made(account, region) for region in range(REGIONS)}
                inventory.store(
                    f"account-{account:02}",
                    family,
                    scopes,
                    provider="acme",
                    started_at=START,
                    ended_at=START + datetime.timedelta(minutes=1),
                    all_scopes=True,
                )


def network(account: int, region: int) -> list[dict[str, Any]]:
    return [resource("network", f"network-{account}-{region}", [])]


def servers(account: int, region: int) -> list[dict[str, Any]]:
    near = [f"network-{account}-{each % REGIONS}" for each in (region, region + 1)]
    return [
        resource("server", f"server-{account}-{region}-{number}", near if number < 2 else near[:1])
        for number in range(SERVERS)
    ]


def resource(type_name: str, id: str, networks: list[str]) -> dict[str, Any]:
    return {
        "id": id,
        "type": type_name,
        "base": {"name": id, "last_seen_at": "2026-01-01T00:00:00Z"},
        "details": {type_name: {"state": "running"}},
        "connections": {"network": [{"id": each} for each in networks]},
        "metadata": {},
    }


def searched(page: Any, file: Path, count: int, runs: int) -> Iterator[Row]:
    from tests import browser

    with Inventory(file, create=True) as inventory:
        for first in range(0, count, loader.ACCOUNT):
            found = [loader.resource(number) for number in range(first, first + loader.ACCOUNT)]
            loader.store(inventory, first // loader.ACCOUNT, 0, found)
    chance = random.Random(1)  # noqa: S311 - choices that are the same each time
    some = [chance.randrange(count) for _ in range(runs)]
    with browser.site_of(file) as site:
        browser.show(page, site.url("accounts"))
        page.evaluate(SEARCH, QUESTIONS["an id"](0))  # statements are compiled, modules loaded
        for what, question in QUESTIONS.items():
            times = [page.evaluate(SEARCH, question(number)) for number in some]
            label = f"{count:,} resources: search {what}"
            yield Row(label, 300, statistics.median(times))


if __name__ == "__main__":
    main()
