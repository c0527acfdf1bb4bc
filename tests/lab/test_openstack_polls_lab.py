"""OpenStack, polls of status, metrics and logs against real Nova, Neutron and Cinder, and Gnocchi if it is there.

Needs what tests/lab/test_openstack_lab.py needs. Gnocchi needs Ceilometer's resource types and some measures
of the servers.
"""

import datetime
import importlib

import pytest
import requests

from shared.engine.errors import InsufficientPermission
from shared.engine.interval import POLL_INTERVAL_S
from shared.providers import openstack
from tests.fakes.context import Context
from tests.fakes.gnocchi import Gnocchi
from tests.lab.test_openstack_lab import LAB, Rest, credentials

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not LAB, reason="$LAB names no running OpenStack services"),
]
NOVA = {"X-OpenStack-Nova-API-Version": "2.96"}
LIVE = "/servers/detail?all_tenants=1"


def ask(handler, family, cloud, context=None, event=None, **more):
    given = credentials(cloud, all_projects=cloud == "admin", **more)
    request = {"account_id": "lab", "provider": "openstack", "credentials": given, **(event or {})}
    main = importlib.import_module(f"modules.{family}.main")
    return getattr(main, handler)(request, context or Context())


@pytest.fixture(scope="module")
def admin():
    return Rest("admin")


@pytest.fixture(scope="module")
def live(admin):
    return admin.listing("compute", LIVE, "servers", **NOVA)


def test_each_server_has_a_status(live):
    points = ask("get_status", "servers", "admin")["status"]
    assert {each["resource_id"] for each in points} == {each["id"] for each in live}
    by_id = {each["resource_id"]: each for each in points}
    for server in live:
        assert by_id[server["id"]]["level"] != "unknown"
        assert server["status"] in by_id[server["id"]]["message"]


@pytest.mark.parametrize("family", ["volumes", "appliances"])
@pytest.mark.parametrize("cloud", ["inventory-alpha", "admin"])
def test_every_resource_has_a_status_that_is_known(family, cloud):
    resources = ask("get", family, cloud)
    points = ask("get_status", family, cloud)["status"]
    assert resources
    assert [each["resource_id"] for each in points] == [each["id"] for each in resources]
    assert {each["level"] for each in points} <= {"ok", "warning", "error"}


def test_each_step_of_each_action_is_reported_once(admin, live):
    """From the first server on, a poll after the other, without a sleep between them."""
    first = min(_moment(each["created"]) for each in live) - datetime.timedelta(minutes=1)
    last = first.isoformat()
    context, found = Context(), []
    while True:
        event = {"last_update": last, "poll_interval": POLL_INTERVAL_S}
        answer = ask("get_logs", "servers", "admin", context, event)
        found += [(each["resource_id"], each["id"]) for each in answer["logs"]]
        done, last = last, answer["last_update"]
        if datetime.timedelta(seconds=60) > _moment(last) - _moment(done):
            break
    assert len(found) == len(set(found))
    expected = set()
    for server in live:
        path = f"/servers/{server['id']}/os-instance-actions"
        for action in admin.listing("compute", path, "instanceActions", **NOVA):
            named = f"{action['request_id']}/{action['action']}"
            if _moment(action["start_time"]) < _moment(last):
                expected.add((server["id"], named))
            shown = admin.get(f"{admin.urls['compute']}{path}/{action['request_id']}", **NOVA)
            shown = shown.json()["instanceAction"]
            for step in shown["events"]:
                if step["finish_time"] and _moment(step["finish_time"]) < _moment(last):
                    times = f"{step['start_time']}/{step['finish_time']}"
                    expected.add((server["id"], f"{named}/{step['event']}/{times}"))
    of_live = {each for each in found if each[0] in {server["id"] for server in live}}
    assert expected
    # what leaves no trace may still wait for its turn, but nothing else is reported
    assert of_live <= expected
    assert {each for each in expected - of_live if "/create" in each[1]} == set()


def _moment(text):
    return datetime.datetime.fromisoformat(text[:19] + "+00:00")


def test_what_does_not_count_as_a_change_of_a_server(admin, live):
    """Why the actions of servers that did not change are read too."""
    silent = set()
    for server in live:
        path = f"/servers/{server['id']}/os-instance-actions"
        for action in admin.listing("compute", path, "instanceActions", **NOVA):
            if action["updated_at"][:19] > server["updated"][:19]:
                silent.add(action["action"])
    assert silent <= {
        "attach_interface",
        "attach_volume",
        "create",  # on a slow host its last step ends a second after the server's last change
        "detach_interface",
        "detach_volume",
        "extend_volume",
        "swap_volume",
        "trigger_crash_dump",
    }


def test_diagnostics_where_there_is_no_gnocchi(live, monkeypatch):
    monkeypatch.setattr("shared.providers.openstack.listings._SERVICES", _without_gnocchi())
    context = Context()
    first = ask("get_metrics", "servers", "admin", context)["metrics"]
    second = ask("get_metrics", "servers", "admin", context)["metrics"]
    running = {each["id"] for each in live if each["OS-EXT-STS:power_state"] == 1}
    assert {each["resource_id"] for each in second} == running
    assert {each["metric"] for each in first} < {each["metric"] for each in second}
    with pytest.raises(InsufficientPermission, match="os_compute_api:os-server-diagnostics"):
        ask("get_metrics", "servers", "inventory-alpha")


def _without_gnocchi():
    return {**openstack.listings._SERVICES, "metric": (("no-such-service",), "v1")}


# --- Gnocchi ------------------------------------------------------------------------------------


@pytest.fixture
def gnocchi(admin):
    if "metric" not in admin.urls:
        pytest.skip("the catalog has no metric service")
    return admin.urls["metric"]


@pytest.mark.parametrize(
    "kind, name, aggregate",
    [
        ("instance", "no.such.metric", "mean"),
        ("no_such_type", "cpu", "mean"),
        ("instance", "cpu", "median"),
    ],
)
def test_the_simulator_refuses_as_gnocchi_does(admin, gnocchi, live, kind, name, aggregate):
    ids = [each["id"] for each in live]
    body = {
        "operations": ["metric", [name, aggregate]],
        "resource_type": kind,
        "search": {"in": {"id": ids}},
    }
    query = {
        "groupby": "id",
        "start": "2026-01-01T00:00:00+00:00",
        "stop": "2026-01-01T01:00:00+00:00",
    }
    headers = {**admin.headers, "Accept": "application/json"}  # else its errors are HTML
    url = f"{gnocchi.rstrip('/')}/v1/aggregates"
    real = requests.post(url, params=query, json=body, headers=headers)
    fake = Gnocchi()
    for each in ids:
        fake.add("instance", each, "p", {"cpu": {"samples": []}})
    parameters = {name: [value] for name, value in query.items()}
    status, answer = fake.answer("v1/aggregates", parameters, body, "p", True)
    assert (real.status_code, _cause(real.json())) == (status, _cause(answer))


def _cause(answer):
    description = answer["description"]
    return description if isinstance(description, str) else description["cause"]


def test_points_of_gnocchi(gnocchi, live):
    now = datetime.datetime.now(datetime.timezone.utc)
    event = {"last_update": (now - datetime.timedelta(hours=1)).isoformat(), "poll_interval": 300}
    found = ask("get_metrics", "servers", "admin", event=event)["metrics"]
    assert {each["resource_id"] for each in found} <= {each["id"] for each in live}
    assert all(each["value"] >= 0 for each in found)
