"""The official Python client of Juju and ours read the same from the simulator.

Newest (3.6) and 2.9-era, each in an environment of its own that ``make test`` makes: they can't be
installed together. What they run is tests/official_juju.py.
"""

import functools
import json
import subprocess
from pathlib import Path

import pytest

from shared.providers import juju
from tests.fakes import juju as fakes
from tests.test_juju import poll

ROOT = Path(__file__).resolve().parent.parent
# the client's environment, and the flavours of controller that it talks to
CLIENTS = [("juju-3", "3.3"), ("juju-3", "3.6"), ("juju-29", "2.9")]
# What the client keeps without knowing it, though the API has had it since 2.4.
UNKNOWN = {
    "juju-3": [],
    "juju-29": [
        f"ModelStatusInfo.{name}" for name in ("meter-status", "model-status", "sla", "type")
    ],
}


@functools.cache
def python(client):
    """The interpreter of the client's environment; skips where the client can't be imported."""
    found = ROOT / ".venv" / client / "bin" / "python"
    if not found.exists():
        pytest.fail(f"there is no official client to compare with: make .venv/{client}/.done")
    done = subprocess.run([found, "-c", "import juju.controller"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{client} can't be imported: {done.stderr.strip().splitlines()[-1]}")
    return found


def official(client, controller, folder, logins):
    """What the official client reads with each login (user, password, models), or how it fails."""
    (folder / "ca.pem").write_text(controller.ca.pem)
    script = ROOT / "tests" / "official_juju.py"
    done = subprocess.run(
        [python(client), script, controller.endpoint, folder / "ca.pem"],
        input=json.dumps(logins),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


MODELS = ("ns-big", "ns-empty", "ns-k8s", "ns-vnf")


@pytest.fixture(scope="module", params=CLIENTS, ids="/".join)
def client_and_controller(request):
    client, flavour = request.param
    models = [
        fakes.Model("ns-vnf", contents=fakes.vnf(), readers=["reader"]),
        fakes.Model("ns-k8s", contents=fakes.kubernetes()),
        fakes.Model("ns-empty"),
        fakes.Model("ns-big", contents=fakes.of_size(100)),
    ]
    made = fakes.Controller(flavour, models)
    yield client, made
    made.stop()


@pytest.fixture(scope="module")
def theirs(client_and_controller, tmp_path_factory):
    """What the official client reads of all models, as a user who may read one, and with a wrong password: its start
    takes longer than that."""
    client, controller = client_and_controller
    logins = {
        "admin": ("admin", "admin-pw", MODELS),
        "reader": ("reader", "reader-pw", ()),
        "wrong": ("admin", "wrong", ()),
    }
    read = official(client, controller, tmp_path_factory.mktemp("ca"), list(logins.values()))
    return dict(zip(logins, read))


@pytest.mark.parametrize("model", MODELS)
def test_both_read_the_same_status(client_and_controller, theirs, model):
    client, controller = client_and_controller
    (ours,) = poll(controller, models=[model]).scopes()
    read = theirs["admin"]["read"][model]
    assert read["uuid"] == ours.uuid
    assert said(read["status"]) == said(ours.status())
    assert read["unknown"] == UNKNOWN[client]


def test_both_see_the_same_models(client_and_controller, theirs):
    _, controller = client_and_controller
    ours = [scope.name for scope in poll(controller).scopes()]
    assert ours == [f"admin/{model}" for model in theirs["admin"]["models"]]


def test_both_see_only_what_a_user_may_see(client_and_controller, theirs):
    _, controller = client_and_controller
    assert theirs["reader"]["models"] == ["ns-vnf"]
    assert [scope.name for scope in poll(controller, "reader").scopes()] == ["admin/ns-vnf"]


def test_both_are_refused_with_a_wrong_password(client_and_controller, theirs):
    _, controller = client_and_controller
    refusal = {"error": "invalid entity name or password", "code": "unauthorized access"}
    assert theirs["wrong"] == refusal
    with pytest.raises(juju.Refused) as refused:
        poll(controller, password="wrong").login()
    assert [refused.value.message, refused.value.code] == list(refusal.values())


def said(value):
    """Without what says nothing: null, absent and empty are the same in this API."""
    if isinstance(value, dict):
        return {k: said(v) for k, v in value.items() if v not in (None, {}, [])}
    if isinstance(value, list):
        return [said(each) for each in value]
    return value
