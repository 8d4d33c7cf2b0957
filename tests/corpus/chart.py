"""A test card that says which picture it is, which way is up and what its colours are, in blocks that survive 144p.

Top half: the picture's number as sixteen light and dark blocks, four of them a check that a turned, mirrored or blended
picture does not pass. Below: a row of known colours, and a bar that moves.
"""

from __future__ import annotations

import av
import numpy as np
import numpy.typing as npt

from corpus.colours import Coding, Rgb, planes, shown

LIGHT, DARK = 225 / 255, 30 / 255
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (200, 40, 40),
    "green": (40, 180, 60),
    "blue": (50, 60, 210),
    "yellow": (220, 200, 50),
    "grey": (128, 128, 128),
    "white": (235, 235, 235),
}
"""R'G'B' in 0..255, from left to right."""

_ROWS, _COLUMNS = 2, 8
_SURE = 0.3


def draw(number: int, width: int, height: int) -> Rgb:
    """Card `number` (0..4095), upright, R'G'B' in 0..1."""
    card = np.full((height, width, 3), 0.25)
    for index, lit in enumerate(_bits(number)):
        card[_block(index // _COLUMNS, index % _COLUMNS, height, width)] = LIGHT if lit else DARK
    for index, colour in enumerate(COLOURS.values()):
        card[_patch(index, height, width)] = np.array(colour) / 255
    bar, left = max(2, width // 20), number * max(1, width // 40) % width
    card[height * 13 // 16 : height * 15 // 16, left : left + bar] = 0.7
    return card


def frame(rgb: Rgb, pixel_format: str, coding: Coding) -> av.VideoFrame:
    """The picture as a decoder would give it, tagged as `coding` says."""
    made = av.VideoFrame(rgb.shape[1], rgb.shape[0], pixel_format)
    for plane, values in zip(made.planes, planes(rgb, pixel_format, coding), strict=True):
        stored = values.astype("<u2" if pixel_format.endswith("le") else np.uint8)
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        content = stored.view(np.uint8).reshape(stored.shape[0], -1)
        rows[:, : content.shape[1]] = content
        plane.update(rows.tobytes())
    made.colorspace, made.color_range, made.color_primaries, made.color_trc = coding.tags
    return made


def read(picture: av.VideoFrame) -> int | None:
    """The number of an 8-bit planar picture; None where it is no card, not upright, or two cards at once."""
    luma = _samples(picture, 0)
    means = np.array(
        [luma[_middle(_block(i // _COLUMNS, i % _COLUMNS, *luma.shape))].mean() for i in range(_ROWS * _COLUMNS)]
    )
    low, high = float(means.min()), float(means.max())
    if high - low < 60:
        return None
    share = (means - low) / (high - low)
    if np.any((share > _SURE) & (share < 1 - _SURE)):
        return None
    lit = [bool(value) for value in share > 0.5]
    gray = sum(1 << index for index, bit in enumerate(lit[:12]) if bit)
    number = gray
    while gray := gray >> 1:
        number ^= gray
    return number if _bits(number) == lit else None


def boxed(picture: av.VideoFrame, shape: float) -> av.VideoFrame:
    """What stands between the bars at a picture's sides, `shape` times as wide as high, in grey."""
    luma = _samples(picture, 0)
    bar = round((luma.shape[1] - shape * luma.shape[0]) / 2)
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(luma[:, bar : luma.shape[1] - bar]), format="gray")


def colours(picture: av.VideoFrame, believed: Coding | None = None) -> dict[str, tuple[float, float, float]]:
    """Every patch as R'G'B' in 0..255, read by the picture's own tags or as a player does that believes others."""
    coding = believed or Coding(
        int(picture.colorspace), int(picture.color_primaries), int(picture.color_trc), int(picture.color_range)
    )
    sampled = [_samples(picture, index) for index in range(3)]
    found = {}
    for index, name in enumerate(COLOURS):
        y, blue, red = (float(plane[_middle(_patch(index, *plane.shape))].mean()) for plane in sampled)
        found[name] = shown(y, blue, red, coding)
    return found


def _bits(number: int) -> list[bool]:
    """In Gray code: a block that changed with every picture would, between two fields, look as if it stood still."""
    gray = number ^ number >> 1
    check = (gray ^ gray >> 4 ^ gray >> 8 ^ 0b1010) & 0b1111
    return [bool((gray | check << 12) >> index & 1) for index in range(_ROWS * _COLUMNS)]


Area = tuple[slice, slice]


def _block(row: int, column: int, height: int, width: int) -> Area:
    top, left = row * height / 4, column * width / _COLUMNS
    return slice(round(top), round(top + height / 4)), slice(round(left), round(left + width / _COLUMNS))


def _patch(index: int, height: int, width: int) -> Area:
    step = width / len(COLOURS)
    return slice(height // 2, height * 3 // 4), slice(round(index * step), round((index + 1) * step))


def _middle(area: Area) -> Area:
    """Without its edges, where neighbours and codecs bleed in."""
    rows, columns = ((s.stop - s.start, s) for s in area)
    return (
        slice(rows[1].start + rows[0] // 4, rows[1].stop - rows[0] // 4),
        slice(columns[1].start + columns[0] // 4, columns[1].stop - columns[0] // 4),
    )


def _samples(picture: av.VideoFrame, index: int) -> npt.NDArray[np.uint8]:
    plane = picture.planes[index]
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
