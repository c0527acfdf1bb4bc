"""OpenStack: Keystone v3 login by keystoneauth1, the project's regions, and paged listings.

keystoneauth1 keeps the token, renews it on a 401 and speaks microversions; the HTTP below it is
shared/transport/http.py's. Identity v2 is gone from every release since Queens (2018) and not spoken.
"""

import dataclasses
import datetime
import functools
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable, Optional
from urllib.parse import parse_qs, urlsplit

import keystoneauth1.discover
import keystoneauth1.exceptions as ks_errors
import keystoneauth1.session
from keystoneauth1.identity import v3

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
    check_texts,
    flag_credential,
    header_credential,
    needed_credential,
    text_credential,
)
from shared.records.fields import field, needed, objects
from shared.records.status import Point, worst
from shared.transport import http

# What is found of a resource's state: a level, what to say of it, and since when, where that is known.
# The cells' tables of levels: what changes while it serves is ok; what does not serve yet or any more,
# or was told not to, is a warning; what failed is an error.
Finding = tuple[str, str, Optional[datetime.datetime]]

PAGE_SIZE = 1000  # the largest page that the services answer with as shipped
FEW = 20  # ids that are asked for one by one; of more, a listing is cheaper
RESTARTS = 3  # of a listing whose marker was deleted between two pages
BY_ID = ("id",)
NOVA_NEWEST = (2, 96)  # the newest microversion whose servers were looked at
NOVA_OLDEST = (2, 1)

BadRequest = ks_errors.BadRequest
NotFound = ks_errors.NotFound
Conflict = ks_errors.Conflict
NotImplementedByService = ks_errors.HttpNotImplemented
ServiceFailed = ks_errors.InternalServerError
NotAcceptable = ks_errors.NotAcceptable  # a microversion that the service does not have

# The catalog's names of a service, and the version that belongs behind its URL where that lacks it.
# https://specs.openstack.org/openstack/service-types-authority/
_SERVICES = {
    "compute": (("compute",), ""),
    "network": (("network",), "v2.0"),
    "volume": (("block-storage", "volumev3"), ""),
    "image": (("image",), "v2"),
    "load-balancer": (("load-balancer",), "v2.0"),
    "shared-file-system": (("shared-file-system", "sharev2"), ""),
    "metric": (("metric",), "v1"),
}
_VERSION = re.compile(r"v\d[\d.]*")
_UUID = re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
# The role that a service's own policy asks of who only reads a project; of others it is reader.
_READERS = {"load-balancer": "reader, in older releases load-balancer_observer,"}
# Policies that role reader does not cover as they are shipped (Octavia's: in older releases).
_BESIDES = {
    "admin": ("os_compute_api:os-server-diagnostics",),
    "load-balancer_observer": ("os_load-balancer_api:",),
    "member": ("get_endpoint_group", "get_ipsec_site_connection", "get_vpnservice"),
}
# The names that an openrc file has beyond OS_ + the name that clouds.yaml has.
_OPENRC = {
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
            name = _OPENRC.get(name, name)
        named.setdefault(name, value)
    return named


def _check_login(login: Mapping[str, Optional[str]]) -> None:
    """That one of the three ways to log in is complete."""
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
    """One poll's login: the token with its project and catalog."""

    def __init__(self, credentials: Credentials, poll: Any):
        self.credentials = credentials
        self.log = poll.log
        verify = credentials.verify
        tls = http.trust(credentials.login["cacert"], verify)
        web = http.session(poll.network, poll.traffic, verify=verify, tls=tls)
        self.auth = _plugin(credentials)
        self.auth.get_auth_ref = functools.partial(_log_in, self.auth.get_auth_ref)
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
        return self.access.project_name or self.access.project_id


def _check_token(access: Any) -> None:
    """Read all that is read of a token later on: keystoneauth takes any JSON for one, and any text for a time.

    Raises UnexpectedResponse where it is none.
    """
    try:
        texts = [access.user_id, access.project_id, access.project_name, access.username]
        if not all(each is None or isinstance(each, str) for each in [*texts, *access.role_names]):
            raise TypeError("a name or an id is no text")
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

    An error of the login must not look like one of the service that was asked: a 404 would be taken for a
    resource that is gone. Keystone answers 404 in its own words to a token that expired, was revoked or
    never was one, and to an application credential that was deleted.
    """
    try:
        access = get_auth_ref(session, **kwargs)
    except (AttributeError, KeyError, TypeError):
        raise UnexpectedResponse("Keystone's answer to the login is not a token") from None
    except ks_errors.NotFound as error:
        known = _by_status(error)
        if _is_keystones(error):
            known = InvalidCredentials(f"Keystone does not know the login: {known.message}")
        raise known from error
    except ks_errors.HttpError as error:
        raise _by_status(error) from error
    _check_token(access)
    return access


def _is_keystones(error: Any) -> bool:
    """Whether Keystone itself says so, and not a web server that has nothing at this URL."""
    body = http.json_or_none(error.response) if error.response is not None else None
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
    def all_projects(self) -> bool:
        return self.session.credentials.all_projects

    @property
    def project_id(self) -> str:
        return self.session.access.project_id

    @property
    def all_tenants(self) -> dict[str, Any]:
        """Nova's and Cinder's parameter for "of all projects"; Neutron's admin sees them unasked."""
        return {"all_tenants": 1} if self.all_projects else {}


def login(credentials: Credentials, poll: Any) -> Session:
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
    whose = "all projects" if session.credentials.all_projects else session.project
    return [
        Scope(f"{whose}/{region}", region, session)
        for region in regions
        if not wanted or region == wanted
    ]


def account(session: Session) -> str:
    """Project and user."""
    return f"{session.project} ({session.access.username or session.access.user_id})"


def get(
    scope: Scope,
    service: str,
    path: str,
    params: Optional[Mapping[str, Any]] = None,
    microversion: Optional[tuple[int, int]] = None,
) -> dict[str, Any]:
    """The JSON object that a service answers with. A 403 names the roles; a 404 is ``NotFound``."""
    answer = _answer(scope, service, "GET", path, params, microversion)
    if not isinstance(answer, dict):
        shown = http.without_query(_endpoint(scope, service) + path)
        raise UnexpectedResponse(f"{shown} should answer with an object")
    return answer


def post(
    scope: Scope, service: str, path: str, params: Mapping[str, Any], body: Mapping[str, Any]
) -> Any:
    """The JSON that a service answers with to a question that needs a body. Errors as of ``get``.

    NaN, which Gnocchi writes for the mean of nothing, is None.
    """
    return _answer(scope, service, "POST", path, params, body=body)


def _answer(
    scope: Scope,
    service: str,
    method: str,
    path: str,
    params: Optional[Mapping[str, Any]] = None,
    microversion: Optional[tuple[int, int]] = None,
    body: Optional[Mapping[str, Any]] = None,
) -> Any:
    url = _endpoint(scope, service) + path
    asked: dict[str, Any] = {
        "params": params or {},
        "headers": {"Accept": "application/json"},
    }
    if body is not None:
        asked["json"] = body
    if microversion and microversion > NOVA_OLDEST:
        asked["microversion"] = ".".join(map(str, microversion))
        asked["microversion_service_type"] = service
    try:
        response = scope.session.keystone.request(url, method, **asked)
    except ks_errors.Forbidden as error:
        access = scope.session.access
        raise InsufficientPermission(
            f"{service} {path} is not allowed for user {access.username or access.user_id} in project "
            f"{scope.session.project} with role {', '.join(access.role_names) or 'none'}"
            f" ({_role_needed(scope, service)})"
            f": {_said(error)}"
        ) from error
    except ks_errors.Unauthorized as error:
        raise _refused_after_login(scope, service, method, urlsplit(url).path, error) from error
    return http.json_of(response, nan=body is not None)


def _refused_after_login(
    scope: Scope, service: str, method: str, path: str, error: Any
) -> ConnectorError:
    """What a 401 means that came twice, the second time to a new token of a login that is good."""
    rules = getattr(scope.session.access, "application_credential_access_rules", None)
    if not isinstance(rules, list):
        return _by_status(error)
    allowed = [
        " ".join(str(rule.get(name)) for name in ("service", "method", "path"))
        for rule in rules
        if isinstance(rule, dict)
    ]
    return InsufficientPermission(
        f"{service}: the access rules of the application credential do not cover {method} {path} "
        f"(401 after a good login); they allow {', '.join(sorted(allowed)) or 'nothing'}"
    )


def _role_needed(scope: Scope, service: str) -> str:
    if scope.all_projects:
        return "all_projects needs role admin"
    return f"role {_READERS.get(service, 'reader')} is needed"


def _nothing() -> None:
    pass


def pages(
    scope: Scope,
    service: str,
    path: str,
    key: str,
    params: Optional[Mapping[str, Any]] = None,
    microversion: Optional[tuple[int, int]] = None,
    *,
    by: Sequence[str] = BY_ID,
    links: bool = True,
    restarted: Callable[[], None] = _nothing,
) -> Iterator[list[dict[str, Any]]]:
    """A listing page by page; ``key`` names the list in the answers.

    ``links=False`` is for a listing whose answers name no next page. Of the ``next`` link only the marker is taken: behind proxies the link often names another host or
    scheme, and the token must not go there.

    A marker that was deleted between two pages starts the listing anew, from its first page on, and
    ``restarted`` is called before that. Of records the engine drops what it then sees twice; a lookup
    is read by ``listed``. Services answer such a marker in three ways:

    - with an error: Nova, Glance and some lists of Neutron's 400 or 404, Cinder 404;
    - with the list's start, as if there were no marker: other lists of Neutron's (subnets, say) and
      Octavia's. What is left of the pages before is first in that list, so a page that begins with a
      record which came already is no next page. ``by`` names the fields that tell two records apart;
    - with nothing, as if the list were at its end: Neutron's FWaaS, VPNaaS, BGP VPN and L2 gateways.
      Where nothing follows a marker of Neutron's, it is asked whether that is still there.
    """
    for restart in range(RESTARTS + 1):
        if restart:
            restarted()
        marker: Optional[str] = None
        markers: set[str] = set()
        seen: set[tuple[str, ...]] = set()
        while True:
            asked = {"limit": PAGE_SIZE, **(params or {})}
            if marker:
                asked["marker"] = marker
            try:
                answer = get(scope, service, path, asked, microversion)
            except (BadRequest, NotFound):
                if marker is None or restart == RESTARTS:
                    raise
                break
            if answer.get(key) is None:  # null would pass for an empty list
                raise UnexpectedResponse(f"the answer of {service} {path} has no {key!r}")
            page = objects(answer, key)
            if marker and not page and service == "network":
                still = get(scope, service, path, {"id": marker, "fields": "id"})
                if not objects(still, key):
                    break
            if page and _identity(page[0], by) in seen:
                break
            yield page
            if links:
                marker = _next_marker(answer)
            else:
                marker = needed(page[-1], "id", str) if page else None
            if marker is None:
                return
            if marker in markers:
                raise UnexpectedResponse(f"{service} {path} pages in a loop (marker {marker})")
            markers.add(marker)
            seen.update(filter(None, (_identity(record, by) for record in page)))
    raise UnexpectedResponse(
        f"{service} {path} pages in a loop, or each marker is gone when it is asked for"
    )


def _identity(record: Mapping[str, Any], by: Sequence[str]) -> Optional[tuple[str, ...]]:
    """What tells a record from others of its list; None where it lacks that."""
    found = tuple(str(record.get(name) or "") for name in by)
    return found if all(found) else None


def offset_pages(
    scope: Scope,
    service: str,
    path: str,
    key: str,
    params: Optional[Mapping[str, Any]] = None,
    microversion: Optional[tuple[int, int]] = None,
    *,
    restarted: Callable[[], None] = _nothing,
) -> Iterator[list[dict[str, Any]]]:
    """A listing of Manila's, which pages by offset and ignores the markers that its own links name.

    A record that is deleted between two pages moves all others forward, and one would be missed: so
    each page begins with the last record of the one before. Where it does not, the listing starts anew,
    and ``restarted`` is called before that.
    Manila may answer with fewer than asked for, so the end is where nothing follows.
    """
    for restart in range(RESTARTS + 1):
        if restart:
            restarted()
        last, offset = None, 0
        while True:
            asked = {**(params or {}), "limit": PAGE_SIZE, "offset": offset}
            answer = get(scope, service, path, asked, microversion)
            if answer.get(key) is None:
                raise UnexpectedResponse(f"the answer of {service} {path} has no {key!r}")
            page = objects(answer, key)
            if last is not None:
                if not page or needed(page[0], "id", str) != last:
                    break
                page = page[1:]
            if not page:
                return
            yield page
            last, offset = needed(page[-1], "id", str), offset + len(page) - (last is None)
    raise UnexpectedResponse(
        f"{service} {path} changed between two pages, {RESTARTS + 1} times over"
    )


def listed(
    scope: Scope,
    service: str,
    path: str,
    key: str,
    params: Optional[Mapping[str, Any]] = None,
    microversion: Optional[tuple[int, int]] = None,
    *,
    by: Sequence[str] = BY_ID,
    walk: Callable[..., Iterator[list[dict[str, Any]]]] = pages,
    **more: Any,
) -> dict[Any, dict[str, Any]]:
    """A whole listing, as lookups need it: each record once, by its id.

    A listing that starts anew replaces what was read before, so that nothing deleted meanwhile stays.
    Where ``by`` names several fields, the keys are tuples of them. ``walk`` is ``pages``, which
    ``more`` goes to, or ``offset_pages``.
    """
    found: dict[Any, dict[str, Any]] = {}
    if walk is pages:
        more["by"] = by
    for page in walk(
        scope, service, path, key, params, microversion, restarted=found.clear, **more
    ):
        for record in page:
            names = tuple(needed(record, name, str) for name in by)
            found[names if len(names) > 1 else names[0]] = record
    return found


def _next_marker(answer: Mapping[str, Any]) -> Optional[str]:
    links = [
        field(link, "href", str)
        for name in answer
        if name.endswith("links")  # Nova's actions have no servers' name before it
        for link in objects(answer, name)
        if link.get("rel") == "next"
    ]
    links.append(field(answer, "next", str))
    for link in links:
        if link:
            markers = parse_qs(urlsplit(link).query).get("marker")
            if not markers:
                raise UnexpectedResponse("a 'next' link has no marker")
            return markers[0]
    return None


def few(ids: Optional[Collection[str]]) -> Optional[list[str]]:
    """The ids that are worth being asked for one by one; None: better list all (None: all are wanted).

    OpenStack's ids are UUIDs: what is none is nobody's.
    """
    if ids is None or len(ids) > FEW:
        return None
    return sorted(each for each in ids if _UUID.fullmatch(each))


def one_by_one(
    scope: Scope,
    service: str,
    path: str,
    key: str,
    ids: Iterable[str],
    microversion: Optional[tuple[int, int]] = None,
) -> Iterator[list[dict[str, Any]]]:
    """Of the records with these ids those that are there, a page each; ``key`` names one in its answer."""
    for each in ids:
        try:
            answer = get(scope, service, f"{path}/{each}", None, microversion)
        except NotFound:
            continue
        yield [needed(answer, key, dict)]


def offers(scope: Scope, service: str) -> bool:
    """Whether the catalog has the service in this region."""
    try:
        _endpoint(scope, service)
    except Absent:
        return False
    return True


def _endpoint(scope: Scope, service: str) -> str:
    """The service's URL in the catalog, with its version, without a slash at the end."""
    types, version = _SERVICES[service]
    interface = scope.session.credentials.interface
    for wanted in types:
        for entry in scope.session.catalog:
            if entry.get("type") != wanted:
                continue
            for endpoint in entry.get("endpoints", []):
                region = endpoint.get("region_id") or endpoint.get("region")
                if endpoint.get("interface") == interface and region == scope.region:
                    url = (endpoint.get("url") or "").rstrip("/")
                    if http.url_parts(url) is None:
                        raise UnexpectedResponse(
                            f"the catalog's {interface} URL of {wanted} in {region} is none"
                        )
                    has_version = _VERSION.fullmatch(url.rpartition("/")[2])
                    return url if has_version or not version else f"{url}/{version}"
    raise Absent(f"the catalog has no {interface} {types[0]} endpoint in {scope.region}")


def nova_microversion(scope: Scope) -> tuple[int, int]:
    """The newest microversion that this Nova and the servers cell both know (one call)."""
    url = _endpoint(scope, "compute")
    if url.endswith(f"/{scope.project_id}"):  # older catalogs: .../v2.1/PROJECT
        url = url.rpartition("/")[0]
    try:
        found = keystoneauth1.discover.Discover(scope.session.keystone, url)
        newest = [data.get("max_microversion") for data in found.version_data()]
        return min(NOVA_NEWEST, max((each for each in newest if each), default=NOVA_OLDEST))
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        # keystoneauth takes any JSON for a list of versions
        raise UnexpectedResponse(
            f"{http.without_query(url)} did not answer with its versions"
        ) from None


def project_of(record: Mapping[str, Any]) -> Optional[str]:
    """The project that a record belongs to (Neutron's older name for it is tenant)."""
    return field(record, "project_id", str) or field(record, "tenant_id", str)


def own(scope: Scope) -> dict[str, Any]:
    """Neutron's parameter for "of the polled project": an admin would see every project's."""
    return {} if scope.all_projects else {"tenant_id": scope.project_id}


def of_another_project(scope: Scope, record: Mapping[str, Any]) -> bool:
    """Whether the record says that it is neither of the polled project nor for everybody."""
    if scope.all_projects or record.get("shared") or record.get("router:external"):
        return False
    return project_of(record) not in (None, scope.project_id)


def networks(scope: Scope) -> dict[str, dict[str, Any]]:
    """By id the networks that the family of networks reports: what else connects to must be of these."""
    fields = ("id", "name", "project_id", "shared", "router:external")
    found = listed(scope, "network", "/networks", "networks", params={"fields": fields})
    return {each: found[each] for each in found if not of_another_project(scope, found[each])}


def extensions(scope: Scope) -> set[str]:
    """The aliases of the extensions that this Neutron has (one call)."""
    answer = get(scope, "network", "/extensions")
    if answer.get("extensions") is None:
        raise UnexpectedResponse("the answer of network /extensions has no 'extensions'")
    return {needed(each, "alias", str) for each in objects(answer, "extensions")}


def note(scope: Scope, message: str, **facts: str) -> None:
    """A line in the poll's log about the scope."""
    scope.session.log.info(message, scope=scope.name, **facts)


def finding(
    record: Mapping[str, Any],
    name: str,
    levels: Mapping[str, str],
    since: Optional[datetime.datetime] = None,
) -> Finding:
    """What the state in a field of the record means; a word that is not in ``levels`` is unknown."""
    word = field(record, name, str)
    if not word:
        return "unknown", f"no {name} is told", None
    return levels.get(word, "unknown"), f"{name} {word}", since


def unless_switched_off(record: Mapping[str, Any], findings: Sequence[Finding]) -> list[Finding]:
    """The findings; of a thing that somebody turned off no worse than that, for it is DOWN by intent."""
    if field(record, "admin_state_up", bool) is not False:
        return list(findings)
    milder = [
        ("warning" if level == "error" and not said.endswith("ERROR") else level, said, since)
        for level, said, since in findings
    ]
    return [("warning", "admin_state_up false", None), *milder]


def point(record: Mapping[str, Any], resource_type: str, findings: Sequence[Finding]) -> Point:
    """The status of a resource: the worst of what was found, and all that is not ok of it."""
    level = worst(each for each, _, _ in findings)
    said = [text for each, text, _ in findings if each != "ok"] or [findings[0][1]]
    since = next((since for each, _, since in findings if each == level), None)
    return Point(needed(record, "id", str), resource_type, level, "; ".join(said), since)


def name_of(record: Mapping[str, Any]) -> str:
    """The record's name, or else its id."""
    return field(record, "name", str) or needed(record, "id", str)


def require_network_rights(scope: Scope, records: Iterable[Mapping[str, Any]]) -> None:
    """Fail where the login's role means nothing to Neutron.

    Neutron answers such a role with 200 and what everybody may see: shared and external networks. A
    private record of the project (with ``all_projects``: of another project) proves the right. Without
    one it is asked for what every project has, a security group (with ``all_projects``: for what only
    an admin may list, the quotas).
    """
    for record in records:
        whose = project_of(record)
        public = record.get("shared") or record.get("router:external")
        if whose and not public and (whose != scope.project_id) == scope.all_projects:
            return
    roles = ", ".join(scope.session.access.role_names) or "none"
    try:
        if scope.all_projects:
            get(scope, "network", "/quotas")
            return
        asked = {"tenant_id": scope.project_id, "fields": "id", "limit": 1}
        if objects(get(scope, "network", "/security-groups", asked), "security_groups"):
            return
    except NotFound:
        return  # a cloud without this extension: no way to tell
    raise InsufficientPermission(
        f"network: role {roles} of the login does not let it see project {scope.session.project} "
        "(Neutron shows it not even the security group that each project has); role reader is needed"
    )


def least_rights(permissions: Iterable[str]) -> dict[str, Any]:
    """The role to give, and the policy rules that it has to cover."""
    policies = sorted(set(permissions))
    besides = {role: [p for p in policies if p.startswith(of)] for role, of in _BESIDES.items()}
    return {
        "role": "reader",
        "role_with_all_projects": "admin",
        "roles_where_reader_is_too_little": {role: of for role, of in besides.items() if of},
        "policies": policies,
    }


def classify(error: Exception) -> Optional[ConnectorError]:
    """What a keystoneauth exception means; None for what is not keystoneauth's."""
    if isinstance(error, ks_errors.connection.SSLError):
        return Unreachable(f"TLS failed: {error.message}")
    if isinstance(error, ks_errors.HttpError):
        return _by_status(error)
    if isinstance(error, (ks_errors.ConnectionError, ks_errors.DiscoveryFailure)):
        return Unreachable(str(error.message))
    if isinstance(error, (ks_errors.EmptyCatalog, ks_errors.EndpointNotFound)):
        return Absent(str(error.message))
    if isinstance(error, (ks_errors.AuthPluginException, ks_errors.AuthorizationFailure)):
        return InvalidCredentials(str(error.message))
    if isinstance(error, ks_errors.ClientException):
        return UnexpectedResponse(f"{type(error).__name__}: {error.message}")
    return None


def _by_status(error: Any) -> ConnectorError:
    status = error.http_status
    where = error.url or "the service"
    about = f"{where} answered {status}: {_said(error)}"
    if status == 401:
        return InvalidCredentials(about)
    if status == 403:
        return InsufficientPermission(about)
    if status in http.THROTTLED:
        return Throttled(about)
    if status >= 500 or status in http.TRANSIENT:
        return Unreachable(about)
    return UnexpectedResponse(about)


def _said(error: Any) -> str:
    """The service's own words: each nests its message under another name, some keystoneauth lacks."""
    body = http.json_or_none(error.response) if error.response is not None else None
    for name, each in body.items() if isinstance(body, dict) else ():
        if isinstance(each, dict) and isinstance(each.get("message"), str):
            return each["message"]
        if name == "faultstring" and isinstance(each, str):  # Octavia
            return each
    return str(error.message)
