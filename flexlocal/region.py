"""A CMP region: its modules, through the vendor's client where it imports, or by the same calls.

Regions are those of the vendor's own file, ~/.flexer.yaml:

    verify_ssl: true
    regions:
      default: {cmp_url: https://.../cmp/basic/api, cmp_api_key: ..., cmp_api_secret: ...}
"""

import contextlib
import json
import stat
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Optional

import requests
import yaml

CONFIG = Path("~/.flexer.yaml")
CONNECT_S, ANSWER_S = 10.0, 60.0
EXECUTION_S = 900.0  # a poll has ten minutes


class RegionError(Exception):
    """The region can't be used or refused a call; the message says why and what to do."""


class Region:
    """A region's name and URL, and ``client``: what the vendor's NflexClient can do."""

    def __init__(self, name: str, url: str, client: Any):
        self.name = name
        self.url = url
        self.client = client


def connect(name: str = "default") -> Region:
    """The region of ~/.flexer.yaml; calls nobody yet."""
    file = CONFIG.expanduser()
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        regions = content["regions"]
        known = regions[name]
        url = known["cmp_url"].rstrip("/")
        auth = (known["cmp_api_key"], known["cmp_api_secret"])
    except FileNotFoundError:
        raise RegionError(
            f"{CONFIG} is missing: it names the CMP regions (see README.md)"
        ) from None
    except OSError as error:
        raise RegionError(f"{CONFIG}: {error.strerror}") from None
    except yaml.YAMLError:
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
    return Region(name, url, _client(url, auth, known.get("extra_headers") or {}, verify))


@contextlib.contextmanager
def explained(region: Region) -> Iterator[None]:
    """Turns what goes wrong in a call into a RegionError."""
    try:
        yield
    except requests.exceptions.HTTPError as error:
        answer = error.response
        about = f"{answer.request.method} {answer.request.path_url}: {answer.status_code}"
        if answer.status_code in (401, 403):
            raise RegionError(
                f"region {region.name} does not accept the key of {CONFIG} for this ({about})"
            ) from None
        raise RegionError(f"region {region.name}: {about} {_said(answer)}".rstrip()) from None
    except requests.exceptions.RequestException as error:
        raise RegionError(
            f"region {region.name} at {region.url} can't be reached: {type(error).__name__}"
        ) from None


def _said(answer: requests.Response) -> str:
    return " ".join(answer.text.split())[:300]


def _client(url: str, auth: tuple[str, str], headers: dict[str, str], verify: bool) -> Any:
    try:
        from flexer import CmpClient, NflexClient
    except ImportError:
        return Nflex(url, auth, headers, verify)
    return NflexClient(CmpClient(url, auth=auth, extra_headers=headers, verify_ssl=verify))


class Nflex:
    """The calls of the vendor's NflexClient (flexer 1.8.0), by the same names, with time-outs."""

    def __init__(self, url: str, auth: tuple[str, str], headers: dict[str, str], verify: bool):
        self._url = url
        self._session = requests.Session()
        self._session.auth = auth
        self._session.verify = verify
        self._session.headers.update(headers)

    def list(self) -> list[dict[str, Any]]:
        modules: list[dict[str, Any]] = []
        page = 1
        while True:
            answer = self._call("GET", "/modules", params={"page": page} if page > 1 else {})
            found = answer.json()
            modules += found
            if not found or len(modules) >= int(answer.headers.get("x-total-count", 0)):
                return modules
            page = int(answer.headers["x-page"]) + 1

    def upload(
        self, name: str, description: str, event_source: str, language: str, zip_file: str
    ) -> dict[str, Any]:
        module = self._call(
            "POST",
            "/modules",
            json={
                "name": name,
                "description": description,
                "file_type": "zip",
                "event_source": event_source,
                "source_code": "",
                "language": language,
            },
        ).json()
        self._send_zip(module["id"], zip_file)
        return module

    def update(
        self,
        module_id: str,
        zip_file: str,
        language: str,
        handlers: Optional[str] = None,
        description: Optional[str] = None,
    ) -> Any:
        changes: dict[str, Any] = {"file_type": "zip", "language": language}
        if description is not None:
            changes["description"] = description
        if handlers:
            changes["handlers"] = json.loads(Path(handlers).read_text(encoding="utf-8"))
        self._call("PATCH", f"/modules/{module_id}", params={"nosync": "true"}, json=changes)
        return self._send_zip(module_id, zip_file)

    def execute(self, module_id: str, handler: str, is_async: bool, event: str) -> dict[str, Any]:
        asked = {"async": is_async, "handler": f"main.{handler}", "event": json.loads(event)}
        return self._call(
            "POST", f"/modules/{module_id}/execute", json=asked, timeout=(CONNECT_S, EXECUTION_S)
        ).json()

    def logs(self, module_id: str) -> dict[str, Any]:
        now = datetime.now(timezone.utc)
        asked = {
            "resource_id": f"nflex-module-{module_id}",
            "start": _moment(now - timedelta(hours=24)),
            "end": _moment(now),
            "order": "asc",
        }
        return self._call("GET", "/logs", params=asked).json()

    def delete(self, module_id: str) -> Any:
        return self._call("DELETE", f"/modules/{module_id}")

    def _send_zip(self, module_id: str, zip_file: str) -> Any:
        with open(zip_file, "rb") as packed:
            files = {"file": (Path(zip_file).name, packed)}
            return self._call("POST", f"/modules/{module_id}/zipfile", files=files).json()

    def _call(self, method: str, path: str, **asked: Any) -> requests.Response:
        asked.setdefault("timeout", (CONNECT_S, ANSWER_S))
        answer = self._session.request(method, self._url + path, **asked)
        answer.raise_for_status()
        return answer


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
