"""What polls bring in while the page is open: it is counted and said, moves nothing, and none is lost or counted twice
when the stream of events is interrupted."""

import re

from inventory import Inventory
from tests.browser import SHOWN, show
from tests.inventories import server
from web.service import utc_now

NOTICE = "button.waiting"
# How far the window and the table are scrolled, what has the focus, and what can be read.
HERE = """[scrollY, document.querySelector("#main .scroll").scrollTop, document.activeElement.textContent,
  document.getElementById("main").innerText]"""


def poll(site, *names):
    """The account "live" has these servers now."""
    now = utc_now()
    with Inventory(site.file) as inventory:
        found = {"here": [server(f"i-{name}", name) for name in names]}
        times = {"started_at": now, "ended_at": now}
        inventory.store("live", "servers", found, provider="acme", all_scopes=True, **times)


def changes(page, number):
    page.wait_for_selector(f"{NOTICE}:has-text('{number} change')")


def listening(page, site):
    """The page with its stream of events open: what comes from now on is seen."""
    page.wait_for_selector("html[data-live=on]")


def test_what_comes_in_moves_nothing_until_it_is_wanted(page, site):
    poll(site, "one")
    show(page, site.url("resources", type="server"))
    listening(page, site)
    link = page.locator("#main tbody tr:nth-child(60) a").first
    link.focus()
    before = page.evaluate(HERE)
    assert sum(before[:2]) > 700
    poll(site, "one", "two", "three")
    changes(page, 2)
    assert page.evaluate(HERE) == before
    page.locator(NOTICE).click()
    page.wait_for_selector("text=three")
    assert page.locator(NOTICE).count() == 0


def test_what_comes_in_does_not_concern_the_past(page, site):
    show(page, site.url("resources", as_of="before the changes"))
    listening(page, site)
    with page.expect_response(re.compile("/scopes")):  # the age in the header is looked at anew
        poll(site, "past")
    assert page.locator(NOTICE).count() == 0


def test_an_interrupted_stream_goes_on_where_it_was(page, site):
    poll(site)
    show(page, site.url("polls"))
    listening(page, site)
    poll(site, "a")
    changes(page, 1)
    site.streams.cut()
    page.wait_for_selector("html[data-live=off]")
    poll(site, "a", "b")  # while nobody listens
    changes(page, 2)  # neither lost nor counted twice
    assert site.streams.resumed[-1] not in (None, "", *site.streams.resumed[:-1])
    page.locator(NOTICE).click()
    page.wait_for_selector(SHOWN)
    assert page.locator(NOTICE).count() == 0
