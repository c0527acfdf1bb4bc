"""CloudTrail: what was done to resources, from the region's event history.

API: LookupEvents, 50 a page. A region allows two calls a second, so throttling is to be expected.
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html

Events can be looked up within 15 minutes of happening, and for 90 days. A lookup filters by one attribute. By
resource type it finds only the types that CloudTrail supports, which are few beyond EC2's older resources:
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events-supported-resource-types.html
Other resources are looked up by the names of the events, or by the event source where that has few events. Events
that only read are left out: most are polls like this one. Such an event is about the ids in its request and response.
Nothing else of the two is used: they may hold secrets.
"""

import dataclasses
import datetime
import re
from collections.abc import Iterable, Iterator
from typing import Any, Callable, Optional

from shared.engine.contracts import Series, Window
from shared.engine.errors import UnexpectedResponse
from shared.engine.interval import Span
from shared.providers import aws
from shared.records.fields import field, needed, objects, plain
from shared.transport import decode

PERMISSION = "cloudtrail:LookupEvents"
EVENTS_A_CALL = 50
# Events have whole seconds, and so have the spans.
SPAN = Span(skew_s=15 * 60, period_s=1, longest_s=60 * 60)


@dataclasses.dataclass(frozen=True)
class Lookup:
    """How to look up the events of a kind of resource: by CloudTrail's resource type, by event source or by names.

    ``ids`` matches an id, or a text that contains one: a listener's ARN contains its load balancer's. ``id`` is the
    template that makes the id of the match (``re.Match.expand``).
    """

    attribute: str  # "ResourceType", "EventSource" or "EventName"
    values: tuple[str, ...]
    ids: "re.Pattern[str]"
    id: str = r"\g<0>"

    def of(self, record: dict[str, Any]) -> set[str]:
        """The ids that an event is about."""
        if self.attribute == "ResourceType":
            names: Iterable[str] = (
                field(resource, "ResourceName", str) or ""
                for resource in objects(record, "Resources")
                if field(resource, "ResourceType", str) in self.values
            )
        elif field(record, "ReadOnly", str) == "true":
            return set()
        else:
            whole = _whole(record)
            names = _texts([whole.get("requestParameters"), whole.get("responseElements")])
        ids = (self._id(part) for name in names for part in (name, name.rpartition("/")[2]))
        return {identifier for identifier in ids if identifier}

    def may_find(self, window: Window) -> bool:
        """Whether any of the requested ids looks like one of these."""
        return window.resources is None or any(self._id(name) for name in window.resources)

    def _id(self, name: str) -> str:
        match = self.ids.fullmatch(name)
        return match.expand(self.id) if match else ""


def by_type(kind: str, prefix: str) -> Lookup:
    """``kind`` is one of CloudTrail's resource types; ``prefix`` is that of its ids."""
    return Lookup("ResourceType", (kind,), re.compile(re.escape(prefix) + ".*", re.DOTALL))


def by_source(source: str, ids: str) -> Lookup:
    return Lookup("EventSource", (f"{source}.amazonaws.com",), re.compile(ids))


def by_names(names: str, ids: str, id: str = r"\g<0>") -> Lookup:
    """``names`` are those of the events, separated by blanks."""
    return Lookup("EventName", tuple(names.split()), re.compile(ids), id)


def series(
    fetch: Callable[[aws.Scope, Window], Iterator[list[dict[str, Any]]]],
) -> Series[aws.Scope]:
    """The logs of a cell: what it fetches with ``events``, and the permissions and the span of time that takes."""
    return Series(permissions=(PERMISSION, "ec2:DescribeRegions"), span=SPAN, fetch=fetch)


def events(
    scope: aws.Scope, window: Window, resource_type: str, lookups: Iterable[Lookup]
) -> Iterator[list[dict[str, Any]]]:
    """The events of the interval, one for each resource that they are about.

    Where some resources are requested, only lookups that may find events of these are made.
    """
    for lookup in lookups:
        for value in lookup.values if lookup.may_find(window) else ():
            for page in aws.pages(
                scope,
                "cloudtrail",
                "lookup_events",
                "Events",
                page_size=EVENTS_A_CALL,
                LookupAttributes=[{"AttributeKey": lookup.attribute, "AttributeValue": value}],
                StartTime=window.interval.start,
                EndTime=window.interval.end,  # CloudTrail includes it; _log_events does not
            ):
                yield [
                    {**event, "resource_id": name, "resource_type": resource_type}
                    for record in page
                    for event in _log_events(record, window)
                    for name in sorted(lookup.of(record))
                    if window.wants(name)
                ]


def _texts(value: Any) -> Iterator[str]:
    """All texts in a JSON value, however deep."""
    todo = [value]
    while todo:
        part = todo.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, list):
            todo.extend(part)
        elif isinstance(part, dict):
            todo.extend(part.values())


def _log_events(record: dict[str, Any], window: Window) -> Iterator[dict[str, Any]]:
    """The log event of a record; none if it happened outside the interval."""
    time = needed(record, "EventTime", datetime.datetime)
    if time not in window.interval:
        return
    name, whole = needed(record, "EventName", str), _whole(record)
    user, error = _user(record, whole), field(whole, "errorCode", str)
    yield {
        "id": needed(record, "EventId", str),
        "severity": "error" if error else "info",
        "message": name + (f" by {user}" if user else "") + (f": {error}" if error else ""),
        "time": plain(time),
        "user": user,
    }


def _whole(record: dict[str, Any]) -> dict[str, Any]:
    """The event as CloudTrail stores it; the rest of the record is an extract."""
    try:
        whole = decode.json_value(field(record, "CloudTrailEvent", str) or "{}")
    except decode.Unusable:
        whole = None
    if not isinstance(whole, dict):
        raise UnexpectedResponse("field 'CloudTrailEvent' should be an object in JSON")
    return whole


def _user(record: dict[str, Any], whole: dict[str, Any]) -> Optional[str]:
    """Who did it: a user, a role's session, or a service of AWS."""
    identity = field(whole, "userIdentity", dict) or {}
    return field(record, "Username", str) or field(identity, "invokedBy", str)
