"""A built module on AWS Lambda: AWS's own runtime client (awslambdaric) runs the documented entry."""

import importlib.util
import sys
import types

import pytest

from shared.engine.errors import OutOfTime
from tests.built import MANIFEST, ROOT, module
from tests.fakes.lambda_runtime import PATIENCE_S, function
from tests.fakes.openstack import Cloud

pytest.importorskip("awslambdaric", reason="AWS has it for Linux only")

ENTRY = ROOT / "modules" / "aws_lambda.py"
HANDLERS = ("get", "validate_credentials", "get_status", "get_metrics", "get_logs")


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


# --- time -----------------------------------------------------------------------------------------


def test_a_function_with_no_time_left_answers_at_once(cloud, tmp_path):
    """1.2 s is less than what is kept for the answer: Lambda would kill the function before it came."""
    event = {"provider": "openstack", "credentials": cloud.credentials()}
    with function(module("servers").folder, "aws_lambda.get", tmp_path) as get:
        kind, error = get.invoke(event, seconds=1.2)
    assert (kind, error["errorType"]) == ("error", "OutOfTime")
    assert "Give the function a longer time-out" in error["errorMessage"]
    assert "Give the function a longer time-out" in get.printed


@pytest.fixture
def entries(monkeypatch):
    """Loads aws_lambda.py beside a main.py with these handlers; the deadline of each of their calls."""

    def load(names):
        deadlines = []
        main = types.SimpleNamespace()
        for name in names:
            setattr(main, name, lambda _, context: deadlines.append(context.config["deadline_s"]))
        monkeypatch.setitem(sys.modules, "main", main)
        spec = importlib.util.spec_from_file_location("aws_lambda", ENTRY)
        entry = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(entry)
        return entry, deadlines

    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(OutOfTime, "advice", OutOfTime.advice)
    return load


def test_a_poll_ends_before_the_function_does(entries):
    entry, deadlines = entries(HANDLERS)
    for name in HANDLERS:
        for left in (900_000, 2_500, 1_200, 0):
            context = types.SimpleNamespace(get_remaining_time_in_millis=lambda left=left: left)
            getattr(entry, name)({}, context)
    assert deadlines == [898.0, 0.5, 0.001, 0.001] * len(HANDLERS)


# --- which there are ------------------------------------------------------------------------------


@pytest.mark.parametrize("family", sorted(MANIFEST.modules))
def test_an_entry_for_each_handler_of_the_family(family, entries):
    main = importlib.import_module(f"modules.{family}.main")
    entry, _ = entries([name for name in HANDLERS if hasattr(main, name)])
    assert {name for name in HANDLERS if hasattr(entry, name)} == {
        name for name in HANDLERS if hasattr(main, name)
    }


def test_a_handler_that_the_family_lacks_is_refused_by_its_name(tmp_path):
    with function(module("networks").folder, "aws_lambda.get_metrics", tmp_path) as get:
        kind, error = get.answers.get(timeout=PATIENCE_S)
    assert kind == "error"
    assert error["errorType"] == "Runtime.HandlerNotFound"
    assert error["errorMessage"] == "Handler 'get_metrics' missing on module 'aws_lambda'"
