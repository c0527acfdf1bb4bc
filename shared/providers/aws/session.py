"""AWS: botocore sessions from the event's credentials only, and the account's enabled regions.

botocore alone, not boto3: nothing of what boto3 adds is used, and it costs size and import time.

Retries are ours (shared/transport/http.py), hooked into botocore's ``needs-retry`` event, so that none outlives
the deadline: botocore's own know no deadline, and its defaults changed between releases.
"""

import contextlib
import dataclasses
import fnmatch
import functools
import html
import os
import re
import socket
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any, Callable, Optional, TypeVar
from urllib.parse import urlsplit

import botocore.config
import botocore.configprovider
import botocore.exceptions as aws_errors
import botocore.loaders
import botocore.parsers
import botocore.session
from botocore.utils import parse_timestamp

from shared.engine.errors import (
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
    header_credential,
    needed_credential,
    text_credential,
)
from shared.engine.network import Network
from shared.engine.workers import Workers
from shared.records.fields import field, needed, objects, parse_time
from shared.transport import decode, http

T = TypeVar("T")
R = TypeVar("R")

PAGE_SIZE = 1000
VALUES_A_FILTER = 200  # EC2's limit
RESTARTS = 3  # of a listing whose page token the service no longer takes
ERROR_BYTES = 65_536  # of an answer, in which its error code is looked for

# The region that answers for the whole account, by partition.
_HOME = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
_CONSOLE = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}

# Error codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
_WRONG_CREDENTIALS = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
    "Blocked",
    "PendingVerification",
}
# What keys of another partition are answered with: only the own one knows them.
_UNKNOWN_KEY = {
    "AuthFailure",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
}
_CLOCK = {"RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"}
_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "UnauthorizedAccess",
    "NotAuthorized",
}
_THROTTLED = {
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_UNAVAILABLE = {
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "Unavailable",
}
# The account may not use the service at all: it is not activated yet, or suspended.
_NOT_SUBSCRIBED = {"OptInRequired", "SubscriptionRequiredException"}
# The codes by which a service says that the account's region does not have it. Only services that an
# account can be without; where another one answers so, its records would look deleted.
_ABSENT = {
    service: _NOT_SUBSCRIBED | {"UnsupportedOperation.RegionNotSupported"}
    for service in ("directconnect", "network-firewall")
}
# How an answer begins and ends, by the protocol: XML in an element named after the operation, or JSON.
_XML = (
    re.compile(rb"\s*(<\?xml[^>]*>\s*)?<\w+Response[\s>]"),
    re.compile(rb"</\w+Response>\s*$"),
)
_JSON = (re.compile(rb"\s*\{"), re.compile(rb"\}\s*$"))
_ANSWERS = {"ec2": _XML, "query": _XML, "json": _JSON, "rest-json": _JSON}
# The error code and the message of a refused request, as far as they can be read without parsing it.
_ERROR_TYPE = re.compile(rb'<Code>\s*([\w.]+)\s*</Code>|"__type"\s*:\s*"([^"]+)"')
_ERROR_CODE = re.compile(rb'"[Cc]ode"\s*:\s*"([^"]+)"')
_ERROR_MESSAGE = re.compile(rb'<Message>([^<]*)</Message>|"[Mm]essage"\s*:\s*"((?:[^"\\]|\\.)*)"')
_CODE = re.compile(r"[A-Za-z][\w.:-]{0,99}|HTTP \d+")
# What the services call the page token and the size of a page.
_TOKENS = {"NextToken": "NextToken", "nextToken": "nextToken", "Marker": "NextMarker"}
_SIZES = ("MaxResults", "maxResults", "PageSize", "MaxItems")
# What IAM calls a service, where requests to it are signed for another name.
_IAM = {"monitoring": "cloudwatch"}
_GONE = {
    "FileSystemNotFound",
    "LoadBalancerNotFound",
    "MountTargetNotFound",
    "ResourceNotFoundException",
    "TargetGroupNotFound",
}
_OLD_PAGE_TOKEN = {"InvalidNextToken", "InvalidPaginationToken", "InvalidPagination"}
_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
# botocore's own service models, read once a process: reading EC2's is most of what a client costs. Models
# that the host keeps elsewhere (AWS_DATA_PATH, ~/.aws/models) are not used.
_MODELS = botocore.loaders.Loader(
    extra_search_paths=[botocore.loaders.Loader.BUILTIN_DATA_PATH],
    include_default_search_paths=False,
)
_UNREACHED = (
    aws_errors.HTTPClientError,
    aws_errors.ConnectionError,
    aws_errors.EndpointConnectionError,
)


@dataclasses.dataclass(frozen=True)
class Credentials:
    """The event's credentials. ``key_id`` is None only with the host's own (ambient) ones."""

    key_id: Optional[str] = dataclasses.field(repr=False)
    secret: Optional[str] = dataclasses.field(repr=False)
    token: Optional[str] = dataclasses.field(repr=False)
    role_arn: Optional[str]
    external_id: Optional[str] = dataclasses.field(repr=False)
    regions: tuple[str, ...]
    endpoint_url: Optional[str]
    cacert: Optional[str]
    verify: bool


def credentials(raw: Mapping[str, Any], ambient: bool) -> Credentials:
    """The credentials of an event, checked; see the README for the keys."""
    own = ambient and not raw.get("aws_access_key_id") and not raw.get("aws_secret_access_key")
    endpoint_url = text_credential(raw, "endpoint_url")
    if endpoint_url:
        http.checked_url(endpoint_url, "endpoint_url", "the API")
    role_arn = text_credential(raw, "role_arn")
    if role_arn and len(role_arn.split(":")) != 6:
        raise InvalidEvent("credentials.role_arn should be an ARN (arn:aws:iam::ACCOUNT:role/NAME)")
    cacert = text_credential(raw, "cacert")
    verify = flag_credential(raw, "verify", True)
    http.trust(cacert, verify)
    key_id = header_credential(raw, "aws_access_key_id")
    return Credentials(
        key_id=None if own else key_id or needed_credential(raw, "aws_access_key_id"),
        secret=None if own else needed_credential(raw, "aws_secret_access_key"),
        token=header_credential(raw, "aws_session_token"),
        role_arn=role_arn,
        external_id=text_credential(raw, "external_id"),
        regions=_region_patterns(raw.get("regions")),
        endpoint_url=endpoint_url,
        cacert=cacert,
        verify=verify,
    )


def _region_patterns(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise InvalidEvent("credentials.regions should be a list of names, or comma-separated text")
    return tuple(each.strip() for each in given if each.strip())


class Session:
    """One poll's login: botocore clients by service and region, made once each."""

    def __init__(self, credentials: Credentials, poll: Any):
        self.credentials = credentials
        self.workers: Workers = poll.workers
        self._poll = poll
        self._network: Network = poll.network
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}
        self._account_lock = threading.Lock()
        self._account = ""
        self._botocore = _botocore_session(credentials)
        self.home = _home_region(credentials)
        self.regions: list[str] = []  # that are polled; ``scopes`` finds them out
        self.partition = self._botocore.get_partition_for_region(self.home)

    def client(self, service: str, region: str) -> Any:
        """The client; botocore's sessions are not safe to share by threads, its clients are."""
        with self._lock:
            made = self._clients.get((service, region))
            if made is None:
                made = self._clients[service, region] = self._make(service, region)
        return made

    def _make(self, service: str, region: str) -> Any:
        deadline = self._poll.deadline
        _speak_json(self._botocore, service)
        client = self._botocore.create_client(
            service,
            region_name=region,
            endpoint_url=self.credentials.endpoint_url,
            verify=self.credentials.verify,
            config=botocore.config.Config(
                connect_timeout=deadline.timeout(http.CONNECT_TIMEOUT_S),
                read_timeout=deadline.timeout(http.READ_TIMEOUT_S),
                max_pool_connections=http.POOL,
                retries={"mode": "standard", "total_max_attempts": 1},
                ignore_configured_endpoint_urls=self.credentials.key_id is not None,
            ),
        )
        http_session = client._endpoint.http_session
        self._connect_by_network(http_session)
        begin, end = _ANSWERS[client.meta.service_model.metadata["protocol"]]
        signing_name = client.meta.service_model.signing_name
        throttle = _Throttle(self._network)

        def before_send(request: Any, event_name: str, **_: Any) -> Any:
            throttle.wait()
            self._before_send(request)
            try:
                response = http_session.send(request)
            except aws_errors.HTTPClientError as error:  # botocore wraps what it does not know
                cause = error.kwargs.get("error")
                raise (cause if isinstance(cause, ConnectorError) else error) from None
            if response.status_code >= 300:
                raise _refusal(request, response, event_name.rpartition(".")[2], signing_name)
            return _whole(request, response, begin, end)

        client.meta.events.register_first("before-send.*", before_send)
        needs_retry = functools.partial(self._needs_retry, throttle)
        client.meta.events.register_last("needs-retry.*", needs_retry)
        return client

    def _connect_by_network(self, http_session: Any) -> None:
        """Have botocore's HTTP session connect as all others do, and trust the account's CA.

        It has no parameters for either, and of its pools the proxies' are made later.
        """
        pools = http_session._pool_classes_by_scheme
        pools.update(self._network.pools(pools))
        self._network.at_end(http_session.close)
        tls = http.trust(self.credentials.cacert, self.credentials.verify)
        if tls:
            http_session._get_ssl_context = lambda: tls
            http_session._manager.connection_pool_kw["ssl_context"] = tls

    def offers(self, service: str, region: str) -> bool:
        """Whether the service is there: botocore's list is as old as botocore, so names count too."""
        with self._lock:
            listed = self._botocore.get_available_regions(
                service, self.partition, allow_non_regional=True
            )
        if region in listed or f"{self.partition}-global" in listed:
            return True
        host = urlsplit(self.client(service, region).meta.endpoint_url).hostname
        try:
            return bool(self._network.look_up(host, 443))
        except OSError as error:  # what can't be looked up now is left to the call itself
            return not isinstance(error, socket.gaierror) or error.errno not in _NO_SUCH_NAME

    def known_regions(self) -> list[str]:
        """EC2's regions of the account's partition, enabled or not: those that botocore knows."""
        with self._lock:
            return self._botocore.get_available_regions("ec2", self.partition)

    def account(self) -> str:
        """The number of the account that is polled."""
        with self._account_lock:
            if not self._account:
                with _in_the_right_partition(self):
                    answer = self.client("sts", self.home).get_caller_identity()
                self._account = needed(answer, "Account", str)
            return self._account

    def note(self, event: str, **facts: Any) -> None:
        """A line in the poll's log."""
        self._poll.log.info(event, **facts)

    def assume(self, role_arn: str, external_id: Optional[str]) -> None:
        """Go on with the role's own temporary credentials (an hour by STS's default)."""
        asked = {"RoleArn": role_arn, "RoleSessionName": "cmp-connectors"}
        if external_id:
            asked["ExternalId"] = external_id
        given = needed(self.client("sts", self.home).assume_role(**asked), "Credentials", dict)
        with self._lock:
            self._clients.clear()
            self._botocore.set_credentials(
                needed(given, "AccessKeyId", str),
                needed(given, "SecretAccessKey", str),
                needed(given, "SessionToken", str),
            )

    def _before_send(self, request: Any) -> None:
        self._poll.deadline.check(f"{request.method} {http.without_query(request.url)}")
        attempt = re.search(r"attempt=(\d+)", str(request.headers.get("amz-sdk-request", "")))
        self._poll.traffic.count(retry=attempt is not None and attempt.group(1) != "1")

    def _needs_retry(
        self,
        throttle: "_Throttle",
        attempts: int,
        caught_exception: Optional[Exception],
        **_: Any,
    ) -> Optional[float]:
        """botocore tries again where this answers a number; None ends the tries. The delay is slept here, where
        the end of the poll ends it."""
        error = classify(caught_exception) if caught_exception is not None else None
        if error is None or error.action != "retry":
            return None
        if isinstance(caught_exception, aws_errors.SSLError):
            return None  # a certificate does not get better
        delay = http.delay_before_retry(attempts, self._poll.deadline, error.retry_after)
        if delay is None:
            return None
        if isinstance(error, Throttled):
            throttle.hold(delay)
        self._network.pause(delay)
        return 0


class _Throttle:
    """Of a service in a region: while one call waits to be tried again, none of the others is sent."""

    def __init__(self, network: Network):
        self._network = network
        self._until = 0.0

    def hold(self, seconds: float) -> None:
        self._until = max(self._until, time.monotonic() + seconds)

    def wait(self) -> None:
        left = self._until - time.monotonic()
        if left > 0:
            self._network.pause(left)


@dataclasses.dataclass(frozen=True)
class Scope:
    """One region of the account."""

    name: str
    session: Session = dataclasses.field(repr=False, compare=False)

    @property
    def asks_for_all(self) -> bool:
        """Whether it asks the services that have no regions: one does, so that they are asked once."""
        return self.name == self.session.regions[0]

    def link(self, console: str, page: str) -> str:
        """A page of the AWS console ("ec2", "vpcconsole", ...) in this region."""
        host = _CONSOLE.get(self.session.partition, _CONSOLE["aws"])
        return f"https://{self.name}.{host}/{console}/home?region={self.name}#{page}"


def login(credentials: Credentials, poll: Any) -> Session:
    """A session; calls STS only where a role is to be assumed."""
    if credentials.verify is False:
        poll.log.warn("TLS not verified", why="the account says verify: false")
    session = Session(credentials, poll)
    if credentials.role_arn:
        session.assume(credentials.role_arn, credentials.external_id)
    return session


def scopes(session: Session) -> list[Scope]:
    """The account's enabled regions, or those of them that ``regions`` chooses, by name."""
    with _in_the_right_partition(session):
        answer = session.client("ec2", session.home).describe_regions()
    enabled = sorted(needed(region, "RegionName", str) for region in objects(answer, "Regions"))
    if not enabled:  # each account has some
        raise UnexpectedResponse(f"{_where(session.client('ec2', session.home))} names no region")
    chosen = _choose(enabled, session.credentials.regions, session.known_regions())
    session.regions = chosen
    return [Scope(name, session) for name in chosen]


@contextlib.contextmanager
def _in_the_right_partition(session: Session) -> Iterator[None]:
    """Around the first call: where nothing says which partition the keys are of, an error says what would.

    Keys of AWS China and of GovCloud (US) are unknown elsewhere, and have nothing that tells them apart.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
    """
    try:
        yield
    except aws_errors.ClientError as error:
        given = session.credentials
        named = given.role_arn or any(each[:1].isalpha() for each in given.regions)
        code = error.response.get("Error", {}).get("Code", "")
        known = classify(error)
        if known is None or named or code not in _UNKNOWN_KEY:
            raise
        known.message += " (keys of AWS China or GovCloud (US) need 'regions' or 'role_arn')"
        raise known from None


def _speak_json(session: Any, service: str) -> None:
    """Newer botocores would speak CBOR to some services, of which a cassette shows nothing."""
    known = session.get_component("data_loader").load_service_model(service, "service-2")[
        "metadata"
    ]
    if "json" in known.get("protocols", ()):
        known["protocol"], known["protocols"] = "json", ["json"]
        known.setdefault("jsonVersion", "1.1")


def _refusal(request: Any, response: Any, operation: str, service: str) -> aws_errors.ClientError:
    """The error of an answer with a status that says so, whatever its body is.

    botocore's parser, which fails at a body that is no error of the API's (a proxy's page, or none),
    does not see it: what the status says counts then.
    """
    headers, content = response.headers, response.content
    code = str(
        headers.get("x-amzn-query-error", "").partition(";")[0]
        or headers.get("x-amzn-errortype", "")
        or _first(_ERROR_TYPE, content)
        or _first(_ERROR_CODE, content)
    )
    code = code.rpartition("#")[2].partition(":")[0].strip()
    message = html.unescape(_first(_ERROR_MESSAGE, content)) if code else ""
    return aws_errors.ClientError(
        {
            "Error": {
                "Code": code or f"HTTP {response.status_code}",
                "Message": message or f"from {http.without_query(request.url)}",
            },
            "ResponseMetadata": {
                "Action": f"{_IAM.get(service, service)}:{operation}",
                "HTTPStatusCode": response.status_code,
                "HTTPHeaders": {"retry-after": headers.get("Retry-After")},
            },
        },
        operation,
    )


def _first(pattern: "re.Pattern[bytes]", content: bytes) -> str:
    found = pattern.search(content, 0, ERROR_BYTES)
    text = next(filter(None, found.groups()), b"") if found else b""
    return text.decode("utf-8", "replace")


def _whole(
    request: Any, response: Any, begin: "re.Pattern[bytes]", end: "re.Pattern[bytes]"
) -> Any:
    """The answer, if it is all there and is the API's.

    botocore checks neither: it does not retry a body that was cut short, and a proxy's page that
    happens to be well-formed would read like an empty listing.
    """
    where = http.without_query(request.url)
    if not begin.match(response.content):
        kind = response.headers.get("Content-Type", "no content type")
        raise UnexpectedResponse(f"{where} did not answer as an AWS API ({kind})")
    if not end.search(response.content[-200:]):
        raise aws_errors.ConnectionClosedError(endpoint_url=where)
    if end is _JSON[1]:  # botocore takes NaN and halves of surrogate pairs
        decode.json_answer(response.content, where)
    return response


class _Parsers(botocore.parsers.ResponseParserFactory):
    """botocore's parsers, which take each answer for what the service's model says that it is."""

    def create_parser(self, protocol_name: str) -> Any:
        return _Parser(super().create_parser(protocol_name))


class _Parser:
    """One of them, that ends in UnexpectedResponse where the answer is something else."""

    def __init__(self, parser: Any):
        self._parser = parser

    def parse(self, response: dict[str, Any], shape: Any) -> Any:
        try:
            return self._parser.parse(response, shape)
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
        ):  # a text where botocore takes an element or an object to be, and the like
            operation = response.get("context", {}).get("operation_name", "an operation")
            raise UnexpectedResponse(
                f"{operation}: the answer is not as the API sends it"
            ) from None


def _choose(enabled: list[str], patterns: tuple[str, ...], known: Iterable[str]) -> list[str]:
    """The enabled regions that the patterns choose. A pattern that can only be mistyped is InvalidEvent.

    ``known`` are regions that AWS has, enabled or not: one of them may be excluded before it is enabled.
    """
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")] or ["*"]
    unwanted = [pattern[1:].strip() for pattern in patterns if pattern.startswith("!")]
    for pattern in wanted:
        if pattern != "*" and not fnmatch.filter(enabled, pattern):
            raise InvalidEvent(
                f"credentials.regions: {pattern!r} is no enabled region of the account "
                f"({', '.join(enabled)})"
            )
    for pattern in unwanted:
        if not fnmatch.filter({*enabled, *known}, pattern):
            raise InvalidEvent(
                f"credentials.regions: {'!' + pattern!r} excludes no region that AWS has; enabled are "
                f"{', '.join(enabled)}"
            )
    chosen = [
        name
        for name in enabled
        if any(fnmatch.fnmatchcase(name, each) for each in wanted)
        and not any(fnmatch.fnmatchcase(name, each) for each in unwanted)
    ]
    if not chosen:  # an empty inventory would say that everything was deleted
        raise InvalidEvent(
            f"credentials.regions excludes every enabled region ({', '.join(enabled)})"
        )
    return chosen


def account(session: Session) -> str:
    """The AWS account number (STS GetCallerIdentity, which needs no permission); one call a poll."""
    return session.account()


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
    restarted: Callable[[], None] = _nothing,
    **params: Any,
) -> Iterator[list[dict[str, Any]]]:
    """The listing, page by page: the list that ``key`` names in each of the answers."""
    for page in answers(
        scope, service, operation, key, page_size=page_size, restarted=restarted, **params
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
    """A whole listing, as lookups need it: what ``keep`` makes of each record; by default, the record.

    A listing that starts anew replaces what was read before, so that nothing is doubled and nothing
    deleted meanwhile stays. ``walk`` is ``pages`` or ``offered_pages``.
    """
    found: list[Any] = []
    for page in walk(scope, service, operation, key, restarted=found.clear, **params):
        found.extend(map(keep, page))
    return found


def answers(
    scope: Scope,
    service: str,
    operation: str,
    key: str,
    *,
    page_size: int = PAGE_SIZE,
    restarted: Callable[[], None] = _nothing,
    **params: Any,
) -> Iterator[dict[str, Any]]:
    """The answers to an operation that pages, one a page; ``key`` names the list in them.

    A listing that knows no pages is one page. A page token that the service no longer takes starts the
    listing anew (the engine drops what it then sees twice), and ``restarted`` is called before that: what
    reads a lookup forgets what it has, as ``listed`` does. A token that comes back is a loop, and an
    answer without the list (which the services also send where it is empty) is not theirs:
    UnexpectedResponse.
    """
    client = scope.session.client(service, scope.name)
    known = _inputs(client, operation)
    asks = next((name for name in _TOKENS if name in known), None)
    params.update({name: page_size for name in _SIZES if asks and name in known})
    for restart in range(RESTARTS + 1):
        tokens: set[str] = set()
        more: dict[str, str] = {}
        try:
            while True:
                page = getattr(client, operation)(**params, **more)
                if key not in page:
                    raise UnexpectedResponse(f"{_where(client)}: {operation} gave no {key}")
                yield page
                token = field(page, _TOKENS[asks], str) if asks else None
                if not asks or not token:
                    return
                if token in tokens:
                    raise UnexpectedResponse(f"{_where(client)}: {operation} pages in a loop")
                tokens.add(token)
                more = {asks: token}
        except aws_errors.ClientError as error:
            if _code(error) not in _OLD_PAGE_TOKEN or restart == RESTARTS:
                raise
            restarted()


def filtered(
    scope: Scope, operation: str, key: str, name: str, values: Collection[str], **params: Any
) -> Iterator[list[dict[str, Any]]]:
    """EC2's listing, of those only that a filter of this name finds by one of the values."""
    known = sorted(values)
    inputs = _inputs(scope.session.client("ec2", scope.name), operation)
    filters = "Filters" if "Filters" in inputs else "Filter"  # DescribeNatGateways
    for start in range(0, len(known), VALUES_A_FILTER):
        some = known[start : start + VALUES_A_FILTER]
        params[filters] = [{"Name": name, "Values": some}]
        yield listed(scope, "ec2", operation, key, **params)


def asked_for(
    scope: Scope,
    operation: str,
    key: str,
    name: str,
    ids: Optional[Collection[str]],
    begins: str = "",
    *,
    restarted: Callable[[], None] = _nothing,
    **params: Any,
) -> Iterator[list[dict[str, Any]]]:
    """EC2's listing, by a filter where a few ids are asked for; else all of it (None: all is wanted).

    By a filter, since one unknown id in a list of ids would fail the call. ``begins``: how the ids begin of
    what is listed; no other ids are asked for.
    """
    wanted = None if ids is None else [each for each in ids if each.startswith(begins)]
    if wanted is None or len(wanted) > VALUES_A_FILTER:
        return pages(scope, "ec2", operation, key, restarted=restarted, **params)
    return filtered(scope, operation, key, name, wanted, **params)


def by_ids(
    scope: Scope,
    operation: str,
    key: str,
    name: str,
    ids: Collection[str],
    at_once: int,
    **params: Any,
) -> Iterator[list[dict[str, Any]]]:
    """EC2's listing, of those only that a list of ids in the parameter ``name`` says.

    For an operation without a filter for ids. The ids are those that a filter of another one just found: if one
    of them is gone meanwhile, which fails for all, each is asked for alone.
    """
    known = sorted(ids)
    for start in range(0, len(known), at_once):
        some = known[start : start + at_once]
        try:
            answer = call(scope, "ec2", operation, **{name: some}, **params)
        except aws_errors.ClientError as error:
            if not _no_such_id(error):
                raise
            if len(some) > 1:
                for each in some:
                    yield from by_ids(scope, operation, key, name, [each], 1, **params)
            continue
        yield objects(answer, key)


def _no_such_id(error: aws_errors.ClientError) -> bool:
    """InvalidInstanceID.NotFound, InvalidVolume.NotFound, ..."""
    return str(error.response.get("Error", {}).get("Code", "")).endswith(".NotFound")


def call(scope: Scope, service: str, operation: str, **params: Any) -> dict[str, Any]:
    """One call that has no pages."""
    return getattr(scope.session.client(service, scope.name), operation)(**params)


def for_each(scope: Scope, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """What the function gives for each item, in the items' order: a call or more each, a few at a time."""
    return scope.session.workers.map(function, items)


@contextlib.contextmanager
def may_be_gone() -> Iterator[None]:
    """Around a call about one thing: ends quietly if that was deleted since it was listed."""
    try:
        yield
    except aws_errors.ClientError as error:
        if _code(error) not in _GONE:
            raise


def for_each_left(
    scope: Scope, function: Callable[[T], R], items: Iterable[T]
) -> list[tuple[T, R]]:
    """``for_each``, with the item: of the items that were not deleted since they were listed."""

    def look_up(item: T) -> list[tuple[T, R]]:
        with may_be_gone():
            return [(item, function(item))]
        return []

    return [pair for found in for_each(scope, look_up, items) for pair in found]


def offered_pages(
    scope: Scope, service: str, operation: str, key: str, **params: Any
) -> Iterator[list[dict[str, Any]]]:
    """``pages`` of a service that not every region has; nothing where it lacks it, and the log says so.

    Which regions have it: those that botocore lists, those whose name for it can be looked up, and those
    of an ``endpoint_url`` of the account's own; unless the first answer is one of the codes in ``_ABSENT``.
    """
    session = scope.session
    if not session.credentials.endpoint_url and not session.offers(service, scope.name):
        session.note("absent", scope=scope.name, service=service)
        return
    listing = pages(scope, service, operation, key, **params)
    try:
        first = next(listing, None)
    except aws_errors.ClientError as error:
        if _code(error) not in _ABSENT.get(service, ()):
            raise
        session.note("absent", scope=scope.name, service=service, why=_code(error))
        return
    if first is not None:
        yield first
        yield from listing


def _inputs(client: Any, operation: str) -> Collection[str]:
    """The names of an operation's parameters."""
    name = client.meta.method_to_api_mapping[operation]
    shape = client.meta.service_model.operation_model(name).input_shape
    return shape.members if shape else ()


def _where(client: Any) -> str:
    return http.without_query(client.meta.endpoint_url)


def tags(record: Mapping[str, Any]) -> dict[str, str]:
    """The record's tags, as a dict."""
    return {
        needed(tag, "Key", str): field(tag, "Value", str) or "" for tag in objects(record, "Tags")
    }


def named(record: Mapping[str, Any], identifier: str) -> str:
    """The Name tag, or else the id."""
    return tags(record).get("Name") or identifier


def least_rights(permissions: Iterable[str]) -> dict[str, Any]:
    """An IAM policy document that allows just these actions."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": sorted({*permissions}),
                "Resource": "*",
            }
        ],
    }


def classify(error: Exception) -> Optional[ConnectorError]:
    """What a botocore exception means; None for what is not botocore's."""
    if isinstance(error, aws_errors.ClientError):
        answer, code = error.response.get("ResponseMetadata", {}), _code(error)
        about = (
            f"{error.operation_name}: {code}: {error.response.get('Error', {}).get('Message', '')}"
        )
        known = _by_code(code, answer.get("HTTPStatusCode", 0), about) or UnexpectedResponse(about)
        if isinstance(known, InsufficientPermission):
            known.message = f"the account may not {_action(error)} ({code})"
            if code in _NOT_SUBSCRIBED:
                known.message += ": it is not activated yet, or suspended"
        known.retry_after = http.retry_after(answer.get("HTTPHeaders", {}).get("retry-after"))
        return known
    if isinstance(error, aws_errors.SSLError):
        return Unreachable(f"TLS failed: {error}")
    if isinstance(error, _UNREACHED):
        return Unreachable(str(error))
    if isinstance(error, (aws_errors.NoCredentialsError, aws_errors.PartialCredentialsError)):
        return InvalidCredentials(str(error))
    if isinstance(error, aws_errors.IncompleteReadError):
        return UnexpectedResponse(str(error))
    if isinstance(error, botocore.parsers.ResponseParserError):
        return UnexpectedResponse("the answer is no XML or JSON as the API sends it")
    if isinstance(error, (aws_errors.UnknownEndpointError, aws_errors.UnknownRegionError)):
        return UnexpectedResponse(str(error))
    if isinstance(error, aws_errors.DataNotFoundError):
        return None  # botocore lacks a service's model: the module was not built for it
    if isinstance(error, aws_errors.BotoCoreError):
        return UnexpectedResponse(f"{type(error).__name__}: {error}")
    return None


def _by_code(code: str, status: int, about: str) -> Optional[ConnectorError]:
    if code in _WRONG_CREDENTIALS:
        return InvalidCredentials(about)
    if code in _CLOCK:
        return InvalidCredentials(f"{about} (is this host's clock right?)")
    if code in _DENIED or code in _NOT_SUBSCRIBED or code.startswith("AccessDenied"):
        return InsufficientPermission(about)
    if code in _THROTTLED or status == 429:
        return Throttled(about)
    if code in _UNAVAILABLE or status == 408 or status >= 500:
        return Unreachable(about)
    return None


def _code(error: aws_errors.ClientError) -> str:
    """The error's code; botocore may have cut anything else out of a header or a body."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code if _CODE.fullmatch(code) else "no code"


def _action(error: aws_errors.ClientError) -> str:
    """The IAM action of a refused call: services name their actions as their operations."""
    told = error.response.get("ResponseMetadata", {}).get("Action")
    return str(told or error.operation_name)


def _botocore_session(credentials: Credentials) -> Any:
    """A session that looks at no profile, file or variable of the host, unless it has to."""
    if credentials.key_id is None:
        session = botocore.session.Session()
    else:
        # each setting that botocore knows has its default, wherever it would be looked for
        settings = {
            name: (None, None, default, convert)
            for name, (_, _, default, convert) in botocore.session.Session.SESSION_VARIABLES.items()
        }
        for name in ("config_file", "credentials_file"):
            settings[name] = (None, None, os.devnull, None)
        session = botocore.session.Session(session_vars=settings)
        s3 = botocore.configprovider.ConstantProvider(value=None)  # has variables besides those
        session.get_component("config_store").set_config_provider("s3", s3)
        session.set_credentials(credentials.key_id, credentials.secret, credentials.token)
    session.register_component("data_loader", _MODELS)
    parsers = _Parsers()
    parsers.set_parser_defaults(timestamp_parser=_timestamp)
    session.register_component("response_parser_factory", parsers)
    return session


def _timestamp(value: Any) -> datetime:
    """botocore's own parser takes 25 us a time (dateutil), a quarter of a listing's cost."""
    try:
        if isinstance(value, (int, float)):  # JSON's
            return datetime.fromtimestamp(value, timezone.utc)
        moment = parse_time(value) if isinstance(value, str) else None
        return moment or parse_timestamp(value).astimezone(timezone.utc)
    except (ArithmeticError, OSError, RuntimeError, TypeError, ValueError):
        raise UnexpectedResponse("a time in an answer is none") from None


def _home_region(credentials: Credentials) -> str:
    if credentials.role_arn:
        partition = credentials.role_arn.split(":")[1]
        if partition in _HOME:
            return _HOME[partition]
    for name in credentials.regions:
        if name.startswith("cn-"):
            return _HOME["aws-cn"]
        if name.startswith("us-gov-"):
            return _HOME["aws-us-gov"]
    return _HOME["aws"]
