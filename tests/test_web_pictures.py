"""What the REST service answers for the topology's pictures and the map."""

import pytest

pytest.importorskip("fastapi", reason="the REST service needs Python 3.10 and the extra [serve]")

from tests.demo import LABEL
from tests.serving import BASE, bearer, service

ROUTER = {"id": "web-rtr-0000", "account": "demo-openstack"}


@pytest.fixture(scope="module")
def demo(demo_file, tmp_path_factory):
    with service(demo_file, tmp_path_factory.mktemp("pictures")) as client:
        yield client


def get(client, path, status=200, headers=None, **params):
    answer = client.get(BASE + path, params=params, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def labels(found):
    return {row["label"] for row in found["nodes"]}


def test_groups_of_an_account_or_a_provider(demo):
    whole = get(demo, "/topology/groups")
    assert whole["elements"] == len(whole["nodes"]) + len(whole["edges"]) <= whole["limit"]
    assert len(labels(whole)) == 7
    assert labels(get(demo, "/topology/groups", account="demo-aws")) == {"demo-aws"}
    assert labels(get(demo, "/topology/groups", provider="netbox")) == {"demo-netbox"}
    assert labels(get(demo, "/topology/groups", provider="none")) == set()
    get(demo, "/topology/groups", 400, account="demo-azure")


def test_the_groups_of_a_resource_show_it_when_they_are_expanded(demo):
    where = get(demo, "/topology/where", **ROUTER)
    found = get(demo, "/topology/groups", expand=where["expand"])
    (row,) = [row for row in found["nodes"] if row["key"] == where["key"]]
    assert (row["label"], row["resource"]["kind"]) == ("web-rtr-0000", "router")
    places = {row["key"]: (row["x"], row["y"]) for row in found["nodes"]}
    before = get(demo, "/topology/groups")
    assert all(places[row["key"]] == (row["x"], row["y"]) for row in before["nodes"])


def test_what_breaks_is_marked_in_groups_and_around_a_resource(demo):
    router = get(demo, "/topology/where", **ROUTER)
    asked = {"account": "demo-openstack", "down": router["id"]}
    hit = {row["name"] for row in get(demo, "/topology/impact", **asked)["items"]}
    by_key = get(demo, "/topology/groups", down=router["key"], expand=router["expand"])
    by_id = get(demo, "/topology/groups", down=router["id"], expand=router["expand"])
    assert by_key == by_id
    assert by_key["down"][0]["name"] == "web-rtr-0000"
    weak = {row["label"] for row in by_key["nodes"] if row["impact"] == "degraded"}
    assert "web-vm-0000" in hit
    assert weak & hit
    account = next(row for row in by_key["nodes"] if row["label"] == "demo-openstack")
    assert account["impacts"] == {"degraded": len(hit), "down": 1}
    around = get(demo, "/topology/focus", **ROUTER, depth=2, down=router["key"])
    assert {row["label"] for row in around["nodes"] if row["impact"] == "degraded"} <= hit
    assert get(demo, "/topology/focus", id=router["key"], depth=2, down=router["id"]) == around
    get(demo, "/topology/focus", 400, **ROUTER, depth=5)
    get(demo, "/topology/focus", 404, id="nothing")


def test_what_changed_between_the_recorded_moments_is_on_the_picture(demo):
    found = get(demo, "/topology/groups", since=LABEL)
    changes = {row["label"]: row["changes"] for row in found["nodes"]}
    assert changes["demo-netbox"] == {}
    rows = get(demo, "/diff", **{"from": LABEL, "to": "now", "account": "demo-openstack"})["items"]
    known = {}
    for row in rows:
        known.setdefault(row["what"], set()).add((row["type"], row["id"]))
    assert changes["demo-openstack"]["added"] == len(known["added"])
    assert changes["demo-openstack"]["changed"] == len(known["changed"])


def test_a_token_sees_its_accounts_alone(demo_file, tmp_path):
    with service(demo_file, tmp_path, token_needed=True) as client:
        text = client.tokens.add("aws", ["read:inventory"], ["demo-aws"], client.service.now())
        for path, more in (
            ("/topology/groups", {}),
            ("/topology/groups", {"since": LABEL}),
            ("/map", {}),
        ):
            get(client, path, 401, **more)
            found = get(client, path, headers=bearer(text), **more)
            assert "demo-aws" in str(found)
            assert "demo-openstack" not in str(found)
            assert "demo-netbox" not in str(found)
        get(client, "/topology/focus", 404, headers=bearer(text), id=ROUTER["id"])


def test_the_map_has_places_lines_and_what_is_missing(demo):
    found = get(demo, "/map")
    assert {"Tokyo DC1", "Dublin"} <= {row["label"] for row in found["places"]}
    keys = {row["key"] for row in found["places"]}
    assert all({row["from"], row["to"]} <= keys for row in found["lines"])
    unplaced = [each for row in found["unplaced"] for each in row["resources"]]
    missing = {each["resource"]["name"] for each in unplaced if each["state"] == "missing"}
    assert missing == {"legacy/wide", "retail/video"}
