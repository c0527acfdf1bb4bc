"""Where things are drawn: a cell for each, in a grid that their box has room for.

Nothing is stored. A thing's cell follows from its own key, so that it is the same at each visit, after a restart, and at
another time; and a box is as large expanded as it is collapsed, so that expanding it moves nothing else. When others
come or go, it moves only if they want the same cell, or if the grid is too small and the next size is taken.
"""

import hashlib
from collections.abc import Collection
from typing import NamedTuple

# Columns and rows. Steps grow with the size: a box is rearranged seldom.
GRIDS = (
    *((1, 1), (1, 2), (2, 2), (2, 3), (3, 3), (3, 4), (4, 4), (4, 5), (5, 5)),
    *((side, side) for side in (6, 7, 8, 10, 12, 14, 16, 18, 20, 22)),
)
FULL = 4  # things that may take all of a grid; of larger ones an eighth stays free, so that few want the same cell
WIDTH, HEIGHT = 640.0, 400.0  # of an outermost cell
HEADER, PADDING, GAP = (
    0.12,
    0.02,
    0.06,
)  # shares of a box: its title, its border; and of a cell: what is left free


class Box(NamedTuple):
    """``x`` and ``y`` are its middle."""

    x: float
    y: float
    w: float
    h: float


def grid(count: int) -> tuple[int, int]:
    """Columns and rows for so many things. Raises ValueError if that is more than the largest grid has room for."""
    for columns, rows in GRIDS:
        room = columns * rows
        if count <= (room if room <= FULL else room * 7 // 8):
            return columns, rows
    raise ValueError(f"{count} things are more than a box has room for")


MOST = GRIDS[-1][0] * GRIDS[-1][1] * 7 // 8  # things in one box


def cells(keys: Collection[str]) -> dict[str, int]:
    """The number of each key's cell, whatever the order of the keys."""
    columns, rows = grid(len(keys))
    room = columns * rows
    taken = [False] * room
    found: dict[str, int] = {}
    for _, wanted, key in sorted(_hashed(key) for key in keys):
        cell = wanted * room >> 64
        while taken[cell]:
            cell = (cell + 1) % room
        taken[cell] = True
        found[key] = cell
    return found


def _hashed(key: str) -> tuple[int, int, str]:
    """Who chooses first, and which cell it wants as a share of the grid."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big"), key


def inside(box: Box, keys: Collection[str]) -> dict[str, Box]:
    """The boxes of what a box holds, below its title."""
    wide = box.w * (1 - 2 * PADDING)
    high = box.h * (1 - HEADER - PADDING)
    left, top = box.x - wide / 2, box.y - box.h / 2 + box.h * HEADER
    return _boxes(left, top, wide, high, keys)


def outermost(keys: Collection[str]) -> dict[str, Box]:
    """The boxes of what nothing holds."""
    columns, rows = grid(len(keys))
    return _boxes(0, 0, columns * WIDTH, rows * HEIGHT, keys)


def _boxes(
    left: float, top: float, wide: float, high: float, keys: Collection[str]
) -> dict[str, Box]:
    columns, rows = grid(len(keys))
    w, h = wide / columns, high / rows
    return {
        key: Box(
            left + (cell % columns + 0.5) * w,
            top + (cell // columns + 0.5) * h,
            w * (1 - GAP),
            h * (1 - GAP),
        )
        for key, cell in cells(keys).items()
    }
