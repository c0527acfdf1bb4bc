"""OSM's provider file against the simulator in tests/fakes/osm.py."""

import json
import re
import socket

import pytest
import requests

from shared.engine.errors import (
    Absent,
    InsufficientPermission,
    InvalidCredentials,
    InvalidEvent,
    Throttled,
    UnexpectedResponse,
    Unreachable,
)
from shared.engine.event import Origin
from shared.engine.log import Log
from shared.engine.masking import Masker
from shared.engine.runtime import Runtime
from shared.providers import osm as provider
from shared.transport import http
from tests.fakes import osm as fakes
from tests.fakes.context import Context
from tests.fakes.poll import a_poll

NS = "/osm/nslcm/v1/ns_instances"
TOKENS = "/osm/admin/v1/tokens"
PROJECT = "tenant-x"
SECRETS = ("example-pass", "c1ear-text", "ZW5jOnA=", "vca-s3cret", "LS0tQ0E=", "n3sted")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(http, "FIRST_DELAY_S", 0)


@pytest.fixture
def osm():
    with fakes.Osm().standard() as made:
        made.add("ns_instances", {"_id": "ns-1", "name": "branch"}, PROJECT)
        made.add("ns_instances", {"_id": "ns-2", "name": "of another project"}, "admin")
        yield made


@pytest.fixture
def newer():
    with fakes.Osm("main").standard() as made:
        yield made


def log_in(osm, context=None, **more):
    credentials = provider.credentials(osm.credentials(**more), False)
    log = Log(Runtime(context or Context()), Origin(), Masker())
    poll = a_poll("vca_status", log=log)
    return provider.login(credentials, poll)


def scope_of(session):
    (scope,) = provider.scopes(session)
    return scope


def listed(osm, what="ns", **more):
    return provider.listed(scope_of(log_in(osm, **more)), what)


def ids(records):
    return [each["_id"] for each in records]


# --- lists ----------------------------------------------------------------------------------------


def test_a_list_has_what_the_project_may_see(osm):
    assert ids(listed(osm)) == ["ns-1"]
    admin = {"username": "admin", "password": "admin", "project": "admin"}
    assert ids(listed(osm, **admin)) == ["ns-2"]


@pytest.mark.parametrize("project", [PROJECT, fakes.identifier("project", PROJECT)])
def test_the_project_may_be_a_name_or_an_id(osm, project):
    osm.user("reader", "example-pass", admin="system_admin", **{PROJECT: "project_user"})
    assert ids(listed(osm, project=project)) == ["ns-1"]
    assert ids(listed(osm, project=None)) == ["ns-2"]  # the user's first


@pytest.mark.parametrize("what", provider.LISTS)
def test_lists_are_asked_for_without_parameters_and_as_json(newer, what):
    listed(newer, what)
    method, path, query, headers = newer.requests[-1]
    assert (method, path, query) == ("GET", "/osm" + provider.LISTS[what], "")
    assert headers["Accept"] == "application/json"
    assert re.fullmatch(r"Bearer \w+", headers["Authorization"])


def test_no_cookie_is_kept(osm):
    listed(osm)
    assert not [headers for _, _, _, headers in osm.requests if "Cookie" in headers]


def test_a_list_that_the_release_does_not_have_is_absent(osm, newer):
    with pytest.raises(Absent):
        listed(osm, "vca")
    assert listed(newer, "vca") == []


def test_a_list_that_each_release_has_is_never_absent(osm):
    osm.fault("ns_instances", (405, {}, '{"detail": "Unexpected URL item ns_instances"}'))
    with pytest.raises(UnexpectedResponse, match="405"):
        listed(osm)


def test_accounts_come_without_their_secrets(newer):
    newer.add("vim_accounts", {"_id": "v", "name": "site", "vim_password": SECRETS[2]}, PROJECT)
    config = {"admin_password": SECRETS[5], "deep": [{"api_key": SECRETS[5], "ssl_cert": "x"}]}
    newer.add(
        "wim_accounts",
        {"_id": "w", "user": "u1", "password": SECRETS[1], "config": config},
        PROJECT,
    )
    vca = {
        "_id": "c",
        "user": "admin",
        "secret": SECRETS[3],
        "cacert": SECRETS[4],
        "lxd-credentials": {"x": SECRETS[5]},
        "k8s-credentials": SECRETS[5],
    }
    newer.add("vca", vca, PROJECT)
    found = [listed(newer, what) for what in provider.ACCOUNTS]
    assert [secret for secret in SECRETS if secret in json.dumps(found)] == []
    assert found[0][0]["name"] == "site"
    assert found[1][0]["config"] == {"deep": [{"ssl_cert": "x"}]}
    assert found[2][0]["user"] == "admin"


# --- the token ------------------------------------------------------------------------------------


def test_one_token_serves_all_lists_and_is_taken_back(osm):
    scope = scope_of(log_in(osm))
    for what in ("ns", "vim", "wim"):
        provider.listed(scope, what)
    assert osm.counts[f"POST {TOKENS}"] == 1
    assert len(osm.tokens) == 1
    provider.log_out(scope)
    assert osm.tokens == {}
    provider.log_out(scope)
    assert osm.counts[f"DELETE {TOKENS}"] == 1
    assert ids(provider.listed(scope, "ns")) == ["ns-1"]  # logs in anew


def test_the_token_is_in_no_url(osm):
    scope = scope_of(log_in(osm))
    (token,) = osm.tokens
    provider.listed(scope, "ns")
    provider.log_out(scope)
    assert not [path for _, path, query, _ in osm.requests if token in path + query]


def test_a_token_that_ends_in_the_middle_is_renewed_once(osm):
    scope = scope_of(log_in(osm))
    provider.listed(scope, "vim")
    osm.expire()
    assert ids(provider.listed(scope, "ns")) == ["ns-1"]
    assert osm.counts[f"POST {TOKENS}"] == 2
    osm.expire()
    with pytest.raises(InvalidCredentials, match="new token"):
        provider.listed(scope, "ns")
    assert osm.counts[f"POST {TOKENS}"] == 2


def test_that_the_token_can_not_be_taken_back_harms_nobody(osm):
    context = Context()
    scope = scope_of(log_in(osm, context))
    (token,) = osm.tokens
    osm.fault("tokens", "drop")
    with scope.session.log:  # what is logged is sent at its end
        provider.log_out(scope)
    assert context.logged("token not deleted")
    assert token not in str(context.lines)


def test_account_names_project_and_user_and_logs_out(osm):
    assert provider.account(log_in(osm)) == "tenant-x (reader)"
    assert osm.tokens == {}
    assert [each[:2] for each in osm.requests] == [("POST", TOKENS), ("DELETE", TOKENS)]


# --- what refusals mean ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, said",
    [
        ({"password": "wr0ng-pass"}, "Invalid username/password"),
        ({"username": "nobody"}, "Invalid username/password"),
        ({"project": "nosuch"}, "has no project 'nosuch'"),
        ({"project": "admin"}, "not mapped"),
    ],
)
def test_refused_logins(osm, given, said):
    with pytest.raises(InvalidCredentials, match=said) as refused:
        log_in(osm, **given)
    assert osm.counts[f"POST {TOKENS}"] == 1  # another try may lock the account
    assert "pass" not in str(refused.value).replace("password", "")
    assert "database" not in str(refused.value)


def test_an_expired_password(osm):
    osm.changed_password.add("reader")
    with pytest.raises(InvalidCredentials, match="expired"):
        log_in(osm)


def test_a_token_for_another_project_is_not_used(osm):
    osm.fault("tokens", lambda answer: {**answer, "project_name": "x", "project_id": "y"})
    with pytest.raises(UnexpectedResponse, match="project"):
        log_in(osm)


@pytest.mark.parametrize("body", ['"text"', "[]", "{}", '{"id": 7}', '{"id": ""}', "id: token"])
def test_a_login_that_answers_with_no_token(osm, body):
    osm.fault("tokens", (200, {}, body))
    with pytest.raises(UnexpectedResponse):
        log_in(osm)


def test_a_role_that_may_not_is_named_and_no_new_token_is_made(osm):
    osm.roles["project_user"] = {"vim_accounts"}
    with pytest.raises(
        InsufficientPermission, match="ns_instances.*reader.*tenant-x.*project_user"
    ):
        listed(osm)
    assert osm.counts[f"POST {TOKENS}"] == 1


def test_least_permissions_let_a_role_read(osm):
    asked = provider.least_permissions(["ns_instances:get"])
    osm.roles["project_user"] = {name for name, may in asked["permissions"].items() if may}
    assert ids(listed(osm)) == ["ns-1"]
    assert not asked["permissions"]["default"]


@pytest.mark.parametrize(
    "fault, error, said",
    [
        (500, Unreachable, "500"),
        (503, Unreachable, "503"),
        ((429, {"Retry-After": "900"}), Throttled, "429"),
        (400, UnexpectedResponse, "400"),
        (404, UnexpectedResponse, "404"),
        ((406, {}, "<html>Traceback</html>"), UnexpectedResponse, "406"),
        ((302, {"Location": "/login"}), UnexpectedResponse, "302"),
        ((302, {"Location": "http://elsewhere.example/x"}), UnexpectedResponse, "another place"),
        ("html", UnexpectedResponse, "not answer with JSON"),
        ((200, {"Content-Type": "application/yaml"}, "---\n- a: 1\n"), UnexpectedResponse, "JSON"),
        ((200, {}, "{}"), UnexpectedResponse, "list"),
        ((200, {}, "null"), UnexpectedResponse, "list"),
        ((200, {}, '["text"]'), UnexpectedResponse, "list of an object"),
        ((403, {}, '{"detail": "no"}'), InsufficientPermission, "ns_instances"),
    ],
)
def test_faults_are_told_apart(osm, fault, error, said):
    osm.fault("ns_instances", fault)
    with pytest.raises(error, match=said):
        listed(osm)


@pytest.mark.parametrize("fault", ["cut", "drop"])
def test_what_breaks_off_is_tried_again_and_then_unreachable(osm, fault):
    osm.fault("ns_instances", fault, times=2)
    assert ids(listed(osm)) == ["ns-1"]
    osm.fault("ns_instances", fault)
    with pytest.raises(requests.RequestException) as broken:
        listed(osm)
    assert isinstance(provider.classify(broken.value), Unreachable)


def test_what_nobody_listens_on_is_unreachable():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/osm"
    given = {"url": url, "username": "u", "password": "example-pass"}
    poll = a_poll("f", log=Log(Runtime(Context()), Origin(), Masker()))
    with pytest.raises(requests.RequestException) as failed:
        provider.login(provider.credentials(given, False), poll)
    error = provider.classify(failed.value)
    assert isinstance(error, Unreachable)
    assert url in str(error)
    assert "example-pass" not in str(error)


def test_what_is_not_of_requests_is_a_bug():
    assert provider.classify(ValueError("x")) is None


# --- credentials ----------------------------------------------------------------------------------

GOOD = {"url": "https://osm.example.com:9999", "username": "u", "password": "example-pass"}


@pytest.mark.parametrize(
    "url, root",
    [
        ("https://osm.example.com:9999", "https://osm.example.com:9999/osm"),
        ("https://osm.example.com:9999/", "https://osm.example.com:9999/osm"),
        ("https://osm.example.com/osm/", "https://osm.example.com/osm"),
        ("http://[2001:db8::7]/nbi/osm", "http://[2001:db8::7]/nbi/osm"),
    ],
)
def test_the_apis_root(url, root):
    assert provider.credentials({**GOOD, "url": url}, False).url == root


def test_ros_root_and_tenant():
    given = provider.credentials({**GOOD, "ro_url": "http://ro.example.com:9090"}, False)
    assert (given.ro_url, given.ro_tenant) == ("http://ro.example.com:9090/openmano", "osm")
    assert provider.credentials(GOOD, False).ro_url is None


@pytest.mark.parametrize(
    "key, value",
    [
        ("url", None),
        ("url", "osm.example.com"),
        ("url", "ftp://osm.example.com"),
        ("url", "https://u:example-pass@osm.example.com"),
        ("url", "https://osm.example.com/osm?x=1"),
        ("url", "https://osm.example.com:x"),
        ("url", 7),
        ("username", ""),
        ("password", None),
        ("password", ["example-pass"]),
        ("project", 7),
        ("ro_url", "ro.example.com"),
        ("cacert", "no file and no PEM"),
        ("cacert", "-----BEGIN CERTIFICATE-----\nexample-pass"),
        ("verify", "perhaps"),
    ],
)
def test_bad_credentials_are_named_and_not_shown(key, value):
    with pytest.raises(InvalidEvent, match=f"credentials.{key}") as refused:
        provider.credentials({**GOOD, key: value}, False)
    assert "example-pass" not in str(refused.value)


def test_no_secret_is_in_the_repr():
    assert "example-pass" not in repr(provider.credentials(GOOD, False))


def test_tls_that_is_not_verified_is_logged(osm):
    context = Context()
    with log_in(osm, context, verify=False).log:  # what is logged is sent at its end
        pass
    assert context.logged("TLS not verified")


# --- RO -------------------------------------------------------------------------------------------

TENANT = fakes.identifier("tenant", "osm")


@pytest.fixture
def ro(osm):
    osm.ro["tenants"] = [{"uuid": fakes.identifier("t", n), "name": f"t{n}"} for n in range(120)]
    osm.ro["tenants"].append({"uuid": TENANT, "name": "osm"})
    osm.ro["wims"] = [{"uuid": f"w{n}", "name": f"wan {n}"} for n in range(150)]
    wim = {"uuid": "w1", "password": "********", "wim_account": {"encrypted_RO_priv_key": "n3sted"}}
    osm.ro_details["wims", "w1"] = {"wim": wim}
    return osm


def ro_scope(osm, **more):
    return scope_of(log_in(osm, ro_url=osm.ro_url, **more))


@pytest.mark.parametrize("tenant", [None, "osm", TENANT])
def test_ros_lists_are_whole(ro, tenant):
    scope = ro_scope(ro, ro_tenant=tenant)
    assert provider.has_ro(scope)
    assert len(provider.ro_listed(scope, "wims")) == 150
    assert provider.ro_listed(scope, "instances") == []
    assert ro.counts["GET /openmano/tenants"] == 1


def test_ro_gets_no_token(ro):
    provider.ro_listed(ro_scope(ro), "wims")
    of_ro = [headers for _, path, _, headers in ro.requests if path.startswith("/openmano")]
    assert len(of_ro) == 2
    assert not [headers for headers in of_ro if "Authorization" in headers]


def test_a_list_that_ro_cut_is_refused(ro, monkeypatch):
    monkeypatch.setattr(provider.ro, "LIMIT", 150)
    with pytest.raises(UnexpectedResponse, match="cut"):
        provider.ro_listed(ro_scope(ro), "wims")
    monkeypatch.setattr(provider.ro, "LIMIT", 151)
    assert len(provider.ro_listed(ro_scope(ro), "wims")) == 150


def test_a_tenant_that_ro_does_not_have(ro):
    with pytest.raises(InvalidEvent, match=r"'none'.*credentials\.ro_tenant"):
        provider.ro_listed(ro_scope(ro, ro_tenant="none"), "wims")


def test_one_of_ros_records(ro):
    scope = ro_scope(ro)
    assert provider.ro_record(scope, "wims/w1") == {"wim": {"uuid": "w1", "wim_account": {}}}
    assert provider.ro_record(scope, "wims/gone") is None


def test_without_ro(osm):
    scope = scope_of(log_in(osm))
    assert not provider.has_ro(scope)
    with pytest.raises(InvalidEvent, match=r"credentials\.ro_url"):
        provider.ro_listed(scope, "wims")


@pytest.mark.parametrize(
    "fault, error",
    [
        (500, Unreachable),
        (404, UnexpectedResponse),
        ((200, {}, "[]"), UnexpectedResponse),
        ((200, {}, '{"wims": null}'), UnexpectedResponse),
        ((400, {}, '{"error": {"description": "Invalid query string"}}'), UnexpectedResponse),
        ("html", UnexpectedResponse),
    ],
)
def test_ros_faults_are_told_apart(ro, fault, error):
    ro.fault("/wims", fault)
    with pytest.raises(error):
        provider.ro_listed(ro_scope(ro), "wims")
