"""Tokens: a file of their hashes, what each may do, and until when.

A token is 256 random bits, so a plain SHA-256 hides it: nobody can try them all. The file is its owner's alone, replaced
at once, and read again when it has changed, so that a token that is removed ends with the next request.
"""

import contextlib
import dataclasses
import datetime
import fcntl
import hashlib
import json
import os
import re
import secrets
import stat
import tempfile
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Optional

READ, SNAPSHOTS, VIEWS, POLLS = "read:inventory", "write:snapshots", "write:views", "run:polls"
SCOPES = (READ, SNAPSHOTS, VIEWS, POLLS)
PREFIX = "cmp_"  # so that a person, or a scanner of files, sees what it is
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
USED_EVERY = datetime.timedelta(minutes=1)  # the last use is written no more often


class TokensError(Exception):
    """The file of tokens can't be used, or has not what was named; the message says what to do."""


@dataclasses.dataclass(frozen=True)
class Token:
    """``hash`` is that of the token's text, in hexadecimal digits. ``accounts``: the only ones it may see; None: all."""

    label: str
    hash: str
    scopes: tuple[str, ...]
    accounts: Optional[tuple[str, ...]]
    created_at: datetime.datetime
    expires_at: Optional[datetime.datetime] = None
    used_at: Optional[datetime.datetime] = None

    def expired(self, now: datetime.datetime) -> bool:
        return self.expires_at is not None and now >= self.expires_at


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Tokens:
    """The tokens of a file, which need not exist yet; None: there are none. Its methods may be called by several threads and processes."""

    def __init__(self, file: Optional[Path]):
        self.file = file
        self._lock = threading.Lock()
        self._read_at: Optional[tuple[int, int, int]] = None
        self._tokens: dict[str, Token] = {}

    def all(self) -> list[Token]:
        """In the order in which they were added. Raises TokensError."""
        with self._lock:
            return [*self._current().values()]

    def find(self, text: str) -> Optional[Token]:
        """The token with this text, also if it has expired. Looking a hash up shows nobody how much of it was right."""
        with self._lock:
            return self._current().get(hashed(text))

    def add(
        self,
        label: str,
        scopes: Collection[str],
        accounts: Optional[Collection[str]],
        now: datetime.datetime,
        expires_at: Optional[datetime.datetime] = None,
    ) -> str:
        """Returns the token's text, which is kept nowhere. Raises TokensError."""
        if not LABEL.fullmatch(label):
            raise TokensError(
                f"{label!r} is no name of a token: write letters, digits, and . _ @ - between them, at most 64"
            )
        unknown = sorted(set(scopes) - set(SCOPES))
        if unknown or not scopes:
            wrong = f"no scope {unknown[0]!r}" if unknown else "a token needs a scope"
            raise TokensError(f"{wrong}; there are {', '.join(SCOPES)}")
        text = PREFIX + secrets.token_urlsafe(32)
        with self._changing() as tokens:
            if any(each.label == label for each in tokens.values()):
                raise TokensError(
                    f"there is a token {label!r} already: remove it, or choose another name"
                )
            key = hashed(text)
            tokens[key] = Token(
                label,
                key,
                tuple(each for each in SCOPES if each in scopes),
                None if accounts is None else tuple(sorted(accounts)),
                now,
                expires_at,
            )
        return text

    def remove(self, label: str) -> None:
        """Raises TokensError."""
        with self._changing() as tokens:
            found = [key for key, each in tokens.items() if each.label == label]
            if not found:
                names = ", ".join(each.label for each in tokens.values()) or "none"
                raise TokensError(f"no token {label!r}; there are {names}")
            del tokens[found[0]]

    def used(self, token: Token, now: datetime.datetime) -> None:
        """Writes when a token was used last, once a minute; a file that can't be written is no reason to refuse it."""
        if token.used_at is not None and now - token.used_at < USED_EVERY:
            return
        with contextlib.suppress(TokensError), self._changing() as tokens:
            if token.hash in tokens:
                tokens[token.hash] = dataclasses.replace(tokens[token.hash], used_at=now)

    # --- the file ---

    def _current(self) -> dict[str, Token]:
        if self.file is None:
            return {}
        try:
            found = os.stat(self.file)
        except FileNotFoundError:
            self._tokens, self._read_at = {}, None
            return self._tokens
        except OSError as error:
            raise TokensError(f"{self.file}: {error.strerror}") from None
        changed = (found.st_mtime_ns, found.st_ino, found.st_size)
        if changed != self._read_at:
            if stat.S_IMODE(found.st_mode) & 0o077:
                raise TokensError(
                    f"{self.file} can be read or changed by others: chmod 600 {self.file}"
                )
            self._tokens, self._read_at = _parsed(self.file), changed
        return self._tokens

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, Token]]:
        if self.file is None:
            raise TokensError("there is no file of tokens")
        folder = self.file.parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            number = os.open(folder, os.O_RDONLY)
        except OSError as error:
            raise TokensError(f"{folder}: {error.strerror}") from None
        try:
            with self._lock:
                fcntl.flock(number, fcntl.LOCK_EX)
                tokens = dict(self._current())
                yield tokens
                _write(
                    self.file, {"version": 1, "tokens": [_row(each) for each in tokens.values()]}
                )
        finally:
            os.close(number)


def _write(file: Path, content: Any) -> None:
    try:
        number, name = tempfile.mkstemp(prefix=".tokens-", dir=file.parent)  # mode 0600
        try:
            with open(number, "w", encoding="utf-8") as opened:
                json.dump(content, opened, indent=2)
                opened.write("\n")
                opened.flush()
                os.fsync(number)
            os.replace(name, file)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise TokensError(f"{file}: {error.strerror}; nothing was changed") from None


def _row(token: Token) -> dict[str, Any]:
    times = ("created_at", "expires_at", "used_at")
    row = dataclasses.asdict(token)
    return {**row, **{name: row[name] and row[name].isoformat() for name in times}}


def _parsed(file: Path) -> dict[str, Token]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["version"] != 1:
            raise ValueError
        return {row["hash"]: _token(row) for row in content["tokens"]}
    except OSError as error:
        raise TokensError(f"{file}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # not the text itself
        raise TokensError(
            f"{file} is not a file of tokens: move it away, and add them anew"
        ) from None


def _token(row: dict[str, Any]) -> Token:
    times: dict[str, Any] = {
        name: row.get(name) and datetime.datetime.fromisoformat(row[name])
        for name in ("created_at", "expires_at", "used_at")
    }
    if not set(row["scopes"]) <= set(SCOPES) or any(
        each and not each.tzinfo for each in times.values()
    ):
        raise ValueError
    accounts = row["accounts"]
    if accounts is not None and not (
        isinstance(accounts, list) and all(isinstance(each, str) for each in accounts)
    ):
        raise ValueError
    return Token(
        str(row["label"]),
        str(row["hash"]),
        tuple(row["scopes"]),
        None if accounts is None else tuple(accounts),
        **times,
    )
