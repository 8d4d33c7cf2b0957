"""Reads H.264 (ITU-T H.264, ISO/IEC 14496-15) as far as it takes to say what a stream is and whether a picture is a clean
start: parameter sets, and the kinds of its NAL units. Only headers are looked at, so that a packet costs microseconds."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

IDR = 5
_SLICES = range(1, 6)
_SPS, _PPS = 7, 8
_CHROMA_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_EXTENDED_SAR = 255
_SHAPES = (
    *((0, 1), (1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11), (80, 33), (18, 11)),
    *((15, 11), (64, 33), (160, 99), (4, 3), (3, 2), (2, 1)),
)
"""Sample aspect ratios by aspect_ratio_idc, table E-1. The first means: not said."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence parameter set. `level` is ten times the level's name; `pixel_shape` 0 where the stream does not say."""

    profile: int
    level: int
    chroma: int
    bit_depth: int
    progressive: bool
    pixel_shape: Fraction


@dataclass(frozen=True, slots=True)
class Description:
    """A stream's parameter sets and how its packets are divided: `length_bytes` before each NAL unit, 0 where start codes
    stand between them (Annex B)."""

    length_bytes: int
    sequences: frozenset[bytes]
    pictures: frozenset[bytes]

    @property
    def complete(self) -> bool:
        return bool(self.sequences and self.pictures)

    def avcc(self) -> bytes:
        """The AVCDecoderConfigurationRecord (14496-15, 5.3.3) for packets as `packed` makes them."""
        sets, more = sorted(self.sequences), sorted(self.pictures)
        record = bytes([1]) + sets[0][1:4] + bytes([0xFC | (self.length_bytes or 4) - 1, 0xE0 | len(sets)])
        record += b"".join(struct.pack(">H", len(unit)) + unit for unit in sets) + bytes([len(more)])
        record += b"".join(struct.pack(">H", len(unit)) + unit for unit in more)
        sequence = read_sequence(sets[0])
        if sets[0][1] in _CHROMA_PROFILES:
            depth = 0xF8 | sequence.bit_depth - 8
            record += bytes([0xFC | sequence.chroma, depth, depth, 0])
        return record


def describe(extradata: bytes) -> Description:
    """From a container's codec data, either of its two forms. Raises ValueError where it is neither."""
    if len(extradata) < 7 or extradata[0] != 1:
        units = list(_between_start_codes(extradata))
        return Description(0, _of_type(units, _SPS), _of_type(units, _PPS))
    try:
        place, found = 5, []
        for mask in (0x1F, 0xFF):
            count, place = extradata[place] & mask, place + 1
            for _ in range(count):
                [size] = struct.unpack_from(">H", extradata, place)
                found.append(extradata[place + 2 : place + 2 + size])
                place += 2 + size
    except (IndexError, struct.error) as error:
        raise ValueError("codec data that breaks off") from error
    return Description((extradata[4] & 3) + 1, _of_type(found, _SPS), _of_type(found, _PPS))


@dataclass(frozen=True, slots=True)
class Packet:
    """What one packet holds. `idr`: its picture is a clean start. `sets`: parameter sets that stand in it."""

    idr: bool
    sets: tuple[bytes, ...]


def look(data: memoryview, length_bytes: int) -> Packet:
    """The kinds of a packet's NAL units. Raises ValueError where they do not fill it, or hold no picture."""
    sets: list[bytes] = []
    first: int | None = None
    for unit in _units(data, length_bytes):
        if not len(unit):
            continue
        kind = unit[0] & 0x1F
        if kind in (_SPS, _PPS):
            sets.append(bytes(unit))
        elif first is None and kind in _SLICES:
            first = kind
    if first is None:
        raise ValueError("a packet without a picture")
    return Packet(first == IDR, tuple(sets))


def packed(data: bytes, length_bytes: int) -> bytes:
    """The packet as MP4 wants it, a length before each unit."""
    if length_bytes:
        return data
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in _between_start_codes(data))


def known(description: Description, unit: bytes) -> bool:
    """Whether a parameter set is one of those that the stream began with."""
    return unit.rstrip(b"\0") in {each.rstrip(b"\0") for each in description.sequences | description.pictures}


def read_sequence(unit: bytes) -> Sequence:
    """Raises ValueError where it cannot be read."""
    if len(unit) < 4:
        raise ValueError("a sequence parameter set that breaks off")
    bits = _Bits(unit[4:])
    profile, level = unit[1], unit[3]
    bits.golomb()  # its own number
    chroma, depth = 1, 8
    if profile in _CHROMA_PROFILES:
        chroma, depth = _chroma(bits)
    bits.golomb()
    _skip_order(bits)
    bits.golomb()
    bits.read(1)
    bits.golomb(), bits.golomb()  # size in macroblocks: the container knows it in pixels
    progressive = bool(bits.read(1))
    if not progressive:
        bits.read(1)
    bits.read(1)
    if bits.read(1):
        for _ in range(4):
            bits.golomb()
    return Sequence(profile, level, chroma, depth, progressive, _shape(bits))


def slice_groups(unit: bytes) -> int:
    """How many slice groups a picture parameter set has: above one, no browser decodes it."""
    bits = _Bits(unit[1:])
    bits.golomb(), bits.golomb()
    bits.read(2)
    return bits.golomb() + 1


def _chroma(bits: _Bits) -> tuple[int, int]:
    chroma = bits.golomb()
    if chroma == 3:
        bits.read(1)
    depth = 8 + max(bits.golomb(), bits.golomb())
    bits.read(1)
    if bits.read(1):
        for number in range(12 if chroma == 3 else 8):
            if bits.read(1):
                _skip_scaling(bits, 16 if number < 6 else 64)
    return chroma, depth


def _skip_scaling(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed() + 256) % 256
        last = following or last


def _skip_order(bits: _Bits) -> None:
    kind = bits.golomb()
    if kind == 0:
        bits.golomb()
    elif kind == 1:
        bits.read(1)
        bits.golomb(), bits.golomb()
        for _ in range(min(bits.golomb(), 255)):
            bits.golomb()


def _shape(bits: _Bits) -> Fraction:
    if not (bits.read(1) and bits.read(1)):
        return Fraction(0)
    index = bits.read(8)
    across, down = (
        (bits.read(16), bits.read(16)) if index == _EXTENDED_SAR else dict(enumerate(_SHAPES)).get(index, (0, 1))
    )
    return Fraction(across, down) if across and down else Fraction(0)


def _units(data: memoryview, length_bytes: int) -> Iterator[memoryview]:
    if not length_bytes:
        yield from (memoryview(unit) for unit in _between_start_codes(bytes(data)))
        return
    place, end = 0, len(data)
    while place < end:
        size = int.from_bytes(data[place : place + length_bytes], "big")
        place += length_bytes
        if place + size > end:
            raise ValueError("a packet that breaks off")
        yield data[place : place + size]
        place += size


def _between_start_codes(data: bytes) -> Iterator[bytes]:
    place = data.find(b"\0\0\1")
    while place >= 0:
        following = data.find(b"\0\0\1", place + 3)
        unit = data[place + 3 : following if following >= 0 else len(data)].rstrip(b"\0")
        if unit:
            yield unit
        place = following


def _of_type(units: list[bytes], kind: int) -> frozenset[bytes]:
    return frozenset(unit for unit in units if unit and unit[0] & 0x1F == kind)


class _Bits:
    """A raw byte sequence payload, emulation prevention taken out. Reading past its end raises ValueError."""

    def __init__(self, payload: bytes) -> None:
        plain = payload.replace(b"\0\0\3", b"\0\0")
        self._value, self._left = int.from_bytes(plain, "big"), 8 * len(plain)

    def read(self, count: int) -> int:
        if count > self._left:
            raise ValueError("a parameter set that breaks off")
        self._left -= count
        return self._value >> self._left & (1 << count) - 1

    def golomb(self) -> int:
        """ue(v), 9.1."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("a parameter set that makes no sense")
        return (1 << zeros) - 1 + self.read(zeros)

    def signed(self) -> int:
        """se(v), 9.1.1."""
        value = self.golomb()
        return (value + 1) // 2 if value % 2 else -(value // 2)
