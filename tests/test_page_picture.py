"""The topology's picture: one selection with the tree beside it, places that stay, and ways around without a mouse."""

from tests.browser import SHOWN, show

ROUTER = {"focus": "web-rtr-0000", "faccount": "demo-openstack", "ftype": "appliance"}
TREE = "[role=treeitem]"
SELECTED = "[role=treeitem][aria-selected=true]"
# What the picture has; a canvas says nothing by itself.
DRAWN = "Number(document.getElementById('stage').dataset.drawn)"


def drawn(page):
    page.wait_for_selector("#stage[data-drawn]:not([aria-busy])")
    return page.evaluate(DRAWN)


def test_a_click_into_the_picture_selects_in_the_tree(page, site):
    show(page, site.url("topology"))
    drawn(page)
    box = page.locator("#stage").bounding_box()
    selected = None
    for part in (0.2, 0.35, 0.5, 0.65, 0.8):  # wherever a box is
        page.mouse.click(box["x"] + box["width"] * part, box["y"] + box["height"] * 0.3)
        if page.locator(SELECTED).count():
            selected = page.locator(f"{SELECTED} .name").inner_text()
            break
    assert selected
    assert selected in page.locator(".details h3").first.inner_text()


def test_nothing_moves_between_visits(page, site):
    """The places are the server's, so expanding a group leaves all others where they are."""
    found = []
    places = """(keys) => fetch('/api/v1/topology/groups?' + keys.map((key) => 'expand=' + key).join('&'))
      .then((answer) => answer.json()).then(({nodes}) => nodes.map(({key, x, y, w, h}) => [key, x, y, w, h]))"""
    show(page, site.url("topology"))
    first = page.locator(TREE).first.get_attribute("data-key")
    for keys in ([], [first], []):
        found.append({key: place for key, *place in page.evaluate(places, keys)})
    assert found[0] == found[2]
    assert len(found[1]) > len(found[0])
    assert {key: found[1][key] for key in found[0]} == found[0]


def test_a_focus_goes_further_link_by_link(page, site):
    show(page, site.url("topology", **ROUTER))
    counts = [drawn(page)]
    for depth in ("2", "3"):
        page.locator("#by-depth").select_option(depth)
        page.wait_for_url(f"**depth={depth}**")
        page.wait_for_selector(SHOWN)
        counts.append(drawn(page))
    assert counts == sorted(set(counts))
    page.locator("#leave-focus").click()
    page.wait_for_selector(SELECTED)
    assert "web-rtr-0000" in page.locator(SELECTED).inner_text()


def test_the_picture_moves_without_a_mouse(page, site):
    show(page, site.url("topology"))
    drawn(page)

    def view_after(name):
        page.get_by_role("button", name=name, exact=True).click()
        return page.locator("#stage").get_attribute("data-view")

    before = view_after("Show all")
    views = [view_after(name) for name in ("Zoom in", "Zoom out", "Move left", "Move up")]
    assert view_after("Show all") == before
    assert len({before, *views}) == len(views), (before, views)  # out again is where it was
