"""The page as a whole, in a real browser: each view opens by mouse and by keys, the URL holds what is shown, what is of
the past can't be missed, and live updates move nothing."""

import pytest

from tests import demo
from tests.browser import NARROW, SHOWN, show

VIEWS = {
    "overview": "o",
    "resources": "r",
    "changes": "c",
    "trouble": "w",
    "polls": "p",
    "saved": "s",
    "topology": "t",
    "map": "m",
    "accounts": "a",
}


def pressed(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def test_each_view_opens_by_a_click_and_fits_a_telephone(page, site):
    page.set_viewport_size(NARROW)
    show(page, site.url("accounts"))
    navigation = page.get_by_role("navigation", name="Views")
    for name in navigation.get_by_role("link").all_inner_texts():
        navigation.get_by_role("link", name=name, exact=True).click()
        page.wait_for_selector(f"#views a[aria-current]:text-is('{name}')")
        page.wait_for_selector(SHOWN)
        heading = page.locator("#main h1").inner_text()
        assert page.title() == f"{heading} · CMP inventory"
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], name


def test_each_view_opens_by_its_keys(page, site):
    show(page, site.url("accounts"))
    links = page.locator("#views a").count()
    assert links == len(VIEWS)
    for name, key in VIEWS.items():
        pressed(page, "g", key)
        page.wait_for_selector(f".view-{name}")
        page.wait_for_selector(SHOWN)
        assert page.evaluate("document.activeElement.id") == "main"


def test_keys_search_help_and_escape(page, site):
    show(page, site.url("accounts"))
    pressed(page, "/")
    assert page.evaluate("document.activeElement.id") == "q"
    pressed(page, "?")  # typed, not a command
    assert page.locator("#q").input_value() == "?"
    pressed(page, "Escape")
    assert page.evaluate("document.activeElement.id") == "main"
    pressed(page, "?")
    assert page.get_by_role("dialog", name="Keys").is_visible()
    pressed(page, "Escape")
    assert page.get_by_role("dialog").count() == 0


def test_the_first_tab_skips_to_the_content(page, site):
    show(page, site.url("resources"))
    page.evaluate("document.activeElement.blur()")
    pressed(page, "Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    pressed(page, "Enter", "Tab")
    assert page.evaluate("document.getElementById('main').contains(document.activeElement)")


def test_the_past_is_a_banner_and_goes_along(page, site):
    show(page, site.url("accounts"))
    page.locator(".moment summary").click()
    page.get_by_role("button", name=demo.LABEL).click()
    page.wait_for_selector(".past-banner")
    assert demo.LABEL in page.locator(".past-banner").inner_text()
    page.wait_for_selector(SHOWN)
    for name in ("resources", "polls"):
        page.locator(f"#views a[href*='view={name}']").click()
        page.wait_for_selector(f".view-{name}")
        page.wait_for_selector(SHOWN)
        assert page.locator(".past-banner").is_visible()
    page.reload()
    page.wait_for_selector(SHOWN)
    assert demo.LABEL in page.locator(".past-banner").inner_text()
    page.get_by_role("button", name="Back to now").click()
    page.wait_for_selector(".past-banner", state="detached")
    assert "as_of" not in page.url


def test_back_and_forward(page, site):
    show(page, site.url())
    for name in ("resources", "polls"):
        page.locator(f"#views a[href*='view={name}']").click()
        page.wait_for_selector(f".view-{name}")
    page.go_back()
    page.wait_for_selector(".view-resources")
    page.go_back()
    page.wait_for_selector(".view-overview")
    page.go_forward()
    page.wait_for_selector(".view-resources")
    assert "view=resources" in page.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_is_that_of_the_system_until_one_is_chosen(page, site, scheme):
    page.emulate_media(color_scheme=scheme)
    show(page, site.url("accounts"))
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == scheme
    button = page.get_by_role("button", name="Theme:")
    for chosen in ("light", "dark"):
        button.click()
        assert page.evaluate(theme) == chosen
    page.reload()
    page.wait_for_selector(SHOWN)
    assert page.evaluate(theme) == "dark"
