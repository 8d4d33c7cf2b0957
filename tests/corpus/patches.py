"""Frames of one colour, in any planar format, matrix and range, by the definitions of ITU-T H.273. No codec, no swscale."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph

Triple = tuple[float, float, float]

_WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


def ycc(rgb: Triple, *, matrix: int, bits: int = 8, full: bool = False) -> tuple[int, int, int]:
    """Encoded R'G'B' (0..1) as Y'CbCr codes."""
    red, blue = _WEIGHTS[matrix]
    luma = red * rgb[0] + (1 - red - blue) * rgb[1] + blue * rgb[2]
    cb, cr = (rgb[2] - luma) / (2 * (1 - blue)), (rgb[0] - luma) / (2 * (1 - red))
    unit, top = 1 << (bits - 8), (1 << bits) - 1
    if full:
        return round(luma * top), min(top, round(cb * top + 128 * unit)), min(top, round(cr * top + 128 * unit))
    return round((219 * luma + 16) * unit), round((224 * cb + 128) * unit), round((224 * cr + 128) * unit)


def patch(
    rgb: Triple,
    pixel_format: str,
    *,
    tags: tuple[int, int, int] = (2, 2, 2),
    matrix: int = 1,
    full: bool = False,
    says_range: bool = True,
    size: tuple[int, int] = (64, 32),
    slot: int = 0,
) -> av.VideoFrame:
    """`tags` are what the frame says of itself: primaries, transfer, matrix; `matrix` is what it is made with."""
    frame = av.VideoFrame(*size, pixel_format)
    bits = frame.format.components[0].bits
    if frame.format.is_rgb:
        red, green, blue = (round(value * ((1 << bits) - 1)) for value in rgb)
        codes: tuple[int, ...] = (green, blue, red)  # the order of planes in gbrp
    else:
        codes = ycc(rgb, matrix=matrix, bits=bits, full=full)
        frame.color_range = (2 if full else 1) if says_range else 0
    for plane, code in zip(frame.planes, codes, strict=True):
        plane.update(
            code.to_bytes(2, "little") * (plane.buffer_size // 2) if bits > 8 else bytes([code]) * plane.buffer_size
        )
    frame.color_primaries, frame.color_trc, frame.colorspace = tags
    frame.pts, frame.time_base = slot, Fraction(1, 30)
    return frame


def interlaced(frames: Sequence[av.VideoFrame]) -> list[av.VideoFrame]:
    """The same frames, saying that they are two fields each, the upper one first. They have to be of one kind."""
    graph = Graph()
    first = frames[0]
    entrance = graph.add_buffer(width=first.width, height=first.height, format=first.format, time_base=first.time_base)
    graph.link_nodes(entrance, graph.add("setfield", "tff"), graph.add("buffersink")).configure()
    marked = []
    for frame in frames:
        graph.vpush(frame)
        marked.append(graph.vpull())
    return marked


def middle(frame: av.VideoFrame) -> tuple[int, ...]:
    """The codes in the middle of an 8-bit planar frame."""
    found = []
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        found.append(int(rows[plane.height // 2, plane.width // 2]))
    return tuple(found)
