"""OpenStack, logs of servers: whole polls of Nova's instance actions against the simulator."""

import datetime
import json
import random

import pytest

from modules.servers import main
from modules.servers.openstack import CELL
from shared.engine.errors import InsufficientPermission, UnexpectedResponse
from shared.providers import openstack
from shared.providers.openstack import server_actions
from shared.transport import http
from tests.fakes import openstack as fakes
from tests.fakes.context import Context
from tests.test_interval import Clock

UTC = datetime.timezone.utc
NOON = datetime.datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE = datetime.timedelta(minutes=1)
ONE, TWO = (fakes.identifier("server", n) for n in (1, 2))
USER = "u" * 32
VOLUMES = "os-extended-volumes:volumes_attached"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(http, "FIRST_DELAY_S", 0)
    monkeypatch.setattr("nflex_connector_utils.time.datetime", Clock)
    monkeypatch.setattr(Clock, "now_is", NOON + 8 * MINUTE)


@pytest.fixture
def cloud():
    simulator = fakes.Cloud()
    simulator.lists["compute", "servers"] = [idle(1), idle(2)]
    yield simulator
    simulator.stop()


def idle(number, **changed):
    """A server that last changed long ago."""
    return fakes.server(number, **{"updated": "2026-01-01T00:00:00Z", **changed})


def at(text):
    """As actions have it, of that day."""
    return f"2026-01-31T{text}.000000"


def poll(cloud, user="reader", context=None, last="2026-01-31T12:00:00Z", **event):
    """Of 12:00 to 12:05, unless the clock or ``last`` is put forward."""
    request = {"account_id": "acc", "provider": "openstack", "credentials": cloud.credentials(user)}
    request.update({"poll_interval": 300, "last_update": last, **event})
    return main.get_logs(request, context or Context())


def summaries(answer):
    return [(each["time"], each["severity"], each["message"]) for each in answer["logs"]]


def actions_listed(cloud):
    """The servers whose actions were listed."""
    paths = [path.split("/")[4] for path in cloud.counts if path.endswith("os-instance-actions")]
    return sorted(paths)


REBOOT = fakes.action(
    "reboot",
    "req-1",
    at("12:01:00"),
    [("compute_reboot_instance", at("12:01:01"), at("12:01:09"), "Success")],
)


def test_an_action_and_the_step_it_took(cloud):
    cloud.lists["compute", "servers"][0]["updated"] = "2026-01-31T12:01:09Z"
    cloud.actions[ONE] = [REBOOT]
    answer = poll(cloud)
    assert answer["last_update"] == "2026-01-31T12:05:00.000000Z"
    assert summaries(answer) == [
        ("2026-01-31T12:01:00Z", "info", f"reboot by user {USER}: asked for"),
        (
            "2026-01-31T12:01:09Z",
            "info",
            f"reboot by user {USER}: compute_reboot_instance: Success",
        ),
    ]
    for each in answer["logs"]:
        assert (each["resource_id"], each["resource_type"], each["user"]) == (ONE, "server", USER)
    assert len({each["id"] for each in answer["logs"]}) == 2


@pytest.mark.parametrize(
    "result, severity", [("Success", "info"), ("Error", "error"), ("Partial", "warn")]
)
def test_the_severity_is_of_the_result(cloud, result, severity):
    steps = [("compute_attach_volume", at("12:01:01"), at("12:01:09"), result)]
    cloud.actions[ONE] = [fakes.action("attach_volume", "req-1", at("12:01:00"), steps)]
    assert [each[1] for each in summaries(poll(cloud, resource=ONE))] == ["info", severity]


def test_what_nova_did_by_itself(cloud):
    cloud.actions[ONE] = [fakes.action("stop", "req-1", at("12:01:00"), user_id=None)]
    answer = poll(cloud, resource=ONE)
    assert summaries(answer) == [("2026-01-31T12:01:00Z", "info", "stop by Nova: asked for")]


def test_a_step_belongs_to_the_poll_in_whose_span_it_ended(cloud):
    """An action that goes on for three polls: "changes-before" would hide it from the first two."""
    steps = [
        ("conductor_migrate_server", at("12:04:30"), at("12:04:40"), "Success"),
        ("compute_live_migration", at("12:04:41"), at("12:16:00"), "Error"),
    ]
    cloud.actions[ONE] = [fakes.action("live-migration", "req-1", at("12:04:00"), steps)]
    context, last, found = Context(), "2026-01-31T12:00:00Z", []
    for _ in range(5):
        answer = poll(cloud, context=context, last=last, resource=ONE)
        found.append([each[0][11:19] for each in summaries(answer)])
        last, Clock.now_is = answer["last_update"], Clock.now_is + 5 * MINUTE
    assert found == [["12:04:00", "12:04:40"], [], [], ["12:16:00"], []]


def test_a_step_that_has_not_ended(cloud):
    steps = [("compute_reboot_instance", at("12:01:01"), None, None)]
    cloud.actions[ONE] = [fakes.action("reboot", "req-1", at("12:01:00"), steps)]
    assert len(summaries(poll(cloud, resource=ONE))) == 1


def test_two_actions_of_one_request(cloud):
    """Nova shelves and offloads in one request; what is shown of it are the steps of both."""
    steps = [("compute_shelve_instance", at("12:01:01"), at("12:01:09"), "Success")]
    cloud.actions[ONE] = [
        fakes.action("shelve", "req-1", at("12:01:00"), steps),
        fakes.action("shelveOffload", "req-1", at("12:01:09"), steps),
    ]
    assert len(summaries(poll(cloud, resource=ONE))) == 3
    assert cloud.counts[f"/compute/v2.1/servers/{ONE}/os-instance-actions/req-1"] == 1


def test_one_request_for_several_servers(cloud):
    action = fakes.action("create", "req-1", at("12:01:00"))
    cloud.actions = {ONE: [action], TWO: [action]}
    for server in cloud.lists["compute", "servers"]:
        server["updated"] = "2026-01-31T12:01:00Z"
    assert {each["resource_id"] for each in poll(cloud)["logs"]} == {ONE, TWO}


def test_a_deleted_server(cloud):
    gone = idle(3, status="DELETED", updated="2026-01-31T12:02:00Z")
    cloud.lists["compute", "servers"].append(gone)
    steps = [("compute_terminate_instance", at("12:02:00"), at("12:02:01"), "Success")]
    cloud.actions[gone["id"]] = [fakes.action("delete", "req-1", at("12:01:59"), steps)]
    context = Context()
    answer = poll(cloud, context=context)
    assert [each["resource_id"] for each in answer["logs"]] == [gone["id"]] * 2
    Clock.now_is += 20 * MINUTE
    poll(cloud, context=context, last="2026-01-31T12:20:00Z")
    (kept,) = context.state.values()
    assert gone["id"] not in kept


def test_a_step_that_ended_after_the_server_was_deleted(cloud):
    gone = idle(3, status="DELETED", updated="2026-01-31T12:04:59Z")
    cloud.lists["compute", "servers"].append(gone)
    steps = [("compute_terminate_instance", at("12:04:58"), at("12:05:01"), "Success")]
    cloud.actions[gone["id"]] = [fakes.action("delete", "req-1", at("12:04:57"), steps)]
    context = Context()
    assert len(poll(cloud, context=context)["logs"]) == 1
    Clock.now_is += 5 * MINUTE
    assert len(poll(cloud, context=context, last="2026-01-31T12:05:00Z")["logs"]) == 1


def test_a_server_that_nova_forgets_in_the_meantime(cloud):
    cloud.lists["compute", "servers"][0]["updated"] = "2026-01-31T12:01:09Z"
    cloud.fault(f"{ONE}/os-instance-actions", 404)
    assert poll(cloud)["logs"] == []


# --- which servers' actions are read --------------------------------------------------------------------


def many(cloud, count=24):
    cloud.lists["compute", "servers"] = [idle(n) for n in range(count)]
    return [each["id"] for each in cloud.lists["compute", "servers"]]


def test_servers_that_did_not_change_are_read_in_turn_each_once_in_twelve_polls(cloud):
    ids, context, listed = many(cloud), Context(), []
    last = "2026-01-31T12:00:00Z"
    for _ in range(server_actions.ROUNDS):
        cloud.counts.clear()
        last = poll(cloud, context=context, last=last)["last_update"]
        assert len(actions_listed(cloud)) == 2
        listed += actions_listed(cloud)
        Clock.now_is += 5 * MINUTE
    assert sorted(listed) == sorted(ids)


@pytest.mark.parametrize(
    "changed",
    [
        {VOLUMES: [{"id": "v"}]},
        {"addresses": {}},
        {"updated": "2026-01-31T12:07:00Z"},
    ],
)
def test_a_server_that_changed_is_read_at_once(cloud, changed):
    many(cloud)
    context = Context()
    poll(cloud, context=context)
    Clock.now_is += 5 * MINUTE
    last = cloud.lists["compute", "servers"][-1]
    last.update(changed)
    cloud.counts.clear()
    poll(cloud, context=context, last="2026-01-31T12:05:00Z")
    assert last["id"] in actions_listed(cloud)


def test_what_leaves_no_trace_is_reported_later_and_not_lost(cloud):
    ids, context, found = many(cloud), Context(), []
    steps = [("compute_trigger_crash_dump", at("12:01:01"), at("12:01:02"), "Success")]
    cloud.actions[max(ids)] = [fakes.action("trigger_crash_dump", "r", at("12:01:00"), steps)]
    last = "2026-01-31T12:00:00Z"
    for _ in range(2 * server_actions.ROUNDS):
        answer = poll(cloud, context=context, last=last)
        found += summaries(answer)
        last, Clock.now_is = answer["last_update"], Clock.now_is + 5 * MINUTE
    assert [each[0] for each in found] == ["2026-01-31T12:01:00Z", "2026-01-31T12:01:02Z"]


def test_an_answer_that_was_lost_is_given_again(cloud):
    """The platform requests the same span again, though the state is already that of its end."""
    many(cloud)
    context = Context()
    poll(cloud, context=context)
    listed = actions_listed(cloud)
    cloud.actions[listed[0]] = [REBOOT]
    assert len(poll(cloud, context=context)["logs"]) == 2


def test_one_server(cloud):
    many(cloud)
    context = Context()
    poll(cloud, context=context, resource={"id": TWO})
    assert actions_listed(cloud) == [TWO]
    (kept,) = context.state.values()
    assert list(json.loads(kept)) == [TWO]
    poll(cloud, context=context, resource={"id": ONE}, last="2026-01-31T12:00:00Z")
    (kept,) = context.state.values()
    assert set(json.loads(kept)) == {ONE, TWO}


def test_pages(cloud, monkeypatch):
    monkeypatch.setattr(openstack.listings, "PAGE_SIZE", 3)
    many(cloud, 7)
    cloud.actions[ONE] = [fakes.action("lock", f"req-{n}", at(f"12:01:0{n}")) for n in range(7)]
    answer = poll(cloud, resource=ONE)
    assert [each["id"] for each in answer["logs"]] == [f"req-{n}/lock" for n in range(7)]
    assert cloud.counts["/compute/v2.1/servers/detail"] == 1 + 3


# --- each once ----------------------------------------------------------------------------------


class History:
    """Things done to servers over a day, as Nova shows them at a moment."""

    def __init__(self, dice, count=10, actions=120):
        self.done = []  # (server, action, start, [(step, start, finish, result)], leaves a trace)
        for n in range(actions):
            start = NOON + datetime.timedelta(seconds=dice.randrange(60, 20 * 3600))
            steps, moment = [], start
            for step in range(dice.randrange(4)):
                length = datetime.timedelta(seconds=dice.choice((0, 1, 30, 400, 4000)))
                result = dice.choice(("Success", "Error"))
                steps.append((f"step-{step}", moment, moment + length, result))
                moment += length
            self.done.append((dice.randrange(count), f"req-{n}", start, steps, dice.random() < 0.6))
        self.count = count

    def expected(self):
        return sorted(
            (fakes.identifier("server", server), moment)
            for server, _, start, steps, _ in self.done
            for moment in (start, *(finish for _, _, finish, _ in steps))
        )

    def show(self, cloud, now):
        """As it is at the moment: later steps have not begun, or not ended."""
        servers = [idle(n) for n in range(self.count)]
        cloud.actions = {each["id"]: [] for each in servers}
        for server, request_id, start, steps, trace in self.done:
            if start > now:
                continue
            begun = [
                (name, _time(since), _time(until) if until <= now else None, result)
                for name, since, until, result in steps
                if since <= now
            ]
            action = fakes.action("act", request_id, _time(start), begun)
            cloud.actions[servers[server]["id"]].append(action)
            if trace:
                changed = servers[server]["updated"], action["updated_at"][:19] + "Z"
                servers[server]["updated"] = max(changed)
        cloud.lists["compute", "servers"] = servers


def _time(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000000")


@pytest.mark.parametrize("seed", range(3))
def test_a_day_of_polls_gives_each_event_once(cloud, seed):
    """With jitter and an outage of three polls; half of the actions leave no trace in the list."""
    dice = random.Random(seed)
    history, context, found = History(dice), Context(), []
    last = "2026-01-31T12:00:00Z"
    for n in range(1, 25 * 4):
        if n in (30, 31, 32):
            continue
        Clock.now_is = NOON + n * 15 * MINUTE + datetime.timedelta(seconds=dice.uniform(-200, 200))
        history.show(cloud, Clock.now_is)
        answer = poll(cloud, context=context, last=last, poll_interval=900)
        found += [(each["resource_id"], each["id"], each["time"]) for each in answer["logs"]]
        last = answer["last_update"]
    assert len(set(found)) == len(found)
    times = [
        (server, moment.strftime("%Y-%m-%dT%H:%M:%SZ")) for server, moment in history.expected()
    ]
    assert sorted((server, time) for server, _, time in found) == times


# --- permissions and releases ------------------------------------------------------------------------


def test_permissions(cloud):
    with pytest.raises(InsufficientPermission):
        poll(cloud, "useless")
    assert {each.rpartition(":")[2] for each in CELL.logs.permissions} == {
        "detail",
        "list",
        "show",
    }


def test_a_nova_that_cannot_list_changes():
    old = fakes.Cloud(newest="2.57")
    try:
        context = Context()
        assert poll(old, context=context)["logs"] == []
        assert context.logged("no logs")
    finally:
        old.stop()


@pytest.mark.parametrize(
    "wrong",
    [
        {"instanceActions": [{**REBOOT, "request_id": None}]},
        {"instanceActions": [{**REBOOT, "start_time": "soon"}]},
        {"instanceActions": None},
    ],
)
def test_an_answer_that_is_none_of_novas(cloud, wrong):
    cloud.lists["compute", "servers"] = [idle(1)]
    cloud.fault("os-instance-actions$", lambda body: wrong)
    with pytest.raises(UnexpectedResponse):
        poll(cloud)
