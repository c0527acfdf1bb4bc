"""Pictures of at most 256 colours as PNG: a third of the size of a browser's own."""

import base64
import struct
import zlib
from typing import Any

# In the browser, which can read its own picture: the 96 colours used most, and of others that are nearly alike the one
# used most, so that a small mark keeps its colour; each that is left becomes the nearest of them.
COLOURS = """async (picture) => {
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${picture}`)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height), pen = canvas.getContext("2d");
  pen.drawImage(image, 0, 0);
  const pixels = new Uint32Array(pen.getImageData(0, 0, image.width, image.height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) || 0) + 1);
  const colours = [...counts.keys()].sort((one, other) => counts.get(other) - counts.get(one) || one - other);
  const parts = colours.map((colour) => [colour & 255, colour >> 8 & 255, colour >> 16 & 255]);
  const alike = new Map(); // of colours that one hardly tells apart, the one used most
  parts.forEach((part) => {
    const name = part.map((each) => each >> 4).join();
    if (!alike.has(name)) alike.set(name, part);
  });
  const palette = [...new Set([...parts.slice(0, 96), ...alike.values()])].slice(0, 256);
  const nearest = new Map(parts.map(([r, g, b], place) => {
    let best = 0, least = Infinity;
    palette.forEach(([pr, pg, pb], index) => {
      const far = 2 * (r - pr) ** 2 + 4 * (g - pg) ** 2 + 3 * (b - pb) ** 2;
      if (far < least) [best, least] = [index, far];
    });
    return [colours[place], best];
  }));
  let text = "";
  for (const pixel of pixels) text += String.fromCharCode(nearest.get(pixel));
  return { width: image.width, height: image.height, palette: palette.flat(), pixels: btoa(text) };
}"""


def smaller(page: Any, picture: bytes) -> bytes:
    """``page``: an open page of Playwright's, whose policy allows data: addresses."""
    found = page.evaluate(COLOURS, base64.b64encode(picture).decode())
    return encoded(found["width"], bytes(found["palette"]), base64.b64decode(found["pixels"]))


def encoded(width: int, palette: bytes, pixels: bytes) -> bytes:
    """The PNG (ISO/IEC 15948) of rows of places in a palette of red, green and blue."""
    rows = (pixels[start : start + width] for start in range(0, len(pixels), width))
    header = struct.pack(">2I5B", width, len(pixels) // width, 8, 3, 0, 0, 0)
    content = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", content), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
