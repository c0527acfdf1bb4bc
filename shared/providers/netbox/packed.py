"""Records that have to wait until another listing is complete, held as bytes: a small part of what their dicts take.

The terminations of circuits and links are read after these, so that one that is created in between is complete, and
NetBox lists them in the order of their own ids. So no page can be converted before the last termination has come:
the pages wait, and each is unpacked when its turn comes.
"""

import marshal
import zlib
from collections.abc import Iterable
from typing import Any

Record = dict[str, Any]
QUICK = 1  # zlib's level: that a page's records repeat one another, the quickest finds as well


def packed_pages(pages: Iterable[list[Record]]) -> list[bytes]:
    """The pages of a listing; an empty one is falsy."""
    return [zlib.compress(marshal.dumps(page), QUICK) if page else b"" for page in pages]


def unpacked_page(page: bytes) -> list[Record]:
    if not page:
        return []
    records: list[Record] = marshal.loads(zlib.decompress(page))  # noqa: S302 - our own bytes
    return records


def packed(record: Record, names: Iterable[str]) -> bytes:
    """The record's fields of these names; those that are null are left out, which ``field`` reads alike."""
    values = ((name, record.get(name)) for name in names)
    return marshal.dumps({name: value for name, value in values if value is not None})


def unpacked(record: bytes) -> Record:
    fields: Record = marshal.loads(record)  # noqa: S302 - our own bytes
    return fields
