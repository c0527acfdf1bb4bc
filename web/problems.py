"""Errors as RFC 9457 has them: ``application/problem+json``."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from fastapi.responses import Response

TYPE = "application/problem+json"
TITLES = {
    400: "The request can't be understood",
    401: "A token is needed",
    403: "The token may not do this",
    404: "Not found",
    405: "There is no such operation",
    409: "Not as things are",
    413: "The request is too large",
    415: "The body is not JSON",
    421: "This server does not serve that host",
    429: "Too many requests",
    500: "An error of the server itself",
    503: "The inventory can't be read now",
}


class Problem(Exception):
    """What a request is answered with instead. ``detail`` says what is wrong and what to do; ``errors``: of each
    parameter; ``more``: further members of the problem."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Optional[Mapping[str, str]] = None,
        **more: Any,
    ):
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.errors, self.headers, self.more = list(errors), dict(headers or {}), more

    def response(self, request_id: str, path: str) -> Response:
        body: dict[str, Any] = {
            "type": f"urn:flexlocal:problem:{self.status}",
            "title": TITLES.get(self.status, "The request failed"),
            "status": self.status,
            "detail": self.detail,
            "instance": path,
            "request_id": request_id,
            **self.more,
        }
        if self.errors:
            body["errors"] = self.errors
        return Response(as_json(body), self.status, self.headers, TYPE)


def of_parameter(name: str, detail: str) -> Problem:
    """The problem of one parameter that can't be understood."""
    return Problem(400, f"{name}: {detail}", errors=[{"parameter": name, "detail": detail}])


def as_json(value: Any) -> bytes:
    """Characters that UTF-8 has no place for are written as JSON's escapes."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "backslashreplace")
