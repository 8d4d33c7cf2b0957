"""Keeps loud sound below a ceiling by turning it down for a moment instead of cutting its tops off."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from av.filter import Graph

from clipstream.transcode.sound.samples import SAMPLE_RATE, Samples, framed

_ATTACK_MS, _RELEASE_MS = 5, 100


class Limiter:
    """A look-ahead peak limiter for stereo samples [2, n]: libavfilter's `alimiter` (after Calf's, by M. Schmidt and K.
    Foltynek; for the method see P. Hämäläinen, "Smoothing of the control signal without clipped output in digital peak
    limiters", DAFx 2002). Its delay is compensated: as many samples come out as went in, in their places, a little later.

    What stays below `ceiling` (of full scale) leaves unchanged.
    """

    def __init__(self, ceiling: float) -> None:
        self._sent = 0
        self._graph = Graph()
        options = f"limit={ceiling}:level=0:latency=1:attack={_ATTACK_MS}:release={_RELEASE_MS}"
        source = self._graph.add_abuffer(
            sample_rate=SAMPLE_RATE, format="fltp", layout="stereo", time_base=Fraction(1, SAMPLE_RATE)
        )
        self._graph.link_nodes(
            source,
            self._graph.add("alimiter", options),
            self._graph.add("aformat", "sample_fmts=fltp"),
            self._graph.add("abuffersink"),
        ).configure()

    def add(self, samples: Samples) -> list[Samples]:
        self._graph.push(framed(samples, self._sent))
        self._sent += samples.shape[1]
        return self._pulled()

    def finish(self) -> list[Samples]:
        if not self._sent:
            return []
        self._graph.push(None)
        return self._pulled()

    def _pulled(self) -> list[Samples]:
        pulled: list[Samples] = []
        while True:
            try:
                frame = self._graph.pull()
            except (BlockingIOError, EOFError):
                return pulled
            pulled.append(np.asarray(frame.to_ndarray(), np.float32))
