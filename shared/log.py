"""The log of a poll: one event a line, ``key=value``, secrets masked.

On the platform each line is one call to the CMP logs API (nflex's Logger), so a poll writes few:
what began, what a person should act on, and one summary.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from nflex_connector_utils import Logger

MASK = "***"

# Secrets that may turn up without being in the event: what a provider answered or a URL carries.
_SHAPES = (
    re.compile(r"\bgAAAA[\w\-=]{20,}"),  # Fernet tokens (Keystone)
    re.compile(r"\beyJ[\w\-]+\.[\w\-]+\.[\w\-]*"),  # JWTs
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),  # AWS access keys
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),  # user:password in a URL
    re.compile(r"(?i)(?<=signature=)[0-9a-f]{16,}"),
)


# A credential of this name is a secret; user names, URLs and region names may be shown.
_SECRET = re.compile(r"(?i)pass|secret|token|key|external_id")
_SHORTEST = 3  # a shorter "secret" would mask half of every word


def secrets_in(credentials: Any) -> "list[str]":
    """The values of a (nested) credentials dict that must not be shown, longest first.

    Each also as a URL and as JSON would write it, since it may come back in either.
    """
    found: set[str] = set()
    for secret in _secrets(credentials, secret=False):
        for text in (secret, secret.strip()):
            found.update((text, quote(text, safe=""), json.dumps(text)[1:-1]))
    return sorted((text for text in found if len(text) >= _SHORTEST), key=lambda t: (-len(t), t))


def _secrets(value: Any, secret: bool) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _secrets(each, secret or bool(_SECRET.search(str(name))))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _secrets(each, secret)
    elif secret and isinstance(value, str):
        yield value


class Masker:
    """Replaces known secrets, and what looks like one, by ``***``."""

    def __init__(self, secrets: Iterable[str] = ()):
        self._secrets = list(secrets)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        for shape in _SHAPES:
            text = shape.sub(MASK, text)
        return text


class Log:
    """``info``, ``warn`` and ``error``, each with an event's name and its fields.

    A log that can't be written never fails a poll.
    """

    def __init__(self, context: Any, event: Any, mask: Masker):
        event = event if isinstance(event, dict) else {}
        resource = event.get("resource")
        self.mask = mask
        self._logger = Logger(
            _Context(context),
            customer_id=event.get("customer_id", ""),
            account_id=event.get("account_id", ""),
            resource_id=resource.get("id") if isinstance(resource, dict) else None,
        )

    def info(self, event: str, **fields: Any) -> None:
        self._write("info", event, fields)

    def warn(self, event: str, **fields: Any) -> None:
        self._write("warn", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._write("error", event, fields)

    def _write(self, severity: str, event: str, fields: "dict[str, Any]") -> None:
        words = [event, *(f"{name}={_value(value)}" for name, value in fields.items())]
        line = self.mask(" ".join(words))
        try:
            getattr(self._logger, severity)(line)
        except Exception as error:
            print(f"warn\tthe log could not be written: {type(error).__name__}")


class _Context:
    """The runtime's context as nflex's Logger needs it; a context without ``module_id`` prints."""

    def __init__(self, context: Any):
        self.module_id = getattr(context, "module_id", None)
        self.log = getattr(context, "log", None)


def _value(value: Any) -> str:
    text = f"{value:.1f}" if isinstance(value, float) else str(value)
    text = text.replace("\n", " ")
    return f'"{text}"' if " " in text or not text else text
