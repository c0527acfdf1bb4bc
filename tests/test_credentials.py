"""Every credential of every provider, by existing: what can't be one is InvalidEvent before any call.

The keys are those that each provider declares, and those of the demo accounts.
"""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import shared.providers
from flexlocal import accounts
from flexlocal.__main__ import families
from flexlocal.context import Context
from shared.engine import event as events
from shared.engine.errors import InvalidEvent
from shared.providers import openstack

PROVIDERS = sorted(name for _, name, _ in pkgutil.iter_modules(shared.providers.__path__))
ACCOUNTS_PAGE = Path(__file__).resolve().parent.parent / "docs" / "operate" / "accounts.md"
UNUSABLE = ("\n", "\r\n", "\t", "\x00", "\x1b", "\x7f", "\x85", "\u2028", "\ud800", "\udfff")
PEM = ("cacert", "ca_cert", "OS_CACERT")
URLS = (
    "http://",
    "http:///path",
    "http:/host",
    "http://[bad",
    "http://[::1",
    "http://[bad]/",
    "http://a b/",
    "http://host/a b",
    "http://host:99999",
    "http://host:0",
    "http://host:x",
    "http://host:-1",
    "http://" + "a" * 64 + ".invalid",
    "http://" + ".".join(["a" * 60] * 5),
    "http://a..b",
    "http://.",
    "http://" + "\u00e9" * 64,
    "http://host%00",
    "http://host\\@elsewhere.invalid",
    "http://user:word@host",
    "http://host?x=1",
    "http://host#x",
    "ftp://host",
    "//host",
    "host",
    "javascript:alert(1)",
)

pytestmark = pytest.mark.usefixtures("no_network")


def keys(provider):
    """The provider's known credentials, and those of its demo account."""
    known = importlib.import_module(f"shared.providers.{provider}").CREDENTIAL_KEYS
    return sorted(known | set(accounts.demo()[f"demo-{provider}"].credentials))


def refusal(provider, options=None, **credentials):
    """The error of a poll with the demo account's credentials but for these."""
    family = next(family for family, cells in families().items() if provider in cells)
    event = accounts.demo()[f"demo-{provider}"].event()
    event["credentials"] = {**event["credentials"], **credentials}
    event["options"] = options or {}
    handler = importlib.import_module(f"modules.{family}.main").get
    with pytest.raises(InvalidEvent) as caught:
        handler(event, Context())
    return str(caught.value)


def parsed(provider, credentials):
    return importlib.import_module(f"shared.providers.{provider}").credentials(credentials, False)


# --- unknown keys ---------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_unknown_credential_is_refused_with_the_nearest_known_key(provider):
    for name in keys(provider):
        message = refusal(provider, **{f"{name}x": "canary"})
        assert f"credentials.{name}x is an unknown key; did you mean '{name}'?" in message
        assert "canary" not in message


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_credential_like_no_other_is_refused_with_all_known_keys(provider):
    message = refusal(provider, QQQQ=None)
    assert "credentials.QQQQ is an unknown key; known keys: " in message
    assert all(name in message for name in keys(provider))


def test_the_region_of_aws_is_regions():
    message = refusal("aws", region="eu-west-1")
    assert "credentials.region is an unknown key; did you mean 'regions'?" in message


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_unknown_option_is_refused_with_the_nearest_known_key(provider):
    for name in events.OPTIONS:
        message = refusal(provider, options={f"{name}x": True})
        assert f"options.{name}x is an unknown key; did you mean '{name}'?" in message
    message = refusal(provider, options={"allow_partal": True})
    assert "options.allow_partal is an unknown key; did you mean 'allow_partial'?" in message


@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_known_credential_is_one(provider):
    credentials = importlib.import_module(f"shared.providers.{provider}").CREDENTIAL_KEYS
    events.refuse_unknown_keys("credentials", credentials, credentials)
    for name in credentials:  # refused for its value, if at all
        try:
            parsed(provider, {name: None})
        except InvalidEvent as error:
            assert "unknown key" not in str(error)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_page_of_accounts_names_each_credential(provider):
    page = ACCOUNTS_PAGE.read_text(encoding="utf-8")
    (row,) = (
        line
        for line in page.splitlines()
        if line.startswith("| [`") and f"`{provider}`" in line.split("|")[1]
    )
    known = set(importlib.import_module(f"shared.providers.{provider}").CREDENTIAL_KEYS)
    named = set(re.findall(r"`([a-z_]+)`", row.split("|", 2)[2])) - {"auth"}
    assert named <= known
    assert named == known or provider == "openstack"  # which names the rest by "as in clouds.yaml"


OPENRC = {
    "OS_AUTH_URL": "http://127.0.0.1:1/v3",
    "OS_USERNAME": "reader",
    "OS_PASSWORD": "invented",
    "OS_TENANT_NAME": "alpha",
}


@pytest.mark.parametrize(
    "name",
    [
        "OS_AUTH_PLUGIN",
        "OS_AUTH_TYPE",
        "OS_BAREMETAL_API_VERSION",
        "OS_CERT",
        "OS_CLOUDNAME",
        "OS_COMPUTE_API_VERSION",
        "OS_DEFAULT_DOMAIN",
        "OS_DNS_ENDPOINT_TYPE",
        "OS_IDENTITY_API_VERSION",
        "OS_IMAGE_API_VERSION",
        "OS_KEY",
        "OS_MANILA_ENDPOINT_TYPE",
        "OS_MISTRAL_ENDPOINT_TYPE",
        "OS_NO_CACHE",
        "OS_PLACEMENT_API_VERSION",
        "OS_PROJECT_DOMAIN",
        "OS_SYSTEM_SCOPE",
        "OS_VOLUME_API_VERSION",
    ],
)
def test_the_other_variables_of_an_openrc_file_are_tolerated(name):
    assert openstack.credentials({**OPENRC, name: "3"}, False).auth_url == OPENRC["OS_AUTH_URL"]


@pytest.mark.parametrize(
    "name, meant",
    [
        ("OS_REGION_NAM", "OS_REGION_NAME"),
        ("OS_REGON_NAME", "OS_REGION_NAME"),
        ("OS_CA_CERT", "OS_CACERT"),
        ("OS_PROJECT_DOMAIN_NAMES", "OS_PROJECT_DOMAIN_NAME"),
    ],
)
def test_a_slip_in_a_variable_of_an_openrc_file_is_refused(name, meant):
    with pytest.raises(InvalidEvent, match=f"credentials.{name} is .* did you mean '{meant}'"):
        openstack.credentials({**OPENRC, name: "x"}, False)


def test_the_other_keys_of_clouds_yaml_are_tolerated():
    given = {name[3:].lower(): value for name, value in OPENRC.items()}
    more = {"auth_type": "password", "identity_api_version": "3", "domain_id": None}
    assert openstack.credentials({**given, **more}, False).login["project_name"] == "alpha"


def test_keys_are_known():
    assert all(len(keys(provider)) >= 3 for provider in PROVIDERS)
    assert "aws_session_token" in keys("aws") and "application_credential_secret" in keys(
        "openstack"
    )


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_credential_has_a_line_break_or_a_control_character(provider):
    for name in keys(provider):
        for character in UNUSABLE:
            if name in PEM and character.isspace() and character.isascii():
                continue
            for text in (f"can{character}ary", f"canary{character}", f"{character}canary"):
                for value in (text, [text], {"x": text}):
                    message = refusal(provider, **{name: value})
                    assert f"credentials.{name} has a line break" in message
                    assert "canary" not in message


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_name_of_a_credential_is_shown_as_ascii(provider):
    assert r"credentials.x\ny has" in refusal(provider, **{"x\ny": "1"})


def url_keys(provider):
    demo = accounts.demo()[f"demo-{provider}"].credentials
    known = ("url", "ro_url", "auth_url", "endpoint_url")
    return sorted({name for name in known if name in keys(provider)} & {*demo, "ro_url"})


def test_providers_over_http_have_a_url():
    without = [provider for provider in PROVIDERS if not url_keys(provider)]
    assert without == ["juju"]  # a WebSocket to host:port


@pytest.mark.parametrize("provider, name", [(p, n) for p in PROVIDERS for n in url_keys(p)])
@pytest.mark.parametrize("url", URLS)
def test_a_url_that_is_none(provider, name, url):
    message = refusal(provider, **{name: url})
    assert f"credentials.{name} should be the http or https URL of" in message


@pytest.mark.parametrize(
    "endpoint",
    [
        "host",
        "host:0",
        "host:99999",
        "host:x",
        "a..b:1",
        "[bad]:1",
        "a" * 64 + ".invalid:1",
        "a b:1",
    ],
)
def test_an_endpoint_that_is_none(endpoint):
    assert "credentials.endpoint should be host:port" in refusal("juju", endpoint=endpoint)


def test_a_server_name_that_is_none():
    for name in ("a..b", "a" * 64, "a b", "\u00e9" * 64):
        assert "credentials.tls_server_name should be" in refusal("juju", tls_server_name=name)


@pytest.mark.parametrize(
    "provider, name",
    [("aws", "aws_access_key_id"), ("aws", "aws_session_token"), ("openstack", "token")],
)
def test_what_goes_into_a_header_is_ascii(provider, name):
    for value in ("caf\u00e9", "\u2603", "two words"):
        assert f"credentials.{name} should have no blanks" in refusal(provider, **{name: value})
