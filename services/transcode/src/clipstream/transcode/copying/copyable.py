"""What a source must be so that browsers can play its own pictures. Every refusal is a sentence.

Some of it is known before the file is opened, some from its codec data, the rest only packet by packet (source.py).
"""

from __future__ import annotations

from fractions import Fraction

from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from clipstream.common.contracts.media import MediaInfo, VideoTrack
from clipstream.transcode.copying.nal import Description, describe, read_sequence, slice_groups

MAX_LEVEL = 51
"""H.264 level 5.1: 4K at 30 pictures a second. Hardware decoders of browsers end there."""

PROFILES = {66: "Baseline", 77: "Main", 100: "High"}
_UNTIMED = {"avi": "AVI files do not say when a picture is shown", "asf": "ASF files time their pictures too coarsely"}
_HDR = frozenset({"smpte2084", "arib-std-b67"})
_LADDER_RATE = 60.5
_FINEST_CLOCK = 10_000_000
_COARSEST_CLOCK = 10_000


class NotCopyable(Exception):
    """Why a source is not played as it is, as a sentence."""


def check_facts(media: MediaInfo, most_bit_rate: int) -> None:
    """Refuse by what ingest found, before the file is opened. `most_bit_rate` is bits a second over all tracks."""
    if not most_bit_rate:
        raise NotCopyable("This server never does that.")
    for name in media.container.split(","):
        if name in _UNTIMED:
            raise NotCopyable(f"{_UNTIMED[name]}.")
    if media.bit_rate > most_bit_rate:
        raise NotCopyable(
            f"Its {media.bit_rate / 1e6:.1f} Mbit/s are more than the {most_bit_rate / 1e6:.1f} that are sent as they are."
        )
    if media.video is not None:
        _check_picture(media.video)
    elif not media.audio or media.audio[0].codec != "aac":
        raise NotCopyable("It has no picture, and its sound is not AAC.")


def _check_picture(video: VideoTrack) -> None:
    reasons = {
        f"Its picture is {video.codec}, not H.264.": video.codec != "h264",
        f"Its picture has {video.bit_depth} bits a sample, not 8.": video.bit_depth != 8,
        f"Its picture is {video.pixel_format}, not 4:2:0.": video.pixel_format not in ("yuv420p", "yuvj420p"),
        "Its picture is interlaced.": video.interlaced,
        f"Its picture must be turned by {video.rotation}°.": video.rotation != 0,
        "Its picture is HDR.": video.color_transfer in _HDR,
        f"Its picture has odd sizes: {video.width} × {video.height}.": bool(video.width % 2 or video.height % 2),
    }
    for reason, holds in reasons.items():
        if holds:
            raise NotCopyable(reason)


def check_stream(stream: VideoStream) -> Description:
    """Refuse by the track's codec data; what it says where nothing speaks against a copy."""
    try:
        found = describe(stream.codec_context.extradata or b"")
        if not found.complete:
            raise NotCopyable("Its picture's parameters do not stand at its beginning.")
        if len(found.sequences) > 1:
            raise NotCopyable("Its picture has more than one set of parameters.")
        _check_sequence(next(iter(found.sequences)))
        if any(slice_groups(unit) > 1 for unit in found.pictures):
            raise NotCopyable("Its pictures are cut into slice groups, which browsers cannot decode.")
    except ValueError as error:
        raise NotCopyable(f"Its picture's parameters cannot be read: {error}.") from error
    shape = stream.sample_aspect_ratio
    if shape and shape != 1:
        raise NotCopyable(f"Its pixels are not square ({shape.numerator}:{shape.denominator}).")
    if stream.time_base is None or not 1 <= stream.time_base.denominator <= _FINEST_CLOCK:
        raise NotCopyable("Its clock is too fine for a player's.")
    return found


def _check_sequence(unit: bytes) -> None:
    sequence = read_sequence(unit)
    if sequence.profile not in PROFILES:
        raise NotCopyable(f"Its H.264 profile ({sequence.profile}) is none that every browser decodes.")
    if sequence.level > MAX_LEVEL:
        raise NotCopyable(f"Its H.264 level ({sequence.level / 10:g}) is above {MAX_LEVEL / 10:g}.")
    if sequence.chroma != 1 or sequence.bit_depth != 8:
        raise NotCopyable("Its picture is not 8-bit 4:2:0.")
    if not sequence.progressive:
        raise NotCopyable("Its picture may be interlaced.")
    if sequence.pixel_shape not in (0, 1):
        shape = sequence.pixel_shape
        raise NotCopyable(f"Its pixels are not square ({shape.numerator}:{shape.denominator}).")


def ladder_fault(video: VideoTrack) -> str | None:
    """Why a copy cannot stand beside encodes at a constant rate, to follow 'but'; None where it can."""
    if video.variable_frame_rate:
        return "its pictures do not come at a constant rate"
    if video.frame_rate > _LADDER_RATE:
        return f"it has {video.frame_rate:g} pictures a second"
    return None


def ticks(time_base: Fraction) -> int:
    """Ticks a second for a track whose packets count in `time_base`: a whole multiple of theirs."""
    factor = -(-_COARSEST_CLOCK // time_base.denominator)
    return time_base.denominator * factor


def plain_aac(stream: AudioStream) -> bool:
    """Whether its packets are AAC-LC of 1024 samples each as its codec data says (ISO/IEC 14496-3, 1.6.2.1 and 4.4.1)."""
    config = stream.codec_context.extradata or b""
    if stream.codec_context.codec.canonical_name != "aac" or not 2 <= len(config) <= 64 or stream.profile != "LC":
        return False
    bits = int.from_bytes(config[:2], "big")
    kind, rate, channels, short = bits >> 11, bits >> 7 & 15, bits >> 3 & 15, bits >> 2 & 1
    return kind == 2 and rate < 13 and SAMPLE_RATES[rate] == stream.sample_rate and 1 <= channels <= 7 and not short


SAMPLE_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
