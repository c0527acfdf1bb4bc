"""Accounts from Python: ``with Account("demo-aws") as account``."""

import json
import re

import pytest

import flexlocal
from flexlocal import Account
from flexlocal.__main__ import main
from flexlocal.account import AccountsError
from flexlocal.families import families
from shared.engine.errors import ConnectorError
from tests.inventories import ROOT

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture
def demo():
    with Account("demo-ietf_l2vpn") as account:
        yield account


def timeless(resources):
    """Without the moment of the poll."""
    for each in resources:
        del each["base"]["last_seen_at"]
    return resources


def test_it_is_what_flexlocal_run_shows(demo, capsys):
    found = demo.wan_links()
    assert capsys.readouterr().out == ""
    main(["run", "wan_links", "--account", "demo-ietf_l2vpn", "--format", "json"])
    assert timeless(json.loads(capsys.readouterr().out)) == timeless(found) != []


def test_status_has_points_and_the_time_for_the_next_poll(demo):
    answer = demo.status("wan_links")
    assert answer["status"]
    assert answer["last_update"]


def test_there_is_a_method_for_each_family():
    for family in families():
        assert callable(getattr(Account, family))


def test_scopes_and_options_are_those_of_the_event():
    with Account("demo-openstack") as account:
        assert timeless(account.volumes("*/RegionOne")) == timeless(account.volumes()) != []
        with pytest.raises(ConnectorError, match="no scope 'no-such"):
            account.volumes(["no-such-*"])
        with pytest.raises(ConnectorError):
            account.volumes(allow_partial="perhaps")


@pytest.mark.parametrize(
    "use, words",
    [
        (lambda: Account("demo-aw"), "no account 'demo-aw'; there are .*did you mean 'demo-aws'"),
        (lambda: Account("demo-aws").servers(), "'demo-aws' is not open: use it within with"),
        (lambda: Account("demo-aws", ""), "--accounts is empty"),
    ],
)
def test_what_is_wrong(use, words):
    with pytest.raises(AccountsError, match=words):
        use()


def test_a_family_that_the_provider_does_not_have(demo):
    assert demo.families == ["wan_links"]
    with pytest.raises(AccountsError, match="ietf_l2vpn has no servers; it has wan_links"):
        demo.servers()
    with pytest.raises(AccountsError, match="has no wan_link; .*did you mean 'wan_links'"):
        demo.resources("wan_link")


def test_credentials_are_forgotten_and_never_shown(tmp_path, monkeypatch):
    file = tmp_path / "accounts.yaml"
    file.write_text(
        "version: 1\naccounts:\n  shop: {provider: aws, credentials: {aws_access_key_id: k, "
        "aws_secret_access_key: '${SHOP_SECRET}'}}\n"
    )
    file.chmod(0o600)
    account = Account("shop", str(file))
    with pytest.raises(AccountsError, match="SHOP_SECRET"), account:
        pass
    monkeypatch.setenv("SHOP_SECRET", "canary")
    with account:
        assert "canary" in str(vars(account))
        assert "canary" not in repr(account)
    assert "canary" not in str(vars(account))


def test_other_names_are_no_attributes():
    with pytest.raises(AttributeError, match="no attribute 'Acount'"):
        flexlocal.Acount  # noqa: B018 - it raises


def test_the_example_of_the_docs(capsys):
    page = (ROOT / "docs" / "operate" / "flexlocal.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(block, {})  # noqa: S102 - of a page in this repository
    printed = capsys.readouterr().out.splitlines()
    assert printed == re.findall(r"^    # (.*)$", block, re.MULTILINE)
