"""The docs' pictures of the page: ``make pictures`` writes docs/operate/page-*.png, of the demo accounts.

In a headless Chromium, of a server as ``flexlocal serve --demo`` starts it. Look at them before you commit them.
"""

import datetime
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tools import png

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "operate"
MOST = 150_000  # bytes of a picture


class Picture(NamedTuple):
    """``parameters`` of the page's URL; ``prepare``: what is clicked before."""

    parameters: dict[str, Any]
    prepare: Callable[[Any], None] = lambda page: None
    dark: bool = False


def _expand(page: Any) -> None:
    """Two accounts, the first with its regions."""
    for name in ("demo-openstack", "demo-aws"):
        page.locator("[role=treeitem]", has_text=name).locator(".twist").click()
        page.locator("[role=treeitem][aria-level='2']").first.wait_for()
    page.get_by_role("button", name="Show all", exact=True).click()


def _stop(page: Any) -> None:
    page.locator("[role=treeitem]", has_text="web-net-0000").first.click()
    page.locator("#stop").click()
    page.locator("#impact-title").wait_for()


FOCUS = {"focus": "web-net-0000", "faccount": "demo-openstack", "ftype": "network", "depth": 2}
SERVER = {"id": "i-b7f3ee7b503a88798", "account": "demo-aws", "type": "server", "since": "all"}
PICTURES: dict[str, Picture] = {
    "page-overview.png": Picture({"view": "overview"}),
    "page-resource.png": Picture({"view": "resource", **SERVER}),
    "page-topology.png": Picture({"view": "topology"}, _expand),
    "page-impact.png": Picture({"view": "topology", **FOCUS}, _stop, dark=True),
    "page-map.png": Picture({"view": "map"}),
    "page-changes.png": Picture({"view": "changes", "from": "before the changes", "to": "now"}),
    "page-nowhere.png": Picture({"view": "search", "q": "198.51.100.99"}),
}


def main() -> None:
    from tests import browser, demo

    if reason := browser.why_not():
        sys.exit(f"make pictures: {reason}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "demo-inventory.db"
        demo.store(file, datetime.datetime.now(datetime.timezone.utc))
        with browser.launched() as chromium, browser.site_of(file, demo=True) as site:
            compressor = chromium.new_page()
            for name, picture in PICTURES.items():
                page = chromium.new_page(
                    viewport=browser.WIDE,
                    color_scheme="dark" if picture.dark else "light",
                    locale="en-GB",
                    timezone_id="UTC",
                )
                browser.show(page, site.url(**picture.parameters))
                picture.prepare(page)
                taken = page.screenshot(animations="disabled", caret="hide")
                page.close()
                content = png.smaller(compressor, taken)
                if len(content) > MOST:
                    sys.exit(f"{name}: {len(content):,} bytes, more than {MOST:,}")
                (FOLDER / name).write_bytes(content)
                print(f"{name}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
