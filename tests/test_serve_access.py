"""Who may do what with the REST service: tokens, scopes, accounts, sessions, the Host check, and what is never shown."""

import datetime
import json
import re

import pytest

pytest.importorskip("fastapi", reason="the REST service needs Python 3.10 and the extra [serve]")

from flexlocal import serve_polls
from inventory import Inventory
from tests.inventories import poll, server
from tests.serving import (
    BASE,
    EVERY_SCOPE,
    OTHERS,
    Clock,
    bearer,
    copy_example,
    operations,
    service,
)
from web.callers import BURST, COOKIE, RATE, Rates
from web.service import MayNotPoll
from web.tokens import POLLS, READ, SNAPSHOTS

LABEL = "before the changes"
WRITES = {"token_needed": True, "writes": True}


@pytest.fixture(scope="module")
def demo(demo_file, tmp_path_factory):
    """With a token of each kind; none is needed for what it is not."""
    folder = tmp_path_factory.mktemp("access")
    with service(demo_file, folder, token_needed=True) as client:
        now = client.service.now()
        add = client.tokens.add
        client.whole = bearer(add("whole", EVERY_SCOPE, None, now))
        client.limited = bearer(add("limited", EVERY_SCOPE, ["demo-aws"], now))
        client.nobody = bearer(add("nobody", EVERY_SCOPE, [], now))
        client.polls_only = bearer(add("polls", [POLLS], None, now))
        yield client


@pytest.fixture
def shop(tmp_path):
    """Two accounts, shop and lab, that may be written, at a time that the test sets."""
    copy_example(tmp_path)
    clock = Clock()
    with service(tmp_path / "shop.db", tmp_path, now=clock.now, **WRITES) as client:
        client.clock = clock
        yield client


def token(client, scopes=EVERY_SCOPE, accounts=None, **lasts):
    now = client.service.now()
    number = len(client.tokens.all())
    expires = None if not lasts else now + datetime.timedelta(**lasts)
    return client.tokens.add(f"t{number}", scopes, accounts, now, expires)


# --- every operation ---


def parameters(client):
    """For each operation that reads: what makes it answer with rows of demo-aws."""
    rows = client.get(
        f"{BASE}/resources?account=demo-aws&type=server", headers=client.whole
    ).json()["items"]
    one = {"id": rows[0]["id"]}
    two = {"from": rows[0]["id"], "to": rows[0]["id"]}
    return {
        "/resource": one,
        **{f"/resource/{each}": {**one} for each in ("history", "status", "metrics", "logs")},
        "/search": {"q": "a"},
        "/diff": {"from": LABEL},
        "/snapshots/compare": {"before": LABEL},
        "/topology/focus": {**one, "depth": 4},
        "/topology/impact": {"down": one["id"]},
        "/topology/customers": {"down": one["id"], "owner": "stage"},
        "/topology/path": two,
        "/topology/cliques": one,
    }


def walked(client, headers):
    """The answers of all operations that read, by path."""
    given = parameters(client)
    found = {}
    for method, path in operations(client):
        short = path.removeprefix(BASE)
        if method != "GET" or short in ("/events", "/healthz", "/readyz"):
            continue
        url = path.replace("{name}", "x")
        found[short] = client.get(url, params=given.get(short, {}), headers=headers)
    return found


def test_a_token_of_one_account_is_shown_nothing_of_the_others(demo):
    """All operations; what they have to hide is in the answers of a token for all."""
    whole, limited = walked(demo, demo.whole), walked(demo, demo.limited)
    assert len(limited) > 30
    hidden = set()
    for path, answer in limited.items():
        text = answer.text + json.dumps(dict(answer.headers))
        assert answer.status_code in (200, 400, 404), (path, text)
        assert not [name for name in OTHERS if name in text], path
        if any(name in whole[path].text for name in OTHERS):
            hidden.add(path)
    assert {
        "/resources",
        "/resources.ndjson",
        "/accounts",
        "/search",
        "/polls",
        "/scopes",
    } <= hidden
    assert {"/topology/groups", "/topology/problems", "/topology/spof", "/topology/now"} <= hidden
    for path in ("/resources", "/topology/groups", "/diff", "/resource", "/topology/spof"):
        assert limited[path].status_code == 200
        assert "demo-aws" in limited[path].text, path


def test_counts_and_etags_are_of_its_accounts_too(demo):
    whole = demo.get(f"{BASE}/resources?count=true&limit=1", headers=demo.whole).json()
    limited = demo.get(f"{BASE}/resources?count=true&limit=1", headers=demo.limited).json()
    assert (whole["total"], limited["total"]) == (525, 177)
    taken = demo.get(f"{BASE}/snapshots", headers=demo.limited).json()["items"][0]
    assert (taken["resources"], taken["runs"]) == (176, [])
    assert (
        taken["scopes"]
        < demo.get(f"{BASE}/snapshots", headers=demo.whole).json()["items"][0]["scopes"]
    )
    found = demo.get(f"{BASE}/topology/groups", headers=demo.limited).json()["nodes"]
    assert [node["label"] for node in found] == ["demo-aws"]
    nothing = walked(demo, demo.nobody)
    assert nothing["/resources"].json()["items"] == []
    for path, answer in nothing.items():
        assert "demo-" not in answer.text.replace(LABEL, "").replace("demo.db", ""), path


def test_another_account_is_none(demo):
    for path in (
        "/resources?account=demo-osm",
        "/search?q=a&account=demo-osm",
        "/polls?account=demo-osm",
    ):
        answer = demo.get(BASE + path, headers=demo.limited)
        assert answer.status_code == 400, path
        assert "there are demo-aws" in answer.json()["detail"]
    other = demo.get(f"{BASE}/resources?account=demo-osm&limit=1", headers=demo.whole).json()[
        "items"
    ][0]
    asked_for = {"id": other["id"], "type": other["type"]}
    for path in ("/resource", "/resource/history", "/resource/status", "/topology/focus"):
        answer = demo.get(BASE + path, params=asked_for, headers=demo.limited)
        assert answer.status_code == 404, path


def test_a_poll_of_another_account_changes_no_etag(shop):
    mine = bearer(token(shop, [READ], ["lab"]))
    first = shop.get(f"{BASE}/resources", headers=mine).headers["etag"]
    poll(shop.inventory, 40, [server("i-1", "new")])
    assert shop.get(f"{BASE}/resources", headers=mine).headers["etag"] == first
    poll(shop.inventory, 41, [server("i-9", "new")], account="lab", provider="other")
    assert shop.get(f"{BASE}/resources", headers=mine).headers["etag"] != first


def test_a_change_window_of_another_account_is_none(shop):
    shop.inventory.open_window("of the shop", concerns={"account": "shop"})
    shop.inventory.open_window("of all")
    poll(shop.inventory, 50, [server("i-1", "new")])
    mine = bearer(token(shop, [READ], ["lab"]))
    assert [w["name"] for w in shop.get(f"{BASE}/windows", headers=mine).json()["items"]] == [
        "of all"
    ]
    assert shop.get(f"{BASE}/windows/of the shop", headers=mine).status_code == 404
    seen = shop.get(f"{BASE}/windows/of all", headers=mine)
    assert seen.json()["items"] == []
    assert "shop" not in seen.text.replace("of the shop", "")
    assert shop.get(f"{BASE}/windows/of all", headers=bearer(token(shop))).json()["items"]


def test_views_are_seen_by_whoever_may_see_what_they_name(shop):
    whole = bearer(token(shop))
    lab, both = (bearer(token(shop, accounts=names)) for names in (["lab"], ["lab", "shop"]))
    url = {"url": "/?account=shop#/resources"}
    assert shop.put(f"{BASE}/views/all", json=url, headers=whole).status_code == 200
    assert shop.put(f"{BASE}/views/mine", json={"url": "/?q=1"}, headers=lab).status_code == 200

    def names(headers):
        return [row["name"] for row in shop.get(f"{BASE}/views", headers=headers).json()["items"]]

    assert (names(whole), names(lab), names(both)) == (["all", "mine"], ["mine"], ["mine"])
    assert shop.put(f"{BASE}/views/all", json=url, headers=lab).status_code == 404
    assert shop.delete(f"{BASE}/views/all", headers=lab).status_code == 404
    for bad in ("//evil.example/", "https://evil.example", "javascript:alert(1)", "/\\evil", ""):
        assert shop.put(f"{BASE}/views/x", json={"url": bad}, headers=whole).status_code == 400
    assert shop.delete(f"{BASE}/views/mine", headers=lab).status_code == 200
    assert names(whole) == ["all"]


# --- tokens ---


@pytest.mark.parametrize(
    "header", ["Bearer x", "Bearer", "Basic eDp5", "Bearer cmp_" + "x" * 5000, "é"]
)
def test_a_wrong_token_is_401(demo, header):
    answer = demo.get(f"{BASE}/info", headers={"Authorization": header.encode()})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_no_token_a_removed_and_an_expired_one_are_401_and_a_small_one_403(shop):
    assert shop.get(f"{BASE}/info").status_code == 401
    short = bearer(token(shop, hours=1))
    assert shop.get(f"{BASE}/info", headers=short).status_code == 200
    shop.clock.passes(hours=1)
    answer = shop.get(f"{BASE}/info", headers=short)
    assert (answer.status_code, "has expired" in answer.json()["detail"]) == (401, True)
    mine = bearer(token(shop))
    shop.tokens.remove("t1")
    assert shop.get(f"{BASE}/info", headers=mine).status_code == 401
    small = bearer(token(shop, [POLLS]))
    answer = shop.get(f"{BASE}/info", headers=small)
    assert (answer.status_code, answer.json()["scopes"]) == (403, [POLLS])


def test_every_operation_needs_a_token_and_its_scope(demo):
    free = {
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("POST", f"{BASE}/session"),
        ("DELETE", f"{BASE}/session"),
    }
    any_scope = {("GET", f"{BASE}/session"), ("POST", f"{BASE}/polls")}
    checked = 0
    for method, path in operations(demo).keys() - free:
        url = path.replace("{label}", "x").replace("{name}", "x")
        assert demo.request(method, url).status_code == 401, (method, path)
        if (method, path) not in any_scope:
            assert demo.request(method, url, headers=demo.polls_only).status_code == 403, path
            checked += 1
    assert checked > 35


def test_a_damaged_file_of_tokens_lets_nobody_in(shop):
    shop.tokens.file.write_text("{}")
    shop.tokens.file.chmod(0o600)
    answer = shop.get(f"{BASE}/info", headers=bearer("x"))
    assert (answer.status_code, shop.get(f"{BASE}/info").status_code) == (503, 401)


def test_the_last_use_is_kept(shop):
    mine = bearer(token(shop))
    assert shop.tokens.all()[0].used_at is None
    shop.get(f"{BASE}/info", headers=mine)
    assert shop.tokens.all()[0].used_at == shop.clock.time


def test_where_tokens_are_none_is_needed_on_this_host_until_there_is_one(tmp_path):
    copy_example(tmp_path)
    with service(tmp_path / "shop.db", tmp_path) as client:
        assert client.get(f"{BASE}/info").status_code == 200
        mine = bearer(token(client))
        assert client.get(f"{BASE}/info").status_code == 401
        assert client.get(f"{BASE}/info", headers=mine).status_code == 200


def test_a_token_that_sends_too_much_waits_and_no_other_one_does(shop):
    ticks = [0.0]
    shop.service.rates = Rates(lambda: ticks[0])
    busy, other = bearer(token(shop)), bearer(token(shop))
    digest = shop.tokens.all()[0].hash
    for _ in range(int(BURST)):
        assert shop.service.rates.take(digest) == 0
    answer = shop.get(f"{BASE}/info", headers=busy)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert shop.get(f"{BASE}/info", headers=other).status_code == 200
    ticks[0] += 1 / RATE
    assert shop.get(f"{BASE}/info", headers=busy).status_code == 200


# --- writes ---


def test_nothing_is_written_unless_it_was_allowed(demo):
    found = 0
    for method, path in operations(demo):
        if method != "GET" and not path.endswith("/session"):
            url = path.replace("{label}", "x").replace("{name}", "x")
            answer = demo.request(method, url, headers=demo.whole, json={})
            assert answer.status_code == 403, (method, path)
            assert "--allow-writes" in answer.json()["detail"]
            found += 1
    assert found == 8


def test_snapshots_and_windows_are_written(shop):
    mine = bearer(token(shop, [READ, SNAPSHOTS]))

    def send(method, path, status, body=None):
        answer = shop.request(method, BASE + path, json=body, headers=mine)
        assert answer.status_code == status, answer.text
        return answer.json()

    assert (
        send("POST", "/snapshots", 201, {"label": "a", "at": "2026-01-01T10:05:00Z"})["resources"]
        == 6
    )
    send("POST", "/snapshots", 400, {"label": "a"})
    send("POST", "/snapshots", 400, {"lable": "a"})
    send("POST", "/snapshots", 400, {"label": "b", "at": "yesterday"})
    assert send("PUT", "/snapshots/a/pin", 200)["pinned_at"]
    send("PUT", "/snapshots/b/pin", 404)
    send("DELETE", "/snapshots/a", 400)
    assert send("GET", "/snapshots/compare?before=baseline", 200)["baseline"] is None
    assert send("POST", "/windows", 201, {"name": "w", "account": "lab"})["state"] == "open"
    send("POST", "/windows", 400, {"name": "v", "account": "lap"})
    assert send("POST", "/windows/w/close", 200)["state"] == "closed"
    send("POST", "/windows", 201, {"name": "v"})
    problem = send("POST", "/windows/v/close", 409)
    assert problem["items"]
    assert send("GET", "/windows/v", 200)["may_close"] is False
    send("GET", "/windows/u", 404)
    limited = bearer(token(shop, accounts=["lab"]))
    assert shop.post(f"{BASE}/snapshots", json={}, headers=limited).status_code == 403


def test_a_body_is_json_and_not_too_large(shop):
    mine = bearer(token(shop))
    for content, status in (
        (b"{", 400),
        (b'{"label": 1}', 400),
        (b"[]", 400),
        (b"x" * 70_000, 413),
    ):
        headers = {**mine, "Content-Type": "application/json"}
        assert (
            shop.post(f"{BASE}/snapshots", content=content, headers=headers).status_code == status
        )
    parts = (b"x" * 10_000 for _ in range(10))  # of no known length
    headers = {**mine, "Content-Type": "application/json"}
    assert shop.post(f"{BASE}/snapshots", content=parts, headers=headers).status_code in (400, 413)
    assert shop.post(f"{BASE}/snapshots", content=b"label=a", headers=mine).status_code == 400


def test_a_poll_is_started_by_who_may(shop, tmp_path):
    started = []

    def start(account, family):
        if family == "busy":
            raise MayNotPoll("it is being polled")
        started.append((account, family))
        return ["servers"]

    from web.service import Account

    shop.service.settings.start_poll = start
    shop.service.settings.accounts = lambda: [Account("lab", "other", ("servers",))]
    mine = bearer(token(shop, [POLLS]))
    answer = shop.post(f"{BASE}/polls", json={"account": "lab"}, headers=mine)
    assert (answer.status_code, answer.json()["families"]) == (202, ["servers"])
    assert answer.headers["location"] == f"{BASE}/polls?account=lab"
    assert started == [("lab", None)]
    assert shop.post(f"{BASE}/polls", json={"account": "x"}, headers=mine).status_code == 404
    body = {"account": "lab", "family": "busy"}
    assert shop.post(f"{BASE}/polls", json=body, headers=mine).status_code == 409
    other = bearer(token(shop, [POLLS], ["shop"]))
    assert shop.post(f"{BASE}/polls", json={"account": "lab"}, headers=other).status_code == 404
    assert started == [("lab", None)]


# --- the page's session ---


def test_a_page_logs_in_once_and_writes_with_what_only_it_can_read(shop):
    text = token(shop)
    login = shop.post(f"{BASE}/session", json={"token": text})
    assert login.status_code == 201
    cookie = login.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert text not in cookie
    csrf = login.json()["csrf"]
    assert shop.get(f"{BASE}/session").json()["csrf"] == csrf
    assert shop.get(f"{BASE}/resources").status_code == 200
    view = {"url": "/?q=1"}
    assert shop.put(f"{BASE}/views/a", json=view).status_code == 403
    assert shop.put(f"{BASE}/views/a", json=view, headers={"X-CSRF-Token": "x"}).status_code == 403
    assert shop.put(f"{BASE}/views/a", json=view, headers={"X-CSRF-Token": csrf}).status_code == 200
    assert shop.delete(f"{BASE}/session").status_code == 403
    assert shop.delete(f"{BASE}/session", headers={"X-CSRF-Token": csrf}).status_code == 200
    shop.cookies.set(COOKIE, re.search(r"flexlocal=([^;]+)", cookie)[1])
    assert shop.get(f"{BASE}/resources").status_code == 401


def test_a_session_ends_with_its_token_and_after_twelve_hours(shop):
    text = token(shop)
    assert shop.post(f"{BASE}/session", json={"token": "wrong"}).status_code == 401
    assert shop.post(f"{BASE}/session", json={"token": text}).status_code == 201
    shop.clock.passes(hours=11, minutes=59)
    assert shop.get(f"{BASE}/info").status_code == 200
    shop.clock.passes(minutes=1)
    assert shop.get(f"{BASE}/info").status_code == 401
    shop.cookies.clear()
    assert shop.post(f"{BASE}/session", json={"token": text}).status_code == 201
    shop.tokens.remove("t0")
    assert shop.get(f"{BASE}/info").status_code == 401


def test_a_cookie_is_for_tls_alone_where_browsers_use_it(tmp_path):
    copy_example(tmp_path)
    with service(tmp_path / "shop.db", tmp_path, secure=True, hosts=None) as client:
        login = client.post(f"{BASE}/session", json={"token": token(client)})
        assert "Secure" in login.headers["set-cookie"].split("; ")
        assert "max-age" in login.headers["strict-transport-security"]


def test_on_this_host_writes_need_what_other_sites_can_not_read(tmp_path):
    copy_example(tmp_path)
    with service(tmp_path / "shop.db", tmp_path, writes=True) as client:
        assert client.post(f"{BASE}/snapshots", json={}).status_code == 403
        csrf = client.get(f"{BASE}/session").json()["csrf"]
        headers = {"X-CSRF-Token": csrf}
        assert client.post(f"{BASE}/snapshots", json={}, headers=headers).status_code == 201


# --- browsers ---


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "127.0.0.2", "[::2]:80", "localhost:x"]
)
def test_dns_rebinding_is_refused(demo, host):
    for path in ("/", f"{BASE}/info", "/healthz"):
        answer = demo.get(path, headers={**demo.whole, "Host": host})
        assert answer.status_code == 421, path
        assert "demo-" not in answer.text


@pytest.mark.parametrize(
    "host", ["127.0.0.1:1", "localhost", "LOCALHOST:80", "[::1]:8765", "localhost."]
)
def test_this_host_has_several_names(demo, host):
    assert demo.get(f"{BASE}/info", headers={**demo.whole, "Host": host}).status_code == 200


def test_every_answer_has_the_headers_that_browsers_look_at(demo):
    for path in ("/", "/static/nothing", f"{BASE}/info", f"{BASE}/nothing", "/healthz"):
        headers = demo.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers
    assert demo.get(f"{BASE}/info", headers=demo.whole).headers["cache-control"] == "no-store"


# --- secrets ---


def test_no_secret_of_an_account_is_in_any_answer_log_or_description(
    tmp_path, demo_file, monkeypatch
):
    secret = "Hidden-Word-4711"
    file = tmp_path / "accounts.yaml"
    file.write_text(
        "version: 1\naccounts:\n  shop:\n    provider: netbox\n    credentials:\n"
        f"      url: https://u:{secret}@127.0.0.1:1\n      token: {secret}\n"
        f"    options: {{note: {secret}}}\n"
    )
    file.chmod(0o600)
    with service(demo_file, tmp_path, writes=True, token_needed=True) as client:
        polls = serve_polls.Polls(client.inventory, str(file), demo=False)
        client.service.settings.accounts = polls.accounts
        client.whole = bearer(token(client))
        found = walked(client, client.whole)
        assert "shop" in found["/accounts"].text
        rows = {row["account"]: row for row in found["/accounts"].json()["items"]}
        assert set(rows["shop"]) == {"account", "provider", "families", "resources"}
        texts = [answer.text + str(answer.headers) for answer in found.values()]
        texts += client.log
        texts.append(client.get(f"{BASE}/openapi.json").text)
        texts.append(client.post(f"{BASE}/session", json={"token": secret + "x"}).text)
        own = client.whole["Authorization"].split()[1]
        for text in texts:
            assert secret not in text
            assert own not in text


def test_a_poll_that_was_started_is_stored(tmp_path):
    """Of a demo account, replayed."""
    with Inventory(tmp_path / "i.db", create=True) as inventory:
        polls = serve_polls.Polls(inventory, None, demo=True)
        assert {each.name for each in polls.accounts()} >= {"demo-tapi", "demo-osm"}
        with pytest.raises(MayNotPoll, match="has no such family; there are: wan_links"):
            polls.start("demo-tapi", "servers")
        assert polls.start("demo-tapi", "wan_links") == ["wan_links"]
        assert polls.wait(60)
        assert [run.family for run in inventory.runs()] == ["wan_links"]
        polls.stop()
