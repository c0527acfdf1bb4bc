"""The topology and the map in a real Chromium: a reader finds by clicking what stops, what changed, and what is missing."""

import json

import pytest

from tests import browser as harness
from tests.demo import LABEL
from tests.inventories import ROOT

if reason := harness.why_not():
    pytest.skip(reason, allow_module_level=True)

from inventory import Inventory
from web.app import create
from web.service import Settings
from web.tokens import Tokens

VIEW = "/?view=topology"
DRAWN = "#stage[data-drawn]"


@pytest.fixture(scope="module")
def address(demo_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("topology")
    with Inventory(demo_file) as inventory:
        settings = Settings(inventory, Tokens(folder / "tokens.json"), folder / "views.json")
        with harness.serving(create(settings)) as found:
            yield found


def opened(page, address, view=VIEW):
    page.goto(address + view)
    page.wait_for_selector(DRAWN)


def lines(page):
    return page.eval_on_selector_all(
        "[role=treeitem]", "(all) => all.map((each) => each.textContent)"
    )


def line(page, text):
    return page.locator("[role=treeitem]", has_text=text).first


def test_which_servers_stop_if_a_network_or_a_router_stops(page, address):
    opened(page, address)
    line(page, "demo-openstack").locator(".twist").click()
    page.locator("[aria-level='2'] .twist").click()
    line(page, "web-rtr-0000").click()
    page.click("#stop")
    impact = page.locator(".impact")
    impact.wait_for()
    words = impact.inner_text()
    assert "0 servers stop, 5 only weakened" in words
    assert "web-vm-0000" in words
    assert "network web-net-0000 is degraded" in words
    page.click("text=Close")
    impact.wait_for(state="detached")
    line(page, "web-net-0000").click()
    page.click("#stop")
    page.locator(".impact", has_text="If web-net-0000 stops").wait_for()
    assert "4 servers stop, 1 only weakened" in page.locator(".impact").inner_text()


def test_what_changed_between_the_two_recorded_moments(page, address):
    opened(page, address)
    page.select_option("#by-since", LABEL)
    page.wait_for_url("**since=**")
    page.locator("[role=treeitem]", has_text="gone").first.wait_for()
    found = [text for text in lines(page) if text.lstrip("▸ ").find("demo-openstack") >= 0]
    assert "added" in found[0]
    assert "changed" in found[0]
    assert not [text for text in lines(page) if "demo-netbox" in text and "added" in text]
    assert page.locator("text=As a table").get_attribute("href").startswith("/?view=changes")


def test_where_a_wan_link_is_missing(page, address):
    page.goto(address)
    page.click("nav >> text=Map")
    page.wait_for_selector("#missing")
    assert "legacy/wide" in page.inner_text("#missing")
    assert "no WIM is mapped" in page.inner_text("#missing")
    place = page.locator("g.map-place", has_text="Dublin")
    place.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("text=At Dublin")
    assert page.locator("table", has_text="Not on the map").count() == 1


def test_the_keyboard_alone_suffices_and_the_address_holds_it_all(page, address):
    opened(page, address)
    page.locator("[role=treeitem]").first.focus()
    for key in ("End", "Home", "ArrowDown", "ArrowUp", "ArrowRight"):
        page.keyboard.press(key)
    page.wait_for_selector("[aria-level='2']")
    page.keyboard.press("ArrowRight")
    focused = page.evaluate("document.activeElement.textContent")
    page.wait_for_url("**sel=**")
    assert page.locator("[aria-selected=true]").inner_text().split()[0:2] == focused.split()[0:2]
    before = lines(page)
    page.reload()
    page.wait_for_selector("[aria-level='2']")
    assert lines(page) == before
    assert focused.split()[1] in page.locator("[aria-selected=true]").inner_text()
    page.locator("[aria-selected=true]").focus()
    page.keyboard.press("ArrowLeft")  # to the account
    page.keyboard.press("ArrowLeft")  # which is collapsed
    page.wait_for_selector("[aria-level='2']", state="detached")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_narrow_screen_has_all_of_it(page, address, theme):
    page.set_viewport_size(harness.NARROW)
    page.emulate_media(color_scheme=theme)
    opened(page, address, f"{VIEW}&focus=web-net-0000&depth=2")
    assert page.evaluate("document.documentElement.scrollWidth") <= harness.NARROW["width"]
    assert "web-rtr-0000" in "".join(lines(page))
    page.goto(f"{address}/?view=map")
    page.wait_for_selector("g.map-place")
    assert page.evaluate("document.documentElement.scrollWidth") <= harness.NARROW["width"]


def test_the_outlines_are_those_of_the_file(page, address):
    """No edge of a country leads around the world."""
    page.goto(address)
    file = ROOT / "web" / "page" / "vendor" / "countries-110m.json"
    script = """async (topology) => {
        const { landPath } = await import("/static/topology/outlines.js");
        return landPath(topology);
    }"""
    path = page.evaluate(script, json.loads(file.read_text(encoding="utf-8")))
    rings = [
        [tuple(map(float, point.split())) for point in ring.rstrip("Z").split("L")]
        for ring in path.split("M")[1:]
    ]
    assert len(rings) > 200
    longest = max(abs(one[0] - other[0]) for ring in rings for one, other in zip(ring, ring[1:]))
    assert longest < 40
    assert all(-90 <= y <= 60 for ring in rings for _, y in ring)
