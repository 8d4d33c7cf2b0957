"""H.264 as it lies in ISO files: ISO/IEC 14496-15 (avcC, length-prefixed NAL units) and 14496-10 (sequence parameters)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from validators.isobmff import Malformed

SLICE, IDR, SPS, PPS = 1, 5, 7, 8
_WITH_CHROMA = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}


@dataclass(frozen=True, slots=True)
class Config:
    """AVCDecoderConfigurationRecord (14496-15, 5.3.3.1.2)."""

    profile: int
    compatibility: int
    level: int
    length_size: int
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]

    @property
    def codec(self) -> str:
        """RFC 6381, 3.3."""
        return f"{self.profile:02x}{self.compatibility:02x}{self.level:02x}"


@dataclass(frozen=True, slots=True)
class Sequence:
    """What a sequence parameter set says of its pictures: cropped size, and (primaries, transfer, matrix, full range)."""

    profile: int
    compatibility: int
    level: int
    width: int
    height: int
    chroma: int
    depth: int
    interlaced: bool
    colour: tuple[int, int, int, bool] | None


def config(data: bytes) -> Config:
    try:
        place, sets = 5, []
        for mask in (0x1F, 0xFF):
            count, place, found = data[place] & mask, place + 1, []
            for _ in range(count):
                size = int.from_bytes(data[place : place + 2], "big")
                found.append(data[place + 2 : place + 2 + size])
                place += 2 + size
            sets.append(tuple(found))
        if place > len(data) or data[0] != 1:
            raise Malformed("avcC is cut short or of an unknown version")
    except IndexError:
        raise Malformed("avcC is cut short") from None
    return Config(data[1], data[2], data[3], (data[4] & 3) + 1, sets[0], sets[1])


def nal_units(sample: bytes, length_size: int) -> Iterator[bytes]:
    """The NAL units of a sample; their lengths have to add up to it."""
    place = 0
    while place < len(sample):
        size = int.from_bytes(sample[place : place + length_size], "big")
        place += length_size
        if not size or place + size > len(sample):
            raise Malformed(f"a NAL unit of {size} bytes where {len(sample) - place} are left of the sample")
        yield sample[place : place + size]
        place += size


class _Bits:
    """Bits and Exp-Golomb numbers (14496-10, 9.1) without emulation prevention bytes (7.4.1)."""

    def __init__(self, nal: bytes) -> None:
        raw = nal.replace(b"\0\0\3", b"\0\0")
        self._value, self._left = int.from_bytes(raw, "big"), 8 * len(raw)

    def u(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise Malformed("a sequence parameter set is cut short")
        return self._value >> self._left & ((1 << count) - 1)

    def ue(self) -> int:
        zeros = 0
        while not self.u(1):
            zeros += 1
        return (1 << zeros) - 1 + (self.u(zeros) if zeros else 0)

    def se(self) -> int:
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def sequence(nal: bytes) -> Sequence:
    """seq_parameter_set_data (7.3.2.1.1) as far as the colour description (E.1.1)."""
    bits = _Bits(nal[1:])
    profile, compatibility, level = bits.u(8), bits.u(8), bits.u(8)
    bits.ue()
    chroma, depth = (_chroma(bits)) if profile in _WITH_CHROMA else (1, 8)
    bits.ue()
    _picture_order(bits)
    bits.ue(), bits.u(1)
    across, down = bits.ue() + 1, bits.ue() + 1
    frames_only = bits.u(1)
    if not frames_only:
        bits.u(1)
    bits.u(1)
    width, height = 16 * across, 16 * down * (2 - frames_only)
    if bits.u(1):
        left, right, top, bottom = (bits.ue() for _ in range(4))
        step = 2 if chroma == 1 else 1
        width -= (left + right) * (2 if chroma in (1, 2) else 1)
        height -= (top + bottom) * step * (2 - frames_only)
    colour = _colour(bits) if bits.u(1) else None
    return Sequence(profile, compatibility, level, width, height, chroma, depth, not frames_only, colour)


def _chroma(bits: _Bits) -> tuple[int, int]:
    chroma = bits.ue()
    if chroma == 3:
        bits.u(1)
    depth = 8 + bits.ue()
    bits.ue(), bits.u(1)
    if bits.u(1):
        for number in range(8 if chroma != 3 else 12):
            if bits.u(1):
                _skip_scaling_list(bits, 16 if number < 6 else 64)
    return chroma, depth


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _picture_order(bits: _Bits) -> None:
    kind = bits.ue()
    if kind == 0:
        bits.ue()
    elif kind == 1:
        bits.u(1), bits.se(), bits.se()
        for _ in range(bits.ue()):
            bits.se()


def _colour(bits: _Bits) -> tuple[int, int, int, bool] | None:
    if bits.u(1) and bits.u(8) == 255:
        bits.u(32)
    if bits.u(1):
        bits.u(1)
    if not bits.u(1):
        return None
    bits.u(3)
    full = bool(bits.u(1))
    if not bits.u(1):
        return None
    return bits.u(8), bits.u(8), bits.u(8), full
