"""What AWS's errors mean: error codes and botocore's exceptions as the connectors' own errors.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

import contextlib
import html
import re
from collections.abc import Iterator
from typing import Any, Optional

import botocore.exceptions as aws_errors
import botocore.parsers

from shared.engine.errors import (
    ConnectorError,
    InsufficientPermission,
    InvalidCredentials,
    Throttled,
    UnexpectedResponse,
    Unreachable,
)
from shared.transport import http

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
# The codes for keys of another partition: a partition knows only its own keys.
_UNKNOWN_KEY = {
    "AuthFailure",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
}
_CLOCK = {"RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"}
# Besides those that begin with AccessDenied.
_DENIED = {"NotAuthorized", "UnauthorizedAccess", "UnauthorizedOperation"}
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
# The codes with which a service answers that it is not available to the account in this region. Only for services
# that an account can do without: if another one were skipped, its records would look deleted.
_MISSING = {
    service: _NOT_SUBSCRIBED | {"UnsupportedOperation.RegionNotSupported"}
    for service in ("directconnect", "network-firewall")
}
_GONE = {
    "FileSystemNotFound",
    "LoadBalancerNotFound",
    "MountTargetNotFound",
    "ResourceNotFoundException",
    "TargetGroupNotFound",
}
_OLD_PAGE_TOKEN = {"InvalidNextToken", "InvalidPaginationToken", "InvalidPagination"}
# IAM's prefix for a service whose requests are signed with another name.
_IAM = {"monitoring": "cloudwatch"}
ERROR_BYTES = 65_536  # of a response that are searched for its error code
# The error code and the message of a refused request, as far as they can be read without parsing it.
_ERROR_TYPE = re.compile(rb'<Code>\s*([\w.]+)\s*</Code>|"__type"\s*:\s*"([^"]+)"')
_ERROR_CODE = re.compile(rb'"[Cc]ode"\s*:\s*"([^"]+)"')
_ERROR_MESSAGE = re.compile(rb'<Message>([^<]*)</Message>|"[Mm]essage"\s*:\s*"((?:[^"\\]|\\.)*)"')
_CODE = re.compile(r"[A-Za-z][\w.:-]{0,99}|HTTP \d+")
_UNREACHED = (aws_errors.HTTPClientError, aws_errors.ConnectionError)


def classify(error: Exception) -> Optional[ConnectorError]:
    """The connectors' error for an exception of botocore; None for any other exception."""
    if isinstance(error, aws_errors.ClientError):
        metadata, code = error.response.get("ResponseMetadata", {}), error_code(error)
        about = (
            f"{error.operation_name}: {code}: {error.response.get('Error', {}).get('Message', '')}"
        )
        known = _by_code(code, metadata.get("HTTPStatusCode", 0), about) or UnexpectedResponse(
            about
        )
        if isinstance(known, InsufficientPermission):
            known.message = f"the account may not {_action(error)} ({code})"
            if code in _NOT_SUBSCRIBED:
                known.message += ": it is not activated yet, or suspended"
        known.retry_after = http.retry_after(metadata.get("HTTPHeaders", {}).get("retry-after"))
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


def error_code(error: aws_errors.ClientError) -> str:
    """The error's code, or "no code" where botocore read something that cannot be one."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code if _CODE.fullmatch(code) else "no code"


def _action(error: aws_errors.ClientError) -> str:
    """The IAM action of a refused call: services name their actions like their operations."""
    action = error.response.get("ResponseMetadata", {}).get("Action")
    return str(action or error.operation_name)


def is_missing_id(error: aws_errors.ClientError) -> bool:
    """Whether EC2 does not know an id: InvalidInstanceID.NotFound, InvalidVolume.NotFound, ..."""
    return str(error.response.get("Error", {}).get("Code", "")).endswith(".NotFound")


def is_missing_service(error: aws_errors.ClientError, service: str) -> bool:
    """Whether the service says that it is not available to the account in this region."""
    return error_code(error) in _MISSING.get(service, ())


def is_old_page_token(error: aws_errors.ClientError) -> bool:
    """Whether the service no longer accepts a page token."""
    return error_code(error) in _OLD_PAGE_TOKEN


def is_unknown_key(error: aws_errors.ClientError) -> bool:
    """Whether the access key is unknown, as a key of another partition is."""
    return error_code(error) in _UNKNOWN_KEY


@contextlib.contextmanager
def may_be_gone() -> Iterator[None]:
    """Around a call about one resource: ignores the error for one that was deleted since it was listed."""
    try:
        yield
    except aws_errors.ClientError as error:
        if error_code(error) not in _GONE:
            raise


def refusal(request: Any, response: Any, operation: str, service: str) -> aws_errors.ClientError:
    """The error of a response whose status is an error, whatever its body is.

    botocore's parser would fail on a body that is not the API's (a proxy's page, or none at all), so it does not get
    to see one; then the status counts.
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
    match = pattern.search(content, 0, ERROR_BYTES)
    text = next(filter(None, match.groups()), b"") if match else b""
    return text.decode("utf-8", "replace")
