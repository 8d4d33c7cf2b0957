"""From decoded sound to an unbroken run of 48 kHz stereo samples that begins where the picture begins."""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np
import numpy.typing as npt
from av.audio.resampler import AudioResampler

from clipstream.common.errors import Permanent

SAMPLE_RATE = 48_000
DRIFT_S = 0.1
"""Timestamps may be off by this much before silence is put in or sound is left out."""

Samples = npt.NDArray[np.float32]


class Soundtrack:
    """Lays frames with any timestamps, rates and layouts onto one timeline. Samples are float32 [2, n], -1..1."""

    def __init__(self, origin_s: float, max_duration_s: float) -> None:
        self._origin_s = origin_s
        self._max_samples = round((max_duration_s + 1) * SAMPLE_RATE)
        self._resampler: AudioResampler | None = None
        self._source: tuple[object, ...] = ()
        self._length = 0
        self._skip = 0

    def add(self, frame: av.AudioFrame) -> Iterator[Samples]:
        """What the frame adds to the track, after any silence that must stand before it."""
        source = (frame.format.name, frame.layout.name, frame.sample_rate)
        if source != self._source:
            yield from self.finish()
            self._resampler, self._source = AudioResampler("fltp", "stereo", SAMPLE_RATE), source
        if frame.pts is not None and frame.time is not None:
            yield from self._align(frame.time)
        yield from self._resampled(frame)

    def finish(self) -> Iterator[Samples]:
        """What the resampler still holds."""
        yield from self._resampled(None)

    def _align(self, time_s: float) -> Iterator[Samples]:
        due = round((time_s - self._origin_s) * SAMPLE_RATE)
        if due > self._max_samples:
            raise Permanent("The clip's sound has timestamps past the longest clip that is accepted.")
        ahead = due - self._length
        if ahead > DRIFT_S * SAMPLE_RATE or (ahead > 0 and not self._length):
            yield self._counted(np.zeros((2, ahead), np.float32))
        elif -ahead > DRIFT_S * SAMPLE_RATE or (ahead < 0 and not self._length):
            self._skip = -ahead

    def _resampled(self, frame: av.AudioFrame | None) -> Iterator[Samples]:
        if self._resampler is None:
            return
        if frame is not None:
            frame.pts = None  # the resampler would fill gaps by its own idea of time
        for resampled in self._resampler.resample(frame):
            samples = np.asarray(resampled.to_ndarray(), np.float32)
            skipped = min(self._skip, samples.shape[1])
            self._skip -= skipped
            if skipped < samples.shape[1]:
                yield self._counted(np.nan_to_num(samples[:, skipped:]).clip(-1, 1))

    def _counted(self, samples: Samples) -> Samples:
        self._length += samples.shape[1]
        return samples


class Peaks:
    """The loudest sample of every 50 ms, for drawing a waveform."""

    STEP = SAMPLE_RATE // 20

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)
        self._peaks: list[float] = []

    def add(self, samples: Samples) -> None:
        loud = np.concatenate([self._rest, np.abs(samples).max(axis=0)])
        whole = len(loud) // self.STEP * self.STEP
        self._peaks += loud[:whole].reshape(-1, self.STEP).max(axis=1).tolist()
        self._rest = loud[whole:]

    def curve(self) -> list[float]:
        return [*self._peaks, float(self._rest.max())] if len(self._rest) else self._peaks
