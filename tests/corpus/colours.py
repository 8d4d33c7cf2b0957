"""Colours as numbers in a file: from the light somebody means to coded planes and back, by the formulas of ITU-R BT.601,
709, 2020 and 2100. Nothing of libav, so that it can judge what libav does.

R'G'B' is float64 [height, width, 3] in 0..1, non-linear as SDR displays take it (BT.1886, gamma 2.4, BT.709 primaries).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rgb = npt.NDArray[np.float64]
Plane = npt.NDArray[np.uint16]

GAMMA = 2.4
REFERENCE_WHITE = 203.0
"""cd/m² of the white of ordinary pictures inside HDR (BT.2408)."""

_LUMA = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
_TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


@dataclass(frozen=True, slots=True)
class Coding:
    """How colours are written, in the numbers of ITU-T H.273: `range_` 1 is limited ("tv"), 2 full. Where `matrix` does not
    tell (2), `likely_matrix` was used."""

    matrix: int = 1
    primaries: int = 1
    transfer: int = 1
    range_: int = 1
    likely_matrix: int = 6

    @property
    def tags(self) -> tuple[int, int, int, int]:
        return self.matrix, self.range_, self.primaries, self.transfer


BT709 = Coding()
BT709_FULL = Coding(range_=2)
BT601 = Coding(6, 6, 6)
BT601_FULL = Coding(6, 6, 6, range_=2)
BT470BG = Coding(5, 5, 6)
HDR10 = Coding(9, 9, 16)
HLG = Coding(9, 9, 18)
UNTAGGED = Coding(2, 2, 2, 0)
UNTAGGED_HD = Coding(2, 2, 2, 0, likely_matrix=1)

_LAYOUTS = {
    "yuv420p": (8, 2, 2),
    "yuvj420p": (8, 2, 2),
    "yuv422p": (8, 2, 1),
    "yuv444p": (8, 1, 1),
    "yuv420p10le": (10, 2, 2),
    "yuv422p10le": (10, 2, 1),
    "yuv444p10le": (10, 1, 1),
}


def planes(rgb: Rgb, pixel_format: str, coding: Coding) -> tuple[Plane, Plane, Plane]:
    """Y, Cb and Cr of a picture."""
    bits, across, down = _LAYOUTS[pixel_format]
    if coding.transfer == 16:
        rgb = _pq(_light(rgb))
    elif coding.transfer == 18:
        rgb = _hlg(_light(rgb))
    kr, kb = _LUMA[coding.likely_matrix if coding.matrix == 2 else coding.matrix]
    y = kr * rgb[..., 0] + (1 - kr - kb) * rgb[..., 1] + kb * rgb[..., 2]
    blue, red = (rgb[..., 2] - y) / (2 - 2 * kb), (rgb[..., 0] - y) / (2 - 2 * kr)
    black, span, chroma_span = _steps(coding.range_, bits)
    middle = 1 << (bits - 1)
    return (
        _stored(black + span * y, bits),
        _stored(middle + chroma_span * _averaged(blue, across, down), bits),
        _stored(middle + chroma_span * _averaged(red, across, down), bits),
    )


def shown(y: float, blue: float, red: float, coding: Coding) -> tuple[float, float, float]:
    """8-bit Y, Cb, Cr as R'G'B' in 0..255, the way a player reads them that believes `coding`."""
    kr, kb = _LUMA[coding.matrix]
    black, span, chroma_span = _steps(coding.range_, 8)
    luma, cb, cr = (y - black) / span, (blue - 128) / chroma_span, (red - 128) / chroma_span
    r, b = luma + (2 - 2 * kr) * cr, luma + (2 - 2 * kb) * cb
    g = (luma - kr * r - kb * b) / (1 - kr - kb)
    return r * 255, g * 255, b * 255


def _steps(range_: int, bits: int) -> tuple[float, float, float]:
    """The code of black, and the codes from black to white and across all of a colour difference."""
    scale = 1 << (bits - 8)
    if range_ == 2:
        most = float((1 << bits) - 1)
        return 0.0, most, most
    return 16.0 * scale, 219.0 * scale, 224.0 * scale


def _stored(values: npt.NDArray[np.float64], bits: int) -> Plane:
    return np.clip(np.rint(values), 0, (1 << bits) - 1).astype(np.uint16)


def _averaged(plane: npt.NDArray[np.float64], across: int, down: int) -> npt.NDArray[np.float64]:
    rows, columns = plane.shape
    padded = np.pad(plane, ((0, -rows % down), (0, -columns % across)), mode="edge")
    averaged: npt.NDArray[np.float64] = padded.reshape(padded.shape[0] // down, down, -1, across).mean(axis=(1, 3))
    return averaged


def _light(rgb: Rgb) -> Rgb:
    """What an SDR display makes of it, in BT.2020 primaries and cd/m², white at HDR's reference."""
    light: Rgb = np.maximum(rgb, 0) ** GAMMA @ _TO_2020.T * REFERENCE_WHITE
    return light


def _pq(light: Rgb) -> Rgb:
    """The inverse EOTF of SMPTE ST 2084."""
    part = np.clip(light / 10_000, 0, 1) ** 0.1593017578125
    signal: Rgb = ((0.8359375 + 18.8515625 * part) / (1 + 18.6875 * part)) ** 78.84375
    return signal


def _hlg(light: Rgb) -> Rgb:
    """BT.2100's HLG for a display of 1000 cd/m²: the inverse of its OOTF (gamma 1.2), then its OETF."""
    relative = light / 1000
    luminance = relative @ np.array([0.2627, 0.6780, 0.0593])
    scene = relative * np.maximum(luminance, 1e-9)[..., None] ** (1 / 1.2 - 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    low, high = np.sqrt(3 * np.clip(scene, 0, 1 / 12)), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c
    signal: Rgb = np.where(scene <= 1 / 12, low, high)
    return signal
