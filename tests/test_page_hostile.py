"""Names that an attacker chose are text, wherever the page shows them."""

import pytest

from inventory import Failure, Inventory
from tests.browser import show, site_of
from tests.inventories import server
from web.service import utc_now

SCRIPT = "<script>window.hacked = 1</script>"
HOSTILE = {
    "script": SCRIPT,
    "closing": "</script></title><img src=x onerror='window.hacked = 1'>",
    "quotes": "\"'><svg onload=window.hacked=1>",
    "backwards": "invoice\u202egnp.exe",
    "long": "long-" + "x" * 10_000,
    "template": "${window.hacked = 1}{{window.hacked = 1}}",
    "link": "javascript:window.hacked=1",
}
LABEL = "<b onclick=window.hacked=1>label</b>"
VIEWS = (
    "overview",
    "resources",
    "changes",
    "trouble",
    "polls",
    "saved",
    "accounts",
    "topology",
    "map",
)


def identifier(text):
    return text[:900]  # an inventory refuses longer ones


def resources(suffix=""):
    """Each hostile text as id, name, tag, state and a value of the provider's."""
    for text in HOSTILE.values():
        found = server(
            identifier(text),
            text,
            state=text[:200],
            tags={text: text},
            connections={"network": [{"id": identifier(text)}], "server": [{"id": SCRIPT}]},
            Own=text + suffix,
        )
        found["base"]["native_portal_link"] = HOSTILE["link"]
        yield found


@pytest.fixture(scope="module")
def hostile(new_inventory, tmp_path_factory):
    file = tmp_path_factory.mktemp("hostile") / "inventory.db"
    file.write_bytes(new_inventory.read_bytes())
    with Inventory(file) as inventory:
        for suffix in ("", SCRIPT):
            now = utc_now()
            scopes = {SCRIPT: [*resources(suffix)], "lost": Failure(SCRIPT)}
            times = {"started_at": now, "ended_at": now}
            inventory.store("shop", "servers", scopes, provider=SCRIPT, **times)
            inventory.take_snapshot(LABEL + suffix)
        logs = [{"time": "2026-11-22T10:00:00Z", "resource_id": SCRIPT, "resource_type": "server"}]
        logs = [{**logs[0], "message": SCRIPT, "severity": SCRIPT, "user": SCRIPT, "id": "1"}]
        inventory.store_points("shop", "servers", "get_logs", logs, provider=SCRIPT)
    with site_of(file, writes=True) as running:
        yield running


def check(page, *texts):
    """Nothing ran, nothing became an element, each text can be read, and nothing made the page wider."""
    assert page.evaluate("window.hacked") is None
    assert (
        page.evaluate(
            "document.querySelector('#main script, #main [onerror], [onload], [onclick]')"
        )
        is None
    )
    assert (
        page.evaluate(
            "[...document.links].filter((each) => each.protocol === 'javascript:').length"
        )
        == 0
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown = page.evaluate("document.getElementById('main').textContent")
    for text in texts:
        assert text[:60] in shown


@pytest.mark.parametrize("view", VIEWS)
def test_each_view(page, hostile, view):
    show(page, hostile.url(view))
    check(page, *(HOSTILE.values() if view == "resources" else ()))


@pytest.mark.parametrize("kind", ["closing", "backwards", "long"])
def test_a_resource_and_its_search(page, hostile, kind):
    text = HOSTILE[kind]
    show(
        page,
        hostile.url("resource", id=identifier(text), account="shop", type="server", since="all"),
    )
    check(page, text)
    show(page, hostile.url("search", q=text[:1000]))
    check(page, text)


def test_the_past_by_a_hostile_name(page, hostile):
    show(page, hostile.url("resources", as_of=LABEL))
    check(page, SCRIPT)
    assert LABEL in page.locator(".past-banner").inner_text()
    page.locator(".moment summary").click()
    page.get_by_role("button", name=LABEL + SCRIPT).wait_for()
    check(page)


def test_what_reads_backwards_stays_within_itself(page, hostile):
    """A name with a right-to-left override may not turn the words around it."""
    show(page, hostile.url("resources"))
    found = page.evaluate(
        """() => [...document.querySelectorAll('body *')].filter((each) =>
          [...each.childNodes].some((node) => node.nodeType === 3 && node.data.includes('\\u202e'))
          && !['isolate', 'plaintext', 'isolate-override'].includes(getComputedStyle(each).unicodeBidi)
        ).map((each) => each.outerHTML)"""
    )
    assert found == []
