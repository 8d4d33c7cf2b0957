"""From frames as they are decoded to frames as every rendition needs them: upright, progressive, SDR, in one shape.

What is done follows from the facts of the probe, so that every chunk of a clip does the same; a frame that differs from
them is fitted in. All of it runs in the decoding thread, the scaling too: `VideoReformatter` changes its source frame's
colour fields while it works, and `pts` belongs to the frame, so a frame shared by two threads would race.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from clipstream.common.contracts.media import VideoTrack
from clipstream.transcode.pictures.colour import BT709, Colour, Source, Tags, output_colour
from clipstream.transcode.plan import doubles_rate

OFF_SHAPE = 0.02
"""A picture whose shape differs from the clip's by more is fitted in with black bars, by less it is stretched."""

_TURNS = {90: ("transpose=clock",), 180: ("hflip", "vflip"), 270: ("transpose=cclock",)}


def turned(frame: av.VideoFrame) -> int:
    """By how many degrees clockwise the frame is to be turned before it is shown: 0, 90, 180 or 270."""
    return round(-frame.rotation / 90) * 90 % 360


class Preparation:
    """Makes each decoded frame upright, progressive and SDR, at its own size. One clip's facts, one instance, one thread.

    8-bit frames that need nothing of it pass untouched. Those of another shape than the clip's come in the clip's size.
    """

    def __init__(self, video: VideoTrack) -> None:
        self.colour = output_colour(video)
        self._tags = Tags.of(video)
        self._size = video.width, video.height
        self._fields = f"bwdif=mode={'send_field' if doubles_rate(video) else 'send_frame'}:deint=interlaced"
        self._interlaced = video.interlaced
        self._graph: Graph | None = None
        self._graph_for: object = None
        self._mapped = False

    def __call__(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        source = self._tags.settle(frame)
        steps = self._steps(frame)
        if not steps and source.fits:
            yield from self.flush()
            yield frame
            return
        layout = frame.width, frame.height, frame.format.name, frame.time_base
        key = steps, source, layout, frame.colorspace, frame.color_range
        if self._graph is None or key != self._graph_for:
            yield from self.flush()
            self._graph, self._graph_for, self._mapped = _graph(frame, steps, source), key, not source.fits
        self._graph.vpush(frame, at=0)
        yield from self._pull()

    def flush(self) -> Iterator[av.VideoFrame]:
        """What the filters still hold."""
        if self._graph is not None:
            self._graph.vpush(None, at=0)
            yield from self._pull()
            self._graph = None

    def _steps(self, frame: av.VideoFrame) -> tuple[str, ...]:
        turn = turned(frame)
        deinterlace = (self._fields,) if self._interlaced else ()
        return deinterlace + _TURNS.get(turn, ()) + self._fitting(frame, sideways=turn in (90, 270))

    def _fitting(self, frame: av.VideoFrame, *, sideways: bool) -> tuple[str, ...]:
        width, height = (frame.height, frame.width) if sideways else (frame.width, frame.height)
        across, down = self._size
        if abs(width * down / (height * across) - 1) <= OFF_SHAPE:
            return ()
        scale = min(across / width, down / height)
        fitted = max(2, int(width * scale / 2) * 2), max(2, int(height * scale / 2) * 2)
        return f"scale={fitted[0]}:{fitted[1]}:flags=bicubic", f"pad={across}:{down}:-1:-1:black"

    def _pull(self) -> Iterator[av.VideoFrame]:
        while self._graph is not None:
            try:
                frame = self._graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return
            if self._mapped:
                frame.color_primaries, frame.color_trc = BT709.primaries, BT709.transfer
            yield frame


class Scaler:
    """A size and the clip's colours, as 8-bit 4:2:0 of limited range. A frame that is so already is handed on itself."""

    def __init__(self, width: int, height: int, colour: Colour) -> None:
        self._size, self._colour = (width, height), colour
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        return self._reformatter.reformat(
            frame,
            *self._size,
            "yuv420p",
            dst_colorspace=self._colour.space,
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.BICUBIC,
            threads=1,
        )


def _graph(frame: av.VideoFrame, steps: tuple[str, ...], source: Source) -> Graph:
    graph = Graph()
    graph.threads = 1
    time_base = frame.time_base or Fraction(1, 90_000)
    described = f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base={time_base}"
    nodes = [_node(graph, f"buffer={described}:colorspace={int(frame.colorspace)}:range={int(frame.color_range)}")]
    nodes += [_node(graph, step) for step in steps]
    if source.fits:
        graph.link_nodes(*nodes, _node(graph, "buffersink")).configure()
        return graph
    _map_tones(graph, nodes, time_base, source)
    return graph


def _map_tones(graph: Graph, nodes: list[FilterContext], time_base: Fraction, source: Source) -> None:
    """Put the table of colours behind `nodes`. In 16 bits libav looks it up with SIMD: half the time of 10 bits."""
    from clipstream.transcode.pictures import tonemap  # numpy takes a tenth of a second to import, and SDR needs none

    image = av.VideoFrame.from_ndarray(tonemap.hald(source), format="rgb48le")
    image.pts, image.time_base = 0, time_base
    size = f"video_size={image.width}x{image.height}"
    table = _node(graph, f"buffer={size}:pix_fmt=rgb48le:time_base={time_base}:colorspace=gbr:range=pc")
    lookup = _node(graph, "haldclut=interp=tetrahedral:clut=first")
    before = ("scale=flags=bicubic+full_chroma_int+accurate_rnd", "format=gbrp16le")
    after = ("scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd", "format=yuv420p", "buffersink")
    graph.link_nodes(*nodes, *(_node(graph, step) for step in before), lookup)
    table.link_to(lookup, 0, 1)
    graph.link_nodes(lookup, *(_node(graph, step) for step in after)).configure()
    graph.vpush(image, at=1)
    graph.vpush(None, at=1)  # or pictures would be held until another table came


def _node(graph: Graph, description: str) -> FilterContext:
    name, _, arguments = description.partition("=")
    return graph.add(name, arguments or None)
