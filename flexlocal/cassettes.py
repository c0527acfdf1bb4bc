"""Recorded exchanges: one file a handler of a cell, scrubbed while it is recorded. HTTP ones by vcrpy; those over
WebSockets, which it does not see, by flexlocal/websocket_cassettes.py.

What a handler asks for, and what it answers, depends on the time. So a cassette has the moment of its recording
(``recorded_at``), and the engine's clock stands there while it is recorded or replayed; deadlines go on. Cassettes
without it, recorded earlier, leave the clock alone.

What is scrubbed, on the way in and again when a request is looked up: AWS's signature (its region and
service stay, since all regions of a test server have one URL), keys and tokens in headers and bodies,
passwords, and whatever OSM lists that may be a secret; wherever they stand, the account's secrets and the
tokens that it was given, by their values. A replayed token must not expire, so its ``expires_at`` is set far ahead.

vcrpy exchanges connection classes for the whole process, so recording and replaying poll one scope at
a time (``CONFIG``). A poll that failed may have left a thread that still opens a connection; vcrpy puts the
classes back and forth for each, so that and the end of a replay exclude each other (``_EXCHANGE``).
"""

import contextlib
import datetime
import inspect
import json
import os
import re
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional
from unittest import mock
from urllib.parse import parse_qsl, quote, urlencode

import vcr
import vcr.cassette
import vcr.patch
import yaml
from vcr.persisters.filesystem import CassetteNotFoundError, FilesystemPersister
from vcr.serialize import deserialize, serialize

from flexlocal import websocket_cassettes
from flexlocal.websocket_cassettes import REDACTED, NotRecorded
from shared.engine import clock
from shared.engine.masking import Masker, secrets_in
from shared.providers import osm
from shared.transport.http import without_query

ROOT = Path(__file__).resolve().parent.parent / "cassettes"
LATER = "later"  # the folder of the second recordings
CONFIG = {"scopes_at_once": 1}
NEVER = "2999-12-31T23:59:59.000000Z"

# The headers that matter for finding an exchange again; all others change from run to run.
_REQUEST_HEADERS = {
    "Accept",
    "Content-Type",
    "OpenStack-API-Version",
    "Signed-For",
    "X-Amz-Target",
    "X-Auth-Token",
}
_RESPONSE_HEADERS = {"API-Version", "Content-Type", "Location", "Retry-After", "X-Subject-Token"}
_SIGNED_FOR = re.compile(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4_request")
# In XML: of STS, and of a VPN connection. In JSON: of a virtual interface of Direct Connect.
_AWS_SECRETS = (
    "AccessKeyId",
    "SecretAccessKey",
    "SessionToken",
    "customerGatewayConfiguration",
    "preSharedKey",
)
# In JSON, also in a text within JSON: of AWS's Direct Connect, and of OpenStack's servers.
_JSON_SECRETS = re.compile(
    r'((\\*)"(?:authKey|customerRouterConfig|adminPass|OS-EXT-SRV-ATTR:user_data)\2"\s*:\s*\2")'
    r'.*?((?<!\\)\2")',
    re.DOTALL,
)
_SHORTEST_TOKEN = 8

# In OSM's lists, besides the secrets of accounts: what charms are configured with, and parameters.
_OSM_SECRETS = re.compile(osm.SECRET.pattern + "|^configs$|^additionalParams", re.IGNORECASE)
_TOKEN_IN_PATH = re.compile(r"(?<=/admin/v1/tokens/)[^/?]+")
_OSM_LOGINS = ({"username", "password"}, {"issued_at", "expires", "id"})


def path(family: str, provider: str, handler: str = "get", later: bool = False) -> Path:
    """The cassette of a cell's handler, with the demo account.

    Families share one of ``validate_credentials``, which has that in place of the family. ``later``: the recording
    of the same account after changes on the server, which some providers' ``get`` have.
    """
    return (ROOT / LATER if later else ROOT) / family / _name(provider, handler)


def has_later(provider: str) -> bool:
    """Whether the provider's demo account was recorded a second time."""
    return any((ROOT / LATER).glob(f"*/{_name(provider, 'get')}"))


def own_path(account: str, family: str, provider: str, handler: str = "get") -> Path:
    """The cassette of a cell's handler with an account of the user's own; git ignores it."""
    folder = quote(account, safe=" @+").replace(".", "%2E")
    return ROOT / "own" / folder / family / _name(provider, handler)


def _name(provider: str, handler: str) -> str:
    return f"{provider}.yaml" if handler == "get" else f"{provider}.{handler}.yaml"


class Foreign(Exception):
    """There is a file where a recording should go, which no recording made."""


class Replayed:
    """What a cassette holds, and how much of it was asked for."""

    def __init__(self, http: Any, websockets: websocket_cassettes.Cassette):
        self._parts = (http, websockets)

    def __len__(self) -> int:
        return sum(len(each) for each in self._parts)

    @property
    def play_count(self) -> int:
        return sum(each.play_count for each in self._parts)

    def rewind(self) -> None:
        """As if nothing had been asked for yet."""
        for each in self._parts:
            each.rewind()

    @property
    def all_played(self) -> bool:
        return self.play_count == len(self)


@contextlib.contextmanager
def replay(file: Path, credentials: Any = None) -> Iterator[Replayed]:
    """Answer from the file alone: no network. Raises NotRecorded on a request it does not have.

    The engine's clock stands at the moment of the recording. ``credentials`` are those that it was recorded with,
    where a request may hold one of them.
    """
    _must_exist(file)
    websockets = read_websockets(file)
    with _exchanged(Scrubber(credentials), file, "none") as cassette:
        can_play = cassette.can_play_response_for

        def must_play(request: Any) -> bool:
            if not can_play(request):
                raise NotRecorded(f"{shown(request)} is not in {file.parent.name}/{file.name}")
            return True

        cassette.can_play_response_for = must_play
        with websocket_cassettes.replay(websockets), stopped_clock(recorded_at(file)):
            yield Replayed(cassette, websockets)


@contextlib.contextmanager
def record(
    file: Path,
    credentials: Any = None,
    comment: str = "",
    moment: Optional[datetime.datetime] = None,
) -> Iterator[None]:
    """Record into a new file, which takes the place of the old one only when all went well.

    With a ``comment`` for its first line, the file is the user's own: nobody else may read it, and it
    replaces none but those that begin so (raises Foreign). ``moment``: what the engine takes for now, aware;
    by default it is now.
    """
    moment = moment or clock.now()
    if comment and file.exists() and not file.read_text("utf-8", "replace").startswith(comment):
        raise Foreign(f"{file} is there, and no recording made it: move it away")
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    os.close(os.open(fresh, os.O_CREAT | os.O_EXCL, 0o600 if comment else 0o666))
    scrubber = Scrubber(credentials)
    try:
        with (
            _exchanged(scrubber, fresh, "all"),
            websocket_cassettes.record() as kept,
            stopped_clock(moment),
        ):
            yield
        _finish(fresh, [scrubber.message(each) for each in kept], comment, moment)
        os.replace(fresh, file)
    finally:
        fresh.unlink(missing_ok=True)


def _finish(
    fresh: Path, websockets: list[dict[str, Any]], comment: str, moment: datetime.datetime
) -> None:
    """Put the comment above the HTTP exchanges, if there are any, and the rest beside them."""
    text = fresh.read_text(encoding="utf-8")
    document = {**_Readable.deserialize(text)} if text else {"interactions": [], "version": 1}
    document["recorded_at"] = moment.isoformat()
    if websockets:
        document["websockets"] = websockets
    text = _Readable.serialize(document)
    fresh.write_text((comment and f"{comment}\n") + text, encoding="utf-8")


# Held while connection classes are exchanged or put back, by whichever thread.
_EXCHANGE = threading.RLock()
_force_reset = vcr.patch.force_reset
_add_connection = vcr.patch.ConnectionRemover.add_connection_to_pool_entry


@contextlib.contextmanager
def _reset_alone() -> Iterator[None]:
    with _EXCHANGE, _force_reset():
        yield


def _add_alone(remover: Any, pool: Any, connection: Any) -> None:
    with _EXCHANGE:
        _add_connection(remover, pool, connection)


# For good, since a thread may outlive the replay that it was started in.
vcr.patch.force_reset = _reset_alone
vcr.patch.ConnectionRemover.add_connection_to_pool_entry = _add_alone


@contextlib.contextmanager
def _exchanged(scrubber: "Scrubber", file: Path, record_mode: str) -> Iterator[Any]:
    """vcrpy's cassette, whose connection classes are in place within; afterwards none is left, in any thread."""
    stack = contextlib.ExitStack()
    with _EXCHANGE:
        cassette = stack.enter_context(
            _vcr(scrubber).use_cassette(str(file), record_mode=record_mode)
        )
    try:
        yield cassette
    finally:
        with _EXCHANGE:
            stack.close()


def recorded_at(file: Path) -> Optional[datetime.datetime]:
    """When the cassette was recorded; None of one that does not say so."""
    _must_exist(file)
    found = _RECORDED_AT.search(file.read_text(encoding="utf-8"))  # reading YAML takes a while
    return datetime.datetime.fromisoformat(found[1]) if found else None


@contextlib.contextmanager
def stopped_clock(moment: Optional[datetime.datetime]) -> Iterator[None]:
    """Within it, the engine takes the moment for now; with None, the clock goes on."""
    if moment is None:
        yield
        return
    naive = moment.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    of_nflex = types.SimpleNamespace(
        utcnow=lambda: naive, strptime=datetime.datetime.strptime
    )  # all that it uses

    def now() -> datetime.datetime:
        return moment

    with (
        mock.patch.object(clock, "now", now),
        mock.patch("nflex_connector_utils.time.datetime", of_nflex),
    ):
        yield


def read(file: Path, credentials: Any = None) -> Any:
    """The vcrpy cassette, to look answers up in; nothing in this process is patched. See ``replay`` for the rest."""
    _must_exist(file)
    known = inspect.signature(vcr.cassette.Cassette).parameters
    config = _vcr(Scrubber(credentials)).get_merged_config(record_mode="none", path=str(file))
    return vcr.cassette.Cassette.load(
        **{name: value for name, value in config.items() if name in known}
    )


def read_websockets(file: Path) -> websocket_cassettes.Cassette:
    """The cassette's connections over WebSockets; mostly there are none."""
    _must_exist(file)
    text = file.read_text(encoding="utf-8")
    there = _WEBSOCKETS.search(text) is not None  # reading YAML takes a while
    connections = _Readable.deserialize(text)["websockets"] if there else []
    return websocket_cassettes.Cassette(f"{file.parent.name}/{file.name}", connections)


def shown(request: Any) -> str:
    """A request as messages name it: without its query, and with what AWS calls the action."""
    action = dict(parse_qsl(_text(request.body))).get("Action")
    action = action or _text(request.headers.get("X-Amz-Target") or "").rpartition(".")[2]
    return f"{request.method} {without_query(request.uri)}" + (f" {action}" if action else "")


def _must_exist(file: Path) -> None:
    if not file.exists():
        raise NotRecorded(missing(file))


def missing(file: Path) -> str:
    """That there is no such cassette, and what makes it: the commands in their order."""
    commands = "record it first, with --record"
    if ROOT / "own" not in file.parents:
        provider, _, handler = file.stem.partition(".")
        of_its_own = provider in ("aws", "netbox", "openstack")
        target = f"make record-{provider if of_its_own else 'simulated'}"
        if handler:
            target = f"python -m tools.record {provider} {file.parent.name} {handler}"
        commands = f"{target}, then make expected, then make readme"
    return f"there is no cassette {file.parent.name}/{file.name}: {commands}"


def _vcr(scrubber: "Scrubber") -> vcr.VCR:
    recorder = vcr.VCR(
        serializer="readable",
        decode_compressed_response=True,
        before_record_request=scrubber.request,
        before_record_response=scrubber.response,
        match_on=(
            *("method", "scheme", "host", "port", "path", "query"),
            *("signed for", "same target", "same body"),
        ),
    )
    recorder.register_matcher("signed for", _same_region)
    recorder.register_matcher("same target", _same_target)
    recorder.register_matcher("same body", _same_body)
    recorder.register_serializer("readable", _Readable)
    recorder.register_persister(_Persister)
    return recorder


class _Persister(FilesystemPersister):
    """UTF-8, whatever the locale says; vcrpy's own takes a cassette that it can't read for an empty one."""

    @classmethod
    def load_cassette(cls, cassette_path: Any, serializer: Any) -> Any:
        try:
            text = Path(cassette_path).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise CassetteNotFoundError from None
        if not text:  # one that is being recorded
            raise CassetteNotFoundError
        return deserialize(text, serializer)

    @staticmethod
    def save_cassette(cassette_path: Any, cassette_dict: Any, serializer: Any) -> None:
        Path(cassette_path).write_text(serialize(cassette_dict, serializer), encoding="utf-8")


# At the start of a line there are only the keys of a cassette itself.
_WEBSOCKETS = re.compile("^websockets:", re.MULTILINE)
_RECORDED_AT = re.compile("^recorded_at: '([^']*)'$", re.MULTILINE)


class _Readable:
    """YAML that keeps names in their own script and long bodies whole."""

    @staticmethod
    def serialize(cassette: dict[str, Any]) -> str:
        return yaml.safe_dump(cassette, allow_unicode=True, width=1_000_000, sort_keys=True)

    @staticmethod
    def deserialize(text: str) -> Any:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return yaml.load(text, Loader=loader)  # noqa: S506 - a SafeLoader


def _same_region(one: Any, other: Any) -> bool:
    return one.headers.get("Signed-For") == other.headers.get("Signed-For")


def _same_target(one: Any, other: Any) -> bool:
    """The operation, of an AWS API that speaks JSON: its requests are alike else."""
    return one.headers.get("X-Amz-Target") == other.headers.get("X-Amz-Target")


def _same_body(one: Any, other: Any) -> bool:
    return _text(one.body) == _text(other.body)


class Scrubber:
    """Takes secrets out of exchanges: by their shapes, and those that are known wherever they stand.

    Known are those of the account, and the tokens that were found by their shapes: a service may tell
    them again, as OSM does when one is deleted.
    """

    def __init__(self, credentials: Any = None):
        self._secrets = set(secrets_in(credentials))
        self._known = self._masker()

    def request(self, request: Any) -> Any:
        request = _scrub_request(request, self._learn)
        request.uri = self._known(request.uri)
        for name in request.headers:
            request.headers[name] = self._known(request.headers[name])
        if request.body:
            request.body = self._known(_text(request.body)).encode()
        return request

    def response(self, response: dict[str, Any]) -> dict[str, Any]:
        response = _scrub_response(response, self._learn)
        status = dict(response["status"])
        if status.get("message"):
            status["message"] = self._known(_text(status["message"]))
        headers = {name: [*map(self._known, each)] for name, each in response["headers"].items()}
        body = response["body"]["string"]
        encoding = "utf-8"
        try:
            text = body.decode(encoding)
        except UnicodeDecodeError:
            encoding = "latin-1"
            text = body.decode(encoding)
        content = self._known(text).encode(encoding)
        return {**response, "status": status, "headers": headers, "body": {"string": content}}

    def message(self, message: Any) -> Any:
        return json.loads(self._known(json.dumps(message)))

    def _learn(self, token: str) -> None:
        if len(token) >= _SHORTEST_TOKEN and token != REDACTED:
            self._secrets.update(secrets_in({"token": token}))
            self._known = self._masker()

    def _masker(self) -> Callable[[str], str]:
        longest_first = sorted(self._secrets, key=lambda text: (-len(text), text))
        return Masker(longest_first, REDACTED).known


Learn = Callable[[str], None]


def signed_for(authorization: str) -> str:
    """The region and service of an AWS signature ("eu-west-1/ec2"); empty for any other."""
    found = _SIGNED_FOR.search(authorization)
    return "/".join(found.groups()) if found else ""


def _scrub_request(request: Any, learn: Learn) -> Any:
    scope = signed_for(_text(request.headers.get("Authorization") or ""))
    if scope:
        request.headers["Signed-For"] = scope
    kept = {name.lower(): name for name in _REQUEST_HEADERS}
    for name in list(request.headers):
        value = request.headers.pop(name)
        if name.lower() in kept:
            request.headers[name] = _text(value)  # botocore sends bytes
    if "X-Auth-Token" in request.headers:
        request.headers["X-Auth-Token"] = REDACTED
    if request.body:
        request.body = _scrub_body(_text(request.body), learn).encode()
    return request


def _scrub_response(response: dict[str, Any], learn: Learn) -> dict[str, Any]:
    kept = {name.lower() for name in _RESPONSE_HEADERS}
    headers = {name: each for name, each in response["headers"].items() if name.lower() in kept}
    for name in headers:
        if name.lower() == "x-subject-token":
            for each in headers[name]:
                learn(each)
            headers[name] = [REDACTED]
        if name.lower() == "location":  # OSM's, of a token
            headers[name] = [_TOKEN_IN_PATH.sub(REDACTED, each) for each in headers[name]]
    text = response["body"].get("string", b"")
    with contextlib.suppress(UnicodeDecodeError):
        text = _scrub_body(text.decode() if isinstance(text, bytes) else text, learn).encode()
    return {**response, "headers": headers, "body": {"string": text}}


def _scrub_body(text: str, learn: Learn) -> str:
    document = _json_object(text)
    if document is not None and ("auth" in document or "token" in document):
        return json.dumps(_scrub_login(document, learn), ensure_ascii=False)
    if document is not None and any(keys <= document.keys() for keys in _OSM_LOGINS):
        hidden = ("password", "id", "_id")
        for name in hidden:
            learn(str(document.get(name, "")))
        login = {name: REDACTED if name in hidden else each for name, each in document.items()}
        return json.dumps(login, ensure_ascii=False)
    if text.startswith("[") and '"_admin"' in text:
        return _scrub_osm_list(text)
    for name in _AWS_SECRETS:
        for secret in re.findall(f"<{name}>([^<]*)</{name}>", text):
            learn(secret)
        text = re.sub(f"(<{name}>)[^<]*(</{name}>)", rf"\1{REDACTED}\2", text)
    text = _JSON_SECRETS.sub(rf"\1{REDACTED}\3", text)
    if "Action=AssumeRole" in text:
        secret = {"ExternalId"}
        pairs = [(name, REDACTED if name in secret else each) for name, each in parse_qsl(text)]
        return urlencode(pairs)
    return text


def _json_object(text: str) -> Optional[dict[str, Any]]:
    if not text.startswith("{"):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _scrub_login(value: Any, learn: Learn) -> Any:
    """A Keystone login or token without its secrets; a token's own id is one."""
    if isinstance(value, list):
        return [_scrub_login(each, learn) for each in value]
    if not isinstance(value, dict):
        return value
    scrubbed: dict[str, Any] = {}
    for name, each in value.items():
        if name in ("password", "secret") and isinstance(each, str):
            scrubbed[name] = REDACTED
        elif name == "token" and isinstance(each, dict) and isinstance(each.get("id"), str):
            learn(each["id"])
            scrubbed[name] = {**each, "id": REDACTED}
        elif name == "expires_at":
            scrubbed[name] = NEVER
        elif name == "audit_ids":
            scrubbed[name] = [REDACTED]
        else:
            scrubbed[name] = _scrub_login(each, learn)
    return scrubbed


def _scrub_osm_list(text: str) -> str:
    """A list of NBI's: the record stays, its secrets go."""

    def scrubbed(value: Any) -> Any:
        if isinstance(value, list):
            return [scrubbed(each) for each in value]
        if not isinstance(value, dict):
            return value
        return {name: hidden(name, each) for name, each in value.items()}

    def hidden(name: str, value: Any) -> Any:
        if not _OSM_SECRETS.search(name):
            return scrubbed(value)
        return REDACTED if isinstance(value, str) else None

    try:
        return json.dumps(scrubbed(json.loads(text)), ensure_ascii=False)
    except ValueError:
        return text


def _text(body: Any) -> str:
    if hasattr(body, "read"):
        body = body.read()
    return (
        body.decode("utf-8", "replace") if isinstance(body, (bytes, bytearray)) else str(body or "")
    )
