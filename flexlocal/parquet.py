"""Rows as a Parquet file, where pyarrow is installed."""

import importlib.util
import json
from collections.abc import Sequence
from typing import Any, TextIO

from flexlocal.options import BadUsage
from flexlocal.show import Column

NUMBERS = (int, float)


def check(out: TextIO) -> None:
    """Raises BadUsage where it can't be written, before anything is asked."""
    if importlib.util.find_spec("pyarrow") is None:
        raise BadUsage(
            "--format parquet needs pyarrow, which is not installed: pip install pyarrow, or "
            "choose csv or ndjson"
        )
    if out.isatty():
        raise BadUsage("--format parquet is not for a terminal: write it to a file with > FILE")


def write(columns: Sequence[Column], rows: Sequence[dict[str, Any]], out: TextIO) -> None:
    check(out)
    import pyarrow
    import pyarrow.parquet

    arrays = {
        column.title.lower().replace(" ", "_"): uniform([column.value(row) for row in rows])
        for column in columns
    }
    out.flush()
    pyarrow.parquet.write_table(pyarrow.table(arrays), getattr(out, "buffer", out))


def uniform(values: Sequence[Any]) -> list[Any]:
    """The values of one column with one type: what Parquet has no type for, or not one for all, becomes text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {str} or kinds <= {bool} or kinds <= set(NUMBERS):
        if kinds == {int} and any(abs(value) >= 1 << 63 for value in values if value is not None):
            return [None if value is None else str(value) for value in values]
        return [float(v) if kinds == set(NUMBERS) and v is not None else v for v in values]
    return [
        value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for value in values
    ]
