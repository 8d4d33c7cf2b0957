"""The sum of several sound tracks, in step and without clipping, and what was learned of them on the way."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from clipstream.transcode.sound.likeness import Likeness
from clipstream.transcode.sound.limiter import Limiter
from clipstream.transcode.sound.samples import SAMPLE_RATE, Samples
from clipstream.transcode.sound.soundtrack import BLOCK

CEILING = 0.891
"""-1 dB of full scale: what AAC adds to a peak stays below the top (EBU R 128)."""

PATIENCE_S = 8
"""How long the mix waits for a track that lags behind in the file. What comes later is heard on its own track only; so
memory stays bounded however badly a file is interleaved."""


class Mixer:
    """Tracks are added piece by piece, each on its own, from its first sample on; the mix comes out as soon as all have come
    so far. A track that ended, or has not begun, is silence to it. Levels stay as they are recorded: the tracks of a
    recorder are parts of one sound, and only where their sum is too loud is it turned down.
    """

    def __init__(self, tracks: int) -> None:
        self.likeness = Likeness(tracks)
        self._waiting: list[deque[Samples]] = [deque() for _ in range(tracks)]
        self._ends = [0] * tracks
        self._done = 0
        self._limiter = Limiter(CEILING)

    def add(self, track: int, samples: Samples) -> Iterator[Samples]:
        late = max(0, self._done - self._ends[track])
        self._ends[track] += samples.shape[1]
        if late < samples.shape[1]:
            self._waiting[track].append(samples[:, late:])
        complete = max(min(self._ends), max(self._ends) - PATIENCE_S * SAMPLE_RATE)
        while complete - self._done >= BLOCK:
            yield from self._mix(BLOCK)

    def finish(self) -> Iterator[Samples]:
        while (left := max(self._ends) - self._done) > 0:
            yield from self._mix(min(left, BLOCK))
        yield from self._limiter.finish()

    def _mix(self, count: int) -> list[Samples]:
        block = np.zeros((len(self._waiting), 2, count), np.float32)
        for track, waiting in enumerate(self._waiting):
            self._take(waiting, block[track])
        self._done += count
        self.likeness.add(block)
        return self._limiter.add(block[self.likeness.originals()].sum(axis=0))

    def _take(self, waiting: deque[Samples], into: Samples) -> None:
        """A track that waits begins where the mix is: it is never ahead, and what came too late was cut off."""
        filled = 0
        while waiting and filled < into.shape[1]:
            piece = waiting.popleft()
            used = piece[:, : into.shape[1] - filled]
            into[:, filled : filled + used.shape[1]] = used
            filled += used.shape[1]
            if used.shape[1] < piece.shape[1]:
                waiting.appendleft(piece[:, used.shape[1] :])
