"""OpenStack's services: their URLs in the catalog, one request, and listings page by page."""

import functools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable, Optional
from urllib.parse import parse_qs, urlsplit

import keystoneauth1.discover
import keystoneauth1.exceptions as ks_errors

from shared.engine.errors import (
    Absent,
    ConnectorError,
    InsufficientPermission,
    UnexpectedResponse,
)
from shared.providers.openstack.errors import BadRequest, NotFound, by_status, service_message
from shared.providers.openstack.session import Scope
from shared.records.fields import field, needed, objects
from shared.transport import http, sessions

PAGE_SIZE = 1000  # the largest page that the services answer with as shipped
FEW = 20  # records that are requested one by one; for more, a listing is cheaper
RESTARTS = 3  # of a listing whose marker was deleted between two pages
BY_ID = ("id",)
NOVA_NEWEST = (2, 96)  # the newest microversion that the servers cell was tested with
NOVA_OLDEST = (2, 1)
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
# The role that a service's own policy requires for reading a project, where it is not just reader.
_READERS = {"load-balancer": "reader, in older releases load-balancer_observer,"}


def offers(scope: Scope, service: str) -> bool:
    """Whether the catalog has the service in this region."""
    try:
        endpoint_url(scope, service)
    except Absent:
        return False
    return True


def endpoint_url(scope: Scope, service: str) -> str:
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
    url = endpoint_url(scope, "compute")
    if url.endswith(f"/{scope.project_id}"):  # older catalogs: .../v2.1/PROJECT
        url = url.rpartition("/")[0]
    try:
        discovery = keystoneauth1.discover.Discover(scope.session.keystone, url)
        newest = [data.get("max_microversion") for data in discovery.version_data()]
        return min(
            NOVA_NEWEST, max((version for version in newest if version), default=NOVA_OLDEST)
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        # keystoneauth takes any JSON for a list of versions
        raise UnexpectedResponse(
            f"{http.without_query(url)} did not answer with its versions"
        ) from None


def get(
    scope: Scope,
    service: str,
    path: str,
    params: Optional[Mapping[str, Any]] = None,
    microversion: Optional[tuple[int, int]] = None,
) -> dict[str, Any]:
    """The JSON object that a service answers with.

    Raises InsufficientPermission with the login's roles for a 403, ``NotFound`` for a 404 of the service, and
    UnexpectedResponse for a 404 as a page of HTML and where the answer is no object.
    """
    answer = _answer(scope, service, "GET", path, params, microversion)
    if not isinstance(answer, dict):
        shown = http.without_query(endpoint_url(scope, service) + path)
        raise UnexpectedResponse(f"{shown} should answer with an object")
    return answer


def post(
    scope: Scope, service: str, path: str, params: Mapping[str, Any], body: Mapping[str, Any]
) -> Any:
    """The JSON that a service answers with to a query that needs a body. Raises the same errors as ``get``.

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
    url = endpoint_url(scope, service) + path
    options: dict[str, Any] = {
        "params": params or {},
        "headers": {"Accept": "application/json"},
    }
    if body is not None:
        options["json"] = body
    if microversion and microversion > NOVA_OLDEST:
        options["microversion"] = ".".join(map(str, microversion))
        options["microversion_service_type"] = service
    try:
        response = scope.session.keystone.request(url, method, **options)
    except ks_errors.Forbidden as error:
        access = scope.session.access
        raise InsufficientPermission(
            f"{service} {path} is not allowed for user {access.username or access.user_id} in project "
            f"{scope.session.project} with role {', '.join(access.role_names) or 'none'}"
            f" ({_role_needed(scope, service)})"
            f": {service_message(error)}"
        ) from error
    except ks_errors.Unauthorized as error:
        raise _refused_after_login(scope, service, method, urlsplit(url).path, error) from error
    except ks_errors.NotFound as error:
        # Asked for JSON, no service that is listed answers in HTML (checked with Nova 34, Neutron 29, Cinder 29, Glance 33
        # and Octavia 19; Keystone alone does); what stands in front of it does.
        kind = error.response.headers.get("Content-Type", "") if error.response is not None else ""
        if "html" in kind:
            raise by_status(error) from error
        raise
    return sessions.json_of(response, nan=body is not None)


def _refused_after_login(
    scope: Scope, service: str, method: str, path: str, error: Any
) -> ConnectorError:
    """What a 401 means that came twice: keystoneauth had renewed the token before the second one."""
    rules = getattr(scope.session.access, "application_credential_access_rules", None)
    if not isinstance(rules, list):
        return by_status(error)
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

    Only the marker is taken from a ``next`` link: behind proxies the link often names another host or
    scheme, and the token must not go there. ``links=False`` is for a listing whose answers have no such
    link.

    Where a marker was deleted between two pages, the listing starts again from its first page, and
    ``restarted`` is called before that. The engine drops the records that then come twice; lookups use
    ``listed``. Services answer a deleted marker in three ways:

    - with an error: Nova, Glance and some lists of Neutron 400 or 404, Cinder 404;
    - with the start of the list, as if there were no marker: other lists of Neutron (subnets, for
      instance) and those of Octavia. That list begins with a record of an earlier page, so a page that
      does is not the next one. ``by`` names the fields that distinguish two records;
    - with nothing, as if this were the end: FWaaS, VPNaaS, BGP VPN and L2 gateways of Neutron. Where
      nothing follows a marker of Neutron, one more request shows whether the marker still exists.
    """
    why = ""
    for restart in range(RESTARTS + 1):
        if restart:
            restarted()
        try:
            yield from _pages_once(scope, service, path, key, params, microversion, by, links)
            return
        except _MarkerDeleted as deleted:
            why = deleted.why
        except NotFound as error:
            if not restart:
                raise
            why = f": {service_message(error)}"
            break  # the service has this listing: it has just answered
    # Not the service's own 404, which callers take for a service without this listing.
    raise UnexpectedResponse(
        f"{service} {path} pages in a loop, or each marker is deleted before it is used{why}"
    )


class _MarkerDeleted(Exception):
    """``why``: the service's own words, where it answered with an error."""

    def __init__(self, why: str = ""):
        super().__init__("a marker was deleted between two pages")
        self.why = why


def _pages_once(
    scope: Scope,
    service: str,
    path: str,
    key: str,
    params: Optional[Mapping[str, Any]],
    microversion: Optional[tuple[int, int]],
    by: Sequence[str],
    links: bool,
) -> Iterator[list[dict[str, Any]]]:
    """The pages of ``pages``, until the end or until a marker no longer exists."""
    marker: Optional[str] = None
    markers: set[str] = set()
    seen: set[tuple[str, ...]] = set()
    while True:
        query = {"limit": PAGE_SIZE, **(params or {})}
        if marker:
            query["marker"] = marker
        try:
            response = get(scope, service, path, query, microversion)
        except (BadRequest, NotFound) as error:
            if marker is None:
                raise
            raise _MarkerDeleted(f": {service_message(error)}") from error
        page = _records(response, service, path, key)
        if marker and not page and service == "network":
            still = get(scope, service, path, {"id": marker, "fields": "id"})
            if not objects(still, key):
                raise _MarkerDeleted
        if page and _identity(page[0], by) in seen:
            raise _MarkerDeleted
        yield page
        marker = _next_marker(response) if links else _last_id(page)
        if marker is None:
            return
        if marker in markers:
            raise UnexpectedResponse(f"{service} {path} pages in a loop (marker {marker})")
        markers.add(marker)
        seen.update(_identities(page, by))


def _records(
    response: Mapping[str, Any], service: str, path: str, key: str
) -> list[dict[str, Any]]:
    if response.get(key) is None:  # null would pass for an empty list
        raise UnexpectedResponse(f"the answer of {service} {path} has no {key!r}")
    return objects(response, key)


def _identity(record: Mapping[str, Any], by: Sequence[str]) -> Optional[tuple[str, ...]]:
    """The fields that distinguish a record from others of its list; None where one is missing."""
    values = tuple(str(record.get(name) or "") for name in by)
    return values if all(values) else None


def _identities(page: Sequence[Mapping[str, Any]], by: Sequence[str]) -> set[tuple[str, ...]]:
    """Those of a page's records."""
    columns = [[record.get(name) for record in page] for name in by]
    if all(type(value) is str and value for column in columns for value in column):
        return set(zip(*columns))  # the usual case
    return set(filter(None, (_identity(record, by) for record in page)))


def _last_id(page: Sequence[Mapping[str, Any]]) -> Optional[str]:
    return needed(page[-1], "id", str) if page else None


def _next_marker(answer: Mapping[str, Any]) -> Optional[str]:
    urls = [
        field(link, "href", str)
        for name in answer
        if name.endswith("links")  # "links" of Nova's actions, else "servers_links" and so on
        for link in objects(answer, name)
        if link.get("rel") == "next"
    ]
    urls.append(field(answer, "next", str))
    for url in urls:
        if url:
            markers = parse_qs(urlsplit(url).query).get("marker")
            if not markers:
                raise UnexpectedResponse("a 'next' link has no marker")
            return markers[0]
    return None


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
    """A listing of Manila, which pages by offset and ignores the markers that its own links name.

    A record that is deleted between two pages moves all others forward, and one would be missed. So
    each page begins with the last record of the page before; where it does not, the listing starts
    again, and ``restarted`` is called before that. Manila may answer with fewer records than the limit,
    so the end is where nothing follows.
    """
    for restart in range(RESTARTS + 1):
        if restart:
            restarted()
        last, offset = None, 0
        while True:
            query = {**(params or {}), "limit": PAGE_SIZE, "offset": offset}
            try:
                response = get(scope, service, path, query, microversion)
            except NotFound:
                if last is None:
                    raise
                break  # a later page can't be what shows that there is no such listing
            page = _records(response, service, path, key)
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
    keep: Collection[str] = (),
    walk: Callable[..., Iterator[list[dict[str, Any]]]] = pages,
    **more: Any,
) -> dict[Any, dict[str, Any]]:
    """A whole listing, as lookups need it: each record once, by its id.

    A listing that starts again replaces what was read before, so that nothing that was deleted meanwhile stays.
    Where ``by`` names several fields, the keys are tuples of them. ``keep`` names the fields to keep of each
    record, where the service can't be asked for these alone; all by default. ``walk`` is ``pages``, which gets
    ``more``, or ``offset_pages``.
    """
    records: dict[Any, dict[str, Any]] = {}
    if walk is pages:
        more["by"] = by
    for page in walk(
        scope, service, path, key, params, microversion, restarted=records.clear, **more
    ):
        if len(by) == 1:
            keys: list[Any] = [needed(record, by[0], str) for record in page]
        else:
            keys = [tuple(needed(record, name, str) for name in by) for record in page]
        if keep:
            page = [{name: record[name] for name in keep if name in record} for record in page]
        records.update(zip(keys, page))
    return records


def few(ids: Optional[Collection[str]]) -> Optional[list[str]]:
    """The ids, where they are few enough to be requested one by one; None where a listing is cheaper.

    ``ids`` None stands for all records. OpenStack's ids are UUIDs: what is not one is nobody's id.
    """
    if ids is None or len(ids) > FEW:
        return None
    return sorted(record_id for record_id in ids if _UUID.fullmatch(record_id))


def one_by_one(
    scope: Scope,
    service: str,
    path: str,
    key: str,
    ids: Iterable[str],
    microversion: Optional[tuple[int, int]] = None,
) -> Iterator[list[dict[str, Any]]]:
    """The records with these ids that exist, one a page; ``key`` names the record in an answer."""

    def one(record_id: str) -> list[dict[str, Any]]:
        try:
            answer = get(scope, service, f"{path}/{record_id}", None, microversion)
        except NotFound:
            return []
        return [needed(answer, key, dict)]

    return filter(None, scope.workers.ahead(functools.partial(one, each) for each in ids))
