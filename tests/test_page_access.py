"""The page's login with a token, and what it may write."""

import pytest

from tests.browser import SHOWN, site_of
from web.service import utc_now
from web.tokens import READ, VIEWS, Tokens


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    return Tokens(tmp_path_factory.mktemp("tokens") / "tokens.json")


@pytest.fixture(scope="module")
def closed(demo_file, tokens):
    """A service that wants a token of everybody."""
    tokens.add("somebody", [READ], None, utc_now())
    with site_of(demo_file, tokens=tokens, token_needed=True, writes=True) as running:
        yield running


def log_in(page, token):
    page.get_by_label("Token", exact=True).fill(token)
    page.keyboard.press("Enter")


def test_a_token_is_given_once_and_leads_back(page, closed, tokens):
    token = tokens.add("reader", [READ, VIEWS], None, utc_now())
    page.goto(closed.url("resources", type="server"))
    page.wait_for_selector(".view-login")
    log_in(page, "cmp_wrong")
    page.get_by_role("alert").get_by_text("not known").wait_for()
    page.problems.expect("401")
    log_in(page, token)
    page.wait_for_selector(".view-resources")
    page.wait_for_selector(SHOWN)
    assert "type=server" in page.url
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    kept = (
        "JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}, location.href])"
    )
    assert token not in page.evaluate(kept)
    assert cookie["value"] not in page.evaluate(kept)
    page.reload()
    page.wait_for_selector(".view-resources")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_selector(".view-login")
    assert page.context.cookies() == []


def test_a_token_without_a_right_is_not_offered_it(page, closed, tokens):
    token = tokens.add("only-reads", [READ], ["demo-aws"], utc_now())
    page.goto(closed.url("accounts"))
    page.wait_for_selector(".view-login")
    page.problems.expect("401")
    log_in(page, token)
    page.wait_for_selector(".view-accounts")
    page.wait_for_selector(SHOWN)
    shown = page.locator("#main").inner_text()
    assert "demo-aws" in shown and "demo-openstack" not in shown


def test_a_write_by_the_cookie_alone_is_refused(page, closed, tokens):
    """As from a form of another site, if the browser sent the cookie with it."""
    token = tokens.add("writer", [READ, VIEWS], None, utc_now())
    page.goto(closed.url())
    page.wait_for_selector(".view-login")
    page.problems.expect("401")
    log_in(page, token)
    page.wait_for_selector(".view-overview")
    write = """(headers) => fetch('/api/v1/views/mine', {
      method: 'PUT', headers: {'Content-Type': 'application/json', ...headers}, body: '{"url": "/?view=polls"}',
    }).then((response) => response.status)"""
    assert page.evaluate(write, {}) == 403
    page.problems.expect("403")
    csrf = page.evaluate(
        "fetch('/api/v1/session').then((r) => r.json()).then((found) => found.csrf)"
    )
    assert page.evaluate(write, {"X-CSRF-Token": csrf}) in (200, 201, 204)


def test_a_session_that_ends_leads_to_the_login(page, closed, tokens):
    token = tokens.add("leaver", [READ], None, utc_now())
    page.goto(closed.url())
    page.wait_for_selector(".view-login")
    log_in(page, token)
    page.wait_for_selector(".view-overview")
    page.wait_for_selector(SHOWN)
    tokens.remove("leaver")
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.wait_for_selector(".view-login")
    page.problems.expect("401")
