"""Clients whose models are read once a process (shared/providers/aws/models.py): as botocore's own, but cheap."""

import types

import botocore.client
import botocore.hooks
import botocore.session
import pytest

from shared.providers.aws import models, responses
from tests.built import MANIFEST
from tests.test_aws_boto3 import login

SERVICES = sorted(
    {*MANIFEST.providers["aws"].botocore_data}.union(
        *(module.botocore_data for module in MANIFEST.modules.values())
    )
)
REGION, OTHER = "us-east-1", "eu-west-1"


@pytest.fixture(scope="module")
def ours():
    session = login()
    return {service: session.client(service, REGION) for service in SERVICES}


@pytest.fixture(scope="module")
def botocores():
    session = botocore.session.Session()
    session.set_credentials("AKIAINVENTEDEXAMPLE1", "invented")
    return {service: session.create_client(service, REGION) for service in SERVICES}


@pytest.mark.parametrize("service", SERVICES)
def test_a_client_has_botocores_operations(service, ours, botocores):
    client, other = ours[service], botocores[service]
    assert client.meta.method_to_api_mapping == other.meta.method_to_api_mapping
    assert client.meta.service_model.operation_names == other.meta.service_model.operation_names
    assert client.meta.endpoint_url == other.meta.endpoint_url
    assert type(client).__name__ == type(other).__name__
    calls = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            botocore.client.BaseClient,
            "_make_api_call",
            lambda self, operation, params: calls.append((self, operation, params)),
        )
        for method, operation in other.meta.method_to_api_mapping.items():
            for each in (client, other):
                call = getattr(each, method)
                assert call.__name__ == method
                call(DryRun=True)
                assert calls.pop() == (each, operation, {"DryRun": True})


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_client_has_not_is_an_error_as_botocores(service, ours, botocores):
    def error(client, get):
        with pytest.raises((AttributeError, TypeError)) as raised:
            get(client)
        return type(raised.value), str(raised.value)

    method = next(iter(botocores[service].meta.method_to_api_mapping))
    for get in (
        lambda client: client.describe_nothing,
        lambda client: client._nothing,
        lambda client: getattr(client, method)("by position"),
    ):
        assert error(ours[service], get) == error(botocores[service], get)


@pytest.mark.parametrize("service", SERVICES)
def test_the_rest_of_a_client_is_botocores(service, ours, botocores):
    client, other = ours[service], botocores[service]
    for method in [*other.meta.method_to_api_mapping][:20]:
        assert client.can_paginate(method) == other.can_paginate(method)
    assert client.waiter_names == other.waiter_names
    names = {name for name in dir(other.exceptions) if not name.startswith("_")}
    assert {name for name in dir(client.exceptions) if not name.startswith("_")} == names
    # its clients would have a handler more: botocore reads this in the model without operations
    assert other.meta.service_model.endpoint_discovery_operation is None


def test_a_client_that_botocore_makes_for_itself_is_complete(monkeypatch):
    """As for a role of the host's that is assumed with a web identity."""
    client = login()._botocore.create_client("sts", REGION)
    monkeypatch.setattr(client, "_make_api_call", lambda *call: call)
    assert client.assume_role_with_web_identity(RoleArn="arn") == (
        "AssumeRoleWithWebIdentity",
        {"RoleArn": "arn"},
    )
    assert client.meta.service_model.operation_model("AssumeRoleWithWebIdentity").input_shape


def test_no_client_gets_methods_of_its_own(monkeypatch):
    made = []
    monkeypatch.setattr(
        botocore.client.ClientCreator, "_create_api_method", lambda *of: made.append(of)
    )
    session = login()
    clients = [session.client("ec2", region) for region in (REGION, OTHER)]
    assert made == []
    assert clients[0].meta.region_name != clients[1].meta.region_name
    assert clients[0].meta.service_model is clients[1].meta.service_model
    assert login().client("ec2", REGION).meta.service_model is clients[0].meta.service_model
    assert callable(clients[1].describe_instances)


def test_all_responses_of_a_poll_are_read_by_one_parser_of_each_protocol():
    """What it planned for one response serves the next."""
    factory = responses.Parsers()
    for protocol in ("ec2", "json", "query", "rest-json"):
        assert factory.create_parser(protocol) is factory.create_parser(protocol)
        assert factory.create_parser(protocol) is not responses.Parsers().create_parser(protocol)


@pytest.mark.parametrize(
    "name",
    [
        "before-call.ec2.DescribeInstances",
        "request-created.monitoring.ListMetrics",
        "creating-client-class.elasticloadbalancingv2",
        "needs-retry.elb.DescribeLoadBalancers",
        "docs.*.autoscaling.CreateLaunchConfiguration.complete-section",
    ],
)
def test_events_have_botocores_names(name, monkeypatch):
    monkeypatch.setattr(models, "_aliases", {})
    emitted = []
    hooks = types.SimpleNamespace(emit=lambda event_name, **_: emitted.append(event_name))
    botocore.hooks.EventAliaser(hooks).emit(name)
    for _ in range(2):  # looked up, and remembered
        models.Events(hooks).emit(name)
    assert emitted == [emitted[0]] * 3
    assert name in models._aliases
