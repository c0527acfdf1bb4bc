"""What the handlers of OpenStack ask for and ``get`` does not, for ``tools.record``: worked out or simulated.

Worked out of recorded responses: a listing with other fields, and the servers that changed since a time.

Simulated: Nova's instance actions, made of when the servers were created and launched; the list of Neutron's agents,
which is empty for a login that is no admin; and Gnocchi, by tests/fakes/gnocchi.py, which the login's catalog names
beside the recorded services. The fields are those of the API references; what was measured is invented.
"""

import datetime
import json
import re
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from shared.providers.openstack import gnocchi
from shared.records import metrics
from tests.fakes.gnocchi import Gnocchi

Answer = dict[str, Any]

GNOCCHI = "/metric/"
MEASURED = 4  # servers
SAMPLE_S = 300
ACTIONS = re.compile(r"/servers/(?P<server>[^/]+)/os-instance-actions(?:/(?P<request>[^/]+))?$")


class OpenStack:
    """Answers for one cell, of what its ``get`` was answered: ``recorded`` holds (request, response) pairs."""

    def __init__(self, recorded: list[tuple[Any, Answer]], moment: datetime.datetime):
        self._bodies: dict[str, dict[str, Any]] = {}
        for request, response in recorded:
            if response["status"]["code"] in (200, 201):
                self._bodies.setdefault(request.path, json.loads(response["body"]["string"]))
        self._moment = moment
        self._gnocchi = Gnocchi()

    def answer(self, request: Any, recorded: Callable[[Any], Answer]) -> Answer:
        """The response to a request: ours, or the recorded one."""
        url = urlsplit(request.uri)
        query = parse_qs(url.query)
        actions = ACTIONS.search(url.path)
        if url.path.endswith("/auth/tokens"):
            return self._login(url, recorded(request))
        if url.path.startswith(GNOCCHI):
            return self._measures(url.path[len(GNOCCHI) :], query, json.loads(request.body))
        if actions:
            return self._actions(actions["server"], actions["request"], query)
        if url.path.endswith("/servers/detail") and "changes-since" in query:
            since = query["changes-since"][0]
            return _json(
                {"servers": [each for each in self._servers() if each["updated"] >= since]}
            )
        if url.path.endswith("/agents"):
            return _json({"agents": []})
        if url.path.endswith("/vpn/ipsec-site-connections"):
            key = "ipsec_site_connections"
            cut = [
                {name: each[name] for name in query["fields"] if name in each}
                for each in self._bodies[url.path][key]
            ]
            return _json({key: cut})
        return recorded(request)

    def _servers(self) -> list[dict[str, Any]]:
        return next(
            body["servers"]
            for path, body in self._bodies.items()
            if path.endswith("/servers/detail")
        )

    # --- metrics

    def _login(self, url: Any, answer: Answer) -> Answer:
        """The login's response, with Gnocchi in its catalog."""
        document = json.loads(answer["body"]["string"])
        endpoint = {
            "id": "0" * 32,
            "interface": "public",
            "region": "RegionOne",
            "region_id": "RegionOne",
            "url": f"{url.scheme}://{url.netloc}{GNOCCHI.rstrip('/')}",
        }
        service = {"id": "1" * 32, "type": "metric", "name": "gnocchi", "endpoints": [endpoint]}
        document["token"]["catalog"].append(service)
        body = json.dumps(document, ensure_ascii=False).encode()
        return {**answer, "body": {"string": body}}

    def _measures(self, path: str, query: dict[str, list[str]], body: dict[str, Any]) -> Answer:
        if not self._gnocchi.resources:
            self._measure()
        status, answer = self._gnocchi.answer(path, query, body, "", admin=True)
        return _json(answer, status)

    def _measure(self) -> None:
        """What Ceilometer would have of the first servers that run, since they were launched."""
        running = [each for each in self._servers() if each["OS-EXT-STS:power_state"] == 1]
        for number, server in enumerate(sorted(running, key=lambda each: each["id"])[:MEASURED]):
            launched = datetime.datetime.fromisoformat(server["OS-SRV-USG:launched_at"])
            launched = launched.replace(tzinfo=datetime.timezone.utc)
            count = int((self._moment - launched).total_seconds() // SAMPLE_S)
            by_type: dict[str, dict[str, Any]] = {}
            for metric in metrics.of("openstack.gnocchi"):
                name = metric.metric
                if name == "cpu_util" or name.endswith(".rate"):
                    continue  # which Ceilometer has not measured since Stein
                kind = next(kind for start, kind in gnocchi.TYPES.items() if name.startswith(start))
                samples = [
                    (launched + datetime.timedelta(seconds=SAMPLE_S * sample), value)
                    for sample, value in enumerate(_values(metric, number, count))
                ]
                by_type.setdefault(kind, {})[name] = {"samples": samples}
            names = {
                "instance_disk": "vda",
                "instance_network_interface": f"tap{server['id'][:11]}",
            }
            for kind, of_type in by_type.items():
                project = server["tenant_id"]
                if kind == "instance":
                    self._gnocchi.add(kind, server["id"], project, of_type)
                    continue
                resource = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{server['id']} {kind}"))
                more = {"instance_id": server["id"], "name": names[kind]}
                self._gnocchi.add(kind, resource, project, of_type, **more)

    # --- logs

    def _actions(self, server_id: str, request_id: str, query: dict[str, list[str]]) -> Answer:
        server = next(each for each in self._servers() if each["id"] == server_id)
        action = {
            "action": "create",
            "instance_uuid": server_id,
            "message": None,
            "project_id": server["tenant_id"],
            "request_id": f"req-{uuid.uuid5(uuid.NAMESPACE_OID, server_id)}",
            "start_time": f"{server['created'].rstrip('Z')}.000000",
            "updated_at": f"{server['updated'].rstrip('Z')}.000000",
            "user_id": server["user_id"],
        }
        if request_id is None:
            listed = [] if "marker" in query else [action]
            return _json({"instanceActions": listed})
        launched = server.get("OS-SRV-USG:launched_at")
        step = {
            "event": "compute__do_build_and_run_instance",
            "start_time": action["start_time"],
            "finish_time": launched,
            "result": "Success" if launched else "Error",
            "hostId": server["hostId"],
        }
        return _json({"instanceAction": {**action, "events": [step]}})


def _values(metric: metrics.Metric, number: int, count: int) -> list[float]:
    """Invented ones: a total that grows, or amounts that go up and down."""
    growth = (number + 1) * (15_000_000_000 if metric.metric == "cpu" else 300_000)
    if metric.metric.endswith((".drop", ".error")):
        growth = 0
    if metric.counter:
        return [growth * sample for sample in range(count)]
    unit = 2**22 if metric.metric.startswith("disk.") else 1  # of a disk in bytes, of memory in MiB
    return [unit * (256 + (sample + number) % 7) for sample in range(count)]


def _json(content: Any, status: int = 200) -> Answer:
    return {
        "status": {"code": status},
        "headers": {"Content-Type": ["application/json"]},
        "body": {"string": json.dumps(content, ensure_ascii=False).encode()},
    }
