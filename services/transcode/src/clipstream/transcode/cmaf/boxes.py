"""Reads the few ISO/IEC 14496-12 boxes that say when a fragment is shown and what its track is."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"mvex", b"moof", b"traf"}
_NOT_SYNC = 0x0001_0000
_DEEPEST = 8
"""Boxes within boxes: a sample table is the fifth. Each level is a copy of what it holds."""


@dataclass(frozen=True, slots=True)
class Header:
    """What an initialisation segment says: ticks a second, the codec's RFC 6381 name, what samples are by default."""

    timescale: int = 1
    codec: str = ""
    duration: int = 0
    size: int = 0
    flags: int = 0


@dataclass(frozen=True, slots=True)
class Fragment:
    """One moof: where it begins on its track's decode timeline (tfdt) and how long its samples last, in ticks."""

    start: int
    duration: int
    first_sample_bytes: int
    begins_with_key: bool


def walk(data: bytes, depth: int = 1) -> Iterator[tuple[bytes, bytes]]:
    """Every box in `data`, outermost first, as (type, payload). ValueError where they are nested deeper than any track's."""
    if depth > _DEEPEST:
        raise ValueError("boxes nested without end")
    place = 0
    while place + 8 <= len(data):
        size = _u32(data, place)
        if size < 8:
            return
        kind, payload = data[place + 4 : place + 8], data[place + 8 : place + size]
        yield kind, payload
        if kind in _CONTAINERS:
            yield from walk(payload, depth + 1)
        place += size


def header(moov: bytes) -> Header:
    """Raises ValueError where the track is neither H.264 nor AAC."""
    timescale, codec = 1, ""
    duration = size = flags = 0
    for kind, payload in walk(moov):
        if kind == b"mdhd":
            timescale = _u32(payload, 20 if payload[0] == 1 else 12)
        elif kind == b"trex":
            duration, size, flags = struct.unpack_from(">III", payload, 12)
        elif kind == b"stsd":
            codec = codec_of(payload)
    return Header(timescale, codec, duration, size, flags)


def codec_of(stsd: bytes) -> str:
    """The RFC 6381 name of the track's codec, from its sample description."""
    place = stsd.find(b"avcC")
    if place >= 0:
        profile, compatibility, level = stsd[place + 5 : place + 8]
        return f"avc1.{profile:02x}{compatibility:02x}{level:02x}"
    if stsd.find(b"mp4a") >= 0:
        return f"mp4a.40.{_audio_object_type(stsd)}"
    raise ValueError("a track that is neither H.264 nor AAC")


def _audio_object_type(stsd: bytes) -> int:
    """From the AudioSpecificConfig (ISO/IEC 14496-3), which stands in the descriptor with tag 5 inside esds."""
    place = stsd.find(b"esds")
    place = stsd.find(b"\x05", place + 8) + 1 if place >= 0 else 0
    while place and place < len(stsd) and stsd[place] & 0x80:  # the length is spread over bytes with a top bit
        place += 1
    return stsd[place + 1] >> 3 or 2 if place and place + 1 < len(stsd) else 2


def fragment(moof: bytes, defaults: Header) -> Fragment:
    """The times of a fragment, its first sample's size and whether that is a key."""
    start = total = first_size = 0
    key = True
    duration, size, flags = defaults.duration, defaults.size, defaults.flags
    for kind, payload in walk(moof):
        if kind == b"tfdt":
            start = struct.unpack_from(">Q" if payload[0] == 1 else ">I", payload, 4)[0]
        elif kind == b"tfhd":
            duration, size, flags = _track_defaults(payload, duration, size, flags)
        elif kind == b"trun":
            total, first_size, key = _run(payload, duration, size, flags)
    return Fragment(start, total, first_size, key)


def _track_defaults(tfhd: bytes, duration: int, size: int, flags: int) -> tuple[int, int, int]:
    present = int.from_bytes(tfhd[1:4], "big")
    place = 8 + (8 if present & 0x01 else 0) + (4 if present & 0x02 else 0)
    found = [duration, size, flags]
    for index, bit in enumerate((0x08, 0x10, 0x20)):
        if present & bit:
            found[index] = _u32(tfhd, place)
            place += 4
    return found[0], found[1], found[2]


def _run(trun: bytes, duration: int, size: int, flags: int) -> tuple[int, int, bool]:
    """(duration of all samples, size of the first, whether the first is a key)."""
    present = int.from_bytes(trun[1:4], "big")
    samples = _u32(trun, 4)
    place = 8 + (4 if present & 0x01 else 0)
    if present & 0x04:
        flags = _u32(trun, place)
        place += 4
    fields = [bit for bit in (0x100, 0x200, 0x400, 0x800) if present & bit]
    stride = 4 * len(fields)
    total = samples * duration
    if 0x100 in fields:
        total = sum(_u32(trun, place + sample * stride) for sample in range(samples))
    if 0x200 in fields and samples:
        size = _u32(trun, place + 4 * fields.index(0x200))
    if 0x400 in fields and samples and not present & 0x04:
        flags = _u32(trun, place + 4 * fields.index(0x400))
    return total, size, not flags & _NOT_SYNC


def _u32(data: bytes, place: int) -> int:
    value: int = struct.unpack_from(">I", data, place)[0]
    return value
