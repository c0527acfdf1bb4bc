"""OSM (ETSI Open Source MANO): a token for its northbound API (NBI), and whole lists of records.

https://osm.etsi.org/docs/user-guide/latest/12-osm-nbi.html (releases 7.1 to the main line of 2026)

Only lists are requested, and never with parameters: a GET of one NS makes newer releases write the record and
queue a job, and NBI takes each unknown parameter (``limit`` too) for a filter, which matches nothing. There is no
paging. Without ``Accept: application/json``, responses are YAML.

NBI answers 401 both for an unknown token and for a request that the token's role does not allow. Accounts come
with their secrets (a WIM's in clear text): ``listed`` removes them.

shared/providers/osm/ro.py reads the classic resource orchestrator (RO).
"""

import dataclasses
import http.cookiejar
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Optional
from urllib.parse import urlsplit

import requests

from shared.engine.contracts import Poll
from shared.engine.errors import (
    ConnectorError,
    InsufficientPermission,
    InvalidCredentials,
    UnexpectedResponse,
)
from shared.engine.event import (
    flag_credential,
    needed_credential,
    refuse_unknown_keys,
    text_credential,
)
from shared.engine.network import Network
from shared.engine.workers import Workers
from shared.providers.osm import responses
from shared.providers.osm.ro import ResourceOrchestrator
from shared.records.fields import field, needed, objects
from shared.transport import http as web
from shared.transport import sessions

TOKENS = "/admin/v1/tokens"
LOGOUT_S = 5.0
RO_TENANT = "osm"  # the tenant that OSM creates for itself


CREDENTIAL_KEYS = frozenset(
    {
        "url",
        "username",
        "password",
        "project",
        "ro_url",
        "ro_tenant",
        "cacert",
        "verify",
    }
)


@dataclasses.dataclass(frozen=True)
class Credentials:
    """The event's credentials. ``url`` is the API's root, usually https://HOST:9999/osm."""

    url: str
    username: str
    password: str = dataclasses.field(repr=False)
    project: Optional[str]  # name or id; None: the user's first project
    ro_url: Optional[str]  # of the classic resource orchestrator
    ro_tenant: str  # its name or id
    cacert: Optional[str] = dataclasses.field(repr=False)
    verify: bool


def credentials(raw: Mapping[str, Any], ambient: bool) -> Credentials:
    """The credentials of an event; the host never supplies any. Raises InvalidEvent."""
    refuse_unknown_keys("credentials", raw, CREDENTIAL_KEYS)
    url = _url(needed_credential(raw, "url"), "url")
    ro_url = text_credential(raw, "ro_url")
    cacert = text_credential(raw, "cacert")
    verify = flag_credential(raw, "verify", True)
    web.trust(cacert, verify)
    return Credentials(
        url=_with_path(url, "/osm"),
        username=needed_credential(raw, "username"),
        password=needed_credential(raw, "password"),
        project=text_credential(raw, "project"),
        ro_url=_with_path(_url(ro_url, "ro_url"), "/openmano") if ro_url else None,
        ro_tenant=text_credential(raw, "ro_tenant") or RO_TENANT,
        cacert=cacert,
        verify=flag_credential(raw, "verify", True),
    )


def _url(text: str, name: str) -> str:
    web.checked_url(text, name, "an API of OSM")
    return text.rstrip("/")


def _with_path(url: str, path: str) -> str:
    return url if urlsplit(url).path else url + path


class Session:
    """One poll's session, for several threads. A token that OSM no longer accepts is renewed once."""

    def __init__(self, credentials: Credentials, poll: Poll):
        self.credentials = credentials
        self.log = poll.log
        self.options: Mapping[str, Any] = poll.request.options if poll.request else {}
        self.workers: Workers = poll.workers
        self._network: Network = poll.network
        self._traffic = poll.traffic
        self._lock = threading.Lock()
        self._requests = self._session(self._network)
        self._renewed = False
        self._token = ""
        self._login: dict[str, Any] = {}
        self.ro = ResourceOrchestrator(self._requests, credentials.ro_url, credentials.ro_tenant)
        self._log_in()

    @property
    def project_id(self) -> str:
        return needed(self._login, "project_id", str)

    @property
    def project(self) -> str:
        return field(self._login, "project_name", str) or self.project_id

    @property
    def user(self) -> str:
        return field(self._login, "username", str) or self.credentials.username

    @property
    def roles(self) -> str:
        roles = [field(role, "name", str) or "?" for role in objects(self._login, "roles")]
        return ", ".join(roles) or "none"

    def get(self, path: str) -> Any:
        """The JSON document at a path. Raises InsufficientPermission if the role does not allow it."""
        token = self._current_token()
        response = self._get(path, token)
        if response.status_code == 401 and not responses.is_denied(response):
            renewed = self._token_after(token)
            response = self._get(path, renewed) if renewed else response
        if response.status_code == 403 or (
            response.status_code == 401 and responses.is_denied(response)
        ):
            raise InsufficientPermission(
                f"{path} is not allowed for user {self.user} in project {self.project} "
                f"with role {self.roles}: {responses.reason(response)}"
            )
        responses.check(response)
        return sessions.json_of(response)

    def log_out(self) -> None:
        """Delete the token, which OSM would keep for an hour. A failure is only logged: it harms nobody."""
        token, self._token = self._token, ""
        if not token:
            return
        try:  # the header names the token: its id in the URL would get into the logs of proxies
            with self._network.shorter(LOGOUT_S) as brief:
                self._session(brief).delete(self.credentials.url + TOKENS, headers=_bearer(token))
        except (requests.RequestException, ConnectorError) as error:
            self.log.info("token not deleted", error=type(error).__name__)

    def _current_token(self) -> str:
        with self._lock:
            if not self._token:
                self._log_in()
            return self._token

    def _token_after(self, refused: str) -> Optional[str]:
        """The token to try when OSM refused this one; None if that was renewed before."""
        with self._lock:
            if self._token == refused and not self._renewed:
                self._renewed = True
                self._log_in()
            return self._token if self._token != refused else None

    def _get(self, path: str, token: str) -> requests.Response:
        url = self.credentials.url + path
        # NBI sends no redirects, so one would lead elsewhere
        return self._requests.get(url, headers=_bearer(token), allow_redirects=False)

    def _log_in(self) -> None:
        account = self.credentials
        body = {"username": account.username, "password": account.password}
        if account.project:
            body["project_id"] = account.project
        response = self._requests.post(account.url + TOKENS, json=body, allow_redirects=False)
        if response.status_code in (401, 403):
            raise InvalidCredentials(f"OSM refuses the login: {responses.reason(response)}")
        if response.status_code == 404 and account.project and responses.problem(response):
            raise InvalidCredentials(
                f"OSM has no project {account.project!r} (credentials.project)"
            )
        responses.check(response)
        answer = sessions.json_of(response)
        if not isinstance(answer, dict):
            raise UnexpectedResponse(f"{responses.url_of(response)} should answer with an object")
        if answer.get("message") == "change_password":
            raise InvalidCredentials("the password has expired: OSM wants it changed")
        self._token = needed(answer, "id", str)
        self._login = answer
        if account.project and account.project not in (self.project, self.project_id):
            raise UnexpectedResponse(
                f"the token is for project {self.project!r} and not for credentials.project"
            )

    def _session(self, network: Network) -> requests.Session:
        verify = self.credentials.verify
        tls = web.trust(self.credentials.cacert, verify)
        session = sessions.session(network, self._traffic, verify=verify, tls=tls)
        session.headers["Accept"] = "application/json"
        # every response sets a cookie that would log in by itself
        session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        return session


@dataclasses.dataclass(frozen=True)
class Scope:
    """The project that the token is for."""

    name: str
    session: Session = dataclasses.field(repr=False, compare=False)

    @property
    def workers(self) -> Workers:
        return self.session.workers


def login(credentials: Credentials, poll: Poll) -> Session:
    """A session with a token (one call)."""
    if not credentials.verify:
        poll.log.warn("TLS not verified", why="the account says verify: false")
    return Session(credentials, poll)


def scopes(session: Session) -> list[Scope]:
    """The one project."""
    return [Scope(session.project, session)]


def account(session: Session) -> str:
    """Project and user. Deletes the token, for nothing else is requested with it."""
    session.log_out()
    return f"{session.project} ({session.user})"


def listed(scope: Scope, what: str) -> list[dict[str, Any]]:
    """All records of one of ``LISTS`` that the project may see; accounts without their secrets.

    Raises Absent if this release of OSM has no such list.
    """
    path = responses.LISTS[what]
    answer = scope.session.get(path)
    if not isinstance(answer, list):
        raise UnexpectedResponse(f"{path} should answer with a list")
    records = objects({path: answer}, path)
    return (
        [responses.without_secrets(record) for record in records]
        if what in responses.ACCOUNTS
        else records
    )


def has_ro(scope: Scope) -> bool:
    """Whether the account names a classic resource orchestrator."""
    return scope.session.credentials.ro_url is not None


def ro_listed(scope: Scope, what: str) -> list[dict[str, Any]]:
    """All ``wims``, ``datacenters`` or ``instances`` of the tenant in RO, without secrets."""
    ro = scope.session.ro
    records = ro.listed(f"/{ro.tenant}/{what}", what)
    return [responses.without_secrets(record) for record in records]


def ro_record(scope: Scope, path: str) -> Optional[dict[str, Any]]:
    """One of the tenant's records ("instances/ID", "wims/ID", "instances/ID/action"), without secrets.

    None if it was deleted since it was listed.
    """
    ro = scope.session.ro
    record = ro.get(f"/{ro.tenant}/{path}")
    return None if record is None else responses.without_secrets(record)


def log_out(scope: Scope) -> None:
    """Log out as soon as a cell has all records; a later request would log in again."""
    scope.session.log_out()


def least_permissions(permissions: Iterable[str]) -> dict[str, Any]:
    """The role to create with ``POST /admin/v1/roles`` and to assign to the user in the project."""
    allowed = {"tokens:post", "tokens:delete", *permissions}
    return {
        "name": "cmp-inventory",
        "permissions": {"default": False, **dict.fromkeys(sorted(allowed), True)},
    }


def classify(error: Exception) -> Optional[ConnectorError]:
    """The error that an exception of requests means; None for any other exception."""
    return sessions.classify(error, "OSM")


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
