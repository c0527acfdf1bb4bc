"""That the tests of the page would notice what they claim to: a page that does wrong, in the same browser."""

import pytest

from tests import browser as harness

POLICY = {"content-security-policy": "default-src 'none'; script-src 'self' 'unsafe-eval'"}
REFUSED = "Content Security Policy"
WRONG = {
    "an error of a script": ("setTimeout(() => { throw Error('lost') })", "pageerror", "lost"),
    "an error on the console": ("console.error('lost')", "console", "error: lost"),
    "a warning": ("console.warn('old')", "console", "warning: old"),
    "an inline script": ("document.body.innerHTML = '<img src onerror=x>'", "console", REFUSED),
    "an inline style": ("document.body.setAttribute('style', 'top: 0')", "console", REFUSED),
    "a call that is refused": ("fetch('/x').catch(() => 0)", "console", REFUSED),
    "a call elsewhere": ("location.assign('http://192.0.2.1/')", "request", "left loopback"),
}


@pytest.fixture(scope="module")
def stub():
    """A page without anything, at any path."""

    async def application(scope, receive, send):
        if scope["type"] != "http":
            return
        headers = [
            (b"content-type", b"text/html"),
            *((k.encode(), v.encode()) for k, v in POLICY.items()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"<!doctype html><title>Stub</title>"})

    with harness.serving(application) as address:
        yield address


@pytest.mark.parametrize("script, event, problem", WRONG.values(), ids=WRONG)
def test_what_a_page_does_wrong_is_noticed(window, stub, script, event, problem):
    window.goto(stub)
    failing = pytest.raises(AssertionError, match=problem)
    with failing, harness.watched(window), window.expect_event(event):
        window.evaluate(f"() => {{ {script} }}")


def test_an_expected_problem_must_be_there():
    problems = harness.Problems(["error: 404", "error: lost"])
    problems.expect("404")
    assert problems == ["error: lost"]
    with pytest.raises(AssertionError):
        problems.expect("404")
