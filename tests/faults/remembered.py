"""AWS's answers in the poll without a fault, for the calls of other polls that a fault can't touch.

Nearly all that a poll of AWS costs is botocore's: milliseconds for a client, and for each request. Its clients, one for
a service in a region, share nothing with each other: neither connections nor what is tried again or held back. So a poll
with a fault sends the calls of the client that meets it, and all calls of the fault's name, which may meet it again; and
whatever the poll without a fault did not call. All others get the answers that they had there.
"""

import pickle
from typing import Any, Callable, Optional

from shared.providers.aws import plans, session
from tests.faults.proxy import Call, Proxy

CREATE = session.Session.client
_Client = tuple[str, str]  # service, region


class Remembered:
    """Learns from one poll, and gives the later ones their clients."""

    def __init__(self, proxy: Proxy):
        self._proxy = proxy
        self._learns = True
        self._answers: dict[Any, Optional[bytes]] = {}  # None: not always the same
        self._names: dict[Any, set[str]] = {}  # of the requests for an answer
        self._clients: dict[Call, _Client] = {}  # that sent it
        self._meta: dict[_Client, Any] = {}
        self._at: Optional[Call] = None
        self.count = 0  # requests that were not sent since it began

    def begin(self, at: Call) -> None:
        """From here on, only the calls that a fault at this one may touch are sent."""
        self._learns, self._at, self.count = False, at, 0

    def client(self, of: session.Session, service: str, region: str) -> Any:
        """In place of the session's own method."""
        return _Remembering(self, (service, region), lambda: CREATE(of, service, region))

    def meta(self, client: _Client, create: Callable[[], Any]) -> Any:
        if client not in self._meta:
            self._meta[client] = create().meta
        return self._meta[client]

    def answer(
        self, client: _Client, operation: str, params: Any, create: Callable[[], Any]
    ) -> Any:
        key = client, operation, repr(sorted(params.items())), repr(plans.now_reading())
        if self._learns:
            return self._learned(key, client, getattr(create(), operation), params)
        known, names = self._answers.get(key), self._names.get(key, set())
        touched = self._at is None or (
            self._at.name in names or client == self._clients.get(self._at)
        )
        if touched or known is None:
            return getattr(create(), operation)(**params)
        self.count += len(names)
        return pickle.loads(known)  # noqa: S301 - its own

    def _learned(self, key: Any, client: _Client, call: Any, params: Any) -> Any:
        before = len(self._proxy.exchanges)
        answer = call(**params)  # one call at a time: cassettes.CONFIG
        made = [exchange.call for exchange in self._proxy.exchanges[before:]]
        known = pickle.dumps(answer)
        self._answers[key] = known if self._answers.get(key, known) == known else None
        self._names.setdefault(key, set()).update(call.name for call in made)
        self._clients.update(dict.fromkeys(made, client))
        return answer


class _Remembering:
    """A client, which botocore makes only when it is to send something."""

    def __init__(self, remembered: Remembered, client: _Client, create: Callable[[], Any]):
        self._of, self._client, self._create = remembered, client, create

    @property
    def meta(self) -> Any:
        return self._of.meta(self._client, self._create)

    def __getattr__(self, operation: str) -> Any:
        return lambda **params: self._of.answer(self._client, operation, params, self._create)
