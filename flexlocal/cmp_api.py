"""A client of the CMP's API: the modules of one region.

It makes the same calls as the vendor's client (flexer 1.8.0); tests/test_publish.py compares them. That client
itself is not used: it sends a new module's zip twice, has no time-outs, and loops forever if a list stays
shorter than the total that the API announces.

Regions are read from the vendor's own file, ~/.flexer.yaml:

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
    """The region can't be used, or it refused a call. The message says why and what to do."""


def connect(name: str = "default") -> "Region":
    """The region of this name in ~/.flexer.yaml. Makes no call yet."""
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
        raise RegionError(f"{CONFIG} is not YAML") from None
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
    """One region. Every call raises RegionError if it fails or its response is not what was expected."""

    def __init__(
        self, name: str, url: str, auth: tuple[str, str], headers: dict[str, str], verify: bool
    ):
        self.name = name
        self.url = url
        # applied to every response: it may echo what was sent
        self.mask = Masker(secrets_in({"secrets": [*auth, *headers.values()]}))
        self._session = requests.Session()
        self._session.auth = auth
        self._session.verify = verify
        self._session.headers.update(headers)

    def modules(self) -> list[dict[str, Any]]:
        """All modules, each once and at least with ``id`` and ``name``."""
        modules: dict[str, dict[str, Any]] = {}
        page = 1
        while True:
            response = self._call("GET", "/modules", params={"page": page} if page > 1 else {})
            listed = self._json(response, list)
            for module in listed:
                if not isinstance(module, dict) or not all(
                    isinstance(module.get(key), str) for key in ("id", "name")
                ):
                    raise self._unexpected(response, "a list with a module without id or name")
            new = {module["id"]: module for module in listed if module["id"] not in modules}
            modules.update(new)
            total = self._number(response, "x-total-count", 0)
            if len(modules) >= total:
                return list(modules.values())
            if listed and not new:
                raise self._unexpected(
                    response, f"page {page} of the modules repeats what was there"
                )
            if not listed:
                raise self._unexpected(
                    response, f"{len(modules)} modules where it says that there are {total}"
                )
            page = self._number(response, "x-page", page) + 1

    def create(self, name: str, description: str, event_source: str, language: str) -> str:
        """Create a module without code; returns its id."""
        body = {
            "name": name,
            "description": description,
            "file_type": "zip",
            "event_source": event_source,
            "source_code": "",
            "language": language,
        }
        response = self._call("POST", "/modules", json=body)
        created = self._json(response, dict).get("id")
        if not isinstance(created, str):
            raise self._unexpected(response, "a module without an id")
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
        body = {"async": is_async, "handler": f"main.{handler}", "event": event}
        response = self._call(
            "POST", f"/modules/{module_id}/execute", json=body, timeout=(CONNECT_S, EXECUTION_S)
        )
        return self._json(response, dict)

    def logs(self, module_id: str) -> list[dict[str, Any]]:
        """The module's log records of the last 24 hours."""
        now = datetime.now(timezone.utc)
        params = {
            "resource_id": f"nflex-module-{module_id}",
            "start": _moment(now - timedelta(hours=24)),
            "end": _moment(now),
            "order": "asc",
        }
        response = self._call("GET", "/logs", params=params)
        hits = self._json(response, dict).get("hits", [])
        if not isinstance(hits, list) or not all(isinstance(hit, dict) for hit in hits):
            raise self._unexpected(response, "hits that are no list of objects")
        return hits

    def get(self, module_id: str) -> dict[str, Any]:
        return self._json(self._call("GET", f"/modules/{module_id}"), dict)

    def download(self, module_id: str, folder: Path) -> None:
        """Write the module's code into the folder; files there are replaced. Raises OSError if that fails."""
        module = self.get(module_id)
        kind = module.get("file_type")
        if kind == "inline":
            (folder / "main.py").write_text(str(module.get("source_code", "")), encoding="utf-8")
            return
        response = self._call("GET", f"/modules/{module_id}/zipfile")
        try:
            with zipfile.ZipFile(io.BytesIO(base64.b64decode(response.content))) as packed:
                for entry in packed.infolist():
                    if kind == "github":  # GitHub packs a repository into one folder
                        entry.filename = entry.filename.partition("/")[2]
                    if entry.filename:
                        packed.extract(entry, folder)
        except (ValueError, zipfile.BadZipFile, EOFError, zlib.error, RuntimeError):
            raise self._unexpected(response, "what is no zip file") from None

    def delete(self, module_id: str) -> None:
        self._call("DELETE", f"/modules/{module_id}")

    def _call(self, method: str, path: str, **request: Any) -> requests.Response:
        request.setdefault("timeout", (CONNECT_S, ANSWER_S))
        try:
            response = self._session.request(method, self.url + path, **request)
        except requests.exceptions.RequestException as error:
            raise RegionError(
                f"region {self.name} at {self.url} can't be reached: {type(error).__name__}"
            ) from None
        if response.status_code in (401, 403):
            raise RegionError(
                f"region {self.name} does not accept the key of {CONFIG} for this ({_about(response)})"
            )
        if not response.ok:
            text = "(an HTML page)" if _is_html(response) else response.text
            raise RegionError(self.mask.excerpt(f"region {self.name}: {_about(response)} {text}"))
        return response

    def _json(self, response: requests.Response, kind: type[T]) -> T:
        try:
            document = response.json()
        except (ValueError, RecursionError):
            what = "an HTML page" if _is_html(response) else "no JSON"
            raise self._unexpected(response, f"{what}: is cmp_url of {CONFIG} the API's?") from None
        if not isinstance(document, kind):
            raise self._unexpected(
                response, f"{type(document).__name__} where {kind.__name__} was expected"
            )
        return document

    def _number(self, response: requests.Response, header: str, default: int) -> int:
        text = response.headers.get(header, str(default))
        if not text.isdecimal():
            raise self._unexpected(response, f"header {header}, which is no number")
        return int(text)

    def _unexpected(self, response: requests.Response, what: str) -> RegionError:
        about = f"region {self.name} answered {_about(response)} with {what}"
        return RegionError(self.mask.excerpt(about))


def _about(response: requests.Response) -> str:
    return f"{response.request.method} {response.request.path_url}: {response.status_code}"


def _is_html(response: requests.Response) -> bool:
    kind = response.headers.get("Content-Type", "")
    return "html" in kind.lower() or response.text.lstrip()[:1] == "<"


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
