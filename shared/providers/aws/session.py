"""Credentials, a boto3 session with them alone, and the account's enabled regions.

boto3's session is the way in: it gives clients and knows the regions. It stands on a botocore session of ours, since
boto3's own would read the host's settings, and boto3 has no parameters for credentials that change, for parsers and
for models.

Retries are ours (shared/transport/http.py), hooked into botocore's ``needs-retry`` event, so that none outlives
the deadline: botocore's own know no deadline, and its defaults changed between releases.
"""

import contextlib
import dataclasses
import fnmatch
import functools
import os
import re
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional
from urllib.parse import urlsplit

import botocore.config
import botocore.configprovider
import botocore.exceptions as aws_errors
import botocore.hooks
import botocore.httpsession
import botocore.session

from shared.engine.contracts import Poll
from shared.engine.errors import (
    ConnectorError,
    InvalidEvent,
    Throttled,
    UnexpectedResponse,
)
from shared.engine.event import (
    flag_credential,
    header_credential,
    needed_credential,
    refuse_unknown_keys,
    text_credential,
)
from shared.engine.network import CONNECT_TIMEOUT_S, Network
from shared.engine.workers import Workers
from shared.providers.aws import boto3_session
from shared.providers.aws.errors import classify, is_unknown_key, refusal
from shared.providers.aws.models import Events, Models
from shared.providers.aws.responses import ENVELOPES, Parsers, complete, timestamp, use_json
from shared.records.fields import needed, objects
from shared.transport import http
from shared.transport.throttle import Throttle

# The region of calls about the whole account, by partition.
_HOME = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
_CONSOLE = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
_MODELS = Models()


CREDENTIAL_KEYS = frozenset(
    {
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "role_arn",
        "external_id",
        "regions",
        "endpoint_url",
        "cacert",
        "verify",
    }
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
    refuse_unknown_keys("credentials", raw, CREDENTIAL_KEYS)
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
    """One poll's login: one botocore client for a service in a region."""

    def __init__(self, credentials: Credentials, poll: Poll):
        self.credentials = credentials
        self.workers: Workers = poll.workers
        self._poll = poll
        self._network: Network = poll.network
        self._tls = http.trust(credentials.cacert, credentials.verify)
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}
        self._account_lock = threading.Lock()
        self._account = ""
        self._botocore = _botocore_session(credentials)
        self._boto3 = _boto3_session(self._botocore)
        self.home = _home_region(credentials)
        self.regions: list[str] = []  # those to poll; ``scopes`` sets them
        self.partition = self._boto3.get_partition_for_region(self.home)

    def client(self, service: str, region: str) -> Any:
        """The client. Threads may share botocore's clients, but not its sessions."""
        with self._lock:
            client = self._clients.get((service, region))
            if client is None:
                client = self._clients[service, region] = self._new_client(service, region)
        return client

    def _new_client(self, service: str, region: str) -> Any:
        deadline = self._poll.deadline
        use_json(self._botocore, service)
        client = self._boto3.client(
            service,
            region_name=region,
            endpoint_url=self.credentials.endpoint_url,
            verify=self.credentials.verify,
            config=botocore.config.Config(
                user_agent="cmp-connectors",  # botocore's own is built anew at each request
                connect_timeout=deadline.timeout(CONNECT_TIMEOUT_S),
                read_timeout=deadline.timeout(http.READ_TIMEOUT_S),
                max_pool_connections=http.POOL,
                retries={"mode": "standard", "total_max_attempts": 1},
                ignore_configured_endpoint_urls=self.credentials.key_id is not None,
            ),
        )
        _MODELS.complete(client)
        http_session = client._endpoint.http_session
        self._connect_by_network(http_session)
        begin, end = ENVELOPES[client.meta.service_model.metadata["protocol"]]
        signing_name = client.meta.service_model.signing_name
        throttle = Throttle(self._network)

        def before_send(request: Any, event_name: str, **_: Any) -> Any:
            throttle.wait()
            self._before_send(request)
            try:
                response = http_session.send(request)
            except aws_errors.HTTPClientError as error:  # botocore wraps what it does not know
                cause = error.kwargs.get("error")
                raise (cause if isinstance(cause, ConnectorError) else error) from None
            if response.status_code >= 300:
                raise refusal(request, response, event_name.rpartition(".")[2], signing_name)
            return complete(request, response, begin, end)

        client.meta.events.register_first("before-send.*", before_send)
        needs_retry = functools.partial(self._needs_retry, throttle)
        client.meta.events.register_last("needs-retry.*", needs_retry)
        return client

    def _connect_by_network(self, http_session: Any) -> None:
        """Have botocore's HTTP session connect as all other clients do, and trust the account's CA.

        It has no parameters for either, and creates its pools for proxies later.
        """
        pools = http_session._pool_classes_by_scheme
        create_tls = botocore.httpsession.create_urllib3_context
        pools.update(self._network.pools(pools, self._tls, create_tls))
        self._network.at_end(http_session.close)
        if self._tls:
            http_session._get_ssl_context = lambda: self._tls
            http_session._manager.connection_pool_kw["ssl_context"] = self._tls

    def offers(self, service: str, region: str) -> bool:
        """Whether the region has the service: by botocore's list, which may be old, or by its host name."""
        with self._lock:
            listed = self._boto3.get_available_regions(
                service, self.partition, allow_non_regional=True
            )
        if region in listed or f"{self.partition}-global" in listed:
            return True
        host = urlsplit(self.client(service, region).meta.endpoint_url).hostname
        try:
            return bool(self._network.look_up(host, 443))
        except OSError as error:  # where the look-up failed, the call itself will tell
            return not isinstance(error, socket.gaierror) or error.errno not in _NO_SUCH_NAME

    def known_regions(self) -> list[str]:
        """EC2's regions of the account's partition, enabled or not: those that botocore knows."""
        with self._lock:
            return list(self._boto3.get_available_regions("ec2", self.partition))

    def account(self) -> str:
        """The AWS account number (STS GetCallerIdentity); one call a poll."""
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
        """Continue with the role's temporary credentials (valid for an hour, by STS's default)."""
        params = {"RoleArn": role_arn, "RoleSessionName": "cmp-connectors"}
        if external_id:
            params["ExternalId"] = external_id
        given = needed(self.client("sts", self.home).assume_role(**params), "Credentials", dict)
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
        throttle: Throttle,
        attempts: int,
        caught_exception: Optional[Exception],
        **_: Any,
    ) -> Optional[float]:
        """0 where botocore should try again, None where not; after a delay, which the end of the poll cuts short."""
        error = classify(caught_exception) if caught_exception is not None else None
        if error is None or error.action != "retry":
            throttle.served()
            return None
        if isinstance(caught_exception, aws_errors.SSLError):
            return None  # a certificate won't become valid
        delay = http.delay_before_retry(attempts, self._poll.deadline, error.retry_after)
        if isinstance(error, Throttled) or _is_503(caught_exception):
            if delay is None or throttle.hopeless:
                throttle.give_up()
                return None
            http.announce_retry(self._poll.traffic, attempts, delay, "throttled")
            throttle.hold(delay)  # before_send waits, with all other calls of this client
            return 0
        if delay is None:
            return None
        http.announce_retry(self._poll.traffic, attempts, delay, type(error).__name__)
        self._network.pause(delay)
        return 0


def _is_503(error: Optional[Exception]) -> bool:
    """Whether the service is overloaded, whatever code it says so with."""
    if not isinstance(error, aws_errors.ClientError):
        return False
    return bool(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 503)


@dataclasses.dataclass(frozen=True)
class Scope:
    """One region of the account."""

    name: str
    session: Session = dataclasses.field(repr=False, compare=False)

    @property
    def workers(self) -> Workers:
        return self.session.workers

    @property
    def asks_for_all(self) -> bool:
        """Whether to poll services without regions here: one region does, so that they are polled once."""
        return self.name == self.session.regions[0]

    def link(self, console: str, page: str) -> str:
        """A page of the AWS console ("ec2", "vpcconsole", ...) in this region."""
        host = _CONSOLE.get(self.session.partition, _CONSOLE["aws"])
        return f"https://{self.name}.{host}/{console}/home?region={self.name}#{page}"


def login(credentials: Credentials, poll: Poll) -> Session:
    """A session; calls STS only to assume a role."""
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
    if not enabled:  # every account has some
        url = http.without_query(session.client("ec2", session.home).meta.endpoint_url)
        raise UnexpectedResponse(f"{url} names no region")
    chosen = _choose(enabled, session.credentials.regions, session.known_regions())
    session.regions = chosen
    return [Scope(name, session) for name in chosen]


@contextlib.contextmanager
def _in_the_right_partition(session: Session) -> Iterator[None]:
    """Around the first call: where nothing names the keys' partition, the error says how to name it.

    Keys of AWS China and of GovCloud (US) are unknown elsewhere, and don't look different.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
    """
    try:
        yield
    except aws_errors.ClientError as error:
        given = session.credentials
        named = given.role_arn or any(each[:1].isalpha() for each in given.regions)
        known = classify(error)
        if known is None or named or not is_unknown_key(error):
            raise
        known.message += " (keys of AWS China or GovCloud (US) need 'regions' or 'role_arn')"
        raise known from None


def _choose(enabled: list[str], patterns: tuple[str, ...], known: Iterable[str]) -> list[str]:
    """The enabled regions that the patterns choose. A pattern that can only be a typing error is InvalidEvent.

    ``known`` are all regions of AWS, enabled or not: one may be excluded before it is enabled.
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


def least_permissions(permissions: Iterable[str]) -> dict[str, Any]:
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


def _botocore_session(credentials: Credentials) -> Any:
    """A session that ignores the host's profiles, files and variables, unless it is to use their credentials."""
    hooks = botocore.hooks.HierarchicalEmitter()
    if credentials.key_id is None:
        session = botocore.session.Session(event_hooks=hooks)
    else:
        # every setting that botocore knows gets its default, wherever botocore would look for it
        settings = {
            name: (None, None, default, convert)
            for name, (_, _, default, convert) in botocore.session.Session.SESSION_VARIABLES.items()
        }
        for name in ("config_file", "credentials_file"):
            settings[name] = (None, None, os.devnull, None)
        session = botocore.session.Session(session_vars=settings, event_hooks=hooks)
        s3 = botocore.configprovider.ConstantProvider(value=None)  # has variables of its own
        session.get_component("config_store").set_config_provider("s3", s3)
        session.set_credentials(credentials.key_id, credentials.secret, credentials.token)
    parsers = Parsers()
    parsers.set_parser_defaults(timestamp_parser=timestamp)
    session.register_component("response_parser_factory", parsers)
    session.register_component("event_emitter", Events(hooks))
    return session


def _boto3_session(session: Any) -> Any:
    """boto3's session on top of botocore's."""
    on_top = boto3_session.Session(botocore_session=session)
    # Only now: boto3 adds a folder of its own to the loader that it finds, and ours is shared by all sessions.
    session.register_component("data_loader", _MODELS)
    session.register("creating-client-class", _MODELS.look_up_methods)
    return on_top


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
