"""How much there is to see in a picture. A number only; what it is compared with is the clip's other pictures."""

from __future__ import annotations

from PIL import Image, ImageFilter, ImageStat

_BLACK, _WHITE = 28, 228
_SPREAD = 45.0
"""The spread of luma at which a picture counts as rich in contrast."""
_DETAIL = 15.0
"""The spread of its second derivative at which it counts as half sharp, at about 320 pixels across."""
_MOST_ENTROPY = 8.0

_DIRECTIONS = (
    ImageFilter.Kernel((3, 3), (0, 0, 0, 1, -2, 1, 0, 0, 0), scale=2, offset=128),
    ImageFilter.Kernel((3, 3), (0, 1, 0, 0, -2, 0, 0, 1, 0), scale=2, offset=128),
)


def interest(luma: Image.Image) -> float:
    """0 for a picture of one brightness, near 1 for one with contrast, detail and many brightnesses. `luma` is of mode L
    and full range, some hundred pixels across: blur that is not seen there does not matter for a thumbnail.

    Half of a fade halves contrast and detail; motion blur takes the detail of one direction, so the worse one counts; a flash
    leaves few brightnesses.
    """
    shares = [count / (luma.width * luma.height) for count in luma.histogram()]
    lost = sum(shares[:_BLACK]) + sum(shares[_WHITE:])
    spread = min(1.0, ImageStat.Stat(luma).stddev[0] / _SPREAD)
    detail = 2 * min(ImageStat.Stat(luma.filter(kernel)).stddev[0] for kernel in _DIRECTIONS)
    return spread * luma.entropy() / _MOST_ENTROPY * detail / (detail + _DETAIL) * (1 - 0.7 * lost)
