"""The simulator of OSM answers as a real NBI 8.0 and a real RO 8.0 were recorded to."""

import pytest
import requests
import yaml

from tests.fakes import osm as fakes

NBI, RO = fakes.RECORDED["nbi-8.0"], fakes.RECORDED["ro-8.0"]
OTHERS = {"reader_wims", "other_project_ns", "other_project_ns_one", "other_project_admin"}
# Made anew at each login, or of the server that was recorded.
MADE = ("issued_at", "expires", "_id", "id", "project_id", "user_id", "remote_port", "remote_host")


def recorded(answers, name):
    return next(each for each in answers if each["name"] == name)


def by_name(answer):
    return answer["name"]


@pytest.fixture(scope="module")
def running():
    osm = fakes.Osm().standard()
    readers = [each["_admin"]["projects_read"] for each in recorded(NBI, "ns_list")["answer"]]
    osm.lists["projects"].clear()
    osm.project("admin", readers[0][0])
    asked = recorded(NBI, "other_project_ns_one")["answer"]["detail"]
    osm.projects["tenant-x"] = asked.partition("['")[2].partition("'")[0]
    osm.lists["ns_instances"] = recorded(NBI, "ns_list")["answer"]
    for name, answer in (("vim_accounts", "vims"), ("wim_accounts", "wims")):
        # recorded of another start of the server, whose project had another id
        for each in recorded(NBI, answer)["answer"]:
            osm.lists[name].append(
                {**each, "_admin": {**each["_admin"], "projects_read": readers[0]}}
            )
    osm.ro["tenants"] = recorded(RO, "tenants")["answer"]["tenants"]
    osm.ro["datacenters"] = recorded(RO, "dcs")["answer"]["datacenters"]
    osm.ro["wims"] = recorded(RO, "wims_any")["answer"]["wims"]
    wim = recorded(RO, "wim_get")["answer"]
    osm.ro_details["wims", wim["wim"]["uuid"]] = wim
    instance = recorded(RO, "link_active")["answer"]
    osm.ro_details["instances", instance["uuid"]] = instance
    yield osm
    osm.stop()


def ask(osm, answer, token):
    """The recorded question, asked of the simulator."""
    headers = {name: value for name, value in answer["headers"].items() if value}
    path = answer["path"].replace("TOKEN", token)
    if headers.get("Authorization") == "Bearer TOKEN":
        headers["Authorization"] = f"Bearer {token}"
    if answer.get("body") and "Content-Type" not in answer["headers"]:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    if "Accept" not in headers:
        headers["Accept"] = None  # requests sends */* by itself
    return requests.request(
        answer["method"],
        osm.root + path,
        data=answer.get("body"),
        headers=headers,
        timeout=10,
    )


def log_in(osm, user, password):
    given = {"username": user, "password": password}
    return requests.post(
        f"{osm.url}/admin/v1/tokens",
        json=given,
        headers={"Accept": "application/json"},
        timeout=10,
    ).json()["id"]


def comparable(value):
    """Without what another login or another server gives other values."""
    if isinstance(value, list):
        return [comparable(each) for each in value]
    if not isinstance(value, dict):
        return value
    made = {name: comparable(each) for name, each in value.items()}
    if "expires" in value:
        made.update(dict.fromkeys([name for name in MADE if name in made], "made anew"))
        made["roles"] = [{**role, "id": "made anew"} for role in value["roles"]]
    if "_admin" in value:
        made["_admin"] = {k: v for k, v in made["_admin"].items() if not k.startswith("projects_")}
        if value.keys() == {"name", "_id", "_admin"}:
            made["_id"] = "made anew"
    return made


def read(text):
    return yaml.safe_load(text)  # JSON too


@pytest.mark.parametrize("answer", NBI, ids=by_name)
def test_nbi_answers_as_recorded(running, answer):
    other = answer["name"] in OTHERS
    token = log_in(running, *(("reader", "example-pass") if other else ("admin", "admin")))
    if answer["name"] == "after_delete":
        running.tokens.clear()
    given = ask(running, answer, token)
    assert given.status_code == answer["status"]
    for name, value in answer["answer_headers"].items():
        if name == "Location":
            assert given.headers[name].startswith(value.replace("TOKEN", ""))
        else:
            assert given.headers[name] == value
    assert "Www-Authenticate" not in given.headers or "Www-Authenticate" in answer["answer_headers"]
    assert "session_id" in given.headers["Set-Cookie"]
    body = read(given.text)
    if "ids" in answer:
        found = [each["_id"] for each in body] if isinstance(body, list) else body["_id"]
        assert found == answer["ids"]
    elif answer["name"] == "delete_token":
        assert body == answer["answer"].replace("TOKEN", token)
    elif answer["name"] in ("ns_404", "other_project_ns_one"):
        assert body == answer["answer"]
    else:
        assert comparable(body) == comparable(answer["answer"])


@pytest.mark.parametrize("answer", RO, ids=by_name)
def test_ro_answers_as_recorded(running, answer):
    none = answer["name"] == "instances_any"  # recorded before there was one
    running.ro["instances"] = [] if none else recorded(RO, "instances")["answer"]["instances"]
    given = ask(running, answer, "")
    assert given.status_code == answer["status"]
    assert given.headers["Content-Type"] == answer["answer_headers"]["Content-Type"]
    expected = answer["answer"]
    assert read(given.text) == (read(expected) if isinstance(expected, str) else expected)


def test_a_get_of_one_ns_writes_in_newer_releases():
    with fakes.Osm("main").standard() as osm:
        osm.add("ns_instances", {"_id": "ns-1"}, "tenant-x")
        headers = {
            "Authorization": f"Bearer {log_in(osm, 'reader', 'example-pass')}",
            "Accept": "application/json",
        }
        requests.get(f"{osm.url}/nslcm/v1/ns_instances", headers=headers, timeout=10)
        assert osm.writes == 0
        requests.get(f"{osm.url}/nslcm/v1/ns_instances/ns-1", headers=headers, timeout=10)
        assert osm.writes == 1


def test_ros_lists_end_after_a_hundred_unless_asked():
    with fakes.Osm() as osm:
        osm.ro["tenants"] = [{"uuid": str(n), "name": f"t{n}"} for n in range(150)]
        url = f"{osm.ro_url}/tenants"
        assert len(requests.get(url, timeout=10).json()["tenants"]) == 100
        assert len(requests.get(f"{url}?limit=1000", timeout=10).json()["tenants"]) == 150
