"""Recorded exchanges: one file a cell, scrubbed while it is recorded. HTTP ones by vcrpy; those over
WebSockets, which it does not see, by flexlocal/websocket_cassettes.py.

What is scrubbed, on the way in and again when a request is looked up: AWS's signature (its region and
service stay, since all regions of a test server have one URL), keys and tokens in headers and bodies,
passwords, and whatever OSM lists that may be a secret. A replayed token must not expire, so its ``expires_at`` is set far ahead.

vcrpy exchanges connection classes for the whole process, so recording and replaying poll one scope at
a time (``CONFIG``).
"""

import contextlib
import inspect
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional
from urllib.parse import parse_qsl, urlencode

import vcr
import vcr.cassette
import yaml

from flexlocal import websocket_cassettes
from flexlocal.websocket_cassettes import REDACTED, NotRecorded
from shared.http import without_query
from shared.providers import osm

ROOT = Path(__file__).resolve().parent.parent / "cassettes"
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
_AWS_JSON_SECRETS = re.compile(r'("(?:authKey|customerRouterConfig)": *")(?:[^"\\]|\\.)*(")')

# In OSM's lists, besides the secrets of accounts: what charms are configured with, and parameters.
_OSM_SECRETS = re.compile(osm.SECRET.pattern + "|^configs$|^additionalParams", re.IGNORECASE)
_TOKEN_IN_PATH = re.compile(r"(?<=/admin/v1/tokens/)[^/?]+")
_OSM_LOGINS = ({"username", "password"}, {"issued_at", "expires", "id"})


def path(family: str, provider: str) -> Path:
    """The cassette of a cell."""
    return ROOT / family / f"{provider}.yaml"


class Replayed:
    """What a cassette holds, and how much of it was asked for."""

    def __init__(self, http: Any, websockets: websocket_cassettes.Cassette):
        self._parts = (http, websockets)

    def __len__(self) -> int:
        return sum(len(each) for each in self._parts)

    @property
    def play_count(self) -> int:
        return sum(each.play_count for each in self._parts)

    @property
    def all_played(self) -> bool:
        return self.play_count == len(self)


@contextlib.contextmanager
def replay(file: Path) -> Iterator[Replayed]:
    """Answer from the file alone: no network. Raises NotRecorded on a request it does not have."""
    _must_exist(file)
    websockets = read_websockets(file)
    with _vcr().use_cassette(str(file), record_mode="none") as cassette:
        can_play = cassette.can_play_response_for

        def must_play(request: Any) -> bool:
            if not can_play(request):
                raise NotRecorded(f"{shown(request)} is not in {file.parent.name}/{file.name}")
            return True

        cassette.can_play_response_for = must_play
        with websocket_cassettes.replay(websockets):
            yield Replayed(cassette, websockets)


@contextlib.contextmanager
def record(file: Path) -> Iterator[None]:
    """Record into a new file, which takes the place of the old one only when all went well."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    try:
        with (
            _vcr().use_cassette(str(fresh), record_mode="all"),
            websocket_cassettes.record() as kept,
        ):
            yield
        if kept:
            _add(fresh, kept)
        os.replace(fresh, file)
    finally:
        fresh.unlink(missing_ok=True)


def _add(fresh: Path, websockets: list[dict[str, Any]]) -> None:
    """Put the connections beside the HTTP exchanges; vcrpy writes no file where there are none."""
    document = {"interactions": [], "version": 1}
    if fresh.exists():
        document = _Readable.deserialize(fresh.read_text(encoding="utf-8"))
    text = _Readable.serialize({**document, "websockets": websockets})
    fresh.write_text(text, encoding="utf-8")


def read(file: Path) -> Any:
    """The vcrpy cassette, to look answers up in; nothing in this process is patched."""
    _must_exist(file)
    known = inspect.signature(vcr.cassette.Cassette).parameters
    config = _vcr().get_merged_config(record_mode="none", path=str(file))
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
        raise NotRecorded(f"there is no cassette {file.parent.name}/{file.name}; record it first")


def _vcr() -> vcr.VCR:
    made = vcr.VCR(
        serializer="readable",
        decode_compressed_response=True,
        before_record_request=_scrub_request,
        before_record_response=_scrub_response,
        match_on=(
            *("method", "scheme", "host", "port", "path", "query"),
            *("signed for", "same target", "same body"),
        ),
    )
    made.register_matcher("signed for", _same_region)
    made.register_matcher("same target", _same_target)
    made.register_matcher("same body", _same_body)
    made.register_serializer("readable", _Readable)
    return made


_WEBSOCKETS = re.compile("^websockets:", re.MULTILINE)


class _Readable:
    """YAML that keeps names in their own script and long bodies whole."""

    @staticmethod
    def serialize(cassette: dict[str, Any]) -> str:
        return yaml.safe_dump(cassette, allow_unicode=True, width=1_000_000, sort_keys=True)

    @staticmethod
    def deserialize(text: str) -> Any:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506


def _same_region(one: Any, other: Any) -> None:
    assert one.headers.get("Signed-For") == other.headers.get("Signed-For")


def _same_target(one: Any, other: Any) -> None:
    """The operation, of an AWS API that speaks JSON: its requests are alike else."""
    assert one.headers.get("X-Amz-Target") == other.headers.get("X-Amz-Target")


def _same_body(one: Any, other: Any) -> None:
    assert _text(one.body) == _text(other.body)


def _scrub_request(request: Any) -> Any:
    signature = _SIGNED_FOR.search(_text(request.headers.get("Authorization") or ""))
    if signature:
        request.headers["Signed-For"] = "/".join(signature.groups())
    kept = {name.lower(): name for name in _REQUEST_HEADERS}
    for name in list(request.headers):
        value = request.headers.pop(name)
        if name.lower() in kept:
            request.headers[name] = _text(value)  # botocore sends bytes
    if "X-Auth-Token" in request.headers:
        request.headers["X-Auth-Token"] = REDACTED
    if request.body:
        request.body = _scrub_body(_text(request.body)).encode()
    return request


def _scrub_response(response: dict[str, Any]) -> dict[str, Any]:
    kept = {name.lower() for name in _RESPONSE_HEADERS}
    headers = {name: each for name, each in response["headers"].items() if name.lower() in kept}
    for name in headers:
        if name.lower() == "x-subject-token":
            headers[name] = [REDACTED]
        if name.lower() == "location":  # OSM's, of a token
            headers[name] = [_TOKEN_IN_PATH.sub(REDACTED, each) for each in headers[name]]
    text = response["body"].get("string", b"")
    try:
        scrubbed = _scrub_body(text.decode() if isinstance(text, bytes) else text)
    except UnicodeDecodeError:
        scrubbed = None
    return {
        **response,
        "headers": headers,
        "body": {"string": text if scrubbed is None else scrubbed.encode()},
    }


def _scrub_body(text: str) -> str:
    document = _json_object(text)
    if document is not None and ("auth" in document or "token" in document):
        return json.dumps(_scrub_login(document), ensure_ascii=False)
    if document is not None and any(keys <= document.keys() for keys in _OSM_LOGINS):
        hidden = ("password", "id", "_id")
        login = {name: REDACTED if name in hidden else each for name, each in document.items()}
        return json.dumps(login, ensure_ascii=False)
    if text.startswith("[") and '"_admin"' in text:
        return _scrub_osm_list(text)
    for name in _AWS_SECRETS:
        text = re.sub(f"(<{name}>)[^<]*(</{name}>)", rf"\1{REDACTED}\2", text)
    text = _AWS_JSON_SECRETS.sub(rf"\1{REDACTED}\2", text)
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


def _scrub_login(value: Any) -> Any:
    """A Keystone login or token without its secrets; a token's own id is one."""
    if isinstance(value, list):
        return [_scrub_login(each) for each in value]
    if not isinstance(value, dict):
        return value
    scrubbed: dict[str, Any] = {}
    for name, each in value.items():
        if name in ("password", "secret") and isinstance(each, str):
            scrubbed[name] = REDACTED
        elif name == "token" and isinstance(each, dict) and isinstance(each.get("id"), str):
            scrubbed[name] = {**each, "id": REDACTED}
        elif name == "expires_at":
            scrubbed[name] = NEVER
        elif name == "audit_ids":
            scrubbed[name] = [REDACTED]
        else:
            scrubbed[name] = _scrub_login(each)
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
