"""An upstream in short pages: what another upstream has, but no more than so many records in one response.

Servers do this when their operator sets a low page limit. A cassette mostly has one page of a listing, and what goes wrong
between two pages goes unseen with one. It is a simulation: the records are those of the recorded responses; how a
page ends and what the request for the next one says is made here, after the services' API references. Listings whose
recorded responses are pages already are left as they are.
"""

import dataclasses
import json
import xml.etree.ElementTree as ElementTree
from typing import Any, Optional
from urllib.parse import parse_qsl

from tests.fakes.openstack import LINKS, WITHOUT_LINKS
from tests.faults.upstream import Recorded, Request, Response

# What a request for a later page says more than the one for the first page.
_AFTER = ("id__gt", "marker", "NextToken", "nextToken", "Marker")
# AWS, by the parameter for the size of a page: the name of the token in the response.
_TOKENS = {
    "MaxResults": "nextToken",
    "maxResults": "nextToken",
    "PageSize": "NextMarker",
    "MaxItems": "NextMarker",
}


class Paged:
    """``upstream`` with at most ``size`` records a response, for the providers that page."""

    def __init__(self, upstream: Any, provider: str, size: int):
        self._upstream, self._size = upstream, size
        self._split = _PROVIDERS.get(provider)
        self._whole: dict[Any, Response] = {}
        self._pages: dict[Any, Any] = {}  # that were cut already

    def __getattr__(self, name: str) -> Any:
        return getattr(self._upstream, name)

    def rewind(self) -> None:
        self._upstream.rewind()
        self._whole.clear()

    def response(self, request: Request) -> Response:
        """A page; all pages of a listing are cut from the response to the request for its first one."""
        first, after = self._first(request)
        if after is not None:
            page: Response = self._page(first, self._whole[Recorded.key(first)], after)
            return page
        whole = self._upstream.response(request)
        page = self._split and whole.status == 200 and self._page(request, whole, None)
        if not page:
            return whole
        self._whole[Recorded.key(request)] = whole
        return page

    def _page(self, first: Request, whole: Response, after: Optional[str]) -> Any:
        key = Recorded.key(first), whole, after
        if key not in self._pages:
            self._pages[key] = self._split(first, whole, after, self._size)
        return self._pages[key]

    def taken_back(self, request: Request) -> None:
        first, after = self._first(request)
        if after is None:
            self._upstream.taken_back(first)

    def _first(self, request: Request) -> "tuple[Request, Optional[str]]":
        """The request for the listing's first page, and what the page is to come after; None if it is that page."""
        sent = request.path + request.body.decode("latin-1")
        for name in _AFTER:
            if name not in sent:
                continue
            for found in (_without_in_path(request, name), _without_in_body(request, name)):
                if found and Recorded.key(found[0]) in self._whole:
                    return found
        return request, None


def _without_in_path(request: Request, name: str) -> "Optional[tuple[Request, str]]":
    """The request without this parameter, and the parameter's value; None if the request has no such parameter."""
    path, _, query = request.path.partition("?")
    value = dict(parse_qsl(query)).get(name)
    if value is None:
        return None
    return dataclasses.replace(request, path=f"{path}?{_left(query, name)}"), value


def _without_in_body(request: Request, name: str) -> "Optional[tuple[Request, str]]":
    """The same of a parameter in a form or in JSON."""
    text = request.body.decode("latin-1")
    if text.startswith("{"):
        document = json.loads(text)
        value = document.pop(name, None)
        left = json.dumps(document)
    else:
        value = dict(parse_qsl(text)).get(name)
        left = _left(text, name)
    if value is None:
        return None
    return dataclasses.replace(request, body=left.encode("latin-1")), value


def _left(query: str, name: str) -> str:
    return "&".join(part for part in query.split("&") if part.partition("=")[0] != name)


# --- one provider's pages -----------------------------------------------------------------------------------------


def _netbox(request: Request, whole: Response, after: Optional[str], size: int) -> Any:
    """https://netboxlabs.com/docs/netbox/integrations/rest-api/#pagination"""
    body = json.loads(whole.body)
    if not isinstance(body, dict) or "results" not in body or body.get("next"):
        return None
    if after is None and "id__gt=" in request.path:
        return None  # a page already
    following = [each for each in body["results"] if after is None or each["id"] > int(after)]
    more = f"http://{request.host}{request.path}&offset={size}" if len(following) > size else None
    body.update(count=len(following), next=more, results=following[:size])
    return dataclasses.replace(whole, body=json.dumps(body).encode())


def _openstack(request: Request, whole: Response, after: Optional[str], size: int) -> Any:
    """https://docs.openstack.org/api-guide/compute/paginated_collections.html"""
    path, _, query = request.path.partition("?")
    body = json.loads(whole.body) if "limit=" in query else None
    names = [name for name, value in (body or {}).items() if _have_ids(value)]
    if len(names) != 1 or "offset=" in query or path.rpartition("/")[2] in WITHOUT_LINKS:
        return None
    name, records = names[0], body[names[0]]
    link_name = LINKS.get(name, f"{name}_links")
    if "next" in body or any(link["rel"] == "next" for link in body.get(link_name, ())):
        return None  # a page already
    ids = [each["id"] for each in records]
    start = ids.index(after) + 1 if after else 0
    body[name] = records[start : start + size]
    if start + size < len(records):
        href = f"{path}?{query}&marker={body[name][-1]['id']}"
        if "/images" in path:
            body["next"] = href
        else:
            link = {"rel": "next", "href": f"http://{request.host}{href}"}
            body[link_name] = [link]
    return dataclasses.replace(whole, body=json.dumps(body).encode())


def _have_ids(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(e, dict) and "id" in e for e in value)


def _aws(request: Request, whole: Response, after: Optional[str], size: int) -> Any:
    """A listing whose request has a size of its pages; the token is the place of the page's first record.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html#api-pagination
    """
    sent = request.path + request.body.decode("latin-1")
    if b"Action=DescribeInstances&" in request.body:
        return None  # each page has its own request for the types, and recorded are those of the whole listing
    token = next((token for size_name, token in _TOKENS.items() if size_name in sent), None)
    if token is None:
        return None
    cut = _xml if whole.body.lstrip().startswith(b"<") else _json
    return cut(whole, token, int(after or 0), size)


def _json(whole: Response, token: str, start: int, size: int) -> Any:
    document = json.loads(whole.body)
    names = [name for name, value in document.items() if isinstance(value, list)]
    if len(names) != 1:
        return None
    (name,) = names
    if name[0].isupper():  # Network Manager: nextToken in the request, NextToken in the response
        token = token[0].upper() + token[1:]
    if document.get(token):
        return None
    records = document[name]
    document[name] = records[start : start + size]
    if start + size < len(records):
        document[token] = str(start + size)
    return dataclasses.replace(whole, body=json.dumps(document).encode())


def _xml(whole: Response, token: str, start: int, size: int) -> Any:
    root = ElementTree.fromstring(whole.body)  # noqa: S314 - a cassette's
    space = ""
    if root.tag.startswith("{"):
        space = root.tag.partition("}")[0] + "}"
        ElementTree.register_namespace("", space[1:-1])  # without which tags get a prefix
    result = next((each for each in root if each.tag.endswith("Result")), root)
    lists = [
        each for each in result if len(each) and each[0].tag in (f"{space}item", f"{space}member")
    ]
    if len(lists) != 1 or result.findtext(space + token):
        return None
    records = list(lists[0])
    for record in records[:start] + records[start + size :]:
        lists[0].remove(record)
    if start + size < len(records):
        ElementTree.SubElement(result, space + token).text = str(start + size)
    return dataclasses.replace(whole, body=ElementTree.tostring(root))


_PROVIDERS = {"aws": _aws, "netbox": _netbox, "openstack": _openstack}
