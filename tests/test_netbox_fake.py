"""The NetBox simulator answers as real NetBoxes were recorded to (tests/recorded/netbox.json)."""

import copy
import re

import pytest
import requests

from shared.providers.netbox import LISTINGS
from tests.fakes import netbox as fakes

CIRCUITS = "/api/circuits/circuits/"
TOKENS = {
    "v1": f"Token {fakes.V1}",
    "v2": f"Bearer {fakes.V2}",
    "v1-with-Bearer": f"Bearer {fakes.V1}",
    "v2-with-Token": f"Token {fakes.V2}",
    "none": None,
    "wrong-v1": "Token " + "f" * 40,
    "wrong-v2-key": "Bearer nbt_WrongKey0000.x",
    "wrong-v2-secret": "Bearer nbt_InventedKey1.wrong",
    "v2-without-dot": "Bearer nbt_WithoutDot",
    "token-with-space": "Token with space",
    "unknown-scheme": "Basic bGFiOmxhYg==",
    "bare": fakes.V1,
    "disabled": "Token disabled",
    "expired": "Token expired",
    "ip-bound": "Token elsewhere",
    "limited-v1": "Token limited",
    "limited-v2": "Token limited",
    "circuits-only": "Token circuits-only",
}
KNOWN = {"exclude", "fields", "id__gt", "limit", "nonsense", "offset", "ordering", "start"}


def recorded(which):
    return [
        pytest.param(release, answer, id=f"{release} {answer['name']}")
        for release, samples in fakes.SAMPLES.items()
        for answer in samples["answers"]
        if which(answer)
    ]


def is_page(answer):
    body, query = answer["body"], answer["query"]
    return (
        isinstance(body, dict)
        and "ids" in body
        and query.keys() <= KNOWN
        and query.get("ordering") in (None, "id", "nonsense")
        and answer["path"][len("/api/") : -1] in LISTINGS
        and not answer["name"].startswith(("proxy/", "auth/partial"))
    )


def is_refused(answer):
    return answer["status"] in (301, 403) or answer["content_type"].startswith("text/html")


@pytest.fixture
def ask():
    """GET of a recorded question, asked of the simulator filled with the recorded ids."""
    running = []

    def asked(release, answer):
        cap = re.search(r"MAX_PAGE_SIZE=(\d+)", answer["name"])
        netbox = fakes.NetBox(release, cap=int(cap[1]) if cap else 1000)
        running.append(netbox)
        for listing, samples in fakes.SAMPLES[release]["lists"].items():
            for each in samples["ids"]:
                netbox.add(listing, each)
        netbox.tokens.update(
            {"limited": {"dcim.view_site"}, "circuits-only": {"circuits.view_circuit"}}
        )
        netbox.said_of = {
            "disabled": "Token disabled",
            "expired": "Token expired",
            "elsewhere": "Source IP 127.0.0.1 is not permitted to authenticate using this token.",
        }
        token = TOKENS[answer["auth"]]
        return requests.get(
            netbox.url + answer["path"],
            params=answer["query"],
            headers={"Authorization": token} if token else {},
            allow_redirects=False,
            timeout=10,
        )

    yield asked
    for each in running:
        each.stop()


@pytest.mark.parametrize("release, answer", recorded(is_page))
def test_a_page_is_cut_as_it_was_recorded(ask, release, answer):
    got, body = ask(release, answer), answer["body"]
    assert got.status_code == 200
    page = got.json()
    assert page["count"] == body["count"]
    assert [each.get("id") for each in page["results"]] == body["ids"]
    assert page["next"] == body["next"]
    if page["results"]:
        assert sorted(page["results"][0]) == body["fields"]


@pytest.mark.parametrize("release, answer", recorded(is_refused))
def test_a_refusal_is_as_it_was_recorded(ask, release, answer):
    got = ask(release, answer)
    assert got.status_code == answer["status"]
    assert got.headers["Content-Type"] == answer["content_type"]
    if answer["body"] is not None:
        assert got.json() == answer["body"]
    assert "Retry-After" not in got.headers


def test_what_was_compared():
    assert len(recorded(is_page)) > 40
    texts = {
        each.values[1]["body"]["detail"] for each in recorded(is_refused) if each.values[1]["body"]
    }
    assert len(texts) >= 9


@pytest.mark.parametrize("release", fakes.RELEASES)
def test_the_release_is_told_as_it_was_recorded(ask, release):
    (status,) = (a for a in fakes.SAMPLES[release]["answers"] if a["name"] == "status.json")
    got = ask(release, status)
    assert got.json()["netbox-version"] == status["body"]["netbox-version"] == release
    assert got.headers.get("API-Version") == fakes.SAMPLES[release]["api_version"]


@pytest.mark.parametrize("release", fakes.RELEASES)
def test_what_the_simulator_makes_has_the_recorded_fields(release):
    netbox = fakes.NetBox(release)
    try:
        has_virtual = "circuits/virtual-circuits" in netbox.lists
        netbox.fill(4, 3, 2, 2, virtual=2 if has_virtual else 0, links=2)
        for listing, made in netbox.lists.items():
            fields = {
                frozenset(each) for each in fakes.SAMPLES[release]["lists"][listing]["objects"]
            }
            assert made
            assert {frozenset(each) for each in made} == fields, listing
    finally:
        netbox.stop()


def test_samples_are_not_changed_by_a_simulator():
    before = copy.deepcopy(fakes.SAMPLES)
    fakes.NetBox().fill(5, 5, 5, 5, 5, 5).stop()
    assert before == fakes.SAMPLES
