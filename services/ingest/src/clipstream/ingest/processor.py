"""Decides by its bytes what an upload is, and whether it can be used. Runs in a caged child process: file in, facts out.

Every refusal is a `Rejected` whose message its uploader understands. What is let through here can be decoded and encoded
by the stages after it."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import BinaryIO

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from pydantic import BaseModel, ConfigDict

from clipstream.common.contracts.documents import Probe
from clipstream.common.contracts.media import AudioTrack, MediaInfo, VideoTrack
from clipstream.common.errors import Rejected
from clipstream.common.media.color import PRIMARIES, RANGES, SPACES, TRANSFERS
from clipstream.common.media.open import OpenLimits, open_media, tracks
from clipstream.ingest import sniff, timeline
from clipstream.ingest.soundtitle import title
from clipstream.ingest.timeline import Timeline, Track

LOOKED_AT_FRAMES = 8
"""Pictures decoded: interlacing shows only in decoded ones, and not always in the first."""


class Bounds(BaseModel):
    """What a clip may be. Seconds, pixels, pictures a second."""

    model_config = ConfigDict(frozen=True)
    min_duration_s: float = 0.5
    max_duration_s: float = 1200.0
    min_side: int = 16
    max_pixels: int = 7680 * 4320
    max_tracks: int = 32
    max_frame_rate: float = 480.0
    min_present: float = 0.5


def probe(media: BinaryIO, *, bounds: Bounds) -> Probe:
    """Look at a file as closely as it takes to promise that it can be decoded. `Rejected` where it cannot be used."""
    size = media.seek(0, io.SEEK_END)
    if size == 0:
        raise Rejected("The file is empty. Try to upload it again.")
    if what := sniff.foreign(media):
        raise Rejected(f"This is not a video or sound file but {what}, whatever its name says.")
    media.seek(0)
    limits = OpenLimits(max_pixels=bounds.max_pixels, max_tracks=bounds.max_tracks)
    try:
        with open_media(media, limits) as container:
            return _probed(container, media, partial(_again, media, limits), size, bounds, limits)
    except Rejected as error:
        if sniff.moov_missing(media, size):
            raise Rejected(
                "The file is cut off: the part that says how to play it is missing. "
                "Wait until the recording is finished, then upload it again."
            ) from error
        raise
    except MemoryError:
        raise
    except FFmpegError as error:
        raise Rejected("The file is damaged and cannot be read.") from error


Again = Callable[[], InputContainer]


def _again(media: BinaryIO, limits: OpenLimits) -> InputContainer:
    """The file from its very beginning once more. Going back in an open one leads to a key picture, to where another track
    is at that time, or in Matroska to the first cue."""
    media.seek(0)
    return open_media(media, limits)


def _probed(
    container: InputContainer, media: BinaryIO, again: Again, size: int, bounds: Bounds, limits: OpenLimits
) -> Probe:
    found = tracks(container, limits)
    if found.video is None and not found.audio:
        raise Rejected("There is neither picture nor sound in this file.")
    lines = _timelines(container, media, again, [*([found.video] if found.video else []), *found.audio], size)
    shown = lines.get(found.video.index) if found.video else None
    heard = [track for track in found.audio if lines[track.index].samples and track.sample_rate and track.channels]
    used = [line for line in (shown, *(lines[track.index] for track in heard)) if line and line.samples]
    if not used or (found.video and not (shown and shown.samples)):
        raise Rejected("The file is cut off: it holds a description of a clip, but nothing of the clip itself.")
    _check_complete(used, bounds)
    frames = _first_frames(again, found.video.index) if found.video else []
    if shown and frames:
        used[0] = shown = shown.beginning(frames[0].pts)
    start = min(line.start_s for line in used)
    duration = max(line.end_s for line in used) - start
    _check_duration(duration, bounds)
    video = _video(frames, found.video, shown, bounds) if found.video and shown else None
    if video is None:
        _check_sound(again, heard)
    return Probe(
        media=MediaInfo(
            container=container.format.name,
            duration_s=round(duration, 6),
            size_bytes=size,
            bit_rate=round(size * 8 / duration),
            video=video,
            audio=tuple(_audio(track, lines[track.index], shown or used[0]) for track in heard),
        ),
        keyframes=shown.keyframes if shown else (),
        time_base=(shown.time_base.numerator, shown.time_base.denominator) if shown else (1, 1),
        start_s=round(start, 6),
        present=round(min(line.present for line in used), 4),
    )


def _timelines(
    container: InputContainer, media: BinaryIO, again: Again, wanted: list[Track], size: int
) -> dict[int, Timeline]:
    indexed = {track.index: timeline.from_index(container, media, track, size) for track in wanted}
    known = {index: line for index, line in indexed.items() if line is not None}
    if len(known) == len(wanted):
        return known
    with again() as reading:
        return timeline.by_reading(reading, wanted)


def _check_complete(used: list[Timeline], bounds: Bounds) -> None:
    present = min(line.present for line in used)
    if present < bounds.min_present:
        raise Rejected(f"The file is cut off: only {present:.0%} of it is there. Upload it again.")


def _check_duration(duration_s: float, bounds: Bounds) -> None:
    if duration_s < bounds.min_duration_s - 0.01:
        raise Rejected(
            f"The clip is too short: {duration_s:.2f} s. It has to last {bounds.min_duration_s:g} s at least."
        )
    if duration_s > bounds.max_duration_s + 0.5:
        raise Rejected(
            f"The clip is too long: {_clock(duration_s)}. At most {_clock(bounds.max_duration_s)} are allowed."
        )


def _video(frames: list[VideoFrame], track: VideoStream, line: Timeline, bounds: Bounds) -> VideoTrack:
    first = frames[0]
    if min(first.width, first.height) < bounds.min_side:
        raise Rejected(
            f"The picture is too small: {first.width} × {first.height} pixels. "
            f"Each side needs {bounds.min_side} pixels at least."
        )
    rate = timeline.frame_rate(track, line)
    if rate > bounds.max_frame_rate:
        raise Rejected(f"The clip has {rate:.0f} pictures a second. At most {bounds.max_frame_rate:g} can be used.")
    rotation = round(-first.rotation / 90) * 90 % 360  # libav counts counterclockwise
    sideways = rotation in (90, 270)
    return VideoTrack(
        index=track.index,
        codec=track.codec_context.codec.canonical_name,
        profile=track.profile,
        pixel_format=first.format.name,
        width=first.height if sideways else first.width,
        height=first.width if sideways else first.height,
        rotation=rotation,
        frame_rate=round(rate, 6),
        variable_frame_rate=line.variable,
        bit_depth=max(component.bits for component in first.format.components),
        interlaced=any(frame.interlaced_frame for frame in frames),
        color_transfer=TRANSFERS.get(int(first.color_trc)),
        color_primaries=PRIMARIES.get(int(first.color_primaries)),
        color_space=SPACES.get(int(first.colorspace)),
        color_range=RANGES.get(int(first.color_range)),
        pixel_aspect=float(track.sample_aspect_ratio or 1),
    )


def _first_frames(again: Again, index: int) -> list[VideoFrame]:
    """The first decodable pictures. `Rejected` where there is none."""
    frames: list[VideoFrame] = []
    try:
        with again() as container:
            for frame in islice(container.decode(container.streams[index]), LOOKED_AT_FRAMES):
                if isinstance(frame, VideoFrame):
                    frames.append(frame)
    except FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        if not frames:
            raise Rejected("The picture cannot be decoded: the file is damaged.") from error
    if not frames:
        raise Rejected("The picture cannot be decoded: the file is damaged.")
    return frames


def _check_sound(again: Again, heard: list[AudioStream]) -> None:
    """A clip without a picture needs one sound track that decodes."""
    for track in heard:
        try:
            with again() as container:
                next(iter(container.decode(container.streams[track.index])))
        except (FFmpegError, StopIteration):
            continue
        return
    raise Rejected("The sound cannot be decoded: the file is damaged.")


def _audio(track: AudioStream, line: Timeline, to: Timeline) -> AudioTrack:
    return AudioTrack(
        index=track.index,
        codec=track.codec_context.codec.canonical_name,
        sample_rate=track.sample_rate,
        channels=track.channels,
        title=_short(title(track.metadata)),
        language=_short(track.language),
        start_s=round(line.start_s - to.start_s, 6),
    )


def _short(text: str | None) -> str | None:
    """Text from a file, harmless to log and to show: one line, at most 80 characters."""
    shown = "".join(character for character in text or "" if character.isprintable())[:80].strip()
    return shown or None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes and rest else f"{minutes} min" if minutes else f"{rest} s"
