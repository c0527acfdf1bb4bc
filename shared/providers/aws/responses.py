"""Responses of AWS's APIs, checked before and while botocore parses them."""

import re
from datetime import datetime, timezone
from typing import Any

import botocore.exceptions as aws_errors
import botocore.parsers
from botocore.utils import parse_timestamp

from shared.engine.errors import UnexpectedResponse
from shared.providers.aws import plans
from shared.records.fields import parse_time
from shared.transport import decode, http

# How a response begins and ends, by protocol: XML in an element named after the operation, or JSON.
_XML = (
    re.compile(rb"\s*(<\?xml[^>]*>\s*)?<\w+Response[\s>]"),
    re.compile(rb"</\w+Response>\s*$"),
)
_JSON = (re.compile(rb"\s*\{"), re.compile(rb"\}\s*$"))
ENVELOPES = {"ec2": _XML, "query": _XML, "json": _JSON, "rest-json": _JSON}


def use_json(session: Any, service: str) -> None:
    """Use JSON where newer releases of botocore would use CBOR, which nobody can read in a cassette."""
    model = session.get_component("data_loader").load_service_model(service, "service-2")
    known = model["metadata"]
    if "json" in known.get("protocols", ()):
        known["protocol"], known["protocols"] = "json", ["json"]
        known.setdefault("jsonVersion", "1.1")


def complete(
    request: Any, response: Any, begin: "re.Pattern[bytes]", end: "re.Pattern[bytes]"
) -> Any:
    """The response, if it is complete and comes from the API.

    botocore checks neither: it does not retry a body that was cut short, and it would read a proxy's
    well-formed page as an empty listing.
    """
    where = http.without_query(request.url)
    if not begin.match(response.content):
        kind = response.headers.get("Content-Type", "no content type")
        raise UnexpectedResponse(f"{where} did not answer as an AWS API ({kind})")
    if not end.search(response.content[-200:]):
        raise aws_errors.ConnectionClosedError(endpoint_url=where)
    if end is _JSON[1]:  # botocore accepts NaN and halves of surrogate pairs
        decode.json_answer(response.content, where)
    return response


class Parsers(botocore.parsers.ResponseParserFactory):  # type: ignore[misc]
    """botocore's parsers, which by themselves trust a response to be as the service's model describes it.

    One of each protocol and of what its caller reads, though botocore asks for one with each response: what a parser
    planned is planned once.
    """

    def __init__(self) -> None:
        super().__init__()
        self._parsers: dict[tuple[str, int], _Parser] = {}

    def create_parser(self, protocol_name: str) -> Any:
        planned, reads = plans.PARSERS.get(protocol_name), plans.now_reading()
        # a parser keeps its reads, so that no others get their id
        key = protocol_name, id(reads) if planned else 0
        if key not in self._parsers:
            self._parsers[key] = _Parser(
                planned(reads=reads, **self._defaults)
                if planned
                else super().create_parser(protocol_name)
            )
        return self._parsers[key]


class _Parser:
    """One of botocore's parsers; raises UnexpectedResponse where the response is not as the model describes it."""

    def __init__(self, parser: Any):
        self._parser = parser

    def parse(self, response: dict[str, Any], shape: Any) -> Any:
        try:
            return self._parser.parse(response, shape)
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            NameError,  # botocore's own, for an entry of a map without key or value
            RecursionError,
            TypeError,
            ValueError,
        ):  # text where botocore expects an element or an object, and the like
            operation = response.get("context", {}).get("operation_name", "an operation")
            raise UnexpectedResponse(
                f"{operation}: the answer is not as the API sends it"
            ) from None


def timestamp(value: Any) -> datetime:
    """A response's time. botocore's own parser (dateutil) needs 25 us for one: a quarter of a listing's cost."""
    try:
        if isinstance(value, (int, float)):  # JSON's
            return datetime.fromtimestamp(value, timezone.utc)
        moment = parse_time(value) if isinstance(value, str) else None
        return moment or parse_timestamp(value).astimezone(timezone.utc)
    except (ArithmeticError, OSError, RuntimeError, TypeError, ValueError):
        raise UnexpectedResponse("a time in an answer is none") from None
