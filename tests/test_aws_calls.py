"""Every call of every AWS cell and handler: that it is declared, and what happens where it fails.

Each handler polls moto's server once; the responses are then replayed, so that a poll with one call changed takes no
time.
"""

import datetime
import importlib
import json

import botocore.client
import pytest
from botocore.exceptions import ClientError

from flexlocal.__main__ import families
from shared.engine.errors import InsufficientPermission
from shared.engine.poll import load_cell
from shared.providers import aws
from shared.transport import http
from tests.fakes import moto_polls
from tests.fakes.context import Context
from tools import demo_aws

REGION = "us-east-1"  # the demo account has one of everything there
HANDLERS = [
    (family, handler)
    for family, cells in families().items()
    if "aws" in cells
    for handler, needed in load_cell(cells["aws"]).permissions_by_handler.items()
    if needed
]
NO_PERMISSION_NEEDED = "sts:GetCallerIdentity"
# Direct Connect and Network Firewall may really not be there: it is then as if they had nothing.
MAY_BE_ABSENT = ("directconnect:", "network-firewall:")


class Calls:
    """The calls of botocore's clients and their responses, recorded or replayed."""

    def __init__(self, monkeypatch):
        self.answers = {}
        self.made = set()  # as IAM names them
        self.refused = None
        self._live = botocore.client.BaseClient._make_api_call
        monkeypatch.setattr(
            botocore.client.BaseClient, "_make_api_call", lambda *of: self._call(*of)
        )

    def _call(self, client, operation, params):
        service = client.meta.service_model.signing_name
        action = f"{aws.errors._IAM.get(service, service)}:{operation}"
        self.made.add(action)
        if action == self.refused:
            said = {"Error": {"Code": "OptInRequired", "Message": "You are not subscribed"}}
            raise ClientError({**said, "ResponseMetadata": {"Action": action}}, operation)
        of = client.meta.region_name, client.meta.service_model.service_name
        key = json.dumps([of, action, params], default=_no_time)
        if key not in self.answers:
            self.answers[key] = self._live(client, operation, params)
        return self.answers[key]


def _no_time(value):
    assert isinstance(value, datetime.datetime)
    return "a time"


@pytest.fixture(scope="module")
def url(moto_of_5_2):
    with moto_polls.added():
        server, url = demo_aws.serve()
        yield url
        server.stop()


@pytest.fixture(scope="module")
def calls(url):
    with pytest.MonkeyPatch.context() as patch:
        yield Calls(patch)


@pytest.fixture(scope="module")
def polled(url, calls):
    """What each handler answers and calls."""
    found = {}
    for of in HANDLERS:
        calls.made = set()
        found[of] = poll(url, *of), frozenset(calls.made)
    return found


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(http, "FIRST_DELAY_S", 0)


def poll(url, family, handler):
    call = getattr(importlib.import_module(f"modules.{family}.main"), handler)
    credentials = {
        "aws_access_key_id": demo_aws.KEY,
        "aws_secret_access_key": demo_aws.SECRET,
        "regions": REGION,
        "endpoint_url": url,
    }
    event = {"provider": "aws", "credentials": credentials, "poll_interval": 600}
    answer = call(event, Context())
    if handler == "get_status":  # of some, other operations may be needed
        call({**event, "resources": ["i-0123456789abcdef0", "vol-0123456789abcdef0"]}, Context())
    return answer


@pytest.mark.parametrize("family, handler", HANDLERS)
def test_the_calls_are_those_of_the_declared_permissions(polled, family, handler):
    _, made = polled[family, handler]
    cell = load_cell(f"modules.{family}.aws")
    needed = set(cell.permissions_by_handler[handler])
    assert needed >= {"ec2:DescribeRegions"}
    assert made - {NO_PERMISSION_NEEDED} == needed
    policy = aws.least_permissions(cell.permissions_by_handler[handler])
    assert policy["Statement"][0]["Action"] == sorted(needed)


@pytest.mark.parametrize("family, handler", HANDLERS)
def test_a_service_that_is_refused_is_a_failure_unless_it_may_be_absent(
    url, calls, polled, family, handler
):
    before, made = polled[family, handler]
    for action in sorted(made):
        calls.refused = action
        try:
            if action.startswith(MAY_BE_ABSENT) and not action.endswith(
                (":DescribeLocations", ":DescribeFirewall")
            ):
                after = poll(url, family, handler)
                assert isinstance(after, type(before)), action
            else:
                with pytest.raises(
                    InsufficientPermission, match=f"may not {action} .OptInRequired"
                ):
                    poll(url, family, handler)
        finally:
            calls.refused = None
