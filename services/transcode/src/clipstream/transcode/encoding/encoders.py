"""The H.264 encoders that renditions can be made with, and how each is asked for the same thing: closed GOPs that begin
where they are told to and nowhere else, capped constant quality, no header that changes from chunk to chunk.

x264 is the reference. The others are hardware, and used only where trial.py has seen them work. Their options are those
of libav's nvenc, qsv and amf wrappers (`ffmpeg -h encoder=h264_nvenc`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from av.codec.context import Flags
from av.container import OutputContainer
from av.error import ExternalError, FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from clipstream.common.errors import EncoderFailed, Outage, Transient
from clipstream.transcode.chunking import GOP_S
from clipstream.transcode.pictures.colour import Colour
from clipstream.transcode.plan import CRF
from clipstream.transcode.planned import SOFTWARE, Rendition

Encoder = Literal["libx264", "h264_nvenc", "h264_qsv", "h264_amf"]

HARDWARE: tuple[Encoder, ...] = ("h264_nvenc", "h264_qsv", "h264_amf")
"""In the order in which they are tried."""

MAX_THREADS = 8

_LONGEST_GOP: Mapping[str, int] = MappingProxyType({"h264_nvenc": 1 << 30, "h264_qsv": 65_535, "h264_amf": 1000})
"""Hardware begins a GOP where it is forced to, and no wrapper promises that its own count starts again there. So that count
is set out of reach: to what each can take at most."""

_NVENC_PRESETS = MappingProxyType(
    {"ultrafast": "p1", "superfast": "p2", "veryfast": "p4", "faster": "p4", "fast": "p5", "medium": "p6", "slow": "p7"}
)
_AMF_QUALITIES = MappingProxyType({"ultrafast": "speed", "superfast": "speed", "medium": "quality", "slow": "quality"})

_NVIDIA_READS = (
    "/proc/driver/nvidia",
    "/proc/devices",
    "/sys/bus/pci",
    "/sys/module",
    "/usr/share/nvidia",
    "/usr/local/nvidia",
)
_DRI_READS = (
    "/sys/bus/pci",
    "/sys/class/drm",
    "/sys/dev/char",
    "/sys/devices/pci0000:00",
    "/usr/share/libdrm",
    "/opt/amdgpu",
)


def codec_options(encoder: str, rendition: Rendition, gop: int, preset: str) -> dict[str, str]:
    """Options of the encoder's wrapper. `gop` counts the pictures of the longest GOP; `preset` is x264's name for it.

    Hardware begins a GOP only at pictures that are given to it as `PictureType.I`, x264 there and every `gop` pictures.
    """
    cap = rendition.max_bit_rate
    limits = {"maxrate": str(cap), "bufsize": str(GOP_S * cap), "profile": "high"}
    if encoder == "h264_nvenc":
        return limits | _nvenc(preset)
    if encoder == "h264_qsv":
        return limits | _qsv(preset)
    if encoder == "h264_amf":
        return limits | _amf(preset, cap)
    return limits | {
        "preset": preset,
        "crf": str(CRF),
        "forced-idr": "1",
        "x264-params": f"scenecut=0:open-gop=0:keyint={gop}:min-keyint={gop}",
    }


def forced_keys(encoder: str, gops: Sequence[int], gop: int) -> frozenset[int]:
    """Of the pictures that GOPs begin with, those that the encoder must be told of.

    x264 comes to a regular one by itself, and better: told of it, it spends up to 1 % more bits (measured, 720p)."""
    if encoder != SOFTWARE:
        return frozenset(gops)
    return frozenset(later for earlier, later in pairwise(gops) if later - earlier != gop)


def _nvenc(preset: str) -> dict[str, str]:
    return {
        "preset": _NVENC_PRESETS[preset],
        "tune": "hq",
        "rc": "vbr",
        "cq": str(CRF),
        "b": "0",  # else the wrapper's 2 Mbit/s, and quality gives way to it
        "bf": "0",
        "forced-idr": "1",
        "strict_gop": "1",
        "no-scenecut": "1",
        "rc-lookahead": "0",
        "spatial-aq": "1",
    }


def _qsv(preset: str) -> dict[str, str]:
    return {
        "preset": "veryfast" if preset in ("ultrafast", "superfast") else preset,
        "global_quality": str(CRF),
        "bf": "0",
        "forced_idr": "1",
        "idr_interval": "0",
        "adaptive_i": "0",
        "adaptive_b": "0",
        "look_ahead": "0",
    }


def _amf(preset: str, cap: int) -> dict[str, str]:
    return {
        "usage": "transcoding",
        "quality": _AMF_QUALITIES.get(preset, "balanced"),
        "rc": "qvbr",
        "qvbr_quality_level": str(CRF),
        "b": str(cap),
        "bf": "0",
        "forced_idr": "1",
        "preanalysis": "0",
        "filler_data": "0",
    }


def add_stream(
    output: OutputContainer,
    encoder: str,
    rendition: Rendition,
    rate: Fraction,
    colour: Colour,
    gop: int,
    options: dict[str, str],
) -> VideoStream:
    """A stream of `output` that `encoder` will fill; it opens with the first picture."""
    stream = output.add_stream(encoder, rate=rate, options=options)
    if not isinstance(stream, VideoStream):
        raise TypeError(f"{encoder} encodes no pictures")
    describe(stream.codec_context, encoder, rendition, rate, colour, gop)
    return stream


def describe(
    context: VideoCodecContext, encoder: str, rendition: Rendition, rate: Fraction, colour: Colour, gop: int
) -> None:
    """Tell an unopened encoder what it is given: sizes, rate and colours, and what only its context can be told."""
    context.width, context.height = rendition.width, rendition.height
    context.pix_fmt = "nv12" if encoder == "h264_qsv" else "yuv420p"
    context.time_base, context.framerate = 1 / rate, rate
    context.gop_size = _LONGEST_GOP.get(encoder, gop)
    context.sample_aspect_ratio = Fraction(1)
    # Not inherited from the frames; without them players guess, and differ.
    context.color_range, context.colorspace = 1, colour.matrix
    context.color_primaries, context.color_trc = colour.primaries, colour.transfer
    if encoder != SOFTWARE:
        context.flags |= Flags.closed_gop
        return
    # PyAV's default is SLICE, which turns on x264's sliced threads: 1 % more bits for every two cores.
    context.thread_type = "FRAME"
    context.thread_count = min(MAX_THREADS, len(os.sched_getaffinity(0)))


@contextmanager
def encoding(encoder: str) -> Iterator[None]:
    """Around opening, feeding and draining an encoder: hardware that fails is told as `EncoderFailed`."""
    try:
        yield
    except FFmpegError as error:
        if encoder == SOFTWARE and isinstance(error, ExternalError):  # x264's allocations fail without saying so
            raise Transient(f"The encoder {encoder} failed, most likely for want of memory.") from error
        if encoder == SOFTWARE:
            raise
        raise EncoderFailed(f"The encoder {encoder} failed: {error.strerror or error}.") from error


def is_to_blame(encoder: str, error: Exception) -> bool:
    """Whether a part of a clip may have failed because of its hardware encoder, whose driver can also crash the child or
    hang it. Then the whole clip is planned anew with x264: chunks of two encoders do not share an init segment."""
    if isinstance(error, EncoderFailed):
        return True
    return encoder != SOFTWARE and isinstance(error, Transient) and not isinstance(error, Outage)


def devices(encoder: str, root: Path = Path("/")) -> tuple[str, ...]:
    """What the cage must open for an encoder (`Limits.devices`); empty where this machine has no such hardware."""
    patterns = {"h264_nvenc": "nvidia*", "h264_qsv": "dri/renderD*", "h264_amf": "dri/renderD*"}
    pattern = patterns.get(encoder)
    files = sorted(str(path) for path in (root / "dev").glob(pattern) if path.is_char_device()) if pattern else []
    reads = _NVIDIA_READS if encoder == "h264_nvenc" else _DRI_READS
    return (*files, *reads) if files else ()
