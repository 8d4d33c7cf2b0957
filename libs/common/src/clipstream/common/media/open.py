"""The one way untrusted media is opened. Call it inside a caged child (stage/isolate.py), never in a service's own process.

Four controls, each enough for a different attack: only the demuxers of accepted containers exist (a playlist or ffconcat
script is no container, whatever it is named), libav may open nothing further, pictures and tracks are bounded before they
are decoded, and only well-kept decoders are used. The file is handed over without a name, so nothing can be relative to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream

from clipstream.common.errors import Rejected

CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,mp3,wav,flac,aac,ogg"

_VIDEO = (
    "h264 hevc libdav1d av1 vp8 vp9 mpeg4 mpeg2video mpeg1video mjpeg wmv1 wmv2 wmv3 vc1 flv h263 vp6 vp6f msmpeg4v1 "
    "msmpeg4v2 msmpeg4 prores dnxhd theora ffv1"
)
_AUDIO = (
    "aac aac_latm mp3 mp3float mp2 mp2float ac3 eac3 opus vorbis flac alac wmav1 wmav2 wmapro speex nellymoser adpcm_swf "
    "adpcm_ms adpcm_ima_wav pcm_u8 pcm_s8 pcm_s16le pcm_s16be pcm_s24le pcm_s24be pcm_s32le pcm_s32be pcm_f32le pcm_f32be "
    "pcm_f64le pcm_alaw pcm_mulaw"
)
VIDEO_DECODERS = frozenset(_VIDEO.split())
AUDIO_DECODERS = frozenset(_AUDIO.split())


@dataclass(frozen=True, slots=True)
class OpenLimits:
    """What is refused before anything is decoded. `max_pixels` is 8K UHD."""

    max_pixels: int = 7680 * 4320
    max_tracks: int = 32
    probe_bytes: int = 5 << 20
    analyze_s: int = 10


@dataclass(frozen=True, slots=True)
class Tracks:
    """The tracks that may be decoded: the picture that is shown, and every sound track."""

    video: VideoStream | None
    audio: tuple[AudioStream, ...]


def open_media(file: BinaryIO, limits: OpenLimits | None = None) -> InputContainer:
    """Open `file` for demuxing; use it as a context manager. `Rejected` where it is not media that is accepted."""
    limits = limits or OpenLimits()
    av.logging.set_level(None)  # libav's log callback takes the GIL from decoder threads, and has deadlocked
    options = {
        "format_whitelist": CONTAINERS,
        "codec_whitelist": ",".join(sorted(VIDEO_DECODERS | AUDIO_DECODERS)),
        "max_pixels": str(limits.max_pixels),
        "max_streams": str(limits.max_tracks + 1),  # some demuxers fail above it, others just stop counting
        "probesize": str(limits.probe_bytes),
        "analyzeduration": str(limits.analyze_s * 1_000_000),
    }
    too_many = f"This file has more than {limits.max_tracks} tracks, or its index is damaged."
    try:
        container = av.open(_Nameless(file), mode="r", options=options, io_open=_deny, buffer_size=1 << 16)
    except MemoryError as error:  # libav answers ENOMEM where a file has more than max_streams tracks
        raise Rejected(too_many) from error
    except FFmpegError as error:
        raise Rejected("This is not a media file that can be used here, or it is damaged.") from error
    if len(container.streams) > limits.max_tracks:
        container.close()
        raise Rejected(too_many)
    for track in (*container.streams.video, *container.streams.audio):
        if track.codec_context is not None:  # PyAV opens decoders anew, without the options of the container
            track.codec_context.options = {"max_pixels": str(limits.max_pixels)}
    return container


def tracks(container: InputContainer, limits: OpenLimits | None = None) -> Tracks:
    """The tracks of an opened file that may be decoded; cover pictures, subtitles and data are none of them.

    `Rejected` where its picture is too large or in a format that is not decoded here."""
    limits = limits or OpenLimits()
    shown = _shown(container)
    if shown is not None:
        _check_picture(shown, limits)
    heard = tuple(track for track in container.streams.audio if decoder_of(track) in AUDIO_DECODERS)
    if shown is None and not heard and container.streams.audio:
        names = ", ".join(sorted({decoder_of(track) or "unknown" for track in container.streams.audio}))
        raise Rejected(f"The sound is in a format that cannot be decoded here ({names}).")
    return Tracks(video=shown, audio=heard)


def decoder_of(track: VideoStream | AudioStream) -> str:
    """The name of the decoder that libav would use; empty where it knows none."""
    context = getattr(track, "codec_context", None)
    return context.codec.name if context is not None else ""


def _shown(container: InputContainer) -> VideoStream | None:
    pictures = [track for track in container.streams.video if not track.disposition & Disposition.attached_pic]
    preferred = [track for track in pictures if track.disposition & Disposition.default]
    return next(iter(preferred or pictures), None)


def _check_picture(track: VideoStream, limits: OpenLimits) -> None:
    decoder = decoder_of(track)
    if decoder not in VIDEO_DECODERS:
        name = decoder or "unknown"
        raise Rejected(
            f"The picture is in a format that cannot be decoded here ({name}). H.264 in an MP4 always works."
        )
    width, height = track.codec_context.width, track.codec_context.height
    if not width or not height:
        raise Rejected("The picture is larger than 8K, or its size cannot be read.")
    if width * height > limits.max_pixels:
        most = f"{limits.max_pixels / 1_000_000:.0f} megapixels (8K)"
        raise Rejected(f"The picture is too large: {width} × {height} pixels. At most {most} can be used.")


class _Nameless:
    """A file as PyAV wants one, without the name that libav would resolve relative references against."""

    def __init__(self, file: BinaryIO) -> None:
        self.read: Callable[[int], bytes] = file.read
        self.seek: Callable[[int, int], int] = file.seek
        self.tell: Callable[[], int] = file.tell


def _deny(url: str, flags: int, options: object) -> object:
    raise PermissionError("media may not refer to other files")
