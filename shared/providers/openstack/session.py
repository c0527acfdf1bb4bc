"""OpenStack: credentials, the login to Keystone v3, and the regions of the project.

keystoneauth1 keeps the token, renews it on a 401 and knows microversions; it sends its requests through
shared/transport/sessions.py. Identity v2 is not supported: every release since Queens (2018) lacks it.
"""

import dataclasses
import functools
import os
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Callable, Optional

import keystoneauth1.exceptions as ks_errors
import keystoneauth1.session
from keystoneauth1.identity import v3

from shared.engine.contracts import Poll
from shared.engine.errors import InvalidCredentials, InvalidEvent, UnexpectedResponse
from shared.engine.event import (
    check_texts,
    flag_credential,
    header_credential,
    needed_credential,
    refuse_unknown_keys,
    text_credential,
)
from shared.engine.workers import Workers
from shared.providers.openstack.errors import by_status
from shared.records.fields import field, objects
from shared.transport import http, sessions

# The policies that role reader does not cover as shipped (Octavia's: in older releases), by role.
_NOT_FOR_READERS = {
    "admin": ("os_compute_api:os-server-diagnostics",),
    "load-balancer_observer": ("os_load-balancer_api:",),
    "member": ("get_endpoint_group", "get_ipsec_site_connection", "get_vpnservice"),
}
# Older names, of an openrc file as of clouds.yaml, and the ones in use.
_OLDER_NAMES = {
    "user_name": "username",
    "tenant_name": "project_name",
    "tenant_id": "project_id",
    "endpoint_type": "interface",
}
_TEXTS = (
    "username",
    "user_id",
    "password",
    "project_name",
    "project_id",
    "user_domain_name",
    "user_domain_id",
    "project_domain_name",
    "project_domain_id",
    "application_credential_id",
    "application_credential_name",
    "application_credential_secret",
    "token",
    "region_name",
    "cacert",
)


# What a poll uses, and what clouds.yaml and the identity plugins of keystoneauth have besides: of no effect here.
CREDENTIAL_KEYS = frozenset(
    {
        *_TEXTS,
        *_OLDER_NAMES,
        "auth_url",
        "interface",
        "verify",
        "insecure",
        "all_projects",
        "auth_type",
        "default_domain_id",
        "default_domain_name",
        "domain_id",
        "domain_name",
        "identity_api_version",
        "profile",
        "system_scope",
        "trust_id",
    }
)
# Of an openrc file's other variables (OS_AUTH_TYPE, OS_COMPUTE_API_VERSION, ...) there is no end: only what is
# so like a known key that it must be a slip is refused.
SLIP = 0.94  # difflib's ratio: OS_REGION_NAM has 0.96, and OS_DEFAULT_DOMAIN, which exists, 0.92


@dataclasses.dataclass(frozen=True)
class Credentials:
    """The event's credentials; ``login`` holds the texts by clouds.yaml's names."""

    auth_url: str
    login: Mapping[str, Optional[str]] = dataclasses.field(repr=False)
    interface: str
    verify: bool
    all_projects: bool


def credentials(raw: Mapping[str, Any], ambient: bool) -> Credentials:
    """The credentials of an event, by clouds.yaml's names or openrc's; see the README."""
    if ambient and not raw:
        raw = {name: value for name, value in os.environ.items() if name.startswith("OS_")}
        check_texts(raw)
        if raw.get("OS_CACERT"):  # an openrc's is a path, and the operator's own
            raw["OS_CACERT"] = _text_of(raw["OS_CACERT"])
    _refuse_unknown_keys(raw)
    raw = _clouds_yaml_names(raw)
    auth_url = needed_credential(raw, "auth_url")
    http.checked_url(auth_url, "auth_url", "Keystone")
    login = {name: text_credential(raw, name) for name in _TEXTS}
    login["token"] = header_credential(raw, "token")
    _check_login(login)
    http.trust(login["cacert"], verify=True)
    interface = (text_credential(raw, "interface") or "public").replace("URL", "")
    if interface not in ("public", "internal", "admin"):
        raise InvalidEvent("credentials.interface should be public, internal or admin")
    verify = flag_credential(raw, "verify", not flag_credential(raw, "insecure", False))
    all_projects = flag_credential(raw, "all_projects", False)
    return Credentials(auth_url, login, interface, verify, all_projects)


def _refuse_unknown_keys(raw: Mapping[str, Any]) -> None:
    openrc = {f"OS_{name.upper()}" for name in CREDENTIAL_KEYS}
    variables = [name for name in map(str, raw) if name.startswith("OS_")]
    slips = []
    if variables:
        import difflib  # not at each cold start

        slips = [name for name in variables if difflib.get_close_matches(name, openrc, 1, SLIP)]
    refuse_unknown_keys("credentials", slips, openrc)
    refuse_unknown_keys("credentials", [n for n in raw if n not in variables], CREDENTIAL_KEYS)


def _text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError):
        raise InvalidEvent("OS_CACERT of this host is not the path of a PEM file") from None


def _clouds_yaml_names(raw: Mapping[str, Any]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for name, value in raw.items():
        if name.startswith("OS_"):
            name = name[3:].lower()
        named.setdefault(_OLDER_NAMES.get(name, name), value)
    return named


def _check_login(login: Mapping[str, Optional[str]]) -> None:
    """Raise InvalidEvent unless one of the three ways to log in is complete."""
    by_id, by_name = login["application_credential_id"], login["application_credential_name"]
    secret = login["application_credential_secret"]
    if by_id or by_name or secret:
        if not secret:
            raise InvalidEvent("credentials.application_credential_secret is missing or empty")
        if not (by_id or by_name):
            raise InvalidEvent("credentials.application_credential_id is missing or empty")
        if not by_id and not (login["username"] or login["user_id"]):
            raise InvalidEvent(
                "credentials.username (or user_id) is missing: "
                "application_credential_name is only unique to a user"
            )
    elif not login["token"]:
        if not (login["username"] or login["user_id"]):
            raise InvalidEvent(
                "credentials.username (or user_id, application_credential_id or token) is missing"
            )
        if not login["password"]:
            raise InvalidEvent("credentials.password is missing or empty; expected text")
        if not (login["project_name"] or login["project_id"]):
            raise InvalidEvent(
                "credentials.project_name (or project_id) is missing: what is polled is a project"
            )


class Session:
    """The login of one poll: the token with its project and catalog."""

    def __init__(self, credentials: Credentials, poll: Poll):
        self.credentials = credentials
        self.log = poll.log
        self.workers: Workers = poll.workers
        verify = credentials.verify
        tls = http.trust(credentials.login["cacert"], verify)
        web = sessions.session(poll.network, poll.traffic, verify=verify, tls=tls)
        self.auth = _plugin(credentials)
        self.auth.get_auth_ref = functools.partial(_log_in, self.auth.get_auth_ref)
        _renew_once(self.auth)
        self.keystone = keystoneauth1.session.Session(
            auth=self.auth, session=web, verify=verify, user_agent="cmp-connectors"
        )
        self.access = self.auth.get_access(self.keystone)
        self.catalog = _catalog(self.access)
        if not (self.access.project_id and self.access.has_service_catalog()):
            raise InvalidCredentials(
                "the login is not for a project (no catalog); give project_name or project_id"
            )

    @property
    def project(self) -> str:
        return str(self.access.project_name or self.access.project_id)


def _check_token(access: Any) -> None:
    """Read once all fields of a token that are used later on, since keystoneauth checks none of them.

    Raises UnexpectedResponse where one is not what Keystone documents.
    """
    try:
        texts = [access.user_id, access.project_id, access.project_name, access.username]
        if not all(text is None or isinstance(text, str) for text in [*texts, *access.role_names]):
            raise TypeError("a name or an id is not text")
        access.will_expire_soon()
        _catalog(access)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        raise UnexpectedResponse("Keystone's answer to the login is not a token") from None


def _catalog(access: Any) -> list[dict[str, Any]]:
    """The token's catalog, read; empty where it has none."""
    if not access.has_service_catalog():
        return []
    services = objects({"catalog": access.service_catalog.catalog}, "catalog")
    for service in services:
        field(service, "type", str)
        for endpoint in objects(service, "endpoints"):
            for name in ("interface", "region", "region_id", "url"):
                field(endpoint, name, str)
    return services


def _plugin(credentials: Credentials) -> Any:
    given = credentials.login
    url = credentials.auth_url.rstrip("/")
    if url.endswith(("/v2.0", "/v2")):
        url = url.rpartition("/")[0]
    if not url.endswith("/v3"):
        url += "/v3"
    user: Any = {name: given[name] for name in ("user_id", "username")}
    if given["username"] and not given["user_id"]:
        user.update(_domain(given, "user"))
    project: Any = {name: given[name] for name in ("project_id", "project_name")}
    if given["project_name"] and not given["project_id"]:
        project.update(_domain(given, "project"))
    secret = given["application_credential_secret"]
    if secret:
        by_id, by_name = given["application_credential_id"], given["application_credential_name"]
        return v3.ApplicationCredential(
            url,
            secret,
            application_credential_id=by_id,
            application_credential_name=by_name,
            **user,
        )
    if given["token"]:
        return v3.Token(url, given["token"], **project)
    return v3.Password(url, given["password"] or "", **user, **project)


def _log_in(get_auth_ref: Callable[..., Any], session: Any, **kwargs: Any) -> Any:
    """keystoneauth's login, now or when a service refuses the token, with its errors as ours.

    An error of the login must not look like one of the service that is polled: a 404 would be taken for a
    resource that is gone. Keystone itself answers 404 to a token that expired, was revoked or never was
    valid, and to an application credential that was deleted.
    """
    try:
        access = get_auth_ref(session, **kwargs)
    except (AttributeError, KeyError, TypeError):
        raise UnexpectedResponse("Keystone's answer to the login is not a token") from None
    except ks_errors.NotFound as error:
        meaning = by_status(error)
        if _is_from_keystone(error):
            meaning = InvalidCredentials(f"Keystone does not know the login: {meaning.message}")
        raise meaning from error
    except ks_errors.HttpError as error:
        raise by_status(error) from error
    _check_token(access)
    return access


def _renew_once(auth: Any) -> None:
    """Let threads share the token, of which several requests may be refused at once.

    The first thread renews it and the others take the new one. By itself keystoneauth takes the refusal as
    final in a thread that finds the token already forgotten.
    """
    get_access, invalidate = auth.get_access, auth.invalidate
    lock, used = threading.Lock(), threading.local()

    def access(session: Any, **kwargs: Any) -> Any:
        with lock:
            used.access = get_access(session, **kwargs)
        return used.access

    def forget() -> bool:
        with lock:
            if auth.auth_ref is used.access:
                invalidate()
        return True  # so that the request is sent again

    auth.get_access, auth.invalidate = access, forget


def _is_from_keystone(error: Any) -> bool:
    """Whether Keystone itself answered, and not a web server that has nothing at this URL."""
    body = sessions.json_or_none(error.response) if error.response is not None else None
    return isinstance(body, dict) and isinstance(body.get("error"), dict)


def _domain(given: Mapping[str, Optional[str]], of: str) -> dict[str, Optional[str]]:
    by_id, by_name = f"{of}_domain_id", f"{of}_domain_name"
    if given[by_id] or given[by_name]:
        return {by_id: given[by_id], by_name: None if given[by_id] else given[by_name]}
    return {by_id: "default"}  # Keystone's own first domain


@dataclasses.dataclass(frozen=True)
class Scope:
    """One project (or all projects) in one region."""

    name: str
    region: str
    session: Session = dataclasses.field(repr=False, compare=False)

    @property
    def workers(self) -> Workers:
        return self.session.workers

    @property
    def all_projects(self) -> bool:
        return self.session.credentials.all_projects

    @property
    def project_id(self) -> str:
        return str(self.session.access.project_id)

    @property
    def all_tenants(self) -> dict[str, Any]:
        """Nova's and Cinder's parameter for "of all projects"; Neutron shows them to an admin anyway."""
        return {"all_tenants": 1} if self.all_projects else {}


def login(credentials: Credentials, poll: Poll) -> Session:
    """A session with a token (one call)."""
    if not credentials.verify:
        poll.log.warn("TLS not verified", why="the account says verify: false")
    return Session(credentials, poll)


def scopes(session: Session) -> list[Scope]:
    """The project in each region of the catalog, or in the account's ``region_name``."""
    interface = session.credentials.interface
    regions = sorted(
        {
            endpoint.get("region_id") or endpoint.get("region") or ""
            for service in session.catalog
            if service.get("type") != "identity"
            for endpoint in service.get("endpoints", [])
            if endpoint.get("interface") == interface
        }
    )
    if not regions:  # no scope would be an empty list, and everything would look deleted
        raise InvalidEvent(
            f"the catalog has no service with a {interface} endpoint; see credentials.interface"
        )
    wanted = session.credentials.login["region_name"]
    if wanted and wanted not in regions:
        raise InvalidEvent(
            f"credentials.region_name {wanted!r} is not in the catalog ({', '.join(regions)})"
        )
    polled = "all projects" if session.credentials.all_projects else session.project
    return [
        Scope(f"{polled}/{region}", region, session)
        for region in regions
        if not wanted or region == wanted
    ]


def account(session: Session) -> str:
    """Project and user."""
    return f"{session.project} ({session.access.username or session.access.user_id})"


def note(scope: Scope, message: str, **facts: str) -> None:
    """A line in the poll's log about the scope."""
    scope.session.log.info(message, scope=scope.name, **facts)


def least_permissions(permissions: Iterable[str]) -> dict[str, Any]:
    """The role to assign, and the policy rules that it has to cover."""
    policies = sorted(set(permissions))
    others = {
        role: [policy for policy in policies if policy.startswith(starts)]
        for role, starts in _NOT_FOR_READERS.items()
    }
    return {
        "role": "reader",
        "role_with_all_projects": "admin",
        "roles_where_reader_is_too_little": {
            role: rules for role, rules in others.items() if rules
        },
        "policies": policies,
    }
