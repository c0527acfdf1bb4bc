"""What AWS's error codes and botocore's exceptions mean.

The codes are those of https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html, of IAM's and STS's
common errors, and of the services that are polled.
"""

import botocore.exceptions
import pytest
from botocore.retries import standard

from shared.engine.errors import (
    InsufficientPermission,
    InvalidCredentials,
    Throttled,
    UnexpectedResponse,
    Unreachable,
)
from shared.providers.aws import errors


def refused(code, status=400, operation="DescribeThings", **metadata):
    response = {
        "Error": {"Code": code, "Message": "because"},
        "ResponseMetadata": {"HTTPStatusCode": status, **metadata},
    }
    return botocore.exceptions.ClientError(response, operation)


def kind(code, status=400):
    return type(errors.classify(refused(code, status)))


CREDENTIALS = (
    "AuthFailure",
    "Blocked",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "MissingAuthenticationToken",
    "PendingVerification",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
)
PERMISSION = (
    "AccessDenied",
    "AccessDeniedException",
    "NotAuthorized",
    "OptInRequired",
    "SubscriptionRequiredException",
    "UnauthorizedAccess",
    "UnauthorizedOperation",
)
FAILED = (
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "Unavailable",
)


@pytest.mark.parametrize(
    "codes, expected",
    [
        (CREDENTIALS, InvalidCredentials),
        (PERMISSION, InsufficientPermission),
        (FAILED, Unreachable),
        (("InvalidParameterValue", "ValidationError", "NobodyKnows"), UnexpectedResponse),
    ],
)
def test_what_a_code_means(codes, expected):
    """Whatever the status: several services send all errors of a kind with a 400."""
    assert {code: kind(code) for code in codes} == dict.fromkeys(codes, expected)


@pytest.mark.parametrize("code", ["RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"])
def test_a_wrong_clock_is_named(code):
    error = errors.classify(refused(code))
    assert type(error) is InvalidCredentials
    assert "is this host's clock right?" in error.message


def test_all_that_botocore_takes_for_throttling_is_throttling():
    codes = set(standard.ThrottledRetryableChecker._THROTTLED_ERROR_CODES)
    codes.remove("TransactionInProgressException")  # DynamoDB's
    assert {code: kind(code) for code in codes} == dict.fromkeys(codes, Throttled)


def test_all_that_botocore_takes_for_passing_is_retried():
    for code in standard.TransientRetryableChecker._TRANSIENT_ERROR_CODES:
        assert kind(code).action == "retry", code


@pytest.mark.parametrize("code", ["OptInRequired", "SubscriptionRequiredException"])
def test_an_account_without_the_service_is_told_so(code):
    error = errors.classify(refused(code, Action="ec2:DescribeThings"))
    assert error.message == (
        f"the account may not ec2:DescribeThings ({code}): it is not activated yet, or suspended"
    )


@pytest.mark.parametrize("service", ["directconnect", "network-firewall"])
def test_services_that_an_account_can_do_without(service):
    missing = (
        "OptInRequired",
        "SubscriptionRequiredException",
        "UnsupportedOperation.RegionNotSupported",
    )
    for code in missing:
        assert errors.is_missing_service(refused(code), service)
        assert not errors.is_missing_service(refused(code), "ec2")
    assert not errors.is_missing_service(refused("AccessDenied"), service)


@pytest.mark.parametrize(
    "code",
    [
        "AuthFailure",  # EC2's
        "InvalidAccessKeyId",
        "InvalidClientTokenId",  # STS's
        "UnrecognizedClientException",  # that of services with JSON
    ],
)
def test_a_key_of_another_partition_is_unknown(code):
    assert errors.is_unknown_key(refused(code))


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "ExpiredToken", "UnauthorizedOperation"])
def test_a_known_key_is_not_looked_for_in_other_partitions(code):
    assert not errors.is_unknown_key(refused(code))


@pytest.mark.parametrize(
    "code",
    [
        "FileSystemNotFound",
        "LoadBalancerNotFound",
        "MountTargetNotFound",
        "ResourceNotFoundException",
        "TargetGroupNotFound",
    ],
)
def test_what_was_deleted_since_it_was_listed_is_left_out(code):
    with errors.may_be_gone():
        raise refused(code)


def test_any_other_refusal_of_a_detail_is_an_error():
    with pytest.raises(botocore.exceptions.ClientError), errors.may_be_gone():
        raise refused("AccessDenied")


@pytest.mark.parametrize(
    "code", ["InvalidNextToken", "InvalidPaginationToken", "InvalidPagination"]
)
def test_a_page_token_that_is_too_old(code):
    assert errors.is_old_page_token(refused(code))
    assert not errors.is_old_page_token(refused("InvalidParameterValue"))


@pytest.mark.parametrize(
    "error",
    [
        botocore.exceptions.ConnectTimeoutError(endpoint_url="https://x/"),
        botocore.exceptions.EndpointConnectionError(endpoint_url="https://x/"),
        botocore.exceptions.ReadTimeoutError(endpoint_url="https://x/"),
        botocore.exceptions.ConnectionClosedError(endpoint_url="https://x/"),
        botocore.exceptions.SSLError(endpoint_url="https://x/", error="expired"),
    ],
)
def test_a_server_that_does_not_answer_is_unreachable(error):
    assert type(errors.classify(error)) is Unreachable


class Response:
    def __init__(self, **headers):
        self.status_code, self.headers, self.content = 403, headers, b""


@pytest.mark.parametrize("service, prefix", [("monitoring", "cloudwatch"), ("ec2", "ec2")])
def test_a_missing_permission_is_named_as_in_a_policy(service, prefix):
    request = type("Request", (), {"url": "https://x/"})
    response = Response(**{"x-amzn-errortype": "AccessDenied"})
    error = errors.refusal(request, response, "GetThings", service)
    assert errors.classify(error).message.startswith(f"the account may not {prefix}:GetThings (")
