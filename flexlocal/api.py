"""The Python interface to accounts: ``with Account("demo-aws") as account: account.servers()``.

It calls the same handlers as ``flexlocal run``. Demo accounts are replayed from their recordings.
"""

import contextlib
import importlib
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Optional, TypedDict

from flexlocal import accounts, cassettes, terminal
from flexlocal.context import Context
from flexlocal.families import families
from flexlocal.options import nearest
from shared.engine import event as events


class Resource(TypedDict):
    """A resource as CMP has it: docs/reference says which fields each family and provider has.

    ``details`` is by type, ``connections`` has a list of ``{"id": ...}`` by type; ``metadata`` has the tags in
    ``provider_metadata``, and in ``provider_specific`` what the provider says besides.
    """

    id: str
    type: str
    base: dict[str, Any]
    details: dict[str, dict[str, Any]]
    connections: dict[str, list[dict[str, Any]]]
    metadata: dict[str, Any]


class Account:
    """An account of the accounts file (``file``, else the usual one), polled from Python.

    Within ``with``, credentials are those of the accounts file, with what they refer to; they are read once, and
    forgotten at the end. Each method is one poll; it takes ``scopes`` (only these regions, projects or sites, with ``*``
    for any text) and options of the event, such as ``allow_partial=True``.

    Raises AccountsError for a name, a file or credentials that can't be used, or a family that the provider does not
    have, and the errors of docs/operate/errors.md (ConnectorError) where a poll fails. ``replay=True`` answers from what
    ``flexlocal run --record`` recorded. One poll of a process at a time: a replay takes the place of its connections.
    """

    def __init__(self, name: str, file: Optional[str] = None, *, replay: bool = False):
        known = accounts.load(file)
        if name not in known:
            raise accounts.AccountsError(
                f"no account {name!r}; there are {', '.join(sorted(known))}{nearest(name, known)}"
            )
        self._account = known[name]
        self._replay = replay or self._account.demo
        self._credentials: Optional[dict[str, Any]] = None

    def __enter__(self) -> "Account":
        event = accounts.with_ca_text(accounts.resolved(self._account).event())
        self._credentials = events.credentials_of(event)
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[types.TracebackType],
    ) -> None:
        self._credentials = None

    def __repr__(self) -> str:
        return f"Account({self.name!r})"

    @property
    def name(self) -> str:
        return self._account.name

    @property
    def provider(self) -> str:
        return self._account.provider

    @property
    def families(self) -> list[str]:
        """Those that its provider has."""
        return [family for family, cells in families().items() if self.provider in cells]

    # --- resources ---

    def servers(self, scopes: Iterable[str] = (), **options: Any) -> list[Resource]:
        return self.resources("servers", scopes, **options)

    def networks(self, scopes: Iterable[str] = (), **options: Any) -> list[Resource]:
        return self.resources("networks", scopes, **options)

    def volumes(self, scopes: Iterable[str] = (), **options: Any) -> list[Resource]:
        return self.resources("volumes", scopes, **options)

    def appliances(self, scopes: Iterable[str] = (), **options: Any) -> list[Resource]:
        return self.resources("appliances", scopes, **options)

    def circuits(self, scopes: Iterable[str] = (), **options: Any) -> list[Resource]:
        return self.resources("circuits", scopes, **options)

    def wan_links(self, scopes: Iterable[str] = (), **options: Any) -> list[Resource]:
        return self.resources("wan_links", scopes, **options)

    def vca_status(self, scopes: Iterable[str] = (), **options: Any) -> list[Resource]:
        return self.resources("vca_status", scopes, **options)

    def resources(self, family: str, scopes: Iterable[str] = (), **options: Any) -> list[Resource]:
        """All resources of a family, by its name."""
        found: list[Resource] = self._poll(family, "get", None, scopes, options)
        return found

    # --- status, metrics, logs ---

    def status(
        self, family: str, last_update: Optional[str] = None, **options: Any
    ) -> dict[str, Any]:
        """``{"status": [point, ...], "last_update": ...}``; the latter is for the next poll."""
        return self._points(family, "get_status", last_update, options)

    def metrics(
        self, family: str, last_update: Optional[str] = None, **options: Any
    ) -> dict[str, Any]:
        """``{"metrics": [point, ...], "last_update": ...}``, since ``last_update``."""
        return self._points(family, "get_metrics", last_update, options)

    def logs(
        self, family: str, last_update: Optional[str] = None, **options: Any
    ) -> dict[str, Any]:
        """``{"logs": [event, ...], "last_update": ...}``, since ``last_update``."""
        return self._points(family, "get_logs", last_update, options)

    def _points(
        self, family: str, handler: str, last_update: Optional[str], options: dict[str, Any]
    ) -> dict[str, Any]:
        answer: dict[str, Any] = self._poll(family, handler, last_update, (), options)
        return answer

    # --- a poll ---

    def _poll(
        self,
        family: str,
        name: str,
        last_update: Optional[str],
        scopes: Iterable[str],
        options: dict[str, Any],
    ) -> Any:
        if self._credentials is None:
            raise accounts.AccountsError(f"account {self.name!r} is not open: use it within with")
        if family not in self.families:
            raise accounts.AccountsError(
                f"account {self.name!r}: {self.provider} has no {family}; it has "
                f"{', '.join(self.families)}{nearest(family, self.families)}"
            )
        handler = getattr(importlib.import_module(f"modules.{family}.main"), name, None)
        if handler is None:
            raise accounts.AccountsError(f"account {self.name!r}: {family} have no {name}")
        event = self._account.event()
        event.update(credentials=self._credentials, options={**self._account.options, **options})
        if last_update is not None:
            event.update(last_update=last_update)
        context = Context(config=dict(cassettes.CONFIG) if self._replay else {})
        if isinstance(scopes, str):
            scopes = [scopes]
        if only := list(scopes):
            context.config["only_scopes"] = only
        with self._answers(family, name), contextlib.redirect_stdout(terminal.Output()):
            return handler(event, context)

    def _answers(self, family: str, name: str) -> "contextlib.AbstractContextManager[Any]":
        if not self._replay:
            return contextlib.nullcontext()

        def cassette(handler: str) -> Path:
            if self._account.demo:
                return cassettes.path(family, self.provider, handler)
            return cassettes.own_path(self.name, family, self.provider, handler)

        file = cassette(name)
        # the status of many a cell needs nothing that get does not
        return cassettes.replay(file if file.exists() else cassette("get"), self._credentials)
