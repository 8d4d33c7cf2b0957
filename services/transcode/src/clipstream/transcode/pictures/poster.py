"""The picture that stands for a clip: the most telling of a few key pictures, found by seeking. Runs in a caged child."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from PIL import Image

from clipstream.common.contracts.media import MediaInfo, VideoTrack
from clipstream.common.errors import Permanent
from clipstream.common.media.decode import Decoder
from clipstream.common.media.open import open_media, tracks
from clipstream.transcode import made
from clipstream.transcode.pictures import overlays
from clipstream.transcode.pictures.interest import interest
from clipstream.transcode.pictures.picture import Preparation
from clipstream.transcode.plan import shown_size

MAX_SIDE = 640
PLACES = 8
"""Where key pictures are looked for, evenly over the clip."""

FEW = 3
"""With fewer key pictures the clip is also decoded from its beginning."""

FRAMES = 120
"""How many pictures of 1080p are decoded then at most; of larger ones as many fewer, of smaller ones no more."""

OPENING, OPENING_WORTH = 0.03, 0.8
"""The first share of a clip often shows a menu or a fade; its pictures count for less."""

_LOOKED_AT = 320
_GOOD = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


def draw_poster(source: BinaryIO, *, scratch: Path, media: MediaInfo) -> made.Poster:
    """Write the poster and its marked copies into `scratch`. `Permanent` where nothing of the clip can be decoded."""
    with open_media(source) as container:
        picture = _of_sound(container, media) if media.video is None else _of_picture(container, media, media.video)
    poster = made.Poster(
        plain_file=Path("thumbnail.jpg"),
        processing_file=Path("thumbnail_processing.jpg"),
        duplicate_file=Path("thumbnail_duplicate.jpg"),
    )
    (scratch / poster.plain_file).write_bytes(overlays.jpeg(picture))
    (scratch / poster.processing_file).write_bytes(overlays.jpeg(overlays.marked(picture, "processing")))
    (scratch / poster.duplicate_file).write_bytes(overlays.jpeg(overlays.marked(picture, "duplicate")))
    return poster


def _of_sound(container: InputContainer, media: MediaInfo) -> Image.Image:
    # numpy takes a tenth of a second to import, and pictures need none
    from clipstream.transcode.pictures import waveform

    for stream in tracks(container).audio:
        if heard := waveform.levels(container, stream, media.duration_s):
            return Image.fromarray(waveform.draw(heard))
    raise Permanent("Not one second of this recording could be decoded.")


def _of_picture(container: InputContainer, media: MediaInfo, video: VideoTrack) -> Image.Image:
    stream = tracks(container).video
    if stream is None:
        raise Permanent("There is no picture in this clip.")
    choice = _Choice(media.duration_s, float((stream.start_time or 0) * (stream.time_base or 0)))
    decoder = Decoder(container, [stream])
    _look_at_keys(container, stream, choice)
    if choice.seen < FEW:
        _look_from_start(container, stream, decoder, choice)
    if choice.best is None:
        raise Permanent("Not one picture of this clip could be decoded.")
    return _finished(choice.best, video)


@dataclass(slots=True)
class _Choice:
    """The best picture of those that were looked at; only that one is kept."""

    duration_s: float
    first_s: float
    seen: int = 0
    best: av.VideoFrame | None = None
    worth: float = -1.0

    def look(self, frame: av.VideoFrame, reformatter: VideoReformatter) -> None:
        self.seen += 1
        worth = interest(_luma(frame, reformatter))
        if frame.time is not None and frame.time - self.first_s < OPENING * self.duration_s:
            worth *= OPENING_WORTH
        if worth > self.worth:
            self.best, self.worth = frame, worth


def _look_at_keys(container: InputContainer, stream: VideoStream, choice: _Choice) -> None:
    context = stream.codec_context
    context.skip_frame = "NONKEY"
    reformatter, seen = VideoReformatter(), set[int | None]()
    for place in range(PLACES):
        packet = _key_packet(container, stream, choice.first_s + choice.duration_s * (place + 0.5) / PLACES)
        if packet is None or packet.pts in seen:
            continue
        seen.add(packet.pts)
        for frame in _decoded(stream, packet):
            choice.look(frame, reformatter)
    context.skip_frame = "DEFAULT"


def _key_packet(container: InputContainer, stream: VideoStream, time_s: float) -> av.Packet[VideoStream] | None:
    """The key picture at or before `time_s`, still encoded; None where seeking does not find one."""
    try:
        container.seek(round(time_s / (stream.time_base or Fraction(1))), stream=stream)
        return next((packet for packet in container.demux(stream) if packet.is_keyframe and packet.size), None)
    except av.FFmpegError:
        return None


def _decoded(stream: VideoStream, packet: av.Packet[VideoStream]) -> Iterator[av.VideoFrame]:
    """What one key picture decodes to. The decoder is emptied after it: the next one comes from elsewhere."""
    for wanted in (packet, None):
        try:
            frames = stream.codec_context.decode(wanted)
        except av.FFmpegError:
            continue
        for frame in frames:
            frame.time_base = frame.time_base or stream.time_base
            yield frame


def _look_from_start(container: InputContainer, stream: VideoStream, decoder: Decoder, choice: _Choice) -> None:
    """Decode the beginning, and look at pictures that lie evenly in it."""
    budget = min(FRAMES, max(PLACES, FRAMES * 1920 * 1080 // max(1, stream.width * stream.height)))
    total = stream.frames or round(choice.duration_s * float(stream.average_rate or 30))
    every = max(1, min(budget, total) // PLACES)
    reformatter = VideoReformatter()
    try:
        container.seek(round(choice.first_s / (stream.time_base or Fraction(1))), stream=stream)
    except av.FFmpegError:
        return
    for number, frame in enumerate(decoder):
        if isinstance(frame, av.VideoFrame) and number % every == every // 2:
            choice.look(frame, reformatter)
        if number + 1 >= budget:
            break


def _luma(frame: av.VideoFrame, reformatter: VideoReformatter) -> Image.Image:
    scale = min(1.0, _LOOKED_AT / max(frame.width, frame.height))
    size = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    grey = reformatter.reformat(
        frame, *size, "gray", dst_color_range=ColorRange.JPEG, interpolation=Interpolation.AREA, threads=1
    )
    return _image(grey, "L")


def _finished(frame: av.VideoFrame, video: VideoTrack) -> Image.Image:
    """Upright, progressive, SDR, in square pixels, at most `MAX_SIDE` a side."""
    width, height = shown_size(video)
    scale = min(1.0, MAX_SIDE / max(width, height))
    preparation = Preparation(video)
    prepared = [*preparation(frame), *preparation.flush()][0]
    rgb = VideoReformatter().reformat(
        prepared,
        max(1, round(width * scale)),
        max(1, round(height * scale)),
        "rgb24",
        dst_colorspace=Colorspace.ITU709,
        interpolation=_GOOD,
        threads=1,
    )
    return _image(rgb, "RGB")


def _image(frame: av.VideoFrame, mode: str) -> Image.Image:
    [plane] = frame.planes
    return Image.frombytes(mode, (frame.width, frame.height), bytes(plane), "raw", mode, plane.line_size, 1)
