"""No setting of the host changes or fails a poll of AWS, however botocore would look it up.

But its proxies, which are the only way out of some networks: they stay.
"""

import importlib
import json
import re
from pathlib import Path

import boto3
import botocore
import botocore.configprovider
import pytest
from freezegun import freeze_time

from tests.fakes import ec2
from tests.fakes.context import Context

REGION = "us-east-1"
# Words that one or the other setting would understand, and some that none does.
HOSTILE = (
    "hostile",
    "true",
    "0",
    "-1",
    "legacy",
    "auto",
    "disabled",
    "required",
    "http://127.0.0.1:9",
)
SECTION = """[default]
{settings}
s3 =
  addressing_style = hostile
services = hostile
plugins =
  hostile = antigravity
[services hostile]
ec2 =
  endpoint_url = http://127.0.0.1:9
sts =
  endpoint_url = http://127.0.0.1:9
"""


def tables():
    """botocore's own tables of settings: name -> (in a file, variables, default, conversion)."""
    known = vars(botocore.configprovider).values()
    return [each for each in known if isinstance(each, dict) and "_" not in each]


def variables():
    """Every variable that botocore's configuration knows, and whichever else its source names."""
    found = set()
    for table in tables():
        for entry in table.values():
            if isinstance(entry, tuple) and len(entry) == 4 and entry[1]:
                found.update([entry[1]] if isinstance(entry[1], str) else entry[1])
    for library in (boto3, botocore):
        for file in Path(library.__file__).parent.glob("*.py"):
            found.update(
                re.findall(r"\b(?:AWS|BOTO|BOTOCORE)_[A-Z0-9_]+\b", file.read_text("utf-8"))
            )
    found |= {f"AWS_ENDPOINT_URL_{service}" for service in ("EC2", "STS")}
    found |= {"AWS_BEARER_TOKEN_EC2", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
    return sorted(name for name in found if "PROXY" not in name)


def settings():
    """Every name in a file of settings."""
    found = set()
    for table in tables():
        for entry in table.values():
            if isinstance(entry, tuple) and len(entry) == 4 and entry[0]:
                found.update([entry[0]] if isinstance(entry[0], str) else entry[0])
    return sorted(each for each in found if isinstance(each, str))


@pytest.fixture
def host(monkeypatch, tmp_path):
    """Sets all of them to a value; the home has files with all of them too, and service models."""

    def hostile(value):
        for name in variables():
            monkeypatch.setenv(name, value)
        folder = tmp_path / ".aws"
        models = folder / "models" / "ec2" / "2016-11-15"
        models.mkdir(parents=True)
        (models / "service-2.json").write_text("{}")
        (folder / "models" / "endpoints.json").write_text("{}")
        text = SECTION.format(settings="\n".join(f"{name} = {value}" for name in settings()))
        for name in ("config", "credentials"):
            (folder / name).write_text(text)
        monkeypatch.setenv("HOME", str(tmp_path))
        if value == "hostile":  # and where they are said to be elsewhere
            monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
            monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
            monkeypatch.setenv("AWS_DATA_PATH", str(folder / "models"))

    return hostile


@pytest.fixture(scope="module")
def cloud():
    with ec2.Cloud({REGION: ec2.records(REGION)}) as made:
        yield made


def polled(cloud, **credentials):
    event = {
        "provider": "aws",
        "credentials": {
            "aws_access_key_id": ec2.KEY,
            "aws_secret_access_key": ec2.SECRET,
            "endpoint_url": cloud.url,
            **credentials,
        },
    }
    cloud.calls.clear()
    main = importlib.import_module("modules.servers.main")
    with freeze_time("2026-03-04", tick=True, ignore=["botocore", "tests.fakes"]):
        found = main.get(event, Context())
    for each in found:
        each["base"].pop("last_seen_at")
    assert main.validate_credentials(event, Context())["ok"]
    return json.dumps(found), dict(cloud.calls)


def test_the_settings_are_found():
    """The test would pass if it set nothing."""
    names = {"AWS_STS_REGIONAL_ENDPOINTS", "AWS_DEFAULTS_MODE", "AWS_REQUEST_CHECKSUM_CALCULATION"}
    names |= {"AWS_ACCOUNT_ID_ENDPOINT_MODE", "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES"}
    names |= {"AWS_CA_BUNDLE", "AWS_CONFIG_FILE", "AWS_DATA_PATH", "AWS_PROFILE", "AWS_CSM_ENABLED"}
    assert names <= set(variables())
    assert {"region", "retry_mode", "ca_bundle", "sts_regional_endpoints"} <= set(settings())


@pytest.mark.parametrize("value", HOSTILE)
def test_a_poll_is_the_same_whatever_the_host_has_set(cloud, host, value):
    before = polled(cloud)
    host(value)
    assert polled(cloud) == before


@pytest.mark.parametrize("value", HOSTILE)
def test_a_role_is_assumed_whatever_the_host_has_set(cloud, host, value):
    host(value)
    _, calls = polled(cloud, role_arn=ec2.ROLE, external_id=ec2.EXTERNAL_ID)
    assert calls[REGION, "AssumeRole"] == 1 + 1  # of the poll, and of validate_credentials


def test_proxies_of_the_host_stay(cloud, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, cloud.url)  # which takes the request as if it had come directly
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    _, calls = polled(cloud, endpoint_url="http://aws.invalid")
    assert calls[REGION, "DescribeInstances"] == 1
