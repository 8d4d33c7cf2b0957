"""Takes the pictures that are embedded out of a clip: one for every second, small. Runs in a caged child process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from clipstream.common.errors import Permanent
from clipstream.common.media.decode import Decoder
from clipstream.common.media.open import open_media, tracks

STEP_S = 1.0
FIRST_S = 0.5
MAX_FRAMES = 3600
"""An hour: longer than any clip that is accepted, so it only bounds files that lie about time."""

_UNKNOWN = 2
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Grid:
    """Frames as they lie in `file`: uint8 [len(times_s), height, width, 3], RGB. A time is seconds after the first picture."""

    file: Path
    times_s: tuple[float, ...]


def sample_frames(source: BinaryIO, *, width: int, height: int, scratch: Path) -> Grid:
    """The picture shown at 0.5 s, 1.5 s and so on, turned upright and squeezed to `width` x `height`.

    A clip that ends before 0.5 s gives its last picture. Without pictures there are no frames. `Permanent` where there is
    a picture track of which nothing can be decoded.
    """
    file = Path("frames.rgb")
    times: list[float] = []
    with open_media(source) as container, (scratch / file).open("wb") as frames:
        video = tracks(container).video
        if video is None:
            return Grid(file, ())
        for time_s, frame in _on_grid(_timed(container, video)):
            frames.write(_small(frame, width, height).tobytes())
            times.append(time_s)
            if len(times) == MAX_FRAMES:
                break
    if not times:
        raise Permanent("Not one picture of this clip could be decoded.")
    return Grid(file, tuple(times))


def _on_grid(timed: Iterator[tuple[float, av.VideoFrame]]) -> Iterator[tuple[float, av.VideoFrame]]:
    """For each point of the grid, the frame that is on screen then."""
    due_s = FIRST_S
    shown: tuple[float, av.VideoFrame] | None = None
    for time_s, frame in timed:
        while shown is not None and time_s > due_s:
            yield due_s, shown[1]
            due_s += STEP_S
        shown = time_s, frame
    if shown is not None and (shown[0] >= due_s or due_s == FIRST_S):
        yield min(due_s, shown[0]), shown[1]


def _timed(container: InputContainer, video: VideoStream) -> Iterator[tuple[float, av.VideoFrame]]:
    """Decoded frames with seconds after the first one; a frame without a time counts on from the one before."""
    step_s = float(1 / video.average_rate) if video.average_rate else 1 / 30
    first_s: float | None = None
    last_s = 0.0
    for frame in Decoder(container, [video]):
        if not isinstance(frame, av.VideoFrame):
            continue
        if frame.pts is None or not frame.time_base:
            time_s = last_s + (step_s if first_s is not None else 0.0)
        else:
            time_s = float(frame.pts * frame.time_base)
        if first_s is None:
            first_s = time_s
        last_s = time_s
        yield max(0.0, time_s - first_s), frame


_reformatter = VideoReformatter()


def _small(frame: av.VideoFrame, width: int, height: int) -> Pixels:
    if frame.colorspace == _UNKNOWN:
        frame.colorspace = 1  # one guess for all files, so that a copy that lost its tags still looks alike
    turns = round(-frame.rotation / 90) % 4
    if turns % 2:
        width, height = height, width
    small = _reformatter.reformat(
        frame,
        width,
        height,
        "rgb24",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.JPEG,
        interpolation=Interpolation.AREA,
        threads=1,
    )
    pixels: Pixels = np.ascontiguousarray(np.rot90(small.to_ndarray(), -turns), np.uint8)
    return pixels
