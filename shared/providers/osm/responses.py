"""Responses of OSM's NBI and of RO: their lists' paths, what their errors mean, and removal of secrets."""

import re
from typing import Any

import requests

from shared.engine.errors import (
    Absent,
    InvalidCredentials,
    Throttled,
    UnexpectedResponse,
    Unreachable,
)
from shared.transport import http, sessions

LISTS = {
    "ns": "/nslcm/v1/ns_instances",
    "vnf": "/nslcm/v1/vnf_instances",
    "vim": "/admin/v1/vim_accounts",
    "wim": "/admin/v1/wim_accounts",
    "vca": "/admin/v1/vca",
}
NEWER = ("vca",)  # lists that older releases lack
ACCOUNTS = ("vim", "wim", "vca")
# Names of an account's fields, at any depth, that hold a secret.
SECRET = re.compile(
    r"passw|passphrase|secret|ca_?cert|credential|(priv|api|access).*key|ssh|token", re.IGNORECASE
)


def check(response: requests.Response) -> None:
    """Raise the error that an unsuccessful status means."""
    status, url = response.status_code, url_of(response)
    if status in http.THROTTLED:
        raise Throttled(f"{url} answered {status}: {reason(response)}")
    if status >= 500 or status in http.TRANSIENT:
        raise Unreachable(f"{url} answered {status}: {reason(response)}")
    if status == 401:
        raise InvalidCredentials(f"{url} does not take a new token: {reason(response)}")
    if status == 405 and url.endswith(tuple(LISTS[what] for what in NEWER)):
        raise Absent(f"this release of OSM does not have {url}")
    if status == 404:  # its detail would show internals of OSM's database
        raise UnexpectedResponse(f"{url} answered 404: is the account's URL that of OSM's API?")
    if status >= 300:
        raise UnexpectedResponse(f"{url} answered {status}: {reason(response)}")


def problem(response: requests.Response) -> dict[str, Any]:
    """NBI's or RO's error object; empty for other responses, such as a proxy's or an HTML page with a trace."""
    body = sessions.json_or_none(response)
    if not isinstance(body, dict):
        return {}
    if isinstance(body.get("error"), dict):  # RO's
        return {"detail": body["error"].get("description")}
    return body if "detail" in body else {}


def is_denied(response: requests.Response) -> bool:
    """Whether NBI says that the token's role does not allow the request; it may do so with a 401."""
    return "access denied" in str(problem(response).get("detail")).lower()


def reason(response: requests.Response) -> str:
    return str(problem(response).get("detail") or response.reason or "no reason given")


def url_of(response: requests.Response) -> str:
    return http.without_query(response.url)


def without_secrets(value: Any) -> Any:
    """The value without any fields that hold secrets, at any depth."""
    if isinstance(value, dict):
        return {
            name: without_secrets(inner) for name, inner in value.items() if not SECRET.search(name)
        }
    return [without_secrets(inner) for inner in value] if isinstance(value, list) else value
