"""The handlers of the main.py beside this file, for AWS Lambda: ``aws_lambda.get`` and so on.

Lambda finds nothing in ``lib`` by itself, and its context has other things than the platform's: no
state, no API, no headers (https://docs.aws.amazon.com/lambda/latest/dg/python-context.html). What a
poll needs of it is how long the function may still run.

What main.py lacks is not here either: Lambda refuses such a handler by its name when the function starts.
"""

import functools
import os
import sys
from typing import Any, Callable

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import main  # type: ignore[import-not-found]  # beside this file in a build

from shared.engine.errors import OutOfTime

ROOM_S = 2.0  # for the answer, after the poll's deadline
OVER_S = 0.001  # the deadline where there is no more time than that: the poll ends at once

# Lambda stops the function whatever the account's options say.
OutOfTime.advice = (
    "Give the function a longer time-out (and the account, if it has one, a longer option deadline_s), "
    "or poll fewer regions per account."
)


class _Context:
    def __init__(self, context: Any):
        left = context.get_remaining_time_in_millis() / 1000
        self.config = {"deadline_s": max(left - ROOM_S, OVER_S)}


def _in_time(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The handler, which ends before the function's time does."""

    @functools.wraps(handler)
    def call(event: Any, context: Any) -> Any:
        return handler(event, _Context(context))

    return call


get = _in_time(main.get)
validate_credentials = _in_time(main.validate_credentials)
if hasattr(main, "get_status"):
    get_status = _in_time(main.get_status)
if hasattr(main, "get_metrics"):
    get_metrics = _in_time(main.get_metrics)  # there is no state: counters of Nova give no rates
if hasattr(main, "get_logs"):
    get_logs = _in_time(main.get_logs)
