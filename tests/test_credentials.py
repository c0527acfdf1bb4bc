"""Every credential of every provider, by existing: what can't be one is InvalidEvent before any call.

The keys are those of the demo accounts and those that the README names.
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
from shared.engine.errors import InvalidEvent

PROVIDERS = sorted(name for _, name, _ in pkgutil.iter_modules(shared.providers.__path__))
README = Path(__file__).resolve().parent.parent / "README.md"
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
    """The provider's credentials in the README's table, and those of its demo account."""
    row = re.search(rf"^\| `{provider}`[^|]*\|([^\n]*)", README.read_text(encoding="utf-8"), re.M)
    named = set(re.findall(r"`([A-Za-z][A-Za-z_]+)`", row[1])) if row else set()
    return sorted(named | set(accounts.demo()[f"demo-{provider}"].credentials))


def refusal(provider, **credentials):
    """The error of a poll with the demo account's credentials but for these."""
    family = next(family for family, cells in families().items() if provider in cells)
    event = accounts.demo()[f"demo-{provider}"].event()
    event["credentials"] = {**event["credentials"], **credentials}
    handler = importlib.import_module(f"modules.{family}.main").get
    with pytest.raises(InvalidEvent) as caught:
        handler(event, Context())
    return str(caught.value)


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
