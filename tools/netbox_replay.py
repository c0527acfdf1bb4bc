"""Answers as a real NetBox did whose recordings are in a folder; ``tools.record`` uses it.

A folder holds ``index.json`` (one entry a request: file, path, query, status, headers) and the answers'
bodies; a listing ``<app>_<list>__limit=1000_offset=0.json`` has all its objects. The objects are answered
with as they were recorded. What no recording can hold for every question (which page, in which order,
which fields) is worked out here, and ``prove`` compares that with all recorded answers to such questions.
"""

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Optional
from urllib.parse import parse_qsl, urlencode, urlsplit

WHOLE = "__limit=1000_offset=0.json"
DEFAULT_PAGE = 50
CAP = 1000  # MAX_PAGE_SIZE of the recorded server
KNOWN = {"exclude", "fields", "id", "id__gt", "limit", "nonsense", "offset", "ordering"}


class Recordings:
    """The recorded answers of one server."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        self.release = self.body("status.json")["netbox-version"]
        self.refused = self.body("errors/wrong-v1_circuits.json")
        self.api_version: Optional[str] = next(
            (each["headers"].get("API-Version") for each in self.index if each["file"]), None
        )
        self.lists: dict[str, list[dict[str, Any]]] = {
            each["path"]: self.body(each["file"])["results"]
            for each in self.index
            if (each["file"] or "").endswith(WHOLE) and "/" not in each["file"]
        }

    def body(self, file: str) -> Any:
        return json.loads((self.folder / file).read_text(encoding="utf-8"))

    def answer(self, path: str, query: list[tuple[str, str]], cap: int = CAP) -> dict[str, Any]:
        """A page of a listing, as the recorded server would cut it."""
        one = dict(query)
        found = self.lists[path]
        if one.get("ordering") == "id":
            found = sorted(found, key=lambda each: each["id"])
        if "id__gt" in one:
            found = [each for each in found if each["id"] > int(one["id__gt"])]
        ids = {int(value) for name, value in query if name == "id"}
        if ids:
            found = [each for each in found if each["id"] in ids]
        limit = min(int(one.get("limit", DEFAULT_PAGE)) or cap, cap)
        offset = int(one.get("offset", 0))
        page = found[offset : offset + limit]
        if one.get("fields") and not self.release.startswith("3."):
            names = one["fields"].split(",")
            page = [{name: each[name] for name in names if name in each} for each in page]
        if one.get("exclude") == "config_context":
            hidden = ("config_context",)
            page = [{name: each[name] for name in each if name not in hidden} for each in page]
        more = [pair for pair in query if pair[0] not in ("limit", "offset")]
        more += [("limit", str(limit)), ("offset", str(offset + limit))]
        link = f"https://netbox.example.com{path}?{urlencode(sorted(more))}"
        return {
            "count": len(found),
            "next": link if offset + limit < len(found) else None,
            "previous": None,
            "results": page,
        }

    def prove(self) -> int:
        """Compare with every recorded answer to a question of this kind; the number of them."""
        compared = 0
        for each in self.index:
            file, query = each["file"], each["query"]
            plain = (
                each["method"] == "GET" and each["status"] == 200 and "MAX_PAGE" not in str(file)
            )
            counted = all(str(query.get(name, 0)).isdigit() for name in ("limit", "offset"))
            if not (file and plain and counted and each["path"] in self.lists):
                continue
            if not query.keys() <= KNOWN or file.startswith(("auth/", "proxy/")):
                continue
            if query.get("ordering") not in (None, "id", "nonsense"):
                continue
            recorded = self.body(file)
            pairs = [(name, str(value)) for name, value in query.items()]
            worked_out = self.answer(each["path"], pairs)
            if any(worked_out[name] != recorded[name] for name in ("count", "next", "results")):
                raise AssertionError(f"{self.folder.name}/{file} is not what would be answered")
            compared += 1
        return compared


class Replay(ThreadingHTTPServer):
    """The recordings, served to one token; no page is larger than ``cap``."""

    daemon_threads = True

    def __init__(
        self, recordings: Recordings, where: tuple[str, int], authorization: str, cap: int
    ):
        super().__init__(where, _Handler)
        self.recordings = recordings
        self.authorization = authorization
        self.cap = cap

    def __enter__(self) -> "Replay":
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Replay

    def do_GET(self) -> None:
        recordings = self.server.recordings
        url = urlsplit(self.path)
        if self.headers.get("Authorization") != self.server.authorization:
            self._answer(403, recordings.refused)
        elif url.path in recordings.lists:
            query = parse_qsl(url.query)
            self._answer(200, recordings.answer(url.path, query, self.server.cap))
        elif url.path == "/api/status/":
            self._answer(200, recordings.body("status.json"))
        else:
            self._answer(404, None)

    def _answer(self, status: int, answer: Optional[Mapping[str, Any]]) -> None:
        body = b"<html>Page Not Found</html>"
        if answer is not None:
            body = json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()
        self.send_response(status)
        kind = "text/html; charset=utf-8" if answer is None else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.server.recordings.api_version:
            self.send_header("API-Version", self.server.recordings.api_version)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass
