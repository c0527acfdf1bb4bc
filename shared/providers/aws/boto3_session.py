"""boto3's ``Session``, without the parts of boto3 that no cell uses.

The zips carry boto3 without its resources and without s3transfer (flexer.yaml, ``leave_out``): clients need neither.
But ``boto3.session`` imports a class of each, and has no switch against it: ``TransferConfig``, to see what
uploads to S3 support, and ``ResourceFactory``, for ``Session.resource``. Where boto3 lacks its resources, two
stand-ins are importable for as long as boto3 is being imported, and no longer. A complete boto3 is imported as it is.
"""

import contextlib
import importlib.util
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["Session"]


class _Unused:
    """In the place of a class that boto3's session creates or inspects, and that only S3 or resources use."""

    def __init__(self, *_: Any) -> None:
        pass


_STAND_INS = {
    "boto3.resources.factory": "ResourceFactory",
    "s3transfer.manager": "TransferConfig",
}


def _lacks_resources() -> bool:
    """Whether boto3 does. Not whether s3transfer is importable: AWS Lambda has one, of another release than our boto3."""
    spec = importlib.util.find_spec("boto3")
    return bool(spec and spec.origin and not Path(spec.origin).with_name("resources").is_dir())


@contextlib.contextmanager
def _stand_ins() -> Iterator[None]:
    absent = [name for name in _STAND_INS if name not in sys.modules]
    for name in absent:
        sys.modules[name] = types.ModuleType(name)
        setattr(sys.modules[name], _STAND_INS[name], _Unused)
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


with _stand_ins() if _lacks_resources() else contextlib.nullcontext():
    from boto3.session import Session
