"""A built module on AWS Lambda: AWS's own runtime client (awslambdaric) runs the documented entry."""

import importlib.util
import sys
import types

import pytest

from tests.built import ROOT, module
from tests.fakes.lambda_runtime import function
from tests.fakes.openstack import Cloud

pytest.importorskip("awslambdaric", reason="AWS has it for Linux only")


@pytest.fixture(scope="module")
def cloud():
    made = Cloud()
    made.fill(servers=5)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def called(cloud, tmp_path_factory):
    """What three events to one function came to, and what it printed."""
    home = tmp_path_factory.mktemp("home")
    good = {"provider": "openstack", "credentials": cloud.credentials()}
    bad = {"provider": "openstack", "credentials": {**cloud.credentials(), "password": "wrong-pw"}}
    with function(module("servers").folder, "aws_lambda.get", home) as get:
        answers = [get.invoke(good), get.invoke(bad), get.invoke(good)]
    with function(module("servers").folder, "aws_lambda.validate_credentials", home) as validate:
        answers += [validate.invoke(good), validate.invoke(bad)]
    return answers, get.printed


def test_the_servers_come_back(called, cloud):
    (kind, servers), *_ = called[0]
    assert kind == "response"
    assert [each["type"] for each in servers] == ["server"] * 5
    assert called[0][2][0] == "response"
    assert [each["id"] for each in called[0][2][1]] == [each["id"] for each in servers]


def test_an_error_keeps_its_type_and_tells_no_secret(called):
    kind, error = called[0][1]
    assert (kind, error["errorType"]) == ("error", "InvalidCredentials")
    assert error["errorMessage"]
    assert "wrong-pw" not in str(called)


def test_credentials_are_validated(called):
    (good_kind, good), (bad_kind, bad) = called[0][3:]
    assert (good_kind, good["ok"]) == ("response", True)
    assert (bad_kind, bad["ok"]) == ("response", False)


def test_the_summary_is_in_the_functions_log(called):
    assert "polled family=servers provider=openstack" in called[1]


def test_a_poll_ends_before_the_function_does(monkeypatch):
    seen = []
    names = ("get", "validate_credentials", "get_status", "get_metrics", "get_logs")
    fake = types.SimpleNamespace(
        **{name: lambda event, context: seen.append(context.config["deadline_s"]) for name in names}
    )
    monkeypatch.setitem(sys.modules, "main", fake)
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location("aws_lambda", ROOT / "modules" / "aws_lambda.py")
    entry = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(entry)
    for name in names:
        for left in (900_000, 2_500):
            context = types.SimpleNamespace(get_remaining_time_in_millis=lambda left=left: left)
            getattr(entry, name)({}, context)
    assert seen == [898.0, 1.0] * len(names)
