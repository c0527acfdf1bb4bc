"""RESTCONF as a client that only reads, by both providers that are made of it: login, faults, emptiness."""

import json
import re
from typing import Any

import pytest

from modules.wan_links import main
from shared.engine.errors import (
    InsufficientPermission,
    InvalidCredentials,
    InvalidEvent,
    Throttled,
    UnexpectedResponse,
    Unreachable,
)
from shared.engine.poll import load_cell
from shared.transport import http, restconf
from tests.fakes import restconf as fakes
from tests.fakes.context import Context
from tests.fakes.ietf_l2vpn import L2vpn
from tests.fakes.tapi import Tapi
from tests.test_http import own_ca  # noqa: F401 - a fixture

KINDS = {"tapi": Tapi, "ietf_l2vpn": L2vpn}
PATHS = {
    "tapi": ("connectivity-service", "service-interface-point"),
    "ietf_l2vpn": ("vpn-services", "sites"),
}
EVERY_PATH = [(provider, path) for provider, paths in PATHS.items() for path in paths]
LOGIN = {"url": "https://wim.example", "username": "u", "password": "secret-of-u"}


@pytest.fixture(autouse=True)
def no_delays(monkeypatch):
    monkeypatch.setattr(http, "FIRST_DELAY_S", 0.0)
    monkeypatch.setattr(http, "LONGEST_DELAY_S", 0.0)


@pytest.fixture
def start():
    running = []

    def started(provider, links=1, **more):
        made: Any = KINDS[provider](**more)
        running.append(made)
        for number in range(links):
            if provider == "tapi":
                made.service(made.point(f"a{number}"), made.point(f"b{number}"))
            else:
                vpn = made.service(f"vpn-{number}")["vpn-id"]
                made.site(f"a{number}", made.access(vpn, "p1"))
                made.site(f"b{number}", made.access(vpn, "p2"))
        return made

    yield started
    for each in running:
        each.stop()


@pytest.fixture(params=sorted(KINDS))
def provider(request):
    return request.param


def poll(provider, credentials, context=None):
    event = {"provider": provider, "credentials": credentials}
    return main.get(event, context or Context())


def valid(provider, credentials):
    return main.validate_credentials({"provider": provider, "credentials": credentials}, Context())


# --- the account ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"url": None}, "credentials.url"),
        ({"url": "wim.example"}, "credentials.url"),
        ({"url": "ftp://wim.example"}, "credentials.url"),
        ({"url": "https://u:p@wim.example"}, "credentials.url"),
        ({"url": "https://wim.example/?a=b"}, "credentials.url"),
        ({"username": None}, "credentials.username"),
        ({"username": "a:b"}, "colon"),
        ({"password": ""}, "credentials.password"),
        ({"password": 7}, "credentials.password"),
        ({"token": "t0ken"}, "both a token and a user"),
        ({"username": None, "password": None, "token": "Bearer t"}, "credentials.token"),
        ({"verify": "perhaps"}, "credentials.verify"),
        ({"cacert": "-----BEGIN CERTIFICATE-----\nbroken\n"}, "no usable PEM text"),
        ({"cacert": "no/such/file.pem"}, "cacert should be the PEM text"),
    ],
)
def test_credentials_that_can_not_be_used_are_refused_before_any_call(changed, words):
    with pytest.raises(InvalidEvent, match=re.escape(words)) as caught:
        restconf.credentials({**LOGIN, **changed}, False)
    assert "secret-of-u" not in str(caught.value)


@pytest.mark.parametrize(
    "url, root",
    [
        ("https://wim.example", "https://wim.example/restconf"),
        ("https://wim.example:8443/", "https://wim.example:8443/restconf"),
        ("https://wim.example/restconf/", "https://wim.example/restconf"),
        ("https://wim.example/restconf/data/", "https://wim.example/restconf"),
        ("https://wim.example/rests", "https://wim.example/rests"),
        ("https://wim.example/onos/restconf", "https://wim.example/onos/restconf"),
        ("http://wim.example/sdn/c1/", "http://wim.example/sdn/c1"),
        ("http://wim.example/sdn/c1/data", "http://wim.example/sdn/c1"),
        ("http://wim.example/data", "http://wim.example/restconf"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443/restconf"),
    ],
)
def test_the_root_of_the_api(url, root):
    assert restconf.credentials({**LOGIN, "url": url}, False).root == root


def test_no_secret_in_a_repr():
    for more in ({}, {"username": None, "password": None, "token": "secret-token"}):
        assert "secret" not in repr(restconf.credentials({**LOGIN, **more}, False))


@pytest.mark.parametrize("login", [{}, {"token": fakes.TOKEN}])
def test_basic_authentication_or_a_bearers_token(start, provider, login):
    controller = start(provider)
    credentials = {"url": controller.url, **login} if login else controller.credentials()
    assert len(poll(provider, credentials)) == 1
    word = "Bearer " if login else "Basic "
    assert {headers["Authorization"][: len(word)] for _, headers in controller.requests} == {word}


@pytest.mark.parametrize("wrong", [{"password": "wrong-secret"}, {"username": "someone"}])
def test_a_wrong_password_is_said_at_once(start, provider, wrong):
    controller = start(provider)
    with pytest.raises(InvalidCredentials) as caught:
        poll(provider, controller.credentials(**wrong))
    assert "wrong-secret" not in str(caught.value)
    assert sum(controller.counts.values()) == 1  # a lock-out counts tries
    answer = valid(provider, controller.credentials(**wrong))
    assert answer["ok"] is False
    assert answer["reason"].startswith("InvalidCredentials")


def test_validate_credentials(start, provider):
    controller = start(provider)
    host = controller.url.partition("://")[2]
    assert valid(provider, controller.credentials()) == {"ok": True, "account": host}


@pytest.mark.parametrize("root", ["/rests", "/onos/restconf", "/api/v1"])
def test_another_root(start, provider, root):
    controller = start(provider, root=root)
    assert len(poll(provider, controller.credentials(url=f"{controller.url}{root}"))) == 1


# --- TLS ------------------------------------------------------------------------------------------


def test_a_certificate_of_an_own_ca(start, provider, own_ca):  # noqa: F811
    text, path = own_ca
    controller = start(provider, certificate=path)
    with pytest.raises(Unreachable, match="TLS failed"):
        poll(provider, controller.credentials())
    assert len(poll(provider, controller.credentials(cacert=text))) == 1


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_tls_is_not_verified_only_where_the_account_says_so(start, provider, own_ca):  # noqa: F811
    controller, context = start(provider, certificate=own_ca[1]), Context()
    assert len(poll(provider, controller.credentials(verify=False), context)) == 1
    assert context.logged("TLS not verified")


# --- faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider, path", EVERY_PATH)
@pytest.mark.parametrize(
    "fault, error, words",
    [
        ("html", UnexpectedResponse, "did not answer with JSON"),
        ((200, []), UnexpectedResponse, "did not answer with a JSON object"),
        ((200, {"other": []}), UnexpectedResponse, "has no field"),
        (404, UnexpectedResponse, "not in RESTCONF's words"),
        ((404, {"error": "no such route"}), UnexpectedResponse, "not in RESTCONF's words"),
        ((400, fakes.error("unknown-element", "what?")), UnexpectedResponse, "unknown-element"),
        (403, InsufficientPermission, "may not read"),
        (429, Throttled, "429"),
        (503, Unreachable, "503"),
        ("cut", Unreachable, "bytes came|Incomplete|Broken"),
        ("drop", Unreachable, "Connection|Remote"),
    ],
)
def test_a_fault_of_either_list_fails_the_poll(start, provider, path, fault, error, words):
    controller = start(provider)
    controller.fault(f"/{path}$", fault)
    with pytest.raises(error, match=words) as caught:
        poll(provider, controller.credentials())
    assert fakes.PASSWORD not in str(caught.value)


@pytest.mark.parametrize("provider, path", EVERY_PATH)
@pytest.mark.parametrize("fault", ["cut", "drop", 429, 503])
def test_what_passes_is_tried_again(start, provider, path, fault):
    controller = start(provider)
    controller.fault(f"/{path}$", fault, times=2)
    assert len(poll(provider, controller.credentials())) == 1


@pytest.mark.parametrize("provider, path", EVERY_PATH)
def test_a_missing_permission_is_named(start, provider, path):
    controller = start(provider)
    controller.denied = {each for each in controller.data() if each.endswith(path)}
    with pytest.raises(InsufficientPermission, match=path):
        poll(provider, controller.credentials())


@pytest.mark.parametrize("provider, path", EVERY_PATH)
@pytest.mark.parametrize("entry", [7, "text", None, [7]])
def test_a_list_that_holds_no_objects_is_refused(start, provider, path, entry):
    controller = start(provider)

    def damaged(document):
        (top,) = document
        inner = document[top]
        if isinstance(inner, dict):
            return {top: {name: [entry] for name in inner}}
        return {top: [entry]}

    controller.fault(f"/{path}$", damaged)
    with pytest.raises(UnexpectedResponse, match="list of objects"):
        poll(provider, controller.credentials())


# --- what is not there -------------------------------------------------------------------------------


def test_a_controller_without_services_has_none(start, provider):
    controller = start(provider, links=0)
    assert poll(provider, controller.credentials()) == []
    assert valid(provider, controller.credentials())["ok"] is True


def test_sites_or_points_prove_that_the_controller_has_the_model(start, provider):
    controller = start(provider, modules=None)
    without_services(controller)
    assert poll(provider, controller.credentials()) == []
    assert len(controller.requests) == 2  # no library


def without_services(controller):
    """Points or sites stay, the sites without an access to any service."""
    controller.services.clear()
    for site in getattr(controller, "sites", ()):
        del site["site-network-accesses"]


@pytest.mark.parametrize("modules", [None, (), ("ietf-l3vpn-svc",)])
def test_a_controller_of_another_model_is_not_taken_for_an_empty_one(start, provider, modules):
    controller = start(provider, links=0, modules=modules)
    with pytest.raises(UnexpectedResponse, match="is it a controller of this model"):
        poll(provider, controller.credentials())
    assert valid(provider, controller.credentials())["ok"] is False


def test_a_library_by_rfc_8525(start, provider):
    controller = start(provider, links=0, modules=None)
    module = {"tapi": "tapi-connectivity", "ietf_l2vpn": "ietf-l2vpn-svc"}[provider]
    sets = [{"name": "all", "module": [{"name": module, "revision": "2020-06-16"}]}]
    library = {"ietf-yang-library:yang-library": {"module-set": sets, "content-id": "1"}}
    controller.fault("yang-library:yang-library$", (200, library))
    assert poll(provider, controller.credentials()) == []


@pytest.mark.parametrize(
    "answer", [(409, fakes.error("data-missing", "none")), (200, {}), (404, fakes.NOT_THERE)]
)
def test_each_way_to_say_that_a_list_is_empty(start, provider, answer):
    controller = start(provider)
    without_services(controller)
    controller.fault(f"/{PATHS[provider][0]}$", answer)
    assert poll(provider, controller.credentials()) == []


def test_an_error_alone_may_stand_for_itself(start, provider):
    controller = start(provider)
    without_services(controller)
    (one,) = fakes.NOT_THERE["ietf-restconf:errors"]["error"]
    controller.fault(f"/{PATHS[provider][0]}$", (404, {"ietf-restconf:errors": {"error": one}}))
    assert poll(provider, controller.credentials()) == []


# --- other forms of the same answer -----------------------------------------------------------------


def test_members_without_their_module(start, provider):
    controller = start(provider)
    usual = poll(provider, controller.credentials())
    controller.prefixed = False
    assert timeless(poll(provider, controller.credentials())) == timeless(usual)


def test_a_list_of_one_may_be_an_object(start, provider):
    controller = start(provider)
    usual = poll(provider, controller.credentials())

    def alone(document):
        (top,) = document
        inner = document[top]
        if isinstance(inner, dict):
            return {top: {name: each[0] for name, each in inner.items()}}
        return {top: inner[0]}

    controller.fault(f"/{PATHS[provider][0]}$", alone)
    assert timeless(poll(provider, controller.credentials())) == timeless(usual)


LEVELS = {  # of containers around a list; those of the list's own answer are not among them
    "connectivity-service": ("tapi-connectivity:connectivity-context", "tapi-common:context"),
    "service-interface-point": ("tapi-common:context",),
    "vpn-services": ("ietf-l2vpn-svc:l2vpn-svc",),
    "sites": ("ietf-l2vpn-svc:l2vpn-svc",),
}


@pytest.mark.parametrize("prefixed", [True, False])
@pytest.mark.parametrize("provider, path", EVERY_PATH)
def test_a_list_that_is_wrapped_in_its_parents(start, provider, path, prefixed):
    controller = start(provider)
    usual = poll(provider, controller.credentials())
    controller.prefixed = prefixed
    for n in range(len(LEVELS[path])):

        def wrapped(document, levels=LEVELS[path][: n + 1]):
            for level in levels:
                document = {level if prefixed else level.rpartition(":")[2]: document}
            return document

        controller.fault(f"/{path}$", wrapped)
        assert timeless(poll(provider, controller.credentials())) == timeless(usual)
        controller.no_faults()


@pytest.mark.parametrize("provider, path", EVERY_PATH)
def test_a_list_that_answers_405_is_read_from_the_container_that_it_is_in(start, provider, path):
    controller = start(provider)
    usual = poll(provider, controller.credentials())
    controller.fault(f"/{path}$", (405, fakes.error("operation-not-supported", "not here")))
    (document,) = (each for where, each in controller.data().items() if where.endswith(path))
    for level in LEVELS[path]:
        document = {level: document}
        where = level.replace("tapi-connectivity:", "context/tapi-connectivity:")
        controller.fault(f"{where}$", (200, document))
        assert timeless(poll(provider, controller.credentials())) == timeless(usual)
        controller.fault(f"{where}$", 405, first=True)
    with pytest.raises(UnexpectedResponse, match=f"{path} answered 405"):
        poll(provider, controller.credentials())


def timeless(resources):
    return json.loads(
        re.sub(r'"last_seen_at": "[^"]*"', '"last_seen_at": ""', json.dumps(resources))
    )


@pytest.mark.parametrize(
    "value, number", [("10", 10), (10, 10), ("18446744073709551615", 2**64 - 1), (None, None)]
)
def test_a_whole_number_may_be_text(value, number):
    assert restconf.whole({"value": value}, "value") == number


@pytest.mark.parametrize("value", ["", "1.5", "-1", "ten", "٣", "1" * 21, 1.5, True, []])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(UnexpectedResponse, match="'value'"):
        restconf.whole({"value": value}, "value")


@pytest.mark.parametrize(
    "value, number",
    [
        ("10", 10),
        (10, 10),
        ("2.50", 2.5),
        (2.5, 2.5),
        ("0.0", 0),
        (2**64 - 1, 2**64 - 1),
        (None, None),
    ],
)
def test_a_number_with_a_fraction_may_be_text(value, number):
    assert restconf.decimal({"value": value}, "value") == number


@pytest.mark.parametrize(
    "value", ["", "1.", ".5", "-1", "1e3", "ten", "٣", "1" * 21, 1e30, -1, True]
)
def test_what_is_no_number_is_refused(value):
    with pytest.raises(UnexpectedResponse, match="'value'"):
        restconf.decimal({"value": value}, "value")


def test_the_permissions_as_rules_of_nacm(provider):
    permissions = load_cell(f"modules.wan_links.{provider}").permissions
    (rules,) = restconf.least_permissions(permissions)["ietf-netconf-acm:rule-list"]
    assert [rule["path"] for rule in rules["rule"]] == sorted(permissions)
    assert {rule["access-operations"] for rule in rules["rule"]} == {"read"}
    modules = {"tapi": {"tapi-common", "tapi-connectivity"}, "ietf_l2vpn": {"ietf-l2vpn-svc"}}
    assert {rule["module-name"] for rule in rules["rule"]} == modules[provider]


def test_other_exceptions_are_no_business_of_restconf():
    assert restconf.classify(ValueError("x")) is None
