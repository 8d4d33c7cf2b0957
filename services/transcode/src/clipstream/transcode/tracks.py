"""The two kinds of track on their way from decoded frames to the encoders. Both run in the decoding thread."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
from av.video.stream import VideoStream

from clipstream.common.contracts.media import VideoTrack
from clipstream.common.media.color import PRIMARIES, RANGES, SPACES, TRANSFERS
from clipstream.transcode.encode import AudioLane, VideoLane
from clipstream.transcode.picture import Preparation, Scaler, shown_size, turned
from clipstream.transcode.plan import Recipe, output_rate, renditions
from clipstream.transcode.playlists import Track
from clipstream.transcode.sound import DRIFT_S, SAMPLE_RATE, Peaks, Samples, Soundtrack
from clipstream.transcode.thumbnail import Poster
from clipstream.transcode.timing import Cadence, FrameTimes, Shown


class PictureTrack:
    """Prepares, times and scales the pictures of one clip, and hands them to one encoder per rendition."""

    def __init__(
        self,
        stream: VideoStream,
        recipe: Recipe,
        into: Path,
        lanes: ExitStack,
        *,
        duration_s: float,
        sound_from_s: float | None,
    ) -> None:
        """`sound_from_s` is where the clip's sound begins on the file's own clock, None where it has none."""
        self.rate = output_rate(stream.guessed_rate, stream.average_rate)
        self.origin_s: float | None = None
        self.shown_s = 0.0
        self._aspect, self._recipe, self._into, self._lanes = stream.sample_aspect_ratio, recipe, into, lanes
        self._duration_s, self._sound_from_s = duration_s, sound_from_s
        self._preparation: Preparation | None = None
        self._poster: Poster | None = None
        self._times = FrameTimes(self.rate)
        self._cadence: Cadence | None = None
        self._outputs: list[tuple[Scaler, VideoLane]] = []

    @property
    def tracks(self) -> tuple[Track, ...]:
        return tuple(lane.track for _, lane in self._outputs)

    def poster(self) -> bytes | None:
        """The thumbnail as JPEG, or None where not one picture came."""
        return self._poster.jpeg() if self._poster else None

    def add(self, frame: av.VideoFrame) -> None:
        if self._preparation is None:
            self._preparation = self._begin(frame)
        self._time(self._preparation(frame))

    def finish(self) -> None:
        if self._preparation is not None:
            self._time(self._preparation.flush())
        for time_s, frame in self._times.finish():
            self._place(time_s, frame)
        if self._cadence is not None:
            self._show(self._cadence.finish())

    def _begin(self, frame: av.VideoFrame) -> Preparation:
        video = _facts(frame)
        preparation = Preparation(video)
        width, height = shown_size(video, self._aspect)
        self._poster = Poster(self._duration_s, width, height)
        for rendition in renditions(width, height, self._recipe.ladder):
            lane = VideoLane(rendition, self.rate, preparation.colour, self._recipe.preset, self._into)
            self._outputs.append(
                (Scaler(rendition.width, rendition.height, preparation.colour), self._lanes.enter_context(lane))
            )
        return preparation

    def _time(self, prepared: Iterable[av.VideoFrame]) -> None:
        for frame in prepared:
            for time_s, timed in self._times.add(frame):
                self._place(time_s, timed)

    def _place(self, time_s: float, frame: av.VideoFrame) -> None:
        if self._cadence is None:
            sound_leads = self._sound_from_s is not None and self._sound_from_s < time_s - DRIFT_S
            self.origin_s = self._sound_from_s if sound_leads else time_s
            self._cadence = Cadence(self.rate, self.origin_s or 0.0, self._recipe.max_duration_s)
        self._show(self._cadence.add(time_s, frame))

    def _show(self, pictures: Iterable[Shown]) -> None:
        for shown in pictures:
            self.shown_s = float(shown.first_slot / self.rate)
            if self._poster is not None:
                self._poster.look(self.shown_s, shown.frame)
            scaled = [(lane, scaler(shown.frame)) for scaler, lane in self._outputs]
            for lane, frame in scaled:  # only now: from here on a frame belongs to its lane
                lane.put(Shown(frame, shown.first_slot, shown.slots))


class SoundTrack:
    """Lays the sound of one clip onto the output's timeline and hands it to the encoder, which starts with the first sample."""

    MAX_WAITING = 3000
    """Frames kept while no picture has told where time begins: about a minute."""

    def __init__(self, segment_s: Fraction, recipe: Recipe, into: Path, lanes: ExitStack) -> None:
        self.length_s = 0.0
        self.peaks = Peaks()
        self._segment_s, self._recipe, self._into, self._lanes = segment_s, recipe, into, lanes
        self._waiting: list[av.AudioFrame] = []
        self._soundtrack: Soundtrack | None = None
        self._lane: AudioLane | None = None

    @property
    def track(self) -> Track | None:
        return self._lane.track if self._lane else None

    def add(self, frame: av.AudioFrame, origin_s: float | None) -> None:
        """`origin_s` is None while the pictures have not begun."""
        self._waiting.append(frame)
        if origin_s is None and len(self._waiting) > self.MAX_WAITING:
            origin_s = start_of(self._waiting[0])
        if self._soundtrack is not None or origin_s is not None:
            self._send(origin_s or 0.0)

    def finish(self, origin_s: float | None) -> None:
        if self._waiting:
            self._send(start_of(self._waiting[0]) if origin_s is None else origin_s)
        if self._soundtrack is not None:
            self._encode(self._soundtrack.finish())

    def _send(self, origin_s: float) -> None:
        if self._soundtrack is None:
            self._soundtrack = Soundtrack(origin_s, self._recipe.max_duration_s)
        for frame in self._waiting:
            self._encode(self._soundtrack.add(frame))
        self._waiting.clear()

    def _encode(self, sound: Iterable[Samples]) -> None:
        for samples in sound:
            if self._lane is None:
                self._lane = self._lanes.enter_context(AudioLane(self._segment_s, self._into))
            self.peaks.add(samples)
            self.length_s += samples.shape[1] / SAMPLE_RATE
            self._lane.put(samples)


def start_of(frame: av.AudioFrame) -> float:
    """The frame's time in seconds; 0 where the file gives none."""
    return frame.time if frame.pts is not None and frame.time is not None else 0.0


def _facts(frame: av.VideoFrame) -> VideoTrack:
    """What the first frame tells of the clip."""
    turn = turned(frame)
    width, height = (frame.height, frame.width) if turn in (90, 270) else (frame.width, frame.height)
    return VideoTrack(
        index=0,
        codec="",
        pixel_format=frame.format.name,
        width=width,
        height=height,
        rotation=turn,
        frame_rate=60,
        interlaced=frame.interlaced_frame,
        color_transfer=TRANSFERS.get(int(frame.color_trc)),
        color_primaries=PRIMARIES.get(int(frame.color_primaries)),
        color_space=SPACES.get(int(frame.colorspace)),
        color_range=RANGES.get(int(frame.color_range)),
    )
