"""The poster picture: a telling frame of a clip, or the waveform of a recording without one. JPEG."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from PIL import Image

from clipstream.transcode.overlays import jpeg
from clipstream.transcode.waveform import draw

MAX_WIDTH, MAX_HEIGHT = 640, 640
CANDIDATES = 8
_BLACK = 24.0


class Poster:
    """Looks at a frame now and then and keeps the one with most to see. Frames are copied small, never held."""

    def __init__(self, duration_s: float, width: int, height: int) -> None:
        """`width` x `height` is the picture's shape as shown."""
        scale = min(1.0, MAX_WIDTH / width, MAX_HEIGHT / height)
        self._size = max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
        self._every_s = max(0.1, duration_s / CANDIDATES)
        self._due_s = self._every_s / 2
        self._best: av.VideoFrame | None = None
        self._best_score = -1.0
        self._reformatter = VideoReformatter()

    def look(self, time_s: float, frame: av.VideoFrame) -> None:
        if self._best is not None and time_s < self._due_s:
            return
        self._due_s = max(self._due_s + self._every_s, time_s) if self._best is not None else self._due_s
        small = self._reformatter.reformat(
            frame,
            *self._size,
            "yuvj420p",
            dst_colorspace=Colorspace.ITU601,  # what JFIF means, whatever the clip's own matrix
            dst_color_range=ColorRange.JPEG,
            interpolation=Interpolation.AREA,
            threads=1,
        )
        score = _interest(small)
        if score > self._best_score:
            self._best, self._best_score = small, score

    def jpeg(self) -> bytes:
        if self._best is None:
            raise ValueError("no frame was looked at")
        return _jpeg(self._best)


def waveform(peaks: Sequence[float]) -> bytes:
    """A picture of a recording's loudness over time; `peaks` are 0..1 at equal distances."""
    return jpeg(Image.fromarray(draw(peaks)))


def _interest(frame: av.VideoFrame) -> float:
    plane = frame.planes[0]
    luma = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[
        : frame.height : 4, : frame.width : 4
    ]
    contrast = float(luma.std())
    return contrast if float(luma.mean()) > _BLACK else contrast / 100


def _jpeg(frame: av.VideoFrame) -> bytes:
    encoder: VideoCodecContext = VideoCodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.color_range = 2
    encoder.options = {"qmin": "2", "qmax": "4"}
    frame.pts, frame.pict_type = 0, 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
