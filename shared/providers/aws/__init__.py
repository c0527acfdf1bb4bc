"""AWS: the names that cells and the engine use.

``session``: credentials, login, regions. ``paging``: calls and listings. ``errors`` and ``responses``: what a response
means, and whether it is one; ``plans`` reads it. ``records``: tags and names. Cells import ``cloudwatch``,
``cloudtrail`` and ``regions`` (where regions are) by themselves, as they need them.
"""

from shared.engine.contracts import Provider
from shared.providers.aws.errors import classify, may_be_gone
from shared.providers.aws.paging import (
    RESTARTS,
    answers,
    by_ids,
    call,
    filtered,
    for_each,
    for_each_left,
    listed,
    offered_pages,
    pages,
    requested_pages,
)
from shared.providers.aws.records import (
    KIND,
    keyed,
    kind_of,
    named,
    of_kind,
    only,
    reported,
    state,
    tags,
)
from shared.providers.aws.session import (
    CREDENTIAL_KEYS,
    Credentials,
    Scope,
    Session,
    account,
    credentials,
    least_permissions,
    login,
    scopes,
)

__all__ = [
    "PROVIDER",
    "CREDENTIAL_KEYS",
    "Credentials",
    "KIND",
    "RESTARTS",
    "Scope",
    "Session",
    "account",
    "answers",
    "by_ids",
    "call",
    "classify",
    "credentials",
    "filtered",
    "for_each",
    "for_each_left",
    "keyed",
    "kind_of",
    "least_permissions",
    "listed",
    "login",
    "may_be_gone",
    "named",
    "of_kind",
    "offered_pages",
    "only",
    "pages",
    "reported",
    "requested_pages",
    "scopes",
    "state",
    "tags",
]

PROVIDER = Provider(
    credential_keys=CREDENTIAL_KEYS,
    credentials=credentials,
    login=login,
    scopes=scopes,
    account=account,
    classify=classify,
    least_permissions=least_permissions,
    at_once=32,  # a region has hosts and limits of its own, and there are some 30
)
