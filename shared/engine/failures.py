"""How a poll fails: with one of the errors of shared/engine/errors.py, masked, short and without a cause."""

import os
import traceback
from typing import Any, Callable, TypeVar

from shared.engine import collector
from shared.engine import event as events
from shared.engine.contracts import Provider
from shared.engine.errors import ConnectorError, UnexpectedResponse
from shared.engine.log import Log
from shared.engine.masking import Masker, secrets_in
from shared.engine.runtime import Runtime

T = TypeVar("T")

# Errors that only unusual data can cause in correct code: too many levels, a number or a time that is too large,
# a text that can't be encoded. shared/transport/decode.py and shared/records/fields.py refuse such data by name;
# this catches what gets past them, as deep nesting can. KeyError, TypeError and the like are our own bugs.
_OF_DATA = (RecursionError, OverflowError, UnicodeError)


def guarded(event: Any, context: Any, action: Callable[[Runtime, Log], T]) -> T:
    """Run the action; whatever it raises leaves with its secrets masked and no chained cause."""
    runtime = Runtime(context)
    mask = Masker(secrets_in(events.credentials_of(event)))
    with collector.less_often(), Log(runtime, events.origin(event), mask) as log:
        return _masked(log, mask, lambda: action(runtime, log))


def _masked(log: Log, mask: Masker, action: Callable[[], T]) -> T:
    try:
        return action()
    except ConnectorError as error:
        _mask(error, mask)
        log.error("failed", error=type(error).__name__, message=str(error))
        raise error.with_traceback(error.__traceback__) from None
    except Exception as bug:
        # The log masks the traceback too: it contains the texts of the exceptions.
        log.error("bug", trace=traceback.format_exc())
        masked, trace = mask(str(bug)), bug.__traceback__
        bug.args, bug.__context__ = (masked,), None
        if mask(str(bug)) != str(bug):  # its text does not come from its arguments
            bug = RuntimeError(f"{type(bug).__name__}: {masked}")
        raise bug.with_traceback(trace) from None


def _mask(error: ConnectorError, mask: Masker) -> None:
    """Mask everything that the error shows, its scope too: the provider chose that name."""
    error.message = mask(error.message)
    error.scope = error.scope and mask(error.scope)
    error.args, error.__context__ = (error.message,), None
    for inner in getattr(error, "errors", ()):
        _mask(inner, mask)


def classified(provider: Provider[Any, Any, Any], error: Exception, mask: Masker) -> ConnectorError:
    """The error as a ConnectorError, masked and short. An unknown error is a bug and is raised again."""
    known = error if isinstance(error, ConnectorError) else provider.classify(error)
    if known is None and isinstance(error, _OF_DATA):
        at = traceback.extract_tb(error.__traceback__)[-1]
        return UnexpectedResponse(
            f"what the provider sent can't be used: {type(error).__name__} "
            f"({os.path.basename(at.filename)}:{at.lineno})"
        )
    if known is None:
        raise error
    known.message = mask.excerpt(known.message)
    return known
