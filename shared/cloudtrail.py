"""CloudTrail: what was done to resources, from the region's event history.

API: LookupEvents, 50 a page, two calls a second and region, so that throttling is to be expected.
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html

Events can be looked up 15 minutes after they happened, at the latest, and for 90 days. One listing for each
of CloudTrail's resource types; what an event's request or answer said is not taken over: there may be
secrets in it.
"""

import datetime
import json
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from shared.errors import UnexpectedResponse
from shared.providers import aws
from shared.record import field, needed, objects, plain
from shared.run import Asked

PERMISSION = "cloudtrail:LookupEvents"
EVENTS_A_CALL = 50
# Events have whole seconds, and so have the spans.
SPAN: Mapping[str, Any] = {"skew_s": 15 * 60, "period_s": 1, "longest_s": 60 * 60}


def events(
    scope: aws.Scope, asked: Asked, resource_type: str, kinds: Mapping[str, str]
) -> Iterator[list[dict[str, Any]]]:
    """The events of the interval, one for each resource that they name.

    ``kinds``: CloudTrail's resource types, and how the ids of those begin: "i-", or "arn:" where the ARN is
    the id. Others that an event names the resource by are passed over.
    """
    for kind, begins in kinds.items():
        for page in aws.pages(
            scope,
            "cloudtrail",
            "lookup_events",
            "Events",
            page_size=EVENTS_A_CALL,
            LookupAttributes=[{"AttributeKey": "ResourceType", "AttributeValue": kind}],
            StartTime=asked.interval.start,
            EndTime=asked.interval.end,  # which would belong to it
        ):
            yield [
                {**found, "resource_id": name, "resource_type": resource_type}
                for record in page
                for found in _told(record, asked)
                for name in sorted(_ids(record, kind, begins))
                if asked.wants(name)
            ]


def _ids(record: dict[str, Any], kind: str, begins: str) -> set[str]:
    names = {
        field(each, "ResourceName", str) or ""
        for each in objects(record, "Resources")
        if field(each, "ResourceType", str) == kind
    }
    if begins != "arn:":
        names = {name.rpartition("/")[2] for name in names}
    return {name for name in names if name.startswith(begins)}


def _told(record: dict[str, Any], asked: Asked) -> Iterator[dict[str, Any]]:
    """What is told of the event; nothing, if it is of another time."""
    when = needed(record, "EventTime", datetime.datetime)
    if when not in asked.interval:
        return
    name, whole = needed(record, "EventName", str), _whole(record)
    user, error = _user(record, whole), field(whole, "errorCode", str)
    yield {
        "id": needed(record, "EventId", str),
        "severity": "error" if error else "info",
        "message": name + (f" by {user}" if user else "") + (f": {error}" if error else ""),
        "time": plain(when),
        "user": user,
    }


def _whole(record: dict[str, Any]) -> dict[str, Any]:
    """The event as CloudTrail keeps it; the rest of the record is an extract of it."""
    try:
        whole = json.loads(field(record, "CloudTrailEvent", str) or "{}")
    except ValueError:
        whole = None
    if not isinstance(whole, dict):
        raise UnexpectedResponse("field 'CloudTrailEvent' should be an object in JSON")
    return whole


def _user(record: dict[str, Any], whole: dict[str, Any]) -> Optional[str]:
    """Who did it: a user, a role's session, or a service of AWS."""
    identity = field(whole, "userIdentity", dict) or {}
    return field(record, "Username", str) or field(identity, "invokedBy", str)
