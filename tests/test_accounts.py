"""What an accounts file may hold and refer to: environment, terminal, keyring, commands, and the files of other tools."""

import io
import json
import logging
import os
import re
import select
import shlex
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from flexlocal import accounts, accounts_secrets
from flexlocal.account import AccountsError
from shared.engine import poll
from tests.test_flexlocal import write

ROOT = Path(__file__).resolve().parent.parent
SECRET = "s3cr3t-canary"


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """A home without accounts, which is the current folder too."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def account(command=(), **credentials):
    return accounts.Account(
        "own", "netbox", credentials, {}, demo=False, secret_command=tuple(command)
    )


def credentials_of(given):
    return accounts.resolved(given).credentials


def refusal(given):
    """The message of the error, after a look whether it or its trace tells the secret."""
    with pytest.raises(AccountsError) as caught:
        credentials_of(given)
    assert SECRET not in "".join(traceback.format_exception(None, caught.value, caught.tb))
    assert SECRET not in repr(given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def read(tmp_path, text):
    """The accounts of a file, without the demo ones."""
    found = accounts.load(write(tmp_path / "a.yaml", text))
    return {name: each for name, each in found.items() if not each.demo}


def test_accounts_keep_the_order_of_their_file(tmp_path):
    names = ["zulu", "alpha", "mike", "bravo"]
    entries = "".join(f"  {name}: {{provider: netbox, credentials: {{}}}}\n" for name in names)
    assert list(read(tmp_path, f"version: 1\naccounts:\n{entries}")) == names


def test_the_examples_of_the_page_are_accounts(tmp_path):
    page = (ROOT / "docs" / "operate" / "accounts.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    names = [list(read(tmp_path, block)) for block in blocks]
    assert names == [
        ["shop-prod", "lab", "wan"],
        ["shop-prod", "lab", "wan"],
        ["shop-prod"],
        ["lab"],
        ["east"],
    ]


# --- environment ----------------------------------------------------------------------------------


def test_credentials_of_the_environment(monkeypatch):
    monkeypatch.setenv("INVENTED_TOKEN", "a${B}")
    given = account(
        token="${INVENTED_TOKEN}",
        within="x-${INVENTED_TOKEN}-${INVENTED_TOKEN}/y",
        plain="$${INVENTED_TOKEN}",
        endpoint=["h1", "${INVENTED_TOKEN}:1"],
        nested={"a": [{"b": "${INVENTED_TOKEN}"}]},
        verify=False,
    )
    assert credentials_of(given) == {
        "token": "a${B}",  # a value is never expanded again
        "within": "x-a${B}-a${B}/y",
        "plain": "${INVENTED_TOKEN}",
        "endpoint": ["h1", "a${B}:1"],
        "nested": {"a": [{"b": "a${B}"}]},
        "verify": False,
    }


@pytest.mark.parametrize(
    "credentials, words",
    [
        ({"token": "${NO_SUCH}"}, "credentials.token refers to the environment variable NO_SUCH, "),
        ({"endpoint": ["a", "${NO_SUCH}"]}, "credentials.endpoint[1] refers to"),
        ({"a": {"b": "${NO_SUCH}"}}, "credentials.a.b refers to"),
        (
            {"token": f"{SECRET}${{HOME"},
            "has a ${ that no NAME} follows; a plain ${ is written $${",
        ),
        ({"token": f"{SECRET}${{HOME:-x}}"}, "credentials.token has a ${ that no NAME} follows"),
        ({"token": f"{SECRET}${{A${{HOME}}}}"}, "credentials.token has a ${ that no NAME} follows"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(credentials, words):
    assert words in refusal(account(**credentials))


# --- the terminal ---------------------------------------------------------------------------------


def test_what_is_to_be_asked_needs_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert "credentials.token is TBD, and there is no terminal" in refusal(account(token="TBD"))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda prompt: "hidden")
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt: "seen")
    assert credentials_of(account(token="TBD", url="TBD", endpoint=["TBD"])) == {
        "token": "hidden",
        "url": "seen",
        "endpoint": ["seen"],
    }
    assert accounts.asks(account(endpoint=["TBD"]))
    assert not accounts.asks(account(endpoint=["${TBD}"]))


@pytest.mark.parametrize(
    "key", ["password", "token", "aws_secret_access_key", "application_credential_secret"]
)
def test_a_secret_is_not_shown_while_it_is_typed(key):
    assert accounts_secrets.is_secret(key)
    assert not accounts_secrets.is_secret("username")
    assert not accounts_secrets.is_secret("auth_url")


# --- the keyring ----------------------------------------------------------------------------------


@pytest.fixture
def keyring():
    """The real library, with a keyring in memory."""
    import keyring
    from keyring.backend import KeyringBackend

    class InMemory(KeyringBackend):
        priority = 1
        held: "dict[tuple[str, str], str]" = {}

        def get_password(self, service, username):
            return self.held.get((service, username))

        def set_password(self, service, username, password):
            self.held[service, username] = password

    before = keyring.get_keyring()
    keyring.set_keyring(InMemory())
    yield keyring
    keyring.set_keyring(before)


def test_a_credential_of_the_keyring(keyring):
    keyring.set_password("flexlocal", "own/token", SECRET)
    given = account(token="KEYRING", password="KEYRING")
    assert refusal(given) == (
        "account 'own': credentials.password: the keyring does not have it; store it with: "
        "keyring set flexlocal own/password"
    )
    keyring.set_password("flexlocal", "own/password", "${HOME}")
    assert credentials_of(given) == {"token": SECRET, "password": "${HOME}"}


def test_a_keyring_that_fails(keyring):
    from keyring.backends import fail

    keyring.set_keyring(fail.Keyring())
    assert "the keyring can't be read (NoKeyringError)" in refusal(account(token="KEYRING"))


def test_without_the_library_the_keyring_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert "pip install 'cmp-connectors[keyring]'" in refusal(account(token="KEYRING"))


def test_the_libraries_are_loaded_only_where_they_are_used():
    script = (
        "import sys; from flexlocal import accounts, accounts_secrets, accounts_layouts; accounts.load(); "
        "print([name for name in ('keyring', 'botocore', 'subprocess.x') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


# --- secret_command -------------------------------------------------------------------------------

PRINT = ["printf", "%s"]
OBJECT = json.dumps({"token": SECRET, "regions": ["a"], "note": "x"})


@pytest.mark.parametrize(
    "command, credentials, expected",
    [
        ([*PRINT, SECRET], {"token": "SECRET", "url": "u"}, {"token": SECRET, "url": "u"}),
        (["echo", "${HOME} 'x' {}"], {"token": "SECRET"}, {"token": "${HOME} 'x' {}"}),
        (["printf", "two\r\n"], {"token": "SECRET"}, {"token": "two"}),
        ([*PRINT, "{account}.{key}"], {"a": "SECRET", "b": ["SECRET"]}, {"a": "own.a", "b": ["own.b[0]"]}),
        ([*PRINT, OBJECT], {"token": "SECRET"}, {"token": SECRET}),
        ([*PRINT, OBJECT], {"token": "SECRET", "regions": "SECRET"}, {"token": SECRET, "regions": ["a"]}),
    ],
)  # fmt: skip
def test_a_command_prints_what_is_marked(command, credentials, expected):
    assert credentials_of(account(command, **credentials)) == expected


def test_a_command_prints_all_credentials(tmp_path):
    text = f"version: 1\naccounts: {{own: {{provider: netbox, credentials: SECRET, secret_command: {[*PRINT, OBJECT]}}}}}"
    assert credentials_of(read(tmp_path, text)["own"]) == json.loads(OBJECT)


def test_only_the_account_that_is_used_is_asked_for(tmp_path):
    """Of a file's command, whatever number of accounts it serves; an account's own comes first."""
    entries = "".join(f"  a{n}: {{provider: netbox, credentials: {{token: SECRET}}}}\n" for n in range(50))  # fmt: skip
    command = ["sh", "-c", 'echo "$1" >> asked; printf %s "of $1"', "sh", "{account}"]
    text = f"version: 1\nsecret_command: {json.dumps(command)}\naccounts:\n{entries}"
    text += "  z: {provider: netbox, secret_command: [printf, own], credentials: {token: SECRET}}\n"
    text += "  plain: {provider: netbox, credentials: {token: x}}\n"
    found = read(tmp_path, text)
    assert not (tmp_path / "asked").exists()
    assert credentials_of(found["a7"]) == {"token": "of a7"}
    assert credentials_of(found["z"]) == {"token": "own"}
    assert credentials_of(found["plain"]) == {"token": "x"}
    assert (tmp_path / "asked").read_text() == "a7\n"


@pytest.mark.parametrize(
    "command, credentials, words",
    [
        ([], {"token": "SECRET"}, "credentials.token is SECRET, but neither the account nor its file has a"),
        (["/no/such", SECRET], {"token": "SECRET"}, "secret_command '/no/such' can't be run: No such file"),
        (["a\0b", SECRET], {"token": "SECRET"}, "can't be run: a word has a NUL"),
        (["sh", "-c", f"echo {SECRET}; echo {SECRET} >&2; exit 3"], {"token": "SECRET"},
         "account 'own': secret_command 'sh' failed with status 3; run it yourself to see why"),
        (["sh", "-c", f"echo {SECRET}; kill -9 $$"], {"token": "SECRET"}, "'sh' failed with status -9"),
        (["true", SECRET], {"token": "SECRET"}, "secret_command 'true' printed nothing"),
        (["printf", f"{SECRET}\\377"], {"token": "SECRET"}, "printed what is not UTF-8 text"),
        (["sh", "-c", f"exec yes {SECRET}"], {"token": "SECRET"}, "it printed more than 1024 KiB"),
        ([*PRINT, SECRET], {"a": "SECRET", "b": "SECRET"}, "printed no JSON object, but a, b are SECRET"),
        ([*PRINT, OBJECT], {"a": "SECRET", "token": "SECRET"}, "printed a JSON object without a"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_command_is_one_line_without_its_output(
    capfd, command, credentials, words
):
    assert words in refusal(account(command, **credentials))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "script", ["exec sleep 600", "sleep 600 & sleep 600", "exec >&-; sleep 600"]
)
def test_a_command_that_takes_too_long_is_ended(monkeypatch, script):
    monkeypatch.setattr(accounts_secrets, "COMMAND_S", 0.1)
    given = account(["sh", "-c", f"echo {SECRET}; {script}"], token="SECRET")
    assert refusal(given).endswith("'sh' was ended: it took longer than 0.1 s")


def test_all_that_a_command_started_ends_with_it(monkeypatch, tmp_path):
    """A pipe ends when all processes that could write to it have ended."""
    monkeypatch.setattr(accounts_secrets, "MOST", 3)
    os.mkfifo(tmp_path / "pipe")
    pipe = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    script = "exec 3> pipe; sleep 600 & echo long enough; wait"
    assert "it printed more than 0 KiB" in refusal(account(["sh", "-c", script], token="SECRET"))
    assert select.select([pipe], [], [], 60)[0]
    assert os.read(pipe, 1) == b""
    os.close(pipe)


@pytest.mark.parametrize(
    "all_of, words",
    [
        ([*PRINT, SECRET], "printed no JSON object of credentials"),
        ([*PRINT, "{key}"], "write each credential, with SECRET as its value"),
        ([], "credentials is SECRET, but neither the account nor its file has a secret_command"),
    ],
)
def test_all_credentials_by_a_command_that_prints_none(all_of, words):
    given = accounts.Account("own", "netbox", {}, {}, False, tuple(all_of), all_by_command=True)
    assert words in refusal(given)


# --- the file itself ------------------------------------------------------------------------------

ENTRY = "version: 1\naccounts: {a: {provider: aws, "


@pytest.mark.parametrize(
    "text, words",
    [
        ("version: 1\nsecret_command: pass show\naccounts: {}", "a.yaml: 'secret_command' should be a list"),
        ("version: 1\nsecret_command: []\naccounts: {}", "'secret_command' should be a list of words"),
        (ENTRY + "secret_command: [7], credentials: {}}}", "account 'a': 'secret_command' should be a list"),
        (ENTRY + "credentials: TBD}}", "'credentials' (and 'options') of 'a' should be maps"),
        (ENTRY + "cloud: x}}", "account 'a': 'cloud' is for provider openstack"),
        (ENTRY + "profile: [x]}}", "account 'a': 'profile' should be a name"),
        (ENTRY + "7: x, b: y, credentials: {}}}", "account 'a' has unknown keys: 7, b"),
        (f"version: 1\naccounts: {{a: {{password: *{SECRET}}}}}", "found undefined alias"),
        (f"version: 1\naccounts:\n  password: !{SECRET} x", "line 3: could not determine a constructor"),
        (f"version: 1\npassword: @{SECRET}", "line 2: found character '@' that cannot start any token"),
        (f"version: 1\n{SECRET}", "line 2: could not find expected ':'"),
    ],
)  # fmt: skip
def test_bad_files_have_one_line_without_their_values(tmp_path, text, words):
    with pytest.raises(AccountsError) as caught:
        read(tmp_path, text)
    assert words in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(None, caught.value, caught.tb))
    assert "\n" not in str(caught.value)


# --- older layouts --------------------------------------------------------------------------------

OLDER = """
meta: {kind: clouds}
cloudmesh:
  profile: {username: TBD}
  active: [west, east]
  default: west
  clouds:
    east:
      cm_type: openstack
      cm_host: east.example
      credentials:
        OS_AUTH_URL: https://east.example:5000/v3
        OS_USERNAME: albert
        OS_PASSWORD: TBD
        OS_TENANT_NAME: fg1
        OS_CACERT: $HOME/east.pem
        OS_VERSION: kilo
        OS_KEY_PATH: ~/.ssh/id_rsa.pub
      default: {flavor: m1.small, image: Ubuntu}
    west:
      type: ec2
      credentials:
        EC2_ACCESS_KEY: AKIAINVENTED
        EC2_SECRET_KEY: a${b}
        EC2_URL: https://west.example
        EC2_CERT: ~/cert.pem
        userid: TBD
        keyname: TBD
    spare: {type: azure, credentials: {thumbprint: TBD}}
"""


def test_an_older_layout_is_read_unchanged(home, tmp_path):
    found = read(tmp_path, OLDER)
    assert [(name, each.provider) for name, each in found.items()] == [
        ("east", "openstack"),
        ("west", "aws"),
    ]
    assert credentials_of(found["west"]) == {
        "aws_access_key_id": "AKIAINVENTED",
        "aws_secret_access_key": "a${b}",  # it has no references
        "endpoint_url": "https://west.example",
    }
    east = found["east"].credentials
    assert east["OS_CACERT"] == f"{home}/east.pem"
    assert "credentials.OS_PASSWORD is TBD" in refusal(found["east"])
    del east["OS_CACERT"]
    known = poll.load_provider("openstack").credentials({**east, "OS_PASSWORD": "x"}, False)
    assert known.login["project_name"] == "fg1"


def test_an_older_layout_without_the_outer_key(tmp_path):
    text = (
        "clouds:\n  uc: {type: openstack, credentials: {OS_USERNAME: u}, default: {image: x}}\n"
        "  tacc: {type: openstack, credentials: {OS_USERNAME: t}}\n"
    )
    assert list(read(tmp_path, text)) == ["uc", "tacc"]
    assert list(read(tmp_path, f"{text}cloudmesh: {{active: [tacc]}}\n")) == ["tacc"]
    assert list(read(tmp_path, f"{text}active: uc\n")) == ["uc"]


@pytest.mark.parametrize(
    "text, words",
    [
        ("cloudmesh: {}", "'clouds' should be a map of name to cloud"),
        ("cloudmesh: 7", "'cloudmesh' should be a map"),
        ("clouds: [a]", "'clouds' should be a map"),
        ("clouds: {a: 7}", "cloud 'a' should be a map"),
        ("clouds: {a: {type: openstack}}", "cloud 'a' has neither 'credentials' nor 'auth'"),
        ("clouds: {a: {type: azure, credentials: {}}}", "'type' (or 'cm_type') 'azure' is none of openstack, ec2, aws"),
        ("clouds: {a: {credentials: {}}}", "'type' (or 'cm_type') None is none of"),
        ("clouds: {a: {type: openstack, credentials: x}}", "'credentials' should be a map"),
        ("clouds: {uc: {}}\ncloudmesh: {active: [chameleon]}", "'active' names 'chameleon', but there is no such cloud; there are uc"),
        ("clouds: {uc: {}}\nactive: {uc: 1}", "'active' should be a list of names"),
        ("clouds: {a: {auth: 7}}", "'auth' should be a map"),
        ("clouds: {a: {auth: {}, profile: vexxhost}}", "'profile': a vendor's profile is not read: write its auth_url"),
        ("clouds: {a: {auth: {}, cert: x}}", "'cert': a client certificate is not supported"),
        ("clouds: {a: {auth: {}, auth_type: v3oidcpassword}}", "'auth_type' is none of password, token, v3app"),
        ("clouds: {a: {auth: {}, regions: [a, b]}}", "'regions' has several"),
        ("clouds: {a: {auth: {}, regions: a}}", "'regions' should be a list"),
    ],
)  # fmt: skip
def test_a_layout_that_is_not_understood_is_refused(tmp_path, text, words):
    with pytest.raises(AccountsError) as caught:
        read(tmp_path, text)
    assert words in str(caught.value)


# --- clouds.yaml ----------------------------------------------------------------------------------

CLOUDS = """
clouds:
  lab:
    auth: {auth_url: "https://keystone.example/v3", username: u, project_name: p, user_domain_name: d, project_domain_name: d}
    auth_type: password
    region_name: one
    interface: internal
    verify: false
    identity_api_version: 3
    volume_api_version: "3"
    networks: [{name: x}]
"""
LAB = {
    "auth_url": "https://keystone.example/v3",
    "username": "u",
    "project_name": "p",
    "user_domain_name": "d",
    "project_domain_name": "d",
    "region_name": "one",
    "interface": "internal",
    "verify": False,
}


def test_clouds_yaml_as_the_accounts_file(tmp_path):
    """Without secure.yaml, which is only read where a search is asked for."""
    (tmp_path / "secure.yaml").write_text("clouds: {lab: {auth: {password: x}}}")
    found = read(tmp_path, CLOUDS.replace("username: u", 'username: "a${b}"'))["lab"]
    assert found.provider == "openstack"
    assert credentials_of(found) == {**LAB, "username": "a${b}"}
    known = poll.load_provider("openstack").credentials({**LAB, "password": "x"}, False)
    assert (known.interface, known.verify, known.login["region_name"]) == ("internal", False, "one")


def test_a_cloud_is_found_where_openstacks_clients_look(monkeypatch, home, tmp_path):
    text = "version: 1\naccounts:\n  own: {provider: openstack, cloud: lab, credentials: {region_name: two}}"
    own = read(tmp_path, text)["own"]
    assert "account 'own': there is no clouds.yaml: neither" in refusal(own)
    folder = home / ".config" / "openstack"
    folder.mkdir(parents=True)
    (folder / "clouds.yaml").write_text(CLOUDS)
    (folder / "secure.yaml").write_text(
        f"clouds: {{lab: {{auth: {{password: '{SECRET}${{x}}'}}}}}}"
    )
    assert credentials_of(own) == {**LAB, "region_name": "two", "password": f"{SECRET}${{x}}"}
    (tmp_path / "clouds.yaml").write_text("clouds: {other: {auth: {username: here}}}")
    (tmp_path / "secure.yaml").write_text("clouds: {}")  # the current folder comes first
    assert "clouds.yaml: there is no cloud 'lab'" in refusal(own)
    (tmp_path / "c.yaml").write_text("clouds: {lab: {auth: {username: named}}}")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "c.yaml"))
    assert credentials_of(own) == {"region_name": "two", "username": "named"}
    (tmp_path / "c.yaml").write_text(f"clouds: {{lab: [{SECRET}]}}")
    assert refusal(own).endswith("c.yaml: cloud 'lab' should be a map")
    (tmp_path / "c.yaml").write_text(f"clouds: {{lab: *{SECRET}}}")
    assert "found undefined alias" in refusal(own)


# --- AWS profiles ---------------------------------------------------------------------------------

CONFIG = f"""
[default]
region = eu-west-1
[profile keys]
endpoint_url = https://ec2.example
ca_bundle = ~/ca.pem
output = json
s3 =
  max_concurrent_requests = 20
[profile role]
role_arn = arn:aws:iam::123456789012:role/poll
source_profile = keys
external_id = x
[profile itself]
role_arn = arn:aws:iam::123456789012:role/poll
source_profile = itself
[profile chain]
role_arn = arn:aws:iam::123456789012:role/poll
source_profile = role
[profile lost]
role_arn = arn:aws:iam::123456789012:role/poll
source_profile = nowhere
[profile alone]
role_arn = arn:aws:iam::123456789012:role/poll
[profile mfa]
role_arn = arn:aws:iam::123456789012:role/poll
source_profile = keys
mfa_serial = arn:aws:iam::123456789012:mfa/x
[profile process]
credential_process = printf {SECRET}
[profile sso]
sso_session = x
[profile half]
aws_access_key_id = AKIAHALF
"""
KEYS = f"""
[keys]
aws_access_key_id = AKIAKEYS
aws_secret_access_key = {SECRET}
aws_session_token = t
[itself]
aws_access_key_id = AKIAITSELF
aws_secret_access_key = {SECRET}
"""


@pytest.fixture
def aws(home):
    folder = home / ".aws"
    folder.mkdir()
    (folder / "config").write_text(CONFIG)
    (folder / "credentials").write_text(KEYS)
    return folder


def of_profile(name, **credentials):
    return accounts.Account("own", "aws", credentials, {}, demo=False, profile=name)


ROLE = {"role_arn": "arn:aws:iam::123456789012:role/poll"}
OF_KEYS = {"aws_access_key_id": "AKIAKEYS", "aws_secret_access_key": SECRET, "aws_session_token": "t"}  # fmt: skip


@pytest.mark.usefixtures("aws")
def test_a_profile_is_read_only_where_it_is_named(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "role")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHEHOST")
    got = credentials_of(of_profile("keys", regions=["eu-*"]))
    assert got == {
        **OF_KEYS,
        "endpoint_url": "https://ec2.example",
        "cacert": "~/ca.pem",
        "regions": ["eu-*"],
    }
    assert credentials_of(of_profile("role")) == {**OF_KEYS, **ROLE, "external_id": "x"}
    assert credentials_of(of_profile("itself")) == {
        **ROLE,
        "aws_access_key_id": "AKIAITSELF",
        "aws_secret_access_key": SECRET,
    }
    assert poll.load_provider("aws").credentials({**OF_KEYS, **ROLE}, False).role_arn


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    "name, words",
    [
        ("nowhere", "account 'own': there is no profile 'nowhere' in AWS's config and credentials files"),
        ("default", "profile 'default' has no aws_access_key_id"),
        ("half", "profile 'half' has no aws_secret_access_key"),
        ("chain", "its source_profile 'role' has a role too"),
        ("lost", "there is no profile 'nowhere'"),
        ("alone", "profile 'alone' has a role_arn, but no source_profile"),
        ("mfa", "profile 'mfa' has mfa_serial, which is not supported"),
        ("process", "profile 'process' has credential_process, which is not supported"),
        ("sso", "profile 'sso' has sso_session"),
    ],
)  # fmt: skip
def test_a_profile_that_is_not_understood_is_refused(name, words):
    assert words in refusal(of_profile(name))


def test_profiles_that_are_not_there_or_not_readable(home, aws):
    (aws / "credentials").write_text(f"{SECRET}\n")
    assert refusal(of_profile("keys")).endswith("AWS's config or credentials file can't be parsed")
    (aws / "credentials").unlink()
    (aws / "config").unlink()
    assert "there is no profile 'keys'" in refusal(of_profile("keys"))


def test_nothing_of_a_resolved_account_is_logged(caplog, aws):
    with caplog.at_level(logging.DEBUG):
        credentials_of(of_profile("keys"))
        credentials_of(account(shlex.split(f"printf {SECRET}"), token="SECRET"))
    assert SECRET not in caplog.text
