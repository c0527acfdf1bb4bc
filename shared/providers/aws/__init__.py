"""AWS: login, regions and listings (session), CloudWatch and CloudTrail, and where regions are.

This is the face that cells and the engine use. ``cloudwatch``, ``cloudtrail`` and ``regions`` are imported by
the cells that need them.
"""

from shared.providers.aws.session import (
    RESTARTS,
    Credentials,
    Scope,
    Session,
    account,
    answers,
    asked_for,
    by_ids,
    call,
    classify,
    credentials,
    filtered,
    for_each,
    for_each_left,
    least_rights,
    listed,
    login,
    may_be_gone,
    named,
    offered_pages,
    pages,
    scopes,
    tags,
)

__all__ = [
    "Credentials",
    "RESTARTS",
    "Scope",
    "Session",
    "account",
    "answers",
    "asked_for",
    "by_ids",
    "call",
    "classify",
    "credentials",
    "filtered",
    "for_each",
    "for_each_left",
    "least_rights",
    "listed",
    "login",
    "may_be_gone",
    "named",
    "offered_pages",
    "pages",
    "scopes",
    "tags",
]
