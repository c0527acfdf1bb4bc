"""The classic resource orchestrator (RO) of OSM up to release NINE: a client that only reads.

RO has no login. Unless a ``limit`` is requested, its lists silently end after 100 records.
"""

from typing import Any, Optional

import requests

from shared.engine.errors import InvalidEvent, UnexpectedResponse
from shared.engine.workers import once
from shared.providers.osm import responses
from shared.records.fields import field, needed, objects
from shared.transport import sessions

LIMIT = 100_000  # records of one list; there is no paging


class ResourceOrchestrator:
    """RO at the account's ``ro_url``. Raises InvalidEvent on the first call if the account has none."""

    def __init__(self, web: requests.Session, url: Optional[str], tenant: str):
        self._web = web
        self._url = url
        self._tenant_name = tenant  # or its id
        self._tenant_id = once(self._look_up_tenant)

    def get(self, path: str, limit: Optional[int] = None) -> Optional[dict[str, Any]]:
        """The object at a path below RO's root; None if there is no such record (404)."""
        if not self._url:
            raise InvalidEvent("credentials.ro_url is missing: that of the resource orchestrator")
        params = {"limit": limit} if limit else None
        response = self._web.get(self._url + path, params=params, allow_redirects=False)
        if response.status_code == 404 and responses.problem(response):
            return None
        responses.check(response)
        answer = sessions.json_of(response)
        if not isinstance(answer, dict):
            raise UnexpectedResponse(f"{responses.url_of(response)} should answer with an object")
        if answer.get("error") is not None:
            raise UnexpectedResponse(
                f"{responses.url_of(response)} answered with an error: {responses.reason(response)}"
            )
        return answer

    def listed(self, path: str, key: str) -> list[dict[str, Any]]:
        """The whole list ``key`` in the response."""
        answer = self.get(path, LIMIT)
        if answer is None or answer.get(key) is None:
            raise UnexpectedResponse(f"the answer of RO's {path} has no field {key!r}")
        records = objects(answer, key)
        if len(records) >= LIMIT:
            raise UnexpectedResponse(f"RO's {path} has more than {LIMIT - 1} records: it is cut")
        return records

    @property
    def tenant(self) -> str:
        """The tenant's id (one call, once): by its name, some lists are silently empty."""
        return self._tenant_id()

    def _look_up_tenant(self) -> str:
        for tenant in self.listed("/tenants", "tenants"):
            uuid = needed(tenant, "uuid", str)
            if self._tenant_name in (uuid, field(tenant, "name", str)):
                return uuid
        raise InvalidEvent(f"RO has no tenant {self._tenant_name!r} (credentials.ro_tenant)")
