"""A user of the demo account on moto's server, which then checks keys, signatures and policies.

Three things moto 5.2.5 does otherwise than AWS are put right here: it refuses in XML where the service speaks
JSON, it takes the query of a GET for its body, and so finds the signature of each wrong, and it takes what
requests to CloudWatch are signed for ("monitoring") for the name that policies know it by.
"""

import contextlib
import json
from unittest import mock

import requests
from moto.core.exceptions import JsonRESTError
from moto.iam.access_control import IAMRequest

from shared.providers import aws
from tests.fakes import moto_polls
from tools import demo_aws

REGION = "us-east-1"  # of the demo account, which has one of everything there
SPEAK_JSON = (
    "cloudtrail",
    "directconnect",
    "elasticfilesystem",
    "monitoring",
    "network-firewall",
    "networkmanager",
)


@contextlib.contextmanager
def account(permissions_by_user, prepare=None):
    """The demo account with users that have these permissions: their credentials, by name.

    ``prepare`` is called with the server's URL, while everything is still allowed.
    """
    with _as_aws_refuses():
        server, url = demo_aws.serve()
        iam = demo_aws.client(url, "iam", REGION)
        made = {}
        for name, permissions in permissions_by_user.items():
            iam.create_user(UserName=name)
            policy = json.dumps(aws.least_permissions(permissions))
            iam.put_user_policy(UserName=name, PolicyName="read", PolicyDocument=policy)
            key = iam.create_access_key(UserName=name)["AccessKey"]
            made[name] = {
                "aws_access_key_id": key["AccessKeyId"],
                "aws_secret_access_key": key["SecretAccessKey"],
                "regions": REGION,
                "endpoint_url": url,
            }
        if prepare:
            prepare(url)
        requests.post(f"{url}/moto-api/reset-auth", data=b"0", timeout=60)  # from now on
        try:
            yield made
        finally:
            server.stop()


@contextlib.contextmanager
def _as_aws_refuses():
    denied, make = IAMRequest._raise_access_denied, IAMRequest._create_aws_request
    permitted = IAMRequest.check_action_permitted

    def deny(request):
        if request._service in SPEAK_JSON:
            who, what = request._access_key.arn, request._action
            said = f"User: {who} is not authorized to perform: {what}"
            raise JsonRESTError("AccessDeniedException", said)
        denied(request)

    def signed(request):
        made = make(request)
        made.data = b"" if request._method == "GET" else made.data
        return made

    def permit(request, resource):
        request._action = request._action.replace("monitoring:", "cloudwatch:")
        permitted(request, resource)

    with (
        moto_polls.added(),
        mock.patch.object(IAMRequest, "check_action_permitted", permit),
        mock.patch.object(IAMRequest, "_raise_access_denied", deny),
        mock.patch.object(IAMRequest, "_create_aws_request", signed),
    ):
        yield
