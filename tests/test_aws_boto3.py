"""AWS is polled through boto3's session, which changes nothing of a request but its User-Agent."""

import collections
import subprocess
import sys
import types

import boto3
import botocore.session
import pytest
from freezegun import freeze_time

from shared.engine.deadline import Deadline
from shared.providers import aws
from tests.built import MANIFEST, ROOT
from tests.fakes.poll import a_poll

REGION = "us-east-1"
OPERATIONS = {  # of each protocol
    "cloudwatch": "list_metrics",
    "directconnect": "describe_connections",
    "ec2": "describe_vpcs",
    "efs": "describe_file_systems",
    "elbv2": "describe_load_balancers",
    "sts": "get_caller_identity",
}
# What boto3 changes when an S3 client or an object of Session.resource() is made: neither is here.
UNUSED = ("creating-client-class.s3", "creating-resource-class.")


def login():
    given = {"aws_access_key_id": "AKIAINVENTEDEXAMPLE1", "aws_secret_access_key": "invented"}
    log = types.SimpleNamespace(info=print)
    poll = a_poll("servers", deadline=Deadline(600), log=log)
    return aws.Session(aws.credentials(given, False), poll)


class BotocoreAlone:
    """What is used of boto3's session, of botocore's."""

    def __init__(self, botocore_session):
        self.client = botocore_session.create_client
        self.get_available_regions = botocore_session.get_available_regions
        self.get_partition_for_region = botocore_session.get_partition_for_region


@pytest.fixture
def without_boto3(monkeypatch):
    return lambda: monkeypatch.setattr(aws.session.boto3_session, "Session", BotocoreAlone)


class Signed(Exception):
    """Ends a call when its request is complete."""


def request(service):
    """A call's request: method, URL, headers and body."""
    client = login().client(service, REGION)
    caught = []

    def catch(request, **_):
        caught.append(request.prepare())
        raise Signed

    client.meta.events.register_last("request-created", catch)
    with pytest.raises(Signed):
        getattr(client, OPERATIONS[service])()
    headers = {name.lower(): value for name, value in caught[0].headers.items()}
    assert headers.pop("amz-sdk-invocation-id")  # of each call another
    return caught[0].method, caught[0].url, headers, caught[0].body


def test_clients_are_made_by_boto3s_session(monkeypatch):
    made = []
    client = boto3.session.Session.client

    def noted(self, service, **given):
        made.append(service)
        return client(self, service, **given)

    monkeypatch.setattr(boto3.session.Session, "client", noted)
    session = login()
    for service in OPERATIONS:
        session.client(service, REGION)
    assert made == list(OPERATIONS)
    assert request("ec2")[2]["user-agent"].startswith("cmp-connectors Botocore/")


@pytest.mark.parametrize("service", OPERATIONS)
@freeze_time("2026-03-04")
def test_a_request_is_botocores_but_for_its_user_agent(service, without_boto3):
    by_boto3 = request(service)
    without_boto3()
    by_botocore = request(service)
    assert by_boto3[2].pop("user-agent") != by_botocore[2].pop("user-agent")
    assert "Signature=" in by_boto3[2]["authorization"]
    assert by_boto3 == by_botocore


@pytest.mark.parametrize("service", OPERATIONS)
def test_a_client_is_set_up_as_botocores_but_for_its_user_agent(service, without_boto3):
    def settings():
        found = vars(login().client(service, REGION).meta.config).copy()
        return {name: found[name] for name in found if "user" not in name}

    by_boto3 = settings()
    without_boto3()
    assert by_boto3 == settings()


def test_boto3_handles_no_event_of_a_poll(monkeypatch, without_boto3):
    names = []
    register = botocore.session.Session.register

    def noted(self, event_name, *more, **options):
        names.append(event_name)
        register(self, event_name, *more, **options)

    monkeypatch.setattr(botocore.session.Session, "register", noted)
    login()
    by_boto3 = collections.Counter(names)
    names.clear()
    without_boto3()
    login()
    added = by_boto3 - collections.Counter(names)
    assert added
    assert [name for name in added if not name.startswith(UNUSED)] == []
    assert "s3" not in MANIFEST.providers["aws"].botocore_data
    assert not [each for each in MANIFEST.modules.values() if "s3" in each.botocore_data]


def test_the_models_that_all_sessions_share_stay_botocores():
    """boto3 adds a folder to the loader that it finds: with each session another one."""
    loader = login()._botocore.get_component("data_loader")
    before = list(loader.search_paths)
    assert login()._botocore.get_component("data_loader") is loader
    assert loader.search_paths == before == [loader.BUILTIN_DATA_PATH]


def test_where_boto3_is_complete_it_is_left_alone():
    """Whatever else of the process uses it gets resources and transfers to S3."""
    script = """
import sys
import shared.providers.aws
assert "boto3.resources.factory" in sys.modules and "s3transfer.manager" in sys.modules
import boto3, boto3.s3.transfer
resource = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b").resource("s3", "us-east-1")
print(resource.Bucket("b").upload_file.__name__, sys.modules["s3transfer.manager"].TransferManager.__name__)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("bucket_upload_file TransferManager\n", "")
