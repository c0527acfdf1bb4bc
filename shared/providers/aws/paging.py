"""Calls to AWS: page by page, whole listings, filtered listings, single calls, and several calls at a time."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Callable, Optional, TypeVar

import botocore.exceptions as aws_errors

from shared.engine.errors import UnexpectedResponse
from shared.providers.aws import plans
from shared.providers.aws.errors import (
    error_code,
    is_missing_id,
    is_missing_service,
    is_old_page_token,
    may_be_gone,
)
from shared.providers.aws.session import Scope
from shared.records.fields import field, objects
from shared.transport import http

T = TypeVar("T")
R = TypeVar("R")
PAGE_SIZE = 1000
VALUES_A_FILTER = 200  # EC2's limit
RESTARTS = 3  # of a listing whose page token the service no longer accepts
# The services' names for the page token (in the request: in the response) and for the size of a page.
TOKENS = {"NextToken": "NextToken", "nextToken": "nextToken", "Marker": "NextMarker"}
_SIZES = ("MaxResults", "maxResults", "PageSize", "MaxItems")


def _nothing() -> None:
    pass


def _whole_record(record: dict[str, Any]) -> dict[str, Any]:
    return record


def pages(
    scope: Scope,
    service: str,
    operation: str,
    key: str,
    *,
    page_size: int = PAGE_SIZE,
    reads: plans.Reads = plans.ALL,
    restarted: Callable[[], None] = _nothing,
    **params: Any,
) -> Iterator[list[dict[str, Any]]]:
    """A listing, page by page: the list under ``key`` of each response.

    ``reads`` names the members that the caller reads, where the records have many others (plans.py). It is for EC2's
    and query responses; all members are there nevertheless in records that no plan can read.
    """
    for page in answers(
        scope,
        service,
        operation,
        key,
        page_size=page_size,
        reads=reads,
        restarted=restarted,
        **params,
    ):
        yield objects(page, key)


def listed(
    scope: Scope,
    service: str,
    operation: str,
    key: str,
    *,
    keep: Callable[[dict[str, Any]], Any] = _whole_record,
    walk: Callable[..., Iterator[list[dict[str, Any]]]] = pages,
    **params: Any,
) -> list[Any]:
    """A whole listing in one list: of what ``keep`` returns for a record, or of the records themselves.

    A listing that starts again replaces what was read before: it has no record twice, and none that was deleted in
    the meantime. ``walk`` is ``pages`` or ``offered_pages``.
    """
    records: list[Any] = []
    for page in walk(scope, service, operation, key, restarted=records.clear, **params):
        records.extend(map(keep, page))
    return records


def answers(
    scope: Scope,
    service: str,
    operation: str,
    key: str,
    *,
    page_size: int = PAGE_SIZE,
    reads: plans.Reads = plans.ALL,
    restarted: Callable[[], None] = _nothing,
    **params: Any,
) -> Iterator[dict[str, Any]]:
    """The responses of a listing, one a page; their list is under ``key``.

    An operation without pages gives one response. Where the service no longer accepts a page token, the listing
    starts again: the engine drops records that it gets twice, and ``restarted`` is called first, so that a caller
    who collects the pages can forget them, as ``listed`` does.

    Raises UnexpectedResponse for a page token that comes a second time (a loop), and for a response without
    the list, which services send even where it is empty.
    """
    client = scope.session.client(service, scope.name)
    known = parameters(client, operation)
    parameter = next((name for name in TOKENS if name in known), None)
    params.update({name: page_size for name in _SIZES if parameter and name in known})
    for restart in range(RESTARTS + 1):
        tokens: set[str] = set()
        more: dict[str, str] = {}
        try:
            while True:
                with plans.reading(reads):
                    page = getattr(client, operation)(**params, **more)
                if key not in page:
                    raise UnexpectedResponse(f"{_where(client)}: {operation} gave no {key}")
                yield page
                token = field(page, TOKENS[parameter], str) if parameter else None
                if not parameter or not token:
                    return
                if token in tokens:
                    raise UnexpectedResponse(f"{_where(client)}: {operation} pages in a loop")
                tokens.add(token)
                more = {parameter: token}
        except aws_errors.ClientError as error:
            if not is_old_page_token(error) or restart == RESTARTS:
                raise
            restarted()


def filtered(
    scope: Scope, operation: str, key: str, name: str, values: Collection[str], **params: Any
) -> Iterator[list[dict[str, Any]]]:
    """EC2's listing of the records for which the filter ``name`` has one of the values."""
    ordered = sorted(values)
    accepted = parameters(scope.session.client("ec2", scope.name), operation)
    filters = "Filters" if "Filters" in accepted else "Filter"  # DescribeNatGateways
    for start in range(0, len(ordered), VALUES_A_FILTER):
        batch = ordered[start : start + VALUES_A_FILTER]
        params[filters] = [{"Name": name, "Values": batch}]
        yield listed(scope, "ec2", operation, key, **params)


def requested_pages(
    scope: Scope,
    operation: str,
    key: str,
    name: str,
    ids: Optional[Collection[str]],
    prefix: str = "",
    *,
    restarted: Callable[[], None] = _nothing,
    **params: Any,
) -> Iterator[list[dict[str, Any]]]:
    """EC2's listing: of the requested ids by a filter where they are few, else all of it (``ids`` None: all).

    By a filter, because one unknown id in a list of ids would fail the call. ``prefix`` is that of the ids in
    this listing; requested ids with another prefix are left out.
    """
    candidates = None if ids is None else [name for name in ids if name.startswith(prefix)]
    if candidates is None or len(candidates) > VALUES_A_FILTER:
        return pages(scope, "ec2", operation, key, restarted=restarted, **params)
    return filtered(scope, operation, key, name, candidates, **params)


def by_ids(
    scope: Scope,
    operation: str,
    key: str,
    name: str,
    ids: Collection[str],
    at_once: int,
    **params: Any,
) -> Iterator[list[dict[str, Any]]]:
    """EC2's records of these ids, for an operation that has a list of ids (``name``) but no filter for them.

    The ids come from another listing. Where one of them was deleted since, the call fails for all of them: then
    there is one call for each id.
    """
    ordered = sorted(ids)
    for start in range(0, len(ordered), at_once):
        batch = ordered[start : start + at_once]
        try:
            response = call(scope, "ec2", operation, **{name: batch}, **params)
        except aws_errors.ClientError as error:
            if not is_missing_id(error):
                raise
            if len(batch) > 1:
                for identifier in batch:
                    yield from by_ids(scope, operation, key, name, [identifier], 1, **params)
            continue
        yield objects(response, key)


def offered_pages(
    scope: Scope, service: str, operation: str, key: str, **params: Any
) -> Iterator[list[dict[str, Any]]]:
    """``pages`` of a service that not every region has: where it is missing no pages, but a line in the log.

    A region has the service if botocore lists it, if the service's host name there can be resolved, or if the
    account has its own ``endpoint_url``; unless the first response is an error that says otherwise.
    """
    session = scope.session
    if not session.credentials.endpoint_url and not session.offers(service, scope.name):
        session.note("absent", scope=scope.name, service=service)
        return
    listing = pages(scope, service, operation, key, **params)
    try:
        first = next(listing, None)
    except aws_errors.ClientError as error:
        if not is_missing_service(error, service):
            raise
        session.note("absent", scope=scope.name, service=service, why=error_code(error))
        return
    if first is not None:
        yield first
        yield from listing


def call(scope: Scope, service: str, operation: str, **params: Any) -> dict[str, Any]:
    """The response of an operation without pages."""
    response: dict[str, Any] = getattr(scope.session.client(service, scope.name), operation)(
        **params
    )
    return response


def for_each(scope: Scope, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """The function's result for each item, in their order. A few run at a time: each makes a call or more."""
    return scope.workers.map(function, items)


def for_each_left(
    scope: Scope, function: Callable[[T], R], items: Iterable[T]
) -> list[tuple[T, R]]:
    """Pairs of an item and the function's result, without items that were deleted since they were listed."""

    def look_up(item: T) -> list[tuple[T, R]]:
        with may_be_gone():
            return [(item, function(item))]
        return []

    return [pair for pairs in for_each(scope, look_up, items) for pair in pairs]


def parameters(client: Any, operation: str) -> Collection[str]:
    """The names of an operation's parameters."""
    name = client.meta.method_to_api_mapping[operation]
    shape = client.meta.service_model.operation_model(name).input_shape
    return shape.members if shape else ()


def _where(client: Any) -> str:
    return http.without_query(client.meta.endpoint_url)
