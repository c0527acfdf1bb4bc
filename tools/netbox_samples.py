"""Cuts tests/recorded/netbox.json from recordings: ``python -m tools.netbox_samples FOLDER...``.

There is one folder per release, as tools/netbox_replay.py describes it. For each listing that the cells read, the
samples keep the fewest objects that together have every field in every recorded type, and all ids in NetBox's
order; for refused requests, the whole answer; for pages, their counts, links, ids and fields.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.providers.netbox import LISTINGS
from tools.netbox_replay import WHOLE, Recordings

SAMPLES = Path(__file__).resolve().parent.parent / "tests" / "recorded" / "netbox.json"


def samples(recordings: Recordings) -> dict[str, Any]:
    lists = {}
    for listing in LISTINGS:
        found = recordings.lists.get(f"/api/{listing}/")
        if found is not None:  # otherwise the release has no such listing
            ids = [each["id"] for each in found]
            lists[listing] = {"ids": ids, "objects": _covering(found)}
    return {
        "api_version": recordings.api_version,
        "lists": lists,
        "answers": list(_answers(recordings)),
    }


def _covering(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Greedily: the object that adds most, until none adds anything."""
    seen: set[Any] = set()
    chosen: list[dict[str, Any]] = []
    while True:
        best = max(found, key=lambda each: len(_facts(each) - seen))
        if not _facts(best) - seen:
            return sorted(chosen, key=lambda each: each["id"])
        seen |= _facts(best)
        chosen.append(best)


def _facts(value: Any, where: str = "") -> set[tuple[str, str]]:
    if isinstance(value, dict):
        inner = [_facts(each, f"{where}.{name}") for name, each in value.items()]
    elif isinstance(value, list):
        inner = [_facts(each, f"{where}[]") for each in value]
    else:
        return {(where, type(value).__name__)}
    return {(where, type(value).__name__)}.union(*inner)


def _answers(recordings: Recordings) -> Iterator[dict[str, Any]]:
    for each in recordings.index:
        body: Any = recordings.body(each["file"]) if each["file"] else None
        listed = isinstance(body, dict) and "results" in body
        kept = listed or each["status"] != 200 or each["path"] == "/api/status/"
        whole = (each["file"] or "").endswith(WHOLE)
        if each["method"] != "GET" or whole or not kept or each.get("request_headers"):
            continue
        if listed:
            ids = [one.get("id") for one in body["results"]]
            fields = sorted(body["results"][0]) if body["results"] else []
            body = {"count": body["count"], "next": body["next"], "ids": ids, "fields": fields}
        yield {
            "name": each["file"] or each["name"],
            "path": each["path"],
            "query": {name: str(value) for name, value in each["query"].items()},
            "auth": each["auth"],
            "status": each["status"],
            "content_type": each["headers"]["Content-Type"],
            "body": body,
        }


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m tools.netbox_samples FOLDER...")
    every = [Recordings(Path(folder)) for folder in sys.argv[1:]]
    SAMPLES.parent.mkdir(parents=True, exist_ok=True)
    SAMPLES.write_text(
        json.dumps({each.release: samples(each) for each in every}, ensure_ascii=False, indent=1)
        + "\n",
        encoding="utf-8",
    )
