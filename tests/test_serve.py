"""The REST service's answers: pages that agree, times, caching, errors, exports, and the rows of the command line."""

import base64
import datetime
import json
import re

import pytest

pytest.importorskip("fastapi", reason="the REST service needs Python 3.10 and the extra [serve]")

from flexlocal.__main__ import main
from inventory import Inventory
from inventory.schedule import Planned
from tests.inventories import ROOT, at, network, poll, server
from tests.serving import BASE, copy_example, operations, service

LABEL = "before the changes"


@pytest.fixture(scope="module")
def demo(demo_file, tmp_path_factory):
    with service(demo_file, tmp_path_factory.mktemp("demo"), demo=True) as client:
        yield client


@pytest.fixture
def shop(tmp_path):
    """Two accounts: see tests/inventories.py; what is stored later, the test stores in ``client.inventory``."""
    copy_example(tmp_path)
    with service(tmp_path / "shop.db", tmp_path) as client:
        yield client


def get(client, path, status=200, **more):
    answer = client.get(BASE + path, **more)
    assert answer.status_code == status, answer.text
    return answer.json()


def pages(client, path, **params):
    found, cursor = [], None
    while True:
        page = get(client, path, params={**params, **({"cursor": cursor} if cursor else {})})
        found.append(page["items"])
        cursor = page["next"]
        if cursor is None:
            return found


# --- lists ---


def test_pages_follow_one_another_by_cursor_and_by_link(demo):
    whole = get(demo, "/resources", params={"limit": 1000, "count": True})
    assert whole["total"] == len(whole["items"]) == 525
    assert whole["next"] is None
    found = pages(demo, "/resources", limit=100)
    assert [len(page) for page in found] == [100] * 5 + [25]
    assert [row for page in found for row in page] == whole["items"]
    first = demo.get(f"{BASE}/resources?limit=500")
    link = first.headers["link"]
    assert link.endswith('; rel="next"')
    assert demo.get(link[1 : link.index(">")]).json()["items"] == whole["items"][500:]


def test_pages_agree_though_polls_are_stored_between_them(shop):
    """Also where a poll ended before one that is stored already, and where one takes away what comes next."""
    before = get(shop, "/resources", params={"limit": 1000})["items"]
    first = get(shop, "/resources", params={"limit": 2})
    poll(shop.inventory, 30, {"eu-west-1": [server("i-new", "new")], "us-east-1": []})
    poll(shop.inventory, 20, [server("i-9", "renamed")], account="lab", provider="other")
    found, cursor = first["items"], first["next"]
    while cursor:
        page = get(shop, "/resources", params={"limit": 2, "cursor": cursor})
        found, cursor = found + page["items"], page["next"]
    names = [(row["id"], row["name"], row["state"]) for row in before]
    assert [(row["id"], row["name"], row["state"]) for row in found] == names
    now = get(shop, "/resources", params={"limit": 1000})["items"]
    assert {row["id"] for row in now} == {"i-new", "i-9", "subnet-1", "vpc-1"}


def test_pages_of_an_earlier_time_are_of_one_time(shop):
    wanted = {"as_of": "before the move", "limit": 1}
    found = [row["name"] for page in pages(shop, "/resources", **wanted) for row in page]
    assert sorted(found) == ["=1+1\x1b[31m", "batch", "subnet-1", "vpc-1", "web-1", "web-2"]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%%%",
        "é",
        base64.urlsafe_b64encode(b"[1]").decode(),
        base64.urlsafe_b64encode(b'[1,"a",-1,0,0]').decode(),
        base64.urlsafe_b64encode(b'[1,"a",1.5,0,0]').decode(),
        base64.urlsafe_b64encode(b"[" * 700).decode(),
        base64.urlsafe_b64encode(b'[1,"a",99999999999999999999,0,0]').decode(),
    ],
)
def test_what_is_no_cursor_is_refused(demo, cursor):
    problem = get(demo, "/resources", 400, params={"cursor": cursor})
    assert problem["errors"] == [
        {"parameter": "cursor", "detail": "pass the next of a page as it is"}
    ]


def test_a_cursor_of_another_list_is_refused(demo):
    cursor = get(demo, "/resources", params={"limit": 1})["next"]
    assert "next" in get(demo, "/resources", params={"limit": 7, "cursor": cursor})
    for path, params in (("/resources", {"type": "server"}), ("/polls", {})):
        problem = get(demo, path, 400, params={**params, "cursor": cursor})
        assert "another list" in problem["detail"]


def test_filters_and_their_mistakes(demo):
    found = get(demo, "/resources", params={"account": "demo-aws", "type": "server", "limit": 1000})
    assert {(row["account"], row["type"]) for row in found["items"]} == {("demo-aws", "server")}
    problem = get(demo, "/resources", 400, params={"account": "demo-aw"})
    assert "there is no account 'demo-aw'; there are demo-aws, " in problem["detail"]
    for params in ({"limit": 0}, {"limit": 1001}, {"limit": "x"}, {"name": ""}, {"tag": "a\0"}):
        assert get(demo, "/resources", 400, params=params)["errors"][0]["parameter"] in params


def test_the_newest_poll_comes_first(demo):
    rows = [row for page in pages(demo, "/polls", limit=10) for row in page]
    numbers = [row["run"] for row in rows]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) > 20
    one = pages(demo, "/polls", account="demo-aws", family="servers")[0]
    assert {(row["account"], row["family"]) for row in one} == {("demo-aws", "servers")}
    assert len(one) == 2
    assert get(demo, "/polls", params={"outcome": "failed"})["items"] == []
    then = [row["run"] for row in get(demo, "/polls", params={"as_of": LABEL})["items"]]
    assert 0 < len(then) < len(numbers)
    assert set(numbers[: len(numbers) - len(then)]).isdisjoint(then)


# --- times, and what is known already ---


def test_an_earlier_time_is_a_time_a_label_or_a_pin(shop, demo):
    then = "2026-01-01T10:05:00Z"
    expected = get(shop, "/resources", params={"as_of": then})["items"]
    assert "i-0123456789abcdef1" in {row["id"] for row in expected}
    assert get(shop, "/resources", params={"as_of": "before the move"})["items"] == expected
    shop.inventory.take_snapshot("as designed", at(5))
    assert get(shop, "/resources", params={"as_of": "as designed"})["items"] == expected
    assert get(shop, "/resources", params={"as_of": "2000-01-01"})["items"] == []
    assert get(demo, "/resources", params={"as_of": LABEL, "count": True})["total"] == 523
    for text in ("yesterday", "99999999w", "0001-01-01T00:00:00+14:00", "before the mov"):
        assert (
            get(shop, "/resources", 400, params={"as_of": text})["errors"][0]["parameter"]
            == "as_of"
        )


def test_an_answer_that_is_known_is_not_sent_again_until_something_is_polled(shop):
    def ask(etag=None, **params):
        headers = {"If-None-Match": etag} if etag else {}
        return shop.get(f"{BASE}/resources", params=params, headers=headers)

    first = ask()
    etag = first.headers["etag"]
    known = ask(f'"other", W/{etag}')
    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", etag)
    assert ask(etag, type="server").status_code == 200
    then = ask(as_of="before the move").headers["etag"]
    relative = ask(as_of="1d").headers["etag"]
    poll(shop.inventory, 30, [server("i-9", "new")], account="lab", provider="other")
    changed = ask(etag)
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag
    assert ask(then, as_of="before the move").status_code == 200
    assert ask(relative, as_of="1d").status_code == 200


def test_what_changes_with_more_than_polls_is_never_kept(demo):
    for path in ("/info", "/scopes", "/snapshots", "/views", "/topology/now", "/session"):
        answer = demo.get(BASE + path)
        assert answer.headers["cache-control"] == "no-store"
        assert "etag" not in answer.headers
    assert demo.get(f"{BASE}/resources?limit=1").headers["cache-control"] == "no-cache"


# --- errors ---


def test_errors_are_problems_with_a_number_that_the_log_has(demo):
    for path, status in (("/nothing", 404), ("/resource?id=nothing", 404), ("/resource", 400)):
        answer = demo.get(BASE + path)
        problem = answer.json()
        assert (answer.status_code, problem["status"]) == (status, status)
        assert answer.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "detail", "instance"} <= set(problem)
        assert problem["request_id"] == answer.headers["x-request-id"]
        assert any(problem["request_id"] in line for line in demo.log)
    assert demo.post(f"{BASE}/resources").status_code == 405
    assert "GET" in demo.post(f"{BASE}/resources").headers["allow"]


def test_an_error_of_our_own_says_nothing_but_its_number(demo, monkeypatch):
    def fails(*of, **more):
        raise RuntimeError("hidden-word")

    monkeypatch.setattr(type(demo.inventory), "accounts", fails)
    problem = get(demo, "/accounts", 500)
    assert "hidden-word" not in json.dumps(problem)
    assert not [line for line in demo.log if "hidden-word" in line]
    assert any(problem["request_id"] in line and "RuntimeError" in line for line in demo.log)


def test_unknown_parameters_are_refused_by_every_operation(demo):
    found = operations(demo)
    assert len(found) > 40
    for (method, path), each in found.items():
        url = path.replace("{label}", "x").replace("{name}", "x")
        answer = demo.request(method, url, params={"unheard_of": "1"})
        assert answer.status_code == 400, (method, path)
        assert answer.json()["errors"][0]["parameter"] == "unheard_of"
        assert each["summary"]


def test_a_parameter_is_given_once_unless_it_may_be_repeated(demo):
    problem = get(demo, "/resources?limit=1&limit=2", 400)
    assert problem["errors"] == [{"parameter": "limit", "detail": "give it once"}]
    assert get(demo, "/topology/groups?expand=a&expand=b")["nodes"]


# --- one resource ---


def test_a_resource_with_what_it_is_connected_to(shop):
    found = get(shop, "/resource", params={"id": "i-0123456789abcdef9"})
    assert found["name"] == "web-2"
    assert found["document"]["details"]["server"]["state"] == "running"
    subnet = {"account": "shop", "type": "network", "id": "subnet-2", "name": None, "known": False}
    assert found["connections"] == [subnet]
    assert found["connected_from"] == []
    then = get(shop, "/resource", params={"id": "i-0123456789abcdef1", "as_of": "before the move"})
    assert [each["known"] for each in then["connections"]] == [True]
    of_network = get(shop, "/resource", params={"id": "subnet-1", "as_of": "before the move"})
    assert [each["id"] for each in of_network["connected_from"]] == ["i-0123456789abcdef1"]
    assert get(shop, "/resource", params={"id": "subnet-1"})["connected_from"] == []


def test_a_pasted_address_finds_its_resource_and_a_shared_name_its_candidates(shop):
    assert get(shop, "/resource", params={"id": "10.4.3.17"})["name"] == "web-1"
    problem = get(shop, "/resource", 409, params={"id": "web-"})
    assert {each["name"] for each in problem["candidates"]} == {"web-1", "web-2"}
    assert set(problem["candidates"][0]) == {"account", "type", "id", "name"}
    problem = get(shop, "/resource", 404, params={"id": "nothing"})
    assert "not in 3 of 4 scopes; shop servers us-east-1 failed since" in problem["detail"]


def test_a_resource_that_had_not_come_yet(shop):
    get(shop, "/resource", 404, params={"id": "i-0123456789abcdef9", "as_of": "before the move"})


def test_a_search_says_what_is_nowhere_and_what_proves_it(shop, demo):
    found = get(shop, "/search", params={"q": "nothing"})
    assert (found["items"], found["nowhere"], found["sources_complete"]) == ([], False, 3)
    assert [each["scope"] for each in found["sources_incomplete"]] == ["us-east-1"]
    assert found["sources_incomplete"][0]["reason"] == "throttled"
    assert get(demo, "/search", params={"q": "nothing-like-it"})["nowhere"] is True
    exact = get(shop, "/search", params={"q": "10.4.3.17"})["exact"]
    assert (exact["account"], exact["id"]) == ("shop", "i-0123456789abcdef0")
    assert get(shop, "/search", params={"q": "10.4.3.0/24"})["exact"] is None
    assert get(shop, "/search", params={"q": "web"})["exact"] is None
    assert get(shop, "/search", params={"q": "web", "limit": 1})["more"] is True


def test_points_are_of_the_last_day_unless_another_time_is_named(demo):
    assert len(get(demo, "/topology/now")["items"]) > 3
    row = get(demo, "/topology/now")["items"][0]
    which = {name: row[name] for name in ("id", "account", "type")}
    found = get(demo, "/resource/status", params={**which, "since": "2000-01-01"})
    assert found["items"][0]["level"] in ("error", "warning")
    assert found["resource"]["id"] == row["id"]
    none = get(
        demo, "/resource/status", params={**which, "since": "2000-01-01", "until": "2001-01-01"}
    )
    assert none["items"] == []


# --- the same as the command line ---


def same(demo_file, monkeypatch, capsys, client, arguments, path):
    monkeypatch.setenv("FLEXLOCAL_INVENTORY", str(demo_file))
    assert main([*arguments, "--format", "json"]) in (0, 1)
    assert get(client, path)["items"] == json.loads(capsys.readouterr().out)


def test_rows_are_those_of_the_command_line(demo, demo_file, monkeypatch, capsys):
    server_id = get(demo, "/resources?account=demo-aws&type=server&limit=1")["items"][0]["id"]
    for arguments, path in (
        (["inventory", "list", "--type", "server"], "/resources?type=server&limit=1000"),
        (["inventory", "search", "web"], "/search?q=web&limit=1000"),
        (["inventory", "history", server_id], f"/resource/history?id={server_id}"),
        (
            ["inventory", "diff", LABEL, "now", "--account", "demo-aws"],
            f"/diff?from={LABEL}&account=demo-aws",
        ),
        (["snapshot", "list"], "/snapshots"),
        (["snapshot", "diff", LABEL, "now"], f"/snapshots/compare?before={LABEL}"),
        (["topology", "impact", server_id], f"/topology/impact?down={server_id}"),
        (["topology", "now"], "/topology/now"),
        (["topology", "spof"], "/topology/spof?limit=1000"),
        (["topology", "problems"], "/topology/problems"),
        (["topology", "links"], "/topology/links"),
        (["topology", "redundancy", "--all"], "/topology/redundancy?every=true"),
    ):
        same(demo_file, monkeypatch, capsys, demo, arguments, path)


def test_an_export_is_that_of_the_command_line(demo, demo_file, monkeypatch, capsys):
    monkeypatch.setenv("FLEXLOCAL_INVENTORY", str(demo_file))
    assert main(["inventory", "export", "--account", "demo-osm"]) == 0
    expected = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    answer = demo.get(f"{BASE}/resources.ndjson?account=demo-osm")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert [json.loads(line) for line in answer.text.splitlines()] == expected
    assert len(demo.get(f"{BASE}/resources.ndjson").text.splitlines()) == 525


# --- age ---


def test_a_scope_is_amber_past_two_intervals_and_red_if_its_poll_failed(tmp_path):
    with Inventory(tmp_path / "i.db", create=True) as inventory:
        for minute in (0, 10, 20):
            poll(inventory, minute, {"eu": [server("a")], "us": [server("b")]})
        poll(inventory, 30, {"eu": [server("a")], "us": "throttled"})
        poll(inventory, 30, [network("n")], family="networks")

    def levels(minute):
        clock = {"now": lambda: at(minute)}
        with service(tmp_path / "i.db", tmp_path, **clock) as client:
            return {row["scope"] + row["family"]: row for row in get(client, "/scopes")["items"]}

    found = levels(31)
    assert {name: row["level"] for name, row in found.items()} == {
        "euservers": "ok",
        "usservers": "red",
        "eunetworks": "ok",
    }
    assert (found["euservers"]["interval_s"], found["euservers"]["age_s"]) == (600, 60)
    assert found["usservers"]["error"] == "throttled"
    assert found["eunetworks"]["interval_s"] is None
    assert levels(50)["euservers"]["level"] == "ok"
    assert levels(51)["euservers"]["level"] == "amber"
    two_days = 2 * 24 * 60
    assert levels(30 + two_days)["eunetworks"]["level"] == "ok"
    assert levels(31 + two_days)["eunetworks"]["level"] == "amber"
    with Inventory(tmp_path / "i.db") as inventory:
        inventory.plan(
            [Planned("shop", "acme", family, "get", 1800) for family in ("servers", "networks")]
        )
    found = levels(81)
    assert {row["interval_s"] for row in found.values()} == {1800}
    assert found["euservers"]["level"] == "ok"
    assert levels(91)["euservers"]["level"] == "amber"


# --- what is told of the server ---


def test_it_says_what_it_is_and_whether_it_works(demo):
    info = get(demo, "/info")
    assert (info["version"], info["demo"], info["writes"], info["token"]) == (
        "1",
        True,
        False,
        None,
    )
    datetime.datetime.fromisoformat(info["now"].replace("Z", "+00:00"))
    for path in ("/healthz", "/readyz"):
        assert demo.get(path).status_code == demo.get(BASE + path).status_code == 200


def test_the_page_is_served_from_its_folder_alone(demo, tmp_path, demo_file):
    assert demo.get("/").headers["content-type"].startswith("text/html")
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text("<!doctype html>")
    (tmp_path / "secret.txt").write_text("hidden-word")
    with service(demo_file, tmp_path, page=tmp_path / "page") as client:
        assert client.get("/").text == "<!doctype html>"
        for path in ("../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "%00", "", "."):
            answer = client.get(f"/static/{path}")
            assert answer.status_code in (400, 404), path
            assert "hidden-word" not in answer.text


def test_the_docs_have_every_operation_with_its_parameters(demo):
    text = (ROOT / "docs" / "operate" / "rest.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([A-Z]+ /\S*)` \| (.*) \|$", text, re.M))
    expected = {}
    for (method, path), each in operations(demo).items():
        names = [one["name"] for one in each.get("parameters", ()) if one["in"] == "query"]
        listed = ", ".join(f"`{name}`" for name in names)
        expected[f"{method} {path.removeprefix(BASE)}"] = f"{each['summary']} | {listed}"
    assert rows == expected
