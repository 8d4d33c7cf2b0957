"""Makes one chunk of a clip: decodes its run of source GOPs once, and encodes every rendition of it side by side.

Pure: reads one file object, writes files into one directory, answers with plain facts. Runs in a caged child process. This
thread decodes, prepares and scales; a lane encodes each rendition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from clipstream.common.contracts.media import VideoTrack
from clipstream.common.errors import Permanent
from clipstream.common.media.decode import Decoder
from clipstream.common.media.open import open_media, tracks
from clipstream.transcode.cmaf.segments import Emit
from clipstream.transcode.encoding.rendition import VideoLane
from clipstream.transcode.encoding.timing import Cadence, FrameTimes, Shown
from clipstream.transcode.made import PartMade
from clipstream.transcode.pictures.picture import Preparation, Scaler
from clipstream.transcode.pictures.taps import Taps
from clipstream.transcode.plan import shown_size, source_rate
from clipstream.transcode.planned import ChunkPlan, Plan

_SURELY_PAST = 4
"""Pictures beyond a chunk's end that end its decoding: one alone may have a damaged time."""


def encode_chunk(
    source: BinaryIO, *, scratch: Path, plan: Plan, number: int, emit: Emit, progress: Callable[[float], None]
) -> PartMade:
    """Encode chunk `number` of `plan`. Nothing is made of a last chunk without a picture; another one is black then, so
    that what comes after it keeps its time. Raises `Permanent` where the source holds no such track at all."""
    chunk = plan.chunks[number - 1]
    with open_media(source) as container:
        stream = tracks(container).video
        if stream is None or stream.time_base is None or plan.media.video is None:
            raise Permanent("The picture track of this clip is gone.")
        if chunk.first_slot:
            _enter(container, stream, chunk.from_s + 0.4 / float(plan.frame_rate))
        with ExitStack() as lanes:
            job = _Chunk(plan, plan.media.video, chunk, scratch, lanes, emit, progress)
            job.run(Decoder(container, [stream]))
        progress(1.0)  # what was told on the way is thinned out; the end is always heard
        return job.made()


def _enter(container: InputContainer, stream: VideoStream, time_s: float) -> None:
    """Go to the key picture at or before a time. A file that cannot be entered there is read from its beginning."""
    with suppress(av.FFmpegError):
        container.seek(int(time_s / (stream.time_base or 1)), stream=stream)


class _Chunk:
    """One pass over one run of pictures."""

    def __init__(
        self,
        plan: Plan,
        video: VideoTrack,
        chunk: ChunkPlan,
        scratch: Path,
        lanes: ExitStack,
        emit: Emit,
        progress: Callable[[float], None],
    ) -> None:
        self._plan, self._video, self._chunk, self._progress = plan, video, chunk, progress
        self._scratch, self._emit, self._lanes = scratch, emit, lanes
        self._preparation = Preparation(video)
        self._taps = Taps(plan, chunk, scratch)
        self._times = FrameTimes(source_rate(video))
        self._cadence = Cadence(
            plan.frame_rate, plan.origin_s, plan.max_duration_s, first=chunk.first_slot, end=chunk.end_slot
        )
        self._outputs: list[tuple[Scaler, VideoLane]] = []
        self._past = self._pictures = self._damaged = self._shown = 0
        self._slots = (chunk.end_slot or round(plan.duration_s * plan.frame_rate)) - chunk.first_slot

    def run(self, decoder: Decoder) -> None:
        for frame in decoder:
            if isinstance(frame, av.VideoFrame) and self._counts(frame):
                self._time(self._preparation(frame))
            if self._past >= _SURELY_PAST:
                break
        self._finish()
        self._pictures += decoder.lost
        self._damaged += decoder.lost

    def made(self) -> PartMade:
        """The facts, once every lane is closed."""
        tiles, preview = self._taps.finish()
        return PartMade(
            tracks=tuple(lane.track for _, lane in self._outputs),
            pictures=self._pictures,
            damaged=self._damaged,
            tiles_file=tiles,
            preview_file=preview,
        )

    def _counts(self, frame: av.VideoFrame) -> bool:
        """Whether the frame can be one of ours. Those of other chunks are only decoded because ours refer to them."""
        slot = self._chunk.first_slot if frame.time is None else self._cadence.slot(frame.time)
        if self._chunk.end_slot is not None and slot >= self._chunk.end_slot:
            self._past += 1
            return False
        if slot < self._chunk.first_slot and self._chunk.first_slot:
            return False
        self._pictures += 1
        self._damaged += frame.is_corrupt
        return True

    def _begin(self) -> None:
        """Open the encoders. A chunk without a picture has none."""
        colour = self._preparation.colour
        for rendition in self._plan.renditions:
            lane = VideoLane(rendition, self._plan, self._chunk, colour, self._scratch, self._emit)
            scaler = Scaler(rendition.width, rendition.height, colour)
            self._outputs.append((scaler, self._lanes.enter_context(lane)))

    def _time(self, prepared: Iterable[av.VideoFrame]) -> None:
        for frame in prepared:
            self._place(self._times.add(frame))

    def _place(self, timed: Iterable[tuple[float, av.VideoFrame]]) -> None:
        for time_s, frame in timed:
            self._show(self._cadence.add(self._cadence.slot(time_s), frame))

    def _finish(self) -> None:
        self._time(self._preparation.flush())
        self._place(self._times.finish())
        self._show(self._cadence.finish())
        if not self._shown and self._chunk.end_slot is not None:
            self._show_black(self._chunk.first_slot)

    def _show_black(self, slot: int) -> None:
        """Not one picture could be decoded, but later chunks follow."""
        self._damaged += self._slots
        self._pictures += self._slots
        self._show(self._cadence.add(slot, _black(*shown_size(self._video))))
        self._show(self._cadence.finish())

    def _show(self, pictures: Iterable[Shown]) -> None:
        for shown in pictures:
            if not self._shown:
                self._begin()
            self._shown += shown.slots
            self._progress(min(1.0, self._shown / max(1, self._slots)))
            self._taps.look(shown.first_slot, shown.frame, shown.slots)
            scaled = [(lane, scaler(shown.frame)) for scaler, lane in self._outputs]
            for lane, frame in scaled:  # only now: from here on a frame belongs to its lane
                lane.put(Shown(frame, shown.first_slot, shown.slots))


def _black(width: int, height: int) -> av.VideoFrame:
    frame = av.VideoFrame(max(2, width // 2 * 2), max(2, height // 2 * 2), "yuv420p")
    for plane, level in zip(frame.planes, (16, 128, 128), strict=True):
        plane.update(bytes([level]) * plane.buffer_size)
    return frame
