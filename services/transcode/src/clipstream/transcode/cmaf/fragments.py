"""Writes one track of copied packets as CMAF (ISO/IEC 23000-19): an initialisation segment, and fragments of it.

libav's muxer would do, but it takes decode times from the source, which recorders round, leave out or make up. Here the
samples of a fragment are decoded at the very times at which its pictures are shown, only in another order: fragments begin
exactly where their first picture is shown, whatever the rate does. Composition offsets may be negative for that (trun v1).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from clipstream.transcode.made import Span

_NO_SYNC, _SYNC = 0x0101_0000, 0x0200_0000
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


@dataclass(frozen=True, slots=True)
class Sample:
    """One packet: `pts` in ticks of its track, 0 where the clip begins."""

    data: bytes
    pts: int
    key: bool = True


@dataclass(frozen=True, slots=True)
class Pictures:
    """What a picture track's header says. `colour` is primaries, transfer, matrix (ITU-T H.273) and 1 for full range."""

    width: int
    height: int
    avcc: bytes
    colour: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Sound:
    """What a sound track's header says. `config` is its AudioSpecificConfig; `skipped` samples are decoded, not heard."""

    sample_rate: int
    channels: int
    config: bytes
    skipped: int = 0


def opening(track: Pictures | Sound, timescale: int) -> bytes:
    """The initialisation segment."""
    size = (track.width, track.height) if isinstance(track, Pictures) else (0, 0)
    volume = 0 if isinstance(track, Pictures) else 0x0100
    mvhd = _full(
        b"mvhd", struct.pack(">IIIIIHHII", 0, 0, 1000, 0, 0x10000, 0x0100, 0, 0, 0), _MATRIX, bytes(24), _u32(2)
    )
    placed = struct.pack(">hhHH", 0, 0, volume, 0) + _MATRIX + struct.pack(">II", size[0] << 16, size[1] << 16)
    tkhd = _full(b"tkhd", struct.pack(">IIIII", 0, 0, 1, 0, 0), bytes(8), placed, flags=3)
    mdhd = _full(b"mdhd", struct.pack(">IIIIHH", 0, 0, timescale, 0, 0x55C4, 0))
    mdia = _box(b"mdia", mdhd, _handler(track), _information(track))
    trex = _full(b"trex", struct.pack(">5I", 1, 1, 0, 0, 0))
    trak = _box(b"trak", tkhd, _edit(track), mdia)
    return _box(b"ftyp", b"iso6", _u32(0), b"iso6cmfc") + _box(b"moov", mvhd, trak, _box(b"mvex", trex))


def fragment(samples: Sequence[Sample], ended: int, sequence: int) -> tuple[list[bytes], Span]:
    """The samples, in decode order and from a key on, as one moof and mdat; shown from the first one's time until `ended`.

    Times must be distinct and none before the first one's. The span counts from the fragment's own first byte."""
    start = samples[0].pts
    times = sorted(sample.pts for sample in samples)
    lasting = [later - earlier for earlier, later in zip(times, [*times[1:], ended], strict=True)]
    rows = b"".join(
        struct.pack(">IIIi", duration, len(sample.data), _SYNC if sample.key else _NO_SYNC, sample.pts - decoded)
        for sample, duration, decoded in zip(samples, lasting, times, strict=True)
    )
    tfhd = _full(b"tfhd", _u32(1), flags=0x020000)
    tfdt = _full(b"tfdt", struct.pack(">Q", start), version=1)
    mfhd = _full(b"mfhd", _u32(sequence))
    size = 8 + len(mfhd) + 8 + len(tfhd) + len(tfdt) + 20 + len(rows)  # moof, traf, and trun without its rows
    trun = _full(b"trun", struct.pack(">Ii", len(samples), size + 8), rows, version=1, flags=0xF01)
    moof = _box(b"moof", mfhd, _box(b"traf", tfhd, tfdt, trun))
    body = [sample.data for sample in samples]
    header = struct.pack(">I4s", 8 + sum(map(len, body)), b"mdat")
    span = Span(offset=0, size_bytes=size + 8 + len(body[0]), start=start, duration=ended - start)
    return [moof, header, *body], span


def _handler(track: Pictures | Sound) -> bytes:
    kind, name = (b"vide", b"VideoHandler\0") if isinstance(track, Pictures) else (b"soun", b"SoundHandler\0")
    return _full(b"hdlr", _u32(0), kind, bytes(12), name)


def _information(track: Pictures | Sound) -> bytes:
    header = _full(b"vmhd", bytes(8), flags=1) if isinstance(track, Pictures) else _full(b"smhd", bytes(4))
    entry = _avc1(track) if isinstance(track, Pictures) else _mp4a(track)
    data = _box(b"dinf", _full(b"dref", _u32(1), _full(b"url ", flags=1)))
    none = [_full(kind, _u32(0)) for kind in (b"stts", b"stsc")]
    table = _box(b"stbl", _full(b"stsd", _u32(1), entry), *none, _full(b"stsz", bytes(8)), _full(b"stco", _u32(0)))
    return _box(b"minf", header, data, table)


def _avc1(track: Pictures) -> bytes:
    fixed = struct.pack(">6xH16xHHIIIH32xHh", 1, track.width, track.height, 0x480000, 0x480000, 0, 1, 0x18, -1)
    *numbers, full = track.colour
    colour = _box(b"colr", b"nclx", struct.pack(">3HB", *numbers, full << 7)) if any(n != 2 for n in numbers) else b""
    return _box(b"avc1", fixed, _box(b"avcC", track.avcc), colour)


def _mp4a(track: Sound) -> bytes:
    fixed = struct.pack(
        ">6xH8xHHIHH", 1, track.channels, 16, 0, track.sample_rate if track.sample_rate < 1 << 16 else 0, 0
    )
    config = _descriptor(4, struct.pack(">BBxHII", 0x40, 0x15, 0, 0, 0), _descriptor(5, track.config))
    return _box(b"mp4a", fixed, _full(b"esds", _descriptor(3, struct.pack(">HB", 1, 0), config, _descriptor(6, b"\2"))))


def _descriptor(tag: int, *payload: bytes) -> bytes:
    body = b"".join(payload)
    return bytes([tag, len(body)]) + body


def _edit(track: Pictures | Sound) -> bytes:
    if isinstance(track, Pictures) or not track.skipped:
        return b""
    return _box(b"edts", _full(b"elst", struct.pack(">IIiI", 1, 0, track.skipped, 0x10000)))


def _full(kind: bytes, *payload: bytes, version: int = 0, flags: int = 0) -> bytes:
    return _box(kind, _u32(version << 24 | flags), *payload)


def _box(kind: bytes, *payload: bytes) -> bytes:
    body = b"".join(payload)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _u32(value: int) -> bytes:
    return struct.pack(">I", value)
