"""What a reader of the page waits for: ``python -m benchmarks.page --resources 1000000`` (``make bench-page``).

In a headless Chromium, on this machine, from the start of the navigation (or from Enter) to the first frame after the
picture or the rows are there; medians. Beside the topology: Cytoscape alone, with the same elements and no look of ours.
A million resources take several minutes to load, 5 GB in the folder for temporary files, and 4 GB of memory.
"""

import argparse
import random
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional
from urllib.parse import urlencode

from benchmarks import inventory as loader
from benchmarks import page_data
from inventory import Inventory

if TYPE_CHECKING:
    from tests import browser

CYTOSCAPE = "/static/vendor/cytoscape.esm.min.mjs"
# The page says what it has given to draw; the frame after the next one is there when that is drawn.
FIRST_PICTURE = """new MutationObserver((_, watch) => {
  if (!document.querySelector("#stage[data-drawn]")) return;
  watch.disconnect();
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => performance.mark("drawn"))));
}).observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-drawn"] })"""
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
# Cytoscape with the same boxes and lines, and with nothing else, from before it is loaded.
ALONE = """async ({ nodes, edges, module }) => {
  const start = performance.now();
  const { default: cytoscape } = await import(module);
  const container = document.body.appendChild(document.createElement("div"));
  Object.assign(container.style, { position: "fixed", inset: "0" });
  const elements = [
    ...nodes.map((each) => ({ data: { id: each.key }, position: { x: each.x, y: each.y } })),
    ...edges.map((each) => ({ data: { id: each.key, source: each.from, target: each.to } })),
  ];
  cytoscape({ container, elements, layout: { name: "preset" } });
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  await frame();
  return new Promise((done) => setTimeout(() => done(performance.now() - start)));
}"""


class Row(NamedTuple):
    what: str
    wanted_ms: float
    ms: float
    alone_ms: Optional[float] = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--resources", type=int, default=20_000, help="of the search")
    parser.add_argument("--inventory", type=Path, help="with so many resources, loaded before")
    parser.add_argument("--runs", type=int, default=5, help="of each measurement")
    given = parser.parse_args()
    from tests import browser

    if reason := browser.why_not():
        parser.exit(1, f"{parser.prog}: {reason}\n")
    with tempfile.TemporaryDirectory() as folder, browser.launched() as chromium:
        context = chromium.new_context(viewport=browser.WIDE, bypass_csp=True)
        context.set_default_timeout(120_000)
        page = context.new_page()
        page.add_init_script(FIRST_PICTURE)
        rows = list(drawn(page, Path(folder), given.runs))
        file = given.inventory
        if file is None:
            file = load(Path(folder) / "many.db", given.resources)
        rows += searched(page, file, given.resources, given.runs)
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


def drawn(page: Any, folder: Path, runs: int) -> Iterator[Row]:
    """The topology, and Cytoscape alone in a document without anything."""
    from tests import browser

    for what, wanted, store in (
        ("300 groups", 1500.0, page_data.store_groups),
        ("1,500 elements", 4000.0, page_data.store_largest),
    ):
        file = folder / f"{store.__name__}.db"
        store(file)
        with browser.site_of(file) as site:
            expanded = [] if store is page_data.store_groups else groups_of(page, site)
            answer = groups(page, site, expanded)
            ours, alone = [], []
            for _ in range(runs + 1):
                page.goto(site.url("topology", expand=expanded))
                page.wait_for_function("performance.getEntriesByName('drawn').length")
                ours.append(page.evaluate("performance.getEntriesByName('drawn')[0].startTime"))
                page.goto(f"{site.address}/healthz")
                alone.append(page.evaluate(ALONE, {**answer, "module": CYTOSCAPE}))
            nodes, edges = len(answer["nodes"]), len(answer["edges"])
            label = f"{what}: {nodes} boxes, {edges} links"
            yield Row(label, wanted, statistics.median(ours[1:]), statistics.median(alone[1:]))


def groups(page: Any, site: "browser.Site", expanded: list[str]) -> Any:
    query = urlencode({"expand": expanded}, doseq=True)
    return page.request.get(f"{site.address}/api/v1/topology/groups?{query}").json()


def groups_of(page: Any, site: "browser.Site") -> list[str]:
    """The keys of all groups."""
    found: list[str] = []
    while True:
        nodes = groups(page, site, found)["nodes"]
        more = [each["key"] for each in nodes if each["children"] and each["key"] not in found]
        if not more:
            return found
        found += more


def load(file: Path, count: int) -> Path:
    with Inventory(file, create=True) as inventory:
        for first in range(0, count, loader.ACCOUNT):
            found = [loader.resource(number) for number in range(first, first + loader.ACCOUNT)]
            loader.store(inventory, first // loader.ACCOUNT, 0, found)
    return file


def searched(page: Any, file: Path, count: int, runs: int) -> Iterator[Row]:
    from tests import browser

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
