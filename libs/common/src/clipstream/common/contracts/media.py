"""What a media file turned out to be. Plain facts, made by ingest's probe and read by every later stage."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class VideoTrack(_Facts):
    """The picture track that is shown. `width` and `height` are as displayed, after `rotation` (degrees clockwise), but in
    the pixels that are stored: `pixel_aspect` is how much wider than high one of those is, before it is turned."""

    index: int
    codec: str
    profile: str | None = None
    pixel_format: str
    width: int
    height: int
    rotation: int = 0
    frame_rate: float
    variable_frame_rate: bool = False
    bit_depth: int = 8
    interlaced: bool = False
    color_transfer: str | None = None
    color_primaries: str | None = None
    color_space: str | None = None
    color_range: str | None = None
    pixel_aspect: float = 1.0


class AudioTrack(_Facts):
    """One sound track: the mix, the game, a microphone. `start_s` is its offset to the first picture."""

    index: int
    codec: str
    sample_rate: int
    channels: int
    title: str | None = None
    language: str | None = None
    start_s: float = 0.0


class MediaInfo(_Facts):
    """A probed file. `container` is the demuxer's name, `duration_s` seconds, `bit_rate` bits a second over all tracks."""

    container: str
    duration_s: float
    size_bytes: int
    bit_rate: int
    video: VideoTrack | None
    audio: tuple[AudioTrack, ...] = ()
