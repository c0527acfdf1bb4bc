"""The docs' pictures of the page are those that `make pictures` takes, and small."""

import re
import struct
import zlib

from tests.browser import WIDE
from tools import pictures, png


def test_the_documented_pictures_are_those_that_are_taken():
    shown = re.findall(r"!\[[^\]]+\]\((\S+)\)", (pictures.FOLDER / "page.md").read_text("utf-8"))
    assert sorted(shown) == sorted(pictures.PICTURES)
    assert {*shown} == {each.name for each in pictures.FOLDER.glob("page-*.png")}
    for name in shown:
        content = (pictures.FOLDER / name).read_bytes()
        assert struct.unpack(">2I", content[16:24]) == (WIDE["width"], WIDE["height"])
        assert len(content) <= pictures.MOST


def test_a_picture_of_few_colours():
    """Two rows of two: the palette, and the place of each pixel in it."""
    content = png.encoded(2, b"\xff\0\0\0\0\xff", b"\0\1\1\0")
    assert content.startswith(b"\x89PNG\r\n")
    (length,) = struct.unpack(">I", content[content.index(b"IDAT") - 4 :][:4])
    start = content.index(b"IDAT") + 4
    assert zlib.decompress(content[start : start + length]) == b"\0\0\1\0\1\0"
