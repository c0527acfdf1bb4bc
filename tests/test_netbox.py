"""NetBox, whole polls: the handlers against the simulator in tests/fakes/netbox.py."""

import copy
import importlib
import json
import math
import re

import pytest

from shared.engine import event as events
from shared.engine.errors import (
    ConnectorError,
    InsufficientPermission,
    InvalidCredentials,
    InvalidEvent,
    OutOfTime,
    Throttled,
    UnexpectedResponse,
    Unreachable,
)
from shared.engine.event import Origin
from shared.engine.log import Log
from shared.engine.masking import Masker
from shared.engine.runtime import Runtime
from shared.providers import netbox as provider
from shared.transport import http
from tests.fakes import netbox as fakes
from tests.fakes.context import Context
from tests.fakes.poll import a_poll

FAMILIES = ("servers", "networks", "volumes", "appliances", "circuits")
CIRCUITS, ENDS = "circuits/circuits", "circuits/circuit-terminations"
VIRTUAL, VIRTUAL_ENDS = "circuits/virtual-circuits", "circuits/virtual-circuit-terminations"
SIZES = {"circuits": 12, "devices": 7, "machines": 7, "networks": 7}
# The listing that a family can't do without, and is made of.
OWN = {
    "servers": "virtualization/virtual-machines",
    "networks": "ipam/prefixes",
    "volumes": "virtualization/virtual-disks",
    "appliances": "dcim/devices",
    "circuits": CIRCUITS,
}
KINDS = {
    "dcim/devices": "",
    "ipam/prefixes": "",
    "ipam/vlans": "vlan:",
    "virtualization/virtual-disks": "",
    "virtualization/virtual-machines": "virtual-machine:",
    CIRCUITS: "",
    VIRTUAL: "virtual-circuit:",
}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(http, "FIRST_DELAY_S", 0)


@pytest.fixture
def start():
    running = []

    def started(release=fakes.NEWEST, **more):
        running.append(fakes.NetBox(release, **more))
        return running[-1]

    yield started
    for each in running:
        each.stop()


@pytest.fixture
def netbox(start):
    return filled(start())


def has_virtual(netbox):
    return VIRTUAL in netbox.lists


def filled(netbox, **sizes):
    virtual = 5 if has_virtual(netbox) else 0
    return netbox.fill(**{**SIZES, "virtual": virtual, **sizes})


def poll(family, netbox, token=fakes.V1, context=None, options=None, **more):
    event = {
        "account_id": "acc",
        "provider": "netbox",
        "credentials": netbox.credentials(token, **more),
        "options": options or {},
    }
    return get(family, event, context)


def get(family, event, context=None):
    return importlib.import_module(f"modules.{family}.main").get(event, context or Context())


def validate(netbox, token=fakes.V1, **more):
    event = {"provider": "netbox", "credentials": netbox.credentials(token, **more)}
    return importlib.import_module("modules.circuits.main").validate_credentials(event, Context())


def scope_of(netbox):
    """A scope to list with, as a poll makes it."""
    request = events.parse({"provider": "netbox", "credentials": netbox.credentials()}, ["netbox"])
    log = Log(Runtime(Context()), Origin(), Masker())
    asked = a_poll("circuits", request=request, log=log)
    (scope,) = provider.scopes(
        provider.login(provider.credentials(request.credentials, False), asked)
    )
    return scope


def ids(resources):
    return [each["id"] for each in resources]


def numbers(netbox, listing):
    return [each["id"] for each in netbox.lists[listing]]


def is_server(device):
    return device["role"]["slug"] == "server"


def expected_ids(netbox, family):
    """What a family reports of the simulator's lists."""
    chosen = {
        "servers": (("dcim/devices", is_server), (OWN["servers"], bool)),
        "networks": (("ipam/prefixes", bool), ("ipam/vlans", bool)),
        "volumes": ((OWN["volumes"], bool),),
        "appliances": (("dcim/devices", lambda device: not is_server(device)),),
        "circuits": ((CIRCUITS, bool), (VIRTUAL, bool)),
    }[family]
    return sorted(
        f"{KINDS[listing]}{each['id']}"
        for listing, which in chosen
        for each in netbox.lists.get(listing, [])
        if which(each)
    )


def without_time(resources):
    made = copy.deepcopy(resources)
    for each in made:
        each["base"]["last_seen_at"] = None
    return made


def ends_of(resource):
    details = resource["details"]["circuit"]
    return details["endpoint_a"], details["endpoint_b"]


def expected_ends(netbox):
    """The names of a circuit's ends as NetBox shows them, by the circuit's id."""
    networks = {each["id"]: each for each in netbox.lists["circuits/provider-networks"]}
    found = {n: {"A": None, "Z": None} for n in numbers(netbox, CIRCUITS)}
    for end in netbox.lists[ENDS]:
        at = end.get("termination") or end.get("site") or end["provider_network"]
        name = at["name"]
        if name.startswith("Cloud "):
            name = f"{name} ({networks[at['id']]['provider']['name']})"
        found[end["circuit"]["id"]][end["term_side"]] = name
    return {str(n): (ends["A"], ends["Z"]) for n, ends in found.items()}


def shown_by(error, context):
    return str(error) + repr(error) + "".join(context.lines)


# --- complete, in few requests --------------------------------------------------------------------


@pytest.mark.parametrize("release", fakes.RELEASES)
@pytest.mark.parametrize("cap", [1000, 100])
def test_1200_circuits_cost_the_pages_of_both_lists_and_seven_requests_more(start, release, cap):
    netbox = filled(start(release, cap=cap), circuits=1200, devices=60)
    found = poll("circuits", netbox)
    assert ids(found) == expected_ids(netbox, "circuits")
    pages = sum(math.ceil(len(netbox.lists[each]) / cap) for each in (CIRCUITS, ENDS))
    assert sum(netbox.counts.values()) <= pages + 7
    joined = {each["id"]: ends_of(each) for each in found if each["id"].isdigit()}
    assert joined == expected_ends(netbox)
    assert sum(end_z is None for _, end_z in joined.values()) == 300


def test_circuits_are_asked_for_without_the_ends_that_cost_netbox_a_query_each(netbox):
    poll("circuits", netbox)
    (asked,) = (query for path, query, _ in netbox.requests if path == f"/api/{CIRCUITS}/")
    fields = asked["fields"][0].split(",")
    assert {"cid", "commit_rate"} <= set(fields)
    assert not {"termination_a", "termination_z"} & set(fields)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("release", fakes.RELEASES)
@pytest.mark.parametrize("cap", [1000, 3, 0])
def test_every_family_of_every_release_is_complete(start, family, release, cap):
    netbox = filled(start(release, cap=cap))
    context = Context()
    assert ids(poll(family, netbox, context=context)) == expected_ids(netbox, family)
    (line,) = context.logged("polled")
    assert "listed twice" not in line


CALLS = {
    "servers": {"dcim/sites": 3, "dcim/devices": 7, OWN["volumes"]: 7, OWN["servers"]: 7},
    "networks": {"dcim/sites": 3, "dcim/locations": 1, "ipam/vlans": 7, "ipam/prefixes": 7},
    "volumes": {OWN["volumes"]: 7},
    "appliances": {"dcim/sites": 3, "dcim/devices": 7},
    "circuits": {
        CIRCUITS: 12,
        ENDS: 21,
        "circuits/provider-networks": 2,
        "dcim/devices": 6,  # those at an end
        "dcim/locations": 1,
        "dcim/sites": 3,
    },
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("release", fakes.RELEASES)
def test_calls_are_those_that_the_cell_states(start, family, release):
    netbox = filled(start(release, cap=3))
    poll(family, netbox)
    calls = {listing: math.ceil(count / 3) for listing, count in CALLS[family].items()}
    if family == "circuits":
        calls.update({VIRTUAL: 2, VIRTUAL_ENDS: 2} if has_virtual(netbox) else {VIRTUAL: 1})
    if release != fakes.NEWEST and family in ("servers", "volumes", "circuits"):
        calls["status"] = 1
    assert dict(netbox.counts) == {f"/api/{listing}/": n for listing, n in calls.items()}


def test_virtual_circuits_that_are_not_there_have_no_ends_to_ask_for(start):
    netbox = filled(start(), virtual=0)
    assert ids(poll("circuits", netbox)) == expected_ids(netbox, "circuits")
    assert netbox.counts[f"/api/{VIRTUAL}/"] == 1
    assert netbox.counts[f"/api/{VIRTUAL_ENDS}/"] == 0


def test_virtual_circuits_that_a_new_release_hides_are_no_empty_list(netbox):
    netbox.html_404 = {VIRTUAL}
    with pytest.raises(UnexpectedResponse, match=f"/api/{VIRTUAL}/.*404"):
        poll("circuits", netbox)


def test_devices_at_ends_are_asked_for_by_id_in_lines_that_gunicorn_takes(start):
    netbox = start().fill(devices=3)
    boxes = {}
    for n in range(1, 1001):
        device = netbox.device(1_000_000 + n)
        boxes[n] = device["id"]
        circuit = netbox.circuit(n)
        netbox.end(n, circuit, "A", netbox.lists["dcim/sites"][0], **netbox.cabled(device))
    found = poll("circuits", netbox)
    wired = {int(each["id"]): each["connections"]["appliance"] for each in found}
    assert wired == {n: [{"id": str(box)}] for n, box in boxes.items()}
    asked = [query["id"] for path, query, _ in netbox.requests if path == "/api/dcim/devices/"]
    assert sum(map(len, asked)) == 1000
    assert 2 < len(asked) < 6


@pytest.mark.parametrize("release", fakes.RELEASES)
@pytest.mark.parametrize("family", FAMILIES)
def test_an_empty_netbox_is_an_empty_list(start, family, release):
    assert poll(family, start(release)) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_two_polls_are_alike_but_for_the_time(start, family):
    netbox = filled(start(cap=4))
    one = without_time(poll(family, netbox))
    for each in netbox.lists.values():
        each.reverse()
    assert without_time(poll(family, netbox)) == one


@pytest.mark.parametrize("release", fakes.RELEASES)
def test_ids_of_circuits_and_virtual_circuits_never_collide(start, release):
    netbox = filled(start(release))
    found = ids(poll("circuits", netbox))
    assert len(set(found)) == len(found) == 12 + (5 if has_virtual(netbox) else 0)
    assert {"1", "5"} <= set(found)
    assert ({"virtual-circuit:1", "virtual-circuit:5"} <= set(found)) == has_virtual(netbox)


@pytest.mark.parametrize("release", fakes.RELEASES)
@pytest.mark.parametrize("kinds", [{}, {"router": "server", "server": "router"}])
def test_no_connection_dangles_across_the_families(start, release, kinds):
    netbox = filled(start(release))
    for n, machine in enumerate(netbox.lists[OWN["servers"]]):
        machine["device"] = netbox.thin("dcim/devices", netbox.lists["dcim/devices"][n])
    vlan = netbox.add("ipam/vlans", 50)  # no prefix has this id
    netbox.add("ipam/prefixes", 60, vlan=netbox.thin("ipam/vlans", vlan))
    options = {"device_kinds": kinds}
    found = [each for family in FAMILIES for each in poll(family, netbox, options=options)]
    known = {(each["type"], each["id"]) for each in found}
    assert len(known) == len(found)
    used = {
        (each["type"], kind, connected["id"])
        for each in found
        for kind, of_kind in each["connections"].items()
        for connected in of_kind
    }
    assert {each[1:] for each in used} <= known
    assert {each[:2] for each in used} == {
        ("circuit", "appliance"),
        ("circuit", "server"),
        ("network", "network"),
        ("server", "appliance"),
        ("server", "server"),
        ("server", "volume"),
        ("volume", "server"),
    }


def test_device_kinds_move_devices_from_one_family_to_the_other(start):
    netbox = filled(start())
    before = {family: set(ids(poll(family, netbox))) for family in ("servers", "appliances")}
    routers = {str(each["id"]) for each in netbox.lists["dcim/devices"] if each["id"] % 3 == 0}
    options = {"device_kinds": {" Router": "server", "switch": "firewall"}}
    servers = poll("servers", netbox, options=options)
    appliances = poll("appliances", netbox, options=options)
    assert routers <= before["appliances"]
    assert set(ids(servers)) == before["servers"] | routers
    assert set(ids(appliances)) == before["appliances"] - routers
    assert {each["details"]["appliance"]["type_id"] for each in appliances} == {"firewall"}


@pytest.mark.parametrize(
    "kinds, names",
    [({"router": "toaster"}, "'router'.*'toaster'"), ({"router": 7}, "router"), (["x"], "object")],
)
def test_device_kinds_that_are_none_are_refused_before_any_call(netbox, kinds, names):
    with pytest.raises(InvalidEvent, match=f"device_kinds.*{names}"):
        poll("appliances", netbox, options={"device_kinds": kinds})
    assert not netbox.counts


# --- changes between two pages ----------------------------------------------------------------------


@pytest.mark.parametrize("release", fakes.RELEASES)
@pytest.mark.parametrize("cap", [2, 5, 11])
@pytest.mark.parametrize("gone", ["first", "last of the page"])
def test_a_circuit_added_and_one_deleted_between_two_pages(start, release, cap, gone):
    """Nothing comes twice, nothing that stays is skipped, and what was added in between comes too."""
    netbox = filled(start(release, cap=cap), virtual=0)
    stay = set(range(1, 13))
    gone = {"first": 1, "last of the page": cap}[gone]

    def change(answers):
        if answers == 1:
            netbox.lists[CIRCUITS] = [each for each in netbox.lists[CIRCUITS] if each["id"] != gone]
            netbox.circuit(99)

    netbox.after[CIRCUITS] = change
    context = Context()
    found = ids(poll("circuits", netbox, context=context))
    assert set(found) == {str(each) for each in stay | {99}}
    assert " dropped=0 " in context.logged("polled")[0]
    assert numbers(netbox, CIRCUITS).count(gone) == 0  # else nothing happened in between


@pytest.mark.parametrize("cap", [2, 5, 20])
def test_an_end_deleted_between_two_pages_takes_no_other_along(start, cap):
    netbox = filled(start(cap=cap), virtual=0)
    expected = expected_ends(netbox)

    def change(answers):
        if answers == 1:
            first = min(numbers(netbox, ENDS))
            netbox.lists[ENDS] = [each for each in netbox.lists[ENDS] if each["id"] != first]

    netbox.after[ENDS] = change
    assert {each["id"]: ends_of(each) for each in poll("circuits", netbox)} == expected
    assert len(netbox.lists[ENDS]) == 20


def test_a_circuit_added_while_its_ends_are_read_is_left_for_the_next_poll(netbox):
    def change(answers):
        netbox.end(900, netbox.circuit(99), "A", netbox.lists["dcim/sites"][0])

    netbox.after[CIRCUITS] = change
    found = poll("circuits", netbox)
    assert "99" not in ids(found)
    assert {each["id"]: ends_of(each) for each in found if each["id"].isdigit()} == {
        key: ends for key, ends in expected_ends(netbox).items() if key != "99"
    }


def test_a_site_added_while_ends_are_read_is_known(netbox):
    """What ends name is read after them."""

    def change(answers):
        site = netbox.site(77, "New site", latitude=1.5, longitude=0.0)
        netbox.end(900, netbox.lists[CIRCUITS][0], "Z", site)

    netbox.after[CIRCUITS] = change
    number = str(netbox.lists[CIRCUITS][0]["id"])
    (found,) = (each for each in poll("circuits", netbox) if each["id"] == number)
    assert {"name": "New site", "latitude": 1.5, "longitude": 0.0} in [
        each["location"] for each in found["base"]["locations"]
    ]


@pytest.mark.parametrize("release", fakes.RELEASES)
@pytest.mark.parametrize("cap", [1, 2, 7])
def test_every_listing_is_walked_by_id(start, release, cap):
    netbox = filled(start(release, cap=cap), links=3)
    scope = scope_of(netbox)
    for listing, app_and_model in provider.LISTINGS.items():
        if listing not in netbox.lists:
            continue
        each_page = list(provider.pages(scope, listing))
        assert all(0 < len(page) <= cap for page in each_page)
        walked = [each for page in each_page for each in page]
        assert [each["id"] for each in walked] == sorted(numbers(netbox, listing))
        assert {each["object_type"] for each in walked} == {app_and_model}
    queries = [query for _, query, _ in netbox.requests]
    assert any("id__gt" in query for query in queries)
    assert not [query for query in queries if {"offset", "start"} & set(query)]


def test_the_rest_deleted_between_two_pages_ends_the_walk(start):
    netbox = filled(start(cap=5))
    netbox.after[CIRCUITS] = lambda answers: netbox.lists[CIRCUITS].clear()
    pages = list(provider.pages(scope_of(netbox), CIRCUITS))
    assert [[each["id"] for each in page] for page in pages] == [[1, 2, 3, 4, 5], []]


def without_query(*names):
    """A server, or what is before it, that ignores parameters."""

    def broken(netbox):
        page = netbox._page
        netbox._page = lambda listing, query: page(
            listing, {name: each for name, each in query.items() if name not in names}
        )

    return broken


@pytest.mark.parametrize(
    "names, words", [(["id__gt"], "pages in a loop"), (["ordering"], "list by id")]
)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_parameter_that_is_ignored_ends_in_an_error_not_in_a_loop(start, family, names, words):
    netbox = filled(start(cap=3))
    if "ordering" in names:
        for each in netbox.lists.values():
            each.reverse()
    without_query(*names)(netbox)
    with pytest.raises(UnexpectedResponse, match=words):
        poll(family, netbox, options={"deadline_s": 30})


def test_a_count_that_no_page_ever_reaches_is_an_error(netbox):
    netbox.fault(CIRCUITS, lambda body: {**body, "count": 99, "results": []})
    with pytest.raises(UnexpectedResponse, match="99 more, but shows none"):
        poll("circuits", netbox)
    assert netbox.counts[f"/api/{CIRCUITS}/"] == provider.EMPTY_PAGES


def test_a_page_that_repeats_a_record_is_an_error(netbox):
    netbox.fault(CIRCUITS, lambda body: {**body, "results": body["results"] * 2})
    with pytest.raises(UnexpectedResponse, match="loop"):
        poll("circuits", netbox)


# --- tokens and rights --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "release, token, word",
    [
        ("3.7.8", fakes.V1, "Token"),
        ("4.1.11", fakes.V1, "Token"),
        ("4.6.8", fakes.V1, "Token"),
        ("4.6.8", fakes.V2, "Bearer"),
    ],
)
@pytest.mark.parametrize("family", FAMILIES)
def test_both_forms_of_tokens(start, family, release, token, word):
    netbox = filled(start(release))
    assert ids(poll(family, netbox, f" {token} ")) == expected_ids(netbox, family)
    told = {headers.get("Authorization") for _, _, headers in netbox.requests}
    assert told == {f"{word} {token}"}


def test_what_a_request_says_of_itself(netbox):
    poll("volumes", netbox)
    ((_, _, headers),) = netbox.requests
    assert (headers["Accept"], headers["User-Agent"]) == ("application/json", "cmp-connectors")
    assert "Accept-Language" not in headers  # errors are told by their English words


@pytest.mark.parametrize("release", fakes.RELEASES)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_token(start, family, release):
    netbox, context = filled(start(release)), Context()
    wrong = "wr0ng" + fakes.V1[5:]
    with pytest.raises(InvalidCredentials, match="403: Invalid (v1 )?token") as caught:
        poll(family, netbox, wrong, context)
    assert wrong not in shown_by(caught.value, context)
    assert 1 <= sum(netbox.counts.values()) <= provider.PROVIDER.at_once


@pytest.mark.parametrize(
    "said",
    [
        fakes.NOT_PROVIDED,
        "Invalid v1 token",
        "Invalid v2 token",
        "Invalid token",
        "Token disabled",
        "Token expired",
        "Source IP 192.0.2.7 is not permitted to authenticate using this token.",
        "Invalid authorization header: Could not parse key from v2 token.",
        "User inactive or deleted.",
    ],
)
def test_why_a_token_is_refused_is_said(netbox, said):
    netbox.said_of[fakes.V1] = said
    with pytest.raises(InvalidCredentials) as caught:
        poll("circuits", netbox)
    assert said.rstrip(".") in str(caught.value)
    assert 1 <= sum(netbox.counts.values()) <= provider.PROVIDER.at_once
    assert (
        netbox.counts["/api/status/"] == 0
    )  # the words are known: nothing else is tried with the token


def needed_rights(family):
    return importlib.import_module(f"modules.{family}.netbox").CELL.permissions


@pytest.mark.parametrize("family", FAMILIES)
def test_the_rights_that_a_cell_states_are_enough(netbox, family):
    netbox.tokens[fakes.V1] = set(needed_rights(family))
    assert ids(poll(family, netbox)) == expected_ids(netbox, family)


@pytest.mark.parametrize("token", [fakes.V1, fakes.V2])
@pytest.mark.parametrize(
    "family, right", [(family, right) for family in FAMILIES for right in needed_rights(family)]
)
def test_a_missing_permission_is_named_and_the_token_not_blamed(netbox, family, right, token):
    netbox.tokens[token] = set(needed_rights(family)) - {right}
    with pytest.raises(
        InsufficientPermission, match=rf"lacks the permission {right}: .*403"
    ) as caught:
        poll(family, netbox, token)
    named = {each for each in fakes.RIGHTS.values() if f"{each}:" in str(caught.value)}
    assert named == {right}


@pytest.mark.parametrize(
    "token_is_good, error", [(True, InsufficientPermission), (False, InvalidCredentials)]
)
def test_a_403_in_another_language_is_told_by_what_else_the_token_may(netbox, token_is_good, error):
    netbox.fault(f"/api/{ENDS}/", (403, {}, '{"detail": "Das dürfen Sie nicht."}'))
    if not token_is_good:
        netbox.fault("/api/status/", (403, {}, '{"detail": "Ungültiges Token."}'))
    with pytest.raises(error, match="Das dürfen Sie nicht"):
        poll("circuits", netbox)
    assert netbox.counts["/api/status/"] == 1


def test_a_403_of_something_in_front_of_netbox_is_neither(netbox):
    netbox.fault(f"/api/{CIRCUITS}/", (403, {}, "<html>a firewall</html>"))
    with pytest.raises(UnexpectedResponse, match="403.*in front of it"):
        poll("circuits", netbox)


def test_a_401_of_a_later_release_or_a_proxy(netbox):
    netbox.fault(f"/api/{CIRCUITS}/", 401)
    with pytest.raises(InvalidCredentials, match="401"):
        poll("circuits", netbox)


def test_a_bad_filter_is_said_in_netboxs_words(netbox):
    netbox.fault("/api/dcim/devices/", (400, {}, '{"id": ["Select a valid choice."]}'))
    with pytest.raises(UnexpectedResponse, match="400: id: .*Select a valid choice"):
        poll("appliances", netbox)


def test_the_least_permissions():
    assert provider.least_permissions(["ipam.view_vlan", "dcim.view_site", "ipam.view_vlan"]) == {
        "name": "CMP inventory",
        "object_types": ["dcim.site", "ipam.vlan"],
        "actions": ["view"],
        "constraints": None,
    }


def test_listings_are_named_with_their_rights():
    assert {
        name: provider.session._permission(kind) for name, kind in provider.LISTINGS.items()
    } == fakes.RIGHTS


# --- where the token goes ---------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_links_to_another_host_are_never_followed(start, family):
    """Neither that to the next page nor those of records."""
    other, netbox = filled(start(cap=3)), start(cap=3)
    netbox.links_host = other.url
    filled(netbox)
    assert ids(poll(family, netbox)) == expected_ids(netbox, family)
    assert not other.counts


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_never_takes_the_token_to_another_host(start, netbox, status):
    other = filled(start())
    path = f"/api/{OWN['volumes']}/"
    to = other.url.replace("127.0.0.1", "localhost") + path
    netbox.fault(path, (status, {"Location": to}))
    with pytest.raises(UnexpectedResponse, match="redirects to another place.*localhost"):
        poll("volumes", netbox)
    assert not other.counts


@pytest.mark.parametrize("end", ["", "/", "/api", "/api/", "/api//"])
@pytest.mark.parametrize("base", ["", "/netbox", "/a/b"])
def test_a_netbox_below_a_path(start, base, end):
    netbox = filled(start(base=base, cap=3))
    found = poll("circuits", netbox, url=netbox.url + end)
    assert ids(found) == expected_ids(netbox, "circuits")
    assert {path.startswith(f"{base}/api/") for path in netbox.counts} == {True}
    assert found[0]["base"]["native_portal_link"] == f"{netbox.url}/circuits/circuits/1/"


def test_a_wrong_base_path_is_said(netbox):
    with pytest.raises(UnexpectedResponse, match=r"/elsewhere/api/dcim/sites/.*404.*url"):
        poll("servers", netbox, url=f"{netbox.url}/elsewhere")


def test_a_proxy_that_hides_netbox_is_no_old_release(netbox):
    netbox.html_404 = {*netbox.lists}
    with pytest.raises(UnexpectedResponse, match="404"):
        poll("circuits", netbox)


# --- faults -------------------------------------------------------------------------------------------


def named(netbox, family):
    return rf"{netbox.url}/api/{OWN[family]}/(?!\?)"


@pytest.mark.parametrize("kind", [500, 502, 503, 504, "drop", "cut"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_netbox_that_is_down(netbox, family, kind):
    netbox.fault(f"/api/{OWN[family]}/", kind)
    with pytest.raises(Unreachable, match=named(netbox, family)) as caught:
        poll(family, netbox)
    assert "?" not in str(caught.value) and "limit=" not in str(caught.value)
    assert netbox.counts[f"/api/{OWN[family]}/"] == http.ATTEMPTS


def test_nobody_at_the_address(start):
    netbox = start()
    netbox.stop()
    with pytest.raises(Unreachable, match=f"{netbox.url}/api/{CIRCUITS}/: ") as caught:
        poll("circuits", netbox)
    assert "?" not in str(caught.value)


@pytest.mark.parametrize("kind", [500, "cut", "drop", (429, {"Retry-After": "0"})], ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_faults_that_pass(start, family, kind):
    netbox = filled(start(cap=3))
    netbox.fault(f"/api/{OWN[family]}/", kind, times=3)
    assert ids(poll(family, netbox)) == expected_ids(netbox, family)


def test_a_proxy_that_throttles_for_good(netbox):
    netbox.fault("/api/", (429, {"Retry-After": "0"}))
    with pytest.raises(Throttled, match=f"{netbox.url}/api/dcim/sites/ answered 429"):
        poll("networks", netbox)


@pytest.mark.parametrize(
    "kind",
    [
        "html",
        (200, {}, '{"count": 12, "next": null, "results": [{"id": 1, "na'),
        (200, {}, ""),
        lambda body: [],
        lambda body: "text",
    ],
    ids=["html", "truncated", "empty", "a list", "text"],
)
@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_that_is_no_object_names_its_url(netbox, family, kind):
    netbox.fault(f"/api/{OWN[family]}/", kind)
    with pytest.raises(UnexpectedResponse, match=named(netbox, family)) as caught:
        poll(family, netbox)
    assert "?" not in str(caught.value)
    assert ("text/html" in str(caught.value)) == (kind == "html")


@pytest.mark.parametrize(
    "change",
    [
        {"results": None},
        {"results": "text"},
        {"results": [1]},
        {"results": [{}]},
        {"results": [{"id": None}]},
        {"results": [{"id": "1"}]},
        {"count": "12"},
    ],
    ids=str,
)
@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_that_is_no_page(netbox, family, change):
    netbox.fault(f"/api/{OWN[family]}/", lambda body: {**body, **change})
    with pytest.raises(UnexpectedResponse):
        poll(family, netbox)


@pytest.mark.parametrize("name", ["count", "results"])
def test_an_answer_without_what_a_page_has(netbox, name):
    def lost(body):
        return {key: each for key, each in body.items() if key != name}

    netbox.fault(CIRCUITS, lost)
    with pytest.raises(UnexpectedResponse, match=rf"/api/{CIRCUITS}/ has no field '{name}'"):
        poll("circuits", netbox)


@pytest.mark.parametrize("told", [None, "", "soon", {}])
def test_a_release_that_is_none(start, told):
    netbox = filled(start("4.1.11"))
    netbox.fault("/api/status/", lambda body: {**body, "netbox-version": told})
    with pytest.raises(UnexpectedResponse, match="netbox-version"):
        poll("volumes", netbox)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_stalled_netbox_ends_at_the_deadline(netbox, family, run_out_at):
    netbox.fault(f"/api/{OWN[family]}/", "stall")
    run_out_at(2)  # logging in calls nobody, so that is done; the listing never is
    with pytest.raises(OutOfTime, match="unfinished: 127.0.0.1"):
        poll(family, netbox)


def test_an_end_without_its_circuit_fails_the_poll(netbox):
    netbox.lists[ENDS][0]["circuit"] = None
    with pytest.raises(UnexpectedResponse, match="'circuit' is missing"):
        poll("circuits", netbox)


# --- secrets ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [fakes.V1, fakes.V2])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_token_is_in_no_resource_and_no_log(netbox, family, token, capsys):
    context = Context()
    text = json.dumps(poll(family, netbox, token, context)) + "".join(context.lines)
    out = capsys.readouterr()
    assert token not in text + out.out + out.err
    assert token not in json.dumps(context.state)


@pytest.mark.parametrize("token", [fakes.V1, fakes.V2])
@pytest.mark.parametrize(
    "kind",
    [401, 403, 404, 500, "html", "drop", "cut", "echo"],
)
def test_the_token_is_in_no_error(netbox, token, kind, capsys):
    if kind == "echo":
        kind = (403, {}, json.dumps({"detail": f"Invalid token: {token}"}))
    netbox.fault(f"/api/{CIRCUITS}/", kind)
    context = Context()
    with pytest.raises(ConnectorError) as caught:
        poll("circuits", netbox, token, context)
    out = capsys.readouterr()
    assert context.lines
    assert token not in shown_by(caught.value, context) + out.out + out.err


def test_credentials_and_sessions_can_be_shown(netbox):
    assert fakes.V2 not in repr(provider.credentials(netbox.credentials(fakes.V2), False))
    assert fakes.V1 not in repr(scope_of(netbox))


@pytest.mark.parametrize("token", ["Token {}", "Bearer {}", "{} x", "{}\nx", "{}\x00", "ключ"])
def test_a_token_that_is_none_is_refused_before_any_call_and_not_shown(netbox, token):
    given, context = token.format(fakes.V1), Context()
    with pytest.raises(InvalidEvent, match="credentials.token") as caught:
        poll("circuits", netbox, given, context)
    assert given not in shown_by(caught.value, context)
    assert fakes.V1 not in shown_by(caught.value, context)
    assert not netbox.counts


def test_an_unverified_netbox_is_logged_at_each_poll(netbox):
    context = Context()
    poll("volumes", netbox, context=context, verify="false")
    assert any(line.startswith("warn") and "TLS" in line for line in context.lines)


# --- credentials --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed, names",
    [
        ({"url": None}, "credentials.url is missing"),
        ({"url": ""}, "credentials.url is missing"),
        ({"url": 7}, "credentials.url should be text"),
        ({"url": "netbox.example"}, "credentials.url should be the http"),
        ({"url": "ftp://netbox.example"}, "credentials.url should be the http"),
        ({"url": "https://"}, "credentials.url should be the http"),
        ({"url": "https://netbox.example:port"}, "credentials.url should be the http"),
        ({"url": "https://[netbox"}, "credentials.url should be the http"),
        ({"url": "https://user:wr0ng@netbox.example"}, "without user name"),
        ({"url": "https://netbox.example/?x=1"}, "without user name, query"),
        ({"url": "https://netbox.example/#x"}, "fragment"),
        ({"token": None}, "credentials.token is missing"),
        ({"token": " "}, "credentials.token is missing"),
        ({"token": ["x"]}, "credentials.token should be text"),
        ({"verify": "perhaps"}, "credentials.verify"),
        ({"cacert": 7}, "credentials.cacert should be text"),
        ({"cacert": "no-such-file.pem"}, "cacert should be the PEM text"),
        ({"cacert": "-----BEGIN CERTIFICATE-----\nbroken\n"}, "cacert is no usable PEM text"),
    ],
)
@pytest.mark.usefixtures("no_network")
def test_credentials_that_can_not_be_used_are_named_before_any_call(changed, names):
    given = {"url": "https://netbox.example", "token": fakes.V1, **changed}
    for ambient in (False, True):
        with pytest.raises(InvalidEvent, match=names):
            provider.credentials(given, ambient)
        with pytest.raises(InvalidEvent, match=names) as caught:
            event = {"provider": "netbox", "credentials": given}
            get("circuits", event, Context(ambient_credentials=ambient))
        assert fakes.V1 not in str(caught.value)
        assert "wr0ng" not in str(caught.value)


@pytest.mark.usefixtures("no_network")
def test_there_are_no_ambient_credentials():
    with pytest.raises(InvalidEvent, match="credentials.url is missing"):
        get("circuits", {"provider": "netbox"}, Context(ambient_credentials=True))


@pytest.mark.parametrize(
    "url, expected",
    [
        ("https://netbox.example", "https://netbox.example"),
        (" https://netbox.example/ ", "https://netbox.example"),
        ("https://netbox.example:8443/api/", "https://netbox.example:8443"),
        ("http://[2001:db8::1]:8000/netbox/api", "http://[2001:db8::1]:8000/netbox"),
        ("https://api", "https://api"),
        ("https://netbox.example/myapi", "https://netbox.example/myapi"),
    ],
)
def test_urls(url, expected):
    assert provider.credentials({"url": url, "token": "t"}, False).url == expected


@pytest.mark.parametrize("release", fakes.RELEASES)
def test_credentials_are_validated_by_one_call(start, release):
    netbox = filled(start(release))
    host = netbox.url.partition("://")[2]
    assert validate(netbox) == {"ok": True, "account": f"{host} (NetBox {release})"}
    assert dict(netbox.counts) == {"/api/status/": 1}


@pytest.mark.parametrize("release", fakes.RELEASES)
def test_a_token_needs_no_right_to_be_valid(start, release):
    netbox = start(release)
    netbox.tokens[fakes.V1] = set()
    assert validate(netbox)["ok"] is True


@pytest.mark.parametrize("release", fakes.RELEASES)
def test_a_wrong_token_is_not_valid(start, release):
    """Of 3.7 too, which tells its release to those who bring no token."""
    wrong = "wr0ng" + fakes.V1[5:]
    answer = validate(start(release), wrong)
    assert answer["ok"] is False
    assert answer["reason"].startswith("InvalidCredentials: ")
    assert wrong not in answer["reason"]


@pytest.mark.parametrize(
    "kind, reason",
    [
        ("html", "UnexpectedResponse: .*/api/status/ did not answer with JSON"),
        (404, r"UnexpectedResponse: .*/api/status/ is not there \(404\).*credentials.url"),
        (503, "Unreachable: .*503"),
        ("drop", "Unreachable: "),
    ],
)
def test_what_is_no_netbox_is_not_valid(netbox, kind, reason):
    netbox.fault("/api/status/", kind)
    answer = validate(netbox)
    assert answer["ok"] is False
    assert re.match(reason, answer["reason"])


def test_bad_credentials_are_not_valid(netbox):
    answer = validate(netbox, url="no url")
    assert answer["ok"] is False and answer["reason"].startswith("InvalidEvent: credentials.url")
    assert not netbox.counts
