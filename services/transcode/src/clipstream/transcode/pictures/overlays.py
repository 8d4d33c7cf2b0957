"""The poster with a word over it, for clips that cannot be played yet or that another clip was found to be. The gateway
draws the same look where these are missing."""

from __future__ import annotations

import io
from typing import Literal

from PIL import Image, ImageDraw, ImageFont, ImageOps

Mark = Literal["processing", "duplicate"]
MAX_SIDE = 640
QUALITY = 85
_BAND, _WORD = (10, 12, 18, 176), (240, 243, 250)
_ACCENT: dict[Mark, tuple[int, int, int]] = {"processing": (94, 196, 255), "duplicate": (255, 176, 82)}


def marked(poster: Image.Image, mark: Mark) -> Image.Image:
    """A copy with the mark on it, small posters enlarged so that the word can be read. A duplicate has no colours."""
    picture = ImageOps.contain(poster.convert("RGB"), (MAX_SIDE, MAX_SIDE))
    if mark == "duplicate":
        picture = ImageOps.grayscale(picture).convert("RGB")
    _label(picture, mark)
    return picture


def jpeg(picture: Image.Image) -> bytes:
    """As JFIF, which means full range and the matrix of BT.601 for every reader."""
    made = io.BytesIO()
    picture.save(made, "JPEG", quality=QUALITY, optimize=True)
    return made.getvalue()


def _label(picture: Image.Image, mark: Mark) -> None:
    """A translucent band along the lower edge with the word in its middle, and a thin line of colour above it."""
    width, height = picture.size
    band = max(24, min(round(height * 0.2), round(width * 0.14)))
    pen = ImageDraw.Draw(picture, "RGBA")
    pen.rectangle((0, height - band, width, height), fill=_BAND)
    pen.rectangle((0, height - band, width, height - band + max(1, band // 18)), fill=_ACCENT[mark])
    font = ImageFont.load_default(min(band * 0.5, width / 7))  # the word is six times as wide as high
    pen.text((width / 2, height - band * 0.47), mark.upper(), font=font, fill=_WORD, anchor="mm")
