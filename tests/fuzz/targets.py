"""What is fuzzed. A target takes bytes and answers, or refuses them with a documented error; anything else is a crash.

Targets exist because cells and cassettes do: a new cell has its own. A target's seeds are what was recorded.
"""

import contextlib
import dataclasses
import datetime
import functools
import importlib
import io
import json
import re
import types
from collections.abc import Iterator, Sequence
from typing import Any, Callable
from unittest import mock
from urllib.parse import parse_qs, parse_qsl, urlsplit

import requests
import urllib3
import yaml

from flexlocal import accounts, cassettes, websocket_cassettes
from flexlocal.__main__ import families
from flexlocal.websocket_cassettes import NotRecorded
from shared.engine import event as events
from shared.engine import failures, network, poll
from shared.engine.contracts import Dropped
from shared.engine.errors import ConnectorError
from shared.engine.masking import Masker, secrets_in
from shared.providers.juju import connection
from shared.records import fields
from shared.transport import decode, websocket
from shared.vca import full_status
from tests import test_aws_plans, test_grid
from tests.fakes.context import Context
from tests.fuzz import inputs
from tools import expected

SEEDS = 200  # of a target, at most
TIME = "@time"  # the key under which a time is written in an input
NOW = datetime.datetime(2026, 11, 21, tzinfo=datetime.timezone.utc)
CANARY = "CanaryOfTheFuzz4711"
_MASK = Masker()


@dataclasses.dataclass(frozen=True)
class Target:
    """``run`` returns whether the input was answered, or False if it was refused; it raises what is a crash.

    ``weight``: how many of the inputs it gets, relative to others; one that takes long gets few.
    """

    name: str
    seeds: Callable[[], Sequence[bytes]]
    run: Callable[[bytes], bool]
    weight: float = 1.0


# --- events -----------------------------------------------------------------------------------------


def _events() -> list[bytes]:
    found = []
    for account in accounts.demo().values():
        credentials = dict(account.event()["credentials"])
        for name in list(credentials):
            if re.search("password|secret|token", name):
                credentials[name] = CANARY
        event = {
            **account.event(),
            "credentials": credentials,
            "options": {"allow_partial": False, "deadline_s": 60, "report_missing": True},
            "resources": ["a", {"id": "b"}],
            "last_update": "2026-01-31T23:59:59Z",
            "poll_interval": 3600,
        }
        single = {**event, "resource": {"id": "a", "type": "server", "poll_interval": 60}}
        del single["resources"], single["poll_interval"]
        found += [json.dumps(each).encode() for each in (event, single)]
    return found


PROVIDERS = sorted({provider for cells in families().values() for provider in cells})


def _event(data: bytes) -> bool:
    """The event is parsed and its credentials checked, as a handler does both before it calls anyone."""
    try:
        event = json.loads(data)  # the platform's, which is not ours to refuse
    except (ValueError, RecursionError):
        return False

    def checked(runtime: Any, log: Any) -> None:
        request = events.parse(event, PROVIDERS, resources=True, span=True)
        runtime.start(request)
        poll.load_provider(request.provider).credentials(request.credentials, False)

    context = Context()
    try:
        failures.guarded(event, context, checked)
    except ConnectorError as error:
        _shows_no_secret(event, f"{error} {context.lines}")
        return False
    _shows_no_secret(event, str(context.lines))
    return True


def _shows_no_secret(event: Any, text: str) -> None:
    text.encode("utf-8")  # what is logged can be sent
    if CANARY in secrets_in(events.credentials_of(event)):
        assert CANARY not in text, "a secret is shown"


# --- converters -------------------------------------------------------------------------------------


def _packed(number: int, record: Any) -> bytes:
    return f"{number}\n{json.dumps(record, default=_packed_time)}".encode()


def _packed_time(value: Any) -> Any:
    assert isinstance(value, datetime.datetime), type(value)
    return {TIME: value.isoformat()}


def _unpacked(body: bytes) -> Any:
    """The record; raises Unusable where the reader of responses would."""
    record = decode.json_value(body)
    return _with_times(record) if TIME.encode() in body else record


def _with_times(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_times(each) for each in value]
    if not isinstance(value, dict):
        return value
    if list(value) == [TIME]:
        try:
            return datetime.datetime.fromisoformat(value[TIME]).astimezone(datetime.timezone.utc)
        except (TypeError, ValueError, OverflowError):
            return None
    return {name: _with_times(each) for name, each in value.items()}


Calls = Sequence["tuple[Any, Any, Any]"]  # record, scope, lookups


def _of_records(
    name: str, provider: str, calls: Callable[[], Calls], convert: Callable[[Any, Any, Any], None]
) -> Target:
    """A target of a pure function of a record: its lookups are those that were recorded."""
    shapes = functools.cache(lambda: list(test_grid.one_of_each_shape(calls()))[:SEEDS])

    def run(data: bytes) -> bool:
        first, body = inputs.head(data)
        _, scope, lookups = shapes()[int(first or b"0") % len(shapes())]
        try:
            record = _unpacked(body)
        except decode.Unusable:
            return False
        if not isinstance(record, dict):
            return False  # lists of records are checked to hold objects
        return _documented(provider, lambda: convert(record, scope, lookups))

    seeds = functools.cache(
        lambda: [_packed(number, record) for number, (record, _, _) in enumerate(shapes())]
    )
    return Target(name, seeds, run)


def _documented(provider: str, action: Callable[[], None]) -> bool:
    """Whether the action was done; False if it ended as the engine lets it end."""
    try:
        action()
    except Exception as error:
        known = failures.classified(poll.load_provider(provider), error, _MASK)
        str(known).encode("utf-8")
        return False
    return True


def _check_json(value: Any) -> None:
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8")


def _converter(family: str, provider: str) -> Target:
    def convert(record: Any, scope: Any, lookups: Any) -> None:
        answer = poll.load_cell(f"modules.{family}.{provider}").convert(record, scope, lookups)
        if not isinstance(answer, Dropped):
            _check_json(answer.serialize())

    calls = functools.partial(_calls, family, provider)
    return _of_records(f"convert {family}/{provider}", provider, calls, convert)


def _calls(family: str, provider: str) -> Calls:
    return test_grid.replayed(family, provider)[1]


def _status(family: str, provider: str) -> Target:
    def points(record: Any, scope: Any, lookups: Any) -> None:
        status = poll.load_cell(f"modules.{family}.{provider}").status
        _check_json([each.serialize(NOW) for each in status.points(record, scope, lookups)])

    def calls() -> Calls:
        watched = test_grid.watched(family, provider, "get_status")[1]
        return [(record, scope, lookups) for record, scope, lookups, _ in watched]

    return _of_records(f"status {family}/{provider}", provider, calls, points)


# --- readers ----------------------------------------------------------------------------------------


@functools.cache
def _bodies(provider: str) -> list[bytes]:
    """All different bodies of the provider's cassettes, the smallest first."""
    found = {body for file in _files(provider) for body in _recorded_bodies(file)}
    return sorted(found, key=lambda body: (len(body), body))[:SEEDS]


def _files(provider: str) -> list[Any]:
    return [
        file
        for file in sorted((expected.EXPECTED.parent.parent / "cassettes").rglob("*.yaml"))
        if file.name.split(".")[0] == provider
    ]


def _recorded_bodies(file: Any) -> Iterator[bytes]:
    for exchange in _exchanges(file):
        body = exchange["response"]["body"]["string"]
        yield body if isinstance(body, bytes) else body.encode()
    for connection_ in cassettes.read_websockets(file).connections:
        for message in connection_["messages"]:
            if "received" in message:
                yield json.dumps(message["received"]).encode()


@functools.cache
def _exchanges(file: Any) -> list[dict[str, Any]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(file.read_text(encoding="utf-8"), loader)["interactions"]  # noqa: S506 - a SafeLoader


def _json(data: bytes) -> bool:
    try:
        _check_json(decode.json_answer(data, "https://host/"))
    except ConnectorError:
        return False
    return True


def _yaml(data: bytes) -> bool:
    """As OSM's cells read the YAML within its records."""
    try:
        _check_json(fields.plain(decode.yaml_value(data.decode("utf-8", "replace"))))
    except (decode.Unusable, ConnectorError):
        return False
    return True


def _yaml_seeds() -> list[bytes]:
    texts = [
        "{a: 1, b: [x, 2026-01-01], c: !!str 5}",
        "a: &b {c: d}\ne: *b\n",
        "- 1\n- 0x10\n- 1e3\n",
    ]
    values = [json.loads(body) for body in _bodies("osm")[:20]]
    return [text.encode() for text in [*texts, *map(yaml.safe_dump, values)]]


class _Messages:
    """In place of a WebSocket: the message, then no more."""

    def __init__(self, data: bytes):
        self._left = [data]

    def send(self, message: Any) -> None:
        pass

    def receive(self) -> dict[str, Any]:
        if not self._left:
            raise websocket.ConnectionFailed(ConnectorError("no more messages"), True)
        return websocket.parse_message(self._left.pop(), "wss://host/")


def _juju(data: bytes) -> bool:
    """A message from a controller as the response to a login, and as a model's status."""
    user = types.SimpleNamespace(username="user", password=CANARY)
    answered = []

    def log_in() -> None:
        reader = _connection(user, data)
        reader.log_in()
        answered.append("login")

    def status() -> None:
        reader = _connection(user, data)
        reader._facades["Client"] = set(range(20))
        found = full_status.read_model(reader.call("Client", "FullStatus", {}))
        assert found
        answered.append("status")

    for action in (log_in, status):
        _documented("juju", action)
    return bool(answered)


def _connection(user: Any, data: bytes) -> connection.Connection:
    traffic = types.SimpleNamespace(count=lambda retry: None)
    reader = connection.Connection(_Messages(data), user, traffic, "/api", False)  # type: ignore[arg-type]
    message = re.search(rb'"request-id": (\d+)', data)
    reader._number = int(message[1]) - 1 if message and len(message[1]) < 9 else 0
    return reader


# --- AWS's XML, beside botocore -------------------------------------------------------------------------


@functools.cache
def _aws_operations() -> "list[tuple[Any, Any, bytes]]":
    """(parsers, shape, document) of each operation and each recorded listing."""
    both = {name: test_aws_plans.parsers(name) for name in test_aws_plans.plans.PARSERS}
    found = []
    for service, operation in test_aws_plans.OPERATIONS:
        model = test_aws_plans.OF_NAME[service]
        shape = model.operation_model(operation).output_shape
        parts = test_aws_plans.members(shape, 3, service).values()
        wrapper = shape.serialization.get("resultWrapper")
        document = test_aws_plans.document(operation, parts, wrapper)
        found.append((both[model.protocol], shape, document))
    for file in _files("aws"):
        for exchange in _exchanges(file):
            form = parse_qs(str(exchange["request"]["body"]))
            model = test_aws_plans.SERVICES.get(form.get("Version", [""])[0])
            body = exchange["response"]["body"]["string"]
            if model and exchange["response"]["status"]["code"] == 200 and len(body) < 5000:
                shape = model.operation_model(form["Action"][0]).output_shape
                found.append((both[model.protocol], shape, body.encode()))
    return found[:SEEDS]


def _aws(data: bytes) -> bool:
    first, body = inputs.head(data)
    both, shape, _ = _aws_operations()[int(first or b"0") % len(_aws_operations())]
    return isinstance(test_aws_plans.assert_same(both, body, shape), str)


def _aws_seeds() -> list[bytes]:
    return [f"{number}\n".encode() + body for number, (_, _, body) in enumerate(_aws_operations())]


# --- whole polls --------------------------------------------------------------------------------------


def _key(method: str, url: str) -> "tuple[str, str, tuple[Any, ...]]":
    parts = urlsplit(url)
    return method, f"{parts.netloc}{parts.path}", tuple(sorted(parse_qsl(parts.query)))


class _Server:
    """In place of the network below requests: the recorded responses, one of them changed."""

    def __init__(self, file: Any, position: int = -1, status: int = 200, body: bytes = b""):
        self._left: dict[Any, list[dict[str, Any]]] = {}
        for exchange in _exchanges(file):
            key = _key(exchange["request"]["method"], exchange["request"]["uri"])
            self._left.setdefault(key, []).append(exchange["response"])
        self._changed = position, status, body
        self.seeds: list[bytes] = []  # what was answered, as inputs

    def next_answer(self, status: int, body: bytes) -> "tuple[int, bytes]":
        number = len(self.seeds)
        self.seeds.append(b"%d %d\n" % (number, status) + body)
        position, other_status, other_body = self._changed
        return (other_status, other_body) if number == position else (status, body)

    def send(self, adapter: Any, request: Any, **_: Any) -> Any:
        left = self._left.get(_key(request.method, request.url))
        if not left:
            raise NotRecorded(f"{request.method} {request.url}")
        response = left.pop(0)
        recorded = response["body"]["string"]
        recorded = recorded if isinstance(recorded, bytes) else recorded.encode()
        status, body = self.next_answer(response["status"]["code"], recorded)
        headers = {
            name: value
            for name, values in response["headers"].items()
            if name.lower() not in ("content-length", "content-encoding", "transfer-encoding")
            for value in (values if isinstance(values, list) else [values])[:1]
        }
        raw = urllib3.HTTPResponse(
            io.BytesIO(body),
            headers=headers,
            status=status,
            reason="Fuzzed",
            preload_content=False,
        )
        return adapter.build_response(request, raw)


@contextlib.contextmanager
def _replayed(file: Any, server: _Server) -> Iterator[None]:
    """Handlers are answered by the server, over HTTP and over WebSockets; nothing waits."""
    receive = websocket_cassettes.Player.receive

    def received(player: Any) -> dict[str, Any]:
        _, body = server.next_answer(200, json.dumps(receive(player)).encode())
        return websocket.parse_message(body, "wss://host/")

    with (
        mock.patch.object(requests.adapters.HTTPAdapter, "send", _sender(server)),
        mock.patch.object(websocket_cassettes.Player, "receive", received),
        mock.patch.object(network.Network, "pause", return_value=None),
        websocket_cassettes.replay(_websockets(file)),
        cassettes.stopped_clock(_recorded_at(file)),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        yield


def _sender(server: _Server) -> Callable[..., Any]:
    return lambda adapter, request, **more: server.send(adapter, request, **more)


_read_websockets = functools.cache(cassettes.read_websockets)
_recorded_at = functools.cache(cassettes.recorded_at)


def _websockets(file: Any) -> Any:
    return websocket_cassettes.Cassette("", _read_websockets(file).connections)


def _polled(family: str, provider: str, handler: str) -> Target:
    file = cassettes.path(family, provider, handler)

    def call(server: _Server) -> Any:
        function = getattr(importlib.import_module(f"modules.{family}.main"), handler)
        event = accounts.demo()[f"demo-{provider}"].event()
        with _replayed(file, server):
            return function(event, Context(scopes_at_once=1))

    @functools.cache
    def seeds() -> list[bytes]:
        server = _Server(file)
        call(server)
        return server.seeds[:SEEDS]

    def run(data: bytes) -> bool:
        first, body = inputs.head(data)
        position, status, *_ = [*map(int, first.split()), 0, 200]
        try:
            _check_json(call(_Server(file, position, status, body)))
        except (ConnectorError, NotRecorded) as error:
            str(error).encode("utf-8")
            return False
        return True

    return Target(f"{handler} {family}/{provider}", seeds, run, 0.03)


# --- all ----------------------------------------------------------------------------------------------

CELLS = [(family, provider) for family, cells in families().items() for provider in sorted(cells)]


@functools.cache
def all_targets() -> dict[str, Target]:
    """By name. AWS's whole polls are in tests/test_hostile.py; its client library is not below requests."""
    found = [
        Target("event", functools.cache(_events), _event, 6.0),
        Target("json", lambda: [body for each in PROVIDERS if each != "aws" for body in _bodies(each)[:15]], _json, 3.0),
        Target("yaml", functools.cache(_yaml_seeds), _yaml, 1.0),
        Target("juju message", lambda: _bodies("juju"), _juju, 3.0),
        Target("aws response", functools.cache(_aws_seeds), _aws, 2.0),
    ]  # fmt: skip
    found += [_converter(*cell) for cell in CELLS]
    handlers = [(*cell, handler) for cell in CELLS for handler in expected.handlers(*cell)]
    found += [_status(family, of) for family, of, handler in handlers if handler == "get_status"]
    found += [_polled(*each) for each in handlers if each[1] != "aws"]
    return {target.name: target for target in found}
