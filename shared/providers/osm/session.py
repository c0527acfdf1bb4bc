"""ETSI Open Source MANO: a token of its northbound API (NBI), and whole lists of records.

https://osm.etsi.org/docs/user-guide/latest/12-osm-nbi.html (releases 7.1 to the main line of 2026)

Nothing but lists is asked for, and never with a parameter: a GET of one NS makes newer releases write
the record and queue a job, and each parameter that NBI does not know is a filter that nothing matches
(``limit`` too). There is no paging. Without ``Accept: application/json`` the answer is YAML.

NBI says 401 to a token that it does not know, and to what the token's role may not do. Accounts come
with their secrets (a WIM's in clear text): ``listed`` leaves them out.

The classic resource orchestrator (RO, up to release NINE) has no login. Its lists end after 100 records
without a sign where they are asked for no ``limit``.
"""

import dataclasses
import http.cookiejar
import re
from collections.abc import Iterable, Mapping
from typing import Any, Optional
from urllib.parse import urlsplit

import requests

from shared.engine.errors import (
    Absent,
    ConnectorError,
    InsufficientPermission,
    InvalidCredentials,
    InvalidEvent,
    Throttled,
    UnexpectedResponse,
    Unreachable,
)
from shared.engine.event import (
    flag_credential,
    needed_credential,
    refuse_unknown_keys,
    text_credential,
)
from shared.engine.network import Network
from shared.records.fields import field, needed, objects
from shared.transport import http as web

TOKENS = "/admin/v1/tokens"
LISTS = {
    "ns": "/nslcm/v1/ns_instances",
    "vnf": "/nslcm/v1/vnf_instances",
    "vim": "/admin/v1/vim_accounts",
    "wim": "/admin/v1/wim_accounts",
    "vca": "/admin/v1/vca",
}
NEWER = ("vca",)  # lists that older releases do not have
ACCOUNTS = ("vim", "wim", "vca")
LOGOUT_S = 5.0
# Names of fields of an account that hold a secret, wherever they are in it.
SECRET = re.compile(
    r"passw|passphrase|secret|ca_?cert|credential|(priv|api|access).*key|ssh|token", re.IGNORECASE
)
RO_LIMIT = 100_000  # records of one of RO's lists; it has no paging
RO_TENANT = "osm"  # the one that OSM makes for itself


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
    """The event's credentials; ``url`` is the API's root, as a rule https://HOST:9999/osm."""

    url: str
    username: str
    password: str = dataclasses.field(repr=False)
    project: Optional[str]  # name or id; else the first that OSM has for the user
    ro_url: Optional[str]  # of the classic resource orchestrator, which has no login
    ro_tenant: str  # its name or id
    cacert: Optional[str] = dataclasses.field(repr=False)
    verify: bool


def credentials(raw: Mapping[str, Any], ambient: bool) -> Credentials:
    """The credentials of an event; the host has none of OSM's."""
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
    """One poll's login. A token that OSM takes no more is renewed once."""

    def __init__(self, credentials: Credentials, poll: Any):
        self.credentials = credentials
        self.log = poll.log
        self.options: Mapping[str, Any] = poll.request.options if poll.request else {}
        self._network: Network = poll.network
        self._traffic = poll.traffic
        self._requests = self._session(self._network)
        self._renewed = False
        self._token = ""
        self._login: dict[str, Any] = {}
        self._ro_tenant: Optional[str] = None
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
        """The JSON that a path answers with."""
        response = self._get(path)
        if response.status_code == 401 and not _denied(response) and not self._renewed:
            self._renewed = True
            self._log_in()
            response = self._get(path)
        if response.status_code == 403 or (response.status_code == 401 and _denied(response)):
            raise InsufficientPermission(
                f"{path} is not allowed for user {self.user} in project {self.project} "
                f"with role {self.roles}: {_said(response)}"
            )
        _good(response)
        return web.json_of(response)

    def log_out(self) -> None:
        """Take the token back: OSM would keep it for an hour. That this fails harms nobody."""
        token, self._token = self._token, ""
        if not token:
            return
        try:  # without its id, which would get into the logs of proxies: it is the header's token
            with self._network.shorter(LOGOUT_S) as brief:
                self._session(brief).delete(self.credentials.url + TOKENS, headers=_bearer(token))
        except (requests.RequestException, ConnectorError) as error:
            self.log.info("token not deleted", error=type(error).__name__)

    def ro_get(self, path: str, limit: Optional[int] = None) -> Optional[dict[str, Any]]:
        """The object that RO answers with below its root; None where it has no such record (404)."""
        url = self.credentials.ro_url
        if not url:
            raise InvalidEvent("credentials.ro_url is missing: that of the resource orchestrator")
        params = {"limit": limit} if limit else None
        response = self._requests.get(url + path, params=params, allow_redirects=False)
        if response.status_code == 404 and _problem(response):
            return None
        _good(response)
        answer = web.json_of(response)
        if not isinstance(answer, dict):
            raise UnexpectedResponse(f"{_where(response)} should answer with an object")
        if answer.get("error") is not None:
            raise UnexpectedResponse(
                f"{_where(response)} answered with an error: {_said(response)}"
            )
        return answer

    def ro_listed(self, path: str, key: str) -> list[dict[str, Any]]:
        """The list in RO's answer, whole."""
        answer = self.ro_get(path, RO_LIMIT)
        if answer is None or answer.get(key) is None:
            raise UnexpectedResponse(f"the answer of RO's {path} has no field {key!r}")
        records = objects(answer, key)
        if len(records) >= RO_LIMIT:
            raise UnexpectedResponse(f"RO's {path} has more than {RO_LIMIT - 1} records: it is cut")
        return records

    @property
    def ro_tenant(self) -> str:
        """The id of RO's tenant (one call, once): by name, some lists are empty without a sign."""
        if self._ro_tenant is None:
            wanted = self.credentials.ro_tenant
            for tenant in self.ro_listed("/tenants", "tenants"):
                uuid = needed(tenant, "uuid", str)
                if wanted in (uuid, field(tenant, "name", str)):
                    self._ro_tenant = uuid
                    break
            else:
                raise InvalidEvent(f"RO has no tenant {wanted!r} (credentials.ro_tenant)")
        return self._ro_tenant

    def _get(self, path: str) -> requests.Response:
        if not self._token:
            self._log_in()
        url = self.credentials.url + path
        # a redirect would be followed to whatever is there; NBI sends none
        return self._requests.get(url, headers=_bearer(self._token), allow_redirects=False)

    def _log_in(self) -> None:
        given = self.credentials
        body = {"username": given.username, "password": given.password}
        if given.project:
            body["project_id"] = given.project
        response = self._requests.post(given.url + TOKENS, json=body, allow_redirects=False)
        if response.status_code in (401, 403):
            raise InvalidCredentials(f"OSM refuses the login: {_said(response)}")
        if response.status_code == 404 and given.project and _problem(response):
            raise InvalidCredentials(f"OSM has no project {given.project!r} (credentials.project)")
        _good(response)
        answer = web.json_of(response)
        if not isinstance(answer, dict):
            raise UnexpectedResponse(f"{_where(response)} should answer with an object")
        if answer.get("message") == "change_password":
            raise InvalidCredentials("the password has expired: OSM wants it changed")
        self._token = needed(answer, "id", str)
        self._login = answer
        if given.project and given.project not in (self.project, self.project_id):
            raise UnexpectedResponse(
                f"the token is for project {self.project!r} and not for credentials.project"
            )

    def _session(self, network: Network) -> requests.Session:
        verify = self.credentials.verify
        tls = web.trust(self.credentials.cacert, verify)
        made = web.session(network, self._traffic, verify=verify, tls=tls)
        made.headers["Accept"] = "application/json"
        # each answer sets a cookie that logs in by itself
        made.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        return made


@dataclasses.dataclass(frozen=True)
class Scope:
    """The project that the token is for."""

    name: str
    session: Session = dataclasses.field(repr=False, compare=False)


def login(credentials: Credentials, poll: Any) -> Session:
    """A session with a token (one call)."""
    if not credentials.verify:
        poll.log.warn("TLS not verified", why="the account says verify: false")
    return Session(credentials, poll)


def scopes(session: Session) -> list[Scope]:
    """The one project."""
    return [Scope(session.project, session)]


def account(session: Session) -> str:
    """Project and user. Takes the token back: nothing else is asked of it."""
    session.log_out()
    return f"{session.project} ({session.user})"


def listed(scope: Scope, what: str) -> list[dict[str, Any]]:
    """All records of a list of ``LISTS`` that the project may see; accounts without their secrets.

    Raises Absent where the release does not have it.
    """
    path = LISTS[what]
    answer = scope.session.get(path)
    if not isinstance(answer, list):
        raise UnexpectedResponse(f"{path} should answer with a list")
    records = objects({path: answer}, path)
    return [_without_secrets(each) for each in records] if what in ACCOUNTS else records


def has_ro(scope: Scope) -> bool:
    """Whether the account names a classic resource orchestrator."""
    return scope.session.credentials.ro_url is not None


def ro_listed(scope: Scope, what: str) -> list[dict[str, Any]]:
    """All of RO's ``wims``, ``datacenters`` or ``instances`` of the tenant, without secrets."""
    session = scope.session
    records = session.ro_listed(f"/{session.ro_tenant}/{what}", what)
    return [_without_secrets(each) for each in records]


def ro_found(scope: Scope, path: str) -> Optional[dict[str, Any]]:
    """One of the tenant's records ("instances/ID", "wims/ID", "instances/ID/action"), without secrets.

    None where it is gone: it was deleted since it was listed.
    """
    session = scope.session
    answer = session.ro_get(f"/{session.ro_tenant}/{path}")
    return None if answer is None else _without_secrets(answer)


def log_out(scope: Scope) -> None:
    """For a cell that has all it asks for; what it asks later logs in anew."""
    scope.session.log_out()


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _without_secrets(each) for name, each in value.items() if not SECRET.search(name)
        }
    return [_without_secrets(each) for each in value] if isinstance(value, list) else value


def least_rights(permissions: Iterable[str]) -> dict[str, Any]:
    """The role to make, as ``POST /admin/v1/roles`` takes it, and to give to the user in the project."""
    allowed = {"tokens:post", "tokens:delete", *permissions}
    return {
        "name": "cmp-inventory",
        "permissions": {"default": False, **dict.fromkeys(sorted(allowed), True)},
    }


# --- what NBI's answers mean ----------------------------------------------------------------------


def classify(error: Exception) -> Optional[ConnectorError]:
    """What a requests exception means; None for what is not requests'."""
    return web.classify(error, "OSM")


def _good(response: requests.Response) -> None:
    """Raise what a status that is no success means."""
    status, where = response.status_code, _where(response)
    if status in web.THROTTLED:
        raise Throttled(f"{where} answered {status}: {_said(response)}")
    if status >= 500 or status in web.TRANSIENT:
        raise Unreachable(f"{where} answered {status}: {_said(response)}")
    if status == 401:
        raise InvalidCredentials(f"{where} does not take a new token: {_said(response)}")
    if status == 405 and where.endswith(tuple(LISTS[what] for what in NEWER)):
        raise Absent(f"this release of OSM does not have {where}")
    if status == 404:  # its detail shows the inside of OSM's database
        raise UnexpectedResponse(f"{where} answered 404: is the account's URL that of OSM's API?")
    if status >= 300:
        raise UnexpectedResponse(f"{where} answered {status}: {_said(response)}")


def _problem(response: requests.Response) -> dict[str, Any]:
    """NBI's or RO's own error object, or an empty one: a proxy's answer, an HTML page with a trace."""
    body = web.json_or_none(response)
    if not isinstance(body, dict):
        return {}
    if isinstance(body.get("error"), dict):  # RO's
        return {"detail": body["error"].get("description")}
    return body if "detail" in body else {}


def _denied(response: requests.Response) -> bool:
    return "access denied" in str(_problem(response).get("detail")).lower()


def _said(response: requests.Response) -> str:
    return str(_problem(response).get("detail") or response.reason or "no reason given")


def _where(response: requests.Response) -> str:
    return web.without_query(response.url)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
