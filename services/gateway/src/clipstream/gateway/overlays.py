"""Pictures of videos that cannot show their own yet, or should not pass for another: the poster with a word over it, or a
card in its place. Bytes in, bytes out; drawing takes milliseconds of CPU and belongs in a thread."""

from __future__ import annotations

import io
import unicodedata
from typing import Literal

from PIL import Image, ImageDraw, ImageFont, ImageOps

Mark = Literal["processing", "duplicate"]
DESIGN = "1"  # told in the stored pictures: those of another design are drawn again
MAX_PIXELS = 4_000_000  # our own posters have at most 640 x 640
MAX_SIDE = 640
CARD_SIZE = (640, 360)
_CARD, _LETTER = (24, 27, 38), (74, 82, 110)
_BAND = (10, 12, 18, 176)
_WORD = (240, 243, 250)
_ACCENT: dict[Mark, tuple[int, int, int]] = {"processing": (94, 196, 255), "duplicate": (255, 176, 82)}


def initial(title: str) -> str:
    """The letter that stands for a title on its card; nothing where our font has no such letter."""
    first = next((c for c in unicodedata.normalize("NFKD", title) if c.isalnum()), "")
    return first.upper() if first.isascii() else ""


def draw(poster: bytes | None, mark: Mark, letter: str) -> bytes:
    """A JPEG of the poster with the mark on it; of a card with `letter` where there is no poster, or none that can be
    used. A duplicate has no colours."""
    picture = _opened(poster) if poster is not None else None
    picture = _card(letter) if picture is None else picture
    if mark == "duplicate":
        picture = ImageOps.grayscale(picture).convert("RGB")
    _label(picture, mark)
    made = io.BytesIO()
    picture.save(made, "JPEG", quality=82, optimize=True)
    return made.getvalue()


def _opened(poster: bytes) -> Image.Image | None:
    """The picture as large as a card; None where it is no JPEG or too large to be ours."""
    try:
        with Image.open(io.BytesIO(poster), formats=("JPEG",)) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                return None
            picture = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return ImageOps.contain(picture, (MAX_SIDE, MAX_SIDE))


def _card(letter: str) -> Image.Image:
    card = Image.new("RGB", CARD_SIZE, _CARD)
    pen = ImageDraw.Draw(card)
    x, y = CARD_SIZE[0] / 2, CARD_SIZE[1] * 0.42
    if letter:
        pen.text((x, y), letter, font=ImageFont.load_default(190), fill=_LETTER, anchor="mm")
    else:
        pen.polygon([(x - 48, y - 62), (x - 48, y + 62), (x + 66, y)], fill=_LETTER)
    return card


def _label(picture: Image.Image, mark: Mark) -> None:
    """A translucent band along the lower edge with the word in its middle, and a thin line of colour above it."""
    width, height = picture.size
    band = max(24, min(round(height * 0.2), round(width * 0.14)))
    pen = ImageDraw.Draw(picture, "RGBA")
    pen.rectangle((0, height - band, width, height), fill=_BAND)
    pen.rectangle((0, height - band, width, height - band + max(1, band // 18)), fill=_ACCENT[mark])
    font = ImageFont.load_default(min(band * 0.5, width / 7))  # the word is six times as wide as high
    pen.text((width / 2, height - band * 0.47), mark.upper(), font=font, fill=_WORD, anchor="mm")
