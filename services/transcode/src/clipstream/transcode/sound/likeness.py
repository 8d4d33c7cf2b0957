"""Which of several sound tracks are silent, which are copies of each other, and which one already is the mix of the rest.

Only sums are kept: peaks, and the tracks' products with each other (their Gram matrix) at a sixth of the bandwidth, where
lossy codecs are most exact. What is asked of them is ordinary least squares.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from clipstream.transcode.sound.samples import Samples

SILENCE = 1e-3
"""Never louder than -60 dB of full scale: a muted microphone, a voice chat nobody joined."""

_STEP = 8
"""Samples averaged into one. Of AAC at 160 kbit/s the sum of two tracks and their mix differ by -17 dB at full bandwidth,
by -23 dB so."""

_SAME = 1e-6
"""Copies from one encoder are equal to the bit. A louder rest may be somebody who spoke once, quietly."""

_REST = 0.1
"""A sum of tracks that leaves at most this share of another's energy (-10 dB) explains it; at 96 kbit/s -18 dB are left."""

_LEAST_WEIGHT, _OWN_LEVEL = 0.25, (0.7, 1.4)
_SURE, _COLOUR = 4.0, 16.0
"""Standard errors that a weight must stand above nothing; and how many neighbouring samples of game sound or speech are
worth one independent one (they are low notes mostly)."""

Gram = npt.NDArray[np.float64]


class Likeness:
    """Blocks of all tracks in step go in: float32 [tracks, 2, n]."""

    def __init__(self, tracks: int) -> None:
        self._gram: Gram = np.zeros((tracks, tracks))
        self._peaks = np.zeros(tracks)
        self._count = 0

    def add(self, block: Samples) -> None:
        tracks, _, count = block.shape
        self._peaks = np.maximum(self._peaks, np.abs(block).max(axis=(1, 2), initial=0.0))
        coarse = block[:, :, : count // _STEP * _STEP].reshape(tracks, -1, _STEP).mean(axis=2, dtype=np.float64)
        self._gram += coarse @ coarse.T
        self._count += coarse.shape[1]

    def audible(self) -> list[int]:
        return [track for track, peak in enumerate(self._peaks) if peak > SILENCE]

    def originals(self) -> list[int]:
        """All but the copies of earlier ones."""
        kept: list[int] = []
        for track in range(len(self._gram)):
            if not any(self._same(track, earlier) for earlier in kept):
                kept.append(track)
        return kept

    def mix(self, tracks: Sequence[int]) -> int | None:
        """The one of these tracks that holds all others; the loudest where several seem to."""
        mixes = [track for track in tracks if self._holds(track, [other for other in tracks if other != track])]
        return max(mixes, key=lambda track: float(self._gram[track, track]), default=None)

    def _same(self, one: int, other: int) -> bool:
        gram = self._gram
        difference = gram[one, one] + gram[other, other] - 2 * gram[one, other]
        return bool(difference <= _SAME * gram[other, other])

    def _holds(self, track: int, others: list[int]) -> bool:
        """Whether every one of `others` is in it for certain, and either little else is, or they are so at their own level:
        a mix may hold what no other track does."""
        if not others:
            return False
        among = self._gram[np.ix_(others, others)]
        inverse = np.linalg.pinv(among, rcond=1e-9, hermitian=True)
        with_track = self._gram[others, track]
        weights = inverse @ with_track
        rest = max(0.0, float(self._gram[track, track] - weights @ with_track))
        error = np.sqrt(np.diag(inverse).clip(0) * rest / max(1, self._count) * _COLOUR)
        if np.any(weights < np.maximum(_LEAST_WEIGHT, _SURE * error)):
            return False
        least, most = _OWN_LEVEL
        own_level = bool(np.all((weights > least) & (weights < most)))
        return own_level or rest <= _REST * float(self._gram[track, track])
