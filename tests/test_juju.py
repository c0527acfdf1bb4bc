"""Juju, the provider: its client against the simulator in tests/fakes/juju.py."""

import base64
import copy
import json
import logging
import socket
import ssl
import types

import pytest

from shared.engine.deadline import Deadline
from shared.engine.errors import (
    Absent,
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
from shared.providers import juju
from shared.providers.juju import session
from shared.transport import http, websocket
from tests.fakes import juju as fakes
from tests.fakes.context import Context
from tests.fakes.poll import a_poll

STATUS = "Client.FullStatus"
LIST = "ModelManager.ListModelSummaries"
LOGIN = "Admin.Login"
KEY = "-----BEGIN EC PRIVATE KEY-----\naW52ZW50ZWQtcHJpdmF0ZS1wYXJ0\n-----END EC PRIVATE KEY-----\n"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Three tries, and no wait between them."""
    monkeypatch.setattr(http, "delay_before_retry", lambda attempt, *_: 0 if attempt < 3 else None)


@pytest.fixture
def controller():
    made = fakes.Controller("3.6", [fakes.Model("ns-vnf", contents=fakes.vnf())])
    yield made
    made.stop()


class Polled:
    """One poll's account, and what it was told."""

    def __init__(self, credentials, deadline):
        self.credentials = credentials
        self.context = Context()
        log = Log(Runtime(self.context), Origin(), Masker())
        self.poll = a_poll("servers", deadline=deadline, log=log)

    def login(self):
        return juju.login(juju.credentials(self.credentials, ambient=False), self.poll)

    def scopes(self):
        return juju.scopes(self.login())

    def statuses(self):
        return {scope.name: scope.status() for scope in self.scopes()}


def poll(controller, user="admin", seconds=30.0, **credentials):
    return Polled(controller.credentials(user, **credentials), Deadline(seconds))


def failure(action):
    """What the engine makes of the exception that the action ends in."""
    with pytest.raises(Exception) as caught:
        action()
    error = caught.value
    known = error if isinstance(error, ConnectorError) else juju.classify(error)
    assert known is not None, f"nobody knows {error!r}"
    return known


def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


# --- what is read -----------------------------------------------------------------------------------


@pytest.mark.parametrize("flavour", ["2.9", "3.3", "3.6", "4.0"])
def test_a_poll_reads_the_status_of_each_model(flavour):
    models = [
        fakes.Model("ns-vnf", contents=fakes.vnf()),
        fakes.Model("ns-k8s", "bob", fakes.kubernetes()),
    ]
    controller = fakes.Controller(flavour, models)
    try:
        polled = poll(controller)
        found = polled.statuses()
    finally:
        controller.stop()
    assert list(found) == ["admin/ns-vnf", "bob/ns-k8s"]
    assert found["admin/ns-vnf"] == models[0].status(flavour, controller.version)
    assert found["bob/ns-k8s"] == models[1].status(flavour, controller.version)
    assert controller.calls == {LOGIN: 3, LIST: 1, STATUS: 2}
    assert polled.poll.traffic.calls == 6
    assert polled.poll.traffic.retries == 0


def test_connections_are_closed_and_one_model_has_but_one(controller):
    poll(controller).statuses()
    assert controller.opened == 2
    assert controller.most_open == 1
    assert controller.open == 0


def test_the_account_is_the_controller_and_the_user(controller):
    account = juju.account(poll(controller).login())
    assert account == f"controller-{fakes.CONTROLLER} (admin)"
    assert controller.open == 0
    assert controller.calls == {LOGIN: 1}


def test_a_superuser_asks_for_everybodys_models_and_others_must_not():
    mine = fakes.Model("mine", "reader")
    shared = fakes.Model("shared", "bob", readers=["reader"])
    hidden = fakes.Model("hidden", "bob")
    controller = fakes.Controller("3.6", [shared, mine, hidden])
    try:
        of_admin = [scope.name for scope in poll(controller).scopes()]
        of_reader = [scope.name for scope in poll(controller, "reader").scopes()]
    finally:
        controller.stop()
    assert of_admin == ["bob/hidden", "bob/shared", "reader/mine"]
    assert of_reader == ["bob/shared", "reader/mine"]


def test_no_models(controller):
    controller.models.clear()
    assert poll(controller).scopes() == []


@pytest.mark.parametrize(
    "tag, name", [("user-bob@external", "bob@external"), ("user-bob@local", "bob")]
)
def test_the_owner_is_in_a_models_name(controller, tag, name):
    (model,) = controller.models.values()
    model.row["owner-tag"] = tag
    assert [scope.name for scope in poll(controller).scopes()] == [f"{name}/ns-vnf"]


class TestModelsThatTheAccountNames:
    @pytest.fixture
    def models(self):
        made = [fakes.Model("a"), fakes.Model("b"), fakes.Model("a", "bob")]
        controller = fakes.Controller("3.6", made)
        yield controller
        controller.stop()

    @pytest.mark.parametrize(
        "named, found",
        [
            (["admin/a"], ["admin/a"]),
            ("b, bob/a", ["admin/b", "bob/a"]),
            (["b", "admin/b"], ["admin/b"]),
            ([str(fakes.Model("a", "bob").uuid)], ["bob/a"]),
            ([], ["admin/a", "admin/b", "bob/a"]),
        ],
    )
    def test_found(self, models, named, found):
        assert [scope.name for scope in poll(models, models=named).scopes()] == found

    def test_one_that_is_not_there(self, models):
        error = failure(poll(models, models=["b", "c"]).scopes)
        assert isinstance(error, InvalidEvent)
        assert "'c'" in error.message and "admin/a, admin/b, bob/a" in error.message

    def test_one_that_may_be_two(self, models):
        error = failure(poll(models, models=["a"]).scopes)
        assert isinstance(error, InvalidEvent)
        assert "admin/a or bob/a" in error.message


# --- versions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("flavour, client, manager", [("2.9", 6, 9), ("3.3", 7, 9), ("4.0", 8, 11)])
def test_the_highest_version_that_both_sides_know(monkeypatch, flavour, client, manager):
    controller = fakes.Controller(flavour, [fakes.Model("m")])
    sent = []
    send = websocket.JsonWebSocket.send

    def noting(self, message):
        sent.append(copy.copy(message))
        send(self, message)

    monkeypatch.setattr(websocket.JsonWebSocket, "send", noting)
    try:
        poll(controller).statuses()
    finally:
        controller.stop()
    versions = {message["type"]: message["version"] for message in sent}
    assert versions == {"Admin": 3, "ModelManager": manager, "Client": client}


def test_a_controller_with_none_of_our_versions():
    controller = fakes.Controller("future", [fakes.Model("m")])
    try:
        error = failure(poll(controller).scopes)
    finally:
        controller.stop()
    assert isinstance(error, UnexpectedResponse)
    assert "offers ModelManager in versions 40" in error.message
    assert "knows 4, 5," in error.message


# --- TLS --------------------------------------------------------------------------------------------


def lines_lost(pem):
    return pem.replace("\n", "\\n")


def in_base64(pem):
    return base64.b64encode(pem.encode()).decode()


@pytest.mark.parametrize(
    "written",
    [
        str,
        lines_lost,
        in_base64,
        lambda pem: in_base64(lines_lost(pem)),
        lambda pem: in_base64(pem).rstrip("="),
        lambda pem: "\n ".join(in_base64(pem)[n : n + 60] for n in range(0, len(pem) * 2, 60)),
        lambda pem: fakes.Authority().pem + pem,
        lambda pem: pem + KEY,
        lambda pem: pem.replace("\n", " "),
    ],
)
def test_the_controllers_own_ca_in_all_the_ways_that_it_is_handed_over(controller, written):
    assert len(poll(controller, ca_cert=written(controller.ca.pem)).scopes()) == 1


@pytest.mark.parametrize(
    "ca_cert",
    [
        "/etc/juju/ca.pem",
        "bm90IGEgY2VydGlmaWNhdGU=",
        "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nMIIB",
        KEY,
        in_base64(KEY),
        "näh",
    ],
)
def test_a_ca_that_is_none_is_refused_before_any_call(controller, no_network, ca_cert):
    error = failure(lambda: juju.credentials(controller.credentials(ca_cert=ca_cert), False))
    assert isinstance(error, InvalidEvent)
    assert "credentials.ca_cert" in error.message
    assert ca_cert not in str(error)


@pytest.mark.parametrize("key_ids", [True, False])
def test_another_controllers_ca(key_ids):
    controller = fakes.Controller(ca=fakes.Authority(key_ids))
    try:
        error = failure(poll(controller, ca_cert=fakes.Authority(key_ids).pem).login)
    finally:
        controller.stop()
    assert isinstance(error, InvalidCredentials)
    assert "not signed by what the account trusts: the CA whose SHA-256" in error.message
    assert controller.endpoint in error.message
    assert not controller.calls


def test_no_ca(controller):
    error = failure(poll(controller, ca_cert="").login)
    assert isinstance(error, InvalidCredentials)
    assert "credentials.ca_cert is empty" in error.message


def test_an_expired_certificate():
    controller = fakes.Controller(expired=True)
    try:
        error = failure(poll(controller).login)
    finally:
        controller.stop()
    assert isinstance(error, Unreachable)
    assert "certificate has expired" in error.message
    assert controller.opened == 1, "a certificate does not get better"


def test_the_certificates_name_is_checked():
    controller = fakes.Controller(names=("vca.example.net",))
    try:
        error = failure(poll(controller).login)
        assert isinstance(error, Unreachable)
        assert "expected name: juju-apiserver" in error.message
        assert poll(controller, tls_server_name="vca.example.net").scopes() == []
    finally:
        controller.stop()


def test_an_account_that_does_not_verify_is_told_at_each_poll(controller):
    polled = poll(controller, ca_cert=None, verify=False)
    with polled.poll.log:  # what is logged is sent at its end
        assert len(polled.scopes()) == 1
    assert polled.context.logged("TLS not verified")


def test_what_speaks_no_tls(controller):
    controller.fail(fakes.ACCEPT, fakes.NOT_FRAMES)
    error = failure(poll(controller).login)
    assert isinstance(error, Unreachable)
    assert "TLS failed" in error.message


# --- credentials ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed, named",
    [
        ({"endpoint": None}, "endpoint"),
        ({"endpoint": []}, "endpoint"),
        ({"endpoint": [17070]}, "endpoint"),
        ({"endpoint": "controller"}, "endpoint"),
        ({"endpoint": "https://controller:17070"}, "endpoint"),
        ({"endpoint": "controller:0"}, "endpoint"),
        ({"endpoint": "controller:65536"}, "endpoint"),
        ({"endpoint": "fe80::1:17070"}, "endpoint"),
        ({"endpoint": "user@controller:17070"}, "endpoint"),
        ({"username": None}, "username"),
        ({"username": "user-admin/x"}, "username"),
        ({"password": ""}, "password"),
        ({"password": 7}, "password"),
        ({"models": {"a": 1}}, "models"),
        ({"verify": "maybe"}, "verify"),
        ({"follow_redirect": "yes"}, "follow_redirect"),
    ],
)
def test_what_is_wrong_with_the_credentials_is_named(no_network, changed, named):
    given = {"endpoint": "controller:17070", "username": "admin", "password": "s3cret-word"}
    error = failure(lambda: juju.credentials({**given, **changed}, False))
    assert isinstance(error, InvalidEvent)
    assert f"credentials.{named}" in error.message
    assert "s3cret-word" not in str(error)


@pytest.mark.parametrize(
    "given, endpoints",
    [
        ("vca:17070", ("vca:17070",)),
        ("[2001:db8::1]:17070 , 192.0.2.1:443", ("[2001:db8::1]:17070", "192.0.2.1:443")),
        (["a.example:1", "b.example:2"], ("a.example:1", "b.example:2")),
    ],
)
def test_endpoints(given, endpoints):
    raw = {"endpoint": given, "username": "bob@external", "password": "x"}
    assert juju.credentials(raw, False).controller.endpoints == endpoints


# --- several endpoints ------------------------------------------------------------------------------


def test_endpoints_are_tried_in_turn_and_the_one_that_answered_is_kept_to(controller):
    dead = fakes.Controller("3.6", expired=True)
    try:
        both = [f"127.0.0.1:{unused_port()}", dead.endpoint, controller.endpoint]
        assert len(poll(controller, endpoint=both).statuses()) == 1
    finally:
        dead.stop()
    assert controller.opened == 2
    assert dead.opened == 1
    assert not dead.calls


def test_an_endpoint_that_accepts_and_never_answers_gives_way_to_the_next(controller, monkeypatch):
    monkeypatch.setattr(websocket, "CONNECT_S", 1.0)
    hung = fakes.Controller()
    hung.fail(fakes.ACCEPT, fakes.STALL)
    try:
        both = [hung.endpoint, controller.endpoint]
        assert len(poll(controller, endpoint=both).scopes()) == 1
    finally:
        hung.stop()


def test_no_endpoint_answers(controller):
    both = [f"127.0.0.1:{unused_port()}", f"localhost:{unused_port()}"]
    error = failure(poll(controller, endpoint=both).login)
    assert isinstance(error, Unreachable)
    for endpoint in both:
        assert endpoint in error.message


def test_an_ipv6_endpoint_is_one():
    error = failure(
        Polled(
            {"endpoint": f"[::1]:{unused_port()}", "username": "a", "password": "b"}, Deadline(30)
        ).login
    )
    assert isinstance(error, Unreachable)
    assert "wss://[::1]:" in error.message


# --- refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, refusal, kind, tries",
    [
        (LOGIN, fakes.WRONG_PASSWORD, InvalidCredentials, 1),
        (LOGIN, fakes.MACAROON, InvalidCredentials, 1),
        (LOGIN, {"bakery-discharge-required": {"caveats": []}}, InvalidCredentials, 1),
        (
            LOGIN,
            fakes.Refusal("no credentials provided", "unauthorized access"),
            InvalidCredentials,
            1,
        ),
        (LOGIN, fakes.Refusal("login expired", "login expired"), InvalidCredentials, 1),
        (LOGIN, fakes.DENIED, InsufficientPermission, 1),
        (LOGIN, fakes.UPGRADING, Unreachable, 3),
        (LOGIN, fakes.MAINTENANCE, Unreachable, 3),
        (LOGIN, fakes.TRY_AGAIN, Throttled, 3),
        (LOGIN, fakes.Refusal("boom"), UnexpectedResponse, 1),
        (LIST, fakes.DENIED, InsufficientPermission, 1),
        (LIST, fakes.TRY_AGAIN, Throttled, 3),
        (LIST, fakes.Refusal("unknown object type", "not implemented"), UnexpectedResponse, 1),
        (STATUS, fakes.DENIED, InsufficientPermission, 1),
        (STATUS, fakes.model_not_found("x"), Absent, 1),
        (STATUS, fakes.Refusal('unknown model: "x"', "not found"), Absent, 1),
        (STATUS, fakes.Refusal("machine 7 not found", "not found"), UnexpectedResponse, 1),
        (STATUS, fakes.Refusal("deadline exceeded", "deadline exceeded"), Unreachable, 3),
        (STATUS, fakes.Refusal("model migration in progress"), Unreachable, 3),
        (STATUS, fakes.UPGRADING, Unreachable, 3),
    ],
)
def test_refusals_are_told_apart(controller, call, refusal, kind, tries):
    controller.fail(call, refusal)
    error = failure(poll(controller).statuses)
    assert type(error) is kind
    assert controller.calls[call] == tries
    said = refusal.message if isinstance(refusal, fakes.Refusal) else "wants a macaroon"
    assert said in error.message or kind is Absent


# Codes of rpc/params/apierror.go; an answer without one is told by its message.
@pytest.mark.parametrize("as_code", [True, False])
@pytest.mark.parametrize(
    "words, kind",
    [
        ("access required", InsufficientPermission),
        ("deadline exceeded", Unreachable),
        ("excessive contention", Unreachable),
        ("forbidden", InsufficientPermission),
        ("login expired", InvalidCredentials),
        ("macaroon discharge required", InvalidCredentials),
        ("model migration in progress", Unreachable),
        ("no credentials provided", InvalidCredentials),
        ("not found", UnexpectedResponse),
        ("not yet available; try again later", Unreachable),
        ("session token invalid", InvalidCredentials),
        ("try again", Throttled),
        ("unauthorized access", InsufficientPermission),
        ("upgrade in progress", Unreachable),
    ],
)
def test_what_an_error_of_juju_means(words, kind, as_code):
    answer = {"error": "why", "error-code": words} if as_code else {"error": words}
    refused = juju.Refused("Client.FullStatus", answer, "")
    assert type(juju.classify(refused)) is kind
    assert refused.transient == (kind in (Throttled, Unreachable))


@pytest.mark.parametrize(
    "code, wrong",
    [(7, True), (18, True), (19, True), (20, True), (21, True), (10, False), (62, False)],
)
def test_which_certificates_the_accounts_ca_did_not_sign(code, wrong):
    """OpenSSL's codes: a bad signature, self-signed (alone, in a chain), no issuer, the first of a chain; and an
    expired certificate and another host's, which no other CA in the account would change.
    """
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = code, "no"
    controller = types.SimpleNamespace(trusts="its CA", server_name="juju-apiserver")
    kind = InvalidCredentials if wrong else Unreachable
    assert type(session._untrusted(controller, "10.0.0.1:17070", error)) is kind


@pytest.mark.parametrize("call", [LOGIN, LIST, STATUS])
@pytest.mark.parametrize(
    "fault", [fakes.TRY_AGAIN, fakes.UPGRADING, fakes.DROP, fakes.CUT, fakes.GOODBYE]
)
def test_what_passes_is_tried_again(controller, call, fault):
    controller.fail(call, fault, times=1)
    polled, seen = poll(controller), []
    polled.poll.traffic._watch = lambda kind, scope, **facts: seen.append((kind, facts))
    assert len(polled.statuses()) == 1
    assert polled.poll.traffic.retries >= 1
    why = "try again" if fault in (fakes.TRY_AGAIN, fakes.UPGRADING) else "no usable answer"
    retries = [facts for kind, facts in seen if kind == "retry"]
    assert retries == [{"why": why, "number": 1, "of": 7, "seconds": 0}]


def test_a_controller_that_shuts_down_is_tried_again(controller):
    controller.fail(fakes.UPGRADE, fakes.Status(503, "apiserver shutdown in progress"), times=2)
    assert len(poll(controller).scopes()) == 1
    controller.fail(fakes.UPGRADE, fakes.Status(503, "apiserver shutdown in progress"))
    error = failure(poll(controller).scopes)
    assert isinstance(error, Unreachable)
    assert "answered 503: apiserver shutdown in progress" in error.message


def test_an_endpoint_of_something_else(controller):
    controller.fail(fakes.UPGRADE, fakes.Status(404, "no such page"))
    error = failure(poll(controller).scopes)
    assert isinstance(error, UnexpectedResponse)
    assert f"wss://{controller.endpoint}/api answered 404: no such page" in error.message


def test_the_wrong_password_is_refused_once_at_one_endpoint(controller):
    both = [controller.endpoint, f"127.0.0.1:{unused_port()}"]
    error = failure(poll(controller, endpoint=both, password="wrong-word").login)
    assert isinstance(error, InvalidCredentials)
    assert "invalid entity name or password" in error.message
    assert controller.calls == {LOGIN: 1}


def test_a_model_that_the_list_refuses_is_not_left_out(controller):
    denied = fakes.Model("hidden")
    denied.row_error = fakes.DENIED
    controller.models[denied.uuid] = denied
    error = failure(poll(controller).scopes)
    assert isinstance(error, InsufficientPermission)
    assert "one of the models listed" in error.message


def test_a_model_that_goes_while_the_list_is_made_is_left_out(controller):
    gone = fakes.Model("gone")
    gone.row_error = fakes.model_not_found(gone.uuid)
    controller.models[gone.uuid] = gone
    assert [scope.name for scope in poll(controller).scopes()] == ["admin/ns-vnf"]


def test_a_model_that_goes_after_it_was_listed_is_absent(controller):
    (scope,) = poll(controller).scopes()
    controller.models.clear()
    assert isinstance(failure(scope.status), Absent)


def test_a_model_that_may_be_listed_and_not_read(controller):
    (model,) = controller.models.values()
    (scope,) = poll(controller).scopes()
    model.refusal = fakes.DENIED
    error = failure(scope.status)
    assert isinstance(error, InsufficientPermission)
    assert "user admin needs read access to the model" in error.message


# --- redirects --------------------------------------------------------------------------------------


class TestRedirect:
    @pytest.fixture
    def other(self, controller):
        """The controller that has the model now."""
        (model,) = controller.models.values()
        made = fakes.Controller("3.6", [fakes.Model("ns-vnf", contents=fakes.of_size(3))])
        model.refusal = fakes.redirect((made.host, made.port), ca_cert=made.ca.pem)
        yield made
        made.stop()

    def test_is_reported_and_not_followed(self, controller, other):
        error = failure(poll(controller).statuses)
        assert isinstance(error, InvalidEvent)
        assert f"another controller (vca-b): {other.endpoint};" in error.message
        assert "follow_redirect" in error.message
        assert other.opened == 0

    def test_is_followed_where_the_account_says_so(self, controller, other):
        found = poll(controller, follow_redirect=True).statuses()
        assert list(found["admin/ns-vnf"]["applications"]) == ["vnf"]
        assert other.calls == {LOGIN: 1, STATUS: 1}

    def test_the_other_controller_proves_itself_by_the_ca_that_was_told(self, controller, other):
        (model,) = controller.models.values()
        model.refusal = fakes.redirect((other.host, other.port), ca_cert=controller.ca.pem)
        error = failure(poll(controller, follow_redirect=True).statuses)
        assert isinstance(error, InvalidCredentials)
        assert not other.calls

    def test_is_followed_once(self, controller, other):
        (model,) = other.models.values()
        model.refusal = fakes.redirect((controller.host, controller.port))
        error = failure(poll(controller, follow_redirect=True).statuses)
        assert isinstance(error, UnexpectedResponse)
        assert f"redirects too, to {controller.endpoint}" in error.message

    def test_of_the_old_kind_is_asked_about(self, controller, other):
        (model,) = controller.models.values()
        info = model.refusal.info
        model.refusal = fakes.Refusal("redirection required", "redirection required")
        controller.fail("Admin.RedirectInfo", info)
        error = failure(poll(controller).statuses)
        assert isinstance(error, InvalidEvent)
        assert other.endpoint in error.message

    def test_to_nowhere(self, controller, other):
        (model,) = controller.models.values()
        model.refusal = fakes.redirect()
        controller.fail("Admin.RedirectInfo", {"servers": None})
        error = failure(poll(controller).statuses)
        assert isinstance(error, UnexpectedResponse)
        assert "does not say where to" in error.message

    def test_public_addresses_come_first(self, controller):
        (model,) = controller.models.values()
        refusal = fakes.redirect(("10.0.0.1", 17070), ("2001:db8::5", 17070))
        refusal.info["servers"][0][0]["scope"] = "local-cloud"
        model.refusal = refusal
        error = failure(poll(controller).statuses)
        assert ": [2001:db8::5]:17070, 10.0.0.1:17070;" in error.message


# --- messages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("units", [1, 12, 500, 10_000])
def test_messages_of_one_frame_and_of_several(controller, units):
    """Below 4 KiB, some frames of 4 KiB, and more than 5 MB before an empty last frame."""
    (model,) = controller.models.values()
    model.contents = fakes.of_size(units)
    (status,) = poll(controller).statuses().values()
    assert len(status["applications"]["vnf"]["units"]) == units
    assert controller.calls[STATUS] == 1


def test_text_comes_as_it_was_written(controller):
    (status,) = poll(controller).statuses().values()
    info = status["machines"]["1"]["instance-status"]["info"]
    assert info == 'no hosts available <available> & zone "é" is full'.replace(
        "available <", "<", 1
    )


@pytest.mark.parametrize("call", [LOGIN, LIST, STATUS])
def test_pings_are_answered_and_stray_answers_passed_over(controller, call):
    controller.fail(call, fakes.PINGED)
    assert len(poll(controller).statuses()) == 1
    assert controller.pongs == controller.calls[call]


class TestLimit:
    @pytest.fixture(autouse=True)
    def limit(self, monkeypatch):
        monkeypatch.setattr(websocket, "LARGEST_ANSWER", 200_000)

    @pytest.mark.parametrize("fault", [fakes.ENDLESS, fakes.STRAYS])
    @pytest.mark.parametrize("call", [LOGIN, LIST, STATUS])
    def test_a_stream_without_an_end(self, controller, call, fault):
        controller.fail(call, fault)
        error = failure(poll(controller).statuses)
        assert isinstance(error, UnexpectedResponse)
        assert "more than the 200000 bytes" in error.message

    def test_an_answer_above_it(self, controller):
        (model,) = controller.models.values()
        model.contents = fakes.of_size(1000)
        error = failure(poll(controller).statuses)
        assert isinstance(error, UnexpectedResponse)
        assert f"/model/{model.uuid}/api answers with more than the 200000 bytes" in error.message

    def test_many_answers_below_it(self, controller):
        for number in range(4):
            model = fakes.Model(f"big-{number}", contents=fakes.of_size(150))
            controller.models[model.uuid] = model
        assert len(poll(controller).statuses()) == 5


# --- faults -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", [fakes.ACCEPT, fakes.UPGRADE, LOGIN, LIST, STATUS])
def test_a_controller_that_never_answers(controller, point):
    controller.fail(point, fakes.STALL)
    error = failure(poll(controller, seconds=0.5).statuses)
    assert isinstance(error, OutOfTime)
    assert controller.endpoint in error.message


@pytest.mark.parametrize("point", [fakes.UPGRADE, LOGIN, LIST, STATUS])
def test_a_drip_of_bytes_does_not_keep_a_poll(controller, point):
    controller.fail(point, fakes.DRIP)
    error = failure(poll(controller, seconds=0.5).statuses)
    assert isinstance(error, OutOfTime)
    assert controller.endpoint in error.message


def test_an_answer_that_takes_too_long_is_tried_again(controller, monkeypatch):
    monkeypatch.setattr(websocket, "ANSWER_S", 1.0)
    controller.fail(STATUS, fakes.STALL)
    error = failure(poll(controller).statuses)
    assert isinstance(error, Unreachable)
    assert "did not answer within 1 s" in error.message
    assert controller.calls[STATUS] == 3


@pytest.mark.parametrize("call", [LOGIN, LIST, STATUS])
@pytest.mark.parametrize(
    "fault, kind, said",
    [
        (fakes.DROP, Unreachable, "broke off before its answer was complete"),
        (fakes.CUT, Unreachable, "broke off before its answer was complete"),
        (fakes.GOODBYE, Unreachable, "broke off before its answer was complete"),
        (fakes.NOT_JSON, UnexpectedResponse, "did not answer with JSON"),
        (fakes.NOT_AN_OBJECT, UnexpectedResponse, "should answer with an object"),
        (fakes.NOT_FRAMES, UnexpectedResponse, "does not speak WebSocket as it should"),
    ],
)
def test_faults(controller, call, fault, kind, said):
    controller.fail(call, fault)
    error = failure(poll(controller).statuses)
    assert type(error) is kind
    assert said in error.message
    assert controller.endpoint in error.message
    assert controller.calls[call] == (3 if kind is Unreachable else 1)


@pytest.mark.parametrize("point", [fakes.ACCEPT, fakes.UPGRADE])
def test_a_connection_that_is_dropped_before_it_is_one(controller, point):
    controller.fail(point, fakes.DROP)
    error = failure(poll(controller).statuses)
    assert isinstance(error, Unreachable)
    assert controller.opened == 3


@pytest.mark.parametrize(
    "call, answer, field",
    [
        (LOGIN, {"facades": [{"versions": [1]}]}, "'name'"),
        (LOGIN, {"facades": "none"}, "'facades'"),
        (LIST, {"results": [{"result": {"name": "m", "owner-tag": "user-a"}}]}, "'uuid'"),
        (LIST, {"results": [{}]}, "'result'"),
        (STATUS, {"machines": {}}, "'model'"),
    ],
)
def test_an_answer_without_what_is_needed(controller, call, answer, field):
    controller.fail(call, answer)
    error = failure(poll(controller).statuses)
    assert isinstance(error, UnexpectedResponse)
    assert field in error.message


def test_no_time_left_is_not_begun(controller):
    error = failure(poll(controller, seconds=1e-9).login)
    assert isinstance(error, OutOfTime)
    assert controller.opened == 0


def test_the_hook_by_which_an_exchange_is_bounded_is_the_one_that_is_called(
    controller, monkeypatch
):
    """websocket-client reads and writes by the socket that it was given, and by no other way."""
    taken = []
    take = websocket._Budget.take

    def noting(self, size):
        taken.append(size)
        return take(self, size)

    monkeypatch.setattr(websocket._Budget, "take", noting)
    (status,) = poll(controller).statuses().values()
    assert sum(taken) > len(json.dumps(status))


# --- secrets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        (LOGIN, fakes.WRONG_PASSWORD),
        (LOGIN, {"discharge-required": {"location": "x", "signature": "macaroon-of-root"}}),
        (LOGIN, fakes.CUT),
        (LIST, fakes.NOT_JSON),
        (STATUS, fakes.UPGRADING),
        (STATUS, fakes.DENIED),
        None,
    ],
)
def test_no_secret_in_log_error_or_repr(controller, caplog, capsys, fault):
    caplog.set_level(logging.DEBUG)
    if fault:
        controller.fail(*fault)
    controller.passwords["admin"] = "s3cret-word"
    polled = poll(controller, password="s3cret-word", ca_cert=controller.ca.pem + KEY)
    shown = [repr(juju.credentials(polled.credentials, False))]
    if fault:
        error = failure(polled.statuses)
        shown += [str(error), repr(error)]
    else:
        scopes = polled.scopes()
        shown += [repr(scopes), repr(scopes[0].session), repr(scopes[0].session.controller)]
    shown += polled.context.lines + [caplog.text, *capsys.readouterr()]
    for secret in ("s3cret-word", "macaroon-of-root", "aW52ZW50ZWQtcHJpdmF0ZS1wYXJ0"):
        assert not [text for text in shown if secret in text]


def test_the_rights_of_a_user_that_only_reads():
    rights = juju.least_permissions(["controller login", "model read"])
    assert rights["controller"] == "login"
    assert rights["each model"] == "read"
    assert "juju grant USER read MODEL [MODEL ...]" in rights["commands"]
