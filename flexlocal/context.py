"""The context that a handler gets, with every attribute of the real runtime's context.

What only the platform has (its API, mail, databases) raises NotLocal.
"""

import sys
import types
from typing import Any, Callable, Optional


class NotLocal(NotImplementedError):
    """Only the platform has this, not a laptop."""


class State:
    """``context.state``: what a module keeps between polls; here, until the process ends."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        return self._kept.get(key)

    def get_all(self) -> dict[str, Any]:
        return dict(self._kept)

    def set(self, key: str, value: Any) -> None:
        self._kept[key] = value

    def set_multi(self, values: dict[str, Any]) -> None:
        self._kept.update(values)

    def delete(self, key: str) -> None:
        self._kept.pop(key, None)

    def delete_multi(self, keys: "list[str]") -> None:
        for key in keys:
            self._kept.pop(key, None)


class Api:
    """``context.api``: only knows the call that reports a task's progress, and passes it to ``progress``."""

    def __init__(self, progress: Optional[Callable[[int], None]]):
        self._progress = progress

    def post(self, path: str, data: Any = None, **_: Any) -> Any:
        if path.startswith("/tasks/") and self._progress:
            self._progress(data["percentage"])
            return types.SimpleNamespace(status_code=200, content=b"")
        raise NotLocal(f"POST {path}: there is no CMP API here")

    def _none(self, path: str, *_: Any, **__: Any) -> Any:
        raise NotLocal(f"{path}: there is no CMP API here")

    get = put = patch = delete = _none


class Context:
    """One call's context. ``progress`` is called with each percentage that the handler reports."""

    def __init__(
        self,
        config: Optional[dict[str, Any]] = None,
        progress: Optional[Callable[[int], None]] = None,
        watch: Optional[Callable[..., None]] = None,
    ):
        self.watch = watch  # called with what the poll does: see shared/engine/traffic.py
        self.config: dict[str, Any] = config or {}
        self.secrets: dict[str, Any] = {}
        self.state = State()
        self.api = Api(progress)
        self.api_url = ""
        self.api_auth = None
        self.api_token = None
        self.customer_id = "local"
        self.user_id = "local"
        self.user_name = "local"
        self.region = "local"
        self.platform = "local"
        self.version = "local"
        self.module_id = None  # outside production: nflex's Logger prints
        self.response_headers: dict[str, str] = {}

    def log(self, message: str, severity: str = "info") -> None:
        print(f"{severity}\t{message}", file=sys.stderr)

    def set_response_header(self, key: str, value: str) -> None:
        self.response_headers[key] = value

    def mail(self, *_: Any, **__: Any) -> None:
        raise NotLocal("there is no mail here")

    def database(self, name: str) -> Any:
        raise NotLocal(f"database {name!r}: there are no databases here")
