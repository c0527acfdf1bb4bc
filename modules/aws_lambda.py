"""The handlers of the main.py beside this file, for AWS Lambda: ``aws_lambda.get`` and so on.

Lambda finds nothing in ``lib`` by itself, and its context has other things than the platform's: no
state, no API, no headers (https://docs.aws.amazon.com/lambda/latest/dg/python-context.html). What a
poll needs of it is how long the function may still run.
"""

import os
import sys
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import main  # type: ignore[import-not-found]  # beside this file in a build

ROOM_S = 2.0  # for the answer, after the poll's deadline


class _Context:
    def __init__(self, context: Any):
        left = context.get_remaining_time_in_millis() / 1000
        self.config = {"deadline_s": max(left - ROOM_S, 1.0)}


def get(event: Any, context: Any) -> list[dict[str, Any]]:
    """main.get, within the time that the function has left."""
    return main.get(event, _Context(context))


def validate_credentials(event: Any, context: Any) -> dict[str, Any]:
    """main.validate_credentials, within the time that the function has left."""
    return main.validate_credentials(event, _Context(context))


def get_status(event: Any, context: Any) -> dict[str, Any]:
    """main.get_status, where the family has it."""
    return main.get_status(event, _Context(context))


def get_metrics(event: Any, context: Any) -> dict[str, Any]:
    """main.get_metrics, where the family has it. There is no state: counters give no rates."""
    return main.get_metrics(event, _Context(context))


def get_logs(event: Any, context: Any) -> dict[str, Any]:
    """main.get_logs, where the family has it."""
    return main.get_logs(event, _Context(context))
