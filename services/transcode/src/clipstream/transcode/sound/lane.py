"""Encodes one sound track as AAC into CMAF segments, in a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from clipstream.transcode.cmaf.segments import WRITE_BUFFER, Emit, SegmentWriter
from clipstream.transcode.encoding.lane import Lane
from clipstream.transcode.made import Track
from clipstream.transcode.sound.samples import BIT_RATE, SAMPLE_RATE, Samples, framed

FRAGMENT_S = 1
CHANNELS = 2

# delay_moov: only a moov written after the first packet knows the encoder's priming and can edit it away.
_OPTIONS = {
    "movflags": "cmaf+delay_moov+default_base_moof+skip_trailer",
    "frag_duration": str(FRAGMENT_S * 1_000_000),
}


class SoundLane(Lane[Samples]):
    """AAC-LC at 48 kHz, stereo. Segments begin within half a fragment of `boundaries` (seconds)."""

    def __init__(self, directory: Path, name: str, boundaries: Iterator[Fraction], emit: Emit) -> None:
        super().__init__(f"encode-{name}")
        self._track = name
        self._sink = SegmentWriter(directory, name, boundaries, emit, tolerance_s=Fraction(FRAGMENT_S, 2), keys=False)
        self._output = av.open(self._sink, "w", format="mp4", container_options=_OPTIONS, buffer_size=WRITE_BUFFER)
        self._stream = self._output.add_stream("aac", rate=SAMPLE_RATE, options={"b": str(BIT_RATE)})
        self._stream.layout = "stereo"
        self._sent = 0

    @property
    def track(self) -> Track | None:
        """What was made, once the lane is closed; None where not one sample came."""
        if not self._sink.segments:
            return None
        return Track(
            name=self._track,
            kind="audio",
            codec=self._sink.codec,
            timescale=self._sink.timescale,
            init_file=self._sink.init_file,
            segments=tuple(self._sink.segments),
            channels=CHANNELS,
            sample_rate=SAMPLE_RATE,
        )

    def _take(self, item: Samples) -> None:
        self._encode(framed(item, self._sent))
        self._sent += item.shape[1]

    def _finish(self) -> None:
        if self._sent:
            self._encode(None)
        self._output.close()
        self._sink.finish()

    def _encode(self, frame: av.AudioFrame | None) -> None:
        for packet in self._stream.encode(frame):
            self._output.mux(packet)
