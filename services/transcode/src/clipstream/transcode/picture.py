"""From frames as they are decoded to frames as every rendition needs them: upright, progressive, SDR, at a constant rate.

All of it runs in the decoding thread, the scaling too: `VideoReformatter` changes its source frame's colour fields
while it works, and `pts` belongs to the frame, so a frame shared by two threads would race.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter

from clipstream.transcode.plan import Rendition

_TURNS = {90: ("transpose=clock",), 180: ("hflip", "vflip"), 270: ("transpose=cclock",)}
_UNKNOWN = 2
_BT2020, _PQ, _HLG = 9, 16, 18


@dataclass(frozen=True, slots=True)
class Colour:
    """What the output is tagged as. Numbers are those of ITU-T H.273, as in the bit stream."""

    primaries: int
    transfer: int
    matrix: int
    space: Colorspace


BT709 = Colour(1, 1, 1, Colorspace.ITU709)
BT601 = Colour(6, 6, 6, Colorspace.ITU601)


def turned(frame: av.VideoFrame) -> int:
    """By how many degrees clockwise the frame is to be turned before it is shown: 0, 90, 180 or 270."""
    return round(-frame.rotation / 90) * 90 % 360


def shown_size(frame: av.VideoFrame, aspect: Fraction | None) -> tuple[int, int]:
    """Width and height as a viewer sees them: square pixels, upright."""
    stretch = aspect if aspect and Fraction(1, 8) <= aspect <= 8 else Fraction(1)
    width, height = max(1, round(frame.width * stretch)), frame.height
    return (height, width) if turned(frame) in (90, 270) else (width, height)


class Preparation:
    """Makes each decoded frame upright, progressive and SDR, in its own size. One clip, one instance, one thread."""

    def __init__(self, first: av.VideoFrame) -> None:
        self.colour = BT601 if _matrix(first) in (5, 6) else BT709
        self._deinterlace = first.interlaced_frame
        self._graph: Graph | None = None
        self._graph_for: tuple[object, ...] = ()
        self._tone = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        filters = (("bwdif=mode=send_frame:deint=interlaced",) if self._deinterlace else ()) + _TURNS.get(
            turned(frame), ()
        )
        if not filters:
            yield self._toned(frame)
            return
        key = (filters, frame.width, frame.height, frame.format.name)
        if self._graph is None or key != self._graph_for:
            yield from self.flush()
            self._graph, self._graph_for = _graph(frame, filters), key
        self._graph.vpush(frame)
        yield from self._pull()

    def flush(self) -> Iterator[av.VideoFrame]:
        """What the filters still hold."""
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._pull()
            self._graph = None

    def _pull(self) -> Iterator[av.VideoFrame]:
        while self._graph is not None:
            try:
                frame = self._graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return
            yield self._toned(frame)

    def _toned(self, frame: av.VideoFrame) -> av.VideoFrame:
        matrix = _matrix(frame)
        if frame.color_trc in (_PQ, _HLG) or (frame.color_primaries == _BT2020 and matrix == _BT2020):
            # At source size: scaling in the same call costs five times as much.
            frame = self._tone.reformat(
                frame,
                format="yuv420p",
                dst_colorspace=Colorspace.ITU709,
                dst_color_trc=ColorTrc.BT709,
                dst_color_primaries=ColorPrimaries.BT709,
                dst_color_range=ColorRange.MPEG,
                threads=1,
            )
            matrix = 1
        # Tags that say "unknown" make swscale guess BT.601; tell it what was decided for the clip.
        frame.colorspace = matrix
        return frame


class Scaler:
    """One rendition's size and the clip's colours, as 8-bit 4:2:0. Always gives a frame that nobody else holds."""

    def __init__(self, rendition: Rendition, colour: Colour) -> None:
        self._rendition, self._colour = rendition, colour
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        return self._reformatter.reformat(
            frame,
            self._rendition.width,
            self._rendition.height,
            "yuv420p",
            dst_colorspace=self._colour.space,
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.BICUBIC,
            threads=1,
        )


def _matrix(frame: av.VideoFrame) -> int:
    """The frame's colour matrix; where the file does not say, what its size makes likely."""
    if frame.colorspace == 5:
        return 6  # the same matrix under its other name; swscale's wrapper knows one of them
    if frame.colorspace != _UNKNOWN:
        return int(frame.colorspace)
    if frame.format.is_rgb:
        return 0
    return 1 if min(frame.width, frame.height) >= 720 else 6


def _graph(frame: av.VideoFrame, filters: tuple[str, ...]) -> Graph:
    graph = Graph()
    graph.threads = 1
    nodes: list[FilterContext] = [
        graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base or Fraction(1, 90_000),
        )
    ]
    for description in filters:
        name, _, arguments = description.partition("=")
        nodes.append(graph.add(name, arguments or None))
    nodes.append(graph.add("buffersink"))
    graph.link_nodes(*nodes).configure()
    return graph
