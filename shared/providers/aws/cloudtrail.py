"""CloudTrail: what was done to resources, from the region's event history.

API: LookupEvents, 50 a page, two calls a second and region, so that throttling is to be expected.
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html

Events can be looked up 15 minutes after they happened, at the latest, and for 90 days. A lookup has one
attribute. By its resource type it finds what CloudTrail lists as such, which is little beyond EC2's older things:
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events-supported-resource-types.html
What that list lacks is looked up by the names of the events, or by their source where that has few events (and
with them those that only read, which are left out: they are mostly polls like this one). Such an event is about
the ids in its request and answer. Nothing else of these is taken over: there may be secrets in them.
"""

import dataclasses
import datetime
import re
from collections.abc import Iterable, Iterator
from typing import Any, Optional

from shared.engine.contracts import Window
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
    """Where the events of a kind of resource are: by CloudTrail's resource type, by event source or by names.

    ``ids`` is what an id looks like, or what tells it: the ARN of a load balancer is in that of its listener.
    ``id`` is made of the match, as ``re.Match.expand`` does it.
    """

    attribute: str  # "ResourceType", "EventSource" or "EventName"
    values: tuple[str, ...]
    ids: "re.Pattern[str]"
    id: str = r"\g<0>"

    def of(self, record: dict[str, Any]) -> set[str]:
        """The ids that an event is about."""
        if self.attribute == "ResourceType":
            names: Iterable[str] = (
                field(each, "ResourceName", str) or ""
                for each in objects(record, "Resources")
                if field(each, "ResourceType", str) in self.values
            )
        elif field(record, "ReadOnly", str) == "true":
            return set()
        else:
            whole = _whole(record)
            names = _texts([whole.get("requestParameters"), whole.get("responseElements")])
        found = (self._id(part) for name in names for part in (name, name.rpartition("/")[2]))
        return {each for each in found if each}

    def may_find(self, window: Window) -> bool:
        """Whether any of the ids that are asked for looks like one of these."""
        return window.resources is None or any(self._id(each) for each in window.resources)

    def _id(self, name: str) -> str:
        found = self.ids.fullmatch(name)
        return found.expand(self.id) if found else ""


def by_type(kind: str, begins: str) -> Lookup:
    """``kind`` is in CloudTrail's list of resource types; ``begins``: how its ids begin."""
    return Lookup("ResourceType", (kind,), re.compile(re.escape(begins) + ".*", re.DOTALL))


def by_source(source: str, ids: str) -> Lookup:
    return Lookup("EventSource", (f"{source}.amazonaws.com",), re.compile(ids))


def by_names(names: str, ids: str, id: str = r"\g<0>") -> Lookup:
    """``names``: the events', with blanks between."""
    return Lookup("EventName", tuple(names.split()), re.compile(ids), id)


def events(
    scope: aws.Scope, window: Window, resource_type: str, lookups: Iterable[Lookup]
) -> Iterator[list[dict[str, Any]]]:
    """The events of the interval, one for each resource that they are about.

    Where some resources are asked for, only what may find events of those is looked up.
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
                EndTime=window.interval.end,  # which would belong to it
            ):
                yield [
                    {**found, "resource_id": name, "resource_type": resource_type}
                    for record in page
                    for found in _log_events(record, window)
                    for name in sorted(lookup.of(record))
                    if window.wants(name)
                ]


def _texts(value: Any) -> Iterator[str]:
    """All texts in a JSON value, however deep."""
    todo = [value]
    while todo:
        each = todo.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, list):
            todo.extend(each)
        elif isinstance(each, dict):
            todo.extend(each.values())


def _log_events(record: dict[str, Any], window: Window) -> Iterator[dict[str, Any]]:
    """What is told of the event; nothing, if it is of another time."""
    when = needed(record, "EventTime", datetime.datetime)
    if when not in window.interval:
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
