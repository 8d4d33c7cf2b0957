"""What the numbers of a picture mean as colours: as the source says or as is likely, and as the output is tagged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import av
from av.video.reformatter import Colorspace

from clipstream.common.contracts.media import VideoTrack
from clipstream.common.media.color import PRIMARIES, RANGES, SPACES, TRANSFERS

PQ, HLG = 16, 18
"""Transfer functions by their numbers in ITU-T H.273; every other one counts as SDR."""
BT2020, DISPLAY_P3 = 9, 12
"""Primaries, likewise; every other ones count as those of BT.709."""

_UNKNOWN = 2
_FULL = 2
_SDR_TRANSFERS = frozenset({1, 4, 5, 6, 7, 11, 13})
_SMALL_PRIMARIES = frozenset({1, 4, 5, 6, 7})
_BT601 = frozenset({4, 5, 6})
_BT2020 = frozenset({9, 10, 14})


@dataclass(frozen=True, slots=True)
class Colour:
    """What the output is tagged as. Numbers are those of ITU-T H.273, as in the bit stream; the range is limited."""

    primaries: int
    transfer: int
    matrix: int
    space: Colorspace


BT709 = Colour(1, 1, 1, Colorspace.ITU709)
BT601 = Colour(6, 6, 6, Colorspace.ITU601)


def output_colour(video: VideoTrack) -> Colour:
    """BT.601 stays what it is, everything else becomes BT.709 or is told to be, in the source's own SDR primaries and
    transfer where those are known."""
    tags = Tags.of(video)
    if not tags.source.fits:
        return BT709
    usual = BT601 if tags.matrix in _BT601 else BT709
    return Colour(
        tags.primaries if tags.primaries in _SMALL_PRIMARIES else tags.matrix if tags.matrix == 5 else usual.primaries,
        tags.transfer if tags.transfer in _SDR_TRANSFERS else usual.transfer,
        5 if tags.matrix == 5 else usual.matrix,
        usual.space,
    )


class Source(NamedTuple):
    """How a source's colours are meant: numbers of ITU-T H.273."""

    transfer: int
    primaries: int

    @property
    def fits(self) -> bool:
        """Whether it is SDR in the colours of BT.709 or in smaller ones, so that nothing has to be mapped."""
        return self.transfer not in (PQ, HLG) and self.primaries not in (BT2020, DISPLAY_P3)


@dataclass(frozen=True, slots=True)
class Tags:
    """What a clip's pictures are tagged with, all of it known: what the file does not say is what is likely."""

    transfer: int
    primaries: int
    matrix: int
    full: bool

    @classmethod
    def of(cls, video: VideoTrack) -> Tags:
        rgb = av.VideoFormat(video.pixel_format).is_rgb
        likely = 0 if rgb else 1 if min(video.width, video.height) >= 720 else 6
        matrix = _number(SPACES, video.color_space, likely)
        return cls(
            _number(TRANSFERS, video.color_transfer, _UNKNOWN),
            _number(PRIMARIES, video.color_primaries, BT2020 if matrix in _BT2020 else _UNKNOWN),
            matrix,
            _number(RANGES, video.color_range, 1) == _FULL or video.pixel_format.startswith("yuvj"),
        )

    @property
    def source(self) -> Source:
        return Source(self.transfer, self.primaries)

    def settle(self, frame: av.VideoFrame) -> Source:
        """Write into the frame what it does not say itself: swscale would guess, and guess BT.601."""
        if frame.format.is_rgb:
            frame.colorspace = 0
        elif frame.colorspace in (0, _UNKNOWN):
            frame.colorspace = self.matrix or 1
        # swscale's wrapper knows one of two names of the same matrix, and nothing like constant luminance.
        frame.colorspace = {5: 6, 10: 9, 14: 9}.get(int(frame.colorspace), int(frame.colorspace))
        if not frame.color_range and not frame.format.is_rgb:
            frame.color_range = _FULL if self.full or frame.format.name.startswith("yuvj") else 1
        transfer, primaries = int(frame.color_trc), int(frame.color_primaries)
        return Source(
            self.transfer if transfer in (0, _UNKNOWN) else transfer,
            self.primaries if primaries in (0, _UNKNOWN) else primaries,
        )


def _number(names: dict[int, str], name: str | None, otherwise: int) -> int:
    return next((number for number, known in names.items() if known == name), otherwise)
