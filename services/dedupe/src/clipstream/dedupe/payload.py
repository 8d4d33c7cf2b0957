"""The coded bytes of a packet in a form that every container has in common.

MP4, Matroska and FLV hold H.264 and HEVC as NAL units with a length in front and the parameter sets apart; AVI and
transport streams hold them with start codes and the parameter sets inside. AAC stands bare, or with an ADTS header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from av.audio.stream import AudioStream
from av.video.stream import VideoStream

Payload = Callable[[bytes], Iterable[bytes]]

# Parameter sets, access unit delimiters, filler: what remuxing moves, adds or drops (ITU-T H.264 table 7-1, H.265 table 7-1).
_H264_LEFT_OUT = frozenset({7, 8, 9, 12})
_HEVC_LEFT_OUT = frozenset({32, 33, 34, 35, 38})


def canonical_form(track: VideoStream | AudioStream) -> Payload:
    """The function that gives the parts of one packet of `track` that are to be hashed."""
    codec, extradata = track.codec_context.codec.canonical_name, track.codec_context.extradata or b""
    if codec == "h264":
        length_size = (extradata[4] & 3) + 1 if extradata[:1] == b"\x01" and len(extradata) > 4 else 0
        return partial(_nal_units, length_size=length_size, kind=_h264_kind, left_out=_H264_LEFT_OUT)
    if codec == "hevc":
        length_size = (extradata[21] & 3) + 1 if extradata[:1] == b"\x01" and len(extradata) > 21 else 0
        return partial(_nal_units, length_size=length_size, kind=_hevc_kind, left_out=_HEVC_LEFT_OUT)
    if codec == "aac":
        return _bare_aac
    return _as_it_is


def _as_it_is(packet: bytes) -> Iterable[bytes]:
    return (packet,)


def _bare_aac(packet: bytes) -> Iterable[bytes]:
    """Without the ADTS header, which is told from sound by its length field (ISO/IEC 13818-7, 6.2)."""
    if len(packet) > 7 and packet[0] == 0xFF and packet[1] & 0xF6 == 0xF0:
        length = (packet[3] & 3) << 11 | packet[4] << 3 | packet[5] >> 5
        if length == len(packet):
            return (packet[7 if packet[1] & 1 else 9 :],)
    return (packet,)


def _nal_units(
    packet: bytes, *, length_size: int, kind: Callable[[bytes], int], left_out: frozenset[int]
) -> Iterator[bytes]:
    units = _with_lengths(packet, length_size) if length_size else _with_start_codes(packet)
    for unit in units:
        if unit and kind(unit) not in left_out:
            yield len(unit).to_bytes(4, "big")
            yield unit


def _h264_kind(unit: bytes) -> int:
    return unit[0] & 0x1F


def _hevc_kind(unit: bytes) -> int:
    return unit[0] >> 1 & 0x3F


def _with_lengths(packet: bytes, length_size: int) -> Iterator[bytes]:
    place = 0
    while place + length_size <= len(packet):
        length = int.from_bytes(packet[place : place + length_size], "big")
        place += length_size
        yield packet[place : place + length]
        place += length


def _with_start_codes(packet: bytes) -> Iterator[bytes]:
    start = packet.find(b"\x00\x00\x01")
    while start >= 0:
        end = packet.find(b"\x00\x00\x01", start + 3)
        # A unit ends with a one bit, so zeros at its end belong to the next start code.
        yield packet[start + 3 : end if end >= 0 else len(packet)].rstrip(b"\x00")
        start = end
