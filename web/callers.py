"""Who calls: by a token in the header, by the page's cookie, or from this host where no token is needed."""

import dataclasses
import datetime
import secrets
import threading
import time
from collections.abc import Awaitable
from typing import Any, Callable, Optional

from fastapi import Request

from web.problems import Problem
from web.service import Service
from web.tokens import READ, SCOPES, Token, TokensError

COOKIE = "flexlocal"
CSRF = "X-CSRF-Token"
SESSION = datetime.timedelta(hours=12)
SESSIONS = 10_000  # at once; the oldest ends first
RATE, BURST = 100.0, 2000.0  # requests of one token: a second on average, and at once
SCHEME = {"WWW-Authenticate": 'Bearer realm="flexlocal"'}


@dataclasses.dataclass(frozen=True)
class Caller:
    """``accounts`` None: all. ``csrf``: what writes have to send back, None for a token in the header."""

    label: str
    scopes: frozenset[str]
    accounts: Optional[frozenset[str]]
    expires_at: Optional[datetime.datetime]
    csrf: Optional[str]
    token: Optional[Token]


@dataclasses.dataclass(frozen=True)
class Session:
    """``hash`` is its token's: when that is removed, the session ends."""

    hash: str
    csrf: str
    until: datetime.datetime


class Sessions:
    """Logins of pages, kept in memory: a server that starts anew has none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}

    def begin(self, token: Token, now: datetime.datetime) -> tuple[str, Session]:
        until = min(now + SESSION, token.expires_at or now + SESSION)
        session = Session(token.hash, secrets.token_urlsafe(32), until)
        name = secrets.token_urlsafe(32)
        with self._lock:
            self._sessions = {k: v for k, v in self._sessions.items() if v.until > now}
            while len(self._sessions) >= SESSIONS:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[name] = session
        return name, session

    def find(self, name: str, now: datetime.datetime) -> Optional[Session]:
        found = self._sessions.get(name)
        return found if found is not None and found.until > now else None

    def end(self, name: str) -> None:
        with self._lock:
            self._sessions.pop(name, None)


class Rates:
    """How many requests each token has left: a bucket that fills at ``RATE`` a second, up to ``BURST``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock, self._lock = clock, threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> float:
        """0, or the seconds until the next request may come."""
        with self._lock:
            now = self._clock()
            left, at = self._left.get(name, (BURST, now))
            left = min(BURST, left + (now - at) * RATE)
            if left < 1:
                self._left[name] = (left, now)
                return (1 - left) / RATE
            self._left[name] = (left - 1, now)
            return 0.0


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def known(request: Request) -> Optional[Caller]:
    """The caller; None: without a token where one is needed. Raises Problem for a token that is wrong or too busy."""
    service = service_of(request)
    now = service.now()
    header, cookie = request.headers.get("authorization"), request.cookies.get(COOKIE)
    try:
        if header is not None:
            scheme, _, text = header.partition(" ")
            if scheme.lower() != "bearer" or not text.strip():
                raise Problem(401, "write Authorization: Bearer, and the token", headers=SCHEME)
            return _of_token(request, service.tokens.find(text.strip()), None, now)
        session = service.sessions.find(cookie, now) if cookie else None
        if session is not None:
            found = next((t for t in service.tokens.all() if t.hash == session.hash), None)
            if found is not None and not found.expired(now):
                return _of_token(request, found, session.csrf, now)
        if service.token_needed or service.tokens.all():
            return None
    except TokensError as error:
        raise Problem(503, str(error)) from None
    return Caller("this host", frozenset(SCOPES), None, None, service.csrf, None)


def _of_token(
    request: Request, token: Optional[Token], csrf: Optional[str], now: datetime.datetime
) -> Caller:
    service = service_of(request)
    if token is None or token.expired(now):
        why = "has expired" if token else "is not known here"
        raise Problem(401, f"the token {why}: flexlocal token add makes one", headers=SCHEME)
    wait = service.rates.take(token.hash)
    if wait:
        raise Problem(
            429,
            f"this token may send {RATE:g} requests a second, {BURST:g} at once: wait, then go on",
            headers={"Retry-After": str(int(wait) + 1)},
        )
    service.tokens.used(token, now)
    accounts = None if token.accounts is None else frozenset(token.accounts)
    return Caller(token.label, frozenset(token.scopes), accounts, token.expires_at, csrf, token)


async def caller(request: Request) -> Caller:
    found = await known(request)
    if found is None:
        raise Problem(
            401,
            "send a token: Authorization: Bearer TOKEN, or log in on the page; flexlocal token add makes one",
            headers=SCHEME,
        )
    return found


def needs(scope: str, writes: bool = False) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency: the caller, who has the scope. ``writes``: something is changed, which has to be allowed."""

    async def check(request: Request) -> Caller:
        found = await caller(request)
        if scope not in found.scopes:
            raise Problem(
                403,
                f"the token {found.label!r} has not the scope {scope}",
                scopes=sorted(found.scopes),
            )
        if writes:
            if not service_of(request).writes:
                raise Problem(403, "this server only reads: start it with --allow-writes")
            check_csrf(request, found)
        return found

    return check


def check_csrf(request: Request, found: Caller) -> None:
    """What a browser sends by itself is not enough for a write: another site's page may have asked it to."""
    sent = request.headers.get(CSRF, "")
    if found.csrf is not None and not secrets.compare_digest(
        sent.encode("utf-8", "replace"), found.csrf.encode()
    ):
        raise Problem(403, f"send the header {CSRF} with the csrf of GET /api/v1/session")


reads = needs(READ)
AnyCaller: Any = caller
