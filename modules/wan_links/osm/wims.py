"""The status of WIMs: what the links over a WIM say about it, or else what its account does.

OSM sets the account's state only once, when the account is created or changed.
"""

import re
from collections import defaultdict
from typing import Any

from modules.wan_links.osm import links
from modules.wan_links.osm.services import Found, Lookups
from shared.providers.osm import wan, wan_services
from shared.providers.osm.wan_accounts import Accounts
from shared.records.fields import field, items, needed, objects
from shared.records.status import Point

LEVELS = {"ENABLED": "ok", "PROCESSING": "warning", "ERROR": "error"}
REFUSED = re.compile(r"\b40[13]\b|unauthori[sz]ed|forbidden|credential|authenticat", re.IGNORECASE)


def records(found: Found, lookups: Lookups) -> list[dict[str, Any]]:
    """A record for each WIM: its id, its account, and the messages of links that it did not answer about."""
    failing: dict[str, set[str]] = defaultdict(set)
    for link in links.all_of(found, lookups.accounts):
        if link.status in wan.NO_ANSWER:
            failing[link.wim].add(link.message or f"{link.status} without a message")
    return [
        {"wim": lookups.wim_accounts.get(wim, {}), "wim_id": wim, "failing": sorted(failing[wim])}
        for wim in sorted({*lookups.accounts.wim_names, *failing})
    ]


def points(record: dict[str, Any], accounts: Accounts) -> list[Point]:
    wim_id = needed(record, "wim_id", str)
    message = f"WIM {accounts.wim_names.get(wim_id, wim_id)}: "
    failing = items(record, "failing", str)
    if failing:
        refused = any(REFUSED.search(text) for text in failing)
        message += "it refuses OSM's credentials: " if refused else "OSM can't ask it: "
        return [Point(wim_id, "appliance", "error", message + "; ".join(failing))]
    admin = field(field(record, "wim", dict) or {}, "_admin", dict) or {}
    state, operations = field(admin, "operationalState", str), objects(admin, "operations")
    last = operations[-1] if operations else {}
    detail = field(admin, "detailed-status", str) or field(last, "detailed-status", str)
    level = LEVELS.get(state or "", "unknown")
    message += f"its account is {state}" if state else "NBI has no account of it"
    if level != "ok" and detail:
        refused = bool(REFUSED.search(detail))
        message += (
            f": {'it refuses the credentials: ' if refused else ''}{' '.join(detail.split())}"
        )
    since = wan_services.moment(last, "statusEnteredTime")
    return [Point(wim_id, "appliance", level, message, since)]
