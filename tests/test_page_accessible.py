"""Each view with axe-core in both themes, and by the keyboard alone."""

import pytest

from tests import demo
from tests.browser import WIDE, show

SERVER = {"id": "i-05159d0dbffb538ae", "account": "demo-aws", "type": "server"}
# Each view as an operator sees it, with something in it and with nothing.
STATES = {
    "overview": {"as_of": demo.LABEL},  # with the banner of the past
    "resources": {"account": "demo-juju"},
    "resources, none": {"view": "resources", "name": "nothing has this name"},
    "resource": {**SERVER, "since": "all"},
    "search": {"q": "10.13.255.55"},
    "search, nowhere": {"view": "search", "q": "198.51.100.99"},
    "changes": {"from": demo.LABEL, "to": "now", "type": "circuit"},
    "trouble": {"tab": "redundancy"},
    "polls": {},
    "saved": {},
    "accounts": {},
    "topology": {"focus": "web-rtr-0000", "faccount": "demo-openstack"},
    "map": {},
    "not there": {"view": "resource", "id": "nowhere"},
}
DARK = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}  # what a theme can break
RULES = {"resultTypes": ["violations"]}
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def axe(browser, site):
    """A window of its own, whose policy lets axe in."""
    from axe_playwright_python.base import AXE_SCRIPT

    context = browser.new_context(viewport=WIDE, bypass_csp=True)
    page = context.new_page()
    page.add_init_script(AXE_SCRIPT)
    yield page
    context.close()


def url(site, name):
    return site.url(**{"view": name, **STATES[name]})


def violations(axe, rules):
    found = axe.evaluate("(rules) => axe.run(document, rules)", rules)["violations"]
    return [
        f"{each['id']} ({each['impact']}): {node['target']} {node['html'][:200]} {node['failureSummary']}"
        for each in found
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("name", STATES)
def test_axe_finds_nothing_serious(axe, site, name):
    axe.emulate_media(color_scheme="light")
    show(axe, url(site, name))
    found = violations(axe, RULES)
    axe.emulate_media(color_scheme="dark")
    found += violations(axe, {**RULES, **DARK})
    assert not found, "\n".join(found)
