"""From HDR and wide colour to SDR BT.709, as a table of colours: pure numbers, the same for every picture of a clip.

Light is measured in nits. The table goes out of the encoded source colour (R'G'B', 0..1) and into encoded BT.709 for a
BT.1886 display. Diffuse white of HDR (203 nits, ITU-R BT.2408) is what SDR white is compared with. The knee is that of
ITU-R BT.2390: what is darker stays, highlights are bent to fit. It works on the largest of the three primaries, so that
hues stay; what BT.709 cannot show is then mixed with grey of its own luminance.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clipstream.transcode.pictures.colour import BT2020, DISPLAY_P3, HLG, PQ, Source

Light = npt.NDArray[np.float64]

LEVEL = 6
"""Of a Hald image: `LEVEL`² steps of each colour, drawn as a square picture of `LEVEL`³ pixels a side."""

DIFFUSE_WHITE = 203.0
_PEAK = {PQ: 4000.0, HLG: 1000.0}
"""The brightest light that is still told from white: HLG's nominal display, and the brightest that PQ is graded for."""

_GAMMA = 2.4
"""Of an SDR display, and of every source that is not HDR."""
_LUMA_2020 = np.array([0.2627, 0.6780, 0.0593])
_LUMA_709 = np.array([0.2126, 0.7152, 0.0722])
_TO_709 = {
    BT2020: np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]),
    DISPLAY_P3: np.array([[1.2249, -0.2249, 0.0], [-0.0420, 1.0420, 0.0], [-0.0197, -0.0786, 1.0983]]),
}


def hald(source: Source) -> npt.NDArray[np.uint16]:
    """The table as the Hald image [LEVEL³, LEVEL³, 3], rgb48, that libav's haldclut needs for planar pictures."""
    steps = np.linspace(0.0, 1.0, LEVEL**2)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")  # red changes fastest
    mapped = to_sdr(np.stack([red, green, blue], axis=-1).reshape(-1, 3), source)
    # It takes the planes of an integer table, which are G, B, R, for R, G, B (LOAD_CLUT_PLANAR in libavfilter's vf_lut3d.c).
    turned = mapped[:, [2, 0, 1]]
    return np.round(turned * 65535).astype(np.uint16).reshape(LEVEL**3, LEVEL**3, 3)


def to_sdr(encoded: Light, source: Source) -> Light:
    """Encoded source colours [n, 3], 0..1, as encoded BT.709 colours [n, 3], 0..1."""
    light = _linear(encoded, source.transfer)
    if source.transfer in _PEAK:
        brightest = light.max(axis=1, keepdims=True)
        light = light * (_bent(brightest, _PEAK[source.transfer]) / np.maximum(brightest, 1e-6))
    if source.primaries in _TO_709:
        light = _in_gamut(light @ _TO_709[source.primaries].T)
    result: Light = np.clip(light, 0.0, 1.0) ** (1 / _GAMMA)
    return result


def _linear(encoded: Light, transfer: int) -> Light:
    """Light as a display emits it, 1.0 being diffuse white."""
    if transfer == PQ:
        return pq_nits(encoded) / DIFFUSE_WHITE
    if transfer == HLG:
        return _hlg_nits(encoded) / DIFFUSE_WHITE
    result: Light = encoded**_GAMMA
    return result


def pq_nits(encoded: Light) -> Light:
    """The EOTF of SMPTE ST 2084."""
    power = encoded ** (1 / 78.84375)
    result: Light = 10_000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (
        1 / 0.1593017578125
    )
    return result


def pq_encoded(nits: Light) -> Light:
    """The inverse of that."""
    power = (np.maximum(nits, 0) / 10_000) ** 0.1593017578125
    result: Light = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    return result


def _hlg_nits(encoded: Light) -> Light:
    """ITU-R BT.2100: the inverse OETF, and the OOTF of a display of 1000 nits."""
    scene = np.where(encoded <= 0.5, encoded**2 / 3, (np.exp((encoded - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    luma = np.maximum(scene @ _LUMA_2020, 1e-9)
    result: Light = 1000 * scene * luma[:, None] ** 0.2
    return result


def _bent(light: Light, peak: float) -> Light:
    """The EETF of ITU-R BT.2390-10, 5.4.1: from displays of `peak` nits to one whose white is diffuse white."""
    top, white = pq_encoded(np.array([peak, DIFFUSE_WHITE]))
    most, knee = white / top, 1.5 * white / top - 0.5
    level = np.minimum(pq_encoded(light * DIFFUSE_WHITE) / top, 1.0)
    t = (level - knee) / (1 - knee)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    return pq_nits(np.where(level < knee, level, spline) * top) / DIFFUSE_WHITE


def _in_gamut(light: Light) -> Light:
    """Colours outside 0..1 are moved towards grey of the same luminance until they are inside."""
    luma = np.clip(light @ _LUMA_709, 0.0, 1.0)[:, None]
    away = light - luma
    room = np.where(away < 0, luma, 1 - luma)
    keep = np.min(np.minimum(1.0, room / np.maximum(np.abs(away), 1e-9)), axis=1, keepdims=True)
    result: Light = luma + away * keep
    return result
