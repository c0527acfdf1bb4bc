"""How documents are kept: as JSON, compressed with a preset dictionary.

A dictionary is some typical documents of a provider and resource type, one after another; what a new document has in
common with them costs almost nothing. It is kept in the database: without it, nothing can be read.
"""

import json
import zlib
from collections.abc import Sequence
from typing import Any, Optional

LARGEST_DICTIONARY = 32 * 1024  # zlib's window
FEWEST_SAMPLES = 4  # a dictionary of fewer documents does not pay
LEVEL = 6


def pack(document: bytes, dictionary: Optional[bytes]) -> bytes:
    if dictionary is None:
        return zlib.compress(document, LEVEL)
    compressor = zlib.compressobj(LEVEL, zdict=dictionary)
    return compressor.compress(document) + compressor.flush()


def unpack(body: bytes, dictionary: Optional[bytes]) -> dict[str, Any]:
    """Raises zlib.error or ValueError if the body is damaged."""
    if dictionary is None:
        text = zlib.decompress(body)
    else:
        decompressor = zlib.decompressobj(zdict=dictionary)
        text = decompressor.decompress(body) + decompressor.flush()
    document: dict[str, Any] = json.loads(text)
    return document


def make_dictionary(documents: Sequence[bytes]) -> bytes:
    """Of documents from the whole list, as many as are of use."""
    mean = max(1, sum(map(len, documents)) // len(documents))
    wanted = min(len(documents), LARGEST_DICTIONARY // mean + 1)
    step = len(documents) / wanted
    chosen = [documents[int(number * step)] for number in range(wanted)]
    return b"".join(chosen)[-LARGEST_DICTIONARY:]
