"""From decoded sound to an unbroken run of 48 kHz stereo samples that begins where the clip begins."""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np
from av.audio.resampler import AudioResampler

from clipstream.transcode.sound.alignment import Alignment
from clipstream.transcode.sound.limiter import Limiter
from clipstream.transcode.sound.samples import SAMPLE_RATE, Samples

BLOCK = SAMPLE_RATE // 2
"""Samples handed on at a time: numpy and PyAV cost per call, not per sample."""

_SANE = 16.0
"""Decoded floats may exceed 1; beyond this they are damage."""


class Soundtrack:
    """Lays frames with any timestamps, rates and layouts onto one timeline. Samples are float32 [2, n], -1..1.

    Holes become silence, overlaps are left out, and it ends at `max_duration_s`. One channel is heard on both sides as
    loud as it is; more than two are mixed down to stereo (ITU-R BS.775, as libswresample does), limited rather than clipped.
    """

    def __init__(self, origin_s: float, max_duration_s: float) -> None:
        self.length = 0
        """Samples so far."""
        self._origin_s = origin_s
        self._most = round(max_duration_s * SAMPLE_RATE)
        self._alignment: Alignment[av.AudioFrame] = Alignment(SAMPLE_RATE)
        self._resampler: AudioResampler | None = None
        self._limiter: Limiter | None = None
        self._source: tuple[object, ...] = ()
        self._skip = 0
        self._beyond = False

    @property
    def full(self) -> bool:
        """Nothing that is added now will be heard."""
        return self.length >= self._most

    def add(self, frame: av.AudioFrame) -> Iterator[Samples]:
        """What the frame adds to the track, after any silence that must stand before it."""
        if not frame.samples or not frame.sample_rate:
            return
        time_s = frame.time if frame.pts is not None else None
        due = None if time_s is None else (time_s - self._origin_s) * SAMPLE_RATE
        for placed in self._alignment.add(frame, due, frame.samples * SAMPLE_RATE / frame.sample_rate):
            yield from self._lay(placed.frame, placed.at)

    def finish(self) -> Iterator[Samples]:
        """What is still held back."""
        for placed in self._alignment.finish():
            yield from self._lay(placed.frame, placed.at)
        yield from self._drain()

    def _lay(self, frame: av.AudioFrame, at: float | None) -> Iterator[Samples]:
        source = (frame.format.name, frame.layout.name, frame.sample_rate)
        if at is not None or source != self._source:
            yield from self._drain()
        if at is not None:
            self._beyond = at >= self._most
        if self._beyond:
            return
        if at is not None:
            yield from self._silence(round(at) - self.length)
            self._skip = max(0, self.length - round(at))
        if self._resampler is None:
            channels = frame.layout.nb_channels
            layout = "mono" if channels == 1 else "stereo"  # libswresample would make one channel 3 dB quieter
            self._resampler, self._source = AudioResampler("fltp", layout, SAMPLE_RATE, frame_size=BLOCK), source
            self._limiter = Limiter(ceiling=1.0) if channels > 2 else None
        frame.pts = None  # the resampler would fill gaps by its own idea of time
        yield from self._cut(self._resampler.resample(frame))

    def _drain(self) -> Iterator[Samples]:
        """Empty the resampler; the next frame gets a new one."""
        if self._resampler is not None:
            yield from self._cut(self._resampler.resample(None))
        if self._limiter is not None:
            yield from self._counted(self._limiter.finish())
        self._resampler = self._limiter = None

    def _silence(self, count: int) -> Iterator[Samples]:
        while count > 0:
            piece = min(count, BLOCK)
            yield from self._counted([np.zeros((2, piece), np.float32)])
            count -= piece

    def _cut(self, resampled: list[av.AudioFrame]) -> Iterator[Samples]:
        for frame in resampled:
            samples = np.broadcast_to(np.asarray(frame.to_ndarray(), np.float32), (2, frame.samples))
            skipped = min(self._skip, samples.shape[1])
            self._skip -= skipped
            tame = np.nan_to_num(samples[:, skipped:], posinf=1.0, neginf=-1.0).clip(-_SANE, _SANE)
            yield from self._counted(self._limiter.add(tame) if self._limiter else [tame])

    def _counted(self, parts: list[Samples]) -> Iterator[Samples]:
        for samples in parts:
            samples = samples[:, : max(0, self._most - self.length)]
            if samples.shape[1]:
                self.length += samples.shape[1]
                yield samples.clip(-1, 1)
