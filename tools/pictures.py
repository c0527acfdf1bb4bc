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
    narrow: bool = False


PICTURES: dict[str, Picture] = {
    "page-overview.png": Picture({"view": "overview"}),
    "page-search.png": Picture({"view": "search", "q": "10.13.255.55"}),
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
                    viewport=browser.NARROW if picture.narrow else browser.WIDE,
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
