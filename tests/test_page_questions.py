"""What a reader finds by clicking, on the demo accounts: where something is, what stops with it, what changed, and which
WAN link is missing."""

import re

import pytest

from tests import demo
from tests.browser import SHOWN, show

ROUTER = "web-rtr-0000"
WEAKENED = {
    "ñandú-vm-0008",
    "demo-twin-1",
    "under_score-vm-0024",
    "データ基盤-vm-0032",
    "web-vm-0000",
}
PASTED = {
    "id": ("i-05159d0dbffb538ae", "i-05159d0dbffb538ae"),
    "address": ("10.11.2.5", "i-05159d0dbffb538ae"),
    "ARN": (
        "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/shop/a0dcc822192557d7",
        "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/shop/a0dcc822192557d7",
    ),
}


def search(page, text):
    page.keyboard.press("/")
    page.keyboard.insert_text(text)
    page.keyboard.press("Enter")


def main(page):
    return page.locator("#main").inner_text()


@pytest.mark.parametrize("text, id", PASTED.values(), ids=PASTED)
def test_what_is_pasted_leads_to_its_resource(page, site, text, id):
    show(page, site.url("accounts"))
    search(page, text)
    page.wait_for_selector(".view-resource")
    page.wait_for_selector(SHOWN)
    assert id in main(page)
    page.go_back()  # to what the search found
    page.wait_for_selector(".view-search")
    page.go_back()
    page.wait_for_selector(".view-accounts")


def test_several_hits_are_a_list(page, site):
    show(page, site.url("accounts"))
    search(page, "shop")
    page.wait_for_selector(".view-search tbody tr:nth-child(3)")


def test_of_many_hits_the_first_come_at_once(page, site):
    show(page, site.url("search", q="10.0.0.0/8"))
    assert re.search(r"over \d{2,3} hits", main(page))
    page.get_by_role("button", name="Up to 1,000").click()
    page.get_by_text("223 hits", exact=True).wait_for()
    assert page.get_by_role("button", name="Up to 1,000").count() == 0


def test_nowhere_has_its_proof(page, site):
    show(page, site.url("accounts"))
    search(page, "198.51.100.99")
    page.wait_for_selector(".proof")
    assert "Nowhere" in main(page) and "each was complete" in main(page)


def test_nothing_matches_says_why(page, site):
    show(page, site.url("resources", name="no such name"))
    assert "Nothing matches these filters" in main(page)


def test_which_servers_stop_with_a_router(page, site):
    show(page, site.url())
    search(page, ROUTER)
    page.get_by_role("link", name=ROUTER).click()
    page.wait_for_selector(".view-resource")
    page.get_by_role("link", name="What if it stops?").click()
    page.wait_for_selector(".view-trouble")
    page.wait_for_selector(SHOWN)
    rows = page.locator("#main tbody tr").all_inner_texts()
    servers = {name: row for row in rows for name in WEAKENED if name in row}
    assert set(servers) == WEAKENED  # none stops: another router is left
    assert all("degraded" in row for row in servers.values())
    assert "0 stop" in main(page)


def test_what_changed_between_the_two_moments(page, site):
    show(page, site.url())
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Changes").click()
    page.wait_for_selector(".view-changes")
    page.get_by_role("combobox", name="From").fill(demo.LABEL)
    page.get_by_role("button", name="Compare").click()
    page.wait_for_selector("#main tbody tr")
    rows = page.locator("#main tbody tr").all_inner_texts()
    assert any("batch-old" in row and "gone" in row for row in rows)
    assert any("db-2" in row and "re-created" in row for row in rows)
    assert demo.LABEL.replace(" ", "+") in page.url


def test_which_wan_link_is_missing(page, site):
    show(page, site.url())
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Map").click()
    page.wait_for_selector("#missing")
    assert {"legacy/wide", "retail/video"} == {
        each.strip() for each in page.locator("#missing a").all_inner_texts()
    }
    page.locator("#missing a").first.click()
    page.wait_for_selector(".view-resource")
    page.wait_for_selector(SHOWN)
    assert "legacy/wide" in main(page)


def test_a_plot_of_each_metric(page, site):
    show(page, site.url("resource", id="i-4e5fde90699c57740", type="server", since="all"))
    plots = page.locator(".plots svg")
    assert plots.count() >= 3
    assert "cpu-usage" in page.locator(".plots").inner_text()


def test_what_is_seen_can_be_copied(page, site):
    """The same as a command and as a request, the id, and the table as CSV."""
    show(page, site.url("resources", type="server", account="demo-juju"))
    same = page.locator("#same").inner_text()
    assert "flexlocal inventory list --account demo-juju --type server" in same
    assert "GET /api/v1/resources?account=demo-juju&type=server" in same
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    lines = download.value.path().read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("Name,") and len(lines) == 1 + page.locator("#main tbody tr").count()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = page.get_by_role("button", name="Copy id").first
    id = button.get_attribute("aria-label").removeprefix("Copy id ")
    button.click()
    page.wait_for_selector("#announcer:has-text('Copied')", state="attached")
    assert page.evaluate("navigator.clipboard.readText()") == id
