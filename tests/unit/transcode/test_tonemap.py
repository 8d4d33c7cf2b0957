"""HDR patches of known light against formulae written a second time, and against what a viewer would say of them.

The reference: SMPTE ST 2084 or ITU-R BT.2100 HLG (display of 1000 nits) to light; the EETF of ITU-R BT.2390 from 4000 (PQ)
or 1000 nits (HLG) to 203, diffuse white; a display of gamma 2.4. Tolerance: 2 codes of 8 bits for greys, 4 for colours,
which is what 36 steps a colour and 4:2:0 at 8 bits cost.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from clipstream.common.contracts.media import VideoTrack
from clipstream.transcode.pictures.colour import output_colour
from clipstream.transcode.pictures.picture import Preparation, Scaler
from corpus.patches import Triple, middle, patch, ycc

PQ, HLG = 16, 18
NAMES = {PQ: "smpte2084", HLG: "arib-std-b67", 14: "bt2020-10"}
XYZ_OF_709 = np.array([[0.412391, 0.357584, 0.180481], [0.212639, 0.715169, 0.072192], [0.019331, 0.119195, 0.950532]])
XYZ_OF_2020 = np.array([[0.636958, 0.144617, 0.168881], [0.262700, 0.677998, 0.059302], [0.0, 0.028073, 1.060985]])
FROM_709 = np.linalg.inv(XYZ_OF_2020) @ XYZ_OF_709


def pq(nits: float) -> float:
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    y = (nits / 10_000) ** m1
    return float(((c1 + c2 * y) / (1 + c3 * y)) ** m2)


def pq_to_nits(signal: float) -> float:
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    root = signal ** (1 / m2)
    return float(10_000 * (max(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1))


def hlg(nits: float) -> float:
    """The signal of a grey that a display of 1000 nits shows so bright."""
    scene = (nits / 1000) ** (1 / 1.2)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return math.sqrt(3 * scene) if scene <= 1 / 12 else a * math.log(12 * scene - b) + c


def bt2390(nits: float, peak: float) -> float:
    """Light on the mastering display as light on one that ends at 203 nits."""
    e1, most = min(1.0, pq(nits) / pq(peak)), pq(203) / pq(peak)
    ks = 1.5 * most - 0.5
    if e1 >= ks:
        t = (e1 - ks) / (1 - ks)
        e1 = (2 * t**3 - 3 * t**2 + 1) * ks + (t**3 - 2 * t**2 + t) * (1 - ks) + (-2 * t**3 + 3 * t**2) * most
    return pq_to_nits(e1 * pq(peak))


def sdr(nits: float) -> float:
    return float(min(1.0, nits / 203) ** (1 / 2.4))


def track(transfer: int) -> VideoTrack:
    return VideoTrack(
        index=0,
        codec="hevc",
        pixel_format="yuv420p10le",
        width=64,
        height=32,
        frame_rate=60,
        bit_depth=10,
        color_transfer=NAMES[transfer],
        color_primaries="bt2020",
        color_space="bt2020nc",
        color_range="tv",
    )


def shown(rgb: Triple, transfer: int, *, tagged: bool = True) -> tuple[int, ...]:
    video = track(transfer)
    frame = patch(rgb, "yuv420p10le", tags=(9, transfer, 9) if tagged else (2, 2, 2), matrix=9)
    preparation = Preparation(video)
    [ready] = [*preparation(frame), *preparation.flush()]
    assert (ready.color_primaries, ready.color_trc, ready.colorspace, ready.color_range) == (1, 1, 1, 1)
    return middle(Scaler(64, 32, output_colour(video))(ready))


def grey(level: float) -> Triple:
    return level, level, level


@pytest.mark.parametrize("nits", [0, 0.5, 1, 5, 20, 60, 100, 203, 400, 600, 1000, 2000, 4000, 10000])
def test_pq_greys(nits: float) -> None:
    expected = ycc(grey(sdr(bt2390(nits, 4000))), matrix=1)
    assert shown(grey(pq(nits)), PQ) == pytest.approx(expected, abs=2)


@pytest.mark.parametrize("nits", [0, 0.5, 1, 5, 20, 50, 100, 203, 400, 600, 800, 1000])
def test_hlg_greys(nits: float) -> None:
    expected = ycc(grey(sdr(bt2390(nits, 1000))), matrix=1)
    assert shown(grey(hlg(nits)), HLG) == pytest.approx(expected, abs=2)


@pytest.mark.parametrize(("signal", "transfer", "top"), [(pq, PQ, 4000), (hlg, HLG, 1000)])
def test_highlights_are_told_apart_and_white_is_bright(signal: object, transfer: int, top: int) -> None:
    """What clipping at diffuse white would lose, and what scaling the peak to white would make a dusk of."""
    assert callable(signal)
    lumas = [shown(grey(signal(nits)), transfer)[0] for nits in (20, 60, 100, 203, 400, top)]
    assert all(later - earlier >= 4 for earlier, later in pairwise(lumas)), lumas
    diffuse_white = lumas[3]
    assert 0.80 <= (diffuse_white - 16) / 219 <= 0.92
    assert lumas[-1] >= 234


@pytest.mark.parametrize(
    "light", [(0.6, 0.3, 0.2), (0.1, 0.4, 0.1), (0.1, 0.1, 0.5), (0.5, 0.5, 0.1), (0.05, 0.02, 0.02)]
)
def test_colours_of_bt709_keep_their_hue_and_darkness(light: Triple) -> None:
    """Below the knee (42 nits on a PQ display) nothing changes but the way it is written."""
    nits = [60 * part for part in light]
    wide = FROM_709 @ np.array(nits)
    red, green, blue = (pq(float(part)) for part in wide)
    scale = bt2390(max(wide), 4000) / max(wide)
    expected = ycc((sdr(nits[0] * scale), sdr(nits[1] * scale), sdr(nits[2] * scale)), matrix=1)
    assert shown((red, green, blue), PQ) == pytest.approx(expected, abs=4)


def test_colours_outside_bt709_keep_their_luminance() -> None:
    """Pure BT.2020 green at 30 nits: no display of BT.709 has it, and clipping it would make it another brightness."""
    y, u, v = shown((0.0, pq(30), 0.0), PQ)
    luma, cb, cr = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
    rgb = luma + 1.5748 * cr, luma - 0.1873 * cb - 0.4681 * cr, luma + 1.8556 * cb
    luminance = sum(w * max(0.0, c) ** 2.4 for w, c in zip((0.2126, 0.7152, 0.0722), rgb, strict=True))
    assert luminance * 203 == pytest.approx(30 * 0.678, rel=0.06)
    assert rgb[1] > max(rgb[0], rgb[2]) + 0.15


def test_wide_colours_without_hdr_keep_their_brightness() -> None:
    assert shown(grey(0.5), 14) == pytest.approx(ycc(grey(0.5), matrix=1), abs=2)
    assert shown(grey(1.0), 14) == pytest.approx(ycc(grey(1.0), matrix=1), abs=2)


def test_frames_that_do_not_say_what_they_are_follow_the_facts() -> None:
    """A chunk that begins behind the only key picture with tags is as bright as the others."""
    assert shown(grey(pq(203)), PQ, tagged=False) == shown(grey(pq(203)), PQ)


def test_no_picture_is_held_back() -> None:
    """A clip's pictures would pile up in memory."""
    preparation = Preparation(track(PQ))
    for slot in range(4):
        [ready] = preparation(patch(grey(0.5), "yuv420p10le", tags=(9, PQ, 9), matrix=9, slot=slot))
        assert ready.pts == slot
    assert list(preparation.flush()) == []
