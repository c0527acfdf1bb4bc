"""A CMP region: its modules, by the calls that the vendor's client (flexer 1.8.0) makes.

That client itself is not used: it sends a new module's zip twice, has no time-outs, and never ends where a
list stays shorter than it says. tests/test_publish.py compares the calls.

Regions are those of the vendor's own file, ~/.flexer.yaml:

    verify_ssl: true
    regions:
      default: {cmp_url: https://.../cmp/basic/api, cmp_api_key: ..., cmp_api_secret: ...}
"""

import base64
import io
import stat
import sys
import zipfile
import zlib
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, TypeVar

import requests
import yaml

from shared.engine.masking import Masker, secrets_in

CONFIG = Path("~/.flexer.yaml")
CONNECT_S, ANSWER_S = 10.0, 60.0
EXECUTION_S = 900.0  # a poll has ten minutes

T = TypeVar("T")


class RegionError(Exception):
    """The region can't be used or refused a call; the message says why and what to do."""


def connect(name: str = "default") -> "Region":
    """The region of ~/.flexer.yaml; calls nobody yet."""
    file = CONFIG.expanduser()
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        regions = content["regions"]
        known = regions[name]
        url = known["cmp_url"].rstrip("/")
        auth = (str(known["cmp_api_key"]), str(known["cmp_api_secret"]))
    except FileNotFoundError:
        raise RegionError(
            f"{CONFIG} is missing: it names the CMP regions (see README.md)"
        ) from None
    except OSError as error:
        raise RegionError(f"{CONFIG}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise RegionError(f"{CONFIG} is no YAML") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise RegionError(
            f"{CONFIG} has no regions.{name} with cmp_url, cmp_api_key and cmp_api_secret ({error})"
        ) from None
    if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        print(
            f"warning: {CONFIG} holds secrets and can be read by others: chmod 600", file=sys.stderr
        )
    verify = known.get("verify_ssl", content.get("verify_ssl", True))
    return Region(name, url, auth, known.get("extra_headers") or {}, verify)


class Region:
    """One region. Each call raises RegionError where it fails or its answer is not what was expected."""

    def __init__(
        self, name: str, url: str, auth: tuple[str, str], headers: dict[str, str], verify: bool
    ):
        self.name = name
        self.url = url
        # for all that the region answers: it may echo what it was sent
        self.mask = Masker(secrets_in({"secrets": [*auth, *headers.values()]}))
        self._session = requests.Session()
        self._session.auth = auth
        self._session.verify = verify
        self._session.headers.update(headers)

    def modules(self) -> list[dict[str, Any]]:
        """All modules, each once and at least with ``id`` and ``name``."""
        found: dict[str, dict[str, Any]] = {}
        page = 1
        while True:
            answer = self._call("GET", "/modules", params={"page": page} if page > 1 else {})
            listed = self._json(answer, list)
            for each in listed:
                if not isinstance(each, dict) or not all(
                    isinstance(each.get(key), str) for key in ("id", "name")
                ):
                    raise self._unexpected(answer, "a list with a module without id or name")
            new = {each["id"]: each for each in listed if each["id"] not in found}
            found.update(new)
            total = self._number(answer, "x-total-count", 0)
            if len(found) >= total:
                return list(found.values())
            if listed and not new:
                raise self._unexpected(answer, f"page {page} of the modules repeats what was there")
            if not listed:
                raise self._unexpected(
                    answer, f"{len(found)} modules where it says that there are {total}"
                )
            page = self._number(answer, "x-page", page) + 1

    def create(self, name: str, description: str, event_source: str, language: str) -> str:
        """A new module without code; its id."""
        asked = {
            "name": name,
            "description": description,
            "file_type": "zip",
            "event_source": event_source,
            "source_code": "",
            "language": language,
        }
        answer = self._call("POST", "/modules", json=asked)
        created = self._json(answer, dict).get("id")
        if not isinstance(created, str):
            raise self._unexpected(answer, "a module without an id")
        return created

    def update(
        self,
        module_id: str,
        zip_file: Path,
        language: str,
        handlers: list[dict[str, str]],
        description: str,
    ) -> None:
        changes = {
            "file_type": "zip",
            "language": language,
            "handlers": handlers,
            "description": description,
        }
        self._call("PATCH", f"/modules/{module_id}", params={"nosync": "true"}, json=changes)
        with open(zip_file, "rb") as packed:
            files = {"file": (zip_file.name, packed)}
            self._call("POST", f"/modules/{module_id}/zipfile", files=files)

    def execute(self, module_id: str, handler: str, is_async: bool, event: Any) -> dict[str, Any]:
        asked = {"async": is_async, "handler": f"main.{handler}", "event": event}
        answer = self._call(
            "POST", f"/modules/{module_id}/execute", json=asked, timeout=(CONNECT_S, EXECUTION_S)
        )
        return self._json(answer, dict)

    def logs(self, module_id: str) -> list[dict[str, Any]]:
        """What the module logged in the last 24 hours."""
        now = datetime.now(timezone.utc)
        asked = {
            "resource_id": f"nflex-module-{module_id}",
            "start": _moment(now - timedelta(hours=24)),
            "end": _moment(now),
            "order": "asc",
        }
        answer = self._call("GET", "/logs", params=asked)
        hits = self._json(answer, dict).get("hits", [])
        if not isinstance(hits, list) or not all(isinstance(each, dict) for each in hits):
            raise self._unexpected(answer, "hits that are no list of objects")
        return hits

    def get(self, module_id: str) -> dict[str, Any]:
        return self._json(self._call("GET", f"/modules/{module_id}"), dict)

    def download(self, module_id: str, folder: Path) -> None:
        """The module's code into the folder, over what is there. Raises OSError if it can't be written."""
        module = self.get(module_id)
        kind = module.get("file_type")
        if kind == "inline":
            (folder / "main.py").write_text(str(module.get("source_code", "")), encoding="utf-8")
            return
        answer = self._call("GET", f"/modules/{module_id}/zipfile")
        try:
            with zipfile.ZipFile(io.BytesIO(base64.b64decode(answer.content))) as packed:
                for entry in packed.infolist():
                    if kind == "github":  # all is in one folder, as GitHub packs a repository
                        entry.filename = entry.filename.partition("/")[2]
                    if entry.filename:
                        packed.extract(entry, folder)
        except (ValueError, zipfile.BadZipFile, EOFError, zlib.error, RuntimeError):
            raise self._unexpected(answer, "what is no zip file") from None

    def delete(self, module_id: str) -> None:
        self._call("DELETE", f"/modules/{module_id}")

    def _call(self, method: str, path: str, **asked: Any) -> requests.Response:
        asked.setdefault("timeout", (CONNECT_S, ANSWER_S))
        try:
            answer = self._session.request(method, self.url + path, **asked)
        except requests.exceptions.RequestException as error:
            raise RegionError(
                f"region {self.name} at {self.url} can't be reached: {type(error).__name__}"
            ) from None
        if answer.status_code in (401, 403):
            raise RegionError(
                f"region {self.name} does not accept the key of {CONFIG} for this ({_about(answer)})"
            )
        if not answer.ok:
            said = "(an HTML page)" if _is_html(answer) else answer.text
            raise RegionError(self.mask.excerpt(f"region {self.name}: {_about(answer)} {said}"))
        return answer

    def _json(self, answer: requests.Response, kind: type[T]) -> T:
        try:
            document = answer.json()
        except (ValueError, RecursionError):
            what = "an HTML page" if _is_html(answer) else "no JSON"
            raise self._unexpected(answer, f"{what}: is cmp_url of {CONFIG} the API's?") from None
        if not isinstance(document, kind):
            raise self._unexpected(
                answer, f"{type(document).__name__} where {kind.__name__} was expected"
            )
        return document

    def _number(self, answer: requests.Response, header: str, default: int) -> int:
        text = answer.headers.get(header, str(default))
        if not text.isdecimal():
            raise self._unexpected(answer, f"header {header}, which is no number")
        return int(text)

    def _unexpected(self, answer: requests.Response, what: str) -> RegionError:
        about = f"region {self.name} answered {_about(answer)} with {what}"
        return RegionError(self.mask.excerpt(about))


def _about(answer: requests.Response) -> str:
    return f"{answer.request.method} {answer.request.path_url}: {answer.status_code}"


def _is_html(answer: requests.Response) -> bool:
    kind = answer.headers.get("Content-Type", "")
    return "html" in kind.lower() or answer.text.lstrip()[:1] == "<"


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
