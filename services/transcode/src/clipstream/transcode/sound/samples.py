"""Sound as all of this package passes it on: float32 [2, n] at 48 kHz, 1.0 being full scale."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 48_000
BIT_RATE = 128_000
"""Of every AAC track."""

Samples = npt.NDArray[np.float32]


def framed(samples: Samples, at: int) -> av.AudioFrame:
    """The samples as a frame for a filter or an encoder; `at` is how many came before them."""
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, at, Fraction(1, SAMPLE_RATE)
    return frame
