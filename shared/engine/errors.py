"""The exceptions that a poll may raise.

::

    ConnectorError
    ├── InvalidEvent             stop   the event or an option is wrong
    ├── InvalidCredentials       stop   also nflex_connector_utils.errors.InvalidCredentials
    ├── InsufficientPermission   stop   also nflex_connector_utils.errors.InsufficientPermission
    ├── Throttled                retry  the provider asks us to slow down
    ├── Unreachable              retry  DNS, TCP, TLS, timeout, 5xx
    ├── UnexpectedResponse       stop   not JSON or XML, truncated, a field missing, a page loop
    ├── AddressDenied            stop   the runtime's network policy does not allow the host's address
    ├── Absent                   skip   the provider does not offer this service in this scope (or in any scope)
    ├── OutOfTime                stop   the deadline passed
    └── IncompletePoll           stop   several scopes failed, each with its own error

``action`` says how the code reacts: ``retry`` (a bounded number of times, then the error is final), ``skip``
(the scope has nothing to report, which is not a failure) or ``stop``. ``advice`` is the sentence that tells
the operator what to do. Any other exception that leaves a handler is a bug in this project.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import ClassVar, Optional

from nflex_connector_utils import errors as nflex


class ConnectorError(Exception):
    """What went wrong (``message``), where (``scope``) and what the operator can do (``advice``).

    ``retry_after`` holds the number of seconds that the provider asked us to wait, if it named one.
    """

    action: ClassVar[str] = "stop"
    advice: ClassVar[str] = ""

    def __init__(
        self, message: str, *, scope: Optional[str] = None, retry_after: Optional[float] = None
    ):
        super().__init__(message)
        self.message = message
        self.scope = scope
        self.retry_after = retry_after

    def __str__(self) -> str:
        where = f"{self.scope}: " if self.scope else ""
        message = self.message if self.message.endswith((".", "!", "?")) else f"{self.message}."
        return f"{where}{message} {self.advice}".rstrip()


class InvalidEvent(ConnectorError):
    """The event or one of its options is wrong; raised before any network call where possible."""

    advice = "Correct the account's settings; nothing was polled."


class InvalidCredentials(ConnectorError, nflex.InvalidCredentials):  # type: ignore[misc]
    """The provider does not accept the credentials."""

    advice = "Check the account's credentials: they are wrong, expired or revoked."


class InsufficientPermission(ConnectorError, nflex.InsufficientPermission):  # type: ignore[misc]
    """The credentials are valid but lack a permission that the poll needs; the message names it."""

    advice = "Grant the account what is named here; 'flexlocal permissions' prints all it needs."


class Throttled(ConnectorError):
    """The provider still answered "too many requests" after the last retry."""

    action = "retry"
    advice = "Poll the account less often, or ask the provider for a higher request limit."


class Unreachable(ConnectorError):
    """No usable answer: the name, the connection, TLS or a time-out failed, or the server did (5xx)."""

    action = "retry"
    advice = (
        "Check the endpoint, the network path and the provider's status; the next poll tries anew."
    )


class UnexpectedResponse(ConnectorError):
    """An answer that can't be used; the message names the URL (without its query) or the field."""

    advice = "Nothing was guessed. Check that the endpoint is the API itself and report the field."


class AddressDenied(ConnectorError):
    """The policy allows none of the host's addresses; the message names the host and its addresses."""

    advice = (
        "Correct the account's URL, or have the operator of this runtime allow the address "
        "(context.config: allowed_networks, denied_networks)."
    )


class Absent(ConnectorError):
    """The provider does not offer this service in this scope; the scope reports nothing.

    A handler raises it only if no scope has the service.
    """

    action = "skip"
    advice = (
        "Nothing was reported, since an empty list would mean that all was deleted. If the provider is "
        "not meant to offer it, do not poll this family for the account."
    )


class OutOfTime(ConnectorError):
    """The deadline passed; the message names the finished and unfinished scopes."""

    advice = "Give the poll more time (option deadline_s) or poll fewer regions per account."


class IncompletePoll(ConnectorError):
    """Several scopes failed; ``errors`` holds the error of each."""

    def __init__(self, errors: Sequence[ConnectorError]):
        self.errors = tuple(errors)
        messages = " | ".join(f"{type(error).__name__}: {error}" for error in self.errors)
        super().__init__(f"{len(self.errors)} scopes failed: {messages}")


@contextlib.contextmanager
def about(what: str) -> Iterator[None]:
    """Put ``what`` in front of the message of an error that leaves the block: "NS 7c1d: field 'vld' should ..."."""
    try:
        yield
    except ConnectorError as error:
        error.message = f"{what}: {error.message}"
        raise
